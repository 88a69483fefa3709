"""By what factor plates lie apart, as wholes and in single analytes; and levels without it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..labels import coded
from .facts import Facts, median, spread, strata

OFF, SURELY = np.log(4.0), np.log(50.0)  # factors to look at, and those that no plate, person or dilution makes
FEWEST = 5  # analytes of which a shift can be common
LEAST_ON_PLATE, LEAST_TOGETHER = 5, 4  # subjects on a plate, samples of a group and visit there, to judge single analytes
Z_CELL = 6.0  # standard errors of one analyte on one plate
_OF_MEDIANS = 1.2533**2  # standard error of a median of medians over that of a mean, of normal values


class Single(NamedTuple):
    """An analyte that is off on one plate: positions, log factor, and whether nothing but a unit makes that."""

    analyte: int
    plate: int
    shift: float
    surely: bool


class PlateShifts(NamedTuple):
    """How far plates lie apart.

    Attributes
    ----------
    code : ndarray of int, shape (samples,)
        Plate of each sample; -1 where it is not known.
    names : ndarray of object, shape (plates,)
    apart : ndarray, shape (plates, plates)
        Log factor of the row's plate over the column's, in the median of the analytes; NaN with fewer than `FEWEST` of these.
    n_analytes : int
    usual : ndarray of bool, shape (plates,)
        The largest lot of plates without a gap of `OFF` between them; of equal lots the one with more samples, or the first.
    overall : ndarray, shape (plates,)
        Log factor by which a plate is off these; 0 where it is one of them.
    judged : bool
        Whether single analytes could be: groups and visits lie on several plates.
    single : list of Single
    """

    code: np.ndarray
    names: np.ndarray
    apart: np.ndarray
    n_analytes: int
    usual: np.ndarray
    overall: np.ndarray
    judged: bool
    single: list[Single]


def plate_shifts(facts: Facts, levels: np.ndarray) -> PlateShifts:
    """Compare plates, within group and visit wherever two plates share one.

    Parameters
    ----------
    facts : Facts
    levels : ndarray, shape (analytes, samples)
        Logs.

    Returns
    -------
    PlateShifts
    """
    code, names = coded(facts.plate)
    kept = np.flatnonzero(names != "")
    place = np.full(len(names) + 1, -1)
    place[kept] = np.arange(len(kept))
    code, names = place[code], names[kept]
    none = np.zeros(len(names))
    usable = facts.bare.mean(axis=-1) <= 0.5
    if len(names) < 2:
        return PlateShifts(code, names, np.full((len(names),) * 2, np.nan), 0, none == 0, none, False, [])
    part = strata(facts)
    cells, size = _cells(levels, part, code, len(names))
    if usable.sum() >= FEWEST:
        whole = np.stack([median(levels[usable][:, code == k]) for k in range(len(names))])
        apart = _apart(cells[..., usable], whole)
        usual, overall = _against_usual(apart, np.bincount(code[code >= 0], minlength=len(names)))
    else:
        apart, usual, overall = np.full((len(names),) * 2, np.nan), none == 0, none
    left = cells - overall[:, None]
    judged, single = _single(facts, levels - _of_samples(overall, code), left, size, (part, code))
    single = [own for own in single if facts.bare[own.analyte][code == own.plate].mean() <= 0.5]
    return PlateShifts(code, names, apart, int(usable.sum()) * bool(np.isfinite(apart).any()), usual, overall, judged, single)


def without_plates(facts: Facts) -> np.ndarray:
    """Return logs, (analytes, samples), less what plates are off as wholes or in single analytes: the fault of another check.

    NaN for what has no number there: whether its limit is off as well is not known.
    """
    levels = facts.logs()
    found = plate_shifts(facts, levels)
    n = np.bincount(found.code[found.code >= 0], minlength=len(found.names))
    off = np.tile(np.where(n >= LEAST_ON_PLATE, found.overall, 0.0), (len(levels), 1))
    for own in found.single:
        off[own.analyte, own.plate] += own.shift
    if not off.any():
        return levels
    shift = _of_samples(off, found.code)
    return np.where(facts.bare & (shift != 0), np.nan, levels - shift)


def _of_samples(of_plates: np.ndarray, code: np.ndarray) -> np.ndarray:
    return np.append(of_plates, np.zeros((*of_plates.shape[:-1], 1)), axis=-1)[..., code]


def _cells(levels: np.ndarray, part: np.ndarray, code: np.ndarray, n_plates: int) -> tuple[np.ndarray, np.ndarray]:
    """Return medians (strata, plates, analytes), NaN of fewer than `LEAST_TOGETHER` samples, and the number of samples."""
    n_parts = int(part.max(initial=-1)) + 1
    cells, size = np.full((n_parts, n_plates, len(levels)), np.nan), np.zeros((n_parts, n_plates), dtype=np.int64)
    for s, k in np.ndindex(n_parts, n_plates):
        own = (part == s) & (code == k)
        size[s, k] = own.sum()
        if size[s, k] >= LEAST_TOGETHER:
            cells[s, k] = median(levels[:, own])
    return cells, size


def _apart(cells: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return the median differences of plates: of cells of one group and visit, or of the whole plates where they share none."""
    n = len(whole)
    out = np.zeros((n, n))
    for i, j in zip(*np.triu_indices(n, 1), strict=True):
        both = (cells[:, i] - cells[:, j]).ravel()
        own = both if not np.isnan(both).all() else whole[i] - whole[j]
        out[i, j] = np.median(own[~np.isnan(own)]) if not np.isnan(own).all() else np.nan
        out[j, i] = -out[i, j]
    return out


