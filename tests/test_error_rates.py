"""certify: measures against plain loops, the same bits from any number of workers, truths known beforehand."""

from __future__ import annotations

import io
import json
import math
import pickle
import statistics as st

import joblib
import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.arrays import StudyArrays
from cytokine_cc.engine import run
from cytokine_cc.kernels import TESTS
from cytokine_cc.panel import State
from cytokine_cc.simulation import measures, replicates
from cytokine_cc.simulation.error_rates import RATE_COLUMNS

LN2 = math.log(2)
DIFFERENCE = (0.0, -0.6, 0.0, 0.5, 0.0, -1.0)
CASE = ((0.0, 0.4, 0.0, 0.0, 0.3, 0.0), (0.0, 0.4, 0.0, 0.0, 0.5, 0.0))
LOW = cc.Pattern(says="2 were lower", question="baseline", exactly=2, direction="lower", p_below=0.05)
STILL = cc.Pattern(says="no change", question="change_between", at_most=0, p_below=0.05, adjusted=True)


class FakeScenario:
    """Log-normal analytes of known truth: `difference` at baseline, `case` and `control` changes by later visit, natural logs."""

    def __init__(
        self,
        difference=(0.0,) * 6,
        case=None,
        control=None,
        *,
        later=("1",),
        n=(30, 22),
        sd=0.8,
        icc=0.7,
        shared=0.0,
        limit=None,
        missing=0.0,
        patterns=(),
    ):
        self.difference = np.asarray(difference, dtype=float)
        m = len(self.difference)
        self.name = "fake"
        self.analytes = tuple(f"A{i}" for i in range(m))
        self.visits = ("0", *later)
        self.n_case, self.n_control = n
        self.patterns = tuple(patterns)
        self.change = {
            "case": np.broadcast_to(np.asarray(0.0 if case is None else case, dtype=float), (len(later), m)),
            "control": np.broadcast_to(np.asarray(0.0 if control is None else control, dtype=float), (len(later), m)),
        }
        self.sd, self.icc, self.shared, self.limit, self.missing = sd, icc, shared, limit, missing

    def effect(self, visit, group):
        if visit is None:
            return self.difference
        if group:
            return self.change[group][visit]
        return self.change["case"][visit] - self.change["control"][visit]

    def draw_arrays(self, seed, replicates):
        n, m, v = self.n_case + self.n_control, len(self.analytes), len(self.visits)
        z = np.empty((len(replicates), v, m, n))
        gone = np.zeros(z.shape, dtype=bool)
        for i, k in enumerate(replicates):
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(k,))))
            noise = rng.standard_normal((v + 1, m, n))
            z[i] = np.sqrt(self.icc) * noise[0] + np.sqrt(1 - self.icc) * noise[1:]
            if self.shared:
                z[i] = np.sqrt(1 - self.shared) * z[i] + np.sqrt(self.shared) * rng.standard_normal((v, 1, n))
            if self.missing:
                gone[i] = rng.random(z.shape[1:]) < self.missing
        z *= self.sd
        case = np.arange(n) < self.n_case
        z[:, 1:] += np.where(case, self.change["case"][..., None], self.change["control"][..., None])
        z += np.where(case, self.difference[:, None], 0.0)
        value, state, lower = np.exp(z), np.zeros(z.shape, dtype=np.int8), np.nan
        if self.limit is not None:
            state[z < self.limit] = State.BELOW
            lower = np.exp(self.limit)
        state[gone] = State.MISSING
        value[state > State.EXTRAPOLATED] = np.nan
        nan = np.broadcast_to(np.nan, z.shape)
        return StudyArrays(value, state, np.broadcast_to(lower, z.shape), nan, nan, nan, case, None, later=self.visits[1:])


def only(**question) -> cc.Plan:
    """A plan of one question."""
    return cc.Plan(**{"baseline": None, "change_within": None, "change_between": None, **question})


def rows(rates: cc.ErrorRates, **where) -> pd.DataFrame:
    return rates.select(**where).table


def value(rates: cc.ErrorRates, measure: str, **where) -> tuple[float, float]:
    """Estimate and Monte Carlo error of the one row."""
    found = rows(rates, measure=measure, **{"analyte": "", **where})
    assert len(found) == 1
    return float(found["estimate"].iloc[0]), float(found["mcse"].iloc[0])


# ---------------------------------------------------------------- against loops


def of_share(flags) -> tuple[float, float]:
    n = len(flags)
    if not n:
        return math.nan, math.nan
    p = sum(flags) / n
    return p, math.sqrt(p * (1 - p) / n) if n > 1 else math.nan


def of_mean(values) -> tuple[float, float]:
    if not values:
        return math.nan, math.nan
    return sum(values) / len(values), st.stdev(values) / math.sqrt(len(values)) if len(values) > 1 else math.nan


def of_sd(values) -> tuple[float, float]:
    if len(values) < 2:
        return math.nan, math.nan
    return st.stdev(values), st.stdev(values) / math.sqrt(2 * (len(values) - 1))


def of_root(variances) -> tuple[float, float]:
    if not variances:
        return math.nan, math.nan
    root = math.sqrt(sum(variances) / len(variances))
    if len(variances) < 2:
        return root, math.nan
    return root, math.sqrt(st.variance(variances) / (4 * len(variances) * root**2))


