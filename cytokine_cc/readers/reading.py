"""read_panel: a file or a DataFrame, in a long or a wide layout, becomes a Panel."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..errors import AnalysisWarning, Faults, OptionError, PanelError, did_you_mean, one_of, quoted
from ..labels import as_label, as_labels, coded
from ..panel import Panel, State
from .files import Table, open_table
from .grammar import NO_LIMIT, REMEDIES, Cells, Codes, parse, parse_limits
from .long_table import long_wells
from .samples import SampleKeys, sample_keys
from .wells import apply_limits, limit_table, to_panel
from .wide_table import analyte_columns, wide_wells

LAYOUTS = ("long", "wide")
LOGS = ("log2", "ln", "log10")


def read_panel(
    source: Any,
    *,
    layout: str,
    subject: str = "subject",
    visit: str = "visit",
    analyte: str = "analyte",
    value: str = "value",
    analytes: Sequence[str] | Mapping[str, str] | None = None,
    sample_columns: Sequence[str] = (),
    plate: str | None = None,
    replicate: str | None = None,
    unit: str | Mapping[str, str] | None = None,
    category: str | Mapping[str, str] | None = None,
    lower_limit: str | float | Mapping[str, Any] | None = None,
    upper_limit: str | float | Mapping[str, Any] | None = None,
    codes: Mapping[Any, str] | None = None,
    logged: str | None = None,
    sep: str | None = None,
    decimal: str = ".",
    sheet: str | int | None = None,
) -> Panel:
    """Read a panel of markers from a table, as the laboratory reported it.

    Nothing is substituted, dropped or de-duplicated: what cannot be read is reported, all faults at once.

    Parameters
    ----------
    source : path or DataFrame
        CSV, TSV or any separated text (UTF-8 with or without BOM, UTF-16, Latin-1), .xlsx with the extra ``excel``, or a frame.
    layout : {"long", "wide"}
        One row a sample and analyte, or one row a sample and one column an analyte.
    subject, visit, analyte, value : str
        Columns. Without a ``visit`` column there is one visit, named "1". `analyte`, `value`: long layout only. An id that
        is blank or reads ``NA``, ``N/A`` or ``NaN`` is refused.
    analytes : list of str or {column: analyte name}
        Wide layout: the columns that hold analytes. Other columns that are constant within a sample become sample columns.
    sample_columns : list of str
        Wide layout, instead of `analytes`: all columns but these and those with a role are analytes.
    plate, replicate : str, optional
        Columns: the plate of each sample; what tells the technical replicates of one sample apart.
    unit, category : str or {analyte: text}, optional
        A column (long layout), one text for all, or one for each.
    lower_limit, upper_limit : str, float or mapping, optional
        Limits of detection: a column, one number, ``{analyte: number}`` or ``{analyte: {plate: number}}``. A cell such as
        ``<3.2`` states its own. A number outside becomes EXTRAPOLATED.
    codes : {text or number: "below", "above" or "missing"}, optional
        What else means what: ``{"NaN": "below"}`` for an instrument that writes NaN below its curve, ``{"0": "below"}``. A
        code that is a number matches any cell equal to it; in a frame a float NaN is the text "NaN".
    logged : {"log2", "ln", "log10"}, optional
        The file holds logarithms already.
    sep : str, optional
        Separator; None looks at the header line for comma, semicolon, tab or bar.
    decimal : {".", ","}
    sheet : str or int, optional
        Sheet of a workbook, needed where there are several.

    Returns
    -------
    Panel

    Raises
    ------
    PanelError
        All faults of the table: missing columns, duplicate samples, text that is no number, infinite values, blank ids ...
    OptionError
        An argument that is not allowed.

    Warns
    -----
    AnalysisWarning
        Cells that say ``ND`` (read as below the limit) without a code for it; a cell's own limit that contradicts the stated one.

    Notes
    -----
    Cells: ``3.2``; ``<3.2``, ``OOR <``, ``BLQ``, ``ND`` (BELOW); ``>1000``, ``OOR >`` (ABOVE); ``*1.04`` or ``1.04*``
    (EXTRAPOLATED); blank, ``NA``, ``N/A``, ``NaN``, ``***``, ``---``, ``.`` (MISSING). ``0`` is the number 0.

    Technical replicates: geometric mean of their numbers (0 if one is 0; arithmetic if `logged`); all BELOW is BELOW; some
    BELOW with known limits is BELOW the geometric mean of limits and numbers, which is what is known of a mean of logs; some
    BELOW with unknown limits is the mean of the numbers, EXTRAPOLATED. ABOVE likewise. MISSING wells do not count.

    Examples
    --------
    >>> import pandas as pd
    >>> import cytokine_cc as cc
    >>> table = pd.DataFrame({
    ...     "patient": [1, 1, 2, 2], "analyte": ["IL-6", "TNF-a"] * 2, "value": ["<3.2", "7.1", "4.4", "*0.9"],
    ...     "group": ["case", "case", "control", "control"],
    ... })
    >>> panel = cc.read_panel(table, layout="long", subject="patient")
    >>> panel.detection()["n_below"].to_dict()
    {'IL-6': 1, 'TNF-a': 0}
    """
    one_of("layout", layout, LAYOUTS)
    if logged is not None:
        one_of("logged", logged, LOGS, {"log": "ln", "loge": "ln", "natural": "ln"})
    own = {"analyte": analyte, "value": value} if layout == "long" else {}
    optional = {name: column for name, column in (("plate", plate), ("replicate", replicate)) if column is not None}
    _check_column_names({"subject": subject, "visit": visit, **own, **optional})
    _check_layout_options(layout, analytes, sample_columns)
    code_book = Codes.build(codes)
    table = open_table(source, sep=sep, sheet=sheet, decimal=decimal)
    faults = Faults(PanelError, table.name)
    keys = sample_keys(table, subject=subject, visit=visit, plate=plate, replicate=replicate, faults=faults)
    named = {name for name in (subject, keys.visit_column, plate, replicate) if name is not None}
    specs = {"lower_limit": lower_limit, "upper_limit": upper_limit}
    limits = _limit_columns(table, specs, decimal, logged is None, named, keys, faults)

    if layout == "long":
        labels = {"unit": unit, "category": category}
        named |= {analyte, value} | {spec for spec in labels.values() if isinstance(spec, str) and spec in table.frame.columns}
        columns = [table.column(name, role, faults) for role, name in (("analyte", analyte), ("value", value))]
        faults.raise_if_any()
        cells = parse(columns[1], code_book, decimal)
        _check_own_limits(cells, logged)
        _report_cells(table, cells, [value], columns[0], keys, "Name the right column with `value`.", faults)
        wells, by_cell, code = long_wells(table, cells, analyte, list(limits.values()), keys, named, faults)
        stated = dict(zip(limits, by_cell, strict=True))
        texts = {role: _labels_of(table, spec, role, wells.analytes, code, faults) for role, spec in labels.items()}
    else:
        chosen = analyte_columns(table, analytes, sample_columns, named, faults)
        cells = parse(_stacked(table.frame, list(chosen)), code_book, decimal)
        _check_own_limits(cells, logged)
        remedy = "Leave it out of `analytes`." if analytes is not None else "If it describes samples, add it to `sample_columns`."
        _report_cells(table, cells, list(chosen), None, keys, remedy, faults)
        wells = wide_wells(table, cells, list(chosen.values()), keys, named | chosen.keys(), faults)
        stated = {role: array[None] for role, array in limits.items()}
        labels = {"unit": unit, "category": category}
        texts = {role: _labels_of(table, spec, role, wells.analytes, None, faults) for role, spec in labels.items()}

    plates = as_labels(wells.samples["plate"])[wells.sample] if plate is not None else None
    for role, spec in specs.items():
        if role not in stated:
            stated[role] = limit_table(spec, role, wells.analytes, plates, faults, positive=logged is None)
    faults.raise_if_any()
    disagree = apply_limits(wells, stated["lower_limit"], stated["upper_limit"], faults)
    _warn(table, cells, disagree)
    about = pd.DataFrame(texts, index=pd.Index(wells.analytes, name="analyte"), dtype=object)
    return to_panel(wells, about, faults, logged=logged, has_plates=plate is not None, source=table.source)


def _check_layout_options(layout: str, analytes: Any, sample_columns: Any) -> None:
    if isinstance(sample_columns, str) or not isinstance(sample_columns, Iterable):
        raise OptionError(f"`sample_columns` must be a list of columns; got {sample_columns!r}.")
    if isinstance(analytes, str) or not isinstance(analytes, Iterable | None):
        raise OptionError(f"`analytes` must be a list of columns or {{column: name}}; got {analytes!r}.")
    if layout == "long" and (analytes is not None or len(list(sample_columns))):
        name = "analytes" if analytes is not None else "sample_columns"
        raise OptionError(
            f"`{name}` is for layout='wide'. In a long table `analyte` names the column of analytes; panel.select(analytes=...) "
            "keeps some."
        )


def _check_column_names(roles: Mapping[str, Any]) -> None:
    taken: dict[str, str] = {}
    for role, column in roles.items():
        if not isinstance(column, str):
            raise OptionError(f"`{role}` must be the name of a column, as text; got {column!r}.")
        other = taken.setdefault(column, role)
        # Each visit may have had a plate of its own.
        if other != role and {other, role} != {"visit", "plate"}:
            raise OptionError(f"`{other}` and `{role}` name the same column, {column!r}.")


def _stacked(frame: pd.DataFrame, columns: list[str]) -> pd.Series:
    """Put columns below one another, numbers as numbers where all are."""
    parts = [frame[name] for name in columns]
    if all(isinstance(part.dtype, np.dtype) and part.dtype.kind in "fiu" for part in parts):
        return pd.Series(np.concatenate([part.to_numpy(dtype=np.float64) for part in parts]), copy=False)
    return pd.Series(np.concatenate([part.to_numpy(dtype=object) for part in parts]), dtype=object, copy=False)


def _check_own_limits(cells: Cells, logged: str | None) -> None:
    """Note cells such as "<0" as a problem: no concentration lies below that."""
    if logged is None:
        for limit in (cells.lower, cells.upper):
            cells.problems.update(dict.fromkeys(np.flatnonzero(limit <= 0).tolist(), NO_LIMIT))


def _report_cells(
    table: Table, cells: Cells, columns: list[str], analyte: Any, keys: SampleKeys, remedy: str, faults: Faults
) -> None:
    """Report cells that cannot be read; a column of text as one fault, with a `remedy` of its own."""
    n = len(table.frame)
    problems: dict[int, dict[int, str]] = {}
    for flat, problem in cells.problems.items():
        problems.setdefault(flat // n, {})[flat % n] = problem
    for j, of in problems.items():
        name, found = columns[j], table.frame[columns[j]].to_numpy(dtype=object)
        if len(of) > 1 and set(of.values()) == {"is no number"} and (cells.state[j * n : (j + 1) * n] == State.MISSING).all():
            first = next(iter(of))
            faults.add("the column holds no number", row=table.rows[first], column=name, found=found[first], remedy=remedy)
            continue
        names = None if analyte is None else analyte.to_numpy(dtype=object)
        for i, problem in of.items():
            what = {} if names is None else {"analyte": names[i]}
            row, where = table.rows[i], keys.where(i)
            faults.add(f"a value {problem}", row=row, column=name, **where, **what, found=found[i], remedy=REMEDIES[problem])


def _limit_columns(
    table: Table, specs: dict[str, Any], decimal: str, positive: bool, named: set[str], keys: SampleKeys, faults: Faults
) -> dict[str, np.ndarray]:
    """Read the limits that stand in a column of their own, one a row."""
    found: dict[str, np.ndarray] = {}
    for role, spec in specs.items():
        if not isinstance(spec, str):
            continue
        column = table.column(spec, role, faults)
        if column is None:
            continue
        named.add(spec)
        number, problems = parse_limits(column, decimal)
        if positive:
            problems |= {int(i): "a limit must be above 0" for i in np.flatnonzero(number <= 0)}
        remedy = "Correct the cell, or leave it blank where no limit is known."
        for i, problem in problems.items():
            faults.add(problem, row=table.rows[i], column=spec, **keys.where(i), found=column.iloc[i], remedy=remedy)
        found[role] = number
    return found


def _labels_of(table: Table, spec: Any, role: str, analytes: list[str], code: np.ndarray | None, faults: Faults) -> list[str]:
    """Find the unit or category of each analyte; `code` tells the analyte of each row of a long table."""
    if spec is None:
        return [""] * len(analytes)
    if isinstance(spec, Mapping):
        unknown = [name for name in spec if name not in analytes]
        if unknown:
            hint = did_you_mean(unknown[0], analytes)
            known = quoted(analytes)
            raise OptionError(f"`{role}` names {quoted(unknown)}, which the table does not hold; its analytes are {known}.{hint}")
        return [as_label(spec.get(name, "")) for name in analytes]
    if not isinstance(spec, str):
        raise OptionError(f"`{role}` must be a text, a column or {{analyte: text}}; got {spec!r}.")
    if code is None or spec.casefold() not in {name.casefold() for name in table.frame.columns}:
        return [as_label(spec)] * len(analytes)
    column = table.column(spec, role, faults)
    return [""] * len(analytes) if column is None else _one_each(table, column, role, analytes, code, faults)


def _one_each(table: Table, column: pd.Series, role: str, analytes: list[str], code: np.ndarray, faults: Faults) -> list[str]:
    """Take the text that a column gives each analyte; it must be one."""
    of_row, texts = coded(column)
    given = np.flatnonzero((texts != "")[of_row])
    first = np.full(len(analytes), -1, dtype=np.intp)
    first[code[given[::-1]]] = given[::-1]
    differs = given[of_row[given] != of_row[first[code[given]]]]
    for i in differs[np.sort(np.unique(code[differs], return_index=True)[1])].tolist():
        start = first[code[i]]
        faults.add(
            f"an analyte must have one {role}",
            row=table.rows[i],
            column=column.name,
            analyte=analytes[code[i]],
            found=f"{texts[of_row[i]]} after {texts[of_row[start]]} in row {table.rows[start]}",
            remedy="Bring its values to one unit." if role == "unit" else "Correct the file.",
        )
    return [texts[of_row[i]] if i >= 0 else "" for i in first]


def _warn(table: Table, cells: Cells, disagree: int) -> None:
    if cells.not_detected:
        warnings.warn(
            f"{table.name}: cells that say 'ND' ({cells.not_detected} of them) are read as below the limit; pass "
            "codes={'ND': 'below'} to confirm, or codes={'ND': 'missing'} if it means not done.",
            AnalysisWarning,
            stacklevel=3,
        )
    if disagree:
        warnings.warn(
            f"{table.name}: cells such as '<3.2' ({disagree} of them) state another limit than `lower_limit` or `upper_limit`; "
            "the cell's own is taken.",
            AnalysisWarning,
            stacklevel=3,
        )
