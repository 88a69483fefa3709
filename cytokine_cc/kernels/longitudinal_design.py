"""Values of several visits as cross-products by pattern of missing visits, which is all that a normal likelihood needs."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .linear import TOLERANCE

LEAST = 0.05  # eigenvalue of the correlations to begin with
FLAT = 1e-13  # residual SD over the SD of all values: nothing but rounding error is left
CONSTANT = 10 * np.finfo(float).eps  # spread over size, as in R's t.test


class Pattern(NamedTuple):
    """The subjects of each row who have values at these visits and at no other.

    Attributes
    ----------
    visits : ndarray of int, shape (m,)
    n : ndarray, shape (rows,)
        Their number.
    products : ndarray, shape (rows, m * m, (p + 1) ** 2)
        At [t, u] the sums of z_it z_iu' over them, z_it the p columns of the model and the value of subject i at visit t.
    """

    visits: np.ndarray
    n: np.ndarray
    products: np.ndarray


class Model(NamedTuple):
    """Rows in units of their own spread, columns orthogonal, the group's contrast the last of them.

    Attributes
    ----------
    patterns : list of Pattern
    live : ndarray of bool, shape (rows, p)
        Columns that others do not tell.
    seen : ndarray of bool, shape (rows, V, V)
        Pairs of visits (and visits) of which a subject has values.
    start : ndarray, shape (rows, V, V)
        A covariance matrix to begin with.
    unit : ndarray, shape (rows,)
        The contrast is this times the coefficient of the last column.
    note : ndarray of int, shape (rows,)
        CONSTANT, CONFOUNDED, SINGULAR; or ALIASED, which forbids nothing.
    """

    patterns: list[Pattern]
    live: np.ndarray
    seen: np.ndarray
    start: np.ndarray
    unit: np.ndarray
    note: np.ndarray

    @property
    def free(self) -> np.ndarray:
        """Return which entries on and above the diagonal of the matrix the values tell, (rows, k)."""
        upper = np.triu_indices(self.seen.shape[1])
        return self.seen[:, upper[0], upper[1]]

    def of(self, rows: np.ndarray) -> Model:
        """Return some of the rows."""
        patterns = [Pattern(each.visits, each.n[rows], each.products[rows]) for each in self.patterns]
        return Model(patterns, *(part[rows] for part in self[1:]))


def model_of(values: np.ndarray, columns: np.ndarray | None, n1: int, at: int, *, shared_baseline: bool) -> Model:
    """Make the model of each row.

    Parameters
    ----------
    values : ndarray, shape (rows, V, n)
        NaN is missing.
    columns : ndarray, shape (rows, V, q, n), or None
        Covariates.
    n1 : int
        How many of the n belong to the first group.
    at : int
        Visit whose contrast with the first visit is asked for.
    shared_baseline : bool
        One mean of both groups at the first visit.

    Notes
    -----
    Columns: a mean a visit; the covariates; the group (unless the baseline is shared), which shifts all visits; its further
    shift at each later visit, `at` last, so that its coefficient is the contrast of changes. They are made orthogonal in this
    order; one of which less than 1e-7 of its norm is left is told by those before it and becomes 0.
    """
    visits, n = values.shape[1:]
    there = ~np.isnan(values)
    kept = there.astype(np.float64)
    count = kept.sum(axis=-1)
    y, mean = _centred(np.where(there, values, 0.0), kept, count)
    within = np.stack(
        [_centred(np.where(there, values, 0.0), kept * part, (kept * part).sum(axis=-1))[0] for part in _halves(n, n1)]
    )
    spread = np.sqrt((within**2).sum(axis=-1).sum(axis=0) / np.maximum(count, 1.0))
    size = np.sqrt(_dot(y, y) / np.maximum(count.sum(axis=-1), 1.0))
    scale = np.where(size > 0, size, 1.0)
    y /= scale[:, None, None]

    basis, live, aliased = _basis(kept, count, columns, n1, at, shared_baseline)
    left = y.copy()
    for unit in basis[visits:]:
        left -= unit * _dot(unit, left)[:, None, None]
    norm = live[-1]
    start, seen = _start(left, kept)
    diagonal = np.arange(visits)
    still = (spread <= CONSTANT * np.abs(mean)) & (count > 0)
    flat = ((start[:, diagonal, diagonal] <= FLAT**2) & (count > 0)).any(axis=-1)
    apart = (~seen & (count > 0)[:, :, None] & (count > 0)[:, None, :]).any(axis=(1, 2))
    note = np.where(flat | apart | still.any(axis=-1), int(Note.SINGULAR), np.where(aliased, int(Note.ALIASED), 0))
    note = np.where(norm == 0, int(Note.CONFOUNDED), note)
    note = np.where(still[:, 0] | still[:, at], int(Note.CONSTANT), note)
    with np.errstate(divide="ignore"):
        unit = scale / norm
    z = np.stack([*basis, y], axis=1)
    return Model(_patterns(z, there), np.stack(live, axis=1) > 0, seen, start, unit, note)


def _halves(n: int, n1: int) -> tuple[np.ndarray, np.ndarray]:
    case = np.repeat([1.0, 0.0], [n1, n - n1])
    return case, 1 - case


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Return sums over visits and subjects."""
    return (a * b).reshape(len(a), -1).sum(axis=-1)


