"""Adjusted p-values: by definition (closed testing), against statsmodels, at the edges (R: test_reference.py); order_band."""

from __future__ import annotations

import itertools
from pathlib import Path
from unittest import mock

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs
from hypothesis.extra import numpy as hn
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests

import cytokine_cc as cc
from cytokine_cc.multiplicity import METHODS, order_band
from cytokine_cc.wording import CORRECTIONS

many = settings(derandomize=True, max_examples=80, deadline=None)
ADJUSTING = [name for name in METHODS if name != "none"]
P = hs.one_of(hs.floats(0, 1), hs.sampled_from([0.0, 1.0, 0.01, 0.05, 5e-324, 1e-300]))
OR_NAN = hs.one_of(P, hs.just(np.nan))


def families(elements, max_size: int = 12):
    return hs.lists(elements, min_size=0, max_size=max_size).map(lambda values: np.array(values, dtype=float))


# ---------------------------------------------------------------- by definition


def closed(p: np.ndarray, local) -> np.ndarray:
    """Closed testing: a hypothesis is as significant as the least significant intersection that holds it."""
    m = len(p)
    out = np.zeros(m)
    for size in range(1, m + 1):
        for members in itertools.combinations(range(m), size):
            level = local(np.sort(p[list(members)]))
            for i in members:
                out[i] = max(out[i], level)
    return np.minimum(out, 1.0)


def by_hand(p: np.ndarray, factor) -> np.ndarray:
    """Step-up: the smallest of factor(rank) x p from one's own rank upward."""
    rank = np.argsort(np.argsort(p, kind="stable"), kind="stable") + 1
    return np.array([min([1.0, *(factor(k) * q for q, k in zip(p, rank, strict=True) if k >= rank[i])]) for i in range(len(p))])


@many
@given(hs.lists(P, min_size=1, max_size=6))
def test_holm_is_closed_bonferroni(values):
    p = np.array(values)
    np.testing.assert_allclose(cc.adjust_pvalues(p, "holm"), closed(p, lambda q: len(q) * q[0]), rtol=1e-12, atol=0)


@many
@given(hs.lists(P, min_size=1, max_size=6))
def test_hommel_is_closed_simes(values):
    p = np.array(values)
    want = closed(p, lambda q: (len(q) * q / np.arange(1, len(q) + 1)).min())
    np.testing.assert_allclose(cc.adjust_pvalues(p, "hommel"), want, rtol=1e-12, atol=0)


@many
@given(hs.lists(P, min_size=1, max_size=9))
def test_step_up_methods_by_hand(values):
    p, m = np.array(values), len(values)
    harmonic = sum(1 / k for k in range(1, m + 1))
    for method, factor in {"hochberg": lambda k: m - k + 1, "BH": lambda k: m / k, "BY": lambda k: harmonic * m / k}.items():
        np.testing.assert_allclose(cc.adjust_pvalues(p, method), by_hand(p, factor), rtol=1e-12, atol=0, err_msg=method)
    np.testing.assert_allclose(cc.adjust_pvalues(p, "bonferroni"), np.minimum(1, m * p), rtol=1e-12, atol=0)


def test_a_worked_example():
    p = [0.005, 0.011, 0.02, 0.04, 0.13]
    want = {
        "none": p,
        "bonferroni": [0.025, 0.055, 0.1, 0.2, 0.65],
        "holm": [0.025, 0.044, 0.06, 0.08, 0.13],
        "hochberg": [0.025, 0.044, 0.06, 0.08, 0.13],
        "hommel": [0.025, 0.04, 0.06, 0.08, 0.13],
        "BH": [0.025, 0.0275, 0.02 * 5 / 3, 0.05, 0.13],
    }
    for method, adjusted in want.items():
        np.testing.assert_allclose(cc.adjust_pvalues(p, method), adjusted, rtol=1e-12, err_msg=method)


# ---------------------------------------------------------------- against other libraries


@many
@given(hs.lists(hs.floats(1e-12, 1), min_size=1, max_size=25))
def test_agrees_with_statsmodels_and_scipy(values):
    p = np.array(values)
    names = {
        "bonferroni": "bonferroni",
        "holm": "holm",
        "hochberg": "simes-hochberg",
        "hommel": "hommel",
        "BH": "fdr_bh",
        "BY": "fdr_by",
    }
    for ours, theirs in names.items():
        with mock.patch("gc.collect"):  # statsmodels collects garbage at every call
            adjusted = multipletests(p, method=theirs)[1]
        np.testing.assert_allclose(cc.adjust_pvalues(p, ours), adjusted, rtol=1e-10, err_msg=ours)
    np.testing.assert_allclose(cc.adjust_pvalues(p, "BH"), false_discovery_control(p, method="bh"), rtol=1e-12)
    np.testing.assert_allclose(cc.adjust_pvalues(p, "BY"), false_discovery_control(p, method="by"), rtol=1e-12)


