"""Pictures of evidence: the p-values of a study, the error rates of a plan."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import OptionError, one_of
from ..results import Results
from .drawing import INK, axes_for, height_of, name_rows, strip


def p_values(results: Results, *, kind: str = "histogram", conf_level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Show whether the p-values look like those of no effect."""
    one_of("kind", kind, ("histogram", "qq"))
    p = np.sort(results.table["p_value"].dropna().to_numpy())
    ax = axes_for(ax, 4.6, 3.6)
    if kind == "histogram":
        ax.hist(p, bins=np.linspace(0, 1, 21), color=INK)
        ax.set_xlabel("p-value")
    else:
        ax.plot(-np.log10(np.arange(1, len(p) + 1) / (len(p) + 1)), -np.log10(p), "o", color=INK)
    strip(ax)
    return ax


def error_rates(
    rates: Any, *, measure: str = "size", effects: pd.Series | None = None, alpha: float | None = None, ax: Axes | None = None
) -> Axes:
    """Show how often a plan errs, or finds what is there."""
    one_of("measure", measure, ("size", "power"))
    if measure == "power" and effects is None:
        raise OptionError("`effects` must be given for measure='power': effects=scenario.effects.")
    table = rates.table[rates.table["measure"] == measure]
    ax = axes_for(ax, 6, height_of(len(table)))
    ax.plot(table["estimate"], name_rows(ax, table["contrast"].tolist()), "o", color=INK)
    strip(ax)
    return ax
