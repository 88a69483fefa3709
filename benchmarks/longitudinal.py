"""Longitudinal models a second: python benchmarks/longitudinal.py [seconds] [rounds]. Prints a markdown table.

The job: 30 cases, 22 controls, two visits correlated .7, 36 analytes; the difference of changes with its p. Without missing
values ours is the closed form, with 15% missing the restricted likelihood of an unstructured covariance matrix and
Satterthwaite's degrees of freedom. Peers: lmerTest (with Satterthwaite's p) and nlme in R (`peers/longitudinal.R`), in turn with
ours and on the same values. Both fit a random intercept, the usual model, which has a parameter less than our matrix: without
missing values the two give one estimate and one p, which must agree.
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

from cytokine_cc.kernels.longitudinal import clda, lda

N_CASE, N_CONTROL, ANALYTES, REPLICATES = 30, 22, 36, 64
PEER = Path(__file__).parent / "peers" / "longitudinal.R"
JOBS: dict[str, tuple[Callable, int, float, bool, int]] = {  # model, visits, share missing, with ages, threads
    "lda, no value missing": (lda, 2, 0.0, False, 1),
    "clda, no value missing": (clda, 2, 0.0, False, 1),
    "lda, 15% missing": (lda, 2, 0.15, False, 1),
    "lda, 15% missing, 2 threads": (lda, 2, 0.15, False, 2),
    "clda, 15% missing": (clda, 2, 0.15, False, 1),
    "lda, 15% missing, with ages": (lda, 2, 0.15, True, 1),
    "lda, three visits, 15% missing": (lda, 3, 0.15, False, 1),
    "lda, one study of 36 analytes, 15% missing": (lda, 2, 0.15, False, 1),
}
PEERS = {"lmerTest": ("no value missing", "15% missing"), "nlme": ("no value missing", "15% missing")}


def drawn(seed: int, visits: int, missing: float, replicates: int = REPLICATES) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    shape = (replicates, ANALYTES, visits, N_CASE + N_CONTROL)
    y = 0.7**0.5 * rng.standard_normal((*shape[:2], 1, shape[3])) + 0.3**0.5 * rng.standard_normal(shape)
    y[rng.random(shape) < missing] = np.nan
    return y[..., :N_CASE].copy(), y[..., N_CASE:].copy()


def ages(seed: int, visits: int, replicates: int) -> tuple[np.ndarray, np.ndarray]:
    age = np.random.default_rng(seed).normal(60, 8, (replicates, 1, 1, N_CASE + N_CONTROL))
    z = np.eye(visits)[:, :, None] * age
    return z[..., :N_CASE], z[..., N_CASE:]


def ours(name: str) -> Callable[[], int]:
    model, visits, missing, with_ages, threads = JOBS[name]
    replicates = 1 if "one study" in name else REPLICATES
    blocks = [drawn(seed, visits, missing, replicates) for seed in range(threads)]
    shared = ages(1, visits, replicates) if with_ages else None
    pool = ThreadPoolExecutor(threads)

    def one(block: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
        x, y = block
        return model(x[..., 1, :], y[..., 1, :], visits=block, at=1, covariates=shared, conf_level=None).p_value

    return lambda: sum(p.size for p in pool.map(one, blocks))


def per_second(work: Callable[[], int], seconds: float) -> float:
    work()
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        done += work()
    return done / spent


def peer(package: str, missing: float, seconds: float) -> float:
    """Models a second in R; NaN where there is none."""
    if shutil.which("Rscript") is None:
        return np.nan
    x, y = (part[0] for part in drawn(0, 2, missing, 1))
    values = np.concatenate([x, y], axis=-1).reshape(ANALYTES, -1).T  # visit by visit
    n = N_CASE + N_CONTROL
    key = np.stack([np.tile(np.repeat([1, 0], [N_CASE, N_CONTROL]), 2), np.repeat([0, 1], n), np.tile(np.arange(n), 2)], axis=-1)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.csv"
        header = ",".join(["group", "visit", "subject", *(f"v{k}" for k in range(ANALYTES))])
        np.savetxt(file, np.concatenate([key, values], axis=1), delimiter=",", header=header, comments="", fmt="%.17g")
        command = ["Rscript", str(PEER), str(file), str(seconds), package]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
    *found, rate = map(float, done.stdout.split())
    own = lda(x[:, 1], y[:, 1], visits=(x, y), at=1)
    if missing == 0:
        np.testing.assert_allclose(found[::2], own.estimate, rtol=1e-6, atol=1e-9)
        np.testing.assert_allclose(found[1::2], own.p_value, rtol=1e-4)
    return rate


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    work = {name: ours(name) for name in JOBS}
    rates: dict[str, list[float]] = {}
    for _ in range(rounds):
        for package, cases in PEERS.items():
            for case in cases:
                rates.setdefault(f"{package}, {case}", []).append(peer(package, 0.15 if "15%" in case else 0.0, seconds))
        for name, job in work.items():
            rates.setdefault(name, []).append(per_second(job, seconds))
    middle = {name: float(np.median(values)) for name, values in rates.items()}
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; medians of {rounds} rounds\n")
    print("| job | models a second | times lmerTest | times nlme |\n|---|---|---|---|")
    for name, rate in middle.items():
        case = "15% missing" if "15%" in name else "no value missing"
        plain = name in JOBS and "three" not in name and "ages" not in name
        against = [f"{rate / middle[f'{package}, {case}']:,.0f}" if plain else "" for package in PEERS]
        print(f"| {name} | {rate:,.0f} | {' | '.join('' if each == 'nan' else each for each in against)} |")


if __name__ == "__main__":
    main()
