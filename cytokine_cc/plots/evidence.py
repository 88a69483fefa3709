"""Pictures of evidence: the p-values of a study against those of no effect, the error rates of a plan."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from matplotlib.transforms import ScaledTranslation

from ..errors import OptionError, fraction, one_of, quoted
from ..multiplicity import order_band
from ..results import Results
from ..simulation.error_rates import ErrorRates
from ..simulation.scenario import Scenario
from .drawing import (
    FAINT,
    GREY,
    axes_for,
    height_of,
    ink,
    name_rows,
    note_below,
    once,
    plain,
    ratio_axis,
    strip,
    visits_text,
    wrapped,
)
from .legends import legend_above

KINDS = ("histogram", "qq")
MEASURES = ("size", "power")
_BIN = 0.05
_GOLDEN = (5**0.5 - 1) / 2
# Apart in hue and lightness; with marks of another period, so that no two of the first 30 series look alike.
_SERIES = ("#222222", "#a63603", "#4393c3", "#7b3294", "#5aae61", "#dfa000")
_SERIES_MARKS = ("o", "D", "s", "^", "v")


# ---------------------------------------------------------------- p-values


def p_values_data(results: Results, *, kind: str = "histogram", conf_level: float = 0.95) -> pd.DataFrame:
    """Return what `p_values` draws: a row a bin (left, right, count, expected), or a row a p-value with the band."""
    one_of("kind", kind, KINDS)
    fraction("conf_level", conf_level)
    if not isinstance(results, Results):
        raise OptionError(f"p_values() takes Results; got {type(results).__name__}.")
    once(results, "p_values")
    tested = results.table[results.table["p_value"].notna()]
    if kind == "histogram":
        edges = np.arange(round(1 / _BIN) + 1) / round(1 / _BIN)
        # A bin ends with its right edge: p = 0.05 is among those that are at most 0.05.
        bins = np.maximum(np.searchsorted(edges, tested["p_value"], side="left") - 1, 0)
        counts = np.bincount(bins, minlength=len(edges) - 1)
        return pd.DataFrame({"left": edges[:-1], "right": edges[1:], "count": counts, "expected": len(tested) * _BIN})
    data = tested.sort_values("p_value", kind="stable", ignore_index=True)[["analyte", "contrast", "visit", "p_value"]]
    n = len(data)
    data["expected"] = np.arange(1, n + 1) / (n + 1)
    data["low"], data["high"] = order_band(n, conf_level) if n else (np.empty(0), np.empty(0))
    return data


def p_values(results: Results, *, kind: str = "histogram", conf_level: float = 0.95, ax: Axes | None = None) -> Axes:
    """Are there more small p-values than no effect at all would give?

    Parameters
    ----------
    results : Results
        All p-values of it are shown together, before adjustment; choose with ``results.select``.
    kind : {"histogram", "qq"}
    conf_level : float
        Of the band of "qq".
    ax : Axes, optional

    Returns
    -------
    Axes
        "histogram": how many p-values fall into each twentieth (right edge included), and the line that independent tests
        without any effect have on average. "qq": the sorted p-values over those expected, i / (n + 1), both as -log10; a
        triangle at the top is p = 0.
        The band holds all of them at once with probability `conf_level` where no analyte has an effect and the tests are
        independent (`order_band` in `cytokine_cc.multiplicity`). Analytes of one study are correlated, so leaving the band is
        no test. Rows without a p-value are counted below.

    Raises
    ------
    OptionError
        Results of two tests of the same data, which would be counted as if each were new.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.p_values(cc.compare_baseline(cc.load_study("quickstart")))
    >>> int(sum(bar.get_height() for bar in ax.patches))
    18
    """
    data = p_values_data(results, kind=kind, conf_level=conf_level)
    ax = axes_for(ax, 4.8, 3.8)
    (_histogram if kind == "histogram" else _qq)(ax, data, conf_level)
    strip(ax)
    missing = int(results.table["p_value"].isna().sum())
    note_below(ax, f"{missing:,} not tested" if missing else "")
    return ax


def _histogram(ax: Axes, data: pd.DataFrame, conf_level: float) -> None:
    ax.bar(data["left"], data["count"], width=_BIN, align="edge", color=ink(ax, FAINT), edgecolor=ink(ax), lw=0.7)
    label = "expected without any effect"
    ax.axhline(data["expected"].iloc[0], color=ink(ax), ls=(0, (5, 3)), lw=0.9, label=label)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, max(1.0, data["count"].max(), data["expected"].max()) * 1.08)
    ax.yaxis.set_major_locator(MaxNLocator(integer=True))
    ax.set_xlabel("p-value, not adjusted")
    ax.set_ylabel("tests")
    legend_above(ax)


def _qq(ax: Axes, data: pd.DataFrame, conf_level: float) -> None:
    expected, low, high = (-np.log10(data[name].to_numpy()) for name in ("expected", "high", "low"))
    p = data["p_value"].to_numpy()
    observed = -np.log10(np.where(p > 0, p, 1.0))
    top = 1.06 * max([0.5, *high, *observed])
    right = 1.06 * max([0.5, *expected])
    label = f"{100 * conf_level:g}% band for all of them at once,\nif tests are independent and nothing has an effect"
    if len(data) > 1:
        ax.fill_between(expected, low, high, color=ink(ax, FAINT), lw=0, label=label)
    else:
        ax.vlines(expected, low, high, color=ink(ax, FAINT), lw=6, label=label)
    ax.plot([0, min(right, top)], [0, min(right, top)], color=ink(ax, GREY), lw=0.8)
    face = "none" if len(data) > 100 else ink(ax)
    ax.plot(expected[p > 0], observed[p > 0], "o", ms=4, color=ink(ax), mfc=face, zorder=3)
    if (p == 0).any():
        ax.plot(expected[p == 0], np.full((p == 0).sum(), top), "^", ms=5, color=ink(ax), clip_on=False, zorder=3)
    ax.set_xlim(0, right)
    ax.set_ylim(0, top)
    ax.set_xlabel(wrapped(ax, "\N{MINUS SIGN}log10 of the p-value expected without any effect"))
    ax.set_ylabel(wrapped(ax, "\N{MINUS SIGN}log10 of the p-value, not adjusted", upright=True))
    legend_above(ax)


# ---------------------------------------------------------------- error rates


def error_rates_data(rates: Any, *, measure: str = "size", effects: Any = None, alpha: float | None = None) -> pd.DataFrame:
    """Return what `error_rates` draws.

    One row an analyte, of size also one for all together (analyte ""); `low` and `high` are two Monte Carlo errors away, beside 0
    and 1 the exact one-sided 95% bound. `effect` is the true ratio; a contrast without any true null has one row without numbers.
    """
    one_of("measure", measure, MEASURES)
    parts = _parts(rates)
    pieces = []
    for label, part in parts.items():
        table = part.table[~part.table["measure"].isin(["pattern", "FWER", "FDR"])]
        asked = table[["question", "contrast", "visit", "test"]].drop_duplicates()
        rows = asked.merge(table[table["measure"] == measure], how="left" if measure == "size" else "inner")
        rows = rows.assign(label=label, alpha=_alpha(part, label, alpha) if measure == "size" else np.nan)
        if measure == "power":
            rows["effect"] = _effects_of(rows, effects[label] if isinstance(effects, Mapping) and label in effects else effects)
        pieces.append(rows)
    data = pd.concat(pieces, ignore_index=True)
    if not len(data):
        raise OptionError(f"error_rates(): these rates hold no {measure}; there is nothing to show.")
    if data["alpha"].nunique() > 1:
        raise OptionError(f"error_rates() shows one alpha; these rates were certified at {quoted(data['alpha'].unique())}.")
    data["low"], data["high"] = _around(data)
    names = ["label", "question", "contrast", "visit", "test", "adjust", "analyte", "effect", "estimate", "low", "high", "mcse"]
    return data.reindex(columns=[*names, "n_sim", "n_failed", "alpha"]).fillna({"analyte": "", "adjust": ""})


def _parts(rates: Any) -> dict[str, ErrorRates]:
    """Give each of several rates a label: the user's, its scenario's name, or its number."""
    if isinstance(rates, ErrorRates):
        return {"": rates}
    if isinstance(rates, Mapping):
        parts = {str(label): part for label, part in rates.items()}
    elif isinstance(rates, Sequence) and not isinstance(rates, str):
        names = [str(part.meta.get("scenario", "")) if isinstance(part, ErrorRates) else "" for part in rates]
        distinct = len(set(names)) == len(names) and "" not in names
        parts = dict(zip(names if distinct else map(str, count(1)), rates, strict=False))
    else:
        raise OptionError(f"error_rates() takes ErrorRates, or several of them; got {type(rates).__name__}.")
    wrong = [type(part).__name__ for part in parts.values() if not isinstance(part, ErrorRates)]
    if wrong or not parts:
        raise OptionError(f"error_rates() takes ErrorRates, or several of them; got {wrong[0] if wrong else 'none'} among them.")
    return parts


def _alpha(part: ErrorRates, label: str, given: float | None) -> float:
    """Return the alpha that rejections were counted at."""
    if given is not None:
        fraction("alpha", given)
    known = part.meta.get("alpha", given)
    where = f" of {label!r}" if label else ""
    if known is None:
        raise OptionError(f"the rates{where} do not say at which alpha they were counted (a CSV file does not); pass `alpha`.")
    if given is not None and given != known:
        raise OptionError(f"`alpha` is {given:g}, but the rates{where} were counted at {known:g}. Leave it out.")
    return float(known)


def _effects_of(rows: pd.DataFrame, effects: Any) -> np.ndarray:
    """Look up the true ratio of each row's analyte and contrast."""
    effects = effects.effects if isinstance(effects, Scenario) else effects
    if not isinstance(effects, pd.DataFrame | pd.Series):
        found = "nothing" if effects is None else type(effects).__name__
        raise OptionError(
            "`effects` must hold the true ratios for measure='power': pass effects=scenario, or a Series with the "
            f"analytes as index; got {found}."
        )
    out = []
    for contrast, visit, analyte in zip(rows["contrast"], rows["visit"], rows["analyte"], strict=True):
        column = effects
        if isinstance(effects, pd.DataFrame):
            as_ratio = contrast.replace("case - control", "case / control").replace(f"{visit} - ", f"{visit} / ", 1)
            known = [name for name in (contrast, as_ratio, f"{visit}, {as_ratio}") if name in effects.columns]
            if not known:
                raise OptionError(f"`effects` has no column for {contrast!r} at {visit!r}; it has {quoted(effects.columns)}.")
            column = effects[known[0]]
        if analyte not in column.index:
            raise OptionError(f"`effects` has no ratio for {analyte!r}; it has {quoted(column.index)}.")
        ratio = float(column[analyte])
        if not 0 < ratio < np.inf:
            raise OptionError(f"`effects` must hold ratios above 0; got {ratio!r} for {analyte!r}.")
        out.append(ratio)
    return np.array(out)


