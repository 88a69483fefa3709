"""The report's part on measurement: limits and what lies beyond them, plates, levels."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ..analysis import Analysis
from ..assembly import PLATE_ALPHA
from ..labels import as_labels
from ..plots.overview import plates_data
from ..study import Study
from ..words import percent, visit_name
from . import pictures
from .document import Block, Column, Section, Table, Text
from .phrases import ROLES, before, cells, group_columns, group_labels, part, plate_moves, visit_labels

SMALL_EXPECTED = 5  # expected counts below this make a chi-square p approximate
SUBJECTS_BELOW = "share of the subjects with a value who have one below a limit of detection"


def detection_section(analysis: Analysis) -> Section:
    """How much of each analyte could be measured, by group and plate."""
    study = analysis.study
    there, below, above = cells(study)
    text = (
        f"At the visits of the design {there.sum():,} values were reported: {percent(below.sum() / max(there.sum(), 1))} below "
        f"a limit of detection, {percent(above.sum() / max(there.sum(), 1))} above the upper limit. Below means: no number, or a "
        "number under a limit that is known."
    )
    frame = detection_frame(analysis)
    caption = f"Limits, and shares of the subjects with a value beyond them at {before(study)}, by group."
    blocks: list[Block] = [
        Text(text),
        Table("detection-table", caption, frame, _detection_columns(study, frame), note=_limit_note(study, frame)),
    ]
    blocks.append(pictures.detection_picture(analysis))
    return Section("detection", "What could be measured", blocks)


def detection_frame(analysis: Analysis) -> pd.DataFrame:
    """Return limits, lowest and highest, and counts beyond them, one row an analyte."""
    study = analysis.study
    first = analysis.descriptives[analysis.descriptives["visit"] == study.baseline]
    frame = pd.DataFrame({"analyte": study.analytes, "unit": study.panel.analytes["unit"].to_numpy()})
    for side, limits in (("lower", study.arrays.lower), ("upper", study.arrays.upper)):
        ends = [_ends(own) for own in np.moveaxis(limits, -2, 0)]
        frame[f"lowest_{side}"], frame[f"highest_{side}"] = np.transpose(ends)
    for role in ROLES:
        own = first[first["group"] == role].set_index("analyte").reindex(study.analytes)
        for name in ("n", "n_missing", "n_below", "n_above", "below", "above"):
            frame[f"{name}_{role}"] = own[name].to_numpy()
    return frame


def _ends(limits: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest limit; NaN where none is known."""
    known = limits[~np.isnan(limits)]
    return (known.min(), known.max()) if known.size else (np.nan, np.nan)


def _detection_columns(study: Study, frame: pd.DataFrame) -> list[Column]:
    labels = group_labels(study)
    columns = [Column("analyte", "analyte"), Column("unit", "unit")]
    for side in ("lower", "upper"):
        low, high = frame[f"lowest_{side}"], frame[f"highest_{side}"]
        if low.equals(high):
            columns += [Column(low.name, f"{side} limit", "number")] if low.notna().any() else []
        else:
            columns += [Column(low.name, f"{side} limit, lowest", "number", "limits differ between samples"),
                        Column(high.name, "highest", "number", f"highest {side} limit")]  # fmt: skip
    for side in ("below", "above"):
        if side == "above" and not cells(study)[2].any():
            continue
        more = SUBJECTS_BELOW.replace("below a", "above the upper") if side == "above" else SUBJECTS_BELOW
        columns += [Column(f"{side}_{role}", f"{side}, {label}", "share", more) for role, label in labels.items()]
    return columns + [Column(f"n_missing_{role}", f"missing, {label}", "count") for role, label in labels.items()]


def _limit_note(study: Study, frame: pd.DataFrame) -> str:
    parts = [] if study.panel.logged is None else [f"Limits are {study.panel.logged} values, as in the file."]
    parts += [f"No {side} limit is stated." for side in ("lower", "upper") if frame[f"lowest_{side}"].isna().all()]
    if len(study.baseline_visits) > 1:
        parts.append("A baseline of several visits counts as beyond a limit where one of its values is.")
    return " ".join(parts)


# --- plates


