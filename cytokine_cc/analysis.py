"""The verbs: compare_baseline, change_within, change_between and analyze."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from typing import Any, NoReturn

import numpy as np
import pandas as pd

from . import __version__
from .arrays import NOTE_TEXTS, Note
from .engine import Contrast, run
from .errors import AnalysisWarning, Faults, NonPositiveError, OptionError, StudyError
from .kernels.common import BASELINE, QUESTIONS, WITHIN
from .labels import as_labels
from .limits import back_transform
from .panel import State
from .plan import Baseline, ChangeBetween, ChangeWithin, Plan, Question
from .results import Results, count_column, excluded_table, table_of, text_column
from .study import Study
from .summaries import descriptives
from .wording import analysis_text

PLATE_ALPHA = 0.05  # plate by group below this gets a note
_ESTIMANDS = {
    ("mean", True): "ratio of geometric means",
    ("mean", False): "difference of means",
    ("shift", True): "pseudo-median shift (ratio)",
    ("shift", False): "pseudo-median shift (difference)",
}


def compare_baseline(study: Study, *, test: Any = "welch", **options: Any) -> Results:
    """Do cases and controls differ before treatment?

    One test for each analyte. Null hypothesis and estimand are those of the test; on a log scale the estimate of a t test is
    the ratio of geometric means, case / control.

    Parameters
    ----------
    study : Study
    test : str or callable
        "student", "welch", "mann_whitney"; with 1:1 matched sets "paired_t", "signed_rank".
    **options
        Further fields of `Baseline`: scale="log2", below_limit=None, adjust="BH", family="visit", covariates=(),
        alternative="two-sided", conf_level=0.95, ignore_matching=False, n_resamples=9999, seed=None.

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
    Values below a limit enter by the rule `below_limit` (None: half the limit for t tests, the lowest rank for
    `mann_whitney`). An analyte that cannot be tested keeps its row, with NaN and a note. The R calls that the tests equal
    stand in their own docstrings (``cytokine_cc.kernels``).

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> results = cc.compare_baseline(cc.load_study("quickstart"), test="welch", adjust="holm")
    >>> results.significant().table["analyte"].tolist()
    ['IL-2R', 'FGF-basic', 'HGF']
    """
    return _answer(study, _question(Baseline, {"test": test, **options}))


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
        "paired_t", "signed_rank".
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
    return _answer(study, _question(ChangeWithin, {"groups": groups, "visits": visits, "test": test, **options}))


def change_between(study: Study, *, visits: Any = None, test: Any = "change_score", **options: Any) -> Results:
    """Does the change from baseline differ between cases and controls?

    One test for each analyte and later visit, on the change of each subject.

    Parameters
    ----------
    study : Study
    visits : tuple of labels, optional
        None: all later visits.
    test : str or callable
        "change_score" (Welch's t on the changes), "change_rank" (Mann-Whitney on the changes), and any test of
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
    paradox): this is the first of the two.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> results = cc.change_between(cc.load_study("quickstart"))
    >>> results.table["contrast"].unique().tolist()
    ['change: case / control']
    """
    return _answer(study, _question(ChangeBetween, {"visits": visits, "test": test, **options}))


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
        raise OptionError(f"analyze() takes a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study().")
    if plan is None or plan == Plan():
        plan = Plan() if study.visits else Plan(change_within=None, change_between=None)
    answers = dict(zip([question.kind for question in plan.questions], _answers(study, plan.questions), strict=True))
    return Analysis(plan, study, descriptives(study), *(answers.get(kind) for kind in QUESTIONS))


@dataclass(frozen=True, eq=False)
class Analysis:
    """A plan, the study it was run on, and what came of it.

    Attributes
    ----------
    plan : Plan
    study : Study
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

    @property
    def results(self) -> dict[str, Results]:
        """The questions that were asked, by name."""
        return {kind: answer for kind in QUESTIONS if (answer := getattr(self, kind)) is not None}

    def __repr__(self) -> str:
        rows = ", ".join(f"{kind}: {len(answer)} rows" for kind, answer in self.results.items())
        return f"<Analysis of {self.study!r}\n  {rows}>"

    def describe(self) -> str:
        """Say in words what was done and on what, as a methods paragraph.

        Returns
        -------
        str

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> text = cc.analyze(cc.load_study("quickstart")).describe()
        >>> text[:66]
        'The study comprised 30 cases and 22 controls; 18 analytes were mea'
        """
        return analysis_text(self)


