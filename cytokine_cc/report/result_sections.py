"""The second half of the report: what was found, question by question, and what the corrections promise."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..assembly import PLATE_ALPHA
from ..kernels.common import BASELINE, BETWEEN, WITHIN
from ..questions import Question
from ..results import Results
from ..study import Study
from ..wording import CORRECTION_NAMES, how_tested, strata_words
from ..words import counted, percent, visit_names
from . import pictures
from .document import Block, Bullets, Column, Section, Table, Text
from .phrases import (
    ROLES,
    TITLES,
    contrast_title,
    estimate_text,
    estimate_word,
    found,
    group_labels,
    group_title,
    level_words,
    listed,
    neutral,
    role_of,
)
from .summary import number

# What an adjusted p of at most alpha promises; {often} is alpha in percent, {m} counts tests.
PROMISES = {
    "none": "No correction was asked: {alpha} is the chance of each test, not of all. If nothing differed anywhere, about "
    "{expected} of {m} tests would still have p <= {alpha}.",
    "bonferroni": "In at most {often} of such studies would anything that does not differ be called significant in a family, "
    "however the tests depend on each other. Whether this is one of those studies nobody can tell.",
    "hochberg": "In at most {often} of such studies would anything that does not differ be called significant in a family, "
    "if the tests are independent or depend positively on each other. Whether this is one of those studies nobody can tell.",
    "BH": "Among the significant analytes of a family, a share of at most {alpha} is expected to be false, on average over "
    "many such studies, if the tests are independent or depend positively on each other. It is no promise about any one of "
    "them, nor about this study.",
    "BY": "Among the significant analytes of a family, a share of at most {alpha} is expected to be false, on average over "
    "many such studies, however the tests depend on each other. It is no promise about any one of them, nor about this study.",
}
_OF_NUMBERS = ("mean_case", "mean_control", "sd_case", "sd_control", "estimate", "std_error", "conf_low", "conf_high", "hedges_g")
_HOW = ("test", "scale", "below_limit", "alternative", "covariates", "estimand", "conf_level", "conf_type", "adjust", "family")
_KEYS = {name: key for key, name in CORRECTION_NAMES.items()}
PROMISES |= {"holm": PROMISES["bonferroni"], "hommel": PROMISES["hochberg"]}
PLATES_FIRST = (
    "Read what is said of baseline with Plates: cases and controls were measured on different plates more than chance usually "
    "does, and plates are not in the tests. What is named there may be a difference between plates."
)
NOT_PROMISED = (
    "No correction helps against what shifts many analytes at once, such as plates, storage or handling, or groups "
    "that differ in more than case status.",
    "A result that is not significant does not show that there is no difference: its interval says how large one may be.",
)


def found_section(analysis: Analysis) -> Section:
    """Counts at the plan's level, with names; no more than the tables say."""
    study = analysis.study
    items = [
        text for kind, results in analysis.results.items() for text in _found_texts(kind, results, study, analysis.plan.alpha)
    ]
    levels = dict.fromkeys(level_words(question, analysis.plan.alpha) for question in analysis.plan.questions)
    blocks: list[Block] = [Text(f"Significant means here: {'; '.join(levels)}."), Bullets(items)]
    if study.plate_by_group < PLATE_ALPHA and BASELINE in analysis.results:
        blocks.append(Text(PLATES_FIRST, warning=True))
    return Section("found", "What was found", blocks)


def _found_texts(kind: str, results: Results, study: Study, alpha: float) -> Iterator[str]:
    """One sentence for each comparison with something significant, and one for those without."""
    hits, without = found(results, alpha), []
    for (contrast, visit), rows in results.table.groupby(["contrast", "visit"], sort=False):
        tested = int(rows["p_value"].notna().sum())
        own = rows[hits[rows.index]].sort_values("p_value", kind="stable")
        untested = f"{counted(len(rows) - tested, 'analyte')} could not be tested" if tested < len(rows) else ""
        title = contrast_title(contrast, visit, study)
        if len(own):
            end = f" {untested}." if untested else ""
            count = f"of {counted(tested, 'tested analyte')}, {len(own)} {'is' if len(own) == 1 else 'are'} significant"
            yield f"{TITLES[kind]}, {title}: {count}. {_by_direction(own, contrast)}{end}"
        else:
            without.append(f"{title} ({counted(tested, 'analyte')} tested{', ' + untested if untested else ''})")
    if without:
        yield f"{TITLES[kind]}, none significant: {'; '.join(without)}."


