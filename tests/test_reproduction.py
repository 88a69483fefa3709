"""The page of a reproduction: published beside simulated, how its draw was chosen, how often, and what is assumed."""

from __future__ import annotations

import re

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.engine import run
from cytokine_cc.report.rates import rates_text, share_text
from cytokine_cc.report.reproduction import reproduce, reproduction_text
from cytokine_cc.simulation import choice
from cytokine_cc.simulation.choice import choice_text, published_draw
from cytokine_cc.simulation.scenario import Scenario, scenario_names
from cytokine_cc.simulation.writing import study_files
from cytokine_cc.words import counted, p_text

NAMES = scenario_names()
PICKED = [name for name in NAMES if "replicate" in cc.load_scenario(name).published]


def changed(name, **tables):
    """A scenario as a reader's edit of its file would make it."""
    content = {**cc.load_scenario(name).content, **tables}
    gone = [key for key, value in tables.items() if value is None]
    content["from"] = {said: text for said, text in content["from"].items() if said.split(".")[0] not in gone}
    return Scenario(name, {key: value for key, value in content.items() if key not in gone})


def published(name, **changes):
    values = {**cc.load_scenario(name).published, **changes}
    return {key: value for key, value in values.items() if value is not None}


def page(scenario, n_sim=16):
    return reproduction_text(reproduce(scenario, n_sim=n_sim))


def flat(text):
    return " ".join(text.split())


def shows_all(scenario, replicates) -> np.ndarray:
    arrays = scenario.draw_arrays(scenario.published["seed"], replicates)
    found = dict(zip([q.kind for q in scenario.plan.questions], run(scenario.plan.questions, arrays), strict=True))
    shown = [pattern.shown_by(found[pattern.question], scenario.analytes, arrays.later) for pattern in scenario.patterns]
    return np.all(shown, axis=0)


# --- how the draw was chosen


@pytest.mark.parametrize("name", PICKED)
def test_a_picked_study_is_the_first_that_shows_the_pattern(name):
    scenario = cc.load_scenario(name)
    k = scenario.published["replicate"]
    shown = shows_all(scenario, range(k + 1))
    assert shown[k]
    assert not shown[:k].any()
    text = choice_text(scenario, *published_draw(scenario))
    if k:
        assert text.startswith("The draw was picked: it is the first of its seed, after ")
        assert text.endswith(f"{k} other{'' if k == 1 else 's'}, that shows what was published: 1 out of {k + 1}.")
    else:
        assert text.startswith("The draw is the first of its seed, and shows what was published. None was passed over.")


def test_every_draw_is_told_by_what_it_shows(monkeypatch):
    scenario = cc.load_scenario("henry2010")
    shown = shows_all(scenario, range(20))
    first = int(np.flatnonzero(shown)[0])
    assert shown[first + 1 :].any()
    for block in (1, 10**9):  # draws are looked at in blocks, which change nothing
        monkeypatch.setattr(choice, "BLOCK_VALUES", block)
        for k in range(20):
            text = choice_text(scenario, 2010, k)
            assert ("picked" in text) == (k == first)
            assert ("does not show all that was published" in text) == (not shown[k])
            assert (f"but so does draw {first} of its seed, before it" in text) == (shown[k] and k != first)
            assert ("first of its seed; " in text and "None was passed over" in text) == (k == 0)


def test_the_page_and_the_files_of_the_study_say_the_same():
    for replicate in (0, 2, 3):
        scenario = changed("henry2010", published={"seed": 2010, "replicate": replicate})
        own = choice_text(scenario, 2010, replicate)
        files = study_files(scenario.draw(2010, replicate), scenario, 2010, replicate)
        assert own in flat(page(scenario))
        assert own in flat(files["study.toml"].replace("\n# ", " "))


def test_an_edit_that_takes_the_effects_away_takes_the_claim_away():
    text = flat(page(changed("henry2010", group=None)))
    assert "The scenario names this draw as the study to show; it does not show all that was published." in text
    assert "picked" not in text


def test_a_scenario_that_names_no_study_and_no_pattern():
    text = page(cc.load_scenario("null"))
    assert "The draw is the first of its seed. None was passed over." in text
    assert "names no published pattern" in text
    named = changed("null", published={"seed": 4, "replicate": 3})
    assert "The scenario names this draw as the study to show.\n" in page(named)


