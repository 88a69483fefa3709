"""The verbs, analyze and what an Analysis says of itself: every number in the text is true."""

from __future__ import annotations

import inspect
import pickle
import re
from dataclasses import fields, replace

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.panel import State
from cytokine_cc.questions import KINDS

VERBS = {"baseline": cc.compare_baseline, "change_within": cc.change_within, "change_between": cc.change_between}


def make(cells: dict, design: dict | None = None, **options) -> cc.Study:
    """(subject, visit) -> {analyte or column: text}; subjects that begin with "a" are cases."""
    columns = options.pop("columns", [])
    rows = [{"subject": s, "visit": v, "group": "AIMSS" if s[0] == "a" else "none", **row} for (s, v), row in cells.items()]
    panel = cc.read_panel(pd.DataFrame(rows), layout="wide", sample_columns=["group", *columns], **options)
    return cc.Study(panel, cc.Design("group", "AIMSS", "none", **(design or {"baseline": "0"})))


def full(n: int = 6, visits="012", seed: int = 1, **more) -> dict:
    r = np.random.default_rng(seed)
    return {
        (f"{g}{i}", v): {"X": f"{r.lognormal(1):.3g}", "Y": f"{r.lognormal(1):.3g}", **{k: f(i, v) for k, f in more.items()}}
        for i in range(n)
        for g in "ab"
        for v in visits
    }


# ---------------------------------------------------------------- the verbs


@pytest.mark.parametrize("kind", VERBS)
def test_a_verb_shows_the_fields_of_its_question(kind):
    shown = dict(inspect.signature(VERBS[kind]).parameters)
    shown.pop("study")
    assert {name: p.default for name, p in shown.items()} == {item.name: item.default for item in fields(KINDS[kind])}
    assert all(p.kind is inspect.Parameter.KEYWORD_ONLY for p in shown.values())


@pytest.mark.parametrize("kind", VERBS)
def test_a_verb_refuses_what_its_question_does(kind):
    study = cc.load_study("quickstart")
    with pytest.raises(cc.OptionError, match="unknown key 'adjusted'. Did you mean 'adjust'"):
        VERBS[kind](study, adjusted="BH")
    with pytest.raises(cc.OptionError, match="Did you mean 'BH'"):
        VERBS[kind](study, adjust="fdr")
    with pytest.raises(cc.OptionError, match="`study` must be a Study; got Panel"):
        VERBS[kind](study.panel)
    with pytest.raises(TypeError, match="positional"):
        VERBS[kind](study, "welch")


def test_analyze_is_the_three_verbs():
    study = cc.load_study("quickstart")
    plan = cc.Plan(
        cc.Baseline(test="mann_whitney", adjust="holm"),
        cc.ChangeWithin(test="signed_rank", groups=("case",)),
        cc.ChangeBetween(scale="raw", below_limit="drop"),
    )
    analysis = cc.analyze(study, plan)
    for question in plan.questions:
        options = {item.name: getattr(question, item.name) for item in fields(question)}
        alone = VERBS[question.kind](study, **options)
        together = getattr(analysis, question.kind)
        assert together.to_csv() == alone.to_csv()
        assert together.excluded.equals(alone.excluded)
        assert together.meta == alone.meta
    assert analysis.plan == plan
    assert analysis.study is study
    assert analysis.descriptives.equals(cc.descriptives(study))
    assert list(analysis.results) == ["baseline", "change_within", "change_between"]


def test_a_question_that_is_not_asked_is_none():
    analysis = cc.analyze(cc.load_study("quickstart"), cc.Plan(change_within=None))
    assert analysis.change_within is None
    assert list(analysis.results) == ["baseline", "change_between"]
    assert "change_within" not in repr(analysis)


def test_one_visit_leaves_the_changes_out_unless_they_are_asked_for():
    study = make(full(visits="0"))
    for analysis in (cc.analyze(study), cc.analyze(study, cc.Plan())):
        assert list(analysis.results) == ["baseline"]
        assert analysis.plan == cc.Plan(change_within=None, change_between=None)
    with pytest.raises(cc.OptionError, match="change_within: the study has no visit after baseline"):
        cc.analyze(study, cc.Plan(alpha=0.01))
    with pytest.raises(cc.OptionError, match="change_between: the study has no visit after baseline"):
        cc.change_between(study)


