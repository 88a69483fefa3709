"""Limitations that lie in the tests: what was not tested, what they could not show, what they do not tell apart."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..arrays import NOTE_TEXTS, Note
from ..kernels.common import WITHIN
from ..questions import Question
from ..results import is_ratio
from ..wording import how_tested, strata_words
from ..words import counted
from .entered import analysed
from .limits_of_sets import SET_RULES, least_by_arrangements, set_sizes, sets_text
from .phrases import TITLES, at_edge, found, listed, neutral, part, role_of
from .summary import number

# From where on a figure is worth a sentence.
SMALL = 10  # subjects of the smaller group
SMALL_LIKELIHOOD = 20  # the same, or pairs, for a likelihood ratio
ONE_WAY = 5  # significant analytes that all lie on one side
NEARLY_ALL = 0.8  # share of all estimates on that side
_RANKS = ("mann_whitney", "change_rank", "signed_rank")
_MODELS = ("tobit", "tobit_paired")


def _not_tested(analysis: Analysis) -> Iterator[str]:
    for kind, results in analysis.results.items():
        gone = results.table[results.table["p_value"].isna()]
        if len(gone):
            why = gone["note"].str.split(";").str[0].str.removeprefix("not tested: ").str.replace(r"\b\d+ values? ", "values ",
                                                                                                regex=True)  # fmt: skip
            names = [f"{name} ({reason})" for name, reason in dict.fromkeys(zip(gone["analyte"], why, strict=True))]
            yield f"Not tested, {TITLES[kind].lower()}: {len(gone)} of {counted(len(results), 'comparison')}: {listed(names)}."


def _small_groups(analysis: Analysis) -> Iterator[str]:
    study, names = analysed(analysis)
    roles = study.subjects.loc[names, "role"]
    n, m = int((roles == "case").sum()), int((roles == "control").sum())
    if min(n, m) < SMALL:
        ranks = all(question.test in _RANKS for question in analysis.plan.questions)
        more = "" if ranks else " Assumptions of the tests cannot be checked with so few."
        yield f"Small groups: {counted(n, 'case')} and {counted(m, 'control')}.{more}"


def _small_likelihood(analysis: Analysis) -> Iterator[str]:
    for question in analysis.plan.questions:
        if question.test not in _MODELS or dict(question.options).get("calibrated"):
            continue
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        least = table[["n_case", "n_control"]].min(axis=1).min()  # of a change within a group, one of them is not there
        if len(table) and least < SMALL_LIKELIHOOD:
            yield (
                f"Likelihood ratio in small groups, {TITLES[question.kind].lower()} (down to "
                f"{counted(int(least), 'pair' if question.entry.paired else 'subject')}): it rejects too often there (of 20,000 "
                "simulated studies of two groups without a difference 5.6 to 6.2% at 30 against 22, 6.5 to 9.4% at 10 against "
                "10, at a level of 5%); calibrated = true holds the level better."
            )


def _small_clda(analysis: Analysis) -> Iterator[str]:
    question = analysis.plan.change_between
    if question is None or question.test != "clda":
        return
    table = analysis.results[question.kind].table.dropna(subset="p_value")
    least = table[["n_case", "n_control"]].min(axis=1).min()
    if len(table) and least < SMALL_LIKELIHOOD:
        yield (
            f"clda in small groups (down to {counted(int(least), 'subject')}): its standard error takes the slope of later "
            "values on the baseline as known, so that it rejects too often there (of 20,000 simulated studies without a "
            "difference 5.4% at 30 against 22, 6.5% at 10 against 10, at a level of 5%; more where visits are missing); ancova "
            "holds the level."
        )


def _unseen_values(analysis: Analysis) -> Iterator[str]:
    titles = []
    for question in analysis.plan.questions:
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        beyond = table[["n_below_case", "n_below_control", "n_above_case", "n_above_control"]].sum().sum()
        if question.test in _MODELS and question.rule == "censored" and beyond:
            titles.append(f"{TITLES[question.kind].lower()}, on the {question.scale} scale")
    if titles:
        yield (
            f"Values that nobody sees: the tobit model takes those beyond the limits to be normal on the analysis scale "
            f"({'; '.join(titles)}). No figure of this page can show whether they are."
        )


def _at_the_edge(analysis: Analysis) -> Iterator[str]:
    for question in analysis.plan.questions:
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        noted = table["note"].str.contains(NOTE_TEXTS[Note.EDGE], regex=False)
        rows = table[noted & np.array([at_edge(row) for _, row in table.iterrows()], dtype=bool)]
        is_then = "the difference is then" if question.scale == "raw" else "the ratio is then 0 or"
        if len(rows):
            yield (
                f"Estimates at the edge, {TITLES[question.kind].lower()}: in {listed(dict.fromkeys(rows['analyte']))} every "
                f"value of one side lies beyond its limit; {is_then} without bound, and only one end of its interval is known."
            )


def _discrete_tests(analysis: Analysis) -> Iterator[str]:
    alpha = analysis.plan.alpha
    for question in analysis.plan.questions:
        arranged = question.test == "stratified_permutation"
        if question.test not in _RANKS and not arranged:
            continue
        table = analysis.results[question.kind].table.dropna(subset="p_value")
        least, sizes = (_arranged if arranged else _ranked)(analysis, question, table)
        tests = table["n_tests"].to_numpy(dtype=float) if question.adjust != "none" else np.ones(len(table))
        cannot = least > alpha / tests
        if not cannot.any():
            continue
        place = np.flatnonzero(cannot)[np.argmin(least[cannot])]
        label = how_tested(question, strata_words(analysis.study))
        text = (
            f"Discrete test, {TITLES[question.kind].lower()}: in {part(int(cannot.sum()), len(table))} of the comparisons, those "
            f"with {sizes[place]} among them, the smallest p that {label} can give is "
            f"{least[place]:.2g}{' or more' if len(set(least[cannot])) > 1 else ''}"
        )
        if question.adjust == "none":
            yield f"{text}, which is above {alpha:g}."
        else:
            yield (
                f"{text}; one result alone among {counted(int(tests[place]), 'test')} could not reach {alpha:g} after "
                "Bonferroni's correction."
            )


def _ranked(analysis: Analysis, question: Question, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return the smallest p of each row of a rank test, and of how many subjects it is."""
    rows = [row for _, row in table.iterrows()]
    return np.array([least_p(row, question) for row in rows]), [_sizes(row, question) for row in rows]


