"""How much of each analyte could be measured: the shares beyond the limits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ..errors import OptionError, one_of, quoted
from ..labels import as_label, as_labels
from ..limits import beyond_limits
from ..panel import State
from ..study import Study
from ..summaries import descriptives
from .drawing import COLOURS, axes_for, height_of, legend, name_rows, plain, strip

BY = ("group", "plate", "visit")


def detection_data(study: Any, *, by: str = "group", visit: Any = None) -> pd.DataFrame:
    """Return what `detection` draws: n, n_below, n_above and their shares by analyte and level."""
    one_of("by", by, BY)
    table = descriptives(study) if isinstance(study, Study) else study
    if by == "plate":
        return _by_plate(study, visit)
    label = table["visit"].iloc[0] if visit is None else one_of("visit", as_label(visit), table["visit"].unique())
    if by == "group":
        table = table[table["visit"] == label]
    counts = table.groupby(["analyte", by], sort=False)[["n", "n_below", "n_above"]].sum().reset_index()
    counts = counts.rename(columns={by: "level"})
    with np.errstate(invalid="ignore"):
        return counts.assign(below=counts["n_below"] / counts["n"], above=counts["n_above"] / counts["n"])


def detection(study: Any, *, by: str = "group", visit: Any = None, ax: Axes | None = None) -> Axes:
    """Which share of the samples lies below, and above, the limits of detection?"""
    data = detection_data(study, by=by, visit=visit)
    names, levels = data["analyte"].unique(), data["level"].unique()
    ax = axes_for(ax, 7, height_of(len(names)))
    thick = 0.8 / len(levels)
    for i, level in enumerate(levels):
        part = data[data["level"] == level]
        row = pd.Index(names).get_indexer(part["analyte"]) - 0.4 + (i + 0.5) * thick
        colour = COLOURS.get(level, "grey")
        ax.barh(row, part["below"].fillna(0), thick, color=colour, label=plain(level))
        ax.barh(
            row, part["above"].fillna(0), thick, left=1 - part["above"].fillna(0), color="none", edgecolor=colour, hatch="///"
        )
    name_rows(ax, names)
    ax.set_xlim(0, 1)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    legend(ax, loc="lower left", bbox_to_anchor=(0, 1), ncols=4)
    strip(ax)
    return ax


def _by_plate(study: Any, visit: Any) -> pd.DataFrame:
    if not isinstance(study, Study):
        raise OptionError(f"by='plate' takes a Study; got {type(study).__name__}.")
    if not study.panel.has_plates:
        raise OptionError(f"by='plate': the panel has no plates; sample columns: {quoted(study.panel.samples.columns)}.")
    arrays, at = study.arrays, study.sample_at
    below, above = beyond_limits(arrays.value, arrays.state, arrays.lower, arrays.upper)
    there = arrays.state != State.MISSING
    plate = as_labels(study.panel.samples["plate"])
    levels = list(dict.fromkeys(plate[at[at >= 0]]))
    frames = []
    for level in levels:
        here = ((at >= 0) & (plate[at] == level))[:, None, :]
        counts = {name: (flags & here).sum(axis=(0, 2)) for name, flags in (("n", there), ("n_below", below), ("n_above", above))}
        frames.append(pd.DataFrame({"analyte": study.analytes, "level": level, **counts}))
    counts = pd.concat(frames, ignore_index=True)
    return counts.assign(below=counts["n_below"] / counts["n"], above=counts["n_above"] / counts["n"])