def _question(cls: type[Question], options: dict[str, Any]) -> Question:
    try:
        return cls(**options)
    except TypeError:
        from .errors import known_keys

        known_keys(f"{cls.kind}", options, [name for name in cls.__dataclass_fields__ if name != "kind"])
        raise


def _answer(study: Study, question: Question) -> Results:
    if not isinstance(study, Study):
        raise OptionError(f"`study` must be a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study().")
    return _answers(study, (question,))[0]


def _answers(study: Study, questions: Iterable[Question]) -> list[Results]:
    questions = tuple(questions)
    for question in questions:
        if study.panel.logged is not None and question.scale == "raw":
            raise OptionError(f"{question.kind}: scale='raw' is refused, since the file holds {study.panel.logged} values (logged=...). Use a log scale.")
    try:
        found = run(questions, study.arrays, detail=True)
    except NonPositiveError as error:
        _explain_nonpositive(study, error)
    return [_results(study, question, contrasts) for question, contrasts in zip(questions, found, strict=True)]


def _results(study: Study, question: Question, contrasts: list[Contrast]) -> Results:
    tables = [table_of(_columns(study, question, contrast)) for contrast in contrasts]
    table = tables[0] if len(tables) == 1 else pd.concat(tables, ignore_index=True)
    return Results(table, _excluded(study, question, contrasts), _meta(study, question))


def _columns(study: Study, question: Question, contrast: Contrast) -> dict[str, Any]:
    """One contrast as the columns of a results table."""
    entry, m, s, stats = question.entry, len(study.analytes), contrast.summary, contrast.statistics
    label, visit = contrast_label(study, question, contrast)
    back = question.scale

    def text(value: str) -> Any:
        return text_column(value, m)

    def count(name: str) -> Any:
        return count_column(s[name]) if name in s else count_column(np.zeros(m), np.ones(m, dtype=bool))

    def number(name: str) -> np.ndarray:
        return back_transform(s[name], back) if name in s else np.full(m, np.nan)

    methods = np.array([*entry.methods, ""], dtype=object)
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
        "estimate": back_transform(stats.estimate, back),
        "std_error": stats.std_error,
        "conf_low": back_transform(stats.conf_low, back),
        "conf_high": back_transform(stats.conf_high, back),
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


def contrast_label(study: Study, question: Question, contrast: Contrast) -> tuple[str, str]:
    """Return the contrast, stating the sign, and the visit it belongs to."""
    sign = "-" if question.scale == "raw" else "/"
    if contrast.visit is None:
        return f"case {sign} control", study.baseline
    visit = study.visits[contrast.visit]
    if contrast.group:
        return f"{visit} {sign} {study.baseline} in {contrast.group}", visit
    return f"change: case {sign} control", visit


def _notes(study: Study, question: Question, contrast: Contrast) -> np.ndarray:
    """Spell out the flags of each row, and what holds for all rows."""
    flags = contrast.statistics.note
    common = _common_notes(study, question)
    texts = np.full(len(flags), common, dtype=object)
    for i in np.flatnonzero(flags):
        own = [NOTE_TEXTS[flag].format(n=int(contrast.counts[flag][i]) if flag in contrast.counts else "") for flag in Note(int(flags[i]))]
        texts[i] = "; ".join([*own, common] if common else own)
    return texts


def _common_notes(study: Study, question: Question) -> str:
    notes = []
    if question.kind != WITHIN:
        if study.design.matching == "sets" and not question.entry.paired:
            notes.append("matched sets ignored as asked")
        left = [name for name in study.design.matched_on if name not in question.covariates]
        if left and study.design.matching == "frequency":
            notes.append(f"matching variables not adjusted for: {', '.join(left)}")
    if question.kind == BASELINE and study.plate_by_group < PLATE_ALPHA and "plate" not in question.covariates:
        notes.append(f"plate is associated with group (chi-square p = {study.plate_by_group:.2g})")
    return "; ".join(notes)


def _excluded(study: Study, question: Question, contrasts: list[Contrast]) -> pd.DataFrame:
    rows = [row for contrast in contrasts for row in _left_out(study, question, contrast)]
    return excluded_table(rows)


