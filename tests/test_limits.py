"""What values beyond the limits of detection become, by hand; and that the shift's interval allows for all of them."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS
from cytokine_cc.kernels.common import BASELINE, BETWEEN, WITHIN
from cytokine_cc.kernels.rank_nulls import rank_sum_index
from cytokine_cc.kernels.ranks import mann_whitney
from cytokine_cc.limits import RULES, SCALES, back_transform, respond, to_scale
from cytokine_cc.questions import KINDS

NUMBER_RULES = ("half", "sqrt2", "limit", "drop", "as_reported")
FACTOR = {"half": 0.5, "sqrt2": 2**-0.5, "limit": 1.0}


def study(case, control, *, later=None, plates=None, baseline="1", **options) -> cc.Study:
    """One analyte, X, from lists of cells; `later`: a second pair of lists."""
    rows = []
    for v, pair in enumerate([(case, control), *([later] if later else [])], 1):
        for group, cells in zip(("case", "control"), pair, strict=True):
            for i, cell in enumerate(cells):
                if cell is not None:
                    rows.append({"subject": f"{group}{i}", "visit": v, "group": group, "X": str(cell)})
    frame = pd.DataFrame(rows)
    if plates:
        frame["plate"] = [plates[s] if s in plates else plates[""] for s in frame["subject"]]
        options["plate"] = "plate"
    panel = cc.read_panel(frame, layout="wide", analytes=["X"], **options)
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline))


def row(results: cc.Results, **where) -> pd.Series:
    table = results.select(**where).table if where else results.table
    assert len(table) == 1
    return table.iloc[0]


def said(note: str, about: str) -> int | None:
    """The count in a note: `about` with # for the number."""
    found = re.search(re.escape(about).replace("\\#", r"(\d+)"), note)
    return int(found[1]) if found else None


LOWEST, HIGHEST = "tied lowest, which cost # number", "tied highest, which cost # number"
BORROWED, UNKNOWN = "limit not stated for # value", "not tested: # value"


def geo(values) -> float:
    return float(np.exp(np.mean(np.log(values))))


CONTROL = [3, 5, 8, 13]


# ---------------------------------------------------------------- substitution


@pytest.mark.parametrize("rule", FACTOR)
@pytest.mark.parametrize("scale", SCALES)
def test_a_value_below_its_limit_is_replaced(rule, scale):
    got = row(cc.compare_baseline(study(["<2", "<1", 6, 9], CONTROL), below_limit=rule, scale=scale))
    entered = [2 * FACTOR[rule], 1 * FACTOR[rule], 6, 9]
    mean = np.mean(entered) if scale == "raw" else geo(entered)
    assert got["mean_case"] == pytest.approx(mean, rel=1e-14)
    sd = np.std(entered, ddof=1) if scale == "raw" else np.exp(np.std(np.log(entered), ddof=1))
    assert got["sd_case"] == pytest.approx(sd, rel=1e-14)
    assert (got["n_case"], got["n_below_case"], got["n_below_control"]) == (4, 2, 0)
    assert got["note"] == "2 values below limits that differ are replaced, by values that differ likewise"
    same = row(cc.compare_baseline(study(["<2", "<2", 6, 9], CONTROL), below_limit=rule, scale=scale))
    assert same["note"] == ""


@pytest.mark.parametrize("rule", FACTOR)
def test_an_extrapolated_value_below_a_known_limit_is_replaced_and_counted(rule):
    got = row(cc.compare_baseline(study(["*0.3", "1.5", 6, 9], CONTROL, lower_limit=2.0), below_limit=rule))
    entered = [2 * FACTOR[rule], 2 * FACTOR[rule], 6, 9]  # a plain 1.5 under the limit is extrapolated too
    assert got["mean_case"] == pytest.approx(geo(entered), rel=1e-14)
    assert got["n_below_case"] == 2


@pytest.mark.parametrize("rule", FACTOR)
def test_an_extrapolated_value_without_a_known_limit_is_a_number(rule):
    got = row(cc.compare_baseline(study(["*0.3", 4, 6, 9], CONTROL), below_limit=rule))
    assert got["mean_case"] == pytest.approx(geo([0.3, 4, 6, 9]), rel=1e-14)
    assert got["n_below_case"] == 0
    assert got["note"] == ""


def test_an_extrapolated_value_within_the_limits_is_a_number():
    got = row(cc.compare_baseline(study(["*3", 4, 6, 9], CONTROL, lower_limit=2.0, upper_limit=50.0)))
    assert got["mean_case"] == pytest.approx(geo([3, 4, 6, 9]), rel=1e-14)
    assert (got["n_below_case"], got["n_above_case"]) == (0, 0)


@pytest.mark.parametrize("rule", ["half", "sqrt2", "limit", "drop"])
def test_a_value_above_enters_at_its_limit(rule):
    got = row(cc.compare_baseline(study([4, 6, ">90", ">70"], CONTROL), below_limit=rule))
    assert got["mean_case"] == pytest.approx(geo([4, 6, 90, 70]), rel=1e-14)
    assert (got["n_case"], got["n_above_case"], got["n_above_control"]) == (4, 2, 0)


