"""What the page and the methods say of tests of matched sets, and of models of all visits."""

from __future__ import annotations

import pytest

import cytokine_cc as cc
from cytokine_cc.report.checklist import facts_of
from cytokine_cc.report.limitations import limitations
from cytokine_cc.report.result_sections import found_section, question_section
from cytokine_cc.report.study_sections import flow_frame, flow_section

from .report_studies import analysis_of, of_sets, only, semi_paired, table, wide, words

# ---------------------------------------------------------------- who enters a model of all visits


def test_who_has_no_baseline_is_said_to_be_in_the_model():
    analysis = semi_paired()
    assert len(analysis.study.excluded) == 3
    assert (
        "3 subjects were left out: no sample at baseline (3). The model of changes between groups (lda) takes all of them "
        in (analysis.describe())
    )
    flow = only(flow_section(analysis))
    gone = table(flow, "excluded-subjects")
    assert gone.caption == (
        "3 subjects left out of what follows. The model of changes between groups (lda) takes all of them nevertheless, by later "
        "samples."
    )
    assert gone.frame["model"].tolist() == ["yes"] * 3
    steps = flow_frame(analysis).set_index("step")
    assert steps.loc["analysed, but for the model of all visits (lda)"].tolist() == [17, 7, 10]
    assert steps.loc["in the model of all visits (lda)"].tolist() == [20, 8, 12]
    row = analysis.change_between.table.iloc[0]
    assert [row["n_case"], row["n_control"]] == [8, 12]
    assert (
        facts_of(analysis)["left_out"] == "3 subjects left out, with the reason, 3 of them but for the model of all visits (lda)"
    )
    assert facts_of(analysis)["n_used"] == "17 (and by lda 3 more)"
    text = next(text for text in limitations(analysis) if text.startswith("Left out but for lda"))
    assert "1 of 8 (12%) cases (x) and 2 of 12 (17%) controls (y), who had no baseline sample" in text
    assert not [text for text in limitations(analysis) if text.startswith("Left out altogether")]


def test_a_model_of_some_visits_takes_who_has_a_sample_at_one_of_them():
    analysis = semi_paired(visits=("v1",))
    assert "takes 2 of them nevertheless" in analysis.describe()
    steps = flow_frame(analysis).set_index("step")
    assert steps.loc["in the model of all visits (lda)"].tolist() == [19, 8, 11]
    frame = table(only(flow_section(analysis)), "excluded-subjects").frame
    assert dict(zip(frame["subject"], frame["model"], strict=True)) == {"s0": "yes", "s9": "yes", "s10": ""}
    assert facts_of(analysis)["left_out"].endswith("2 of them but for the model of all visits (lda)")
    texts = [text for text in limitations(analysis) if text.startswith("Left out")]
    assert [text.split(":")[0] for text in texts] == ["Left out altogether", "Left out but for lda"]
    assert "0 of 8 (0%) cases (x) and 1 of 12 (8%) controls (y), who" in texts[0]


@pytest.mark.parametrize("test", ["change_score", "ancova"])
def test_who_has_no_baseline_is_in_nothing_else(test):
    analysis = semi_paired(test)
    assert "nevertheless" not in analysis.describe()
    assert table(only(flow_section(analysis)), "excluded-subjects").caption == "3 subjects left out of everything that follows."
    assert "analysed" in flow_frame(analysis)["step"].tolist()
    assert not flow_frame(analysis)["step"].str.contains("model").any()
    assert facts_of(analysis)["left_out"] == "3 subjects left out, with the reason"
    assert [text.split(":")[0] for text in limitations(analysis) if text.startswith("Left out")] == ["Left out altogether"]


def test_a_model_that_takes_nobody_else_is_not_mentioned():
    plan = cc.Plan(cc.Baseline(), None, cc.ChangeBetween(test="clda"))
    analysis = analysis_of(wide(8, 12, 3), plan)
    assert "nevertheless" not in analysis.describe()
    assert "analysed" in flow_frame(analysis)["step"].tolist()


def legends(analysis, kind):
    shown = table(only(question_section(analysis, kind)), f"results-{kind}")
    return {column.name: (column.header, column.more) for column in shown.columns}


def test_legends_of_a_model_of_all_visits():
    own = legends(semi_paired(), "change_between")
    assert own["n_both"][1] == "subjects with a value at any visit of the model: x / y"
    assert own["below_both"][1] == "share of these with a value below its limit at any visit of the model: x / y"
    assert own["mean_case"][1] == "of those with a value at both visits"
    assert own["hedges_g"][1].endswith("of the changes of those with a value at both visits")
    plain = legends(semi_paired("change_score"), "change_between")
    assert plain["n_both"][1] == "values that entered: x / y"
    assert plain["below_both"][1] == "share of these with either value below its limit: x / y"
    assert plain["mean_case"][1] == ""


# ---------------------------------------------------------------- tests of sets


@pytest.mark.parametrize(("scale", "words_of"), [("log2", "odds ratio per doubling"), ("raw", "odds ratio per unit")])
def test_an_odds_ratio_is_called_one(scale, words_of):
    analysis = of_sets(n_sets=40, shift=0.5, scale=scale, adjust="none")
    assert f"M1 ({words_of} " in words(_found(analysis))
    assert legends(analysis, "baseline")["estimate"] == (
        words_of,
        f"{words_of} of the level: how many times higher the odds are of being a case",
    )
    assert f"Estimates: {words_of} of the level." in words(only(question_section(analysis, "baseline")))


def _found(analysis):
    return only(found_section(analysis))


def test_an_odds_ratio_of_changes_is_one_of_the_change():
    analysis = of_sets(visits=("v0", "v1"), kind=cc.ChangeBetween, options={"penalty": "firth"})
    assert legends(analysis, "change_between")["estimate"][1].startswith("odds ratio per doubling of the change: ")


def test_how_a_question_was_answered_names_options_covariates_and_sets():
    own = words(only(question_section(of_sets(options={"penalty": "firth"}, covariates=("age",)), "baseline")))
    assert own.startswith(
        "Within matched sets by conditional logistic regression, with Firth's penalty, adjusted for age, two-sided, on log2"
    )
    own = words(only(question_section(of_sets(test="welch", ignore_matching=True), "baseline")))
    assert own.startswith("By Welch's t test, two-sided, on log2 values")


@pytest.mark.parametrize(
    ("test", "label"),
    [
        ("stratified", "a linear model with an effect of each stratum"),
        ("stratified_permutation", "a permutation test within strata"),
        ("van_elteren", "van Elteren's test"),
    ],
)
def test_strata_are_not_called_matched_sets(test, label):
    analysis = of_sets(n_sets=12, test=test, strata=("sex", "age"))
    assert f"Baseline levels were compared between cases and controls within strata of sex and age by {label} (" in (
        analysis.describe()
    )
    assert f"Within strata of sex and age by {label}, two-sided" in words(only(question_section(analysis, "baseline")))
    assert "matched set" not in analysis.describe()
    sets = of_sets(test=test)
    assert (
        f"within matched sets by {label.replace('strata', 'matched sets').replace('stratum', 'matched set')} (" in sets.describe()
    )


@pytest.mark.parametrize(("test", "more", "said"), [("stratified", {}, True), ("welch", {"ignore_matching": True}, False)])
def test_hedges_g_of_sets_says_that_it_ignores_them(test, more, said):
    assert ("ignores the sets" in legends(of_sets(test=test, **more), "baseline")["hedges_g"][1]) is said
