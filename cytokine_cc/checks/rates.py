"""Error rates and coverage by simulation: what the tests and corrections promise, on studies whose truth is known."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..analysis import analyze
from ..config import load_study
from ..kernels import TESTS
from ..plan import Plan
from ..questions import KINDS
from ..simulation.comparison import compare_plans
from ..simulation.error_rates import ErrorRates, certify
from ..simulation.scenario import Scenario, load_scenario
from .check_report import Check, Finding

ABOUT = "error rates by simulation"
LEVEL, ERRORS = 0.05, 4  # standard errors that are allowed, of the share expected: never those that certify reports
SEED = 20260901
# What is not 5%: likelihood ratios, chi-square and Brunner and Munzel's approximation reject a little more in groups of this
# size, clda takes the slope on the baseline as known; ranks are discrete and reject a little less. docs/agreement.md.
SIZES: Mapping[str, tuple[float, float]] = {
    "clda": (0.05, 0.057),
    "tobit": (0.05, 0.058),
    "tobit_paired": (0.05, 0.058),
    "brunner_munzel": (0.05, 0.0535),
    "peto_peto": (0.05, 0.0525),
    "gehan": (0.05, 0.0525),
    **dict.fromkeys(("mann_whitney", "change_rank", "signed_rank"), (0.045, 0.05)),
}
# In 20 sets: the likelihood ratio rejects a little more, Firth's a little less; ranks within sets are few.
SET_SIZES: Mapping[str, tuple[float, float]] = {
    "stratified": (0.05, 0.05),
    "van_elteren": (0.045, 0.053),
    "stratified_permutation": (0.046, 0.05),
    "conditional_logistic": (0.05, 0.061),
    "firth": (0.041, 0.05),
}
FAMILY_WISE = ("bonferroni", "holm", "hochberg", "hommel")
N_TRUE, N_FALSE = 24, 12
HARMONIC = sum(1 / i for i in range(1, 37))
# Of the shifted scenario: lower in cases at baseline, in log-SDs; and changes of cases, as ratios. Its log-SD is .8.
LOWER = {f"M{i:02d}": -1.0 for i in range(1, N_FALSE + 1)}
RISEN = {f"M{i:02d}": 1.8 for i in range(13, 25)}
LOG_SD = 0.8
CHANGE_SD = LOG_SD * math.sqrt(2 * (1 - 0.7))  # visits are correlated by .7
N_CASE, N_CONTROL = 30, 22
# How much fewer independent tests the correlated markers of a study are worth: at most, in 2,000 studies of either scenario.
IN_SETS, ON_PLATES = 2.5, 1.1
# SD of the share of false among all rejections, in 4,000 studies of 36 markers, 12 of which differ.
SHARE_SD = {"BH": 0.054, "BY": 0.030}


def _one(kind: str, test: str, **options: Any) -> Plan:
    questions: dict[str, Any] = {**dict.fromkeys(KINDS), kind: KINDS[kind](test, **options)}
    return Plan(**questions)


def shifted() -> Scenario:
    """Return the null scenario with 12 of 36 markers lower in cases by one SD, and 12 others that rise in cases by 1.8."""
    return load_scenario("null").vary({"group": {"sd_units": LOWER}, "change": {"case": RISEN}}, name="null, shifted")


def sets_of_three() -> Scenario:
    """Return a scenario of 20 sets 1:2 without any difference: 36 correlated markers, with values below limits."""
    changes = {"study.cases": 20, "study.controls": 40, "cohort.size": 180, "group": None, "plates": None}
    return load_scenario("sparano2022").vary(changes | {"limits.plate_log_sd": None}, name="sets 1:2")


def _rates(plan: Plan, scenario: Any, n_sim: int, n_jobs: int, **options: Any) -> ErrorRates:
    return certify(plan, scenario, n_sim=n_sim, seed=SEED, n_jobs=n_jobs, progress=False, **{"patterns": (), **options})


def _by_correction(methods: Sequence[str], scenario: Any, n_sim: int, n_jobs: int) -> dict[str, ErrorRates]:
    """Return the error rates of Student's test at baseline by correction, all on the same studies."""
    plans = {method: _one("baseline", "student", adjust=method) for method in methods}
    options: dict[str, Any] = {"n_jobs": n_jobs, "intervals": False, "patterns": (), "progress": False}
    found = compare_plans(plans, scenario, n_sim=n_sim, seed=SEED, **options)
    return {method: found.of(method) for method in methods}


