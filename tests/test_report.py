"""The report: what stands on the page, against the tables that it shows."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.config import find_study, read_study_file
from cytokine_cc.report.checklist import items
from cytokine_cc.report.document import Picture, Table
from cytokine_cc.report.limitations import limitations
from cytokine_cc.report.measured_sections import detection_section
from cytokine_cc.report.page import page_html, svg_of
from cytokine_cc.report.phrases import level_words, listed, part, span
from cytokine_cc.report.pictures import MOST_ROWS, smallest
from cytokine_cc.report.reproduction import reproduce
from cytokine_cc.report.result_sections import correction_section, families_frame
from cytokine_cc.report.study_sections import cells_frame, flow_frame, flow_section
from cytokine_cc.report.summary import summary_text
from cytokine_cc.report.writing import report_html
from cytokine_cc.words import percent

from .report_studies import DATE, UNSAVED, analysis_of, blocks, facts, in_pairs, only, page, table, wide, words

KEYS = [
    "design", "found", "flow", "balance", "detection", "plates", "levels", "baseline", "change_within", "change_between",
    "correlation-section", "correction", "methods", "limitations", "record", "checklist",
]  # fmt: skip
SVG_OF = svg_of
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module", autouse=True)
def unsaved():
    """Pictures are drawn, but not saved; a test that looks at them asks for `saved`."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cytokine_cc.report.page.svg_of", lambda ax: UNSAVED)
        yield


@pytest.fixture
def saved(monkeypatch):
    monkeypatch.setattr("cytokine_cc.report.page.svg_of", SVG_OF)


