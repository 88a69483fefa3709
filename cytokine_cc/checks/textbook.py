"""Worked examples that others printed: the same data must give the same digits."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from ..analysis import change_between, change_within, compare_baseline
from ..design import Design
from ..multiplicity import adjust_pvalues
from ..readers import read_panel
from ..study import Study
from .check_report import Check, Finding
from .comparing import as_printed, read_cells

ABOUT = "worked example"
_WHY = "Others computed these figures and printed them; the same data must give the same digits, whoever computes."
# Sleep gained by ten patients on each of two drugs; Student's own example.
SLEEP = ((0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0), (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4))
PLANTS = (  # treated, control: dried weight
    (4.81, 4.17, 4.41, 3.59, 5.87, 3.83, 6.03, 4.89, 4.32, 4.69),
    (4.17, 5.58, 5.18, 6.11, 4.50, 4.61, 5.17, 4.53, 5.33, 5.14),
)
PERMEABILITY = ((0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46), (1.15, 0.88, 0.90, 0.74, 1.21))
DEPRESSION = ((1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30), (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29))
PAIN = ((3, 3, 4, 3, 1, 2, 3, 1, 1, 5, 4), (1, 2, 1, 1, 1, 1, 1, 1, 1, 1, 2, 4, 1, 1))
LEUKAEMIA = (  # weeks in remission; negative: and still in remission
    (6, 6, 6, -6, 7, -9, 10, -10, -11, 13, 16, -17, -19, -20, 22, 23, -25, -32, -32, -34, -35),
    (1, 1, 2, 2, 3, 4, 4, 5, 5, 8, 8, 8, 8, 11, 11, 12, 12, 15, 17, 22, 23),
)
MAIZE = (  # heights in inches of 15 pairs of plants: crossed, self-fertilised
    (23.5, 12, 21, 22, 19.125, 21.5, 22.125, 20.375, 18.25, 21.625, 23.25, 21, 22.125, 23, 12),
    (17.375, 20.375, 20, 20, 18.375, 18.625, 18.625, 15.25, 16.5, 18, 16.25, 18, 12.75, 15.5, 18),
)
P_VALUES = (0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0)
_ANOVA = {"F": "1.4191", "df": "18", "p_value": "0.249"}
_RAW: dict[str, Any] = {"scale": "raw", "adjust": "none"}


def two_groups(case: Sequence[Any], control: Sequence[Any]) -> Study:
    """Return a study of one analyte from two samples."""
    value = [*case, *control]
    group = ["case"] * len(case) + ["control"] * len(control)
    frame = pd.DataFrame({"subject": range(len(value)), "group": group, "value": value})
    panel = read_panel(frame, layout="wide", analytes=["value"])
    return Study(panel, Design("group", "case", "control"))


def two_visits(later: Sequence[float], before: Sequence[float]) -> Study:
    """Return a study whose cases have two visits, which list them in opposite order; the one control is not looked at."""
    n = len(later)
    subject = [*range(n), *range(n)[::-1], n]
    frame = pd.DataFrame(
        {"subject": subject, "visit": ["after"] * n + ["before"] * (n + 1), "value": [*later, *before[::-1], 1.0]}
    )
    frame["group"] = ["case"] * (2 * n) + ["control"]
    return Study(read_panel(frame, layout="wide", analytes=["value"]), Design("group", "case", "control", baseline="before"))


def pairs(case: Sequence[float], control: Sequence[float]) -> Study:
    """Return a study of matched pairs."""
    n = len(case)
    frame = pd.DataFrame({"subject": range(2 * n), "pair": [*range(n), *range(n)], "value": [*case, *control]})
    frame["group"] = ["case"] * n + ["control"] * n
    panel = read_panel(frame.iloc[::-1], layout="wide", analytes=["value"])
    return Study(panel, Design("group", "case", "control", matched_set="pair"))


def _sleep() -> Mapping[str, float]:
    row = compare_baseline(two_groups(*SLEEP), test="welch", **_RAW).table.iloc[0]
    return _t_row(row)


def _t_row(row: Any) -> dict[str, float]:
    names = {"t": "statistic", "df": "df", "p": "p_value", "estimate": "estimate", "SE": "std_error"}
    return {name: row[column] for name, column in names.items()} | {"low": row["conf_low"], "high": row["conf_high"]}


def _sleep_paired() -> Mapping[str, float]:
    return _t_row(change_within(two_visits(*SLEEP), groups=("case",), test="paired_t", **_RAW).table.iloc[0])


def _plants() -> Mapping[str, float]:
    student = compare_baseline(two_groups(*PLANTS), test="student", **_RAW).table.iloc[0]
    model = compare_baseline(two_groups(*PLANTS), test="linear_model", **_RAW).table.iloc[0]
    both = {"": student, " of the linear model": model}
    found = {f"{name}{which}": row[name] for which, row in both.items() for name in ("df", "p_value")}
    means = {"mean of treated": student["mean_case"], "mean of control": student["mean_control"]}
    return found | {f"F{which}": row["statistic"] ** 2 for which, row in both.items()} | means


def _permeability() -> Mapping[str, float]:
    study = two_groups(*PERMEABILITY)
    row = compare_baseline(study, test="mann_whitney", alternative="greater", below_limit="half", **_RAW).table.iloc[0]
    return {"W": row["statistic"], "p": row["p_value"]}


def _depression() -> Mapping[str, float]:
    study = two_visits(*DEPRESSION)
    one, both = (
        change_within(study, groups=("case",), test="signed_rank", alternative=side, **_RAW).table.iloc[0]
        for side in ("greater", "two-sided")
    )
    shift = {"pseudo-median": both["estimate"], "low": both["conf_low"], "high": both["conf_high"]}
    return {"V": one["statistic"], "p one-sided": one["p_value"], **shift}


def _pain() -> Mapping[str, float]:
    row = compare_baseline(two_groups(*PAIN), test="brunner_munzel", **_RAW).table.iloc[0]
    return _t_row(row)


def _leukaemia() -> Mapping[str, float]:
    # Time turned round: 40 less the weeks. Who is still in remission after 6 weeks lies below 34.
    values = [[f"<{40 + weeks}" if weeks < 0 else f"{40 - weeks}" for weeks in side] for side in LEUKAEMIA]
    study = two_groups(*values)
    found = {test: compare_baseline(study, test=test, **_RAW).table.iloc[0] for test in ("gehan", "peto_peto")}
    return {
        "chi-square of Gehan": found["gehan"]["statistic"],
        "chi-square of Peto and Peto": found["peto_peto"]["statistic"],
    }


def _maize() -> Mapping[str, float]:
    study = pairs(*MAIZE)
    t = compare_baseline(study, test="paired_t", **_RAW).table.iloc[0]
    all_signs = compare_baseline(study, test="stratified_permutation", n_resamples=2**15, seed=1, **_RAW).table.iloc[0]
    return {"t": t["statistic"], "arrangements at least as far": all_signs["p_value"] * 2**15}


def _infertility() -> Mapping[str, float]:
    cells = read_cells("infert.csv")
    frame = cells.assign(case=cells["case"].map({"1": "yes", "0": "no"}))
    panel = read_panel(frame, layout="wide", analytes=["spontaneous"])
    study = Study(panel, Design("case", "yes", "no", matched_set="stratum"))
    options = {"test": "conditional_logistic", "covariates": ("induced",), **_RAW}
    row = compare_baseline(study, **options).table.iloc[0]
    return {"odds ratio": row["estimate"], "SE": row["std_error"]}


def _anorexia() -> Mapping[str, float]:
    frame = read_cells("anorexia.csv")
    sides = [frame.assign(visit=visit, weight=frame[column]) for visit, column in (("after", "Postwt"), ("before", "Prewt"))]
    table = pd.concat([sides[0], sides[1].iloc[::-1]]).drop(columns=["Prewt", "Postwt"])
    panel = read_panel(table, layout="wide", analytes=["weight"])
    study = Study(panel, Design("group", "control therapy", "other", baseline="before"))
    row = change_between(study, test="ancova", covariates=("Family therapy",), **_RAW).table.iloc[0]
    return _t_row(row)


def _rejected() -> Mapping[str, float]:
    methods = ("bonferroni", "hochberg", "BH")
    return {f"rejected by {method}": float((adjust_pvalues(P_VALUES, method) <= 0.05).sum()) for method in methods}


def _example(
    name: str, expected: str, printed: Mapping[str, str], answer: Callable[[], Mapping[str, float]], reference: str
) -> Check:
    def run(n_jobs: int) -> Finding:
        return as_printed(answer(), printed)

    return Check(
        name, ABOUT, f"{expected}: {', '.join(f'{key} {value}' for key, value in printed.items())}", _WHY, run, reference
    )


_SLEEP_SOURCE = "Student. Biometrika 1908;6:1-25. doi:10.1093/biomet/6.1.1; printed by R: "
TEXTBOOK: tuple[Check, ...] = (
    _example(
        "Welch's t: sleep",
        "Two drugs as two groups, Welch's test",
        {"t": "-1.8608", "df": "17.776", "p": "0.07939", "low": "-3.3654832", "high": "0.2054832"},
        _sleep,
        _SLEEP_SOURCE + "t.test(extra ~ group, data = sleep)",
    ),
    _example(
        "paired t: sleep",
        "The same as pairs; the two visits list the patients in opposite order",
        {"t": "-4.0621", "df": "9", "p": "0.002833", "estimate": "-1.58", "low": "-2.4598858", "high": "-0.7001142"},
        _sleep_paired,
        _SLEEP_SOURCE + "t.test(extra[group == 1], extra[group == 2], paired = TRUE)",
    ),
    _example(
        "Student's t and linear model: plant weights",
        "Treated against control, by both ways to the same test; F = t squared",
        {
            **{f"{name}{which}": text for which in ("", " of the linear model") for name, text in _ANOVA.items()},
            "mean of treated": "4.6610",
            "mean of control": "5.0320",
        },
        _plants,
        "Dobson A. An Introduction to Generalized Linear Models, 1990, p. 9; printed by R: example(lm), anova(lm.D9) and the "
        "means of summary(lm.D90)",
    ),
    _example(
        "rank sum: permeability",
        "Exact, one-sided",
        {"W": "35", "p": "0.1272"},
        _permeability,
        "Hollander M, Wolfe DA. Nonparametric Statistical Methods, 1973, p. 69; printed by R: example(wilcox.test)",
    ),
    _example(
        "signed rank: depression",
        "Exact; shift and 95% interval from the Walsh averages",
        {"V": "40", "p one-sided": "0.01953", "pseudo-median": "0.46", "low": "0.010", "high": "0.786"},
        _depression,
        "Hollander M, Wolfe DA. Nonparametric Statistical Methods, 1973, p. 29; printed by R: wilcox.test(x, y, paired = TRUE, "
        "conf.int = TRUE)",
    ),
    _example(
        "Brunner-Munzel: pain scores",
        "Many ties, unequal groups",
        {"t": "3.1375", "df": "17.683", "p": "0.005786", "estimate": "0.788961", "low": "0.5952169", "high": "0.9827052"},
        _pain,
        "Brunner E, Munzel U. Biom J 2000;42:17-25. doi:10.1002/(SICI)1521-4036(200001)42:1<17::AID-BIMJ17>3.0.CO;2-U; printed "
        "by R: lawstat::brunner.munzel.test(y, x)",
    ),
    _example(
        "Gehan and Peto-Peto: remission in leukaemia",
        "Time turned round, so that who is still in remission lies below a limit of his own",
        {"chi-square of Gehan": "13.46", "chi-square of Peto and Peto": "14.5"},
        _leukaemia,
        "Freireich EJ et al. Blood 1963;21:699-716. doi:10.1182/blood.V21.6.699.699; Gehan's test as printed in Kleinbaum DG, "
        "Klein M. Survival Analysis, 2005, ch. 2; R: survdiff(Surv(time, cens) ~ treat, MASS::gehan, rho = 1)",
    ),
    _example(
        "all arrangements within pairs: Darwin's maize",
        "Of 32,768 ways to give the 15 differences their signs, Fisher counted 863 that lie as far to one side",
        {"t": "2.148", "arrangements at least as far": "1726"},
        _maize,
        "Fisher RA. The Design of Experiments, 1935, chapter III",
    ),
    _example(
        "conditional logistic regression: infertility",
        "83 cases, each with two controls (one with one); odds ratio of a spontaneous abortion, given induced ones",
        {"odds ratio": "7.2854", "SE": "0.3524"},
        _infertility,
        "Trichopoulos D et al. Br J Obstet Gynaecol 1976;83:645-650. doi:10.1111/j.1471-0528.1976.tb00904.x; printed by R: "
        "example(infert), clogit(case ~ spontaneous + induced + strata(stratum), infert)",
    ),
    _example(
        "analysis of covariance: anorexia",
        "Weight after control therapy less that after cognitive therapy, given weight before, family therapy in the model",
        {"estimate": "-4.0971", "SE": "1.8935", "t": "-2.164", "p": "0.033999", "df": "68"},
        _anorexia,
        "Venables WN, Ripley BD. Modern Applied Statistics with S, 2002, p. 189. doi:10.1007/978-0-387-21706-2; printed by R: "
        "example(glm), anorex.1",
    ),
    _example(
        "corrections: 15 p-values of Benjamini and Hochberg",
        "At 5% Bonferroni and Hochberg reject 3, the false discovery rate 4",
        {"rejected by bonferroni": "3", "rejected by hochberg": "3", "rejected by BH": "4"},
        _rejected,
        "Benjamini Y, Hochberg Y. J R Stat Soc B 1995;57:289-300. doi:10.1111/j.2517-6161.1995.tb02031.x",
    ),
)
