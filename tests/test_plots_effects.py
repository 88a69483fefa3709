"""volcano, forest and change: what is drawn is what the table says, for 1, 36 and 500 analytes and for awkward rows."""

from __future__ import annotations

import io
import re
from dataclasses import replace
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.text import Annotation

import cytokine_cc as cc
from cytokine_cc import plots
from cytokine_cc.multiplicity import METHODS, adjust_pvalues
from cytokine_cc.plots.drawing import off_screen, short
from cytokine_cc.plots.effects import change_data, forest_data
from cytokine_cc.plots.significance import _threshold, volcano_data

LONG = "soluble interleukin-2 receptor subunit alpha, measured in serum after one freeze-thaw cycle"
ODD = ["all below", "all missing", LONG, "$x_1$", "_hidden"]


@cache
def study(m: int) -> cc.Study:
    """14 cases and 12 controls at three visits; the first columns are awkward ones where there is room."""
    rng = np.random.default_rng(m)
    subjects, visits = [f"S{i:02d}" for i in range(26)], ["0", "1", "6"]
    frame = pd.DataFrame([(s, v, "case" if i < 14 else "control") for i, s in enumerate(subjects) for v in visits])
    frame.columns = ["subject", "visit", "group"]
    odd = ODD if m > 1 else []
    names = [*odd, *(f"A{i:03d}" for i in range(m - len(odd)))]
    shift = np.where((frame["group"] == "case").to_numpy()[:, None] & (np.arange(m) % 7 == 5), -1.2, 0.0)
    levels = np.exp(rng.normal(2, 0.6, (len(frame), m)) + shift)
    cells = pd.DataFrame(levels, columns=names).round(3).astype(object)
    if odd:
        cells["all below"], cells["all missing"] = "<0.5", ""
    panel = cc.read_panel(pd.concat([frame, cells], axis=1), layout="wide", analytes=names)
    return cc.Study(panel, cc.Design("group", "case", "control", baseline="0"))


@cache
def results(verb: str, m: int, **options) -> cc.Results:
    return getattr(cc, verb)(study(m), **options)


def shown(f, *args, **options):
    with off_screen():
        return f(*args, **options)