def of_median(errors) -> tuple[float, float]:
    """The median, and half the distance of the quantiles one binomial standard error apart, of counts in bins of 1/256."""
    n = len(errors)
    if not n:
        return math.nan, math.nan
    bins = sorted(math.floor(error * 256) for error in errors)

    def quantile(rank: float) -> float:
        own = next(bins[i] for i in range(n) if i + 1 >= rank)
        return own / 256 + (rank - bins.index(own)) / bins.count(own) / 256

    low, high = (quantile(n / 2 + step * math.sqrt(n)) for step in (-0.5, 0.5))
    return quantile(n / 2), (high - low) / 2 if n > 1 else math.nan


def is_null(effect, alternative) -> bool:
    return {"two-sided": effect == 0, "greater": effect <= 0, "less": effect >= 0}[alternative]


def loops(contrasts, truths, alpha, scale, side="two-sided") -> dict:
    """Every measure by analyte and over all, one replicate at a time; keys (measure, analyte or None)."""
    out = {}
    n_sim, m = contrasts[0]["p"].shape
    found = {name: [] for name in ("size", "average", "any", "all", "false", "fdp")}
    for k in range(n_sim):
        wrong = [], []
        right = []
        n_false = n_hit = 0
        for c, effect in zip(contrasts, truths, strict=True):
            for j in range(m):
                hit = bool(c["q"][k, j] <= alpha)
                n_hit += hit
                if is_null(effect[j], side):
                    wrong[0].append(bool(c["p"][k, j] <= alpha))
                    n_false += hit
                else:
                    right.append(hit)
        found["size"].append(sum(wrong[0]) / max(1, len(wrong[0])))
        found["average"].append(sum(right) / max(1, len(right)))
        found["any"].append(any(right))
        found["all"].append(all(right))
        found["false"].append(n_false > 0)
        found["fdp"].append(n_false / max(1, n_hit))
    effects = [e for effect in truths for e in effect]
    if any(is_null(e, side) for e in effects):
        out["size", ""] = of_mean(found["size"])
    if not all(is_null(e, side) for e in effects):
        out["power_average", ""] = of_mean(found["average"])
        out["power_any", ""], out["power_all", ""] = of_share(found["any"]), of_share(found["all"])
    out["FWER", ""], out["FDR", ""] = of_share(found["false"]), of_mean(found["fdp"])
    if len(contrasts) == 1:
        for j in range(m):
            out |= {(name, f"A{j}"): pair for name, pair in by_analyte(contrasts[0], truths[0][j], j, alpha, scale, side).items()}
    return out


def by_analyte(c, effect, j, alpha, scale, alternative) -> dict:
    unit = {"log2": LN2, "ln": 1.0, "log10": math.log(10)}.get(scale)
    truth = effect / unit if unit else (0.0 if effect == 0 else math.nan)
    null = is_null(effect, alternative)
    p, q, estimate, low, high, side = (c[name][:, j].tolist() for name in ("p", "q", "estimate", "low", "high", "side"))
    used = [k for k in range(len(p)) if not math.isnan(p[k])]
    hits = [k for k in used if q[k] <= alpha]
    out = {"size" if null else "power": of_share([x <= alpha for x in (p if null else q)])}
    out["emp_se"] = of_sd([estimate[k] for k in used])
    out["model_se"] = of_root([float(c["se"][k, j]) ** 2 for k in used])
    out["interval_width"] = of_mean([high[k] - low[k] for k in used if math.isfinite(high[k] - low[k])])
    if not math.isnan(truth):
        out["bias"] = of_mean([estimate[k] - truth for k in used])
        if unit:
            out["median_bias"] = of_median([estimate[k] - truth for k in used])
        out["coverage"] = of_share([low[k] <= truth <= high[k] for k in used])
        if not null:
            out["type_m"] = of_mean([abs(estimate[k]) / abs(truth) for k in hits])
            out["type_s"] = of_share([side[k] * truth < 0 for k in hits])
    return out


def arrays_of(contrast) -> dict:
    s = contrast.statistics
    numbers = {"p": s.p_value, "estimate": s.estimate, "se": s.std_error, "low": s.conf_low, "high": s.conf_high, "side": s.side}
    return {**numbers, "q": contrast.p_adjusted}


def check_against_loops(scenario, plan, n_sim, seed=3, without=()) -> cc.ErrorRates:
    rates = cc.certify(plan, scenario, n_sim=n_sim, seed=seed, patterns=())
    answers = run(plan.questions, scenario.draw_arrays(seed, range(n_sim)))
    n_rows = 0
    for question, contrasts in zip(plan.questions, answers, strict=True):
        table = rows(rates, question=question.kind)
        labels = list(dict.fromkeys(zip(table["contrast"], table["visit"], strict=True)))
        truths = [scenario.effect(c.visit, c.group).tolist() for c in contrasts]
        how = plan.alpha, question.scale, question.alternative
        wanted = [loops([arrays_of(c)], [t], *how) for c, t in zip(contrasts, truths, strict=True)]
        if question.family == "all":
            assert labels[-1] == ("all", "all")
            whole = loops([arrays_of(c) for c in contrasts], truths, *how)
            wanted.append({key: pair for key, pair in whole.items() if key[0] in ("FWER", "FDR")})
        for label, want in zip(labels, wanted, strict=True):
            want = {key: pair for key, pair in want.items() if key[0] not in without}
            got = table[(table["contrast"] == label[0]) & (table["visit"] == label[1])]
            got = {(r.measure, r.analyte): (r.estimate, r.mcse) for r in got.itertuples()}
            assert set(got) == set(want)
            for key, pair in want.items():
                np.testing.assert_allclose(got[key], pair, rtol=1e-9, atol=1e-12, err_msg=str((label, key)))
            n_rows += len(want)
    assert n_rows == len(rates) == len(rates.table.drop_duplicates(["question", "contrast", "visit", "measure", "analyte"]))
    return rates


