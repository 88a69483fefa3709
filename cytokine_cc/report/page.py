"""From the model of a page to one HTML file that needs nothing else: no network, no fonts, no other file."""

from __future__ import annotations

import base64
import hashlib
import math
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from ..errors import OptionError
from ..words import counted, p_text, percent
from .document import Block, Bullets, Column, Facts, Page, Picture, Section, Table, Text
from .summary import number

if TYPE_CHECKING:
    from jinja2 import Template
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_FORMULA = ("=", "+", "-", "@", "\t", "\n")  # a spreadsheet computes a cell that begins so
_LONG_WORD, _FILTERED, _PORTRAIT = 24, 8, 110  # letters, rows from which on a filter helps, letters of a printed line
_WIDTHS = ((20, ""), (40, " some"), (math.inf, " long"))  # letters of the longest cell of a column of text
_AS_THEY_ARE = ",;:+=@!*()/"  # in an address
_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)
# No HTML file may hold these; or they turn the order of the letters that follow, numbers among them.
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\u202a-\u202e\u2066-\u2069]")
_LEFTWARD = "[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\U00010800-\U00010fff\U0001e800-\U0001efff]"
_LEFTWARD_WORDS = re.compile(f"({_LEFTWARD}+(?:[ -]+{_LEFTWARD}+)*)")
_SVG: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": "cytokine_cc", "svg.image_inline": True}
_STYLE = re.compile(r' style="([^"]*)"')
_LENGTHS = re.compile(r'\b(?:d|points|x|y|[xy][12]|c[xy]|r|width|height|transform="(?:translate|rotate))[=(]"?[-\d.\sa-zA-Z,()]*')
_DECIMALS = re.compile(r"-?\d+\.\d{3,}")
_FOLDER = Path(__file__).parent


def page_html(page: Page) -> str:
    """Write a page as one HTML file.

    Its only scripts and styles are its own (their hashes stand in its Content-Security-Policy), and it can load nothing.
    All texts are escaped; characters that would turn the order of letters and digits are replaced. It reads and downloads
    without JavaScript, which adds sorting, filtering and copying.

    Parameters
    ----------
    page : Page

    Returns
    -------
    str
        For a file in UTF-8.

    Notes
    -----
    Numbers are rounded for reading; CSV files, and copies of cells that hold one number, have all digits. In those, a text that
    begins with ``= + - @`` (or a tab) and is no number has an apostrophe before it, so that a spreadsheet shows it and does not
    compute it.

    Examples
    --------
    >>> from cytokine_cc.report.document import Page, Section, Text
    >>> html = page_html(Page("Report", "of a study", sections=[Section("first", "First", [Text("IL-6 < 1 pg/mL")])]))
    >>> "<p>IL-6 &lt; 1 pg/mL</p>" in html
    True
    """
    names = _Names()
    addresses = [names.new(section.key) for section in page.sections]
    names.sections = dict(zip((section.key for section in page.sections), addresses, strict=True))
    sections = [_section(section, address, names) for section, address in zip(page.sections, addresses, strict=True)]
    _lay_across(sections)
    return _template().render(page=page, sections=sections, **_assets())


