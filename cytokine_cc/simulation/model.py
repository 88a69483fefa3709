"""From what a scenario file says to the parameters of its components, and what they imply."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import ndtr

from .cohort import Cohort
from .reading import Contents


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
    parts |= _effects(found)
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
    variances = _variances(found, parts)
    group = _group(found, variances)
    if group.any():
        parts["group"] = {"log_ratio": group[:, None]}
    return Model(
        n_case=study["cases"],
        n_control=study["controls"],
        visits=visits,
        cohort=found.cohort,
        parts=parts,
        plates=plates,
        limits=_limits(found, variances, plates, parts),
        missing=_missing(found, variances),
        group=group,
        change=change,
        variances=variances,
    )


def _or_zero(amounts: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(amounts), 0.0, amounts)


def _log(amounts: np.ndarray | None, m: int) -> np.ndarray:
    return np.zeros((m, 1)) if amounts is None else _or_zero(np.log(amounts))


def _effects(found: Contents) -> dict[str, dict[str, Any]]:
    """Sets and covariates; a covariate is centred at its mean in the cohort, so that `mean` stays the mean."""
    parts: dict[str, dict[str, Any]] = {}
    if "set_effect" in found.tables:
        parts["set_effect"] = {"log_sd": _or_zero(found.tables["set_effect"]["log_sd"])}
    terms = []
    for name, effect in found.effects.items():
        p = found.cohort.covariates[name] if found.cohort else {}
        level = None if effect["level"] is None else p["levels"].index(effect["level"])
        centre = p["mean"] if level is None else float(p["shares"][level])
        terms.append((name, _or_zero(np.log(effect["ratio"])) / effect["per"], centre, level))
    if terms:
        parts["covariate_effect"] = {"terms": terms}
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


def _variances(found: Contents, parts: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    variances = {"person": found.columns["log_sd"][:, 0] ** 2}
    for name in ("set_effect", "plates", "well"):
        if name in parts:
            variances[name] = parts[name]["log_sd"][:, 0] ** 2
    if "covariate_effect" in parts:
        total = np.zeros(len(found.analytes))
        for name, log_ratio, centre, level in parts["covariate_effect"]["terms"]:
            p = found.cohort.covariates[name] if found.cohort else {}
            spread = p["sd"] ** 2 if level is None else centre * (1 - centre)
            total += log_ratio[:, 0] ** 2 * spread
        variances["covariate_effect"] = total
    return variances


def _group(found: Contents, variances: Mapping[str, np.ndarray]) -> np.ndarray:
    """True log ratio; an odds ratio per doubling is ln(2) times the log ratio over the variance within sets."""
    table, m = found.tables.get("group"), len(found.analytes)
    if table is None:
        return np.zeros(m)
    total = _log(table["ratio"], m)[:, 0]
    if table["sd_units"] is not None:
        total = total + _or_zero(table["sd_units"])[:, 0] * found.columns["log_sd"][:, 0]
    if table["odds_ratio"] is not None:
        within = sum(variance for name, variance in variances.items() if name != "set_effect")
        total = total + _log(table["odds_ratio"], m)[:, 0] * within / np.log(2)
    return total


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
    found: Contents, variances: Mapping[str, np.ndarray], plates: Mapping[str, Any] | None, parts: Mapping[str, Any]
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
    mean, total = np.log(columns["mean"][:, 0]), sum(variances.values())
    tail = parts.get("tail")

    def where(share: np.ndarray, log_factors: np.ndarray, sd: np.ndarray) -> np.ndarray:
        return _quantile(share[:, 0], mean, sd, log_factors, weights, tail)[:, None]

    lower = where(columns["below"], log_factors, np.sqrt(total + between**2))
    upper = where(1 - columns["above"], np.zeros_like(log_factors), np.sqrt(total))
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
    log_factors: np.ndarray,
    weights: np.ndarray,
    tail: Mapping[str, Any] | None,
) -> np.ndarray:
    """Return the log limit under which a share of controls lies, by bisection; NaN where there is no share or it is 0."""
    low, high = mean - 40 * sd, mean + 40 * sd
    for _ in range(100):
        middle = (low + high) / 2
        z = middle[:, None] + log_factors - mean[:, None]
        below = (ndtr(z / sd[:, None]) * weights).sum(axis=-1)
        if tail is not None:
            other = (ndtr((z - tail["log_factor"]) / sd[:, None]) * weights).sum(axis=-1)
            below = (1 - tail["share"]) * below + tail["share"] * other
        with np.errstate(invalid="ignore"):
            low, high = np.where(below < share, middle, low), np.where(below < share, high, middle)
    return np.where((share > 0) & (share < 1), (low + high) / 2, np.nan)


def _missing(found: Contents, variances: Mapping[str, np.ndarray]) -> dict[str, Any] | None:
    table = found.tables.get("missing")
    if table is None or not (table["samples"] or table["values"]):
        return None
    driver = None if table["driver"] is None else found.analytes.index(table["driver"])
    at = 0 if driver is None else driver
    return {
        **{key: table[key] for key in ("samples", "values", "correlation")},
        "driver": driver,
        "centre": float(np.log(found.columns["mean"][at, 0])),
        "spread": float(np.sqrt(sum(variances.values())[at])),  # type: ignore[index]
    }
