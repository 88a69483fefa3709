"""A prior of row variances that a few outlying rows cannot pull: Winsorized moments, and a weaker prior for outliers."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from scipy.special import gammaincc

from .f_distribution import f_quantile, log_density, log_tail, tail_root
from .lowess import lowess
from .ranks import twelve_digits

TAILS = (0.05, 0.1)  # shares of the lowest and the highest variances that are drawn in
_LEAST = 1e-12  # of the median variance: lower ones enter as this
_NODES = 128
_TOLERANCE = 1e-8  # of df / (1 + df), as limma has it: a finer root would differ from limma's in the eighth digit
_SPAN = 0.4  # of lowess


def robust_prior(
    s2: np.ndarray, df: np.ndarray, mean: np.ndarray | None, plain_df: np.ndarray, plain_s2: np.ndarray
) -> tuple[np.ndarray, np.ndarray, float]:
    """Estimate a prior from variances of which some are outlying.

    Parameters
    ----------
    s2, df : ndarray, shape (n,)
        Variances of the rows that feed, and their degrees of freedom.
    mean : ndarray, shape (n,), or None
        Mean levels, for a prior variance that follows them (by `lowess`).
    plain_df, plain_s2 : ndarray, shape (n,)
        The prior that is not robust.

    Returns
    -------
    df, s2 : ndarray, shape (n,)
        Degrees of freedom and variance of each row's prior.
    common : float
        Degrees of freedom of a prior for rows that are no outliers.

    Notes
    -----
    The plain prior is returned where fewer than ten rows leave no tail to draw in, and where it is infinite though the
    variances vary more once their tails are drawn in.

    Log variances less their trend are Winsorized; the degrees of freedom are those at which an F variable, Winsorized
    likewise, has the same variance. A row counts as an outlier as far as its tail probability falls short of its rank's; its
    degrees of freedom lie that far between the common ones and those at which the largest variance would be a median.

    References
    ----------
    Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK. Ann Appl Stat 2016;10:946-963. doi:10.1214/16-AOAS920.
    """
    n = len(s2)
    if max(TAILS) < 1 / n:
        return plain_df, plain_s2, plain_df[0]
    s2 = np.maximum(s2, _LEAST * np.median(s2))
    d = float(df.max())
    logs = np.log(_at_equal_df(s2, df, plain_df[0], plain_s2))
    trend = np.full(n, _trimmed_mean(logs)) if mean is None else lowess(mean, logs, span=_SPAN)
    centre, spread = _drawn_in(logs - trend)
    at_infinity = _winsorized_log_f(d, np.inf)
    if spread <= at_infinity[1]:
        prior_s2 = np.exp(trend + centre - at_infinity[0])
        return _without_spread(np.exp(logs) / prior_s2, d), prior_s2, np.inf
    if np.isinf(plain_df[0]):
        return plain_df, plain_s2, np.inf
    common = _solve_df(spread, d, float(plain_df[0]), at_infinity[1])
    prior_s2 = np.exp(trend + centre - _winsorized_log_f(d, common)[0])
    return _of_outliers(np.exp(logs) / prior_s2, d, common), prior_s2, common


def _at_equal_df(s2: np.ndarray, df: np.ndarray, prior_df: float, prior_s2: np.ndarray) -> np.ndarray:
    """Return the variances that rows would have, at the same tail probability, with the most degrees of freedom of all."""
    most, f = df.max(), s2 / prior_s2
    fewer = df < most - 1e-14
    upper = log_tail(f, df, prior_df, upper=True) < log_tail(f, df, prior_df, upper=False)
    for side in (True, False):
        at = np.flatnonzero(fewer & (upper == side))
        if at.size:
            f[at] = tail_root(log_tail(f[at], df[at], prior_df, upper=side), most, prior_df, upper=side, start=f[at])
    return np.where(fewer, f * prior_s2, s2)


def _trimmed_mean(x: np.ndarray) -> float:
    cut = int(len(x) * TAILS[1])
    return float(np.sort(x)[cut : len(x) - cut].mean())


def _drawn_in(x: np.ndarray) -> tuple[float, float]:
    """Return mean and variance after the tails are drawn in to their quantiles."""
    low, high = np.quantile(x, (TAILS[0], 1 - TAILS[1]))
    x = np.clip(x, low, high)
    return float(x.mean()), float(((x - x.mean()) ** 2).sum() / (len(x) - 1))


@cache
def _nodes() -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return (nodes + 1) / 2, weights / 2


def _winsorized_log_f(df1: float, df2: float) -> tuple[float, float]:
    """Return mean and variance of the log of an F variable whose tails are drawn in to their quantiles.

    By Gauss-Legendre quadrature over f / (1 + f).
    """
    ends = np.array([f_quantile(TAILS[0], df1, df2), f_quantile(1 - TAILS[1], df1, df2)])
    low, high = ends / (1 + ends)
    nodes, weights = _nodes()
    at = low + (high - low) * nodes
    f = at / (1 - at)
    mass = (high - low) * weights * np.exp(log_density(f, df1, df2)) / (at * (1 - at))
    tails, z = np.array(TAILS), np.log(f)
    mean = (mass * z).sum() + (tails * np.log(ends)).sum()
    return float(mean), float((mass * (z - mean) ** 2).sum() + (tails * (np.log(ends) - mean) ** 2).sum())


def _solve_df(spread: float, df1: float, low: float, at_infinity: float) -> float:
    """Return the degrees of freedom at which the log of an F variable, tails drawn in, varies by `spread`; at least `low`."""

    def excess(u: float) -> float:
        return float(np.log(spread / _winsorized_log_f(df1, u / (1 - u))[1]))

    start = low / (1 + low)
    first = excess(start)
    if first >= 0:
        return low
    root = zero(excess, start, 1.0, first, float(np.log(spread / at_infinity)), _TOLERANCE)
    return root / (1 - root)


def zero(function: Callable[[float], float], a: float, b: float, fa: float, fb: float, tolerance: float) -> float:
    """Return the root between `a` and `b` by Brent's method, in the steps of R's ``uniroot``, so that it stops where R stops.

    References
    ----------
    Forsythe GE, Malcolm MA, Moler CB. Computer Methods for Mathematical Computations. Prentice-Hall 1977, chapter 7.

    Examples
    --------
    >>> round(zero(lambda u: u * u - 2, 0.0, 2.0, -2.0, 2.0, 1e-12), 10)
    1.4142135624
    """
    c, fc = a, fa
    while True:
        before = b - a
        if abs(fc) < abs(fb):
            a, b, c = b, c, b
            fa, fb, fc = fb, fc, fb
        least = 2 * np.finfo(float).eps * abs(b) + tolerance / 2
        step = (c - b) / 2
        if abs(step) <= least or fb == 0:
            return b
        if abs(before) >= least and abs(fa) > abs(fb):
            step = _interpolated(a, b, c, fa, fb, fc, before, least)
        if abs(step) < least:
            step = least if step > 0 else -least
        a, fa = b, fb
        b += step
        fb = function(b)
        if (fb > 0) == (fc > 0):
            c, fc = a, fa


def _interpolated(a: float, b: float, c: float, fa: float, fb: float, fc: float, before: float, least: float) -> float:
    """Return the step to the root of a line or an inverse parabola, or half the bracket where that is not safe."""
    width = c - b
    if a == c:
        p, q = width * fb / fa, 1 - fb / fa
    else:
        r, s, t = fa / fc, fb / fc, fb / fa
        p, q = t * (width * r * (r - s) - (b - a) * (s - 1)), (r - 1) * (s - 1) * (t - 1)
    p, q = (p, -q) if p > 0 else (-p, q)
    safe = p < 0.75 * width * q - abs(least * q) / 2 and p < abs(before * q / 2)
    return p / q if safe else width / 2


def _without_spread(f: np.ndarray, df: float) -> np.ndarray:
    """Return prior degrees of freedom where the rows' true variances are equal, outliers apart."""
    n = len(f)
    tail = gammaincc(df / 2, f * df / 2)
    share = tail / _empirical_tail(f)
    order = np.argsort(tail, kind="stable")
    own = np.where(share < 1, share * n * df, np.inf)
    own[order] = np.maximum.accumulate(own[order])
    return own


