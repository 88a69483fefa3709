"""Pictures of levels show the panel's own numbers, limits where nothing more is known, and say what they cannot show."""

from __future__ import annotations

import io
import itertools
from dataclasses import replace
from functools import cache

import matplotlib
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

import cytokine_cc as cc
from cytokine_cc import OptionError, State
from cytokine_cc.plots import detection, distributions, paired_lines
from cytokine_cc.plots.drawing import off_screen
from cytokine_cc.plots.levels import distributions_data, paired_lines_data
from cytokine_cc.plots.points import spread
from cytokine_cc.plots.shares import detection_data

LONG = "soluble interleukin-2 receptor subunit alpha, free and bound to its ligand, second kit"


@cache
def study_of(name):
    return cc.load_study(name)


@cache
def odd_study():
    """Rows that are hard to draw: none measured, all below, no limit known, one group only, names that mean something else."""
    rng = np.random.default_rng(11)
    rows = []
    for i in range(12):
        for visit in ("0", "6"):
            number = [f"{x:.4g}" for x in rng.lognormal(1, 1, 4)]
            row = {
                "IL-6": "<2" if i % 4 == 0 else number[0],
                "$a$ and $b$": number[1],
                "_hidden": "*0.5" if i == 1 else number[2],
                LONG: number[3],
                "all missing": "",
                "all below": "<3",
                "no limit": "OOR <",
                "lowest stands in": "OOR <" if i == 2 else str(5 + i),
                "half above": ">100" if i % 2 else "20",
                "cases missing": "" if i < 6 else number[0],
            }
            if (i, visit) != (3, "6"):
                plate, group = f"P{8 + i % 3}", "$case$" if i < 6 else "_control"
                rows.append({"subject": f"S{i}", "visit": visit, "grp": group, "plate": plate, **row})
    frame = pd.DataFrame(rows)
    panel = cc.read_panel(frame, layout="wide", plate="plate", analytes=list(row), unit="pg/mL", lower_limit={"_hidden": 1.0})
    return cc.Study(panel, cc.Design("grp", "$case$", "_control", baseline="0"))


@cache
def wide_study(n):
    """The analytes of the quick start again and again, under new names."""
    panel = study_of("quickstart").panel
    names = [f"X{i:03d}" for i in range(n)]
    long = panel.to_long().pivot(index=["subject", "visit"], columns="analyte", values="value")[panel.analytes.index]
    values = pd.DataFrame({name: long.iloc[:, i % long.shape[1]] for i, name in enumerate(names)}).reset_index()
    groups = panel.samples.drop_duplicates("subject")[["subject", "Group"]]
    read = cc.read_panel(values.merge(groups), layout="wide", analytes=names, unit="pg/mL")
    return cc.Study(read, cc.Design("Group", "AIMSS", "no AIMSS", baseline="baseline"))


def marks(ax, group, kind):
    """Where the marks of a group and kind stand."""
    found = [part for part in ax.collections if isinstance(part, PathCollection) and part.get_label() == f"_{group} {kind}"]
    return np.asarray(found[0].get_offsets()) if found else np.empty((0, 2))


def segments(ax, label):
    (found,) = (part for part in ax.collections if isinstance(part, LineCollection) and part.get_label() == label)
    return found.get_segments()


def notes(ax):
    return " ".join(text.get_text().replace("\n", " ") for text in ax.texts)


# --- distributions


