"""What people get who give a wrong file or a wrong plan: one message, exit code 2, nothing written.

Each message names the user's file, the place in it, what was found and the remedy.
"""

from __future__ import annotations

import os
import pickle
import re

import pandas as pd
import pytest
from click.testing import CliRunner

import cytokine_cc as cc
from cytokine_cc.cli import main
from cytokine_cc.errors import Faults

STUDY = """\
[data]
file = "panel.csv"
layout = "long"
subject = "Patient"
visit = "Visit"
analyte = "Analyte"
value = "Value"

[design]
group = "Group"
case = "ill"
control = "well"
baseline = "pre"
"""
HEADER = ["Patient", "Visit", "Group", "Pair", "Analyte", "Value"]
VALUES = "2.1 4.5 1.7 8.3 5.6 3.9 2.8 7.4 6.2 1.3 9.1 3.4 2.5 4.8 5.3 6.6".split()


def rows():
    """Four subjects, two visits, two analytes: 16 rows below a header; line = index + 1."""
    found = [list(HEADER)]
    for i, subject in enumerate(["P1", "P2", "P3", "P4"]):
        for visit in ("pre", "post"):
            for analyte in ("IL-6", "TNF"):
                value = VALUES[len(found) - 1]
                found.append([subject, visit, "ill" if i < 2 else "well", f"s{i % 2 + 1}", analyte, value])
    return found


def text(table, sep=","):
    return "".join(sep.join(row) + "\n" for row in table)


def with_cells(*changes):
    """Change cells, each given as (line, column, text)."""
    table = rows()
    for line, column, cell in changes:
        table[line - 1][HEADER.index(column)] = cell
    return text(table)


@pytest.fixture
def fails(tmp_path):
    """Run `cytokine-cc analyze` and return its message, checking what holds for every error."""

    def run(data=None, study=STUDY, more=""):
        if data is not None:
            (tmp_path / "panel.csv").write_bytes(data if isinstance(data, bytes) else data.encode())
        (tmp_path / "study.toml").write_text(study + more, encoding="utf-8")
        out = tmp_path / "out"
        out.mkdir()
        (out / "baseline.csv").write_text("an earlier run")
        result = CliRunner().invoke(main, ["analyze", str(tmp_path / "study.toml"), "--out", str(out)])
        assert result.exit_code == 2, result.output
        assert isinstance(result.exception, SystemExit)
        assert result.stdout == ""
        assert [path.name for path in out.iterdir()] == ["baseline.csv"]
        assert (out / "baseline.csv").read_text() == "an earlier run"
        message = result.stderr.removesuffix("\n")
        assert message.startswith("cytokine-cc: ")
        assert "Traceback" not in message
        assert "=...." not in message
        assert len(message) < 1500
        return message.removeprefix("cytokine-cc: ").replace(f"{tmp_path}{os.sep}", "").replace(str(tmp_path), "FOLDER")

    return run


def plan(line, table="plan"):
    return f"\n[{table}]\n{line}\n"


