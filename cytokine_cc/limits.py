"""What a plan does with values beyond the limits of detection."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .arrays import Response, StudyArrays
from .errors import NonPositiveError
from .panel import State

# rule -> factor of the limit that stands in for a value below it
SUBSTITUTES = {"half": 0.5, "sqrt2": 1 / np.sqrt(2), "limit": 1.0}
# rules that enter what is known of a value: a bound
BOUNDS = ("lowest_rank", "censored")
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
    if not anywhere(state):
        if value.strides[-1] != value.itemsize:
            value = np.ascontiguousarray(value)
        _check_positive(value, scale, arrays.logged)
        response = unflagged(np.ascontiguousarray(to_scale(value, scale, arrays.logged)))
    else:
        fallbacks = arrays.fallback_lower[cut], arrays.fallback_upper[cut]
        response = _enter(value, state, lower, upper, fallbacks, rule, scale, arrays.logged)
    if response.y.shape[-3] == 1:
        return Response(*(array[..., 0, :, :] for array in response))
    return _average(response)


def nowhere(shape: tuple[int, ...]) -> np.ndarray:
    """Return flags of which none is set, without the memory: one False, broadcast."""
    return np.broadcast_to(False, shape)


def anywhere(flags: np.ndarray) -> bool:
    """Tell whether any flag is set; of a broadcast one, only one is looked at."""
    return bool(flags.any() if any(flags.strides) else flags.size and flags.flat[0])


def settled(flags: np.ndarray) -> np.ndarray:
    """Return the flags, or `nowhere` if none is set, so that nobody need count them again."""
    return flags if anywhere(flags) else nowhere(flags.shape)


def missing(y: np.ndarray) -> np.ndarray:
    """Flag NaN; `nowhere` if there is none, which their least value tells."""
    return np.isnan(y) if np.isnan(y.min(initial=0.0)) else nowhere(y.shape)


def count(flags: np.ndarray) -> np.ndarray:
    """Count flags along the last axis."""
    return flags.sum(axis=-1) if any(flags.strides) else np.full(flags.shape[:-1], flags.shape[-1] * int(anywhere(flags)))


def unflagged(y: np.ndarray) -> Response:
    """Return numbers none of which is beyond a limit."""
    return Response(y, y, y, y, *[nowhere(y.shape)] * 6)


def beyond_limits(value: np.ndarray, state: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Flag values below and above a limit: those without a number, and numbers outside limits that are known."""
    below, above, number = state == State.BELOW, state == State.ABOVE, state == State.EXTRAPOLATED
    if not number.any():
        return below, above
    with np.errstate(invalid="ignore"):
        return below | (number & (value < lower)), above | (number & (value > upper))


def _enter(value, state, lower, upper, fallbacks, rule, scale, logged):
    below, above = settled(state == State.BELOW), settled(state == State.ABOVE)
    under, over = (
        settled(flags & ~bare) for flags, bare in zip(beyond_limits(value, state, lower, upper), (below, above), strict=True)
    )
    (lowest, no_lower), (highest, no_upper) = _known(lower, fallbacks[0]), _known(upper, fallbacks[1])
    from_above = above | over if rule == "censored" else above
    limit = np.where(from_above, highest, lowest) if anywhere(from_above) else lowest
    needs_limit = {"drop": above, "as_reported": nowhere(state.shape)}.get(rule, below | above)
    unknown = settled(needs_limit & np.isnan(limit))
    bounded = below | under | from_above if rule == "censored" else needs_limit
    number = _replace(_numbers(value, state), below | under, above, under, (lowest, highest), rule, logged)
    number = np.where(bounded, np.nan, number) if rule == "censored" and anywhere(bounded) else number
    _check_positive(number, scale, logged)
    if rule in BOUNDS and anywhere(bounded):
        y, point, low, high = _bounded(number, bounded & ~unknown, limit, from_above, scale, logged)
    else:
        y = point = low = high = np.ascontiguousarray(to_scale(number, scale, logged))
    entered = ~np.isnan(y)
    borrowed = (below & no_lower) | (above & no_upper)
    below, above, borrowed = (settled(flags & entered) for flags in (below | under, above | over, borrowed))
    none = nowhere(y.shape)
    return Response(y, point, low, high, below, above, unknown, borrowed, partial=none, stuck=none)


