"""A drawn study as files: the laboratory's table, the clinic's, a study file that reads them, and a description of both."""

from __future__ import annotations

import hashlib
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ..config import bundled_folder
from ..errors import OptionError, quoted
from ..panel import State
from ..quickstart import write_quickstart
from ..study import Study
from ..text_files import write_files
from .choice import choice_text, published_draw
from .datapackage import Column, Table, package_text
from .scenario import Scenario, load_scenario, scenario_names

_WIDTH = 118
_VALUE_DIGITS, _LIMIT_DIGITS, _MOST_DIGITS = 4, 3, 17


def study_files(study: Study, scenario: Scenario, seed: int, replicate: int = 0) -> dict[str, str]:
    """Write a drawn study as the text of four files.

    Parameters
    ----------
    study : Study
        ``scenario.draw(seed, replicate)``.
    scenario : Scenario
    seed, replicate : int

    Returns
    -------
    dict of str
        File name -> text: panel.csv (one row a sample and analyte, as a laboratory sends it), clinical.csv (one row a patient, or
        a patient and visit where a score varies by visit), study.toml (how to read them, and the scenario's plan),
        datapackage.json (what each column holds).

    Raises
    ------
    OptionError
        A covariate with the name of another column.

    Notes
    -----
    Values have four significant digits, limits three; where that would move a value across a limit, more. Rows are ordered by
    plate and patient. Patients get numbers of their own, so that neither order nor number tells who is a case.

    The same draw gives the same text on every platform: logarithms and exponentials may differ there in the last of 16 digits,
    which changes one of four digits about once in 10**11 values. A release of numpy may change its random numbers (NEP 19).

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc.simulation.writing import study_files
    >>> scenario = cc.load_scenario("null")
    >>> list(study_files(scenario.draw(seed=1), scenario, seed=1))
    ['panel.csv', 'clinical.csv', 'study.toml', 'datapackage.json']
    """
    patients = patient_numbers(study)
    order = _lab_order(study, patients)
    clinical = _clinical_table(study, scenario, patients)
    panel = _panel_table(study, patients, order, clinical.key)
    _check_names(clinical, scenario)
    drawn = (
        f"Drawn from the scenario {scenario.name!r} with seed {seed}, replicate {replicate}. No person and no laboratory "
        "stands behind it: no value was measured."
    )
    heading = [drawn, *_named(scenario, seed, replicate), _assumed(scenario)]
    paragraphs = [*_modelled_on(scenario), *(" ".join(part.split()) for part in scenario.about.split("\n\n") if part.strip())]
    origin = f"scenario {scenario.name}, seed {seed}, replicate {replicate}"
    source = {"title": f"cytokine_cc, {origin}"}
    return {
        "panel.csv": panel.text,
        "clinical.csv": clinical.text,
        "study.toml": _study_toml(study, scenario, origin, heading, panel, clinical),
        "datapackage.json": package_text(
            scenario.name,
            f"Simulated study ({scenario.title or scenario.name})",
            "\n\n".join([*heading, *paragraphs, "study.toml says how to read and analyse it."]),
            [source, *_sources(scenario)],
            [panel, clinical],
        ),
    }


def patient_numbers(study: Study) -> dict[str, str]:
    """Map the subjects of a drawn study to the patient numbers of its files, in an order that hangs on nothing but names.

    A drawn study has cases first or, from a cohort, controls that were chosen beside them; its numbers tell who is what.

    Parameters
    ----------
    study : Study
        A draw.

    Returns
    -------
    dict
    """
    subjects = study.panel.samples["subject"].unique()
    shuffled = sorted(subjects, key=lambda subject: hashlib.sha256(f"{study.panel.source} {subject}".encode()).digest())
    width = max(3, len(str(len(shuffled))))
    return {subject: f"Pt{number:0{width}d}" for number, subject in enumerate(shuffled, start=1)}


def with_patient_numbers(study: Study) -> Study:
    """Give the subjects of a drawn study the numbers that they have in its files.

    Parameters
    ----------
    study : Study
        A draw.

    Returns
    -------
    Study
    """
    samples = study.panel.samples
    samples = samples.assign(subject=samples["subject"].map(patient_numbers(study)))
    return Study(replace(study.panel, samples=samples), study.design)


