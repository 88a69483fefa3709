"""How much of each analyte could be measured: the shares beyond the limits, by group, plate or visit."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.font_manager import FontProperties
from matplotlib.patches import Patch
from matplotlib.ticker import PercentFormatter

from ..errors import OptionError, one_of, quoted
from ..labels import as_label, as_labels
from ..limits import beyond_limits
from ..panel import State
from ..study import Study
from ..summaries import descriptives
from .drawing import (
    COLOURS,
    FAINT,
    GREY,
    ROW_HEIGHT,
    axes_for,
    height_of,
    ink,
    make_room,
    name_rows,
    natural_order,
    note_below,
    plain,
    row_room,
    rows_height,
    short,
    strip,
    visits_text,
    wrapped,
)
from .legends import legend_above

BY = ("group", "plate", "visit")
_NEEDED = ("analyte", "visit", "group", "n", "n_below", "n_above")
_BAR, _GAP = 0.055, 0.06  # inches: the least height of a bar, and what lies between rows
_THICK = 0.8  # of a row, all its bars
_HATCH = "//////"
_LEAST = 4.0  # points of a letter


def detection_data(study: Study | pd.DataFrame, *, by: str = "group", visit: Any = None) -> pd.DataFrame:
    """Return what `detection` draws.

    Columns analyte, visit ("" for all of them), level (of `by`), n (samples with a value), n_below, n_above, and the shares of n
    below and above (NaN where n is 0).
    """
    one_of("by", by, BY)
    counts = _by_plate(study, visit) if by == "plate" else _by_group_or_visit(_table_of(study), by, visit)
    n = counts["n"].where(counts["n"] > 0).astype(float)
    shares = {"below": counts["n_below"] / n, "above": counts["n_above"] / n}
    return counts[["analyte", "visit", "level", "n", "n_below", "n_above"]].assign(**shares)


def detection(study: Study | pd.DataFrame, *, by: str = "group", visit: Any = None, ax: Axes | None = None) -> Axes:
    """Which share of the samples lies beyond the limits of detection, analyte by analyte?

    One row an analyte, one bar a group, plate or visit: solid from the left, the share below the lower limit; hatched from
    the right, the share above the upper one; the white between them was measured within the limits. Shares are of the samples
    with a value, beyond a limit or not, and count as `descriptives` does: a number under a known limit is below it. A bar
    that has no value says so.

    Parameters
    ----------
    study : Study or DataFrame
        A study, or the table of `descriptives` (which knows no plates).
    by : {"group", "plate", "visit"}
        What the bars of a row are. By plate and by visit, the groups are taken together.
    visit : label, optional
        The visit shown. None: by group, the baseline; by plate, all visits. By visit it must be None.
    ax : Axes, optional
        Where to draw. None: a new figure that fits.

    Returns
    -------
    Axes

    Raises
    ------
    OptionError
        A visit that is not there, a study without plates, a table that is not that of `descriptives`.

    Notes
    -----
    A baseline of several visits counts as one by group and by visit (below where one of its values is, as in `descriptives`);
    by plate each sample counts. Where shares differ between plates, look at their limits before groups are compared.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc.plots import detection
    >>> ax = detection(cc.load_study("quickstart"), by="plate")
    >>> [text.get_text() for text in ax.get_legend().get_texts()]
    ['P1', 'P2', 'P3']
    """
    data = detection_data(study, by=by, visit=visit)
    names, levels = data["analyte"].unique(), data["level"].unique()
    own, height = ax is None, max(ROW_HEIGHT, _BAR * len(levels) + _GAP)
    ax = axes_for(ax, 7, height_of(len(names), margin=1.4, row=height))
    name_rows(ax, names)
    strip(ax)
    ax.grid(axis="x", color=ink(ax, FAINT), lw=0.5)
    ax.set_axisbelow(True)
    ax.hlines(np.arange(1, len(names)) - 0.5, 0, 1, color=ink(ax, FAINT), lw=0.5, zorder=0)
    titles, colours = _titles(study, by, levels), _colours(levels)
    bar = _THICK / len(levels)
    for i, level in enumerate(levels):
        part = data[data["level"] == level]
        row = pd.Index(names).get_indexer(part["analyte"]) - _THICK / 2 + (i + 0.5) * bar
        _bars(ax, part, row, bar, colours[level], plain(level))
    handles = {titles[level]: Patch(color=colours[level]) for level in levels}
    legend_above(ax, handles, title=None if by == "group" else by, side="right")
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    label = data["visit"].iloc[0]
    of = "" if by == "visit" or not label else f" ({_visit_text(study, label)})"
    some_above = bool((data["n_above"] > 0).any())
    what = "beyond the limits" if some_above else "below the limit"
    ax.set_xlabel(wrapped(ax, f"{what}, % of samples with a value{of}"))
    note_below(ax, "solid, from the left: below the lower limit; hatched, from the right: above the upper limit" * some_above)
    ax.spines["right"].set_visible(some_above)
    if own:
        make_room(ax, rows_height(len(names), height))
    return ax


def _table_of(study: Any) -> pd.DataFrame:
    if isinstance(study, Study):
        return descriptives(study)
    if not isinstance(study, pd.DataFrame):
        raise OptionError(f"detection() takes a Study or the table of descriptives(); got {type(study).__name__}.")
    absent = [name for name in _NEEDED if name not in study.columns]
    if absent or not len(study):
        lacks = f"this one has no column {quoted(absent)}" if absent else "this one has no row"
        raise OptionError(f"detection() takes a Study or the table of descriptives(); {lacks}.")
    return study


def _by_group_or_visit(table: pd.DataFrame, by: str, visit: Any) -> pd.DataFrame:
    known = table["visit"].unique()
    if by == "visit":
        if visit is not None:
            raise OptionError(f"`visit` must be None where by='visit', which shows each; got {visit!r}.")
        levels = table["visit"]
    else:
        label = known[0] if visit is None else one_of("visit", as_label(visit), known)
        table = table[table["visit"] == label]
        levels = table["group"]
    counts = table.assign(level=levels).groupby(["analyte", "visit", "level"], sort=False)[["n", "n_below", "n_above"]]
    return counts.sum().reset_index()


def _by_plate(study: Any, visit: Any) -> pd.DataFrame:
    if not isinstance(study, Study):
        raise OptionError(f"`by` is 'plate', which takes a Study: the table does not tell plates; got {type(study).__name__}.")
    if not study.panel.has_plates:
        raise OptionError(
            "`by` is 'plate', but the panel has no plates. Name their column when it is read: read_panel(..., plate=...); "
            f"the sample columns are {quoted(study.panel.samples.columns)}."
        )
    arrays, at, known = study.arrays, study.sample_at, (*study.baseline_visits, *study.visits)
    label = "" if visit is None else one_of("visit", as_label(visit), (*dict.fromkeys((study.baseline, *known)),))
    chosen = study.baseline_visits if label == study.baseline else (label,) if label else known
    there = (at >= 0) & np.isin(np.arange(len(at)), [known.index(name) for name in chosen])[:, None]
    below, above = beyond_limits(arrays.value, arrays.state, arrays.lower, arrays.upper)
    flags = {"n": arrays.state != State.MISSING, "n_below": below, "n_above": above}
    plates = as_labels(study.panel.samples["plate"])
    frames = []
    for plate in sorted(set(plates[at[there]]), key=natural_order):
        here = (there & (plates[at] == plate))[:, None, :]
        counts = {name: (flag & here).sum(axis=(0, 2)) for name, flag in flags.items()}
        frames.append(pd.DataFrame({"analyte": study.analytes.to_numpy(dtype=object), "visit": label, "level": plate, **counts}))
    table = pd.concat(frames, ignore_index=True)
    order = np.argsort(study.analytes.get_indexer(table["analyte"]), kind="stable")
    return table.iloc[order].reset_index(drop=True)


def _visit_text(study: Study | pd.DataFrame, label: str) -> str:
    """Name a visit in words; a table does not tell which is the baseline."""
    baseline = study.baseline_visits if isinstance(study, Study) else ()
    return visits_text(baseline if isinstance(study, Study) and label == study.baseline else (label,), baseline)


def _titles(study: Any, by: str, levels: np.ndarray) -> dict[str, str]:
    """Return what the legend calls the levels."""
    if by != "group":
        return {level: short(level) if level else "not stated" for level in levels}
    names = {"case": study.design.case, "control": study.design.control} if isinstance(study, Study) else {}
    return {level: short(names.get(level, level)) for level in levels}


def _colours(levels: np.ndarray) -> dict[str, Any]:
    """Return the colours of groups; of other levels, from dark to light in order, which a grey print keeps."""
    if set(levels) <= set(COLOURS):
        return {level: COLOURS[level] for level in levels}
    shades = matplotlib.colormaps["viridis"](np.linspace(0, 0.88, len(levels)))
    return {level: tuple(shade) for level, shade in zip(levels, shades, strict=True)}


def _small(ax: Axes, height: float) -> float:
    """Return the size of letters beside a bar."""
    room = row_room(ax, 1) / max(abs(np.diff(ax.get_ylim())).item(), 1) * height
    return min(FontProperties(size="x-small").get_size_in_points(), max(72 * room, _LEAST))


def _bars(ax: Axes, part: pd.DataFrame, row: np.ndarray, height: float, colour: Any, name: str) -> None:
    some = (part["n"] > 0).to_numpy()
    below, above = part["below"].to_numpy()[some], part["above"].to_numpy()[some]
    ax.barh(row[some], below, height, color=colour, edgecolor="white", linewidth=0.3, label=f"_{name} below")
    if above.any():
        style: dict[str, Any] = {"facecolor": "none", "edgecolor": colour, "linewidth": 0.6, "hatch": _HATCH}
        ax.barh(row[some][above > 0], above[above > 0], height, left=1 - above[above > 0], label=f"_{name} above", **style)
    for y in row[~some]:
        ax.text(0.004, y, "no value", va="center", color=ink(ax, GREY), fontsize=_small(ax, height))