@pytest.mark.parametrize("n", [1, 36, pytest.param(500, marks=pytest.mark.slow)])
def test_every_value_has_its_mark(n):
    study = wide_study(n)
    ax = distributions(study)
    data = distributions_data(study)
    arrays, rows = study.arrays, {"case": -0.23, "control": 0.23}
    for group, shift in rows.items():
        here = arrays.case if group == "case" else ~arrays.case
        for kind, state in (("measured", State.MEASURED), ("flagged", State.EXTRAPOLATED), ("below", State.BELOW)):
            part = data[(data["group"] == group) & (data["kind"] == kind)]
            drawn = marks(ax, group, kind)
            np.testing.assert_array_equal(drawn[:, 0], part["value"])
            want = arrays.lower if kind == "below" else arrays.value
            a, s = np.nonzero((arrays.state[0] == state) & here)
            np.testing.assert_array_equal(np.sort(drawn[:, 0]), np.sort(want[0][a, s]))
            row = study.analytes.get_indexer(part["analyte"])
            assert (np.abs(drawn[:, 1] - row - shift) <= 0.131).all()
    assert [label.get_text() for label in ax.get_yticklabels()] == list(study.analytes)
    low, high = ax.get_xlim()
    assert low < data["value"].min()
    assert high > data["value"].max()


@pytest.mark.parametrize("name", ["quickstart", "henry2010", "heavy_censoring"])
def test_boxes_are_the_quartiles_of_descriptives(name):
    study = study_of(name)
    ax, table = distributions(study), cc.descriptives(study)
    table = table[table["visit"] == study.baseline]
    for group, shift in (("case", -0.23), ("control", 0.23)):
        own = table[table["group"] == group].reset_index(drop=True)
        drawn = {(np.mean(ys), xs[0]) for xs, ys in (np.array(s).T for s in segments(ax, f"_{group} median"))}
        known = own[own["median"].notna()]
        np.testing.assert_allclose(sorted(drawn), np.c_[known.index + shift, known["median"]])
        upright = [np.array(s) for s in segments(ax, f"_{group} box")]
        ends = sorted((round(np.mean(s[:, 1]) - shift), s[0, 0]) for s in upright if s[0, 0] == s[1, 0] and s[0, 1] != s[1, 1])
        want = [(i, own.loc[i, q]) for q in ("q1", "q3") for i in own.index if not np.isnan(own.loc[i, q])]
        np.testing.assert_allclose(ends, sorted(want))
        some = own[["q1", "median", "q3"]].notna().any(axis=1)
        sides = own.loc[some, ["q1", "q3"]].isna().sum().sum()
        assert len(segments(ax, f"_{group} open box")) == 2 * sides
    assert name == "quickstart" or sides


def test_an_open_box_ends_at_the_last_mark():
    study = study_of("heavy_censoring")
    ax, data = distributions(study), distributions_data(study)
    quartiles = data[data["subject"] == ""].pivot(index=["analyte", "group"], columns="kind", values="value")
    open_below = quartiles[quartiles["q1"].isna() & quartiles["q3"].notna()].xs("case", level="group")
    name = open_below.index[0]
    row = study.analytes.get_loc(name)
    drawn = [np.array(s) for s in segments(ax, "_case open box") if abs(s[0][1] - row + 0.23) < 0.2]
    own = data[(data["analyte"] == name) & (data["group"] == "case")]
    assert [s[0, 0] for s in drawn] == [own["value"][own["kind"] == "below"].min()] * 2
    assert all(s[1, 0] in quartiles.loc[(name, "case")].to_numpy() for s in drawn)


def test_what_lies_beyond_a_limit_stands_at_it():
    study = odd_study()
    data = distributions_data(study).set_index("analyte")
    assert (data.loc["all below"].query("kind == 'below'")["value"] == 3).all()
    above = data.loc["half above"].query("kind == 'above'")
    assert (above["value"] == 100).all()
    assert (above["limit"] == "stated").all()
    lone = data.loc["lowest stands in"].query("kind == 'below'")
    own_plate = data.loc["lowest stands in"].query("kind == 'measured' and subject in ('S5', 'S8', 'S11')")["value"]
    assert lone[["value", "limit"]].values.tolist() == [[own_plate.min(), "lowest measured"]]
    nowhere = data.loc["no limit"].query("kind == 'below'")
    assert nowhere["value"].isna().all()
    assert (nowhere["limit"] == "not known").all()
    number = data.loc["_hidden"].query("kind == 'under'")
    assert number["value"].tolist()[0] == 0.5
    assert (number["value"] < 1).all()  # where they are known, numbers under the limit are extrapolated too