@pytest.mark.parametrize("rule", ["half", "sqrt2", "limit", "drop", "as_reported"])
def test_an_extrapolated_value_above_its_limit_keeps_its_number(rule):
    got = row(cc.compare_baseline(study([4, 6, "*150", 9], CONTROL, upper_limit=100.0), below_limit=rule))
    assert got["mean_case"] == pytest.approx(geo([4, 6, 150, 9]), rel=1e-14)
    assert got["n_above_case"] == 1


def test_limits_may_differ_by_plate():
    plates = {"case0": "A", "case1": "B", "": "A"}
    data = study(["OOR <", "OOR <", 6, 9], CONTROL, plates=plates, lower_limit={"X": {"A": 2.0, "B": 3.0}})
    got = row(cc.compare_baseline(data))
    assert got["mean_case"] == pytest.approx(geo([1, 1.5, 6, 9]), rel=1e-14)


def test_a_cell_may_state_its_own_limit():
    with pytest.warns(cc.AnalysisWarning, match="the cell's own is taken"):
        data = study(["<1", "OOR <", 6, 9], CONTROL, lower_limit=2.0)
    assert row(cc.compare_baseline(data))["mean_case"] == pytest.approx(geo([0.5, 1, 6, 9]), rel=1e-14)


# ---------------------------------------------------------------- leaving out


def test_drop_leaves_out_what_is_below_and_says_why():
    results = cc.compare_baseline(study(["<2", "*1.5", 6, 9, ">90"], ["*0.4", 5, 8, ""], lower_limit=2.0), below_limit="drop")
    got = row(results)
    assert got["mean_case"] == pytest.approx(geo([6, 9, 90]), rel=1e-14)
    assert got["mean_control"] == pytest.approx(geo([5, 8]), rel=1e-14)
    assert got[["n_case", "n_control", "n_below_case", "n_below_control", "n_above_case"]].tolist() == [3, 2, 0, 0, 1]
    assert results.excluded.to_numpy().tolist() == [
        ["case0", "1", "X", "below the limit at 1 (drop)"],
        ["case1", "1", "X", "below the limit at 1 (drop)"],
        ["control0", "1", "X", "below the limit at 1 (drop)"],
        ["control3", "1", "X", "missing at 1"],
    ]


def test_drop_needs_no_lower_limit_but_an_upper_one():
    assert row(cc.compare_baseline(study(["OOR <", "*4", "*6", "*9"], ["*3", "*5"]), below_limit="drop"))["p_value"] > 0
    got = row(cc.compare_baseline(study(["OOR >", "*4", "*6", "*9"], ["*3", "*5"]), below_limit="drop"))
    assert np.isnan(got["p_value"])
    assert said(got["note"], UNKNOWN) == 1


def test_as_reported_takes_numbers_and_leaves_out_the_rest():
    results = cc.compare_baseline(
        study(["<2", "*1.5", 6, ">90"], ["OOR <", 5, "*0.1", "OOR >"], lower_limit=2.0), below_limit="as_reported"
    )
    got = row(results)
    assert got["mean_case"] == pytest.approx(geo([1.5, 6]), rel=1e-14)
    assert got["mean_control"] == pytest.approx(geo([5, 0.1]), rel=1e-14)
    assert got[["n_below_case", "n_below_control", "n_above_case", "n_above_control"]].tolist() == [1, 1, 0, 0]
    assert got["p_value"] > 0
    assert results.excluded.to_numpy().tolist() == [
        ["case0", "1", "X", "below the limit at 1 (as_reported)"],
        ["case3", "1", "X", "above the limit at 1 (as_reported)"],
        ["control0", "1", "X", "below the limit at 1 (as_reported)"],
        ["control3", "1", "X", "above the limit at 1 (as_reported)"],
    ]


# ---------------------------------------------------------------- limits that nobody states


def test_the_lowest_measured_value_stands_in():
    results = cc.compare_baseline(study(["OOR <", 6, "*0.2", 9], ["OOR <", 5, 4, 8]), below_limit="half")
    got = row(results)
    # 4 is the lowest MEASURED value; the extrapolated 0.2 is no candidate.
    assert got["mean_case"] == pytest.approx(geo([2, 6, 0.2, 9]), rel=1e-14)
    assert got["mean_control"] == pytest.approx(geo([2, 5, 4, 8]), rel=1e-14)
    assert said(got["note"], BORROWED) == 2
    assert got["p_value"] > 0


def test_the_highest_measured_value_stands_in_above():
    got = row(cc.compare_baseline(study(["OOR >", 6, 7, "*99"], CONTROL)))
    assert got["mean_case"] == pytest.approx(geo([13, 6, 7, 99]), rel=1e-14)
    assert said(got["note"], BORROWED) == 1


