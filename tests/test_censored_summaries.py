"""Descriptives of samples with values beyond limits, against R: maximum likelihood, Kaplan-Meier, order statistics."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc
from cytokine_cc.kernels.kaplan_meier import quantiles
from cytokine_cc.kernels.order_statistics import complete, plotting_positions

from .test_reference import exact_csv

WANT = exact_csv("descriptives.csv", ("set",)).set_index("set")
DATA = dict(list(exact_csv("descriptives_data.csv", ("set", "state")).groupby("set", sort=False)))
SHARES = (0.25, 0.5, 0.75)
SIGNS = {"below": "<", "above": ">", "": ""}


def bounds(name: str) -> tuple[np.ndarray, np.ndarray]:
    value, state = DATA[name]["value"].to_numpy(), DATA[name]["state"].to_numpy()
    return np.where(state == "below", -np.inf, value), np.where(state == "above", np.inf, value)


def cells(name: str) -> list[str]:
    return [
        "" if np.isnan(value) else f"{SIGNS[state]}{value!r}"
        for value, state in zip(DATA[name]["value"].tolist(), DATA[name]["state"], strict=True)
    ]


@pytest.fixture(scope="module")
def study() -> cc.Study:
    """Each set an analyte, all of it cases."""
    columns = {name: pd.Series(cells(name)).reindex(range(max(map(len, DATA.values())))).fillna("") for name in DATA}
    case = pd.DataFrame(columns).assign(group="case")
    control = pd.DataFrame({name: ["1", "2"] for name in DATA}).assign(group="control")
    frame = pd.concat([case, control], ignore_index=True)
    frame["subject"] = np.arange(len(frame)).astype(str)
    return cc.Study(cc.read_panel(frame, layout="wide", analytes=list(DATA)), cc.Design("group", "case", "control"))


@pytest.mark.parametrize(("rule", "prefix"), [("censored", ""), ("ros", "ros_")])
def test_descriptives_agree_with_r(study, rule, prefix):
    table = cc.descriptives(study, below_limit=rule)
    got = table[table["group"] == "case"].set_index("analyte").loc[WANT.index]
    assert got["n"].tolist() == WANT["n"].tolist()
    for column, name in (("geo_mean", "mean"), ("geo_sd", "sd"), ("q1", "q1"), ("median", "median"), ("q3", "q3")):
        rtol = 1e-8 if rule == "censored" and column.startswith("geo") else 1e-10
        np.testing.assert_allclose(got[column], WANT[prefix + name], rtol=rtol, atol=0, err_msg=column)
    assert (got["below_limit"] == rule).all()
    for name, note in got["note"].items():
        hidden = [q for q in ("q1", "median", "q3") if np.isnan(got.at[name, q])]
        said = [f"{', '.join(hidden)} among values beyond a limit"] if hidden else []
        above = ["values above a limit: no regression on order statistics"] * bool(np.isnan(got.at[name, "geo_mean"]))
        assert note == "; ".join(said + above), name


def test_a_reference_value_that_is_a_little_off_turns_red(study):
    got = cc.descriptives(study).set_index(["analyte", "group"])["geo_sd"][("several_limits", "case")]
    np.testing.assert_allclose(got, WANT.at["several_limits", "sd"], rtol=1e-8, atol=0)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(got, WANT.at["several_limits", "sd"] * (1 + 1e-7), rtol=1e-8, atol=0)


def test_the_sets_are_what_they_are_called():
    share = {name: (frame["state"] == "below").mean() for name, frame in DATA.items()}
    assert min(share["below_70"], share["below_70_several"]) > 0.6
    assert share["half_below_one"] == share["half_below_two"] == 0.5
    assert (DATA["both_sides"]["state"] != "").sum() > (DATA["both_sides"]["state"] == "below").sum() > 0
    assert (DATA["one_below"]["state"] != "").sum() == 1


# ---------------------------------------------------------------- Kaplan-Meier


def test_rows_side_by_side_are_as_alone():
    names = [name for name in DATA if len(DATA[name]) == 30]
    low, high = (np.stack(part) for part in zip(*(bounds(name) for name in names), strict=True))
    assert len(names) > 6
    whole, filled = quantiles(low, high, SHARES), complete(low, high)
    for i in range(len(names)):
        for one, all_ in zip(quantiles(low[i], high[i], SHARES), whole, strict=True):
            np.testing.assert_array_equal(one, all_[i])
        np.testing.assert_array_equal(complete(low[i], high[i]), filled[i])
    deep = quantiles(low[:6].reshape(2, 3, 30), high[:6].reshape(2, 3, 30), SHARES)
    np.testing.assert_array_equal(np.ravel(deep[1]), whole[1][:6])


@settings(derandomize=True, max_examples=80, deadline=None)
@given(hs.lists(hs.tuples(hs.integers(1, 9), hs.booleans()), min_size=1, max_size=12))
def test_above_is_below_turned_round(values):
    low = np.array([-np.inf if hidden else x for x, hidden in values], dtype=float)
    high = np.array([x for x, _ in values], dtype=float)
    down = quantiles(low, high, SHARES)
    up = quantiles(-high, -low, SHARES[::-1])
    np.testing.assert_array_equal(down, np.negative(up))


@settings(derandomize=True, max_examples=80, deadline=None)
@given(hs.lists(hs.integers(1, 9), min_size=1, max_size=12), hs.integers(1, 9))
def test_below_one_limit_a_quartile_is_one_of_every_completion(values, limit):
    """A share lies at or below the quartile, and one at or above it, wherever the hidden values are."""
    x = np.array(values, dtype=float)
    low, high = np.where(x < limit, -np.inf, x), np.where(x < limit, limit, x)
    for share, q in zip(SHARES, quantiles(low, high, SHARES), strict=True):
        for hidden in (limit - 0.5, limit - 5):
            whole = np.where(x < limit, hidden, x)
            if np.isfinite(q):
                assert (whole <= q).mean() >= share - 1e-12
                assert (whole >= q).mean() >= 1 - share - 1e-12
            else:
                assert np.quantile(whole, share, method="inverted_cdf") < limit


def test_nothing_known_gives_nothing():
    low, high = np.array([[-np.inf, 2, 3, 4], [np.nan] * 4]), np.array([[np.inf, 2, 3, 4], [np.nan] * 4])
    assert np.isnan(quantiles(low, high, SHARES)).all()
    assert np.isnan(quantiles(np.empty((2, 0)), np.empty((2, 0)), SHARES)).all()


# ---------------------------------------------------------------- regression on order statistics


def statsmodels_agrees(name: str) -> bool:
    """Limits above all numbers, and more than 80% below: statsmodels does otherwise."""
    low, high = bounds(name)
    below = np.isneginf(low)
    return 0 < below.mean() <= 0.8 and not np.isposinf(high).any() and high[below].max() <= np.nanmax(high[~below])


@pytest.mark.parametrize("name", [*filter(statsmodels_agrees, DATA)])
def test_filled_in_values_agree_with_statsmodels(name):
    from statsmodels.imputation.ros import impute_ros

    low, high = (part[~np.isnan(bounds(name)[1])] for part in bounds(name))
    below = np.isneginf(low)
    got = np.exp(complete(np.where(below, -np.inf, np.log(high)), np.log(high)))
    np.testing.assert_allclose(np.sort(got), np.sort(impute_ros(high, below)), rtol=1e-9)


def test_plotting_positions_by_hand():
    """Limits 2 and 5: P(>= 5) = 2/6; P(>= 2) = 1/3 + 2/3 x 2/3 = 7/9."""
    point = np.array([2.0, 5, 3, 4, 6, 7])
    below = np.array([True, True, False, False, False, False])
    want = [2 / 9 / 2, 2 / 3 / 2, 2 / 9 + 4 / 9 / 3, 2 / 9 + 8 / 9 / 3, 2 / 3 + 1 / 3 / 3, 2 / 3 + 2 / 3 / 3]
    np.testing.assert_allclose(plotting_positions(point, below), want, rtol=1e-14)
    mixed = [3, 0, 5, 2, 1, 4]
    np.testing.assert_allclose(plotting_positions(point[mixed], below[mixed]), np.array(want)[mixed], rtol=1e-14)


@pytest.mark.parametrize(
    ("low", "high"),
    [
        ([-np.inf, -np.inf, 3], [2, 2, 3]),
        ([-np.inf, 3, 3], [2, 3, 3]),
        ([-np.inf, 3, 4, 5], [2, 3, 4, np.inf]),
        ([-np.inf, 3, 4, 5], [np.inf, 3, 4, 5]),
        ([np.nan] * 3, [np.nan] * 3),
    ],
)
def test_rows_without_a_line(low, high):
    assert np.isnan(complete(np.array(low, dtype=float), np.array(high, dtype=float))).all()
