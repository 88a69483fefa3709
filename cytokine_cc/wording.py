"""Plans and what came of them, in words that a methods section could print."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from .kernels.common import BASELINE, WITHIN
from .versions import versions

if TYPE_CHECKING:
    import pandas as pd

    from .analysis import Analysis
    from .plan import Plan, Question
    from .results import Results
    from .study import Study

CORRECTIONS = {
    "none": "not adjusted for multiple testing",
    "bonferroni": "adjusted by Bonferroni's method, which controls the family-wise error rate",
    "holm": "adjusted by Holm's method, which controls the family-wise error rate",
    "hochberg": "adjusted by Hochberg's method, which controls the family-wise error rate under positive dependence",
    "hommel": "adjusted by Hommel's method, which controls the family-wise error rate under positive dependence",
    "BH": "adjusted by the method of Benjamini and Hochberg, which controls the false discovery rate under positive dependence",
    "BY": "adjusted by the method of Benjamini and Yekutieli, which controls the false discovery rate under any dependence",
}
RULE_WORDS = {
    "half": "values below the limit of detection {be} replaced by half the limit",
    "sqrt2": "values below the limit of detection {be} replaced by the limit divided by the square root of 2",
    "limit": "values below the limit of detection {be} replaced by the limit",
    "lowest_rank": "values below the limit of detection {be} given the lowest rank, "
    "tied with every number under the highest such limit",
    "drop": "values below the limit of detection {be} left out",
    "as_reported": "numbers {be} taken as reported, extrapolated ones included, and values without a number {be} left out",
}
SCALE_WORDS = {"raw": "the values as measured", "log2": "log2 values", "ln": "natural log values", "log10": "log10 values"}
SIDES = {"greater": "one-sided: {first} higher", "less": "one-sided: {first} lower"}


def question_text(question: Question, be: str, visits: str = "") -> str:
    """Describe one question.

    Parameters
    ----------
    question : Question
    be : str
        "will be" or "were".
    visits : str
        The later visits in words, where they are known.

    Returns
    -------
    str
    """
    entry = question.entry
    later = visits or ("each later visit" if getattr(question, "visits", None) is None else " and ".join(question.visits))  # type: ignore[attr-defined]
    if question.kind == BASELINE:
        subject, first = f"Baseline levels {be} compared between cases and controls", "cases"
    elif question.kind == WITHIN:
        groups = " and in ".join({"case": "cases", "control": "controls"}[group] for group in question.groups)  # type: ignore[attr-defined]
        subject, first = f"Levels at {later} {be} compared with baseline in {groups}", "later"
    else:
        subject, first = f"Changes from baseline to {later} {be} compared between cases and controls", "cases"
    side = SIDES.get(question.alternative, "two-sided").format(first=first)
    ratio = "ratios of geometric means" if question.scale != "raw" else "differences of means"
    if entry.estimand == "shift":
        ratio = "Hodges-Lehmann shifts" + (" (as ratios)" if question.scale != "raw" else "")
    given = f"; results are {ratio} with {100 * question.conf_level:g}% confidence intervals" if entry.estimand != "none" else ""
    rule = RULE_WORDS[question.rule].format(be=be)
    family = "all tests of this question together" if question.family == "all" else "the analytes of each visit"
    if question.kind == WITHIN and question.family == "visit":
        family = "the analytes of each visit and group"
    across = "" if question.adjust == "none" else f", across {family}"
    if question.adjust == "none" and question.family == "all":
        across = " (family, if they are adjusted later: all tests of this question)"
    text = (
        f"{subject} by {entry.label} on {SCALE_WORDS[question.scale]} ({side}){given}. {rule[0].upper()}{rule[1:]}. "
        f"P-values {be} {CORRECTIONS[question.adjust]}{across}."
    )
    if question.below_limit is None:
        text = text.replace(rule[1:] + ".", rule[1:] + " (the test's own rule).")
    if question.ignore_matching:
        text += f" Matched sets {be} ignored on purpose."
    return text + _unused(question, be)


def _unused(question: Question, be: str) -> str:
    """Mention settings that this test has no use for, where someone has set them."""
    odd = []
    if question.n_resamples != 9999:
        odd.append(f"n_resamples = {question.n_resamples:,}")
    if question.seed is not None:
        odd.append(f"seed = {question.seed}")
    return f" ({' and '.join(odd)} {be} of no use to this test, which does not resample.)" if odd else ""


def plan_text(plan: Plan) -> str:
    """Describe a plan."""
    parts = [question_text(question, "will be") for question in plan.questions]
    level = f"Adjusted p-values of {plan.alpha:g} or less will be called significant."
    return " ".join([*parts, level])


def analysis_text(analysis: Analysis) -> str:
    """Describe what was done and on what."""
    plan, study = analysis.plan, analysis.study
    parts = [_study_text(study), _limits_text(study)]
    for question in plan.questions:
        results = analysis.results[question.kind]
        visits = " and ".join(dict.fromkeys(results.table["visit"]))
        parts += [question_text(question, "were", visits), _methods_text(results), _untested_text(results)]
    parts.append(f"Adjusted p-values of {plan.alpha:g} or less were called significant.")
    parts.append(_borrowed_text(analysis))
    names = {"cytokine_cc": "cytokine_cc", "python": "Python", "numpy": "NumPy", "scipy": "SciPy"}
    software = ", ".join(f"{names[name]} {version}" for name, version in versions() if name in names)
    return " ".join(part for part in [*parts, f"Software: {software}."] if part)


def _study_text(study: Study) -> str:
    design = study.design
    matched = {"none": "", "frequency": f", frequency-matched on {_and(design.matched_on)}"}
    sets = study.subjects["matched_set"].nunique()
    how = matched.get(
        design.matching, f" in {sets} matched sets" + (f" (matched on {_and(design.matched_on)})" if design.matched_on else "")
    )
    visits = [
        f"{study.baseline} (the mean of {len(study.baseline_visits)} visits)"
        if len(study.baseline_visits) > 1
        else study.baseline
    ]
    when = f" at {_and([*visits, *study.visits])}" if study.visits or len(study.baseline_visits) > 1 else ""
    gone = study.excluded["subject"].nunique()
    left = f" {gone} subjects were left out: {_counted(study.excluded['reason'])}." if gone else ""
    groups = f"The study comprised {study.n_case} cases and {study.n_control} controls{how}"
    return f"{groups}; {len(study.analytes)} analytes were measured{when}.{left}"


def _limits_text(study: Study) -> str:
    shares = study.panel.detection()
    if not (shares["n_below"].any() or shares["n_above"].any()):
        return "No value lay beyond a limit of detection."
    below = shares["below"]
    text = f"{below.mean():.1%} of values lay below the limit of detection (by analyte {below.min():.0%} to {below.max():.0%})"
    if shares["n_above"].any():
        text += f" and {shares['above'].mean():.1%} above the upper limit"
    return f"{text}."


def _methods_text(results: Results) -> str:
    """Say how many p-values were exact, where some were and some were not."""
    methods = results.table.loc[results.table["method"] != "", "method"].value_counts()
    if len(methods) < 2:
        return f"P-values were {methods.index[0]}." if len(methods) and methods.index[0] == "exact" else ""
    return f"P-values were {_and([f'{name} ({count} tests)' for name, count in methods.items()])}."


def _untested_text(results: Results) -> str:
    gone = results.table[results.table["p_value"].isna()]
    if not len(gone):
        return ""
    why = gone["note"].str.split(";").str[0].str.removeprefix("not tested: ")
    names = _and([f"{name} ({reason})" for name, reason in dict(zip(gone["analyte"], why, strict=True)).items()])
    return f"Not tested: {names}."


def _borrowed_text(analysis: Analysis) -> str:
    notes = [results.table["note"] for results in analysis.results.values()]
    if any(note.str.contains("limit not stated").any() for note in notes):
        return (
            "Where a limit was not stated, the lowest measured value of the analyte (on the plate, where known) stood in for it."
        )
    return ""


def _counted(reasons: pd.Series) -> str:
    return _and([f"{reason} ({count})" if count > 1 else str(reason) for reason, count in reasons.value_counts().items()])


def _and(items: Iterable[str]) -> str:
    items = list(items)
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""
