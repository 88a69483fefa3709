"""What pictures of estimates share: the axis of an estimand, intervals that may be cut, marks filled where significant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..results import is_ratio, no_effect
from ..wording import CORRECTION_NAMES
from .drawing import GREY, group_names, ink, letters_along, paper, ratio_axis, visit_of, wrapped
from .legends import legend_above

_ROOM = 4  # an interval may reach so many usual half widths beyond the estimates before it is cut
_WIDTH, _POINT = 1.1, 5.0
_ONE_LINE = 44  # letters
_AT_EDGE, _AT_SYMMETRIC_EDGE = 0.06, 0.12  # of the range: free at the ends


@dataclass(frozen=True)
class Scale:
    """The axis of an estimate: on a log axis or not, the value of no effect (None: not known), and its limits."""

    ratio: bool
    null: float | None
    low: float
    high: float

    def cut(self, values: Any) -> np.ndarray:
        """Bring what lies beyond the limits to them."""
        return np.clip(np.asarray(values, dtype=np.float64), self.low, self.high)

    @property
    def middle(self) -> float:
        """Where a word stands in place of a mark."""
        return self._centre if self.null is None else self.null

    def in_lower_half(self, value: float) -> bool:
        """Whether a value stands below the middle of the axis."""
        return value <= self._centre

    @property
    def _centre(self) -> float:
        return float(np.sqrt(self.low * self.high)) if self.ratio else (self.low + self.high) / 2


def scale_of(table: pd.DataFrame, *, intervals: bool = True, symmetric: bool = False) -> Scale:
    """Find the axis for a table's estimates: all of them, and their intervals as far as these leave room to read them."""
    estimand = str(table["estimand"].iloc[0])
    ratio = is_ratio(estimand)
    null = None if math.isnan(no_effect(estimand)) else no_effect(estimand)
    with np.errstate(divide="ignore", invalid="ignore"):
        numbers = table[["estimate", "conf_low", "conf_high"]].to_numpy(dtype=np.float64)
        numbers = np.log(numbers) if ratio else numbers.copy()
    numbers[~np.isfinite(numbers)] = np.nan
    zero = None if null is None else float(np.log(null)) if ratio else null
    pad = _AT_SYMMETRIC_EDGE if symmetric else _AT_EDGE
    low, high = _reach(numbers[:, 0], numbers[:, 1:] if intervals else numbers[:, :0], zero, pad)
    if symmetric and zero is not None:
        far = max(zero - low, high - zero)
        low, high = zero - far, zero + far
    return Scale(ratio, null, float(np.exp(low)), float(np.exp(high))) if ratio else Scale(ratio, null, low, high)


def _reach(estimates: np.ndarray, ends: np.ndarray, zero: float | None, edge: float) -> tuple[float, float]:
    known = estimates[~np.isnan(estimates)]
    known = known if zero is None else np.append(known, zero)
    low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 0.0)
    if ends.size and not np.isnan(ends).all():
        half = np.abs(ends - estimates[:, None])
        usual = float(np.nanmedian(half)) if not np.isnan(half).all() else 0.0
        room = max(high - low, _ROOM * usual)
        kept = np.clip(ends[~np.isnan(ends)], low - room, high + room)
        low, high = min(low, float(kept.min())), max(high, float(kept.max()))
    pad = edge * (high - low) or max(0.1, 0.1 * abs(high))
    return low - pad, high + pad


def show_scale(ax: Axes, scale: Scale, *, upright: bool = False) -> None:
    """Set the limits and ticks of the axis of estimates, and draw the line of no effect."""
    (ax.set_ylim if upright else ax.set_xlim)(scale.low, scale.high)
    if scale.ratio:
        ratio_axis(ax.yaxis if upright else ax.xaxis)
    if scale.null is not None:
        (ax.axhline if upright else ax.axvline)(scale.null, color=ink(ax, GREY), lw=0.8, zorder=0)


def bars(ax: Axes, places: Any, data: pd.DataFrame, scale: Scale, colour: str, *, upright: bool = False) -> None:
    """Draw intervals; one that reaches beyond the axis ends in an arrow there."""
    places, low, high = (np.asarray(x, dtype=np.float64) for x in (places, data["conf_low"], data["conf_high"]))
    there = ~(np.isnan(low) | np.isnan(high))
    places, low, high = places[there], low[there], high[there]
    draw = ax.vlines if upright else ax.hlines
    draw(places, scale.cut(low), scale.cut(high), color=colour, lw=_WIDTH, zorder=1.5)
    _arrows(ax, places, low, high, scale, colour, upright, filled=True)


