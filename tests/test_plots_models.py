"""side_by_side: each model where the table says, marked by shape and colour; awkward rows; what must be chosen."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection

import cytokine_cc as cc
from cytokine_cc import plots
from cytokine_cc.plots.drawing import off_screen
from cytokine_cc.plots.models_of_change import MODELS, side_by_side_data

from .figures import fits

LONG = "soluble interleukin-2 receptor subunit alpha, measured in serum after one freeze-thaw cycle"
pytestmark = pytest.mark.filterwarnings("ignore::cytokine_cc.AnalysisWarning")  # of baselines that differ


@cache
def study(m: int) -> cc.Study:
    """15 cases and 13 controls at three visits; cases start lower in every fifth analyte."""
    rng = np.random.default_rng(m)
    keys = [(f"S{i:02d}", v, "AIMSS" if i < 15 else "none") for i in range(28) for v in ("0", "1", "6")]
    frame = pd.DataFrame(keys, columns=["subject", "visit", "group"])
    names = [LONG, "all below", "all missing", *(f"A{i:02d}" for i in range(m - 3))] if m > 3 else ["A00"]
    person = np.repeat(rng.normal(0, 0.6, (28, m)), 3, axis=0) + rng.normal(2, 0.3, (84, m))
    person -= 1.3 * ((frame["group"] == "AIMSS").to_numpy()[:, None] & (np.arange(m) % 5 == 4))
    cells = pd.DataFrame(np.exp(person), columns=names).round(3).astype(object)
    if m > 3:
        cells["all below"], cells["all missing"] = "<0.5", ""
    panel = cc.read_panel(pd.concat([frame, cells], axis=1), layout="wide", analytes=names)
    return cc.Study(panel, cc.Design("group", "AIMSS", "none", baseline="0"))


@cache
def found(m: int = 36, **options) -> cc.SideBySide:
    return cc.change_side_by_side(study(m), **options)


def shown(*args, **options):
    with off_screen():
        return plots.side_by_side(*args, **options)


def marks(ax) -> pd.DataFrame:
    rows = [
        (x, y, line.get_marker(), line.get_markerfacecolor() != "#ffffff", line.get_color())
        for line in ax.lines
        if line.get_marker() != "None" and line.get_linestyle() == "None"
        for x, y in zip(*line.get_data(), strict=True)
    ]
    return pd.DataFrame(rows, columns=["x", "y", "mark", "filled", "colour"])


def strokes(ax, width: float) -> np.ndarray:
    """Straight lines of one width, as rows of x0, y0, x1, y1."""
    own = [c for c in ax.collections if isinstance(c, LineCollection) and np.allclose(c.get_linewidth(), width)]
    return np.array([np.ravel(path) for c in own for path in c.get_segments()]).reshape(-1, 4)


def changed(source: cc.SideBySide, model: str, analyte: str, **numbers) -> cc.SideBySide:
    """Put numbers into a row of one model."""
    table = source.results[model].table.copy()
    for column, value in numbers.items():
        table.loc[table["analyte"] == analyte, column] = value
    return replace(source, results={**source.results, model: replace(source.results[model], table=table)})


def grounds(ax) -> list[float]:
    """The middles of the rows on grey ground."""
    return sorted(patch.get_y() + patch.get_height() / 2 for patch in ax.patches)


@pytest.mark.parametrize(("m", "scale"), [(1, "log2"), (36, "log2"), (36, "raw")])
def test_each_model_stands_in_its_row_with_its_own_mark_and_colour(m, scale):
    source = found(m, scale=scale)
    ax = shown(source, visit="6")
    got, low, high = marks(ax), *ax.get_xlim()
    assert ax.get_xscale() == ("linear" if scale == "raw" else "log")
    names = list(study(m).analytes)
    heights = {}
    for model, (_, colour, mark) in MODELS.items():
        table = source.results[model].table.query("visit == '6'").dropna(subset="p_value")
        own = got[(got["mark"] == mark) & (got["colour"] == colour)]
        assert sorted(own["x"]) == sorted(table["estimate"])
        at = dict(zip(own["x"], own["y"], strict=True))
        heights[model] = [at[x] for x in table["estimate"]]
        assert [names[round(y)] for y in heights[model]] == table["analyte"].tolist()
        filled = dict(zip(own["x"], own["filled"], strict=True))
        assert [filled[x] for x in table["estimate"]] == (table["p_adjusted"] <= 0.05).tolist()
        drawn = {row[1]: (row[0], row[2]) for row in strokes(ax, 1.1)}
        ends = table[["conf_low", "conf_high"]].clip(low, high).to_numpy()
        assert [drawn[y] for y in heights[model]] == [tuple(row) for row in ends]
    assert len(got) == sum(map(len, heights.values())) > 0
    assert all((np.diff(column) > 0).all() for column in zip(*heights.values(), strict=True))
    assert len({(colour, mark) for _, colour, mark in MODELS.values()}) == len({mark for *_, mark in MODELS.values()}) == 4


def test_catch_up_and_rows_whose_baselines_differ():
    source = found()
    table = source.table.query("visit == '1'").reset_index(drop=True)
    ax = shown(source, visit="1")
    known = table["catch_up"].dropna()
    drawn = strokes(ax, 2.2)
    assert drawn[:, 0].tolist() == drawn[:, 2].tolist() == known.tolist()
    assert (drawn[:, [1, 3]].mean(axis=1) == known.index).all()
    differ = table.index[table["baseline_p"] <= 0.05].tolist()
    assert 6 < len(differ) < 20
    assert grounds(ax) == differ
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts[:4] == ["change score", "LDA", "ANCOVA", "cLDA"]
    assert texts[4:] == [
        "catch-up of regression to the mean",
        "baselines differ, p ≤ 0.05",
        "BH-adjusted p ≤ 0.05",
        "BH-adjusted p > 0.05",
    ]
    alike = shown(source, ["A00", "A03"], visit="1")
    assert not grounds(alike)
    assert "baselines differ" not in " ".join(text.get_text() for text in alike.get_legend().get_texts())


def test_what_the_axis_says():
    assert shown(found(), visit="6").get_xlabel().splitlines()[-1] == "change: AIMSS / none, visit 6"
    assert "difference of means, each in its unit" in shown(found(scale="raw"), visit="6").get_xlabel()


def test_analytes_stand_as_asked_in_panel_order_or_by_catch_up():
    source, names = found(), list(study(36).analytes)

    def order(**options):
        return side_by_side_data(source, visit="6", **options)["analyte"].drop_duplicates().tolist()

    assert order() == names
    assert order(analytes=["A07", "A02"]) == ["A07", "A02"]
    assert order(analytes="A07") == ["A07"]
    table = source.table.query("visit == '6'").set_index("analyte")
    away = np.log(table["catch_up"]).abs()
    largest = order(sort="catch_up")
    assert (np.diff(away[largest].dropna()) <= 0).all()
    assert largest[-2:] == ["all below", "all missing"]
    raw = side_by_side_data(found(scale="raw"), visit="6", sort="catch_up").drop_duplicates("analyte")["catch_up"].dropna().abs()
    assert (np.diff(raw) <= 0).all()


def test_rows_without_an_answer_say_so_once_and_single_models_beside_their_line():
    source = changed(
        found(), "clda", "A01", p_value=np.nan, p_adjusted=np.nan, estimate=np.nan, conf_low=np.nan, conf_high=np.nan
    )
    ax = shown(source, visit="6")
    heights = [text.xy[1] for text in ax.texts if text.get_text() == "not tested"]
    assert heights[:2] == [1, 2]
    assert len(heights) == 3
    assert heights[2] == pytest.approx(4 + 1.5 * 0.19)
    nothing = shown(source, ["all below", "all missing"], visit="6")
    assert not len(marks(nothing))
    assert not len(strokes(nothing, 2.2))


@pytest.mark.parametrize(("end", "value"), [("conf_low", 0.0), ("conf_high", np.inf)])
def test_intervals_beyond_the_axis_end_in_arrows(end, value):
    ax = shown(changed(found(), "lda", "A02", **{end: value}), visit="6")
    edge, mark = (ax.get_xlim()[0], "<") if end == "conf_low" else (ax.get_xlim()[1], ">")
    arrows = marks(ax)[marks(ax)["mark"] == mark]
    assert arrows["x"].tolist() == [edge]
    assert arrows["y"].tolist() == pytest.approx([5 - 0.5 * 0.19])
    assert ax.get_xlim()[1] < 100


def test_a_missing_interval_leaves_its_mark():
    source = changed(found(), "ancova", "A02", conf_low=np.nan, conf_high=np.nan)
    assert len(strokes(shown(source, visit="6"), 1.1)) == len(strokes(shown(found(), visit="6"), 1.1)) - 1
    assert len(marks(shown(source, visit="6"))) == len(marks(shown(found(), visit="6")))


@pytest.mark.parametrize("options", [{"analytes": ["A00"]}, {}, {"analytes": [LONG, "A01"]}])
def test_a_new_figure_holds_everything_and_given_axes_stay_as_they_are(options):
    fits(shown(found(), visit="6", **options).figure)
    figure, axes = plt.subplots(1, 2, figsize=(12, 9))
    assert plots.side_by_side(found(), visit="6", ax=axes[1], **options) is axes[1]
    assert tuple(figure.get_size_inches()) == (12, 9)
    assert not axes[0].lines
    plt.close(figure)


def test_what_must_be_chosen_and_what_is_not_there():
    with pytest.raises(cc.OptionError, match=r"shows one visit; here are 2: '1', '6'. Choose one: visit='1'."):
        plots.side_by_side(found())
    assert side_by_side_data(found(), visit=6)["visit"].unique().tolist() == ["6"]
    with pytest.raises(cc.OptionError, match="`visit` must be one of '1', '6'; got '3'"):
        plots.side_by_side(found(), visit=3)
    with pytest.raises(cc.OptionError, match="`analytes` must be one of .*; got 'A7'"):
        plots.side_by_side(found(), ["A7"], visit="6")
    with pytest.raises(cc.OptionError, match="`analytes` must name one analyte at least"):
        plots.side_by_side(found(), [], visit="6")
    with pytest.raises(cc.OptionError, match="`sort` must be one of 'catch_up'; got 'p'"):
        plots.side_by_side(found(), visit="6", sort="p")
    with pytest.raises(cc.OptionError, match="`alpha` must be a number between 0 and 1"):
        plots.side_by_side(found(), visit="6", alpha=5)
    with pytest.raises(cc.OptionError, match="a SideBySide; got Results"):
        plots.side_by_side(found().results["lda"])
    with pytest.raises(cc.OptionError, match="there is no row"):
        plots.side_by_side(replace(found(), table=found().table.head(0)))
    assert len(side_by_side_data(found(1, visits="6"))) == 4
