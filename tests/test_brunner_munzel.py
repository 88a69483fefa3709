"""The Brunner-Munzel test against its formulas in R, SciPy, what was printed, and by what must hold of each row."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy.stats as st

from cytokine_cc.arrays import Note
from cytokine_cc.kernels.brunner_munzel import BRUNNER_MUNZEL, brunner_munzel
from cytokine_cc.kernels.common import ALTERNATIVES, BASELINE, BETWEEN, NUMBER_RULES, WITHIN

HERE = Path(__file__).parent / "reference"
RTOL = 1e-10
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value")


def rng(*seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def identical(a, b) -> bool:
    return all(np.array_equal(np.asarray(left), np.asarray(right), equal_nan=True) for left, right in zip(a, b, strict=True))


# ---------------------------------------------------------------- R


@cache
def cells(name: str) -> pd.DataFrame:
    """Read every digit, which read_csv by default does not in all versions of pandas."""
    frame = pd.read_csv(HERE / name, dtype=str, keep_default_na=False)
    numbers = [column for column in frame.columns if column not in {"set", "status"}]
    return frame.assign(**{column: [float(cell) if cell else np.nan for cell in frame[column]] for column in numbers})


def groups(name: str) -> tuple[np.ndarray, np.ndarray]:
    frame = cells("brunner_munzel_data.csv")
    frame = frame[frame["set"] == name]
    return tuple(frame.loc[frame["case"] == case, "value"].to_numpy() for case in (1, 0))


def check(got, want: pd.Series, column: str, reference_column: str) -> None:
    value = want[reference_column]
    if column in {"conf_low", "conf_high"}:
        value = min(max(value, 0.0), 1.0)
    np.testing.assert_allclose(getattr(got, column), value, rtol=RTOL, atol=0, err_msg=column)


WANT = cells("brunner_munzel.csv").set_index("set")
TESTED = list(WANT.index[WANT["status"] == "tested"])


@pytest.mark.parametrize("name", TESTED)
def test_agrees_with_r(name):
    want = WANT.loc[name]
    got = {alternative: brunner_munzel(*groups(name), alternative=alternative) for alternative in ALTERNATIVES}
    for alternative, p in zip(ALTERNATIVES, ("p_value", "p_greater", "p_less"), strict=True):
        check(got[alternative], want, "p_value", p)
        for column in ("estimate", "std_error", "statistic", "df"):
            check(got[alternative], want, column, column)
    check(got["two-sided"], want, "conf_low", "low")
    check(got["two-sided"], want, "conf_high", "high")
    check(got["greater"], want, "conf_low", "low_90")
    check(got["less"], want, "conf_high", "high_90")
    assert (got["greater"].conf_high, got["less"].conf_low) == (1.0, 0.0)
    assert got["two-sided"].note == 0
    assert got["two-sided"].side == np.sign(want["estimate"] - 0.5)


@pytest.mark.parametrize(
    ("status", "note", "sets"),
    [
        ("few", Note.TOO_FEW, {"single", "nothing"}),
        ("constant", Note.CONSTANT, {"constant", "all_below"}),
        ("separated", Note.SEPARATED, {"apart", "apart_tied", "apart_below"}),
    ],
)
def test_what_cannot_be_tested_says_why(status, note, sets):
    assert set(WANT.index[WANT["status"] == status]) == sets
    for name in sets:
        got = brunner_munzel(*groups(name))
        assert got.note == note
        assert got.method == -1
        assert np.isnan([getattr(got, column) for column in (*NUMBERS, "side")]).all()


def test_the_reference_holds_the_hard_cases():
    tested = WANT.loc[TESTED]
    assert (tested["low"] < 0).any()
    assert (tested["high"] > 1).any()
    assert (tested["estimate"] == 0.5).sum() >= 2
    assert np.isneginf(cells("brunner_munzel_data.csv")["value"]).sum() > 20
    x = groups("equal_ratios")[0]
    assert len(set(x.tolist())) > 1  # their last bits differ


def test_a_perturbed_reference_value_turns_red():
    got = brunner_munzel(*groups("study"))
    for column, name in {**{column: column for column in NUMBERS}, "conf_low": "low", "conf_high": "high"}.items():
        want = WANT.loc["study"].copy()
        check(got, want, column, name)
        want[name] *= 1 + 1e-9
        with pytest.raises(AssertionError):
            check(got, want, column, name)


def test_what_is_printed_of_the_pain_scores():
    """In the help pages of R's lawstat and brunnermunzel, which have the groups the other way round."""
    got = brunner_munzel(*groups("pain"))
    assert [f"{got.statistic:.4f}", f"{got.df:.3f}", f"{got.p_value:.6f}"] == ["3.1375", "17.683", "0.005786"]
    assert [f"{got.estimate:.6f}", f"{got.conf_low:.7f}", f"{got.conf_high:.7f}"] == ["0.788961", "0.5952169", "0.9827052"]


