"""What all pictures share: the figure, colours, marks, names, rows of analytes, axes of ratios; legends stand in legends.py."""

from __future__ import annotations

import math
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import matplotlib as mpl
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colors import to_hex, to_rgb, to_rgba
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.text import Annotation
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from ..errors import OptionError, quoted
from ..labels import as_tuple
from ..results import Results

# Apart in hue for the colour-blind, in lightness for a grey print, and never alone: the mark differs too.
COLOURS = {"case": "#a63603", "control": "#4393c3"}
_LETTERS = {"case": ("#a63603", "#fd8d3c"), "control": ("#2b6cb0", "#9ecae1")}  # of groups: on light paper, on dark
MARKS = {"case": "o", "control": "D"}
LINES: dict[str, Any] = {"case": "-", "control": (0, (4, 1.5))}
BELOW_MARK, ABOVE_MARK = "v", "^"
INK, GREY, FAINT = "#222222", "#6b6b6b", "#d9d9d9"
_ON_DARK = {INK: "#eeeeee", GREY: "#a8a8a8", FAINT: "#444444"}
ROW_HEIGHT, NAME_WIDTH = 0.24, 30  # inches; characters
_MOST_LINES, _MANY_LINES = 2, 3
_MOST_ROWS = 100  # of the usual height; of more each has half of it
_TWO_LINES, _LEAST_LETTER = 0.19, 3.5  # inches of a row; points
_LETTER, _LABEL_WIDTH = 0.0077, 48  # inches, for each point of the font; letters of a line
_SPAN = 0.77  # of a figure, the axes before a layout makes room
_TICKS = ((0.4, (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8, 9)), (0.8, (1, 1.5, 2, 3, 5, 7)), (3.0, (1, 2, 5)), (math.inf, (1,)))
_off_screen: ContextVar[bool] = ContextVar("off_screen", default=False)


@contextmanager
def off_screen() -> Iterator[None]:
    """Make figures that no window or notebook shows, in matplotlib's own style whatever the session's, for a page or a file."""
    token = _off_screen.set(True)
    try:
        with mpl.rc_context():
            mpl.rcdefaults()
            yield
    finally:
        _off_screen.reset(token)


def axes_for(ax: Axes | None, width: float, height: float) -> Axes:
    """Return the axes given, or those of a new figure, laid out so that no name is cut off.

    Width and height are inches where letters have 10 points, and grow with the font size of the reader's rcParams.
    """
    if ax is not None:
        if not isinstance(ax, Axes):
            raise OptionError(f"`ax` must be one matplotlib Axes; got {type(ax).__name__}.")
        return ax
    size = (width * text_scale(), height * text_scale())
    if _off_screen.get():
        return Figure(figsize=size, layout="constrained").add_subplot()
    from matplotlib import pyplot as plt

    return plt.subplots(figsize=size, layout="constrained")[1]


def make_room(ax: Axes, height: float) -> None:
    """Let a figure of the picture's own grow where labels of many lines leave the axes less than so many inches."""
    legend = ax.get_legend()
    labels = [text.get_text().count("\n") for text in (legend.get_texts() if legend else ())]
    figure = ax.figure
    if ax.get_xlabel().count("\n") + max(labels, default=0) < _MANY_LINES or not isinstance(figure, Figure):
        return
    if (engine := figure.get_layout_engine()) is not None:
        engine.execute(figure)
    if (lacks := height * text_scale() - ax.bbox.height / figure.dpi) > 0:
        figure.set_figheight(figure.get_figheight() + lacks)


def text_scale() -> float:
    """Return how much larger the reader's letters are than matplotlib's."""
    return float(mpl.rcParams["font.size"]) / 10


def alone(ax: Axes) -> bool:
    """Whether the picture has a figure for itself."""
    return len(ax.figure.axes) == 1


def paper(ax: Axes) -> str:
    """Return the colour of the ground, which open marks are filled with."""
    face = ax.get_facecolor()
    return to_hex(face if to_rgba(face)[3] > 0 else ax.figure.get_facecolor())


def ink(ax: Axes, colour: str = INK) -> str:
    """Return INK, GREY or FAINT as it can be told from the axes, which may be dark."""
    return _ON_DARK[colour] if _is_dark(ax) else colour


def group_ink(ax: Axes, group: str) -> str:
    """Return the colour of a group in which letters can be read."""
    return _LETTERS[group][_is_dark(ax)]


