"""The volcano picture: estimates against p-values, with the line where the adjusted p-value meets alpha."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from ..errors import fraction, one_of, texts, whole_number
from ..multiplicity import adjust_pvalues
from ..results import Results
from .drawing import GREY, INK, axes_for, note_below, one_comparison, short, strip
from .intervals import Scale, axis_text, contrast_text, legend_above, p_name, scale_of, show_scale

_PAPER = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 0.5}
_MOST_NAMED = 3  # rows not tested that a note names
_MOST_NEAR = 50  # marks that names keep away from, beside their own


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

    That is exact where the rows are a whole family. Of part of a family it lies between the points that are significant and
    those that are not; where one of the two is missing there is no line.
    """
    tested = table[table["p_value"].notna()]
    p, adjusted = tested["p_value"].to_numpy(), tested["p_adjusted"].to_numpy()
    found = adjusted <= alpha
    if not len(p):
        return np.nan, False
    method = tested["adjust"].iloc[0]
    if tested["adjust"].nunique() == 1 and np.allclose(adjust_pvalues(p, method), adjusted, rtol=1e-9, atol=0):
        return _next_significant(p, found, method, alpha), True
    low, high = p[found].max(initial=0), p[~found].min(initial=2)
    return (float(np.sqrt(low * high)), False) if 0 < low < high <= 1 else (np.nan, False)


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
        Bound for the adjusted p-value.
    label : int or list of str
        How many significant analytes are named at most, smallest p first; or the analytes to be named.
    ax : Axes, optional

    Returns
    -------
    Axes
        One mark an analyte: the estimate (a ratio on a log axis; on the raw scale a difference) and the p-value before
        adjustment, which grows smaller upwards. Filled: adjusted p <= `alpha`. Triangles at the edge: an estimate of 0 or
        infinity, or p = 0. The dashed line is where the adjusted p-value meets `alpha`: the p-value up to which the next analyte
        would be significant too, the others as they are. Of part of a family it is dotted, and lies anywhere between the last
        significant mark and the next. Rows that were not tested are counted below.

    Raises
    ------
    OptionError
        Results of several comparisons; an analyte in `label` that they do not hold.

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
    table = one_comparison(results, "volcano")
    scale = scale_of(table, intervals=False, symmetric=True)
    ax = axes_for(ax, 5.6, 4.8)
    show_scale(ax, scale)
    drawn = data[data["shown"] == "point"]
    edge = _p_axis(ax, drawn)
    x, y = scale.cut(drawn["estimate"]), np.maximum(drawn["p_value"].to_numpy(), edge)
    _volcano_points(ax, drawn, x, y, scale, edge)
    ax.set_xlabel(axis_text(table, contrast_text(table), intervals=False))
    ax.set_ylabel("p-value, not adjusted")
    strip(ax)
    legend_above(ax, table, alpha, columns=2)
    obstacles = _threshold_line(ax, data, f"{p_name(table)} = {alpha:g}", x, y)
    note_below(ax, _left_out(data))
    at = {name: (x[i], y[i]) for i, name in enumerate(drawn["analyte"])}
    _names(ax, {name: at[name] for name in named if name in at}, np.column_stack([x, y]), obstacles)
    return ax


def _named(data: pd.DataFrame, label: Any) -> list[str]:
    """Return the analytes to be named."""
    if isinstance(label, Iterable):
        return [one_of("label", name, data["analyte"]) for name in texts("label", label)]
    count = whole_number("label", label, least=0)
    significant = data[data["significant"] & (data["shown"] == "point")]
    return significant.sort_values("p_value", kind="stable")["analyte"].head(count).tolist()


