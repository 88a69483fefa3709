"""What is counted and summed over replicates, and the measures with their Monte Carlo errors that follow from it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..engine import Contrast
from ..kernels.common import WITHIN
from ..limits import to_scale
from ..questions import Question

# Sums over replicates are made of sums over chunks of so many, so that no digit depends on blocks or workers.
CHUNK = 64
KNOWN_ESTIMANDS = ("mean", "shift", "odds")  # those whose true value follows from a scenario's ratio
JOINT = ("bias", "coverage", "interval_width")  # means over the replicates that have an estimate, an interval, a finite one
# Estimates are also counted in bins of this width about the truth, for their median; beyond the last bin is infinite.
_BIN, _BINS = 1 / 256, 2048
_SUMS = ("error", "error2", "variance", "variance2", "width", "width2", "size", "size2")


@dataclass(frozen=True, eq=False)
class Target:
    """What is true of one contrast, and which measures can be had of it.

    Attributes
    ----------
    question : Question
    label, visit : str
        As in a table of results.
    null, effect : ndarray of bool, shape (analytes,)
        Whether the null hypothesis is true, or false; neither where the scenario does not tell.
    truth : ndarray, shape (analytes,)
        On the analysis scale; NaN where it is not known.
    first : ndarray, shape (analytes,)
        Estimates of the first replicate, from which others are counted where the truth is not known: sums of squares of
        large numbers lose their digits.
    estimates, errors, intervals : bool
        Whether there are estimates, standard errors, intervals to judge.
    """

    question: Question
    label: str
    visit: str
    null: np.ndarray
    effect: np.ndarray
    truth: np.ndarray
    first: np.ndarray
    estimates: bool
    errors: bool
    intervals: bool


class Seen(NamedTuple):
    """What a plan made of a contrast, or of a whole question, in each replicate of a block.

    Attributes
    ----------
    false, share, untested : ndarray, shape (replicates,)
        Whether there is a false rejection, false / max(1, all) rejections, whether a row could not be tested.
    """

    false: np.ndarray
    share: np.ndarray
    untested: np.ndarray


class SeenContrast(NamedTuple):
    """What a plan made of a contrast: by replicate and analyte, and over all analytes.

    Attributes
    ----------
    missing, raw, hit : ndarray of bool, shape (replicates, analytes)
        Not tested; unadjusted, adjusted p at most alpha.
    wrong, true : ndarray of int, shape (replicates,)
        Number of true nulls with unadjusted p at most alpha; number of effects found.
    any, all : ndarray of bool, shape (replicates,)
        Whether one of the effects is found, or each.
    family : Seen
    used : dict of str to (ndarray of bool, ndarray)
        For each of `JOINT` which replicates are usable, and their values (0 elsewhere), shape (replicates, analytes).
    """

    missing: np.ndarray
    raw: np.ndarray
    hit: np.ndarray
    wrong: np.ndarray
    true: np.ndarray
    any: np.ndarray
    all: np.ndarray
    family: Seen
    used: dict[str, tuple[np.ndarray, np.ndarray]]


class Tally(NamedTuple):
    """Counts over replicates, and float sums by chunk (chunks along the first axis).

    Attributes
    ----------
    counts : dict of ndarray of int
    sums : dict of ndarray
    """

    counts: dict[str, np.ndarray]
    sums: dict[str, np.ndarray]

    def add(self, other: Tally) -> Tally:
        """Add the next block; chunk after chunk, so that the order of additions never changes."""
        counts = {name: self.counts[name] + count for name, count in other.counts.items()}
        sums = {}
        for name, chunks in other.sums.items():
            total = self.sums[name]
            for chunk in chunks:
                total = total + chunk
            sums[name] = total
        return Tally(counts, sums)

    @classmethod
    def zero(cls, like: Tally) -> Tally:
        """Return the empty tally of the same measures."""
        counts = {name: np.zeros_like(count) for name, count in like.counts.items()}
        return cls(counts, {name: np.zeros(chunks.shape[1:]) for name, chunks in like.sums.items()})


def truth_of(scenario: Any, question: Question, visit: int | None, group: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return which nulls are true, which are false, and the true value on the analysis scale.

    Parameters
    ----------
    scenario : Scenario
    question : Question
    visit, group
        As in `Contrast`.

    Returns
    -------
    null, effect : ndarray of bool, shape (analytes,)
        One-sided nulls are true also where the ratio lies on the other side.
    truth : ndarray, shape (analytes,)
    """
    ratio = np.asarray(scenario.effect(visit, group), dtype=np.float64)
    null = {"two-sided": ratio == 0, "greater": ratio <= 0, "less": ratio >= 0}[question.alternative]
    if question.entry.estimand == "odds":
        return null, ~null, _log_odds(scenario, question, visit, ratio)
    if question.scale != "raw":
        return null, ~null, to_scale(ratio, question.scale, "ln")
    # Equal ratios are equal differences of means only between equal laws.
    alike = ratio == 0
    if visit is not None:
        alike &= np.asarray(getattr(scenario, "change_spread", 0.0)) == 0
        if question.kind != WITHIN:
            still = [np.asarray(scenario.effect(visit, side)) == 0 for side in ("case", "control")]
            same_start = np.asarray(scenario.effect(None, "")) == 0
            alike = (ratio == 0) & (same_start | (still[0] & still[1] & alike))
    told = alike | (ratio != 0)
    return null & told, ~null & told, np.where(alike, 0.0, np.nan)