def _arranged(analysis: Analysis, question: Question, table: pd.DataFrame) -> tuple[np.ndarray, list[str]]:
    """Return the smallest p of each row of a permutation test within sets, and of how many sets and arrangements it is."""
    every = question.entry.methods[0]
    least, texts = [], []
    for method, sizes in zip(table["method"], set_sizes(analysis, question), strict=True):
        sampled = method != every
        least.append(least_by_arrangements(sizes, question, sampled=sampled))
        more = f" and n_resamples = {question.n_resamples:,}" if sampled else ""
        texts.append(f"{sets_text(len(sizes[0]), analysis.study)}{more}")
    return np.array(least), texts


def least_p(row: pd.Series, question: Question) -> float:
    """Return the smallest exact p that a rank test can give with the values that entered a row."""
    sides = 2 if question.alternative == "two-sided" else 1
    n, m = int(row["n_case"] if pd.notna(row["n_case"]) else 0), int(row["n_control"] if pd.notna(row["n_control"]) else 0)
    if question.entry.paired:  # within a group, or pairs of a case and a control
        pairs = (n if role_of(row["contrast"]) == "case" else m) if question.kind == WITHIN else min(n, m)
        return min(1.0, sides * 0.5**pairs)
    return min(1.0, sides / math.comb(n + m, n))


def _sizes(row: pd.Series, question: Question) -> str:
    if not question.entry.paired:
        return f"{row['n_case']} and {row['n_control']} subjects"
    return f"{row['n_control'] if role_of(row['contrast']) == 'control' else row['n_case']} pairs"


