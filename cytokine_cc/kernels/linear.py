"""Linear models: the difference of two groups after covariates, or after the baseline, each row by its own rank."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, by_rows, constant, t_statistics, too_few

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
    Equals ``lm(value ~ extra + covariates + group)`` in R. Each row has the subjects that it has, and its own rank: as in R a
    column is left out when less than 1e-7 of its norm is left after the columns before it. Columns are made orthogonal by
    the modified Gram-Schmidt process, twice (Giraud et al. 2005), so that no cross-products are formed.

    References
    ----------
    Giraud L, Langou J, Rozloznik M. Comput Math Appl 2005;50:1069-1075. doi:10.1016/j.camwa.2005.08.009.

    Examples
    --------
    >>> age = np.array([[61.0, 55, 70, 66]]), np.array([[50.0, 72, 58, 64, 69]])
    >>> fit = least_squares(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]), age)
    >>> round(float(fit.estimate), 4), round(float(fit.unscaled * np.sqrt(fit.s2)), 4), float(fit.df)
    (1.2642, 0.2523, 6.0)
    """
    values = by_rows(np.concatenate([x, y], axis=-1))
    n1 = x.shape[-1]
    base = None if extra is None else by_rows(np.concatenate(extra, axis=-1))
    there = _there(values, base)
    group = np.zeros(values.shape[-1])
    group[:n1] = 1.0
    n = _total(there, values.shape)
    n_case = n if there is None else there[..., :n1].sum(axis=-1).astype(np.float64)
    if there is None:
        n_case = np.full_like(n, float(n1))

    basis: list[np.ndarray] = []
    rank, aliased = np.ones_like(n), np.zeros(n.shape, dtype=bool)
    for column in _columns(values.ndim, base, covariates):
        unit, norm, told = _orthogonal(column, there, n, basis)
        basis.append(unit)
        rank = rank + (norm > 0)
        aliased = aliased | (told & _varies(column, there))
    unit, norm, confounded = _orthogonal(group, there, n, basis)

    mean, y_left = _centred(values, there, n)
    ss_total = _dot(y_left, y_left)
    for column in basis:
        y_left = y_left - column * _dot(column, y_left)[..., None]
    along = _dot(unit, y_left)
    y_left = y_left - unit * along[..., None]
    few = too_few(np.minimum(n_case, n - n_case), 2)
    df = n - rank - 1
    note = np.where(few, few, np.where(confounded, int(Note.CONFOUNDED), too_few(df, 1)))
    with np.errstate(invalid="ignore", divide="ignore"):
        norm, df = np.where(note, np.nan, norm), np.where(note, np.nan, df)
        s2 = _dot(y_left, y_left) / df
        size = np.sqrt(mean**2 + ss_total / (n - 1))  # of the fitted values, as in R's warning of a perfect fit
        error = np.sqrt(s2) * np.minimum(1.0, 1 / norm)
        note = np.where(note, note, constant(error, size))
        note = note | np.where((note == 0) & aliased, int(Note.ALIASED), 0)
        return Fit(along / norm, 1 / norm, s2, df, n_case, n - n_case, mean, note)


def _there(values: np.ndarray, base: np.ndarray | None) -> np.ndarray | None:
    """Return which values enter; None if all do, so that rows can share what they have in common."""
    there = ~np.isnan(values if base is None else values + base)
    return None if there.all() else there


def _total(there: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    return np.full(shape[:-1], float(shape[-1])) if there is None else there.sum(axis=-1).astype(np.float64)


def _columns(ndim: int, base: np.ndarray | None, covariates: Pair | None) -> Iterator[np.ndarray]:
    """Yield the columns between the intercept and the group; covariates get an axis for the analytes, where there is one."""
    if base is not None:
        yield base
    if covariates is not None:
        both = by_rows(np.concatenate(covariates, axis=-1))
        for j in range(both.shape[-2]):
            yield both[..., j, :] if ndim == 1 else both[..., j : j + 1, :]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return by_rows(a * b).sum(axis=-1)


def _centred(column: np.ndarray, there: np.ndarray | None, n: np.ndarray) -> Pair:
    """Return the mean of what enters, and the distances from it, 0 for what does not enter."""
    if there is None:
        mean = column.sum(axis=-1) / column.shape[-1]
        return mean, column - mean[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        mean = by_rows(np.where(there, column, 0.0)).sum(axis=-1) / n
        return mean, np.where(there, column - mean[..., None], 0.0)


def _orthogonal(column: np.ndarray, there: np.ndarray | None, n: np.ndarray, basis: list[np.ndarray]) -> tuple[Any, Any, Any]:
    """Return what the intercept and the basis leave of a column, of length 1 or all 0; its norm or 0; whether it is told."""
    entered = column if there is None else np.where(there, column, 0.0)
    left = entered
    for _ in range(2):
        left = _centred(left, there, n)[1]
        for other in basis:
            left = left - other * _dot(other, left)[..., None]
    norm = np.sqrt(_dot(left, left))
    told = ~(norm >= TOLERANCE * np.sqrt(_dot(entered, entered))) | (norm == 0)
    norm = np.where(told, 0.0, norm)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(told[..., None], 0.0, left / norm[..., None]), norm, told


def _varies(column: np.ndarray, there: np.ndarray | None) -> np.ndarray:
    """Flag columns with two values that differ among those that entered."""
    if there is None:
        return column.max(axis=-1) > column.min(axis=-1)
    return np.where(there, column, -np.inf).max(axis=-1) > np.where(there, column, np.inf).min(axis=-1)


def linear_model(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    covariates: Pair | None = None,
) -> Statistics:
    """Do two groups have the same mean, once they agree in the covariates?

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values on the analysis scale; NaN is missing and does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2).

    Returns
    -------
    Statistics
        Of shape (..., analytes).
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
    """Do later values of two groups differ, among subjects who began at the same level?"""
    return _statistics(least_squares(x, y, covariates, baseline), alternative, conf_level)


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
        reference="Giraud L, Langou J, Rozloznik M. Comput Math Appl 2005;50:1069-1075. doi:10.1016/j.camwa.2005.08.009",
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
