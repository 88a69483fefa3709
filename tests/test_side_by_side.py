"""change_side_by_side: four models of change, the gap at baseline and the catch-up that it predicts."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.side_by_side import ASSUMPTIONS, MODELS


def study(seed: int = 1, *, gap: float = 0.0, n: int = 14, visits: int = 2, holes: bool = True) -> cc.Study:
    rng = np.random.default_rng(seed)
    rows = []
    for role, number in (("case", n), ("control", n + 3)):
        for i in range(number):
            person = rng.normal(0, 0.8, 2) + gap * (role == "case") + rng.normal(0, 0.3)
            age = int(rng.integers(40, 70))
            for visit in range(visits):
                y = person + rng.normal(0, 0.5, 2) + 0.01 * age
                rows.append((f"{role}{i}", visit, role, age, *np.exp(y)))
    data = pd.DataFrame(rows, columns=["subject", "visit", "role", "age", "A", "B"])
    if holes:
        data.loc[(data["subject"] == "case3") & (data["visit"] == 1), "A"] = np.nan
        data = data[~((data["subject"] == "control2") & (data["visit"] == 1))]
        data = data[~((data["subject"] == "control5") & (data["visit"] == 0))]
    panel = cc.read_panel(data, layout="wide", analytes=["A", "B"])
    return cc.Study(panel, cc.Design("role", "case", "control", baseline=0))


def ask(given: cc.Study, **options) -> cc.SideBySide:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cc.AnalysisWarning)
        return cc.change_side_by_side(given, **options)


@pytest.mark.parametrize("options", [{}, {"scale": "raw"}, {"conf_level": 0.9, "alternative": "less"}, {"adjust": "holm"}])
def test_each_model_says_what_change_between_says(options):
    given = study()
    found = ask(given, **options)
    for model in MODELS:
        alone = cc.change_between(given, test=model, **options).table
        pd.testing.assert_frame_equal(found.results[model].table, alone)
        names = {"estimate": "", "conf_low": "_low", "conf_high": "_high", "p_value": "_p", "p_adjusted": "_p_adjusted"}
        for column, end in names.items():
            np.testing.assert_array_equal(found.table[f"{model}{end}"], alone[column])


@pytest.mark.parametrize("covariates", [(), ("age",)])
@pytest.mark.parametrize("scale", ["log2", "ln", "raw"])
def test_catch_up_lies_between_change_and_ancova(scale, covariates):
    """An identity of subjects with both values, where the change is compared by least squares."""
    given = study(gap=-0.7)
    found = ask(given, scale=scale, covariates=covariates)
    change = cc.change_between(given, test="linear_model", scale=scale, covariates=covariates).table["estimate"].to_numpy()
    ancova = found.table["ancova"].to_numpy()
    between = change - ancova if scale == "raw" else change / ancova
    np.testing.assert_allclose(found.table["catch_up"], between, rtol=1e-9)
    gap = found.table["baseline"] if scale == "raw" else np.log(found.table["baseline"])
    catch_up = found.table["catch_up"] if scale == "raw" else np.log(found.table["catch_up"])
    np.testing.assert_allclose(catch_up, -(1 - found.table["slope"]) * gap, rtol=1e-9)


def test_the_slope_is_that_of_a_regression_within_groups():
    given = study(holes=False)
    found = ask(given)
    values = np.log2(given.panel.values["A"].to_numpy()).reshape(-1, 2)
    roles = given.panel.samples["role"].to_numpy().reshape(-1, 2)[:, 0]
    design = np.column_stack([np.ones(len(values)), roles == "case", values[:, 0]]).astype(float)
    slope = np.linalg.lstsq(design, values[:, 1], rcond=None)[0][2]
    assert found.table["slope"].iloc[0] == pytest.approx(slope, rel=1e-10)


def test_baselines_are_of_those_with_both_values():
    given = study()
    found = ask(given)
    who = [s for s in given.subjects.index if s not in ("case3", "control2", "control5")]
    alone = cc.compare_baseline(given.select(analytes=["A"], subjects=who)).table.iloc[0]
    row = found.table.iloc[0]
    assert row["baseline"] == pytest.approx(alone["estimate"], rel=1e-12)
    assert row["baseline_p"] == pytest.approx(alone["p_value"], rel=1e-10)


def test_different_baselines_are_warned_of_and_noted():
    given = study(gap=-1.5)
    with pytest.warns(
        cc.AnalysisWarning, match=r"Baselines differ \(p <= 0.05, not adjusted\) in 2 of 2 analytes: A and B.*Lord's paradox"
    ):
        found = cc.change_side_by_side(given)
    assert found.table["note"].str.startswith("baselines differ (p = ").all()
    assert "how cases came to be cases" in found.describe()


def test_equal_baselines_are_not():
    given = study(3, n=30)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = cc.change_side_by_side(given)
    assert (found.table["baseline_p"] > 0.05).all()
    assert set(found.table["note"]) == {""}
    assert found.describe().startswith("Baselines differ (p <= 0.05, not adjusted) in 0 of 2 analytes.")


def test_models_of_all_visits_use_more_subjects():
    found = ask(study())
    n = {model: found.results[model].table.set_index("analyte").loc["A", ["n_case", "n_control"]].tolist() for model in MODELS}
    assert n == {"change_score": [13, 15], "ancova": [13, 15], "lda": [14, 17], "clda": [14, 17]}
    assert found.table[["n_both", "n_any"]].to_numpy().tolist() == [[28, 31], [29, 31]]


def test_two_complete_visits_make_lda_the_pooled_t_of_changes():
    given = study(holes=False)
    found = ask(given)
    pooled = cc.change_between(given, test="student").table
    np.testing.assert_allclose(found.table["lda_p"], pooled["p_value"], rtol=1e-11)
    np.testing.assert_allclose(found.table["clda"], found.table["ancova"], rtol=1e-11)
    assert (found.results["lda"].table["df"] == 29).all()


def test_visits_are_rows():
    found = ask(study(visits=3), visits=(2, 1))
    assert found.table["visit"].tolist() == ["2", "2", "1", "1"]
    assert found.table["analyte"].tolist() == ["A", "B", "A", "B"]
    np.testing.assert_array_equal(
        found.table["lda"], cc.change_between(study(visits=3), visits=(2, 1), test="lda").table["estimate"]
    )


def test_a_model_that_cannot_be_had_keeps_its_row():
    given = study()
    few = given.select(subjects=["case0", "case1", "control0", "control1"])
    found = ask(few)
    assert len(found.table) == 2
    for row in found.table.itertuples():
        for model in MODELS:
            assert np.isnan(getattr(row, f"{model}_p")) == (f"{model}: not tested" in row.note)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"test": "lda"}, "change_side_by_side.. has unknown key 'test'"),
        ({"seed": 1}, "unknown key 'seed'"),
        ({"scale": "log"}, "`scale` must be one of"),
        ({"visits": ("9",)}, "no later visit '9'"),
        ({"covariates": ("weight",)}, "no sample column 'weight'"),
    ],
)
def test_what_is_not_allowed_is_said(options, message):
    with pytest.raises(cc.OptionError, match=message):
        cc.change_side_by_side(study(), **options)


def test_matched_sets_must_be_ignored_on_purpose():
    data = study().panel
    sets = cc.Study(data.join(pd.DataFrame({"s": data.samples["subject"].unique()}).assign(set="1"), on="s"),
                    cc.Design("role", "case", "control", baseline=0, matched_set="set"))  # fmt: skip
    with pytest.raises(
        cc.OptionError, match=r"change_side_by_side.. compares two groups .* change_between.study, test='stratified'"
    ):
        ask(sets)
    assert len(ask(sets, ignore_matching=True).table) == 2


def test_it_takes_a_study():
    with pytest.raises(cc.OptionError, match="`study` must be a Study"):
        cc.change_side_by_side("quickstart")


def test_it_is_shown_with_its_assumptions():
    found = ask(study(gap=-1.5))
    text, page = repr(found), found._repr_html_()
    for model, assumption in ASSUMPTIONS.items():
        assert model in page
        assert assumption[:40] in " ".join(text.split())
        assert assumption[:40] in page
    assert found.assumptions["model"].tolist() == list(MODELS)
    assert max(map(len, text.splitlines())) <= 160


def test_signatures_say_what_is_taken():
    from inspect import signature

    names = list(signature(cc.change_side_by_side).parameters)
    assert names[:3] == ["study", "visits", "covariates"]
    assert {"scale", "below_limit", "adjust", "family", "alternative", "conf_level", "ignore_matching"} <= set(names)
    assert not {"test", "options", "seed", "n_resamples"} & set(names)
