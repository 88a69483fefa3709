"""balance_table, match_controls and their array functions: against R, brute force, and what they promise."""

from __future__ import annotations

import itertools
import pickle
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as hs

import cytokine_cc as cc
from cytokine_cc.matching import assign_controls, distance_matrix

HERE = Path(__file__).parent / "reference"
GROUPS = {"group": "group", "case": "case", "control": "control"}
COLUMNS = [
    "covariate", "level", "n_case", "n_control", "mean_case", "mean_control", "sd_case", "sd_control", "std_difference",
    "variance_ratio", "n_missing_case", "n_missing_control", "matched_on",
]  # fmt: skip


def study(*, baseline=None, more: dict | None = None, **columns) -> cc.Study:
    """Three cases, three controls at one visit, with sample columns; `more`: design."""
    n = len(next(iter(columns.values())))
    frame = pd.DataFrame({"subject": [f"s{i}" for i in range(n)], "group": ["case"] * (n // 2) + ["control"] * (n - n // 2)})
    frame = frame.assign(**columns, X="1.5")
    panel = cc.read_panel(frame, layout="wide", analytes=["X"], **({"visit": "visit"} if "visit" in columns else {}))
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline, **(more or {})))


def row(table: pd.DataFrame, covariate: str, level: str = "") -> pd.Series:
    return table[(table["covariate"] == covariate) & (table["level"] == level)].squeeze()


@cache
def from_r(name: str) -> pd.DataFrame:
    """Read every digit, which read_csv by default does not in all versions of pandas."""
    cells = pd.read_csv(HERE / f"{name}.csv", dtype=str, keep_default_na=False)
    return cells.apply(lambda column: column if column.str.contains("[A-DF-Za-df-z]").any() else column.map(number))


def number(cell: str) -> float:
    return float(cell) if cell else np.nan


@cache
def clinic() -> pd.DataFrame:
    return from_r("balance_data").set_index("subject")


@cache
def r_study() -> cc.Study:
    panel = cc.read_panel(clinic().reset_index().assign(X=1.0), layout="wide", analytes=["X"])
    return cc.Study(panel, cc.Design("group", "case", "control"))


# -- balance_table -------------------------------------------------------------------------------------------------------


def test_balance_equals_matchit():
    expected = from_r("balance").set_index("name")
    table = cc.balance_table(r_study())
    names = [f"{name}{'' if name == 'hrt' else level}" for name, level in zip(table["covariate"], table["level"], strict=True)]
    assert sorted(names) == sorted(expected.index)
    shared = list(expected.columns)
    np.testing.assert_allclose(table[shared].to_numpy(), expected.loc[names, shared].to_numpy(), rtol=1e-10, atol=0)


def test_columns_and_types_are_fixed():
    table = cc.balance_table(r_study())
    assert list(table.columns) == COLUMNS
    empty = cc.balance_table(study(visit=["1"] * 6))
    assert len(empty) == 0
    assert list(empty.dtypes) == list(table.dtypes)


def test_missing_values_are_counted_and_left_out():
    data = study(age=["60", "", "62", "50", "51", "NA"], sex=["f", "m", "", "NA", "f", "f"])
    table = cc.balance_table(data)
    age, female = row(table, "age"), row(table, "sex", "f")
    assert (age["n_case"], age["n_missing_case"], age["n_control"], age["n_missing_control"]) == (2, 1, 2, 1)
    assert (age["mean_case"], age["mean_control"]) == (61, 50.5)
    assert (female["n_case"], female["n_control"], female["mean_case"], female["mean_control"]) == (2, 2, 0.5, 1.0)
    assert female["std_difference"] == pytest.approx(-0.5 / np.sqrt(0.125), rel=1e-14)
    assert list(table.loc[table["covariate"] == "sex", "level"]) == ["f", "m"]


def test_constant_covariates():
    data = study(same=[0.1] * 6, apart=[2.0] * 3 + [1.0] * 3, half=[0.3] * 3 + [1.0, 2.0, 3.0], none=[""] * 6, one=["a"] * 6)
    table = cc.balance_table(data).set_index("covariate")
    assert table.loc["same", ["std_difference", "sd_case"]].tolist() == [0, 0]
    assert np.isnan(table.loc["same", "variance_ratio"])
    assert table.loc["apart", "std_difference"] == np.inf
    assert table.loc["half", ["sd_case", "variance_ratio"]].tolist() == [0, 0]
    assert table.loc["none", ["n_case", "n_missing_control"]].tolist() == [0, 3]
    assert np.isnan(table.loc["none", "std_difference"])
    assert table.loc["one", ["level", "mean_case", "std_difference"]].tolist() == ["a", 1.0, 0.0]


def test_one_value_has_no_variance():
    table = cc.balance_table(study(age=[60.0, np.nan, np.nan, 50, 51, 52]))
    assert table[["mean_case", "n_case"]].values.tolist() == [[60, 1]]
    assert table[["sd_case", "std_difference", "variance_ratio"]].isna().all(axis=None)


def test_matched_columns_come_first_and_roles_are_left_out():
    design = {"matched_on": ("b",), "matched_set": "set"}
    data = study(a=[1, 2, 3, 4, 5, 6], set=["x", "y", "z"] * 2, b=[1, 2, 2, 1, 2, 3], plate=["p", "q"] * 3, more=design)
    table = cc.balance_table(data)
    assert list(zip(table["covariate"], table["matched_on"], strict=True)) == [("b", True), ("a", False)]
    assert list(cc.balance_table(data, ["a", "b"])["covariate"]) == ["a", "b"]
    assert list(cc.balance_table(data, "plate")["level"]) == ["p", "q"]


def test_plate_on_request():
    frame = pd.DataFrame({"subject": list("abcd"), "group": ["case", "control"] * 2, "p": [1, 1, 2, 1], "X": [1.0] * 4})
    panel = cc.read_panel(frame, layout="wide", analytes=["X"], plate="p")
    table = cc.balance_table(cc.Study(panel, cc.Design("group", "case", "control")), ["plate"])
    assert table[["level", "mean_case", "mean_control"]].values.tolist() == [["1", 0.5, 1.0], ["2", 0.5, 0.0]]


def visits_study(baseline) -> cc.Study:
    frame = pd.DataFrame(
        [
            {"subject": f"{group}{i}", "group": group, "visit": visit, "X": 1.0}
            | {"pain": i + 10 * k, "drug": "old" if k < 2 else "new"}
            for group in ("case", "control")
            for i in range(3)
            for k, visit in enumerate(("before", "0", "6"))
            if not (i == 2 and visit == "before")
        ]
    )
    panel = cc.read_panel(frame, layout="wide", analytes=["X"])
    return cc.Study(panel, cc.Design("group", "case", "control", baseline=baseline))


def test_values_are_those_at_baseline():
    table = cc.balance_table(visits_study("0"))
    assert row(table, "pain")["mean_case"] == 11
    assert list(table["level"]) == ["", "old"]
    both = cc.balance_table(visits_study(("before", "0")))
    assert row(both, "pain")["mean_case"] == pytest.approx((5 + 6 + 12) / 3)
    assert row(both, "drug", "old")["n_case"] == 3


def test_ids_and_dates_are_one_row_unless_named():
    n = 24
    data = study(
        barcode=[f"b{i:02}" for i in range(n)], ward=[f"w{i % 12}" for i in range(n)], day=pd.date_range("2020-01-01", periods=n)
    )
    table = cc.balance_table(data)
    assert table["covariate"].value_counts(sort=False).to_dict() == {"barcode": 1, "ward": 12, "day": 1}
    own = row(table, "barcode", "24 different texts: not compared")
    assert (own["n_case"], own["n_control"]) == (12, 12)
    assert own[["mean_case", "mean_control", "std_difference", "variance_ratio"]].isna().all()
    assert len(cc.balance_table(data, ["barcode"])) == n


def test_odd_columns_neither_fail_nor_warn():
    odd = pd.DataFrame(
        {
            "id": [f"s{i}" for i in range(6)],
            "flag": [True, False] * 3,
            "grade": pd.Categorical([1, 2, 3] * 2),
            "count": pd.array([1, None, 3, 4, 5, 6], dtype="Int64"),
            "numerals": ["1", "2", "3", "4", "5", "6"],
            "endless": [np.inf, -np.inf, 1, 1, 2, 3],
            "mixed": [1, "a", None, 2.5, "a", "b"],
        }
    )
    base = study(age=[1, 2, 3, 4, 5, 6])
    table = cc.analyze(cc.Study(base.panel.join(odd, on="id"), base.design)).balance
    assert table["covariate"].value_counts(sort=False).to_dict() == {
        "age": 1, "flag": 2, "grade": 3, "count": 1, "numerals": 1, "endless": 1, "mixed": 4,
    }  # fmt: skip
    assert np.isnan(row(table, "endless")["mean_case"])
    assert row(table, "numerals")["mean_case"] == 2


def test_only_usable_subjects_count():
    data = study(age=[1, 2, 3, 4, 5, 6], set=["x", "y", "", "x", "y", "w"], more={"matched_set": "set"})
    assert cc.balance_table(data)[["n_case", "n_control", "mean_case"]].values.tolist() == [[2, 2, 1.5]]


def test_swapping_the_groups_turns_the_sign():
    there, design = cc.balance_table(r_study()), cc.Design("group", "control", "case")
    back = cc.balance_table(cc.Study(r_study().panel, design))
    np.testing.assert_array_equal(back["std_difference"], -there["std_difference"])
    np.testing.assert_allclose(back["variance_ratio"], 1 / there["variance_ratio"], rtol=1e-14)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (["Age"], r"`columns`: no sample column 'Age'; there are .*'age'.* Did you mean 'age'\?"),
        (["group"], "`columns`: 'group' has a role in the design and is no covariate."),
        (["age", "age"], "`columns` names a column twice: 'age', 'age'."),
        (3, "`columns` must be a text or a list of texts; got 3."),
    ],
)
def test_columns_that_are_refused(columns, message):
    with pytest.raises(cc.OptionError, match=message):
        cc.balance_table(r_study(), columns)


