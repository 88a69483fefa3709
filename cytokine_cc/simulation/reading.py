"""Read a scenario file: every table by its keys, what must fit together, one message for all that does not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.special import bdtr

from ..errors import OptionError, quoted
from .cohort import Cohort, draw_people
from .parameters import (
    ANALYTE_KEYS,
    COVARIATE_KEYS,
    EFFECT_KEYS,
    KINDS_OF_SOURCE,
    LEVEL_KEYS,
    SCORE_KEYS,
    TABLES,
    TOP,
    Key,
    Reader,
)
from .streams import Streams

_RARE = 1e-6  # chance of a cohort with too few cases or controls that a scenario may have
_LEVELS = ("log_sd", "icc", "below", "above", "upper_limit")  # of an analyte, or of all in the table named there


@dataclass(eq=False)
class Contents:
    """A scenario file, read and checked.

    Attributes
    ----------
    analytes : tuple of str
    columns : dict of ndarray, shape (analytes, 1)
        Numbers of [analytes], NaN where there is none.
    units, categories : tuple of str
    tables : dict of dict
        Tables of the file by name, each key with its value or default; only those that are there.
    cohort : Cohort or None
    effects : dict of dict
        Of covariates.
    """

    analytes: tuple[str, ...]
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    cohort: Cohort | None = None
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)


def read_contents(content: Mapping[str, Any], file: str) -> Contents:
    """Read and check the tables of a scenario file.

    Parameters
    ----------
    content : mapping
        The file, parsed.
    file : str
        Its name, for messages.

    Returns
    -------
    Contents

    Raises
    ------
    OptionError
        Lists all that is wrong: unknown tables, keys, analytes; values out of range; what does not fit together.
    """
    rows = content.get("analytes")
    if not isinstance(rows, Mapping) or not rows:
        raise OptionError(
            f'{file}: [analytes] must have a line for each analyte, such as "IL-6" = {{ mean = 3.1 }}; got {rows!r}.'
        )
    reader = Reader(file, rows)
    reader.known("the file", content, TOP, "table or key")
    found = Contents(tuple(rows))
    for name in TABLES:
        if name == "study" or name in content:
            table = {key: value for key, value in _mapping(content.get(name, {})).items() if (name, key) not in _NESTED}
            found.tables[name] = reader.table(f"[{name}]", table, TABLES[name])
    _read_analytes(rows, found, reader)
    _read_cohort(content, found, reader)
    _read_effects(content, found, reader)
    reader.raise_if_any()
    for check in (_check_study, _check_levels, _check_factors, _check_change, _check_plates, _check_missing, _check_sources):
        check(content, found, reader)
    reader.raise_if_any()
    _check_yield(found, reader)
    reader.raise_if_any()
    return found


_NESTED = {("cohort", "covariates"), ("cohort", "scores")}


def _mapping(table: Any) -> Any:
    return table if isinstance(table, Mapping) else {"": table}


def _read_analytes(rows: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    read = [reader.table(f"[analytes] {name!r}", row, ANALYTE_KEYS) for name, row in rows.items()]
    for key, kind in ANALYTE_KEYS.items():
        if kind.kind == "number":
            found.columns[key] = np.array([[np.nan if row[key] is None else row[key]] for row in read])
    found.units = tuple(row["unit"] or "" for row in read)
    found.categories = tuple(row["category"] or "" for row in read)


def _read_cohort(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    if "cohort" not in found.tables:
        for name in ("cases", "matching", "covariate_effect"):
            if name in content:
                reader.add(f"[{name}] needs a [cohort] to choose from: its size, covariates and scores.")
        return
    nested = {name: _mapping(_mapping(content["cohort"]).get(name, {})) for name in ("covariates", "scores")}
    covariates = {}
    for name, row in nested["covariates"].items():
        keys = LEVEL_KEYS if isinstance(row, Mapping) and "levels" in row else COVARIATE_KEYS
        own = covariates[name] = reader.table(f"[cohort.covariates] {name!r}", row, keys)
        shares = own.get("shares")
        if shares is not None and (len(own["levels"]) != len(shares) or abs(shares.sum() - 1) > 1e-9):
            reader.add(
                f"[cohort.covariates] {name!r} shares = {shares.tolist()} is not allowed: one for each of the "
                f"{len(own['levels'])} levels, which add to 1."
            )
    scores = {name: reader.table(f"[cohort.scores] {name!r}", row, SCORE_KEYS) for name, row in nested["scores"].items()}
    for where, named in (("covariates", covariates), ("scores", scores)):
        for name, own in named.items():
            if own.get("min") is not None and own.get("max") is not None and own["min"] >= own["max"]:
                reader.add(f"[cohort.{where}] {name!r} min = {own['min']:g} must be below its max = {own['max']:g}.")
    if "cases" not in found.tables:
        reader.add("[cohort] needs a table [cases] that says who becomes a case.")
        return
    _check_cases(found, covariates, scores, reader)
    if found.tables.get("matching"):
        _check_matching(found, covariates, reader)
    size = found.tables["cohort"]["size"]
    found.cohort = Cohort(size, covariates, scores, found.tables["cases"], found.tables.get("matching"))


def _check_cases(found: Contents, covariates: Mapping[str, Any], scores: Mapping[str, Any], reader: Reader) -> None:
    cases = found.tables["cases"]
    for key in ("rise", "at_least"):
        cases[key] = cases[key] or {}
        reader.known(f"[cases] {key}", cases[key], scores, "score")
    if bool(cases["rise"] or cases["at_least"]) == (cases["share"] is not None):
        reader.add("[cases] needs a rule: either rise or at_least (of scores), or share.")
    if cases["rise"] and len(found.tables["study"]["visits"] or ()) == 1:
        reader.add("[cases] rise needs a visit after baseline; use at_least, or name more [study] visits.")
    for key in cases["risk"]:
        name, _, level = (part.strip() for part in key.partition("="))
        reader.known("[cases] risk", [name], covariates, "covariate")
        if name in covariates:
            if "levels" in covariates[name]:
                reader.known(f"[cases] risk {name!r}", [level], covariates[name]["levels"], "level")
            elif level:
                reader.add(f"[cases] risk {key!r}: {name!r} is a number and has no levels; name it alone.")


def _check_matching(found: Contents, covariates: Mapping[str, Any], reader: Reader) -> None:
    matching, study = found.tables["matching"], found.tables["study"]
    reader.known("[matching] kind", [matching["kind"]] if matching["kind"] else [], ("sets", "frequency"), "value")
    reader.known("[matching] on", matching["on"] or (), covariates, "covariate")
    reader.known("[matching] exact", matching["exact"] or (), matching["on"] or (), "covariate")
    reader.known("[matching] bands", matching["bands"], covariates, "covariate")
    if matching["kind"] == "frequency":
        for name in matching["on"] or ():
            if name in covariates and "levels" not in covariates[name] and name not in matching["bands"]:
                reader.add(f"[matching] bands needs the width of the bands of {name!r}, such as bands = {{ {name!r} = 10 }}.")
    if matching["kind"] == "sets" and study["cases"] and study["controls"] and study["controls"] % study["cases"]:
        reader.add(
            f"[study] controls = {study['controls']} is not allowed with matched sets: a multiple of cases = {study['cases']}."
        )


def _read_effects(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    covariates = found.cohort.covariates if found.cohort else {}
    for name, row in _mapping(content.get("covariate_effect", {})).items():
        reader.known("[covariate_effect]", [name], covariates, "covariate")
        own = found.effects[name] = reader.table(f"[covariate_effect] {name!r}", row, EFFECT_KEYS)
        levels = covariates.get(name, {}).get("levels")
        if levels is not None:
            reader.known(f"[covariate_effect] {name!r} level", [own["level"] or ""], levels, "level")
        elif own["level"] is not None:
            reader.add(f"[covariate_effect] {name!r} level: {name!r} is a number and has no levels; use per.")


def _check_study(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    study = found.tables["study"]
    if study["case"] == study["control"]:
        reader.add(f"[study] case and control must differ; both are {study['case']!r}.")
    if "set_effect" in found.tables and not (found.cohort and found.cohort.matching and found.cohort.matching["kind"] == "sets"):
        reader.add('[set_effect] needs matched sets: [matching] kind = "sets".')
    columns = {"subject", "visit", "plate", "set", "analyte", study["group"]}
    named = [*found.cohort.covariates, *found.cohort.scores] if found.cohort else []
    for name in named:
        if name.casefold() in {column.casefold() for column in columns} or named.count(name) > 1:
            reader.add(f"[cohort] {name!r} is the name of another column of the study; rename it.")


def _check_levels(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    """Fill in what [subject] and [limits] say for all analytes, and find analytes that say two things."""
    for name, limit, share in (("below", "lower_limit", "below"), ("above", "upper_limit", "above")):
        both = ~np.isnan(found.columns[limit]) & ~np.isnan(found.columns[share])
        for i in np.flatnonzero(both):
            reader.add(f"[analytes] {found.analytes[i]!r} gives {limit} and {name}; leave one out.")
    limits = found.tables.get("limits", {})
    if limits.get("above") is not None and limits.get("upper_limit") is not None:
        reader.add("[limits] gives above and upper_limit; leave one out.")
    for key in _LEVELS:
        common = {**limits, **found.tables.get("subject", {})}.get(key)
        own = found.columns[key]
        other = {"below": "lower_limit", "above": "upper_limit", "upper_limit": "above"}.get(key)
        free = np.isnan(own) & (np.isnan(found.columns[other]) if other else True)
        found.columns[key] = np.where(free & (common is not None), np.nan if common is None else common, own)
    for key in ("log_sd", "icc"):
        for i in np.flatnonzero(np.isnan(found.columns[key])):
            reader.add(f"[analytes] {found.analytes[i]!r} needs {key}, or give it for all in [subject].")
    group = found.tables.get("group", {})
    given = {key: ~np.isnan(value[:, 0]) for key, value in group.items() if value is not None}
    for i in np.flatnonzero(np.sum([*given.values(), np.zeros(len(found.analytes))], axis=0) > 1):
        reader.add(
            f"[group] gives {found.analytes[i]!r} more than one effect: {quoted(key for key, on in given.items() if on[i])}."
        )


def _check_factors(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    factors = found.tables.get("factors")
    if factors is None:
        return
    given = [key for key in ("loadings", "blocks", "pairs") if factors[key] is not None]
    if len(given) != 1:
        reader.add(f"[factors] needs one of loadings, blocks or pairs; got {quoted(given)}.")
        return
    loadings = _from_pairs(factors["pairs"], found, reader) if given == ["pairs"] else factors[given[0]]
    common = (loadings**2).sum(axis=1)
    for i in np.flatnonzero(common >= 1 - 1e-9) if given == ["loadings"] else ():
        reader.add(
            f"[factors] loadings {found.analytes[i]!r}: the correlation is not positive definite; the squares of the loadings "
            f"add to {common[i]:.3g}; allowed: below 1."
        )
    factors["matrix"] = loadings
    shift = factors["case_shift"]
    if shift is not None and (given == ["pairs"] or len(shift) != loadings.shape[1]):
        reader.add(f"[factors] case_shift needs one number for each of the {loadings.shape[1]} factors of loadings or blocks.")


def _from_pairs(pairs: Mapping[str, float], found: Contents, reader: Reader) -> np.ndarray:
    """Return the Cholesky factor of the correlation matrix that the pairs describe."""
    matrix = np.eye(len(found.analytes))
    for key, r in pairs.items():
        names = [name.strip() for name in key.split(",")]
        reader.known(f"[factors] pairs {key!r}", names, found.analytes, "analyte")
        if len(set(names)) != 2:
            reader.add(f"[factors] pairs {key!r} must name two analytes, such as 'IL-6, TNF-a'.")
        elif set(names) <= set(found.analytes):
            i, j = (found.analytes.index(name) for name in names)
            matrix[i, j] = matrix[j, i] = r
    lowest = float(np.linalg.eigvalsh(matrix)[0])
    if lowest < 1e-9:
        reader.add(
            f"[factors] pairs: the correlation is not positive definite; its lowest eigenvalue is {lowest:.3g}; "
            "allowed: above 0. Lower the correlations, or use loadings, which always fit together."
        )
        return np.eye(len(found.analytes))
    return np.linalg.cholesky(matrix)


def _check_change(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    if "change" not in found.tables:
        return
    later = (found.tables["study"]["visits"] or ())[1:]
    if not later:
        reader.add("[change] needs a visit after baseline; name more [study] visits.")
    else:
        reader.known("[change] reached", found.tables["change"]["reached"], later, "later visit")


def _check_plates(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    plates, limits = found.tables.get("plates"), found.tables.get("limits", {})
    if plates is None:
        if limits.get("plate_factors") is not None or limits.get("plate_log_sd"):
            reader.add("[limits] plate_factors and plate_log_sd need [plates].")
        return
    reader.known("[plates] samples", [plates["samples"]], ("together", "apart"), "value")
    for where, name, adds in (
        ("plates", "case_shares", True),
        ("plates", "control_shares", True),
        ("limits", "plate_factors", False),
    ):
        own = found.tables.get(where, {}).get(name)
        if own is not None and (len(own) != plates["n"] or (adds and abs(own.sum() - 1) > 1e-9)):
            rule = f"one number for each of the {plates['n']} plates{', which add to 1' if adds else ''}"
            reader.add(f"[{where}] {name} = {own.tolist()} is not allowed: {rule}.")


def _check_missing(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    missing = found.tables.get("missing")
    if missing is None:
        return
    if missing["driver"] is not None:
        reader.known("[missing] driver", [missing["driver"]], found.analytes, "analyte")
    elif missing["correlation"]:
        reader.add("[missing] correlation needs the driver: the analyte whose level decides.")
    if missing["samples"] and len(found.tables["study"]["visits"] or ()) < 2:
        reader.add(
            "[missing] samples is about later visits; there is none. Baseline samples are there: without one, nobody is in."
        )


def _check_sources(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    """Each line of [from] names something that the file says, and says where it comes from."""
    sources = content.get("from", {})
    if not isinstance(sources, Mapping):
        reader.add('[from] must be a table: \'table.key\' = "sourced: ...", "computed: ..." or "assumed: ...".')
        return
    for path, text in sources.items():
        if not isinstance(text, str) or not text.startswith(KINDS_OF_SOURCE):
            reader.add(f"[from] {path!r} = {text!r} is not allowed: a text that starts with {quoted(KINDS_OF_SOURCE)}.")
        if not is_said(path, content):
            reader.add(f"[from] {path!r} names nothing that the file says; write it as table.key, such as 'study.cases'.")


def is_said(path: str, content: Mapping[str, Any]) -> bool:
    """Whether a path such as 'study.cases', 'analytes.mean' or 'cohort.scores' leads to something in the file."""
    table, _, rest = path.partition(".")
    if table not in content:
        return False
    if not rest:
        return True
    own = content[table]
    if table == "analytes":
        key, _, name = rest.partition(".")
        rows = [own[name]] if name in own else [] if name else list(own.values())
        return any(key in row for row in rows)
    while rest:
        if not isinstance(own, Mapping):
            return False
        heads = [key for key in sorted(own, key=len, reverse=True) if rest == key or rest.startswith(f"{key}.")]
        if not heads:
            return False
        own, rest = own[heads[0]], rest[len(heads[0]) + 1 :]
    return True


def _check_yield(found: Contents, reader: Reader) -> None:
    """Refuse a cohort that may yield too few cases or controls."""
    cohort, study = found.cohort, found.tables["study"]
    if cohort is None:
        return
    share = cohort.cases["share"]
    if share is None:
        rng = Streams(0, range(max(1, 8_000 // cohort.size)))
        share = float(draw_people(rng, cohort, len(study["visits"]))[2].mean())
    for what, p in (("cases", share), ("controls", 1 - share)):
        counts = np.arange(cohort.size + 1)
        most = int((bdtr(counts - 1.0, cohort.size, p) <= _RARE)[1:].sum()) if 0 < p < 1 else int(p * cohort.size)
        if study[what] > most:
            reader.add(
                f"[study] {what} = {study[what]} is not allowed: a cohort of {cohort.size} yields {p:.0%} {what}, surely no more "
                f"than {most}; allowed: 2 to {most}. Enlarge [cohort] size, or change [cases]."
            )


__all__ = ["Contents", "Key", "is_said", "read_contents"]
