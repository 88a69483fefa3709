"""Levels as they were measured: distributions by group, lines by subject; what lies beyond a limit stays a bound."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import OptionError, one_of, quoted
from ..labels import as_label, as_tuple
from ..limits import back_transform
from ..panel import State
from ..study import Study
from ..summaries import QUARTILES, descriptives
from .drawing import (
    ABOVE_MARK,
    BELOW_MARK,
    COLOURS,
    MARKS,
    axes_for,
    height_of,
    name_rows,
    plain,
    ratio_axis,
    short,
    strip,
)
from .shares import detection, detection_data

__all__ = ["detection", "detection_data", "distributions", "distributions_data", "paired_lines", "paired_lines_data"]

SCALES = ("log", "linear")
_KINDS = {State.MEASURED: "measured", State.EXTRAPOLATED: "extrapolated", State.BELOW: "below", State.ABOVE: "above"}
_KINDS[State.MISSING] = "missing"
_DODGE, _JITTER, _BOX = 0.21, 0.11, 0.15  # of a row: a group from its middle, points and the box from the group's


def distributions_data(study: Study, analytes: Iterable[str] | None = None, *, visit: Any = None) -> pd.DataFrame:
    """Return what `distributions` draws: every value of the visit, and the quartiles of `descriptives`."""
    study = _of(study, "distributions", analytes)
    label = study.baseline if visit is None else one_of("visit", as_label(visit), (study.baseline, *study.visits))
    visits = study.baseline_visits if label == study.baseline else (label,)
    table = descriptives(study)
    table = table[table["visit"] == label]
    quartiles = table.melt(["analyte", "unit", "visit", "group"], list(QUARTILES), "kind", "value")
    quartiles = quartiles.assign(subject="", limit="")
    return _in_order(study, pd.concat([_points(study, visits), quartiles], ignore_index=True))


def distributions(
    study: Study, analytes: Iterable[str] | None = None, *, visit: Any = None, scale: str = "log", ax: Axes | None = None
) -> Axes:
    """How are the levels of each analyte distributed in cases and controls?"""
    one_of("scale", scale, SCALES)
    data = distributions_data(study, analytes, visit=visit)
    names = data["analyte"].unique()
    ax = axes_for(ax, 7, height_of(len(names), row=0.3))
    for kind, group, part in _parts(data):
        row = pd.Index(names).get_indexer(part["analyte"]) + (_DODGE if group == "control" else -_DODGE)
        _scatter(ax, part["value"], row + _spread(part) * _JITTER, kind, group)
    name_rows(ax, names)
    _scale(ax, "x", scale, data)
    ax.set_xlabel(_unit(data))
    strip(ax)
    return ax


def paired_lines_data(study: Study, analyte: str, *, visits: Any = None) -> pd.DataFrame:
    """Return what `paired_lines` draws: the values of one analyte by subject and visit, and the medians."""
    study = _of(study, "paired_lines", [analyte])
    known = (*study.baseline_visits, *study.visits)
    chosen = known if visits is None else tuple(one_of("visits", label, known) for label in as_tuple(visits))
    table = descriptives(study)
    table = table[
        table["visit"].isin(chosen) | ((table["visit"] == study.baseline) & set(chosen).issuperset(study.baseline_visits))
    ]
    medians = table.melt(["analyte", "unit", "visit", "group"], ["median"], "kind", "value").assign(subject="", limit="")
    return _in_order(study, pd.concat([_points(study, chosen), medians], ignore_index=True))


def paired_lines(study: Study, analyte: str, *, visits: Any = None, scale: str = "log", ax: Axes | None = None) -> Axes:
    """How did the level of an analyte go from visit to visit in each subject?"""
    one_of("scale", scale, SCALES)
    data = paired_lines_data(study, analyte, visits=visits)
    points = data[data["subject"] != ""]
    order = [label for label in (*study.baseline_visits, *study.visits) if label in set(points["visit"])]
    ax = axes_for(ax, 7, 4)
    place = {(group, label): i + (len(order) + 0.5) * (group == "control") for group in COLOURS for i, label in enumerate(order)}
    for kind, group, part in _parts(data):
        _scatter(ax, [place[group, label] for label in part["visit"]], part["value"], kind, group)
    for (group, _), part in points.dropna(subset="value").groupby(["group", "subject"]):
        ax.plot([place[group, label] for label in part["visit"]], part["value"], color=COLOURS[group], lw=0.6)
    ax.set_xticks(list(place.values()), [short(label) for _, label in place])
    _scale(ax, "y", scale, data)
    ax.set_ylabel(_unit(data))
    strip(ax)
    return ax


def _of(study: Any, function: str, analytes: Iterable[str] | None) -> Study:
    if not isinstance(study, Study):
        raise OptionError(f"{function}() takes a Study; got {type(study).__name__}.")
    if analytes is None:
        return study
    names = [analytes] if isinstance(analytes, str) else list(analytes)
    return study.select(analytes=[one_of("analytes", name, study.analytes) for name in names])


def _points(study: Study, visits: Sequence[str]) -> pd.DataFrame:
    """Return every cell of some visits, in the unit: numbers as reported, what is beyond a limit at that limit."""
    arrays = study.arrays
    at = [(*study.baseline_visits, *study.visits).index(label) for label in visits]
    value, state, lower, upper, low, high = (
        array[at]
        for array in (arrays.value, arrays.state, arrays.lower, arrays.upper, arrays.fallback_lower, arrays.fallback_upper)
    )
    below, above = state == State.BELOW, state == State.ABOVE
    stated = np.where(below, lower, upper)
    limit = np.where(np.isnan(stated), np.where(below, low, high), stated)
    place = back_transform(np.where(below | above, limit, value), arrays.logged or "raw")
    source = np.select(
        [~(below | above), ~np.isnan(stated), np.isnan(limit), below],
        ["", "stated", "not known", "lowest measured"],
        "highest measured",
    )
    v, a, s = np.nonzero(np.broadcast_to((study.sample_at[at] >= 0)[:, None, :], state.shape))
    return pd.DataFrame(
        {
            "analyte": study.analytes.to_numpy(dtype=object)[a],
            "unit": study.panel.analytes["unit"].to_numpy(dtype=object)[a],
            "visit": np.array(visits, dtype=object)[v],
            "group": study.subjects["role"].to_numpy(dtype=object)[s],
            "subject": study.subjects.index.to_numpy(dtype=object)[s],
            "kind": np.array(list(_KINDS.values()), dtype=object)[state[v, a, s]],
            "value": place[v, a, s],
            "limit": source[v, a, s],
        }
    )


def _in_order(study: Study, data: pd.DataFrame) -> pd.DataFrame:
    row = study.analytes.get_indexer(data["analyte"])
    return data.iloc[np.lexsort((np.arange(len(data)), data["group"], row))].reset_index(drop=True)


def _parts(data: pd.DataFrame):
    for kind in ("measured", "extrapolated", "below", "above"):
        for group in COLOURS:
            part = data[(data["kind"] == kind) & (data["group"] == group)].dropna(subset="value")
            if len(part):
                yield kind, group, part


def _spread(part: pd.DataFrame) -> np.ndarray:
    """Return places between -1 and 1 that set neighbours apart: van der Corput's sequence by rank within a row."""
    rank = part.groupby("analyte", sort=False)["value"].rank(method="first").to_numpy(dtype=np.int64)
    out, base = np.zeros(len(rank)), 0.5
    while rank.any():
        out += base * (rank % 2)
        rank, base = rank // 2, base / 2
    return 2 * out - 1


