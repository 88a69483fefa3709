"""SharedWork: draw replicates once, run several plans on them, and count what each found and where they differ."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from ..arrays import StudyArrays
from ..engine import Contrast, adjust_contrasts, contrasts_of
from ..errors import OptionError
from ..plan import Plan
from ..questions import Question
from .error_rates import prepared
from .measures import Rows, Tally, Target, family_measures, measures_of, pattern_measure, seen, seen_family
from .paired_measures import Measure, tally_pair, tally_pair_family, tally_pair_flags
from .patterns import Pattern
from .replicates import Work

CONTRAST, WHOLE, PATTERN, PATTERNS = "contrast", "whole", "pattern", "patterns"
Key = tuple[Any, ...]  # what is judged, whatever the plan: one of the four, and which
_OF_NULLS: tuple[Measure, ...] = (("size", True), ("FWER", True), ("FDR", True))
_OF_EFFECTS: tuple[Measure, ...] = (("power_average", True), ("power_any", True), ("power_all", True))
_OF_ESTIMATES: tuple[Measure, ...] = (("bias", False), ("emp_se", False), ("interval_width", False))
_OF_INTERVALS: tuple[Measure, ...] = (("coverage", False), ("interval_width", False))


class Part(NamedTuple):
    """What one tally of a plan is about.

    Attributes
    ----------
    text : tuple of str
        question, contrast and visit, as in the table.
    targets : tuple of Target
        Of the contrast, or of all contrasts of a question.
    at : tuple of int
        Which question and contrast of the plan, or which of its patterns.
    """

    text: tuple[str, str, str]
    targets: tuple[Target, ...]
    at: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Answered(Work):
    """The work of a plan whose questions are answered already."""

    given: list[list[Contrast]] = field(default_factory=list)

    def analyse(self, arrays: StudyArrays, replicates: range) -> list[list[Contrast]]:
        return self.given


class _Asked(NamedTuple):
    """All that the plans ask, in place of a plan."""

    questions: tuple[Question, ...]


@dataclass(frozen=True, eq=False)
class SharedWork:
    """All that a worker needs to count several plans on the same replicates.

    Attributes
    ----------
    works : tuple of Work
        One a plan; the first is the reference.
    parts : tuple of dict
        What the tallies of each are about, in their order.
    silent : tuple of tuple of Pattern
        The patterns that a plan cannot tell.
    """

    works: tuple[Work, ...]
    parts: tuple[dict[Key, Part], ...]
    silent: tuple[tuple[Pattern, ...], ...]

    @classmethod
    def prepare(cls, plans: Mapping[str, Plan], scenario: Any, seed: int, intervals: bool, patterns: Any) -> SharedWork:
        """Run one replicate by each plan, which finds what the design does not allow, and settle what can be compared."""
        works, silent = [], []
        for name, plan in plans.items():
            try:
                work, not_asked = prepared(plan, scenario, seed, intervals, patterns)
            except OptionError as error:
                raise OptionError(f"plan {name!r}: {error}") from None
            works.append(work)
            silent.append(not_asked)
        arrays = works[0].draw(range(1))
        return cls(tuple(works), tuple(_parts(work, arrays) for work in works), tuple(silent))

    @property
    def step(self) -> int:
        """How many replicates a block has."""
        return self.works[0].step

    def __call__(self, replicates: range) -> list[Tally]:
        """Return the tallies of each plan, then those of each plan but the first together with the first."""
        arrays = self.works[0].draw(replicates)
        answers = self._answers(arrays, replicates)
        tallies: list[Tally] = []
        found = []
        for work, parts, given in zip(self.works, self.parts, answers, strict=True):
            tallies += _Answered(**{**vars(work), "given": given}).count(arrays, replicates)
            found.append(_judged(work, parts, given, arrays))
        for i in range(1, len(self.works)):
            tallies += [self._pair(key, found[i][key], found[0][key], i) for key in self.shared(i)]
        return tallies

    def description(self) -> dict[str, Any]:
        """Return all that decides the counts, as plain values; `OptionError` where that cannot be said."""
        each = [work.description() for work in self.works]
        own = ("plan", "alpha", "patterns")
        plans = {f"plan {i + 1}": {name: found[name] for name in own} for i, found in enumerate(each)}
        return {"what": "compare_plans", **plans, **{name: value for name, value in each[0].items() if name not in own}}

    def shared(self, i: int) -> list[Key]:
        """Return what a plan and the reference both have."""
        return [key for key in self.parts[i] if key in self.parts[0] and not (key[0] == PATTERNS and self.silent[i])]

    def split(self, total: list[Tally]) -> tuple[list[dict[Key, Tally]], list[dict[Key, Tally]]]:
        """Return the tallies of each plan, and those of each pair, by what they are about."""
        left = iter(total)
        own = [{key: next(left) for key in parts} for parts in self.parts]
        return own, [{key: next(left) for key in self.shared(i)} for i in range(1, len(self.works))]

    def _answers(self, arrays: StudyArrays, replicates: range) -> list[list[list[Contrast]]]:
        """Answer the questions of all plans; those that differ in their correction only share the statistics."""
        asked = {_uncorrected(question): None for work in self.works for question in work.plan.questions}
        plan: Any = _Asked(tuple(asked))
        found = dict(zip(asked, replace(self.works[0], plan=plan).analyse(arrays, replicates), strict=True))
        corrected: dict[Question, list[Contrast]] = {}
        for question in (question for work in self.works for question in work.plan.questions):
            if question not in corrected:
                corrected[question] = [copy.copy(contrast) for contrast in found[_uncorrected(question)]]
                adjust_contrasts(question, corrected[question])
        return [[corrected[question] for question in work.plan.questions] for work in self.works]

    def _pair(self, key: Key, a: Any, b: Any, i: int) -> Tally:
        chunk = self.works[0].chunk
        if key[0] == CONTRAST:
            return tally_pair(a, b, (self.parts[i][key].targets[0], self.parts[0][key].targets[0]), chunk)
        return tally_pair_family(a, b, chunk) if key[0] == WHOLE else tally_pair_flags(a, b)


def _uncorrected(question: Question) -> Question:
    return replace(question, adjust="none", family="visit")


def _parts(work: Work, arrays: StudyArrays) -> dict[Key, Part]:
    """Return what the tallies of a plan are about, in the order of `Work.count`."""
    out: dict[Key, Part] = {}
    for q, (question, targets) in enumerate(zip(work.plan.questions, work.targets, strict=True)):
        for c, (place, target) in enumerate(zip(contrasts_of(question, arrays), targets, strict=True)):
            out[CONTRAST, question.kind, *place] = Part((question.kind, target.label, target.visit), (target,), (q, c))
        if question.family == "all":
            places = tuple(contrasts_of(question, arrays))
            out[WHOLE, question.kind, places] = Part((question.kind, "all", "all"), targets, (q,))
    for i, pattern in enumerate(work.patterns):
        text = (pattern.question, pattern.says, "+".join(pattern.visits or ()))
        out[PATTERN, pattern] = Part(text, (), (i,))
    if len(work.patterns) > 1:
        out[PATTERNS, work.patterns] = Part(("all", "all", ""), (), (len(work.patterns),))
    return out


def _judged(work: Work, parts: Mapping[Key, Part], answers: Sequence[list[Contrast]], arrays: StudyArrays) -> dict[Key, Any]:
    """Judge each replicate by all that a plan has."""
    alpha, shown = work.plan.alpha, work.shown(arrays, list(answers))
    out: dict[Key, Any] = {}
    for key, part in parts.items():
        if key[0] == CONTRAST:
            out[key] = seen(answers[part.at[0]][part.at[1]], part.targets[0], alpha)
        elif key[0] == WHOLE:
            out[key] = seen_family(answers[part.at[0]], part.targets, alpha)
        else:
            out[key] = shown[part.at[0]]
    return out


def rows_of(key: Key, part: Part, done: Tally, analytes: np.ndarray, n_sim: int) -> list[Rows]:
    """Return the measures of one part of a plan, as its table has them, but for the median, which has no paired error."""
    if key[0] == CONTRAST:
        lean = done._replace(counts={name: count for name, count in done.counts.items() if name != "bins"})
        return list(measures_of(part.targets[0], lean, analytes, n_sim))
    return list(family_measures(done, n_sim)) if key[0] == WHOLE else [pattern_measure(done, n_sim)]


def incomparable(a: Part, b: Part) -> dict[Measure, str]:
    """Return the measures that do not mean the same in two plans, and why."""
    out: dict[Measure, str] = {}
    for measures, name, which in ((_OF_NULLS, "null", "true nulls"), (_OF_EFFECTS, "effect", "effects")):
        same = all(np.array_equal(getattr(x, name), getattr(y, name)) for x, y in zip(a.targets, b.targets, strict=True))
        if not same:
            out |= dict.fromkeys(measures, f"the two plans have different {which}")
    levels = [" and ".join(dict.fromkeys(f"{target.question.conf_level:.6g}" for target in part.targets)) for part in (a, b)]
    if levels[0] != levels[1]:
        out |= dict.fromkeys(_OF_INTERVALS, f"conf_level is {levels[0]}, that of the reference {levels[1]}")
    kinds = [" and ".join(dict.fromkeys(_kind(target) for target in part.targets)) for part in (a, b)]
    if kinds[0] != kinds[1]:
        out |= dict.fromkeys(_OF_ESTIMATES, f"estimates are {kinds[0]}, those of the reference {kinds[1]}")
    return out


def _kind(target: Target) -> str:
    what = "log odds ratios" if target.question.entry.estimand == "odds" else "differences"
    return f"{what} on {target.question.scale}"
