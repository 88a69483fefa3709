"""Does the conditional likelihood rise without end, along which columns, and what is left of it there?

Along a direction in which no case lies under a control of its set, and some pair differs, the likelihood rises to a supremum:
that of the members that still tie, since all others are then told for certain.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from .conditional_sets import Extent, Members

DIFFERS = 1e-9  # of a column's largest difference
HELD = 1e-7  # of the largest difference along a direction: no pair may lie further on the wrong side


class Separation(NamedTuple):
    """What a row's recession directions are.

    Attributes
    ----------
    by_covariates : ndarray of bool, shape (members, sets)
        Members told for certain along directions of covariates alone.
    by_value : ndarray of bool, shape (members, sets)
        Those told along directions of all columns.
    sign : int
        Which way the value's coefficient goes along them: 1, -1; 0 where it takes no part.
    """

    by_covariates: np.ndarray
    by_value: np.ndarray
    sign: int


def supremum(members: Members, extent: Extent) -> np.ndarray:
    """Return the supremum of the log-likelihood of the value alone, where it separates: less the logs of tied best subsets.

    Where lowest cases and highest controls of a set tie (or highest and lowest, as the value goes), any of them may be the cases.
    """
    up = extent.separated >= 0
    tie, other = np.where(up, extent.low_case, extent.high_case), np.where(up, extent.high_control, extent.low_control)
    tied = np.abs(members.value - tie) <= extent.noise
    out = np.zeros(len(extent.noise))
    for n_case, n_control, start, stop in members.shapes:
        a, b = (tied[part, start:stop].sum(axis=0) for part in (slice(n_case), slice(n_case, n_case + n_control)))
        both = np.abs(tie - other)[start:stop] <= extent.noise
        logs = np.where(both, gammaln(a + b + 1.0) - gammaln(a + 1.0) - gammaln(b + 1.0), 0.0)
        for line in logs:  # one by one, whatever fills up
            out -= line
    return out


def separation_of(members: Members, noise: float) -> Separation:
    """Decide by linear programming how a row separates.

    Parameters
    ----------
    members : Members
        Of one row.
    noise : float
        What a difference of equal values can be by rounding.
    """
    pairs, ends = _pairs(members)
    none = np.zeros(members.value.shape[:2], dtype=bool)
    strict, _ = _recession(pairs[:, :-1])
    by_covariates = _told(none, ends, strict)
    left = ~strict
    own = pairs[left]
    own[np.abs(own[:, -1]) <= noise, -1] = 0.0
    strict, direction = _recession(own)
    sign = int(np.sign(direction[-1])) if strict.any() else 0
    return Separation(by_covariates, by_covariates | _told(none, ends[left], strict), sign)


def _pairs(members: Members) -> tuple[np.ndarray, np.ndarray]:
    """Return case minus control for each pair of a set, (pairs, q + 1), and the pair's places (pairs, 3)."""
    columns = np.concatenate([members.columns[..., 0], members.value[None, ..., 0]])
    parts, ends = [np.zeros((0, len(columns)))], [np.zeros((0, 3), dtype=np.intp)]
    for n_case, n_control, start, stop in members.shapes:
        for i in range(n_case):
            for j in range(n_case, n_case + n_control):
                d = (columns[:, i, start:stop] - columns[:, j, start:stop]).T
                there = ~np.isnan(d[:, -1])
                parts.append(d[there])
                number = np.arange(start, stop)[there]
                ends.append(np.stack([np.full_like(number, i), np.full_like(number, j), number], axis=-1))
    return np.concatenate(parts), np.concatenate(ends)


def _recession(d: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return which differences some direction makes positive while it makes none negative, and that direction.

    One program finds all at once: of directions with d @ direction >= s, 0 <= s <= 1, that of the largest sum of s, since
    directions add up and may be as long as need be.
    """
    from scipy.optimize import linprog
    from scipy.sparse import eye, hstack

    n, p = d.shape
    scale = np.abs(d).max(axis=0, initial=0.0)
    scale = np.where(scale > 0, scale, 1.0)
    d = np.where(np.abs(d) > DIFFERS * scale, d, 0.0) / scale
    varied = np.flatnonzero(d.any(axis=1))
    strict, direction = np.zeros(n, dtype=bool), np.zeros(p)
    if not len(varied):
        return strict, direction
    m = len(varied)
    bounds = [(None, None)] * p + [(0.0, 1.0)] * m
    found = linprog(
        np.repeat([0.0, -1.0], [p, m]),
        A_ub=hstack([-d[varied], eye(m)], format="csr"),
        b_ub=np.zeros(m),
        bounds=bounds,
        method="highs",
    )
    if found.x is None:
        return strict, direction
    direction = found.x[:p]
    along = d @ direction
    strict[varied] = found.x[p:] > 0.5
    if not strict.any() or along.min() < -HELD * np.abs(direction).max():
        return np.zeros(n, dtype=bool), np.zeros(p)
    direction = np.where(np.abs(direction) > HELD * np.abs(direction).max(), direction, 0.0)
    return strict, direction


def _told(none: np.ndarray, ends: np.ndarray, strict: np.ndarray) -> np.ndarray:
    """Flag members of pairs that all differ along the direction."""
    in_pair, ties = none.copy(), none.copy()
    for k in (0, 1):
        in_pair[ends[:, k], ends[:, 2]] = True
        ties[ends[~strict, k], ends[~strict, 2]] = True
    return in_pair & ~ties
