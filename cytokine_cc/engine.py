"""run: the only loop over questions and contrasts; one study or many, the same code."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .adjusting import columns_of, columns_of_visits
from .arrays import Note, Response, StudyArrays
from .entering import Sides, check_matching, only_whole_sets, without
from .errors import OptionError, did_you_mean, quoted
from .kernels import Statistics, hedges_g, moments
from .kernels.common import BASELINE, WITHIN
from .limits import SUBSTITUTES, anywhere, count, missing, nowhere, settled, unflagged
from .multiplicity import adjust_pvalues
from .questions import Question
from .responses import Responses, any_of, tie

# Values worked on at a time; blocks bound the memory and do not change a bit of the answer.
BLOCK_VALUES = 250_000
# A row with a larger share of values beyond a limit has a variance that tells of what stands in for them.
MOST_REPLACED = 0.8


@dataclass(eq=False)
class Contrast:
    """One comparison for all analytes: arrays of shape (..., analytes).

    Attributes
    ----------
    visit : int or None
        Position among the later visits; None is the baseline.
    group : str
        "case", "control" or, for both, "".
    statistics : Statistics
    p_adjusted, n_tests : ndarray
    summary : dict of ndarray
        Where detail was asked: n_case, n_below_case, mean_case, sd_case ... hedges_g, on the analysis scale.
    counts : dict of Note to ndarray
        The numbers that notes mention.
    entered : ndarray of bool, shape (..., analytes, subjects), or None
    """

    visit: int | None
    group: str
    statistics: Statistics
    summary: dict[str, np.ndarray] = field(default_factory=dict)
    counts: dict[Note, np.ndarray] = field(default_factory=dict)
    entered: np.ndarray | None = None
    p_adjusted: np.ndarray = field(default_factory=lambda: np.empty(0))
    n_tests: np.ndarray = field(default_factory=lambda: np.empty(0))


def run(
    questions: Iterable[Question], arrays: StudyArrays, *, detail: bool = False, intervals: bool = True
) -> list[list[Contrast]]:
    """Answer questions on a study, or on many simulated ones.

    Parameters
    ----------
    questions : iterable of Question
    arrays : StudyArrays
    detail : bool
        Also summaries and which values entered, for a table of results.
    intervals : bool
        Also intervals (and, for rank tests, estimates).

    Returns
    -------
    list of list of Contrast
        For each question its contrasts: later visits in order and, within them, groups.

    Raises
    ------
    OptionError
        A question that the design does not allow.
    NonPositiveError
        Values of 0 or less on a log scale.
    """
    questions = list(questions)
    sides = Sides(arrays)
    plans = [contrasts_of(question, arrays) for question in questions]
    for question in questions:
        check_matching(question, sides)
        _check_covariates(question, arrays)
    parts: list[list[list[Contrast]]] = [[[] for _ in plan] for plan in plans]
    for rows, together in [*((rows, False) for rows in _blocks(arrays)), (slice(0, arrays.n_analytes), True)]:
        responses = Responses(arrays, rows)
        for question, plan, found in zip(questions, plans, parts, strict=True):
            if question.entry.borrows is not together:
                continue
            for (visit, group), pieces in zip(plan, found, strict=True):
                pieces.append(_contrast(question, visit, group, responses, sides, detail, intervals))
    joined = [[_join(pieces) for pieces in found] for found in parts]
    for question, contrasts in zip(questions, joined, strict=True):
        adjust_contrasts(question, contrasts)
    return joined


def contrasts_of(question: Question, arrays: StudyArrays) -> list[tuple[int | None, str]]:
    """Return (later visit or None, group) of each comparison that a question asks for."""
    if question.kind == BASELINE:
        return [(None, "")]
    if not arrays.later:
        raise OptionError(
            f"{question.kind}: the study has no visit after baseline; leave this question out of the plan (None; in a file, name "
            "the questions to ask, such as [plan.baseline])."
        )
    visits = getattr(question, "visits", None) or arrays.later
    for label in visits:
        if label not in arrays.later:
            hint = did_you_mean(label, arrays.later)
            raise OptionError(f"{question.kind}: no later visit {label!r}; the later visits are {quoted(arrays.later)}.{hint}")
    groups = getattr(question, "groups", ("",)) if question.kind == WITHIN else ("",)
    return [(arrays.later.index(label), group) for group in groups for label in visits]


def _check_covariates(question: Question, arrays: StudyArrays) -> None:
    """Refuse covariates that simulated studies do not have; those of a study were looked up before."""
    for name in question.covariates:
        if name not in arrays.covariates:
            there = quoted(arrays.covariates) if arrays.covariates else "none"
            hint = did_you_mean(name, arrays.covariates)
            raise OptionError(f"{question.kind}: no covariate {name!r}; there are {there}.{hint}")


def _blocks(arrays: StudyArrays) -> Iterator[slice]:
    n = arrays.n_analytes
    per_row = max(1, arrays.value.size // max(1, n * arrays.n_visits))
    step = max(1, BLOCK_VALUES // per_row)
    for start in range(0, n, step):
        yield slice(start, min(n, start + step))


def _contrast(
    question: Question,
    visit: int | None,
    group: str,
    responses: Responses,
    sides: Sides,
    detail: bool,
    intervals: bool,
) -> Contrast:
    entry = question.entry
    counts: dict[Note, np.ndarray] = {}
    values, options = _entering(question, visit, group, responses, sides, counts)
    taken = {name: sides.part(values, name) for name in ((group,) if group else ("case", "control"))}
    whole = taken[group] if group else values
    counts |= _counts(whole, paired=visit is not None, replaced=question.rule in SUBSTITUTES and responses.arrays.n_baseline == 1)
    gone = missing(values.y)
    n = {name: part.y.shape[-1] - count(sides.take(gone, name)) for name, part in taken.items()}
    blocked = _blocked(whole, n, counts, paired=visit is not None)
    x, y, more = _samples(question, visit, group, responses, sides, taken, gone)
    options |= more | {"alternative": question.alternative, "conf_level": question.conf_level if intervals else None}
    if "feed" in entry.takes:
        options["feed"] = (blocked == 0) & (count(whole.below | whole.above) <= MOST_REPLACED * sum(n.values()))
    if entry.sets:
        options["sets"] = tuple(sides.take(sides.sets, name) for name in ("case", "control"))
    if "resamples" in entry.takes:
        options |= {"n_resamples": question.n_resamples, "seed": question.seed}
    statistics = entry.function(x, y, **options, **dict(question.options))
    if statistics.side is None:  # a user's own
        statistics = statistics._replace(side=np.sign(statistics.estimate))
    contrast = Contrast(visit, group, _refuse(statistics, blocked, counts), counts=counts)
    if detail:
        contrast.summary = _summary(taken) | {"hedges_g": _pair_effect(x, y) if group else _group_effect(taken)}
        if question.rule == "censored":
            _blank_bounded(contrast.summary, count(whole.below | whole.above) > 0)
        contrast.entered = ~gone
    return contrast


def _entering(
    question: Question, visit: int | None, group: str, responses: Responses, sides: Sides, counts: dict[Note, np.ndarray]
) -> tuple[Response, dict[str, Any]]:
    """Return what enters a contrast, before it is split by group, and what the test is told of covariates and other visits."""
    entry, arrays, options = question.entry, responses.arrays, {}
    if "visits" in entry.takes:
        return _entering_by_visit(question, visit, responses, sides, counts)
    values, columns = responses.values(visit, question), columns_of(question, visit, arrays)
    if columns is not None:
        values = without(values, columns.gone[..., None, :])
        options["covariates"] = tuple(sides.take(columns.values, name) for name in ("case", "control"))
    if entry.matched and not group:
        values = only_whole_sets(values, sides, entry)
    if question.rule == "lowest_rank":
        values = tie(values, counts)
    return values, options


def _entering_by_visit(
    question: Question, visit: int | None, responses: Responses, sides: Sides, counts: dict[Note, np.ndarray]
) -> tuple[Response, dict[str, Any]]:
    """Return who enters a model of all visits, by any of them, and the values of each."""
    places, found = responses.all_visits(question)
    columns, given, options = columns_of_visits(question, responses.arrays), found, {}
    if columns is not None:
        found = [without(own, columns.gone[..., v, None, :]) for v, own in enumerate(given)]
        options["covariates"] = tuple(sides.take(columns.values, name) for name in ("case", "control"))
    at = places.index(visit)
    values = any_of(found, found[at].point - found[0].point)
    gone = np.isnan(values.y)
    by_visit = np.stack([np.where(gone, np.nan, own.y) for own in found], axis=-2)
    lacks = np.isnan(by_visit).any(axis=-2) & ~gone
    counts[Note.SEMI_PAIRED] = count(lacks)
    if columns is not None:
        lost = [count(~np.isnan(own.y) & np.isnan(left.y) & ~gone) for own, left in zip(given, found, strict=True)]
        counts[Note.NO_PLATE] = np.sum(lost, axis=0)
    visits = tuple(sides.take(by_visit, name) for name in ("case", "control"))
    return values, options | {"visits": visits, "at": at}


def _samples(
    question: Question,
    visit: int | None,
    group: str,
    responses: Responses,
    sides: Sides,
    taken: dict[str, Response],
    gone: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Return the two samples of a contrast, and what else is known of them, as the test takes it."""
    options: dict[str, Any] = {}
    if group:
        x, y = (sides.part(response, group) for response in responses.pair(visit, question))
    elif "baseline" in question.entry.takes:
        later, base = responses.pair(visit, question)
        options["baseline"] = tuple(sides.take(base.y, name) for name in ("case", "control"))
        whole = unflagged(np.where(gone, np.nan, later.y))
        x, y = (sides.part(whole, name) for name in ("case", "control"))
    else:
        x, y = taken["case"], taken["control"]
    if "bounds" in question.entry.takes and (np.isinf(x.y).any() or np.isinf(y.y).any()):
        options["bounds"] = (*x[1:4], *y[1:4])  # point, low, high
    return x.y, y.y, options


