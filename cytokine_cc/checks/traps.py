"""Known traps: what has gone wrong elsewhere, with numbers that one can follow by hand."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import change_between, change_within, compare_baseline
from ..design import Design
from ..errors import OptionError, PanelError, StudyError
from ..multiplicity import adjust_pvalues
from ..panel import Panel, State
from ..readers import read_panel
from ..results import Results
from ..study import Study
from .agreement import stored_study
from .check_report import Check
from .comparing import Fact, facts_hold, refused
from .textbook import two_groups

ABOUT = "known trap"
_BASELINE = Design("group", "case", "control", baseline="before")


def _long(rows: Iterable[tuple[Any, ...]], columns: str, **options: Any) -> Panel:
    return read_panel(pd.DataFrame(list(rows), columns=columns.split()), layout="long", **options)


def _row(results: Results, analyte: str | None = None) -> Any:
    table = results.table
    return (table if analyte is None else table[table["analyte"] == analyte]).iloc[0]


def _missing_p() -> Iterable[Fact]:
    p = [0.01, 0.02, math.nan, 0.04]
    for method, want in (("BH", (0.03, 0.03, 0.04)), ("holm", (0.03, 0.04, 0.04)), ("bonferroni", (0.03, 0.06, 0.12))):
        got = adjust_pvalues(p, method)
        yield from ((f"{method} of {p[i]}", got[i], value) for i, value in zip((0, 1, 3), want, strict=True))
        yield f"{method} of the missing one", str(got[2]), "nan"
    table = compare_baseline(stored_study("groups"), test="welch").table
    yield "rows of 9 analytes, one below its limits in everybody", len(table), 9
    yield "tests counted", sorted({int(n) for n in table["n_tests"]}), [8]
    yield "adjusted p that are missing", int(table["p_adjusted"].isna().sum()), 1


def _ties_of_others() -> Iterable[Fact]:
    """Four against four without ties: W = 0, and P(W <= 0) is 1 in 70; beside a row full of ties."""
    rows = [(i, "case" if i < 4 else "control", a, v) for a, values in _RANKED.items() for i, v in enumerate(values)]
    study = Study(_long(rows, "subject group analyte value"), Design("group", "case", "control"))
    results = compare_baseline(study, test="mann_whitney", adjust="none")
    apart, tied = _row(results, "apart"), _row(results, "tied")
    yield "p of the row without ties", apart["p_value"], 2 / 70
    yield "its method", apart["method"], "exact"
    yield "method of the row with ties", tied["method"], "normal approximation, tie-corrected"
    # Ranks 2.5 x 4 and 6.5 x 4; W - 8 = -8 + .5; variance 16/12 (9 - 120/56)
    z = (-8 + 0.5) / math.sqrt(16 / 12 * (9 - 120 / 56))
    yield "p of the row with ties", tied["p_value"], math.erfc(-z / math.sqrt(2))


_RANKED = {"tied": (1, 1, 1, 1, 2, 2, 2, 2), "apart": (1, 2, 3, 4, 5, 6, 7, 8)}


def _duplicates() -> Iterable[Fact]:
    wells = {"a": ("4", "9"), "b": ("<2", "8"), "c": ("<3", "<3"), "d": ("5", ""), "e": ("OOR <", "6"), "f": ("2", "2")}
    rows = [
        (who, "case" if who < "d" else "control", w, "X", cell) for who, cells in wells.items() for w, cell in enumerate(cells)
    ]
    panel = _long(rows, "subject group well analyte value", replicate="well")
    samples = dict(zip(panel.samples["subject"], panel.samples.index, strict=True))
    columns = {"value": panel.values, "state": panel.state, "limit": panel.lower_limit}
    cell = {who: {name: frame.loc[sample, "X"] for name, frame in columns.items()} for who, sample in samples.items()}
    yield "4 and 9", cell["a"]["value"], 6.0
    yield "<2 and 8 is below", State(int(cell["b"]["state"])).name, "BELOW"
    yield "its limit", cell["b"]["limit"], 4.0
    yield "<3 twice is below", cell["c"]["limit"], 3.0
    yield "5 and a blank", cell["d"]["value"], 5.0
    yield "'OOR <' without a limit and 6", cell["e"]["value"], 6.0
    yield "is marked", State(int(cell["e"]["state"])).name, "EXTRAPOLATED"


_DOUBLINGS = {"p": 1, "q": 2, "r": 3, "s": 4, "t": 5}
_BEFORE = {"p": 16.0, "q": 2.0, "r": 8.0, "s": 1.0, "t": 4.0}


def _visits_by_subject() -> Iterable[Fact]:
    rows = [(who, "case", "before", "X", _BEFORE[who]) for who in "pqrst"]
    rows += [(who, "case", "after", "X", _BEFORE[who] * 2.0 ** _DOUBLINGS[who]) for who in "tsrqp"]
    rows += [(who, "control", visit, "X", 3.0) for who in "uv" for visit in ("after", "before")]
    study = Study(_long(rows, "subject group visit analyte value"), _BASELINE)
    row = _row(change_within(study, groups=("case",)))
    yield "ratio", row["estimate"], 8.0
    yield "t of changes of 1, 2, 3, 4 and 5 doublings", row["statistic"], 3 / math.sqrt(2.5 / 5)
    yield "degrees of freedom", row["df"], 4.0


def _pairs_by_set() -> Iterable[Fact]:
    rows = [(f"k{who}", "case", who, "X", _BEFORE[who] * 2.0 ** _DOUBLINGS[who]) for who in "pqrst"]
    rows += [(f"c{who}", "control", who, "X", _BEFORE[who]) for who in "tsrqp"]
    study = Study(_long(rows, "subject group pair analyte value"), Design("group", "case", "control", matched_set="pair"))
    for test in ("paired_t", "stratified"):
        row = _row(compare_baseline(study, test=test))
        yield f"ratio by {test}", row["estimate"], 8.0
        yield "t of differences of 1, 2, 3, 4 and 5 doublings", row["statistic"], 3 / math.sqrt(2.5 / 5)


def _limits() -> Iterable[Fact]:
    study = two_groups(["<4", "8", "8"], ["1", "2", "4"])
    means = {"half": (2 * 64) ** (1 / 3), "sqrt2": (4 / math.sqrt(2) * 64) ** (1 / 3), "limit": (4 * 64) ** (1 / 3), "drop": 8.0}
    for rule, mean in means.items():
        row = _row(compare_baseline(study, below_limit=rule))
        yield f"mean of <4, 8 and 8 by {rule!r}", row["mean_case"], mean
    row = _row(compare_baseline(study))
    yield "unless said otherwise", row["below_limit"], "half"
    yield "values below", int(row["n_below_case"]), 1


def _limits_of_plates() -> Iterable[Fact]:
    rows = [("a", "case", "P1", "X", "OOR <"), ("b", "case", "P1", "X", "6"), ("c", "case", "P2", "X", "30")]
    rows += [("d", "control", "P1", "X", "10"), ("e", "control", "P2", "X", "OOR <"), ("f", "control", "P2", "X", "20")]
    study = Study(_long(rows, "subject group plate analyte value", plate="plate"), Design("group", "case", "control"))
    row = _row(compare_baseline(study, below_limit="limit"))
    yield "mean of <6 (the lowest on its plate), 6 and 30", row["mean_case"], (6 * 6 * 30) ** (1 / 3)
    yield "mean of 10, <20 (the lowest on its plate) and 20", row["mean_control"], (10 * 20 * 20) ** (1 / 3)
    yield "the row says so", "lowest measured value stands in" in row["note"], True


def _ranks_below() -> Iterable[Fact]:
    """Values below limits have no order: <1, <3 and 2 are tied, since 2 may lie on either side of what is below 3."""
    row = _row(compare_baseline(two_groups(["<1", "<3", "2", "9"], ["5", "7", "11", "4"]), test="mann_whitney"))
    yield "rule", row["below_limit"], "lowest_rank"
    yield "W of <1, <3, 2, 9 against 5, 7, 11, 4", row["statistic"], 3.0
    yield "the row says so", "tied lowest" in row["note"], True


def _zero() -> Iterable[Fact]:
    study, cell = two_groups([0, 8, 8], [1, 2, 4]), "row 0, subject '0', visit '1', analyte 'value', found '0'"
    yield "0 on a log scale", refused(StudyError, lambda: compare_baseline(study), cell), "refused"
    yield "0 on the raw scale", refused(StudyError, lambda: compare_baseline(study, scale="raw"), ""), "accepted"
    logged = Study(read_panel(_WIDE, layout="wide", analytes=["X"], logged="log2"), Design("group", "case", "control"))
    raw = refused(OptionError, lambda: compare_baseline(logged, scale="raw"), "log2")
    yield "the raw scale of a file of logarithms", raw, "refused"
    yield "ratio of logarithms of mean 7/3 and 10/3", _row(compare_baseline(logged))["estimate"], 0.5


_WIDE = pd.DataFrame({"subject": list("abcdef"), "group": ["case"] * 3 + ["control"] * 3, "X": [1.0, 2.0, 4.0, 2.0, 3.0, 5.0]})


def _ids() -> Iterable[Fact]:
    ids = [1, 1.0, "1", "007", 7, "7"]
    frame = pd.DataFrame(
        {"subject": pd.Series(ids, dtype=object), "visit": [1, 2.0, "3", "3", "1", 2], "analyte": "X", "value": 5.0}
    )
    panel = read_panel(frame, layout="long")
    yield "subjects of 1, 1.0, '1', '007', 7, '7'", sorted(panel.samples["subject"].unique()), ["007", "1", "7"]
    yield "visits of 1, 2.0, '3', '3', '1', 2", sorted(panel.samples["visit"].unique()), ["1", "2", "3"]
    again = "row 1 (first in row 0), subject '1'"
    twice = pd.DataFrame({"subject": pd.Series([1, "1"], dtype=object), "analyte": "X", "value": 5.0})
    yield "1 and '1' at one visit", refused(PanelError, lambda: read_panel(twice, layout="long"), again), "refused"


def _wide_and_long() -> Iterable[Fact]:
    cells = {"IL-6": ["3.2", "<0.5", "", "*0.2"], "TNF-a": ["OOR <", "7", ">900", "1e1"]}
    frame = pd.DataFrame({"subject": list("abcd"), "visit": ["1", "1", "2", "2"], **cells})
    wide = read_panel(frame, layout="wide", analytes=list(cells))
    table = frame.melt(id_vars=["subject", "visit"], var_name="analyte", value_name="value").iloc[::-1]
    long = read_panel(table, layout="long")
    at = dict(zip(zip(long.samples["subject"], long.samples["visit"], strict=True), long.samples.index, strict=True))
    order = [at[key] for key in zip(wide.samples["subject"], wide.samples["visit"], strict=True)]
    for name in ("values", "state", "lower_limit", "upper_limit"):
        mine = getattr(wide, name)[list(cells)].to_numpy(dtype=float)
        other = getattr(long, name).loc[order, list(cells)].to_numpy(dtype=float)
        yield (
            f"{name} of a wide and of a long file",
            "equal" if np.array_equal(mine, other, equal_nan=True) else "differ",
            "equal",
        )
    states = [State(int(state)).name for state in wide.state[list(cells)].to_numpy().T.ravel()]
    want = "MEASURED, BELOW, MISSING, EXTRAPOLATED, BELOW, MEASURED, ABOVE, MEASURED"
    yield "3.2, <0.5, blank, *0.2, OOR <, 7, >900, 1e1", ", ".join(states), want
    comma = pd.DataFrame({"subject": list("ab"), "analyte": "X", "value": ["1,5", "2,5"]})
    yield "1,5 unless decimal=',' is said", refused(PanelError, lambda: read_panel(comma, layout="long"), "1,5"), "refused"
    yield "1,5 if it is", float(read_panel(comma, layout="long", decimal=",").values.iloc[0, 0]), 1.5


def _nobody_lost() -> Iterable[Fact]:
    study = stored_study("groups")
    panel = study.panel
    asked: Mapping[str, Results] = {"baseline": compare_baseline(study), "change": change_between(study)}
    for name, results in asked.items():
        visit = "baseline" if name == "baseline" else "month6"
        cells = int((panel.samples["visit"] == visit).sum()) * len(study.analytes)
        table, gone = results.table, results.excluded
        used = int(table["n_case"].fillna(0).sum() + table["n_control"].fillna(0).sum())
        yield f"{name}: cells of {visit} = used + left out", used + int((gone["analyte"] != "").sum()), cells
        yield f"{name}: left out without a reason", int((gone["reason"] == "").sum()), 0
    table = asked["baseline"].table
    yield "rows without a p and without a note", int((table["p_value"].isna() & (table["note"] == "")).sum()), 0


def _matching() -> Iterable[Fact]:
    pairs, groups = stored_study("pairs"), stored_study("groups")
    yield (
        "Welch's test of matched pairs",
        refused(OptionError, lambda: compare_baseline(pairs, test="welch"), "matched"),
        "refused",
    )
    said = compare_baseline(pairs, test="welch", ignore_matching=True).table["note"]
    yield "asked for in spite of them: rows that say so", int(said.str.contains("match").sum()), len(said)
    yield (
        "a paired test of unmatched groups",
        refused(OptionError, lambda: compare_baseline(groups, test="paired_t"), "sets"),
        "refused",
    )
    sets = stored_study("sets")
    yield (
        "a paired test of sets 1:3",
        refused(OptionError, lambda: compare_baseline(sets, test="paired_t"), "one case"),
        "refused",
    )


def _constants() -> Iterable[Fact]:
    results = compare_baseline(two_groups([3, 3, 3], [3, 3, 3]))
    row = _row(results)
    yield "rows", len(results), 1
    yield "p of constant values", str(row["p_value"]), "nan"
    yield "why", row["note"], "not tested: the values are constant"
    row = _row(compare_baseline(two_groups(["<3", "<3", "<3"], ["<3", "<2", "<3"])))
    yield "p where everything is below its limit", str(row["p_value"]), "nan"
    yield "why", row["note"].split(";")[0], "not tested: every value that entered is below its limit"


def _arrangements() -> Iterable[Fact]:
    """Draw few arrangements of many: p = (b + 1) / (n + 1), never 0, the same for the same seed."""
    n = 20
    rows = [
        (f"{g}{i}", g, i, "X", 2.0 ** (i % 7 + (9 if g == "case" else 0) + i / 50)) for g in ("case", "control") for i in range(n)
    ]
    study = Study(_long(rows, "subject group pair analyte value"), Design("group", "case", "control", matched_set="pair"))
    far = _row(compare_baseline(study, test="stratified_permutation", n_resamples=99, seed=1))
    yield "p of a difference beyond all 99 arrangements", far["p_value"], 0.01
    sets = stored_study("sets")
    p = [
        compare_baseline(sets, test="stratified_permutation", n_resamples=199, seed=s).table["p_value"].to_numpy()
        for s in (1, 1, 2)
    ]
    yield "the same seed, the same p", bool((p[0] == p[1]).all()), True
    yield "another seed, another p", bool((p[0] == p[2]).all()), False


def _check(name: str, expected: str, why: str, facts: Callable[[], Iterable[Fact]], reference: str) -> Check:
    return Check(name, ABOUT, expected, why, lambda n_jobs: facts_hold(facts()), reference)


_BY_HAND = "arithmetic that one can follow by hand"
TRAPS: tuple[Check, ...] = (
    _check(
        "missing p-values",
        "A p-value that is missing stays missing, does not count among the tests and changes no other.",
        "In statsmodels one missing p-value makes all of BH missing, and counts for Holm.",
        _missing_p,
        "R: p.adjust(c(.01, .02, NA, .04), 'BH')",
    ),
    _check(
        "ties in another row",
        "A row without ties has its exact p (2/70), whatever the row beside it holds; that with ties the corrected normal p.",
        "Where many rows are tested at once, ties in one can decide for all, as in scipy's mannwhitneyu(method='auto').",
        _ties_of_others,
        _BY_HAND + "; Mann HB, Whitney DR. Ann Math Stat 1947;18:50-60. doi:10.1214/aoms/1177730491",
    ),
    _check(
        "averages of duplicate wells",
        "Numbers: geometric mean. Below and a number: below the geometric mean of limit and number. A blank does not count.",
        "The mean of logs is what later steps use; an arithmetic mean, or one that a blank makes missing, is another quantity.",
        _duplicates,
        "read_panel, Notes",
    ),
    _check(
        "visits paired by patient",
        "Five patients whose visits stand in opposite order: changes of 1 to 5 doublings, ratio 8, t = 3 / sqrt(2.5 / 5).",
        "Paired by row, the mean would be the same and the standard error wrong, which nobody sees.",
        _visits_by_subject,
        _BY_HAND,
    ),
    _check(
        "matched pairs by their label",
        "Five pairs whose members stand in opposite order: differences of 1 to 5 doublings.",
        "Cases and controls belong together by their set, not by where they stand.",
        _pairs_by_set,
        _BY_HAND,
    ),
    _check(
        "values below a limit",
        "<4 enters as 2 (half), 2.83 (limit / sqrt 2), 4 (limit) or not at all; unless said otherwise, as 2.",
        "A limit taken as a value draws all that is low toward the limit.",
        _limits,
        "Hornung RW, Reed LD. Appl Occup Environ Hyg 1990;5:46-51. doi:10.1080/1047322X.1990.10389587",
    ),
    _check(
        "limits that the file does not state",
        "The lowest measured value of the analyte on the same plate stands in, and the row says so.",
        "Plates have limits of their own; that of another plate may lie above what was measured here.",
        _limits_of_plates,
        "docs/design.md",
    ),
    _check(
        "ranks below limits",
        "What is below a limit, and all numbers under the highest such limit, are tied lowest.",
        "2 and <3 cannot be ordered. Ranks of substituted numbers would order them all the same.",
        _ranks_below,
        "Helsel DR. Statistics for Censored Environmental Data, 2012. doi:10.1002/9781118162729",
    ),
    _check(
        "zero on a logarithmic scale",
        "Refused with row, subject, visit, analyte and value of the cell; so is the raw scale of a file that holds logarithms.",
        "Adding a constant, or dropping zeros, would change p-values in silence.",
        _zero,
        "docs/design.md",
    ),
    _check(
        "labels of subjects",
        "1, 1.0 and '1' are one subject, '007' and '7' are two; a subject twice at one visit is refused, with both rows.",
        "Spreadsheets turn 1 into 1.0 and drop leading zeros; half of the pairs would be lost, or wrong ones made.",
        _ids,
        "docs/design.md",
    ),
    _check(
        "wide and long files",
        "The same cells in either layout give the same values, states and limits; a decimal comma must be said.",
        "How a file is laid out is no property of the data.",
        _wide_and_long,
        "read_panel",
    ),
    _check(
        "nobody is lost in silence",
        "Of each question: values used + values listed as left out = values in the file; each has its reason.",
        "A complete-case analysis that does not say so is another study.",
        _nobody_lost,
        "STROBE item 12c. Vandenbroucke JP et al. PLoS Med 2007;4:e297. doi:10.1371/journal.pmed.0040297",
    ),
    _check(
        "matching is not ignored",
        "An unmatched test of matched sets is refused unless asked for, and then each row says so; a paired test needs pairs.",
        "Ignoring pairs gives another standard error.",
        _matching,
        "docs/design.md",
    ),
    _check(
        "rows that cannot be tested",
        "Constant values, or all below their limits: no p, the row stays, and says why.",
        "0/0 is no evidence; a row that vanishes changes the family of tests.",
        _constants,
        "R: t.test stops with 'data are essentially constant'",
    ),
    _check(
        "arrangements at random",
        "p = (b + 1) / (n + 1): never 0; the same for the same seed, another for another.",
        "A p of 0 claims more than n arrangements can show.",
        _arrangements,
        "Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585",
    ),
)
