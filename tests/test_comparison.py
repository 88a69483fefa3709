"""compare_plans: rates as certify gives them, paired errors against plain loops and brute force, the same bits in any blocks."""

from __future__ import annotations

import json
import math
import pickle
import statistics as st
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.engine import Contrast
from cytokine_cc.kernels.common import Statistics
from cytokine_cc.simulation import replicates
from cytokine_cc.simulation.comparison import DIFFERENCE_COLUMNS, PLAN_RATE_COLUMNS
from cytokine_cc.simulation.measures import JOINT, Target, measures_of, seen, tally
from cytokine_cc.simulation.paired_measures import FLAGS, GAPS, differences, measure_of, tally_pair
from cytokine_cc.simulation.plan_names import plan_names
from cytokine_cc.simulation.replicates import total_of
from cytokine_cc.simulation.shared_draws import SharedWork

# Few subjects, and an analyte mostly below its limit: with rule "drop" many rows cannot be tested.
SMALL = """
title = "Small"
[study]
cases = 6
controls = 5
visits = ["before", "after"]
[subject]
log_sd = 0.8
icc = 0.6
[analytes]
A = { mean = 10 }
B = { mean = 10, below = 0.75 }
C = { mean = 10, below = 0.3 }
D = { mean = 5 }
[group]
ratio = { C = 0.3, D = 0.4 }
[change]
case = { D = 2.5 }
[missing]
samples = 0.2
[[pattern]]
says = "one is lower"
question = "baseline"
exactly = 1
direction = "lower"
p_below = 0.05
[[pattern]]
says = "some are lower"
question = "baseline"
at_least = 2
direction = "lower"
p_below = 0.05
[[pattern]]
says = "none changes otherwise"
question = "change_between"
exactly = 0
p_below = 0.05
"""
NULL = cc.load_scenario("null").vary({"study.cases": 9, "study.controls": 7})
BASELINE = cc.Plan(change_within=None, change_between=None)
WITH_CHANGE = cc.Plan(change_within=None)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    path = tmp_path_factory.mktemp("scenario") / "small.toml"
    path.write_text(SMALL, encoding="utf-8")
    return cc.load_scenario(path)


def row(found: cc.PlanComparison, **where) -> pd.Series:
    """Return the one difference that matches."""
    rows = found.select(**where).differences
    assert len(rows) == 1, rows
    return rows.iloc[0]


def whole(found: cc.PlanComparison, measure: str, **where) -> pd.Series:
    return row(found, measure=measure, analyte="", **where)


# ---------------------------------------------------------------- rates


def own_test(x, y, axis=-1):
    gap = x.mean(axis=-1) - y.mean(axis=-1)
    return SimpleNamespace(statistic=gap, pvalue=np.exp(-3 * np.abs(gap)))


def test_the_rates_of_each_plan_are_those_of_certify_to_the_last_bit(small):
    plans = [
        cc.Plan(alpha=0.2),
        cc.Plan(cc.Baseline(adjust="holm", family="all"), cc.ChangeWithin("signed_rank", adjust="none", groups="case"), None),
        cc.Plan(cc.Baseline("mann_whitney", below_limit="drop"), None, cc.ChangeBetween(scale="raw", alternative="less")),
        cc.Plan(cc.Baseline("tobit"), cc.ChangeWithin(family="all"), cc.ChangeBetween("ancova"), alpha=0.1),
    ]
    found = cc.compare_plans(plans, small, n_sim=100, seed=3, names=["a", "b", "c", "d"])
    assert list(found.rates) == list(PLAN_RATE_COLUMNS)
    assert list(found.differences) == list(DIFFERENCE_COLUMNS)
    assert found.rates["plan"].unique().tolist() == ["a", "b", "c", "d"]
    for name, plan in zip("abcd", plans, strict=True):
        alone = cc.certify(plan, small, n_sim=100, seed=3)
        pd.testing.assert_frame_equal(found.of(name).table, alone.table, check_exact=True)
        assert found.of(name).meta == alone.meta
    keys = ["plan", "question", "contrast", "visit", "measure", "analyte"]
    assert not found.differences.duplicated(keys).any()


def test_each_difference_is_the_rate_of_the_plan_less_that_of_the_reference(small):
    plans = [WITH_CHANGE, cc.Plan(cc.Baseline("mann_whitney"), None, cc.ChangeBetween(adjust="none"))]
    found = cc.compare_plans(plans, small, n_sim=70, seed=1)
    keys = ["question", "contrast", "visit", "measure", "analyte"]
    a, b = (found.of(name).table.set_index(keys) for name in found.rates["plan"].unique()[::-1])
    frame = found.differences.set_index(keys)
    assert len(frame) > 50
    np.testing.assert_array_equal(frame["estimate"], a.loc[frame.index, "estimate"] - b.loc[frame.index, "estimate"])
    separate = np.hypot(a.loc[frame.index, "mcse"], b.loc[frame.index, "mcse"])
    np.testing.assert_array_equal(frame["mcse_independent"], separate)
    assert (frame["n_failed"] >= np.maximum(a.loc[frame.index, "n_failed"], b.loc[frame.index, "n_failed"])).all()
    assert (frame["n_sim"] == 70).all()
    # Every measure of either kind that both plans have, and that has a paired error, is there.
    shared = a.index.intersection(b.index)
    paired = {name for name, _ in (*FLAGS, *GAPS)} | {*JOINT, "emp_se"}
    assert set(frame.index) == {key for key in shared if key[3] in paired}