def test_analyze_takes_a_study():
    with pytest.raises(cc.OptionError, match=r"analyze\(\) takes a Study; got str"):
        cc.analyze("quickstart")


def test_an_analysis_can_be_pickled():
    analysis = cc.analyze(make(full()))
    back = pickle.loads(pickle.dumps(analysis))
    assert back.plan == analysis.plan
    assert back.describe() == analysis.describe()
    for kind, results in analysis.results.items():
        assert back.results[kind].to_csv() == results.to_csv()


def test_every_fault_of_a_log_scale_is_listed_at_once():
    cells = full()
    cells["a1", "0"]["X"], cells["b2", "1"]["Y"], cells["b3", "2"]["Y"] = "0", "-2", "-3"
    with pytest.raises(cc.StudyError) as caught:
        cc.change_between(make(cells))
    faults = caught.value.failures[["subject", "visit", "analyte", "found"]]
    want = [["a1", "0", "X", "0"], ["b2", "1", "Y", "-2"], ["b3", "2", "Y", "-3"]]
    assert sorted(faults.to_numpy().tolist()) == want


def test_a_zero_matters_only_where_it_is_asked_for():
    cells = full()
    cells["a1", "0"]["X"], cells["b2", "1"]["Y"] = "0", "-2"
    assert cc.compare_baseline(make(cells), scale="raw").table["p_value"].notna().all()
    assert cc.compare_baseline(make(cells).select(analytes=["Y"])).table["p_value"].notna().all()


# ---------------------------------------------------------------- notes that hold for every row


def test_matching_that_is_not_adjusted_for_is_noted():
    study = make(full(age=lambda i, v: i), {"baseline": "0", "matched_on": ("age",)}, columns=["age"])
    for kind in ("baseline", "change_between"):
        assert (VERBS[kind](study).table["note"] == "matching variables not adjusted for: age").all()
    assert (cc.change_within(study).table["note"] == "").all()


def test_ignored_sets_are_noted():
    study = make(full(pair=lambda i, v: i), {"baseline": "0", "matched_set": "pair"}, columns=["pair"])
    assert (cc.compare_baseline(study, ignore_matching=True).table["note"] == "matched sets ignored as asked").all()
    assert (cc.compare_baseline(study, test="paired_t").table["note"] == "").all()
    assert (cc.change_within(study).table["note"] == "").all()


def test_a_plate_that_goes_with_the_group_is_noted():
    def on(plates):
        cells = {key: row | {"plate": plates(key[0])} for key, row in full(12).items()}
        return make(cells, plate="plate")

    noted = on(lambda s: "P1" if s[0] == "a" else "P2")
    notes = cc.compare_baseline(noted).table["note"]
    assert notes.str.startswith("plate is associated with group (chi-square p = ").all()
    p = float(notes.iloc[0].rpartition("= ")[2].rstrip(")"))
    assert p == pytest.approx(9.634e-7, rel=0.05)  # chi-square 24 on 1 degree of freedom
    even = on(lambda s: f"P{int(s[1:]) % 2}")
    assert (cc.compare_baseline(even).table["note"] == "").all()
    assert even.plate_by_group == 1.0
    assert np.isnan(on(lambda s: "P1").plate_by_group)


def test_plates_where_one_group_comes_at_the_second_baseline_visit():
    cells = {}
    for i in range(6):
        for v in "01":
            cells[f"a{i}", v] = {"X": f"{i + 1}", "plate": i % 2}
        cells[f"b{i}", "1"] = {"X": f"{i + 1.5}", "plate": i % 2}
    study = make(cells, {"baseline": ("0", "1")}, plate="plate")
    assert np.isnan(study.plate_by_group) or study.plate_by_group == 1.0
    assert cc.compare_baseline(study).table["p_value"].notna().all()


# ---------------------------------------------------------------- what was left out


def excluded(results: cc.Results) -> list[list[str]]:
    return results.excluded.to_numpy().tolist()


def test_missing_values_and_absent_samples_are_listed():
    cells = full()
    cells["a1", "0"]["X"] = ""
    cells["b2", "1"]["Y"] = "NA"
    del cells["b3", "2"]
    study = make(cells)
    assert excluded(cc.compare_baseline(study)) == [["a1", "0", "X", "missing at 0"]]
    within = excluded(cc.change_within(study))
    assert within == [
        ["a1", "1", "X", "missing at 0"],
        ["a1", "2", "X", "missing at 0"],
        ["b2", "1", "Y", "missing at 1"],
        ["b3", "2", "", "no sample at 2"],
    ]
    assert sorted(excluded(cc.change_between(study))) == sorted(within)


