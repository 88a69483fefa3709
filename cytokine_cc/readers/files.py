"""Open a table as text: encodings, separators and damaged files as they occur."""

from __future__ import annotations

import csv
import hashlib
import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import Faults, OptionError, PanelError, did_you_mean, quoted

_SEPARATORS = (",", ";", "\t", "|")
_EXCEL = {".xlsx", ".xlsm"}
_LONGEST_PATH = 4096


@dataclass(frozen=True, eq=False)
class Table:
    """A table before anything is known of its layout.

    Attributes
    ----------
    frame : DataFrame
        Cells as they stand in the source; headers stripped of blanks.
    rows : Index or ndarray
        What to call each row in a message: the line of the file, or the label of the DataFrame's index.
    name : str
        The file's name, or "DataFrame".
    source : str
        Name and sha256.
    decimal : str
    """

    frame: pd.DataFrame
    rows: Any
    name: str
    source: str
    decimal: str

    def column(self, name: Any, role: str, faults: Faults) -> pd.Series | None:
        """Return a column, or note that there is none."""
        if name in self.frame.columns:
            return self.frame[name]
        hint = did_you_mean(name, map(str, self.frame.columns))
        faults.add(
            f"no column {str(name)!r} (named as {role}); the columns are {quoted(self.frame.columns, limit=30)}",
            column=name,
            remedy=f"Name the right one with `{role}`.{hint}",
        )
        return None


def open_table(source: Any, *, sep: str | None = None, sheet: str | int | None = None, decimal: str = ".") -> Table:
    """Open a path or a DataFrame.

    Parameters
    ----------
    source : path or DataFrame
    sep : str, optional
        None looks at the header line.
    sheet : str or int, optional
        Of a workbook; needed where it has several.
    decimal : str
        "." or ",".

    Returns
    -------
    Table

    Raises
    ------
    PanelError
        The file is absent, empty, binary, ragged, only a header, or has a column name twice.
    OptionError
        An argument that is not allowed.
    """
    if decimal not in {".", ","}:
        raise OptionError(f"`decimal` must be '.' or ','; got {decimal!r}.")
    if sep is not None and (not isinstance(sep, str) or len(sep) != 1 or sep in '"\r\n'):
        raise OptionError(f"`sep` must be one character, such as ';' or '\\t' (a tab, in double quotes in TOML); got {sep!r}.")
    if isinstance(source, pd.DataFrame):
        faults = Faults(PanelError, "DataFrame")
        frame = source if all(type(name) is str and name == name.strip() for name in source.columns) else _clean_header(source)
        rows, name, origin = source.index, "DataFrame", "DataFrame"
    else:
        path = _existing(source)
        faults = Faults(PanelError, path.name)
        data = _bytes(path, faults)
        if path.suffix.lower() in _EXCEL:
            frame, rows = _read_workbook(data, path, sheet, faults)
        elif sheet is not None:
            raise OptionError(f"`sheet` is for .xlsx workbooks; {path.name} is read as text.")
        else:
            frame, rows = _read_text(data, path, sep, faults)
        name, origin = path.name, f"{path.name} (sha256 {hashlib.sha256(data).hexdigest()})"
    doubled = frame.columns[frame.columns.duplicated()].unique()
    for column in doubled:
        faults.add("two columns have this name", column=column, remedy="Rename one of them.")
    faults.raise_if_any()
    if not len(frame):
        faults.stop("there is a header but no row below it")
    return Table(frame, rows, name, origin, decimal)


