"""Facts: a study's samples as the checks see them, and where each of them stands in the user's files."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from ..labels import as_labels, coded
from ..limits import beyond_limits, to_scale
from ..panel import State, analyte_major
from ..study import Study

MOST_NAMED = 5  # names that a sentence spells out; the rows name all


class Facts:
    """All samples of a study's panel, also those that no test will use.

    Parameters
    ----------
    study : Study

    Attributes
    ----------
    study : Study
    state : ndarray of int8, shape (analytes, samples)
    value : ndarray, shape (analytes, samples)
        As reported; NaN where there is no number.
    below, above : ndarray of bool, shape (analytes, samples)
        Beyond a limit: without a number, or a number outside a limit that is known.
    bare : ndarray of bool, shape (analytes, samples)
        Beyond a limit and without a number.
    lower, upper : ndarray, shape (analytes, samples)
        Limits; NaN where not known.
    case : ndarray of bool, shape (samples,)
    subject, visit, plate : ndarray of object, shape (samples,)
        Labels; the plate is "" where it is not known.
    matched_set : ndarray of object, shape (samples,)
        "" where the design has no sets.
    analytes : ndarray of object, shape (analytes,)
    several_rows : bool
        Whether the file has rows, as of further wells of a sample, that are not the first of any cell.
    """

    def __init__(self, study: Study):
        panel, design = study.panel, study.design
        self.study = study
        self.state = analyte_major(panel.state)
        number = (self.state == State.MEASURED) | (self.state == State.EXTRAPOLATED)
        reported = analyte_major(panel.values)
        self.value = reported if (number | np.isnan(reported)).all() else np.where(number, reported, np.nan)
        self.lower, self.upper = analyte_major(panel.lower_limit), analyte_major(panel.upper_limit)
        self.below, self.above = beyond_limits(reported, self.state, self.lower, self.upper)
        self.bare = (self.below | self.above) & np.isnan(self.value)
        samples = panel.samples
        self.subject, self.visit = (samples[name].to_numpy(dtype=object) for name in ("subject", "visit"))
        blank = np.full(len(samples), "", dtype=object)
        self.plate = as_labels(samples["plate"]) if panel.has_plates else blank
        self.matched_set = as_labels(samples[design.matched_set]) if design.matched_set else blank
        self.case = as_labels(samples[design.group]) == design.case
        self.analytes = study.analytes.to_numpy(dtype=object)
        self.several_rows = panel.rows is not None and len(np.unique(panel.rows[1][panel.rows[1] >= 0])) < len(panel.rows[0])

    def levels(self) -> np.ndarray:
        """Return natural logs, (analytes, samples): values beyond a limit at that limit; NaN where nothing positive is known."""
        return self._logs(self.bounded())

    def logs(self) -> np.ndarray:
        """Return natural logs, (analytes, samples), of the numbers as reported; only what has no number is at its limit.

        A plate or a sample in another unit lies beyond limits that are in the right one: put at these it would look sound.
        """
        return self._logs(np.where(np.isnan(self.value), self.bounded(), self.value))

    def _logs(self, value: np.ndarray) -> np.ndarray:
        logs = to_scale(value, "ln", self.study.panel.logged)
        return np.where(np.isfinite(logs), logs, np.nan)

    def bounded(self) -> np.ndarray:
        """Return values as reported, (analytes, samples), those beyond a limit at that limit; NaN where nothing is known."""
        panel = self.study.panel
        bound = np.where(self.above, self._known(self.upper, panel.fallback_upper_limit), self.value)
        return np.where(self.below, self._known(self.lower, panel.fallback_limit), bound)

    def _known(self, limit: np.ndarray, fallback: Any) -> np.ndarray:
        at = (
            np.maximum(fallback.index.get_indexer(self.plate), 0)
            if len(fallback) > 1
            else np.zeros(len(self.plate), dtype=np.intp)
        )
        return np.where(np.isnan(limit), fallback.to_numpy().T[:, at], limit)

    def subjects(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the number of each sample's subject, and the names that the numbers stand for."""
        return coded(self.subject)

    def place(self, sample: int, analyte: int | None = None, column: str | None = None, **more: Any) -> dict[str, Any]:
        """Say where a sample, or one cell of it, stands; `more` takes what was found."""
        panel = self.study.panel
        origin = panel.origin(sample, column=column, analyte=analyte)
        where: dict[str, Any] = {
            "subject": self.subject[sample],
            "visit": self.visit[sample],
            "plate": self.plate[sample],
            "matched_set": self.matched_set[sample],
            "analyte": "" if analyte is None else self.analytes[analyte],
        }
        if origin:
            where |= {"file": origin.get("file", panel.source.partition(" (")[0]), "row": origin["row"]}
        return where | more

    def sample(self, sample: int) -> str:
        """Name a sample in a sentence."""
        own = self.study.panel.samples["visit"].nunique() > 1
        return f"{self.subject[sample]} at {self.visit[sample]}" if own else f"{self.subject[sample]}"


