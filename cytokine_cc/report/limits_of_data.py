"""Limitations that lie in the measurement and in the design."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..assembly import PLATE_ALPHA
from ..kernels.common import BASELINE, BETWEEN, WITHIN
from ..limits import SUBSTITUTES
from ..panel import State
from ..questions import Question
from ..study import Study
from ..wording import in_model, model_alone, without_baseline
from ..words import counted, percent, visit_name
from .phrases import ROLES, TITLES, cells, everyone, group_labels, group_title, listed, part, plate_moves, present

# From where on a figure is worth a sentence.
MANY_BELOW = 0.2  # share of the subjects with a baseline value below the limit of an analyte
UNLIKE = 0.2  # difference of that share between the groups
LIMITS_APART = 1.2  # highest over lowest limit of an analyte
MANY_MISSING = 0.05  # share of cells without a value
MOVED = 0.1  # share of subjects whose later sample lies on another plate
IMBALANCE = 0.25  # absolute standardised difference of a covariate
LOST_UNLIKE = 0.1  # difference, between the groups, of the share without a later sample

# What becomes of values below a limit.
_BELOW = {
    "half": "half the limit stands in for such values",
    "sqrt2": "the limit over the square root of 2 stands in for such values",
    "limit": "the limit stands in for such values",
    "lowest_rank": "such values share the lowest rank",
    "drop": "such values are left out, so that what is left lies higher",
    "as_reported": "such values are left out where they have no number",
    "censored": "such values count as known only to lie below it",
}


# --- measurement


def _below_words(questions: Iterable[Question]) -> str:
    """Say what becomes of values below a limit, question by question where they differ."""
    texts: dict[str, list[str]] = {}
    for question in questions:
        texts.setdefault(_BELOW[question.rule], []).append(TITLES[question.kind].lower())
    if len(texts) == 1:
        return next(iter(texts))
    return "; ".join(f"{text} ({listed(titles)})" for text, titles in texts.items())


def baseline_shares(study: Study) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return the shares of subjects with a baseline value below the limit, by analyte: of all with a value, and by group."""
    there, below, _ = (np.any(flags, axis=0) for flags in cells(study, slice(0, len(study.baseline_visits))))
    case = study.arrays.case
    with np.errstate(invalid="ignore"):
        both = below.sum(axis=-1) / there.sum(axis=-1)
        each = {
            role: below[:, own].sum(axis=-1) / there[:, own].sum(axis=-1) for role, own in (("case", case), ("control", ~case))
        }
    return both, each