def test_the_fallback_is_that_of_the_plate():
    plates = {"case0": "B", "case1": "B", "control0": "B", "": "A"}
    data = study(["OOR <", 6, 2, 9], [7, 5, "OOR <", 8], plates=plates)
    got = row(cc.compare_baseline(data, below_limit="limit"))
    assert got["mean_case"] == pytest.approx(geo([6, 6, 2, 9]), rel=1e-14)  # B holds 6 and 7
    assert got["mean_control"] == pytest.approx(geo([7, 5, 2, 8]), rel=1e-14)  # A holds 2, 9, 5, 8
    assert said(got["note"], BORROWED) == 2


def test_the_fallback_is_that_of_the_whole_panel_after_a_selection():
    data = study(["OOR <", 6, 7, 9], [2, 5, 4, 8])
    less = data.select(subjects=[s for s in data.subjects.index if s != "control0"])
    for case in (data, less):
        assert row(cc.compare_baseline(case, below_limit="limit"))["mean_case"] == pytest.approx(geo([2, 6, 7, 9]), rel=1e-14)


@pytest.mark.parametrize("test", ["welch", "student", "mann_whitney"])
def test_without_any_stand_in_the_row_is_not_tested(test):
    got = row(cc.compare_baseline(study(["OOR <", "*6", "*7", "*9"], ["*2", "*5", "OOR <", "*8"]), test=test))
    assert np.isnan(got["p_value"])
    assert said(got["note"], UNKNOWN) == 2
    assert "not known" in got["note"]
    assert (got["n_case"], got["n_control"]) == (3, 3)


def test_one_plate_without_a_stand_in_stops_the_row():
    plates = {"case0": "B", "": "A"}
    got = row(cc.compare_baseline(study(["OOR <", 6, 2, 9], CONTROL, plates=plates)))
    assert np.isnan(got["p_value"])
    assert said(got["note"], UNKNOWN) == 1


def hopeless(**cells) -> list[str]:
    """Four extrapolated numbers, some replaced: nothing measured, so nothing can stand in for a limit."""
    return [cells.get(f"s{i}", f"*{2 + i + 0.5 * i * i}") for i in range(4)]


def test_an_unknown_limit_does_not_matter_where_the_other_visit_is_missing():
    one = study(hopeless(s0=""), hopeless(), later=(hopeless(s0="OOR <"), hopeless(s1="*9")))
    for results in (cc.change_within(one, groups="case"), cc.change_between(one)):
        assert row(results)["n_case"] == 3
        assert said(row(results)["note"], UNKNOWN) is None
        assert results.excluded.to_numpy().tolist() == [
            ["case0", "2", "X", "beyond a limit that is not known at 2; missing at 1"]
        ]
    two = study(hopeless(), hopeless(), later=(hopeless(s0="OOR <", s1="*9"), hopeless(s1="*9")))
    assert said(row(cc.change_within(two, groups="case"))["note"], UNKNOWN) == 1
    assert row(cc.change_within(two, groups="control"))["p_value"] > 0


@pytest.mark.parametrize(("partner", "unknown"), [("", None), ("*3", 1), ("OOR <", 2)])
def test_an_unknown_limit_does_not_matter_where_the_partner_is_missing(partner, unknown):
    case, control = hopeless(s0="OOR <", s1="*1"), hopeless(s0=partner)
    frame = pd.DataFrame(
        {"subject": range(8), "group": ["case"] * 4 + ["control"] * 4, "set": [*range(4)] * 2, "X": [*case, *control]}
    )
    panel = cc.read_panel(frame, layout="wide", analytes=["X"])
    got = row(cc.compare_baseline(cc.Study(panel, cc.Design("group", "case", "control", matched_set="set")), test="paired_t"))
    assert got["n_case"] == got["n_control"] == 3
    assert said(got["note"], UNKNOWN) == unknown
    assert np.isnan(got["p_value"]) == (unknown is not None)


def test_a_limit_borrowed_at_one_visit_is_said_of_the_change():
    for first, later in (("OOR <", 7), (7, "OOR <"), ("OOR <", "OOR <")):
        data = study([first, 4, 6], CONTROL, later=([later, 5, 9], [5, 6, 9, 11]))
        assert said(row(cc.change_within(data, groups="case"))["note"], BORROWED) == 1


def test_a_stated_limit_goes_before_the_fallback():
    got = row(cc.compare_baseline(study(["<1", 6, 2, 9], CONTROL)))
    assert got["mean_case"] == pytest.approx(geo([0.5, 6, 2, 9]), rel=1e-14)
    assert got["note"] == ""


# ---------------------------------------------------------------- the lowest rank


def test_everything_under_the_highest_limit_is_tied_lowest():
    case, control = ["<5", "*2", 4, 6, 12], ["<1", 3, 5, 8, 9]
    got = row(cc.compare_baseline(study(case, control), test="mann_whitney"))
    # Under 5: <5, 2, 4 | <1, 3. Three numbers lose their value; 5 itself does not.
    plain = mann_whitney(np.array([0, 0, 0, 6, 12.0]), np.array([0, 0, 5, 8, 9.0]), conf_level=None)
    assert got["p_value"] == plain.p_value
    assert got["statistic"] == plain.statistic
    assert got["method"] == "normal approximation, tie-corrected"
    assert said(got["note"], LOWEST) == 3
    assert said(got["note"], HIGHEST) is None
    assert got["below_limit"] == "lowest_rank"
    assert got[["n_below_case", "n_below_control"]].tolist() == [1, 1]
    assert np.isnan(got["hedges_g"])


