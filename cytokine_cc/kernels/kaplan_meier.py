"""Kaplan-Meier's estimate for values below limits of detection: turned round, highest value first; all rows at once."""

from __future__ import annotations

import numpy as np

from .ranks import _near, _sort, twelve_digits

TOLERANCE = np.sqrt(np.finfo(float).eps)  # of shares, as in R's survival


def ties(point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sort rows, values tied where they agree to 12 digits.

    Parameters
    ----------
    point : ndarray, shape (..., n)
        NaN is missing, and sorted last.

    Returns
    -------
    order : ndarray of int, shape (..., n)
    last : ndarray of bool, shape (..., n)
        In that order, the last of each run of tied values.
    """
    order, s = _sort(point)
    new = s[..., 1:] != s[..., :-1]
    near = new & _near(s)
    if near.any():  # only there can rounding make ties
        rows = near.any(axis=-1)
        order[rows], s[rows] = _sort(twelve_digits(point[rows]))
        new[rows] = s[rows, 1:] != s[rows, :-1]
    last = np.ones(point.shape, dtype=bool)
    last[..., :-1] = new
    return order, last


def by_run(flags: np.ndarray, last: np.ndarray) -> np.ndarray:
    """Count flags in each run of tied values; at its last place, 0 elsewhere."""
    total = np.cumsum(flags, axis=-1, dtype=np.float64)
    before = np.zeros_like(total)
    before[..., 1:] = np.maximum.accumulate(np.where(last, total, 0.0), axis=-1)[..., :-1]
    return np.where(last, total - before, 0.0)


def share_above(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Estimate the share above each place of sorted values, those at it left out.

    Parameters
    ----------
    n : ndarray, shape (..., n)
        How many are known to lie at the place or lower.
    d : ndarray, shape (..., n)
        How many are measured there.

    Returns
    -------
    ndarray, shape (..., n)
        1 less the share, as survival curves have it: 1 at the highest.
    """
    share = np.ones_like(n)
    share[..., :-1] = np.cumprod(_kept(n, d)[..., :0:-1], axis=-1)[..., ::-1]
    return share


def _kept(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(d > 0, (n - d) / n, 1.0)


def quantiles(low: np.ndarray, high: np.ndarray, shares: tuple[float, ...]) -> list[np.ndarray]:
    """Quantiles of values some of which are only known to lie below, or above, a limit, by Kaplan-Meier.

    Parameters
    ----------
    low, high : ndarray, shape (..., n)
        What each value is known to lie between; equal where it is a number; -inf and the limit below one, the limit and inf above
        one. NaN is missing.
    shares : tuple of float
        Between 0 and 1, both left out.

    Returns
    -------
    list of ndarray, shape (...)
        One a share; NaN where the estimate does not reach it, among values beyond a limit, and where nothing is known of a value
        (-inf to inf).

    Notes
    -----
    Equals ``-quantile(survfit(Surv(-value, measured) ~ 1), 1 - share)`` in R's survival, and where values lie above limits only,
    ``quantile(survfit(Surv(value, measured) ~ 1), share)``. Where a row has both, those above are tied highest with every number
    above the lowest upper limit, and a quantile among these is NaN.

    Where the estimate is flat at the share, it is the middle between the value at which it gets there and the next at which it
    goes on, or, if there is none, the last limit: with half of the values below one limit, every number between the limit and the
    lowest value is a median.

    References
    ----------
    Kaplan EL, Meier P. J Am Stat Assoc 1958;53:457-481. doi:10.1080/01621459.1958.10501452.

    Examples
    --------
    Two are below 2, two below 4, so that nothing is known of the lowest quarter:

    >>> high = np.array([2.0, 2, 4, 4, 3, 5, 6, 7, 9])
    >>> low = np.where(np.arange(9) < 4, -np.inf, high)
    >>> [float(q) for q in quantiles(low, high, (0.25, 0.5, 0.75))]
    [nan, 3.0, 6.0]
    """
    below, above = np.isneginf(low), np.isposinf(high)
    some_below = below.any(axis=-1, keepdims=True)
    turned = np.asarray(above.any(axis=-1, keepdims=True) & ~some_below)
    point = np.where(below, high, low)
    lowest = np.where(above & some_below, low, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
    with np.errstate(invalid="ignore"):
        point = np.where(some_below & ~below & (above | (point > lowest)), np.inf, point)
    reached, value = _reached(np.where(turned, -point, point), ~(below | (above & turned)))
    turned = turned[..., 0]
    unknown = np.asarray((below & above).any(axis=-1))
    found = []
    for share in shares:
        x = _where_reached(value, reached, np.where(turned, share, 1 - share))
        found.append(np.where(unknown | np.isinf(x), np.nan, np.where(turned, -x, x)))
    return found


def _reached(point: np.ndarray, measured: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the share at each place of sorted values or above it, and these values."""
    order, last = ties(point)
    value, measured, there = (np.take_along_axis(a, order, axis=-1) for a in (point, measured, ~np.isnan(point)))
    n, d = np.cumsum(there, axis=-1, dtype=np.float64), by_run(measured & there, last)
    return 1 - np.cumprod(_kept(n, d)[..., ::-1], axis=-1)[..., ::-1], value


def _where_reached(value: np.ndarray, reached: np.ndarray, share: np.ndarray) -> np.ndarray:
    """Return the highest value that a share lies at or above, by R's rules."""
    if not value.shape[-1]:
        return np.full(value.shape[:-1], np.nan)
    share = share[..., None]
    first, after = (_at(value, (reached >= share + off).sum(axis=-1) - 1) for off in (-TOLERANCE, TOLERANCE))
    after = np.where(np.abs(reached[..., :1] - share)[..., 0] < TOLERANCE, value[..., 0], after)
    return (first + after) / 2


def _at(value: np.ndarray, index: np.ndarray) -> np.ndarray:
    found = np.take_along_axis(value, np.maximum(index, 0)[..., None], axis=-1)[..., 0]
    return np.where(index < 0, np.nan, found)
