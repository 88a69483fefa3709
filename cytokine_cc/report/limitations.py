"""What the data themselves show of their limits: rules, each with its figures; what the data do not show is not said."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from ..analysis import Analysis
from ..assembly import PLATE_ALPHA
from ..kernels.common import WITHIN
from ..panel import State
from ..results import is_ratio
from ..study import Study
from ..wording import simulated_text
from .document import Block, Bullets, Section, Text
from .phrases import TITLES, cells, everyone, found, group_labels, group_title, listed, neutral, part, percent, present
from .summary import counted, number

# From where on a figure is worth a sentence.
MANY_BELOW = 0.2  # share of the baseline values of an analyte below its limit
UNLIKE = 0.2  # difference of that share between the groups
LIMITS_APART = 1.2  # highest over lowest limit of an analyte
MANY_MISSING = 0.05  # share of cells without a value
IMBALANCE = 0.25  # absolute standardised difference of a covariate
LOST_UNLIKE = 0.1  # difference, between the groups, of the share without a later sample
SMALL = 10  # subjects of the smaller group
ONE_WAY = 5  # significant analytes that all lie on one side
_RANKS = ("mann_whitney", "change_rank", "signed_rank")

Rule = Callable[[Analysis], Iterator[str]]


def limitations_section(analysis: Analysis) -> Section:
    """Write down what the rules find."""
    items = limitations(analysis)
    intro = (
        "What this study's own figures show. Limits that no data show, such as how cases were found, who took part, how serum "
        "was handled, or what nobody measured, are for the authors to add."
    )
    blocks: list[Block] = [
        Text(intro),
        Bullets(items) if items else Text("None of the rules of this page found anything to say."),
    ]
    return Section("limitations", "Limitations that the data show", blocks)


def limitations(analysis: Analysis) -> list[str]:
    """Return the sentences of all rules.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    list of str
        In the order of `RULES`; empty where the data give no reason.
    """
    return [text for rule in RULES for text in rule(analysis)]


def _simulated(analysis: Analysis) -> Iterator[str]:
    if text := simulated_text(analysis.study):
        yield f"{text} Nothing here is evidence about patients."


# --- measurement


def _baseline_shares(study: Study) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Shares below the limit at baseline: of all, and by group."""
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
    both, each = _baseline_shares(study)
    many = [i for i in np.argsort(-np.nan_to_num(both), kind="stable") if both[i] > MANY_BELOW]
    rules = listed(dict.fromkeys(question.rule for question in analysis.plan.questions))
    if many:
        names = listed(f"{study.analytes[i]} {percent(both[i])}" for i in many)
        yield (
            f"Below the limit of detection: in {len(many)} of {counted(len(both), 'analyte')} more than {percent(MANY_BELOW)} "
            f"of the baseline values ({names}). There the rule for such values ({rules}) weighs in estimates and p-values."
        )
    apart = each["case"] - each["control"]
    unlike = [i for i in np.argsort(-np.nan_to_num(np.abs(apart)), kind="stable") if abs(apart[i]) > UNLIKE]
    if unlike:
        texts = [f"{study.analytes[i]} {percent(each['case'][i])} / {percent(each['control'][i])}" for i in unlike]
        yield (
            f"Shares below the limit that differ between the groups by more than {100 * UNLIKE:.0f} percentage points (cases / "
            f"controls): {listed(texts)}. What the estimate says there depends on what stands in for these values."
        )


def _limits_not_stated(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    arrays = study.arrays
    bare = ((arrays.state == State.BELOW) & np.isnan(arrays.lower)) | ((arrays.state == State.ABOVE) & np.isnan(arrays.upper))
    count = bare.sum(axis=(0, 2))
    if not count.any():
        return
    names = [f"{name} {n}" for name, n in zip(study.analytes, count, strict=True) if n]
    notes = " ".join(note for results in analysis.results.values() for note in results.table["note"].unique())
    what = (
        "The lowest (or highest) measured value of the analyte, on its plate where known, stands in."
        if "stands in" in notes
        else ""
    )
    yield (
        f"Limits not stated: {counted(int(count.sum()), 'value')} of {counted(len(names), 'analyte')} beyond a limit that the "
        f"file does not give ({listed(names)}). {what}"
    ).strip()


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
            f"{listed(f'{name} {ratios[name]:.1f}-fold' for name in worst[:3])}). Values that stand in for them differ likewise."
        )