def test_balance_takes_a_study():
    with pytest.raises(cc.OptionError, match="`study` must be a Study; got DataFrame."):
        cc.balance_table(clinic())


def test_an_analysis_has_it():
    data = cc.load_study("quickstart")
    analysis = cc.analyze(data)
    pd.testing.assert_frame_equal(analysis.balance, cc.balance_table(data))
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(analysis)).balance, analysis.balance)


# -- distances and assignment ----------------------------------------------------------------------------------------------

DISTANCES = {
    "mahalanobis": ("mahalanobis", ["age", "bmi", "weight", "hrt", "chemo", "stage"]),
    "mahalanobis_numbers": ("mahalanobis", ["age", "bmi", "weight"]),
    "scaled_euclidean": ("scaled_euclidean", ["age", "bmi", "weight"]),
    "mahalanobis_age": ("mahalanobis", ["age"]),
}
RULES = {"": {}, "stage": {"exact": ["stage"]}, "age": {"caliper": {"age": 8}}}


@pytest.mark.parametrize("name", DISTANCES)
def test_distances_equal_matchit(name):
    distance, on = DISTANCES[name]
    expected = from_r("balance_distances")
    expected = expected[expected["distance"] == name].set_index(["case", "control"])["value"]
    matched = cc.match_controls(clinic(), **GROUPS, on=on, distance=distance)
    pairs = matched[(matched["group"] == "control") & (matched["matched_set"] != "")]
    keys = list(zip(pairs["matched_set"], pairs.index, strict=True))
    assert len(keys) == 14
    np.testing.assert_allclose(pairs["match_distance"], expected.loc[keys], rtol=1e-9, atol=1e-12)
    if "stage" not in on:
        x = [clinic().loc[clinic()["group"] == group, on].to_numpy() for group in ("case", "control")]
        table = expected.unstack("control")
        np.testing.assert_allclose(distance_matrix(*x, distance), table.to_numpy(), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("case", range(24))
def test_totals_equal_linear_programming(case):
    r = from_r("balance_totals").iloc[case]
    distance, on = DISTANCES[r["distance"]]
    options = {**GROUPS, "on": on, "distance": distance, "ratio": int(r["ratio"]), **RULES[r["rule"]]}
    if np.isnan(r["total"]):
        with pytest.raises(cc.StudyError, match="a case cannot have the controls asked for"):
            cc.match_controls(clinic(), **options)
    else:
        total = cc.match_controls(clinic(), **options)["match_distance"].sum()
        assert total == pytest.approx(r["total"], rel=1e-9)


def all_ways(cost: np.ndarray, ratio: int):
    """Every way to give cases up to `ratio` controls: (cases served, pairs, -total)."""
    n_case, n_control = cost.shape
    for owner in itertools.product(range(-1, n_case), repeat=n_control):
        pairs = [(i, j) for j, i in enumerate(owner) if i >= 0]
        counts = np.bincount([i for i, _ in pairs], minlength=n_case)
        total = sum(cost[pair] for pair in pairs)
        if counts.max(initial=0) <= ratio and np.isfinite(total):
            yield int((counts > 0).sum()), len(pairs), -total


@given(
    hs.integers(1, 3),
    hs.integers(1, 5),
    hs.integers(1, 3),
    hs.floats(0, 0.7),
    hs.sampled_from([1e-6, 1.0, 1e9]),
    hs.integers(0, 10**6),
)
@settings(max_examples=60, deadline=None)
def test_assignment_is_the_best_of_all(n_case, n_control, ratio, barred, unit, seed):
    rng = np.random.default_rng(seed)
    cost = rng.uniform(0, unit, (n_case, n_control))
    cost[rng.random(cost.shape) < barred] = np.inf
    best = max(all_ways(cost, ratio))
    chosen = assign_controls(cost, ratio, partial=True)
    i, place = np.nonzero(chosen >= 0)
    j = chosen[i, place]
    assert len(set(j.tolist())) == len(j)
    assert (len(set(i.tolist())), len(j)) == best[:2]
    assert cost[i, j].sum() == pytest.approx(-best[2], rel=1e-9)
    if best[1] == n_case * ratio:
        np.testing.assert_array_equal(assign_controls(cost, ratio), chosen)
        assert (np.diff(np.take_along_axis(cost, chosen, axis=1), axis=1) >= 0).all()
    else:
        with pytest.raises(cc.OptionError, match=f"of {n_case} cases cannot have {ratio} control"):
            assign_controls(cost, ratio)


@given(hs.integers(0, 10**6), hs.integers(1, 3))
@settings(max_examples=25, deadline=None)
def test_no_random_assignment_is_better(seed, ratio):
    rng = np.random.default_rng(seed)
    cost = rng.exponential(size=(8, 30))
    total = np.take_along_axis(cost, assign_controls(cost, ratio), axis=1).sum()
    for _ in range(50):
        other = rng.permutation(30)[: 8 * ratio].reshape(8, ratio)
        assert total <= np.take_along_axis(cost, other, axis=1).sum() + 1e-12


@pytest.mark.parametrize("cost", [[[np.nan]], [[-np.inf]], [1.0, 2.0]])
def test_costs_that_are_none(cost):
    with pytest.raises(cc.OptionError, match=r"`cost` must be \(cases, controls\)"):
        assign_controls(np.array(cost))


def test_assignment_of_nobody():
    assert assign_controls(np.empty((0, 4)), 2).shape == (0, 2)
    assert assign_controls(np.empty((2, 0)), 1, partial=True).tolist() == [[-1], [-1]]


def test_distance_does_not_depend_on_units():
    rng = np.random.default_rng(5)
    x, y = rng.normal(size=(6, 3)), rng.normal(size=(9, 3))
    for distance in ("mahalanobis", "scaled_euclidean"):
        plain = distance_matrix(x, y, distance)
        moved = distance_matrix(x * [1e6, 1e-6, -3] + [5, 0, 7], y * [1e6, 1e-6, -3] + [5, 0, 7], distance)
        np.testing.assert_allclose(moved, plain, rtol=1e-8)


def test_columns_that_say_nothing_new_count_nothing():
    rng = np.random.default_rng(6)
    x, y = rng.normal(size=(6, 2)), rng.normal(size=(9, 2))
    plain = distance_matrix(x, y)

    def wider(z, constant):
        return np.column_stack([z, z.sum(axis=1), np.full(len(z), constant)])

    np.testing.assert_allclose(distance_matrix(wider(x, 0.1), wider(y, 0.7)), plain, rtol=1e-8)
    assert (distance_matrix(x[:, :0], y[:, :0]) == 0).all()
    assert (distance_matrix(x[:1], y[:1]) == 0).all()  # no spread is known


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [([[1.0]], [[1.0, 2.0]], "columns alike"), ([1.0], [1.0], "columns alike"), ([[np.nan]], [[1.0]], "must be finite")],
)
def test_distances_that_are_refused(x, y, message):
    with pytest.raises(cc.OptionError, match=message):
        distance_matrix(np.array(x), np.array(y))


