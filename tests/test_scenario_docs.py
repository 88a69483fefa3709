"""The page about scenarios names every scenario, table and key; ``python -m tests.test_scenario_docs`` writes its tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import pytest

import cytokine_cc as cc
from cytokine_cc.simulation import parameters
from cytokine_cc.simulation.parameters import NEEDED, Key
from cytokine_cc.simulation.scenario import scenario_names

PAGE = Path(__file__).parent.parent / "docs" / "scenarios.md"
START, END = "<!-- tables of keys, from parameters.py -->", "<!-- end of the tables of keys -->"
KINDS = {
    "number": "number",
    "whole": "whole number",
    "text": "text",
    "texts": "list of texts",
    "numbers": "list of numbers",
    "amounts": "number for all, or analyte = number",
    "named": "name = number",
    "pairs": "'A, B' = number",
    "loadings": "analyte = list of numbers",
    "blocks": "list of tables",
}


def rows_of(keys: Mapping[str, Key]) -> list[str]:
    lines = ["| key | value | allowed | default | meaning |", "|---|---|---|---|---|"]
    for name, key in keys.items():
        default = "needed" if key.default is NEEDED else "" if key.default is None else shown(key.default)
        allowed = "" if key.allowed == "any number" else key.allowed
        lines.append(f"| `{name}` | {KINDS[key.kind]} | {allowed} | {default} | {key.says} |")
    return lines


def shown(default) -> str:
    if isinstance(default, list):
        return ", ".join(default) or "none"
    return "none" if default == {} else f"{default:g}" if isinstance(default, float) else str(default)


def tables() -> str:
    """Return the tables of keys as Markdown."""
    given = {f"[{name}]": keys for name, keys in parameters.TABLES.items()}
    inner = {
        "[analytes]": parameters.ANALYTE_KEYS,
        "[cohort.covariates], a number": parameters.COVARIATE_KEYS,
        "[cohort.covariates], levels": parameters.LEVEL_KEYS,
        "[cohort.scores]": parameters.SCORE_KEYS,
        "[covariate_effect]": parameters.EFFECT_KEYS,
    }
    after = {"[analytes]": "[subject]", "[covariate_effect]": "[group]"}
    lines: list[str] = []
    for name, keys in given.items():
        wanted = [(name, keys)]
        if name == "[cohort]":
            wanted += [(own, inner[own]) for own in inner if own.startswith("[cohort.")]
        wanted += [(own, inner[own]) for own, place in after.items() if place == name]
        for title, own in wanted:
            note = " (one row each)" if title in inner else ""
            lines += ["", f"### `{title.split(',')[0]}`{title[len(title.split(',')[0]) :]}{note}", "", *rows_of(own)]
    return "\n".join(lines[1:])


def test_the_page_lists_all_tables_and_keys():
    text = PAGE.read_text(encoding="utf-8")
    assert text.count(START) == text.count(END) == 1
    found = text.split(START)[1].split(END)[0].strip()
    assert found == tables(), "docs/scenarios.md is behind parameters.py: python -m tests.test_scenario_docs writes it anew"


def test_the_page_names_what_stands_beside_the_tables():
    text = PAGE.read_text(encoding="utf-8")
    for name in parameters.TOP:
        assert f"`{name}`" in text or f"`[{name}]`" in text or f"`[[{name}]]`" in text, name
    for item in fields(cc.Pattern):
        assert re.search(rf"^\| `{item.name}` \|", text, flags=re.MULTILINE), item.name


@pytest.mark.parametrize("name", scenario_names())
def test_the_page_says_what_each_scenario_is(name):
    text = PAGE.read_text(encoding="utf-8")
    assert len(re.findall(rf"^\*\*`{name}`\*\*", text, flags=re.MULTILINE)) == 1


def test_the_page_names_no_scenario_that_is_not_there():
    assert set(re.findall(r"^\*\*`(\w+)`\*\*", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)) == set(scenario_names())


def test_the_python_of_the_page_runs():
    exec(re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[1], {})


def test_the_example_of_the_page_is_a_scenario(tmp_path):
    text = re.search(r"```toml\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)[1]
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    scenario = cc.load_scenario(path)
    study = scenario.draw(seed=1)
    assert cc.analyze(study, scenario.plan).results
    assert scenario.effect().tolist() == pytest.approx([-0.51082562, 0.0], abs=1e-8)


if __name__ == "__main__":
    before, rest = PAGE.read_text(encoding="utf-8").split(START)
    PAGE.write_text(f"{before}{START}\n\n{tables()}\n\n{END}{rest.split(END)[1]}", encoding="utf-8")
