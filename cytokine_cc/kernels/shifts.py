"""Hodges-Lehmann estimates and their intervals from order statistics, for values that may be known by bounds."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ..arrays import Note

_BLOCK = 4_000_000  # differences sorted at a time: 32 MB


class Shift(NamedTuple):
    """Estimate, interval and `Note` flags over the leading axes."""

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    note: np.ndarray

    @classmethod
    def blank(cls, like: np.ndarray) -> Shift:
        """Nothing asked."""
        nan = np.full(like.shape, np.nan)
        return cls(nan, nan, nan, np.zeros(like.shape, dtype=np.int64))


def group_shift(
    bounds: tuple[np.ndarray, ...], n1: np.ndarray, n2: np.ndarray, index: tuple[np.ndarray, np.ndarray], alternative: str
) -> Shift:
    """Shift between two groups: median and order statistics of all differences.

    Parameters
    ----------
    bounds : tuple of ndarray
        (x_point, x_low, x_high, y_point, y_low, y_high) of shapes (..., n1) and (..., n2); NaN is missing.
    n1, n2 : ndarray of int, shape (...)
        Numbers of values.
    index : (ndarray, ndarray)
        From `rank_sum_index`.
    alternative : str

    Returns
    -------
    Shift
    """
    x, x_low, x_high, y, y_low, y_high = (part.reshape(n1.size, part.shape[-1]) for part in bounds)
    exact = x_low is x and y_low is y
    bounded = not exact and bool(_differ(x, x_low, x_high).any() or _differ(y, y_low, y_high).any())

    def differences(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        point = _sorted_differences(x[rows], y[rows])
        if not bounded:
            return point, point, point
        return point, _sorted_differences(x_low[rows], y_high[rows]), _sorted_differences(x_high[rows], y_low[rows])

    return _shift(differences, n1 * n2, index, x.shape[-1] * y.shape[-1], alternative)


def pair_shift(d: np.ndarray, n: np.ndarray, index: tuple[np.ndarray, np.ndarray], alternative: str) -> Shift:
    """Centre of symmetry of differences: median and order statistics of the Walsh averages.

    Parameters
    ----------
    d : ndarray, shape (..., n)
        NaN is missing.
    n : ndarray of int, shape (...)
    index : (ndarray, ndarray)
        From `signed_rank_index`.
    alternative : str

    Returns
    -------
    Shift
    """
    i, j = np.triu_indices(d.shape[-1])
    flat = d.reshape(n.size, d.shape[-1])

    def averages(rows: slice) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        walsh = np.sort((flat[rows][:, i] + flat[rows][:, j]) / 2, axis=-1)
        return walsh, walsh, walsh

    return _shift(averages, n * (n + 1) // 2, index, len(i), alternative)


def _differ(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return (low < point) | (high > point)


def _sorted_differences(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    difference = x[:, :, None] - y[:, None, :]
    return np.sort(difference.reshape(len(x), -1), axis=-1)


def _shift(
    ordered: Callable[[slice], tuple[np.ndarray, np.ndarray, np.ndarray]],
    total: np.ndarray,
    index: tuple[np.ndarray, np.ndarray],
    width: int,
    alternative: str,
) -> Shift:
    shape = total.shape
    total, q, reached = total.reshape(-1), index[0].reshape(-1), index[1].reshape(-1)
    out = np.full((3, len(total)), np.nan)
    middle = np.maximum(total - 1, 0) // 2, np.minimum(total // 2, max(width - 1, 0))
    step = max(1, _BLOCK // max(width, 1))
    identified = np.ones(len(total), dtype=bool)
    for start in range(0, len(total) if width else 0, step):
        rows = slice(start, start + step)
        point, below, above = ordered(rows)
        out[0, rows] = (_at(point, middle[0][rows]) + _at(point, middle[1][rows])) / 2
        out[1, rows] = _at(below, q[rows] - 1)
        out[2, rows] = _at(above, np.maximum(total[rows] - q[rows], 0))
        if below is not point:
            identified[rows] = (_at(below, middle[0][rows]) == _at(above, middle[0][rows])) & (
                _at(below, middle[1][rows]) == _at(above, middle[1][rows])
            )
    estimate, low, high = out
    if alternative == "less":
        low = np.full_like(low, -np.inf)
    if alternative == "greater":
        high = np.full_like(high, np.inf)
    note = np.where(reached, 0, int(Note.LEVEL_NOT_REACHED)) | np.where(identified, 0, int(Note.SHIFT_OPEN))
    return Shift(estimate.reshape(shape), low.reshape(shape), high.reshape(shape), note.reshape(shape))


def _at(ordered: np.ndarray, position: np.ndarray) -> np.ndarray:
    return np.take_along_axis(ordered, position[:, None], axis=-1)[:, 0]
