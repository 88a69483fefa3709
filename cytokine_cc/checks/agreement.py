"""Agreement with R, from the text of a laboratory's file to the adjusted p-value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import change_between, change_within, compare_baseline
from ..design import Design
from ..kernels import TESTS, Test
from ..multiplicity import METHODS, adjust_pvalues
from ..readers import read_panel
from ..results import Results
from ..study import Study
from ..summaries import descriptives
from ..words import counted
from .check_report import Check, Finding
from .comparing import Comparison, read_cells, stored

ABOUT = "agreement with R"
NUMBERS = ("estimate", "std_error", "df", "statistic", "p_value", "conf_low", "conf_high", "p_adjusted")
COUNTS = ("n_case", "n_control")
EXACT, ITERATED = 1e-10, 1e-6  # relative
# Both sides look for a maximum step by step; limma's prior variance is the root of an equation.
ITERATE = ("tobit", "tobit_paired", "conditional_logistic", "lda", "clda", "moderated_t", "moderated_paired_t")
VERBS: dict[str, Callable[..., Results]] = {
    "baseline": compare_baseline,
    "change_within": change_within,
    "change_between": change_between,
}
_FILES = (
    "The script tests/reference/checks.R reads the same file of text by itself: rows in random order, visits in different order, "
    "ties, values below limits that differ by plate, missing values and samples, an analyte below its limits in everybody."
)
_R_WHY = "R's functions share no code with this library. "
_WRITTEN_WHY = (
    "R has no function that does all of this as we do, so the formulas were written out a second time, in R, by other "
    "algorithms. That finds slips; a formula that is wrong in both it does not find: the source says what else they were held "
    "against. "
)
# What R ran: a function of its own, or formulas written out, and what those were held against.
_RANKS = "statistic and p; estimate and interval: order statistics of the differences, written out"
R_FUNCTION: dict[str, str] = {
    **dict.fromkeys(("student", "welch", "change_score", "paired_t"), "t.test"),
    "mann_whitney": f"wilcox.test ({_RANKS})",
    "change_rank": f"wilcox.test ({_RANKS})",
    "signed_rank": f"wilcox.test ({_RANKS})",
    **dict.fromkeys(("linear_model", "ancova", "stratified"), "lm"),
    **dict.fromkeys(("moderated_t", "moderated_paired_t"), "limma::eBayes(limma::lmFit())"),
    "tobit": "survreg, with and without the group; interval: survreg with offsets, by uniroot",
    "peto_peto": "survdiff(rho = 1)",
}
WRITTEN_OUT: dict[str, tuple[str, str]] = {
    "tobit_paired": ("the likelihood, with mvtnorm::pmvnorm, by nlminb", "nothing else was at hand"),
    "brunner_munzel": ("all pairs counted, variance from placements", "brunner_munzel.R prints what lawstat's help page prints"),
    "gehan": ("Breslow's weights, hypergeometric variance", "censored_ranks.R has the score of coin::logrank_test"),
    "van_elteren": ("ranks within sets", "sets.R has the statistic of coin::independence_test"),
    "stratified_permutation": ("all arrangements within sets, one by one", "sets.R has the statistic of coin::oneway_test"),
    "conditional_logistic": (
        "the likelihood over all subsets of a set, by nlminb; Firth's penalty: the same with half the log determinant",
        "checks.R stops unless survival::clogit finds the same maximum; for Firth's penalty nothing else was at hand",
    ),
    "lda": ("the restricted likelihood and Satterthwaite's df, by nlminb", "longitudinal.R compares with nlme::gls"),
    "clda": ("the restricted likelihood and Satterthwaite's df, by nlminb", "longitudinal.R compares with nlme::gls"),
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "": {},
    "trend": {"trend": True},
    "robust": {"robust": True},
    "trend+robust": {"trend": True, "robust": True},
    "firth": {"penalty": "firth"},
}


def stored_study(name: str, **changes: Any) -> Study:
    """Read one of the studies that ship with the checks: "groups", "pairs", "sets" or "many".

    Parameters
    ----------
    name : str
    **changes
        Of the keywords of `Design`.
    """
    return study_of(str(stored(f"{name}.csv")), **changes)


def study_of(source: Any, *, scale: str | None = None, **changes: Any) -> Study:
    """Make a study of a file, or a table, with the columns of those that ship with the checks."""
    sets = isinstance(source, str) or "Set" in source
    panel = read_panel(
        source,
        layout="long",
        subject="Patient",
        visit="Visit",
        analyte="Analyte",
        value="Result",
        plate="Plate",
        lower_limit="LLOQ",
    )
    matched = {"matched_set": "Set"} if sets and "Set" in panel.samples else {}
    return Study(panel, Design("Group", **{"case": "AIMSS", "control": "no AIMSS", "baseline": "baseline", **matched, **changes}))


def analyses_of(test: str) -> pd.DataFrame:
    """Return the analyses by a test that R answered."""
    listed = read_cells("analyses.csv")
    return listed[listed["test"] == test]


def keywords(row: Any) -> dict[str, Any]:
    """Return an analysis of the list as the keywords of its verb."""
    plain = {name: getattr(row, name) for name in ("test", "scale", "below_limit", "adjust", "family", "alternative")}
    resampled = {"n_resamples": 9999, "seed": 1} if "resamples" in TESTS[row.test].takes else {}
    covariates = tuple(name for name in row.covariates.split("+") if name)
    return {**plain, "covariates": covariates, "conf_level": float(row.conf_level), **_OPTIONS[row.options], **resampled}


def answer(study: Study, row: Any) -> pd.DataFrame:
    """Answer an analysis of the list; `contrast` tells the group of a change within one."""
    table = VERBS[row.question](study, **keywords(row)).table
    group = [text.rpartition(" in ")[2] if row.question == "change_within" else "" for text in table["contrast"]]
    return table.assign(group=group)


def _agrees(test: str) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        every = read_cells("r_values.csv")
        numbers = Comparison()
        analyses = analyses_of(test)
        studies = {name: stored_study(name) for name in analyses["study"].unique()}
        for row in analyses.itertuples(index=False):
            want = every[every["analysis"] == row.id]
            compare(numbers, answer(studies[row.study], row), want, row)
        blank = [name for name in NUMBERS if (every.loc[every["analysis"].isin(analyses["id"]), name] == "").all()]
        asked = ", ".join(
            dict.fromkeys(
                text for name in ("scale", "below_limit", "alternative", "adjust", "options") for text in analyses[name] if text
            )
        )
        without = f"; R gives no {', '.join(blank)}" if blank else ""
        return numbers.finding(f"; {counted(len(analyses), 'analysis', 'analyses')} ({asked}){without}")

    return run


def compare(numbers: Comparison, got: pd.DataFrame, want: pd.DataFrame, row: Any) -> None:
    """Compare a table of results with R's values, row by row; what R does not give is left out."""
    got = got.set_index(["group", "analyte"])
    keys = list(zip(want["group"], want["analyte"], strict=True))
    if sorted(got.index) != sorted(keys):
        raise ValueError(f"{row.id}: rows {sorted(got.index)}, expected {sorted(keys)}")
    got = got.loc[keys]
    for column in (*COUNTS, *NUMBERS):
        known = want[column].to_numpy() != ""
        values = want[column].to_numpy()[known].astype(np.float64)
        mine = got[column].to_numpy(dtype=np.float64, na_value=np.nan)[known]
        tolerance = 0.0 if column in COUNTS else ITERATED if row.test in ITERATE else EXACT
        places = [{"analyte": key[1], "visit": row.question} for key, there in zip(keys, known, strict=True) if there]
        numbers.add(mine, values, tolerance, places, f"{row.id} {column}")


