"""Linear models against R, against exact rational arithmetic, and by what must hold of each row."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytokine_cc.arrays import Note
from cytokine_cc.kernels import linear
from cytokine_cc.kernels.common import ALTERNATIVES, BASELINE, BETWEEN, NUMBER_RULES
from cytokine_cc.kernels.independent import student
from cytokine_cc.kernels.linear import LINEAR, ancova, least_squares, linear_model

HERE = Path(__file__).parent / "reference"
RTOL = 1e-10
MODELS = {
    "none": (),
    "age": ("age",),
    "plate": ("plate2", "plate3"),
    "all": ("age", "bmi", "plate2", "plate3"),
    "twin": ("age", "twin", "bmi"),
    "unvarying": ("flat", "zero", "age"),
    "day": ("day", "bmi"),
    "near": ("age", "near"),
    "same": ("age", "same"),
    "confounded": ("plate2", "plate3", "told"),
    "part": ("plate2", "age", "part"),
}
SETS = ("panel", "three", "uneven", "large")
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value")


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def identical(a, b) -> bool:
    return all(same(left, right) for left, right in zip(a, b, strict=True))


# ---------------------------------------------------------------- R


@cache
def cells(name: str) -> pd.DataFrame:
    """Read every digit, which read_csv by default does not in all versions of pandas."""
    frame = pd.read_csv(HERE / name, dtype=str, keep_default_na=False)
    text = {"set", "subject", "model", "test", "analyte", "status", "aliased"}
    numbers = [column for column in frame.columns if column not in text]
    return frame.assign(**{column: [float(cell) if cell else np.nan for cell in frame[column]] for column in numbers})


def by_group(name: str, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    frame = cells("linear_data.csv")
    frame = frame[frame["set"] == name]
    return tuple(frame.loc[frame["case"] == case, columns].to_numpy().T for case in (1, 0))


def answers(name: str, model: str, test: str, analytes: list[str], **options):
    later = by_group(name, analytes)
    more = {"covariates": by_group(name, list(MODELS[model]))} if MODELS[model] else {}
    if test == "ancova":
        more["baseline"] = by_group(name, [f"baseline_{analyte}" for analyte in analytes])
    return LINEAR[test].function(*later, **more, **options)


def wanted(name: str, model: str, test: str) -> pd.DataFrame:
    frame = cells("linear.csv")
    return frame[(frame["set"] == name) & (frame["model"] == model) & (frame["test"] == test)]


def check(got, want: pd.DataFrame, tested: np.ndarray, column: str, reference_column: str) -> None:
    values = want[reference_column].to_numpy()[tested]
    np.testing.assert_allclose(getattr(got, column)[tested], values, rtol=RTOL, atol=0, err_msg=column)


@pytest.mark.parametrize("test", LINEAR)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_agrees_with_r(name, model, test):
    want = wanted(name, model, test)
    assert len(want) == 15
    got = answers(name, model, test, list(want["analyte"]))
    tested = (want["status"] == "tested").to_numpy()
    for column in NUMBERS:
        check(got, want, tested, column, column)
        assert np.isnan(getattr(got, column)[~tested]).all(), column
    assert same(got.method, np.where(tested, 0, -1))
    for alternative, p, low, high in (("less", "p_less", None, "high_90"), ("greater", "p_greater", "low_90", None)):
        one = answers(name, model, test, list(want["analyte"]), alternative=alternative)
        check(one, want, tested, "p_value", p)
        for column, bound, end in (("conf_low", low, -np.inf), ("conf_high", high, np.inf)):
            if bound:
                check(one, want, tested, column, bound)
            else:
                assert (getattr(one, column)[tested] == end).all()


@pytest.mark.parametrize("test", LINEAR)
@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("name", SETS)
def test_notes_and_sizes_agree_with_r(name, model, test):
    want = wanted(name, model, test)
    got = answers(name, model, test, list(want["analyte"]))
    flags = {"few": Note.TOO_FEW, "confounded": Note.CONFOUNDED, "perfect": Note.CONSTANT}
    reason = [int(flags.get(status, Note.ALIASED if told else Note.NONE))
              for status, told in zip(want["status"], want["aliased"], strict=True)]  # fmt: skip
    assert got.note.tolist() == reason
    covariates = by_group(name, list(MODELS[model]))
    extra = by_group(name, [f"baseline_{analyte}" for analyte in want["analyte"]]) if test == "ancova" else None
    fit = least_squares(*by_group(name, list(want["analyte"])), covariates, extra)
    assert same(fit.n_case, want["n_case"])
    assert same(fit.n_control, want["n_control"])


def test_the_reference_holds_the_hard_cases():
    frame = cells("linear.csv")
    counts = frame["status"].value_counts()
    assert counts["tested"] > 700
    assert min(counts[["few", "confounded", "perfect"]]) > 90
    tested = frame[frame["status"] == "tested"]
    assert {"twin", "same", "part"} <= set(tested["aliased"])
    assert tested["p_value"].min() < 1e-100
    assert tested["df"].min() == 1


def test_a_perturbed_reference_value_turns_red():
    want = wanted("panel", "all", "ancova")
    got = answers("panel", "all", "ancova", list(want["analyte"]))
    tested = (want["status"] == "tested").to_numpy()
    for column in NUMBERS:
        with pytest.raises(AssertionError):
            check(got, want.assign(**{column: want[column] * (1 + 1e-9)}), tested, column, column)


# ---------------------------------------------------------------- exact arithmetic


def exactly(columns: list[np.ndarray], y: np.ndarray) -> tuple[float, float, float]:
    """Solve the normal equations in fractions: last coefficient, its unscaled standard error, residual variance."""
    x = [[Fraction(float(v)) for v in column] for column in columns]
    y = [Fraction(float(v)) for v in y]
    rows = [[sum(a * b for a, b in zip(u, v, strict=True)) for v in x] for u in x]
    for i, row in enumerate(rows):
        row += [sum(a * b for a, b in zip(x[i], y, strict=True)), Fraction(int(i == len(x) - 1))]
    for i, pivot in enumerate(rows):
        pivot[:] = [v / pivot[i] for v in pivot]
        for k, row in enumerate(rows):
            if k != i:
                row[:] = [a - row[i] * b for a, b in zip(row, pivot, strict=True)]
    fitted = [sum(row[-2] * column[i] for row, column in zip(rows, x, strict=True)) for i in range(len(y))]
    s2 = sum((a - b) ** 2 for a, b in zip(y, fitted, strict=True)) / (len(y) - len(x))
    return float(rows[-1][-2]), float(rows[-1][-1]) ** 0.5, float(s2)


@pytest.mark.parametrize(("spread", "digits"), [(1.0, 13), (1e-2, 11), (1e-4, 9), (1e-6, 7)])
@pytest.mark.parametrize("seed", range(4))
def test_collinear_columns_cost_no_more_digits_than_they_must(seed, spread, digits):
    """`spread` tells how little each column has of its own; the last all but tells the group."""
    r, n1, n = rng(1, seed), 9, 16
    group = np.repeat([1.0, 0.0], [n1, n - n1])
    a = r.normal(60, 10, size=n)
    b = 2 * a + 20 * spread * r.normal(size=n)
    c = 3 * group + 0.5 * b - 0.1 * a + spread * r.normal(size=n)
    y = r.normal(10, 1, size=n) + 0.3 * group
    want = exactly([np.ones(n), a, b, c, group], y)
    z = np.stack([a, b, c])
    fit = least_squares(y[:n1], y[n1:], (z[:, :n1], z[:, n1:]))
    np.testing.assert_allclose([fit.estimate, fit.unscaled, fit.s2], want, rtol=10.0**-digits, atol=0)
    assert fit.note == 0


def test_a_large_offset_costs_no_digits_of_the_residuals():
    y = 2.0**30 + np.array([1.0, 2.0, 4.0, 0.0, 1.0, 3.0, 6.0])
    age = np.array([[50.0, 61, 55, 70, 44, 58, 66]])
    fit = least_squares(y[:3], y[3:], (age[:, :3], age[:, 3:]))
    want = exactly([np.ones(7), age[0], np.repeat([1.0, 0.0], [3, 4])], y)
    np.testing.assert_allclose([fit.estimate, fit.unscaled, fit.s2], want, rtol=1e-13)
    assert fit.mean == y.mean()


# ---------------------------------------------------------------- what it must equal


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("share", [0.0, 0.3])
def test_without_covariates_it_is_students_test(alternative, share):
    x, y = rng(2).lognormal(size=(40, 8)), rng(3).lognormal(size=(40, 6))
    x[rng(4).random(x.shape) < share] = np.nan
    y[rng(5).random(y.shape) < share] = np.nan
    x[3], y[3] = 2.2, 2.2
    x[4, 1:] = np.nan
    got, want = (test(x, y, alternative=alternative, conf_level=0.9) for test in (linear_model, student))
    assert same(got.note, want.note)
    tested = got.note == 0
    assert 20 < tested.sum() < 39
    for column in NUMBERS:
        np.testing.assert_allclose(getattr(got, column)[tested], getattr(want, column)[tested], rtol=1e-11)


def test_ancova_of_changes_is_ancova_of_later_values():
    later, base = (
        (rng(6, 1).normal(size=(5, 9)), rng(6, 2).normal(size=(5, 7))),
        (
            rng(6, 3).normal(size=(5, 9)),
            rng(6, 4).normal(size=(5, 7)),
        ),
    )
    change = tuple(a - b for a, b in zip(later, base, strict=True))
    got, want = (ancova(*values, baseline=base) for values in (change, later))
    for column in NUMBERS:
        np.testing.assert_allclose(getattr(got, column), getattr(want, column), rtol=1e-10)


def test_ancova_and_change_score_differ_by_the_slope_times_the_gap():
    """Lord's paradox: change score - ancova = (1 - slope) x (minus the difference at baseline)."""
    base = rng(7, 1).normal(size=50), rng(7, 2).normal(1.0, 1.0, size=40)
    later = tuple(0.6 * b + rng(7, 3, len(b)).normal(size=len(b)) for b in base)
    adjusted = ancova(*later, baseline=base).estimate
    within = [b - b.mean() for b in base]
    slope = sum((d * v).sum() for d, v in zip(within, later, strict=True)) / sum((d * d).sum() for d in within)
    gap = base[0].mean() - base[1].mean()
    assert adjusted == pytest.approx(later[0].mean() - later[1].mean() - slope * gap, rel=1e-12)
    change = (later[0] - base[0]).mean() - (later[1] - base[1]).mean()
    assert change - adjusted == pytest.approx((slope - 1) * gap, rel=1e-12)
    assert abs(change - adjusted) > 0.2


