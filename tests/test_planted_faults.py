"""A library with a fault must not pass its own checks: faults are planted in its code, one at a time."""

from __future__ import annotations

import inspect
import re
import shutil
import textwrap
from functools import cached_property
from importlib import import_module

import pytest

from cytokine_cc.checks import rates, reproducibility
from cytokine_cc.checks.check_report import FAIL, carry_out
from cytokine_cc.checks.library import CHECKS, run_checks
from cytokine_cc.config import load_study

CHECK = {check.name: check for check in CHECKS}
INDEPENDENT, COMMON, RANKS = (f"cytokine_cc.kernels.{name}" for name in ("independent", "common", "ranks"))
MULTIPLICITY, LIMITS, PERMUTATION = (
    f"cytokine_cc.{name}" for name in ("multiplicity", "limits", "kernels.stratified_permutation")
)

# fault: (module:function, what stands there, what is put there, checks that must catch it)
FAULTS = {
    "a sign in Welch's df": (
        f"{INDEPENDENT}:welch",
        "va**2 / (a.n - 1) + vb**2",
        "va**2 / (a.n - 1) - vb**2",
        ("Welch's t: sleep", "as R: welch", "as R: change_score"),
    ),
    "BH off by one rank": (
        f"{MULTIPLICITY}:_bh",
        "n / _ranks(p)",
        "n / (_ranks(p) + 1)",
        ("missing p-values", "as R: adjust_pvalues", "as R: welch", "family-wise error rates", "false discovery rates"),
    ),
    "ties ignored in the variance of ranks": (
        f"{RANKS}:_sorted_ranks",
        "((end - start + 1.0) ** 2 - 1).sum(axis=-1)",
        "np.zeros(s.shape[:-1])",
        ("ties in another row", "as R: mann_whitney", "as R: change_rank"),
    ),
    "tied values ranked by where they stand": (
        f"{RANKS}:_sorted_ranks",
        "(start + end) / 2 + 1",
        "at + 1.0",
        ("as R: mann_whitney", "order of rows"),
    ),
    "two-sided p halved": (
        f"{COMMON}:t_statistics",
        "2 * stdtr(df, -np.abs(t))",
        "stdtr(df, -np.abs(t))",
        ("Welch's t: sleep", "as R: student", "one side and two", "interval and p"),
    ),
    "visits paired by row order": (
        "cytokine_cc.study:Study.sample_at",
        "at[visit[known], subject[known]] = known\n",
        "at[visit[known], subject[known]] = known\n    at[1:] = np.sort(at[1:], axis=1)\n",
        ("visits paired by patient", "paired t: sleep", "as R: paired_t", "order of rows"),
    ),
    "matched pairs by row order": (
        "cytokine_cc.entering:Sides.__init__",
        "order = np.lexsort((stratum, ~case), axis=-1)",
        "order, stratum = np.argsort(~case, axis=-1, kind='stable'), np.r_[: n_of(case), : n_of(case)]",
        ("matched pairs by their label", "as R: paired_t"),
    ),
    "a limit taken as a value": (
        f"{LIMITS}:_replace",
        "limits[0] * factor",
        "limits[0]",
        ("values below a limit", "as R: welch"),
    ),
    "<3.2 read as 3.2": (
        "cytokine_cc.readers.grammar:_beyond",
        "return Cell(state=state, lower=limit) if below else",
        "return Cell(number=limit, state=State.MEASURED) if below else",
        ("values below a limit", "wide and long files", "as R: tobit"),
    ),
    "ln taken for log2 on the way back": (
        f"{LIMITS}:back_transform",
        "_POWERS[scale](x)",
        "np.exp(x)",
        ("means and SDs of the table", "base of the logarithm", "as R: welch"),
    ),
    "log10 taken for log2 on the way in": (
        f"{LIMITS}:to_scale",
        "return function(x)",
        "return np.log10(x)",
        ("means and SDs of the table", "base of the logarithm", "as R: welch"),
    ),
    "the seed of scenarios ignored": (
        "cytokine_cc.simulation.streams:Streams.__init__",
        "SeedSequence(seed, ",
        "SeedSequence(0, ",
        ("seeds", "workers", "bundled studies", "stored figures of a draw"),
    ),
    "the seed of arrangements ignored": (
        f"{PERMUTATION}:_keys",
        "SeedSequence(seed, ",
        "SeedSequence(0, ",
        ("arrangements at random",),
    ),
    "one stream for all replicates": (
        "cytokine_cc.simulation.streams:Streams.__init__",
        "spawn_key=(k, *rest)",
        "spawn_key=(0, *rest)",
        ("seeds", "bundled studies"),
    ),
    "a missing p counts": (
        f"{MULTIPLICITY}:adjust_pvalues",
        "n = (~np.isnan(p)).sum(axis=-1, keepdims=True).astype(np.float64)",
        "n = np.full((*p.shape[:-1], 1), float(p.shape[-1]))",
        ("missing p-values", "as R: adjust_pvalues"),
    ),
    "BY without its harmonic sum": (
        f"{MULTIPLICITY}:_by",
        "harmonic * n",
        "1.0 * n",
        ("as R: adjust_pvalues", "false discovery rates"),
    ),
    "Hommel one step short": (
        f"{MULTIPLICITY}:_hommel_rows",
        "range(n - 1, 1, -1)",
        "range(n - 2, 1, -1)",
        ("as R: adjust_pvalues",),
    ),
    "Holm without its running maximum": (
        f"{MULTIPLICITY}:_holm",
        "np.maximum.accumulate((n + 1 - _ranks(p)) * p, axis=-1)",
        "(n + 1 - _ranks(p)) * p",
        ("corrections among themselves", "as R: adjust_pvalues"),
    ),
    "the sides exchanged": (
        f"{COMMON}:t_statistics",
        '"greater": lambda: stdtr(df, -t)',
        '"greater": lambda: stdtr(df, t)',
        ("as R: welch", "one side and two"),
    ),
    "normal quantiles in intervals of t": (
        f"{COMMON}:t_quantile",
        "t = stdtrit(df, tail)",
        "df = df + 1e9\n    t = stdtrit(df, tail)",
        ("Welch's t: sleep", "as R: student", "interval and p"),
    ),
    "SD by n": (f"{COMMON}:Moments.var", "self.ss / (self.n - 1)", "self.ss / self.n", ("means and SDs of the table",)),
    "paired t with a degree of freedom too many": (
        "cytokine_cc.kernels.paired:paired_t",
        "d.n - 1, note",
        "d.n, note",
        ("paired t: sleep", "visits paired by patient", "as R: paired_t"),
    ),
    "Hedges' correction the wrong way": (
        f"{COMMON}:hedges_g",
        "gammaln(df / 2) -",
        "gammaln(df / 2 + 0.25) -",
        ("means and SDs of the table",),
    ),
    "no correction for continuity": (
        f"{RANKS}:_normal_p",
        "(centred - correction) / sigma",
        "centred / sigma",
        ("ties in another row", "as R: signed_rank"),
    ),
    "ties of one row decide for all": (
        f"{RANKS}:mann_whitney",
        "exact = (ties == 0) &",
        "exact = np.all(ties == 0, axis=-1, keepdims=True) &",
        ("ties in another row", "company of other analytes"),
    ),
    "numbers under the highest limit keep their rank": (
        "cytokine_cc.engine:_entering",
        "values = tie(values, counts)",
        "pass",
        ("ranks below limits", "as R: mann_whitney", "as R: brunner_munzel"),
    ),
    "flagged numbers under their limit kept": (
        f"{LIMITS}:beyond_limits",
        "return below | (number & (value < lower)), above |",
        "return below, above |",
        ("as R: welch", "as R: peto_peto"),
    ),
    "limits of another plate": (
        "cytokine_cc.panel:_fallback",
        "on = plate == name",
        "on = np.ones(len(plate), dtype=bool)",
        ("limits that the file does not state",),
    ),
    "duplicates averaged without logs": (
        "cytokine_cc.readers.wells:_mean",
        "mean = np.exp(logs / n) if log else logs / n",
        "mean = single / n",
        ("averages of duplicate wells",),
    ),
    "1.0 is another subject than 1": (
        "cytokine_cc.labels:as_label",
        "return str(int(number)) if number.is_integer() else repr(number)",
        "return repr(number)",
        ("labels of subjects",),
    ),
    "leading zeros dropped": (
        "cytokine_cc.labels:as_label",
        "text = value.strip()\n",
        'text = value.strip().lstrip("0")\n',
        ("labels of subjects",),
    ),
    "p of arrangements can be 0": (
        f"{PERMUTATION}:_judged",
        "(np.count_nonzero(extreme, axis=1) + 1) / (n + 1)",
        "np.count_nonzero(extreme, axis=1) / n",
        ("arrangements at random", "all arrangements within pairs: Darwin's maize"),
    ),
    "a family of all visits corrected visit by visit": (
        "cytokine_cc.engine:adjust_contrasts",
        'question.family == "all"',
        "False",
        ("as R: paired_t", "as R: signed_rank"),
    ),
    "covariates forgotten": (
        "cytokine_cc.adjusting:columns_of",
        "if not question.covariates:",
        "if True:",
        ("analysis of covariance: anorexia", "as R: linear_model", "plates and groups"),
    ),
    "the level of intervals ignored": (
        "cytokine_cc.engine:_contrast",
        "question.conf_level if intervals",
        "0.9 if intervals",
        ("Welch's t: sleep", "coverage and bias"),
    ),
    "cases and controls exchanged": (
        "cytokine_cc.entering:Sides.take",
        "run = self._runs[group]",
        'run = self._runs["case" if group == "control" else "control"]',
        ("means and SDs of the table", "as R: welch"),
    ),
    "effects of a scenario half as large": (
        "cytokine_cc.simulation.model:_group",
        'found.columns["log_sd"][:, 0]',
        'found.columns["log_sd"][:, 0] / 2',
        ("stored figures of a draw", "coverage and bias"),
    ),
    "false rejections counted by hypothesis": (
        "cytokine_cc.simulation.measures:seen_family",
        "np.asarray(false > 0)",
        "np.asarray(false)",
        ("measures by hand", "family-wise error rates"),
    ),
    "power by raw p": (
        "cytokine_cc.simulation.measures:seen",
        "contrast.p_adjusted <= alpha",
        "s.p_value <= alpha",
        ("measures by hand", "what is certified is what is analysed"),
    ),
    "chi-square with a binomial variance": (
        "cytokine_cc.kernels.censored_ranks:_weighted",
        "(n * n * (n - 1))",
        "(n * n * n)",
        ("as R: peto_peto", "as R: gehan"),
    ),
    "a group's degrees of freedom in Brunner and Munzel's test": (
        "cytokine_cc.kernels.brunner_munzel:brunner_munzel",
        "(of_y.n - 1)",
        "of_y.n",
        ("Brunner-Munzel: pain scores", "as R: brunner_munzel"),
    ),
    "a robust prior that holds for nothing": (
        "cytokine_cc.kernels.robust_prior:robust_prior",
        "return _of_outliers(np.exp(logs) / prior_s2, d, common), prior_s2, common",
        "return 0 * plain_df + 1.0, plain_s2, common",
        ("as R: moderated_t",),
    ),
    "a calibrated p halved": (
        "cytokine_cc.kernels.likelihood_ratio:ratio_statistics",
        "return stdtr(df, z) if calibrated",
        "return stdtr(df, z) / 2 if calibrated",
        ("calibrated tobit",),
    ),
    "of several baseline visits the first": (
        f"{LIMITS}:_average",
        "np.where(there, x, 0.0).sum(axis=-3) / n",
        "x[..., 0, :, :]",
        ("a baseline of several visits",),
    ),
    "the effect size of a change by one SD": (
        f"{COMMON}:hedges_g",
        "(np.sqrt(a.var) + np.sqrt(b.var)) / 2",
        "np.sqrt(a.var)",
        ("effect size of a change",),
    ),
    "shared settings of a plan ignored": (
        "cytokine_cc.plan:Plan.from_table",
        "{**shared, **own}",
        "dict(own)",
        ("study files",),
    ),
    "sides of a plan's file ignored": (
        "cytokine_cc.plan:Plan.from_table",
        "{**shared, **own}",
        '{**shared, **own, "alternative": "two-sided"}',
        ("study files",),
    ),
    "ages of other patients": (
        "cytokine_cc.panel:Panel.join",
        "frame[names].iloc[at]",
        "frame[names].iloc[np.sort(at)]",
        ("study files",),
    ),
    "significant by raw p": (
        "cytokine_cc.results:Results.significant",
        'self.table["p_adjusted"]',
        'self.table["p_value"]',
        ("corrections of a table",),
    ),
    "corrected anew by BH, whatever is asked": (
        "cytokine_cc.results:Results.adjust",
        "adjust_pvalues(p[rows], method)",
        'adjust_pvalues(p[rows], "BH")',
        ("corrections of a table",),
    ),
    "methods that always say Holm": (
        "cytokine_cc.wording:_correction_words",
        "CORRECTIONS[question.adjust]",
        'CORRECTIONS["holm"]',
        ("words of the methods",),
    ),
    "reasons exchanged": (
        "cytokine_cc.exclusions:_place_codes",
        "left_out[0], np.where(some_above, left_out[1]",
        "left_out[1], np.where(some_above, left_out[0]",
        ("reasons for leaving out",),
    ),
    "the farthest controls": (
        "cytokine_cc.matching:assign_controls",
        "np.repeat(cost / unit",
        "np.repeat(-cost / unit",
        ("optimal matching",),
    ),
    "strata of one column": (
        "cytokine_cc.adjusting:strata_of",
        "for name in arrays.matched_on:",
        "for name in arrays.matched_on[:1]:",
        ("strata of two columns",),
    ),
    "differences of plans turned round": (
        "cytokine_cc.simulation.paired_measures:_difference",
        "a.estimate - b.estimate",
        "b.estimate - a.estimate",
        ("sign of compare_plans",),
    ),
    "checkpoints of anyone": (
        "cytokine_cc.simulation.checkpoint:Checkpoint._claim",
        "if not found:",
        "if True:",
        ("checkpoints",),
    ),
    "type S the wrong way": (
        "cytokine_cc.simulation.measures:_tally_estimates",
        "s.side * target.truth < 0",
        "s.side * target.truth > 0",
        ("measures by hand",),
    ),
    "a zero whose place is not named": (
        "cytokine_cc.exclusions:explain_nonpositive",
        "subject=study.subjects.index[s],",
        "",
        ("zero on a logarithmic scale",),
    ),
    "Monte Carlo errors of shares ten times as large": (
        "cytokine_cc.simulation.measures:share",
        "np.sqrt(p * (1 - p) / n)",
        "10 * np.sqrt(p * (1 - p) / n)",
        ("measures by hand", "Monte Carlo errors"),
    ),
    "Monte Carlo errors of means ten times as large": (
        "cytokine_cc.simulation.measures:mean",
        "return middle, sd / np.sqrt(n), sd",
        "return middle, 10 * sd / np.sqrt(n), sd",
        ("measures by hand", "Monte Carlo errors"),
    ),
}

