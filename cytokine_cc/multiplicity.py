"""Adjustment of p-values for multiple testing, batched over leading axes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from .errors import OptionError, one_of

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
