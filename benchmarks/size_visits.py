"""Size of `lda` and `clda` at 5%: python benchmarks/size_visits.py [replicates]. A markdown table, as their docstrings quote it.

Two visits correlated .7, no difference between groups, values missing at random positions of either visit.
"""

from __future__ import annotations

import sys

import numpy as np

from cytokine_cc.kernels.longitudinal import clda, lda

SEED, CORRELATION = 5, 0.7
GROUPS = ((30, 22), (10, 10), (6, 6))
MISSING = (0.0, 0.15, 0.3)


def rejections(n1: int, n2: int, missing: float, n_sim: int) -> list[float]:
    """Return the size of both models in per cent, of the studies that could be tested."""
    rng = np.random.default_rng(SEED)
    person = rng.normal(size=(n_sim, 1, n1 + n2)) * np.sqrt(CORRELATION)
    values = person + rng.normal(size=(n_sim, 2, n1 + n2)) * np.sqrt(1 - CORRELATION)
    values = np.where(rng.random(values.shape) < missing, np.nan, values)
    visits = values[..., :n1], values[..., n1:]
    p = [model(visits[0][..., 1, :], visits[1][..., 1, :], visits=visits, at=1, conf_level=None).p_value for model in (lda, clda)]
    return [100 * float((own[~np.isnan(own)] <= 0.05).mean()) for own in p]


def main() -> None:
    n_sim = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print("| cases and controls | missing | `lda` | `clda` |\n|---|---|---|---|")
    for n1, n2 in GROUPS:
        for missing in MISSING:
            sizes = " | ".join(f"{size:.1f}%" for size in rejections(n1, n2, missing, n_sim))
            print(f"| {n1} and {n2} | {missing:.0%} | {sizes} |", flush=True)


if __name__ == "__main__":
    main()
