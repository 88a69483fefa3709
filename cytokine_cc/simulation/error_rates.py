"""certify: what a plan gets right and wrong on studies drawn from a scenario; ErrorRates, the table of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import OptionError, quoted, true_or_false, whole_number, workers
from ..plan import Plan
from ..questions import seeded
from ..results import COUNT, NUMBER, TEXT, read_columns, rows_where, table_text, typed_table
from ..text_files import save_text
from ..versions import versions
from .checkpoint import Checkpoint
from .measures import Rows, Tally, family_measures, measures_of, pattern_measure
from .patterns import Pattern
from .replicates import Work, blocks_of, total_of

RATE_COLUMNS: dict[str, str] = {
    "question": TEXT, "contrast": TEXT, "visit": TEXT, "test": TEXT, "adjust": TEXT, "measure": TEXT, "analyte": TEXT,
    "estimate": NUMBER, "mcse": NUMBER, "n_sim": COUNT, "n_failed": COUNT,
}  # fmt: skip
_MOST_HTML = 500
_NEEDS = ("name", "analytes", "visits", "patterns", "draw_arrays", "effect")


@dataclass(frozen=True, eq=False)
class ErrorRates:
    """Error rates and precision of a plan on a scenario, each with its Monte Carlo standard error.

    Significant is ``p <= alpha`` of the plan. A null is true where the scenario's ratio is exactly 1, of a one-sided test also
    where it lies on the other side. On the raw scale a ratio of 1 is a difference of 0 only between equal laws; a change that
    varies between persons, or starts from unequal baselines, is neither a true null nor an effect there, and is left out.
    Estimates, biases and errors are on the analysis scale (log2 unless the plan says otherwise), so that a bias of -1 on log2
    is a ratio too low by half.

    Attributes
    ----------
    table : DataFrame
        question, contrast, visit, test, adjust, measure, analyte, estimate, mcse, n_sim, n_failed. An empty analyte: all
        together. contrast and visit are worded as in `Results`; "all" is a whole question whose family is "all". n_failed
        counts the replicates in which a row could not be tested (of several analytes: at least one of them).

        Of rejections; a row that could not be tested is no rejection:

        - size: share of unadjusted p <= alpha, for each analyte whose null is true; and on average over these (its error from
          the variance between replicates, since analytes are correlated)
        - power: share of adjusted p <= alpha, for each analyte whose null is false; power_average, power_any, power_all: the
          mean share of these found, and the shares of replicates that find at least one, and all
        - FWER: share of replicates with a false rejection, adjusted; FDR: mean of false / max(1, all) rejections. Of each
          contrast, and of the whole question where its family is "all"

        Of estimates, by analyte; replicates that could not be tested are left out. None for a user's function as test:

        - bias: mean of estimate - truth. The truth of a t test is the difference of mean logs that the scenario states, of a
          rank test (Hodges-Lehmann) the same shift. On the raw scale it is known where there is no effect (it is 0, if spreads
          are equal); other analytes have no bias, coverage, type_m and type_s there
        - median_bias: median of estimate - truth, on log scales; to some thousandths, since errors are counted in bins of 1/256
        - infinite: under the rule "censored" the share of estimates at the edge, 0 or infinite, since a whole group lies beyond
          its limit. They count in the median and in no mean
        - emp_se: SD of the estimates; model_se: root of the mean squared standard error (t tests)
        - coverage: share of intervals that hold the truth; interval_width: mean width of two-sided intervals; open ones count
          in n_failed
        - type_m: mean of abs(estimate) / abs(truth), and type_s: share with the wrong sign (of a rank test that of its rank sum),
          among significant estimates (adjusted p) of analytes whose null is false

        Of patterns:

        - pattern: share of replicates that show what the published study did; contrast is the pattern's text, adjust "none"
          where it reads unadjusted p-values. Of several patterns also all at once: question and contrast are "all"

        mcse is sqrt(p (1 - p) / n) of shares, SD / sqrt(n) of means, and as in Morris et al. of emp_se and model_se, where n is
        the number of usable replicates (of type_m and type_s: significant ones). NaN for fewer than two.
    meta : dict
        plan, alpha, scenario, patterns, seed, n_sim, intervals, versions.

    References
    ----------
    Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086 (Table 6). Types M and S: Gelman A,
    Carlin J. Perspect Psychol Sci 2014;9:641-651. doi:10.1177/1745691614551642.
    """

    table: pd.DataFrame
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if list(self.table.columns) != list(RATE_COLUMNS):
            raise OptionError(f"a table of error rates has the columns {quoted(RATE_COLUMNS)}; got {quoted(self.table.columns)}.")

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        return f"<{self._head()}>\n{self.table.to_string(max_rows=12, index=False, float_format=_brief)}"

    def _repr_html_(self) -> str:
        """Show the table in a notebook, rounded; full precision stays in ``table``."""
        import html

        cut = f" (the first {_MOST_HTML} shown)" if len(self) > _MOST_HTML else ""
        with pd.option_context("display.max_colwidth", None):  # a pattern is a sentence
            body = self.table.head(_MOST_HTML).to_html(index=False, float_format=_brief, na_rep="", border=0)
        return f"<p>{html.escape(self._head())}{cut}. Rounded here; .table has full precision.</p>\n{body}"

    def _head(self) -> str:
        name, n_sim = self.meta.get("scenario"), self.meta.get("n_sim")
        on = f" of a plan on {name!r}, {n_sim:,} simulated studies" if name is not None and n_sim is not None else ""
        return f"ErrorRates{on}: {len(self)} rows"

    def select(self, **where: Any) -> ErrorRates:
        """Keep the rows that match.

        Parameters
        ----------
        **where
            Column -> value, or list of values.

        Returns
        -------
        ErrorRates

        Raises
        ------
        OptionError
            An unknown column, or a value that the column does not hold.
        """
        return replace(self, table=self.table[rows_where(self.table, where)])

    def to_csv(self, path: Any = None) -> str | None:
        """Write the table at full precision.

        Parameters
        ----------
        path : path, optional
            None returns the text.

        Returns
        -------
        str or None
        """
        return save_text(table_text(self.table), path)

    @classmethod
    def from_csv(cls, source: Any) -> ErrorRates:
        """Read back what `to_csv` wrote; ``meta`` is not in that file.

        Parameters
        ----------
        source : path or text stream

        Returns
        -------
        ErrorRates

        Raises
        ------
        OptionError
            A file that is not there, or is no such table.
        """
        columns = read_columns(source, RATE_COLUMNS, "table of error rates")
        return cls(pd.DataFrame(columns, copy=False))


def certify(
    plan: Plan,
    scenario: Any,
    *,
    n_sim: int,
    seed: int,
    n_jobs: int = 1,
    intervals: bool = True,
    patterns: Sequence[Pattern] | None = None,
    progress: bool | None = None,
    checkpoint: Any = None,
) -> ErrorRates:
    """How often is a plan right, and how often wrong, if a scenario is true?

    Draws studies from the scenario and runs the plan on each by the engine that `analyze` uses: replicate k is
    ``analyze(scenario.draw(seed, k), plan)``.

    Parameters
    ----------
    plan : Plan
    scenario : Scenario
        From `load_scenario`.
    n_sim : int
        Number of simulated studies. 1,000 give a share near .05 to +-.014 (two Monte Carlo errors), 10,000 to +-.0044.
    seed : int
        0 or more. Study k of a seed is the same whatever `n_sim`.
    n_jobs : int
        Workers, as joblib counts them: 1, 2, ...; -1 for all cores. They are threads, unless ``joblib.parallel_config`` names
        another backend; with 1, that also sets their number. The answer does not depend on them, to the last bit.
    intervals : bool
        False leaves out coverage and interval width, and with rank tests all that needs their estimate (Hodges-Lehmann), which
        costs most of the time.
    patterns : sequence of Pattern, optional
        None: those of the scenario; () for none. One of the scenario that the plan cannot tell (a question not asked, the
        direction of a user's own test) has a row without an estimate.
    progress : bool, optional
        A progress bar on standard error. None: if that is a terminal, once the work has taken two seconds.
    checkpoint : path, optional
        A folder that keeps finished blocks of studies, made if need be. A run that died goes on from there when it is called
        again, also with a larger `n_sim`; the answer is the same to the last bit. ``docs/scaling.md`` tells more.

    Returns
    -------
    ErrorRates

    Raises
    ------
    OptionError
        A plan that the scenario's design does not allow; a pattern in `patterns` about a question that the plan does not
        ask. A checkpoint of another simulation (the message says what differs), or of a test that is a function, which cannot be
        told from another; a folder that cannot be written to, or is full: finished blocks stay.

    Warns
    -----
    AnalysisWarning
        Blocks of the checkpoint that are damaged, or not of this simulation; they are computed again.

    Notes
    -----
    Memory is bounded by a block of studies for each worker, whatever `n_sim`. Counts are integers; sums of numbers run over
    fixed chunks of replicates, added in order.

    References
    ----------
    Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> plan = cc.Plan(baseline=cc.Baseline(adjust="holm"), change_within=None, change_between=None)
    >>> rates = cc.certify(plan, cc.load_scenario("null"), n_sim=200, seed=1)
    >>> row = rates.select(measure="FWER").table.iloc[0]
    >>> bool(abs(row["estimate"] - 0.05) < 4 * row["mcse"])
    True
    """
    check_arguments(plan, scenario, n_jobs)
    n_sim, seed = whole_number("n_sim", n_sim, least=1), whole_number("seed", seed, least=0)
    true_or_false("intervals", intervals)
    if progress is not None:
        true_or_false("progress", progress)
    work, not_asked = prepared(plan, scenario, seed, intervals, listed_patterns(patterns))
    folder = None if checkpoint is None else Checkpoint(checkpoint, {"what": "certify", **work.description()})
    return rates_of(work, total_of(blocks_of(work, n_sim, n_jobs, progress, folder)), not_asked, n_sim)


def prepared(plan: Plan, scenario: Any, seed: int, intervals: bool, patterns: Any) -> tuple[Work, tuple[Pattern, ...]]:
    """Return the work of a plan, which takes the seeds that it lacks from `seed`, and the patterns that it cannot tell.

    `patterns` as `listed_patterns` returns them.
    """
    asked: dict[str, Any] = {question.kind: seeded(question, seed) for question in plan.questions}
    plan = replace(plan, **asked)
    looked_for, not_asked = _patterns_of(plan, scenario, patterns)
    return Work.prepare(plan, scenario, looked_for, seed, intervals), not_asked


def rates_of(work: Work, total: list[Tally], not_asked: Sequence[Pattern], n_sim: int) -> ErrorRates:
    """Return the table that follows from the totals."""
    meta = {
        "plan": {question.kind: question.plain() for question in work.plan.questions},
        "alpha": work.plan.alpha,
        "scenario": work.scenario.name,
        "patterns": [pattern.to_table() for pattern in (*work.patterns, *not_asked)],
        "seed": work.seed,
        "n_sim": n_sim,
        "intervals": work.intervals,
        "versions": dict(versions()),
    }
    return ErrorRates(typed_table(_columns(work, total, not_asked, n_sim), RATE_COLUMNS), meta)


def _columns(work: Work, total: list[Tally], not_asked: Sequence[Pattern], n_sim: int) -> dict[str, Any]:
    """Turn the totals into the columns of the table."""
    analytes = np.asarray(work.scenario.analytes, dtype=object)
    left = iter(total)
    texts: list[tuple[str, ...]] = []
    parts: list[Rows] = []

    def put(rows: Iterable[Rows], *text: str) -> None:
        for part in rows:
            texts.extend([(*text, part.measure)] * len(part.analytes))
            parts.append(part)

    for question, targets in zip(work.plan.questions, work.targets, strict=True):
        test, adjust = question.entry.name, question.adjust
        for target in targets:
            rows = measures_of(target, next(left), analytes, n_sim)
            put(rows, question.kind, target.label, target.visit, test, adjust)
        if question.family == "all":
            put(family_measures(next(left), n_sim), question.kind, "all", "all", test, adjust)
    for pattern in work.patterns:
        question = next(question for question in work.plan.questions if question.kind == pattern.question)
        adjust = question.adjust if pattern.adjusted else "none"
        text = (question.kind, pattern.says, "+".join(pattern.visits or ()), question.entry.name, adjust)
        put([pattern_measure(next(left), n_sim)], *text)
    together = [pattern_measure(done, n_sim) for done in left]
    for pattern in not_asked:
        put([pattern_measure(None, n_sim)], pattern.question, pattern.says, "+".join(pattern.visits or ()), "", "")
    if not_asked and work.patterns:
        together = [pattern_measure(None, n_sim)]
    put(together, "all", "all", "", "", "")
    names = list(RATE_COLUMNS)
    columns: dict[str, Any] = dict(zip(names[:6], np.array(texts, dtype=object).T, strict=True))
    values = [np.concatenate([rows[i] for rows in parts]) for i in range(1, 5)]
    columns |= dict(zip(("analyte", "estimate", "mcse", "n_failed"), values, strict=True))
    return {**columns, "n_sim": np.full(len(texts), n_sim)}


def _brief(number: float) -> str:
    return f"{number:.3g}"


def check_arguments(plan: Any, scenario: Any, n_jobs: Any) -> None:
    """Raise an `OptionError` for what is no plan, no scenario or no number of workers."""
    if not isinstance(plan, Plan):
        raise OptionError(
            f"`plan` must be a Plan; got {type(plan).__name__}. Put questions into one: Plan(baseline=Baseline(...))."
        )
    if any(not hasattr(scenario, name) for name in _NEEDS):
        named = f": load_scenario({str(scenario)!r})" if isinstance(scenario, str | Path) else " with load_scenario()"
        raise OptionError(f"`scenario` must be a Scenario; got {type(scenario).__name__}. Load one{named}.")
    workers("n_jobs", n_jobs)


def listed_patterns(patterns: Any) -> tuple[Pattern, ...] | None:
    """Return the patterns that a user asks for as a tuple; None for those of the scenario."""
    if patterns is None:
        return None
    alone = isinstance(patterns, Pattern | str) or not isinstance(patterns, Iterable)
    found = (patterns,) if alone else tuple(patterns)
    for pattern in found:
        if not isinstance(pattern, Pattern):
            raise OptionError(f"`patterns` must hold Pattern objects; got {pattern!r}. Make one with Pattern(...).")
    return found


def _patterns_of(plan: Plan, scenario: Any, patterns: Any) -> tuple[tuple[Pattern, ...], tuple[Pattern, ...]]:
    """Return the patterns to look for, and those of the scenario that the plan cannot tell.

    These are about questions that it does not ask, or about a direction that a user's own test does not give.
    """
    found = tuple(scenario.patterns if patterns is None else patterns)
    asked = [question.kind for question in plan.questions]
    for pattern in found:
        if pattern.question not in asked and patterns is not None:
            raise OptionError(
                f"pattern {pattern.says!r} is about {pattern.question}, which the plan does not ask; it asks {quoted(asked)}. "
                "Ask it, or leave the pattern out."
            )
    keys = [(pattern.question, pattern.says) for pattern in found]
    for key in keys:
        if keys.count(key) > 1:
            raise OptionError(f"two patterns about {key[0]} say {key[1]!r}; give each its own words.")
    silent = {question.kind for question in plan.questions if callable(question.test)} if patterns is None else set()
    tellable = [p.question in asked and (p.question not in silent or p.direction == "any") for p in found]
    looked_for = tuple(pattern for pattern, can in zip(found, tellable, strict=True) if can)
    return looked_for, tuple(pattern for pattern in found if pattern not in looked_for)