def test_what_is_not_drawn_is_said():
    ax = distributions(odd_study())
    text = notes(ax)
    assert "limit not stated for 1 value, shown at the lowest measured one" in text
    assert "12 values beyond a limit that is not known, not shown" in text
    assert "18 of 120 values missing" in text
    said = {(round(t.get_position()[1], 2), t.get_text()) for t in ax.texts if t.get_position()[0] == 0.01}
    names = list(odd_study().analytes)
    rows = {name: names.index(name) for name in ("all missing", "no limit", "cases missing")}
    want = {(round(rows["all missing"] + shift, 2), "no value") for shift in (-0.23, 0.23)}
    want |= {(round(rows["no limit"] + shift, 2), "beyond a limit that is not known") for shift in (-0.23, 0.23)}
    assert said == want | {(round(rows["cases missing"] - 0.23, 2), "no value")}
    assert distributions(study_of("heavy_censoring")).texts  # counts only
    assert "missing" not in notes(distributions(study_of("heavy_censoring")))


@pytest.mark.parametrize("name", ["heavy_censoring", "henry2010", "quickstart", "odd"])
def test_what_is_below_a_limit_is_counted_beside_its_row_as_descriptives_counts(name):
    study = odd_study() if name == "odd" else study_of(name)
    ax, table = distributions(study), cc.descriptives(study)
    beside = sorted((t.get_position()[1], int(t.get_text())) for t in ax.texts if t.get_position()[0] == 1.01)
    table = table[(table["visit"] == study.baseline) & (table["n_below"] > 0)]
    row = study.analytes.get_indexer(table["analyte"]) + np.where(table["group"] == "case", -0.23, 0.23)
    assert beside == sorted(zip(row, table["n_below"], strict=True))
    assert ("right of each row: how many are below their limit" in notes(ax)) == bool(beside)


def test_a_subject_below_at_one_of_two_baselines_counts_once():
    study = cc.Study(odd_study().panel, cc.Design("grp", "$case$", "_control", baseline=("0", "6")))
    ax, table = distributions(study, ["all below"]), cc.descriptives(study.select(analytes=["all below"]))
    assert [int(t.get_text()) for t in ax.texts if t.get_position()[0] == 1.01] == table["n_below"].tolist() == [6, 6]


def test_marks_say_what_is_known_of_a_value():
    """Filled: a number; open: none, or not quite one; triangles: beyond a limit."""
    legend = {t.get_text() for t in distributions(odd_study()).get_legend().get_texts()}
    assert legend >= {"number below its limit", "below its limit, no number", "above its limit, no number"}
    assert not any("flagged" in text for text in legend)
    no_limits = wide_study(36)
    legend = {t.get_text() for t in distributions(no_limits).get_legend().get_texts()}
    assert "flagged, or a well beyond a limit" in legend
    assert "number below its limit" not in legend
    henry = study_of("henry2010")
    data, limits = distributions_data(henry), henry.arrays
    under = data[data["kind"] == "under"]
    a, s = henry.analytes.get_indexer(under["analyte"]), henry.subjects.index.get_indexer(under["subject"])
    np.testing.assert_array_equal(under["value"], limits.value[0][a, s])
    assert (under["value"].to_numpy() < limits.lower[0][a, s]).all()
    ax = distributions(henry)
    for kind, filled in (("measured", True), ("under", True), ("below", False)):
        (part,) = (c for c in ax.collections if c.get_label() == f"_case {kind}")
        assert bool(len(part.get_facecolor())) == filled


def test_names_and_labels_are_texts_only():
    ax = distributions(odd_study())
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names[1:3] == [r"\$a\$ and \$b\$", "\u200b_hidden"]
    assert names[3].count("\n") == 1
    assert [text.get_text() for text in ax.get_legend().get_texts()][:2] == [r"\$case\$ (n = 6)", "\u200b_control (n = 6)"]


def test_rows_carry_a_unit_that_differs():
    ax = distributions(study_of("henry2010"))
    assert ax.get_xlabel() == "level at baseline, pg/mL unless named"
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert [name for name in names if "ng/mL" in name] == ["ceramide (ng/mL)", "sphingosine-1-phosphate\n(ng/mL)"]


