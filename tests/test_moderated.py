"""Moderated t tests and their prior: against limma, and by what must hold whatever the numbers."""

from __future__ import annotations

import inspect
import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import polygamma

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.common import WITHIN
from cytokine_cc.kernels.f_distribution import f_quantile, log_tail, tail_root
from cytokine_cc.kernels.independent import student
from cytokine_cc.kernels.lowess import lowess
from cytokine_cc.kernels.moderated import METHODS, MODERATED, moderated_paired_t, moderated_t
from cytokine_cc.kernels.paired import paired_t
from cytokine_cc.kernels.robust_prior import zero
from cytokine_cc.kernels.variance_prior import _df_of_spread, fit_prior, squeeze

HERE = Path(__file__).parent / "reference"
NUMBERS = ("estimate", "conf_low", "statistic", "df", "p_value")
PRIORS = list(itertools.product([False, True], repeat=2))  # trend, robust
NOT_TESTED = {"constant": 1, "sparse": 14}  # rows that limma tests and we do not; they feed the prior all the same


@cache
def table(name: str) -> pd.DataFrame:
    return pd.read_csv(HERE / f"{name}.csv")


@cache
def panels() -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name -> values of cases and controls, or of the later visit and the baseline."""
    out = {}
    for name, rows in table("moderated_data").groupby("set", sort=False):
        values, n1 = rows.iloc[:, 3:].to_numpy(dtype=np.float64), int(rows["n_case"].iloc[0])
        n = int(np.flatnonzero(~np.isnan(values).all(axis=0))[-1]) + 1
        out[name] = np.ascontiguousarray(values[:, :n1]), np.ascontiguousarray(values[:, n1:n])
    return out


def subjects(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    z = table("moderated_subjects").to_numpy(dtype=np.float64).T
    n1, n2 = x.shape[-1], y.shape[-1]
    return z[:, :n1], z[:, n1 : n1 + n2]


def answer(name: str, covariates: bool, trend: bool, robust: bool):
    x, y = panels()[name]
    if name.startswith("paired"):
        return moderated_paired_t(x, y, trend=trend, robust=robust)
    return moderated_t(x, y, covariates=subjects(x, y) if covariates else None, trend=trend, robust=robust)


def agree(got, want: pd.DataFrame) -> None:
    tested = ~np.isnan(got.p_value)
    for column in NUMBERS:
        np.testing.assert_allclose(
            getattr(got, column)[tested], want[column].to_numpy()[tested], rtol=1e-10, atol=0, err_msg=column
        )


def draw(*shape: int, seed: int = 1, missing: float = 0.0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = rng.normal(size=shape) * rng.uniform(0.3, 2, size=(*shape[:-1], 1)) + 3 * rng.normal(size=(*shape[:-1], 1))
    return np.where(rng.random(shape) < missing, np.nan, values)


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


# ---------------------------------------------------------------- limma

MODELS = [tuple(key) for key in table("moderated")[["set", "covariates", "trend", "robust"]].drop_duplicates().to_numpy()]


@pytest.mark.parametrize(("name", "covariates", "trend", "robust"), MODELS)
def test_agrees_with_limma(name, covariates, trend, robust):
    rows = table("moderated")
    keys = (rows["set"] == name) & (rows["covariates"] == covariates) & (rows["trend"] == trend) & (rows["robust"] == robust)
    got = answer(name, covariates, trend, robust)
    assert np.isnan(got.p_value).sum() == NOT_TESTED.get(name, 0)
    assert (got.method[~np.isnan(got.p_value)] == (4 if name == "one" else trend + 2 * robust)).all()
    agree(got, rows[keys])


def test_reference_holds_what_it_is_named_for():
    rows = table("moderated")
    plain = rows[~rows["covariates"] & ~rows["trend"] & ~rows["robust"]].groupby("set")["prior_df"].first()
    assert np.isinf(plain[["equal", "equal_three"]]).all()
    assert plain["one"] == 0
    robust = rows[rows["robust"] & (rows["set"] == "outliers")]["prior_df"]
    assert robust.max() > 10 * plain["outliers"]
    assert robust.nunique() > 3
    assert table("moderated_data").groupby("set").size()[["three", "five", "many"]].tolist() == [36, 5, 150]


def test_a_perturbed_reference_value_turns_red():
    rows = table("moderated")
    want = rows[(rows["set"] == "missing") & ~rows["covariates"] & ~rows["trend"] & rows["robust"]].copy()
    got = answer("missing", False, False, True)
    agree(got, want)
    for column in NUMBERS:
        wrong = want.copy()
        wrong.iloc[3, wrong.columns.get_loc(column)] *= 1 + 1e-9
        with pytest.raises(AssertionError, match=column):
            agree(got, wrong)


CASES = [tuple(key) for key in table("moderated_prior")[["set", "trend", "robust"]].drop_duplicates().to_numpy()]


@pytest.mark.parametrize(("name", "trend", "robust"), CASES)
def test_prior_of_rows_of_which_some_do_not_feed_it_agrees_with_limma(name, trend, robust):
    rows = table("moderated_prior")
    rows = rows[(rows["set"] == name) & (rows["trend"] == trend) & (rows["robust"] == robust)]
    s2, df, feed, mean = (rows[column].to_numpy() for column in ("s2", "df", "feed", "mean"))
    prior = fit_prior(s2, df, feed, mean=mean if trend else None, robust=robust)
    want = rows["prior_df"].to_numpy()
    # Of 1,000 and more degrees of freedom nobody knows the tenth digit: the log of an F then varies as it would at infinity.
    np.testing.assert_allclose(np.broadcast_to(prior.df, s2.shape), want, rtol=1e-10 if want.min() < 100 else 1e-9, atol=0)
    np.testing.assert_allclose(np.broadcast_to(prior.s2, s2.shape), rows["prior_s2"], rtol=1e-10, atol=0)
    np.testing.assert_allclose(squeeze(s2, df, prior)[0], rows["post"], rtol=1e-10, atol=0)


def test_lowess_agrees_with_r():
    for name, rows in table("lowess").groupby("set"):
        x, y = rows["x"].to_numpy(), rows["y"].to_numpy()
        np.testing.assert_allclose(lowess(x, y, span=0.4), rows["fitted"], rtol=1e-10, atol=1e-14, err_msg=name)


def test_tails_of_f_agree_with_r():
    for df2, rows in table("f_tails").groupby("df2"):
        for side in ("upper", "lower"):
            known = rows[rows[side].notna() & (rows[side] < -1e-12)]
            got = log_tail(known["f"].to_numpy(), known["df1"].to_numpy(), df2, upper=side == "upper")
            np.testing.assert_allclose(got, known[side], rtol=1e-11, atol=1e-16)


@pytest.mark.parametrize(("df1", "df2"), [(1.0, 0.5), (50.0, 7.0), (4.0, 3e5), (30.0, np.inf)])
@pytest.mark.parametrize("upper", [False, True])
def test_tail_root_inverts_the_tail(df1, df2, upper):
    log_p = np.array([-100.0, -30.0, -3.0, np.log(0.5), np.log(0.9)])
    f = tail_root(log_p, df1, df2, upper=upper, start=np.ones(5))
    np.testing.assert_allclose(log_tail(f, df1, df2, upper=upper), log_p, rtol=1e-10)


def test_quantile_of_f_by_hand():
    # With two degrees of freedom each, P(F <= f) = f / (1 + f).
    assert f_quantile(0.9, 2.0, 2.0) == pytest.approx(9.0, rel=1e-14)


def test_inverse_of_the_trigamma_function():
    half = np.exp(np.linspace(np.log(1e-3), np.log(1e7), 500))
    np.testing.assert_allclose(_df_of_spread(polygamma(1, half)), 2 * half, rtol=1e-12)
    assert _df_of_spread(np.array([0.0, -1.0])).tolist() == [np.inf, np.inf]
    assert same([_df_of_spread(np.array([v]))[0] for v in polygamma(1, half)], _df_of_spread(polygamma(1, half)))


def test_brents_method_finds_roots():
    for function, a, b in ((lambda u: u**3 - 2, 0.0, 2.0), (lambda u: np.exp(u) - 5, -3.0, 40.0), (lambda u: u, -1.0, 1.0)):
        root = zero(function, a, b, function(a), function(b), 1e-13)
        assert abs(function(root)) < 1e-12


# ---------------------------------------------------------------- the prior


def test_replicates_do_not_know_of_each_other():
    rng = np.random.default_rng(5)
    x, y = draw(6, 40, 12, seed=2), draw(6, 40, 10, seed=3)
    x[1] = np.where(rng.random(x[1].shape) < 0.2, np.nan, x[1])  # unequal degrees of freedom
    x[2, :3] = np.nan
    x[3], y[3] = x[3] / x[3].std(axis=-1, keepdims=True), y[3] / y[3].std(axis=-1, keepdims=True)  # infinite ones
    x[4, 5], y[4, 5] = 2.0, 2.0
    feed = np.ones((6, 40), dtype=bool)
    feed[5, ::2] = False
    z = rng.normal(size=(6, 2, 12)), rng.normal(size=(6, 2, 10))
    for (trend, robust), covariates in itertools.product(PRIORS, (None, z)):
        both = moderated_t(x, y, covariates=covariates, feed=feed, trend=trend, robust=robust)
        for k in range(6):
            own = None if covariates is None else (z[0][k], z[1][k])
            alone = moderated_t(x[k], y[k], covariates=own, feed=feed[k], trend=trend, robust=robust)
            assert all(same(part[k], value) for part, value in zip(both, alone, strict=True)), (k, trend, robust)


@pytest.mark.parametrize(("trend", "robust"), PRIORS)
def test_shapes(trend, robust):
    x, y = draw(2, 3, 14, 6, missing=0.1), draw(2, 3, 14, 7, seed=2)
    stacked = moderated_t(x, y, trend=trend, robust=robust)
    assert stacked.p_value.shape == (2, 3, 14)
    flat = moderated_t(x.reshape(6, 14, 6), y.reshape(6, 14, 7), trend=trend, robust=robust)
    assert all(same(a.reshape(6, 14), b) for a, b in zip(stacked, flat, strict=True))
    one = moderated_t(x[0, 0, 0], y[0, 0, 0], trend=trend, robust=robust)
    assert all(np.shape(part) == () for part in one)
    assert moderated_t(np.empty((4, 0, 5)), np.empty((4, 0, 6)), trend=trend, robust=robust).p_value.shape == (4, 0)


def test_many_rows_are_worked_on_in_parts_that_change_nothing():
    x, y = draw(900, 60, missing=0.02), draw(900, 50, seed=2)
    whole, turned = moderated_t(x, y), moderated_t(x[::-1], y[::-1])
    assert same(whole.estimate, turned.estimate[::-1])
    np.testing.assert_allclose(whole.p_value, turned.p_value[::-1], rtol=1e-11)


@pytest.mark.parametrize(("trend", "robust"), PRIORS)
def test_rows_that_do_not_feed_change_no_other(trend, robust):
    x, y = draw(40, 8), draw(40, 9, seed=2)
    feed = np.arange(40) % 4 != 1
    got = moderated_t(x, y, feed=feed, trend=trend, robust=robust)
    fed = moderated_t(x[feed], y[feed], trend=trend, robust=robust)
    for name in ("estimate", "statistic", "df", "p_value"):
        np.testing.assert_allclose(getattr(got, name)[feed], getattr(fed, name), rtol=1e-12)
    assert (got.note == np.where(feed, 0, int(Note.NOT_FED))).all()
    assert not np.isnan(got.p_value).any()
    wild = x.copy()
    wild[~feed] *= 100
    assert same(moderated_t(wild, y, feed=feed, trend=trend, robust=robust).p_value[feed], got.p_value[feed])
    assert not same(moderated_t(wild, y, trend=trend, robust=robust).p_value[feed], got.p_value[feed])


def test_a_row_that_does_not_feed_is_drawn_to_the_prior_by_hand():
    x, y = draw(12, 8), draw(12, 9, seed=2)
    feed = np.arange(12) != 3
    got = moderated_t(x, y, feed=feed)
    own = student(x, y)
    s2 = (own.std_error**2 / (1 / 8 + 1 / 9))[3]
    prior = fit_prior(own.std_error[feed] ** 2 / (1 / 8 + 1 / 9), np.array(15.0))
    post = (15 * s2 + prior.df[0] * prior.s2[0]) / (15 + prior.df[0])
    assert got.statistic[3] == pytest.approx(own.estimate[3] / np.sqrt(post * (1 / 8 + 1 / 9)), rel=1e-12)
    assert got.df[3] == pytest.approx(15 + prior.df[0], rel=1e-12)


def test_degrees_of_freedom_are_at_most_those_of_all_rows():
    s2, df = np.full(4, 0.7), np.array([5.0, 5.0, 3.0, 2.0])
    assert squeeze(s2, df, fit_prior(s2, df))[1].tolist() == [15.0] * 4
    prior = fit_prior(s2, df, np.array([True, True, False, True]))
    assert squeeze(s2, df, prior)[1].tolist() == [12.0, 12.0, 15.0, 12.0]  # its own and those that fed


@pytest.mark.parametrize(("trend", "robust"), PRIORS)
def test_without_a_prior_it_is_students_t(trend, robust):
    x, y = draw(5, 8), draw(5, 9, seed=2)
    for feed in (np.zeros(5, dtype=bool), np.arange(5) == 2):
        got, want = moderated_t(x, y, feed=feed, trend=trend, robust=robust), student(x, y)
        for name in ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value"):
            np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-12)
        assert (got.note == Note.NO_PRIOR | np.where(feed, 0, int(Note.NOT_FED))).all()
        assert {METHODS[code] for code in got.method} == {"not moderated"}
    alone = moderated_t(x[0], y[0], trend=trend, robust=robust)
    assert alone.note == Note.NO_PRIOR
    assert float(alone.p_value) == pytest.approx(float(student(x[0], y[0]).p_value), rel=1e-12)
    pair = moderated_paired_t(x[:1], x[1:2], trend=trend, robust=robust)
    assert pair.p_value[0] == pytest.approx(paired_t(x[0], x[1]).p_value, rel=1e-12)


@pytest.mark.parametrize(("trend", "robust"), PRIORS)
def test_two_rows_make_a_prior_and_most_constant_rows_do_not(trend, robust):
    x, y = draw(7, 8), draw(7, 9, seed=2)
    assert moderated_t(x[:2], y[:2], trend=trend, robust=robust).note.tolist() == [0, 0]
    x[:4], y[:4] = 1.3, 1.3
    got = moderated_t(x, y, trend=trend, robust=robust)
    assert got.note.tolist() == [int(Note.CONSTANT)] * 4 + [int(Note.NO_PRIOR)] * 3


# ---------------------------------------------------------------- rows


def test_rows_that_cannot_be_tested():
    x, y = draw(7, 6), draw(7, 6, seed=2)
    x[0] = np.nan
    y[1, 1:] = np.nan
    x[2], y[2] = 0.1, 0.1
    x[3], y[3] = 0.1, 0.3
    got = moderated_t(x, y)
    flags = [Note.TOO_FEW, Note.TOO_FEW, Note.CONSTANT, Note.CONSTANT, 0, 0, 0]
    assert got.note.tolist() == [int(flag) for flag in flags]
    for part in (got.estimate, got.std_error, got.conf_low, got.conf_high, got.statistic, got.df, got.p_value):
        assert np.isnan(part).tolist() == [True] * 4 + [False] * 3
    assert got.method.tolist() == [-1] * 4 + [0] * 3
    nothing = moderated_t(np.full((3, 4), np.nan), np.full((3, 4), np.nan), feed=np.zeros(3, dtype=bool))
    assert nothing.note.tolist() == [int(Note.TOO_FEW)] * 3


def test_pairs_that_cannot_be_tested():
    x, y = draw(6, 6), draw(6, 6, seed=2)
    x[0, 1:] = np.nan
    x[1] = y[1]
    x[2] = y[2] = np.arange(6.0)
    x[2] += 0.5
    got = moderated_paired_t(x, y, conf_level=None)
    assert got.note.tolist() == [int(flag) for flag in (Note.TOO_FEW, Note.NO_CHANGE, Note.CONSTANT, 0, 0, 0)]
    assert np.isnan(got.p_value).tolist() == [True] * 3 + [False] * 3
    assert np.isnan(got.conf_low).all()


def test_covariates_that_tell_the_groups_apart_or_each_other():
    x, y = draw(12, 8), draw(12, 9, seed=2)
    plate = np.zeros((1, 8)), np.ones((1, 9))
    assert (moderated_t(x, y, covariates=plate).note == Note.CONFOUNDED).all()
    age = np.random.default_rng(3).normal(size=(1, 17))
    twice = np.concatenate([age, 2 * age])
    once, both = (moderated_t(x, y, covariates=(z[:, :8], z[:, 8:])) for z in (age, twice))
    np.testing.assert_allclose(both.p_value, once.p_value, rtol=1e-9)
    assert (both.note == Note.ALIASED).all()
    assert (both.method == 0).all()


@pytest.mark.parametrize(("trend", "robust"), PRIORS)
def test_covariates_that_do_not_vary_change_nothing(trend, robust):
    x, y = draw(20, 8, missing=0.1), draw(20, 9, seed=2)
    level = np.ones((1, 8)), np.ones((1, 9))
    got, want = (moderated_t(x, y, covariates=z, trend=trend, robust=robust) for z in (level, None))
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(got, name), getattr(want, name), rtol=1e-11)
    assert same(got.note, want.note)


@pytest.mark.parametrize("name", MODERATED)
def test_sides_and_intervals(name):
    function = MODERATED[name].function
    x, y = draw(15, 9), draw(15, 9, seed=2)
    two, more, less = (
        function(x, y, alternative=alternative, conf_level=0.9) for alternative in ("two-sided", "greater", "less")
    )
    np.testing.assert_allclose(more.p_value + less.p_value, 1, rtol=1e-12)
    np.testing.assert_allclose(two.p_value, 2 * np.minimum(more.p_value, less.p_value), rtol=1e-12)
    assert np.isposinf(more.conf_high).all()
    assert np.isneginf(less.conf_low).all()
    assert same(two.side, np.sign(two.estimate))
    level = function(x, y, conf_level=1 - float(two.p_value[4]))
    edge = level.conf_low[4] if two.estimate[4] > 0 else level.conf_high[4]
    assert abs(edge) < 1e-10
    bare = function(x, y, conf_level=None)
    assert np.isnan(bare.conf_low).all()
    assert same(bare.p_value, two.p_value)


def test_company_matters_by_design():
    x, y = panels()["complete"]
    assert moderated_t(x, y).p_value[0] != moderated_t(x[:20], y[:20]).p_value[0]
    assert all(entry.borrows for entry in MODERATED.values())


@pytest.mark.parametrize("name", MODERATED)
def test_entries_say_what_the_function_takes(name):
    entry = MODERATED[name]
    asked = set(inspect.signature(entry.function).parameters) - {"x", "y", "alternative", "conf_level"}
    assert asked == set(entry.takes) | set(entry.options)
    assert set(entry.option_words) == {(key, value) for key, values in entry.options.items() for value in values[1:]}
    assert entry.paired == (entry.questions == (WITHIN,))


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(("spread", "seed"), [("equal", 1), ("drawn", 2)])
def test_size_under_the_null(spread, seed):
    rng = np.random.default_rng(seed)
    replicates, m, n1, n2 = 1500, 36, 30, 22
    sd = np.ones((replicates, m, 1)) if spread == "equal" else np.sqrt(6 / rng.chisquare(6, size=(replicates, m, 1)))
    x, y = (rng.standard_normal((replicates, m, n)) * sd for n in (n1, n2))
    for p in (moderated_t(x, y, conf_level=None).p_value, moderated_paired_t(x[..., :n2], y, conf_level=None).p_value):
        assert abs((p < 0.05).mean() - 0.05) < 4 * np.sqrt(0.05 * 0.95 / p.size)
