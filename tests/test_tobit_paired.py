"""The bivariate censored normal model of pairs: against its likelihood in R, at its edges, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st
from scipy.optimize import minimize
from scipy.special import log_ndtr, ndtr

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.binormal import edge, log_quadrant, quadrant
from cytokine_cc.kernels.censored_pairs import derivatives, pairs_of
from cytokine_cc.kernels.paired import paired_t
from cytokine_cc.kernels.tobit_paired import TOBIT_PAIRED, tobit_paired

REFERENCE = Path(__file__).parent / "reference"
DATA = dict(list(pd.read_csv(REFERENCE / "tobit_paired_data.csv").groupby("case")))
EXPECTED = pd.read_csv(REFERENCE / "tobit_paired.csv")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"]
METHODS = TOBIT_PAIRED["tobit_paired"].methods


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def entered(point, low, high):
    return np.where(np.isneginf(low), low, np.where(np.isposinf(high), high, point))


def run(later, baseline, **options):
    """Run on two (point, low, high)."""
    return tobit_paired(entered(*later), entered(*baseline), bounds=(*later, *baseline), **options)


def censored(v, lower=-np.inf, upper=np.inf):
    point = np.clip(v, lower, upper)
    return point, np.where(v < lower, -np.inf, point), np.where(v > upper, np.inf, point)


def drawn(*shape, n=12, seed=1, change=0.0, rho=0.7, **limits):
    z = np.random.default_rng(seed).normal(size=(2, *shape, n))
    return censored(change + rho * z[1] + np.sqrt(1 - rho**2) * z[0], **limits), censored(z[1], **limits)


def numbers(found) -> np.ndarray:
    return np.array([getattr(found, name) for name in NUMBERS])


def of_case(case):
    sides = []
    for visit in ("later", "baseline"):
        side = DATA[case][f"{visit}_side"].to_numpy()
        point = np.where(side == "missing", np.nan, DATA[case][visit].to_numpy())
        sides.append((point, np.where(side == "below", -np.inf, point), np.where(side == "above", np.inf, point)))
    return sides


# ---------------------------------------------------------------- R


@pytest.mark.parametrize("row", EXPECTED.to_dict("records"), ids=lambda row: row["case"])
def test_equals_the_likelihood_in_r(row):
    found = run(*of_case(row["case"]))
    np.testing.assert_allclose(numbers(found), [row[name] for name in NUMBERS], rtol=1e-7)
    at_edge = np.isinf(row["estimate"])
    assert found.df == 1
    assert found.note == (Note.EDGE if at_edge else 0)
    assert METHODS[int(found.method)] == "likelihood ratio" + ", estimate at the edge" * int(at_edge)


def test_a_wrong_reference_value_is_seen():
    row = EXPECTED.iloc[0]
    found = numbers(run(*of_case(row["case"])))
    for k in range(len(NUMBERS)):
        wrong = row[NUMBERS].to_numpy(float)
        wrong[k] *= 1 + 1e-6
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(found, wrong, rtol=1e-7)


# ---------------------------------------------------------------- the bivariate normal


def test_quadrants_that_are_known():
    zero, rho = np.zeros(9), np.linspace(-0.99, 0.99, 9)
    z = np.arctanh(rho)
    np.testing.assert_allclose(np.exp(log_quadrant(zero, zero, z)), 0.25 + np.arcsin(rho) / (2 * np.pi), rtol=1e-13)
    h, k = np.random.default_rng(1).normal(size=(2, 9)) * 2
    np.testing.assert_allclose(np.exp(log_quadrant(h, k, z)) + np.exp(log_quadrant(h, -k, -z)), ndtr(h), rtol=1e-13)
    np.testing.assert_allclose(log_quadrant(10 * h, 10 * k, zero), log_ndtr(10 * h) + log_ndtr(10 * k), rtol=1e-13)
    np.testing.assert_allclose(log_quadrant(h, k, zero + 18), log_ndtr(np.minimum(h, k)), rtol=1e-9)
    for i in range(9):
        expected = st.multivariate_normal([0, 0], [[1, rho[i]], [rho[i], 1]]).cdf([h[i], k[i]])
        assert np.exp(log_quadrant(h[i : i + 1], k[i : i + 1], z[i : i + 1]))[0] == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("function", [quadrant, edge])
def test_derivatives_are_those_of_the_value(function):
    rng = np.random.default_rng(2)
    at = [rng.normal(size=40) * 1.5, rng.normal(size=40) * 1.5, rng.normal(size=40)]
    found, step = function(*at), 1e-5

    def central(i, part):
        up, down = ([v + s * step * (i == j) for j, v in enumerate(at)] for s in (1, -1))
        return (getattr(function(*up), part) - getattr(function(*down), part)) / (2 * step)

    for i, name in enumerate("hkz"):
        np.testing.assert_allclose(getattr(found, name), central(i, "value"), rtol=1e-6, atol=1e-7)
        for other in "hkz"[i:]:
            np.testing.assert_allclose(getattr(found, name + other), central(i, other), rtol=1e-6, atol=1e-7)


def test_gradient_and_hessian_of_the_likelihood():
    later, baseline = drawn(6, n=15, seed=3, lower=-0.3, upper=0.8)
    sides = [np.where(np.isneginf(part[1]), 1.0, np.where(np.isposinf(part[2]), -1.0, 0.0)) for part in (later, baseline)]
    pairs = pairs_of(later[0], baseline[0], *sides)
    assert all(len(cells.row) for cells in (pairs.x_only, pairs.y_only, pairs.neither))
    theta = np.random.default_rng(4).normal(size=(5, 6)) * 0.4
    _, gradient, hessian = derivatives(pairs, theta)
    for i in range(5):
        move = 1e-5 * (np.arange(5) == i)[:, None]
        up, down = derivatives(pairs, theta + move), derivatives(pairs, theta - move)
        np.testing.assert_allclose(gradient[i], (up[0] - down[0]) / 2e-5, rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(hessian[i], (up[1] - down[1]) / 2e-5, rtol=1e-6, atol=1e-6)


# ---------------------------------------------------------------- nothing beyond a limit


def test_without_values_beyond_limits_it_is_the_paired_t():
    (x, *_), (y, *_) = drawn(6, n=9, change=0.4)
    x[2, 4] = y[3, 1] = np.nan
    t, found, calibrated = paired_t(x, y), tobit_paired(x, y), tobit_paired(x, y, calibrated=True)
    n = t.df + 1
    np.testing.assert_allclose(found.statistic, n * np.log1p(t.statistic**2 / t.df), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, st.chi2.sf(found.statistic, 1), rtol=1e-12)
    np.testing.assert_allclose(found.std_error, t.std_error * np.sqrt(t.df / n), rtol=1e-12)
    for name in ("estimate", "conf_low", "conf_high", "statistic", "df", "p_value"):
        np.testing.assert_allclose(getattr(calibrated, name), getattr(t, name), rtol=1e-11, err_msg=name)
    assert same(numbers(run((x, x, x), (y, y, y))), numbers(found))


def test_iteration_and_closed_form_agree():
    (x, *_), (y, *_) = drawn(30, n=9, change=0.3, seed=5)
    closed = tobit_paired(x, y)
    # One more pair that lies somewhere below 1000 at both visits says nothing, but sends its row through the iteration.
    more = [np.concatenate([v, np.full((30, 1), 1e3)], axis=-1) for v in (x, y)]
    found = run(*((v, np.where(v == 1e3, -np.inf, v), v) for v in more))
    np.testing.assert_allclose(numbers(found), numbers(closed), rtol=1e-7)


# ---------------------------------------------------------------- what must not matter


@pytest.mark.parametrize("calibrated", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_row_has_the_same_bits_in_any_company(calibrated):
    rng = np.random.default_rng(6)
    limits = rng.normal(-0.2, 0.4, (2, 5, 1)) + 0.3 * rng.integers(0, 2, (2, 5, 14))
    limits[:, 0], limits[1, 2] = -np.inf, 0.5
    later, baseline = drawn(2, 5, n=14, seed=6)
    later[0][:, 1, 3] = np.nan
    later, baseline = censored(later[0], limits, 1.4), censored(baseline[0], limits - 0.1, 1.5)
    later[1][0, 3], later[2][0, 3] = -np.inf, later[0][0, 3]  # all below
    together = run(later, baseline, calibrated=calibrated)
    assert len(np.unique(together.method)) > 1
    for i in range(2):
        replicate = run(*([part[i] for part in side] for side in (later, baseline)), calibrated=calibrated)
        for k in range(5):
            alone = run(*([part[i, k] for part in side] for side in (later, baseline)), calibrated=calibrated)
            for name, whole, part, one in zip(together._fields, together, replicate, alone, strict=True):
                assert same(whole[i, k], part[k]), name
                assert same(whole[i, k], one), name


def test_blocks_do_not_matter(monkeypatch):
    sides = drawn(12, n=15, lower=-0.2)
    together = run(*sides)
    monkeypatch.setattr("cytokine_cc.kernels.tobit_paired.BLOCK_VALUES", 75)
    assert all(same(a, b) for a, b in zip(together, run(*sides), strict=True))


@pytest.mark.slow
def test_visits_exchanged_signs_and_units():
    later, baseline = drawn(40, n=15, lower=-0.4, upper=1.1, seed=7)
    found = run(later, baseline)
    exchanged = run(baseline, later)
    mirrored = run(*([-side[0], -side[2], -side[1]] for side in (later, baseline)))
    for other in (exchanged, mirrored):
        np.testing.assert_allclose(other.p_value, found.p_value, rtol=1e-6)
        np.testing.assert_allclose(other.estimate, -found.estimate, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(other.conf_low, -found.conf_high, rtol=1e-6)
    unit = run(*([1e-6 * (part + 40) for part in side] for side in (later, baseline)))
    np.testing.assert_allclose(unit.statistic, found.statistic, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(unit.conf_high * 1e6, found.conf_high, rtol=1e-6)


def test_order_of_pairs_and_missing_ones():
    later, baseline = drawn(5, n=14, lower=-0.3, seed=8)
    found = run(later, baseline)
    turned = run(*([part[:, ::-1] for part in side] for side in (later, baseline)))
    np.testing.assert_allclose(numbers(turned), numbers(found), rtol=1e-8)
    x, y = entered(*later), entered(*baseline)
    x[:, 3], y[:, 5] = np.nan, np.nan  # missing for another reason: the bounds are known
    gone = tobit_paired(x, y, bounds=(*later, *baseline))
    without = run(*([np.delete(part, [3, 5], axis=-1) for part in side] for side in (later, baseline)))
    np.testing.assert_allclose(numbers(gone), numbers(without), rtol=1e-8)


def test_shapes_and_inputs():
    later, baseline = drawn(2, 3, lower=-0.3)
    copies = [part.copy() for side in (later, baseline) for part in side]
    whole = run(later, baseline)
    assert all(same(a, b) for a, b in zip((*later, *baseline), copies, strict=True))
    assert all(part.shape == (2, 3) for part in whole)
    deeper = run(*([part[None] for part in side] for side in (later, baseline)))
    assert same(deeper.p_value, whole.p_value[None])
    single = run(*([part[0, 1] for part in side] for side in (later, baseline)))
    assert single.p_value.shape == ()
    for shape in ((0,), (2, 0), (0, 5), (3, 1), (2,)):
        empty = np.full(shape, np.nan)
        for found in (tobit_paired(empty, empty), run((empty,) * 3, (empty,) * 3, conf_level=None)):
            assert found.p_value.shape == shape[:-1]
            assert np.isnan(numbers(found)).all()
            assert (found.note == Note.TOO_FEW).all()


# ---------------------------------------------------------------- options


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
def test_interval_and_p_agree(alternative, calibrated):
    found = run(*drawn(60, change=0.5, lower=-0.1, seed=9), alternative=alternative, calibrated=calibrated)
    tested = ~np.isnan(found.p_value)
    assert tested.mean() > 0.9
    holds = (found.conf_low < 0) & (found.conf_high > 0)
    assert same(holds[tested], found.p_value[tested] > 0.05)


def test_one_sided_and_without_interval():
    sides = drawn(20, n=20, lower=-0.3, seed=10)
    both, greater, less = (run(*sides, alternative=a) for a in ("two-sided", "greater", "less"))
    root = np.sign(both.estimate) * np.sqrt(both.statistic)
    np.testing.assert_allclose(greater.p_value, st.norm.sf(root), rtol=1e-12)
    np.testing.assert_allclose(less.p_value, st.norm.cdf(root), rtol=1e-12)
    assert same(both.side, np.sign(both.estimate))
    assert np.isposinf(greater.conf_high).all()
    assert np.isneginf(less.conf_low).all()
    np.testing.assert_allclose(greater.conf_low, run(*sides, conf_level=0.9).conf_low, rtol=1e-8)
    without = run(*sides, conf_level=None)
    assert np.isnan([without.conf_low, without.conf_high]).all()
    assert same(without.p_value, both.p_value)


def test_calibrated_is_a_t_statistic():
    sides = drawn(10, n=15, lower=-0.3, seed=11)
    plain, found = run(*sides), run(*sides, calibrated=True)
    np.testing.assert_allclose(found.statistic**2, 14 * np.expm1(plain.statistic / 15), rtol=1e-12)
    np.testing.assert_allclose(found.p_value, 2 * st.t.sf(np.abs(found.statistic), 14), rtol=1e-12)
    assert (found.df == 14).all()
    assert same(found.estimate, plain.estimate)
    assert {METHODS[code] for code in found.method} == {"likelihood ratio as t"}


# ---------------------------------------------------------------- edges


def at_the_edge(measured, limits, beyond, change):
    """Twice the log-likelihood, at most, of numbers and of as many values beyond limits, `change` away; one SD for both."""

    def loss(v):
        mean, sd = v[0], np.exp(v[1])
        return -st.norm.logpdf(measured, mean, sd).sum() - log_ndtr(-beyond * (limits - mean - change) / sd).sum()

    return -2 * minimize(loss, [0.0, 0.0], method="BFGS", options={"gtol": 1e-9}).fun


@pytest.mark.parametrize("calibrated", [False, True])
@pytest.mark.parametrize("beyond", [-1, 1])
@pytest.mark.parametrize("later_is_beyond", [True, False])
def test_a_visit_wholly_beyond_its_limits(later_is_beyond, beyond, calibrated):
    measured = np.random.default_rng(12).normal(size=9)
    limits = np.repeat([-0.1, 0.0, 0.2], 3) * beyond
    outside = limits, np.where(beyond < 0, -np.inf, limits), np.where(beyond > 0, np.inf, limits)
    sides = (outside, (measured,) * 3) if later_is_beyond else ((measured,) * 3, outside)
    found = run(*sides, calibrated=calibrated)
    side = beyond if later_is_beyond else -beyond
    assert found.estimate == side * np.inf
    assert found.side == side
    assert found.note == Note.EDGE
    assert METHODS[int(found.method)] == "likelihood ratio" + " as t" * calibrated + ", estimate at the edge"
    assert (found.conf_high if side > 0 else found.conf_low) == side * np.inf
    end = float(found.conf_low if side > 0 else found.conf_high) * (1 if later_is_beyond else -1)
    top = 2 * st.norm.logpdf(measured, measured.mean(), measured.std()).sum()
    ratio = top - at_the_edge(measured, limits, beyond, 0.0)
    threshold = 9 * np.log1p(st.t.ppf(0.975, 8) ** 2 / 8) if calibrated else st.chi2.ppf(0.95, 1)
    assert top - at_the_edge(measured, limits, beyond, end) == pytest.approx(threshold, rel=1e-6)
    shown = side * np.sqrt(8 * np.expm1(ratio / 9)) if calibrated else ratio
    assert found.statistic == pytest.approx(shown, rel=1e-6)


def numbers_only(*v):
    return (np.array(v, float),) * 3


def below(v, *rows, limit=None):
    point, low = np.array(v, float), np.array(v, float)
    if limit is not None:
        point[list(rows)] = limit
    low[list(rows)] = -np.inf
    return point, low, point


def test_rows_that_cannot_be_tested():
    rising = numbers_only(1, 2, 3, 4, 5)
    cases = {
        "one pair": (numbers_only(1, np.nan, 3), numbers_only(2, 2, np.nan), Note.TOO_FEW),
        "constant change": (numbers_only(2, 3, 4, 5, 6), rising, Note.CONSTANT),
        "no change": (rising, rising, Note.NO_CHANGE),
        "no number": (below([1, 2, 3], 0, 1, 2), below([1, 2, 3], 0, 1, 2), Note.ALL_PAIRS_BEYOND),
        "never measured twice": (below([1, 2, 3, 4], 0, 1), below([1.2, 2.5, 3, 4], 2, 3), Note.TOO_FEW_MEASURED),
        "two pairs": (below([1, 2], 0), numbers_only(1, 3), Note.TOO_FEW_MEASURED),
        "the other visit measured once": (below([1, 2, 3], 0, 1, 2), below([1, 2, 3], 0, 1), Note.TOO_FEW_MEASURED),
        "a line through all": (below([1, 2, 3, 4, 0.5], 4), numbers_only(1, 2.5, 4, 5.5, -3), Note.NOT_CONVERGED),
        "two points": (below([0.5, 1.2, 2.6], 0), below([0.5, 1, 2.9], 0), Note.TOO_FEW_MEASURED),
        "constant change and one below": (below([2, 3, 4, 1], 3), numbers_only(1, 2, 3, -2), Note.CONSTANT),
        "no change and one below": (below([2, 3, 4, 1], 3), numbers_only(2, 3, 4, -2), Note.NO_CHANGE),
        "all numbers and limits equal": (below([1, 1, 1], 0), numbers_only(1, 1, 1), Note.CONSTANT),
    }
    for name, (later, baseline, note) in cases.items():
        found = run(later, baseline)
        assert Note(int(found.note)) == note, name
        assert np.isnan(numbers(found)).all(), name
        assert found.method == -1, name


def test_an_end_that_nothing_holds_is_open():
    # The one later number lies on a line with the baseline: the steeper, the lower the mean of the others, at little cost.
    later, baseline = below([0.5] + [0.25] * 11, *range(1, 12)), below([0.67, 0.69] + [0.25] * 10, *range(2, 12))
    found = run(later, baseline)
    assert found.note == 0
    assert np.isneginf(found.conf_low)
    assert found.estimate < found.conf_high < np.inf
    assert 0.05 < found.p_value < 1
    # In units of the SD of all numbers and limits: no change at its likeliest, and a law with a fall of 100.
    values = np.stack([later[0], baseline[0]])
    values = (values - values.mean()) / values.std()
    pairs = pairs_of(values[:1], values[1:], *(np.isneginf(side[1])[None] * 1.0 for side in (later, baseline)))
    laws = np.array([[-6.134, -6.134, 1.441, 1.771, 1.595], [-106.579, -6.579, 4.219, 1.819, 3.679]])
    null, far = (derivatives(pairs, law[:, None])[0][0] for law in laws)
    assert found.statistic + 2 * (null - far) < 1.2


# ---------------------------------------------------------------- simulation


def test_the_change_is_found_behind_the_limits():
    sides = drawn(300, n=40, seed=13, change=-0.5)
    cut = [censored(side[0], lower=-0.3) for side in sides]
    found = run(*cut, conf_level=None)
    assert np.median(found.estimate) == pytest.approx(-0.5, abs=0.05)
    at_limit = np.median((cut[0][0] - cut[1][0]).mean(axis=-1))
    assert at_limit > -0.4


def test_size():
    sides = drawn(1500, n=12, seed=14, lower=0.0)
    plain, calibrated = (run(*sides, conf_level=None, calibrated=option).p_value for option in (False, True))
    tested = ~np.isnan(plain)
    assert tested.mean() > 0.95
    error = np.sqrt(0.05 * 0.95 / 1500)
    assert abs(np.mean(calibrated[tested] < 0.05) - 0.05) < 3 * error
    assert np.mean(plain[tested] < 0.05) > np.mean(calibrated[tested] < 0.05)
