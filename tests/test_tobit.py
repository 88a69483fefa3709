"""The censored normal model: against survreg, at its edges, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from scipy.optimize import minimize

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.censored_normal import censored_moments, fit_normal
from cytokine_cc.kernels.independent import student
from cytokine_cc.kernels.linear import linear_model
from cytokine_cc.kernels.tobit import TOBIT, tobit

REFERENCE = Path(__file__).parent / "reference"
DATA = dict(list(pd.read_csv(REFERENCE / "tobit_data.csv").groupby("case")))
EXPECTED = pd.read_csv(REFERENCE / "tobit.csv", keep_default_na=False, na_values=[""])
EXPECTED["covariates"] = EXPECTED["covariates"].fillna("")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"]
SILENT = {("silent_plate", "plate"), ("silent_plate", "age+plate"), ("tens", "plate")}  # all values of a plate are below
LIMIT = -0.3


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def bounds_of(value: np.ndarray, side: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Point, low, high of values whose side is "below", "above", "measured" or "missing"."""
    point = np.where(side == "missing", np.nan, value)
    return point, np.where(side == "below", -np.inf, point), np.where(side == "above", np.inf, point)


def entered(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    return np.where(np.isneginf(low), low, np.where(np.isposinf(high), high, point))


def run(cases, controls, **options):
    """Run on two (point, low, high)."""
    return tobit(entered(*cases), entered(*controls), bounds=(*cases, *controls), **options)


def censored(y: np.ndarray, lower=LIMIT, upper=np.inf) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    point = np.clip(y, lower, upper)
    return point, np.where(y < lower, -np.inf, point), np.where(y > upper, np.inf, point)


def drawn(*shape: int, seed: int = 1, n=(9, 8), **limits):
    rng = np.random.default_rng(seed)
    return tuple(censored(rng.normal(size=(*shape, k)), **limits) for k in n)


def numbers(found) -> np.ndarray:
    return np.array([getattr(found, name) for name in NUMBERS])


def reference_arrays(case: str, covariates: str):
    data = DATA[case]
    columns = {
        "age": [data["age"]],
        "plate": [data["plate"] == level for level in "BC"],
    }
    z = [column for name in covariates.split("+") if name for column in columns[name]]
    groups = [data["group"].to_numpy() == g for g in (1, 0)]
    sides = [bounds_of(data["value"].to_numpy(float)[rows], data["side"].to_numpy()[rows]) for rows in groups]
    shared = tuple(np.array([column.to_numpy(float)[rows] for column in z]) for rows in groups) if z else None
    return sides, shared


# ---------------------------------------------------------------- survreg


@pytest.mark.parametrize("row", EXPECTED.to_dict("records"), ids=lambda row: f"{row['case']}-{row['covariates'] or 'none'}")
def test_equals_survreg(row):
    sides, shared = reference_arrays(row["case"], row["covariates"])
    found = run(*sides, covariates=shared)
    np.testing.assert_allclose(numbers(found), [row[name] for name in NUMBERS], rtol=1e-9)
    assert found.df == 1
    edge, silent = np.isinf(row["estimate"]), (row["case"], row["covariates"]) in SILENT
    assert found.note == (Note.EDGE if edge else Note.SILENT_LEVEL if silent else 0)
    assert TOBIT["tobit"].methods[int(found.method)] == "likelihood ratio" + ", estimate at the edge" * int(edge)


def test_a_wrong_reference_value_is_seen():
    row = EXPECTED.iloc[0]
    found = numbers(run(*reference_arrays(row["case"], "")[0]))
    for k in range(len(NUMBERS)):
        wrong = row[NUMBERS].to_numpy(float)
        wrong[k] *= 1 + 1e-8
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(found, wrong, rtol=1e-9)


# ---------------------------------------------------------------- nothing beyond a limit


def test_without_values_beyond_limits_it_is_least_squares():
    rng = np.random.default_rng(3)
    x, y = rng.normal(0.5, 1, (5, 12)), rng.normal(size=(5, 9))
    z = rng.normal(size=(2, 12)), rng.normal(size=(2, 9))
    found, linear = tobit(x, y, covariates=z), linear_model(x, y, covariates=z)
    n = 21
    np.testing.assert_allclose(found.estimate, linear.estimate, rtol=1e-12)
    np.testing.assert_allclose(found.statistic, n * np.log1p(linear.statistic**2 / linear.df), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, st.chi2.sf(found.statistic, 1), rtol=1e-12)
    np.testing.assert_allclose(found.std_error, linear.std_error * np.sqrt(linear.df / n), rtol=1e-12)
    calibrated = tobit(x, y, covariates=z, calibrated=True)
    for name in ("estimate", "conf_low", "conf_high", "statistic", "df", "p_value"):
        np.testing.assert_allclose(getattr(calibrated, name), getattr(linear, name), rtol=1e-11, err_msg=name)


@pytest.mark.parametrize("calibrated", [False, True])
def test_iteration_and_closed_form_agree(calibrated):
    rng = np.random.default_rng(4)
    x, y = rng.normal(0.4, 1, (50, 8)), rng.normal(size=(50, 7))
    z = rng.normal(size=(1, 8)), rng.normal(size=(1, 7))
    closed = numbers(tobit(x, y, covariates=z))
    # One more control somewhere below a limit of 1000 SD says nothing, but sends its row through the iteration.
    y = np.concatenate([y, np.full((50, 1), 1e3)], axis=-1)
    low = np.where(y == 1e3, -np.inf, y)
    more = z[0], np.concatenate([z[1], [[0.0]]], axis=-1)
    iterated = run((x, x, x), (y, low, y), covariates=more)
    np.testing.assert_allclose(numbers(iterated), closed, rtol=1e-10)


# ---------------------------------------------------------------- what must not matter


@pytest.mark.parametrize("calibrated", [False, True])
def test_a_row_has_the_same_bits_in_any_company(calibrated):
    rng = np.random.default_rng(5)
    y = rng.normal(size=(3, 7, 17)) + 60
    limits = 60 + rng.normal(size=(3, 7, 1)) + 0.2 * rng.integers(0, 3, (3, 7, 17))
    limits[:, 0], limits[:, 1, :9], y[:, 2, 4] = -np.inf, np.inf, np.nan  # nothing below; cases below; one missing
    limits[0, 1] = np.where(np.isinf(limits[0, 1]), 63.0, limits[0, 1])
    point = np.where(y < limits, np.minimum(limits, 64), y)
    low = np.where(y < limits, -np.inf, point)
    z = np.stack([rng.normal(50, 9, (3, 17)), rng.integers(0, 2, (3, 17))], axis=1)
    parts = [(part[..., :9], part[..., 9:]) for part in (point, low, point)]
    shared = z[..., :9], z[..., 9:]

    def answer(*key):
        cases, controls = ([pair[i][key] for pair in parts] for i in (0, 1))
        return run(cases, controls, covariates=tuple(part[key[:1]] for part in shared), calibrated=calibrated)

    together = answer()
    assert len(np.unique(together.note)) > 1
    for i in range(3):
        replicate = answer(i)
        for k in range(7):
            alone = answer(i, k)
            for whole, part, one in zip(together, replicate, alone, strict=True):
                assert same(whole[i, k], part[k])
                assert same(whole[i, k], one)


def test_blocks_do_not_matter(monkeypatch):
    cases, controls = drawn(40, 5)
    together = run(cases, controls)
    monkeypatch.setattr("cytokine_cc.kernels.linear.BLOCK_VALUES", 100)
    assert all(same(a, b) for a, b in zip(together, run(cases, controls), strict=True))


def test_groups_exchanged_signs_and_units():
    cases, controls = drawn(200, upper=0.9)
    found = run(cases, controls)
    exchanged = run(controls, cases)
    np.testing.assert_allclose(exchanged.p_value, found.p_value, rtol=1e-6)
    np.testing.assert_allclose(exchanged.estimate, -found.estimate, rtol=1e-9)
    np.testing.assert_allclose(exchanged.conf_low, -found.conf_high, rtol=1e-9)
    mirrored = run(*([-group[0], -group[2], -group[1]] for group in (cases, controls)))
    np.testing.assert_allclose(mirrored.estimate, -found.estimate, rtol=1e-9)
    other = run(*([1e-6 * (part + 40) for part in group] for group in (cases, controls)))
    np.testing.assert_allclose(other.statistic, found.statistic, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(other.conf_high * 1e6, found.conf_high, rtol=1e-8)


def test_shapes():
    cases, controls = drawn(2, 3)
    whole = run(cases, controls)
    assert all(part.shape == (2, 3) for part in whole)
    one = run([part[0, 0] for part in cases], [part[0, 0] for part in controls])
    assert np.shape(one.p_value) == ()
    assert all(same(part[0, 0], alone) for part, alone in zip(whole, one, strict=True))
    none = run([part[:0] for part in cases], [part[:0] for part in controls])
    assert all(part.shape == (0, 3) for part in none)


# ---------------------------------------------------------------- intervals and alternatives


def loglik(mean: np.ndarray, sigma: float, group) -> float:
    point, low, high = group
    z = (point - mean) / sigma
    inside = np.isfinite(low) & np.isfinite(high)
    return np.where(
        inside, st.norm.logpdf(z) - np.log(sigma), np.where(np.isneginf(low), st.norm.logcdf(z), st.norm.logsf(z))
    ).sum()


def most(cases, controls, effect: float | None) -> float:
    """Greatest log-likelihood by a general optimiser, with the effect held or free."""

    def minus(v):
        b = v[2] if effect is None else effect
        return -loglik(v[0] + b, np.exp(v[1]), cases) - loglik(v[0], np.exp(v[1]), controls)

    start = [0.0, 0.0] if effect is not None else [0.0, 0.0, 0.0]
    return -minimize(minus, start, method="BFGS", options={"gtol": 1e-7}).fun


@pytest.mark.parametrize("conf_level", [0.8, 0.95])
def test_interval_ends_where_the_likelihood_has_fallen(conf_level):
    cases, controls = drawn(6, seed=8, upper=0.8)
    found = run(cases, controls, conf_level=conf_level)
    for k in range(6):
        groups = [part[k] for part in cases], [part[k] for part in controls]
        top = most(*groups, None)
        assert 2 * (top - most(*groups, 0.0)) == pytest.approx(found.statistic[k], rel=1e-6)
        for end in (found.conf_low[k], found.conf_high[k]):
            assert 2 * (top - most(*groups, end)) == pytest.approx(st.chi2.ppf(conf_level, 1), rel=1e-6)


@pytest.mark.parametrize("calibrated", [False, True])
def test_intervals_hold_what_is_not_rejected(calibrated):
    cases, controls = drawn(400, seed=9, n=(6, 5))
    for alternative in ("two-sided", "greater", "less"):
        found = run(cases, controls, alternative=alternative, calibrated=calibrated)
        tested = ~np.isnan(found.p_value)
        assert tested.mean() > 0.98
        holds = (found.conf_low < 0) & (0 < found.conf_high)
        assert same(holds[tested], found.p_value[tested] > 0.05)


def test_one_sided_is_the_signed_root():
    cases, controls = drawn(20, seed=10)
    both, greater, less = (run(cases, controls, alternative=a) for a in ("two-sided", "greater", "less"))
    root = np.sign(both.estimate) * np.sqrt(both.statistic)
    np.testing.assert_allclose(greater.p_value, st.norm.sf(root), rtol=1e-12)
    np.testing.assert_allclose(less.p_value, st.norm.cdf(root), rtol=1e-12)
    assert same(both.side, np.sign(both.estimate))
    assert np.isposinf(greater.conf_high).all()
    assert np.isneginf(less.conf_low).all()
    np.testing.assert_allclose(greater.conf_low, run(cases, controls, conf_level=0.9).conf_low, rtol=1e-9)


def test_without_interval():
    cases, controls = drawn(5)
    with_interval, without = run(cases, controls), run(cases, controls, conf_level=None)
    assert np.isnan([without.conf_low, without.conf_high]).all()
    assert same(with_interval.p_value, without.p_value)


def test_calibrated_is_a_t_statistic():
    cases, controls = drawn(30, seed=11)
    z = np.ones((1, 9)), np.arange(8.0)[None]
    plain, found = (run(cases, controls, covariates=z, calibrated=option) for option in (False, True))
    n, df = 17, 14
    np.testing.assert_allclose(found.statistic**2, df * np.expm1(plain.statistic / n), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 2 * st.t.sf(np.abs(found.statistic), df), rtol=1e-12)
    assert (found.df == df).all()
    assert same(found.estimate, plain.estimate)
    assert same(found.std_error, plain.std_error)
    assert [TOBIT["tobit"].methods[code] for code in np.unique(found.method)] == ["likelihood ratio as t"]


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("side", [-1, 1])
def test_a_group_wholly_beyond_its_limits(side, calibrated):
    rng = np.random.default_rng(12)
    controls = (rng.normal(size=9),) * 3
    limit = np.full(7, -0.2 * side)
    beyond = limit, np.where(side < 0, -np.inf, limit), np.where(side > 0, np.inf, limit)
    found = run(beyond, controls, calibrated=calibrated)
    assert found.estimate == side * np.inf
    assert np.isnan(found.std_error)
    assert found.note == Note.EDGE
    assert TOBIT["tobit"].methods[int(found.method)].endswith("estimate at the edge")
    assert (found.conf_low if side < 0 else found.conf_high) == side * np.inf
    # The supremum: the controls alone. The free end: where the likelihood has fallen by half the threshold.
    top = most((np.empty(0),) * 3, controls, 0.0)
    ratio = 2 * (top - most(beyond, controls, 0.0))
    threshold = 16 * np.log1p(st.t.ppf(0.975, 14) ** 2 / 14) if calibrated else st.chi2.ppf(0.95, 1)
    end = found.conf_high if side < 0 else found.conf_low
    assert 2 * (top - most(beyond, controls, float(end))) == pytest.approx(threshold, rel=1e-6)
    shown = 14 * np.expm1(ratio / 16) if calibrated else ratio
    assert (found.statistic**2 if calibrated else found.statistic) == pytest.approx(shown, rel=1e-6)
    one_sided = run(beyond, controls, calibrated=calibrated, alternative="greater" if side > 0 else "less")
    assert one_sided.p_value == pytest.approx(found.p_value / 2, rel=1e-12)


def beyond_where(y: np.ndarray, rows, limit: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Some of the values are below a limit."""
    point, low = y.copy(), y.copy()
    point[..., rows], low[..., rows] = limit, -np.inf
    return point, low, point


def test_a_silent_level_drops_out():
    rng = np.random.default_rng(13)
    x, y = rng.normal(size=10), rng.normal(size=12)
    plate_x, plate_y = np.arange(10) % 3, np.arange(12) % 3
    for silent, levels in ((0, (1, 2)), (2, (1, 2)), (1, (0, 2))):  # also the level that has no column
        cases = beyond_where(x, plate_x == silent, 0.1)
        controls = beyond_where(y, plate_y == silent, 0.3)
        z = tuple(np.array([plate == level for level in levels], float) for plate in (plate_x, plate_y))
        found = run(cases, controls, covariates=z)
        rest = [[part[plate != silent] for part in group] for group, plate in ((cases, plate_x), (controls, plate_y))]
        level = min(set(range(3)) - {silent})
        without = run(*rest, covariates=tuple((plate[plate != silent] == level)[None] * 1.0 for plate in (plate_x, plate_y)))
        np.testing.assert_allclose(numbers(found), numbers(without), rtol=1e-9)
        assert (found.note, without.note) == (Note.SILENT_LEVEL, 0)


def test_a_level_beyond_limits_on_both_sides_still_speaks():
    rng = np.random.default_rng(14)
    x, y = rng.normal(size=8), rng.normal(size=9)
    plate = np.array([1.0, 1, 1, 0, 0, 0, 0, 0]), np.array([1.0, 1, 0, 0, 0, 0, 0, 0, 0])
    cases = beyond_where(x, plate[0] == 1, 0.2)
    controls = y.copy(), y.copy(), np.where(plate[1] == 1, np.inf, y)
    found = run(cases, controls, covariates=tuple(part[None] for part in plate))
    assert found.note == 0
    assert np.isfinite(numbers(found)).all()


def plates(*levels):
    return tuple(np.array([part], float) for part in levels)


def test_rows_that_cannot_be_tested():
    rng = np.random.default_rng(15)
    x, y = rng.normal(size=6), rng.normal(size=6)
    measured = (y,) * 3
    below = beyond_where(x, slice(0, 6), 0.0)
    constant = (np.full(6, 2.0),) * 3
    cases = {
        "a value a group": (((np.array([1.0] + [np.nan] * 5),) * 3, measured), {}, Note.TOO_FEW),
        "no value": (((np.full(6, np.nan),) * 3,) * 2, {}, Note.TOO_FEW),
        "all below": ((below, below), {}, Note.TOO_FEW_MEASURED),
        "one measured": ((below, beyond_where(y, slice(1, 6), 0.0)), {}, Note.TOO_FEW_MEASURED),
        "constant": ((constant, constant), {}, Note.CONSTANT),
        "numbers and limits constant": ((beyond_where(np.full(6, 2.0), slice(3), 2.0), constant), {}, Note.CONSTANT),
        "group is a plate": ((below, measured), {"covariates": plates([1] * 6, [0] * 6)}, Note.CONFOUNDED),
        "measured of a group on a plate of its own": (
            (beyond_where(x, slice(3), 0.0), measured),
            {"covariates": plates([0, 0, 0, 1, 1, 1], [0] * 6)},
            Note.CONFOUNDED,
        ),
        "measured values without error": (
            (beyond_where(np.full(6, 1.0), slice(3), 0.5), beyond_where(np.full(6, 0.0), slice(3), 2.0)),
            {},
            None,
        ),
    }
    for name, (groups, options, note) in cases.items():
        found = run(*groups, **options)
        if note is None:
            continue
        assert found.note == note, name
        assert np.isnan(numbers(found)).all(), name
        assert found.method == -1, name


def test_a_fit_without_error_is_no_answer():
    # Limits above the fitted values: the likelihood grows without end as sigma falls.
    cases = beyond_where(np.full(5, 1.0), slice(3), 1.5)
    controls = beyond_where(np.zeros(5), slice(2), 0.5)
    found = run(cases, controls)
    assert found.note == Note.NOT_CONVERGED
    assert np.isnan(numbers(found)).all()
    # A limit below them holds sigma.
    assert run(beyond_where(np.full(5, 1.0), slice(3), 0.5), controls).note == 0


def test_covariates_that_tell_each_other():
    cases, controls = drawn(3, n=(8, 9))
    rng = np.random.default_rng(16)
    age = rng.normal(60, 5, 17)
    zero, one = np.zeros(17), np.ones(17)
    plain = run(cases, controls, covariates=(age[None, :8], age[None, 8:]))
    for columns, note in (
        ([age, 2 * age - 3], Note.ALIASED),
        ([zero, age], 0),
        ([age, one], 0),
        ([age, zero, age], Note.ALIASED),
    ):
        z = np.array(columns)
        found = run(cases, controls, covariates=(z[:, :8], z[:, 8:]))
        np.testing.assert_allclose(numbers(found), numbers(plain), rtol=1e-9)
        assert (found.note == note).all()


def test_a_subject_without_a_value_does_not_enter():
    cases, controls = drawn(4, n=(8, 9))
    gone = [part.copy() for part in cases]
    gone[0][:, 3], gone[1][:, 3], gone[2][:, 3] = np.nan, np.nan, np.nan
    without = run([np.delete(part, 3, axis=-1) for part in cases], controls)
    np.testing.assert_allclose(numbers(run(gone, controls)), numbers(without), rtol=1e-10)
    # Missing for another reason: x is NaN, though the bounds are known.
    x = entered(*cases)
    x[:, 3] = np.nan
    found = tobit(x, entered(*controls), bounds=(*cases, *controls))
    assert same(numbers(found), numbers(run(gone, controls)))


# ---------------------------------------------------------------- size


def test_size():
    plain, calibrated = [], []
    for n, seed in (((10, 10), 17), ((6, 6), 18)):
        cases, controls = drawn(4000, seed=seed, n=n, lower=0.0)
        for kept, option in ((plain, False), (calibrated, True)):
            p = run(cases, controls, conf_level=None, calibrated=option).p_value
            kept.append(np.mean(p[~np.isnan(p)] < 0.05))
    error = np.sqrt(0.05 * 0.95 / 4000)
    assert (np.array(plain) > 0.05 + 3 * error).all()  # 6.5% and 8.2% in longer runs
    np.testing.assert_allclose(calibrated, [0.049, 0.056], atol=4 * error)


# ---------------------------------------------------------------- one sample


def test_one_normal_law_is_the_greatest_likelihood():
    groups = censored(np.random.default_rng(19).normal(3, 2, (20, 15)), lower=2.0, upper=5.0)
    fit = fit_normal(*groups)
    for k in range(20):
        row = [part[k] for part in groups]
        best = minimize(lambda v, row=row: -loglik(v[0], np.exp(v[1]), row), [3.0, 0.5], method="BFGS", options={"gtol": 1e-8})
        np.testing.assert_allclose([fit.mean[k], fit.sd[k], fit.loglik[k]], [best.x[0], np.exp(best.x[1]), -best.fun], rtol=1e-6)
    assert same(fit.n_measured, (np.isfinite(groups[1]) & np.isfinite(groups[2])).sum(axis=-1))
    mean, sd, _ = censored_moments(*groups)
    assert same(mean, fit.mean)
    assert same(sd, fit.sd)
    alone = fit_normal(*(part[3] for part in groups))
    assert [float(part) for part in alone] == [float(part[3]) for part in fit]


def test_one_sample_without_limits_and_at_its_ends():
    y = np.random.default_rng(20).normal(size=(4, 9))
    mean, sd, n = censored_moments(y, y, y)
    np.testing.assert_allclose(mean, y.mean(axis=-1), rtol=1e-12)
    np.testing.assert_allclose(sd, y.std(axis=-1), rtol=1e-12)
    assert (n == 9).all()
    point = np.array([[1.0, 1, 1], [2, 2, 2], [1, 2, 3], [1, 1, 2], [3, 3, 1], [np.nan] * 3])
    low = np.array([[-np.inf] * 3, [2, 2, 2], [-np.inf, -np.inf, 3], [1, 1, -np.inf], [3, 3, -np.inf], [np.nan] * 3])
    fit = fit_normal(point, low, point)
    few, flat, lost = (int(note) for note in (Note.TOO_FEW_MEASURED, Note.CONSTANT, Note.NOT_CONVERGED))
    assert fit.note.tolist() == [few, flat, few, lost, 0, few]
    assert same(np.isnan(fit.mean), fit.note != 0)
    assert same(np.isnan(fit.loglik), fit.note != 0)


def test_student_is_the_calibrated_ratio_without_limits():
    rng = np.random.default_rng(21)
    x, y = rng.normal(size=(30, 6)), rng.normal(size=(30, 5))
    np.testing.assert_allclose(tobit(x, y, calibrated=True).p_value, student(x, y).p_value, rtol=1e-11)
