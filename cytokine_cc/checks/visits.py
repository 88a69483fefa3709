"""Visits: who lacks one, and whose were swapped."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..panel import State
from ..plan import Plan
from ..study import Study
from ..words import counted, percent, visit_name
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, median, some
from .tables import fisher

MANY = 0.1  # share of subjects without a later visit
UNEVEN = 0.05  # Fisher's p of who lacks a visit, by group
LEAST_PAIRS = 8  # subjects of a group with both visits
LEAST_ANALYTES = 3  # that changed: one or two turn round by chance
MOST_ANALYTES = 50  # that changed most are looked at
MOST_CELLS = 2e6  # at a time
FALSE_SHARE = 0.1  # of the analytes taken as changed, at most, by chance
KEPT = 0.7  # of the degrees of freedom: mean and SD are of what lies near the median
MOST_SD = 2.0  # beyond the mean, that a change of one analyte counts
MANY_FAR = 1 / 3  # of the weight in changes beyond that: an outlier, and not a swap
MOSTLY = 0.8  # of the subjects have a score
ODDS = 100.0  # times likelier swapped than as they are
SURE = 10_000.0  # the same, from which it fails (benchmarks/swapped_visits.py)
SEEN = 0.5  # share of a group in whom a swap would be seen, below which the check tells nothing


def _semi_paired(study: Study, plan: Plan | None) -> Finding:
    if not study.visits:
        return Finding(NOT_APPLICABLE, "one visit only")
    facts = Facts(study)
    subject, names = facts.subjects()
    first = np.unique(subject, return_index=True)[1]
    case = facts.case[first]
    filled = (facts.state != State.MISSING).any(axis=0)

    def there(label: str) -> np.ndarray:
        return np.bincount(subject[(facts.visit == label) & filled], minlength=len(names)) > 0

    def lacking(k: int, label: str) -> dict[str, Any]:
        blank = (subject == k) & (facts.visit == label)
        found = f"no {'values' if blank.any() else 'sample'} at {visit_name(label)}"
        if blank.any():
            return facts.place(int(np.flatnonzero(blank)[0]), found=found)
        return facts.place(first[k], found=found) | {"visit": label, "plate": "", "row": "", "file": ""}

    based = np.any([there(label) for label in study.baseline_visits], axis=0)
    rows = [lacking(k, study.baseline) for k in np.flatnonzero(~based).tolist()]
    said = [f"{counted(int((~based).sum()), 'subject')} without a baseline ({some(names[~based])})"] if len(rows) else []
    bad = bool(rows)
    for label in study.visits:
        gone = based & ~there(label)
        sides = [gone & own for own in (case, ~case)]
        totals = [int((based & own).sum()) for own in (case, ~case)]
        counts = [int(side.sum()) for side in sides]
        p = float(fisher(*(np.array([x]) for x in (counts[0], totals[0], counts[1], totals[1])))[0])
        text = f"{visit_name(label)}: {counts[0]} of {totals[0]} cases and {counts[1]} of {totals[1]} controls lack it"
        if p < UNEVEN or gone.sum() > MANY * based.sum():
            bad = True
            text += f" ({percent(gone.sum() / max(1, based.sum()))}; Fisher's p {p:.2g})"
        said += [text] if gone.any() or not said else []
        rows += [lacking(k, label) for k in np.flatnonzero(gone).tolist()]
    if not rows:
        return Finding(PASS, f"all {counted(len(names), 'subject')} have all of {counted(1 + len(study.visits), 'visit')}")
    return Finding(WARN if bad else PASS, "; ".join(said), rows)


def turned_round(change: np.ndarray) -> np.ndarray:
    """How many times likelier is each subject's change as it stands than turned round, by the changes of the others?

    Parameters
    ----------
    change : ndarray, shape (subjects, analytes)
        Of logs, of one group; NaN is missing.

    Returns
    -------
    ndarray, shape (subjects,)
        Log of it; negative where two visits look swapped; 0 where nothing can be told: of fewer than 3 analytes that changed,
        of who lies far out in many whichever way.

    Notes
    -----
    A subject's score is its mean change over the analytes that changed in the others [1]_, each weighted by its mean over its
    variance; 1 is the change of the others. Scores have a t density around the centre c of the others' scores, or around -c if
    two visits were swapped, with a third of the subjects as degrees of freedom. The spread is that of the others' scores, so that
    correlated analytes and persons who respond differently are in it; each of these scores is of weights without its own subject.
    It is taken twice, from the middle of the scores and from all with their signs left off, and the larger counts: several who
    were swapped widen neither.

    References
    ----------
    .. [1] Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x.

    Examples
    --------
    >>> import numpy as np
    >>> change = np.random.default_rng(1).normal(1.5, 1.0, (30, 8))
    >>> change[4] *= -1
    >>> np.flatnonzero(turned_round(change) < -np.log(ODDS)).tolist()
    [4]
    """
    n = len(change)
    score, outlying = _scores(change.T)
    others = score[_others(np.arange(n), n)]
    centre, sd, _ = _usual(others)
    size = np.abs(others)
    middle, count = median(size), (~np.isnan(size)).sum(axis=-1)
    with np.errstate(invalid="ignore", divide="ignore"):
        unsigned = np.sqrt(np.nansum(np.square(size - middle[:, None]), axis=-1) / (count - 1))
        c, spread = np.minimum(centre, middle), np.maximum(sd, unsigned) * np.sqrt(1 + 1 / n)
        df = n / 3
        far, near = (np.log1p(np.square((score + side * c) / spread) / df) for side in (1, -1))
        told = (c > 0) & (spread > 0) & (count >= MOSTLY * (n - 1)) & ~np.isnan(score) & ~outlying
        return np.where(told, (df + 1) / 2 * (far - near), 0.0)


def _scores(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each subject's score of (analytes, subjects), and who lies far out in many of them, whichever way.

    NaN where too few analytes changed in the others, or a subject lacks half of what changed.
    """
    from scipy.special import stdtr

    m, n = x.shape
    mean, sd, count = _usual(x)
    with np.errstate(invalid="ignore", divide="ignore"):
        t = np.nan_to_num(np.abs(mean) / sd * np.sqrt(count))
    x = x[np.sort(np.argsort(-t, kind="stable")[:MOST_ANALYTES])]
    score, outlying = np.full(n, np.nan), np.zeros(n, dtype=bool)
    step = max(1, int(MOST_CELLS / (len(x) * n)))
    for own in (np.arange(start, min(n, start + step)) for start in range(0, n, step)):
        mean, sd, count = _usual(x[:, _others(own, n)])
        here = x[:, own]
        with np.errstate(invalid="ignore", divide="ignore"):
            t = np.nan_to_num(np.abs(mean) / sd * np.sqrt(count))
            p = 2 * stdtr(np.maximum(KEPT * (count - 1), 1), -t)
            ordered = np.sort(p, axis=0)
            line = FALSE_SHARE * np.arange(1, len(p) + 1)[:, None] / m
            chosen = (t > 0) & (p <= np.where(ordered <= line, ordered, 0.0).max(axis=0))
            chosen &= chosen.sum(axis=0) >= LEAST_ANALYTES
            whole = np.where(chosen, np.square(mean / sd), 0.0)
            there = np.where(np.isnan(here), 0.0, whole).sum(axis=0)
            bound = np.abs(mean) + MOST_SD * sd  # no analyte decides alone
            part = np.where(chosen & ~np.isnan(here), mean / sd**2 * np.clip(here, -bound, bound), 0.0).sum(axis=0)
            score[own] = np.where(there >= whole.sum(axis=0) / 2, part / there, np.nan)
            outlying[own] = np.where(np.abs(here) > bound, whole, 0.0).sum(axis=0) > MANY_FAR * there
    return score, outlying


