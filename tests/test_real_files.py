"""Real tables, written by others. They stand beside the checkout (../shared/real) and are not part of the project."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc import State

REAL = Path(__file__).parent.parent.parent / "shared" / "real"
pytestmark = pytest.mark.skipif(not REAL.is_dir(), reason="real tables are not here")
WELLS, TABLE, SALIVA = REAL / "ap2023" / "wells.csv", REAL / "ap2023" / "substituted.tsv", REAL / "gohtrans2025" / "saliva.csv"


def raw_wells():
    return pd.read_csv(WELLS, encoding="utf-8-sig", keep_default_na=False, dtype=str)


def names_of(columns):
    """Concentration columns -> analyte names, repairing what the header misspells."""
    found = {column: re.sub(r"\s*Calc\..*", "", column) for column in columns if "Concentration" in column}
    return {column: name.replace("VGEF", "VEGF").replace("gama", "gamma") for column, name in found.items()}


@pytest.fixture(scope="module")
def wells():
    names = names_of(raw_wells().columns)
    return {
        zero: cc.read_panel(
            WELLS,
            layout="wide",
            subject="Subject ID",
            visit="Visit",
            plate="plate",
            replicate="Duplicate",
            analytes=names,
            codes={"NaN": "below", **({"0": "below"} if zero else {})},
            unit="pg/mL",
        )
        for zero in (False, True)
    }


def test_wells_are_averaged_by_the_rules(wells):
    raw, panel = raw_wells(), wells[False]
    assert panel.values.shape == (302, 15)
    keys = [raw["Subject ID"], raw["Visit"]]
    order = pd.MultiIndex.from_frame(panel.samples[["subject", "visit"]])
    for column, name in names_of(raw.columns).items():
        gone, number = raw[column].eq("NaN"), pd.to_numeric(raw[column].replace("NaN", ""))
        below = gone.groupby(keys).agg(["all", "any"]).reindex(order)
        want = np.where(below["all"], State.BELOW, np.where(below["any"], State.EXTRAPOLATED, State.MEASURED))
        np.testing.assert_array_equal(panel.state[name], want, err_msg=name)
        # Log of 0 is -inf and its geometric mean 0, as it should be.
        with np.errstate(divide="ignore"):
            mean = np.exp(np.log(number).groupby(keys).mean()).reindex(order)
        np.testing.assert_allclose(panel.values[name], mean, rtol=1e-12, err_msg=name)
    assert panel.lower_limit.isna().all(axis=None)


def test_wells_keep_what_describes_a_sample(wells):
    samples = wells[False].samples
    assert samples["plate"].nunique() > 1
    assert samples["Age"].dtype == np.int64
    assert set(samples["Case:1/Control:2"]) == {"case", "control"}
    assert wells[False].ignored == ()  # the mean of the two wells stands in both rows


def test_zeros_are_below_where_the_user_says_so(wells):
    plain, coded = wells[False], wells[True]
    assert (plain.values == 0).any(axis=None)
    assert not (coded.values == 0).any(axis=None)
    assert (coded.detection()["n_below"] >= plain.detection()["n_below"]).all()


def test_a_panel_of_wells_survives_its_long_table(wells):
    panel = wells[True]
    columns = {name: name for name in ("plate", "unit", "category", "lower_limit", "upper_limit")}
    again = cc.read_panel(panel.to_long(), layout="long", **columns)
    for name in ("values", "state", "lower_limit", "upper_limit", "samples", "analytes", "fallback_limit"):
        pd.testing.assert_frame_equal(getattr(again, name), getattr(panel, name), check_exact=True)


@pytest.mark.filterwarnings("ignore::cytokine_cc.errors.AnalysisWarning")
def test_wells_are_analysed(wells):
    design = cc.Design("Case:1/Control:2", "case", "control", baseline=("a", "b"), matched_on=("Gender", "Age"))
    with pytest.raises(cc.StudyError, match="wells.csv: zero and negative values have no logarithm") as caught:
        cc.analyze(cc.Study(wells[False], design))
    assert set(caught.value.failures["analyte"]) <= set(wells[False].analytes.index)
    analysis = cc.analyze(cc.Study(wells[True], design))
    table = analysis.baseline.table
    assert len(table) == 15
    assert (table["visit"] == "a+b").all()
    assert table["note"][table["p_value"].isna()].ne("").all()
    assert table.set_index("analyte").loc["GM-CSF", "p_adjusted"] < 0.01  # published: lower in cases, p < .001
    assert table.set_index("analyte").loc["GM-CSF", "estimate"] < 1
    assert len(analysis.change_between) == 15 * 4


@pytest.mark.parametrize("sep", [None, "\t"])
def test_the_authors_own_table(sep):
    names = {
        name: name.removesuffix("_Conc_Mean") for name in pd.read_csv(TABLE, sep="\t", nrows=0) if name.endswith("_Conc_Mean")
    }
    panel = cc.read_panel(TABLE, layout="wide", sep=sep, subject="SubjectID", visit="Visit", analytes=names)
    raw = pd.read_csv(TABLE, sep="\t")
    np.testing.assert_array_equal(panel.values.to_numpy(), raw[list(names)].to_numpy())
    np.testing.assert_array_equal(panel.state == State.MISSING, raw[list(names)].isna())
    assert panel.state.isin([State.MEASURED, State.MISSING]).all(axis=None)
    study = cc.Study(panel, cc.Design("case_control", 1, 2, baseline=0, visits=(6, 3), matched_on=("Gender", "agegroup")))
    assert (study.n_case, study.n_control, study.visits) == (26, 26, ("6", "3"))


def test_zeros_of_the_authors_table_are_named():
    panel = cc.read_panel(TABLE, layout="wide", subject="SubjectID", visit="Visit", analytes={"RANKL_Conc_Mean": "RANKL"})
    study = cc.Study(panel, cc.Design("case_control", 1, 2, baseline=0, visits=(6,)))
    with pytest.raises(cc.StudyError) as caught:
        cc.compare_baseline(study)
    raw = pd.read_csv(TABLE, sep="\t")
    zeros = raw[(raw["Visit"] == 0) & (raw["RANKL_Conc_Mean"] == 0)]
    assert set(caught.value.failures["subject"]) == set(zeros["SubjectID"])
    assert set(caught.value.failures["row"]) == set(zeros.index + 2)  # lines of the file


def test_three_visits_of_two_groups():
    panel = cc.read_panel(
        SALIVA,
        layout="wide",
        subject="Participat_code",
        visit="Timepoint",
        sample_columns=["#Sample_ID", "GenderID"],
        unit="pg/mL",
    )
    assert panel.values.shape == (77, 24)
    starred = panel.state.stack()[lambda state: state == State.EXTRAPOLATED]
    assert starred.index.tolist() == [("2@1year", "Ratio_IL_1b_IL_1RA")]
    study = cc.Study(panel, cc.Design("GenderID", "TW", "TM", baseline="Baseline"))
    assert (study.n_case, study.n_control, study.visits) == (12, 15, ("3months", "1year"))
    analysis = cc.analyze(study)
    assert [len(results) for results in analysis.results.values()] == [24, 24 * 2 * 2, 24 * 2]
    assert analysis.baseline.table["p_value"].notna().all()
    excluded = analysis.change_within.excluded
    assert set(excluded["subject"]) <= set(panel.samples["subject"])
    for (contrast, visit), rows in analysis.change_within.table.groupby(["contrast", "visit"]):
        group = "TW" if "case" in contrast else "TM"
        there = panel.samples[(panel.samples["GenderID"] == group) & (panel.samples["visit"] == visit)]
        n = rows["n_case"] if group == "TW" else rows["n_control"]
        assert (n == len(there)).all()


@pytest.mark.parametrize("path", sorted((REAL / "vendor").glob("*/*.*")), ids=lambda path: path.name)
def test_vendor_exports_are_refused_in_words(path):
    """Plain tables only: an export in another layout gets an error that names the file, never a wrong panel."""
    with pytest.raises(cc.CytokineError) as caught:
        cc.read_panel(path, layout="wide", subject="Sample", sample_columns=["Location"])
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 2500