def _scatter(ax: Axes, x: Any, y: Any, kind: str, group: str) -> None:
    mark = {"below": BELOW_MARK, "above": ABOVE_MARK}.get(kind, MARKS[group])
    face = COLOURS[group] if kind == "measured" else "none"
    ax.scatter(x, y, s=10, marker=mark, facecolors=face, edgecolors=COLOURS[group], linewidths=0.6, label=f"_{group} {kind}")


def _scale(ax: Axes, axis: str, scale: str, data: pd.DataFrame) -> None:
    place = data["value"].dropna()
    if scale == "log":
        bad = data["analyte"][data["value"] <= 0].unique()
        if len(bad):
            raise OptionError(
                f"`scale` is 'log', and values of 0 or less have no logarithm: {quoted(bad)}. Draw with scale='linear', or, "
                "where 0 means below the limit, read the panel with codes={'0': 'below'}."
            )
        ends = (place.min() / 1.15, place.max() * 1.15) if len(place) else (1, 10)
        {"x": ax.set_xlim, "y": ax.set_ylim}[axis](*ends)
        ratio_axis({"x": ax.xaxis, "y": ax.yaxis}[axis])


def _unit(data: pd.DataFrame) -> str:
    units = data["unit"].unique()
    return plain(units[0]) if len(units) == 1 and units[0] else "level"