def test_visits_and_analytes_are_chosen():
    study = study_of("henry2010")
    data = distributions_data(study, ["IL-6", "EGF"], visit="month6")
    assert list(data["analyte"].unique()) == ["IL-6", "EGF"]
    assert set(data["visit"]) == {"month6"}
    there = study.sample_at[2] >= 0
    assert (data["subject"] != "").sum() == 2 * there.sum()
    assert distributions(study, "IL-6", visit="month6").get_xlabel() == "level at month6, pg/mL"
    assert distributions(odd_study(), "IL-6", visit=6).get_xlabel() == "level at visit 6, pg/mL"


def test_a_baseline_of_two_visits_shows_each_sample():
    study = cc.Study(odd_study().panel, cc.Design("grp", "$case$", "_control", baseline=("0", "6")))
    data = distributions_data(study, ["IL-6"])
    assert (data["subject"] != "").sum() == 23
    quartiles = data[data["subject"] == ""]
    assert set(quartiles["visit"]) == {"0+6"}
    table = cc.descriptives(study.select(analytes=["IL-6"])).melt(["group"], ["q1", "median", "q3"], "kind")
    pd.testing.assert_frame_equal(
        quartiles.sort_values(["group", "kind"])[["group", "kind", "value"]].reset_index(drop=True),
        table.sort_values(["group", "kind"]).reset_index(drop=True),
        check_dtype=False,
    )
    ax = distributions(study, ["IL-6"])
    assert ax.get_xlabel() == "level at baseline (visits 0, 6), pg/mL"
    assert "each visit's sample is a mark" in notes(ax)


def test_logarithms_are_shown_in_the_unit():
    frame = pd.DataFrame({"subject": list("abcd"), "g": ["x", "x", "y", "y"], "A": ["1", "2", "<3", "4"]})
    study = cc.Study(cc.read_panel(frame, layout="wide", analytes=["A"], logged="log2"), cc.Design("g", "x", "y"))
    data = distributions_data(study)
    assert data[data["subject"] != ""]["value"].tolist() == [2.0, 4.0, 8.0, 16.0]
    assert "unit not stated" in distributions(study).get_xlabel()


def test_zero_needs_a_linear_axis():
    frame = pd.DataFrame({"subject": list("abcd"), "g": ["x", "x", "y", "y"], "A": [0.0, 1, 2, 3], "B": [1.0, 2, 3, 4]})
    study = cc.Study(cc.read_panel(frame, layout="wide", analytes=["A", "B"]), cc.Design("g", "x", "y"))
    for draw in (distributions, lambda study, **options: paired_lines(study, "A", **options)):
        with pytest.raises(OptionError, match="`scale` is 'log', .*'A'. Draw with scale='linear'"):
            draw(study)
        assert draw(study, scale="linear").get_xscale() == "linear"
    assert distributions(study, ["B"]).get_xscale() == "log"


def test_neighbours_are_set_apart_and_always_alike():
    part = pd.DataFrame({"analyte": ["A"] * 7, "value": [1.0, 1, 1, 2, 2, 3, 3]})
    places = spread(part)
    assert sorted(places) == pytest.approx(np.linspace(-0.75, 0.75, 7))
    assert (np.abs(np.diff(places)) >= 0.25).all()
    np.testing.assert_array_equal(places, spread(part))


# --- paired lines


