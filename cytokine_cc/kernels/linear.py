"""Linear models: the difference of two groups after covariates, or after the baseline, each row by its own rank."""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, by_rows, constant, t_statistics, too_few

BLOCK_VALUES = 65_536  # worked on at a time: what fits a cache
TOLERANCE = 1e-7  # of R's lm: a column of which less than this share is left is told by those before it

Pair = tuple[np.ndarray, np.ndarray]


class Fit(NamedTuple):
    """What a linear model finds of each row, shape (...).

    Attributes
    ----------
    estimate : ndarray
        `x` minus `y` after the covariates; NaN, as `unscaled`, `s2` and `df`, where `note` is TOO_FEW or CONFOUNDED.
    unscaled : ndarray
        The standard error is ``unscaled * sqrt(s2)``.
    s2 : ndarray
        Residual variance. Where it is rounding error, `note` is CONSTANT and the numbers stand.
    df : ndarray
        Number of values less the rank, the group included.
    n_case, n_control : ndarray
        Numbers of values that entered.
    mean : ndarray
        Of all values that entered, both groups together.
    note : ndarray of int
        `Note` flags. ALIASED stands beside an answer, the others tell why there is none.
    """

    estimate: np.ndarray
    unscaled: np.ndarray
    s2: np.ndarray
    df: np.ndarray
    n_case: np.ndarray
    n_control: np.ndarray
    mean: np.ndarray
    note: np.ndarray

    @property
    def blocked(self) -> np.ndarray:
        """Rows without an answer."""
        return (self.note & ~int(Note.ALIASED)) != 0


def least_squares(x: np.ndarray, y: np.ndarray, covariates: Pair | None = None, extra: Pair | None = None) -> Fit:
    """Fit an intercept, covariates and the group to each row by least squares.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values on the analysis scale; NaN is missing. Also a single row, shapes (n1,) and (n2,).
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2), the same for all analytes, without an intercept.
    extra : tuple of ndarray, optional
        One more column that differs by row, of the shapes of `x` and `y`, before the covariates; a subject whose value is NaN
        does not enter.

    Returns
    -------
    Fit
        Of shape (..., analytes).

    Notes
    -----
    Equals ``lm(value ~ extra + covariates + group)`` in R. Each row has the subjects that it has, and its own rank: as in R, a
    column is left out when less than 1e-7 of its norm is left after the columns before it, the group last of all.

    Columns, and the values as one more, are made orthogonal by the modified Gram-Schmidt process. Without cross-products this
    is as stable as Householder's reflections (Bjorck and Paige 1992); a second pass gains nothing here.

    References
    ----------
    Bjorck A, Paige CC. SIAM J Matrix Anal Appl 1992;13:176-190. doi:10.1137/0613015.

    Examples
    --------
    >>> age = np.array([[61.0, 55, 70, 66]]), np.array([[50.0, 72, 58, 64, 69]])
    >>> fit = least_squares(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]), age)
    >>> round(float(fit.estimate), 4), round(float(fit.unscaled * np.sqrt(fit.s2)), 4), float(fit.df)
    (1.2642, 0.2523, 6.0)
    """
    shape = x.shape[:-1]
    replicates, analytes = prod(shape[:-1]), prod(shape[-1:])
    of_rows = [part.reshape(replicates, analytes, part.shape[-1]) for part in (x, y, *(extra or ()))]
    shared = [np.broadcast_to(z, (*shape[:-1], *z.shape[-2:])).reshape(replicates, *z.shape[-2:]) for z in covariates or ()]
    found = Fit(*(np.empty((replicates, analytes), dtype=kind) for kind in (*[np.float64] * 7, np.int64)))
    for rows in _blocks(replicates, analytes, x.shape[-1] + y.shape[-1]):
        part = _fit([z[rows] for z in of_rows], [z[rows[0]] for z in shared])
        for whole, piece in zip(found, part, strict=True):
            whole[rows] = piece
    return Fit(*(whole.reshape(shape) for whole in found))


