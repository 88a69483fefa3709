"""A short summary of an analysis, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..limits import beyond_limits
from ..panel import State
from ..questions import Question
from ..results import Results
from ..study import Study
from ..wording import CORRECTION_NAMES, simulated_text
from ..words import counted, joined, p_text

WIDTH = 100
_MOST = 12
_TITLES = {"baseline": "Baseline", "change_within": "Change within groups", "change_between": "Change between groups"}


def summary_text(analysis: Analysis) -> str:
    """Say what was analysed, what was found, and what was left out and why.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    str
    """
    lines = [*_study_lines(analysis.study), ""]
    for question in analysis.plan.questions:
        lines += [*_question_lines(question, analysis.results[question.kind], analysis.plan.alpha), ""]
    not_asked = [title for kind, title in _TITLES.items() if kind not in analysis.results]
    if not_asked and analysis.study.visits:
        lines += [f"Not asked: {', '.join(not_asked)}", ""]
    lines += _left_out_lines(analysis)
    return "\n".join(lines).rstrip() + "\n"


def _study_lines(study: Study) -> Iterator[str]:
    design = study.design
    yield from wrapped(simulated_text(study))
    groups = f"{study.n_case} cases ({design.group} = {design.case}), {study.n_control} controls ({design.control})"
    yield f"{groups}; matching: {design.matching}"
    visits = f"; later: {', '.join(study.visits)}" if study.visits else ""
    yield f"{len(study.analytes)} analytes in {len(study.panel.samples)} samples; baseline: {study.baseline}{visits}"
    unused = [label for label in study.panel.samples["visit"].unique() if label not in {*study.baseline_visits, *study.visits}]
    if unused:
        yield from wrapped(f"visits that the design does not name: {', '.join(unused)}")
    panel = study.panel
    frames = (panel.values, panel.state, panel.lower_limit, panel.upper_limit)
    below, above = beyond_limits(*(frame.to_numpy() for frame in frames))
    state = panel.state.to_numpy()
    missing = state == State.MISSING
    yield f"{state.size:,} cells: {below.mean():.1%} below a limit, {above.mean():.1%} above, {missing.mean():.1%} missing"
    shares = pd.Series(below.sum(axis=0) / np.maximum((~missing).sum(axis=0), 1), index=study.analytes)
    worst = shares[shares > 0.2].sort_values(ascending=False, kind="stable")
    if len(worst):
        shown = ", ".join(f"{name} {share:.0%}" for name, share in worst.head(6).items())
        yield from wrapped(f"most often below: {shown}" + (f" and {len(worst) - 6} more above 20%" if len(worst) > 6 else ""))


def _question_lines(question: Question, results: Results, alpha: float) -> Iterator[str]:
    table = results.table
    first = table.iloc[0]
    correction = "not adjusted" if first["adjust"] == "none" else f"{CORRECTION_NAMES[first['adjust']]}-adjusted"
    how = [
        f"{first['test']} on {first['scale']}",
        *(name if value is True else f"{name} = {value}" for name, value in question.options),
        *([f"adjusted for {joined(question.covariates)}"] if question.covariates else []),
        f"below the limit: {first['below_limit']}",
        first["alternative"],
        correction,
    ]
    yield from wrapped(f"{_TITLES[question.kind]}: {', '.join(how)}", hang=4)
    for (contrast, visit), rows in table.groupby(["contrast", "visit"], sort=False):
        tested = int(rows["p_value"].notna().sum())
        hits = rows[rows["p_adjusted"] <= alpha].sort_values("p_value", kind="stable")
        where = "" if " in " in contrast else f" at {visit}"
        level = f"p <= {alpha:g}" if first["adjust"] == "none" else f"adjusted p <= {alpha:g}"
        yield f"  {contrast}{where}: {len(hits)} of {tested} at {level}"
        yield from _hit_lines(hits.head(_MOST))
        if len(hits) > _MOST:
            yield f"    and {len(hits) - _MOST} more"
    yield from _untested_lines(table)
    yield from _note_lines(table)


def _untested_lines(table: pd.DataFrame) -> Iterator[str]:
    """Rows without a p-value, once for each analyte and reason."""
    gone = table[table["p_value"].isna()]
    reasons = gone["note"].str.split(";").str[0].str.replace(r"\b\d+ values?", "some values", regex=True)
    groups = list(gone.groupby([gone["analyte"], reasons], sort=False))
    for (name, reason), rows in groups[:_MOST]:
        often = f" ({len(rows)} comparisons)" if len(rows) > 1 else ""
        yield from wrapped(f"{name}{often}: {reason}", indent="  ")
    if len(groups) > _MOST:
        yield f"  and {len(groups) - _MOST} more that could not be tested"


def _hit_lines(hits: pd.DataFrame) -> Iterator[str]:
    if not len(hits):
        return
    width = max(len(name) for name in hits["analyte"])
    for row in hits.itertuples(index=False):
        interval = f"{number(row.estimate)} ({number(row.conf_low)} to {number(row.conf_high)})"
        yield f"    {row.analyte:<{width}}  {interval:<26}  p {p_text(row.p_value):<8} adjusted {p_text(row.p_adjusted)}"


def _note_lines(table: pd.DataFrame) -> Iterator[str]:
    """Notes of tested rows, alike ones together."""
    notes = table.loc[table["p_value"].notna() & (table["note"] != ""), "note"].str.split("; ").explode()
    kinds = notes.str.replace(r"\b\d+ (value|number|subject)s?\b", r"some \1s", regex=True).value_counts(sort=False)
    for kind, count in kinds.items():
        yield from wrapped(f"note ({count} row{'s' if count > 1 else ''}): {kind}", indent="  ")


def _left_out_lines(analysis: Analysis) -> Iterator[str]:
    yield "Left out"
    lines = [
        line
        for kind, results in analysis.results.items()
        for line in _reason_lines(_TITLES[kind], results, analysis.study.baseline)
    ]
    yield from lines or ["  nothing"]


def _reason_lines(title: str, results: Results, baseline: str) -> Iterator[str]:
    """Count what was left out by reason, the visits of a reason together."""
    excluded = results.excluded
    reasons = [
        reason.replace(f" at {baseline}", " at baseline").replace(f" at {visit}", " at the later visit")
        if visit != baseline
        else reason
        for reason, visit in zip(excluded["reason"], excluded["visit"], strict=True)
    ]
    for reason, rows in excluded.groupby(pd.Series(reasons, index=excluded.index, dtype=object), sort=False):
        what = counted(len(rows), "sample" if (rows["analyte"] == "").all() else "value")
        yield from wrapped(f"{title.lower()}: {what} of {counted(rows['subject'].nunique(), 'subject')}: {reason}", indent="  ")


def wrapped(text: str, indent: str = "", hang: int = 2) -> list[str]:
    """Break text into lines of the page's width."""
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False)


def number(value: float) -> str:
    """Round for reading: three significant digits."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"
