"""Covariates as columns of a model: what of them enters a comparison at baseline, or of changes."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .arrays import Covariate, StudyArrays
from .kernels.common import BASELINE
from .questions import Question


class Columns(NamedTuple):
    """Columns of a model without its intercept, and who cannot take part.

    Attributes
    ----------
    values : ndarray, shape (..., columns, subjects)
        0 where a subject cannot take part.
    gone : ndarray of bool, shape (..., subjects)
        A covariate is missing.
    """

    values: np.ndarray
    gone: np.ndarray


def columns_of(question: Question, visit: int | None, arrays: StudyArrays) -> Columns | None:
    """Return the columns that the covariates of a question make in one contrast; None where it names none.

    Numbers are those at baseline (the mean over its visits), texts the first known there, one column a level but the last that
    occurs. A plate belongs to a sample: over a baseline of several visits its columns are averaged, as values are; in a change
    they are those of the later sample less those of the baseline, so that a shift of a plate cancels where both samples were on
    it; a test that takes the baseline as a value of its own gets the columns of both.
    """
    if not question.covariates:
        return None
    parts = [
        (value, arrays.covariates[name].levels)
        for name in question.covariates
        for value in _values(name, question, visit, arrays)
    ]
    gone = np.any(
        np.broadcast_arrays(*(np.isnan(value[..., 0, :]) for value, _ in parts), np.zeros(arrays.case.shape, dtype=bool)), axis=0
    )
    columns = [np.where(gone[..., None, :], 0.0, value) for value, _ in parts]
    columns = [_without_last(own) if levels else own for own, (_, levels) in zip(columns, parts, strict=True)]
    return Columns(np.concatenate(columns, axis=-2), gone)


def missing_covariates(question: Question, visit: int | None, arrays: StudyArrays) -> dict[str, np.ndarray]:
    """Flag, for each covariate, the subjects (..., subjects) that lack it."""
    found = {}
    for name in question.covariates:
        found[name] = np.any([np.isnan(value[..., 0, :]) for value in _values(name, question, visit, arrays)], axis=0)
    return found


def silent_covariates(question: Question, visit: int | None, arrays: StudyArrays) -> list[str]:
    """Return the covariates that are one and the same for all who take part, so that they adjust for nothing."""
    found = columns_of(question, visit, arrays)
    if found is None:
        return []
    silent = []
    for name in question.covariates:
        values = [np.where(found.gone[..., None, :], np.nan, own) for own in _values(name, question, visit, arrays)]
        spread = [np.nanmax(own, axis=-1) - np.nanmin(own, axis=-1) for own in values if not found.gone.all()]
        if not any((own > 0).any() for own in spread):
            silent.append(name)
    return silent


def _values(name: str, question: Question, visit: int | None, arrays: StudyArrays) -> list[np.ndarray]:
    covariate = arrays.covariates[name]
    return _of_plate(covariate, question, visit, arrays) if name == "plate" else [_at_baseline(covariate, arrays)]


def _at_baseline(covariate: Covariate, arrays: StudyArrays) -> np.ndarray:
    """Return (..., columns, subjects): the mean of a number, the level of a text, over the visits of the baseline."""
    value = covariate.value[..., : arrays.n_baseline, :]
    known = ~np.isnan(value)
    if covariate.levels == 0:
        with np.errstate(invalid="ignore"):
            return (np.where(known, value, 0.0).sum(axis=-2) / known.sum(axis=-2))[..., None, :]
    first = np.take_along_axis(value, known.argmax(axis=-2)[..., None, :], axis=-2)[..., 0, :]
    return _indicators(first, covariate.levels)


def _of_plate(covariate: Covariate, question: Question, visit: int | None, arrays: StudyArrays) -> list[np.ndarray]:
    value, n = covariate.value, arrays.n_baseline
    value = np.broadcast_to(value, (*value.shape[:-2], arrays.n_visits, value.shape[-1]))
    at = _indicators(value, covariate.levels)  # (..., visits, columns, subjects)
    there = ~np.isnan(at[..., :n, :, :])
    with np.errstate(invalid="ignore"):
        base = np.where(there, at[..., :n, :, :], 0.0).sum(axis=-3) / there.sum(axis=-3)
    if question.kind == BASELINE or visit is None:
        return [base]
    later = at[..., n + visit, :, :]
    if "baseline" not in question.entry.takes:
        return [later - base]
    alike = ((later == base) | np.isnan(later - base)).all(axis=(-2, -1), keepdims=True)  # then one set of columns is enough
    return [later, np.where(alike & ~np.isnan(base), 0.0, base)]


def _indicators(codes: np.ndarray, levels: int) -> np.ndarray:
    """Return (..., levels, subjects) of 0 and 1; NaN where a code is."""
    out = (codes[..., None, :] == np.arange(levels)[:, None]).astype(np.float64)
    return np.where(np.isnan(codes)[..., None, :], np.nan, out)


def _without_last(value: np.ndarray) -> np.ndarray:
    """Blank the column of the last level that occurs: the intercept and the others tell it."""
    occurs = (value != 0).any(axis=-1)
    last = occurs.shape[-1] - 1 - occurs[..., ::-1].argmax(axis=-1)
    is_last = (np.arange(occurs.shape[-1]) == last[..., None]) & occurs
    return np.where(is_last[..., None], 0.0, value)
