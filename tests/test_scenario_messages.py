"""An impossible scenario gets one message that names the key, the value and what is allowed."""

from __future__ import annotations

import re

import numpy as np
import pytest
from scipy.special import bdtr

import cytokine_cc as cc
from cytokine_cc.simulation.cohort import draw_people
from cytokine_cc.simulation.reading import read_contents
from cytokine_cc.simulation.scenario import Scenario
from cytokine_cc.simulation.streams import Streams
from cytokine_cc.toml_files import parse_toml

from .scenario_texts import EVERYTHING


def content(**changes) -> dict:
    out = parse_toml(EVERYTHING, "mine.toml")
    for path, value in changes.items():
        *tables, key = path.split("__")
        own = out
        for table in tables:
            own = own[table]
        if value is None:
            del own[key]
        else:
            own[key] = value
    out.pop("from")
    return out


def message(**changes) -> str:
    with pytest.raises(cc.OptionError) as caught:
        Scenario("mine", content(**changes), "mine.toml")
    return str(caught.value)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"subject__log_sd": -0.8},
            "mine.toml: [subject] log_sd = -0.8 is not allowed: natural-log SD between persons, of analytes that do not say "
            "theirs; allowed: a number above 0.",
        ),
        (
            {"analytes__IL-17": {"mean": 1, "icc": 1.4}},
            "mine.toml: [analytes] 'IL-17' icc = 1.4 is not allowed: share of that variance that a person keeps between visits; "
            "not needed with one visit [subject]; allowed: a number of at least 0 and at most 1.",
        ),
        (
            {"plates__log_sd": -1},
            "mine.toml: [plates] log_sd = -1 is not allowed: natural-log SD of plate shifts; allowed: a number of at least 0.",
        ),
        (
            {"group__ratio": {"IL-66": 0.5}},
            "mine.toml: [group] ratio has unknown analyte 'IL-66'; allowed: 'IL-6', 'TNF-a', 'MCP-1', 'IL-17', 'VEGF'. "
            "Did you mean 'IL-6'?",
        ),
        (
            {"group__ratio": {"IL-6": 0}},
            "mine.toml: [group] ratio 'IL-6' = 0 is not allowed: ratio of geometric means, case / control, at equal covariates; "
            "allowed: a number above 0.",
        ),
        (
            {"factors": {"pairs": {"IL-6, TNF-a": 0.9, "IL-6, VEGF": 0.9, "TNF-a, VEGF": -0.5}}},
            "mine.toml: [factors] pairs: the correlation is not positive definite; its lowest eigenvalue is -0.547; allowed: "
            "above 0. Lower the correlations, or use loadings, which always fit together.",
        ),
        (
            {"factors": {"loadings": {"IL-6": [0.8, 0.7]}}},
            "mine.toml: [factors] loadings 'IL-6': the correlation is not positive definite; the squares of the loadings add to "
            "1.13; allowed: below 1.",
        ),
        (
            {"study__visits": ["a", "b", "a"]},
            "mine.toml: [study] visits = ['a', 'b', 'a'] is not allowed: labels of the visits, baseline first; allowed: a list "
            "of texts, each once.",
        ),
        (
            {"study__cases": "twelve"},
            "mine.toml: [study] cases = 'twelve' is not allowed: number of cases; allowed: a whole number of at least 2, without "
            "quotes.",
        ),
        (
            {"study__controls": 25},
            "mine.toml: [study] controls = 25 is not allowed with matched sets: a multiple of cases = 12.",
        ),
        (
            {"cohort__covariates__Chemo": {"levels": ["yes", "no"], "shares": [0.4, 0.7]}},
            "mine.toml: [cohort.covariates] 'Chemo' shares = [0.4, 0.7] is not allowed: one for each of the 2 levels, which add "
            "to 1.",
        ),
        (
            {"cases__rise": {"HQ": 0.4}},
            "mine.toml: [cases] rise has unknown score 'HQ'; allowed: 'HAQ', 'VAS'. Did you mean 'HAQ'?",
        ),
        (
            {"limits__plate_factors": [1.0, 3.0]},
            "mine.toml: [limits] plate_factors = [1.0, 3.0] is not allowed: one number for each of the 3 plates.",
        ),
        (
            {"missing__driver": "CRP"},
            "mine.toml: [missing] driver has unknown analyte 'CRP'; allowed: 'IL-6', 'TNF-a', 'MCP-1', 'IL-17', 'VEGF'.",
        ),
        (
            {"tail": {"share": 0.02}, "group__odds_ratio": None},
            "mine.toml: [tail] needs the key 'factor': what contamination multiplies them by.",
        ),
        (
            {"matching": None},
            'mine.toml: [set_effect] needs matched sets: [matching] kind = "sets".',
        ),
        (
            {"well": {"CV": 0.1, "cv": 0.1}},
            "mine.toml: [well] has unknown key 'CV'; allowed: 'cv'. Did you mean 'cv'?",
        ),
        (
            {"analytes__IL-6": {"mean": 3, "below": 0.3, "lower_limit": 1.0}},
            "mine.toml: [analytes] 'IL-6' gives lower_limit and below; leave one out.",
        ),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_one_message_names_key_value_and_range(changes, expected):
    assert message(**changes) == expected


