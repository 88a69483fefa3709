"""What must hold for any study: nothing is lost, every reason is true, and what does not matter changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc
from cytokine_cc.arrays import StudyArrays
from cytokine_cc.engine import run
from cytokine_cc.kernels import TESTS
from cytokine_cc.multiplicity import METHODS
from cytokine_cc.panel import State
from cytokine_cc.questions import KINDS

VERBS = {"baseline": cc.compare_baseline, "change_within": cc.change_within, "change_between": cc.change_between}
VISITS = ("0", "1", "2", "3")
SUBSTITUTES = ("half", "sqrt2", "limit")
ITERATE = ("tobit", "tobit_paired", "moderated_t", "moderated_paired_t", "conditional_logistic", "lda", "clda")


def profile(n: int):
    phases = (Phase.explicit, Phase.generate)
    return settings(derandomize=True, max_examples=n, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))


# ---------------------------------------------------------------- random studies


@dataclass(frozen=True)
class Recipe:
    """What a random study is made of; equal recipes give equal studies."""

    seed: int
    n_case: int = 5
    n_control: int = 4
    analytes: int = 3
    sets: bool = False
    plates: bool = False
    two_baselines: bool = False
    gaps: bool = True  # missing cells, absent samples
    limits: bool = True
    above: bool = True
    grid: bool = False  # powers of two: many ties, exact logarithms

    @property
    def n(self) -> int:
        return 2 * self.n_case if self.sets else self.n_case + self.n_control

    @property
    def design(self) -> dict:
        sets = {"matched_set": "set"} if self.sets else {}
        return {"baseline": ("0", "1") if self.two_baselines else "0", **sets}


def panel_of(recipe: Recipe) -> cc.Panel:
    r = np.random.default_rng(recipe.seed)
    n, m = recipe.n, recipe.analytes
    half = recipe.n_case
    number = np.arange(n) % half if recipe.sets else np.arange(n)
    visits = VISITS if recipe.two_baselines else (VISITS[0], *VISITS[2:])
    samples = pd.DataFrame(
        [
            {
                "subject": f"s{i}",
                "visit": v,
                "plate": f"P{i % 2}" if recipe.plates else np.nan,
                "group": "case" if i < half else "control",
                "set": f"m{number[i]}",
            }
            for i in r.permutation(n)
            for v in visits
        ]
    )
    if recipe.gaps:
        samples.loc[r.random(len(samples)) < 0.02, "set"] = samples["set"]  # draws stay aligned
        loners = set(samples["subject"][r.random(len(samples)) < 0.01])
        samples.loc[samples["subject"].isin(loners), "set"] = ""
        samples = samples[r.random(len(samples)) > 0.12]
    samples = samples.reset_index(drop=True)
    shape = (m, len(samples))
    value = 2.0 ** r.integers(-1, 5, shape) if recipe.grid else np.round(r.lognormal(1, 1, shape), 2) + 0.01
    state = np.full(shape, State.MEASURED, dtype=np.int8)
    lower, upper = np.full(shape, np.nan), np.full(shape, np.nan)
    if recipe.limits:
        columns = 2 if recipe.plates else 1
        plate = (
            samples["plate"].astype(str).str[-1:].eq("1").to_numpy().astype(int) if recipe.plates else np.zeros(len(samples), int)
        )
        low = 2.0 ** r.integers(-2, 3, (m, columns)) if recipe.grid else np.round(r.uniform(0.3, 4, (m, columns)), 2)
        high = 2.0 ** r.integers(3, 5, (m, columns)) if recipe.grid else np.round(r.uniform(6, 12, (m, columns)), 2)
        limit, ceiling, dice = low[:, plate], high[:, plate], r.random(shape)
        under, over = value < limit, (value > ceiling) & recipe.above
        state[under] = np.where(dice[under] < 0.6, State.BELOW, State.EXTRAPOLATED)
        state[over] = np.where(dice[over] < 0.6, State.ABOVE, State.EXTRAPOLATED)
        stated = r.random((m, 1)) < 0.7  # analytes whose limits the file states
        cell = r.random(shape) < 0.9
        lower, upper = np.where(stated & cell, limit, np.nan), np.where(stated & cell, ceiling, np.nan)
        flagged = r.random(shape) < 0.05
        state[flagged & (state == State.MEASURED)] = State.EXTRAPOLATED
        hopeless = r.random((m, 1)) < 0.15  # analytes without any measured value
        state[hopeless & (state == State.MEASURED)] = State.EXTRAPOLATED
    if recipe.gaps:
        state[r.random(shape) < 0.1] = State.MISSING
    value = np.where(state <= State.EXTRAPOLATED, value, np.nan)
    analytes = pd.DataFrame({"unit": "", "category": ""}, index=pd.Index([f"A{i}" for i in range(m)], name="analyte"))
    samples.index = pd.Index([f"{s}@{v}" for s, v in zip(samples["subject"], samples["visit"], strict=True)], name="sample")
    return cc.Panel.from_arrays(
        value, state, lower, upper, samples=samples, analytes=analytes, has_plates=recipe.plates, source="random"
    )


def study_of(recipe: Recipe, **other) -> cc.Study | None:
    """None where chance left nobody, or a visit out."""
    try:
        return cc.Study(panel_of(recipe), cc.Design("group", "case", "control", **(recipe.design | other)))
    except cc.StudyError as error:
        if "is left" in str(error) or "no visit" in str(error):
            return None
        raise


@cache
def asked(sets: bool, *, tests: tuple = tuple(TESTS), scale: str = "log2") -> list:
    """(kind, options) for every test with every rule."""
    out = []
    for name in tests:
        for kind in TESTS[name].questions:
            if kind == "change_within" or not TESTS[name].matched or sets:
                more = {"ignore_matching": True} if sets and not TESTS[name].matched and kind != "change_within" else {}
                more |= {"seed": 1, "n_resamples": 49} if "resamples" in TESTS[name].takes else {}
                out += [
                    (kind, {"test": name, "below_limit": rule, "scale": scale, **more}) for rule in TESTS[name].rules_for(kind)
                ]
    return out


def some(recipe: Recipe, k: int = 6, **chosen) -> list:
    """A few of them, by the seed."""
    every = asked(recipe.sets, **chosen)
    at = np.random.default_rng([recipe.seed, 7]).permutation(len(every))[:k]
    return [every[i] for i in sorted(at)]


RECIPES = hs.builds(
    Recipe,
    seed=hs.integers(0, 10**9),
    n_case=hs.integers(2, 6),
    n_control=hs.integers(2, 6),
    analytes=hs.integers(1, 4),
    sets=hs.booleans(),
    plates=hs.booleans(),
    two_baselines=hs.booleans(),
)
SEEDS = hs.integers(0, 10**9)


# ---------------------------------------------------------------- nothing is lost


def place(study: cc.Study, kind: str, visit: str, test: str) -> tuple[str, ...]:
    """The visits at one of which a subject with a sample must be accounted for."""
    if test in TESTS and "visits" in TESTS[test].takes:
        return (*study.baseline_visits, *study.visits)
    return study.baseline_visits if kind == "baseline" else (visit,)


def assert_nothing_is_lost(study: cc.Study, kind: str, options: dict) -> None:
    results = VERBS[kind](study, **options)
    samples, table, excluded = study.panel.samples, results.table, results.excluded
    groups = options.get("groups", ("case", "control"))
    everyone = set(samples["subject"][samples["group"].isin(groups)])
    assert not excluded.duplicated(["subject", "visit", "analyte"]).any()
    assert (excluded["reason"] != "").all()
    for visit in table["visit"].unique():
        test = options.get("test", "")
        here = samples[samples["visit"].isin(place(study, kind, visit, test)) & samples["group"].isin(groups)]
        present = set(here["subject"])
        rows = table[table["visit"] == visit]
        used = int(rows[["n_case", "n_control"]].fillna(0).to_numpy(dtype=int).sum())
        gone = excluded[excluded["visit"] == visit]
        cells = len(present) * len(study.analytes)
        assert cells == used + int((gone["analyte"] != "").sum()), (kind, options, visit)
        assert set(gone["subject"][gone["analyte"] == ""]) == everyone - present
        assert set(gone["subject"][gone["analyte"] != ""]) <= present


@profile(10)
@given(RECIPES)
def test_every_cell_is_used_or_listed(recipe):
    study = study_of(recipe)
    if study is None or not study.visits:
        return
    for kind, options in some(recipe):
        assert_nothing_is_lost(study, kind, options)
    for groups in (("case",), ("control",)):
        assert_nothing_is_lost(study, "change_within", {"groups": groups, "visits": study.visits[-1:]})


# ---------------------------------------------------------------- every reason is true


class Oracle:
    """What is in a panel, cell by cell, read from its frames and nothing else."""

    def __init__(self, study: cc.Study, rule: str):
        self.study, self.rule = study, rule
        panel = study.panel
        self.rows = {(s, v): i for i, (s, v) in enumerate(zip(panel.samples["subject"], panel.samples["visit"], strict=True))}
        self.frames = {
            name: frame.to_numpy()
            for name, frame in (
                ("value", panel.values),
                ("state", panel.state),
                ("lower", panel.lower_limit),
                ("upper", panel.upper_limit),
            )
        }
        self.plate = np.array([str(name) for name in panel.samples["plate"]])
        self.columns = {name: j for j, name in enumerate(panel.analytes.index)}

    def fallback(self, i: int, j: int) -> bool:
        """Is there any measured value of this analyte on this plate?"""
        on = self.plate == self.plate[i]
        return bool((self.frames["state"][on, j] == State.MEASURED).any())

    def cell(self, subject: str, visit: str, analyte: str) -> str:
        """enters, missing, below, above, unknown."""
        i, j = self.rows.get((subject, visit)), self.columns[analyte]
        if i is None:
            return "missing"
        value, state, lower, upper = (self.frames[name][i, j] for name in ("value", "state", "lower", "upper"))
        if state == State.MISSING:
            return "missing"
        if state == State.EXTRAPOLATED and value < lower:
            return "below" if self.rule == "drop" else "enters"
        if state in (State.MEASURED, State.EXTRAPOLATED):
            return "enters"
        known = not np.isnan(lower if state == State.BELOW else upper) or self.fallback(i, j)
        if state == State.BELOW and self.rule in ("drop", "as_reported"):
            return "below"
        if state == State.ABOVE and self.rule == "as_reported":
            return "above"
        return "enters" if known else "unknown"

    def at(self, subject: str, visits: tuple[str, ...], analyte: str) -> set[str]:
        """Nothing but {"enters"} where a value enters, else what is there."""
        found = {self.cell(subject, visit, analyte) for visit in visits}
        if self.rule == "lowest_rank" and len(visits) > 1:
            rows = [self.rows[subject, visit] for visit in visits if (subject, visit) in self.rows]
            if {State.BELOW, State.ABOVE} <= {self.frames["state"][i, self.columns[analyte]] for i in rows}:
                known = {v for v in visits if self.cell(subject, v, analyte) == "enters"}
                return {"both"} if len(known) == len(rows) else found
        return {"enters"} if "enters" in found else found

    def reasons(self, subject: str, kind: str, visit: str, analyte: str) -> list[set[str]]:
        """The true reasons, place by place: any of each set will do."""
        places = [(self.study.baseline, self.study.baseline_visits)]
        if kind != "baseline":
            places.insert(0, (visit, (visit,)))
        out = []
        for label, visits in places:
            found = self.at(subject, visits, analyte)
            if found == {"enters"}:
                continue
            words = {
                "missing": f"missing at {label}",
                "below": f"below the limit at {label} ({self.rule})",
                "above": f"above the limit at {label} ({self.rule})",
                "both": f"below at one visit of {label} and above at another",
                "unknown": f"beyond a limit that is not known at {label}",
            }
            out.append({words[what] for what in (found - {"missing"} or found)})
        return out


def assert_reasons_are_true(study: cc.Study, kind: str, options: dict) -> None:
    results = VERBS[kind](study, **options)
    oracle = Oracle(study, options["below_limit"])
    roles, sets = study.subjects["role"], study.subjects["matched_set"]
    paired = TESTS[options["test"]].paired and kind != "change_within"
    left_out = dict(zip(study.excluded["subject"], study.excluded["reason"], strict=True))
    for subject, visit, analyte, reason in results.excluded.itertuples(index=False):
        if subject in left_out:
            assert reason == left_out[subject]
        elif analyte == "":
            assert (subject, visit) not in oracle.rows
            assert reason == f"no sample at {visit}"
        else:
            true = oracle.reasons(subject, kind, visit, analyte)
            if not true:
                assert paired
                assert reason == "no value in the matched partner"
                (partner,) = [s for s in sets.index[sets == sets[subject]] if s != subject]
                assert oracle.reasons(partner, kind, visit, analyte)
            else:
                parts = reason.split("; ")
                assert len(parts) == len(true), (reason, true)
                assert all(part in allowed for part, allowed in zip(parts, true, strict=True)), (reason, true)
    # And what is counted as used did enter, by the same oracle.
    for row in results.table.itertuples(index=False):
        for role in ("case", "control"):
            count = getattr(row, f"n_{role}")
            if pd.isna(count):
                continue
            free = {s for s in roles.index[roles == role] if not oracle.reasons(s, kind, row.visit, row.analyte)}
            if paired:
                whole = {sets[s] for s in roles.index if not oracle.reasons(s, kind, row.visit, row.analyte)}
                both = {
                    name
                    for name in whole
                    if all(not oracle.reasons(s, kind, row.visit, row.analyte) for s in sets.index[sets == name])
                }
                free = {s for s in free if sets[s] in both}
            assert count == len(free), (kind, options, row.visit, row.analyte)


@pytest.mark.parametrize("rule", [*SUBSTITUTES, "drop", "as_reported"])
@profile(7)
@given(RECIPES)
def test_every_reason_is_true(rule, recipe):
    study = study_of(recipe)
    if study is None or not study.visits:
        return
    for kind, options in asked(recipe.sets, tests=("paired_t", "welch")):
        if options["below_limit"] == rule:
            assert_reasons_are_true(study, kind, options)


@profile(7)
@given(RECIPES)
def test_every_reason_is_true_for_ranks(recipe):
    study = study_of(recipe)
    if study is not None:
        more = {"ignore_matching": True} if recipe.sets else {}
        assert_reasons_are_true(study, "baseline", {"test": "mann_whitney", "below_limit": "lowest_rank", **more})


# ---------------------------------------------------------------- what does not matter


def tables(study: cc.Study, options: list) -> list[pd.DataFrame]:
    return [VERBS[kind](study, **chosen).table for kind, chosen in options]


def close(a, b, rtol: float = 1e-11) -> None:
    np.testing.assert_allclose(np.asarray(a, dtype=float), np.asarray(b, dtype=float), rtol=rtol, atol=1e-14)


def digits(table: pd.DataFrame, rtol: float) -> float:
    """Return the relative tolerance: wider of what is found by iteration."""
    return max(rtol, 1e-6) if table["test"].iloc[0] in ITERATE else rtol


def with_visits(recipe: Recipe) -> cc.Study | None:
    study = study_of(recipe)
    return study if study is not None and study.visits else None


def redesign(study: cc.Study, panel: cc.Panel | None = None, **changes) -> cc.Study:
    """The same study with another panel or with parts of its design changed."""
    d = study.design
    parts = {"group": d.group, "case": d.case, "control": d.control, "baseline": d.baseline}
    parts |= {"visits": study.visits, "matched_set": d.matched_set, "matched_on": d.matched_on}
    return cc.Study(panel or study.panel, cc.Design(**(parts | changes)))


@pytest.mark.parametrize("scale", ["log2", "raw"])
@profile(4)
@given(RECIPES)
def test_swapping_case_and_control(scale, recipe):
    study = with_visits(recipe)
    if study is None:
        return
    other = redesign(study, case="control", control="case")
    ratio = (lambda x: 1 / x) if scale == "log2" else (lambda x: -x)
    for kind, options in some(recipe, 5, scale=scale):
        if kind == "change_within":
            continue
        for side, reverse in (("two-sided", "two-sided"), ("less", "greater")):
            a = VERBS[kind](study, **options, alternative=side).table
            b = VERBS[kind](other, **options, alternative=reverse).table
            turned = (lambda x: 1 - x) if TESTS[options["test"]].estimand == "probability" else ratio
            rtol = digits(a, 1e-11)
            close(a["p_value"], b["p_value"], rtol)
            close(a["p_adjusted"], b["p_adjusted"], rtol)
            with np.errstate(divide="ignore"):
                for mine, theirs in (("estimate", "estimate"), ("conf_low", "conf_high"), ("conf_high", "conf_low")):
                    close(a[mine], turned(b[theirs]), max(rtol, 1e-10))
            close(a["hedges_g"], -b["hedges_g"])
            for name in ("n", "n_below", "n_above", "mean", "sd"):
                close(a[f"{name}_case"], b[f"{name}_control"])
                close(a[f"{name}_control"], b[f"{name}_case"])
            assert (a["method"] == b["method"]).all()


def scaled(panel: cc.Panel, factor: float) -> cc.Panel:
    value, lower, upper = (frame.to_numpy().T * factor for frame in (panel.values, panel.lower_limit, panel.upper_limit))
    facts = {"samples": panel.samples, "analytes": panel.analytes, "has_plates": panel.has_plates, "source": panel.source}
    return cc.Panel.from_arrays(value, panel.state.to_numpy().T, lower, upper, **facts)


@pytest.mark.parametrize(("factor", "grid"), [(1000.0, False), (1000.0, True), (1e-6, True)])
@profile(5)
@given(RECIPES)
def test_units_do_not_matter_on_a_log_scale(factor, grid, recipe):
    """Not for a baseline of several visits and ranks: means of logs that are equal can differ in their last bit."""
    study = with_visits(replace(recipe, grid=grid, two_baselines=recipe.two_baselines and not grid))
    if study is None:
        return
    other = redesign(study, scaled(study.panel, factor))
    chosen = some(recipe)
    for (kind, _), a, b in zip(chosen, tables(study, chosen), tables(other, chosen), strict=True):
        for name in ("p_value", "p_adjusted", "statistic", "estimate", "conf_low", "conf_high", "hedges_g", "sd_case"):
            close(a[name], b[name], digits(a, 1e-9))
        close(a["mean_case"] * (factor if kind == "baseline" else 1), b["mean_case"], 1e-9)
        for name in ("n_case", "n_below_case", "n_above_control", "method", "note", "contrast"):
            assert a[name].equals(b[name]), name


@profile(6)
@given(RECIPES)
def test_the_base_of_the_logarithm_does_not_matter(recipe):
    study = with_visits(recipe)
    if study is None:
        return
    want = tables(study, some(recipe, scale="ln"))
    for scale, base in (("log2", np.log(2)), ("log10", np.log(10))):
        for a, b in zip(tables(study, some(recipe, scale=scale)), want, strict=True):
            for name in ("p_value", "p_adjusted", "estimate", "conf_low", "conf_high", "statistic", "mean_case", "sd_control"):
                np.testing.assert_allclose(a[name], b[name], rtol=digits(a, 1e-12), atol=1e-13, err_msg=name)
            unit = {"probability": 1.0, "odds": 1 / base}.get(TESTS[a["test"].iloc[0]].estimand, base)
            close(a["std_error"] * unit, b["std_error"], digits(a, 1e-11))
            for name in ("method", "note", "n_case", "n_below_control"):
                assert a[name].equals(b[name]), name


@pytest.mark.parametrize("grid", [False, True])
@profile(4)
@given(RECIPES, SEEDS)
def test_the_order_of_samples_does_not_matter(grid, recipe, seed):
    study = with_visits(replace(recipe, grid=grid))
    if study is None:
        return
    panel = study.panel
    order = np.random.default_rng(seed).permutation(len(panel.samples))
    cells = (frame.to_numpy().T[:, order] for frame in (panel.values, panel.state, panel.lower_limit, panel.upper_limit))
    facts = {"samples": panel.samples.iloc[order], "analytes": panel.analytes, "has_plates": panel.has_plates}
    other = redesign(study, cc.Panel.from_arrays(*cells, **facts))
    ordered = [name for name, entry in TESTS.items() if "resamples" not in entry.takes]  # arrangements are drawn in order
    for kind, options in some(recipe, tests=tuple(ordered)):
        mine, theirs = (VERBS[kind](s, **options) for s in (study, other))
        a, b = mine.table, theirs.table
        for name in ("p_value", "p_adjusted", "statistic", "df", "estimate", "conf_low", "conf_high", "std_error", "mean_case"):
            np.testing.assert_allclose(a[name], b[name], rtol=digits(a, 1e-12), atol=1e-14, err_msg=name)
        for name in ("n_case", "n_control", "n_below_case", "method", "note"):
            assert a[name].equals(b[name]), name
        assert set(map(tuple, mine.excluded.to_numpy())) == set(map(tuple, theirs.excluded.to_numpy()))


UNCHANGED = [(3, 75, 15), (6, 24, 12), (2, 50, 10), (5, 125, 25), (3, 12, 30), (7, 28, 4), (2, 8, 9), (4, 16, 17)]


@pytest.mark.parametrize(("kind", "test"), [("change_within", "signed_rank"), ("change_between", "change_rank")])
def test_a_level_equal_to_the_mean_of_two_baselines_is_no_change(kind, test):
    """The mean of the logs of 3 and 75 is that of 15, but for the last bit; which way it falls depends on the base."""
    rows = [
        {"subject": f"{g}{i}", "visit": v, "group": g, "X": value * (1 if g == "case" or v < 2 else 1 + i % 3)}
        for i, values in enumerate(UNCHANGED)
        for g in ("case", "control")
        for v, value in enumerate(values)
    ]
    panel = cc.read_panel(pd.DataFrame(rows), layout="wide", analytes=["X"])
    study = cc.Study(panel, cc.Design("group", "case", "control", baseline=("0", "1")))
    found = {VERBS[kind](study, test=test, scale=scale).table["p_value"].iloc[0] for scale in ("log2", "ln", "log10")}
    assert max(found) == pytest.approx(min(found), rel=1e-12)


def raw_rows(table: pd.DataFrame) -> dict[tuple, str]:
    """Each row without what depends on its family, every digit of it."""
    lines = table.drop(columns=["n_tests", "p_adjusted"]).to_csv(index=False, header=False).splitlines()
    return dict(zip(zip(table["contrast"], table["visit"], table["analyte"], strict=True), lines, strict=True))


@pytest.mark.parametrize("sets", [False, True])
@profile(7)
@given(SEEDS, hs.integers(1, 40), hs.booleans(), hs.booleans())
def test_the_order_and_company_of_analytes_leave_every_raw_row_as_it_is(sets, seed, m, gaps, two):
    recipe = Recipe(seed, 7, 6, m, sets=sets, gaps=gaps, limits=bool(seed % 3), two_baselines=two, above=True)
    study = with_visits(recipe)
    if study is None:
        return
    r = np.random.default_rng(seed)
    names = list(study.analytes)
    several = list(map(str, r.permutation(names)[: int(r.integers(1, m + 1))]))
    parts = [study.select(analytes=few) for few in ([several[0]], several)]
    for kind, options in some(recipe):
        if TESTS[options["test"]].borrows:
            continue
        whole = VERBS[kind](study, **options)
        rows, listed = raw_rows(whole.table), set(map(tuple, whole.excluded.to_numpy()))
        for part in parts:
            few = VERBS[kind](part, **options)
            assert few.table["analyte"].tolist() == list(part.analytes) * (len(few) // len(part.analytes))
            assert raw_rows(few.table) == {key: line for key, line in rows.items() if key[2] in part.analytes}, (kind, options)
            assert set(map(tuple, few.excluded.to_numpy())) == {cell for cell in listed if cell[2] in ("", *part.analytes)}


@profile(5)
@given(RECIPES, hs.sampled_from(list(METHODS)), hs.sampled_from(["visit", "all"]))
def test_adjusted_values_are_never_smaller_and_keep_the_order(recipe, method, family):
    study = with_visits(replace(recipe, analytes=8))
    if study is None:
        return
    for kind, test in (("baseline", "mann_whitney"), ("change_within", "paired_t"), ("change_between", "change_rank")):
        more = {"ignore_matching": True} if recipe.sets else {}
        table = VERBS[kind](study, test=test, adjust=method, family=family, **more).table
        table = table[table["p_value"].notna()]
        assert (table["p_adjusted"] >= table["p_value"]).all()
        for _, rows in table.groupby(["contrast", "visit"] if family == "visit" else "test"):
            ordered = rows.sort_values("p_value", kind="stable")
            assert (np.diff(ordered["p_adjusted"]) >= 0).all()
            assert (rows["n_tests"] == len(rows)).all()


def with_missing_cells(panel: cc.Panel, seed: int) -> cc.Panel:
    state = panel.state.to_numpy().T.copy()
    state[np.random.default_rng(seed).random(state.shape) < 0.1] = State.MISSING
    value = np.where(state == State.MISSING, np.nan, panel.values.to_numpy().T)
    limits = panel.lower_limit.to_numpy().T, panel.upper_limit.to_numpy().T
    return cc.Panel.from_arrays(value, state, *limits, samples=panel.samples, analytes=panel.analytes)


@pytest.mark.parametrize("sets", [False, True])
@profile(4)
@given(SEEDS, hs.booleans())
def test_many_studies_at_once_equal_each_alone(sets, seed, two):
    """Studies stacked into one array, groups and sets in another order in each: the verbs give the same for each of them."""
    recipes = [Recipe(seed + k, 6, 5, 3, sets=sets, gaps=False, limits=k != 1, two_baselines=two) for k in range(3)]
    panels = [with_missing_cells(panel_of(recipe), seed) if k % 2 == 0 else panel_of(recipe) for k, recipe in enumerate(recipes)]
    studies = [cc.Study(panel, cc.Design("group", "case", "control", **recipes[0].design)) for panel in panels]
    n = len(studies[0].subjects)
    order = [np.arange(n), *(np.random.default_rng([seed, k]).permutation(n) for k in (1, 2))]
    parts = {}
    for name in ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper", "case", "stratum"):
        arrays = [getattr(study.arrays, name) for study in studies]
        parts[name] = None if arrays[0] is None else np.stack([a[..., o] for a, o in zip(arrays, order, strict=True)])
    first = studies[0].arrays
    stack = StudyArrays(**parts, later=first.later, n_baseline=first.n_baseline)
    chosen = some(recipes[0])
    answers = run([KINDS[kind](**options) for kind, options in chosen], stack, detail=True)
    for (kind, options), contrasts in zip(chosen, answers, strict=True):
        for k, study in enumerate(studies):
            table = VERBS[kind](study, **options).table
            p = np.concatenate([c.statistics.p_value[k] for c in contrasts])
            adjusted = np.concatenate([c.p_adjusted[k] for c in contrasts])
            if k:  # sums over subjects in another order
                np.testing.assert_allclose(p, table["p_value"], rtol=1e-11, err_msg=f"{kind} {options}")
            else:
                np.testing.assert_array_equal(p, table["p_value"], err_msg=f"{kind} {options}")
                np.testing.assert_array_equal(adjusted, table["p_adjusted"])


@profile(5)
@given(RECIPES)
def test_two_sided_is_twice_the_smaller_side(recipe):
    study = with_visits(recipe)
    if study is None:
        return
    for kind, options in some(recipe, 5):
        both, less, greater = (VERBS[kind](study, **options, alternative=side).table for side in ("two-sided", "less", "greater"))
        close(both["p_value"], np.minimum(1, 2 * np.fmin(less["p_value"], greater["p_value"])), 1e-9)
        assert both["p_value"].isna().equals(less["p_value"].isna())
        assert (less["p_value"].dropna() + greater["p_value"].dropna() >= 1 - 1e-9).all()
        assert (both["p_value"].dropna() > 0).all()


@profile(7)
@given(RECIPES)
def test_the_estimate_lies_in_its_interval_and_a_higher_level_widens_it(recipe):
    study = with_visits(recipe)
    if study is None:
        return
    for kind, options in some(recipe):
        table, wide = (VERBS[kind](study, **options, conf_level=level).table for level in (0.8, 0.95))
        assert table["conf_low"].isna().equals(table["p_value"].isna() | (table["conf_type"] == ""))
        tested = table["conf_low"].notna()
        low, estimate, high = (table.loc[tested, name] for name in ("conf_low", "estimate", "conf_high"))
        assert (low <= estimate * (1 + 1e-12)).all()
        assert (estimate <= high * (1 + 1e-12)).all()
        assert (wide.loc[tested, "conf_low"] <= low).all()
        assert (wide.loc[tested, "conf_high"] >= high).all()
        assert wide["p_value"].equals(table["p_value"])
