"""Size of every test under the null: python benchmarks/size.py [replicates]. Prints a markdown table."""

from __future__ import annotations

import sys

import numpy as np

from cytokine_cc.kernels import TESTS

N_CASE, N_CONTROL, ICC, SEED = 30, 22, 0.7, 1
SHAPES = {
    "normal": lambda z: z,
    "tied to 12 levels": lambda z: np.clip(np.round(z * 2), -5, 6),
    "half at one floor": lambda z: np.maximum(z, 0.0),
}


def rejections(name: str, shape: str, n_sim: int) -> float:
    """Share of simulated studies with p <= .05."""
    rng = np.random.default_rng(SEED)
    paired = TESTS[name].paired
    if paired:  # two visits of one group
        common = rng.normal(size=(n_sim, N_CASE)) * np.sqrt(ICC)
        x, y = (SHAPES[shape](common + rng.normal(size=(n_sim, N_CASE)) * np.sqrt(1 - ICC)) for _ in range(2))
    else:
        x, y = (SHAPES[shape](rng.normal(size=(n_sim, n))) for n in (N_CASE, N_CONTROL))
    p = TESTS[name].function(x, y, alternative="two-sided", conf_level=None).p_value
    return float((p <= 0.05).mean())


def main() -> None:
    n_sim = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"| test | {' | '.join(SHAPES)} |")
    print(f"|---|{'---|' * len(SHAPES)}")
    for name in ("student", "welch", "mann_whitney", "paired_t", "signed_rank"):
        print(f"| `{name}` | {' | '.join(f'{rejections(name, shape, n_sim):.2%}' for shape in SHAPES)} |")


if __name__ == "__main__":
    main()
