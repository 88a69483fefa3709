"""Covariates of a study: columns of its samples as numbers or levels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from .arrays import Covariate, StudyArrays
from .errors import OptionError, did_you_mean, quoted
from .matching import covariate_values, many_levels
from .study import Study

if TYPE_CHECKING:
    from .questions import Question


def arrays_for(study: Study, questions: Iterable[Question]) -> StudyArrays:
    """Return the arrays of a study with the covariates that the questions name and, where they need strata, what those are of."""
    questions = list(questions)
    names = [name for question in questions for name in question.covariates]
    if any(question.entry.sets for question in questions):
        names += study.arrays.matched_on
    return replace(study.arrays, covariates=covariates_of(study, names)) if names else study.arrays


def covariates_of(study: Study, names: Iterable[str]) -> dict[str, Covariate]:
    """Return covariates as arrays over visits and usable subjects.

    Parameters
    ----------
    study : Study
    names : iterable of str
        Sample columns; "plate" is the plate.

    Returns
    -------
    dict of Covariate
        Levels of a text are in alphabetical order.

    Raises
    ------
    OptionError
        A column that does not exist or has another role; texts that name subjects rather than classes; numbers with texts
        among them.
    """
    found = {}
    for name in dict.fromkeys(names):
        _check(study, name)
        column = study.panel.samples[name]
        # Plates are labels, also "1" and "2".
        values = covariate_values(column.astype("category") if name == "plate" else column)
        at = study.sample_at
        cells = np.where(at >= 0, values[at], np.nan if values.dtype.kind == "f" else "")
        if values.dtype.kind == "f":
            found[name] = Covariate(cells.astype(np.float64), 0)
            continue
        levels = sorted(set(cells[cells != ""].tolist()))
        _check_levels(name, levels, cells)
        code = {level: float(i) for i, level in enumerate(levels)} | {"": np.nan}
        codes = np.array([code[cell] for cell in cells.ravel()]).reshape(cells.shape)
        found[name] = Covariate(codes, len(levels))
    return found


def _check(study: Study, name: str) -> None:
    known, design = study.panel.samples.columns, study.design
    if name not in known:
        more = " It varies within a sample, so it was not taken." if name in study.panel.varies else ""
        hint = did_you_mean(name, map(str, known))
        raise OptionError(f"`covariates`: no sample column {name!r}; there are {quoted(known, limit=30)}.{more}{hint}")
    if name in ("subject", "visit", design.group, design.matched_set):
        raise OptionError(f"`covariates`: {name!r} has a role in the design and is no covariate.")
    if name == "plate" and not study.panel.has_plates:
        raise OptionError(
            "`covariates`: the panel has no plates. Name their column with read_panel(plate=...) (in a study file: plate in "
            "[data])."
        )


def _check_levels(name: str, levels: list[str], cells: np.ndarray) -> None:
    n = int((cells != "").any(axis=0).sum())
    if not levels:
        raise OptionError(f"`covariates`: {name!r} is missing in every subject.")
    if name != "plate" and many_levels(len(levels), n):
        raise OptionError(
            f"`covariates`: {name!r} has {len(levels)} different texts among {n} subjects ({quoted(levels)}), which names "
            "subjects rather than classes of them. If these are numbers, correct the cells that are not; else use wider classes."
        )
    numbers = pd.to_numeric(pd.Series(levels), errors="coerce").notna()
    if name != "plate" and 0 < (~numbers).sum() <= 2 < numbers.sum():
        odd = [level for level, number in zip(levels, numbers, strict=True) if not number]
        raise OptionError(
            f"`covariates`: {name!r} holds numbers and {quoted(odd)}: correct these cells, or leave them blank (missing)."
        )
