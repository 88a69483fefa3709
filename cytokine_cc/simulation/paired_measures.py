"""Differences between plans on the same replicates: what is counted of both, and the paired Monte Carlo errors that follow.

Let plan A and plan B have the measures R_A and R_B, each the mean of x over the n_A and n_B replicates usable to it: x is 0 or 1
for a share, an estimate less its truth for a bias, and so on. Replicates are independent of one another, while the two plans see
the same studies (common random numbers). Of D = R_A - R_B replicate k moves, to first order,

    e_k = [k usable to A] (x_Ak - R_A) / n_A - [k usable to B] (x_Bk - R_B) / n_B,

so that the variance of D is the sum of e_k squared. With S the sum over the replicates usable to both,

    Var D = Var R_A + Var R_B - 2 S[(x_A - R_A) (x_B - R_B)] / (n_A n_B).                                              (1)

The first two terms are the squares of what `certify` gives; two separate runs have these only. Where all replicates are usable
to both, (1) is the variance of the paired differences d = x_A - x_B over n,

    Var D = (sum d^2 / n - D^2) / n,                                                                                    (2)

which for shares needs only how many replicates differ (McNemar). Means have n - 1 in place of n once, as in `certify`.

Of standard deviations, x being normal: Cov(s_A^2, s_B^2) = 2 n_AB c^2 / (n_A n_B) with the covariance c over the n_AB replicates
usable to both, hence Cov(s_A, s_B) = r mcse_A mcse_B with r = rho^2 n_AB / sqrt(n_A n_B). With r = rho^2 this is what Morris et
al. have for the relative precision of two methods.

McNemar Q. Psychometrika 1947;12:153-157. doi:10.1007/BF02295996. Glasserman P, Yao DD. Manage Sci 1992;38:884-908.
doi:10.1287/mnsc.38.6.884. Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086 (Table 6).
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np

from .measures import JOINT, Rows, Seen, SeenContrast, Tally, Target, by_chunk, mean

# Measures of which replicates are counted that differ, or whose differences are squared and summed; by measure and whether it
# is of all analytes together. Of those in JOINT what both plans can use is summed.
FLAGS = {
    ("size", False): "raw",
    ("power", False): "hit",
    ("power_any", True): "any",
    ("power_all", True): "all",
    ("FWER", True): "false",
    ("pattern", True): "shown",
}
GAPS = (("size", True), ("power_average", True), ("FDR", True))
_OF_BIAS = "emp_se"  # from the same sums
_UNTESTED = {"size": "missing_null", "FWER": "untested", "FDR": "untested", "pattern": "untested"}
# A variance that is a smaller part of its terms is rounding: two plans that do the same.
_ROUNDING = 1e-12


class PairRows(NamedTuple):
    """Differences of one measure: for each analyte, or "" for all together."""

    measure: str
    analytes: np.ndarray
    estimate: np.ndarray
    mcse: np.ndarray
    mcse_independent: np.ndarray
    n_failed: np.ndarray


# ---------------------------------------------------------------- counting


def tally_pair(a: SeenContrast, b: SeenContrast, targets: tuple[Target, Target], chunk: int) -> Tally:
    """Count and sum what two plans made of a contrast in the same replicates."""
    missing = a.missing | b.missing
    null, effect = (getattr(targets[0], name) | getattr(targets[1], name) for name in ("null", "effect"))
    wrong = [own.wrong / max(1, target.null.sum()) for own, target in zip((a, b), targets, strict=True)]
    true = [own.true / max(1, target.effect.sum()) for own, target in zip((a, b), targets, strict=True)]
    family = tally_pair_family(a.family, b.family, chunk)
    counts = {
        **family.counts,
        "missing": missing.sum(axis=0),
        "missing_null": (missing & null).any(axis=-1).sum(),
        "missing_effect": (missing & effect).any(axis=-1).sum(),
        "raw": (a.raw != b.raw).sum(axis=0),
        "hit": (a.hit != b.hit).sum(axis=0),
        "any": (a.any != b.any).sum(),
        "all": (a.all != b.all).sum(),
    }
    gaps = np.stack([wrong[0] - wrong[1], true[0] - true[1], a.family.share - b.family.share], axis=1)
    sums = {"gaps": by_chunk(gaps**2, chunk)}
    for name in JOINT if a.used and b.used else ():
        (in_a, x), (in_b, y) = a.used[name], b.used[name]
        both = in_a & in_b
        counts[name] = both.sum(axis=0)
        terms = [x * in_b, y * in_a, x * y]  # 0 where not usable
        sums[name] = by_chunk(np.stack(terms, axis=1), chunk)
    return Tally(counts, sums)


def tally_pair_family(a: Seen, b: Seen, chunk: int) -> Tally:
    """Count what two plans made of a whole question in the same replicates."""
    counts = {"false": (a.false != b.false).sum(), "untested": (a.untested | b.untested).sum()}
    nothing = np.zeros(len(a.share))
    gaps = np.stack([nothing, nothing, a.share - b.share], axis=1)
    return Tally(counts, {"gaps": by_chunk(gaps**2, chunk)})


def tally_pair_flags(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> Tally:
    """Count the replicates in which only one of two plans shows a pattern, and those that one of them could not test."""
    return Tally({"shown": (a[0] != b[0]).sum(), "untested": (a[1] | b[1]).sum()}, {})


# ---------------------------------------------------------------- differences


Measure = tuple[str, bool]  # its name, and whether it is of all analytes together


def differences(
    a: Iterable[Rows], b: Iterable[Rows], done: Tally, analytes: np.ndarray, n_sim: int, apart: Container[Measure] = ()
) -> Iterator[PairRows]:
    """Yield the differences of the measures that two plans share, with their paired Monte Carlo errors.

    Parameters
    ----------
    a, b : iterable of Rows
        The measures of the plan, and of the one that it is compared with.
    done : Tally
        Of the pair.
    analytes : ndarray
    n_sim : int
    apart : container of (str, bool)
        Measures that do not mean the same in both.
    """
    others = {measure_of(rows): rows for rows in b}
    for own in a:
        key = measure_of(own)
        other = others.get(key)
        if other is None or key in apart or not is_paired(key):
            continue
        one, two = _only(own, _among(own.analytes, other.analytes)), _only(other, _among(other.analytes, own.analytes))
        place = np.zeros(1, dtype=np.intp) if key[1] else np.flatnonzero(_among(analytes, one.analytes))
        if len(place):
            yield _difference(one, two, done, place, n_sim)


def measure_of(rows: Rows) -> Measure:
    """Return which measure rows are of."""
    return rows.measure, len(rows.analytes) == 1 and rows.analytes[0] == ""


def is_paired(measure: Measure) -> bool:
    """Tell whether a difference of this measure has a paired error."""
    return measure in FLAGS or measure in GAPS or measure[0] in (*JOINT, _OF_BIAS)


def _among(names: np.ndarray, others: np.ndarray) -> np.ndarray:
    known = set(others)
    return np.fromiter((name in known for name in names), dtype=bool, count=len(names))


def _only(rows: Rows, which: np.ndarray) -> Rows:
    return Rows(rows.measure, *(part[which] for part in rows[1:]))


def _difference(a: Rows, b: Rows, done: Tally, place: np.ndarray, n_sim: int) -> PairRows:
    key = measure_of(a)
    estimate = a.estimate - b.estimate
    joint = JOINT[0] if a.measure == _OF_BIAS else a.measure
    if key in FLAGS or key in GAPS:
        failed = _UNTESTED.get(a.measure, "missing_effect") if key[1] else "missing"
        n_failed = np.reshape(done.counts[failed], -1)[place]
    else:
        n_failed = n_sim - done.counts[joint][place]
    if key in FLAGS:
        error = of_flags(np.reshape(done.counts[FLAGS[key]], -1)[place], estimate, n_sim)
    elif key in GAPS:
        error = mean(estimate * n_sim, done.sums["gaps"][[GAPS.index(key)]], n_sim)[1]
    else:
        error = _of_joint(a, b, done.counts[joint][place], done.sums[joint][:, place], n_sim)
    error = np.where(np.isnan(a.mcse) | np.isnan(b.mcse), np.nan, error)
    return PairRows(a.measure, a.analytes, estimate, error, np.hypot(a.mcse, b.mcse), n_failed)


def of_flags(differ: Any, difference: Any, n: int) -> np.ndarray:
    """Return the Monte Carlo error of a difference of shares from how many replicates differ: equation (2)."""
    variance = (np.asarray(differ) / n - np.asarray(difference) ** 2) / n
    return np.sqrt(np.maximum(variance, 0.0))


def _of_joint(a: Rows, b: Rows, n_both: np.ndarray, sums: np.ndarray, n_sim: int) -> np.ndarray:
    """Return the Monte Carlo errors of differences between means, shares or SDs over what each plan can use: equation (1)."""
    n_a, n_b = n_sim - a.n_failed, n_sim - b.n_failed
    x, y, xy = sums
    with np.errstate(invalid="ignore", divide="ignore"):
        centre_a, centre_b = (x / n_both, y / n_both) if a.measure == _OF_BIAS else (a.estimate, b.estimate)
        cross = np.where(n_both > 0, xy - centre_a * y - centre_b * x + n_both * centre_a * centre_b, 0.0)
        if a.measure == _OF_BIAS:
            rho = cross / (n_both - 1) / (a.estimate * b.estimate)
            weight = np.minimum(rho**2, 1.0) * n_both / np.sqrt(n_a * n_b)
            covariance = np.where(weight > 0, weight, 0.0) * a.mcse * b.mcse  # no part of it where it cannot be told
        else:
            less = 0 if a.measure == "coverage" else 1
            covariance = cross / np.sqrt(n_a * (n_a - less) * n_b * (n_b - less))
        return of_terms(a.mcse, b.mcse, covariance)


def of_terms(a: np.ndarray, b: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Return the Monte Carlo error of a difference from those of its terms and their covariance; rounding is 0."""
    separate = a**2 + b**2
    variance = separate - 2 * covariance
    return np.sqrt(np.where(variance > _ROUNDING * separate, variance, 0.0))