@pytest.mark.parametrize("n_sim", [1, 2, 150])
@pytest.mark.parametrize(("adjust", "family"), [("holm", "visit"), ("BH", "all"), ("none", "all")])
def test_every_measure_is_what_a_loop_gives(adjust, family, n_sim):
    scenario = FakeScenario(DIFFERENCE, CASE, later=("1", "6"), n=(9, 7))
    plan = cc.Plan().vary(adjust=[adjust], family=[family])[0]
    check_against_loops(scenario, plan, n_sim)


@pytest.mark.parametrize("scale", ["ln", "log10"])
def test_truth_is_on_the_analysis_scale(scale):
    scenario = FakeScenario(DIFFERENCE, n=(9, 7))
    check_against_loops(scenario, only(baseline=cc.Baseline(scale=scale, adjust="none"), alpha=0.2), 100)


def test_rank_tests_have_no_standard_error():
    scenario = FakeScenario(DIFFERENCE, n=(9, 7))
    plan = only(baseline=cc.Baseline(test="mann_whitney"), change_within=cc.ChangeWithin(test="signed_rank"))
    check_against_loops(scenario, plan, 100, without=("model_se",))


@pytest.mark.parametrize("alternative", ["less", "greater"])
def test_one_sided_intervals_have_no_width(alternative):
    scenario = FakeScenario(DIFFERENCE, n=(9, 7))
    plan = only(baseline=cc.Baseline(alternative=alternative))
    rates = check_against_loops(scenario, plan, 100, without=("interval_width",))
    # Nulls lie on both sides of zero: what is lower is a true null of "greater", and the other way round.
    lower, higher = ("power", "size") if alternative == "less" else ("size", "power")
    assert rows(rates, measure=lower, analyte="A5")["estimate"].item() > 0.3 or lower == "size"
    assert len(rows(rates, measure=higher, analyte="A3"))


def test_rows_that_cannot_be_tested():
    # Two a group, a third of values missing: many rows without a p-value.
    scenario = FakeScenario((0.0, -2.0), n=(3, 3), missing=0.4)
    plan = only(baseline=cc.Baseline(), alpha=0.3)
    rates = check_against_loops(scenario, plan, 200)
    p = run(plan.questions, scenario.draw_arrays(3, range(200)))[0][0].statistics.p_value
    missing = np.isnan(p).sum(axis=0)
    assert (missing > 20).all()
    for j in (0, 1):
        assert (rows(rates, analyte=f"A{j}")["n_failed"] == missing[j]).all()
    assert rows(rates, measure="FWER")["n_failed"].item() == np.isnan(p).any(axis=1).sum()
    assert rows(rates, measure="power_any")["n_failed"].item() == missing[1]
    assert rows(rates, measure="size", analyte="")["n_failed"].item() == missing[0]
    assert (rates.table["n_sim"] == 200).all()


def test_a_row_that_is_never_tested_has_a_power_and_no_bias():
    scenario = FakeScenario((0.0, -1.0), n=(3, 3), limit=9.0)
    rates = cc.certify(only(baseline=cc.Baseline()), scenario, n_sim=70, seed=1)
    assert value(rates, "power", analyte="A1") == (0.0, 0.0)
    assert value(rates, "size", analyte="A0") == (0.0, 0.0)
    for measure in ("bias", "emp_se", "model_se", "coverage", "interval_width", "type_m", "type_s"):
        assert all(math.isnan(x) for x in value(rates, measure, analyte="A1"))
    assert (rates.table["n_failed"] == 70).all()


def test_open_intervals_have_no_width():
    scenario = FakeScenario((0.0,), n=(12, 12), limit=0.0)
    plan = only(baseline=cc.Baseline(test="mann_whitney"))
    rates = cc.certify(plan, scenario, n_sim=100, seed=1)
    s = run(plan.questions, scenario.draw_arrays(1, range(100)))[0][0].statistics
    finite = np.isfinite(s.conf_high - s.conf_low)
    assert 0 < finite.sum() < 100
    row = rows(rates, measure="interval_width")
    assert row["n_failed"].item() == 100 - finite.sum()
    assert row["estimate"].item() == pytest.approx((s.conf_high - s.conf_low)[finite].mean())
    assert rows(rates, measure="coverage")["n_failed"].item() == 0


