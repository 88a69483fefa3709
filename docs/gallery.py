"""Write docs/gallery.md and its pictures: `python docs/gallery.py`.

Each entry is what a user would type. All data are simulated: no person stands behind them.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes

import cytokine_cc as cc
from cytokine_cc.plots.drawing import off_screen
from cytokine_cc.report.page import svg_of

FOLDER = Path(__file__).parent
SETUP = """\
import cytokine_cc as cc

study = cc.load_study("henry2010")                  # simulated: 30 cases, 22 controls, 36 factors, three visits
analysis = cc.analyze(study)
models = cc.change_side_by_side(study)              # warns of baselines that differ
censored = cc.load_study("heavy_censoring")         # simulated: many values below the limit
plates = cc.load_study("plate_confounded")          # simulated: cases and controls unlike over plates
scenario = cc.load_scenario("henry2010")
rates = cc.certify(cc.Plan(), scenario, n_sim=500, seed=1, intervals=False)
"""


class Entry(NamedTuple):
    """A question, what it shows, and the line that draws it."""

    name: str
    question: str
    shows: str
    code: str


ENTRIES = [
    Entry(
        "volcano",
        "Which analytes differ, and by how much?",
        "Ratio against raw p. The line is where the adjusted p-value reaches the level.",
        "cc.plots.volcano(analysis.baseline)",
    ),
    Entry(
        "forest",
        "How precise is each ratio, and how much of it rests on values below the limit?",
        "Ratios with intervals in panel order; filled: significant after adjustment; beside each row the share below the limit.",
        "cc.plots.forest(analysis.baseline)",
    ),
    Entry(
        "distributions",
        "What was measured?",
        "Each value, and the quartiles by group. Open triangles stand at the limit that a value lies below.",
        'cc.plots.distributions(study, ["IL-17", "GM-CSF", "IL-6", "IL-4", "MCP-1"])',
    ),
    Entry(
        "paired_lines",
        "Who rose and who fell?",
        "One line a subject, cases beside controls.",
        'cc.plots.paired_lines(study, "IL-17")',
    ),
    Entry(
        "change",
        "Did levels change within the groups?",
        "Mean change from baseline as a ratio, with its interval, by visit and group.",
        'cc.plots.change(analysis.change_within.select(analyte="IL-17"))',
    ),
    Entry(
        "change_panel",
        "Did anything in the panel change?",
        "The same for several analytes; in each row the visits from top to bottom.",
        "cc.plots.change(analysis.change_within.select(analyte=list(study.analytes[:12])))",
    ),
    Entry(
        "side_by_side",
        "Do four models of change agree?",
        "Two models that expect equal changes above two that expect a catch-up, the grey stroke. Grey ground: baselines differ.",
        'cc.plots.side_by_side(models, ["IL-5", "IL-7", "IL-17", "IL-6", "TNF-a"], visit="month6")',
    ),
    Entry(
        "detection",
        "How much lies below the limits, and in whom?",
        "Share below (from the left) and above (from the right) by group.",
        "cc.plots.detection(censored)",
    ),
    Entry(
        "correlation",
        "Which analytes go together?",
        "Rank correlations at baseline, ordered by average linkage.",
        "cc.plots.correlation(study)",
    ),
    Entry(
        "p_values",
        "Are there more small p-values than chance would give?",
        "Unadjusted p-values; the line is what true nulls would give on average.",
        "cc.plots.p_values(analysis.baseline)",
    ),
    Entry(
        "p_values_qq",
        "Where do they leave what chance would give?",
        "The band holds all points of true nulls in 95% of studies, if the tests are independent.",
        'cc.plots.p_values(analysis.baseline, kind="qq")',
    ),
    Entry(
        "balance",
        "Do the groups agree on what they were matched on?",
        "Standardised differences of the covariates; filled: matched on.",
        "cc.plots.balance(study)",
    ),
    Entry(
        "samples",
        "Which samples exist?",
        "Subjects by visits.",
        "cc.plots.samples(study)",
    ),
    Entry(
        "plates",
        "Were cases and controls spread over the plates alike?",
        "Numbers of samples by plate and group.",
        "cc.plots.plates(plates)",
    ),
    Entry(
        "error_rates",
        "How often does the plan err where nothing differs?",
        "Share of unadjusted p below the level by analyte whose null is true, and their mean with two Monte Carlo errors.",
        "cc.plots.error_rates(rates)",
    ),
    Entry(
        "error_rates_power",
        "How large must a difference be to be found?",
        "Power over the true ratio of each analyte that differs.",
        'cc.plots.error_rates(rates, measure="power", effects=scenario.effects)',
    ),
]


def page() -> str:
    """Return the text of the gallery."""
    lines = [
        "# Gallery",
        "",
        "Each picture is the line above it, after these; all studies are simulated. `python docs/gallery.py` draws them anew.",
        "",
        f"```python\n{SETUP}```",
    ]
    for entry in ENTRIES:
        lines += ["", f"## {entry.question}", "", f"`{entry.code}`", "", entry.shows, ""]
        lines += [f"![{entry.question} {entry.shows}](gallery/{entry.name}.svg)"]
    return "\n".join(lines) + "\n"


def drawn() -> Iterator[tuple[Entry, Axes]]:
    """Draw each entry."""
    space: dict = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cc.AnalysisWarning)  # of baselines that differ, which a picture here shows
        exec(SETUP, space)
    with off_screen():
        for entry in ENTRIES:
            yield entry, eval(entry.code, {**space, "cc": cc})


def main() -> None:
    """Write the page and its pictures."""
    (FOLDER / "gallery").mkdir(exist_ok=True)
    for entry, ax in drawn():
        (FOLDER / "gallery" / f"{entry.name}.svg").write_text(svg_of(ax), encoding="utf-8", newline="\n")
    (FOLDER / "gallery.md").write_text(page(), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
