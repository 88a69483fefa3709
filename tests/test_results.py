"""The contract of a results table: columns, types, rows that could not be tested, CSV, pickling, selection, adjustment."""

from __future__ import annotations

import csv
import html.parser
import io
import pickle
import re
from functools import cache

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc
from cytokine_cc.results import COLUMNS, excluded_table

# As the design prints them.
CONTRACT = """
    analyte contrast visit test method scale below_limit alternative covariates n_case n_control n_below_case n_below_control
    n_above_case n_above_control mean_case mean_control sd_case sd_control estimand estimate std_error conf_low conf_high
    conf_level conf_type hedges_g statistic df p_value adjust family n_tests p_adjusted note
"""
WORDS = "analyte contrast visit test method scale below_limit alternative covariates estimand conf_type adjust family note"
NAMES, TEXT = CONTRACT.split(), WORDS.split()
COUNTS = ["n_case", "n_control", "n_below_case", "n_below_control", "n_above_case", "n_above_control", "n_tests"]
NUMBERS = [name for name in NAMES if name not in TEXT and name not in COUNTS]
ESTIMANDS = {
    "ratio of geometric means",
    "difference of means",
    "pseudo-median shift (ratio)",
    "pseudo-median shift (difference)",
    "none",
}
VERBS = {"baseline": cc.compare_baseline, "within": cc.change_within, "between": cc.change_between}
TESTS = {
    "baseline": ("student", "welch", "mann_whitney"),
    "within": ("paired_t", "signed_rank"),
    "between": ("change_score", "change_rank", "student"),
}
EVERY = [(verb, test) for verb, tests in TESTS.items() for test in tests]
RULES = ("half", "sqrt2", "limit", "drop", "as_reported")

# Eleven subjects, two later visits, and analytes that can and cannot be tested.
N_CASE, N_CONTROL = 6, 5
CASES = {
    "fine": lambda r, i, v, case: f"{r.lognormal(1):.3g}",
    "all missing": lambda r, i, v, case: "",
    "all below": lambda r, i, v, case: f"<{1 + i % 2}",
    "constant": lambda r, i, v, case: "2.5",
    "one case": lambda r, i, v, case: f"{r.lognormal():.3g}" if i == 0 or not case else "",
    "no case": lambda r, i, v, case: "" if case else f"{r.lognormal():.3g}",
    "no control": lambda r, i, v, case: f"{r.lognormal():.3g}" if case else "",
    "no limit": lambda r, i, v, case: "OOR <" if i == 1 else f"*{r.lognormal():.3g}",
    "all above": lambda r, i, v, case: ">99",
    "half below": lambda r, i, v, case: "<1" if r.random() < 0.5 else f"{1 + r.lognormal():.3g}",
}
UNTESTABLE = ["all missing", "all below", "constant", "one case", "no case", "no control", "no limit", "all above"]


@cache
def study(baseline=("0",)) -> cc.Study:
    r = np.random.default_rng(1)
    rows = []
    for i in range(N_CASE + N_CONTROL):
        case = i < N_CASE
        for v in ("0", "m3", "m6"):
            cells = {name: cell(r, i if case else i - N_CASE, v, case) for name, cell in CASES.items()}
            rows.append({"subject": f"s{i}", "visit": v, "group": "AIMSS" if case else "no AIMSS", **cells})
    panel = cc.read_panel(pd.DataFrame(rows), layout="wide", analytes=list(CASES))
    return cc.Study(panel, cc.Design("group", "AIMSS", "no AIMSS", baseline=baseline))


@cache
def answer(verb: str, test: str, **options) -> cc.Results:
    return VERBS[verb](study(), test=test, **options)


def text_type(dtype) -> bool:
    return isinstance(dtype, pd.StringDtype) or dtype == np.dtype(object)


