"""Correlation, balance, samples and plates: what is drawn is what the tables say."""

from __future__ import annotations

import io
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import QuadMesh
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

import cytokine_cc as cc
from cytokine_cc import plots
from cytokine_cc.plots.drawing import off_screen
from cytokine_cc.plots.heatmap import correlation_data
from cytokine_cc.plots.overview import balance_data, plates_data
from cytokine_cc.plots.sample_map import samples_data

from .figures import fits

LONG = "soluble interleukin-2 receptor subunit alpha, free form, by immunoassay"


@pytest.fixture(autouse=True)
def _no_window():
    with off_screen():
        yield


@cache
def quickstart() -> cc.Study:
    return cc.load_study("quickstart")


def built(frame: pd.DataFrame, *, baseline="0", visits=None, matched_on=(), plate=None, analytes=None) -> cc.Study:
    sample = [name for name in ("group", "age", "site") if name in frame]
    panel = cc.read_panel(frame, layout="wide", sample_columns=sample, plate=plate)
    return cc.Study(panel, cc.Design("group", "sick $x$", "_well", baseline=baseline, visits=visits, matched_on=matched_on))


@cache
def many(n: int) -> cc.Study:
    """n analytes of 30 subjects; the second all below its limit, the third all missing, the fourth with gaps."""
    rng = np.random.default_rng(n)
    values = rng.lognormal(size=(30, n)).round(3)
    cells = {f"a{i}": values[:, i].astype(str).astype(object) for i in range(n)}
    if n > 4:
        cells["a1"], cells["a2"] = np.full(30, "<2", dtype=object), np.full(30, "", dtype=object)
        cells["a3"][::7] = ""
        cells |= {LONG: cells.pop("a4"), "_cost $x$": cells.pop("a0")}
    roles = {"subject": np.arange(30), "visit": "0", "group": np.repeat(["sick $x$", "_well"], 15)}
    return built(pd.DataFrame(roles | cells))


@cache
def gaps() -> cc.Study:
    """Two without a baseline, one without a later visit, one sample without any value; a visit that is not analysed."""
    rows = []
    for i in range(12):
        for visit in ("0", "1", "late"):
            if (visit == "0" and i in (3, 9)) or (visit == "1" and i == 5):
                continue
            rows.append({"subject": f"s{i}", "visit": visit, "group": "_well" if i % 2 else "sick $x$", "A": "1", "B": "2"})
            rows[-1] |= {"plate": f"p{i % 3 * 5}", "age": 40 + i, "site": "north"}
    frame = pd.DataFrame(rows)
    frame.loc[(frame["subject"] == "s2") & (frame["visit"] == "1"), ["A", "B"]] = ""
    frame.loc[(frame["subject"] == "s4") & (frame["visit"] == "1"), "B"] = ""
    return built(frame, visits=("1",), plate="plate", matched_on=("age",))


def mesh_of(ax) -> np.ndarray:
    (mesh,) = [artist for artist in ax.collections if isinstance(artist, QuadMesh)]
    return np.ma.filled(mesh.get_array().astype(float), np.nan)


def labels(axis) -> list[str]:
    return [label.get_text() for label in axis.get_ticklabels()]


def saved(ax) -> str:
    file = io.StringIO()
    ax.figure.savefig(file, format="svg")
    return file.getvalue()


DRAWN = {
    "correlation": lambda **options: plots.correlation(quickstart(), **options),
    "balance": lambda **options: plots.balance(quickstart(), **options),
    "samples": lambda **options: plots.samples(quickstart(), **options),
    "plates": lambda **options: plots.plates(quickstart(), **options),
}


@pytest.mark.parametrize("name", DRAWN)
def test_axes_in_axes_out_and_nothing_else_changed(name):
    from matplotlib import pyplot

    before, figures = dict(mpl.rcParams), pyplot.get_fignums()
    figure = Figure(figsize=(5, 4))
    ax = figure.subplots(1, 2)[1]
    assert DRAWN[name](ax=ax) is ax
    assert figure.get_size_inches().tolist() == [5, 4]
    assert figure.axes[1] is ax
    assert len(figure.axes) == 2
    assert pyplot.get_fignums() == figures
    assert dict(mpl.rcParams) == before
    assert "<svg" in saved(ax)


@pytest.mark.parametrize("name", DRAWN)
def test_alone_it_fits_its_figure(name):
    ax = DRAWN[name]()
    figure = ax.figure
    fits(figure)


