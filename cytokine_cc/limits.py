"""What a plan does with values beyond the limits of detection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Response, StudyArrays
from .errors import NonPositiveError
from .panel import State

# rule -> factor of the limit that stands in for a value below it
SUBSTITUTES = {"half": 0.5, "sqrt2": 1 / np.sqrt(2), "limit": 1.0}
RULES = (*SUBSTITUTES, "lowest_rank", "drop", "as_reported", "censored")
SCALES: dict[str, Callable[..., np.ndarray] | None] = {"raw": None, "log2": np.log2, "ln": np.log, "log10": np.log10}
_POWERS: dict[str, Callable[..., np.ndarray]] = {"log2": np.exp2, "ln": np.exp, "log10": lambda z: np.power(10.0, z)}
_LOG_BASE = {"log2": np.log(2.0), "ln": 1.0, "log10": np.log(10.0)}


def back_transform(x: np.ndarray, scale: str) -> np.ndarray:
    """Return values of the analysis scale, or differences of them, in the unit, or as ratios."""
    if scale == "raw":
        return x
    with np.errstate(over="ignore"):
        return _POWERS[scale](x)


def to_scale(x: np.ndarray, scale: str, logged: str | None) -> np.ndarray:
    """Return reported values on the analysis scale; zero and negative numbers give -inf and NaN on a log scale."""
    if logged is not None:
        return x if logged == scale else x * (_LOG_BASE[logged] / _LOG_BASE[scale])
    function = SCALES[scale]
    if function is None:
        return x
    with np.errstate(divide="ignore", invalid="ignore"):
        return function(x)


def respond(arrays: StudyArrays, visits: slice, rows: slice, rule: str, scale: str) -> Response:
    """Put the values of some visits and analytes on the analysis scale, by a rule for those beyond the limits.

    Parameters
    ----------
    arrays : StudyArrays
    visits : slice
        Averaged where there are several: a value beyond a limit among them makes the mean one that is known by a bound.
    rows : slice
        Of analytes.
    rule : str
        One of `RULES`.
    scale : str
        A key of `SCALES`.

    Returns
    -------
    Response
        Arrays of shape (..., rows, subjects).

    Raises
    ------
    NonPositiveError
        A number of 0 or less enters on a log scale.
    """
    cut = (..., visits, rows, slice(None))
    value, state, lower, upper = (array[cut] for array in (arrays.value, arrays.state, arrays.lower, arrays.upper))
    if not state.any():
        value = np.ascontiguousarray(value)
        _check_positive(value, scale, arrays.logged)
        y = to_scale(value, scale, arrays.logged)
        none = np.broadcast_to(False, y.shape)
        response = Response(y, y, y, y, *[none] * 6)
    else:
        fallbacks = arrays.fallback_lower[cut], arrays.fallback_upper[cut]
        response = _enter(value, state, lower, upper, fallbacks, rule, scale, arrays.logged)
    if response.y.shape[-3] == 1:
        return Response(*(array[..., 0, :, :] for array in response))
    return _average(response)


def beyond_limits(value: np.ndarray, state: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flag values below and above a limit: those without a number, and numbers outside limits that are known."""
    number = state == State.EXTRAPOLATED
    with np.errstate(invalid="ignore"):
        return (state == State.BELOW) | (number & (value < lower)), (state == State.ABOVE) | (number & (value > upper))