# ---------------------------------------------------------------- properties


@many
@given(families(OR_NAN), hs.sampled_from(list(METHODS)))
def test_never_below_the_raw_value_in_bounds_and_monotone(p, method):
    got = cc.adjust_pvalues(p, method)
    assert np.array_equal(np.isnan(got), np.isnan(p))
    there = ~np.isnan(p)
    q, adjusted = p[there], got[there]
    assert (adjusted >= q).all()
    assert (adjusted <= 1).all()
    order = np.argsort(q, kind="stable")
    assert (np.diff(adjusted[order]) >= 0).all()
    for value in np.unique(q):  # equals stay equal
        assert len(set(adjusted[q == value])) == 1


@many
@given(families(OR_NAN), hs.sampled_from(list(METHODS)), hs.randoms(use_true_random=False))
def test_the_order_of_a_family_does_not_matter(p, method, random):
    order = list(range(len(p)))
    random.shuffle(order)
    order = np.array(order, dtype=int)
    assert np.array_equal(cc.adjust_pvalues(p, method)[order], cc.adjust_pvalues(p[order], method), equal_nan=True)


@many
@given(families(P), hs.integers(0, 5), hs.sampled_from(list(METHODS)))
def test_nan_does_not_count(p, extra, method):
    padded = np.concatenate([p, np.full(extra, np.nan)])
    got = cc.adjust_pvalues(padded, method)
    assert np.array_equal(got[: len(p)], cc.adjust_pvalues(p, method))
    assert np.isnan(got[len(p) :]).all()


@many
@given(families(P))
def test_stricter_methods_give_larger_values(p):
    got = {method: cc.adjust_pvalues(p, method) for method in METHODS}
    chain = ["bonferroni", "holm", "hochberg", "hommel", "BH", "none"]
    for stricter, milder in itertools.pairwise(chain):
        assert (got[stricter] >= got[milder] * (1 - 1e-12)).all(), (stricter, milder)
    assert (got["BY"] >= got["BH"] * (1 - 1e-12)).all()


@many
@given(families(P), hs.sampled_from(ADJUSTING), hs.integers(0, 11), hs.floats(0, 1))
def test_a_smaller_p_value_makes_none_larger(p, method, i, factor):
    if not len(p):
        return
    smaller = p.copy()
    smaller[i % len(p)] *= factor
    assert (cc.adjust_pvalues(smaller, method) <= cc.adjust_pvalues(p, method) * (1 + 1e-12)).all()


@many
@given(
    hn.arrays(np.float64, hn.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=5), elements=OR_NAN),
    hs.sampled_from(list(METHODS)),
)
def test_a_batch_is_each_of_its_families_to_the_last_bit(p, method):
    got = cc.adjust_pvalues(p, method)
    assert got.shape == p.shape
    for index in np.ndindex(p.shape[:-1]):
        assert np.array_equal(got[index], cc.adjust_pvalues(p[index].copy(), method), equal_nan=True)
    strided = np.stack([p, p], axis=-1)[..., 0]
    assert np.array_equal(cc.adjust_pvalues(strided, method), got, equal_nan=True)


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("p", [0.0, 1.0, 0.03, 5e-324])
def test_a_family_of_one_stays_as_it_is(method, p):
    assert cc.adjust_pvalues([p], method).tolist() == [p]
    assert cc.adjust_pvalues([np.nan, p], method)[1] == p


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 4), (2, 0, 3)])
def test_nothing_gives_nothing(method, shape):
    assert cc.adjust_pvalues(np.empty(shape), method).shape == shape


@pytest.mark.parametrize("method", METHODS)
def test_all_nan_stays_nan(method):
    assert np.isnan(cc.adjust_pvalues(np.full((2, 5), np.nan), method)).all()


@pytest.mark.parametrize("method", METHODS)
def test_zeros_and_ones(method):
    assert cc.adjust_pvalues([0.0, 0.0], method).tolist() == [0.0, 0.0]
    assert cc.adjust_pvalues([1.0, 1.0, 1.0], method).tolist() == [1.0] * 3


@pytest.mark.parametrize("method", METHODS)
def test_the_input_is_left_alone_and_the_answer_is_new(method):
    p = np.array([0.04, np.nan, 0.01])
    before = p.copy()
    got = cc.adjust_pvalues(p, method)
    got[:] = 7
    assert np.array_equal(p, before, equal_nan=True)
    frozen = before.copy()
    frozen.flags.writeable = False
    cc.adjust_pvalues(frozen, method)


@pytest.mark.parametrize("method", METHODS)
def test_lists_series_and_nullable_numbers(method):
    want = cc.adjust_pvalues(np.array([0.02, np.nan, 0.04]), method)
    for p in (
        [0.02, None, 0.04],
        pd.Series([0.02, np.nan, 0.04]),
        pd.array([0.02, None, 0.04], dtype="Float64"),
        (0.02, np.nan, 0.04),
    ):
        got = cc.adjust_pvalues(p, method)
        assert isinstance(got, np.ndarray)
        assert np.array_equal(got, want, equal_nan=True)


