"""Matched sets: bias of the odds ratio, sizes, and what ignoring sets costs: python benchmarks/matched.py [part] [replicates].

Parts: bias, size, cost; all of them if none is named. Markdown tables, as they stand in docs/matched_sets.md. Studies are drawn
from `sparano2022` varied.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from cytokine_cc import Baseline, ErrorRates, Plan, Scenario, certify, load_scenario
from cytokine_cc.engine import run

SEED = 22
SETS = (20, 50, 100, 250)
MATCHED = ("paired_t", "signed_rank", "stratified", "van_elteren", "stratified_permutation", "conditional_logistic", "firth")
IGNORING = ("welch", "mann_whitney", "linear_model")
RESAMPLES, BLOCK = 199, 20
NO_PLATES = {"plates": None, "limits__plate_log_sd": None}


def pairs(n_sets: int, ratio: int = 1, **changes) -> Scenario:
    """sparano2022 with another number of sets, from a cohort in proportion."""
    base = load_scenario("sparano2022")
    own = {"study.cases": n_sets, "study.controls": n_sets * ratio, "cohort.size": int(max(80, 3 * n_sets * (1 + ratio)))}
    return base.vary(own | {name.replace("__", "."): value for name, value in changes.items()})


def measured(scenario: Scenario) -> Scenario:
    """Take out limits, plates and missing values, so that what is true is known: pairs on one plate would share its shift."""
    rows = {
        name: {key: value for key, value in row.items() if key != "below"} for name, row in scenario.content["analytes"].items()
    }
    return scenario.vary({"analytes": rows, "limits": None, "plates": None, "missing": None})


def question(test: str) -> Baseline:
    """Levels at baseline, not adjusted for the number of analytes."""
    return Baseline(
        "conditional_logistic" if test == "firth" else test,
        adjust="none",
        ignore_matching=test in IGNORING,
        covariates=("Age",) if test == "linear_model" else (),
        n_resamples=RESAMPLES,
        seed=SEED,
        options={"penalty": "firth"} if test == "firth" else (),
    )


def ask(test: str, scenario: Scenario, n_sim: int) -> ErrorRates:
    """Certify one test."""
    plan = Plan(baseline=question(test), change_within=None, change_between=None)
    return certify(plan, scenario, n_sim=n_sim, seed=SEED, intervals=False, n_jobs=2, progress=False, patterns=())


def rejections(tests: Sequence[str], scenario: Scenario, n_sim: int) -> np.ndarray:
    """Return the share of p-values of at most 5%, (tests, studies), of all analytes, or of IL-6 where that differs."""
    place = list(scenario.analytes).index("IL-6") if scenario.effect().any() else slice(None)

    def block(start: int) -> np.ndarray:
        arrays = scenario.draw_arrays(SEED, range(start, min(n_sim, start + BLOCK)))
        answers = run([question(test) for test in tests], arrays, intervals=False)
        hits = [(contrasts[0].statistics.p_value[:, place] <= 0.05).reshape(len(arrays.value), -1) for contrasts in answers]
        return np.array([own.mean(axis=-1) for own in hits])

    with ThreadPoolExecutor(2) as pool:
        return np.concatenate(list(pool.map(block, range(0, n_sim, BLOCK))), axis=1)


def one(rates: ErrorRates, measure: str, analyte: str = "") -> tuple[float, float]:
    """Return a measure and its Monte Carlo error."""
    table = rates.table
    row = table[(table["measure"] == measure) & (table["analyte"] == analyte)].iloc[0]
    return float(row["estimate"]), float(row["mcse"])


def first_order_bias(scenario: Scenario, analyte: str, n_sets: int) -> float:
    """Bias of a log2 odds ratio of n pairs to order 1/n, (1/2) S / I^2 with I and S sums of d^2 pq and |d|^3 pq (2p - 1).

    Cox DR, Snell EJ. J R Stat Soc B 1968;30:248-275, for a likelihood that given the two levels of each pair is an exponential
    family; expectations over normal differences by quadrature.
    """
    place = list(scenario.analytes).index(analyte)
    beta = float(scenario.log_odds_ratio()[place])  # per natural log
    sd = np.sqrt(2 * float(scenario.effect()[place]) / beta)  # of differences: twice the variance within pairs
    z, weight = np.polynomial.hermite_e.hermegauss(201)
    weight = weight / weight.sum()
    d = np.abs(beta * sd**2 / 2 + sd * z)  # a case lies above its control by beta x the variance within
    p = 1 / (1 + np.exp(-beta * d))
    information, third = (weight * d**2 * p * (1 - p)).sum(), (weight * d**3 * p * (1 - p) * (2 * p - 1)).sum()
    return float(third / (2 * n_sets * information**2) * np.log(2))


def bias(n_sim: int) -> None:
    names = "odds ratio | pairs | first order | plain | Firth | median, plain | median, Firth | SE, plain | SE, Firth | infinite"
    print(f"\n| {names} |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for ratio in (1.37, 2.5):
        for n_sets in (20, 50, 100, 249):
            scenario = measured(pairs(n_sets, group__odds_ratio={"IL-6": ratio}))
            cells = []
            for test in ("conditional_logistic", "firth"):
                rates = ask(test, scenario, n_sim)
                cells.append([one(rates, name, "IL-6") for name in ("bias", "median_bias", "emp_se")])
                if test == "conditional_logistic":
                    failed = rates.table[(rates.table["measure"] == "bias") & (rates.table["analyte"] == "IL-6")][
                        "n_failed"
                    ].iloc[0]
            (plain, firth) = cells
            shown = [f"{part[i][0]:+.4f} ({part[i][1]:.4f})" for i in (0, 1) for part in (plain, firth)]
            errors = [f"{part[2][0]:.3f}" for part in (plain, firth)]
            theory = first_order_bias(scenario, "IL-6", n_sets)
            print(
                f"| {ratio} | {n_sets} | {theory:+.4f} | {' | '.join(shown)} | {' | '.join(errors)} | {failed} of {n_sim} |",
                flush=True,
            )


def size(n_sim: int) -> None:
    for ratio in (1, 2):
        tests = [test for test in (*MATCHED, *IGNORING) if ratio == 1 or test not in ("paired_t", "signed_rank")]
        print(f"\nSize in per cent, 1:{ratio}\n\n| sets | {' | '.join(tests)} |\n|---|{'---|' * len(tests)}")
        for n_sets in SETS:
            # Without plates: spread evenly over both groups they make the mean difference steadier than its standard error says.
            found = 100 * rejections(tests, pairs(n_sets, ratio, **NO_PLATES, group__odds_ratio=None), n_sim)
            errors = found.std(axis=1) / np.sqrt(n_sim)
            cells = [f"{rate:.2f} ({error:.2f})" for rate, error in zip(found.mean(axis=1), errors, strict=True)]
            print(f"| {n_sets} | {' | '.join(cells)} |", flush=True)


def cost(n_sim: int) -> None:
    tests = ("paired_t", "conditional_logistic", "van_elteren", "welch", "linear_model", "mann_whitney")
    print(f"\n| sets | share of variance between sets | | {' | '.join(tests)} |\n|---|---|---|{'---|' * len(tests)}")
    for n_sets, ratio in ((50, 1.9), (249, 1.37)):
        for log_sd in (0.0, 0.2, 0.45, 0.8):
            scenario = measured(pairs(n_sets, set_effect__log_sd=log_sd, group__odds_ratio={"IL-6": ratio}))
            variances = scenario.variances.loc["IL-6"]
            share = f"{variances.get('set_effect', 0.0) / variances.sum():.0%}"
            for what, own in (("power, IL-6", scenario), ("size", scenario.vary({"group.odds_ratio": None}))):
                rates = 100 * rejections(tests, own, n_sim).mean(axis=1)
                print(f"| {n_sets} | {share} | {what} | {' | '.join(f'{rate:.1f}' for rate in rates)} |", flush=True)


PARTS = {"bias": (bias, 20_000), "size": (size, 4_000), "cost": (cost, 4_000)}


def main() -> None:
    named = [name for name in PARTS if name in sys.argv[1:]] or list(PARTS)
    given = next((int(text) for text in sys.argv[1:] if text.isdigit()), None)
    for name in named:
        part, n_sim = PARTS[name]
        start = time.perf_counter()
        part(given or n_sim)
        print(f"\n{name}: {given or n_sim:,} studies a cell, {time.perf_counter() - start:.0f} s", file=sys.stderr)


if __name__ == "__main__":
    main()
