"""The Brunner-Munzel test: how often a case lies above a control, whatever the shapes of the two distributions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test, t_statistics, too_few
from .ranks import _sorted_ranks


def brunner_munzel(
    x: np.ndarray, y: np.ndarray, *, alternative: str = "two-sided", conf_level: float | None = 0.95
) -> Statistics:
    """Is a value of one group as likely to lie above a value of the other as below?

    Null hypothesis: p = P(x > y) + P(x = y) / 2 is 1/2. Estimand: p. Unlike `mann_whitney` it does not assume that both groups
    have one distribution under the null hypothesis, or one shape: variances may differ.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        NaN is missing; -inf and inf are tied lowest and highest.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`: "greater" is p > 1/2.
    conf_level : float or None
        None leaves the interval out.

    Returns
    -------
    Statistics
        Of shape (...); estimate, standard error and interval of p. NaN with a note where a group has fewer than 2 values, all
        are tied, or the groups do not overlap, so that p is estimated as 0 or 1 with a standard error of 0.

    Notes
    -----
    Values are ranked after rounding to 12 significant digits, as in `mann_whitney`. The standard error is that of placements
    (of each value, how many of the other group lie below it, ties by half); t has Satterthwaite's degrees of freedom. The
    interval is p -+ t times the standard error, cut at 0 and 1; the open end of a one-sided one is 0 or 1.

    Equals ``brunner.munzel.test(y, x)`` of R's lawstat, which takes P(X < Y), does not cut its interval and knows no one-sided
    one. SciPy's ``brunnermunzel(x, y)`` has the same p-values, its statistic the opposite sign.

    The t approximation is liberal in small groups and at small levels. Of 200,000 simulated null studies (normal values of one
    spread; Monte Carlo error 0.05 and 0.01 percentage points) it rejected at 5% in 5.24% with 30 and 22 values and 6.30% with
    6 and 6; at 0.3% in 0.47% and 1.5%. With the 22 three times as variable: 5.21% at 5%, where `mann_whitney` rejected 8.43%.

    References
    ----------
    Brunner E, Munzel U. Biom J 2000;42:17-25. doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U.
    Neubert K, Brunner E. Comput Stat Data Anal 2007;51:5192-5204. doi:10.1016/j.csda.2006.05.024.

    Examples
    --------
    Pain scores after surgery in two treatment groups (Brunner and Munzel 2000):

    >>> treated = np.array([1.0, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1])
    >>> others = np.array([3.0, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4])
    >>> s = brunner_munzel(others, treated)
    >>> round(float(s.estimate), 6), round(float(s.conf_low), 7), round(float(s.conf_high), 7)
    (0.788961, 0.5952169, 0.9827052)
    >>> round(float(s.statistic), 4), round(float(s.df), 3), round(float(s.p_value), 6)
    (3.1375, 17.683, 0.005786)
    """
    of_x, of_y = _placements(x, y)
    pairs = of_x.n * of_y.n
    with np.errstate(invalid="ignore", divide="ignore"):
        v1, v2 = of_x.n * of_x.variance, of_y.n * of_y.variance
        std_error = np.sqrt(v1 + v2) / pairs
        df = (v1 + v2) ** 2 / (v1**2 / (of_x.n - 1) + v2**2 / (of_y.n - 1))
        centred = (of_x.twice - pairs) / (2 * pairs)  # exactly 0 where p is 1/2
    note = too_few(np.minimum(of_x.n, of_y.n), 2)
    why = np.where(of_x.twice == pairs, int(Note.CONSTANT), int(Note.SEPARATED))  # nothing else has no variance
    note = np.where((note == 0) & (std_error == 0), why, note)
    found = t_statistics(np.where(note, np.nan, centred), std_error, df, note, alternative, conf_level)
    low, high = (np.clip(end + 0.5, 0.0, 1.0) for end in (found.conf_low, found.conf_high))
    return found._replace(estimate=found.estimate + 0.5, conf_low=low, conf_high=high)


class Placements(NamedTuple):
    """Of each value of a group, how many of the other lie below it, ties by half: sums over the group, in whole numbers."""

    n: np.ndarray
    twice: np.ndarray  # sum of twice the placements
    squares: np.ndarray  # of these, the sum of squares

    @property
    def variance(self) -> np.ndarray:
        """Of the placements; exact but for the division, so that neither the order nor the company of values matters."""
        return (self.n * self.squares - self.twice**2) / (4 * self.n * (self.n - 1))


def _placements(x: np.ndarray, y: np.ndarray) -> tuple[Placements, Placements]:
    order, ranks, ties = _sorted_ranks(np.concatenate([x, y], axis=-1))
    there, of_x = ranks > 0, order < x.shape[-1]
    case, control = there & of_x, there & ~of_x
    up_to = np.cumsum(control, axis=-1, dtype=np.int32)
    below = up_to - control
    if ties.any():
        edge, new = np.ones((*ranks.shape[:-1], 1), dtype=bool), ranks[..., 1:] != ranks[..., :-1]
        first, last = np.concatenate([edge, new], axis=-1), np.concatenate([new, edge], axis=-1)
        below = np.maximum.accumulate(below * first, axis=-1)
        up_to = np.minimum.accumulate(np.where(last, up_to, order.shape[-1])[..., ::-1], axis=-1)[..., ::-1]
    twice = below + up_to  # of controls below each value; of values of both groups it would be 2 rank - 1
    return _summed(twice, case), _summed((2 * ranks).astype(np.int32) - 1 - twice, control)


def _summed(twice: np.ndarray, group: np.ndarray) -> Placements:
    twice = twice * group
    squares = np.multiply(twice, twice, dtype=np.int64)
    return Placements(*(part.sum(axis=-1, dtype=np.int64) for part in (group, twice, squares)))


BRUNNER_MUNZEL = {
    "brunner_munzel": Test(
        name="brunner_munzel",
        function=brunner_munzel,
        label="the Brunner-Munzel test",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=("lowest_rank", *NUMBER_RULES),
        estimand="probability",
        conf_type="t",
        methods=("Brunner-Munzel t, Satterthwaite df",),
        r_call="brunner.munzel.test(y, x) of lawstat",
        reference="Brunner E, Munzel U. Biom J 2000;42:17-25. doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U",
    ),
}