def test_a_large_family():
    p = np.random.default_rng(1).random(2000)
    for method in ADJUSTING:
        got = cc.adjust_pvalues(p, method)
        assert (got >= p).all()
    assert cc.adjust_pvalues(p, "hommel").max() <= 1


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize("bad", [-0.01, 1.01, np.inf, -np.inf])
def test_what_is_no_probability_is_refused_with_its_position(bad):
    with pytest.raises(cc.OptionError, match=r"between 0 and 1; got .* at position \(1, 2\)"):
        cc.adjust_pvalues([[0.1, 0.2, 0.3], [np.nan, 0.5, bad]], "BH")


def test_a_single_number_is_refused():
    with pytest.raises(cc.OptionError, match="at least one axis"):
        cc.adjust_pvalues(0.05, "BH")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("fdr", "BH"),
        ("bh", "BH"),
        ("FDR_BH", "BH"),
        ("fdr_by", "BY"),
        ("Holm", "holm"),
        ("bonferoni", "bonferroni"),
        ("by", "BY"),
    ],
)
def test_an_unknown_method_is_refused_with_a_hint(given, meant):
    with pytest.raises(cc.OptionError, match=f"Did you mean '{meant}'"):
        cc.adjust_pvalues([0.1], given)


@pytest.mark.parametrize("given", [None, 3, ["BH"], ""])
def test_a_method_that_is_no_name_is_refused(given):
    with pytest.raises(cc.OptionError, match="must be one of 'none', 'bonferroni'"):
        cc.adjust_pvalues([0.1], given)


def test_text_is_refused_as_an_option_error():
    with pytest.raises(cc.OptionError):
        cc.adjust_pvalues(["small"], "BH")


def test_every_method_has_words():
    assert set(CORRECTIONS) == set(METHODS)


# ---------------------------------------------------------------- the band of sorted p-values


def test_the_band_is_that_of_qqconf():
    table = pd.read_csv(Path(__file__).parent / "reference" / "order_band.csv")
    assert len(table) == 228
    for (n, conf_level), rows in table.groupby(["n", "conf_level"]):
        at = rows["i"].to_numpy() - 1
        for got, name in zip(order_band(int(n), float(conf_level)), ("low", "high"), strict=True):
            np.testing.assert_allclose(got[at], rows[name], rtol=1e-9, atol=0, err_msg=f"{n} {conf_level}")


@pytest.mark.parametrize(("n", "conf_level"), [(1, 0.3), (2, 0.9), (7, 0.5), (36, 0.95), (500, 0.95)])
def test_uniform_numbers_keep_within_the_band_as_often_as_it_says(n, conf_level):
    low, high = order_band(n, conf_level)
    u = np.sort(np.random.default_rng(n).random((20_000, n)), axis=1)
    inside = ((u >= low) & (u <= high)).all(axis=1).mean()
    assert abs(inside - conf_level) < 4 * np.sqrt(conf_level * (1 - conf_level) / 20_000)


def test_two_numbers_by_geometry():
    """Of (a, b) sorted: a within [l1, h1], b within [l2, h2] of the mirror image, by areas."""
    (l1, l2), (h1, h2) = order_band(2, 0.8)
    area = (h1 - l1) * (h2 - l2) - (h1 - l2) ** 2 / 2  # a rectangle without the corner where a > b
    assert 2 * area == pytest.approx(0.8, rel=1e-9)
    assert (h1, h2) == (1 - l2, 1 - l1)


@pytest.mark.parametrize("n", [1, 2, 3, 36, 2000])
def test_the_band_is_symmetric_rising_and_wider_at_a_higher_level(n):
    low, high = order_band(n, 0.95)
    assert low.shape == high.shape == (n,)
    assert (0 < low).all()
    assert (low < high).all()
    assert (high < 1).all()
    assert (np.diff(low) > 0).all()
    assert np.array_equal(high, 1 - low[::-1])
    wide, _ = order_band(n, 0.99)
    assert (wide < low).all()
    with pytest.raises(ValueError, match="read-only"):
        low[0] = 0


@pytest.mark.parametrize("conf_level", [1e-6, 0.01, 0.999999])
@pytest.mark.parametrize("n", [1, 2, 40])
def test_the_band_at_extreme_levels(n, conf_level):
    low, high = order_band(n, conf_level)
    assert (low < high).all()
    if n == 1:
        assert high[0] - low[0] == pytest.approx(conf_level, rel=1e-6)


def test_a_band_of_nothing_is_refused():
    with pytest.raises(cc.OptionError, match="`n` must be a whole number of at least 1"):
        order_band(0)
    with pytest.raises(cc.OptionError, match=r"`conf_level` must be a number between 0 and 1.*Did you mean 0.95"):
        order_band(10, 95)