def test_on_the_raw_scale_the_truth_is_known_where_nothing_differs():
    scenario = FakeScenario((0.0, -0.6, -0.6, 0.0), ((0.0, 0.0, 0.4, 0.4),), ((0.0, 0.0, 0.4, 0.4),), n=(9, 7))
    plan = cc.Plan().vary(scale=["raw"])[0]
    rates = cc.certify(plan, scenario, n_sim=30, seed=1)
    known = {
        question: list(rows(rates, question=question, measure="bias")["analyte"])
        for question in ("baseline", "change_within", "change_between")
    }
    # A2 changes by the same ratio from unequal baselines: no equal difference, and neither a true null nor an effect.
    assert known == {
        "baseline": ["A0", "A3"],
        "change_within": ["A0", "A1", "A0", "A1"],
        "change_between": ["A0", "A1", "A3"],
    }
    assert list(rows(rates, question="change_between", measure="size")["analyte"]) == ["A0", "A1", "A3", ""]
    assert "power" not in set(rows(rates, question="change_between")["measure"])
    assert "type_m" not in set(rates.table["measure"])
    assert rates.table["contrast"].iloc[0] == "case - control"


# ---------------------------------------------------------------- the same bits


def tables_equal(a: cc.ErrorRates, b: cc.ErrorRates) -> bool:
    pd.testing.assert_frame_equal(a.table, b.table, check_exact=True)
    return a.meta == b.meta


@pytest.mark.parametrize("test", ["welch", "mann_whitney"])
def test_neither_workers_nor_blocks_change_a_bit(monkeypatch, test):
    scenario = FakeScenario(DIFFERENCE, CASE, later=("1", "6"), n=(9, 7), limit=-1.0, missing=0.05, patterns=(LOW, STILL))
    plan = cc.Plan(baseline=cc.Baseline(test=test), change_within=cc.ChangeWithin(family="all"))
    first = cc.certify(plan, scenario, n_sim=400, seed=2)
    assert first.table["mcse"].notna().all()
    for n_jobs, block in [(2, 1_000_000), (1, 1), (2, 1), (-1, 60_000)]:
        monkeypatch.setattr(replicates, "BLOCK_VALUES", block)
        assert tables_equal(first, cc.certify(plan, scenario, n_sim=400, seed=2, n_jobs=n_jobs))


def test_one_analyte_and_one_chunk_are_summed_alike(monkeypatch):
    scenario, plan = FakeScenario((0.5,), n=(5, 4)), only(baseline=cc.Baseline())
    first = cc.certify(plan, scenario, n_sim=200, seed=2)
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)
    assert tables_equal(first, cc.certify(plan, scenario, n_sim=200, seed=2))
    company = FakeScenario((0.5, 0.0, 0.0), n=(5, 4))
    alone = run(plan.questions, company.draw_arrays(2, range(200)))[0][0].statistics.estimate
    assert (measures.by_chunk(alone, 64)[:, 0] == measures.by_chunk(alone[:, :1], 64)[:, 0]).all()


@pytest.mark.parametrize("values", [1, 500, 5_000])
def test_large_studies_have_smaller_chunks(monkeypatch, values):
    scenario, plan = FakeScenario(DIFFERENCE, n=(9, 7)), cc.Plan()
    monkeypatch.setattr(replicates, "CHUNK_VALUES", values)
    work = replicates.Work.prepare(plan, scenario, (), 2, True)
    assert work.chunk == {1: 1, 500: 2, 5_000: 26}[values]
    first = cc.certify(plan, scenario, n_sim=100, seed=2, n_jobs=2)
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)
    assert tables_equal(first, cc.certify(plan, scenario, n_sim=100, seed=2))


def test_a_users_backend_applies():
    scenario, plan = FakeScenario(DIFFERENCE, n=(9, 7), patterns=(LOW,)), only(baseline=cc.Baseline())
    first = cc.certify(plan, scenario, n_sim=200, seed=2)
    with joblib.parallel_config(backend="threading", n_jobs=2):
        assert tables_equal(first, cc.certify(plan, scenario, n_sim=200, seed=2))


def test_memory_is_bounded_by_the_block(monkeypatch):
    scenario, most = FakeScenario(DIFFERENCE, n=(9, 7)), []
    draw = scenario.draw_arrays
    scenario.draw_arrays = lambda seed, k: most.append(len(k)) or draw(seed, k)
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 64 * 2 * 192 + 5)
    cc.certify(cc.Plan(), scenario, n_sim=300, seed=1)
    assert most == [1, 128, 128, 44]


# ---------------------------------------------------------------- known truths


def near(found: tuple[float, float], truth: float) -> bool:
    return abs(found[0] - truth) <= 4 * found[1]


def test_size_and_coverage_under_the_null():
    plan = cc.Plan().vary(scale=["ln"])[0]
    rates = cc.certify(plan, FakeScenario(shared=0.4), n_sim=4_000, seed=11)
    for contrast in rates.table["contrast"].unique():
        assert near(value(rates, "size", contrast=contrast), 0.05)
    for row in rows(rates, measure="coverage").itertuples():
        assert near((row.estimate, row.mcse), 0.95)
    for row in rows(rates, measure="bias").itertuples():
        assert near((row.estimate, row.mcse), 0)
    analytes_alone = rows(rates, measure="size", analyte="A0")["mcse"].mean()
    together = rows(rates, measure="size", analyte="")["mcse"].mean()
    assert analytes_alone / math.sqrt(6) * 1.1 < together < analytes_alone  # correlated analytes tell less than six


def test_family_wise_error_rate_of_holm():
    rates = cc.certify(only(baseline=cc.Baseline(test="student", adjust="holm")), FakeScenario(), n_sim=6_000, seed=12)
    assert near(value(rates, "FWER"), 1 - (1 - 0.05 / 6) ** 6)  # six independent nulls: Holm rejects any if Bonferroni does
    assert value(rates, "FDR") == pytest.approx(value(rates, "FWER"), rel=1e-3)  # under the full null they are one


