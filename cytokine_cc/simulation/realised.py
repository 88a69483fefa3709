"""What drawn studies show before limits and losses, one figure a study, and what the scenario file leads one to expect."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from scipy.special import ndtr

from ..panel import State
from .cohort import Subjects
from .contents import Contents
from .scenario import Scenario

GROUPS = ("case", "control")

# What is expected is worked out here from the file once more, not taken from the model that draws: a fault there shows.


def amounts(found: Contents, table: str, key: str) -> np.ndarray:
    """Return a number for each analyte, 0 where the file gives none."""
    values = found.tables.get(table, {}).get(key)
    return np.zeros(len(found.analytes)) if values is None else np.nan_to_num(np.asarray(values, dtype=float)[:, 0])


def log_ratios(found: Contents, table: str, key: str) -> np.ndarray:
    """Return the natural log of a ratio for each analyte, 0 where the file gives none."""
    values = found.tables.get(table, {}).get(key)
    return np.zeros(len(found.analytes)) if values is None else np.nan_to_num(np.log(values[:, 0]))


def tail_of(found: Contents) -> tuple[float, float]:
    """Return the share of values that are contaminated, and the log of what multiplies them."""
    tail = found.tables.get("tail", {"share": 0.0, "factor": 1.0})
    return tail["share"], float(np.log(tail["factor"]))


def well_variance(found: Contents) -> np.ndarray:
    """Return the variance that a well adds to logs, for each analyte."""
    return np.log1p(amounts(found, "well", "cv") ** 2)


def reached(found: Contents) -> np.ndarray:
    """Return the share of the change that is reached at each visit."""
    reached = found.tables.get("change", {}).get("reached", {})
    return np.array([0.0, *(reached.get(visit, 1.0) for visit in found.tables["study"]["visits"][1:])])


def _covariate_terms(found: Contents, subjects: Subjects) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Covariate, its log ratios per unit (analytes,), its values (replicates, subjects)."""
    terms = []
    for name, effect in found.effects.items():
        x = subjects.covariates[name].astype(float)
        if effect["level"] is not None:
            x = (x == found.cohort.covariates[name]["levels"].index(effect["level"])).astype(float)  # type: ignore[union-attr]
        terms.append((name, np.nan_to_num(np.log(effect["ratio"][:, 0])) / effect["per"], x))
    return terms


def measure(scenario: Scenario, seed: int, numbers: Iterable[int]) -> dict[str, np.ndarray]:
    """Draw studies and measure each.

    Parameters
    ----------
    scenario : Scenario
    seed : int
    numbers : iterable of int
        Which replicates.

    Returns
    -------
    dict of ndarray
        The first axis is the study. Levels are natural logs before limits and losses; but for `geometric`, `within` and the
        shares without the part of covariates. Of groups (2, case and control), analytes (m) and visits (v):

        - geometric (m): mean of controls at baseline; mean (2, v, m); covariance (2, m, v, v): between visits, within a group
        - between (m, m): covariance of analytes within groups at one visit, averaged over visits
        - together (2, 2): chance that two of a group share a plate; a set
        - xx, xy: products of covariates with themselves and with levels at baseline, within groups
        - within (m): variance within sets, or groups; set_effect, plates (m): variance between sets and between plates
        - limits (m, plates): log limits of the plates that are `used`
        - counts (m): below, above, `reported` (controls at baseline) and how many are expected; low, flagged, gone, of `cells`
        - absent, later: samples lost, and how many there might be
    """
    found, drawn = scenario._contents, scenario._draw(seed, numbers)
    subjects, level = drawn["subjects"], drawn["level"]
    terms = _covariate_terms(found, subjects)
    rest = level - sum(ratio[:, None] * x[:, None, None, :] for _, ratio, x in terms) if terms else level
    groups = [rest[..., subjects.case], rest[..., ~subjects.case]]
    centred = [_centred(own) for own in groups]
    out = {
        "geometric": level[:, 0][..., ~subjects.case].mean(axis=-1),
        "mean": np.stack([own.mean(axis=-1) for own in groups], axis=1),
        "covariance": np.stack([np.einsum("rvan,rwan->ravw", own, own) / (own.shape[-1] - 1) for own in centred], axis=1),
        "between": sum(own @ own.swapaxes(-1, -2) for own in centred).mean(axis=1) / (subjects.case.size - 2),
        "together": np.broadcast_to(_together(subjects), (len(level), 2, 2)),
    }
    if terms:
        x = np.stack([x for *_, x in terms], axis=1)
        x = np.concatenate([_centred(x[..., subjects.case]), _centred(x[..., ~subjects.case])], axis=-1)
        out |= {"xx": x @ x.swapaxes(-1, -2), "xy": x @ level[:, 0].swapaxes(-1, -2)}
    out |= _within_sets(subjects, level[:, 0], rest[:, 0])
    if subjects.plate is not None:
        out |= _plates(subjects, [own[:, 0] for own in centred], np.broadcast_to(drawn["lower"], level.shape)[:, 0])
    # Where the model put the centres shows in `geometric`.
    centres = [centre for *_, centre, _ in scenario._model.parts.get("covariate_effect", {"terms": []})["terms"]]
    return out | _counts(found, drawn, centres)


def _centred(x: np.ndarray) -> np.ndarray:
    return x - x.mean(axis=-1, keepdims=True)


