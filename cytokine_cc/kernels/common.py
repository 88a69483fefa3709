"""What all tests share: the shape of an answer, the entry of a test, moments, t distribution, Hedges' g."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from inspect import signature
from typing import Any, NamedTuple

import numpy as np
from scipy.special import gammaln, stdtr, stdtrit

from ..arrays import Note
from ..errors import OptionError

ALTERNATIVES = ("two-sided", "greater", "less")
BASELINE, WITHIN, BETWEEN = QUESTIONS = ("baseline", "change_within", "change_between")
NUMBER_RULES = ("half", "sqrt2", "limit", "drop", "as_reported")


class Statistics(NamedTuple):
    """What a test returns: arrays over the leading axes; NaN where there is no answer.

    Attributes
    ----------
    estimate, std_error, conf_low, conf_high, statistic, df, p_value : ndarray
        Estimate and interval on the analysis scale, first sample minus second.
    method : ndarray of int8
        Position in the entry's `methods`; -1 where the row could not be tested.
    note : ndarray of int
        `Note` flags.
    side : ndarray, optional
        1 where the first sample is higher, -1 where it is lower, NaN where the test does not tell. Of rank tests the side of
        the rank sum: the shift may be 0 while the ranks are not even. None stands for the sign of the estimate.
    """

    estimate: np.ndarray
    std_error: np.ndarray
    conf_low: np.ndarray
    conf_high: np.ndarray
    statistic: np.ndarray
    df: np.ndarray
    p_value: np.ndarray
    method: np.ndarray
    note: np.ndarray
    side: Any = None


@dataclass(frozen=True)
class Test:
    """All that the rest of the library needs to know of a test.

    Attributes
    ----------
    name : str
    function : callable
        ``function(x, y, *, alternative, conf_level, **bounds) -> Statistics``; `x` cases (or later), `y` controls (or
        baseline), missing values NaN, samples along the last axis.
    label : str
        For the methods text.
    questions : tuple of str
        Those it can answer.
    paired : bool
        Whether x[i] belongs to y[i].
    rules : tuple of str
        Rules below the limit that it can honour; the first is its own.
    estimand : str
        "mean", "shift", "probability" (of a case above a control), "odds" (logarithm of an odds ratio per unit of the analysis
        scale) or "none".
    conf_type : str
    methods : tuple of str
        What may stand in ``method``; "{n}" is the number of resamples asked for.
    r_call : str
    reference : str
    takes : tuple of str
        What else the function takes, as keywords: "bounds" of values beyond a limit (point, low, high of `x`, then of `y`; None
        where there is none), "covariates" (of `x` and of `y`, shape (..., columns, n), without an intercept; None where none
        is asked for), "baseline" values of `x` and `y`, "feed" (which rows may inform the others, shape (...)), "sets" (matched
        set of each of `x` and of `y`, whole numbers of shape (..., n)), "visits" (all visits of a model: see
        `longitudinal`), "resamples" (`n_resamples` and `seed`).
    options : mapping
        The test's own options: name -> allowed values, the default first; passed to the function as keywords.
    option_words : mapping
        (option, value) -> words for the methods text, of all values but the default.
    borrows : bool
        Whether rows inform each other, so that an answer depends on the company that an analyte keeps.
    sets : str
        What a matched set needs to enter, where the test takes sets of any size: "two" values, or "both" a case and a control; ""
        where it does not take sets.
    """

    name: str
    function: Callable[..., Any]
    label: str
    questions: tuple[str, ...]
    paired: bool
    rules: tuple[str, ...]
    estimand: str
    conf_type: str
    methods: tuple[str, ...]
    r_call: str
    reference: str
    takes: tuple[str, ...] = ()
    options: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)
    option_words: Mapping[tuple[str, Any], str] = field(default_factory=dict)
    borrows: bool = False
    sets: str = ""

    __test__ = False  # not a pytest class

    @property
    def matched(self) -> bool:
        """Whether it compares cases and controls within pairs or sets."""
        return self.paired or bool(self.sets)

    def rule(self, question: str, below_limit: str | None) -> str:
        """Return the rule below the limit that applies; ranks of changes need numbers."""
        return below_limit if below_limit is not None else self.rules_for(question)[0]

    def rules_for(self, question: str) -> tuple[str, ...]:
        """Return the rules that it can honour for a question.

        A change of values beyond a limit has no rank and no bounds of its own: only a model of both visits can take it.
        """
        if question == BASELINE or (question == WITHIN and "bounds" in self.takes and "censored" in self.rules):
            return self.rules
        return tuple(rule for rule in self.rules if rule not in ("lowest_rank", "censored"))


class Moments(NamedTuple):
    """Number of values, mean and sum of squares about the mean, over the last axis."""

    n: np.ndarray
    mean: np.ndarray
    ss: np.ndarray

    @property
    def var(self) -> np.ndarray:
        """Variance, NaN for fewer than two values."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.n > 1, self.ss / (self.n - 1), np.nan)


