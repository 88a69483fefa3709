"""Limitations that a report says: each only where the data give reason, with figures that are true."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.report.limitations import limitations
from cytokine_cc.report.limits_of_tests import least_p, reaches

from .report_studies import analysis_of, of_sets, wide

ONLY = {"change_within": None, "change_between": None}


def said(analysis, start):
    """Sentences that begin so."""
    return [text for text in limitations(analysis) if text.startswith(start)]


def one(analysis, start):
    (text,) = said(analysis, start)
    return text


def test_a_study_without_faults_has_few():
    frame = wide(30, 30, 6, visits=("v0",), plates=("p1",))
    text = limitations(analysis_of(frame))
    assert len(text) == 1
    assert text[0].startswith("Not significant is not no difference, baseline: of 6 comparisons")


def test_each_limitation_has_its_figures():
    frame = wide(8, 12, 6, shift=-2.0)
    frame.loc[(frame["arm"] == "x") & (frame["t"] == "v0"), "M1"] = "<9"
    frame.loc[frame["t"] == "v0", "M2"] = "<5"
    frame.loc[3, "M3"] = ">"
    frame["plate"] = np.where(frame["arm"] == "x", "p1", "p2")
    frame = frame[~((frame["t"] == "v1") & frame["id"].isin(["s0", "s1", "s2"]))]
    frame = frame[~((frame["t"] == "v0") & (frame["id"] == "s19"))]
    frame.loc[frame["arm"] == "x", "age"] += 20
    plan = cc.Plan(cc.Baseline(adjust="none"), None, cc.ChangeBetween(test="change_rank"))
    texts = {text.split(":")[0]: text for text in limitations(analysis_of(frame, plan, matched_on=("age",)))}
    assert "M2 100%" in texts["Below the limit of detection"]
    assert "M1 100% / 0%" in next(
        text for text in texts.values() if text.startswith("Shares of subjects with a baseline value below")
    )
    assert "1 value of 1 analyte" in texts["Limits not stated"]
    assert "(M3 1)" in texts["Limits not stated"]
    assert any(text.startswith("Plate and group are associated (chi-square p = ") for text in texts.values())
    assert texts["Not adjusted for"].startswith("Not adjusted for: age,")
    assert re.search(r"age \d", texts["Groups that differ at baseline"])
    assert "0 of 8 (0%) cases (x) and 1 of 12 (8%) controls (y)" in texts["Left out altogether"]
    assert "at v1 3 of 8 (38%) cases (x) and 0 of 11 (0%) controls (y)" in texts["No later sample"]
    assert "groups differ in this" in texts["No later sample"]
    assert "M2" in texts["Not tested, baseline"]
    assert texts["Small groups"].startswith("Small groups: 8 cases and 11 controls")
    assert "All one way" in texts
    assert any(text.startswith("Changes compared where baselines differ") for text in texts.values())
    assert "about 0.25 would" in next(text for text in texts.values() if text.startswith("No correction for 5 tests, baseline"))


# --- measurement


def censored(**more):
    """Every second case is below a limit in M1 at baseline."""
    frame = wide(10, 10, 2, visits=("v0",), **more)
    frame.loc[frame.index < 5, "M1"] = "<2"
    return frame


@pytest.mark.parametrize(
    ("test", "rule", "words", "unlike"),
    [
        ("welch", "half", "half the limit stands in for such values", "depends on what stands in for these values."),
        ("welch", "sqrt2", "the limit over the square root of 2 stands in", "depends on what stands in for these values."),
        ("mann_whitney", "lowest_rank", "such values share the lowest rank", "Ranks take all of them as lowest"),
        ("welch", "drop", "such values are left out, so that what is left lies higher", "more of them in one group than in"),
        ("welch", "as_reported", "such values are left out where they have no number", "more of them in one group than in"),
    ],
)
def test_what_becomes_of_values_below_a_limit(test, rule, words, unlike):
    analysis = analysis_of(censored(), cc.Plan(cc.Baseline(test=test, below_limit=rule), **ONLY))
    text = one(analysis, "Below the limit of detection")
    assert "in 1 of 2 analytes more than 20% of the subjects have a baseline value below it (M1 25%). In the tests " in text
    assert words in text
    other = one(analysis, "Shares of subjects with a baseline value below the limit")
    assert "M1 50% / 0%" in other
    assert unlike in other
    assert ("stands in" in text + other) == (rule in ("half", "sqrt2"))


def test_rules_that_differ_between_questions_are_told_by_question():
    frame = wide(10, 10, 1)
    frame.loc[frame.index < 5, "M1"] = "<2"
    plan = cc.Plan(cc.Baseline(test="mann_whitney"), cc.ChangeWithin(), None)
    text = one(analysis_of(frame, plan), "Below the limit")
    assert "In the tests such values share the lowest rank (baseline); half the limit stands in for such values (change " in text


def test_analytes_without_a_test_have_no_rule():
    frame = wide(6, 6, 2, visits=("v0",)).assign(M1="<2")
    text = one(analysis_of(frame), "Below the limit")
    assert text.endswith("(M1 100%). M1 was not tested.")


def test_a_baseline_of_several_visits_counts_subjects():
    frame = wide(5, 5, 2, visits=("a", "b"))
    frame.loc[[0, 1, 13], "M1"] = "<2"  # s0 and s1 at a, s3 at b: 3 of 10 subjects, 3 of 20 values
    text = one(analysis_of(frame, cc.Plan(**ONLY), baseline=("a", "b")), "Below the limit")
    assert "more than 20% of the subjects have a baseline value below it (M1 30%)" in text


def test_limits_that_are_not_stated_and_have_no_stand_in():
    frame = wide(8, 8, 2, visits=("v0",))
    frame.loc[0, "M1"] = "OOR <"
    frame.loc[frame["plate"] == "p2", "M2"] = "OOR <"
    analysis = analysis_of(frame)
    text = one(analysis, "Limits not stated")
    assert "9 values of 2 analytes" in text
    assert "For 8 values (M2 8) there is none: comparisons that hold any of them are not tested." in text
    assert analysis.baseline.table["p_value"].isna().tolist() == [False, True]
    assert "stood in for it; where there was none, the comparison was not tested." in analysis.describe()
    dropped = analysis_of(frame, cc.Plan(cc.Baseline(below_limit="drop"), **ONLY))
    assert one(dropped, "Limits not stated").endswith("(M1 1 and M2 8).")


def test_limits_that_differ_are_no_stand_ins_where_nothing_is_replaced():
    frame = wide(8, 8, 1, visits=("v0",))
    frame.loc[0, "M1"], frame.loc[1, "M1"] = "<1", "<2"
    texts = [
        one(analysis_of(frame, cc.Plan(cc.Baseline(test=test, below_limit=rule), **ONLY)), "Limits that differ")
        for test, rule in (("welch", "half"), ("mann_whitney", "lowest_rank"), ("welch", "drop"))
    ]
    assert [("stand in" in text, "tied with" in text) for text in texts] == [(True, False), (False, True), (False, False)]


def test_numbers_that_are_not_fully_measured():
    frame = wide(6, 6, 2, visits=("v0",))
    frame.loc[[0, 1], "M1"] = ["*5.1", "*6.2"]
    text = one(analysis_of(frame), "Not fully measured")
    assert text == (
        "Not fully measured: 2 numbers (8%), flagged by the instrument, or the mean of wells of which one was flagged or beyond "
        "a limit."
    )
    own = cc.read_panel(
        frame, layout="wide", subject="id", visit="t", plate="plate", sample_columns=["arm", "age"], unit="pg/mL", lower_limit=5.5
    )
    stated = cc.analyze(cc.Study(own, cc.Design(group="arm", case="x", control="y", baseline="v0")))
    assert "2 numbers (8%), 1 outside a limit that is stated and 1 flagged" in one(stated, "Not fully measured")


def test_plates_that_are_confounded_with_visits():
    frame = wide(12, 12)
    frame["plate"] = np.where(frame["t"] == "v0", "P1", "P2")
    text = one(analysis_of(frame), "Visits on different plates")
    assert "at v1 12 of 12 (100%) cases and 12 of 12 (100%) controls were measured on another plate than at baseline" in text
    assert "no plate holds samples of both baseline and v1: these data cannot tell the two apart" in text
    assert not said(analysis_of(frame, cc.Plan(**ONLY)), "Visits on different")
    moved = frame.assign(plate=np.where((frame["t"] == "v1") & frame["id"].isin(["s0", "s1", "s2"]), "P2", "P1"))
    text = one(analysis_of(moved), "Visits on different plates")
    assert "at v1 3 of 12 (25%) cases and 0 of 12 (0%) controls" in text
    assert "no plate holds" not in text
    assert not said(analysis_of(frame.assign(plate="P1")), "Visits on different")


def test_what_the_file_does_not_tell():
    bare = wide(visits=("v0",)).drop(columns="age")
    assert one(analysis_of(bare, plate=None), "What the file does not tell") == (
        "What the file does not tell: on which plates samples were measured and any covariate of the subjects. Whether cases and "
        "controls were measured in the same way and are alike in other ways cannot be seen on this page."
    )
    assert one(analysis_of(wide(), plate=None), "What the file").startswith(
        "What the file does not tell: on which plates samples"
    )
    assert not said(analysis_of(wide()), "What the file")


def test_plates_that_go_with_groups_matter_at_baseline():
    frame = wide(12, 12)
    frame["plate"] = np.where(frame["arm"] == "x", "P1", "P2")
    assert said(analysis_of(frame), "Plate and group are associated (chi-square p = ")
    # Each subject's visits lie on one plate: its difference is in no change.
    assert not said(analysis_of(frame, cc.Plan(baseline=None)), "Plate and group")


# --- design


def test_imbalance_names_the_level():
    frame = wide(20, 20, 1, visits=("v0",))
    frame["age"] = np.where((frame["arm"] == "x") & (frame.index < 16), "drug A", "drug B")
    assert "differ at baseline: age: drug A 2." in one(analysis_of(frame), "Groups that differ")
    frame["age"] = np.where(frame["arm"] == "x", 1.0, 2.0)
    assert "differ at baseline: age without overlap (" in one(analysis_of(frame), "Groups that differ")


def test_later_samples_are_missed_only_where_they_are_asked_for():
    frame = wide(6, 6, 2, visits=("v0", "v1", "v2"))
    frame = frame[~((frame["t"] == "v1") & (frame["id"] == "s0")) & ~((frame["t"] == "v2") & (frame["id"] == "s1"))]
    assert not said(analysis_of(frame, cc.Plan(**ONLY)), "No later sample")
    plan = cc.Plan(cc.Baseline(), cc.ChangeWithin(visits=("v2",)), None)
    text = one(analysis_of(frame, plan), "No later sample")
    assert "v1" not in text
    assert "at v2 1 of 6 (17%) cases" in text
    assert "They are missing from the comparisons at that visit." in text


# --- tests


def test_discrete_tests_say_what_they_can_reach():
    frame = wide(3, 4, 5, visits=("v0",))
    analysis = analysis_of(frame, cc.Plan(cc.Baseline(test="mann_whitney"), None, None))
    text = one(analysis, "Discrete test")
    assert "in 5 of 5 (100%) of the comparisons, those with 3 and 4 subjects among them, the smallest p" in text
    assert "the smallest p that the Mann-Whitney test can give is 0.057; one result alone among 5 tests could not" in text
    plan = cc.Plan(cc.Baseline(test="mann_whitney", alternative="less", adjust="none"), None, None)
    assert not said(analysis_of(frame, plan), "Discrete test")  # 1 / 35 = 0.029
    analysis = analysis_of(wide(3, 3, 5, visits=("v0",)), plan)
    assert "is 0.05" not in " ".join(said(analysis, "Discrete test"))


def test_discrete_tests_go_by_the_values_of_their_row():
    frame = wide(8, 3, 1)
    plan = cc.Plan(None, cc.ChangeWithin(test="signed_rank", groups=("case",), adjust="none"), None)
    assert not said(analysis_of(frame, plan), "Discrete test")  # 8 pairs of cases: 2 / 256
    plan = cc.Plan(None, cc.ChangeWithin(test="signed_rank", adjust="none"), None)
    text = one(analysis_of(frame, plan), "Discrete test")
    assert "in 1 of 2 (50%) of the comparisons, those with 3 pairs among them" in text
    assert "can give is 0.25, which is above 0.05." in text


@pytest.mark.parametrize(("alternative", "sides"), [("two-sided", 2), ("greater", 1)])
def test_the_smallest_p_is_what_the_test_gives(alternative, sides):
    frame = pd.DataFrame({"id": [f"s{i}" for i in range(7)], "t": "v0", "arm": ["x"] * 3 + ["y"] * 4})
    frame["M1"] = ["50", "60", "70", "1", "2", "3", "4"]
    question = cc.Baseline(test="mann_whitney", alternative=alternative)
    table = analysis_of(frame, cc.Plan(question, None, None), plate=None).baseline.table
    assert table["p_value"].iloc[0] == pytest.approx(sides / 35)
    assert least_p(table.iloc[0], question) == pytest.approx(sides / 35)


def test_small_groups_and_assumptions():
    ranks = cc.Plan(cc.Baseline(test="mann_whitney"), None, None)
    assert "Assumptions" not in one(analysis_of(wide(visits=("v0",)), ranks), "Small groups")
    assert one(analysis_of(wide(visits=("v0",))), "Small groups").endswith(
        "Assumptions of the tests cannot be checked with so few."
    )


def test_intervals_reach_to_their_farther_end():
    table = pd.DataFrame(
        {"conf_low": [0.5, 0.8, 0.0, 0.9], "estimate": [1.0, 1.0, 1.0, 1.0], "conf_high": [1.5, 3.0, 1.1, np.inf]}
    )
    assert reaches(table, "two-sided").tolist() == [2.0, 3.0, np.inf, np.inf]
    np.testing.assert_allclose(reaches(table, "greater"), [2.0, 1.25, np.inf, 1 / 0.9])
    np.testing.assert_allclose(reaches(table, "less"), [1.5, 3.0, 1.1, np.inf])


def test_an_estimate_at_the_edge_reaches_without_end():
    table = pd.DataFrame({"conf_low": [0.0, 2.0], "estimate": [0.0, np.inf], "conf_high": [2.0, np.inf]})
    assert np.isinf([reaches(table, side) for side in ("two-sided", "greater", "less")]).all()


def test_open_intervals_count():
    frame = wide(12, 12, 3, visits=("v0",))
    for name, n in (("M1", 9), ("M2", 9)):
        frame.loc[(frame["arm"] == "x") & (frame.index < n), name] = "<0.5"
        frame.loc[(frame["arm"] == "y") & (frame.index < 12 + n), name] = "<0.5"
    analysis = analysis_of(frame, cc.Plan(cc.Baseline(test="mann_whitney"), None, None))
    table = analysis.baseline.table
    assert ((table["conf_low"] <= 0) | np.isinf(table["conf_high"])).tolist() == [True, True, False]
    text = one(analysis, "Not significant")
    assert "of 3 comparisons without significance, half have a 95% interval that has no end on at least one side." in text


def test_one_sided_plans():
    frame = wide(30, 30, 6, visits=("v0",), plates=("p1",))
    text = one(analysis_of(frame, cc.Plan(cc.Baseline(alternative="less"), None, None)), "Not significant")
    assert text.endswith("-fold from the estimate on the side where it ends.")
    apart = wide(20, 20, 8, visits=("v0",), shift=-1.5)
    assert "as are 8 of 8 (100%) of all estimates" in one(analysis_of(apart), "All one way")
    assert not said(analysis_of(apart, cc.Plan(cc.Baseline(alternative="less"), None, None)), "All one way")


def test_one_way_gives_no_share_that_says_nothing():
    frame = wide(20, 20, 16, visits=("v0",))
    for k in range(1, 7):
        frame[f"M{k}"] = np.where(frame["arm"] == "x", frame[f"M{k}"].astype(float) / 9, frame[f"M{k}"].astype(float)).astype(str)
    analysis = analysis_of(frame)
    same = (analysis.baseline.table["estimate"] < 1).mean()
    assert 0.4 < same < 0.8
    assert "of all estimates" not in one(analysis, "All one way")


def test_differences_on_the_raw_scale_are_not_told_in_folds():
    plan = cc.Plan(cc.Baseline(scale="raw"), None, None)
    assert not said(analysis_of(wide(30, 30, 3, visits=("v0",)), plan), "Not significant")


# --- models of what lies beyond the limits, estimates at the edge


def one_sided(test="tobit", **more):
    """In M1 no case has a number: the estimate is a ratio of 0."""
    frame = wide(10, 10, 2, visits=("v0",))
    frame.loc[frame["arm"] == "x", "M1"] = "<2"
    return analysis_of(frame, cc.Plan(cc.Baseline(test=test, **more), **ONLY))


def test_a_likelihood_ratio_in_small_groups():
    text = one(one_sided(), "Likelihood ratio in small groups, baseline (down to 10 subjects): it rejects too often")
    assert "6.5 to 9.4% at 10 against 10" in text
    assert not said(one_sided(options={"calibrated": True}), "Likelihood ratio")
    assert not said(one_sided("welch"), "Likelihood ratio")
    assert not said(analysis_of(wide(20, 20, 1), cc.Plan(cc.Baseline(test="tobit"), **ONLY)), "Likelihood ratio")
    pairs = analysis_of(wide(21, 19, 1), cc.Plan(None, cc.ChangeWithin(test="tobit_paired"), None))
    assert one(pairs, "Likelihood ratio in small groups, change within groups (down to 19 pairs)")


def test_what_a_model_takes_for_granted_of_values_beyond_the_limits():
    assert "normal on the analysis scale (baseline, on the log2 scale)" in one(one_sided(), "Values that nobody sees")
    assert not said(one_sided(below_limit="half"), "Values that nobody sees")
    assert not said(one_sided("peto_peto"), "Values that nobody sees")
    assert not said(analysis_of(wide(), cc.Plan(cc.Baseline(test="tobit"), **ONLY)), "Values that nobody sees")


def test_estimates_at_the_edge_are_named():
    assert one(one_sided(), "Estimates at the edge, baseline: in M1 every value of one side").endswith(
        "the ratio is then 0 or without bound, and only one end of its interval is known."
    )
    assert "the difference is then without bound" in one(one_sided(scale="raw"), "Estimates at the edge")
    assert not said(one_sided("mann_whitney"), "Estimates at the edge")


# --- rules and covariates that differ between questions


def test_what_is_not_adjusted_for_is_told_by_question():
    frame = wide()
    unlike = cc.Plan(cc.Baseline(test="linear_model", covariates="age"), None, cc.ChangeBetween())
    text = one(analysis_of(frame, unlike, matched_on=("age",)), "Not adjusted for")
    assert text.startswith("Not adjusted for: age (change between groups), on which groups were matched.")
    alike = cc.Plan(cc.Baseline(), None, cc.ChangeBetween())
    text = one(analysis_of(frame, alike, matched_on=("age",)), "Not adjusted for")
    assert text.startswith("Not adjusted for: age, on which")


def test_limits_that_differ_are_told_by_question():
    frame = wide(8, 8, 1)
    frame.loc[0, "M1"], frame.loc[1, "M1"] = "<1", "<2"
    plan = cc.Plan(cc.Baseline(test="mann_whitney"), cc.ChangeWithin(), cc.ChangeBetween(below_limit="drop"))
    text = one(analysis_of(frame, plan), "Limits that differ")
    assert "Values that stand in for them (change within groups) differ likewise. In ranks (baseline), every number" in text


# ---------------------------------------------------------------- matched sets, models of all visits


def test_odds_ratios_of_few_sets():
    assert one(of_sets(), "Conditional logistic regression of 6 sets, baseline:").endswith(
        'penalty = "firth" takes most of that back.'
    )
    assert not said(of_sets(options={"penalty": "firth"}), "Conditional logistic")
    assert not said(of_sets(n_sets=60), "Conditional logistic")


def test_separation_is_named():
    text = one(of_sets(shift=9.0), "Separation, baseline:")
    assert "in M1 no control of any set" in text
    assert not said(of_sets(), "Separation")
    assert not said(of_sets(shift=9.0, options={"penalty": "firth"}), "Separation")


def test_sets_that_a_test_takes_are_not_ignored():
    assert not said(of_sets(test="stratified"), "Matching ignored")
    assert one(of_sets(test="welch", ignore_matching=True), "Matching ignored: 6 matched sets taken as two groups for baseline")


@pytest.mark.parametrize(("test", "left"), [("linear_model", True), ("van_elteren", False), ("stratified", False)])
def test_strata_take_account_of_what_groups_were_matched_on(test, left):
    frame = wide(12, 12, 3, visits=("v0",))
    panel = cc.read_panel(frame, layout="wide", subject="id", visit="t", analytes=["M1", "M2", "M3"], plate="plate")
    study = cc.Study(panel, cc.Design("arm", "x", "y", baseline="v0", matched_on=("age",)))
    analysis = cc.analyze(study, cc.Plan(baseline=cc.Baseline(test=test), **ONLY))
    assert bool(said(analysis, "Not adjusted for: age")) is left


@pytest.mark.parametrize(("test", "said_of"), [("clda", True), ("lda", False), ("ancova", False)])
def test_clda_in_small_groups(test, said_of):
    plan = cc.Plan(baseline=None, change_within=None, change_between=cc.ChangeBetween(test=test))
    assert bool(said(analysis_of(wide(8, 12, 3), plan), "clda in small groups (down to 8 subjects)")) is said_of
    assert not said(analysis_of(wide(30, 22, 3), plan), "clda in small")


def test_models_of_all_visits_use_who_left():
    frame = wide(8, 12, 3)
    frame = frame[~((frame["id"] == "s1") & (frame["t"] == "v1"))]
    plan = cc.Plan(baseline=None, change_within=None, change_between=cc.ChangeBetween(test="lda"))
    text = one(analysis_of(frame, plan), "No later sample")
    assert text.startswith(
        "No later sample: at v1 1 of 8 (12%) cases (x) and 0 of 12 (0%) controls (y). The model of all visits (lda) "
    )
    assert "missing" not in text
    plan = cc.Plan(None, cc.ChangeWithin(), cc.ChangeBetween(test="lda"))
    assert "at that visit (but for lda, which uses what there is)." in one(analysis_of(frame, plan), "No later sample")
