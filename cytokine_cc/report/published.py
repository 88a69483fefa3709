"""What was published beside what this analysis shows, where the data were drawn from a scenario that comes with the library."""

from __future__ import annotations

import re

import pandas as pd

from ..analysis import Analysis
from ..covariates import arrays_for
from ..engine import Contrast, run
from ..errors import OptionError
from ..simulation.choice import choice_text
from ..simulation.patterns import Pattern
from ..simulation.scenario import Scenario, load_scenario, scenario_names
from ..wording import simulated_from
from ..words import counted
from .document import Block, Column, Facts, Section, Table, Text
from .phrases import listed
from .rates import share_text
from .reproduction import Reproduction, shown

_DRAW = re.compile(r"scenario (.+), seed (\d+), replicate (\d+)", re.DOTALL)
_MOST_DRAWS = 100  # draws that are run to find out how the one shown was chosen


def scenario_of(analysis: Analysis, reproduction: Reproduction | None = None) -> Scenario | None:
    """Return the scenario that the data were drawn from, if it is known."""
    if reproduction is not None:
        return reproduction.scenario
    drawn = _DRAW.fullmatch(simulated_from(analysis.study))
    return load_scenario(drawn[1]) if drawn and drawn[1] in scenario_names() else None


def published_sections(analysis: Analysis, reproduction: Reproduction | None) -> list[Section]:
    """Return the section, or none where nothing is known of a publication."""
    scenario = scenario_of(analysis, reproduction)
    if scenario is None:
        return []
    blocks: list[Block] = [Facts(_facts(analysis, scenario, reproduction))]
    if scenario.patterns:
        blocks += [_patterns_table(analysis, scenario, reproduction), *_other_quantity(analysis, scenario)]
    else:
        blocks.append(Text("The scenario names no published pattern to look for."))
    blocks += [
        Text("Where the values of the scenario come from. What is assumed was chosen, not read anywhere."),
        _origins(scenario),
    ]
    return [Section("published", "Published beside reproduced", blocks)]


def _other_quantity(analysis: Analysis, scenario: Scenario) -> list[Block]:
    """Say so where what was published is an odds ratio and what the page shows is not."""
    published = scenario.content.get("group", {}).get("odds_ratio", {})
    shown = {estimand for results in analysis.results.values() for estimand in results.table["estimand"]} - {"none"}
    if not published or any("odds" in estimand for estimand in shown):
        return []
    names = listed(f"{name} {value:g}" for name, value in published.items())
    return [
        Text(
            f"What was published are odds ratios for a doubling ({names}); the estimates of this page are another quantity "
            f"({listed(sorted(shown))}). The two cannot be compared, also where their figures look alike."
        )
    ]


def _facts(analysis: Analysis, scenario: Scenario, reproduction: Reproduction | None) -> list[tuple[str, str]]:
    published, study = scenario.published, analysis.study
    facts = [("Scenario", f"{scenario.title or scenario.name} ({scenario.name})")]
    if "citation" in published:
        doi = f", doi {published['doi']}" if "doi" in published else ""
        facts.append(("Published", f"{published['citation']}{doi}"))
    for key, count in (("cases", study.n_case), ("controls", study.n_control)):
        told = f"published {published[key]}, " if key in published else ""
        facts.append((key.capitalize(), f"{told}here {count}"))
    choice = reproduction.choice if reproduction is not None else _choice(analysis, scenario)
    return [*facts, ("How this draw came to be shown", choice)] if choice else facts


def _choice(analysis: Analysis, scenario: Scenario) -> str:
    """Say how the draw was chosen, where that needs few draws; an edited scenario may have another name or be another."""
    drawn = _DRAW.fullmatch(simulated_from(analysis.study))
    if drawn is None or int(drawn[3]) > _MOST_DRAWS:
        return ""
    return choice_text(scenario, int(drawn[2]), int(drawn[3]))