# Those that a reviewer would think of first, for the whole quick run.
REQUESTED = (
    "a sign in Welch's df",
    "BH off by one rank",
    "ties ignored in the variance of ranks",
    "two-sided p halved",
    "visits paired by row order",
    "a limit taken as a value",
    "ln taken for log2 on the way back",
    "the seed of scenarios ignored",
)


def n_of(case):
    return int(case.sum())


def owner_of(where: str):
    """The function that a place names, unwrapped."""
    module, _, path = where.partition(":")
    found = import_module(module)
    for name in path.split("."):
        found = vars(found)[name]
    found = found.func if isinstance(found, cached_property) else found.fget if isinstance(found, property) else found
    return inspect.unwrap(found)


def plant(monkeypatch, where: str, old: str, new: str) -> None:
    """Change a line of a function, at every place that the function is known by."""
    function = owner_of(where)
    source = textwrap.dedent(inspect.getsource(function))
    assert source.count(old) == 1, f"{where}: {old!r} stands there {source.count(old)} times"
    names = {**function.__globals__, "n_of": n_of}
    exec(compile("from __future__ import annotations\n" + source.replace(old, new), where, "exec"), names)
    made = names[function.__name__]
    made = made.func if isinstance(made, cached_property) else made.fget if isinstance(made, property) else made
    monkeypatch.setitem(function.__globals__, "n_of", n_of)
    monkeypatch.setattr(function, "__code__", inspect.unwrap(made).__code__)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_by_the_check_made_for_it(fault, monkeypatch):
    where, old, new, caught = FAULTS[fault]
    plant(monkeypatch, where, old, new)
    report = carry_out([CHECK[caught[0]]], (1,))
    (observed,) = report.table["observed"]
    assert report.table["verdict"].tolist() == [FAIL], observed
    assert not observed.startswith("stopped by"), observed  # by what differs, not by a crash