# ---------------------------------------------------------------- against loops over analyze


def answers(scenario, plan, seed, n):
    """By contrast the p, q, estimate, low and high of each study, analysed one at a time; NaN where there is none."""
    out: dict = {}
    for k in range(n):
        done = cc.analyze(scenario.draw(seed, k), plan)
        for question in plan.questions:
            table = getattr(done, question.kind).table
            for (label, visit), rows in table.groupby(["contrast", "visit"], sort=False):
                logs = {name: np.log2(rows[name].to_numpy(dtype=float)) for name in ("estimate", "conf_low", "conf_high")}
                p = {"p": rows["p_value"].to_numpy(dtype=float), "q": rows["p_adjusted"].to_numpy(dtype=float)}
                out.setdefault((question.kind, label, visit), []).append({**logs, **p})
    return out


def pair_error(x, y, less):
    """The root of the sum of squares of what each replicate adds to the difference; None: not usable."""
    used = [[value for value in values if value is not None] for values in (x, y)]
    n = [len(values) for values in used]
    centre = [sum(values) / len(values) if values else math.nan for values in used]
    if min(n) < 2:
        return centre[0] - centre[1], math.nan
    weight = [1 / math.sqrt(size * (size - less)) for size in n]
    moves = []
    for pair in zip(x, y, strict=True):
        parts = [0.0 if v is None else (v - c) * w for v, c, w in zip(pair, centre, weight, strict=True)]
        moves.append(parts[0] - parts[1])
    if None not in x and None not in y:  # then it is the SD of the differences over root n
        gap = [a - b for a, b in zip(x, y, strict=True)]
        plain = (st.stdev if less else st.pstdev)(gap) / math.sqrt(len(gap))
        assert math.isclose(plain, math.sqrt(sum(e * e for e in moves)), rel_tol=1e-9, abs_tol=1e-12)
    return centre[0] - centre[1], math.sqrt(sum(e * e for e in moves))


def sd_error(x, y):
    """The error of a difference of SDs, normal values; and the difference."""
    used = [[value for value in values if value is not None] for values in (x, y)]
    both = [(a, b) for a, b in zip(x, y, strict=True) if a is not None and b is not None]
    if min(len(values) for values in used) < 2:
        return math.nan, math.nan
    sd = [st.stdev(values) for values in used]
    error = [s / math.sqrt(2 * (len(values) - 1)) for s, values in zip(sd, used, strict=True)]
    rho = st.covariance(*zip(*both, strict=True)) / (sd[0] * sd[1])
    r = min(rho**2, 1.0) * len(both) / math.sqrt(len(used[0]) * len(used[1]))
    return sd[0] - sd[1], math.sqrt(error[0] ** 2 + error[1] ** 2 - 2 * r * error[0] * error[1])


def one_plan(found, effect, alpha):
    """Every measure's value in each study, by (measure, analyte)."""
    out = {}
    truth = effect / math.log(2)
    null = effect == 0
    wrong = [(s["p"] <= alpha) & null for s in found]
    right = [(s["q"] <= alpha) & ~null for s in found]
    false = [(s["q"] <= alpha) & null for s in found]
    if null.any():
        out["size", ""] = [float(hit.sum() / null.sum()) for hit in wrong]
    if not null.all():
        out["power_average", ""] = [float(hit.sum() / (~null).sum()) for hit in right]
        out["power_any", ""] = [float(hit.any()) for hit in right]
        out["power_all", ""] = [float(hit.sum() == (~null).sum()) for hit in right]
    out["FWER", ""] = [float(hit.any()) for hit in false]
    out["FDR", ""] = [float(bad.sum() / max(1, bad.sum() + good.sum())) for bad, good in zip(false, right, strict=True)]
    for j, name in enumerate("ABCD"):
        out["size" if null[j] else "power", name] = [float(hit[j]) for hit in (wrong if null[j] else right)]
        rows = [{key: float(value[j]) for key, value in s.items()} for s in found]
        tested = [not math.isnan(r["p"]) and math.isfinite(r["estimate"]) for r in rows]
        between = [ok and not math.isnan(r["conf_low"] + 0 * r["conf_high"]) for ok, r in zip(tested, rows, strict=True)]
        width = [r["conf_high"] - r["conf_low"] for r in rows]
        finite = [ok and math.isfinite(w) for ok, w in zip(between, width, strict=True)]
        out["bias", name] = [r["estimate"] - truth[j] if ok else None for ok, r in zip(tested, rows, strict=True)]
        covers = [float(r["conf_low"] - 1e-12 <= truth[j] <= r["conf_high"] + 1e-12) for r in rows]
        out["coverage", name] = [c if ok else None for ok, c in zip(between, covers, strict=True)]
        out["interval_width", name] = [w if ok else None for ok, w in zip(finite, width, strict=True)]
    return out