def undrawn(analysis, **more):
    """The page with captions and data of its pictures, which other tests draw."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "cytokine_cc.report.pictures._picture",
            lambda key, caption, alt, draw, data: Picture(key, caption, alt, UNSAVED, data),
        )
        return page(analysis, **more)


@pytest.fixture(scope="module")
def henry():
    read = read_study_file(find_study("henry2010"))
    analysis = cc.analyze(read.study, read.plan)
    return analysis, undrawn(analysis, inputs=read.inputs, settings=read.content)


@pytest.fixture(scope="module")
def quick():
    analysis = cc.analyze(cc.load_study("quickstart"))
    return analysis, page(analysis)


# --- the page against its tables


def test_sections_stand_in_order(henry, quick):
    assert [section.key for section in quick[1].sections] == KEYS
    assert [section.key for section in henry[1].sections] == [*KEYS[:14], "published", *KEYS[14:]]


@pytest.mark.parametrize("which", ["henry", "quick"])
def test_result_tables_are_those_of_the_analysis(which, request):
    analysis, shown = request.getfixturevalue(which)
    for kind, results in analysis.results.items():
        own = table(shown, f"results-{kind}")
        frame = own.frame
        once = [name for name in results.table.columns if name not in frame]
        assert {"test", "scale", "below_limit", "adjust"} <= set(once)
        assert all(f"{name} {results.table[name].iloc[0] or 'none'}" in own.note for name in once)
        pd.testing.assert_frame_equal(
            frame[[c for c in results.table.columns if c not in once]], results.table.drop(columns=once)
        )
        assert frame["significant"].tolist() == (results.table["p_adjusted"] <= analysis.plan.alpha).tolist()
        n = frame["n_case"].astype(float)
        np.testing.assert_allclose(frame["below_case"], frame["n_below_case"].astype(float) / n)


def test_what_was_found_is_counted_and_named(henry, quick):
    text = words(henry[1], "found")
    hits = henry[0].baseline.significant(0.003).table.sort_values("p_value")
    assert (
        f"Baseline, AIMSS against no AIMSS at baseline: of 36 tested analytes, {len(hits)} are significant. Lower in cases: "
        in text
    )
    places = [text.index(f"{name} (ratio ") for name in hits["analyte"]]
    assert places == sorted(places)
    assert (
        "Change between groups, none significant: change from baseline to month1, AIMSS against no AIMSS (36 analytes tested); "
        "change from baseline to month6, AIMSS against no AIMSS (36 analytes tested)."
    ) in text
    assert "p of 0.003 or less, not adjusted" in text
    text = words(quick[1], "found")
    assert "BH-adjusted p of 0.05 or less" in text
    assert (
        "month6 against baseline in cases (AIMSS): of 18 tested analytes, 2 are significant. Lower than at baseline: IL-7" in text
    )
    for word in ("because", "cause", "due to", "effect", "leads"):
        assert word not in text


def test_flow_counts_subjects_and_cells(henry):
    analysis, shown = henry
    frame = flow_frame(analysis).set_index("step")
    assert frame.loc["subjects in the file"].tolist() == [52, 30, 22]
    assert frame.loc["of these with a sample at month1"].tolist() == [48, 26, 22]
    assert table(shown, "flow-subjects").frame.equals(flow_frame(analysis))
    counts = cells_frame(analysis)
    for (title, visit), rows in counts.groupby(["question", "visit"]):
        absent = int(rows["samples"].fillna(0).sum())
        assert int(rows["values"].sum()) == 36 * (52 - absent), (title, visit)
    assert int(counts.loc[counts["what"] == "entered", "values"].sum()) == sum(
        int(results.table[["n_case", "n_control"]].sum().sum()) for results in analysis.results.values()
    )


def test_table_1_prints_what_balance_holds(henry):
    analysis, shown = henry
    own = table(shown, "table-1")
    pd.testing.assert_frame_equal(own.frame[list(analysis.balance.columns)].drop(columns=[]), analysis.balance)
    row = own.frame.set_index(["covariate", "level"]).loc[("Drug", "exemestane")]
    assert (row["case"], row["control"]) == ("12 (40%)", "13 (59%)")
    age = own.frame.set_index("covariate").loc["Age"]
    assert age["case"] == "61.9 (9.66)"
    assert age["matched"] == "yes"
    assert "There are no p-values" in own.note
    assert "over the root mean square of the groups' SDs (infinite where neither group varies and they differ)" in own.note
    assert not any("p" == column.kind for column in own.columns)


def test_detection_and_levels_are_descriptives(quick):
    analysis, shown = quick
    pd.testing.assert_frame_equal(table(shown, "descriptives").frame.drop(columns="label"), analysis.descriptives)
    first = analysis.descriptives[analysis.descriptives["visit"] == "baseline"].set_index(["analyte", "group"])
    for row in table(shown, "detection-table").frame.itertuples():
        assert row.below_case == first.loc[(row.analyte, "case"), "below"]
        assert row.n_missing_control == first.loc[(row.analyte, "control"), "n_missing"]


def test_pictures_say_what_they_show(henry, quick):
    for analysis, shown in (henry, quick):
        pictures = blocks(shown, Picture)
        keys = [picture.key for picture in pictures]
        assert len(set(keys)) == len(keys)
        for picture in pictures:
            assert len(picture.alt) > 40
            assert picture.caption
            assert len(picture.data)
        volcano = next(picture for picture in pictures if picture.key == "volcano")
        hits = analysis.baseline.significant(analysis.plan.alpha).table
        assert all(name in volcano.alt for name in hits["analyte"])
        assert f"{len(hits)} of {len(analysis.study.analytes)} significant" in volcano.alt
    keys = {picture.key for picture in blocks(quick[1], Picture)}
    assert keys >= {"samples", "balance-picture", "detection-picture", "plates-picture", "volcano", "forest", "distributions",
                    "change", "lines-1", "lines-2", "lines-3", "forest-change-1", "correlation", "p-values-baseline"}  # fmt: skip


def test_families_and_what_they_promise(quick, henry):
    frame = families_frame(quick[0])
    assert frame["tests"].tolist() == [18, 18, 18, 18]
    assert frame["significant"].sum() == sum((r.table["p_adjusted"] <= 0.05).sum() for r in quick[0].results.values())
    text = words(quick[1], "correction")
    assert "a share of at most 0.05 is expected to be false" in text
    assert "There are 4 families with 72 tests in all." in text
    assert "about 0.324 of 108 tests would still have p <= 0.003" in words(henry[1], "correction")
    plan = cc.Plan(change_between=None, baseline=None, change_within=cc.ChangeWithin(family="all", adjust="holm"))
    one = families_frame(cc.analyze(quick[0].study, plan))
    assert one[["tests", "groups", "method"]].values.tolist() == [[36, "all comparisons", "Holm"]]


def test_methods_are_those_of_the_analysis(henry):
    assert words(henry[1], "methods") == henry[0].describe()


def test_simulated_data_are_called_so_first(henry, quick):
    for analysis, shown in (henry, quick):
        assert shown.banner.startswith("The data are simulated (")
        assert limitations(analysis)[0].startswith("The data are simulated (")
    assert "270 of whose 318 values are assumed; which ones is told under Published" in henry[1].banner
    assert "Drug: exemestane -0.39" in words(henry[1], "limitations")
    measured = page(analysis_of(wide()))
    assert measured.banner == ""
    assert "simulated" not in words(measured, "design")


def test_record(henry):
    shown = henry[1]
    assert facts(shown, "record")["Date"] == "2026-03-01T00:00:00+00:00"
    assert table(shown, "inputs").frame["file"].tolist() == ["study.toml", "panel.csv", "clinical.csv"]
    plan = table(shown, "plan").frame.set_index("name")["value"]
    assert (plan["alpha"], plan["baseline.test"], plan["baseline.below_limit"]) == ("0.003", "student", "half")
    assert "data.category.EGF" in set(table(shown, "settings").frame["name"])


# --- published beside reproduced


def test_published_beside_reproduced(henry):
    frame = table(henry[1], "published-table").frame
    assert frame["shown"].tolist() == ["yes", "yes"]
    assert frame["here"].iloc[0].startswith("6 of 36 lower at p < 0.003: IL-12p40")
    assert "often" not in frame
    own = facts(henry[1], "published")
    assert own["How this draw came to be shown"].startswith("The draw was picked: it is the first of its seed")
    assert own["Cases"] == "published 30, here 30"
    origins = table(henry[1], "origins").frame
    sourced = origins[origins["origin"] == "sourced"].set_index("source")
    assert sourced.loc["Henry 2010, abstract", "keys"] == "study.cases and study.controls"
    assert sourced.loc["median of 40 controls, Sci Rep 2026, s41598-026-42925-x", "keys"] == "analytes.mean (14)"
    assert origins["values"].sum() == 318


def test_frequencies_stand_beside_a_reproduction():
    found = reproduce(cc.load_scenario("henry2010"), n_sim=16)
    shown = undrawn(cc.analyze(found.study, found.scenario.plan), reproduction=found)
    own = table(shown, "published-table")
    rates = found.rates.select(measure="pattern").table.set_index("contrast")
    for row in own.frame.itertuples():
        assert row.often.startswith(f"{rates.loc[row.published, 'estimate']:.1%}")
    assert "All of it together: " in own.note
    assert "16 simulated studies" in own.note
    assert facts(shown, "published")["How this draw came to be shown"] == found.choice


def test_a_part_of_a_drawn_study_says_what_cannot_be_counted():
    study = cc.load_study("henry2010").select(analytes=["IL-6", "IL-8"])
    shown = undrawn(cc.analyze(study, cc.Plan(change_between=None)))
    frame = table(shown, "published-table").frame
    assert frame["shown"].tolist()[1] == "not asked"
    assert frame["here"].iloc[1] == "the plan does not ask it"


# --- kinds of studies


def test_names_from_files_are_text(saved):
    frame = wide(group=(EVIL, f"no {EVIL}"), visits=(f"v0 {EVIL}", f"v1 {EVIL}"), plates=(EVIL,), name=EVIL + "{}")
    frame["id"] = frame["id"] + EVIL
    frame = frame[~((frame["t"] == frame["t"].iloc[0]) & (frame["id"] == f"s0{EVIL}"))]
    frame.loc[4, f"{EVIL}1"] = "<1"
    analysis = analysis_of(frame)
    shown = page(analysis, inputs=[(EVIL, EVIL)], settings={EVIL: {EVIL: EVIL}})
    html = page_html(shown)
    assert EVIL not in html
    assert html.count("&lt;script&gt;alert(1)&lt;/script&gt;") > 50
    pictures = blocks(shown, Picture)
    assert len(pictures) > 8
    assert not any("<script" in picture.svg for picture in pictures)


@pytest.mark.parametrize(
    ("frame", "plan", "design"),
    [
        pytest.param(wide(analytes=1), None, {}, marks=pytest.mark.slow),
        pytest.param(wide(visits=("v0",)), None, {}, marks=pytest.mark.slow),
        (wide(visits=("v0",), analytes=1), cc.Plan(cc.Baseline(test="mann_whitney", scale="raw"), None, None), {}),
        (wide(), None, {"plate": None}),
        pytest.param(wide(), None, {"matched_on": ("age",)}, marks=pytest.mark.slow),
        pytest.param(wide(2, 2), None, {}, marks=pytest.mark.slow),
        (wide(visits=("a", "b", "c")), None, {"baseline": ("a", "b")}),
        (in_pairs(), cc.Plan(cc.Baseline(test="paired_t"), None, None), {"matched_set": "set"}),
        (wide().drop(columns="age"), cc.Plan(baseline=None, change_within=None), {"plate": None}),
    ],
)  # fmt: skip
def test_kinds_of_studies(frame, plan, design):
    analysis = analysis_of(frame, plan, **design)
    shown = page(analysis)
    assert [section.key for section in shown.sections] == KEYS
    html = page_html(shown)
    assert len(html) < 2_000_000
    for word in (">nan<", ">NaN<", ">None<", "<NA>", "{n_", "&lt;NA"):
        assert word not in html
    if plan is None and not analysis.study.visits:
        assert words(shown, "change_within") == "The study has no visit after baseline."
    if not analysis.study.panel.has_plates:
        assert "The file names no plates" in words(shown, "plates")


def test_sets_and_who_has_no_partner():
    frame = in_pairs()
    frame = frame[~((frame["id"] == "s7") & (frame["t"] == "v0"))]
    plan = cc.Plan(cc.Baseline(test="paired_t"), None, None)
    analysis = analysis_of(frame, plan, matched_set="set")
    shown = page(analysis)
    assert facts(shown, "design")["Matching"] == "5 matched sets, cases to controls: 5 of 1:1 (column set)"
    gone = table(shown, "excluded-subjects").frame
    assert gone[["subject", "group"]].values.tolist() == [["s7", "y"], ["s1", "x"]]
    steps = flow_frame(analysis).set_index("step")["all"]
    assert steps[["subjects in the file", "with a sample at baseline", "in a matched set with both kinds"]].tolist() == [
        12,
        11,
        10,
    ]


def test_detection_limits_are_numbers():
    frame = wide(analytes=2, plates=("p1",))
    frame.loc[0, "M1"], frame.loc[1, "M1"] = "<0.01234", "<1020"
    frame.loc[2, "M2"] = "<0.5"
    shown = table(only(detection_section(analysis_of(frame))), "detection-table")
    assert shown.frame.set_index("analyte").loc["M1", ["lowest_lower", "highest_lower"]].tolist() == [0.01234, 1020.0]
    kinds = {column.name: (column.header, column.kind) for column in shown.columns}
    assert kinds["lowest_lower"] == ("lower limit, lowest", "number")
    assert kinds["highest_lower"] == ("highest", "number")
    frame.loc[1, "M1"] = "<0.01234"
    shown = table(only(detection_section(analysis_of(frame))), "detection-table")
    kinds = {column.name: column.header for column in shown.columns}
    assert kinds["lowest_lower"] == "lower limit"
    assert "highest_lower" not in kinds


def test_what_stands_in_for_limits_only_is_no_figure():
    frame = wide(analytes=3)
    frame["M1"] = "<5"
    analysis = analysis_of(frame)
    shown = page(analysis)
    for kind, results in analysis.results.items():
        own = table(shown, f"results-{kind}").frame
        numbers = own.loc[own["analyte"] == "M1", ["mean_case", "mean_control", "estimate", "hedges_g"]]
        assert numbers.isna().to_numpy().all()
        rest = own["analyte"] != "M1"
        pd.testing.assert_series_equal(own.loc[rest, "hedges_g"], results.table.loc[rest, "hedges_g"])


def test_every_cell_that_did_not_enter_is_on_the_page(monkeypatch):
    frame = wide(analytes=2)
    frame.loc[3, "M1"] = ""
    analysis = analysis_of(frame)
    own = table(only(flow_section(analysis)), "excluded")
    counts = own.frame.groupby("question")["subject"].count().to_dict()
    assert counts == {"Baseline": 1, "Change within groups": 1, "Change between groups": 1}
    assert own.frame["reason"].iloc[0] == "missing at v0"
    monkeypatch.setattr("cytokine_cc.report.study_sections.MOST_LISTED", 2)
    shown = only(flow_section(analysis))
    assert "What did not enter is 3 values and samples, too many for this page" in words(shown, "flow")
    assert "excluded" not in {block.key for block in blocks(shown, Table)}


def test_visits_that_are_numbers_are_called_visits():
    shown = page(analysis_of(wide(visits=("1", "2", "3"))))
    assert "x against y at visit 1" in words(shown, "found")
    assert "visit 2 against visit 1 in cases (x)" in words(shown, "found")
    assert "measured at visits 1, 2 and 3." in words(shown, "methods")
    assert "Do levels at visits 2 and 3 differ from those at visit 1, within" in words(shown, "design")


def test_plates_and_visits():
    frame = wide(12, 12)
    frame["plate"] = np.where(frame["t"] == "v0", "P1", "P2")
    shown = page(analysis_of(frame))
    text = words(shown, "plates")
    assert "All baseline samples were measured on one plate." in text
    assert "baseline: v1: 12 of 12 (100%) cases and 12 of 12 (100%) controls; no plate holds samples of both visits." in text
    assert table(shown, "plates-visits").frame.values.tolist() == [["P1", 24, 0], ["P2", 0, 24]]
    assert "with Plates" not in words(shown, "found")


def test_the_picture_of_balance_names_the_groups(saved):
    shown = page(analysis_of(wide(visits=("v0",), group=("sore", "fine"))))
    svg = next(picture.svg for picture in blocks(shown, Picture) if picture.key == "balance-picture")
    assert "sore" in svg
    assert "fine" in svg


def test_promises_are_about_studies_and_not_about_results():
    for adjust in ("bonferroni", "holm", "hochberg", "hommel"):
        plan = cc.Plan(cc.Baseline(adjust=adjust), None, None)
        text = words(only(correction_section(analysis_of(wide(visits=("v0",)), plan))))
        assert f"{adjust.capitalize()}: In at most 5% of such studies would anything that does not differ be called" in text
        assert "chance that" not in text
    plan = cc.Plan(cc.Baseline(adjust="none"), cc.ChangeWithin(adjust="none", family="all"), None)
    text = words(only(correction_section(analysis_of(wide(), plan))))
    assert "If nothing differed anywhere, about 0.45 of 9 tests would still have p <= 0.05." in text


def test_an_odds_ratio_is_called_another_quantity():
    study = cc.load_study("sparano2022").select(analytes=["IL-6", "IL-8"])
    shown = undrawn(cc.analyze(study, cc.Plan(cc.Baseline(test="paired_t"), None, None)))
    assert "odds ratios for a doubling (IL-6 1.37); the estimates of this page are another quantity (ratio of" in words(
        shown, "published"
    )


def test_rows_that_cannot_be_tested_stay():
    frame = wide(analytes=4)
    frame["M1"] = "<5"
    frame.loc[frame["arm"] == "x", "M2"] = ""
    analysis = analysis_of(frame)
    shown = page(analysis)
    own = table(shown, "results-baseline").frame.set_index("analyte")
    assert np.isnan(own.loc[["M1", "M2"], "p_value"]).all()
    assert own.loc["M1", "note"].startswith("not tested: every value")
    assert "2 analytes tested, 2 analytes could not be tested)" in words(shown, "found")
    page_html(shown)


def test_nothing_at_all_can_be_tested():
    analysis = analysis_of(wide(analytes=2).assign(M1="<5", M2="<7"))
    shown = page(analysis)
    assert "x against y at v0 (0 analytes tested, 2 analytes could not be tested)" in words(shown, "found")
    page_html(shown)


def test_a_function_as_test_gives_no_estimates():
    def test(x, y):
        shape = np.nanmean(x, axis=-1).shape
        return type("Answer", (), {"statistic": np.zeros(shape), "pvalue": np.full(shape, 0.01)})

    analysis = analysis_of(wide(), cc.Plan(cc.Baseline(test=test), None, None))
    shown = page(analysis)
    keys = [picture.key for picture in blocks(shown, Picture, "baseline")]
    assert "volcano" not in keys
    assert "(the test gives no estimate)" in words(shown, "found")


def test_numbers_of_zero_on_the_raw_scale():
    frame = wide()
    frame.loc[0, "M1"] = "0"
    plan = cc.Plan(*(kind(scale="raw") for kind in (cc.Baseline, cc.ChangeWithin, cc.ChangeBetween)))
    shown = page(analysis_of(frame, plan))
    assert "on a linear axis" in next(p.alt for p in blocks(shown, Picture) if p.key == "distributions")


@pytest.mark.slow
def test_500_analytes():
    frame = wide(10, 8, 500, visits=("v0",), shift=-0.5)
    analysis = analysis_of(frame, cc.Plan(change_within=None, change_between=None))
    shown = page(analysis)
    assert len(table(shown, "results-baseline").frame) == 500
    forest = next(picture for picture in blocks(shown, Picture) if picture.key == "forest")
    names = smallest(analysis.baseline.table)
    assert len(names) == MOST_ROWS
    assert f"{MOST_ROWS} of 500 analytes are shown, those with the smallest p; the table holds all." in forest.caption
    assert set(forest.data["analyte"]) == set(analysis.baseline.table.nsmallest(MOST_ROWS, "p_value")["analyte"])
    assert len(page_html(shown)) < 5_000_000


@pytest.mark.slow
def test_size(saved, henry):
    assert len(page_html(page(henry[0])).encode()) < 2_500_000


def test_the_same_analysis_gives_the_same_page_with_its_pictures(saved):
    analysis = analysis_of(wide(visits=("v0",), analytes=1))
    shown = page(analysis)
    pictures = blocks(shown, Picture)
    assert len(pictures) > 5
    for picture in pictures:
        assert picture.svg.lstrip().startswith("<?xml")
        assert len(picture.svg) > 10 * len(UNSAVED)
    assert page_html(shown) == report_html(analysis, date=DATE)


# --- a real study


REAL = Path(__file__).parent.parent.parent / "shared" / "real" / "ap2023" / "wells.csv"


@pytest.fixture(scope="module")
def georgiou():
    """Georgiou et al., Int Endod J 2023;56:130: 26 cases, 26 controls, six visits, of which the first two are the baseline."""
    if not REAL.is_file():
        pytest.skip("real tables are not here")
    wells = pd.read_csv(REAL, encoding="utf-8-sig", keep_default_na=False, dtype=str)
    names = {column: re.sub(r"\s*Calc\..*", "", column) for column in wells if "Concentration" in column}
    names = {column: name.replace("VGEF", "VEGF").replace("gama", "gamma") for column, name in names.items()}
    wells = wells[["plate", "Subject ID", "Gender", "Age", "DMFT", "Duplicate", "Visit", "Case:1/Control:2", *names]]
    panel = cc.read_panel(wells, layout="wide", subject="Subject ID", visit="Visit", plate="plate", replicate="Duplicate",
                          analytes=names, codes={"NaN": "below", "0": "below"}, unit="pg/mL")  # fmt: skip
    design = cc.Design("Case:1/Control:2", "case", "control", baseline=("a", "b"), matched_on=("Gender", "Age"))
    analysis = cc.analyze(cc.Study(panel, design))
    return analysis, undrawn(analysis)


def test_its_authors_recognise_their_study(georgiou):
    analysis, shown = georgiou
    assert shown.title == "Case-control study: 26 cases and 26 controls"
    assert shown.banner == ""
    own = facts(shown, "design")
    assert own["Baseline"] == "the mean of 2 visits, a and b, on the analysis scale"
    assert own["Later visits"] == "c, d, e, f"
    assert own["Analytes"] == "15 analytes"
    assert own["Plates"] == "8"
    assert own["Limits of detection"] == "not stated"
    one = table(shown, "table-1").frame.set_index(["covariate", "level"])
    assert one.loc[("Gender", "F"), ["case", "control", "matched"]].tolist() == ["14 (54%)", "14 (54%)", "yes"]
    steps = flow_frame(analysis).set_index("step")
    assert steps.loc["of these with a sample at f"].tolist() == [48, 25, 23]
    assert "Lower in cases: GM-CSF" in words(shown, "found")  # published: G(M)-CSF p < .001
    results = table(shown, "results-baseline").frame.set_index("analyte")
    assert results.loc["IL-1alpha", "p_value"] != results.loc["IL-1alpha", "p_value"]
    assert results.loc["IL-1alpha", "note"].startswith("not tested: ")
    text = words(shown, "limitations")
    assert "more than 20% of the subjects have a baseline value below it (IL-1alpha 81%). IL-1alpha was not tested." in text
    assert "For 31 values (IL-1alpha 31) there is none: comparisons that hold any of them are not tested." in text
    assert "Not fully measured: 137 numbers (3%), flagged by the instrument, or the mean of wells of which one was" in text
    assert "outside a limit" not in text
    assert "Every later sample was measured on a plate of its subject's baseline." in words(shown, "plates")
    assert "more unevenly than chance usually does" in words(shown, "plates")
    assert "approximate, since some expected counts are below 5" in words(shown, "plates")
    assert "Read what is said of baseline with Plates: " in words(shown, "found")
    assert own["Data"] == "a table that was given in memory"
    assert "stood in for it; where there was none, the comparison was not tested." in words(shown, "methods")
    note = table(shown, "detection-table").note
    assert note.startswith("No lower limit is stated. No upper limit is stated. ")
    assert f"Plate and group are associated (chi-square p = {analysis.study.plate_by_group:.2g})" in text
    assert "simulated" not in text


def test_the_page_of_a_real_study(georgiou):
    assert ">nan<" not in page_html(georgiou[1]).lower()


# --- the checklist


def test_every_item_of_both_lists_is_there():
    names = [item["item"] for item in items()]
    numbers = {int(re.match(r"\d+", name)[0]) for name in names if not name.startswith("ME")}
    assert numbers == set(range(1, 23))
    assert sum(len(name.split(", ")) for name in names if name.startswith("ME")) == 17
    assert {"ME-4.2", "ME-4.3"} <= set(names)
    assert len(set(names)) == len(names)


def test_the_checklist_points_at_sections_of_the_page(henry):
    shown = henry[1]
    frame = table(shown, "checklist").frame
    keys = {section.key for section in shown.sections}
    assert set(frame["section"]) <= keys | {""}
    titles = {section.key: section.title for section in shown.sections}
    for row in frame.itertuples():
        assert row.where == titles.get(row.section, "")
        assert bool(row.section) == (row.covers != "nothing")
    html = page_html(shown)
    for key in set(frame["section"]) - {""}:
        assert f'<a href="#{key}">{titles[key]}</a></td>' in html
        assert f'<section id="{key}"' in html
    own = frame.set_index("item")
    assert own.loc["4", "covers"] == "30 cases, 22 controls. Baseline visit: baseline; later visits: month1 and month6."
    assert own.loc["13b", "covers"] == "No subject of the file was left out."
    assert own.loc["ME-13", "covers"] == "4 later samples of analysed subjects not there."


def test_the_checklist_claims_what_the_page_has():
    bare = wide(visits=("v0",)).drop(columns="age")
    plan = cc.Plan(cc.Baseline(scale="raw"), None, None)
    own = table(page(analysis_of(bare, plan, plate=None)), "checklist").frame.set_index("item")
    covers = own["covers"]
    assert covers[["9", "14a", "ME-6"]].tolist() == ["nothing"] * 3
    assert own.loc[["9", "14a", "ME-6"], "section"].tolist() == [""] * 3
    assert covers["14b"] == "Missing values by analyte and group."
    assert covers["10"] == "6 and 5."
    full = wide()
    full.loc[0, "M1"] = "<5"
    own = table(page(analysis_of(full, cc.Plan(baseline=None))), "checklist").frame.set_index("item")
    covers = own["covers"]
    assert covers["9"] == "Balance at baseline, plates by group and shares below the limit by group."
    assert covers["10"] == "6 and 5; how far intervals reach where nothing was significant."
    assert covers["14a"] == "Table 1: age."
    assert own.loc["16a", "section"] == "change_within"


def test_the_file_of_items_holds_nothing_else():
    content = tomllib.loads((Path(cc.__file__).parent / "data" / "strobe.toml").read_text(encoding="utf-8"))
    assert set(content) == {"item"}
    assert {key for item in content["item"] for key in item} == {"item", "topic", "section", "covers", "add"}


# --- writing


def test_write_report(tmp_path):
    analysis = analysis_of(wide())
    path = cc.write_report(analysis, tmp_path / "deep" / "out")
    assert path == tmp_path / "deep" / "out" / "report.html"
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_write_report_refuses_in_words(tmp_path, monkeypatch):
    analysis = analysis_of(wide(visits=("v0",), analytes=1), cc.Plan(change_within=None, change_between=None))
    for arguments, message in [
        ({"folder": None}, "`folder` must be the path of a folder; got None."),
        ({"folder": " "}, "`folder` must be the path of a folder; got ' '."),
        ({"reproduction": 5}, "`reproduction` must be a Reproduction or None; got 5."),
        ({"inputs": ["a"]}, "`inputs` must be pairs of a file's name and its sha256, both text; got 'a'."),
        ({"inputs": "ab"}, "`inputs` must be pairs of a file's name and its sha256, both text; got 'ab'."),
        ({"inputs": 3}, "`inputs` must be pairs of a file's name and its sha256, both text; got 3."),
        ({"settings": [1]}, "`settings` must be a mapping, such as a study file's content, or None; got [1]."),
    ]:
        with pytest.raises(cc.OptionError, match=re.escape(message)):
            cc.write_report(analysis, **({"folder": tmp_path / "none"} | arguments))
    with pytest.raises(cc.OptionError, match=r"`analysis` must be an Analysis; got Study. Make one with analyze\(study, plan\)."):
        cc.write_report(cc.load_study("quickstart"), tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr("cytokine_cc.report.writing.report_html", lambda *args, **more: "")
    with pytest.raises(cc.OptionError, match="^/proc/nope: cannot be written"):
        cc.write_report(analysis, "/proc/nope")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(cc.OptionError, match="this is a file; name a folder"):
        cc.write_report(analysis, tmp_path / "file")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_words():
    assert listed([]) == "none"
    assert part(0, 0) == "0 of 0"
    assert percent(0.999) == ">99%"
    assert part(498, 499) == "498 of 499 (>99%)"
    assert span(np.nan, 1.0) == ""
    assert level_words(cc.Baseline(adjust="holm"), 0.01) == "Holm-adjusted p of 0.01 or less"


# --- estimates that are no ratios


def test_a_probability_is_called_one():
    plan = cc.Plan(cc.Baseline(test="brunner_munzel"), None, cc.ChangeBetween(test="brunner_munzel"))
    analysis = analysis_of(wide(), plan)
    shown = page(analysis)
    for kind, more in (("baseline", ""), ("change_between", ", of changes")):
        (column,) = [column for column in table(shown, f"results-{kind}").columns if column.name == "estimate"]
        assert (column.header, column.more) == ("probability", f"P(case > control) + P(=)/2{more}")
    assert "probabilities that a case lies above a control (ties halved)" in analysis.describe()
    assert "probabilities that the change of a case lies above that of a control (ties halved)" in analysis.describe()


@pytest.mark.parametrize(("below", "word"), [("x", "at most"), ("y", "at least")])
def test_estimates_at_the_edge_are_no_figures(below, word):
    frame = wide(10, 10, 2, visits=("v0",))
    frame.loc[frame["arm"] == below, "M1"] = "<2"
    shown = words(page(analysis_of(frame, cc.Plan(cc.Baseline(test="tobit"), None, None))), "found")
    assert re.search(rf"M1 \(ratio at the edge, {word} [\d.]+\)", shown)
    assert "no bound" not in shown


@pytest.mark.parametrize("test", ["peto_peto", "gehan"])
def test_ranks_of_censored_values_are_no_model(test):
    frame = wide(10, 10, 2, visits=("v0",))
    frame.loc[frame["arm"] == "x", "M1"] = "<2"
    analysis = analysis_of(frame, cc.Plan(cc.Baseline(test=test), None, None))
    assert "were taken as known only to lie below it" in analysis.describe()
    assert "model" not in analysis.describe()
    assert "M1 (the test gives no estimate)" in words(page(analysis), "found")


def test_the_summary_tells_options_and_covariates():
    baseline = cc.Baseline(test="tobit", covariates=("plate", "age"), options={"calibrated": True})
    text = summary_text(analysis_of(wide(12, 12, 1), cc.Plan(baseline, None, None)))
    own = " ".join(text.split())
    assert "Baseline: tobit on log2, calibrated, adjusted for plate and age, below the limit: censored, two-sided" in own


def test_two_options_are_one_prior():
    plan = cc.Plan(cc.Baseline("moderated_t", options={"trend": True, "robust": True}), None, None)
    own = "robust against analytes of outlying variance and with a prior variance that depends on the mean level (two-sided)."
    assert own in plan.describe()
