"""What the library promises beside its tests, in small examples that one can follow by hand."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Iterable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from ..analysis import analyze, change_between, change_within, compare_baseline
from ..config import load_study, read_study_file
from ..design import Design
from ..errors import OptionError
from ..kernels import TESTS
from ..matching import match_controls
from ..multiplicity import METHODS
from ..plan import Plan
from ..plate_effects import plate_check
from ..questions import Baseline, ChangeBetween
from ..readers import read_panel
from ..side_by_side import change_side_by_side
from ..simulation.comparison import compare_plans
from ..simulation.error_rates import certify
from ..simulation.scenario import load_scenario
from ..study import Study
from .agreement import stored_study
from .check_report import Check
from .comparing import Fact, facts_hold, refused
from .textbook import two_groups, two_visits

ABOUT = "known trap"
_STUDY_FILE = """
[data]
file = "panel.csv"
layout = "long"
subject = "Patient"
visit = "Visit"
analyte = "Analyte"
value = "Result"

[subjects]
file = "clinical.csv"
on = "Patient"

[design]
group = "Group"
case = "ill"
control = "well"
baseline = "before"

[plan]
alpha = 0.01
adjust = "hommel"
alternative = "greater"
scale = "ln"
below_limit = "sqrt2"
conf_level = 0.9
family = "all"

[plan.baseline]

[plan.change_between]
test = "welch"
alternative = "less"
"""
_SHARED = {"adjust": "hommel", "scale": "ln", "below_limit": "sqrt2", "conf_level": 0.9, "family": "all"}
_AGES = {"p": 40, "q": 50, "r": 60, "s": 45, "t": 55, "u": 65}  # p, q, r are ill


def _study_file() -> Iterable[Fact]:
    cells = [(who, visit, "X", i + 1 + (visit == "after")) for i, who in enumerate(_AGES) for visit in ("before", "after")]
    clinical = [(who, "ill" if who < "s" else "well", age) for who, age in _AGES.items()]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "study.toml"
        path.write_text(_STUDY_FILE, encoding="utf-8")
        for name, rows, columns in (
            ("panel.csv", cells, "Patient Visit Analyte Result"),
            ("clinical.csv", clinical[::-1], "Patient Group Age"),
        ):
            pd.DataFrame(rows, columns=columns.split()).to_csv(path.with_name(name), index=False)
        read, study = read_study_file(path), load_study(path)
    for kind, side, test in (("baseline", "greater", "welch"), ("change_between", "less", "welch")):
        question = getattr(read.plan, kind)
        yield f"{kind}: test and side", (question.entry.name, question.alternative), (test, side)
        yield f"{kind}: what both questions share", {name: getattr(question, name) for name in _SHARED}, _SHARED
    yield "alpha", read.plan.alpha, 0.01
    yield "a question that is not named", read.plan.change_within, None
    samples = study.panel.samples
    ages = {who: int(age) for who, age in zip(samples["subject"], samples["Age"], strict=True)}
    yield "ages, from a table in opposite order", ages, _AGES
    yield "ill", sorted(set(samples.loc[samples["Group"] == "ill", "subject"])), ["p", "q", "r"]
    row = analyze(read.study, read.plan).results["baseline"].table.iloc[0]
    yield "ratio of 1, 2, 3 and 4, 5, 6", row["estimate"], (6 / 120) ** (1 / 3)
    yield "its correction and side", (row["adjust"], row["alternative"]), ("hommel", "greater")


def _several_baselines() -> Iterable[Fact]:
    """Baselines of 1 and 3, 2 and 4, 3 and nothing doublings are 2, 3 and 3."""
    logs = {"a": (1, 3, 6), "b": (2, 4, 7), "c": (3, None, 5), "d": (0, 2, 3), "e": (0, 2, 2), "f": (1, None, 1)}
    rows = [
        (who, "case" if who < "d" else "control", visit, "X", 2.0**x)
        for who, values in logs.items()
        for visit, x in zip(("first", "second", "after"), values, strict=True)
        if x is not None
    ]
    frame = pd.DataFrame(rows, columns=["subject", "group", "visit", "analyte", "value"])
    study = Study(read_panel(frame, layout="long"), Design("group", "case", "control", baseline=("first", "second")))
    yield "ratio of means 8/3 and 1", compare_baseline(study).table["estimate"].iloc[0], 2.0 ** (5 / 3)
    change = change_within(study, groups=("case",)).table.iloc[0]
    yield "change of cases: 4, 4 and 2 doublings", change["estimate"], 2.0 ** (10 / 3)
    other = change_between(study, test="student").table["estimate"].iloc[0]
    yield "less that of controls: 2, 1 and 0", other, 2.0 ** (10 / 3 - 1)


def _paired_effect() -> Iterable[Fact]:
    """Hedges' g of a change: its mean over the average of both SDs (d_av), with the factor of n - 1 degrees of freedom."""
    later, before = (3.0, 5.0, 4.0, 8.0, 6.0), (1.0, 2.0, 3.0, 3.0, 2.0)
    study = two_visits([2.0**x for x in later], [2.0**x for x in before])
    row = change_within(study, groups=("case",)).table.iloc[0]
    spread = (statistics.stdev(later) + statistics.stdev(before)) / 2
    want = 3 / spread * math.gamma(2) / (math.sqrt(2) * math.gamma(1.5))
    yield "Hedges' g of changes of mean 3", row["hedges_g"], want


