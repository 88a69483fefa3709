"""Pictures of a study as a whole: balance, who has which sample, plates; correlation stands in heatmap.py."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from ..balance import balance_table
from ..correlations import visit_slice
from ..errors import OptionError, fraction, quoted
from ..labels import as_label, as_labels
from ..study import Study
from .drawing import (
    COLOURS,
    GREY,
    axes_for,
    height_of,
    ink,
    make_room,
    name_rows,
    natural_order,
    note_below,
    one_line,
    paper,
    rows_height,
    short,
    strip,
    visits_text,
    wrapped,
)
from .legends import legend_above

_PLATE = 0.42  # inches of a row
_NEEDED = ("covariate", "level", "std_difference", "matched_on")


def balance_data(study: Study | pd.DataFrame) -> pd.DataFrame:
    """Return what `balance` draws: the balance table, and in `row` the name of each row."""
    table = study if isinstance(study, pd.DataFrame) else balance_table(study)
    missing = [name for name in _NEEDED if name not in table.columns]
    if missing:
        raise OptionError(f"balance() takes a Study or what balance_table() returns; the table has no column {quoted(missing)}.")
    if not len(table):
        raise OptionError("balance(): there is no covariate to compare; join clinical data with panel.join().")
    table = table.reset_index(drop=True)
    named = (table["level"] != "") & table["std_difference"].notna()
    table.insert(0, "row", table["covariate"].where(~named, table["covariate"] + ": " + table["level"]))
    return table


def balance(study: Study | pd.DataFrame, *, threshold: float = 0.1, ax: Axes | None = None) -> Axes:
    """How well do cases and controls agree on covariates before treatment?

    Parameters
    ----------
    study : Study or DataFrame
        Or a table of `balance_table`.
    threshold : float
        Where the dashed lines stand, between 0 and 1.
    ax : Axes, optional

    Returns
    -------
    Axes
        A love plot: one row a covariate or level, in the order of the table, with its standardised difference, case - control;
        filled where the groups were matched on it, else open. An infinite difference (constant and different) is an arrow
        at the edge. Rows that cannot be compared say so.

    Raises
    ------
    OptionError
        No covariate; a table that is none of `balance_table`.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.balance(cc.load_study("quickstart"))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['Prior chemotherapy: no', 'Prior chemotherapy: yes', 'Age']
    """
    fraction("threshold", threshold)
    data = balance_data(study)
    made = ax is None
    ax = axes_for(ax, 6.0, height_of(len(data), margin=1.5))
    rows = np.array(name_rows(ax, data["row"].tolist()))
    x = data["std_difference"].to_numpy(dtype=np.float64)
    known, matched = np.isfinite(x), data["matched_on"].to_numpy(dtype=bool)
    edge = 1.12 * max(2 * threshold, 0.25, np.abs(x[known]).max(initial=0.0))
    ax.set_xlim(-edge, edge)
    ax.axvline(0, color=ink(ax, GREY), lw=0.8, zorder=1)
    for side in (-threshold, threshold):
        ax.axvline(side, color=ink(ax, GREY), lw=0.8, ls=(0, (4, 3)), zorder=1)
    for own, face, label in ((matched, ink(ax), "matched on"), (~matched, paper(ax), "not matched on")):
        if own.any():
            ax.plot(x[known & own], rows[known & own], "o", ms=5, color=ink(ax), mfc=face, label=label)
        for end, mark in ((np.inf, ">"), (-np.inf, "<")):
            at = rows[own & (x == end)]
            ax.plot(np.full(len(at), 0.97 * np.sign(end) * edge), at, mark, ms=7, color=ink(ax), mfc=face, zorder=3)
    for row in rows[np.isnan(x)]:
        text = one_line(data.loc[row, "level"], 50) or "not compared: fewer than 2 values"
        box = {"facecolor": paper(ax), "edgecolor": "none", "pad": 1.0}
        ax.text(0, row, text, ha="center", va="center", color=ink(ax, GREY), fontsize="small", bbox=box)
    ax.set_xlabel(wrapped(ax, _difference_text(study)))
    note_below(ax, f"dashed: \N{PLUS-MINUS SIGN}{threshold:g}")
    strip(ax)
    ax.spines["left"].set_visible(False)
    legend_above(ax, columns=2)
    if made:
        make_room(ax, rows_height(len(data)))
    return ax


def _difference_text(study: Study | pd.DataFrame) -> str:
    names = (study.design.case, study.design.control) if isinstance(study, Study) else ("case", "control")
    return f"standardised difference, {names[0]} \N{MINUS SIGN} {names[1]}"


def plates_data(study: Study, *, visit: Any = None) -> pd.DataFrame:
    """Return what `plates` draws: the number of samples by plate and group, plates in natural order."""
    if not isinstance(study, Study):
        raise OptionError(f"plates() takes a Study; got {type(study).__name__}.")
    if not study.panel.has_plates:
        raise OptionError("plates(): the study has no plates; name their column when reading: read_panel(..., plate=...).")
    at = study.sample_at[visit_slice(study, visit)]
    labels = as_labels(study.panel.samples["plate"])
    role = study.subjects["role"].to_numpy(dtype=object)
    found = {group: labels[at[:, role == group][at[:, role == group] >= 0]] for group in COLOURS}
    known = sorted({label for part in found.values() for label in part}, key=natural_order)
    rows = [(label, group, int((found[group] == label).sum())) for label in known for group in COLOURS]
    return pd.DataFrame(rows, columns=["plate", "group", "n"])


def plates(study: Study, *, visit: Any = None, ax: Axes | None = None) -> Axes:
    """How do cases and controls spread over the plates?

    Parameters
    ----------
    study : Study
    visit : str, optional
        A visit of the design; None is the baseline (of several visits, the samples of all).
    ax : Axes, optional

    Returns
    -------
    Axes
        One row a plate, a bar for each group with its number of samples; samples of subjects that were left out are not counted.

    Raises
    ------
    OptionError
        No plates, or an unknown visit.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.plates(cc.load_study("quickstart"))
    >>> [int(bar.get_width()) for bar in ax.patches]
    [10, 10, 10, 8, 7, 7]
    """
    data = plates_data(study, visit=visit)
    names = list(dict.fromkeys(data["plate"]))
    made = ax is None
    ax = axes_for(ax, 5.4, height_of(len(names), margin=1.2, row=_PLATE))
    rows = np.array(name_rows(ax, [name or "plate not given" for name in names]), dtype=np.float64)
    top = max(int(data["n"].max()), 1)
    for group, shift, hatch in (("case", -0.2, ""), ("control", 0.2, "////")):
        n = data.loc[data["group"] == group, "n"].to_numpy()
        label = f"{short(getattr(study.design, group))} ({n.sum():,})"
        ax.barh(rows + shift, n, 0.38, color=COLOURS[group], hatch=hatch, edgecolor=paper(ax), lw=0, label=label)
        for row, count in zip(rows + shift, n, strict=True):
            ax.annotate(f"{count:,}", (count, row), (3, 0), textcoords="offset points", va="center", fontsize="small")
    ax.set_xlim(0, 1.08 * top)
    ax.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    shown = study.baseline_visits if visit is None or as_label(visit) == study.baseline else (as_label(visit),)
    ax.set_xlabel(wrapped(ax, f"samples at {visits_text(shown, study.baseline_visits)}"))
    ax.set_ylabel("plate")
    strip(ax)
    legend_above(ax, columns=2)
    if made:
        make_room(ax, rows_height(len(names), _PLATE))
    return ax
