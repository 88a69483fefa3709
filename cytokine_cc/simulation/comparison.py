"""compare_plans: several plans on the same simulated studies; PlanComparison, their rates and differences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, known_keys, one_of, quoted, true_or_false, whole_number
from ..plan import Plan
from ..results import COUNT, NUMBER, TEXT, read_columns, rows_where, table_text, text_column, typed_table
from ..shown import as_html, as_text
from ..text_files import folder_path, write_files
from ..versions import versions
from .checkpoint import Checkpoint
from .comparison_text import head_text, plan_sentences
from .error_rates import RATE_COLUMNS, ErrorRates, check_arguments, listed_patterns, rates_of
from .measures import Rows, Tally
from .paired_measures import Measure, PairRows, differences, is_paired, measure_of
from .patterns import Pattern
from .plan_names import named_plans
from .replicates import blocks_of, total_of
from .shared_draws import PATTERNS, SharedWork, incomparable, rows_of

PLAN_RATE_COLUMNS = {"plan": TEXT, **RATE_COLUMNS}
DIFFERENCE_COLUMNS: dict[str, str] = {
    "plan": TEXT, "reference": TEXT, "question": TEXT, "contrast": TEXT, "visit": TEXT, "measure": TEXT, "analyte": TEXT,
    "estimate": NUMBER, "mcse": NUMBER, "mcse_independent": NUMBER, "n_sim": COUNT, "n_failed": COUNT,
}  # fmt: skip
_LACKING = "the {} does not have it"
_BOTH = ("plan", "question", "contrast", "visit", "measure", "analyte")  # columns of either table


@dataclass(frozen=True, eq=False)
class PlanComparison:
    """Error rates of several plans on the same simulated studies, and how each plan differs from the first.

    Attributes
    ----------
    rates : DataFrame
        plan, then the columns of `ErrorRates`: for each plan what `certify` gives with the same seed, to the last bit.
    differences : DataFrame
        plan, reference, question, contrast, visit, measure, analyte, estimate, mcse, mcse_independent, n_sim, n_failed. estimate
        is the plan's less the reference's; mcse its Monte Carlo error, paired, since both saw the same studies;
        mcse_independent what two separate runs would have: the root of the sum of both squares. n_failed counts the replicates
        that one of the two could not use. contrast is worded as in the plan's rates.

        Measures: size, power, power_average, power_any, power_all, FWER, FDR, pattern; of estimates bias, emp_se, coverage,
        interval_width. The others (median_bias, infinite, model_se, type_m, type_s) stand in ``rates`` only. Rows are matched by
        question, visit, group and analyte. What one plan lacks, or what means something else in it, has no difference:
        ``meta["not_compared"]`` says why.
    meta : dict
        reference, scenario, seed, n_sim, not_compared (list of dict: plan, question, contrast, visit, measure, why), plans
        (name -> ``meta`` of its error rates), versions.
    """

    rates: pd.DataFrame
    differences: pd.DataFrame
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, frame, kinds in (
            ("rates", self.rates, PLAN_RATE_COLUMNS),
            ("differences", self.differences, DIFFERENCE_COLUMNS),
        ):
            if list(frame.columns) != list(kinds):
                raise OptionError(f"`{name}` of a comparison has the columns {quoted(kinds)}; got {quoted(frame.columns)}.")

    def __len__(self) -> int:
        return len(self.differences)

    def of(self, plan: str) -> ErrorRates:
        """Return the error rates of one plan, as `certify` gives them.

        Parameters
        ----------
        plan : str
            Its name.

        Returns
        -------
        ErrorRates

        Raises
        ------
        OptionError
            A name that no plan has.
        """
        name = one_of("plan", plan, self.rates["plan"].unique())
        own = self.rates[self.rates["plan"] == name].drop(columns="plan").reset_index(drop=True)
        return ErrorRates(own, dict(self.meta.get("plans", {}).get(name, {})))

    def select(self, **where: Any) -> PlanComparison:
        """Keep the rows of both tables that match.

        Parameters
        ----------
        **where
            plan, question, contrast, visit, measure, analyte -> value, or list of values.

        Returns
        -------
        PlanComparison

        Raises
        ------
        OptionError
            An unknown column, or a value that neither table holds.
        """
        known_keys("select()", where, _BOTH)
        keep = rows_where(pd.concat([self.rates[list(_BOTH)], self.differences[list(_BOTH)]], ignore_index=True), where)
        n = len(self.rates)
        return replace(self, rates=self.rates[keep[:n]], differences=self.differences[keep[n:]])

    def describe(self) -> str:
        """Say in words which plans differ, and by how much.

        Returns
        -------
        str
            Then a line for each plan and comparison with what lies beyond two paired errors: of all analytes together with its
            size (+- paired error), by analyte with the first names.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> plan = cc.Plan(change_within=None, change_between=None)
        >>> plans = plan.vary(adjust=["none", "holm"])
        >>> found = cc.compare_plans(plans, cc.load_scenario("null"), n_sim=200, seed=1)
        >>> print(found.select(measure="FWER").describe())  # doctest: +ELLIPSIS
        2 plans on the same 200 studies of 'null'; the reference is adjust=none. Beyond 2 paired Monte Carlo errors: 1 of 1 ...
        """
        return "\n".join([self._head(), *plan_sentences(self.differences)])

    def _head(self) -> str:
        return head_text(self.differences, self.rates["plan"].nunique(), self.meta)

    def to_csv(self, folder: Any) -> list[Path]:
        """Write rates.csv and differences.csv at full precision, both or none.

        Parameters
        ----------
        folder : path
            Made if need be.

        Returns
        -------
        list of Path

        Raises
        ------
        OptionError
            What is no path of a folder, or one that cannot be written to; nothing is left behind then.
        """
        tables = {"rates.csv": self.rates, "differences.csv": self.differences}
        return write_files({name: table_text(frame) for name, frame in tables.items()}, folder_path("folder", folder))

    @classmethod
    def from_csv(cls, folder: Any) -> PlanComparison:
        """Read back what `to_csv` wrote; ``meta`` is not in these files.

        Parameters
        ----------
        folder : path

        Returns
        -------
        PlanComparison

        Raises
        ------
        OptionError
            A file that is not there, or is no such table.
        """
        there = folder_path("folder", folder)
        kinds = {"rates": PLAN_RATE_COLUMNS, "differences": DIFFERENCE_COLUMNS}
        frames = {name: pd.DataFrame(read_columns(there / f"{name}.csv", own, f"table of {name}")) for name, own in kinds.items()}
        return cls(**frames)

    def __repr__(self) -> str:
        return as_text(f"PlanComparison: {self._head()}", self._shown())

    def _repr_html_(self) -> str:
        """Show the differences of all analytes together, then all, in a notebook."""
        return as_html(self.describe(), self._shown() | {"All differences": self.differences})

    def _shown(self) -> dict[str, pd.DataFrame]:
        whole = self.differences[self.differences["analyte"] == ""]
        columns = ["plan", "question", "contrast", "visit", "measure", "estimate", "mcse", "mcse_independent"]
        return {f"Plan - {self.meta.get('reference', 'reference')}, all analytes together": whole[columns]}


def compare_plans(
    plans: Sequence[Plan] | Mapping[str, Plan],
    scenario: Any,
    *,
    n_sim: int,
    seed: int,
    n_jobs: int = 1,
    names: Sequence[str] | None = None,
    intervals: bool = True,
    patterns: Sequence[Pattern] | None = None,
    progress: bool | None = None,
    checkpoint: Any = None,
) -> PlanComparison:
    """Which of several plans does better if a scenario is true, and is the difference more than chance?

    Draws each study once and runs all plans on it, so that what differs between plans is not blurred by what differs between
    studies. A test that is a little better on each of 1,000 studies is seen to be so, where two separate runs of `certify`
    would need many times as many.

    Parameters
    ----------
    plans : sequence of Plan, or mapping of str to Plan
        Two or more; the first is the reference. ``plan.vary(...)`` makes a sequence.
    scenario : Scenario
        From `load_scenario`.
    n_sim, seed, n_jobs, intervals, progress
        As in `certify`.
    names : sequence of str, optional
        One for each plan. None: what tells them apart, such as "test=welch"; a mapping brings its own.
    patterns : sequence of Pattern, optional
        As in `certify`; each is looked for by all plans.
    checkpoint : path, optional
        A folder for finished blocks, as in `certify`.

    Returns
    -------
    PlanComparison

    Raises
    ------
    OptionError
        As `certify`, naming the plan; fewer than two plans; names that are not one and different for each.

    Warns
    -----
    AnalysisWarning
        As `certify`.

    Notes
    -----
    Study k is ``scenario.draw(seed, k)`` for every plan (common random numbers), hence the variance of a difference is that of
    the two rates less twice their covariance, which is counted, replicate by replicate. For a share p this comes down to how many
    studies tell the plans apart: with the shares p10 and p01 of studies in which only one of two plans rejects, the Monte Carlo
    error is sqrt((p10 + p01 - (p10 - p01)^2) / n). Means, ratios whose denominators differ between plans (bias of rows that
    cannot always be tested) and standard deviations: the head of ``simulation/paired_measures.py`` has the derivation. Plans that
    always do the same differ by exactly 0, with an error of 0; so do plans that hardly ever differ, if n_sim is small.

    Differences of all analytes together are given where both plans have the same true nulls (size, FWER, FDR) or effects (power):
    a one-sided plan and a two-sided one do not. Bias, emp_se and interval_width need one scale and one kind of estimate, coverage
    and interval_width one conf_level.

    Questions that differ in their correction only are tested once.

    References
    ----------
    Glasserman P, Yao DD. Manage Sci 1992;38:884-908. doi:10.1287/mnsc.38.6.884.
    McNemar Q. Psychometrika 1947;12:153-157. doi:10.1007/BF02295996.
    Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> plan = cc.Plan(change_within=None, change_between=None)
    >>> plans = plan.vary(test=["welch", "student"])
    >>> found = cc.compare_plans(plans, cc.load_scenario("henry2010"), n_sim=200, seed=1)
    >>> row = found.select(measure="power_average").differences.iloc[0]
    >>> row["plan"], row["reference"], bool(row["mcse"] < row["mcse_independent"] / 2)
    ('test=student', 'test=welch', True)
    """
    given = named_plans(plans, names)
    for plan in given.values():
        check_arguments(plan, scenario, n_jobs)
    n_sim, seed = whole_number("n_sim", n_sim, least=1), whole_number("seed", seed, least=0)
    true_or_false("intervals", intervals)
    if progress is not None:
        true_or_false("progress", progress)
    work = SharedWork.prepare(given, scenario, seed, intervals, listed_patterns(patterns))
    folder = None if checkpoint is None else Checkpoint(checkpoint, work.description())
    total = total_of(blocks_of(work, n_sim, n_jobs, progress, folder))
    return _comparison(work, list(given), total, n_sim)


def _comparison(work: SharedWork, names: list[str], total: list[Tally], n_sim: int) -> PlanComparison:
    """Turn the totals into the two tables."""
    own, pairs = work.split(total)
    rates = {
        name: rates_of(part, list(done.values()), silent, n_sim)
        for name, part, done, silent in zip(names, work.works, own, work.silent, strict=True)
    }
    tables = [found.table.assign(plan=text_column(name, len(found))) for name, found in rates.items()]
    apart: list[dict[str, str]] = []
    texts: list[tuple[str, ...]] = []
    parts: list[PairRows] = []
    analytes = np.asarray(work.works[0].scenario.analytes, dtype=object)
    rows = [
        {key: rows_of(key, part, done[key], analytes, n_sim) for key, part in each.items()}
        for each, done in zip(work.parts, own, strict=True)
    ]
    for i, pair in enumerate(pairs, start=1):
        apart += [{"plan": names[i], **row} for row in _not_shared(work, i)]
        for key, done in pair.items():
            why = incomparable(work.parts[i][key], work.parts[0][key])
            found = list(differences(rows[i][key], rows[0][key], done, analytes, n_sim, why))
            text = work.parts[i][key].text
            texts += [(names[i], names[0], *text, part.measure) for part in found for _ in part.analytes]
            parts += found
            apart += [{"plan": names[i], **_place(text), **row} for row in _left_out(rows[i][key], rows[0][key], why)]
    meta = {
        "reference": names[0],
        "scenario": work.works[0].scenario.name,
        "seed": work.works[0].seed,
        "n_sim": n_sim,
        "not_compared": apart,
        "plans": {name: dict(found.meta) for name, found in rates.items()},
        "versions": dict(versions()),
    }
    joined = pd.concat(tables, ignore_index=True)[list(PLAN_RATE_COLUMNS)]
    return PlanComparison(joined, _difference_table(texts, parts, n_sim), meta)


def _place(text: tuple[str, str, str]) -> dict[str, str]:
    return dict(zip(("question", "contrast", "visit"), text, strict=True))


def _not_shared(work: SharedWork, i: int) -> list[dict[str, str]]:
    """Return what a plan or the reference has alone."""
    shared, (ours, theirs) = set(work.shared(i)), (work.parts[i], work.parts[0])
    found = []
    for key, part in {**ours, **theirs}.items():
        why = _LACKING.format("reference" if key in ours else "plan")
        why = "the two plans cannot tell every pattern" if key[0] == PATTERNS else why
        row = {**_place(part.text), "measure": "all", "why": why}
        if key not in shared and row not in found:
            found.append(row)
    return found


def _left_out(a: Sequence[Rows], b: Sequence[Rows], why: Mapping[Measure, str]) -> list[dict[str, str]]:
    """Return by reason which measures mean something else in each plan, or are there in one only, wholly or for some analytes."""
    ours, theirs = ({measure_of(rows): rows.analytes for rows in found if is_paired(measure_of(rows))} for found in (a, b))
    by_reason: dict[str, list[str]] = {}
    for measure in {**ours, **theirs}:
        reason = why.get(measure) or _one_sided(ours.get(measure), theirs.get(measure))
        if reason:
            by_reason.setdefault(reason, []).append(measure[0])
    return [{"measure": ", ".join(measures), "why": reason} for reason, measures in by_reason.items()]


def _one_sided(ours: np.ndarray | None, theirs: np.ndarray | None) -> str:
    """Say which of two plans lacks a measure, or for which analytes; "" where both have it for the same."""
    if ours is None or theirs is None:
        return _LACKING.format("plan" if ours is None else "reference")
    gone = {"plan": [name for name in theirs if name not in ours], "reference": [name for name in ours if name not in theirs]}
    return "; ".join(f"{_LACKING.format(side)} for {quoted(names)}" for side, names in gone.items() if names)


def _difference_table(texts: list[tuple[str, ...]], parts: list[PairRows], n_sim: int) -> pd.DataFrame:
    names = list(DIFFERENCE_COLUMNS)
    columns: dict[str, Any] = dict(zip(names[:6], np.array(texts, dtype=object).reshape(-1, 6).T, strict=True))
    for name in ("analytes", "estimate", "mcse", "mcse_independent", "n_failed"):
        columns[name] = np.concatenate([np.empty(0), *(getattr(rows, name) for rows in parts)])
    columns["analyte"] = columns.pop("analytes")
    columns["n_sim"] = np.full(len(texts), n_sim)
    return typed_table(columns, DIFFERENCE_COLUMNS)