def test_swapping_the_groups_turns_the_sign_only():
    x, y = rng(8, 1).normal(size=(6, 9)), rng(8, 2).normal(size=(6, 8))
    z = rng(8, 3).normal(size=(2, 9)), rng(8, 4).normal(size=(2, 8))
    there, back = linear_model(x, y, covariates=z), linear_model(y, x, covariates=z[::-1])
    np.testing.assert_allclose(back.estimate, -there.estimate, rtol=1e-12)
    np.testing.assert_allclose(back.conf_low, -there.conf_high, rtol=1e-12)
    np.testing.assert_allclose(back.p_value, there.p_value, rtol=1e-12)
    assert same(back.side, -there.side)


def test_units_of_covariates_do_not_matter():
    x, y = rng(9, 1).normal(size=(6, 9)), rng(9, 2).normal(size=(6, 8))
    z = rng(9, 3).normal(size=(2, 9)), rng(9, 4).normal(size=(2, 8))
    other = tuple(np.stack([1e6 * a, 2 - 1e-5 * b]) for a, b in z)
    for column, got in linear_model(x, y, covariates=other)._asdict().items():
        np.testing.assert_allclose(got, getattr(linear_model(x, y, covariates=z), column), rtol=1e-9, err_msg=column)


# ---------------------------------------------------------------- rows keep to themselves


