"""Conditional logistic regression: against clogit and all subsets, where it separates, with Firth's penalty, row by row."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import minimize
from scipy.special import ndtr

from cytokine_cc.arrays import NOTE_TEXTS, Note
from cytokine_cc.kernels import conditional_fit, conditional_likelihood, conditional_rows
from cytokine_cc.kernels.common import Statistics
from cytokine_cc.kernels.conditional import CONDITIONAL, METHODS, conditional_logistic

REFERENCE = Path(__file__).parent / "reference"
DATA = dict(list(pd.read_csv(REFERENCE / "conditional_data.csv").groupby("data")))
EXPECTED = pd.read_csv(REFERENCE / "conditional.csv", keep_default_na=False, na_values=[""])
EXPECTED["covariates"] = EXPECTED["covariates"].fillna("")
NUMBERS = ["estimate", "std_error", "conf_low", "conf_high", "statistic", "p_value"]
INFINITE = {"cases_above", "cases_below", "large_above", "both_separate"}
SETS = np.array([0, 0, 1, 1, 2, 3, 4]), np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 4, 4])  # 2:3, 2:3, 1:2, 1:1, 1:3


def same(a: Statistics, b: Statistics) -> bool:
    return all(np.array_equal(np.asarray(p), np.asarray(q), equal_nan=True) for p, q in zip(a, b, strict=True))


def numbers(found: Statistics) -> np.ndarray:
    return np.array([getattr(found, name) for name in NUMBERS])


def arrays(data: str, covariates: str):
    """Values, sets and covariates of cases and of controls."""
    groups = [DATA[data][DATA[data]["case"] == kind] for kind in (1, 0)]
    names = [name for name in covariates.split("+") if name]
    z = tuple(group[names].to_numpy(float).T for group in groups) if names else None
    return [group["value"].to_numpy(float) for group in groups], tuple(group["set"].to_numpy() for group in groups), z


def drawn(*shape: int, seed: int = 1, digits: int | None = None, missing: float = 0.0, sets=SETS):
    rng = np.random.default_rng(seed)
    x, y = (rng.normal(effect, 1, (*shape, len(part))) for part, effect in zip(sets, (0.4, 0.0), strict=True))
    if digits is not None:
        x, y = x.round(digits), y.round(digits)
    return tuple(np.where(rng.random(part.shape) < missing, np.nan, part) for part in (x, y))


def columns(*shape: int, q: int = 2, seed: int = 5, sets=SETS):
    rng = np.random.default_rng(seed)
    return tuple(rng.normal(size=(*shape, q, len(part))) for part in sets)


# ---------------------------------------------------------------- clogit


@pytest.mark.parametrize(
    "row", EXPECTED.to_dict("records"), ids=lambda row: f"{row['data']}-{row['covariates'] or 'none'}-{row['penalty']}"
)
def test_equals_reference(row):
    (x, y), sets, z = arrays(row["data"], row["covariates"])
    firth = row["penalty"] == "firth"
    found = conditional_logistic(x, y, sets=sets, covariates=z, penalty="firth" if firth else None)
    np.testing.assert_allclose(numbers(found), [row[name] for name in NUMBERS], rtol=3e-9, atol=0)
    infinite = row["data"] in INFINITE and not firth
    note = int(Note.INFINITE) if infinite else 0
    note |= int(Note.COVARIATE_SEPARATES) if "separates" in row["data"] and not firth else 0
    assert found.note == note | (int(Note.ALIASED) if "twice" in row["covariates"] else 0)
    assert METHODS[int(found.method)] == METHODS[2 if firth else int(infinite)]
    assert found.df == 1


def test_a_wrong_reference_value_is_seen():
    row = EXPECTED.iloc[0]
    (x, y), sets, z = arrays(row["data"], row["covariates"])
    found = numbers(conditional_logistic(x, y, sets=sets, covariates=z))
    for k in range(len(NUMBERS)):
        wrong = row[NUMBERS].to_numpy(float)
        wrong[k] *= 1 + 1e-8
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(found, wrong, rtol=3e-9, atol=0)


# ---------------------------------------------------------------- the likelihood, by all subsets


def all_subsets(x, y, sets, z=None):
    """Differences of each subset's sum from that of the cases, (columns, subsets), set by set; the value last."""
    z = z or (np.zeros((0, x.shape[-1])), np.zeros((0, y.shape[-1])))
    found = []
    for number in np.union1d(*sets):
        parts = [
            np.concatenate([own, v[None]])[:, (s == number) & ~np.isnan(v)] for own, v, s in zip(z, (x, y), sets, strict=True)
        ]
        m, joined = parts[0].shape[1], np.concatenate(parts, axis=1)
        if m and m < joined.shape[1]:
            sums = np.stack([joined[:, list(chosen)].sum(axis=1) for chosen in combinations(range(joined.shape[1]), m)], axis=1)
            found.append(sums - parts[0].sum(axis=1, keepdims=True))
    return found