@pytest.mark.parametrize("name", DRAWN)
def test_what_is_no_study(name):
    with pytest.raises(cc.OptionError):
        getattr(plots, name)("quickstart")
    with pytest.raises(cc.OptionError, match="`ax` must be one matplotlib Axes"):
        DRAWN[name](ax="here")


# ---------------------------------------------------------------- correlation


@pytest.mark.parametrize("n", [1, 36, pytest.param(500, marks=pytest.mark.slow)])
def test_every_pair_is_drawn(n):
    study = many(n)
    table, data, ax = cc.correlation_table(study), correlation_data(study), plots.correlation(study)
    order = data["analyte"].tolist()
    assert sorted(order) == sorted(table.index)
    np.testing.assert_array_equal(data.iloc[:, 1:], table.loc[order, order])
    np.testing.assert_array_equal(mesh_of(ax), table.loc[order, order])
    mesh = next(artist for artist in ax.collections if isinstance(artist, QuadMesh))
    assert mesh.get_clim() == (-1, 1)
    assert ax.get_xlim() == (-0.5, n - 0.5)
    assert ax.get_ylim() == (n - 0.5, -0.5)
    assert ax.get_xlabel().replace("\n", " ") == "baseline (visit 0), all (30 subjects)"
    if n == 36:
        assert order[-2:] == ["a1", "a2"]
        assert "hatched: 2 analytes without a correlation" in [text.get_text() for text in ax.texts]
        names = labels(ax.yaxis)
        assert "\u200b_cost \\$x\\$" in names
        assert "soluble int… immunoassay" in names
        assert names == labels(ax.xaxis)
    if n == 500:
        assert labels(ax.yaxis) == []
        assert ax.get_ylabel() == "500 analytes, like beside like"
    assert len(saved(ax)) < 2_000_000


def test_like_stands_beside_like():
    rng = np.random.default_rng(5)
    factors = rng.normal(size=(200, 3))
    x = factors[:, np.arange(12) % 3] + 0.4 * rng.normal(size=(200, 12))
    table = pd.DataFrame(np.corrcoef(x.T), index=list("abcdefghijkl"), columns=list("abcdefghijkl"))
    order = correlation_data(table)["analyte"].tolist()
    blocks = ["".join(sorted(order[i : i + 4])) for i in (0, 4, 8)]
    assert sorted(blocks) == ["adgj", "behk", "cfil"]


def test_sign_is_told_without_colour():
    r = pd.DataFrame([[1, -0.64, 0.04], [-0.64, 1, -0.04], [0.04, -0.04, 1]], index=list("abc"), columns=list("abc"))
    texts = {(t.get_position()): t.get_text() for t in plots.correlation(r).texts}
    order = correlation_data(r)["analyte"].tolist()
    i, j = order.index("a"), order.index("b")
    assert texts[i, j] == texts[j, i] == "\N{MINUS SIGN}0.6"
    assert sorted(texts.values()) == sorted(["1.0"] * 3 + ["0.0"] * 4 + ["\N{MINUS SIGN}0.6"] * 2)
    study = many(36)
    data = correlation_data(study).iloc[:, 1:].to_numpy()
    dashes = next(artist for artist in plots.correlation(study).collections if not isinstance(artist, QuadMesh))
    assert sorted(map(tuple, dashes.get_offsets().data[:, ::-1].tolist())) == sorted(
        map(tuple, np.argwhere(data <= -0.2).tolist())
    )


def test_group_visit_and_method_are_said():
    ax = plots.correlation(quickstart(), visit="month6", group="case", method="pearson")
    expected = cc.correlation_table(quickstart(), visit="month6", group="case", method="pearson")
    order = correlation_data(quickstart(), visit="month6", group="case", method="pearson")["analyte"]
    np.testing.assert_array_equal(mesh_of(ax), expected.loc[order, order])
    n = (quickstart().sample_at[1, :30] >= 0).sum()
    assert ax.get_xlabel() == f"month6, AIMSS ({n} subjects)"
    (bar,) = ax.child_axes
    assert bar.get_ylabel() == "Pearson correlation"