# -- match_controls ----------------------------------------------------------------------------------------------------------


@given(hs.integers(0, 10**6), hs.sampled_from([1, 2]), hs.sampled_from(["mahalanobis", "scaled_euclidean"]))
@settings(max_examples=20, deadline=None)
def test_sets_keep_their_promises(seed, ratio, distance):
    rng = np.random.default_rng(seed)
    n = 40
    frame = pd.DataFrame(
        {
            "group": ["case"] * 12 + ["control"] * (n - 12),
            "age": rng.normal(60, 8, n),
            "sex": rng.choice(["f", "m"], n),
            "bmi": rng.normal(27, 4, n),
        },
        index=[f"s{i}" for i in range(n)],
    )
    options = dict(**GROUPS, on=["age", "bmi"], exact=["sex"], caliper={"age": 5}, ratio=ratio, distance=distance, partial=True)
    matched = cc.match_controls(frame, **options)
    pd.testing.assert_frame_equal(matched[list(frame)], frame)
    for case, own in matched[matched["matched_set"] != ""].groupby("matched_set"):
        controls = own.drop(index=case)
        assert 1 <= len(controls) <= ratio
        assert (controls["group"] == "control").all()
        assert (controls["sex"] == own.loc[case, "sex"]).all()
        assert ((controls["age"] - own.loc[case, "age"]).abs() <= 5).all()
    full = matched[matched["group"] == "case"]["matched_set"].map(matched["matched_set"].value_counts()) == ratio + 1
    assert (
        (matched["match_note"] != "") == (~full.reindex(matched.index, fill_value=True) | (matched["matched_set"] == ""))
    ).all()
    shuffled = cc.match_controls(frame.sample(frac=1, random_state=seed), **options).loc[frame.index]
    pd.testing.assert_series_equal(shuffled["matched_set"], matched["matched_set"])


