"""Matched sets of any size: a linear model with an effect of each set, and van Elteren's rank test."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, constant, t_statistics
from .linear import TOLERANCE
from .ranks import midranks
from .sets import Grid, Pair, grid_of, paired_sets

ENOUGH = 20  # cases, and controls, for a normal approximation that is not rough
_BLOCK_VALUES = 65_536  # worked on at a time: what fits a cache


def set_sum(values: np.ndarray) -> np.ndarray:
    """Sum over the members of each set, then over the sets, so that empty ones behind the last change no bit.

    A replicate has the same bits alone and beside one with more or larger sets: terms are added two by two, and a zero more at
    the end leaves each of these sums as it is.

    Parameters
    ----------
    values : ndarray, shape (..., sets, members)
        0 where there is no member.

    Returns
    -------
    ndarray, shape (...)

    Examples
    --------
    >>> set_sum(np.array([[1.0, 2.0, 0.0], [3.0, 4.0, 5.0]]))
    array(15.)
    """
    return halved(halved(values))


def halved(values: np.ndarray) -> np.ndarray:
    """Sum over the last axis, two neighbours at a time."""
    n = values.shape[-1]
    if n == 0:
        return np.zeros(values.shape[:-1])
    while n > 1:
        pairs = values[..., : n - n % 2 : 2] + values[..., 1::2]
        values = np.concatenate([pairs, values[..., -1:]], axis=-1) if n % 2 else pairs
        n = values.shape[-1]
    return values[..., 0]


class _Members(NamedTuple):
    """What enters of a grid; 1 and 0, shape (..., analytes or 1, sets, members), and numbers by set and in all."""

    kept: np.ndarray
    by_set: np.ndarray
    n: np.ndarray


def stratified(
    x: np.ndarray,
    y: np.ndarray,
    *,
    sets: Pair,
    covariates: Pair | None = None,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
) -> Statistics:
    """Do cases and controls of one matched set have the same mean?

    Null hypothesis: the coefficient of the group is 0, beside an effect of each set. Estimand: the difference of means of cases
    and controls of one set, at the same values of the covariates (on a log scale the ratio of geometric means), the same in all
    sets. Assumes normal residuals of one variance, and covariates that act in a straight line, alike in all sets.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values of cases and controls on the analysis scale, or changes; NaN is missing and does not count. Also a single row,
        shapes (n1,) and (n2,).
    sets : tuple of ndarray of int
        Matched set of each member of `x` and of `y`, shapes (..., n1) and (..., n2), the same for all analytes; below 0: none,
        and the value does not count.
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2), the same for all analytes: numbers, or 0 and 1 for the levels
        of a text but one. Without NaN where a value enters.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.

    Returns
    -------
    Statistics
        Of shape (..., analytes). NaN with a note where no set has values of both kinds (NO_SET), the covariates tell cases from
        controls within the sets (CONFOUNDED), no degree of freedom is left (NO_FREEDOM), no value differs from others of its
        set (NO_VARIATION), or the residuals are rounding error (PERFECT_FIT): all differences are the same, or a covariate is the
        value. A covariate that others tell is left out, with a note;
        one that does not vary within any set, without: the sets have adjusted for it.

    Notes
    -----
    Equals ``lm(y ~ covariates + factor(set) + group)`` in R, and for sets of one case and one control `paired_t`. A set of one
    kind only says nothing of the difference, but something of the variance, as in R; a set with one value says nothing. Columns
    and values are centred within the sets, which is what their effects do, and then made orthogonal in order, each row by its
    own rank (see `least_squares`).

    The effects of sets are fixed. Sets in which one kind is rare weigh less: with m cases and k controls by mk/(m + k).
    Ties and zeros need no care; values beyond a limit must have been replaced.

    References
    ----------
    Fisher RA. The Design of Experiments. Oliver and Boyd 1935 (blocks).
    Frisch R, Waugh FV. Econometrica 1933;1:387-401. doi:10.2307/1907330 (centring in place of an effect for each set).

    Examples
    --------
    >>> cases, controls = np.array([5.1, 4.9, 6.2]), np.array([4.0, 4.4, 3.9, 4.7, 5.6, 5.0])
    >>> s = stratified(cases, controls, sets=(np.arange(3), np.array([0, 0, 1, 1, 2, 2])))
    >>> round(float(s.estimate), 4), float(s.df), round(float(s.p_value), 5)
    (0.8, 5.0, 0.02365)
    """
    shape = x.shape[:-1]
    found = np.empty((3, prod(shape[:-1]), prod(shape[-1:])))
    note = np.zeros(found.shape[1:], dtype=np.int64)
    for rows, grid in grids(x, y, sets, covariates):
        *found[:, rows], note[rows] = _set_effects(grid)
    estimate, std_error, df, note = (part.reshape(shape) for part in (*found, note))
    answer = t_statistics(estimate, std_error, df, np.where(np.isnan(estimate), note, 0), alternative, conf_level)
    return answer._replace(note=note)


def grids(x: np.ndarray, y: np.ndarray, sets: Pair, covariates: Pair | None = None) -> Iterator[tuple[slice, Grid]]:
    """Yield replicates that fit the cache together, and their grid; they change no bit of an answer.

    Parameters
    ----------
    x, y, sets, covariates
        As in `stratified`.

    Yields
    ------
    rows : slice
        Of the replicates, all leading axes as one.
    grid : Grid
        Of shape (replicates, analytes, sets, members).
    """
    lead = x.shape[:-2]
    replicates, analytes = prod(lead), prod(x.shape[-2:-1])
    values = [part.reshape(replicates, analytes, part.shape[-1]) for part in (x, y)]
    own = [np.broadcast_to(part, (*lead, part.shape[-1])).reshape(replicates, part.shape[-1]) for part in sets]
    wide = [np.broadcast_to(z, (*lead, *z.shape[-2:])).reshape(replicates, *z.shape[-2:]) for z in covariates or ()]
    step = max(1, _BLOCK_VALUES // max(1, analytes * (x.shape[-1] + y.shape[-1])))
    for i in range(0, replicates, step):
        rows = slice(i, i + step)
        z = (wide[0][rows], wide[1][rows]) if wide else None
        yield rows, grid_of(values[0][rows], values[1][rows], (own[0][rows], own[1][rows]), z)


def _set_effects(grid: Grid) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return estimate, standard error, degrees of freedom and note of one block."""
    informative = paired_sets(grid.values, grid.case)[2].any(axis=-1)
    inside = _members(grid.values)
    members = _alike(inside)
    basis: list[np.ndarray] = []
    rank, aliased = np.ones(members.n.shape), np.zeros(members.n.shape, dtype=bool)
    for column in () if grid.columns is None else np.moveaxis(grid.columns, -3, 0):
        unit, norm, varies = _orthogonal(column, members, basis)
        basis.append(unit)
        rank = rank + (norm > 0)
        aliased = aliased | ((norm == 0) & varies)
    unit, norm, _ = _orthogonal(grid.case * 1.0, members, basis)

    values = np.where(inside.kept, grid.values, 0.0)
    size, left = _size(values, inside), _centred(values, inside)
    spread = np.sqrt(_dot(left, left) / np.maximum(inside.n, 1))
    for column in basis:
        left -= column * _dot(column, left)[..., None, None]
    along = _dot(unit, left)
    left -= unit * along[..., None, None]
    df = inside.n - (inside.by_set > 0).sum(axis=-1) - rank
    note = np.where(
        informative, np.where(norm == 0, int(Note.CONFOUNDED), np.where(df < 1, int(Note.NO_FREEDOM), 0)), int(Note.NO_SET)
    )
    note = np.where((note == 0) & (constant(spread, size) != 0), int(Note.NO_VARIATION), note)
    with np.errstate(invalid="ignore", divide="ignore"):
        norm, df = np.where(note, np.nan, norm), np.where(note, np.nan, df)
        s = np.sqrt(_dot(left, left) / df)
        perfect = constant(s * np.minimum(1.0, 1 / norm), size) != 0
        note = np.where((note == 0) & perfect, int(Note.PERFECT_FIT), note)
        note, estimate = note | np.where((note == 0) & aliased, int(Note.ALIASED), 0), along / norm
        estimate = np.where(note & ~int(Note.ALIASED), np.nan, estimate)
        return estimate, s / norm, df, note