def test_the_highest_limit_is_that_of_the_values_that_enter():
    """A limit that nobody is below ties nobody."""
    plates = {"case0": "A", "": "B"}
    limits = {"X": {"A": 1.0, "B": 50.0}}
    data = study(["<1", 60, 7, 9], [2, 5, 4, 8], plates=plates, lower_limit=limits)
    got = row(cc.compare_baseline(data, test="mann_whitney"))
    assert said(got["note"], LOWEST) == 0
    assert got["p_value"] == mann_whitney(np.array([0, 60, 7, 9.0]), np.array([2, 5, 4, 8.0])).p_value


def test_everything_over_the_lowest_upper_limit_is_tied_highest():
    got = row(cc.compare_baseline(study([">7", "*8", 9, 2, 3], [">20", 10, 5, 4, 1]), test="mann_whitney"))
    plain = mann_whitney(np.array([99, 99, 99, 2, 3.0]), np.array([99, 99, 5, 4, 1.0]), conf_level=None)
    assert got["p_value"] == plain.p_value
    assert said(got["note"], HIGHEST) == 3
    assert said(got["note"], LOWEST) is None
    assert got[["n_above_case", "n_above_control"]].tolist() == [1, 1]


def test_both_ends():
    got = row(cc.compare_baseline(study(["<2", ">30", 6, 9, 1], [">25", "<1", 8, 28, 3]), test="mann_whitney"))
    plain = mann_whitney(np.array([0, 99, 6, 9, 0.0]), np.array([99, 0, 8, 99, 3.0]), conf_level=None)
    assert got["p_value"] == plain.p_value
    assert said(got["note"], LOWEST) == 1
    assert said(got["note"], HIGHEST) == 1


def test_one_censored_value_without_others_near_stays_exact():
    """Alone under all numbers it has a rank of its own: no tie, an exact p."""
    got = row(cc.compare_baseline(study(["<1", 6, 7, 9], [2, 5, 4, 8]), test="mann_whitney"))
    plain = mann_whitney(np.array([0, 6, 7, 9.0]), np.array([2, 5, 4, 8.0]))
    assert got["p_value"] == plain.p_value
    assert got["method"] == "exact"


def test_an_unstated_limit_is_borrowed_for_the_rank_too():
    got = row(cc.compare_baseline(study(["OOR <", 6, "*1", 9], [2, 5, 4, 8]), test="mann_whitney"))
    assert said(got["note"], LOWEST) == 1
    assert said(got["note"], BORROWED) == 1


def test_without_censoring_nothing_is_tied_and_nothing_said():
    got = row(cc.compare_baseline(study([3, 6, "*1", 9], [2, 5, 4, 8], lower_limit=0.5), test="mann_whitney"))
    assert got["method"] == "exact"
    assert got["note"] == ""


def test_a_dash_of_censoring_leaves_the_shift_identified():
    """One value below its limit out of nine a group: the median of the differences does not depend on it."""
    case, control = ["<1", *range(10, 18)], range(20, 29)
    got = row(cc.compare_baseline(study(case, control), test="mann_whitney"))
    assert "enter the shift at their limit" not in got["note"]
    many = row(cc.compare_baseline(study(["<12"] * 5 + [*range(10, 14)], control), test="mann_whitney"))
    assert "enter the shift at their limit" in many["note"]
    assert many["conf_low"] == 0.0  # on a log scale nothing bounds it from below


# ---------------------------------------------------------------- the shift's interval allows for any value beyond


def order_interval(x: np.ndarray, y: np.ndarray, k: int) -> tuple[float, float]:
    ordered = np.sort(np.subtract.outer(x, y).ravel())
    return ordered[k - 1], ordered[-k]


@settings(derandomize=True, max_examples=80, deadline=None)
@given(hs.integers(0, 10**6), hs.integers(3, 9), hs.integers(3, 9), hs.sampled_from([0.95, 0.8, 0.5]), hs.booleans())
def test_whatever_the_censored_values_are_their_interval_lies_within(seed, n1, n2, level, above):
    r = np.random.default_rng(seed)
    cells, fill = [], []
    for n in (n1, n2):
        truth = np.round(r.lognormal(1, 1, n), 2) + 0.01
        limit = np.round(r.uniform(0.2, 6, n), 2)
        ceiling = np.round(r.uniform(6.5, 15, n), 2)
        below = (truth < limit) & (r.random(n) < 0.9)
        over = above & (truth > ceiling) & ~below
        cells.append(
            [
                f"<{b}" if lo else f">{t}" if hi else f"*{x}"
                for x, b, t, lo, hi in zip(truth, limit, ceiling, below, over, strict=True)
            ]
        )
        fill.append((truth, limit, ceiling, below, over))
    data = study(*cells)
    got = row(cc.compare_baseline(data, test="mann_whitney", conf_level=level, scale="ln"))
    if np.isnan(got["p_value"]):
        assert got["note"].startswith("not tested")
        return
    k = int(rank_sum_index(np.array([n1]), np.array([n2]), (1 - level) / 2)[0][0])
    low, high = np.log([max(got["conf_low"], 1e-300), got["conf_high"]])
    for depth in (1e-6, 0.1, 0.5, 0.9, 1 - 1e-9, None, None, None):
        sides = []
        for truth, limit, ceiling, below, over in fill:
            share = r.random(len(truth)) if depth is None else depth
            value = np.where(below, limit * share, truth)
            sides.append(np.log(np.where(over, ceiling / share, value)))
        inner = order_interval(*sides, k)
        assert low <= inner[0] + 1e-9
        assert high >= inner[1] - 1e-9
    if not any(f[3].any() or f[4].any() for f in fill):
        inner = order_interval(*(np.log(f[0]) for f in fill), k)
        np.testing.assert_allclose([low, high], inner, atol=1e-12)


