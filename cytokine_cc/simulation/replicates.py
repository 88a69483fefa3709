"""Work: draw replicates of a scenario, run a plan on them and count, block by block, on any number of workers."""

from __future__ import annotations

import os
import sys
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np

from ..arrays import StudyArrays
from ..assembly import contrast_label
from ..engine import Contrast, run
from ..errors import NonPositiveError, OptionError
from ..plan import Plan
from ..questions import Question
from .checkpoint import Checkpoint
from .measures import CHUNK, KNOWN_ESTIMANDS, Tally, Target, tally, tally_family, tally_flags, truth_of
from .packing import made_by, pack, unpack
from .patterns import Pattern

BLOCK_VALUES = 1_000_000  # values drawn at a time, cohorts included; blocks change nothing but memory and speed
CHUNK_VALUES = 8_000_000  # studies so large that a chunk would hold more than this get smaller chunks
_PATIENCE = 2.0  # seconds of work after which a progress bar shows on a terminal
_WORDS = ("title", "about", "from", "published", "plan", "pattern")  # of a scenario file: what no draw depends on
_WAVE = 4  # blocks for each worker at a time, where a backend hands results back only together
_HERE = uuid.uuid4().hex  # of this interpreter; a fork of it has another process number


class Counts(Protocol):
    """What `blocks_of` runs."""

    @property
    def step(self) -> int:
        """How many replicates a block has."""

    def __call__(self, replicates: range) -> list[Tally]:
        """Return what was counted over a block, the same in number and shape for every block."""


