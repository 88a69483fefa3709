"""Speed of the main job: python benchmarks/speed.py. Prints a markdown table of medians; peers run beside, in turn.

Peer: what a practised user writes by hand, pivot + scipy.stats + statsmodels; it gives p-values only.
"""

from __future__ import annotations

import platform
import resource
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable

import numpy as np
import pandas as pd

import cytokine_cc as cc

N_CASE, N_CONTROL, ANALYTES = 30, 22, 36
REPEATS = 100


def long_frame() -> pd.DataFrame:
    """Two visits of 52 subjects x 36 analytes, in rows."""
    rng = np.random.default_rng(1)
    subject, visit, analyte = (part.ravel() for part in np.indices((N_CASE + N_CONTROL, 2, ANALYTES)))
    return pd.DataFrame(
        {
            "subject": np.char.add("S", subject.astype(str)).astype(object),
            "group": np.where(subject < N_CASE, "case", "control").astype(object),
            "visit": np.where(visit == 0, "baseline", "month6").astype(object),
            "analyte": np.char.add("A", analyte.astype(str)).astype(object),
            "value": np.exp(rng.normal(size=len(subject))),
        }
    )


def wide_frame(n: int, m: int) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    frame = pd.DataFrame(np.exp(rng.normal(size=(n, m))), columns=[f"A{i}" for i in range(m)])
    frame.insert(0, "subject", [f"S{i}" for i in range(n)])
    frame.insert(1, "group", np.where(np.arange(n) < n // 2, "case", "control"))
    return frame


def medians(*works: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Median milliseconds of each, run in turn so that a slow spell of the machine hits all."""
    times = np.empty((repeats, len(works)))
    for work in works:
        work()
    for i in range(repeats):
        for j, work in enumerate(works):
            start = time.perf_counter()
            work()
            times[i, j] = time.perf_counter() - start
    return list(1e3 * np.median(times, axis=0))


def by_hand(frame: pd.DataFrame) -> np.ndarray:
    from scipy.stats import ttest_ind
    from statsmodels.stats.multitest import multipletests

    wide = frame[frame["visit"] == "baseline"].pivot(index=["subject", "group"], columns="analyte", values="value")
    case = wide.index.get_level_values("group") == "case"
    logs = np.log2(wide.to_numpy())
    p = ttest_ind(logs[case], logs[~case], equal_var=False).pvalue
    return multipletests(p, method="fdr_bh")[1]


def seconds(command: list[str], repeats: int = 9) -> float:
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def import_cost(repeats: int = 9) -> float:
    code = "import numpy, time; t = time.perf_counter(); import cytokine_cc; print(time.perf_counter() - t)"
    return float(
        np.median(
            [float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout) for _ in range(repeats)]
        )
    )


def main() -> None:
    frame = long_frame()
    design = cc.Design("group", "case", "control", baseline="baseline")
    panel = cc.read_panel(frame, layout="long")
    study = cc.Study(panel, design)
    rows = [("import, beyond numpy's", f"{import_cost() * 1e3:.1f} ms", "<= 100 ms")]
    rows.append(
        (
            "`cytokine-cc --help`, whole process",
            f"{seconds([sys.executable, '-m', 'cytokine_cc.cli', '--help']) * 1e3:.0f} ms",
            "<= 300 ms",
        )
    )
    compare, fresh, whole, hand = medians(
        lambda: cc.compare_baseline(study),
        lambda: cc.compare_baseline(cc.Study(panel, design)),
        lambda: cc.compare_baseline(cc.Study(cc.read_panel(frame, layout="long"), design)),
        lambda: by_hand(frame),
    )
    rows.append(("52 x 36, Welch + BH, table of results", f"{compare:.2f} ms", "<= 3 ms"))
    rows.append(("the same with the study checked anew", f"{fresh:.2f} ms", ""))
    rows.append(("the same from a long DataFrame of 3,744 rows", f"{whole:.2f} ms", "<= 10 ms"))
    rows.append(("by hand: pivot + scipy.stats + statsmodels, p only", f"{hand:.2f} ms", "peer"))
    (ranks,) = medians(lambda: cc.compare_baseline(study, test="mann_whitney"), repeats=30)
    (everything,) = medians(lambda: cc.analyze(study), repeats=30)
    rows.append(("52 x 36, Mann-Whitney, exact, with shifts", f"{ranks:.2f} ms", ""))
    rows.append(("52 x 36, whole plan, two visits", f"{everything:.2f} ms", ""))

    large = cc.Study(
        cc.read_panel(wide_frame(2000, 3000), layout="wide", sample_columns=["group"]), cc.Design("group", "case", "control")
    )
    (big,) = medians(lambda: cc.compare_baseline(cc.Study(large.panel, large.design)), repeats=5)
    tracemalloc.start()
    cc.compare_baseline(cc.Study(large.panel, large.design))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    rows.append(("2,000 subjects x 3,000 analytes, Welch + BH", f"{big / 1e3:.2f} s", "<= 1 s"))
    rows.append(("its memory beyond the panel, in values of the panel", f"{peak / (2000 * 3000 * 8):.2f} x", "<= 2 x"))

    print(f"Python {platform.python_version()}, numpy {np.__version__}, pandas {pd.__version__}, {platform.machine()}; ")
    print(f"medians; peak of the process {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MiB\n")
    print("| what | measured | aim |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