# --- the table of measurements


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (
            with_cells((6, "Value", "5-Feb")),
            "panel.csv: a value is no number: row 6, column 'Value', subject 'P2', visit 'pre', analyte 'IL-6', found '5-Feb'. "
            "Correct the cell, or say what it means with `codes`, such as codes={'low': 'below'}.",
        ),
        (
            with_cells((3, "Value", "inf")),
            "panel.csv: a value is infinite: row 3, column 'Value', subject 'P1', visit 'pre', analyte 'TNF', found 'inf'. "
            "Correct the cell, or say what it means with `codes`: 'below', 'above' or 'missing'.",
        ),
        (
            with_cells((2, "Value", "0")),
            "panel.csv: zero and negative values have no logarithm: row 2, subject 'P1', visit 'pre', analyte 'IL-6', found '0'. "
            "If they mean 'not detected', say so when reading: codes={'0': 'below'}; if the file holds logarithms: "
            "logged='log2'; or use scale='raw'.",
        ),
        (
            text(rows(), ";").replace(".", ","),
            "panel.csv: a value has a comma, but decimal='.' (16 times) in column 'Value': "
            "row 2, subject 'P1', visit 'pre', analyte 'IL-6', found '2,1'; "
            "row 3, subject 'P1', visit 'pre', analyte 'TNF', found '4,5'; "
            "row 4, subject 'P1', visit 'post', analyte 'IL-6', found '1,7'; "
            "row 5, subject 'P1', visit 'post', analyte 'TNF', found '8,3'; "
            "row 6, subject 'P2', visit 'pre', analyte 'IL-6', found '5,6'; and 11 more. "
            "If it is a decimal comma, pass decimal=','; if it separates thousands, remove it.",
        ),
        (
            text([*rows(), rows()[5]]),
            "panel.csv: duplicate sample: its subject, visit and analyte have a value already: row 18 (first in row 6), "
            "subject 'P2', visit 'pre', analyte 'IL-6'. If these are technical replicates, name the column that tells them apart "
            "with `replicate`; else delete one.",
        ),
        (
            with_cells((2, "Group", "Ill"), (3, "Group", "Ill"), (4, "Group", "Ill"), (5, "Group", "Ill")),
            "panel.csv: unknown group label 'Ill'; expected 'ill' (case) or 'well' (control): row 2, column 'Group', "
            "subject 'P1'. "
            "Correct the label, or leave these subjects out. Did you mean 'ill'?",
        ),
        (
            with_cells((9, "Group", "Ill")),
            "panel.csv: column 'Group' (named as group) varies within a sample: row 9, subject 'P2', visit 'post', "
            "found 'Ill after ill in row 8'. Correct the file: a sample column has one value a sample.",
        ),
        (
            with_cells((4, "Group", "well"), (5, "Group", "well")),
            "panel.csv: a subject is in more than one group: row 4, column 'Group', subject 'P1', found 'ill and well'. "
            "Correct the file: it must be one at all visits.",
        ),
        (
            with_cells((2, "Patient", ""), (7, "Patient", "NA")),
            "panel.csv: 2 faults\n"
            "  - the subject is blank: row 2, column 'Patient'. Fill in the cell or delete the row.\n"
            "  - the subject is not given: row 7, column 'Patient', found 'NA'. Fill in the cell or delete the row.",
        ),
        (
            with_cells((5, "Analyte", " ")),
            "panel.csv: the analyte is blank: row 5, column 'Analyte'. Fill in the cell or delete the row.",
        ),
        (b"", "panel.csv: the file is empty."),
        (b"\n  \n\r\n", "panel.csv: the file holds only blank lines."),
        (b",,\n,,\n", "panel.csv: there is nothing but blank cells."),
        (text(rows()[:1]), "panel.csv: there is a header but no row below it."),
        (
            b"\x89PNG\r\n\0\0",
            "panel.csv: the file is binary, not a text table. Export it as CSV, or give an .xlsx workbook its .xlsx name.",
        ),
        (
            b"PK\x03\x04workbook",
            "panel.csv: the file is binary, not a text table. Export it as CSV, or give an .xlsx workbook its .xlsx name.",
        ),
        (
            b"\xef\xbb\xbfPatient,Visit\n\xb5,1\n",
            "panel.csv: the file starts as UTF-8 text but is damaged at byte 18. Export it again.",
        ),
        (b"\xff\xfeP\0a", "panel.csv: the file starts as UTF-16-LE text but is damaged at byte 5. Export it again."),
        (
            text(rows()) + "P5,pre,ill\n",
            "panel.csv: every row must have 6 cells, as the header: row 18, found 3. Quote a cell that holds the separator; "
            "delete titles above the header; export a file again that was cut short.",
        ),
        (
            with_cells((2, "Value", "1,234.5"), (9, "Value", "2,5")),
            "panel.csv: every row must have 6 cells, as the header (2 times): row 2, found 7; row 9, found 7. Quote a cell "
            "that holds "
            "the separator; delete titles above the header; export a file again that was cut short.",
        ),
        (
            "Report of March\n" + "".join(text(rows()).splitlines(keepends=True)[:3]),
            "panel.csv: every row must have 1 cells, as the header (3 times): row 2, found 6; row 3, found 6; row 4, found "
            "6. Quote a cell "
            "that holds the separator; delete titles above the header; export a file again that was cut short.",
        ),
        (
            "Report of March,,,,,\n" + text(rows()[:2]),
            "panel.csv: a column without a name holds values (5 times): row 1, column 'number 2'; row 1, column 'number 3'; "
            "row 1, column 'number 4'; row 1, column 'number 5'; row 1, column 'number 6'. "
            "Name it in the header. The header must be one row, the first of the table: titles above it must go.",
        ),
        (
            text([[*HEADER[:-1], "Value "], *rows()[1:]]).replace("Pair", "Value", 1),
            "panel.csv: two columns have this name: column 'Value'. Rename one of them.",
        ),
        (
            with_cells((4, "Visit", '"pre')),
            "panel.csv: a quote opens a cell and none closes it: row 4. Close it, or delete it.",
        ),
        (
            text(rows()).replace(",", " "),
            "panel.csv: only one column found with sep=',': found 'Patient Visit Group Pair Analyte Value'. "
            "Expected a table separated by ',', ';', tab or '|'.",
        ),
    ],
    ids=[
        "text",
        "infinite",
        "zero",
        "decimal comma",
        "duplicate",
        "unknown label",
        "label varies",
        "both groups",
        "no subject",
        "no analyte",
        "empty",
        "blank lines",
        "blank cells",
        "header only",
        "binary",
        "workbook as csv",
        "damaged UTF-8",
        "damaged UTF-16",
        "cut short",
        "unquoted commas",
        "title",
        "title with separators",
        "doubled column",
        "open quote",
        "unknown separator",
    ],
)
def test_a_table_that_cannot_be_used(fails, data, message):
    assert fails(data) == message


