"""Samples of two subjects that were taken for each other at one visit."""

from __future__ import annotations

import itertools
from typing import Any, NamedTuple

import numpy as np

from ..plan import Plan
from ..study import Study
from ..words import counted, percent, visit_name
from .check_report import NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, centred, some, spread
from .plate_shifts import without_plates

LEAST_ANALYTES, LEAST_SUBJECTS = 8, 10
MOST_ANALYTES, FARTHEST = 300, 4.0  # analytes that are uncorrelated first; robust SDs that one of them counts at most
KNOWN = 0.6  # share of subjects who must be nearest to themselves, so that a sample tells whose it is
STRANGE, USUAL = (
    0.05,
    1.5,
)  # own samples lie beyond this quantile of those of strangers; crossed ones within so many usual distances


Pair = tuple[int, int]


def exchanged(one: np.ndarray, other: np.ndarray) -> tuple[float, list[Pair], np.ndarray]:
    """Find pairs of subjects whose samples of a visit look exchanged.

    Parameters
    ----------
    one, other : ndarray, shape (subjects, analytes)
        Standardised levels at two visits; NaN is missing.

    Returns
    -------
    float
        Share of the subjects whose two samples are nearest to each other.
    list of (int, int)
        Of each pair both samples of one visit are nearest to the other's of the other visit, within 1.5 times the median
        distance of own samples, while their own lie as far apart as those of strangers (beyond the 5% nearest of these).
    ndarray, shape (subjects, subjects)
        By how much the samples of two subjects lie nearer to each other, crossed, than their own do; NaN where not known.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(1)
    >>> person = rng.normal(size=(30, 20))
    >>> one, other = (person + 0.5 * rng.normal(size=(30, 20)) for _ in range(2))
    >>> exchanged(one, other[[1, 0, *range(2, 30)]])[1]
    [(0, 1)]
    """
    here = [(~np.isnan(x)).astype(np.float64) for x in (one, other)]
    x, y = (np.nan_to_num(values) for values in (one, other))
    both = here[0] @ here[1].T
    square = np.square(x) @ here[1].T + here[0] @ np.square(y).T - 2 * x @ y.T
    apart = np.where(both >= LEAST_ANALYTES, np.sqrt(np.maximum(square, 0.0) / np.maximum(both, 1.0)), np.inf)
    own = np.diagonal(apart)
    n = len(own)
    strangers = apart[~np.eye(n, dtype=bool)]
    nearest = apart.argmin(axis=0), apart.argmin(axis=1)  # of each second sample the first one, and the other way
    known = float(np.mean([side == np.arange(n) for side in nearest]))
    far = np.quantile(strangers[np.isfinite(strangers)], STRANGE) if np.isfinite(strangers).any() else np.inf
    usual = USUAL * np.median(own)
    found = []
    for i, j in sorted({(min(i, j), max(i, j)) for side in nearest for i, j in enumerate(side.tolist()) if i != j}):
        mutual = any(side[i] == j and side[j] == i for side in nearest)
        if mutual and max(apart[i, j], apart[j, i]) <= usual and min(own[i], own[j]) >= far:
            found.append((i, j))
    with np.errstate(invalid="ignore"):
        return known, found, np.where(np.isfinite(apart + apart.T), own[:, None] + own - apart - apart.T, np.nan)


class Crossed(NamedTuple):
    """What visits say of who is who.

    Attributes
    ----------
    known : dict
        Two visits -> share of the subjects whose samples there are nearest to each other.
    found : dict
        Two subjects -> the visits of which one was exchanged.
    """

    known: dict[Pair, float]
    found: dict[Pair, list[int]]


def crossed(left: np.ndarray, at: np.ndarray) -> Crossed:
    """Compare any two visits of which enough subjects have both.

    Parameters
    ----------
    left : ndarray, shape (analytes, samples)
        Standardised levels.
    at : ndarray of int, shape (visits, subjects)
        Sample of each; -1 where there is none.

    Returns
    -------
    Crossed
    """
    known: dict[Pair, float] = {}
    nearer: dict[Pair, np.ndarray] = {}
    seen: dict[Pair, list[Pair]] = {}
    for u, v in itertools.combinations(range(len(at)), 2):
        there = np.flatnonzero((at[u] >= 0) & (at[v] >= 0))
        if len(there) < LEAST_SUBJECTS:
            continue
        known[u, v], pairs, margin = exchanged(left[:, at[u, there]].T, left[:, at[v, there]].T)
        if known[u, v] < KNOWN:
            continue
        nearer[u, v] = np.full((at.shape[1],) * 2, np.nan)
        nearer[u, v][np.ix_(there, there)] = margin
        for i, j in pairs:
            seen.setdefault((int(there[i]), int(there[j])), []).append((u, v))
    found = {}
    for who, own in seen.items():
        margins = {pair: float(margin[who]) for pair, margin in nearer.items() if not np.isnan(margin[who])}
        if visits := at_odds(own, margins):
            found[who] = visits
    return Crossed(known, found)


