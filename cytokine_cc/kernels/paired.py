"""Pairs, by their differences: the paired t test."""

from __future__ import annotations

import numpy as np

from ..arrays import Note
from .common import NUMBER_RULES, QUESTIONS, Statistics, Test, constant, moments, t_statistics, too_few


def paired_t(x: np.ndarray, y: np.ndarray, *, alternative: str = "two-sided", conf_level: float | None = 0.95) -> Statistics:
    """Is the mean difference within pairs zero?

    Pairs are two visits of one subject, or a case and its matched control. Null hypothesis: the mean of the differences
    x - y is 0. Estimand: that mean (on a log scale the ratio of geometric means). Assumes normal differences.

    Parameters
    ----------
    x, y : ndarray, shape (..., n)
        x[i] and y[i] belong together; a pair with a NaN does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.

    Returns
    -------
    Statistics
        Of shape (...). NaN with a note where there are fewer than 2 pairs, or the differences are all zero or constant (R
        stops: "data are essentially constant").

    Notes
    -----
    Equals ``t.test(x, y, paired = TRUE)`` in R. Ties and zeros need no care; values beyond a limit must have been replaced.

    References
    ----------
    Student. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1 (its data on sleep are the example).

    Examples
    --------
    >>> first = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
    >>> second = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])
    >>> s = paired_t(first, second)
    >>> round(float(s.statistic), 4), round(float(s.p_value), 6)
    (-4.0621, 0.002833)
    """
    d = moments(x - y)
    with np.errstate(invalid="ignore", divide="ignore"):
        std_error = np.sqrt(d.var / d.n)
    note = too_few(d.n, 2)
    flat = np.where((std_error == 0) & (d.mean == 0), int(Note.NO_CHANGE), constant(std_error, d.mean))
    note = np.where(note, note, flat)
    return t_statistics(d.mean, std_error, d.n - 1, note, alternative, conf_level)


PAIRED = {
    "paired_t": Test(
        name="paired_t",
        function=paired_t,
        label="the paired t test",
        questions=QUESTIONS,
        paired=True,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="t",
        methods=("paired t",),
        r_call="t.test(x, y, paired = TRUE)",
        reference="Student. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1",
    ),
}
