"""A page with every kind of block, for tests; all of it invented."""

from __future__ import annotations

import io
from typing import Any
from urllib.parse import unquote

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from cytokine_cc.plots.drawing import short
from cytokine_cc.report.document import Bullets, Column, Facts, Page, Picture, Section, Table, Text
from cytokine_cc.report.page import svg_of

HOSTILE = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(2)</script>",
    "<!--<script>",
    "{{ 7 * 7 }}",
    "'; alert(3); '",
    "=HYPERLINK(1)",
    "@SUM(1)",
    "-2+3",
    "µ\u2028β & <b>",
    'CXCL8, "free"\nform',
]
# In the order of the numbers, the other texts after them.
RANGES = [
    "-2.5 (0.3)", "0.0025", "<0.01", "0.375 (0.2)", "0.375 (0.29)", "0.39 (0.1)", "6Ckine", "29.6 to 5.1", "29.6 to 42.7",
    "30 / 9", "30 / 21", "1,020", "1,020.5", "12,345,678", "IL-2", "IL-10", "none", "",
]  # fmt: skip
MIXED = [RANGES[k * 5 % len(RANGES)] for k in range(len(RANGES))]
COLUMNS = [
    Column("analyte", "Analyte"),
    Column("n", "Samples", "count"),
    Column("estimate", "Ratio", "number", "Geometric mean of cases over that of controls"),
    Column("low", "95% from", "number"),
    Column("high", "to", "number"),
    Column("p", "p", "p"),
    Column("below", "Below the limit", "share", "Share of the samples below the limit of detection, <numbers> included"),
    Column("note", "Note"),
]


def effects(names: list[str], seed: int = 1) -> pd.DataFrame:
    """One row an analyte; the last could not be tested, the one before it has infinite ends."""
    rng = np.random.default_rng(seed)
    n = len(names)
    estimate = np.exp(rng.normal(0, 0.4, n))
    frame = pd.DataFrame(
        {
            "analyte": names,
            "n": rng.integers(48, 53, n),
            "estimate": estimate,
            "low": estimate * 0.7,
            "high": estimate * 1.4,
            "p": rng.uniform(0, 1, n) ** 3,
            "below": rng.choice([0, 0.001, 0.25, 1.0], n),
            "note": "",
            "hidden": rng.normal(size=n),
        }
    )
    frame["found"] = frame["p"] <= 0.05
    frame.loc[n - 2, ["low", "high"]] = [0.0, np.inf]
    frame.loc[n - 1, ["estimate", "low", "high", "p"]] = np.nan
    frame.loc[n - 1, "note"] = "not tested: all of 52 values lie below their limits, which differ between the two plates"
    return frame


def csv_of(link: str) -> str:
    """The text of a CSV file that a link holds."""
    kind, _, text = link.partition(",")
    if kind != "data:text/csv;charset=utf-8":
        raise ValueError(kind)
    return unquote(text, errors="strict")


def picture(key: str, names: list[str], width: float = 7, row: float = 0.24) -> Picture:
    """Rows of points, one an analyte."""
    values = np.arange(len(names), dtype=float)
    ax = Figure(figsize=(width, 1.1 + row * len(names)), layout="constrained").add_subplot()
    ax.plot(values, values, "o")
    ax.set_yticks(values, [short(name) for name in names])
    ax.set_xlabel("ratio of geometric means, case / control")
    data = pd.DataFrame({"analyte": names, "estimate": values / 3})
    alt = f"Ratios of {len(names)} analytes; none stands out; the first is {names[0]}"
    return Picture(key, f"Ratios of {', '.join(names[:4])} and others.", alt, svg_of(ax), data)


def everything() -> Page:
    """All kinds of blocks; names that are scripts; a wide table, a long one, a folded one, an empty one."""
    names = [*HOSTILE, *(f"IL-{k}" for k in range(1, 26)), "x" * 90]
    long = pd.concat([effects(names, seed).assign(visit=f"month {seed}") for seed in range(1, 5)], ignore_index=True)
    wide = pd.DataFrame({f"column_{k}": np.linspace(0.001, 3e6, 9) * k for k in range(1, 17)}).assign(
        analyte=[*names[11:19], "z" * 300]
    )
    blocks = [
        Text("Are the levels of cases and controls alike before treatment? " * 4),
        Text(f"The plates differ between the groups: {HOSTILE[0]}.", warning=True),
        Bullets(["Cases had the syndrome.", "w" * 200, HOSTILE[1]]),
        Facts(
            [
                ("Cases", "30 (AIMSS = yes)"),
                ("Source " + HOSTILE[0], "f" * 64),
                ("Matching", "frequency, on age and chemotherapy"),
            ]
        ),
    ]
    tables = [
        Table(
            "effects", "Cases and controls at baseline", effects(names), COLUMNS, mark="found", note="Bold: adjusted p <= 0.05."
        ),
        picture("ratios", names),
    ]
    more = [
        Table(
            "wide",
            "All columns " + HOSTILE[0],
            wide,
            [Column("analyte", "Analyte"), *(Column(f"column_{k}", f"Column {k}", "number") for k in range(1, 17))],
        ),
        Table("long", "At all visits", long, [Column("visit", "Visit"), *COLUMNS], folded=True),
        Table("none", "What was left out", long.head(0), COLUMNS),
        Table("few", "Few", long.head(2), COLUMNS[:3]),
        Table("texts", "Numbers in texts", pd.DataFrame({"range": MIXED}), [Column("range", "Range")]),
        picture("wide picture", names[-8:], width=12),
    ]
    sections = [
        Section("question", "Question and design", blocks),
        Section("baseline", "Baseline", tables),
        Section("more & more", f"More {HOSTILE[0]}", more),
        Section("question", "The same name again", [Text("y" * 120)]),
    ]
    return Page(
        f"Report {HOSTILE[0]}",
        f"of {HOSTILE[1]}",
        "These data are simulated: <b>invented</b>.",
        sections,
        f"Made with {HOSTILE[2]}",
    )


def read_exactly(text: str, **options: Any) -> pd.DataFrame:
    """Read a table, each number as Python reads it: pandas' own reader was a last bit off before 3."""
    cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False, **options)
    return pd.DataFrame({name: _numbers(list(cells[name])) for name in cells.columns})


def _numbers(cells: list[str]) -> list[Any]:
    if set(cells) <= {"True", "False"}:
        return [cell == "True" for cell in cells]
    try:
        return [float(cell) if cell else np.nan for cell in cells] if any(cells) else cells
    except ValueError:
        return cells