def precision(analysis: Analysis) -> Iterator[str]:
    """Say how far intervals reach, where something was not significant; of ratios only, since units differ."""
    for question in analysis.plan.questions:
        results = analysis.results[question.kind]
        table = results.table[~found(results, analysis.plan.alpha) & results.table["p_value"].notna()]
        ratio = np.array([is_ratio(estimand) for estimand in table["estimand"]], dtype=bool)
        table = table[ratio & table["estimate"].notna() & table["conf_low"].notna()]
        if not len(table):
            continue
        middle = float(np.median(reaches(table, question.alternative)))
        side = "on at least one side" if question.alternative == "two-sided" else "on the side where it ends"
        reach = f"reaches further than {number(middle)}-fold from the estimate" if np.isfinite(middle) else "has no end"
        yield (
            f"Not significant is not no difference, {TITLES[question.kind].lower()}: of {counted(len(table), 'comparison')} "
            f"without significance, half have a {100 * question.conf_level:g}% interval that {reach} {side}."
        )


def reaches(table: pd.DataFrame, alternative: str) -> np.ndarray:
    """Return how many fold each interval reaches from its estimate, to the farther end; an open end is infinitely far."""
    low, middle, high = (table[name].to_numpy(dtype=float) for name in ("conf_low", "estimate", "conf_high"))
    with np.errstate(divide="ignore", invalid="ignore"):
        down, up = middle / low, high / middle
    ends = {"greater": [down], "less": [up]}.get(alternative, [down, up])  # one-sided: the other end is open by design
    far = np.max(ends, axis=0)
    return np.where(np.isnan(far), np.inf, far)


def _one_way(analysis: Analysis) -> Iterator[str]:
    results, question = analysis.baseline, analysis.plan.baseline
    if results is None or question is None or question.alternative != "two-sided":
        return
    table = results.table[found(results, analysis.plan.alpha)]
    side = table["estimate"].to_numpy() - neutral(table)
    if len(table) >= ONE_WAY and (np.all(side < 0) or np.all(side > 0)):
        everything = results.table.dropna(subset="estimate")
        same = int((np.sign(everything["estimate"] - neutral(everything)) == np.sign(side[0])).sum())
        share = f", as are {part(same, len(everything))} of all estimates" if same >= NEARLY_ALL * len(everything) else ""
        yield (
            f"All one way: the {len(table)} significant analytes at baseline are all {'lower' if side[0] < 0 else 'higher'} in "
            f"cases{share}. One thing shared, such as storage, handling or plates, can move many analytes together; these tests "
            "cannot tell that from as many separate differences."
        )


def _lords_paradox(analysis: Analysis) -> Iterator[str]:
    if analysis.baseline is None or analysis.change_between is None:
        return
    hits = analysis.baseline.table[found(analysis.baseline, analysis.plan.alpha)]
    if len(hits):
        question = analysis.plan.change_between
        shown = {"ancova": "the analysis of covariance", "clda": "the model of one common baseline"}
        test = question.entry.name if question is not None else ""
        yield (
            f"Changes compared where baselines differ: {counted(len(hits), 'analyte')} ({listed(hits['analyte'])}) "
            f"{'differs' if len(hits) == 1 else 'differ'} significantly at baseline. There a comparison of changes and an "
            "analysis of covariance answer different questions (Lord's paradox), and values can drift back to the mean; this "
            f"page shows {shown.get(test, 'changes')} only; change_side_by_side() shows both."
        )


def _no_correction(analysis: Analysis) -> Iterator[str]:
    alpha = analysis.plan.alpha
    for question in analysis.plan.questions:
        tests = int(analysis.results[question.kind].table["p_value"].notna().sum())
        if question.adjust == "none" and tests > 1:
            yield (
                f"No correction for {tests:,} tests, {TITLES[question.kind].lower()}: if nothing differed, about "
                f"{number(alpha * tests)} would still have p <= {alpha:g}."
            )


TEST_RULES = (
    _not_tested, _small_groups, _small_likelihood, _small_clda, *SET_RULES, _unseen_values, _at_the_edge,
    _discrete_tests, _one_way, _lords_paradox, _no_correction, precision,
)  # fmt: skip
