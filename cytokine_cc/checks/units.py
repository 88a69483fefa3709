"""Units: a plate, a subject or a sample off by a constant factor."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..labels import coded
from ..plan import Plan
from ..study import Study
from ..words import counted, visit_name
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, centred, fold, median, some, spread, unit_hint

OFF, SURELY = np.log(4.0), np.log(50.0)  # factors to look at, and those that no plate, person or dilution makes
FEWEST = 5  # analytes of which a shift can be common
ONE_WAY = 0.9  # share of the analytes of a sample that are off in the same direction
Z_SAMPLE, Z_CELL = 5.0, 6.0  # robust standard deviations of samples' shifts; standard errors of one analyte on one plate
LEAST_ON_PLATE = 5  # subjects


def _plates(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    plate, plates = coded(facts.plate)
    if len([name for name in plates if name]) < 2:
        return Finding(NOT_APPLICABLE, "one plate only" if study.panel.has_plates else "plates are not known")
    levels = facts.levels()
    overall, n_analytes = plate_shifts(levels, facts, plate, plates)
    rows: list[dict[str, Any]] = []
    said, worst = [], PASS
    for k in np.flatnonzero(np.abs(overall) >= OFF).tolist():
        text = f"{fold(overall[k])} than the other plates in the median of {n_analytes} analytes{unit_hint(overall[k])}"
        rows.append({"plate": plates[k], "found": text})
        said.append(f"plate {plates[k]} is {text}")
        worst = FAIL if abs(overall[k]) >= SURELY else WARN if worst == PASS else worst
    cells = _cells(levels, facts, plate, plates, overall)
    for a, at, shift, sure in cells:
        text = f"{fold(shift)} than on the other plates{unit_hint(shift)}"
        rows.append({"plate": plates[at], "analyte": facts.analytes[a], "found": text})
        worst = FAIL if sure else WARN if worst == PASS else worst
    if cells:
        a, k, shift, _ = max(cells, key=lambda own: abs(own[2]))
        named = some(f"{facts.analytes[own[0]]} on {plates[own[1]]}" for own in cells)
        said.append(f"one analyte on one plate off: {named}; most {facts.analytes[a]}, {fold(shift)}{unit_hint(shift)}")
    if not said:
        most = "too few analytes to tell a plate as a whole"
        if n_analytes:
            apart = float(np.exp(np.nanmax(overall) - np.nanmin(overall)))
            most = f"within {apart:.2f}-fold of each other in the median of {n_analytes} analytes"
        return Finding(PASS, f"{len(plates)} plates, {most}; no analyte stands apart on one plate")
    return Finding(worst, "; ".join(said), rows)


def plate_shifts(levels: np.ndarray, facts: Facts, plate: np.ndarray, plates: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the log factor by which each plate is off in the median of all analytes, and the number of analytes.

    Of two plates the second is held against the first. NaN with fewer than `FEWEST` analytes.
    """
    usable = np.where((facts.below | facts.above).mean(axis=-1) <= 0.5, True, False)
    if usable.sum() < FEWEST:
        return np.full(len(plates), np.nan), 0
    at = np.stack([median(levels[usable][:, plate == k]) for k in range(len(plates))], axis=-1)
    if len(plates) == 2:
        return np.array([0.0, float(median(at[:, 1] - at[:, 0]))]), int(usable.sum())
    return median((at - median(at)[:, None]).T), int(usable.sum())


def _cells(
    levels: np.ndarray, facts: Facts, plate: np.ndarray, plates: np.ndarray, overall: np.ndarray
) -> list[tuple[int, int, float, bool]]:
    """Find analytes that are off on one plate, given group and visit and what the plate is off as a whole."""
    left = centred(facts, levels) - np.nan_to_num(overall)[plate]
    at = np.stack([median(left[:, plate == k]) for k in range(len(plates))], axis=-1)
    within = spread(left - np.take_along_axis(at, np.broadcast_to(plate, left.shape), axis=-1))
    beyond = facts.below | facts.above
    shares = np.stack([beyond[:, plate == k].mean(axis=-1) for k in range(len(plates))])
    few = shares.max(axis=0) > 0.5
    n = np.array([len(np.unique(facts.subject[plate == k])) for k in range(len(plates))])
    reference = at[:, :1] if len(plates) == 2 else median(at)[:, None]
    shift = at - reference
    error = 1.2533 * within[:, None] * np.sqrt(1 / n + 1 / np.maximum(n.sum() - n, 1))
    known = np.array([name != "" for name in plates])
    usable = ~few[:, None] & (known & (n >= LEAST_ON_PLATE))[None, :]
    with np.errstate(invalid="ignore", divide="ignore"):
        off = usable & (np.abs(shift) >= OFF) & (np.abs(shift) > Z_CELL * error)
    return [(int(a), int(k), float(shift[a, k]), bool(abs(shift[a, k]) >= SURELY)) for a, k in np.argwhere(off)]


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
    levels = facts.levels()[(facts.below | facts.above).mean(axis=-1) <= 0.5]
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
    left = centred(facts, facts.levels())
    left = np.where(np.isnan(facts.value), np.nan, left)
    n = (~np.isnan(left)).sum(axis=0)
    shift = np.where(n >= max(FEWEST, len(left) / 3), median(left.T), np.nan)
    plate, plates = coded(facts.plate)
    if len(plates) > 1:
        own = np.array([float(median(shift[plate == k])) for k in range(len(plates))])
        own = np.where([(plate == k).sum() >= LEAST_ON_PLATE for k in range(len(plates))], np.nan_to_num(own), 0.0)
        left, shift = left - own[plate], shift - own[plate]
    with np.errstate(invalid="ignore"):
        same = (np.sign(left) == np.sign(shift)).sum(axis=0) / np.maximum(n, 1)
    return shift, same


_WHY = "ng/mL for pg/mL, a dilution that was not accounted for or a decimal comma that was lost multiplies all numbers alike: "
CHECKS = (
    Check(
        "units of plates",
        "units",
        f"Levels of a plate lie within {np.exp(OFF):.0f} times those of the others, over all analytes and in each.",
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