@pytest.mark.parametrize("name", ["quickstart", "henry2010", "heavy_censoring"])
def test_each_subject_is_a_line_through_its_values(name):
    study, arrays = study_of(name), study_of(name).arrays
    for analyte in study.analytes[[3, 8]]:
        ax, row = paired_lines(study, analyte), study.analytes.get_loc(analyte)
        n = arrays.n_visits
        want = {True: [], False: []}
        for s in range(arrays.value.shape[-1]):
            state = arrays.state[:, row, s]
            ends = []
            for v in np.flatnonzero(state != State.MISSING):
                beyond = state[v] in (State.BELOW, State.ABOVE)
                y = arrays.lower[v, row, s] if beyond else arrays.value[v, row, s]
                ends.append((v + (0 if arrays.case[s] else n + 0.2), y, beyond))
            for first, second in itertools.pairwise(ends):
                want[bool(first[2] or second[2])].append((*first[:2], *second[:2]))
        for beyond, label in ((False, "lines"), (True, "open lines")):
            drawn = [tuple(np.ravel(s)) for g in ("case", "control") for s in segments(ax, f"_{g} {label}")]
            np.testing.assert_allclose(np.reshape(sorted(drawn), (-1, 4)), np.reshape(sorted(want[beyond]), (-1, 4)))


def test_medians_are_those_of_descriptives():
    study = study_of("henry2010")
    for analyte in ("EGF", "IL-4", "IL-10"):
        table = cc.descriptives(study).query("analyte == @analyte")
        lines = [line for line in paired_lines(study, analyte).lines if line.get_label() == "_median"]
        for line, group in zip(lines, ("case", "control"), strict=True):
            np.testing.assert_array_equal(line.get_ydata(), table.loc[table["group"] == group, "median"])
    assert "no median where it lies among values beyond a limit" in notes(paired_lines(study, "IL-4"))
    assert "no median" not in notes(paired_lines(study, "EGF"))


def test_the_median_of_a_baseline_of_two_visits_is_level_over_them():
    panel = study_of("henry2010").panel
    study = cc.Study(panel, cc.Design("Group", *study_groups(panel), baseline=("baseline", "month1"), visits=("month6",)))
    table = cc.descriptives(study).query("analyte == 'EGF' and group == 'case'").set_index("visit")["median"]
    line = next(line for line in paired_lines(study, "EGF").lines if line.get_label() == "_median")
    assert line.get_xdata().tolist() == [0, 1, 2]
    assert line.get_ydata().tolist() == [table["baseline+month1"]] * 2 + [table["month6"]]
    part = paired_lines(study, "EGF", visits=["month6", "month1"])  # half a baseline has no median
    line = next(line for line in part.lines if line.get_label() == "_median")
    assert line.get_xdata().tolist() == [1]


def study_groups(panel):
    design = study_of("henry2010").design
    return design.case, design.control


def test_visits_come_in_the_order_of_the_study():
    data = paired_lines_data(study_of("henry2010"), "EGF", visits=["month6", "baseline"])
    assert set(data["visit"]) == {"baseline", "month6"}
    ax = paired_lines(study_of("henry2010"), "EGF", visits=["month6", "baseline"])
    assert [label.get_text() for label in ax.get_xticklabels()] == ["baseline", "month6"] * 2


def test_a_subject_with_one_visit_is_a_mark():
    ax = paired_lines(odd_study(), "$a$ and $b$")
    assert len(segments(ax, "_case lines")) == 5
    assert len(marks(ax, "case", "measured")) == 11
    assert ax.get_ylabel() == r"\$a\$ and \$b\$, pg/mL"


def test_equal_values_are_set_apart():
    ax = paired_lines(odd_study(), "all below")
    x = marks(ax, "case", "below")[:, 0]
    assert len(np.unique(x)) == 11
    assert (np.abs(x - np.round(x)) <= 0.081).all()
    assert notes(paired_lines(odd_study(), "all missing")).count("no value") == 2


def test_without_a_value_there_is_no_axis():
    ax = paired_lines(odd_study(), "all missing")
    ax.figure.draw_without_rendering()
    assert len(ax.get_yticks()) == len(ax.get_yticks(minor=True)) == 0


# --- detection


