"""What all pictures share: colours, marks, names, rows of analytes, axes of ratios."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from itertools import pairwise
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from matplotlib.transforms import ScaledTranslation

from ..errors import OptionError, quoted
from ..results import Results

# Apart in hue for the colour-blind, in lightness for a grey print, and never alone: the mark differs too.
COLOURS = {"case": "#a63603", "control": "#4393c3"}
MARKS = {"case": "o", "control": "D"}
LINES: dict[str, Any] = {"case": "-", "control": (0, (4, 1.5))}
BELOW_MARK, ABOVE_MARK = "v", "^"
INK, GREY, FAINT = "#222222", "#767676", "#d9d9d9"
ROW_HEIGHT, NAME_WIDTH = 0.24, 30  # inches; characters
_MOST_LINES = 2
_LEGEND_MARK = 0.45  # inches
_SMALL_LETTER = 0.065  # inches
_TICKS = ((0.4, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)), (0.8, (1, 1.5, 2, 3, 5, 7)), (3.0, (1, 2, 5)), (math.inf, (1,)))
_off_screen: ContextVar[bool] = ContextVar("off_screen", default=False)


@contextmanager
def off_screen() -> Iterator[None]:
    """Make figures that no window or notebook shows, for a page or a file."""
    token = _off_screen.set(True)
    try:
        yield
    finally:
        _off_screen.reset(token)


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or those of a new figure of this size in inches, laid out so that no name is cut off."""
    if ax is not None:
        if not isinstance(ax, Axes):
            raise OptionError(f"`ax` must be one matplotlib Axes; got {type(ax).__name__}.")
        return ax
    if _off_screen.get():
        return Figure(figsize=(width, height), layout="constrained").add_subplot()
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=(width, height), layout="constrained")[1]


def height_of(rows: int, *, margin: float = 1.1, row: float = ROW_HEIGHT) -> float:
    """Return the height in inches of a picture with so many rows."""
    return max(2.2, margin + row * rows)


def plain(text: Any) -> str:
    r"""Return text that matplotlib draws as it is: no formula, no control characters, not hidden from a legend.

    Examples
    --------
    >>> plain("cost $x$"), plain("_hidden"), plain("a\nb")
    ('cost \\$x\\$', '\u200b_hidden', 'a b')
    """
    line = "".join(letter if letter.isprintable() else " " for letter in str(text)).replace("$", r"\$")
    return f"\u200b{line}" if line.startswith("_") else line


def short(name: Any, width: int = NAME_WIDTH) -> str:
    r"""Break a long name into two lines; of a longer one the middle is left out.

    Examples
    --------
    >>> short("soluble interleukin-2 receptor subunit alpha")
    'soluble interleukin-2 receptor\nsubunit alpha'
    >>> short("x" * 100, width=10)
    'xxxxxxxxxx\nxxxxx…xxxx'
    """
    text = plain(name)
    lines = textwrap.wrap(text, width, break_on_hyphens=False) or [text]
    if len(lines) > _MOST_LINES:
        half = (width - 1) // 2
        lines = [lines[0], f"{lines[1][: width - 1 - half]}…{text[-half:]}"]
    return "\n".join(lines)


def name_rows(ax: Axes, names: Sequence[Any]) -> list[int]:
    """Give each name a row, the first on top; return the heights of the rows."""
    places = list(range(len(names)))
    ax.set_yticks(places, [short(name) for name in names])
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    for label in ax.get_yticklabels():
        if "\n" in label.get_text():
            label.set(fontsize="x-small", linespacing=1.0)  # two lines fit into a row
    return places


def strip(ax: Axes) -> None:
    """Take away the frame but for the axes that are read."""
    ax.spines[["top", "right"]].set_visible(False)


