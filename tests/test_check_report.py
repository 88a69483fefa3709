"""CheckReport: what a report of checks says, as a value, as text, as a page and on the command line."""

from __future__ import annotations

import pickle

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

import cytokine_cc as cc
from cytokine_cc.checks.check_report import CHECK_COLUMNS, PLACE_COLUMNS, Check, CheckError, CheckReport, Finding, carry_out
from cytokine_cc.cli import main
from cytokine_cc.report.checks import checks_page, checks_text


def check(name: str, finding, about: str = "units") -> Check:
    run = finding if callable(finding) else lambda: finding
    return Check(name, about, f"{name} as it should be", f"{name} matters", run, "doi 10.1/x")


PLATE = [{"plate": "P2", "analyte": f"IL-{i}", "found": "1,000-fold", "file": "lab.csv", "row": i} for i in range(11)]
GOOD = check("levels", Finding("pass", "all alike"), "levels")
WARNS = check("digits", Finding("warn", "too many fives", [{"analyte": "IL-6", "found": "41 of 60 end in 5"}]), "levels")
FAILS = check("units of plates", Finding("fail", "plate P2 is off 1,000-fold", PLATE))
ABSENT = check("visits", Finding("not applicable", "there is one visit"), "visits")
META = {"what": "Study lab.csv", "simulated": "", "seconds": 0.25, "versions": {"cytokine_cc": "0.1.0"}}


@pytest.fixture
def report() -> CheckReport:
    return carry_out([GOOD, WARNS, FAILS, ABSENT], (), META)


def test_the_table_has_a_row_for_each_check_with_fixed_columns(report):
    assert tuple(report.table.columns) == CHECK_COLUMNS
    assert report.table["name"].tolist() == ["levels", "digits", "units of plates", "visits"]
    assert report.table["verdict"].tolist() == ["pass", "warn", "fail", "not applicable"]
    assert report.table["n_rows"].tolist() == [0, 1, 11, 0]
    assert str(report.table["n_rows"].dtype) == "Int64"
    assert tuple(report.rows.columns) == PLACE_COLUMNS
    assert report.rows.iloc[1][["name", "file", "row", "plate", "analyte"]].tolist() == [
        "units of plates", "lab.csv", "0", "P2", "IL-0",
    ]  # fmt: skip
    assert len(report) == 4


def test_only_a_failure_does_not_pass(report):
    assert not report.passed
    rest = report.select(verdict=["pass", "warn", "not applicable"])
    assert rest.passed
    rest.assert_passing()
    assert rest.rows["name"].tolist() == ["digits"]


def test_asserting_raises_an_error_that_pytest_and_the_library_both_know(report):
    with pytest.raises(AssertionError) as caught:
        report.assert_passing()
    assert isinstance(caught.value, cc.CytokineError)
    assert caught.value.report is report
    assert str(caught.value) == (
        "Study lab.csv: 4 checks, 1 failed, 1 with a warning, 1 not applicable and 1 passed.\n"
        "  - units of plates: plate P2 is off 1,000-fold"
    )


def test_an_error_spells_out_the_first_few():
    report = carry_out([check(f"c{i}", Finding("fail", f"wrong {i}")) for i in range(8)], ())
    with pytest.raises(CheckError, match=r"(?s)c4: wrong 4\n  and 3 more \(all in \.report\)$"):
        report.assert_passing()


def test_a_check_that_is_stopped_fails_and_says_by_what(report):
    def stops():
        raise KeyError("IL-6")

    found = carry_out([check("broken", stops), GOOD], ()).table
    assert found["verdict"].tolist() == ["fail", "pass"]
    assert found["observed"].iloc[0] == "stopped by KeyError: 'IL-6'"


def test_an_interrupt_is_no_finding():
    def interrupted():
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        carry_out([check("stopped by hand", interrupted)], ())


def test_checks_get_their_arguments():
    def run(study, plan):
        return Finding.of(study == "s" and plan == "p", "both")

    assert carry_out([check("both", run)], ("s", "p")).passed


def test_findings_from_a_condition():
    assert [Finding.of(True, "x").verdict, Finding.of(False, "x").verdict] == ["pass", "fail"]
    assert Finding.of(False, "x", otherwise="warn").verdict == "warn"