def test_the_interval_is_no_wider_than_it_must_be():
    """Its ends are reached by values at the limit and far below it."""
    case, control = [4, 5.5, 7, 9, 12, 14, 17], [3, 6, 8, 10, 11, 13, 2]
    got = row(cc.compare_baseline(study(["<2", *case], ["<1", *control]), test="mann_whitney", scale="ln"))
    k = int(rank_sum_index(np.array([8]), np.array([8]), 0.025)[0][0])
    tiny = 1e-290
    low = order_interval(np.log([tiny, *case]), np.log([1, *control]), k)[0]
    high = order_interval(np.log([2, *case]), np.log([tiny, *control]), k)[1]
    assert got["conf_low"] == pytest.approx(np.exp(low), rel=1e-12)
    assert got["conf_high"] == pytest.approx(np.exp(high), rel=1e-12)
    middle = np.median(np.subtract.outer(np.log([2, *case]), np.log([1, *control])))
    assert got["estimate"] == pytest.approx(np.exp(middle), rel=1e-12)
    at_limits = order_interval(np.log([2, *case]), np.log([1, *control]), k)
    assert low < at_limits[0] < at_limits[1] < high  # which is wider than substitution would have it


# ---------------------------------------------------------------- panels that hold logs


@pytest.mark.parametrize(("logged", "log"), [("log2", np.log2), ("ln", np.log), ("log10", np.log10)])
@pytest.mark.parametrize("rule", FACTOR)
@pytest.mark.parametrize("scale", ["log2", "ln", "log10"])
def test_logged_panels_give_what_their_numbers_give(logged, log, rule, scale):
    raw = study(["<2", "*0.3", 6, ">90"], [3, 5, 8, "OOR <"], lower_limit=2.0)
    text = [f"<{log(2)!r}", f"*{log(0.3)!r}", repr(log(6)), f">{log(90)!r}"]
    text = [re.sub(r"np\.float64\((.*?)\)", r"\1", cell) for cell in text]
    logs = study(text, [float(log(3)), float(log(5)), float(log(8)), "OOR <"], lower_limit=float(log(2)), logged=logged)
    a, b = (row(cc.compare_baseline(s, below_limit=rule, scale=scale)) for s in (raw, logs))
    for column in ("mean_case", "mean_control", "sd_case", "estimate", "conf_low", "conf_high", "p_value", "hedges_g"):
        assert b[column] == pytest.approx(a[column], rel=1e-11), column
    assert (
        a[["n_below_case", "n_below_control", "n_above_case", "note"]].tolist()
        == b[["n_below_case", "n_below_control", "n_above_case", "note"]].tolist()
    )


def test_half_of_a_limit_is_one_less_in_log2():
    data = study(["<3", 4, 5], [1, 2, 3], logged="log2")
    assert row(cc.compare_baseline(data))["mean_case"] == pytest.approx(2 ** np.mean([2, 4, 5]), rel=1e-14)


def test_logged_values_may_be_negative_and_zero():
    got = row(cc.compare_baseline(study(["<-3", -1, 0], [1, 2, 0], logged="log2")))
    assert got["mean_case"] == pytest.approx(2 ** np.mean([-4, -1, 0]), rel=1e-14)
    assert got["p_value"] > 0


def test_ranks_of_a_logged_panel():
    a = row(cc.compare_baseline(study(["<2", 4, 8, 16], [1, 2, 32, 64]), test="mann_whitney"))
    b = row(cc.compare_baseline(study(["<1", 2, 3, 4], [0, 1, 5, 6], logged="log2"), test="mann_whitney"))
    for column in ("p_value", "statistic", "estimate", "conf_low", "conf_high", "note"):
        assert a[column] == b[column]


def test_a_raw_scale_is_refused_for_logs():
    with pytest.raises(cc.OptionError, match="scale='raw' is refused, since the file holds log10 values"):
        cc.compare_baseline(study([1, 2], [3, 4], logged="log10"), scale="raw")


# ---------------------------------------------------------------- values that have no logarithm


