"""descriptives: how much was measured, and what it looked like, by analyte, visit and group."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from .arrays import Response, StudyArrays
from .engine import Sides
from .errors import NonPositiveError, one_of
from .kernels import moments
from .kernels.common import NUMBER_RULES
from .limits import back_transform, beyond_limits, respond
from .panel import State
from .study import Study

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}


def descriptives(study: Study, *, below_limit: str = "half") -> pd.DataFrame:
    """How much of each analyte was measured, and what was it like, at each visit and in each group?

    Parameters
    ----------
    study : Study
    below_limit : {"half", "sqrt2", "limit", "drop", "as_reported"}
        What enters geometric mean and SD for a value below its limit. Quartiles substitute nothing.

    Returns
    -------
    DataFrame
        One row an analyte, visit and group ("case", "control"), with: unit; n (samples with a value, beyond a limit or not);
        n_missing; n_below, n_above (numbers outside known limits included) and the shares below, above of n; geo_mean, geo_sd
        (NaN where a value is 0 or negative, or beyond a limit that is not known); median, q1, q3 (R's type 7; NaN where the
        quartile lies among values beyond a limit); below_limit; note. A baseline of several visits is averaged on the log
        scale.

    Raises
    ------
    OptionError
        A rule that geometric means cannot honour.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> table = cc.descriptives(cc.load_study("quickstart"))
    >>> table.loc[table["analyte"] == "IL-4", ["visit", "group", "n", "n_below"]].head(2).values.tolist()
    [['baseline', 'case', 30, 16], ['baseline', 'control', 22, 7]]
    """
    one_of("below_limit", below_limit, NUMBER_RULES)
    arrays, sides = study.arrays, Sides(study.arrays)
    n = arrays.n_baseline
    places = [(study.baseline, slice(0, n)), *((label, slice(n + i, n + i + 1)) for i, label in enumerate(study.visits))]
    units = study.panel.analytes["unit"].to_numpy(dtype=object)
    frames = []
    for v, (label, visits) in enumerate(places):
        numbers, no_log = _logs(arrays, visits, below_limit)
        known, no_average = _bounds(arrays, visits)
        counts = _state_counts(arrays, visits)
        for g, group in enumerate(("case", "control")):
            columns = {"analyte": study.analytes.to_numpy(dtype=object), "unit": units, "visit": label, "group": group}
            columns |= {name: sides.take(flags, group).sum(axis=-1) for name, flags in counts.items()}
            unknown = np.asarray(sides.take(numbers.unknown, group).any(axis=-1))
            columns |= _shares(columns) | _spread(sides.take(numbers.y, group), no_log | unknown)
            columns |= _quartiles(known, sides, group, study.panel.logged)
            columns["below_limit"] = below_limit
            columns["note"] = _note(columns, no_log, unknown, no_average)
            frames.append(pd.DataFrame(columns).assign(_order=2 * v + g))
    table = pd.concat(frames, ignore_index=True)
    place = {name: i for i, name in enumerate(study.analytes)}
    order = np.lexsort((table["_order"], table["analyte"].map(place)))
    return table.iloc[order].drop(columns="_order").reset_index(drop=True)


def _logs(arrays: StudyArrays, visits: slice, rule: str) -> tuple[Response, np.ndarray]:
    """Natural logs by a rule, and the analytes that have none because a number is 0 or negative."""
    rows = slice(0, arrays.n_analytes)
    no_log = np.zeros(arrays.n_analytes, dtype=bool)
    try:
        return respond(arrays, visits, rows, rule, "ln"), no_log
    except NonPositiveError as error:
        no_log[error.cells[:, -2]] = True
    names = ("value", "lower", "upper", "fallback_lower", "fallback_upper")
    ones: dict[str, Any] = {name: np.where(no_log[:, None], 1.0, getattr(arrays, name)) for name in names}
    return respond(replace(arrays, **ones), visits, rows, rule, "ln"), no_log


def _bounds(arrays: StudyArrays, visits: slice) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """What each value is known to lie between, in the unit (or as a log, where the file holds logs).

    Several visits are averaged geometrically; where a 0 forbids that, arithmetically, which the second array flags.
    """
    scale = "raw" if arrays.logged is None else arrays.logged
    plain = respond(arrays, visits, slice(0, arrays.n_analytes), "lowest_rank", scale)
    low, high, unknown = plain.low, plain.high, plain.unknown
    no_average = np.zeros(arrays.n_analytes, dtype=bool)
    if visits.stop - visits.start > 1 and arrays.logged is None:
        logs, no_average = _logs(arrays, visits, "lowest_rank")
        with np.errstate(over="ignore"):
            low, high = (np.where(no_average[:, None], bound, np.exp(log)) for bound, log in ((low, logs.low), (high, logs.high)))
    # Beyond a limit that nothing tells: anywhere.
    return (np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)), no_average


def _state_counts(arrays: StudyArrays, visits: slice) -> dict[str, np.ndarray]:
    state = arrays.state[..., visits, :, :]
    missing = (state == State.MISSING).all(axis=-3)
    cells = (array[..., visits, :, :] for array in (arrays.value, arrays.state, arrays.lower, arrays.upper))
    below, above = (flags.any(axis=-3) for flags in beyond_limits(*cells))
    return {"n": ~missing, "n_missing": missing, "n_below": below, "n_above": above}


def _shares(columns: dict) -> dict[str, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: columns[f"n_{name}"] / columns["n"] for name in ("below", "above")}


def _spread(logs: np.ndarray, refused: np.ndarray) -> dict[str, np.ndarray]:
    m = moments(logs)
    spread = {"geo_mean": np.exp(m.mean), "geo_sd": np.exp(np.sqrt(m.var))}
    return {name: np.where(refused, np.nan, value) for name, value in spread.items()}


def _quartiles(bounds: tuple[np.ndarray, np.ndarray], sides: Sides, group: str, logged: str | None) -> dict[str, np.ndarray]:
    low, high = (np.sort(sides.take(bound, group), axis=-1) for bound in bounds)
    out = {}
    for name, share in QUARTILES.items():
        ends = [_quantile(bound, share) for bound in (low, high)]
        value = np.where(ends[0] == ends[1], ends[0], np.nan)
        out[name] = value if logged is None else back_transform(value, logged)
    return out


def _quantile(ordered: np.ndarray, share: float) -> np.ndarray:
    """R's type 7, over a sorted last axis with NaN at the end."""
    n = (~np.isnan(ordered)).sum(axis=-1)
    h = np.maximum(n - 1, 0) * share
    i = np.floor(h).astype(np.intp)
    a, b = (np.take_along_axis(ordered, j[..., None], axis=-1)[..., 0] for j in (i, np.minimum(i + 1, np.maximum(n - 1, 0))))
    with np.errstate(invalid="ignore"):
        return np.where(h == i, a, np.where(a == b, a, a + (h - i) * (b - a)))


def _note(columns: dict, no_log: np.ndarray, unknown: np.ndarray, no_average: np.ndarray) -> np.ndarray:
    hidden = {name: np.isnan(columns[name]) & (columns["n"] > 0) for name in QUARTILES}
    notes = []
    for i in range(len(no_log)):
        parts = [name for name, where in hidden.items() if where[i]]
        texts = [f"{', '.join(parts)} among values beyond a limit"] if parts else []
        if no_log[i]:
            texts.append("a value of 0 or less: no geometric mean")
        if unknown[i]:
            texts.append("values beyond a limit that is not known: no geometric mean")
        if no_average[i]:
            texts.append("a value of 0 or less: visits averaged arithmetically for the quartiles")
        notes.append("; ".join(texts))
    return np.array(notes, dtype=object)
