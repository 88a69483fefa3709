"""The kernels, through the public verbs, against R on hard cases; see reference/README.md for the calls that made the values."""

from __future__ import annotations

import warnings
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import stdtr

import cytokine_cc as cc
from cytokine_cc.kernels.common import t_quantile
from cytokine_cc.kernels.rank_nulls import rank_sum_cdf, rank_sum_index, signed_rank_cdf, signed_rank_index

HERE = Path(__file__).parent / "reference"
RTOL = 1e-10
SIDES = {"two.sided": "two-sided", "less": "less", "greater": "greater"}
RANKS = {"mann_whitney", "signed_rank", "change_rank"}


def exact_csv(name: str, text: tuple[str, ...] = ()) -> pd.DataFrame:
    """Read every digit, which read_csv by default does not in all versions of pandas."""
    cells = pd.read_csv(HERE / name, dtype=str, keep_default_na=False)
    numbers = [column for column in cells.columns if column not in text]
    return cells.assign(
        **{column: [float(cell) if cell not in {"", "NA"} else np.nan for cell in cells[column]] for column in numbers}
    )


@cache
def reference() -> pd.DataFrame:
    return exact_csv("tests.csv", ("data", "question", "test", "scale", "alternative", "conf_level", "analyte", "exact"))


@cache
def study(name: str, baseline: str, matched: bool) -> cc.Study:
    panel = cc.read_panel(HERE / f"{name}.csv", layout="long")
    if baseline == "month6":  # the other visit on its own
        panel = panel.select(visits=["month6"])
    sets = {"matched_set": "matched_set"} if matched else {}
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline, **sets))


def answer(name: str, question: str, test: str, scale: str, alternative: str, conf_level: float) -> pd.DataFrame:
    options = dict(
        test=test, scale=scale, alternative=SIDES[alternative], conf_level=conf_level, below_limit="half", adjust="none"
    )
    paired = test in {"paired_t", "signed_rank"}
    if question.startswith("within"):
        data = study(name, "baseline", False)
        return cc.change_within(data, groups=(question.removeprefix("within_"),), **options).table
    data = study(name, "month6" if question == "month6" else "baseline", name == "pairs" and paired)
    verb = cc.change_between if question == "between" else cc.compare_baseline
    return verb(data, **options).table


GROUPS = list(reference().groupby(["data", "question", "test", "scale", "alternative", "conf_level"]).groups)


@pytest.mark.parametrize("key", GROUPS, ids=["-".join(key) for key in GROUPS])
def test_agrees_with_r(key):
    name, question, test, scale, alternative, conf_level = key
    rows = reference()
    want = rows[(rows[["data", "question", "test", "scale", "alternative", "conf_level"]] == list(key)).all(axis=1)].set_index(
        "analyte"
    )
    got = answer(name, question, test, scale, alternative, float(conf_level)).set_index("analyte")
    # R tests a single value against a group by Student's t and by ranks; we ask for two of each.
    two = want[["n_case", "n_control"]].fillna(2).min(axis=1) >= 2
    assert got.loc[want.index[~two], "p_value"].isna().all()
    want, got = want[two], got.loc[want.index[two]]
    for column in ("p_value", "statistic", "df", "estimate"):
        check(got, want, column, column)
    low, high = ("os_low", "os_high") if test in RANKS else ("conf_low", "conf_high")
    check(got, want, "conf_low", low)
    check(got, want, "conf_high", high)
    for column in ("n_case", "n_control"):
        known = want[column].notna()
        assert (got.loc[known, column].astype(int) == want.loc[known, column].astype(int)).all()
    if test in RANKS:
        exact = want["exact"] == "TRUE"
        assert (got["method"].eq("exact") == exact).all()


def check(got, want, column, reference_column):
    known = want[reference_column].notna()
    np.testing.assert_allclose(
        got.loc[known, column].astype(float), want.loc[known, reference_column], rtol=RTOL, atol=0, err_msg=column
    )


