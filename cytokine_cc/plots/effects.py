"""Pictures of estimates with their intervals: forest, change by visit; volcano stands in significance.py."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..errors import OptionError, fraction, one_of
from ..results import Results
from ..words import p_text
from .drawing import (
    COLOURS,
    FAINT,
    GREY,
    LINES,
    MARKS,
    axes_for,
    group_names,
    height_of,
    ink,
    make_room,
    name_rows,
    name_visits,
    needs_estimates,
    one_comparison,
    row_font,
    rows_height,
    short,
    strip,
    text_scale,
    visit_of,
    wrapped,
)
from .intervals import Scale, axis_text, bars, contrast_text, legend_of_marks, not_tested, p_name, points, scale_of, show_scale

_PATHS_HEIGHT = 2.2  # inches at least
_SORTS = ("estimate", "p")


def forest_data(results: Results, *, alpha: float = 0.05, sort: str | None = None) -> pd.DataFrame:
    """Return what `forest` draws, in its order; below_case and below_control are shares of the values that entered."""
    fraction("alpha", alpha)
    if sort is not None:
        one_of("sort", sort, _SORTS, {"p_value": "p", "p_adjusted": "p"})
    table = one_comparison(results, "forest").reset_index(drop=True)
    data = table[["analyte", "n_case", "n_control"]].copy()
    for role in COLOURS:
        n = table[f"n_{role}"].astype("Float64")
        data[f"below_{role}"] = (table[f"n_below_{role}"] / n.mask(n == 0)).to_numpy(dtype=np.float64, na_value=np.nan)
    numbers = ["estimate", "conf_low", "conf_high", "p_value", "p_adjusted"]
    data[numbers] = table[numbers]
    data["significant"] = data["p_adjusted"] <= alpha
    if sort is not None:
        by = "estimate" if sort == "estimate" else "p_value"
        data = data.sort_values(by, ascending=sort == "p", kind="stable", na_position="last", ignore_index=True)
    return data


def forest(results: Results, *, alpha: float = 0.05, sort: str | None = None, ax: Axes | None = None) -> Axes:
    """How large is the effect on each analyte, with which interval?

    Parameters
    ----------
    results : Results
        Of one comparison: one contrast, visit and way of testing.
    alpha : float
        Bound for the adjusted p-value. It is chosen when a result is looked at: the results hold no alpha, not even the plan's.
    sort : {"estimate", "p"}, optional
        Highest estimate, or smallest p-value, first. None: in the order of the panel.
    ax : Axes, optional

    Returns
    -------
    Axes
        One row an analyte: the estimate, filled where adjusted p <= `alpha`, else open, with its interval. An interval that
        reaches beyond the axis, or to 0 or infinity, ends in an arrow there. The vertical line is no effect. Right of the axes:
        the share of values below the limit in cases / controls (of changes: at either visit), and the adjusted p-value. Of more
        than 100 analytes rows are half as high; of that many, choose: ``results.select(analyte=...)``.

    Raises
    ------
    OptionError
        Results of several comparisons, or of a test that gives p-values alone.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.forest(cc.compare_baseline(cc.load_study("quickstart")), sort="estimate")
    >>> ax.get_xlabel().splitlines()
    ['ratio of geometric means (95% interval)', 'AIMSS / no AIMSS, baseline']
    """
    data = forest_data(results, alpha=alpha, sort=sort)
    table = one_comparison(results, "forest")
    needs_estimates(table, "forest")
    scale, own = scale_of(table), ax is None
    ax = axes_for(ax, 6.8, height_of(len(data), margin=1.3))
    rows = name_rows(ax, data["analyte"].tolist())
    show_scale(ax, scale)
    bars(ax, rows, data, scale, ink(ax))
    points(ax, rows, data, scale, ink(ax), "o")
    ax.set_xlabel(axis_text(ax, table, contrast_text(table, results.meta)))
    strip(ax)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", pad=8)  # room for arrows
    legend_of_marks(ax, table, alpha)
    _columns(ax, data, p_name(table))
    if own:
        make_room(ax, rows_height(len(data)))
    return ax


def _columns(ax: Axes, data: pd.DataFrame, p_header: str) -> None:
    """Write shares below the limit and adjusted p-values right of the axes, each column flush right."""
    roles = [role for role in COLOURS if data[f"n_{role}"].notna().any()]
    shares = [" / ".join(_percent(row[f"below_{role}"]) for role in roles) for row in data.to_dict("records")]
    p_texts = ["not tested" if np.isnan(p) else p_text(p) for p in data["p_adjusted"]]
    side = f"\n{' / '.join(roles)}" if len(roles) > 1 else ""
    edge, size = 0.0, row_font(ax, len(data), "small")
    for header, column in ((f"below limit{side}", shares), (p_header.replace(" p", "\np"), p_texts)):
        letters = max(len(text) for text in (*column, *header.split("\n")))
        edge += (12 + 4.7 * letters) * text_scale()  # points
        _beside(ax, edge, header, column, size)


def _beside(ax: Axes, edge: float, header: str, column: Sequence[str], size: float) -> None:
    options: dict[str, Any] = {"textcoords": "offset points", "ha": "right", "annotation_clip": False}
    ax.annotate(header, (1, 1), (edge, 3), xycoords="axes fraction", va="bottom", fontsize="small", **options)
    for row, text in enumerate(column):
        style: dict[str, Any] = {"color": ink(ax, GREY) if text == "not tested" else ink(ax), "fontsize": size}
        ax.annotate(text, (1, row), (edge, 0), xycoords=ax.get_yaxis_transform(), va="center", **style, **options)


def _percent(share: float) -> str:
    return "\N{EN DASH}" if np.isnan(share) else f"{share:.0%}"


# ---------------------------------------------------------------- change


def change_data(results: Results, *, alpha: float = 0.05) -> pd.DataFrame:
    """Return what `change` draws: one row an analyte, group and visit after baseline."""
    fraction("alpha", alpha)
    table = one_comparison(results, "change", apart=("contrast", "visit")).reset_index(drop=True)
    one_group = table["n_case"].isna() != table["n_control"].isna()
    if not one_group.all():
        other = table.loc[~one_group, "contrast"].iloc[0]
        raise OptionError(f"change() shows the results of change_within(); these hold {other!r}. Show that with forest().")
    data = table[["analyte", "visit"]].copy()
    data.insert(1, "group", np.where(table["n_case"].notna(), "case", "control"))
    data["baseline"] = [
        contrast[len(visit) + 3 : -len(f" in {group}")]
        for contrast, visit, group in zip(table["contrast"], table["visit"], data["group"], strict=True)
    ]
    data["n"] = table["n_case"].fillna(table["n_control"])
    numbers = ["estimate", "conf_low", "conf_high", "p_value", "p_adjusted"]
    data[numbers] = table[numbers]
    data["significant"] = data["p_adjusted"] <= alpha
    return data


def change(results: Results, *, alpha: float = 0.05, ax: Axes | None = None) -> Axes:
    """How did each analyte change from baseline, in cases and in controls?

    Parameters
    ----------
    results : Results
        Of `change_within`; one group or both, any visits.
    alpha : float
        Bound for the adjusted p-value, as in `forest`.
    ax : Axes, optional

    Returns
    -------
    Axes
        Of one analyte: visits from left to right, each group a line from no change at baseline. Of several: one row an analyte,
        cases above controls; within each of these several visits from top to bottom, joined by a line. Marks are filled where
        adjusted p <= `alpha`, else open; an interval that reaches beyond the axis ends in an arrow there.

    Raises
    ------
    OptionError
        Results of another question, or tested in several ways.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> results = cc.change_within(cc.load_study("quickstart"))
    >>> ax = plots.change(results.select(analyte="IL-6"))
    >>> [tick.get_text() for tick in ax.get_xticklabels()]
    ['baseline', 'month6']
    """
    data = change_data(results, alpha=alpha)
    table, meta = results.table, results.meta
    names = {role: short(name) for role, name in group_names(meta).items()}
    one = data["analyte"].nunique() == 1
    visits = list(dict.fromkeys(data["visit"]))
    scale, own = scale_of(table), ax is None
    draw = _one_analyte if one else _many_analytes
    ax = draw(ax, data, scale, visits, names)
    sign = "-" if table["scale"].iloc[0] == "raw" else "/"
    contrast = f"{visit_of(visits[0], meta) if len(visits) == 1 else 'visit'} {sign} {visit_of(data['baseline'].iloc[0], meta)}"
    text = axis_text(ax, table, contrast, upright=one)
    if one:
        ax.set_ylabel(f"{short(data['analyte'].iloc[0])}\n{text}")
        ax.set_xlabel("visit")
    else:
        rows = f"\n{wrapped(ax, 'in each group from top to bottom: ' + ', '.join(visits))}" if len(visits) > 1 else ""
        ax.set_xlabel(f"{text}{rows}")
    strip(ax)
    legend_of_marks(ax, table, alpha, columns=2)
    if own:
        make_room(ax, _PATHS_HEIGHT if one else rows_height(data["analyte"].nunique(), _row(data)))
    return ax


def _one_analyte(ax: Axes | None, data: pd.DataFrame, scale: Scale, visits: list[str], names: dict[str, str]) -> Axes:
    """Draw visits from left to right, a line a group."""
    ax = axes_for(ax, max(4.6, 2.8 + 0.9 * len(visits)), 3.8)
    show_scale(ax, scale, upright=True)
    groups = [role for role in COLOURS if (data["group"] == role).any()]
    for i, role in enumerate(groups):
        part = data[data["group"] == role].set_index("visit").reindex(visits)
        shift = 0.08 * (2 * i + 1 - len(groups))
        x = np.arange(1, len(visits) + 1) + shift
        start = [] if scale.null is None else [(shift, scale.null)]
        path = np.array([*start, *zip(x, scale.cut(part["estimate"]), strict=True)])
        style = {"color": COLOURS[role], "ls": LINES[role], "marker": MARKS[role], "ms": 0, "lw": 1.2}
        ax.plot(*path.T, **style, zorder=1.2)
        ax.plot([], [], **{**style, "ms": 5}, label=names[role])
        bars(ax, x, part, scale, COLOURS[role], upright=True)
        points(ax, x, part, scale, COLOURS[role], MARKS[role], upright=True, size=6)
        not_tested(ax, x, part, scale, upright=True)
    ax.set_xlim(-0.4, len(visits) + 0.4)
    name_visits(ax, range(len(visits) + 1), [data["baseline"].iloc[0], *visits])
    return ax


def _many_analytes(ax: Axes | None, data: pd.DataFrame, scale: Scale, visits: list[str], names: dict[str, str]) -> Axes:
    """Draw a row an analyte, in it first the cases, visit by visit, then the controls."""
    analytes = list(dict.fromkeys(data["analyte"]))
    groups = [role for role in COLOURS if (data["group"] == role).any()]
    lines = len(visits) * len(groups)
    ax = axes_for(ax, 6.4, height_of(len(analytes), margin=1.5, row=_row(data)))
    rows = dict(zip(analytes, name_rows(ax, analytes), strict=True))
    show_scale(ax, scale)
    edges = np.arange(1, len(analytes)) - 0.5
    across: dict[str, Any] = {"transform": ax.get_yaxis_transform(), "color": ink(ax, FAINT), "lw": 0.4, "zorder": 0}
    ax.plot(*_broken(np.tile([0.0, 1.0], len(edges)), edges.repeat(2), edges.repeat(2)), **across)
    ax.spines["left"].set_visible(False)
    ax.tick_params(axis="y", pad=8)  # room for arrows
    step = 0.76 / lines
    for i, role in enumerate(groups):
        part = data[data["group"] == role]
        line = [i * len(visits) + visits.index(visit) for visit in part["visit"]]
        y = part["analyte"].map(rows).to_numpy() + (np.array(line) - (lines - 1) / 2) * step
        if len(visits) > 1:
            order = np.argsort(part["analyte"].map(rows), kind="stable")
            joined = _broken(scale.cut(part["estimate"])[order], y[order], part["analyte"].to_numpy()[order])
            ax.plot(*joined, label=f"_{role}", color=COLOURS[role], ls=LINES[role], lw=0.6, zorder=1)
        bars(ax, y, part, scale, COLOURS[role])
        points(ax, y, part, scale, COLOURS[role], MARKS[role], size=4 if lines < 4 else 3.4)
        ax.plot([], [], color=COLOURS[role], marker=MARKS[role], ms=5, lw=1.2, label=names[role])
        part, y = _once_a_row(part, y, data, rows)
        not_tested(ax, y, part, scale)
    return ax


def _broken(x: np.ndarray, y: np.ndarray, of: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return a path that is broken where it comes to something else."""
    ends = np.flatnonzero(of[1:] != of[:-1]) + 1
    return np.insert(x, ends, np.nan), np.insert(y, ends, np.nan)


def _row(data: pd.DataFrame) -> float:
    """Return the height in inches of a row of groups and visits."""
    return max(0.3, 0.075 * data["visit"].nunique() * data["group"].nunique() + 0.08)


def _once_a_row(part: pd.DataFrame, y: np.ndarray, data: pd.DataFrame, rows: dict[str, int]) -> tuple[pd.DataFrame, np.ndarray]:
    """Return the rows of a group that say "not tested", and their heights: one where no visit was tested, or no group either."""
    tested = data["p_value"].notna()
    in_analyte = tested.groupby(data["analyte"]).any().loc[part["analyte"]].to_numpy()
    in_group = tested[part.index].groupby(part["analyte"]).transform("any").to_numpy()
    middle = pd.Series(y, part.index).groupby(part["analyte"]).transform("mean").to_numpy()
    whole = part["analyte"].map(rows).to_numpy(dtype=np.float64)
    y = np.where(in_group, y, np.where(in_analyte, middle, whole))
    first = ~part.duplicated("analyte") & (in_analyte | (part["group"] == data["group"].iloc[0]))
    keep = (in_group | first).to_numpy()
    return part[keep], y[keep]
