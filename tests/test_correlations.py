"""correlation_table, against R's cor and by hand."""

from __future__ import annotations

import itertools
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc

HERE = Path(__file__).parent / "reference"


@cache
def reference() -> pd.DataFrame:
    cells = pd.read_csv(HERE / "correlations.csv", dtype=str, keep_default_na=False)
    return cells.assign(r=[float(cell) if cell else np.nan for cell in cells["r"]])


@cache
def reference_study() -> cc.Study:
    panel = cc.read_panel(HERE / "correlations_data.csv", layout="wide", sample_columns=["group"])
    # The subject without any value stays: it is in no pair.
    return cc.Study(panel, cc.Design("group", "case", "control"))


def study(columns: dict[str, list], *, cases: int = 2, visits: list | None = None, **options) -> cc.Study:
    """One row a sample: the first `cases` subjects are cases."""
    n = len(next(iter(columns.values())))
    visit = ["0"] * n if visits is None else visits
    subject, seen = [], dict.fromkeys(visit, 0)
    for label in visit:
        subject.append(seen[label])
        seen[label] += 1
    frame = pd.DataFrame({"subject": subject, "visit": visit} | {name: list(map(str, cells)) for name, cells in columns.items()})
    frame["group"] = np.where(frame["subject"] < cases, "case", "control")
    panel = cc.read_panel(frame, layout="wide", sample_columns=["group"], **options)
    baseline = options.pop("baseline", tuple(dict.fromkeys(visit)) if visits else None)
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline))


# ---------------------------------------------------------------- R


@pytest.mark.parametrize(("method", "group"), list(itertools.product(["spearman", "pearson"], ["", "case", "control"])))
def test_agrees_with_r(method, group):
    rows = reference()[lambda rows: (rows["method"] == method) & (rows["group"] == group)]
    want = rows.pivot(index="row", columns="column", values="r")
    table = cc.correlation_table(reference_study(), method=method, group=group or None)
    assert len(table) == 13
    assert want.notna().to_numpy().sum() > 80
    np.testing.assert_allclose(table, want.loc[table.index, table.columns], rtol=1e-10, atol=0)


def test_a_perturbed_reference_value_turns_red():
    rows = reference()[lambda rows: (rows["method"] == "spearman") & (rows["group"] == "")]
    want = rows.pivot(index="row", columns="column", values="r")
    table = cc.correlation_table(reference_study())
    want = want.loc[table.index, table.columns] * (1 + 1e-9)
    with pytest.raises(AssertionError):
        np.testing.assert_allclose(table, want, rtol=1e-10, atol=0)


def test_who_takes_part_decides_what_is_tied():
    """The only value below 9 has no partner in B: then 5 and 6 are not under any limit."""
    data = study({"A": ["<9", 5, 6, 10, 11], "B": ["", 1, 2, 3, 4], "C": [1, 2, 3, 4, 5]})
    table = cc.correlation_table(data)
    assert table.loc["A", "B"] == 1
    ranks = [2, 2, 2, 4, 5]
    assert table.loc["A", "C"] == pytest.approx(np.corrcoef(ranks, [1, 2, 3, 4, 5])[0, 1], rel=1e-14)


# ---------------------------------------------------------------- the table


def test_panel_order_symmetry_and_unit_diagonal():
    data = cc.load_study("quickstart")
    table = cc.correlation_table(data)
    assert table.index.equals(data.analytes)
    assert table.columns.equals(data.analytes)
    np.testing.assert_array_equal(table, table.T)
    assert (np.diag(table) == 1).all()
    assert table.abs().le(1).all(axis=None)


@pytest.mark.parametrize("method", ["spearman", "pearson"])
def test_a_pair_does_not_depend_on_other_analytes(method):
    data = reference_study()
    whole = cc.correlation_table(data, method=method)
    few = ["both", "missing", "two_limits"]
    part = cc.correlation_table(data.select(analytes=few), method=method)
    np.testing.assert_allclose(part, whole.loc[few, few], rtol=1e-13 if method == "pearson" else 0, atol=0)


def test_groups_are_those_of_the_design():
    data = cc.load_study("quickstart")
    cases = data.subjects.index[data.subjects["role"] == "case"]
    panel = data.panel.select(subjects=cases, visits=["baseline"])
    values = panel.values.where(panel.state != cc.State.BELOW, -1.0)
    free = [name for name in data.analytes if (panel.state[name] == cc.State.MEASURED).all()]
    table = cc.correlation_table(data, group="case").loc[free, free]
    np.testing.assert_allclose(table, values[free].corr(method="spearman"), rtol=1e-12)