def rebuild() -> None:
    """Write data/synthetic anew: the study to show of each scenario that comes with the library, and the quick start."""
    folder = bundled_folder()
    if folder is None:
        raise OptionError("data/synthetic is not there; run this in a checkout of the project.")
    write_quickstart(folder / "quickstart")
    for name in scenario_names():
        scenario = load_scenario(name)
        draw = published_draw(scenario)
        write_files(study_files(scenario.draw(*draw), scenario, *draw), folder / name)


# --- tables


def _lab_order(study: Study, patients: Mapping[str, str]) -> list[int]:
    """Positions of the samples by plate, patient and visit."""
    samples, visits = study.panel.samples, (*study.baseline_visits, *study.visits)
    plates = samples["plate"].fillna("").tolist()
    keys = zip(plates, samples["subject"], samples["visit"], strict=True)
    key = [(len(plate), plate, patients[subject], visits.index(visit)) for plate, subject, visit in keys]
    return sorted(range(len(key)), key=key.__getitem__)


def _panel_table(study: Study, patients: Mapping[str, str], order: list[int], key: tuple[str, ...]) -> Table:
    panel, m = study.panel, len(study.analytes)
    samples = panel.samples.iloc[order]
    texts = [_cell_texts(*(frame.to_numpy()[order, a] for frame in panel._cells)) for a in range(m)]
    value, lower, upper = (_by_row([column[i] for column in texts]) for i in range(3))
    units = panel.analytes["unit"].tolist()
    visits = (*study.baseline_visits, *study.visits)
    columns = [
        Column("Patient", "Number of the patient", np.repeat([patients[subject] for subject in samples["subject"]], m).tolist()),
        Column("Visit", "When the sample was taken", np.repeat(samples["visit"].tolist(), m).tolist(), enum=visits),
    ]
    if panel.has_plates:
        columns.append(
            Column("Plate", "Plate on which the sample was measured", np.repeat(samples["plate"].tolist(), m).tolist())
        )
    says = "A number, <3.2 (below the lower limit), >1000 (above the upper limit), *1.04 (extrapolated); blank: missing"
    columns += [
        Column("Analyte", "What was measured", panel.analytes.index.tolist() * len(order)),
        Column("Concentration", says, value, required=False),
    ]
    if any(units):
        columns.append(Column("Unit", "Unit of the concentration and of the limits", units * len(order), required=all(units)))
    for name, which, cells in (("LLOQ", "Lower", lower), ("ULOQ", "Upper", upper)):
        if any(cells):
            says = f"{which} limit of quantification; blank: not known"
            columns.append(Column(name, says, cells, "number", required=all(cells)))
    about = "Measurements as a laboratory sends them, one row a sample and analyte"
    return Table("panel", about, columns, ("Patient", "Visit", "Analyte"), {"clinical": key})


def _by_row(columns: Sequence[Sequence[str]]) -> list[str]:
    """Interleave one list an analyte to one list, sample by sample."""
    return [text for row in zip(*columns, strict=True) for text in row]


def _clinical_table(study: Study, scenario: Scenario, patients: Mapping[str, str]) -> Table:
    design, cohort = study.design, scenario.content.get("cohort", {})
    covariates, scores = cohort.get("covariates", {}), cohort.get("scores", {})
    samples = study.panel.samples
    visits = (*study.baseline_visits, *study.visits)
    samples = samples.assign(_patient=samples["subject"].map(patients), _visit=samples["visit"].map(visits.index))
    samples = samples.sort_values(["_patient", "_visit"])
    if not scores:
        samples = samples.drop_duplicates("_patient")
    columns = [Column("Patient", "Number of the patient", samples["_patient"].tolist())]
    if scores:
        columns.append(Column("Visit", "When the sample was taken", samples["visit"].tolist(), enum=visits))
    groups = (design.case, design.control)
    columns.append(
        Column(design.group, f"{design.case}: case; {design.control}: control", samples[design.group].tolist(), enum=groups)
    )
    if design.matched_set is not None:
        columns.append(Column(design.matched_set, "Matched set", samples[design.matched_set].tolist()))
    for name, row in covariates.items():
        columns.append(_clinical_column(name, "Covariate", row, samples[name]))
    for name, row in scores.items():
        columns.append(_clinical_column(name, "Score at that visit", row, samples[name]))
    by_visit = "one row a patient and visit at which a sample was taken"
    about = f"Groups and what else the clinic knows, {by_visit if scores else 'one row a patient'}"
    return Table("clinical", about, columns, ("Patient", "Visit") if scores else ("Patient",))


