"""Error rates of a plan on a scenario, for the terminal."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from ..plan import Plan
from ..questions import Question
from ..simulation.error_rates import ErrorRates
from ..simulation.scenario import Scenario
from ..words import counted
from .summary import wrapped

_SHARES = {
    "size": "size: true nulls with p <= {alpha}, not adjusted",
    "FWER": "family-wise error: at least one false rejection",
    "FDR": "false discovery rate",
    "power_average": "power, average over analytes that differ",
    "power_any": "power, at least one of them found",
    "power_all": "power, all of them found",
}
_PRECISION = ("power", "bias", "coverage", "interval_width", "type_m", "type_s")
_IN_PERCENT = ("power", "coverage", "type_s")
_MOST = 12


def rates_text(rates: ErrorRates, plan: Plan, scenario: Scenario) -> str:
    """Write the rates as a page.

    Parameters
    ----------
    rates : ErrorRates
    plan : Plan
    scenario : Scenario

    Returns
    -------
    str
    """
    counts = [
        counted(scenario.n_case, "case"),
        counted(scenario.n_control, "control"),
        counted(len(scenario.analytes), "analyte"),
    ]
    studies = counted(rates.meta["n_sim"], "simulated study", "simulated studies")
    lines = [
        *wrapped(f"{scenario.title or scenario.name} (scenario {scenario.name!r})"),
        *wrapped(f"{', '.join(counts)}; {studies}, seed {rates.meta['seed']}"),
        "+- is one Monte Carlo standard error; beside 0% and 100% stands a bound with 95% confidence",
        *wrapped(plan.describe()),
    ]
    table = rates.table
    tests = table[table["measure"] != "pattern"]
    questions = {question.kind: question for question in plan.questions}
    for (question, contrast, visit), rows in tests.groupby(["question", "contrast", "visit"], sort=False):
        where = "" if " in " in contrast or contrast == "all" else f" at {visit}"
        first = rows.iloc[0]
        lines += ["", *wrapped(f"{question}, {contrast}{where}: {first['test']}, {first['adjust']}")]
        lines += [*_share_lines(rows, plan.alpha), *_analyte_lines(rows, questions[question])]
    patterns = pattern_lines(rates, digits=2)
    if patterns:
        lines += ["", "Studies that show the published pattern", *patterns]
    return "\n".join(lines) + "\n"


def pattern_lines(rates: ErrorRates, digits: int) -> list[str]:
    """Write how often studies show each pattern, and all of them; nothing where there is none to look for.

    Parameters
    ----------
    rates : ErrorRates
    digits : int
        Decimals of a percentage.

    Returns
    -------
    list of str
    """
    rows = rates.table[rates.table["measure"] == "pattern"]
    labels = ["all of it" if label == "all" else label for label in rows["contrast"]]
    return _beside([_share(row, digits) for row in rows.to_dict("records")], labels)


def share_text(estimate: float, mcse: float, n_sim: int, digits: int) -> str:
    """Write a share in % with its Monte Carlo error.

    Parameters
    ----------
    estimate, mcse : float
        NaN: the plan does not ask it.
    n_sim : int
        Replicates. Where none or all of them count the Monte Carlo error is 0 and says nothing: the exact one-sided 95% bound
        stands in its place, 1 - .05**(1 / n). One replicate has no error.
    digits : int
        Decimals; more where the error would read 0.

    Returns
    -------
    str

    Examples
    --------
    >>> share_text(0.162, 0.0082, 2000, 1), share_text(0.0, 0.0, 2000, 1)
    (' 16.2% (+-0.8%)', '  0.0% (at most 0.15%)')
    """
    if math.isnan(estimate):
        return "not asked by the plan"
    if mcse > 0:
        digits = max(digits, math.ceil(-math.log10(100 * mcse)))
    text = f"{f'{estimate:.{digits}%}':>{digits + 5}}"
    if math.isnan(mcse):
        return f"{text} (-)"
    if estimate not in (0, 1):
        return f"{text} (+-{mcse:.{digits}%})"
    bound = float(f"{100 * (1 - 0.05 ** (1 / n_sim)):.2g}")
    return f"{text} (at most {bound:.6g}%)" if estimate == 0 else f"{text} (at least {100 - bound:.6g}%)"


def _share(row: dict[Any, Any], digits: int) -> str:
    return share_text(row["estimate"], row["mcse"], row["n_sim"], digits)


def _beside(shares: Sequence[str], labels: Sequence[str]) -> list[str]:
    """Set labels beside shares, in a column of their own."""
    width = max(map(len, shares), default=0) + 2
    pairs = zip(shares, labels, strict=True)
    return [line for share, label in pairs for line in wrapped(f"{share:<{width}}{label}", indent="  ", hang=width)]


def _share_lines(rows: pd.DataFrame, alpha: float) -> Iterator[str]:
    together = rows[rows["analyte"] == ""].set_index("measure")
    found = {label: dict(together.loc[measure]) for measure, label in _SHARES.items() if measure in together.index}
    yield from _beside([_share(row, 2) for row in found.values()], [label.format(alpha=f"{alpha:g}") for label in found])
    failed = rows.loc[rows["measure"].isin(["size", "power"]) & (rows["analyte"] != ""), ["analyte", "n_failed", "n_sim"]]
    some = failed[failed["n_failed"] > 0]
    if len(some):
        worst = some.loc[some["n_failed"].idxmax()]
        yield from wrapped(
            f"not testable in some studies: {counted(len(some), 'analyte')}, most often {worst['analyte']} "
            f"({worst['n_failed'] / worst['n_sim']:.1%}); these count as not rejected",
            indent="  ",
        )


def _analyte_lines(rows: pd.DataFrame, question: Question) -> Iterator[str]:
    """Precision of the analytes that truly differ, one line each, and what the columns hold."""
    differing = rows.loc[rows["measure"] == "power", "analyte"].tolist()
    if not differing:
        return
    wide = rows[rows["analyte"].isin(differing) & rows["measure"].isin(_PRECISION)]
    wide = wide.pivot(index="analyte", columns="measure", values="estimate").reindex(differing)
    shown = [measure for measure in _PRECISION if measure in wide.columns]
    width = max(7, *(len(name) for name in differing))
    yield f"  {'analyte':<{width}}" + "".join(f"{measure.replace('interval_', ''):>10}" for measure in shown)
    for name, row in wide.head(_MOST).iterrows():
        yield f"  {name:<{width}}" + "".join(f"{_cell(measure, row[measure]):>10}" for measure in shown)
    if len(differing) > _MOST:
        yield f"  and {len(differing) - _MOST} more; --out FILE.csv holds all"
    yield from wrapped("; ".join(_columns_text(shown, question)), indent="  ")


def _cell(measure: str, value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.1%}" if measure in _IN_PERCENT else f"{value:.3g}"


def _columns_text(shown: Sequence[str], question: Question) -> Iterator[str]:
    on_scale = [name.replace("interval_", "") for name in ("bias", "interval_width") if name in shown]
    if on_scale:
        yield f"{' and '.join(on_scale)}: on the {question.scale} scale"
    if "coverage" in shown:
        yield f"coverage: of the {100 * question.conf_level:g}% interval"
    if "type_m" in shown:
        yield "of significant estimates, type_m: mean size / true size; type_s: share with the wrong sign"
