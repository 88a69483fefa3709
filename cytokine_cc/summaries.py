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
from .kernels.censored_normal import fit_normal
from .kernels.common import NUMBER_RULES
from .kernels.kaplan_meier import quantiles
from .kernels.order_statistics import complete
from .limits import back_transform, beyond_limits, respond, to_scale
from .panel import State
from .study import Study

QUARTILES = {"q1": 0.25, "median": 0.5, "q3": 0.75}
RULES = ("censored", "ros", *NUMBER_RULES)


def descriptives(study: Study, *, below_limit: str = "censored") -> pd.DataFrame:
    """How much of each analyte was measured, and what was it like, at each visit and in each group?

    Parameters
    ----------
    study : Study
    below_limit : {"censored", "ros", "half", "sqrt2", "limit", "drop", "as_reported"}
        What becomes of values beyond a limit; see Notes.

    Returns
    -------
    DataFrame
        One row an analyte, visit and group ("case", "control"), with: unit; n (samples with a value, beyond a limit or not);
        n_missing; n_below, n_above (numbers outside known limits included) and the shares below, above of n; geo_mean, geo_sd;
        median, q1, q3; below_limit (the rule); note. A baseline of several visits is averaged on the log scale.

    Notes
    -----
    Where nothing is beyond a limit: geometric mean, geometric SD (by n - 1), quartiles of R's type 7. Otherwise,

    - "censored": geometric mean and SD of the log-normal law that makes the values most likely (R's survreg; the SD is its scale,
      by n); quartiles by Kaplan-Meier (`kernels.kaplan_meier.quantiles`), NaN where they lie among values beyond a limit;
    - "ros": values below limits are filled in by regression on order statistics (`kernels.order_statistics.complete`), and the
      sample so completed is described; NaN where a value is above a limit;
    - the other rules put a number, or nothing, in the place of a value below its limit for geometric mean and SD; quartiles are
      of type 7 and substitute nothing: NaN where they lie among values beyond a limit.

    Under "censored" and "ros" numbers outside known limits count as beyond them. Where a limit is not stated, the lowest
    (highest) measured value of that plate stands in, and the note says so. Geometric mean and SD are NaN, and the note says why,
    where a value is 0 or negative, beyond a limit that nothing tells, or where fewer than two values are within the limits.

    Raises
    ------
    OptionError
        A rule that descriptives cannot honour.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> table = cc.descriptives(cc.load_study("quickstart"))
    >>> table.loc[table["analyte"] == "IL-4", ["visit", "group", "n", "n_below"]].head(2).values.tolist()
    [['baseline', 'case', 30, 16], ['baseline', 'control', 22, 7]]
    """
    one_of("below_limit", below_limit, RULES)
    modelled = below_limit not in NUMBER_RULES
    arrays, sides = study.arrays, Sides(study.arrays)
    n = arrays.n_baseline
    places = [(study.baseline, slice(0, n)), *((label, slice(n + i, n + i + 1)) for i, label in enumerate(study.visits))]
    units = study.panel.analytes["unit"].to_numpy(dtype=object)
    frames = []
    for v, (label, visits) in enumerate(places):
        numbers, no_log = _logs(arrays, visits, "censored" if modelled else below_limit)
        bounds, no_average = _bounds(arrays, visits, "censored" if modelled else "lowest_rank")
        counts = _state_counts(arrays, visits)
        for g, group in enumerate(("case", "control")):
            columns = {"analyte": study.analytes.to_numpy(dtype=object), "unit": units, "visit": label, "group": group}
            columns |= {name: sides.take(flags, group).sum(axis=-1) for name, flags in counts.items()}
            logs, known = sides.part(numbers, group), [sides.take(bound, group) for bound in bounds]
            unknown = _unknown(known)
            columns |= _shares(columns)
            columns |= _figures(below_limit, logs, known, no_log | unknown, study.panel.logged)
            columns["below_limit"] = below_limit
            columns["note"] = _note(columns, no_log, unknown, no_average, logs if modelled else None)
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


def _bounds(arrays: StudyArrays, visits: slice, rule: str) -> tuple[tuple[np.ndarray, np.ndarray], np.ndarray]:
    """What each value is known to lie between, in the unit (or as a log, where the file holds logs).

    Several visits are averaged geometrically; where a 0 forbids that, arithmetically, which the second array flags.
    """
    scale = "raw" if arrays.logged is None else arrays.logged
    plain = respond(arrays, visits, slice(0, arrays.n_analytes), rule, scale)
    low, high = plain.low, plain.high
    there = (arrays.state[..., visits, :, :] != State.MISSING).any(axis=-3)
    unknown = plain.unknown | (there & np.isnan(plain.y))  # below at one visit and above at another: no mean
    no_average = np.zeros(arrays.n_analytes, dtype=bool)
    if visits.stop - visits.start > 1 and arrays.logged is None:
        logs, no_average = _logs(arrays, visits, rule)
        with np.errstate(over="ignore"):
            ends = np.where(np.isneginf(logs.low), -np.inf, np.exp(logs.low)), np.exp(logs.high)
        low, high = (np.where(no_average[:, None], bound, end) for bound, end in zip((low, high), ends, strict=True))
    return (np.where(unknown, -np.inf, low), np.where(unknown, np.inf, high)), no_average


def _unknown(known: list[np.ndarray]) -> np.ndarray:
    """Flag the analytes with a value of which nothing is known."""
    return np.asarray((np.isneginf(known[0]) & np.isposinf(known[1])).any(axis=-1))