def _together(subjects: Subjects) -> np.ndarray:
    """Chance that two subjects of a group share a plate, and a set; shape (2, groups)."""
    out = np.zeros((2, 2))
    labels = (None if subjects.plate is None else subjects.plate[0, 0], subjects.set_number)
    for i, label in enumerate(labels):
        for g, own in enumerate((subjects.case, ~subjects.case)):
            if label is not None:
                counts, n = np.bincount(label[own]), own.sum()
                out[i, g] = (counts * (counts - 1)).sum() / (n * (n - 1))
    return out


def _within_sets(subjects: Subjects, level: np.ndarray, rest: np.ndarray) -> dict[str, np.ndarray]:
    """Variance of levels within sets, and what the members of a set share; within groups where there are no sets."""
    n = int(subjects.case.sum())
    if subjects.set_number is None:
        squares = sum((_centred(own) ** 2).sum(axis=-1) for own in (level[..., :n], level[..., n:]))
        return {"within": squares / (subjects.case.size - 2)}
    case, control = _by_set(level, n)
    ratio = subjects.case.size // n - 1
    found = {"within": (case - control).var(axis=-1, ddof=1) / (1 + 1 / ratio)}
    case, control = _by_set(rest, n)
    return found | {"set_effect": (_centred(case) * _centred(control)).sum(axis=-1) / (n - 1)}


def _by_set(y: np.ndarray, n_case: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the case of each set and the mean of its controls."""
    return y[..., :n_case], y[..., n_case:].reshape(*y.shape[:-1], n_case, -1).mean(axis=-1)


def _plates(subjects: Subjects, centred: list[np.ndarray], lower: np.ndarray) -> dict[str, np.ndarray]:
    """Variance between plates, of the groups averaged, and the limits of each plate, at baseline."""
    plate = np.asarray(subjects.plate)[:, 0]
    used = np.unique(plate[0])
    first = np.argmax(plate[:, :, None] == used, axis=1)
    out = {
        "limits": np.log(np.take_along_axis(lower, first[:, None, :], axis=-1)),
        "used": np.broadcast_to(used, (len(plate), len(used))),
    }
    both = zip(centred, (plate[:, subjects.case], plate[:, ~subjects.case]), strict=True)
    each = [_between_plates(y, own) for y, own in both if 1 < len(np.unique(own[0])) < own.shape[-1]]
    return out | ({"plates": np.mean(each, axis=0)} if each else {})


def _between_plates(y: np.ndarray, plate: np.ndarray) -> np.ndarray:
    """Return the variance between plates by the method of moments; y (replicates, analytes, n), plate (replicates, n)."""
    used = np.unique(plate[0])
    n, member = y.shape[-1], plate[:, None, :] == used[:, None]
    counts = member[0].sum(axis=-1)
    sums = y @ member.swapaxes(-1, -2).astype(float)
    between = (sums**2 / counts).sum(axis=-1)
    within = ((y**2).sum(axis=-1) - between) / (n - len(used))
    size = (n - (counts**2).sum() / n) / (len(used) - 1)
    return (between / (len(used) - 1) - within) / size


def _counts(found: Contents, drawn: Mapping[str, Any], centres: list[float]) -> dict[str, np.ndarray]:
    subjects, state, there = drawn["subjects"], drawn["state"], drawn["sample"]
    low = (state == State.BELOW) | (state == State.EXTRAPOLATED)
    reported = (state[:, 0] != State.MISSING)[..., ~subjects.case]
    out = {
        "low": low.sum(axis=(1, 3)),
        "flagged": (state == State.EXTRAPOLATED).sum(axis=(1, 3)),
        "gone": ((state == State.MISSING) & there[:, :, None]).sum(axis=(1, 3)),
        "cells": np.broadcast_to(there.sum(axis=(1, 2))[:, None], (len(state), state.shape[2])),
        "absent": (~there[:, 1:]).sum(axis=(1, 2)),
        "later": np.full(len(state), there[0, 1:].size),
        "reported": reported.sum(axis=-1),
    }
    for side, beyond in (("below", low), ("above", state == State.ABOVE)):
        out[side] = beyond[:, 0][..., ~subjects.case].sum(axis=-1)
        out[f"{side} expected"] = (_chance(found, subjects, side, centres) * reported).sum(axis=-1)
    return out


def _chance(found: Contents, subjects: Subjects, side: str, centres: list[float]) -> np.ndarray:
    """Chance that a control lies beyond its limit at baseline, given covariates and plate: (replicates, analytes, controls)."""
    columns, control = found.columns, ~subjects.case
    share, log_factor = tail_of(found)
    limit = np.log(columns["lower_limit" if side == "below" else "upper_limit"])
    centre = np.log(columns["mean"])
    for (_, ratio, x), middle in zip(_covariate_terms(found, subjects), centres, strict=True):
        centre = centre + ratio[:, None] * (x - middle)[:, None, :]
    parts = [columns["log_sd"][:, 0], amounts(found, "set_effect", "log_sd"), amounts(found, "plates", "log_sd")]
    limits = found.tables.get("limits", {})
    if side == "below":
        parts.append(np.full(len(limit), limits.get("plate_log_sd") or 0.0))
        if limits.get("plate_factors") is not None:
            limit = limit + np.log(limits["plate_factors"])[subjects.plate[:, 0]][:, None, :]  # type: ignore[index]
    sd = np.sqrt(sum(part**2 for part in parts) + well_variance(found))[:, None]
    gap = limit - centre
    gap = np.broadcast_to(gap, (len(subjects.person), *np.shape(gap)[-2:-1], subjects.case.size))[..., control]
    chance = (1 - share) * ndtr(gap / sd) + share * ndtr((gap - log_factor) / sd)
    stated = columns[side]
    return np.where(np.isnan(chance), np.nan_to_num(stated), chance if side == "below" else 1 - chance)
