"""Which rows of a table belong to which sample, and what else the table says of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import Faults, did_you_mean
from ..labels import as_labels, coded
from ..panel import ROLES
from .files import Table

ONE_VISIT = "1"


@dataclass(eq=False)
class SampleKeys:
    """Rows by sample and by well, all in order of first appearance.

    Attributes
    ----------
    subject, visit : ndarray of object, shape (samples,)
    sample, well : ndarray of int, shape (rows,)
    sample_of_well, first_row : ndarray of int
        Shapes (wells,) and (samples,).
    """

    subject: np.ndarray
    visit: np.ndarray
    sample: np.ndarray
    well: np.ndarray
    sample_of_well: np.ndarray
    first_row: np.ndarray
    plate_column: str | None
    visit_column: str | None
    replicate_column: str | None

    @property
    def n_wells(self) -> int:
        """Number of wells."""
        return len(self.sample_of_well)

    def where(self, position: int) -> dict[str, str]:
        """Name the sample of a row, for a message."""
        sample = self.sample[position]
        return {"subject": self.subject[sample], "visit": self.visit[sample]}

    def duplicate_remedy(self, table: Table) -> str:
        """Say what to do about two rows for one well."""
        if self.visit_column is None:
            hint = next((name for name in table.frame.columns if did_you_mean(name, ["visit", "timepoint", "time"])), None)
            named = f"visit={hint!r}" if hint else "visit=..."
            return f"No column is named as the visit, so that all rows count as one: pass {named} if there are several."
        if self.replicate_column is None:
            return "If these are technical replicates, name the column that tells them apart with replicate=...; else delete one."
        return f"Column {self.replicate_column!r} should tell the replicates of a sample apart."


def sample_keys(
    table: Table, *, subject: str, visit: str, plate: str | None, replicate: str | None, faults: Faults
) -> SampleKeys:
    """Find the samples and wells that the rows belong to."""
    frame = table.frame
    visit_column = None if visit == "visit" and "visit" not in frame.columns else visit
    columns = {"subject": subject, "visit": visit_column, "plate": plate, "replicate": replicate}
    found = {role: table.column(name, role, faults) for role, name in columns.items() if name is not None}
    faults.raise_if_any()
    subject_code, subjects = _ids(table, found["subject"], "subject", subject, faults)
    if visit_column is None:
        visit_code, visits = np.zeros(len(frame), dtype=np.intp), np.array([ONE_VISIT], dtype=object)
    else:
        visit_code, visits = _ids(table, found["visit"], "visit", visit_column, faults)
    pair = subject_code * len(visits) + visit_code
    sample, pairs = pd.factorize(pair)
    if replicate is None:
        well, sample_of_well = sample, np.arange(len(pairs))
    else:
        replicate_code, replicates = _ids(table, found["replicate"], "replicate", replicate, faults)
        well, wells = pd.factorize(sample * len(replicates) + replicate_code)
        sample_of_well = wells // len(replicates)
    first_row = _first(sample, len(pairs))
    return SampleKeys(
        subjects[pairs // len(visits)], visits[pairs % len(visits)], sample, well, sample_of_well, first_row,
        plate, visit_column, replicate,
    )  # fmt: skip


def _first(codes: np.ndarray, n: int) -> np.ndarray:
    first = np.empty(n, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _ids(table: Table, values: Any, role: str, column: str, faults: Faults) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = coded(values)
    for blank in np.flatnonzero(labels == ""):
        for position in np.flatnonzero(codes == blank):
            faults.add(f"the {role} is blank", row=table.rows[position], column=column, remedy="Fill in the cell or delete the row.")
    return codes, labels


def sample_frame(table: Table, keys: SampleKeys, named: set[str], faults: Faults) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Collect what is constant within each sample.

    Parameters
    ----------
    table : Table
    keys : SampleKeys
    named : set of str
        Columns that have a role already.
    faults : Faults

    Returns
    -------
    samples : DataFrame
    ignored : tuple of str
        Columns that vary within a sample.
    """
    ids = _sample_ids(keys)
    columns: dict[str, Any] = {"subject": keys.subject, "visit": keys.visit, "plate": np.full(len(ids), np.nan, dtype=object)}
    if keys.plate_column is not None:
        if _constant(table.frame[keys.plate_column], keys, faults, table):
            columns["plate"] = as_labels(table.frame[keys.plate_column].iloc[keys.first_row])
    ignored = []
    for name in table.frame.columns:
        if name in named:
            continue
        if name in ROLES and not (name == "plate" and keys.plate_column is None):
            owner = getattr(keys, f"{name}_column", None) or "another column"
            faults.add(
                f"column {name!r} clashes with the {name}s taken from {owner!r}",
                column=name,
                remedy=f"Rename it, or pass {name}={name!r}.",
            )
            continue
        values = table.frame[name]
        if _constant(values, keys):
            columns[name] = typed(values.iloc[keys.first_row])
        else:
            ignored.append(name)
    return pd.DataFrame(columns, index=pd.Index(ids, name="sample")), tuple(ignored)


def _sample_ids(keys: SampleKeys) -> list[str]:
    for mark in ("@", " @ ", "@@"):
        ids = [f"{subject}{mark}{visit}" for subject, visit in zip(keys.subject, keys.visit, strict=True)]
        if len(set(ids)) == len(ids):
            break
    return ids


def _constant(values: pd.Series, keys: SampleKeys, faults: Faults | None = None, table: Table | None = None) -> bool:
    codes = pd.factorize(values)[0]
    differs = codes != codes[keys.first_row[keys.sample]]
    if faults is not None and table is not None:
        for position in np.flatnonzero(differs):
            faults.add(
                "one sample stands on two plates",
                row=table.rows[position],
                column=values.name,
                **keys.where(position),
                found=values.iloc[position],
                remedy="Correct the plate, or leave out plate=... and limits that depend on it.",
            )
    return not differs.any()


def typed(values: pd.Series) -> Any:
    """Text from a file becomes numbers where every filled cell is one and no id would lose its leading zeros."""
    if values.dtype.kind != "O" and not isinstance(values.dtype, pd.StringDtype):
        return values.to_numpy()
    cells = [value.strip() if isinstance(value, str) else value for value in values]
    filled = [cell for cell in cells if cell not in ("", "NA", "NaN") and cell == cell and cell is not None]
    if not filled or any(isinstance(cell, bool) or not _is_number(cell) for cell in filled):
        return np.array([np.nan if cell == "" or cell is None else cell for cell in cells], dtype=object)
    numbers = np.array([float(cell) if cell in filled else np.nan for cell in cells])
    whole = len(filled) == len(cells) and all(number.is_integer() and abs(number) < 2**53 for number in numbers)
    return numbers.astype(np.int64) if whole else numbers


def _is_number(cell: Any) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, int | float | np.number)
    digits = cell.lstrip("+-")
    if "_" in cell or (len(digits) > 1 and digits[0] == "0" and digits[1] != "."):
        return False
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False
