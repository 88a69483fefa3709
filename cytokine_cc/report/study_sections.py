"""The first half of the report: question and design, who and what is in it, how well groups agree, what could be measured."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..balance import TOO_MANY
from ..kernels.common import BASELINE, BETWEEN, WITHIN
from ..labels import as_labels
from ..plan import Plan
from ..study import Study
from ..wording import SIMULATED, in_model, model_alone, semi_paired_text, simulated_from
from ..words import counted, percent, visit_name, visit_names
from . import pictures
from .document import Block, Bullets, Column, Facts, Section, Table, Text
from .entered import analysed, in_strata, one_kind_text, only_strata
from .phrases import (
    MOST_NAMES,
    ROLES,
    TITLES,
    analytes_of,
    before,
    begin,
    everyone,
    group_columns,
    group_labels,
    group_title,
    listed,
    present,
    visit_labels,
)
from .record import left_out, source_text
from .summary import number

_OUT_OF = TOO_MANY.partition("{}")[2]
NO_P = (
    "There are no p-values: balance is a property of these subjects and not of a population, and a test of it says more about "
    "the number of subjects than about the difference (Imai, King and Stuart 2008, doi 10.1111/j.1467-985X.2007.00527.x). A "
    "standardised difference is the difference of means, or of shares, over the root mean square of the groups' SDs (infinite "
    "where neither group varies and they differ); the variance ratio is cases over controls."
)


MOST_LISTED = 1_000  # rows of what was left out


def design_section(analysis: Analysis) -> Section:
    """What was asked, of whom."""
    study, design = analysis.study, analysis.study.design
    facts = [
        ("Cases", f"{study.n_case} ({design.group} = {design.case})"),
        ("Controls", f"{study.n_control} ({design.group} = {design.control})"),
        ("Matching", matching_text(study)),
        ("Baseline", _baseline(study)),
        ("Later visits", ", ".join(study.visits) or "none"),
        ("Analytes", analytes_of(study)),
        ("Plates", plates_text(study)),
        ("Limits of detection", limits_text(study)),
        ("Data", _kind_of_data(study)),
    ]
    blocks: list[Block] = [Bullets(questions_asked(analysis.plan, study)), Facts(facts)]
    analytes = study.panel.analytes
    if len(analytes) <= pictures.MOST_ROWS and (analytes["category"] != "").any():
        kinds = analytes.groupby(analytes["category"].replace("", "no category"), sort=False)
        blocks.append(Facts([(begin(str(name)), ", ".join(rows.index)) for name, rows in kinds]))
    return Section("design", "Question and design", blocks)


def questions_asked(plan: Plan, study: Study) -> list[str]:
    """Say in words what the plan asks."""
    case, control = group_labels(study).values()
    texts = []
    for question in plan.questions:
        visits = visit_names(getattr(question, "visits", None) or study.visits)
        if question.kind == BASELINE:
            text = f"At {before(study)}, do levels differ between cases ({case}) and controls ({control})?"
        elif question.kind == WITHIN:
            groups = " and within ".join(group_title(study, role) for role in getattr(question, "groups", ()))
            text = f"Do levels at {visits} differ from those at {visit_name(study.baseline)}, within {groups}?"
        else:
            text = f"Does the change from {visit_name(study.baseline)} to {visits} differ between cases and controls?"
        texts.append(text)
    asked = {question.kind for question in plan.questions}
    left = [TITLES[kind].lower() for kind in (BASELINE, WITHIN, BETWEEN) if kind not in asked]
    if left and study.visits:
        texts.append(f"The plan does not ask about: {listed(left)}.")
    return texts


def matching_text(study: Study) -> str:
    """Say how groups were matched."""
    design = study.design
    on = f" on {listed(design.matched_on)}" if design.matched_on else ""
    if design.matching == "none":
        return "none is named"
    if design.matching == "frequency":
        return f"frequency matching{on}: groups alike as wholes, no pairs"
    subjects = study.subjects
    sizes = subjects.groupby("matched_set")["role"].value_counts().unstack(fill_value=0)
    kinds = sizes.groupby(["case", "control"]).size()
    each = listed([f"{count} of {case}:{control}" for (case, control), count in kinds.items()])
    return f"{counted(len(sizes), 'matched set')}{on}, cases to controls: {each} (column {design.matched_set})"


def _baseline(study: Study) -> str:
    n = len(study.baseline_visits)
    return study.baseline if n == 1 else f"the mean of {n} visits, {listed(study.baseline_visits)}, on the analysis scale"


def plates_text(study: Study) -> str:
    """Say how many plates there are."""
    if not study.panel.has_plates:
        return "not named in the file"
    return str(len(set(as_labels(study.panel.samples["plate"]))))


def limits_text(study: Study) -> str:
    """Say for which analytes a lower limit is stated."""
    known = ~np.isnan(study.panel.lower_limit.to_numpy()).all(axis=0)
    if known.all():
        return "stated for every analyte"
    return f"stated for {known.sum()} of {len(known)} analytes" if known.any() else "not stated"


def _kind_of_data(study: Study) -> str:
    origin = simulated_from(study)
    file = study.panel.source.partition(SIMULATED)[0]
    if not origin:
        return source_text(file)
    return f"simulated ({origin}); no person stands behind them" + ("" if file == origin else f". File: {file}")


# --- flow


def flow_section(analysis: Analysis) -> Section:
    """Who and what was in the file, what was used, what was left out and why."""
    study = analysis.study
    blocks: list[Block] = [_flow_table(analysis), *_excluded_blocks(analysis), *_unused_visits(study)]
    blocks += [pictures.samples_picture(study), *_cells_blocks(analysis)]
    return Section("flow", "Subjects and samples", blocks)


def flow_frame(analysis: Analysis) -> pd.DataFrame:
    """Count subjects and samples by group, from the file to each visit, and to a model of all visits that takes more of them."""
    study, (model, inside) = analysis.study, in_model(analysis)
    people, (own, names), alone = everyone(study), analysed(analysis), model_alone(analysis)
    wider = not alone and not people.loc[inside, "usable"].all()
    out = study.excluded.drop_duplicates("subject").set_index("subject")["reason"]
    no_baseline = people.index.isin(out.index[out == "no sample at baseline"])
    steps = [("subjects in the file", people)]
    steps += [] if alone else [("with a sample at baseline", people[~no_baseline])]
    if study.design.matching == "sets" and not alone:
        steps.append(("in a matched set with both kinds", people[people["usable"]]))
    strata = [("in a stratum with both kinds", people.loc[in_strata(analysis)])] if only_strata(analysis) else []
    within = WITHIN in analysis.results  # also takes who stands in other strata
    how = f", {'by' if alone else 'but for'} the model of all visits ({model})" if alone or wider else ""
    steps += [*([] if within else strata), (f"analysed{how}", people.loc[names])]
    rows: list[dict[str, Any]] = [{"step": name, **_by_role(part["role"])} for name, part in steps]
    for i, label in enumerate(visit_labels(study)):
        counts = {role: present(own, role, i, names) for role in ROLES}
        rows.append({"step": f"of these with a sample at {visit_name(label)}", "all": sum(counts.values()), **counts})
    last = [(f"in the model of all visits ({model})", people.loc[inside])] if wider else []
    rows += [{"step": name, **_by_role(part["role"])} for name, part in [*last, *(strata if within else [])]]
    return pd.DataFrame(rows)


def _by_role(roles: pd.Series) -> dict[str, int]:
    return {"all": len(roles), **{role: int((roles == role).sum()) for role in ROLES}}


def _flow_table(analysis: Analysis) -> Table:
    columns = [Column("step", "subjects"), Column("all", "all", "count"), *group_columns(analysis.study)]
    return Table("flow-subjects", "Subjects from the file to the analysis, and those with a sample at each visit.",
                 flow_frame(analysis), columns)  # fmt: skip


def _excluded_blocks(analysis: Analysis) -> list[Block]:
    study, gone = analysis.study, analysis.study.excluded
    strata = one_kind_text(analysis)
    if not len(gone):
        return [Text(f"No subject was left out of the study. {strata}" if strata else "No subject was left out.")]
    role = everyone(study)["role"]
    frame = pd.DataFrame({
        "subject": gone["subject"].to_numpy(),
        "group": [group_labels(study)[role[subject]] for subject in gone["subject"]],
        "reason": gone["reason"].to_numpy(),
    })  # fmt: skip
    columns = [Column("subject", "subject"), Column("group", study.design.group), Column("reason", "why left out")]
    text, (model, inside) = semi_paired_text(analysis), in_model(analysis)
    if text:
        frame["model"] = np.where(frame["subject"].isin(inside), "yes", "")
        columns.append(Column("model", f"in {model}", more="enters the model of all visits"))
    follows = "everything that follows" if not text else "what follows"
    if model_alone(analysis):
        follows = "what follows of baseline, where the study is described"
    caption = " ".join(filter(None, [f"{counted(gone['subject'].nunique(), 'subject')} left out of {follows}.", text, strata]))
    return [Table("excluded-subjects", caption, frame, columns, folded=len(frame) > 2 * MOST_NAMES)]


def _unused_visits(study: Study) -> list[Block]:
    counts = study.panel.samples["visit"].value_counts(sort=False)
    unused = [f"{label} ({counted(n, 'sample')})" for label, n in counts.items() if label not in visit_labels(study)]
    if not unused:
        return []
    return [Text(f"The file holds visits that the design does not name; they are not used: {listed(unused)}.")]


def cells_frame(analysis: Analysis) -> pd.DataFrame:
    """Count what did not enter, by question, visit and reason; and what did."""
    rows = []
    for kind, results in analysis.results.items():
        for visit, table in results.table.groupby("visit", sort=False):
            entered = int(table[["n_case", "n_control"]].fillna(0).to_numpy().sum())
            rows.append({"question": TITLES[kind], "visit": visit, "what": "entered", "values": entered, "samples": pd.NA,
                         "subjects": pd.NA})  # fmt: skip
            gone = results.excluded[results.excluded["visit"] == visit]
            reasons = gone["reason"].str.replace(r"^matched set .* has no", "matched set has no", regex=True)
            for reason, part in gone.groupby(reasons, sort=False):
                absent = int((part["analyte"] == "").sum())
                rows.append({"question": TITLES[kind], "visit": visit, "what": f"left out: {reason}",
                             "values": len(part) - absent, "samples": absent, "subjects": part["subject"].nunique()})  # fmt: skip
    frame = pd.DataFrame(rows)
    return frame.astype(dict.fromkeys(("values", "samples", "subjects"), "Int64"))


def _cells_blocks(analysis: Analysis) -> list[Block]:
    model = "; all that a model of all visits takes of a subject as one, at each of them" if in_model(analysis)[0] else ""
    columns = [
        Column("question", "question"),
        Column("visit", "visit"),
        Column("what", "what became of it"),
        Column(
            "values", "values", "count", f"values of one analyte in one sample; a change counts as one, at its later visit{model}"
        ),
        Column("samples", "whole samples", "count", "samples that do not exist"),
        Column("subjects", "of subjects", "count"),
    ]
    caption = "Values that entered each question, and those that did not, by reason."
    frame = cells_frame(analysis)
    own = Table("left-out", caption, frame, columns, folded=len(frame) > 2 * MOST_NAMES)
    return [own, *_every_cell(analysis)]


def _every_cell(analysis: Analysis) -> list[Block]:
    """List what did not enter, one a row, as long as that does not swell the page."""
    gone = left_out(analysis).replace({"question": TITLES})
    if not len(gone):
        return []
    if len(gone) > MOST_LISTED:
        text = f"What did not enter is {len(gone):,} values and samples, too many for this page: `excluded` of each result lists "
        return [Text(text + "them one a row, as does excluded.csv, which the command analyze writes.")]
    columns = [Column(name, name) for name in gone.columns]
    caption = "All that did not enter, one value or sample a row."
    note = "Where no analyte is named there is no sample."
    return [Table("excluded", caption, gone, columns, note=note, folded=True)]


# --- Table 1


def balance_section(analysis: Analysis) -> Section:
    """Table 1: what cases and controls were like at baseline."""
    study, table = analysis.study, analysis.balance
    if not len(table):
        text = "The file holds no covariate of the subjects, so that nothing can be said of how alike the groups are."
        return Section("balance", "Cases and controls at baseline", [Text(text)])
    labels = group_labels(study)
    columns = [
        Column("covariate", "characteristic"),
        Column("level", "level"),
        Column("case", f"{labels['case']} (n = {study.n_case})", more="mean (SD), or number (%)"),
        Column("control", f"{labels['control']} (n = {study.n_control})", more="mean (SD), or number (%)"),
        Column("std_difference", "std. difference", "number", "difference of means or shares; see under the table"),
        Column("variance_ratio", "variance ratio", "number", "variance in cases over variance in controls"),
        Column("missing", "missing", more="cases + controls"),
        Column("matched", "matched on"),
    ]
    caption = "Table 1. Characteristics at baseline: mean (SD), or number (%), of the subjects with a value."
    blocks: list[Block] = [Table("table-1", caption, balance_frame(table), columns, note=NO_P)]
    if table["std_difference"].notna().any():
        blocks.append(pictures.balance_picture(study, table))
    return Section("balance", "Cases and controls at baseline", blocks)


def balance_frame(table: pd.DataFrame) -> pd.DataFrame:
    """Return the balance table with cells as they are printed beside the numbers."""
    rows = table.to_dict("records")
    missing = [f"{row['n_missing_case']} + {row['n_missing_control']}" for row in rows]
    return table.assign(
        case=[_printed(row, "case") for row in rows],
        control=[_printed(row, "control") for row in rows],
        missing=["" if text == "0 + 0" else text for text in missing],
        matched=np.where(table["matched_on"], "yes", ""),
    )


def _printed(row: dict[Any, Any], role: str) -> str:
    """Write mean (SD) of a number, n (%) of a level."""
    mean, sd, n = row[f"mean_{role}"], row[f"sd_{role}"], row[f"n_{role}"]
    if str(row["level"]).endswith(_OUT_OF):
        return ""
    if np.isnan(mean):
        return "no value"
    if row["level"] != "":
        return f"{round(mean * n)} ({percent(mean)})"
    return f"{number(mean)} ({number(sd)})" if not np.isnan(sd) else number(mean)
