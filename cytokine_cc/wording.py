"""Plans and what came of them, in words that a methods section could print."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from .arrays import NOTE_TEXTS, Note
from .kernels.common import BASELINE, BETWEEN, WITHIN
from .limits import beyond_limits
from .panel import State
from .versions import versions
from .words import counted, joined, visit_names

if TYPE_CHECKING:
    import pandas as pd

    from .analysis import Analysis
    from .plan import Plan
    from .questions import Question
    from .results import Results
    from .study import Study

# {be}: "will be" or "were".
CORRECTIONS = {
    "none": "p-values {be_not} adjusted for multiple testing",
    "bonferroni": "p-values {be} adjusted by Bonferroni's method (family-wise error rate)",
    "holm": "p-values {be} adjusted by Holm's method (1979; family-wise error rate)",
    "hochberg": "p-values {be} adjusted by Hochberg's method (1988; family-wise error rate, under positive dependence)",
    "hommel": "p-values {be} adjusted by Hommel's method (1988; family-wise error rate, under positive dependence)",
    "BH": "p-values {be} adjusted by the method of Benjamini and Hochberg (1995; false discovery rate under positive dependence)",
    "BY": "p-values {be} adjusted by the method of Benjamini and Yekutieli (2001; false discovery rate, under any dependence)",
}
RULE_WORDS = {
    "half": "values below the limit of detection, reported numbers included, {be} replaced by half the limit",
    "sqrt2": "values below the limit of detection, reported numbers included, {be} replaced by "
    "the limit over the square root of 2",
    "limit": "values below the limit of detection, reported numbers included, {be} replaced by the limit",
    "lowest_rank": "values below the limit of detection {be} given the lowest rank, "
    "tied with every number under the highest such limit",
    "drop": "values below the limit of detection, reported numbers included, {be} left out",
    "as_reported": "numbers {be} taken as reported, extrapolated ones included, and values without a number {be} left out",
    "censored": "values below the limit of detection, reported numbers included, {be} taken as known only to lie below it",
}
SCALE_WORDS = {"raw": "the values as measured", "log2": "log2 values", "ln": "natural logarithms", "log10": "log10 values"}
# Corrections as they are written beside a p-value: most have the name of a person.
CORRECTION_NAMES = {name: name if name == "none" else name[0].upper() + name[1:] for name in CORRECTIONS}
NAMES = {BASELINE: "baseline comparisons", WITHIN: "changes within groups", BETWEEN: "changes between groups"}
# What the note of a row says where nothing can stand in for a limit.
NOT_STOOD_IN = NOTE_TEXTS[Note.NO_LIMIT].partition(", and ")[2]
# Between the file and what its data were drawn from, in the source of a panel.
SIMULATED = "; simulated: "
MATCHED_SETS = "matched sets"
_ESTIMATES = {
    ("mean", True): "ratios of geometric means",
    ("mean", False): "differences of means",
    ("shift", True): "Hodges-Lehmann shifts as ratios",
    ("shift", False): "Hodges-Lehmann shifts",
    **{("probability", log): "probabilities that {case} lies above {control} (ties halved)" for log in (True, False)},
    ("odds", True): "odds ratios per doubling {of}",
    ("odds", False): "odds ratios per unit {of}",
}


def plan_text(plan: Plan) -> str:
    """Describe what will be done."""
    texts = _questions_text(plan.questions, "will be", {}, strata=f"{MATCHED_SETS} or strata")  # the design is not known here
    return " ".join([*texts, _level_text(plan, "will be")])


def analysis_text(analysis: Analysis) -> str:
    """Describe what was done and on what."""
    plan, study, results = analysis.plan, analysis.study, analysis.results
    visits = {kind: visit_names(dict.fromkeys(answer.table["visit"])) for kind, answer in results.items()}
    whole = study.with_semi_paired if in_model(analysis)[0] else study
    above = _beyond(whole)[1].any()
    sets, strata = study.design.matching == "sets", strata_words(study)
    parts = [
        simulated_text(study),
        _study_text(study, alone=model_alone(analysis)),
        _entered_text(analysis) if model_alone(analysis) else semi_paired_text(analysis),
        _limits_text(whole),
        *_questions_text(_as_run(analysis), "were", visits, sets=sets, strata=strata),
    ]
    parts.append(_above_text(plan) if above else "")
    parts += [text for kind, answer in results.items() for text in (_methods_text(kind, answer), _untested_text(kind, answer))]
    parts.append(_borrowed_text(analysis))
    parts.append(_level_text(plan, "were"))
    names = {"cytokine_cc": "cytokine_cc", "python": "Python", "numpy": "NumPy", "scipy": "SciPy"}
    software = ", ".join(f"{names[name]} {version}" for name, version in versions() if name in names)
    return " ".join(part for part in [*parts, f"Software: {software}."] if part)


def _as_run(analysis: Analysis) -> list[Question]:
    """Return the questions with the seeds that were drawn for those which resample and had none."""
    return [
        replace(question, seed=analysis.results[question.kind].meta["seed"]) if "resamples" in question.entry.takes else question
        for question in analysis.plan.questions
    ]


def simulated_from(study: Study) -> str:
    """Return what the data were drawn from, as the source of the panel says, of a study file or of a draw; "" if measured."""
    source = study.panel.source
    drawn = re.fullmatch(r"scenario .+, seed \d+, replicate \d+", source, re.DOTALL)
    return source if drawn else source.partition(SIMULATED)[2]


def simulated_text(study: Study) -> str:
    """Say that data are simulated, if they are."""
    origin = simulated_from(study)
    return f"The data are simulated ({origin}): no person stands behind them." if origin else ""


def _level_text(plan: Plan, be: str) -> str:
    kinds = {question.adjust == "none" for question in plan.questions}
    which = {frozenset({True}): "P-values", frozenset({False}): "Adjusted p-values"}.get(
        frozenset(kinds), "P-values, adjusted where said,"
    )
    return f"{which} of {plan.alpha:g} or less {be} called significant."


def _questions_text(
    questions: Iterable[Question], be: str, visits: Mapping[str, str], *, sets: bool = True, strata: str = MATCHED_SETS
) -> list[str]:
    """Say what each question does, and then once what they share."""
    questions = list(questions)
    parts = [_comparison(question, be, visits.get(question.kind, ""), strata) for question in questions]
    for words in (_scale_words, _estimate_words, _rule_words, _correction_words):
        parts.append(_shared(questions, words, be))
    ignored = [NAMES[question.kind] for question in questions if question.ignore_matching and sets]
    if ignored:
        parts.append(f"Matched sets {be} ignored on purpose for {joined(ignored)}.")
    return [*parts, *(text for question in questions if (text := _unused(question, be)))]


def strata_words(study: Study) -> str:
    """Name what tests of sets compare within: matched sets, or strata of what groups were frequency-matched on."""
    return f"strata of {joined(study.design.matched_on)}" if study.design.matching == "frequency" else MATCHED_SETS


def how_tested(question: Question, strata: str = MATCHED_SETS, *, said: bool = False) -> str:
    """Name a test with its options and covariates; `said`: the sentence has said within what it compares."""
    label = question.entry.label.replace(" within matched sets", "") if said else question.entry.label
    if strata.startswith("strata"):
        label = label.replace("matched sets", "strata").replace("matched set", "stratum")
    options = " and ".join(question.entry.option_words[option] for option in question.options)
    covariates = f"adjusted for {joined(question.covariates)}" if question.covariates else ""
    return ", ".join(filter(None, [label, options, covariates]))


def _comparison(question: Question, be: str, visits: str, strata: str) -> str:
    asked = getattr(question, "visits", None)
    later = visits or ("each later visit" if asked is None else visit_names(asked))
    if question.kind == BASELINE:
        subject, first = f"Baseline levels {be} compared between cases and controls", "cases"
    elif question.kind == WITHIN:
        names = {"case": "cases", "control": "controls"}
        groups = " and in ".join(names[group] for group in getattr(question, "groups", ()))
        subject, first = f"Levels at {later} {be} compared with baseline in {groups}", "later values"
    else:
        subject, first = f"Changes from baseline to {later} {be} compared between cases and controls", "cases"
    sides = {"two-sided": "two-sided", "greater": f"one-sided: {first} higher", "less": f"one-sided: {first} lower"}
    within = f" within {strata}" if question.entry.sets else ""
    return (
        f"{subject}{within} by {how_tested(question, strata, said=True)} ({sides[question.alternative]}{_resampling(question)})."
    )


def _resampling(question: Question) -> str:
    if "resamples" not in question.entry.takes:
        return ""
    seed = "" if question.seed is None else f", seed {question.seed}"
    return f"; all arrangements where there are no more than {question.n_resamples:,}, else as many at random{seed}"


def _shared(questions: list[Question], words: Callable[[Question, str], str], be: str) -> str:
    """Say a thing once if it holds for all questions, else for each group of questions."""
    by_text: dict[str, list[str]] = {}
    for question in questions:
        by_text.setdefault(words(question, be), []).append(NAMES[question.kind])
    if len(by_text) == 1:
        text = next(iter(by_text))
    else:
        text = "; ".join(f"for {joined(names)}, {text}" for text, names in by_text.items())
    return f"{text[0].upper()}{text[1:]}."


def _scale_words(question: Question, be: str) -> str:
    return f"the analysis {'was' if be == 'were' else be} made on {SCALE_WORDS[question.scale]}"


def _estimate_words(question: Question, be: str) -> str:
    estimates = _ESTIMATES.get((question.entry.estimand, question.scale != "raw"), "p-values only")
    change = question.kind == BETWEEN
    who = {"case": "the change of a case" if change else "a case", "control": "that of a control" if change else "a control"}
    who["of"] = "of the change" if change else "of the level"
    return f"results are {estimates.format(**who)}" + (
        f" with {100 * question.conf_level:g}% confidence intervals" if question.entry.conf_type else ""
    )


def _rule_words(question: Question, be: str) -> str:
    own = " (the default of the test)" if question.below_limit is None and be != "were" else ""
    return RULE_WORDS[question.rule].format(be=be) + own


def _correction_words(question: Question, be: str) -> str:
    text = CORRECTIONS[question.adjust].format(be=be, be_not="were not" if be == "were" else "will not be")
    if question.adjust == "none":
        return text + (" (family: all tests of the question)" if question.family == "all" else "")
    if question.family == "all":
        return f"{text}, across all tests of the question"
    return f"{text}, across analytes, separately for each comparison and visit"


def _unused(question: Question, be: str) -> str:
    """Mention settings that this test has no use for, where someone has set them."""
    if "resamples" in question.entry.takes:
        return ""
    odd = [f"n_resamples = {question.n_resamples:,}"] if question.n_resamples != 9999 else []
    odd += [f"seed = {question.seed}"] if question.seed is not None else []
    return f"The settings {joined(odd)} {be} without effect for {NAMES[question.kind]}, where no test resamples." if odd else ""


def _study_text(study: Study, *, alone: bool) -> str:
    """Say who and what was in the study, and who was left out unless a model of all visits alone decides that."""
    design = study.design
    matched = {"none": "", "frequency": f", frequency-matched on {joined(design.matched_on)}"}
    sets = study.subjects["matched_set"].nunique()
    how = matched.get(
        design.matching, f" in {sets} matched sets" + (f" (matched on {joined(design.matched_on)})" if design.matched_on else "")
    )
    averaged = {study.baseline: f" (the mean of {len(study.baseline_visits)} visits)"} if len(study.baseline_visits) > 1 else {}
    when = f" at {visit_names([study.baseline, *study.visits], averaged)}" if study.visits or averaged else ""
    left = "" if alone else _gone_text(study.excluded.drop_duplicates("subject")["reason"])
    labels = f"{study.n_case} cases ({design.group}: {design.case}) and {study.n_control} controls ({design.control})"
    groups = f"The study comprised {labels}{how}"
    analytes = "1 analyte was" if len(study.analytes) == 1 else f"{len(study.analytes)} analytes were"
    return f"{groups}; {analytes} measured{when}.{left}"


def _gone_text(reasons: pd.Series) -> str:
    """Count who was left out, by reason; one reason a subject."""
    why = reasons.str.replace(r"^matched set .* has no", "matched set has no", regex=True)
    were = "subject was" if len(why) == 1 else "subjects were"
    return f" {len(why)} {were} left out: {_counted(why)}." if len(why) else ""


def in_model(analysis: Analysis) -> tuple[str, list[str]]:
    """Return the model of all visits that the plan asks for and who enters it, also without a baseline; "" and nobody if none."""
    question, study = analysis.plan.change_between, analysis.study
    if question is None or "visits" not in question.entry.takes:
        return "", []
    gone = analysis.results[question.kind].excluded.drop_duplicates(["subject", "analyte"]).groupby("subject")["analyte"]
    never = {subject for subject, names in gone if "" in set(names) or len(names) == len(study.analytes)}
    return question.entry.name, [name for name in study.with_semi_paired.subjects.index if name not in never]


def model_alone(analysis: Analysis) -> bool:
    """Tell whether all that the plan asks is a model of all visits, and that takes some without a sample at baseline."""
    alone = all("visits" in question.entry.takes for question in analysis.plan.questions)
    return alone and not set(in_model(analysis)[1]) <= set(analysis.study.subjects.index)


def without_baseline(study: Study) -> str:
    """Name what those lack whom only a model of all visits takes."""
    return "a sample at baseline" + (" or a partner with one" if study.design.matching == "sets" else "")


def _entered_text(analysis: Analysis) -> str:
    """Say who entered, where a model of all visits alone decides that, and why others did not."""
    import pandas as pd

    (model, inside), study = in_model(analysis), analysis.study
    wider = study.with_semi_paired
    roles = wider.subjects.loc[inside, "role"].value_counts()
    taken = sum(name not in study.subjects.index for name in inside)
    gone = pd.concat([analysis.results[BETWEEN].excluded, wider.excluded]).drop_duplicates("subject").set_index("subject")
    return (
        f"{counted(roles['case'], 'case')} and {counted(roles['control'], 'control')} entered the model of {NAMES[BETWEEN]} "
        f"({model}), {taken} of them without {without_baseline(study)}.{_gone_text(gone['reason'].drop(inside, errors='ignore'))}"
    )


def semi_paired_text(analysis: Analysis) -> str:
    """Say how many of those who are left out of other questions enter a model of all visits; "" if none."""
    (model, inside), study = in_model(analysis), analysis.study
    gone, taken = study.excluded["subject"].nunique(), [name for name in inside if name not in study.subjects.index]
    who = f"{len(taken)} of them" if len(taken) < gone else "all of them" if gone > 1 else "this subject"
    return f"The model of {NAMES[BETWEEN]} ({model}) takes {who} nevertheless, by later samples." if taken else ""


def _above_text(plan: Plan) -> str:
    """Say what became of values above the upper limit."""
    kinds = {"lowest_rank": "the highest rank", "as_reported": "no place", "censored": "their limit as lower bound"}
    texts = {kinds.get(question.rule, "their limit as value") for question in plan.questions}
    by_test = "" if len(texts) == 1 else ", by test"
    return f"Values above the upper limit without a number were given {joined(sorted(texts))}{by_test}."


def _beyond(study: Study) -> tuple[np.ndarray, np.ndarray]:
    arrays = study.arrays
    return beyond_limits(arrays.value, arrays.state, arrays.lower, arrays.upper)


def _limits_text(study: Study) -> str:
    """Share beyond the limits among the values of the subjects and visits that take part."""
    arrays = study.arrays
    there = (arrays.state != State.MISSING).sum(axis=(0, 2))
    below, above = (flags.sum(axis=(0, 2)) for flags in _beyond(study))
    if not (below.any() or above.any()):
        return "No value lay beyond a limit of detection."
    shares = (below / np.maximum(there, 1))[there > 0]
    text = f"{below.sum() / there.sum():.1%} of values lay below the limit of detection"
    text += f" (by analyte {shares.min():.0%} to {shares.max():.0%})" if len(shares) > 1 else ""
    if above.any():
        text += f" and {above.sum() / there.sum():.1%} above the upper limit"
    return f"{text}."


def _methods_text(kind: str, results: Results) -> str:
    """Say how many p-values were exact, where some were, or rest on a sample of arrangements."""
    methods = results.table.loc[results.table["method"] != "", "method"].value_counts()
    if any("permutations" in name for name in methods.index):
        sampled = int(methods[["permutations" in name for name in methods.index]].sum())
        if sampled == methods.sum():
            return f"For {NAMES[kind]}, all p-values rest on random arrangements."
        return (
            f"For {NAMES[kind]}, {sampled} of {methods.sum()} p-values rest on random arrangements, the others on all there are."
        )
    if "exact" not in methods.index:
        return ""
    if len(methods) == 1:
        return f"For {NAMES[kind]}, p-values were exact."
    exact = int(methods["exact"])
    others = "the others came from the tie-corrected normal approximation"
    return f"For {NAMES[kind]}, {exact} of {methods.sum()} p-values were exact; {others}."


def _untested_text(kind: str, results: Results) -> str:
    gone = results.table[results.table["p_value"].isna()]
    if not len(gone):
        return ""
    why = (
        gone["note"].str.split(";").str[0].str.removeprefix("not tested: ").str.replace(r"\b\d+ values? ", "values ", regex=True)
    )
    groups = gone.groupby([gone["analyte"], why], sort=False).size()
    names = joined(
        [f"{name} ({reason}{f', {count} comparisons' if count > 1 else ''})" for (name, reason), count in groups.items()]
    )
    return f"For {NAMES[kind]}, {len(gone)} of {len(results)} comparisons could not be tested: {names}."


def _borrowed_text(analysis: Analysis) -> str:
    """Say what stood in for limits that were not stated, where a row says that something did."""
    notes = " ".join(note for results in analysis.results.values() for note in results.table["note"].unique())
    borrowed = [side for side in ("lowest", "highest") if f"the {side} measured value stands in" in notes]
    if not borrowed:
        return ""
    value = f"the {joined(borrowed)} measured value of the analyte (on the plate, where known)"
    none = "; where there was none, the comparison was not tested" if NOT_STOOD_IN in notes else ""
    return f"Where a limit was not stated, {value} stood in for it{none}."


def _counted(reasons: pd.Series) -> str:
    return joined([f"{reason} ({count})" if count > 1 else str(reason) for reason, count in reasons.value_counts().items()])
