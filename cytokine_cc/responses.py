"""What enters a contrast: the responses of a block of analytes at one visit, or their changes."""

from __future__ import annotations

import numpy as np

from .adjusting import places_of
from .arrays import Note, Response, StudyArrays
from .errors import NonPositiveError
from .limits import anywhere, respond, settled, tie_beyond, unflagged
from .questions import Question


class Responses:
    """The responses of a block of analytes, each made once."""

    def __init__(self, arrays: StudyArrays, rows: slice):
        self.arrays, self.rows = arrays, rows
        self._made: dict[tuple[int | None, str, str], Response] = {}
        self._changes: dict[tuple[int | None, str, str], Response] = {}

    def at(self, visit: int | None, question: Question) -> Response:
        """Return the response at baseline (None) or at a later visit."""
        key = (visit, question.rule, question.scale)
        if key not in self._made:
            n = self.arrays.n_baseline
            visits = slice(0, n) if visit is None else slice(n + visit, n + visit + 1)
            try:
                self._made[key] = respond(self.arrays, visits, self.rows, question.rule, question.scale)
            except NonPositiveError as error:
                shift = np.zeros(error.cells.shape[-1], dtype=np.intp)
                shift[-3:] = visits.start, self.rows.start, 0
                raise NonPositiveError(error.cells + shift) from None
        return self._made[key]

    def values(self, visit: int | None, question: Question) -> Response:
        """Return what enters one contrast, before it is split by group: baseline values, or changes."""
        if visit is None:
            return self.at(None, question)
        key = (visit, question.rule, question.scale)
        if key not in self._changes:
            self._changes[key] = _change(*self.pair(visit, question))
        return self._changes[key]

    def all_visits(self, question: Question) -> tuple[list[int | None], list[Response]]:
        """Return the visits of a model of all visits, the baseline (None) first, and the response at each."""
        places = places_of(question, self.arrays)
        return places, [self.at(place, question) for place in places]

    def pair(self, visit: int | None, question: Question) -> tuple[Response, Response]:
        """Return a later visit and the baseline; a mean that equals the later value but for rounding is made equal."""
        later, base = self.at(visit, question), self.at(None, question)
        if self.arrays.n_baseline == 1:
            return later, base
        unit = 0.0 if question.scale == "raw" else 1.0
        with np.errstate(invalid="ignore"):
            size = np.maximum(np.maximum(np.abs(later.y), np.abs(base.y)), unit)
            equal = np.abs(later.y - base.y) <= 16 * np.finfo(float).eps * size
        parts = {name: np.where(equal, getattr(later, name), getattr(base, name)) for name in ("y", "point", "low", "high")}
        return later, base._replace(**parts)


def _change(later: Response, base: Response) -> Response:
    change = later.point - base.point  # of bounds where a model takes both visits; flagged as such
    if not any(anywhere(flags) for response in (later, base) for flags in response[4:]):
        return unflagged(change)
    there = ~np.isnan(change)
    beyond = [response.below | response.above for response in (later, base)]
    in_question = [~np.isnan(response.y) | response.unknown for response in (later, base)]
    flags = {
        "below": (later.below | base.below) & there,
        "above": (later.above | base.above) & there,
        "unknown": (later.unknown | base.unknown) & in_question[0] & in_question[1],
        "borrowed": (later.borrowed | base.borrowed) & there,
        "partial": base.partial & there,
        "stuck": beyond[0] & beyond[1] & there,
    }
    return Response(change, change, change, change, **{name: settled(flag) for name, flag in flags.items()})


def any_of(responses: list[Response], change: np.ndarray) -> Response:
    """Return what enters a model of several visits, before it is split by group: who has a value at any of them.

    Parameters
    ----------
    responses : list of Response
        Of the visits, the baseline first.
    change : ndarray
        Of the visit in question since baseline, for means and SDs; NaN where a subject lacks one of the two.

    Returns
    -------
    Response
        `y` is 0 for who enters; `stuck` are those of whom no value is known but for a limit.
    """
    there = [~np.isnan(response.y) for response in responses]
    enters = np.any(there, axis=0)
    beyond = [(response.below | response.above) & own for response, own in zip(responses, there, strict=True)]
    flags = {name: np.any([getattr(response, name) for response in responses], axis=0) for name in ("below", "above", "borrowed")}
    flags |= {"unknown": np.any([response.unknown for response in responses], axis=0), "partial": responses[0].partial & enters}
    flags["stuck"] = enters & np.all([own | ~here for own, here in zip(beyond, there, strict=True)], axis=0)
    y = np.where(enters & ~flags["unknown"], 0.0, np.nan)
    point = np.where(np.isnan(y), np.nan, change)
    return Response(y, point, point, point, **{name: settled(flag) for name, flag in flags.items()})


def tie(values: Response, counts: dict[Note, np.ndarray]) -> Response:
    """Tie what lies beyond limits, and count what that costs."""
    tied, cost_low, cost_high = tie_beyond(values, ~np.isnan(values.y))
    counts[Note.TIED_LOWEST] = np.where(np.isneginf(tied.y).any(axis=-1), cost_low, -1)
    counts[Note.TIED_HIGHEST] = np.where(np.isposinf(tied.y).any(axis=-1), cost_high, -1)
    return tied