def _clean_header(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([str(name).strip() for name in frame.columns], axis=1)


def _existing(source: Any) -> Path:
    if not isinstance(source, str | os.PathLike):
        raise OptionError(f"`source` must be a path or a DataFrame; got {type(source).__name__}.")
    if isinstance(source, str) and ("\n" in source or len(source) > _LONGEST_PATH):
        raise OptionError(f"`source` must be the path of a file; got a text of {len(source):,} characters.")
    path = Path(source)
    if path.is_file():
        return path
    faults = Faults(PanelError, str(source))
    if path.is_dir():
        faults.stop("this is a folder, not a file")
    folder = path.parent
    if not folder.is_dir():
        faults.stop(f"no such file: there is no folder {str(folder)!r}")
    here = sorted(item.name for item in folder.iterdir() if item.is_file())
    faults.stop(f"no such file; {str(folder)!r} holds {quoted(here)}", remedy=did_you_mean(path.name, here).strip())


def _bytes(path: Path, faults: Faults) -> bytes:
    try:
        data = path.read_bytes()
    except OSError as error:
        faults.stop(f"the file cannot be read ({error.strerror or error})")
    if not data:
        faults.stop("the file is empty")
    return data


def _decode(data: bytes, faults: Faults) -> str:
    for mark, name in ((b"\xef\xbb\xbf", "UTF-8"), (b"\xff\xfe", "UTF-16-LE"), (b"\xfe\xff", "UTF-16-BE")):
        if data.startswith(mark):
            try:
                return data[len(mark) :].decode(name)
            except UnicodeDecodeError as error:
                problem = f"the file starts as {name} text but is damaged at byte {error.start + len(mark) + 1:,}"
                faults.stop(problem, remedy="Export it again.")
    if b"\0" in data or data.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        faults.stop("the file is binary, not a text table", remedy="Export it as CSV, or give an .xlsx workbook its .xlsx name.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("cp1252", errors="replace") if _is_cp1252(data) else data.decode("latin-1")


def _is_cp1252(data: bytes) -> bool:
    return not any(byte in data for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))


def _read_text(data: bytes, path: Path, sep: str | None, faults: Faults) -> tuple[pd.DataFrame, np.ndarray]:
    if path.suffix.lower() == ".xls":
        faults.stop("old Excel workbooks (.xls) are not read", remedy="Save it as .xlsx or CSV.")
    text = _decode(data, faults)
    lead = len(text) - len(text.lstrip())
    lead = max(text.rfind("\n", 0, lead), text.rfind("\r", 0, lead)) + 1  # blank lines above the header
    if not text[lead:].strip():
        faults.stop("the file holds only blank lines")
    header = text[lead:].splitlines()[0]
    counts = {mark: _outside_quotes(header).count(mark) for mark in _SEPARATORS}
    likely = max(_SEPARATORS, key=lambda mark: counts[mark])
    mark = sep if sep is not None else likely
    table = _split(text[lead:], mark, len(text[:lead].splitlines()), faults)
    if table.shape[1] == 1:
        hint = f"Pass sep={likely!r}." if counts[likely] else "Expected a table separated by ',', ';', tab or '|'."
        faults.stop(f"only one column found with sep={mark!r}", found=header, remedy=hint)
    return _below_header(table, faults)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _split(text: str, mark: str, skipped: int, faults: Faults) -> pd.DataFrame:
    """Split a text into cells; the index is the line of the file that each row starts on."""
    options: dict[str, Any] = {"sep": mark, "header": None, "dtype": object, "engine": "c"}
    options |= {"na_filter": False, "skip_blank_lines": False}
    try:
        table = pd.read_csv(io.StringIO(text), **options)
    except pd.errors.ParserError as error:
        width, last = _ragged(text, mark, skipped, faults)
        if "inside string" in str(error):
            faults.rows.clear()
            faults.stop("a quote opens a cell and none closes it", row=last, remedy="Close it, or delete it.")
        faults.raise_if_any()
        table = pd.read_csv(io.StringIO(text), names=range(width), **options)
    if (table.iloc[:, -1] == "").any():
        _ragged(text, mark, skipped, faults)
        faults.raise_if_any()
    return table.set_axis(_lines(table, several=text.count("\n") > len(table)) + skipped, axis=0)


def _ragged(text: str, mark: str, skipped: int, faults: Faults) -> tuple[int, int]:
    """Report the rows that are shorter than the header, or longer by cells that are not blank.

    Returns
    -------
    widest : int
        Cells in the longest row.
    last : int
        The line that the last row starts on.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=mark)
    width = widest = len(next(reader))
    line = last = skipped + reader.line_num + 1
    problem = f"every row must have {width} cells, as the header"
    remedy = "Quote a cell that holds the separator; delete titles above the header; export a file again that was cut short."
    for cells in reader:
        longer = any(cell.strip() for cell in cells[width:])
        if longer or (len(cells) < width and any(cell.strip() for cell in cells)):
            faults.add(problem, row=line, found=len(cells), remedy=remedy)
        widest, last, line = max(widest, len(cells)), line, skipped + reader.line_num + 1
    return widest, last


def _lines(table: pd.DataFrame, several: bool) -> np.ndarray:
    """Return the line that each row starts on; cells in quotes may go over `several`."""
    height = np.ones(len(table), dtype=np.intp)
    if several:
        for name in table.columns:
            height += table[name].str.count(r"\r\n|\n|\r").to_numpy(dtype=np.intp)
    return np.cumsum(height) - height + 1


def _below_header(table: pd.DataFrame, faults: Faults) -> tuple[pd.DataFrame, np.ndarray]:
    """Take the first row that is not blank as the header and drop blank rows; the index says what to call a row."""
    cells = table.to_numpy(dtype=object)
    blank = np.array([all(_is_empty(cell) for cell in row) for row in cells], dtype=bool)
    kept = np.flatnonzero(~blank)
    if not len(kept):
        faults.stop("there is nothing but blank cells")
    names = ["" if _is_empty(name) else str(name).strip() for name in cells[kept[0]]]
    body = table.iloc[kept[1:]]
    for j in (j for j, name in enumerate(names) if not name):
        if not all(_is_empty(cell) for cell in body.iloc[:, j]):
            faults.add(
                "a column without a name holds values",
                row=table.index[kept[0]],
                column=f"number {j + 1}",
                remedy="Name it in the header. The header must be one row, the first of the table: titles above it must go.",
            )
    faults.raise_if_any()
    named = [j for j, name in enumerate(names) if name]
    return body.iloc[:, named].set_axis([names[j] for j in named], axis=1), body.index.to_numpy()


def _is_empty(cell: Any) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())


def _read_workbook(data: bytes, path: Path, sheet: str | int | None, faults: Faults) -> tuple[pd.DataFrame, np.ndarray]:
    try:
        import openpyxl
    except ImportError:
        raise OptionError(f"{path.name}: reading .xlsx needs openpyxl: pip install 'cytokine-cc[excel]'.") from None
    try:
        book = openpyxl.load_workbook(io.BytesIO(data), read_only=True, data_only=True)
    except Exception as error:  # openpyxl lets errors of zip, xml and its own through
        faults.stop(f"the workbook cannot be opened: {error}", remedy="Save it again as .xlsx or CSV.")
    names = [page.title for page in book.worksheets]
    if sheet is None and len(names) > 1:
        faults.stop(f"the workbook has {len(names)} sheets: {quoted(names)}", remedy="Name one with `sheet`.")
    at = names.index(sheet) if sheet in names else 0 if sheet is None else sheet
    if isinstance(at, bool) or not isinstance(at, int) or not 0 <= at < len(names):
        faults.stop(f"no sheet {sheet!r}; there are {quoted(names)}", remedy=did_you_mean(sheet, names).strip())
    page = book.worksheets[at]
    page.reset_dimensions()  # some programs write wrong ones
    rows = [list(row) for row in page.iter_rows(values_only=True)]
    width = max(map(len, rows), default=0)
    if not width:
        faults.stop("the sheet is empty")
    table = pd.DataFrame([row + [None] * (width - len(row)) for row in rows], dtype=object)
    return _below_header(table.set_axis(np.arange(1, len(rows) + 1), axis=0), faults)