def judged_by(key, null):
    """The analytes that a measure is about."""
    measure, analyte = key
    if analyte:
        return [name == analyte for name in "ABCD"]
    return null if measure == "size" else null | ~null if measure in ("FWER", "FDR") else ~null


N_LOOP = 40


@pytest.fixture(scope="module")
def looped(small):
    """Two plans: what they give together, and each study analysed alone by each."""
    plans = [
        cc.Plan(cc.Baseline(below_limit="drop", adjust="none"), cc.ChangeWithin(below_limit="drop"), cc.ChangeBetween(), 0.2),
        cc.Plan(cc.Baseline("mann_whitney", below_limit="drop"), cc.ChangeWithin(), cc.ChangeBetween(adjust="holm"), 0.3),
    ]
    found = cc.compare_plans(plans, small, n_sim=N_LOOP, seed=2, names=["first", "second"])
    return plans, found, [answers(small, plan, 2, N_LOOP) for plan in plans]


def test_differences_and_errors_are_what_a_loop_over_studies_gives(small, looped):
    plans, found, loops = looped
    kinds: set = set()
    partly = 0
    for question, contrast, visit in loops[0]:
        group = contrast.rpartition(" in ")[2] if question == "change_within" else ""
        effect = np.asarray(small.effect(None if question == "baseline" else 0, group))
        both = [one_plan(own[question, contrast, visit], effect, plan.alpha) for own, plan in zip(loops, plans, strict=True)]
        own = found.select(question=question, contrast=contrast).differences
        got = {(r.measure, r.analyte): r for r in own.itertuples()}
        gone = [np.isnan([study["p"] for study in loop[question, contrast, visit]]) for loop in loops]
        untested = gone[0] | gone[1]
        wanted = {}
        for key in both[0]:
            y, x = (values[key] for values in both)
            mean = key[0] not in ("coverage",) and (key[0], key[1] == "") not in FLAGS
            failed = sum(a is None or b is None for a, b in zip(x, y, strict=True))
            wanted[key] = *pair_error(x, y, less=int(mean)), failed
            if key[0] == "bias":
                wanted["emp_se", key[1]] = *sd_error(x, y), failed
                partly += 0 < failed < N_LOOP
        assert set(got) == set(wanted)
        for key, (estimate, error, failed) in wanted.items():
            what = str((question, contrast, key))
            np.testing.assert_allclose([got[key].estimate, got[key].mcse], [estimate, error], rtol=1e-8, atol=1e-8, err_msg=what)
            if key[0] not in (*JOINT, "emp_se"):  # of rejections: which rows one of the plans could not test
                failed = int((untested[:, judged_by(key, effect == 0)]).any(axis=1).sum())
            assert got[key].n_failed == failed, what
            kinds.add(key[0])
    assert kinds == {name for name, _ in (*FLAGS, *GAPS)} - {"pattern"} | {*JOINT, "emp_se"}
    assert partly >= 4  # rows that only some replicates can use are among them


def test_patterns_differ_by_the_studies_that_show_them(looped):
    _, found, loops = looped
    shown = []
    for loop in loops:
        lower = [int(((s["p"] < 0.05) & (s["estimate"] < 0)).sum()) for s in loop["baseline", "case / control", "before"]]
        still = [not (s["p"] < 0.05).any() for s in loop["change_between", "change: case / control", "after"]]
        flags = [(n == 1, n >= 2, calm) for n, calm in zip(lower, still, strict=True)]
        shown.append(np.array([[*flag, all(flag)] for flag in flags], dtype=float))
    told_apart = 0
    for j, contrast in enumerate(["one is lower", "some are lower", "none changes otherwise", "all"]):
        gap = shown[1][:, j] - shown[0][:, j]
        told_apart += np.abs(gap).sum() > 0
        r = row(found, measure="pattern", contrast=contrast)
        assert r["estimate"] == pytest.approx(gap.mean(), abs=1e-12)
        assert r["mcse"] == pytest.approx(gap.std() / math.sqrt(N_LOOP), abs=1e-12)
    assert told_apart


# ---------------------------------------------------------------- against brute force