def _log_odds(scenario: Any, question: Question, visit: int | None, ratio: np.ndarray) -> np.ndarray:
    """Return log odds ratios per unit of the analysis scale, of levels at baseline on a log scale; of others only 0 is known."""
    if visit is not None or question.scale == "raw" or not hasattr(scenario, "log_odds_ratio"):
        return np.where(ratio == 0, 0.0, np.nan)
    return np.asarray(scenario.log_odds_ratio()) / to_scale(np.ones(1), question.scale, "ln")


def by_chunk(x: np.ndarray, chunk: int) -> np.ndarray:
    """Sum (replicates, ...) over chunks of replicates, each along a contiguous last axis; shape (chunks, ...)."""
    n_chunks = -(-len(x) // chunk)
    padded = np.zeros((*x.shape[1:], n_chunks * chunk))
    padded[..., : len(x)] = np.moveaxis(x, 0, -1)
    return np.moveaxis(padded.reshape(*x.shape[1:], n_chunks, chunk).sum(axis=-1), -1, 0)


def seen(contrast: Contrast, target: Target, alpha: float) -> SeenContrast:
    """Judge one contrast, replicate by replicate."""
    s = contrast.statistics
    missing = np.isnan(s.p_value)
    raw, hit = s.p_value <= alpha, contrast.p_adjusted <= alpha
    wrong, true = (raw & target.null).sum(axis=-1), (hit & target.effect).sum(axis=-1)
    used: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    if target.estimates:
        usable = ~missing & np.isfinite(s.estimate)
        between = usable & ~np.isnan(s.conf_low) & ~np.isnan(s.conf_high)
        with np.errstate(invalid="ignore"):
            width = s.conf_high - s.conf_low
        finite = between & np.isfinite(width)
        error = s.estimate - np.where(np.isnan(target.truth), target.first, target.truth)
        covered = between & (s.conf_low <= target.truth) & (target.truth <= s.conf_high)
        values = (np.where(usable, error, 0.0), covered, np.where(finite, width, 0.0))
        used = dict(zip(JOINT, zip((usable, between, finite), values, strict=True), strict=True))
    family = seen_family([contrast], [target], alpha)
    return SeenContrast(missing, raw, hit, wrong, true, true > 0, true == target.effect.sum(), family, used)


def seen_family(contrasts: Sequence[Contrast], targets: Sequence[Target], alpha: float) -> Seen:
    """Judge rejections over one contrast, or over all of a question."""
    hits = [contrast.p_adjusted <= alpha for contrast in contrasts]
    found = sum(hit.sum(axis=-1) for hit in hits)
    false = sum((hit & target.null).sum(axis=-1) for hit, target in zip(hits, targets, strict=True))
    untested = np.any([np.isnan(contrast.statistics.p_value).any(axis=-1) for contrast in contrasts], axis=0)
    return Seen(np.asarray(false > 0), np.asarray(false / np.maximum(found, 1)), untested)


def tally(contrast: Contrast, target: Target, alpha: float, chunk: int) -> Tally:
    """Count and sum one contrast over a block of replicates."""
    made = seen(contrast, target, alpha)
    counts = {
        "missing": made.missing.sum(axis=0),
        "missing_null": (made.missing & target.null).any(axis=-1).sum(),
        "missing_effect": (made.missing & target.effect).any(axis=-1).sum(),
        "raw": made.raw.sum(axis=0),
        "hit": made.hit.sum(axis=0),
        "raw_null": made.wrong.sum(),
        "raw_null2": (made.wrong**2).sum(),
        "true": made.true.sum(),
        "true2": (made.true**2).sum(),
        "any": made.any.sum(),
        "all": made.all.sum(),
    }
    overall = _tally_seen(made.family, chunk)
    sums = dict(overall.sums)
    if target.estimates:
        more, of_estimates = _tally_estimates(contrast, target, made)
        counts |= more
        sums["estimates"] = by_chunk(np.stack(of_estimates, axis=1), chunk)
    return Tally({**counts, **overall.counts}, sums)


def tally_family(contrasts: Sequence[Contrast], targets: Sequence[Target], alpha: float, chunk: int) -> Tally:
    """Count false rejections over one contrast, or over all of a question."""
    return _tally_seen(seen_family(contrasts, targets, alpha), chunk)


def _tally_seen(made: Seen, chunk: int) -> Tally:
    counts = {"false": made.false.sum(), "untested": made.untested.sum()}
    return Tally(counts, {"false_share": by_chunk(np.stack([made.share, made.share**2], axis=1), chunk)})


def tally_flags(flags: np.ndarray, missing: np.ndarray) -> Tally:
    """Count the replicates that show a pattern."""
    return Tally({"shown": flags.sum(), "untested": missing.sum()}, {})


def _tally_estimates(contrast: Contrast, target: Target, made: SeenContrast) -> tuple[dict[str, np.ndarray], list[np.ndarray]]:
    """Counts by analyte, and the terms of `_SUMS`, shape (replicates, analytes) each."""
    s, tested = contrast.statistics, ~made.missing
    (usable, error), (between, covered), (finite, width) = (made.used[name] for name in JOINT)
    significant = made.hit & usable
    variance = np.where(usable & target.errors, s.std_error**2, 0.0)
    size = np.where(significant, np.abs(s.estimate), 0.0)
    flags = {
        "estimates": usable,
        "intervals": between,
        "widths": finite,
        "covered": covered,
        "significant": significant,
        "wrong_sign": significant & (s.side * target.truth < 0),
        "infinite": tested & np.isinf(s.estimate),
    }
    terms = [term for part in (error, variance, width, size) for term in (part, part**2)]
    counts = {name: flag.sum(axis=0) for name, flag in flags.items()}
    return counts | _binned(np.where(tested, s.estimate - target.truth, np.nan), target), terms


def _binned(error: np.ndarray, target: Target) -> dict[str, np.ndarray]:
    """Count the errors of each analyte in bins, shape (analytes, bins); infinite ones in the first or last."""
    if target.question.scale == "raw":  # no width of bins serves every unit
        return {}
    rows, columns = np.nonzero(~np.isnan(error))
    place = np.clip(np.floor(error[rows, columns] / _BIN) + _BINS // 2, 0, _BINS - 1).astype(np.int64)
    m = error.shape[-1]
    return {"bins": np.bincount(columns * _BINS + place, minlength=m * _BINS).reshape(m, _BINS)}


def _median(bins: np.ndarray) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """Return the median error with its Monte Carlo error, and the number of estimates, from counts in bins.

    The Monte Carlo error is half the distance of the quantiles one binomial standard error to either side.
    """
    below, n = bins.cumsum(axis=-1), bins.sum(axis=-1)
    edges = (np.arange(_BINS) - _BINS // 2) * _BIN
    edges[0] = -np.inf
    found = []
    for step in (0.0, -0.5, 0.5):
        rank = n * 0.5 + step * np.sqrt(n)
        place = np.minimum((below < rank[:, None]).sum(axis=-1), _BINS - 1)
        before, inside = (np.take_along_axis(x, place[:, None], axis=-1)[:, 0] for x in (below - bins, bins))
        value = edges[place] + _BIN * (rank - before) / np.maximum(inside, 1)
        found.append(np.where(place == _BINS - 1, np.inf, value))
    with np.errstate(invalid="ignore"):
        error = (found[2] - found[1]) / 2
    return (np.where(n > 0, found[0], np.nan), np.where((n > 1) & np.isfinite(error), error, np.nan)), n


# ---------------------------------------------------------------- measures


class Rows(NamedTuple):
    """One measure of one contrast: its name, and a value for each analyte ("" where it is of all together)."""

    measure: str
    analytes: np.ndarray
    estimate: np.ndarray
    mcse: np.ndarray
    n_failed: np.ndarray


def share(k: Any, n: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return k / n and its Monte Carlo error, sqrt(p (1 - p) / n)."""
    k, n = np.asarray(k, dtype=np.float64), np.asarray(n, dtype=np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        p = k / n
        return p, np.where(n > 1, np.sqrt(p * (1 - p) / n), np.nan)


def mean(total: Any, total2: Any, n: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, its Monte Carlo error SD / sqrt(n), and the SD, from sums of values and of their squares."""
    total, total2, n = (np.asarray(part, dtype=np.float64) for part in (total, total2, n))
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = total / n
        squares = total2 - n * middle**2
        squares = np.where(squares > 1e-12 * total2, squares, 0.0)  # less is rounding
        sd = np.where(n > 1, np.sqrt(squares / (n - 1)), np.nan)
        return middle, sd / np.sqrt(n), sd


def _whole(measure: str, found: tuple[np.ndarray, ...], n_failed: Any) -> Rows:
    name = np.array([""], dtype=object)
    return Rows(measure, name, np.reshape(found[0], 1), np.reshape(found[1], 1), np.reshape(n_failed, 1))


def measures_of(target: Target, done: Tally, analytes: np.ndarray, n_sim: int) -> Iterator[Rows]:
    """Yield the measures of one contrast."""
    c, null = done.counts, target.null
    effect = target.effect
    n_null, n_effect = int(null.sum()), int(effect.sum())

    def some(measure: str, which: np.ndarray, found: tuple[np.ndarray, ...], n_failed: np.ndarray) -> Rows:
        return Rows(measure, analytes[which], found[0][which], found[1][which], n_failed[which])

    if n_null:
        yield some("size", null, share(c["raw"], n_sim), c["missing"])
        yield _whole("size", mean(c["raw_null"] / n_null, c["raw_null2"] / n_null**2, n_sim), c["missing_null"])
    if n_effect:
        yield some("power", effect, share(c["hit"], n_sim), c["missing"])
        yield _whole("power_average", mean(c["true"] / n_effect, c["true2"] / n_effect**2, n_sim), c["missing_effect"])
        yield _whole("power_any", share(c["any"], n_sim), c["missing_effect"])
        yield _whole("power_all", share(c["all"], n_sim), c["missing_effect"])
    yield from family_measures(done, n_sim)
    if target.estimates:
        for measure, which, found, usable in _estimate_measures(target, done):
            if which.any():
                yield some(measure, which, found, n_sim - usable)


def family_measures(done: Tally, n_sim: int) -> Iterator[Rows]:
    """Yield FWER and FDR."""
    untested = done.counts["untested"]
    yield _whole("FWER", share(done.counts["false"], n_sim), untested)
    total, total2 = done.sums["false_share"]
    yield _whole("FDR", mean(total, total2, n_sim), untested)


def pattern_measure(done: Tally | None, n_sim: int) -> Rows:
    """Return the share of replicates that show a pattern; None: the plan does not ask what it is about."""
    if done is None:
        return _whole("pattern", (np.array(np.nan), np.array(np.nan)), n_sim)
    return _whole("pattern", share(done.counts["shown"], n_sim), done.counts["untested"])


def _estimate_measures(target: Target, done: Tally) -> Iterator[tuple[str, np.ndarray, tuple[np.ndarray, ...], np.ndarray]]:
    """Yield measure, for which analytes, (value, Monte Carlo error), usable replicates."""
    c, s = done.counts, dict(zip(_SUMS, done.sums["estimates"], strict=True))
    n, truth = c["estimates"], target.truth
    known, everywhere = ~np.isnan(truth), np.ones(len(truth), dtype=bool)
    bias, error, sd = mean(s["error"], s["error2"], n)
    with np.errstate(invalid="ignore", divide="ignore"):
        yield "bias", known, (bias, error), n
        if "bins" in c:
            middle, number = _median(c["bins"])
            yield "median_bias", known, middle, number
        if target.question.rule == "censored":
            yield "infinite", everywhere, share(c["infinite"], n + c["infinite"]), n + c["infinite"]
        yield "emp_se", everywhere, (sd, np.where(n > 1, sd / np.sqrt(2.0 * np.maximum(n - 1, 1)), np.nan)), n
        if target.errors:
            variance, of_variance, _ = mean(s["variance"], s["variance2"], n)
            model = np.sqrt(variance)
            yield "model_se", everywhere, (model, of_variance / (2 * model)), n
        if target.intervals:
            yield "coverage", known, share(c["covered"], c["intervals"]), c["intervals"]
            if target.question.alternative == "two-sided":
                yield "interval_width", everywhere, mean(s["width"], s["width2"], c["widths"]), c["widths"]
        real = known & target.effect
        size, of_size, _ = mean(s["size"], s["size2"], c["significant"])
        yield "type_m", real, (size / np.abs(truth), of_size / np.abs(truth)), n
        yield "type_s", real, share(c["wrong_sign"], c["significant"]), n