def svg_of(drawn: Axes | Figure) -> str:
    """Return a picture as SVG: text stays text, and the same picture is the same text each time.

    Parameters
    ----------
    drawn : Axes or Figure
        Of Axes, the whole figure is taken.

    Returns
    -------
    str

    Raises
    ------
    OptionError
        It is neither.

    Examples
    --------
    >>> from matplotlib.figure import Figure
    >>> svg_of(Figure()).startswith("<?xml")
    True
    """
    import matplotlib as mpl
    from matplotlib.axes import Axes
    from matplotlib.figure import FigureBase

    if not isinstance(drawn, Axes | FigureBase):
        raise OptionError(f"svg_of() takes matplotlib Axes or a Figure; got {type(drawn).__name__}.")
    figure: Any = drawn.figure
    figure = getattr(figure, "figure", figure)  # of a part of a figure, the whole
    file = BytesIO()
    with reader_fonts(), mpl.rc_context(_SVG):
        figure.savefig(file, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return _compact(file.getvalue().decode())


@contextmanager
def reader_fonts() -> Iterator[None]:
    """Draw without warnings of letters that matplotlib's fonts lack: text stays text, and its letters are the reader's."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _compact(svg: str) -> str:
    """Give the same picture in half the letters: lengths to .01 pt, each style written once."""
    styles: dict[str, str] = {}

    def style(found: re.Match[str]) -> str:
        return f' class="{styles.setdefault(found[1], f"s{len(styles)}")}"'

    def tag(found: re.Match[str]) -> str:
        text = found[0]
        if text.startswith(("<!", "<?", "<image")):
            return text
        text = _STYLE.sub(style, re.sub(r"\s+", " ", text))
        return _LENGTHS.sub(lambda lengths: _DECIMALS.sub(_rounded, lengths[0]), text)

    short = re.sub(r"\n\s+", "\n", re.sub("<[^<>]*>", tag, svg))
    rules = "".join(f".{name}{{{rule}}}" for rule, name in styles.items())
    return short.replace("</style>", f"{rules}</style>", 1)


def _rounded(found: re.Match[str]) -> str:
    return f"{float(found[0]):.2f}".rstrip("0").rstrip(".")


def csv_text(frame: pd.DataFrame) -> str:
    """Return a table as CSV at full precision, its texts such that no spreadsheet takes them for formulas."""
    safe = frame.apply(lambda column: column.map(_no_formula) if column.dtype.kind not in "biufcmM" else column)
    return safe.rename(columns=_no_formula).to_csv(index=False, lineterminator="\n")


def _no_formula(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    text = re.sub("\r\n?", "\n", value)  # a lone carriage return would end the row
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text


class _Names:
    """Addresses on the page, which are names of files too: without spaces, each once."""

    def __init__(self) -> None:
        self.taken: set[str] = {"content", "contents", "help.csv", "help.copy"}
        self.sections: dict[str, str] = {}

    def new(self, key: str) -> str:
        base = re.sub(r"[^\w.-]+", "-", key).strip("-.") or "part"
        name, count = base, 1
        while name in self.taken:
            count += 1
            name = f"{base}-{count}"
        self.taken.add(name)
        return name


def _section(section: Section, address: str, names: _Names) -> dict[str, Any]:
    return {"id": address, "title": section.title, "blocks": [_view(block, names) for block in section.blocks]}


def _lay_across(sections: list[dict[str, Any]]) -> None:
    """Print what leads to a wide table on its page, which lies across: texts before it, a section of one text, the heading."""
    next_wide = False
    for section in reversed(sections):
        blocks = section["blocks"]
        wide = next_wide and [block["kind"] for block in blocks] == ["text"]
        for block in reversed([section, *blocks]):
            wide = block.setdefault("wide", wide)
        next_wide = wide


def _view(block: Block, names: _Names) -> dict[str, Any]:
    """Return what the template shows of a block."""
    match block:
        case Text():
            return {"kind": "text", "text": block.text, "warning": block.warning}
        case Bullets():
            return {"kind": "bullets", "items": block.items}
        case Facts():
            return {"kind": "facts", "items": block.items}
        case Picture():
            return _picture(block, names)
        case Table():
            return _table(block, names)
    raise TypeError(f"a section of a page holds no {type(block).__name__}")


def _picture(picture: Picture, names: _Names) -> dict[str, Any]:
    size = re.search(r"<svg\b[^>]*", picture.svg)
    points = dict(re.findall(r'\s(width|height)="([\d.]+)pt"', size.group() if size else ""))
    return {
        "kind": "picture",
        "wide": False,
        "id": names.new(picture.key),
        "caption": picture.caption,
        "alt": picture.alt,
        "src": _svg_link(picture.svg),
        "csv": _csv_link(picture.data),
        **{side: round(float(points[side]) * 96 / 72) if side in points else 0 for side in ("width", "height")},
    }


def _table(table: Table, names: _Names) -> dict[str, Any]:
    texts = [_texts(table.frame[column.name], column.kind) for column in table.columns]
    links = [
        [names.sections.get(key, "") for key in table.frame[column.to]] if column.to else [""] * len(table.frame)
        for column in table.columns
    ]
    linked = [list(zip(own, to, strict=True)) for own, to in zip(texts, links, strict=True)]
    names_of = list(table.frame.columns)
    marks = np.zeros(len(table.frame), dtype=bool)
    if table.mark:
        marks = table.frame[table.mark].eq(True).fillna(False).to_numpy(dtype=bool)
    heads = [
        _head(column, own) | {"place": names_of.index(column.name)} for column, own in zip(table.columns, texts, strict=True)
    ]
    return {
        "kind": "table",
        "id": names.new(table.key),
        "caption": table.caption,
        "note": table.note,
        "folded": table.folded,
        "columns": heads,
        "rows": list(zip(marks, zip(*linked, strict=True), strict=True)),
        "count": counted(len(table.frame), "row"),
        "filtered": len(table.frame) >= _FILTERED,
        "wide": sum(head["letters"] + 2 for head in heads) > _PORTRAIT,
        "csv": _csv_link(table.frame),
    }


def _head(column: Column, texts: list[str]) -> dict[str, Any]:
    longest = max(map(len, texts), default=0)
    word = max((len(word) for text in [column.header, *texts] for word in text.split()), default=0)
    is_text = column.kind == "text"
    return {
        "header": column.header,
        "more": column.more,
        "kind": ("t" + next(name for most, name in _WIDTHS if longest <= most)) if is_text else "n",
        "breaks": word > _LONG_WORD,
        "letters": max(min(longest, _LONG_WORD), min(word, _LONG_WORD)),
    }


def _texts(values: pd.Series, kind: str) -> list[str]:
    """Give what each cell shows; the full values are in the table's CSV."""
    show = _SHOW[kind]
    return ["" if pd.isna(value) else show(value) for value in values]


def _count(value: Any) -> str:
    return f"{int(value):,}" if float(value).is_integer() else number(value)


def _number(value: Any) -> str:
    """With three digits always, so that the numbers of a column stand alike: 1.40 and not 1.4."""
    text = number(value)
    plain = math.isfinite(value) and value != 0 and not set(text) & set(",e")
    return f"{value:#.3g}".rstrip(".") if plain else text


_SHOW: dict[str, Callable[[Any], str]] = {
    "text": str,
    "count": _count,
    "number": _number,
    "p": p_text,
    "share": percent,
}


def _svg_link(svg: str) -> str:
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode(errors='replace')).decode()}"


