"""Outlying samples, by spherical principal components and robust distances."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..plan import Plan
from ..study import Study
from ..words import counted
from .check_report import NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, centred, median, some, spread
from .plate_shifts import without_plates

EXPLAINED, MOST_COMPONENTS = 0.8, 10  # as rrcov::PcaHubert chooses
LEAST_SAMPLES, LEAST_ANALYTES = 20, 3
MOST_BEYOND = 0.25  # values at a limit beyond which the spread of an analyte is too small
CHANCE = 0.01  # of each bar: samples of a study that lie beyond it by the limiting distributions
FEW = 14.0  # bars times 1 + FEW / (samples * sqrt(analytes)): what these leave out (benchmarks/study_checks.py)


class Distances(NamedTuple):
    """How far samples lie out: within the space of the components, and away from it; and the bars, nobody beyond which is usual.

    Attributes
    ----------
    score, orthogonal : ndarray, shape (samples,)
    score_bar, orthogonal_bar : float
        `orthogonal_bar` is infinite where components tell everything.
    loadings : ndarray, shape (analytes, components)
    """

    score: np.ndarray
    orthogonal: np.ndarray
    score_bar: float
    orthogonal_bar: float
    loadings: np.ndarray


def robust_distances(x: np.ndarray, chance: float = 0.025, components: int | None = None) -> Distances:
    """How far does each sample lie from the bulk of the others?

    Parameters
    ----------
    x : ndarray, shape (samples, analytes)
        Without missing values, in comparable units; more analytes than samples are allowed.
    chance : float
        Share of normal samples beyond each bar.
    components : int, optional
        None: as many as hold 80% of the variance, at most 10.

    Returns
    -------
    Distances

    Notes
    -----
    Samples are centred at their spatial median and put on a sphere around it, so that none pulls the components more than
    another; the components of that are those of the data where these are elliptical [1]_. Of each component the variance is
    the squared median absolute deviation of the scores. Score distances are held against the chi distribution, orthogonal ones
    against a normal one of their 2/3 powers, with median and median absolute deviation [2]_.

    The components equal those of ``rrcov::PcaLocantore(x)`` in R.

    References
    ----------
    .. [1] Locantore N et al. Test 1999;8:1-73. doi:10.1007/BF02595862.
    .. [2] Hubert M, Rousseeuw PJ, Vanden Branden K. Technometrics 2005;47:64-79. doi:10.1198/004017004000000563.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.random.default_rng(1).normal(size=(40, 60))
    >>> x[7] += 3
    >>> found = robust_distances(x, chance=0.001)
    >>> np.flatnonzero((found.score > found.score_bar) | (found.orthogonal > found.orthogonal_bar)).tolist()
    [7]
    """
    from scipy.special import chdtri, ndtri

    left = x - spatial_median(x)
    norm = np.sqrt(np.square(left).sum(axis=1))
    sphere = left / np.where(norm > 0, norm, 1.0)[:, None]
    loadings = np.linalg.svd(sphere - sphere.mean(axis=0), full_matrices=False)[2].T
    scores = left @ loadings
    variance = np.square(spread(scores.T))
    order = np.argsort(-variance, kind="stable")
    variance, loadings, scores = variance[order], loadings[:, order], scores[:, order]
    held = np.cumsum(variance) / variance.sum()
    k = components or min(int(np.searchsorted(held, EXPLAINED)) + 1, MOST_COMPONENTS)
    k = min(k, int((variance > 1e-12 * variance[0]).sum()))
    score = np.sqrt((np.square(scores[:, :k]) / variance[:k]).sum(axis=1))
    orthogonal = np.sqrt(np.maximum(np.square(left - scores[:, :k] @ loadings[:, :k].T).sum(axis=1), 0.0))
    power = orthogonal ** (2 / 3)
    told = orthogonal.max() <= 1e-8 * norm.max()
    bar = np.inf if told else float(median(power) + spread(power) * ndtri(1 - chance)) ** 1.5
    return Distances(score, orthogonal, float(np.sqrt(chdtri(k, chance))), bar, loadings[:, :k])


def spatial_median(x: np.ndarray) -> np.ndarray:
    """Return the point with the least sum of distances to the rows of x, by Weiszfeld's steps [1]_ from the median.

    References
    ----------
    .. [1] Vardi Y, Zhang CH. Proc Natl Acad Sci USA 2000;97:1423-1426. doi:10.1073/pnas.97.4.1423.

    Examples
    --------
    >>> import numpy as np
    >>> spatial_median(np.array([[0.0, 0.0], [2.0, 0.0], [1.0, 3.0], [1.0, 1.0]])).round(6).tolist()
    [1.0, 1.0]
    """
    point = np.median(x, axis=0)
    for _ in range(500):
        left = x - point
        distance = np.sqrt(np.square(left).sum(axis=1))
        near = distance <= 1e-12 * max(distance.max(), 1e-300)
        if near.all():
            break
        weight = np.where(near, 0.0, 1 / np.where(near, 1.0, distance))
        pull = (left * weight[:, None]).sum(axis=0)
        step = pull / weight.sum()
        size = float(np.sqrt(np.square(pull).sum()))
        if near.any():  # at a data point: it moves only if the others pull harder than it holds
            step *= max(0.0, 1 - near.sum() / size) if size > 0 else 0.0
        point = point + step
        if np.sqrt(np.square(step).sum()) <= 1e-13 * max(1.0, float(np.abs(point).max())):
            break
    return point


def standard_levels(facts: Facts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return levels less the median of group and visit, over their spread (samples, analytes), and which samples and analytes.

    Missing values are at the median. Left out: analytes of which more than a quarter is beyond a limit or that do not vary,
    samples with less than half of their values.
    """
    left = centred(facts, without_plates(facts))
    scale = spread(left)
    there = ~np.isnan(left)
    with np.errstate(invalid="ignore"):
        analytes = (scale > 0) & (facts.bare.mean(axis=1) <= MOST_BEYOND) & (there.mean(axis=1) >= 0.5)
    left, scale, there = left[analytes], scale[analytes], there[analytes]
    samples = there.mean(axis=0) >= 0.5 if len(there) else np.zeros(left.shape[1], dtype=bool)
    z = np.where(there, left, 0.0) / scale[:, None]
    return z[:, samples].T, np.flatnonzero(samples), np.flatnonzero(analytes)