def _counts(values: Response, *, paired: bool, replaced: bool) -> dict[Note, np.ndarray]:
    """Count, row by row, what the reader must know of the values that entered."""
    borrowed = [values.borrowed & flags if anywhere(values.borrowed) else values.borrowed for flags in values[4:6]]
    return {
        Note.NO_LIMIT: count(values.unknown),
        Note.PART_BASELINE: count(values.partial),
        Note.BORROWED_LOWER: count(borrowed[0]),
        Note.BORROWED_UPPER: count(borrowed[1]),
        Note.LIMITS_DIFFER: _uneven(values, paired) if replaced else count(nowhere(values.y.shape)),
    }


def _blocked(values: Response, n: dict[str, np.ndarray], counts: dict[Note, np.ndarray], *, paired: bool) -> np.ndarray:
    """Flag rows that cannot be tested, whatever the test makes of them."""
    total = sum(n.values())
    block = np.zeros(np.shape(total), dtype=np.int64)
    for name, flag in (("case", Note.NO_CASE), ("control", Note.NO_CONTROL)):
        if name in n:
            block |= np.where(n[name] == 0, int(flag), 0)
    some = block == 0
    reasons = (("stuck", Note.ALL_PAIRS_BEYOND),) if paired else (("below", Note.ALL_BELOW), ("above", Note.ALL_ABOVE))
    for what, flag in reasons:
        block |= np.where(some & (count(getattr(values, what)) == total), int(flag), 0)
    return np.where(counts[Note.NO_LIMIT] > 0, int(Note.NO_LIMIT), block)  # the one reason behind any other