@pytest.mark.parametrize("n", [1, 36, pytest.param(500, marks=pytest.mark.slow)])
@pytest.mark.parametrize("by", ["group", "visit"])
def test_bars_are_the_shares_of_descriptives(n, by):
    study = wide_study(n)
    ax, table = detection(study, by=by), cc.descriptives(study)
    levels = ["case", "control"] if by == "group" else [study.baseline, *study.visits]
    if by == "group":
        table = table[table["visit"] == study.baseline]
    sums = table.groupby(["analyte", by], sort=False)[["n", "n_below"]].sum()
    drawn = {container.get_label(): container for container in ax.containers}
    for i, level in enumerate(levels):
        bars = drawn[f"_{level} below"]
        own = sums.xs(level, level=by).reindex(study.analytes)
        np.testing.assert_array_equal([bar.get_width() for bar in bars], own["n_below"] / own["n"])
        middle = [bar.get_y() + bar.get_height() / 2 for bar in bars]
        assert middle == pytest.approx(np.arange(n) - 0.2 + 0.4 * i)


def test_shares_by_group_equal_descriptives_and_its_table_serves_too():
    study = study_of("henry2010")
    table = cc.descriptives(study)
    for visit in (None, "month1"):
        data = detection_data(study, visit=visit)
        own = table[table["visit"] == (visit or "baseline")]
        np.testing.assert_array_equal(data[["n", "n_below", "n_above"]], own[["n", "n_below", "n_above"]])
        np.testing.assert_array_equal(data[["below", "above"]], own[["below", "above"]])
        pd.testing.assert_frame_equal(data, detection_data(table, visit=visit))
    assert [text.get_text() for text in detection(table).get_legend().get_texts()] == ["case", "control"]
    assert [text.get_text() for text in detection(study).get_legend().get_texts()] == ["AIMSS", "no AIMSS"]


def test_shares_by_plate_count_samples():
    study = study_of("henry2010")
    panel, data = study.panel, detection_data(study_of("henry2010"), by="plate")
    kept = panel.samples["subject"].isin(study.subjects.index).to_numpy()
    below = (panel.state == State.BELOW) | ((panel.state == State.EXTRAPOLATED) & (panel.values < panel.lower_limit))
    above = (panel.state == State.ABOVE) | ((panel.state == State.EXTRAPOLATED) & (panel.values > panel.upper_limit))
    plate = panel.samples["plate"][kept]
    for name, flags in (("n", panel.state != State.MISSING), ("n_below", below), ("n_above", above)):
        want = flags[kept].groupby(plate).sum().T.stack()
        got = data.set_index(["analyte", "level"])[name]
        assert (got == want.reindex(got.index)).all()
    assert data["n_above"].sum() > 0
    month1 = detection_data(study, by="plate", visit="month1")
    n = (panel.samples["visit"][kept] == "month1").sum()
    assert (month1.groupby("analyte")["n"].sum() <= n).all()
    assert month1.groupby("analyte")["n"].sum().max() == n


def test_shares_above_come_from_the_right():
    ax = detection(odd_study())
    bars = next(container for container in ax.containers if container.get_label() == "_case above")
    assert [(bar.get_x(), bar.get_width(), bar.get_hatch()) for bar in bars] == [(0.5, 0.5, "//////")]
    assert "hatched, from the right" in notes(ax)
    assert "hatched" not in notes(detection(study_of("quickstart")))


def test_a_bar_without_a_value_says_so():
    ax, names = detection(odd_study()), list(odd_study().analytes)
    rows = sorted(t.get_position()[1] for t in ax.texts if t.get_text() == "no value")
    missing, cases = names.index("all missing"), names.index("cases missing")
    assert rows == pytest.approx([missing - 0.2, missing + 0.2, cases - 0.2])
    data = detection_data(odd_study())
    assert data["below"].isna().sum() == 3
    assert (data.loc[data["analyte"].isin(["all below", "no limit"]), "below"] == 1).all()


def test_plates_stand_in_their_natural_order():
    assert list(detection_data(odd_study(), by="plate")["level"].unique()) == ["P8", "P9", "P10"]


# --- arguments


