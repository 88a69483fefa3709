"""Where the numbers of a scenario come from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from .parameters import KINDS_OF_SOURCE


def parameters_of(content: Mapping[str, Any]) -> pd.DataFrame:
    """List every value of a scenario file with its origin; what [from] does not name is assumed."""
    sources = content.get("from", {})
    rows = []
    for table, key, name, value in leaves(content):
        text = next((sources[own] for own in paths(table, key, name) if own in sources), "assumed")
        origin = next(kind for kind in KINDS_OF_SOURCE if text.startswith(kind))
        rows.append((table, key, name, value, origin, text.removeprefix(origin).lstrip(": ")))
    return pd.DataFrame(rows, columns=["table", "key", "name", "value", "origin", "source"])


def leaves(content: Mapping[str, Any]) -> Iterable[tuple[str, str, str, Any]]:
    """Yield (table, key, name, value) of everything that a scenario file gives."""
    for table, own in content.items():
        if table in ("title", "about", "from", "plan", "pattern", "published") or not isinstance(own, Mapping):
            continue
        for key, value in own.items():
            if not isinstance(value, Mapping):
                yield table, key, "", value
            elif table == "analytes":
                yield from ((table, column, key, number) for column, number in value.items())
            elif (table, key) in (("cohort", "covariates"), ("cohort", "scores")):
                for name, row in value.items():
                    parameters = row if isinstance(row, Mapping) else {"": row}
                    yield from ((f"{table}.{key}", parameter, name, number) for parameter, number in parameters.items())
            else:
                yield from ((table, key, name, number) for name, number in value.items())


def paths(table: str, key: str, name: str) -> list[str]:
    """Where [from] may speak of a value, the nearest first."""
    if table.startswith("cohort."):
        return [f"{table}.{name}.{key}", f"{table}.{name}", table, table.partition(".")[0]]
    return [*([f"{table}.{key}.{name}"] if name else []), f"{table}.{key}", table]


def sayable(content: Mapping[str, Any]) -> list[str]:
    """Return all that a line of [from] may name, such as 'study.cases', 'analytes.mean', 'cohort.scores' or 'plan'."""
    values = [path for table, key, name, _ in leaves(content) for path in paths(table, key, name)]
    return list(dict.fromkeys([*(table for table in content if table != "from"), *values]))
