"""The tests as array functions: by enumeration, against SciPy, by hand; R stands in test_reference.py."""

from __future__ import annotations

import itertools
from fractions import Fraction
from math import comb, gamma, sqrt
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import scipy
import scipy.stats as st
from hypothesis import given, settings
from hypothesis import strategies as hs

from cytokine_cc.arrays import Note
from cytokine_cc.errors import OptionError
from cytokine_cc.kernels import TESTS, Statistics, hedges_g, moments, user_test
from cytokine_cc.kernels.common import ALTERNATIVES, BASELINE, BETWEEN, QUESTIONS, WITHIN
from cytokine_cc.kernels.rank_nulls import EXACT_BELOW, rank_sum_cdf, rank_sum_index, signed_rank_cdf, signed_rank_index
from cytokine_cc.kernels.ranks import mann_whitney, midranks, signed_rank, twelve_digits
from cytokine_cc.limits import RULES

T_TESTS = {"student": TESTS["student"].function, "welch": TESTS["welch"].function}
ALL = {name: entry.function for name, entry in TESTS.items() if not {"baseline", "sets", "visits"} & set(entry.takes)}
ALONE = [name for name in ALL if not TESTS[name].borrows]
VALUES = {  # where reference values of a test stand that are not in tests.csv
    "linear_model": "linear.csv",
    "ancova": "linear.csv",
    "brunner_munzel": "brunner_munzel.csv",
    "moderated_t": "moderated.csv",
    "moderated_paired_t": "moderated.csv",
    "peto_peto": "censored_ranks.csv",
    "gehan": "censored_ranks.csv",
    "tobit": "tobit.csv",
    "tobit_paired": "tobit_paired.csv",
    "stratified": "sets.csv",
    "van_elteren": "sets.csv",
    "stratified_permutation": "sets.csv",
    "conditional_logistic": "conditional.csv",
    "lda": "longitudinal.csv",
    "clda": "longitudinal.csv",
}
APPROXIMATE = "asymptotic" if tuple(map(int, scipy.__version__.split(".")[:2])) >= (1, 15) else "approx"  # of wilcoxon
PAIRED = {name for name, entry in TESTS.items() if entry.paired}
few = settings(derandomize=True, max_examples=60, deadline=None)


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


# ---------------------------------------------------------------- moments


def test_moments_by_hand():
    m = moments(np.array([[1.0, 2.0, np.nan, 6.0], [4.0, np.nan, np.nan, np.nan], [np.nan] * 4, [5.0, 5.0, 5.0, 5.0]]))
    assert m.n.tolist() == [3, 1, 0, 4]
    assert m.mean[:2].tolist() == [3.0, 4.0]
    assert np.isnan(m.mean[2])
    assert m.ss.tolist() == [14.0, 0.0, 0.0, 0.0]
    assert m.var[0] == 7.0
    assert np.isnan(m.var[1:3]).all()
    assert m.var[3] == 0.0


def test_moments_of_a_large_offset_keep_their_digits():
    x = np.array([1e9 + 1, 1e9 + 2, 1e9 + 3])
    assert moments(x).var == 1.0


def test_moments_do_not_depend_on_memory_layout_or_company():
    x = rng(1).normal(size=(7, 33))
    alone = [moments(row) for row in x]
    for layout in (x, np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2], np.stack([x, x])):
        got = moments(layout)
        for i, want in enumerate(alone):
            assert all(same(np.atleast_2d(part)[..., i], np.broadcast_to(value, np.atleast_2d(part)[..., i].shape))
                       for part, value in zip(got, want, strict=True))  # fmt: skip


# ---------------------------------------------------------------- rank sums: enumeration


