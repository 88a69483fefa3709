"""Other values in a scenario, and what is then no longer true of it."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..errors import OptionError, did_you_mean, quoted
from .origins import leaves, paths, sayable
from .parameters import ANALYTE_KEYS

_VARIED = "assumed: varied"


def varied(content: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of a scenario file with other values.

    What differs is assumed from then on; the study to show was one of the original and is left out.

    Parameters
    ----------
    content : mapping
    changes : mapping
        Table or "table.key" -> value; None takes it out.

    Returns
    -------
    dict
    """
    if not isinstance(changes, Mapping) or not all(isinstance(path, str) and path for path in changes):
        raise OptionError(f"changes must be a mapping such as {{'study.cases': 60}}; got {changes!r}.")
    out = copy.deepcopy(dict(content))
    for path, value in changes.items():
        _put(out, path, value)
    if not isinstance(out.get("from", {}), dict):
        return out  # refused when it is read
    before = {leaf[:3]: leaf[3] for leaf in leaves(content)}
    sources = dict(out.get("from", {}))
    for table, key, name, value in leaves(out):
        if (table, key, name) not in before or before[table, key, name] != value:
            sources[paths(table, key, name)[0]] = _VARIED
    for table in ("plan", "pattern"):
        if table in out and out[table] != content.get(table):
            sources[table] = _VARIED
    if sources:
        may_name = sayable(out)
        out["from"] = {said: text for said, text in sources.items() if said in may_name}
    if "published" in out and not any(path.startswith("published") for path in changes):
        out["published"] = {key: value for key, value in out["published"].items() if key not in ("seed", "replicate")}
    return out


def _put(content: dict[str, Any], path: str, value: Any) -> None:
    *tables, key = _analyte_path(content, path) if path.startswith("analytes.") else path.split(".")
    own: Any = content
    for table in tables:
        if value is None and table not in own:
            raise OptionError(f"{path!r} cannot be taken out: it is not there.")
        own = own.setdefault(table, {})
        if not isinstance(own, dict):
            raise OptionError(f"{path!r} leads through {table!r}, which is no table.")
    if value is not None:
        own[key] = copy.deepcopy(value.tolist() if hasattr(value, "tolist") else value)  # no numpy types in a file
    elif own.pop(key, None) is None:
        raise OptionError(f"{path!r} cannot be taken out: it is not there.")


def _analyte_path(content: Mapping[str, Any], path: str) -> list[str]:
    """Split the path of an analyte or of its value, in the order of rows or in that of [from]; names may hold points."""
    names = content["analytes"]
    rest = path.removeprefix("analytes.")
    first, _, last = rest.partition(".")
    if first in ANALYTE_KEYS and last in names:
        return ["analytes", last, first]
    name, _, key = rest.rpartition(".")
    if name in names and key in ANALYTE_KEYS:
        return ["analytes", name, key]
    if key in ANALYTE_KEYS and name:
        raise OptionError(
            f"{path!r} names no analyte; there are {quoted(names)}.{did_you_mean(name, names)} To add one, give its whole row: "
            f"{{'analytes.{name}': {{...}}}}."
        )
    return ["analytes", rest]
