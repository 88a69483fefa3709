"""Who was analysed: not all of a study, where tests need strata of both kinds; more, where a model takes who has no baseline."""

from __future__ import annotations

import numpy as np

from ..adjusting import strata_of
from ..analysis import Analysis
from ..covariates import arrays_for
from ..kernels.common import WITHIN
from ..study import Study
from ..wording import in_model, model_alone
from ..words import counted, joined
from .phrases import TITLES, group_title, listed, part


def analysed(analysis: Analysis) -> tuple[Study, list[str]]:
    """Return the subjects whom some question of the plan can take, and the study that holds their samples."""
    study = analysis.study
    if model_alone(analysis):
        return study.with_semi_paired, in_model(analysis)[1]
    asked = {question.kind for question in analysis.plan.questions}
    return study, (in_strata(analysis) if only_strata(analysis) and WITHIN not in asked else list(study.subjects.index))


def only_strata(analysis: Analysis) -> bool:
    """Tell whether all comparisons of frequency-matched groups lie within strata, and need a case and a control in each."""
    across = [question for question in analysis.plan.questions if question.kind != WITHIN]
    frequency = analysis.study.design.matching == "frequency"
    return frequency and bool(across) and all(question.entry.sets == "both" for question in across)


def in_strata(analysis: Analysis) -> list[str]:
    """Return the subjects of a frequency-matched study whose stratum holds a case and a control."""
    strata, case = _strata(analysis)
    both = (strata >= 0) & np.isin(strata, strata[case]) & np.isin(strata, strata[~case])
    return list(analysis.study.subjects.index[both])


def _strata(analysis: Analysis) -> tuple[np.ndarray, np.ndarray]:
    arrays = arrays_for(analysis.study, [question for question in analysis.plan.questions if question.entry.sets])
    return strata_of(arrays), arrays.case


def one_kind_text(analysis: Analysis, need: str = "both") -> str:
    """Count who stands in no stratum with both kinds, where the plan has tests of that need (`Test.sets`); "" if nobody."""
    study = analysis.study
    asked = [TITLES[question.kind].lower() for question in analysis.plan.questions if question.entry.sets == need]
    if study.design.matching != "frequency" or not asked:
        return ""
    gone = study.subjects["role"].drop(in_strata(analysis))
    if not len(gone):
        return ""
    sizes = {"case": study.n_case, "control": study.n_control}
    each = joined(f"{part(int((gone == role).sum()), n)} {group_title(study, role)}" for role, n in sizes.items())
    unknown = int((_strata(analysis)[0] < 0).sum())
    more = f", or in none that is known ({unknown})" if unknown else ""
    stand = "stands" if len(gone) == 1 else "stand"
    use = (
        "no test of sets uses them" if need == "both" else "a linear model with effects of strata learns of no difference by them"
    )
    return (
        f"{counted(len(gone), 'subject')} {stand} in strata (of {listed(study.design.matched_on)}) of one kind only{more}, so "
        f"that {use} ({listed(asked)}): {each}."
    )
