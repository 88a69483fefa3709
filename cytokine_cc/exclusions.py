"""What did not enter a question, cell by cell, and why."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from .adjusting import missing_covariates, places_of
from .covariates import arrays_for
from .engine import Contrast, contrasts_of
from .errors import Faults, NonPositiveError, StudyError
from .labels import as_labels
from .limits import respond
from .panel import State
from .questions import Question
from .results import excluded_table
from .study import Study

# Why a value is not there, by code; 0: it is.
_PRESENT, _MISSING, _BELOW, _ABOVE, _UNKNOWN, _BOTH_SIDES = range(6)
_REASONS = {
    _MISSING: "missing at {visit}",
    _BELOW: "below the limit at {visit} ({rule})",
    _ABOVE: "above the limit at {visit} ({rule})",
    _UNKNOWN: "beyond a limit that is not known at {visit}",
    _BOTH_SIDES: "below at one visit of {visit} and above at another",
}
# Why a value that is there does not enter, by what a test needs of a pair or set.
_SET_REASONS = {
    "pair": "no value in the matched partner",
    "two": "no other value in the matched set",
    "both": "no value of a case, or of a control, in the matched set",
}


def excluded_cells(study: Study, question: Question, contrasts: list[Contrast]) -> pd.DataFrame:
    """List every cell that did not enter a question.

    Parameters
    ----------
    study : Study
    question : Question
    contrasts : list of Contrast
        With detail.

    Returns
    -------
    DataFrame
        subject, visit, analyte (empty: there is no sample), reason.
    """
    parts = []
    for contrast in contrasts:
        visit = study.baseline if contrast.visit is None else study.visits[contrast.visit]
        parts.append(_of_excluded_subjects(study, question, contrast, visit))
        parts += _of_usable_subjects(study, question, contrast, visit)
    return excluded_table(np.concatenate(parts))


def _rows(subjects: Any, visit: str, analytes: Any, reasons: Any) -> np.ndarray:
    out = np.empty((len(subjects), 4), dtype=object)
    for column, values in enumerate((subjects, visit, analytes, reasons)):
        out[:, column] = values
    return out


def _of_usable_subjects(study: Study, question: Question, contrast: Contrast, visit: str) -> list[np.ndarray]:
    here = np.ones(len(study.subjects), dtype=bool)
    if contrast.group:
        here = (study.subjects["role"] == contrast.group).to_numpy(dtype=bool)
    parts = []
    subjects = study.subjects.index.to_numpy(dtype=object)
    n = len(study.baseline_visits)
    if contrast.visit is not None:
        whole = "visits" in question.entry.takes  # then a sample at any visit of the model is one to account for
        places = [place for _, place in _places(study, question, contrast)] if whole else [n + contrast.visit]
        absent = here & np.all([study.sample_at[place] < 0 for place in np.r_[tuple(places)]], axis=0)
        if absent.any():
            where = "any visit of the model" if whole else visit
            parts.append(_rows(subjects[absent], visit, "", f"no sample at {where}"))
        here = here & ~absent
    cells = np.nonzero(~np.asarray(contrast.entered) & here)
    if not len(cells[0]):
        return parts
    names = study.analytes.to_numpy(dtype=object)
    return [*parts, _rows(subjects[cells[1]], visit, names[cells[0]], _cell_reasons(study, question, contrast, cells))]


def _cell_reasons(study: Study, question: Question, contrast: Contrast, cells: tuple[np.ndarray, ...]) -> np.ndarray:
    places = _places(study, question, contrast)
    codes = np.stack([_place_codes(study, question.rule, place, cells) for _, place in places])
    kinds, which = np.unique(codes, axis=1, return_inverse=True)
    texts = [
        "; ".join(
            _REASONS[code].format(visit=label, rule=question.rule) for code, (label, _) in zip(kind, places, strict=True) if code
        )
        for kind in kinds.T.tolist()
    ]
    reasons = np.array(texts, dtype=object)[which.reshape(-1)]
    for name, lacking in _lacking(study, question, contrast).items():
        at = lacking[cells[1]]
        reasons[at] = [f"{reason}; no value of {name}" if reason else f"no value of {name}" for reason in reasons[at]]
    # The value is there and still did not enter: too little of its pair or set is.
    why = _SET_REASONS["pair" if question.entry.paired else question.entry.sets or "pair"]
    if study.design.matching == "frequency":
        why = why.replace("matched set", "stratum")
    return np.where(reasons == "", why, reasons)


def _places(study: Study, question: Question, contrast: Contrast) -> list[tuple[str, slice]]:
    """Return label and place of the visits that a value is needed at; of a model of all visits, those of the model."""
    n = len(study.baseline_visits)
    later = [] if contrast.visit is None else [contrast.visit]
    if "visits" in question.entry.takes:
        later = [place for place in places_of(question, study.arrays) if place is not None]
    return [*((study.visits[v], slice(n + v, n + v + 1)) for v in later), (study.baseline, slice(0, n))]


def _lacking(study: Study, question: Question, contrast: Contrast) -> dict[str, np.ndarray]:
    """Flag, for each covariate, and what strata are made of, the subjects without it."""
    if not question.covariates and not question.entry.sets:
        return {}
    return missing_covariates(question, contrast.visit, arrays_for(study, [question]))


def _place_codes(study: Study, rule: str, place: slice, cells: tuple[np.ndarray, ...]) -> np.ndarray:
    """Code why a value is absent at a visit (or a baseline of several), for each cell."""
    arrays = study.arrays
    state, value, lower, upper, lowest, highest = (
        array[place][:, cells[0], cells[1]]
        for array in (arrays.state, arrays.value, arrays.lower, arrays.upper, arrays.fallback_lower, arrays.fallback_upper)
    )
    below, above = state == State.BELOW, state == State.ABOVE
    number = (state == State.MEASURED) | (state == State.EXTRAPOLATED)
    if rule == "drop":
        with np.errstate(invalid="ignore"):
            under = (state == State.EXTRAPOLATED) & (value < lower)
        below, number = below | under, number & ~under
    left_out = {"drop": (_BELOW, _UNKNOWN), "as_reported": (_BELOW, _ABOVE)}.get(rule, (_UNKNOWN, _UNKNOWN))
    stands_in = [
        flags & ~np.isnan(np.where(np.isnan(stated), borrowed, stated)) if code == _UNKNOWN else np.zeros_like(flags)
        for flags, stated, borrowed, code in ((below, lower, lowest, left_out[0]), (above, upper, highest, left_out[1]))
    ]
    present = (number | stands_in[0] | stands_in[1]).any(axis=0)
    some_below, some_above = below.any(axis=0), above.any(axis=0)
    code = np.where(present, _PRESENT, np.where(some_below, left_out[0], np.where(some_above, left_out[1], _MISSING)))
    return np.where(some_below & some_above & (rule == "lowest_rank"), _BOTH_SIDES, code)


def _of_excluded_subjects(study: Study, question: Question, contrast: Contrast, visit: str) -> np.ndarray:
    """List the cells, at this visit, of subjects that the study had to leave out."""
    rows = [_rows([], "", [], [])]
    if not len(study.excluded):
        return rows[0]
    samples, design = study.panel.samples, study.design
    role = dict(zip(samples["subject"], as_labels(samples[design.group]), strict=True))
    wanted = {"case": design.case, "control": design.control}.get(contrast.group)
    visits = study.baseline_visits if contrast.visit is None else (visit,)
    if "visits" in question.entry.takes:
        visits = (*study.baseline_visits, *(label for label, _ in _places(study, question, contrast)))
    there = set(samples["subject"][samples["visit"].isin(visits)])
    for subject, reason in study.excluded[["subject", "reason"]].itertuples(index=False):
        if wanted is None or role[subject] == wanted:
            analytes = list(study.analytes) if subject in there else [""]
            rows.append(_rows([subject] * len(analytes), visit, analytes, reason))
    return np.concatenate(rows)


def explain_nonpositive(study: Study, questions: Iterable[Question], error: NonPositiveError) -> NoReturn:
    """Name all cells that have no logarithm, and raise."""
    faults = Faults(StudyError, study.panel.source.partition(" (")[0])
    visits = (*study.baseline_visits, *study.visits)
    arrays = study.arrays
    for v, a, s in _nonpositive(study, questions):
        value = arrays.value[v, a, s]
        faults.add(
            "zero and negative values have no logarithm",
            subject=study.subjects.index[s],
            visit=visits[v],
            analyte=study.analytes[a],
            **study.panel.origin(int(study.sample_at[v, s]), analyte=a),
            found=f"{value:g}" if value == value else _limit_text(arrays.lower[v, a, s], arrays.fallback_lower[v, a, s]),
            remedy="If they mean 'not detected', say so when reading: codes={'0': 'below'}; if the file holds logarithms: "
            "logged='log2'; or use scale='raw'.",
        )
    faults.raise_if_any()
    raise error


def _nonpositive(study: Study, questions: Iterable[Question]) -> list[tuple[int, int, int]]:
    """Positions (visit, analyte, subject) of all that the questions would take a logarithm of in vain."""
    arrays, n = study.arrays, study.arrays.n_baseline
    found = set()
    for question in questions:
        visits = {None} | {visit for visit, _ in contrasts_of(question, arrays)}
        for visit in visits:
            place = slice(0, n) if visit is None else slice(n + visit, n + visit + 1)
            try:
                respond(arrays, place, slice(0, arrays.n_analytes), question.rule, question.scale)
            except NonPositiveError as error:
                found |= {(place.start + v, a, s) for v, a, s in error.cells.tolist()}
    return sorted(found)


def _limit_text(stated: float, borrowed: float) -> str:
    if np.isnan(stated):
        return f"{borrowed:g}, the lowest measured value, for a limit that is not stated"
    return f"a limit of {stated:g}"