def small(**columns) -> pd.DataFrame:
    """Two cases A, B and three controls p, q, r."""
    return pd.DataFrame({"group": ["case"] * 2 + ["control"] * 3, **columns}, index=list("ABpqr"))


def test_what_is_left_says_why():
    frame = small(age=[50, 80, 52, 30, 49], sex=["f", "m", "f", "f", "f"])
    matched = cc.match_controls(frame, **GROUPS, on="age", caliper={"age": 5}, partial=True)
    assert list(matched["matched_set"]) == ["A", "", "", "", "A"]
    assert list(matched["match_note"]) == ["", "no control is within 5 of its 'age'", "not chosen", "fits no case", ""]
    matched = cc.match_controls(frame, **GROUPS, on="age", exact="sex", ratio=2, partial=True)
    assert list(matched["match_note"]) == ["", "0 of 2 controls: no control agrees on 'sex'", "", "not chosen", ""]
    assert list(matched["match_distance"].notna()) == [False, False, True, False, True]


def test_a_reason_is_true_of_what_it_names():
    frame = small(age=[50, 80, 52, 30, 40], sex=["f", "m", "m", "f", "m"])  # A: one agrees, one is near, none does both
    matched = cc.match_controls(frame, **GROUPS, on="age", exact="sex", caliper={"age": 5}, ratio=2, partial=True)
    assert matched.loc["A", "match_note"] == "0 of 2 controls: no control agrees on 'sex' and is within 5 of its 'age'"
    assert matched.loc["B", "match_note"] == "0 of 2 controls: no control is within 5 of its 'age'"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ratio": 2}, r"asked for: subject '[AB]', found '1 of 2 controls: those that would fit serve other cases'"),
        ({"ratio": 4}, r"\(2 times\): subject 'A', found '\d of 4 controls: there are no more'"),
        ({"caliper": {"age": 5}}, r"subject 'B', found \"no control is within 5 of its 'age'\". Widen `caliper`"),
        ({"caliper": {"age": 11}, "ratio": 2}, r"subject 'B', found \"1 of 2 controls: only 1 is within 11 of its 'age'\""),
    ],
)
def test_cases_without_enough_controls_are_named(options, message):
    with pytest.raises(cc.StudyError, match=message):
        cc.match_controls(small(age=[50, 62, 52, 30, 49]), **GROUPS, on=["age"], **options)


