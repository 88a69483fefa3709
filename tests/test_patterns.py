"""Pattern: what counts as a hit, what a study then shows, and tables that say it."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.engine import Contrast, run
from cytokine_cc.kernels import Statistics
from cytokine_cc.toml_files import parse_toml

NAMES = ("IL-6", "IL-8", "TNF-a", "MCP-1")
NEEDED = {"says": "two were lower", "question": "baseline", "p_below": 0.003}


def contrast(p, estimate=None, *, adjusted=None, visit=None, group="") -> Contrast:
    """The engine's answer, as far as a pattern looks at it."""
    p = np.asarray(p, dtype=float)
    blank = np.full_like(p, np.nan)
    estimate = -np.ones_like(p) if estimate is None else np.asarray(estimate, dtype=float)
    statistics = Statistics(estimate, *[blank] * 5, p, *[np.zeros_like(p, dtype=int)] * 2, side=np.sign(estimate))
    return Contrast(visit, group, statistics, p_adjusted=p if adjusted is None else np.asarray(adjusted, dtype=float))


def pattern(**fields) -> cc.Pattern:
    return cc.Pattern(**{**NEEDED, **fields})


# ---------------------------------------------------------------- hits


def test_hits_lie_strictly_below_the_level_and_have_the_direction():
    found = [contrast([[0.001, 0.003, 0.0029, 0.0], [0.5, 0.001, np.nan, 0.002]], [[-1, -1, 1, -0.1], [-1, 0.0, np.nan, 2]])]
    hits = {way: pattern(exactly=2, direction=way).hits(found, NAMES).tolist() for way in ("lower", "higher", "any")}
    assert hits["lower"] == [[True, False, False, True], [False, False, False, False]]
    assert hits["higher"] == [[False, False, True, False], [False, False, False, True]]
    assert hits["any"] == [[True, False, True, True], [False, True, False, True]]
    assert pattern(exactly=2, direction="lower").shown_by(found, NAMES).tolist() == [True, False]
    assert pattern(exactly=2).untested(found, NAMES).tolist() == [False, True]


@pytest.mark.parametrize(
    ("count", "shown"),
    [
        ({"exactly": 2}, [False, False, True, False]),
        ({"at_least": 2}, [False, False, True, True]),
        ({"at_most": 2}, [True, True, True, False]),
        ({"exactly": 0}, [True, False, False, False]),
        ({"at_most": 0}, [True, False, False, False]),
        ({"at_least": 0}, [True, True, True, True]),
    ],
)
def test_counts(count, shown):
    p = np.full((4, 4), 0.5)
    for k in range(4):
        p[k, :k] = 0.001
    assert pattern(**count).shown_by([contrast(p)], NAMES).tolist() == shown


def test_adjusted_p_values():
    found = [contrast([[0.001, 0.001, 0.5, 0.5]], adjusted=[[0.002, 0.02, 0.5, 0.5]])]
    assert pattern(exactly=1, adjusted=True).shown_by(found, NAMES).item()
    assert pattern(exactly=2).shown_by(found, NAMES).item()


def test_analytes_count_among_themselves_and_two_patterns_make_these_and_no_others():
    found = [contrast([[0.001, 0.5, 0.001, 0.5], [0.001, 0.001, 0.5, 0.5], [0.001, 0.001, 0.001, 0.5]])]
    among = pattern(exactly=2, analytes=("TNF-a", "IL-6"))
    assert among.hits(found, NAMES).tolist()[1] == [True, False, False, False]
    assert among.shown_by(found, NAMES).tolist() == [True, False, True]
    assert (among.shown_by(found, NAMES) & pattern(exactly=2).shown_by(found, NAMES)).tolist() == [True, False, False]


def test_any_visit_counts_and_visits_can_be_named():
    found = [contrast([[0.001, 0.5, 0.5, 0.5]], visit=0), contrast([[0.001, 0.001, 0.5, 0.5]], visit=1)]
    about = {"question": "change_between", "says": "changed"}
    assert pattern(exactly=2, **about).shown_by(found, NAMES, ("1", "6")).item()
    assert pattern(exactly=2, **about).shown_by(found, NAMES).item()
    assert pattern(exactly=1, visits=1, **about).shown_by(found, NAMES, ("1", "6")).item()
    assert pattern(exactly=2, visits=(6,), **about).shown_by(found, NAMES, ("1", "6")).item()
    with pytest.raises(cc.OptionError, match="no test of change_between at visit '12'; there are tests at '1', '6'"):
        pattern(exactly=2, visits=(12,), **about).shown_by(found, NAMES, ("1", "6"))


def test_groups():
    found = [
        contrast([[0.001, 0.5, 0.5, 0.5]], visit=0, group="case"),
        contrast([[0.5, 0.5, 0.5, 0.001]], visit=0, group="control"),
    ]
    about = {"question": "change_within", "says": "changed"}
    assert pattern(exactly=2, **about).shown_by(found, NAMES).item()
    assert pattern(exactly=1, group="control", **about).hits(found, NAMES).tolist() == [[False, False, False, True]]
    with pytest.raises(cc.OptionError, match="the plan does not test change_within in group 'control'"):
        pattern(exactly=1, group="control", **about).shown_by(found[:1], NAMES)


