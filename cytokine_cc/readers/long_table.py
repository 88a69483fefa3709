"""The long layout: one row a sample and analyte."""

from __future__ import annotations

import numpy as np

from ..errors import Faults
from ..labels import coded
from ..panel import State
from .files import Table
from .grammar import Cells
from .samples import SampleKeys, sample_frame
from .wells import Wells

_MOST_CELLS, _SPARSEST = 20_000_000, 50  # a table of more cells than this, and mostly empty, has the wrong analyte column


def long_wells(
    table: Table, cells: Cells, analyte: str, limits: list[np.ndarray], keys: SampleKeys, named: set[str], faults: Faults
) -> tuple[Wells, list[np.ndarray], np.ndarray]:
    """Scatter the rows of a long table to analytes x wells.

    Parameters
    ----------
    table : Table
    cells : Cells
        The value column, read.
    analyte : str
        The analyte column.
    limits : list of ndarray
        Limits given by the row, each of shape (rows,).
    keys : SampleKeys
    named : set of str
        Columns that have a role.
    faults : Faults

    Returns
    -------
    wells : Wells
    limits : list of ndarray, shape (analytes, wells)
    analyte_code : ndarray of int, shape (rows,)
    """
    code, analytes = coded(table.frame[analyte])
    for blank in np.flatnonzero(analytes == ""):
        remedy = "Fill in the cell or delete the row."
        for position in np.flatnonzero(code == blank).tolist():
            faults.add("the analyte is blank", row=table.rows[position], column=analyte, remedy=remedy)
    if len(analytes) * keys.n_wells > max(_MOST_CELLS, _SPARSEST * len(code)):
        problem = f"the column has {len(analytes):,} different analytes, but most samples have only a few of them"
        faults.stop(problem, column=analyte, found=analytes[0], remedy="Name the right column with `analyte`.")
    flat = code * keys.n_wells + keys.well
    shape = (len(analytes), keys.n_wells)
    row = np.full(shape, -1, dtype=np.intp)
    row.reshape(-1)[flat[::-1]] = np.arange(len(flat))[::-1]
    repeated = np.flatnonzero(row.reshape(-1)[flat] != np.arange(len(flat))).tolist()
    remedy = keys.duplicate_remedy(table) if repeated else ""
    for position in repeated:
        faults.add(
            "duplicate sample: its subject, visit and analyte have a value already",
            row=f"{table.rows[position]} (first in row {table.rows[row.reshape(-1)[flat[position]]]})",
            **keys.where(position),
            analyte=analytes[code[position]],
            remedy=remedy,
        )
    number, lower, upper, *by_cell = (_scatter(array, flat, shape) for array in (cells.number, cells.lower, cells.upper, *limits))
    state = np.full(shape, State.MISSING, dtype=np.int8)
    state.reshape(-1)[flat] = cells.state
    samples, varies = sample_frame(table, keys, named, faults)
    wells = Wells(number, state, lower, upper, row, table.rows, keys.sample_of_well, samples, list(analytes), varies)
    return wells, by_cell, code


def _scatter(array: np.ndarray, flat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    out = np.full(shape, np.nan)
    out.reshape(-1)[flat] = array
    return out