def test_a_verdict_that_does_not_exist_is_refused():
    with pytest.raises(cc.OptionError, match="`verdict` must be one of 'pass', 'warn', 'fail', 'not applicable'; got 'passed'"):
        Finding("passed", "x")


def test_selecting_names_what_is_there(report):
    assert report.select(about="levels").table["name"].tolist() == ["levels", "digits"]
    with pytest.raises(cc.OptionError, match="no row has name = 'unit'"):
        report.select(name="unit")
    with pytest.raises(cc.OptionError, match="unknown key 'verdicts'"):
        report.select(verdicts="fail")


def test_frames_with_other_columns_are_refused(report):
    with pytest.raises(cc.OptionError, match="`rows` of a check report has the columns"):
        CheckReport(report.table, pd.DataFrame({"name": []}))


def test_it_shows_itself_the_worst_first(report):
    text = repr(report)
    assert text.startswith("<CheckReport: Study lab.csv: 4 checks")
    assert text.index("units of plates") < text.index("digits") < text.index("visits") < text.index("all alike")
    long = carry_out([check("long", Finding("warn", "a sentence " * 20))], ())
    assert "a sentence " * 19 in long._repr_html_()
    html = report._repr_html_()
    assert "<b>Rows</b>" in html
    assert "matched_set" not in html  # no row has one


def test_it_goes_through_csv_and_pickle(report, tmp_path):
    report.to_csv(tmp_path / "checks.csv")
    assert (tmp_path / "checks.csv").read_text(encoding="utf-8") == report.to_csv()
    assert pd.read_csv(tmp_path / "checks.csv")["verdict"].tolist() == report.table["verdict"].tolist()
    again = pickle.loads(pickle.dumps(report))
    pd.testing.assert_frame_equal(again.table, report.table)


def test_the_text_spells_out_what_did_not_pass_and_where(report):
    text = checks_text(report)
    lines = text.splitlines()
    assert "  pass  levels: all alike" in lines
    assert "  FAIL  units of plates: plate P2 is off 1,000-fold" in lines
    assert "        expected: units of plates as it should be" in lines
    assert "        - lab.csv, row 7, plate P2, analyte IL-7: 1,000-fold" in lines
    assert "        - and 3 more" in lines
    assert "        - analyte IL-6: 41 of 60 end in 5" in lines
    assert "  n/a   visits: there is one visit" in lines
    assert "No check changes or chooses an analysis." in " ".join(text.split())
    assert "levels as it should be" not in text
    assert max(map(len, lines)) <= 100


def test_the_page_shows_all_of_it(report, tmp_path):
    page = checks_page([report])
    assert [section.key for section in page.sections] == [
        "verdicts", "checks-1-section", "checks-2-section", "checks-3-section", "made",
    ]  # fmt: skip
    path = cc.write_checks(report, tmp_path / "new")
    assert path.name == "checks.html"
    assert sorted(item.name for item in path.parent.iterdir()) == ["check_rows.csv", "checks.csv", "checks.html"]
    html = path.read_text(encoding="utf-8")
    for text in ("plate P2 is off 1,000-fold", "units of plates matters", "too many fives", "there is one visit"):
        assert text in html
    assert len(pd.read_csv(path.parent / "check_rows.csv")) == 12


def test_simulated_data_are_called_so(tmp_path):
    found = cc.check_study(cc.load_study("quickstart"))
    says = "The data are simulated (quickstart, seed 20260301): no person stands behind them."
    assert says in checks_text(found)
    assert checks_page([found]).banner == says
    assert found.describe().startswith("Checks of the study (panel.csv): ")


def test_several_reports_stand_on_one_page(report, tmp_path):
    other = carry_out([GOOD], (), {**META, "what": "The library"})
    path = cc.write_checks([report, other], tmp_path)
    html = path.read_text(encoding="utf-8")
    assert "Study lab.csv and The library" in html
    assert "Levels (The library)" in html
    table = pd.read_csv(tmp_path / "checks.csv")
    assert table["checked"].tolist() == ["Study lab.csv"] * 4 + ["The library"]
    assert list(table.columns) == ["checked", *CHECK_COLUMNS]