def hard_rows(seed: int) -> dict:
    """Three replicates of 24 analytes: missing at random, missing for whole samples, complete, told, confounded, constant."""
    r = rng(10, seed)
    x, y = r.normal(size=(3, 24, 11)), r.normal(size=(3, 24, 9))
    z = r.normal(size=(3, 5, 20))
    z[:, 1] = r.random((3, 20)) < 0.4
    z[:, 2] = 1 - 2 * z[:, 1]
    z[1, 3] = 4.0
    z[2, 4, :11] = 1.0
    z[2, 4, 11:] = 0.0
    base = r.normal(size=x.shape), r.normal(size=y.shape)
    x[:, ::3][r.random(x[:, ::3].shape) < 0.2] = np.nan
    y[1, :, 4] = np.nan
    base[0][:, 1::6][r.random(x[:, 1::6].shape) < 0.3] = np.nan
    x[0, 2], y[0, 2] = 0.1, 0.1
    x[:, 4, 1:] = np.nan
    y[:, 5] = np.nan
    return {"x": x, "y": y, "covariates": (z[..., :11], z[..., 11:]), "baseline": base}


@pytest.mark.parametrize("with_covariates", [False, True])
@pytest.mark.parametrize("test", LINEAR)
@pytest.mark.parametrize("seed", range(3))
def test_a_row_does_not_depend_on_its_company(seed, test, with_covariates, monkeypatch):
    everything = hard_rows(seed)
    covariates, baseline = everything.pop("covariates"), everything.pop("baseline")
    x, y = everything.values()
    call = LINEAR[test].function

    def ask(*rows, shared):
        more = {"covariates": tuple(z[shared] for z in covariates)} if with_covariates else {}
        if test == "ancova":
            more["baseline"] = tuple(b[rows] for b in baseline)
        return call(x[rows], y[rows], **more)

    whole = ask(slice(None), shared=slice(None))
    assert whole.p_value.shape == (3, 24)
    assert 20 < np.isfinite(whole.p_value).sum() < 70
    for i in range(3):
        assert identical([part[i] for part in whole], ask(i, shared=i))
        assert identical(
            [part[i : i + 1, ::-1] for part in whole], ask(slice(i, i + 1), slice(None, None, -1), shared=slice(i, i + 1))
        )
        for j in range(24):
            assert identical([part[i, j] for part in whole], ask(i, j, shared=i))
    monkeypatch.setattr(linear, "BLOCK_VALUES", 7 * 20)
    assert identical(whole, ask(slice(None), shared=slice(None)))