def test_a_caliper_as_a_number_is_in_sds_of_all():
    frame = small(age=[50.0, 80, 52, 30, 70], hrt=[0, 1, 0, 1, 1])
    sd = frame["age"].std()
    for slack, note in ((1e-9, ""), (-1e-9, "no control is within")):
        matched = cc.match_controls(frame, **GROUPS, on=["age", "hrt"], caliper=10 / sd + slack, partial=True)
        assert matched.loc["B", "match_note"].startswith(note)
        assert bool(matched.loc["B", "match_note"]) == bool(note)


def test_the_bound_of_a_caliper_is_allowed_but_for_rounding():
    frame = small(age=[0.3, 0.8, 0.1, 0.6, 0.6])  # .3 - .1 and .8 - .6 are not .2 to the last bit
    assert (cc.match_controls(frame, **GROUPS, on=["age"], caliper={"age": 0.2})["match_note"] == "").sum() == 4


def test_text_of_two_levels_is_as_a_0_1_column():
    frame = clinic().assign(text=lambda d: d["hrt"].map({0: "never", 1: "ever"}))
    for distance in ("mahalanobis", "scaled_euclidean"):
        ways = [cc.match_controls(frame, **GROUPS, on=["age", name], distance=distance) for name in ("hrt", "text")]
        assert ways[0]["match_distance"].sum() == pytest.approx(ways[1]["match_distance"].sum(), rel=1e-10)