def _refuse(statistics: Statistics, block: np.ndarray, counts: dict[Note, np.ndarray]) -> Statistics:
    """Take back what a test made of rows that cannot be tested, and flag what the reader must know."""
    flags = np.zeros_like(block)
    for flag in (Note.PART_BASELINE, Note.BORROWED_LOWER, Note.BORROWED_UPPER, Note.LIMITS_DIFFER, Note.NO_PLATE):
        if flag in counts:
            flags |= np.where(counts[flag] > 0, int(flag), 0)
    for flag in (Note.TIED_LOWEST, Note.TIED_HIGHEST):
        if flag in counts:
            flags |= np.where(counts[flag] >= 0, int(flag), 0)
    blocked = block != 0
    note = np.where(blocked, block, statistics.note) | flags
    if not blocked.any():
        return statistics._replace(note=note)
    numbers = {name: np.where(blocked, np.nan, getattr(statistics, name)) for name in Statistics._fields[:7]}
    method = np.where(blocked, -1, statistics.method).astype(np.int8)
    return statistics._replace(**numbers, method=method, note=note)


def _uneven(values: Response, paired: bool) -> np.ndarray:
    """Count the replaced values of a row whose limits are not all one; of changes, those between two that differ."""
    y, below = values.point, values.below
    if not anywhere(below):
        return count(below)
    if paired:
        return count(settled(values.stuck & below & ~values.above & (np.abs(y) > 1e-12)))
    low = np.where(below, y, np.inf).min(axis=-1)
    high = np.where(below, y, -np.inf).max(axis=-1)
    return np.where(high - low > 1e-12, count(below), 0)


