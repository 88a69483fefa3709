"""Who enters a comparison: cases and controls along the subject axis, the sets they stand in, whole pairs and sets."""

from __future__ import annotations

import numpy as np

from .adjusting import sets_of
from .arrays import Response, StudyArrays
from .errors import OptionError, quoted
from .kernels import TESTS, Test
from .kernels.common import WITHIN, by_rows
from .limits import anywhere, settled
from .questions import Question

_NUMBERS = ("y", "point", "low", "high")


class Sides:
    """Where cases and controls stand along the subject axis; in the order of their sets where there are any.

    Attributes
    ----------
    matched : bool
        The design names matched sets.
    one_to_one : bool
        Each of them has one case and one control.
    strata : bool
        The design names what groups were frequency-matched on.
    case, control : ndarray of int, shape (..., subjects of the group)
    """

    def __init__(self, arrays: StudyArrays):
        case, stratum = arrays.case, arrays.stratum
        self._arrays, self.strata = arrays, bool(arrays.matched_on)
        self.matched = stratum is not None
        self.one_to_one = False
        if stratum is not None:
            case, stratum = np.broadcast_arrays(case, stratum)
            order = np.lexsort((stratum, ~case), axis=-1)
        else:
            order = np.argsort(~case, axis=-1, kind="stable")
        n = int(case.reshape(-1, case.shape[-1])[0].sum())
        self.case, self.control = order[..., :n], order[..., n:]
        if stratum is not None and self.case.shape == self.control.shape:
            sets = [np.take_along_axis(stratum, side, axis=-1) for side in (self.case, self.control)]
            self.one_to_one = bool((sets[0] == sets[1]).all() and (np.diff(sets[0], axis=-1) > 0).all())
        self._runs = {"case": _run(self.case), "control": _run(self.control)}
        self._sets: np.ndarray | None = None

    @property
    def sets(self) -> np.ndarray:
        """Matched set, or stratum of frequency matching, of each subject, (..., subjects); -1: in none."""
        if self._sets is None:
            self._sets = sets_of(self._arrays)
        return self._sets

    def take(self, array: np.ndarray, group: str) -> np.ndarray:
        """Pick the subjects of a group; each row in one piece."""
        index = self.case if group == "case" else self.control
        if not any(array.strides):  # one value, broadcast
            return array[..., : index.shape[-1]]
        run = self._runs[group]
        if run is not None:
            return by_rows(array[..., run])
        if index.ndim == 1:
            return np.ascontiguousarray(array[..., index])
        more = (1,) * (array.ndim - index.ndim) if array.ndim > index.ndim else ()
        index = index.reshape(*index.shape[:-1], *more, index.shape[-1])
        return np.take_along_axis(array, index, axis=-1)

    def part(self, values: Response, group: str) -> Response:
        """Pick the subjects of a group from all that is known of them; what is one array stays one."""
        parts = {id(array): array for array in values}
        taken = {key: self.take(array, group) for key, array in parts.items()}
        return Response(*(taken[id(array)] for array in values))

    def lacking(self, missing: np.ndarray, entry: Test) -> np.ndarray:
        """Flag who cannot enter since too little of the pair or set is there, and who is missing anyway."""
        if entry.paired:
            return self._either(missing)
        return missing | ~self._whole(~missing, entry.sets)

    def _either(self, flags: np.ndarray) -> np.ndarray:
        """Flag both members of each 1:1 set where one of them is flagged."""
        found = self.take(flags, "case") | self.take(flags, "control")
        out = np.zeros(flags.shape, dtype=bool)
        for index in (self.case, self.control):
            if index.ndim == 1:
                out[..., index] = found
            else:
                np.put_along_axis(out, np.broadcast_to(index[..., None, :], found.shape), found, axis=-1)
        return out

    def _whole(self, there: np.ndarray, need: str) -> np.ndarray:
        """Flag the members of sets that have what a test needs: two values, or a case and a control."""
        if there.all():
            there = there[..., :1, :]
        sets, case = np.broadcast_to(self.sets[..., None, :], there.shape), self._arrays.case[..., None, :]
        known = sets >= 0
        width = int(sets.max(initial=0)) + 1
        rows = np.arange(there[..., 0].size).reshape(there.shape[:-1])[..., None] * width
        place = rows + np.where(known, sets, 0)

        def counted(flags: np.ndarray) -> np.ndarray:
            return np.bincount(place[flags & known], minlength=rows.size * width)[place]

        if need == "two":
            return known & (counted(there) > 1)
        return known & (counted(there & case) > 0) & (counted(there & ~case) > 0)


