"""Study: a panel checked against a design, every fault at once, and who can be used."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc


def samples(rows):
    """Panel of subject, visit, group, set; one analyte."""
    frame = pd.DataFrame(rows, columns=["subject", "visit", "arm", "pair"]).assign(A=np.arange(1.0, len(rows) + 1), B=2.5)
    return cc.read_panel(frame, layout="wide", analytes=["A", "B"])


def design(**options):
    return cc.Design(**{"group": "arm", "case": "ill", "control": "well", "baseline": "pre", **options})


GOOD = [
    ("c1", "pre", "well", "s1"),
    ("p1", "pre", "ill", "s1"),
    ("p1", "post", "ill", "s1"),
    ("c1", "late", "well", "s1"),
    ("p2", "pre", "ill", "s2"),
    ("c2", "pre", "well", "s2"),
]


# --- design


def test_design_takes_labels_of_any_type():
    made = cc.Design("arm", 1, 2.0, baseline=(1, "2.0"), visits=[6, 3], matched_on="age")
    assert (made.case, made.control, made.baseline, made.visits) == ("1", "2", ("1", "2"), ("6", "3"))
    assert made.matched_on == ("age",)
    assert made == cc.Design("arm", "1", "2", baseline=("1", "2"), visits=("6", "3"), matched_on=["age"])
    assert hash(made) == hash(cc.Design("arm", 1, 2, baseline=(1, 2), visits=(6, 3), matched_on=("age",)))


@pytest.mark.parametrize(
    ("options", "matching"),
    [({"matched_set": "pair"}, "sets"), ({"matched_on": ["age"]}, "frequency"), ({}, "none")],
)
def test_matching(options, matching):
    assert design(**options).matching == matching


@pytest.mark.parametrize("baseline", ["pre", ("pre",), ["pre"]])
def test_one_baseline(baseline):
    made = design(baseline=baseline)
    assert (made.baseline, made.baseline_visits) == ("pre", ("pre",))


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"group": 5}, "`group` must be the name of a sample column; got 5."),
        ({"group": " "}, "`group` must be the name of a sample column"),
        ({"matched_set": ""}, "`matched_set` must be the name of a sample column"),
        ({"matched_on": 5}, "`matched_on` must be a list of sample columns; got 5."),
        ({"matched_on": ["age", 5]}, "`matched_on` must be a list of sample columns"),
        ({"case": None}, "`case` must be a label of the column 'arm'; got None."),
        ({"control": ["well"]}, "`control` must be a label of the column 'arm'; got ['well']."),
        ({"case": 1, "control": "1.0"}, "`case` and `control` must differ; both are '1'."),
        ({"baseline": ()}, "`baseline` and `visits` must be labels of visits; got () and None."),
        ({"baseline": []}, "got [] and None."),
        ({"baseline": ""}, "got '' and None."),
        ({"baseline": {"pre": 1}}, "must be labels of visits"),
        ({"visits": ["a", None]}, "must be labels of visits"),
        ({"visits": ["pre"]}, "visit 'pre' is named twice in `baseline` and `visits`."),
        ({"baseline": (1, 1.0)}, "visit '1' is named twice"),
    ],
)
def test_design_refuses(options, words):
    with pytest.raises(cc.OptionError) as caught:
        design(**options)
    assert words in str(caught.value)


# --- a study that fits


def test_what_a_study_holds():
    study = cc.Study(samples(GOOD), design())
    assert (study.n_case, study.n_control) == (2, 2)
    assert (study.baseline, study.visits) == ("pre", ("post", "late"))
    assert study.analytes.tolist() == ["A", "B"]
    assert study.subjects.index.tolist() == ["p1", "p2", "c1", "c2"]  # cases first
    assert study.subjects["role"].tolist() == ["case", "case", "control", "control"]
    assert list(study.excluded.columns) == ["subject", "visit", "analyte", "reason"]
    assert study.excluded.empty


def test_a_study_is_frozen():
    with pytest.raises(AttributeError):
        cc.Study(samples(GOOD), design()).baseline = "late"


@pytest.mark.parametrize("visits", [("late", "post"), ("post",), ()])
def test_visits_are_ordered_and_restricted_by_the_design(visits):
    study = cc.Study(samples(GOOD), design(visits=visits))
    assert study.visits == visits
    assert study.arrays.later == visits


def test_one_visit_needs_no_baseline():
    panel = samples([row for row in GOOD if row[1] == "pre"])
    study = cc.Study(panel, design(baseline=None))
    assert (study.baseline, study.visits) == ("pre", ())


def test_arrays_hold_each_value_at_its_visit_and_subject():
    study = cc.Study(samples(GOOD), design(visits=("late", "post")))
    np.testing.assert_equal(
        study.arrays.value[:, 0], [[2, 5, 1, 6], [np.nan, np.nan, 4, np.nan], [3, np.nan, np.nan, np.nan]]
    )  # pre, late, post x p1, p2, c1, c2
    assert study.arrays.state[:, 0].tolist() == [[0, 0, 0, 0], [4, 4, 0, 4], [0, 4, 4, 4]]
    assert study.arrays.case.tolist() == [True, True, False, False]


def test_a_baseline_of_two_visits():
    rows = [(s, v, "ill" if s[0] == "p" else "well", "") for s in ("p1", "p2", "c1") for v in (1, 2, 6)]
    del rows[3:5]  # p2 has neither 1 nor 2
    del rows[4]  # c1 has no 1
    study = cc.Study(samples(rows), design(baseline=(1, 2)))
    assert (study.baseline, study.baseline_visits, study.visits) == ("1+2", ("1", "2"), ("6",))
    assert study.excluded.to_dict("records") == [
        {"subject": "p2", "visit": "1+2", "analyte": "", "reason": "no sample at baseline"}
    ]
    assert study.subjects.index.tolist() == ["p1", "c1"]


def test_group_labels_may_be_numbers():
    frame = pd.DataFrame({"subject": [1, 2, 3], "g": [1.0, 2.0, 1.0], "A": [1.0, 2.0, 3.0]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"])
    for case, control in ((1, 2), ("1", "2"), (1.0, "2.0")):
        study = cc.Study(panel, cc.Design("g", case, control))
        assert (study.n_case, study.n_control) == (2, 1)


def test_select_checks_again():
    study = cc.Study(samples(GOOD), design(matched_set="pair"))
    kept = study.select(analytes=["B"], subjects=["p1", "c1", "c2"])
    assert kept.analytes.tolist() == ["B"]
    assert kept.subjects.index.tolist() == ["p1", "c1"]
    assert kept.excluded["reason"].tolist() == ["matched set s2 has no case with a baseline"]
    with pytest.raises(cc.StudyError, match="nobody is in group 'well'"):
        study.select(subjects=["p1", "p2"])
    with pytest.raises(cc.PanelError, match="no subject 'p9' in the panel"):
        study.select(subjects=["p9"])


# --- who is left out


def test_subjects_without_a_baseline_are_excluded():
    study = cc.Study(samples([*GOOD, ("p3", "post", "ill", "s3"), ("c3", "late", "well", "s3")]), design())
    assert study.excluded["subject"].tolist() == ["p3", "c3"]
    assert set(study.excluded["reason"]) == {"no sample at baseline"}
    assert (study.n_case, study.n_control) == (2, 2)


def test_sets_left_with_one_kind_are_excluded():
    rows = [
        *GOOD,
        ("p3", "pre", "ill", "s3"),
        ("c3", "post", "well", "s3"),  # no baseline: its case loses its partner
        ("p4", "pre", "ill", ""),
        ("p5", "pre", "ill", "NA"),
        ("c5", "pre", "well", "NA"),
    ]
    study = cc.Study(samples(rows), design(matched_set="pair"))
    assert dict(zip(study.excluded["subject"], study.excluded["reason"], strict=True)) == {
        "c3": "no sample at baseline",
        "p3": "matched set s3 has no control with a baseline",
        "p4": "in no matched set",
        "p5": "in no matched set",
        "c5": "in no matched set",
    }
    assert study.subjects["matched_set"].to_dict() == {"p1": "s1", "p2": "s2", "c1": "s1", "c2": "s2"}


def test_numeric_sets_with_gaps():
    rows = [("p1", "pre", "ill", 1), ("c1", "pre", "well", 1.0), ("p2", "pre", "ill", None)]
    study = cc.Study(samples(rows), design(matched_set="pair"))
    assert study.subjects["matched_set"].tolist() == ["1", "1"]
    assert study.excluded["subject"].tolist() == ["p2"]


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (
            [("p1", "post", "ill", ""), ("p2", "post", "ill", ""), ("c1", "pre", "well", "")],
            {},
            "no usable case is left (no sample at baseline: 2 subjects): column 'arm'.",
        ),
        (
            [("p1", "pre", "ill", "s1"), ("c1", "pre", "well", "s2")],
            {"matched_set": "pair"},
            "no usable case is left (matched set has subjects of one kind only: 2 subjects): column 'pair'.",
        ),
        (
            [("p1", "pre", "ill", ""), ("c1", "pre", "well", "")],
            {"matched_set": "pair"},
            "no usable control is left (in no matched set: 2 subjects)",
        ),
    ],
)
def test_an_error_only_if_nobody_usable_is_left(rows, options, words):
    with pytest.raises(cc.StudyError) as caught:
        cc.Study(samples(rows), design(**options))
    assert words in str(caught.value)


# --- faults, all in one error


def test_every_fault_is_in_one_error():
    rows = [
        *GOOD,
        ("p1", "extra", "well", "s2"),  # in both groups, in two sets
        ("p3", "pre", "Ill", "s3"),  # unknown label
        ("p4", "pre", "", "s3"),  # no group
    ]
    with pytest.raises(cc.StudyError) as caught:
        cc.Study(samples(rows), design(baseline="Pre", visits=("pst",), matched_set="pair", matched_on=("Age", "sex")))
    failures = caught.value.failures
    assert list(failures.columns) == ["file", "row", "column", "subject", "visit", "analyte", "found", "problem", "remedy"]
    got = failures[["column", "subject", "visit", "found"]].to_numpy().tolist()
    assert got == [
        ["Age", "", "", ""],
        ["sex", "", "", ""],
        ["", "", "Pre", ""],
        ["", "", "pst", ""],
        ["arm", "p1", "", "ill and well"],
        ["pair", "p1", "", "s1 and s2"],
        ["arm", "p3", "", "Ill"],
        ["arm", "p4", "", ""],
    ]
    assert str(caught.value) == (
        "DataFrame: 8 faults\n"
        "  - no sample column 'Age' (named as matched_on); there are 'subject', 'visit', 'plate', 'arm', 'pair'. "
        "Name the right one with `matched_on`, or join a table that has it.\n"
        "  - no sample column 'sex' (named as matched_on); there are 'subject', 'visit', 'plate', 'arm', 'pair'. "
        "Name the right one with `matched_on`, or join a table that has it.\n"
        "  - no visit 'Pre' (named as baseline); the visits are 'pre', 'post', 'late', 'extra'. "
        "Correct `baseline`. Did you mean 'pre'?\n"
        "  - no visit 'pst' (named as visits); the visits are 'pre', 'post', 'late', 'extra'. "
        "Correct `visits`. Did you mean 'post'?\n"
        "  - a subject is in more than one group: row 6, column 'arm', subject 'p1', found 'ill and well'. "
        "Correct the file: it must be one at all visits.\n"
        "  - a subject is in more than one matched set: row 6, column 'pair', subject 'p1', found 's1 and s2'. "
        "Correct the file: it must be one at all visits.\n"
        "  - unknown group label 'Ill'; expected 'ill' (case) or 'well' (control): row 7, column 'arm', subject 'p3'. "
        "Correct the label, or leave these subjects out. Did you mean 'ill'?\n"
        "  - the group of a subject is not given: row 8, column 'arm', subject 'p4'. Fill it in, or leave the subject out."
    )


@pytest.mark.parametrize(
    ("rows", "options", "words"),
    [
        (GOOD, {"baseline": None}, "there are 3 visits ('pre', 'post', 'late') and no baseline. Name the visit before treatment"),
        (GOOD, {"group": "Arm"}, "no sample column 'Arm' (named as group)"),
        (GOOD, {"case": "sick"}, "nobody is in group 'sick' (named as case); the groups are 'ill', 'well'"),
        (GOOD, {"control": "Well"}, "nobody is in group 'Well' (named as control); the groups are 'ill', 'well'"),
        ([*GOOD, ("p3", "pre", "NA", "")], {}, "the group of a subject is not given: row 6, column 'arm', subject 'p3'"),
        ([*GOOD, ("p2", "post", None, "s2")], {}, "group: row 6, column 'arm', subject 'p2', found 'a blank and ill'"),
        (
            [("p1", 6, "ill", ""), ("c1", 6, "well", "")],
            {"baseline": None, "visits": [6]},
            "there is one visit, which is the baseline: visit '6'. Leave out `visits`.",
        ),
    ],
)  # fmt: skip
def test_single_faults(rows, options, words):
    with pytest.raises(cc.StudyError) as caught:
        cc.Study(samples(rows), design(**options))
    assert words in str(caught.value)


def test_na_may_be_the_name_of_a_group():
    panel = samples([("p1", "pre", "NA", ""), ("c1", "pre", "well", "")])
    assert cc.Study(panel, design(case="NA")).n_case == 1


def test_a_group_that_varies_within_a_sample_names_the_rows():
    frame = pd.DataFrame(
        {"subject": [1, 1, 2, 2], "analyte": ["A", "B"] * 2, "value": 1.0, "arm": ["ill", "Ill", "well", "well"]}
    )
    with pytest.raises(cc.StudyError) as caught:
        cc.Study(cc.read_panel(frame, layout="long"), design(baseline=None))
    assert str(caught.value) == (
        "DataFrame: column 'arm' (named as group) varies within a sample: row 1, subject '1', visit '1', "
        "found 'Ill after ill in row 0'. Correct the file: a sample column has one value a sample."
    )


@pytest.mark.parametrize(("panel", "plan"), [("panel.csv", None), (None, 5)])
def test_other_things_are_refused(panel, plan):
    with pytest.raises(cc.OptionError, match="Study takes a Panel and a Design; got"):
        cc.Study(panel, plan)


def test_a_subject_and_a_group_of_one():
    study = cc.Study(samples([("p1", "pre", "ill", ""), ("c1", "pre", "well", "")]), design())
    assert repr(study) == (
        "<Study: 1 cases (arm = ill), 1 controls (well), matching: none; baseline 'pre', later visits nothing; 2 analytes>"
    )
    with pytest.raises(cc.StudyError, match="nobody is in group 'well' \\(named as control\\); the groups are 'ill'"):
        cc.Study(samples([("p1", "pre", "ill", "")]), design())


# --- plates


def test_plate_by_group():
    def p_value(plates):
        frame = pd.DataFrame({"subject": range(8), "arm": ["ill"] * 4 + ["well"] * 4, "plate": plates, "A": 1.5})
        panel = cc.read_panel(frame, layout="wide", analytes=["A"], plate="plate")
        return cc.Study(panel, design(baseline=None)).plate_by_group

    assert p_value(list("aaaabbbb")) == pytest.approx(0.004677734981047266, rel=1e-12)  # chisq.test(correct = FALSE)
    assert p_value(list("aabbaabb")) == 1
    assert np.isnan(p_value(list("aaaaaaaa")))
    assert np.isnan(cc.Study(samples(GOOD), design()).plate_by_group)
