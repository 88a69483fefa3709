"""Matching: how well groups agree on what they were matched on, and whether the sets are what they should be."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from ..balance import balance_table
from ..labels import as_label
from ..matching import covariate_values
from ..plan import Plan
from ..study import Study
from ..words import counted, joined
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, some

APART = 0.25  # standardised difference
CHANCE = 1.96  # standard errors of one between groups that nobody matched
RULE = 0.8  # share of the sets that have one case, from which the others are exceptions
FEW = 5  # different numbers, that may be codes: of sex, of a stage
STRANGERS = 6.0  # times the median distance within sets, and beyond the SD of all: a set whose members do not belong together
LEAST_SETS = 5
AS_FAR = 0.8  # SD within sets over that of all, from which matching achieved little


def _variables(study: Study, plan: Plan | None) -> Finding:
    design = study.design
    if not design.matched_on:
        return Finding(NOT_APPLICABLE, "the design names nothing that groups were matched on")
    lacking = _lacking(study)
    if design.matching == "sets":
        verdict, said, rows = _within_sets(study)
    else:
        verdict, said, rows = _between_groups(study)
    if lacking:
        said += f"; {counted(len({row['subject'] for row in lacking}), 'subject')} without a value of one of them"
        verdict = WARN
    return Finding(verdict, said, rows + lacking)


def _lacking(study: Study) -> list[dict[str, Any]]:
    facts = Facts(study)
    first = study.sample_at[: len(study.baseline_visits)].max(axis=0)
    rows = []
    for name in dict.fromkeys(study.design.matched_on):
        values = covariate_values(study.panel.samples[name])
        gone = np.isnan(values) if values.dtype.kind == "f" else values == ""
        rows += [facts.place(s, column=name, found=f"no value of {name}") for s in first[gone[first]]]
    return rows


def _between_groups(study: Study) -> tuple[str, str, list[dict[str, Any]]]:
    table = balance_table(study, list(dict.fromkeys(study.design.matched_on)))
    apart = table["std_difference"].abs()
    by_chance = CHANCE * np.sqrt(1 / table["n_case"] + 1 / table["n_control"])  # of groups that nobody matched
    names = [f"{name} = {level}" if level else name for name, level in zip(table["covariate"], table["level"], strict=True)]
    rows = []
    for i in np.flatnonzero(apart > APART):
        row = table.iloc[i]
        rows.append(
            {
                "found": f"{names[i]}: mean or share {row['mean_case']:.3g} in {row['n_case']} cases, "
                f"{row['mean_control']:.3g} in {row['n_control']} controls; standardised difference "
                f"{row['std_difference']:+.2f}"
            }
        )
    top = int(np.argmax(apart.fillna(-1)))
    said = f"largest standardised difference {table['std_difference'].iloc[top]:+.2f} ({names[top]})"
    bad = np.flatnonzero((apart > APART) & (apart > by_chance))
    if len(bad):
        more = "larger than between groups that nobody matched"
        return WARN, f"{said}; beyond {APART} and {more}: {some(names[i] for i in bad)}", rows
    return (
        PASS,
        said + (f"; {len(rows)} beyond {APART}, not more than chance makes between groups that nobody matched" if rows else ""),
        rows,
    )


def _within_sets(study: Study) -> tuple[str, str, list[dict[str, Any]]]:
    facts = Facts(study)
    first = study.sample_at[: len(study.baseline_visits)].max(axis=0)
    sets = study.subjects["matched_set"].to_numpy(dtype=object)
    case = study.arrays.case
    verdict, said = PASS, []
    rows: list[dict[str, Any]] = []
    for name in dict.fromkeys(study.design.matched_on):
        values = covariate_values(study.panel.samples[name])[first]
        labels = _exact(values, sets)
        if labels is not None:
            n, differ = _differing(labels, sets)
            said.append(f"{name} is one in {n - len(differ)} of {n} sets")
            continue
        found = _distances(values, sets, case)
        if not found:
            said.append(f"{name}: not known")
            continue
        total, apart = float(np.nanstd(values)), float(np.mean(list(found.values())))
        widest = max(found, key=lambda own: found[own])
        largest = found[widest]
        within = (
            f"{name} lies {apart:.3g} apart in sets in the mean (SD of all {total:.3g}), {largest:.3g} at most (set {widest})"
        )
        said.append(within)
        bar = max(STRANGERS * float(np.median(list(found.values()))), total)
        strange = {own: far for own, far in found.items() if far > bar} if len(found) >= LEAST_SETS else {}
        others = ~np.isin(sets, list(strange))
        if _within_share(values[others], sets[others]) >= AS_FAR:
            verdict = WARN
            rows.append({"matched_set": widest, "found": f"{within}: hardly nearer than any two subjects"})
        if strange:
            verdict = WARN
            named = some(f"set {own} ({far:.3g})" for own, far in sorted(strange.items(), key=lambda item: -item[1]))
            said.append(f"far beyond the others: {named}")
            rows += [
                facts.place(s, column=name, found=f"{name} {value:g}, {strange[own]:.3g} apart in its set")
                for s, own, value in zip(first, sets, values, strict=True)
                if own in strange
            ]
    return verdict, "; ".join(said), rows


def _within_share(values: np.ndarray, sets: np.ndarray) -> float:
    """Return the SD within sets over the SD of all."""
    known = ~np.isnan(values)
    _, own = np.unique(sets[known].astype(str), return_inverse=True)
    x, size = values[known], np.bincount(own)
    df = len(x) - len(size)
    left = x - (np.bincount(own, weights=x) / size)[own]
    return float(np.sqrt(np.square(left).sum() / df) / np.std(x, ddof=1)) if df > 0 else np.nan


def _exact(values: np.ndarray, sets: np.ndarray) -> np.ndarray | None:
    """Return as texts what members of a set should agree in: texts, and few numbers that nearly all sets agree in."""
    if values.dtype.kind != "f":
        return values
    known = values[~np.isnan(values)]
    if len(np.unique(known)) > FEW:
        return None
    labels = np.array([as_label(value) for value in values], dtype=object)
    n, differ = _differing(labels[sets != ""], sets[sets != ""])
    return labels if len(differ) <= (1 - RULE) * n else None


def _distances(values: np.ndarray, sets: np.ndarray, case: np.ndarray) -> dict[str, float]:
    """Return the distance of the means of cases and controls of each set that has both."""
    found = {}
    for name in dict.fromkeys(sets):
        sides = [values[(sets == name) & own] for own in (case, ~case)]
        if all((~np.isnan(side)).any() for side in sides):
            found[name] = abs(float(np.nanmean(sides[0]) - np.nanmean(sides[1])))
    return found


def _differing(values: np.ndarray, sets: np.ndarray) -> tuple[int, list[Any]]:
    """Return the number of sets, and those whose members differ in a text; who has none does not count."""
    texts: dict[Any, set[str]] = {}
    for name, text in zip(sets, values, strict=True):
        texts.setdefault(name, set()).update([text] if text else [])
    return len(texts), [name for name, own in texts.items() if len(own) > 1]


def _sets(study: Study, plan: Plan | None) -> Finding:
    if study.design.matching != "sets":
        return Finding(NOT_APPLICABLE, "the design has no matched sets")
    facts = Facts(study)
    subjects = facts.subjects()[0]
    first = np.unique(subjects, return_index=True)[1]
    sets, case = facts.matched_set[first], facts.case[first]
    said, rows, differing = [], [], set()
    for name in dict.fromkeys(study.design.matched_on):
        differ, text, own = _broken(facts, first, sets, name)
        differing |= differ
        rows += own
        said += [text] if text else []
    several, shapes, exceptions = _shapes(facts, first, sets, case)
    for text, own in (_left_over(study, facts, first), (shapes, exceptions)):
        rows += own
        said += [text] if own else []
    wrong = sorted(differing & several)
    if wrong:
        said.insert(0, f"not as the others in either: {some(f'set {name}' for name in wrong)}")
    verdict = FAIL if wrong else WARN if rows else PASS
    shape = Counter(f"{(case & (sets == s)).sum()}:{(~case & (sets == s)).sum()}" for s in dict.fromkeys(sets) if s)
    kinds = joined(f"{n} of {kind}" for kind, n in shape.most_common(4)) + (
        f" and {len(shape) - 4} more kinds" if len(shape) > 4 else ""
    )
    return Finding(verdict, "; ".join([*said, f"{counted(sum(shape.values()), 'set')} (cases:controls {kinds})"]), rows)


def _broken(facts: Facts, first: np.ndarray, sets: np.ndarray, name: str) -> tuple[set[str], str, list[dict[str, Any]]]:
    """Find sets whose members differ in a text, or in a code, that they were matched on."""
    values = _exact(covariate_values(facts.study.panel.samples[name])[first], sets)
    if values is None:
        return set(), "", []
    inside = sets != ""
    n, differ = _differing(values[inside], sets[inside])
    if not differ:
        return set(), "", []
    rows = [
        facts.place(first[i], column=name, found=f"{name} {values[i]!r} ({'case' if facts.case[first[i]] else 'control'})")
        for own in differ
        for i in np.flatnonzero(sets == own)
    ]
    said = f"members of {counted(len(differ), 'set')} of {n} differ in {name} ({some(f'set {own}' for own in differ)})"
    return set(differ), said, rows


def _left_over(study: Study, facts: Facts, first: np.ndarray) -> tuple[str, list[dict[str, Any]]]:
    """Find who is in no set, or in one that has subjects of one kind only."""
    reasons = dict(zip(study.excluded["subject"], study.excluded["reason"], strict=True))
    rows = [facts.place(s, found=reason) for s in first if "matched set" in (reason := reasons.get(facts.subject[s], ""))]
    n_sets = len({row["matched_set"] for row in rows if row["matched_set"]})
    loose = sum(not row["matched_set"] for row in rows)
    parts = [f"{counted(n_sets, 'set')} with subjects of one kind only"] if n_sets else []
    parts += [f"{counted(loose, 'subject')} in no set"] if loose else []
    return f"{joined(parts)}, whom no test of sets can use: {some(row['subject'] for row in rows)}", rows


def _shapes(facts: Facts, first: np.ndarray, sets: np.ndarray, case: np.ndarray) -> tuple[set[str], str, list[dict[str, Any]]]:
    """Find sets with two cases or more, where nearly all have one."""
    cases = Counter(sets[case & (sets != "")].tolist())
    several = [name for name, count in cases.items() if count > 1]
    if not several or len(several) > (1 - RULE) * len(cases):
        return set(), "", []
    rows = [
        facts.place(first[i], found=f"one of {cases[name]} cases of its set")
        for name in several
        for i in np.flatnonzero((sets == name) & case)
    ]
    named = some(f"set {name}" for name in several)
    return set(several), f"{counted(len(several), 'set')} with two cases or more, where the others have one: {named}", rows


CHECKS = (
    Check(
        "matching variables",
        "matching",
        f"Frequency matching: standardised differences within {APART}, or within what chance makes of groups that nobody "
        "matched. Matched sets: members lie nearer than any two subjects, and no set far beyond the others.",
        "Matching that did not succeed leaves the groups different in what it was meant to make alike. No test: balance is a "
        "property of these subjects.",
        _variables,
        "Imai K, King G, Stuart EA. J R Stat Soc A 2008;171:481-502. doi:10.1111/j.1467-985X.2007.00527.x; Stuart EA. Stat Sci "
        "2010;25:1-21. doi:10.1214/09-STS313",
    ),
    Check(
        "matched sets",
        "matching",
        "Members of a set agree in every text, and every code of few numbers, that they were matched on; each set has a case and "
        "a control, and one case where nearly all have one.",
        "A set whose members do not belong together compares strangers; a wrong set number or a wrong group label is the "
        "usual reason. Fails where a set has two cases, unlike nearly all others, and its members differ in a text; either "
        "alone may be how controls were found.",
        _sets,
    ),
)