def contrast_of(p, estimate, half) -> Contrast:
    nan = np.full(p.shape, np.nan)
    s = Statistics(estimate, nan, estimate - half, estimate + half, nan, nan, p, nan, nan, np.sign(estimate))
    return Contrast(None, "", s, p_adjusted=p)


def test_paired_errors_are_the_spread_over_many_simulations():
    # Each analyte is a simulation of its own: 4,000 of them, of 60 replicates. The two plans correlate, and lack some each.
    rng = np.random.default_rng(5)
    n, m = 60, 4000
    shared = rng.standard_normal((n, m))
    plans = []
    for own, gone, bias in ((0.3, 0.1, 0.2), (0.5, 0.25, 0.3)):
        x = shared + own * rng.standard_normal((n, m))
        half = 0.8 + 0.3 * (0.8 * shared**2 + 0.2 * rng.standard_normal((n, m)))
        p = np.where(rng.random((n, m)) < gone, np.nan, np.exp(-np.abs(x + bias)))
        plans.append(contrast_of(p, x + bias, half))
    nothing = np.zeros(m)
    for is_null in (True, False):
        truth = np.zeros(m, dtype=bool) | is_null
        target = Target(cc.Baseline(), "case / control", "", truth, ~truth, nothing, nothing, True, False, True)
        analytes = np.arange(m).astype(str).astype(object)
        done = [total_of([[tally(plan, target, 0.3, 64)]])[0] for plan in plans]
        [pair] = total_of([[tally_pair(*(seen(plan, target, 0.3) for plan in plans), (target, target), 64)]])
        rows = [list(measures_of(target, own, analytes, n)) for own in done]
        by = {measure_of(found): found for found in differences(*rows, pair, analytes, n)}
        assert len(by) > 4
        for (measure, together), found in by.items():
            if together:
                continue
            spread = found.estimate.std()
            claimed, separate = (math.sqrt((part**2).mean()) for part in (found.mcse, found.mcse_independent))
            assert claimed == pytest.approx(spread, rel=0.05), measure  # 4,000 spreads: +-1.1% and the first order of 1 / n
            assert separate > 1.1 * spread, measure


@pytest.mark.slow
def test_paired_errors_of_all_together_are_the_spread_over_many_seeds(small):
    plans = [BASELINE, cc.Plan(cc.Baseline("mann_whitney"), None, None, alpha=0.1)]
    found = [cc.compare_plans(plans, small, n_sim=64, seed=seed, patterns=()).differences for seed in range(300)]
    whole_rows = pd.concat(found).query("analyte == ''")
    for measure, rows in whole_rows.groupby("measure"):
        claimed = math.sqrt((rows["mcse"] ** 2).mean())
        assert claimed == pytest.approx(rows["estimate"].std(), rel=0.17), measure  # four errors of an SD of 300


# ---------------------------------------------------------------- what pairing gives


def test_plans_that_are_the_same_differ_by_nothing(small):
    plan = cc.Plan(cc.Baseline("mann_whitney"), cc.ChangeWithin(), cc.ChangeBetween(below_limit="drop"))
    found = cc.compare_plans([plan, plan], small, n_sim=100, seed=1)
    frame = found.differences
    assert found.rates["plan"].unique().tolist() == ["plan 1", "plan 2"]
    assert found.meta["not_compared"] == []
    known = frame["mcse"].notna()
    assert known.sum() > 60
    assert (frame.loc[known, ["estimate", "mcse"]] == 0).all(axis=None)
    assert (frame.loc[known, "mcse_independent"] > 0).any()
    assert frame["estimate"].isna().sum() == 3  # no study has an interval there
    rest = "3 differences cannot be judged, having no Monte Carlo error."
    assert found.describe().endswith(f"No difference was seen. {rest}\nplan 2: no such difference.")


def test_pairing_makes_errors_smaller():
    henry = cc.load_scenario("henry2010")
    found = cc.compare_plans(BASELINE.vary(test=["welch", "student", "mann_whitney"]), henry, n_sim=128, seed=1)
    for name, least in (("test=student", 3), ("test=mann_whitney", 2)):
        r = whole(found, "power_average", plan=name)
        assert r["mcse_independent"] > least * r["mcse"] > 0
    bias = found.select(plan="test=student", measure="bias").differences
    assert (bias["mcse"] < 1e-6 * bias["mcse_independent"]).all()  # one estimate, two standard errors
    assert (found.differences["mcse"] <= found.differences["mcse_independent"] * (1 + 1e-9) + 1e-9).mean() > 0.95


def test_one_study_has_no_errors_and_two_have(small):
    one = cc.compare_plans(BASELINE.vary(test=["welch", "student"]), small, n_sim=1, seed=1)
    assert one.differences["mcse"].isna().all()
    apart = int((one.differences["estimate"] != 0).sum())
    assert apart > 1
    assert one.describe() == (
        "2 plans on the same study of 'small'; the reference is test=welch. "
        f"{apart} differences cannot be judged, having no Monte Carlo error.\ntest=student: nothing can be judged."
    )
    two = cc.compare_plans(BASELINE.vary(test=["welch", "student"]), small, n_sim=2, seed=1).differences
    assert two["mcse"].notna().any()