def _by_direction(rows: pd.DataFrame, contrast: str) -> str:
    side = rows["estimate"].to_numpy() - neutral(rows)
    more, less = (
        ("higher than at baseline", "lower than at baseline") if role_of(contrast) else ("higher in cases", "lower in cases")
    )
    if contrast.startswith("change"):
        more, less = "change higher in cases", "change lower in cases"
    texts = [
        f"{word[0].upper()}{word[1:]}: {listed(estimate_text(row) for _, row in rows[flags].iterrows())}."
        for word, flags in ((less, side < 0), (more, side > 0), ("no difference by the estimate", side == 0))
        if flags.any()
    ]
    return " ".join(texts) if texts else f"{listed(rows['analyte'])} (the test gives no estimate)."


# --- one question


def question_section(analysis: Analysis, kind: str) -> Section:
    """All of one question: in words, as a table, in pictures."""
    results, study, plan = analysis.results.get(kind), analysis.study, analysis.plan
    if results is None:
        why = "The study has no visit after baseline." if not study.visits and kind != BASELINE else "The plan does not ask this."
        return Section(kind, TITLES[kind], [Text(why)])
    question = next(question for question in plan.questions if question.kind == kind)
    blocks: list[Block] = [Text(_how(question, results, study)), results_table(results, question, study, plan.alpha)]
    more = {BASELINE: _baseline_pictures, WITHIN: _within_pictures, BETWEEN: _between_pictures}[kind]
    blocks += more(analysis, results)
    return Section(kind, TITLES[kind], blocks)


def _how(question: Question, results: Results, study: Study) -> str:
    table, strata = results.table, strata_words(study)
    what = table["estimand"].iloc[0]
    effect = f" Estimates: {what}{_of_what(what, question)}." if what != "none" else " The test gives p-values only."
    tested = int(table["p_value"].notna().sum())
    how = how_tested(question, strata, said=bool(question.entry.sets))
    return (
        f"{f'Within {strata} by' if question.entry.sets else 'By'} {how}, "
        f"{question.alternative}, on {question.scale} values; below the limit: "
        f"{question.rule}.{effect} {tested:,} of {counted(len(table), 'comparison')} could be tested; "
        f"{counted(len(results.excluded), 'value or sample', 'values or samples')} did not enter (see Subjects and samples)."
    )


def results_frame(results: Results, study: Study, alpha: float) -> pd.DataFrame:
    """Return the results table with what is printed beside the numbers."""
    table = results.table
    labels = group_labels(study)
    below = {role: pd.Series(_share(table, "below", role)) for role in labels}
    return _without_stand_ins(table).assign(
        group=[labels.get(role_of(contrast), "") for contrast in table["contrast"]],
        below_case=below["case"],
        below_control=below["control"],
        n_both=_both(table["n_case"], table["n_control"], str),
        below_both=_both(below["case"], below["control"], percent),
        significant=found(results, alpha),
    )


def _without_stand_ins(table: pd.DataFrame) -> pd.DataFrame:
    """Leave figures blank where no value that entered is a number: they would tell of what stands in for limits only."""
    n, beyond = (
        sum(table[f"{name}_{role}"].fillna(0).to_numpy(dtype=float) for name in names for role in ROLES)
        for names in (["n"], ["n_below", "n_above"])
    )
    only = table["p_value"].isna().to_numpy() & (n > 0) & (beyond == n)
    if not only.any():
        return table
    return table.assign(**{name: table[name].mask(only) for name in _OF_NUMBERS})


def _both(case: pd.Series, control: pd.Series, write: Callable[[Any], str]) -> list[str]:
    """Write the figures of both groups into one cell."""
    pairs = zip(case, control, strict=True)
    return [" / ".join("-" if pd.isna(value) else write(value) for value in pair) for pair in pairs]


def _share(table: pd.DataFrame, side: str, role: str) -> np.ndarray:
    n, beyond = (table[f"{name}_{role}"].to_numpy(dtype=float, na_value=np.nan) for name in ("n", f"n_{side}"))
    with np.errstate(invalid="ignore", divide="ignore"):
        return beyond / n


def results_table(results: Results, question: Question, study: Study, alpha: float) -> Table:
    """Show the results of a question, significant rows set off."""
    frame = results_frame(results, study, alpha)
    common, frame["own_note"] = _notes(frame["note"])
    columns = [Column("analyte", "analyte")]
    if question.kind != BASELINE:
        columns.append(Column("visit", "visit"))
    if question.kind == WITHIN:
        frame = _one_group(frame)
        columns += [Column("group", study.design.group), Column("n", "n pairs", "count"),
                    Column("below", "below", "share", "subjects with either value below a limit")]  # fmt: skip
    else:
        columns += _group_columns(study, question)
    columns += _estimate_columns(frame, question)
    word = "not adjusted" if question.adjust == "none" else f"adjusted by {_method(question.adjust)}"
    caption = f"{TITLES[question.kind]}: p-values {word}. Rows set off: {level_words(question, alpha)}."
    same = _same(frame)
    note = f"Of every row: {'; '.join(common)}. " if common else ""
    note += f"The same in every row, and not in its file: {', '.join(f'{name} {value}' for name, value in same.items())}."
    return Table(f"results-{question.kind}", caption, frame.drop(columns=list(same)), columns, mark="significant", note=note)


