"""What a page is made of: sections of texts, facts, tables and pictures, before anything is HTML or rounded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd


@dataclass(frozen=True)
class Text:
    """A paragraph; `warning` sets it apart as something the reader must not overlook."""

    text: str
    warning: bool = False


@dataclass(frozen=True)
class Bullets:
    """A list of sentences."""

    items: Sequence[str]


@dataclass(frozen=True)
class Facts:
    """Names with what they are: "Cases" - "30 (AIMSS = yes)"."""

    items: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Column:
    """How a column of a table is shown.

    Attributes
    ----------
    name : str
        Of the frame.
    header : str
    kind : {"text", "count", "number", "p", "share"}
        "number": three significant digits; "share": percent; "p": as p-values are printed. The full number is kept for sorting
        and copying. NaN and <NA> are shown empty.
    more : str
        What the header means, shown when it is pointed at.
    to : str
        Another column of the frame: the key of the section that the cell links to, where the page has it.
    """

    name: str
    header: str
    kind: str = "text"
    more: str = ""
    to: str = ""


@dataclass(frozen=True, eq=False)
class Table:
    """A table that sorts, filters, copies and downloads.

    Attributes
    ----------
    key : str
        Unique on the page; the name of its CSV file.
    caption : str
    frame : DataFrame
        At full precision; columns that `columns` does not name are in the download only.
    columns : sequence of Column
    mark : str
        A boolean column of the frame whose rows are set off; "" for none.
    note : str
        Under the table.
    folded : bool
        Shown when it is opened.
    """

    key: str
    caption: str
    frame: pd.DataFrame
    columns: Sequence[Column]
    mark: str = ""
    note: str = ""
    folded: bool = False


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with what it shows in words and its data.

    Attributes
    ----------
    key : str
        Unique on the page; the name of its files.
    caption : str
    alt : str
        What a reader who cannot see it must know: what is plotted and what stands out.
    svg : str
        The picture itself (`svg_of`).
    data : DataFrame
        What is drawn, for the download.
    """

    key: str
    caption: str
    alt: str
    svg: str
    data: pd.DataFrame


Block = Text | Bullets | Facts | Table | Picture


@dataclass(frozen=True)
class Section:
    """A part of the page with a heading.

    Attributes
    ----------
    key : str
        Its address on the page.
    title : str
    blocks : sequence of Block
    """

    key: str
    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Page:
    """All of it.

    Attributes
    ----------
    title, subtitle : str
    banner : str
        Above everything, such as that the data are simulated; "" for none.
    sections : sequence of Section
    foot : str
        Made with what, when.
    """

    title: str
    subtitle: str
    banner: str = ""
    sections: Sequence[Section] = field(default_factory=tuple)
    foot: str = ""