def _later_corrections() -> Iterable[Fact]:
    results = compare_baseline(stored_study("groups"), adjust="none")
    p = {a: float(v) for a, v in zip(results.table["analyte"], results.table["p_value"], strict=True) if v == v}
    n, order = len(p), sorted(p, key=p.__getitem__)
    by_holm = [max(min(1.0, p[own] * (n - j)) for j, own in enumerate(order[: i + 1])) for i in range(n)]
    wanted: dict[str, dict[str, float]] = {
        "bonferroni": {a: min(1.0, v * n) for a, v in p.items()},
        "holm": dict(zip(order, by_holm, strict=True)),
        "none": p,
    }
    for method, want in wanted.items():
        table = results.adjust(method).table.set_index("analyte")
        worst = max(abs(table.loc[a, "p_adjusted"] - v) for a, v in want.items())
        yield f"adjust({method!r}): {n} p-values off by more than 1e-12", bool(worst > 1e-12), False
        yield f"{method}: rows that say so", int((table["adjust"] == method).sum()), len(table)
    corrected = results.adjust("bonferroni")
    level = p[order[1]]  # the raw p of two are at most that, and the corrected p of fewer
    left = sorted(a for a, v in wanted["bonferroni"].items() if v <= level)
    yield "significant() at a level that two raw p reach", sorted(corrected.significant(level).table["analyte"]), left
    yield "of which fewer are left", len(left) < 2, True
    yield "without a correction", sorted(results.significant(level).table["analyte"]), sorted(order[:2])


_CORRECTED = {
    "none": "were not adjusted for multiple testing",
    "bonferroni": "Bonferroni's method",
    "holm": "Holm's method",
    "hochberg": "Hochberg's method",
    "hommel": "Hommel's method",
    "BH": "Benjamini and Hochberg",
    "BY": "Benjamini and Yekutieli",
}
_WORDS: dict[str, tuple[dict[str, Any], str]] = {
    "test='mann_whitney'": ({"test": "mann_whitney"}, "Mann-Whitney test"),
    "test='welch'": ({"test": "welch"}, "Welch"),
    "scale='ln'": ({"scale": "ln"}, "natural logarithms"),
    "below_limit='drop'": ({"below_limit": "drop"}, "were left out"),
    "below_limit='half'": ({"below_limit": "half"}, "half the limit"),
    "alternative='less'": ({"alternative": "less"}, "one-sided"),
    "conf_level=.9": ({"conf_level": 0.9}, "90% confidence"),
}


def _methods() -> Iterable[Fact]:
    study = two_groups(["<4", "8", "7"], ["1", "9", "2"])

    def said(**options: Any) -> str:
        return analyze(study, Plan(Baseline(**options), None, None, alpha=0.02)).describe()

    for method in METHODS:
        text = said(adjust=method)
        yield f"adjust={method!r}", [name for name, words in _CORRECTED.items() if words in text], [method]
    for name, (changes, words) in _WORDS.items():
        yield f"{name} says {words!r}", words in said(**changes), True
    yield "alpha=.02", "0.02 or less" in said(), True
    both = analyze(stored_study("groups"), Plan(Baseline("student"), None, ChangeBetween("ancova"))).describe()
    yield "changes", "analysis of covariance" in both and "baseline to month6" in both, True


def _reasons() -> Iterable[Fact]:
    study = two_groups(["<4", "8", "7"], ["1", ">9", "", "2"])
    missing = {"5": "missing at 1"}
    below, above = "below the limit at 1", "above the limit at 1 (as_reported)"
    for rule, want in (("drop", {"0": f"{below} (drop)"}), ("as_reported", {"0": f"{below} (as_reported)", "4": above})):
        gone = compare_baseline(study, below_limit=rule).excluded
        yield f"left out by {rule!r}", dict(zip(gone["subject"], gone["reason"], strict=True)), want | missing
    pairs = compare_baseline(stored_study("pairs"), test="paired_t").excluded
    yield "a partner who is missing", "no value in the matched partner" in set(pairs["reason"]), True