# ---------------------------------------------------------------- SciPy, and by counting


def ragged(seed: int, n: int, *, ties: bool) -> np.ndarray:
    r = rng(seed, n)
    x = r.lognormal(size=(40, n))
    x = np.ceil(2 * x) if ties else x
    x[:, 3:][r.random((40, n - 3)) < 0.2] = np.nan
    return x


@pytest.mark.parametrize("alternative", ALTERNATIVES)
@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize(("n1", "n2"), [(4, 5), (8, 11), (30, 22), (60, 12)])
def test_agrees_with_scipy(n1, n2, ties, alternative):
    x, y = ragged(1, n1, ties=ties), ragged(2, n2, ties=ties) * (1 if ties else 1.3)
    got = brunner_munzel(x, y, alternative=alternative)
    tested = 0
    for i, (a, b) in enumerate(zip(x, y, strict=True)):
        if got.note[i]:
            continue
        a, b = a[~np.isnan(a)], b[~np.isnan(b)]
        want = st.brunnermunzel(a, b, alternative=alternative)
        np.testing.assert_allclose([-got.statistic[i], got.p_value[i]], [want.statistic, want.pvalue], rtol=1e-10, atol=0)
        higher = np.greater.outer(a, b) + np.equal.outer(a, b) / 2
        assert got.estimate[i] == pytest.approx(higher.mean(), rel=1e-14)
        tested += 1
    assert tested > 25


def test_a_row_without_variance_is_separated_or_constant():
    """Every pair of groups of up to three values on three levels."""
    levels = [np.array(v, dtype=float) for v in np.ndindex(3, 3, 3)]
    x, y = (np.stack(part) for part in zip(*[(a, b) for a in levels for b in levels], strict=True))
    got = brunner_munzel(x, y)
    apart = (x.min(axis=1) > y.max(axis=1)) | (x.max(axis=1) < y.min(axis=1))
    alike = (x == x[:, :1]).all(axis=1) & (y == x[:, :1]).all(axis=1)
    assert np.array_equal(got.note, np.where(apart, int(Note.SEPARATED), np.where(alike, int(Note.CONSTANT), 0)))
    assert apart.any()
    assert alike.any()
    assert np.isfinite(got.p_value[got.note == 0]).all()


def test_only_the_order_of_values_matters():
    x, y = ragged(3, 9, ties=False), ragged(4, 8, ties=True)
    assert identical(brunner_munzel(x, y), brunner_munzel(np.log(x), np.log(y)))
    turned = brunner_munzel(-y, -x)  # both turned round: the same answer
    assert identical(brunner_munzel(x, y)[:5], turned[:5])


def test_swapping_the_groups_turns_the_sign_only():
    x, y = ragged(5, 9, ties=True), ragged(6, 8, ties=True)
    there, back = brunner_munzel(x, y), brunner_munzel(y, x)
    np.testing.assert_allclose(back.estimate, 1 - there.estimate, rtol=1e-13)
    np.testing.assert_allclose(back.conf_low, 1 - there.conf_high, atol=1e-12)
    assert identical((back.p_value, back.df, -back.statistic), (there.p_value, there.df, there.statistic))


