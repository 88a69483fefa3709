"""Ends of profile-likelihood intervals, for all rows at once."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Profile = Callable[[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]

MOST_STEPS, BISECT_AFTER, MOST_DOUBLINGS = 120, 20, 30
NEAR, CLOSED = 1e-7, 4e-16  # Newton is quadratic: a step of 1e-7 standard errors leaves an error of about 1e-14
FLAT = 1e-3  # so near the top the root is rounding error


def profile_interval(
    profile: Profile,
    estimate: np.ndarray,
    std_error: np.ndarray,
    top: np.ndarray,
    drop: np.ndarray | float,
    *,
    start: np.ndarray | None = None,
    open_low: np.ndarray | bool = False,
    open_high: np.ndarray | bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Where does the profile log-likelihood fall to `drop` below its top, on either side of the estimate?

    Parameters
    ----------
    profile : callable
        ``profile(b, rows) -> (loglik, slope)``: log-likelihood of the rows with these positions, maximised over all other
        parameters with the parameter of interest held at `b`, and its derivative in `b`. Positions do not repeat within a
        call, and only rows that are not done are asked for. It may keep the other parameters as the start of its next call.
    estimate : ndarray, shape (rows,)
        -inf or inf where the likelihood rises without end: that end is open, the other is sought from `start`. NaN: no interval.
    std_error : ndarray, shape (rows,)
        A guess of the scale; it decides the first steps and what counts as near.
    top : ndarray, shape (rows,)
        Log-likelihood at the estimate, or its supremum.
    drop : float or ndarray, shape (rows,)
        Half the threshold of the likelihood ratio.
    start : ndarray, shape (rows,), optional
        A finite number to begin from where the estimate is infinite.
    open_low, open_high : bool or ndarray of bool, shape (rows,)
        Ends not sought: -inf, inf.

    Returns
    -------
    low, high : ndarray, shape (rows,)
        To about 1e-11 of a standard error. Infinite where the log-likelihood never falls that far, NaN where it has no value.

    Notes
    -----
    Newton's method on the signed root sqrt(2 (top - loglik)), which is nearly linear in `b`, held within a bracket: steps
    double until the end is passed, and a step that leaves the bracket is replaced by its middle. Each row goes its own way.

    Examples
    --------
    >>> normal = lambda b, rows: (-(b**2) / 2, -b)
    >>> low, high = profile_interval(normal, np.zeros(1), np.ones(1), np.zeros(1), 3.84145882069412 / 2)
    >>> round(float(low[0]), 6), round(float(high[0]), 6)
    (-1.959964, 1.959964)
    """
    estimate, std_error, top, drop, start = np.broadcast_arrays(
        estimate, std_error, top, drop, estimate if start is None else start
    )
    ends = []
    for side, left_open in ((-1.0, open_low), (1.0, open_high)):
        end = np.where(np.isnan(estimate) | np.isnan(top), np.nan, side * np.inf)
        sought = ~np.isnan(end) & ~np.broadcast_to(left_open, end.shape) & (estimate != side * np.inf)
        rows = np.flatnonzero(sought)
        if rows.size:
            finite = np.isfinite(estimate[rows])
            first = np.where(finite, estimate[rows] + side * np.sqrt(2 * drop[rows]) * std_error[rows], start[rows])
            end[rows] = _end(profile, side, rows, (estimate[rows], first, std_error[rows]), top[rows], drop[rows])
        ends.append(end)
    return ends[0], ends[1]


def _end(profile, side, rows, places, top, drop):
    """Find the end on one side. Positions are turned so that the root grows with them: t = side * b."""
    low, t, scale = side * places[0], side * places[1], places[2]
    target = np.sqrt(2 * drop)
    high, reach, end = np.full_like(t, np.inf), scale.copy(), np.full_like(t, np.nan)
    going = np.flatnonzero(np.isfinite(t) & (scale > 0) & np.isfinite(scale))
    for step in range(MOST_STEPS):
        if not going.size:
            break
        at, unit, far = t[going], scale[going], reach[going]
        loglik, slope = profile(side * at, rows[going])
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            root = np.sqrt(2 * np.maximum(top[going] - loglik, 0.0))
            miss = root - target[going]
            move = np.where(root > FLAT * target[going], miss * root / (side * slope), far)
        inside = miss < 0  # not so where there is no likelihood: too far
        low[going] = np.where(inside, at, low[going])
        high[going] = np.where(inside, high[going], at)
        near = np.abs(move) <= NEAR * unit
        shut = high[going] - low[going] <= CLOSED * np.maximum(np.abs(at), unit)
        endless = np.isinf(high[going]) & (reach[going] > 2.0**MOST_DOUBLINGS * unit)
        done = near | shut | endless
        end[going] = np.where(endless, np.inf, np.where(near, at + move, at))
        t[going] = _next(at, move, low[going], high[going], reach, going, bisect=step >= BISECT_AFTER)
        going = going[~done]
    unfinished = np.zeros(len(t), dtype=bool)
    unfinished[going] = True
    return np.where(unfinished, np.nan, side * end)


def _next(at, move, low, high, reach, going, *, bisect):
    """Return Newton's step, no longer than the reach; else the middle of the bracket; where it has no end yet, a longer reach."""
    far = reach[going]
    with np.errstate(invalid="ignore", over="ignore"):
        to = at + np.clip(move, -far, far)
        middle = low + (high - low) / 2
    held = np.isfinite(low) & np.isfinite(high)
    outside = ~((to > low) & (to < high))
    beyond = np.where(np.isinf(high), at + far, at - far)
    to = np.where(held & (outside | bisect), middle, np.where(outside, beyond, to))
    reach[going] = np.where(held | (np.abs(move) < far), far, 2 * far)
    return to
