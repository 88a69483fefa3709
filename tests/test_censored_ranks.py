"""Rank tests of values below several limits: against R, by hand, and how often they reject true nulls."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.censored_ranks import CENSORED_RANKS, gehan, peto_peto
from cytokine_cc.kernels.independent import welch

from .test_reference import exact_csv

TESTS = {name: entry.function for name, entry in CENSORED_RANKS.items()}
WANT = exact_csv("censored_ranks.csv", ("set", "test")).set_index(["set", "test"])
DATA = dict(list(exact_csv("censored_ranks_data.csv", ("set", "group", "state")).groupby("set")))


def sides(name: str) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, ...]]:
    """x, y and bounds of a reference set."""
    frame = DATA[name]
    value, state = frame["value"].to_numpy(), frame["state"].to_numpy()
    z = np.where(state == "below", -np.inf, np.where(state == "above", np.inf, value))
    parts = []
    for group in ("case", "control"):
        here = (frame["group"] == group).to_numpy()
        point, y = value[here], z[here]
        parts.append((y, point, np.minimum(y, point), np.maximum(y, point)))
    (x, *bx), (y, *by) = parts
    return x, y, (*bx, *by)


def censor(x, y, limit_x=None, limit_y=None, upper=np.inf):
    """Numbers under their limit are known by it alone; likewise above."""
    parts = []
    for values, limit in ((x, limit_x), (y, limit_y)):
        values = np.asarray(values, dtype=float)
        limit = np.broadcast_to(-np.inf if limit is None else limit, values.shape)
        point = np.where(values < limit, limit, np.where(values > upper, upper, values))
        z = np.where(values < limit, -np.inf, np.where(values > upper, np.inf, values))
        parts.append((z, point, np.minimum(z, point), np.maximum(z, point)))
    (a, *bounds_a), (b, *bounds_b) = parts
    return a, b, (*bounds_a, *bounds_b)


def close(got, want) -> None:
    np.testing.assert_allclose(got, want, rtol=1e-10, atol=0)


# ---------------------------------------------------------------- against R


@pytest.mark.parametrize("test", TESTS)
@pytest.mark.parametrize("name", DATA)
def test_agrees_with_r(name, test):
    x, y, bounds = sides(name)
    want = WANT.loc[(name, test)]
    s = TESTS[test](x, y, bounds=bounds)
    close([s.statistic, s.p_value], want[["statistic", "p_value"]].astype(float))
    assert s.side == want["side"]
    assert s.df == 1
    assert np.isnan([s.estimate, s.std_error, s.conf_low, s.conf_high]).all()
    close(TESTS[test](x, y, alternative="greater", bounds=bounds).p_value, want["p_greater"])
    close(TESTS[test](x, y, alternative="less", bounds=bounds).p_value, want["p_less"])


def test_a_reference_value_that_is_a_little_off_turns_red():
    x, y, bounds = sides("several_limits")
    with pytest.raises(AssertionError):
        close(peto_peto(x, y, bounds=bounds).p_value, WANT.loc[("several_limits", "peto_peto"), "p_value"] * (1 + 1e-9))


def test_the_sets_are_what_they_are_called():
    assert len(DATA) == len(WANT) / 2 == 42
    share = {name: (frame["state"] == "below").mean() for name, frame in DATA.items()}
    assert min(share["below_70"], share["below_70_several"]) > 0.6
    assert (DATA["three_three"]["state"] == "below").any()
    for name in ("above", "above_several"):
        assert (DATA[name]["state"] == "above").sum() > 3
    assert WANT.loc[("far_apart", "peto_peto"), "p_value"] < 1e-20


# ---------------------------------------------------------------- by hand


def test_without_limits_both_are_the_score_of_ranks():
    """2 (W - n1 n2 / 2) is the score of pairs."""
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=7), rng.normal(size=9)
    one, other = peto_peto(x, y), gehan(x, y)
    close(one.statistic, other.statistic)
    w = (x[:, None] > y).sum()
    assert other.side == np.sign(w - 63 / 2)


def test_a_number_at_a_limit_is_higher_than_a_value_below_it():
    """1 and 1 against <1 and <1: at 1, two of two cases of four in all: excess 1, variance 1/3."""
    x, y, bounds = censor([1, 1], [0, 0], None, [1, 1])
    for test in TESTS.values():
        assert test(x, y, bounds=bounds).statistic == pytest.approx(3, rel=1e-14)


def test_values_below_a_higher_limit_are_not_compared_with_lower_numbers():
    """Whatever the number under 5 is, <5 says nothing about it."""
    answers = []
    for other in (1.0, 2.5, 4.9, 4.99):
        x, y, bounds = censor([6, 7, 0], [5.5, 8, other], 5.0, None)
        answers.append([test(x, y, bounds=bounds).p_value for test in TESTS.values()])
    assert np.ptp(answers, axis=0).tolist() == [0, 0]
    assert np.isfinite(answers).all()


def test_one_limit_that_hides_nothing_else_is_a_tie_of_the_lowest():
    """Below one limit under all numbers, values could as well be unnamed."""
    x, y, bounds = censor([0, 0, 3, 4.5, 7], [0, 2, 5, 6], 1.0, 1.0)
    for test in TESTS.values():
        assert test(x, y).p_value == test(x, y, bounds=bounds).p_value


def test_above_an_upper_limit_is_tied_highest_and_said():
    x, y, bounds = censor([1, 3, 5, 9.5, 2], [2, 4, 6, 7, 8], upper=9)
    assert np.isposinf(x).any()
    for test in TESTS.values():
        s = test(x, y, bounds=bounds)
        assert s.note == Note.RANKED_HIGHEST
        close(s.p_value, test(np.array([1, 3, 5, 99.0, 2]), y).p_value)
    # Numbers above the lowest upper limit are tied with it, those at it are not.
    x[2], y[3] = 9.7, 9.0
    bounds = (*(np.where(np.isposinf(x), 9, x), x, x), y, y, y)
    for test in TESTS.values():
        close(test(x, y, bounds=bounds).p_value, test(np.array([1, 3, 99, 99.0, 2]), y).p_value)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_equal_logs_of_equal_ratios_are_tied(test):
    logs = np.log2([4 / 2, 6 / 3, 10 / 5, 7 / 3.5, 8, 9])
    shaken = logs * (1 + np.array([0, 1, -1, 2, 0, 0]) * 2.0**-51)
    assert test(shaken[::2], shaken[1::2]).statistic == test(logs[::2], logs[1::2]).statistic


# ---------------------------------------------------------------- what cannot be tested


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
@pytest.mark.parametrize(
    ("x", "y", "limits", "note"),
    [
        ([1, np.nan], [1, 2, 3], (None, None), Note.TOO_FEW),
        ([np.nan, np.nan], [1, 2, 3], (None, None), Note.TOO_FEW),
        ([2, 2], [2, 2, 2], (None, None), Note.CONSTANT),
        ([1, 2], [3, 4], (5.0, 5.0), Note.CONSTANT),
        ([0, 0], [1, 2, 3], (5.0, None), Note.CONSTANT),
    ],
)
def test_rows_without_an_answer(test, x, y, limits, note):
    x, y, bounds = censor(x, y, *limits)
    s = test(x, y, bounds=bounds)
    assert np.isnan(s[:7]).all()
    assert s.method == -1
    assert s.note == note
    assert np.isnan(s.side)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_no_values_at_all(test):
    assert test(np.empty((3, 0)), np.empty((3, 0))).note.tolist() == [int(Note.TOO_FEW)] * 3
    assert test(np.empty((0, 4)), np.empty((0, 5))).p_value.shape == (0,)


# ---------------------------------------------------------------- rows, shapes, sides


def batch(seed: int, shape=(6, 5), n=(9, 12)):
    rng = np.random.default_rng(seed)
    x, y = (np.round(rng.normal(size=(*shape, k)), rng.integers(1, 3)) for k in n)
    limits = [rng.choice([-1.0, -0.5, 0.2], size=part.shape) for part in (x, y)]
    for part in (x, y):
        part[rng.random(part.shape) < 0.1] = np.nan
    return censor(x, y, *limits, upper=1.7)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_a_row_does_not_depend_on_its_company(test):
    x, y, bounds = batch(3)
    whole = test(x, y, bounds=bounds)
    for i, j in np.ndindex(x.shape[:2]):
        alone = test(x[i, j], y[i, j], bounds=tuple(part[i, j] for part in bounds))
        few = test(x[i, j : j + 1], y[i, j : j + 1], bounds=tuple(part[i, j : j + 1] for part in bounds))
        for one, other, all_ in zip(alone, few, whole, strict=True):
            np.testing.assert_array_equal(one, all_[i, j])
            np.testing.assert_array_equal(other[0], all_[i, j])
    turned = test(*(np.asfortranarray(part) for part in (x, y)), bounds=tuple(np.asfortranarray(part) for part in bounds))
    np.testing.assert_array_equal(turned.p_value, whole.p_value)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_missing_values_are_as_if_not_there(test):
    x, y, bounds = batch(4, (30,))
    whole = test(x, y, bounds=bounds)
    for i in range(30):
        kept = [~np.isnan(x[i])] * 3 + [~np.isnan(y[i])] * 3
        own = test(x[i][kept[0]], y[i][kept[3]], bounds=tuple(part[i][keep] for part, keep in zip(bounds, kept, strict=True)))
        np.testing.assert_allclose([own.statistic, own.p_value], [whole.statistic[i], whole.p_value[i]], rtol=1e-12)


@pytest.mark.parametrize("test", TESTS.values(), ids=TESTS)
def test_conf_level_is_of_no_consequence(test):
    x, y, bounds = batch(5)
    for one, other in zip(test(x, y, bounds=bounds), test(x, y, bounds=bounds, conf_level=None), strict=True):
        np.testing.assert_array_equal(one, other)


@settings(deadline=None, max_examples=60)
@given(seed=hs.integers(0, 10_000), test=hs.sampled_from(sorted(TESTS)))
def test_properties(seed, test):
    function = TESTS[test]
    x, y, bounds = batch(seed, (4,), (5, 6))
    s = function(x, y, bounds=bounds)
    swapped = function(y, x, bounds=(*bounds[3:], *bounds[:3]))
    np.testing.assert_allclose(s.p_value, swapped.p_value, rtol=1e-10)
    np.testing.assert_array_equal(s.side, -swapped.side)
    # Ranks alone matter: any increasing function of values and limits.
    bent = [np.where(np.isinf(part), part, np.exp(part)) for part in (x, y, *bounds)]
    bent = function(*bent[:2], bounds=tuple(bent[2:]))
    np.testing.assert_array_equal(s.p_value, bent.p_value)
    up, down = (function(x, y, alternative=side, bounds=bounds).p_value for side in ("greater", "less"))
    np.testing.assert_allclose(up + down, np.where(np.isnan(s.p_value), np.nan, 1), rtol=1e-12)
    np.testing.assert_allclose(2 * np.minimum(up, down), s.p_value, rtol=1e-12)
    order = np.random.default_rng(seed).permutation(x.shape[-1])
    mixed = function(x[..., order], y, bounds=(*(b[..., order] for b in bounds[:3]), *bounds[3:]))
    np.testing.assert_array_equal(s.p_value, mixed.p_value)


# ---------------------------------------------------------------- size


def nulls(seed: int, limits: tuple[float, float], share: tuple[float, float], n_sim=20_000, n=(30, 22), sd=0.8):
    """Draw both groups from one law; plate 1 has the first limit, and `share` of the cases and of the controls."""
    rng = np.random.default_rng(seed)
    values = [rng.normal(size=(n_sim, k)) * sd for k in n]
    own = [np.where(np.arange(k) < round(k * part), *limits) for k, part in zip(n, share, strict=True)]
    return censor(*values, *own)


@pytest.mark.parametrize(
    ("limits", "share"),
    [((0.0, 0.0), (0.5, 0.5)), ((0.67, 0.67), (0.5, 0.5)), ((0.55, -0.55), (0.75, 0.25)), ((0.55, -0.55), (1, 0))],
    ids=["half below", "80% below", "limits 3-fold apart, 75/25", "a limit a group, 3-fold apart"],
)
def test_size_with_limits_that_differ_between_the_groups(limits, share):
    x, y, bounds = nulls(7, limits, share)
    error = 4 * np.sqrt(0.05 * 0.95 / len(x))
    for name, test in TESTS.items():
        size = np.mean(test(x, y, bounds=bounds).p_value <= 0.05)
        assert 0.04 < size < 0.05 + error, f"{name}: {size:.2%}"
    if share[0] > 0.5:  # where the limit in the place of what is below it misleads
        assert np.mean(welch(bounds[0], bounds[3]).p_value <= 0.05) > 0.15