def _known(limit: np.ndarray, fallback: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return limits, the fallback where one is not stated, and where that is."""
    gone = np.isnan(limit)
    return (np.where(gone, fallback, limit) if gone.any() else limit), gone


def _numbers(value: np.ndarray, state: np.ndarray) -> np.ndarray:
    """Return the values that are numbers, NaN elsewhere."""
    number = (state == State.MEASURED) | (state == State.EXTRAPOLATED)
    return value if (number | np.isnan(value)).all() else np.where(number, value, np.nan)


def _replace(number, low, above, under, limits, rule, logged):
    """Put a limit, or nothing, in place of what lies beyond it."""
    if rule in SUBSTITUTES and anywhere(low):
        factor = SUBSTITUTES[rule]
        stand_in = limits[0] * factor if logged is None else limits[0] + np.log(factor) / _LOG_BASE[logged]
        number = np.where(low, stand_in, number)
    if (rule in SUBSTITUTES or rule == "drop") and anywhere(above):
        number = np.where(above, limits[1], number)
    if rule == "drop" and anywhere(under):
        number = np.where(under, np.nan, number)
    return number


def _bounded(number, bounded, limit, above, scale, logged):
    """Return y, infinite where only a bound is known, and point, low and high."""
    bound = np.where(bounded, limit, number)
    _check_positive(bound, scale, logged)
    point = np.ascontiguousarray(to_scale(bound, scale, logged))
    y = np.where(bounded, np.where(above, np.inf, -np.inf) if anywhere(above) else -np.inf, point)
    return y, point, np.minimum(y, point), np.maximum(y, point)


def _check_positive(number: np.ndarray, scale: str, logged: str | None) -> None:
    if scale != "raw" and logged is None and not number.min(initial=1.0) > 0:  # or a NaN hides it
        with np.errstate(invalid="ignore"):
            bad = number <= 0
        if bad.any():
            raise NonPositiveError(np.argwhere(bad))


def _average(response: Response) -> Response:
    """Average over the visits that are there; what is known of a mean with bounded terms is the mean of the bounds."""
    there = ~np.isnan(response.y)
    n = there.sum(axis=-3)
    with np.errstate(invalid="ignore", divide="ignore"):
        terms = {id(x): x for x in response[1:4]}  # often one and the same
        means = {key: np.where(there, x, 0.0).sum(axis=-3) / n for key, x in terms.items()}
    point, low, high = (means[id(x)] for x in response[1:4])
    down, up = np.isneginf(low), np.isposinf(high)
    # One visit below and another above its limit: nothing is known of the mean.
    lost = down & up
    point, low, high = (np.where(lost, np.nan, x) for x in (point, low, high))
    y = np.where(lost, np.nan, np.where(down, -np.inf, np.where(up, np.inf, point)))
    entered = ~np.isnan(y)
    below, above, borrowed = (
        settled((flag & there).any(axis=-3) & entered) for flag in (response.below, response.above, response.borrowed)
    )
    partial = settled(entered & (n < there.shape[-3]))
    unknown = settled(np.asarray(response.unknown.any(axis=-3)))
    return Response(y, point, low, high, below, above, unknown, borrowed, partial, stuck=nowhere(y.shape))


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
    y = response.y if (entered | np.isnan(response.y)).all() else np.where(entered, response.y, np.nan)
    down, up = np.isneginf(y), np.isposinf(y)
    lost_low = lost_high = nowhere(y.shape)
    with np.errstate(invalid="ignore"):
        if down.any():
            floor = np.where(down, response.high, -np.inf).max(axis=-1, keepdims=True)
            lost_low = np.isfinite(y) & (y < floor)
        if up.any():
            ceiling = np.where(up, response.low, np.inf).min(axis=-1, keepdims=True)
            lost_high = np.isfinite(y) & (y > ceiling)
    # A number that is tied keeps its value for the shift: only the censored ones are known by a bound.
    for lost, end in ((lost_high, np.inf), (lost_low, -np.inf)):
        if anywhere(lost):
            y = np.where(lost, end, y)
    return response._replace(y=y), count(lost_low), count(lost_high)