def test_subjects_without_a_baseline_are_listed_at_each_visit():
    cells = full(3)
    del cells["a0", "0"]
    study = make(cells)
    assert excluded(cc.compare_baseline(study)) == [["a0", "0", "", "no sample at baseline"]]
    rows = [["a0", v, name, "no sample at baseline"] for v in "12" for name in "XY"]
    assert excluded(cc.change_within(study)) == rows
    assert excluded(cc.change_within(study, groups="control")) == []
    assert excluded(cc.change_between(study, visits="2")) == rows[2:]


def test_subjects_without_a_partner_are_listed():
    cells = full(4, pair=lambda i, v: i)
    del cells["a3", "0"]
    study = make(cells, {"baseline": "0", "matched_set": "pair"}, columns=["pair"])
    reason = "matched set 3 has no case with a baseline"
    assert excluded(cc.compare_baseline(study, test="paired_t")) == [
        ["a3", "0", "", "no sample at baseline"],
        ["b3", "0", "X", reason],
        ["b3", "0", "Y", reason],
    ]


def test_a_partner_without_a_value_is_the_reason_of_the_other():
    cells = full(4, pair=lambda i, v: i)
    cells["a2", "0"]["X"] = ""
    del cells["b1", "2"]
    study = make(cells, {"baseline": "0", "matched_set": "pair"}, columns=["pair"])
    assert excluded(cc.compare_baseline(study, test="signed_rank")) == [
        ["a2", "0", "X", "missing at 0"],
        ["b2", "0", "X", "no value in the matched partner"],
    ]
    got = excluded(cc.change_between(study, test="paired_t", visits="2"))
    assert sorted(got) == [
        ["a1", "2", "X", "no value in the matched partner"],
        ["a1", "2", "Y", "no value in the matched partner"],
        ["a2", "2", "X", "missing at 0"],
        ["b1", "2", "", "no sample at 2"],
        ["b2", "2", "X", "no value in the matched partner"],
    ]


@pytest.mark.parametrize("later", ["<1", ">99", "OOR <", "*0.5", "3"])
@pytest.mark.parametrize("rule", ["half", "limit"])
def test_a_value_that_entered_is_no_reason(later, rule):
    """What keeps the change out is the baseline alone."""
    cells = full()
    cells["a1", "0"]["X"], cells["a1", "1"]["X"] = "", later
    study = make(cells)
    assert excluded(cc.change_between(study, visits="1", below_limit=rule)) == [["a1", "1", "X", "missing at 0"]]


@pytest.mark.parametrize("later", [">99", "OOR >", "*0.5", "*200"])
def test_drop_leaves_out_only_what_is_below(later):
    cells = full()
    cells["a1", "0"]["X"], cells["a1", "1"]["X"] = "", later
    study = make(cells, lower_limit={"X": 0.001}, upper_limit={"X": 99.0})
    assert excluded(cc.change_between(study, visits="1", below_limit="drop")) == [["a1", "1", "X", "missing at 0"]]


# ---------------------------------------------------------------- describe: the study


def number(text: str, pattern: str) -> list[float]:
    found = re.search(pattern, text)
    assert found, f"{pattern!r} is not in: {text}"
    return [float(group) for group in found.groups()]


def test_the_study_in_numbers():
    text = cc.analyze(cc.load_study("quickstart")).describe()
    assert number(text, r"comprised (\d+) cases .* and (\d+) controls") == [30, 22]
    assert number(text, r"(\d+) analytes were measured at baseline and month6") == [18]
    assert "frequency-matched on Prior chemotherapy" in text
    assert "left out" not in text


def with_exclusions() -> cc.Study:
    """Matched sets; subjects without a baseline, without a partner, in no set; missing and censored values."""
    cells = full(8, visits="0123", pair=lambda i, v: f"m{i}")
    for v in "01":
        del cells["a7", v]
    cells["b9", "0"] = {"X": "<1", "Y": "<1", "pair": ""}
    del cells["b4", "3"]
    for i, row in enumerate(cells.values()):
        if i % 3 == 0:
            row["X"] = f"<{1 + i % 2}"
        if i % 7 == 0:
            row["Y"] = ""
    cells["b9", "2"] = {"X": "<1", "Y": "<1", "pair": ""}
    return make(cells, {"baseline": ("0", "1"), "visits": ("3",), "matched_set": "pair"}, columns=["pair"])


