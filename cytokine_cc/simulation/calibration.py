"""Do the studies that a scenario draws have the properties that its file states? Every figure with its Monte Carlo error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations

import numpy as np
import pandas as pd

from ..errors import whole_number
from .contents import Contents
from .realised import GROUPS, amounts, log_ratios, measure, reached, tail_of, well_variance
from .scenario import Scenario

_BLOCK = 20  # studies drawn at once: enough to be fast, few enough for memory
_EXACT = 1e-9  # what does not vary between draws must be as the file says but for rounding


def calibrate(scenario: Scenario, n_sim: int = 200, seed: int = 1) -> pd.DataFrame:
    """Compare what a scenario file states with what its studies show on average.

    Levels are measured before limits and losses. The part of covariates is taken off as the file states it; so are the variances
    of wells, plates, sets, changes and the tail from variances and covariances between persons. What is left is the person's
    part, of which the file states log-SD, ICC and correlations; those of what a laboratory reports are others.

    Parameters
    ----------
    scenario : Scenario
    n_sim : int
        Number of studies to draw.
    seed : int

    Returns
    -------
    DataFrame
        - quantity: "geometric mean" (in the unit; a tail raises it), "group effect" and "change" (natural log ratios; the effect
          with what a shift of shared factors adds), "log odds ratio" (per doubling, within sets where there are any),
          "covariate effect", "log-SD", "ICC", "correlation" ("correlation, none": where the file states none; of all visits,
          groups pooled), "set log-SD", "plate log-SD", "log-SD of limits", "limits between plates" (log ratios), "share below",
          "share above", "share flagged", "values missing", "samples missing"
        - analyte (two for a correlation), visit (two for an ICC; a covariate; plates), group
        - file: what it states, or implies; realised: from estimates without bias, averaged over the studies (SDs, ICC and
          correlations of averaged variances and covariances); mcse: Monte Carlo standard error
        - z: the difference in standard errors; 0 where both are equal and nothing varies

    Raises
    ------
    OptionError
        `n_sim` below 2, or a seed that is no whole number.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc.simulation.calibration import calibrate
    >>> table = calibrate(cc.load_scenario("null"), n_sim=200, seed=1)
    >>> bool((table["z"].abs() < 4.5).all())
    True
    """
    n_sim = whole_number("n_sim", n_sim, least=2)
    blocks = [range(start, min(start + _BLOCK, n_sim)) for start in range(0, n_sim, _BLOCK)]
    measured = [measure(scenario, seed, block) for block in blocks]
    found = {name: np.concatenate([block[name] for block in measured]) for name in measured[0]}
    tables = [table for part in _PARTS for table in part(scenario._contents, found)]
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def _rows(
    quantity: str,
    labels: Sequence[tuple[str, str, str]],
    file: np.ndarray,
    draws: np.ndarray,
    realised: np.ndarray | None = None,
    *,
    shown_as: str = "",
    least: np.ndarray | float = 0.0,
) -> pd.DataFrame:
    """Make rows of analyte, visit, group.

    `draws` (studies, rows) average to `realised`, or vary as it does; compared as they are, and shown as an "SD" (they are
    variances) or "exp". `least`: the lowest standard error.
    """
    realised = draws.mean(axis=0) if realised is None else realised
    error = np.maximum(draws.std(axis=0, ddof=1) / np.sqrt(len(draws)), least)
    difference = realised - file
    exact = (error < _EXACT) & (np.abs(difference) < _EXACT)
    with np.errstate(divide="ignore"):
        z = np.where(exact, 0.0, difference / np.where(exact, 1.0, error))
    if shown_as == "SD":
        file, realised = np.sqrt(file), np.sqrt(np.maximum(realised, 0.0))
        error = np.where(realised > 0, error / np.maximum(2 * realised, 1e-300), np.sqrt(error))
    elif shown_as == "exp":
        file, realised = np.exp(file), np.exp(realised)
        error = error * realised
    table = pd.DataFrame(list(labels), columns=["analyte", "visit", "group"], dtype=object)
    table.insert(0, "quantity", quantity)
    return table.assign(file=file, realised=realised, mcse=error, z=z)


def _besides(found: Contents, same_plate: np.ndarray, same_set: np.ndarray) -> np.ndarray:
    """Return covariances between visits that are not the person's, as an estimate within a group sees them.

    A sample's covariance has as its mean that of one subject less that of two: the chances that two subjects of a group share a
    plate or a set take their part off.
    """
    shape = (len(GROUPS), len(found.analytes), len(reached(found)), len(reached(found)))
    once, always = np.eye(shape[-1]), np.ones(shape[-2:])
    share, log_factor = tail_of(found)
    plates = found.tables.get("plates", {})
    held = always if plates.get("samples") == "together" else once
    out = np.zeros(shape)
    out += (well_variance(found) + share * (1 - share) * log_factor**2)[:, None, None] * once
    out += amounts(found, "change", "log_sd")[:, None, None] ** 2 * np.outer(reached(found), reached(found))
    out += (1 - same_set)[:, None, None, None] * amounts(found, "set_effect", "log_sd")[:, None, None] ** 2 * always
    if plates:
        out += (1 - same_plate)[:, None, None, None] * amounts(found, "plates", "log_sd")[:, None, None] ** 2 * held
    return out


Shown = Mapping[str, np.ndarray]
Rows = Iterator[pd.DataFrame]


def _labels(file: Contents, visit: str = "", group: str = "", keep: np.ndarray | None = None) -> list[tuple[str, str, str]]:
    names = file.analytes if keep is None else [name for name, kept in zip(file.analytes, keep, strict=True) if kept]
    return [(name, visit, group) for name in names]


def _means(file: Contents, shown: Shown) -> Rows:
    """Geometric means of controls, with the tail; differences of the groups, with the shift of factors by handling."""
    baseline, log_sd = file.tables["study"]["visits"][0], file.columns["log_sd"][:, 0]
    share, log_factor = tail_of(file)
    own = np.log(file.columns["mean"][:, 0]) + share * log_factor
    yield _rows("geometric mean", _labels(file, baseline, "control"), own, shown["geometric"], shown_as="exp")
    effect = log_ratios(file, "group", "ratio") + amounts(file, "group", "sd_units") * log_sd + _handling(file)
    keep = log_ratios(file, "group", "odds_ratio") == 0
    difference = shown["mean"][:, 0, 0] - shown["mean"][:, 1, 0]
    yield _rows("group effect", _labels(file, baseline, "", keep), effect[keep], difference[:, keep])


def _handling(file: Contents) -> np.ndarray:
    """Shift of cases by that of the shared factors."""
    factors = file.tables.get("factors", {})
    if factors.get("case_shift") is None:
        return np.zeros(len(file.analytes))
    return file.columns["log_sd"][:, 0] * (factors["matrix"] @ factors["case_shift"])


def _changes(file: Contents, shown: Shown) -> Rows:
    for g, group in enumerate(GROUPS):
        own = log_ratios(file, "change", group) + log_ratios(file, "change", "both")
        for v, visit in enumerate(file.tables["study"]["visits"][1:], start=1):
            change = shown["mean"][:, g, v] - shown["mean"][:, g, 0]
            yield _rows("change", _labels(file, visit, group), reached(file)[v] * own, change)


def _spreads(file: Contents, shown: Shown) -> Rows:
    rest, log_sd = _besides(file, *shown["together"][0]), file.columns["log_sd"][:, 0]
    for g, group in enumerate(GROUPS):
        for v, visit in enumerate(file.tables["study"]["visits"]):
            draws = shown["covariance"][:, g, :, v, v] - rest[g, :, v, v]
            yield _rows("log-SD", _labels(file, visit, group), log_sd**2, draws, shown_as="SD")


def _of_persons(file: Contents, shown: Shown) -> tuple[np.ndarray, np.ndarray]:
    """Covariances between visits, groups pooled: of each study as it is, and the person's part of their average."""
    free = np.array([file.tables["study"][f"{group}s"] - 1 for group in GROUPS])
    pooled = np.tensordot(free / free.sum(), shown["covariance"], axes=(0, 1))
    rest = np.tensordot(free / free.sum(), _besides(file, *shown["together"][0]), axes=1)
    return pooled, pooled.mean(axis=0) - rest


