"""StudyArrays, Response and Note: the only form in which numbers travel between a study and the statistics."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import NamedTuple

import numpy as np


class Covariate(NamedTuple):
    """One covariate of the subjects.

    Attributes
    ----------
    value : ndarray of float, shape (..., visits or 1, subjects)
        Numbers, or positions among the levels of a text in alphabetical order; NaN is missing.
    levels : int
        Their number; 0: a number.
    """

    value: np.ndarray
    levels: int


@dataclass(frozen=True, eq=False)
class StudyArrays:
    """A study, or many simulated ones, as arrays.

    The first `n_baseline` visits are the baseline (averaged on the analysis scale when there are several), the others
    the later visits in the order of the design. Limits may be broadcast.

    Attributes
    ----------
    value, state, lower, upper : ndarray, shape (..., visits, analytes, subjects)
        As in `Panel`; a subject without a sample at a visit is MISSING there.
    fallback_lower, fallback_upper : ndarray, broadcastable to the same shape
        The limit to take where a value lies beyond one that is not known.
    case : ndarray of bool, shape (..., subjects)
    stratum : ndarray of int, shape (..., subjects), or None
        Number of the matched set.
    later : tuple of str
        Labels of the later visits.
    n_baseline : int
    logged : str or None
        As in `Panel`.
    covariates : mapping of str to Covariate
        Those that a question may name; "plate" is the plate of each sample.
    matched_on : tuple of str
        Covariates whose combinations of levels are the strata of frequency matching; () where there is none.
    """

    value: np.ndarray
    state: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    fallback_lower: np.ndarray
    fallback_upper: np.ndarray
    case: np.ndarray
    stratum: np.ndarray | None
    later: tuple[str, ...] = ()
    n_baseline: int = 1
    logged: str | None = None
    covariates: Mapping[str, Covariate] = field(default_factory=dict)
    matched_on: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for item in fields(self):
            array = getattr(self, item.name)
            if isinstance(array, np.ndarray):
                view = array.view()
                view.flags.writeable = False
                object.__setattr__(self, item.name, view)

    @property
    def n_analytes(self) -> int:
        """Number of analytes."""
        return self.value.shape[-2]

    @property
    def n_visits(self) -> int:
        """Number of visits, those of the baseline included."""
        return self.value.shape[-3]


class Response(NamedTuple):
    """Values of one visit, or changes, as they enter a test; shapes (..., analytes, subjects).

    Attributes
    ----------
    y : ndarray
        On the analysis scale; NaN where nothing enters; -inf or inf where only the rank is known.
    point : ndarray
        A number for every value that enters: `y`, or the limit where `y` is infinite.
    low, high : ndarray
        The interval that the value is known to lie in; both are `point` where it is a number.
    below, above : ndarray of bool
        Values beyond a limit that entered.
    unknown : ndarray of bool
        Beyond a limit that neither the file nor the measured values tell: the row cannot be tested.
    borrowed : ndarray of bool
        Entered by way of a fallback limit.
    partial : ndarray of bool
        Averaged over a part of the visits only.
    stuck : ndarray of bool
        A change that tells nothing, since both of its visits are beyond a limit.
    """

    y: np.ndarray
    point: np.ndarray
    low: np.ndarray
    high: np.ndarray
    below: np.ndarray
    above: np.ndarray
    unknown: np.ndarray
    borrowed: np.ndarray
    partial: np.ndarray
    stuck: np.ndarray


class Note(enum.IntFlag):
    """What a row's ``note`` can say; texts in `NOTE_TEXTS`."""

    NONE = 0
    NO_CASE = enum.auto()
    NO_CONTROL = enum.auto()
    ALL_BELOW = enum.auto()
    ALL_ABOVE = enum.auto()
    ALL_PAIRS_BEYOND = enum.auto()
    NO_LIMIT = enum.auto()
    TOO_FEW = enum.auto()
    CONSTANT = enum.auto()
    NO_CHANGE = enum.auto()
    FAILED = enum.auto()
    TIED_LOWEST = enum.auto()
    TIED_HIGHEST = enum.auto()
    SHIFT_OPEN = enum.auto()
    LIMITS_DIFFER = enum.auto()
    BORROWED_LOWER = enum.auto()
    BORROWED_UPPER = enum.auto()
    LEVEL_NOT_REACHED = enum.auto()
    PART_BASELINE = enum.auto()
    TOO_FEW_MEASURED = enum.auto()
    CONFOUNDED = enum.auto()
    NOT_CONVERGED = enum.auto()
    SEPARATED = enum.auto()
    EDGE = enum.auto()
    ALIASED = enum.auto()
    SILENT_LEVEL = enum.auto()
    NOT_FED = enum.auto()
    NO_PRIOR = enum.auto()
    RANKED_HIGHEST = enum.auto()
    NO_SET = enum.auto()
    NO_VARIATION = enum.auto()
    INFINITE = enum.auto()
    COVARIATE_SEPARATES = enum.auto()
    SINGULAR = enum.auto()
    SEMI_PAIRED = enum.auto()
    VALUE_TOLD = enum.auto()
    PERFECT_FIT = enum.auto()
    NO_FREEDOM = enum.auto()
    NO_PLATE = enum.auto()
    INTERVAL_OPEN = enum.auto()
    ROUGH_NORMAL = enum.auto()