def test_negative_values(fails):
    message = fails(with_cells((4, "Value", "-2.5"), (5, "Value", "0")))
    assert message.startswith(
        "panel.csv: zero and negative values have no logarithm (2 times): row 4, subject 'P1', visit 'post', analyte 'IL-6', "
        "found '-2.5'; row 5, subject 'P1', visit 'post', analyte 'TNF', found '0'. "
    )
    assert "codes=" in message


def test_a_file_that_is_not_there(fails):
    assert fails(None) == "panel.csv: no such file; 'FOLDER' holds 'study.toml'."


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("panel.csv", "panle.csv"),
            "panle.csv: no such file; 'FOLDER' holds 'panel.csv', 'study.toml'. Did you mean 'panel.csv'?",
        ),
        (("panel.csv", "data/panel.csv"), f"data{os.sep}panel.csv: no such file: there is no folder 'data'."),
        (("panel.csv", "out"), "out: this is a folder, not a file."),
    ],
)
def test_a_file_that_is_elsewhere(fails, change, message):
    assert fails(text(rows()), STUDY.replace(*change)) == message


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_must_not_be_read(fails, tmp_path):
    (tmp_path / "panel.csv").touch(mode=0)
    assert fails(None) == "panel.csv: the file cannot be read (Permission denied)."


def test_a_path_that_the_system_refuses(monkeypatch, tmp_path):
    def refuse(self):
        raise PermissionError(13, "Permission denied")

    (tmp_path / "a.csv").touch()
    monkeypatch.setattr("pathlib.Path.read_bytes", refuse)
    with pytest.raises(cc.PanelError, match=re.escape("a.csv: the file cannot be read (Permission denied).")):
        cc.read_panel(tmp_path / "a.csv", layout="long")
    (tmp_path / "study.toml").touch()
    with pytest.raises(cc.OptionError, match=re.escape("study.toml: the file cannot be read (Permission denied).")):
        cc.load_study(tmp_path / "study.toml")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (5, "`source` must be a path or a DataFrame; got int."),
        (None, "`source` must be a path or a DataFrame; got NoneType."),
        ("subject,A\n1,2\n", "`source` must be the path of a file; got a text of 14 characters."),
        ("x" * 5000, "`source` must be the path of a file; got a text of 5,000 characters."),
    ],
)
def test_a_source_that_is_no_path(source, message):
    with pytest.raises(cc.OptionError) as caught:
        cc.read_panel(source, layout="long")
    assert str(caught.value) == message