def _enter(value, state, lower, upper, fallbacks, rule, scale, logged):
    below, above = state == State.BELOW, state == State.ABOVE
    under, over = (flags & ~bare for flags, bare in zip(beyond_limits(value, state, lower, upper), (below, above), strict=True))
    lowest = np.where(np.isnan(lower), fallbacks[0], lower)
    highest = np.where(np.isnan(upper), fallbacks[1], upper)
    borrowed = (below & np.isnan(lower)) | (above & np.isnan(upper))
    number = np.where((state == State.MEASURED) | (state == State.EXTRAPOLATED), value, np.nan)
    if rule in SUBSTITUTES:
        factor = SUBSTITUTES[rule]
        replaced = below | under
        if logged is None:
            number = np.where(replaced, lowest * factor, number)
        else:
            number = np.where(replaced, lowest + np.log(factor) / _LOG_BASE[logged], number)
        number = np.where(above, highest, number)
    elif rule == "drop":
        number = np.where(under, np.nan, np.where(above, highest, number))
    needs_limit = {"drop": above, "as_reported": np.zeros_like(below)}.get(rule, below | above)
    unknown = needs_limit & np.isnan(np.where(below, lowest, highest))
    bound = np.where(needs_limit & ~unknown, np.where(below, lowest, highest), number)
    _check_positive(number, scale, logged)
    _check_positive(bound, scale, logged)
    y = point = low = high = to_scale(np.where(unknown, np.nan, number), scale, logged)
    if rule == "lowest_rank":
        bounded, bound = needs_limit & ~unknown, to_scale(bound, scale, logged)
        y = np.where(bounded, np.where(below, -np.inf, np.inf), y)
        point = np.where(bounded, bound, y)
        low, high = np.minimum(y, point), np.maximum(y, point)
    entered = ~np.isnan(y)
    none = np.broadcast_to(False, y.shape)
    below, above = (below | under) & entered, (above | over) & entered
    return Response(y, point, low, high, below, above, unknown, borrowed & entered, partial=none, stuck=none)


def _check_positive(number: np.ndarray, scale: str, logged: str | None) -> None:
    if scale != "raw" and logged is None:
        with np.errstate(invalid="ignore"):
            bad = number <= 0
        if bad.any():
            raise NonPositiveError(np.argwhere(bad))


def _average(response: Response) -> Response:
    """Average over the visits that are there; what is known of a mean with bounded terms is the mean of the bounds."""
    there = ~np.isnan(response.y)
    n = there.sum(axis=-3)
    with np.errstate(invalid="ignore", divide="ignore"):
        point, low, high = (np.where(there, x, 0.0).sum(axis=-3) / n for x in (response.point, response.low, response.high))
    down, up = np.isneginf(low), np.isposinf(high)
    # One visit below and another above its limit: nothing is known of the mean.
    lost = down & up
    point, low, high = (np.where(lost, np.nan, x) for x in (point, low, high))
    y = np.where(lost, np.nan, np.where(down, -np.inf, np.where(up, np.inf, point)))
    entered = ~np.isnan(y)
    below, above, borrowed = (
        (flag & there).any(axis=-3) & entered for flag in (response.below, response.above, response.borrowed)
    )
    partial = entered & (n < there.shape[-3])
    unknown = np.asarray(response.unknown.any(axis=-3))
    return Response(y, point, low, high, below, above, unknown, borrowed, partial, stuck=np.zeros_like(lost))


def tie_beyond(response: Response, entered: np.ndarray) -> tuple[Response, np.ndarray, np.ndarray]:
    """Tie lowest all that lies under the highest limit among the BELOW values of a row, and highest likewise.

    Parameters
    ----------
    response : Response
        Under the rule "lowest_rank".
    entered : ndarray of bool, shape (..., analytes, subjects)
        Which values take part in the comparison.

    Returns
    -------
    response : Response
    cost_low, cost_high : ndarray of int, shape (..., analytes)
        How many numbers lost their value by being tied.
    """
    y = np.where(entered, response.y, np.nan)
    down, up = np.isneginf(y), np.isposinf(y)
    if not down.any() and not up.any():
        none = np.zeros(y.shape[:-1], dtype=np.int64)
        return response._replace(y=y), none, none
    floor = np.max(response.high, axis=-1, keepdims=True, initial=-np.inf, where=down)
    ceiling = np.min(response.low, axis=-1, keepdims=True, initial=np.inf, where=up)
    with np.errstate(invalid="ignore"):
        lost_low, lost_high = np.isfinite(y) & (y < floor), np.isfinite(y) & (y > ceiling)
    # A number that is tied keeps its value for the shift: only the censored ones are known by a bound.
    y = np.where(lost_low, -np.inf, np.where(lost_high, np.inf, y))
    return response._replace(y=y), lost_low.sum(axis=-1), lost_high.sum(axis=-1)
