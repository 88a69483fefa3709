"""Matched sets as a grid: one row a set, its members side by side."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

Pair = tuple[np.ndarray, np.ndarray]


class Grid(NamedTuple):
    """Two samples, sorted into their sets.

    Attributes
    ----------
    values : ndarray, shape (..., analytes, sets, members)
        NaN where a value is missing, or a set has fewer members than the largest. A set begins with its cases.
    case : ndarray of bool, shape (..., 1, sets, members)
        False also where there is no member.
    columns : ndarray, shape (..., 1, q, sets, members), or None
        Covariates; 0 where there is no member.
    """

    values: np.ndarray
    case: np.ndarray
    columns: np.ndarray | None


def grid_of(x: np.ndarray, y: np.ndarray, sets: Pair, covariates: Pair | None = None) -> Grid:
    """Sort values of cases and controls into their sets.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Also a single row, shapes (n1,) and (n2,), which is given an axis of analytes.
    sets : tuple of ndarray of int
        Set of each member of `x` and of `y`, shapes (..., n1) and (..., n2), the same for all analytes; any numbers. Those below
        0 are in no set.
    covariates : tuple of ndarray, optional
        Of shapes (..., q, n1) and (..., q, n2).

    Returns
    -------
    Grid

    Examples
    --------
    >>> grid = grid_of(np.array([5.0, 7]), np.array([1.0, 2, 3]), (np.array([4, 9]), np.array([9, 4, 4])))
    >>> grid.values.tolist()
    [[[5.0, 2.0, 3.0], [7.0, 1.0, nan]]]
    >>> grid.case.tolist()
    [[[True, False, False], [True, False, False]]]
    """
    x, y = np.atleast_2d(x), np.atleast_2d(y)
    lead = x.shape[:-2]
    own = np.concatenate([np.broadcast_to(part, (*lead, part.shape[-1])) for part in sets], axis=-1)
    place = _places(own)
    at = place.reshape(*place.shape[:-2], -1)

    def sorted_out(parts: Pair, blank: float) -> np.ndarray:
        joined = np.concatenate([*parts, np.full((*parts[0].shape[:-1], 1), blank)], axis=-1)
        if at.ndim == 1:
            taken = joined[..., at]
        else:
            index = np.broadcast_to(at[..., None, :], (*joined.shape[:-1], at.shape[-1]))
            taken = np.take_along_axis(joined, index, axis=-1)
        return np.ascontiguousarray(taken).reshape(*taken.shape[:-1], *place.shape[-2:])

    columns = None
    if covariates is not None:
        wide = [np.broadcast_to(z, (*lead, *z.shape[-2:])) for z in covariates]
        columns = sorted_out((wide[0], wide[1]), 0.0)[..., None, :, :, :]
    case = np.broadcast_to((place < x.shape[-1])[..., None, :, :], (*lead, 1, *place.shape[-2:]))
    return Grid(sorted_out((x, y), np.nan), case, columns)


def _places(own: np.ndarray) -> np.ndarray:
    """Return the position along the subjects of each member of each set, (..., sets, members); one past the last: none."""
    flat = own.reshape(-1, own.shape[-1])
    alike = (flat == flat[:1]).all()
    rows = flat[:1] if alike else flat
    n = rows.shape[1]
    order = np.argsort(rows, axis=1, kind="stable")
    ordered = np.take_along_axis(rows, order, axis=1)
    new = np.ones_like(ordered, dtype=bool)
    new[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    known = ordered >= 0
    number = (new & known).cumsum(axis=1) - 1
    first = np.maximum.accumulate(np.where(new, np.arange(n), 0), axis=1)
    member = np.arange(n) - first
    n_sets = int(number.max(initial=-1)) + 1
    n_members = int(np.where(known, member, -1).max(initial=-1)) + 1
    place = np.full((len(rows), n_sets, n_members), n, dtype=np.intp)
    row, at = np.nonzero(known)
    place[row, number[row, at], member[row, at]] = order[row, at]
    return place[0] if alike else place.reshape(*own.shape[:-1], n_sets, n_members)


def paired_sets(values: np.ndarray, case: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return how many cases and controls of each set have a value, and whether both kinds do; shape (..., analytes, sets)."""
    there = ~np.isnan(values)
    n_case = (there & case).sum(axis=-1)
    n_control = there.sum(axis=-1) - n_case
    return n_case, n_control, (n_case > 0) & (n_control > 0)
