"""Studies have, on average, the properties that the scenario file states; a generator that is a little wrong is found."""

from __future__ import annotations

import copy
import re
import runpy
from pathlib import Path

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.simulation.calibration import calibrate
from cytokine_cc.simulation.scenario import Scenario, scenario_names
from cytokine_cc.toml_files import parse_toml

from .scenario_texts import EVERYTHING

ROOT = Path(__file__).parent.parent
MOST = 4.5  # standard errors; of 10,000 comparisons one in fifteen runs would have one beyond

TAIL = {"tail": {"share": 0.02, "factor": 5}, "group.odds_ratio": None}
# Effects so strong that what is worked out from the cohort as if nobody were chosen would show.
STRONG = {
    "cohort.size": 300,
    "cases.risk": {"BMI": 1.2, "Chemo = yes": 1.0},
    "covariate_effect.BMI": {"ratio": {"TNF-a": 1.6, "IL-6": 1.6, "IL-17": 0.5}, "per": 4},
    "covariate_effect.Chemo": {"level": "yes", "ratio": 2.5},
    "group.ratio": {"IL-6": 2.0},
    "change.case": {"IL-6": 2.5},
    "missing.correlation": -0.9,
}
KINDS = {
    "everything": {},
    "strong effects": STRONG,
    "matched on what acts": STRONG | {"matching.on": ["BMI", "Chemo"]},
    "alike in distribution": STRONG
    | {
        "matching": {"kind": "frequency", "on": ["Age", "Chemo"], "bands": {"Age": 10}},
        "set_effect": None,
        "study.controls": 17,
        "plates.samples": "together",
    },
    "correlations in pairs": {
        "factors": {"pairs": {"IL-6, TNF-a": 0.6, "IL-6, VEGF": -0.4}},
        "plates.control_shares": [0.0, 0.4, 0.6],
        "tail": {"share": 0.2, "factor": 5},
        "group.odds_ratio": None,
    },
    "a tail": TAIL,
    "no cohort": TAIL | {"cohort": None, "cases": None, "matching": None, "set_effect": None, "covariate_effect": None},
    "one visit": {"study.visits": ["only"], "cases": {"at_least": {"VAS": 22}}, "change": None, "missing.samples": 0.0},
}


def everything(kind: str = "everything") -> Scenario:
    return Scenario("everything", parse_toml(EVERYTHING, "everything.toml"), "everything.toml").vary(KINDS[kind])


def agrees(table) -> bool:
    return bool((table["z"].abs() <= MOST).all())


@pytest.mark.parametrize("name", scenario_names())
def test_bundled_scenarios_draw_what_their_files_state(name):
    table = calibrate(cc.load_scenario(name), n_sim=200, seed=1)
    assert not table[["file", "realised", "mcse", "z"]].isna().any().any()
    assert agrees(table), table[table["z"].abs() > MOST].to_string()
    z = table["z"][table["mcse"] > 1e-9]
    assert len(z) > 200
    assert 0.7 < z.std() < 1.35
    assert 0.7 < np.sqrt((z**2).mean()) < 1.35


@pytest.mark.parametrize("kind", KINDS)
def test_every_table_of_a_file_draws_what_it_states(kind):
    table = calibrate(everything(kind), n_sim=300, seed=4)
    assert agrees(table), table[table["z"].abs() > MOST].to_string()
    assert 0.7 < table["z"][table["mcse"] > 1e-9].std() < 1.35


def test_quantities_that_are_compared():
    table = calibrate(everything(), n_sim=4)
    assert table["quantity"].unique().tolist() == [
        "geometric mean",
        "group effect",
        "change",
        "log odds ratio",
        "covariate effect",
        "log-SD",
        "ICC",
        "correlation",
        "correlation, none",
        "set log-SD",
        "plate log-SD",
        "log-SD of limits",
        "limits between plates",
        "share below",
        "share above",
        "share flagged",
        "values missing",
        "samples missing",
    ]
    stated = table.set_index(["quantity", "analyte", "visit", "group"])["file"]
    assert stated["geometric mean", "IL-6", "before", "control"] == pytest.approx(3)
    assert stated["group effect", "VEGF", "before", ""] == pytest.approx(-0.8 * 0.7)
    assert stated["group effect", "IL-6", "before", ""] == pytest.approx(np.log(0.6) + 0.9 * 0.6 * 0.3)
    assert stated["change", "IL-6", "month1", "case"] == pytest.approx(np.log(1.5) / 2)
    assert stated["log odds ratio", "TNF-a", "before", ""] == pytest.approx(np.log(1.4))
    assert stated["log-SD", "IL-17", "month6", "case"] == pytest.approx(1.4)
    assert stated["ICC", "IL-6", "before, month6", ""] == 0.8
    both = np.sqrt(0.8 * 0.6) + np.sqrt(0.2 * 0.4)
    assert stated["correlation", "IL-6 / TNF-a", "", ""] == pytest.approx(0.3 * both)
    assert stated["limits between plates", "IL-6", "plate 3 / 1", ""] == pytest.approx(np.log(2))
    assert stated["share below", "IL-17", "before", "control"] == pytest.approx(0.9)
    with_tail = calibrate(everything("a tail"), n_sim=4).set_index(["quantity", "analyte", "visit", "group"])["file"]
    assert with_tail["geometric mean", "IL-6", "before", "control"] == pytest.approx(3 * 5**0.02)
    assert "log odds ratio" not in with_tail


