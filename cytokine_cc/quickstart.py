"""The quick-start study: a small invented panel, written as a laboratory would send it."""

from __future__ import annotations

from typing import Any

import numpy as np

from .text_files import csv_text, write_files

SEED = 20260301
N_CASE, N_CONTROL = 30, 22
PLATES = ("P1", "P2", "P3")
# analyte -> (geometric mean in pg/mL, log-SD, limit as share of the mean, log ratio in cases); all assumed
PANEL = {
    "IL-1b": (1.1, 0.90, 0.40, 0.0),
    "IL-1RA": (310.0, 0.70, 0.10, 0.0),
    "IL-2R": (140.0, 0.55, 0.08, -0.75),
    "IL-4": (4.2, 0.80, 0.95, 0.0),
    "IL-5": (1.6, 0.85, 0.30, 0.0),
    "IL-6": (3.1, 0.85, 0.25, 0.0),
    "IL-7": (21.0, 0.60, 0.10, 0.0),
    "IL-8": (12.0, 0.55, 0.10, 0.0),
    "IL-10": (5.5, 0.90, 0.35, 0.0),
    "IL-12p40": (160.0, 0.60, 0.10, 0.0),
    "IL-17": (9.0, 0.95, 0.60, 0.0),
    "TNF-a": (7.4, 0.70, 0.15, 0.0),
    "IP-10": (95.0, 0.45, 0.05, 0.0),
    "MCP-1": (280.0, 0.40, 0.03, 0.0),
    "MIG": (60.0, 0.55, 0.06, 0.0),
    "FGF-basic": (48.0, 0.60, 0.20, -0.75),
    "HGF": (350.0, 0.55, 0.05, -0.70),
    "VEGF": (110.0, 0.70, 0.12, 0.0),
}
ICC, WELL_CV, PLATE_SD = 0.7, 0.08, 0.1

STUDY_TOML = f"""\
# A small invented study, to try the library on. No person and no laboratory stands behind it:
# names, means, spreads, limits and effects are assumed. Made by cytokine_cc.quickstart (seed {SEED}).

[data]
file = "panel.csv"          # one row a sample and analyte, as a laboratory sends it
layout = "long"
simulated = "quickstart, seed {SEED}"   # nobody measured this; all that is written about it says so
subject = "Patient"
visit = "Visit"
plate = "Plate"
analyte = "Analyte"
value = "Concentration"     # numbers, "<3.2", "OOR <", ">10000", "*1.04", blank
unit = "Unit"
lower_limit = "LLOQ"        # differs by plate

[subjects]
file = "clinical.csv"       # groups and covariates, one row a patient
on = "Patient"

[design]
group = "Group"
case = "AIMSS"
control = "no AIMSS"
baseline = "baseline"
matched_on = ["Prior chemotherapy"]

# [plan] is left out: Welch's t test on log2 values, L/2 below the limit, Benjamini-Hochberg.
# To choose otherwise (once a question is named, those that are not named are not asked):
#   [plan]
#   adjust = "holm"
#   [plan.baseline]
#   test = "mann_whitney"
#   [plan.change_between]
"""


def quickstart_files() -> dict[str, str]:
    """Draw the study.

    Returns
    -------
    dict of str
        File name -> text: panel.csv, clinical.csv, study.toml; always the same.
    """
    rng = np.random.default_rng(SEED)
    n = N_CASE + N_CONTROL
    case = rng.permutation(np.arange(n) < N_CASE)
    subjects = [f"P{i + 1:03d}" for i in range(n)]
    clinical = [
        [subject, "AIMSS" if is_case else "no AIMSS", round(float(age)), "yes" if chemo else "no"]
        for subject, is_case, age, chemo in zip(subjects, case, rng.normal(58, 8, n), rng.random(n) < 0.5, strict=True)
    ]
    # Both samples of a patient on one plate; groups spread over the plates.
    plate = np.empty(n, dtype=int)
    for group in (True, False):
        plate[case == group] = rng.permutation(np.arange((case == group).sum()) % len(PLATES))
    seen = np.ones((2, n), dtype=bool)
    seen[1, rng.choice(n, 4, replace=False)] = False
    rows = [["Patient", "Visit", "Plate", "Analyte", "Concentration", "Unit", "LLOQ"]]
    levels = {name: _levels(rng, case, plate, *row) for name, row in PANEL.items()}
    for v, visit in enumerate(("baseline", "month6")):
        for i in np.flatnonzero(seen[v]):
            for name, (cells, limits) in levels.items():
                rows.append([subjects[i], visit, PLATES[plate[i]], name, cells[v][i], "pg/mL", f"{limits[plate[i]]:.3g}"])
    return {
        "panel.csv": csv_text(rows),
        "clinical.csv": csv_text([["Patient", "Group", "Age", "Prior chemotherapy"], *clinical]),
        "study.toml": STUDY_TOML,
    }


def write_quickstart(folder: Any) -> None:
    """Write the files of the study to a folder.

    Parameters
    ----------
    folder : path
    """
    write_files(quickstart_files(), folder)


def _levels(
    rng: np.random.Generator, case: np.ndarray, plate: np.ndarray, mean: float, sd: float, limit: float, effect: float
) -> tuple[list[list[str]], np.ndarray]:
    """One analyte: its cells at both visits as text, and its limit on each plate."""
    n = len(case)
    shift = rng.normal(0, PLATE_SD, len(PLATES))
    subject = rng.normal(0, sd * np.sqrt(ICC), n) + effect * case + shift[plate]
    limits = mean * limit * np.exp(rng.normal(0, 0.15, len(PLATES)))
    cells = []
    for _ in range(2):
        level = mean * np.exp(subject + rng.normal(0, sd * np.sqrt(1 - ICC), n) + rng.normal(0, WELL_CV, n))
        kind = rng.random(n)
        cells.append([_cell(x, float(f"{limits[p]:.3g}"), k) for x, p, k in zip(level, plate, kind, strict=True)])
    return cells, limits


def _cell(level: float, limit: float, kind: float) -> str:
    if kind < 0.01:
        return ""
    if level < limit:
        if kind > 0.9:
            return f"*{level:.3g}"
        return "OOR <" if kind < 0.1 else f"<{limit:.3g}"
    return ">2000" if level > 2000 else f"{level:.4g}"