def _p_axis(ax: Axes, data: pd.DataFrame) -> float:
    """Let p-values fall upwards on a log axis with decimal ticks; return the p-value of its upper edge."""
    some = [p for p in (*data["p_value"], *data["threshold"]) if p > 0]
    decades = -np.log10(min(some, default=0.1))
    edge = 10 ** -(max(1.4, decades) * 1.08)
    ax.set_yscale("log")
    ax.set_ylim(10 ** (0.03 * max(1.4, decades)), edge)
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
        for rows, colour, face in ((~found, GREY, "white"), (found, INK, INK)):
            rows = rows & (marks == mark)
            if rows.any():
                ax.plot(x[rows], y[rows], mark, ms=5, color=colour, mfc=face, clip_on=mark == "o", zorder=2 + face.count(INK))


def _threshold_line(ax: Axes, data: pd.DataFrame, text: str, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Draw the adjusted threshold, its label at the emptier end; return places that names should avoid."""
    p, exact = float(data["threshold"].iloc[0]), bool(data["threshold_exact"].iloc[0])
    if np.isnan(p):
        return np.empty((0, 2))
    ax.axhline(p, color=INK, lw=0.9, ls=(0, (5, 3)) if exact else (0, (1, 2)), zorder=1)
    to_axes = ax.transData + ax.transAxes.inverted()
    spots = to_axes.transform(np.column_stack([x, y])) if len(x) else np.empty((0, 2))
    height = to_axes.transform((ax.get_xlim()[1], p))[1]
    near = spots[np.abs(spots[:, 1] - height - 0.03) < 0.05, 0]
    right = (near > 0.6).sum() <= (near < 0.4).sum()
    text = text if exact else f"{text}, between the marks"
    place: dict[str, Any] = {"xytext": (0, 2), "textcoords": "offset points", "ha": "right" if right else "left", "va": "bottom"}
    ax.annotate(
        text, (1 if right else 0, p), xycoords=ax.get_yaxis_transform(), fontsize="small", zorder=1.5, bbox=_PAPER, **place
    )
    across = np.linspace(0.62, 0.99, 9) if right else np.linspace(0.01, 0.38, 9)
    return to_axes.inverted().transform(np.column_stack([across, np.full(9, height + 0.025)]))


def _names(ax: Axes, at: dict[str, tuple[float, float]], marks: np.ndarray, obstacles: np.ndarray) -> None:
    """Write names beside their marks, moved apart until none overlaps; always in the same way."""
    if not at:
        return
    from adjustText import adjust_text

    written = [ax.text(x, y, short(name, 20), fontsize="small", color=INK, zorder=5) for name, (x, y) in at.items()]
    x, y = np.vstack([_in_the_way(ax, np.array(list(at.values())), marks), obstacles]).T
    line = {"arrowstyle": "-", "color": GREY, "lw": 0.6, "shrinkB": 2}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is wider than the axes
        adjust_text(written, x, y, ax=ax, iter_lim=120, expand=(1.1, 1.35), force_text=(0.2, 0.4), arrowprops=line)


def _in_the_way(ax: Axes, named: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return the places that names should not touch: the rims of their own marks, and the marks nearest to them."""
    point = ax.figure.dpi / 72
    rim = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)]) * 4 * point
    own, others = ax.transData.transform(named), ax.transData.transform(marks)
    distance = np.abs(others[:, None, :] - own).max(axis=-1).min(axis=-1)
    near = np.argsort(distance, kind="stable")[: len(own) + _MOST_NEAR]
    spots = np.vstack([(own[:, None, :] + rim).reshape(-1, 2), others[near[distance[near] < 90 * point]]])
    return ax.transData.inverted().transform(spots)


def _left_out(data: pd.DataFrame) -> str:
    """Say which rows have no mark: their names if they are few, else how many."""
    parts = []
    for kind in ("not tested", "no estimate"):
        names = data.loc[data["shown"] == kind, "analyte"].tolist()
        if names:
            few = len(names) <= _MOST_NAMED and max(map(len, names)) <= 20
            parts.append(f"{kind}: {', '.join(names)}" if few else f"{len(names):,} {kind}")
    return "; ".join(parts)
