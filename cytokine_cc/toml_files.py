"""Read TOML files, with errors that name the file and the line."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from .errors import OptionError, did_you_mean, quoted


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
        hint = "Texts need quotes; lists look like ['a', 'b'], tables like {'0' = 'below'}; a key stands once."
        if not name.endswith(".toml") and "." in name:
            hint = "Name the study file, such as study.toml."
        raise OptionError(f"{name}: this is no valid TOML: {error}. {hint}") from None


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
    except UnicodeDecodeError:
        raise OptionError(f"{path.name}: this is not a UTF-8 text file.") from None
    except OSError as error:
        raise OptionError(f"{path}: the file cannot be read ({error.strerror or error}).") from None