def _kept(file: Contents, shown: Shown) -> Rows:
    pooled, person = _of_persons(file, shown)
    icc = file.columns["icc"][:, 0]
    for (v, first), (w, second) in combinations(enumerate(file.tables["study"]["visits"]), 2):
        scale = np.sqrt(person[:, v, v] * person[:, w, w])
        half = pooled[..., v, v] / person[:, v, v] + pooled[..., w, w] / person[:, w, w]
        draws = pooled[..., v, w] / scale - icc / 2 * half
        yield _rows("ICC", _labels(file, f"{first}, {second}"), icc, draws, person[:, v, w] / scale)


def _correlations(file: Contents, shown: Shown) -> Rows:
    """Person's part, groups and visits pooled; what passes and what stays correlate by the same loadings, each by its SD."""
    pooled, person = _of_persons(file, shown)
    pooled, person = (np.diagonal(own, axis1=-2, axis2=-1).mean(axis=-1) for own in (pooled, person))
    a, b = np.triu_indices(len(file.analytes), 1)
    loadings = file.tables["factors"]["matrix"] if "factors" in file.tables else np.zeros((len(file.analytes), 1))
    icc = file.columns["icc"][:, 0]
    shares = np.sqrt(icc[a] * icc[b]) + np.sqrt((1 - icc[a]) * (1 - icc[b]))
    stated = shares * (loadings @ loadings.T)[a, b]
    scale = np.sqrt(person[a] * person[b])
    between = shown["between"][:, a, b] / scale
    draws = between - stated / 2 * (pooled[:, a] / person[a] + pooled[:, b] / person[b])
    for quantity, keep in (("correlation", stated != 0), ("correlation, none", stated == 0)):
        labels = [(f"{file.analytes[i]} / {file.analytes[j]}", "", "") for i, j in zip(a[keep], b[keep], strict=True)]
        yield _rows(quantity, labels, stated[keep], draws[:, keep], between[:, keep].mean(axis=0))