def test_visits():
    data = cc.load_study("quickstart")
    later = cc.correlation_table(data, visit="month6")
    assert not later.equals(cc.correlation_table(data))
    pd.testing.assert_frame_equal(cc.correlation_table(data, visit="baseline"), cc.correlation_table(data))
    panel = data.panel.select(visits=["month6"])
    alone = cc.Study(panel, cc.Design(data.design.group, data.design.case, data.design.control))
    pd.testing.assert_frame_equal(cc.correlation_table(alone), later)


def test_several_baseline_visits_are_averaged_on_logs():
    data = study({"A": [1, 2, 4, 8, 16, 1, 4, 1], "B": [1, 9, 3, 4, 5, 6, 7, 8]}, visits=["a"] * 4 + ["b"] * 4, unit="pg/mL")
    a, b = np.sqrt([16, 2, 16, 8]), np.sqrt([5, 54, 21, 32])
    rank_a = [3.5, 1, 3.5, 2]  # 1 x 16 and 4 x 4: one average, whatever the last bit
    assert cc.correlation_table(data).loc["A", "B"] == pytest.approx(np.corrcoef(rank_a, b.argsort().argsort())[0, 1], rel=1e-13)
    pearson = cc.correlation_table(data, method="pearson").loc["A", "B"]
    assert pearson == pytest.approx(np.corrcoef(np.log(a), np.log(b))[0, 1], rel=1e-12)
    assert cc.correlation_table(data, visit="b").loc["A", "B"] == pytest.approx(
        np.corrcoef([4, 1.5, 3, 1.5], [1, 2, 3, 4])[0, 1], rel=1e-13
    )


def test_logged_panels():
    columns = {"A": ["1", "<0.5", "3", "4", "2"], "B": ["0.5", "-1", "2", "7", "3"]}
    data = study(columns, logged="log2")
    table = cc.correlation_table(data, method="pearson")
    assert table.loc["A", "B"] == pytest.approx(np.corrcoef([1, -0.5, 3, 4, 2], [0.5, -1, 2, 7, 3])[0, 1], rel=1e-12)
    assert cc.correlation_table(data).loc["A", "B"] == pytest.approx(0.9, rel=1e-12)


def test_what_has_no_correlation():
    data = study({"A": [1, 2, 3, 4], "same": [5, 5, 5, 5], "below": ["<2"] * 4, "none": [""] * 4, "two": ["", "", 3, 4]})
    for method in ("spearman", "pearson"):
        table = cc.correlation_table(data, method=method)
        assert table.loc["A", "A"] == 1
        assert table.drop(index="A").isna().all(axis=None)
        assert table.drop(columns="A").isna().all(axis=None)


def test_a_limit_that_nothing_tells():
    data = study({"A": [1, 2, 3, 4], "B": ["OOR <", "OOR <", "OOR <", ">9"]})
    assert cc.correlation_table(data)["B"].isna().all()


def test_one_analyte_and_many():
    assert cc.correlation_table(study({"A": [1, 2, 3]}, cases=1)).to_numpy().tolist() == [[1.0]]
    rng = np.random.default_rng(3)
    values = rng.integers(1, 50, size=(60, 200)).astype(float)
    values[rng.random(values.shape) < 0.02] = np.nan
    data = study({f"a{i}": ["" if np.isnan(x) else x for x in values[:, i]] for i in range(200)}, cases=30)
    want = pd.DataFrame(values).corr(method="spearman")
    np.testing.assert_allclose(cc.correlation_table(data), want, rtol=1e-12, atol=1e-15)


# ---------------------------------------------------------------- errors


def test_zeros_where_logs_are_taken():
    data = study({"A": [1, 0, 3, 4], "B": [1, 2, 3, 4]})
    assert cc.correlation_table(data).loc["A", "B"] == pytest.approx(0.8)
    with pytest.raises(
        cc.StudyError, match=r"no logarithm: row 1, subject '1', visit '0', analyte 'A', found '0'.*or use method='spearman'"
    ):
        cc.correlation_table(data, method="pearson")
    averaged = study({"A": [1, 0, 3, 4, 5, 6], "B": [1, 2, 3, 4, 5, 6]}, visits=["a"] * 3 + ["b"] * 3, cases=1)
    with pytest.raises(cc.StudyError, match=r"analyte 'A'.*one visit of the baseline at a time"):
        cc.correlation_table(averaged)
    assert cc.correlation_table(averaged, visit="b").loc["A", "B"] == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"method": "kendall"}, "`method` must be one of 'spearman', 'pearson'; got 'kendall'"),
        ({"group": "cases"}, "`group` must be one of 'case', 'control'; got 'cases'. Did you mean 'case'"),
        ({"visit": "month 6"}, "`visit`: no visit 'month 6'; there are 'baseline', 'month6'. Did you mean 'month6'"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(cc.OptionError, match=message):
        cc.correlation_table(cc.load_study("quickstart"), **options)


def test_not_a_study():
    with pytest.raises(cc.OptionError, match="`study` must be a Study; got DataFrame"):
        cc.correlation_table(pd.DataFrame())
