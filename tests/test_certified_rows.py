"""What is certified is what is run: analyze(scenario.draw(seed, k), plan) is replicate k of the certification, bit by bit."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.assembly import to_effect
from cytokine_cc.engine import run
from cytokine_cc.kernels import TESTS
from cytokine_cc.kernels.common import BASELINE, QUESTIONS
from cytokine_cc.plan import Plan
from cytokine_cc.questions import KINDS
from cytokine_cc.simulation.scenario import Scenario
from cytokine_cc.toml_files import parse_toml

from .scenario_texts import EVERYTHING

SEED, N = 11, 4
COLUMNS = ("estimate", "std_error", "conf_low", "conf_high", "statistic", "df", "p_value")
BACK = ("estimate", "conf_low", "conf_high")
CHOICES = [
    (kind, name, rule)
    for kind, (name, entry) in itertools.product(QUESTIONS, TESTS.items())
    if kind in entry.questions
    for rule in entry.rules_for(kind)
]
VARIANTS = [
    {"adjust": "holm"},
    {"scale": "ln", "family": "all", "alternative": "less"},
    {"scale": "raw", "adjust": "BY", "alternative": "greater"},
]


def more_variants(name: str, kind: str) -> list[dict]:
    """What only some tests take: covariates, and options of their own."""
    entry = TESTS[name]
    found = [{"options": {option: value}} for option, values in entry.options.items() for value in values[1:]]
    if "covariates" in entry.takes:
        found += [{"covariates": names} for names in (("Age", "Chemo"), ("plate", "BMI"))]
    return found


def is_first(kind: str, name: str, rule: str) -> bool:
    """Rules are one code for all tests, so that the others are run in long; so is the slowest test."""
    return rule == TESTS[name].rules_for(kind)[0] and name != "tobit_paired"


@pytest.fixture(scope="module")
def scenario() -> Scenario:
    """Pairs, three visits, plates, limits, missing samples and values, extrapolated numbers."""
    everything = Scenario("everything", parse_toml(EVERYTHING, "everything.toml"))
    return everything.vary({"study.controls": 12})


@pytest.fixture(scope="module")
def batch(scenario):
    return scenario.draw_arrays(SEED, range(N))


@pytest.fixture(scope="module")
def studies(scenario):
    return [scenario.draw(SEED, k) for k in range(N)]


@pytest.mark.parametrize(
    ("kind", "name", "rule"),
    [pytest.param(*choice, marks=[] if is_first(*choice) else pytest.mark.slow) for choice in CHOICES],
    ids=lambda value: str(value),
)
def test_every_test_and_rule(kind, name, rule, scenario, batch, studies):
    tested = 0
    slow = (name, rule) == ("tobit_paired", "censored")
    first = is_first(kind, name, rule)
    for i, options in enumerate(VARIANTS[:1] if slow or not first else VARIANTS + more_variants(name, kind)):
        matching = {} if TESTS[name].matched or kind not in ("baseline", "change_between") else {"ignore_matching": True}
        matching |= {"seed": 1, "n_resamples": 99} if "resamples" in TESTS[name].takes else {}
        question = KINDS[kind](test=name, below_limit=rule, **matching, **options)
        plan = Plan(**{**dict.fromkeys(QUESTIONS), kind: question})
        (contrasts,) = run(plan.questions, batch)
        for k, study in enumerate(studies[: 1 if slow else N if first and not i else 2]):
            table = cc.analyze(study, plan).results[kind].table
            for column in COLUMNS:
                own = np.concatenate([getattr(contrast.statistics, column)[k] for contrast in contrasts])
                own = to_effect(own, TESTS[name].estimand, question.scale) if column in BACK else own
                np.testing.assert_array_equal(table[column].to_numpy(), own, err_msg=f"{column} {options}")
            adjusted = np.concatenate([contrast.p_adjusted[k] for contrast in contrasts])
            np.testing.assert_array_equal(table["p_adjusted"].to_numpy(), adjusted)
            tested += int(table["p_value"].notna().sum())
    assert tested > 0


def test_the_rates_are_those_of_the_studies(scenario, studies):
    plan = Plan(baseline=cc.Baseline(ignore_matching=True, adjust="holm"), change_within=None, alpha=0.2)
    plan = plan.vary(ignore_matching=[True])[0]
    rates = cc.certify(plan, scenario, n_sim=N, seed=SEED, patterns=())
    tables = [cc.analyze(study, plan).baseline.table for study in studies]
    null = scenario.effect() == 0
    size = np.mean([(table["p_value"] <= 0.2).to_numpy()[null].mean() for table in tables])
    power = np.mean([(table["p_adjusted"] <= 0.2).to_numpy()[~null].mean() for table in tables])
    for measure, own in (("size", size), ("power_average", power)):
        row = rates.select(question=BASELINE, measure=measure, analyte="").table.iloc[0]
        assert row["estimate"] == pytest.approx(own, abs=1e-15)
    estimates = np.array([np.log2(table["estimate"].to_numpy()) for table in tables])
    truth = scenario.effect() / np.log(2)
    bias = rates.select(question=BASELINE, measure="bias").table
    np.testing.assert_allclose(bias["estimate"], np.nanmean(estimates - truth, axis=0), rtol=1e-10)