# --- published beside reproduced


def test_henry2010():
    scenario = changed("henry2010", published=published("henry2010", cases=31, controls=22))
    found = reproduce(scenario, n_sim=128)
    text = reproduction_text(found)
    assert (found.study.n_case, found.study.n_control, len(found.study.analytes)) == (30, 22, 36)
    assert re.search(r"^ +published +reproduced\n +cases \(AIMSS\) +31 +30\n", text, flags=re.MULTILINE)
    assert re.search(r"controls \(no AIMSS\) +22 +22\n", text)
    assert "Published:  6 of 36 factors lower in cases before treatment, all P<0.003\n" in text
    assert "Reproduced: 6 of 36 lower at p < 0.003: " in text
    assert text.count("The study shows it.") == len(scenario.patterns)
    assert "No patient stands behind its numbers." in " ".join(text.split())
    assert "doi:10.1038/sj.bjc.6605768" in text
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


def test_what_is_published_is_what_the_file_says_was_published():
    nothing = page(changed("henry2010", published=None))
    assert "published " not in nothing.split("Published:")[0].splitlines()[-1]
    assert re.search(r"^  cases \(AIMSS\) +30\n  controls \(no AIMSS\) +22\n", nothing, flags=re.MULTILINE)
    assert not re.search(r"^ +published", nothing, flags=re.MULTILINE)
    half = page(changed("henry2010", published=published("henry2010", cases=30, controls=None)))
    assert re.search(r"controls \(no AIMSS\) +not known +22\n", half)
    study = {**cc.load_scenario("henry2010").content["study"], "cases": 28}
    edited = page(changed("henry2010", study=study, published=published("henry2010", cases=30, controls=22)))
    assert re.search(r"cases \(AIMSS\) +30 +28\n", edited)


def test_what_the_plan_does_not_ask_is_said_so():
    scenario = changed("henry2010", plan={"alpha": 0.003, "adjust": "none", "baseline": {"test": "student"}})
    text = page(scenario)
    assert "between cases and\n    controls\n  The plan does not ask it.\n" in text
    assert "  not asked by the plan  no significant change" in text
    assert "  not asked by the plan  all of it" in text
    assert "the plan does not ask all that was published." in flat(text)
    assert "nan" not in text


@pytest.mark.parametrize("where", [{"visits": ["month6"]}, {"visits": ["month1"]}, {}])
def test_p_values_are_those_of_the_visits_that_count(where):
    pattern = {"says": "some change", "question": "change_between", "at_least": 1, "p_below": 0.2, "direction": "lower", **where}
    scenario = changed("henry2010", pattern=[pattern], published={"seed": 5})
    text = flat(page(scenario))
    table = cc.analyze(scenario.draw(5), scenario.plan).change_between.table
    counted_rows = table[table["visit"].isin(where.get("visits", scenario.visits[1:]))]
    hits = counted_rows[(counted_rows["p_value"] < 0.2) & (counted_rows["estimate"] < 1)]
    lowest = hits.groupby("analyte")["p_value"].min()
    assert len(lowest) > 1
    assert f"Reproduced: {len(lowest)} of 36 lower at p < 0.2: {lowest.idxmin()} (" in text
    for name, p in lowest.nsmallest(5).items():
        assert f"{name} ({p_text(p)})" in text


def test_p_values_are_those_of_the_group_and_the_direction_that_count():
    plan = {"alpha": 0.05, "adjust": "none", "change_within": {"test": "paired_t"}}
    rows = [
        {"says": f"{group} {side}", "question": "change_within", "at_least": 0, "p_below": 0.3, "direction": side, "group": group}
        for group in ("case", "control") for side in ("lower", "higher")
    ]  # fmt: skip
    scenario = changed("henry2010", plan=plan, pattern=rows, published={"seed": 6})
    text = page(scenario)
    table = cc.analyze(scenario.draw(6), scenario.plan).change_within.table
    for row in rows:
        own = table[table["contrast"].str.endswith(f" in {row['group']}") & (table["p_value"] < 0.3)]
        own = own[own["estimate"] < 1 if row["direction"] == "lower" else own["estimate"] > 1]
        lowest = own.groupby("analyte")["p_value"].min()
        assert len(lowest)
        part = flat(text.split(f"Published:  {row['says']}\n")[1].split("The study")[0])
        assert part.startswith(f"Reproduced: {len(lowest)} of 36 {row['direction']} at p < 0.3: {lowest.idxmin()} (")
        for name in lowest.nsmallest(3).index:
            p = lowest[name]
            assert f"{name} ({p_text(p)})" in part