def assert_contract(results: cc.Results) -> None:
    table = results.table
    assert list(table.columns) == NAMES
    for name in TEXT:
        assert text_type(table[name].dtype), name
        assert table[name].map(lambda cell: isinstance(cell, str)).all(), name
    assert {str(table[name].dtype) for name in COUNTS} == {"Int64"}
    assert {str(table[name].dtype) for name in NUMBERS} == {"float64"}
    assert (table["note"][table["p_value"].isna()] != "").all()
    assert (table["p_value"].isna() == table["p_adjusted"].isna()).all()
    assert (table["method"] == "").eq(table["p_value"].isna()).all()
    assert set(table["estimand"]) <= ESTIMANDS
    assert list(results.excluded.columns) == ["subject", "visit", "analyte", "reason"]
    for name in results.excluded:
        assert results.excluded[name].map(lambda cell: isinstance(cell, str)).all()
    assert (results.excluded["reason"] != "").all()
    assert not np.isinf(table["p_value"]).any()


# ---------------------------------------------------------------- the table


def test_the_columns_are_those_of_the_contract():
    assert list(COLUMNS) == NAMES


@pytest.mark.parametrize(("verb", "test"), EVERY)
@pytest.mark.parametrize("scale", ["log2", "raw"])
@pytest.mark.parametrize("rule", [None, *RULES])
def test_contract(verb, test, scale, rule):
    results = answer(verb, test, scale=scale, below_limit=rule)
    assert_contract(results)
    table = results.table
    contrasts = {"baseline": 1, "within": 4, "between": 2}[verb]
    assert table["analyte"].tolist() == list(CASES) * contrasts
    assert (table["test"] == test).all()
    assert (table["scale"] == scale).all()
    assert table["below_limit"].nunique() == 1
    assert (table["below_limit"] == rule).all() or rule is None
    assert (table["covariates"] == "").all()
    assert (table["conf_level"] == 0.95).all()


@pytest.mark.parametrize(("verb", "test"), EVERY)
def test_untestable_analytes_keep_their_rows_with_a_reason(verb, test):
    table = answer(verb, test).table
    for _, part in table.groupby(["contrast", "visit"]):
        rows = part.set_index("analyte")
        within_case = part["contrast"].str.endswith("in case").all()
        within_control = part["contrast"].str.endswith("in control").all()
        testable = {"fine", "half below"}
        testable |= {"no control"} if within_case else {"no case", "one case"} if within_control else set()
        assert set(rows.index[rows["p_value"].notna()]) == testable
        gone = rows[rows["p_value"].isna()]
        assert gone["note"].str.startswith("not tested").all()
        for name in ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_adjusted"):
            empty = gone.drop("constant", errors="ignore") if name == "estimate" else gone
            assert empty.drop("one case", errors="ignore")[name].isna().all(), name
        assert (rows["n_tests"] == len(testable)).all()


def test_each_reason_says_what_is_the_matter():
    notes = answer("baseline", "welch").table.set_index("analyte")["note"]
    assert "no case has a value" in notes["no case"]
    assert "no control has a value" in notes["no control"]
    assert "no case has a value" in notes["all missing"]
    assert "below its limit" in notes["all below"]
    assert "above its limit" in notes["all above"]
    assert "constant" in notes["constant"]
    assert "fewer than 2" in notes["one case"]
    assert "not known" in notes["no limit"]
    assert notes["fine"] == ""
    within = cc.change_within(study(), groups="case", visits="m3").table.set_index("analyte")["note"]
    assert "both visits" in within["all below"]
    assert "zero" in within["constant"]


def test_counts_of_rows_that_could_not_be_tested():
    rows = answer("baseline", "welch").table.set_index("analyte")
    assert rows.loc["all below", ["n_case", "n_control", "n_below_case", "n_below_control"]].tolist() == [6, 5, 6, 5]
    assert rows.loc["all missing", ["n_case", "n_control", "n_below_case"]].tolist() == [0, 0, 0]
    assert rows.loc["no limit", ["n_case", "n_control"]].tolist() == [5, 4]
    assert rows.loc["all above", ["n_above_case", "n_above_control"]].tolist() == [6, 5]


@pytest.mark.parametrize("scale", ["log2", "raw"])
def test_contrasts_state_their_sign(scale):
    sign = "-" if scale == "raw" else "/"
    baseline, within, between = (
        answer(verb, test, scale=scale).table[["contrast", "visit"]].drop_duplicates().to_numpy().tolist()
        for verb, test in (("baseline", "welch"), ("within", "paired_t"), ("between", "change_score"))
    )
    assert baseline == [[f"case {sign} control", "0"]]
    assert within == [[f"{v} {sign} 0 in {group}", v] for group in ("case", "control") for v in ("m3", "m6")]
    assert between == [[f"change: case {sign} control", v] for v in ("m3", "m6")]


