"""Regression on order statistics: values below limits filled in along the line of the others; all rows at once."""

from __future__ import annotations

import numpy as np
from scipy.special import ndtri

from .common import by_rows, moments
from .ranks import twelve_digits


def complete(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Fill in values below limits by robust regression on order statistics.

    Values, on the scale on which they are normal (logs), are laid against normal quantiles of their plotting positions; a line
    through the measured ones gives the others at theirs. What is measured stays. To describe a sample, not to test it.

    Parameters
    ----------
    low, high : ndarray, shape (..., n)
        What each value is known to lie between; equal where it is a number; -inf and the limit below one. NaN is missing.

    Returns
    -------
    ndarray, shape (..., n)
        NaN in rows of which fewer than two different values are measured, one is above a limit, or nothing is known of one.

    Notes
    -----
    Plotting positions are Hirsch and Stedinger's for any number of limits: the share above each limit is estimated from the
    values that no higher limit hides; measured values between two limits are spread evenly over what lies between their shares,
    those below a limit evenly under its own. R's NADA, ``ros(obs, censored)``, does the same but for two things: it counts a
    number that equals a limit among those below it, too, and it leaves out values below limits that are above all numbers; here
    they stay.

    References
    ----------
    Hirsch RM, Stedinger JR. Water Resour Res 1987;23:715-727. doi:10.1029/WR023i004p00715.
    Helsel DR, Cohn TA. Water Resour Res 1988;24:1997-2004. doi:10.1029/WR024i012p01997.

    Examples
    --------
    >>> high = np.array([1.0, 1, 2, 3, 4])
    >>> low = np.where(np.arange(5) < 2, -np.inf, high)
    >>> [round(float(z), 2) for z in complete(low, high)]
    [-0.65, 0.41, 2.0, 3.0, 4.0]
    """
    below, above = np.isneginf(low), np.isposinf(high)
    point = by_rows(np.where(below, high, low))
    measured = ~below & ~np.isnan(point)
    lowest = np.where(measured, point, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
    refused = ~(measured & (point > lowest)).any(axis=-1) | above.any(axis=-1)
    point = np.where(refused[..., None], np.nan, point)
    z = ndtri(plotting_positions(point, below))
    x = np.where(measured, z, np.nan)
    mx, my = moments(x), moments(np.where(measured, point, np.nan))
    with np.errstate(invalid="ignore", divide="ignore"):
        cross = np.where(measured, (x - mx.mean[..., None]) * (point - my.mean[..., None]), 0.0).sum(axis=-1)
        slope = cross / mx.ss
        line = my.mean[..., None] + slope[..., None] * (z - mx.mean[..., None])
    return np.where(below, line, point)


def plotting_positions(point: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Return Hirsch and Stedinger's plotting positions.

    Parameters
    ----------
    point : ndarray, shape (..., n)
        Values; limits where `below`. NaN is missing.
    below : ndarray of bool, shape (..., n)

    Returns
    -------
    ndarray, shape (..., n)

    Examples
    --------
    Half of four lie at or above 2, the others below it:

    >>> p = plotting_positions(np.array([2.0, 2, 3, 4]), np.array([True, True, False, False]))
    >>> [round(float(share), 4) for share in p]
    [0.1667, 0.3333, 0.6667, 0.8333]
    """
    key = twelve_digits(point)
    order = np.lexsort((~below, key), axis=-1)  # a limit before the numbers that equal it: they lie above it
    value, hidden, there = (np.take_along_axis(a, order, axis=-1) for a in (key, below, ~np.isnan(point)))
    # From each limit to the next: how many lie below it, of whom one says so, how many are measured from there on.
    start = np.zeros(point.shape, dtype=bool)
    start[..., :1] = True
    start[..., 1:] = hidden[..., 1:] & ~(hidden[..., :-1] & (value[..., 1:] == value[..., :-1]))
    n_hidden, rank_hidden, _ = _within(hidden & there, start)
    n_measured, rank, lower = _within(~hidden & there, start)
    n_below = lower + _within(hidden & there, start)[2] + n_hidden
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.where(n_measured > 0, n_below / (n_measured + n_below), 1.0)
    # Shares below a limit, from the highest down: a product with one factor a limit, put at its first value.
    product = np.cumprod(np.where(start, kept, 1.0)[..., ::-1], axis=-1)[..., ::-1]
    share = np.take_along_axis(product, _first(start), axis=-1)
    higher = np.ones_like(product)
    higher[..., :-1] = product[..., 1:]
    higher = np.take_along_axis(higher, _first(start), axis=-1)
    with np.errstate(invalid="ignore"):
        own = np.where(hidden, share * rank_hidden / (n_hidden + 1), share + (higher - share) * rank / (n_measured + 1))
    out = np.empty(point.shape)
    np.put_along_axis(out, order, np.where(there, own, np.nan), axis=-1)
    return out


def _first(start: np.ndarray) -> np.ndarray:
    """Return, at each place, where its stretch starts."""
    return np.maximum.accumulate(np.where(start, np.arange(start.shape[-1]), 0), axis=-1)


def _within(flags: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Count flags in each stretch, up to each place of it, and before it."""
    total = np.cumsum(flags, axis=-1, dtype=np.float64)
    before = np.take_along_axis(total - flags, _first(start), axis=-1)
    last = np.ones(start.shape, dtype=bool)
    last[..., :-1] = start[..., 1:]
    at_end = np.where(last, total, np.inf)
    end = np.minimum.accumulate(at_end[..., ::-1], axis=-1)[..., ::-1]
    return end - before, total - before, before