def test_what_is_not_shown_is_said_so():
    text = page(cc.load_scenario("henry2010").vary({"group": None}))
    assert "The study does not show it." in text
    assert re.search(r"0 of 36 lower at p < 0.003\n", text)


@pytest.mark.parametrize("name", NAMES)
def test_pages_are_not_too_wide(name):
    assert max(map(len, page(cc.load_scenario(name)).splitlines())) <= 100


# --- shares


@pytest.mark.parametrize(
    ("share", "text"),
    [
        ((0.162, 0.0082, 2000, 1), " 16.2% (+-0.8%)"),
        ((0.0502, 0.0022, 10_000, 2), "  5.02% (+-0.22%)"),
        ((0.0005, 0.0005, 2000, 1), " 0.05% (+-0.05%)"),
        ((0.0, 0.0, 2000, 1), "  0.0% (at most 0.15%)"),
        ((1.0, 0.0, 2000, 1), "100.0% (at least 99.85%)"),
        ((0.0, 0.0, 10, 2), "  0.00% (at most 26%)"),
        ((1.0, 0.0, 100_000, 2), "100.00% (at least 99.997%)"),
        ((0.0, np.nan, 1, 1), "  0.0% (-)"),
        ((1.0, np.nan, 1, 2), "100.00% (-)"),
        ((np.nan, np.nan, 2000, 1), "not asked by the plan"),
    ],
)
def test_a_share_has_its_error_or_a_bound(share, text):
    assert share_text(*share).strip() == text.strip()


def test_the_bound_is_the_exact_one():
    for n in (5, 60, 2000):
        bound = float(re.search(r"at most ([\d.]+)%", share_text(0.0, 0.0, n, 1))[1]) / 100
        assert (1 - bound) ** n == pytest.approx(0.05, rel=0.1)  # so unlikely is no hit at all at that share


def test_bounds_are_explained_where_they_stand():
    text = page(changed("henry2010", group=None))
    assert "beside 0% and 100%, a bound with 95% confidence" in flat(text)
    assert "(at most 17%)  6 of 36 factors lower" in text
    assert "bound" not in page(cc.load_scenario("henry2010"), n_sim=256)


def test_one_draw():
    text = page(cc.load_scenario("henry2010"), n_sim=1)
    assert "in 1 draw (" in text
    assert "% (-)  all of it" in text
    assert "bound" not in text
    assert "nan" not in text


def test_one_is_no_plural():
    assert counted(1, "draw") == "1 draw"
    assert counted(2_000, "simulated study", "simulated studies") == "2,000 simulated studies"
    scenario = cc.load_scenario("null")
    text = rates_text(cc.certify(scenario.plan, scenario, n_sim=1, seed=1), scenario.plan, scenario)
    assert "; 1 simulated study, seed 1\n" in text
    assert "nan" not in text


def test_columns_of_the_rates_are_explained():
    scenario = cc.load_scenario("heavy_censoring")
    plan = cc.Plan(cc.Baseline(test="welch", scale="ln", conf_level=0.9, adjust="none"), None, None)
    rates = cc.certify(plan, scenario, n_sim=64, seed=1)
    text = rates_text(rates, plan, scenario)
    assert "bias and width: on the ln scale; coverage: of the 90% interval; " in flat(text)
    first = rates.select(measure="power").table["analyte"].iloc[0]
    rows = rates.select(analyte=first).table.set_index("measure")["estimate"]
    cells = next(line for line in text.splitlines() if line.split()[:1] == [first]).split()
    assert cells[1:4] == [f"{rows['power']:.1%}", f"{rows['bias']:.3g}", f"{rows['coverage']:.1%}"]
    short = rates_text(cc.certify(plan, scenario, n_sim=64, seed=1, intervals=False), plan, scenario)
    assert "coverage" not in short
    assert "bias: on the ln scale; of significant" in flat(short)
