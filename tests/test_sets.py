"""Matched sets of any size, strata of frequency matching, and subjects who lack a visit: from a file to a table of results."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS

SETS = [name for name, entry in TESTS.items() if entry.sets]
VISITS = [name for name, entry in TESTS.items() if "visits" in entry.takes]


def table(seed: int = 1, n_sets: int = 10) -> pd.DataFrame:
    """Sets of 1:1, 1:2, 2:2, 2:3 ... at two visits, two analytes; age is one within a set, sex is not."""
    rng = np.random.default_rng(seed)
    rows = []
    for k in range(n_sets):
        shared = rng.normal(0, 0.5)
        for role, number in (("case", 1 + k % 2), ("control", 1 + k % 3)):
            for i in range(number):
                person = rng.normal(0, 0.4, 2)
                for visit in ("before", "after"):
                    for j, analyte in enumerate(("A", "B")):
                        y = 1 + shared + person[j] + rng.normal(0, 0.3) + 0.4 * (role == "case")
                        who = f"{k}{role}{i}", visit, role, f"set {k}", 50 + k, "fm"[(k + i) % 2], "xyz"[k % 3]
                        rows.append((*who, analyte, np.exp(y)))
    return pd.DataFrame(rows, columns=["subject", "visit", "role", "set", "age", "sex", "clinic", "analyte", "value"])


def study(data: pd.DataFrame, **design) -> cc.Study:
    panel = cc.read_panel(data, layout="long")
    more = design or {"matched_set": "set"}
    return cc.Study(panel, cc.Design("role", "case", "control", baseline="before", **more))


def blank(data: pd.DataFrame, subject: str, analyte: str, visit: str) -> pd.DataFrame:
    cell = (data["subject"] == subject) & (data["analyte"] == analyte) & (data["visit"] == visit)
    assert cell.sum() == 1
    return data.assign(value=data["value"].where(~cell))


def ask(data: cc.Study, test: str, **options) -> cc.Results:
    more = {"seed": 3, "n_resamples": 500} if "resamples" in TESTS[test].takes else {}
    return cc.compare_baseline(data, test=test, adjust="none", **more, **options)


@pytest.mark.parametrize("test", SETS)
def test_every_cell_is_used_or_listed(test):
    data = blank(blank(table(), "3case0", "A", "before"), "0case0", "B", "before")
    results = ask(study(data), test)
    n = data["subject"].nunique()
    for analyte, row in results.table.set_index("analyte").iterrows():
        left_out = results.excluded["analyte"].isin([analyte, ""]).sum()
        assert row["n_case"] + row["n_control"] + left_out == n


@pytest.mark.parametrize(("test", "controls"), [("stratified", {"2"}), ("van_elteren", set()), ("conditional_logistic", set())])
def test_who_is_left_alone_in_a_set_does_not_enter(test, controls):
    """Set 2 has one case and three controls; without the case, controls still tell the variance to a linear model only."""
    data = blank(table(), "2case0", "A", "before")
    excluded = ask(study(data), test).excluded.set_index("subject")["reason"]
    own = {subject for subject in excluded.index if subject.startswith("2control")}
    assert own == (set() if controls else {"2control0", "2control1", "2control2"})
    assert excluded["2case0"] == "missing at before"
    if own:
        assert excluded["2control0"] == "no value of a case, or of a control, in the matched set"


def test_a_lone_member_is_listed():
    data = blank(table(), "0case0", "A", "before")  # set 0 is a pair
    excluded = ask(study(data), "stratified").excluded.set_index("subject")["reason"]
    assert excluded["0control0"] == "no other value in the matched set"


@pytest.mark.parametrize("test", SETS)
def test_changes_are_compared_within_sets_too(test):
    given = study(table())
    more = {"seed": 3, "n_resamples": 500} if "resamples" in TESTS[test].takes else {}
    changes = cc.change_between(given, test=test, **more).table
    data = table()
    wide = data.pivot_table(index=["subject", "role", "set", "analyte"], columns="visit", values="value").reset_index()
    alone = wide.assign(value=wide["after"] / wide["before"], visit="before").drop(columns=["before", "after"])
    same = ask(study(alone), test).table
    np.testing.assert_allclose(changes["p_value"], same["p_value"], rtol=1e-9)
    assert changes["contrast"].unique().tolist() == ["change: case / control"]


def test_pairs_make_stratified_the_paired_t():
    data = table()
    data = data[data["subject"].str.contains("case0|control0")]
    ours, theirs = (ask(study(data), test).table for test in ("stratified", "paired_t"))
    for column in ("estimate", "conf_low", "conf_high", "p_value", "df"):
        np.testing.assert_allclose(ours[column], theirs[column], rtol=1e-10)


@pytest.mark.parametrize("test", [name for name in SETS if "covariates" in TESTS[name].takes])
def test_a_covariate_that_is_one_within_sets_is_dropped_and_said(test):
    without, with_age = ask(study(table()), test).table, ask(study(table()), test, covariates=("age",)).table
    pd.testing.assert_frame_equal(without[["estimate", "p_value"]], with_age[["estimate", "p_value"]], rtol=1e-9)
    assert with_age["note"].str.contains("age adjusts for nothing here: it does not vary, or only between sets").all()
    with_sex = ask(study(table()), test, covariates=("sex",)).table
    assert not with_sex["note"].str.contains("adjusts for nothing").any()
    assert (with_sex["p_value"] != without["p_value"]).all()


def test_odds_ratios_are_per_doubling_whatever_the_log():
    rows = [ask(study(table()), "conditional_logistic", scale=scale).table for scale in ("log2", "ln", "log10")]
    for column in ("estimate", "conf_low", "conf_high", "p_value"):
        for other in rows[1:]:
            np.testing.assert_allclose(rows[0][column], other[column], rtol=1e-8)
    assert set(rows[0]["estimand"]) == {"odds ratio per doubling"}
    raw = ask(study(table()), "conditional_logistic", scale="raw").table
    assert set(raw["estimand"]) == {"odds ratio per unit"}
    assert set(raw["contrast"]) == {"case - control"}


def test_an_odds_ratio_that_no_number_holds_is_said():
    data = table()
    tiny = ask(study(data.assign(value=data["value"] * 1e-9)), "conditional_logistic", scale="raw").table
    assert tiny["note"].str.contains("odds ratio per unit is too far from 1 to be written as a number: use a larger unit").all()
    assert not ask(study(data), "conditional_logistic", scale="raw").table["note"].str.contains("too far").any()
    p = [
        ask(study(data.assign(value=data["value"] * f)), "conditional_logistic", scale="raw").table["p_value"] for f in (1, 1e-9)
    ]
    np.testing.assert_allclose(*p, rtol=1e-7)


# ---------------------------------------------------------------- strata of frequency matching


@pytest.mark.parametrize("test", SETS)
def test_what_groups_were_matched_on_makes_strata(test):
    data = table()
    by_strata = ask(study(data, matched_on=("sex", "clinic")), test).table
    strata = data.assign(stratum=data["sex"] + data["clinic"])
    by_sets = ask(study(strata, matched_set="stratum"), test).table
    columns = ["n_case", "n_control", "estimate"]
    columns += ["conf_low", "p_value"] * ("resamples" not in TESTS[test].takes)  # drawn in another order
    pd.testing.assert_frame_equal(by_strata[columns], by_sets[columns], rtol=1e-12)
    assert by_strata["note"].str.contains("sets are strata of sex, clinic").all()
    assert not by_strata["note"].str.contains("not adjusted").any()


def test_matching_variables_left_out_are_noted():
    given = study(table(), matched_on=("sex", "clinic"))
    assert set(cc.compare_baseline(given).table["note"]) == {"matching variables not adjusted for: sex, clinic"}
    assert set(cc.compare_baseline(given, test="linear_model", covariates=("sex",)).table["note"]) == {
        "matching variables not adjusted for: clinic"
    }
    plan = cc.Plan(baseline=cc.Baseline(test="van_elteren"), change_within=None, change_between=None)
    assert "within strata of sex and clinic by van Elteren's test" in cc.analyze(given, plan).describe()


def test_who_is_left_alone_in_a_stratum_is_listed():
    data = table()
    data.loc[data["subject"] == "3control0", "clinic"] = "w"
    reasons = {
        test: ask(study(data, matched_on=("clinic",)), test).excluded.set_index("subject")["reason"].unique().tolist()
        for test in ("stratified", "van_elteren")
    }
    assert reasons == {
        "stratified": ["no other value in the stratum"],
        "van_elteren": ["no value of a case, or of a control, in the stratum"],
    }


def test_who_lacks_a_matching_variable_is_in_no_stratum():
    data = table()
    data.loc[data["subject"] == "3case0", "clinic"] = ""
    results = ask(study(data, matched_on=("clinic",)), "stratified")
    assert results.excluded.set_index("subject").loc["3case0", "reason"].unique().tolist() == ["no value of clinic"]


def test_measured_numbers_make_no_strata():
    data = table(n_sets=16)
    with pytest.raises(
        cc.OptionError, match=r"strata of 'age': it holds 16 different numbers.*ten-year bands.*covariates=\('age',\)"
    ):
        ask(study(data, matched_on=("age",)), "stratified")


# ---------------------------------------------------------------- refusals


@pytest.mark.parametrize("test", SETS)
def test_sets_are_asked_for(test):
    given = cc.Study(cc.read_panel(table(), layout="long"), cc.Design("role", "case", "control", baseline="before"))
    with pytest.raises(cc.OptionError, match="names no matched sets") as caught:
        ask(given, test)
    assert "matched_set=..." in str(caught.value)
    assert "matched_on=..." in str(caught.value)
    assert "'welch'" in str(caught.value)


def test_pairs_are_not_made_of_larger_sets():
    with pytest.raises(cc.OptionError, match="needs one case and one control") as caught:
        ask(study(table()), "paired_t")
    for name in SETS:
        assert repr(name) in str(caught.value)


def test_an_unmatched_test_is_told_what_would_serve():
    with pytest.raises(cc.OptionError, match="would ignore the matched sets") as caught:
        ask(study(table()), "welch")
    assert "'stratified'" in str(caught.value)
    assert "'paired_t'" not in str(caught.value)


# ---------------------------------------------------------------- resampling


def test_a_seed_that_is_not_given_is_told():
    given = study(table(n_sets=14))
    first = cc.compare_baseline(given, test="stratified_permutation", n_resamples=99)
    seed = first.meta["seed"]
    again = cc.compare_baseline(given, test="stratified_permutation", n_resamples=99, seed=seed)
    pd.testing.assert_frame_equal(first.table, again.table)
    assert first.meta["plan"]["seed"] == seed
    assert set(first.table["method"]) == {"99 permutations within sets"}
    assert cc.compare_baseline(given, test="stratified_permutation", n_resamples=99).meta["seed"] != seed
    drawn = {
        cc.compare_baseline(given, test="stratified_permutation", n_resamples=999, seed=k).table["p_value"][1] for k in range(5)
    }
    assert len(drawn) > 1


def test_describe_tells_resamples_and_seed():
    question = cc.Baseline(test="stratified_permutation", n_resamples=2000, seed=5)
    text = cc.Plan(baseline=question, change_within=None, change_between=None).describe()
    assert "all arrangements where there are no more than 2,000, else as many at random, seed 5" in text
    assert "without effect" not in text
    analysis = cc.analyze(study(table(n_sets=14)), cc.Plan(baseline=question, change_within=None, change_between=None))
    assert "all p-values rest on random arrangements" in analysis.describe()


# ---------------------------------------------------------------- subjects who lack a visit


@pytest.fixture
def semi_paired() -> pd.DataFrame:
    """One subject without a baseline sample, one without a later one, one without a value at baseline."""
    data = blank(table(), "4case0", "A", "before")
    gone = ((data["subject"] == "6control0") & (data["visit"] == "before")) | (
        (data["subject"] == "7case0") & (data["visit"] == "after")
    )
    return data[~gone]


@pytest.mark.parametrize("test", VISITS)
def test_models_of_all_visits_take_who_lacks_one(test, semi_paired):
    results = cc.change_between(study(semi_paired, matched_on=("sex",)), test=test)
    n = semi_paired.drop_duplicates("subject")["role"].value_counts()
    assert (results.table["n_case"] == n["case"]).all()
    assert (results.table["n_control"] == n["control"]).all()
    assert not len(results.excluded)
    notes = results.table.set_index("analyte")["note"]
    assert "subjects who lack a visit and enter by the others: 3" in notes["A"]
    assert "subjects who lack a visit and enter by the others: 2" in notes["B"]


def test_others_list_who_lacks_one(semi_paired):
    results = cc.change_between(study(semi_paired, matched_on=("sex",)))
    reasons = results.excluded.set_index(["subject", "analyte"])["reason"]
    assert reasons["7case0", ""] == "no sample at after"
    assert reasons["4case0", "A"] == "missing at before"
    assert set(reasons["6control0"]) == {"no sample at baseline"}


@pytest.mark.parametrize("test", VISITS)
def test_who_has_no_visit_of_the_model_is_listed(test, semi_paired):
    third = semi_paired[semi_paired["visit"] == "after"].assign(visit="late")
    data = pd.concat([semi_paired, third])
    data = data[~((data["subject"] == "6control0") & (data["visit"] == "after"))]
    given = cc.Study(cc.read_panel(data, layout="long"), cc.Design("role", "case", "control", baseline="before"))
    results = cc.change_between(given, test=test, visits=("after",))
    assert set(results.excluded["subject"]) == {"6control0"}
    everyone = cc.change_between(given, test=test)
    assert not len(everyone.excluded)


@pytest.mark.parametrize("covariates", [("age",), ("sex",), ("age", "clinic")])
@pytest.mark.parametrize("test", VISITS)
def test_covariates_leave_semi_paired_subjects_in(test, covariates, semi_paired):
    given = study(semi_paired, matched_on=("sex",))
    results = cc.change_between(given, test=test, covariates=covariates)
    n = semi_paired.drop_duplicates("subject")["role"].value_counts()
    assert (results.table[["n_case", "n_control"]] == [n["case"], n["control"]]).all(axis=None)
    assert not len(results.excluded)
    assert not results.table["note"].str.contains("adjusts for nothing").any()


@pytest.fixture
def plates(semi_paired) -> pd.DataFrame:
    """Two plates; one sample of a subject with two, and the only one of another, are on none that is known."""
    rng = np.random.default_rng(3)
    own = semi_paired.drop_duplicates(["subject", "visit"])[["subject", "visit"]].reset_index(drop=True)
    own["plate"] = rng.choice(["p1", "p2"], len(own))
    blank = ((own["subject"] == "3control0") & (own["visit"] == "before")) | (own["subject"] == "7case0")
    return semi_paired.merge(own.assign(plate=own["plate"].where(~blank, "")))


def on_plates(data: pd.DataFrame, **analytes) -> cc.Study:
    panel = cc.read_panel(data, layout="long", plate="plate").select(**analytes)
    return cc.Study(panel, cc.Design("role", "case", "control", baseline="before"))


@pytest.mark.parametrize("test", VISITS)
def test_a_sample_without_a_plate_does_not_enter_where_plate_is_a_covariate(test, plates):
    n = plates["subject"].nunique()
    results = cc.change_between(on_plates(plates), test=test, covariates=("plate",))
    assert set(results.excluded["subject"]) == {"7case0"}  # nothing is left of this subject
    assert results.excluded["reason"].str.contains("no value of plate").all()
    assert (results.table["n_case"] + results.table["n_control"] == n - 1).all()
    assert results.table["note"].str.contains("values of samples without a plate, which do not enter: 1").all()
    known = plates[plates["plate"] != ""]
    same = cc.change_between(on_plates(known), test=test, covariates=("plate",)).table
    pd.testing.assert_frame_equal(
        results.table[["estimate", "std_error", "df"]], same[["estimate", "std_error", "df"]], rtol=1e-9
    )
    assert not same["note"].str.contains("without a plate").any()
    assert (cc.change_between(on_plates(plates), test=test).table[["n_case", "n_control"]].sum(axis=1) == n).all()


@pytest.mark.parametrize("test", VISITS)
def test_a_plate_that_is_not_known_costs_other_analytes_nothing(test, plates):
    plates.loc[(plates["subject"] == "3control0") & (plates["visit"] == "before") & (plates["analyte"] == "A"), "value"] = np.nan
    both = cc.change_between(on_plates(plates), test=test, covariates=("plate",)).table.iloc[:1]
    alone = cc.change_between(on_plates(plates, analytes=["A"]), test=test, covariates=("plate",)).table
    columns = ["n_case", "n_control", "estimate", "std_error", "df", "p_value"]
    pd.testing.assert_frame_equal(both[columns], alone[columns], check_exact=True)


def test_a_covariate_that_nobody_has_is_said():
    data = table()
    data["clinic"] = np.where(data["visit"] == "before", "", data["clinic"])
    row = ask(study(data, matched_on=("sex",)), "linear_model", covariates=("clinic",)).table.iloc[0]
    assert np.isnan(row["p_value"])
    assert "no subject has a value of clinic" in row["note"]
    assert "adjusts for nothing" not in row["note"]


def test_the_wider_study_is_the_same_where_nobody_lacks_a_baseline():
    given = study(table())
    assert given.with_semi_paired is given
