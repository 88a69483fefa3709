"""plate_check: counts, the comparison without and with plate, what plates do, and what it says."""

from __future__ import annotations

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import cytokine_cc as cc


def study(
    plates, *, n=(6, 6), shift=0.0, plate_shift=0.0, limits=None, design=None, read=None, seed=1, m=4, **samples
) -> cc.Study:
    """One row a subject, cases first; log-normal analytes, moved by group and by plate."""
    rng = np.random.default_rng(seed)
    case, plate = np.repeat([1.0, 0.0], n), np.asarray(plates, dtype=object)
    moved = shift * case + plate_shift * (plate == plate[0])
    values = {f"A{j}": np.exp(3 + 0.4 * rng.standard_normal(sum(n)) + moved) for j in range(m)}
    frame = pd.DataFrame({"subject": [f"s{i}" for i in range(sum(n))], "plate": plate, **samples})
    frame["group"] = np.where(case == 1, "case", "control")
    for name, row in values.items():
        below = [f"<{limit:g}" if limit and value < limit else f"{value!r}" for value, limit in
                 zip(row.tolist(), limits or [0] * sum(n), strict=True)]  # fmt: skip
        frame[name] = below
    extra = {"lower_limit": "limit"} if "limit" in samples else {}
    visit = {"visit": "visit"} if "visit" in samples else {}
    panel = cc.read_panel(frame, layout="wide", analytes=list(values), plate="plate", **extra, **visit, **(read or {}))
    return cc.Study(panel, cc.Design("group", "case", "control", **(design or {})))


UNEVEN = ["p", "p", "p", "p", "q", "r", "p", "q", "q", "q", "q", "r"]


# ---------------------------------------------------------------- who lies where


def test_counts_and_association():
    data = study(UNEVEN)
    check = cc.plate_check(data)
    assert check.counts.values.tolist() == [["p", 4, 1, 0.8], ["q", 1, 4, 0.2], ["r", 1, 1, 0.5]]
    found = check.association
    want = stats.chi2_contingency(check.counts[["case", "control"]], correction=False)
    assert (found["chi_square"], found["p_value"], found["df"]) == pytest.approx((want.statistic, want.pvalue, 2), rel=1e-12)
    assert found["p_value"] == pytest.approx(data.plate_by_group, rel=1e-12)
    assert found["cramers_v"] == pytest.approx(
        stats.contingency.association(check.counts[["case", "control"]], "cramer"), rel=1e-12
    )
    assert (found["n_cells"], found["n_small"], found["n_alone"]) == (6, int((want.expected_freq < 5).sum()), 0)


def test_association_equals_that_of_the_study():
    for name in ("plate_confounded", "henry2010", "sparano2022"):
        data = cc.load_scenario(name).draw(3)
        assert cc.plate_check(data).association["p_value"] == pytest.approx(data.plate_by_group, rel=1e-12)


def test_subjects_alone_on_a_plate_are_counted():
    plates = ["p"] * 3 + ["q"] * 3 + ["p"] * 4 + ["r"] * 2
    found = cc.plate_check(study(plates))
    assert found.association["n_alone"] == 5
    assert "5 subjects on plates without the other group say nothing of it once plate is in the test." in found.describe()


def test_subjects_without_a_plate_are_left_out_of_both_tests():
    plates = ["p", "", "p", "q", "NA", "q", "p", "q", "q", "q", None, "p"]
    data = study(plates)
    check = cc.plate_check(data)
    assert check.counts.values.tolist() == [["p", 2, 2, 0.5], ["q", 2, 3, 0.4]]
    assert check.meta["n_without_plate"] == 3
    known = [name for name, plate in zip(data.subjects.index, plates, strict=True) if plate in ("p", "q")]
    results = cc.compare_baseline(data.select(subjects=known), test="linear_model")
    np.testing.assert_array_equal(check.table["p_value_without"], results.table["p_value"])
    assert check.describe().endswith("Left out: 3 subjects without a plate.")


def test_matched_sets():
    sets = [*range(6)] * 2
    plates = ["p", "p", "p", "q", "q", "q", "p", "p", "q", "q", "q", "p"]
    check = cc.plate_check(study(plates, set=sets, design={"matched_set": "set"}))
    assert (check.association["n_sets"], check.association["n_sets_on_one_plate"]) == (6, 4)
    assert "Of 6 matched sets 4 lie on one plate each, where a test within sets is free of plate" in check.describe()
    assert check.table["note"].str.contains("matched sets ignored").all()
    pd.testing.assert_frame_equal(check.table.drop(columns="note"), cc.plate_check(study(plates)).table.drop(columns="note"))


