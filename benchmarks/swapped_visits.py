"""How often does the check of swapped visits speak where none were swapped, and how often does it see those that were?

    python benchmarks/swapped_visits.py [studies of each kind] [processes]

Sound studies: changes that are multivariate normal or heavy-tailed, independent or correlated, with effects that persons share or
respond to differently; percent of studies with a warning, and with a failure. Then 1, 2, 3, 5 swapped cases of 30 where treatment
moves 10 of 36 analytes: percent of the swapped who are named, of studies that fail; and what the check says it would see.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator

import numpy as np
from joblib import Parallel, delayed

import cytokine_cc as cc
from cytokine_cc.checks.facts import Facts
from cytokine_cc.checks.visits import LEAST_PAIRS, ODDS, SURE, _changes, turned_round

SIZES = [(30, 22), (20, 20), (12, 12), (9, 9)]
STRONG = {"IL-1b": 8.0, "IL-6": 6.0, "TNF-a": 3.0, "IL-8": 3.0, "MCP-1": 2.0}


def drawn(rng: np.random.Generator, n: int, r: float, tail: str, effect: float, m_moved: int, vary: float) -> np.ndarray:
    """Changes of one group in SD, (subjects, 36 analytes); the SD of persons' response is `vary` times the effect."""
    m = 36
    common, own = rng.normal(size=(n, 1)), rng.normal(size=(n, m))
    if tail == "t3":  # of the common part and of each analyte
        common, own = rng.standard_t(3, size=(n, 1)) / np.sqrt(3), rng.standard_t(3, size=(n, m)) / np.sqrt(3)
    z = np.sqrt(r) * common + np.sqrt(1 - r) * own
    if tail == "t4, whole subjects":
        z *= np.sqrt(2 / rng.chisquare(4, size=(n, 1)))
    return z + np.where(np.arange(m) < m_moved, effect, 0.0) * (1 + vary * rng.normal(size=(n, 1)))


def kinds() -> Iterator[tuple[str, tuple]]:
    for size in SIZES:
        for r in (0.0, 0.5, 0.9):
            yield f"nothing changes, {size}, r {r}", (size, r, "normal", 0.0, 0, 0.0)
    for tail in ("normal", "t4, whole subjects", "t3"):
        for size in SIZES:
            for vary in (0.0, 0.4):
                for effect, m_moved in ((1.0, 36), (1.5, 10), (0.8, 36)):
                    for r in (0.0, 0.5, 0.9):
                        kind = f"{tail}, {effect} SD in {m_moved}, response {'varies' if vary else 'alike'}, {size}, r {r}"
                        yield kind, (size, r, tail, effect, m_moved, vary)


def least(groups: list[np.ndarray]) -> float:
    return min((turned_round(group).min() for group in groups if len(group) >= LEAST_PAIRS), default=0.0)


def sound(number: int, kind: tuple, n: int) -> np.ndarray:
    size, *how = kind
    rng = np.random.default_rng([20261122, number])
    return np.array([least([drawn(rng, own, *how) for own in size]) for _ in range(n)])


def groups_of(study: cc.Study) -> list[np.ndarray]:
    return [change for *_, change in _changes(study, Facts(study).levels())]


def from_scenario(scenario: cc.Scenario, replicates: range) -> np.ndarray:
    return np.array([least(groups_of(scenario.draw(4, k))) for k in replicates])


def treated(factor: float) -> cc.Scenario:
    moved = {f"M{i:02d}": factor for i in range(1, 11)}
    return cc.load_scenario("null").vary({"change.both": moved, "plates.n": 3, "plates.log_sd": 0.1}, name="treated")


def with_swaps(scenario: cc.Scenario, n_swapped: int, replicates: range) -> np.ndarray:
    """(studies, [share of the swapped named, others named, fails, share in whom a swap would be seen])"""
    rows = []
    for k in replicates:
        cases, *_ = groups_of(scenario.draw(4, k))
        cases[:n_swapped] *= -1
        odds = turned_round(cases)
        named = odds < -np.log(ODDS)
        rows.append(
            [
                named[:n_swapped].mean() if n_swapped else 0,
                named[n_swapped:].any(),
                odds.min() < -np.log(SURE),
                (odds > np.log(ODDS)).mean(),
            ]
        )
    return np.array(rows, dtype=float)


def main(n: int = 40, jobs: int = 2) -> None:
    start, run = time.perf_counter(), Parallel(n_jobs=jobs)
    named = list(kinds())
    found = run(delayed(sound)(i, kind, n) for i, (_, kind) in enumerate(named))
    print("Sound studies: percent with a warning, with a failure; likeliest swap (log odds)")
    for head in ("nothing changes", "normal", "t4, whole subjects", "t3"):
        own = np.concatenate([odds for odds, (name, _) in zip(found, named, strict=True) if name.startswith(head)])
        print(f"  {head} ({len(own)}): {_rates(own)}")
    strong = cc.load_scenario("inflammatory_cascade").vary({"change.case": STRONG}, name="strong")
    scenarios = [*(cc.load_scenario(name) for name in ("henry2010", "inflammatory_cascade")), strong, treated(0.4), treated(0.6)]
    for scenario in scenarios:
        parts = run(delayed(from_scenario)(scenario, range(i, i + 20)) for i in range(0, 10 * n, 20))
        print(f"  {scenario.name} ({10 * n}): {_rates(np.concatenate(parts))}")
    print(
        "30 cases, 10 of 36 analytes moved: percent of the swapped named, studies with another named, that fail; said to be seen"
    )
    for factor in (0.4, 0.5, 0.6):
        for n_swapped in (0, 1, 2, 3, 5):
            parts = run(delayed(with_swaps)(treated(factor), n_swapped, range(i, i + 20)) for i in range(0, 4 * n, 20))
            mean = 100 * np.concatenate(parts).mean(axis=0)
            print(f"  to {factor}, {n_swapped} swapped: {', '.join(f'{x:.1f}' for x in mean)}")
    print(f"{time.perf_counter() - start:.0f} s")


def _rates(odds: np.ndarray) -> str:
    return ", ".join(f"{100 * np.mean(odds < -np.log(bar)):.2f}" for bar in (ODDS, SURE)) + f"; {odds.min():.1f}"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