def test_false_discovery_rate_of_benjamini_hochberg():
    scenario = FakeScenario((0.0, 0.0, 0.0, 1.0, 1.0, -1.0, 1.0, 1.0))
    rates = cc.certify(only(baseline=cc.Baseline(test="student", adjust="BH")), scenario, n_sim=6_000, seed=13)
    assert near(value(rates, "FDR"), 0.05 * 3 / 8)  # independent: exactly alpha m0 / m


def test_power_and_bias_of_students_t():
    from statsmodels.stats.power import TTestIndPower

    scenario = FakeScenario((-0.6, 0.4), sd=0.8)
    rates = cc.certify(only(baseline=cc.Baseline(test="student", adjust="none", scale="ln")), scenario, n_sim=6_000, seed=14)
    for analyte, d in (("A0", 0.75), ("A1", 0.5)):
        power = TTestIndPower().power(effect_size=d, nobs1=30, alpha=0.05, ratio=22 / 30)
        assert near(value(rates, "power", analyte=analyte), power)
        assert near(value(rates, "coverage", analyte=analyte), 0.95)
        assert near(value(rates, "bias", analyte=analyte), 0)
        error = 0.8 * math.sqrt(1 / 30 + 1 / 22)
        assert near(value(rates, "emp_se", analyte=analyte), error)
        assert near(value(rates, "model_se", analyte=analyte), error)
    independent = value(rates, "power", analyte="A0")[0], value(rates, "power", analyte="A1")[0]
    assert near(value(rates, "power_all"), independent[0] * independent[1])
    assert near(value(rates, "power_any"), 1 - (1 - independent[0]) * (1 - independent[1]))
    assert value(rates, "power_average")[0] == pytest.approx(sum(independent) / 2)


def test_exaggeration_and_wrong_signs_of_a_weak_effect():
    from scipy import integrate
    from scipy.stats import norm

    d, n = 0.1, 400
    scenario = FakeScenario((d,), sd=1.0, n=(n, n))
    rates = cc.certify(only(baseline=cc.Baseline(test="student", adjust="none", scale="ln")), scenario, n_sim=4_000, seed=15)
    se, z = math.sqrt(2 / n), norm.ppf(0.975)
    power = norm.sf(z - d / se) + norm.cdf(-z - d / se)
    density = lambda x: abs(x) * norm.pdf(x, d, se)  # noqa: E731
    size = sum(integrate.quad(density, *ends)[0] for ends in ((z * se, 2.0), (-2.0, -z * se))) / power
    assert near(value(rates, "type_m", analyte="A0"), size / d)
    assert near(value(rates, "type_s", analyte="A0"), norm.cdf(-z - d / se) / power)


def test_replacing_values_below_the_limit_biases():
    scenario = FakeScenario((-0.6,), limit=-0.3)
    rates = cc.certify(only(baseline=cc.Baseline(below_limit="drop", scale="ln")), scenario, n_sim=500, seed=16)
    bias, error = value(rates, "bias", analyte="A0")
    assert bias > 0.2 > 10 * error  # what is left of both groups is alike


# ---------------------------------------------------------------- patterns


def test_patterns_have_rows_of_their_own():
    scenario = FakeScenario(DIFFERENCE, n=(30, 22), patterns=(LOW, STILL))
    plan = cc.Plan()
    rates = cc.certify(plan, scenario, n_sim=300, seed=1)
    answers = run(plan.questions, scenario.draw_arrays(1, range(300)))
    baseline, between = answers[0][0], answers[2][0]
    low = ((baseline.statistics.p_value < 0.05) & (baseline.statistics.estimate < 0)).sum(axis=1) == 2
    still = (between.p_adjusted < 0.05).sum(axis=1) == 0
    assert 0 < low.sum() < 300
    assert 0 < (~still).sum() < 300
    table = rows(rates, measure="pattern")
    for row, flags in zip(table.itertuples(), (low, still, low & still), strict=True):
        assert (row.estimate, row.mcse) == pytest.approx(of_share(flags.tolist()))
    texts = table[["question", "contrast", "visit", "test", "adjust", "analyte"]].to_numpy().tolist()
    assert texts == [
        ["baseline", "2 were lower", "", "welch", "none", ""],
        ["change_between", "no change", "", "change_score", "BH", ""],
        ["all", "all", "", "", "", ""],
    ]
    assert len(rows(cc.certify(plan, scenario, n_sim=20, seed=1, patterns=(LOW,)), measure="pattern")) == 1


def test_a_direction_of_a_rank_test_is_found_without_intervals():
    scenario = FakeScenario(DIFFERENCE, n=(9, 7), patterns=(LOW,))
    plan = only(baseline=cc.Baseline(test="mann_whitney"))
    whole = cc.certify(plan, scenario, n_sim=80, seed=1)
    short = cc.certify(plan, scenario, n_sim=80, seed=1, intervals=False)
    assert value(whole, "pattern") == value(short, "pattern")
    assert set(short.table["measure"]) == {"size", "power", "power_average", "power_any", "power_all", "FWER", "FDR", "pattern"}


