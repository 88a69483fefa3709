"""Adjustment of p-values for multiple testing, batched over leading axes; the band that p-values without any effect keep to."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import betaincinv, gammaln

from .errors import OptionError, fraction, one_of, whole_number

ALIASES = {
    "fdr": "BH",
    "fdr_bh": "BH",
    "benjamini-hochberg": "BH",
    "fdr_by": "BY",
    "holm-bonferroni": "holm",
    "simes-hochberg": "hochberg",
}


def adjust_pvalues(p: Any, method: str) -> np.ndarray:
    """Adjust p-values for multiple testing, as R's ``p.adjust`` does.

    Bonferroni, Holm, Hochberg and Hommel bound the chance of any false rejection (family-wise error rate); BH and BY the
    expected share of false ones among the rejections (false discovery rate). Bonferroni, Holm and BY hold under any
    dependence; Hochberg, Hommel and BH under independence and positive dependence (PRDS).

    Parameters
    ----------
    p : array_like, shape (..., m)
        p-values; each row of the last axis is one family. NaN is left out of its family and stays NaN.
    method : {"none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"}

    Returns
    -------
    ndarray, shape (..., m)

    Raises
    ------
    OptionError
        An unknown method, or a value outside [0, 1].

    References
    ----------
    Holm S. Scand J Stat 1979;6:65-70. Hochberg Y. Biometrika 1988;75:800-802. doi:10.1093/biomet/75.4.800.
    Hommel G. Biometrika 1988;75:383-386. doi:10.1093/biomet/75.2.383. Benjamini Y, Hochberg Y. J R Stat Soc B
    1995;57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x. Benjamini Y, Yekutieli D. Ann Stat 2001;29:1165-1188.
    doi:10.1214/aos/1013699998.

    Examples
    --------
    >>> adjust_pvalues([0.01, 0.02, float("nan"), 0.04], "BH").tolist()
    [0.03, 0.03, nan, 0.04]
    """
    one_of("method", method, METHODS, ALIASES)
    try:
        p = np.asarray(p, dtype=np.float64)
    except (TypeError, ValueError):
        raise OptionError(f"`p` must hold numbers; got {p!r}.") from None
    if not p.ndim:
        raise OptionError("`p` must have at least one axis; got a single number.")
    with np.errstate(invalid="ignore"):
        bad = (p < 0) | (p > 1)
    if bad.any():
        raise OptionError(
            f"p-values must lie between 0 and 1; got {p[bad].flat[0]!r} at position {tuple(np.argwhere(bad)[0].tolist())}."
        )
    if method == "none" or not p.size:
        return p.copy()
    # Sort each row once, NaN last; the rules see ranks 1..n and write back in place.
    order = np.argsort(p, axis=-1, kind="stable")
    place = order + np.arange(0, p.size, p.shape[-1]).reshape(*p.shape[:-1], 1)  # in the flat array
    n = (~np.isnan(p)).sum(axis=-1, keepdims=True).astype(np.float64)
    out = np.empty(p.shape)
    with np.errstate(invalid="ignore"):
        out.reshape(-1)[place] = METHODS[method](p.reshape(-1)[place], n)
    return out


def _ranks(p: np.ndarray) -> np.ndarray:
    return np.arange(1.0, p.shape[-1] + 1)


def _running_min(x: np.ndarray) -> np.ndarray:
    """Smallest value from each position to the end; NaN stays where it is."""
    lowest = np.fmin.accumulate(x[..., ::-1], axis=-1)[..., ::-1]
    return np.where(np.isnan(x), np.nan, np.minimum(1.0, lowest))


def _none(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return p


def _bonferroni(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, n * p)


def _holm(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return np.minimum(1.0, np.maximum.accumulate((n + 1 - _ranks(p)) * p, axis=-1))


def _hochberg(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _running_min((n + 1 - _ranks(p)) * p)


def _bh(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    return _running_min(n / _ranks(p) * p)


def _by(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    harmonic = np.concatenate([[0.0], np.cumsum(1 / _ranks(p))])[n.astype(np.intp)]
    return _running_min(harmonic * n / _ranks(p) * p)


def _hommel(p: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Hommel's method in Wright's form, one pass for each distinct family size."""
    flat, sizes = p.reshape(-1, p.shape[-1]), n.reshape(-1).astype(np.intp)
    out = flat.copy()
    for size in np.unique(sizes):
        if size > 1:
            rows = sizes == size
            out[rows, :size] = _hommel_rows(flat[rows, :size])
    return out.reshape(p.shape)


