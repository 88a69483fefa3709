"""From levels to what a laboratory reports: plates, limits of detection, missing samples and values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..panel import State
from .cohort import Subjects
from .streams import Streams


def draw_plates(rng: Streams, subjects: Subjects, p: Mapping[str, Any]) -> np.ndarray:
    """Put samples on plates: in each group fixed numbers, who stands where at random.

    Parameters
    ----------
    rng : Streams
    subjects : Subjects
    p : mapping
        n; samples: "together" or "apart"; case_counts, control_counts: persons on each plate.

    Returns
    -------
    ndarray of int, shape (replicates, visits, subjects)
        One visit stands for all where samples are together.
    """
    n_visits = 1 if p["samples"] == "together" else subjects.n_visits
    key = rng.uniform(n_visits, subjects.case.size)
    plate = np.empty(key.shape, dtype=np.int64)
    for role, counts in ((True, p["case_counts"]), (False, p["control_counts"])):
        own = np.flatnonzero(subjects.case == role)
        order = np.argsort(key[..., own], axis=-1)
        seats = np.broadcast_to(np.repeat(np.arange(p["n"]), counts), order.shape)
        mine = np.empty(order.shape, dtype=np.int64)
        np.put_along_axis(mine, order, seats, axis=-1)
        plate[..., own] = mine
    return plate


def draw_limits(rng: Streams, subjects: Subjects, p: Mapping[str, Any]) -> np.ndarray:
    """Draw limits of detection, which differ by plate.

    Parameters
    ----------
    rng : Streams
    subjects : Subjects
    p : mapping
        log_lower (analytes, 1), NaN where there is none; log_factors (plates,); plate_log_sd.

    Returns
    -------
    ndarray, broadcastable to (replicates, visits, analytes, subjects)
        In the unit of the analyte.
    """
    n_plates = len(p["log_factors"])
    if p["plate_log_sd"]:
        limits = np.exp(p["log_lower"] + p["log_factors"] + p["plate_log_sd"] * rng.normal(len(p["log_lower"]), n_plates))
    else:
        limits = np.exp(p["log_lower"] + p["log_factors"])[None]
    if n_plates == 1:
        return limits[:, None]
    return np.take_along_axis(limits[:, None], np.asarray(subjects.plate)[:, :, None, :], axis=-1)


def observe(
    rng: Streams, value: np.ndarray, lower: np.ndarray, upper: np.ndarray, p: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray]:
    """Hide what lies beyond the limits.

    Parameters
    ----------
    rng : Streams
    value : ndarray, shape (replicates, visits, analytes, subjects)
    lower, upper : ndarray, broadcastable to the same
    p : mapping
        extrapolated: share of values below that keep a flagged number.

    Returns
    -------
    value, state : ndarray
    """
    with np.errstate(invalid="ignore"):
        below, above = value < lower, value > upper
    state = np.where(below, np.int8(State.BELOW), np.where(above, np.int8(State.ABOVE), np.int8(State.MEASURED)))
    if p["extrapolated"]:
        state[below & (rng.uniform(*value.shape[1:]) < p["extrapolated"])] = State.EXTRAPOLATED
    return np.where((state == State.BELOW) | (state == State.ABOVE), np.nan, value), state


def lose(
    rng: Streams, level: np.ndarray, value: np.ndarray, state: np.ndarray, p: Mapping[str, Any]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lose later samples, at random or depending on a level, and single values.

    Parameters
    ----------
    rng : Streams
    level : ndarray, shape (replicates, visits, analytes, subjects)
        Natural logs.
    value, state : ndarray, of the same shape
    p : mapping
        samples, values: shares; driver: position of an analyte, or None; correlation: of its log level with a normal score;
        centre, spread: of that level; bound: score under which a sample is lost.

    Returns
    -------
    value, state : ndarray
    sample : ndarray of bool, shape (replicates, visits, subjects)
        Which samples are there. Those at baseline always are: who has none is not in the study.
    """
    n_visits, n_analytes, n = level.shape[1:]
    sample = np.ones((len(rng), n_visits, n), dtype=bool)
    if p["samples"] and n_visits > 1:
        score = rng.normal(n_visits - 1, n)
        if p["driver"] is not None:
            r = p["correlation"]
            driver = (level[:, 1:, p["driver"]] - p["centre"]) / p["spread"]
            score = r * driver + np.sqrt(1 - r * r) * score
        sample[:, 1:] = score >= p["bound"]
    gone = np.broadcast_to(~sample[:, :, None, :], state.shape)
    if p["values"]:
        gone = gone | (rng.uniform(n_visits, n_analytes, n) < p["values"])
    return np.where(gone, np.nan, value), np.where(gone, np.int8(State.MISSING), state), sample
