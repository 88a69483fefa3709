"""Make the files of notebook 03: an invented panel, as untidy as laboratories send them.

No person and no laboratory stands behind them: names, means, spreads, limits and effects are assumed. The same files each time:
``python notebooks/data/make_lab_export.py`` writes lab_export.csv and clinical.csv beside this script.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

SEED = 20260417
N_CASE, N_CONTROL = 20, 18
VISITS, PLATES = ("pre", "m6"), ("1", "2")
# analyte -> (geometric mean in pg/mL, log-SD, limit on plates 1 and 2, log ratio in cases)
PANEL = {
    "IL-1b": (0.6, 0.90, (0.55, 0.80), 0.0),
    "IL-6": (3.0, 0.85, (0.80, 1.10), 0.0),
    "IL-8": (12.0, 0.50, (1.0, 1.0), 0.0),
    "IL-10": (2.4, 0.90, (1.6, 2.2), -0.80),
    "TNF-a": (7.5, 0.60, (1.2, 1.2), 0.0),
    "IP-10": (150.0, 0.50, (5.0, 5.0), 0.0),
    "MCP-1": (4500.0, 0.45, (20.0, 20.0), 0.0),
    "VEGF": (110.0, 0.60, (12.0, 16.0), -0.65),
}
UPPER = 10000
ICC, WELL_CV, PLATE_SD = 0.7, 0.07, 0.08
ONLY_PRE, ONLY_M6 = (7, 21), (23,)


def files() -> dict[str, str]:
    """Return file name -> text."""
    rng = np.random.default_rng(SEED)
    n = N_CASE + N_CONTROL
    case = rng.permutation(np.arange(n) < N_CASE)
    plate = np.empty(n, dtype=int)  # both samples of a patient on one plate, groups spread over the plates
    for group in (True, False):
        plate[case == group] = rng.permutation(np.arange((case == group).sum()) % 2)
    age, chemo = rng.normal(59, 8, n), rng.random(n) < 0.5
    clinical = [["Patient", "Group", "Age", "Prior chemotherapy"]]
    for i in range(n):
        clinical.append([f"{i + 1}.0", "1" if case[i] else "2", f"{age[i]:.0f}", "yes" if chemo[i] else "no"])
    columns = {name: _cells(rng, case, plate, *row) for name, row in PANEL.items()}
    rows = [["Patient", "Visit", "Plate", "Well", *PANEL]]
    for v, visit in enumerate(VISITS):
        for i in range(n):
            if i + 1 not in (ONLY_M6 if visit == "pre" else ONLY_PRE):
                for well in range(2):
                    rows.append(
                        [str(i + 1), visit, PLATES[plate[i]], "ab"[well], *(cells[v][i][well] for cells in columns.values())]
                    )
    return {
        "lab_export.csv": "".join(";".join(cells) + "\n" for cells in rows),
        "clinical.csv": "".join(",".join(cells) + "\n" for cells in clinical),
    }


def _cells(rng: np.random.Generator, case, plate, mean, sd, limits, effect) -> list[list[list[str]]]:
    """One analyte: its cells by visit, patient and well."""
    n = len(case)
    person = rng.normal(0, sd * np.sqrt(ICC), n) + effect * case + rng.normal(0, PLATE_SD, 2)[plate]
    cells = []
    for _ in VISITS:
        level = np.log(mean) + person + rng.normal(0, sd * np.sqrt(1 - ICC), n)
        kind, wells = rng.random(n), np.exp(level[:, None] + rng.normal(0, WELL_CV, (n, 2)))
        cells.append([[_cell(x, limits[plate[i]], kind[i]) for x in wells[i]] for i in range(n)])
    return cells


def _cell(x: float, limit: float, kind: float) -> str:
    if kind < 0.012:
        return ""
    if x > UPPER:
        return "OOR >" if kind < 0.5 else f">{UPPER}"
    if x >= limit:
        text = f"{x:.4g}"
    elif kind > 0.85:
        text = f"*{x:.3g}"
    else:
        text = "OOR <" if kind < 0.25 else "ND" if kind < 0.4 else f"<{limit:g}"
    return text.replace(".", ",")


if __name__ == "__main__":
    for name, text in files().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8", newline="")