def _matched() -> Iterable[Fact]:
    """A, 50, and B, 60: who takes the nearest for A first, 56, leaves 40 for B, 26 years in all; the least total is 14."""
    people = {"A": ("case", 50), "B": ("case", 60), "c": ("control", 56), "d": ("control", 40), "e": ("control", 90)}
    frame = pd.DataFrame.from_dict(people, orient="index", columns=["Group", "Age"])
    found = match_controls(frame, group="Group", case="case", control="control", on=["Age"])
    yield "sets", found["matched_set"].to_dict(), {"A": "A", "B": "B", "c": "B", "d": "A", "e": ""}
    near = found["match_distance"]
    yield "distances of 10 and 4 years: their ratio", near["d"] / near["c"], 2.5


def _strata() -> Iterable[Fact]:
    """Cases are one doubling above controls in each of four strata, which differ in level and in how many cases they hold."""
    levels = {("f", "n"): (0, 3, 1), ("f", "s"): (4, 1, 3), ("m", "n"): (8, 1, 3), ("m", "s"): (2, 3, 1)}
    rows = []
    for (sex, site), (level, n_case, n_control) in levels.items():
        for group, n in (("case", n_case), ("control", n_control)):
            spread = {1: (0.0,), 3: (-0.5, 0.0, 0.5)}[n]
            rows += [(group, sex, site, 2.0 ** (level + (group == "case") + d)) for d in spread]
    frame = pd.DataFrame(rows, columns=["group", "sex", "site", "X"]).assign(subject=range(len(rows)))
    panel = read_panel(frame, layout="wide", analytes=["X"])
    both = compare_baseline(Study(panel, Design("group", "case", "control", matched_on=("sex", "site"))), test="stratified")
    yield "ratio in strata of sex and site", both.table["estimate"].iloc[0], 2.0
    one = compare_baseline(Study(panel, Design("group", "case", "control", matched_on=("sex",))), test="stratified")
    yield "in those of sex alone: another", abs(one.table["estimate"].iloc[0] - 2) > 0.1, True


def _censored_t() -> Iterable[Fact]:
    """Where every value is a number, the calibrated likelihood ratio is the t test of a linear model."""
    study = two_groups([3, 5, 4, 8, 9], [1, 2, 2.5, 3.5])
    for side in ("two-sided", "greater"):
        t, own = (
            compare_baseline(study, alternative=side, **options).table.iloc[0]
            for options in ({"test": "student"}, {"test": "tobit", "calibrated": True})
        )
        plain = compare_baseline(study, test="tobit", alternative=side).table.iloc[0]
        for column in ("p_value", "statistic", "df", "conf_low", "conf_high"):
            near = own[column] == t[column] or abs(own[column] / t[column] - 1) < 1e-6
            yield f"{column} ({side}), {own[column]:.6g}, is that of Student's test", bool(near), True
        yield f"p without ({side}) is lower", bool(plain["p_value"] < own["p_value"]), True


def _plans_compared() -> Iterable[Fact]:
    plan = Plan(Baseline("welch", adjust="none"), None, None)
    plans = {"raw": plan, "corrected": Plan(Baseline("welch", adjust="bonferroni"), None, None)}
    options: dict[str, Any] = {"n_sim": 40, "seed": 2, "intervals": False, "patterns": (), "progress": False}
    found = compare_plans(plans, load_scenario("henry2010"), **options)
    for measure in ("power_average", "FWER"):
        rates = {name: float(found.of(name).select(measure=measure).table["estimate"].iloc[0]) for name in plans}
        gap = float(found.select(measure=measure).differences["estimate"].iloc[0])
        yield f"{measure}: corrected less raw", gap, rates["corrected"] - rates["raw"]
        yield f"{measure} falls", gap < 0, True


def _checkpoints() -> Iterable[Fact]:
    plan, scenario = Plan(Baseline("welch"), None, None), load_scenario("henry2010")
    options: dict[str, Any] = {"intervals": False, "patterns": (), "progress": False}
    with TemporaryDirectory() as folder:
        one, again = (certify(plan, scenario, n_sim=20, seed=1, checkpoint=folder, **options).table for _ in "ab")
        yield "from its own blocks: the same table", one.equals(again), True
        for what, words in (({"seed": 2}, "seed is 1 there, 2 here"), ({"plan": Plan(Baseline("student"), None, None)}, "test")):
            asked = {"plan": plan, "scenario": scenario, "seed": 1, **what}
            answer = refused(OptionError, lambda asked=asked: certify(**asked, n_sim=20, checkpoint=folder, **options), words)  # type: ignore[misc]
            yield f"another {next(iter(what))}", answer, "refused"


