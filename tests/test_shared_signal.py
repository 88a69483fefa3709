"""common_shift: components and the comparison beyond them against R, what it is for, and what it says."""

from __future__ import annotations

import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.kernels.linear import linear_model
from cytokine_cc.principal import components_of, galwey, li_ji, noise_edge, scores_without, standardised

HERE = Path(__file__).parent / "reference"
AFTER = ["estimate", "conf_low", "conf_high", "p_value"]


@cache
def from_r(name: str) -> pd.DataFrame:
    """Read every digit, which read_csv by default does not in all versions of pandas."""
    cells = pd.read_csv(HERE / f"{name}.csv", dtype=str, keep_default_na=False)
    return cells.apply(lambda column: column if column.str.contains("[A-DF-Za-df-z]").any() else column.map(number))


def number(cell: str) -> float:
    return float(cell) if cell else np.nan


def study(columns: dict, *, cases: int | None = None, design: dict | None = None, **samples) -> cc.Study:
    """One row a subject, the first ones cases: half of them, unless `cases` says how many."""
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"subject": [f"s{i}" for i in range(n)], **samples, **columns})
    frame["group"] = np.where(np.arange(n) < (n // 2 if cases is None else cases), "case", "control")
    panel = cc.read_panel(frame, layout="wide", analytes=list(columns))
    return cc.Study(panel, cc.Design("group", "case", "control", **(design or {})))


def drawn(seed: int, *, n: int = 40, m: int = 6, shift=0.0, shared: float = 0.7) -> dict[str, np.ndarray]:
    """Columns of log-normal values that share one factor."""
    rng = np.random.default_rng(seed)
    y = shared * rng.standard_normal(n) + np.sqrt(1 - shared**2) * rng.standard_normal((m, n))
    y[:, : n // 2] += np.broadcast_to(shift, m)[:, None]
    return {f"A{j}": np.exp(3 + row) for j, row in enumerate(y)}


# ---------------------------------------------------------------- effective number of tests


@pytest.mark.parametrize("name", from_r("effective_tests")["matrix"])
def test_effective_numbers_equal_r(name):
    cells = from_r("effective_tests_data")
    matrix = cells[cells["matrix"] == name].pivot(index="row", columns="column", values="r").to_numpy()
    row = from_r("effective_tests").set_index("matrix").loc[name]
    values, _ = components_of(matrix)
    assert values[-1] == pytest.approx(row["least"], rel=1e-10, abs=1e-12)
    np.testing.assert_allclose([li_ji(values), galwey(values)], row[["li_ji", "galwey"]].astype(float), rtol=1e-10, atol=0)


def test_effective_numbers_of_known_matrices():
    table = from_r("effective_tests").set_index("matrix")
    assert table.loc["identity", ["li_ji", "galwey"]].tolist() == [8, 8]
    assert table.loc["ones", ["li_ji", "galwey"]].tolist() == [1, 1]
    assert table.loc["blocks", "li_ji"] == 3  # as many as there are blocks
    assert table.loc["pairwise", "least"] < 0
    values = components_of(np.ones((30, 30)))[0]
    assert (li_ji(values), round(galwey(values), 12)) == (1.0, 1.0)


def test_negative_eigenvalues_count_as_the_papers_have_it():
    assert li_ji([2.5, 1.0, -0.5]) == pytest.approx(1.5 + 1 + 0.5)
    assert galwey([4.0, 1.0, -0.5]) == pytest.approx(9 / 5)


def test_noise_edge_bounds_eigenvalues_of_uncorrelated_analytes():
    rng = np.random.default_rng(3)
    case = np.arange(200) < 100
    values = components_of(standardised(rng.standard_normal((100, 200)), case).within)[0]
    assert 0.88 * noise_edge(100, 198) < values[0] < 1.03 * noise_edge(100, 198)


# ---------------------------------------------------------------- components


@cache
def r_study(kind: str) -> cc.Study:
    cells = from_r("common_shift_data")
    frame = cells[cells["kind"] == kind].drop(columns="kind")
    panel = cc.read_panel(frame, layout="wide", sample_columns=["group"])
    return cc.Study(panel, cc.Design("group", "case", "control"))


@pytest.mark.parametrize("kind", ["whole", "missing"])
@pytest.mark.parametrize("k", [1, 2, 3])
def test_agrees_with_r(kind, k):
    shift = cc.common_shift(r_study(kind), components=k)
    rows = from_r("common_shift")[lambda rows: (rows["kind"] == kind) & (rows["k"] == k)]
    assert shift.table["analyte"].tolist() == rows["analyte"].tolist()
    found = shift.table[["loading", *(f"{name}_after" for name in AFTER)]].to_numpy()
    np.testing.assert_allclose(found, rows[["loading", *AFTER]].to_numpy(), rtol=1e-9, atol=0)
    parts = from_r("common_shift_components")[lambda rows: rows["kind"] == kind].iloc[: len(shift.components)]
    names = ["share", "estimate", "conf_low", "conf_high", "statistic", "p_value"]
    assert len(parts) == max(2, k)
    np.testing.assert_allclose(shift.components[names], parts[names], rtol=1e-9, atol=0)
    pairs = from_r("common_shift_pairs")[lambda rows: rows["kind"] == kind]
    for table, name in ((shift.within, "r"), (shift.overall, "overall")):
        want = pairs.pivot(index="row", columns="column", values=name)
        np.testing.assert_allclose(table, want, rtol=1e-9, atol=1e-14)


def test_a_perturbed_reference_value_turns_red():
    rows = from_r("common_shift")[lambda rows: (rows["kind"] == "whole") & (rows["k"] == 1)]
    found = cc.common_shift(r_study("whole"), components=1).table["p_value_after"]
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(found, rows["p_value"] * (1 + 1e-8), rtol=1e-9, atol=0)


def one_by_one(correlation: np.ndarray, z: np.ndarray, k: int) -> np.ndarray:
    rest = [np.delete(np.arange(len(z)), j) for j in range(len(z))]
    return np.stack([components_of(correlation[np.ix_(r, r)])[1][:, :k].T @ z[r] for r in rest])


@pytest.mark.parametrize(("m", "n", "k"), [(3, 20, 2), (6, 12, 4), (36, 52, 3), (60, 30, 2)])
def test_scores_without_an_analyte_are_those_of_the_others(m, n, k):
    rng = np.random.default_rng(m)
    y = rng.standard_normal((m, 3)) @ rng.standard_normal((3, n)) + rng.standard_normal((m, n))
    y[rng.random(y.shape) < 0.03] = np.nan
    base = standardised(y, np.arange(n) < 0.6 * n)
    fast, slow = scores_without(base.within, base.z, k), one_by_one(base.within, base.z, k)
    sign = np.sign((fast * slow).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(fast * sign, slow, rtol=0, atol=1e-11)


@pytest.mark.parametrize(
    "correlation", [np.eye(4), np.ones((4, 4)), np.kron(np.eye(3), np.ones((2, 2)))], ids=["none", "all", "pairs"]
)
def test_scores_where_eigenvalues_are_equal(correlation):
    m = len(correlation)
    scores = scores_without(correlation, np.eye(m), 1)
    for j in range(m):
        loading = scores[j, 0]
        rest = np.delete(np.arange(m), j)
        most = np.linalg.eigvalsh(correlation[np.ix_(rest, rest)])[-1]
        assert loading[j] == 0
        assert loading @ loading == pytest.approx(1, abs=1e-12)
        assert loading @ correlation @ loading == pytest.approx(most, abs=1e-6)


def test_an_analyte_has_no_part_in_what_it_is_compared_at():
    rng = np.random.default_rng(5)
    y, case = rng.standard_normal((8, 30)), np.arange(30) < 16
    other = y.copy()
    other[3] = rng.standard_cauchy(30)
    before, after = (scores_without(base.within, base.z, 2)[3] for base in (standardised(y, case), standardised(other, case)))
    sign = np.sign((before * after).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(before * sign, after, rtol=0, atol=1e-11)


@pytest.mark.slow
def test_comparison_after_holds_its_level():
    """Exact given the scores: 400 draws of 8 analytes without difference, correlated .5."""
    rng = np.random.default_rng(6)
    case = np.arange(24) < 14
    rejected = []
    for _ in range(400):
        y = np.sqrt(0.5) * (rng.standard_normal(24) + rng.standard_normal((8, 24)))
        base = standardised(y, case)
        scores = scores_without(base.within, base.z, 1)
        p = linear_model(y[:, None, case], y[:, None, ~case], covariates=(scores[..., case], scores[..., ~case])).p_value
        rejected.append((p <= 0.05).mean())
    assert np.mean(rejected) == pytest.approx(0.05, abs=4 * np.std(rejected) / 20)


def test_a_difference_between_groups_makes_no_component():
    near, far = (cc.common_shift(study(drawn(7, shift=shift, shared=0.0))) for shift in (0.0, 3.0))
    np.testing.assert_allclose(far.within, near.within, atol=1e-12)
    assert far.share_first == pytest.approx(near.share_first, rel=1e-12)
    assert (far.overall.to_numpy()[~np.eye(6, dtype=bool)] > 0.4).all()
    assert far.components["share_overall"].iloc[0] > 0.6 > far.share_first


# ---------------------------------------------------------------- what it is for


@cache
def shifts(name: str) -> list[cc.CommonShift]:
    scenario = cc.load_scenario(name)
    found = [cc.common_shift(scenario.draw(2024, k)) for k in range(25)]
    return [shift for shift in found if shift.hits["before"] >= 3]


@pytest.mark.slow
def test_one_shift_of_many_analytes_is_told_from_several_differences():
    one, several = (pd.DataFrame([shift.hits for shift in shifts(name)]).sum() for name in ("common_shift", "henry2010"))
    assert min(len(shifts(name)) for name in ("common_shift", "henry2010")) >= 12
    assert one["left"] / one["before"] < 0.2
    assert several["left"] / several["before"] > 0.5


def test_more_components_leave_fewer_of_one_shift():
    left = np.sum([shift.components["hits_left"].iloc[:2] for shift in shifts("common_shift")], axis=0)
    assert left[1] < left[0]


def test_of_many_unrelated_analytes_a_difference_stays():
    shift = cc.common_shift(study(drawn(8, n=60, m=12, shared=0.0, shift=np.r_[2.0, np.zeros(11)])))
    assert shift.table.loc[shift.table["verdict"] != "", ["analyte", "verdict"]].values.tolist() == [["A0", "left"]]
    assert shift.meta["removed"] == 1


def test_pure_shift_vanishes():
    shift = cc.common_shift(study(drawn(9, n=80, m=20, shared=0.95, shift=0.95)))
    assert shift.hits[["before", "higher", "lower", "left"]].tolist() == [20, 20, 0, 0]
    assert shift.components["estimate"].iloc[0] == pytest.approx(1, abs=0.5)
    assert shift.share_first > 0.8


# ---------------------------------------------------------------- the tables


def test_before_is_what_compare_baseline_says():
    data = cc.load_study("quickstart")
    shift = cc.common_shift(data, test="mann_whitney", adjust="holm", alpha=0.01)
    results = cc.compare_baseline(data, test="mann_whitney", adjust="holm").table
    for name in ("estimate", "p_value", "p_adjusted"):
        np.testing.assert_array_equal(shift.table[f"{name}_before"], results[name])
    assert shift.hits["before"] == (results["p_adjusted"] <= 0.01).sum()
    assert (shift.meta["below_limit"], shift.meta["numbers"]) == ("lowest_rank", "half")
    np.testing.assert_array_equal(shift.within, cc.common_shift(data).within)
    np.testing.assert_array_equal(
        shift.table["p_adjusted_after"], cc.adjust_pvalues(shift.table["p_value_after"].to_numpy(), "holm")
    )


def test_thresholds():
    shift = cc.common_shift(cc.load_study("quickstart"), alpha=0.1)
    table = shift.thresholds.set_index("method")
    assert table["n_tests"].iloc[0] == 18
    assert (table["n_tests"] <= 18).all()
    np.testing.assert_allclose(table["threshold"] * table["n_tests"], 0.1, rtol=1e-14)
    for _, row in table.iterrows():
        assert row["hits"] == (shift.table["p_value_before"] <= row["threshold"]).sum()
    values = np.linalg.eigvalsh(shift.within)
    assert table.loc["Li and Ji", "n_tests"] == pytest.approx(li_ji(values))
    assert table.loc["Galwey", "n_tests"] == pytest.approx(galwey(values), rel=1e-10)


def test_scores():
    data = cc.load_study("quickstart")
    shift = cc.common_shift(data)
    scores = shift.scores
    assert scores.index.equals(data.subjects.index)
    case, control = (scores.loc[scores["role"] == role, "component 1"] for role in ("case", "control"))
    assert case.mean() - control.mean() == pytest.approx(shift.components["estimate"].iloc[0], rel=1e-12)
    pooled = np.sqrt((29 * case.var() + 21 * control.var()) / 50)
    assert pooled == pytest.approx(1, rel=1e-12)
    assert scores["component 1"].mean() == pytest.approx(0, abs=1e-12)


def test_swapping_the_groups_turns_the_signs():
    data = r_study("missing")
    there, back = cc.common_shift(data), cc.common_shift(cc.Study(data.panel, cc.Design("group", "control", "case")))
    np.testing.assert_allclose(1 / back.table["estimate_after"], there.table["estimate_after"], rtol=1e-10)
    np.testing.assert_allclose(back.table["p_value_after"], there.table["p_value_after"], rtol=1e-9)
    np.testing.assert_allclose(back.components["estimate"], -there.components["estimate"], rtol=1e-10, atol=1e-12)


def test_units_order_and_scale():
    columns = drawn(10)
    plain = cc.common_shift(study(columns))
    units = cc.common_shift(study({name: 1000 * values for name, values in reversed(columns.items())}))
    back = units.table.set_index("analyte").loc[list(columns), "p_value_after"]
    np.testing.assert_allclose(back, plain.table["p_value_after"], rtol=1e-9)
    logs = cc.common_shift(study(columns), scale="ln")
    np.testing.assert_allclose(logs.table["estimate_after"], plain.table["estimate_after"], rtol=1e-10)
    raw = cc.common_shift(study(columns), scale="raw")
    assert raw.meta["estimand"] == "difference of means"
    assert (np.abs(raw.table["estimate_after"]) > 0.1).any()


def test_what_is_not_used_is_listed():
    columns = {name: list(values) for name, values in drawn(11, n=20).items()}
    for i in (3, 4, 5, 15):
        for name in ("A0", "A1", "A2", "A3"):
            columns[name][i] = ""
    columns["sparse"] = ["", *columns["A4"][1:7], *[""] * 10, *columns["A4"][17:]]
    columns["flat"] = [5.0] * 20
    columns["two"] = [5.0] * 10 + [6.0] * 10
    columns["under"] = ["<2"] * 20
    data = study(columns)
    shift = cc.common_shift(data, test="mann_whitney")
    reasons = dict(shift.excluded.loc[shift.excluded["analyte"] != "", ["analyte", "reason"]].to_numpy())
    assert reasons == {
        "sparse": "fewer than half of the subjects, or than 2 of a group, have a value",
        "flat": "the values are constant",
        "two": "the values are constant within groups",
        "under": "every value that entered is below its limit",
    }
    assert shift.excluded.loc[shift.excluded["subject"] != "", "subject"].tolist() == ["s3", "s4", "s5", "s15"]
    assert len(shift.scores) == 16
    row = shift.table.set_index("analyte").loc["two"]
    assert (row["note"], row["verdict"]) == ("not used: the values are constant within groups", "not compared")
    assert np.isnan(row["p_value_after"])
    assert (shift.hits["before"], shift.hits["not compared"]) == (1, 1)
    assert "There is no difference to explain. Not compared among subjects alike" in shift.describe()
    assert shift.describe().endswith("Not used: 4 analytes and 4 subjects (see excluded).")


def test_matched_sets_are_ignored_and_said_so():
    data = study(drawn(12, n=20), set=[*range(10)] * 2, design={"matched_set": "set"})
    shift = cc.common_shift(data)
    assert "Matched sets are ignored." in shift.describe()
    pd.testing.assert_frame_equal(shift.table, cc.common_shift(study(drawn(12, n=20))).table)
    with pytest.raises(
        cc.OptionError, match=r"common_shift\(\) compares groups as wholes: `test` must be one of 'student', 'welch'"
    ):
        cc.common_shift(data, test="paired_t")


# ---------------------------------------------------------------- words


def example(name: str, replicate: int) -> cc.CommonShift:
    return cc.common_shift(cc.load_scenario(name).draw(1, replicate))


def test_in_words():
    none = example("common_shift", 4).describe()
    assert none.startswith(
        "The data are simulated (scenario common_shift, seed 1, replicate 4): no person stands behind them. At baseline, "
    )
    assert "6 of 36 analytes differ between cases and controls (welch, BH-adjusted p <= 0.05): 6 lower in cases." in none
    assert "None of these differs among subjects alike in the first 2 components of the other analytes: one shift" in none
    assert "That does not say what moved it (disease, storage, a plate)" in none
    some = example("henry2010", 7).describe()
    assert "Of these, G-CSF, GM-CSF, IL-7 and IL-12p40 still differ among subjects alike" in some
    assert "IL-5 and IL-17 do not: more than one shift of what analytes share. Only there: IL-15, which" in some
    few = example("common_shift", 3).describe()
    assert "IL-15 and IL-17 do not: one shift of what analytes share can leave as many by itself." in few
    nothing = example("henry2010", 0).describe()
    assert "There is no difference to explain. Only among subjects alike in the first 2 components" in nothing
    assert nothing.endswith("The 36 tests are worth 21 independent ones by Li and Ji, 22.4 by Galwey.")


def test_in_a_notebook_and_a_terminal():
    shift = cc.common_shift(study({f"<{name}>": values for name, values in drawn(13).items()}))
    html = shift._repr_html_()
    assert "&lt;A0&gt;" in html
    assert "<A0>" not in html
    for title in ("Components within groups", "Thresholds", "Analytes, by p before", "full precision"):
        assert title in html
    text = repr(example("common_shift", 4))
    assert text.startswith("<CommonShift: 6 of 36 analytes differ, 0 of them beyond what the others share>\nComponents")
    assert text.endswith("... 24 more")
    assert max(map(len, text.splitlines())) <= 160


def test_it_travels():
    shift = example("henry2010", 4)
    again = pickle.loads(pickle.dumps(shift))
    pd.testing.assert_frame_equal(again.table, shift.table)
    assert again.describe() == shift.describe()


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"components": 17}, "`components` must be at most 16 with 18 analytes and 52 subjects; got 17."),
        ({"components": 0}, "`components` must be a whole number of at least 1; got 0."),
        ({"alpha": 5}, "`alpha` must be a number between 0 and 1, such as 0.05 or 0.95; got 5. Did you mean 0.05?"),
        ({"adjust": "fdr"}, "`adjust` must be one of .* Did you mean 'BH'?"),
        ({"test": "paired_t"}, "common_shift.. compares groups as wholes: `test` must be one of .*; got 'paired_t'."),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(cc.OptionError, match=message.replace("?", r"\?")):
        cc.common_shift(cc.load_study("quickstart"), **options)


def test_too_little_to_share():
    columns = drawn(14, m=2) | {"flat": [5.0] * 40}
    with pytest.raises(
        cc.OptionError,
        match=r"common_shift\(\) needs at least 3 analytes that vary; there are 2. Not used: flat \(the values are constant\).",
    ):
        cc.common_shift(study(columns))


def test_not_a_study():
    with pytest.raises(cc.OptionError, match="`study` must be a Study; got DataFrame. Make one with Study"):
        cc.common_shift(pd.DataFrame())


def test_zeros_on_a_log_scale():
    columns = drawn(15)
    columns["A1"][3] = 0.0
    with pytest.raises(cc.StudyError, match="no logarithm.*subject 's3'.*analyte 'A1'"):
        cc.common_shift(study(columns))


def test_few_subjects_neither_fail_nor_warn():
    shift = cc.common_shift(study(drawn(16, n=4, m=5)))
    assert shift.meta["removed"] == 1
    assert len(shift.components) == 2
    assert shift.table["p_value_after"].notna().all()
