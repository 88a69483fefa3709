"""side_by_side: four models of change in one picture, and the catch-up that lies between them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import OptionError, fraction, one_of, quoted, texts
from ..labels import as_label
from ..side_by_side import DIFFER, SideBySide
from .drawing import FAINT, GREY, axes_for, height_of, ink, make_room, name_rows, rows_height, strip
from .intervals import Scale, axis_text, bars, contrast_text, legend_of_marks, not_tested, points, scale_of, show_scale

# From top to bottom: those that ask the same question stand together, in shades of one hue (purple and green stay apart for the
# colour-blind), and none has the colour of a group. On white and on black ground alike their contrast is 3.4 at least.
MODELS = {
    "change_score": ("change score", "#7d55a8", "o"),
    "lda": ("LDA", "#b36bb0", "s"),
    "ancova": ("ANCOVA", "#14806a", "^"),
    "clda": ("cLDA", "#5a9a2c", "D"),
}
_ROW, _STEP, _HALF = 0.38, 0.19, 0.4  # inches of a row; of a row: between two models, half of a catch-up's mark
_STROKE = 2.2  # points
_SORTS = ("catch_up",)


def side_by_side_data(
    found: SideBySide, analytes: Iterable[str] | None = None, *, visit: Any = None, alpha: float = 0.05, sort: str | None = None
) -> pd.DataFrame:
    """Return what `side_by_side` draws: one row an analyte and model, in its order."""
    if not isinstance(found, SideBySide):
        raise OptionError(f"side_by_side() takes what change_side_by_side() returns, a SideBySide; got {type(found).__name__}.")
    fraction("alpha", alpha)
    if sort is not None:
        one_of("sort", sort, _SORTS)
    rows = _rows(found.table, analytes, visit)
    if sort is not None:
        away = found.table.loc[rows, "catch_up"].astype(np.float64)
        with np.errstate(divide="ignore"):
            away = (away if found.meta["scale"] == "raw" else np.log(away)).abs()
        rows = away.sort_values(ascending=False, kind="stable").index
    parts = []
    for model in MODELS:
        own = found.results[model].table.reset_index(drop=True).loc[rows]
        own = own.assign(model=model, row=range(len(own)), significant=own["p_adjusted"] <= alpha)
        parts.append(own.join(found.table[["baseline_p", "catch_up"]]))
    data = pd.concat(parts, ignore_index=True).sort_values("row", kind="stable", ignore_index=True)
    return data.assign(baselines_differ=data["baseline_p"] <= DIFFER)


def _rows(table: pd.DataFrame, analytes: Iterable[str] | None, visit: Any) -> pd.Index:
    """Return the rows of one visit and of the analytes asked for, in the order asked."""
    if not len(table):
        raise OptionError("side_by_side(): there is no row.")
    visits = list(dict.fromkeys(table["visit"]))
    if visit is None and len(visits) > 1:
        raise OptionError(
            f"side_by_side() shows one visit; here are {len(visits)}: {quoted(visits)}. Choose one: visit={visits[0]!r}."
        )
    at = visits[0] if visit is None else one_of("visit", as_label(visit), visits)
    of_visit = table[table["visit"] == at]
    if analytes is None:
        return of_visit.index
    names = [one_of("analytes", name, of_visit["analyte"]) for name in texts("analytes", analytes)]
    if not names:
        raise OptionError("`analytes` must name one analyte at least, or be None for all; got none.")
    return of_visit.index[pd.Index(of_visit["analyte"]).get_indexer(pd.Index(dict.fromkeys(names)))]


def side_by_side(
    found: SideBySide,
    analytes: Iterable[str] | None = None,
    *,
    visit: Any = None,
    alpha: float = 0.05,
    sort: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Do four models of change agree, and is what lies between them the catch-up of regression to the mean?

    Parameters
    ----------
    found : SideBySide
        Of `change_side_by_side`.
    analytes : list of str, optional
        In this order; None: all, in the order of the panel.
    visit : label, optional
        The later visit; needed where there are several.
    alpha : float
        Bound for the p-value of each model, adjusted as it was asked for; as in `forest`.
    sort : {"catch_up"}, optional
        Largest predicted catch-up first, in whichever direction.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row an analyte, in it from top to bottom: change score and LDA (without an effect both groups would change alike),
        ANCOVA and cLDA (who began alike would end alike). Marks are filled where adjusted p <= `alpha`, else
        open; an interval that reaches beyond the axis ends in an arrow there. The upright grey stroke is `catch_up`: what the
        change score would show if the groups had been selected on a noisy baseline and nothing else differed. Rows whose
        baselines differ (p <= .05, not adjusted) have a grey ground: there the choice of a model decides.

    Raises
    ------
    OptionError
        Several visits, and none chosen; an analyte or a visit that is not there.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> study = cc.load_study("quickstart").select(analytes=["IL-5", "IL-7"])
    >>> ax = plots.side_by_side(cc.change_side_by_side(study))
    >>> [label.get_text() for label in ax.get_yticklabels()]
    ['IL-5', 'IL-7']
    """
    data = side_by_side_data(found, analytes, visit=visit, alpha=alpha, sort=sort)
    analyte = data.drop_duplicates("row").reset_index(drop=True)
    # The axis has room for the catch-up as for an estimate.
    scale = scale_of(pd.concat([data, analyte[["estimand", "catch_up"]].rename(columns={"catch_up": "estimate"})]))
    own = ax is None
    ax = axes_for(ax, 6.4, height_of(len(analyte), margin=1.9, row=_ROW))
    rows = name_rows(ax, analyte["analyte"].tolist())
    show_scale(ax, scale)
    for i, (model, (name, colour, mark)) in enumerate(MODELS.items()):
        part = data[data["model"] == model]
        y = np.array(rows) + (i - (len(MODELS) - 1) / 2) * _STEP
        bars(ax, y, part, scale, colour)
        points(ax, y, part, scale, colour, mark, size=4)
        ax.plot([], [], color=colour, marker=mark, ms=5, lw=1.2, label=name)
    _not_tested(ax, data, rows, scale)
    _catch_up(ax, analyte, rows)
    _ground(ax, analyte, rows)
    ax.set_xlabel(axis_text(ax, data, contrast_text(data, found.results["change_score"].meta)))
    strip(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", pad=8)  # room for arrows
    legend_of_marks(ax, data, alpha, columns=2)
    if own:
        make_room(ax, rows_height(len(analyte), _ROW))
    return ax


def _ground(ax: Axes, analyte: pd.DataFrame, rows: list[int]) -> None:
    """Lay a grey ground under rows whose baselines differ, and thin lines between the others."""
    differ = np.flatnonzero(analyte["baselines_differ"])
    style: dict[str, Any] = {"color": ink(ax, FAINT), "alpha": 0.45, "lw": 0, "zorder": 0}
    for i in differ:
        ax.axhspan(rows[i] - 0.5, rows[i] + 0.5, **style)
    if len(differ):
        ax.fill_between([], [], label=f"baselines differ, p \N{LESS-THAN OR EQUAL TO} {DIFFER:g}", **style)
    edges = np.arange(1, len(rows)) - 0.5
    ax.hlines(edges, 0, 1, transform=ax.get_yaxis_transform(), color=ink(ax, FAINT), lw=0.4, zorder=0)


def _catch_up(ax: Axes, analyte: pd.DataFrame, rows: list[int]) -> None:
    """Draw what regression to the mean predicts, behind the marks of the row."""
    at = analyte["catch_up"].to_numpy(dtype=np.float64)
    there = np.isfinite(at)
    y = np.array(rows)[there]
    style: dict[str, Any] = {"color": ink(ax, GREY), "alpha": 0.55}
    ax.vlines(at[there], y - _HALF, y + _HALF, lw=_STROKE, zorder=1.3, **style)
    if there.any():
        ax.plot([], [], "|", ms=9, mew=_STROKE, label="catch-up of regression to the mean", **style)


def _not_tested(ax: Axes, data: pd.DataFrame, rows: list[int], scale: Scale) -> None:
    """Write it once where no model was tested, else beside the models that were not."""
    for row, part in data.groupby("row"):
        none = part["p_value"].isna().all()
        lines = (np.arange(len(MODELS)) - (len(MODELS) - 1) / 2) * _STEP
        not_tested(ax, rows[row] + (np.zeros(1) if none else lines), part.head(1) if none else part, scale)
