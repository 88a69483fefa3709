"""Size of every test under the null: python benchmarks/size.py [replicates]. Prints two markdown tables.

The first is of single analytes of three shapes, the second of the scenario `null` by `certify` (36 analytes a study).
"""

from __future__ import annotations

import sys

import numpy as np

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS
from cytokine_cc.kernels.common import QUESTIONS
from cytokine_cc.questions import KINDS

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


def certified(n_sim: int) -> None:
    """Print the sizes that `certify` gives under the scenario `null`."""
    print("| question | test | size | Monte Carlo error |\n|---|---|---|---|")
    scenario = cc.load_scenario("null")
    for kind in QUESTIONS:
        for name, entry in TESTS.items():
            if kind in entry.questions and (kind == "change_within" or not entry.matched):
                groups = {"groups": ("case",)} if kind == "change_within" else {}
                plan = cc.Plan(**{**dict.fromkeys(QUESTIONS), kind: KINDS[kind](name, adjust="none", **groups)})
                rates = cc.certify(plan, scenario, n_sim=n_sim, seed=SEED, n_jobs=-1, intervals=False)
                row = rates.select(measure="size", analyte="").table.iloc[0]
                print(f"| {kind} | `{name}` | {row['estimate']:.3%} | {row['mcse']:.3%} |")


def main() -> None:
    n_sim = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print(f"| test | {' | '.join(SHAPES)} |")
    print(f"|---|{'---|' * len(SHAPES)}")
    for name in ("student", "welch", "mann_whitney", "paired_t", "signed_rank"):
        print(f"| `{name}` | {' | '.join(f'{rejections(name, shape, n_sim):.2%}' for shape in SHAPES)} |")

    print()
    certified(n_sim)


if __name__ == "__main__":
    main()
