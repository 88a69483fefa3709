"""A published study beside a simulated one: what it showed, what the plan finds, how often such a study shows it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import analyze
from ..engine import Contrast, run
from ..simulation.choice import choice_text, published_draw
from ..simulation.error_rates import ErrorRates, certify
from ..simulation.patterns import Pattern
from ..simulation.scenario import Scenario
from ..simulation.writing import study_files, with_patient_numbers
from ..study import Study
from ..text_files import write_files
from ..words import counted, p_text
from .rates import pattern_lines
from .summary import wrapped

N_SIM = 2_000
_LABEL, _CELL = 30, 22  # widths of the columns
_MOST = 12


@dataclass(frozen=True, eq=False)
class Reproduction:
    """A scenario, the study drawn from it, and how often such studies show the published pattern.

    Attributes
    ----------
    scenario : Scenario
    seed, replicate : int
        Of the study.
    choice : str
        How that study came to be shown, as `choice_text` found by running those before it.
    study : Study
    rates : ErrorRates
    """

    scenario: Scenario
    seed: int
    replicate: int
    choice: str
    study: Study
    rates: ErrorRates


def reproduce(scenario: Scenario, *, n_sim: int = N_SIM, n_jobs: int = 1) -> Reproduction:
    """Draw the study that a scenario names, and certify the scenario's plan on it.

    Parameters
    ----------
    scenario : Scenario
    n_sim, n_jobs : int
        As `certify`.

    Returns
    -------
    Reproduction
    """
    seed, replicate = published_draw(scenario)
    rates = certify(scenario.plan, scenario, n_sim=n_sim, seed=seed, n_jobs=n_jobs, intervals=False)
    return Reproduction(scenario, seed, replicate, choice_text(scenario, seed, replicate), scenario.draw(seed, replicate), rates)


def write_reproduction(found: Reproduction, folder: Any) -> list[Path]:
    """Write the study, the report, the printed page and the error rates to a folder.

    Parameters
    ----------
    found : Reproduction
    folder : path

    Returns
    -------
    list of Path
    """
    from .writing import REPORT, report_html

    files = {
        REPORT: report_html(analyze(with_patient_numbers(found.study), found.scenario.plan), reproduction=found),
        **study_files(found.study, found.scenario, found.seed, found.replicate),
        "reproduction.txt": reproduction_text(found),
        "rates.csv": found.rates.to_csv() or "",
    }
    return write_files(files, folder)


def reproduction_text(found: Reproduction) -> str:
    """Write the page.

    Parameters
    ----------
    found : Reproduction

    Returns
    -------
    str
    """
    lines = [*_heading(found), "", *_comparison(found), "", *_frequency(found), "", *_origin(found.scenario)]
    return "\n".join(lines) + "\n"


def _heading(found: Reproduction) -> Iterator[str]:
    scenario = found.scenario
    yield from wrapped(scenario.title or scenario.name)
    published = scenario.published
    if "citation" in published:
        doi = f" doi:{published['doi']}" if "doi" in published else ""
        yield from wrapped(f"Published: {published['citation']}{doi}")
    yield from wrapped(
        f"Reproduced on a simulated study: scenario {scenario.name!r}, seed {found.seed}, replicate {found.replicate}. "
        "No patient stands behind its numbers."
    )
    yield from wrapped(found.choice)


def _comparison(found: Reproduction) -> Iterator[str]:
    scenario, study = found.scenario, found.study
    yield from _sizes(found)
    answers = run(scenario.plan.questions, study.arrays, intervals=False)
    contrasts = {question.kind: own for question, own in zip(scenario.plan.questions, answers, strict=True)}
    for pattern in scenario.patterns:
        yield ""
        yield from wrapped(f"Published:  {pattern.says}", indent="  ")
        if pattern.question not in contrasts:
            yield "  The plan does not ask it."
            continue
        yes, what = shown(pattern, contrasts[pattern.question], study)
        yield from wrapped(f"Reproduced: {what}", indent="  ")
        yield f"  {'The study shows it.' if yes else 'The study does not show it.'}"
    sources = scenario.content.get("from", {})
    if scenario.patterns:
        yield ""
        yield from wrapped(f"Where the sentences come from: {sources.get('pattern', 'assumed')}.", indent="  ")
    yield ""
    yield from wrapped(f"Plan ({sources.get('plan', 'assumed')}): {scenario.plan.describe()}", indent="  ")


def _sizes(found: Reproduction) -> Iterator[str]:
    """Numbers of cases and controls, beside the published ones where the file gives any."""
    study, published = found.study, found.scenario.published
    sizes = {"cases": (study.design.case, study.n_case), "controls": (study.design.control, study.n_control)}
    told = any(key in published for key in sizes)
    if told:
        yield from _row("", "published", "reproduced")
    for key, (label, count) in sizes.items():
        yield from _row(f"{key} ({label})", *([str(published.get(key, "not known"))] if told else []), str(count))


def _row(label: str, *cells: str) -> Iterator[str]:
    yield f"  {label:<{_LABEL}}{''.join(f'{cell:<{_CELL}}' for cell in cells)}".rstrip()


def shown(pattern: Pattern, contrasts: Sequence[Contrast], study: Study) -> tuple[bool, str]:
    """Say whether a study shows a pattern, and what it has in its place.

    Parameters
    ----------
    pattern : Pattern
    contrasts : sequence of Contrast
        The engine's, for the question that the pattern is about.
    study : Study

    Returns
    -------
    bool, str
    """
    names = list(study.analytes)
    p = pattern.lowest_p(contrasts, names, study.visits)
    order = [int(i) for i in np.argsort(p, kind="stable") if p[i] < np.inf]
    direction = {"lower": " lower", "higher": " higher"}.get(pattern.direction, "")
    kind = "adjusted p" if pattern.adjusted else "p"
    text = f"{len(order)} of {len(pattern.analytes or names)}{direction} at {kind} < {pattern.p_below:g}"
    if order:
        listed = [f"{names[i]} ({p_text(float(p[i]))})" for i in order]
        more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
        text += ": " + ", ".join(listed[:_MOST]) + more
    return bool(pattern.shown_by(contrasts, names, study.visits)), text


def _frequency(found: Reproduction) -> Iterator[str]:
    lines = pattern_lines(found.rates, digits=1)
    if not lines:
        yield "The scenario names no published pattern to look for."
        return
    rows = found.rates.select(measure="pattern").table
    bound = "; beside 0% and 100%, a bound with 95% confidence" if (rows["mcse"] == 0).any() else ""
    draws = counted(found.rates.meta["n_sim"], "draw")
    yield from wrapped(f"How often such a study shows it, in {draws} (with the Monte Carlo error{bound}):")
    yield from lines


def _origin(scenario: Scenario) -> Iterator[str]:
    table = scenario.parameters()
    counts = table["origin"].value_counts()
    kinds = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in ("sourced", "computed", "assumed"))
    yield from wrapped(f"Where the scenario's {len(table)} values come from: {kinds}.")
    for origin in ("sourced", "computed", "assumed"):
        names = keys_of(table, origin)
        if names:
            yield from wrapped(f"{origin}: {', '.join(names)}", indent="  ")


def keys_of(table: pd.DataFrame, origin: str) -> list[str]:
    """Name the keys of an origin; a table that has no other origin by its name alone.

    Parameters
    ----------
    table : DataFrame
        `Scenario.parameters()`.
    origin : {"sourced", "computed", "assumed"}

    Returns
    -------
    list of str
    """
    names = []
    for name, rows in table.groupby("table", sort=False):
        own = rows[rows["origin"] == origin]
        names += [f"all of {name}"] if len(own) == len(rows) > 1 else [f"{name}.{key}" for key in own["key"].unique()]
    return names
