"""Studies to plant faults in: small ones made of a table, as a file would hold it."""

from __future__ import annotations

import runpy
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd

import cytokine_cc as cc

PLANTED = runpy.run_path(str(Path(__file__).parent.parent / "benchmarks" / "study_checks.py"))
FAULTS, changed, exchanged, swapped = (PLANTED[name] for name in ("FAULTS", "changed", "exchanged", "swapped"))


stored = cache(cc.load_study)


def table(
    n_case=16, n_control=16, n_analytes=8, visits=("before", "after"), seed=1, digits=4, effect=0.0, sets=0
) -> pd.DataFrame:
    """One row a sample: subject, visit, group, plate, sex, age, set (of `sets` controls to a case, 0: none) and analytes."""
    rng = np.random.default_rng(seed)
    n = n_case + n_control
    case = np.arange(n) < n_case
    group = np.where(case, "case", "control")
    own_set = np.where(case, np.arange(n), (np.arange(n) - n_case) // max(1, sets))
    sex = np.where((own_set if sets else np.arange(n)) % 2 == 0, "F", "M")
    age = 50 + (own_set if sets else np.arange(n) % 16) + rng.normal(0, 0.5, n).round(1)
    person = rng.normal(0, 0.7, (n, n_analytes))
    frames = []
    for v, visit in enumerate(visits):
        level = 3 + person + rng.normal(0, 0.4, (n, n_analytes)) + v * effect * (np.arange(n_analytes) < 5)
        frame = {"subject": [f"S{i:02d}" for i in range(n)], "visit": visit, "group": group, "sex": sex, "age": age}
        frame |= {"plate": np.where(np.arange(n) % 2 == 0, "P1", "P2"), "set": [f"m{k}" for k in own_set]}
        values = np.exp(level)
        frame |= {f"A{a}": [float(f"{x:.{digits}g}") for x in values[:, a]] for a in range(n_analytes)}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def study_of(frame: pd.DataFrame, *, matched_on=("sex", "age"), sets=False, plates=True, source=None, **options) -> cc.Study:
    """Read such a table, or the file that it was written to."""
    analytes = [name for name in frame.columns if name.startswith("A")]
    panel = cc.read_panel(
        frame if source is None else source,
        layout="wide",
        subject="subject",
        visit="visit",
        plate="plate" if plates else None,
        analytes=analytes,
        unit="pg/mL",
        **options,
    )
    visits = list(dict.fromkeys(frame["visit"]))
    return cc.Study(
        panel,
        cc.Design(
            "group",
            "case",
            "control",
            baseline=visits[0] if len(visits) > 1 else None,
            matched_set="set" if sets else None,
            matched_on=matched_on,
        ),
    )
