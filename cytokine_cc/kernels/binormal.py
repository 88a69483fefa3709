"""The bivariate normal: log probability of a quadrant, and what it adds to gradients and Hessians."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.special import erfcx, log_ndtr

TAIL = 38.0  # an integrand e^-38 times its highest value is below rounding
LEAST = 1e-30  # in place of 0 where h = k or h = -k, so that every integrand has two ends
NODES = ((2.0, 20), (20.0, 32), (np.inf, 64))  # of a panel up to this long
BLOCK = 512  # panels worked on at a time
_LOG_TWO_PI = np.log(2 * np.pi)


class Local(NamedTuple):
    """A log-likelihood and its first and second derivatives in h, k and z, elementwise."""

    value: np.ndarray
    h: np.ndarray
    k: np.ndarray
    z: np.ndarray
    hh: np.ndarray
    hk: np.ndarray
    kk: np.ndarray
    hz: np.ndarray
    kz: np.ndarray
    zz: np.ndarray


def log_quadrant(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log of P(X < h, Y < k) for standard normal X and Y with correlation tanh(z).

    Parameters
    ----------
    h, k : ndarray, shape (n,)
        Finite, up to about 1e4.
    z : ndarray, shape (n,)
        Fisher's transform of the correlation, atanh(rho), up to 18 in size: 1 - rho keeps its digits where rho is near 1.

    Returns
    -------
    ndarray, shape (n,)
        To about 1e-14 of the probability (where its log is above -1), or of the log, in the far tails too.

    Notes
    -----
    The derivative of the probability in the correlation is the density (Plackett), so that it is an integral of the density
    over correlations from 0, where it is the product of two probabilities, if rho > 0; from -1, where it is the excess of
    their sum over 1, if rho < 0. All terms are positive: no digits cancel. In t = atanh(rho) the integrand is sech(t)
    exp(-A exp(2t) - B exp(-2t)) with A = (h - k)^2 / 8 and B = (h + k)^2 / 8, whose log is concave: Gauss-Legendre on either
    side of its maximum, as far as it matters. ``mvtnorm::pmvnorm`` in R gives the same where its absolute error of about
    1e-15 is small enough.

    References
    ----------
    Plackett RL. Biometrika 1954;41:351-360. doi:10.1093/biomet/41.3-4.351.
    Genz A. Stat Comput 2004;14:251-260. doi:10.1023/B:STCO.0000035304.20635.31.

    Examples
    --------
    >>> zero = np.zeros(2)
    >>> np.exp(log_quadrant(zero, zero, np.arctanh([0.5, -0.5]))).round(12).tolist()  # 1/3 and 1/6
    [0.333333333333, 0.166666666667]
    """
    rises = z >= 0
    low, high = np.minimum(h, k), np.maximum(h, k)
    with np.errstate(divide="ignore", invalid="ignore"):
        of_low, over_high = log_ndtr(low), log_ndtr(-high)
        excess = of_low + np.log(-np.expm1(np.minimum(over_high - of_low, 0.0)))  # -inf where there is none
        start = np.where(rises, log_ndtr(h) + log_ndtr(k), excess)
        return np.logaddexp(start, _log_integral(h, k, z))