# {n} is a count of that row.
NOTE_TEXTS = {
    Note.NO_CASE: "not tested: no case has a value",
    Note.NO_CONTROL: "not tested: no control has a value",
    Note.ALL_BELOW: "not tested: every value that entered is below its limit",
    Note.ALL_ABOVE: "not tested: every value that entered is above its limit",
    Note.ALL_PAIRS_BEYOND: "not tested: every subject is beyond the limit at both visits",
    Note.NO_LIMIT: "not tested: {n} values beyond a limit that is not known, and no measured value to stand in for it",
    Note.TOO_FEW: "not tested: fewer than 2 values",
    Note.CONSTANT: "not tested: the values are constant",
    Note.NO_CHANGE: "not tested: every difference is zero",
    Note.FAILED: "not tested: the test returned no p-value",
    Note.TIED_LOWEST: "values below the highest limit are tied lowest, which cost {n} numbers",
    Note.TIED_HIGHEST: "values above the lowest upper limit are tied highest, which cost {n} numbers",
    Note.SHIFT_OPEN: "values beyond a limit enter the shift at their limit; its interval allows for any value there",
    Note.LIMITS_DIFFER: "{n} values below limits that differ are replaced, by values that differ likewise",
    Note.BORROWED_LOWER: "limit not stated for {n} values below it: the lowest measured value stands in",
    Note.BORROWED_UPPER: "limit not stated for {n} values above it: the highest measured value stands in",
    Note.LEVEL_NOT_REACHED: "too few values for an interval of this level: the widest is given",
    Note.PART_BASELINE: "the baseline rests on a part of its visits in {n} subjects",
    Note.TOO_FEW_MEASURED: "not tested: too few measured values for the model",
    Note.CONFOUNDED: "not tested: the covariates already tell cases from controls",
    Note.NOT_CONVERGED: "not tested: the likelihood has no maximum that could be found",
    Note.SEPARATED: "not tested: the groups do not overlap, so that the standard error is 0; mann_whitney can test them",
    Note.EDGE: "every value of one side is beyond its limit: the estimate lies at the edge and the interval is open there",
    Note.ALIASED: "a covariate that the others tell is left out",
    Note.SILENT_LEVEL: "levels of a covariate without a measured value do not bear on the comparison",
    Note.NOT_FED: "more than four fifths of the values are beyond a limit: this row did not feed the prior variance",
    Note.RANKED_HIGHEST: "values above the lowest upper limit are tied highest",
    Note.NO_SET: "not tested: no set has values of both a case and a control",
    Note.NO_VARIATION: "not tested: cases and controls of each set have the same values",
    Note.INFINITE: "separation: within the sets the value, alone or with the covariates, puts no control ahead of a "
    'case, so that the odds ratio is infinite or 0 and its interval open there; penalty="firth" gives a finite one',
    Note.COVARIATE_SEPARATES: "separation: the covariates tell cases from controls in some or all sets, so that their "
    "own odds ratios are infinite",
    Note.SINGULAR: "not tested: the covariance matrix of the visits has no maximum of the likelihood inside its range",
    Note.SEMI_PAIRED: "subjects who lack a visit and enter by the others: {n}",
    Note.VALUE_TOLD: "not tested: within the sets the covariates leave nothing of the value to compare",
    Note.PERFECT_FIT: "not tested: within the sets the model fits the values without error, which leaves no variance",
    Note.NO_PLATE: "values of samples without a plate, which do not enter: {n}",
    Note.NO_FREEDOM: "not tested: no degree of freedom is left for the variance",
    Note.INTERVAL_OPEN: "too few arrangements within the sets for an interval of this level: it is open",
    Note.ROUGH_NORMAL: "fewer than 20 cases or controls in the sets that count: p by the normal approximation is rough; "
    "stratified_permutation keeps its level",
    Note.NO_PRIOR: "too few analytes for a prior variance: not moderated",
}
