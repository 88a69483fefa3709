"""Rank tests of values below limits of detection: Peto and Peto, Gehan; several limits, all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from ..arrays import Note
from ..limits import anywhere, count, missing
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, too_few
from .kaplan_meier import by_run, share_above, ties

METHODS = ("chi-square with hypergeometric variance",)


def peto_peto(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    bounds: tuple[np.ndarray, ...] | None = None,
) -> Statistics:
    """Does one group tend to larger values, where some are only known to lie below a limit?

    Null hypothesis: both groups come from one distribution, and limits do not depend on what is measured. There is no
    estimand: the test weighs differences between the two groups' distributions, most where most values lie above.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        NaN is missing; -inf lies below a limit, inf above one.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`, by the signed root of chi-square.
    conf_level : float or None
        Of no consequence: there is no interval.
    bounds : tuple of ndarray, optional
        (x_point, x_low, x_high, y_point, y_low, y_high); the point of a value beyond a limit is the limit. Without them
        -inf lies below all numbers, and inf above.

    Returns
    -------
    Statistics
        Of shape (...); ``statistic`` is chi-square with 1 degree of freedom. NaN with a note where a group has fewer than 2
        values, or where the variance is 0: all values tied, all below, or one group below limits that no number of the
        other lies under.

    Notes
    -----
    Equals ``survdiff(Surv(-value, measured) ~ group, rho = 1)`` in R's survival: turned round, a value below its limit is a
    survival time that ended unobserved. At each number v, highest first, the share of `x` among the values v is compared with
    that among all known to be v or lower, "<v" included; weights are the share of values above v (Kaplan-Meier, of both groups,
    without those at v), the variance is hypergeometric. A value below a limit is compared with the numbers from that limit upward
    alone, so that any number of limits may be mixed. Where nothing is beyond a limit it is `gehan`.

    Values are tied after rounding to 12 significant digits, as in `mann_whitney`; R's tolerance (``timefix``) is 1.5e-8 of their
    mean size. Values above an upper limit are, turned round, known from the other side, which the method cannot take: they are
    tied highest with every number above the lowest such limit, as in `mann_whitney`, and the note says so.

    Limits may differ between the groups: the weights then do too, but the size holds (docs/agreement.md).

    References
    ----------
    Peto R, Peto J. J R Stat Soc A 1972;135:185-207. doi:10.2307/2344317.
    Harrington DP, Fleming TR. Biometrika 1982;69:553-566. doi:10.1093/biomet/69.3.553.
    Helsel DR. Statistics for Censored Environmental Data Using Minitab and R. Wiley 2012. doi:10.1002/9781118162729.

    Examples
    --------
    Two of the first are below 8 and below 4, one of the second below 2:

    >>> x, y = np.array([-np.inf, -np.inf, 5, 6, 9]), np.array([-np.inf, 3, 4, 5, 7])
    >>> x_limit, y_limit = np.where(x < 0, [8, 4, 5, 6, 9], x), np.where(y < 0, 2, y)
    >>> s = peto_peto(x, y, bounds=(x_limit, x, x_limit, y_limit, y, y_limit))
    >>> round(float(s.statistic), 4), round(float(s.p_value), 4)
    (0.6639, 0.4152)
    """
    return _weighted(x, y, bounds, alternative, share_above)


def gehan(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    bounds: tuple[np.ndarray, ...] | None = None,
) -> Statistics:
    """Does one group tend to larger values, where some are only known to lie below a limit? Weighted by number.

    Null hypothesis, parameters, what is returned, ties and values above an upper limit: as `peto_peto`. No estimand.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        NaN is missing; -inf lies below a limit, inf above one.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`, by the signed root of chi-square.
    conf_level : float or None
        Of no consequence: there is no interval.
    bounds : tuple of ndarray, optional
        (x_point, x_low, x_high, y_point, y_low, y_high), as in `peto_peto`.

    Returns
    -------
    Statistics
        Of shape (...); ``statistic`` is chi-square with 1 degree of freedom.

    Notes
    -----
    The score is Gehan's: over all pairs x[i], y[j], how often x is surely higher less how often it is surely lower. It is also
    the sum over the numbers v of what `peto_peto` compares there, with the number of values known to be v or lower as weight
    (Breslow); the variance is hypergeometric. Where limits differ, these weights hang on how many values the limits hide, which
    those of `peto_peto` do not (Prentice and Marek). R's coin, ``logrank_test(type = "Gehan-Breslow")``, has the same score with
    the variance over all permutations, which takes for granted that limits are spread over the groups alike.

    References
    ----------
    Gehan EA. Biometrika 1965;52:203-223. doi:10.1093/biomet/52.1-2.203.
    Breslow N. Biometrika 1970;57:579-594. doi:10.1093/biomet/57.3.579.
    Prentice RL, Marek P. Biometrics 1979;35:861-867. doi:10.2307/2530120.

    Examples
    --------
    >>> x, y = np.array([-np.inf, -np.inf, 5, 6, 9]), np.array([-np.inf, 3, 4, 5, 7])
    >>> x_limit, y_limit = np.where(x < 0, [8, 4, 5, 6, 9], x), np.where(y < 0, 2, y)
    >>> s = gehan(x, y, bounds=(x_limit, x, x_limit, y_limit, y, y_limit))
    >>> round(float(s.statistic), 4), round(float(s.p_value), 4)
    (0.7227, 0.3953)
    """
    return _weighted(x, y, bounds, alternative, _number_at_risk)


def _weighted(x, y, bounds, alternative, weigh) -> Statistics:
    """Sum over the numbers the weighted excess of `x` among them, and its variance."""
    both = np.concatenate([x, y], axis=-1)
    point = both if bounds is None else np.concatenate([bounds[0], bounds[3]], axis=-1)
    event = both > -np.inf
    point, tied = _tie_highest(both, point)
    order, last = ties(point)
    first = order < x.shape[-1]
    there, event = (np.take_along_axis(flags, order, axis=-1) for flags in (~np.isnan(both), event))
    # At the last of each run of tied values, lowest first: how many lie there or lower, how many are measured there.
    n, n1 = (np.cumsum(flags, axis=-1, dtype=np.float64) for flags in (there, there & first))
    d, d1 = (by_run(flags, last) for flags in (event, event & first))
    with np.errstate(invalid="ignore", divide="ignore"):
        excess = np.where(d > 0, (d1 * n - d * n1) / n, 0.0)  # whole numbers above the line, so that no excess is exactly 0
        spread = np.where((d > 0) & (n > 1), d * (n - d) * n1 * (n - n1) / (n * n * (n - 1)), 0.0)
        weight = weigh(n, d)
    score, variance = (weight * excess).sum(axis=-1), (weight * weight * spread).sum(axis=-1)
    n1, n2 = (part.shape[-1] - count(missing(part)) for part in (x, y))
    note = too_few(np.minimum(n1, n2), 2)
    note = np.where((note == 0) & ~(variance > 0), int(Note.CONSTANT), note)
    return _finish(score, variance, note, np.where(tied, int(Note.RANKED_HIGHEST), 0), alternative)


def _tie_highest(y: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put what lies above the lowest upper limit at infinity; flag the rows where that is."""
    up = np.isposinf(y)
    tied = np.asarray(up.any(axis=-1))
    if not anywhere(tied):
        return point, tied
    lowest = np.where(up, point, np.inf).min(axis=-1, keepdims=True)
    with np.errstate(invalid="ignore"):
        return np.where(up | (np.isfinite(y) & (y > lowest)), np.inf, point), tied


def _number_at_risk(n: np.ndarray, d: np.ndarray) -> np.ndarray:
    return n


def _finish(score, variance, block, flags, alternative) -> Statistics:
    testable = block == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        z = np.where(testable, score / np.sqrt(variance), np.nan)
    p = {"two-sided": lambda: 2 * ndtr(-np.abs(z)), "greater": lambda: ndtr(-z), "less": lambda: ndtr(z)}[alternative]()
    nan = np.full_like(z, np.nan)
    method = np.where(testable, 0, -1).astype(np.int8)
    return Statistics(
        nan, nan, nan, nan, z * z, np.where(testable, 1.0, np.nan), p, method, block | np.where(testable, flags, 0), np.sign(z)
    )


_SHARED: dict[str, Any] = {
    "questions": (BASELINE, BETWEEN),
    "paired": False,
    "rules": ("censored", *NUMBER_RULES),
    "estimand": "none",
    "conf_type": "",
    "methods": METHODS,
    "takes": ("bounds",),
}

CENSORED_RANKS = {
    "peto_peto": Test(
        name="peto_peto",
        function=peto_peto,
        label="the Peto-Peto test for values below several limits",
        r_call="survdiff(Surv(-value, measured) ~ group, rho = 1)",
        reference="Peto R, Peto J. J R Stat Soc A 1972;135:185-207. doi:10.2307/2344317",
        **_SHARED,
    ),
    "gehan": Test(
        name="gehan",
        function=gehan,
        label="Gehan's generalised Wilcoxon test for values below several limits",
        r_call="Gehan's score by Breslow's weights, hypergeometric variance (tests/reference/censored_ranks.R)",
        reference="Gehan EA. Biometrika 1965;52:203-223. doi:10.1093/biomet/52.1-2.203",
        **_SHARED,
    ),
}
