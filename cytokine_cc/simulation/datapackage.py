"""datapackage.json: what stands in the columns of tables, for people and programs (Frictionless Data Package, version 1)."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..text_files import csv_text

LICENSE = {"name": "BSD-3-Clause", "title": "BSD 3-Clause License", "path": "https://opensource.org/license/bsd-3-clause"}


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes
    ----------
    name, description : str
    cells : sequence of str
        As written; blank where missing.
    type : str
        "string" or "number".
    unit : str
    required : bool
        Whether no cell is blank.
    enum : tuple of str
        All that a cell may say; empty: anything.
    """

    name: str
    description: str
    cells: Sequence[str]
    type: str = "string"
    unit: str = ""
    required: bool = True
    enum: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table and what it holds.

    Attributes
    ----------
    name : str
        File name without ``.csv``.
    description : str
    columns : list of Column
    key : tuple of str
        Columns that together tell its rows apart.
    refers : mapping
        Name of another table -> columns, which are the key there.
    """

    name: str
    description: str
    columns: Sequence[Column]
    key: tuple[str, ...]
    refers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def text(self) -> str:
        """The table as CSV."""
        rows = zip(*(column.cells for column in self.columns), strict=True)
        return csv_text([[column.name for column in self.columns], *rows])


def package_text(name: str, title: str, description: str, sources: Sequence[Mapping[str, str]], tables: Sequence[Table]) -> str:
    """Describe tables.

    Parameters
    ----------
    name, title, description : str
    sources : sequence of mapping
        title, and path where there is one.
    tables : sequence of Table

    Returns
    -------
    str
        The text of datapackage.json. It carries no date, so that the same tables give the same text.
    """
    package = {
        "profile": "tabular-data-package",
        "name": slug(name),
        "title": title,
        "description": description,
        "licenses": [LICENSE],
        "sources": list(sources),
        "resources": [_resource(table) for table in tables],
    }
    return json.dumps(package, indent=2, ensure_ascii=False) + "\n"


def slug(name: str) -> str:
    """Return a name in the letters that the standard allows."""
    return re.sub(r"[^a-z0-9._-]+", "-", name.lower()).strip("-") or "study"


def _resource(table: Table) -> dict[str, Any]:
    text = table.text.encode()
    schema: dict[str, Any] = {
        "fields": [_field(column) for column in table.columns],
        "missingValues": [""],
        "primaryKey": list(table.key),
    }
    if table.refers:
        schema["foreignKeys"] = [
            {"fields": list(columns), "reference": {"resource": other, "fields": list(columns)}}
            for other, columns in table.refers.items()
        ]
    return {
        "profile": "tabular-data-resource",
        "name": table.name,
        "path": f"{table.name}.csv",
        "description": table.description,
        "format": "csv",
        "mediatype": "text/csv",
        "encoding": "utf-8",
        "dialect": {"delimiter": ",", "lineTerminator": "\n"},
        "bytes": len(text),
        "hash": f"sha256:{hashlib.sha256(text).hexdigest()}",
        "schema": schema,
    }


def _field(column: Column) -> dict[str, Any]:
    out: dict[str, Any] = {"name": column.name, "type": column.type, "description": column.description}
    if column.unit:
        out["unit"] = column.unit
    constraints: dict[str, Any] = {}
    if column.required:
        constraints["required"] = True
    if column.enum:
        constraints["enum"] = list(column.enum)
    if constraints:
        out["constraints"] = constraints
    return out
