"""Conditional logistic regressions a second: python benchmarks/conditional.py [seconds] [rounds]. Prints a markdown table.

The job: 50 sets of a case and two controls, 36 analytes; the likelihood ratio of the value. Peer: survival::clogit in R
(`peers/conditional.R`), in turn with ours and on the same values; its ratios must agree.
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
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from cytokine_cc.kernels.conditional import conditional_logistic

ANALYTES, REPLICATES, EFFECT = 36, 128, 0.3
PEER = Path(__file__).parent / "peers" / "conditional.R"
ONE_TO_TWO, TWO_TO_FOUR, FIVE_TO_TEN = (50, 1, 2), (25, 2, 4), (10, 5, 10)
JOBS: dict[str, tuple[tuple[int, int, int], int, dict[str, Any]]] = {
    "50 sets of 1:2": (ONE_TO_TWO, 1, {"conf_level": None}),
    "50 sets of 1:2, 2 threads": (ONE_TO_TWO, 2, {"conf_level": None}),
    "50 sets of 1:2, with intervals": (ONE_TO_TWO, 1, {}),
    "50 sets of 1:2, Firth": (ONE_TO_TWO, 1, {"conf_level": None, "penalty": "firth"}),
    "50 sets of 1:2, Firth, with intervals": (ONE_TO_TWO, 1, {"penalty": "firth"}),
    "50 sets of 1:2, a covariate": (ONE_TO_TWO, 1, {"conf_level": None, "covariates": 1}),
    "50 sets of 1:2, a covariate, with intervals": (ONE_TO_TWO, 1, {"covariates": 1}),
    "25 sets of 2:4": (TWO_TO_FOUR, 1, {"conf_level": None}),
    "10 sets of 5:10": (FIVE_TO_TEN, 1, {"conf_level": None}),
}


def drawn(seed: int, sizes: tuple[int, int, int]) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Values and sets of cases and of controls."""
    rng = np.random.default_rng(seed)
    sets, *each = sizes
    values = [rng.normal(EFFECT * (k == 0), 1, (REPLICATES, ANALYTES, sets * n)) for k, n in enumerate(each)]
    return (values[0], values[1]), (np.repeat(np.arange(sets), each[0]), np.repeat(np.arange(sets), each[1]))


def ours(name: str) -> Callable[[], int]:
    sizes, threads, options = JOBS[name]
    blocks = [drawn(seed, sizes) for seed in range(threads)]
    rng = np.random.default_rng(9)
    own = dict(options)
    if "covariates" in own:
        own["covariates"] = tuple(rng.standard_normal((REPLICATES, 1, len(part))) for part in blocks[0][1])
    pool = ThreadPoolExecutor(threads)

    def one(block: tuple) -> int:
        (x, y), sets = block
        return conditional_logistic(x, y, sets=sets, **own).statistic.size

    return lambda: sum(pool.map(one, blocks))


def per_second(work: Callable[[], int], seconds: float) -> float:
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent


def peer(seconds: float) -> float:
    """Rows a second in R; NaN where there is none. Its likelihood ratios must be ours."""
    if shutil.which("Rscript") is None:
        return np.nan
    (x, y), sets = drawn(0, ONE_TO_TWO)
    case = np.repeat([1.0, 0.0], [x.shape[-1], y.shape[-1]])
    table = np.stack([np.concatenate(sets), case, *np.concatenate([x[0], y[0]], axis=-1)], axis=-1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.csv"
        np.savetxt(file, table, delimiter=",", header=",".join(f"v{k}" for k in range(table.shape[1])), comments="", fmt="%.17g")
        done = subprocess.run(["Rscript", str(PEER), str(file), str(seconds)], check=True, capture_output=True, text=True)
    *ratios, rate = map(float, done.stdout.split())
    statistic = conditional_logistic(x[0], y[0], sets=sets, conf_level=None).statistic
    np.testing.assert_allclose(ratios, statistic, rtol=1e-6, atol=1e-9)  # clogit stops at nine digits of the log-likelihood
    return rate


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    work = {name: ours(name) for name in JOBS}
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        rates.setdefault("R", []).append(peer(seconds))
        for name, job in work.items():
            rates.setdefault(name, []).append(per_second(job, seconds))
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    r = middle.pop("R")
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; medians of {rounds} rounds\n")
    print("No Rscript here: ours alone.\n" if np.isnan(r) else f"survival::clogit, 50 sets of 1:2: {r:,.0f} rows a second\n")
    print("| job | rows a second | times clogit's fit |\n|---|---|---|")
    for name, rate in middle.items():
        print(f"| {name} | {rate:,.0f} | {f'{rate / r:.0f}' if JOBS[name][0] == ONE_TO_TWO and not np.isnan(r) else ''} |")


if __name__ == "__main__":
    main()
