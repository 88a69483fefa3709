"""Rank tests: Mann-Whitney and Wilcoxon's signed rank, exact where there are no ties, all rows at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr

from ..arrays import Note
from ..limits import anywhere, count, missing
from .common import BASELINE, BETWEEN, NUMBER_RULES, QUESTIONS, Statistics, Test, too_few
from .rank_nulls import EXACT_BELOW, rank_sum_cdf, rank_sum_index, signed_rank_cdf, signed_rank_index
from .shifts import Shift, group_shift, pair_shift

METHODS = ("exact", "normal approximation, tie-corrected")


def mann_whitney(
    x: np.ndarray,
    y: np.ndarray,
    *,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    bounds: tuple[np.ndarray, ...] | None = None,
) -> Statistics:
    """Does one group tend to larger values than the other?

    Null hypothesis: both groups come from one distribution. Estimand: the shift between them (Hodges-Lehmann, the median
    of all differences x[i] - y[j]; on a log scale a ratio), which assumes that the distributions differ by a shift only.

    Parameters
    ----------
    x, y : ndarray, shape (..., n1), (..., n2)
        NaN is missing; -inf and inf are tied lowest and highest.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves estimate and interval out.
    bounds : tuple of ndarray, optional
        (x_point, x_low, x_high, y_point, y_low, y_high): a number to stand for each value, and the interval it is known
        to lie in. The estimate takes the points; the interval holds for any values within the bounds.

    Returns
    -------
    Statistics
        Of shape (...); ``statistic`` is R's W. NaN with a note where a group has fewer than 2 values or all are tied.

    Notes
    -----
    Equals ``wilcox.test(x, y, digits.rank = 12, exact = no ties and n < 50 in each group, correct = TRUE)`` in R: values are
    ranked after rounding to 12 significant digits; exact without ties and with fewer than 50 values a group, else the normal
    approximation with corrections for ties and continuity. The choice is made row by row.

    The interval is made of order statistics of the differences, by the null distribution without ties (exact below 50 a
    group); with ties this closed interval keeps at least its level (Noether). R's, where it is not exact, solves for the
    shift numerically and differs a little. If no interval reaches the level, the widest is given, with a note.

    References
    ----------
    Mann HB, Whitney DR. Ann Math Stat 1947;18:50-60. doi:10.1214/aoms/1177730491.
    Hodges JL, Lehmann EL. Ann Math Stat 1963;34:598-611. doi:10.1214/aoms/1177704172.
    Noether GE. J Am Stat Assoc 1967;62:184-188. doi:10.1080/01621459.1967.10482899.

    Examples
    --------
    >>> s = mann_whitney(np.array([0.80, 0.83, 1.89, 1.04, 1.45]), np.array([1.15, 0.88, 0.90, 0.74]))
    >>> float(s.statistic), round(float(s.p_value), 4)
    (13.0, 0.5556)
    """
    both = np.concatenate([x, y], axis=-1)
    order, ranks, ties = _sorted_ranks(both)
    n1, n2 = (part.shape[-1] - count(missing(part)) for part in (x, y))
    n = n1 + n2
    w = (ranks * (order < x.shape[-1])).sum(axis=-1) - n1 * (n1 + 1) / 2
    exact = (ties == 0) & (n1 < EXACT_BELOW) & (n2 < EXACT_BELOW)
    with np.errstate(invalid="ignore", divide="ignore"):
        sigma = np.sqrt(n1 * n2 / 12 * ((n + 1) - ties / (n * (n - 1.0))))
        p = _normal_p(w - n1 * n2 / 2, sigma, alternative)
    note = too_few(np.minimum(n1, n2), 2)
    note = np.where((note == 0) & ~(sigma > 0), int(Note.CONSTANT), note)
    testable = note == 0
    p = _with_exact(p, w, exact & testable, (n1, n2), rank_sum_cdf, alternative)
    shift = Shift.blank(w)
    if conf_level is not None:
        index = rank_sum_index(n1, n2, _tail(conf_level, alternative))
        shift = group_shift(bounds or (x, x, x, y, y, y), n1, n2, index, alternative)
    return _finish(w, n1 * n2 / 2, p, exact, note, testable, shift)


def signed_rank(x: np.ndarray, y: np.ndarray, *, alternative: str = "two-sided", conf_level: float | None = 0.95) -> Statistics:
    """Are the differences within pairs symmetric about zero?

    Pairs are two visits of one subject, or a case and its matched control. Null hypothesis: the differences x - y are
    symmetric about 0. Estimand: their pseudo-median (Hodges-Lehmann, the median of all Walsh averages; on a log scale a ratio).

    Parameters
    ----------
    x, y : ndarray, shape (..., n)
        x[i] and y[i] belong together; a pair with a NaN does not count.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves estimate and interval out.

    Returns
    -------
    Statistics
        Of shape (...); ``statistic`` is R's V. NaN with a note where there are fewer than 2 pairs or all differences are 0.

    Notes
    -----
    Equals ``wilcox.test(x, y, paired = TRUE, digits.rank = 12, exact = no ties, no zeros and n < 50, correct = TRUE)`` in R:
    zero differences are dropped from the ranking, sizes are ranked after rounding to 12 significant digits; exact without
    ties and zeros and with fewer than 50 pairs, else the normal approximation with corrections for ties and continuity.

    Estimate and interval use the Walsh averages of all differences, zeros included, since a zero is evidence about the
    centre (R drops them where the test is not exact). The interval is made of order statistics, as in `mann_whitney`.

    References
    ----------
    Wilcoxon F. Biometrics Bull 1945;1:80-83. doi:10.2307/3001968.
    Hodges JL, Lehmann EL. Ann Math Stat 1963;34:598-611. doi:10.1214/aoms/1177704172.

    Examples
    --------
    >>> before = np.array([1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30])
    >>> after = np.array([0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29])
    >>> s = signed_rank(before, after, alternative="greater")
    >>> float(s.statistic), round(float(s.p_value), 5)
    (40.0, 0.01953)
    """
    d = x - y
    n = d.shape[-1] - count(missing(d))
    zero = d == 0
    order, ranks, ties = _sorted_ranks(np.abs(np.where(zero, np.nan, d) if zero.any() else d))
    n_ranked = n - count(zero)
    v = (ranks * np.take_along_axis(d > 0, order, axis=-1)).sum(axis=-1)
    exact = (ties == 0) & (n_ranked == n) & (n < EXACT_BELOW)
    m = n_ranked.astype(np.float64)
    sigma = np.sqrt(m * (m + 1) * (2 * m + 1) / 24 - ties / 48)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = _normal_p(v - m * (m + 1) / 4, sigma, alternative)
    note = too_few(n, 2)
    note = np.where((note == 0) & ~(sigma > 0), int(Note.NO_CHANGE), note)
    testable = note == 0
    p = _with_exact(p, v, exact & testable, (n,), signed_rank_cdf, alternative)
    shift = Shift.blank(v)
    if conf_level is not None:
        shift = pair_shift(d, n, signed_rank_index(n, _tail(conf_level, alternative)), alternative)
    return _finish(v, m * (m + 1) / 4, p, exact, note, testable, shift)


def midranks(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Rank along the last axis after rounding to 12 significant digits; ties share their mean rank.

    Parameters
    ----------
    x : ndarray, shape (..., n)
        NaN gets no rank.

    Returns
    -------
    ranks : ndarray, shape (..., n)
    ties : ndarray, shape (...)
        Sum of t^3 - t over the groups of t tied values.

    Examples
    --------
    >>> ranks, ties = midranks(np.array([3.0, 1.0, np.nan, 3.0]))
    >>> ranks.tolist(), float(ties)
    ([2.5, 1.0, nan, 2.5], 6.0)
    """
    order, ranks, ties = _sorted_ranks(x)
    out = np.empty(x.shape)
    np.put_along_axis(out, order, np.where(ranks > 0, ranks, np.nan), axis=-1)
    return out, ties


