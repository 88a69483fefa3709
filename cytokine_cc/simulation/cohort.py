"""From a cohort to cases and controls: covariates, scores, who becomes a case, who is chosen beside them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import OptionError
from ..matching import assign_controls
from .streams import Streams

SLICE_VALUES = 2_000_000  # numbers of a cohort held at once while a scenario learns about itself
_WHILE_DRAWN = 10  # numbers a person that are held while cases and controls are chosen


@dataclass(frozen=True, eq=False)
class Subjects:
    """Cases, then controls, of many replicates; visits in order, the baseline first.

    Attributes
    ----------
    case : ndarray of bool, shape (subjects,)
    n_visits : int
    set_number : ndarray of int, shape (subjects,), or None
        The matched set; control m of case i stands at n_case + m + i * ratio.
    person : ndarray of int, shape (replicates, subjects)
        Number in the cohort.
    covariates : dict of ndarray, shape (replicates, subjects)
        Numbers, or positions among the levels.
    scores : dict of ndarray, shape (replicates, visits, subjects)
    plate : ndarray of int, shape (replicates, visits or 1, subjects), or None
    """

    case: np.ndarray
    n_visits: int
    set_number: np.ndarray | None = None
    person: np.ndarray = field(default_factory=lambda: np.empty(0))
    covariates: Mapping[str, np.ndarray] = field(default_factory=dict)
    scores: Mapping[str, np.ndarray] = field(default_factory=dict)
    plate: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Cohort:
    """Persons from whom cases and controls are chosen, as a scenario file describes them.

    Attributes
    ----------
    size : int
    covariates, scores : dict of dict
        Parameters by name.
    cases, matching : dict
        Tables of the same names; `matching` may be None.
    """

    size: int
    covariates: Mapping[str, Mapping[str, Any]]
    scores: Mapping[str, Mapping[str, Any]]
    cases: Mapping[str, Any]
    matching: Mapping[str, Any] | None

    def values(self, n_visits: int) -> int:
        """Numbers held at once while one cohort is drawn."""
        return self.size * (len(self.covariates) + len(self.scores) * n_visits + 3 * n_visits + _WHILE_DRAWN)


def draw_covariate(rng: Streams, n: int, p: Mapping[str, Any]) -> np.ndarray:
    """Draw one covariate for n persons.

    Parameters
    ----------
    rng : Streams
    n : int
    p : mapping
        mean, sd, min, max, step; or levels, shares.

    Returns
    -------
    ndarray, shape (replicates, n)
        Numbers, or positions among the levels.
    """
    if "levels" in p:
        return np.searchsorted(np.cumsum(p["shares"])[:-1], rng.uniform(n), side="right")
    return on_grid(p["mean"] + p["sd"] * rng.normal(n), p)


def on_grid(x: np.ndarray, p: Mapping[str, Any]) -> np.ndarray:
    """Bring numbers into the range and onto the grid of a covariate or score."""
    if p["min"] is not None or p["max"] is not None:
        x = np.clip(x, p["min"], p["max"])
    return x if p["step"] is None else np.round(np.round(x / p["step"]) * p["step"], 6)


def draw_scores(rng: Streams, n_visits: int, risk: np.ndarray, scores: Mapping[str, Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Draw pain and function scores at each visit; their rises share one factor, which the risk shifts.

    Parameters
    ----------
    rng : Streams
    n_visits : int
    risk : ndarray, shape (replicates, n)
    scores : mapping of mapping
        mean, sd, icc, rise, rise_sd, shared, min, max, step.

    Returns
    -------
    dict of ndarray, shape (replicates, n_visits, n)
    """
    n = risk.shape[-1]
    common = risk + rng.normal(n)
    later = (np.arange(n_visits) > 0)[:, None]
    found = {}
    for name, p in scores.items():
        person, visit, own = rng.normal(1, n), rng.normal(n_visits, n), rng.normal(n)
        level = p["mean"] + p["sd"] * (np.sqrt(p["icc"]) * person + np.sqrt(1 - p["icc"]) * visit)
        rise = p["rise"] + p["rise_sd"] * (np.sqrt(p["shared"]) * common + np.sqrt(1 - p["shared"]) * own)
        found[name] = on_grid(level + later * rise[:, None, :], p)
    return found


