"""p_values and error_rates: what is drawn is what the tables say."""

from __future__ import annotations

import io
from dataclasses import replace
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection, PolyCollection

import cytokine_cc as cc
from cytokine_cc import plots
from cytokine_cc.multiplicity import order_band
from cytokine_cc.plots.drawing import off_screen
from cytokine_cc.plots.evidence import error_rates_data, p_values_data

BASELINE = dict(change_within=None, change_between=None)


@cache
def results(m: int = 18) -> cc.Results:
    """The quick-start comparison, or one of so many analytes with p-values of its own, every seventh not tested."""
    source = cc.compare_baseline(cc.load_study("quickstart"))
    if m == 18:
        return source
    table = pd.concat([source.table] * (m // 18 + 1), ignore_index=True).head(m)
    p = np.random.default_rng(m).random(m) ** 2
    p[6::7] = np.nan
    names = [f"analyte {i} with a long name, measured in serum of fasting patients" for i in range(m)]
    return replace(source, table=table.assign(analyte=names, p_value=p)).adjust("BH")


@cache
def rates(scenario: str = "henry2010", test: str = "welch", alpha: float = 0.05, n_sim: int = 60) -> cc.ErrorRates:
    plan = cc.Plan(baseline=cc.Baseline(test=test), alpha=alpha, **BASELINE)
    return cc.certify(plan, cc.load_scenario(scenario), n_sim=n_sim, seed=3, intervals=False)


@cache
def whole_rates() -> cc.ErrorRates:
    return cc.certify(cc.Plan(), cc.load_scenario("inflammatory_cascade"), n_sim=30, seed=3, intervals=False)


def shown(f, *args, **options):
    with off_screen():
        return f(*args, **options)


def marks(ax, mark: str | None = None) -> pd.DataFrame:
    rows = [
        (x, y, line.get_marker(), line.get_markersize(), line.get_label())
        for line in ax.lines
        if line.get_marker() != "None" and line.get_linestyle() == "None"
        for x, y in zip(*line.get_data(), strict=True)
    ]
    found = pd.DataFrame(rows, columns=["x", "y", "mark", "size", "label"])
    return found if mark is None else found[found["mark"] == mark]


def segments(ax) -> np.ndarray:
    found = [np.ravel(path) for c in ax.collections if isinstance(c, LineCollection) for path in c.get_segments()]
    return np.array(found).reshape(-1, 4)


def written(ax) -> list[str]:
    return [text.get_text() for text in ax.texts]


def legend_of(ax) -> list[str]:
    return [text.get_text() for text in ax.get_legend().get_texts()]


# ---------------------------------------------------------------- p-values


@pytest.mark.parametrize("m", [1, 18, 36, 500])
def test_the_histogram_counts_every_p_value_once(m):
    source = results(m)
    ax = shown(plots.p_values, source)
    p = source.table["p_value"].dropna()
    assert len(ax.patches) == 20
    for i, bar in enumerate(ax.patches):
        low, high = i / 20, (i + 1) / 20
        inside = ((p > low) | (i == 0)) & (p <= high)
        assert (bar.get_x(), bar.get_height()) == (low, inside.sum())
        assert bar.get_x() + bar.get_width() == pytest.approx(high)
    assert sum(bar.get_height() for bar in ax.patches) == len(p)
    (line,) = ax.lines
    assert line.get_ydata()[0] == pytest.approx(len(p) / 20)
    assert ax.get_ylim()[1] > max(bar.get_height() for bar in ax.patches)


def test_ends_of_the_histogram():
    source = results(36)
    ends = replace(source, table=source.table.assign(p_value=[0.0, 0.05, 1.0, *[np.nan] * 33]))
    data = p_values_data(ends)
    assert data["count"].tolist() == [2, *[0] * 18, 1]  # 0.05 is at most 0.05
    assert written(shown(plots.p_values, ends)) == ["33 not tested"]


@pytest.mark.parametrize("m", [1, 18, 36, 500])
def test_the_qq_plot_sets_sorted_p_values_against_those_expected(m):
    source = results(m)
    ax = shown(plots.p_values, source, kind="qq")
    p = np.sort(source.table["p_value"].dropna())
    n = len(p)
    got = marks(ax, "o")
    np.testing.assert_allclose(10 ** -got["y"], p, rtol=1e-12)
    np.testing.assert_allclose(10 ** -got["x"], np.arange(1, n + 1) / (n + 1), rtol=1e-12)
    low, high = order_band(n, 0.95)
    if n > 1:
        (band,) = [c for c in ax.collections if isinstance(c, PolyCollection)]
        corners = band.get_paths()[0].vertices
        for y in -np.log10([*low, *high]):
            assert np.isclose(corners[:, 1], y, rtol=1e-12).any()
    else:
        np.testing.assert_allclose(segments(ax)[0, [1, 3]], -np.log10([high[0], low[0]]))
    assert ax.get_ylim()[1] > max(got["y"].max(), -np.log10(low[0]))
    assert legend_of(ax) == ["95% band for all of them at once,\nif tests are independent and nothing has an effect"]
    data = p_values_data(source, kind="qq")
    assert sorted(data["analyte"]) == sorted(source.table.dropna(subset="p_value")["analyte"])


def test_the_band_has_the_level_asked_for():
    data = p_values_data(results(), kind="qq", conf_level=0.8)
    assert np.array_equal(data["low"], order_band(18, 0.8)[0])
    assert legend_of(shown(plots.p_values, results(), kind="qq", conf_level=0.8))[0].startswith("80% band")


def test_a_p_value_of_zero_stands_at_the_upper_edge():
    table = results().table.copy()
    table.loc[3, "p_value"] = 0.0
    ax = shown(plots.p_values, replace(results(), table=table), kind="qq")
    (zero,) = marks(ax, "^")[["x", "y"]].to_numpy()
    assert zero.tolist() == [-np.log10(1 / 19), ax.get_ylim()[1]]
    assert len(marks(ax, "o")) == 17


@pytest.mark.parametrize("kind", ["histogram", "qq"])
def test_nothing_tested_is_said(kind):
    nothing = replace(results(), table=results().table.assign(p_value=np.nan, p_adjusted=np.nan))
    ax = shown(plots.p_values, nothing, kind=kind)
    assert written(ax) == ["18 not tested"]
    assert not len(marks(ax))


def test_several_contrasts_are_taken_together():
    source = cc.change_within(cc.load_study("quickstart"))
    assert len(p_values_data(source, kind="qq")) == source.table["p_value"].notna().sum() == 36


# ---------------------------------------------------------------- size


def test_size_shows_each_analyte_and_the_mean_with_two_monte_carlo_errors():
    source = rates()
    ax = shown(plots.error_rates, source)
    size = source.table[source.table["measure"] == "size"]
    alone, mean = size[size["analyte"] != ""], size[size["analyte"] == ""].iloc[0]
    light = marks(ax).query("label == 'an analyte'")
    assert sorted(light["x"]) == sorted(alone["estimate"])
    assert len(alone) == 30
    assert light["y"].between(-0.3, 0.3).all()
    dark = marks(ax).query("label == 'mean of the analytes'")
    assert dark[["x", "y"]].to_numpy().tolist() == [[mean["estimate"], 0]]
    reach = max(0, mean["estimate"] - 2 * mean["mcse"]), mean["estimate"] + 2 * mean["mcse"]
    assert segments(ax).tolist() == [[reach[0], 0, reach[1], 0]]
    (alpha,) = [line for line in ax.lines if line.get_label() == "alpha = 0.05"]
    assert set(alpha.get_xdata()) == {0.05}
    assert ax.get_xlim()[1] > max(*light["x"], *segments(ax)[:, 2])
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["case / control, baseline"]


def test_size_has_a_row_for_each_contrast_visit_and_label():
    ax = shown(plots.error_rates, whole_rates())
    names = [tick.get_text().replace("\n", " ") for tick in ax.get_yticklabels()]
    assert len(names) == len(set(names)) == 7
    assert names[0] == "welch: case / control, baseline"
    assert "paired_t: month1 / baseline in case" in names
    both = shown(plots.error_rates, {"t": rates(), "ranks": rates(test="mann_whitney")})
    names = [tick.get_text().replace("\n", " ") for tick in both.get_yticklabels()]
    assert names == ["t, welch: case / control, baseline", "ranks, mann_whitney: case / control, baseline"]
    scenarios = error_rates_data([rates(), rates("null")])
    assert scenarios["label"].unique().tolist() == ["henry2010", "null"]
    assert error_rates_data([rates(), rates(test="mann_whitney")])["label"].unique().tolist() == ["1", "2"]


def test_a_contrast_without_a_true_null_keeps_its_row():
    table = rates().table
    table = table[(table["measure"] != "size") | (table["contrast"] != "case / control")]
    ax = shown(plots.error_rates, {"all": rates(), "none": replace(rates(), table=table)})
    assert written(ax) == ["no true null"]
    assert ax.texts[0].xy == (0.05, 1)


def test_where_nothing_is_rejected_the_bar_is_what_cannot_be_excluded():
    table = rates().table.copy()
    rows = (table["measure"] == "size").to_numpy()
    table.loc[rows, ["estimate", "mcse"]] = 0.0
    data = error_rates_data(replace(rates(), table=table))
    np.testing.assert_allclose(data["high"], 1 - 0.05 ** (1 / 60))
    assert (data["low"] == 0).all()
    table.loc[rows, "estimate"] = 1.0
    np.testing.assert_allclose(error_rates_data(replace(rates(), table=table))["low"], 0.05 ** (1 / 60))


def test_alpha_is_that_of_the_rates():
    from_file = cc.ErrorRates(rates().table)
    with pytest.raises(cc.OptionError, match="do not say at which alpha .* pass `alpha`"):
        plots.error_rates(from_file)
    assert (error_rates_data(from_file, alpha=0.05)["alpha"] == 0.05).all()
    with pytest.raises(cc.OptionError, match="`alpha` is 0.1, but the rates were counted at 0.05"):
        plots.error_rates(rates(), alpha=0.1)
    with pytest.raises(cc.OptionError, match="shows one alpha"):
        plots.error_rates([rates(), rates(alpha=0.01)])


# ---------------------------------------------------------------- power


def test_power_is_drawn_over_the_true_ratio():
    scenario = cc.load_scenario("henry2010")
    ax = shown(plots.error_rates, rates(), measure="power", effects=scenario.effects)
    power = rates().table.query("measure == 'power'").set_index("analyte")
    truth = scenario.effects["case / control"]
    got = marks(ax)
    want = sorted((truth[name], row["estimate"]) for name, row in power.iterrows())
    assert sorted(zip(got["x"], got["y"], strict=True)) == want
    assert len(want) == 6
    drawn = segments(ax)
    np.testing.assert_allclose(sorted(drawn[:, 3]), sorted(np.minimum(1, power["estimate"] + 2 * power["mcse"])))
    assert ax.get_xscale() == "log"
    assert ax.get_xlim()[0] < min(got["x"]) < 1 < ax.get_xlim()[1]
    assert ax.get_ylabel() == "power, by BH-adjusted p"


def test_power_of_several_plans_and_contrasts_has_a_mark_for_each():
    effects = cc.load_scenario("henry2010").effects
    both = {"t": rates(), "ranks": rates(test="mann_whitney")}
    ax = shown(plots.error_rates, both, measure="power", effects=effects)
    assert set(marks(ax)["mark"]) == {"o", "D"}
    assert legend_of(ax) == ["t, welch: case / control, baseline", "ranks, mann_whitney: case / control, baseline"]
    data = error_rates_data(whole_rates(), measure="power", effects=cc.load_scenario("inflammatory_cascade").effects)
    truth = cc.load_scenario("inflammatory_cascade").effects
    between = data[data["contrast"] == "change: case / control"]
    assert len(between)
    for row in between.itertuples():
        assert row.effect == truth.loc[row.analyte, f"{row.visit}, change: case / control"]
    by_label = error_rates_data(both, measure="power", effects={"t": effects, "ranks": effects["case / control"] ** 2})
    assert (by_label.query("label == 'ranks'")["effect"].to_numpy() == by_label.query("label == 't'")["effect"] ** 2).all()


def test_a_scenario_tells_its_effects():
    scenario = cc.load_scenario("henry2010")
    both = {"t": rates(), "ranks": rates(test="mann_whitney")}
    for effects in (scenario, {"t": scenario, "ranks": scenario}):
        data = error_rates_data(both, measure="power", effects=effects)
        assert data.equals(error_rates_data(both, measure="power", effects=scenario.effects))


def test_power_on_the_raw_scale_finds_its_ratio():
    plan = cc.Plan(baseline=cc.Baseline(scale="raw"), **BASELINE)
    scenario = cc.load_scenario("henry2010")
    raw = cc.certify(plan, scenario, n_sim=5, seed=1, intervals=False)
    data = error_rates_data(raw, measure="power", effects=scenario.effects)
    assert set(data["contrast"]) == {"case - control"}
    assert set(data["effect"]) <= set(scenario.effects["case / control"])


def test_what_power_needs_is_said():
    effects = cc.load_scenario("henry2010").effects
    with pytest.raises(cc.OptionError, match=r"pass effects=scenario, or a Series .*got nothing"):
        plots.error_rates(rates(), measure="power")
    with pytest.raises(cc.OptionError, match="`effects` has no column for 'case / control' at 'baseline'"):
        plots.error_rates(rates(), measure="power", effects=effects[["month1 / baseline in case"]])
    with pytest.raises(cc.OptionError, match="`effects` has no ratio for 'G-CSF'"):
        plots.error_rates(rates(), measure="power", effects=effects["case / control"].drop("G-CSF"))
    with pytest.raises(cc.OptionError, match="must hold ratios above 0; got -"):
        plots.error_rates(rates(), measure="power", effects=-effects["case / control"])
    with pytest.raises(cc.OptionError, match="these rates hold no power"):
        plots.error_rates(rates("null"), measure="power", effects=effects)


# ---------------------------------------------------------------- both


@pytest.mark.parametrize(
    "call",
    [
        lambda ax: plots.p_values(results(), ax=ax),
        lambda ax: plots.p_values(results(500), kind="qq", ax=ax),
        lambda ax: plots.error_rates(rates(), ax=ax),
        lambda ax: plots.error_rates(rates(), measure="power", effects=cc.load_scenario("henry2010").effects, ax=ax),
    ],
)
def test_given_axes_are_drawn_on_and_nothing_else_is_touched(call):
    figure, axes = plt.subplots(1, 2, figsize=(9, 5))
    numbers, before = plt.get_fignums(), dict(mpl.rcParams)
    assert call(axes[1]) is axes[1]
    assert plt.get_fignums() == numbers
    assert dict(mpl.rcParams) == before
    assert tuple(figure.get_size_inches()) == (9, 5)
    assert not axes[0].lines
    figure.savefig(io.StringIO(), format="svg")
    plt.close(figure)


def test_bad_arguments_are_named():
    with pytest.raises(cc.OptionError, match="`kind` must be one of 'histogram', 'qq'; got 'QQ'. Did you mean 'qq'"):
        plots.p_values(results(), kind="QQ")
    with pytest.raises(cc.OptionError, match="`conf_level` must be a number between 0 and 1"):
        plots.p_values(results(), kind="qq", conf_level=95)
    with pytest.raises(cc.OptionError, match="takes Results; got ndarray"):
        plots.p_values(np.array([0.1, 0.2]))
    with pytest.raises(cc.OptionError, match="`measure` must be one of 'size', 'power'"):
        plots.error_rates(rates(), measure="FDR")
    for wrong in (None, "rates", rates().table, [rates(), 3], []):
        with pytest.raises(cc.OptionError, match=r"error_rates\(\) takes ErrorRates"):
            plots.error_rates(wrong)
