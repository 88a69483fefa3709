"""What stands beside the p-values, by arithmetic that one can follow by hand."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd

from ..analysis import compare_baseline
from ..balance import balance_table
from ..correlations import correlation_table
from ..design import Design
from ..readers import read_panel
from ..study import Study
from ..summaries import descriptives
from .check_report import Check
from .comparing import Fact, facts_hold
from .textbook import ABOUT, two_groups


def _summaries() -> Iterable[Fact]:
    logs = {"case": (2.0, 3.0, 5.0, 6.0), "control": (1.0, 1.0, 4.0)}
    study = two_groups(*([2.0**x for x in side] for side in logs.values()))
    row, rows = compare_baseline(study).table.iloc[0], descriptives(study).set_index("group")
    for side, x in logs.items():
        yield f"geometric mean of {side}s", row[f"mean_{side}"], 2.0 ** statistics.fmean(x)
        yield f"geometric SD of {side}s", row[f"sd_{side}"], 2.0 ** statistics.stdev(x)
        yield f"geometric SD of {side}s, described", rows.loc[side, "geo_sd"], 2.0 ** statistics.stdev(x)
        yield f"median of {side}s", rows.loc[side, "median"], statistics.median(2.0**v for v in x)
    yield "ratio", row["estimate"], 4.0
    # Hedges' g: the exact factor of 5 degrees of freedom is gamma(2.5) / (sqrt(2.5) gamma(2)).
    pooled = math.sqrt((3 * statistics.variance(logs["case"]) + 2 * statistics.variance(logs["control"])) / 5)
    yield "Hedges' g", row["hedges_g"], 2 / pooled * math.gamma(2.5) / math.sqrt(2.5)


def _beside() -> Iterable[Fact]:
    logs = {"X": (1.0, 2.0, 4.0, 3.0, 6.0, 5.0), "Y": (5.0, 3.5, 2.0, 3.0, -1.0, 1.5)}
    frame = pd.DataFrame({"subject": list("abcdef"), "group": ["case"] * 3 + ["control"] * 3, "Age": [60, 70, 50, 50, 40, 60]})
    frame = frame.assign(Site=list("nnsnss"), **{name: np.exp2(values) for name, values in logs.items()})
    panel = read_panel(frame, layout="wide", analytes=["X", "Y"])
    study = Study(panel, Design("group", "case", "control"))
    balance = balance_table(study, ["Age", "Site"]).set_index(["covariate", "level"])["std_difference"]
    yield "standardised difference of 50, 60, 70 and 40, 50, 60 years", balance["Age", ""], 1.0
    yield "of shares 2/3 and 1/3", balance["Site", "n"], 1 / math.sqrt(2)
    yield "rank correlation in opposite order", correlation_table(study).loc["X", "Y"], -1.0
    pearson = correlation_table(study, method="pearson").loc["X", "Y"]
    yield "correlation of logs", pearson, statistics.correlation(*logs.values())


def _check(name: str, expected: str, why: str, facts: Callable[[], Iterable[Fact]], reference: str) -> Check:
    return Check(name, ABOUT, expected, why, lambda n_jobs: facts_hold(facts()), reference)


DESCRIBED: tuple[Check, ...] = (
    _check(
        "means and SDs of the table",
        "Geometric means and SDs, medians and Hedges' g equal those of Python's own statistics module.",
        "They stand beside each p-value and are read more often than it.",
        _summaries,
        "Hedges LV. J Educ Stat 1981;6:107-128. doi:10.3102/10769986006002107",
    ),
    _check(
        "balance and correlation",
        "Standardised differences of ages and shares, Spearman's and Pearson's correlation of six subjects: by hand, and by "
        "Python's own statistics module.",
        "Table 1 and the correlation of markers are read before any test.",
        _beside,
        "Austin PC. Stat Med 2009;28:3083-3107. doi:10.1002/sim.3697",
    ),
)