@pytest.mark.slow
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_caught_by_all_checks_made_for_it(fault, monkeypatch):
    where, old, new, caught = FAULTS[fault]
    plant(monkeypatch, where, old, new)
    report = carry_out([CHECK[name] for name in caught], (1,))
    assert set(report.table["verdict"]) == {FAIL}, report.table[["name", "observed"]].to_string()


@pytest.mark.slow
@pytest.mark.parametrize("fault", REQUESTED)
def test_a_fault_makes_the_quick_run_fail(fault, monkeypatch):
    where, old, new, caught = FAULTS[fault]
    plant(monkeypatch, where, old, new)
    report = run_checks("quick", n_jobs=1, progress=False)
    assert not report.passed
    failed = set(report.table.loc[report.table["verdict"] == FAIL, "name"])
    assert failed >= set(caught), f"not caught by {set(caught) - failed}; by {sorted(failed)}"


def exchange_groups(text):
    """Give two patients one another's group."""
    rows = text.splitlines(keepends=True)
    at = rows[0].strip().split(",").index("Group")
    cells = [row.split(",") for row in rows]
    other = next(i for i, row in enumerate(cells) if i > 1 and row[at] != cells[1][at])
    cells[1][at], cells[other][at] = cells[other][at], cells[1][at]
    return "".join(",".join(row) for row in cells)


