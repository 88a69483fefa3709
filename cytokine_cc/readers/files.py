"""Open a table as text: encodings, separators and damaged files as they occur."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import Faults, OptionError, PanelError, did_you_mean, quoted

_SEPARATORS = (",", ";", "\t", "|")
_EXCEL = {".xlsx", ".xlsm"}


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
    """

    frame: pd.DataFrame
    rows: Any
    name: str
    source: str

    def column(self, name: Any, role: str, faults: Faults) -> pd.Series | None:
        """Return a column, or note that there is none."""
        if name in self.frame.columns:
            return self.frame[name]
        hint = did_you_mean(name, map(str, self.frame.columns))
        faults.add(
            f"no column {str(name)!r} (named as {role}); the columns are {quoted(self.frame.columns, limit=30)}",
            column=name,
            remedy=f"Name the right one with {role}=....{hint}",
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
        Only checked here.

    Returns
    -------
    Table

    Raises
    ------
    PanelError
        The file is absent, empty, binary, ragged, only a header, or has a column name twice.
    """
    if decimal not in {".", ","}:
        raise OptionError(f"`decimal` must be '.' or ','; got {decimal!r}.")
    if isinstance(source, pd.DataFrame):
        faults = Faults(PanelError, "DataFrame")
        frame = source if all(type(name) is str and name == name.strip() for name in source.columns) else _clean_header(source)
        rows, name, origin = source.index, "DataFrame", "DataFrame"
    else:
        path = _existing(source)
        faults = Faults(PanelError, path.name)
        data = path.read_bytes()
        if not data:
            faults.stop("the file is empty")
        frame, rows = _read_workbook(data, path, sheet, faults) if path.suffix.lower() in _EXCEL else _read_text(data, path, sep, faults)
        frame = _clean_header(frame)
        name, origin = path.name, f"{path.name} (sha256 {hashlib.sha256(data).hexdigest()})"
    doubled = frame.columns[frame.columns.duplicated()].unique()
    for column in doubled:
        faults.add("two columns have this name", column=column, remedy="Rename one of them.")
    faults.raise_if_any()
    if not len(frame):
        faults.stop("there is a header but no row below it")
    return Table(frame, rows, name, origin)


def _clean_header(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.set_axis([str(name).strip() for name in frame.columns], axis=1)


def _existing(source: Any) -> Path:
    try:
        path = Path(source)
    except TypeError:
        raise OptionError(f"`source` must be a path or a DataFrame; got {type(source).__name__}.") from None
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


def _decode(data: bytes, faults: Faults) -> str:
    for mark, encoding in ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16")):
        if data.startswith(mark):
            return data.decode(encoding)
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
    header = next((line for line in text.splitlines() if line.strip()), "")
    if not header:
        faults.stop("the file holds only blank lines")
    counts = {mark: _outside_quotes(header).count(mark) for mark in _SEPARATORS}
    likely = max(_SEPARATORS, key=lambda mark: counts[mark])
    mark = sep if sep is not None else likely
    try:
        frame = pd.read_csv(
            io.StringIO(text), sep=mark, header=None, dtype=object, na_filter=False, skip_blank_lines=False, engine="c"
        )
    except (pd.errors.ParserError, ValueError) as error:
        faults.stop(f"the table is damaged: {str(error).replace('Error tokenizing data. C error: ', '').strip()}")
    if frame.shape[1] == 1:
        hint = f"Pass sep={likely!r}." if counts[likely] else "Expected a table separated by ',', ';', tab or '|'."
        faults.stop(f"only one column found with sep={mark!r}", found=header[:60], remedy=hint)
    return _below_header(frame, faults)


def _outside_quotes(line: str) -> str:
    return "".join(line.split('"')[::2])


def _below_header(frame: pd.DataFrame, faults: Faults) -> tuple[pd.DataFrame, np.ndarray]:
    """Take the first row that is not blank as the header, drop blank rows, keep the line numbers."""
    cells = frame.to_numpy(dtype=object)
    blank = np.array([all(cell is None or cell != cell or not str(cell).strip() for cell in row) for row in cells])
    kept = np.flatnonzero(~blank)
    head, rows = cells[kept[0]], kept[1:]
    names = ["" if name is None or name != name else str(name).strip() for name in head]
    unnamed = [j for j, name in enumerate(names) if not name]
    body = frame.iloc[rows]
    filled = [j for j in unnamed if any(str(cell).strip() for cell in body.iloc[:, j] if cell == cell)]
    for j in filled:
        faults.add("a column without a name holds values", column=f"number {j + 1}", remedy="Name it in the header.")
    faults.raise_if_any()
    body = body.iloc[:, [j for j in range(len(names)) if j not in unnamed]]
    return body.set_axis([name for name in names if name], axis=1), rows + 1


def _read_workbook(data: bytes, path: Path, sheet: str | int | None, faults: Faults) -> tuple[pd.DataFrame, np.ndarray]:
    try:
        import openpyxl  # noqa: F401
    except ImportError:
        raise OptionError(f"{path.name}: reading .xlsx needs openpyxl: pip install 'cytokine-cc[excel]'.") from None
    try:
        book = pd.ExcelFile(io.BytesIO(data), engine="openpyxl")
    except Exception as error:  # openpyxl lets errors of zip, xml and its own through
        faults.stop(f"the workbook cannot be opened: {error}")
    names = [str(name) for name in book.sheet_names]
    if sheet is None and len(names) > 1:
        faults.stop(f"the workbook has {len(names)} sheets: {quoted(names)}", remedy="Name one with sheet=....")
    if sheet is not None and sheet not in names and not (isinstance(sheet, int) and 0 <= sheet < len(names)):
        faults.stop(f"no sheet {sheet!r}; there are {quoted(names)}", remedy=did_you_mean(sheet, names).strip())
    frame = book.parse(sheet_name=0 if sheet is None else sheet, header=None, dtype=object, na_filter=False)
    if frame.empty:
        faults.stop("the sheet is empty")
    return _below_header(frame, faults)
