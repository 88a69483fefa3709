"""A published study beside a simulated one: what it showed, what the plan finds, how often such a study shows it."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..engine import Contrast, run
from ..simulation.error_rates import ErrorRates, certify
from ..simulation.patterns import Pattern
from ..simulation.scenario import Scenario
from ..study import Study
from .summary import WIDTH, p_text

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
    picked : bool
        Whether it is shown because it has the pattern: the first of ``replicate + 1`` that does.
    study : Study
    rates : ErrorRates
    """

    scenario: Scenario
    seed: int
    replicate: int
    picked: bool
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
    seed, replicate = scenario.published.get("seed", 1), scenario.published.get("replicate", 0)
    rates = certify(scenario.plan, scenario, n_sim=n_sim, seed=seed, n_jobs=n_jobs, intervals=False)
    picked = "replicate" in scenario.published
    return Reproduction(scenario, seed, replicate, picked, scenario.draw(seed, replicate), rates)


def write_reproduction(found: Reproduction, folder: Any) -> list[Path]:
    """Write the study, the page and the error rates to a folder.

    Parameters
    ----------
    found : Reproduction
    folder : path

    Returns
    -------
    list of Path
    """
    from ..simulation.writing import study_files, write_files

    files = {
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
    yield from _wrapped(scenario.title or scenario.name)
    published = scenario.published
    if "citation" in published:
        doi = f" doi:{published['doi']}" if "doi" in published else ""
        yield from _wrapped(f"Published: {published['citation']}{doi}")
    yield from _wrapped(
        f"Reproduced on a simulated study: scenario {scenario.name!r}, seed {found.seed}, replicate {found.replicate}. "
        "No patient stands behind its numbers."
    )
    count = found.replicate + 1
    if not found.picked:
        yield "This study was not picked: it is the first draw of its seed."
    elif count == 1:
        yield "It is the first draw of its seed, and shows the published pattern; no other was tried."
    else:
        yield from _wrapped(
            f"This study was picked: of draws 0, 1, 2, ... of its seed it is the first, after {count - 1} others, that shows the "
            f"published pattern (1 out of {count})."
        )


def _comparison(found: Reproduction) -> Iterator[str]:
    scenario, study = found.scenario, found.study
    yield from _row("", "published", "reproduced")
    told = {row["key"]: row["origin"] == "sourced" for row in _study_rows(scenario)}
    for key, label, count in (("cases", study.design.case, study.n_case), ("controls", study.design.control, study.n_control)):
        yield from _row(f"{key} ({label})", str(count) if told.get(key) else "not known", str(count))
    contrasts = dict(zip((q.kind for q in scenario.plan.questions), run(scenario.plan.questions, study.arrays), strict=True))
    for pattern in scenario.patterns:
        shown, what = _shown(pattern, contrasts, study)
        yield ""
        yield from _wrapped(f"Published:  {pattern.says}", indent="  ")
        yield from _wrapped(f"Reproduced: {what}", indent="  ")
        yield f"  {'The study shows it.' if shown else 'The study does not show it.'}"
    sources = scenario.content.get("from", {})
    if scenario.patterns:
        yield ""
        yield from _wrapped(f"Where the sentences come from: {sources.get('pattern', 'assumed')}.", indent="  ")
    yield ""
    yield from _wrapped(f"Plan ({sources.get('plan', 'assumed')}): {scenario.plan.describe()}", indent="  ")


def _study_rows(scenario: Scenario) -> list[dict[str, str]]:
    table = scenario.parameters()
    return table[table["table"] == "study"].to_dict("records")


def _row(*cells: str) -> Iterator[str]:
    label, published, reproduced = cells
    yield f"  {label:<{_LABEL}}{published:<{_CELL}}{reproduced}".rstrip()


def _shown(pattern: Pattern, contrasts: Mapping[str, list[Contrast]], study: Study) -> tuple[bool, str]:
    """Say whether a study shows a pattern, and what it has in its place."""
    own, names = contrasts[pattern.question], list(study.analytes)
    hits = pattern.hits(own, names, study.visits)
    p = np.min([_p_values(pattern, contrast) for contrast in own], axis=0)
    order = [i for i in np.argsort(p) if hits[i]]
    direction = {"lower": " lower", "higher": " higher"}.get(pattern.direction, "")
    kind = "adjusted p" if pattern.adjusted else "p"
    text = f"{len(order)} of {len(pattern.analytes or names)}{direction} at {kind} < {pattern.p_below:g}"
    if order:
        listed = [f"{names[i]} ({p_text(float(p[i]))})" for i in order]
        more = f" and {len(listed) - _MOST} more" if len(listed) > _MOST else ""
        text += ": " + ", ".join(listed[:_MOST]) + more
    return bool(pattern.shown_by(own, names, study.visits)), text


def _p_values(pattern: Pattern, contrast: Contrast) -> np.ndarray:
    p = contrast.p_adjusted if pattern.adjusted else contrast.statistics.p_value
    return np.where(np.isnan(p), np.inf, p)


def _frequency(found: Reproduction) -> Iterator[str]:
    table = found.rates.table
    rows = table[table["measure"] == "pattern"]
    if rows.empty:
        yield "The scenario names no published pattern to look for."
        return
    yield from _wrapped(f"How often such a study shows it, in {found.rates.meta['n_sim']:,} draws (with the Monte Carlo error):")
    for row in rows.itertuples(index=False):
        label = "all of it" if row.contrast == "all" else row.contrast
        yield from _wrapped(f"{row.estimate:6.1%} (+-{row.mcse:.1%})  {label}", indent="  ", hang=18)


def _origin(scenario: Scenario) -> Iterator[str]:
    table = scenario.parameters()
    counts = table["origin"].value_counts()
    kinds = ", ".join(f"{counts.get(kind, 0)} {kind}" for kind in ("sourced", "computed", "assumed"))
    yield from _wrapped(f"Where the scenario's {len(table)} values come from: {kinds}.")
    for origin in ("sourced", "computed", "assumed"):
        names = _keys_of(table, origin)
        if names:
            yield from _wrapped(f"{origin}: {', '.join(names)}", indent="  ")


def _keys_of(table: pd.DataFrame, origin: str) -> list[str]:
    """Name the keys of an origin; a table that has no other origin by its name alone."""
    names = []
    for name, rows in table.groupby("table", sort=False):
        own = rows[rows["origin"] == origin]
        names += [f"all of {name}"] if len(own) == len(rows) > 1 else [f"{name}.{key}" for key in own["key"].unique()]
    return names


def _wrapped(text: str, indent: str = "", hang: int = 2) -> list[str]:
    return textwrap.wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False, drop_whitespace=True
    )
