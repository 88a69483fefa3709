"""Units: a plate, a subject or a sample off by a constant factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..plan import Plan
from ..study import Study
from ..words import counted, visit_name
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, centred, fold, median, some, spread, unit_hint
from .plate_shifts import FEWEST, LEAST_ON_PLATE, OFF, SURELY, plate_shifts, without_plates

ONE_WAY = 0.9  # share of the analytes of a sample that are off in the same direction
Z_SAMPLE = 5.0  # robust standard deviations of samples' shifts


def _plates(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    found = plate_shifts(facts, facts.logs())
    plates, n_analytes = found.names, found.n_analytes
    if len(plates) < 2:
        return Finding(NOT_APPLICABLE, "one plate only" if len(plates) else "plates are not known")
    rows: list[dict[str, Any]] = []
    said, worst = [], PASS
    apart = float(np.nanmax(found.apart)) if n_analytes else 0.0
    among = f"in the median of {n_analytes} analytes"
    for k in np.flatnonzero(np.abs(found.overall) >= OFF).tolist():
        than = _than(plates, found.usual)
        text = f"{fold(found.overall[k])} than {than} {among}{unit_hint(found.overall[k])}"
        rows.append({"plate": plates[k], "found": text})
        said.append(f"plate {plates[k]} is {text}")
    if not said and apart >= OFF:
        high, low = np.unravel_index(np.nanargmax(found.apart), found.apart.shape)
        said.append(f"plate {plates[high]} is {fold(apart)} than plate {plates[low]} {among}, with others between them")
        rows.append({"plate": plates[high], "found": said[-1]})
    if said:
        worst = FAIL if apart >= SURELY else WARN
    for own in found.single:
        text = f"{fold(own.shift)} than on the other plates{unit_hint(own.shift)}"
        rows.append({"plate": plates[own.plate], "analyte": facts.analytes[own.analyte], "found": text})
        worst = FAIL if own.surely else WARN if worst == PASS else worst
    if found.single:
        top = max(found.single, key=lambda own: abs(own.shift))
        named = some(f"{facts.analytes[own.analyte]} on {plates[own.plate]}" for own in found.single)
        most = f"most {facts.analytes[top.analyte]}, {fold(top.shift)}{unit_hint(top.shift)}"
        said.append(f"one analyte on one plate off: {named}; {most}")
    if said:
        return Finding(worst, "; ".join(said), rows)
    most = f"any two within {np.exp(apart):.2f}-fold of each other {among}"
    most = most if n_analytes else "too few analytes to tell a plate as a whole"
    alone = (
        "no analyte stands apart on one plate" if found.judged else "single analytes not judged: few share group, visit and plate"
    )
    return Finding(PASS, f"{len(plates)} plates, {most}; {alone}")


def _than(plates: np.ndarray, usual: np.ndarray) -> str:
    """Name the plates that others are held against."""
    if usual.sum() == 1:
        return f"plate {plates[usual][0]}"
    return "the other plates" if usual.sum() == len(plates) - 1 else f"plates {some(plates[usual])}"


def _samples(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    n_analytes, n = facts.value.shape
    if n_analytes < FEWEST:
        return Finding(NOT_APPLICABLE, f"{counted(n_analytes, 'analyte')}: too few to tell a sample from its analytes")
    if n < 2 * FEWEST:
        return Finding(NOT_APPLICABLE, f"{counted(n, 'sample')}: too few to tell what is usual")
    said, rows, worst = _blocks(facts)
    shift, one_way = sample_shifts(facts)
    if np.isnan(shift).all() and not said:
        return Finding(NOT_APPLICABLE, f"no sample has numbers of {FEWEST} analytes, and of a third of all")
    usual = spread(shift)
    with np.errstate(invalid="ignore"):
        off = (np.abs(shift) >= OFF) & (np.abs(shift) > Z_SAMPLE * usual) & (one_way >= ONE_WAY)
    places = np.flatnonzero(off).tolist()
    if not places and not said:
        k = int(np.nanargmax(np.abs(shift)))
        most = f"the farthest is {facts.sample(k)}, {fold(shift[k])} in the median of its analytes"
        return Finding(PASS, f"of {counted(n, 'sample')} {most}")
    rows += [
        facts.place(
            s,
            found=f"{fold(shift[s])} than its group in the median of its analytes, {one_way[s]:.0%} of them so"
            f"{unit_hint(shift[s])}",
        )
        for s in places
    ]
    if places:
        worst = FAIL if worst == FAIL or (np.abs(shift[places]) >= SURELY).any() else WARN
        said.append(f"off in nearly all analytes: {_named(facts, places, shift)}")
    return Finding(worst, "; ".join(said), rows)


def _blocks(facts: Facts) -> tuple[list[str], list[dict[str, Any]], str]:
    """Find a group, or a visit, that is off as a whole in the median of all analytes."""
    levels = without_plates(facts)[facts.bare.mean(axis=-1) <= 0.5]
    visits = list(dict.fromkeys(facts.visit))
    asked = [
        (facts.case & (facts.visit == v), ~facts.case & (facts.visit == v), f"cases at {visit_name(v)}", "controls")
        for v in visits
    ]
    asked += [(facts.visit == v, facts.visit == visits[0], visit_name(v), visit_name(visits[0])) for v in visits[1:]]
    said, rows, worst = [], [], PASS
    for own, other, name, than in asked:
        if len(levels) < FEWEST or min(own.sum(), other.sum()) < FEWEST:
            continue
        shift = float(median(median(levels[:, own]) - median(levels[:, other])))
        if abs(shift) >= OFF:
            text = f"{fold(shift)} than {than} in the median of {len(levels)} analytes{unit_hint(shift)}"
            said.append(f"{name}: {text}")
            rows.append({"found": f"{name}: {text}"})
            worst = FAIL if abs(shift) >= SURELY else WARN if worst == PASS else worst
    return said, rows, worst


def _named(facts: Facts, places: list[int], shift: np.ndarray) -> str:
    """Name samples that are off; a subject of whom all are, once."""
    subject, names = facts.subjects()
    total, own = np.bincount(subject), np.bincount(subject[places], minlength=len(names))
    texts = []
    for k in dict.fromkeys(subject[places].tolist()):
        mine = [s for s in places if subject[s] == k]
        factor = f"{fold(float(np.median(shift[mine])))}{unit_hint(float(np.median(shift[mine])))}"
        if own[k] == total[k] and total[k] > 1:
            texts.append(f"{names[k]} at all {total[k]} visits, {factor}")
        else:
            texts += [f"{facts.sample(s)}, {fold(shift[s])}{unit_hint(shift[s])}" for s in mine]
    return some(texts)


def sample_shifts(facts: Facts) -> tuple[np.ndarray, np.ndarray]:
    """Return the log factor by which each sample is off its group and plate, and the share of its analytes that are off that way.

    NaN where fewer than a third of the analytes, or `FEWEST`, have a number.
    """
    left = centred(facts, without_plates(facts))
    left = np.where(np.isnan(facts.value), np.nan, left)
    n = (~np.isnan(left)).sum(axis=0)
    shift = np.where(n >= max(FEWEST, len(left) / 3), median(left.T), np.nan)
    for plate in set(facts.plate) - {""}:
        on = facts.plate == plate
        own = float(median(shift[on]))
        if on.sum() >= LEAST_ON_PLATE and not np.isnan(own):
            left[:, on] -= own
            shift[on] -= own
    with np.errstate(invalid="ignore"):
        same = (np.sign(left) == np.sign(shift)).sum(axis=0) / np.maximum(n, 1)
    return shift, same


_WHY = "ng/mL for pg/mL, a dilution that was not accounted for or a decimal comma that was lost multiplies all numbers alike: "
CHECKS = (
    Check(
        "units of plates",
        "units",
        f"Levels of any two plates lie within {np.exp(OFF):.0f}-fold of each other, over all analytes and in each.",
        _WHY
        + "the plate then stands for a difference between whoever lies on it. Fails from 50-fold. Single analytes are judged "
        "within group and visit, where these lie on several plates.",
        _plates,
    ),
    Check(
        "units of samples",
        "units",
        f"Levels of a sample lie within {np.exp(OFF):.0f} times those of its group, or are spread to both sides; so do groups "
        "and visits as wholes.",
        _WHY
        + "one such sample can carry or hide a difference between groups. Judged by the median over its analytes, given plate; "
        "fails from 50-fold.",
        _samples,
    ),
)