def _centred(column: np.ndarray, kept: np.ndarray, count: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distances from the mean of each visit, 0 where nothing enters, and the means."""
    mean = (column * kept).sum(axis=-1) / np.maximum(count, 1.0)
    return (column - mean[..., None]) * kept, mean


def _basis(
    kept: np.ndarray, count: np.ndarray, columns: np.ndarray | None, n1: int, at: int, shared_baseline: bool
) -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    """Return orthogonal columns of norm 1 or 0, (rows, V, n), what was left of each, and where a covariate was told by others."""
    rows, visits, n = kept.shape
    at_visit = np.eye(visits)[:, :, None]
    basis = [kept * at_visit[t] / np.sqrt(np.maximum(count[:, t], 1.0))[:, None, None] for t in range(visits)]
    live = [count[:, t] for t in range(visits)]
    aliased = np.zeros(rows, dtype=bool)
    covariates = [] if columns is None else [columns[:, :, j] for j in range(columns.shape[2])]
    group = np.broadcast_to(_halves(n, n1)[0], (visits, n))
    later = [group * at_visit[t] for t in (*(t for t in range(1, visits) if t != at), at)]
    for k, column in enumerate([*covariates, *([] if shared_baseline else [group]), *later]):
        entered = column * kept
        left = _centred(entered, kept, count)[0]
        for other in basis[visits:]:
            left -= other * _dot(other, left)[:, None, None]
        norm = np.sqrt(_dot(left, left))
        norm = np.where(norm >= TOLERANCE * np.sqrt(_dot(entered, entered)), norm, 0.0)
        with np.errstate(divide="ignore"):
            basis.append(left * np.where(norm > 0, 1 / norm, 0.0)[:, None, None])
        live.append(norm)
        if k < len(covariates):
            aliased |= (norm == 0) & _varies(column, kept)
    return basis, live, aliased


def _varies(column: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Flag columns that differ between subjects at some visit."""
    high = np.where(kept > 0, column, -np.inf).max(axis=-1, initial=-np.inf)
    return (high > np.where(kept > 0, column, np.inf).min(axis=-1, initial=np.inf)).any(axis=-1)


def _start(left: np.ndarray, kept: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the covariances of pairs of residuals, correlations drawn together until they are a matrix; and who was seen."""
    rows, visits, _ = left.shape
    start, pairs = np.zeros((2, rows, visits, visits))
    for t in range(visits):
        for u in range(t + 1):
            pairs[:, t, u] = pairs[:, u, t] = (kept[:, t] * kept[:, u]).sum(axis=-1)
            start[:, t, u] = start[:, u, t] = (left[:, t] * left[:, u]).sum(axis=-1)
    seen = pairs > 0
    start /= np.maximum(pairs, 1.0)
    each = np.arange(visits)
    start[:, each, each] = np.where(seen[:, each, each], start[:, each, each], 1.0)
    sd = np.sqrt(start[:, each, each])
    with np.errstate(invalid="ignore", divide="ignore"):
        off = np.nan_to_num(start / (sd[:, :, None] * sd[:, None, :]), posinf=0.0, neginf=0.0)
    off[:, each, each] = 0.0
    lowest = np.linalg.eigvalsh(off)[:, 0]
    share = np.minimum(1.0, (1 - LEAST) / np.maximum(-lowest, 1e-300))
    off *= share[:, None, None]
    off[:, each, each] = 1.0
    return off * sd[:, :, None] * sd[:, None, :], seen


def _patterns(z: np.ndarray, there: np.ndarray) -> list[Pattern]:
    """Sum products of the columns by pattern of visits, the fullest first; a row without one adds zeros."""
    rows, wide, visits, n = z.shape
    code = (there * (1 << np.arange(visits))[:, None]).sum(axis=1)
    found = []
    for each in np.unique(code)[::-1]:
        if each:
            own = np.flatnonzero(each >> np.arange(visits) & 1)
            of_pattern = code == each
            part = (z[:, :, own] * of_pattern[:, None, None, :]).reshape(rows, -1, n)
            products = (part @ part.transpose(0, 2, 1)).reshape(rows, wide, len(own), wide, len(own))
            products = np.ascontiguousarray(products.transpose(0, 2, 4, 1, 3)).reshape(rows, len(own) ** 2, wide**2)
            found.append(Pattern(own, of_pattern.sum(axis=-1).astype(np.float64), products))
    return found
