"""Size of `tobit` in small groups, plain and calibrated: python benchmarks/size_tobit.py [replicates]. A markdown table."""

from __future__ import annotations

import sys

import numpy as np
from scipy.special import ndtri

from cytokine_cc.kernels.tobit import tobit

SEED, SHIFT = 20, 0.4
GROUPS = ((6, 6), (10, 10), (30, 22), (50, 50))
SHARES = (0, 0.25, 0.5, 0.75)


def rejections(n1: int, n2: int, share: float, kind: str, n_sim: int) -> tuple[str, float, float]:
    """Plain and calibrated size in per cent, the share not tested, and that of estimates at the edge."""
    rng = np.random.default_rng(SEED)
    n = n1 + n2
    value = rng.normal(size=(n_sim, 1, n))
    half = np.broadcast_to((np.arange(n) % 2).astype(float), value.shape)
    limit = np.full(value.shape, ndtri(share) if share else -np.inf)
    covariates = None
    if kind == "two limits":
        limit = limit + SHIFT * (2 * half - 1)
    if kind == "plate":
        value, limit = value + SHIFT * half, limit + SHIFT * half
        covariates = half[..., :n1], half[..., n1:]
    low, point = np.where(value < limit, -np.inf, value), np.maximum(value, limit)
    (x, y), (px, py) = ((part[..., :n1], part[..., n1:]) for part in (low, point))
    found = [
        tobit(x, y, conf_level=None, bounds=(px, x, px, py, y, py), covariates=covariates, calibrated=calibrated)
        for calibrated in (False, True)
    ]
    tested = ~np.isnan(found[0].p_value)
    sizes = [100 * float((s.p_value[tested] <= 0.05).mean()) for s in found]
    return "{:.2f} / {:.2f}".format(*sizes), float(1 - tested.mean()), float(np.isinf(found[0].estimate).mean())


def main() -> None:
    n_sim = int(sys.argv[1]) if len(sys.argv) > 1 else 20_000
    print("| cases and controls | below | one limit | two limits | plate in the model | not tested | at the edge |")
    print("|---|---|---|---|---|---|---|")
    for n1, n2 in GROUPS:
        for share in SHARES:
            cells = [rejections(n1, n2, share, kind, n_sim) if share or kind != "two limits" else ("", 0, 0) for kind in KINDS]
            shown = " | ".join(cell[0] for cell in cells)
            print(f"| {n1} and {n2} | {share:.0%} | {shown} | {cells[0][1]:.1%} | {cells[0][2]:.1%} |")


KINDS = ("one limit", "two limits", "plate")

if __name__ == "__main__":
    main()