def _of_outliers(f: np.ndarray, df: float, common: float) -> np.ndarray:
    """Return prior degrees of freedom: the common ones, but for outliers fewer."""
    log_p = log_tail(f, df, common, upper=True)
    log_share = np.minimum(log_p - np.log(_empirical_tail(f)), 0.0)
    if not (log_share < 0).any():
        return np.full(len(f), common)
    # Degrees of freedom at which the largest variance has a tail probability of one half, by two secants through the origin.
    least = np.log(0.5) / log_p.min() * common
    least *= np.log(0.5) / float(log_tail(f.max(), df, least, upper=True))
    own = np.exp(log_share) * common - np.expm1(log_share) * least
    order = np.argsort(log_p, kind="stable")
    ordered = own[order]
    running = np.cumsum(ordered) / np.arange(1, len(f) + 1)
    lowest = int(np.argmin(running))
    ordered[: lowest + 1] = running[lowest]
    own[order] = np.maximum.accumulate(ordered)
    return own


def _empirical_tail(f: np.ndarray) -> np.ndarray:
    """Return the share of rows above each, half of itself included; tied rows share their mean rank.

    Ties are found after rounding: where `lowess` goes through points, their residuals differ in the last bit.
    """
    f = twelve_digits(f)
    ordered = np.sort(f)
    rank = (np.searchsorted(ordered, f, "left") + np.searchsorted(ordered, f, "right") + 1) / 2
    return (len(f) - rank + 0.5) / len(f)
