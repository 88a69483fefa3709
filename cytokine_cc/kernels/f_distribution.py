"""Tails of the F distribution on the log scale, where they are far below the smallest number, and back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.special import betainc, betaincc, betaln, fdtri, gammainc, gammaincc, gammaincinv, gammaln

_TINY = 1e-290  # below this a tail is summed on the log scale
_CHI_SQUARE_FROM = 4e5  # degrees of freedom of the denominator from which R's qf takes the chi-square's quantile


def log_tail(f: Any, df1: Any, df2: float, *, upper: bool) -> np.ndarray:
    """Return the log of the probability above (or below) `f` of an F distribution.

    Parameters
    ----------
    f : array_like
        Positive.
    df1, df2 : array_like, float
        Degrees of freedom; `df2` may be infinite: a chi-square over its degrees of freedom.
    upper : bool

    Returns
    -------
    ndarray

    Notes
    -----
    Equals ``pf(f, df1, df2, lower.tail = !upper, log.p = TRUE)`` in R.

    Examples
    --------
    >>> round(float(log_tail(1e6, 4.0, 200.0, upper=True)), 4)
    -985.7387
    """
    f, df1 = np.broadcast_arrays(np.asarray(f, dtype=np.float64), np.asarray(df1, dtype=np.float64))
    scaled = df1 * f
    if np.isinf(df2):
        arguments: tuple[np.ndarray, ...] = (df1 / 2, scaled / 2)
        p = (gammaincc if upper else gammainc)(*arguments)
        far: Callable[..., np.ndarray] = _far_gamma_upper if upper else _far_gamma_lower
    else:
        a, b, low, high = df1 / 2, np.full_like(f, df2 / 2), scaled / (scaled + df2), df2 / (scaled + df2)
        arguments = (b, a, high, low) if upper else (a, b, low, high)
        # Of the two forms of a tail the one whose argument is small, so that no digits are lost.
        p = np.where(arguments[2] < 0.5, betainc(*arguments[:3]), betaincc(arguments[1], arguments[0], arguments[3]))
        far = _far_beta
    out = np.log(np.maximum(p, _TINY))
    tiny = p < _TINY
    if tiny.any():
        out = np.array(out)
        out[tiny] = far(*(part[tiny] for part in arguments))
    return out


def _far_beta(p: np.ndarray, q: np.ndarray, y: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Return log I_y(p, q) far below its median, by its series in `y`; `rest` is 1 - y."""
    k = np.arange(2000.0)
    ratios = y[..., None] * ((p + q)[..., None] + k) / ((p + 1)[..., None] + k)
    total = 1 + np.cumprod(ratios, axis=-1).sum(axis=-1)
    return p * np.log(y) + q * np.log(rest) - np.log(p) - betaln(p, q) + np.log(total)


def _far_gamma_lower(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return log P(a, x) far below its median, by its series in `x`."""
    k = np.arange(1.0, 2000.0)
    total = 1 + np.cumprod(x[..., None] / (a[..., None] + k), axis=-1).sum(axis=-1)
    return a * np.log(x) - x - gammaln(a + 1) + np.log(total)


def _far_gamma_upper(a: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return log Q(a, x) far above its median, by Legendre's continued fraction."""
    fraction = x + 401 - a
    for k in range(200, 0, -1):
        fraction = x + 2 * k - 1 - a - k * (k - a) / fraction
    return a * np.log(x) - x - gammaln(a) - np.log(fraction)


def log_density(f: Any, df1: Any, df2: float) -> np.ndarray:
    """Return the log of the density that the log of an F variable has at log `f`: `f` times the density of F."""
    f, a = np.asarray(f, dtype=np.float64), np.asarray(df1, dtype=np.float64) / 2
    if np.isinf(df2):
        return a * np.log(a * f) - a * f - gammaln(a)
    scaled = df1 * f
    return -a * np.log1p(df2 / scaled) - df2 / 2 * np.log1p(scaled / df2) - betaln(a, df2 / 2)


def tail_root(log_p: Any, df1: float, df2: float, *, upper: bool, start: Any) -> np.ndarray:
    """Return the `f` above (or below) which the probability is exp(`log_p`): the inverse of `log_tail`.

    By Newton's method on the log scales, where a tail is concave: all steps but the first go the same way, and none goes too
    far; the first, which may, is cut.

    Examples
    --------
    >>> round(float(tail_root(np.log(0.05), 4.0, 20.0, upper=True, start=1.0)), 6)
    2.866081
    """
    u = np.log(np.asarray(start, dtype=np.float64))
    for _ in range(100):
        f = np.exp(u)
        now = log_tail(f, df1, df2, upper=upper)
        slope = np.exp(log_density(f, df1, df2) - now)
        step = np.clip((log_p - now) / (-slope if upper else slope), -5.0, 5.0)
        u = u + step
        if (np.abs(step) < 1e-13 * np.maximum(1.0, np.abs(u))).all():
            break
    return np.exp(u)


def f_quantile(p: float, df1: float, df2: float) -> float:
    """Return R's ``qf(p, df1, df2)``: chi-square's over its degrees of freedom where `df2` is large."""
    if df2 > _CHI_SQUARE_FROM:
        return float(2 * gammaincinv(df1 / 2, p) / df1)
    return float(tail_root(np.log(p), df1, df2, upper=False, start=fdtri(df1, df2, p)))
