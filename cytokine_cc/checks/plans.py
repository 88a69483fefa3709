"""The plan on this design: would it be refused, which rows cannot be tested."""

from __future__ import annotations

import warnings
from dataclasses import replace
from typing import Any

from ..analysis import answers_of
from ..entering import Sides
from ..errors import CytokineError, PanelError, StudyError
from ..plan import Plan
from ..questions import Baseline, ChangeBetween, Question
from ..study import Study
from ..words import counted, joined
from .check_report import FAIL, PASS, WARN, Check, Finding

FEW_RESAMPLES = 19  # enough to see whether a row can be tested
_NAMES = {"baseline": "baseline", "change_within": "change within groups", "change_between": "change between groups"}


def default_plan(study: Study) -> Plan:
    """Return the plan to judge a study by where none is given: the default tests, and with matched sets those of sets."""
    sets: dict[str, Any] = {}
    if study.design.matching == "sets":
        test = "paired_t" if Sides(study.arrays).one_to_one else "stratified"
        sets = {"baseline": Baseline(test=test), "change_between": ChangeBetween(test=test)}
    return replace(Plan(), **sets) if study.visits else Plan(**({**sets, "change_between": None} | {"change_within": None}))


def _allowed(study: Study, plan: Plan) -> Finding:
    said, rows, useless = [], [], False
    refused: dict[str, list[str]] = {}
    for question in plan.questions:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                table = answers_of(study, [_quick(question)])[0].table
        except CytokineError as error:
            refused.setdefault(_reason(error), []).append(_NAMES[question.kind])
            rows += _failures(error)
            continue
        silent = table[table["p_value"].isna()]
        if len(silent) == len(table):
            useless = True
            said.append(f"{_NAMES[question.kind]}: no row of {len(table)} can be tested")
        elif len(silent):
            said.append(f"{_NAMES[question.kind]}: {len(silent)} of {counted(len(table), 'row')} cannot be tested")
        for row in silent.itertuples(index=False):
            rows.append(
                {"visit": row.visit, "analyte": row.analyte, "found": f"{row.contrast} ({question.entry.name}): {row.note}"}
            )
    said = [f"{joined(names)} refused: {why}" for why, names in refused.items()] + said
    if not said:
        tests = joined(f"{_NAMES[question.kind]} ({question.entry.name})" for question in plan.questions)
        return Finding(PASS, f"the design allows {tests}; every row can be tested")
    return Finding(FAIL if refused or useless else WARN, "; ".join(said), rows)


def _quick(question: Question) -> Question:
    """Return a question that asks the same of the design, with little resampling."""
    return replace(question, n_resamples=min(question.n_resamples, FEW_RESAMPLES), seed=1)


def _reason(error: CytokineError) -> str:
    """Say why in one line; places of faults stand in the rows."""
    if isinstance(error, PanelError | StudyError):
        faults = error.failures
        kinds = faults.groupby("problem", sort=False).size()
        return "; ".join(f"{problem} ({counted(n, 'time')})" for problem, n in kinds.items())
    return " ".join(str(error).split()).partition(": ")[2] or str(error)


def _failures(error: CytokineError) -> list[dict[str, Any]]:
    if not isinstance(error, PanelError | StudyError):
        return []
    names = ("file", "row", "subject", "visit", "analyte")
    return [
        {name: own[name] for name in names} | {"found": f"{own['problem']}: {own['found']}"}
        for own in error.failures.to_dict("records")
    ]


CHECKS = (
    Check(
        "plan and design",
        "plan",
        "The design allows every question of the plan, and every row can be tested; fails where no row of a question can.",
        "A test of pairs needs pairs, a log scale numbers above 0, a change a later visit. Better to know before the "
        "analysis than from its error. Without a plan, the default one for the design is held against it.",
        _allowed,
    ),
)
