"""Limitations of tests that compare within matched sets or strata: too few of them for what a test takes for granted."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..arrays import NOTE_TEXTS, Note
from ..covariates import arrays_for
from ..entering import Sides
from ..questions import Question
from ..study import Study
from ..words import counted
from .entered import one_kind_text
from .phrases import TITLES, listed, part
from .summary import number

# From where on a figure is worth a sentence.
FEW_RANKED = 20  # sets, and in them cases or controls, for a normal approximation of ranks
FEW_SAMPLED = 1000  # arrangements at random
FEW_BEYOND = 50  # subjects beyond the first of each set: with fewer a log odds ratio is off by 7% and more

Sizes = tuple[np.ndarray, np.ndarray]  # cases and controls of each set that has both


def set_sizes(analysis: Analysis, question: Question) -> list[Sizes]:
    """Return how many cases and controls entered, set by set, for each row that was tested; sets of one kind do not count."""
    study, results = analysis.study, analysis.results[question.kind]
    arrays = arrays_for(study, [question])
    sets = Sides(arrays).sets
    by_row = {
        key: study.subjects.index.get_indexer(pd.Index(own, dtype=object))
        for key, own in results.excluded.groupby(["visit", "analyte"])["subject"]
    }
    found = []
    for row in results.table.dropna(subset="p_value").itertuples():
        entered = sets >= 0
        for analyte in ("", row.analyte):
            at = by_row.get((row.visit, analyte), np.empty(0, dtype=np.intp))
            entered[at[at >= 0]] = False
        case, control = (np.bincount(sets[entered & side]) for side in (arrays.case, ~arrays.case))
        width = max(len(case), len(control))
        case, control = (np.pad(n, (0, width - len(n))) for n in (case, control))
        both = (case > 0) & (control > 0)
        found.append((case[both], control[both]))
    return found


def sets_text(count: int, study: Study) -> str:
    """Count matched sets, or strata."""
    return counted(count, *(("stratum", "strata") if study.design.matching == "frequency" else ("set",)))


def least_by_arrangements(sizes: Sizes, question: Question, *, sampled: bool) -> float:
    """Return the smallest p that a permutation test within sets can give.

    The arrangement observed counts itself. Where each set has as many cases as controls, to change the two kinds over turns the
    sign of the sum, so that two arrangements are as extreme; that matters where all are gone through.
    """
    if sampled:
        return 1 / (question.n_resamples + 1)
    case, control = sizes
    every = math.prod(math.comb(int(m + k), int(m)) for m, k in zip(case, control, strict=True))
    return (2 if question.alternative == "two-sided" and (case == control).all() else 1) / every


def sign_test_size(pairs: int, alternative: str = "two-sided", level: float = 0.05) -> float:
    """Return how often a sign test by the normal approximation rejects where nothing differs and nothing is tied.

    Examples
    --------
    >>> [round(sign_test_size(n), 4) for n in (3, 4, 5, 6, 21)]
    [0.0, 0.125, 0.0625, 0.0312, 0.0784]
    """
    from scipy.special import ndtr

    z = [(2 * higher - pairs) / math.sqrt(pairs) for higher in range(pairs + 1)]
    p = [2 * ndtr(-abs(own)) if alternative == "two-sided" else ndtr(-own) for own in z]
    return sum(math.comb(pairs, higher) for higher in range(pairs + 1) if p[higher] <= level) / 2**pairs


def _ranked_sets(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    for question in analysis.plan.questions:
        sizes = set_sizes(analysis, question) if question.test == "van_elteren" else []
        if not sizes:
            continue
        fewest = min(len(case) for case, _ in sizes)
        start = f"van Elteren's test, {TITLES[question.kind].lower()} (down to {sets_text(fewest, study)})"
        size = f"{100 * sign_test_size(fewest, question.alternative):.2g}%"
        if Sides(study.arrays).one_to_one:
            yield (
                f"{start}: in sets of one case and one control it is the sign test, which takes of each difference no more than "
                "its side (50 pairs with a difference were significant in 72% of simulated studies, in 86% by paired_t); "
                f"signed_rank takes its size too. By the normal approximation it rejects {size} of "
                f"what does not differ at {counted(fewest, 'pair')} without ties and a level of 5%; stratified_permutation and "
                "signed_rank keep the level."
            )
        elif any(len(case) < FEW_RANKED and min(case.sum(), control.sum()) < FEW_RANKED for case, control in sizes):
            yield (
                f"{start}: its normal approximation does not keep the level where sets are few and small (of 20,000 simulated "
                "studies without a difference it rejected, at a level of 5%, 12.7% with 4 sets of one case and one control, 7.6% "
                "with 6 of one and two, 6.5% with 10 of one and three); stratified_permutation keeps it."
            )


def _few_sets(analysis: Analysis) -> Iterator[str]:
    for question in analysis.plan.questions:
        if question.test != "conditional_logistic" or dict(question.options).get("penalty"):
            continue
        sizes = set_sizes(analysis, question)
        beyond = [int((case + control - 1).sum()) for case, control in sizes]
        if not beyond or min(beyond) >= FEW_BEYOND:
            continue
        case, control = sizes[int(np.argmin(beyond))]
        sets, subjects = sets_text(len(case), analysis.study), counted(int((case + control).sum()), "subject")
        yield (
            f"Conditional logistic regression of {sets}, {TITLES[question.kind].lower()}: with as few as {subjects} in them its "
            "odds ratios lie too far from 1, the more so the larger they are (one of 1.9 per SD, on the log scale by 33% on "
            "average over simulated studies of 15 sets of one case and one control, by 17% with 25 and 7% with 50; by 14% with "
            '15 sets of one and two, 13% with 3 strata of five and five); penalty = "firth" takes most of that back.'
        )


def _infinite_odds(analysis: Analysis) -> Iterator[str]:
    for question in analysis.plan.questions:
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        rows = table[table["note"].str.contains(NOTE_TEXTS[Note.INFINITE], regex=False)]
        if len(rows):
            by = ", by the level alone or together with the covariates," if question.covariates else ""
            yield (
                f"Separation, {TITLES[question.kind].lower()}: in {listed(dict.fromkeys(rows['analyte']))}{by} no control of any "
                "set lies on the cases' side; the odds ratio is infinite or 0, and only one end of its interval is known."
            )


def _strata_of_one_kind(analysis: Analysis) -> Iterator[str]:
    for need in ("both", "two"):
        if text := one_kind_text(analysis, need):
            yield f"Strata of one kind: {text}"


def _few_arrangements(analysis: Analysis) -> Iterator[str]:
    for question in analysis.plan.questions:
        n = question.n_resamples
        if "resamples" not in question.entry.takes or n >= FEW_SAMPLED:
            continue
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        sampled = int(table["method"].str.contains("permutations").sum())
        if sampled:
            yield (
                f"Few arrangements, {TITLES[question.kind].lower()}: {part(sampled, len(table))} of the p-values rest on "
                f"{counted(n, 'arrangement')} at random; at p = 0.05 their Monte Carlo error (an SD) is "
                f"{number(math.sqrt(0.05 * 0.95 / n))}, and another seed may put a result on the other side of a level. A larger "
                "n_resamples makes it smaller."
            )


SET_RULES = (_strata_of_one_kind, _ranked_sets, _few_sets, _infinite_odds, _few_arrangements)