def test_a_baseline_of_two_visits_is_named_by_both():
    both = study(("0", "m3"))
    assert set(cc.compare_baseline(both).table["visit"]) == {"0+m3"}
    within = cc.change_within(both, groups="case").table
    assert set(within["contrast"]) == {"m6 / 0+m3 in case"}
    assert set(within["visit"]) == {"m6"}


def test_the_user_s_order_of_groups_and_visits_is_kept():
    table = cc.change_within(study(), groups=("control", "case"), visits=("m6", "m3")).table
    assert table["contrast"].drop_duplicates().tolist() == [
        f"{v} / 0 in {group}" for group in ("control", "case") for v in ("m6", "m3")
    ]


def test_a_group_that_takes_no_part_is_blank():
    table = answer("within", "paired_t").table
    for group, other in (("case", "control"), ("control", "case")):
        rows = table[table["contrast"].str.endswith(f"in {group}")]
        for name in ("n", "n_below", "n_above"):
            assert rows[f"{name}_{other}"].isna().all()
            assert rows[f"{name}_{group}"].notna().all()
        assert rows[[f"mean_{other}", f"sd_{other}"]].isna().all(axis=None)


@pytest.mark.parametrize(
    ("verb", "test", "scale", "estimand", "conf_type"),
    [
        ("baseline", "welch", "log2", "ratio of geometric means", "t"),
        ("baseline", "student", "raw", "difference of means", "t"),
        ("baseline", "mann_whitney", "ln", "pseudo-median shift (ratio)", "order statistics"),
        ("baseline", "mann_whitney", "raw", "pseudo-median shift (difference)", "order statistics"),
        ("within", "paired_t", "log10", "ratio of geometric means", "t"),
        ("within", "signed_rank", "log2", "pseudo-median shift (ratio)", "order statistics"),
        ("between", "change_score", "raw", "difference of means", "t"),
        ("between", "change_rank", "log2", "pseudo-median shift (ratio)", "order statistics"),
    ],
)
def test_estimands_and_intervals(verb, test, scale, estimand, conf_type):
    table = answer(verb, test, scale=scale).table
    assert set(table["estimand"]) == {estimand}
    assert set(table["conf_type"]) == {conf_type}
    rank = conf_type == "order statistics"
    assert table["std_error"].isna().all() == rank
    assert table["df"].isna().all() == rank


def test_estimates_are_ratios_on_log_scales_and_the_standard_error_is_not():
    by_scale = {
        scale: answer("baseline", "welch", scale=scale).table.set_index("analyte").loc["fine"]
        for scale in ("log2", "ln", "log10")
    }
    for row in by_scale.values():
        for column in ("estimate", "conf_low", "conf_high", "mean_case", "sd_control", "hedges_g", "p_value", "statistic", "df"):
            assert row[column] == pytest.approx(by_scale["ln"][column], rel=1e-12), column
    assert by_scale["log2"]["std_error"] * np.log(2) == pytest.approx(by_scale["ln"]["std_error"], rel=1e-12)
    row = by_scale["ln"]
    assert row["estimate"] == pytest.approx(row["mean_case"] / row["mean_control"], rel=1e-12)
    half = st.t.ppf(0.975, row["df"]) * row["std_error"]
    assert row["conf_low"] == pytest.approx(np.exp(np.log(row["estimate"]) - half), rel=1e-10)
    raw = answer("baseline", "welch", scale="raw").table.set_index("analyte").loc["fine"]
    assert raw["estimate"] == pytest.approx(raw["mean_case"] - raw["mean_control"], rel=1e-12)


@pytest.mark.parametrize(("verb", "test"), EVERY)
def test_one_sided_intervals_are_open_at_zero_and_infinity(verb, test):
    for scale, low in (("log2", 0.0), ("raw", -np.inf)):
        less, greater = (answer(verb, test, scale=scale, alternative=side).table for side in ("less", "greater"))
        tested = less["p_value"].notna()
        assert (less.loc[tested, "conf_low"] == low).all()
        assert (greater.loc[tested, "conf_high"] == np.inf).all()
        assert less.loc[~tested, ["conf_low", "conf_high"]].isna().all(axis=None)