def _clinical_column(name: str, kind: str, row: Mapping[str, Any], values: pd.Series) -> Column:
    if "levels" in row:
        return Column(name, kind, values.tolist(), enum=tuple(row["levels"]))
    numbers = values.to_numpy(dtype=np.float64)
    # A covariate with a step lies on a grid of at most six decimals, and is written as it is.
    on_grid = bool((np.round(numbers, 6) == numbers).all())
    texts = [f"{x:.10g}" if on_grid else _number(x, _VALUE_DIGITS) for x in numbers.tolist()]
    return Column(name, kind, texts, "number", unit=row.get("unit", ""))


def _check_names(clinical: Table, scenario: Scenario) -> None:
    names = [column.name for column in clinical.columns]
    taken = {"subject", "visit", "plate"} - ({"visit"} if "Visit" in clinical.key else set())
    folded = [name.casefold() for name in names]
    clashing = [name for name, own in zip(names, folded, strict=True) if folded.count(own) > 1 or own in taken]
    if clashing:
        raise OptionError(
            f"scenario {scenario.name!r}: {quoted(dict.fromkeys(clashing))} would name two columns of clinical.csv; rename it."
        )


# --- cells


def _cell_texts(value: np.ndarray, state: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> tuple[list[str], ...]:
    """Write one analyte: its values, lower and upper limits as text, each value on the same side of its limits as before."""
    low, high = _limit_texts(lower, value, state), _limit_texts(upper, value, state)
    low_after, high_after = (np.array([float(text or "nan") for text in texts]) for texts in (low, high))
    texts = []
    for i, x in enumerate(value.tolist()):
        kind = state[i]
        if kind == State.MISSING:
            texts.append("")
        elif kind == State.BELOW:
            texts.append(f"<{low[i]}" if low[i] else "OOR <")
        elif kind == State.ABOVE:
            texts.append(f">{high[i]}" if high[i] else "OOR >")
        else:
            text = next(
                text
                for text in (_number(x, digits) for digits in range(_VALUE_DIGITS, _MOST_DIGITS + 1))
                if _sides(float(text), low_after[i], high_after[i]) == _sides(x, low_after[i], high_after[i])
            )
            texts.append(f"*{text}" if kind == State.EXTRAPOLATED else text)
    return texts, low, high


def _limit_texts(limit: np.ndarray, value: np.ndarray, state: np.ndarray) -> list[str]:
    """Write limits with as few digits as leave every number on its side."""
    texts = {}
    numeric = (state == State.MEASURED) | (state == State.EXTRAPOLATED)
    for own in np.unique(limit[~np.isnan(limit)]).tolist():
        x = value[numeric & (limit == own)]
        side = np.sign(x - own)
        for digits in range(_LIMIT_DIGITS, _MOST_DIGITS + 1):
            texts[own] = _number(own, digits)
            if (np.sign(x - float(texts[own])) == side).all():
                break
    return [texts.get(own, "") for own in limit.tolist()]


def _sides(x: float, low: float, high: float) -> tuple[bool, bool]:
    return x < low, x > high


def _number(x: float, digits: int) -> str:
    """Write a number with so many significant digits, and no exponent."""
    return np.format_float_positional(x, precision=digits, unique=False, fractional=False, trim="-")


# --- the study file


def _study_toml(study: Study, scenario: Scenario, origin: str, heading: Sequence[str], panel: Table, clinical: Table) -> str:
    design = study.design
    columns = [column.name for column in panel.columns]
    roles = {
        "subject": "Patient",
        "visit": "Visit",
        "plate": "Plate",
        "analyte": "Analyte",
        "value": "Concentration",
        "unit": "Unit",
    }
    roles |= {"lower_limit": "LLOQ", "upper_limit": "ULOQ"}
    categories = {name: text for name, text in study.panel.analytes["category"].items() if text}
    data = {
        "file": "panel.csv",
        "layout": "long",
        "simulated": origin,
        **{role: name for role, name in roles.items() if name in columns},
    }
    on = clinical.key[0] if len(clinical.key) == 1 else list(clinical.key)
    tables = {
        "data": {**data, **({"category": categories} if categories else {})},
        "subjects": {"file": "clinical.csv", "on": on},
        "design": {
            "group": design.group,
            "case": design.case,
            "control": design.control,
            "baseline": design.baseline,
            **({"visits": list(design.visits)} if design.visits else {}),
            **({"matched_set": design.matched_set} if design.matched_set else {}),
            **({"matched_on": list(design.matched_on)} if design.matched_on else {}),
        },
        "plan": scenario.content.get("plan", {}),
    }
    lines = [scenario.title or scenario.name, "", *heading]
    parts = ["\n".join(_comment(line) for line in lines)]
    said = {"plan": [_comment(_said(scenario, "plan"))]}
    parts += ["\n".join([*said.get(name, []), *_toml_table(name, table)]) for name, table in tables.items() if table]
    return "\n\n".join(parts) + "\n"


def _comment(text: str) -> str:
    if not text:
        return "#"
    return textwrap.fill(
        text, _WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False, break_long_words=False
    )


def _toml_table(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    """Write a table of texts, numbers, lists and tables; JSON writes all but the last as TOML does."""
    plain = {key: value for key, value in table.items() if not isinstance(value, Mapping)}
    if plain or not table:
        yield f"[{name}]"
    for key, value in plain.items():
        yield f"{_key(key)} = {json.dumps(value, ensure_ascii=False)}"
    for i, (key, value) in enumerate((key, value) for key, value in table.items() if isinstance(value, Mapping)):
        if plain or i:
            yield ""
        yield from _toml_table(f"{name}.{_key(key)}", value)


def _key(key: str) -> str:
    return key if key.isascii() and key.replace("_", "").replace("-", "").isalnum() else json.dumps(key, ensure_ascii=False)


def _named(scenario: Scenario, seed: int, replicate: int) -> list[str]:
    """Say how the draw came to be shown, where it is the one that the scenario file names."""
    published = scenario.published
    if not {"seed", "replicate"} & set(published) or (seed, replicate) != published_draw(scenario):
        return []
    return [choice_text(scenario, seed, replicate, f" ({published['citation']})" if "citation" in published else "")]


def _assumed(scenario: Scenario) -> str:
    """List what is assumed: tables of which all is, keys, keys of which some is, and what is no number."""
    rows = scenario.parameters()
    rows = rows.assign(assumed=rows["origin"] == "assumed")
    listed = []
    for table, own in rows.groupby("table", sort=False)["assumed"]:
        if own.all():
            listed.append(f"[{table}]")
            continue
        for key, some in own.groupby(rows["key"], sort=False):
            if some.any():
                listed.append(f"{table}.{key}{'' if some.all() else ' (in part)'}")
    words = {"analytes": "which analytes", "plan": "the plan", "pattern": "how the published sentences are counted"}
    for part, what in words.items():
        said = _said(scenario, part)
        if "assumed" in said and (part != "pattern" or scenario.patterns):
            listed.append(what if said.startswith("assumed") else f"{what} (in part)")
    if not listed:
        return "Nothing in the scenario is assumed; its file names the source of each number."
    return f"Assumed in the scenario, neither read in a source nor computed from one: {', '.join(listed)}."


def _said(scenario: Scenario, part: str) -> str:
    """Return what [from] says of a part that is no number; what it does not speak of is assumed."""
    return str(scenario.content.get("from", {}).get(part, "assumed"))


def _modelled_on(scenario: Scenario) -> list[str]:
    """Name the published study, from which no value comes."""
    published = scenario.published
    if "citation" not in published:
        return []
    doi = f" (https://doi.org/{published['doi']})" if "doi" in published else ""
    return [f"Modelled on: {published['citation']}{doi}. None of that study's data are in here."]


def _sources(scenario: Scenario) -> list[dict[str, str]]:
    """Where the scenario's numbers come from that are not assumed."""
    rows = scenario.parameters()
    kept = rows[(rows["origin"] != "assumed") & (rows["source"] != "")]
    return [{"title": f"{row.source} ({row.origin})"} for row in kept[["source", "origin"]].drop_duplicates().itertuples()]


if __name__ == "__main__":
    rebuild()
