"""Study: a panel and a design, checked against each other once."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from .arrays import StudyArrays
from .design import Design
from .errors import Faults, OptionError, StudyError, did_you_mean, quoted
from .labels import NOT_GIVEN, as_labels, coded
from .panel import Panel, State, analyte_major, is_blank

EXCLUDED_COLUMNS = ("subject", "visit", "analyte", "reason")


@dataclass(frozen=True, eq=False)
class Study:
    """A panel whose samples have been checked against a design.

    Parameters
    ----------
    panel : Panel
    design : Design

    Attributes
    ----------
    baseline : str
        Label of the baseline; "1+2" where two visits are averaged.
    visits : tuple of str
        Later visits, in order.
    subjects : DataFrame
        Index subject, cases first; columns ``role`` ("case" or "control") and ``matched_set``. The usable subjects.
    excluded : DataFrame
        subject, visit, analyte (empty: all of them), reason. Subjects without a baseline, or without a partner in their set.

    Raises
    ------
    StudyError
        Lists every fault: absent columns, group labels that are neither case nor control, a subject in both groups or in
        two sets, visits that do not exist, several visits and no baseline, nobody left.
    OptionError
        `panel` is no Panel, or `design` no Design.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> study = cc.load_study("quickstart")
    >>> study.n_case, study.n_control, study.baseline, study.visits
    (30, 22, 'baseline', ('month6',))
    """

    panel: Panel
    design: Design
    baseline: str = field(init=False)
    visits: tuple[str, ...] = field(init=False)
    subjects: pd.DataFrame = field(init=False)
    excluded: pd.DataFrame = field(init=False)

    def __post_init__(self) -> None:
        if not isinstance(self.panel, Panel) or not isinstance(self.design, Design):
            got = f"{type(self.panel).__name__} and {type(self.design).__name__}"
            raise OptionError(f"Study takes a Panel and a Design; got {got}.")
        faults = Faults(StudyError, self.panel.source.partition(" (")[0])
        _check_columns(self.panel, self.design, faults)
        before, later = _visits(self.panel, self.design, faults)
        roles, sets = _by_subject(self.panel, self.design, faults)
        faults.raise_if_any()
        roles, sets, excluded = _usable(self.panel, before, roles, sets)
        _check_left(self.design, roles, excluded, faults)
        for name, value in (("baseline", "+".join(before)), ("visits", later)):
            object.__setattr__(self, name, value)
        self._set_subjects(roles, sets, excluded)

    def __repr__(self) -> str:
        n = self.excluded["subject"].nunique()
        left_out = f"; {n} subject{'' if n == 1 else 's'} left out" if n else ""
        return (
            f"<Study: {self.n_case} cases ({self.design.group} = {self.design.case}), {self.n_control} controls "
            f"({self.design.control}), matching: {self.design.matching}; baseline {self.baseline!r}, later visits "
            f"{quoted(self.visits)}; {len(self.analytes)} analytes{left_out}>"
        )

    @property
    def analytes(self) -> pd.Index:
        """Names of the analytes, in panel order."""
        return self.panel.analytes.index

    @property
    def n_case(self) -> int:
        """Number of usable cases."""
        return int((self.subjects["role"] == "case").sum())

    @property
    def n_control(self) -> int:
        """Number of usable controls."""
        return len(self.subjects) - self.n_case

    @property
    def baseline_visits(self) -> tuple[str, ...]:
        """The visits that make up the baseline."""
        return self.design.baseline_visits or (self.baseline,)

    def select(self, *, analytes: Iterable[str] | None = None, subjects: Iterable[Any] | None = None) -> Study:
        """Keep some analytes or subjects.

        Parameters
        ----------
        analytes, subjects : iterable, optional
            None keeps all.

        Returns
        -------
        Study
        """
        return replace(self, panel=self.panel.select(analytes=analytes, subjects=subjects))

    @cached_property
    def sample_at(self) -> np.ndarray:
        """Position in ``panel.samples`` of each (visit, usable subject); -1 where there is no sample."""
        at = np.full((len(self.baseline_visits) + len(self.visits), len(self.subjects)), -1, dtype=np.intp)
        row = {label: i for i, label in enumerate((*self.baseline_visits, *self.visits))}
        visit = np.array([row.get(label, -1) for label in self.panel.samples["visit"]], dtype=np.intp)
        subject = self.subjects.index.get_indexer(pd.Index(self.panel.samples["subject"], dtype=object))
        known = np.flatnonzero((visit >= 0) & (subject >= 0))
        at[visit[known], subject[known]] = known
        return at

    @cached_property
    def arrays(self) -> StudyArrays:
        """The study as arrays (visits, analytes, subjects): the only form in which numbers reach a test."""
        panel, at = self.panel, self.sample_at
        sets = coded(self.subjects["matched_set"])[0] if self.design.matching == "sets" else None
        return StudyArrays(
            value=_gather(analyte_major(panel.values), at, np.nan),
            state=_gather(analyte_major(panel.state), at, State.MISSING),
            lower=_gather(analyte_major(panel.lower_limit), at, np.nan),
            upper=_gather(analyte_major(panel.upper_limit), at, np.nan),
            fallback_lower=self._fallback(panel.fallback_limit),
            fallback_upper=self._fallback(panel.fallback_upper_limit),
            case=(self.subjects["role"] == "case").to_numpy(dtype=bool),
            stratum=sets,
            later=self.visits,
            n_baseline=len(self.baseline_visits),
            logged=panel.logged,
            matched_on=self.design.matched_on if self.design.matching == "frequency" else (),
        )

    @cached_property
    def with_semi_paired(self) -> Study:
        """The same study, where who has no sample at baseline but a later one is usable: models of all visits take them."""
        before, later = self.baseline_visits, self.visits
        roles, sets = _by_subject(self.panel, self.design, Faults(StudyError, ""))
        roles, sets, excluded = _usable(self.panel, before, roles, sets, later)
        if len(roles) == len(self.subjects):
            return self
        wider = copy(self)
        for name in ("sample_at", "arrays", "plate_by_group", "with_semi_paired"):
            wider.__dict__.pop(name, None)
        wider._set_subjects(roles, sets, excluded)
        return wider

    def _set_subjects(self, roles: dict[str, str], sets: dict[str, str], excluded: list[tuple[str, str, str, str]]) -> None:
        ordered = [subject for role in ("case", "control") for subject, own in roles.items() if own == role]
        subjects = pd.DataFrame(
            {"role": [roles[subject] for subject in ordered], "matched_set": [sets.get(subject, "") for subject in ordered]},
            index=pd.Index(ordered, name="subject", dtype=object),
            dtype=object,
        )
        object.__setattr__(self, "subjects", subjects)
        object.__setattr__(self, "excluded", pd.DataFrame(excluded, columns=list(EXCLUDED_COLUMNS), dtype=object))

    @cached_property
    def plate_by_group(self) -> float:
        """Chi-square p-value of plate by group at baseline; NaN where plates are not known or there is only one."""
        if not self.panel.has_plates:
            return float("nan")
        first = self.sample_at[: len(self.baseline_visits)].max(axis=0)  # one sample a subject, whichever visit has it
        plate, plates = coded(self.panel.samples["plate"].to_numpy(dtype=object)[first])
        if len(plates) < 2:
            return float("nan")
        case = self.arrays.case
        counts = np.stack([np.bincount(plate[case == role], minlength=len(plates)) for role in (True, False)]).astype(float)
        expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
        from scipy.special import chdtrc

        return float(chdtrc(len(plates) - 1, ((counts - expected) ** 2 / expected).sum()))

    def _fallback(self, table: pd.DataFrame) -> np.ndarray:
        limits = table.to_numpy().T
        at = self.sample_at
        if limits.shape[1] == 1:
            return np.broadcast_to(limits[None, :, :1], (len(at), *limits.shape[:1], at.shape[1]))
        plate = table.index.get_indexer(pd.Index(as_labels(self.panel.samples["plate"]), dtype=object))
        return _gather(limits, np.where(at >= 0, plate[at], -1), np.nan)


def _gather(cells: np.ndarray, at: np.ndarray, blank: Any) -> np.ndarray:
    """Take (analytes, samples) at (visits, subjects) -> (visits, analytes, subjects)."""
    shape = (len(at), len(cells), at.shape[1])
    if is_blank(cells):
        return np.broadcast_to(np.array(blank, dtype=cells.dtype), shape)
    out = np.empty(shape, dtype=cells.dtype)
    for v, index in enumerate(at):
        np.take(cells, index, axis=1, out=out[v], mode="clip")
        if (index < 0).any():
            out[v][:, index < 0] = blank
    return out


def _check_columns(panel: Panel, design: Design, faults: Faults) -> None:
    columns = list(panel.samples.columns)
    named = [("group", design.group), ("matched_set", design.matched_set), *(("matched_on", name) for name in design.matched_on)]
    for role, name in named:
        if name is None or name in columns:
            continue
        for where in panel.varies.get(name, ()):
            remedy = "Correct the file: a sample column has one value a sample."
            faults.add(f"column {name!r} (named as {role}) varies within a sample", **where, remedy=remedy)
        if name not in panel.varies:
            problem = f"no sample column {name!r} (named as {role}); there are {quoted(columns, limit=30)}"
            remedy = f"Name the right one with `{role}`, or join a table that has it.{did_you_mean(name, columns)}"
            faults.add(problem, column=name, remedy=remedy)


def _visits(panel: Panel, design: Design, faults: Faults) -> tuple[tuple[str, ...], tuple[str, ...]]:
    known = tuple(dict.fromkeys(panel.samples["visit"]))
    before = design.baseline_visits
    if before is None and len(known) > 1:
        problem = f"there are {len(known)} visits ({quoted(known)}) and no baseline"
        faults.add(problem, remedy="Name the visit before treatment with `baseline`.")
    if before is None and design.visits and len(known) == 1:
        faults.add("there is one visit, which is the baseline", visit=known[0], remedy="Leave out `visits`.")
    before = before or known[:1]
    for role, labels in (("baseline", before), ("visits", design.visits or ())):
        for label in labels:
            if label not in known:
                faults.add(
                    f"no visit {label!r} (named as {role}); the visits are {quoted(known)}",
                    visit=label,
                    remedy=f"Correct `{role}`.{did_you_mean(label, known)}",
                )
    later = design.visits if design.visits is not None else tuple(label for label in known if label not in before)
    return before, later


def _by_subject(panel: Panel, design: Design, faults: Faults) -> tuple[dict[str, str], dict[str, str]]:
    """Role and set of each subject, in order of first appearance."""
    subjects = panel.samples["subject"].to_numpy(dtype=object)
    labels = _one_each(panel, design, subjects, design.group, "group", faults)
    sets = _one_each(panel, design, subjects, design.matched_set, "matched_set", faults)
    names = {design.case: "case", design.control: "control"}
    present = set(labels.values())
    for role, label in (("case", design.case), ("control", design.control)):
        if labels and label not in present:
            problem = f"nobody is in group {label!r} (named as {role}); the groups are {quoted(sorted(present))}"
            faults.add(problem, column=design.group, remedy=f"Correct `{role}` or `group`.{did_you_mean(label, present)}")
    first = {subject: position for position, subject in reversed(list(enumerate(subjects)))}
    for subject, label in labels.items():
        if label in names:
            continue
        where = {"subject": subject, "column": design.group, "found": label, **panel.origin(first[subject], column=design.group)}
        if not label:
            faults.add("the group of a subject is not given", **where, remedy="Fill it in, or leave the subject out.")
        else:
            problem = f"unknown group label {label!r}; expected {design.case!r} (case) or {design.control!r} (control)"
            remedy = f"Correct the label, or leave these subjects out.{did_you_mean(label, names)}"
            faults.add(problem, **where, remedy=remedy)
    return {subject: names.get(label, "") for subject, label in labels.items()}, sets


def _one_each(
    panel: Panel, design: Design, subjects: np.ndarray, column: str | None, role: str, faults: Faults
) -> dict[str, str]:
    if column is None or column not in panel.samples.columns:
        return {}
    found: dict[str, str] = {}
    clashes: dict[str, set[str]] = {}
    places: dict[str, int] = {}
    own = (design.case, design.control)
    for position, (subject, text) in enumerate(zip(subjects, as_labels(panel.samples[column]), strict=True)):
        label = "" if text in NOT_GIVEN and text not in own else text
        first = found.setdefault(subject, label)
        if label != first:
            clashes.setdefault(subject, {first}).add(label)
            places.setdefault(subject, position)
    for subject, several in clashes.items():
        problem = f"a subject is in more than one {role.replace('_', ' ')}"
        labels = " and ".join(sorted(label or "a blank" for label in several))
        where = {"subject": subject, "column": column, "found": labels, **panel.origin(places[subject], column=column)}
        faults.add(problem, **where, remedy="Correct the file: it must be one at all visits.")
    return found


def _usable(
    panel: Panel, before: tuple[str, ...], roles: dict[str, str], sets: dict[str, str], later: tuple[str, ...] = ()
) -> tuple[dict[str, str], dict[str, str], list[tuple[str, str, str, str]]]:
    """Set aside who has no baseline (nor one of the `later` visits), and then whose set has no partner left."""
    label = "+".join(before)
    at_baseline = panel.samples["visit"].isin((*before, *later)).to_numpy()
    there = set(panel.samples["subject"].to_numpy(dtype=object)[at_baseline])
    excluded = [(subject, label, "", "no sample at baseline") for subject in roles if subject not in there]
    roles = {subject: role for subject, role in roles.items() if subject in there}
    if not sets:
        return roles, sets, excluded
    kinds: dict[str, set[str]] = {}
    for subject, role in roles.items():
        kinds.setdefault(sets[subject], set()).add(role)
    kept = {}
    for subject, role in roles.items():
        own = sets[subject]
        if not own:
            excluded.append((subject, label, "", "in no matched set"))
        elif len(kinds[own]) < 2:
            missing = "control" if role == "case" else "case"
            excluded.append((subject, label, "", f"matched set {own} has no {missing} with a baseline"))
        else:
            kept[subject] = role
    return kept, sets, excluded


def _check_left(design: Design, roles: dict[str, str], excluded: list[tuple[str, str, str, str]], faults: Faults) -> None:
    left = set(roles.values())
    if left == {"case", "control"}:
        return
    why: dict[str, int] = {}
    for _, _, _, reason in excluded:
        kind = "matched set has subjects of one kind only" if reason.startswith("matched set") else reason
        why[kind] = why.get(kind, 0) + 1
    reasons = "; ".join(f"{kind}: {count} subjects" for kind, count in why.items())
    column = design.matched_set or design.group
    for role in ("case", "control"):
        if role not in left:
            faults.add(f"no usable {role} is left ({reasons})", column=column, remedy="Check the baseline and the sets.")
    faults.raise_if_any()