WELL = "mine.toml: [well] cv = {} is not allowed: coefficient of variation of a well; allowed: a{} number of at least 0{}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("0.88", WELL.format("'0.88'", "", ", without quotes. Write 0.88.")),
        ("0,88", WELL.format("'0,88'", "", ", without quotes. Write 0.88.")),
        ("20%", WELL.format("'20%'", "", ", without quotes. Write 0.2 for 20%.")),
        ("low", WELL.format("'low'", "", ", without quotes.")),
        (True, WELL.format("true", "", ".")),
        (float("nan"), WELL.format("nan", " finite", ".")),
        (float("inf"), WELL.format("inf", " finite", ".")),
        ([0.1, False], WELL.format("[0.1, false]", "", ".")),
    ],
)
def test_a_number_is_wanted(value, expected):
    assert message(well__cv=value) == expected


def test_values_are_shown_as_the_file_holds_them():
    assert "[study] visits = [true, 'b'] is not allowed" in message(study__visits=[True, "b"])
    assert "[plates] must be a table of keys and values; got true." in message(plates=True)
    assert message(plates=True).count("\n") == 0
    assert "[factors] blocks = { r = 0.5, analytes = ['IL-6'] } is not" in message(
        factors={"blocks": {"r": 0.5, "analytes": ["IL-6"]}}
    )
    assert message(study__cases=12.0).endswith("allowed: a whole number of at least 2. Write 12.")


def test_more_cases_than_the_cohort_yields():
    cases, controls = message(study__cases=80, study__controls=80, set_effect=None, matching=None).splitlines()[1:]
    start = r"  - \[study\] cases = 80 is not allowed: a cohort of 120 has 7\d cases on average; all but one cohort in a "
    most = re.match(
        start + r"million have at least (\d+); allowed: 2 to \1\. Enlarge \[cohort\] size, or change \[cases\]\.", cases
    )
    assert "[study] controls = 80 is not allowed: a cohort of 120 has " in controls
    possible = Scenario("mine", content(study__cases=int(most[1]), matching=None, set_effect=None, study__controls=2))
    assert 1e-8 < bdtr(int(most[1]) - 1.0, 120, calibrated_share(possible)) < 1e-6
    text = message(cases={"rise": {"HAQ": 2.9}}, cohort__scores__HAQ__rise=-3)
    assert "[study] cases = 12 is not allowed: a cohort of 120 has 0 cases on average; no number of cases can be had." in text


def calibrated_share(scenario) -> float:
    """Share of cases, from other draws than the reader's."""
    cohort = scenario._contents.cohort
    return float(draw_people(Streams(9, range(2000)), cohort, 3)[2].mean())


def test_shares_that_are_given_are_exact():
    def most(share):
        text = message(cases={"share": share}, matching=None, set_effect=None, study__cases=120)
        return int(re.search(r"at least (\d+); allowed", text)[1])

    assert bdtr(most(0.5) - 1.0, 120, 0.5) <= 1e-6 < bdtr(most(0.5), 120, 0.5)