def some(names: Iterable[Any], most: int = MOST_NAMED) -> str:
    """Name a few in a sentence, and how many more there are.

    Examples
    --------
    >>> some(["IL-6"]), some(["a", "b", "c"], most=2)
    ('IL-6', 'a, b and 1 more')
    """
    texts = [str(name) for name in names]
    if len(texts) <= most:
        return ", ".join(texts[:-1]) + " and " + texts[-1] if len(texts) > 1 else "".join(texts)
    return f"{', '.join(texts[:most])} and {len(texts) - most} more"


def median(x: np.ndarray) -> np.ndarray:
    """Return the median along the last axis of what is not NaN; NaN of nothing."""
    if not x.shape[-1]:
        return np.full(x.shape[:-1], np.nan)
    ordered = np.sort(x, axis=-1)  # NaN last, so that of nothing the first is NaN
    n = (~np.isnan(x)).sum(axis=-1, keepdims=True)
    last = np.maximum(n - 1, 0)
    low, high = (np.take_along_axis(ordered, at, axis=-1) for at in (last // 2, last - last // 2))
    return ((low + high) / 2)[..., 0]


def spread(x: np.ndarray) -> np.ndarray:
    """Return 1.4826 times the median absolute deviation along the last axis, as R's ``mad``."""
    return 1.4826 * median(np.abs(x - median(x)[..., None]))


def fold(log_ratio: float) -> str:
    """Write a natural log ratio as a factor.

    Examples
    --------
    >>> fold(6.91), fold(-6.91), fold(0.7)
    ('1,000 times higher', '1,000 times lower', '2.01 times higher')
    """
    ratio = float(np.exp(abs(log_ratio)))
    text = f"{float(f'{ratio:.3g}'):,.0f}" if ratio >= 100 else f"{ratio:.3g}"
    return f"{text} times {'higher' if log_ratio > 0 else 'lower'}"


def unit_hint(log_ratio: float) -> str:
    """Say that a factor is near a power of ten, if it is."""
    power = abs(log_ratio) / np.log(10)
    near = round(power)
    if near < 1 or abs(power - near) * np.log(10) > np.log(1.5 if near == 1 else 2.0):
        return ""
    return f" (near {10**near:,}: {'a decimal point or a dilution' if near == 1 else 'another unit'}?)"


def strata(facts: Facts, *, least: int = 4) -> np.ndarray:
    """Number the groups at each visit, (samples,); the visits where one of the groups has fewer than `least` samples."""
    visit = coded(facts.visit)[0]
    n = int(visit.max(initial=-1)) + 1
    few = np.minimum(*(np.bincount(visit[own], minlength=n) for own in (facts.case, ~facts.case))) < least
    return coded(2 * visit + (facts.case & ~few[visit]))[0]


def centred(facts: Facts, levels: np.ndarray) -> np.ndarray:
    """Return levels less the median of their group and visit, as `strata` numbers them."""
    out, part = np.array(levels), strata(facts)
    for number in range(int(part.max(initial=-1)) + 1):
        own = part == number
        out[:, own] -= median(levels[:, own])[:, None]
    return out