def _below_limit(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    both, each = baseline_shares(study)
    many = [i for i in np.argsort(-np.nan_to_num(both), kind="stable") if both[i] > MANY_BELOW]
    if many:
        names = listed(f"{study.analytes[i]} {percent(both[i])}" for i in many)
        yield (
            f"Below the limit of detection: in {len(many)} of {counted(len(both), 'analyte')} more than {percent(MANY_BELOW)} "
            f"of the subjects have a baseline value below it ({names}). "
            f"{_how_they_enter(analysis, [study.analytes[i] for i in many])}"
        )
    apart = each["case"] - each["control"]
    unlike = [i for i in np.argsort(-np.nan_to_num(np.abs(apart)), kind="stable") if abs(apart[i]) > UNLIKE]
    if unlike:
        texts = [f"{study.analytes[i]} {percent(each['case'][i])} / {percent(each['control'][i])}" for i in unlike]
        yield (
            "Shares of subjects with a baseline value below the limit that differ between the groups by more than "
            f"{100 * UNLIKE:.0f} percentage points (cases / controls): {listed(texts)}. {_what_that_does(analysis)}"
        ).strip()


def _how_they_enter(analysis: Analysis, names: list[str]) -> str:
    """Say what the tests do with such values, and which analytes no test was made of."""
    tested = {name for results in analysis.results.values() for name in results.table.dropna(subset="p_value")["analyte"]}
    without = [name for name in names if name not in tested]
    end = f"{listed(without)} {'was' if len(without) == 1 else 'were'} not tested."
    if len(without) == len(names):
        return end
    text = f"In the tests {_below_words(analysis.plan.questions)}; that weighs in estimates and p-values."
    return f"{text} {end}" if without else text


def _what_that_does(analysis: Analysis) -> str:
    rules = [question.rule for question in analysis.plan.questions if question.kind == BASELINE]
    if not rules:
        return ""
    if rules[0] in SUBSTITUTES:
        return "What the estimate at baseline says there depends on what stands in for these values."
    if rules[0] == "lowest_rank":
        return "Ranks take all of them as lowest; the shift takes them at their limit."
    if rules[0] == "censored":
        return "The test takes them as known only to lie below it, so that they need no value of their own."
    return "These are left out of the comparison at baseline, more of them in one group than in the other."


def _limits_not_stated(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    arrays = study.arrays
    low = (arrays.state == State.BELOW) & np.isnan(arrays.lower)
    high = (arrays.state == State.ABOVE) & np.isnan(arrays.upper)
    count = (low | high).sum(axis=(0, 2))
    if not count.any():
        return
    none = ((low & np.isnan(arrays.fallback_lower)) | (high & np.isnan(arrays.fallback_upper))).sum(axis=(0, 2))
    text = (
        f"Limits not stated: {counted(int(count.sum()), 'value')} of {counted(int((count > 0).sum()), 'analyte')} beyond a limit "
        f"that the file does not give ({_each(study, count)})."
    )
    if {question.rule for question in analysis.plan.questions} - {"drop", "as_reported"}:
        if none.sum() < count.sum():
            text += (
                " Where there is one, the lowest (or highest) measured value of the analyte, on its plate where known, stands in."
            )
        if none.any():
            text += (
                f" For {counted(int(none.sum()), 'value')} ({_each(study, none)}) there is none: comparisons that hold any of "
                "them are not tested."
            )
    yield text


def _each(study: Study, counts: np.ndarray) -> str:
    return listed(f"{name} {n}" for name, n in zip(study.analytes, counts, strict=True) if n)


def _limits_differ(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    lower = study.arrays.lower if study.panel.logged is None else np.full(study.arrays.lower.shape, np.nan)
    below = cells(study)[1].sum(axis=(0, 2))
    ratios = {}
    for name, own, count in zip(study.analytes, np.moveaxis(lower, -2, 0), below, strict=True):
        known = own[own > 0]
        if count and known.size and known.max() / known.min() > LIMITS_APART:
            ratios[name] = known.max() / known.min()
    if ratios:
        worst = sorted(ratios, key=lambda name: -ratios[name])
        yield (
            f"Limits that differ between samples: in {counted(len(ratios), 'analyte')} with values below a limit, the highest "
            f"limit is more than {LIMITS_APART:g} times the lowest (most: "
            f"{listed(f'{name} {ratios[name]:.1f}-fold' for name in worst[:3])}). {_differ_likewise(analysis)}"
        ).strip()


def _differ_likewise(analysis: Analysis) -> str:
    """Say what that does, by question where not all are touched alike."""
    questions, texts = analysis.plan.questions, []
    for rules, start, text in (
        (tuple(SUBSTITUTES), "Values that stand in for them", "differ likewise"),
        (("lowest_rank",), "In ranks", "every number under the highest such limit is tied with what lies below it"),
    ):
        own = [TITLES[question.kind].lower() for question in questions if question.rule in rules]
        where = f" ({listed(own)})" if len(own) < len(questions) else ""
        if own:
            texts.append(f"{start}{where}{',' if start == 'In ranks' else ''} {text}.")
    return " ".join(texts)


def _above(analysis: Analysis) -> Iterator[str]:
    there, _, above = cells(analysis.study)
    if above.any():
        share = percent(above.sum() / there.sum())
        names = _each(analysis.study, above.sum(axis=(0, 2)))
        yield f"Above the upper limit: {counted(int(above.sum()), 'value')} ({share}), in {names}."


def _not_fully_measured(analysis: Analysis) -> Iterator[str]:
    """Count numbers that are EXTRAPOLATED; the panel does not keep which of the reasons holds where no limit is stated."""
    study = analysis.study
    there, below, above = cells(study)
    odd = study.arrays.state == State.EXTRAPOLATED
    if not odd.any():
        return
    outside = int((odd & (below | above)).sum())
    others = int(odd.sum()) - outside
    flagged = "flagged by the instrument, or the mean of wells of which one was flagged or beyond a limit"
    texts = [f"{outside:,} outside a limit that is stated", f"{others:,} {flagged}"]
    what = listed(texts) if outside and others else "outside a limit that is stated" if outside else flagged
    yield f"Not fully measured: {counted(int(odd.sum()), 'number')} ({percent(odd.sum() / there.sum())}), {what}."


def _missing_values(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    sampled = np.broadcast_to((study.sample_at >= 0)[:, None, :], study.arrays.state.shape)
    missing = (study.arrays.state == State.MISSING) & sampled
    share = missing.sum() / max(sampled.sum(), 1)
    if share > MANY_MISSING:
        yield f"Missing values: {part(int(missing.sum()), int(sampled.sum()))} of the cells of samples that exist."


def _plates(analysis: Analysis) -> Iterator[str]:
    p, baseline = analysis.study.plate_by_group, analysis.plan.baseline
    if p < PLATE_ALPHA and baseline is not None and "plate" in baseline.covariates:
        yield (
            f"Plate and group are associated (chi-square p = {p:.2g}). The comparison at baseline is adjusted for plate; what "
            "cases and controls have in common with their plates it cannot tell apart (see Plates)."
        )
    elif p < PLATE_ALPHA and baseline is not None:
        yield (
            f"Plate and group are associated (chi-square p = {p:.2g}), and plates are not in the tests: a difference between "
            "plates can look like one between cases and controls (see Plates)."
        )


def asked_visits(analysis: Analysis) -> list[str]:
    """Return the later visits that the plan asks about, in the order of the design."""
    asked = {visit for kind in (WITHIN, BETWEEN) if kind in analysis.results for visit in analysis.results[kind].table["visit"]}
    return [visit for visit in analysis.study.visits if visit in asked]


def _visits_on_plates(analysis: Analysis) -> Iterator[str]:
    asked, texts, apart = asked_visits(analysis), [], []
    for move in plate_moves(analysis.study):
        if move.visit in asked and sum(move.moved.values()) > MOVED * sum(move.there.values()):
            each = [f"{part(move.moved[role], move.there[role])} {ROLES[role]}" for role in ROLES]
            texts.append(f"at {visit_name(move.visit)} {' and '.join(each)}")
            apart += [] if move.shared else [visit_name(move.visit)]
    if not texts:
        return
    text = f"Visits on different plates: {'; '.join(texts)} were measured on another plate than at baseline. "
    text += "A difference between plates is a part of such a change"
    if apart:
        text += f", and no plate holds samples of both baseline and {listed(apart)}: these data cannot tell the two apart"
    yield f"{text}. Between groups it cancels only as far as both moved alike (see Plates)."


# --- design


def _not_told(analysis: Analysis) -> Iterator[str]:
    gone = {} if analysis.study.panel.has_plates else {"on which plates samples were measured": "were measured in the same way"}
    gone |= {} if len(analysis.balance) else {"any covariate of the subjects": "are alike in other ways"}
    if gone:
        yield (
            f"What the file does not tell: {listed(gone)}. Whether cases and controls {' and '.join(gone.values())} cannot be "
            "seen on this page."
        )


def _matching(analysis: Analysis) -> Iterator[str]:
    study, questions = analysis.study, analysis.plan.questions
    design = study.design
    across = [question for question in questions if question.kind != WITHIN]
    ignored = [TITLES[question.kind].lower() for question in across if not question.entry.matched]
    if design.matching == "sets" and ignored:
        sets = study.subjects["matched_set"].nunique()
        yield f"Matching ignored: {counted(sets, 'matched set')} taken as two groups for {listed(ignored)}, as the plan asks."
    left = []
    for name in design.matched_on:
        without = [TITLES[question.kind].lower() for question in across if not uses(question, name)]
        if without:
            left.append(name if len(without) == len(across) else f"{name} ({listed(without)})")
    if design.matching == "frequency" and left:
        yield (
            f"Not adjusted for: {listed(left)}, on which groups were matched. Matching makes groups alike in these; tests that "
            "do not use it tend to be too careful for that."
        )


def _imbalance(analysis: Analysis) -> Iterator[str]:
    table, study = analysis.balance, analysis.study
    paired = all(question.entry.matched for question in analysis.plan.questions if question.kind != WITHIN)  # alike by matching
    across = [question for question in analysis.plan.questions if question.kind != WITHIN]
    taken = [name for name in adjusted_for(across) if all(name in question.covariates for question in across)]
    far = table["std_difference"].abs() > IMBALANCE
    rows = table[far & ~(table["matched_on"] & paired) & ~table["covariate"].isin(taken)].copy()
    if not len(rows):
        return
    rows["size"] = rows["std_difference"].abs()
    # The largest of the levels of a text: of two levels the other says the same.
    rows = rows.sort_values("size", ascending=False, kind="stable").drop_duplicates("covariate")
    chance = math.sqrt(1 / study.n_case + 1 / study.n_control)
    yield (
        f"Groups that differ at baseline: {listed(difference_texts(rows))} (standardised differences beyond {IMBALANCE:g}; by "
        f"chance alone such a figure varies with an SD of {chance:.2f} between groups of this size). "
        f"{'Not all tests' if set(adjusted_for(across)) & set(rows['covariate']) else 'The tests do not'} adjust for them."
    )


def uses(question: Question, name: str) -> bool:
    """Tell whether a comparison takes account of a variable that groups were frequency-matched on."""
    return name in question.covariates or bool(question.entry.sets)


def adjusted_for(questions: Iterable[Question]) -> list[str]:
    """Return the covariates that any of the questions adjusts for."""
    return list(dict.fromkeys(name for question in questions for name in question.covariates))


def difference_texts(rows: pd.DataFrame) -> list[str]:
    """Write rows of the balance table: covariate, level where it has levels, standardised difference."""
    return [
        f"{row.covariate}{f': {row.level}' if row.level else ''} "
        + (f"{row.std_difference:.2f}" if np.isfinite(row.std_difference) else "without overlap")
        for row in rows.itertuples()
    ]


def _left_out(analysis: Analysis) -> Iterator[str]:
    study, (model, inside) = analysis.study, in_model(analysis)
    people = everyone(study)
    gone, late = ~people["usable"], people.index.isin(inside)

    def each(flags: pd.Series) -> str:
        return listed(
            f"{part(int((people['role'][flags] == role).sum()), int((people['role'] == role).sum()))} {group_title(study, role)}"
            for role in group_labels(study)
        )

    alone, late_too = (" or no partner in their set", " or no partner with one") if study.design.matching == "sets" else ("", "")
    only = model_alone(analysis)
    if (gone & ~late).any():
        nor = ", and did not enter by a later one" if only else ""
        yield f"Left out altogether: {each(gone & ~late)}, who had no baseline sample{alone}{nor}."
    if only:
        yield (
            f"Without {without_baseline(study)}: {each(gone & late)}. The model of all visits ({model}) takes them by later "
            "samples; what this page says of baseline is without them."
        )
    elif (gone & late).any():
        yield (
            f"Left out but for {model}: {each(gone & late)}, who had no baseline sample{late_too}. The model takes "
            "them by later samples; all other questions are answered without them."
        )


def _later_visits(analysis: Analysis) -> Iterator[str]:
    later = [question for question in analysis.plan.questions if question.kind != BASELINE]
    models = [question.entry.name for question in later if "visits" in question.entry.takes]
    only = bool(models) and len(models) == len(later)  # that asks about later visits
    study = analysis.study.with_semi_paired if only else analysis.study
    names = in_model(analysis)[1] if only else list(study.subjects.index)
    roles = study.subjects.loc[names, "role"]
    sizes = {role: int((roles == role).sum()) for role in ROLES}
    texts, unlike = [], []
    for label in asked_visits(analysis):
        place = len(study.baseline_visits) + study.visits.index(label)
        lost = {role: n - present(study, role, place, names) for role, n in sizes.items()}
        if any(lost.values()):
            each = [f"{part(lost[role], n)} {group_title(study, role)}" for role, n in sizes.items()]
            texts.append(f"at {visit_name(label)} {' and '.join(each)}")
            if abs(lost["case"] / sizes["case"] - lost["control"] / sizes["control"]) > LOST_UNLIKE:
                unlike.append(visit_name(label))
    if texts:
        more = f" At {listed(unlike)} the groups differ in this: who stayed may not be like who left." if unlike else ""
        still = f" (but for {listed(models)}, which uses what there is)" if models else ""
        missed = f"They are missing from the comparisons at that visit{still}."
        if only:
            missed = f"The model of all visits ({listed(models)}) takes them nevertheless, by the samples that there are."
        yield f"No later sample: {'; '.join(texts)}. {missed}{more}"


DATA_RULES = (
    _below_limit, _limits_not_stated, _limits_differ, _above, _not_fully_measured, _missing_values, _plates, _visits_on_plates,
    _not_told, _matching, _imbalance, _left_out, _later_visits,
)  # fmt: skip