@pytest.mark.parametrize("cell", ["0", "-1.5", "*0"])
def test_zero_and_negative_numbers_on_a_log_scale_are_an_error_that_names_them(cell):
    data = study([cell, 2, 3], [4, 5, 6])
    with pytest.raises(cc.StudyError) as caught:
        cc.compare_baseline(data)
    fault = caught.value.failures.iloc[0]
    assert (fault["subject"], fault["visit"], fault["analyte"]) == ("case0", "1", "X")
    assert float(fault["found"]) == float(cell.strip("*"))
    assert ("codes={'0': 'below'}" if float(cell.strip("*")) == 0 else "logged=") in str(caught.value)
    assert row(cc.compare_baseline(data, scale="raw"))["p_value"] > 0


def test_a_zero_under_a_known_limit_is_replaced():
    data = study([0, 2, 3], [4, 5, 6], lower_limit=1.0)
    assert row(cc.compare_baseline(data))["mean_case"] == pytest.approx(geo([0.5, 2, 3]), rel=1e-14)
    assert row(cc.compare_baseline(data, below_limit="drop"))["mean_case"] == pytest.approx(geo([2, 3]), rel=1e-14)
    for options in ({"below_limit": "as_reported"}, {"test": "mann_whitney"}):
        with pytest.raises(cc.StudyError, match="no logarithm"):
            cc.compare_baseline(data, **options)


# ---------------------------------------------------------------- changes


def test_changes_count_a_subject_with_either_value_beyond():
    data = study(["<2", 4, 6, 8], [1, 2, 3, 4], later=([3, "<3", 7, ">90"], [2, 3, 4, 6]))
    got = row(cc.change_within(data, groups=("case",)))
    change = np.log2([3 / 1, 1.5 / 4, 7 / 6, 90 / 8])
    assert got["mean_case"] == pytest.approx(2 ** change.mean(), rel=1e-14)
    assert got["estimate"] == pytest.approx(2 ** change.mean(), rel=1e-14)
    assert got[["n_case", "n_below_case", "n_above_case"]].tolist() == [4, 2, 1]
    assert got[["n_control", "n_below_control"]].isna().all()
    between = row(cc.change_between(data))
    assert between[["n_case", "n_control", "n_below_case", "n_above_case", "n_below_control"]].tolist() == [4, 4, 2, 1, 0]


def test_a_subject_beyond_the_limit_twice_has_no_change():
    data = study(["<2", "<2", "<2"], [1, 2, 3], later=(["<2", "<2", "<2"], [2, 5, 4]))
    got = row(cc.change_within(data, groups=("case",)))
    assert np.isnan(got["p_value"])
    assert got["note"].startswith("not tested")
    assert "both visits" in got["note"]
    assert row(cc.change_within(data, groups=("control",)))["p_value"] > 0


def test_a_subject_beyond_the_limit_once_has_a_change():
    data = study([4, 5, 7], [1, 2, 3], later=(["<2", "<2", "<2"], ["<1", 5, 4]))
    got = row(cc.change_within(data, groups=("case",)))
    assert got["mean_case"] == pytest.approx(geo([1 / 4, 1 / 5, 1 / 7]), rel=1e-13)
    assert got["p_value"] > 0
    assert got["note"] == ""
    assert row(cc.change_between(data))["p_value"] > 0


def test_changes_where_one_visit_is_dropped():
    data = study(["<2", 4, 6, 8], [1, 2, 3, 4], later=([3, "<3", 7, 11], [2, 3, 4, 6]))
    results = cc.change_between(data, below_limit="drop")
    assert row(results)["n_case"] == 2
    assert results.excluded.to_numpy().tolist() == [
        ["case0", "2", "X", "below the limit at 1 (drop)"],
        ["case1", "2", "X", "below the limit at 2 (drop)"],
    ]


# ---------------------------------------------------------------- limits that differ

DIFFER = "# values below limits that differ"


@pytest.mark.parametrize("rule", [*FACTOR, "drop", "as_reported"])
def test_limits_that_differ_are_said_where_they_stand_in_for_values(rule):
    """Two values below different limits enter as two different values, though nobody knows which is lower."""
    differ = row(cc.compare_baseline(study(["<2", "<1", 6, 9], CONTROL), below_limit=rule))
    assert said(differ["note"], DIFFER) == (2 if rule in FACTOR else None)
    across = row(cc.compare_baseline(study(["<2", 6, 9], ["<1", 3, 5]), below_limit=rule))
    assert said(across["note"], DIFFER) == (2 if rule in FACTOR else None)
    alike = row(cc.compare_baseline(study(["<2", "<2", "*0.4", 9], ["<2", 3, 5], lower_limit=2.0), below_limit=rule))
    assert said(alike["note"], DIFFER) is None
    one = row(cc.compare_baseline(study(["<2", 6, 7, 9], CONTROL), below_limit=rule))
    assert said(one["note"], DIFFER) is None


def test_limits_that_differ_between_visits_are_said_of_changes():
    data = study(["<2", "<2", "<2", 9], CONTROL, later=(["<1", "<2", 5, 8], [5, 6, 9, 11]))
    got = row(cc.change_within(data, groups="case"))
    assert "limits that differ" in got["note"]  # case0, whose change is one of limits alone
    same = study(["<2", "<2", "<2", 9], CONTROL, later=(["<2", "<2", 5, 8], [5, 6, 9, 11]))
    assert row(cc.change_within(same, groups="case"))["note"] == ""
    assert row(cc.change_between(same))["note"] == ""


