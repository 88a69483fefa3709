"""The command cytokine-cc, as a user runs it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from click.testing import CliRunner

import cytokine_cc as cc
from cytokine_cc.cli import main
from cytokine_cc.config import bundled_folder, find_study, read_study_file
from cytokine_cc.errors import quoted
from cytokine_cc.quickstart import write_quickstart

TABLES = ["baseline.csv", "change_within.csv", "change_between.csv"]
STUDIES = quoted(sorted(path.name for path in bundled_folder().iterdir()))
SCENARIOS = Path(cc.__file__).parent / "data" / "scenarios"
FILES = ["report.html", *TABLES, "descriptives.csv", "excluded.csv", "methods.txt", "manifest.json"]


def run(*arguments):
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def command(*arguments, **environment):
    """Run the command in a process of its own."""
    call = [sys.executable, "-c", "from cytokine_cc.cli import main; main(prog_name='cytokine-cc')", *map(str, arguments)]
    return subprocess.run(call, capture_output=True, env={**os.environ, **environment}, timeout=120, check=False)


@pytest.fixture
def study(tmp_path):
    write_quickstart(tmp_path / "study")
    return tmp_path / "study" / "study.toml"


@pytest.fixture
def quick_page(monkeypatch):
    """A page that costs nothing, for tests of the files beside it."""
    monkeypatch.setattr("cytokine_cc.report.writing.report_html", lambda *_, **__: "<!DOCTYPE html>")


# --- analyze


def test_analyze_writes_what_it_says(study, tmp_path):
    out = tmp_path / "deep" / "results"
    result = run("analyze", study, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert result.stdout.splitlines()[-1] == f"Written to {out}: {', '.join(FILES)}"
    assert "30 cases (Group = AIMSS), 22 controls (no AIMSS)" in result.stdout
    analysis = cc.analyze(cc.load_study(study))
    for name in TABLES:
        written = cc.Results.from_csv(out / name).table
        pd.testing.assert_frame_equal(written, getattr(analysis, name.removesuffix(".csv")).table, check_exact=True)
    assert (out / "methods.txt").read_text(encoding="utf-8") == analysis.describe() + "\n"


def test_manifest_lets_a_run_be_repeated(study, tmp_path, quick_page):
    out = tmp_path / "out"
    run("analyze", study, "--out", out)
    manifest = json.loads((out / "manifest.json").read_text(encoding="utf-8"))
    for entry, folder in [(entry, study.parent) for entry in manifest["inputs"]] + [
        (entry, out) for entry in manifest["outputs"]
    ]:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
    assert [entry["file"] for entry in manifest["inputs"]] == ["study.toml", "panel.csv", "clinical.csv"]
    assert manifest["versions"]["cytokine_cc"] == cc.__version__
    assert manifest["design"]["case"] == "AIMSS"


def test_an_analysis_of_simulated_data_says_so_everywhere(study, tmp_path, quick_page):
    said = "The data are simulated (quickstart, seed 20260301): no person stands behind them."
    result = run("analyze", study, "--out", tmp_path / "out")
    assert result.stdout.splitlines()[0] == said
    assert (tmp_path / "out" / "methods.txt").read_text(encoding="utf-8").startswith(f"{said} The study comprised ")
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["simulated"] == "quickstart, seed 20260301"
    assert cc.load_study(study).panel.source.endswith("); simulated: quickstart, seed 20260301")


def test_an_analysis_of_measured_data_does_not(study, tmp_path, quick_page):
    text = study.read_text(encoding="utf-8")
    table = study.parent / "scenario null, seed 1, replicate 0"  # a name is not what makes data simulated
    (study.parent / "panel.csv").rename(table)
    lines = [line for line in text.splitlines() if not line.startswith("simulated")]
    study.write_text("\n".join(lines).replace('"panel.csv"', f'"{table.name}"'), encoding="utf-8")
    result = run("analyze", study, "--out", tmp_path / "out")
    assert result.stdout.startswith("30 cases")
    assert (tmp_path / "out" / "methods.txt").read_text(encoding="utf-8").startswith("The study comprised ")
    assert json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["simulated"] is None


@pytest.mark.parametrize("value", ["true", '""', '" "', "1"])
def test_what_data_were_drawn_from_is_a_text(study, value):
    text = study.read_text(encoding="utf-8")
    study.write_text(text.replace('simulated = "quickstart, seed 20260301"', f"simulated = {value}"), encoding="utf-8")
    result = run("analyze", study)
    assert result.exit_code == 2
    assert "study.toml: [data] simulated must say what the data were drawn from, such as" in result.stderr


def test_analyze_twice_gives_the_same_tables_and_keeps_other_files(study, tmp_path, quick_page):
    out = tmp_path / "out"
    run("analyze", study, "--out", out)
    dated = ("manifest.json", "report.html")
    first = {name: (out / name).read_bytes() for name in FILES if name not in dated}
    (out / "notes.txt").write_text("mine")
    run("analyze", study, "--out", out)
    assert {name: (out / name).read_bytes() for name in first} == first
    assert (out / "notes.txt").read_text() == "mine"
    assert not [path for path in out.iterdir() if path.name.startswith(".")]


def test_a_table_that_is_no_longer_asked_for_goes(study, tmp_path, quick_page):
    out = tmp_path / "out"
    run("analyze", study, "--out", out)
    study.write_text(study.read_text(encoding="utf-8") + "\n[plan.baseline]\n", encoding="utf-8")
    assert run("analyze", study, "--out", out).exit_code == 0
    assert sorted(path.name for path in out.iterdir()) == sorted({*FILES} - {*TABLES[1:]})


def test_without_out_nothing_is_written(study):
    before = sorted(study.parent.iterdir())
    result = run("analyze", study)
    assert result.exit_code == 0
    assert result.stdout.endswith("Add --out DIR to write a report, the full tables, the methods paragraph and a manifest.\n")
    assert sorted(study.parent.iterdir()) == before


def test_a_bundled_study_by_name():
    result = run("analyze", "quickstart")
    assert result.exit_code == 0
    assert "30 cases" in result.stdout


def test_warnings_become_notes(study):
    table = study.parent / "panel.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("OOR <", "ND"), encoding="utf-8")
    result = run("analyze", study)
    assert result.exit_code == 0
    assert result.stderr.startswith("note: panel.csv: cells that say 'ND' (")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("quikstart",), f"no study named 'quikstart' comes with the library; there are {STUDIES}. For a file give its path."),
        (("FOLDER/studdy.toml",), "FOLDER/studdy.toml: no such file. 'FOLDER' holds 'study.toml'. Did you mean 'study.toml'?"),
        (("FOLDER/",), "FOLDER: this is a folder; name the study file in it. 'FOLDER' holds 'study.toml'."),
        (("FOLDER/panel.csv",), "panel.csv: this is no valid TOML: "),
        (("FOLDER/nowhere/study.toml",), "FOLDER/nowhere/study.toml: no such file."),
        (("quickstart", "--out", ""), "--out must name a folder."),
        (("quickstart", "--out", "FOLDER/panel.csv"), "FOLDER/panel.csv: this is a file; name a folder."),
        (("quickstart", "--out", "FOLDER/panel.csv/x"), "FOLDER/panel.csv/x: cannot be written (Not a directory)."),
    ],
)
def test_wrong_arguments(study, arguments, message, quick_page):
    folder = str(study.parent)
    before = sorted(study.parent.iterdir())
    result = run("analyze", *(argument.replace("FOLDER", folder) for argument in arguments))
    assert result.exit_code == 2
    assert result.stderr.startswith(f"cytokine-cc: {message.replace('FOLDER', folder)}")
    assert sorted(study.parent.iterdir()) == before


def test_a_table_given_for_the_study_file_gets_a_hint(study):
    assert run("analyze", study.parent / "panel.csv").stderr.endswith("Name the study file, such as study.toml.\n")


def test_a_study_file_in_another_encoding(study):
    study.write_bytes("# Ménopause\n".encode("latin-1"))
    result = run("analyze", study)
    message = "cytokine-cc: study.toml: this is not a UTF-8 text file: line 1 (byte 4) does not fit. Save it as UTF-8.\n"
    assert (result.exit_code, result.stderr) == (2, message)


def test_a_study_file_with_a_byte_order_mark(study):
    study.write_bytes(b"\xef\xbb\xbf" + study.read_bytes())
    assert run("analyze", study).exit_code == 0


@pytest.mark.parametrize("arguments", [("analyse", "quickstart"), ("analyze",), ("analyze", "quickstart", "--output", "x")])
def test_usage_errors(arguments):
    assert run(*arguments).exit_code == 2


def test_help_names_every_command():
    result = run("--help")
    assert result.exit_code == 0
    for name in main.commands:
        assert name in result.stdout


# --- as a process of its own


def test_an_error_in_a_process(study, tmp_path):
    table = study.parent / "panel.csv"
    lines = table.read_text(encoding="utf-8").splitlines()
    cells = lines[4].split(",")
    lines[4] = ",".join([*cells[:4], "5-Feb", *cells[5:]])
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    result = command("analyze", study, "--out", tmp_path / "out")
    assert result.returncode == 2
    assert result.stdout == b""
    assert result.stderr.decode() == (
        f"cytokine-cc: panel.csv: a value is no number: row 5, column 'Concentration', subject {cells[0]!r}, visit {cells[1]!r}, "
        f"analyte {cells[3]!r}, found '5-Feb'. Correct the cell, or say what it means with `codes`, such as "
        "codes={'low': 'below'}.\n"
    )
    assert not (tmp_path / "out").exists()


def test_greek_letters_do_not_end_a_run_in_an_old_encoding(study):
    table = study.parent / "panel.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("HGF", "HGF-β"), encoding="utf-8")
    result = command("analyze", study, PYTHONIOENCODING="cp1252", PYTHONUTF8="0")
    assert result.returncode == 0, result.stderr
    assert b"HGF-?" in result.stdout


def test_version():
    result = command("--version")
    assert (result.returncode, result.stdout.decode().split()) == (0, ["cytokine-cc,", "version", cc.__version__])


# --- study files


def test_a_study_file_is_read_from_anywhere(study, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for path in (study, str(study), Path("study") / "study.toml", "study/study.toml"):
        assert cc.load_study(path).n_case == 30


def test_find_study():
    assert find_study("quickstart") == bundled_folder() / "quickstart" / "study.toml"
    assert find_study("my.toml") == Path("my.toml")
    assert find_study(Path("quickstart")) == Path("quickstart")


def test_all_keys_of_a_study_file(tmp_path):
    (tmp_path / "panel.csv").write_text(
        "id;t;run;well;IL-6;TNF\n1;0;1;a;1,5;0\n1;0;1;b;2,5;7\n1;6;1;a;3;8\n2;0;2;a;<1,0;9\n2;6;2;a;*4;10\n", encoding="utf-16"
    )
    (tmp_path / "who.txt").write_text("ID|arm|age|score\n1|a|50|1.5\n2|b|60,5|2\n", encoding="utf-8")
    (tmp_path / "study.toml").write_text(
        """
        [data]
        file = "panel.csv"
        layout = "wide"
        subject = "id"
        visit = "t"
        plate = "run"
        replicate = "well"
        analytes = {"IL-6" = "IL6", TNF = "TNF"}
        unit = {IL6 = "pg/mL"}
        codes = {0 = "below"}
        lower_limit = {IL6 = 1, TNF = {1 = 7.5, 2 = 6}}
        upper_limit = 1000
        sep = ";"
        decimal = ","
        [subjects]
        file = "who.txt"
        on = "ID"
        decimal = ","
        [design]
        group = "arm"
        case = "a"
        control = "b"
        baseline = 0
        [plan]
        alpha = 0.01
        adjust = "holm"
        [plan.change_between]
        below_limit = "sqrt2"
        """,
        encoding="utf-8",
    )
    read = read_study_file(tmp_path / "study.toml")
    panel = read.study.panel
    assert panel.samples["plate"].tolist() == ["1", "1", "2", "2"]
    assert panel.lower_limit["TNF"].tolist() == pytest.approx([(7 * 7.5) ** 0.5, 7.5, 6, 6])
    assert panel.samples["age"].tolist() == [50, 50, 60.5, 60.5]
    assert panel.samples["score"].tolist() == ["1.5", "1.5", "2", "2"]  # a point is no decimal mark here
    assert (read.study.baseline, read.study.visits, read.study.n_case) == ("0", ("6",), 1)
    assert [question.kind for question in read.plan.questions] == ["change_between"]
    assert (read.plan.alpha, read.plan.change_between.adjust, read.plan.change_between.rule) == (0.01, "holm", "sqrt2")
    assert [name for name, _ in read.inputs] == ["study.toml", "panel.csv", "who.txt"]


def test_a_study_of_one_visit_asks_about_the_baseline_only(tmp_path):
    (tmp_path / "p.csv").write_text("subject,g,A\n1,x,1.5\n2,x,2.5\n3,y,3.5\n4,y,4\n")
    (tmp_path / "study.toml").write_text(
        '[data]\nfile = "p.csv"\nlayout = "wide"\nsample_columns = ["g"]\n[design]\ngroup = "g"\ncase = "x"\ncontrol = "y"\n'
    )
    assert [question.kind for question in read_study_file(tmp_path / "study.toml").plan.questions] == ["baseline"]
    assert run("analyze", tmp_path / "study.toml").exit_code == 0


def names_patients_as_the_files_do(out):
    html = (out / "report.html").read_text(encoding="utf-8")
    patients = set(re.findall(r"^Pt\d{3}", (out / "clinical.csv").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert len(patients) == 52
    assert patients <= set(re.findall(r"\bPt\d{3}\b", unquote(html)))
    assert not re.search(r"\bS\d{3}\b", unquote(html))


def test_reproduce_writes_the_study_the_page_and_the_rates(tmp_path):
    out = tmp_path / "new"
    result = run("reproduce", "henry2010", "--n-sim", 64, "--jobs", 1, "--out", out)
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in out.iterdir()) == [
        "clinical.csv", "datapackage.json", "panel.csv", "rates.csv", "report.html", "reproduction.txt", "study.toml",
    ]  # fmt: skip
    assert (out / "reproduction.txt").read_text(encoding="utf-8") in result.output
    names_patients_as_the_files_do(out)
    rates = cc.ErrorRates.from_csv(out / "rates.csv")
    assert set(rates.table["n_sim"]) == {64}
    study = cc.load_study(out / "study.toml")
    assert (study.n_case, study.n_control, len(study.analytes)) == (30, 22, 36)
    assert "6 of 36 at p <= 0.003" in run("analyze", out / "study.toml").output


def test_certify_prints_and_writes_the_rates(tmp_path):
    out = tmp_path / "rates.csv"
    result = run("certify", "henry2010", "henry2010", "--n-sim", 64, "--seed", 3, "--out", out)
    assert result.exit_code == 0, result.output
    for part in (
        "30 cases, 22 controls, 36 analytes; 64 simulated studies, seed 3\n+- is one Monte Carlo standard error",
        "baseline, case / control at baseline: student, none",
        "size: true nulls with p <= 0.003, not adjusted",
        "power, average over analytes that differ",
        "analyte",
        "IL-12p40",
        "Studies that show the published pattern",
        f"Written to {out}.",
    ):
        assert part in result.output
    scenario = cc.load_scenario("henry2010")
    own = cc.certify(scenario.plan, scenario, n_sim=64, seed=3)
    assert cc.ErrorRates.from_csv(out).table.equals(own.table)
    assert max(map(len, result.output.splitlines()[:-1])) <= 100


def test_certify_says_what_could_not_be_tested_and_what_was_not_asked(tmp_path):
    study = tmp_path / "study.toml"
    text = Path(cc.__file__).parent.parent / "data" / "synthetic" / "quickstart"
    study.write_text(
        (text / "study.toml").read_text(encoding="utf-8").replace('"panel.csv"', f'"{(text / "panel.csv").as_posix()}"')
        .replace('"clinical.csv"', f'"{(text / "clinical.csv").as_posix()}"') + "\n[plan.baseline]\n",
        encoding="utf-8",
    )  # fmt: skip
    scenario = cc.load_scenario("henry2010").vary({"analytes.IL-17": {"mean": 1.0, "log_sd": 1.0, "icc": 0.7, "below": 0.99}})
    scenario_file = tmp_path / "mine.toml"
    scenario_file.write_text(scenario.to_toml(), encoding="utf-8")
    result = run("certify", study, scenario_file, "--n-sim", 32)
    assert result.exit_code == 0, result.output
    assert "not testable in some studies: " in " ".join(result.output.split())
    assert re.search(r"not asked by the plan +all of it\n", result.output)
    assert "nan" not in result.output.split()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("reproduce", "henry2001"), "no scenario named 'henry2001' comes with the library"),
        (("reproduce", "--n-sim", 0), "Invalid value for '--n-sim': 0 is not in the range x>=1."),
        (("certify", "quickstart", "null", "--n-sim", -3), "Invalid value for '--n-sim': -3 is not in the range x>=1."),
        (("reproduce", "--out", " "), "--out must name a folder."),
        (("certify", "quickstart", "null", "--jobs", 0), "Invalid value for '--jobs': 0 is no number of workers; give 1, 2, ..."),
        (("reproduce", "--jobs", 0), "Invalid value for '--jobs': 0 is no number of workers"),
        (
            ("certify", "quickstart", "bauml2015"),
            "cytokine-cc: quickstart, plan on scenario 'bauml2015': change_within: the study has no visit after baseline; leave "
            "this question out of the plan (None; in a file, name the questions to ask, such as [plan.baseline]).\n",
        ),
        (
            ("certify", "heavy_censoring", "sparano2022"),
            "cytokine-cc: heavy_censoring, plan on scenario 'sparano2022': baseline: 'welch' would ignore the matched sets of "
            "the design. Use 'paired_t', 'signed_rank', 'stratified', 'van_elteren', 'stratified_permutation', "
            "'conditional_logistic', or say ignore_matching=True (in a file: ignore_matching = true in [plan]).\n",
        ),
        (
            ("certify", "sparano2022", "null"),
            "Name their column with Design(matched_set=...) (in a study file: matched_set in [design]; in a scenario: [matching] "
            'kind = "sets"), or use ',
        ),
        (("certify", "nothing", "null"), "no study named 'nothing' comes with the library"),
    ],
)
def test_commands_of_simulation_refuse_in_one_message(arguments, message):
    result = run(*arguments)
    assert result.exit_code == 2
    assert message in result.output
    assert "Traceback" not in result.output


def test_reproduce_names_the_scenario_whose_plan_does_not_fit(tmp_path):
    text = (SCENARIOS / "sparano2022.toml").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(text.replace('test = "paired_t"', 'test = "welch"'), encoding="utf-8")
    result = run("reproduce", tmp_path / "mine.toml", "--n-sim", 4)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr.startswith("cytokine-cc: scenario 'mine', its plan: baseline: 'welch' would ignore the matched sets of ")
