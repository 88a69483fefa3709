"""Two independent groups: Student's and Welch's t."""

from __future__ import annotations

from typing import Any

import numpy as np

from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, constant, moments, t_statistics, too_few


def student(x: np.ndarray, y: np.ndarray, *, alternative: str = "two-sided", conf_level: float | None = 0.95) -> Statistics:
    """Do two groups have the same mean, if they have the same variance?

    Null hypothesis: the population means are equal. Estimand: the difference of means of `x` and `y` (on a log scale the
    ratio of geometric means). Assumes normal values of equal variance.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        Values on the analysis scale; NaN is missing and does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.

    Returns
    -------
    Statistics
        Of shape (...). NaN with a note where a group has fewer than 2 values (R tests a single value; we do not) or where
        the standard error is rounding error (R stops: "data are essentially constant").

    Notes
    -----
    Equals ``t.test(x, y, var.equal = TRUE)`` in R. Ties and zeros need no care; values beyond a limit must have been replaced.

    References
    ----------
    Student. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1.

    Examples
    --------
    >>> s = student(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]))
    >>> round(float(s.statistic), 4), float(s.df), round(float(s.p_value), 5)
    (4.0841, 7.0, 0.00467)
    """
    a, b = moments(x), moments(y)
    df = a.n + b.n - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = np.sqrt((a.ss + b.ss) / df * (1 / a.n + 1 / b.n))
    return _finish(a, b, std_error, df, alternative, conf_level)


def welch(x: np.ndarray, y: np.ndarray, *, alternative: str = "two-sided", conf_level: float | None = 0.95) -> Statistics:
    """Do two groups have the same mean, whatever their variances?

    Null hypothesis: the population means are equal. Estimand: the difference of means of `x` and `y` (on a log scale the
    ratio of geometric means). Assumes normal values; variances may differ.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        Values on the analysis scale; NaN is missing and does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.

    Returns
    -------
    Statistics
        Of shape (...). NaN with a note where a group has fewer than 2 values or where the standard error is rounding error
        (R stops: "data are essentially constant").

    Notes
    -----
    Equals ``t.test(x, y)`` in R, with Satterthwaite's degrees of freedom. Ties and zeros need no care; values beyond a limit
    must have been replaced.

    References
    ----------
    Welch BL. Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28.

    Examples
    --------
    >>> s = welch(np.array([5.1, 4.9, 6.2, 5.8]), np.array([4.0, 4.4, 3.9, 4.7, 4.1]))
    >>> round(float(s.statistic), 4), round(float(s.df), 4), round(float(s.p_value), 5)
    (3.8066, 4.385, 0.01603)
    """
    a, b = moments(x), moments(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        va, vb = a.var / a.n, b.var / b.n
        std_error = np.sqrt(va + vb)
        df = (va + vb) ** 2 / (va**2 / (a.n - 1) + vb**2 / (b.n - 1))
    return _finish(a, b, std_error, df, alternative, conf_level)


def _finish(a, b, std_error, df, alternative, conf_level):
    few = too_few(np.minimum(a.n, b.n), 2)
    note = np.where(few, few, constant(std_error, a.mean, b.mean))
    with np.errstate(invalid="ignore"):
        estimate = a.mean - b.mean
    return t_statistics(estimate, std_error, df, note, alternative, conf_level)


_WELCH: dict[str, Any] = {
    "paired": False,
    "rules": NUMBER_RULES,
    "estimand": "mean",
    "conf_type": "t",
    "methods": ("Welch's t, Satterthwaite df",),
}
_WELCH_SOURCE = "Welch BL. Biometrika 1947;34:28-35. doi:10.1093/biomet/34.1-2.28"

INDEPENDENT = {
    "student": Test(
        name="student",
        function=student,
        label="Student's t test with equal variances",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="t",
        methods=("Student's t",),
        r_call="t.test(x, y, var.equal = TRUE)",
        reference="Student. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1",
    ),
    "welch": Test(
        name="welch",
        function=welch,
        label="Welch's t test",
        questions=(BASELINE, BETWEEN),
        r_call="t.test(x, y)",
        reference=_WELCH_SOURCE,
        **_WELCH,
    ),
    "change_score": Test(
        name="change_score",
        function=welch,
        label="Welch's t test on the changes",
        questions=(BETWEEN,),
        r_call="t.test(later - baseline, later - baseline)",
        reference=_WELCH_SOURCE,
        **_WELCH,
    ),
}