def loglik(subsets, theta):
    return -sum(np.logaddexp.reduce(theta @ d) for d in subsets)


@pytest.mark.parametrize("most", [1, 4, 130], ids=["recursion", "mixed", "written out"])
@pytest.mark.parametrize("q", [0, 2])
@pytest.mark.parametrize("penalty", [None, "firth"])
def test_recursion_and_subsets_agree(monkeypatch, most, q, penalty):
    x, y = drawn(24, seed=7, missing=0.1)
    z = columns(q=q) if q else None
    expected = conditional_logistic(x, y, sets=SETS, covariates=z, penalty=penalty)
    monkeypatch.setattr(conditional_likelihood, "MOST_SUBSETS", most)
    found = conditional_logistic(x, y, sets=SETS, covariates=z, penalty=penalty)
    for name in NUMBERS:
        np.testing.assert_allclose(getattr(found, name), getattr(expected, name), rtol=1e-7, atol=1e-12, err_msg=name)
    assert (found.note == expected.note).all()


@pytest.mark.parametrize("most", [1, 130])
def test_derivatives_are_those_of_the_likelihood(monkeypatch, most):
    from cytokine_cc.kernels.conditional_sets import design_of, extent_of, members_of

    monkeypatch.setattr(conditional_likelihood, "MOST_SUBSETS", most)
    x, y = drawn(1, 1, seed=3, missing=0.1)
    members = members_of(x, y, tuple(part[None] for part in SETS), columns(1, q=1))
    groups = conditional_likelihood.groups_of(design_of(members, extent_of(members)), members.shapes)
    at, h = np.array([[0.7], [-0.4]]), 1e-5
    own = conditional_likelihood.derivatives(groups, at, 3)
    for a in range(2):
        step = np.zeros_like(at)
        step[a] = h
        up, down = (conditional_likelihood.derivatives(groups, at + sign * step, 3) for sign in (1, -1))
        np.testing.assert_allclose(own.gradient[a], (up.loglik - down.loglik) / (2 * h), rtol=1e-8)
        np.testing.assert_allclose(own.information[a], -(up.gradient - down.gradient) / (2 * h), rtol=1e-8)
        np.testing.assert_allclose(own.third[a], (up.information - down.information) / (2 * h), rtol=1e-7)


@pytest.mark.parametrize("q", [0, 1, 3])
def test_the_recursion_has_the_derivatives_of_all_subsets(monkeypatch, q):
    """Rows with sets of several numbers of cases, down to none, side by side."""
    from cytokine_cc.kernels.conditional_sets import design_of, extent_of, members_of

    sets = np.repeat(np.arange(3), 5), np.repeat(np.arange(3), [4, 6, 3])
    x, y = drawn(1, 12, seed=13, missing=0.4, sets=sets)
    x[0, 0] = np.nan
    members = members_of(x, y, tuple(part[None] for part in sets), columns(1, q=q, sets=sets))
    at = np.random.default_rng(3).normal(size=(q + 1, 12)) * 3
    for order in (1, 2, 3):
        found = []
        for most in (1, 1000):
            monkeypatch.setattr(conditional_likelihood, "MOST_SUBSETS", most)
            groups = conditional_likelihood.groups_of(design_of(members, extent_of(members)), members.shapes)
            found.append(conditional_likelihood.derivatives(groups, at, order))
        for name in found[0]._fields[: order + 1]:
            parts = [getattr(part, name) for part in found]
            np.testing.assert_allclose(*parts, rtol=1e-11, atol=1e-13 * np.abs(parts[1]).max(), err_msg=name)


def test_two_large_strata_are_worked_on_together(monkeypatch):
    """Each sum over subsets costs many small steps: rows share them."""
    calls = []

    def counted(*given):
        calls.append(given[1].shape)
        return conditional_likelihood.derivatives(*given)

    monkeypatch.setattr(conditional_fit, "derivatives", counted)
    sets = np.arange(60) % 2, np.arange(60) % 2
    x, y = drawn(36, sets=sets)
    found = conditional_logistic(x, y, sets=sets, covariates=columns(q=1, sets=sets), penalty="firth")
    assert np.isfinite(numbers(found)).all()
    assert len(calls) < 50
    assert calls[0] == (2, 36)


