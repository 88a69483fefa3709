"""Which analytes go together: a matrix of correlations, like beside like."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.colors import Colormap, LinearSegmentedColormap
from matplotlib.font_manager import FontProperties

from ..correlations import correlation_table, visit_slice
from ..errors import OptionError
from ..labels import as_label
from ..study import Study
from .drawing import FAINT, GREY, INK, axes_for, note_below, one_line, visits_text, wrapped

# Blue to orange; the negative end is darker than the positive one can be, which a grey print keeps.
_COLOURS = ("#08306b", "#2b6cb0", "#9ecae1", "#f7f7f7", "#fdc692", "#f08a3c", "#c8500a")
_WIDTH, _LARGEST, _SMALLEST, _MOST_NAMED = 7.0, 0.34, 0.095, 100  # inches: picture, cells; analytes
_NUMBER_CELL, _SIGN_CELL, _NAME_CELL = 0.27, 0.09, 0.085  # inches from which cells hold a number, a dash, have a name
_NUMBERS, _DASHED, _LINES, _LETTERS = 20, -0.2, 60, 24


def correlation_data(
    study: Study | pd.DataFrame, *, visit: Any = None, group: str | None = None, method: str = "spearman"
) -> pd.DataFrame:
    """Return what `correlation` draws: column analyte, then a column of correlations for each, all in the order drawn."""
    if isinstance(study, pd.DataFrame):
        if visit is not None or group is not None:
            raise OptionError(
                "correlation(): `visit` and `group` choose from a Study; a table of correlations has them behind it."
            )
        table = _checked(study)
    else:
        table = correlation_table(study, visit=visit, group=group, method=method)
    order = _order(table.to_numpy())
    data = table.iloc[order, order].reset_index(drop=True)
    data.insert(0, "analyte", table.index[order].to_numpy(dtype=object), allow_duplicates=True)
    return data


def correlation(
    study: Study | pd.DataFrame, *, visit: Any = None, group: str | None = None, method: str = "spearman", ax: Axes | None = None
) -> Axes:
    """Which analytes go together?

    Parameters
    ----------
    study : Study or DataFrame
        Or a table of correlations, such as `correlation_table` returns: analytes x analytes, between -1 and 1, NaN where there
        is none.
    visit, group, method
        As in `correlation_table`; of a study only.
    ax : Axes, optional

    Returns
    -------
    Axes
        One cell a pair, analytes ordered by average linkage on 1 - r (where a pair has no r: 1), neighbours as alike as the
        tree allows. Those without any correlation stand last; cells without one are hatched. Up to 20 analytes r is written
        into each cell, in larger pictures a dash marks -0.2 and lower, so that a grey print keeps the sign. Names that cannot
        be read at the size of the axes are left out, which the axis says.

    Raises
    ------
    OptionError
        A table that is no matrix of correlations; `visit` or `group` with a table; as `correlation_table`.
    StudyError
        As `correlation_table`.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.correlation(cc.load_study("quickstart"), group="control")
    >>> ax.get_xlabel()
    'baseline, no AIMSS (22 subjects)'
    """
    data = correlation_data(study, visit=visit, group=group, method=method)
    names, r = data.iloc[:, 0].tolist(), data.iloc[:, 1:].to_numpy(dtype=np.float64)
    n = len(names)
    cell = min(_LARGEST, max(_WIDTH / n, _SMALLEST if n <= _MOST_NAMED else 0.0))
    if ax is None:
        # Cells are square by the size of the figure: a fixed aspect and a layout that makes room for names do not agree.
        side, room = max(cell * n, 1.0), _room(names, cell)
        ax = axes_for(None, side + room + 1.1, side + room + 0.7)
    else:
        ax = axes_for(ax, 0, 0)
        ax.set_aspect("equal")
        cell = min(_inches(ax)) / n
    colours = LinearSegmentedColormap.from_list("correlation", _COLOURS)
    mesh = _cells(ax, r, colours)
    _names(ax, names, cell)
    _colour_bar(ax, mesh, _title(study, method), dashed=_signs(ax, r, colours, cell))
    note = _note(r)
    if isinstance(study, Study):
        ax.set_xlabel(wrapped(ax, _who(study, visit, group)))
    elif note:
        ax.set_xlabel(" ")
    note_below(ax, note)
    return ax


def _checked(table: pd.DataFrame) -> pd.DataFrame:
    names = [str(name) for name in table.index]
    if not len(table) or names != [str(name) for name in table.columns]:
        raise OptionError("correlation() takes a Study, or a table with the same analytes, in one order, as rows and as columns.")
    try:
        r = table.to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise OptionError("correlation(): the table holds something that is not a number.") from None
    out = ~np.isnan(r) & ~(np.abs(r) <= 1)
    if out.any():
        i, j = np.argwhere(out)[0]
        raise OptionError(
            f"correlation(): {r[i, j]:g} of {names[i]!r} and {names[j]!r} is no correlation; they lie from -1 to 1."
        )
    if not np.allclose(r, r.T, rtol=0, atol=1e-8, equal_nan=True):
        raise OptionError("correlation(): the table is not symmetric.")
    return pd.DataFrame(r, index=pd.Index(names, dtype=object), columns=pd.Index(names, dtype=object))


def _order(r: np.ndarray) -> np.ndarray:
    """Return the order of the rows: like beside like, those without any correlation last."""
    from scipy.cluster.hierarchy import leaves_list, linkage

    apart = ~np.eye(len(r), dtype=bool)
    some = np.flatnonzero((~np.isnan(r) & apart).any(axis=1))
    rest = np.setdiff1d(np.arange(len(r)), some)
    if len(some) < 3:
        return np.concatenate([some, rest])
    distance = 1 - np.nan_to_num(r[np.ix_(some, some)], nan=0.0)
    tree = linkage(distance[np.triu_indices(len(some), 1)], "average", optimal_ordering=True)
    return np.concatenate([some[leaves_list(tree)], rest])


def _inches(ax: Axes) -> tuple[float, float]:
    box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
    return box.width, box.height


def _cells(ax: Axes, r: np.ndarray, colours: Colormap) -> QuadMesh:
    n = len(r)
    edges = np.arange(n + 1) - 0.5
    lines = {"edgecolors": "white", "linewidth": 0.5} if n <= _LINES else {"linewidth": 0}
    # Beyond what eyes resolve a vector for each cell only makes the file large.
    mesh = ax.pcolormesh(
        edges, edges, np.ma.masked_invalid(r), cmap=colours, vmin=-1, vmax=1, rasterized=n > _MOST_NAMED, **lines
    )
    ax.patch.set(facecolor="white", edgecolor=GREY if n <= _LINES else FAINT, hatch="/////", linewidth=0)
    ax.set(xlim=(-0.5, n - 0.5), ylim=(n - 0.5, -0.5))
    ax.spines[:].set_visible(False)
    return mesh


def _names(ax: Axes, names: list[Any], cell: float) -> None:
    n = len(names)
    ax.tick_params(length=0)
    if cell < _NAME_CELL:
        ax.set(xticks=[], yticks=[], ylabel=f"{n} analytes, like beside like")
        return
    texts = [one_line(name, _LETTERS) for name in names]
    ax.set_xticks(range(n), texts, rotation=90, fontsize=_name_size(cell))
    ax.set_yticks(range(n), texts, fontsize=_name_size(cell))


def _name_size(cell: float) -> float:
    return min(FontProperties(size="small").get_size_in_points(), 0.85 * 72 * cell)


def _room(names: list[Any], cell: float) -> float:
    """Return about how many inches the names take."""
    if cell < _NAME_CELL:
        return 0.3
    return max(len(one_line(name, _LETTERS)) for name in names) * _name_size(cell) * 0.55 / 72


def _signs(ax: Axes, r: np.ndarray, colours: Colormap, cell: float) -> bool:
    """Write each r, or mark where it is negative; tell whether dashes were drawn."""
    if len(r) <= _NUMBERS and cell >= _NUMBER_CELL:
        for i, j in np.argwhere(~np.isnan(r)):
            text = f"{r[i, j] + 0.0:.1f}".replace("-0.0", "0.0").replace("-", "\N{MINUS SIGN}")
            ax.text(j, i, text, ha="center", va="center", fontsize=72 * cell * 0.3, color=_on(colours, r[i, j]))
        return False
    if cell < _SIGN_CELL:
        return False
    i, j = np.nonzero(np.nan_to_num(r) <= _DASHED)
    ax.scatter(j, i, marker="_", s=(72 * cell * 0.4) ** 2, lw=0.9, c=[_on(colours, x) for x in r[i, j]] if len(i) else None)
    return True


def _on(colours: Colormap, x: float) -> str:
    """Return what can be read on the colour of a value."""
    red, green, blue, _ = colours((x + 1) / 2)
    return INK if 0.3 * red + 0.59 * green + 0.11 * blue > 0.5 else "white"


def _colour_bar(ax: Axes, mesh: QuadMesh, title: str, *, dashed: bool) -> None:
    inset = ax.inset_axes((1.03, 0, 0.035, 1))
    bar = ax.figure.colorbar(mesh, cax=inset, ticks=[-1, -0.5, 0, 0.5, 1], label=title)
    bar.outline.set_visible(False)
    if dashed:
        at = np.arange(-0.95, _DASHED, 0.15)
        inset.scatter(np.full(len(at), 0.5), at, marker="_", s=20, lw=0.9, c=[_on(mesh.get_cmap(), x) for x in at])


def _title(study: Study | pd.DataFrame, method: str) -> str:
    return f"{method.capitalize()} correlation" if isinstance(study, Study) else "correlation"


def _who(study: Study, visit: Any, group: str | None) -> str:
    places = visit_slice(study, visit)
    there = (study.sample_at[places] >= 0).any(axis=0)
    if group is not None:
        there &= (study.subjects["role"] == group).to_numpy(dtype=bool)
    label = study.baseline if visit is None else as_label(visit)
    at = visits_text(study.baseline_visits if label == study.baseline else (label,), study.baseline_visits)
    name = "all" if group is None else getattr(study.design, group)
    return f"{at}, {name} ({there.sum()} subjects)"


def _note(r: np.ndarray) -> str:
    gone = np.isnan(r)
    apart = gone & ~np.eye(len(r), dtype=bool)
    whole = int(gone.all(axis=1).sum())
    pairs = int(np.triu(apart[~gone.all(axis=1)][:, ~gone.all(axis=1)], 1).sum())
    parts = [f"{whole} analyte{'' if whole == 1 else 's'}"] if whole else []
    parts += [f"{pairs} pair{'' if pairs == 1 else 's'}"] if pairs else []
    return f"hatched: {' and '.join(parts)} without a correlation" if parts else ""