def _row(rates: ErrorRates, measure: str, **where: str) -> float:
    """Return an estimate over all analytes."""
    return float(rates.select(measure=measure, **{"analyte": "", **where}).table["estimate"].iloc[0])


def _mean(rates: ErrorRates, measure: str, analytes: Sequence[str]) -> float:
    """Average a measure over analytes."""
    table = rates.select(measure=measure).table
    return float(table.loc[table["analyte"].isin(analytes), "estimate"].mean())


class Shares:
    """Shares held against what they should be: said, and those that are off."""

    def __init__(self) -> None:
        self.said: list[str] = []
        self.rows: list[dict[str, str]] = []

    def add(self, name: str, share: float, low: float, high: float, n: float, sd: float | None = None) -> None:
        """Hold a share found in n independent trials against a range; `sd` of one trial, if it is more than yes or no."""
        self.said.append(f"{name} {share:.2%}")
        below, above = ((math.sqrt(p * (1 - p)) if sd is None else sd) / math.sqrt(n) for p in (low, high))
        if not low - ERRORS * below <= share <= high + ERRORS * above:
            must = f"{low:.1%}" if low == high else f"{low:.1%} to {high:.1%}"
            self.off(f"{name}: {share:.2%}, expected {must} (standard error {above if share > high else below:.2%})")

    def off(self, text: str) -> None:
        """Note what is off."""
        self.rows.append({"found": text})

    def finding(self, what: str) -> Finding:
        """Say how it came out."""
        wrong = "; ".join(row["found"] for row in self.rows)
        return Finding.of(
            bool(self.said) and not self.rows, f"{what}: {', '.join(self.said)}{'; OFF: ' + wrong if wrong else ''}", self.rows
        )


