"""Small studies and the page of an analysis, for the tests of the report; all numbers are invented."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pandas as pd

import cytokine_cc as cc
from cytokine_cc.report.document import Bullets, Facts, Page, Table, Text
from cytokine_cc.report.record import record_of
from cytokine_cc.report.writing import page_of

DATE = datetime(2026, 3, 1, tzinfo=UTC)
# Saving a picture takes longer than all else of a page: it is left out where nobody looks at one.
UNSAVED = '<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"/>'


def page(analysis, reproduction=None, inputs=(), settings=None):
    return page_of(analysis, record_of(analysis, inputs, settings, DATE), reproduction)


def only(section):
    """A page of one section."""
    return Page("", "", sections=[section])


def blocks(page, kind, key=""):
    own = [block for section in page.sections if key in ("", section.key) for block in section.blocks]
    return [block for block in own if isinstance(block, kind)]


def table(page, key):
    return next(block for block in blocks(page, Table) if block.key == key)


def facts(page, key):
    return dict(pair for block in blocks(page, Facts, key) for pair in block.items)


def words(page, key=""):
    """All sentences of a section, or of the page."""
    texts = [block.text for block in blocks(page, Text, key)]
    texts += [text for block in blocks(page, Bullets, key) for text in block.items]
    return " ".join([*texts, *(text for block in blocks(page, Facts, key) for pair in block.items for text in pair)])


def wide(
    n_case=6, n_control=5, analytes=3, visits=("v0", "v1"), seed=1, shift=0.0, group=("x", "y"), plates=("p1", "p2"), name="M{}"
):
    """A table as a laboratory sends it."""
    rng = np.random.default_rng(seed)
    n = n_case + n_control
    levels = np.exp(rng.normal(3, 0.5, (len(visits), n, analytes)))
    levels[:, :n_case] *= np.exp(shift)
    rows = []
    for v, visit in enumerate(visits):
        for i in range(n):
            values = {name.format(a + 1): f"{levels[v, i, a]:.4g}" for a in range(analytes)}
            who = {"id": f"s{i}", "t": visit, "plate": plates[i % len(plates)], "arm": group[i >= n_case], "age": 50 + i % 5}
            rows.append(who | values)
    return pd.DataFrame(rows)


def in_pairs():
    frame = wide(6, 6)
    return frame.assign(set=[f"m{int(subject[1:]) % 6}" for subject in frame["id"]])


def study(frame, plate="plate", **design):
    own = [column for column in ("plate", "arm", "age", "set") if column in frame and column != plate]
    panel = cc.read_panel(frame, layout="wide", subject="id", visit="t", plate=plate, sample_columns=own, unit="pg/mL")
    case, control = dict.fromkeys(frame["arm"])
    return cc.Study(
        panel, cc.Design(**{"group": "arm", "case": case, "control": control, "baseline": frame["t"].iloc[0]} | design)
    )


def analysis_of(frame, plan=None, plate="plate", **design):
    return cc.analyze(study(frame, plate, **design), plan)


def of_sets(n_sets=6, shift=0.0, test="conditional_logistic", controls=2, strata=(), kind=cc.Baseline, visits=("v0",), **options):
    """Sets of one case and some controls; M1 of cases as `shift` says. With `strata`, columns, no sets."""
    frame = wide(n_sets, controls * n_sets, 3, visits=visits)
    frame["set"] = [f"m{int(subject[1:]) % n_sets}" for subject in frame["id"]]
    frame["sex"] = [f"s{int(subject[1:]) % 2}" for subject in frame["id"]]
    cases = frame["arm"] == "x"
    frame.loc[cases, "M1"] = [f"{float(v) * np.exp(shift):.4g}" for v in frame.loc[cases, "M1"]]
    panel = cc.read_panel(frame, layout="wide", subject="id", visit="t", analytes=["M1", "M2", "M3"], plate="plate")
    how = {"matched_on": strata} if strata else {"matched_set": "set"}
    question = kind(test=test, **options)
    plan = cc.Plan(**dict.fromkeys(("baseline", "change_within", "change_between")) | {question.kind: question})
    return cc.analyze(cc.Study(panel, cc.Design("arm", "x", "y", baseline="v0", **how)), plan)


def in_strata(plan, n_case=27, n_control=23, unknown="", visits=("v0",)):
    """Six strata of age classes; the last has 4 cases and no control. The class of the subject `unknown` is not known."""
    frame = wide(n_case, n_control, 3, visits=visits)
    number = frame["id"].str[1:].astype(int)
    last = number.isin(range(n_case - 4, n_case))
    frame["decade"] = [f"d{i % 5}" if not own else "d5" for i, own in zip(number, last, strict=True)]
    frame.loc[frame["id"] == unknown, "decade"] = ""
    panel = cc.read_panel(frame, layout="wide", subject="id", visit="t", analytes=["M1", "M2", "M3"], plate="plate")
    return cc.analyze(cc.Study(panel, cc.Design("arm", "x", "y", baseline="v0", matched_on=("decade",))), plan)


def semi_paired(test="lda", below="", alone=False, gone=(), **more):
    """8 cases, 12 controls, 3 visits: s0 and s9 lack the baseline, s10 the second visit too; M1 of `below` is under a limit.

    `alone`: nothing is asked of baseline. Who is `gone` has no last sample.
    """
    frame = wide(8, 12, 3, visits=("v0", "v1", "v2"))
    frame = frame[~(frame["id"].isin(["s0", "s9", "s10"]) & (frame["t"] == "v0"))]
    frame = frame[~((frame["id"] == "s10") & (frame["t"] == "v1"))]
    frame = frame[~(frame["id"].isin(gone) & (frame["t"] == "v2"))]
    frame.loc[frame["id"] == below, "M1"] = "<1"
    return analysis_of(frame, cc.Plan(None if alone else cc.Baseline(), None, cc.ChangeBetween(test=test, **more)))