def _method(adjust: str) -> str:
    """Name a correction by its author."""
    names = {"BH": "Benjamini and Hochberg (BH)", "BY": "Benjamini and Yekutieli (BY)"}
    return names.get(adjust, CORRECTION_NAMES[adjust])


def _same(frame: pd.DataFrame) -> dict[str, Any]:
    """Return how all rows were tested, where that is one way; said once, it need not stand in each row of a large file."""
    first = frame.iloc[0]
    return {name: first[name] or "none" for name in _HOW if (frame[name] == first[name]).all()}


def _notes(notes: pd.Series) -> tuple[list[str], list[str]]:
    """Part the notes that every row has from those of single rows."""
    parts = [note.split("; ") for note in notes]
    common = [text for text in parts[0] if text and all(text in own for own in parts)] if len(parts) > 1 else []
    return common, ["; ".join(text for text in own if text not in common) for own in parts]


def _one_group(frame: pd.DataFrame) -> pd.DataFrame:
    """Put the numbers of the group that a row is about into columns of one name."""
    case = np.array([role_of(contrast) == "case" for contrast in frame["contrast"]])
    return frame.assign(n=frame["n_case"].where(case, frame["n_control"]),
                        below=np.where(case, frame["below_case"], frame["below_control"]))  # fmt: skip


def _group_columns(study: Study, question: Question) -> list[Column]:
    mean = "mean" if question.scale == "raw" else "geo. mean"
    if question.kind == BETWEEN:
        mean = "mean change" if question.scale == "raw" else "mean change (ratio)"
    both = " / ".join(group_labels(study).values())
    n, below, change = "values that entered", "share of these below the limit", ""
    if "visits" in question.entry.takes:
        n, change = "subjects with a value at any visit of the model", "of those with a value at both visits"
        below = "share of these with a value below its limit at any visit of the model"
    elif question.kind == BETWEEN:
        below = "share of these with either value below its limit"
    columns = [Column("n_both", "n", more=f"{n}: {both}"), Column("below_both", "below limit", more=f"{below}: {both}")]
    labels = group_labels(study).items()
    return columns + [Column(f"mean_{role}", f"{mean}, {label}", "number", change) for role, label in labels]


def _estimate_columns(frame: pd.DataFrame, question: Question) -> list[Column]:
    columns = []
    if frame["estimate"].notna().any():
        estimand = str(frame["estimand"].iloc[0])
        columns.append(Column("estimate", estimate_word(estimand), "number", _what_is_estimated(estimand, question)))
        if frame["conf_low"].notna().any():
            level = f"{100 * question.conf_level:g}%"
            columns += [
                Column("conf_low", f"{level} CI from", "number"),
                Column("conf_high", "to", "number", f"end of the {level} CI"),
            ]
    if frame["hedges_g"].notna().any():
        columns.append(Column("hedges_g", "Hedges' g", "number", _what_is_g(question)))
    columns.append(Column("p_value", "p", "p"))
    if question.adjust != "none":
        columns.append(
            Column("p_adjusted", "adjusted p", "p", f"{CORRECTION_NAMES[question.adjust]}, over the tests of its family")
        )
    return [*columns, *([Column("own_note", "note")] if (frame["own_note"] != "").any() else [])]


def _what_is_estimated(estimand: str, question: Question) -> str:
    """Say what an estimate is, and of what."""
    if estimand == "none":
        return "what the test gives"
    if estimate_word(estimand) == "probability":
        return f"{estimand}, of changes" if question.kind == BETWEEN else estimand
    if of := _of_what(estimand, question):
        return f"{estimand}{of}: how many times higher the odds are of being a case"
    return f"{estimand}, {'later visit to baseline' if question.kind == WITHIN else 'cases to controls'}"


def _of_what(estimand: str, question: Question) -> str:
    """Say what is doubled, or goes up by a unit, where odds are compared."""
    if not estimand.startswith("odds"):
        return ""
    return " of the change" if question.kind == BETWEEN else " of the level"


def _what_is_g(question: Question) -> str:
    text = "standardised difference, with Hedges' correction"
    if question.entry.matched and question.kind != WITHIN:
        return f"{text}; of the two groups as wholes: it ignores the sets"
    return f"{text}; of the changes of those with a value at both visits" if "visits" in question.entry.takes else text