def test_an_old_workbook(tmp_path):
    (tmp_path / "a.xls").write_bytes(b"\xd0\xcf\x11\xe0")
    with pytest.raises(
        cc.PanelError, match=re.escape("a.xls: old Excel workbooks (.xls) are not read. Save it as .xlsx or CSV.")
    ):
        cc.read_panel(tmp_path / "a.xls", layout="long")


def test_a_workbook_that_is_none(tmp_path):
    pytest.importorskip("openpyxl")
    (tmp_path / "a.xlsx").write_bytes(b"subject,A\n1,2\n")
    with pytest.raises(cc.PanelError, match=r"a\.xlsx: the workbook cannot be opened: .*\. Save it again as \.xlsx or CSV\."):
        cc.read_panel(tmp_path / "a.xlsx", layout="long")


# --- columns and options of [data]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('value = "Value"', 'value = "Vlaue"'),
            "panel.csv: no column 'Vlaue' (named as value); the columns are 'Patient', 'Visit', 'Group', 'Pair', 'Analyte', "
            "'Value'. "
            "Name the right one with `value`. Did you mean 'Value'?",
        ),
        (
            ('subject = "Patient"\n', ""),
            "panel.csv: no column 'subject' (named as subject); the columns are 'Patient', 'Visit', 'Group', 'Pair', "
            "'Analyte', 'Value'. "
            "Name the right one with `subject`.",
        ),
        (
            ('value = "Value"', 'value = "Group"'),
            "panel.csv: the column holds no number: row 2, column 'Group', found 'ill'. Name the right column with `value`.",
        ),
        (
            ('visit = "Visit"', 'visit = "Visit"\nplate = "Run"'),
            "panel.csv: no column 'Run' (named as plate); the columns are 'Patient', 'Visit', 'Group', 'Pair', 'Analyte', "
            "'Value'. "
            "Name the right one with `plate`.",
        ),
        (
            ("layout =", "layuot ="),
            "study.toml: [data] has unknown key 'layuot'. Did you mean 'layout'? Allowed: 'file', 'layout', 'subject', 'visit', "
            "'analyte', 'value', 'analytes', 'sample_columns', 'plate', 'replicate', 'unit', 'category', 'lower_limit', "
            "'upper_limit', 'codes', 'logged', 'sep', 'decimal', 'sheet', 'simulated'.",
        ),
        (('layout = "long"\n', ""), "study.toml: [data] needs the key 'layout'."),
        (
            ('layout = "long"', 'layout = "lon"'),
            "study.toml: [data]: `layout` must be one of 'long', 'wide'; got 'lon'. Did you mean 'long'?",
        ),
        (('layout = "long"', "layout = 5"), "study.toml: [data]: `layout` must be one of 'long', 'wide'; got 5."),
        (('file = "panel.csv"', "file = 5"), "study.toml: [data] file must be the name of a file in quotes; got 5."),
        (
            ('value = "Value"', 'value = ["Value"]'),
            "study.toml: [data]: `value` must be the name of a column, as text; got ['Value'].",
        ),
        (('visit = "Visit"', "visit = 3"), "study.toml: [data]: `visit` must be the name of a column, as text; got 3."),
        (("[data]", "[data]\nplate = 1"), "study.toml: [data]: `plate` must be the name of a column, as text; got 1."),
        (
            ("[data]", "[data]\nsep = '\\t'"),
            "study.toml: [data]: `sep` must be one character, such as ';' or '\\t' (a tab, in double quotes in TOML); got "
            "'\\\\t'.",
        ),
        (
            ("[data]", '[data]\ndecimal = "."\nsheet = 1'),
            "study.toml: [data]: `sheet` is for .xlsx workbooks; panel.csv is read as text.",
        ),
        (("[data]", '[data]\ndecimal = ";"'), "study.toml: [data]: `decimal` must be '.' or ','; got ';'."),
        (
            ("[data]", '[data]\ncodes = {low = "belw"}'),
            "study.toml: [data]: `codes`: 'low' must mean one of 'below', 'above', 'missing'; got 'belw'. Did you mean 'below'?",
        ),
        (
            ("[data]", "[data]\nlower_limit = {IL6 = 3}"),
            "study.toml: [data]: `lower_limit` names 'IL6', which the table does not hold; its analytes are 'IL-6', 'TNF'. "
            "Did you mean 'IL-6'?",
        ),
        (("[data]", "[data]\nunit = 5"), "study.toml: [data]: `unit` must be a text, a column or {analyte: text}; got 5."),
        (
            ("[data]", "[data]\nunit = {IL6 = 'pg/mL'}"),
            "study.toml: [data]: `unit` names 'IL6', which the table does not hold; its analytes are 'IL-6', 'TNF'. Did you "
            "mean 'IL-6'?",
        ),
        (
            ("[data]", "[data]\nlogged = 'log'"),
            "study.toml: [data]: `logged` must be one of 'log2', 'ln', 'log10'; got 'log'. Did you mean 'ln'?",
        ),
        (
            ("[data]", "[data]\nanalytes = ['IL-6']"),
            "study.toml: [data]: `analytes` is for layout='wide'. In a long table `analyte` names the column of analytes; "
            "panel.select(analytes=...) keeps some.",
        ),
        (
            ('layout = "long"', 'layout = "wide"'),
            "study.toml: [data]: layout='wide' needs `analytes` (the columns that hold analytes, or {column: name}) or "
            "`sample_columns` "
            "(then all other columns are analytes). The columns are 'Patient', 'Visit', 'Group', 'Pair', 'Analyte', 'Value'.",
        ),
        (
            ('layout = "long"', 'layout = "wide"\nanalytes = 5'),
            "study.toml: [data]: `analytes` must be a list of columns or {column: name}; got 5.",
        ),
        (
            ('layout = "long"', 'layout = "wide"\nsample_columns = "Group"'),
            "study.toml: [data]: `sample_columns` must be a list of columns; got 'Group'.",
        ),
        (
            ('layout = "long"', 'layout = "wide"\nanalytes = ["IL-6", "Valu"]'),
            "panel.csv: 2 faults\n"
            "  - no column 'IL-6' (named in `analytes`). The columns are 'Patient', 'Visit', 'Group', 'Pair', 'Analyte', "
            "'Value'.\n"
            "  - no column 'Valu' (named in `analytes`). Did you mean 'Value'?",
        ),
    ],
)
def test_options_of_data(fails, change, message):
    assert change[0] in STUDY
    assert fails(text(rows()), STUDY.replace(*change)) == message


