"""What was drawn, as a Study of one replicate, and its covariates as arrays of many."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..arrays import Covariate
from ..design import Design
from ..panel import Panel
from ..study import Study
from .cohort import Cohort, Subjects
from .contents import Contents
from .model import Model


def as_study(contents: Contents, model: Model, drawn: Mapping[str, Any], source: str) -> Study:
    """Make a Study of the one replicate that was drawn.

    Parameters
    ----------
    contents : Contents
    model : Model
    drawn : mapping
        What a scenario drew: subjects, value, state, lower, upper, sample.
    source : str
        Of the panel.

    Returns
    -------
    Study
        Samples that are missing are not in it.
    """
    subjects, value = drawn["subjects"], drawn["value"][0]
    subject, visit = np.nonzero(drawn["sample"][0].T)
    lower, upper = (np.broadcast_to(drawn[name], drawn["value"].shape)[0] for name in ("lower", "upper"))
    cells = [array[visit, :, subject].T for array in (value, drawn["state"][0], lower, upper)]
    study = contents.tables["study"]
    names = pd.Index(contents.analytes, name="analyte")
    panel = Panel.from_arrays(
        *(np.ascontiguousarray(cell) for cell in cells),
        samples=_samples(subjects, subject, visit, study, model.cohort),
        analytes=pd.DataFrame({"unit": contents.units, "category": contents.categories}, index=names, dtype=object),
        has_plates=subjects.plate is not None,
        source=source,
    )
    matching = (model.cohort.matching if model.cohort else None) or {}
    design = Design(
        study["group"],
        study["case"],
        study["control"],
        baseline=study["visits"][0],
        visits=study["visits"][1:] or None,
        matched_set=None if subjects.set_number is None else "Set",
        matched_on=matching.get("on", ()),
    )
    return Study(panel, design)


def _samples(
    subjects: Subjects, subject: np.ndarray, visit: np.ndarray, study: Mapping[str, Any], cohort: Cohort | None
) -> pd.DataFrame:
    """One row a sample: who, when, on which plate, and what is known of the person."""
    person = subjects.person[0] + 1
    width = max(3, len(str(cohort.size if cohort else len(person))))
    ids = np.array([f"S{number:0{width}d}" for number in person], dtype=object)
    columns: dict[str, Any] = {
        "subject": ids[subject],
        "visit": np.array(study["visits"], dtype=object)[visit],
        "plate": np.full(len(subject), np.nan, dtype=object),
        study["group"]: np.where(subjects.case, study["case"], study["control"]).astype(object)[subject],
    }
    if subjects.plate is not None:
        plate = np.broadcast_to(subjects.plate[0], (len(study["visits"]), subjects.case.size))
        columns["plate"] = np.array([_plate_label(number) for number in plate[visit, subject]], dtype=object)
    if subjects.set_number is not None:
        columns["Set"] = np.array([str(number + 1) for number in subjects.set_number], dtype=object)[subject]
    for name, x in subjects.covariates.items():
        levels = cohort.covariates[name].get("levels") if cohort else None
        own = x[0] if levels is None else np.array(levels, dtype=object)[x[0]]
        columns[name] = own[subject]
    for name, x in subjects.scores.items():
        columns[name] = x[0, visit, subject]
    frame = pd.DataFrame(columns)
    frame.index = pd.Index([f"{s} {v}" for s, v in zip(frame["subject"], frame["visit"], strict=True)], name="sample")
    return frame


def covariate_arrays(subjects: Subjects, model: Model) -> dict[str, Covariate]:
    """Return the covariates of many replicates, the plate among them; levels in alphabetical order, as of a drawn study."""
    found = {}
    for name, x in subjects.covariates.items():
        levels = model.cohort.covariates[name].get("levels") if model.cohort else None
        own = x if levels is None else _alphabetical(levels)[x]
        found[name] = Covariate(own[:, None, :].astype(np.float64), len(levels or ()))
    found |= {name: Covariate(x.astype(np.float64), 0) for name, x in subjects.scores.items()}
    if subjects.plate is not None and model.plates is not None:
        order = _alphabetical([_plate_label(number) for number in range(model.plates["n"])])
        found["plate"] = Covariate(order[subjects.plate].astype(np.float64), len(order))
    return found


def _alphabetical(labels: Sequence[str]) -> np.ndarray:
    """Return the place of each label in alphabetical order."""
    return np.argsort(np.argsort(np.array(labels, dtype=object)))


def _plate_label(number: int) -> str:
    return f"P{number + 1}"
