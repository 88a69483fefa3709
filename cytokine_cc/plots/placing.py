"""Names beside marks: each at the nearest place where it covers nothing, or nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

from .drawing import GREY, ink

_FAR = (5, 11, 18, 27, 38, 51, 66, 83)  # points from the middle of a mark to its name
_TURNS = np.radians([0, 180, 90, 270, 45, 135, 315, 225, 22, 158, 338, 202])  # the first are taken first
_LEADER = 12  # points from which a line leads to the mark
_CLEAR, _GAP = 4.0, 1.0  # points between a name and a mark, and between names


def place_names(ax: Axes, names: Sequence[str], at: Sequence[tuple[float, float]], marks: np.ndarray, *, settle: bool) -> int:
    """Write names beside their marks, the first ones first; return how many found no place.

    No name covers a mark, another name, a line that leads to one, or a text that is there, or leaves the axes. The same input
    gives the same picture.

    Parameters
    ----------
    at : sequence of (x, y)
        Where the mark of each name stands, in data coordinates.
    marks : ndarray, shape (n, 2)
        All marks.
    settle : bool
        Lay the figure out first, which decides how long the axes are; for a figure of the picture's own.
    """
    if len(names) and settle and isinstance(ax.figure, Figure) and (engine := ax.figure.get_layout_engine()) is not None:
        engine.execute(ax.figure)
    point = ax.figure.dpi / 72
    marks = ax.transData.transform(marks) if len(marks) else marks
    taken = [text.get_window_extent() for text in ax.texts]
    lines = np.empty((0, 2))
    unplaced = 0
    for name, spot in zip(names, at, strict=True):
        text = ax.annotate(name, spot, (0, 0), textcoords="offset points", fontsize="small", color=ink(ax), zorder=5)
        size = text.get_window_extent().size
        own = np.array(ax.transData.transform(np.array(spot)))
        found = _place(own, np.array(size), marks, taken, lines, ax.bbox, point)
        if found is None:
            text.remove()
            unplaced += 1
            continue
        offset, box, leader = found
        text.set(position=offset / point, ha="left", va="bottom")
        taken.append(box)
        lines = np.vstack([lines, leader])
        if len(leader):
            _lead(ax, spot, own, box, point)
    return unplaced


def _place(
    own: np.ndarray, size: np.ndarray, marks: np.ndarray, taken: list[Bbox], lines: np.ndarray, inside: Bbox, point: float
) -> tuple[np.ndarray, Bbox, np.ndarray] | None:
    """Find the nearest free box for a name: its offset from the mark, the box, and points of the line that leads there."""
    for far in _FAR:
        for turn in _TURNS:
            way = np.array([np.cos(turn), np.sin(turn)])
            corner = own + way * far * point + size * (way - 1) / 2  # the box touches the circle from outside
            box = Bbox.from_bounds(*corner, *size)
            if not (inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1):
                continue
            wide = box.padded(_GAP * point)
            if any(wide.overlaps(other) for other in taken) or _holds(wide, lines) or _holds(box.padded(_CLEAR * point), marks):
                continue
            leader = _between(own, box) if far >= _LEADER else np.empty((0, 2))
            if any(_holds(other, leader) for other in taken):
                continue
            return corner - own, box, leader
    return None


def _holds(box: Bbox, places: np.ndarray) -> bool:
    if not len(places):
        return False
    return bool(((places > box.min) & (places < box.max)).all(axis=1).any())


def _between(own: np.ndarray, box: Bbox) -> np.ndarray:
    """Return points from a mark to the nearest side of a box."""
    return own + (np.clip(own, box.min, box.max) - own) * np.linspace(0, 1, 30)[:, None]


def _lead(ax: Axes, spot: tuple[float, float], own: np.ndarray, box: Bbox, point: float) -> None:
    end: Any = (np.clip(own, box.min, box.max) - own) / point
    arrow = {"arrowstyle": "-", "color": ink(ax, GREY), "lw": 0.6, "shrinkA": 0, "shrinkB": 3}
    line = Annotation("", spot, end, textcoords="offset points", arrowprops=arrow, zorder=1.8)
    ax.add_artist(line)
