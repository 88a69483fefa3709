"""Matched sets by permutation: against R and against the words of its docstring, and by what must hold of each row."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest

from cytokine_cc.arrays import Note
from cytokine_cc.kernels import stratified_permutation as module
from cytokine_cc.kernels.common import ALTERNATIVES
from cytokine_cc.kernels.stratified import stratified
from cytokine_cc.kernels.stratified_permutation import CHUNK, METHODS, STRATIFIED_PERMUTATION, stratified_permutation

from .test_stratified import FLAGS, RTOL, by_group, hard_rows, identical, rng, same, sets_of, wanted

EXACT = ("pairs", "ratio3", "two_three", "mixed", "one", "two")
LARGE = ("many", "pairs40")
NUMBERS = ("estimate", "std_error", "statistic", "p_value")


def answers(design: str, want, **options):
    options = {"n_resamples": 2000, **options}
    return stratified_permutation(*by_group(design, list(want["analyte"])), sets=sets_of(design), **options)


def check(got, want, column: str, reference_column: str | None = None) -> None:
    values = want[reference_column or column].to_numpy()
    np.testing.assert_allclose(getattr(got, column), values, rtol=RTOL, atol=0, err_msg=column)


# ---------------------------------------------------------------- R


@pytest.mark.parametrize("design", EXACT)
def test_all_arrangements_agree_with_r(design):
    want = wanted(design, "stratified_permutation")
    assert len(want) == 12
    got, less, greater = (answers(design, want, alternative=alternative) for alternative in ("two-sided", "less", "greater"))
    for column in (*NUMBERS, "conf_low", "conf_high"):
        check(got, want, column)
    check(less, want, "p_value", "p_less")
    check(less, want, "conf_high", "high_90")
    check(greater, want, "p_value", "p_greater")
    check(greater, want, "conf_low", "low_90")
    tested = (want["status"] == "tested").to_numpy()
    assert (less.conf_low[tested] == -np.inf).all()
    assert (greater.conf_high[tested] == np.inf).all()
    assert same(got.method, np.where(tested, 0, -1))
    assert np.isnan(got.df).all()
    wide = np.isinf(want["conf_low"]) | np.isinf(want["conf_high"])
    reason = [int(FLAGS.get(status, Note.INTERVAL_OPEN if no else 0)) for status, no in zip(want["status"], wide, strict=True)]
    assert got.note.tolist() == reason
    assert greater.note[tested].tolist() == [Note.INTERVAL_OPEN * bool(np.isinf(low)) for low in want["low_90"][tested]]


@pytest.mark.parametrize("design", LARGE)
def test_what_does_not_hang_on_the_arrangements_agrees_with_r(design):
    want = wanted(design, "stratified_permutation")
    got = answers(design, want)
    for column in ("estimate", "std_error", "statistic"):
        check(got, want, column)
    tested = (want["status"] == "tested").to_numpy()
    few = want["arrangements"].to_numpy() <= 2000
    assert few.sum() < 2
    assert same(got.method, np.where(tested, np.where(few, 0, 1), -1))
    model = wanted(design, "stratified", "none")["p_value"].to_numpy()
    complete = [list(want["analyte"]).index(name) for name in ("complete", "offset", "tiny")]
    np.testing.assert_allclose(got.p_value[complete], model[complete], atol=0.05)


@pytest.mark.parametrize("column", [*NUMBERS, "conf_low", "conf_high"])
def test_a_perturbed_reference_value_turns_red(column):
    want = wanted("two_three", "stratified_permutation")
    with pytest.raises(AssertionError):
        check(answers("two_three", want), want.assign(**{column: want[column] * (1 + 1e-9)}), column)


def test_the_reference_holds_the_hard_cases():
    want = wanted("mixed", "stratified_permutation")
    tested = want[want["status"] == "tested"]
    assert tested["arrangements"].nunique() > 2
    lows = np.concatenate([wanted(design, "stratified_permutation")["conf_low"].dropna() for design in EXACT])
    assert 10 < np.isinf(lows).sum() < len(lows) - 20


# ---------------------------------------------------------------- the words of the docstring


def in_words(x, y, sets, n, seed) -> tuple[np.ndarray, float]:
    """Sums of random arrangements of one row, and of the one observed, set by set and arrangement by arrangement."""
    sums, observed = np.zeros(n), 0.0
    for s, name in enumerate(np.unique(np.concatenate(sets))):
        values = np.concatenate([x[sets[0] == name], y[sets[1] == name]])
        there = ~np.isnan(values)
        m = int(there[: (sets[0] == name).sum()].sum())
        if not 0 < m < there.sum():
            continue
        away = values - values[there].mean()
        observed += away[: (sets[0] == name).sum()][there[: (sets[0] == name).sum()]].sum()
        for first in range(0, n, CHUNK):
            size = min(CHUNK, n - first)
            stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(first // CHUNK, s)))
            keys = stream.random_raw(len(values) * size).reshape(len(values), size)
            for b in range(size):
                order = [j for j in np.argsort(keys[:, b]) if there[j]]
                sums[first + b] += away[order[:m]].sum()
    return sums, observed


@pytest.mark.parametrize("n", [300, CHUNK + 40])
def test_random_arrangements_are_those_of_the_docstring(n):
    r = rng(1, n)
    sets = np.repeat(np.arange(11), 2), np.repeat(np.arange(12), 3)[:34]
    x, y = r.normal(size=(2, 22)), r.normal(size=(2, 34))
    x[1, [0, 1, 5]] = np.nan
    y[1, [3, 8, 20, 33]] = np.nan
    if n > CHUNK:
        x, y, sets = x[:, :8], y[:, :13], (sets[0][:8], sets[1][:13])
    got = stratified_permutation(x, y, sets=sets, n_resamples=n, seed=7, conf_level=0.8)
    less, greater = (stratified_permutation(x, y, sets=sets, n_resamples=n, seed=7, alternative=a) for a in ("less", "greater"))
    for k in range(2):
        sums, observed = in_words(x[k], y[k], sets, n, 7)
        if got.method[k] == 0:
            assert n > CHUNK
            continue
        for answer, extreme in ((got, abs(sums) >= abs(observed)), (less, sums <= observed), (greater, sums >= observed)):
            assert answer.p_value[k] == (extreme.sum() + 1) / (n + 1)
    assert (got.method == 1).any()


def test_labels_are_spread_evenly():
    labels = module._labels(3, 0, CHUNK, 5, (0, 2, 3, 6, 7), 2)
    assert labels.shape == (4, CHUNK)
    codes = (labels * (1 << np.arange(4))[:, None]).sum(axis=0)
    found, counts = np.unique(codes, return_counts=True)
    assert sorted(bin(code).count("1") for code in found) == [1] * 4 + [2] * 6
    assert ((counts - CHUNK / 10) ** 2 / (CHUNK / 10)).sum() < 27.9  # chi-square, 9 df: one in a thousand


def test_keys_hang_on_their_place_only_and_do_not_tie():
    few, more = (module._keys(1, 0, 4, members, 500) for members in (2, 6))
    assert same(few, more[:2])
    assert not same(few, module._keys(1, 0, 5, 2, 500))
    assert not same(few, module._keys(1, 1, 4, 2, 500))
    assert same(np.unique(more & np.uint64(2**16 - 1)), np.arange(6))


def test_bytes_of_labels():
    labels = rng(2).random((19, 50)) < 0.5
    assert same(module._bytes(labels), np.packbits(labels, axis=0, bitorder="little"))


# ---------------------------------------------------------------- p-values and intervals


def test_random_arrangements_come_close_to_all():
    want = wanted("pairs", "stratified_permutation")
    whole = (want["arrangements"] == 1024).to_numpy()
    n, seeds = 1000, range(20)
    every = answers("pairs", want, n_resamples=1024)
    drawn = [answers("pairs", want, n_resamples=n, seed=seed) for seed in seeds]
    assert {METHODS[k] for k in drawn[0].method[whole]} == {METHODS[1]}
    p = every.p_value[whole]
    error = np.sqrt(p * (1 - p) / (n * len(seeds)))
    mean = np.mean([one.p_value[whole] for one in drawn], axis=0)
    assert (np.abs(mean - (n * p + 1) / (n + 1)) < 4 * error + 1e-15).all()
    wide, narrow = (answers("pairs", want, n_resamples=1024, conf_level=level) for level in (0.97, 0.92))
    for end, sign in (("conf_low", 1), ("conf_high", -1)):
        ends = sign * np.mean([getattr(one, end)[whole] for one in drawn], axis=0)
        assert (ends >= sign * getattr(wide, end)[whole]).all()
        assert (ends <= sign * getattr(narrow, end)[whole]).all()


@pytest.mark.parametrize("n_resamples", [300, 2000])
@pytest.mark.parametrize("design", [*EXACT, "many"])
def test_the_interval_holds_the_shifts_that_are_not_rejected(design, n_resamples):
    analytes = ["complete", "missing", "ties", "offset", "strong"]
    x, y = by_group(design, analytes)
    sets = sets_of(design)
    got = stratified_permutation(x, y, sets=sets, n_resamples=n_resamples, conf_level=0.9)
    for end, alternative, outward in ((got.conf_low, "greater", -1e-7), (got.conf_high, "less", 1e-7)):
        for k in np.flatnonzero(np.isfinite(end)):
            p = [
                stratified_permutation(
                    x[k] - shift, y[k], sets=sets, n_resamples=n_resamples, alternative=alternative, conf_level=None
                ).p_value
                for shift in (end[k], end[k] + outward)
            ]
            assert p[1] <= 0.05 + 1e-12 < p[0]


def test_pairs_by_all_signs():
    d = rng(3).normal(0.4, 1, 9)
    got = stratified_permutation(d, np.zeros(9), sets=(np.arange(9), np.arange(9)))
    sums = np.array([np.dot(signs, d) for signs in product([1, -1], repeat=9)])
    assert got.p_value == (np.abs(sums) >= abs(d.sum()) - 1e-12).mean()
    means = sorted(
        np.mean([v for v, keep in zip(d, kept, strict=True) if keep]) for kept in product([0, 1], repeat=9) if any(kept)
    )
    assert got.conf_low == pytest.approx(means[int(0.025 * 512) - 1], rel=1e-12)  # means of the differences that change sign
    assert got.conf_high == pytest.approx(means[-int(0.025 * 512)], rel=1e-12)


def test_it_is_the_permutation_test_of_the_t_statistic():
    x, y = by_group("one", ["complete", "ties"])
    sets = sets_of("one")
    got = stratified_permutation(x, y, sets=sets)
    members = np.concatenate(sets)
    own = members == sets[0][0]
    values = np.concatenate([x, y], axis=1)[:, own]
    t = []
    for code in product([0, 1], repeat=own.sum()):
        case = np.array(code) == 1
        if case.sum() == x.shape[1]:
            zeros = np.zeros(own.sum(), dtype=int)
            t.append(stratified(values[:, case], values[:, ~case], sets=(zeros[case], zeros[~case])).statistic)
    seen = stratified(values[:, : x.shape[1]], values[:, x.shape[1] :], sets=(zeros[: x.shape[1]], zeros[x.shape[1] :])).statistic
    assert len(t) == 126
    assert got.p_value.tolist() == (np.abs(t) >= np.abs(seen) - 1e-9).mean(axis=0).tolist()


@pytest.mark.parametrize("n", [99, 9999])
def test_p_is_never_zero(n):
    s = np.arange(60)
    got = stratified_permutation(10.0 + np.arange(60), np.arange(60) * 1.0, sets=(s, s), n_resamples=n, alternative="greater")
    assert got.p_value == 1 / (n + 1)


def test_the_size_is_that_of_the_level():
    x, y = rng(4, 1).standard_cauchy((4000, 24)), rng(4, 2).standard_cauchy((4000, 12))
    got = stratified_permutation(x, y, sets=(np.arange(24) // 2, np.arange(12)), n_resamples=99, conf_level=0.9)
    for rejected in (got.p_value <= 0.05, got.p_value <= 0.3):
        level = 0.05 if rejected.mean() < 0.15 else 0.3
        assert abs(rejected.mean() - level) < 4 * np.sqrt(level * (1 - level) / 4000)
    assert ((got.conf_low <= 0) & (got.conf_high >= 0)).mean() > 0.9 - 4 * np.sqrt(0.09 / 4000)


def test_ties_are_ties_whatever_the_units():
    x, y = rng(5, 1).integers(0, 3, (20, 8)) * 1.0, rng(5, 2).integers(0, 3, (20, 16)) * 1.0
    sets = np.arange(8), np.arange(16) // 2
    for n in (9999, 2000):
        want = stratified_permutation(x, y, sets=sets, n_resamples=n)
        for factor, shift in ((0.1, 0.0), (1 / 3, 1000.1), (1e-9, 0.0), (np.log2(3), 7.7)):
            got = stratified_permutation(factor * x + shift, factor * y + shift, sets=sets, n_resamples=n)
            assert same(got.p_value, want.p_value)
            np.testing.assert_allclose(got.conf_low, factor * want.conf_low, rtol=1e-8, atol=1e-9 * factor)


def test_swapping_the_groups_of_all_arrangements_turns_the_sign_only():
    x, y = by_group("ratio3", ["complete", "ties", "missing"])
    s = sets_of("ratio3")
    there, back = (stratified_permutation(a, b, sets=c, n_resamples=2000) for a, b, c in ((x, y, s), (y, x, s[::-1])))
    assert same(there.p_value, back.p_value)
    np.testing.assert_allclose([back.conf_low, back.conf_high], [-there.conf_high, -there.conf_low], rtol=1e-12)
    np.testing.assert_allclose(back.statistic, -there.statistic, rtol=1e-12)


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_a_set_without_variation_is_as_good_as_none(alternative):
    """The arrangements of the other sets are the same with it and without it."""
    x, y = rng(6, 1).normal(size=(3, 20)), rng(6, 2).normal(size=(3, 40))
    sets = np.arange(20), np.arange(40) % 20
    x[1:], y[1:] = x[0], y[0]
    x[1:, 3], y[1:, 3], y[1:, 23] = 5.0, 5.0, 5.0
    x[2, 3] = np.nan
    got = stratified_permutation(x, y, sets=sets, alternative=alternative, conf_level=None)
    assert got.p_value[1] == got.p_value[2] != got.p_value[0]


def test_seeds():
    want = wanted("many", "stratified_permutation")
    first, again, other = (answers("many", want, seed=seed) for seed in (1, 1, 2))
    assert identical(whole_of(first), whole_of(again))
    drawn = first.method == 1
    assert (first.p_value[drawn] != other.p_value[drawn]).sum() > 4
    assert same(first.statistic, other.statistic)


# ---------------------------------------------------------------- rows keep to themselves


@pytest.mark.parametrize("n_resamples", [20, 300])
@pytest.mark.parametrize("seed", range(2))
def test_a_row_does_not_depend_on_its_company(seed, n_resamples, monkeypatch):
    given = hard_rows(seed)
    x, y, sets = given["x"], given["y"], given["sets"]

    def ask(replicates, *rows):
        own = tuple(part[replicates] for part in sets)
        more = {"n_resamples": n_resamples, "seed": 5, "conf_level": 0.8}
        return stratified_permutation(x[(replicates, *rows)], y[(replicates, *rows)], sets=own, **more)

    whole = ask(slice(None))
    assert whole.p_value.shape == (3, 12)
    assert 20 < np.isfinite(whole.p_value).sum() < 34
    assert (whole.method == 1).sum() > 9
    assert (whole.method == 0).any() or n_resamples == 20
    for i in range(3):
        assert identical(whole_of(whole, i), whole_of(ask(i)))
        assert identical(
            whole_of(whole, slice(i, i + 1), slice(None, None, -1)), whole_of(ask(slice(i, i + 1), slice(None, None, -1)))
        )
        for j in range(12):
            assert identical(whole_of(whole, i, j), whole_of(ask(i, j)))
    for name, value in (("_HELD", 900), ("_BLOCK_VALUES", 64), ("_TOGETHER", 2), ("_LABELS", 1)):
        monkeypatch.setattr(module, name, value)
        assert identical(whole_of(whole), whole_of(ask(slice(None))))


def whole_of(answer, *rows):
    return [part[rows] for part in answer[:9]]


def test_leading_axes_and_a_single_row():
    given = hard_rows(3)
    x, y, sets = given["x"], given["y"], given["sets"]
    more = {"n_resamples": 150, "seed": 2}
    want = stratified_permutation(x, y, sets=sets, **more)
    deeper = stratified_permutation(x[:, None], y[:, None], sets=tuple(part[:, None] for part in sets), **more)
    assert deeper.p_value.shape == (3, 1, 12)
    assert identical(whole_of(want), [part[:, 0] for part in deeper[:9]])
    single = stratified_permutation(x[0, 1], y[0, 1], sets=tuple(part[0] for part in sets), **more)
    assert single.p_value.shape == ()
    assert identical(whole_of(want, 0, 1), whole_of(single))
    turned = stratified_permutation(np.asfortranarray(x), np.asfortranarray(y), sets=sets, **more)
    assert identical(whole_of(want), whole_of(turned))


def test_no_interval_where_none_is_asked_for():
    x, y = by_group("many", ["complete", "missing"])
    got, want = (stratified_permutation(x, y, sets=sets_of("many"), conf_level=level) for level in (None, 0.95))
    assert np.isnan([got.conf_low, got.conf_high]).all()
    assert same(got.p_value, want.p_value)
    assert np.isfinite([want.conf_low, want.conf_high]).all()


# ---------------------------------------------------------------- edges


def test_nothing_to_test():
    s = np.array([0, 1]), np.array([0, 1, 1])
    nothing = stratified_permutation(np.full((2, 2), np.nan), np.full((2, 3), np.nan), sets=s)
    assert nothing.note.tolist() == [Note.NO_SET] * 2
    assert nothing.method.tolist() == [-1, -1]
    for part in nothing[:7]:
        assert np.isnan(part).all()
    assert stratified_permutation(np.empty((0, 2)), np.empty((0, 3)), sets=s).p_value.shape == (0,)
    x, y = rng(7, 1).normal(size=(2, 2)), rng(7, 2).normal(size=(2, 3))
    for none in ((s[0] - 9, s[1] - 9), (s[0], s[1] + 5)):
        assert stratified_permutation(x, y, sets=none).note.tolist() == [Note.NO_SET] * 2
    assert stratified_permutation(np.empty((2, 0)), y, sets=(s[0][:0], s[1])).note.tolist() == [Note.NO_SET] * 2
    alike = stratified_permutation(np.array([0.1, 7.7]), np.array([0.1, 7.7, 7.7]), sets=s)
    assert (alike.note, alike.method) == (Note.NO_VARIATION, -1)
    assert np.isnan(alike.estimate)


def test_one_pair_is_answered_and_says_nothing():
    got = stratified_permutation(np.array([2.0]), np.array([1.0]), sets=(np.array([0]), np.array([0])))
    assert (got.estimate, got.p_value, got.statistic) == (1.0, 1.0, 1.0)
    assert (got.conf_low, got.conf_high, got.note) == (-np.inf, np.inf, Note.INTERVAL_OPEN)
    assert np.isnan(got.std_error)


def test_p_and_interval_can_disagree_where_sets_are_not_pairs():
    """The example of the docstring: p is by the size of T, the interval by both one-sided tests."""
    x, y = np.array([1.3, 0.8, -0.3, 0.0, 0.7]), np.array([-1.3, 1.1, -0.7, 0.1, -0.2, -0.2, -0.1, -0.6, 0.4, 0.5])
    sets = np.arange(5), np.repeat(np.arange(5), 2)
    got = stratified_permutation(x, y, sets=sets)
    assert got.p_value == pytest.approx(38 / 243)
    np.testing.assert_allclose([got.conf_low, got.conf_high], [0.05, 1.5])
    assert stratified_permutation(x, y, sets=sets, alternative="greater").p_value <= 0.025


def test_random_arrangements_hang_on_the_order_of_subjects_and_not_on_names():
    x, y, s = rng(9, 1).normal(size=15), rng(9, 2).normal(size=30), (np.arange(15), np.repeat(np.arange(15), 2))
    whole = stratified_permutation(x, y, sets=s, n_resamples=999)
    named = stratified_permutation(x, y, sets=(s[0] * 11 + 4, s[1] * 11 + 4), n_resamples=999)
    turned = stratified_permutation(x, y[::-1], sets=(s[0], s[1][::-1]), n_resamples=999)
    assert named.p_value == whole.p_value
    assert turned.p_value != whole.p_value
    assert turned.p_value == pytest.approx(whole.p_value, abs=0.05)
    assert turned.estimate == pytest.approx(whole.estimate, rel=1e-12)


def test_a_set_so_large_that_its_arrangements_overflow():
    x, y = rng(8, 1).normal(size=600), rng(8, 2).normal(size=700)
    zeros = np.zeros(700, dtype=int)
    got = stratified_permutation(x, y, sets=(zeros[:600], zeros), n_resamples=199)
    assert got.method == 1
    assert got.p_value == pytest.approx(stratified(x, y, sets=(zeros[:600], zeros)).p_value, abs=0.12)


def test_the_entry():
    entry = STRATIFIED_PERMUTATION["stratified_permutation"]
    assert (entry.sets, entry.takes, entry.estimand) == ("both", ("sets", "resamples"), "mean")
    assert entry.methods == METHODS
    assert entry.methods[1].format(n="9,999") == "9,999 permutations within sets"