def test_neither_layout_nor_leading_axes_matter():
    given = hard_rows(4)
    want = ancova(**given)
    turned = {key: tuple(map(np.asfortranarray, v)) if isinstance(v, tuple) else np.asfortranarray(v) for key, v in given.items()}
    assert identical(want, ancova(**turned))
    deeper = {key: tuple(z[:, None] for z in v) if isinstance(v, tuple) else v[:, None] for key, v in given.items()}
    got = ancova(**deeper)
    assert got.p_value.shape == (3, 1, 24)
    assert identical([part[:, None] for part in want], got)


def test_replicates_may_share_covariates():
    given = hard_rows(5)
    shared = tuple(z[0] for z in given["covariates"])
    got = linear_model(given["x"], given["y"], covariates=shared)
    for i in range(3):
        assert identical([part[i] for part in got], linear_model(given["x"][i], given["y"][i], covariates=shared))


def test_the_order_of_subjects_matters_to_rounding_only():
    given = hard_rows(6)
    order = rng(11).permutation(11)
    turned = {
        "x": given["x"][..., order],
        "y": given["y"],
        **{key: (given[key][0][..., order], given[key][1]) for key in ("covariates", "baseline")},
    }
    want, got = ancova(**given), ancova(**turned)
    assert same(want.note, got.note)
    np.testing.assert_allclose(got.p_value, want.p_value, rtol=1e-9)


# ---------------------------------------------------------------- edges


def test_what_cannot_be_tested_says_why():
    nan = np.nan
    x = np.array([[1.0, 2.0, 3.0], [1.0, nan, nan], [nan] * 3, [5.0, 5.0, 5.0], [1.0, 2.0, nan]])
    y = np.array([[2.0, 5.0, 1.0], [2.0, 5.0, 1.0], [2.0, 5.0, 1.0], [5.0, 5.0, 5.0], [3.0, 5.0, nan]])
    z = np.array([[1.0, 2.0, 4.0], [0.0, 1.0, 0.0]]), np.array([[3.0, 1.0, 2.0], [1.0, 1.0, 0.0]])
    got = linear_model(x, y, covariates=z)
    assert got.note.tolist() == [0, Note.TOO_FEW, Note.TOO_FEW, Note.CONSTANT, Note.TOO_FEW]  # the last has no df left
    assert got.method.tolist() == [0, -1, -1, -1, -1]
    for column in (*NUMBERS, "side"):
        assert np.isfinite(getattr(got, column)[0])
        assert np.isnan(getattr(got, column)[1:]).all()
    fit = least_squares(x, y, z)
    assert fit.blocked.tolist() == [False, True, True, True, True]
    assert fit.n_case.tolist() == [3, 1, 0, 3, 2]
    assert fit.mean[[0, 1, 3]].tolist() == [14 / 6, 9 / 4, 5.0]
    assert np.isfinite([fit.estimate[3], fit.unscaled[3], fit.s2[3], fit.df[3]]).all()


