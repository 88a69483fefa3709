"""What made a report: plan, design, versions, inputs, seeds; for the manifest and for the page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import pandas as pd

from ..analysis import Analysis
from ..versions import versions
from ..wording import simulated_from
from .document import Block, Column, Facts, Section, Table


def record_of(
    analysis: Analysis, inputs: Sequence[tuple[str, str]], settings: Mapping[str, Any] | None, date: datetime
) -> dict[str, Any]:
    """Return how an analysis was made, as plain values.

    Parameters
    ----------
    analysis : Analysis
    inputs : sequence of (name, sha256)
    settings : mapping or None
        The study file's content.
    date : datetime

    Returns
    -------
    dict
    """
    plan: dict[str, Any] = {"alpha": analysis.plan.alpha}
    for question in analysis.plan.questions:
        plan[question.kind] = {**analysis.results[question.kind].meta["plan"], "below_limit": question.rule}
    return {
        "date": date.isoformat(timespec="seconds"),
        "versions": dict(versions()),
        "inputs": [{"file": name, "sha256": digest} for name, digest in inputs],
        "settings": dict(settings or {}),
        "source": analysis.study.panel.source,
        "simulated": simulated_from(analysis.study) or None,
        "design": asdict(analysis.study.design),
        "plan": plan,
        "seed": {kind: results.meta["seed"] for kind, results in analysis.results.items()},
    }


def left_out(analysis: Analysis) -> pd.DataFrame:
    """Return all that did not enter, question by question.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    DataFrame
        question, subject, visit, analyte (empty: there is no sample), reason.
    """
    parts = [results.excluded.assign(question=kind) for kind, results in analysis.results.items()]
    return pd.concat(parts, ignore_index=True)[["question", "subject", "visit", "analyte", "reason"]]


def source_text(source: str) -> str:
    """Say where the measurements come from."""
    return {"": "not known", "DataFrame": "a table that was given in memory"}.get(source, source)


def record_section(record: Mapping[str, Any]) -> Section:
    """Show the record on the page."""
    versions_text = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    seeds = ", ".join(f"{kind} {seed}" for kind, seed in record["seed"].items() if seed is not None)
    facts = [
        ("Date", record["date"]),
        ("Software", versions_text),
        ("Source of the panel", source_text(record["source"])),
        ("Simulated", record["simulated"] or "no"),
        ("Seeds of the plan", seeds or "none; nothing was resampled"),
    ]
    blocks: list[Block] = [Facts(facts)]
    if record["inputs"]:
        columns = [Column("file", "file"), Column("sha256", "sha256")]
        blocks.append(Table("inputs", "Files that were read.", pd.DataFrame(record["inputs"]), columns))
    blocks.append(Table("plan", "The plan, as it was run.", _flat(record["plan"]), _PAIR, folded=True))
    blocks.append(Table("design-table", "The design.", _flat(record["design"]), _PAIR, folded=True))
    if record["settings"]:
        blocks.append(Table("settings", "The study file.", _flat(record["settings"]), _PAIR, folded=True))
    return Section("record", "How this page was made", blocks)


_PAIR = [Column("name", "name"), Column("value", "value")]


def _flat(values: Mapping[str, Any]) -> pd.DataFrame:
    rows = list(_leaves(values, ""))
    return pd.DataFrame(rows, columns=["name", "value"])


def _leaves(values: Mapping[str, Any], before: str) -> Iterator[tuple[str, str]]:
    for name, value in values.items():
        if isinstance(value, Mapping) and value:
            yield from _leaves(value, f"{before}{name}.")
        else:
            text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
            yield f"{before}{name}", "not given" if text == "null" else text