# ---------------------------------------------------------------- bits


def test_bits_do_not_depend_on_blocks_or_workers(small, monkeypatch):
    plans = WITH_CHANGE.vary(test=["welch", "mann_whitney"])
    usual = cc.compare_plans(plans, small, n_sim=200, seed=4)
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)  # blocks of one chunk
    for n_jobs in (1, 2):
        other = cc.compare_plans(plans, small, n_sim=200, seed=4, n_jobs=n_jobs)
        pd.testing.assert_frame_equal(usual.rates, other.rates, check_exact=True)
        pd.testing.assert_frame_equal(usual.differences, other.differences, check_exact=True)
        assert usual.meta == other.meta


def test_a_function_as_test_is_compared_too(tmp_path):
    plans = [BASELINE, cc.Plan(cc.Baseline(own_test), None, None)]
    found = cc.compare_plans(plans, NULL, n_sim=64, seed=1)
    pd.testing.assert_frame_equal(found.of("test=own_test").table, cc.certify(plans[1], NULL, n_sim=64, seed=1).table)
    assert set(found.differences["measure"]) == {"size", "FWER", "FDR"}
    with pytest.raises(cc.OptionError, match="no checkpoint can be kept"):
        cc.compare_plans(plans, NULL, n_sim=64, seed=1, checkpoint=tmp_path / "folder")
    assert not (tmp_path / "folder").exists()


def test_the_work_can_be_sent_to_another_process(small):
    plans = {"a": cc.Plan(), "b": cc.Plan(cc.Baseline("mann_whitney"), cc.ChangeWithin(family="all"), None)}
    work = SharedWork.prepare(plans, small, 1, True, None)
    there = pickle.loads(pickle.dumps(work))
    for here, sent in zip(work(range(3, 67)), there(range(3, 67)), strict=True):
        for a, b in zip(here, sent, strict=True):
            assert a.keys() == b.keys()
            for name in a:
                np.testing.assert_array_equal(a[name], b[name])


def test_a_study_is_drawn_once_and_what_plans_share_is_tested_once(small, monkeypatch):
    asked, drawn = [], []
    run, draw = replicates.run, replicates.Work.draw
    monkeypatch.setattr(replicates, "run", lambda questions, *a, **k: asked.append(list(questions)) or run(questions, *a, **k))
    monkeypatch.setattr(replicates.Work, "draw", lambda self, block: drawn.append(block) or draw(self, block))
    cc.compare_plans(WITH_CHANGE.vary(baseline__adjust=["BH", "holm", "none"]), small, n_sim=64, seed=1)
    assert drawn.count(range(64)) == 1
    assert [len(questions) for questions in asked] == [2, 2, 2, 2]  # each plan on one study first; then all three at once


def test_a_checkpoint_resumes_to_the_same_bits(small, monkeypatch, tmp_path):
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)
    plans = WITH_CHANGE.vary(baseline__test=["welch", "mann_whitney"])
    options = {"seed": 4, "names": ["t", "ranks"]}
    cc.compare_plans(plans, small, n_sim=128, checkpoint=tmp_path, **options)
    done, call = [], SharedWork.__call__
    monkeypatch.setattr(SharedWork, "__call__", lambda self, block: done.append(block) or call(self, block))
    resumed = cc.compare_plans(plans, small, n_sim=200, checkpoint=tmp_path, **options)
    assert done == [range(128, 192), range(192, 200)]
    plain = cc.compare_plans(plans, small, n_sim=200, **options)
    pd.testing.assert_frame_equal(resumed.differences, plain.differences, check_exact=True)
    pd.testing.assert_frame_equal(resumed.rates, plain.rates, check_exact=True)
    other = "another names"
    cc.compare_plans(plans, small, n_sim=128, checkpoint=tmp_path, seed=4, names=["t", other])  # names are no matter
    with pytest.raises(cc.OptionError, match=r"another simulation: plan 2\.plan\.baseline\.test is \"mann_whitney\" there"):
        cc.compare_plans(WITH_CHANGE.vary(baseline__test=["welch", "student"]), small, n_sim=128, seed=4, checkpoint=tmp_path)
    with pytest.raises(cc.OptionError, match="belongs to another simulation"):
        cc.certify(WITH_CHANGE, small, n_sim=128, seed=4, checkpoint=tmp_path)


# ---------------------------------------------------------------- what cannot be compared


def not_compared(found) -> list[tuple[str, ...]]:
    return [
        tuple(r[name] for name in ("plan", "question", "contrast", "visit", "measure", "why")) for r in found.meta["not_compared"]
    ]