def _is_dark(ax: Axes) -> bool:
    red, green, blue = to_rgb(paper(ax))
    return 0.3 * red + 0.59 * green + 0.11 * blue < 0.5


def rows_height(rows: int, row: float = ROW_HEIGHT) -> float:
    """Return the height in inches of so many rows."""
    return (row if rows <= _MOST_ROWS else row / 2) * rows


def height_of(rows: int, *, margin: float = 1.1, row: float = ROW_HEIGHT) -> float:
    """Return the height in inches of a picture with so many rows."""
    return max(2.2, margin + rows_height(rows, row))


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


def one_line(name: Any, letters: int) -> str:
    r"""Return a name of one line; of a long one the middle is left out.

    Examples
    --------
    >>> one_line("soluble interleukin-2 receptor", 11)
    'solu…eptor'
    """
    text = str(name)
    return plain(text if len(text) <= letters else f"{text[: letters // 2 - 1]}…{text[-(letters // 2) :]}")


def row_room(ax: Axes, rows: int) -> float:
    """Return about how many inches each row will have."""
    whole = _SPAN if ax.figure.get_layout_engine() is not None else 1.0
    return ax.bbox.height / ax.figure.dpi / whole / max(rows, 1)


def row_font(ax: Axes, rows: int, largest: str = "medium") -> float:
    """Return the size in points of letters that fit into a row, at most a named size."""
    return min(FontProperties(size=largest).get_size_in_points(), 0.85 * 72 * row_room(ax, rows))


def name_rows(ax: Axes, names: Sequence[Any]) -> list[int]:
    """Give each name a row, the first on top; return the heights of the rows. Names that no row has room for are left out."""
    places, size = list(range(len(names))), row_font(ax, len(names))
    two = row_room(ax, len(names)) >= _TWO_LINES * text_scale()
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    if size < _LEAST_LETTER:
        ax.set(yticks=[], ylabel=f"{len(names):,} rows")
        return places
    ax.set_yticks(places, [short(name) if two else one_line(name, NAME_WIDTH) for name in names], fontsize=size)
    for label in ax.get_yticklabels():
        if "\n" in label.get_text():
            label.set(fontsize="x-small", linespacing=1.0)  # two lines fit into a row
    return places