def _hommel_rows(p: np.ndarray) -> np.ndarray:
    n = p.shape[-1]
    least = (n * p / np.arange(1.0, n + 1)).min(axis=-1, keepdims=True)
    q = np.repeat(least, n, axis=-1)
    best = q.copy()
    for m in range(n - 1, 1, -1):
        split = n - m + 1
        tail = (m * p[:, split:] / np.arange(2.0, m + 1)).min(axis=-1, keepdims=True)
        q[:, :split] = np.minimum(m * p[:, :split], tail)
        q[:, split:] = q[:, split - 1 : split]
        np.maximum(best, q, out=best)
    return np.maximum(best, p)


METHODS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "none": _none,
    "bonferroni": _bonferroni,
    "holm": _holm,
    "hochberg": _hochberg,
    "hommel": _hommel,
    "BH": _bh,
    "BY": _by,
}


def order_band(n: int, conf_level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Within which bounds do n sorted p-values all lie, if they are independent and no null hypothesis is false?

    Each order statistic of n uniform numbers has the same chance to leave the band (equal local levels), on either side half of
    it; together they keep within it with probability `conf_level`, exactly and not by simulation.

    Parameters
    ----------
    n : int
        Number of p-values, at least 1.
    conf_level : float
        Between 0 and 1.

    Returns
    -------
    low, high : ndarray, shape (n,)
        Bounds of the smallest p-value, the second smallest, ...; read-only.

    Raises
    ------
    OptionError

    Notes
    -----
    p-values of correlated analytes leave the band more often; those of discrete tests are larger than uniform ones. Equals
    R's ``qqconf::get_bounds_two_sided(alpha = 1 - conf_level, n, method = "search")`` to its tolerance.

    References
    ----------
    Weine E, McPeek MS, Abney M. J Stat Softw 2023;106(10):1-31. doi:10.18637/jss.v106.i10 (equal local levels). Moscovich A,
    Nadler B. Stat Probab Lett 2017;123:177-182. doi:10.1016/j.spl.2016.11.027 (the chance to stay between two boundaries).

    Examples
    --------
    >>> low, high = order_band(2)
    >>> low.round(4).tolist(), high.round(4).tolist()
    ([0.0067, 0.1152], [0.8848, 0.9933])
    """
    return _order_band(whole_number("n", n, least=1), fraction("conf_level", conf_level))


@lru_cache(maxsize=64)
def _order_band(n: int, conf_level: float) -> tuple[np.ndarray, np.ndarray]:
    from scipy.optimize import brentq

    i = np.arange(1.0, n + 1)

    def lower(log_level: float) -> np.ndarray:
        return betaincinv(i, n + 1 - i, np.exp(log_level) / 2)

    def excess(log_level: float) -> float:
        return np.log1p(-_chance_inside(lower(log_level))) - np.log1p(-conf_level)

    # No local level above the joint one is needed, none below Bonferroni's; a little wider, for rounding.
    joint = np.log1p(-conf_level)
    low = lower(brentq(excess, joint - np.log(n) - 1e-9, joint + 1e-9, xtol=1e-11, rtol=1e-11))
    high = 1 - low[::-1]
    low.flags.writeable = high.flags.writeable = False
    return low, high


def _chance_inside(low: np.ndarray) -> float:
    """Return the chance that each of n sorted uniform numbers lies between `low` and its mirror image.

    The numbers up to t are a Poisson process of rate n, given that n come by t = 1. It is followed from boundary to boundary as
    the chances of each count that is allowed there; up to 1/2 only, since the other half is the mirror image.
    """
    n, high = len(low), 1 - low[::-1]
    lows, highs = low[low <= 0.5], high[high <= 0.5]
    times: np.ndarray = np.concatenate([lows, highs, [0.5]])
    is_low: np.ndarray = np.arange(len(times)) < len(lows)
    is_high = ~is_low & (np.arange(len(times)) < len(times) - 1)
    order = np.argsort(times, kind="stable")
    most = np.cumsum(is_low[order]) - is_low[order]  # at the i-th lower bound fewer than i, later at most i until the next
    least = np.cumsum(is_high[order])
    q, start = np.ones(1), 0
    for step, lowest, highest in zip(
        _poisson(n * np.diff(times[order], prepend=0.0)), least.tolist(), most.tolist(), strict=True
    ):
        q = np.convolve(q, step)[lowest - start : highest - start + 1]
        start = lowest
    half = np.zeros(n + 1)
    half[start : start + len(q)] = q
    return float(half @ half[::-1] / np.exp(n * np.log(n) - n - gammaln(n + 1)))


def _poisson(means: np.ndarray) -> np.ndarray:
    """Return the Poisson chances of 0, 1, 2, ... for each mean, as far as any of them matters; shape (means, counts)."""
    largest = means.max()
    k = np.arange(int(largest + 12 * np.sqrt(largest) + 15))
    with np.errstate(divide="ignore", invalid="ignore"):  # a mean of 0
        logs = np.where(k == 0, 0.0, k * np.log(means)[:, None]) - means[:, None] - gammaln(k + 1)
    return np.exp(logs)
