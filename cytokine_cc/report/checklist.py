"""STROBE and STROBE-ME, item by item: what the page covers for this study, and what its authors must add."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd

from ..analysis import Analysis
from ..panel import State
from ..study import Study
from ..toml_files import read_toml
from ..wording import CORRECTION_NAMES, SCALE_WORDS, in_model, model_alone, simulated_from, without_baseline
from ..words import counted
from .document import Column, Section, Table, Text
from .entered import analysed, one_kind_text
from .limitations import limitations
from .limits_of_data import adjusted_for, uses
from .limits_of_tests import precision
from .phrases import TITLES, begin, cells, everyone, listed
from .study_sections import limits_text, matching_text, plates_text

SOURCES = (
    "STROBE: von Elm et al. 2007, doi 10.1371/journal.pmed.0040296. STROBE-ME: Gallo et al. 2011, doi "
    "10.1371/journal.pmed.1001117. Item numbers are theirs; the words here are short and our own, and do not replace them."
)
_FILE = Path(__file__).parent.parent / "data" / "strobe.toml"


@cache
def items() -> tuple[Mapping[str, str], ...]:
    """Return the items of both lists."""
    return tuple(read_toml(_FILE)[1]["item"])


def checklist_section(analysis: Analysis, titles: Mapping[str, str]) -> Section:
    """Show both lists.

    Parameters
    ----------
    analysis : Analysis
    titles : mapping
        Key of each section of the page -> its title.
    """
    columns = [
        Column("item", "item"), Column("topic", "topic"), Column("covers", "what this page covers"),
        Column("where", "where", to="section"), Column("add", "what the authors must add"),
    ]  # fmt: skip
    text = "A page of data can cover a part of what a report needs. The rest is for its authors."
    if simulated_from(analysis.study):
        text += " These data are simulated: the list shows what a report of measured data would need."
    table = Table("checklist", "Items for a case-control study with biomarkers.", checklist_frame(analysis, titles), columns,
                  note=SOURCES)  # fmt: skip
    return Section("checklist", "STROBE and STROBE-ME", [Text(text), table])


def checklist_frame(analysis: Analysis, titles: Mapping[str, str]) -> pd.DataFrame:
    """Fill the lists in from the data; a section that the page does not have is not pointed at."""
    facts = facts_of(analysis)
    rows = []
    for item in items():
        covers = item["covers"].format(**facts)
        section = item["section"].format(**facts) if covers else ""
        rows.append({"item": item["item"], "topic": item["topic"], "covers": begin(covers) or "nothing",
                     "where": titles.get(section, ""), "section": section, "add": item["add"]})  # fmt: skip
    return pd.DataFrame(rows)


def facts_of(analysis: Analysis) -> dict[str, Any]:
    """Return what the items can say of this study."""
    study, questions = analysis.study, analysis.plan.questions
    people = everyone(study)
    covariates = list(dict.fromkeys(analysis.balance["covariate"]))
    gone = int((~people["usable"]).sum())
    adjusted = adjusted_for(questions)
    levels = dict.fromkeys(f"{100 * q.conf_level:g}%" for q in questions if q.entry.conf_type)
    return {
        "n_case": study.n_case,
        "n_control": study.n_control,
        "group": study.design.group,
        "case": study.design.case,
        "control": study.design.control,
        "alpha": f"{analysis.plan.alpha:g}",
        "n_questions": len(questions),
        "n_analytes": counted(len(study.analytes), "analyte"),
        "matching": matching_text(study),
        "matching_used": _matching_used(analysis),
        "visits": f"Baseline visit: {study.baseline}; later visits: {listed(study.visits)}",
        "covariates": f"covariates in the file: {listed(covariates)}." if covariates else "",
        "and_covariates": f"; covariates in the file: {listed(covariates)}",
        "table_1": f"Table 1: {listed(covariates)}." if covariates else "",
        "missing_in": f"by analyte and group{'; of covariates in Table 1' if covariates else ''}",
        "bias": _bias(analysis, covariates),
        "adjusted": f"adjusted for {listed(adjusted)}, where Methods says so" if adjusted else "no covariate is adjusted for",
        "estimates": _estimates(analysis),
        "reach": "; how far intervals reach where nothing was significant" if any(precision(analysis)) else "",
        "units": _units(study),
        "first": questions[0].kind,
        "limits": limits_text(study),
        "plates": plates_text(study),
        "scale": listed(dict.fromkeys(SCALE_WORDS[q.scale] for q in questions)),
        "rules": listed(dict.fromkeys(q.rule for q in questions)),
        "corrections": listed(dict.fromkeys(CORRECTION_NAMES[q.adjust] for q in questions)),
        "intervals": f"with {listed(levels)} intervals" if levels else "without intervals, which the tests do not give",
        "missing": _missing(analysis),
        "n_file": len(people),
        "n_used": _analysed(analysis),
        "left_out": _left_out(analysis, gone),
        "n_limitations": len(limitations(analysis)),
        "lost": _lost(analysis),
    }


def _taken(analysis: Analysis) -> tuple[str, int]:
    """Return the model of all visits, and how many enter it whom the study leaves out."""
    model, inside = in_model(analysis)
    return model, len(set(inside) - set(analysis.study.subjects.index))


def _analysed(analysis: Analysis) -> str:
    """Count who was analysed, and whom a model of all visits takes beside."""
    model, taken = _taken(analysis)
    more = f" (and by {model} {taken} more)" if taken and not model_alone(analysis) else ""
    return f"{len(analysed(analysis)[1])}{more}"


def _left_out(analysis: Analysis, gone: int) -> str:
    """Count who was left out, and of these who still is in a model of all visits."""
    model, taken = _taken(analysis)
    strata = f"; {text.split(' so that')[0].rstrip(',')}" if (text := one_kind_text(analysis)) else ""
    if model_alone(analysis):
        return (
            f"{counted(gone, 'subject')} without {without_baseline(analysis.study)}, {taken} of them in the model of all visits"
        )
    but = f", {taken} of them but for the model of all visits ({model})" if taken else ""
    return (
        f"{counted(gone, 'subject')} left out, with the reason{but}" if gone else "No subject of the file was left out"
    ) + strata


def _estimates(analysis: Analysis) -> str:
    """Say whether estimates are adjusted for covariates."""
    kinds = {bool(question.covariates) for question in analysis.plan.questions}
    return (
        "Adjusted and unadjusted estimates"
        if len(kinds) > 1
        else "Adjusted estimates"
        if kinds == {True}
        else "Unadjusted estimates"
    )


def _bias(analysis: Analysis, covariates: list[str]) -> str:
    """Name what the page holds on bias."""
    held = ["balance at baseline"] if covariates else []
    held += ["plates by group"] if analysis.study.panel.has_plates else []
    held += ["shares below the limit by group"] if cells(analysis.study)[1].any() else []
    return f"{listed(held)}." if held else ""


def _units(study: Study) -> str:
    known = study.panel.analytes["unit"] != ""
    return "Units" if known.all() else f"Units of {known.sum()} of {len(known)} analytes" if known.any() else "No units"


def _matching_used(analysis: Analysis) -> str:
    design = analysis.study.design
    if design.matching == "none":
        return "No matching is named"
    if design.matching == "frequency":
        across = [question for question in analysis.plan.questions if question.kind != "change_within"]
        left = [name for name in design.matched_on if not all(uses(question, name) for question in across)]
        if not left:
            return f"The tests take account of what groups were matched on ({listed(design.matched_on)})"
        return f"The tests do not adjust for all of what groups were matched on (left: {listed(left)})"
    across = [question for question in analysis.plan.questions if question.kind != "change_within"]
    ignored = [TITLES[question.kind].lower() for question in across if not question.entry.matched]
    if not ignored:
        return "Cases and controls are compared within their sets"
    return f"Matched sets are taken as two groups, as the plan asks ({listed(ignored)})"


def _missing(analysis: Analysis) -> str:
    study = analysed(analysis)[0]
    here = study.sample_at >= 0
    count = int(((study.arrays.state == State.MISSING) & here[:, None, :]).sum())
    return (
        f"{counted(count, 'value')} missing in samples that exist" if count else "No value is missing in the samples that exist"
    )


def _lost(analysis: Analysis) -> str:
    study, names = analysed(analysis)
    absent = int((study.sample_at[len(study.baseline_visits) :, study.subjects.index.isin(names)] < 0).sum())
    if not study.visits:
        return "No later visit"
    return f"{counted(absent, 'later sample')} of analysed subjects not there" if absent else "No later sample is absent"
