"""What common random numbers give, and what plans cost together: python benchmarks/comparison.py [studies]. Prints tables.

henry2010 in full. Gain: how many times smaller the paired Monte Carlo error of a difference is than that of two separate runs,
the median over rows in which the plans differ; its square is how many times as many studies separate runs would need. Cost:
seconds of compare_plans beside those of certify for each plan, in turn, medians of 3 rounds, one thread.
"""

from __future__ import annotations

import sys
import time
from statistics import median

import cytokine_cc as cc

BASELINE = cc.Plan(change_within=None, change_between=None)
RANKS = cc.Plan(cc.Baseline("mann_whitney"), cc.ChangeWithin("signed_rank"), cc.ChangeBetween("change_rank"))
CORRECTIONS = ("BH", "BY", "bonferroni", "holm", "hochberg", "hommel", "none")
PAIRS = {
    "Welch, Student": BASELINE.vary(test=["welch", "student"]),
    "Welch, Mann-Whitney": BASELINE.vary(test=["welch", "mann_whitney"]),
    "log2, raw": BASELINE.vary(scale=["log2", "raw"]),
    "L/2, drop": BASELINE.vary(below_limit=["half", "drop"]),
    "L/2, L/sqrt2": BASELINE.vary(below_limit=["half", "sqrt2"]),
    "BH, Holm": BASELINE.vary(adjust=["BH", "holm"]),
    "change score, ANCOVA": cc.Plan(baseline=None, change_within=None).vary(test=["change_score", "ancova"]),
}
MEASURES = (
    "power_average",
    "power_any",
    "power",
    "FWER",
    "FDR",
    "size",
    "bias",
    "emp_se",
    "coverage",
    "interval_width",
    "pattern",
)
TOGETHER = {
    "Welch, Student": PAIRS["Welch, Student"],
    "Welch, Student, Mann-Whitney": BASELINE.vary(test=["welch", "student", "mann_whitney"]),
    "default plan on log2, raw": cc.Plan().vary(scale=["log2", "raw"]),
    "7 corrections of the default plan": cc.Plan().vary(adjust=CORRECTIONS),
    "7 corrections of rank tests": RANKS.vary(adjust=CORRECTIONS),
}


def gains(scenario: cc.Scenario, n_sim: int) -> None:
    print(f"| plans | {' | '.join(MEASURES)} |\n|---|{'---|' * len(MEASURES)}")
    for name, plans in PAIRS.items():
        found = cc.compare_plans(plans, scenario, n_sim=n_sim, seed=1).differences
        found = found[found["mcse"] > 0]
        ratio = (found["mcse_independent"] / found["mcse"]).groupby(found["measure"]).median()
        print(f"| {name} | {' | '.join(f'{ratio[m]:.1f}' if m in ratio else '' for m in MEASURES)} |", flush=True)


def costs(scenario: cc.Scenario, n_sim: int) -> None:
    print("\n| plans | together, s | each by certify, s | ratio | of one certify |\n|---|---|---|---|---|")
    for name, plans in TOGETHER.items():
        rounds = []
        for _ in range(3):
            times = [time.perf_counter()]
            cc.compare_plans(plans, scenario, n_sim=n_sim, seed=1)
            times.append(time.perf_counter())
            for plan in plans:
                cc.certify(plan, scenario, n_sim=n_sim, seed=1)
            times.append(time.perf_counter())
            rounds.append((times[1] - times[0], times[2] - times[1]))
        both, each = (median(part) for part in zip(*rounds, strict=True))
        print(f"| {name} | {both:.2f} | {each:.2f} | {both / each:.2f} | {both / each * len(plans):.2f} |", flush=True)


if __name__ == "__main__":
    studies = int(sys.argv[1]) if len(sys.argv) > 1 else 2048
    henry = cc.load_scenario("henry2010")
    gains(henry, studies)
    costs(henry, studies // 4)
