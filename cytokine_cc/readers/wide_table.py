"""The wide layout: one row a sample (or well), one column an analyte."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ..errors import Faults, OptionError, did_you_mean, quoted
from ..labels import as_label
from .files import Table
from .grammar import Cells
from .samples import SampleKeys, sample_frame
from .wells import Wells


def analyte_columns(
    table: Table, analytes: Any, sample_columns: Sequence[str], named: set[str], faults: Faults
) -> dict[str, str]:
    """Find the analyte columns, as {column: analyte name}."""
    columns = list(table.frame.columns)
    if analytes is None and not sample_columns:
        raise OptionError(
            "layout='wide' needs `analytes` (the columns that hold analytes, or {column: name}) or `sample_columns` "
            f"(then all other columns are analytes). The columns are {quoted(columns, limit=30)}."
        )
    if analytes is not None:
        pairs = list(analytes.items()) if isinstance(analytes, Mapping) else [(name, name) for name in analytes]
        wanted = {str(column).strip(): as_label(name) for column, name in pairs}
        if len(wanted) < len(pairs):
            raise OptionError("`analytes` names a column twice.")
    else:
        given = [str(name).strip() for name in sample_columns]
        for name in given:
            table.column(name, "sample_columns", faults)
        wanted = {name: as_label(name) for name in columns if name not in named and name not in given}
    for column in wanted:
        if column not in columns:
            hint = did_you_mean(column, columns)
            remedy = hint.strip() or f"The columns are {quoted(columns, limit=30)}."
            faults.add(f"no column {column!r} (named in `analytes`)", column=column, remedy=remedy)
        elif column in named:
            remedy = "Leave it out of `analytes`."
            faults.add("a column with a role of its own cannot be an analyte", column=column, remedy=remedy)
    names = list(wanted.values())
    for name in dict.fromkeys(name for name in names if not name or names.count(name) > 1):
        own = quoted(column for column, analyte in wanted.items() if analyte == name)
        faults.add(f"columns {own} are all named {name!r}" if name else f"the analyte of column {own} has no name", analyte=name)
    if not wanted:
        faults.add("no column is left to hold an analyte", remedy="Name them with `analytes`.")
    faults.raise_if_any()
    return wanted


def wide_wells(table: Table, cells: Cells, analytes: list[str], keys: SampleKeys, named: set[str], faults: Faults) -> Wells:
    """Arrange the cells of a wide table, read column by column, as analytes x wells.

    Parameters
    ----------
    table : Table
    cells : Cells
        Flat, analyte after analyte.
    analytes : list of str
    keys : SampleKeys
    named : set of str
        Columns that have a role or hold an analyte.
    faults : Faults

    Returns
    -------
    Wells
    """
    n = len(table.frame)
    if keys.n_wells < n:
        seen: dict[int, int] = {}
        remedy = keys.duplicate_remedy(table)
        for position, well in enumerate(keys.well.tolist()):
            if well in seen:
                faults.add(
                    "duplicate sample: its subject and visit have a row already",
                    row=f"{table.rows[position]} (first in row {table.rows[seen[well]]})",
                    **keys.where(position),
                    remedy=remedy,
                )
            seen.setdefault(well, position)
    samples, varies = sample_frame(table, keys, named, faults)
    faults.raise_if_any()
    shape = (len(analytes), n)
    number, state, lower, upper = (array.reshape(shape) for array in cells[:4])
    return Wells(number, state, lower, upper, np.arange(n)[None], table.rows, keys.sample_of_well, samples, analytes, varies)
