"""check_study on numbers: units beyond stated limits, plates, copies of columns, exchanged samples, digits, bars of outliers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.checks.facts import Facts
from cytokine_cc.checks.mixups import at_odds
from cytokine_cc.checks.plate_shifts import plate_shifts
from cytokine_cc.checks.study_checks import check_study

from .study_faults import PLANTED, stored, study_of, table


def row(report, name):
    return report.table.set_index("name").loc[name]


def verdict(report, name):
    return row(report, name)["verdict"]


def failing(report):
    return set(report.table["name"][report.table["verdict"] == "fail"])


def places(report, name):
    return report.rows[report.rows["name"] == name]


def analytes_of(frame):
    return [name for name in frame if name.startswith("A")]


def with_limits(frame, **options):
    """Read a table with limits that its sound numbers lie between."""
    sound = table(n_case=20, n_control=20, n_analytes=16, seed=2)
    names = analytes_of(sound)
    return study_of(
        frame, lower_limit=(sound[names].min() / 1.1).to_dict(), upper_limit=(sound[names].max() * 1.1).to_dict(), **options
    )


WHERE = {
    "units of plates": lambda frame: (frame["plate"] == "P2", analytes_of(frame)),
    "units of samples": lambda frame: (frame["subject"] == "S07", analytes_of(frame)),
    "one analyte": lambda frame: (frame["plate"] == "P2", ["A3"]),
}


@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("factor", [1000.0, 0.001])
def test_another_unit_is_seen_beyond_the_limits_of_the_file(where, factor):
    frame = table(n_case=20, n_control=20, n_analytes=16, seed=2)
    rows, columns = WHERE[where](frame)
    frame.loc[rows, columns] *= factor
    report = check_study(with_limits(frame))
    name = "units of plates" if where == "one analyte" else where
    assert failing(report) == {name}
    observed = row(report, name)["observed"]
    assert ("times higher" if factor > 1 else "times lower") in observed
    assert "near 1,000" in observed
    assert verdict(report, "impossible values") == "warn"
    assert ("times their upper limit" if factor > 1 else "under 1/10") in row(report, "impossible values")["observed"]
    warned = {"duplicated subjects", "mixed-up samples", "duplicated analytes"}
    warned |= {"outlying samples"} if where != "units of samples" else set()
    assert {verdict(report, other) for other in warned} == {"pass"}


def test_a_plate_is_not_blamed_for_a_group_that_lies_unevenly():
    frame = table()
    first = frame["subject"].isin([f"S{i:02d}" for i in (*range(11), *range(16, 21))])  # 11 of 16 cases, 5 of 16 controls
    frame["plate"] = np.where(first, "P1", "P2")
    frame.loc[frame["group"] == "case", analytes_of(frame)] *= 1000
    report = check_study(study_of(frame))
    assert failing(report) == {"units of samples"}
    assert "cases at before: " in row(report, "units of samples")["observed"]
    frame = table()
    frame["plate"] = np.where(first, "P1", "P2")
    frame.loc[first, "A3"] *= 1000
    report = check_study(study_of(frame))
    assert failing(report) == {"units of plates"}
    assert set(places(report, "units of plates")["analyte"]) == {"A3"}


def test_of_several_plates_the_lot_that_is_off_is_named():
    frame = table(n_case=30, n_control=30)
    frame["plate"] = "P" + (frame["subject"].str[1:].astype(int) % 5).astype(str)
    names = analytes_of(frame)
    frame.loc[frame["plate"].isin(["P1", "P3"]), names] *= 1000
    report = check_study(study_of(frame))
    assert failing(report) == {"units of plates"}
    assert places(report, "units of plates")["plate"].tolist() == ["P1", "P3"]
    assert "than plates P0, P2 and P4" in row(report, "units of plates")["observed"]


def test_plates_that_lie_in_between_are_looked_at():
    frame = table(n_case=30, n_control=30)
    number = frame["subject"].str[1:].astype(int) % 3
    frame["plate"] = "P" + number.astype(str)
    frame[analytes_of(frame)] = frame[analytes_of(frame)].mul(2.7**number, axis=0)
    report = check_study(study_of(frame))
    assert report.passed
    assert verdict(report, "units of plates") == "warn"
    assert "plate P2 is" in row(report, "units of plates")["observed"]
    assert "than plate P0" in row(report, "units of plates")["observed"]


def test_the_range_of_plates_is_that_of_any_two():
    frame = table(n_case=30, n_control=30, visits=("only",))
    number = frame["subject"].str[1:].astype(int) % 3
    frame["plate"] = "P" + number.astype(str)
    names = analytes_of(frame)
    logs = np.log(frame[names].to_numpy())
    parts = [(frame["plate"] == f"P{k}").to_numpy() for k in range(3)]
    groups = [(frame["group"] == kind).to_numpy() for kind in ("case", "control")]
    cells = np.array([[np.median(logs[part & group], axis=0) for part in parts] for group in groups])
    want = max(abs(np.median(cells[:, i] - cells[:, j])) for i, j in ((0, 1), (0, 2), (1, 2)))
    study = study_of(frame)
    found = plate_shifts(Facts(study), Facts(study).logs())
    np.testing.assert_allclose(np.nanmax(found.apart), want, rtol=1e-12)
    assert f"any two within {np.exp(want):.2f}-fold" in row(check_study(study), "units of plates")["observed"]


def test_a_plate_that_is_not_known_is_no_plate():
    frame = table()
    away = frame["subject"].isin(["S03", "S05", "S20"])
    frame.loc[away, "plate"] = ""
    frame.loc[away, analytes_of(frame)] *= 30
    observed = row(check_study(study_of(frame)), "units of plates")
    assert observed["verdict"] == "pass"
    assert observed["observed"].startswith("2 plates")


def test_single_analytes_are_not_judged_where_plate_tells_visit():
    frame = table()
    frame["plate"] = frame["visit"]
    report = check_study(study_of(frame))
    assert "single analytes not judged" in row(report, "units of plates")["observed"]
    frame.loc[frame["visit"] == "after", analytes_of(frame)] *= 20
    found = places(check_study(study_of(frame)), "units of plates")
    assert found["plate"].tolist() == ["after"]
    assert found["analyte"].tolist() == [""]


def test_an_analyte_pasted_under_two_names():
    frame = table(n_analytes=12)
    assert verdict(check_study(study_of(frame)), "duplicated analytes") == "pass"
    frame["A7"] = frame["A2"]
    report = check_study(study_of(frame))
    assert failing(report) == {"duplicated analytes"}
    assert "A2 and A7" in row(report, "duplicated analytes")["observed"]
    assert places(report, "duplicated analytes")["analyte"].tolist() == ["A2", "A7"]
    frame = table(n_analytes=12)
    frame.loc[frame["plate"] == "P1", "A7"] = frame["A2"]
    assert verdict(check_study(study_of(frame)), "duplicated analytes") == "warn"


def test_whole_numbers_make_no_copies_of_analytes_or_visits():
    frame = table(n_case=40, n_control=40, n_analytes=12)
    frame[analytes_of(frame)] = frame[analytes_of(frame)].round().clip(lower=1)
    report = check_study(study_of(frame))
    assert verdict(report, "duplicated analytes") == verdict(report, "repeated samples") == "pass"


def test_an_analyte_carried_forward_for_everyone():
    frame = table()
    frame.loc[frame["visit"] == "after", "A4"] = frame.loc[frame["visit"] == "before", "A4"].to_numpy()
    report = check_study(study_of(frame))
    assert "repeated samples" in failing(report)
    assert "A4 in 32 of 32 subjects at before and after" in row(report, "repeated samples")["observed"]
    assert places(report, "repeated samples")["analyte"].tolist() == ["A4"]


def test_an_exact_copy_hides_no_other():
    frame = table(n_case=20, n_control=20, n_analytes=20)
    names = analytes_of(frame)

    def at(name):
        return frame.index[(frame["subject"] == name) & (frame["visit"] == "before")][0]

    frame.loc[at("S11"), names] = frame.loc[at("S09"), names]
    noise = np.exp(np.random.default_rng(2).normal(0, 0.1, 20))
    frame.loc[at("S30"), names] = (frame.loc[at("S03"), names].astype(float) * noise).round(3)
    report = check_study(study_of(frame))
    assert failing(report) == {"duplicated subjects"}
    observed = row(report, "duplicated subjects")["observed"]
    assert "under two names: S09 and S11" in observed
    assert "measured twice: S03 and S30" in observed
    assert set(places(report, "duplicated subjects")["subject"]) == {"S03", "S09", "S11", "S30"}


@pytest.mark.parametrize("visit", ["b", "m1", "m6"])
def test_the_visit_of_exchanged_samples_is_named(visit):
    frame = table(n_case=20, n_control=20, n_analytes=20, visits=("b", "m1", "m6"), seed=3)
    here = frame["visit"] == visit
    turn = {"S00": "S25", "S25": "S00"}
    group = frame.drop_duplicates("subject").set_index("subject")["group"]
    frame.loc[here, "subject"] = frame.loc[here, "subject"].replace(turn)
    frame["group"] = frame["subject"].map(group)
    frame = frame.sample(frac=1, random_state=1)  # the order of a file says nothing
    report = check_study(study_of(frame, matched_on=()))
    assert verdict(report, "mixed-up samples") == "warn"
    found = places(report, "mixed-up samples")
    assert set(found["visit"]) == {visit}
    assert set(found["subject"]) == {"S00", "S25"}


def test_the_visit_at_odds():
    assert at_odds([(0, 2), (1, 2)], {(0, 1): -1.0, (0, 2): 1.0, (1, 2): 1.0}) == [2]
    assert at_odds([(0, 2)], {(0, 1): -1.0, (0, 2): 1.0, (1, 2): 0.1}) == [2]
    assert at_odds([(0, 2)], {(0, 2): 1.0}) == [0, 2]
    assert at_odds([(0, 2)], {(0, 1): -1.0, (0, 2): 1.0, (1, 2): -0.1}) == []


def test_visits_that_were_not_judged_are_said():
    frame = table(n_case=20, n_control=20, n_analytes=20, visits=("b", "m1", "m6"))
    late = frame["visit"] == "m6"
    frame.loc[late, analytes_of(frame)] = np.exp(np.random.default_rng(1).normal(3, 0.8, (int(late.sum()), 20))).round(2)
    observed = row(check_study(study_of(frame)), "mixed-up samples")["observed"]
    assert "look exchanged at 2 visits" in observed
    assert "not judged: m6" in observed


@pytest.mark.parametrize("shape", [(24, 3), (24, 30)])
def test_bars_of_outliers_cry_wolf_as_often_as_they_say(shape):
    found, bare = PLANTED["outlying_by_chance"](*shape, n=160)
    assert found < 0.09 + 3 * np.sqrt(0.09 * 0.91 / 160)
    assert found < bare


def test_zeros_under_a_stated_limit_are_looked_at():
    frame = table()
    frame.loc[[3, 9], "A1"] = 0.0
    report = check_study(study_of(frame, lower_limit={"A1": 0.5}))
    assert report.passed
    assert verdict(report, "impossible values") == "warn"
    assert "2 cells: numbers that are 0 under a limit" in row(report, "impossible values")["observed"]


def test_rows_of_wells_are_called_so(tmp_path):
    wells = pd.concat([table(visits=("only",)).assign(well=k) for k in (1, 2)]).sort_values(["subject", "well"])
    wells.iloc[7, wells.columns.get_loc("A1")] = 0.0  # the second well of S03
    wells.to_csv(tmp_path / "wells.csv", index=False)
    report = check_study(study_of(table(visits=("only",)), source=tmp_path / "wells.csv", replicate="well"))
    found = places(report, "impossible values").iloc[0]
    assert found["subject"] == "S03"
    assert found["row"] == "8"
    assert found["found"].endswith("the row is the first of the sample's")


def test_a_heap_on_one_plate_is_said_to_be():
    frame = table(n_case=30, n_control=30, digits=6)
    on = frame["plate"] == "P2"
    frame.loc[on & (frame["A1"] < frame.loc[on, "A1"].quantile(0.4)), "A1"] = 2.5
    report = check_study(study_of(frame))
    assert "numbers of A1" in row(report, "heaped values")["observed"]
    frame.loc[frame.index[~on][:10], "A1"] = 50.0
    assert row(check_study(study_of(frame)), "heaped values")["observed"].endswith("of 60 numbers of A1 on plate P2")


def uniform(n=160):
    """Return whole numbers without a favourite digit, of two sizes."""
    rng = np.random.default_rng(7)
    frame = table(n_case=n // 2, n_control=n // 2, visits=("only",), n_analytes=4)
    for name in analytes_of(frame):
        frame[name] = np.where(rng.random(n) < 0.5, rng.uniform(100, 999, n), rng.uniform(1000, 5000, n)).round(1)
    return frame


def test_mixed_decimals_are_no_preference():
    frame = uniform()
    frame.loc[frame["plate"] == "P1", analytes_of(frame)] = frame[analytes_of(frame)].round()
    assert verdict(check_study(study_of(frame)), "digit preference") == "pass"
    frame = uniform()
    frame[analytes_of(frame)] = frame[analytes_of(frame)].round()
    frame.loc[5, "A2"] = 312.44
    assert verdict(check_study(study_of(frame)), "digit preference") == "pass"


def test_numbers_on_a_grid_of_five_are_said():
    frame = uniform()
    frame["A2"] = 5 * (frame["A2"] / 5).round()
    report = check_study(study_of(frame))
    assert verdict(report, "digit preference") == "warn"
    assert row(report, "digit preference")["observed"] == "nearly all numbers of A2 are multiples of 5"
    assert places(report, "digit preference")["analyte"].tolist() == ["A2"]


def test_the_files_limits_are_kept_by_the_planted_faults():
    study = stored("henry2010")
    planted = PLANTED["FAULTS"]["plate x1000"][0](study)
    pd.testing.assert_frame_equal(planted.panel.upper_limit, study.panel.upper_limit)
    pd.testing.assert_frame_equal(planted.panel.lower_limit, study.panel.lower_limit)
    assert (planted.panel.state == cc.panel.State.EXTRAPOLATED).to_numpy().sum() > 1000
