"""Censored normal models a second: python benchmarks/tobit.py [seconds] [rounds]. Prints a markdown table.

The job: 30 cases, 22 controls, 36 analytes, half of the values below one limit; the likelihood ratio of the group, which takes
two fits a row. Peer: survival::survreg in R (`peers/tobit.R`), in turn with ours and on the same values; its ratios must agree.
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

import numpy as np

from cytokine_cc.kernels.tobit import tobit

N_CASE, N_CONTROL, ANALYTES, REPLICATES, LIMIT = 30, 22, 36, 256, 0.0
PEER = Path(__file__).parent / "peers" / "tobit.R"
JOBS: dict[str, tuple[float, int, int, float | None]] = {
    "half below one limit": (LIMIT, 0, 1, None),
    "half below one limit, 2 threads": (LIMIT, 0, 2, None),
    "half below one limit, with intervals": (LIMIT, 0, 1, 0.95),
    "half below three limits": (LIMIT, 0, 1, None),
    "half below one limit, with plates": (LIMIT, 2, 1, None),
    "half below one limit, with ages": (LIMIT, -1, 1, None),
    "nothing below": (-np.inf, 0, 1, None),
}


def drawn(seed: int, name: str) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...] | None]:
    """Bounds of cases and controls, and covariates: plates, or a number (-1)."""
    rng = np.random.default_rng(seed)
    limit, columns = JOBS[name][:2]
    limits = limit + (np.arange(N_CASE + N_CONTROL) % 3 - 1) * 0.2 * ("three" in name)
    value = rng.standard_normal((REPLICATES, ANALYTES, N_CASE + N_CONTROL))
    point = np.maximum(value, limits)
    low = np.where(value < limits, -np.inf, point)
    both = [part[..., rows] for rows in (slice(N_CASE), slice(N_CASE, None)) for part in (point, low, point)]
    shape = (REPLICATES, value.shape[-1])
    plate = rng.permuted(np.broadcast_to(np.arange(shape[1]) % 3, shape), axis=-1)
    z = rng.normal(60, 8, shape)[:, None] if columns < 0 else np.stack([plate == level for level in (1, 2)], axis=1) * 1.0
    return tuple(both), (z[..., :N_CASE], z[..., N_CASE:]) if columns else None


def ours(name: str) -> Callable[[], int]:
    threads, conf_level = JOBS[name][2:]
    blocks = [drawn(seed, name) for seed in range(threads)]
    pool = ThreadPoolExecutor(threads)

    def one(block: tuple) -> np.ndarray:
        bounds, covariates = block
        return tobit(bounds[1], bounds[4], bounds=bounds, covariates=covariates, conf_level=conf_level).statistic

    def work() -> int:
        return sum(ratios.size for ratios in pool.map(one, blocks))

    return work


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
    bounds, _ = drawn(0, "half below one limit")
    point = np.concatenate([bounds[0][0], bounds[3][0]], axis=-1)
    group = np.repeat([1.0, 0.0], [N_CASE, N_CONTROL])
    table = np.stack([group, np.full(len(group), LIMIT), *point], axis=-1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.csv"
        np.savetxt(file, table, delimiter=",", header=",".join(f"v{k}" for k in range(table.shape[1])), comments="", fmt="%.17g")
        done = subprocess.run(["Rscript", str(PEER), str(file), str(seconds)], check=True, capture_output=True, text=True)
    *ratios, rate = map(float, done.stdout.split())
    statistic = tobit(bounds[1][0], bounds[4][0], bounds=tuple(part[0] for part in bounds), conf_level=None).statistic
    np.testing.assert_allclose(ratios, statistic, rtol=1e-5, atol=1e-7)  # survreg stops at nine digits of the log-likelihood
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
    print(
        "No Rscript here: ours alone.\n" if np.isnan(r) else f"survival::survreg, half below one limit: {r:,.0f} rows a second\n"
    )
    print("| job, two fits a row | rows a second | times survreg |\n|---|---|---|")
    for name, rate in middle.items():
        comparable = "below one limit" in name and "with" not in name and not np.isnan(r)
        print(f"| {name} | {rate:,.0f} | {f'{rate / r:.0f}' if comparable else ''} |")


if __name__ == "__main__":
    main()