def test_a_sample_column_left_out_of_a_wide_table(fails):
    wide = "Patient,Visit,Group,Sex,IL-6\n" + "".join(f"P{i},pre,{'ill' if i % 2 else 'well'},f,{i}.5\n" for i in range(1, 9))
    study = STUDY.replace('"long"', '"wide"\nsample_columns = ["Group"]')
    assert fails(wide, study) == (
        "panel.csv: the column holds no number: row 2, column 'Sex', found 'f'. If it describes samples, add it to "
        "`sample_columns`."
    )


def test_visits_that_were_not_named(fails):
    long = text([["Timepoint" if cell == "Visit" else cell for cell in row] for row in rows()])
    message = fails(long, STUDY.replace('visit = "Visit"\n', ""))
    assert message.startswith("panel.csv: duplicate sample: its subject, visit and analyte have a value already (8 times): ")
    assert message.endswith(
        "and 3 more. No column is named as the visit, so that all rows count as one: if there are several, "
        "use `visit` (visit='Timepoint'?)."
    )


# --- a second table


def test_a_second_table_names_its_own_rows(fails, tmp_path):
    (tmp_path / "clinical.csv").write_text("id,Arm\n\nP1,ill\nP2,Ill\nP3,well\nP4,well\n")
    study = STUDY.replace("[design]", '[subjects]\nfile = "clinical.csv"\non = "id"\n\n[design]').replace('"Group"', '"Arm"')
    assert fails(text(rows()), study) == (
        "clinical.csv: unknown group label 'Ill'; expected 'ill' (case) or 'well' (control): row 4, column 'Arm', subject 'P2'. "
        "Correct the label, or leave these subjects out. Did you mean 'ill'?"
    )


