"""Covariates: from a sample column to a column of a model, and who is left out for want of one."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.adjusting import columns_of
from cytokine_cc.arrays import Covariate
from cytokine_cc.covariates import covariates_of
from cytokine_cc.engine import run

N = 24


def study(visits=("pre", "post"), baseline="pre", plates=None, **columns) -> cc.Study:
    """Twelve cases and twelve controls; columns by subject, or by visit and subject."""
    rng = np.random.default_rng(5)
    rows = [
        {
            "subject": f"s{i:02d}",
            "visit": visit,
            "group": "case" if i < N // 2 else "control",
            "IL-6": rng.lognormal(),
            "TNF": rng.lognormal(),
            **{name: np.broadcast_to(np.array(values, dtype=object), (len(visits), N))[v, i] for name, values in columns.items()},
            **({} if plates is None else {"plate": np.broadcast_to(plates, (len(visits), N))[v, i]}),
        }
        for v, visit in enumerate(visits)
        for i in range(N)
    ]
    panel = cc.read_panel(
        pd.DataFrame(rows), layout="wide", analytes=["IL-6", "TNF"], plate=None if plates is None else "plate", unit="pg/mL"
    )
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline))


def columns(data: cc.Study, question, visit=None) -> np.ndarray:
    arrays = replace(data.arrays, covariates=covariates_of(data, question.covariates))
    found = columns_of(question, visit, arrays)
    assert not found.gone.any()
    return found.values


AGE = [40 + i % 7 for i in range(N)]
SEX = ["m" if i % 3 == 0 else "f" for i in range(N)]
PLATES = np.array([["P1" if i % 2 else "P10" for i in range(N)], ["P2" if i % 4 else "P10" for i in range(N)]])


def test_a_number_is_one_column_and_a_text_one_a_level_but_the_last():
    found = columns(study(Age=AGE, Sex=SEX), cc.Baseline(test="linear_model", covariates=("Age", "Sex")))
    np.testing.assert_array_equal(found, [AGE, [float(sex == "f") for sex in SEX], np.zeros(N)])


def test_a_plate_of_a_change_is_that_of_the_later_sample_less_that_of_the_baseline():
    data = study(plates=PLATES)
    p1, p10, p2 = (np.array(PLATES == name, dtype=float) for name in ("P1", "P10", "P2"))
    at_baseline = columns(data, cc.Baseline(test="linear_model", covariates="plate"))
    np.testing.assert_array_equal(at_baseline, [p1[0], np.zeros(N), np.zeros(N)])
    change = columns(data, cc.ChangeBetween(test="linear_model", covariates="plate"), 0)
    np.testing.assert_array_equal(change, [p1[1] - p1[0], p10[1] - p10[0], np.zeros(N)])
    both = columns(data, cc.ChangeBetween(test="ancova", covariates="plate"), 0)
    np.testing.assert_array_equal(both, [np.zeros(N), p10[1], np.zeros(N), p1[0], np.zeros(N), np.zeros(N)])
    assert p2[1].any()


def test_plates_cancel_where_both_samples_of_a_subject_are_on_one():
    data = study(plates=PLATES[:1])
    with_plate = cc.change_between(data, test="linear_model", covariates="plate").table
    without = cc.change_between(data, test="linear_model").table
    own = ["covariates", "note"]
    pd.testing.assert_frame_equal(with_plate.drop(columns=own), without.drop(columns=own), rtol=1e-12)


def test_a_baseline_of_several_visits_takes_the_mean_of_numbers_and_of_plates_and_the_first_text():
    age = [AGE, [x + 2 for x in AGE], [x + 100 for x in AGE]]
    sex = [["" if i == 0 else SEX[i] for i in range(N)], SEX, SEX]
    plates = np.array([["A"] * N, ["A" if i % 2 else "B" for i in range(N)], ["B"] * N])
    data = study(("a", "b", "post"), ("a", "b"), plates, Age=age, Sex=sex)
    found = columns(data, cc.Baseline(test="linear_model", covariates=("Age", "Sex", "plate")))
    in_a = [1.0 if i % 2 else 0.5 for i in range(N)]
    np.testing.assert_array_equal(found, [[x + 1 for x in AGE], [sex == "f" for sex in SEX], np.zeros(N), in_a, np.zeros(N)])


def test_subjects_who_lack_a_covariate_are_left_out_and_listed():
    age = [np.nan if i in (3, 20) else x for i, x in enumerate(AGE)]
    sex = ["" if i == 5 else x for i, x in enumerate(SEX)]
    data = study(Age=age, Sex=sex)
    results = cc.compare_baseline(data, test="linear_model", covariates=("Age", "Sex"))
    assert results.table[["n_case", "n_control"]].values.tolist() == [[10, 11]] * 2
    gone = results.excluded
    assert sorted(set(zip(gone["subject"], gone["reason"], strict=True))) == [
        ("s03", "no value of Age"),
        ("s05", "no value of Sex"),
        ("s20", "no value of Age"),
    ]
    assert len(gone) + results.table[["n_case", "n_control"]].sum().sum() == N * 2
    kept = [f"s{i:02d}" for i in range(N) if i not in (3, 5, 20)]
    alone = cc.compare_baseline(data.select(subjects=kept), test="linear_model", covariates=("Age", "Sex"))
    np.testing.assert_allclose(results.table["p_value"], alone.table["p_value"], rtol=1e-12)


def test_covariates_that_tell_the_group_leave_nothing_to_test():
    data = study(Site=["a" if i < N // 2 else "b" for i in range(N)])
    table = cc.compare_baseline(data, test="linear_model", covariates="Site").table
    assert table["p_value"].isna().all()
    assert (table["note"] == "not tested: the covariates already tell cases from controls").all()


def test_a_covariate_that_another_tells_is_left_out_with_a_note():
    data = study(Age=AGE, Months=[12 * x for x in AGE])
    both = cc.compare_baseline(data, test="linear_model", covariates=("Age", "Months")).table
    one = cc.compare_baseline(data, test="linear_model", covariates=("Age",)).table
    assert (both["note"] == "a covariate that the others tell is left out").all()
    np.testing.assert_array_equal(both["p_value"], one["p_value"])


@pytest.mark.parametrize(
    ("covariates", "message"),
    [
        ("Agee", "`covariates`: no sample column 'Agee'; there are .* Did you mean 'Age'"),
        ("group", "`covariates`: 'group' has a role in the design and is no covariate."),
        ("plate", r"`covariates`: the panel has no plates. Name their column with read_panel\(plate=...\)"),
        ("Id", "`covariates`: 'Id' has 24 different texts among 24 subjects"),
        ("Blank", "`covariates`: 'Blank' is missing in every subject."),
        ("Mixed", "`covariates`: 'Mixed' holds numbers and 'old': correct these cells"),
    ],
)
def test_what_is_no_covariate_is_refused(covariates, message):
    data = study(
        Age=AGE, Id=[f"x{i}" for i in range(N)], Blank=[""] * N, Mixed=["old" if i == 2 else str(40 + i % 4) for i in range(N)]
    )
    with pytest.raises(cc.OptionError, match=message):
        cc.compare_baseline(data, test="linear_model", covariates=covariates)


def test_a_test_without_covariates_names_those_that_take_them():
    message = "test 'welch' takes no covariates; got 'Age'. Use 'linear_model'"
    with pytest.raises(cc.OptionError, match=message):
        cc.Baseline(covariates="Age")
    with pytest.raises(cc.OptionError, match="`covariates` names a column twice: 'Age', 'Age'"):
        cc.Baseline(test="linear_model", covariates=("Age", "Age"))


def test_a_matching_variable_that_is_adjusted_for_is_not_noted():
    panel = study(Age=AGE, Sex=SEX).panel
    data = cc.Study(panel, cc.Design("group", "case", "control", baseline="pre", matched_on=("Age", "Sex")))
    notes = cc.compare_baseline(data, test="linear_model", covariates="Age").table["note"]
    assert (notes == "matching variables not adjusted for: Sex").all()
    assert (cc.compare_baseline(data, test="linear_model", covariates=("Age", "Sex")).table["note"] == "").all()
    text = cc.analyze(
        data, cc.Plan(baseline=cc.Baseline("linear_model", covariates=("Age", "Sex")), change_within=None)
    ).describe()
    assert "by a linear model, adjusted for Age and Sex (two-sided)" in text


def test_a_level_that_a_replicate_does_not_have_changes_no_bit():
    """Levels are those of the scenario in a batch, and those that occur in a study."""
    data = study(Sex=SEX)
    question = cc.Baseline(test="linear_model", covariates="Sex")
    own = replace(data.arrays, covariates=covariates_of(data, ["Sex"]))
    more = Covariate(own.covariates["Sex"].value + 1.0, 4)  # two levels that nobody has, one before and one after
    answers = [run([question], arrays)[0][0].statistics for arrays in (own, replace(own, covariates={"Sex": more}))]
    for field in ("estimate", "std_error", "p_value", "df", "note"):
        np.testing.assert_array_equal(getattr(answers[0], field), getattr(answers[1], field))


def test_a_covariate_that_adjusts_for_nothing_is_told():
    data = study(plates=PLATES[:1], Age=[50] * N)
    notes = cc.change_between(data, test="linear_model", covariates="plate").table["note"]
    assert (notes == "plate adjusts for nothing here: both samples of each subject are on one plate").all()
    notes = cc.compare_baseline(data, test="linear_model", covariates=("Age", "plate")).table["note"]
    assert (notes == "Age adjusts for nothing here: it does not vary").all()
    # ancova takes the plates of both samples: one set of columns, where they are the same.
    assert (cc.change_between(data, test="ancova", covariates="plate").table["note"] == "").all()


def test_a_page_of_a_study_with_published_patterns_takes_covariates(tmp_path):
    plan = cc.Plan(baseline=cc.Baseline("linear_model", covariates=("plate",)), change_within=None, change_between=None)
    data = cc.load_study("henry2010").select(analytes=["IL-6", "IL-17"])
    assert cc.write_report(cc.analyze(data, plan), tmp_path).exists()