def test_pairs_are_a_logistic_regression_of_differences():
    from statsmodels.api import Logit

    rng = np.random.default_rng(2)
    x, y = rng.normal(0.3, 1, 40), rng.normal(size=40)
    z = rng.normal(size=(1, 40)), rng.normal(size=(1, 40))
    found = conditional_logistic(x, y, sets=(np.arange(40), np.arange(40)), covariates=z)
    d = np.stack([z[0][0] - z[1][0], x - y], axis=1)
    fit = Logit(np.ones(40), d).fit(disp=0, tol=1e-12)
    np.testing.assert_allclose([found.estimate, found.std_error], [fit.params[1], fit.bse[1]], rtol=1e-9)


# ---------------------------------------------------------------- separation


@pytest.mark.parametrize("q", [0, 1, pytest.param(2, marks=pytest.mark.slow)])
def test_separation_is_decided_as_a_search_would(q):
    """Small sets of whole numbers: often separated. A search within wide bounds nears the supremum."""
    rng = np.random.default_rng(8 + q)
    sets = np.arange(4), np.array([0, 0, 1, 2, 2, 3])
    n = 12
    x, y = rng.integers(0, 4, (n, 4)).astype(float), rng.integers(0, 4, (n, 6)).astype(float)
    kinds = {"infinite": 0, "covariates": 0, "neither": 0}
    for k in range(n):
        z = (rng.integers(0, 3, (q, 4)).astype(float), rng.integers(0, 3, (q, 6)).astype(float)) if q else None
        found = conditional_logistic(x[k], y[k], sets=sets, covariates=z)
        note = Note(int(found.note))
        assert not note & Note.NOT_CONVERGED
        if np.isnan(found.p_value):
            assert note & (Note.CONFOUNDED | Note.VALUE_TOLD | Note.NO_VARIATION)
            continue
        subsets = all_subsets(x[k], y[k], sets, z)
        tops = []
        for last in (400, 0):
            at = np.zeros(q + 1)
            for wide in (10, 100, 400):
                bounds = [(-wide, wide)] * q + [(-min(wide, last), min(wide, last))]
                at = minimize(lambda t, s=subsets: -loglik(s, t), at, bounds=bounds, method="L-BFGS-B", tol=1e-14).x
            tops.append(loglik(subsets, at))
        np.testing.assert_allclose(found.statistic, 2 * (tops[0] - tops[1]), atol=2e-3)
        kinds["infinite"] += np.isinf(found.estimate)
        kinds["covariates"] += bool(note & Note.COVARIATE_SEPARATES)
        kinds["neither"] += note & ~Note.ALIASED == 0
        assert np.isinf(found.estimate) == bool(note & Note.INFINITE)
        assert np.isfinite([found.conf_low, found.conf_high]).sum() >= 1 or found.statistic < 3.85
    assert kinds["infinite"] >= 1
    assert kinds["covariates"] + kinds["neither"] >= 1


def test_ends_at_infinity_lie_where_the_likelihood_has_fallen():
    x, y = np.array([3.0, 5.0, 4.0, 6.0, 2.0]), np.array([1.0, 2.0, 2.0, 4.0, 1.0])
    sets = np.arange(5), np.arange(5)
    for sign in (1, -1):
        found = conditional_logistic(sign * x, sign * y, sets=sets)
        assert found.estimate == sign * np.inf
        assert np.isnan(found.std_error)
        end = found.conf_low if sign > 0 else found.conf_high
        assert (found.conf_high if sign > 0 else found.conf_low) == sign * np.inf
        fallen = loglik(all_subsets(sign * x, sign * y, sets), np.array([end]))
        np.testing.assert_allclose(-2 * fallen, 3.841458820694124, rtol=1e-10)  # its supremum is 0
        np.testing.assert_allclose(found.statistic, 10 * np.log(2), rtol=1e-14)


def test_covariates_that_tell_all_cases():
    x, y = drawn(3)
    z = tuple(np.full((1, len(part)), value) for part, value in zip(SETS, (1.0, 0.0), strict=True))
    found = conditional_logistic(x, y, sets=SETS, covariates=z)
    assert (found.note == int(Note.COVARIATE_SEPARATES | Note.CONFOUNDED)).all()
    assert np.isnan(found.p_value).all()
    assert (found.method == -1).all()
    penalised = conditional_logistic(x, y, sets=SETS, covariates=z, penalty="firth")
    assert np.isfinite(numbers(penalised)[[0, 1, 4, 5]]).all()
    assert (penalised.note == 0).all()


