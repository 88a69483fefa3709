"""Scenarios: the same study alone, in a batch and as a Study; parts; what a file says and where it comes from."""

from __future__ import annotations

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.panel import State
from cytokine_cc.simulation.scenario import Scenario, scenario_names
from cytokine_cc.toml_files import parse_toml

from .scenario_texts import EVERYTHING


def everything(**changes) -> Scenario:
    scenario = Scenario("everything", parse_toml(EVERYTHING, "everything.toml"), "everything.toml")
    return scenario.vary(changes) if changes else scenario


FREQUENCY = {
    "matching": {"kind": "frequency", "on": ["Age", "Chemo"], "bands": {"Age": 10}},
    "set_effect": None,
    "study.controls": 17,
}
KINDS = {
    "sets": {},
    "frequency": FREQUENCY,
    "no matching": {"matching": None, "set_effect": None},
    "no cohort": {"cohort": None, "cases": None, "matching": None, "set_effect": None, "covariate_effect": None},
    "no limits": {f"analytes.{name}": {"mean": 1.0} for name in ("IL-6", "TNF-a", "MCP-1", "IL-17", "VEGF")} | {"limits": None},
    "nothing missing": {"missing": None},
    "one visit": {
        "study.visits": ["only"],
        "cases": {"at_least": {"VAS": 22}},
        "change": None,
        "missing.samples": 0.0,
    },
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_replicate_is_the_same_alone_in_a_batch_and_as_a_study(kind):
    scenario = everything(**KINDS[kind])
    batch = scenario.draw_arrays(5, range(4))
    for k in range(4):
        alone = scenario.draw_arrays(5, [k])
        arrays = scenario.draw(5, k).arrays
        np.testing.assert_array_equal(arrays.case, batch.case)
        if batch.stratum is None:
            assert arrays.stratum is None
        else:
            np.testing.assert_array_equal(arrays.stratum, batch.stratum)
        there = batch.state[k] != State.MISSING
        for name in ("value", "state", "lower", "upper"):
            np.testing.assert_array_equal(getattr(alone, name)[0], getattr(batch, name)[k])
            np.testing.assert_array_equal(
                np.where(there, getattr(arrays, name), 0), np.where(there, getattr(batch, name)[k], 0), err_msg=name
            )
        assert (arrays.later, arrays.n_baseline) == (batch.later, batch.n_baseline)


def test_other_seeds_and_replicates_are_other_studies():
    scenario = everything()
    first = scenario.draw(1).panel.values
    assert not first.equals(scenario.draw(2).panel.values)
    assert not first.equals(scenario.draw(1, 1).panel.values)
    assert first.equals(scenario.draw(1, 0).panel.values)


def test_the_study_holds_what_the_file_describes():
    study = everything().draw(3)
    samples = study.panel.samples
    assert (study.n_case, study.n_control, study.visits) == (12, 24, ("month1", "month6"))
    assert list(samples.columns) == ["subject", "visit", "plate", "Arm", "Set", "Age", "BMI", "Chemo", "HAQ", "VAS"]
    assert study.design.matching == "sets"
    assert (study.design.case, study.design.control, study.design.matched_on) == ("AIMSS", "none", ("Age", "Chemo"))
    assert samples["Set"].nunique() == 12
    assert samples.groupby("Set")["Chemo"].nunique().max() == 1
    assert study.excluded.empty
    assert set(samples["plate"]) == {"P1", "P2", "P3"}
    assert study.panel.analytes.loc["IL-6"].tolist() == ["pg/mL", "cytokine"]
    assert study.panel.source == "scenario everything, seed 3, replicate 0"
    states = study.panel.state.to_numpy()
    assert {int(state) for state in np.unique(states)} == {0, 1, 2, 3, 4}
    assert (samples["visit"] == "before").sum() == 36
    assert len(samples) < 3 * 36


def test_cases_are_those_whose_scores_rose():
    samples = everything().draw(3).panel.samples
    complete = samples.groupby("subject").filter(lambda rows: len(rows) == 3)
    wide = complete.pivot(index=["subject", "Arm"], columns="visit", values=["HAQ", "VAS"])
    rose = np.zeros(len(wide), dtype=bool)
    for score, rise in (("HAQ", 0.5), ("VAS", 20)):
        rose |= (wide[score][["month1", "month6"]].sub(wide[score]["before"], axis=0) >= rise - 1e-9).any(axis=1).to_numpy()
    np.testing.assert_array_equal(rose, wide.index.get_level_values("Arm") == "AIMSS")


def test_a_batch_feeds_the_engine_as_a_study_does():
    scenario = everything(**FREQUENCY)
    from cytokine_cc.engine import run

    found = run(scenario.plan.questions, scenario.draw_arrays(9, range(3)))
    for k in range(3):
        analysis = cc.analyze(scenario.draw(9, k))
        for question, contrasts in zip(scenario.plan.questions, found, strict=True):
            table = analysis.results[question.kind].table
            p = np.concatenate([contrast.statistics.p_value[k] for contrast in contrasts])
            np.testing.assert_array_equal(table["p_value"].to_numpy(), p)


def test_true_effects():
    scenario = everything()
    group = scenario.effect()
    assert group[0] == pytest.approx(np.log(0.6))
    assert group[4] == pytest.approx(-0.8 * 0.7)
    assert group[2] == group[3] == 0
    within = 0.7**2 + 0.15**2 + np.log1p(0.08**2)  # chemotherapy acts too, but is the same within nearly all sets
    assert group[1] == pytest.approx(np.log(1.4) * within / np.log(2), rel=1e-3)
    np.testing.assert_allclose(scenario.effect(1, "case"), [np.log(1.5), 0, 0, 0, np.log(0.8)])
    np.testing.assert_allclose(scenario.effect(0, "case"), 0.5 * scenario.effect(1, "case"))
    np.testing.assert_allclose(scenario.effect(1, "control"), [0, 0, 0, 0, np.log(0.8)])
    np.testing.assert_allclose(scenario.effect(1), [np.log(1.5), 0, 0, 0, 0], atol=1e-15)


def test_a_scenario_survives_writing(tmp_path):
    scenario = everything()
    path = tmp_path / "again.toml"
    path.write_text(scenario.to_toml(), encoding="utf-8")
    again = cc.load_scenario(path)
    assert again.name == "again"
    assert again.content == scenario.content
    assert again.draw(4).panel.values.equals(scenario.draw(4).panel.values)


def test_every_number_says_where_it_comes_from():
    table = everything().parameters().set_index(["table", "key", "name"])
    assert table.loc[("study", "cases", "")].tolist() == [12, "sourced", "nowhere, for tests"]
    assert table.loc[("analytes", "mean", "IL-6"), "origin"] == "computed"
    assert table.loc[("analytes", "mean", "VEGF"), "origin"] == "assumed"
    assert table.loc[("cohort.covariates", "sd", "Age"), "origin"] == "sourced"
    assert table.loc[("well", "cv", ""), ["origin", "source"]].tolist() == ["assumed", ""]
    varied = everything(**{"study.cases": 24}).parameters().set_index(["table", "key", "name"])
    assert varied.loc[("study", "cases", ""), "origin"] == "assumed"


@pytest.mark.parametrize("name", scenario_names())
def test_bundled_scenarios_name_the_source_of_every_number(name):
    scenario = cc.load_scenario(name)
    sources = scenario.content["from"]
    assert scenario.title
    assert scenario.about
    from cytokine_cc.simulation.origins import leaves, paths

    silent = {(table, key) for table, key, own, _ in leaves(scenario.content) if not set(paths(table, key, own)) & set(sources)}
    assert not silent


@pytest.mark.parametrize("name", scenario_names())
def test_bundled_scenarios_draw_analyse_and_repeat(name):
    scenario = cc.load_scenario(name)
    study = scenario.draw(1)
    assert (study.n_case, study.n_control) == (scenario.n_case, scenario.n_control)
    assert tuple(study.analytes) == scenario.analytes
    analysis = cc.analyze(study, scenario.plan)
    assert analysis.results


def test_unknown_scenario():
    with pytest.raises(cc.OptionError, match="no scenario named 'henry2001' comes with the library; .* Did you mean 'henry2010'"):
        cc.load_scenario("henry2001")


def test_true_effects_as_ratios():
    effects = everything().effects
    assert effects.loc["IL-6", "case / control"] == pytest.approx(0.6)
    assert effects.loc["MCP-1", "case / control"] == 1
    assert effects.loc["VEGF", "month6 / before in control"] == pytest.approx(0.8)
    assert effects.loc["IL-6", "month6, change: case / control"] == pytest.approx(1.5)


def test_a_varied_scenario_says_so():
    varied = cc.load_scenario("null").vary({"study.cases": 40})
    assert varied.name == "null, varied"
    assert varied.title.endswith("(varied)")
    assert varied.about.startswith("null, varied in study.cases; what follows describes the original.")
    named = cc.load_scenario("null").vary({"study.cases": 40, "title": "Mine", "about": ""}, name="mine")
    assert (named.name, named.title, named.about) == ("mine", "Mine", "")


def test_sources_of_what_is_taken_out_go_with_it():
    limits = {f"analytes.{name}": {"mean": 1.0} for name in cc.load_scenario("heavy_censoring").analytes}
    varied = cc.load_scenario("heavy_censoring").vary(limits)
    assert "analytes.below" not in varied.content["from"]
    assert "analytes.mean" in varied.content["from"]


def test_what_is_varied_is_assumed():
    henry = cc.load_scenario("henry2010")
    for changes in (
        {"analytes.IL-6.icc": 0.1},
        {"analytes.icc.IL-6": 0.1},
        {"analytes.IL-6": {**henry.content["analytes"]["IL-6"], "icc": 0.1}},
    ):
        table = henry.vary(changes).parameters().set_index(["table", "key", "name"])
        assert table.loc[("analytes", "icc", "IL-6")].tolist() == [0.1, "assumed", "varied"]
        assert table.loc[("analytes", "icc", "TNF-a"), "origin"] == "sourced"
        assert table.loc[("analytes", "mean", "IL-6"), "origin"] == "sourced"
    assert henry.vary({"plan.alpha": 0.05}).content["from"]["plan"] == "assumed: varied"
    assert henry.vary({}).content["from"] == henry.content["from"]


def test_a_varied_scenario_shows_no_study_that_was_picked():
    henry = cc.load_scenario("henry2010")
    assert {"seed", "replicate"} <= set(henry.published)
    assert not {"seed", "replicate"} & set(henry.vary({"study.cases": 31}).published)
    assert henry.vary({"published.replicate": 5}).published["replicate"] == 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ("study.cases", "changes must be a mapping"),
        ({3: None}, "changes must be a mapping"),
        ({"analytes.M1.mean": 50}, "'analytes.M1.mean' names no analyte; .* To add one, give its whole row"),
        ({"plates.n": None}, "'plates.n' cannot be taken out: it is not there."),
        ({"study.room": None}, "'study.room' cannot be taken out: it is not there."),
        ({"title.x": 1}, "'title.x' leads through 'title', which is no table."),
    ],
)
def test_changes_that_lead_nowhere(changes, message):
    with pytest.raises(cc.OptionError, match=message):
        cc.load_scenario("null").vary(changes)


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ({"exactly": 60}, r"\[\[pattern\]\] 1: pattern 'x': `exactly` is 60, but there are 36 analytes: no study can show that."),
        ({"exactly": 1, "analytes": ["M99"]}, r"\[\[pattern\]\] 1: pattern 'x': no analyte 'M99'"),
        ({"exactly": 1, "question": "change_between", "visits": ["month7"]}, "no later visit 'month7'; .* Did you mean 'month6'"),
    ],
)
def test_patterns_that_no_study_can_show(pattern, message):
    row = {"says": "x", "question": "baseline", "p_below": 0.05, **pattern}
    with pytest.raises(cc.OptionError, match=message):
        cc.load_scenario("null").vary({"pattern": [row]})