def rows_with(scenario: Scenario, **amounts) -> dict:
    """Changes to all lines of [analytes]: each a function of the old number."""
    return {
        f"analytes.{name}": {**row, **{key: change(row[key]) for key, change in amounts.items() if key in row}}
        for name, row in scenario.content["analytes"].items()
    }


def wrong(scenario: Scenario, changes: dict) -> Scenario:
    """Return a generator that draws something else than its file states."""
    out = copy.copy(scenario)
    object.__setattr__(out, "_model", scenario.vary(changes)._model)
    return out


@pytest.mark.parametrize(
    ("quantity", "change"),
    {
        "ICC": lambda s: rows_with(s, icc=lambda icc: icc + 0.05),
        "log-SD": lambda s: rows_with(s, log_sd=lambda sd: sd * 1.05),
        "share below": lambda s: rows_with(s, below=lambda share: share + 0.03),
        "group effect": lambda s: {"group.ratio": {"EGF": np.exp(0.1)}},
        "geometric mean": lambda s: rows_with(s, mean=lambda mean: mean * 1.1),
        "change": lambda s: {"change": {"case": np.exp(0.1)}},
        "correlation": lambda s: {
            "factors.loadings": {k: [0.9 * x for x in v] for k, v in s.content["factors"]["loadings"].items()}
        },
        "plate log-SD": lambda s: {"plates.log_sd": 0.16},
        "log-SD of limits": lambda s: {"limits.plate_log_sd": 0.36},
        "share above": lambda s: {"limits.above": 0.01},
        "share flagged": lambda s: {"limits.extrapolated": 0.13},
        "values missing": lambda s: {"missing.values": 0.015},
        "samples missing": lambda s: {"missing.samples": 0.05},
    }.items(),
)
def test_a_generator_that_is_a_little_wrong_is_found(quantity, change):
    scenario = cc.load_scenario("henry2010")
    table = calibrate(wrong(scenario, change(scenario)), n_sim=200, seed=1)
    assert not agrees(table[table["quantity"] == quantity])


@pytest.mark.parametrize(
    ("quantity", "changes"),
    {
        "log odds ratio": {"group.odds_ratio": {"TNF-a": 1.8}},
        "covariate effect": {"covariate_effect.Age": {"ratio": {"IL-6": 1.25, "VEGF": 0.9}, "per": 10}},
        "set log-SD": {"set_effect.log_sd": 0.35},
        "limits between plates": {"limits.plate_factors": [1.0, 1.7, 2.0]},
        "correlation, none": {"factors.loadings.MCP-1": [0.5, 0.5]},
    }.items(),
)
def test_so_is_one_that_is_wrong_in_the_other_tables(quantity, changes):
    table = calibrate(wrong(everything(), changes), n_sim=300, seed=4)
    assert not agrees(table[table["quantity"] == quantity])


def test_only_what_is_wrong_is_red():
    scenario = cc.load_scenario("henry2010")
    table = calibrate(wrong(scenario, {"group.ratio": {"EGF": 1.25}}), n_sim=200, seed=1)
    red = table[table["z"].abs() > MOST]
    assert red[["quantity", "analyte"]].to_numpy().tolist() == [["group effect", "EGF"]]


def test_number_of_studies():
    with pytest.raises(cc.OptionError, match="`n_sim`"):
        calibrate(cc.load_scenario("null"), n_sim=1)


@pytest.mark.parametrize("name", scenario_names())
def test_the_page_speaks_of_the_scenarios_as_they_are(name):
    page = (ROOT / "docs" / "calibration.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, flags=re.DOTALL | re.MULTILINE)
    remedy = "run python benchmarks/calibration.py > docs/calibration.md"
    assert section, remedy
    summarise = runpy.run_path(str(ROOT / "benchmarks" / "calibration.py"))["summarise"]
    for row in summarise(calibrate(cc.load_scenario(name), n_sim=20)).itertuples(index=False):
        if row.quantity not in ("share flagged", "share above"):  # a few studies may have none to speak of
            assert f"| {row.quantity} | {row.compared} | {row.file} |" in section[1], remedy