def test_a_real_study_shows_a_pattern_or_not():
    study = cc.load_study("quickstart")
    plan = cc.Plan(change_within=None, change_between=None)
    contrasts = run(plan.questions, study.arrays)[0]
    table = cc.analyze(study, plan).baseline.table
    n = int(((table["p_value"] < 0.05) & (table["estimate"] < 1)).sum())
    assert n > 0
    shows = [pattern(p_below=0.05, direction="lower", exactly=k).shown_by(contrasts, list(study.analytes)) for k in (n, n + 1)]
    assert [bool(flag) for flag in shows] == [True, False]


def test_a_direction_needs_estimates():
    found = [contrast([[0.5, np.nan]], [[np.nan, np.nan]])]
    assert pattern(exactly=0).shown_by(found, NAMES[:2]).item()
    with pytest.raises(cc.OptionError, match="'two were lower': the direction 'lower' cannot be told"):
        pattern(exactly=0, direction="lower").shown_by(found, NAMES[:2])


def test_an_analyte_that_is_not_there():
    with pytest.raises(cc.OptionError, match="no analyte 'IL6'; there are 'IL-6', .* Did you mean 'IL-6'"):
        pattern(exactly=1, analytes="IL6").hits([contrast([[0.1] * 4])], NAMES)


# ---------------------------------------------------------------- fields and tables


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "a pattern takes one of 'exactly', 'at_least', 'at_most'; got nothing."),
        ({"exactly": 1, "at_least": 1}, "a pattern takes one of 'exactly', 'at_least', 'at_most'; got 'exactly', 'at_least'."),
        ({"exactly": -1}, "`exactly` must be a whole number of at least 0; got -1."),
        ({"exactly": True}, "`exactly` must be a whole number of at least 0; got True."),
        ({"exactly": 1, "says": " "}, "`says` must be a text, the sentence that the pattern stands for; got ' '."),
        (
            {"exactly": 1, "question": "base"},
            "`question` must be one of 'baseline', 'change_within', 'change_between'; got 'base'. Did you mean 'baseline'?",
        ),
        (
            {"exactly": 1, "direction": "down"},
            "`direction` must be one of 'lower', 'higher', 'any'; got 'down'. Did you mean 'lower'?",
        ),
        (
            {"exactly": 1, "p_below": 3},
            "`p_below` must be a number between 0 and 1, such as 0.05 or 0.95; got 3. Did you mean 0.03?",
        ),
        ({"exactly": 1, "adjusted": 1}, "`adjusted` must be True or False; got 1."),
        ({"exactly": 1, "analytes": ()}, "`analytes` must name one or more analytes, once each; got ()."),
        ({"exactly": 1, "analytes": ["a", "a"]}, "`analytes` must name one or more analytes, once each; got ['a', 'a']."),
        ({"exactly": 1, "analytes": [1]}, "`analytes` must be a text or a list of texts; got [1]."),
        ({"exactly": 3, "analytes": ["a", "b"]}, "`exactly` is 3, but `analytes` names only 2: no study can show that."),
        ({"exactly": 1, "visits": [1]}, "a pattern about baseline takes no `visits`: they are later visits. Leave them out."),
        ({"exactly": 1, "group": "case"}, "`group` is for change_within; baseline compares the groups. Leave it out."),
        (
            {"exactly": 1, "question": "change_within", "visits": [1, "1"]},
            "`visits` must name one or more visits, once each; got [1, '1'].",
        ),
    ],
)
def test_what_is_not_allowed(fields, message):
    with pytest.raises(cc.OptionError) as error:
        pattern(**fields)
    assert str(error.value) == message
    with pytest.raises(cc.OptionError) as error:
        cc.Pattern.from_table({**NEEDED, **fields}, "s.toml: [[pattern]] 2")
    assert str(error.value) == f"s.toml: [[pattern]] 2: {message}"


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (["x"], "s.toml: [[pattern]] 2 must be a table; got ['x']."),
        ({"says": "x", "exactly": 1}, "s.toml: [[pattern]] 2 lacks 'question', 'p_below'; a pattern needs "),
        ({**NEEDED, "exact": 1}, "s.toml: [[pattern]] 2 has unknown key 'exact'. Did you mean 'exactly'? Allowed: 'says', "),
    ],
)
def test_tables_that_are_none(table, message):
    with pytest.raises(cc.OptionError) as error:
        cc.Pattern.from_table(table, "s.toml: [[pattern]] 2")
    assert str(error.value).startswith(message)


def test_tables_go_there_and_back():
    import tomli_w

    full = cc.Pattern(
        says="as  printed,\n with a break", question="change_within", at_most=0, p_below=0.05, direction="higher", adjusted=True,
        analytes=("IL-6", "IL-8"), visits=(1, 6.0), group="case",
    )  # fmt: skip
    assert full.says == "as printed, with a break"
    assert full.visits == ("1", "6")
    assert full.number == ("at_most", 0)
    for given in (full, pattern(exactly=2)):
        table = given.to_table()
        assert None not in table.values()
        assert cc.Pattern.from_table(parse_toml(tomli_w.dumps(table), "x"), "x") == given
        assert hash(cc.Pattern.from_table(table, "x")) == hash(given)
    assert pattern(exactly=2).to_table() == {**NEEDED, "exactly": 2}


def test_a_pattern_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        pattern(exactly=2).exactly = 3
