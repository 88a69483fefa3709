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
        raise OptionError(f"{name}: this is no valid TOML: {error}. Texts need quotes; lists look like ['a', 'b'].") from None


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
        folder = path.parent
        here = sorted(item.name for item in folder.glob("*.toml")) if folder.is_dir() else []
        known = f" {str(folder)!r} holds {quoted(here)}." if here else ""
        raise OptionError(f"{path}: no such file.{known}{did_you_mean(path.name, here)}")
    try:
        return path.name, parse_toml(path.read_bytes().decode("utf-8-sig"), path.name)
    except UnicodeDecodeError:
        raise OptionError(f"{path.name}: this is not a UTF-8 text file.") from None