def test_conf_level_is_said_and_widens():
    narrow, wide = (answer("baseline", "welch", conf_level=level).table.set_index("analyte").loc["fine"] for level in (0.8, 0.99))
    assert (narrow["conf_level"], wide["conf_level"]) == (0.8, 0.99)
    assert wide["conf_low"] < narrow["conf_low"] < narrow["conf_high"] < wide["conf_high"]


def test_hedges_g_is_unadjusted_and_needs_spread():
    rows = answer("baseline", "mann_whitney").table.set_index("analyte")
    assert np.isnan(rows.loc["half below", "hedges_g"])  # tied lowest: no numbers
    assert rows.loc["fine", "hedges_g"] == answer("baseline", "welch").table.set_index("analyte").loc["fine", "hedges_g"]
    assert np.isnan(rows.loc["constant", "hedges_g"])


# ---------------------------------------------------------------- families


@pytest.mark.parametrize("method", ["none", "bonferroni", "holm", "hommel", "BH", "BY"])
def test_a_family_is_a_visit_and_group_or_all(method):
    by_visit = answer("within", "paired_t", adjust=method).table
    for _, part in by_visit.groupby(["contrast", "visit"]):
        want = cc.adjust_pvalues(part["p_value"].to_numpy(), method)
        np.testing.assert_array_equal(part["p_adjusted"], want)
        assert (part["n_tests"] == part["p_value"].notna().sum()).all()
    together = answer("within", "paired_t", adjust=method, family="all").table
    np.testing.assert_array_equal(together["p_adjusted"], cc.adjust_pvalues(by_visit["p_value"].to_numpy(), method))
    assert (together["n_tests"] == together["p_value"].notna().sum()).all()
    assert set(together["family"]) == {"all"}
    assert set(together["adjust"]) == {method}


@pytest.mark.parametrize("method", ["holm", "BY"])
@pytest.mark.parametrize("family", ["visit", "all"])
@pytest.mark.parametrize("verb", VERBS)
def test_adjusting_anew_equals_asking_so_at_once(verb, method, family):
    test = TESTS[verb][0]
    anew = answer(verb, test).adjust(method, family=family)
    pd.testing.assert_frame_equal(anew.table, answer(verb, test, adjust=method, family=family).table, check_exact=True)
    assert_contract(anew)
    assert (answer(verb, test).table["adjust"] == "BH").all()  # the first is left alone


def test_adjusting_a_selection_is_a_new_family():
    few = answer("baseline", "welch").select(analyte=["fine", "all below"]).adjust("bonferroni")
    assert few.table["n_tests"].tolist() == [1, 1]
    assert few.table["p_adjusted"].iloc[0] == few.table["p_value"].iloc[0]
    assert answer("within", "paired_t", family="all").adjust("holm").table["family"].eq("all").all()


@pytest.mark.parametrize("method", ["maxT", "minP", "fdr", "BHH"])
def test_adjusting_by_what_needs_the_data_or_is_unknown_is_refused(method):
    with pytest.raises(cc.OptionError, match="`method` must be one of"):
        answer("baseline", "welch").adjust(method)
    with pytest.raises(cc.OptionError, match="`family` must be one of"):
        answer("baseline", "welch").adjust("BH", family="visits")


# ---------------------------------------------------------------- significant, select, combine


def test_significant():
    results = cc.compare_baseline(cc.load_study("quickstart"))
    for alpha in (0.001, 0.05, 0.3):
        got = results.significant(alpha)
        assert got.table["analyte"].tolist() == results.table["analyte"][results.table["p_adjusted"] <= alpha].tolist()
        assert_contract(got)
        assert got.meta == results.meta
        assert len(got.excluded) == len(results.excluded)
    exactly = float(results.table["p_adjusted"].min())
    assert len(results.significant(exactly)) >= 1
    assert 0 < len(results.significant()) < len(results)
    assert len(answer("baseline", "welch").significant(1e-12)) == 0  # NaN is never significant