def test_values_alike_in_twelve_digits_are_tied():
    base = 0.123456789012
    x, y = np.array([base, 0.2, 0.3]), np.array([base * (1 + 1e-14), 0.1, 0.25])
    assert identical(brunner_munzel(x, y), brunner_munzel(x, np.array([base, 0.1, 0.25])))


def test_values_tied_lowest_are_ordinary_ties():
    x, y = np.array([-np.inf, -np.inf, 3.0, np.inf]), np.array([-np.inf, 1.0, 2.0, np.inf])
    assert identical(brunner_munzel(x, y), brunner_munzel(np.array([0.0, 0, 3, 9]), np.array([0.0, 1, 2, 9])))


# ---------------------------------------------------------------- rows keep to themselves


def test_a_row_does_not_depend_on_its_company_nor_on_the_order_of_its_values():
    r = rng(7)
    x, y = r.normal(size=(2, 20, 9)), r.normal(size=(2, 20, 12))
    x[0, :8], y[0, :8] = np.round(x[0, :8]), np.round(y[0, :8])
    x[:, 3::4][r.random((2, 5, 9)) < 0.3] = np.nan
    x[1, 2:5], y[1, 5] = -np.inf, np.nan
    x[1, 0, 0] = y[1, 0, 0] * (1 + 1e-14)
    whole = brunner_munzel(x, y)
    assert 30 < np.isfinite(whole.p_value).sum() < 40
    assert identical(whole, brunner_munzel(r.permuted(x, axis=-1), r.permuted(y, axis=-1)))
    assert identical(whole, brunner_munzel(np.asfortranarray(x), np.asfortranarray(y)))
    for i in range(2):
        assert identical([part[i] for part in whole], brunner_munzel(x[i], y[i]))
        for j in range(20):
            assert identical([part[i, j] for part in whole], brunner_munzel(x[i, j], y[i, j]))
            padded = brunner_munzel(np.append(x[i, j], np.nan), y[i, j])
            assert identical([part[i, j] for part in whole], padded)


def test_no_interval_where_none_is_asked_for():
    x, y = ragged(8, 9, ties=True), ragged(9, 8, ties=True)
    got, want = brunner_munzel(x, y, conf_level=None), brunner_munzel(x, y)
    assert np.isnan(got.conf_low).all()
    assert np.isnan(got.conf_high).all()
    assert identical((got.estimate, got.p_value), (want.estimate, want.p_value))


def test_no_rows_and_no_values():
    assert brunner_munzel(np.empty((0, 5)), np.empty((0, 4))).p_value.shape == (0,)
    assert brunner_munzel(np.empty((2, 0)), np.ones((2, 4))).note.tolist() == [Note.TOO_FEW] * 2


# ---------------------------------------------------------------- size


@pytest.mark.parametrize(("n1", "n2", "spread", "size"), [(30, 22, 1, 0.0524), (30, 22, 3, 0.0521), (6, 6, 1, 0.0630)])
def test_the_size_is_what_the_docstring_says(n1, n2, spread, size):
    n = 20_000
    x, y = rng(10, n1).normal(size=(n, n1)), spread * rng(11, n1).normal(size=(n, n2))
    rejected = (brunner_munzel(x, y, conf_level=None).p_value <= 0.05).mean()
    assert abs(rejected - size) < 4 * np.sqrt(size * (1 - size) / n)


def test_the_entry():
    entry = BRUNNER_MUNZEL["brunner_munzel"]
    assert entry.name == "brunner_munzel"
    assert entry.questions == (BASELINE, BETWEEN)
    assert WITHIN not in entry.questions
    assert entry.rules_for(BASELINE) == ("lowest_rank", *NUMBER_RULES)
    assert entry.rules_for(BETWEEN) == NUMBER_RULES
    assert (entry.estimand, entry.conf_type, entry.takes) == ("probability", "t", ())
    assert "doi:" in entry.reference