def _run(index: np.ndarray) -> slice | None:
    """Return the slice that an index is, if it is one: picking it copies nothing."""
    if index.ndim > 1 or not index.size or (np.diff(index) != 1).any():
        return None
    return slice(int(index[0]), int(index[-1]) + 1)


def check_matching(question: Question, sides: Sides) -> None:
    """Refuse a test of pairs or sets without them, and an unmatched test of matched sets that was not asked for."""
    if question.kind == WITHIN:
        return
    entry = question.entry
    asked = [(name, other) for name, other in TESTS.items() if question.kind in other.questions]
    if entry.matched and not sides.matched and (entry.paired or not sides.strata):
        raise OptionError(f"{question.kind}: {_without_sets(entry, sides, asked)}")
    if entry.paired and not sides.one_to_one:
        raise OptionError(
            f"{question.kind}: {entry.name!r} needs one case and one control in each matched set; some sets have more. "
            f"Use {quoted(name for name, other in asked if other.sets)}, which take sets of any size."
        )
    if not entry.matched and sides.matched and not question.ignore_matching:
        matched = [name for name, other in asked if other.sets or (other.paired and sides.one_to_one)]
        raise OptionError(
            f"{question.kind}: {entry.name!r} would ignore the matched sets of the design. Use {quoted(matched)}, "
            "or say ignore_matching=True (in a file: ignore_matching = true in [plan])."
        )


def _without_sets(entry: Test, sides: Sides, asked: list[tuple[str, Test]]) -> str:
    """Say that a test of pairs or sets needs them, and what to do."""
    how = "pairs each case with a control" if entry.paired else "compares cases and controls within matched sets"
    sets = (
        "Name their column with Design(matched_set=...) (in a study file: matched_set in [design]; in a scenario: [matching] "
        'kind = "sets")'
    )
    if entry.sets:
        sets += ", or the columns that groups were frequency-matched on with Design(matched_on=...)"
    others = [name for name, other in asked if not other.matched or (other.sets and sides.strata)]
    return f"{entry.name!r} {how}, but the design names no matched sets. {sets}, or use {quoted(others, limit=20)}."


def without(values: Response, gone: np.ndarray) -> Response:
    """Leave out subjects."""
    if not anywhere(gone):
        return values
    numbers = {name: np.where(gone, np.nan, getattr(values, name)) for name in _NUMBERS}
    flags = {name: settled(getattr(values, name) & ~gone) for name in Response._fields[4:]}
    return Response(**numbers, **flags)


def only_whole_sets(values: Response, sides: Sides, entry: Test) -> Response:
    """Leave out who cannot enter since too little of the pair or set is there."""
    gone = sides.lacking(np.isnan(values.y), entry)
    if not anywhere(gone):
        return values
    # A limit that is not known matters only where the set would otherwise have entered.
    unknown = values.unknown & ~sides.lacking(np.isnan(values.y) & ~values.unknown, entry)
    numbers = {name: np.where(gone, np.nan, getattr(values, name)) for name in _NUMBERS}
    flags = {name: getattr(values, name) & ~gone for name in ("below", "above", "borrowed", "partial", "stuck")}
    return Response(**numbers, **flags, unknown=unknown)