def change_a_digit(text):
    """Change the last digit of the first measured number by one."""
    found = re.search(r",(\d+\.\d*)(\d),", text)
    return f"{text[: found.start(2)]}{(int(found[2]) + 1) % 10}{text[found.end(2) :]}"


def test_bundled_files_that_were_changed_are_seen(monkeypatch, tmp_path):
    shutil.copytree(reproducibility.bundled_folder() / "null", tmp_path / "null")
    for file, change in (("clinical.csv", exchange_groups), ("panel.csv", change_a_digit)):
        path = tmp_path / "null" / file
        path.write_bytes(change(path.read_bytes().decode()).encode())
    monkeypatch.setattr(reproducibility, "bundled_folder", lambda: tmp_path)
    found = reproducibility._bundled(["null"])(1)
    assert found.verdict == FAIL
    assert [row["file"] for row in found.rows] == ["panel.csv", "clinical.csv", "clinical.csv"]
    assert "3 differ" in found.observed


def test_the_study_to_show_is_counted_and_not_recited(monkeypatch):
    monkeypatch.setattr(rates, "load_study", lambda name: load_study("null"))
    found = rates._published_pattern(4)(1)
    assert found.verdict == FAIL
    assert "the study to show has 0 of 36 lower (), 0 higher, 0 changed" in found.observed


def test_what_is_named_exists_and_every_kind_of_check_catches_something():
    named = {name for *_, caught in FAULTS.values() for name in caught}
    assert named <= CHECK.keys()
    assert {CHECK[name].about for name in named} == {check.about for check in CHECKS}


def test_a_planted_fault_is_taken_out_again():
    assert CHECK["Welch's t: sleep"].run(1).verdict == "pass"