def enumerated_rank_sum(n1: int, n2: int) -> list[Fraction]:
    """P(W = w) by listing every choice of n1 ranks."""
    counts = [0] * (n1 * n2 + 1)
    for chosen in itertools.combinations(range(1, n1 + n2 + 1), n1):
        counts[sum(chosen) - n1 * (n1 + 1) // 2] += 1
    return [Fraction(c, comb(n1 + n2, n1)) for c in counts]


def enumerated_signed_rank(n: int) -> list[Fraction]:
    counts = [0] * (n * (n + 1) // 2 + 1)
    for signs in itertools.product((0, 1), repeat=n):
        counts[sum(rank for rank, sign in zip(range(1, n + 1), signs, strict=True) if sign)] += 1
    return [Fraction(c, 2**n) for c in counts]


def tail_p(mass: list[Fraction], w: int, alternative: str) -> float:
    low, high = sum(mass[: w + 1]), sum(mass[w:])
    return float({"two-sided": min(Fraction(1), 2 * min(low, high)), "less": low, "greater": high}[alternative])


SIZES = [(2, 2), (2, 3), (3, 2), (3, 3), (2, 6), (4, 4), (5, 3), (4, 6), (6, 5)]


@pytest.mark.parametrize(("n1", "n2"), SIZES)
def test_rank_sum_cdf_by_enumeration(n1, n2):
    want = np.cumsum([float(p) for p in enumerated_rank_sum(n1, n2)])
    np.testing.assert_allclose(rank_sum_cdf(n1, n2), want, rtol=1e-13)


@pytest.mark.parametrize("n", range(1, 11))
def test_signed_rank_cdf_by_enumeration(n):
    np.testing.assert_allclose(signed_rank_cdf(n), np.cumsum([float(p) for p in enumerated_signed_rank(n)]), rtol=1e-13)


@pytest.mark.parametrize(("n1", "n2"), SIZES)
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_mann_whitney_exact_p_of_every_arrangement(n1, n2, alternative):
    mass = enumerated_rank_sum(n1, n2)
    chosen = list(itertools.combinations(range(n1 + n2), n1))
    x = np.array([list(c) for c in chosen], dtype=float)
    y = np.array([[i for i in range(n1 + n2) if i not in c] for c in chosen], dtype=float)
    got = mann_whitney(np.exp(x), np.exp(y), alternative=alternative)
    w = (x[:, :, None] > y[:, None, :]).sum(axis=(1, 2))
    assert got.statistic.tolist() == w.tolist()
    np.testing.assert_allclose(got.p_value, [tail_p(mass, int(k), alternative) for k in w], rtol=1e-13, atol=0)
    assert (got.method == 0).all()


@pytest.mark.parametrize("n", [2, 3, 5, 8])
@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_signed_rank_exact_p_of_every_arrangement(n, alternative):
    mass = enumerated_signed_rank(n)
    signs = np.array(list(itertools.product((-1.0, 1.0), repeat=n)))
    d = signs * np.arange(1.0, n + 1) ** 1.5
    got = signed_rank(d, np.zeros_like(d), alternative=alternative)
    v = np.where(signs > 0, np.arange(1, n + 1), 0).sum(axis=1)
    assert got.statistic.tolist() == v.tolist()
    np.testing.assert_allclose(got.p_value, [tail_p(mass, int(k), alternative) for k in v], rtol=1e-13, atol=0)
    assert (got.method == 0).all()


# ---------------------------------------------------------------- rank sums: SciPy, row by row


def ragged(seed: int, rows: int, n: int, *, ties: bool, missing: float = 0.15) -> np.ndarray:
    r = rng(seed, n)
    x = r.lognormal(size=(rows, n))
    x = np.ceil(2 * x) if ties else x
    x[r.random(x.shape) < missing] = np.nan
    x[:, :3] = np.where(np.isnan(x[:, :3]), 7.77 if not ties else 3.0, x[:, :3]) + (0 if ties else r.random((rows, 3)))
    return x


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n1", "n2"), [(8, 11), (30, 22), (49, 49), (60, 12), (50, 7)])
def test_mann_whitney_agrees_with_scipy(n1, n2, ties, alternative):
    x, y = ragged(1, 12, n1, ties=ties), ragged(2, 12, n2, ties=ties) * (1 if ties else 1.3)
    got = mann_whitney(x, y, alternative=alternative)
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        exact = len(set(a) | set(b)) == len(a) + len(b) and max(len(a), len(b)) < EXACT_BELOW
        assert got.method[i] == (0 if exact else 1)
        want = st.mannwhitneyu(a, b, alternative=alternative, method="exact" if exact else "asymptotic")
        assert got.statistic[i] == want.statistic
        np.testing.assert_allclose(got.p_value[i], want.pvalue, rtol=1e-10, atol=0)


@pytest.mark.filterwarnings("ignore:Sample size too small")  # of older SciPy
@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("n", [5, 12, 30, 49, 50, 80])
def test_signed_rank_agrees_with_scipy(n, ties, alternative):
    x, y = ragged(3, 12, n, ties=ties), ragged(4, 12, n, ties=ties)
    got = signed_rank(x, y, alternative=alternative)
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        d = (a - b)[~np.isnan(a - b)]
        size = np.abs(d[d != 0])
        exact = len(set(size)) == len(d) < EXACT_BELOW
        assert got.method[i] == (0 if exact else 1)
        want = st.wilcoxon(d, alternative=alternative, method="exact" if exact else APPROXIMATE, correction=True)
        np.testing.assert_allclose(got.p_value[i], want.pvalue, rtol=1e-10, atol=0)
        assert got.statistic[i] == st.rankdata(size)[d[d != 0] > 0].sum()


def test_exactness_is_chosen_row_by_row():
    x, y = rng(5).normal(size=(6, 9)), rng(6).normal(size=(6, 8))
    clean = mann_whitney(x, y)
    x[2, 0] = y[2, 3]  # one tie, in one row
    x[4, 1] = np.nan
    mixed = mann_whitney(x, y)
    assert mixed.method.tolist() == [0, 0, 1, 0, 0, 0]
    for i in (0, 1, 3, 5):
        assert all(same(a[i], b[i]) for a, b in zip(clean, mixed, strict=True))
    for i in range(6):
        assert all(same(a[i], b) for a, b in zip(mixed, mann_whitney(x[i], y[i]), strict=True))

    pairs = signed_rank(x, np.pad(y, ((0, 0), (0, 1)), constant_values=0.25))
    x[1, 0] = x[1, 1] = 4.0
    y = np.pad(y, ((0, 0), (0, 1)), constant_values=0.25)
    y[1, 0] = y[1, 1] = 3.0
    y[3, 4] = x[3, 4]  # a zero difference
    tied = signed_rank(x, y)
    assert tied.method.tolist() == [0, 1, 0, 1, 0, 0]
    for i in (0, 2, 4, 5):
        assert all(same(a[i], b[i]) for a, b in zip(pairs, tied, strict=True))


@pytest.mark.parametrize("size", [49, 50])
def test_exact_below_fifty_values_a_group(size):
    x, y = rng(7).normal(size=size), rng(8).normal(size=10)
    assert mann_whitney(x, y).method == (0 if size < 50 else 1)
    assert mann_whitney(y, x).method == (0 if size < 50 else 1)
    d = rng(9).normal(size=size)
    assert signed_rank(d, np.zeros(size)).method == (0 if size < 50 else 1)


def test_a_zero_difference_counts_in_the_size_that_exactness_asks_for():
    d = np.append(rng(10).normal(size=49), 0.0)
    assert signed_rank(d, np.zeros(50)).method == 1
    assert signed_rank(d[1:], np.zeros(49)).method == 1  # a zero: not exact


# ---------------------------------------------------------------- ranks


def test_values_alike_in_twelve_digits_are_tied():
    base = 0.123456789012
    near, apart = base * (1 + 1e-14), base * (1 + 2e-11)
    ranks, ties = midranks(np.array([[base, near, 0.5], [base, apart, 0.5]]))
    assert ranks.tolist() == [[1.5, 1.5, 3.0], [1.0, 2.0, 3.0]]
    assert ties.tolist() == [6.0, 0.0]


def test_logs_of_equal_ratios_are_tied():
    base = np.array([3.1, 7.7, 0.013, 912.0, 5e4])
    change = np.log2(base * 1.7) - np.log2(base)
    assert len(set(change.tolist())) > 1  # the last bits differ
    assert midranks(change)[0].tolist() == [3.0] * 5
    assert signed_rank(np.log2(base * 1.7), np.log2(base)).method == 1


@few
@given(hs.lists(hs.sampled_from([-2.0, -1.0, 0.0, 0.5, 1.0, 3.0, np.nan, np.inf, -np.inf]), min_size=1, max_size=12))
def test_midranks_agree_with_scipy(values):
    x = np.array(values)
    ranks, ties = midranks(x)
    there = ~np.isnan(x)
    assert np.isnan(ranks[~there]).all()
    assert ranks[there].tolist() == st.rankdata(x[there]).tolist()
    counts = np.unique(x[there], return_counts=True)[1] if there.any() else np.array([0])
    assert ties == (counts**3 - counts).sum()


@few
@given(hs.lists(hs.floats(min_value=-1e15, max_value=1e15, allow_subnormal=False), min_size=2, max_size=20))
def test_rounding_to_twelve_digits(values):
    x = np.array([v for v in values if v == 0 or abs(v) > 1e-15])
    rounded = twelve_digits(x)
    np.testing.assert_allclose(rounded, x, rtol=5.000001e-12, atol=0)
    assert all(float(f"{r:.11e}") == pytest.approx(r, rel=1e-15, abs=0) for r in rounded.tolist())
    order = np.argsort(x, kind="stable")
    assert (np.diff(rounded[order]) >= 0).all()  # never reverses an order
    assert (np.sign(rounded) == np.sign(x)).all()


def test_what_has_no_digits_stays():
    x = np.array([0.0, np.inf, -np.inf, np.nan])
    assert same(twelve_digits(x), x)


@few
@given(hs.integers(1, 9), hs.integers(1, 9), hs.integers(0, 10**6))
def test_shift_is_the_median_of_all_differences(n1, n2, seed):
    r = rng(seed)
    x, y = np.round(r.normal(size=n1 + 1), 1), np.round(r.normal(size=n2 + 1), 1)
    got = mann_whitney(x, y)
    if np.isnan(got.p_value):
        assert len({*x, *y}) == 1
        return
    ordered = np.sort(np.subtract.outer(x, y).ravel())
    assert got.estimate == pytest.approx(np.median(ordered), abs=1e-12)
    mass = enumerated_rank_sum(len(x), len(y))
    # R's qwilcox: the smallest k with P(W <= k) >= 2.5%; the kth difference from either end.
    k = sum(np.cumsum([float(p) for p in mass]) < 0.025 - 1e-12)
    assert bool(got.note & Note.LEVEL_NOT_REACHED) == (k == 0)
    assert (got.conf_low, got.conf_high) == (ordered[max(k, 1) - 1], ordered[-max(k, 1)])


@few
@given(hs.integers(2, 10), hs.integers(0, 10**6))
def test_centre_is_the_median_of_walsh_averages(n, seed):
    d = np.round(rng(seed).normal(size=n), 1)
    got = signed_rank(d, np.zeros(n))
    if np.isnan(got.p_value):
        assert not d.any()
        return
    walsh = np.sort([(d[i] + d[j]) / 2 for i in range(n) for j in range(i, n)])
    assert got.estimate == pytest.approx(np.median(walsh), abs=1e-12)
    k = sum(np.cumsum([float(p) for p in enumerated_signed_rank(n)]) < 0.025 - 1e-12)
    assert bool(got.note & Note.LEVEL_NOT_REACHED) == (k == 0)
    assert (got.conf_low, got.conf_high) == (walsh[max(k, 1) - 1], walsh[-max(k, 1)])


@pytest.mark.parametrize("tail", [0.005, 0.025, 0.05, 0.1, 0.3])
def test_the_bound_is_the_sharpest_that_keeps_the_level(tail):
    """Where a probability equals the tail (n = 3 and 9, 5%) R goes one further out, and so do we."""
    found = [(rank_sum_index(np.array([m]), np.array([n]), tail), rank_sum_cdf(m, n))
             for m, n in [(2, 2), (3, 9), (10, 10), (30, 22), (49, 49)]]  # fmt: skip
    found += [(signed_rank_index(np.array([n]), tail), signed_rank_cdf(n)) for n in (2, 5, 20, 49)]
    for ((index,), (reached,)), null in found:
        cdf = np.concatenate([[0.0], null])  # cdf[k] = P(W < k)
        if reached:
            assert cdf[index] < tail <= cdf[index + 1] + 1e-15
        else:
            assert index == 1
            assert cdf[1] > tail


def test_exact_test_and_interval_say_the_same():
    """A two-sided exact p of at most 5% goes with an interval that leaves 0 out, and only then."""
    x, y = rng(11).normal(0.7, 1, size=(300, 9)), rng(12).normal(size=(300, 8))
    got = mann_whitney(x, y)
    outside = (got.conf_low > 0) | (got.conf_high < 0)
    assert same(outside, got.p_value <= 0.05)
    assert 20 < outside.sum() < 280
    pair = signed_rank(x[:, :8], y)
    assert same((pair.conf_low > 0) | (pair.conf_high < 0), pair.p_value <= 0.05)


@pytest.mark.parametrize("test", [mann_whitney, signed_rank])
def test_one_sided_intervals_are_open(test):
    x, y = rng(13).normal(size=(4, 10)), rng(14).normal(size=(4, 10))
    both, less, greater = (test(x, y, alternative=side, conf_level=level) for side, level in
                           (("two-sided", 0.9), ("less", 0.95), ("greater", 0.95)))  # fmt: skip
    assert (less.conf_low == -np.inf).all()
    assert (greater.conf_high == np.inf).all()
    assert same(less.conf_high, both.conf_high)
    assert same(greater.conf_low, both.conf_low)
    assert same(less.estimate, both.estimate)


def test_ranks_may_be_infinite():
    x = np.array([-np.inf, -np.inf, 3.0, np.inf])
    y = np.array([-np.inf, 1.0, 2.0])
    got = mann_whitney(x, y, conf_level=None)
    plain = mann_whitney(np.array([0.0, 0.0, 3.0, 9.0]), np.array([0.0, 1.0, 2.0]), conf_level=None)
    assert got.p_value == plain.p_value
    assert got.statistic == plain.statistic


# ---------------------------------------------------------------- t tests


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("name", ["student", "welch"])
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_t_tests_agree_with_scipy(name, alternative, missing):
    x, y = ragged(20, 15, 14, ties=False, missing=missing), 1.4 * ragged(21, 15, 9, ties=False, missing=missing)
    got = T_TESTS[name](x, y, alternative=alternative, conf_level=0.9)
    want = st.ttest_ind(x, y, axis=-1, equal_var=name == "student", nan_policy="omit", alternative=alternative)
    np.testing.assert_allclose(got.statistic, want.statistic, rtol=1e-12)
    np.testing.assert_allclose(got.p_value, want.pvalue, rtol=1e-11)
    np.testing.assert_allclose(got.df, want.df, rtol=1e-12)
    np.testing.assert_allclose(got.estimate, np.nanmean(x, axis=-1) - np.nanmean(y, axis=-1), rtol=1e-12)
    np.testing.assert_allclose(got.std_error, got.estimate / want.statistic, rtol=1e-11)
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        one = st.ttest_ind(a[~np.isnan(a)], b[~np.isnan(b)], equal_var=name == "student", alternative=alternative)
        interval = one.confidence_interval(0.9)
        np.testing.assert_allclose([got.conf_low[i], got.conf_high[i]], interval, rtol=1e-9)  # older SciPy is no better


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_paired_t_agrees_with_scipy(alternative):
    x, y = ragged(22, 15, 14, ties=False), ragged(23, 15, 14, ties=False)
    got = ALL["paired_t"](x, y, alternative=alternative, conf_level=0.99)
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        there = ~np.isnan(a - b)
        want = st.ttest_rel(a[there], b[there], alternative=alternative)
        np.testing.assert_allclose(
            [got.statistic[i], got.p_value[i], got.df[i]], [want.statistic, want.pvalue, want.df], rtol=1e-11
        )
        np.testing.assert_allclose([got.conf_low[i], got.conf_high[i]], want.confidence_interval(0.99), rtol=1e-9)


def test_t_test_and_interval_say_the_same():
    x, y = rng(24).normal(0.8, 1, size=(300, 9)), rng(25).normal(size=(300, 8))
    for name in ("student", "welch"):
        got = ALL[name](x, y)
        assert same((got.conf_low > 0) | (got.conf_high < 0), got.p_value < 0.05)


def test_equal_groups_of_equal_size_give_student_and_welch_one_statistic():
    x, y = rng(26).normal(size=(5, 12)), rng(27).normal(size=(5, 12))
    np.testing.assert_allclose(ALL["student"](x, y).statistic, ALL["welch"](x, y).statistic, rtol=1e-13)


# ---------------------------------------------------------------- rows that cannot be tested


def refused(statistics: Statistics, flag: Note) -> bool:
    gone = all(np.isnan(getattr(statistics, name)).all() for name in ("p_value", "statistic", "df", "conf_low", "conf_high"))
    return bool(gone and (statistics.method == -1).all() and (np.asarray(statistics.note) & int(flag)).all())


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("name", ALL)
def test_rows_that_cannot_be_tested_are_nan_with_a_flag(name, alternative):
    test, nan = ALL[name], np.nan
    three = np.array([1.0, 2.0, 4.0])
    assert refused(test(np.array([1.0, nan, nan]), three, alternative=alternative), Note.TOO_FEW)
    assert refused(test(three, np.array([nan, 2.0, nan]), alternative=alternative), Note.TOO_FEW)
    assert refused(test(np.full(3, nan), np.full(3, nan), alternative=alternative), Note.TOO_FEW)
    flat = Note.NO_CHANGE if name in PAIRED else Note.CONSTANT
    assert refused(test(np.full(3, 0.3), np.full(3, 0.3), alternative=alternative), flat)
    if name in {"student", "welch", "change_score", "paired_t"}:
        # Two levels without spread: R stops, "data are essentially constant".
        assert refused(test(np.full(3, 0.3), np.full(3, 0.1), alternative=alternative), Note.CONSTANT)
        jitter = 0.3 + np.array([0, 1, -1]) * 1e-17
        assert refused(test(jitter, np.full(3, 0.1), alternative=alternative), Note.CONSTANT)


@pytest.mark.parametrize("name", ALL)
def test_empty_groups(name):
    for shape in ((0,), (2, 0), (3, 2, 0)):
        got = ALL[name](np.empty(shape), np.empty(shape))
        assert got.p_value.shape == shape[:-1]
        assert refused(got, Note.TOO_FEW)


@pytest.mark.parametrize("name", ALONE)
def test_a_row_that_fails_does_not_touch_the_others(name):
    test = ALL[name]
    x, y = rng(30).normal(size=(4, 6)), rng(31).normal(size=(4, 6))
    clean = test(x, y)
    x[1], y[1] = np.nan, np.nan
    x[3], y[3] = 1.0, 1.0
    got = test(x, y)
    assert np.isnan(got.p_value[[1, 3]]).all()
    for i in (0, 2):
        assert all(same(a[i], b[i]) for a, b in zip(clean, got, strict=True))


@pytest.mark.parametrize("name", ALONE)
@pytest.mark.parametrize("missing", [0.0, 0.2])
def test_leading_axes_are_only_a_loop(name, missing):
    x, y = rng(32).lognormal(size=(3, 4, 11)), rng(33).lognormal(size=(3, 4, 11 if name in PAIRED else 7))
    x[rng(34).random(x.shape) < missing] = np.nan
    got = ALL[name](x, y)
    for i, j in np.ndindex(3, 4):
        alone = ALL[name](x[i, j], y[i, j])
        assert all(same(a[i, j], b) for a, b in zip(got, alone, strict=True))


@pytest.mark.parametrize("name", ALL)
def test_without_an_interval_the_rest_is_the_same(name):
    x, y = rng(35).normal(size=(5, 8)), rng(36).normal(size=(5, 8))
    full, bare = ALL[name](x, y), ALL[name](x, y, conf_level=None)
    for field in ("statistic", "df", "p_value", "method"):
        assert same(getattr(full, field), getattr(bare, field))
    assert np.isnan(bare.conf_low).all()
    assert np.isnan(bare.conf_high).all()


@pytest.mark.parametrize("name", ALL)
def test_inputs_are_left_alone(name):
    x, y = rng(37).normal(size=(3, 8)), rng(38).normal(size=(3, 8))
    x[0, 0] = np.nan
    before = x.copy(), y.copy()
    x.flags.writeable = y.flags.writeable = False
    ALL[name](x, y)
    assert same(x, before[0])
    assert same(y, before[1])


# ---------------------------------------------------------------- Hedges' g


def test_hedges_g_by_hand():
    x, y = np.array([3.0, 4.0, 8.0]), np.array([1.0, 2.0, 2.0, 5.0])
    # Means 5 and 2.5; sums of squares 14 and 9; pooled variance 23 / 5.
    j = gamma(5 / 2) / (sqrt(5 / 2) * gamma(4 / 2))
    assert float(hedges_g(x, y, paired=False)) == pytest.approx(j * 2.5 / sqrt(23 / 5), rel=1e-14)
    assert float(hedges_g(y, x, paired=False)) == pytest.approx(-j * 2.5 / sqrt(23 / 5), rel=1e-14)


def test_hedges_g_within_a_group_by_hand():
    later, base = np.array([3.0, 4.0, 8.0, np.nan, 9.0]), np.array([1.0, 2.0, 3.0, 4.0, np.nan])
    # Three whole pairs: mean change 3; SDs sqrt(7) and 1, averaged; 2 degrees of freedom.
    j = gamma(1) / gamma(1 / 2)
    assert float(hedges_g(later, base, paired=True)) == pytest.approx(j * 3 / ((sqrt(7) + 1) / 2), rel=1e-14)


def test_hedges_g_where_it_is_not_defined():
    flat, one = np.full(3, 2.0), np.array([1.0, np.nan, np.nan])
    assert np.isnan(hedges_g(flat, flat, paired=False))
    assert np.isnan(hedges_g(flat, flat + 1, paired=False))
    assert np.isnan(hedges_g(one, one, paired=False))
    assert np.isnan(hedges_g(np.array([1.0, 2.0]), np.array([3.0, 5.0]), paired=True))  # 1 degree of freedom
    assert np.isnan(hedges_g(np.full(3, np.nan), flat, paired=False))


def test_hedges_g_of_two_levels_without_spread_and_one_degree_of_freedom():
    """Two equal values against another one: NaN, and no warning of NumPy's."""
    assert np.isnan(hedges_g(np.array([1.0, 1.0]), np.array([3.0]), paired=False))


# ---------------------------------------------------------------- a user's own function


def test_a_function_that_returns_p_values():
    entry = user_test(lambda x, y: st.ttest_ind(x, y, axis=-1, equal_var=False, nan_policy="omit"), BASELINE)
    x, y = rng(50).normal(size=(4, 8)), rng(51).normal(size=(4, 6))
    x[2] = np.nan
    keep = [0, 1, 3]
    got = entry.function(x[keep], y[keep], alternative="two-sided", conf_level=0.95)
    want = ALL["welch"](x[keep], y[keep])
    for field in ("p_value", "statistic", "df"):
        np.testing.assert_allclose(getattr(got, field), getattr(want, field), rtol=1e-11)
    assert np.isnan(got.estimate).all()
    assert (got.method == 0).all()


def test_a_function_whose_p_value_is_nan():
    def half(x, y):
        mean = x.mean(axis=-1) - y.mean(axis=-1)
        return SimpleNamespace(statistic=mean, pvalue=np.where(np.isnan(mean), np.nan, 0.5))

    x, y = rng(50).normal(size=(2, 5)), rng(51).normal(size=(2, 5))
    x[1, 0] = np.nan
    got = user_test(half, WITHIN).function(x, y, alternative="two-sided", conf_level=None)
    assert got.note.tolist() == [0, int(Note.FAILED)]
    assert got.method.tolist() == [0, -1]
    assert np.isnan(got.df).all()


def test_a_function_that_returns_statistics_is_taken_at_its_word():
    x, y = rng(52).normal(size=(2, 5)), rng(53).normal(size=(2, 5))
    want = ALL["welch"](x, y)
    assert user_test(lambda x, y: want, BETWEEN).function(x, y, alternative="two-sided", conf_level=None) is want


def test_a_scipy_function_gets_the_axis_and_the_alternative():
    x, y = rng(54).normal(size=(6, 6)), rng(55).normal(size=(6, 6))
    got = user_test(st.ttest_ind, BASELINE).function(x, y, alternative="less", conf_level=None)
    np.testing.assert_allclose(got.p_value, ALL["student"](x, y, alternative="less").p_value, rtol=1e-12)


def shared(x, y):
    """Give each analyte a p-value that depends on how many stand beside it."""
    return SimpleNamespace(statistic=x[:, 0], pvalue=np.full(len(x), 0.5 / len(x)))


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (lambda x, y: 3, "must return an object with `statistic` and `pvalue`; got 3"),
        (lambda x, y: st.ttest_ind(x, y), "one p-value an analyte, shape \\(1,\\); got shape \\(6,\\)"),
        (shared, "another p-value when others"),
        (lambda x, y: SimpleNamespace(statistic=1.0, pvalue=0.5), "one p-value an analyte, shape \\(6,\\); got shape \\(\\)"),
        (np.add, "failed on arrays of shapes \\(6, 6\\) and \\(6, 7\\)"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_a_function_that_is_no_test_is_refused(function, words):
    x = rng(56).normal(size=(6, 6))
    y = rng(57).normal(size=(6, 7 if "failed" in words else 6))
    call = user_test(function, BASELINE).function
    with pytest.raises(OptionError, match=words):
        call(x, y, alternative="two-sided", conf_level=None)


def test_an_alternative_that_a_function_does_not_take_is_refused():
    x, y = rng(58).normal(size=(2, 5)), rng(59).normal(size=(2, 5))
    with pytest.raises(OptionError, match="takes no `alternative`, so that 'less' cannot be asked"):
        user_test(lambda x, y: None, BASELINE).function(x, y, alternative="less", conf_level=None)


@pytest.mark.parametrize("question", QUESTIONS)
def test_the_entry_of_a_function(question):
    def my_test(x, y):
        raise NotImplementedError

    entry = user_test(my_test, question)
    assert entry.name == "my_test"
    assert "my_test" in entry.label
    assert entry.paired == (question == WITHIN)
    assert entry.estimand == "none"
    assert entry.rule(question, None) == "half"


# ---------------------------------------------------------------- the entries


@pytest.mark.parametrize("name", TESTS)
def test_entry_is_complete(name):
    entry = TESTS[name]
    assert entry.name == name
    assert entry.questions
    assert set(entry.questions) <= set(QUESTIONS)
    assert set(entry.rules) <= set(RULES)
    assert len(set(entry.rules)) == len(entry.rules)
    assert "doi:" in entry.reference or name == "van_elteren"  # 1960: it has none
    assert entry.r_call
    assert entry.label
    assert entry.methods
    assert entry.function.__doc__.startswith(("Do", "Did", "Is", "Are"))  # the question that it answers
    for question in entry.questions:
        assert entry.rules_for(question)
        assert entry.rule(question, None) == entry.rules_for(question)[0]
        assert entry.rule(question, "drop") == "drop"


@pytest.mark.parametrize("name", TESTS)
def test_every_test_has_reference_values(name):
    frame = pd.read_csv(Path(__file__).parent / "reference" / VALUES.get(name, "tests.csv"))
    assert len(frame)
    if "test" in frame:
        assert name in set(frame["test"])
