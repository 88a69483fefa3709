"""What the page and the methods say of tests of matched sets, and of models of all visits."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.kernels.conditional import conditional_logistic
from cytokine_cc.kernels.stratified import van_elteren
from cytokine_cc.report.checklist import facts_of
from cytokine_cc.report.limitations import limitations
from cytokine_cc.report.limits_of_sets import least_by_arrangements, set_sizes, sign_test_size
from cytokine_cc.report.result_sections import found_section, question_section
from cytokine_cc.report.study_sections import flow_frame, flow_section

from .report_studies import analysis_of, in_pairs, in_strata, of_sets, only, semi_paired, table, wide, words

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


def test_a_value_beyond_a_limit_counts_where_only_the_model_takes_it():
    """Two values of s0 among three of each of 56 samples."""
    assert "No value lay beyond a limit" in semi_paired().describe()
    for test, said_of in (("lda", "1.2% of values lay below the limit of detection"), ("ancova", "No value lay beyond a limit")):
        assert said_of in semi_paired(test, below="s0").describe()


def test_who_lost_a_partner_with_the_baseline_is_in_the_model():
    frame = in_pairs()
    frame = frame[~((frame["id"] == "s7") & (frame["t"] == "v0"))]
    plan = cc.Plan(None, None, cc.ChangeBetween(test="lda", ignore_matching=True))
    analysis = analysis_of(frame, plan, matched_set="set")
    assert len(analysis.study.excluded) == 2
    assert (
        "in 5 matched sets; 3 analytes were measured at v0 and v1. 6 cases and 6 controls entered the model of changes between "
        "groups (lda), 2 of them without a sample at baseline or a partner with one. No value"
    ) in analysis.describe()
    text = one(analysis, "Without a sample at baseline or a partner with one")
    assert ": 1 of 6 (17%) cases (x) and 1 of 6 (17%) controls (y). The model of all visits (lda) takes them by later" in text
    steps = flow_frame(analysis).set_index("step")
    assert steps.index.tolist()[:2] == ["subjects in the file", "analysed, by the model of all visits (lda)"]
    plan = cc.Plan(cc.Baseline(test="paired_t"), None, plan.change_between)
    analysis = analysis_of(frame, plan, matched_set="set")
    assert "takes all of them nevertheless" in analysis.describe()
    (text,) = [text for text in limitations(analysis) if text.startswith("Left out")]
    assert "1 of 6 (17%) cases (x) and 1 of 6 (17%) controls (y), who had no baseline sample or no partner with one. The" in text


@pytest.mark.parametrize("test", ["lda", "clda"])
def test_where_all_that_is_asked_is_a_model_of_all_visits(test):
    analysis = semi_paired(test, alone=True, gone=("s3",))
    text = analysis.describe()
    assert text.startswith("The study comprised 7 cases (arm: x) and 10 controls (y); ")
    assert (
        f"v0, v1 and v2. 8 cases and 12 controls entered the model of changes between groups ({test}), 3 of them without a "
        "sample at baseline. No value"
    ) in text
    assert "left out" not in text
    steps = flow_frame(analysis).set_index("step")
    assert steps["all"].to_dict() == {
        "subjects in the file": 20,
        f"analysed, by the model of all visits ({test})": 20,
        "of these with a sample at v0": 17,
        "of these with a sample at v1": 19,
        "of these with a sample at v2": 19,
    }
    assert steps.iloc[1].tolist() == [20, 8, 12]
    every = " ".join(limitations(analysis))
    assert not [odd for odd in ("but for", "missing from", "other questions", "Left out") if odd in every]
    own = one(analysis, "Without a sample at baseline: 1 of 8 (12%) cases (x) and 2 of 12 (17%) controls (y). ")
    assert f"The model of all visits ({test}) takes them by later samples" in own
    lost = one(analysis, "No later sample")
    assert "at v1 0 of 8 (0%) cases (x) and 1 of 12 (8%) controls (y); at v2 1 of 8 (12%) cases (x) and 0 of 12" in lost
    assert f"The model of all visits ({test}) takes them nevertheless, by the samples that there are." in lost
    assert said(analysis, "Small groups: 8 cases and 12 controls.")
    facts = facts_of(analysis)
    assert facts["n_used"] == "20"
    assert facts["left_out"] == "3 subjects without a sample at baseline, 3 of them in the model of all visits"
    assert facts["lost"].startswith("2 later samples of analysed subjects")
    caption = table(only(flow_section(analysis)), "excluded-subjects").caption
    assert caption.startswith("3 subjects left out of what follows of baseline, where the study is described. The model of")


def test_who_does_not_enter_such_a_model_is_told_with_the_reason():
    analysis = semi_paired(alone=True, visits=("v1",))
    assert (
        "8 cases and 11 controls entered the model of changes between groups (lda), 2 of them without a sample at baseline. "
        "1 subject was left out: no sample at any visit of the model. No value"
    ) in analysis.describe()
    assert one(analysis, "Left out").endswith("who had no baseline sample, and did not enter by a later one.")
    assert facts_of(analysis)["left_out"].endswith("2 of them in the model of all visits")


def test_nobody_is_missing_at_a_visit_where_only_a_model_asks_about_it():
    text = one(semi_paired(gone=("s3",)), "No later sample")
    assert "at v2 1 of 8 (12%) cases (x)" in text
    assert "missing" not in text


def test_a_model_alone_that_takes_nobody_else_has_the_common_words():
    analysis = analysis_of(wide(8, 12, 3), cc.Plan(None, None, cc.ChangeBetween(test="lda")))
    assert "entered the model" not in analysis.describe()
    assert flow_frame(analysis)["step"].tolist()[:3] == ["subjects in the file", "with a sample at baseline", "analysed"]


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
        ("stratified_permutation", "a permutation test"),
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


# ---------------------------------------------------------------- limitations


def said(analysis, start):
    return [text for text in limitations(analysis) if text.startswith(start)]


def one(analysis, start):
    (text,) = said(analysis, start)
    return text


def test_a_permutation_test_says_what_it_can_reach():
    text = one(of_sets(4, 0.0, "stratified_permutation", controls=1, adjust="none"), "Discrete test, baseline")
    assert text == (
        "Discrete test, baseline: in 3 of 3 (100%) of the comparisons, those with 4 sets among them, the smallest p that a "
        "permutation test within matched sets can give is 0.12, which is above 0.05."
    )
    text = one(of_sets(6, test="stratified_permutation", n_resamples=39, adjust="bonferroni"), "Discrete test, baseline")
    assert "those with 6 sets and n_resamples = 39 among them" in text
    assert "can give is 0.025; one result alone among 3 tests could not reach 0.05" in text
    assert not said(of_sets(6, test="stratified_permutation", adjust="none"), "Discrete test")
    strata = of_sets(6, test="stratified_permutation", strata=("sex", "age"), n_resamples=9)
    assert "strata and n_resamples = 9 among them, the smallest p that a permutation test within strata" in one(
        strata, "Discrete"
    )


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize(("n_sets", "controls", "strata"), [(4, 1, ()), (3, 2, ()), (5, 1, ("sex",)), (4, 2, ("sex",))])
def test_the_smallest_p_of_a_permutation_test_is_what_it_gives(n_sets, controls, strata, alternative):
    """Cases far from all controls, on the side asked for."""
    shift = -9.0 if alternative == "less" else 9.0
    analysis = of_sets(n_sets, shift, "stratified_permutation", controls, strata, alternative=alternative)
    question = analysis.plan.baseline
    sizes = set_sizes(analysis, question)[0]
    table = analysis.baseline.table
    assert (table["method"] == "all arrangements within sets").all()
    assert table["p_value"][0] == pytest.approx(least_by_arrangements(sizes, question, sampled=False))
    few = of_sets(n_sets, shift, "stratified_permutation", controls, strata, alternative=alternative, n_resamples=5, seed=1)
    own = few.baseline.table["p_value"]
    least = least_by_arrangements(sizes, few.plan.baseline, sampled=True)
    assert least == pytest.approx(1 / 6)
    assert (own >= least - 1e-12).all()


def test_sets_count_by_the_values_of_their_row():
    frame = wide(5, 10, 2, visits=("v0",))
    frame["set"] = [f"m{int(subject[1:]) % 5}" for subject in frame["id"]]
    frame.loc[frame["id"] == "s0", "M1"] = ""
    frame.loc[frame["id"] == "s6", "M1"] = ""
    analysis = analysis_of(frame, cc.Plan(cc.Baseline(test="stratified_permutation"), None, None), matched_set="set")
    first, second = set_sizes(analysis, analysis.plan.baseline)
    assert [part.tolist() for part in first] == [[1, 1, 1, 1], [1, 2, 2, 2]]
    assert [part.tolist() for part in second] == [[1] * 5, [2] * 5]


def test_van_elteren_of_few_sets():
    text = one(of_sets(test="van_elteren"), "van Elteren's test, baseline (down to 6 sets)")
    assert "7.6% with 6 of one and two" in text
    assert "stratified_permutation keeps it." in text
    assert "signed_rank" not in text
    assert not said(of_sets(20, test="van_elteren"), "van Elteren")
    assert not said(of_sets(40, test="van_elteren", strata=("sex",)), "van Elteren")  # two large strata
    small = of_sets(12, test="van_elteren", strata=("sex", "age"))
    assert "strata): its normal approximation" in one(small, "van Elteren's test, baseline (down to ")
    assert not said(of_sets(test="stratified"), "van Elteren")


@pytest.mark.parametrize(("n_sets", "size"), [(4, "12%"), (6, "3.1%"), (21, "7.8%")])
def test_van_elteren_of_pairs_is_the_sign_test(n_sets, size):
    text = one(of_sets(n_sets, test="van_elteren", controls=1), f"van Elteren's test, baseline (down to {n_sets} sets)")
    assert "it is the sign test" in text
    assert f"rejects {size} of what does not differ at {n_sets} pairs" in text
    assert text.endswith("stratified_permutation and signed_rank keep the level.")


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("pairs", [4, 5, 6, 9])
def test_the_size_of_the_sign_test_is_that_of_van_elteren(pairs, alternative):
    """All ways in which pairs can differ, each as likely as any other."""
    x = np.array(list(itertools.product([-1.0, 1.0], repeat=pairs))) * np.arange(1, pairs + 1)
    sets = (np.arange(pairs), np.arange(pairs))
    p = van_elteren(x, np.zeros_like(x), sets=sets, alternative=alternative).p_value
    assert sign_test_size(pairs, alternative) == pytest.approx(np.mean(p <= 0.05))


@pytest.mark.parametrize(("sets", "controls", "rate"), [(4, 1, 12.7), (6, 2, 7.6), (10, 3, 6.5)])
def test_what_is_said_of_van_elteren_is_so(sets, controls, rate):
    rng = np.random.default_rng(3)
    x, y = rng.normal(size=(20_000, sets)), rng.normal(size=(20_000, sets * controls))
    p = van_elteren(x, y, sets=(np.arange(sets), np.repeat(np.arange(sets), controls))).p_value
    assert abs(100 * np.mean(p <= 0.05) - rate) < 0.7


def test_few_subjects_beyond_the_first_of_each_set():
    assert said(of_sets(24), "Conditional logistic regression of 24 sets, baseline: with as few as 72 subjects in them")
    assert not said(of_sets(25), "Conditional logistic")  # 50 beyond the first of each
    assert said(of_sets(49, controls=1), "Conditional logistic regression of 49 sets")
    strata = of_sets(10, strata=("sex",))
    assert one(strata, "Conditional logistic regression of 2 strata, baseline: with as few as 30 subjects")
    assert not said(of_sets(20, strata=("sex",)), "Conditional logistic")
    assert not said(of_sets(10, strata=("sex",), options={"penalty": "firth"}), "Conditional logistic")


@pytest.mark.parametrize(("sets", "m", "k", "bias"), [(15, 1, 1, 33), (25, 1, 1, 17), (15, 1, 2, 14), (3, 5, 5, 13)])
def test_what_is_said_of_odds_ratios_is_so(sets, m, k, bias):
    rng, n, true = np.random.default_rng(2), 1500, np.log(1.9)
    x, y = rng.normal(true, 1, (n, 1, sets * m)), rng.normal(0, 1, (n, 1, sets * k))
    own = (np.repeat(np.arange(sets), m), np.repeat(np.arange(sets), k))
    found = conditional_logistic(x, y, sets=own, conf_level=None).estimate
    found = found[np.isfinite(found)]
    error = 100 * found.std() / true / np.sqrt(len(found))
    assert abs(100 * (found.mean() / true - 1) - bias) < 4 * error


def test_separation_by_value_and_covariates_together():
    text = one(of_sets(shift=9.0, covariates=("age",)), "Separation, baseline:")
    assert "in M1, by the level alone or together with the covariates, no control of any set lies on the cases' side;" in text
    assert "in M1 no control of any set lies on the cases' side;" in one(of_sets(shift=9.0), "Separation, baseline:")


# ---------------------------------------------------------------- arrangements at random


def test_the_methods_tell_the_seed_that_was_drawn():
    analysis = of_sets(test="stratified_permutation", n_resamples=99)
    assert analysis.plan.baseline.seed is None
    assert f"else as many at random, seed {analysis.baseline.meta['seed']})" in analysis.describe()
    assert "else as many at random, seed 7)" in of_sets(test="stratified_permutation", n_resamples=99, seed=7).describe()
    assert "seed" not in of_sets(test="stratified").describe()


@pytest.mark.parametrize(("n", "error"), [(99, "0.0219"), (999, "0.0069")])
def test_few_arrangements_have_an_error(n, error):
    text = one(of_sets(12, test="stratified_permutation", n_resamples=n, seed=1), "Few arrangements, baseline")
    assert f"3 of 3 (100%) of the p-values rest on {n} arrangements at random; at p = 0.05 their Monte Carlo error" in text
    assert f"is {error}, and" in text


def test_the_error_of_few_arrangements_is_so():
    """Where the p-value of all arrangements is near 0.05, p-values of 99 arrangements vary as much from seed to seed."""
    exact = of_sets(10, 0.5, "stratified_permutation", n_resamples=3**10).baseline.table["p_value"][0]
    runs = [of_sets(10, 0.5, "stratified_permutation", n_resamples=99, seed=seed).baseline for seed in range(60)]
    sd = np.std([run.table["p_value"][0] for run in runs])
    assert sd == pytest.approx(np.sqrt(exact * (1 - exact) / 99), rel=0.3)


def test_all_arrangements_and_many_have_none():
    assert not said(of_sets(12, test="stratified_permutation", seed=1), "Few arrangements")  # 9,999 of 3 ** 12
    assert not said(of_sets(12, test="stratified_permutation", n_resamples=1000, seed=1), "Few arrangements")
    assert not said(of_sets(5, test="stratified_permutation", n_resamples=300), "Few arrangements")  # all 3 ** 5
    assert not said(of_sets(12, test="van_elteren", n_resamples=99), "Few arrangements")


# ---------------------------------------------------------------- strata of one kind

NOT_USED = "4 subjects stand in strata (of decade) of one kind only, so that no test of sets uses them (baseline): 4 of 27 (15%)"


@pytest.mark.parametrize("test", ["van_elteren", "conditional_logistic", "stratified_permutation"])
def test_strata_of_one_kind_are_not_analysed(test):
    analysis = in_strata(cc.Plan(cc.Baseline(test=test), None, None))
    steps = flow_frame(analysis).set_index("step")
    assert steps.loc["with a sample at baseline"].tolist() == [50, 27, 23]
    for step in ("in a stratum with both kinds", "analysed", "of these with a sample at v0"):
        assert steps.loc[step].tolist() == [46, 23, 23]
    row = analysis.baseline.table.iloc[0]
    assert [row["n_case"], row["n_control"]] == [23, 23]
    text = one(analysis, "Strata of one kind: ")
    assert text == f"Strata of one kind: {NOT_USED} cases (x) and 0 of 23 (0%) controls (y)."
    assert words(only(flow_section(analysis))).startswith(f"No subject was left out of the study. {NOT_USED}")
    facts = facts_of(analysis)
    assert facts["n_used"] == "46"
    assert facts["left_out"] == ("No subject of the file was left out; 4 subjects stand in strata (of decade) of one kind only")


def test_changes_within_groups_take_strata_of_one_kind():
    plan = cc.Plan(cc.Baseline(test="van_elteren"), cc.ChangeWithin(), None)
    analysis = in_strata(plan, visits=("v0", "v1"))
    steps = flow_frame(analysis).set_index("step")
    assert steps.loc["analysed"].tolist() == [50, 27, 23]
    assert steps.iloc[-1].tolist() == [46, 23, 23]
    assert steps.index[-1] == "in a stratum with both kinds"
    assert NOT_USED in one(analysis, "Strata of one kind")
    assert facts_of(analysis)["n_used"] == "50"


@pytest.mark.parametrize("other", ["welch", "linear_model"])
def test_other_tests_take_strata_of_one_kind(other):
    analysis = in_strata(cc.Plan(cc.Baseline(test=other), None, None))
    assert flow_frame(analysis).set_index("step").loc["analysed"].tolist() == [50, 27, 23]
    assert not flow_frame(analysis)["step"].str.contains("stratum").any()
    assert not said(analysis, "Strata of one kind")
    assert words(only(flow_section(analysis))) == "No subject was left out."


def test_a_linear_model_takes_strata_of_one_kind_and_learns_no_difference_by_them():
    analysis = in_strata(cc.Plan(cc.Baseline(test="stratified"), None, None))
    row = analysis.baseline.table.iloc[0]
    assert [row["n_case"], row["n_control"]] == [27, 23]
    assert flow_frame(analysis).set_index("step").loc["analysed"].tolist() == [50, 27, 23]
    assert "so that a linear model with effects of strata learns of no difference by them (baseline): 4 of 27" in one(
        analysis, "Strata of one kind"
    )


def test_who_stands_in_no_known_stratum():
    analysis = in_strata(cc.Plan(cc.Baseline(test="van_elteren"), None, None), unknown="s0")
    assert flow_frame(analysis).set_index("step").loc["analysed"].tolist() == [45, 22, 23]
    assert "5 subjects stand in strata (of decade) of one kind only, or in none that is known (1), so that" in one(
        analysis, "Strata of one kind"
    )


def test_strata_of_both_kinds_have_the_row_and_no_limitation():
    analysis = of_sets(12, test="van_elteren", strata=("sex",))
    assert flow_frame(analysis).set_index("step").loc["in a stratum with both kinds"].tolist() == [36, 12, 24]
    assert not said(analysis, "Strata of one kind")
    assert words(only(flow_section(analysis))) == "No subject was left out."
