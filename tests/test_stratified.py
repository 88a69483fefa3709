"""Matched sets, by linear model and by ranks: against R, against the tests they must equal, and by what must hold of each row."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cytokine_cc.arrays import NOTE_TEXTS, Note
from cytokine_cc.kernels import stratified as module
from cytokine_cc.kernels.common import ALTERNATIVES
from cytokine_cc.kernels.linear import linear_model
from cytokine_cc.kernels.paired import paired_t
from cytokine_cc.kernels.stratified import STRATIFIED, halved, set_sum, stratified, van_elteren

HERE = Path(__file__).parent / "reference"
RTOL = 1e-10
MODELS = {
    "none": (),
    "age": ("age",),
    "both": ("age", "flag"),
    "of_set": ("of_set", "nearly", "age"),
    "twin": ("age", "twin", "flag"),
    "told": ("flag", "told"),
}
DESIGNS = ("pairs", "ratio3", "two_three", "mixed", "one", "two", "many", "pairs40")
NUMBERS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value")
FLAGS = {
    "no_set": Note.NO_SET,
    "few": Note.NO_FREEDOM,
    "confounded": Note.CONFOUNDED,
    "no_variation": Note.NO_VARIATION,
    "perfect": Note.PERFECT_FIT,
}
CALLS = {"stratified": stratified, "van_elteren": van_elteren}


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
    text = {"design", "test", "model", "analyte", "status", "aliased"}
    numbers = [column for column in frame.columns if column not in text]
    return frame.assign(**{column: [float(cell) if cell else np.nan for cell in frame[column]] for column in numbers})


def by_group(design: str, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    frame = cells("sets_data.csv")
    frame = frame[frame["design"] == design]
    return tuple(frame.loc[frame["case"] == case, columns].to_numpy().T for case in (1, 0))


def sets_of(design: str) -> tuple[np.ndarray, np.ndarray]:
    return tuple(part[0].astype(np.int64) for part in by_group(design, ["set"]))


def wanted(design: str, test: str, model: str = "") -> pd.DataFrame:
    frame = cells("sets.csv")
    return frame[(frame["design"] == design) & (frame["test"] == test) & (frame["model"] == model)]


def answers(want: pd.DataFrame, **options):
    (design,), (test,), (model,) = (want[column].unique() for column in ("design", "test", "model"))
    if MODELS.get(model):
        options["covariates"] = by_group(design, list(MODELS[model]))
    return CALLS[test](*by_group(design, list(want["analyte"])), sets=sets_of(design), **options)


def check(got, want: pd.DataFrame, column: str, reference_column: str | None = None) -> None:
    tested = (want["status"] == "tested").to_numpy()
    values = want[reference_column or column].to_numpy()[tested]
    np.testing.assert_allclose(getattr(got, column)[tested], values, rtol=RTOL, atol=0, err_msg=column)
    assert np.isnan(getattr(got, column)[~tested]).all(), column


def check_one_sided(want: pd.DataFrame) -> None:
    for alternative in ("less", "greater"):
        check(answers(want, alternative=alternative), want, "p_value", f"p_{alternative}")


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("design", DESIGNS)
def test_the_linear_model_agrees_with_r(design, model):
    want = wanted(design, "stratified", model)
    assert len(want) == 12
    got = answers(want)
    tested = (want["status"] == "tested").to_numpy()
    for column in NUMBERS:
        check(got, want, column)
    assert same(got.method, np.where(tested, 0, -1))
    check_one_sided(want)
    less, greater = (answers(want, alternative=alternative) for alternative in ("less", "greater"))
    check(less, want, "conf_high", "high_90")
    check(greater, want, "conf_low", "low_90")
    assert (less.conf_low[tested] == -np.inf).all()
    assert (greater.conf_high[tested] == np.inf).all()


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("design", DESIGNS)
def test_notes_agree_with_r(design, model):
    want = wanted(design, "stratified", model)
    reason = [
        int(FLAGS.get(status, Note.ALIASED if told else 0)) for status, told in zip(want["status"], want["aliased"], strict=True)
    ]
    assert answers(want).note.tolist() == reason


def of_both_kinds(x, y, sets) -> tuple[int, int]:
    """Count cases and controls of sets with both that are not all tied."""
    counts = np.zeros(2, dtype=int)
    for number in np.union1d(*sets):
        parts = [values[(s == number) & ~np.isnan(values)] for values, s in zip((x, y), sets, strict=True)]
        if all(map(len, parts)) and len(np.unique(np.concatenate(parts))) > 1:
            counts += [len(part) for part in parts]
    return tuple(counts)


@pytest.mark.parametrize("design", DESIGNS)
def test_van_elteren_agrees_with_r(design):
    want = wanted(design, "van_elteren")
    assert len(want) == 13
    got = answers(want)
    for column in ("statistic", "p_value"):
        check(got, want, column)
    check_one_sided(want)
    for flag in ("no_set", "no_variation"):
        assert ((got.note == FLAGS[flag]) == (want["status"] == flag)).all()
    x, y = by_group(design, list(want["analyte"]))
    rough = [min(of_both_kinds(*row, sets_of(design))) < 20 for row in zip(x, y, strict=True)]
    assert (got.note == Note.ROUGH_NORMAL).tolist() == [
        few and status == "tested" for few, status in zip(rough, want["status"], strict=True)
    ]
    assert same(got.method, np.where(want["status"] == "tested", 0, -1))
    assert same(got.side, np.sign(got.statistic))
    for column in ("estimate", "std_error", "conf_low", "conf_high", "df"):
        assert np.isnan(getattr(got, column)).all()


def test_the_reference_holds_the_hard_cases():
    frame = cells("sets.csv")
    counts = frame["status"].value_counts()
    assert counts["tested"] > 400
    assert min(counts[["few", "confounded", "no_set", "no_variation"]]) > 20
    tested = frame[frame["status"] == "tested"]
    assert {"twin", "nearly"} <= set(tested["aliased"])
    assert tested["p_value"].min() < 1e-40
    assert tested["df"].min() == 1


@pytest.mark.parametrize("column", NUMBERS)
def test_a_perturbed_reference_value_turns_red(column):
    want = wanted("mixed", "stratified", "both")
    with pytest.raises(AssertionError):
        check(answers(want), want.assign(**{column: want[column] * (1 + 1e-9)}), column)
    if column in ("statistic", "p_value"):
        want = wanted("mixed", "van_elteren")
        with pytest.raises(AssertionError):
            check(answers(want), want.assign(**{column: want[column] * (1 + 1e-9)}), column)


# ---------------------------------------------------------------- what they must equal


@pytest.mark.parametrize("alternative", ALTERNATIVES)
def test_pairs_give_the_paired_t_test(alternative):
    n = 25
    x, y = rng(1, 1).normal(10, 1, (8, n)), rng(1, 2).normal(10, 1, (8, n))
    x[rng(1, 3).random(x.shape) < 0.15] = np.nan
    order = rng(1, 4).permutation(n)
    got = stratified(x, y[:, order], sets=(np.arange(n), order), alternative=alternative, conf_level=0.9)
    want = paired_t(x, y, alternative=alternative, conf_level=0.9)
    for column in NUMBERS:
        np.testing.assert_allclose(getattr(got, column), getattr(want, column), rtol=1e-12, atol=0, err_msg=column)
    assert same(got.note, want.note)


def test_sets_are_covariates_that_tell_them_apart():
    want = wanted("many", "stratified", "both")
    got = answers(want)
    one_of = [
        by_group("many", list(MODELS["both"])),
        [s == np.unique(np.concatenate(sets_of("many")))[1:, None] for s in sets_of("many")],
    ]
    z = tuple(np.concatenate([numbers, levels]) for numbers, levels in zip(*one_of, strict=True))
    other = linear_model(*by_group("many", list(want["analyte"])), covariates=z)
    usual = (got.note == 0) & np.isin(want["analyte"], ["complete", "ties", "strong", "offset"])
    assert usual.sum() == 4
    for column in NUMBERS:
        np.testing.assert_allclose(getattr(got, column)[usual], getattr(other, column)[usual], rtol=1e-9, err_msg=column)


def test_one_set_gives_wilcoxons_normal_approximation():
    x, y = np.array([3.0, 5.0, 5.0, 8.0]), np.array([1.0, 2.0, 3.0, 4.0, 5.0])
    got = van_elteren(x, y, sets=(np.zeros(4, int), np.zeros(5, int)))
    u = (x[:, None] > y).sum() + (x[:, None] == y).sum() / 2 - 10
    variance = 4 * 5 / 12 * (10 - (27 - 3 + 8 - 2) / (9 * 8))  # three fives, two threes
    assert got.statistic == pytest.approx(u / np.sqrt(variance), rel=1e-14)


def test_pairs_by_ranks_are_the_sign_test_without_ties():
    x, y = rng(2, 1).integers(0, 4, 40) * 1.0, rng(2, 2).integers(0, 4, 40) * 1.0
    got = van_elteren(x, y, sets=(np.arange(40), np.arange(40)))
    up, down = (x > y).sum(), (x < y).sum()
    assert up + down < 36
    assert got.statistic == pytest.approx((up - down) / np.sqrt(up + down), rel=1e-14)


def test_ranks_see_twelve_digits_and_no_monotone_change():
    x, y, own = np.array([np.log2(4 / 2), 3.0]), np.array([np.log2(6) - np.log2(3), 0.5, 7.0]), ([0, 1], [0, 0, 1])
    sets = tuple(map(np.array, own))
    assert x[0] != y[0] + 2**-52
    base = van_elteren(np.array([1.0, 3.0]), np.array([1.0, 0.5, 7.0]), sets=sets)
    assert identical(van_elteren(x + 1e-15, y, sets=sets), base)
    x, y, sets = (*by_group("many", ["complete"]), sets_of("many"))
    assert identical(van_elteren(x, y, sets=sets), van_elteren(np.exp(x), np.exp(y), sets=sets))


@pytest.mark.parametrize("name", CALLS)
def test_swapping_the_groups_turns_the_sign_only(name):
    x, y = by_group("many", ["complete", "ties", "missing"])
    s = sets_of("many")
    there, back = CALLS[name](x, y, sets=s), CALLS[name](y, x, sets=s[::-1])
    for got, want in ((back.statistic, -there.statistic), (back.estimate, -there.estimate), (back.conf_low, -there.conf_high)):
        np.testing.assert_allclose(got, want, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(back.p_value, there.p_value, rtol=1e-12)
    np.testing.assert_allclose(
        CALLS[name](x, y, sets=s, alternative="less").p_value,
        CALLS[name](y, x, sets=s[::-1], alternative="greater").p_value,
        rtol=1e-12,
    )


def test_levels_of_the_sets_do_not_matter():
    x, y = by_group("many", ["complete", "missing"])
    s = sets_of("many")
    shift = rng(3).normal(0, 5, 100)
    for name, factor in (("stratified", 2.0), ("van_elteren", 2.0)):
        there = CALLS[name](x, y, sets=s)
        moved = CALLS[name](factor * x + shift[s[0]], factor * y + shift[s[1]], sets=s)
        np.testing.assert_allclose(moved.p_value, there.p_value, rtol=1e-10)
        np.testing.assert_allclose(moved.estimate, factor * there.estimate, rtol=1e-10)


@pytest.mark.parametrize("name", CALLS)
def test_names_of_sets_and_the_order_of_subjects_do_not_matter(name):
    x, y = by_group("mixed", ["complete", "missing", "ties"])
    s = sets_of("mixed")
    i, j = rng(4, 1).permutation(x.shape[1]), rng(4, 2).permutation(y.shape[1])
    want, got = CALLS[name](x, y, sets=s), CALLS[name](x[:, i], y[:, j], sets=(1000 - s[0][i], 1000 - s[1][j]))
    assert same(want.note, got.note)
    np.testing.assert_allclose(got.p_value, want.p_value, rtol=1e-10)


# ---------------------------------------------------------------- rows keep to themselves


def test_sums_do_not_see_empty_members_and_sets_behind():
    for n in range(9):
        a = rng(5, n).normal(size=(3, n))
        wide = np.concatenate([a, np.zeros((3, 7))], axis=-1)
        assert same(halved(a), halved(wide))
        np.testing.assert_allclose(halved(a), a.sum(axis=-1), rtol=1e-13, atol=1e-14)
    assert set_sum(np.ones((2, 4, 5))).tolist() == [20.0, 20.0]


def hard_rows(seed: int) -> dict:
    """Three replicates of 12 analytes whose sets differ in number and size: missing values, ties, constants, told, no sets."""
    r = rng(6, seed)
    x, y, z = r.normal(size=(3, 12, 9)), r.normal(size=(3, 12, 14)), r.normal(size=(3, 3, 23))
    s = [np.arange(9), np.arange(14) % 9], [r.integers(0, 4, 9), r.integers(0, 4, 14)], [np.arange(9) // 2, r.integers(-1, 6, 14)]
    z[:, 1], z[:, 2] = r.random((3, 23)) < 0.5, 2 * z[:, 0]
    z[2, 2] = np.concatenate([s[2][0] + 1.0, s[2][1]])
    x[:, ::3][r.random(x[:, ::3].shape) < 0.2] = np.nan
    y[1, :, 4] = np.nan
    x[:, 1], y[:, 1] = np.round(x[:, 1]), np.round(y[:, 1])
    x[:, 2], y[:, 2] = 0.1, 0.1
    x[:, 4], y[:, 5] = np.nan, np.nan
    sets = tuple(np.stack([part[k] for part in s]) for k in (0, 1))
    return {"x": x, "y": y, "sets": sets, "covariates": (z[..., :9], z[..., 9:])}


@pytest.mark.parametrize("name", ["stratified", "covariates", "van_elteren"])
@pytest.mark.parametrize("seed", range(3))
def test_a_row_does_not_depend_on_its_company(seed, name, monkeypatch):
    given = hard_rows(seed)
    x, y, sets, z = given.values()

    def ask(replicates, *rows):
        more = {"covariates": tuple(part[replicates] for part in z)} if name == "covariates" else {}
        call = van_elteren if name == "van_elteren" else stratified
        return call(x[(replicates, *rows)], y[(replicates, *rows)], sets=tuple(part[replicates] for part in sets), **more)

    whole = ask(slice(None))
    assert whole.p_value.shape == (3, 12)
    assert 15 < np.isfinite(whole.p_value).sum() < 34
    for i in range(3):
        assert identical([part[i] for part in whole], ask(i))
        assert identical([part[i : i + 1, ::-1] for part in whole], ask(slice(i, i + 1), slice(None, None, -1)))
        for j in range(12):
            assert identical([part[i, j] for part in whole], ask(i, j))
    monkeypatch.setattr(module, "_BLOCK_VALUES", 1)
    assert identical(whole, ask(slice(None)))


@pytest.mark.parametrize("name", CALLS)
def test_neither_layout_nor_leading_axes_matter(name):
    given = hard_rows(4)
    if name == "van_elteren":
        del given["covariates"]
    want = CALLS[name](**given)
    turned = {key: tuple(map(np.asfortranarray, v)) if isinstance(v, tuple) else np.asfortranarray(v) for key, v in given.items()}
    assert identical(want, CALLS[name](**turned))
    deeper = {key: tuple(z[:, None] for z in v) if isinstance(v, tuple) else v[:, None] for key, v in given.items()}
    got = CALLS[name](**deeper)
    assert got.p_value.shape == (3, 1, 12)
    assert identical([part[:, None] for part in want], got)
    shared = {key: tuple(z[0] for z in v) if isinstance(v, tuple) else v[:, :1] for key, v in given.items()}
    assert identical(
        [part[1] for part in CALLS[name](**shared)], CALLS[name](**{**shared, "x": shared["x"][1], "y": shared["y"][1]})
    )
    single = {key: tuple(z[0] for z in v) if isinstance(v, tuple) else v[0, 1] for key, v in given.items()}
    assert CALLS[name](**single).p_value.shape == ()
    assert identical([part[0, 1] for part in want], CALLS[name](**single))


# ---------------------------------------------------------------- edges


@pytest.mark.parametrize("name", CALLS)
def test_nothing_to_test(name):
    call, s = CALLS[name], (np.array([0, 1]), np.array([0, 1, 1]))
    nothing = call(np.full((2, 2), np.nan), np.full((2, 3), np.nan), sets=s)
    assert nothing.note.tolist() == [Note.NO_SET] * 2
    for column in (*NUMBERS, "side"):
        assert np.isnan(getattr(nothing, column)).all()
    assert call(np.empty((0, 2)), np.empty((0, 3)), sets=s).p_value.shape == (0,)
    assert call(np.empty((0, 4, 2)), np.empty((0, 4, 3)), sets=s).p_value.shape == (0, 4)
    x, y = rng(7, 1).normal(size=(2, 2)), rng(7, 2).normal(size=(2, 3))
    for none in ((s[0] - 9, s[1] - 9), (s[0], s[1] + 5)):
        assert call(x, y, sets=none).note.tolist() == [Note.NO_SET] * 2
    assert call(np.empty((2, 0)), y, sets=(s[0][:0], s[1])).note.tolist() == [Note.NO_SET] * 2
    alike = call(np.array([0.1, 7.7]), np.array([0.1, 7.7, 7.7]), sets=s)
    assert (alike.note, alike.method) == (Note.NO_VARIATION, -1)


def test_a_row_of_few_and_one_of_pairs_that_differ_by_the_same():
    s = np.arange(4)
    y = np.array([[1.0, 2.0, 4.0, 7.0], [1.0, np.nan, np.nan, np.nan]])
    got = stratified(y + 0.5, y, sets=(s, s))
    assert got.note.tolist() == [Note.PERFECT_FIT, Note.NO_FREEDOM]
    assert np.isnan(got.estimate).all()
    assert np.isfinite(van_elteren(y + 0.5, y, sets=(s, s)).p_value).all()


def test_a_covariate_that_is_the_value_leaves_no_variance():
    x, y, s = rng(8, 3).normal(size=(2, 6)), rng(8, 4).normal(size=(2, 12)), (np.arange(6), np.repeat(np.arange(6), 2))
    got = stratified(x, y, sets=s, covariates=(3 * x[:1] + s[0], 3 * y[:1] + s[1]))
    assert got.note.tolist() == [Note.PERFECT_FIT, 0]
    assert np.isnan(got.p_value).tolist() == [True, False]
    assert "constant" not in NOTE_TEXTS[Note.PERFECT_FIT]


@pytest.mark.parametrize(("cases", "controls", "rough"), [(19, 60, True), (20, 20, False), (30, 19, True), (30, 30, False)])
@pytest.mark.parametrize("n_sets", [1, 15])
def test_the_normal_approximation_is_rough_with_few_of_a_kind(cases, controls, rough, n_sets):
    """A set of many is as good as many sets; those that are tied, or of one kind, do not count."""
    x, y = rng(8, 5).normal(size=cases + 3), rng(8, 6).normal(size=controls + 9)
    x[cases:], y[controls:] = 7.0, 7.0
    s = [np.arange(n) % n_sets for n in (cases, controls)]
    s = np.concatenate([s[0], np.full(3, 90)]), np.concatenate([s[1], np.full(9, 90)])
    got = van_elteren(x, y, sets=s)
    assert got.note == (Note.ROUGH_NORMAL if rough else 0)
    assert bool(min(of_both_kinds(x, y, s)) < 20) is rough


def test_four_pairs_of_one_sign_are_where_the_normal_approximation_is_worst():
    s = np.arange(4)
    got = van_elteren(s + 1.0, s - 1.0, sets=(s, s))
    assert got.p_value == pytest.approx(0.0455003, rel=1e-6)  # exact: 2 of 16
    assert got.note == Note.ROUGH_NORMAL


def test_sets_of_one_kind_tell_the_variance_only_and_single_values_nothing():
    x, y, s = rng(8, 1).normal(size=6), rng(8, 2).normal(size=9), (np.arange(6), np.array([0, 1, 2, 3, 4, 7, 7, 8, 0]))
    whole, only = stratified(x, y, sets=s), stratified(x[:5], y[[0, 1, 2, 3, 4, 8]], sets=(s[0][:5], s[1][[0, 1, 2, 3, 4, 8]]))
    assert whole.estimate == pytest.approx(only.estimate, rel=1e-14)
    assert whole.df == only.df + 1
    assert van_elteren(x, y, sets=s).statistic == pytest.approx(
        van_elteren(x[:5], y[[0, 1, 2, 3, 4, 8]], sets=(s[0][:5], s[1][[0, 1, 2, 3, 4, 8]])).statistic, rel=1e-14
    )


def test_covariates_that_do_not_vary_within_sets_are_dropped_in_silence():
    want = wanted("many", "stratified", "age")
    x, y = by_group("many", list(want["analyte"]))
    s = sets_of("many")
    age = by_group("many", ["age"])
    z = tuple(np.stack([a[0], np.full(len(k), 7.1), np.zeros(len(k)), 0.1 * k]) for a, k in zip(age, s, strict=True))
    got, plain = stratified(x, y, sets=s, covariates=z), stratified(x, y, sets=s, covariates=age)
    assert identical(got, plain)


def test_numbers_under_values_that_are_missing_do_not_matter():
    given = hard_rows(9)
    given["x"][:, :, 3] = np.nan
    want = stratified(**given)
    z = given["covariates"][0].copy()
    z[:, :, 3] = 1e6
    assert identical(want, stratified(**{**given, "covariates": (z, given["covariates"][1])}))


def test_no_interval_where_none_is_asked_for():
    x, y = by_group("many", ["complete", "missing"])
    got, want = (stratified(x, y, sets=sets_of("many"), conf_level=level) for level in (None, 0.95))
    assert np.isnan([got.conf_low, got.conf_high]).all()
    assert same(got.p_value, want.p_value)


def test_the_entries():
    assert {name: entry.sets for name, entry in STRATIFIED.items()} == {"stratified": "two", "van_elteren": "both"}
    assert STRATIFIED["van_elteren"].rules[0] == "lowest_rank"
    assert all(entry.name == name and "sets" in entry.takes and not entry.paired for name, entry in STRATIFIED.items())