def _against_usual(apart: np.ndarray, n: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the plates that are as most, and by what the others are off."""
    at = median(apart)
    order = np.argsort(at, kind="stable")  # NaN last
    lots = np.split(order, np.flatnonzero(~(np.diff(at[order]) < OFF)) + 1)
    lot = max(lots, key=lambda own: (len(own), n[own].sum(), -own.min()))
    usual = np.zeros(len(at), dtype=bool)
    usual[lot] = True
    return usual, np.where(usual, 0.0, np.nan_to_num(median(apart[:, usual])))


def _single(
    facts: Facts, levels: np.ndarray, cells: np.ndarray, size: np.ndarray, codes: tuple[np.ndarray, np.ndarray]
) -> tuple[bool, list[Single]]:
    """Find analytes that are off on one plate, given group and visit and what the plate is off as a whole."""
    part, code = codes
    several = (size >= LEAST_TOGETHER).sum(axis=1) > 1
    if not several.any():
        return False, []
    cells = np.where(several[:, None, None], cells, np.nan)
    centre = median(np.moveaxis(cells, 1, -1))  # (strata, analytes)
    at = median(np.moveaxis(cells - centre[:, None, :], 0, -1)).T  # (analytes, plates)
    left = levels - np.where(code >= 0, cells[part, code].T, np.nan)
    told = (size >= LEAST_TOGETHER) & several[:, None]
    n = np.array([len(np.unique(facts.subject[(code == k) & told[part, k]])) for k in range(len(size[0]))])
    at = np.where(n >= LEAST_ON_PLATE, at, np.nan)
    two = (~np.isnan(at)).sum(axis=-1) == 2
    first = np.take_along_axis(at, np.argmin(np.isnan(at), axis=-1)[:, None], axis=-1)
    shift = at - np.where(two[:, None], first, median(at)[:, None])
    error = _OF_MEDIANS * spread(left)[:, None] * np.sqrt(1 / np.maximum(n, 1) + 1 / np.maximum(n.sum() - n, 1))
    with np.errstate(invalid="ignore"):
        off = (np.abs(shift) >= OFF) & (np.abs(shift) > Z_CELL * error)
    return True, [
        Single(int(a), int(k), float(shift[a, k]), bool(abs(shift[a, k]) >= SURELY)) for a, k in np.argwhere(off).tolist()
    ]
