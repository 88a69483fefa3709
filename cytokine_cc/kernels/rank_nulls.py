"""Exact null distributions of the rank sum and the signed rank, and the order statistics that bound a shift."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.special import ndtri

EXACT_BELOW = 50  # as R's wilcox.test
_FUZZ = 10 * np.finfo(float).eps  # as R's qwilcox


@lru_cache(maxsize=4096)
def rank_sum_cdf(m: int, n: int) -> np.ndarray:
    """P(W <= 0), P(W <= 1), ..., P(W <= mn) of Mann and Whitney's W without ties.

    Counts the subsets of m ranks by their sum, adding one rank at a time: only positive terms, so no digits are lost.

    Parameters
    ----------
    m, n : int

    Returns
    -------
    ndarray, shape (mn + 1,)

    Examples
    --------
    >>> rank_sum_cdf(2, 2).round(4).tolist()
    [0.1667, 0.3333, 0.6667, 0.8333, 1.0]
    """
    m, n = min(m, n), max(m, n)
    least = m * (m + 1) // 2
    counts = np.zeros((m + 1, least + m * n + 1))
    counts[0, 0] = 1.0
    for rank in range(1, m + n + 1):
        counts[1:, rank:] += counts[:-1, :-rank].copy()
    return _cdf(counts[m, least:])


@lru_cache(maxsize=1024)
def signed_rank_cdf(n: int) -> np.ndarray:
    """P(V <= 0), ..., P(V <= n(n+1)/2) of Wilcoxon's V without ties or zeros.

    Parameters
    ----------
    n : int

    Returns
    -------
    ndarray, shape (n(n+1)/2 + 1,)
    """
    counts = np.zeros(n * (n + 1) // 2 + 1)
    counts[0] = 1.0
    for rank in range(1, n + 1):
        counts[rank:] += counts[:-rank].copy()
    return _cdf(counts)


def _cdf(counts: np.ndarray) -> np.ndarray:
    total = np.cumsum(counts)
    cdf = total / total[-1]
    cdf.flags.writeable = False
    return cdf


def rank_sum_index(n1: np.ndarray, n2: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of the n1 n2 ordered differences bounds the shift from below.

    Parameters
    ----------
    n1, n2 : ndarray of int
    tail : float
        Probability left out on one side.

    Returns
    -------
    index : ndarray of int
        Counted from 1; the upper bound is the same from the other end.
    reached : ndarray of bool
        Whether such an interval has the level.
    """

    def sigma(m: float, n: float) -> float:
        return np.sqrt(m * n * (m + n + 1) / 12)

    return _index((n1, n2), tail, rank_sum_cdf, lambda m, n: m * n, sigma)


def signed_rank_index(n: np.ndarray, tail: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of the n(n+1)/2 ordered Walsh averages bounds the centre from below; see `rank_sum_index`."""

    def sigma(n: float) -> float:
        return np.sqrt(n * (n + 1) * (2 * n + 1) / 24)

    return _index((n,), tail, signed_rank_cdf, lambda n: n * (n + 1) // 2, sigma)


def _index(sizes, tail, null_cdf, total, sigma):
    shape = sizes[0].shape
    keys, group = np.unique(np.stack([size.reshape(-1) for size in sizes]), axis=1, return_inverse=True)
    index, reached = np.ones(keys.shape[1], dtype=np.intp), np.zeros(keys.shape[1], dtype=bool)
    for g, key in enumerate(keys.T.tolist()):
        if min(key) < 1:
            continue
        if max(key) < EXACT_BELOW:
            found = int(np.searchsorted(null_cdf(*key), tail - _FUZZ))
        else:
            found = int(np.floor(total(*key) / 2 + 0.5 + ndtri(tail) * sigma(*key)))
        index[g], reached[g] = max(found, 1), found >= 1
    group = group.reshape(-1)
    return index[group].reshape(shape), reached[group].reshape(shape)