def _sets_and_plates(file: Contents, shown: Shown) -> Rows:
    for quantity, table in (("set", "set_effect"), ("plate", "plates")):
        if table in shown:
            stated, labels = amounts(file, table, "log_sd"), _labels(file, file.tables["study"]["visits"][0])
            yield _rows(f"{quantity} log-SD", labels, stated**2, shown[table], shown_as="SD")


def _odds(file: Contents, shown: Shown) -> Rows:
    """Log odds ratio per doubling: for normal levels the difference over the variance within sets, of all but the tail."""
    stated = log_ratios(file, "group", "odds_ratio")
    keep = stated != 0
    n = np.array([file.tables["study"][f"{group}s"] for group in GROUPS])
    in_sets = "set_effect" in shown
    weights = n[::-1] / n.sum() if in_sets else (n - 1) / (n.sum() - 2)
    share, log_factor = tail_of(file)
    lost = shown["together"][0][0] @ weights * amounts(file, "plates", "log_sd") ** 2
    within = shown["within"] + lost - share * (1 - share) * log_factor**2
    difference = shown["mean"][:, 0, 0] - shown["mean"][:, 1, 0] - _handling(file)
    v, d = within.mean(axis=0), difference.mean(axis=0)
    draws = np.log(2) * (difference / v - d * within / v**2)
    labels = _labels(file, file.tables["study"]["visits"][0], "", keep)
    yield _rows("log odds ratio", labels, stated[keep], draws[:, keep], np.log(2) * (d / v)[keep])


