"""Samples of two subjects that were taken for each other at one visit."""

from __future__ import annotations

from typing import NamedTuple

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


class Compared(NamedTuple):
    """Two visits: subjects who have both (positions of their samples), who is nearest to themselves, and who was exchanged."""

    first: np.ndarray
    second: np.ndarray
    known: float
    pairs: list[tuple[int, int]]


def exchanged(one: np.ndarray, other: np.ndarray) -> tuple[float, list[tuple[int, int]]]:
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
        Of each pair both samples of the second visit are nearest to the other's of the first, within 1.5 times the median
        distance of own samples, while their own lie as far apart as those of strangers (beyond the 5% nearest of these).

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
    nearest = apart.argmin(axis=0)  # of each second sample, the first sample that is nearest
    known = float((nearest == np.arange(n)).mean())
    far = np.quantile(strangers[np.isfinite(strangers)], STRANGE) if np.isfinite(strangers).any() else np.inf
    usual = USUAL * np.median(own)
    found = []
    for j in range(n):
        i = int(nearest[j])
        crossed = i < j and int(nearest[i]) == j and max(apart[i, j], apart[j, i]) <= usual
        if crossed and min(own[i], own[j]) >= far:
            found.append((i, j))
    return known, found


def _compared(facts: Facts, left: np.ndarray, label: str) -> Compared | None:
    """Compare a visit with the first."""
    subject, names = facts.subjects()
    labels = list(dict.fromkeys(facts.visit))
    at = [np.full(len(names), -1), np.full(len(names), -1)]
    for where, visit in zip(at, (labels[0], label), strict=True):
        samples = np.flatnonzero(facts.visit == visit)
        where[subject[samples]] = samples
    there = np.flatnonzero((at[0] >= 0) & (at[1] >= 0))
    if len(there) < LEAST_SUBJECTS:
        return None
    first, second = at[0][there], at[1][there]
    known, pairs = exchanged(left[:, first].T, left[:, second].T)
    return Compared(first, second, known, pairs)


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
    labels = list(dict.fromkeys(study.panel.samples["visit"]))
    if len(labels) < 2:
        return Finding(NOT_APPLICABLE, "one visit only")
    facts = Facts(study)
    left = centred(facts, without_plates(facts))
    scale = spread(left)
    usable = (scale > 0) & (facts.bare.mean(axis=-1) <= 0.5)
    if usable.sum() < LEAST_ANALYTES:
        return Finding(
            NOT_APPLICABLE, f"{counted(int(usable.sum()), 'analyte')} with enough numbers: too few to know a person by"
        )
    left = _uncorrelated(left[usable] / scale[usable, None])
    rows, named, shares = [], [], {}
    for label in labels[1:]:
        found = _compared(facts, left, label)
        if found is None:
            continue
        shares[label] = found.known
        for i, j in found.pairs if found.known >= KNOWN else []:
            named.append(f"{facts.subject[found.first[i]]} and {facts.subject[found.first[j]]} ({visit_name(label)})")
            for own, other in ((i, j), (j, i)):
                of = facts.sample(found.first[other])
                rows.append(facts.place(found.second[own], found=f"nearest to {of}, and as far from its own as a stranger's"))
    if not shares:
        return Finding(NOT_APPLICABLE, f"no two visits with {LEAST_SUBJECTS} subjects who have both")
    if named:
        return Finding(WARN, f"samples that look exchanged: {some(named)}", rows)
    if max(shares.values()) < KNOWN:
        best = percent(max(shares.values()))
        return Finding(
            NOT_APPLICABLE, f"levels do not tell whose a sample is: {best} of subjects are nearest to themselves at best"
        )
    said = some(f"{percent(share)} at {visit_name(label)}" for label, share in shares.items())
    first = visit_name(labels[0])
    return Finding(PASS, f"no two subjects look exchanged; nearest to their own sample at {first}: {said}")


CHECKS = (
    Check(
        "mixed-up samples",
        "who is who",
        "A subject's sample is nearer to the subject's own other sample than to that of somebody who is nearer to the subject's.",
        "Levels of one person are alike from visit to visit. Two samples of a visit that each lie nearest to the other "
        "subject's sample of the first visit, and far from their own, were probably exchanged: both changes are then of "
        "nobody. Judged where most subjects are nearest to themselves.",
        _mixed_up,
        "Westra HJ et al. Bioinformatics 2011;27:2104-2111. doi:10.1093/bioinformatics/btr323",
    ),
)
