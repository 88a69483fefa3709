"""Principal components of analytes within groups, and the effective number of tests that their correlation makes."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

LEAST_PAIRS = 3  # two points always lie on a line
NEAR = 1e-8  # eigenvalues this near to a whole number are one, so that rounding does not decide where a formula jumps


class Standardised(NamedTuple):
    """Values of analytes (analytes, subjects) in units of their SD within groups.

    Attributes
    ----------
    z : ndarray
        Less the mean of all subjects; 0 where a value is missing.
    within, overall : ndarray, shape (analytes, analytes)
        Pearson correlations after removing the mean of each group, and of all; of the subjects who have both. NaN where they are
        fewer than 3 or one of the two does not vary among them.
    """

    z: np.ndarray
    within: np.ndarray
    overall: np.ndarray


def standardised(y: np.ndarray, case: np.ndarray) -> Standardised:
    """Put analytes on one scale and correlate them within groups and over all.

    Parameters
    ----------
    y : ndarray, shape (analytes, subjects)
        NaN is missing; every analyte varies within a group.
    case : ndarray of bool, shape (subjects,)

    Returns
    -------
    Standardised

    Notes
    -----
    `within` equals ``cor(r, use = "pairwise.complete.obs")`` in R, `r` being the residuals of ``lm(y[, j] ~ group)`` of each
    analyte on the subjects that it has.
    """
    there = ~np.isnan(y)
    left = np.where(there, y, 0.0)
    for own in (case, ~case):
        n = np.maximum((there & own).sum(axis=-1, keepdims=True), 1)
        left = np.where(there & own, left - (left * own).sum(axis=-1, keepdims=True) / n, left)
    sd = np.sqrt(np.square(left).sum(axis=-1) / (there.sum(axis=-1) - 2))[:, None]
    z = np.where(there, y - np.where(there, y, 0.0).sum(axis=-1, keepdims=True) / there.sum(axis=-1, keepdims=True), 0.0) / sd
    return Standardised(z, _correlations(left / sd, there), _correlations(z, there))


def _correlations(x: np.ndarray, there: np.ndarray) -> np.ndarray:
    """Correlate rows that are 0 where not there, each pair on the columns that both have."""
    here = there.astype(np.float64)
    n, total = here @ here.T, x @ here.T
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = np.square(x) @ here.T - total**2 / n
        r = (x @ x.T - total * total.T / n) / np.sqrt(spread * spread.T)
    flat = spread <= 1e-12 * (np.square(x) @ here.T)
    return np.where((n < LEAST_PAIRS) | flat | flat.T, np.nan, np.clip((r + r.T) / 2, -1.0, 1.0))


def components_of(correlation: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return eigenvalues, largest first, and the unit vectors that belong to them, as columns of which the sum is not negative.

    A pair that nothing is known of counts as uncorrelated.
    """
    values, vectors = np.linalg.eigh(np.where(np.isnan(correlation), 0.0, correlation))
    vectors = vectors[:, ::-1]
    return values[::-1], vectors * np.where(vectors.sum(axis=0) < 0, -1.0, 1.0)


def noise_edge(m: int, df: float) -> float:
    """Return the eigenvalue that m uncorrelated analytes stay below, all of them, if subjects are many.

    References
    ----------
    Marchenko VA, Pastur LA. Math USSR Sb 1967;1:457-483. doi:10.1070/SM1967v001n04ABEH001994.

    Examples
    --------
    >>> round(noise_edge(36, 50), 2)
    3.42
    """
    return float((1 + np.sqrt(m / df)) ** 2)