def _above_and_extrapolated(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    there, _, above = cells(study)
    if above.any():
        names = [f"{name} {n}" for name, n in zip(study.analytes, above.sum(axis=(0, 2)), strict=True) if n]
        share = percent(above.sum() / there.sum())
        yield f"Above the upper limit: {counted(int(above.sum()), 'value')} ({share}), in {listed(names)}."
    outside = study.arrays.state == State.EXTRAPOLATED
    if outside.any():
        share = percent(outside.sum() / there.sum())
        yield f"Extrapolated: {counted(int(outside.sum()), 'number')} ({share}) outside the limits or flagged by the instrument."


def _missing_values(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    sampled = np.broadcast_to((study.sample_at >= 0)[:, None, :], study.arrays.state.shape)
    missing = (study.arrays.state == State.MISSING) & sampled
    share = missing.sum() / max(sampled.sum(), 1)
    if share > MANY_MISSING:
        yield f"Missing values: {part(int(missing.sum()), int(sampled.sum()))} of the cells of samples that exist."


def _plates(analysis: Analysis) -> Iterator[str]:
    p = analysis.study.plate_by_group
    if p < PLATE_ALPHA:
        yield (
            f"Plate and group are associated (chi-square p = {p:.2g}), and plates are not in the tests: a difference between "
            "plates can look like one between cases and controls (see Plates)."
        )


# --- design


def _matching(analysis: Analysis) -> Iterator[str]:
    study, questions = analysis.study, analysis.plan.questions
    design = study.design
    across = [question for question in questions if question.kind != WITHIN]
    ignored = [TITLES[question.kind].lower() for question in across if not question.entry.paired]
    if design.matching == "sets" and ignored:
        sets = study.subjects["matched_set"].nunique()
        yield f"Matching ignored: {counted(sets, 'matched set')} taken as two groups for {listed(ignored)}, as the plan asks."
    left = [name for name in design.matched_on if any(name not in question.covariates for question in across)]
    if design.matching == "frequency" and left:
        yield (
            f"Not adjusted for: {listed(left)}, on which groups were matched. Matching makes groups alike in these; the tests "
            "do not use it, and tend to be too careful for that."
        )


def _imbalance(analysis: Analysis) -> Iterator[str]:
    table, study = analysis.balance, analysis.study
    paired = all(question.entry.paired for question in analysis.plan.questions)  # pairs are alike in what they were matched on
    rows = table[(table["std_difference"].abs() > IMBALANCE) & ~(table["matched_on"] & paired)].copy()
    if not len(rows):
        return
    rows["size"] = rows["std_difference"].abs()
    rows = rows.sort_values("size", ascending=False, kind="stable").drop_duplicates("covariate")
    names = [f"{row.covariate} {row.std_difference:.2f}" for row in rows.itertuples()]
    chance = math.sqrt(1 / study.n_case + 1 / study.n_control)
    yield (
        f"Groups that differ at baseline: {listed(names)} (standardised differences beyond {IMBALANCE:g}; by chance alone such a "
        f"figure varies with an SD of {chance:.2f} between groups of this size). The tests do not adjust for them."
    )


def _left_out(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    people = everyone(study)
    gone = people[~people["usable"]]
    if len(gone):
        each = [
            f"{part(int((gone['role'] == role).sum()), int((people['role'] == role).sum()))} {group_title(study, role)}"
            for role in group_labels(study)
        ]
        yield f"Left out altogether: {' and '.join(each)}, who had no baseline sample or no partner in their set."


def _later_visits(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    sizes = {"case": study.n_case, "control": study.n_control}
    texts, unlike = [], []
    for i, label in enumerate(study.visits):
        lost = {role: n - present(study, role, len(study.baseline_visits) + i) for role, n in sizes.items()}
        if any(lost.values()):
            each = [f"{part(lost[role], n)} {group_title(study, role)}" for role, n in sizes.items()]
            texts.append(f"at {label} {' and '.join(each)}")
            if abs(lost["case"] / sizes["case"] - lost["control"] / sizes["control"]) > LOST_UNLIKE:
                unlike.append(label)
    if texts:
        more = f" At {listed(unlike)} the groups differ in this: who stayed may not be like who left." if unlike else ""
        yield f"No later sample: {'; '.join(texts)}. They are not in the comparisons of change.{more}"


# --- tests


def _not_tested(analysis: Analysis) -> Iterator[str]:
    for kind, results in analysis.results.items():
        gone = results.table[results.table["p_value"].isna()]
        if len(gone):
            why = gone["note"].str.split(";").str[0].str.removeprefix("not tested: ").str.replace(r"\b\d+ values? ", "values ",
                                                                                                regex=True)  # fmt: skip
            names = [f"{name} ({reason})" for name, reason in dict.fromkeys(zip(gone["analyte"], why, strict=True))]
            yield f"Not tested, {TITLES[kind].lower()}: {len(gone)} of {counted(len(results), 'comparison')}: {listed(names)}."


def _small_groups(analysis: Analysis) -> Iterator[str]:
    study = analysis.study
    n, m = study.n_case, study.n_control
    if min(n, m) < SMALL:
        yield f"Small groups: {n} cases and {m} controls. Assumptions of the tests cannot be checked with so few."
    for question in analysis.plan.questions:
        if callable(question.test) or question.test not in _RANKS:
            continue
        pairs = question.entry.paired
        least = 2.0 ** (1 - min(n, m)) if pairs else 2 / math.comb(n + m, min(n, m))
        tests = int(analysis.results[question.kind].table["n_tests"].max())
        if least > analysis.plan.alpha / max(tests, 1):
            yield (
                f"Discrete test: with {n} and {m} subjects the smallest p that {question.entry.label} can give is {least:.2g}; "
                f"one result alone among {counted(tests, 'test')} could not reach {analysis.plan.alpha:g} after Bonferroni's "
                "correction."
            )


def _precision(analysis: Analysis) -> Iterator[str]:
    """Say how wide intervals are, where something was not significant; of ratios only, since units differ."""
    for kind, results in analysis.results.items():
        table = results.table[~found(results, analysis.plan.alpha) & results.table["p_value"].notna()]
        low, high = table["conf_low"].to_numpy(), table["conf_high"].to_numpy()
        closed = np.array([is_ratio(estimand) for estimand in table["estimand"]], dtype=bool) & (low > 0) & np.isfinite(high)
        if not closed.any():
            continue
        width = float(np.median(np.sqrt(high[closed] / low[closed])))
        rows = counted(int(closed.sum()), "comparison")
        yield (
            f"Not significant is not no difference, {TITLES[kind].lower()}: of {rows} without significance, half have a "
            f"{100 * table['conf_level'].iloc[0]:g}% interval that reaches further than {number(width)}-fold to either side."
        )


def _one_way(analysis: Analysis) -> Iterator[str]:
    results = analysis.baseline
    if results is None:
        return
    table = results.table[found(results, analysis.plan.alpha)]
    side = table["estimate"].to_numpy() - neutral(table)
    if len(table) >= ONE_WAY and (np.all(side < 0) or np.all(side > 0)):
        everything = results.table.dropna(subset="estimate")
        same = int((np.sign(everything["estimate"] - neutral(everything)) == np.sign(side[0])).sum())
        yield (
            f"All one way: the {len(table)} significant analytes at baseline are all {'lower' if side[0] < 0 else 'higher'} in "
            f"cases, as are {part(same, len(everything))} of all estimates. One thing shared, such as storage, handling or "
            "plates, can move many analytes together; these tests cannot tell that from as many separate differences."
        )


def _lords_paradox(analysis: Analysis) -> Iterator[str]:
    if analysis.baseline is None or analysis.change_between is None:
        return
    hits = analysis.baseline.table[found(analysis.baseline, analysis.plan.alpha)]
    if len(hits):
        yield (
            f"Changes compared where baselines differ: {counted(len(hits), 'analyte')} ({listed(hits['analyte'])}) "
            f"{'differs' if len(hits) == 1 else 'differ'} significantly at baseline. There a comparison of changes and an "
            "analysis of covariance answer different questions (Lord's paradox), and values can drift back to the mean; this "
            "page shows changes only."
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


RULES: tuple[Rule, ...] = (
    _simulated, _below_limit, _limits_not_stated, _limits_differ, _above_and_extrapolated, _missing_values, _plates,
    _matching, _imbalance, _left_out, _later_visits,
    _not_tested, _small_groups, _one_way, _lords_paradox, _no_correction, _precision,
)  # fmt: skip