def _members(values: np.ndarray) -> _Members:
    """What enters: the values of sets with two or more; one alone tells nothing beside the effect of its set."""
    there = ~np.isnan(values)
    by_set = there.sum(axis=-1)
    by_set = np.where(by_set > 1, by_set, 0)
    return _Members((there & (by_set > 0)[..., None]) * 1.0, by_set, by_set.sum(axis=-1))


def _alike(members: _Members) -> _Members:
    """Where the rows of each replicate have the same members, let one stand for all: columns are then made orthogonal once."""
    first = members.kept[:, :1]
    return _Members(*(part[:, :1] for part in members)) if (members.kept == first).all() else members


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return set_sum(a * b)


def _centred(column: np.ndarray, members: _Members) -> np.ndarray:
    """Return the distances from the mean of each set; what does not enter is 0, before and after."""
    left = column - (halved(column) / np.maximum(members.by_set, 1))[..., None]
    left *= members.kept
    return left


def _size(values: np.ndarray, members: _Members) -> np.ndarray:
    """Return the root mean square of what enters: against it rounding error is told."""
    return np.sqrt(_dot(values, values) / np.maximum(members.n, 1))


def _orthogonal(column: np.ndarray, members: _Members, basis: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the sets and the basis leave of a column, scaled to 1, or 0 where they tell it; its norm; whether it varies."""
    entered = np.where(members.kept, column, 0.0)
    left = _centred(entered, members)
    varies = _varies(column, members)
    for other in basis:
        left = left - other * _dot(other, left)[..., None, None]
    norm = np.sqrt(_dot(left, left))
    norm = np.where(norm >= TOLERANCE * np.sqrt(_dot(entered, entered)), norm, 0.0)
    with np.errstate(divide="ignore"):
        return left * np.where(norm, 1 / norm, 0.0)[..., None, None], norm, varies


def _varies(column: np.ndarray, members: _Members) -> np.ndarray:
    """Flag columns that differ between two members of one set."""
    high = np.where(members.kept, column, -np.inf).max(axis=-1, initial=-np.inf)
    return (high > np.where(members.kept, column, np.inf).min(axis=-1, initial=np.inf)).any(axis=-1)


def van_elteren(
    x: np.ndarray, y: np.ndarray, *, sets: Pair, alternative: str = "two-sided", conf_level: float | None = 0.95
) -> Statistics:
    """Do cases rank higher than the controls of their own set?

    Null hypothesis: within each set, values of cases and controls come from one distribution, which may be another in each
    set. No estimand.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values of cases and controls, or changes; NaN is missing; -inf and inf are tied lowest and highest. Also a single row,
        shapes (n1,) and (n2,).
    sets : tuple of ndarray of int
        Matched set of each member of `x` and of `y`, as in `stratified`.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        Not used: there is no interval.

    Returns
    -------
    Statistics
        Of shape (..., analytes); ``statistic`` is standard normal under the null hypothesis. NaN with a note where no set has
        values of both kinds (NO_SET), or those of each such set are tied (NO_VARIATION).

    Notes
    -----
    The rank sums of the cases less their expectations, divided by n + 1 of their set and added up, over the root of the
    variance under all permutations within sets (midranks, so that ties count). No correction for continuity. Equals
    ``coin::independence_test(rank/(n + 1) ~ group | set)`` in R. Values are ranked after rounding to 12 significant digits,
    as in `mann_whitney`. Sets of one kind only say nothing.

    One set gives Wilcoxon's rank sum test by the normal approximation; sets of one case and one control the sign test by it,
    ties left out. The weights 1/(n + 1) are the best against one shift common to all sets.

    p is approximate: 4 pairs, all positive, have .0455, where the sign test has .125, so that a level of .05 is one of .125; from
    20 pairs on it is one of .03 to .08. Rows with fewer than 20 cases or fewer than 20 controls in sets that count (of both
    kinds, not all tied) have a note (ROUGH_NORMAL). `stratified_permutation` keeps its level at any size.

    References
    ----------
    van Elteren P. Bull Int Stat Inst 1960;37(3):351-361.
    Lehmann EL. Nonparametrics: Statistical Methods Based on Ranks. Holden-Day 1975, section 3.3.

    Examples
    --------
    >>> cases, controls = np.array([5.1, 4.9, 6.2]), np.array([4.0, 4.4, 3.9, 4.7, 5.6, 5.0])
    >>> s = van_elteren(cases, controls, sets=(np.arange(3), np.array([0, 0, 1, 1, 2, 2])))
    >>> round(float(s.statistic), 4), round(float(s.p_value), 4)
    (2.1213, 0.0339)
    """
    shape = x.shape[:-1]
    statistic = np.empty((prod(shape[:-1]), prod(shape[-1:])))
    note = np.empty(statistic.shape, dtype=np.int64)
    for rows, grid in grids(x, y, sets):
        statistic[rows], note[rows] = _rank_score(grid)
    z = statistic.reshape(shape)
    p = {"two-sided": lambda: 2 * ndtr(-np.abs(z)), "greater": lambda: ndtr(-z), "less": lambda: ndtr(z)}[alternative]()
    nan = np.full_like(z, np.nan)
    method = np.where(np.isnan(z), -1, 0).astype(np.int8)
    return Statistics(nan, nan, nan, nan, z, nan, p, method, note.reshape(shape), side=np.sign(z))


def _rank_score(grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Return the standardised sum of scores of the cases, and the note, of one block."""
    n_case, n_control, both = paired_sets(grid.values, grid.case)
    ranks, ties = midranks(np.where(both[..., None], grid.values, np.nan))
    n = n_case + n_control
    rank_sum = np.where(grid.case & ~np.isnan(ranks), ranks, 0.0).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        score = np.where(both, (rank_sum - n_case * (n + 1) / 2) / (n + 1), 0.0)
        of_ranks = n_case * n_control * (n * (n * n - 1.0) - ties) / (12.0 * n * (n - 1) * (n + 1.0) ** 2)
        variance = halved(np.where(both, of_ranks, 0.0))
        total = halved(score)
        total = np.where(np.abs(total) > 1e-12 * halved(np.abs(score)), total, 0.0)  # halves and thirds that cancel
        z = np.where(variance > 0, total / np.sqrt(variance), np.nan)
    counts = both & (of_ranks > 0)
    fewer = np.minimum(*(np.where(counts, part, 0).sum(axis=-1) for part in (n_case, n_control)))
    rough = np.where(fewer < ENOUGH, int(Note.ROUGH_NORMAL), 0)
    note = np.where(both.any(axis=-1), np.where(variance > 0, rough, int(Note.NO_VARIATION)), int(Note.NO_SET))
    return z, note


STRATIFIED = {
    "stratified": Test(
        name="stratified",
        function=stratified,
        label="a linear model with an effect of each matched set",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="t",
        methods=("least squares within sets, t",),
        r_call="lm(y ~ covariates + factor(set) + group)",
        reference="Frisch R, Waugh FV. Econometrica 1933;1:387-401. doi:10.2307/1907330",
        takes=("sets", "covariates"),
        sets="two",
    ),
    "van_elteren": Test(
        name="van_elteren",
        function=van_elteren,
        label="van Elteren's test",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=("lowest_rank", *NUMBER_RULES),
        estimand="none",
        conf_type="",
        methods=("normal approximation, tie-corrected",),
        r_call="coin::independence_test(rank/(n + 1) ~ group | set)",
        reference="van Elteren P. Bull Int Stat Inst 1960;37(3):351-361",
        takes=("sets",),
        sets="both",
    ),
}
