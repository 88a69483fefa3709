"""Covariates as columns of a model, or as strata: what of them enters a comparison at baseline, or of changes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from .arrays import Covariate, StudyArrays
from .errors import OptionError
from .kernels.common import BASELINE
from .panel import State
from .questions import Question

MOST_CLASSES = 12  # more different numbers than this are measured, not classes


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
    """Flag the subjects (..., subjects) that lack a covariate, or what strata are made of, by its name."""
    if "visits" in question.entry.takes:
        return {name: _lacking_in_model(name, question, arrays) for name in question.covariates}
    found = {}
    for name in dict.fromkeys((*question.covariates, *(arrays.matched_on if question.entry.sets else ()))):
        found[name] = np.any([np.isnan(value[..., 0, :]) for value in _values(name, question, visit, arrays)], axis=0)
    return found


def places_of(question: Question, arrays: StudyArrays) -> list[int | None]:
    """Return the visits of a model of all visits: None for the baseline, then positions of the later ones asked for."""
    asked = getattr(question, "visits", None) or arrays.later
    return [None, *sorted(arrays.later.index(label) for label in asked)]


def silent_covariates(question: Question, visit: int | None, arrays: StudyArrays) -> list[str]:
    """Return the covariates of a study that are one and the same for all who take part, so that they adjust for nothing.

    Where a test compares within sets: within each of them. None where nobody takes part.
    """
    if not question.covariates:
        return []
    sets = sets_of(arrays) if question.entry.sets else np.zeros(arrays.case.shape, dtype=np.int64)
    lacks = missing_covariates(question, visit, arrays)
    if "visits" in question.entry.takes:  # a plate that is not known costs a sample, not the subject
        lacks.pop("plate", None)
    gone = np.any([*lacks.values(), sets < 0], axis=0)
    if gone.all():
        return []
    columns = {name: np.concatenate(_values(name, question, visit, arrays), axis=-2) for name in question.covariates}
    return [name for name, values in columns.items() if not _varies_within(values[..., ~gone], sets[~gone])]


def _varies_within(values: np.ndarray, sets: np.ndarray) -> bool:
    """Tell whether any of the columns (columns, subjects) has two values within a set."""
    order = np.argsort(sets, kind="stable")
    first = np.flatnonzero(np.diff(sets[order], prepend=-2))
    ordered = values[..., order]
    return bool((np.fmax.reduceat(ordered, first, axis=-1) > np.fmin.reduceat(ordered, first, axis=-1)).any())


def columns_of_visits(question: Question, arrays: StudyArrays) -> Columns | None:
    """Return the columns that covariates make in a model of several visits; None where a question names none.

    What belongs to a subject has a column, and so a coefficient, for each visit; a plate belongs to a sample and has one for all.
    Who has no sample at baseline takes a covariate from the first later one.

    Parameters
    ----------
    question : Question
    arrays : StudyArrays

    Returns
    -------
    Columns
        Values of shape (..., visits, columns, subjects); gone (..., visits, subjects), at a visit where the plate is not known.
    """
    if not question.covariates:
        return None
    places = places_of(question, arrays)
    parts = [_in_model(name, places, arrays) for name in question.covariates]
    whole = (*arrays.case.shape[:-1], len(places), arrays.case.shape[-1])
    gone = np.zeros(whole, dtype=bool)
    for name in question.covariates:
        plate = name == "plate"
        own = _plates_of_model(places, arrays) if plate else _of_subject(arrays.covariates[name], arrays)[..., None, :, :]
        gone = gone | np.isnan(own[..., 0, :])
    shape = np.broadcast_shapes(*(part.shape[:-3] for part in parts), arrays.case.shape[:-1])
    return Columns(np.concatenate([np.broadcast_to(part, (*shape, *part.shape[-3:])) for part in parts], axis=-2), gone)


def _in_model(name: str, places: Sequence[int | None], arrays: StudyArrays) -> np.ndarray:
    """Return the columns (..., visits, columns, subjects) of one covariate; 0 where it is not known."""
    if name == "plate":
        own = np.nan_to_num(_plates_of_model(places, arrays))
        last = _without_last(np.moveaxis(own, -3, -2).reshape(*own.shape[:-3], own.shape[-2], -1))
        return np.moveaxis(last.reshape(*own.shape[:-3], own.shape[-2], len(places), -1), -2, -3)
    covariate = arrays.covariates[name]
    value = np.nan_to_num(_of_subject(covariate, arrays))
    value = _without_last(value) if covariate.levels else value
    which = np.eye(len(places))[:, :, None, None] * value[..., None, None, :, :]
    return which.reshape(*which.shape[:-4], len(places), -1, which.shape[-1])


def _lacking_in_model(name: str, question: Question, arrays: StudyArrays) -> np.ndarray:
    """Flag who has no value of a covariate, or a sample of the model without a plate."""
    if name != "plate":
        return np.isnan(_of_subject(arrays.covariates[name], arrays)[..., 0, :])
    places, n = places_of(question, arrays), arrays.n_baseline
    measured = (arrays.state != State.MISSING).any(axis=-2)
    at = [measured[..., :n, :].any(axis=-2) if place is None else measured[..., n + place, :] for place in places]
    return (np.stack(at, axis=-2) & np.isnan(_plates_of_model(places, arrays)[..., 0, :])).any(axis=-2)


def _plates_of_model(places: Sequence[int | None], arrays: StudyArrays) -> np.ndarray:
    base, later = _plate_at_visits(arrays.covariates["plate"], arrays)
    return np.stack([base if place is None else later[..., place, :, :] for place in places], axis=-3)


def _of_subject(covariate: Covariate, arrays: StudyArrays) -> np.ndarray:
    """Return (..., columns, subjects): the value at baseline, or at the first later visit that tells it."""
    found = _at_baseline(covariate, arrays)
    for v in range(arrays.n_baseline, covariate.value.shape[-2]):
        later = covariate.value[..., v, :]
        later = _indicators(later, covariate.levels) if covariate.levels else later[..., None, :]
        found = np.where(np.isnan(found), later, found)
    return found


def sets_of(arrays: StudyArrays) -> np.ndarray:
    """Return the matched set, or stratum of frequency matching, of each subject, (..., subjects); -1: in none."""
    return strata_of(arrays) if arrays.stratum is None else arrays.stratum


def strata_of(arrays: StudyArrays) -> np.ndarray:
    """Return the stratum of each subject, (..., subjects): the combination of what groups were frequency-matched on at baseline.

    -1 where one of it is not known.

    Raises
    ------
    OptionError
        Numbers that are measured rather than classes.
    """
    strata = np.zeros(arrays.case.shape, dtype=np.int64)
    for name in arrays.matched_on:
        covariate = arrays.covariates[name]
        value = _codes(covariate, arrays) if covariate.levels else _at_baseline(covariate, arrays)[..., 0, :]
        lacks = np.isnan(value)
        number = np.where(lacks, 0, np.unique(np.where(lacks, 0.0, value), return_inverse=True)[1].reshape(value.shape))
        if covariate.levels == 0 and (n := _most_different(np.where(lacks, np.nan, value))) > MOST_CLASSES:
            raise OptionError(
                f"strata of {name!r}: it holds {n} different numbers, so that hardly a case and a control would share a stratum. "
                f"Put classes of it, such as ten-year bands, into a column of their own and name that in Design(matched_on=...), "
                f"or take it as a covariate: covariates=({name!r},) of linear_model."
            )
        strata = np.where((strata < 0) | lacks, -1, strata * (int(number.max(initial=0)) + 1) + number)
    return strata


def _codes(covariate: Covariate, arrays: StudyArrays) -> np.ndarray:
    value = covariate.value[..., : arrays.n_baseline, :]
    return np.take_along_axis(value, (~np.isnan(value)).argmax(axis=-2)[..., None, :], axis=-2)[..., 0, :]


def _most_different(value: np.ndarray) -> int:
    """Count the different numbers of each row, NaN apart, and return the largest count."""
    ordered = np.sort(value, axis=-1)
    with np.errstate(invalid="ignore"):
        return int(1 + (np.diff(ordered, axis=-1) > 0).sum(axis=-1).max(initial=0))


def _values(name: str, question: Question, visit: int | None, arrays: StudyArrays) -> list[np.ndarray]:
    covariate = arrays.covariates[name]
    if name == "plate":
        return _of_plate(covariate, question, visit, arrays)
    return [_of_subject(covariate, arrays) if "visits" in question.entry.takes else _at_baseline(covariate, arrays)]


def _at_baseline(covariate: Covariate, arrays: StudyArrays) -> np.ndarray:
    """Return (..., columns, subjects): the mean of a number, the level of a text, over the visits of the baseline."""
    value = covariate.value[..., : arrays.n_baseline, :]
    known = ~np.isnan(value)
    if covariate.levels == 0:
        with np.errstate(invalid="ignore"):
            return (np.where(known, value, 0.0).sum(axis=-2) / known.sum(axis=-2))[..., None, :]
    return _indicators(_codes(covariate, arrays), covariate.levels)


def _plate_at_visits(covariate: Covariate, arrays: StudyArrays) -> tuple[np.ndarray, np.ndarray]:
    """Indicators (..., levels, subjects) at baseline, averaged over its visits, and later (..., visits, levels, subjects)."""
    value, n = covariate.value, arrays.n_baseline
    value = np.broadcast_to(value, (*value.shape[:-2], arrays.n_visits, value.shape[-1]))
    at = _indicators(value, covariate.levels)
    there = ~np.isnan(at[..., :n, :, :])
    with np.errstate(invalid="ignore"):
        base = np.where(there, at[..., :n, :, :], 0.0).sum(axis=-3) / there.sum(axis=-3)
    return base, at[..., n:, :, :]


def _of_plate(covariate: Covariate, question: Question, visit: int | None, arrays: StudyArrays) -> list[np.ndarray]:
    base, at = _plate_at_visits(covariate, arrays)
    if question.kind == BASELINE or visit is None:
        return [base]
    later = at[..., visit, :, :]
    if "visits" in question.entry.takes:
        return [later, base]
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