def test_ids_from_a_column_and_on_to_a_study():
    data = cc.load_study("quickstart")
    table = data.panel.samples.drop_duplicates("subject")[["subject", "Group", "Age"]]
    options = dict(group="Group", case="no AIMSS", control="AIMSS", on=["Age"], subject="subject")  # 22 with 30 to choose from
    sets = cc.match_controls(table, **options)
    panel = data.panel.join(sets[["subject", "matched_set"]], on="subject")
    design = cc.Design("Group", "AIMSS", "no AIMSS", baseline="baseline", matched_set="matched_set")
    matched = cc.Study(panel, design)
    assert (matched.n_case, matched.n_control, len(matched.excluded)) == (22, 22, 8)
    before, after = (cc.balance_table(each, ["Age"])["std_difference"].abs()[0] for each in (data, matched))
    assert after < before


def refused(error, message, frame=None, **options):
    frame = small(age=[50, 62, 52, 30, 49], sex=list("fmfmf")) if frame is None else frame
    with pytest.raises(error, match=message):
        cc.match_controls(frame, **{**GROUPS, "on": ["age"], **options})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on": ["Age"]}, r"`on`: no column is named 'Age'; there are 'group', 'age', 'sex'. Did you mean 'age'\?"),
        ({"on": []}, "`on` must name at least one column."),
        ({"on": ["age", "age"]}, "`on` names a column twice"),
        ({"exact": ["group"]}, "`exact` names a column twice, or the group or subject"),
        ({"subject": "id"}, "`subject`: no column is named 'id'"),
        ({"group": "grp"}, r"`group`: no column is named 'grp'.* Did you mean 'group'\?"),
        ({"control": "case"}, "`case` and `control` must be two labels"),
        ({"distance": "euclid"}, "`distance` must be one of 'mahalanobis', 'scaled_euclidean'; got 'euclid'."),
        ({"ratio": 0}, "`ratio` must be a whole number of at least 1; got 0."),
        ({"partial": 1}, "`partial` must be True or False; got 1."),
        ({"caliper": {"sex": 1}}, "`caliper`: 'sex' has no numbers other than 0 and 1; use `exact`."),
        ({"caliper": {"agee": 1}}, r"`caliper`: 'agee' is no column of `subjects`. Did you mean 'age'\?"),
        ({"caliper": {"age": -1}}, "`caliper` must be a number of 0 or more"),
        ({"caliper": "wide"}, "`caliper` must be a number of 0 or more, or one for each column; got 'wide'."),
        ({"caliper": 1, "on": ["sex"]}, "`caliper`: no column of `on` has numbers other than 0 and 1; use `exact`."),
    ],
)
def test_options_that_are_refused(options, message):
    refused(cc.OptionError, message, **options)


