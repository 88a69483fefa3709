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
        for position in np.flatnonzero(code == blank):
            faults.add("the analyte is blank", row=table.rows[position], column=analyte, remedy="Fill in the cell or delete the row.")
    flat = code * keys.n_wells + keys.well
    shape = (len(analytes), keys.n_wells)
    row = np.full(shape, -1, dtype=np.intp)
    row.reshape(-1)[flat[::-1]] = np.arange(len(flat))[::-1]
    repeated = np.flatnonzero(row.reshape(-1)[flat] != np.arange(len(flat)))
    for position in repeated:
        faults.add(
            "duplicate sample: its subject, visit and analyte have a value already",
            row=f"{table.rows[position]} (first in row {table.rows[row.reshape(-1)[flat[position]]]})",
            **keys.where(position),
            analyte=analytes[code[position]],
            remedy=keys.duplicate_remedy(table),
        )
    numbers = [_scatter(array, flat, shape) for array in (cells.number, cells.lower, cells.upper, *limits)]
    state = np.full(shape, State.MISSING, dtype=np.int8)
    state.reshape(-1)[flat] = cells.state
    samples, ignored = sample_frame(table, keys, named, faults)
    wells = Wells(*numbers[:1], state, *numbers[1:3], row, table.rows, keys.sample_of_well, samples, list(analytes), ignored)
    return wells, numbers[3:], code


def _scatter(array: np.ndarray, flat: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    out = np.full(shape, np.nan)
    out.reshape(-1)[flat] = array
    return out