# ---------------------------------------------------------------- without and with plate


@pytest.mark.parametrize("adjust", ["BH", "none"])
def test_answers_are_those_of_compare_baseline(adjust):
    data = cc.load_scenario("plate_confounded").draw(1)
    check = cc.plate_check(data, below_limit="limit", adjust=adjust)
    for key, covariates in (("without", ()), ("with", ("plate",))):
        results = cc.compare_baseline(data, test="linear_model", below_limit="limit", adjust=adjust, covariates=covariates)
        for name in ("estimate", "conf_low", "conf_high", "p_value", "p_adjusted"):
            np.testing.assert_array_equal(check.table[f"{name}_{key}"], results.table[name])
    np.testing.assert_array_equal(check.table["note"], results.table["note"])
    np.testing.assert_allclose(check.table["change"], check.table["estimate_with"] / check.table["estimate_without"])
    raw = cc.plate_check(data, scale="raw", below_limit="limit").table
    np.testing.assert_allclose(raw["change"], raw["estimate_with"] - raw["estimate_without"])


def test_verdicts():
    """A plate that lies higher makes a difference between groups, or hides one."""
    plates = ["p"] * 9 + ["q"] * 3 + ["p"] * 3 + ["q"] * 9
    lost = cc.plate_check(study(plates, n=(12, 12), plate_shift=3.0, m=3))
    assert lost.table["verdict"].tolist() == ["lost"] * 3
    assert "3 no longer significant (A0, A1 and A2) and 0 either way." in lost.describe()
    gained = cc.plate_check(study(plates, n=(12, 12), plate_shift=-3.0, shift=1.5, m=3))
    assert gained.table["verdict"].tolist() == ["gained"] * 3
    assert "3 only now significant (A0, A1 and A2) and 0 either way. Where plate and group are tangled" in gained.describe()
    assert (gained.table["change"] > 2).all()
    same = cc.plate_check(study(plates, n=(12, 12), shift=3.0, m=3))
    assert same.table["verdict"].tolist() == ["same"] * 3
    assert "no verdict changes, 3 of 3 significant." in same.describe()


def test_plates_make_false_positives_and_the_test_with_plate_does_not():
    scenario = cc.load_scenario("plate_confounded")
    tables = [cc.plate_check(scenario.draw(5, k), below_limit="limit").table for k in range(30)]
    without, with_plate = (np.mean([table[name] <= 0.05 for table in tables]) for name in ("p_value_without", "p_value_with"))
    assert without > 0.09
    assert with_plate < 0.07


def test_plate_tells_group():
    plates = ["p"] * 3 + ["q"] * 3 + ["r"] * 6
    check = cc.plate_check(study(plates))
    assert check.meta["confounded"]
    assert check.association["cramers_v"] == pytest.approx(1)
    numbers = [f"{name}_with" for name in ("estimate", "conf_low", "conf_high", "p_value", "p_adjusted")]
    assert check.table[[*numbers, "plate_p_value"]].isna().all(axis=None)
    assert check.table["verdict"].tolist() == ["not tested"] * 4
    assert check.table["note"].str.contains("not tested: the covariates already tell cases from controls").all()
    text = check.describe()
    assert "no plate holds both." in text
    assert text.endswith("No analysis of these data can tell a difference between the groups from one between the plates.")
    assert "plate tells group" in repr(check)


def test_one_plate():
    check = cc.plate_check(study(["p"] * 12))
    assert "6 cases and 6 controls were all measured on one plate." in check.describe()
    assert np.isnan([check.association[name] for name in ("chi_square", "p_value", "cramers_v")]).all()
    assert check.table["plate_p_value"].isna().all()
    np.testing.assert_array_equal(check.table["p_value_with"], check.table["p_value_without"])


# ---------------------------------------------------------------- what plates do


