"""Options of a test's own: from a verb, a plan or a file to the test and to the words."""

from __future__ import annotations

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS

WITH_OPTIONS = [
    (name, option, value) for name, entry in TESTS.items() for option, own in entry.options.items() for value in own[1:]
]


def test_a_verb_takes_them_as_plain_keywords_and_a_question_as_options():
    study = cc.load_study("quickstart")
    plain = cc.compare_baseline(study, test="moderated_t")
    table = cc.compare_baseline(study, test="moderated_t", trend=True).table
    assert (table["p_value"] != plain.table["p_value"]).any()
    plan = cc.Plan(baseline=cc.Baseline("moderated_t", options={"trend": True}), change_within=None, change_between=None)
    other = cc.analyze(study, plan).baseline
    np.testing.assert_array_equal(table["p_value"], other.table["p_value"])
    assert other.meta["plan"]["options"] == {"trend": True}


def test_a_default_is_no_option():
    question = cc.Baseline("moderated_t", options={"robust": False})
    assert question == cc.Baseline("moderated_t")
    assert hash(question) == hash(cc.Baseline("moderated_t"))
    both = [
        cc.Baseline("moderated_t", options=given) for given in ({"trend": True, "robust": True}, {"robust": True, "trend": True})
    ]
    assert both[0] == both[1]


@pytest.mark.parametrize(("name", "option", "value"), WITH_OPTIONS)
def test_each_stands_in_the_words_and_survives_a_file(name, option, value):
    kind = TESTS[name].questions[0]
    cls = {"baseline": cc.Baseline, "change_within": cc.ChangeWithin, "change_between": cc.ChangeBetween}[kind]
    plans = [
        cc.Plan(**{**dict.fromkeys(("baseline", "change_within", "change_between")), kind: cls(name, options=own)})
        for own in ({}, {option: value})
    ]
    assert TESTS[name].option_words[option, value] in plans[1].describe()
    assert plans[0].describe() != plans[1].describe()
    assert cc.Plan.from_toml(plans[1].to_toml()) == plans[1]
    assert plans[0].vary(options=[{option: value}]) == (plans[1],)


@pytest.mark.parametrize(
    ("test", "options", "message"),
    [
        ("welch", {"trend": True}, "test 'welch' has no option 'trend'; it takes none."),
        (
            "moderated_t",
            {"trnd": True},
            "test 'moderated_t' has no option 'trnd'; it takes 'trend', 'robust'. Did you mean 'trend'?",
        ),
        ("moderated_t", {"trend": "yes"}, "test 'moderated_t': option 'trend' must be one of False, True; got 'yes'."),
        ("tobit", {"calibrated": 1}, "test 'tobit': option 'calibrated' must be one of False, True; got 1."),
        ("tobit", "calibrated", "`options` must be a mapping such as {\"trend\": True}; got 'calibrated'."),
    ],
)
def test_what_is_no_option_is_refused(test, options, message):
    with pytest.raises(cc.OptionError) as error:
        cc.Baseline(test, options=options)
    assert str(error.value) == message


def test_a_keyword_that_neither_the_question_nor_the_test_knows():
    with pytest.raises(cc.OptionError, match="baseline has unknown key 'robst'. Did you mean 'robust'"):
        cc.compare_baseline(cc.load_study("quickstart"), test="moderated_t", robst=True)
    message = "baseline: test 'welch' has no option 'robust'; 'moderated_t', 'moderated_paired_t' have it."
    with pytest.raises(cc.OptionError, match=message):
        cc.compare_baseline(cc.load_study("quickstart"), test="welch", robust=True)