def _around(data: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Two Monte Carlo errors to either side; beside 0 and 1 what the number of studies cannot exclude."""
    estimate, mcse = data["estimate"].to_numpy(), data["mcse"].to_numpy()
    n_sim = data["n_sim"].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan)
    bound = 1 - 0.05 ** (1 / n_sim)
    low = np.where((estimate == 1) & (mcse == 0), 1 - bound, np.maximum(0, estimate - 2 * mcse))
    high = np.where((estimate == 0) & (mcse == 0), bound, np.minimum(1, estimate + 2 * mcse))
    return low, high


def error_rates(
    rates: Any, *, measure: str = "size", effects: Any = None, alpha: float | None = None, ax: Axes | None = None
) -> Axes:
    """Does a plan reject true null hypotheses as rarely as it says, and how often does it find what is there?

    Parameters
    ----------
    rates : ErrorRates, or a sequence or dict of them
        From `certify`; the keys of a dict become labels.
    measure : {"size", "power"}
    effects : Scenario, DataFrame or Series, or a dict of them by label
        For "power": the scenario, its true ratios ``scenario.effects``, or a Series of ratios with the analytes as index.
    alpha : float, optional
        For "size" of rates read from a file, which does not say it.
    ax : Axes, optional

    Returns
    -------
    Axes
        "size": one row a test, contrast and visit. Light points are analytes, the dark one their mean, with two Monte Carlo
        errors. The line is alpha; the grey strip reaches as far from it as two Monte Carlo errors of a single analyte. "power":
        adjusted power over the true ratio of each analyte (log axis), with two Monte Carlo errors; a mark and colour for each
        test, contrast and visit. Where none or all of the studies reject, the bar is the exact one-sided 95% bound.

    Raises
    ------
    OptionError
        Power without `effects`; rates of several alphas, or of none that is known.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> rates = cc.certify(cc.Plan(), cc.load_scenario("null"), n_sim=50, seed=1)
    >>> ax = plots.error_rates(rates)
    >>> ax.get_xlabel()
    'true null hypotheses with p ≤ 0.05, not adjusted'
    """
    data = error_rates_data(rates, measure=measure, effects=effects, alpha=alpha)
    names = _row_names(data)
    ax = (_size if measure == "size" else _power)(ax, data, names)
    strip(ax)
    legend_above(ax, columns=2 if measure == "size" else 1)
    return ax


def _row_names(data: pd.DataFrame) -> pd.Series:
    """Name each row's series by what differs between them."""
    several = [name for name in ("label", "test") if data[name].nunique() > 1]
    named = [c.startswith(f"{v} ") for c, v in zip(data["contrast"], data["visit"], strict=True)]
    at = np.where(named, "", [f", {visits_text((visit,), ())}" for visit in data["visit"]])
    what = data["contrast"] + at
    lead = data[several].agg(", ".join, axis=1) + ": " if several else ""
    return lead + what


def _size(ax: Axes | None, data: pd.DataFrame, names: pd.Series) -> Axes:
    rows = list(dict.fromkeys(names))
    ax = axes_for(ax, 6, height_of(len(rows), margin=1.4, row=0.3))
    place = dict(zip(rows, name_rows(ax, rows), strict=True))
    y = names.map(place).to_numpy(dtype=np.float64)
    alone, alpha = (data["analyte"] != "").to_numpy(), float(data["alpha"].iloc[0])
    if data["n_sim"].nunique() == 1:
        error = 2 * np.sqrt(alpha * (1 - alpha) / float(data["n_sim"].dropna().iloc[0]))
        ax.axvspan(
            max(0, alpha - error),
            alpha + error,
            color=ink(ax, FAINT),
            alpha=0.5,
            lw=0,
            zorder=0,
            label="Monte Carlo error of one analyte",
        )
    ax.axvline(alpha, color=ink(ax, GREY), lw=0.9, zorder=1, label=f"alpha = {alpha:g}")
    apart = 0.5 * ((np.arange(alone.sum()) * _GOLDEN) % 1 - 0.5)
    ax.plot(data["estimate"][alone], y[alone] + apart, "o", ms=3.2, color="#9ecae1", mew=0, zorder=2, label="an analyte")
    mean = data[~alone & data["estimate"].notna()]
    ax.hlines(y[mean.index], mean["low"], mean["high"], color=ink(ax), lw=1.2, zorder=3)
    ax.plot(mean["estimate"], y[mean.index], "o", ms=5, color=ink(ax), zorder=4, label="mean of the analytes")
    for row in y[~alone & data["estimate"].isna()]:
        style: dict[str, Any] = {"textcoords": "offset points", "va": "center", "color": ink(ax, GREY), "fontsize": "small"}
        ax.annotate("no true null", (alpha, row), (6, 0), **style)
    ax.set_xlim(0, 1.08 * max(2 * alpha, data["high"][~alone].max(), data["estimate"].max()))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    ax.set_xlabel(wrapped(ax, f"true null hypotheses with p \N{LESS-THAN OR EQUAL TO} {alpha:g}, not adjusted"))
    return ax


def _power(ax: Axes | None, data: pd.DataFrame, names: pd.Series) -> Axes:
    ax = axes_for(ax, 5.2, 4.2)
    logs = np.log(data["effect"].to_numpy(dtype=np.float64))
    low, high = min(logs.min(), 0.0), max(logs.max(), 0.0)
    pad = 0.06 * (high - low) or 0.1
    ax.set_xlim(np.exp(low - pad), np.exp(high + pad))
    ax.set_ylim(-0.02, 1.02)
    ratio_axis(ax.xaxis)
    ax.axvline(1, color=ink(ax, GREY), lw=0.8, zorder=0)
    series = list(dict.fromkeys(names))
    step = min(4.0, 16 / len(series))  # points
    for i, name in enumerate(series):
        part = data[names == name]
        beside = ScaledTranslation((i - (len(series) - 1) / 2) * step / 72, 0, ax.figure.dpi_scale_trans)
        colour = ink(ax) if i % len(_SERIES) == 0 else _SERIES[i % len(_SERIES)]
        style: dict[str, Any] = {"color": colour, "zorder": 2 + i / 100, "transform": ax.transData + beside}
        ax.vlines(part["effect"], part["low"], part["high"], lw=1, **style)
        ax.plot(part["effect"], part["estimate"], _SERIES_MARKS[i % len(_SERIES_MARKS)], ms=5, label=plain(name), **style)
    ax.yaxis.set_major_formatter(FuncFormatter(lambda share, _: f"{100 * share:g}%"))
    ax.set_xlabel("true ratio")
    methods = data["adjust"].unique()
    how = "p" if set(methods) == {"none"} else f"{methods[0]}-adjusted p" if len(methods) == 1 else "adjusted p"
    ax.set_ylabel(f"power, by {plain(how)}")
    return ax