def _blocks(replicates: int, analytes: int, n: int) -> Iterator[tuple[slice, slice]]:
    """Yield rows that fit the cache together; they change no bit of the answer."""
    many = max(1, BLOCK_VALUES // max(1, n))
    step, step_rows = max(1, many // max(1, analytes)), min(analytes, many)
    for i in range(0, replicates, step):
        for j in range(0, analytes, max(1, step_rows)):
            yield slice(i, i + step), slice(j, j + step_rows)


def _fit(of_rows: list[np.ndarray], shared: list[np.ndarray]) -> Fit:
    """Fit one block: values of x and y, and of the extra column, by row; covariates by replicate."""
    n1, n2 = (part.shape[-1] for part in of_rows[:2])
    values, *extra = (_joined(of_rows[i : i + 2]) for i in range(0, len(of_rows), 2))
    kept = _entered(values, extra)
    n_case, n_control = (part.sum(axis=-1) for part in (kept[..., :n1], kept[..., n1:]))
    n = n_case + n_control
    basis: list[np.ndarray] = []
    rank, aliased = np.full(n.shape, 2.0), np.zeros(n.shape, dtype=bool)
    for column in (*extra, *_columns(shared)):
        unit, norm = _orthogonal(column, kept, n, basis)
        basis.append(unit)
        rank = rank + (norm > 0)
        if not norm.all():
            aliased = aliased | ((norm == 0) & _varies(column, kept))
    unit, norm = _orthogonal(np.repeat([1.0, 0.0], [n1, n2]), kept, n, basis)

    mean, left = _centred(np.where(kept, values, 0.0), kept, n)
    ss = _dot(left, left)
    for column in basis:
        left -= column * _dot(column, left)[..., None]
    along = _dot(unit, left)
    left -= unit * along[..., None]
    few, df = too_few(np.minimum(n_case, n_control), 2), n - rank
    note = np.where(few, few, np.where(norm == 0, int(Note.CONFOUNDED), too_few(df, 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        norm, df = np.where(note, np.nan, norm), np.where(note, np.nan, df)
        s2 = _dot(left, left) / df
        size = np.sqrt(mean**2 + ss / (n - 1))  # of the fitted values, as in R's warning of a perfect fit
        note = np.where(note, note, constant(np.sqrt(s2) * np.minimum(1.0, 1 / norm), size))
        note = note | np.where((note == 0) & aliased, int(Note.ALIASED), 0)
        return Fit(along / norm, 1 / norm, s2, df, n_case, n_control, mean, note)


def _entered(values: np.ndarray, extra: list[np.ndarray]) -> np.ndarray:
    """Return 1 for what enters, else 0; where the rows of each replicate are alike in this, one stands for all.

    They then share the columns that do not differ by row, made orthogonal once.
    """
    kept = 1.0 - np.isnan(sum(extra, values))
    return kept[:, :1] if (kept == kept[:, :1]).all() else kept


def _joined(of_groups: list[np.ndarray]) -> np.ndarray:
    return by_rows(np.concatenate(of_groups, axis=-1))


def _columns(shared: list[np.ndarray]) -> Iterator[np.ndarray]:
    """Yield the covariates, each with an axis of length 1 for the analytes."""
    if shared:
        both = _joined(shared)
        for j in range(both.shape[1]):
            yield both[:, j : j + 1]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a * b).sum(axis=-1)


def _centred(column: np.ndarray, kept: np.ndarray, n: np.ndarray) -> Pair:
    """Return the mean of what enters, and the distances from it; what does not enter is 0, before and after."""
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = column.sum(axis=-1) / n
    left = column - mean[..., None]
    left *= kept
    return mean, left


def _orthogonal(column: np.ndarray, kept: np.ndarray, n: np.ndarray, basis: list[np.ndarray]) -> Pair:
    """Return what the intercept and the basis leave of a column, and its norm; scaled to 1, or 0 where they tell it."""
    entered = np.where(kept, column, 0.0)
    left = _centred(entered, kept, n)[1]
    for other in basis:
        left = left - other * _dot(other, left)[..., None]
    norm = np.sqrt(_dot(left, left))
    norm = np.where(norm >= TOLERANCE * np.sqrt(_dot(entered, entered)), norm, 0.0)
    with np.errstate(divide="ignore"):
        return left * np.where(norm, 1 / norm, 0.0)[..., None], norm


def _varies(column: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Flag columns with two values that differ among those that entered."""
    return np.where(kept, column, -np.inf).max(axis=-1, initial=-np.inf) > np.where(kept, column, np.inf).min(
        axis=-1, initial=np.inf
    )


def linear_model(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    covariates: Pair | None = None,
) -> Statistics:
    """Do two groups have the same mean at the same values of the covariates?

    Null hypothesis: the coefficient of the group is 0. Estimand: the difference of means of `x` and `y` between subjects who
    agree in the covariates (on a log scale the ratio of geometric means). Assumes that covariates act in a straight line and
    alike in both groups, and normal residuals of one variance.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values on the analysis scale; NaN is missing and does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2), the same for all analytes: numbers, or 0 and 1 for the levels
        of a text but one. Without an intercept, and without NaN where a value enters.

    Returns
    -------
    Statistics
        Of shape (..., analytes). NaN with a note where a group has fewer than 2 values, no degree of freedom is left, the
        covariates tell the group, or the residuals are rounding error (R warns: "essentially perfect fit"). A covariate that
        others tell is left out, with a note; one that does not vary, without.

    Notes
    -----
    Equals ``lm(y ~ covariates + group)`` in R; without covariates, Student's t test. Ties and zeros need no care; values beyond
    a limit must have been replaced.

    References
    ----------
    Fisher RA. J R Stat Soc 1922;85:597-612. doi:10.2307/2341124.

    Examples
    --------
    >>> age = np.array([[61.0, 55, 70, 66]]), np.array([[50.0, 72, 58, 64, 69]])
    >>> cases, controls = np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1])
    >>> s = linear_model(cases, controls, covariates=age)
    >>> round(float(s.statistic), 4), float(s.df), round(float(s.p_value), 5)
    (5.0104, 6.0, 0.00243)
    """
    return _statistics(least_squares(x, y, covariates), alternative, conf_level)


def ancova(
    x: np.ndarray,
    y: np.ndarray,
    *,
    baseline: Pair,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    covariates: Pair | None = None,
) -> Statistics:
    """Do two groups differ later, among subjects who began at the same level?

    Null hypothesis: the coefficient of the group is 0. Estimand: the difference of later means of `x` and `y` between subjects
    of one baseline value (on a log scale the ratio of geometric means). Assumes that the later value follows the baseline in a
    straight line of one slope in both groups, and normal residuals of one variance.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Later values on the analysis scale, not changes; NaN is missing and does not count.
    baseline : tuple of ndarray
        Baseline values of the same subjects, of the shapes of `x` and `y`; a subject enters with both.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    covariates : tuple of ndarray, optional
        As in `linear_model`.

    Returns
    -------
    Statistics
        Of shape (..., analytes). NaN with a note as in `linear_model`.

    Notes
    -----
    Equals ``lm(later ~ baseline + covariates + group)`` in R. Changes in place of later values give the same.

    Where groups differ at baseline this is not the question that a change score answers (Lord's paradox): with the slope b of
    the later value on the baseline, the estimate is the difference of later means less b times the difference at baseline,
    while the change score subtracts all of the latter. In a randomised trial both estimate one thing, ancova with the smaller
    error (Vickers and Altman 2001). Groups that are chosen by what happens later may differ at baseline for good: then ancova
    expects of the lower group a catch-up that need not come.

    A baseline is a covariate measured with error; one below its limit, for which a number stands in, all the more so. Error
    flattens the slope, and part of a difference at baseline is then left in the estimate.

    References
    ----------
    Vickers AJ, Altman DG. BMJ 2001;323:1123-1124. doi:10.1136/bmj.323.7321.1123.
    Lord FM. Psychol Bull 1967;68:304-305. doi:10.1037/h0025105.

    Examples
    --------
    >>> before = np.array([4.9, 4.2, 5.8, 5.1]), np.array([4.1, 4.6, 3.7, 4.4, 4.5])
    >>> s = ancova(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]), baseline=before)
    >>> round(float(s.estimate), 4), float(s.df), round(float(s.p_value), 5)
    (0.7048, 6.0, 0.02183)
    """
    return _statistics(least_squares(x, y, covariates, baseline), alternative, conf_level)


def slope_within(x: np.ndarray, y: np.ndarray, on: Pair, covariates: Pair | None = None) -> np.ndarray:
    """Return the slope of values on another column within groups, at the same values of the covariates.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        NaN is missing.
    on : tuple of ndarray
        The column, of the shapes of `x` and `y`; a subject enters with both.
    covariates : tuple of ndarray, optional
        As in `linear_model`.

    Returns
    -------
    ndarray, shape (..., analytes)
        The coefficient of `on` in ``lm(value ~ on + covariates + group)``; NaN where `on` does not vary beside the others.

    Examples
    --------
    >>> before = np.array([4.9, 4.2, 5.8, 5.1]), np.array([4.1, 4.6, 3.7, 4.4, 4.5])
    >>> slope = slope_within(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]), before)
    >>> round(float(slope), 4)
    0.7773
    """
    shape = x.shape[:-1]
    x, y, before, after = (np.atleast_2d(part) for part in (x, y, *on))
    values, column = _joined([x, y]), _joined([before, after])
    kept = 1.0 - np.isnan(values + column)
    n = kept.sum(axis=-1)
    basis: list[np.ndarray] = []
    shared = [np.broadcast_to(z, (*x.shape[:-2], *z.shape[-2:])) for z in covariates or ()]
    others = [np.concatenate(shared, axis=-1)[..., j, None, :] for j in range(shared[0].shape[-2])] if shared else []
    for other in (np.repeat([1.0, 0.0], [x.shape[-1], y.shape[-1]]), *others):
        basis.append(_orthogonal(np.broadcast_to(other, kept.shape), kept, n, basis)[0])
    unit, norm = _orthogonal(column, kept, n, basis)
    with np.errstate(invalid="ignore", divide="ignore"):
        slope = _dot(unit, np.where(kept, values, 0.0)) / norm
    return np.where(norm > 0, slope, np.nan).reshape(shape)


def _statistics(fit: Fit, alternative: str, conf_level: float | None) -> Statistics:
    blocked = np.where(fit.blocked, fit.note, 0)
    estimate = np.where(blocked, np.nan, fit.estimate)
    found = t_statistics(estimate, fit.unscaled * np.sqrt(fit.s2), fit.df, blocked, alternative, conf_level)
    return found._replace(note=fit.note)


LINEAR = {
    "linear_model": Test(
        name="linear_model",
        function=linear_model,
        label="a linear model",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="t",
        methods=("least squares, t",),
        r_call="lm(y ~ covariates + group)",
        reference="Fisher RA. J R Stat Soc 1922;85:597-612. doi:10.2307/2341124",
        takes=("covariates",),
    ),
    "ancova": Test(
        name="ancova",
        function=ancova,
        label="analysis of covariance",
        questions=(BETWEEN,),
        paired=False,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="t",
        methods=("least squares, t",),
        r_call="lm(later ~ baseline + covariates + group)",
        reference="Vickers AJ, Altman DG. BMJ 2001;323:1123-1124. doi:10.1136/bmj.323.7321.1123",
        takes=("baseline", "covariates"),
    ),
}