def _summary(taken: dict[str, Response]) -> dict[str, np.ndarray]:
    out: dict[str, np.ndarray] = {}
    for name, part in taken.items():
        m = moments(part.point)
        out |= {f"n_{name}": (~np.isnan(part.y)).sum(axis=-1), f"mean_{name}": m.mean, f"sd_{name}": np.sqrt(m.var)}
        out |= {f"n_below_{name}": part.below.sum(axis=-1), f"n_above_{name}": part.above.sum(axis=-1)}
    return out


def _pair_effect(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Hedges' g of a change; none where values are known by a bound only."""
    bounded = np.isinf(x).any(axis=-1) | np.isinf(y).any(axis=-1)
    x, y = (np.where(bounded[..., None], np.nan, part) for part in (x, y)) if bounded.any() else (x, y)
    return hedges_g(x, y, paired=True)


def _group_effect(taken: dict[str, Response]) -> np.ndarray:
    """Hedges' g of two groups; none where values are known by their rank only."""
    g = hedges_g(taken["case"].point, taken["control"].point, paired=False)
    ranks_only = np.isinf(taken["case"].y).any(axis=-1) | np.isinf(taken["control"].y).any(axis=-1)
    return np.where(ranks_only, np.nan, g)


def _blank_bounded(summary: dict[str, np.ndarray], bounded: np.ndarray) -> None:
    """Blank moments of values of which some are known by a bound only: a model takes them, a mean cannot."""
    for name, values in summary.items():
        if not name.startswith("n_"):
            summary[name] = np.where(bounded, np.nan, values)


def _join(pieces: list[Contrast]) -> Contrast:
    """Put the blocks of a contrast together along the analytes."""
    first = pieces[0]
    if len(pieces) == 1:
        return first

    def along(arrays: list[Any], axis: int = -1) -> np.ndarray:
        return np.concatenate(arrays, axis=axis)

    return Contrast(
        first.visit,
        first.group,
        Statistics(*(along([piece.statistics[i] for piece in pieces]) for i in range(len(first.statistics)))),
        {name: along([piece.summary[name] for piece in pieces]) for name in first.summary},
        {flag: along([piece.counts[flag] for piece in pieces]) for flag in first.counts},
        None if first.entered is None else along([piece.entered for piece in pieces], axis=-2),
    )


def adjust_contrasts(question: Question, contrasts: list[Contrast]) -> None:
    """Fill in the adjusted p-values of a question's contrasts, over each of them or over all."""
    p = np.stack([contrast.statistics.p_value for contrast in contrasts], axis=-2)
    shape = p.shape
    if question.family == "all":
        p = p.reshape(*shape[:-2], 1, -1)
    adjusted = adjust_pvalues(p, question.adjust).reshape(shape)
    n_tests = np.broadcast_to((~np.isnan(p)).sum(axis=-1, keepdims=True), p.shape).reshape(shape)
    for i, contrast in enumerate(contrasts):
        contrast.p_adjusted, contrast.n_tests = adjusted[..., i, :], n_tests[..., i, :]
