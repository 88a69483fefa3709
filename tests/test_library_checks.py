"""run_checks: what it covers, what it says, and that it can fail."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest

from cytokine_cc.checks import agreement, library, rates
from cytokine_cc.checks.agreement import AGREEMENT, answer, compare, stored_study
from cytokine_cc.checks.check_report import FAIL, PASS, Check, Finding
from cytokine_cc.checks.comparing import Comparison, as_printed, facts_hold, read_cells, refused, relative_error, stored
from cytokine_cc.checks.library import CHECKS, run_checks
from cytokine_cc.errors import OptionError, PanelError
from cytokine_cc.kernels import TESTS
from cytokine_cc.limits import SCALES
from cytokine_cc.multiplicity import METHODS


@pytest.fixture(scope="session")
def quick():
    return run_checks("quick", n_jobs=2, progress=False)


# --- the quick run


def test_the_library_passes(quick):
    quick.assert_passing()
    assert set(quick.table["verdict"]) == {PASS}
    assert quick.meta["level"] == "quick"
    assert quick.meta["versions"].keys() >= {"cytokine_cc", "numpy", "scipy"}
    assert quick.describe() == f"Checks of the library (quick): {len(quick)} checks, {len(quick)} passed."


def test_each_row_says_what_was_expected_why_and_what_was_seen(quick):
    for row in quick.table.itertuples(index=False):
        assert len(row.expected) > 20, row.name
        assert len(row.why) > 20, row.name
        assert re.search(r"\d", row.observed) or "refused" in row.observed, row.name
        assert row.reference, row.name
        assert row.name[-1] != ".", row.name


def test_names_are_unique_and_kinds_few():
    assert len({check.name for check in CHECKS}) == len(CHECKS)
    kinds = list(dict.fromkeys(check.about for check in CHECKS))
    assert kinds == [
        "agreement with R",
        "worked example",
        "invariance",
        "known trap",
        "error rates by simulation",
        "reproducibility",
    ]


@pytest.mark.slow
def test_the_library_passes_at_length():
    run_checks("full", n_jobs=2, progress=False).assert_passing()


# --- the call


def test_levels_and_workers_are_checked():
    with pytest.raises(OptionError, match=r"`level` must be one of 'quick', 'full'; got 'fast'"):
        run_checks("fast")
    for bad in (0, 1.5, True, "2"):
        with pytest.raises(OptionError, match="`n_jobs` must be a number of workers"):
            run_checks(n_jobs=bad)
    with pytest.raises(OptionError, match="progress"):
        run_checks(progress="yes")


def test_full_adds_to_quick(monkeypatch, capsys):
    seen = []

    def run(n_jobs):
        seen.append(n_jobs)
        return Finding(PASS, "1 seen")

    few = [Check(name, "kind", "expected", "why", run, "source", level) for name, level in (("a", "quick"), ("b", "full"))]
    monkeypatch.setattr(library, "CHECKS", few)
    assert run_checks("quick", n_jobs=1, progress=False).table["name"].tolist() == ["a"]
    assert run_checks("full", n_jobs=1, progress=True).table["name"].tolist() == ["a", "b"]
    assert seen == [1, 1, 1]  # a check does not share its own work out: the checks are shared out
    assert "checks" in capsys.readouterr().err


def test_a_check_that_stops_fails_and_the_others_go_on(monkeypatch):
    def stops(n_jobs):
        raise ZeroDivisionError("0 of 0")

    monkeypatch.setattr(library, "CHECKS", [Check("a", "kind", "e", "w", stops), *CHECKS[-1:]])
    table = run_checks(n_jobs=1).table
    assert table["verdict"].tolist() == [FAIL, PASS]
    assert table["observed"].iloc[0] == "stopped by ZeroDivisionError: 0 of 0"


# --- what is compared with R


def test_every_test_question_scale_rule_side_and_correction_is_compared_with_r():
    listed = read_cells("analyses.csv")
    asked = set(zip(listed["test"], listed["question"], strict=True))
    needed = {(name, question) for name, entry in TESTS.items() for question in entry.questions}
    # A pair at baseline is a pair of persons; the same test of pairs of visits is that of changes within a group.
    assert asked == needed
    assert set(listed["scale"]) == set(SCALES)
    assert set(listed["adjust"]) == set(METHODS)
    assert set(listed["alternative"]) == {"two-sided", "greater", "less"}
    assert set(listed["family"]) == {"visit", "all"}
    assert set(listed["below_limit"]) == {rule for entry in TESTS.values() for rule in entry.rules}
    assert {check.name for check in AGREEMENT} == {f"as R: {name}" for name in (*TESTS, "adjust_pvalues", "descriptives")}


def test_every_listed_analysis_has_values_for_every_analyte():
    listed, values = read_cells("analyses.csv"), read_cells("r_values.csv")
    assert listed["id"].tolist() == values["analysis"].drop_duplicates().tolist()
    for row in listed.itertuples(index=False):
        analytes = set(stored_study(row.study).analytes)
        assert set(values.loc[values["analysis"] == row.id, "analyte"]) == analytes


def test_stored_studies_hold_the_hard_cases():
    table = read_cells("groups.csv")
    assert table["Result"].str.fullmatch(r"<[\d.]+").any()
    assert (table["Result"] == "OOR <").any()
    assert table["Result"].str.startswith("*").any()
    assert table["Result"].str.startswith(">").any()
    assert (table["Result"] == "").any()
    assert table.groupby("Analyte")["LLOQ"].nunique().max() == 2  # limits by plate
    visits = table.drop_duplicates(["Patient", "Visit"])
    order = [visits.loc[visits["Visit"] == visit, "Patient"].tolist() for visit in ("baseline", "month6")]
    both = [[who for who in own if who in set(order[0]) & set(order[1])] for own in order]
    assert both[0] != both[1]
    assert len(set(order[0]) - set(order[1])) == len(set(order[1]) - set(order[0])) == 1


def test_what_ships_is_small():
    assert sum(path.stat().st_size for path in stored("groups.csv").parent.iterdir()) < 150_000


@pytest.mark.parametrize("column", [*agreement.NUMBERS, *agreement.COUNTS])
def test_a_perturbed_value_of_r_turns_red(column):
    row = next(read_cells("analyses.csv").query("id == 'b02'").itertuples(index=False))
    want = read_cells("r_values.csv").query("analysis == 'b02'")
    got = answer(stored_study("groups"), row)
    numbers = Comparison()
    compare(numbers, got, want, row)
    assert numbers.finding().verdict == PASS
    changed = want.copy()
    at = changed.index[0]
    changed.loc[at, column] = repr(float(changed.loc[at, column]) * (1 + 1e-9))
    numbers = Comparison()
    compare(numbers, got, changed, row)
    found = numbers.finding()
    assert (found.verdict, len(found.rows)) == (FAIL, 1)
    assert found.rows[0]["analyte"] == changed.loc[at, "analyte"]
    assert f"b02 {column}" in found.rows[0]["found"]


def test_a_lost_row_turns_red():
    row = next(read_cells("analyses.csv").query("id == 'b02'").itertuples(index=False))
    want = read_cells("r_values.csv").query("analysis == 'b02'")
    with pytest.raises(ValueError, match="b02: rows"):
        compare(Comparison(), answer(stored_study("groups"), row).iloc[1:], want, row)


# --- how numbers are compared


def test_relative_errors():
    got = relative_error(
        [1.0, math.nan, 1.0, math.nan, 0.0, 1e-9, math.inf, math.inf], [1.0, math.nan, math.nan, 1, 0, 0, math.inf, 1]
    )
    assert got.tolist() == [0, 0, math.inf, math.inf, 0, math.inf, 0, math.inf]
    assert relative_error(-1.1, -1.0) == pytest.approx(0.1)


def test_a_comparison_tells_the_worst_and_the_first_that_differ():
    numbers = Comparison()
    assert numbers.finding().verdict == FAIL  # nothing compared
    places = [{"analyte": f"A{i}", "visit": "v"} for i in range(30)]
    numbers.add(np.ones(30), np.ones(30), 0.0, places, "p")
    assert numbers.finding().observed == "30 numbers compared: all are equal to the last bit"
    numbers.add(np.arange(1.0, 31), np.ones(30), 1e-6, places, "t")
    found = numbers.finding("; more")
    assert found.observed == (
        "60 numbers compared: the largest relative error is 2.9e+01 (A29, v, t); 29 differ by more than is allowed; more"
    )
    assert len(found.rows) == 20
    assert found.rows[0] == {"analyte": "A1", "visit": "v", "found": "t 2, expected 1"}
    with pytest.raises(ValueError, match="2 numbers at 30 places"):
        numbers.add([1, 2], [1, 2], 0.0, places)


def test_numbers_must_round_to_the_printed_ones():
    good = as_printed({"t": -1.86084, "df": 17.7764}, {"t": "-1.8608", "df": "17.776"})
    assert good == Finding(PASS, "t -1.8608, df 17.776, as printed", [])
    bad = as_printed({"t": -1.86084, "df": 17.7766}, {"t": "-1.8608", "df": "17.776"})
    assert bad.verdict == FAIL
    assert bad.rows == [{"found": "df 17.7766, printed 17.776"}]
    assert as_printed({"t": math.nan}, {"t": "1.0"}).verdict == FAIL
    assert as_printed({"p": 1.75e-8}, {"p": "1.75e-08"}).verdict == PASS
    assert as_printed({"p": 1.76e-8}, {"p": "1.75e-08"}).verdict == FAIL


def test_facts_hold_or_are_told():
    assert facts_hold([("a", 2, 2), ("b", 0.5, 0.5)]) == Finding(PASS, "a: 2; b: 0.5", [])
    found = facts_hold([("a", 3, 2), ("b", 0.5, 0.5), ("c", math.nan, 1.0)])
    assert found.observed == "a: 3, expected 2; b: 0.5; c: nan, expected 1.0"
    assert len(found.rows) == 2
    assert facts_hold([]).verdict == FAIL


def test_refusals():
    def stops(error):
        raise error

    assert refused(OptionError, lambda: stops(OptionError("no paired sets")), "paired") == "refused"
    assert refused(OptionError, lambda: stops(OptionError("no")), "paired") == "refused, without saying 'paired'"
    assert refused(OptionError, lambda: stops(PanelError("no")), "paired") == "stopped by PanelError"
    assert refused(OptionError, lambda: None, "paired") == "accepted"


def test_shares_are_held_within_four_errors_of_what_they_should_be():
    shares = rates.Shares()
    shares.add("inside", 0.058, 0.05, 0.05, 10_000)  # standard error .22%
    assert shares.finding("10 studies").observed == "10 studies: inside 5.80%"
    shares.add("high", 0.0588, 0.05, 0.05, 10_000)
    shares.add("low", 0.01, 0.045, 0.05, 10_000)
    shares.add("none", math.nan, 0.05, 0.05, 10_000)
    shares.add("of a known spread", 0.0503, 0.05, 0.05, 10_000, sd=0.005)
    found = shares.finding("10 studies")
    assert found.verdict == FAIL
    assert [row["found"] for row in found.rows] == [
        "high: 5.88%, expected 5.0% (standard error 0.22%)",
        "low: 1.00%, expected 4.5% to 5.0% (standard error 0.21%)",
        "none: nan%, expected 5.0% (standard error 0.22%)",
        "of a known spread: 5.03%, expected 5.0% (standard error 0.01%)",
    ]
    assert rates.Shares().finding("none").verdict == FAIL


def test_yardsticks_are_those_of_the_scenarios():
    null = rates.load_scenario("null")
    assert (null.n_case, null.n_control) == (rates.N_CASE, rates.N_CONTROL)
    found = rates.certify(rates._one("change_between", "student", scale="ln"), null, n_sim=400, seed=1, patterns=())
    spread = found.select(measure="emp_se").table["estimate"].mean()
    assert rates.standard_error("change_between") == pytest.approx(1.05 * spread, rel=0.03)


def test_documented_sizes_name_tests():
    assert rates.SIZES.keys() <= TESTS.keys()
    assert rates.SET_SIZES.keys() == {name for name, entry in TESTS.items() if entry.sets} | {"firth"}