def test_covariates_that_tell_some_cases_and_the_value_of_the_others():
    sets = np.arange(5), np.arange(5)
    x, y = np.array([1.0, 2.0, 3.0, 5.0, 4.0]), np.array([2.0, 1.0, 2.5, 3.0, 5.0])
    z = np.array([[9.0, 9.0, 0.0, 0.0, 0.0], [0, 0, *x[2:]]]), np.array([[0.0] * 5, [0, 0, *y[2:]]])
    found = conditional_logistic(x, y, sets=sets, covariates=z)
    assert found.note == Note.COVARIATE_SEPARATES | Note.VALUE_TOLD
    only = conditional_logistic(np.where(x > 2.5, 1.0, x), np.where(y > 2.2, 1.0, y), sets=sets, covariates=(z[0][:1], z[1][:1]))
    assert only.note == Note.COVARIATE_SEPARATES | Note.VALUE_TOLD  # constant in what is left


def test_notes_say_what_is_true_with_and_without_covariates():
    """Value and covariate separate together, while controls lie above cases in the value: the note claims nothing of these."""
    sets = np.arange(6), np.arange(6)
    x, z = np.array([1.0, 2.0, 0.0, 3.0, -1.0, 2.0]), np.array([[1.0, 0.5, 2.0, -1.0, 3.0, 0.0]])
    found = conditional_logistic(x, 0 * x, sets=sets, covariates=(z, 0 * z))
    assert found.note == Note.INFINITE
    assert (x < 0).any()
    text = NOTE_TEXTS[Note.INFINITE]
    for words in ("separation", "alone or with the covariates", "infinite or 0", 'penalty="firth" gives a finite one'):
        assert words in text


def test_rounding_does_not_hide_separation():
    x, y = np.array([0.1 + 0.2, 5.0, 6.0]), np.array([0.3, 4.0, 5.0])
    for values in ((x, y), (np.array([0.3, 5.0, 6.0]), np.array([0.1 + 0.2, 4.0, 5.0]))):
        found = conditional_logistic(*values, sets=(np.arange(3), np.arange(3)))
        assert found.note == Note.INFINITE
        np.testing.assert_allclose(found.statistic, 4 * np.log(2), rtol=1e-12)


# ---------------------------------------------------------------- rows that cannot be tested


def test_notes():
    sets = np.array([0, 1, 2]), np.array([0, 1, 2, 2])
    nan = np.nan
    x = np.array([[nan, nan, nan], [1.0, 2.0, 3.0], [nan, 2.0, 3.0], [1.0, nan, nan], [1.0, 2.0, 3.0]])
    y = np.array([[1.0, 2.0, 3.0, 4.0], [1.0, 2.0, 3.0, 3.0], [2.0, nan, nan, nan], [0.0, 3.0, 1.0, 1.0], [nan] * 4])
    found = conditional_logistic(x, y, sets=sets)
    assert [Note(int(note)) for note in found.note] == [Note.NO_SET, Note.NO_VARIATION, Note.NO_SET, Note.INFINITE, Note.NO_SET]
    assert (found.method == [-1, -1, -1, 1, -1]).all()
    assert np.isnan(np.array(found[:7])[:, [0, 1, 2, 4]]).all()
    outside = conditional_logistic(x[3], y[3], sets=(np.array([-1, 1, 2]), sets[1]))
    assert outside.note == Note.NO_SET


def test_covariates_that_are_constant_aliased_or_the_value():
    x, y = drawn(4, seed=9)
    z = columns(q=1)
    plain = conditional_logistic(x, y, sets=SETS, covariates=z)
    of_set = tuple(np.concatenate([own, s[None] * 2.5 + 7e3, 0 * own]) for own, s in zip(z, SETS, strict=True))
    with_constant = conditional_logistic(x, y, sets=SETS, covariates=of_set)
    np.testing.assert_allclose(numbers(with_constant), numbers(plain), rtol=1e-9)
    assert (with_constant.note == 0).all()
    twice = tuple(np.concatenate([own, 3 * own + s]) for own, s in zip(z, SETS, strict=True))
    aliased = conditional_logistic(x, y, sets=SETS, covariates=twice)
    np.testing.assert_allclose(numbers(aliased), numbers(plain), rtol=1e-9)
    assert (aliased.note == Note.ALIASED).all()
    told = tuple(np.concatenate([own, 2 * v[:1] - s]) for own, v, s in zip(z, (x, y), SETS, strict=True))
    found = conditional_logistic(x, y, sets=SETS, covariates=told)
    assert (found.note == [Note.VALUE_TOLD, 0, 0, 0]).all()
    assert np.isnan(found.p_value).tolist() == [True, False, False, False]


