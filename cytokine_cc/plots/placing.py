"""Names beside marks: moved apart by adjustText, and left out where they would still cover something."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Annotation, Text
from matplotlib.transforms import Bbox

from .drawing import GREY, ink

_LEADER = 7  # points from which a line leads to the mark
_CLEAR, _GAP, _RIM = 2.5, 0.5, 5.0  # points between a name and the middle of a mark, between names, and around a mark
_MOST_NEAR, _NEAR = 50, 90  # marks that names are moved away from, the nearest; points within which they are near
_FORCES: dict[str, Any] = {"force_text": (0.2, 0.4), "force_static": (0.2, 0.4)}
_STEPS, _FEW = 120, 20
# Points from a mark at which its name sets out; those that find no place try again from the next.
_STARTS = ((0, 0), (18, 12), (-18, 12), (30, 26), (-30, 26), (0, 40))


def place_names(ax: Axes, names: Sequence[str], at: Sequence[tuple[float, float]], marks: np.ndarray, *, settle: bool) -> int:
    """Write names beside their marks, the first ones first; return how many found no place.

    No name covers a mark, another name or a text that is there, or leaves the axes. The same input gives the same picture.

    Parameters
    ----------
    at : sequence of (x, y)
        Where the mark of each name stands, in data coordinates.
    marks : ndarray, shape (n, 2)
        All marks.
    settle : bool
        Lay the figure out first, which decides how long the axes are; for a figure of the picture's own.
    """
    if not len(names):
        return 0
    if settle and isinstance(ax.figure, Figure) and (engine := ax.figure.get_layout_engine()) is not None:
        engine.execute(ax.figure)
    left = [
        (ax.text(x, y, name, fontsize="small", color=ink(ax), zorder=5), (x, y)) for name, (x, y) in zip(names, at, strict=True)
    ]
    placed = [text for text in ax.texts if text not in {own for own, _ in left}]
    for start in _STARTS:
        left = _settle(ax, left, placed, marks, start)
    for text, _ in left:
        text.remove()
    return len(left)


_Name = tuple[Text, tuple[float, float]]


def _settle(ax: Axes, names: list[_Name], placed: list[Text], marks: np.ndarray, start: tuple[float, float]) -> list[_Name]:
    """Move names apart; add those that cover nothing to the placed ones, and return the others."""
    if not names:
        return []
    point, spots = ax.figure.dpi / 72, ax.transData.transform(marks)
    own = np.array([at for _, at in names])
    begin = ax.transData.inverted().transform(ax.transData.transform(own) + np.array(start) * point)
    for (text, _), spot in zip(names, begin, strict=True):
        text.set_position(tuple(spot))
    _move(ax, [text for text, _ in names], own, marks, placed)
    taken, left = [text.get_window_extent() for text in placed], []
    for text, at in names:
        box = text.get_window_extent()
        if _is_free(box, spots, taken, ax.bbox, point):
            taken.append(box)
            placed.append(text)
            _lead(ax, at, box, point)
        else:
            left.append((text, at))
    return left


def _move(ax: Axes, written: list[Text], own: np.ndarray, marks: np.ndarray, there: list[Text]) -> None:
    from adjustText import adjust_text

    x, y = _in_the_way(ax, own, marks).T
    # A step looks at pairs of overlaps, and of lines that cross: of many names it takes long, and few of them find a place.
    many = len(written) > _FEW
    effort: dict[str, Any] = {"iter_lim": _STEPS // 4 if many else _STEPS, "prevent_crossings": not many}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of a name that is wider than the axes
        adjust_text(written, x, y, objects=there or None, ax=ax, expand=(1.3, 1.6), **_FORCES, **effort)


def _in_the_way(ax: Axes, named: np.ndarray, marks: np.ndarray) -> np.ndarray:
    """Return the places that names should not touch: the rims of their own marks, and the marks nearest to them."""
    point = ax.figure.dpi / 72
    rim = np.array([(1, 0), (-1, 0), (0, 1), (0, -1)]) * _RIM * point
    own, others = ax.transData.transform(named), ax.transData.transform(marks)
    distance = np.abs(others[:, None, :] - own).max(axis=-1).min(axis=-1)
    near = np.argsort(distance, kind="stable")[: len(own) + _MOST_NEAR]
    spots = np.vstack([(own[:, None, :] + rim).reshape(-1, 2), others[near[distance[near] < _NEAR * point]]])
    return ax.transData.inverted().transform(spots)


def _is_free(box: Bbox, marks: np.ndarray, taken: list[Bbox], inside: Bbox, point: float) -> bool:
    within = inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
    wide, clear = box.padded(_GAP * point), box.padded(_CLEAR * point)
    covered = ((marks > clear.min) & (marks < clear.max)).all(axis=1).any()
    return bool(within and not covered and not any(wide.overlaps(other) for other in taken))


def _lead(ax: Axes, at: tuple[float, float], box: Bbox, point: float) -> None:
    """Draw a line from a mark to a name that stands away from it."""
    mark = ax.transData.transform(at)
    way: Any = (np.clip(mark, box.min, box.max) - mark) / point
    if np.hypot(*way) < _LEADER:
        return
    arrow = {"arrowstyle": "-", "color": ink(ax, GREY), "lw": 0.6, "shrinkA": 0, "shrinkB": 3}
    ax.add_artist(Annotation("", at, way, textcoords="offset points", arrowprops=arrow, zorder=1.8))