def marks(ax) -> pd.DataFrame:
    """All marks but those of a legend: x, y, mark, filled."""
    rows = [
        (x, y, line.get_marker(), line.get_markerfacecolor() not in ("#ffffff", "none"), line.get_color())
        for line in ax.lines
        if line.get_marker() != "None" and line.get_linestyle() == "None"
        for x, y in zip(*line.get_data(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["x", "y", "mark", "filled", "colour"])


def segments(ax) -> np.ndarray:
    """All intervals as rows of x0, y0, x1, y1."""
    found = [np.ravel(path) for c in ax.collections if isinstance(c, LineCollection) for path in c.get_segments()]
    return np.array(found).reshape(-1, 4)


def pairs(x, y) -> list[tuple[float, float]]:
    return sorted(zip(map(float, x), map(float, y), strict=True))


def written(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def with_rows(source: cc.Results, **rows) -> cc.Results:
    """Put numbers into rows of a table, by analyte."""
    table = source.table.copy()
    for name, numbers in rows.items():
        for column, number in numbers.items():
            table.loc[table["analyte"] == name, column] = number
    return replace(source, table=table).adjust("BH")


# ---------------------------------------------------------------- volcano


@pytest.mark.parametrize("m", [1, 36, 500])
def test_volcano_draws_each_tested_analyte_where_the_table_says(m):
    source = results("compare_baseline", m)
    ax = shown(plots.volcano, source, label=3)
    data, table = volcano_data(source), source.table
    assert np.array_equal(data["p_value"], table["p_value"], equal_nan=True)
    tested = data[data["shown"] == "point"]
    assert len(tested) == m - (2 if m > 1 else 0)
    got = marks(ax)
    assert pairs(got["x"], got["y"]) == pairs(tested["estimate"], tested["p_value"])
    filled = got[got["filled"]]
    significant = table[table["p_adjusted"] <= 0.05]
    assert pairs(filled["x"], filled["y"]) == pairs(significant["estimate"], significant["p_value"])
    low, high = ax.get_xlim()
    assert ax.get_xscale() == ax.get_yscale() == "log"
    assert low * high == pytest.approx(1)
    assert low < tested["estimate"].min()
    assert tested["estimate"].max() < high
    bottom, top = ax.get_ylim()
    assert top < tested["p_value"].min() <= tested["p_value"].max() <= 1 < bottom


def test_volcano_says_which_rows_are_not_in_it():
    ax = shown(plots.volcano, results("compare_baseline", 36))
    assert "not tested: all below, all missing" in written(ax)
    many = with_rows(results("compare_baseline", 36), **{f"A{i:03d}": {"p_value": np.nan} for i in range(5)})
    assert "7 not tested" in written(shown(plots.volcano, many))
    ax = shown(plots.volcano, with_rows(results("compare_baseline", 36), A003={"estimate": np.nan}))
    assert "not tested: all below, all missing; no estimate: A003" in written(ax)


def test_volcano_shows_what_lies_beyond_the_axes_as_triangles_at_the_edge():
    odd = {"A001": {"estimate": 0.0}, "A002": {"estimate": np.inf, "p_value": 1e-4}, "A003": {"p_value": 0.0}}
    source = with_rows(results("compare_baseline", 36), **odd)
    ax = shown(plots.volcano, source)
    got, table = marks(ax), source.table.set_index("analyte")
    left, right, top = (got[got["mark"] == mark] for mark in "<>^")
    assert pairs(left["x"], left["y"]) == [(ax.get_xlim()[0], table.loc["A001", "p_value"])]
    assert pairs(right["x"], right["y"]) == [(ax.get_xlim()[1], 1e-4)]
    assert pairs(top["x"], top["y"]) == [(table.loc["A003", "estimate"], ax.get_ylim()[1])]
    assert len(got) == 34


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("seed", range(6))
def test_the_line_is_the_p_value_that_the_next_analyte_would_need(method, seed):
    rng = np.random.default_rng(seed)
    p = rng.random(30) ** rng.choice([1, 1, 4], 30)
    p = p if seed else p * 0.001  # all significant
    new = {"p_value": p, "adjust": method, "p_adjusted": adjust_pvalues(p, method), "n_tests": 30}
    table = results("compare_baseline", 36).table.tail(30).assign(**new)
    line, exact = _threshold(table, 0.05)
    assert exact
    found = (table["p_adjusted"] <= 0.05).to_numpy()
    last = int(p.argmax()) if found.all() else int(np.where(found, 2, p).argmin())
    for factor, expected in ((1 - 1e-9, True), (1 + 1e-9, False)):
        moved = p.copy()
        moved[last] = min(1, line * factor)
        assert (adjust_pvalues(moved, method)[last] <= 0.05) == expected
    if method == "BH" and not found.all():
        assert line == pytest.approx(0.05 * (found.sum() + 1) / 30)
    assert p[found].max(initial=0) <= line
    assert found.all() or line < p[~found].min()


def test_the_line_is_drawn_and_named():
    source = results("compare_baseline", 36)
    ax = shown(plots.volcano, source, alpha=0.1)
    (y,) = {line.get_ydata()[0] for line in ax.lines if line.get_linestyle() == "--"}
    assert y == volcano_data(source, alpha=0.1)["threshold"].iloc[0]
    assert "BH-adjusted p = 0.1" in written(ax)
    plain_p = shown(plots.volcano, source.adjust("none"))
    assert "p = 0.05" in written(plain_p)


def test_of_part_of_a_family_the_line_lies_between_the_marks():
    whole = results("compare_baseline", 36)
    ranked = whole.table.dropna(subset="p_value").sort_values("p_value")
    significant = ranked.loc[ranked["p_adjusted"] <= 0.05, "analyte"].tolist()
    others = ranked.loc[ranked["p_adjusted"] > 0.05, "analyte"].tolist()
    part = whole.select(analyte=[*significant[:2], *others[3:6]])
    data = volcano_data(part)
    line = data["threshold"].iloc[0]
    assert not data["threshold_exact"].any()
    assert data.loc[data["significant"], "p_value"].max() < line < data.loc[~data["significant"], "p_value"].min()
    assert any("between the marks" in text for text in written(shown(plots.volcano, part)))
    assert np.isnan(volcano_data(whole.select(analyte=others[:3]))["threshold"]).all()


def test_names_are_those_of_the_most_significant_or_those_asked_for():
    source = results("compare_baseline", 36)
    by_p = source.significant().table.sort_values("p_value")["analyte"].tolist()
    assert len(by_p) > 3
    names = set(source.table["analyte"])
    assert [text for text in written(shown(plots.volcano, source, label=2)) if text in names] == by_p[:2]
    assert not names & set(written(shown(plots.volcano, source, label=0)))
    ax = shown(plots.volcano, source, label=["A020", LONG, "$x_1$", "all missing"])
    found = written(ax)
    assert "A020" in found
    assert r"\$x_1\$" in found
    assert any(text.startswith("soluble") for text in found)
    with pytest.raises(cc.OptionError, match=r"`label` must be one of .*got 'A20'.* Did you mean"):
        plots.volcano(source, label=["A20"])
    with pytest.raises(cc.OptionError, match="`label` must be a whole number of at least 0"):
        plots.volcano(source, label=-1)


def named(source, names=None):
    """Return the picture, and the boxes of the names in it once it is laid out."""
    ax = shown(plots.volcano, source, **({} if names is None else {"label": names}))
    ax.figure.draw_without_rendering()
    wanted = {short(name, width) for name in source.table["analyte"] for width in (24, 30)}
    return ax, {t.get_text(): t.get_window_extent() for t in ax.texts if t.get_text() in wanted}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["500", "long", "crowd"])
def test_names_cover_nothing_and_stay_where_they_are(kind):
    source, names = results("compare_baseline", 500 if kind == "500" else 36), None
    if kind == "long":
        table = source.table.assign(analyte=[f"soluble interleukin-{i} receptor subunit alpha" for i in range(36)])
        source, names = replace(source, table=table), list(table["analyte"])[:21]
    if kind == "crowd":
        names = list(source.table["analyte"])
    ax, found = named(source, names)
    boxes = list(found.values())
    assert len(boxes) > 4
    assert not any(a.overlaps(b) for i, a in enumerate(boxes) for b in boxes[:i])
    (line,) = [t.get_window_extent() for t in ax.texts if t.get_text() == "BH-adjusted p = 0.05"]
    assert not any(box.overlaps(line) for box in boxes)
    spots = ax.transData.transform(marks(ax)[["x", "y"]].to_numpy())
    assert not any(((spots > box.min) & (spots < box.max)).all(axis=1).any() for box in boxes)
    tested = source.table["p_value"].notna()
    asked = 20 if names is None else (tested & source.table["analyte"].isin(names)).sum()
    (note,) = [text for text in written(ax) if "not tested" in text or "no room" in text]
    gone = re.search(r"no room for (\d+) name", note.replace("\n", " "))
    assert len(boxes) + (int(gone[1]) if gone else 0) == asked
    assert kind != "long" or gone
    again = named(source, names)[1]
    assert all(np.array_equal(found[name].bounds, again[name].bounds) for name in found)
    leaders = [child for child in ax.get_children() if isinstance(child, Annotation) and child.arrow_patch is not None]
    assert leaders  # of those that stand away from their marks


def test_part_of_a_family_has_no_line_that_looks_exact():
    source = cc.change_within(cc.load_study("common_shift"), adjust="bonferroni", family="all")
    part = source.select(contrast="month6 / baseline in case", visit="month6")
    data = volcano_data(part)
    assert (data["threshold"] == 0.05 / 144).all()
    assert "Bonferroni-adjusted p = 0.05, 144 tests" in written(shown(plots.volcano, part))
    for method in ("holm", "hochberg", "hommel", "BY", "BH"):
        table = source.table.assign(p_value=1.0)  # all adjusted p are 1, of the part as of the whole
        few = replace(source, table=table).adjust(method, family="all").select(contrast="month6 / baseline in case")
        assert np.isnan(volcano_data(few)["threshold"]).all()


@pytest.mark.parametrize("least", [1e-300, 1e-307, 5e-324])
def test_volcano_of_the_smallest_p_values(least):
    ax = shown(plots.volcano, with_rows(results("compare_baseline", 36), A003={"p_value": least}))
    ax.figure.draw_without_rendering()
    (top,) = marks(ax).query("mark == '^'")["y"] if least < 1e-300 else [least]
    assert top == ax.get_ylim()[1] == 1e-300


@pytest.mark.parametrize("estimate", [0.8, 1.0, 1.02, 3.0, 0.01])
def test_one_analyte_has_an_axis_that_can_be_read(estimate):
    table = results("compare_baseline", 1).table.assign(estimate=estimate, conf_low=estimate / 1.05, conf_high=estimate * 1.05)
    for draw in (plots.volcano, plots.forest):
        ax = shown(draw, replace(results("compare_baseline", 1), table=table))
        low, high = ax.get_xlim()
        assert sum(low <= tick <= high for tick in ax.get_xticks()) > 1
        if draw is plots.volcano:
            assert abs(np.log(estimate)) < 0.92 * np.log(high)


def test_volcano_and_forest_need_estimates():
    source = results("compare_baseline", 36)
    bare = replace(source, table=source.table.assign(estimate=np.nan, conf_low=np.nan, conf_high=np.nan, test="mine"))
    for draw in (plots.volcano, plots.forest):
        with pytest.raises(cc.OptionError, match=r"'mine' gave p-values alone. Show these with p_values\(\)"):
            draw(bare)


def test_results_that_hold_the_same_data_twice_are_refused():
    source = results("compare_baseline", 36)
    both = cc.Results.combine([source, source.adjust("holm")])
    levels = replace(source, table=pd.concat([source.table.head(9), source.table.tail(9).assign(conf_level=0.9)]))
    for draw in (plots.volcano, plots.forest):
        with pytest.raises(cc.OptionError, match=r"2 of adjust: 'BH', 'holm'. Choose one: results.select\(adjust='BH'\)"):
            draw(both)
        with pytest.raises(cc.OptionError, match=r"2 of conf_level: '0.95', '0.9'. .*select\(conf_level=0.95\)"):
            draw(levels)
        with pytest.raises(cc.OptionError, match="'all below' twice for 'case / control' at '0'"):
            draw(cc.Results.combine([source, source]))
    with pytest.raises(cc.OptionError, match=r"p_values\(\) takes each analyte once"):
        plots.p_values(both)


# ---------------------------------------------------------------- forest


@pytest.mark.parametrize(("m", "sort"), [(1, None), (1, "p"), (36, None), (36, "estimate"), (36, "p"), (500, "p")])
def test_forest_draws_estimates_and_intervals_row_by_row(m, sort):
    source = results("compare_baseline", m)
    ax = shown(plots.forest, source, sort=sort)
    data = forest_data(source, sort=sort)
    key = {"estimate": -source.table["estimate"], "p": source.table["p_value"]}.get(sort)
    order = source.table.index if key is None else key.sort_values(kind="stable").index
    assert data["analyte"].tolist() == source.table.loc[order, "analyte"].tolist()
    got = marks(ax)
    tested = data.dropna(subset="p_value")
    assert pairs(got["x"], got["y"]) == pairs(tested["estimate"], tested.index)
    filled, significant = got[got["filled"]], data[data["significant"]]
    assert pairs(filled["x"], filled["y"]) == pairs(significant["estimate"], significant.index)
    drawn = segments(ax)
    want = np.column_stack([tested["conf_low"], tested.index, tested["conf_high"], tested.index])
    low, high = ax.get_xlim()
    want[:, [0, 2]] = np.clip(want[:, [0, 2]], low, high)
    np.testing.assert_array_equal(drawn, want)
    assert len(ax.get_yticks()) == m
    assert ax.get_ylim() == (m - 0.4, -0.6)


def test_forest_writes_shares_below_the_limit_and_adjusted_p_in_line_with_the_rows():
    source = cc.compare_baseline(cc.load_study("quickstart"))
    ax = shown(plots.forest, source)
    table = source.table
    at = {(text.xy[1], text.get_text()) for text in ax.texts}
    for i, row in table.iterrows():
        share = f"{row['n_below_case'] / row['n_case']:.0%} / {row['n_below_control'] / row['n_control']:.0%}"
        assert (i, share) in at
    assert (table["analyte"].tolist().index("HGF"), "0.000544") in at
    assert {"below limit\ncase / control", "BH-adjusted\np"} <= set(written(ax))
    ax.figure.draw_without_rendering()
    edges = {round(text.get_window_extent().x1) for text in ax.texts if "%" in text.get_text()}
    assert len(edges) == 1  # flush right


def test_forest_keeps_rows_that_could_not_be_tested():
    source = results("compare_baseline", 36)
    ax = shown(plots.forest, source)
    assert [text.xy[1] for text in ax.texts if text.get_text() == "not tested"] == [0, 1]
    assert {text.get_text() for text in ax.texts if text.xy[1] == 0} >= {"100% / 100%", "not tested"}
    assert {text.get_text() for text in ax.texts if text.xy[1] == 1} >= {"– / –", "not tested"}
    nothing = source.select(analyte=["all below", "all missing"])
    assert not len(marks(shown(plots.forest, nothing)))


def test_intervals_beyond_the_axis_end_in_arrows():
    odd = {
        "A001": {"conf_low": 0.0},
        "A002": {"conf_high": np.inf},
        "A003": {"conf_low": 1e-12, "conf_high": 1e12},
        "A004": {"estimate": 0.0, "conf_low": 0.0, "conf_high": 0.9},
    }
    ax = shown(plots.forest, with_rows(results("compare_baseline", 36), **odd))
    (low, high), got = ax.get_xlim(), marks(ax)
    left, right = got[got["mark"] == "<"], got[got["mark"] == ">"]
    assert set(left["x"]) == {low}
    assert set(right["x"]) == {high}
    assert set(left["y"]) == {6, 8, 9}
    assert set(right["y"]) == {7, 8}
    drawn = {row[1]: (row[0], row[2]) for row in segments(ax)}
    assert drawn[8] == (low, high)
    assert drawn[9] == (low, 0.9)
    assert high < 1e3


def test_the_line_of_no_effect_and_the_axis_follow_the_scale():
    ax = shown(plots.forest, results("compare_baseline", 36, scale="raw"))
    assert ax.get_xscale() == "linear"
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "None"] == [0]
    assert ax.get_xlabel() == "difference of means, each in its unit\n(95% interval)\ncase - control, baseline (visit 0)"
    ax = shown(plots.forest, results("compare_baseline", 36))
    assert ax.get_xscale() == "log"
    assert [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "None"] == [1]


def test_one_sided_intervals_are_open():
    source = results("compare_baseline", 36, alternative="greater")
    ax = shown(plots.forest, source)
    arrows = marks(ax).query("mark == '>'")
    assert len(arrows) == source.table["p_value"].notna().sum()


def test_a_users_own_test_has_no_line_of_no_effect():
    def spread(x, y):
        return np.full(x.shape[:-1], 0.5) + 0 * np.nansum(x, axis=-1)

    source = results("compare_baseline", 36)
    table = source.table.assign(estimand="none", test="spread", scale="raw", conf_low=np.nan, conf_high=np.nan)
    own = replace(source, table=table)
    for f in (plots.volcano, plots.forest):
        ax = shown(f, own)
        assert ax.get_xlabel().startswith("estimate of spread\n")
        assert not [line for line in ax.lines if line.get_marker() == "None" and len(set(line.get_xdata())) == 1]


# ---------------------------------------------------------------- change


@pytest.mark.parametrize("m", [36, 500])
def test_change_draws_every_group_and_visit_of_an_analyte_in_its_row(m):
    source = results("change_within", m)
    ax = shown(plots.change, source)
    data = change_data(source)
    assert len(data) == len(source.table) == 4 * m
    got = marks(ax)
    tested = data.dropna(subset="p_value")
    assert sorted(got["x"]) == sorted(tested["estimate"])
    names = list(dict.fromkeys(data["analyte"]))
    place = {}
    for x, y, mark in zip(got["x"], got["y"], got["mark"], strict=True):
        place[x] = (names[round(y)], {"o": "case", "D": "control"}[mark], y)
    for row in tested.itertuples():
        name, group, _ = place[row.estimate]
        assert (name, group) == (row.analyte, row.group)
    for _, rows in tested.groupby("analyte"):  # cases above controls, visits downwards
        heights = [place[x][2] for x in rows.sort_values(["group", "visit"])["estimate"]]
        assert heights == sorted(heights)
        assert max(heights) - min(heights) < 0.8
    assert len(segments(ax)) == len(tested)
    for role in ("case", "control"):  # visits of a group and analyte are joined, nothing else
        (path,) = (line.get_xdata() for line in ax.lines if line.get_label() == f"_{role}")
        runs = [run for run in np.split(path, np.flatnonzero(np.isnan(path))) if np.isfinite(run).any()]
        own = tested[tested["group"] == role].groupby("analyte", sort=False)["estimate"].apply(list)
        assert [run[np.isfinite(run)].tolist() for run in runs] == own[[name for name in names if name in own]].tolist()
    assert written(ax).count("not tested") == 2  # once for all of an analyte
    assert ax.get_xlabel().endswith("visit / baseline (visit 0)\nin each group from top to bottom: 1, 6")


def test_change_of_one_analyte_goes_from_baseline_through_the_visits():
    source = results("change_within", 36).select(analyte="A005")
    ax = shown(plots.change, source)
    table = source.table
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["0", "1", "6"]
    assert ax.get_ylabel().startswith("A005\nratio of geometric means")
    paths = [line.get_ydata() for line in ax.lines if len(line.get_ydata()) == 3]
    for group, path in zip(("case", "control"), paths, strict=True):
        own = table[table["contrast"].str.endswith(f" in {group}")]
        assert path.tolist() == [1.0, *own["estimate"]]
    got = marks(ax)
    assert sorted(got["y"]) == sorted(table["estimate"])
    assert set(got["x"].round()) == {1, 2}
    assert sorted(segments(ax)[:, 1]) == sorted(table["conf_low"])
    labels = [text.get_text() for text in ax.get_legend().get_texts()]
    assert labels == ["case", "control", "BH-adjusted p ≤ 0.05", "BH-adjusted p > 0.05"]


@pytest.mark.parametrize("name", ["all below", "all missing"])
def test_change_of_an_analyte_that_cannot_be_tested_says_so(name):
    ax = shown(plots.change, results("change_within", 36).select(analyte=name))
    assert written(ax) == ["not tested"] * 4
    assert not len(marks(ax))


def test_change_of_one_group_and_one_analyte():
    ax = shown(plots.change, results("change_within", 1, groups=("control",)))
    assert set(marks(ax)["mark"]) == {"D"}
    ax = shown(plots.change, results("change_within", 36, groups=("case",), visits=("6",)))
    assert ax.get_xlabel().endswith("\nvisit 6 / baseline (visit 0)")
    assert set(marks(ax)["y"]) == set(range(2, 36))


def test_change_refuses_what_is_no_change_within_a_group():
    with pytest.raises(cc.OptionError, match=r"these hold 'case / control'. Show that with forest\(\)"):
        plots.change(results("compare_baseline", 36))
    with pytest.raises(cc.OptionError, match=r"'change: case / control'. Show that with forest\(\)"):
        plots.change(results("change_between", 36))
    once = results("change_within", 36)
    with pytest.raises(cc.OptionError, match="hold 'all below' twice"):
        plots.change(cc.Results.combine([once, once]))
    both = cc.Results.combine([once, results("change_within", 36, test="signed_rank")])
    with pytest.raises(cc.OptionError, match=r"these results hold 2 of test: .*Choose one: results.select\(test='paired_t'\)"):
        plots.change(both)


# ---------------------------------------------------------------- all of them

ALL = {
    "volcano": lambda m, ax=None: plots.volcano(results("compare_baseline", m), ax=ax),
    "forest": lambda m, ax=None: plots.forest(results("compare_baseline", m), ax=ax),
    "change": lambda m, ax=None: plots.change(results("change_within", m), ax=ax),
}


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("m", [1, 36])
def test_given_axes_are_drawn_on_and_nothing_else_is_touched(name, m):
    figure, axes = plt.subplots(1, 2, figsize=(9, 5))
    numbers, before, layout = plt.get_fignums(), dict(mpl.rcParams), figure.get_layout_engine()
    state = np.random.get_state()[1].tolist()  # noqa: NPY002
    assert ALL[name](m, ax=axes[1]) is axes[1]
    assert plt.get_fignums() == numbers
    assert dict(mpl.rcParams) == before
    assert figure.get_layout_engine() is layout
    assert tuple(figure.get_size_inches()) == (9, 5)
    assert np.random.get_state()[1].tolist() == state  # noqa: NPY002
    assert not axes[0].lines
    figure.savefig(io.StringIO(), format="svg")
    plt.close(figure)


@pytest.mark.parametrize("name", ALL)
def test_a_new_figure_holds_everything_that_is_written(name):
    with off_screen():
        ax = ALL[name](36)
    figure = ax.figure
    figure.draw_without_rendering()
    box = figure.bbox.padded(1)
    for text in [*ax.texts, *ax.get_yticklabels(), ax.xaxis.label, ax.yaxis.label, *ax.get_legend().get_texts()]:
        if text.get_text():
            extent = text.get_window_extent()
            assert box.x0 <= extent.x0, text
            assert extent.x1 <= box.x1, text
            assert box.y0 <= extent.y0, text
            assert extent.y1 <= box.y1, text
    assert [t.get_text() for t in ax.get_yticklabels()][3:5] == [r"\$x_1\$", "\u200b_hidden"] or name == "volcano"


@pytest.mark.parametrize("f", [plots.volcano, plots.forest, plots.change])
def test_bad_arguments_are_named(f):
    source = results("change_within" if f is plots.change else "compare_baseline", 36)
    with pytest.raises(cc.OptionError, match=r"`alpha` must be a number between 0 and 1.* Did you mean 0.05"):
        f(source, alpha=5)
    with pytest.raises(cc.OptionError, match="takes Results; got DataFrame"):
        f(source.table)
    with pytest.raises(cc.OptionError, match="hold no row"):
        f(replace(source, table=source.table.head(0)))
    with pytest.raises(cc.OptionError, match="`ax` must be one matplotlib Axes; got str"):
        f(source, ax="here")


def test_one_comparison_at_a_time():
    with pytest.raises(cc.OptionError, match=r"forest\(\) shows one comparison; these results hold 4 of contrast"):
        plots.forest(results("change_within", 36))
    with pytest.raises(cc.OptionError, match=r"`sort` must be one of 'estimate', 'p'; got 'p_value'. Did you mean 'p'"):
        plots.forest(results("compare_baseline", 36), sort="p_value")


@pytest.mark.parametrize(
    ("estimand", "null", "axis"),
    [
        ("ratio of geometric means", 1.0, "log"),
        ("difference of means", 0.0, "linear"),
        ("pseudo-median shift (ratio)", 1.0, "log"),
        ("pseudo-median shift (difference)", 0.0, "linear"),
        ("P(case > control) + P(=)/2", 0.5, "linear"),
        ("odds ratio per doubling", 1.0, "log"),
        ("odds ratio per unit", 1.0, "log"),
    ],
)
def test_each_estimand_has_its_axis_and_its_line_of_no_effect(estimand, null, axis):
    source = cc.compare_baseline(cc.load_study("quickstart"))
    shown = replace(source, table=source.table.assign(estimand=estimand))
    ax = plots.forest(shown)
    assert ax.get_xscale() == axis
    assert any(np.array_equal(line.get_xdata(), [null, null]) for line in ax.lines)
