"""Read TOML files, with errors that name the file and show the line."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

from .errors import OptionError, did_you_mean, quoted

_LONG = 70  # letters of a line that a message shows
_HINT = "Texts need quotes; lists look like ['a', 'b'], tables like {'0' = 'below'}; a key stands once."
# What the line at fault looks like, and what may be wrong with it.
_NUMBERS = {
    r"=\s*[-+]?\d*,\d": "Numbers take a point, not a comma: 0.5.",
    r"=\s*[-+]?(\.\d|\d+\.(?!\d))": "Numbers have a digit before and after the point: 0.5, 2.0.",
    r"=\s*[-+]?\d[\d.]*\s*%": "A share is a number: 0.2 for 20%.",
}


def parse_toml(text: str, name: str) -> dict[str, Any]:
    """Parse TOML text.

    Parameters
    ----------
    text : str
    name : str
        Of the file, for messages.

    Returns
    -------
    dict
    """
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line = _line_of(text, str(error))
        hint = next((words for look, words in _NUMBERS.items() if re.search(look, line)), _HINT)
        if not name.endswith(".toml") and "." in name:
            hint = "Name the study file, such as study.toml."
        shown = line if len(line) <= _LONG else f"{line[: _LONG - 3]}..."
        raise OptionError(f"{name}: this is no valid TOML: {error}{f': `{shown}`' if shown else ''}. {hint}") from None


def _line_of(text: str, problem: str) -> str:
    """Return the line that a message of tomllib speaks of, or nothing."""
    found = re.search(r"\(at line (\d+), column \d+\)", problem)
    lines = text.split("\n")
    return lines[int(found[1]) - 1].strip() if found and int(found[1]) <= len(lines) else ""


def read_toml(path: Any) -> tuple[str, dict[str, Any]]:
    """Read a TOML file.

    Parameters
    ----------
    path : path

    Returns
    -------
    name : str
    content : dict
    """
    path = Path(path)
    if not path.is_file():
        folder = path if path.is_dir() else path.parent
        here = sorted(item.name for item in folder.glob("*.toml")) if folder.is_dir() else []
        problem = "this is a folder; name the study file in it" if path.is_dir() else "no such file"
        known = f" {str(folder)!r} holds {quoted(here)}." if here else ""
        raise OptionError(f"{path}: {problem}.{known}{did_you_mean(path.name, here)}")
    try:
        return path.name, parse_toml(path.read_bytes().decode("utf-8-sig"), path.name)
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise OptionError(
            f"{path.name}: this is not a UTF-8 text file: line {line} (byte {error.start + 1}) does not fit. Save it as UTF-8."
        ) from None
    except OSError as error:
        raise OptionError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