def test_without_intervals_t_tests_keep_all_but_two():
    scenario, plan = FakeScenario(DIFFERENCE, n=(9, 7)), only(baseline=cc.Baseline())
    whole, short = (cc.certify(plan, scenario, n_sim=80, seed=1, intervals=flag) for flag in (True, False))
    kept = whole.table[~whole.table["measure"].isin(["coverage", "interval_width"])].reset_index(drop=True)
    pd.testing.assert_frame_equal(short.table, kept, check_exact=True)


# ---------------------------------------------------------------- the table and the call


def test_what_is_certified_is_what_analyze_does():
    scenario, plan = cc.load_scenario("null"), cc.Plan(baseline=cc.Baseline(test="mann_whitney"))
    _, answers = replicates.Work.prepare(plan, scenario, (), 5, True).answers(range(64, 70))
    for k in (64, 69):
        analysis = cc.analyze(scenario.draw(5, k), plan)
        for results, contrasts in zip(analysis.results.values(), answers, strict=True):
            for name in ("p_value", "std_error", "statistic"):
                own = np.concatenate([getattr(contrast.statistics, name)[k - 64] for contrast in contrasts])
                np.testing.assert_array_equal(own, results.table[name].to_numpy())
            adjusted = np.concatenate([contrast.p_adjusted[k - 64] for contrast in contrasts])
            np.testing.assert_array_equal(adjusted, results.table["p_adjusted"].to_numpy())


def test_every_test_can_be_certified():
    scenario = FakeScenario((0.0, 0.5), n=(6, 6))
    draw = scenario.draw_arrays
    for name, entry in TESTS.items():
        for kind in entry.questions:
            cls = {"baseline": cc.Baseline, "change_within": cc.ChangeWithin, "change_between": cc.ChangeBetween}[kind]
            if entry.matched and kind != "change_within":
                from dataclasses import replace

                scenario.draw_arrays = lambda seed, k: replace(draw(seed, k), stratum=np.arange(12) % 6)
            else:
                scenario.draw_arrays = draw
            rates = cc.certify(only(**{kind: cls(test=name)}), scenario, n_sim=10, seed=1)
            assert set(rates.table["test"]) == {name}
            estimates = {"bias"} if entry.estimand in ("mean", "shift", "odds") else set()
            assert {"FWER", "FDR"} | estimates <= set(rates.table["measure"])


def test_a_users_function_has_rejections_only():
    from scipy.stats import ttest_ind

    def own_t(x, y):
        return ttest_ind(x, y, axis=-1, nan_policy="omit")

    scenario = FakeScenario(DIFFERENCE, n=(9, 7))
    own = cc.certify(only(baseline=cc.Baseline(test=own_t)), scenario, n_sim=50, seed=1)
    assert set(own.table["measure"]) == {"size", "power", "power_average", "power_any", "power_all", "FWER", "FDR"}
    student = cc.certify(only(baseline=cc.Baseline(test="student")), scenario, n_sim=50, seed=1)
    assert value(own, "power_average") == value(student, "power_average")
    assert own.meta["plan"]["baseline"]["test"] == "own_t"
    with pytest.raises(cc.OptionError, match="cannot be told from this test of baseline, which gives no estimate"):
        cc.certify(only(baseline=cc.Baseline(test=own_t)), scenario, n_sim=50, seed=1, patterns=(LOW,))


def test_columns_types_and_meta():
    scenario = FakeScenario(DIFFERENCE, CASE, later=("1", "6"), n=(9, 7), patterns=(LOW, STILL))
    rates = cc.certify(cc.Plan(change_within=cc.ChangeWithin(family="all")), scenario, n_sim=20, seed=1)
    names = "question contrast visit test adjust measure analyte estimate mcse n_sim n_failed".split()
    assert list(rates.table.columns) == names == list(RATE_COLUMNS)
    assert rates.table[names[:7]].notna().all().all()
    assert [str(rates.table[name].dtype) for name in names[7:]] == ["float64", "float64", "Int64", "Int64"]
    study = rows(rates, question="change_within")
    assert list(study["contrast"].unique()) == ["1 / 0 in case", "6 / 0 in case", "1 / 0 in control", "6 / 0 in control", "all"]
    assert list(study["visit"].unique()) == ["1", "6", "all"]
    between = rows(rates, question="change_between").drop_duplicates(["contrast", "visit"])
    assert list(between["contrast"]) == ["change: case / control"] * 2 + ["no change"]
    assert list(between["visit"]) == ["1", "6", ""]
    meta = rates.meta
    assert (meta["scenario"], meta["seed"], meta["n_sim"], meta["alpha"]) == ("fake", 1, 20, 0.05)
    assert meta["plan"]["change_within"]["family"] == "all"
    assert meta["patterns"][0]["says"] == "2 were lower"
    assert json.loads(json.dumps(meta))["versions"]["cytokine_cc"] == cc.__version__