@pytest.mark.parametrize("alpha", [0, 1, 5, "0.05", None])
def test_significant_refuses_what_is_no_level(alpha):
    with pytest.raises(cc.OptionError, match="`alpha`"):
        answer("baseline", "welch").significant(alpha)


def test_select():
    results = answer("within", "paired_t")
    assert results.select(visit="m3").table["visit"].unique().tolist() == ["m3"]
    assert len(results.select(visit="m3", analyte=["fine", "constant"])) == 4
    assert len(results.select(contrast="m3 / 0 in case", analyte="fine")) == 1
    assert len(results.select(n_case=6)) > 0
    assert len(results.select()) == len(results)
    assert len(results.select(visit="m3", contrast="m6 / 0 in case")) == 0
    assert_contract(results.select(visit="m3"))
    kept = results.select(analyte="fine").table
    assert kept["p_adjusted"].equals(results.table.loc[results.table["analyte"] == "fine", "p_adjusted"])


@pytest.mark.parametrize(
    ("where", "match"),
    [
        ({"analytes": "fine"}, "unknown key 'analytes'. Did you mean 'analyte'"),
        ({"analyte": "fin"}, "no row has analyte = 'fin'"),
        ({"visit": ["m3", "m9"]}, "no row has visit = 'm9'; there are 'm3', 'm6'"),
    ],
)
def test_select_refuses(where, match):
    with pytest.raises(cc.OptionError, match=match):
        answer("within", "paired_t").select(**where)


def test_combine():
    parts = [answer(verb, tests[0]) for verb, tests in TESTS.items()]
    whole = cc.Results.combine(parts)
    assert_contract(whole)
    assert len(whole) == sum(map(len, parts))
    assert len(whole.excluded) == sum(len(part.excluded) for part in parts)
    assert whole.table.index.tolist() == list(range(len(whole)))
    assert [part["question"] for part in whole.meta["parts"]] == ["baseline", "change_within", "change_between"]
    for part in parts:
        for contrast in part.table["contrast"].unique():
            rows = whole.select(contrast=contrast).table.reset_index(drop=True)
            pd.testing.assert_frame_equal(rows, part.table[part.table["contrast"] == contrast].reset_index(drop=True))
    with pytest.raises(cc.OptionError, match="at least one"):
        cc.Results.combine([])


def test_combined_results_are_adjusted_by_visit_as_they_were_or_all_together():
    parts = [answer("baseline", "welch"), answer("between", "change_score")]
    whole = cc.Results.combine(parts)
    again = whole.adjust("BH")
    np.testing.assert_array_equal(again.table["p_adjusted"], whole.table["p_adjusted"])
    together = whole.adjust("bonferroni", family="all")
    assert (together.table["n_tests"] == whole.table["p_value"].notna().sum()).all()


@pytest.mark.parametrize(
    "other",
    [
        {"test": "welch", "scale": "raw"},
        {"test": "mann_whitney"},
        {"test": "welch", "below_limit": "drop"},
        {"test": "welch", "alternative": "less"},
    ],
)
def test_the_same_question_asked_twice_is_two_families(other):
    parts = [answer("baseline", "welch"), cc.compare_baseline(study(), **other)]
    whole = cc.Results.combine(parts)
    again = whole.adjust("BH")
    assert again.table["n_tests"].equals(whole.table["n_tests"])
    np.testing.assert_array_equal(again.table["p_adjusted"], whole.table["p_adjusted"])


def test_html_of_several_tests_does_not_speak_of_one():
    whole = cc.Results.combine([answer("baseline", "welch"), answer("within", "signed_rank", adjust="holm")])
    caption = parsed(whole._repr_html_()).cells[0]
    assert ("welch" in caption) == ("signed_rank" in caption)
    assert ("BH" in caption) == ("holm" in caption)


# ---------------------------------------------------------------- CSV

CELL = hs.text(
    hs.characters(codec="utf-8", exclude_characters="\r\x00", exclude_categories=["Cs"]), max_size=12
) | hs.sampled_from(
    ["NA", "None", "NaN", "nan", "null", "", " ", "-", 'IL-6 "new"', "a,b", "a;b", "a\nb", "1", "1.0", "True", "µ-β", "#N/A"]
)
NUMBER = hs.floats(allow_nan=True, allow_infinity=True)