def scores_without(correlation: np.ndarray, z: np.ndarray, k: int) -> np.ndarray:
    """Score subjects on the first components of all analytes but one, for each one in turn.

    Parameters
    ----------
    correlation : ndarray, shape (analytes, analytes)
    z : ndarray, shape (analytes, subjects)
    k : int
        Number of components, less than that of the analytes.

    Returns
    -------
    ndarray, shape (analytes, k, subjects)
        Row j knows nothing of analyte j, neither in its loadings nor in its scores.

    Notes
    -----
    The components of the matrix R without row and column j follow from those of R, eigenvalues x and vectors u: its i-th
    eigenvalue is the zero between x[i + 1] and x[i] of the j-th diagonal element of ``inv(R - c I)``, which is the sum of
    ``u[j, l] ** 2 / (x[l] - c)`` over l, and its vector is the j-th column of that inverse (Golub 1973). One decomposition
    serves all analytes. Of eigenvalues closer than 1e-10, and elements of vectors below 1e-7, that much is taken.

    References
    ----------
    Golub GH. SIAM Rev 1973;15:318-334. doi:10.1137/1015032.
    """
    values, u = components_of(correlation)
    gaps = np.maximum(-np.diff(values), 1e-10)
    own = np.where(np.abs(u) < 1e-7, np.where(u < 0, -1e-7, 1e-7), u)[:, None, :]
    # Of each eigenvalue, how far the others lie above it: sums of gaps, exact also where these are small.
    down = np.concatenate([[0.0], np.cumsum(gaps)])
    above = down[:k, None] - down
    low, high = np.zeros((len(u), k)), np.broadcast_to(gaps[:k], (len(u), k))
    for _ in range(64):
        step = (low + high) / 2
        with np.errstate(divide="ignore"):
            too_far = (own**2 / (above + step[..., None])).sum(axis=-1) < 0
        low, high = np.where(too_far, low, step), np.where(too_far, step, high)
    weights = own / (above + high[..., None]) @ u.T
    weights[np.arange(len(u)), :, np.arange(len(u))] = 0.0
    weights /= np.sqrt(np.square(weights).sum(axis=-1, keepdims=True))
    return weights @ z


def li_ji(eigenvalues: Any) -> float:
    """How many independent tests are as many correlated ones worth, by Li and Ji?

    The sum over eigenvalues x of the correlation matrix of ``(x >= 1) + (x - floor(x))``, of absolute values as in the paper.

    Parameters
    ----------
    eigenvalues : array_like, shape (m,)

    Returns
    -------
    float
        From 1 to m, if none is negative.

    Notes
    -----
    The formula jumps where an eigenvalue is a whole number; one within 1e-8 of it counts as it. Eigenvalues that add up to m,
    none negative, give a whole number.

    References
    ----------
    Li J, Ji L. Heredity 2005;95:221-227. doi:10.1038/sj.hdy.6800717.

    Examples
    --------
    >>> li_ji([1, 1, 1]), li_ji([3, 0, 0]), li_ji([2.5, 0.5, 0])
    (3.0, 1.0, 2.0)
    """
    x = np.abs(np.asarray(eigenvalues, dtype=np.float64))
    x = np.where(np.abs(x - np.round(x)) < NEAR, np.round(x), x)
    return float((x >= 1).sum() + (x - np.floor(x)).sum())


def galwey(eigenvalues: Any) -> float:
    """How many independent tests are as many correlated ones worth, by Galwey?

    The square of the sum of the square roots of the eigenvalues, over their sum; negative eigenvalues are 0, as in the paper.

    Parameters
    ----------
    eigenvalues : array_like, shape (m,)

    Returns
    -------
    float
        From 1 to m.

    References
    ----------
    Galwey NW. Genet Epidemiol 2009;33:559-568. doi:10.1002/gepi.20408.

    Examples
    --------
    >>> [round(galwey(x), 4) for x in ([1, 1, 1], [3, 0, 0], [2.5, 0.5, 0])]
    [3.0, 1.0, 1.7454]
    """
    x = np.asarray(eigenvalues, dtype=np.float64)
    x = np.where(x < 1e-12 * x.max(), 0.0, x)  # rounding of 1e-16 has a root of 1e-8
    return float(np.sqrt(x).sum() ** 2 / x.sum())