def _corrections(n_jobs: int) -> Finding:
    numbers = Comparison()
    for family, rows in read_cells("p_adjust.csv").groupby("family", sort=False):
        p = rows["p"].to_numpy(dtype=np.float64)
        places = [{"analyte": f"p-value {i + 1} of {family}"} for i in range(len(p))]
        for method in METHODS:
            numbers.add(adjust_pvalues(p, method), rows[method].to_numpy(dtype=np.float64), EXACT, places, method)
    return numbers.finding()


def _descriptions(n_jobs: int) -> Finding:
    want, numbers = read_cells("r_descriptives.csv"), Comparison()
    study = stored_study("groups")
    places = want[["analyte", "visit", "group"]].to_dict("records")
    keys = [tuple(place.values()) for place in places]
    renamed = {"ros_mean": "geo_mean", "ros_sd": "geo_sd"}
    for rule in ("censored", "ros"):
        got = descriptives(study, below_limit=rule).set_index(["analyte", "visit", "group"])
        if sorted(got.index) != sorted(keys):
            raise ValueError(f"rows {sorted(got.index)}, expected {sorted(keys)}")
        for column in [name for name in want.columns[3:] if (name in renamed) is (rule == "ros")]:
            mine = got.loc[keys, renamed.get(column, column)].to_numpy(np.float64)
            tolerance = 0.0 if column[0] == "n" else ITERATED
            numbers.add(mine, want[column].to_numpy(np.float64), tolerance, places, column)
    return numbers.finding()


def _check(test: Test) -> Check:
    within = "1e-6 (both sides iterate)" if test.name in ITERATE else "1e-10"
    ours = test.name in WRITTEN_OUT
    written, against = WRITTEN_OUT.get(test.name, ("", ""))
    origin = f"written out in R: {written}; {against}" if ours else f"R's function: {R_FUNCTION[test.name]}"
    return Check(
        name=f"as R: {test.name}",
        about=ABOUT,
        expected="On small studies, in the analyses that `observed` names: number of cases and controls, and, as far as the "
        "test has them, estimate, standard error, degrees of freedom, statistic, p, interval and corrected p of each analyte "
        f"equal R's to a relative {within}.",
        why=(_WRITTEN_WHY if ours else _R_WHY) + _FILES,
        run=_agrees(test.name),
        reference=f"{origin}; {test.reference}",
    )


AGREEMENT: tuple[Check, ...] = (
    *map(_check, TESTS.values()),
    Check(
        name="as R: adjust_pvalues",
        about=ABOUT,
        expected="All seven corrections of four families (36 p-values, with ties, with missing ones, with 0 and 1e-300) equal "
        "R's to a relative 1e-10.",
        why="What is called significant hangs on the correction. A missing p-value must neither count nor spread.",
        run=_corrections,
        reference="p.adjust(p, method); Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300. "
        "doi:10.1111/j.2517-6161.1995.tb02031.x; Hommel G. Biometrika 1988;75:383-386. doi:10.1093/biomet/75.2.383",
    ),
    Check(
        name="as R: descriptives",
        about=ABOUT,
        expected="Numbers of values, below and above limits; geometric mean and SD by maximum likelihood, quartiles by "
        "Kaplan-Meier; mean and SD by regression on order statistics: equal R's to a relative 1e-6 (both sides iterate).",
        why=_R_WHY + "Regression on order statistics is written out there. " + _FILES,
        run=_descriptions,
        reference="survreg(Surv(low, high, type = 'interval2') ~ 1, dist = 'gaussian'); "
        "quantile(survfit(Surv(-value, measured) ~ 1)); Helsel DR, Cohn TA. Water Resour Res 1988;24:1997-2004. "
        "doi:10.1029/WR024i012p01997",
    ),
)
