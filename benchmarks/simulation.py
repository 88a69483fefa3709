"""Simulated studies a second: python benchmarks/simulation.py [seconds] [rounds]. Prints a markdown table.

The job: 30 cases, 22 controls, 36 analytes, two visits; Welch's t at baseline with Holm, the paired t of the change in cases and
in controls, each with BH. Whole: studies drawn one by one from their own streams, analysed, and (by certify) counted. Analysis:
the same on studies drawn before, as logs. Peer: `peers/simulation.R`, the fastest plain R, on one core; in turn with ours.
"""

from __future__ import annotations

import os
import platform
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

import cytokine_cc as cc
from cytokine_cc.arrays import StudyArrays
from cytokine_cc.engine import run

N_CASE, N_CONTROL, ANALYTES, ICC = 30, 22, 36, 0.7
BLOCK = 256  # studies analysed at a time, as by certify
PLAN = cc.Plan(cc.Baseline("welch", adjust="holm"), cc.ChangeWithin("paired_t", adjust="BH"), None)
PEER = Path(__file__).parent / "peers" / "simulation.R"
CENSORED = {
    "Welch, L/2": cc.Baseline("welch", below_limit="half"),
    "Mann-Whitney, tied lowest": cc.Baseline("mann_whitney"),
    "signed rank of changes, two groups": cc.ChangeWithin("signed_rank"),
    "Welch on changes": cc.ChangeBetween("change_score"),
    "Mann-Whitney on changes": cc.ChangeBetween("change_rank"),
}

HENRY = {
    "its own plan (Student at baseline and on changes)": cc.load_scenario("henry2010").plan,
    "three questions, t tests": cc.Plan(),
    "three questions, rank tests": cc.Plan(
        cc.Baseline("mann_whitney"), cc.ChangeWithin("signed_rank"), cc.ChangeBetween("change_rank")
    ),
}


def drawn(seed: int, censored: bool = False) -> StudyArrays:
    """A block of studies as logs; where `censored`, 25% lie below limits that differ by plate, and 3% are missing."""
    rng = np.random.default_rng(seed)
    shape = (BLOCK, 2, ANALYTES, N_CASE + N_CONTROL)
    value = rng.standard_normal(shape)
    value[:, 1] = ICC * value[:, 0] + np.sqrt(1 - ICC**2) * value[:, 1]
    state, nan = np.broadcast_to(np.int8(0), shape), np.broadcast_to(np.nan, shape)
    lower = nan
    if censored:
        plate = np.arange(shape[-1]) % 3
        lower = rng.normal(-0.7, 0.1, size=(*shape[:-1], 3))[..., plate]
        state = np.where(value < lower, np.int8(cc.State.BELOW), np.int8(cc.State.MEASURED))
        state[rng.random(shape) < 0.03] = cc.State.MISSING
        value = np.where(state == cc.State.MEASURED, value, np.nan)
    case = np.arange(shape[-1]) < N_CASE
    return StudyArrays(value, state, lower, nan, nan, nan, case, None, later=("later",), logged="log2")


def per_second(work: Callable[[], int], seconds: float) -> float:
    """Studies a second of something that returns how many it did."""
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent


def analysis(questions: tuple, blocks: list[StudyArrays], threads: int) -> Callable[[], int]:
    pool = ThreadPoolExecutor(threads)

    def work() -> int:
        list(pool.map(lambda block: run(questions, block, intervals=False), blocks))
        return BLOCK * len(blocks)

    return work


def whole(n_jobs: int, plan: cc.Plan = PLAN, name: str = "null", n_sim: int = 2048) -> Callable[[], int]:
    scenario = cc.load_scenario(name)

    def work() -> int:
        cc.certify(plan, scenario, n_sim=n_sim, seed=1, n_jobs=n_jobs, intervals=False, patterns=(), progress=False)
        return n_sim

    return work


def peer(seconds: float) -> dict[str, float]:
    """What R reaches: {"analysis": ..., "whole": ...}; nothing where there is no R."""
    if shutil.which("Rscript") is None:
        return {}
    done = subprocess.run(["Rscript", str(PEER), str(seconds)], check=True, capture_output=True, text=True)
    return {name: float(rate) for name, rate in (line.split() for line in done.stdout.splitlines())}


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    blocks, censored = ([drawn(seed, censored=flag) for seed in range(4)] for flag in (False, True))
    ours = {
        ("analysis", "1 thread"): analysis(PLAN.questions, blocks, 1),
        ("analysis", "2 threads"): analysis(PLAN.questions, blocks, 2),
        ("whole", "certify, n_jobs=1"): whole(1),
        ("whole", "certify, n_jobs=2"): whole(2),
    }
    rates: dict[tuple[str, str], list[float]] = {}
    for _ in range(rounds):
        for name, rate in peer(seconds).items():
            rates.setdefault((name, "R"), []).append(rate)
        for key, work in ours.items():
            rates.setdefault(key, []).append(per_second(work, seconds))
    middle = {key: float(np.median(values)) for key, values in rates.items()}

    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; medians of {rounds} rounds\n")
    if ("whole", "R") not in middle:
        print("No Rscript here: ours alone.\n")
    print("| job | by | studies a second | times R |\n|---|---|---|---|")
    for job, by in sorted(middle):
        ratio = f"{middle[job, by] / middle[job, 'R']:.1f}" if (job, "R") in middle else ""
        print(f"| {job} | {by} | {middle[job, by]:,.0f} | {ratio} |")
    print("\n| analysis of studies with 25% below plates' limits, 3% missing; 2 threads | studies a second |\n|---|---|")
    for name, question in CENSORED.items():
        print(f"| {name} | {per_second(analysis((question,), censored, 2), min(seconds, 2.0)):,.0f} |")
    print("\n| certify on henry2010 in full (cohort, matching, plates, limits, what is missing), n_jobs=2 | studies a second |")
    print("|---|---|")
    for name, plan in HENRY.items():
        print(f"| {name} | {per_second(whole(2, plan, 'henry2010', 512), seconds):,.0f} |")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"\nPeak memory of the process after all of this: {peak:.0f} MiB")


if __name__ == "__main__":
    main()