def _sorted_ranks(x: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the order of each row, the ranks of the values so ordered (0 for NaN, which is last), and `midranks`' ties."""
    order, s = _sort(x)
    new = s[..., 1:] != s[..., :-1]
    near = new & _near(s)
    if near.any():  # only there can rounding make ties
        rows = near.any(axis=-1)
        order[rows], s[rows] = _sort(twelve_digits(x[rows]))
        new[rows] = s[rows, 1:] != s[rows, :-1]
    n = x.shape[-1]
    at = np.arange(n, dtype=np.int32)
    if new.all():
        ranks, ties = np.broadcast_to(at + 1.0, s.shape), np.zeros(s.shape[:-1])
    else:
        edge = np.ones((*s.shape[:-1], 1), dtype=bool)
        first, last = np.concatenate([edge, new], axis=-1), np.concatenate([new, edge], axis=-1)
        start = np.maximum.accumulate(at * first, axis=-1)
        end = n - np.maximum.accumulate(((n - at) * last)[..., ::-1], axis=-1)[..., ::-1]
        ranks, ties = (start + end) / 2 + 1, ((end - start + 1.0) ** 2 - 1).sum(axis=-1)
    gone = np.isnan(s)
    return order, ranks * ~gone if gone.any() else ranks, ties


def _near(s: np.ndarray) -> np.ndarray:
    """Flag neighbours that agree to nearly ten digits."""
    size = np.abs(s)
    bound = size[..., 1:] + size[..., :-1]
    bound *= 1e-10
    bound += 1e-270
    with np.errstate(invalid="ignore"):
        return s[..., 1:] - s[..., :-1] < bound


def _sort(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    key, gone = x, missing(x)
    if anywhere(gone) and not np.isposinf(x).any():
        key = np.where(gone, np.inf, x)  # numpy sorts numbers several times as fast where no NaN is among them
    order = np.argsort(key, axis=-1)
    return order, np.take_along_axis(x, order, axis=-1)


def twelve_digits(x: np.ndarray) -> np.ndarray:
    """Round to 12 significant digits, as R's ``signif(x, 12)``: logs of equal ratios differ in the last bit."""
    usable = np.isfinite(x) & (x != 0)
    size = np.where(usable, np.abs(x), 1.0)
    places = np.clip(11 - np.floor(np.log10(size)), -290, 290)
    # Powers of ten up to 22 are exact, so multiplying and dividing by them rounds once.
    up, down = np.power(10.0, np.maximum(places, 0)), np.power(10.0, np.maximum(-places, 0))
    return np.where(usable, np.rint(np.where(usable, x, 1.0) * up / down) * down / up, x)


def _tail(conf_level: float, alternative: str) -> float:
    return (1 - conf_level) / 2 if alternative == "two-sided" else 1 - conf_level


def _normal_p(centred: np.ndarray, sigma: np.ndarray, alternative: str) -> np.ndarray:
    correction = {"two-sided": np.sign(centred) * 0.5, "greater": 0.5, "less": -0.5}[alternative]
    z = (centred - correction) / sigma
    return {"two-sided": lambda: 2 * ndtr(-np.abs(z)), "greater": lambda: ndtr(-z), "less": lambda: ndtr(z)}[alternative]()


def _with_exact(p, statistic, rows, sizes, null_cdf, alternative):
    """Put the exact p in place of the approximate one in `rows`, one lookup for each distinct sample size."""
    where = np.flatnonzero(rows)
    if not len(where):
        return p
    keys, group = np.unique(np.stack([np.reshape(size, -1)[where] for size in sizes]), axis=1, return_inverse=True)
    values = np.reshape(statistic, -1)[where].astype(np.intp)
    exact = np.empty(len(values))
    for g, key in enumerate(keys.T.tolist()):
        cdf = null_cdf(*key)
        here = group.reshape(-1) == g
        w = values[here]
        low, high = cdf[w], cdf[len(cdf) - 1 - w]  # P(W <= w); by symmetry P(W >= w)
        exact[here] = {"two-sided": np.minimum(1.0, 2 * np.minimum(low, high)), "greater": high, "less": low}[alternative]
    out = np.array(p).reshape(-1)
    out[where] = exact
    return out.reshape(np.shape(p))


def _finish(statistic, middle, p, exact, note, testable, shift):
    def known(a: np.ndarray) -> np.ndarray:
        return np.where(testable, a, np.nan)

    method = np.where(testable, np.where(exact, 0, 1), -1).astype(np.int8)
    note = note | np.where(testable, shift.note, 0)
    nan = np.full_like(p, np.nan)
    estimate, low, high = known(shift.estimate), known(shift.low), known(shift.high)
    statistic = known(statistic)
    return Statistics(estimate, nan, low, high, statistic, nan, known(p), method, note, side=np.sign(statistic - middle))


_MANN_WHITNEY_SOURCE = "Mann HB, Whitney DR. Ann Math Stat 1947;18:50-60. doi:10.1214/aoms/1177730491"
_ORDER: dict[str, Any] = {"estimand": "shift", "conf_type": "order statistics", "methods": METHODS}

RANKS = {
    "mann_whitney": Test(
        name="mann_whitney",
        function=mann_whitney,
        label="the Mann-Whitney test",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=("lowest_rank", *NUMBER_RULES),
        r_call="wilcox.test(x, y, digits.rank = 12)",
        reference=_MANN_WHITNEY_SOURCE,
        takes=("bounds",),
        **_ORDER,
    ),
    "signed_rank": Test(
        name="signed_rank",
        function=signed_rank,
        label="Wilcoxon's signed-rank test",
        questions=QUESTIONS,
        paired=True,
        rules=NUMBER_RULES,
        r_call="wilcox.test(x, y, paired = TRUE, digits.rank = 12)",
        reference="Wilcoxon F. Biometrics Bull 1945;1:80-83. doi:10.2307/3001968",
        **_ORDER,
    ),
    "change_rank": Test(
        name="change_rank",
        function=mann_whitney,
        label="the Mann-Whitney test on the changes",
        questions=(BETWEEN,),
        paired=False,
        rules=NUMBER_RULES,
        r_call="wilcox.test(later - baseline, later - baseline, digits.rank = 12)",
        reference=_MANN_WHITNEY_SOURCE,
        **_ORDER,
    ),
}