def test_arguments_are_checked():
    study = study_of("quickstart")
    for draw, message in (
        (lambda: distributions(study.panel), r"distributions\(\) takes a Study; got Panel"),
        (lambda: distributions(study, ["IL-66"]), "`analytes` must be one of .*; got 'IL-66'. Did you mean 'IL-6'"),
        (lambda: distributions(study, ["IL-6", "IL-6"]), "twice"),
        (lambda: distributions(study, [3]), "`analytes` must be a text"),
        (lambda: distributions(study, visit="month5"), "`visit` must be one of 'baseline', 'month6'; got 'month5'"),
        (lambda: distributions(study, scale="log2"), "`scale` must be one of 'log', 'linear'"),
        (lambda: distributions(study, ax=3), "`ax` must be one matplotlib Axes; got int"),
        (lambda: paired_lines(None, "IL-6"), r"paired_lines\(\) takes a Study"),
        (lambda: paired_lines(study, "IL66"), "`analyte` must be one of"),
        (lambda: paired_lines(study, ["IL-6"]), "`analyte` must be the name of one analyte"),
        (lambda: paired_lines(study, "IL-6", visits=["month5"]), "`visits` must be one of"),
        (lambda: paired_lines(study, "IL-6", visits=[]), "`visits` names nothing"),
        (lambda: detection(study, by="sex"), "`by` must be one of 'group', 'plate', 'visit'"),
        (lambda: detection(study, by="visit", visit="month6"), "`visit` must be None where by='visit'"),
        (lambda: detection(study, visit="month5"), "`visit` must be one of"),
        (lambda: detection(study, by="plate", visit="month5"), "`visit` must be one of"),
        (lambda: detection(study_of("heavy_censoring"), by="plate"), "the panel has no plates. .*plate="),
        (lambda: detection(cc.descriptives(study), by="plate"), "takes a Study: the table does not tell plates"),
        (lambda: detection(study.panel.values), "no column 'analyte', 'visit'"),
        (lambda: detection(3), r"takes a Study or the table of descriptives\(\); got int"),
    ):
        with pytest.raises(OptionError, match=message):
            draw()


DRAW = {
    "distributions": lambda study, **options: distributions(study, **options),
    "linear": lambda study, **options: distributions(study, scale="linear", **options),
    "paired_lines": lambda study, **options: paired_lines(study, study.analytes[0], **options),
    "long": lambda study, **options: paired_lines(study, study.analytes[3], **options),
    "detection": lambda study, **options: detection(study, **options),
    "visits": lambda study, **options: detection(study, by="visit", **options),
}


@pytest.mark.parametrize("name", DRAW)
def test_pictures_keep_to_their_axes(name):
    before, figures = dict(matplotlib.rcParams), plt.get_fignums()
    figure = Figure(figsize=(5, 4))
    axes = figure.subplots(1, 2)
    for study in (study_of("quickstart"), odd_study()):
        assert DRAW[name](study, ax=axes[0]) is axes[0]
        with off_screen():
            assert DRAW[name](study).figure.get_size_inches()[1] > 2
    assert figure.get_size_inches().tolist() == [5, 4]
    assert figure.get_layout_engine() is None
    assert not axes[1].has_data()
    assert plt.get_fignums() == figures
    assert dict(matplotlib.rcParams) == before
    assert DRAW[name](study).figure.number in plt.get_fignums()
    text = io.StringIO()
    figure.savefig(text, format="svg")
    assert text.getvalue().count("<svg") == 1


@pytest.mark.parametrize("name", DRAW)
@pytest.mark.parametrize("which", ["henry2010", "odd"])
def test_nothing_is_cut_off(name, which):
    with off_screen():
        figure = DRAW[name](odd_study() if which == "odd" else study_of(which)).figure
    figure.draw_without_rendering()
    drawn, page = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= -0.01
    assert drawn.y0 >= -0.01
    assert drawn.x1 <= page[0] + 0.01
    assert drawn.y1 <= page[1] + 0.01


def test_names_of_rows_do_not_overlap():
    with off_screen():
        ax = distributions(replace(study_of("henry2010")))
    ax.figure.draw_without_rendering()
    boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
    assert all(upper.y0 >= lower.y1 - 1.5 for upper, lower in itertools.pairwise(boxes))