def test_covariates_that_tell_the_group():
    x, y = rng(12).normal(size=(2, 6)), rng(13).normal(size=(2, 5))
    z = np.ones((1, 6)), np.zeros((1, 5))
    x[1, 0] = np.nan
    assert linear_model(x, y, covariates=z).note.tolist() == [Note.CONFOUNDED] * 2
    z[0][0, 0] = 0.0  # one case is told apart, but has no value in the second row
    got = linear_model(x, y, covariates=z)
    assert got.note.tolist() == [0, Note.CONFOUNDED]
    assert np.isnan(got.estimate).tolist() == [False, True]


def test_a_column_that_varies_and_is_told_gets_a_note_and_one_that_does_not_vary_none():
    x, y = rng(14).normal(size=(3, 6)), rng(15).normal(size=(3, 6))
    age = rng(16).normal(60, 9, size=12)
    plate = np.repeat([0.0, 1.0, 0.0, 1.0], 3)
    x[1, 3:] = y[1, 3:] = np.nan  # nobody of plate 2
    z = np.stack([age, plate, np.full(12, 7.1), np.zeros(12)])
    split = z[:, :6], z[:, 6:]
    assert linear_model(x, y, covariates=split).note.tolist() == [0, 0, 0]
    z = np.stack([age, plate, 1 - plate, 100 - age])
    split = z[:, :6], z[:, 6:]
    assert linear_model(x, y, covariates=split).note.tolist() == [Note.ALIASED] * 3
    z = np.stack([plate, 1 - plate])
    got = linear_model(x, y, covariates=(z[:, :6], z[:, 6:]))
    assert got.note.tolist() == [Note.ALIASED, 0, Note.ALIASED]
    assert identical([part[[1]] for part in got[:7]], linear_model(x[[1]], y[[1]])[:7])  # as without covariates


def test_no_interval_where_none_is_asked_for():
    x, y = rng(17).normal(size=(3, 6)), rng(18).normal(size=(3, 6))
    got, want = linear_model(x, y, conf_level=None), linear_model(x, y)
    assert np.isnan(got.conf_low).all()
    assert np.isnan(got.conf_high).all()
    assert same(got.p_value, want.p_value)


def test_no_rows_and_no_values():
    assert linear_model(np.empty((0, 5)), np.empty((0, 4))).p_value.shape == (0,)
    empty = linear_model(np.empty((2, 0)), np.empty((2, 4)), covariates=(np.empty((1, 0)), np.zeros((1, 4))))
    assert empty.note.tolist() == [Note.TOO_FEW] * 2


def test_numbers_under_values_that_are_missing_do_not_matter():
    given = hard_rows(7)
    want = ancova(**given)
    z, base = given["covariates"][0].copy(), given["baseline"][0].copy()
    gone = np.isnan(given["x"])
    base[gone] = 1e6
    alike = gone.all(axis=1)
    assert not alike.any()
    x = given["x"].copy()
    x[:, :, 2] = np.nan
    want = ancova(**{**given, "x": x})
    z[:, :, 2] = 1e6
    got = ancova(x, given["y"], covariates=(z, given["covariates"][1]), baseline=(base, given["baseline"][1]))
    assert identical(want, got)


def test_the_entries():
    assert LINEAR["linear_model"].questions == (BASELINE, BETWEEN)
    assert LINEAR["linear_model"].takes == ("covariates",)
    assert LINEAR["ancova"].questions == (BETWEEN,)
    assert LINEAR["ancova"].takes == ("baseline", "covariates")
    for name, entry in LINEAR.items():
        assert entry.name == name
        assert entry.rules == NUMBER_RULES
        assert not entry.paired
        assert not entry.borrows
        assert "doi:" in entry.reference