@pytest.mark.parametrize(
    ("table", "subjects", "message"),
    [
        (
            "id,Age\nP1,50\nP3,61\nP4,70\n",
            'file = "clinical.csv"\non = "id"',
            "clinical.csv: no row for this subject: subject 'P2'. Add the row",
        ),
        (
            "id,Age\nP1,1\nP1,2\n,3\nP2,1\nP3,1\nP4,1\n",
            'file = "clinical.csv"\non = "id"',
            "clinical.csv: 2 faults\n  - the key is blank: row 4, column 'id'. Fill in the cell or delete the row.\n"
            "  - the key occurs more than once: row 3, subject 'P1'. Keep one row for each.",
        ),
        (
            "id,Age\nP1,50\n",
            'file = "clinical.csv"\non = "Id"',
            "clinical.csv: no column 'Id' (named as `on`); the columns are 'id', 'Age'. Name the key column with `on`. Did "
            "you mean 'id'?",
        ),
        ("id,Age\nP1,50\n", 'file = "clinical.csv"', "study.toml: [subjects] needs the key 'on'."),
        (
            "id,Age\nP1,50\n",
            'file = "clinical.csv"\non = 5',
            "study.toml: [subjects]: `on` must be one column (the subject) or a pair (subject, visit); got 5.",
        ),
        ("id,Age\nP1,50\n", 'file = "clinical.csv"\non = "id"\nsep = 5', "study.toml: [subjects]: `sep` must be one character"),
        ("id,Age\nP1,50\n", 'file = "clincal.csv"\non = "id"', "clincal.csv: no such file; 'FOLDER' holds 'clinical.csv'"),
        ("", 'file = "clinical.csv"\non = "id"', "clinical.csv: the file is empty."),
    ],
)
def test_a_second_table_that_cannot_be_used(fails, tmp_path, table, subjects, message):
    (tmp_path / "clinical.csv").write_text(table)
    assert fails(text(rows()), STUDY.replace("[design]", f"[subjects]\n{subjects}\n\n[design]")).startswith(message)


# --- the design


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ('baseline = "pre"', 'baseline = "Pre"'),
            "panel.csv: no visit 'Pre' (named as baseline); the visits are 'pre', 'post'. Correct `baseline`. Did you mean "
            "'pre'?",
        ),
        (
            ('baseline = "pre"\n', ""),
            "panel.csv: there are 2 visits ('pre', 'post') and no baseline. Name the visit before treatment with `baseline`.",
        ),
        (
            ('group = "Group"', 'group = "Grp"'),
            "panel.csv: no sample column 'Grp' (named as group); there are 'subject', 'visit', 'plate', 'Group', 'Pair'. "
            "Name the right one with `group`, or join a table that has it. Did you mean 'Group'?",
        ),
        (
            ('case = "ill"', 'case = "sick"'),
            "panel.csv: 3 faults\n"
            "  - nobody is in group 'sick' (named as case); the groups are 'ill', 'well': column 'Group'. Correct `case` or "
            "`group`.\n"
            "  - unknown group label 'ill'; expected 'sick' (case) or 'well' (control) (2 times) in column 'Group': "
            "row 2, subject 'P1'; row 6, subject 'P2'. Correct the label, or leave these subjects out.",
        ),
        (('control = "well"\n', ""), "study.toml: [design] needs the key 'control'."),
        (('control = "well"', 'control = "ill"'), "study.toml: [design]: `case` and `control` must differ; both are 'ill'."),
        (('case = "ill"', 'case = ["ill"]'), "study.toml: [design]: `case` must be a label of the column 'Group'; got ['ill']."),
        (
            ('group = "Group"', 'group = ["Group"]'),
            "study.toml: [design]: `group` must be the name of a sample column; got ['Group'].",
        ),
        (
            ('baseline = "pre"', "baseline = []"),
            "study.toml: [design]: `baseline` and `visits` must be labels of visits; got [] and None.",
        ),
        (
            ('baseline = "pre"', 'baseline = "pre"\nmatched_on = 5'),
            "study.toml: [design]: `matched_on` must be a list of sample columns; got 5.",
        ),
        (
            ("group =", "groups ="),
            "study.toml: [design] has unknown key 'groups'. Did you mean 'group'? Allowed: 'group', 'case', 'control', "
            "'baseline', 'visits', 'matched_set', 'matched_on'.",
        ),
        (
            ("[design]", "[desing]"),
            "study.toml has unknown key 'desing'. Did you mean 'design'? Allowed: 'data', 'subjects', 'design', 'plan'.",
        ),
        (("[data]", "[[data]]"), "study.toml: [data] must be a table."),
    ],
)
def test_a_design_that_does_not_fit(fails, change, message):
    assert change[0] in STUDY
    assert fails(text(rows()), STUDY.replace(*change)) == message


