"""The page of a reproduction: published beside simulated, picked or not, how often, and what is assumed."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.engine import run
from cytokine_cc.report.reproduction import reproduce, reproduction_text
from cytokine_cc.simulation.scenario import scenario_names

PICKED = [name for name in scenario_names() if "replicate" in cc.load_scenario(name).published]


def shows_all(scenario, replicates) -> np.ndarray:
    arrays = scenario.draw_arrays(scenario.published["seed"], replicates)
    found = dict(zip([q.kind for q in scenario.plan.questions], run(scenario.plan.questions, arrays), strict=True))
    shown = [pattern.shown_by(found[pattern.question], scenario.analytes, arrays.later) for pattern in scenario.patterns]
    return np.all(shown, axis=0)


@pytest.mark.parametrize("name", PICKED)
def test_a_picked_study_is_the_first_that_shows_the_pattern(name):
    scenario = cc.load_scenario(name)
    k = scenario.published["replicate"]
    shown = shows_all(scenario, range(k + 1))
    assert shown[k]
    assert not shown[:k].any()


def test_henry2010():
    scenario = cc.load_scenario("henry2010")
    found = reproduce(scenario, n_sim=128)
    text = reproduction_text(found)
    assert (found.study.n_case, found.study.n_control, len(found.study.analytes)) == (30, 22, 36)
    assert re.search(r"cases \(AIMSS\) +30 +30\n", text)
    assert re.search(r"controls \(no AIMSS\) +22 +22\n", text)
    assert "Published:  6 of 36 factors lower in cases before treatment, all P<0.003\n" in text
    assert "Reproduced: 6 of 36 lower at p < 0.003: " in text
    assert text.count("The study shows it.") == len(scenario.patterns)
    assert "No patient stands behind its numbers." in " ".join(text.split())
    assert "doi:10.1038/sj.bjc.6605768" in text
    k = scenario.published["replicate"]
    assert f"This study was picked: of draws 0, 1, 2, ... of its seed it is the first, after {k} others" in " ".join(text.split())
    assert "in 128 draws (with the Monte Carlo error)" in text
    rows = found.rates.select(measure="pattern").table
    share = rows[rows["contrast"] == "all"].iloc[0]
    assert f"{share['estimate']:.1%} (+-{share['mcse']:.1%})  all of it" in text
    assert "assumed: study.visits" in text
    assert max(map(len, text.splitlines())) <= 100


def test_the_analysis_of_the_study_tells_the_same():
    scenario = cc.load_scenario("henry2010")
    study = scenario.draw(scenario.published["seed"], scenario.published["replicate"])
    analysis = cc.analyze(study, scenario.plan)
    baseline = analysis.baseline.table
    assert ((baseline["p_value"] < 0.003) & (baseline["estimate"] < 1)).sum() == 6
    assert not (analysis.change_between.table["p_value"] < 0.003).any()


def test_a_scenario_that_names_no_study_and_no_pattern():
    text = reproduction_text(reproduce(cc.load_scenario("null"), n_sim=64))
    assert "This study was not picked: it is the first draw of its seed." in text
    assert "names no published pattern" in text


def test_what_is_not_shown_is_said_so():
    scenario = cc.load_scenario("henry2010").vary({"group": None, "published.replicate": None})
    text = reproduction_text(reproduce(scenario, n_sim=64))
    assert "The study does not show it." in text
    assert re.search(r"0 of 36 lower at p < 0.003\n", text)