def table_from(cells: dict[str, list], n: int) -> pd.DataFrame:
    base = answer("baseline", "welch").table.iloc[[0] * n].reset_index(drop=True)
    for name, values in cells.items():
        base[name] = pd.array(values, dtype="Int64") if name in COUNTS else values
    return base.astype(COLUMNS)


@settings(derandomize=True, max_examples=60, deadline=None)
@given(hs.data(), hs.integers(1, 4))
def test_csv_round_trip_of_any_text_and_any_number(data, n):
    cells = {name: data.draw(hs.lists(CELL, min_size=n, max_size=n)) for name in ("analyte", "note", "contrast", "method")}
    cells |= {name: data.draw(hs.lists(NUMBER, min_size=n, max_size=n)) for name in ("estimate", "p_value", "conf_high")}
    cells |= {"n_case": data.draw(hs.lists(hs.none() | hs.integers(0, 2**40), min_size=n, max_size=n))}
    results = cc.Results(table_from(cells, n))
    back = cc.Results.from_csv(io.StringIO(results.to_csv()))
    pd.testing.assert_frame_equal(back.table, results.table, check_exact=True)
    assert back.table["analyte"].tolist() == cells["analyte"]


@pytest.mark.parametrize(("verb", "test"), EVERY)
def test_csv_round_trip_of_real_tables(verb, test, tmp_path):
    results = answer(verb, test, alternative="less")
    path = tmp_path / "results.csv"
    assert results.to_csv(path) is None
    back = cc.Results.from_csv(path)
    pd.testing.assert_frame_equal(back.table, results.table, check_exact=True)
    assert_contract(back)
    assert path.read_text(encoding="utf-8") == results.to_csv() == back.to_csv()
    assert path.read_bytes().count(b"\r") == 0


@pytest.mark.parametrize("name", ["a\rb", "a\r\nb"])
def test_csv_round_trip_of_carriage_returns(name, tmp_path):
    results = cc.Results(table_from({"analyte": [name, "c"]}, 2))
    results.to_csv(tmp_path / "results.csv")
    assert cc.Results.from_csv(tmp_path / "results.csv").table["analyte"].tolist() == [name, "c"]


def test_csv_of_no_rows():
    none = answer("baseline", "welch").significant(1e-12)
    back = cc.Results.from_csv(io.StringIO(none.to_csv()))
    assert len(back) == 0
    assert_contract(back)


@pytest.mark.parametrize("text", ["a,b\n1,2\n", "", "\n"])
def test_csv_that_is_no_results_table(text):
    with pytest.raises(cc.OptionError, match="no results table"):
        cc.Results.from_csv(io.StringIO(text))


def test_csv_with_a_column_too_many():
    text = answer("baseline", "welch").to_csv()
    wide = "\n".join(line + ",extra" for line in text.splitlines())
    with pytest.raises(cc.OptionError, match="no results table"):
        cc.Results.from_csv(io.StringIO(wide))


def test_csv_that_cannot_be_read(tmp_path):
    with pytest.raises(cc.OptionError, match=r"none: cannot be read \(No such file or directory\)"):
        cc.Results.from_csv(tmp_path / "none")
    (tmp_path / "latin.csv").write_bytes("µ".encode("latin-1"))
    with pytest.raises(cc.OptionError, match=r"latin.csv: this is not a UTF-8 text file \(byte 1"):
        cc.Results.from_csv(tmp_path / "latin.csv")
    with pytest.raises(cc.OptionError, match="name the path of a file, or give a text stream; got 3"):
        cc.Results.from_csv(3)


@pytest.mark.parametrize("column", ["n_case", "p_value"])
def test_csv_with_a_word_for_a_number(column):
    results = answer("baseline", "welch")
    text = results.table.assign(**{column: "many"}).to_csv(index=False)
    with pytest.raises(cc.OptionError, match=f"no results table: column '{column}' must hold numbers .*'many'"):
        cc.Results.from_csv(io.StringIO(text))


def test_a_table_of_other_columns_is_refused():
    table = answer("baseline", "welch").table
    for other in (table.drop(columns="note"), table[NAMES[::-1]], table.assign(extra=1)):
        with pytest.raises(cc.OptionError, match="a results table has the columns"):
            cc.Results(other)