@pytest.mark.parametrize("key", GROUPS[::7], ids=["-".join(key) for key in GROUPS[::7]])
def test_rows_that_r_refuses_are_nan_with_a_note(key):
    name, question, test, scale, alternative, conf_level = key
    rows = reference()
    want = rows[(rows[["data", "question", "test", "scale", "alternative", "conf_level"]] == list(key)).all(axis=1)]
    got = answer(name, question, test, scale, alternative, float(conf_level))
    refused = got[~got["analyte"].isin(want["analyte"])]
    assert refused["p_value"].isna().all()
    assert refused["note"].str.startswith("not tested").all()


def test_a_perturbed_reference_value_turns_red():
    rows = reference()
    one = rows[(rows["data"] == "panel") & (rows["test"] == "welch") & (rows["question"] == "baseline")].iloc[:5]
    shifted = one.assign(p_value=one["p_value"] * (1 + 1e-9))
    with pytest.raises(AssertionError):
        check(one, shifted, "p_value", "p_value")


def test_adjustments_agree_with_r():
    frame = exact_csv("adjust.csv", ("case",))
    for _, rows in frame.groupby("case"):
        for method in ("none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY"):
            got = cc.adjust_pvalues(rows["p"].to_numpy(), method)
            np.testing.assert_allclose(got, rows[method], rtol=1e-13, atol=0, equal_nan=True, err_msg=method)


def test_adjustments_in_a_batch_equal_those_alone():
    frame = exact_csv("adjust.csv", ("case",))
    families = [rows["p"].to_numpy() for _, rows in frame.groupby("case")]
    width = max(map(len, families))
    padded = np.stack([np.pad(p, (0, width - len(p)), constant_values=np.nan) for p in families])
    for method in ("bonferroni", "holm", "hochberg", "hommel", "BH", "BY"):
        batch = cc.adjust_pvalues(padded, method)
        for row, p in zip(batch, families, strict=True):
            np.testing.assert_array_equal(row[: len(p)], cc.adjust_pvalues(p, method))
            assert np.isnan(row[len(p) :]).all()


def test_null_distributions_agree_with_r():
    frame = exact_csv("ranks_null.csv", ("kind",))
    for kind, m, n, q, lower, upper in frame[["kind", "m", "n", "q", "lower", "upper"]].itertuples(index=False):
        cdf = signed_rank_cdf(int(n)) if kind == "signrank" else rank_sum_cdf(int(m), int(n))
        np.testing.assert_allclose([cdf[int(q)], cdf[len(cdf) - 1 - int(q)]], [lower, upper], rtol=1e-12, atol=0)


def test_order_statistics_agree_with_r():
    frame = exact_csv("ranks_quantile.csv", ("kind",))
    for kind, m, n, p, q in frame[["kind", "m", "n", "p", "q"]].itertuples(index=False):
        size = np.array([int(n)])
        index, reached = signed_rank_index(size, p) if kind == "signrank" else rank_sum_index(np.array([int(m)]), size, p)
        assert index[0] == max(q, 1)
        assert reached[0] == (q >= 1)


def test_t_distribution_agrees_with_r():
    frame = exact_csv("t_distribution.csv", ("kind",))
    tails = frame[frame["kind"] == "p"]
    # scipy's stdtr(1, -1e-8) is off by 2e-9: a p-value of .999999990, which no one reads to ten digits.
    tails = tails[~((tails["df"] == 1) & (tails["t"] == 1e-8))]
    np.testing.assert_allclose(2 * stdtr(tails["df"], -tails["t"]), tails["two_sided"], rtol=RTOL, atol=0)
    quantiles = frame[frame["kind"] == "quantile"]
    np.testing.assert_allclose(
        -t_quantile(quantiles["df"].to_numpy(), 1 - quantiles["lower"].to_numpy()), quantiles["t"], rtol=RTOL, atol=0
    )


def test_hedges_correction_agrees_with_r():
    frame = exact_csv("hedges.csv")
    from cytokine_cc.kernels import hedges_g

    for df, j in frame.itertuples(index=False):
        n = int(df) + 2
        x = np.arange(n - 1, dtype=float)
        y = np.array([0.0])
        d = (x.mean() - 0) / np.sqrt(((x - x.mean()) ** 2).sum() / df)
        np.testing.assert_allclose(hedges_g(x, y, paired=False), d * j, rtol=1e-12)


def test_warnings_are_not_hidden():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        answer("panel", "baseline", "welch", "log2", "two.sided", 0.95)
