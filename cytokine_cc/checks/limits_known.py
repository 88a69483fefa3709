"""Values below the limits of detection, by group; and limits that differ by plate."""

from __future__ import annotations

import numpy as np

from ..panel import State
from ..plan import Plan
from ..study import Study
from ..words import counted, percent
from .check_report import NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, median, some
from .tables import fisher

MOSTLY = 0.8  # share below from which an analyte says little but who is below
LEVEL = 0.05  # of Fisher's test, adjusted by Bonferroni for all analytes and visits
APART, APART_UNEVEN = 4.0, 2.0  # ratio of plates' limits; where groups lie unevenly over the plates
MATTERS = 0.1  # share below from which limits that differ matter


def _below(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    known = ~np.isnan(facts.lower).all()
    if not facts.below.any():
        why = "limits are stated" if known else "no limit is stated"
        return Finding(PASS if known else NOT_APPLICABLE, f"no value is reported as below a limit; {why}")
    there = facts.state != State.MISSING
    visits = list(dict.fromkeys(facts.visit))
    groups = [np.stack([(facts.visit == label) & own for label in visits]) for own in (facts.case, ~facts.case)]
    n, k = (
        np.stack([(flags[:, None, :] & own).sum(axis=-1) for own in groups])  # (group, analyte, visit)
        for flags in (there, there & facts.below)
    )
    shape = n.shape[1:]
    p = fisher(k[0].ravel(), n[0].ravel(), k[1].ravel(), n[1].ravel()).reshape(shape) * np.prod(shape)
    uneven = np.argwhere(p < LEVEL)
    share = (facts.below & there).sum(axis=-1) / np.maximum(there.sum(axis=-1), 1)
    mostly = np.flatnonzero(share > MOSTLY)
    rows = [
        {
            "analyte": facts.analytes[a],
            "visit": visits[v],
            "found": f"below the limit: {k[0, a, v]} of {n[0, a, v]} cases, {k[1, a, v]} of {n[1, a, v]} controls "
            f"(Fisher's p times {p.size} tests {min(1.0, p[a, v]):.2g})",
        }
        for a, v in uneven
    ]
    rows += [{"analyte": facts.analytes[a], "found": f"{percent(share[a])} of all values are below the limit"} for a in mostly]
    some_below = share > 0
    sides = [facts.below[:, own].sum() / max(1, there[:, own].sum()) for own in (facts.case, ~facts.case)]
    said = [
        f"{counted(int(some_below.sum()), 'analyte')} of {len(share)} with values below a limit: {percent(sides[0])} of all "
        f"values of cases, {percent(sides[1])} of controls; most in {facts.analytes[np.argmax(share)]} "
        f"({percent(share.max())})"
    ]
    if len(uneven):
        named = dict.fromkeys(facts.analytes[uneven[:, 0]])
        said.append(f"shares differ between the groups beyond chance in {some(named)}")
    if len(mostly):
        said.append(f"more than {percent(MOSTLY)} of all values below in {some(facts.analytes[mostly])}")
    return Finding(WARN if len(uneven) else PASS, "; ".join(said), rows)


def _by_plate(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    plates = [name for name in dict.fromkeys(facts.plate) if name]
    if len(plates) < 2:
        return Finding(NOT_APPLICABLE, "one plate only" if plates else "plates are not known")
    if np.isnan(facts.lower).all():
        return Finding(NOT_APPLICABLE, "no lower limit is stated")
    limits = np.stack([median(facts.lower[:, facts.plate == name]) for name in plates], axis=-1)
    if study.panel.logged is None:
        with np.errstate(divide="ignore", invalid="ignore"):
            limits = np.log(np.where(limits > 0, limits, np.nan))
    else:
        limits = limits * {"log2": np.log(2.0), "ln": 1.0, "log10": np.log(10.0)}[study.panel.logged]
    known = ~np.isnan(limits)
    apart = np.where(
        known.sum(axis=-1) > 1, np.where(known, limits, -np.inf).max(axis=-1) - np.where(known, limits, np.inf).min(axis=-1), 0.0
    )
    ratio = np.exp(np.maximum(apart, 0.0))
    share = facts.below.sum(axis=-1) / np.maximum((facts.state != State.MISSING).sum(axis=-1), 1)
    uneven = study.plate_by_group < 0.05
    bar = APART_UNEVEN if uneven else APART
    bad = np.flatnonzero((ratio >= bar) & (share >= MATTERS))
    top = int(np.argmax(ratio))
    most = f"{ratio[top]:.3g}-fold apart ({facts.analytes[top]}; median {np.median(ratio):.3g}-fold)"
    said = f"limits of {len(plates)} plates lie up to {most}"
    if not len(bad):
        most = f"no analyte with {percent(MATTERS)} or more of its values below has limits {bar:g}-fold apart"
        return Finding(PASS, f"{said}; {most}")
    rows = []
    for a in bad:
        low, high = (plates[f(np.where(known[a], limits[a], fill))] for f, fill in ((np.argmin, np.inf), (np.argmax, -np.inf)))
        text = f"limit {ratio[a]:.3g} times higher on plate {high} than on {low}; {percent(share[a])} of values below"
        rows.append({"analyte": facts.analytes[a], "plate": high, "found": text})
    groups = ", and cases and controls lie unevenly over the plates" if uneven else ""
    return Finding(WARN, f"{said}; {bar:g}-fold or more where it matters: {some(facts.analytes[bad])}{groups}", rows)


CHECKS = (
    Check(
        "values below limits",
        "limits of detection",
        "Cases and controls have alike shares of values below the limit.",
        "What is put in place of a value below the limit then carries the comparison. A difference in shares may be the effect "
        "that is looked for; it is also what limits that differ by plate or date leave behind. Fisher's exact test, times "
        "analytes and visits.",
        _below,
        "Helsel DR. Statistics for Censored Environmental Data Using Minitab and R, 2nd ed. Wiley 2012. "
        "doi:10.1002/9781118162729",
    ),
    Check(
        "limits by plate",
        "limits of detection",
        f"Limits of one analyte lie less than {APART:g}-fold apart on any two plates ({APART_UNEVEN:g}-fold where the groups lie "
        "unevenly over the plates).",
        "A value of half the limit says more about the plate than about the person. In simulated studies with plates 75/25 "
        "and limits 2.2 to 4 times apart, substitution rejected 19 to 36% of true null hypotheses.",
        _by_plate,
    ),
)
