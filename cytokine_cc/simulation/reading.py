"""Read a scenario file: every table by its keys, then what must fit together; one message for all that is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ..errors import OptionError
from .cohort import Cohort
from .contents import CHECKS, Contents
from .parameters import ANALYTE_KEYS, COVARIATE_KEYS, EFFECT_KEYS, LEVEL_KEYS, SCORE_KEYS, TABLES, TOP
from .tables import Reader, in_toml


def read_contents(content: Mapping[str, Any], file: str, more: Mapping[str, Callable[[Contents], Any]] | None = None) -> Contents:
    """Read and check the tables of a scenario file.

    Parameters
    ----------
    content : mapping
        The file, parsed.
    file : str
        Its name, for messages.
    more : mapping, optional
        Name -> function that reads something else of the file, such as its plan, once [study] could be read. What it returns is
        in `Contents.more`; the message of an `OptionError` that it raises is one of the faults.

    Returns
    -------
    Contents

    Raises
    ------
    OptionError
        Lists all that is wrong: unknown tables, keys, analytes; values out of range; what does not fit together.
    """
    reader = _opened(content, file)
    found = Contents(tuple(content["analytes"]), tables={"study": dict.fromkeys(TABLES["study"])})
    for name in (name for name in TABLES if name in content):
        with reader.part(name):
            found.tables[name] = reader.table(f"[{name}]", _without_nested(name, content[name]), TABLES[name])
    if not (found.tables["study"]["visits"] or "study" in reader.faulty):
        with reader.part("study"):
            reader.add("[study] visits = [] is not allowed: at least the baseline.")
    with reader.part("analytes"):
        _read_analytes(content["analytes"], found, reader)
    with reader.part("cohort"):
        covariates = _read_cohort(content, found, reader)
    if covariates is not None:
        _read_effects(content, found, covariates, reader)
    for needed, check in CHECKS:
        if not needed & reader.faulty:
            check(content, found, reader)
    if "study" not in reader.faulty:
        found.more = {name: reader.attempt(function, found) for name, function in (more or {}).items()}
    reader.raise_if_any()
    return found


def _opened(content: Mapping[str, Any], file: str) -> Reader:
    """Refuse what is no scenario file; without analytes nothing else can be said of one."""
    if not content:
        raise OptionError(f"{file}: the file is empty; needed: [study] and [analytes].")
    if "data" in content and "analytes" not in content:
        raise OptionError(f"{file}: this is a study file; `cytokine-cc analyze {file}` or load_study() reads it.")
    rows = content.get("analytes", {})
    reader = Reader(file, rows if isinstance(rows, Mapping) else ())
    reader.known("the file", content, TOP, "table or key")
    if "study" not in content:
        with reader.part("study"):
            reader.add("there is no [study]; needed: cases and controls, their numbers.")
    if not reader.analytes:
        got = f"got {in_toml(rows)}" if "analytes" in content else "there is none"
        reader.add(f'[analytes] must have a line for each analyte, such as "IL-6" = {{ mean = 3.1 }}; {got}.')
        reader.raise_if_any()
    return reader


def _without_nested(name: str, table: Any) -> Any:
    """Return a table without those inner ones that have keys of their own."""
    if name != "cohort" or not isinstance(table, Mapping):
        return table
    return {key: value for key, value in table.items() if key not in ("covariates", "scores")}


def _rows(where: str, rows: Any, reader: Reader) -> Mapping[str, Any]:
    if not isinstance(rows, Mapping):
        reader.add(f"{where} must have a line for each name; got {in_toml(rows)}.")
        return {}
    return rows


def _read_analytes(rows: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    read = [reader.table(f"[analytes] {name!r}", row, ANALYTE_KEYS) for name, row in rows.items()]
    for key, kind in ANALYTE_KEYS.items():
        if kind.kind == "number":
            found.columns[key] = np.array([[np.nan if row[key] is None else row[key]] for row in read])
    found.units = tuple(row["unit"] or "" for row in read)
    found.categories = tuple(row["category"] or "" for row in read)


def _read_cohort(content: Mapping[str, Any], found: Contents, reader: Reader) -> dict[str, dict[str, Any]] | None:
    """Return the covariates; None where there is no cohort that names could be looked up in."""
    if "cohort" not in found.tables:
        for name in ("cases", "matching", "covariate_effect"):
            if name in content:
                reader.add(f"[{name}] needs a [cohort] to choose from: its size, covariates and scores.")
        return None
    inner = content["cohort"]
    if not isinstance(inner, Mapping):
        return None
    nested = {name: _rows(f"[cohort.{name}]", inner.get(name, {}), reader) for name in ("covariates", "scores")}
    if not all(isinstance(inner.get(name, {}), Mapping) for name in nested):
        return None
    covariates = {
        name: _read_covariate(f"[cohort.covariates] {name!r}", row, reader) for name, row in nested["covariates"].items()
    }
    scores = {name: reader.table(f"[cohort.scores] {name!r}", row, SCORE_KEYS) for name, row in nested["scores"].items()}
    for where, named in (("covariates", covariates), ("scores", scores)):
        for name, own in named.items():
            if own.get("min") is not None and own.get("max") is not None and own["min"] >= own["max"]:
                reader.add(f"[cohort.{where}] {name!r} min = {own['min']:g} must be below its max = {own['max']:g}.")
    if "cases" not in found.tables:
        reader.add("[cohort] needs a table [cases] that says who becomes a case.")
        return covariates
    _check_cases(found, covariates, scores, reader)
    if found.tables.get("matching"):
        _check_matching(found, covariates, reader)
    size = found.tables["cohort"]["size"]
    found.cohort = Cohort(size, covariates, scores, found.tables["cases"], found.tables.get("matching"))
    return covariates


def _read_covariate(where: str, row: Any, reader: Reader) -> dict[str, Any]:
    own = reader.table(where, row, LEVEL_KEYS if isinstance(row, Mapping) and "levels" in row else COVARIATE_KEYS)
    shares, levels = own.get("shares"), own.get("levels")
    if shares is not None and levels and (len(levels) != len(shares) or abs(shares.sum() - 1) > 1e-9):
        reader.add(
            f"{where} shares = {shares.tolist()} is not allowed: one for each of the {len(levels)} levels, which add to 1."
        )
    return own


def _check_cases(found: Contents, covariates: Mapping[str, Any], scores: Mapping[str, Any], reader: Reader) -> None:
    cases, sound = found.tables["cases"], "cases" not in reader.faulty
    for key in ("rise", "at_least"):
        cases[key] = cases[key] or {}
        reader.known(f"[cases] {key}", cases[key], scores, "score")
    if sound and bool(cases["rise"] or cases["at_least"]) == (cases["share"] is not None):
        reader.add("[cases] needs a rule: either rise or at_least (of scores), or share.")
    elif sound and cases["risk"] and not cases["rise"]:
        reader.add("[cases] risk shifts the rises of scores, on which nothing depends here; leave it out, or make cases by rise.")
    if cases["rise"] and len(found.tables["study"]["visits"] or ()) == 1:
        reader.add("[cases] rise needs a visit after baseline; use at_least, or name more [study] visits.")
    for key in cases["risk"]:
        name, _, level = (part.strip() for part in key.partition("="))
        reader.known("[cases] risk", [name], covariates, "covariate")
        if name in covariates:
            if covariates[name].get("levels"):
                reader.known(f"[cases] risk {name!r}", [level], covariates[name]["levels"], "level")
            elif level and "levels" not in covariates[name]:
                reader.add(f"[cases] risk {key!r}: {name!r} is a number and has no levels; name it alone.")


def _check_matching(found: Contents, covariates: Mapping[str, Any], reader: Reader) -> None:
    matching, study = found.tables["matching"], found.tables["study"]
    reader.known("[matching] kind", [matching["kind"]] if matching["kind"] else [], ("sets", "frequency"), "value")
    reader.known("[matching] on", matching["on"] or (), covariates, "covariate")
    if matching["on"]:
        reader.known("[matching] exact", matching["exact"], matching["on"], "covariate")
    reader.known("[matching] bands", matching["bands"], covariates, "covariate")
    other = {"sets": "bands", "frequency": "exact"}.get(matching["kind"])
    if other and matching[other]:
        reader.add(f"[matching] {other} has no effect with kind = {matching['kind']!r}; leave it out.")
    if matching["kind"] == "frequency":
        for name in matching["on"] or ():
            if name in covariates and "levels" not in covariates[name] and name not in matching["bands"]:
                reader.add(f"[matching] bands needs the width of the bands of {name!r}, such as bands = {{ {name!r} = 10 }}.")
    if matching["kind"] == "sets" and study["cases"] and study["controls"] and study["controls"] % study["cases"]:
        reader.add(
            f"[study] controls = {study['controls']} is not allowed with matched sets: a multiple of cases = {study['cases']}."
        )


def _read_effects(content: Mapping[str, Any], found: Contents, covariates: Mapping[str, dict[str, Any]], reader: Reader) -> None:
    for name, row in _rows("[covariate_effect]", content.get("covariate_effect", {}), reader).items():
        reader.known("[covariate_effect]", [name], covariates, "covariate")
        own = found.effects[name] = reader.table(f"[covariate_effect] {name!r}", row, EFFECT_KEYS)
        levels = covariates.get(name, {}).get("levels")
        if levels:
            reader.known(f"[covariate_effect] {name!r} level", [own["level"] or ""], levels, "level")
        elif own["level"] is not None and levels is None and name in covariates:
            reader.add(f"[covariate_effect] {name!r} level: {name!r} is a number and has no levels; use per.")