def test_a_pair_without_a_correlation_is_counted():
    r = pd.DataFrame(np.eye(4), index=list("abcd"), columns=list("abcd"))
    r.loc["a", "b"] = r.loc["b", "a"] = np.nan
    r.loc["d"] = r["d"] = np.nan
    notes = [text.get_text().replace("\n", " ") for text in plots.correlation(r).texts]
    assert "hatched: 1 analyte and 1 pair without a correlation" in notes


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r.iloc[:2], "the same analytes, in one order"),
        (lambda r: r * 2, "2 of 'a' and 'a' is no correlation"),
        (lambda r: r + np.triu(np.full((3, 3), -0.5), 1), "not symmetric"),
        (lambda r: r.astype(object).replace(1.0, "x"), "not a number"),
        (lambda r: r.iloc[:0, :0], "the same analytes"),
    ],
)
def test_a_table_that_holds_no_correlations(change, message):
    r = pd.DataFrame(np.eye(3), index=list("abc"), columns=list("abc"))
    with pytest.raises(cc.OptionError, match=message):
        plots.correlation(change(r))
    with pytest.raises(cc.OptionError, match="`visit` and `group` choose from a Study"):
        plots.correlation(r, group="case")


# ---------------------------------------------------------------- balance


def points(ax) -> dict[str, tuple[float, str, bool]]:
    """Name of the row -> x, mark, filled."""
    names, found = labels(ax.yaxis), {}
    for line in ax.lines:
        if line.get_marker() != "None":
            for x, y in line.get_xydata():
                found[names[int(y)]] = (x, line.get_marker(), to_hex(line.get_markerfacecolor()) != "#ffffff")
    return found


def test_balance_draws_its_table():
    study = cc.load_study("henry2010")
    table, ax = cc.balance_table(study), plots.balance(study, threshold=0.25)
    found = points(ax)
    assert len(found) == len(table) == 11
    for row, name in zip(table.to_dict("records"), balance_data(study)["row"], strict=True):
        assert found[name] == (row["std_difference"], "o", row["matched_on"])
    assert next(iter(found)) == "Age"
    assert set(labels(ax.yaxis)) >= {"Ethnicity: White", "Drug: letrozole", "BMI"}
    assert sorted(line.get_xdata()[0] for line in ax.lines if line.get_marker() == "None") == [-0.25, 0, 0.25]
    assert ax.get_xlabel() == "standardised difference, AIMSS \N{MINUS SIGN} no AIMSS"
    assert points(plots.balance(table, threshold=0.25)) == found


def test_infinite_and_unknown_differences_stay_in_the_picture():
    table = pd.DataFrame(
        {
            "covariate": ["Age", "Sex", "Sex", "id", "x"],
            "level": ["", "f", "m", "40 different texts: not compared", ""],
            "std_difference": [0.3, np.inf, -np.inf, np.nan, np.nan],
            "matched_on": [True, False, True, False, False],
        }
    )
    ax = plots.balance(table)
    low, high = ax.get_xlim()
    found = points(ax)
    assert found["Sex: f"][1:] == (">", False)
    assert found["Sex: m"][1:] == ("<", True)
    assert low < found["Sex: m"][0] < 0.9 * low
    assert 0.9 * high < found["Sex: f"][0] < high
    texts = {text.get_position()[1]: text.get_text() for text in ax.texts if text.get_text() and text.get_position()[0] == 0}
    assert texts[3] == "40 different texts: not compared"
    assert texts[4] == "not compared: fewer than 2 values"


def test_balance_refuses_what_it_cannot_draw():
    with pytest.raises(cc.OptionError, match="no covariate to compare"):
        plots.balance(cc.load_study("plate_confounded"))
    with pytest.raises(cc.OptionError, match="no column 'covariate', 'level'"):
        plots.balance(pd.DataFrame({"x": [1]}))
    with pytest.raises(cc.OptionError, match="`threshold` must be a number between 0 and 1.*Did you mean 0.1"):
        plots.balance(quickstart(), threshold=10)


# ---------------------------------------------------------------- samples


def cells_of(ax) -> np.ndarray:
    return np.concatenate([np.asarray(mesh.get_array()) for mesh in ax.collections if isinstance(mesh, QuadMesh)])


def test_the_map_holds_every_subject_and_visit():
    study = gaps()
    data = samples_data(study)
    assert len(data) == 12 * 3
    cell = data.set_index(["subject", "visit"])["cell"]
    assert cell["s5", "1"] == cell["s3", "0"] == cell["s9", "0"] == "no sample"
    assert (cell["s2", "1"], cell["s4", "1"], cell["s0", "0"]) == ("no value", "some", "all")
    assert data["cell"].value_counts().to_dict() == {"all": 31, "no sample": 3, "no value": 1, "some": 1}
    assert data.groupby("block")["subject"].nunique().to_dict() == {"case": 6, "control": 4, "left out": 2}
    assert set(data.loc[data["block"] == "left out", "reason"]) == {"no sample at baseline"}
    assert data.groupby("visit")["analysed"].first().to_dict() == {"0": True, "1": True, "late": False}
    row = data.set_index(["subject", "visit"]).loc[("s4", "1")]
    assert (row["n_values"], row["n_missing"]) == (1, 1)


