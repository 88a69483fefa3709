"""Visits: who lacks one, and whose were swapped."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..plan import Plan
from ..study import Study
from ..words import counted, percent, visit_name
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, some
from .tables import fisher

MANY = 0.1  # share of subjects without a later visit
UNEVEN = 0.05  # Fisher's p of who lacks a visit, by group
LEAST_PAIRS = 8  # subjects of a group with both visits
MOST_ANALYTES = 20  # that changed most enter
ODDS = 100.0  # times the number of subjects: how many times likelier swapped than as they are
SURE = 1e6  # the same, beyond which it fails: in simulations nobody's changes came near it unless they were swapped
FAR = 0.01  # of the changes of subjects, turned round, lie that far from the mean: an outlier, and not a swap
SEEN = 0.5  # probability that a swap would be seen, below which the check tells nothing


def _semi_paired(study: Study, plan: Plan | None) -> Finding:
    if not study.visits:
        return Finding(NOT_APPLICABLE, "one visit only")
    facts = Facts(study)
    subject, names = facts.subjects()
    first = np.array([np.flatnonzero(subject == k)[0] for k in range(len(names))])
    case = facts.case[first]

    def there(label: str) -> np.ndarray:
        return np.bincount(subject[facts.visit == label], minlength=len(names)) > 0

    based = np.any([there(label) for label in study.baseline_visits], axis=0)
    rows = [
        facts.place(first[k], found=f"no sample at {visit_name(study.baseline)}") | {"visit": study.baseline}
        for k in np.flatnonzero(~based)
    ]
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
        rows += [
            facts.place(first[k], found=f"no sample at {visit_name(label)}") | {"visit": label, "row": "", "file": ""}
            for k in np.flatnonzero(gone)
        ]
    if not rows:
        return Finding(PASS, f"all {counted(len(names), 'subject')} have all of {counted(1 + len(study.visits), 'visit')}")
    return Finding(WARN if bad else PASS, "; ".join(said), rows)


class Judged(NamedTuple):
    """Changes of the subjects of a group, as they stand and turned round.

    Attributes
    ----------
    log_odds : ndarray, shape (subjects,)
        Log of how many times likelier they are as they stand.
    seen : ndarray, shape (subjects,)
        Probability that a swap would have been seen.
    """

    log_odds: np.ndarray
    seen: np.ndarray


def turned_round(change: np.ndarray, bar: float) -> Judged:
    """Judge each subject's changes by those of the others: N(mu, S) as they stand, N(-mu, S) if two visits were swapped.

    Parameters
    ----------
    change : ndarray, shape (subjects, analytes)
        Of logs; NaN is missing.
    bar : float
        Log odds below minus this are called a swap.

    Returns
    -------
    Judged

    Notes
    -----
    mu and S are of the other subjects, of the analytes that changed most in them (paired t beyond Bonferroni's level of .05, at
    most 20), S shrunk towards its diagonal as far as its correlations are noise [1]_. The log of the likelihood ratio is
    ``2 d' inv(S) mu``; for a subject as it stands it has mean 2 q and variance 4 q, with ``q = mu' inv(S) mu``, and for one that
    was swapped mean -2 q. 0 where no analyte changed, and where the changes turned round lie outside of what 99% of subjects have
    (chi-square): such a subject is an outlier whichever way.

    References
    ----------
    .. [1] Schafer J, Strimmer K. Stat Appl Genet Mol Biol 2005;4:32. doi:10.2202/1544-6115.1175.
    """
    from scipy.special import chdtri, ndtr, stdtrit

    n, m = change.shape
    log_odds, seen = np.zeros(n), np.zeros(n)
    there = ~np.isnan(change)
    filled = np.where(there, change, 0.0)
    count, total, square = there.sum(axis=0), filled.sum(axis=0), np.square(filled).sum(axis=0)
    for i in range(n):
        left = count - there[i]
        with np.errstate(invalid="ignore", divide="ignore"):
            mean = (total - filled[i]) / left
            variance = (square - filled[i] ** 2 - left * mean**2) / (left - 1)
            t = np.abs(mean) / np.sqrt(variance / left)
            t = np.where((left >= LEAST_PAIRS - 1) & (variance > 1e-12 * mean**2) & there[i], t, 0.0)
        bars = stdtrit(np.maximum(left - 1, 1), 1 - 0.025 / m)
        chosen = np.flatnonzero(t > bars)
        chosen = chosen[np.argsort(-t[chosen], kind="stable")][:MOST_ANALYTES]
        if not len(chosen):
            continue
        others = np.delete(np.arange(n), i)
        mu, s = mean[chosen], _shrunk(change[np.ix_(others, chosen)])
        weights = np.linalg.solve(s, mu)
        q = float(mu @ weights)
        turned = change[i, chosen] + mu
        near = turned @ np.linalg.solve(s, turned) <= chdtri(len(chosen), FAR)
        log_odds[i] = 2 * float(change[i, chosen] @ weights) if near else 0.0
        seen[i] = (1 - FAR) * ndtr((2 * q - bar) / (2 * np.sqrt(q)))
    return Judged(log_odds, seen)


def _shrunk(x: np.ndarray) -> np.ndarray:
    """Return the covariance of changes, correlations shrunk towards 0 as far as they are noise; missing values at the mean."""
    mean = np.nanmean(x, axis=0)
    left = np.where(np.isnan(x), 0.0, x - mean)
    n = len(x)
    sd = np.sqrt(np.nansum(np.square(x - mean), axis=0) / ((~np.isnan(x)).sum(axis=0) - 1))
    z = left / sd
    products = z[:, :, None] * z[:, None, :]
    r = products.mean(axis=0)
    noise = products.var(axis=0) / (n - 1)
    off = ~np.eye(len(sd), dtype=bool)
    total = np.square(r[off]).sum()
    share = float(np.clip(noise[off].sum() / total, 0.0, 1.0)) if total > 0 else 1.0
    return np.where(off, (1 - share) * r, 1.0) * sd * sd[:, None]


def _swapped(study: Study, plan: Plan | None) -> Finding:
    if not study.visits:
        return Finding(NOT_APPLICABLE, "one visit only")
    facts = Facts(study)
    levels = facts.levels()
    at, n_before = study.sample_at, len(study.baseline_visits)
    bar = float(np.log(ODDS * at.shape[1]))
    by_visit = np.where(at[:, None, :] >= 0, np.swapaxes(levels[:, at], 0, 1), np.nan)
    before = by_visit[:n_before]
    there = (~np.isnan(before)).sum(axis=0)
    baseline = np.where(there > 0, np.nansum(before, axis=0) / np.maximum(there, 1), np.nan)
    rows, best, asked = [], 0.0, []
    worst: dict[str, tuple[float, str]] = {}
    for v, label in enumerate(study.visits):
        change = (by_visit[n_before + v] - baseline).T
        for role, own in (("case", study.arrays.case), ("control", ~study.arrays.case)):
            members = np.flatnonzero(own & ~np.isnan(change).all(axis=1))
            if len(members) < LEAST_PAIRS:
                continue
            judged = turned_round(change[members], bar)
            power = float(np.median(judged.seen))
            best = max(best, power)
            if power >= SEEN:
                asked.append(f"{visit_name(label)} in {role}s ({percent(power)})")
            for k in np.flatnonzero(judged.log_odds < -bar):
                rows.append(_turned(facts, study, members[k], label, float(judged.log_odds[k])))
                name = rows[-1]["subject"]
                worst[name] = min(worst.get(name, (0.0, "")), (float(judged.log_odds[k]), label))
    if worst:
        named = some(f"{name} ({visit_name(label)}, {_odds(low)} times likelier)" for name, (low, label) in worst.items())
        sure = min(low for low, _ in worst.values()) < -np.log(SURE * at.shape[1])
        text = f"changes opposite to the others of the group, likelier with baseline and later visit swapped: {named}"
        return Finding(FAIL if sure else WARN, text, rows)
    if not asked:
        why = "levels change too little for a swap to be seen" if best < SEEN else ""
        return Finding(NOT_APPLICABLE, f"{why} (in {percent(best)} of subjects at best)")
    return Finding(PASS, f"no subject's changes lie opposite; a swap would be seen, where levels change: {some(asked)}")


def _odds(low: float) -> str:
    return f"{np.exp(min(-low, 50)):.1g}" if -low < 50 else "more than 1e+21"


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
        "Likelihood ratio of the changes as they stand and turned round, by the other subjects of the group; named beyond "
        f"{ODDS:g} x subjects to 1, fails beyond {SURE:,.0f} x subjects. It needs a change on treatment that is large beside how "
        "much persons vary.",
        _swapped,
    ),
)