def _others(own: np.ndarray, n: int) -> np.ndarray:
    """Return for each of these subjects all but it, (own, n - 1)."""
    column = np.arange(n - 1)[None, :]
    return column + (column >= own[:, None])


def _usual(y: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, SD and number along the last axis of what lies within 3 robust SD of the median; NaN where too few vary."""
    middle = median(y)[..., None]
    n = (~np.isnan(y)).sum(axis=-1, keepdims=True)
    robust = 1.4826 * median(np.abs(y - middle))[..., None] * n / np.maximum(n - 0.8, 1.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        kept = np.abs(y - middle) <= 3 * robust
        count = kept.sum(axis=-1)
        mean = np.where(kept, y, 0.0).sum(axis=-1) / count
        sd = (
            np.sqrt(np.where(kept, np.square(y - mean[..., None]), 0.0).sum(axis=-1) / (count - 1)) / 0.987
        )  # of a normal cut at 3
        known = (robust[..., 0] > 1e-9) & (count >= LEAST_PAIRS - 1)
    return np.where(known, mean, np.nan), np.where(known, sd, np.nan), count


def _swapped(study: Study, plan: Plan | None) -> Finding:
    if not study.visits:
        return Finding(NOT_APPLICABLE, "one visit only")
    facts = Facts(study)
    rows, asked = [], []
    least, pairs, best = 0.0, 0, (0, 0)
    worst: dict[str, tuple[float, str]] = {}
    for label, role, members, change in _changes(study, facts.levels()):
        pairs = max(pairs, len(members))
        if len(members) < LEAST_PAIRS:
            continue
        log_odds = turned_round(change)
        seen = int((log_odds > np.log(ODDS)).sum())  # turned round, their odds are the inverse
        best = max(best, (seen, len(members)), key=lambda part: part[0] / max(1, part[1]))
        if seen >= SEEN * len(members):
            asked.append(f"{seen} of {len(members)} {role}s at {visit_name(label)}")
        for k in np.flatnonzero(log_odds < -np.log(ODDS)):
            low = float(log_odds[k])
            rows.append(_turned(facts, study, members[k], label, low))
            name = rows[-1]["subject"]
            worst[name], least = min(worst.get(name, (0.0, "")), (low, label)), min(least, low)
    if worst:
        named = some(f"{name} ({visit_name(label)}, {_odds(low)} times likelier)" for name, (low, label) in worst.items())
        text = f"changes opposite to the others of the group, likelier with baseline and later visit swapped: {named}"
        return Finding(FAIL if least < -np.log(SURE) else WARN, text, rows)
    if pairs < LEAST_PAIRS:
        return Finding(NOT_APPLICABLE, f"fewer than {LEAST_PAIRS} subjects of a group have baseline and a later visit")
    if not asked:
        at_best = f" (it would be in {best[0]} of {counted(best[1], 'subject')} of a group at best)" if best[0] else ""
        return Finding(
            NOT_APPLICABLE, f"levels change too little, in too few analytes or too differently, for a swap to be seen{at_best}"
        )
    return Finding(PASS, f"no subject's changes lie opposite; swapped visits would be seen in {some(asked)}")


def _changes(study: Study, levels: np.ndarray) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    """Go through later visits and groups: visit, group, positions of its subjects with both visits, (subjects, analytes)."""
    at, n_before = study.sample_at, len(study.baseline_visits)
    by_visit = np.where(at[:, None, :] >= 0, np.swapaxes(levels[:, at], 0, 1), np.nan)
    before = by_visit[:n_before]
    there = (~np.isnan(before)).sum(axis=0)
    baseline = np.where(there > 0, np.nansum(before, axis=0) / np.maximum(there, 1), np.nan)
    for v, label in enumerate(study.visits):
        change = (by_visit[n_before + v] - baseline).T
        for role, own in (("case", study.arrays.case), ("control", ~study.arrays.case)):
            members = np.flatnonzero(own & ~np.isnan(change).all(axis=1))
            yield label, role, members, change[members]


def _odds(low: float) -> str:
    return f"{float(f'{np.exp(min(-low, 50)):.1g}'):,.0f}" if -low < 50 else "more than 1e+21"


def _turned(facts: Facts, study: Study, subject: int, label: str, low: float) -> dict[str, Any]:
    at = study.sample_at[len(study.baseline_visits) + study.visits.index(label), subject]
    return facts.place(at, found=f"{_odds(low)} times likelier swapped with {visit_name(study.baseline)} than as it stands")


CHECKS = (
    Check(
        "semi-paired visits",
        "visits",
        f"Every subject has a baseline; not more than {MANY:.0%} lack a later visit, cases and controls alike.",
        "A change needs both visits, so that who lacks one does not enter it. Where one group lacks more, or those who are "
        "worst, what is left is not what was recruited.",
        _semi_paired,
        "Little RJ et al. N Engl J Med 2012;367:1355-1360. doi:10.1056/NEJMsr1203730",
    ),
    Check(
        "swapped visits",
        "visits",
        "No subject changes in the opposite direction to its group in everything that changes.",
        "Tubes or labels of two visits that were swapped turn a subject's changes round: a true change is diluted. "
        "Likelihood ratio of a weighted mean of a subject's changes, as it stands and turned round, by those of the others of "
        f"the group; named beyond {ODDS:g} to 1, fails beyond {SURE:,.0f} to 1. It needs a change on treatment that is large "
        f"beside how much persons vary, in {LEAST_ANALYTES} analytes or more and a group of {LEAST_PAIRS} or more.",
        _swapped,
    ),
)
