"""The pictures of the report: each drawn off the screen, with a caption, what it shows in words, and its data."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..correlations import correlation_table
from ..plots.effects import change_data, forest_data
from ..plots.evidence import p_values_data
from ..plots.heatmap import correlation_data
from ..plots.levels import distributions_data, paired_lines_data
from ..plots.overview import balance_data, plates_data
from ..plots.sample_map import samples_data
from ..plots.shares import detection_data
from ..plots.significance import volcano_data
from ..results import Results
from ..study import Study
from ..words import counted, p_text, percent, visit_name, visit_names
from .document import Picture
from .limits_of_data import IMBALANCE, MANY_BELOW, baseline_shares, difference_texts
from .phrases import ROLES, contrast_title, found, group_labels, listed, neutral, part, visit_labels
from .summary import number

MOST_ROWS, MOST_SQUARE, MOST_POINTS = 60, 40, 6_000  # analytes that a picture shows, as rows or square; points that one holds
MOST_LINES, MOST_VISITS, LEAST_P = 3, 4, 5  # analytes drawn subject by subject, visits drawn, p-values worth a histogram


def _picture(key: str, caption: str, alt: str, draw: Callable[[Any], Any], data: pd.DataFrame) -> Picture:
    from .. import plots
    from ..plots.drawing import off_screen
    from .page import reader_fonts, svg_of

    with off_screen(), reader_fonts():
        svg = svg_of(draw(plots))
    return Picture(key, caption, alt, svg, data)


def smallest(table: pd.DataFrame, most: int = MOST_ROWS) -> list[str]:
    """Return the analytes to show: all, or those with the smallest p-values, in panel order."""
    names = list(dict.fromkeys(table["analyte"]))
    if len(names) <= most:
        return names
    order = table.groupby("analyte", sort=False)["p_value"].min().sort_values(kind="stable", na_position="last")
    chosen = set(order.index[:most])
    return [name for name in names if name in chosen]


def _cut(names: Sequence[str], of: int, why: str = "those with the smallest p") -> str:
    return f" {len(names)} of {of} analytes are shown, {why}; the table holds all." if len(names) < of else ""


def _shown(study: Study, results: Results | None, most: int = MOST_ROWS) -> tuple[list[str], str]:
    """Return the analytes of a picture of the study, and what its caption says of them."""
    everything = list(study.analytes)
    names = everything[:most] if results is None else smallest(results.table, most)
    why = "the first of the panel" if results is None else "those with the smallest p"
    return names, _cut(names, len(everything), why)


# --- the study


def samples_picture(study: Study) -> Picture:
    """Who has a sample at which visit."""
    labels = visit_labels(study)
    there = study.sample_at >= 0
    full = int(there.all(axis=0).sum())
    alt = (
        f"A map of {counted(there.shape[1], 'subject')} by {counted(len(labels), 'visit')} ({visit_names(labels)}): "
        f"{part(full, there.shape[1])} have a sample at every visit."
    )
    return _picture("samples", "Which subject has a sample at which visit.", alt, lambda plots: plots.samples(study),
                    samples_data(study))  # fmt: skip


def balance_picture(study: Study, table: pd.DataFrame) -> Picture:
    """How far apart the groups are on each covariate."""
    size = table["std_difference"].abs()
    apart = table.loc[size[size > IMBALANCE].sort_values(ascending=False, kind="stable").index]
    names = difference_texts(apart)
    alt = f"Standardised differences of {counted(len(table), 'row')} of Table 1; " + (
        f"beyond {IMBALANCE:g} in either direction: {listed(names)}."
        if names
        else f"none beyond {IMBALANCE:g} in either direction."
    )
    caption = "Standardised differences between cases and controls at baseline; lines at 0.1, a common mark for a second look."
    return _picture("balance-picture", caption, alt, lambda plots: plots.balance(study), balance_data(table))


def detection_picture(analysis: Analysis) -> Picture:
    """Shares beyond the limits by group, at baseline."""
    study = analysis.study
    names, cut = _shown(study, analysis.baseline)
    table = analysis.descriptives
    table = table[(table["visit"] == study.baseline) & table["analyte"].isin(names)]
    share = pd.Series(baseline_shares(study)[0], index=study.analytes)[names].sort_values(ascending=False, kind="stable")
    most = [f"{name} {percent(value)}" for name, value in share[share > MANY_BELOW].items()]
    alt = (
        "Bars of the share of the subjects with a baseline value below, or above, a limit, by group, for "
        f"{counted(len(names), 'analyte')}. "
        + (f"More than {percent(MANY_BELOW)} below: " if most else "In none of them more than ")
        + (f"{listed(most)}." if most else f"{percent(MANY_BELOW)} below.")
    )
    caption = (
        "Share of the subjects with a value below (solid, from the left) and above (hatched, from the right) the limits at "
        f"baseline, by group.{cut}"
    )
    small = study if len(names) == len(study.analytes) else study.select(analytes=names)
    return _picture("detection-picture", caption, alt, lambda plots: plots.detection(small), detection_data(table))


def plates_picture(study: Study) -> Picture:
    """Who was measured on which plate."""
    frame = plates_data(study)
    each = [f"{plate}: {' and '.join(f'{row.n} {ROLES[row.group]}' for row in rows.itertuples())}" for plate, rows in
            frame.groupby("plate", sort=False)]  # fmt: skip
    alt = f"Numbers of samples of cases and controls on each plate at baseline: {'; '.join(each)}."
    return _picture("plates-picture", "Baseline samples of cases and controls by plate.", alt,
                    lambda plots: plots.plates(study), frame)  # fmt: skip


def distributions_picture(analysis: Analysis) -> Picture:
    """Levels by group, at baseline."""
    study = analysis.study
    most = max(1, min(MOST_ROWS, MOST_POINTS // max(1, len(study.subjects) * len(study.baseline_visits))))
    names, cut = _shown(study, analysis.baseline, most)
    data = distributions_data(study, names)
    scale = "linear" if (data["value"] <= 0).any() else "log"
    without, under = (int((data["kind"] == kind).sum()) for kind in ("below", "under"))
    labels = group_labels(study)
    alt = (
        f"Every baseline value of {counted(len(names), 'analyte')} in {labels['case']} and {labels['control']}, with median and "
        f"quartiles, on a {scale} axis. Below a limit: {counted(without, 'value')} without a number, drawn at the limit, and "
        f"{counted(under, 'number')}."
    )
    caption = (
        "Levels at baseline by group: every value, with quartiles. Triangles: beyond a limit; open, without a number, at the "
        f"limit.{cut}"
    )
    return _picture("distributions", caption, alt, lambda plots: plots.distributions(study, names, scale=scale), data)


def lines_picture(study: Study, row: pd.Series, place: int) -> Picture:
    """One analyte, subject by subject."""
    name = row["analyte"]
    data = paired_lines_data(study, name)
    scale = "linear" if (data["value"] <= 0).any() else "log"
    found_at = contrast_title(row["contrast"], row["visit"], study)
    alt = (
        f"{name} in each subject at {visit_names(visit_labels(study))}, one line a subject, cases and controls apart. "
        f"Smallest p: {found_at}, ratio or difference {number(row['estimate'])}, p {p_text(row['p_value'])}."
    )
    caption = f"{name} by subject and visit: chosen for its small p ({found_at}: p {p_text(row['p_value'])})."
    return _picture(f"lines-{place}", caption, alt, lambda plots: plots.paired_lines(study, name, scale=scale), data)


def correlation_picture(analysis: Analysis) -> Picture:
    """Which analytes go together, at baseline."""
    names, cut = _shown(analysis.study, analysis.baseline, MOST_SQUARE)
    table = correlation_table(analysis.study).loc[names, names]
    values = table.to_numpy()
    upper = np.triu_indices(len(names), 1)
    pairs = values[upper]
    known = pairs[~np.isnan(pairs)]
    text = "no pair could be computed."
    if known.size:
        order = np.argsort(-np.nan_to_num(np.abs(pairs)), kind="stable")[:3]
        strong = [f"{names[upper[0][i]]} with {names[upper[1][i]]} {pairs[i]:.2f}" for i in order if not np.isnan(pairs[i])]
        text = f"the middle absolute correlation is {np.median(np.abs(known)):.2f}; the strongest: {listed(strong)}."
    alt = f"A heat map of Spearman correlations between {counted(len(names), 'analyte')} at baseline, alike ones adjacent: {text}"
    caption = (
        f"Spearman correlation between analytes at baseline, cases and controls together; values below a limit tied lowest.{cut}"
    )
    data = correlation_data(table)
    return _picture("correlation", caption, alt, lambda plots: plots.correlation(table), data)


# --- results


def _counts(results: Results, alpha: float) -> str:
    table, hits = results.table, found(results, alpha)
    tested = int(table["p_value"].notna().sum())
    side = table["estimate"].to_numpy() - neutral(table)
    low, high = int((hits & (side < 0)).sum()), int((hits & (side > 0)).sum())
    untested = len(table) - tested
    return f"{int(hits.sum())} of {tested} significant ({low} lower, {high} higher)" + (
        f"; {untested} could not be tested" if untested else ""
    )


def has_estimates(results: Results) -> bool:
    """Tell whether a test gave estimates to draw."""
    return bool(results.table["estimate"].notna().any())


def volcano_picture(results: Results, study: Study, alpha: float) -> Picture:
    """Estimates against p-values, at baseline."""
    table = results.table
    hits = table[found(results, alpha)].sort_values("p_value", kind="stable")
    title = contrast_title(table["contrast"].iloc[0], table["visit"].iloc[0], study)
    alt = f"Estimates against p-values, {title}: {_counts(results, alpha)}" + (
        f": {listed(hits['analyte'])}." if len(hits) else "."
    )
    caption = f"Estimate and p-value of each analyte: {title}. Filled marks are significant at the plan's level ({alpha:g})."
    return _picture("volcano", caption, alt, lambda plots: plots.volcano(results, alpha=alpha),
                    volcano_data(results, alpha=alpha))  # fmt: skip


def forest_picture(results: Results, study: Study, alpha: float, key: str) -> Picture:
    """Estimates with their intervals."""
    names = smallest(results.table)
    small = results if len(names) == results.table["analyte"].nunique() else results.select(analyte=names)
    table = small.table
    title = contrast_title(table["contrast"].iloc[0], table["visit"].iloc[0], study)
    level = 100 * float(table["conf_level"].iloc[0])
    cut = _cut(names, results.table["analyte"].nunique())
    alt = f"Estimates with {level:g}% intervals, one row an analyte, {title}: {_counts(small, alpha)}."
    caption = f"Estimates with {level:g}% intervals: {title}.{cut}"
    return _picture(key, caption, alt, lambda plots: plots.forest(small, alpha=alpha), forest_data(small, alpha=alpha))


def change_picture(results: Results, study: Study, alpha: float) -> Picture:
    """Change from baseline by group and visit."""
    names = smallest(results.table)
    small = results if len(names) == results.table["analyte"].nunique() else results.select(analyte=names)
    labels = group_labels(study)
    cut = _cut(names, results.table["analyte"].nunique())
    alt = (
        f"Change from {visit_name(study.baseline)} to {visit_names(dict.fromkeys(small.table['visit']))} in {labels['case']} and "
        f"{labels['control']}, with intervals, for {counted(len(names), 'analyte')}: {_counts(small, alpha)}."
    )
    caption = f"Change from baseline by group and visit, with intervals.{cut}"
    return _picture("change", caption, alt, lambda plots: plots.change(small, alpha=alpha), change_data(small, alpha=alpha))


def p_values_picture(results: Results, key: str, what: str) -> Picture:
    """All p-values of a question."""
    p = results.table["p_value"].dropna()
    low = int((p <= 0.05).sum())
    alt = (
        f"A histogram of {counted(len(p), 'p-value')} ({what}) in bins of 0.05: {low} of them at most 0.05, where "
        f"{number(0.05 * len(p))} would be expected if there were no difference anywhere."
    )
    caption = f"P-values, {what}. If nothing differed, each bin would hold about {number(0.05 * len(p))}."
    return _picture(key, caption, alt, lambda plots: plots.p_values(results), p_values_data(results))
