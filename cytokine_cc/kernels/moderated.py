"""Moderated t tests: t with variances drawn toward what the panel's other rows say of them (limma)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, WITHIN, Moments, Statistics, Test, constant, moments, t_statistics, too_few
from .linear import Fit, Pair, least_squares
from .variance_prior import fit_prior, squeeze

METHODS = (
    "moderated by a common prior variance",
    "moderated by a prior variance that follows the mean level",
    "moderated by a prior variance robust against outlying analytes",
    "moderated by a prior variance that follows the mean level, robust against outlying analytes",
    "not moderated",
)
_BLOCK = 32_768  # values of a group whose moments are taken at a time: what a processor keeps at hand


def moderated_t(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    covariates: Pair | None = None,
    feed: np.ndarray | None = None,
    trend: bool = False,
    robust: bool = False,
) -> Statistics:
    """Do two groups have the same mean, if the analytes' variances are much alike?

    Null hypothesis: the population means are equal (once subjects agree in the covariates). Estimand: the difference of means of
    `x` and `y` (on a log scale the ratio of geometric means). Assumes normal values of the same variance in both groups, and
    that the analytes' variances come from one distribution, a scaled inverse chi-square: the panel says what a variance is
    likely to be, and each analyte's own is drawn toward that. What the panel is worth counts as additional degrees of freedom.

    So an analyte's p-value depends on which others are in the panel. Do not use it where they are few, or of different kinds:
    a prior from ten analytes is a guess, and one from three is noise. What is gained is small with 50 subjects, and large with 6.
    The level holds on average over the panel, not for each analyte: simulated with 30 and 22 subjects, 36 analytes and SDs of
    logs from .26 to 2.8, the analyte of the smallest SD rejects 3.3% of true nulls at 5%, that of the largest 5.7%.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values on the analysis scale; NaN is missing and does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2), without an intercept.
    feed : ndarray of bool, shape (..., analytes), optional
        Rows that may inform the prior; all if None. A row of mostly substituted values has too small a variance, by
        construction: it would make the others' too small. It is moderated by the prior all the same, with a note.
    trend : bool
        Whether the prior variance follows the mean level of the analyte.
    robust : bool
        Whether a few analytes of outlying variance may have a prior of their own, so that they do not pull the others'.

    Returns
    -------
    Statistics
        Of shape (..., analytes); `std_error` and `df` are the moderated ones. NaN with a note where a group has fewer than 2
        values, the residual variance is rounding error (limma has p-values there; such a row feeds the prior as a very small
        variance, as in limma), or covariates tell the groups apart. Where fewer than two rows can feed a prior there is none:
        Student's t, with a note.

    Notes
    -----
    Equals ``eBayes(lmFit(cbind(x, y), cbind(1, covariates, group)), trend = trend, robust = robust)`` in R, limma 3.54 (newer
    versions fit the prior in another way where degrees of freedom differ). A row that cannot be tested feeds the prior as
    far as its residual variance is known. Ties need no care; values beyond a limit must have been replaced.

    References
    ----------
    Smyth GK. Stat Appl Genet Mol Biol 2004;3:3. doi:10.2202/1544-6115.1027.
    Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK. Ann Appl Stat 2016;10:946-963. doi:10.1214/16-AOAS920.

    Examples
    --------
    >>> x = np.array([[5.1, 4.9, 6.2], [3.3, 3.4, 3.1], [7.0, 9.1, 8.2], [1.2, 0.4, 0.9]])
    >>> y = np.array([[4.0, 4.4, 3.9], [3.0, 2.9, 3.1], [7.1, 6.0, 8.3], [1.3, 2.0, 1.1]])
    >>> s = moderated_t(x, y)
    >>> s.statistic.round(4).tolist(), round(float(s.df[0]), 4), s.p_value.round(4).tolist()
    ([3.2992, 1.6017, 1.2388, -1.8817], 5.5059, [0.0186, 0.1648, 0.2656, 0.1133])
    """
    fit = _two_means(x, y, trend) if covariates is None else least_squares(x, y, covariates)
    return _moderated(fit, alternative, conf_level, feed, trend, robust)


def moderated_paired_t(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    feed: np.ndarray | None = None,
    trend: bool = False,
    robust: bool = False,
) -> Statistics:
    """Is the mean change zero, if the variances of the analytes' changes are much alike?

    Null hypothesis: the mean of the differences x - y within subjects is 0. Estimand: that mean (on a log scale the ratio of
    geometric means). Assumes normal differences, whose variances come from one distribution, as in `moderated_t`: an
    analyte's p-value depends on which others are in the panel, and few analytes make a poor prior.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n)
        Later visit and baseline of the same subjects; a pair with a NaN does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    feed : ndarray of bool, shape (..., analytes), optional
        Rows that may inform the prior; all if None.
    trend : bool
        Whether the prior variance follows the mean change.
    robust : bool
        As in `moderated_t`.

    Returns
    -------
    Statistics
        Of shape (..., analytes). NaN with a note where there are fewer than 2 pairs, or the differences are all zero or
        constant. Where fewer than two rows can feed a prior: the paired t test, with a note.

    Notes
    -----
    Equals ``eBayes(lmFit(x - y), trend = trend, robust = robust)`` in R, limma 3.54: an intercept is all there is.

    References
    ----------
    Smyth GK. Stat Appl Genet Mol Biol 2004;3:3. doi:10.2202/1544-6115.1027.
    Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK. Ann Appl Stat 2016;10:946-963. doi:10.1214/16-AOAS920.

    Examples
    --------
    >>> before = np.array([[5.1, 4.9, 6.2, 5.5], [3.3, 3.4, 3.1, 3.0], [7.0, 9.1, 8.2, 7.7]])
    >>> after = np.array([[4.0, 4.4, 5.9, 5.0], [3.2, 3.5, 3.2, 3.1], [7.1, 8.0, 8.3, 6.2]])
    >>> s = moderated_paired_t(after, before)
    >>> s.statistic.round(4).tolist(), round(float(s.df[0]), 4), s.p_value.round(4).tolist()
    ([-3.8038, 0.6863, -1.7003], 4.2149, [0.0173, 0.5284, 0.1606])
    """
    return _moderated(_mean_change(x, y), alternative, conf_level, feed, trend, robust)


def _two_means(x: np.ndarray, y: np.ndarray, level: bool) -> Fit:
    """Fit two means to each row: `least_squares` without covariates, in closed form; the common mean only if asked for."""
    a, b = _moments(x), _moments(y)
    n, few = a.n + b.n, too_few(np.minimum(a.n, b.n), 2)
    mean = np.full_like(n, np.nan)
    with np.errstate(invalid="ignore", divide="ignore"):
        if level:
            mean = (np.where(a.n > 0, a.n * a.mean, 0.0) + np.where(b.n > 0, b.n * b.mean, 0.0)) / n
        df = n - (a.n > 0) - (b.n > 0)
        s2, unscaled = (a.ss + b.ss) / np.where(df > 0, df, np.nan), np.sqrt(n / (a.n * b.n))
        note = np.where(few, few, constant(np.sqrt(s2) * unscaled, a.mean, b.mean))
        return Fit(a.mean - b.mean, unscaled, s2, df, a.n, b.n, mean, note)


def _mean_change(x: np.ndarray, y: np.ndarray) -> Fit:
    """Fit a mean to each row of differences."""
    d = _moments(x - y)
    few = too_few(d.n, 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(few, np.nan, d.n - 1)
        s2, unscaled = d.ss / df, 1 / np.sqrt(d.n)
        error = np.sqrt(s2) * unscaled
        flat = np.where((error == 0) & (d.mean == 0), int(Note.NO_CHANGE), constant(error, d.mean))
        return Fit(d.mean, unscaled, s2, df, d.n, d.n, d.mean, np.where(few, few, flat))


def _moments(x: np.ndarray) -> Moments:
    """Return the moments of each row, of many rows part by part, which is faster and changes no bit."""
    rows = x.reshape(prod(x.shape[:-1]), x.shape[-1])
    step = max(1, _BLOCK // max(1, x.shape[-1]))
    if len(rows) <= step:
        return moments(x)
    parts = [moments(rows[start : start + step]) for start in range(0, len(rows), step)]
    return Moments(*(np.concatenate(part).reshape(x.shape[:-1]) for part in zip(*parts, strict=True)))


def _moderated(
    fit: Fit, alternative: str, conf_level: float | None, feed: np.ndarray | None, trend: bool, robust: bool
) -> Statistics:
    """Draw the variances of all rows toward their prior, and test with these."""
    shape = fit.s2.shape
    if not shape:
        fit = Fit(*(part[None] for part in fit))
    s2, blocked, estimate = fit.s2, np.zeros_like(fit.note), fit.estimate
    if fit.note.any():
        s2 = np.where(fit.note & int(Note.CONSTANT | Note.NO_CHANGE), 0.0, s2)
        blocked = np.where(fit.blocked, fit.note, 0)
        estimate = np.where(blocked, np.nan, estimate)
    prior = fit_prior(s2, fit.df, feed, mean=fit.mean if trend else None, robust=robust)
    post, df = squeeze(s2, fit.df, prior)
    found = t_statistics(estimate, fit.unscaled * np.sqrt(post), df, blocked, alternative, conf_level)
    alone = np.isnan(prior.s2)
    note = np.where(alone, int(Note.NO_PRIOR), 0)
    if feed is not None:
        note = note | np.where(feed, 0, int(Note.NOT_FED))
    chosen = np.where(alone, len(METHODS) - 1, int(trend) + 2 * int(robust))
    method, note = np.where(blocked, -1, chosen).astype(np.int8), np.where(blocked, 0, note) | fit.note
    found = found._replace(method=method, note=note)
    return found if shape else Statistics(*(part[0] for part in found))


_SOURCE = "Smyth GK. Stat Appl Genet Mol Biol 2004;3:3. doi:10.2202/1544-6115.1027"
_LIMMA: dict[str, Any] = {
    "paired": False,
    "rules": NUMBER_RULES,
    "estimand": "mean",
    "conf_type": "t",
    "methods": METHODS,
    "reference": _SOURCE,
    "options": {"trend": (False, True), "robust": (False, True)},
    "option_words": {
        ("trend", True): "with a prior variance that depends on the mean level",
        ("robust", True): "robust against analytes of outlying variance",
    },
    "borrows": True,
}

MODERATED = {
    "moderated_t": Test(
        name="moderated_t",
        function=moderated_t,
        label="the moderated t test",
        questions=(BASELINE, BETWEEN),
        r_call="limma::eBayes(limma::lmFit(y, cbind(1, covariates, group)))",
        takes=("covariates", "feed"),
        **_LIMMA,
    ),
    "moderated_paired_t": Test(
        name="moderated_paired_t",
        function=moderated_paired_t,
        label="the moderated paired t test",
        questions=(WITHIN,),
        r_call="limma::eBayes(limma::lmFit(later - baseline))",
        takes=("feed",),
        **(_LIMMA | {"paired": True}),
    ),
}
