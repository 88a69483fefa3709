"""Moderated t, milliseconds a panel: python benchmarks/moderated.py [seconds] [rounds]. Prints a markdown table.

Peer: limma's lmFit and eBayes in R (`peers/moderated.R`), in turn with ours and on the same values; its p-values must agree.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from cytokine_cc.kernels.moderated import moderated_t

PEER = Path(__file__).parent / "peers" / "moderated.R"
SHAPES = {"36 analytes, 30 and 22": (36, 30, 22), "3,000 analytes, 250 and 250": (3000, 250, 250)}


def drawn(shape: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(1)
    return rng.normal(size=(shape[0], shape[1] + shape[2])) * np.sqrt(rng.chisquare(8, size=(shape[0], 1)) / 8)


def ours(values: np.ndarray, n1: int, seconds: float, conf_level: float | None) -> float:
    x, y = np.ascontiguousarray(values[:, :n1]), np.ascontiguousarray(values[:, n1:])
    moderated_t(x, y, conf_level=conf_level)
    done, start = 0, time.perf_counter()
    while (spent := time.perf_counter() - start) < seconds:
        moderated_t(x, y, conf_level=conf_level)
        done += 1
    return 1000 * spent / done


def peer(values: np.ndarray, shape: tuple[int, int, int], seconds: float) -> float:
    """Milliseconds in R; NaN where there is none. Its p-values must be ours."""
    if shutil.which("Rscript") is None:
        return np.nan
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "values.bin"
        values.tofile(file)
        call = ["Rscript", str(PEER), str(file), *map(str, shape), str(seconds)]
        *p, spent = map(float, subprocess.run(call, check=True, capture_output=True, text=True).stdout.split())
    own = moderated_t(values[:, : shape[1]], values[:, shape[1] :]).p_value
    np.testing.assert_allclose(p, own[: len(p)], rtol=1e-8)
    return 1000 * spent


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 5.0
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; medians of {rounds} rounds\n")
    print("| panel | limma, ms | ours, ms | with intervals, ms | times limma |\n|---|---|---|---|---|")
    for name, shape in SHAPES.items():
        values = drawn(shape)
        found = [
            (peer(values, shape, seconds), *(ours(values, shape[1], seconds, level) for level in (None, 0.95)))
            for _ in range(rounds)
        ]
        limma, bare, full = np.median(found, axis=0)
        ratio = "" if np.isnan(limma) else f"{limma / bare:.1f}"
        print(f"| {name} | {limma:.2f} | {bare:.3f} | {full:.3f} | {ratio} |")


if __name__ == "__main__":
    main()
