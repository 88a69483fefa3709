"""The plan as a value: validation, description, variation, TOML."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest
import scipy.stats as st

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS
from cytokine_cc.kernels.common import ALTERNATIVES, QUESTIONS
from cytokine_cc.limits import SCALES
from cytokine_cc.multiplicity import METHODS
from cytokine_cc.questions import KINDS, Question
from cytokine_cc.words import p_text, visit_names

KIND = pytest.mark.parametrize("kind", KINDS)
DEFAULT_TESTS = {"baseline": "welch", "change_within": "paired_t", "change_between": "change_score"}


def only(question: Question) -> cc.Plan:
    return cc.Plan(**{kind: question if kind == question.kind else None for kind in QUESTIONS})


# ---------------------------------------------------------------- fields and defaults


@KIND
def test_fields_and_defaults(kind):
    question = KINDS[kind]()
    want = {
        "test": DEFAULT_TESTS[kind],
        "scale": "log2",
        "below_limit": None,
        "adjust": "BH",
        "family": "visit",
        "covariates": (),
        "alternative": "two-sided",
        "conf_level": 0.95,
        "ignore_matching": False,
        "n_resamples": 9999,
        "seed": None,
        "options": (),
    }
    want |= {"change_within": {"groups": ("case", "control"), "visits": None}, "change_between": {"visits": None}}.get(kind, {})
    assert dataclasses.asdict(question) == want
    assert question.kind == kind


def test_a_plan_asks_everything_unless_told_otherwise():
    plan = cc.Plan()
    assert plan.questions == (cc.Baseline(), cc.ChangeWithin(), cc.ChangeBetween())
    assert plan.alpha == 0.05
    assert [q.kind for q in cc.Plan(change_within=None).questions] == ["baseline", "change_between"]


def test_a_question_has_no_kind_of_its_own():
    with pytest.raises(cc.OptionError, match="use Baseline, ChangeWithin or ChangeBetween"):
        Question(test="welch")


@KIND
@pytest.mark.parametrize("name", TESTS)
def test_each_test_answers_the_questions_of_its_entry(kind, name):
    if kind in TESTS[name].questions:
        assert KINDS[kind](test=name).entry is TESTS[name]
    else:
        with pytest.raises(cc.OptionError, match=f"`{kind}: test` must be one of .*; got '{name}'"):
            KINDS[kind](test=name)


# ---------------------------------------------------------------- each field is checked

WRONG = {
    "scale": [("log", "ln"), ("Log2", "log2"), ("linear", "raw"), ("log1", "log10"), (None, "raw"), (2, None)],
    "below_limit": [
        ("lod/2", "half"),
        ("L/2", "half"),
        ("lod/sqrt2", "sqrt2"),
        ("remove", "drop"),
        ("halve", "half"),
        (0.5, None),
    ],
    "adjust": [("fdr", "BH"), ("bh", "BH"), ("Bonferroni", "bonferroni"), ("holms", "holm"), (None, "none")],
    "family": [("visits", "visit"), ("ALL", "all"), (None, None)],
    "alternative": [
        ("two.sided", "two-sided"),
        ("two_sided", "two-sided"),
        ("larger", "greater"),
        ("smaller", "less"),
        ("x", None),
    ],
    "conf_level": [(95, "0.95"), (0, None), (-0.5, None), (100, None), ("95%", None), (None, None), (float("nan"), None)],
    "ignore_matching": [("yes", None), (1, None), (None, None)],
    "n_resamples": [(0, None), (-5, None), (99.5, None), ("999", None), (True, None), (None, None)],
    "seed": [(-1, None), (1.5, None), ("7", None), (True, None)],
}


@KIND
@pytest.mark.parametrize(("name", "value", "hint"), [(name, *case) for name, cases in WRONG.items() for case in cases])
def test_a_value_that_is_not_allowed_is_refused(kind, name, value, hint):
    with pytest.raises(cc.OptionError) as caught:
        KINDS[kind](**{name: value})
    text = str(caught.value)
    assert f"`{name}`" in text
    assert repr(value) in text
    assert (f"Did you mean {hint!r}?" in text or f"Did you mean {hint}?" in text) if hint else "Did you mean" not in text
    assert isinstance(caught.value, ValueError)


@pytest.mark.parametrize(
    ("kind", "given", "meant"),
    [
        ("baseline", "t", "welch"),
        ("baseline", "Welch", "welch"),
        ("baseline", "welsh", "welch"),
        ("baseline", "wilcoxon", "mann_whitney"),
        ("baseline", "mannwhitneyu", "mann_whitney"),
        ("baseline", "mann-whitney", "mann_whitney"),
        ("baseline", "ttest_rel", "paired_t"),
        ("change_within", "paired", "paired_t"),
        ("change_within", "signed rank", "signed_rank"),
        ("change_between", "changescore", "change_score"),
    ],
)
def test_a_test_by_another_name_is_refused_with_a_hint(kind, given, meant):
    with pytest.raises(cc.OptionError, match=f"Did you mean '{meant}'"):
        KINDS[kind](test=given)


@pytest.mark.parametrize("value", [1, 1.0, True])
def test_a_level_of_one_is_no_hundredth(value):
    with pytest.raises(cc.OptionError) as caught:
        cc.Baseline(conf_level=value)
    assert "Did you mean" not in str(caught.value)


@pytest.mark.parametrize("given", ["t", "wilcoxon", "ranksum", "t_test"])
def test_a_hint_names_only_what_is_allowed(given):
    with pytest.raises(cc.OptionError) as caught:
        cc.ChangeWithin(test=given)
    assert "'welch'" not in str(caught.value)
    assert "'mann_whitney'" not in str(caught.value)


@pytest.mark.parametrize("given", [None, 3, ["welch"], ("welch", "student"), ""])
def test_a_test_that_is_no_name_is_refused(given):
    with pytest.raises(cc.OptionError, match="`baseline: test` must be one of"):
        cc.Baseline(test=given)


@pytest.mark.parametrize("covariates", ["age", ("age", "plate"), ["age"]])
def test_covariates_need_a_test_that_takes_them(covariates):
    with pytest.raises(cc.OptionError, match="test 'welch' takes no covariates; got 'age'"):
        cc.Baseline(covariates=covariates)
    assert cc.Baseline(covariates=[]).covariates == ()


@pytest.mark.parametrize("groups", [("cases",), "controls", (), ("case", "case"), ("case", None), "AIMSS"])
def test_groups_are_roles(groups):
    with pytest.raises(cc.OptionError, match="`groups`"):
        cc.ChangeWithin(groups=groups)


def test_groups_and_visits_become_tuples_of_text():
    assert cc.ChangeWithin(groups="control").groups == ("control",)
    assert cc.ChangeWithin(groups=["control", "case"]).groups == ("control", "case")
    assert cc.ChangeWithin(visits=6).visits == ("6",)
    assert cc.ChangeWithin(visits=[3, 6.0, "12"]).visits == ("3", "6", "12")
    assert cc.ChangeBetween(visits="month6").visits == ("month6",)


@pytest.mark.parametrize("cls", [cc.ChangeWithin, cc.ChangeBetween])
@pytest.mark.parametrize("visits", [(), "", ("3", ""), (3, "3"), [None]])
def test_visits_are_one_or_more_once_each(cls, visits):
    with pytest.raises(cc.OptionError, match="`visits` must name one or more visits, once each"):
        cls(visits=visits)


def test_an_unknown_field_is_refused():
    with pytest.raises(TypeError, match="visits"):
        cc.Baseline(visits=("6",))


@pytest.mark.parametrize("alpha", [0, 1, 5, "0.05", None, True])
def test_alpha_is_a_fraction(alpha):
    with pytest.raises(cc.OptionError, match="`alpha` must be a number between 0 and 1"):
        cc.Plan(alpha=alpha)


def test_a_question_stands_in_its_own_place():
    with pytest.raises(cc.OptionError, match="`baseline` must be a Baseline or None"):
        cc.Plan(baseline=cc.ChangeWithin())
    with pytest.raises(cc.OptionError, match="`change_between` must be a ChangeBetween or None; got 'ancova'"):
        cc.Plan(change_between="ancova")


def test_a_plan_asks_something():
    with pytest.raises(cc.OptionError, match="at least one question"):
        cc.Plan(baseline=None, change_within=None, change_between=None)


# ---------------------------------------------------------------- a value


@KIND
def test_questions_are_frozen_hashable_and_equal(kind):
    a, b = KINDS[kind](adjust="holm"), KINDS[kind](adjust="holm")
    assert a == b
    assert hash(a) == hash(b)
    assert len({a, b, KINDS[kind]()}) == 2
    with pytest.raises(FrozenInstanceError):
        a.adjust = "BH"
    assert a != KINDS[kind]()


def test_plans_are_frozen_hashable_and_equal():
    assert cc.Plan() == cc.Plan()
    assert hash(cc.Plan()) == hash(cc.Plan())
    assert cc.Plan(alpha=0.01) != cc.Plan()
    assert len({cc.Plan(), cc.Plan(), cc.Plan(alpha=0.01)}) == 2
    with pytest.raises(FrozenInstanceError):
        cc.Plan().alpha = 0.1


def test_lists_and_numbers_make_no_difference_to_equality():
    assert cc.ChangeWithin(groups=["case"], visits=[6]) == cc.ChangeWithin(groups=("case",), visits=("6",))
    assert hash(cc.ChangeWithin(groups=["case"], visits=[6])) == hash(cc.ChangeWithin(groups="case", visits="6"))


def test_questions_of_different_kinds_differ():
    assert cc.Baseline(test="paired_t") != cc.ChangeBetween(test="paired_t")


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda plan: pickle.loads(pickle.dumps(plan))])
def test_plans_can_be_copied_and_pickled(again):
    plan = cc.Plan(change_within=cc.ChangeWithin(visits=(3, 6), test="signed_rank"), alpha=0.01)
    assert again(plan) == plan


def test_a_function_is_part_of_the_value():
    def mine(x, y):
        raise NotImplementedError

    assert cc.Baseline(test=mine) == cc.Baseline(test=mine)
    assert hash(cc.Baseline(test=mine)) == hash(cc.Baseline(test=mine))
    assert cc.Baseline(test=mine) != cc.Baseline(test=lambda x, y: None)


# ---------------------------------------------------------------- describe: each field shows

OTHER = {
    "scale": [name for name in SCALES if name != "log2"],
    "below_limit": ["half", "sqrt2", "limit", "drop", "as_reported"],
    "adjust": [name for name in METHODS if name != "BH"],
    "family": ["all"],
    "alternative": [name for name in ALTERNATIVES if name != "two-sided"],
    "conf_level": [0.9, 0.99, 0.975],
    "ignore_matching": [True],
    "n_resamples": [99, 19999],
    "seed": [0, 7],
    "groups": [("case",), ("control",)],
    "visits": [("6",), ("3", "6")],
}


def test_every_field_is_in_the_list_above():
    known = {*OTHER, "test", "covariates", "options"}  # the last two need a test that takes them
    for cls in KINDS.values():
        assert {item.name for item in fields(cls)} <= known


@KIND
def test_each_field_changes_the_description(kind):
    base = KINDS[kind]()
    plain = only(base).describe()
    for item in fields(base):
        others = [name for name in TESTS if kind in TESTS[name].questions and name != base.test] if item.name == "test" else []
        for value in others or OTHER.get(item.name, []):
            changed = only(replace(base, **{item.name: value})).describe()
            assert changed != plain, (item.name, value)


@KIND
def test_any_two_values_of_a_field_are_told_apart(kind):
    for item in fields(KINDS[kind]):
        texts = [only(KINDS[kind](**{item.name: value})).describe() for value in OTHER.get(item.name, [])]
        assert len(set(texts)) == len(texts), item.name
    names = [name for name in TESTS if kind in TESTS[name].questions]
    assert len({only(KINDS[kind](test=name)).describe() for name in names}) == len(names)


@KIND
def test_each_field_changes_the_description_of_a_whole_plan(kind):
    """Also where the other questions say the same: what is shared is said once, what differs for each."""
    plain = cc.Plan().describe()
    for name, values in OTHER.items():
        if name in {item.name for item in fields(KINDS[kind])}:
            for value in values:
                changed = replace(cc.Plan(), **{kind: KINDS[kind](**{name: value})}).describe()
                assert changed != plain, (name, value)


@pytest.mark.parametrize("family", ["visit", "all"])
def test_the_family_shows_even_without_a_correction(family):
    texts = {only(cc.ChangeWithin(adjust="none", family=name)).describe() for name in ("visit", "all")}
    assert len(texts) == 2
    assert "not be adjusted" in only(cc.ChangeWithin(adjust="none", family=family)).describe()


def test_alpha_and_the_questions_asked_change_the_description():
    texts = {cc.Plan().describe(), cc.Plan(alpha=0.01).describe()}
    for kind in QUESTIONS:
        texts.add(replace(cc.Plan(), **{kind: None}).describe())
    assert len(texts) == 5


@KIND
def test_the_rule_of_the_test_is_told_from_the_same_rule_asked_for(kind):
    asked, own = only(KINDS[kind](below_limit="half")).describe(), only(KINDS[kind]()).describe()
    assert "half the limit" in asked
    assert "half the limit" in own
    assert asked != own


def test_a_description_speaks_of_the_future_in_whole_sentences():
    text = cc.Plan(
        cc.Baseline(test="mann_whitney", adjust="holm", alternative="less"),
        cc.ChangeWithin(groups=("control",), visits=(3, 6), scale="raw"),
        cc.ChangeBetween(below_limit="drop", conf_level=0.9),
        alpha=0.01,
    ).describe()
    assert "will be" in text
    assert " were " not in text
    assert text.endswith(".")
    for words in (
        "Mann-Whitney", "Holm", "cases lower", "controls", "3 and 6", "as measured", "left out", "90%", "95%", "lowest rank",
        "0.01 or less",
    ):  # fmt: skip
        assert words in text, words
    assert "  " not in text
    assert ".." not in text
    assert "{" not in text


def test_three_visits_read_as_a_list():
    assert "3, 6 and 9" in only(cc.ChangeWithin(visits=(3, 6, 9))).describe()


# ---------------------------------------------------------------- vary


def test_vary_is_a_product_in_order():
    plan = cc.Plan(change_within=None)
    plans = plan.vary(scale=["log2", "raw"], baseline__test=["welch", "mann_whitney"], alpha=[0.05, 0.01])
    assert len(plans) == 8
    assert [(p.baseline.scale, p.change_between.scale, p.baseline.test, p.alpha) for p in plans[:3]] == [
        ("log2", "log2", "welch", 0.05),
        ("log2", "log2", "welch", 0.01),
        ("log2", "log2", "mann_whitney", 0.05),
    ]
    assert plans[-1] == cc.Plan(cc.Baseline(scale="raw", test="mann_whitney"), None, cc.ChangeBetween(scale="raw"), alpha=0.01)
    assert len(set(plans)) == 8
    assert plans[0] == plan


def test_vary_leaves_the_plan_alone():
    plan = cc.Plan()
    assert plan.vary() == (plan,)
    plan.vary(adjust=["holm"])
    assert plan == cc.Plan()
    assert plan.vary(adjust=[]) == ()


def test_vary_reaches_only_questions_that_have_the_field():
    (plan,) = cc.Plan().vary(groups=[("case",)])
    assert plan == cc.Plan(change_within=cc.ChangeWithin(groups=("case",)))
    (plan,) = cc.Plan().vary(visits=[("6",)])
    assert plan == cc.Plan(cc.Baseline(), cc.ChangeWithin(visits=("6",)), cc.ChangeBetween(visits=("6",)))
    (plan,) = cc.Plan().vary(change_between__visits=[("6",)])
    assert plan.change_within.visits is None


@pytest.mark.parametrize(
    ("choice", "match"),
    [
        ({"scales": ["log2"]}, "no question has a field 'scales'.*Did you mean 'scale'"),
        ({"baseline__groups": [("case",)]}, "no question has a field 'groups'"),
        ({"change__test": ["welch"]}, "`question` must be one of 'baseline'"),
        ({"scale": ["log3"]}, "`scale` must be one of"),
        ({"test": ["welch"]}, "`change_within: test` must be one of"),
        ({"baseline__below_limit": ["lowest_rank"]}, "cannot honour"),
        ({"alpha": [2]}, "`alpha`"),
    ],
)
def test_vary_refuses(choice, match):
    with pytest.raises(cc.OptionError, match=match):
        cc.Plan().vary(**choice)


def test_vary_refuses_a_question_that_is_not_asked():
    with pytest.raises(cc.OptionError, match="`question` must be one of 'baseline'"):
        cc.Plan(change_within=None).vary(change_within__test=["signed_rank"])


# ---------------------------------------------------------------- TOML

PLANS = [
    cc.Plan(),
    cc.Plan(change_within=None, change_between=None),
    cc.Plan(baseline=None, alpha=0.01),
    cc.Plan(
        cc.Baseline(test="mann_whitney", scale="raw", below_limit="drop", adjust="BY", family="all", alternative="less"),
        cc.ChangeWithin(test="signed_rank", groups=("control",), visits=("6", 'month "12"', "é"), conf_level=0.9, seed=3),
        cc.ChangeBetween(test="change_rank", n_resamples=99, ignore_matching=True, visits=(1,)),
        alpha=0.1,
    ),
]


@pytest.mark.parametrize("plan", PLANS)
def test_toml_round_trip(plan, tmp_path):
    text = plan.to_toml()
    assert cc.Plan.from_toml(text) == plan
    path = tmp_path / "plan.toml"
    path.write_text(text, encoding="utf-8")
    assert cc.Plan.from_toml(path) == plan
    assert cc.Plan.from_toml(str(path)) == plan
    assert cc.Plan.from_toml(text).to_toml() == text


@pytest.mark.parametrize("plan", cc.Plan().vary(scale=list(SCALES), adjust=["none", "hommel"], conf_level=[0.9, 1 / 3]))
def test_toml_keeps_every_digit(plan):
    assert cc.Plan.from_toml(plan.to_toml()) == plan


def test_numpy_numbers_can_be_written():
    plan = only(cc.Baseline(seed=np.int64(3), n_resamples=np.int32(99), conf_level=np.float64(0.9)))
    assert cc.Plan.from_toml(plan.to_toml()) == plan


def test_toml_in_parts():
    text = """
    [plan]
    adjust = "holm"
    scale = "ln"
    [plan.baseline]
    test = "mann_whitney"
    adjust = "BY"
    [plan.change_between]
    """
    assert cc.Plan.from_toml(text) == cc.Plan(
        cc.Baseline(test="mann_whitney", adjust="BY", scale="ln"), None, cc.ChangeBetween(adjust="holm", scale="ln")
    )


def test_toml_without_questions_asks_all():
    assert cc.Plan.from_toml("") == cc.Plan()
    assert cc.Plan.from_toml("alpha = 0.01") == cc.Plan(alpha=0.01)
    assert cc.Plan.from_toml('[plan]\nadjust = "none"') == cc.Plan(
        cc.Baseline(adjust="none"), cc.ChangeWithin(adjust="none"), cc.ChangeBetween(adjust="none")
    )


def test_toml_without_its_heading():
    assert cc.Plan.from_toml('[baseline]\ntest = "student"\n') == cc.Plan(cc.Baseline(test="student"), None, None)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("[plan.baseline]\ntst = 'welch'", "unknown key 'tst'. Did you mean 'test'"),
        ("[plan.base]\n", "unknown key 'base'.*Did you mean 'baseline'"),
        ("[plan]\nadjusts = 'BH'", "unknown key 'adjusts'. Did you mean 'adjust'"),
        ("[plan.baseline]\nadjust = 'fdr'", r"\[plan.baseline\]: .*Did you mean 'BH'"),
        ("[plan.baseline]\ngroups = ['case']", "unknown key 'groups'"),
        ("[plan]\nalpha = 5", r"\[plan\]: `alpha`.*Did you mean 0.05"),
        ("[plan]\nbaseline = 'welch'", r"\[plan.baseline\] must be a table; got 'welch'"),
        ("plan = 3", r"\[plan\] must be a table; got 3"),
        ("[plan\n", "no valid TOML"),
        ("[plan.baseline]\ntest = welch", "no valid TOML.*need quotes"),
    ],
)
def test_toml_that_is_refused(text, match):
    with pytest.raises(cc.OptionError, match=match):
        cc.Plan.from_toml(text)


def test_toml_from_a_file_that_is_not_there(tmp_path):
    (tmp_path / "plan.toml").write_text("", encoding="utf-8")
    with pytest.raises(cc.OptionError, match=r"no such file.*Did you mean 'plan.toml'"):
        cc.Plan.from_toml(tmp_path / "plam.toml")


def test_a_function_cannot_be_written_as_toml():
    def mine(x, y):
        raise NotImplementedError

    with pytest.raises(cc.OptionError, match=r"baseline: a test that is a function \(mine\) cannot be written"):
        cc.Plan(baseline=cc.Baseline(test=mine)).to_toml()


# ---------------------------------------------------------------- a user's own test


def welch_by_scipy(x, y):
    return st.ttest_ind(x, y, axis=-1, equal_var=False, nan_policy="omit")


def kruskal(x, y):
    return st.kruskal(x, y, axis=-1, nan_policy="omit")


def test_a_scipy_function_runs_like_a_test_of_our_own():
    study = cc.load_study("quickstart")
    mine = cc.compare_baseline(study, test=welch_by_scipy, adjust="holm").table
    ours = cc.compare_baseline(study, test="welch", adjust="holm").table
    for column in ("statistic", "df", "p_value", "p_adjusted"):
        np.testing.assert_allclose(mine[column], ours[column], rtol=1e-10)
    for column in ("n_case", "n_below_case", "mean_case", "sd_control", "hedges_g", "contrast", "note", "below_limit"):
        assert mine[column].equals(ours[column]), column
    assert (mine["test"] == "welch_by_scipy").all()
    assert (mine["estimand"] == "none").all()
    assert mine["estimate"].isna().all()
    assert (mine["conf_type"] == "").all()


def test_a_function_may_have_no_degrees_of_freedom():
    table = cc.compare_baseline(cc.load_study("quickstart"), test=kruskal, scale="raw").table
    assert table["df"].isna().all()
    assert table["p_value"].between(0, 1).all()
    assert (table["method"] == "user function kruskal").all()


def test_a_function_within_a_group_gets_pairs():
    def paired(x, y):
        return st.ttest_rel(x, y, axis=-1, nan_policy="omit")

    study = cc.load_study("quickstart")
    mine = cc.change_within(study, test=paired).table
    ours = cc.change_within(study).table
    np.testing.assert_allclose(mine["p_value"], ours["p_value"], rtol=1e-10)
    changes = cc.change_between(study, test=welch_by_scipy).table
    np.testing.assert_allclose(changes["p_value"], cc.change_between(study).table["p_value"], rtol=1e-10)


def test_a_function_is_described_and_recorded_by_its_name():
    plan = only(cc.Baseline(test=welch_by_scipy))
    assert "welch_by_scipy" in plan.describe()
    results = cc.compare_baseline(cc.load_study("quickstart"), test=welch_by_scipy)
    assert results.meta["plan"]["test"] == "welch_by_scipy"


def test_p_values_are_not_rounded_across_a_level():
    texts = {0.0503: "0.0503", 0.0498: "0.0498", 0.05: "0.0500", 0.050004: "0.050004", 0.0499996: "0.0500", 0.00304: "0.00304",
             0.0030001: "0.0030001", 0.5: "0.500", 1.0: "1.00", 1e-5: "<0.0001"}  # fmt: skip
    assert {p: p_text(p) for p in texts} == texts


def test_visits_that_are_numbers_are_called_visits():
    assert visit_names(["1", "2", "3"]) == "visits 1, 2 and 3"
    assert visit_names(["baseline", "2"]) == "baseline and visit 2"
    assert visit_names(["1+2", "3"], {"1+2": " (the mean)"}) == "visits 1+2 (the mean) and 3"
    assert visit_names(["2"]) == "visit 2"