def test_an_analyte_that_is_missing_in_every_sample_is_not_asked_for():
    frame = pd.DataFrame({"subject": [f"s{i}" for i in range(6)], "visit": "0", "group": ["sick $x$", "_well"] * 3})
    frame["A"], frame["B"] = ["1", "2", "3", "4", "5", ""], ""
    study = built(frame)
    assert samples_data(study)["cell"].value_counts().to_dict() == {"all": 5, "no value": 1}
    key = [text.get_text() for text in plots.samples(study).get_legend().get_texts()]
    assert key == ["with a value (5 samples)", "no value (1)", "1 analyte without any value not counted"]


def test_the_map_is_drawn_as_its_table():
    study = gaps()
    data, ax = samples_data(study), plots.samples(study)
    codes = data["cell"].map({"no sample": 0, "no value": 1, "some": 2, "all": 3}).to_numpy().reshape(-1, 3)
    np.testing.assert_array_equal(cells_of(ax), codes)
    assert labels(ax.yaxis) == list(dict.fromkeys(data["subject"]))
    assert labels(ax.xaxis) == ["0", "1", "late\n(not analysed)"]
    texts = [text.get_text() for text in ax.texts]
    assert texts == [
        *("6", "6", "6", "sick \\$x\\$\n6 cases"),
        *("4", "3", "4", "\u200b_well\n4 controls"),
        *("0", "2", "2", "2 left out:\n2 no sample at baseline"),
    ]
    key = [text.get_text() for text in ax.get_legend().get_texts()]
    assert key == ["all 2 analytes (31 samples)", "some analytes missing (1)", "no value (1)", "no sample (3)"]


@pytest.mark.parametrize("n", [10, 60, 1000])
def test_names_only_where_they_fit(n):
    frame = pd.DataFrame({"subject": range(n), "visit": "0", "A": "1"})
    frame["group"] = np.where(frame["subject"] % 2, "_well", "sick $x$")
    ax = plots.samples(built(frame))
    assert cells_of(ax).shape == (n, 1)
    assert len(labels(ax.yaxis)) == (n if n < 100 else 0)
    assert ax.get_ylabel() == ("" if n < 100 else "1,000 subjects")
    assert ax.figure.get_size_inches()[1] < 13
    assert len(saved(ax)) < 300_000


# ---------------------------------------------------------------- plates


def test_plates_are_counted_by_group():
    study = gaps()
    data = plates_data(study)
    assert data["plate"].tolist() == ["p0", "p0", "p5", "p5", "p10", "p10"]
    own = study.panel.samples[lambda samples: samples["visit"] == "0"].set_index("subject").loc[study.subjects.index]
    want = pd.crosstab(own["plate"], study.subjects["role"])
    for row in data.to_dict("records"):
        assert row["n"] == want.loc[row["plate"], row["group"]]
    ax = plots.plates(study)
    widths = [bar.get_width() for bar in ax.patches]
    assert widths == [*data.loc[data["group"] == "case", "n"], *data.loc[data["group"] == "control", "n"]]
    assert [text.get_text() for text in ax.texts] == [str(int(n)) for n in widths]
    assert labels(ax.yaxis) == ["p0", "p5", "p10"]
    key = [text.get_text() for text in ax.get_legend().get_texts()]
    assert key == ["sick \\$x\\$ (6)", "\u200b_well (4)"]
    assert {bar.get_hatch() or "" for bar in ax.patches} == {"", "////"}


def test_plates_at_a_later_visit():
    data = plates_data(quickstart(), visit="month6")
    samples = quickstart().panel.samples
    at = samples[(samples["visit"] == "month6") & samples["subject"].isin(quickstart().subjects.index)]
    assert data.groupby("plate")["n"].sum().to_dict() == at["plate"].value_counts().to_dict()
    assert plots.plates(quickstart(), visit="month6").get_xlabel() == "samples at month6"


def test_plates_that_are_not_there():
    with pytest.raises(cc.OptionError, match=r"the study has no plates; name their column when reading"):
        plots.plates(many(36))
    with pytest.raises(cc.OptionError, match="no visit 'month1'"):
        plots.plates(quickstart(), visit="month1")