def test_cases_and_controls_alike_have_an_odds_ratio_of_one():
    found = conditional_logistic(np.array([1.0, 2.0]), np.array([1.0, 2.0]), sets=(np.zeros(2, int), np.zeros(2, int)))
    assert (found.estimate, found.statistic, found.p_value, found.note) == (0, 0, 1, 0)
    np.testing.assert_allclose(found.conf_low, -found.conf_high)


# ---------------------------------------------------------------- row by row


@pytest.mark.parametrize(
    ("penalty", "q", "most"), [(None, 0, 3), (None, 0, 130), (None, 2, 3), (None, 2, 130), ("firth", 0, 3), ("firth", 1, 130)]
)
def test_a_row_does_not_depend_on_its_company(monkeypatch, penalty, q, most):
    """Sets, too, may differ by replicate, in number and in shape."""
    monkeypatch.setattr(conditional_likelihood, "MOST_SUBSETS", most)
    rng = np.random.default_rng(4)
    x, y = drawn(3, 3, seed=11, digits=1, missing=0.08)
    sets = tuple(rng.permuted(np.broadcast_to(part, (3, len(part))), axis=-1) for part in SETS)
    sets[0][2, :3] = sets[1][2, :4] = 9
    z = columns(3, q=q, sets=SETS) if q else None
    options = {"penalty": penalty}
    whole = conditional_logistic(x, y, sets=sets, covariates=z, **options)
    monkeypatch.setattr(conditional_rows, "PIECE_VALUES", 60)
    pieces = conditional_logistic(x, y, sets=sets, covariates=z, **options)
    assert same(pieces, whole)
    for i in range(3):
        own = None if z is None else tuple(part[i] for part in z)
        for j in range(3):
            alone = conditional_logistic(x[i, j], y[i, j], sets=tuple(s[i] for s in sets), covariates=own, **options)
            assert alone.estimate.shape == ()
            assert same(alone, Statistics(*(np.asarray(part)[i, j] for part in whole))), (i, j)


def test_the_model_without_the_value_is_fitted_once_for_rows_with_the_same_members(monkeypatch):
    x, y = drawn(2, 5, seed=12)
    x[0, 3, 0] = y[1, 0, 2] = np.nan
    z = columns(2, q=1)
    sizes = []
    maximise = conditional_rows.maximise

    def noted(model, start, **options):
        sizes.append(start.shape)
        return maximise(model, start, **options)

    monkeypatch.setattr(conditional_rows, "maximise", noted)
    whole = conditional_logistic(x, y, sets=SETS, covariates=z, conf_level=None)
    assert sizes[:2] == [(1, 5), (2, 10)]  # 3, 1 and 1 of the first replicate, 1 and 4 of the second
    for i, j in np.ndindex(2, 5):
        alone = conditional_logistic(x[i, j], y[i, j], sets=SETS, covariates=tuple(part[i] for part in z), conf_level=None)
        assert same(alone, Statistics(*(np.asarray(part)[i, j] for part in whole)))


def test_shapes_and_shared_sets():
    x, y = drawn(2, 3, 4)
    found = conditional_logistic(x, y, sets=SETS)
    assert all(np.shape(part) == (2, 3, 4) for part in found)
    wide = tuple(np.broadcast_to(part, (2, 3, len(part))) for part in SETS)
    assert same(conditional_logistic(x, y, sets=wide), found)
    none = conditional_logistic(x[:, :0], y[:, :0], sets=SETS)
    assert none.p_value.shape == (2, 0, 4)


def test_one_sided_and_without_interval():
    x, y = drawn(20)
    two, up, down = (conditional_logistic(x, y, sets=SETS, alternative=name) for name in ("two-sided", "greater", "less"))
    root = np.sign(two.estimate) * np.sqrt(two.statistic)
    np.testing.assert_allclose(up.p_value, ndtr(-root), rtol=1e-12)
    np.testing.assert_allclose(down.p_value, ndtr(root), rtol=1e-12)
    wide = conditional_logistic(x, y, sets=SETS, conf_level=0.9)
    np.testing.assert_allclose(up.conf_low, wide.conf_low, rtol=1e-10)
    np.testing.assert_allclose(down.conf_high, wide.conf_high, rtol=1e-10)
    assert (up.conf_high == np.inf).all()
    assert (down.conf_low == -np.inf).all()
    without = conditional_logistic(x, y, sets=SETS, conf_level=None)
    assert np.isnan(without.conf_low).all()
    assert np.isnan(without.conf_high).all()
    assert same(without, two._replace(conf_low=without.conf_low, conf_high=without.conf_high))


