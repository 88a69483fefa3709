"""Tests of matched sets: python benchmarks/sets.py [seconds] [rounds]. Prints a markdown table.

The job: 36 analytes of 50 sets of one case and two controls, and of 250 pairs; the linear model with set effects, van Elteren's
test, and 9,999 permutations within sets, with intervals. Peers in R (`peers/sets.R`), in turn with ours and on the same values:
lm, the formulas of van Elteren, coin::oneway_test with as many permutations; their statistics must agree.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from cytokine_cc.kernels.stratified import stratified, van_elteren
from cytokine_cc.kernels.stratified_permutation import stratified_permutation

ANALYTES, PERMUTATIONS = 36, 9_999
PEER = Path(__file__).parent / "peers" / "sets.R"
DESIGNS = {"50 sets 1:2": (50, 2), "250 pairs": (250, 1)}
TESTS: dict[str, Callable] = {
    "`stratified`": stratified,
    "`van_elteren`": van_elteren,
    "`stratified_permutation`": lambda x, y, sets: stratified_permutation(x, y, sets=sets, n_resamples=PERMUTATIONS),
    "`stratified_permutation`, 5% of values missing": lambda x, y, sets: stratified_permutation(
        holed(x), holed(y), sets=sets, n_resamples=PERMUTATIONS
    ),
}


def drawn(name: str) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray]]:
    """Values of cases and of controls, with a level of each set, and their sets."""
    n, ratio = DESIGNS[name]
    rng = np.random.default_rng(n)
    level, sets = rng.standard_normal((ANALYTES, n)), (np.arange(n), np.repeat(np.arange(n), ratio))
    return *(level[:, own] + rng.standard_normal((ANALYTES, len(own))) for own in sets), sets


def holed(values: np.ndarray) -> np.ndarray:
    """The same with gaps, of which no two analytes have the same."""
    return np.where(np.random.default_rng(values.shape[1]).random(values.shape) < 0.05, np.nan, values)


def milliseconds(work: Callable[[], object], seconds: float) -> float:
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        work()
        done += 1
    return 1000 * spent / done


def peer(name: str, seconds: float) -> list[float]:
    """Milliseconds in R of the three tests for all analytes. Its statistics must be ours."""
    x, y, sets = drawn(name)
    table = np.column_stack(
        [np.repeat([1, 0], [len(own) for own in sets]), np.concatenate(sets), np.concatenate([x, y], axis=1).T]
    )
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.csv"
        np.savetxt(file, table, delimiter=",", header=",".join(f"v{k}" for k in range(table.shape[1])), comments="", fmt="%.17g")
        asked = ["Rscript", str(PEER), str(file), str(seconds), str(PERMUTATIONS)]
        done = subprocess.run(asked, check=True, capture_output=True, text=True)
    *statistics, times = (np.array(line.split(), dtype=float) for line in done.stdout.splitlines())
    for test, theirs in zip(TESTS.values(), statistics, strict=False):
        np.testing.assert_allclose(test(x, y, sets=sets).statistic, theirs, rtol=1e-9, atol=1e-12)
    return [ANALYTES * each for each in times]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 2.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    with_r = shutil.which("Rscript") is not None
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; medians of {rounds} rounds\n")
    print(f"| {ANALYTES} analytes | test | ms | ms in R | times R |\n|---|---|---|---|---|")
    for name in DESIGNS:
        x, y, sets = drawn(name)
        ours: dict[str, list[float]] = {}
        theirs = []
        for _ in range(rounds):
            if with_r:
                theirs.append(peer(name, seconds))
            for test, function in TESTS.items():
                ours.setdefault(test, []).append(milliseconds(partial(function, x, y, sets=sets), seconds))
        in_r = list(np.median(theirs, axis=0)) if with_r else []
        for k, (test, times) in enumerate(ours.items()):
            middle = float(np.median(times))
            beside = f"{in_r[k]:,.0f} | {in_r[k] / middle:,.0f}" if k < len(in_r) else " | "
            print(f"| {name} | {test} | {middle:,.2f} | {beside} |")


if __name__ == "__main__":
    main()
