"""Longitudinal models: against gls and lmerTest, published values of mmrm and SAS, closed forms, edges, row by row."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.independent import student
from cytokine_cc.kernels.linear import ancova
from cytokine_cc.kernels.longitudinal import LONGITUDINAL, _likelihood, clda, lda
from cytokine_cc.kernels.longitudinal_design import model_of
from cytokine_cc.kernels.longitudinal_reml import entries, evaluate, maximise

REFERENCE = Path(__file__).parent / "reference"
DATA = dict(list(pd.read_csv(REFERENCE / "longitudinal_data.csv").groupby("set")))
EXPECTED = pd.read_csv(REFERENCE / "longitudinal.csv")
MODELS = {"lda": lda, "clda": clda}
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value")


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def run(name: str, x: np.ndarray, y: np.ndarray, at: int = 1, **options):
    return MODELS[name](x[..., at, :], y[..., at, :], visits=(x, y), at=at, **options)


def numbers(found) -> np.ndarray:
    return np.array([getattr(found, part) for part in NUMBERS])


def drawn(*shape: int, seed: int = 1, visits: int = 2, n=(9, 8), missing: float = 0.0):
    """Values of cases and controls, correlated .6."""
    rng = np.random.default_rng(seed)
    total = sum(n)
    y = 0.6**0.5 * rng.normal(size=(*shape, 1, total)) + 0.4**0.5 * rng.normal(size=(*shape, visits, total))
    y[rng.random(y.shape) < missing] = np.nan
    return y[..., : n[0]].copy(), y[..., n[0] :].copy()


def reference_arrays(name: str, covariates: str):
    data = DATA[name]
    visits, n1 = data["visit"].max(), int(data.loc[data["visit"] == 1, "case"].sum())

    def by_visit(column: str) -> np.ndarray:
        return data[column].to_numpy(float).reshape(visits, -1)

    z = []
    if covariates in ("age", "both"):
        z += [np.eye(visits)[t][:, None] * by_visit("age") for t in range(visits)]
    if covariates in ("plate", "both"):
        z += [by_visit("plate2"), by_visit("plate3")]
    y = by_visit("value")
    shared = np.stack(z, axis=1) if z else None
    return (y[:, :n1], y[:, n1:]), None if shared is None else (shared[..., :n1], shared[..., n1:])


# ---------------------------------------------------------------- R


@pytest.mark.parametrize("row", EXPECTED.to_dict("records"), ids=lambda r: f"{r['set']}-{r['model']}-{r['covariates']}-{r['at']}")
def test_equals_the_restricted_likelihood_in_r(row):
    values, covariates = reference_arrays(row["set"], row["covariates"])
    found = run(row["model"], *values, row["at"], covariates=covariates)
    assert found.estimate.shape == ()
    np.testing.assert_allclose(found.estimate, row["estimate"], rtol=1e-8)
    np.testing.assert_allclose(found.std_error, row["std_error"], rtol=1e-8)
    np.testing.assert_allclose(found.df, row["df"], rtol=1e-7)  # R's by numerical derivatives
    np.testing.assert_allclose(found.estimate, row["gls_estimate"], rtol=1e-4)  # where gls stops
    np.testing.assert_allclose(found.std_error, row["gls_std_error"], rtol=2e-5)
    if not np.isnan(row["lmer_df"]):
        np.testing.assert_allclose(found.df, row["lmer_df"], rtol=1e-6)
    np.testing.assert_allclose(found.p_value, 2 * st.t.sf(abs(row["estimate"] / row["std_error"]), row["df"]), rtol=1e-6)
    partly = row["set"] not in ("complete2", "complete3")
    assert found.note == (Note.SEMI_PAIRED if partly else 0)
    assert LONGITUDINAL[row["model"]].methods[int(found.method)] == "REML, Satterthwaite"


def test_a_wrong_reference_value_is_seen():
    row = EXPECTED[EXPECTED["set"] == "mixed3"].iloc[0]
    values, _ = reference_arrays(row["set"], "none")
    found = run(row["model"], *values, row["at"])
    for name, tolerance in (("estimate", 1e-8), ("std_error", 1e-8), ("df", 1e-7)):
        with pytest.raises(AssertionError):
            np.testing.assert_allclose(getattr(found, name), row[name] * (1 + 3 * tolerance), rtol=tolerance)


# ---------------------------------------------------------------- published values

# FEV1 ~ RACE + SEX + ARMCD * AVISIT + us(AVISIT | USUBJID), REML, 197 of 200 patients of `fev_data` (simulated, Apache-2.0), 537
# of 800 values there: the change from VIS1 in TRT less that in PBO. mmrm: summary(fit), printed in the package's introduction
# (https://openpharma.github.io/mmrm). SAS: PROC MIXED, type=un, ddfm=satterthwaite, printed in design/SAS/sas_log_reml.txt of
# https://github.com/openpharma/mmrm. The data, there in design/SAS/sas_resid_un.txt, are rounded to five decimals here.
FEV_MMRM = {1: (-0.04193, 1.12932, 138.56), 2: (-0.69369, 1.18765, 158.17), 3: (0.62423, 1.85085, 129.72)}
FEV_SAS = {1: (-0.04231, 1.1292, 139, 0.9702), 2: (-0.6939, 1.1876, 158, 0.5599), 3: (0.6240, 1.8510, 130, 0.7366)}
SIGMA_MMRM = [40.5537, 14.3960, 4.9747, 13.3867, 26.5715, 2.7855, 7.4745, 14.8979, 0.9082, 95.5568]
SIGMA_SAS = [40.5509, 14.3982, 4.9744, 13.3731, 26.5692, 2.7851, 7.4790, 14.8970, 0.9017, 95.5528]


@pytest.fixture(scope="module")
def fev():
    data = pd.read_csv(REFERENCE / "fev_data.csv")
    y = data[[f"visit{t}" for t in range(1, 5)]].to_numpy(float).T
    z = np.stack([data["race"] == "Black or African American", data["race"] == "White", data["sex"] == "Female"]) * 1.0
    z = np.broadcast_to(z, (4, *z.shape))
    treated = (data["arm"] == "TRT").to_numpy()
    assert (~np.isnan(y)).sum() == 537
    return (y[:, treated], y[:, ~treated]), (z[..., treated], z[..., ~treated])


@pytest.mark.parametrize("at", [1, 2, 3])
def test_published_values_of_mmrm_and_sas(fev, at):
    values, covariates = fev
    found = run("lda", *values, at, covariates=covariates)
    estimate, std_error, df = FEV_MMRM[at]
    # mmrm and SAS differ from each other by up to 4e-4, since each stopped short of the maximum, as the next test shows
    assert abs(found.estimate - estimate) < 2e-4
    assert abs(found.std_error - std_error) < 1.5e-4
    assert abs(found.df - df) < 0.02
    estimate, std_error, df, p = FEV_SAS[at]
    assert abs(found.estimate - estimate) < 3e-4
    assert abs(found.std_error - std_error) < 1.5e-4
    assert round(float(found.df)) == df
    assert abs(found.p_value - p) < 3e-4
    assert found.note == Note.SEMI_PAIRED


def test_published_covariances_have_a_lower_likelihood(fev):
    (x, y), (z1, z2) = fev
    values, columns = np.concatenate([x, y], axis=-1)[None], np.concatenate([z1, z2], axis=-1)[None]
    model = model_of(values, columns, x.shape[-1], 1, shared_baseline=False)
    top = maximise(model)
    scale = np.sqrt(np.nansum((values - np.nanmean(values, axis=-1, keepdims=True)) ** 2) / 537)
    a, b = entries(4)
    np.testing.assert_allclose(top.sigma[0, a, b] * scale**2, SIGMA_MMRM, atol=0.01)
    np.testing.assert_allclose(top.sigma[0, a, b] * scale**2, SIGMA_SAS, atol=0.01)
    for published in (SIGMA_MMRM, SIGMA_SAS):
        sigma = np.zeros((1, 4, 4))
        sigma[0, a, b] = sigma[0, b, a] = np.array(published) / scale**2
        assert 0 < evaluate(model, sigma).deviance[0] - top.state.deviance[0] < 1e-4


# ---------------------------------------------------------------- closed forms


@pytest.mark.parametrize("visits", [2, 3, 4])
def test_without_missing_visits_lda_is_the_t_test_of_the_changes(visits):
    x, y = drawn(6, visits=visits)
    for at in range(1, visits):
        found, expected = run("lda", x, y, at), student(x[:, at] - x[:, 0], y[:, at] - y[:, 0])
        np.testing.assert_allclose(numbers(found), numbers(expected), rtol=1e-12)
        assert (found.df == 15).all()
        assert not found.note.any()


@pytest.mark.parametrize("visits", [2, 3])
def test_without_missing_visits_clda_is_ancova_with_the_slope_taken_as_known(visits):
    x, y = drawn(6, visits=visits)
    found = run("clda", x, y, 1)
    adjusted = ancova(x[:, 1], y[:, 1], baseline=(x[:, 0], y[:, 0]))
    np.testing.assert_allclose(found.estimate, adjusted.estimate, rtol=1e-11)
    within = sum(((part - part.mean(axis=-1, keepdims=True)) ** 2).sum(axis=-1) for part in (x[:, 0], y[:, 0]))
    gap, unit = x[:, 0].mean(axis=-1) - y[:, 0].mean(axis=-1), 1 / 9 + 1 / 8
    rss = 14 * adjusted.std_error**2 / (unit + gap**2 / within)
    np.testing.assert_allclose(found.std_error, np.sqrt(rss / 15 * unit), rtol=1e-11)
    assert (found.df == 15).all()


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("visits", [2, 3, 4])
def test_iteration_and_closed_form_agree(name, visits):
    x, y = drawn(20, visits=visits, seed=2)
    for at in range(1, visits):
        closed = run(name, x, y, at)
        found = _likelihood(np.concatenate([x, y], axis=-1), None, 9, at, shared_baseline=name == "clda")
        np.testing.assert_allclose(found.estimate, closed.estimate, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.std_error, closed.std_error, rtol=1e-11)
        np.testing.assert_allclose(found.df, closed.df, rtol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_a_covariate_that_tells_nothing_leaves_the_closed_form(name):
    x, y = drawn(3)
    zero = np.zeros((2, 1, 9)), np.zeros((2, 1, 8))
    constant = tuple(np.concatenate([part, part + 3.0], axis=1) for part in zero)
    found = run(name, x, y, covariates=constant)
    np.testing.assert_allclose(numbers(found), numbers(run(name, x, y)), rtol=1e-9)
    assert not found.note.any()


# ---------------------------------------------------------------- derivatives


def test_derivatives():
    x, y = drawn(2, visits=3, seed=5, missing=0.2, n=(12, 11))
    z = np.random.default_rng(6).normal(size=(2, 3, 2, 23))
    model = model_of(np.concatenate([x, y], axis=-1), z, 12, 2, shared_baseline=True)
    a, b = entries(3)
    sigma = model.start
    here, h = evaluate(model, sigma), 1e-5
    for k in range(len(a)):
        ends = []
        for sign in (1, -1):
            moved = sigma.copy()
            moved[:, a[k], b[k]] += sign * h
            moved[:, b[k], a[k]] = moved[:, a[k], b[k]]
            ends.append(evaluate(model, moved))
        up, down = ends
        np.testing.assert_allclose((up.deviance - down.deviance) / (2 * h), here.gradient[:, k], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose((up.gradient - down.gradient) / (2 * h), here.curvature[:, k], rtol=1e-6, atol=1e-5)
        np.testing.assert_allclose((up.variance - down.variance) / (2 * h), here.slope[:, k], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_the_maximum_is_one(name):
    x, y = drawn(40, visits=3, seed=7, missing=0.25, n=(14, 12))
    model = model_of(np.concatenate([x, y], axis=-1), None, 14, 1, shared_baseline=name == "clda")
    top = maximise(model)
    assert top.found.all()
    step = np.linalg.solve(top.state.curvature, top.state.gradient[..., None])[..., 0]
    assert (np.sqrt(np.abs((step * top.state.gradient).sum(axis=-1))) < 1e-9).all()  # in standard errors


# ---------------------------------------------------------------- rows


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("covariates", [False, True])
def test_a_row_does_not_depend_on_its_company(name, covariates):
    x, y = drawn(5, 7, visits=3, seed=8, missing=0.15, n=(15, 13))
    x[0], y[0] = drawn(7, visits=3, seed=9, n=(15, 13))
    z = None
    if covariates:
        rng = np.random.default_rng(10)
        z = rng.normal(size=(5, 3, 2, 15)), rng.normal(size=(5, 3, 2, 13))
    together = run(name, x, y, 2, covariates=z)
    assert together.estimate.shape == (5, 7)
    for i in range(5):
        own = None if z is None else (z[0][i], z[1][i])
        assert same(numbers(run(name, x[i], y[i], 2, covariates=own)), numbers(together)[:, i])
        for j in (0, 4, 6):
            alone = run(name, x[i, j], y[i, j], 2, covariates=own)
            assert same(numbers(alone), numbers(together)[:, i, j])
            assert alone.note == together.note[i, j]


@pytest.mark.parametrize("name", MODELS)
def test_swapping_groups_order_scale_and_shift(name):
    x, y = drawn(6, visits=3, seed=11, missing=0.2, n=(13, 12))
    found = run(name, x, y)
    swapped = run(name, y, x)
    np.testing.assert_allclose(swapped.estimate, -found.estimate, rtol=1e-9)
    np.testing.assert_allclose(swapped.p_value, found.p_value, rtol=1e-9)
    order = np.random.default_rng(12).permutation(13)
    np.testing.assert_allclose(numbers(run(name, x[..., order], y)), numbers(found), rtol=1e-8)
    moved = run(name, 1e6 + 1e-3 * x, 1e6 + 1e-3 * y)
    np.testing.assert_allclose(moved.estimate, 1e-3 * found.estimate, rtol=1e-5)
    np.testing.assert_allclose(moved.df, found.df, rtol=1e-5)
    nobody = np.full((6, 3, 2), np.nan)
    np.testing.assert_allclose(numbers(run(name, np.concatenate([x, nobody], axis=-1), y)), numbers(found), rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_one_sided_and_without_interval(name):
    x, y = drawn(5, seed=13, missing=0.15, n=(12, 10))
    two, greater, less = (run(name, x, y, alternative=a) for a in ("two-sided", "greater", "less"))
    np.testing.assert_allclose(greater.p_value + less.p_value, 1, rtol=1e-12)
    np.testing.assert_allclose(np.minimum(greater.p_value, less.p_value) * 2, two.p_value, rtol=1e-12)
    np.testing.assert_allclose(greater.conf_low, run(name, x, y, conf_level=0.9).conf_low, rtol=1e-10)
    assert np.isposinf(greater.conf_high).all()
    assert np.isneginf(less.conf_low).all()
    bare = run(name, x, y, conf_level=None)
    assert np.isnan(bare.conf_low).all()
    assert same(bare.p_value, two.p_value)


# ---------------------------------------------------------------- rows that cannot be tested


def blocked(found, note: Note, at=()) -> None:
    assert np.isnan(numbers(found)[(slice(None), *at)]).all()
    assert found.method[at] == -1
    assert found.note[at] == note


def test_rows_that_cannot_be_tested_do_not_spread():
    x, y = drawn(8, seed=14, missing=0.1, n=(14, 12))
    fine = {name: run(name, x, y) for name in MODELS}
    x[0], y[0] = np.nan, np.nan
    x[1, 1, 1:] = np.nan  # one value of the cases later
    x[2, 1, :7], x[2, 0, 7:], y[2, 1, :6], y[2, 0, 6:] = np.nan, np.nan, np.nan, np.nan  # nobody at both visits
    x[3], y[3] = 2.5, 2.5
    x[3, 0, 0] = np.nan
    x[4, 1], y[4, 1] = 2 * x[4, 0] + 1, 2 * y[4, 0]  # perfectly correlated
    x[4, 0, 0] = np.nan
    x[5, 1], y[5, 1] = 7.0, 7.0
    for name in MODELS:
        found = run(name, x, y)
        for row, note in enumerate([Note.TOO_FEW, Note.TOO_FEW, Note.SINGULAR, Note.CONSTANT, Note.SINGULAR, Note.CONSTANT]):
            blocked(found, note, (row,))
        assert same(numbers(found)[:, 6:], numbers(fine[name])[:, 6:])


def test_complete_rows_that_cannot_be_tested():
    x, y = drawn(3, seed=15)
    x[0], y[0] = 3.0, 3.0
    x[1, 1], y[1, 1] = x[1, 0] + 1, y[1, 0]  # changes are constant
    blocked(run("lda", x, y), Note.CONSTANT, (0,))
    blocked(run("lda", x, y), Note.CONSTANT, (1,))
    blocked(run("clda", x, y), Note.CONSTANT, (0,))
    blocked(run("clda", x, y), Note.SINGULAR, (1,))


def test_a_group_without_a_baseline():
    x, y = drawn(seed=16, n=(12, 11))
    x[0] = np.nan
    blocked(run("lda", x, y), Note.TOO_FEW)
    found = run("clda", x, y)
    assert np.isfinite(numbers(found)).all()
    assert found.note == Note.SEMI_PAIRED
    y[0, 1:] = np.nan
    blocked(run("clda", x, y), Note.TOO_FEW)


def test_a_visit_at_which_nothing_was_measured_does_not_count():
    x, y = drawn(4, visits=3, seed=17, missing=0.1, n=(14, 12))
    x[:, 1], y[:, 1] = np.nan, np.nan
    for name in MODELS:
        two = run(name, x[:, [0, 2]], y[:, [0, 2]])
        np.testing.assert_allclose(numbers(run(name, x, y, 2)), numbers(two), rtol=1e-9)


@pytest.mark.parametrize("name", MODELS)
def test_covariates_that_others_tell(name):
    x, y = drawn(3, seed=18, missing=0.1, n=(14, 12))
    rng = np.random.default_rng(19)
    age = rng.normal(60, 8, (2, 1, 26))
    twice = np.concatenate([age, 3 - 2 * age], axis=1)
    plain = run(name, x, y, covariates=(age[..., :14], age[..., 14:]))
    found = run(name, x, y, covariates=(twice[..., :14], twice[..., 14:]))
    np.testing.assert_allclose(numbers(found), numbers(plain), rtol=1e-8)
    assert (found.note == Note.ALIASED | Note.SEMI_PAIRED).all()
    group = np.repeat([1.0, 0.0], [14, 12])
    told = np.array([[0.0], [1.0]])[:, :, None] * group  # the group at the later visit
    blocked(run(name, x, y, covariates=(told[..., :14], told[..., 14:])), Note.CONFOUNDED, (0,))
    shift = np.broadcast_to(group, (2, 1, 26))  # the group at both visits: the difference of changes is left
    answered = run(name, x, y, covariates=(shift[..., :14], shift[..., 14:]))
    np.testing.assert_allclose(answered.estimate, run("lda", x, y).estimate, rtol=1e-8)


def test_nearly_perfect_correlation_is_found():
    rng = np.random.default_rng(20)
    base = rng.normal(size=(5, 1, 30))
    y = np.concatenate([base, base + 1e-3 * rng.normal(size=base.shape)], axis=1)
    y[rng.random(y.shape) < 0.1] = np.nan
    for name in MODELS:
        found = run(name, y[..., :16], y[..., 16:])
        assert np.isfinite(found.p_value).all()
        assert (found.std_error < 1e-3).all()


@pytest.mark.parametrize("name", MODELS)
def test_entry(name):
    entry = LONGITUDINAL[name]
    assert entry.takes == ("visits", "covariates")
    assert entry.questions == ("change_between",)
    assert entry.function is MODELS[name]


# ---------------------------------------------------------------- size


@pytest.mark.slow
@pytest.mark.parametrize(("name", "size"), [("lda", 0.0487), ("clda", 0.0556)])
def test_size_is_what_the_docstring_says(name, size):
    x, y = drawn(20_000, seed=21, missing=0.15, n=(30, 22))
    p = run(name, x, y, conf_level=None).p_value
    assert np.isfinite(p).all()
    assert abs((p < 0.05).mean() - size) < 4 * np.sqrt(0.05 * 0.95 / 20_000)
