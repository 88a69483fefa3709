"""From what a scenario file says to the parameters of its components, and what they imply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from .cohort import SLICE_VALUES, Cohort, Subjects, draw_subjects
from .contents import Contents
from .streams import Streams

_CONTROLS = 8_000  # drawn once to learn which covariates those who are chosen have


@dataclass(frozen=True, eq=False)
class Model:
    """A scenario as numbers.

    Attributes
    ----------
    n_case, n_control : int
    visits : tuple of str
    cohort : Cohort or None
    parts : dict
        Component -> parameters, as `components.COMPONENTS` take them.
    plates, limits, missing : dict or None
        Parameters of `observation`.
    group : ndarray, shape (analytes,)
        True log ratio, case / control.
    change : dict of ndarray, shape (later visits, analytes)
        True log change of "case" and "control".
    variances : dict of ndarray, shape (analytes,)
        Of the log level of controls at baseline, by what they stem from.
    within : ndarray, shape (analytes,)
        Variance of the log level within sets, or within groups where there are none.
    """

    n_case: int
    n_control: int
    visits: tuple[str, ...]
    cohort: Cohort | None
    parts: Mapping[str, Mapping[str, Any]]
    plates: Mapping[str, Any] | None
    limits: Mapping[str, Any] | None
    missing: Mapping[str, Any] | None
    group: np.ndarray
    change: Mapping[str, np.ndarray]
    variances: Mapping[str, np.ndarray]
    within: np.ndarray

    @property
    def values_per_study(self) -> int:
        """Numbers held at once for one study: those of its cohort while that is drawn, then its levels, whichever are more."""
        levels = len(self.visits) * len(self.group) * (self.n_case + self.n_control)
        return max(levels, self.cohort.values(len(self.visits)) if self.cohort else 0)


def model_of(found: Contents) -> Model:
    """Work out the parameters of all components.

    Parameters
    ----------
    found : Contents

    Returns
    -------
    Model
    """
    study, m = found.tables["study"], len(found.analytes)
    visits = study["visits"]
    plates = _plates(found)
    log_sd, icc = found.columns["log_sd"], found.columns["icc"]
    parts: dict[str, dict[str, Any]] = {"mean": {"log_mean": np.log(found.columns["mean"])}}
    loadings = found.tables["factors"]["matrix"] if "factors" in found.tables else np.zeros((m, 0))
    unique = np.maximum(1 - (loadings**2).sum(axis=1, keepdims=True), 0.0)
    unique[unique < 1e-12] = 0.0
    kept, passing = log_sd * np.sqrt(icc), log_sd * np.sqrt(1 - icc)
    covariates = _covariates(found)
    parts |= _effects(found, covariates)
    if (kept * unique).any():
        parts["subject"] = {"log_sd": kept * np.sqrt(unique)}
    if (passing * unique).any():
        parts["visit"] = {"log_sd": passing * np.sqrt(unique)}
    if loadings.any():
        parts["factors"] = {"kept": kept * loadings, "passing": passing * loadings}
        shift = found.tables["factors"]["case_shift"]
        if shift is not None:
            parts["factor_shift"] = {"log_shift": log_sd * (loadings * shift).sum(axis=1, keepdims=True)}
    change = _changes(found, parts)
    if plates is not None and plates["log_sd"].any():
        parts["plates"] = {"log_sd": plates["log_sd"], "n": plates["n"]}
    if "well" in found.tables:
        parts["well"] = {"log_sd": np.sqrt(np.log1p(_or_zero(found.tables["well"]["cv"]) ** 2))}
    if "tail" in found.tables:
        tail = found.tables["tail"]
        parts["tail"] = {"share": tail["share"], "log_factor": np.log(tail["factor"]), "n_analytes": m}
    variances = _variances(found, parts, covariates)
    within = covariates["within"] + _sum(variances, "set_effect", "covariate_effect")
    group = _group(found, within)
    if group.any():
        parts["group"] = {"log_ratio": group[:, None]}
    return Model(
        n_case=study["cases"],
        n_control=study["controls"],
        visits=visits,
        cohort=found.cohort,
        parts=parts,
        plates=plates,
        limits=_limits(found, variances, plates, parts, covariates),
        missing=_missing(found, variances, group, change, parts, covariates),
        group=group,
        change=change,
        variances=variances,
        within=within,
    )


def _or_zero(amounts: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(amounts), 0.0, amounts)


def _log(amounts: np.ndarray | None, m: int) -> np.ndarray:
    return np.zeros((m, 1)) if amounts is None else _or_zero(np.log(amounts))


def _covariates(found: Contents) -> dict[str, Any]:
    """Learn from a sample what covariates do to those who are chosen, who differ from the cohort by risk and matching.

    Covariates are centred at their mean in controls, so that `mean` is theirs: `terms`; the log effect on `controls` (analytes,
    persons), its mean in cases (`shift`) and its variance `within` groups, or within sets where there are any.
    """
    m = len(found.analytes)
    if not found.effects or found.cohort is None:
        return {"terms": [], "controls": np.zeros((m, 1)), "shift": np.zeros(m), "within": np.zeros(m)}
    subjects, drawn = _sample(found, found.cohort)
    terms, total = [], np.zeros((m, *drawn[next(iter(found.effects))].shape))
    for name, effect in found.effects.items():
        level = None if effect["level"] is None else found.cohort.covariates[name]["levels"].index(effect["level"])
        x = drawn[name]
        x = x if level is None else (x == level).astype(float)
        centre = float(x[:, ~subjects.case].mean())
        log_ratio = _or_zero(np.log(effect["ratio"])) / effect["per"]
        terms.append((name, log_ratio, centre, level))
        total += log_ratio[:, :, None] * (x - centre)
    case, control = total[..., subjects.case], total[..., ~subjects.case]
    if subjects.set_number is None:
        n = [case.shape[-1], control.shape[-1]]
        within = np.average([case.var(axis=(1, 2)), control.var(axis=(1, 2))], axis=0, weights=n)
    else:
        others = control.reshape(*case.shape, -1)
        within = (case - others.mean(axis=-1)).var(axis=(1, 2)) / (1 + 1 / others.shape[-1])
    return {"terms": terms, "controls": control.reshape(m, -1), "shift": case.mean(axis=(1, 2)), "within": within}


def _sample(found: Contents, cohort: Cohort) -> tuple[Subjects, dict[str, np.ndarray]]:
    """Draw studies, a few cohorts at a time; return subjects of the last, and covariates that act, of all (studies, subjects)."""
    study = found.tables["study"]
    n_visits, n = len(study["visits"]), -(-_CONTROLS // study["controls"])
    step = max(1, SLICE_VALUES // cohort.values(n_visits))
    drawn = []
    for start in range(0, n, step):
        rng = Streams(0, range(start, min(n, start + step)), branch=1)
        drawn.append(draw_subjects(rng, study["cases"], study["controls"], n_visits, cohort))
    return drawn[-1], {name: np.concatenate([own.covariates[name] for own in drawn]) for name in found.effects}


def _effects(found: Contents, covariates: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Sets and covariates."""
    parts: dict[str, dict[str, Any]] = {}
    if "set_effect" in found.tables:
        parts["set_effect"] = {"log_sd": _or_zero(found.tables["set_effect"]["log_sd"])}
    if covariates["terms"]:
        parts["covariate_effect"] = {"terms": covariates["terms"]}
    return parts


