"""A scenario file as it was read, and what in it must fit together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.special import bdtr, betaincinv

from ..errors import did_you_mean, quoted
from .cohort import Cohort, draw_people
from .origins import sayable
from .parameters import KINDS_OF_SOURCE
from .streams import Streams
from .tables import Reader, in_toml

_RARE = 1e-6  # chance of a cohort with too few cases or controls that a scenario may have
_PILOT, _SLICE = 100_000, 5_000  # persons drawn to learn how many are cases, and how many of them at once
_DOUBT = 1e-3  # chance that the share of cases lies below the bound that is taken from them
_LEVELS = ("below", "above", "upper_limit")  # of an analyte, or of all in [limits]
_ICC = 0.5  # where there is one visit, and nothing depends on it
_SHOWN = 5  # lines of [from] that a message spells out


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
    more : dict
        What else was read with it, by name.
    """

    analytes: tuple[str, ...]
    columns: dict[str, np.ndarray] = field(default_factory=dict)
    units: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    tables: dict[str, dict[str, Any]] = field(default_factory=dict)
    cohort: Cohort | None = None
    effects: dict[str, dict[str, Any]] = field(default_factory=dict)
    more: dict[str, Any] = field(default_factory=dict)


def _check_labels(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    study = found.tables["study"]
    if study["case"] == study["control"]:
        reader.add(f"[study] case and control must differ; both are {study['case']!r}.")


def _check_columns(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    if "set_effect" in found.tables and not (found.cohort and found.cohort.matching and found.cohort.matching["kind"] == "sets"):
        reader.add('[set_effect] needs matched sets: [matching] kind = "sets".')
    columns = {"subject", "visit", "plate", "set", "analyte", found.tables["study"]["group"]}
    named = [*found.cohort.covariates, *found.cohort.scores] if found.cohort else []
    for name in named:
        if name.casefold() in {column.casefold() for column in columns} or named.count(name) > 1:
            reader.add(f"[cohort] {name!r} is the name of another column of the study; rename it.")


def _check_spread(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    """Fill in what [subject] says for all analytes; with one visit, nothing depends on what is kept between visits."""
    subject = found.tables.get("subject", {})
    usual = {"log_sd": subject.get("log_sd"), "icc": subject.get("icc")}
    if usual["icc"] is None and len(found.tables["study"]["visits"]) == 1:
        usual["icc"] = _ICC
    for key, common in usual.items():
        own = found.columns[key]
        found.columns[key] = own = np.where(np.isnan(own), np.nan if common is None else common, own)
        without = [found.analytes[i] for i in np.flatnonzero(np.isnan(own))]
        if without:
            verb = "needs" if len(without) == 1 else "need"
            reader.add(f"[analytes] {quoted(without)} {verb} {key}, or give it for all in [subject].")


def _check_limits(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    """Fill in what [limits] says for all analytes, and find limits that contradict each other."""
    limits = found.tables.get("limits", {})
    for limit, share in (("lower_limit", "below"), ("upper_limit", "above")):
        both = ~np.isnan(found.columns[limit]) & ~np.isnan(found.columns[share])
        for i in np.flatnonzero(both):
            reader.add(f"[analytes] {found.analytes[i]!r} gives {limit} and {share}; leave one out.")
    if limits.get("above") is not None and limits.get("upper_limit") is not None:
        reader.add("[limits] gives above and upper_limit; leave one out.")
    for key in _LEVELS:
        common, own = limits.get(key), found.columns[key]
        other = {"below": "lower_limit", "above": "upper_limit", "upper_limit": "above"}[key]
        free = np.isnan(own) & np.isnan(found.columns[other])
        found.columns[key] = np.where(free & (common is not None), np.nan if common is None else common, own)
    below, above, lower, upper = (found.columns[key][:, 0] for key in ("below", "above", "lower_limit", "upper_limit"))
    for i in np.flatnonzero(below + above >= 1):
        reader.add(
            f"[analytes] {found.analytes[i]!r} below = {below[i]:g} and above = {above[i]:g} leave nothing between the limits; "
            "allowed: a sum below 1."
        )
    for i in np.flatnonzero(lower >= upper):
        reader.add(
            f"[analytes] {found.analytes[i]!r} lower_limit = {lower[i]:g} is not allowed with upper_limit = {upper[i]:g}; "
            f"allowed: below {upper[i]:g}."
        )


def _check_group(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    group = found.tables.get("group", {})
    given = {key: ~np.isnan(value[:, 0]) for key, value in group.items() if value is not None}
    for i in np.flatnonzero(np.sum([*given.values(), np.zeros(len(found.analytes))], axis=0) > 1):
        reader.add(
            f"[group] gives {found.analytes[i]!r} more than one effect: {quoted(key for key, on in given.items() if on[i])}."
        )
    if "odds_ratio" in given and "tail" in found.tables:
        reader.add(
            "[group] odds_ratio is not allowed with [tail]: of contaminated values, no one odds ratio holds at all levels. "
            "Give ratio or sd_units, or leave [tail] out."
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


def _from_pairs(pairs: Mapping[tuple[int, int], float], found: Contents, reader: Reader) -> np.ndarray:
    """Return the Cholesky factor of the correlation matrix that the pairs describe."""
    matrix = np.eye(len(found.analytes))
    for (i, j), r in pairs.items():
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
    nothing, may_name = [], sayable(content)
    for path, text in sources.items():
        if not isinstance(text, str) or not text.startswith(KINDS_OF_SOURCE):
            reader.add(f"[from] {path!r} = {in_toml(text)} is not allowed: a text that starts with {quoted(KINDS_OF_SOURCE)}.")
        if path.partition(".")[0] != "study" or "study" in content:  # that there is none is said once
            nothing += [] if path in may_name else [path]
    for path in nothing[:_SHOWN]:
        reader.add(
            f"[from] {path!r} names nothing that the file says; write it as table.key, such as 'study.cases'."
            f"{did_you_mean(path, may_name)}"
        )
    if len(nothing) > _SHOWN:
        reader.add(f"[from] and {len(nothing) - _SHOWN} more lines that name nothing: {quoted(nothing[_SHOWN:])}.")


def _check_yield(content: Mapping[str, Any], found: Contents, reader: Reader) -> None:
    """Refuse a cohort that may yield too few cases or controls."""
    cohort, study = found.cohort, found.tables["study"]
    if cohort is None:
        return
    for what, (usual, least) in _shares(cohort, len(study["visits"])).items():
        # The largest number that all but one cohort in a million have.
        if study[what] <= cohort.size and bdtr(study[what] - 1.0, cohort.size, least) <= _RARE:
            continue
        most = int((bdtr(np.arange(cohort.size, dtype=float), cohort.size, least) <= _RARE).sum())
        possible = (
            f"all but one cohort in a million have at least {most}; allowed: 2 to {most}"
            if most >= 2
            else f"no number of {what} can be had"
        )
        mean = usual * cohort.size
        shown = f"{mean:.0f}" if mean >= 10 else f"{mean:.1g}"
        reader.add(
            f"[study] {what} = {study[what]} is not allowed: a cohort of {cohort.size} has {shown} {what} on average; "
            f"{possible}. Enlarge [cohort] size, or change [cases]."
        )


def _shares(cohort: Cohort, n_visits: int) -> dict[str, tuple[float, float]]:
    """Share of cases and of controls: the usual, and one that it hardly lies below (where it is learnt from a sample)."""
    share = cohort.cases["share"]
    if share is not None:
        return {"cases": (share, share), "controls": (1 - share, 1 - share)}
    few = replace(cohort, size=_SLICE)
    slices = (draw_people(Streams(0, [k], branch=1), few, n_visits)[2] for k in range(_PILOT // _SLICE))
    n = sum(int(status.sum()) for status in slices)
    return {
        what: (k / _PILOT, float(betaincinv(k, _PILOT - k + 1, _DOUBT)) if k else 0.0)
        for what, k in (("cases", n), ("controls", _PILOT - n))
    }


Check = Callable[[Mapping[str, Any], Contents, Reader], None]
# What must fit together, each with the parts of the file that must be without faults for it to be asked.
CHECKS: tuple[tuple[set[str], Check], ...] = (
    ({"study"}, _check_labels),
    ({"study", "cohort", "matching"}, _check_columns),
    ({"study", "analytes", "subject"}, _check_spread),
    ({"analytes", "limits"}, _check_limits),
    ({"group", "tail"}, _check_group),
    ({"factors"}, _check_factors),
    ({"study", "change"}, _check_change),
    ({"plates", "limits"}, _check_plates),
    ({"study", "missing"}, _check_missing),
    (set(), _check_sources),
    ({"study", "cohort", "cases"}, _check_yield),
)