@pytest.mark.parametrize("cells", [("*150", "*180"), (">100", ">120"), (">100", "*150")])
def test_values_above_their_limits_are_not_said_to_be_below(cells):
    data = study(
        [cells[0], 4, 6, 9], CONTROL, later=([cells[1], 5, 5, 8], [5, 6, 9, 11]), upper_limit=100.0 if "*" in cells[1] else None
    )
    got = row(cc.change_within(data, groups="case"))
    assert got["n_below_case"] == 0
    assert "below" not in got["note"]


# ---------------------------------------------------------------- a baseline of several visits


def test_a_baseline_of_two_visits_is_averaged_on_the_analysis_scale():
    data = study([2, 4, 9], [1, 3, 5], later=([8, 4, 1], [4, 12, 5]), baseline=("1", "2"))
    got = row(cc.compare_baseline(data))
    assert got["visit"] == "1+2"
    assert got["mean_case"] == pytest.approx(geo([geo([2, 8]), 4, geo([9, 1])]), rel=1e-14)
    assert row(cc.compare_baseline(data, scale="raw"))["mean_case"] == pytest.approx(np.mean([5, 4, 5]), rel=1e-14)


def test_half_a_limit_enters_the_average():
    data = study(["<2", 4, 9], [1, 3, 5], later=([8, 4, "<1"], [4, 12, 5]), baseline=("1", "2"))
    got = row(cc.compare_baseline(data))
    assert got["mean_case"] == pytest.approx(geo([geo([1, 8]), 4, geo([9, 0.5])]), rel=1e-14)
    assert got["n_below_case"] == 2


def test_a_mean_with_a_bounded_term_is_known_by_a_bound():
    data = study(["<2", 4, 9], [1, 3, 50], later=([8, 4, 9], [4, 12, 5]), baseline=("1", "2"))
    got = row(cc.compare_baseline(data, test="mann_whitney"))
    # case0 lies below sqrt(2 x 8) = 4: tied lowest with control0 (2); case1 (4) stays.
    plain = mann_whitney(np.array([0, 4, 9.0]), np.array([0, 6, 15.8]), conf_level=None)
    assert got["p_value"] == plain.p_value
    assert said(got["note"], LOWEST) == 1


def test_a_part_of_the_baseline_visits_is_said():
    data = study([2, 4, 9], [1, 3, 5], later=([8, "", None], [4, 12, "<6"]), baseline=("1", "2"))
    got = row(cc.compare_baseline(data))
    assert got["mean_case"] == pytest.approx(geo([4, 4, 9]), rel=1e-14)
    assert "part of its visits" in got["note"]
    assert said(got["note"], "# subject") == 2
    dropped = row(cc.compare_baseline(data, below_limit="drop"))
    assert said(dropped["note"], "# subject") == 3


def test_a_part_of_the_baseline_visits_is_said_of_changes():
    visits = [([8, "", 3], [4, 12, 7]), ([5, 6, 8], [1, 2, 3])]
    rows = [
        {"subject": f"{g}{i}", "visit": v, "group": g, "X": str(x)}
        for v, pair in enumerate([([2, 4, 9], [1, 3, 5]), *visits])
        for g, cells in zip(("case", "control"), pair, strict=True)
        for i, x in enumerate(cells)
    ]
    panel = cc.read_panel(pd.DataFrame(rows), layout="wide", analytes=["X"])
    data = cc.Study(panel, cc.Design("group", "case", "control", baseline=(0, 1)))
    for results in (cc.change_within(data, groups="case"), cc.change_between(data)):
        assert said(row(results)["note"], "# subject") == 1
        assert "part of its visits" in row(results)["note"]
    assert row(cc.change_within(data, groups="control"))["note"] == ""


def below_and_above() -> cc.Study:
    """case0 lies below its limit at one baseline visit and above it at the other."""
    return study(["<2", 4, 9, 7], [1, 3, 5, 6], later=([">90", 4, 1, 8], [4, 12, 5, 9]), baseline=("1", "2"))


def test_below_at_one_visit_and_above_at_another_enters_by_its_substitutes():
    assert row(cc.compare_baseline(below_and_above()))["mean_case"] == pytest.approx(
        geo([geo([1, 90]), 4, 3, 7.4833147735]), rel=1e-9
    )


def test_below_at_one_visit_and_above_at_another_has_no_rank():
    results = cc.compare_baseline(below_and_above(), test="mann_whitney")
    got = row(results)
    assert got["n_case"] == 3
    assert got["mean_case"] == pytest.approx(geo([4, 3, np.sqrt(56)]), rel=1e-12)
    assert results.excluded.to_numpy().tolist() == [["case0", "1+2", "X", "below at one visit of 1+2 and above at another"]]
    assert "not known" not in got["note"]


# ---------------------------------------------------------------- which test takes which rule