def _changes(found: Contents, parts: dict[str, dict[str, Any]]) -> dict[str, np.ndarray]:
    """Log changes by group, shape (later visits, analytes); the component's parameters with them."""
    visits, m = found.tables["study"]["visits"], len(found.analytes)
    later = visits[1:]
    table = found.tables.get("change")
    if table is None:
        return {role: np.zeros((len(later), m)) for role in ("case", "control")}
    reached = np.array([table["reached"].get(visit, 1.0) for visit in later])
    own = {role: _log(table[role], m) + _log(table["both"], m) for role in ("case", "control")}
    found_change = {role: reached[:, None] * log_ratio[:, 0] for role, log_ratio in own.items()}
    steps = np.concatenate([[0.0], reached])
    parts["change"] = {
        **{role: steps[:, None, None] * log_ratio for role, log_ratio in own.items()},
        "log_sd": np.zeros((m, 1)) if table["log_sd"] is None else _or_zero(table["log_sd"]),
        "reached": steps,
    }
    return found_change


def _variances(found: Contents, parts: Mapping[str, Mapping[str, Any]], covariates: Mapping[str, Any]) -> dict[str, np.ndarray]:
    variances = {"person": found.columns["log_sd"][:, 0] ** 2}
    for name in ("set_effect", "plates", "well"):
        if name in parts:
            variances[name] = parts[name]["log_sd"][:, 0] ** 2
    if covariates["terms"]:
        variances["covariate_effect"] = covariates["controls"].var(axis=-1)
    return variances