def test_sets_of_one_kind_only(fails):
    data = text([[*row[:3], row[2] if i else row[3], *row[4:]] for i, row in enumerate(rows())])
    assert fails(data, more='matched_set = "Pair"\n') == (
        "panel.csv: 2 faults\n"
        "  - no usable case is left (matched set has subjects of one kind only: 4 subjects): column 'Pair'. "
        "Check the baseline and the sets.\n"
        "  - no usable control is left (matched set has subjects of one kind only: 4 subjects): column 'Pair'. "
        "Check the baseline and the sets."
    )


def test_a_paired_test_without_sets(fails):
    message = fails(text(rows()), more=plan('test = "paired_t"', "plan.baseline"))
    assert message.startswith("baseline: 'paired_t' pairs each case with a control, but the design names no matched sets. ")
    assert "matched_set" in message
    assert "'welch'" in message


# --- the plan


METHODS = "'none', 'bonferroni', 'holm', 'hochberg', 'hommel', 'BH', 'BY'"


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (
            plan('adjust = "fdr"'),
            f"study.toml: [plan.baseline]: `adjust` must be one of {METHODS}; got 'fdr'. Did you mean 'BH'?",
        ),
        (
            plan("alpha = 5"),
            "study.toml: [plan]: `alpha` must be a number between 0 and 1, such as 0.05 or 0.95; got 5. Did you mean 0.05?",
        ),
        (
            plan('alpha = "0.05"'),
            "study.toml: [plan]: `alpha` must be a number between 0 and 1, such as 0.05 or 0.95; got '0.05'.",
        ),
        (
            plan('adjsut = "BH"'),
            "study.toml: [plan] has unknown key 'adjsut'. Did you mean 'adjust'? Allowed: 'alpha', 'baseline', 'change_within', "
            "'change_between', 'scale', 'below_limit', 'adjust', 'family', 'covariates', 'alternative', 'conf_level', "
            "'ignore_matching', 'n_resamples', 'seed'.",
        ),
        (
            plan('tests = "welch"', "plan.baseline"),
            "study.toml: [plan.baseline] has unknown key 'tests'. Did you mean 'test'? Allowed: 'test', 'scale', 'below_limit', "
            "'adjust', 'family', 'covariates', 'alternative', 'conf_level', 'ignore_matching', 'n_resamples', 'seed', 'options'.",
        ),
        (plan('baseline = "welch"'), "study.toml: [plan.baseline] must be a table; got 'welch'."),
        (
            plan('visits = ["pst"]', "plan.change_between"),
            "change_between: no later visit 'pst'; the later visits are 'post'. Did you mean 'post'?",
        ),
        (
            plan("alpha = "),
            "study.toml: this is no valid TOML: Invalid value (at line 16, column 9): `alpha =`. Texts need quotes; lists "
            "look like ['a', 'b'], tables like {'0' = 'below'}; a key stands once.",
        ),
        (
            "codes = {'0': 'below'}\n",
            "study.toml: this is no valid TOML: Expected '=' after a key in a key/value pair (at line 14, column 13): "
            "`codes = {'0': 'below'}`. Texts need quotes; lists look like ['a', 'b'], tables like {'0' = 'below'}; a key stands "
            "once.",
        ),
        (
            plan("alpha = 0,05"),
            "study.toml: this is no valid TOML: Expected newline or end of document after a statement (at line 16, column 10): "
            "`alpha = 0,05`. Numbers take a point, not a comma: 0.5.",
        ),
        (
            plan("alpha = .05"),
            "study.toml: this is no valid TOML: Invalid value (at line 16, column 9): `alpha = .05`. Numbers have a digit before "
            "and after the point: 0.5, 2.0.",
        ),
        (
            plan("alpha = 5%"),
            "study.toml: this is no valid TOML: Expected newline or end of document after a statement (at line 16, column 10): "
            "`alpha = 5%`. A share is a number: 0.2 for 20%.",
        ),
        pytest.param(
            plan("covariates = 5"),
            "study.toml: [plan.baseline]: `covariates` must be",
        ),
        pytest.param(
            plan("groups = 5", "plan.change_within"),
            "study.toml: [plan.change_within]: `groups` must",
        ),
    ],
)
def test_a_plan_that_is_refused(fails, more, message):
    assert fails(text(rows()), more=more).startswith(message)


