"""Plates: do they tell cases from controls, or visits?"""

from __future__ import annotations

import numpy as np

from ..labels import NOT_GIVEN, coded
from ..plan import Plan
from ..study import Study
from ..words import counted, joined, p_text, percent, visit_name
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, some

UNEVEN = 0.05  # chi-square p of plate by group
TELLS = 0.9  # Cramer's V from which plate all but tells group, or visit


def _group(study: Study, plan: Plan | None) -> Finding:
    if not study.panel.has_plates:
        return Finding(NOT_APPLICABLE, "plates are not known")
    facts, n_before = Facts(study), len(study.baseline_visits)
    plate_of = _known_plates(facts)
    base = study.sample_at[:n_before].max(axis=0)
    found = [_at_visit(study, facts, base, study.baseline)]
    for label, at in zip(study.visits, study.sample_at[n_before:], strict=True):
        both = (at >= 0) & (base >= 0)
        if (plate_of[at[both]] != plate_of[base[both]]).any():  # else the visit tells nothing new
            found.append(_at_visit(study, facts, at, label))
    worst = [one for one in found if one.verdict in (WARN, FAIL)]
    if not worst:
        return next((one for one in found if one.verdict == PASS), found[0])
    verdict = FAIL if any(one.verdict == FAIL for one in worst) else WARN
    return Finding(verdict, "; ".join(one.observed for one in worst), [row for one in worst for row in one.rows])


def _known_plates(facts: Facts) -> np.ndarray:
    return np.where(np.isin(facts.plate, NOT_GIVEN), "", facts.plate)


def _at_visit(study: Study, facts: Facts, at: np.ndarray, label: str) -> Finding:
    """Judge the plates of one visit, by the sample of each subject there (-1: none)."""
    plate_of = _known_plates(facts)
    there = at[at >= 0]
    first = there[plate_of[there] != ""]
    plate, plates = coded(plate_of[first])
    if len(plates) < 2:
        return Finding(NOT_APPLICABLE, f"{'one plate' if len(plates) else 'no plate known'} at {visit_name(label)}")
    case = facts.case[first]
    counts = np.stack([np.bincount(plate[own], minlength=len(plates)) for own in (case, ~case)])
    rows = [
        {"plate": name, "visit": label, "found": f"{counted(a, 'case')}, {counted(b, 'control')}"}
        for name, a, b in zip(plates, *counts.tolist(), strict=True)
    ]
    share = counts[0] / counts.sum(axis=0)
    ends = joined(dict.fromkeys(percent(end) for end in (share.min(), share.max()))).replace(" and ", " to ")
    v, p = _uneven(counts)
    said = f"cases are {ends} of each of {len(plates)} plates at {visit_name(label)} (Cramer's V {v:.2f}"
    n_alone = int((counts.min(axis=0) == 0).sum())
    without = len(there) - len(first)
    lost = f"; {counted(without, 'subject')} without a plate" if without else ""
    if n_alone == len(plates):
        tells = f"): plate tells group, {some(plates)} hold cases or controls only{lost}"
        return Finding(FAIL, said + tells, rows)
    p_said = p_text(p) if p < 1e-4 else f"= {p_text(p)}"
    said += f", chi-square p {p_said})" + _sets_on_plates(study, plate_of, at)
    if n_alone:
        said += f"; {counted(n_alone, 'plate')} with cases or controls only"
    if v >= TELLS:
        return Finding(FAIL, f"{said}: plate all but tells group{lost}", rows)
    return Finding(WARN if p < UNEVEN else PASS, said + lost, rows if p < UNEVEN else [])


def _sets_on_plates(study: Study, plate_of: np.ndarray, at: np.ndarray) -> str:
    """Say how many matched sets lie on one plate, where there are sets."""
    if study.design.matching != "sets":
        return ""
    plates: dict[str, set[str]] = {}
    for name, own in zip(study.subjects["matched_set"], at, strict=True):
        if own >= 0:
            plates.setdefault(name, set()).add(plate_of[own])
    return f"; {sum(len(own) == 1 for own in plates.values())} of {counted(len(plates), 'set')} on one plate"


def _visit(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    plate_of = _known_plates(facts)
    known = plate_of != ""
    plate, plates = coded(plate_of[known])
    visit, visits = coded(facts.visit[known])
    if len(plates) < 2 or len(visits) < 2:
        why = "one visit only" if study.panel.samples["visit"].nunique() < 2 else "one plate only"
        return Finding(NOT_APPLICABLE, why if study.panel.has_plates else "plates are not known")
    counts = np.zeros((len(visits), len(plates)), dtype=np.int64)
    np.add.at(counts, (visit, plate), 1)
    subject = facts.subjects()[0][known]
    pairs = np.unique(np.stack([subject, plate]), axis=1)[0]
    n_plates = np.unique(pairs, return_counts=True)[1]
    if (n_plates == 1).all():
        return Finding(PASS, "all samples of a subject lie on one plate")
    v, _ = _uneven(counts)
    spread = f"{(n_plates > 1).sum()} of {counted(len(n_plates), 'subject')}"
    said = f"the visits of {spread} lie on several plates; visit by plate: Cramer's V {v:.2f}"
    if v < TELLS:
        return Finding(PASS, said)
    rows = [
        {"plate": name, "found": joined(f"{n} at {visit_name(label)}" for label, n in zip(visits, own, strict=True) if n)}
        for name, own in zip(plates, counts.T.tolist(), strict=True)
    ]
    return Finding(WARN, f"{said}: a change between visits is also one between plates", rows)


def _uneven(counts: np.ndarray) -> tuple[float, float]:
    """Return Cramer's V (0 where rows have the same shares in all columns, 1 where columns tell rows), and chi-square's p."""
    from scipy.special import chdtrc

    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
    with np.errstate(invalid="ignore"):
        chi_square = np.nansum((counts - expected) ** 2 / expected)
    df = (counts.shape[0] - 1) * (counts.shape[1] - 1)
    return float(np.sqrt(chi_square / counts.sum() / max(1, min(counts.shape) - 1))), float(chdtrc(df, chi_square))


CHECKS = (
    Check(
        "plate and group",
        "plates",
        "Cases and controls lie alike on all plates, at each visit.",
        "Plates differ by what was done on the day. Where one holds the cases and another the controls, no analysis can tell the "
        "groups from the plates (fails from Cramer's V .9); where they lie unevenly, a test without plate rejects too often.",
        _group,
        "Leek JT et al. Nat Rev Genet 2010;11:733-739. doi:10.1038/nrg2825",
    ),
    Check(
        "plate and visit",
        "plates",
        "The visits of one subject lie on one plate, or all visits on all plates.",
        "Where one plate holds the baseline and another the later samples, a change on treatment cannot be told from a "
        "difference between plates, within a group; between the groups it cancels if both are spread alike.",
        _visit,
        "Leek JT et al. Nat Rev Genet 2010;11:733-739. doi:10.1038/nrg2825",
    ),
)
