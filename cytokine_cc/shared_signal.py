"""common_shift: is it one signal or several? What analytes share, and what differs beyond it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from .analysis import compare_baseline
from .arrays import NOTE_TEXTS, Note
from .errors import OptionError, fraction, quoted, whole_number
from .kernels import TESTS
from .kernels.common import BASELINE, NUMBER_RULES, Statistics
from .kernels.independent import student
from .kernels.linear import linear_model
from .limits import back_transform, respond
from .multiplicity import adjust_pvalues
from .principal import Standardised, components_of, galwey, li_ji, noise_edge, scores_without, standardised
from .questions import Baseline
from .results import Results, excluded_table
from .shared_result import VERDICTS, CommonShift
from .shown import listed
from .study import Study
from .wording import simulated_text

LEAST_ANALYTES = 3
FEW = "fewer than half of the subjects, or than 2 of a group, have a value"
FLAT = "the values are constant within groups"
MOSTLY_MISSING = "more than half of the analytes have no value"


def common_shift(
    study: Study,
    *,
    test: Any = "welch",
    scale: str = "log2",
    below_limit: str | None = None,
    adjust: str = "BH",
    alpha: float = 0.05,
    components: int | None = None,
) -> CommonShift:
    """Is it one signal or several? What differs at baseline beyond a shift of what the analytes share.

    Samples of cases that were stored longer, an infection, a plate: one cause can move many analytes together, and each of
    them then counts as a finding. This compares the groups in each analyte twice: as `compare_baseline` does, and among
    subjects alike in the first components of the *other* analytes.

    Parameters
    ----------
    study : Study
        Matched sets are ignored: groups are compared as wholes.
    test : str or callable
        The test before, one for unmatched groups. The comparison after is always the linear model.
    scale, below_limit, adjust
        As in `compare_baseline`. Correlations and the linear model take the numbers of that rule; where it gives none
        ("lowest_rank", "censored"), half the limit.
    alpha : float
        An adjusted p-value of at most this is a hit.
    components : int, optional
        How many components to remove. None: those that stand above noise, at least one (see Notes).

    Returns
    -------
    CommonShift
        In a notebook its paragraph and tables; ``describe()`` is the paragraph.

    Raises
    ------
    OptionError
        A test for matched sets, fewer than 3 analytes that vary, more components than there can be; as `compare_baseline`.
    StudyError
        Zero or negative values on a log scale.

    Notes
    -----
    *How.* Components are those of the correlations within groups (each analyte less the mean of its group), so that no
    difference between the groups makes one. Scores are values, less the mean of all and in SDs within groups, times loadings,
    alike for cases and controls. Analyte j is compared by ``lm(y ~ scores + group)`` with loadings and scores of all analytes
    but j; given these, its t test is exact for normal values. With j among the scores a part of its own difference would be
    removed; with j in the loadings alone, 5.7% of true nulls were rejected at 5%, without it 4.7 to 5.0%.

    *What the answer means.* A hit that is left differs beyond one shift of what is shared. A hit that is removed need not be an
    artefact: a shift has a cause, which may be the disease; and true differences of several analytes that go together
    are a part of the scores, and are removed as such. Analytes that share in these scores without differing then come
    out on the other side ("only after"). Scores measure what is shared with error, so that a little of a shift stays.

    *How many.* A shift need not lie along the first component. None removes those whose eigenvalue is above
    (1 + sqrt(m / (n - 2)))^2, which m uncorrelated analytes of n subjects stay below [1]_. ``components`` of the result says
    what is left after one, after two, ...

    *What to expect.* 30 cases, 22 controls, 36 analytes; 1,000 studies of each scenario (seed 1); "welch", BH, 5%; of
    studies with three hits or more:

    ==================================================  ==============  ===========
    scenario                                            common_shift    henry2010
    truth                                               one shift, 0    6 differ
    hits before                                         7.6             5.2
    left, 2 components removed (None, nearly always)    .65             3.5
    left, 1 component removed                           2.0             4.3
    no hit left (None)                                  66%             5%
    at least half of the hits left                      5%              78%
    only after (all false, or nearly all)               .26             1.4
    ==================================================  ==============  ===========

    Where nothing differs, the test of the first component rejects 4.4% at 5%, and hardly ever where nothing is shared.

    *Effective number of tests.* By Li and Ji [2]_ and Galwey [3]_, from the eigenvalues of the same correlations. Both are
    approximations, and few subjects make them too small: the chance of any p at or below the threshold of 5% was 5.5% by
    either (Bonferroni 3.8%) where analytes were correlated as in henry2010, and 7.5% (6.3%) where they were not, since 36
    uncorrelated analytes of 52 subjects come out as 29 to 30 tests.

    *Missing values.* Correlations take the subjects who have both analytes; such a matrix can have eigenvalues below 0, which
    enter Galwey's formula and the shares as 0, Li and Ji's by their size, as in the papers. In a score a missing value counts
    as the mean. Not used, and listed: analytes that were not tested, lack half of their values or do not vary, and then
    subjects who lack more than half of the analytes. The directions of hits are counted and not tested, since analytes that go
    together do not vote one by one.

    References
    ----------
    .. [1] Marchenko and Pastur, Math USSR Sb 1967;1:457, doi 10.1070/SM1967v001n04ABEH001994.
    .. [2] Li and Ji, Heredity 2005;95:221, doi 10.1038/sj.hdy.6800717.
    .. [3] Galwey, Genet Epidemiol 2009;33:559, doi 10.1002/gepi.20408.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> one = cc.common_shift(cc.load_scenario("common_shift").draw(1, 4))  # a shift of one factor
    >>> several = cc.common_shift(cc.load_scenario("henry2010").draw(1, 4))  # six analytes differ
    >>> [int(shift.hits[name]) for shift in (one, several) for name in ("before", "left")]
    [6, 0, 6, 6]
    """
    question = _question(study, test, scale, below_limit, adjust)
    fraction("alpha", alpha)
    wanted = None if components is None else whole_number("components", components, least=1)
    options = {name: getattr(question, name) for name in ("test", "scale", "below_limit", "adjust", "ignore_matching")}
    before = compare_baseline(study, **options)
    rule, arrays = question.rule if question.rule in NUMBER_RULES else "half", study.arrays
    y = respond(arrays, slice(0, arrays.n_baseline), slice(0, arrays.n_analytes), rule, scale).y
    reasons, people = _usable(y, arrays.case, before)
    used = reasons == ""
    if used.sum() < LEAST_ANALYTES:
        raise OptionError(_too_few(study, reasons))
    y, case = y[used][:, people], arrays.case[people]
    base, names = standardised(y, case), study.analytes[used]
    edge = noise_edge(len(y), len(case) - 2)
    values, vectors = components_of(base.within)
    removed = _how_many(wanted, values, edge, len(case))
    after = _after(y, case, base, max(2, removed))
    adjusted = [adjust_pvalues(statistics.p_value, adjust) for statistics in after]
    hit = before.table["p_adjusted"].to_numpy() <= alpha
    loading, chosen = vectors[:, 0] * np.sqrt(values[0]), (after[removed - 1], adjusted[removed - 1])
    scores = _scores(vectors[:, : len(after)], base.z, case)
    facts = {"numbers": rule, "alpha": alpha, "removed": removed, "edge": edge, "estimand": before.table["estimand"].iloc[0]}
    return CommonShift(
        table=_table(before, reasons, loading, chosen, hit, scale, alpha),
        components=_components(values, base.overall, scores, case, [(hit[used] & (p <= alpha)).sum() for p in adjusted]),
        thresholds=_thresholds(values, before.table["p_value"].to_numpy()[used], alpha),
        scores=_scores_table(study, people, scores),
        within=pd.DataFrame(base.within, index=names, columns=names),
        overall=pd.DataFrame(base.overall, index=names, columns=names),
        excluded=_excluded(study, reasons, people),
        meta={"test": question.entry.name, "scale": scale, "below_limit": question.rule, "adjust": adjust, **facts,
              "baseline": study.baseline, "matching": study.design.matching, "simulated": simulated_text(study)},
    )  # fmt: skip


def _question(study: Any, test: Any, scale: str, below_limit: str | None, adjust: str) -> Baseline:
    """Check what is asked; a design with matched sets is taken as two groups."""
    if not isinstance(study, Study):
        raise OptionError(
            f"`study` must be a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study()."
        )
    sets = study.design.matching == "sets"
    question = Baseline(test=test, scale=scale, below_limit=below_limit, adjust=adjust, ignore_matching=sets)
    if question.entry.paired:
        others = [name for name, entry in TESTS.items() if BASELINE in entry.questions and not entry.paired]
        raise OptionError(f"common_shift() compares groups as wholes: `test` must be one of {quoted(others)}; got {test!r}.")
    return question


def _too_few(study: Study, reasons: np.ndarray) -> str:
    not_used = [f"{name} ({reason})" for name, reason in zip(study.analytes, reasons, strict=True) if reason]
    n = len(reasons) - len(not_used)
    why = f" Not used: {listed(not_used)}." if not_used else ""
    return f"common_shift() needs at least {LEAST_ANALYTES} analytes that vary; {'there is' if n == 1 else 'there are'} {n}.{why}"


def _usable(y: np.ndarray, case: np.ndarray, before: Results) -> tuple[np.ndarray, np.ndarray]:
    """Return why each analyte is not used ("": it is), and which subjects are."""
    why = before.table["note"].str.extract(r"not tested: ([^;]*)", expand=False).fillna("no p-value")
    reasons = np.where(before.table["p_value"].isna(), why, "").astype(object)
    people = np.ones(len(case), dtype=bool)
    while True:
        here = ~np.isnan(y) & people
        of_groups = [(here & own).sum(axis=-1) for own in (case, ~case)]
        few = (2 * sum(of_groups) < people.sum()) | (np.minimum(*of_groups) < 2)
        flat = np.all(
            [_range(y, here & own) <= 1e-12 * np.abs(np.where(here, y, 0.0)).max(axis=-1) for own in (case, ~case)], axis=0
        )
        for reason, rows in ((FEW, few), (FLAT, flat)):
            reasons[rows & (reasons == "")] = reason
        used = reasons == ""
        left = people & (2 * here[used].sum(axis=0) >= used.sum())
        if (left == people).all():
            return reasons, people
        people = left


def _range(y: np.ndarray, here: np.ndarray) -> np.ndarray:
    return np.where(here, y, -np.inf).max(axis=-1) - np.where(here, y, np.inf).min(axis=-1)


def _how_many(wanted: int | None, values: np.ndarray, edge: float, n: int) -> int:
    """Return the number of components to remove."""
    most = max(1, min(len(values) - 2, n - 3))
    if wanted is None:
        return min(most, max(1, int((values > edge).sum())))
    if wanted > most:
        raise OptionError(f"`components` must be at most {most} with {len(values)} analytes and {n} subjects; got {wanted}.")
    return wanted


def _after(y: np.ndarray, case: np.ndarray, base: Standardised, k: int) -> list[Statistics]:
    """Compare each analyte at equal scores on the first component of the others, on the first two, ..., the first k."""
    scores = scores_without(base.within, base.z, k)
    cases, controls = y[:, None, case], y[:, None, ~case]  # each analyte a study of its own, with covariates of its own
    found = []
    for i in range(1, k + 1):
        statistics = linear_model(cases, controls, covariates=(scores[:, :i][..., case], scores[:, :i][..., ~case]))
        found.append(Statistics(*(part[:, 0] for part in statistics)))
    return found


def _scores(vectors: np.ndarray, z: np.ndarray, case: np.ndarray) -> np.ndarray:
    """Score all subjects on components (components, subjects), in SDs within groups."""
    scores = vectors.T @ z
    left = np.where(
        case, scores - scores[:, case].mean(axis=-1, keepdims=True), scores - scores[:, ~case].mean(axis=-1, keepdims=True)
    )
    return scores / np.sqrt(np.square(left).sum(axis=-1, keepdims=True) / (len(case) - 2))


def _table(
    before: Results,
    reasons: np.ndarray,
    loading: np.ndarray,
    after: tuple[Statistics, np.ndarray],
    hit: np.ndarray,
    scale: str,
    alpha: float,
) -> pd.DataFrame:
    statistics, adjusted = after
    used = reasons == ""

    def of_all(values: np.ndarray) -> np.ndarray:
        out = np.full(len(used), np.nan)
        out[used] = values
        return out

    columns = {"analyte": before.table["analyte"], "loading": of_all(loading)}
    columns |= {f"{name}_before": before.table[name] for name in ("estimate", "p_value", "p_adjusted")}
    for name in ("estimate", "conf_low", "conf_high"):
        columns[f"{name}_after"] = of_all(back_transform(getattr(statistics, name), scale))
    columns |= {"p_value_after": of_all(statistics.p_value), "p_adjusted_after": of_all(adjusted)}
    hit_after = columns["p_adjusted_after"] <= alpha
    compared = ~np.isnan(columns["p_value_after"])
    verdict = np.select([hit & hit_after, hit & compared, hit, hit_after], VERDICTS, "")
    notes = reasons.copy()
    notes[used] = [_note(int(flags)) if np.isnan(p) else "" for flags, p in zip(statistics.note, statistics.p_value, strict=True)]
    columns |= {"verdict": verdict.astype(object), "note": np.where(used, notes, "not used: " + reasons)}
    return pd.DataFrame(columns)


def _note(flags: int) -> str:
    return "; ".join(NOTE_TEXTS[flag] for flag in Note(flags))


def _components(
    values: np.ndarray, overall: np.ndarray, scores: np.ndarray, case: np.ndarray, hits_left: list[int]
) -> pd.DataFrame:
    k = len(scores)
    shares = [np.maximum(x, 0.0)[:k] / np.maximum(x, 0.0).sum() for x in (values, components_of(overall)[0])]
    found = student(scores[:, case], scores[:, ~case])
    numbers = {name: getattr(found, name) for name in ("estimate", "conf_low", "conf_high", "statistic", "p_value")}
    columns = {"component": np.arange(1, k + 1), "share": shares[0], "share_overall": shares[1], **numbers}
    return pd.DataFrame({**columns, "hits_left": hits_left})


def _thresholds(values: np.ndarray, p: np.ndarray, alpha: float) -> pd.DataFrame:
    n_tests = {"Bonferroni": float(len(values)), "Li and Ji": li_ji(values), "Galwey": galwey(values)}
    rows = [(name, n, alpha / n, int((p <= alpha / n).sum())) for name, n in n_tests.items()]
    return pd.DataFrame(rows, columns=["method", "n_tests", "threshold", "hits"])


def _scores_table(study: Study, people: np.ndarray, scores: np.ndarray) -> pd.DataFrame:
    table = study.subjects.loc[people, ["role"]]
    return table.assign(**{f"component {i}": row for i, row in enumerate(scores, start=1)})


def _excluded(study: Study, reasons: np.ndarray, people: np.ndarray) -> pd.DataFrame:
    names = study.analytes.to_numpy(dtype=object)
    rows = [("", study.baseline, name, reason) for name, reason in zip(names, reasons, strict=True) if reason]
    rows += [(subject, study.baseline, "", MOSTLY_MISSING) for subject in study.subjects.index[~people]]
    return excluded_table(rows)