# --- how faults are told


def test_thousands_of_faults_are_told_in_a_few_lines(fails):
    body = "".join(f"P{i},pre,ill,s,IL-6,1.5 pg/mL\nP{i},pre,ill,s,TNF,2.5\n" for i in range(10_000))
    message = fails(",".join(HEADER) + "\n" + body)
    assert message.startswith(
        "panel.csv: a value is no number (10,000 times) in column 'Value': row 2, subject 'P0', visit 'pre', "
    )
    assert "; and 9,995 more. Correct the cell" in message
    assert len(message) < 700


def test_thousands_of_kinds_of_fault_are_told_in_a_few_lines():
    frame = pd.DataFrame({"subject": range(3000), "group": [f"label {i}" for i in range(3000)], "A": 1.5})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"])
    with pytest.raises(cc.StudyError) as caught:
        cc.Study(panel, cc.Design("group", "ill", "well"))
    message = str(caught.value)
    assert message.startswith("DataFrame: 3,002 faults\n  - nobody is in group 'ill' (named as case); the groups are 'label 0', ")
    assert message.endswith("\n  - and faults of 2,994 more kinds (all in .failures)")
    assert len(message) < 3000
    assert len(caught.value.failures) == 3002


def test_a_long_cell_is_cut():
    frame = pd.DataFrame({"subject": [1, 2], "A": ["1.5", "no " * 5000]})
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(frame, layout="wide", analytes=["A"])
    assert len(str(caught.value)) < 300
    assert len(caught.value.failures["found"].iloc[0]) == 15000


def test_failures_are_a_table_and_survive_pickling():
    faults = Faults(cc.PanelError, "panel.csv")
    faults.add("a value is no number", row=3, column="IL-6", subject="1", found="x", remedy="Correct it.")
    faults.add("a value is no number", row=4, column="IL-6", subject="2", found="y", remedy="Correct it.")
    with pytest.raises(cc.PanelError) as caught:
        faults.raise_if_any()
    copy = pickle.loads(pickle.dumps(caught.value))
    for error in (caught.value, copy):
        assert str(error) == (
            "panel.csv: a value is no number (2 times) in column 'IL-6': row 3, subject '1', found 'x'; row 4, subject '2', "
            "found 'y'. "
            "Correct it."
        )
        assert error.failures["row"].tolist() == [3, 4]
        assert error.failures["file"].tolist() == ["panel.csv"] * 2
    Faults(cc.PanelError).raise_if_any()  # nothing to tell


def test_errors_are_of_one_family():
    for error in (cc.PanelError, cc.StudyError, cc.OptionError):
        assert issubclass(error, cc.CytokineError)
        assert issubclass(error, ValueError)
    assert issubclass(cc.AnalysisWarning, UserWarning)
