"""The volcano picture: estimates against p-values, with the line where the adjusted p-value meets alpha."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..errors import fraction, one_of, texts, whole_number
from ..multiplicity import adjust_pvalues
from ..results import Results
from .drawing import GREY, axes_for, ink, needs_estimates, note_below, one_comparison, paper, short, strip
from .intervals import Scale, axis_text, contrast_text, legend_of_marks, p_name, scale_of, show_scale
from .placing import place_names

_NAME = 24  # letters of a line
_MOST_NAMED = 3  # rows not tested that a note names
_SINGLE_STEP = {"none": lambda alpha, n: alpha, "bonferroni": lambda alpha, n: alpha / n}
_SMALLEST = 1e-300  # p that an axis can show


def volcano_data(results: Results, *, alpha: float = 0.05) -> pd.DataFrame:
    """Return what `volcano` draws; `shown` says as what, `threshold` is the p-value of the line (NaN: none)."""
    fraction("alpha", alpha)
    table = one_comparison(results, "volcano")
    data = table[["analyte", "estimate", "p_value", "p_adjusted"]].reset_index(drop=True)
    data["significant"] = data["p_adjusted"] <= alpha
    kinds = [data["p_value"].isna(), data["estimate"].isna()]
    data["shown"] = np.select(kinds, ["not tested", "no estimate"], "point")
    data["threshold"], data["threshold_exact"] = _threshold(table, alpha)
    return data


def _threshold(table: pd.DataFrame, alpha: float) -> tuple[float, bool]:
    """Find the p-value up to which the next analyte would be significant too, the others as they are.

    That is exact where the rows are a whole family, and of part of one where each p is adjusted for itself. Else it lies between
    the points that are significant and those that are not; where one of the two is missing there is no line.
    """
    tested = table[table["p_value"].notna()]
    p, adjusted = tested["p_value"].to_numpy(), tested["p_adjusted"].to_numpy()
    found = adjusted <= alpha
    if not len(p):
        return np.nan, False
    method, sizes = str(tested["adjust"].iloc[0]), set(tested["n_tests"])
    if method in _SINGLE_STEP and len(sizes) == 1:
        return _SINGLE_STEP[method](alpha, int(sizes.pop())), True
    if sizes == {len(p)} and np.allclose(adjust_pvalues(p, method), adjusted, rtol=1e-9, atol=0):
        return _next_significant(p, found, method, alpha), True
    low, high = p[found].max(initial=0), p[~found].min(initial=2)
    return (float(np.sqrt(low) * np.sqrt(high)), False) if 0 < low < high <= 1 else (np.nan, False)


def _next_significant(p: np.ndarray, found: np.ndarray, method: str, alpha: float) -> float:
    """Halve the interval between the last that is significant and the next that is not."""
    p = p.copy()
    last = int(np.flatnonzero(~found)[p[~found].argmin()]) if not found.all() else int(p.argmax())
    low, high = float(p[found].max(initial=0)), float(p[last]) if not found.all() else 1.0
    for _ in range(200):
        p[last] = middle = (low + high) / 2
        if high - low <= 1e-12 * high:
            break
        low, high = (middle, high) if adjust_pvalues(p, method)[last] <= alpha else (low, middle)
    return low


def volcano(results: Results, *, alpha: float = 0.05, label: int | Iterable[str] = 20, ax: Axes | None = None) -> Axes:
    """Which analytes differ, by how much, and how surely?

    Parameters
    ----------
    results : Results
        Of one comparison: one contrast, visit and way of testing.
    alpha : float
        Bound for the adjusted p-value. It is chosen when a result is looked at: the results hold no alpha, not even the plan's.
    label : int or list of str
        How many significant analytes are named at most, smallest p first; or the analytes to be named. A name that finds no
        place beside its mark without covering something is left out, and counted below.
    ax : Axes, optional

    Returns
    -------
    Axes
        One mark an analyte: the estimate (a ratio on a log axis; on the raw scale a difference) and the p-value before
        adjustment, which grows smaller upwards. Filled: adjusted p <= `alpha`. Triangles at the edge: an estimate of 0 or
        infinity, or p = 0 (or below 1e-300). The dashed line is where the adjusted p-value meets `alpha`: the p-value up to
        which the next analyte would be significant too, the others as they are. Of part of a family (unless each p is
        adjusted for itself) it is dotted, and lies anywhere between the last significant mark and the next. Rows that were not
        tested are counted below.

    Raises
    ------
    OptionError
        Results of several comparisons, or of a test that gives p-values alone; an analyte in `label` that they do not hold.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.volcano(cc.compare_baseline(cc.load_study("quickstart")))
    >>> ax.get_ylabel()
    'p-value, not adjusted'
    """
    data = volcano_data(results, alpha=alpha)
    named = _named(data, label)
    table, own = one_comparison(results, "volcano"), ax is None
    needs_estimates(table, "volcano")
    scale = scale_of(table, intervals=False, symmetric=True)
    ax = axes_for(ax, 5.6, 4.8)
    show_scale(ax, scale)
    drawn = data[data["shown"] == "point"]
    edge = _p_axis(ax, drawn)
    x, y = scale.cut(drawn["estimate"]), np.maximum(drawn["p_value"].to_numpy(), edge)
    _volcano_points(ax, drawn, x, y, scale, edge)
    ax.set_xlabel(axis_text(ax, table, contrast_text(table, results.meta), intervals=False))
    ax.set_ylabel("p-value, not adjusted")
    strip(ax)
    legend_of_marks(ax, table, alpha, columns=2)
    _threshold_line(ax, data, _line_text(table, data, alpha), x, y)
    where = dict(zip(drawn["analyte"], zip(x, y, strict=True), strict=True))
    there = [name for name in named if name in where]
    # As if no name found a place: the room that the note takes is taken before names are placed.
    note = note_below(ax, _left_out(data, len(there)))
    unnamed = place_names(ax, _shortened(there), [where[name] for name in there], np.column_stack([x, y]), settle=own)
    if note is not None:
        note.remove()
    note_below(ax, _left_out(data, unnamed))
    return ax


def _line_text(table: pd.DataFrame, data: pd.DataFrame, alpha: float) -> str:
    """Say what the line is."""
    text = f"{p_name(table)} = {alpha:g}"
    if not data["threshold_exact"].iloc[0]:
        return f"{text}, between the marks"
    family = table["n_tests"].max()
    return text if table["adjust"].iloc[0] == "none" or family == table["p_value"].notna().sum() else f"{text}, {family} tests"


def _named(data: pd.DataFrame, label: Any) -> list[str]:
    """Return the analytes to be named."""
    if isinstance(label, Iterable):
        return [one_of("label", name, data["analyte"]) for name in texts("label", label)]
    count = whole_number("label", label, least=0)
    significant = data[data["significant"] & (data["shown"] == "point")]
    return significant.sort_values("p_value", kind="stable")["analyte"].head(count).tolist()


def _shortened(names: list[str]) -> list[str]:
    """Return names of two short lines; of longer ones, where the short ones would be alike."""
    found = [short(name, _NAME) for name in names]
    return found if len(set(found)) == len(found) else [short(name) for name in names]


def _p_axis(ax: Axes, data: pd.DataFrame) -> float:
    """Let p-values fall upwards on a log axis with decimal ticks; return the p-value of its upper edge."""
    some = [p for p in (*data["p_value"], *data["threshold"]) if p > 0]
    decades = -np.log10(min(some, default=0.1))
    edge = max(10 ** -min(max(1.4, decades) * 1.08, 305), _SMALLEST)
    ax.set_yscale("log")
    ax.set_ylim(10 ** (0.03 * min(max(1.4, decades), 300)), edge)
    step = max(1, int(np.ceil(decades / 8)))
    ticks = 10.0 ** -np.arange(0, int(np.floor(-np.log10(edge))) + 1, step)
    ax.yaxis.set_major_locator(FixedLocator(sorted([*ticks, 0.05] if step == 1 and decades < 4 else ticks)))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda p, _: f"{p:g}" if p >= 0.001 else f"1e{np.log10(p):.0f}"))
    ax.yaxis.set_minor_locator(NullLocator())
    return float(edge)


def _volcano_points(ax: Axes, drawn: pd.DataFrame, x: np.ndarray, y: np.ndarray, scale: Scale, edge: float) -> None:
    """Draw the marks; triangles where an estimate or p-value lies beyond the axis."""
    found, estimate = drawn["significant"].to_numpy(), drawn["estimate"].to_numpy()
    marks = np.select([estimate < scale.low, estimate > scale.high, drawn["p_value"] < edge], ["<", ">", "^"], "o")
    for mark in "o<>^":
        for rows, colour, filled in ((~found, ink(ax, GREY), False), (found, ink(ax), True)):
            rows = rows & (marks == mark)
            if rows.any():
                face = colour if filled else paper(ax)
                ax.plot(x[rows], y[rows], mark, ms=5, color=colour, mfc=face, clip_on=mark == "o", zorder=2 + filled)


def _threshold_line(ax: Axes, data: pd.DataFrame, text: str, x: np.ndarray, y: np.ndarray) -> None:
    """Draw the adjusted threshold, its label at the emptier end."""
    p, exact = float(data["threshold"].iloc[0]), bool(data["threshold_exact"].iloc[0])
    if np.isnan(p):
        return
    ax.axhline(p, color=ink(ax), lw=0.9, ls=(0, (5, 3)) if exact else (0, (1, 2)), zorder=1)
    to_axes = ax.transData + ax.transAxes.inverted()
    spots = to_axes.transform(np.column_stack([x, y])) if len(x) else np.empty((0, 2))
    height = to_axes.transform((ax.get_xlim()[1], p))[1]
    near = spots[np.abs(spots[:, 1] - height - 0.03) < 0.05, 0]
    right = (near > 0.6).sum() <= (near < 0.4).sum()
    box = {"facecolor": paper(ax), "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
    place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points", "ha": "right" if right else "left", "va": "bottom"}
    at = (1 if right else 0, p)
    ax.annotate(text, at, xycoords=ax.get_yaxis_transform(), fontsize="small", zorder=1.5, bbox=box, **place)


def _left_out(data: pd.DataFrame, unnamed: int) -> str:
    """Say which rows have no mark, by name if they are few, else how many; and how many names found no place."""
    parts = []
    for kind in ("not tested", "no estimate"):
        names = data.loc[data["shown"] == kind, "analyte"].tolist()
        if names:
            few = len(names) <= _MOST_NAMED and max(map(len, names)) <= 20
            parts.append(f"{kind}: {', '.join(names)}" if few else f"{len(names):,} {kind}")
    return "; ".join(parts + ([f"no room for {unnamed:,} name{'' if unnamed == 1 else 's'}"] if unnamed else []))