def at_odds(own: list[Pair], margins: dict[Pair, float]) -> list[int]:
    """Return the visit at which two subjects were exchanged, or both where two visits are all there is; none if others deny it.

    Parameters
    ----------
    own : list of (int, int)
        Visits at which the two look exchanged.
    margins : dict
        Two visits -> by how much the samples of the two lie nearer crossed than as they are.

    Notes
    -----
    Against an exchanged visit most of the others are nearer crossed, and among each other as they are.

    Examples
    --------
    >>> at_odds([(0, 1)], {(0, 1): 2.0, (0, 2): 0.5, (1, 2): -1.0}), at_odds([(0, 1)], {(0, 1): 2.0})
    ([0], [0, 1])
    >>> at_odds([(0, 1)], {(0, 1): 2.0, (0, 2): -0.5, (1, 2): -1.0})
    []
    """
    visits = sorted({visit for pair in own for visit in pair})
    others = {pair: margin for pair, margin in margins.items() if pair not in own}
    if not others and len(own) == 1:
        return visits
    votes = []
    for visit in visits:
        asked = [margin > 0 for pair, margin in margins.items() if visit in pair]
        votes.append(sum(asked) / len(asked) if asked else 0.0)
    best = max(votes)
    return [visit for visit, vote in zip(visits, votes, strict=True) if vote == best and vote > 0.5]


def _uncorrelated(z: np.ndarray) -> np.ndarray:
    """Return levels (analytes, samples) without half of their correlations, so that analytes which move together count once.

    Missing values are at the median; NaN in samples with less than half of their values. Of very many analytes as they are.
    """
    gone = np.isnan(z)
    x = np.clip(np.where(gone, 0.0, z), -FARTHEST, FARTHEST)
    if len(x) <= MOST_ANALYTES:
        values, vectors = np.linalg.eigh((np.corrcoef(x) + np.eye(len(x))) / 2)
        x = (vectors / np.sqrt(values)) @ vectors.T @ x
    return np.where(gone.mean(axis=0) > 0.5, np.nan, x)


def _mixed_up(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    here = dict.fromkeys(facts.visit)
    labels = list(dict.fromkeys([*(own for own in (*study.baseline_visits, *study.visits) if own in here), *here]))
    if len(labels) < 2:
        return Finding(NOT_APPLICABLE, "one visit only")
    left = centred(facts, without_plates(facts))
    scale = spread(left)
    usable = (scale > 0) & (facts.bare.mean(axis=-1) <= 0.5)
    if usable.sum() < LEAST_ANALYTES:
        return Finding(
            NOT_APPLICABLE, f"{counted(int(usable.sum()), 'analyte')} with enough numbers: too few to know a person by"
        )
    at = _positions(facts, labels)
    known, found = crossed(_uncorrelated(left[usable] / scale[usable, None]), at)
    if not known:
        return Finding(NOT_APPLICABLE, f"no two visits with {LEAST_SUBJECTS} subjects who have both")
    judged = [pair for pair, share in known.items() if share >= KNOWN]
    best = percent(max(known.values()))
    if not judged:
        return Finding(
            NOT_APPLICABLE, f"levels do not tell whose a sample is: {best} of subjects are nearest to themselves at best"
        )
    silent = [visit_name(label) for v, label in enumerate(labels) if not any(v in pair for pair in judged)]
    unsaid = f"; not judged: {some(silent)}" if silent else ""
    if not found:
        least = percent(min(known[pair] for pair in judged))
        shares = best if least == best else f"{least} to {best}"
        among = f"at {counted(len(labels) - len(silent), 'visit')}: {shares} of subjects are nearest to themselves"
        return Finding(PASS, f"no two subjects look exchanged {among}{unsaid}")
    named, rows = _named(facts, labels, at, found)
    return Finding(WARN, f"samples that look exchanged: {some(named)}{unsaid}", rows)


def _positions(facts: Facts, labels: list[str]) -> np.ndarray:
    """Return the sample of each visit and subject, -1 where there is none."""
    subject, names = facts.subjects()
    at = np.full((len(labels), len(names)), -1)
    for where, visit in zip(at, labels, strict=True):
        samples = np.flatnonzero(facts.visit == visit)
        where[subject[samples]] = samples
    return at


def _named(
    facts: Facts, labels: list[str], at: np.ndarray, found: dict[Pair, list[int]]
) -> tuple[list[str], list[dict[str, Any]]]:
    """Name who was exchanged, and at which visit."""
    named, rows = [], []
    names = facts.subjects()[1]
    for (i, j), visits in found.items():
        named.append(f"{names[i]} and {names[j]} ({' or '.join(visit_name(labels[v]) for v in visits)})")
        either = " (this, or that of the other visit)" if len(visits) > 1 else ""
        for v in visits:
            for one, other in ((i, j), (j, i)):
                of = f"nearer to {names[other]}'s of another visit than to its own, which is as far as a stranger's"
                rows.append(facts.place(at[v, one], found=of + either))
    return named, rows


CHECKS = (
    Check(
        "mixed-up samples",
        "who is who",
        "A subject's sample is nearer to the subject's own other sample than to that of somebody who is nearer to the subject's.",
        "Levels of one person are alike from visit to visit. Two samples of a visit that each lie nearest to the other "
        "subject's sample of another visit, and far from their own, were probably exchanged: both changes are then of nobody. "
        "Of three visits the one at odds with the others is named, of two both. Judged where most subjects are nearest to "
        "themselves.",
        _mixed_up,
        "Westra HJ et al. Bioinformatics 2011;27:2104-2111. doi:10.1093/bioinformatics/btr323",
    ),
)
