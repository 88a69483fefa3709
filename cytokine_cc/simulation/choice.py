"""How a draw came to be shown: as the first of its seed, picked, or named by its file; found by running the draws before it."""

from __future__ import annotations

import numpy as np

from .replicates import BLOCK_VALUES, Work
from .scenario import Scenario


def published_draw(scenario: Scenario) -> tuple[int, int]:
    """Return seed and replicate of the study to show: those that the scenario file names, else seed 1, replicate 0."""
    return scenario.published.get("seed", 1), scenario.published.get("replicate", 0)


def choice_text(scenario: Scenario, seed: int, replicate: int, cited: str = "") -> str:
    """Say how a draw came to be shown, and whether it shows what was published.

    Parameters
    ----------
    scenario : Scenario
    seed, replicate : int
    cited : str
        To stand behind "what was published".

    Returns
    -------
    str
        Checked by running the plan on the draw and, where it shows all patterns, on those of its seed before it: "picked" is
        said of the first that shows them, and of no other.
    """
    first, named = "The draw is the first of its seed", f"The scenario names this draw as the study to show{cited}"
    passed_over = "" if replicate else " None was passed over."
    begin = named if replicate else first
    asked = {question.kind for question in scenario.plan.questions}
    if not scenario.patterns:
        return f"{begin}.{passed_over}"
    if any(pattern.question not in asked for pattern in scenario.patterns):
        return f"{begin}; the plan does not ask all that was published.{passed_over}"
    if not _shows(scenario, seed, range(replicate, replicate + 1))[0]:
        return f"{begin}; it does not show all that was published.{passed_over}"
    if not replicate:
        return f"{first}, and shows what was published{cited}.{passed_over} Others may not show it."
    earlier = _first(scenario, seed, replicate)
    if earlier is not None:
        return f"{named}; it shows what was published, but so does draw {earlier} of its seed, before it."
    others = "1 other" if replicate == 1 else f"{replicate:,} others"
    return (
        f"The draw was picked: it is the first of its seed, after {others}, that shows what was published{cited}: "
        f"1 out of {replicate + 1:,}."
    )


def _first(scenario: Scenario, seed: int, end: int) -> int | None:
    """Return the first draw before `end` that shows all patterns."""
    step = max(1, BLOCK_VALUES // scenario.values_per_study)
    for start in range(0, end, step):
        shown = np.flatnonzero(_shows(scenario, seed, range(start, min(end, start + step))))
        if len(shown):
            return start + int(shown[0])
    return None


def _shows(scenario: Scenario, seed: int, replicates: range) -> np.ndarray:
    """Flag the draws that show all patterns."""
    work = Work(scenario.plan, scenario, scenario.patterns, seed, intervals=False)
    shown, _ = work.shown(*work.answers(replicates))[-1]
    return shown