def moments(x: np.ndarray) -> Moments:
    """Return n, mean and sum of squares of what is not NaN, over the last axis.

    Parameters
    ----------
    x : ndarray, shape (..., n)

    Returns
    -------
    Moments
        Of shape (...).

    Examples
    --------
    >>> m = moments(np.array([[1.0, 2.0, np.nan, 6.0]]))
    >>> m.n.tolist(), m.mean.tolist(), m.ss.tolist()
    ([3.0], [3.0], [14.0])
    """
    x = by_rows(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        n, total = np.full(x.shape[:-1], float(x.shape[-1])), x.sum(axis=-1)
        there = ~np.isnan(x) if np.isnan(total).any() else None  # a sum without NaN has no NaN among its terms
        if there is not None and not there.all():
            n, total = there.sum(axis=-1).astype(np.float64), np.where(there, x, 0.0).sum(axis=-1)
        mean = total / n
        d = x - mean[..., None]
    if there is not None and not there.all():
        d = np.where(there, d, 0.0)
    d *= d
    return Moments(n, mean, d.sum(axis=-1))


def by_rows(x: np.ndarray) -> np.ndarray:
    """Return an array each row of which is in one piece, so that its sum does not depend on the layout; a copy if need be."""
    length = x.shape[-1] * x.itemsize
    if x.strides[-1] == x.itemsize and min(x.strides[:-1], default=length) >= length:
        return x
    return np.ascontiguousarray(x)


def t_statistics(
    estimate: np.ndarray,
    std_error: np.ndarray,
    df: np.ndarray,
    note: np.ndarray,
    alternative: str,
    conf_level: float | None,
) -> Statistics:
    """Turn an estimate and its standard error into t, p and interval; rows with a note that forbids it are NaN."""
    blocked = note != 0
    std_error, df = np.where(blocked, np.nan, std_error), np.where(blocked, np.nan, df)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = estimate / std_error
    p = {"two-sided": lambda: 2 * stdtr(df, -np.abs(t)), "greater": lambda: stdtr(df, -t), "less": lambda: stdtr(df, t)}[
        alternative
    ]()
    if conf_level is None:
        low = high = np.full_like(t, np.nan)
    else:
        tail = (1 - conf_level) / 2 if alternative == "two-sided" else 1 - conf_level
        few, place = np.unique(df, return_inverse=True)  # those of many rows are mostly a few whole numbers
        half = -t_quantile(few, tail)[place].reshape(df.shape) * std_error
        low = np.where(blocked, np.nan, -np.inf) if alternative == "less" else estimate - half
        high = np.where(blocked, np.nan, np.inf) if alternative == "greater" else estimate + half
    method = np.where(blocked, -1, 0).astype(np.int8)
    return Statistics(estimate, std_error, low, high, t, df, p, method, note, side=np.sign(t))


def t_quantile(df: np.ndarray, tail: float) -> np.ndarray:
    """Return the t below which `tail` lies; one Newton step, since scipy before 1.17 gives eleven digits only."""
    t = stdtrit(df, tail)
    log_density = gammaln((df + 1) / 2) - gammaln(df / 2) - np.log(df * np.pi) / 2 - (df + 1) / 2 * np.log1p(t * t / df)
    return t - (stdtr(df, t) - tail) / np.exp(log_density)


def too_few(n: np.ndarray, least: int) -> np.ndarray:
    """Flag rows with too few values."""
    return np.where(n < least, int(Note.TOO_FEW), 0)


def constant(std_error: np.ndarray, *means: np.ndarray) -> np.ndarray:
    """Flag rows whose spread is rounding error: the criterion of R's t.test."""
    size = np.max(np.abs(np.stack(means)), axis=0)
    with np.errstate(invalid="ignore"):
        flat = (std_error < 10 * np.finfo(float).eps * size) | (std_error == 0)
    return np.where(flat, int(Note.CONSTANT), 0)


def hedges_g(x: np.ndarray, y: np.ndarray, *, paired: bool) -> np.ndarray:
    """Standardised difference of means with Hedges' small-sample correction.

    The correction by gamma functions is exact for two independent groups of equal variance, an approximation for pairs.

    Parameters
    ----------
    x, y : ndarray, shape (..., n)
        Two groups; or, `paired`, two visits of the same subjects.
    paired : bool
        The mean change is divided by the average of the two SDs (d_av), with n - 1 degrees of freedom; otherwise the
        difference of means by the pooled SD, with n1 + n2 - 2.

    Returns
    -------
    ndarray, shape (...)
        NaN where it is not defined.

    References
    ----------
    Hedges LV. J Educ Stat 1981;6:107-128. doi:10.3102/10769986006002107.
    Cumming G. Understanding the New Statistics. Routledge 2012 (d_av).

    Examples
    --------
    >>> round(float(hedges_g(np.array([3.0, 4, 5]), np.array([1.0, 2, 3]), paired=False)), 4)
    1.5958
    """
    if paired:
        gone = np.isnan(x - y)
        x, y = np.where(gone, np.nan, x), np.where(gone, np.nan, y)
    a, b = moments(x), moments(y)
    with np.errstate(invalid="ignore", divide="ignore"):
        if paired:
            df, spread = a.n - 1, (np.sqrt(a.var) + np.sqrt(b.var)) / 2
        else:
            df = a.n + b.n - 2
            spread = np.sqrt((a.ss + b.ss) / df)
        d = (a.mean - b.mean) / spread
        correction = np.exp(gammaln(df / 2) - gammaln((df - 1) / 2)) / np.sqrt(df / 2)
        g = d * correction
    return np.where((df > 1) & np.isfinite(d), g, np.nan)


def user_test(function: Callable[..., Any], question: str) -> Test:
    """Wrap a user's own function as a test.

    Parameters
    ----------
    function : callable
        ``function(x, y)`` with arrays of shape (analytes, n), NaN where missing, x cases (or later), y controls (or
        baseline). Returns an object with ``statistic`` and ``pvalue`` of shape (analytes,), as SciPy's tests do, or
        `Statistics`, which are taken at their word. Where it takes ``axis``, ``nan_policy`` or ``alternative``, they are passed.
    question : str
        "change_within" pairs x with y.

    Returns
    -------
    Test

    Raises
    ------
    OptionError
        When it is called: an answer of another kind or shape, one that depends on which analytes stand beside, or an
        alternative that it does not take.
    """
    name = getattr(function, "__name__", "user test")
    passed = _keywords(function)

    def call(x: np.ndarray, y: np.ndarray, *, alternative: str, conf_level: float | None) -> Statistics:
        x, y = np.ascontiguousarray(x), np.ascontiguousarray(y)
        options = {"axis": -1, "nan_policy": "omit", "alternative": alternative}
        if alternative != "two-sided" and "alternative" not in passed:
            raise OptionError(f"test {name!r} takes no `alternative`, so that {alternative!r} cannot be asked of it.")
        kept = {key: value for key, value in options.items() if key in passed}
        answer = _call(function, name, x, y, kept)
        if isinstance(answer, Statistics):
            return answer
        answer = _in_shape(answer, name, x)
        alone = _in_shape(_call(function, name, x[..., :1, :], y[..., :1, :], kept), name, x[..., :1, :])
        if not np.array_equal(alone.p_value[..., 0], answer.p_value[..., 0], equal_nan=True):
            raise OptionError(
                f"test {name!r} gives an analyte another p-value when others stand beside it; it must work along the last "
                "axis, such as lambda x, y: ttest_ind(x, y, axis=-1, nan_policy='omit')."
            )
        return answer

    return Test(
        name=name,
        function=call,
        label=f"the user's function {name}",
        questions=QUESTIONS,
        paired=question == WITHIN,
        rules=NUMBER_RULES,
        estimand="none",
        conf_type="",
        methods=(f"user function {name}",),
        r_call="",
        reference="",
    )


def _keywords(function: Callable[..., Any]) -> set[str]:
    try:
        return set(signature(function).parameters)
    except (TypeError, ValueError):
        return set()


def _call(function: Callable[..., Any], name: str, x: np.ndarray, y: np.ndarray, options: dict[str, Any]) -> Any:
    try:
        return function(x, y, **options)
    except Exception as error:  # whatever a user's function raises, the user must see
        raise OptionError(f"test {name!r} failed on arrays of shapes {x.shape} and {y.shape}: {error}.") from error


def _in_shape(answer: Any, name: str, x: np.ndarray) -> Statistics:
    try:
        p, statistic = (np.asarray(part, dtype=np.float64) for part in (answer.pvalue, answer.statistic))
    except (AttributeError, TypeError, ValueError):
        raise OptionError(f"test {name!r} must return an object with `statistic` and `pvalue`; got {answer!r}.") from None
    if p.shape != x.shape[:-1]:
        raise OptionError(f"test {name!r} must return one p-value an analyte, shape {x.shape[:-1]}; got shape {p.shape}.")
    nan = np.full_like(p, np.nan)
    failed = np.isnan(p)
    df = np.broadcast_to(np.asarray(getattr(answer, "df", np.nan), dtype=np.float64), p.shape)
    method = np.where(failed, -1, 0).astype(np.int8)
    return Statistics(nan, nan, nan, nan, statistic, df, p, method, np.where(failed, int(Note.FAILED), 0), side=nan)
