"""Counts of two groups: Fisher's exact test and the chi-square test, for all rows at once."""

from __future__ import annotations

import numpy as np


def fisher(a: np.ndarray, n_a: np.ndarray, b: np.ndarray, n_b: np.ndarray) -> np.ndarray:
    """Return two-sided p-values of Fisher's exact test that a of n_a and b of n_b are shares of one size.

    Parameters
    ----------
    a, n_a, b, n_b : ndarray of int, shape (rows,)

    Returns
    -------
    ndarray, shape (rows,)
        1 where a group is empty.

    Notes
    -----
    Equals ``fisher.test(matrix(c(a, n_a - a, b, n_b - b), 2))$p.value`` in R: the sum of the probabilities of all tables
    that are no more likely than the one found, by a relative tolerance of 1e-7.

    Examples
    --------
    >>> import numpy as np
    >>> [round(float(p), 4) for p in fisher(*(np.array([x]) for x in (3, 4, 1, 4)))]
    [0.4857]
    """
    from scipy.special import gammaln

    a, n_a, b, n_b = (np.asarray(x, dtype=np.float64)[:, None] for x in (a, n_a, b, n_b))
    k = np.arange(n_a.max(initial=0) + 1)[None, :]
    total = a + b
    possible = (k <= np.minimum(n_a, total)) & (k >= total - n_b)

    def log_choose(n: np.ndarray, x: np.ndarray) -> np.ndarray:
        x = np.clip(x, 0, n)
        return gammaln(n + 1) - gammaln(x + 1) - gammaln(n - x + 1)

    log_p = np.where(possible, log_choose(n_a, k) + log_choose(n_b, total - k) - log_choose(n_a + n_b, total), -np.inf)
    own = np.take_along_axis(log_p, a.astype(np.intp), axis=-1)
    with np.errstate(under="ignore"):
        return np.minimum(1.0, np.where(log_p <= own + 1e-7, np.exp(log_p), 0.0).sum(axis=-1))