def test_all_faults_stand_in_one_message():
    text = message(subject__icc=2, plates__n=0, well__cv=-1)
    assert text.startswith("mine.toml: 3 faults\n")
    for part in ("[subject] icc = 2", "[plates] n = 0", "[well] cv = -1"):
        assert part in text


def test_faults_of_all_tables_stand_in_one_message():
    pairs = {"IL-6, TNF-a": 1.5, "IL-6, VEFG": 0.2, "IL-6": 0.1, "VEGF, MCP-1": 0.2, "MCP-1, VEGF": 0.3}
    found = message(factors={"pairs": pairs}, change__reached={"month2": 1}, missing__driver="CRP", limits__below="5%")
    for part in (
        "mine.toml: 7 faults\n",
        "[factors] pairs 'IL-6, TNF-a' = 1.5 is not allowed",
        "[factors] pairs 'IL-6, VEFG' has unknown analyte 'VEFG'; ",
        "[factors] pairs 'IL-6' must name two analytes",
        "[factors] pairs 'MCP-1, VEGF' stands there twice",
        "[change] reached has unknown later visit 'month2'",
        "[missing] driver has unknown analyte 'CRP'",
        "[limits] below = '5%'",
    ):
        assert part in found


@pytest.mark.parametrize(
    ("changes", "n"),
    [
        ({"cases__rise": {"HAQ": "0.5"}}, 1),
        ({"analytes__VEGF": {"mean": 1, "log_sd": -1}}, 1),
        ({"cohort__covariates__Chemo": {"levels": ["yes", "yes"], "shares": [0.5, 0.5]}}, 1),
        ({"cases": None}, 1),
        ({"cohort": 5}, 1),
        ({"cohort__scores": 5}, 1),
        ({"cohort__covariates": "Age"}, 1),
        ({"study__visits": []}, 1),
        ({"study__visits": "before"}, 1),
        ({"matching__on": 5}, 1),
    ],
)
def test_no_fault_follows_from_another(changes, n):
    text = message(**changes)
    assert (1 if "\n" not in text else text.count("\n")) == n, text


def file_message(**tables) -> str:
    with pytest.raises(cc.OptionError) as caught:
        Scenario("mine", tables, "mine.toml")
    return str(caught.value)


def test_files_that_are_no_scenario():
    assert file_message() == "mine.toml: the file is empty; needed: [study] and [analytes]."
    study = file_message(data={"file": "panel.csv"}, design={})
    assert study == "mine.toml: this is a study file; `cytokine-cc analyze mine.toml` or load_study() reads it."
    first = "mine.toml: there is no [study]; needed: cases and controls, their numbers."
    lines = {"IL-6": {"mean": 1, "log_sd": 1}}
    assert file_message(analytes=lines, **{"from": {"study.cases": "assumed"}}) == first
    assert file_message(title="x") == (
        "mine.toml: 2 faults\n  - there is no [study]; needed: cases and controls, their numbers.\n  - [analytes] must have a "
        'line for each analyte, such as "IL-6" = { mean = 3.1 }; there is none.'
    )
    assert file_message(study={"cases": 3, "controls": 3}, analytes=True).endswith("{ mean = 3.1 }; got true.")


