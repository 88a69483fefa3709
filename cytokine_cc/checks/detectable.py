"""Power at hand: the smallest effect that this study finds with 80% power."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..kernels.common import BASELINE, BETWEEN
from ..labels import coded
from ..plan import Plan
from ..questions import Question
from ..study import Study
from ..words import counted, joined, percent, visit_name
from .check_report import NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts

POWER = 0.8
LARGE = 1.0  # SD: differences of .5 to .9 are realistic
LEAST_SD = 1e-9  # of the largest value, or of logs: what rounding leaves of a constant
MOSTLY = 0.2  # beyond limits: values at a limit make the SD too small


class Spread(NamedTuple):
    """What a t test of one contrast stands on, each of shape (analytes,).

    Attributes
    ----------
    sd : ndarray
        Of what is compared: within groups, of changes, or within sets.
    std_error : ndarray
        Of the difference.
    df : ndarray
    """

    sd: np.ndarray
    std_error: np.ndarray
    df: np.ndarray


class Compared(NamedTuple):
    """A comparison of a plan: its question, its kind in words, later visit ("" at baseline), who, and what its test stands on."""

    question: Question
    kind: str
    visit: str
    who: str
    sd: np.ndarray
    std_error: np.ndarray
    df: np.ndarray


def detectable(std_error: Any, df: Any, alpha: Any, power: float = POWER, *, two_sided: bool = True) -> np.ndarray:
    """Return the smallest difference that a t test finds with the power wanted, in the unit of the standard error.

    Parameters
    ----------
    std_error, df, alpha : array_like
        NaN where df is below 1 or something is NaN.
    power : float
    two_sided : bool

    Returns
    -------
    ndarray

    Notes
    -----
    Equals ``power.t.test(n, sd = , sig.level = , power = , strict = TRUE)$delta`` in R, by the noncentral t distribution [1]_.

    References
    ----------
    .. [1] Cohen J. Statistical Power Analysis for the Behavioral Sciences, 2nd ed. Erlbaum 1988. doi:10.4324/9780203771587.

    Examples
    --------
    >>> round(float(detectable(0.8 * (1 / 30 + 1 / 22) ** 0.5, 50, 0.05)) / 0.8, 3)  # 30 cases, 22 controls
    0.802
    """
    from scipy.special import nctdtr, stdtrit

    std_error, df, alpha = np.broadcast_arrays(*(np.asarray(x, dtype=np.float64) for x in (std_error, df, alpha)))
    out = np.full(std_error.shape, np.nan)
    known = np.isfinite(std_error) & (df >= 1)
    pairs, inverse = np.unique(np.stack([df[known], alpha[known]]), axis=1, return_inverse=True)
    if not pairs.size:
        return out
    own_df, own_alpha = pairs
    bar = stdtrit(own_df, 1 - own_alpha / (2 if two_sided else 1))
    low, high = np.zeros_like(bar), 2 * bar + 40.0
    for _ in range(60):
        middle = (low + high) / 2
        reached = 1 - np.nan_to_num(nctdtr(own_df, middle, bar))  # SciPy gives NaN for tails that are next to nothing
        if two_sided:
            reached = reached + np.nan_to_num(nctdtr(own_df, middle, -bar))
        low, high = np.where(reached < power, middle, low), np.where(reached < power, high, middle)
    out[known] = high[inverse.reshape(-1)] * std_error[known]
    return out


def two_groups(x: np.ndarray, y: np.ndarray) -> Spread:
    """Return the spread of a difference of means of (analytes, subjects), with one SD for both."""
    n = [(~np.isnan(part)).sum(axis=-1) for part in (x, y)]
    squares = sum(np.nansum(np.square(part - _mean(part)[:, None]), axis=-1) for part in (x, y))
    df = n[0] + n[1] - 2
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(squares / df)
        return Spread(sd, sd * np.sqrt(1 / n[0] + 1 / n[1]), np.where(np.minimum(*n) > 0, df, 0))


def one_group(x: np.ndarray) -> Spread:
    """Return the spread of a mean of (analytes, subjects)."""
    n = (~np.isnan(x)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        sd = np.sqrt(np.nansum(np.square(x - _mean(x)[:, None]), axis=-1) / (n - 1))
        return Spread(sd, sd / np.sqrt(n), n - 1)


def within_sets(y: np.ndarray, case: np.ndarray, sets: np.ndarray) -> Spread:
    """Return the spread of a difference within sets, as a linear model with an effect of each set has it."""
    codes = coded(sets)[0]
    member = (codes[:, None] == np.arange(codes.max(initial=-1) + 1)).astype(np.float64)
    there = ~np.isnan(y)
    filled = np.where(there, y, 0.0)
    n1, n0 = ((there & own).astype(np.float64) @ member for own in (case, ~case))
    n = n1 + n0
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = np.where(n > 0, filled @ member / n, 0.0)
        left = np.where(there, y - centre @ member.T, 0.0)
        share = np.where(n > 0, n1 / n, 0.0) @ member.T
        x = np.where(there, case - share, 0.0)
        information = np.square(x).sum(axis=-1)
        slope = (x * left).sum(axis=-1) / information
        df = there.sum(axis=-1) - (n > 0).sum(axis=-1) - 1
        sd = np.sqrt(np.square(left - slope[:, None] * x).sum(axis=-1) / df)
        return Spread(sd, sd / np.sqrt(information), np.where(information > 0, df, 0))


def _mean(x: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.nansum(x, axis=-1) / (~np.isnan(x)).sum(axis=-1)


def spreads(study: Study, plan: Plan) -> Iterator[Compared]:
    """Go through what a plan compares."""
    facts = Facts(study)
    at, n_before, case = study.sample_at, len(study.baseline_visits), study.arrays.case
    sets = study.subjects["matched_set"].to_numpy(dtype=object)
    scales: dict[bool, tuple[np.ndarray, np.ndarray]] = {}
    for question in plan.questions:
        raw = question.scale == "raw"
        if raw not in scales:
            levels = facts.bounded() if raw else facts.levels()
            levels = np.where(np.isfinite(levels), levels, np.nan)
            values = np.where(at[:, None, :] >= 0, np.swapaxes(levels[:, at], 0, 1), np.nan)
            scales[raw] = _mean(np.moveaxis(values[:n_before], 0, -1)), values[n_before:]
        base, later = scales[raw]
        matched = study.design.matching == "sets" and not question.ignore_matching

        def between(y: np.ndarray, matched: bool = matched) -> Spread:
            return within_sets(y, case, sets) if matched else two_groups(y[:, case], y[:, ~case])

        def who(y: np.ndarray, matched: bool = matched) -> str:
            there = ~np.isnan(y).all(axis=0)
            sides = f"{counted(int((there & case).sum()), 'case')}, {counted(int((there & ~case).sum()), 'control')}"
            return f"{sides}{' in sets' if matched else ''}"

        if question.kind == BASELINE:
            yield Compared(question, "baseline", "", who(base), *between(base))
            continue
        for label in getattr(question, "visits", None) or study.visits:
            if label not in study.visits:
                continue
            change = later[study.visits.index(label)] - base
            visit = visit_name(label)
            if question.kind == BETWEEN:
                yield Compared(question, "change between groups", visit, who(change), *between(change))
                continue
            for group in getattr(question, "groups", ("case", "control")):
                own = change[:, case if group == "case" else ~case]
                n = int((~np.isnan(own).all(axis=0)).sum())
                yield Compared(question, f"change in {group}s", visit, counted(n, group), *one_group(own))


def _at_hand(study: Study, plan: Plan) -> Finding:
    facts, m = Facts(study), len(study.analytes)
    beyond = (facts.below | facts.above).mean(axis=-1)
    size = np.nan_to_num(np.abs(facts.bounded()), posinf=0.0).max(axis=-1)
    texts: list[list[str]] = [[] for _ in range(m)]
    middle: dict[tuple[str, bool], list[tuple[float, float]]] = {}
    people: dict[tuple[str, bool], dict[str, None]] = {}
    weak: dict[str, None] = {}
    for found in spreads(study, plan):
        two_sided, log = found.question.alternative == "two-sided", found.question.scale != "raw"
        usable = np.isfinite(found.std_error) & (found.sd > LEAST_SD * (1.0 if log else size)) & (beyond <= MOSTLY)
        if not usable.any():
            continue
        error = np.where(usable, found.std_error, np.nan)
        one, all_m = (detectable(error, found.df, plan.alpha / k, two_sided=two_sided) for k in (1, m))
        label = " ".join(part for part in (found.visit, found.kind) if part)
        for a in np.flatnonzero(usable):
            texts[a].append(f"{label} {_size(one[a], log)} ({_size(all_m[a], log)})")
        unit = np.where(usable, 1.0 if log else found.sd, np.nan)
        people.setdefault((found.kind, log), {})[found.who] = None
        middle.setdefault((found.kind, log), []).append((float(np.nanmedian(one / unit)), float(np.nanmedian(all_m / unit))))
        if np.nanmedian(one / np.where(usable, found.sd, np.nan)) > LARGE:
            weak[found.kind] = None
    if not middle:
        return Finding(NOT_APPLICABLE, "no analyte has a spread to reckon with: too few values, or too many beyond a limit")
    said = [f"{key[0]} {_ends(sizes, key[1], m)} ({' to '.join(people[key])})" for key, sizes in middle.items()]
    head = f"{percent(POWER)} power at {plan.alpha:g}{f' (at {plan.alpha:g}/{m})' if m > 1 else ''}, median analyte: "
    rows = [{"analyte": name, "found": "; ".join(own)} for name, own in zip(facts.analytes, texts, strict=True) if own]
    out = np.array([not own for own in texts])
    limited, rest = int((out & (beyond > MOSTLY)).sum()), int((out & (beyond <= MOSTLY)).sum())
    tail = [f"{counted(limited, 'analyte')} left out: more than {percent(MOSTLY)} of their values are beyond a limit"] * bool(
        limited
    )
    tail += [f"{counted(rest, 'analyte')} left out: one value for all, or too few values"] * bool(rest)
    tail += [f"more than {LARGE:g} SD is needed: {joined(weak)}"] if weak else []
    return Finding(WARN if weak else PASS, head + "; ".join([*said, *tail]), rows)


def _ends(sizes: list[tuple[float, float]], log: bool, m: int) -> str:
    """Write the sizes of one kind of comparison, over its visits: at the level, and at the level over the number of analytes."""

    def ends(own: list[float]) -> str:
        return " to ".join(dict.fromkeys(_size(end, log) for end in (min(own), max(own))))

    one, all_m = (ends(list(own)) for own in zip(*sizes, strict=True))
    what = "a ratio of " if log else ""
    return f"{what}{one}{f' ({all_m})' if m > 1 else ''}{'' if log else ' SD'}"


def _size(size: float, log: bool) -> str:
    shown = float(np.exp(min(size, 50.0))) if log else size
    return f"{shown:.2f}" if 0.1 <= shown < 10 else f"{shown:.3g}"


CHECKS = (
    Check(
        "power at hand",
        "power",
        f"Differences of {LARGE:g} SD and less are found with {percent(POWER)} power at the plan's level, before correction "
        "for many tests.",
        'What a study cannot find it cannot rule out either: "not significant" then says nothing, and what is found is '
        "exaggerated. Smallest ratio upwards (its inverse downwards; on the raw scale a difference), by a t test with the "
        "spread in these data; in brackets, or second, at the level over the number of analytes. Realistic differences are "
        ".5 to .9 SD.",
        _at_hand,
        "Cohen J. Statistical Power Analysis for the Behavioral Sciences, 2nd ed. 1988. doi:10.4324/9780203771587; Gelman A, "
        "Carlin J. Perspect Psychol Sci 2014;9:641-651. doi:10.1177/1745691614551642",
    ),
)