PAIRED = cc.Plan(cc.Baseline(test="paired_t"), cc.ChangeWithin(test="signed_rank"), cc.ChangeBetween(test="paired_t"))


def test_exclusions_in_numbers():
    study = with_exclusions()
    text = cc.analyze(study, PAIRED).describe()
    assert number(text, r"comprised (\d+) cases .* and (\d+) controls .* in (\d+) matched sets") == [7, 7, 7]
    assert (study.n_case, study.n_control) == (7, 7)
    assert number(text, r"(\d+) analytes were measured") == [2]
    assert number(text, r"(\d+) subjects were left out") == [3]
    for reason in ("no sample at baseline", "matched set has no case with a baseline", "in no matched set"):
        assert reason in text
    assert "measured at visits 0+1 (the mean of 2 visits) and 3" in text
    assert "Levels at visit 3 were" in text


def share_below(study: cc.Study, *, extrapolated: bool) -> tuple[float, list[float]]:
    """Of the values of the subjects and visits that take part: over all, and by analyte."""
    panel = study.panel
    used = panel.samples["subject"].isin(study.subjects.index) & panel.samples["visit"].isin(
        [*study.baseline_visits, *study.visits]
    )
    state = panel.state[used.to_numpy()].to_numpy()
    below = state == State.BELOW
    if extrapolated:
        below |= (state == State.EXTRAPOLATED) & (panel.values < panel.lower_limit)[used.to_numpy()].to_numpy()
    there = state != State.MISSING
    return below.sum() / there.sum(), (below.sum(axis=0) / there.sum(axis=0)).tolist()


BELOW = r"([\d.]+)% of values lay below the limit of detection \(by analyte (\d+)% to (\d+)%\)"


def assert_shares_are_true(study: cc.Study, plan: cc.Plan, *, extrapolated: bool = True) -> None:
    total, each = share_below(study, extrapolated=extrapolated)
    got = number(cc.analyze(study, plan).describe(), BELOW)
    assert got == [
        pytest.approx(100 * total, abs=0.0501),
        pytest.approx(100 * min(each), abs=0.501),
        pytest.approx(100 * max(each), abs=0.501),
    ]


def test_the_share_below_the_limit():
    cells = full()
    for key in [("a0", "0"), ("a1", "1"), ("b1", "2"), ("b5", "0"), ("b5", "1")]:
        cells[key]["X"] = "<1"
    assert_shares_are_true(make(cells), cc.Plan())


def test_the_share_below_the_limit_is_one_of_the_values_that_take_part():
    assert_shares_are_true(with_exclusions(), PAIRED)


def test_the_share_below_the_limit_counts_extrapolated_numbers():
    assert_shares_are_true(cc.load_study("quickstart"), cc.Plan())


def test_no_value_beyond_a_limit_is_said_only_where_it_is_so():
    study = make(full(), lower_limit={"X": 2.0})
    assert cc.compare_baseline(study).table["n_below_case"].sum() > 0
    assert "No value lay beyond" not in cc.analyze(study).describe()


def test_no_value_beyond_a_limit():
    assert "No value lay beyond a limit of detection." in cc.analyze(make(full())).describe()


def test_one_subject_left_out_reads_well():
    cells = full()
    del cells["a0", "0"]
    text = cc.analyze(make(cells)).describe()
    assert re.search(r"\b(1|one) subject was left out: no sample at baseline", text, re.IGNORECASE)


# ---------------------------------------------------------------- describe: what was done


def test_the_plan_is_told_in_the_past():
    plan = cc.Plan(
        cc.Baseline(test="mann_whitney", adjust="holm", alternative="less"),
        cc.ChangeWithin(groups=("control",), visits=("2",), scale="raw"),
        cc.ChangeBetween(below_limit="drop", conf_level=0.9),
        alpha=0.01,
    )
    text = cc.analyze(make(full()), plan).describe()
    assert "will" not in text
    for words in ("Mann-Whitney", "Holm", "cases lower", "controls", "as measured", "left out", "90%", "95%", "0.01 or less"):
        assert words in text, words
    assert "Levels at visit 2 were" in text
    assert "from baseline to visits 1 and 2" in text
    assert f"cytokine_cc {cc.__version__}" in text
    assert "  " not in text
    assert ".." not in text.replace("...", "")


