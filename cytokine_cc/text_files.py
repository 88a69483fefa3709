"""Text files: a table as CSV; several files written together or not at all."""

from __future__ import annotations

import csv
import io
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import OptionError, quoted


def csv_text(rows: Iterable[Sequence[Any]]) -> str:
    r"""Return rows as CSV, lines ended by a line feed on every platform.

    Parameters
    ----------
    rows : iterable of sequences
        The header first.

    Returns
    -------
    str

    Examples
    --------
    >>> csv_text([["Patient", "Group"], ["S001", "pain, any"]])
    'Patient,Group\nS001,"pain, any"\n'
    """
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerows(rows)
    return out.getvalue()


def save_text(text: str, path: Any = None) -> str | None:
    """Write text to a file and return nothing; or, where no file is named, return the text."""
    if path is None:
        return text
    try:
        Path(path).write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise OptionError(f"{path}: cannot be written ({error.strerror or error}).") from None
    return None


def read_text(path: Any) -> str:
    """Read a file of text as it stands, line ends and all."""
    if not isinstance(path, str | os.PathLike) or not str(path).strip():
        raise OptionError(f"name the path of a file, or give a text stream; got {path!r}.")
    try:
        return Path(path).read_bytes().decode("utf-8")
    except OSError as error:
        raise OptionError(f"{path}: cannot be read ({error.strerror or error}).") from None
    except UnicodeDecodeError as error:
        raise OptionError(f"{path}: this is not a UTF-8 text file (byte {error.start + 1} does not fit).") from None


def folder_path(name: str, value: Any) -> Path:
    """Return the path of a folder, which need not be there."""
    if not isinstance(value, str | os.PathLike) or not str(value).strip():
        raise OptionError(f"`{name}` must be the path of a folder; got {value!r}.")
    return Path(value)


def write_files(files: Mapping[str, str], folder: Any, *, replace: bool = True, remove: Iterable[str] = ()) -> list[Path]:
    """Write files to a folder, all or none.

    Parameters
    ----------
    files : mapping
        Name -> text.
    folder : path
        Made if need be; other files in it stay.
    replace : bool
        False: refuse if a file of one of these names is there and says something else.
    remove : iterable of str
        Names of files of an earlier run that must not stay beside the new ones.

    Returns
    -------
    list of Path

    Raises
    ------
    OptionError
        The folder cannot be written to, or holds such a file; nothing is left behind then.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise OptionError(f"{folder}: this is a file; name a folder.")
    differing = [] if replace else [name for name, text in files.items() if _differs(folder / name, text)]
    if differing:
        raise OptionError(
            f"{folder}: {quoted(differing)} {'is' if len(differing) == 1 else 'are'} there already with other content; "
            "nothing was written. Name another folder, or remove what is there."
        )
    made = next((path for path in reversed([folder, *folder.parents]) if not path.exists()), None)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
            for name, text in files.items():
                (Path(partial) / name).write_text(text, encoding="utf-8", newline="\n")
            for name in files:
                os.replace(Path(partial) / name, folder / name)
        for name in remove:
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        if made is not None:
            shutil.rmtree(made, ignore_errors=True)
        raise OptionError(f"{folder}: cannot be written ({error.strerror or error}).") from None
    return [folder / name for name in files]


def _differs(path: Path, text: str) -> bool:
    try:
        return path.exists() and (not path.is_file() or path.read_bytes() != text.encode())
    except OSError:
        return True