def test_f_test_of_plate_given_group():
    data = study(UNEVEN, plate_shift=0.8)
    frame = data.panel.values
    check = cc.plate_check(data)
    case, plate = np.repeat([1.0, 0.0], 6), np.array(UNEVEN)
    dummies = [(plate == name).astype(float) for name in ("q", "r")]
    for j, name in enumerate(data.analytes):
        y = np.log2(frame[name].to_numpy(dtype=float))
        small, large = np.column_stack([np.ones(12), case]), np.column_stack([np.ones(12), case, *dummies])
        ss = [float(np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)) for x in (small, large)]
        f = (ss[0] - ss[1]) / 2 / (ss[1] / 8)
        assert check.table["plate_p_value"].iloc[j] == pytest.approx(stats.f.sf(f, 2, 8), rel=1e-10)


def test_f_test_with_missing_values_has_the_plates_that_are_left():
    data = study(UNEVEN, plate_shift=0.5)
    values = data.panel.values["A0"].to_numpy(dtype=float)
    cells = [f"{value!r}" if plate != "r" else "" for value, plate in zip(values.tolist(), UNEVEN, strict=True)]
    frame = pd.DataFrame(
        {"subject": range(12), "plate": UNEVEN, "group": ["case"] * 6 + ["control"] * 6, "A0": cells, "A1": values}
    )
    panel = cc.read_panel(frame, layout="wide", analytes=["A0", "A1"], plate="plate")
    check = cc.plate_check(cc.Study(panel, cc.Design("group", "case", "control")))
    kept = [i for i, plate in enumerate(UNEVEN) if plate != "r"]
    y, case, q = np.log2(values[kept]), np.repeat([1.0, 0.0], 6)[kept], np.array(UNEVEN)[kept] == "q"
    small, large = np.column_stack([np.ones(10), case]), np.column_stack([np.ones(10), case, q])
    ss = [float(np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)) for x in (small, large)]
    f = (ss[0] - ss[1]) / (ss[1] / 7)
    assert check.table["plate_p_value"].iloc[0] == pytest.approx(stats.f.sf(f, 1, 7), rel=1e-10)


def test_limits_and_shares_below_by_plate():
    limit = [{"p": 8.0, "q": 20.0, "r": np.nan}[plate] for plate in UNEVEN]
    stated = [0.0 if np.isnan(value) else value for value in limit]
    data = study(UNEVEN, limits=stated, limit=limit)
    table = cc.plate_check(data).table
    np.testing.assert_allclose(table["limit_ratio"], 2.5)
    for j, name in enumerate(data.analytes):
        below = (data.panel.state[name] == cc.State.BELOW).to_numpy()
        shares = [below[np.array(UNEVEN) == plate].mean() for plate in "pqr"]
        assert table[["below_low", "below_high"]].iloc[j].tolist() == [min(shares), max(shares)]
    assert "Limits of detection differ between plates in 4 analytes, up to 2.5-fold." in cc.plate_check(data).describe()


def test_limits_of_logged_values_differ_by_a_factor():
    limit = [{"p": 1.0, "q": 3.0, "r": 1.0}[plate] for plate in UNEVEN]
    table = cc.plate_check(study(UNEVEN, limit=limit, read={"logged": "log2"})).table
    np.testing.assert_allclose(table["limit_ratio"], 4.0)


def test_limits_that_nobody_states():
    table = cc.plate_check(study(UNEVEN)).table
    assert table["limit_ratio"].isna().all()
    assert (table[["below_low", "below_high"]] == 0).all(axis=None)


def test_a_baseline_of_several_visits():
    """A subject counts on the plate of its last sample; the columns of plate are averaged, as values are."""
    subject, visit = np.tile(np.arange(12), 2), np.repeat(["a", "b"], 12)
    rng = np.random.default_rng(4)
    frame = pd.DataFrame(
        {"subject": subject, "visit": visit, "A": np.exp(rng.standard_normal(24)), "B": np.exp(rng.standard_normal(24))}
    )
    frame["group"] = np.where(subject < 6, "case", "control")
    frame["plate"] = [*UNEVEN, *UNEVEN[::-1]]
    panel = cc.read_panel(frame, layout="wide", analytes=["A", "B"], plate="plate", visit="visit")
    check = cc.plate_check(cc.Study(panel, cc.Design("group", "case", "control", baseline=("a", "b"))))
    assert check.counts.values.tolist() == [["p", 1, 4, 0.2], ["q", 4, 1, 0.8], ["r", 1, 1, 0.5]]
    y = np.log2(frame["A"].to_numpy()).reshape(2, 12).mean(axis=0)
    case = np.repeat([1.0, 0.0], 6)
    share = [np.mean([np.array(UNEVEN) == name, np.array(UNEVEN[::-1]) == name], axis=0) for name in ("p", "q")]
    small, large = np.column_stack([np.ones(12), case]), np.column_stack([np.ones(12), case, *share])
    rank = np.linalg.matrix_rank(large) - 2
    ss = [float(np.sum((y - x @ np.linalg.lstsq(x, y, rcond=None)[0]) ** 2)) for x in (small, large)]
    f = (ss[0] - ss[1]) / rank / (ss[1] / (10 - rank))
    assert check.table["plate_p_value"].iloc[0] == pytest.approx(stats.f.sf(f, rank, 10 - rank), rel=1e-9)


