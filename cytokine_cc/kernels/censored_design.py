"""What a design can tell of each row where some values are known by a bound only: ranks, silent levels, estimates at the edge."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .censored_normal import factor, solve
from .common import too_few
from .linear import _columns, _orthogonal, _varies

TOLD = 1e-10  # of a column's square: what is left of it is told by those before it
NOWHERE = 1e-9  # of a column that the measured values tell: so little elsewhere is rounding error


class Design(NamedTuple):
    """Orthogonal columns of a block: intercept, covariates, group; shapes (replicates, 1 or analytes, ...).

    Attributes
    ----------
    columns : list of ndarray, shape (..., n)
        0 where nothing enters, and throughout where earlier columns tell one.
    norm : ndarray
        What is left of the group's column has this norm, or 0; its last coefficient is the group's effect times this.
    note : ndarray of int
        TOO_FEW, CONFOUNDED; or ALIASED, which forbids nothing.
    """

    columns: list[np.ndarray]
    norm: np.ndarray
    note: np.ndarray


def design(kept: np.ndarray, n1: int, shared: list[np.ndarray]) -> Design:
    """Make the columns of each row orthogonal, by the rule of `kernels.linear` for those that others tell.

    Parameters
    ----------
    kept : ndarray, shape (replicates, 1 or analytes, n)
        1 where a value enters, else 0.
    n1 : int
        How many of the n belong to the first group.
    shared : list of two ndarray, shape (replicates, q, n1), (replicates, q, n - n1), or empty
    """
    n_case, n_control = kept[..., :n1].sum(axis=-1), kept[..., n1:].sum(axis=-1)
    n = n_case + n_control
    basis: list[np.ndarray] = []
    aliased = np.zeros(n.shape, dtype=bool)
    for column in _columns(shared):
        unit, left = _orthogonal(column, kept, n, basis)
        basis.append(unit)
        aliased |= (left == 0) & _varies(column, kept)
    group, norm = _orthogonal(np.repeat([1.0, 0.0], [n1, kept.shape[-1] - n1]), kept, n, basis)
    few = too_few(np.minimum(n_case, n_control), 2)
    note = np.where(few, few, np.where(norm == 0, int(Note.CONFOUNDED), np.where(aliased, int(Note.ALIASED), 0)))
    return Design([kept, *basis, group], norm, note)


class Informative(NamedTuple):
    """What enters a likelihood: signs of values beyond limits, 0 where one says nothing, (rows, n); columns kept, (p, rows)."""

    sign: np.ndarray
    columns: np.ndarray


class Reach(NamedTuple):
    """What the supremum of each row's likelihood rests on, with the group free, and with its effect held.

    Attributes
    ----------
    free, held : Informative
    edge : ndarray
        -1 or 1 where the group's effect runs to -inf or inf, else 0.
    note : ndarray of int
        EDGE, SILENT_LEVEL; CONFOUNDED where nothing that enters holds the group's effect, though no group lies beyond its limits.
    """

    free: Informative
    held: Informative
    edge: np.ndarray
    note: np.ndarray


def told(gram: np.ndarray) -> np.ndarray:
    """Flag columns that the earlier ones tell among measured values, (p, rows), from their cross-products."""
    return factor(gram, TOLD)[0] == 0


def reach(q: np.ndarray, gram: np.ndarray, measured: np.ndarray, sign: np.ndarray, n1: int) -> Reach:
    """Find the directions in which a likelihood rises without end.

    Such a direction changes no fitted value of a measured value, and moves some of the others away from their limits and none
    toward it. Each column that the earlier ones tell among the measured values gives one direction to try; a value that
    moves has probability 1 at the end of it, and drops out with the column.

    Parameters
    ----------
    q : ndarray, shape (p, rows, n)
        Columns, the group last.
    gram : ndarray, shape (p, p, rows)
        Their cross-products over measured values.
    measured : ndarray of bool, shape (rows, n)
    sign : ndarray, shape (rows, n)
        1 below the limit, -1 above, else 0.
    n1 : int
        How many of the n belong to the first group.
    """
    without = told(gram)
    ways = np.zeros_like(q)
    for j in np.flatnonzero(without.any(axis=-1)):
        way = q[j]
        for k, b in enumerate(solve(gram[:j, :j], gram[:j, j], TOLD) if j else ()):
            way = way - b[:, None] * q[k]
        ways[j] = np.where(without[j, :, None] & (np.abs(way) > NOWHERE), way, 0.0)
    held, gone, _ = _settle(ways[:-1], sign)
    columns = _kept(ways[:-1], without[:-1], held, gone)
    free, gone, edge = _settle(ways, held)
    all_columns = _kept(ways, without, free, gone)
    both = measured[:, :n1].any(axis=-1) & measured[:, n1:].any(axis=-1)
    lost = ~all_columns[-1] & ((edge == 0) | both)  # with measured values in both groups, it is the covariates that tell them
    note = np.where((held != sign).any(axis=-1), int(Note.SILENT_LEVEL), 0) | np.where(edge != 0, int(Note.EDGE), 0)
    held_columns = np.concatenate([columns, np.ones_like(columns[:1])])
    return Reach(
        Informative(free, all_columns), Informative(held, held_columns), edge, np.where(lost, int(Note.CONFOUNDED), note)
    )


def _settle(ways: np.ndarray, sign: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Drop what runs to the end of a way, the earlier ways first, until nothing more does; tell the sense of the last way."""
    gone, edge = np.zeros(ways.shape[:2], dtype=bool), np.zeros(len(sign))
    while True:
        before = gone.copy()
        for j, way in enumerate(ways):
            gain = -sign * way
            up, down = (gain > 0).any(axis=-1), (gain < 0).any(axis=-1)
            now = up ^ down
            gone[j] |= now
            edge = np.where(now, np.where(up, 1.0, -1.0), edge) if j == len(ways) - 1 else edge
            sign = np.where(now[:, None] & (gain != 0), 0.0, sign)
        if (gone == before).all():
            return sign, gone, edge


def _kept(ways: np.ndarray, without: np.ndarray, sign: np.ndarray, gone: np.ndarray) -> np.ndarray:
    """Flag columns that measured values tell apart, or that values beyond limits hold from both sides."""
    return ~without | (~gone & ((sign * ways) != 0).any(axis=-1))