def plates_section(study: Study) -> Section:
    """Who was measured on which plate."""
    if not study.panel.has_plates:
        text = "The file names no plates, so that nothing can be said of whether cases and controls were measured alike."
        return Section("plates", "Plates", [Text(text)])
    counts = plates_data(study)
    frame = counts.pivot(index="plate", columns="group", values="n").reindex(counts["plate"].unique()).reset_index()
    columns = [Column("plate", "plate"), *group_columns(study)]
    blocks: list[Block] = [
        Text(_association(study)),
        Table("plates-table", "Baseline samples by plate and group.", frame, columns),
        pictures.plates_picture(study),
    ]
    return Section("plates", "Plates", [*blocks, *_visits_blocks(study)])


def _association(study: Study) -> str:
    p = study.plate_by_group
    if np.isnan(p):
        return "All baseline samples were measured on one plate."
    first = study.sample_at[: len(study.baseline_visits)].max(axis=0)  # as the test takes them
    plates = as_labels(study.panel.samples["plate"])[first]
    counts = pd.crosstab(plates, study.subjects["role"].to_numpy(dtype=object)).to_numpy(dtype=float)
    expected = counts.sum(axis=0) * counts.sum(axis=1, keepdims=True) / counts.sum()
    about = "approximate, since some expected counts are below 5; " if (expected < SMALL_EXPECTED).any() else ""
    found = (
        "Cases and controls are spread over the plates more unevenly than chance usually does."
        if p < PLATE_ALPHA
        else "No sign that cases and controls are spread unevenly; small differences are not excluded."
    )
    return f"Plate by group at baseline ({about}one sample a subject): chi-square p = {p:.2g}. {found}"


def _visits_blocks(study: Study) -> list[Block]:
    """How the visits lie over the plates, which changes depend on."""
    moves = plate_moves(study)
    if not moves:
        return []
    texts = []
    here = not any(sum(move.moved.values()) for move in moves)
    for move in moves:
        each = [f"{part(move.moved[role], move.there[role])} {ROLES[role]}" for role in ROLES if move.there[role]]
        shared = "" if move.shared else "; no plate holds samples of both visits"
        texts.append(f"{visit_name(move.visit)}: {' and '.join(each)}{shared}")
    text = f"Later samples that were measured on another plate than their subject's baseline: {'; '.join(texts)}."
    if here:
        text = "Every later sample was measured on a plate of its subject's baseline."
    frame = visits_frame(study)
    columns = [Column("plate", "plate"), *(Column(f"visit {label}", visit_name(label), "count") for label in visit_labels(study))]
    return [Text(text), Table("plates-visits", "Samples of the subjects of the study by plate and visit.", frame, columns)]


def visits_frame(study: Study) -> pd.DataFrame:
    """Count the samples of the usable subjects, plate by visit."""
    plates = as_labels(study.panel.samples["plate"])
    rows = {}
    for label, at in zip(visit_labels(study), study.sample_at, strict=True):
        rows[f"visit {label}"] = pd.Series(plates[at[at >= 0]]).value_counts(sort=False)
    frame = pd.DataFrame(rows, index=pd.Index(list(dict.fromkeys(plates)), name="plate")).fillna(0).astype(int)
    return frame[(frame > 0).any(axis=1)].reset_index()


# --- levels


def descriptives_section(analysis: Analysis) -> Section:
    """Levels as they are, by analyte, visit and group."""
    study = analysis.study
    table = analysis.descriptives
    frame = table.assign(label=[group_labels(study)[role] for role in table["group"]])
    rule = str(table["below_limit"].iloc[0])
    columns = [
        Column("analyte", "analyte"), Column("visit", "visit"), Column("label", study.design.group),
        Column("n", "n", "count", "samples with a value, beyond a limit or not"),
        Column("below", "below", "share", "share below the limit of detection"),
        Column("geo_mean", "geo. mean", "number", "geometric mean, in the unit"),
        Column("geo_sd", "geo. SD", "number", "geometric standard deviation, a factor"),
        Column("q1", "quartile 1", "number"), Column("median", "median", "number"), Column("q3", "quartile 3", "number"),
        Column("unit", "unit"), Column("note", "note"),
    ]  # fmt: skip
    note = {
        "censored": "Where values lie beyond a limit, geometric mean and SD are those of the log-normal law that makes the "
        "values most likely, and quartiles are by Kaplan-Meier.",
        "ros": "Values below a limit are filled in by regression on order statistics.",
    }.get(rule, f"In geometric means and SDs, values below the limit enter by the rule {rule!r}; quartiles substitute nothing.")
    note += " Quartiles are empty where they lie among values beyond a limit."
    caption = "Levels by analyte, visit and group."
    return Section("levels", "Levels", [Table("descriptives", caption, frame, columns, note=note, folded=True)])
