"""From contrasts to Results: columns, notes in words, how it was made."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pandas as pd

from .adjusting import missing_covariates, silent_covariates
from .arrays import NOTE_TEXTS, Note
from .covariates import arrays_for
from .engine import Contrast
from .exclusions import excluded_cells
from .kernels.common import BASELINE, WITHIN
from .limits import back_transform, to_scale
from .questions import Question
from .results import Results, count_column, table_of, text_column
from .study import Study
from .versions import versions

PLATE_ALPHA = 0.05  # plate by group below this gets a note
_ESTIMANDS = {
    ("mean", True): "ratio of geometric means",
    ("mean", False): "difference of means",
    ("shift", True): "pseudo-median shift (ratio)",
    ("shift", False): "pseudo-median shift (difference)",
    **{("probability", log): "P(case > control) + P(=)/2" for log in (True, False)},
    ("odds", True): "odds ratio per doubling",
    ("odds", False): "odds ratio per unit",
}
_OVERFLOW = "the odds ratio per unit is too far from 1 to be written as a number: use a larger unit, or a log scale"
_ONE = re.compile(r"\b1 (value|number|subject)s\b")


def results_of(study: Study, question: Question, contrasts: list[Contrast]) -> Results:
    """Put the contrasts of a question into a table of results."""
    tables = [table_of(_columns(study, question, contrast)) for contrast in contrasts]
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    return Results(table, excluded_cells(study, question, contrasts), _meta(study, question))


def _columns(study: Study, question: Question, contrast: Contrast) -> dict[str, Any]:
    """One contrast as the columns of a results table."""
    entry, m, s, stats = question.entry, len(study.analytes), contrast.summary, contrast.statistics
    label, visit = contrast_label(question, contrast.visit, contrast.group, study.baseline, study.visits)
    back = question.scale

    def text(value: str) -> Any:
        return text_column(value, m)

    def count(name: str) -> Any:
        return count_column(s[name]) if name in s else count_column(np.zeros(m), np.ones(m, dtype=bool))

    def number(name: str) -> np.ndarray:
        return back_transform(s[name], back) if name in s else np.full(m, np.nan)

    def effect(values: np.ndarray) -> np.ndarray:
        return to_effect(values, entry.estimand, back)

    methods = np.array([*(name.format(n=f"{question.n_resamples:,}") for name in entry.methods), ""], dtype=object)
    sides = ("case", "control")
    return {
        "analyte": text_column(study.analytes.to_numpy(dtype=object)),
        "contrast": text(label),
        "visit": text(visit),
        "test": text(entry.name),
        "method": text_column(methods[stats.method]),
        "scale": text(question.scale),
        "below_limit": text(question.rule),
        "alternative": text(question.alternative),
        "covariates": text("+".join(question.covariates)),
        **{f"{what}_{side}": count(f"{what}_{side}") for what in ("n", "n_below", "n_above") for side in sides},
        **{f"{what}_{side}": number(f"{what}_{side}") for what in ("mean", "sd") for side in sides},
        "estimand": text(_ESTIMANDS.get((entry.estimand, question.scale != "raw"), "none")),
        "estimate": effect(stats.estimate),
        "std_error": stats.std_error,
        "conf_low": effect(stats.conf_low),
        "conf_high": effect(stats.conf_high),
        "conf_level": np.full(m, question.conf_level),
        "conf_type": text(entry.conf_type),
        "hedges_g": s["hedges_g"],
        "statistic": stats.statistic,
        "df": stats.df,
        "p_value": stats.p_value,
        "adjust": text(question.adjust),
        "family": text(question.family),
        "n_tests": count_column(contrast.n_tests),
        "p_adjusted": contrast.p_adjusted,
        "note": text_column(_notes(study, question, contrast)),
    }


def to_effect(values: np.ndarray, estimand: str, scale: str) -> np.ndarray:
    """Return estimates as they are shown: back-transformed, of odds per doubling (per unit on the raw scale)."""
    if estimand == "odds":
        per = 1.0 if scale == "raw" else float(to_scale(np.log(2.0), scale, "ln"))
        with np.errstate(over="ignore"):
            return np.exp(values * per)
    return back_transform(values, scale) if estimand in ("mean", "shift") else values


def contrast_label(question: Question, visit: int | None, group: str, baseline: str, later: Sequence[str]) -> tuple[str, str]:
    """Return the contrast, stating the sign, and the label of the visit it belongs to."""
    sign = "-" if question.scale == "raw" else "/"
    if visit is None:
        return f"case {sign} control", baseline
    if group:
        return f"{later[visit]} {sign} {baseline} in {group}", later[visit]
    return f"change: case {sign} control", later[visit]


def _notes(study: Study, question: Question, contrast: Contrast) -> np.ndarray:
    """Spell out the flags of each row, and what holds for all rows."""
    flags = contrast.statistics.note
    common = _common_notes(study, question, contrast.visit)
    texts = np.full(len(flags), common, dtype=object)
    for i in np.flatnonzero(_beyond_numbers(question, contrast)):
        texts[i] = "; ".join(filter(None, [common, _OVERFLOW]))
    for i in np.flatnonzero(flags):
        own = [
            NOTE_TEXTS[flag].format(n=int(contrast.counts[flag][i]) if flag in contrast.counts else "")
            for flag in Note(int(flags[i]))
        ]
        texts[i] = _ONE.sub(r"1 \1", "; ".join(filter(None, [*own, texts[i]])))
    return texts


def _beyond_numbers(question: Question, contrast: Contrast) -> np.ndarray:
    """Flag odds ratios that are finite but too large or too small to be written."""
    if question.entry.estimand != "odds":
        return np.zeros(contrast.statistics.note.shape, dtype=bool)
    log = contrast.statistics.estimate
    shown = to_effect(log, "odds", question.scale)
    return np.isfinite(log) & ((shown == 0) | np.isinf(shown))


def _common_notes(study: Study, question: Question, visit: int | None) -> str:
    notes = []
    if question.kind != WITHIN:
        matching, on = study.design.matching, study.design.matched_on
        if matching == "sets" and not question.entry.matched:
            notes.append("matched sets ignored as asked")
        if matching == "frequency":
            left = [name for name in on if name not in question.covariates]
            if question.entry.sets:
                notes.append(f"sets are strata of {', '.join(on)}")
            elif left:
                notes.append(f"matching variables not adjusted for: {', '.join(left)}")
    if question.kind == BASELINE and study.plate_by_group < PLATE_ALPHA and "plate" not in question.covariates:
        notes.append(f"plate is associated with group (chi-square p = {study.plate_by_group:.2g})")
    if not question.covariates and not question.entry.sets:
        return "; ".join(notes)
    arrays = arrays_for(study, [question])
    for name, lacks in missing_covariates(question, visit, arrays).items():
        if lacks.all() and not (name == "plate" and "visits" in question.entry.takes):  # there a note counts the values
            notes.append(f"no subject has a value of {name}")
    for name in silent_covariates(question, visit, arrays):
        one = "both samples of each subject are on one plate" if name == "plate" and visit is not None else "it does not vary"
        more = f"{one}, or only between sets" if question.entry.sets else one
        notes.append(f"{name} adjusts for nothing here: {more}")
    return "; ".join(notes)


def _meta(study: Study, question: Question) -> dict[str, Any]:
    return {
        "question": question.kind,
        "plan": question.plain(),
        "design": asdict(study.design),
        "source": study.panel.source,
        "versions": dict(versions()),
        "seed": question.seed,
    }