@pytest.mark.parametrize("penalty", [None, "firth"])
@pytest.mark.parametrize("q", [0, 1])
def test_invariance(penalty, q):
    x, y = drawn(12, seed=21, missing=0.05)
    z = columns(q=q) if q else None
    found = conditional_logistic(x, y, sets=SETS, covariates=z, penalty=penalty)
    swapped = conditional_logistic(y, x, sets=SETS[::-1], covariates=z and z[::-1], penalty=penalty)
    for name, other in (("estimate", "estimate"), ("conf_low", "conf_high"), ("conf_high", "conf_low")):
        np.testing.assert_allclose(getattr(swapped, name), -getattr(found, other), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(swapped.statistic, found.statistic, rtol=1e-9, atol=1e-11)
    order = np.random.default_rng(0).permutation(len(SETS[1]))
    own = (z[0], z[1][:, order]) if z else None
    moved = conditional_logistic(x, y[:, order], sets=(SETS[0] * 7, SETS[1][order] * 7), covariates=own, penalty=penalty)
    np.testing.assert_allclose(numbers(moved), numbers(found), rtol=1e-8, atol=1e-11)
    for scale in (2.0**-700, 1e-6, 1e8, 2.0**700):
        scaled = conditional_logistic(scale * x, scale * y, sets=SETS, covariates=z, penalty=penalty)
        for name in NUMBERS:
            times = scale if name in ("estimate", "std_error", "conf_low", "conf_high") else 1.0
            expected = getattr(found, name)
            np.testing.assert_allclose(getattr(scaled, name) * times, expected, rtol=1e-8, atol=1e-11, err_msg=f"{name} {scale}")
    shared = np.random.default_rng(1).normal(size=9)  # what members of a set share drops out
    lifted = conditional_logistic(x + shared[SETS[0]], y + shared[SETS[1]], sets=SETS, covariates=z, penalty=penalty)
    np.testing.assert_allclose(numbers(lifted), numbers(found), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("most", [1, 130])
def test_outliers_do_not_overflow(monkeypatch, most):
    monkeypatch.setattr(conditional_likelihood, "MOST_SUBSETS", most)
    x, y = drawn(6, seed=30)
    x[:, 0] += [1e3, -1e3, 1e5, -1e5, 1e9, -1e9]
    found = conditional_logistic(x, y, sets=SETS)
    for k in range(6):
        subsets = all_subsets(x[k], y[k], SETS)
        b = float(found.estimate[k])
        near = [loglik(subsets, np.array([at])) for at in (b, b * (1 + 1e-4), b * (1 - 1e-4))]
        assert near[0] >= max(near[1:]) - 1e-10
        assert found.conf_low[k] < b < found.conf_high[k]
        np.testing.assert_allclose(found.statistic[k], 2 * (near[0] - loglik(subsets, np.zeros(1))), rtol=1e-7, atol=1e-9)


# ---------------------------------------------------------------- bias


@pytest.mark.slow
def test_firth_takes_the_first_order_bias_away():
    rng = np.random.default_rng(6)
    b, n_sets, n = 0.4, 50, 20_000
    d = rng.normal(size=(n, 1, n_sets))
    d = np.where(rng.random(d.shape) < 1 / (1 + np.exp(-b * d)), d, -d)
    sets = np.arange(n_sets), np.arange(n_sets)
    plain, firth = (
        conditional_logistic(d, np.zeros_like(d), sets=sets, conf_level=None, penalty=penalty).estimate / b - 1
        for penalty in (None, "firth")
    )
    error = plain.std() / np.sqrt(n)
    assert abs(plain.mean() - 3 / n_sets) < 4 * error + 0.01
    assert abs(firth.mean()) < 4 * error + 0.005
    assert firth.std() < plain.std()


def test_entry():
    entry = CONDITIONAL["conditional_logistic"]
    assert entry.function is conditional_logistic
    assert entry.matched
    assert (entry.takes, entry.sets, entry.estimand) == (("sets", "covariates"), "both", "odds")
