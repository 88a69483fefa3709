"""Words and names that the parts of the report share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from ..kernels.common import BASELINE, BETWEEN, WITHIN
from ..labels import as_labels
from ..limits import beyond_limits
from ..panel import State
from ..plan import Question
from ..results import Results, is_ratio, no_effect
from ..study import Study
from .summary import counted, number

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
    return " and ".join(filter(None, [", ".join(texts[:-1]), texts[-1]])) if texts else "none"


def percent(share: float) -> str:
    """Write a share in whole percent, and what is little as "<1%".

    Examples
    --------
    >>> percent(0.126), percent(0.004), percent(0.0)
    ('13%', '<1%', '0%')
    """
    return "<1%" if 0 < share < 0.005 else f"{share:.0%}"


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


def role_of(contrast: str) -> str:
    """Return the group that a change within a group is about, "" for a comparison of groups."""
    return next((role for role in ROLES if contrast.endswith(f" in {role}")), "")


def contrast_title(contrast: str, visit: str, study: Study) -> str:
    """Say what is compared, with the user's labels."""
    labels = group_labels(study)
    if role := role_of(contrast):
        return f"{visit} against {study.baseline} in {group_title(study, role)}"
    groups = f"{labels['case']} against {labels['control']}"
    return f"change from {study.baseline} to {visit}, {groups}" if contrast.startswith("change") else f"{groups} at {visit}"


def level_words(question: Question, alpha: float) -> str:
    """Say at which level results are called significant."""
    return (
        f"p of {alpha:g} or less, not adjusted"
        if question.adjust == "none"
        else f"{question.adjust}-adjusted p of {alpha:g} or less"
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


def estimate_text(row: pd.Series) -> str:
    """Write an analyte with its estimate and interval, as far as there is one."""
    if np.isnan(row["estimate"]):
        return str(row["analyte"])
    interval = span(row["conf_low"], row["conf_high"])
    word = "ratio" if is_ratio(row["estimand"]) else "difference" if "difference" in row["estimand"] else "estimate"
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


def present(study: Study, role: str, visit: int) -> int:
    """Count the subjects of a group with a sample at a visit (position in `visit_labels`)."""
    own = (study.subjects["role"] == role).to_numpy(dtype=bool)
    return int((study.sample_at[visit, own] >= 0).sum())


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