def patterns_frame(analysis: Analysis, scenario: Scenario, reproduction: Reproduction | None = None) -> pd.DataFrame:
    """Return the published sentences, what this analysis has in their place, and how often a study shows them."""
    questions = analysis.plan.questions
    answers = run(questions, arrays_for(analysis.study, questions), intervals=False)
    contrasts = {question.kind: own for question, own in zip(questions, answers, strict=True)}
    rows = [_pattern_row(pattern, contrasts, analysis) for pattern in scenario.patterns]
    frame = pd.DataFrame(rows, columns=["published", "here", "shown"])
    if reproduction is not None:
        rates = reproduction.rates.select(measure="pattern").table.set_index("contrast")
        share = [rates.loc[pattern.says] for pattern in scenario.patterns]
        frame["often"] = [share_text(row["estimate"], row["mcse"], int(row["n_sim"]), 1).strip() for row in share]
    return frame


def _pattern_row(pattern: Pattern, contrasts: dict[str, list[Contrast]], analysis: Analysis) -> tuple[str, str, str]:
    if pattern.question not in contrasts:
        return pattern.says, "the plan does not ask it", "not asked"
    try:
        yes, what = shown(pattern, contrasts[pattern.question], analysis.study)
    except OptionError as error:  # other analytes, visits or groups than the scenario's
        return pattern.says, f"cannot be counted here: {error}", "not counted"
    return pattern.says, what, "yes" if yes else "no"


def _patterns_table(analysis: Analysis, scenario: Scenario, reproduction: Reproduction | None) -> Table:
    frame = patterns_frame(analysis, scenario, reproduction)
    columns = [Column("published", "published"), Column("here", "in this study"), Column("shown", "does it show it?")]
    sources = scenario.content.get("from", {})
    note = f"Where the sentences come from: {sources.get('pattern', 'assumed')}. Plan: {sources.get('plan', 'assumed')}."
    if reproduction is not None:
        draws = counted(reproduction.rates.meta["n_sim"], "simulated study", "simulated studies")
        columns.append(Column("often", "how often", more=f"share of {draws} that show it, +- Monte Carlo error"))
        every = reproduction.rates.select(measure="pattern", contrast="all").table
        if len(every):
            row = every.iloc[0]
            share = share_text(row["estimate"], row["mcse"], int(row["n_sim"]), 1).strip()
            note += f" All of it together: {share} of {draws} of this scenario."
    return Table("published-table", "What was published, and what this simulated study shows.", frame, columns, note=note)


def origins_frame(scenario: Scenario) -> pd.DataFrame:
    """Return where the values of a scenario come from, one row a source."""
    table = scenario.parameters()
    rows = []
    for kind in ("sourced", "computed", "assumed"):
        for source, own in table[table["origin"] == kind].groupby("source", sort=False):
            keys = dict.fromkeys(
                f"{row.table}.{row.key}{f' of {row.name}' if row.name else ''}" for row in own.itertuples(index=False)
            )
            rows.append({"origin": kind, "source": source or "not said", "values": len(own), "keys": listed(_brief(own), 100),
                         "all_keys": ", ".join(keys)})  # fmt: skip
    return pd.DataFrame(rows)


def _brief(own: pd.DataFrame) -> list[str]:
    """Name keys, each once, with how many analytes or columns it is given for."""
    counts = own.groupby(["table", "key"], sort=False)["name"].agg(lambda names: int((names != "").sum()))
    return [f"{table}.{key}{f' ({count})' if count > 1 else ''}" for (table, key), count in counts.items()]


def _origins(scenario: Scenario) -> Table:
    frame = origins_frame(scenario)
    total = int(frame["values"].sum())
    counts = frame.groupby("origin", sort=False)["values"].sum()
    caption = f"Where its {total:,} values come from: {listed(f'{count:,} {kind}' for kind, count in counts.items())}."
    columns = [
        Column("origin", "origin"), Column("source", "source, or why assumed"), Column("values", "values", "count"),
        Column("keys", "of what", more="keys of the scenario; in brackets, of how many analytes or columns"),
    ]  # fmt: skip
    return Table("origins", caption, frame, columns)
