"""Figures that texts of bundled scenarios give come out of their draws."""

from __future__ import annotations

import re
from functools import cache

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.engine import run
from cytokine_cc.simulation.scenario import FOLDER

# Scenario -> draws to try, and percent that may be off: numbers are given for 2,000, and a newer numpy may draw others.
STATED = {
    "bauml2015": (2000, 1.5),
    "common_shift": (2000, 1.5),
    "henry2008": (1000, 3),
    "henry2010": (2000, 1.5),
    "sparano2022": (400, 7),
}


def about(name: str) -> str:
    return " ".join(cc.load_scenario(name).about.split())


@cache
def answers(name: str, seed: int, n: int) -> dict:
    scenario = cc.load_scenario(name)
    questions = scenario.plan.questions
    blocks = [run(questions, scenario.draw_arrays(seed, range(k, k + 200)), detail=False) for k in range(0, n, 200)]
    return {question.kind: [block[i] for block in blocks] for i, question in enumerate(questions)}


@pytest.mark.slow
@pytest.mark.parametrize("name", STATED)
def test_shares_of_draws_that_show_the_sentences(name):
    scenario = cc.load_scenario(name)
    text = (FOLDER / f"{name}.toml").read_text(encoding="utf-8")
    stated = re.search(r"Of 2,000 studies of (?:that seed|seed \d+), (.*?)(?:\n\[|;|\.\n)", text)[1]
    percents = [int(number) for number in re.findall(r"(\d+)%", stated)]
    seed = scenario.published.get("seed", 2010)
    n, off = STATED[name]
    found = answers(name, seed, n)
    later = scenario.visits[1:]
    shown = np.array(
        [
            np.concatenate([pattern.shown_by(block, scenario.analytes, later) for block in found[pattern.question]])
            for pattern in scenario.patterns
        ]
    )
    shares = [*shown.mean(axis=1), shown.all(axis=0).mean()][: len(percents)]
    assert len(percents) == (3 if len(scenario.patterns) == 2 else 1)
    np.testing.assert_allclose(100 * np.array(shares), percents, atol=off)


@pytest.mark.slow
def test_common_shift_lowers_what_it_says():
    blocks = [block[0].statistics for block in answers("common_shift", 2010, 2000)["baseline"]]
    p, lower = (np.concatenate(parts) for parts in ([b.p_value for b in blocks], [b.estimate < 0 for b in blocks]))
    at_05, at_003 = (((p < level) & lower).sum(axis=-1) for level in (0.05, 0.003))
    assert "a median of 10 lower at p<0.05, and of 3 at p<0.003" in about("common_shift")
    assert (np.median(at_05), np.median(at_003)) == (10, 3)
    assert "half of the studies 1 to 6, one in seven none, one in twenty ten or more" in about("common_shift")
    assert np.percentile(at_003, [25, 75]).tolist() == [1, 6]
    assert (at_003 == 0).mean() == pytest.approx(1 / 7, abs=0.015)
    assert (at_003 >= 10).mean() == pytest.approx(1 / 20, abs=0.01)


def test_plate_confounded_rejects_what_it_says():
    scenario = cc.load_scenario("plate_confounded")
    table = cc.certify(scenario.plan, scenario, n_sim=500, seed=1, intervals=False).select(measure="size").table
    table = table[table["analyte"] != ""]
    block = (table["analyte"].str[1:].astype(int) - 1) // 12
    size = table.groupby(["question", block])["estimate"].mean()
    assert "rejects 9% of the true null hypotheses among M01 to M12, 10% among M13 to M24 and 25% among M25 to M36" in about(
        "plate_confounded"
    )
    np.testing.assert_allclose(size["baseline"], [0.09, 0.10, 0.25], atol=0.015)
    assert "Of changes it rejects 5%" in about("plate_confounded")
    np.testing.assert_allclose(size["change_between"], 0.05, atol=0.01)


def test_heavy_censoring_loses_what_it_says():
    scenario = cc.load_scenario("heavy_censoring")
    rates = cc.certify(scenario.plan, scenario, n_sim=500, seed=1, intervals=False)
    power, bias = (rates.select(measure=measure).table["estimate"] for measure in ("power", "bias"))
    assert "it finds 56% of the true differences and sees a ratio of 0.67 where 0.55 is true" in about("heavy_censoring")
    assert power.mean() == pytest.approx(0.56, abs=0.02)
    true = scenario.effect()[:12].mean() / np.log(2)
    assert 2 ** (true + bias[:12].mean()) == pytest.approx(0.67, abs=0.015)


@pytest.mark.parametrize("name", ["henry2008", "henry2010", "sparano2022"])
def test_as_many_persons_as_published(name):
    scenario = cc.load_scenario(name)
    assert (scenario.n_case, scenario.n_control) == (scenario.published["cases"], scenario.published["controls"])