def left_out(found) -> dict[str, str]:
    """What meta lists for the plans that are left, by reason."""
    plans = set(found.differences["plan"])
    return {r["why"]: r["measure"] for r in found.meta["not_compared"] if r["plan"] in plans}


def test_another_scale_has_no_bias_to_compare():
    found = cc.compare_plans(BASELINE.vary(scale=["log2", "raw"]), NULL, n_sim=64, seed=1)
    why = "estimates are differences on raw, those of the reference differences on log2"
    assert not_compared(found) == [
        ("scale=raw", "baseline", "case - control", "baseline", "bias, emp_se, interval_width", why)
    ]  # fmt: skip
    assert {"size", "coverage", "FWER", "FDR"} == set(found.differences["measure"])
    assert set(found.differences["contrast"]) == {"case - control"}


def test_one_side_and_two_have_other_nulls(small):
    plans = BASELINE.vary(alternative=["two-sided", "greater"])
    found = cc.compare_plans(plans, small, n_sim=64, seed=1, patterns=())
    assert left_out(found) == {
        "the two plans have different true nulls": "size, FWER, FDR",
        "the two plans have different effects": "power_average, power_any, power_all",
        "the reference does not have it for 'C', 'D'": "size",
        "the plan does not have it": "power, interval_width",
    }
    frame = found.differences
    assert not (frame["analyte"] == "").any()
    # A and B are true nulls of both; C and D only of the one-sided plan, and no effects there.
    assert set(frame.loc[frame["measure"] == "size", "analyte"]) == {"A", "B"}
    assert set(frame["measure"]) == {"size", "bias", "emp_se", "coverage"}


def test_either_side_has_effects_of_its_own(small):
    opposite = cc.compare_plans(BASELINE.vary(alternative=["less", "greater"]), small, n_sim=8, seed=1, patterns=())
    assert left_out(opposite) == {
        "the two plans have different true nulls": "size, FWER, FDR",
        "the two plans have different effects": "power_average, power_any, power_all",
        "the reference does not have it for 'C', 'D'": "size",
        "the plan does not have it": "power",
    }


def test_a_test_without_estimates_and_another_level_are_listed(small):
    plans = [BASELINE, *BASELINE.vary(test=["brunner_munzel"]), *BASELINE.vary(conf_level=[0.5])]
    found = cc.compare_plans(plans, small, n_sim=8, seed=1, patterns=(), names=["t", "ranks", "half"])
    assert left_out(found.select(plan="ranks")) == {"the plan does not have it": "bias, emp_se, coverage, interval_width"}
    assert left_out(found.select(plan="half")) == {"conf_level is 0.5, that of the reference 0.95": "coverage, interval_width"}
    assert not {"coverage", "interval_width"} & set(found.differences["measure"])
    assert "bias" in set(found.select(plan="half").differences["measure"])


def test_a_shift_is_a_difference_and_a_log_odds_ratio_is_none():
    sets = cc.load_scenario("sparano2022").vary({"study.cases": 12, "study.controls": 12})
    tests = ("stratified", "conditional_logistic", "mann_whitney")
    plans = {name: cc.Plan(cc.Baseline(name, ignore_matching=name == tests[-1]), None, None) for name in tests}
    found = cc.compare_plans(plans, sets, n_sim=8, seed=1, patterns=())
    why = "estimates are log odds ratios on log2, those of the reference differences on log2"
    assert [(r["plan"], r["measure"], r["why"]) for r in found.meta["not_compared"]] == [
        ("conditional_logistic", "bias, emp_se, interval_width", why)
    ]
    frame = found.differences
    assert "coverage" in set(frame.loc[frame["plan"] == "conditional_logistic", "measure"])
    assert "bias" in set(frame.loc[frame["plan"] == "mann_whitney", "measure"])


def test_questions_families_and_patterns_that_one_plan_lacks_are_listed(small):
    plans = {
        "all": cc.Plan(cc.Baseline(family="all"), cc.ChangeWithin(groups="case"), None),
        "other": cc.Plan(change_within=None),
    }
    found = cc.compare_plans(plans, small, n_sim=64, seed=1)
    listed = {(r["question"], r["contrast"], r["why"]) for r in found.meta["not_compared"]}
    reference, plan = "the reference does not have it", "the plan does not have it"
    assert listed == {
        ("baseline", "all", plan),
        ("change_within", "after / before in case", plan),
        ("change_between", "change: case / control", reference),
        ("change_between", "none changes otherwise", reference),
        ("all", "all", "the two plans cannot tell every pattern"),
    }
    assert set(found.differences["question"]) == {"baseline"}
    assert "one is lower" in set(found.differences["contrast"])