def _covariates(file: Contents, shown: Shown) -> Rows:
    """Slopes of levels at baseline on all covariates that act on them, within groups, over all studies."""
    if "xx" not in shown:
        return
    per = np.array([[effect["per"]] for effect in file.effects.values()])
    stated = np.stack([np.nan_to_num(np.log(effect["ratio"][:, 0])) for effect in file.effects.values()])
    inverse = np.linalg.inv(shown["xx"].mean(axis=0))
    draws = per * (inverse @ (shown["xy"] - shown["xx"] @ (stated / per)))
    realised = per * (inverse @ shown["xy"].mean(axis=0))
    for i, name in enumerate(file.effects):
        yield _rows("covariate effect", _labels(file, name), stated[i], draws[:, i], realised[i])


def _limits(file: Contents, shown: Shown) -> Rows:
    if "limits" not in shown or "limits" not in file.tables:
        return
    table, used = file.tables["limits"], shown["used"][0]
    factors = table.get("plate_factors")
    logs = np.zeros(file.tables["plates"]["n"]) if factors is None else np.log(factors)
    keep = np.asarray(~np.isnan(shown["limits"]).any(axis=(0, 2)))
    limits = shown["limits"][:, keep] - logs[used]
    if len(used) > 1:
        stated = np.full(keep.sum(), (table.get("plate_log_sd") or 0.0) ** 2)
        yield _rows("log-SD of limits", _labels(file, keep=keep), stated, limits.var(axis=-1, ddof=1), shown_as="SD")
    for k in range(1, len(used) if factors is not None else 0):
        stated = np.full(keep.sum(), logs[used[k]] - logs[used[0]])
        labels = _labels(file, f"plate {used[k] + 1} / {used[0] + 1}", keep=keep)
        yield _rows("limits between plates", labels, stated, limits[..., k] - limits[..., 0] + stated)


def _shares(file: Contents, shown: Shown) -> Rows:
    m, study = len(file.analytes), file.tables["study"]
    flagged = np.full(m, file.tables.get("limits", {}).get("extrapolated") or 0.0)
    lost = file.tables.get("missing", {"values": 0.0, "samples": 0.0})
    for side, limit in (("below", "lower_limit"), ("above", "upper_limit")):
        keep = ~np.isnan(file.columns[side][:, 0]) | ~np.isnan(file.columns[limit][:, 0])
        labels = _labels(file, study["visits"][0], "control", keep)
        yield _share(f"share {side}", labels, *(shown[name][:, keep] for name in (f"{side} expected", side, "reported")))
    keep = np.asarray(shown["low"].any(axis=0))
    labels = _labels(file, keep=keep)
    yield _share("share flagged", labels, (flagged * shown["low"])[:, keep], shown["flagged"][:, keep], shown["low"][:, keep])
    yield _share("values missing", _labels(file), lost["values"] * shown["cells"], shown["gone"], shown["cells"])
    if len(study["visits"]) > 1:
        later = shown["later"][:, None]
        yield _share("samples missing", [("", "", "")], lost["samples"] * later, shown["absent"][:, None], later)


def _share(
    quantity: str, labels: list[tuple[str, str, str]], expected: np.ndarray, count: np.ndarray, of: np.ndarray
) -> pd.DataFrame:
    """Compare shares; the error is at least that of independent values, which a rare thing need not show."""
    total = of.sum(axis=0)
    stated = expected.sum(axis=0) / total
    least = np.sqrt(stated * (1 - stated) / total)
    return _rows(quantity, labels, stated, (count - expected) / of.mean(axis=0), count.sum(axis=0) / total, least=least)


# In the order of the table.
_PARTS = (
    _means,
    _changes,
    _odds,
    _covariates,
    _spreads,
    _kept,
    _correlations,
    _sets_and_plates,
    _limits,
    _shares,
)
