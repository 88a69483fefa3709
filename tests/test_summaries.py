"""descriptives, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc

COLUMNS = [
    "analyte", "unit", "visit", "group", "n", "n_missing", "n_below", "n_above", "below", "above", "geo_mean", "geo_sd",
    "q1", "median", "q3", "below_limit", "note",
]  # fmt: skip


def study(case, control=("1", "2"), *, more=(), baseline="0", name="X", other=None, **options) -> cc.Study:
    """Cells of X at visit 0 by group; `more`: pairs of lists for visits 1, 2 ...; `other`: a second analyte, Z."""
    rows = []
    for v, pair in enumerate([(case, control), *more]):
        for group, cells in zip(("case", "control"), pair, strict=True):
            for i, cell in enumerate(cells):
                if cell is not None:
                    row = {"subject": f"{group}{i}", "visit": v, "group": group, name: str(cell)}
                    rows.append(row if other is None else row | {"Z": other(i, v)})
    analytes = [name] if other is None else [name, "Z"]
    panel = cc.read_panel(pd.DataFrame(rows), layout="wide", analytes=analytes, **options)
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline))


def case_row(data: cc.Study, visit="0", analyte="X", **options) -> pd.Series:
    table = cc.descriptives(data, **options)
    return table[(table["analyte"] == analyte) & (table["visit"] == visit) & (table["group"] == "case")].iloc[0]


def geo(values) -> float:
    return float(np.exp(np.mean(np.log(values))))


def geo_sd(values) -> float:
    return float(np.exp(np.std(np.log(values), ddof=1)))


# ---------------------------------------------------------------- the table


def test_columns_and_rows():
    data = study([1, 2, 3], [4, 5], more=[([2, 3, 4], [5, 6])], other=lambda i, v: "7", unit={"X": "pg/mL"})
    table = cc.descriptives(data)
    assert list(table.columns) == COLUMNS
    assert table[["analyte", "visit", "group"]].to_numpy().tolist() == [
        [a, v, g] for a in ("X", "Z") for v in ("0", "1") for g in ("case", "control")
    ]
    assert table["unit"].unique().tolist() == ["pg/mL", ""]
    assert table.index.tolist() == list(range(8))
    assert (table["below_limit"] == "censored").all()
    assert (table["note"] == "").all()


def test_panel_order_is_kept():
    data = study([1, 2], other=lambda i, v: "7")
    assert cc.descriptives(data.select(analytes=["Z", "X"]))["analyte"].tolist() == ["Z", "Z", "X", "X"]


def test_counts_by_hand():
    row = case_row(study(["<2", "<2", "", ">90", "*0.1", 4, 5, "NA"]))
    assert row[["n", "n_missing", "n_below", "n_above"]].tolist() == [6, 2, 2, 1]
    assert row["below"] == pytest.approx(2 / 6)
    assert row["above"] == pytest.approx(1 / 6)


def test_an_absent_sample_is_missing():
    data = study([1, 2, 3], more=[([2, None, ""], ["1", "2"])])
    assert case_row(data, "1")[["n", "n_missing"]].tolist() == [1, 2]


def test_nothing_measured():
    row = case_row(study(["", ""]))
    assert row[["n", "n_missing", "n_below"]].tolist() == [0, 2, 0]
    assert row[["below", "above", "geo_mean", "geo_sd", "q1", "median", "q3"]].isna().all()
    assert row["note"] == ""


# ---------------------------------------------------------------- geometric mean and SD


def test_geometric_mean_and_sd_by_hand():
    row = case_row(study([1, 2, 4, 8, 16]))
    assert row["geo_mean"] == pytest.approx(4, rel=1e-14)
    assert row["geo_sd"] == pytest.approx(2 ** np.sqrt(2.5), rel=1e-14)
    assert np.isnan(case_row(study([3]))["geo_sd"])


@pytest.mark.parametrize(
    ("rule", "entered"),
    [
        ("half", [1, 1, 4, 90]),
        ("sqrt2", [2**0.5, 2**0.5, 4, 90]),
        ("limit", [2, 2, 4, 90]),
        ("drop", [4, 90]),
        ("as_reported", [0.3, 4]),
    ],
)
def test_rules_below_the_limit(rule, entered):
    row = case_row(study(["<2", "*0.3", 4, ">90"], lower_limit=2.0, control=[3, 5]), below_limit=rule)
    assert row["geo_mean"] == pytest.approx(geo(entered), rel=1e-13)
    assert row["geo_sd"] == pytest.approx(geo_sd(entered), rel=1e-13)
    assert row["below_limit"] == rule
    assert row["n"] == 4


@pytest.mark.parametrize("rule", ["lowest_rank", "ROS", "halve", None])
def test_a_rule_that_descriptives_cannot_honour(rule):
    with pytest.raises(cc.OptionError, match="`below_limit` must be one of"):
        cc.descriptives(study([1, 2]), below_limit=rule)


def test_agrees_with_the_results_table():
    data = cc.load_study("quickstart")
    table = cc.descriptives(data, below_limit="half")
    results = cc.compare_baseline(data, below_limit="half").table
    for group in ("case", "control"):
        rows = table[(table["visit"] == "baseline") & (table["group"] == group)]
        np.testing.assert_allclose(rows["geo_mean"], results[f"mean_{group}"], rtol=1e-12)
        np.testing.assert_allclose(rows["geo_sd"], results[f"sd_{group}"], rtol=1e-12)
        assert rows["n"].tolist() == results[f"n_{group}"].tolist()


def test_zeros_have_no_geometric_mean():
    data = study([0, 1, 2, 3, 4], other=lambda i, v: f"{i + 1}")
    row = case_row(data)
    assert row[["geo_mean", "geo_sd"]].isna().all()
    assert row[["q1", "median", "q3"]].tolist() == [1, 2, 3]
    assert "0 or less" in row["note"]
    other = case_row(data, analyte="Z")
    assert other["geo_mean"] == pytest.approx(geo([1, 2, 3, 4, 5]))
    assert other["note"] == ""


def test_negative_numbers():
    row = case_row(study([-3, -1, 2]))
    assert np.isnan(row["geo_mean"])
    assert row["median"] == -1


def test_a_zero_under_its_limit_is_replaced():
    data = study([0, 4, 9], lower_limit=2.0, control=[3, 4])
    assert case_row(data, below_limit="half")["geo_mean"] == pytest.approx(geo([1, 4, 9]))
    assert case_row(data)["geo_mean"] == case_row(study(["<2", 4, 9]))["geo_mean"]


# ---------------------------------------------------------------- quartiles


@settings(derandomize=True, max_examples=60, deadline=None)
@given(hs.lists(hs.integers(1, 40), min_size=1, max_size=15))
def test_quartiles_of_numbers_are_type_seven(values):
    row = case_row(study(values))
    np.testing.assert_allclose(row[["q1", "median", "q3"]].astype(float), np.quantile(values, [0.25, 0.5, 0.75]), rtol=1e-14)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(hs.lists(hs.tuples(hs.integers(2, 12), hs.sampled_from(["", "", "", "<", "<", ">"])), min_size=1, max_size=11))
def test_a_quartile_is_given_where_every_possible_value_gives_it(cells):
    """Values beyond a limit anywhere in their range, and at both its ends: do all agree?"""
    row = case_row(study([f"{sign}{x}" for x, sign in cells]), below_limit="half")
    low = [{"<": -1e6, ">": x}.get(sign, x) for x, sign in cells]
    high = [{"<": x, ">": 1e6}.get(sign, x) for x, sign in cells]
    for name, share in (("q1", 0.25), ("median", 0.5), ("q3", 0.75)):
        ends = np.quantile(low, share), np.quantile(high, share)
        if ends[0] == pytest.approx(ends[1], abs=1e-9):
            assert row[name] == pytest.approx(ends[0]), name
        else:
            assert np.isnan(row[name]), name
            assert name in row["note"]


def test_quartiles_among_censored_values_by_hand():
    row = case_row(study(["<2", "<2", 5, 6, 7, 8, 9]), below_limit="half")
    assert np.isnan(row["q1"])  # between the second and the third
    assert row[["median", "q3"]].tolist() == [6, 7.5]
    assert row["note"] == "q1 among values beyond a limit"
    row = case_row(study(["<2", 5, 6, 7, ">90"]), below_limit="half")
    assert row[["q1", "median", "q3"]].tolist() == [5, 6, 7]
    assert row["note"] == ""
    row = case_row(study(["<6", 5, 6, 7, 8]), below_limit="half")  # one under 6, who knows where: q1 is 5 or less
    assert np.isnan(row["q1"])
    assert row["median"] == 6
    row = case_row(study(["<2"] * 4), below_limit="half")
    assert row["note"] == "q1, median, q3 among values beyond a limit"


def test_extrapolated_numbers_are_numbers_in_the_quartiles_of_the_rules_that_substitute():
    row = case_row(study(["*0.2", "*0.4", 5, 6, 7], lower_limit=2.0, control=[3, 4]), below_limit="half")
    assert row[["q1", "median", "q3"]].tolist() == [0.4, 5, 6]
    assert row["n_below"] == 2  # they lie under a limit that is known


def test_quartiles_do_not_depend_on_the_rule_that_substitutes():
    data = cc.load_study("quickstart")
    one, other = (cc.descriptives(data, below_limit=rule) for rule in ("half", "drop"))
    pd.testing.assert_frame_equal(one[["q1", "median", "q3", "n"]], other[["q1", "median", "q3", "n"]])


def test_values_beyond_a_limit_that_nothing_tells_do_not_vanish():
    """Four of nine lie below an unknown limit: the median is the lowest number, not the middle one of those measured."""
    plates = ["A"] * 5 + ["B"] * 4
    frame = pd.DataFrame(
        {
            "subject": [f"{g}{i}" for g in "ab" for i in range(9)],
            "group": ["case"] * 9 + ["control"] * 9,
            "plate": plates * 2,
            "X": ["11", "12", "13", "14", "15", *["OOR <"] * 4] * 2,
        }
    )
    panel = cc.read_panel(frame, layout="wide", analytes=["X"], plate="plate")
    for rule in ("censored", "ros", "half"):
        row = cc.descriptives(cc.Study(panel, cc.Design("group", "case", "control")), below_limit=rule).iloc[0]
        assert row[["n", "n_below"]].tolist() == [9, 4]
        assert row["median"] != 13
        assert np.isnan(row["geo_mean"])
        assert row["note"] == (
            "q1, median, q3 among values beyond a limit; values beyond a limit that is not known: no geometric mean"
        )


# ---------------------------------------------------------------- values beyond limits as they are


def test_by_maximum_likelihood_and_kaplan_meier_by_hand():
    """Survreg and survfit on logs of these values (tests/reference/descriptives.R holds more)."""
    row = case_row(study(["<4", "<4", "<4", 5, 6, 8]))
    np.testing.assert_allclose(row[["geo_mean", "geo_sd"]].astype(float), [4.1819224583444319, 1.5846826126288804], rtol=1e-10)
    assert row[["median", "q3"]].tolist() == [4.5, 6]  # half below 4, half from 5: any number between is a median
    assert row["note"] == "q1 among values beyond a limit"


@pytest.mark.parametrize("rule", ["censored", "ros"])
def test_nothing_beyond_a_limit_is_described_as_ever(rule):
    data = study([1, 2, 4, 8, 16.5], lower_limit=0.5)
    pd.testing.assert_series_equal(
        case_row(data, below_limit=rule).drop("below_limit"), case_row(data, below_limit="half").drop("below_limit")
    )


@pytest.mark.parametrize("rule", ["censored", "ros"])
def test_an_extrapolated_number_under_a_known_limit_is_below_it(rule):
    said = case_row(study(["*0.2", "*0.4", 5, 6, 7], lower_limit=2.0, control=[3, 4]), below_limit=rule)
    bare = case_row(study(["<2", "<2", 5, 6, 7], control=[3, 4]), below_limit=rule)
    pd.testing.assert_series_equal(said, bare, check_names=False)
    free = case_row(study(["*0.2", "*0.4", 5, 6, 7]), below_limit=rule)  # flagged, but under no limit that is known
    assert free["geo_mean"] == pytest.approx(geo([0.2, 0.4, 5, 6, 7]))


@pytest.mark.parametrize(
    ("cells", "rule", "note"),
    [
        (["<2"] * 4, "censored", "no value within the limits: no geometric mean"),
        (["<2", "<2", ">9"], "censored", "no value within the limits: no geometric mean"),
        (["<2", "<2", 5], "censored", "one value within the limits: no geometric mean"),
        (["<2", "<2", 5], "ros", "one value within the limits: no geometric mean"),
        (["<7", "<8", 5, 5], "censored", "values within the limits too alike for those beyond them: no geometric mean"),
        (["<2", "<2", 5, 5], "ros", "values within the limits too alike for those beyond them: no geometric mean"),
        (["<2", 5, 6, ">9"], "ros", "values above a limit: no regression on order statistics"),
        (["<2", 0, 6, 7], "censored", "a value of 0 or less: no geometric mean"),
        (["<2", 0, 6, 7], "ros", "a value of 0 or less: no geometric mean"),
    ],
)
def test_why_there_is_no_geometric_mean(cells, rule, note):
    row = case_row(study(cells), below_limit=rule)
    assert row[["geo_mean", "geo_sd"]].isna().all()
    assert note in row["note"].split("; ")
    if rule == "ros":
        assert row[["q1", "median", "q3"]].isna().all()


def test_a_limit_that_is_not_stated_is_the_lowest_value_and_said():
    row = case_row(study(["OOR <", "OOR <", 5, 6, 7, "OOR >"], [3, 4]))
    want = case_row(study(["<3", "<3", 5, 6, 7, ">7"], [3, 4]))
    assert row[["geo_mean", "geo_sd", "median"]].tolist() == want[["geo_mean", "geo_sd", "median"]].tolist()
    assert row["note"] == (
        "q1 among values beyond a limit; limit not stated for 2 of 2 values below it: the lowest measured value stands in; "
        "limit not stated for 1 of 1 values above it: the highest measured value stands in"
    )


def test_above_and_below_at_once():
    row = case_row(study(["<2"] * 3 + [3, 4, 5, 6, 7, 8, ">8", ">5"]))
    assert np.isfinite(row["geo_mean"])
    assert row["median"] == 5  # 6, 7 and 8 may lie under the value above 5 or over it
    assert row["note"] == "q1, q3 among values beyond a limit"


def test_below_at_one_visit_and_above_at_the_other_is_known_by_nothing():
    data = study(["<2", 3, 4, 5], [1, 2], more=[([">9", 3, 4, 5], [1, 2])], baseline=("0", "1"))
    row = case_row(data, "0+1")
    assert row["n"] == 4
    assert row[["geo_mean", "geo_sd", "q1", "median", "q3"]].isna().all()
    assert "values beyond a limit that is not known: no geometric mean" in row["note"]


# ---------------------------------------------------------------- a baseline of several visits


def test_a_tuple_baseline_is_averaged_on_the_log_scale():
    data = study([1, 2, 3, 4, 5], [1, 2], more=[([4, 8, 12, 16, 20], [1, 2]), ([5] * 5, [6, 7])], baseline=("0", "1"))
    row = case_row(data, "0+1")
    assert row["geo_mean"] == pytest.approx(geo([2, 4, 6, 8, 10]), rel=1e-13)
    np.testing.assert_allclose(row[["q1", "median", "q3"]].astype(float), [4, 6, 8], rtol=1e-13)
    assert row["n"] == 5
    assert cc.descriptives(data)["visit"].unique().tolist() == ["0+1", "2"]


def test_a_tuple_baseline_with_gaps_and_limits():
    data = study(["<2", 2, "", 4, ""], [1, 2], more=[([8, "<1", 12, None, ""], [1, 2])], baseline=("0", "1"))
    row = case_row(data, "0+1", below_limit="half")
    assert row[["n", "n_missing", "n_below"]].tolist() == [4, 1, 2]
    assert row["geo_mean"] == pytest.approx(geo([geo([1, 8]), geo([2, 0.5]), 12, 4]), rel=1e-13)
    # Known: 12 and 4; the others lie under 4 and under 1.41.
    assert row["q3"] == pytest.approx(np.quantile([0, 0, 4, 12], 0.75), rel=1e-13)
    assert row[["q1", "median"]].isna().all()
    limits = [f"<{geo([2, 8])!r}", f"<{geo([2, 1])!r}", "12", "4"]
    for rule in ("censored", "ros"):
        got, want = (case_row(*of, below_limit=rule) for of in ((data, "0+1"), (study(limits), "0")))
        np.testing.assert_allclose(*(row[["geo_mean", "geo_sd", "q1", "median", "q3"]].astype(float) for row in (got, want)))


def test_a_zero_in_one_analyte_does_not_change_another():
    more = [([4, 8, 12, 16, 20], [1, 2])]
    alone = study([1, 2, 3, 4, 5], [1, 2], more=more, baseline=("0", "1"))
    company = study([1, 2, 3, 4, 5], [1, 2], more=more, baseline=("0", "1"), other=lambda i, v: "0")
    for column in ("q1", "median", "q3", "geo_mean"):
        assert case_row(company, "0+1")[column] == case_row(alone, "0+1")[column]


def test_a_tuple_baseline_with_a_zero_under_its_limit():
    data = study([0, 2, 3], [3, 2], more=[([8, 2, 12], [1, 2])], baseline=("0", "1"), lower_limit=0.5)
    assert cc.compare_baseline(data).table["p_value"].notna().all()
    assert case_row(data, "0+1", below_limit="half")["geo_mean"] == pytest.approx(geo([geo([0.25, 8]), 2, 6]))
    assert case_row(data, "0+1")["geo_mean"] == pytest.approx(case_row(study(["<2", 2, 6]))["geo_mean"])


# ---------------------------------------------------------------- panels of logs


@pytest.mark.parametrize(("logged", "log"), [("log2", np.log2), ("ln", np.log), ("log10", np.log10)])
def test_a_logged_panel_is_described_in_the_unit(logged, log):
    values = [1.5, 4, 8, 30]  # with one more, five: no quartile is interpolated
    logs = [float(log(x)) for x in values]
    row = case_row(study([*logs, f"<{float(log(1.2))!r}"], [0.1, 0.2], logged=logged))
    want = case_row(study([*values, "<1.2"]))
    for column in ("geo_mean", "geo_sd", "q1", "median", "q3", "below"):
        assert row[column] == pytest.approx(want[column], rel=1e-12), column
    assert row["note"] == want["note"]


def test_negative_logs_are_fine():
    row = case_row(study([-1, 0, 1], [0, 1], logged="log2"))
    assert row["geo_mean"] == pytest.approx(1)
    assert row["median"] == 1
    assert row["note"] == ""


# ---------------------------------------------------------------- who is described


def test_subjects_left_out_of_the_study_are_not_described():
    data = study([1, None, 3], [4, 5], more=[([2, 100, 4], [5, 6])])
    assert data.n_case == 2
    assert case_row(data, "1")["n"] == 2
    assert case_row(data, "1")["geo_mean"] == pytest.approx(geo([2, 4]))