def test_a_plan_that_cannot_tell_a_pattern_has_no_difference_of_all_patterns(small):
    found = cc.compare_plans(BASELINE.vary(test=["welch", "student"]), small, n_sim=64, seed=1)
    assert found.select(measure="pattern").differences["contrast"].tolist() == ["one is lower", "some are lower"]
    why = "the two plans cannot tell every pattern"
    assert not_compared(found) == [("test=student", "all", "all", "", "all", why)]


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("plans", "names"),
    [
        (cc.Plan().vary(adjust=["BH", "holm"]), ("adjust=BH", "adjust=holm")),
        (cc.Plan().vary(baseline__test=["welch", "student"]), ("baseline.test=welch", "baseline.test=student")),
        (BASELINE.vary(test=["welch", "student"]), ("test=welch", "test=student")),
        (BASELINE.vary(alpha=[0.05, 0.01]), ("alpha=0.05", "alpha=0.01")),
        (
            BASELINE.vary(test=["welch", "student"], adjust=["BH", "BY"]),
            ("test=welch, adjust=BH", "test=welch, adjust=BY", "test=student, adjust=BH", "test=student, adjust=BY"),
        ),
        ([cc.Plan(), BASELINE], ("with change_within, with change_between", "without change_within, without change_between")),
        ([BASELINE] * 2, ("plan 1", "plan 2")),
        (BASELINE.vary(test=["welch", "student", "welch"]), ("test=welch", "test=student", "test=welch (2)")),
        (BASELINE.vary(below_limit=[None, "limit"]), ("below_limit=default", "below_limit=limit")),
        (
            [cc.Plan(cc.Baseline("moderated_t", options=o), None, None) for o in ({}, {"trend": True})],
            ("trend=default", "trend=True"),
        ),
        ([BASELINE, cc.Plan(cc.Baseline(own_test), None, None)], ("test=welch", "test=own_test")),
        (WITH_CHANGE.vary(change_between__visits=[None, "1"]), ("change_between.visits=default", "change_between.visits=1")),
    ],
)  # fmt: skip
def test_plans_are_named_by_what_tells_them_apart(plans, names):
    assert plan_names(plans) == names


def test_names_can_be_given():
    plans = BASELINE.vary(test=["welch", "student"])
    given = cc.compare_plans(dict(zip(("mine", "yours"), plans, strict=True)), NULL, n_sim=8, seed=1)
    named = cc.compare_plans(plans, NULL, n_sim=8, seed=1, names=["mine", "yours"])
    pd.testing.assert_frame_equal(given.differences, named.differences)
    assert given.meta["reference"] == "mine"
    assert set(given.differences["plan"]) == {"yours"}


@pytest.mark.parametrize(
    ("plans", "more", "message"),
    [
        (BASELINE, {}, r"two or more plans; got 1\. For one plan, use certify\(\)"),
        ([], {}, "two or more plans; got 0"),
        ([BASELINE, "welch"], {}, "`plans` must hold Plan objects; item 2 is str: 'welch'"),
        (7, {}, "`plans` must hold Plan objects; item 1 is int"),
        ([BASELINE] * 2, {"names": ["a", "a"]}, "`names` must be 2 different texts"),
        ([BASELINE] * 2, {"names": ["a"]}, "`names` must be 2 different texts, one for each plan; got 'a'"),
        ([BASELINE] * 2, {"names": ["a", " "]}, "`names` must be 2 different texts"),
        ([BASELINE] * 2, {"names": "xy"}, "`names` must be a list of 2 texts, one for each plan; got the one text 'xy'"),
        ({"a": BASELINE, "b": BASELINE}, {"names": ["c", "d"]}, "leave `names` out"),
        ({1: BASELINE, "2": BASELINE}, {}, "the keys of `plans` name the plans and must be texts; got 1, '2'"),
        ([BASELINE] * 2, {"n_sim": 0}, "n_sim"),
        ([BASELINE] * 2, {"n_jobs": 0}, "n_jobs"),
        ([BASELINE] * 2, {"progress": 1}, "progress"),
        ([BASELINE] * 2, {"intervals": "no"}, "intervals"),
        (
            [BASELINE, cc.Plan(cc.Baseline("stratified"), None, None)],
            {},
            "plan 'test=stratified': ",
        ),
        ([BASELINE] * 2, {"patterns": ["x"]}, "^`patterns` must hold Pattern objects; got 'x'"),
        ([BASELINE] * 2, {"patterns": "henry"}, "^`patterns` must hold Pattern objects; got 'henry'"),
        ([BASELINE] * 2, {"patterns": 3}, "^`patterns` must hold Pattern objects; got 3"),
    ],
)
def test_what_is_refused(plans, more, message):
    with pytest.raises(cc.OptionError, match=message):
        cc.compare_plans(plans, NULL, **{"n_sim": 8, "seed": 1, **more})


# ---------------------------------------------------------------- the object