def risk_of(covariates: Mapping[str, np.ndarray], cohort: Cohort, shape: tuple[int, ...]) -> np.ndarray:
    """Add up what the covariates do to the rise in scores."""
    risk = np.zeros(shape)
    for key, shift in cohort.cases["risk"].items():
        name, _, level = key.partition("=")
        p = cohort.covariates[name.strip()]
        x = covariates[name.strip()]
        risk += shift * ((x == p["levels"].index(level.strip())) if level else (x - p["mean"]) / p["sd"])
    return risk


def status_of(rng: Streams, scores: Mapping[str, np.ndarray], cohort: Cohort) -> np.ndarray:
    """Say who is a case.

    Parameters
    ----------
    rng : Streams
        Used where status does not follow from scores.
    scores : mapping of ndarray, shape (replicates, visits, n)
    cohort : Cohort

    Returns
    -------
    ndarray of bool, shape (replicates, n)
    """
    rules = cohort.cases
    if rules["share"] is not None:
        return rng.uniform(cohort.size) < rules["share"]
    slack = 1e-9  # scores lie on a grid, whose multiples are not exact
    signs = [(scores[name][:, 1:] - scores[name][:, :1] >= rise - slack).any(axis=1) for name, rise in rules["rise"].items()]
    signs += [scores[name][:, 0] >= level - slack for name, level in rules["at_least"].items()]
    return np.any(signs, axis=0)


def draw_people(rng: Streams, cohort: Cohort, n_visits: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray], np.ndarray]:
    """Draw the cohort: covariates, scores, and who is a case."""
    covariates = {name: draw_covariate(rng, cohort.size, p) for name, p in cohort.covariates.items()}
    risk = risk_of(covariates, cohort, (len(rng), cohort.size))
    scores = draw_scores(rng, n_visits, risk, cohort.scores)
    return covariates, scores, status_of(rng, scores, cohort)


def draw_subjects(rng: Streams, n_case: int, n_control: int, n_visits: int, cohort: Cohort | None) -> Subjects:
    """Draw cases and controls.

    Parameters
    ----------
    rng : Streams
    n_case, n_control, n_visits : int
    cohort : Cohort or None
        None: they are there without a history.

    Returns
    -------
    Subjects

    Raises
    ------
    OptionError
        A cohort that yields too few of them.
    """
    n = n_case + n_control
    case = np.arange(n) < n_case
    if cohort is None:
        return Subjects(case, n_visits, person=np.broadcast_to(np.arange(n), (len(rng), n)))
    covariates, scores, status = draw_people(rng, cohort, n_visits)
    for what, found, needed in (("cases", status, n_case), ("controls", ~status, n_control)):
        if (few := int(found.sum(axis=-1).min())) < needed:
            raise OptionError(
                f"[study] {what} = {needed}: a cohort of {cohort.size} yielded only {few} here. Enlarge [cohort] size, ask for "
                f"fewer {what}, or change [cases]."
            )
    key = rng.uniform(cohort.size)
    cases = _lowest(np.where(status, key, np.inf), key, n_case)
    numbers = None
    if cohort.matching is None:
        controls = _lowest(np.where(status, np.inf, key), key, n_control)
    elif cohort.matching["kind"] == "sets":
        ratio = n_control // n_case
        controls = choose_sets(covariates, status, cases, ratio, cohort)
        numbers = np.concatenate([np.arange(n_case), np.repeat(np.arange(n_case), ratio)])
    else:
        controls = choose_frequency(strata_of(covariates, cohort), status, cases, key, n_control)
    person = np.concatenate([cases, controls], axis=-1)
    return Subjects(
        case,
        n_visits,
        numbers,
        person,
        {name: np.take_along_axis(x, person, axis=-1) for name, x in covariates.items()},
        {name: np.take_along_axis(x, person[:, None, :], axis=-1) for name, x in scores.items()},
    )