def _side_by_side() -> Iterable[Fact]:
    study = stored_study("groups").select(analytes=["IL-8", "IL-1b", "VEGF"])  # whose baselines do not differ
    found = change_side_by_side(study).table.set_index("analyte")
    for test in ("change_score", "ancova", "lda", "clda"):
        alone = change_between(study, test=test).table.set_index("analyte")["estimate"]
        yield (
            f"{test}: estimates that differ",
            [a for a, want in alone.items() if not abs(found.loc[a, test] - want) <= 1e-6 * want],
            [],
        )
    plates = plate_check(study)
    for name, options in (("without", {}), ("with", {"covariates": ("plate",)})):
        table = compare_baseline(study, test="linear_model", **options).table.set_index("analyte")
        for column in ("estimate", "p_value", "p_adjusted"):
            mine = plates.table.set_index("analyte")[f"{column}_{name}"]
            wrong = [a for a, want in table[column].items() if not abs(mine[a] - want) <= 1e-9 * want]
            yield f"{column} {name} plate: analytes that differ", wrong, []
    cells = [list(map(int, row)) for row in zip(plates.counts["case"], plates.counts["control"], strict=True)]
    (a, b), (c, d) = cells
    square = (a * d - b * c) ** 2 * (a + b + c + d) / ((a + b) * (c + d) * (a + c) * (b + d))
    yield f"chi-square of {cells}", plates.association["chi_square"], square


def _check(name: str, expected: str, why: str, facts: Callable[[], Iterable[Fact]], reference: str) -> Check:
    return Check(name, ABOUT, expected, why, lambda n_jobs: facts_hold(facts()), reference)


_BY_HAND = "arithmetic that one can follow by hand"
PROMISES: tuple[Check, ...] = (
    _check(
        "study files",
        "Settings of [plan] hold for all its questions, unless a question has its own; patients get their own group and age from "
        "a table in another order.",
        "A setting that is read and not used, or an age joined by row, changes results and leaves no trace.",
        _study_file,
        "load_study, Plan.from_table",
    ),
    _check(
        "a baseline of several visits",
        "Its logarithms are averaged, patient by patient, over the visits that are there.",
        "Only the first of two visits would be a noisier baseline.",
        _several_baselines,
        _BY_HAND,
    ),
    _check(
        "effect size of a change",
        "Hedges' g of five changes by Python's own statistics module.",
        "It is read across studies, where nothing else shows that it is wrong.",
        _paired_effect,
        "Cumming G. Understanding the New Statistics, 2012 (d_av); Hedges LV. J Educ Stat 1981;6:107-128",
    ),
    _check(
        "corrections of a table",
        "Results.adjust corrects by the method named, as a plain loop does; Results.significant goes by corrected p.",
        "Raw p-values under the name of corrected ones are the likeliest false finding of all.",
        _later_corrections,
        "Holm S. Scand J Stat 1979;6:65-70",
    ),
    _check(
        "words of the methods",
        "The methods paragraph names the correction, test, scale, rule below limits, side and levels that were used, and no "
        "other correction.",
        "It is copied into papers.",
        _methods,
        "docs/design.md",
    ),
    _check(
        "reasons for leaving out",
        "Below, above, missing and a partner who is missing are told apart, value by value.",
        "Who is left out, and why, decides whether a comparison is fair.",
        _reasons,
        "STROBE item 12c. Vandenbroucke JP et al. PLoS Med 2007;4:e297. doi:10.1371/journal.pmed.0040297",
    ),
    _check(
        "optimal matching",
        "Two cases get those controls that have the least total distance, not each in turn its nearest.",
        "That is what optimal matching means.",
        _matched,
        "Rosenbaum PR. J Am Stat Assoc 1989;84:1024-1032. doi:10.1080/01621459.1989.10478868",
    ),
    _check(
        "strata of two columns",
        "Frequency matching on sex and site: a ratio of 2 in each of four strata gives 2.",
        "Strata of one column leave the other to confound.",
        _strata,
        _BY_HAND,
    ),
    _check(
        "calibrated tobit",
        "Without values beyond limits its statistic, p and interval are those of Student's test.",
        "That is what it is calibrated to.",
        _censored_t,
        f"by definition; {TESTS['tobit'].reference}",
    ),
    _check(
        "sign of compare_plans",
        "A difference is the plan's rate less the reference's: a correction lowers both power and false rejections.",
        "Turned round, it recommends the worse plan.",
        _plans_compared,
        "docs/design.md",
    ),
    _check(
        "tables of several analyses",
        "change_side_by_side and plate_check hold, for each analyte, what the single analyses give; chi-square by hand.",
        "A number in the wrong column of a summary is as wrong as one that was computed so.",
        _side_by_side,
        "docs/design.md",
    ),
    _check(
        "checkpoints",
        "A folder of another seed or plan is refused, and the message says which; its own gives the same table.",
        "Blocks of another simulation would be counted as studies of this one.",
        _checkpoints,
        "docs/scaling.md",
    ),
)