def _baseline_pictures(analysis: Analysis, results: Results) -> list[Block]:
    study, alpha = analysis.study, analysis.plan.alpha
    blocks: list[Block] = []
    if pictures.has_estimates(results):
        blocks += [pictures.volcano_picture(results, study, alpha), pictures.forest_picture(results, study, alpha, "forest")]
    return [*blocks, pictures.distributions_picture(analysis), *_p_values(results, BASELINE)]


def _within_pictures(analysis: Analysis, results: Results) -> list[Block]:
    study = analysis.study
    blocks: list[Block] = (
        [pictures.change_picture(results, study, analysis.plan.alpha)] if pictures.has_estimates(results) else []
    )
    table = results.table.dropna(subset="p_value").sort_values("p_value", kind="stable").drop_duplicates("analyte")
    rows = [row for _, row in table.head(pictures.MOST_LINES).iterrows()]
    blocks += [pictures.lines_picture(study, row, i + 1) for i, row in enumerate(rows)]
    return [*blocks, *_p_values(results, WITHIN)]


def _between_pictures(analysis: Analysis, results: Results) -> list[Block]:
    study, alpha = analysis.study, analysis.plan.alpha
    blocks: list[Block] = []
    if pictures.has_estimates(results):
        visits = list(dict.fromkeys(results.table["visit"]))
        shown = visits[: pictures.MOST_VISITS]
        blocks += [
            pictures.forest_picture(results.select(visit=visit), study, alpha, f"forest-change-{i + 1}")
            for i, visit in enumerate(shown)
        ]
        if len(visits) > len(shown):
            blocks.append(Text(f"Pictures show {visit_names(shown)}; the table holds all visits."))
    return [*blocks, *_p_values(results, BETWEEN)]


def _p_values(results: Results, kind: str) -> list[Block]:
    if results.table["p_value"].notna().sum() < pictures.LEAST_P:
        return []
    return [pictures.p_values_picture(results, f"p-values-{kind}", TITLES[kind].lower())]


# --- correlation and correction


def correlation_section(analysis: Analysis) -> Section:
    """Which analytes go together."""
    text = (
        "Analytes that go together are no independent evidence. The correlations are descriptive: they are not tested, and a "
        "difference between cases and controls adds to them."
    )
    return Section("correlation-section", "Analytes that go together", [Text(text), pictures.correlation_picture(analysis)])


def families_frame(analysis: Analysis) -> pd.DataFrame:
    """Return what was corrected together, one row a family."""
    rows = []
    for question in analysis.plan.questions:
        results = analysis.results[question.kind]
        hits = found(results, analysis.plan.alpha)
        together = question.family == "all"
        keys = [("all comparisons", "all visits")] * len(results) if together else list(
            zip(results.table["contrast"], results.table["visit"], strict=True)
        )  # fmt: skip
        for key in dict.fromkeys(keys):
            own = np.array([other == key for other in keys])
            family = results.table[own]
            group = role_of(key[0])
            rows.append({
                "question": TITLES[question.kind],
                "visit": key[1],
                "groups": group_title(analysis.study, group) if group else key[0] if together else "cases against controls",
                "tests": int(family["p_value"].notna().sum()),
                "method": CORRECTION_NAMES[question.adjust],
                "significant": int(hits[own].sum()),
            })  # fmt: skip
    return pd.DataFrame(rows)


def correction_section(analysis: Analysis) -> Section:
    """What was corrected over what, and what that does and does not promise."""
    alpha, frame = analysis.plan.alpha, families_frame(analysis)
    columns = [
        Column("question", "question"), Column("visit", "visit"), Column("groups", "groups"),
        Column("tests", "tests", "count", "tests of the family with a p-value"), Column("method", "correction"),
        Column("significant", "significant", "count", f"at the plan's level, {alpha:g}"),
    ]  # fmt: skip
    corrected = (frame["method"] != "none").any()
    items = []
    for method in dict.fromkeys(frame["method"]):
        own = frame[frame["method"] == method]
        m = int(own["tests"].sum())
        name = "" if method == "none" else f"{method}: "
        words = {"alpha": f"{alpha:g}", "often": f"{100 * alpha:g}%", "m": f"{m:,}", "expected": number(alpha * m)}
        items.append(name + PROMISES[_KEYS[method]].format(**words))
    total = int(frame["tests"].sum())
    if len(frame) > 1:
        again = "Each is corrected by itself: over all of them together nothing is promised." if corrected else ""
        items.append(f"There are {len(frame)} families with {total:,} tests in all. {again}".strip())
    caption = "Families: the tests that are corrected together." if corrected else "Tests, as they would stand together."
    blocks: list[Block] = [Table("families", caption, frame, columns), Bullets([*items, *NOT_PROMISED])]
    return Section("correction", "Correction for many tests", blocks)
