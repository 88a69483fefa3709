"""The verbs: compare_baseline, change_within, change_between and analyze."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from functools import cached_property
from inspect import Parameter, signature
from typing import Any

import pandas as pd

from .assembly import results_of
from .balance import balance_table
from .covariates import arrays_for
from .engine import run
from .errors import NonPositiveError, OptionError
from .exclusions import explain_nonpositive
from .kernels.common import QUESTIONS
from .plan import Plan
from .questions import Baseline, ChangeBetween, ChangeWithin, Question, question_of, seeded
from .results import Results
from .study import Study
from .summaries import descriptives
from .wording import analysis_text


def options_of(cls: type[Question], leave_out: tuple[str, ...] = ()) -> Callable[[Any], Any]:
    """Show the fields of a question as the keywords of its verb, so that they are listed in one place only."""

    def decorate(verb: Any) -> Any:
        shown = [parameter for parameter in signature(verb).parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
        own = {parameter.name for parameter in shown} | set(leave_out)
        more = [
            Parameter(item.name, Parameter.KEYWORD_ONLY, default=item.default, annotation=item.type)
            for item in fields(cls)
            if item.name not in own
        ]
        verb.__signature__ = signature(verb).replace(parameters=[*shown, *more])
        return verb

    return decorate


@options_of(Baseline)
def compare_baseline(study: Study, *, test: Any = "welch", **options: Any) -> Results:
    """Do cases and controls differ before treatment?

    One test for each analyte. Null hypothesis and estimand are those of the test; on a log scale the estimate of a t test is
    the ratio of geometric means, case / control.

    Parameters
    ----------
    study : Study
    test : str or callable
        "student", "welch", "mann_whitney", "brunner_munzel"; with covariates "linear_model", "moderated_t"; for values below
        limits "tobit" (with covariates), "peto_peto", "gehan"; with matched sets "stratified", "van_elteren",
        "stratified_permutation", "conditional_logistic", and where these are 1:1 "paired_t", "signed_rank".
    **options
        Further fields of `Baseline`: scale="log2", below_limit=None, adjust="BH", family="visit", covariates=(),
        alternative="two-sided", conf_level=0.95, ignore_matching=False, n_resamples=9999, seed=None; and the test's own options,
        such as ``trend=True``, ``robust=True`` of "moderated_t" or ``calibrated=True`` of "tobit".

    Returns
    -------
    Results
        One row an analyte, in panel order.

    Raises
    ------
    OptionError
        An option that is not allowed; a paired test without matched sets, or an unmatched one in spite of them.
    StudyError
        Zero or negative values on a log scale.

    Notes
    -----
    Values below a limit enter by the rule `below_limit`. None is half the limit for t tests and linear models, the lowest
    rank for `mann_whitney` and `brunner_munzel`, "censored" for `tobit`, `peto_peto` and `gehan`. An analyte that cannot be
    tested keeps its row, with NaN and a note. The R calls that the tests equal stand in their own docstrings
    (``cytokine_cc.kernels``).

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> results = cc.compare_baseline(cc.load_study("quickstart"), test="welch", adjust="holm")
    >>> results.significant().table["analyte"].tolist()
    ['IL-2R', 'IL-6', 'HGF']
    """
    return answers_of(study, [question_of(Baseline, {"test": test, **options})])[0]


@options_of(ChangeWithin)
def change_within(
    study: Study, *, groups: Any = ("case", "control"), visits: Any = None, test: Any = "paired_t", **options: Any
) -> Results:
    """Do levels change from baseline within a group?

    One test for each analyte, group and later visit, on the differences within subjects (paired by subject id).

    Parameters
    ----------
    study : Study
    groups : tuple of {"case", "control"}
    visits : tuple of labels, optional
        None: all later visits.
    test : str or callable
        "paired_t", "signed_rank", "moderated_paired_t"; for values below limits "tobit_paired".
    **options
        Further fields of `ChangeWithin`, as in `compare_baseline`.

    Returns
    -------
    Results
        Rows by group, visit and, in panel order, analyte. Subjects with one of the two visits are listed in ``excluded``.

    Raises
    ------
    OptionError, StudyError
        As `compare_baseline`; a visit that does not exist.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> results = cc.change_within(cc.load_study("quickstart"), groups=("case",), test="signed_rank")
    >>> results.table["contrast"].unique().tolist()
    ['month6 / baseline in case']
    """
    return answers_of(study, [question_of(ChangeWithin, {"groups": groups, "visits": visits, "test": test, **options})])[0]


@options_of(ChangeBetween)
def change_between(study: Study, *, visits: Any = None, test: Any = "change_score", **options: Any) -> Results:
    """Does the change from baseline differ between cases and controls?

    One test for each analyte and later visit, on the change of each subject.

    Parameters
    ----------
    study : Study
    visits : tuple of labels, optional
        None: all later visits.
    test : str or callable
        "change_score" (Welch's t on the changes), "change_rank" (Mann-Whitney on the changes), "ancova" (later values after the
        baseline), "lda" and "clda" (models of all visits, which take subjects who lack one), and any test of
        `compare_baseline`, applied to the changes.
    **options
        Further fields of `ChangeBetween`, as in `compare_baseline`.

    Returns
    -------
    Results
        Rows by visit and, in panel order, analyte.

    Raises
    ------
    OptionError, StudyError
        As `compare_baseline`; a visit that does not exist.

    Notes
    -----
    Where the groups differ at baseline, a change score and an analysis of covariance answer different questions (Lord's
    paradox): "ancova" and "clda" are the second, all other tests are the first. `change_side_by_side` gives both.

    A plate among the `covariates` of changes is that of the later sample less that of the baseline, so that the shift of a plate
    cancels where both samples were on it; "ancova" takes the plates of both.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> results = cc.change_between(cc.load_study("quickstart"))
    >>> results.table["contrast"].unique().tolist()
    ['change: case / control']
    """
    return answers_of(study, [question_of(ChangeBetween, {"visits": visits, "test": test, **options})])[0]


def analyze(study: Study, plan: Plan | None = None) -> Analysis:
    """Run a plan on a study.

    Parameters
    ----------
    study : Study
    plan : Plan, optional
        None is ``Plan()``, without the questions about change where the study has no visit after baseline.

    Returns
    -------
    Analysis

    Raises
    ------
    OptionError, StudyError
        As the verbs; a question about change that the study has no visit for.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> analysis = cc.analyze(cc.load_study("quickstart"))
    >>> len(analysis.baseline), len(analysis.change_within), len(analysis.change_between)
    (18, 36, 18)
    """
    if not isinstance(study, Study):
        raise OptionError(
            f"analyze() takes a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study()."
        )
    if plan is not None and not isinstance(plan, Plan):
        raise OptionError(
            f"`plan` must be a Plan; got {type(plan).__name__}. Put questions into one: Plan(baseline=Baseline(...))."
        )
    if plan is None or plan == Plan():
        plan = Plan() if study.visits else Plan(change_within=None, change_between=None)
    answers = dict(zip([question.kind for question in plan.questions], answers_of(study, plan.questions), strict=True))
    return Analysis(plan, study, descriptives(study), *(answers.get(kind) for kind in QUESTIONS))


@dataclass(frozen=True, eq=False)
class Analysis:
    """A plan, the study it was run on, and what came of it.

    Attributes
    ----------
    plan : Plan
    study : Study
    balance : DataFrame
        `balance_table` of the study, made when it is asked for.
    descriptives : DataFrame
    baseline, change_within, change_between : Results or None
        None where the plan does not ask.
    """

    plan: Plan
    study: Study
    descriptives: pd.DataFrame
    baseline: Results | None
    change_within: Results | None
    change_between: Results | None

    @cached_property
    def balance(self) -> pd.DataFrame:
        """How well cases and controls agree on the covariates of the study before treatment."""
        return balance_table(self.study)

    @property
    def results(self) -> dict[str, Results]:
        """The questions that were asked, by name."""
        return {kind: answer for kind in QUESTIONS if (answer := getattr(self, kind)) is not None}

    def __repr__(self) -> str:
        rows = ", ".join(f"{kind}: {len(answer)} rows" for kind, answer in self.results.items())
        return f"<Analysis of {self.study!r}\n  {rows}>"

    def describe(self) -> str:
        """Say in words what was done and on what, as a methods paragraph; simulated data are called so first.

        Returns
        -------
        str

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> text = cc.analyze(cc.load_study("quickstart")).describe()
        >>> text.partition(".")[0]
        'The data are simulated (quickstart, seed 20260301): no person stands behind them'
        """
        return analysis_text(self)


def answers_of(study: Study, questions: Iterable[Question]) -> list[Results]:
    """Answer questions on a study; several of one kind are answered apart."""
    if not isinstance(study, Study):
        raise OptionError(
            f"`study` must be a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study()."
        )
    questions = tuple(questions)
    for question in questions:
        if study.panel.logged is not None and question.scale == "raw":
            held = study.panel.logged
            raise OptionError(f"{question.kind}: scale='raw' is refused, since the file holds {held} values. Use a log scale.")
    answers: dict[int, Results] = {}
    for wide in (False, True):  # models of all visits also take who has no baseline
        places = [i for i, question in enumerate(questions) if ("visits" in question.entry.takes) is wide]
        asked = [seeded(questions[i]) for i in places]
        if not asked:
            continue
        own = study.with_semi_paired if wide else study
        try:
            found = run(asked, arrays_for(own, asked), detail=True)
        except NonPositiveError as error:
            explain_nonpositive(own, asked, error)
        for i, question, contrasts in zip(places, asked, found, strict=True):
            answers[i] = results_of(own, question, contrasts)
    return [answers[i] for i in range(len(questions))]