def test_what_many_rows_say_is_said_once():
    checks = [Check(f"as R: {name}", "R", "equal", "why R", lambda: Finding("pass", "equal"), name) for name in "abcd"]
    other = Check("other", "R", "equal", "another reason", lambda: Finding("pass", "equal"))
    section = checks_page([carry_out([*checks, other], (), META)]).sections[1]
    bullets, table = section.blocks
    assert list(bullets.items) == ["(a) equal", "(b) why R"]
    assert table.frame["expected"].tolist() == ["(a) (b)"] * 4 + ["(a) another reason"]


def test_texts_from_files_stay_text(tmp_path):
    rows = [{"subject": "<script>alert(1)</script>", "found": "=1+1"}]
    report = carry_out([check("copies", Finding("fail", "a <b> & c", rows))], (), META)
    html = cc.write_checks(report, tmp_path).read_text(encoding="utf-8")
    assert "<script>alert" not in html
    assert "a &lt;b&gt; &amp; c" in html


@pytest.mark.parametrize(
    ("report", "folder", "message"),
    [
        ("report", "x", "`report` must be a CheckReport, or a list of them; got 'report'"),
        ([], "x", "`report` must be a CheckReport"),
        (carry_out([GOOD], ()), "", "`folder` must be the path of a folder; got ''"),
    ],
)
def test_what_cannot_be_written_is_refused(report, folder, message):
    with pytest.raises(cc.OptionError) as caught:
        cc.write_checks(report, folder)
    assert str(caught.value).startswith(message)


# ---------------------------------------------------------------- the command


@pytest.fixture
def found(monkeypatch):
    """Stand-ins for the checks themselves, so that the command is tested and not they."""
    calls = []

    def of(what, checks):
        def stand_in(*arguments, **options):
            calls.append((what, arguments, options))
            return carry_out(checks, (), {"what": what})

        return stand_in

    def use(study=(GOOD,), library=(GOOD,)):
        monkeypatch.setattr("cytokine_cc.checks.study_checks.check_study", of("The study", study))
        monkeypatch.setattr("cytokine_cc.checks.library.run_checks", of("The library", library))
        return calls

    return use


def invoke(*arguments):
    return CliRunner().invoke(main, ["check", *arguments])


def test_without_a_study_the_library_is_checked(found):
    calls = found()
    run = invoke()
    assert run.exit_code == 0
    assert [(what, arguments) for what, arguments, _ in calls] == [("The library", ("quick",))]
    assert "The library: 1 check, 1 passed." in run.output
    assert "Add --out DIR" in run.output


def test_full_is_full(found):
    calls = found()
    assert invoke("--full", "--jobs", "2").exit_code == 0
    assert calls == [("The library", ("full",), {"n_jobs": 2})]


def test_a_study_is_checked_with_the_plan_of_its_file(found):
    calls = found()
    run = invoke("quickstart")
    assert run.exit_code == 0
    ((what, (study, plan), _),) = calls
    assert what == "The study"
    assert isinstance(study, cc.Study)
    assert isinstance(plan, cc.Plan)


def test_a_study_and_the_library(found, tmp_path):
    calls = found()
    run = invoke("quickstart", "--full", "--out", str(tmp_path))
    assert [what for what, *_ in calls] == ["The study", "The library"]
    assert "checks.html, checks.csv, check_rows.csv" in run.output
    assert np.isin(["checks.html", "checks.csv", "check_rows.csv"], [path.name for path in tmp_path.iterdir()]).all()


@pytest.mark.parametrize(("options", "arguments"), [({"study": (FAILS,)}, ("quickstart",)), ({"library": (FAILS,)}, ())])
def test_the_exit_code_is_one_when_a_check_fails(found, options, arguments, tmp_path):
    found(**options)
    run = invoke(*arguments, "--out", str(tmp_path))
    assert run.exit_code == 1
    assert "FAIL  units of plates" in run.output
    assert (tmp_path / "checks.html").exists()


def test_a_warning_is_no_failure(found):
    found(library=(WARNS,))
    assert invoke().exit_code == 0


def test_a_study_that_cannot_be_read_is_an_error():
    run = invoke("nowhere.toml")
    assert run.exit_code == 2
    assert "nowhere.toml" in run.output
