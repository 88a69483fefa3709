"""Levels as they were measured: distributions by group, lines by subject. What lies beyond a limit is shown as a bound."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from ..errors import OptionError, one_of, texts
from ..labels import as_label, as_tuple
from ..study import Study
from ..summaries import QUARTILES, descriptives
from .drawing import (
    COLOURS,
    FAINT,
    GREY,
    axes_for,
    group_ink,
    height_of,
    ink,
    letters_along,
    make_room,
    name_rows,
    name_visits,
    note_below,
    row_font,
    rows_height,
    strip,
    text_scale,
    visits_text,
    wrapped,
)
from .legends import legend_above
from .points import BELOW, KINDS, OPEN, level_axis, level_points, mark_handles, mark_levels, note_on, of_study, spread, unit_text

_DODGE, _JITTER, _BOX = 0.23, 0.13, 0.17  # of a row: a group from its middle; points and box from the group's middle
_LINES_HEIGHT = 2.2  # inches at least
_TIES = 0.16  # of the way between two visits, which equal values share


def distributions_data(study: Study, analytes: Iterable[str] | None = None, *, visit: Any = None) -> pd.DataFrame:
    """Return what `distributions` draws: every value of one visit, and the quartiles of `descriptives`.

    Columns analyte, unit, visit, group, subject (empty for quartiles), kind ("measured"; "below", "above": no number; "under",
    "over": a number beyond a limit that is known; "flagged": a number that the file flags, or the mean of wells of which some
    were beyond a limit; "missing"; "q1", "median", "q3"), value (in the unit; of "below" and "above" the limit) and limit (of
    these: "stated", "lowest measured", "highest measured", "not known"; else empty).
    """
    study = of_study(study, "distributions", "analytes", None if analytes is None else texts("analytes", analytes))
    label = study.baseline if visit is None else one_of("visit", as_label(visit), (study.baseline, *study.visits))
    visits = study.baseline_visits if label == study.baseline else (label,)
    return _with_summaries(study, visits, list(QUARTILES), (label,))


def distributions(
    study: Study, analytes: Iterable[str] | None = None, *, visit: Any = None, scale: str = "log", ax: Axes | None = None
) -> Axes:
    """How are the levels of each analyte distributed in cases and in controls?

    One row an analyte, cases above controls. A filled mark is a number, an open one not quite. Round or a diamond: within the
    limits, or small and open, flagged by the instrument or the mean of wells of which some were beyond a limit. A triangle that
    points down: below the limit; filled, a number under a limit that is known, drawn as reported; open, no number, drawn at its
    limit. Triangles that point up: above a limit likewise. Where the limit is not stated, an open triangle stands at the lowest
    (highest) value measured on that plate, as a plan would take it, and a note under the axis says so. At the right, how many
    are below their limit, with a number or without, as `descriptives` counts. Boxes are the quartiles of `descriptives`, by
    Kaplan-Meier where values lie beyond a limit; where a quartile lies among these, the box is dashed and open on that side.

    Parameters
    ----------
    study : Study
        Of its subjects the usable ones are shown.
    analytes : list of str, optional
        In the order wanted, from top to bottom. None: all, in panel order.
    visit : label, optional
        None: the baseline. Of a baseline of several visits each sample is a point, and the boxes are of the subjects' means.
    scale : {"log", "linear"}
        Of the axis. Where the file holds logarithms, the levels are in the unit again.
    ax : Axes, optional
        Where to draw. None: a new figure that fits.

    Returns
    -------
    Axes

    Raises
    ------
    OptionError
        An analyte or visit that is not in the study, or levels of 0 or less on a log axis.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc.plots import distributions
    >>> ax = distributions(cc.load_study("quickstart"), ["IL-6", "TNF-a"])
    >>> ax.get_xlabel(), [name.get_text() for name in ax.get_yticklabels()]
    ('level at baseline, pg/mL', ['IL-6', 'TNF-a'])
    """
    one_of("scale", scale, ("log", "linear"))
    data = distributions_data(study, analytes, visit=visit)
    names = data["analyte"].unique()
    own, row_height = ax is None, 0.36 if len(names) <= 20 else 0.25
    ax = axes_for(ax, 7, height_of(len(names), margin=1.3, row=row_height))
    unit, units = unit_text(data)
    name_rows(ax, [f"{name} ({units[name]})" if units[name] else name for name in names])
    level_axis(ax.xaxis, scale, data)
    ax.grid(axis="x", color=ink(ax, FAINT), lw=0.4)
    ax.set_axisbelow(True)
    ax.hlines(np.arange(1, len(names)) - 0.5, 0, 1, transform=ax.get_yaxis_transform(), color=ink(ax, FAINT), lw=0.5, zorder=0)
    size = row_font(ax, 2 * len(names), "x-small")
    for group, part in data.groupby("group"):
        row = pd.Index(names).get_indexer(part["analyte"]) + (_DODGE if group == "control" else -_DODGE)
        _boxes(ax, part, row, group)
        for kind, flags in _kinds(part):
            mark_levels(ax, part["value"][flags], row[flags] + spread(part[flags]) * _JITTER, kind, group)
        _say_empty(ax, part, row, size)
        _count_below(ax, part, row, group, size)
    visits = data["visit"][data["subject"] != ""].unique()
    several = ["each visit's sample is a mark; boxes: means of the visits by subject"] if len(visits) > 1 else []
    counted = ["right of each row: how many are below their limit"] if data["kind"].isin(BELOW).any() else []
    ax.set_xlabel(wrapped(ax, f"level at {visits_text(visits, study.baseline_visits)}, {unit}"))
    note_below(ax, note_on(data, counted + several))
    handles = mark_handles(study, data)
    handles["median, quartiles"] = Line2D([], [], color=ink(ax), lw=1.6, marker="s", ms=7, mfc="none", mew=0.6)
    if data["value"][data["kind"].isin(QUARTILES)].isna().any():
        handles["quartile beyond a limit"] = Line2D([], [], color=ink(ax), lw=0.8, ls=(0, (2, 1.5)))
    legend_above(ax, handles, side="right")
    strip(ax)
    if own:
        make_room(ax, rows_height(len(names), row_height))
    return ax


def paired_lines_data(study: Study, analyte: str, *, visits: Any = None) -> pd.DataFrame:
    """Return what `paired_lines` draws: one analyte by subject and visit, and the medians of `descriptives`.

    Columns as those of `distributions_data`; kind is also "median", whose visit is "1+2" for a baseline of several visits.
    """
    if not isinstance(analyte, str):
        raise OptionError(f"`analyte` must be the name of one analyte; got {analyte!r}.")
    study = of_study(study, "paired_lines", "analyte", (analyte,))
    known = (*study.baseline_visits, *study.visits)
    wanted = known if visits is None else tuple(one_of("visits", label, known) for label in as_tuple(visits))
    if not wanted:
        raise OptionError("`visits` names nothing; leave it out to show all.")
    shown = tuple(label for label in known if label in wanted)
    of = (study.baseline, *shown) if set(study.baseline_visits) <= set(shown) else shown
    return _with_summaries(study, shown, ["median"], of)


def paired_lines(study: Study, analyte: str, *, visits: Any = None, scale: str = "log", ax: Axes | None = None) -> Axes:
    """How did the level of an analyte go from visit to visit in each subject?

    Lines join the visits of one subject. Matched subjects are not joined: sets are no part of this picture.

    Cases on the left, controls on the right; a thin line is a subject, through the visits that it has, and a subject with one
    visit is a mark alone. Marks are those of `distributions`. A line is dashed where one of its ends lies beyond a limit: its
    slope is not known. The thick line is the median of `descriptives`, left out where it lies among values beyond a limit; of a
    baseline of several visits it is the median of the subjects' means, drawn level over these visits.

    Parameters
    ----------
    study : Study
        Of its subjects the usable ones are shown.
    analyte : str
    visits : list of labels, optional
        None: those of the baseline, then the later ones.
    scale : {"log", "linear"}
        Of the axis of levels.
    ax : Axes, optional
        Where to draw. None: a new figure that fits.

    Returns
    -------
    Axes

    Raises
    ------
    OptionError
        An analyte or visit that is not in the study, or levels of 0 or less on a log axis.

    Notes
    -----
    Equal values of a group at a visit are set a little apart sideways, so that each is seen.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc.plots import paired_lines
    >>> ax = paired_lines(cc.load_study("quickstart"), "IL-6")
    >>> ax.get_ylabel(), [label.get_text() for label in ax.get_xticklabels()]
    ('IL-6, pg/mL', ['baseline', 'month6', 'baseline', 'month6'])
    """
    one_of("scale", scale, ("log", "linear"))
    data = paired_lines_data(study, analyte, visits=visits)
    shown = [label for label in (*study.baseline_visits, *study.visits) if label in set(data["visit"])]
    n = len(shown)
    own = ax is None
    ax = axes_for(ax, min(max(5.0, 2 + 1.5 * n), 10), 4)
    level_axis(ax.yaxis, scale, data)
    handles = mark_handles(study, data)
    titles = _titles(ax, list(handles)[:2])
    for half, (group, title) in enumerate(zip(COLOURS, titles, strict=True)):
        place = {label: i + half * (n + 0.2) for i, label in enumerate(shown)}
        part = data[(data["group"] == group) & (data["subject"] != "")]
        x = part["visit"].map(place).to_numpy(dtype=float)
        _lines(ax, part.assign(x=x), group)
        for kind, flags in _kinds(part):
            mark_levels(ax, (x + _apart(part))[flags], part["value"][flags], kind, group)
        medians = data[(data["group"] == group) & (data["kind"] == "median")].set_index("visit")["value"]
        _median_line(ax, medians, place, study)
        middle = half * (n + 0.2) + (n - 1) / 2
        lift = ScaledTranslation(0, 4 / 72, ax.figure.dpi_scale_trans)
        where = ax.get_xaxis_transform() + lift
        ax.text(middle, 1, title, transform=where, ha="center", va="bottom", color=group_ink(ax, group))
        if part["value"].isna().all():
            ax.text(middle, 0.5, "no value", transform=ax.get_xaxis_transform(), ha="center", color=ink(ax, GREY))
    ax.set_xlim(-0.4, 2 * n - 0.4)
    name_visits(ax, [i + half * (n + 0.2) for half in (0, 1) for i in range(n)], shown * 2)
    if data["value"].isna().all():
        ax.set_yticks([], minor=False)
        ax.set_yticks([], minor=True)
    ax.set_ylabel(wrapped(ax, f"{analyte}, {unit_text(data)[0]}", upright=True))
    medians = data["value"][data["kind"] == "median"]
    hidden = medians.isna().any() and data["kind"].isin(OPEN).any()
    ax.set_xlabel("visit")
    note_below(ax, note_on(data, ["no median where it lies among values beyond a limit"] if hidden else []))
    if medians.notna().any():
        handles["median"] = Line2D([], [], color=ink(ax), lw=2.2)
    lines = max(title.count("\n") + 1 for title in titles)
    legend_above(ax, dict(list(handles.items())[2:]), lift=13.5 * lines * text_scale(), side="right")
    strip(ax)
    if own:
        make_room(ax, _LINES_HEIGHT)
    return ax


def _titles(ax: Axes, names: Sequence[str]) -> list[str]:
    """Break the titles of the halves so that they do not meet."""
    return ["\n".join(textwrap.wrap(name.replace("\n", " "), max(letters_along(ax) // 2 - 2, 8))) for name in names]


def _with_summaries(study: Study, visits: Sequence[str], names: list[str], labels: Sequence[str]) -> pd.DataFrame:
    """Join the values of some visits and figures of `descriptives`; analytes in order, cases first."""
    table = descriptives(study)
    table = table[table["visit"].isin(labels)]
    figures = table.melt(["analyte", "unit", "visit", "group"], names, "kind", "value").assign(subject="", limit="")
    points = level_points(study, visits)
    data = pd.concat([points, figures[points.columns]], ignore_index=True)
    row = study.analytes.get_indexer(data["analyte"])
    return data.iloc[np.lexsort((np.arange(len(data)), data["group"], row))].reset_index(drop=True)


def _kinds(part: pd.DataFrame) -> Iterator[tuple[str, np.ndarray]]:
    for kind in KINDS:
        flags = ((part["kind"] == kind) & part["value"].notna()).to_numpy()
        if flags.any():
            yield kind, flags


def _boxes(ax: Axes, part: pd.DataFrame, row: np.ndarray, group: str) -> None:
    """Draw the boxes of a group: closed and solid between quartiles that are known, else open and dashed up to the last mark."""
    solid, dashed, medians = [], [], []
    marks = part[part["subject"] != ""].groupby("analyte", sort=False)["value"].agg(["min", "max"])
    quartiles = part[part["subject"] == ""].pivot(index="analyte", columns="kind", values="value")
    for name, y in dict(zip(part["analyte"], row, strict=True)).items():
        q1, median, q3 = (quartiles.at[name, kind] for kind in QUARTILES)
        known = [value for value in (q1, median, q3) if not np.isnan(value)]
        if not known:
            continue
        first, last = known[0], known[-1]
        low, high = min(marks.at[name, "min"], first), max(marks.at[name, "max"], last)
        for edge in (y - _BOX, y + _BOX):
            solid.append([(first, edge), (last, edge)])
            dashed += [[(low, edge), (first, edge)]] * bool(np.isnan(q1)) + [[(last, edge), (high, edge)]] * bool(np.isnan(q3))
        solid += [[(end, y - _BOX), (end, y + _BOX)] for end in (q1, q3) if not np.isnan(end)]
        medians += [[(median, y - _BOX), (median, y + _BOX)]] * (not np.isnan(median))
    styles: tuple[tuple[str, list, dict[str, Any]], ...] = (
        ("box", solid, {"color": ink(ax), "lw": 0.7, "zorder": 2.5}),
        ("open box", dashed, {"color": ink(ax), "lw": 0.7, "ls": [(0, (2, 1.5))], "zorder": 2.5}),
        ("median", medians, {"color": ink(ax), "lw": 1.8, "zorder": 3}),
    )
    for what, segments, style in styles:
        ax.add_collection(LineCollection(segments, label=f"_{group} {what}", **style), autolim=False)


def _say_empty(ax: Axes, part: pd.DataFrame, row: np.ndarray, size: float) -> None:
    """Say in a row that it holds no mark, and why."""
    points = part[part["subject"] != ""]
    unknown = set(points["analyte"][points["limit"] == "not known"])
    filled = set(points["analyte"][points["value"].notna()])
    style: dict[str, Any] = {"va": "center", "color": ink(ax, GREY), "fontsize": size}
    for name, y in dict(zip(part["analyte"], row, strict=True)).items():
        if name not in filled:
            text = "beyond a limit that is not known" if name in unknown else "no value"
            ax.text(0.01, y, text, transform=ax.get_yaxis_transform(), **style)


def _count_below(ax: Axes, part: pd.DataFrame, row: np.ndarray, group: str, size: float) -> None:
    """Write beside each row how many are below their limit, as `descriptives` counts: a subject once, of several visits."""
    points = part[part["subject"] != ""]
    below = points["subject"].where(points["kind"].isin(BELOW)).groupby(points["analyte"], sort=False).nunique()
    style: dict[str, Any] = {"va": "center", "color": group_ink(ax, group), "fontsize": size}
    for name, y in dict(zip(part["analyte"], row, strict=True)).items():
        if below.get(name, 0):
            ax.text(1.01, y, str(below[name]), transform=ax.get_yaxis_transform(), **style)


def _apart(part: pd.DataFrame) -> np.ndarray:
    """Return how far equal values of a visit stand to the side of it."""
    ties = part.groupby(["visit", "value"])["value"]
    count, place = ties.transform("size").to_numpy(), ties.cumcount().to_numpy()
    return np.nan_to_num((place - (count - 1) / 2) * np.minimum(0.03, _TIES / count))


def _lines(ax: Axes, part: pd.DataFrame, group: str) -> None:
    segments: dict[bool, list] = {False: [], True: []}
    for _, own in part.dropna(subset="value").groupby("subject", sort=False):
        bound = own["kind"].isin(OPEN).tolist()
        ends = list(zip(own["x"], own["value"], strict=True))
        for i in range(len(ends) - 1):
            segments[bound[i] or bound[i + 1]].append(ends[i : i + 2])
    for beyond, found in segments.items():
        style: dict[str, Any] = {"ls": [(0, (2, 2))], "alpha": 0.6} if beyond else {"alpha": 0.8}
        label = f"_{group} {'open lines' if beyond else 'lines'}"
        ax.add_collection(LineCollection(found, colors=COLOURS[group], lw=0.7, label=label, zorder=1.5, **style), autolim=False)


def _median_line(ax: Axes, medians: pd.Series, place: dict[str, float], study: Study) -> None:
    """Draw the medians through the visits; one that is not known leaves a gap."""
    ends = []
    for label in dict.fromkeys(study.baseline if label in study.baseline_visits else label for label in place):
        if label in medians.index:
            x = [place[visit] for visit in (study.baseline_visits if label == study.baseline else (label,))]
            ends += [(at, medians[label]) for at in dict.fromkeys((min(x), max(x)))]
    if ends:
        ax.plot(*zip(*ends, strict=True), color=ink(ax), marker="_", ms=12, mew=2.2, lw=2.2, zorder=3.5, label="_median")
