"""Single values in a picture: where each stands, with which mark, and what the axis says about those that stand nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.lines import Line2D

from ..errors import OptionError, one_of, quoted
from ..limits import back_transform, beyond_limits
from ..panel import State
from ..study import Study
from .drawing import ABOVE_MARK, BELOW_MARK, COLOURS, GREY, MARKS, plain, ratio_axis, short

# Kinds of values that are drawn -> how the legend calls them.
KINDS = {
    "measured": "",
    "flagged": "flagged, or a well beyond a limit",
    "under": "number below its limit",
    "below": "below its limit, no number",
    "over": "number above its limit",
    "above": "above its limit, no number",
}
BELOW = ("below", "under")  # what descriptives counts as below
OPEN = ("below", "above")  # what is known by a bound only
_KIND_OF = {State.MEASURED: "measured", State.EXTRAPOLATED: "flagged", State.BELOW: "below", State.ABOVE: "above"}
_SIZES = {"measured": 9, "flagged": 6, "below": 11, "above": 11, "under": 9, "over": 9}
_SHAPES = {"below": BELOW_MARK, "under": BELOW_MARK, "above": ABOVE_MARK, "over": ABOVE_MARK}
_FILLED = ("measured", "under", "over")  # a number that is known


def of_study(study: Any, function: str, argument: str, analytes: Sequence[str] | None) -> Study:
    """Return the study, or that part of it which holds some analytes."""
    if not isinstance(study, Study):
        raise OptionError(f"{function}() takes a Study; got {type(study).__name__}.")
    if analytes is None:
        return study
    return study.select(analytes=[one_of(argument, name, study.analytes) for name in analytes])


def level_points(study: Study, visits: Sequence[str]) -> pd.DataFrame:
    """Return every cell of some visits: a number in the unit as reported, or the limit of a value that has none.

    Columns analyte, unit, visit, group, subject, kind, value, limit; see `distributions_data`. By analyte, visit, subject.
    """
    arrays = study.arrays
    at = [(*study.baseline_visits, *study.visits).index(label) for label in visits]
    names = ("value", "state", "lower", "upper", "fallback_lower", "fallback_upper")
    value, state, lower, upper, lowest, highest = (getattr(arrays, name)[at] for name in names)
    below, above = state == State.BELOW, state == State.ABOVE
    beyond, stated = below | above, np.where(below, lower, upper)
    limit = np.where(np.isnan(stated), np.where(below, lowest, highest), stated)
    place = back_transform(np.where(beyond, limit, value), arrays.logged or "raw")
    stood_in = np.where(below, "lowest measured", "highest measured")
    kind = np.select([state == known for known in _KIND_OF], list(_KIND_OF.values()), "missing").astype(object)
    under, over = beyond_limits(value, state, lower, upper)
    kind[under & ~below], kind[over & ~above] = "under", "over"
    which = np.select([~beyond, ~np.isnan(stated), np.isnan(limit)], ["", "stated", "not known"], stood_in).astype(object)
    there = np.broadcast_to((study.sample_at[at] >= 0)[:, None, :], state.shape)
    a, v, s = np.nonzero(np.swapaxes(there, 0, 1))
    return pd.DataFrame(
        {
            "analyte": study.analytes.to_numpy(dtype=object)[a],
            "unit": study.panel.analytes["unit"].to_numpy(dtype=object)[a],
            "visit": np.array(visits, dtype=object)[v],
            "group": study.subjects["role"].to_numpy(dtype=object)[s],
            "subject": study.subjects.index.to_numpy(dtype=object)[s],
            "kind": kind[v, a, s],
            "value": place[v, a, s],
            "limit": which[v, a, s],
        }
    )


def spread(part: pd.DataFrame) -> np.ndarray:
    """Return a place between -1 and 1 for each value, neighbours apart: van der Corput's sequence by rank within the analyte."""
    rank = part.groupby("analyte", sort=False)["value"].rank(method="first").to_numpy(dtype=np.int64)
    place, digit = np.zeros(len(rank)), 0.5
    while rank.any():
        place += digit * (rank % 2)
        rank, digit = rank // 2, digit / 2
    return 2 * place - 1