def _lowest(priority: np.ndarray, key: np.ndarray, n: int) -> np.ndarray:
    """Positions of the n lowest, ties by the key."""
    return np.lexsort((key, priority), axis=-1)[..., :n]


def strata_of(covariates: Mapping[str, np.ndarray], cohort: Cohort) -> np.ndarray:
    """Number the combinations of levels and bands that frequency matching tells apart, shape (replicates, n)."""
    matching = cohort.matching or {}
    code: Any = 0
    for name in matching["on"]:
        x = covariates[name]
        own = x if "levels" in cohort.covariates[name] else np.floor(x / matching["bands"][name]).astype(np.int64)
        own = own - own.min()
        code = code * (own.max() + 1) + own
    return code


def choose_frequency(stratum: np.ndarray, status: np.ndarray, cases: np.ndarray, key: np.ndarray, n_control: int) -> np.ndarray:
    """Choose controls whose distribution over strata is as near to that of the cases as whole numbers and controls allow.

    A stratum is a combination of levels and bands. Places go to strata by Webster's divisors (1/2, 3/2, ... over the number of
    cases), within a stratum at random. Where a stratum runs out of controls the next in line fills up, whoever it is. So rare
    levels, whose strata run out first, can be rarer in controls than in cases on average, which without matching they are not: in
    "henry2010" .86 of cases are White, .91 of matched controls, .86 of others. A single study's groups are nearer each other all
    the same (root mean square difference .07 against .10; prior chemotherapy .04 against .16).

    Parameters
    ----------
    stratum : ndarray of int, shape (replicates, n)
    status : ndarray of bool, shape (replicates, n)
        Who is a case, and so no control.
    cases : ndarray of int, shape (replicates, n_case)
    key : ndarray, shape (replicates, n)
        Random numbers.
    n_control : int

    Returns
    -------
    ndarray of int, shape (replicates, n_control)
    """
    # How many cases are in each one's stratum: counted among the cases of all replicates, sorted.
    strata = stratum + (np.arange(len(stratum)) * (int(stratum.max(initial=0)) + 1))[:, None]
    among = np.sort(np.take_along_axis(strata, cases, axis=-1), axis=None)
    like = np.searchsorted(among, strata, side="right") - np.searchsorted(among, strata, side="left")
    # Rank among the controls of the stratum, in random order.
    group = np.where(status, -1, stratum)
    order = np.lexsort((key, group), axis=-1)
    ordered = np.take_along_axis(group, order, axis=-1)
    place = np.broadcast_to(np.arange(group.shape[-1]), group.shape)
    first = np.ones(group.shape, dtype=bool)
    first[:, 1:] = ordered[:, 1:] != ordered[:, :-1]
    rank = np.empty(group.shape)
    np.put_along_axis(rank, order, (place - np.maximum.accumulate(np.where(first, place, 0), axis=-1)).astype(float), axis=-1)
    priority = np.where(status, np.inf, (rank + 0.5) / np.maximum(like, 1e-9))
    return _lowest(priority, key, n_control)


def choose_sets(
    covariates: Mapping[str, np.ndarray], status: np.ndarray, cases: np.ndarray, ratio: int, cohort: Cohort
) -> np.ndarray:
    """Choose the controls of each case so that the sum of squared distances is least; shape (replicates, n_case * ratio).

    Numbers differ by their SDs, levels by 0 or 1. A mismatch where agreement is asked costs more than all distances together.
    """
    matching = cohort.matching or {}
    out = np.empty((len(cases), cases.shape[-1] * ratio), dtype=np.int64)
    for r, own in enumerate(cases):
        others = np.flatnonzero(~status[r])
        cost = np.zeros((len(own), len(others)))
        apart = np.zeros(cost.shape)
        for name in matching["on"]:
            p, x = cohort.covariates[name], covariates[name][r]
            gap = np.abs(x[own][:, None] - x[others])
            gap = (gap > 0).astype(float) if "levels" in p else gap / p["sd"]
            cost += gap**2
            if name in matching["exact"]:
                apart += gap > 0
        if apart.any():
            cost += apart * (out.shape[-1] * cost.max() + 1)
        out[r] = others[assign_controls(cost, ratio)].reshape(-1)
    return out