def test_it_can_be_written_read_back_pickled_and_shown(tmp_path):
    scenario = FakeScenario((0.0, 0.5), n=(3, 3), missing=0.5)
    scenario.analytes = ('IL-6,\r"serum"', "µ<b>")
    rates = cc.certify(only(baseline=cc.Baseline()), scenario, n_sim=3, seed=1)
    assert rates.table["mcse"].isna().any()
    rates.to_csv(tmp_path / "rates.csv")
    for back in (cc.ErrorRates.from_csv(tmp_path / "rates.csv"), cc.ErrorRates.from_csv(io.StringIO(rates.to_csv()))):
        pd.testing.assert_frame_equal(back.table, rates.table, check_exact=True)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(rates)).table, rates.table)
    assert repr(rates).startswith("<ErrorRates of a plan on 'fake', 3 simulated studies: ")
    shown = rates._repr_html_()
    assert "µ&lt;b&gt;" in shown
    assert "NaN" not in shown
    assert repr(back).startswith(f"<ErrorRates: {len(rates)} rows>")
    with pytest.raises(cc.OptionError, match="no table of error rates"):
        cc.ErrorRates.from_csv(io.StringIO("a,b\n1,2\n"))
    with pytest.raises(cc.OptionError, match="no table of error rates"):
        cc.ErrorRates.from_csv(io.StringIO(""))
    with pytest.raises(cc.OptionError, match=r"none: cannot be read \(No such file"):
        cc.ErrorRates.from_csv(tmp_path / "none")
    with pytest.raises(cc.OptionError, match="cannot be written"):
        rates.to_csv(tmp_path / "no" / "rates.csv")
    with pytest.raises(cc.OptionError, match="has the columns"):
        cc.ErrorRates(pd.DataFrame({"a": [1]}))


def test_select():
    rates = cc.certify(only(baseline=cc.Baseline()), FakeScenario(n=(5, 5)), n_sim=5, seed=1)
    assert rates.select(measure=["size", "bias"], analyte="A0").table["measure"].tolist() == ["size", "bias"]
    assert rates.select(measure="size").meta == rates.meta
    with pytest.raises(cc.OptionError, match="no row has measure = 'sise'; there are 'size', "):
        rates.select(measure="sise")
    with pytest.raises(cc.OptionError, match=r"unknown key 'mesure'.* Did you mean 'measure'"):
        rates.select(mesure="size")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"seed": None}, "`seed` must be a whole number of at least 0; got None."),
        ({"n_sim": 0}, "`n_sim` must be a whole number of at least 1; got 0."),
        ({"n_jobs": 0}, "`n_jobs` must be a number of workers, such as 1 or 2, or -1 for all cores; got 0."),
        ({"n_jobs": 1.5}, "`n_jobs` must be a number of workers, such as 1 or 2, or -1 for all cores; got 1.5."),
        ({"intervals": "no"}, "`intervals` must be True or False; got 'no'."),
        ({"progress": 1}, "`progress` must be True or False; got 1."),
        ({"plan": cc.Baseline()}, "`plan` must be a Plan; got Baseline. Put questions into one: Plan(baseline=Baseline(...))."),
        ({"scenario": "null"}, "`scenario` must be a Scenario; got str. Load one: load_scenario('null')."),
        ({"scenario": 7}, "`scenario` must be a Scenario; got int. Load one with load_scenario()."),
        ({"patterns": ("x",)}, "`patterns` must hold Pattern objects; got 'x'. Make one with Pattern(...)."),
        ({"patterns": "henry"}, "`patterns` must hold Pattern objects; got 'henry'. Make one with Pattern(...)."),
        ({"patterns": 3}, "`patterns` must hold Pattern objects; got 3. Make one with Pattern(...)."),
        (
            {"patterns": (STILL,)},
            "pattern 'no change' is about change_between, which the plan does not ask; it asks 'baseline'. "
            "Ask it, or leave the pattern out.",
        ),
        ({"patterns": (LOW, LOW)}, "two patterns about baseline say '2 were lower'; give each its own words."),
    ],
)
def test_what_is_not_allowed(change, message):
    given = {"plan": only(baseline=cc.Baseline()), "scenario": FakeScenario(n=(4, 4)), "n_sim": 2, "seed": 1, **change}
    with pytest.raises(cc.OptionError) as error:
        cc.certify(given.pop("plan"), given.pop("scenario"), **given)
    assert str(error.value) == message


def test_a_plan_that_the_design_does_not_allow():
    with pytest.raises(cc.OptionError, match="no later visit '6'"):
        cc.certify(only(change_between=cc.ChangeBetween(visits=("6",))), FakeScenario(n=(4, 4)), n_sim=2, seed=1)
    with pytest.raises(cc.OptionError, match="names no matched sets"):
        cc.certify(only(baseline=cc.Baseline(test="paired_t")), FakeScenario(n=(4, 4)), n_sim=2, seed=1)


def test_values_without_a_logarithm_are_named():
    scenario = FakeScenario(n=(4, 4))
    draw = scenario.draw_arrays

    def with_zero(seed, k):
        arrays = draw(seed, k)
        if 70 in k:
            value = arrays.value.copy()
            value[70 - k[0], 1, 3, 2] = 0.0
            object.__setattr__(arrays, "value", value)
        return arrays

    scenario.draw_arrays = with_zero
    with pytest.raises(cc.OptionError) as error:
        cc.certify(cc.Plan(), scenario, n_sim=100, seed=1)
    assert "the first is in replicate 70, visit '1', analyte 'A3'." in str(error.value)


def test_progress_goes_to_standard_error(capsys):
    plan, scenario = only(baseline=cc.Baseline()), FakeScenario(n=(4, 4))
    cc.certify(plan, scenario, n_sim=10, seed=1)
    assert capsys.readouterr() == ("", "")
    cc.certify(plan, scenario, n_sim=10, seed=1, progress=True)
    out, shown = capsys.readouterr()
    assert out == ""
    assert "10/10" in shown