def mark_levels(ax: Axes, x: Any, y: Any, kind: str, group: str) -> None:
    """Draw values of one kind and group."""
    colour, filled = COLOURS[group], kind in _FILLED
    style: dict[str, Any] = {"s": _SIZES[kind], "marker": _SHAPES.get(kind, MARKS[group]), "edgecolors": colour, "zorder": 2}
    style |= {"facecolors": colour, "linewidths": 0, "alpha": 0.7} if filled else {"facecolors": "none", "linewidths": 0.7}
    ax.scatter(x, y, label=f"_{group} {kind}", **style)


def mark_handles(study: Study, data: pd.DataFrame) -> dict[str, Line2D]:
    """Return the legend of the marks that are there: the groups with their sizes first."""
    labels = {"case": study.design.case, "control": study.design.control}
    sizes = {"case": study.n_case, "control": study.n_control}
    handles = {}
    for group, name in labels.items():
        mark = Line2D([], [], ls="", marker=MARKS[group], color=COLOURS[group], ms=4)
        handles[f"{short(name)} (n = {sizes[group]})"] = mark
    drawn = set(data["kind"][data["value"].notna()])
    for kind, text in KINDS.items():
        if text and kind in drawn:
            face = GREY if kind in _FILLED else "none"
            handles[text] = Line2D([], [], ls="", marker=_SHAPES.get(kind, MARKS["case"]), mfc=face, mec=GREY, mew=0.7, ms=4)
    return handles


def level_axis(axis: Axis, scale: str, data: pd.DataFrame) -> None:
    """Give the axis of levels its limits and scale; refuse levels without a logarithm."""
    place = data["value"].dropna()
    set_limits: Any = axis.axes.set_xlim if axis.axis_name == "x" else axis.axes.set_ylim  # type: ignore[attr-defined]
    low, high = (place.min(), place.max()) if len(place) else (1.0, 10.0)
    if scale == "linear":
        margin = 0.04 * (high - low) or 1.0
        set_limits(low - margin, high + margin)
        return
    bad = data["analyte"][data["value"] <= 0].unique()
    if len(bad):
        raise OptionError(
            f"`scale` is 'log', and levels or limits of 0 or less have no logarithm: {quoted(bad)}. Draw with scale='linear', "
            "leave them out, or, where 0 means below the limit, read the panel with codes={'0': 'below'}."
        )
    margin = max((high / low) ** 0.04, 1.1 if high > 1.5 * low else 1.5)
    set_limits(low / margin, high * margin)
    ratio_axis(axis)


def unit_text(data: pd.DataFrame) -> tuple[str, dict[str, str]]:
    """Return the unit for the axis, and for each analyte its own where it differs from that (else empty)."""
    units = data.drop_duplicates("analyte").set_index("analyte")["unit"]
    usual = units.mode()[0] if (units != "").any() else ""
    if not usual:
        return "unit not stated", dict.fromkeys(units.index, "")
    own = units.where(units != usual, "").mask(units == "", "unit not stated").to_dict()
    return plain(usual) + (" unless named" if (units != usual).any() else ""), own


def note_on(data: pd.DataFrame, first: Sequence[str] = ()) -> str:
    """Return what a reader must know beside the marks: limits that are not stated, what is missing."""
    points = data[data["subject"] != ""]
    counts = points["limit"].value_counts()
    parts = list(first)
    for which in ("lowest measured", "highest measured"):
        if n := counts.get(which, 0):
            parts.append(f"limit not stated for {_values(n)}, shown at the {which} one")
    if n := counts.get("not known", 0):
        parts.append(f"{_values(n)} beyond a limit that is not known, not shown")
    if n := int((points["kind"] == "missing").sum()):
        parts.append(f"{n:,} of {_values(len(points))} missing")
    return "; ".join(parts)


def _values(n: int) -> str:
    return f"{n:,} value{'' if n == 1 else 's'}"