def _left_out(study: Study, question: Question, contrast: Contrast) -> Iterator[tuple[str, str, str, str]]:
    """List the cells of a contrast's visit that did not enter, each with its reason."""
    visit = study.baseline if contrast.visit is None else study.visits[contrast.visit]
    yield from _of_excluded_subjects(study, contrast, visit)
    if contrast.entered is None:
        return
    here = np.ones(contrast.entered.shape[-1], dtype=bool)
    if contrast.group:
        here = (study.subjects["role"] == contrast.group).to_numpy()
    n = len(study.baseline_visits)
    if contrast.visit is not None:
        absent = study.sample_at[n + contrast.visit] < 0
        for subject in study.subjects.index[absent & here]:
            yield subject, visit, "", f"no sample at {visit}"
        here = here & ~absent
    names, subjects = study.analytes, study.subjects.index
    for i, j in np.argwhere(~contrast.entered & here):
        yield subjects[j], visit, names[i], _reason(study, question, contrast, i, j)


def _of_excluded_subjects(study: Study, contrast: Contrast, visit: str) -> Iterator[tuple[str, str, str, str]]:
    if not len(study.excluded):
        return
    samples, design = study.panel.samples, study.design
    role = dict(zip(samples["subject"], as_labels(samples[design.group]), strict=True))
    wanted = {"case": design.case, "control": design.control}.get(contrast.group)
    visits = study.baseline_visits if contrast.visit is None else (visit,)
    there = set(samples["subject"][samples["visit"].isin(visits)])
    for subject, _, _, reason in study.excluded.itertuples(index=False):
        if wanted is not None and role[subject] != wanted:
            continue
        if subject in there:
            for analyte in study.analytes:
                yield subject, visit, analyte, reason
        else:
            yield subject, visit, "", reason


def _reason(study: Study, question: Question, contrast: Contrast, analyte: int, subject: int) -> str:
    n = len(study.baseline_visits)
    places = [slice(0, n)] if contrast.visit is None else [slice(n + contrast.visit, n + contrast.visit + 1), slice(0, n)]
    labels = [study.baseline] if contrast.visit is None else [study.visits[contrast.visit], study.baseline]
    arrays = study.arrays
    found = []
    for place, label in zip(places, labels, strict=True):
        state = arrays.state[place, analyte, subject]
        if question.rule in {"drop", "as_reported"} and np.isin(state, (State.BELOW, State.ABOVE)).any():
            side = "below" if (state == State.BELOW).any() else "above"
            found.append(f"{side} the limit at {label} ({question.rule})")
        elif (state == State.MISSING).all():
            found.append(f"missing at {label}")
        elif np.isin(state, (State.BELOW, State.ABOVE)).any():
            fallback = arrays.fallback_lower if (state == State.BELOW).any() else arrays.fallback_upper
            if np.isnan(fallback[place, analyte, subject]).any():
                found.append(f"beyond a limit that is not known at {label}")
        elif question.rule == "drop" and (state == State.EXTRAPOLATED).any():
            found.append(f"below the limit at {label} (drop)")
    return "; ".join(found) or "no value in the matched partner"


def _explain_nonpositive(study: Study, error: NonPositiveError) -> NoReturn:
    faults = Faults(StudyError, study.panel.source.partition(" (")[0])
    visits = (*study.baseline_visits, *study.visits)
    arrays = study.arrays
    for v, a, s in error.cells.tolist():
        value = arrays.value[v, a, s]
        faults.add(
            "zero and negative values have no logarithm",
            subject=study.subjects.index[s],
            visit=visits[v],
            analyte=study.analytes[a],
            found=f"{value:g}" if value == value else f"a limit of {np.fmin(arrays.lower[v, a, s], arrays.fallback_lower[v, a, s]):g}",
            remedy="If they mean 'not detected', say so when reading: codes={'0': 'below'}; or use scale='raw'.",
        )
    faults.raise_if_any()
    raise error


def _meta(study: Study, question: Question) -> dict[str, Any]:
    plan = {name: getattr(value, "__name__", value) if callable(value) else value for name, value in asdict(question).items()}
    return {
        "question": question.kind,
        "plan": plan,
        "design": asdict(study.design),
        "source": study.panel.source,
        "versions": dict(versions()),
        "seed": question.seed,
    }


@cache
def versions() -> tuple[tuple[str, str], ...]:
    """Versions of what computed a result."""
    import scipy

    return (
        ("cytokine_cc", __version__), ("python", platform.python_version()), ("numpy", np.__version__), ("scipy", scipy.__version__),
        ("pandas", pd.__version__),
    )  # fmt: skip


__all__ = ["Analysis", "AnalysisWarning", "analyze", "change_between", "change_within", "compare_baseline", "replace"]
