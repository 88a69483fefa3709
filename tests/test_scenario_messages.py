"""An impossible scenario gets one message that names the key, the value and what is allowed."""

from __future__ import annotations

import pytest

import cytokine_cc as cc
from cytokine_cc.simulation.scenario import Scenario
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
            "theirs; allowed: above 0.",
        ),
        (
            {"analytes__IL-17": {"mean": 1, "icc": 1.4}},
            "mine.toml: [analytes] 'IL-17' icc = 1.4 is not allowed: share of that variance that a person keeps between visits "
            "[subject]; allowed: at least 0 and at most 1.",
        ),
        (
            {"plates__log_sd": -1},
            "mine.toml: [plates] log_sd = -1 is not allowed: natural-log SD of plate shifts; allowed: at least 0.",
        ),
        (
            {"group__ratio": {"IL-66": 0.5}},
            "mine.toml: [group] ratio has unknown analyte 'IL-66'; allowed: 'IL-6', 'TNF-a', 'MCP-1', 'IL-17', 'VEGF'. "
            "Did you mean 'IL-6'?",
        ),
        (
            {"group__ratio": {"IL-6": 0}},
            "mine.toml: [group] ratio 'IL-6' = 0 is not allowed: ratio of geometric means, case / control; allowed: above 0.",
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
            "mine.toml: [study] cases = 'twelve' is not allowed: number of cases; allowed: whole numbers, at least 2.",
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
            {"tail__factor": None},
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


def test_more_cases_than_the_cohort_yields():
    text = message(study__cases=80, study__controls=80)
    assert text.startswith("mine.toml: 2 faults\n  - [study] cases = 80 is not allowed: a cohort of 120 yields ")
    assert "% cases, surely no more than " in text
    assert "Enlarge [cohort] size, or change [cases]." in text


def test_all_faults_stand_in_one_message():
    text = message(subject__icc=2, plates__n=0, well__cv=-1)
    assert text.startswith("mine.toml: 3 faults\n")
    for part in ("[subject] icc = 2", "[plates] n = 0", "[well] cv = -1"):
        assert part in text


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