def _group(found: Contents, within: np.ndarray) -> np.ndarray:
    """True log ratio; an odds ratio per doubling is ln(2) times the log ratio over the variance within sets."""
    table, m = found.tables.get("group"), len(found.analytes)
    if table is None:
        return np.zeros(m)
    total = _log(table["ratio"], m)[:, 0]
    if table["sd_units"] is not None:
        total = total + _or_zero(table["sd_units"])[:, 0] * found.columns["log_sd"][:, 0]
    if table["odds_ratio"] is not None:
        total = total + _log(table["odds_ratio"], m)[:, 0] * within / np.log(2)
    return total


def _sum(variances: Mapping[str, np.ndarray], *without: str) -> np.ndarray:
    return np.sum([variance for name, variance in variances.items() if name not in without], axis=0)


def _plates(found: Contents) -> dict[str, Any] | None:
    table, study = found.tables.get("plates"), found.tables["study"]
    if table is None:
        return None
    out = {"n": table["n"], "samples": table["samples"], "log_sd": _or_zero(table["log_sd"])}
    for role, count in (("case", study["cases"]), ("control", study["controls"])):
        shares = table[f"{role}_shares"]
        shares = np.full(table["n"], 1 / table["n"]) if shares is None else shares
        # The first k plates together hold the nearest whole number to their share.
        edges = np.round(np.cumsum(shares) * count + 1e-9).astype(int)
        out[f"{role}_counts"] = np.diff(np.concatenate([[0], edges]))
    return out


def _limits(
    found: Contents,
    variances: Mapping[str, np.ndarray],
    plates: Mapping[str, Any] | None,
    parts: Mapping[str, Any],
    covariates: Mapping[str, Any],
) -> dict[str, Any] | None:
    columns = found.columns
    given = [columns[key] for key in ("below", "above", "lower_limit", "upper_limit")]
    if all(np.isnan(column).all() for column in given):
        return None
    table = found.tables.get("limits", {})
    factors = table.get("plate_factors")
    log_factors = np.zeros(plates["n"] if plates else 1) if factors is None else np.log(factors)
    weights = plates["control_counts"] / plates["control_counts"].sum() if plates else np.ones(1)
    between = table.get("plate_log_sd") or 0.0
    mean, total = np.log(columns["mean"][:, 0]), _sum(variances, "covariate_effect")
    # Covariates need not be normal: a hundred controls stand for all.
    own = np.zeros((1, 1))
    if covariates["terms"]:
        own = np.quantile(covariates["controls"], (np.arange(100) + 0.5) / 100, axis=-1).T

    def where(share: np.ndarray, log_factors: np.ndarray, variance: np.ndarray) -> np.ndarray:
        shifts = (log_factors - own[:, :, None]).reshape(len(own), -1)
        chances = np.tile(weights / own.shape[-1], own.shape[-1])
        return _quantile(share[:, 0], mean, np.sqrt(variance)[:, None], shifts, chances, parts.get("tail"))[:, None]

    lower = where(columns["below"], log_factors, total + between**2)
    upper = where(1 - columns["above"], np.zeros_like(log_factors), total)
    return {
        "log_lower": np.where(np.isnan(columns["lower_limit"]), lower, np.log(columns["lower_limit"])),
        "log_factors": log_factors,
        "plate_log_sd": between,
        "upper": np.where(np.isnan(columns["upper_limit"]), np.exp(upper), columns["upper_limit"]),
        "extrapolated": table.get("extrapolated") or 0.0,
    }