def _log_integral(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> np.ndarray:
    """Log of the density integrated over t from 0, or from -inf where z < 0, up to z."""
    a, b = np.maximum((h - k) ** 2 / 8, LEAST), np.maximum((h + k) ** 2 / 8, LEAST)
    first, last, mode, top = _range(a, b, z)
    total = np.zeros(len(z))
    for end in (first, last):
        length = np.abs(end - mode)
        shorter = 0.0
        for longest, nodes in NODES:
            panels = np.flatnonzero((length > shorter) & (length <= longest))
            shorter = longest
            for i in range(0, len(panels), BLOCK):
                at = panels[i : i + BLOCK]
                total[at] += _panel(a[at], b[at], mode[at], end[at], top[at], nodes)
    return np.log(total) + top - (a + b) - _LOG_TWO_PI


def _range(a: np.ndarray, b: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the first and last t that matter, the t of the highest integrand and its log there.

    Without sech the exponent falls from its maximum, at t0, by 4 sqrt(ab) sinh(t - t0)^2; sech tilts it by at most 1 a unit.
    """
    root = np.sqrt(a) * np.sqrt(b)
    bend = np.sqrt(1 + 16 * root * root)
    right, left = np.log(4 * b / (1 + bend)) / 2, np.log((1 + bend) / (4 * a)) / 2
    start = np.where(z >= 0, 0.0, z - TAIL)
    mode = np.clip(np.where(right > 0, right, np.where(left < 0, left, 0.0)), start, z)
    t0 = np.log(b / a) / 4
    fall = 4 * root * np.sinh(mode - t0) ** 2 + np.abs(mode) + TAIL
    reach = np.arcsinh(np.sqrt(fall / (4 * root)))
    first = np.clip(np.maximum(t0 - reach, -fall - 1), start, mode)
    last = np.clip(np.minimum(t0 + reach, fall + 1), mode, z)
    e = np.exp(2 * mode)
    return first, last, mode, -a * e - b / e


def _panel(a, b, start, end, top, nodes):
    x, weight = _gauss_legendre(nodes)
    f = np.exp(start[:, None] + (end - start)[:, None] * x)
    e = f * f
    exponent = a[:, None] * e
    exponent += b[:, None] / e
    exponent += top[:, None]
    e += 1
    f /= e
    f *= np.exp(np.negative(exponent, out=exponent), out=exponent)
    f *= weight
    return np.abs(end - start) * f.sum(axis=-1)


@lru_cache(maxsize=8)
def _gauss_legendre(nodes: int) -> tuple[np.ndarray, np.ndarray]:
    """Return nodes in (0, 1) and weights that sum to 2."""
    x, weight = np.polynomial.legendre.leggauss(nodes)
    return (x + 1) / 2, weight


def quadrant(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> Local:
    """Log of P(X < h, Y < k), and its derivatives; parameters as in `log_quadrant`.

    Examples
    --------
    >>> one = np.array([0.4])
    >>> at = quadrant(one, -one, one)
    >>> step = log_quadrant(one + 1e-6, -one, one) - log_quadrant(one - 1e-6, -one, one)
    >>> round(float(at.h[0]), 6), round(float(step[0]) / 2e-6, 6)
    (0.366661, 0.366661)
    """
    value = log_quadrant(h, k, z)
    c, s = _cosh_sinh(z)
    w_h, w_k = residuals(h, k, z)
    at_h = np.exp(log_ndtr(w_h) - h * h / 2 - _LOG_TWO_PI / 2 - value)
    at_k = np.exp(log_ndtr(w_k) - k * k / 2 - _LOG_TWO_PI / 2 - value)
    density = np.exp(-(h * h + w_h * w_h) / 2 - _LOG_TWO_PI - value)
    at_z = density / c
    return Local(
        value,
        at_h,
        at_k,
        at_z,
        -h * at_h - s * density - at_h * at_h,
        c * density - at_h * at_k,
        -k * at_k - s * density - at_k * at_k,
        -w_k * density - at_h * at_z,
        -w_h * density - at_k * at_z,
        at_z * (w_h * w_k - s / c) - at_z * at_z,
    )


def edge(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> Local:
    """Log of the density of X at h times P(Y < k given X = h), and its derivatives; parameters as in `log_quadrant`.

    Examples
    --------
    >>> zero = np.zeros(1)
    >>> round(float(np.exp(edge(zero, zero, zero).value[0])), 6)  # 0.398942 / 2
    0.199471
    """
    c, s = _cosh_sinh(z)
    w, other = residuals(h, k, z)
    with np.errstate(over="ignore"):
        at_w = np.sqrt(2 / np.pi) / erfcx(-w / np.sqrt(2))
    bend = -at_w * (at_w + w)
    return Local(
        log_ndtr(w) - h * h / 2 - _LOG_TWO_PI / 2,
        -h - s * at_w,
        c * at_w,
        -other * at_w,
        s * s * bend - 1,
        -s * c * bend,
        c * c * bend,
        s * other * bend - c * at_w,
        s * at_w - c * other * bend,
        other * other * bend + w * at_w,
    )


def residuals(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (k - rho h) and (h - rho k), over sqrt(1 - rho^2); no digits cancel where rho is near 1."""
    grown, shrunk = (k - h) * np.exp(z) / 2, (k + h) * np.exp(-z) / 2
    return shrunk + grown, shrunk - grown


def _cosh_sinh(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    grown, shrunk = np.exp(z) / 2, np.exp(-z) / 2
    return grown + shrunk, grown - shrunk
