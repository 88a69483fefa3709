"""What the log level of a marker is the sum of: each component a plain function of random streams, subjects and parameters.

A component returns an array that broadcasts to (replicates, visits, analytes, subjects), in natural logs. Parameters that
differ by analyte have shape (analytes, 1). To add one: a function here, its line in `COMPONENTS`, its keys in
`parameters.TABLES` and what becomes of them in `model.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from .cohort import Subjects
from .streams import Streams

Parameters = Mapping[str, Any]
_BLOCK_VALUES = 65_536  # worked on at a time: what fits a cache


def analyte_mean(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Log of the geometric mean of controls at baseline: `log_mean`."""
    return p["log_mean"]


def group_effect(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Cases against controls, at all visits: `log_ratio`."""
    return p["log_ratio"] * subjects.case


def covariate_effect(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Add `terms`: covariate, log ratio per unit, and the centre that is subtracted, or the level that is told from others."""
    total: Any = 0.0
    for name, log_ratio, centre, level in p["terms"]:
        x = subjects.covariates[name]
        x = (x == level).astype(float) if level is not None else x
        total = total + log_ratio * (x - centre)[:, None, None, :]
    return total


def set_effect(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """What the members of a matched set share: SD `log_sd`."""
    number = np.asarray(subjects.set_number)
    return p["log_sd"] * rng.normal(1, len(p["log_sd"]), int(number.max()) + 1)[..., number]


def subject_effect(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """What a person keeps between visits and no other analyte shares: SD `log_sd`."""
    return p["log_sd"] * rng.normal(1, len(p["log_sd"]), subjects.case.size)


def visit_effect(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """What is new at each visit and no other analyte shares: SD `log_sd`."""
    out = rng.normal(subjects.n_visits, len(p["log_sd"]), subjects.case.size)
    out *= p["log_sd"]
    return out


def shared_factors(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Factors that analytes share: loadings `kept` (between visits) and `passing` (new at each), shape (analytes, factors)."""
    n_factors, n = p["kept"].shape[1], subjects.case.size
    total = _mix(p["passing"], rng.normal(subjects.n_visits, n_factors, n))
    total += _mix(p["kept"], rng.normal(1, n_factors, n))
    return total


def _mix(loadings: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Add up loadings times factors; no matrix product, whose last bits may depend on how many replicates stand beside."""
    total = np.empty((*factors.shape[:-2], len(loadings), factors.shape[-1]))
    step = max(1, _BLOCK_VALUES // max(1, total[0].size))
    part = np.empty_like(total[:step])
    for start in range(0, len(total), step):
        some, out = factors[start : start + step], total[start : start + step]
        np.multiply(loadings[:, 0, None], some[..., 0, None, :], out=out)
        for k in range(1, loadings.shape[1]):
            out += np.multiply(loadings[:, k, None], some[..., k, None, :], out=part[: len(out)])
    return total


def factor_shift(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Shift of shared factors in cases, such as by longer storage: `log_shift`."""
    return p["log_shift"] * subjects.case


def change_on_treatment(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Change from baseline: mean `case` and `control`, shape (visits, analytes, 1), and SD `log_sd` times `reached`."""
    change: Any = np.where(subjects.case, p["case"], p["control"])
    if p["log_sd"].any():
        own = p["log_sd"] * rng.normal(1, len(p["log_sd"]), subjects.case.size)
        change = change + p["reached"][:, None, None] * own
    return change


def plate_shift(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Shift of a plate: SD `log_sd`, each analyte its own, on `n` plates."""
    shift = p["log_sd"] * rng.normal(len(p["log_sd"]), p["n"])
    return np.take_along_axis(shift[:, None], np.asarray(subjects.plate)[:, :, None, :], axis=-1)


def well_error(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """Error of a single well: SD `log_sd`."""
    return p["log_sd"] * rng.normal(subjects.n_visits, len(p["log_sd"]), subjects.case.size)


def contamination(rng: Streams, subjects: Subjects, p: Parameters) -> np.ndarray:
    """A right tail: a `share` of values is shifted by `log_factor`."""
    return p["log_factor"] * (rng.uniform(subjects.n_visits, p["n_analytes"], subjects.case.size) < p["share"])


# In the order in which they draw.
COMPONENTS: dict[str, Callable[[Streams, Subjects, Parameters], np.ndarray]] = {
    "mean": analyte_mean,
    "group": group_effect,
    "covariate_effect": covariate_effect,
    "set_effect": set_effect,
    "subject": subject_effect,
    "visit": visit_effect,
    "factors": shared_factors,
    "factor_shift": factor_shift,
    "change": change_on_treatment,
    "plates": plate_shift,
    "well": well_error,
    "tail": contamination,
}


def add_up(rng: Streams, subjects: Subjects, parts: Mapping[str, Parameters]) -> np.ndarray:
    """Add the components that a scenario uses.

    Parameters
    ----------
    rng : Streams
    subjects : Subjects
    parts : mapping
        Component -> its parameters.

    Returns
    -------
    ndarray, shape (replicates, visits, analytes, subjects)
        Natural logs of the levels.
    """
    total: Any = None
    for name, function in COMPONENTS.items():
        if name not in parts:
            continue
        part = function(rng, subjects, parts[name])
        if total is None:
            shape = (len(rng), subjects.n_visits, len(parts["mean"]["log_mean"]), subjects.case.size)
            total = np.empty(shape)
            total[:] = part
        else:
            total += part
    return total
