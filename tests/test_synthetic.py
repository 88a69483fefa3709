"""Drawn studies as files: what they say, that they read back as they were drawn, that data/synthetic is what is drawn."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import cytokine_cc as cc
from cytokine_cc.cli import main
from cytokine_cc.config import bundled_folder, read_study_file
from cytokine_cc.engine import run as run_plan
from cytokine_cc.panel import State
from cytokine_cc.report.summary import summary_text
from cytokine_cc.simulation import writing
from cytokine_cc.simulation.choice import published_draw
from cytokine_cc.simulation.scenario import Scenario, load_scenario, scenario_names
from cytokine_cc.simulation.writing import study_files
from cytokine_cc.text_files import write_files

from .scenario_texts import EVERYTHING

FOLDER = Path(__file__).parent.parent / "data" / "synthetic"
FILES = ["panel.csv", "clinical.csv", "study.toml", "datapackage.json"]
NAMES = scenario_names()
REMEDY = "python -m cytokine_cc.simulation.writing writes data/synthetic anew"


def everything(**changes):
    content = tomllib.loads(EVERYTHING)
    content["plan"] = {
        "alpha": 0.01,
        "ignore_matching": True,
        "baseline": {},
        "change_between": {"test": "welch", "visits": ["month6"]},
    }
    return Scenario("everything", content).vary(changes, name="everything")


def drawn(scenario, seed=1, replicate=0):
    study = scenario.draw(seed, replicate)
    return study, study_files(study, scenario, seed, replicate)


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture(scope="module", params=["everything", *NAMES])
def case(request, tmp_path_factory):
    """A scenario, its study to show, the files of it, and the study read from them."""
    scenario = everything() if request.param == "everything" else load_scenario(request.param)
    draw = published_draw(scenario)
    study, files = drawn(scenario, *draw)
    folder = tmp_path_factory.mktemp("drawn")
    write_files(files, folder)
    return scenario, study, files, read_study_file(folder / "study.toml")


# --- data/synthetic


@pytest.mark.parametrize("name", NAMES)
def test_bundled_studies_are_rebuilt_as_identical_text(name):
    scenario = load_scenario(name)
    files = drawn(scenario, *published_draw(scenario))[1]
    assert sorted(path.name for path in (FOLDER / name).iterdir()) == sorted(files), REMEDY
    for file, text in files.items():
        assert (FOLDER / name / file).read_bytes() == text.encode(), f"{name}/{file}: {REMEDY}"


def test_each_bundled_scenario_has_a_study_and_none_is_left_over():
    assert sorted(path.name for path in FOLDER.iterdir()) == sorted([*NAMES, "quickstart"]), REMEDY


def test_bundled_studies_are_small():
    sizes = {path: path.stat().st_size for path in FOLDER.rglob("*") if path.is_file()}
    assert max(sizes.values()) < 2.5e6
    assert sum(sizes.values()) < 6e6


@pytest.mark.parametrize("name", NAMES)
def test_a_bundled_study_is_loaded_by_name_and_analysed(name):
    scenario, read = load_scenario(name), read_study_file(FOLDER / name / "study.toml")
    assert cc.load_study(name).n_case == scenario.n_case
    assert read.plan == scenario.plan
    analysis = cc.analyze(cc.load_study(name), read.plan)  # a warning would be an error
    for results in analysis.results.values():
        assert results.table["p_value"].notna().any()


def test_rebuild_writes_all_of_it(tmp_path, monkeypatch):
    monkeypatch.setattr(writing, "scenario_names", lambda: ["null"])
    monkeypatch.setattr(writing, "bundled_folder", lambda: tmp_path)
    writing.rebuild()
    for path in tmp_path.rglob("*.*"):
        assert path.read_bytes() == (FOLDER / path.relative_to(tmp_path)).read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["null", "quickstart"]


def test_rebuild_needs_a_place(monkeypatch):
    monkeypatch.setattr(writing, "bundled_folder", lambda: None)
    with pytest.raises(cc.OptionError, match="data/synthetic is not there"):
        writing.rebuild()


# --- round trip


def same_samples(study, read):
    """Positions of the drawn samples, in the order of those read."""
    numbers = writing.patient_numbers(study)
    at = {(numbers[row.subject], row.visit): i for i, row in enumerate(study.panel.samples.itertuples())}
    assert len(at) == len(read.panel.samples)
    return [at[row.subject, row.visit] for row in read.panel.samples.itertuples()]


def test_what_is_read_is_what_was_drawn(case):
    scenario, study, _, read = case
    order = same_samples(study, read.study)
    old, new = study.panel, read.study.panel
    assert (read.study.n_case, read.study.n_control) == (study.n_case, study.n_control) == (scenario.n_case, scenario.n_control)
    assert list(new.analytes.index) == list(old.analytes.index)
    assert new.analytes.equals(old.analytes)
    assert (new.state.to_numpy() == old.state.to_numpy()[order]).all()
    for name, digits in (("values", 4), ("lower_limit", 3), ("upper_limit", 3)):
        mine, theirs = getattr(new, name).to_numpy(), getattr(old, name).to_numpy()[order]
        np.testing.assert_allclose(mine, theirs, rtol=0.5001 * 10.0 ** (1 - digits), equal_nan=True)
    assert new.has_plates == old.has_plates
    assert read.plan == scenario.plan
    assert not new.varies


def test_design_groups_sets_and_covariates_are_kept(case):
    _, study, _, read = case
    order = same_samples(study, read.study)
    assert (read.study.baseline, read.study.visits) == (study.baseline, study.visits)
    assert read.study.design == study.design
    old, new = study.panel.samples.iloc[order], read.study.panel.samples
    assert list(new.columns) == list(old.columns)
    for name in set(new.columns) - {"subject"}:
        mine, theirs = new[name].to_numpy(), old[name].to_numpy()
        if mine.dtype.kind == "f" or theirs.dtype.kind == "f":
            np.testing.assert_allclose(mine.astype(float), theirs.astype(float), rtol=5e-4)
        else:
            same = [str(a) == str(b) for a, b in zip(mine, theirs, strict=True)]
            assert all(same), name


def test_results_are_those_of_the_drawn_study_within_rounding(case):
    scenario, study, _, read = case
    for question in scenario.plan.questions:
        theirs, mine = (cc.analyze(own, scenario.plan).results[question.kind].table for own in (study, read.study))
        ranks = question.entry.estimand == "shift"
        np.testing.assert_allclose(mine["p_value"], theirs["p_value"], atol=0.04 if ranks else 0.01)
        assert (mine["n_below_case"].fillna(0) == theirs["n_below_case"].fillna(0)).all()


def test_a_study_to_show_shows_after_rounding_what_it_showed_before(case):
    scenario, study, _, read = case
    questions = scenario.plan.questions
    kinds = [question.kind for question in questions]
    for pattern in scenario.patterns:
        drawn_shows, read_shows = (
            bool(pattern.shown_by(run_plan(questions, own.arrays)[kinds.index(pattern.question)], own.analytes, own.visits))
            for own in (study, read.study)
        )
        assert drawn_shows == read_shows
        assert read_shows or "seed" not in scenario.published


def test_numbers_keep_their_side_of_the_limits(case):
    for row in rows_of(case[2]["panel.csv"]):
        text = row["Concentration"].lstrip("*")
        low, high = float(row.get("LLOQ") or "nan"), float(row.get("ULOQ") or "nan")
        if text.startswith("<"):
            assert text == f"<{row['LLOQ']}"
        elif text.startswith(">"):
            assert text == f">{row['ULOQ']}"
        elif row["Concentration"].startswith("*"):
            assert float(text) < low
        elif text:
            assert not float(text) < low
            assert not float(text) > high


@settings(max_examples=200, deadline=None)
@given(
    st.floats(0.001, 1e6),
    st.lists(st.floats(-2e-3, 2e-3) | st.sampled_from([0.0, 1e-15, -1e-15, 1e-9, -1e-9]), min_size=1, max_size=8),
)
def test_rounding_moves_no_value_across_its_limit(limit, offsets):
    value = limit * (1 + np.array(offsets))
    lower, upper = np.full((2, len(value)), np.nan)
    for own in (lower, upper):
        own[:] = limit
        below, above = value < lower, value > upper
        state = np.where(below | above, State.EXTRAPOLATED, State.MEASURED)
        texts, low, high = writing._cell_texts(value, state, lower, upper)
        written = np.array([float(text.lstrip("*")) for text in texts])
        assert (below == [x < float(at or "nan") for x, at in zip(written, low, strict=True)]).all()
        assert (above == [x > float(at or "nan") for x, at in zip(written, high, strict=True)]).all()
        own[:] = np.nan


@pytest.mark.parametrize(
    ("x", "digits", "text"),
    [(3.14159, 4, "3.142"), (123456.0, 4, "123500"), (0.000123456, 4, "0.0001235"), (10.0, 3, "10"), (1.5e9, 3, "1500000000")],
)
def test_numbers_are_written_without_exponent(x, digits, text):
    assert writing._number(x, digits) == text


def test_a_value_beyond_an_unknown_limit():
    value, state = (
        np.array([np.nan, np.nan, np.nan, 2.0]),
        np.array([State.BELOW, State.ABOVE, State.MISSING, State.EXTRAPOLATED]),
    )
    unknown = np.full(4, np.nan)
    assert writing._cell_texts(value, state, unknown, unknown)[0] == ["OOR <", "OOR >", "", "*2"]


# --- what the files say


def test_nothing_in_ids_or_order_tells_who_is_a_case(case):
    scenario, study, files, _ = case
    group = {row["Patient"]: row[study.design.group] == study.design.case for row in rows_of(files["clinical.csv"])}
    n_case, n_control = scenario.n_case, scenario.n_control
    in_panel = dict.fromkeys(row["Patient"] for row in rows_of(files["panel.csv"]))
    for patients in (sorted(group), list(group)):
        ranks = [i + 1 for i, patient in enumerate(patients) if group[patient]]
        z = (sum(ranks) - n_case * (n_case + n_control + 1) / 2) / (n_case * n_control * (n_case + n_control + 1) / 12) ** 0.5
        assert abs(z) < 4
    # Within a plate, patients stand by number.
    plates = {}
    for row in rows_of(files["panel.csv"]):
        plates.setdefault(row.get("Plate"), []).append(row["Patient"])
    assert all(own == sorted(own) for own in plates.values())
    assert set(in_panel) == set(group)


def test_patient_numbers_hang_on_the_draw_alone():
    scenario = load_scenario("null")
    numbers = writing.patient_numbers(scenario.draw(1))
    assert sorted(numbers.values()) == [f"Pt{i + 1:03d}" for i in range(52)]
    assert numbers == writing.patient_numbers(scenario.draw(1))
    assert numbers != writing.patient_numbers(scenario.draw(1, 1))


def test_a_table_shows_what_real_panels_hold():
    files = drawn(everything())[1]
    cells = [row["Concentration"] for row in rows_of(files["panel.csv"])]
    for sign in ("<", ">", "*"):
        assert any(cell.startswith(sign) for cell in cells)
    assert "" in cells
    assert all(len(cell.lstrip("<>*").replace(".", "").strip("0")) <= 5 for cell in cells)
    assert len({row["LLOQ"] for row in rows_of(files["panel.csv"]) if row["Analyte"] == "IL-6"}) == 3


def test_one_row_a_patient_where_no_score_varies():
    by_visit = rows_of(drawn(everything())[1]["clinical.csv"])
    assert list(by_visit[0]) == ["Patient", "Visit", "Arm", "Set", "Age", "BMI", "Chemo", "HAQ", "VAS"]
    place = ["before", "month1", "month6"].index
    assert [(row["Patient"], place(row["Visit"])) for row in by_visit] == sorted(
        (row["Patient"], place(row["Visit"])) for row in by_visit
    )
    by_patient = rows_of(drawn(everything(**{"cohort.scores": None, "cases": {"share": 0.4}}))[1]["clinical.csv"])
    assert list(by_patient[0]) == ["Patient", "Arm", "Set", "Age", "BMI", "Chemo"]
    assert len(by_patient) == 36


def test_the_study_file_says_where_it_comes_from(case):
    scenario, _, files, _ = case
    seed, replicate = published_draw(scenario)
    heading = " ".join(line.removeprefix("# ") for line in files["study.toml"].splitlines() if line.startswith("#"))
    assert f"Drawn from the scenario {scenario.name!r} with seed {seed}, replicate {replicate}." in heading
    assert "No person and no laboratory stands behind it: no value was measured." in heading
    shown = "seed" in scenario.published and bool(scenario.patterns)
    assert ("The draw was picked" in heading) == (shown and replicate > 0)
    assert ("The draw is the first of its seed, and shows what was published" in heading) == (shown and replicate == 0)
    assert "Assumed in the scenario" in heading
    assert "which analytes" in heading.partition("Assumed in the scenario")[2]
    drawn_from = tomllib.loads(files["study.toml"])["data"]["simulated"]
    assert drawn_from == f"scenario {scenario.name}, seed {seed}, replicate {replicate}"
    assert max(map(len, files["study.toml"].splitlines())) <= 130
    assert heading.startswith(scenario.title)


def test_only_the_draw_that_the_file_names_was_picked():
    def text(replicate=2, **changes):
        content = {**everything().content, "published": {"seed": 5, "replicate": 2, "citation": "Nobody 2000"}, **changes}
        return drawn(Scenario("everything", content), 5, replicate)[1]["study.toml"].replace("\n# ", " ")

    always = [{"says": "nothing", "question": "baseline", "exactly": 0, "p_below": 1e-9}]
    named = "The scenario names this draw as the study to show (Nobody 2000)"
    earlier = f"{named}; it shows what was published, but so does draw 0 of its seed, before it."
    assert earlier in text(pattern=always)
    never = [{**always[0], "exactly": 5}]
    assert f"{named}; it does not show all that was published." in text(pattern=never)
    assert f"{named}." in text()
    assert "Nobody 2000" not in text(replicate=1, pattern=always).partition("[data]")[0]


def test_assumptions_are_listed_by_table_and_key():
    text = writing._assumed(everything())
    assert "study.controls" in text
    assert "study.cases" not in text  # sourced
    assert "analytes.mean" not in text.replace("analytes.mean (in part)", "")
    assert "[plates]" in text
    assert "cohort.covariates.mean (in part)" in text


def test_what_is_no_number_is_listed_where_its_source_says_assumed():
    words = ["which analytes", "the plan", "how the published sentences are counted"]
    shown = [{"says": "nothing", "question": "baseline", "exactly": 0, "p_below": 1e-9}]

    def listed(**sources):
        content = {**load_scenario("null").content, "plan": {"baseline": {}}, "pattern": shown, "from": sources}
        return [what for what in words if what in writing._assumed(Scenario("null", content))]

    assert listed() == words  # what no line speaks of is assumed
    assert listed(analytes="sourced: a paper", plan="computed: from it", pattern="sourced: a paper") == []
    assert f"{words[2]} (in part)" in writing._assumed(load_scenario("henry2010"))
    assert words[2] not in writing._assumed(load_scenario("null"))


@pytest.mark.parametrize("name", NAMES)
def test_the_plan_stands_under_what_is_said_of_it(name):
    scenario = load_scenario(name)
    before, plan, _ = drawn(scenario)[1]["study.toml"].partition("[plan]\n")
    assert bool(plan) == ("plan" in scenario.content)
    comment = before.rpartition("\n\n")[2]
    if plan:
        assert " ".join(line.removeprefix("# ") for line in comment.splitlines()) == scenario.content["from"]["plan"]


def test_toml_holds_what_json_writes(case):
    scenario, _, files, _ = case
    content = tomllib.loads(files["study.toml"])
    assert content.get("plan", {}) == scenario.content.get("plan", {})
    assert list(content)[:3] == ["data", "subjects", "design"]


def test_awkward_names_survive(tmp_path):
    text = EVERYTHING.replace("IL-6", 'IL 6, \\"free\\"').replace("BMI", '"Größe, cm"').replace('"TNF-a"', '"TNF-α"')
    text = text.replace("[from]", "[other]").partition("[other]")[0]
    scenario = Scenario("awkward", tomllib.loads(text))
    study, files = drawn(scenario)
    write_files(files, tmp_path)
    read = cc.load_study(tmp_path / "study.toml")
    assert list(read.analytes) == list(study.analytes)
    assert read.analytes[0] == 'IL 6, "free"'
    assert "Größe, cm" in read.panel.samples.columns
    check_package(json.loads(files["datapackage.json"]), files)


@pytest.mark.parametrize(("old", "new"), [("BMI", "Patient"), ('group = "Arm"', 'group = "patient"')])
def test_a_covariate_with_the_name_of_another_column(old, new):
    scenario = Scenario("clash", tomllib.loads(EVERYTHING.replace(old, new)))
    with pytest.raises(
        cc.OptionError, match=r"scenario 'clash': 'Patient'.* would name two columns of clinical\.csv; rename it\."
    ):
        drawn(scenario)


# --- datapackage.json, by the rules of Data Package 1.0, Tabular Data Resource and Table Schema


TYPES = set("string number integer boolean object array date time datetime year yearmonth duration geopoint geojson any".split())
CONSTRAINTS = {"required", "unique", "minLength", "maxLength", "minimum", "maximum", "pattern", "enum"}


def check_package(package, files):
    assert set(package) <= {"profile", "name", "title", "description", "licenses", "sources", "resources"}
    assert package["profile"] == "tabular-data-package"
    assert re.fullmatch(r"[-a-z0-9._/]+", package["name"])
    for name in ("title", "description"):
        assert isinstance(package[name], str)
        assert package[name]
    for item in package["licenses"]:
        assert item["name"] or item["path"]
    for item in package["sources"]:
        assert item["title"]
        assert re.match("https://doi.org/10\\.", item.get("path", "https://doi.org/10."))
    names = [resource["name"] for resource in package["resources"]]
    assert len(set(names)) == len(names) > 0
    tables = {resource["name"]: check_resource(resource, files) for resource in package["resources"]}
    for resource in package["resources"]:
        for key in resource["schema"].get("foreignKeys", []):
            other = key["reference"]["resource"]
            assert len(key["fields"]) == len(key["reference"]["fields"])
            there = {tuple(row[name] for name in key["reference"]["fields"]) for row in tables[other]}
            assert {tuple(row[name] for name in key["fields"]) for row in tables[resource["name"]]} <= there


def check_resource(resource, files):
    assert resource["profile"] == "tabular-data-resource"
    assert re.fullmatch(r"[-a-z0-9._/]+", resource["name"])
    assert re.fullmatch(r"[^/.][^/]*", resource["path"])
    text = files[resource["path"]]
    assert resource["bytes"] == len(text.encode())
    assert resource["hash"] == f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
    assert resource["encoding"] == "utf-8"
    schema, rows = resource["schema"], rows_of(text)
    names = [field["name"] for field in schema["fields"]]
    assert next(csv.reader(io.StringIO(text))) == names
    assert len(set(names)) == len(names)
    assert schema["missingValues"] == [""]
    assert set(schema["primaryKey"]) <= set(names)
    keys = {tuple(row[name] for name in schema["primaryKey"]) for row in rows}
    assert len(keys) == len(rows) > 0
    for field in schema["fields"]:
        check_field(field, [row[field["name"]] for row in rows])
    return rows


def check_field(field, cells):
    assert field["type"] in TYPES
    assert field["description"]
    assert isinstance(field.get("unit", ""), str)
    constraints = field.get("constraints", {})
    assert set(constraints) <= CONSTRAINTS
    if constraints.get("required"):
        assert all(cells)
    if "enum" in constraints:
        assert set(cells) <= {*constraints["enum"], ""}
    if field["type"] == "number":
        assert all(np.isfinite(float(cell)) for cell in cells if cell)


def test_datapackage_is_valid(case):
    check_package(json.loads(case[2]["datapackage.json"]), case[2])


def test_datapackage_says_what_the_scenario_knows(case):
    scenario, _, files, _ = case
    package = json.loads(files["datapackage.json"])
    assert scenario.title in package["title"]
    assert "No person" in package["description"]
    sources = [item["title"] for item in package["sources"]]
    seed, replicate = published_draw(scenario)
    assert sources[0] == f"cytokine_cc, scenario {scenario.name}, seed {seed}, replicate {replicate}"
    assert all(text.endswith(("(sourced)", "(computed)")) for text in sources[1:])
    # The published study gave no value: it is no source, and the description says what it is.
    assert scenario.published.get("citation", "none") not in sources
    assert not any("path" in item for item in package["sources"])
    if "citation" in scenario.published:
        assert f"Modelled on: {scenario.published['citation']}" in package["description"]
    assert ("Modelled on" in package["description"]) == ("citation" in scenario.published)
    units = {field["name"]: field.get("unit") for field in package["resources"][1]["schema"]["fields"]}
    for name, row in scenario.content.get("cohort", {}).get("covariates", {}).items():
        assert units[name] == row.get("unit")


# --- what is said of an analysis of it


SAID = "The data are simulated ({}): no person stands behind them."


def test_an_analysis_says_that_nobody_was_measured(case):
    scenario, study, _, read = case
    seed, replicate = published_draw(scenario)
    said = SAID.format(f"scenario {scenario.name}, seed {seed}, replicate {replicate}")
    for own in (study, read.study):
        analysis = cc.analyze(own, scenario.plan)
        assert analysis.describe().startswith(f"{said} The study comprised ")
        assert " ".join(summary_text(analysis).split()).startswith(f"{said} {own.n_case} cases ")


# --- the command


def run(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def test_simulate_writes_what_it_says(tmp_path):
    out = tmp_path / "a study"
    result = run("henry2010", "--seed", 3, "--replicate", 4, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    for name, text in drawn(load_scenario("henry2010"), 3, 4)[1].items():
        assert (out / name).read_bytes() == text.encode()
    drawing, written, following = result.stdout.splitlines()
    assert drawing.startswith("Drawn from scenario 'henry2010', seed 3, replicate 4: 30 cases (AIMSS), 22 controls (no AIMSS). ")
    assert written == f"Written to {out}: {', '.join(FILES)}"
    assert following == f'Next: cytokine-cc analyze "{out / "study.toml"}"'
    assert CliRunner().invoke(main, ["analyze", str(out / "study.toml")]).exit_code == 0


def test_simulate_takes_a_scenario_file(tmp_path):
    (tmp_path / "mine.toml").write_text(EVERYTHING, encoding="utf-8")
    result = run(tmp_path / "mine.toml", "--out", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert "scenario 'mine', seed 1, replicate 0: 12 cases (AIMSS), 24 controls (none)" in result.stdout
    assert result.stdout.endswith(f"Next: cytokine-cc analyze {tmp_path / 'out' / 'study.toml'}\n")


def test_simulate_replaces_nothing(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    assert run("null", "--out", tmp_path).exit_code == 0
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    assert run("null", "--out", tmp_path).exit_code == 0  # the same again
    (tmp_path / "clinical.csv").write_text("mine")
    before[tmp_path / "clinical.csv"] = b"mine"
    result = run("null", "--out", tmp_path)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr == (
        f"cytokine-cc: {tmp_path}: 'clinical.csv' is there already with other content; nothing was written. Name another "
        "folder, or remove what is there.\n"
    )
    assert run("null", "--seed", 2, "--out", tmp_path).exit_code == 2
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("nul", "--out", "OUT"), "no scenario named 'nul' comes with the library; there are "),
        (("null", "--seed", "-1", "--out", "OUT"), "`seed` must be a whole number of at least 0; got -1."),
        (("null", "--replicate", "-1", "--out", "OUT"), "`replicate` must be a whole number of at least 0; got -1."),
        (("null", "--out", " "), "--out must name a folder."),
        (("null", "--out", "FILE"), "FILE: this is a file; name a folder."),
        (("null", "--out", "FILE/x"), "FILE/x: cannot be written (Not a directory)."),
    ],
)
def test_simulate_with_wrong_arguments(tmp_path, arguments, message):
    file = tmp_path / "file"
    file.write_text("")
    place = {"OUT": str(tmp_path / "out"), "FILE": str(file), "FILE/x": str(file / "x")}
    result = run(*(place.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cytokine-cc: {message.replace('FILE', str(file))}")
    assert list(tmp_path.iterdir()) == [file]


def test_simulate_needs_a_folder():
    assert run("null").exit_code == 2


def test_the_bundled_folder_is_the_one_tested():
    assert bundled_folder() == FOLDER