def name_visits(ax: Axes, places: Sequence[float], visits: Sequence[str]) -> None:
    """Name visits below the axes, turned where they would meet; the limits of the axis are set."""
    names = [short(label, 14) for label in visits]
    longest = max(len(line) for name in names for line in name.split("\n"))
    low, high = ax.get_xlim()
    room = ax.bbox.width / ax.figure.dpi / (high - low) * (places[1] - places[0] if len(places) > 1 else high - low)
    fits = longest * 1.15 * _LETTER * 10 * text_scale() <= room
    turned: dict[str, Any] = {} if fits else {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    ax.set_xticks(places, names, **turned)


def natural_order(label: str) -> list[tuple[bool, int, str]]:
    """Plate 2 before plate 10; a plate that is not given last."""
    parts = [part for part in re.split(r"(\d+)", label) if part]
    return [(not part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in parts] or [(True, 0, "\U0010ffff")]


def strip(ax: Axes) -> None:
    """Take away the frame but for the axes that are read."""
    ax.spines[["top", "right"]].set_visible(False)


def ratio_axis(axis: Axis) -> None:
    """Make an axis logarithmic, its ticks plain numbers, more of them where the range is short; once its limits are set."""
    low, high = sorted(axis.get_view_interval())
    {"x": axis.axes.set_xscale, "y": axis.axes.set_yscale}[axis.axis_name]("log")  # type: ignore[attr-defined]
    decades = math.log10(high / low) if low > 0 else 1.0
    subs = next(subs for most, subs in _TICKS if decades <= most)
    locator = LogLocator(subs=subs)
    some = [tick for tick in locator.tick_values(low, high) if low <= tick <= high] if low > 0 else [1.0]
    # Of a range with one tick of these, or none, the logarithm is nearly straight.
    axis.set_major_locator(locator if len(some) > 1 else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(_plain_number))
    axis.set_minor_formatter(NullFormatter())


def letters_along(ax: Axes, *, upright: bool = False, size: float = 1.0) -> int:
    """Return how many letters fit along an axis, of a font so many times the usual."""
    inches = (ax.bbox.height if upright else ax.bbox.width) / ax.figure.dpi
    return max(int(inches / (_LETTER * 10 * text_scale() * size)), 16)


def wrapped(ax: Axes, text: str, *, upright: bool = False) -> str:
    """Break a text for the label of an axis, which no layout makes room for along the axis."""
    return "\n".join(textwrap.wrap(plain(text), min(letters_along(ax, upright=upright), _LABEL_WIDTH)))


def note_below(ax: Axes, text: str) -> Annotation | None:
    """Write under the label of the x axis what the picture leaves out; nothing if there is nothing to say."""
    if not text:
        return None
    below: dict[str, Any] = {"xytext": (0, -3), "textcoords": "offset points", "ha": "center", "va": "top"}
    lines = textwrap.wrap(plain(text), letters_along(ax, size=0.85))
    style: dict[str, Any] = {"color": ink(ax, GREY), "fontsize": "small", "annotation_clip": False}
    return ax.annotate("\n".join(lines), (0.5, 0), xycoords=ax.xaxis.label, **style, **below)


def _plain_number(value: float, _: int | None = None) -> str:
    """Write a tick in plain digits, as a power of ten where they would be many."""
    if value == 0 or 1e-4 <= abs(value) < 1e6:
        return f"{value:g}"
    digits, power = f"{value:e}".split("e")
    times = "" if float(digits) == 1 else rf"{float(digits):g}\times"
    return rf"${times}10^{{{int(power)}}}$"


def visits_text(visits: Sequence[str], baseline: Sequence[str]) -> str:
    """Name visits in words.

    Examples
    --------
    >>> visits_text(["1"], ["1"]), visits_text(["6"], ["1"]), visits_text(["month6"], ["1"])
    ('baseline (visit 1)', 'visit 6', 'month6')
    """
    names = ", ".join(visits)
    if tuple(visits) == ("baseline",):
        return names
    named = f"visit{'s' if len(visits) > 1 else ''} {names}" if len(visits) > 1 or len(names) < 3 else names
    return f"baseline ({named})" if set(visits) <= set(baseline) else named


def visit_of(label: str, meta: Mapping[str, Any]) -> str:
    """Name a visit of a result in words: its label may be that of several baseline visits."""
    baseline = as_tuple(meta.get("design", {}).get("baseline", ()))
    return visits_text(baseline if label == "+".join(baseline) else (label,), baseline)


def group_names(meta: Mapping[str, Any]) -> dict[str, str]:
    """Return the user's labels of cases and controls from the facts of a result; the roles where they are not there."""
    design = meta.get("design", {})
    return {role: str(design.get(role, role)) for role in COLOURS}


def one_comparison(results: Results, function: str, *, apart: Sequence[str] = ()) -> pd.DataFrame:
    """Return the table, which must be of one contrast and visit: of several, one picture would mix the answers.

    What the picture keeps apart itself may be named in `apart`.
    """
    if not isinstance(results, Results):
        raise OptionError(f"{function}() takes Results; got {type(results).__name__}.")
    table = results.table
    if not len(table):
        raise OptionError(f"{function}(): these results hold no row.")
    keys = ["contrast", "visit", "test", "scale", "below_limit", "alternative", "adjust", "conf_level"]
    several = [name for name in keys if name not in apart and table[name].nunique() > 1]
    if several:
        name = several[0]
        found = table[name].unique()
        first = f"{found[0]:g}" if name == "conf_level" else repr(str(found[0]))
        raise OptionError(
            f"{function}() shows one comparison; these results hold {len(found)} of {name}: {quoted(found)}. "
            f"Choose one: results.select({name}={first})."
        )
    once(results, function)
    return table


def once(results: Results, function: str) -> None:
    """Refuse results that hold an analyte twice for one contrast and visit: the same data, tested in two ways."""
    twice = results.table.duplicated(["analyte", "contrast", "visit"])
    if twice.any():
        row = results.table[twice].iloc[0]
        raise OptionError(
            f"{function}() takes each analyte once; these results hold {row['analyte']!r} twice for {row['contrast']!r} at "
            f"{row['visit']!r}. Show the results apart, or choose, such as by results.select(test=...)."
        )


def needs_estimates(table: pd.DataFrame, function: str) -> None:
    """Refuse results of a test that gives p-values alone."""
    if table["estimate"].isna().all() and table["p_value"].notna().any():
        raise OptionError(
            f"{function}() shows estimates; the test {table['test'].iloc[0]!r} gave p-values alone. Show these with p_values()."
        )