def test_numbers_of_numpy_are_as_good():
    varied = cc.load_scenario("null").vary(
        {"study.cases": np.int64(60), "subject.icc": np.float64(0.5), "study.visits": np.array(["a", "b"])}
    )
    assert (varied.n_case, varied.visits) == (60, ("a", "b"))
    assert cc.load_scenario("null").content["study"]["cases"] == 30


@pytest.mark.parametrize(
    "changes", [{"analytes.M01": 5}, {"from": 5}, {"cohort": {"size": 9, "covariates": {"Age": 3}}}, {"subject": 4}]
)
def test_a_value_in_place_of_a_table_is_a_fault_of_the_file(changes):
    with pytest.raises(cc.OptionError, match="must be a table|cohort"):
        cc.load_scenario("plate_confounded").vary(changes)


def test_faults_of_plan_and_patterns_are_listed_with_the_others():
    with pytest.raises(cc.OptionError) as caught:
        everything(**{
            "subject.icc": 2.0,
            "plan": {"baseline": {"test": "t"}},
            "pattern": [{"says": "x", "question": "baseline", "p_below": 5, "exactly": 1}],
            "published.room": 3,
        })  # fmt: skip
    text = str(caught.value)
    for part in ("4 faults", "[subject] icc = 2.0", "[plan.baseline]", "[[pattern]] 1", "[published] has unknown key 'room'"):
        assert part in text