@pytest.mark.parametrize("kind", KINDS)
def test_each_field_changes_what_is_told(kind):
    study = make(full(seed=3))
    plain = cc.analyze(study).describe()
    others = {"scale": "ln", "below_limit": "drop", "adjust": "BY", "family": "all", "alternative": "less", "conf_level": 0.9}
    others |= {"change_within": {"groups": ("case",), "visits": ("2",)}, "change_between": {"visits": ("2",)}}.get(kind, {})
    others |= {"test": {"baseline": "student", "change_within": "signed_rank", "change_between": "change_rank"}[kind]}
    for name, value in others.items():
        plan = replace(cc.Plan(), **{kind: KINDS[kind](**{name: value})})
        assert cc.analyze(study, plan).describe() != plain, name


def test_what_was_not_adjusted_is_told_so():
    text = cc.analyze(make(full()), cc.Plan(cc.Baseline(adjust="none"), None, None)).describe()
    assert "p-values were not adjusted" in text.lower()


def test_exact_p_values_are_counted():
    cells = full()
    cells["a0", "0"]["Y"] = cells["b0", "0"]["Y"]
    study = make(cells)
    plan = cc.Plan(cc.Baseline(test="mann_whitney"), cc.ChangeWithin(test="signed_rank"), None)
    analysis = cc.analyze(study, plan)
    assert analysis.baseline.table["method"].value_counts().to_dict() == {"exact": 1, "normal approximation, tie-corrected": 1}
    text = analysis.describe()
    assert "For baseline comparisons, 1 of 2 p-values were exact; the others came from the tie-corrected" in text
    assert (analysis.change_within.table["method"] == "exact").all()
    assert "For changes within groups, p-values were exact." in text


def test_what_could_not_be_tested_is_counted_and_named():
    cells = full(V=lambda i, v: "<1", W=lambda i, v: "3")
    analysis = cc.analyze(make(cells))
    text = analysis.describe()
    for kind, name in (
        ("baseline", "baseline comparisons"),
        ("change_within", "changes within groups"),
        ("change_between", "changes between groups"),
    ):
        table = getattr(analysis, kind).table
        got = number(text, rf"For {name}, (\d+) of (\d+) comparisons could not be tested: V \(.*?\) and W \(")
        assert got == [table["p_value"].isna().sum(), len(table)]


def test_a_borrowed_limit_is_told():
    cells = full()
    cells["a0", "0"]["X"] = "OOR <"
    assert "the lowest measured value" in cc.analyze(make(cells)).describe()
    assert "stood in" not in cc.analyze(make(full())).describe()


@pytest.mark.parametrize("rule", ["drop", "as_reported"])
def test_no_limit_is_borrowed_where_none_is_needed(rule):
    cells = full()
    cells["a0", "0"]["X"] = "OOR <"
    plan = cc.Plan(cc.Baseline(below_limit=rule), cc.ChangeWithin(below_limit=rule), cc.ChangeBetween(below_limit=rule))
    assert "stood in" not in cc.analyze(make(cells), plan).describe()


def test_no_limit_is_borrowed_where_there_is_nothing_to_borrow():
    study = make(full(V=lambda i, v: "OOR <" if i < 2 else f"*{i}"))
    assert "stood in" not in cc.analyze(study).describe()


def test_a_borrowed_upper_limit_is_told():
    cells = full()
    cells["a0", "0"]["X"] = "OOR >"
    text = cc.analyze(make(cells)).describe()
    assert "the highest measured value" in text


def test_sets_ignored_on_purpose_are_told():
    study = make(full(pair=lambda i, v: i), {"baseline": "0", "matched_set": "pair"}, columns=["pair"])
    plan = cc.Plan(cc.Baseline(ignore_matching=True), None, None)
    assert "Matched sets were ignored on purpose" in cc.analyze(study, plan).describe()


def test_sets_are_not_ignored_where_there_are_none():
    text = cc.analyze(make(full()), cc.Plan(cc.Baseline(ignore_matching=True), None, None)).describe()
    assert "Matched sets" not in text