def test_tables_that_are_refused():
    refused(cc.OptionError, "`subjects` must be a DataFrame, one row a subject; got list.", frame=[])
    refused(cc.OptionError, "has a column 'matched_set' already", frame=small(age=range(5), matched_set=""))
    refused(cc.StudyError, "nobody is in group 'cases'", case="cases", frame=small(age=range(5)))
    twice = small(age=range(5)).set_axis(["A", "B", "p", "A", ""], axis=0)
    refused(cc.StudyError, "(?s)2 faults.*a subject has more than one row.*the subject is blank", frame=twice)
    gaps = small(age=[50, np.nan, 52, 30, 49], sex=["f", "m", "f", "", "m"])
    message = r"a covariate is missing or infinite \(2 times\): .*column 'age', subject 'B'; column 'sex', subject 'q'"
    refused(cc.StudyError, message, frame=gaps, exact=["sex"])


def test_numbers_do_not_turn_into_labels_in_silence():
    typed = small(age=["50", "sixty", "52", "30", "49"])
    message = (
        r"a text stands among numbers: column 'age', subject 'B', found 'sixty'. Correct it, .*\['age'\].astype\('category'\)."
    )
    refused(cc.StudyError, message, frame=typed)
    refused(cc.StudyError, "a number is written with a comma: .* found '61,5'. Numbers take a point: 61.5.",
            frame=small(age=["50", "61,5", "52", "30", "49"]))  # fmt: skip
    refused(cc.StudyError, r"a number is written with a comma \(5 times\)", frame=small(age=["5,1", "6,5", "5,2", "3,0", "4,9"]))
    refused(cc.StudyError, "row 1, column 'age', subject 'B', found 'sixty'", subject="id",
            frame=typed.assign(id=list("ABpqr")).reset_index(drop=True))  # fmt: skip
    refused(cc.StudyError, "a text stands among numbers: column 'age'", on=["sex"], exact=["age"],
            frame=typed.assign(sex=list("fmfmf")))  # fmt: skip
    grade = small(grade=pd.Categorical(["1", "2", "2", "3+", "1"]))
    assert list(cc.match_controls(grade, **GROUPS, on="grade")["matched_set"]) == ["A", "B", "B", "", "A"]
    assert (cc.match_controls(small(arm=["1 mg", "2 mg", "1 mg", "2 mg", "2 mg"]), **GROUPS, on="arm")["match_note"] != "").any()


def test_texts_that_name_subjects_are_no_classes():
    n = 24
    frame = pd.DataFrame(
        {"group": ["case"] * 8 + ["control"] * (n - 8), "born": [f"19{i}-05-0{i % 9}" for i in range(50, 50 + n)]}
    )
    message = "of a column name subjects rather than classes of them: column 'born', found '24 texts among 24 subjects'"
    refused(cc.StudyError, message, frame=frame, on=["born"])
    frame["born"] = frame["born"].astype("category")
    assert (cc.match_controls(frame, **GROUPS, on=["born"])["matched_set"] != "").sum() == 16
