"""Legends above the axes, without a frame, no wider than there is room for."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from matplotlib.axes import Axes
from matplotlib.transforms import ScaledTranslation

from .drawing import alone, text_scale

_MARK, _LETTER = 0.45, 0.065  # inches: of a mark with its gaps, of a small letter


def legend_above(
    ax: Axes,
    handles: Mapping[str, Any] | None = None,
    *,
    lift: float = 0.0,
    title: str | None = None,
    columns: int = 5,
    side: str = "left",
) -> None:
    """Set a legend above the axes, so many points higher, in as many columns as the width has room for, at most `columns`.

    Without `handles` it is of what has a label.
    """
    if handles is None:
        found, labels = ax.get_legend_handles_labels()
        handles = dict(zip(labels, found, strict=True))
    if not handles:
        return
    # In a figure of its own, what stands right of the axes leaves room at the left.
    room = ax.bbox.width / ax.figure.dpi / text_scale() * (1.2 if alone(ax) and side == "right" else 1.0)
    widths = [max(map(len, name.split("\n"))) * _LETTER + _MARK for name in handles]
    ncols = next((n for n in range(min(len(widths), columns), 1, -1) if sum(_column_widths(widths, n)) <= room), 1)
    names = list(handles)
    if ncols == 1:
        names = ["\n".join(line for part in name.split("\n") for line in _lines(part, room)) for name in names]
    where = ax.transAxes + ScaledTranslation(0, lift / 72, ax.figure.dpi_scale_trans)
    place: dict[str, Any] = {"loc": f"lower {side}", "bbox_to_anchor": (side == "right", 1), "bbox_transform": where}
    place |= {"borderaxespad": 0.2, "handletextpad": 0.5, "frameon": False, "fontsize": "small"}
    ax.legend(handles.values(), names, ncols=ncols, title=title, **place)


def _lines(text: str, room: float) -> list[str]:
    return textwrap.wrap(text, max(int((room - _MARK) / _LETTER), 12)) or [text]


def _column_widths(widths: Sequence[float], columns: int) -> list[float]:
    """Return the width of each column of a legend, whose columns are filled one after the other."""
    rows, longer = divmod(len(widths), columns)
    ends = [0]
    for column in range(columns):
        ends.append(ends[-1] + rows + (column < longer))
    return [max(widths[a:b]) for a, b in pairwise(ends)]