def _quantile(
    share: np.ndarray,
    mean: np.ndarray,
    sd: np.ndarray,
    shifts: np.ndarray,
    weights: np.ndarray,
    tail: Mapping[str, Any] | None,
) -> np.ndarray:
    """Return the limit under which a share of values lies, by bisection; NaN where there is no share or it is 0.

    The values are a mixture, over the last axis, of normal ones around `mean`, to which the limit is shifted.
    """
    edge = 40 * sd.max(axis=-1)
    low, high = mean - edge, mean + edge
    for _ in range(100):
        middle = (low + high) / 2
        z = middle[:, None] + shifts - mean[:, None]
        below = (ndtr(z / sd) * weights).sum(axis=-1)
        if tail is not None:
            other = (ndtr((z - tail["log_factor"]) / sd) * weights).sum(axis=-1)
            below = (1 - tail["share"]) * below + tail["share"] * other
        with np.errstate(invalid="ignore"):
            low, high = np.where(below < share, middle, low), np.where(below < share, high, middle)
    return np.where((share > 0) & (share < 1), (low + high) / 2, np.nan)


def _missing(
    found: Contents,
    variances: Mapping[str, np.ndarray],
    group: np.ndarray,
    change: Mapping[str, np.ndarray],
    parts: Mapping[str, Any],
    covariates: Mapping[str, Any],
) -> dict[str, Any] | None:
    table = found.tables.get("missing")
    if table is None or not (table["samples"] or table["values"]):
        return None
    driver = None if table["driver"] is None else found.analytes.index(table["driver"])
    at = 0 if driver is None else driver
    shift = group[at] + covariates["shift"][at]
    if "factor_shift" in parts:
        shift = shift + parts["factor_shift"]["log_shift"][at, 0]
    spread = float(np.sqrt(_sum(variances)[at]))
    means = np.stack([shift + change["case"][:, at], change["control"][:, at]]) / spread
    own = np.zeros(means.shape[-1])
    if "change" in parts:
        own = (parts["change"]["log_sd"][at, 0] * parts["change"]["reached"][1:] / spread) ** 2
    tail = parts.get("tail")
    return {
        **{key: table[key] for key in ("samples", "values", "correlation")},
        "driver": driver,
        "centre": float(np.log(found.columns["mean"][at, 0])),
        "spread": spread,
        "bound": _bound(found, means, own, None if tail is None else {**tail, "log_factor": tail["log_factor"] / spread}),
    }


def _bound(found: Contents, means: np.ndarray, own: np.ndarray, tail: Mapping[str, Any] | None) -> float:
    """Return the score under which the stated share of later samples lies, over cases and controls and all later visits.

    `means` (group, later visits) of the driver's level, standardised as at baseline; `own` its further variance at each visit.
    """
    table, study = found.tables["missing"], found.tables["study"]
    if not own.size:
        return np.nan
    r = 0.0 if table["driver"] is None else table["correlation"]
    tail = None if tail is None else {**tail, "log_factor": r * tail["log_factor"]}
    weights = np.repeat([study["cases"], study["controls"]], own.size) / ((study["cases"] + study["controls"]) * own.size)
    sd = np.sqrt(1 + r * r * np.tile(own, len(means)))
    return float(_quantile(np.array([table["samples"]]), np.zeros(1), sd, -r * means.reshape(-1), weights, tail)[0])