def _state_counts(arrays: StudyArrays, visits: slice) -> dict[str, np.ndarray]:
    state = arrays.state[..., visits, :, :]
    missing = (state == State.MISSING).all(axis=-3)
    cells = (array[..., visits, :, :] for array in (arrays.value, arrays.state, arrays.lower, arrays.upper))
    below, above = (flags.any(axis=-3) for flags in beyond_limits(*cells))
    return {"n": ~missing, "n_missing": missing, "n_below": below, "n_above": above}


def _shares(columns: dict) -> dict[str, np.ndarray]:
    with np.errstate(invalid="ignore", divide="ignore"):
        return {name: columns[f"n_{name}"] / columns["n"] for name in ("below", "above")}


def _figures(
    rule: str, logs: Response, known: list[np.ndarray], refused: np.ndarray, logged: str | None
) -> dict[str, np.ndarray]:
    """Geometric mean, geometric SD and quartiles of one group, by a rule; `refused` are those without logs."""
    if rule in NUMBER_RULES:
        return _spread(logs.y, refused) | _quartiles(known, logged)
    beyond = np.asarray((np.isinf(known[0]) | np.isinf(known[1])).any(axis=-1))
    plain, modelled = np.where(beyond[:, None], np.nan, logs.y), np.flatnonzero(beyond & ~refused)
    if rule == "ros":
        plain[modelled] = complete(logs.low[modelled], logs.high[modelled])
        unit = np.exp(plain) if logged is None else to_scale(plain, logged, "ln")
        as_known = ~beyond[:, None] | ((known[0] == known[1]) & ~np.isnan(plain))
        return _spread(plain, refused) | _quartiles([np.where(as_known, known[0], unit)] * 2, logged)
    figures = _spread(plain, refused) | _quartiles(known, logged)
    fit = fit_normal(*(part[modelled] for part in logs[1:4]))
    figures["geo_mean"][modelled], figures["geo_sd"][modelled] = np.exp(fit.mean), np.exp(fit.sd)
    low, high = (bound[beyond] for bound in known)
    found = quantiles(low, high, tuple(QUARTILES.values()))
    for name, value in zip(QUARTILES, found, strict=True):
        figures[name][beyond] = value if logged is None else back_transform(value, logged)
    return figures


def _spread(logs: np.ndarray, refused: np.ndarray) -> dict[str, np.ndarray]:
    m = moments(logs)
    spread = {"geo_mean": np.exp(m.mean), "geo_sd": np.exp(np.sqrt(m.var))}
    return {name: np.where(refused, np.nan, value) for name, value in spread.items()}


def _quartiles(known: list[np.ndarray], logged: str | None) -> dict[str, np.ndarray]:
    low, high = (np.sort(bound, axis=-1) for bound in known)
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


def _note(
    columns: dict, no_log: np.ndarray, unknown: np.ndarray, no_average: np.ndarray, modelled: Response | None
) -> np.ndarray:
    hidden = {name: np.isnan(columns[name]) & (columns["n"] > 0) for name in QUARTILES}
    why = [""] * len(no_log) if modelled is None else _why_no_mean(columns, modelled)
    stand_ins = [[]] * len(no_log) if modelled is None else _stand_ins(columns, modelled)
    notes = []
    for i in range(len(no_log)):
        parts = [name for name, where in hidden.items() if where[i]]
        texts = [f"{', '.join(parts)} among values beyond a limit"] if parts else []
        if no_log[i]:
            texts.append("a value of 0 or less: no geometric mean")
        if unknown[i]:
            texts.append("values beyond a limit that is not known: no geometric mean")
        if why[i] and not (no_log[i] or unknown[i]):
            texts.append(why[i])
        texts += stand_ins[i]
        if no_average[i]:
            texts.append("a value of 0 or less: visits averaged arithmetically for the quartiles")
        notes.append("; ".join(texts))
    return np.array(notes, dtype=object)


def _why_no_mean(columns: dict, logs: Response) -> np.ndarray:
    """Say of each analyte with values beyond a limit why it has no geometric mean, if it has none."""
    beyond, measured = np.isinf(logs.y).any(axis=-1), np.isfinite(logs.y).sum(axis=-1)
    above = np.isposinf(logs.y).any(axis=-1) & (columns["below_limit"] == "ros")
    reasons = [
        (measured == 0, "no value within the limits: no geometric mean"),
        (measured == 1, "one value within the limits: no geometric mean"),
        (above, "values above a limit: no regression on order statistics"),
        (measured > 1, "values within the limits too alike for those beyond them: no geometric mean"),
    ]
    missing = beyond & np.isnan(columns["geo_mean"])
    return np.select([missing & where for where, _ in reasons], [text for _, text in reasons], "").astype(object)


def _stand_ins(columns: dict, logs: Response) -> list[list[str]]:
    """Say of each analyte where the limit is not the file's own."""
    texts: list[list[str]] = [[] for _ in logs.y]
    for name, flags, extreme in (("below", logs.below, "lowest"), ("above", logs.above, "highest")):
        borrowed = (logs.borrowed & flags).sum(axis=-1)
        for i in np.flatnonzero(borrowed):
            of = f"{borrowed[i]} of {columns['n_' + name][i]} values {name} it"
            texts[i].append(f"limit not stated for {of}: the {extreme} measured value stands in")
    return texts