# ---------------------------------------------------------------- words


def test_in_words():
    text = cc.plate_check(cc.load_scenario("plate_confounded").draw(1)).describe()
    assert text.startswith(
        "The data are simulated (scenario plate_confounded, seed 1, replicate 0): no person stands behind them."
    )
    assert (
        "At baseline, 30 cases and 22 controls lie on 2 plates, and cases are 30% to 79% of a plate (Cramer's V 0.49; "
        "chi-square p = 0.000395): more uneven than chance usually makes it. Given group, 5 of 36 analytes differ between "
        "plates at p <= 0.05 (by chance alone about 2). Limits of detection differ between plates in 24 analytes, up to 3-fold. "
        "With plate in the test (linear_model, BH-adjusted p <= 0.05): no verdict changes, 0 of 36 significant. Where plate and "
        "group are tangled, that is the test to trust."
    ) in text
    rough = cc.plate_check(study(UNEVEN), adjust="none").describe()
    assert "rough: 6 of 6 expected counts are below 5): no sign of more than chance." in rough
    assert "(linear_model, p <= 0.05)" in rough


def test_in_a_notebook_and_a_terminal():
    check = cc.plate_check(study(["<p>" if plate == "p" else plate for plate in UNEVEN], m=20))
    html = check._repr_html_()
    assert "&lt;p&gt;" in html
    assert "<p>p</p>" not in html
    assert "Samples at baseline" in html
    text = repr(check)
    assert text.startswith("<PlateCheck: 3 plates; 0 of 20 verdicts changed by plate>\nSamples at baseline:\n")
    assert text.endswith("... 8 more")
    assert max(map(len, text.splitlines())) <= 160


def test_it_travels():
    check = cc.plate_check(study(UNEVEN))
    again = pickle.loads(pickle.dumps(check))
    pd.testing.assert_frame_equal(again.table, check.table)
    assert again.describe() == check.describe()


# ---------------------------------------------------------------- errors


def test_a_study_without_plates():
    frame = pd.DataFrame({"subject": list("abcd"), "group": ["case", "control"] * 2, "X": [1.0, 2, 3, 4]})
    data = cc.Study(cc.read_panel(frame, layout="wide", analytes=["X"]), cc.Design("group", "case", "control"))
    message = "the study has no plates. Name their column with read_panel(plate=...) (in a study file: plate in [data])."
    with pytest.raises(cc.OptionError, match=re.escape(message)):
        cc.plate_check(data)


def test_a_group_without_plates():
    with pytest.raises(cc.OptionError, match=r"plate_check\(\): no control has a plate at .*. Fill in the column of plates."):
        cc.plate_check(study(["p", "p", "p", "q", "q", "q", *[""] * 6]))


@pytest.mark.parametrize("test", ["welch", "paired_t", "anova", np.mean])
def test_a_test_without_covariates(test):
    with pytest.raises(
        cc.OptionError, match=r"plate_check\(\) puts plate into the test: `test` must be one of .*'linear_model'.*; got "
    ):
        cc.plate_check(study(UNEVEN), test=test)


def test_not_a_study():
    with pytest.raises(cc.OptionError, match="`study` must be a Study; got DataFrame. Make one with Study"):
        cc.plate_check(pd.DataFrame())


def test_bad_options():
    with pytest.raises(cc.OptionError, match="`alpha` must be a number between 0 and 1"):
        cc.plate_check(study(UNEVEN), alpha=5)
    with pytest.raises(cc.OptionError, match="Did you mean 'BH'"):
        cc.plate_check(study(UNEVEN), adjust="fdr")