def test_one_visit_needs_no_icc():
    scenario = {"study": {"cases": 9, "controls": 9}, "analytes": {"IL-6": {"mean": 1, "log_sd": 1}, "IL-8": {"mean": 1}}}
    assert file_message(**scenario) == "mine.toml: [analytes] 'IL-8' needs log_sd, or give it for all in [subject]."
    scenario["subject"] = {"log_sd": 0.5}
    one = Scenario("mine", scenario)
    assert one.draw_arrays(1, range(200)).value.std(axis=(0, 1, 3)).shape == (2,)
    level = np.log(one.draw_arrays(1, range(400)).value)
    np.testing.assert_allclose(level.std(axis=(0, 1, 3)), [1, 0.5], rtol=0.05)
    scenario["study"]["visits"] = ["before", "after"]
    assert file_message(**scenario) == "mine.toml: [analytes] 'IL-6', 'IL-8' need icc, or give it for all in [subject]."


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        (
            {"limits__above": 0.2},
            "mine.toml: [analytes] 'IL-17' below = 0.9 and above = 0.2 leave nothing between the limits; allowed: a sum below 1.",
        ),
        (
            {"analytes__TNF-a__upper_limit": 2},
            "mine.toml: [analytes] 'TNF-a' lower_limit = 2.5 is not allowed with upper_limit = 2; allowed: below 2.",
        ),
        (
            {"cases": {"share": 0.5, "risk": {"BMI": 1}}},
            "mine.toml: [cases] risk shifts the rises of scores, on which nothing depends here; leave it out, or make cases by "
            "rise.",
        ),
        (
            {"cases": {"at_least": {"VAS": 20}, "risk": {"BMI": 1}}},
            "mine.toml: [cases] risk shifts the rises of scores, on which nothing depends here; leave it out, or make cases by "
            "rise.",
        ),
        (
            {"tail": {"share": 0.02, "factor": 5}},
            "mine.toml: [group] odds_ratio is not allowed with [tail]: of contaminated values, no one odds ratio holds at all "
            "levels. Give ratio or sd_units, or leave [tail] out.",
        ),
        (
            {"matching__bands": {"Age": 5}},
            "mine.toml: [matching] bands has no effect with kind = 'sets'; leave it out.",
        ),
    ],
)
def test_what_contradicts_itself_or_has_no_effect(changes, expected):
    assert message(**changes) == expected


def test_other_readers_of_the_file_add_their_faults():
    def plan(found):
        raise cc.OptionError(f"mine.toml: [plan] is wrong at {found.analytes[0]}")

    with pytest.raises(cc.OptionError) as caught:
        read_contents(content(well__cv=-1), "mine.toml", {"plan": plan, "other": lambda found: found.columns["mean"].shape})
    assert str(caught.value).startswith("mine.toml: 2 faults\n  - [well] cv = -1 is")
    assert str(caught.value).endswith("\n  - [plan] is wrong at IL-6")
    assert read_contents(content(), "mine.toml", {"n": lambda found: len(found.analytes)}).more == {"n": 5}


def test_lines_of_sources_that_name_nothing_are_folded():
    bad = content()
    bad["from"] = {f"plates.number{i}": "assumed" for i in range(17)} | {"analytes.men": "assumed: no"}
    with pytest.raises(cc.OptionError) as caught:
        Scenario("mine", bad, "mine.toml")
    lines = str(caught.value).splitlines()
    assert lines[0] == "mine.toml: 6 faults"
    assert lines[1].endswith("such as 'study.cases'. Did you mean 'plates.n'?")
    assert lines[6].startswith("  - [from] and 13 more lines that name nothing: 'plates.number5', ")
    bad["from"] = {"analytes.men": "assumed: no", "group.ratio.IL6": "assumed"}
    with pytest.raises(cc.OptionError, match=r"(?s)mean 'analytes.mean'\?.*mean 'group.ratio.IL-6'\?"):
        Scenario("mine", bad, "mine.toml")


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("study.case", "sourced", "[from] 'study.case' names nothing that the file says"),
        ("study.cases", "from the paper", "[from] 'study.cases' = 'from the paper' is not allowed: a text that starts with"),
    ],
)
def test_sources_name_what_is_there(path, text, expected):
    bad = content(study__case=None)
    bad["from"] = {path: text}
    with pytest.raises(cc.OptionError) as caught:
        Scenario("mine", bad, "mine.toml")
    assert expected in str(caught.value)


def test_no_analytes_and_unknown_tables():
    bad = content()
    bad["plate"] = {}
    with pytest.raises(cc.OptionError, match=r"the file has unknown table or key 'plate'; .* Did you mean 'plates'\?"):
        Scenario("mine", bad, "mine.toml")
    bad = content()
    bad["analytes"] = {}
    with pytest.raises(cc.OptionError, match=r"\[analytes\] must have a line for each analyte"):
        Scenario("mine", bad, "mine.toml")


@pytest.mark.parametrize("seed", [-1, 1.5, "a", None, True])
def test_seeds_are_whole_numbers(seed):
    with pytest.raises(cc.OptionError, match="`seed` must be a whole number"):
        cc.load_scenario("null").draw(seed)


def test_what_varies_must_be_possible():
    with pytest.raises(cc.OptionError, match=r"\[subject\] icc = 7"):
        cc.load_scenario("null").vary({"subject.icc": 7})