def ratio_axis(axis: Axis) -> None:
    """Make an axis logarithmic, its ticks plain numbers, more of them where the range is short; once its limits are set."""
    low, high = sorted(axis.get_view_interval())
    {"x": axis.axes.set_xscale, "y": axis.axes.set_yscale}[axis.axis_name]("log")  # type: ignore[attr-defined]
    decades = math.log10(high / low) if low > 0 else 1.0
    subs = next(subs for most, subs in _TICKS if decades <= most)
    axis.set_major_locator(LogLocator(subs=subs))
    axis.set_major_formatter(FuncFormatter(_plain_number))
    axis.set_minor_formatter(NullFormatter())


def note_below(ax: Axes, text: str) -> None:
    """Write under the label of the x axis what the picture leaves out; nothing if there is nothing to say."""
    if text:
        below: dict[str, Any] = {
            "xytext": (0, -3),
            "textcoords": "offset points",
            "ha": "center",
            "va": "top",
            "annotation_clip": False,
        }
        lines = textwrap.wrap(plain(text), max(int(ax.bbox.width / ax.figure.dpi / _SMALL_LETTER), 24))
        ax.annotate("\n".join(lines), (0.5, 0), xycoords=ax.xaxis.label, color=GREY, fontsize="small", **below)


def _plain_number(value: float, _: int | None = None) -> str:
    """Write a tick in plain digits, as a power of ten where they would be many."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:g}"
    digits, power = f"{value:e}".split("e")
    times = "" if float(digits) == 1 else rf"{float(digits):g}\times"
    return rf"${times}10^{{{int(power)}}}$"


def group_names(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's labels of cases and controls from the facts of a result; the roles where they are not there."""
    design = meta.get("design", {})
    return {role: plain(design.get(role, role)) for role in COLOURS}


def one_comparison(results: Results, function: str, *, apart: Sequence[str] = ()) -> pd.DataFrame:
    """Return the table, which must be of one contrast and visit: of several, one picture would mix the answers.

    What the picture keeps apart itself may be named in `apart`.
    """
    if not isinstance(results, Results):
        raise OptionError(f"{function}() takes Results; got {type(results).__name__}.")
    table = results.table
    if not len(table):
        raise OptionError(f"{function}(): these results hold no row.")
    keys = ["contrast", "visit", "test", "scale", "below_limit", "alternative"]
    several = [name for name in keys if name not in apart and table[name].nunique() > 1]
    if several:
        name = several[0]
        found = table[name].unique()
        raise OptionError(
            f"{function}() shows one comparison; these results hold {len(found)} of {name}: {quoted(found)}. "
            f"Choose one: results.select({name}={str(found[0])!r})."
        )
    return table


def legend(ax: Axes, **options: Any) -> None:
    """Add a legend without a frame, where anything has a label."""
    handles, labels = ax.get_legend_handles_labels()
    if handles:
        ax.legend(handles, labels, frameon=False, fontsize="small", **options)


def legend_above(ax: Axes, handles: Mapping[str, Any], *, lift: float = 0.0, title: str | None = None) -> None:
    """Set a legend above the axes, so many points higher, in as many columns as the width has room for."""
    if not handles:
        return
    widths = [max(map(len, name.split("\n"))) * _SMALL_LETTER + _LEGEND_MARK for name in handles]
    room, most = ax.bbox.width / ax.figure.dpi * 1.2, min(len(widths), 5)
    columns = next((n for n in range(most, 1, -1) if sum(_column_widths(widths, n)) <= room), 1)
    where = ax.transAxes + ScaledTranslation(0, lift / 72, ax.figure.dpi_scale_trans)
    place: dict[str, Any] = {"loc": "lower right", "bbox_to_anchor": (1, 1), "bbox_transform": where, "borderaxespad": 0.2}
    ax.legend(handles.values(), handles.keys(), frameon=False, fontsize="small", ncols=columns, title=title, **place)


def _column_widths(widths: Sequence[float], columns: int) -> list[float]:
    """Return the width of each column of a legend, whose columns are filled one after the other."""
    rows, longer = divmod(len(widths), columns)
    ends = [0]
    for column in range(columns):
        ends.append(ends[-1] + rows + (column < longer))
    return [max(widths[a:b]) for a, b in pairwise(ends)]
