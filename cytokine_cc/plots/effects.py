"""Pictures of estimates: volcano, forest, change by visit."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from ..errors import fraction
from ..results import Results
from .drawing import COLOURS, GREY, INK, MARKS, axes_for, height_of, legend, name_rows, one_comparison, plain, strip


def volcano(results: Results, *, alpha: float = 0.05, label: int | Sequence[str] = 20, ax: Axes | None = None) -> Axes:
    """Show estimates against p-values."""
    fraction("alpha", alpha)
    table = one_comparison(results, "volcano")
    ax = axes_for(ax, 5.2, 4.4)
    found = (table["p_adjusted"] <= alpha).to_numpy()
    x, y = table["estimate"].to_numpy(), table["p_value"].to_numpy()
    ax.plot(x[~found], y[~found], "o", color=GREY, fillstyle="none")
    ax.plot(x[found], y[found], "o", color=INK)
    ax.set_yscale("log")
    ax.invert_yaxis()
    ax.set_xlabel(plain(f"{table['estimand'].iloc[0]}, {table['contrast'].iloc[0]}"))
    ax.set_ylabel("p-value")
    strip(ax)
    return ax


def forest(results: Results, *, alpha: float = 0.05, sort: str | None = None, ax: Axes | None = None) -> Axes:
    """Show estimates with their intervals, one row an analyte."""
    fraction("alpha", alpha)
    table = one_comparison(results, "forest")
    ax = axes_for(ax, 6.5, height_of(len(table)))
    rows = name_rows(ax, table["analyte"].tolist())
    ax.hlines(rows, table["conf_low"], table["conf_high"], color=INK)
    ax.plot(table["estimate"], rows, "o", color=INK)
    ax.set_xlabel(plain(f"{table['estimand'].iloc[0]}, {table['contrast'].iloc[0]}"))
    strip(ax)
    return ax


def change(results: Results, *, alpha: float = 0.05, ax: Axes | None = None) -> Axes:
    """Show changes from baseline by group and visit."""
    fraction("alpha", alpha)
    table = results.table
    names = list(dict.fromkeys(table["analyte"]))
    ax = axes_for(ax, 6.5, height_of(len(names)))
    rows = dict(zip(names, name_rows(ax, names), strict=True))
    for role, shift in (("case", -0.15), ("control", 0.15)):
        part = table[table["contrast"].str.endswith(f" in {role}")]
        y = np.array([rows[name] + shift for name in part["analyte"]])
        ax.hlines(y, part["conf_low"], part["conf_high"], color=COLOURS[role])
        ax.plot(part["estimate"], y, MARKS[role], color=COLOURS[role], label=role)
    legend(ax)
    strip(ax)
    return ax