def test_the_file_holds_every_digit_in_plain_text():
    results = answer("baseline", "welch")
    rows = list(csv.DictReader(io.StringIO(results.to_csv())))
    for name in ("p_value", "estimate", "mean_case"):
        for row, number in zip(rows, results.table[name], strict=True):
            assert (float(row[name]) == number) if row[name] else np.isnan(number)


# ---------------------------------------------------------------- pickling, showing


@pytest.mark.parametrize(("verb", "test"), EVERY[::2])
def test_pickling(verb, test):
    results = answer(verb, test)
    back = pickle.loads(pickle.dumps(results))
    pd.testing.assert_frame_equal(back.table, results.table, check_exact=True)
    pd.testing.assert_frame_equal(back.excluded, results.excluded, check_exact=True)
    assert back.meta == results.meta


class Html(html.parser.HTMLParser):
    """Collects tags and the text of cells, and notices tags that do not close."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.cells = [], [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        self.tags.append(tag)
        if tag in ("td", "th", "caption"):
            self.cells.append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] in ("td", "th", "caption"):
            self.cells[-1] += data


def parsed(text: str) -> Html:
    parser = Html()
    parser.feed(text)
    parser.close()
    assert not parser.open
    return parser


NASTY = '<script>alert("x")</script> & <b>'


def test_html_escapes_what_comes_from_the_file():
    frame = pd.DataFrame({"subject": list("abcdef"), "group": ["<i>", "c"] * 3, "visit": "<0>", NASTY: [1, 2, 3, 4, 5, "<1"]})
    panel = cc.read_panel(frame, layout="wide", analytes=[NASTY])
    data = cc.Study(panel, cc.Design("group", "<i>", "c", baseline="<0>"))

    def mine(x, y):
        return st.ttest_ind(x, y, axis=-1)

    mine.__name__ = "<lambda>"
    for results in (cc.compare_baseline(data), cc.compare_baseline(data, test=mine)):
        text = results._repr_html_()
        assert "<script" not in text
        assert set(parsed(text).tags) == {"table", "caption", "thead", "tr", "th", "tbody", "td"}
        assert NASTY in parsed(text).cells


def test_html_shows_rounded_numbers_and_no_nan():
    text = answer("baseline", "welch")._repr_html_()
    cells = parsed(text).cells
    assert "nan" not in [cell.lower() for cell in cells]
    assert "<NA>" not in cells
    assert all(len(cell) <= 9 for cell in cells if re.fullmatch(r"[\d.e+-]+", cell))
    assert f"{len(CASES)} rows" in cells[0]
    within = parsed(answer("within", "paired_t")._repr_html_()).cells
    assert "<NA>" not in within


def test_empty_results_can_be_shown():
    none = answer("baseline", "welch").significant(1e-12)
    assert parsed(none._repr_html_()).cells[0].startswith("0 rows")
    assert repr(none).startswith("<Results: 0 rows")
    assert len(none) == 0


def test_repr_counts():
    results = answer("baseline", "welch")
    n = len(results.excluded)
    assert repr(results).startswith(f"<Results: {len(CASES)} rows, 2 tested; {n} cells left out>")


# ---------------------------------------------------------------- meta


@pytest.mark.parametrize("verb", VERBS)
def test_meta_says_how_the_table_was_made(verb):
    meta = answer(verb, TESTS[verb][0], adjust="holm", conf_level=0.9).meta
    assert set(meta) >= {"plan", "design", "source", "versions", "seed"}
    assert meta["plan"]["adjust"] == "holm"
    assert meta["plan"]["conf_level"] == 0.9
    assert meta["design"]["case"] == "AIMSS"
    assert meta["versions"]["cytokine_cc"] == cc.__version__
    assert meta["versions"]["numpy"] == np.__version__


def test_excluded_table_of_nothing():
    frame = excluded_table([])
    assert list(frame.columns) == ["subject", "visit", "analyte", "reason"]
    assert len(frame) == 0
    assert excluded_table([("a", "b", "", "c")]).to_numpy().tolist() == [["a", "b", "", "c"]]
