"""Words and names that the parts of the report share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from ..kernels.common import BASELINE, BETWEEN, WITHIN
from ..labels import as_labels, coded
from ..limits import beyond_limits
from ..panel import State
from ..questions import Question
from ..results import Results, is_ratio, no_effect
from ..study import Study
from ..wording import CORRECTION_NAMES
from ..words import counted, joined, percent, visit_name
from .document import Column
from .summary import number

MOST_NAMES = 12
TITLES = {BASELINE: "Baseline", WITHIN: "Change within groups", BETWEEN: "Change between groups"}
ROLES = {"case": "cases", "control": "controls"}


def listed(names: Iterable[str], most: int = MOST_NAMES) -> str:
    """Write names as a list, those beyond the first few counted.

    Examples
    --------
    >>> listed(["IL-6", "IL-8", "TNF-a"]), listed(["IL-6", "IL-8", "TNF-a"], most=2)
    ('IL-6, IL-8 and TNF-a', 'IL-6, IL-8 and 1 more')
    """
    texts = [str(name) for name in names]
    if len(texts) > most:
        texts = [*texts[:most], f"{len(texts) - most} more"]
    return joined(texts) or "none"


def part(count: int, of: int) -> str:
    """Write a count with its share.

    Examples
    --------
    >>> part(2, 30)
    '2 of 30 (7%)'
    """
    return f"{count:,} of {of:,} ({percent(count / of)})" if of else f"{count:,} of 0"


def begin(text: str) -> str:
    """Make the first letter of a sentence a capital."""
    return f"{text[:1].upper()}{text[1:]}"


def group_labels(study: Study) -> dict[str, str]:
    """Return the user's own names of cases and controls."""
    return {"case": study.design.case, "control": study.design.control}


def group_title(study: Study, role: str) -> str:
    """Name a group with its label: "cases (AIMSS)"; a label that says no more is left out."""
    label = group_labels(study)[role]
    return ROLES[role] if label.lower() in (role, ROLES[role]) else f"{ROLES[role]} ({label})"


def group_columns(study: Study) -> list[Column]:
    """Return the columns of a table of counts by group."""
    return [Column(role, group_title(study, role), "count") for role in ROLES]


def before(study: Study) -> str:
    """Name the baseline."""
    return "baseline" if study.baseline == "baseline" else f"baseline ({visit_name(study.baseline)})"


def role_of(contrast: str) -> str:
    """Return the group that a change within a group is about, "" for a comparison of groups."""
    return next((role for role in ROLES if contrast.endswith(f" in {role}")), "")


def contrast_title(contrast: str, visit: str, study: Study) -> str:
    """Say what is compared, with the user's labels."""
    labels, visit, first = group_labels(study), visit_name(visit), visit_name(study.baseline)
    if role := role_of(contrast):
        return f"{visit} against {first} in {group_title(study, role)}"
    groups = f"{labels['case']} against {labels['control']}"
    return f"change from {first} to {visit}, {groups}" if contrast.startswith("change") else f"{groups} at {visit}"


def level_words(question: Question, alpha: float) -> str:
    """Say at which level results are called significant."""
    return (
        f"p of {alpha:g} or less, not adjusted"
        if question.adjust == "none"
        else f"{CORRECTION_NAMES[question.adjust]}-adjusted p of {alpha:g} or less"
    )


def found(results: Results, alpha: float) -> pd.Series:
    """Flag the rows that are significant at the plan's level."""
    return (results.table["p_adjusted"] <= alpha).astype(bool)


def neutral(table: pd.DataFrame) -> np.ndarray:
    """Return the value of each row's estimate that means no difference; NaN where there is none."""
    return np.array([no_effect(estimand) for estimand in table["estimand"]])


def span(low: float, high: float) -> str:
    """Write an interval.

    Examples
    --------
    >>> span(0.5, 2.25), span(0.5, float("inf"))
    ('0.5 to 2.25', '0.5 to no bound')
    """
    if np.isnan(low) or np.isnan(high):
        return ""
    ends = ["no bound" if np.isinf(end) else number(end) for end in (low, high)]
    return f"{ends[0]} to {ends[1]}"


def estimate_word(estimand: str) -> str:
    """Name the kind of an estimate in a word.

    Examples
    --------
    >>> estimate_word("P(case > control) + P(=)/2"), estimate_word("odds ratio per doubling"), estimate_word("none")
    ('probability', 'odds ratio per doubling', 'estimate')
    """
    if estimand.startswith("odds"):
        return estimand
    if is_ratio(estimand):
        return "ratio"
    return "probability" if estimand.startswith("P(") else "difference" if "difference" in estimand else "estimate"