def widened(n_samples: int, n_analytes: int) -> float:
    """Return by what the bars are widened, since centres, spreads and components are of few samples.

    With it, at most 9% of studies of 20 to 300 samples and 3 to 100 normal analytes have a sample beyond a bar; without it up to
    a third (``benchmarks/study_checks.py``).
    """
    return 1 + FEW / (n_samples * n_analytes**0.5)


def _outlying(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    z, samples, analytes = standard_levels(facts)
    if z.shape[0] < LEAST_SAMPLES or z.shape[1] < LEAST_ANALYTES:
        said = f"{counted(z.shape[0], 'sample')} and {counted(z.shape[1], 'analyte')} with enough values: too few"
        return Finding(NOT_APPLICABLE, f"{said} (at least {LEAST_SAMPLES} and {LEAST_ANALYTES})")
    found = robust_distances(z, chance=CHANCE / len(z))
    ratio = np.maximum(found.score / found.score_bar, found.orthogonal / found.orthogonal_bar) / widened(*z.shape)
    out = np.flatnonzero(ratio > 1)
    basis = f"{counted(len(z), 'sample')} x {counted(z.shape[1], 'analyte')}, {counted(found.loadings.shape[1], 'component')}"
    if not len(out):
        k = int(np.argmax(ratio))
        return Finding(
            PASS, f"no sample beyond the bars; nearest {facts.sample(samples[k])}, at {ratio[k]:.2f} times its bar ({basis})"
        )
    out = out[np.argsort(-ratio[out], kind="stable")]
    rows = []
    for s in out:
        top = np.argsort(-np.abs(z[s]), kind="stable")[:3]
        most = ", ".join(f"{facts.analytes[analytes[a]]} {z[s, a]:+.1f}" for a in top)
        rows.append(
            facts.place(samples[s], found=f"{ratio[s]:.2f} times the bar; farthest, in robust SDs from its group: {most}")
        )
    named = some(f"{facts.sample(samples[s])} ({ratio[s]:.2f} times the bar)" for s in out)
    return Finding(WARN, f"{counted(len(out), 'sample')} beyond the bars: {named} ({basis})", rows)


CHECKS = (
    Check(
        "outlying samples",
        "samples",
        "No sample lies far from the bulk of the others, over all analytes together.",
        "A sample that was mixed up, haemolysed or measured on a bad day can carry a comparison. Robust distances on logs, "
        "given group and visit, and less what a plate is off; what has no number is at its limit. Of normal studies 9% at most "
        "have a sample beyond the bars. Heavy tails are common in such data: "
        "look at the sample, and do not leave it out for this alone.",
        _outlying,
        "Locantore N et al. Test 1999;8:1-73. doi:10.1007/BF02595862; Hubert M et al. Technometrics 2005;47:64-79. "
        "doi:10.1198/004017004000000563",
    ),
)
