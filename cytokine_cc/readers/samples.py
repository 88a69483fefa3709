"""Which rows of a table belong to which sample, and what else the table says of each sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import Faults
from ..labels import NOT_GIVEN, as_labels, coded
from ..panel import ROLES
from .files import Table

ONE_VISIT = "1"
_SWAP = str.maketrans(",.", ".,")
_VISIT_WORDS = ("visit", "time", "week", "month", "day")
_CHANGES = 20  # places remembered where a column varies within a sample


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
    subject_column: str
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

    def changes(self, values: pd.Series, table: Table, most: int | None = None) -> tuple[dict[str, Any], ...]:
        """Name the samples in which a column varies, each by the first row that differs from the sample's first."""
        codes = pd.factorize(values)[0]
        differs = np.flatnonzero(codes != codes[self.first_row[self.sample]])
        if not len(differs):
            return ()
        _, first = np.unique(self.sample[differs], return_index=True)
        cells = values.to_numpy(dtype=object)
        found = []
        for position in differs[np.sort(first)][:most].tolist():
            start = self.first_row[self.sample[position]]
            text = f"{_text(cells[position])} after {_text(cells[start])} in row {table.rows[start]}"
            found.append({"row": table.rows[position], "column": values.name, **self.where(position), "found": text})
        return tuple(found)

    def duplicate_remedy(self, table: Table) -> str:
        """Say what to do about two rows for one well."""
        if self.visit_column is None:
            hint = next((name for name in table.frame.columns if any(word in name.casefold() for word in _VISIT_WORDS)), None)
            named = f" (visit={hint!r}?)" if hint else ""
            return f"No column is named as the visit, so that all rows count as one: if there are several, use `visit`{named}."
        if self.replicate_column is None:
            return "If these are technical replicates, name the column that tells them apart with `replicate`; else delete one."
        return f"Column {self.replicate_column!r} (named as replicate) must tell the replicates of a sample apart."


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
        subject, plate, visit_column, replicate,
    )  # fmt: skip


def _first(codes: np.ndarray, n: int) -> np.ndarray:
    first = np.empty(n, dtype=np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    return first


def _ids(table: Table, values: Any, role: str, column: str, faults: Faults) -> tuple[np.ndarray, np.ndarray]:
    codes, labels = coded(values)
    for absent in np.flatnonzero(np.isin(labels, NOT_GIVEN)):
        problem = f"the {role} is {'not given' if labels[absent] else 'blank'}"
        for position in np.flatnonzero(codes == absent):
            remedy = "Fill in the cell or delete the row."
            faults.add(problem, row=table.rows[position], column=column, found=labels[absent], remedy=remedy)
    return codes, labels


def _text(cell: Any) -> str:
    blank = not cell.strip() if isinstance(cell, str) else pd.isna(cell)
    return "a blank" if blank else str(cell)


def sample_frame(
    table: Table, keys: SampleKeys, named: set[str], faults: Faults
) -> tuple[pd.DataFrame, dict[str, tuple[dict[str, Any], ...]]]:
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
    varies : dict
        Columns that vary within a sample -> the first places where they do.
    """
    ids = _sample_ids(keys)
    columns: dict[str, Any] = {"subject": keys.subject, "visit": keys.visit, "plate": np.full(len(ids), np.nan, dtype=object)}
    if keys.plate_column is not None:
        plates = table.frame[keys.plate_column]
        for where in keys.changes(plates, table):
            faults.add("one sample stands on two plates", **where, remedy="Correct the plate; or leave out `plate`.")
        columns["plate"] = as_labels(plates.iloc[keys.first_row])
    varies = {}
    for name in table.frame.columns:
        if name in named:
            continue
        if name in ROLES and not (name == "plate" and keys.plate_column is None):
            owner = getattr(keys, f"{name}_column")
            problem = f"column {name!r} clashes with the {name}s taken from {owner!r}"
            faults.add(problem, column=name, remedy=f"Rename it, or pass {name}={name!r}.")
            continue
        values = table.frame[name]
        changes = keys.changes(values, table, most=_CHANGES)
        if changes:
            varies[name] = changes
        else:
            columns[name] = typed(values.iloc[keys.first_row], table.decimal)
    return pd.DataFrame(columns, index=pd.Index(ids, name="sample")), varies


def _sample_ids(keys: SampleKeys) -> list[str]:
    for mark in ("@", " @ ", "@@"):
        ids = [f"{subject}{mark}{visit}" for subject, visit in zip(keys.subject, keys.visit, strict=True)]
        if len(set(ids)) == len(ids):
            break
    return ids


def typed(values: pd.Series, decimal: str) -> Any:
    """Text from a file becomes numbers where every filled cell is one and no id would lose its leading zeros."""
    absent = values.isna().to_numpy(dtype=bool)
    if values.dtype.kind in "fiu":
        return values.to_numpy(dtype=np.float64, na_value=np.nan) if absent.any() else values.to_numpy()
    if values.dtype.kind != "O":
        return values.to_numpy()
    cells = [cell.strip() if isinstance(cell, str) else cell for cell in values]
    filled = np.array([not gone and cell not in ("", "NA", "NaN") for cell, gone in zip(cells, absent, strict=True)], dtype=bool)
    numerals = cells if decimal == "." else [cell.translate(_SWAP) if isinstance(cell, str) else cell for cell in cells]
    if not filled.any() or not all(_is_number(cell) for cell, there in zip(numerals, filled, strict=True) if there):
        texts = np.empty(len(cells), dtype=object)
        texts[:] = [np.nan if gone or cell == "" else cell for cell, gone in zip(cells, absent, strict=True)]
        return texts
    numbers = np.array([float(cell) if there else np.nan for cell, there in zip(numerals, filled, strict=True)])
    whole = filled.all() and (np.abs(numbers) < 2**53).all() and all(str(cell).lstrip("+-").isdigit() for cell in cells)
    return numbers.astype(np.int64) if whole else numbers


def _is_number(cell: Any) -> bool:
    if not isinstance(cell, str):
        return isinstance(cell, int | float | np.number) and not isinstance(cell, bool)
    digits = cell.lstrip("+-")
    if "_" in cell or (len(digits) > 1 and digits[0] == "0" and digits[1] != "."):
        return False
    try:
        return np.isfinite(float(cell))
    except ValueError:
        return False