def test_a_pattern_of_the_scenario_that_the_plan_does_not_ask_for_keeps_its_row():
    scenario = cc.load_scenario("henry2010")
    plan = cc.Plan(change_within=None, change_between=None)
    rows = cc.certify(plan, scenario, n_sim=64, seed=1).select(measure="pattern").table
    asked, silent, together = (row for _, row in rows.iterrows())
    assert asked["estimate"] >= 0
    assert (silent["question"], silent["test"], silent["n_failed"]) == ("change_between", "", 64)
    assert np.isnan(silent["estimate"])
    assert together["contrast"] == "all"
    assert np.isnan(together["estimate"])


def test_on_the_raw_scale_a_change_that_varies_between_persons_is_no_null():
    name = cc.load_scenario("null").analytes[0]
    scenario = cc.load_scenario("null").vary({"change": {"log_sd": {name: 0.8}}})
    plan = cc.Plan().vary(scale=["raw"])[0]
    rates = cc.certify(plan, scenario, n_sim=20, seed=1)
    changes = rates.table[rates.table["question"] == "change_within"]
    assert name not in set(changes.loc[changes["measure"].isin(["size", "power", "bias"]), "analyte"])
    assert name in set(changes.loc[changes["measure"] == "emp_se", "analyte"])
    logs = cc.certify(cc.Plan(), scenario, n_sim=20, seed=1)
    assert name in set(logs.select(question="change_within", measure="size").table["analyte"])


def test_the_side_of_a_rank_test_is_that_of_its_rank_sum():
    """With most values tied lowest the Hodges-Lehmann shift is often exactly 0, though the ranks differ."""
    scenario = cc.load_scenario("heavy_censoring")
    plan = only(baseline=cc.Baseline(test="mann_whitney", adjust="none"))
    where = {"question": "baseline", "at_least": 9, "p_below": 0.05, "analytes": scenario.analytes[:12]}
    patterns = [cc.Pattern(says=side, direction=side, **where) for side in ("lower", "any")]
    shares = [
        cc.certify(plan, scenario, n_sim=300, seed=1, patterns=patterns, intervals=intervals).select(measure="pattern").table
        for intervals in (True, False)
    ]
    for table in shares:
        lower, either = table["estimate"].iloc[:2]
        assert lower == either > 0.1


def test_an_sd_of_rounding_errors_is_zero():
    one = np.full(3, 0.1 + 0.2)
    _, error, sd = measures.mean(one.sum(), (one**2).sum(), 3)
    assert error == sd == 0


def test_a_users_function_can_be_certified_on_a_scenario_whose_pattern_has_a_direction():
    def test_of_means(x, y):
        return TESTS["welch"].function(x, y, alternative="two-sided", conf_level=None)._replace(side=None)

    scenario = cc.load_scenario("henry2010")
    plan = cc.Plan(baseline=cc.Baseline(test=test_of_means, below_limit="half"), change_within=None, change_between=None)
    rows_ = cc.certify(plan, scenario, n_sim=64, seed=1).select(measure="pattern").table
    assert rows_["estimate"].isna().all()
    one = cc.Pattern(says="any", question="baseline", at_least=1, p_below=0.05)
    assert cc.certify(plan, scenario, n_sim=64, seed=1, patterns=one).select(measure="pattern").table["estimate"].item() > 0.5


def test_blocks_of_large_cohorts_are_small():
    """A scenario holds its cohort, not only the levels of those who are chosen."""
    small = cc.load_scenario("null").vary({"analytes": {"A": {"mean": 1.0}}, "study.visits": ["only"]})
    content = {"cohort": {"size": 20_000, "covariates": {"Age": {"mean": 60, "sd": 10}}}, "cases": {"share": 0.3}}
    steps = [
        replicates.Work.prepare(only(baseline=cc.Baseline()), scenario, (), 1, False).step
        for scenario in (small, small.vary(content))
    ]
    assert steps[0] > 1000
    assert steps[1] <= replicates.BLOCK_VALUES / 20_000 + 64


def test_a_covariate_that_a_scenario_lacks_is_refused():
    plan = only(baseline=cc.Baseline(test="linear_model", covariates=("age",), ignore_matching=True))
    with pytest.raises(cc.OptionError, match="baseline: no covariate 'age'; there are 'Age', 'plate'. Did you mean 'Age'"):
        cc.certify(plan, cc.load_scenario("sparano2022"), n_sim=2, seed=1)


def test_odds_ratios_within_sets_have_a_truth():
    scenario = cc.load_scenario("sparano2022")
    rates = cc.certify(
        only(baseline=cc.Baseline(test="conditional_logistic", scale="ln")), scenario, n_sim=20, seed=1, intervals=False
    )
    assert {"bias", "median_bias", "emp_se", "model_se"} <= set(rates.table["measure"])
    truth = scenario.log_odds_ratio()
    place = list(scenario.analytes).index("IL-6")
    assert np.exp(truth[place] * np.log(2)) == pytest.approx(1.37, rel=1e-12)
    assert (np.delete(truth, place) == 0).all()
    error = rates.table[(rates.table["measure"] == "bias") & (rates.table["analyte"] == "IL-6")].iloc[0]
    assert abs(error["estimate"]) < 5 * error["mcse"] + 0.05
    assert np.isnan(cc.load_scenario("henry2010").log_odds_ratio()[cc.load_scenario("henry2010").effect() != 0]).all()
