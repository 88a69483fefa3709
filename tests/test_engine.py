"""run: one study or many, in blocks or at once, the same bits; and what a design does not allow."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc import engine
from cytokine_cc.arrays import Note, StudyArrays
from cytokine_cc.engine import run
from cytokine_cc.errors import NonPositiveError
from cytokine_cc.kernels import TESTS, Statistics
from cytokine_cc.kernels.ranks import midranks, twelve_digits
from cytokine_cc.panel import State
from cytokine_cc.questions import KINDS

NUMBERS = ("half", "sqrt2", "limit", "drop", "as_reported")
KINDS_OF_DATA = ("clean", "missing", "censored")
N_CASE, N_CONTROL = 9, 7


def make(seed: int, lead=(), *, analytes=6, later=2, n_baseline=1, kind="censored", sets=False, by_replicate=True) -> StudyArrays:
    """Invented studies: groups, sets and limits differ by replicate where `by_replicate`."""
    r = np.random.default_rng([seed, *lead])
    n = 2 * N_CONTROL if sets else N_CASE + N_CONTROL
    shape = (*lead, n_baseline + later, analytes, n)
    value = r.lognormal(1, 1, shape)
    state = np.zeros(shape, dtype=np.int8)
    lower, upper = np.full(shape, np.nan), np.full(shape, np.nan)
    groups = (*lead, n) if by_replicate else (n,)
    case = np.broadcast_to(np.arange(n) < (N_CONTROL if sets else N_CASE), groups).copy()
    stratum = np.broadcast_to(np.arange(n) % N_CONTROL, groups).copy() if sets else None
    if by_replicate:
        order = np.argsort(r.random(groups), axis=-1)
        case = np.take_along_axis(case, order, axis=-1)
        stratum = None if stratum is None else np.take_along_axis(stratum, order, axis=-1)
    if kind == "censored":
        lower = np.exp(r.normal(0.3, 0.3, (*lead, 1, analytes, n))) * np.ones(shape)
        upper = np.exp(r.normal(3, 0.3, (*lead, 1, analytes, n))) * np.ones(shape)
        under, over, dice = value < lower, value > upper, r.random(shape)
        state[under & (dice < 0.8)] = State.BELOW
        state[over & (dice < 0.8)] = State.ABOVE
        state[(under | over) & (dice >= 0.8)] = State.EXTRAPOLATED
        lower[dice < 0.05] = np.nan  # not stated
    if kind != "clean":
        state[r.random(shape) < 0.08] = State.MISSING
    number = state <= State.EXTRAPOLATED
    value = np.where(number, value, np.nan)
    inside = np.where(state == State.MEASURED, value, np.nan)
    fallback = np.nanmin(inside, axis=-1, keepdims=True), np.nanmax(inside, axis=-1, keepdims=True)
    labels = tuple(str(v) for v in range(1, later + 1))
    return StudyArrays(
        value, state, lower, upper, *(np.broadcast_to(f, shape) for f in fallback), case, stratum, labels, n_baseline
    )


def cut(arrays: StudyArrays, *index) -> StudyArrays:
    """One replicate alone, in memory of its own."""
    parts = {item.name: getattr(arrays, item.name) for item in fields(arrays)}
    lead = arrays.value.ndim - 3
    for name, part in parts.items():
        if isinstance(part, np.ndarray) and part.ndim >= lead + (1 if name in ("case", "stratum") else 3):
            parts[name] = np.array(part[index])
    return StudyArrays(**parts)


def questions(sets: bool, later: int, rules: int = 9) -> list:
    """Every test with every rule it can honour, or with the first few; but for the slowest, which other files hold."""
    out = []
    for name, entry in TESTS.items():
        if name == "tobit_paired":
            continue
        for kind in entry.questions:
            if kind != "baseline" and not later:
                continue
            if kind != "change_within" and entry.matched and not sets:
                continue
            more = {"ignore_matching": True} if sets and not entry.matched and kind != "change_within" else {}
            more |= {"seed": 1, "n_resamples": 99} if "resamples" in entry.takes else {}
            own = 1 if name == "tobit" else 2 if "covariates" in entry.takes or entry.borrows else rules  # rules are one code
            for i, rule in enumerate(entry.rules_for(kind)[: min(rules, own)]):
                adjust, family = [("BH", "visit"), ("hommel", "all"), ("holm", "visit")][i % 3]
                scale = ("log2", "ln", "raw", "log10")[i % 4]
                out.append(KINDS[kind](test=name, below_limit=rule, adjust=adjust, family=family, scale=scale, **more))
    return out


def same(a, b) -> bool:
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == "f")


def assert_equal(got, want, index=()) -> None:
    """Every array of `got`, at `index` of its leading axes, is that of `want`, bit for bit."""
    assert (got.visit, got.group) == (want.visit, want.group)
    for name in Statistics._fields:
        assert same(getattr(got.statistics, name)[index], getattr(want.statistics, name)), name
    for name in ("p_adjusted", "n_tests"):
        assert same(getattr(got, name)[index], getattr(want, name)), name
    for part in ("summary", "counts"):
        ours, theirs = getattr(got, part), getattr(want, part)
        flags = (Note.TIED_LOWEST, Note.TIED_HIGHEST)
        for key in theirs:
            assert same(ours[key][index], theirs[key]), key
        assert set(ours) - set(theirs) <= set(flags)
    assert (got.entered is None) == (want.entered is None)
    if want.entered is not None:
        assert same(got.entered[index], want.entered)


# ---------------------------------------------------------------- replicates


@pytest.mark.parametrize(
    ("by_replicate", "n_baseline", "lead"),
    [
        pytest.param(True, 1, (3,), marks=pytest.mark.slow),
        (True, 2, (2, 2)),
        (False, 1, (2,)),
        pytest.param(False, 2, (3,), marks=pytest.mark.slow),
    ],
)
@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("kind", KINDS_OF_DATA)
def test_each_replicate_is_what_it_is_alone(kind, sets, by_replicate, n_baseline, lead):
    asked = questions(sets, 1, rules=9 if kind == "censored" else 2)
    many = make(1, lead, later=1, kind=kind, sets=sets, by_replicate=by_replicate, n_baseline=n_baseline)
    together = run(asked, many, detail=True)
    for index in np.ndindex(*lead):
        alone = run(asked, cut(many, *index), detail=True)
        for ours, theirs in zip(together, alone, strict=True):
            for got, want in zip(ours, theirs, strict=True):
                assert_equal(got, want, index)
    assert any(np.isfinite(c.statistics.p_value).any() for found in together for c in found)


@pytest.mark.parametrize("kind", KINDS_OF_DATA)
def test_a_clean_replicate_is_untouched_by_its_company(kind):
    """Whether any value is censored or missing is asked of each row, not of the batch."""
    asked = questions(False, 2)
    clean, other = make(2, (1,), kind="clean"), make(3, (1,), kind=kind)
    both = StudyArrays(
        *(np.concatenate([getattr(a, n) for a in (clean, other)]) for n in
          ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper", "case")),
        None, clean.later, 1,
    )  # fmt: skip
    together, alone = run(asked, both, detail=True), run(asked, cut(clean, 0), detail=True)
    for ours, theirs in zip(together, alone, strict=True):
        for got, want in zip(ours, theirs, strict=True):
            for name in Statistics._fields:
                assert same(getattr(got.statistics, name)[0], getattr(want.statistics, name)), name
            for name, array in want.summary.items():
                assert same(got.summary[name][0], array), name


@pytest.mark.parametrize("kind", KINDS_OF_DATA)
def test_memory_layout_does_not_matter(kind):
    asked = questions(False, 1)
    plain = make(4, (2,), later=1, kind=kind)
    cells = ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper")
    turned = replace(plain, **{n: np.asfortranarray(getattr(plain, n)) for n in cells})
    strided = replace(plain, **{n: np.repeat(getattr(plain, n), 2, axis=-1)[..., ::2] for n in cells})
    want = run(asked, plain, detail=True)
    for other in (turned, strided):
        for ours, theirs in zip(run(asked, other, detail=True), want, strict=True):
            for got, one in zip(ours, theirs, strict=True):
                assert_equal(got, one)


# ---------------------------------------------------------------- analytes and blocks


@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("kind", KINDS_OF_DATA)
def test_an_analyte_does_not_mind_its_company(kind, sets):
    asked = [question for question in questions(sets, 1) if not question.entry.borrows]
    arrays = make(5, analytes=7, later=1, kind=kind, sets=sets, by_replicate=False)
    whole = run(asked, arrays, detail=True)
    cells = ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper")
    for rows in ([3], [5, 4, 3, 2, 1, 0, 6]):
        few = run(asked, replace(arrays, **{n: getattr(arrays, n)[:, rows] for n in cells}), detail=True)
        for ours, theirs in zip(few, whole, strict=True):
            for got, want in zip(ours, theirs, strict=True):
                for name in Statistics._fields:
                    assert same(getattr(got.statistics, name), getattr(want.statistics, name)[rows]), name
                for name, array in want.summary.items():
                    assert same(got.summary[name], array[rows]), name


@pytest.mark.parametrize("block", [1, 70, 10**9])
@pytest.mark.parametrize("sets", [False, True])
@pytest.mark.parametrize("kind", KINDS_OF_DATA)
def test_the_size_of_blocks_does_not_change_a_bit(monkeypatch, kind, sets, block):
    asked = questions(sets, 1, rules=2)
    arrays = make(6, (2,), analytes=6, later=1, kind=kind, sets=sets)
    want = run(asked, arrays, detail=True)
    monkeypatch.setattr(engine, "BLOCK_VALUES", block)
    for ours, theirs in zip(run(asked, arrays, detail=True), want, strict=True):
        for got, one in zip(ours, theirs, strict=True):
            assert_equal(got, one)


def test_blocks_do_not_change_a_table(monkeypatch):
    study = cc.load_study("quickstart")
    plan = cc.Plan(cc.Baseline(test="mann_whitney"), cc.ChangeWithin(test="signed_rank"), cc.ChangeBetween(below_limit="drop"))
    want = cc.analyze(study, plan)
    monkeypatch.setattr(engine, "BLOCK_VALUES", 60)
    got = cc.analyze(study, plan)
    for kind, results in want.results.items():
        assert results.to_csv() == got.results[kind].to_csv()
        assert results.excluded.equals(got.results[kind].excluded)


# ---------------------------------------------------------------- what is asked


def test_questions_are_answered_as_if_alone():
    arrays = make(7)
    asked = questions(False, 2)
    together = run(asked, arrays, detail=True)
    for question, found in zip(asked, together, strict=True):
        for got, want in zip(found, run([question], arrays, detail=True)[0], strict=True):
            assert_equal(got, want)


def test_without_detail_and_intervals_the_rest_is_the_same():
    arrays = make(8)
    asked = questions(False, 2)
    full, bare = run(asked, arrays, detail=True), run(asked, arrays, intervals=False)
    for ours, theirs in zip(bare, full, strict=True):
        for got, want in zip(ours, theirs, strict=True):
            for name in ("p_value", "statistic", "df", "method"):
                assert same(getattr(got.statistics, name), getattr(want.statistics, name)), name
            assert np.isnan(got.statistics.conf_low).all()
            assert not got.summary
            assert got.entered is None
            assert same(got.p_adjusted, want.p_adjusted)


def test_contrasts_in_order():
    arrays = make(9, later=3)
    asked = [cc.Baseline(), cc.ChangeWithin(groups=("control", "case"), visits=("3", "1")), cc.ChangeBetween()]
    found = [[(c.visit, c.group) for c in contrasts] for contrasts in run(asked, arrays)]
    assert found == [
        [(None, "")],
        [(2, "control"), (0, "control"), (2, "case"), (0, "case")],
        [(0, ""), (1, ""), (2, "")],
    ]


def test_arrays_are_left_alone_and_read_only():
    arrays = make(10)
    before = {
        item.name: np.array(getattr(arrays, item.name)) for item in fields(arrays) if item.name in ("value", "state", "case")
    }
    run(questions(False, 2), arrays, detail=True)
    for name, array in before.items():
        assert same(getattr(arrays, name), array)
        with pytest.raises(ValueError, match="read-only"):
            getattr(arrays, name)[...] = 0


def test_a_study_gives_the_arrays_that_the_verbs_run_on():
    study = cc.load_study("quickstart")
    (found,) = run([cc.Baseline()], study.arrays)[0]
    table = cc.compare_baseline(study).table
    assert same(found.statistics.p_value, table["p_value"])
    assert same(found.p_adjusted, table["p_adjusted"])


# ---------------------------------------------------------------- matched sets


def test_pairs_follow_their_sets_whatever_the_order():
    r = np.random.default_rng(11)
    arrays = make(12, sets=True, kind="missing", by_replicate=False)
    want = run([cc.Baseline(test="paired_t"), cc.ChangeBetween(test="signed_rank")], arrays)
    n = arrays.case.shape[-1]
    order = r.permutation(n)
    cells = ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper", "case", "stratum")
    turned = replace(arrays, **{name: getattr(arrays, name)[..., order] for name in cells})
    relabelled = replace(turned, stratum=(turned.stratum * 37 + 5) % 101)
    for other in (turned, relabelled):
        for ours, theirs in zip(
            run([cc.Baseline(test="paired_t"), cc.ChangeBetween(test="signed_rank")], other), want, strict=True
        ):
            for got, one in zip(ours, theirs, strict=True):
                np.testing.assert_allclose(got.statistics.p_value, one.statistics.p_value, rtol=1e-12)
                np.testing.assert_allclose(got.statistics.estimate, one.statistics.estimate, rtol=1e-12, atol=1e-15)


def test_a_partner_without_a_value_takes_the_other_with_it():
    arrays = make(13, sets=True, kind="clean", by_replicate=False, analytes=2)
    state, value = arrays.state.copy(), arrays.value.copy()
    first = int(np.flatnonzero(arrays.case)[0])
    partner = int(np.flatnonzero(~arrays.case & (arrays.stratum == arrays.stratum[first]))[0])
    state[0, 0, first], value[0, 0, first] = State.MISSING, np.nan
    (got,) = run([cc.Baseline(test="paired_t")], replace(arrays, state=state, value=value), detail=True)[0]
    assert got.summary["n_case"].tolist() == [N_CONTROL - 1, N_CONTROL]
    assert got.summary["n_control"].tolist() == [N_CONTROL - 1, N_CONTROL]
    assert not got.entered[0, [first, partner]].any()
    assert got.entered[1].all()


@pytest.mark.parametrize("kind", ["baseline", "change_between"])
def test_a_paired_test_needs_sets(kind):
    with pytest.raises(
        cc.OptionError, match=f"{kind}: 'paired_t' pairs each case with a control, but the design names no matched sets"
    ):
        run([KINDS[kind](test="paired_t")], make(14))


@pytest.mark.parametrize("kind", ["baseline", "change_between"])
def test_sets_are_not_ignored_by_accident(kind):
    with pytest.raises(
        cc.OptionError, match=f"{kind}: 'student' would ignore the matched sets.*'paired_t', 'signed_rank'.*ignore_matching"
    ):
        run([KINDS[kind](test="student")], make(15, sets=True))
    run([KINDS[kind](test="student", ignore_matching=True)], make(15, sets=True))
    run([cc.ChangeWithin()], make(15, sets=True))  # within a group sets do not matter


def test_a_paired_test_needs_sets_of_one_to_one():
    arrays = make(16, sets=True, by_replicate=False)
    two = arrays.stratum.copy()
    two[two == 1] = 0
    with pytest.raises(cc.OptionError, match="needs one case and one control in each matched set"):
        run([cc.Baseline(test="paired_t")], replace(arrays, stratum=two))
    crossed = arrays.stratum.copy()
    controls = np.flatnonzero(~arrays.case)
    crossed[controls[0]] = 99
    with pytest.raises(cc.OptionError, match="needs one case and one control"):
        run([cc.Baseline(test="paired_t")], replace(arrays, stratum=crossed))


def test_visits_that_the_study_does_not_have():
    with pytest.raises(cc.OptionError, match="change_within: no later visit 'm3'; the later visits are '1', '2'"):
        run([cc.ChangeWithin(visits="m3")], make(17))
    with pytest.raises(cc.OptionError, match="change_between: the study has no visit after baseline"):
        run([cc.ChangeBetween()], make(18, later=0))


# ---------------------------------------------------------------- numbers without a logarithm


@pytest.mark.parametrize("block", [1, 10**9])
@pytest.mark.parametrize("lead", [(), (2,)])
def test_the_cells_that_have_no_logarithm_are_named_by_position(monkeypatch, lead, block):
    monkeypatch.setattr(engine, "BLOCK_VALUES", block)
    arrays = make(19, lead, kind="clean", analytes=5)
    value = arrays.value.copy()
    place = (*(1,) * len(lead), 2, 3, 4)
    value[place] = -0.5
    with pytest.raises(NonPositiveError) as caught:
        run([cc.ChangeBetween(visits="2")], replace(arrays, value=value))
    assert caught.value.cells.tolist() == [list(place)]
    run([cc.ChangeBetween(visits="2", scale="raw"), cc.Baseline()], replace(arrays, value=value))


# ---------------------------------------------------------------- shapes of groups, and the fast lanes


def test_sets_may_differ_by_replicate_where_groups_do_not():
    arrays = make(20, (3,), sets=True, kind="missing", by_replicate=False)
    r = np.random.default_rng(20)
    controls = np.flatnonzero(~arrays.case)
    stratum = np.array(np.broadcast_to(arrays.stratum, (3, arrays.case.size)))
    stratum[:, controls] = r.permuted(stratum[:, controls], axis=-1)
    arrays = replace(arrays, stratum=stratum)
    asked = [cc.Baseline(test="paired_t"), cc.ChangeBetween(test="signed_rank", adjust="holm")]
    together = run(asked, arrays, detail=True)
    for i in range(3):
        for ours, theirs in zip(together, run(asked, cut(arrays, i), detail=True), strict=True):
            for got, want in zip(ours, theirs, strict=True):
                assert_equal(got, want, i)
    assert not same(*(together[0][0].statistics.p_value[i] for i in (0, 1)))


@pytest.mark.parametrize("kind", KINDS_OF_DATA)
@pytest.mark.parametrize("n_baseline", [1, 2])
def test_groups_that_stand_together_are_as_any_other(kind, n_baseline):
    """Cases first is a slice, cases scattered an index: the subjects of a group in the same order give the same bits."""
    asked = questions(False, 1, rules=9)
    arrays = make(21, (2,), later=1, kind=kind, n_baseline=n_baseline, by_replicate=False)
    n = arrays.case.size
    order = np.argsort(np.random.default_rng(21).random(n))
    order[np.flatnonzero(order < N_CASE)], order[np.flatnonzero(order >= N_CASE)] = np.arange(N_CASE), np.arange(N_CASE, n)
    cells = ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper", "case")
    scattered = replace(arrays, **{name: getattr(arrays, name)[..., order] for name in cells})
    assert (np.diff(np.flatnonzero(scattered.case)) > 1).any()
    for ours, theirs in zip(run(asked, scattered, detail=True), run(asked, arrays, detail=True), strict=True):
        for got, want in zip(ours, theirs, strict=True):
            got.entered = got.entered[..., np.argsort(order)]
            assert_equal(got, want)


def test_one_state_and_limits_broadcast_are_as_good_as_arrays():
    full = make(22, (3,), later=1, kind="clean")
    lean = {name: np.broadcast_to(np.nan, full.value.shape) for name in ("lower", "upper", "fallback_lower", "fallback_upper")}
    lean["state"] = np.broadcast_to(np.int8(0), full.value.shape)
    asked = questions(False, 1, rules=9)
    for ours, theirs in zip(run(asked, replace(full, **lean), detail=True), run(asked, full, detail=True), strict=True):
        for got, want in zip(ours, theirs, strict=True):
            assert_equal(got, want)


@pytest.mark.parametrize("scale", ["raw", "log2"])
def test_rows_that_share_one_array_in_memory(scale):
    """A view whose analytes, or subjects, are one number in memory gives the bits of a copy."""
    value = np.random.default_rng(23).lognormal(size=(2, 2, 1, 16))
    case = np.arange(16) < N_CASE
    nan = np.broadcast_to(np.nan, (2, 2, 5, 16))
    wide = np.broadcast_to(value, nan.shape)
    asked = [cc.Baseline(scale=scale), cc.ChangeWithin(scale=scale)]
    got, want = (
        run(asked, StudyArrays(v, np.broadcast_to(np.int8(0), nan.shape), nan, nan, nan, nan, case, None, ("1",)))
        for v in (wide, wide.copy())
    )
    for ours, theirs in zip(got, want, strict=True):
        for a, b in zip(ours, theirs, strict=True):
            assert_equal(a, b)
            assert (a.statistics.p_value == a.statistics.p_value[..., :1]).all()


def test_ranks_are_those_of_values_rounded_to_twelve_digits():
    """Rows are rounded only where neighbours nearly agree: the ranks are as if all had been."""
    r = np.random.default_rng(24)
    x = r.normal(size=(400, 12)) * 10.0 ** r.integers(-3, 3, size=(400, 12))
    source, nudge = r.integers(0, 12, size=(400, 12)), r.choice([0, 1e-16, 3e-13, 2e-12, 1e-11, 1e-9], size=(400, 12))
    x = np.where(r.random(x.shape) < 0.3, np.take_along_axis(x, source, axis=-1) * (1 + nudge), x)
    odd = r.choice([np.nan, np.inf, -np.inf, 0.0, -0.0, 5e-324, 1e-300, 2e-290, 1e300], size=x.shape)
    x = np.where(r.random(x.shape) < 0.2, odd, x)
    x[:40] = np.where(r.random((40, 12)) < 0.5, np.nan, r.normal(size=(40, 12)))
    rounded = twelve_digits(x)
    less, equal = ((f(rounded[:, None, :], rounded[:, :, None])).sum(axis=-1) for f in (np.less, np.equal))
    ranks, ties = midranks(x)
    assert same(ranks, np.where(np.isnan(x), np.nan, less + (equal + 1) / 2))
    assert same(ties, np.where(np.isnan(x), 0.0, equal**2 - 1.0).sum(axis=-1))
    assert ((x[:, None] != x[:, :, None]) & (rounded[:, None] == rounded[:, :, None])).any()