@pytest.fixture(scope="module")
def compared(small):
    plans = [cc.Plan(cc.Baseline(adjust=how), None, cc.ChangeBetween(adjust=how)) for how in ("none", "BH", "bonferroni")]
    return cc.compare_plans(plans, small, n_sim=128, seed=1)


def test_select_keeps_rows_of_both_tables(compared):
    some = compared.select(question="baseline", measure=["FWER", "power_any"], plan="adjust=BH")
    assert len(some) == len(some.differences) == 2
    assert len(some.rates) == 2
    assert len(compared.select(measure="type_m").differences) == 0  # rates only
    reference = compared.select(plan="adjust=none")
    assert len(reference.differences) == 0
    assert reference.describe().endswith("the reference is adjust=none. Nothing is compared here.")
    with pytest.raises(cc.OptionError, match="no row has measure = 'power_most'"):
        compared.select(measure="power_most")
    with pytest.raises(cc.OptionError, match="mcse"):
        compared.select(mcse=1)
    with pytest.raises(cc.OptionError, match="Did you mean 'adjust=BH'"):
        compared.of("adjust=bh ")


def test_files_hold_both_tables_at_full_precision(compared, tmp_path):
    paths = compared.to_csv(tmp_path / "out")
    assert [path.name for path in paths] == ["rates.csv", "differences.csv"]
    again = cc.PlanComparison.from_csv(tmp_path / "out")
    pd.testing.assert_frame_equal(again.rates, compared.rates, check_exact=True)
    pd.testing.assert_frame_equal(again.differences, compared.differences, check_exact=True)
    assert repr(again).startswith("<PlanComparison: 3 plans on the same simulated studies; the reference is the first.")
    json.dumps(dict(compared.meta))
    with pytest.raises(cc.OptionError, match=r"none.rates\.csv: cannot be read \(No such file or directory\)"):
        cc.PlanComparison.from_csv(tmp_path / "none")
    (tmp_path / "out" / "differences.csv").write_text("a,b\n")
    with pytest.raises(cc.OptionError, match=r"out.differences\.csv: this is no table of differences: columns 'plan', "):
        cc.PlanComparison.from_csv(tmp_path / "out")
    for wrong in (3, " ", None):
        with pytest.raises(cc.OptionError, match="`folder` must be the path of a folder; got"):
            cc.PlanComparison.from_csv(wrong)
        with pytest.raises(cc.OptionError, match="`folder` must be the path of a folder; got"):
            compared.to_csv(wrong)
    with pytest.raises(cc.OptionError, match="`differences` of a comparison has the columns"):
        cc.PlanComparison(compared.rates, compared.rates)


def test_it_says_in_words_what_differs(compared):
    text = compared.describe()
    assert text.startswith("3 plans on the same 128 studies of 'small'; the reference is adjust=none. Beyond 2 paired")
    fwer = whole(compared, "FWER", plan="adjust=bonferroni", question="baseline")
    assert fwer["estimate"] < -2 * fwer["mcse"]
    (line,) = [line for line in text.splitlines() if line.startswith("adjust=bonferroni: baseline, case / control, before: ")]
    assert f"FWER lower by {-fwer['estimate']:.3g} (+-{fwer['mcse']:.3g});" in line
    assert "power by analyte lower for " in line
    assert "adjust=BH: " in text
    alone = compared.select(plan="adjust=bonferroni", measure="FWER", question="baseline").describe()
    assert "1 of 1 difference (1 in 22 would by chance)" in alone
    assert "FWER" in repr(compared)
    assert "<table" in compared._repr_html_()
    assert "adjust=bonferroni" in compared._repr_html_()


def test_a_name_with_a_carriage_return_survives_the_files(compared, tmp_path):
    odd = {name: getattr(compared, name).replace({"plan": "adjust=BH"}, "B\rH") for name in ("rates", "differences")}
    cc.PlanComparison(**odd).to_csv(tmp_path)
    again = cc.PlanComparison.from_csv(tmp_path)
    for name, frame in odd.items():
        assert "B\rH" in set(frame["plan"])
        pd.testing.assert_frame_equal(getattr(again, name), frame, check_exact=True)


@pytest.mark.parametrize(("differ", "said"), [(4, False), (5, True)])
def test_four_studies_that_tell_plans_apart_are_no_evidence(compared, differ, said):
    """All the other way in one plan: exact two-sided p 1/8 and 1/16."""
    one = compared.differences.query("measure == 'FWER'").head(1)
    for n in (300, 1000, 1024, 5000, 7777):
        for other in (0.0, 0.013, 0.92):
            estimate = (other + differ / n) - other
            mcse = math.sqrt((differ / n - estimate**2) / n)
            made = one.assign(estimate=estimate, mcse=mcse, n_sim=n)
            text = cc.PlanComparison(compared.rates, made, compared.meta).describe()
            assert ("higher by" in text) == said
            assert f"{int(said)} of 1 difference" in text