def _csv_link(frame: pd.DataFrame) -> str:
    """Digits and commas stay as they are, which is shorter than base64; the script reads the full numbers of a table here."""
    return f"data:text/csv;charset=utf-8,{quote(csv_text(frame), safe=_AS_THEY_ARE, errors='replace')}"


def _plain(value: Any) -> Any:
    return type(value)(_CONTROL.sub("\ufffd", value)) if isinstance(value, str) and _CONTROL.search(value) else value


def _isolated(text: Any) -> Any:
    """Set words that are written from right to left apart, so that the numbers beside them keep their places."""
    from markupsafe import Markup, escape

    if not isinstance(text, str) or text.isascii():
        return text
    parts = _LEFTWARD_WORDS.split(text)
    return Markup("").join(Markup("<bdi>{}</bdi>").format(part) if k % 2 else escape(part) for k, part in enumerate(parts))


@cache
def _template() -> Template:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(_FOLDER)
    environment = Environment(
        loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, finalize=_plain
    )
    environment.filters["isolated"] = _isolated
    return environment.get_template("page.html.j2")


@cache
def _assets() -> dict[str, Any]:
    """Style and script, and the policy that allows them alone."""
    from markupsafe import Markup

    css, script = ((_FOLDER / name).read_text(encoding="utf-8") for name in ("page.css", "page.js"))
    own = [f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'" for text in (css, script)]
    policy = f"default-src 'none'; img-src data:; style-src {own[0]}; script-src {own[1]}; base-uri 'none'; form-action 'none'"
    return {"css": Markup(css), "script": Markup(script), "policy": Markup(policy)}
