"""Wells: what any layout is brought to first; and how technical replicates become one sample."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..errors import Faults, OptionError, did_you_mean, quoted
from ..labels import as_label
from ..panel import Panel, State


@dataclass(eq=False)
class Wells:
    """Cells by analyte and well, before replicates are averaged.

    Attributes
    ----------
    number, state, lower, upper : ndarray, shape (analytes, wells)
    row : ndarray of int, broadcastable to the same shape
        Position of the row that each cell came from; -1 where there is none.
    row_names : array
        What to call each row in a message.
    sample : ndarray of int, shape (wells,)
        Which sample each well belongs to.
    samples : DataFrame
        subject, visit, plate and the other sample columns.
    analytes : list of str
    varies : mapping
        Columns that vary within a sample -> the first places where they do.
    """

    number: np.ndarray
    state: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    row: np.ndarray
    row_names: Any
    sample: np.ndarray
    samples: pd.DataFrame
    analytes: list[str]
    varies: Mapping[str, tuple[dict[str, Any], ...]]

    def where(self, analyte: int, well: int) -> dict[str, Any]:
        """Name a cell, for a message."""
        sample = self.samples.iloc[self.sample[well]]
        row = np.broadcast_to(self.row, self.number.shape)[analyte, well]
        where = {"subject": sample["subject"], "visit": sample["visit"], "analyte": self.analytes[analyte]}
        return {"row": self.row_names[row], **where}


def apply_limits(wells: Wells, lower: np.ndarray, upper: np.ndarray, faults: Faults) -> int:
    """Fill in the limits that the file or the user states; a number outside becomes EXTRAPOLATED.

    Parameters
    ----------
    wells : Wells
        Holds the limits that the cells state themselves ("<3.2"); these stay.
    lower, upper : ndarray, broadcastable to (analytes, wells)

    Returns
    -------
    int
        In how many cells the two disagree.
    """
    shape = wells.number.shape
    disagree = 0
    for name, stated in (("lower", lower), ("upper", upper)):
        own = getattr(wells, name)
        if np.isnan(stated).all():
            if np.isnan(own).all():
                setattr(wells, name, np.broadcast_to(np.nan, shape))
            continue
        both = ~np.isnan(own) & ~np.isnan(stated)
        disagree += int((both & ~np.isclose(own, np.broadcast_to(stated, shape), rtol=1e-9, atol=0)).sum())
        setattr(wells, name, np.where(np.isnan(own), stated, own))
    crossed = np.argwhere(wells.lower > wells.upper)
    for a, w in crossed:
        found = f"{wells.lower[a, w]:g} > {wells.upper[a, w]:g}"
        faults.add("the lower limit lies above the upper limit", found=found, **wells.where(a, w))
    outside = (wells.state == State.MEASURED) & ((wells.number < wells.lower) | (wells.number > wells.upper))
    if outside.any():
        wells.state[outside] = State.EXTRAPOLATED
    return disagree


def limit_table(
    spec: Any, role: str, analytes: list[str], plates: np.ndarray | None, faults: Faults, *, positive: bool
) -> np.ndarray:
    """Turn a number, ``{analyte: number}`` or ``{analyte: {plate: number}}`` into (analytes, 1 or wells)."""
    if spec is None:
        return np.full((1, 1), np.nan)
    if not isinstance(spec, Mapping):
        return np.full((1, 1), _limit(spec, role, "", faults, positive))
    unknown = [name for name in spec if name not in analytes]
    if unknown:
        hints = "".join(did_you_mean(name, analytes) for name in unknown[:3])
        known = quoted(analytes)
        raise OptionError(f"`{role}` names {quoted(unknown)}, which the table does not hold; its analytes are {known}.{hints}")
    wide = any(isinstance(value, Mapping) for value in spec.values())
    if wide and plates is None:
        raise OptionError(f"`{role}` gives limits by plate; name the plate column with `plate`.")
    table = np.full((len(analytes), len(plates) if wide and plates is not None else 1), np.nan)
    for name, value in spec.items():
        i = analytes.index(name)
        if isinstance(value, Mapping) and plates is not None:
            for plate, number in value.items():
                on = plates == as_label(plate)
                if not on.any():
                    raise OptionError(f"`{role}` names plate {plate!r}; the plates are {quoted(dict.fromkeys(plates))}.")
                table[i, on] = _limit(number, role, name, faults, positive)
        else:
            table[i] = _limit(value, role, name, faults, positive)
    return table


def _limit(value: Any, role: str, analyte: str, faults: Faults, positive: bool) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.number) or not np.isfinite(value):
        raise OptionError(f"`{role}` must be a column name, a number or {{analyte: number}}; got {value!r}.")
    if positive and value <= 0:
        faults.add(f"`{role}` must be above 0", analyte=analyte, found=value, remedy="Leave it out where no limit is known.")
    return float(value)


def to_panel(wells: Wells, units: pd.DataFrame, faults: Faults, **facts: Any) -> Panel:
    """Average technical replicates where there are any, and build the panel."""
    n = len(wells.samples)
    cells: tuple[np.ndarray, ...] = wells.number, wells.state, wells.lower, wells.upper
    row = wells.row
    if len(wells.sample) == n and (wells.sample == np.arange(n)).all():
        faults.raise_if_any()
    else:
        cells = _average(wells, n, faults, log=facts.get("logged") is None)
        row = row[:, np.unique(wells.sample, return_index=True)[1]]  # the first well of each sample
        faults.raise_if_any()
    rows = wells.row_names, row
    return Panel.from_arrays(*cells, samples=wells.samples, analytes=units, varies=wells.varies, rows=rows, **facts)


def _average(wells: Wells, n: int, faults: Faults, *, log: bool) -> tuple[np.ndarray, ...]:
    """Technical replicates -> one value a sample, by the rules in the docstring of `read_panel`."""
    order = np.argsort(wells.sample, kind="stable")
    ordered = wells.sample[order]
    place = np.arange(len(ordered)) - np.searchsorted(ordered, ordered)
    shape = (len(wells.number), n, int(place.max()) + 1)
    number, lower, upper = (np.full(shape, np.nan) for _ in range(3))
    state = np.full(shape, State.MISSING, dtype=np.int8)
    for target, cells in ((number, wells.number), (state, wells.state), (lower, wells.lower), (upper, wells.upper)):
        target[:, ordered, place] = cells[:, order]
    below, above, missing = (state == kind for kind in (State.BELOW, State.ABOVE, State.MISSING))
    numeric = ~(below | above | missing)
    _replicate_faults(wells, below, above, order, ordered, faults, log=log)

    some_below, some_above, some_number = below.any(axis=-1), above.any(axis=-1), numeric.any(axis=-1)
    # A zero makes the geometric mean zero, whatever the others are.
    zero = (numeric & (number == 0)).any(axis=-1) & log
    low_known = some_below & ~(below & np.isnan(lower)).any(axis=-1) & ~zero
    high_known = some_above & ~(above & np.isnan(upper)).any(axis=-1) & ~zero
    out_number = _mean(np.where(numeric, number, np.nan), log)
    is_below = some_below & (low_known | ~some_number)
    is_above = some_above & (high_known | ~some_number)
    out_state = np.full(shape[:2], State.MISSING, dtype=np.int8)
    out_state[some_number] = State.MEASURED
    mixed = some_number & (some_below | some_above | (numeric & (state == State.EXTRAPOLATED)).any(axis=-1))
    out_state[mixed] = State.EXTRAPOLATED
    out_state[is_below], out_state[is_above] = State.BELOW, State.ABOVE

    present = ~missing
    whole = [
        np.where((present & np.isnan(limit)).any(axis=-1), np.nan, _mean(np.where(present, limit, np.nan), log))
        for limit in (lower, upper)
    ]
    bound_low = np.where(low_known, _mean(np.where(below, lower, np.where(numeric, number, np.nan)), log), np.nan)
    bound_high = np.where(high_known, _mean(np.where(above, upper, np.where(numeric, number, np.nan)), log), np.nan)
    out_lower, out_upper = np.where(is_below, bound_low, whole[0]), np.where(is_above, bound_high, whole[1])
    outside = (out_state == State.MEASURED) & ((out_number < out_lower) | (out_number > out_upper))
    out_state[outside] = State.EXTRAPOLATED
    return np.where(is_below | is_above, np.nan, out_number), out_state, out_lower, out_upper


def _mean(x: np.ndarray, log: bool) -> np.ndarray:
    """Mean over the last axis of what is there: geometric (0 where one is 0) unless the values are logs already."""
    there = ~np.isnan(x)
    n = there.sum(axis=-1)
    single = np.where(there, x, 0.0).sum(axis=-1)
    positive = there & (x > 0)
    logs = np.log(np.where(positive, x, 1.0)).sum(axis=-1) if log else single
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = np.exp(logs / n) if log else logs / n
    if log:
        mean = np.where((there & (x == 0)).any(axis=-1), 0.0, mean)
    # One number stays as it is, to the last bit.
    return np.where(n == 0, np.nan, np.where(n == 1, single, mean))


def _replicate_faults(
    wells: Wells, below: np.ndarray, above: np.ndarray, order: np.ndarray, ordered: np.ndarray, faults: Faults, *, log: bool
) -> None:
    if log:
        for a, w in np.argwhere((wells.number < 0) & np.isin(wells.state, (State.MEASURED, State.EXTRAPOLATED))):
            faults.add(
                "technical replicates are averaged geometrically, which a negative value does not allow",
                found=wells.number[a, w],
                **wells.where(a, w),
                remedy="Say what it means with `codes`, or pass `logged` if the file holds logs.",
            )
    for a, s in np.argwhere(below.any(axis=-1) & above.any(axis=-1)):
        faults.add(
            "one well of the sample is below the range and another above it",
            **wells.where(a, order[np.searchsorted(ordered, s)]),
            remedy="Mark the well that failed as missing.",
        )
