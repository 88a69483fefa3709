"""What check_study reckons with, against R (tests/reference/study_checks.R)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytokine_cc.checks.detectable import detectable, two_groups, within_sets
from cytokine_cc.checks.facts import median, spread
from cytokine_cc.checks.outliers import robust_distances, spatial_median
from cytokine_cc.checks.tables import fisher

FOLDER = Path(__file__).parent / "reference"
DATA = pd.read_csv(FOLDER / "study_checks_data.csv")
DISTANCES = pd.read_csv(FOLDER / "study_checks_distances.csv")


@pytest.mark.parametrize("name", DISTANCES["set"].unique())
def test_distances_are_those_of_r(name):
    x = DATA[DATA["set"] == name].pivot(index="sample", columns="analyte", values="value").to_numpy()
    want = DISTANCES[DISTANCES["set"] == name]
    found = robust_distances(x, chance=0.01)
    assert found.loadings.shape[1] == want["components"].iloc[0]
    np.testing.assert_allclose(found.score, want["score"], rtol=1e-7)
    np.testing.assert_allclose(found.orthogonal, want["orthogonal"], rtol=1e-7)
    np.testing.assert_allclose([found.score_bar, found.orthogonal_bar], want[["score_bar", "orthogonal_bar"]].iloc[0], rtol=1e-7)


def test_outliers_of_the_reference_are_found():
    want = DISTANCES[DISTANCES["set"] == "outliers"]
    out = (want["score"] > want["score_bar"]) | (want["orthogonal"] > want["orthogonal_bar"])
    assert {3, 17, 30} <= set(want["sample"][out])


def test_detectable_differences_are_those_of_power_t_test():
    want = pd.read_csv(FOLDER / "study_checks_power.csv")
    two = want["type"] == "two.sample"
    error, df = want["sd"] * np.sqrt(np.where(two, 2, 1) / want["n"]), np.where(two, 2 * want["n"] - 2, want["n"] - 1)
    for sided in ("two.sided", "one.sided"):
        own = want["side"] == sided
        found = detectable(error[own], df[own], want["level"][own], two_sided=sided == "two.sided")
        np.testing.assert_allclose(found, want["delta"][own], rtol=1e-6)


def test_nothing_is_detectable_without_a_spread():
    assert np.isnan(detectable([np.nan, 1.0], [5, 0], 0.05)).all()


def test_fisher_is_that_of_r():
    want = pd.read_csv(FOLDER / "study_checks_fisher.csv")
    found = fisher(*(want[name].to_numpy() for name in ("a", "n_a", "b", "n_b")))
    np.testing.assert_allclose(found, want["p_value"], rtol=1e-7)
    assert fisher(np.array([0]), np.array([0]), np.array([2]), np.array([5])).tolist() == [1.0]


def test_spreads_are_those_of_the_models():
    rng = np.random.default_rng(5)
    y = rng.normal(size=(3, 30))
    y[1, :4] = np.nan
    case = np.arange(30) < 12
    sets = np.where(case, np.arange(30) % 6, np.arange(30) % 6).astype(str).astype(object)
    found = within_sets(y, case, sets)
    for a in range(3):
        own = ~np.isnan(y[a])
        design = np.column_stack([case[own], *(sets[own] == name for name in np.unique(sets[own]))]).astype(float)
        _, left, *_ = np.linalg.lstsq(design, y[a, own], rcond=None)
        df = own.sum() - design.shape[1]
        error = np.sqrt(left[0] / df * np.linalg.inv(design.T @ design)[0, 0])
        assert found.df[a] == df
        np.testing.assert_allclose([found.sd[a], found.std_error[a]], [np.sqrt(left[0] / df), error], rtol=1e-10)
    plain = two_groups(y[:, case], y[:, ~case])
    x, z = y[0, case], y[0, ~case]
    pooled = np.sqrt((np.square(x - x.mean()).sum() + np.square(z - z.mean()).sum()) / 28)
    np.testing.assert_allclose([plain.sd[0], plain.std_error[0]], [pooled, pooled * np.sqrt(1 / 12 + 1 / 18)], rtol=1e-12)


def test_medians_leave_out_what_is_missing():
    x = np.array([[1.0, 4.0, 2.0, np.nan], [np.nan] * 4, [3.0, 1.0, 2.0, 10.0]])
    np.testing.assert_array_equal(median(x), [2.0, np.nan, 2.5])
    np.testing.assert_allclose(spread(x)[[0, 2]], [1.4826, 1.4826])
    assert np.isnan(median(np.empty((2, 0)))).all()


def test_the_spatial_median_may_be_a_sample():
    x = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [5.0, 1.0], [-1.0, 2.0]])
    np.testing.assert_allclose(spatial_median(x), [0.0, 0.0], atol=1e-9)
