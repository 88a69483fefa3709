"""change_side_by_side: change score, ANCOVA, LDA and cLDA of the same study, and what each of them assumes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd

from .adjusting import columns_of
from .analysis import answers_of, options_of
from .arrays import StudyArrays
from .covariates import arrays_for
from .engine import contrasts_of
from .entering import Sides
from .errors import AnalysisWarning, OptionError, known_keys
from .kernels import TESTS
from .kernels.linear import slope_within
from .limits import back_transform
from .questions import ChangeBetween, Question, question_of
from .responses import Responses
from .results import Results
from .shown import WIDTH, as_html, as_text, listed, number
from .study import Study
from .words import counted, p_text

MODELS = ("change_score", "ancova", "lda", "clda")
DIFFER = 0.05  # baselines with a p-value of at most this get a warning; not adjusted, since overlooking one costs more
ASSUMPTIONS = {
    "change_score": "without an effect both groups would change alike, however far apart they began; subjects who lack one of "
    "the two values are left out, as if they were like the others",
    "ancova": "without an effect subjects who began alike would end alike, whatever their group, so that groups "
    "which begin apart drift together by (1 - slope) of the gap; a straight line of one slope; subjects who lack one of the two "
    "values are left out",
    "lda": "as the change score, without an effect both groups would change alike; subjects who lack a visit enter by what they "
    "have, missing at random given that; normal, with one covariance in both groups",
    "clda": "the groups come from one population at baseline, so that a gap there is chance, as in a randomised trial; where "
    "they were selected on a noisy baseline the estimate still holds, but not its standard error, which is too small, the more "
    "so the larger the gap (ancova has the right one); not valid where the populations differ; otherwise as lda",
}
_LORD = (
    "baselines differ (p = {p:.2g}): change_score and lda answer another question than ancova and clda, and the standard error "
    "of clda is too small"
)
_NOT_HERE = ("test", "options", "n_resamples", "seed")


@dataclass(frozen=True, eq=False)
class SideBySide:
    """Four models of the difference in change between cases and controls.

    Attributes
    ----------
    table : DataFrame
        One row an analyte and later visit, in panel order:

        - analyte, visit; n_both: subjects with both values, who enter change score and ANCOVA; n_any: those with a value at any
          visit of the models, who enter lda and clda
        - of subjects with both values: baseline, baseline_low, baseline_high, baseline_p (case / control before treatment; on
          the raw scale case - control; p not adjusted); slope (of the later value on the baseline, within groups); catch_up (what
          regression to the mean predicts for the difference in change, where groups were selected on a noisy baseline)
        - of each model, "change_score", "ancova", "lda" and "clda": its estimate under its name, and _low, _high, _p,
          _p_adjusted; note
    assumptions : DataFrame
        model, test, assumption.
    results : dict of str to Results
        The answers of the four models in full, as `change_between` gives them.
    meta : dict
        scale, below_limit, covariates, alternative, conf_level, adjust.
    """

    table: pd.DataFrame
    assumptions: pd.DataFrame
    results: Mapping[str, Results]
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        assumed = "\n".join(fill(f"{row.model}: {row.assumption}.", WIDTH - 20) for row in self.assumptions.itertuples())
        head = f"SideBySide: {counted(len(self.table), 'row')}. {self.describe()}"
        return f"{as_text(fill(head, WIDTH - 20), self._shown())}\n{assumed}"

    def _repr_html_(self) -> str:
        return as_html(self.describe(), {**self._shown(), "what each model assumes": self.assumptions})

    def _shown(self) -> dict[str, pd.DataFrame]:
        """Return the table with each estimate, its interval and p in one cell."""
        sign = "-" if self.meta["scale"] == "raw" else "/"
        cells = dict(self.table[["analyte", "visit", "n_both", "n_any"]])
        cells |= {"baseline": self._cells("baseline"), "slope": self.table["slope"], "catch_up": self.table["catch_up"]}
        cells |= {model: self._cells(model) for model in MODELS}
        return {f"case {sign} control at baseline, and of the changes": pd.DataFrame(cells)}

    def _cells(self, name: str) -> list[str]:
        parts = zip(*(self.table[f"{name}{end}"] for end in ("", "_low", "_high", "_p")), strict=True)
        return [
            "" if np.isnan(p) else f"{number(own)} ({number(low)}, {number(high)}) p {p_text(p)}" for own, low, high, p in parts
        ]

    def describe(self) -> str:
        """Say in words where the models part, and why.

        Returns
        -------
        str
        """
        differ = self.table.loc[self.table["baseline_p"] <= DIFFER, "analyte"].unique()
        n = self.table["analyte"].nunique()
        start = f"Baselines differ (p <= {DIFFER:g}, not adjusted) in {len(differ)} of {counted(n, 'analyte')}"
        if not len(differ):
            return f"{start}. Where they do not, the four models differ by chance and by who enters."
        return (
            f"{start}: {listed(differ)}. There change_score and lda (both groups would change alike) and ancova and clda (who "
            "began alike would end alike) answer different questions, and catch_up is what lies between them "
            "(Lord's paradox). The data cannot tell which assumption holds; how cases came to be cases can."
        )


@options_of(ChangeBetween, leave_out=_NOT_HERE)
def change_side_by_side(study: Study, *, visits: Any = None, covariates: Any = (), **options: Any) -> SideBySide:
    """Does the change differ between cases and controls, whichever way one asks?

    Cases are defined by what happens later, so their baselines may differ from those of controls. Then change score and analysis
    of covariance answer different questions (Lord's paradox), and no test can tell which is the right one. This call gives both,
    and their versions for subjects who lack a visit, side by side, with the assumption that each makes.

    Parameters
    ----------
    study : Study
    visits : tuple of labels, optional
        Later visits; None: all. The models lda and clda take the baseline and all of these together.
    covariates : tuple of str
        As in `change_between`; the change score is then a linear model of the changes.
    **options
        scale="log2", below_limit=None, adjust="BH", family="visit", alternative="two-sided", conf_level=0.95,
        ignore_matching=False: as in `change_between`.

    Returns
    -------
    SideBySide

    Raises
    ------
    OptionError, StudyError
        As `change_between`.

    Warns
    -----
    AnalysisWarning
        Where baselines differ between groups at p <= .05, not adjusted.

    Notes
    -----
    With the slope b of the later value on the baseline within groups, the difference in mean change less the estimate of ancova
    is -(1 - b) x the gap at baseline: an identity, of subjects with both values. It is the column `catch_up`: what regression
    to the mean predicts if the gap came from selection on a noisy baseline. If the populations differ it predicts none, and a
    change score is right to expect none. Error of measurement alone brings b below 1, so that ancova expects too much of a
    catch-up between populations that differ.

    References
    ----------
    Lord FM. Psychol Bull 1967;68:304-305. doi:10.1037/h0025105.
    Liang KY, Zeger SL. Sankhya B 2000;62:134-148.
    Senn S. Stat Med 2006;25:4334-4344. doi:10.1002/sim.2682.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> study = cc.load_study("quickstart").select(analytes=["IL-5", "IL-7"])
    >>> found = cc.change_side_by_side(study)
    >>> found.table.set_index("analyte").loc["IL-7", ["catch_up", "change_score", "ancova", "lda", "clda"]].astype(float).round(3)
    catch_up        1.006
    change_score    0.745
    ancova          0.740
    lda             0.751
    clda            0.740
    Name: IL-7, dtype: float64
    """
    _check_design(study, options)
    tests = {name: "linear_model" if covariates and name == "change_score" else name for name in MODELS}
    given = {"visits": visits, "covariates": covariates, **options}
    known_keys("change_side_by_side()", given, [item.name for item in fields(ChangeBetween) if item.name not in _NOT_HERE])
    questions = [question_of(ChangeBetween, {"test": test, **given}) for test in tests.values()]
    results = dict(zip(MODELS, answers_of(study, questions), strict=True))
    first = questions[1]
    table = pd.concat([_at_start(study, first), _models(results)], axis=1)
    for i, (name, model) in enumerate((("n_both", "ancova"), ("n_any", "lda"))):
        counts = results[model].table[["n_case", "n_control"]].sum(axis=1)
        table.insert(2 + i, name, counts.astype("int64"))
    table["note"] = _notes(table, results)
    assumptions = pd.DataFrame({"model": list(MODELS), "test": list(tests.values()), "assumption": list(ASSUMPTIONS.values())})
    names = ("scale", "covariates", "alternative", "conf_level", "adjust")
    found = SideBySide(table, assumptions, results, {name: getattr(first, name) for name in names} | {"below_limit": first.rule})
    if (table["baseline_p"] <= DIFFER).any():
        warnings.warn(found.describe(), AnalysisWarning, stacklevel=2)
    return found


def _check_design(study: Any, options: Mapping[str, Any]) -> None:
    if isinstance(study, Study) and study.design.matching == "sets" and not options.get("ignore_matching"):
        raise OptionError(
            "change_side_by_side() compares two groups and would ignore the matched sets of the design. Say "
            "ignore_matching=True, or compare changes within sets: change_between(study, test='stratified')."
        )


def _models(results: Mapping[str, Results]) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    for model, found in results.items():
        names = {"estimate": model, "conf_low": f"{model}_low", "conf_high": f"{model}_high", "p_value": f"{model}_p"}
        columns |= {name: found.table[column].to_numpy() for column, name in names.items()}
        columns[f"{model}_p_adjusted"] = found.table["p_adjusted"].to_numpy()
    return pd.DataFrame(columns)


def _notes(table: pd.DataFrame, results: Mapping[str, Results]) -> list[str]:
    """Say of each row where baselines differ, and which models could not be had and why."""
    notes = []
    for i, p in enumerate(table["baseline_p"]):
        own = [_LORD.format(p=p)] if p <= DIFFER else []
        for model, found in results.items():
            row = found.table.iloc[i]
            own += [f"{model}: {row['note']}"] if np.isnan(row["p_value"]) else []
        notes.append("; ".join(own))
    return notes


def _at_start(study: Study, question: Question) -> pd.DataFrame:
    """Compare the groups at baseline, and predict their catch-up, of subjects with both values."""
    arrays = arrays_for(study, [question])
    parts = []
    for visit, _ in contrasts_of(question, arrays):
        found = _before(question, visit, arrays)
        back = {
            name: back_transform(found[name], question.scale)
            for name in ("baseline", "baseline_low", "baseline_high", "catch_up")
        }
        labels = {"analyte": study.analytes.to_numpy(dtype=object), "visit": study.visits[visit] if visit is not None else ""}
        parts.append(pd.DataFrame({**labels, **found, **back}))
    return pd.concat(parts, ignore_index=True)


def _before(question: Question, visit: int | None, arrays: StudyArrays) -> dict[str, np.ndarray]:
    later, base = Responses(arrays, slice(0, arrays.n_analytes)).pair(visit, question)
    columns, sides = columns_of(question, visit, arrays), Sides(arrays)
    gone = np.isnan(later.y + base.y)
    given: dict[str, Any] = {}
    if columns is not None:
        gone |= columns.gone[..., None, :]
        given["covariates"] = tuple(sides.take(columns.values, name) for name in ("case", "control"))
    before, after = ([sides.take(np.where(gone, np.nan, own.y), name) for name in ("case", "control")] for own in (base, later))
    test = TESTS["linear_model" if given else "welch"].function
    s = test(*before, alternative="two-sided", conf_level=question.conf_level, **given)
    gap = np.where(np.isnan(s.p_value), np.nan, s.estimate)
    slope = slope_within(after[0], after[1], (before[0], before[1]), given.get("covariates"))
    found = dict(
        zip(("baseline", "baseline_low", "baseline_high", "baseline_p"), (gap, s.conf_low, s.conf_high, s.p_value), strict=True)
    )
    return {**found, "slope": slope, "catch_up": -(1 - slope) * gap}
