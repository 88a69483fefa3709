"""From a likelihood ratio to p and threshold: by chi-square, or read as a t statistic for small groups."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import ndtr, ndtri, stdtr

from ..arrays import Note
from .common import Statistics, t_quantile

METHODS = (
    "likelihood ratio",
    "likelihood ratio, estimate at the edge",
    "likelihood ratio as t",
    "likelihood ratio as t, estimate at the edge",
)
CALIBRATED: dict[str, Any] = {
    "options": {"calibrated": (False, True)},
    "option_words": {("calibrated", True): "the likelihood ratio read as a t statistic"},
}


def tail_of(alternative: str, conf_level: float) -> float:
    """Return the share beyond each end of an interval."""
    return (1 - conf_level) / (2 if alternative == "two-sided" else 1)


def fall_of(tail: float, n: np.ndarray, df: np.ndarray, *, calibrated: bool) -> np.ndarray:
    """Return how far the log-likelihood falls from its top to the ends of an interval."""
    if calibrated:
        return n / 2 * np.log1p(t_quantile(df, tail) ** 2 / df)
    return np.full(np.shape(n), ndtri(tail) ** 2 / 2)


def ratio_statistics(
    estimate: np.ndarray,
    std_error: np.ndarray,
    ends: tuple[np.ndarray, np.ndarray],
    ratio: np.ndarray,
    n: np.ndarray,
    df: np.ndarray,
    note: np.ndarray,
    *,
    alternative: str,
    calibrated: bool,
) -> Statistics:
    """Turn likelihood ratios, NaN where there is no answer, into p; one-sided by the signed root.

    `calibrated` takes t^2 = df (exp(ratio / n) - 1), with n values that entered and df n less the rank: what the ratio of a
    normal model without values beyond limits is of its t.
    """
    tested = ~np.isnan(ratio)
    side = np.where(tested, np.sign(estimate), np.nan)
    root = np.sqrt(df * np.expm1(ratio / n)) if calibrated else np.sqrt(ratio)

    def lower(z: np.ndarray) -> np.ndarray:
        return stdtr(df, z) if calibrated else ndtr(z)

    p = {"two-sided": lambda: 2 * lower(-root), "greater": lambda: lower(-side * root), "less": lambda: lower(side * root)}[
        alternative
    ]()
    method = np.where(tested, 2 * int(calibrated) + ((note & int(Note.EDGE)) != 0), -1).astype(np.int8)
    statistic, df = (side * root, df) if calibrated else (ratio, np.where(tested, 1.0, np.nan))
    return Statistics(estimate, std_error, *ends, statistic, df, p, method, note, side=side)
