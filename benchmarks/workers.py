"""What workers and checkpoints do for certify: python benchmarks/workers.py [studies] [rounds]. Prints a markdown table.

The job: henry2010 in full, by its own plan and by the default plan. One thread, two threads, two threads with a checkpoint (a new
folder each time), and a Dask cluster of two processes over TCP where dask is installed; in turn, so that what else the machine
does falls on all alike. The ratio is of medians.
"""

from __future__ import annotations

import os
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.util import find_spec

import joblib
import numpy as np

import cytokine_cc as cc

SCENARIO = cc.load_scenario("henry2010")
PLANS = {"its own plan": SCENARIO.plan, "default plan": cc.Plan()}
ONE = "1 thread"


def per_second(plan: cc.Plan, n_sim: int, **how: object) -> float:
    start = time.perf_counter()
    cc.certify(plan, SCENARIO, n_sim=n_sim, seed=1, progress=False, **how)
    return n_sim / (time.perf_counter() - start)


def kept(plan: cc.Plan, n_sim: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        return per_second(plan, n_sim, n_jobs=2, checkpoint=folder)


def on_dask(plan: cc.Plan, n_sim: int) -> float:
    """A cluster for this run alone, so that it takes no time from the threads; its start is not counted.

    Its workers keep freed memory, as docs/scaling.md advises.
    """
    from dask.distributed import Client, LocalCluster

    options = {"n_workers": 2, "threads_per_worker": 1, "protocol": "tcp://", "dashboard_address": ":0"}
    with LocalCluster(**options) as cluster, Client(cluster), joblib.parallel_config(backend="dask"):
        per_second(plan, 512)
        return per_second(plan, n_sim)


def main() -> None:
    n_sim = int(sys.argv[1]) if len(sys.argv) > 1 else 5000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    ways: dict[str, Callable[[cc.Plan, int], float]] = {
        ONE: lambda plan, n: per_second(plan, n),
        "2 threads": lambda plan, n: per_second(plan, n, n_jobs=2),
        "2 threads, checkpoint": kept,
    }
    what = f"{n_sim:,} studies, {rounds} rounds"
    print(f"Python {platform.python_version()}, numpy {np.__version__}, {os.cpu_count()} cores; {what}\n")
    print("| plan | workers | studies a second: median (least to most) | times 1 thread |\n|---|---|---|---|")
    if find_spec("distributed"):
        os.environ |= {
            "MALLOC_TRIM_THRESHOLD_": str(1 << 30),
            "MALLOC_MMAP_THRESHOLD_": str(1 << 25),
        }  # read by new processes only
        ways["2 Dask workers"] = on_dask
    for name, plan in PLANS.items():
        per_second(plan, 512, n_jobs=2)  # not counted: what is done once
        rates = {way: [] for way in ways}
        for _ in range(rounds):
            for way, run in ways.items():
                rates[way].append(run(plan, n_sim))
        for way, found in rates.items():
            middle, least, most = np.median(found), min(found), max(found)
            ratio = middle / np.median(rates[ONE])
            print(f"| {name} | {way} | {middle:,.0f} ({least:,.0f} to {most:,.0f}) | {ratio:.2f} |")


if __name__ == "__main__":
    main()