def at_edge(row: pd.Series) -> bool:
    """Tell whether an estimate is no figure to read: a ratio of 0, or one without bound."""
    return bool(np.isinf(row["estimate"]) or (row["estimate"] == 0 and is_ratio(row["estimand"])))


def _known_end(row: pd.Series) -> str:
    """Write the end of the interval that is known, if one is."""
    end, word = (row["conf_low"], "at least") if row["estimate"] == np.inf else (row["conf_high"], "at most")
    known = np.isfinite(end) and not (end == 0 and is_ratio(row["estimand"]))
    return f", {word} {number(end)}" if known else ""


def estimate_text(row: pd.Series) -> str:
    """Write an analyte with its estimate and interval, as far as there is one."""
    if np.isnan(row["estimate"]):
        return str(row["analyte"])
    interval, word = span(row["conf_low"], row["conf_high"]), estimate_word(row["estimand"])
    if at_edge(row):
        return f"{row['analyte']} ({word} at the edge{_known_end(row)})"
    return f"{row['analyte']} ({word} {number(row['estimate'])}{', ' + interval if interval else ''})"


def everyone(study: Study) -> pd.DataFrame:
    """Return all subjects of the file: index subject, columns role and usable."""
    samples, design = study.panel.samples, study.design
    roles = {design.case: "case", design.control: "control"}
    first = samples.drop_duplicates("subject")
    role = [roles[label] for label in as_labels(first[design.group])]
    index = pd.Index(first["subject"], dtype=object, name="subject")
    return pd.DataFrame({"role": role, "usable": index.isin(study.subjects.index)}, index=index)


def visit_labels(study: Study) -> tuple[str, ...]:
    """Return all visits that the design names, those of the baseline first."""
    return (*study.baseline_visits, *study.visits)


def present(study: Study, role: str, visit: int, names: Sequence[str] | None = None) -> int:
    """Count the subjects of a group, or those of `names` in it, with a sample at a visit (position in `visit_labels`)."""
    own = (study.subjects["role"] == role).to_numpy(dtype=bool)
    if names is not None:
        own = own & study.subjects.index.isin(names)
    return int((study.sample_at[visit, own] >= 0).sum())


class Move(NamedTuple):
    """How one later visit lies over the plates.

    Attributes
    ----------
    visit : str
    there, moved : dict
        Role -> subjects with a sample then, and those of them whose sample lies on no plate of their own baseline.
    shared : bool
        Whether some plate holds samples of both the baseline and this visit.
    """

    visit: str
    there: dict[str, int]
    moved: dict[str, int]
    shared: bool


def plate_moves(study: Study) -> list[Move]:
    """Say of each later visit who was measured on another plate than at baseline; nothing where plates are not named."""
    if not study.panel.has_plates:
        return []
    at, n = study.sample_at, len(study.baseline_visits)
    plate = np.where(at >= 0, coded(study.panel.samples["plate"])[0][at], -1)
    roles = study.subjects["role"].to_numpy()
    moves = []
    for label, own in zip(study.visits, plate[n:], strict=True):
        there = own >= 0
        moved = there & ~(plate[:n] == own).any(axis=0)
        by_role = [{role: int((flags & (roles == role)).sum()) for role in ROLES} for flags in (there, moved)]
        moves.append(Move(label, by_role[0], by_role[1], shared=bool(np.isin(own[there], plate[:n]).any())))
    return moves


def cells(study: Study, visits: Sequence[int] | slice = slice(None)) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Flag which values of usable subjects there are, lie below, and above a limit; shapes (visits, analytes, subjects)."""
    arrays = study.arrays
    taken = [array[visits] for array in (arrays.value, arrays.state, arrays.lower, arrays.upper)]
    below, above = beyond_limits(*taken)
    return taken[1] != State.MISSING, below, above


def analytes_of(study: Study) -> str:
    """Count the analytes, by category where it is known."""
    category = study.panel.analytes["category"]
    known = category[category != ""]
    total = counted(len(study.analytes), "analyte")
    if not len(known):
        return total
    kinds = [f"{name} {count}" for name, count in known.value_counts(sort=False).items()]
    rest = len(category) - len(known)
    return f"{total} ({', '.join([*kinds, *([f'{rest} of no category'] if rest else [])])})"