def _sizes(kind: str, n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        scenario, shares = load_scenario("null"), Shares()
        for name, entry in TESTS.items():
            if kind in entry.questions and (kind == "change_within" or not entry.matched):
                rates = _rates(_one(kind, name, adjust="none"), scenario, n_sim, n_jobs, intervals=False)
                found = [_row(rates, "size", contrast=contrast) for contrast in rates.table["contrast"].unique()]
                n = n_sim * len(scenario.analytes) * len(found)
                shares.add(name, float(np.mean(found)), *SIZES.get(name, (LEVEL, LEVEL)), n)
        return shares.finding(f"{n_sim:,} studies of 36 markers")

    return run


def _sizes_in_sets(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        scenario, shares = sets_of_three(), Shares()
        for name, (low, high) in SET_SIZES.items():
            test, options = ("conditional_logistic", {"penalty": "firth"}) if name == "firth" else (name, {})
            plan = _one("baseline", test, options=options, adjust="none", n_resamples=99, seed=1)
            size = _row(_rates(plan, scenario, n_sim, n_jobs, intervals=False), "size")
            shares.add(name, size, low, high, n_sim * len(scenario.analytes) / IN_SETS)
        return shares.finding(f"{n_sim:,} studies of 20 sets")

    return run


def _family_wise(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        shares = Shares()
        least = 1 - (1 - LEVEL / 36) ** 36
        for method, rates in _by_correction((*FAMILY_WISE, "BH", "BY"), load_scenario("null"), n_sim, n_jobs).items():
            exact = {"BH": LEVEL, "BY": LEVEL / HARMONIC}.get(method)
            low, high = (least, LEVEL) if exact is None else (exact, exact)
            shares.add(f"{method} where nothing differs", _row(rates, "FWER"), low, high, n_sim)
        least, none = 1 - (1 - LEVEL / 36) ** N_TRUE, 1 - (1 - LEVEL) ** N_TRUE
        for method, rates in _by_correction((*FAMILY_WISE, "none"), shifted(), n_sim, n_jobs).items():
            low, high = (none, none) if method == "none" else (least, LEVEL)
            shares.add(f"{method} where 12 differ", _row(rates, "FWER"), low, high, n_sim)
        return shares.finding(f"{n_sim:,} studies of 36 independent markers")

    return run


def _discoveries(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        shares = Shares()
        alone = _by_correction(("BH", "BY"), load_scenario("null"), n_sim, n_jobs)
        some = _by_correction(("BH", "BY"), shifted(), n_sim, n_jobs)
        for method, level in (("BH", LEVEL), ("BY", LEVEL / HARMONIC)):
            shares.add(f"{method} where nothing differs", _row(alone[method], "FDR"), level, level, n_sim)
            want = level * N_TRUE / 36
            shares.add(f"{method} where 12 differ", _row(some[method], "FDR"), want, want, n_sim, SHARE_SD[method])
            share = _row(some[method], "power_average")
            shares.said.append(f"which finds {share:.0%} of what differs")
            if not share > 0.5:
                shares.off(f"{method} finds {share:.1%} of differences of one SD, expected over half")
        return shares.finding(f"{n_sim:,} studies of 36 independent markers")

    return run


# Those whose interval must hold the truth in 95% of studies; ranks: at least.
COVERED: tuple[tuple[str, str], ...] = (
    ("baseline", "student"),
    ("baseline", "welch"),
    ("baseline", "mann_whitney"),
    ("baseline", "linear_model"),
    ("change_within", "paired_t"),
    ("change_within", "signed_rank"),
    ("change_between", "change_score"),
    ("change_between", "ancova"),
    ("change_between", "lda"),
)


def _coverage(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        shares, truth, biases = Shares(), shifted(), []
        said = np.array([LOWER.get(name, 0.0) * LOG_SD for name in truth.analytes])
        risen = np.log([RISEN.get(name, 1.0) for name in truth.analytes])
        for what, effect, want in (("difference", truth.effect(), said), ("change", truth.effect(0, "case"), risen)):
            if not np.allclose(effect, want, rtol=1e-12, atol=0):
                shares.off(f"the true {what} is not what the file says: off by {np.abs(effect - want).max():.3g}")
        for kind, test in COVERED:
            options = {"groups": ("case",)} if kind == "change_within" else {}
            rates = _rates(_one(kind, test, scale="ln", adjust="none", **options), truth, n_sim, n_jobs)
            # Where baselines differ, an analysis of covariance answers another question.
            kept = [name for name in truth.analytes if test != "ancova" or name not in LOWER]
            covered, bias = (_mean(rates, name, kept) for name in ("coverage", "bias"))
            top = 1.0 if TESTS[test].conf_type == "order statistics" else 1 - LEVEL
            shares.add(f"{test} ({kind})", covered, 1 - LEVEL, top, n_sim * len(kept))
            biases.append((abs(bias), f"{bias:+.4f} by {test}"))
            error = standard_error(kind) / math.sqrt(n_sim * len(kept))
            if not abs(bias) <= ERRORS * error:
                shares.off(f"{kind} by {test}: bias {bias:+.4f}, expected 0 (standard error {error:.4f})")
        return shares.finding(f"{n_sim:,} studies, largest mean bias of logs {max(biases)[1]}; coverage")

    return run


def standard_error(kind: str) -> float:
    """Return that of an estimate in logs, of means; by ranks it is a few percent more."""
    groups = (N_CASE,) if kind == "change_within" else (N_CASE, N_CONTROL)
    return 1.05 * (LOG_SD if kind == "baseline" else CHANGE_SD) * math.sqrt(sum(1 / n for n in groups))


# Mean bias of the log ratio (true -.60) where half of the controls and 77% of the cases lie below one limit; SD of an estimate.
CENSORED = {
    "drop": ("welch", 0.42, 0.215),
    "sqrt2": ("welch", 0.29, 0.145),
    "half": ("welch", 0.195, 0.185),
    "censored": ("tobit", 0.0, 0.29),
}


def _below_limits(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        scenario, shares, powers = load_scenario("heavy_censoring"), Shares(), []
        lower = [name for name, effect in zip(scenario.analytes, scenario.effect(), strict=True) if effect]
        for rule, (test, want, sd) in CENSORED.items():
            rates = _rates(_one("baseline", test, scale="ln", below_limit=rule, adjust="none"), scenario, n_sim, n_jobs)
            bias, power = (_mean(rates, name, lower) for name in ("bias", "power"))
            powers.append(power)
            shares.said.append(f"{rule!r} bias {bias:+.3f}, power {power:.0%}")
            error = sd / math.sqrt(n_sim * len(lower))
            if not abs(bias - want) <= ERRORS * error + 0.01:
                shares.off(f"{rule!r}: bias {bias:+.3f}, expected {want:+.3f} (standard error {error:.3f})")
        if powers != sorted(powers):
            shares.off("the powers are not in this order")
        return shares.finding(f"{n_sim:,} studies, log ratio -.60")

    return run


def _plates(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        scenario, shares = load_scenario("plate_confounded"), Shares()
        cases: tuple[tuple[str, str, dict[str, Any], float, float], ...] = (
            ("plates ignored, limit / 2", "welch", {"below_limit": "half"}, 0.07, 0.10),
            ("plates ignored, limit itself", "welch", {"below_limit": "limit"}, 0.12, 0.17),
            ("plate in the model", "linear_model", {"covariates": ("plate",)}, 0.045, 0.055),
        )
        for name, test, options, low, high in cases:
            rates = _rates(_one("baseline", test, **options, adjust="none"), scenario, n_sim, n_jobs, intervals=False)
            shares.add(name, _row(rates, "size"), low, high, n_sim * len(scenario.analytes) / ON_PLATES)
        return shares.finding(f"{n_sim:,} studies without any difference")

    return run


def _published_pattern(n_sim: int) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        scenario, shares = load_scenario("henry2010"), Shares()
        plan = scenario.plan
        shown = analyze(load_study("henry2010"), plan)
        if shown.baseline is None or shown.change_between is None:
            return Finding("fail", "the plan of the scenario does not ask both questions")
        p, table = shown.baseline.table["p_value"], shown.baseline.table
        low = table.loc[(p < 0.003) & (table["estimate"] < 1), "analyte"]
        hits, changed = int((p < 0.003).sum()), int((shown.change_between.table["p_value"] <= 0.003).sum())
        said = f"the study to show has {len(low)} of {len(table)} lower ({', '.join(low)}), "
        said += f"{hits - len(low)} higher, {changed} changed"
        if (len(low), hits, changed) != (6, 6, 0):
            shares.off(f"{said}; expected 6 lower, 0 higher, 0 changed")
        rates = _rates(plan, scenario, n_sim, n_jobs, intervals=False, patterns=None).select(measure="pattern").table
        shares.add("studies of the scenario that show it", float(rates["estimate"].iloc[-1]), 0.137, 0.142, n_sim)
        null = _rates(plan, load_scenario("null"), n_sim, n_jobs, intervals=False, patterns=scenario.patterns[:1])
        chance = float(null.select(measure="pattern").table["estimate"].iloc[0])
        shares.add("studies without any difference that show it", chance, 0.0, 0.0, n_sim)
        return shares.finding(f"{said}; of {n_sim:,}")

    return run


def _checks(name: str, run: Callable[[int], Callable[[int], Finding]], quick: int, full: int, *texts: str) -> tuple[Check, Check]:
    """Return a check twice: with few studies, and with many."""
    short = Check(name, ABOUT, texts[0], texts[1], run(quick), texts[2])
    return short, Check(f"{name}, at length", ABOUT, texts[0], texts[1], run(full), texts[2], level="full")


_MORRIS = (
    "Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086; docs/agreement.md, Size under the null"
)
_SIZE = (
    "Where nothing differs, each test rejects 5% of true null hypotheses at 5%, within four standard errors of that share; rank "
    "tests at most that; likelihood ratios, chi-square and Brunner-Munzel their documented size (up to 5.8%).",
    "That is what a level of 5% promises. A test that rejects more often finds what is not there.",
    _MORRIS,
)
RATES: tuple[Check, ...] = (
    *_checks("size at baseline", lambda n: _sizes("baseline", n), 120, 10_000, *_SIZE),
    *_checks("size of changes within groups", lambda n: _sizes("change_within", n), 120, 10_000, *_SIZE),
    *_checks("size of changes between groups", lambda n: _sizes("change_between", n), 120, 10_000, *_SIZE),
    *_checks(
        "size within matched sets",
        _sizes_in_sets,
        40,
        2_000,
        "20 sets of a case and two controls, 36 correlated markers: 5%; the conditional likelihood ratio up to 6.1%, Firth's "
        "from 4.1%, ranks and arrangements from 4.5%.",
        "Tests of matched sets must hold their level in the small sets that studies have.",
        _MORRIS,
    ),
    *_checks(
        "family-wise error rates",
        _family_wise,
        2_000,
        10_000,
        "Student's test of 36 markers: a false rejection in 4.9% to 5% of studies where nothing differs (BH: 5%, BY: 1.2%), and "
        "in 3.3% to 5% where 12 markers differ (Bonferroni, Holm, Hochberg, Hommel; without a correction 71%).",
        "That is what these corrections promise; they see nothing but p-values, whatever the test. For independent tests the "
        "least share is known exactly, and BH, BY and no correction have one share only.",
        "Holm S. Scand J Stat 1979;6:65-70; Hochberg Y. Biometrika 1988;75:800-802. doi:10.1093/biomet/75.4.800",
    ),
    *_checks(
        "false discovery rates",
        _discoveries,
        2_000,
        10_000,
        "Student's test of 36 independent markers: the false discovery rate of BH is exactly 5% where nothing differs, and 5% x "
        "24/36 = 3.33% where 12 markers do; of BY that over 4.17; both find over half of differences of one SD.",
        "An exact value leaves no room: BH off by one rank has 10% where nothing differs.",
        "Benjamini Y, Yekutieli D. Ann Stat 2001;29:1165-1188. doi:10.1214/aos/1013699998",
    ),
    *_checks(
        "coverage and bias",
        _coverage,
        100,
        5_000,
        "Nine tests. 12 of 36 markers lower in cases by one SD, 12 others that rise in cases by a factor of 1.8: 95% intervals "
        "hold the true log ratio in 95% of studies (ranks: at least), and estimates have no bias.",
        "Estimates and intervals are what a reader takes away; a p-value can be right while they are wrong.",
        _MORRIS,
    ),
    *_checks(
        "rules below limits",
        _below_limits,
        60,
        2_000,
        "Half of the controls and 77% of the cases below the limit, log ratio -.60: left out, the estimate is too high by .42, "
        "with limit / sqrt 2 by .29, with half the limit by .195, and right by the censored model (tobit); power rises in this "
        "order.",
        "What becomes of values below limits decides how much of a difference is left; what this library says of it must be so.",
        "Helsel DR. Statistics for Censored Environmental Data, 2012. doi:10.1002/9781118162729; scenario heavy_censoring",
    ),
    *_checks(
        "plates and groups",
        _plates,
        150,
        2_000,
        "No difference, but three quarters of the cases on one plate: ignoring plates rejects 8% to 15% of true null hypotheses, "
        "with the plate in the model 5%.",
        "A confounded plate is the likeliest false finding of a small study; the remedy that this library offers must work.",
        "scenario plate_confounded; Leek JT et al. Nat Rev Genet 2010;11:733-739. doi:10.1038/nrg2825",
    ),
    *_checks(
        "published pattern of Henry 2010",
        _published_pattern,
        250,
        5_000,
        "The study to show has 6 of 36 markers lower in cases, all P<0.003, and no change on treatment; so have 13.9% of the "
        "studies that the scenario draws (20,000 studies), and none without a difference (six lower by chance: 2 in 100 "
        "billion).",
        "The reproduction of a published result must not hang on a lucky draw, and its rarity must be told.",
        "Henry NL et al. Br J Cancer 2010;103:291-296. doi:10.1038/sj.bjc.6605768",
    ),
)