def points(
    ax: Axes,
    places: Any,
    data: pd.DataFrame,
    scale: Scale,
    colour: str,
    mark: str,
    *,
    upright: bool = False,
    size: float = _POINT,
) -> None:
    """Draw estimates: filled where significant, else open, grey where not tested; those beyond the axis as arrows at its edge."""
    places, values = np.asarray(places, dtype=np.float64), data["estimate"].to_numpy(dtype=np.float64)
    inside = (values >= scale.low) & (values <= scale.high)
    found, tested = data["significant"].to_numpy(dtype=bool), data["p_value"].notna().to_numpy()
    none = ink(ax, GREY)
    for kind, edge, filled in ((found, colour, True), (~found & tested, colour, False), (~found & ~tested, none, False)):
        rows = kind & inside
        if rows.any():
            x, y = (places[rows], values[rows]) if upright else (values[rows], places[rows])
            ax.plot(x, y, mark, ms=size, color=edge, mfc=edge if filled else paper(ax), mew=_WIDTH, zorder=2.5)
        rows = kind & ~inside & ~np.isnan(values)
        if rows.any():
            _arrows(ax, places[rows], values[rows], values[rows], scale, edge, upright, filled=filled)


def _arrows(
    ax: Axes, places: np.ndarray, low: np.ndarray, high: np.ndarray, scale: Scale, colour: str, upright: bool, *, filled: bool
) -> None:
    for rows, edge, mark in ((low < scale.low, scale.low, "v<"), (high > scale.high, scale.high, "^>")):
        if rows.any():
            edges = np.full(rows.sum(), edge)
            x, y = (places[rows], edges) if upright else (edges, places[rows])
            face = colour if filled else paper(ax)
            ax.plot(x, y, mark[0 if upright else 1], ms=5, color=colour, mfc=face, clip_on=False, zorder=2.6)


def not_tested(ax: Axes, places: np.ndarray, data: pd.DataFrame, scale: Scale, *, upright: bool = False) -> None:
    """Write it where there is no p-value: in place of the mark, or beside it."""
    missing = data["p_value"].isna().to_numpy()
    for place, estimate in zip(places[missing], data["estimate"][missing], strict=True):
        value = scale.middle if np.isnan(estimate) else float(scale.cut(estimate))
        spot = (place, value) if upright else (value, place)
        up = 1 if not upright or scale.in_lower_half(value) else -1
        word = (
            {"rotation": 90, "ha": "center", "va": "bottom" if up > 0 else "top"} if upright else {"ha": "left", "va": "center"}
        )
        shift = (0, 6 * up) if upright else (6, 0)
        ax.annotate("not tested", spot, shift, textcoords="offset points", color=ink(ax, GREY), fontsize="x-small", **word)


def axis_text(ax: Axes, table: pd.DataFrame, contrast: str, *, intervals: bool = True, upright: bool = False) -> str:
    """Say what the axis of estimates shows, in which unit, with which intervals."""
    first = table.iloc[0]
    what = f"estimate of {first['test']}" if first["estimand"] == "none" else first["estimand"]
    unit = ", each in its unit" if first["scale"] == "raw" and first["estimand"] != "none" else ""
    level = f"({100 * first['conf_level']:g}% interval)" if intervals and table["conf_low"].notna().any() else ""
    one_line = level and len(what + unit + level) < min(_ONE_LINE, letters_along(ax, upright=upright))
    lines = [f"{what}{unit} {level}", contrast] if one_line else [what + unit, level, contrast]
    return "\n".join(wrapped(ax, line, upright=upright) for line in lines if line)


def contrast_text(table: pd.DataFrame, meta: Mapping[str, Any]) -> str:
    """Name the comparison with the user's labels, and its visit."""
    contrast, visit = str(table["contrast"].iloc[0]), str(table["visit"].iloc[0])
    names, at = group_names(meta), visit_of(visit, meta)
    if contrast.startswith(f"{visit} "):
        change, _, role = contrast.partition(" in ")
        sign = change.removeprefix(f"{visit} ")[:1]
        return f"{at} {sign} {visit_of(change.removeprefix(f'{visit} {sign} '), meta)} in {names.get(role, role)}"
    for sign in "/-":
        contrast = contrast.replace(f"case {sign} control", f"{names['case']} {sign} {names['control']}")
    return f"{contrast}, {at}"


def p_name(table: pd.DataFrame) -> str:
    """Name the p-value that is compared with alpha, such as "BH-adjusted p"."""
    method = str(table["adjust"].iloc[0])
    return "p" if method == "none" else f"{CORRECTION_NAMES[method]}-adjusted p"


def legend_of_marks(ax: Axes, table: pd.DataFrame, alpha: float, *, columns: int = 1) -> None:
    """Say above the axes what filled and open marks mean, after what has a label already."""
    name, colour = p_name(table), ink(ax)
    ax.plot([], [], "o", ms=_POINT, color=colour, label=f"{name} \N{LESS-THAN OR EQUAL TO} {alpha:g}")
    ax.plot([], [], "o", ms=_POINT, color=colour, mfc=paper(ax), mew=_WIDTH, label=f"{name} > {alpha:g}")
    legend_above(ax, columns=columns)
