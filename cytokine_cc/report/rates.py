"""Error rates of a plan on a scenario, for the terminal."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

import pandas as pd

from ..plan import Plan
from ..simulation.error_rates import ErrorRates
from ..simulation.scenario import Scenario
from .summary import WIDTH

_SHARES = {
    "size": "size: true nulls with p <= {alpha}, not adjusted",
    "FWER": "family-wise error: at least one false rejection",
    "FDR": "false discovery rate",
    "power_average": "power, average over analytes that differ",
    "power_any": "power, at least one of them found",
    "power_all": "power, all of them found",
}
_PRECISION = ("power", "bias", "coverage", "interval_width", "type_m", "type_s")
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
    lines = [
        *_wrapped(f"{scenario.title or scenario.name} (scenario {scenario.name!r})"),
        f"{scenario.n_case} cases, {scenario.n_control} controls, {len(scenario.analytes)} analytes; "
        f"{rates.meta['n_sim']:,} simulated studies, seed {rates.meta['seed']}; +- is one Monte Carlo standard error",
        *_wrapped(plan.describe()),
    ]
    table = rates.table
    tests = table[table["measure"] != "pattern"]
    for (question, contrast, visit), rows in tests.groupby(["question", "contrast", "visit"], sort=False):
        where = "" if " in " in contrast or contrast == "all" else f" at {visit}"
        first = rows.iloc[0]
        lines += ["", f"{question}, {contrast}{where}: {first['test']}, {first['adjust']}"]
        lines += [*_share_lines(rows, plan.alpha), *_analyte_lines(rows)]
    patterns = table[table["measure"] == "pattern"]
    if len(patterns):
        lines += ["", "Studies that show the published pattern"]
        for row in patterns.itertuples(index=False):
            label = "all of it" if row.contrast == "all" else row.contrast
            lines += _wrapped(f"{_share(row.estimate, row.mcse):<23}{label}", indent="  ", hang=23)
    return "\n".join(lines) + "\n"


def _share(estimate: float, mcse: float) -> str:
    if estimate != estimate:
        return "not asked by the plan"
    return f"{estimate:.2%} +- {mcse:.2%}" if mcse == mcse else f"{estimate:.2%}"


def _number(value: float) -> str:
    return f"{value:.3g}" if value == value else "-"


def _share_lines(rows: pd.DataFrame, alpha: float) -> Iterator[str]:
    together = rows[rows["analyte"] == ""].set_index("measure")
    for measure, label in _SHARES.items():
        if measure in together.index:
            row = together.loc[measure]
            yield f"  {_share(row['estimate'], row['mcse']):<18}{label.format(alpha=f'{alpha:g}')}"
    failed = rows.loc[rows["measure"].isin(["size", "power"]) & (rows["analyte"] != ""), ["analyte", "n_failed", "n_sim"]]
    some = failed[failed["n_failed"] > 0]
    if len(some):
        worst = some.loc[some["n_failed"].idxmax()]
        yield from _wrapped(
            f"not testable in some studies: {len(some)} analyte{'s' if len(some) > 1 else ''}, most often {worst['analyte']} "
            f"({worst['n_failed'] / worst['n_sim']:.1%}); these count as not rejected",
            indent="  ",
        )


def _analyte_lines(rows: pd.DataFrame) -> Iterator[str]:
    """Precision of the analytes that truly differ, one line each."""
    differing = rows.loc[rows["measure"] == "power", "analyte"].tolist()
    if not differing:
        return
    wide = rows[rows["analyte"].isin(differing) & rows["measure"].isin(_PRECISION)]
    wide = wide.pivot(index="analyte", columns="measure", values="estimate").reindex(differing)
    shown = [measure for measure in _PRECISION if measure in wide.columns]
    width = max(7, *(len(name) for name in differing))
    yield f"  {'analyte':<{width}}" + "".join(f"{measure.replace('interval_', ''):>10}" for measure in shown)
    for name, row in wide.head(_MOST).iterrows():
        yield f"  {name:<{width}}" + "".join(f"{_number(row[measure]):>10}" for measure in shown)
    if len(differing) > _MOST:
        yield f"  and {len(differing) - _MOST} more; --out FILE.csv holds all"


def _wrapped(text: str, indent: str = "", hang: int = 2) -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False)