@pytest.mark.parametrize(("kind", "name"), [(kind, name) for name, entry in TESTS.items() for kind in entry.questions])
@pytest.mark.parametrize("rule", RULES)
def test_a_rule_that_a_test_cannot_honour_is_refused(kind, name, rule):
    own = {"lowest_rank": [("mann_whitney", BASELINE), ("brunner_munzel", BASELINE), ("van_elteren", BASELINE)]}
    own["censored"] = [("tobit", BASELINE), ("peto_peto", BASELINE), ("gehan", BASELINE), ("tobit_paired", WITHIN)]
    if rule in NUMBER_RULES or (name, kind) in own.get(rule, []):
        assert KINDS[kind](test=name, below_limit=rule).rule == rule
        return
    with pytest.raises(cc.OptionError, match=f"'{name}' cannot honour below_limit='{rule}'.*it takes .*'half'"):
        KINDS[kind](test=name, below_limit=rule)


def test_each_test_has_a_rule_of_its_own():
    assert cc.Baseline().rule == "half"
    assert cc.Baseline(test="mann_whitney").rule == "lowest_rank"
    assert cc.Baseline(test="signed_rank").rule == "half"
    assert KINDS[BETWEEN](test="mann_whitney").rule == "half"
    assert cc.ChangeBetween(test="change_rank").rule == "half"


def test_there_is_no_censored_rule_without_a_test_that_models_it():
    with pytest.raises(cc.OptionError, match="cannot honour below_limit='censored'"):
        cc.Baseline(below_limit="censored")


# ---------------------------------------------------------------- scales


@pytest.mark.parametrize("scale", SCALES)
def test_scales_and_back(scale):
    x = np.array([0.001, 1.0, 7.3, 5e4])
    np.testing.assert_allclose(back_transform(to_scale(x, scale, None), scale), x, rtol=1e-12)


@pytest.mark.parametrize("logged", ["log2", "ln", "log10"])
@pytest.mark.parametrize("scale", ["log2", "ln", "log10"])
def test_logs_of_one_base_in_another(logged, scale):
    x = np.array([0.001, 1.0, 7.3, 5e4])
    np.testing.assert_allclose(
        to_scale(to_scale(x, logged, None), scale, logged), to_scale(x, scale, None), rtol=1e-13, atol=1e-15
    )


def test_open_ends_go_back_to_zero_and_infinity():
    assert back_transform(np.array([-np.inf, np.inf, np.nan]), "log2").tolist()[:2] == [0.0, np.inf]
    assert back_transform(np.array([-np.inf]), "raw").tolist() == [-np.inf]
    assert back_transform(np.array([5000.0]), "ln").tolist() == [np.inf]


# ---------------------------------------------------------------- censored


def entered(case, control, scale="raw", **options):
    """What enters under "censored": point, low, high of cases, then controls."""
    arrays = study(case, control, **options).arrays
    found = respond(arrays, slice(0, 1), slice(0, 1), "censored", scale)
    return found, [part[0].tolist() for part in (found.y, found.point, found.low, found.high)]


def test_censored_values_enter_as_bounds_numbers_beyond_known_limits_included():
    cells = ["<2.5", "*1.5", "*3", ">25", 30, 7]
    found, (y, point, low, high) = entered(cells, CONTROL, lower_limit=2.5, upper_limit=25)
    inf = np.inf
    # *1.5 lies under the limit, 30 over the upper one; *3 is a number.
    assert y[:6] == [-inf, -inf, 3, inf, inf, 7]
    assert point[:6] == [2.5, 2.5, 3, 25, 25, 7]
    assert low[:6] == [-inf, -inf, 3, 25, 25, 7]
    assert high[:6] == [2.5, 2.5, 3, inf, inf, 7]
    assert found.below[0].tolist()[:6] == [True, True, False, False, False, False]
    assert found.above[0].tolist()[:6] == [False, False, False, True, True, False]


def test_a_zero_under_a_known_limit_has_no_logarithm_to_miss():
    _, (y, point, *_) = entered([0, 4, 6], CONTROL, scale="ln", lower_limit=2)
    assert y[0] == -np.inf
    assert point[0] == pytest.approx(np.log(2))
    with pytest.raises(cc.StudyError, match="0"):
        cc.compare_baseline(study([0, 4, 6], CONTROL), test="tobit")


@pytest.mark.parametrize("test", ["tobit", "peto_peto", "gehan"])
def test_limits_that_are_not_stated_are_borrowed_or_refuse_the_row(test):
    got = row(cc.compare_baseline(study(["LOW", 6, 9, 7], CONTROL, codes={"LOW": "below"}), test=test))
    assert said(got["note"], BORROWED) == 1
    assert got["p_value"] == row(cc.compare_baseline(study(["<3", 6, 9, 7], CONTROL), test=test))["p_value"]
    assert np.isnan(got["mean_case"]) == (got["n_below_case"] > 0)
    alone = row(cc.compare_baseline(study(["LOW", "LOW"], ["LOW", "<3"], codes={"LOW": "below"}), test=test))
    assert np.isnan(alone["p_value"])
    assert alone["note"].startswith("not tested")