@dataclass(frozen=True, eq=False)
class Work:
    """All that a worker needs to draw, analyse and count a block of replicates.

    Several plans can be counted on the same draw: ``work.count(arrays, replicates)`` with arrays from any of their works, whose
    chunks and steps are the same, since they depend on the scenario alone.
    """

    plan: Plan
    scenario: Any
    patterns: tuple[Pattern, ...]
    seed: int
    intervals: bool
    targets: tuple[tuple[Target, ...], ...] = ()
    chunk: int = CHUNK
    step: int = CHUNK

    @classmethod
    def prepare(cls, plan: Plan, scenario: Any, patterns: tuple[Pattern, ...], seed: int, intervals: bool) -> Work:
        """Run one replicate, which finds what the design does not allow, and settle sizes and truths."""
        work = cls(plan, scenario, patterns, seed, intervals)
        arrays = work.draw(range(1))
        answers = work.analyse(arrays, range(1))
        work.shown(arrays, answers)
        values = max(arrays.value.size, getattr(scenario, "values_per_study", 0))
        chunk = max(1, min(CHUNK, CHUNK_VALUES // values))
        step = chunk * max(1, BLOCK_VALUES // (chunk * values))
        targets = tuple(
            tuple(_targets(scenario, question, contrasts, arrays, intervals))
            for question, contrasts in zip(plan.questions, answers, strict=True)
        )
        return replace(work, targets=targets, chunk=chunk, step=step)

    def draw(self, replicates: range) -> StudyArrays:
        """Draw replicates."""
        return self.scenario.draw_arrays(self.seed, replicates)

    def analyse(self, arrays: StudyArrays, replicates: range) -> list[list[Contrast]]:
        """Run the plan on replicates that were drawn."""
        try:
            return run(self.plan.questions, arrays, intervals=self.intervals)
        except NonPositiveError as error:
            replicate, visit, analyte, _ = (int(i) for i in error.cells[0])
            raise OptionError(
                f"scenario {self.scenario.name!r} draws values of 0 or less, which have no logarithm: the first is in replicate "
                f"{replicates[replicate]}, visit {self.scenario.visits[visit]!r}, analyte {self.scenario.analytes[analyte]!r}. "
                "Use scale='raw', or a scenario of positive values."
            ) from None

    def answers(self, replicates: range) -> tuple[StudyArrays, list[list[Contrast]]]:
        """Draw replicates and run the plan on them."""
        arrays = self.draw(replicates)
        return arrays, self.analyse(arrays, replicates)

    def description(self) -> dict[str, Any]:
        """Return all that decides the counts, as plain values; `OptionError` where that cannot be said."""
        content = getattr(self.scenario, "content", None)
        if content is None:
            raise OptionError(
                f"scenario {self.scenario.name!r} has no content to tell it by, so that no checkpoint can be kept. Use a "
                "Scenario, or leave `checkpoint` out."
            )
        for question in self.plan.questions:
            if callable(question.test):
                raise OptionError(
                    f"{question.kind}: a test that is a function ({question.entry.name}) cannot be told from another of that "
                    "name, so that no checkpoint can be kept. Name a test of the library, or leave `checkpoint` out."
                )
        return {
            "plan": {question.kind: question.plain() for question in self.plan.questions},
            "alpha": self.plan.alpha,
            "patterns": [pattern.to_table() for pattern in self.patterns],
            "scenario": {name: table for name, table in content.items() if name not in _WORDS},
            "seed": self.seed,
            "intervals": self.intervals,
            "chunk": self.chunk,
            "step": self.step,
        }

    def shown(self, arrays: StudyArrays, answers: list[list[Contrast]]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Return for each pattern, and for all, which replicates show it and which could not be tested."""
        by_kind = dict(zip([question.kind for question in self.plan.questions], answers, strict=True))
        found = []
        for pattern in self.patterns:
            given = by_kind[pattern.question], self.scenario.analytes, arrays.later
            found.append((pattern.shown_by(*given), pattern.untested(*given)))
        if len(found) > 1:
            flags, missing = zip(*found, strict=True)
            found.append((np.all(flags, axis=0), np.any(missing, axis=0)))
        return found

    def __call__(self, replicates: range) -> list[Tally]:
        """Draw replicates and count."""
        return self.count(self.draw(replicates), replicates)

    def count(self, arrays: StudyArrays, replicates: range) -> list[Tally]:
        """Return the tallies: by question its contrasts and, where its family is "all", the whole; then the patterns."""
        answers = self.analyse(arrays, replicates)
        alpha, tallies = self.plan.alpha, []
        for question, contrasts, targets in zip(self.plan.questions, answers, self.targets, strict=True):
            tallies += [tally(contrast, target, alpha, self.chunk) for contrast, target in zip(contrasts, targets, strict=True)]
            if question.family == "all":
                tallies.append(tally_family(contrasts, targets, alpha, self.chunk))
        return tallies + [tally_flags(*flags) for flags in self.shown(arrays, answers)]


def _targets(
    scenario: Any, question: Question, contrasts: list[Contrast], arrays: StudyArrays, intervals: bool
) -> Iterator[Target]:
    estimand = question.entry.estimand
    estimates = estimand in KNOWN_ESTIMANDS and (intervals or estimand != "shift")
    for contrast in contrasts:
        visit, group = contrast.visit, contrast.group
        label, at = contrast_label(question, visit, group, scenario.visits[0], arrays.later)
        truth = truth_of(scenario, question, visit, group)
        first = np.nan_to_num(contrast.statistics.estimate[0], posinf=0.0, neginf=0.0)
        yield Target(question, label, at, *truth, first, estimates, estimand in ("mean", "odds"), intervals)


def total_of(blocks: Iterable[list[Tally]]) -> list[Tally]:
    """Add the tallies of the blocks up, in order."""
    total: list[Tally] | None = None
    for block in blocks:
        total = [Tally.zero(now) for now in block] if total is None else total
        total = [before.add(now) for before, now in zip(total, block, strict=True)]
    return total or []


def blocks_of(
    work: Counts,
    n_sim: int,
    n_jobs: int,
    progress: bool | None,
    checkpoint: Checkpoint | None = None,
    record: Callable[..., Any] = Tally,
) -> Iterator[list[Any]]:
    """Yield the results of the blocks, in order.

    Parameters
    ----------
    work : callable
        Told a range of replicates, it returns a list of results, each a tuple of mappings name -> array.
    n_sim : int
    n_jobs : int
        As in `certify`.
    progress : bool or None
        As in `certify`.
    checkpoint : Checkpoint, optional
        Blocks that it has are not computed; those computed are put there before they are yielded.
    record : callable
        Makes a result of its mappings, where it comes from a file or another process.
    """
    from tqdm import tqdm

    blocks = [range(start, min(n_sim, start + work.step)) for start in range(0, n_sim, work.step)]
    stored = set() if checkpoint is None else checkpoint.stored(blocks)
    job = _Job(work, "" if checkpoint is None else checkpoint.key, _process())
    computed = _computed(job, [block for block in blocks if block not in stored], n_jobs)
    hidden = not sys.stderr.isatty() if progress is None else not progress
    delay, done = _PATIENCE if progress is None else 0.0, sum(map(len, stored))
    with tqdm(total=n_sim, initial=done, unit=" studies", file=sys.stderr, disable=hidden, delay=delay) as bar:
        for block in blocks:
            found = checkpoint.read(block, record) if checkpoint is not None and block in stored else None
            if found is not None:
                yield found
                continue
            data = job(block) if block in stored else next(computed)  # stored, and gone since
            if checkpoint is not None and isinstance(data, bytes):
                checkpoint.write(block, data)
            bar.update(len(block))
            yield _opened(data, record) if isinstance(data, bytes) else data


@dataclass(frozen=True, eq=False)
class _Job:
    """A work as workers do it: for a checkpoint, or in another process, the results are packed."""

    work: Counts
    key: str
    caller: tuple[str, int]

    def __repr__(self) -> str:
        return "block"  # the name of the task on a cluster

    def __call__(self, replicates: range) -> list[Any] | bytes:
        found = self.work(replicates)
        return pack(found, self.key, replicates) if self.key or self.caller != _process() else found


def _process() -> tuple[str, int]:
    return _HERE, os.getpid()


def _opened(data: bytes, record: Callable[..., Any]) -> list[Any]:
    """Return the results that a worker packed; one that computes with other versions would mix two simulations."""
    found = unpack(data, record)
    other = [
        f"{name} {version}, not {made_by()[name]}" for name, version in found["made_by"].items() if version != made_by()[name]
    ]
    if other:
        raise OptionError(f"a worker computes with {'; '.join(other)}. Install the same versions where the workers run.")
    return found["results"]


def _computed(job: _Job, blocks: list[range], n_jobs: int) -> Iterator[Any]:
    """Compute blocks on joblib's workers, and yield them in order as they come."""
    from joblib import Parallel, delayed, effective_n_jobs

    # A block is work enough for one task; joblib's own batches, learnt from what ran before, might give all to one worker.
    how: dict[str, Any] = {"n_jobs": None if n_jobs == 1 else int(n_jobs), "prefer": "threads", "batch_size": 1}
    try:
        parallel = Parallel(**how, return_as="generator")
    except ValueError:  # this backend hands results back only all at once
        parallel = Parallel(**how)
        wave = _WAVE * effective_n_jobs(how["n_jobs"])
        for start in range(0, len(blocks), wave):
            yield from parallel(delayed(job)(block) for block in blocks[start : start + wave])
        return
    yield from parallel(delayed(job)(block) for block in blocks)
