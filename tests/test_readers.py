"""Reading tables: what a cell may say, files as they occur, samples, limits and technical replicates."""

from __future__ import annotations

import hashlib
import io

import numpy as np
import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc import State

NAN = float("nan")
MEASURED, EXTRAPOLATED, BELOW, ABOVE, MISSING = State


def wide(values, **options):
    """Read one analyte A of subjects 1, 2, ..."""
    frame = pd.DataFrame({"subject": np.arange(1, len(values) + 1), "A": values})
    return cc.read_panel(frame, layout="wide", analytes=["A"], **options)


def cell(text, **options):
    """Read one cell: value, state, lower and upper limit."""
    panel = wide(pd.Series([text], dtype=object), **options)
    return tuple(frame.iloc[0, 0] for frame in (panel.values, panel.state, panel.lower_limit, panel.upper_limit))


def states(panel, analyte="A"):
    return [State(code) for code in panel.state[analyte]]


def same(panel, other):
    """Both panels hold the same, wherever they came from."""
    for name in (
        "values",
        "state",
        "lower_limit",
        "upper_limit",
        "samples",
        "analytes",
        "fallback_limit",
        "fallback_upper_limit",
    ):
        pd.testing.assert_frame_equal(getattr(panel, name), getattr(other, name), check_exact=True)
    assert (panel.logged, panel.has_plates) == (other.logged, other.has_plates)


# --- cells


@pytest.mark.parametrize(
    ("text", "value", "state", "lower", "upper"),
    [
        ("3.2", 3.2, MEASURED, NAN, NAN),
        (" 3.2\u00a0", 3.2, MEASURED, NAN, NAN),
        ("0", 0.0, MEASURED, NAN, NAN),
        ("1e3", 1000.0, MEASURED, NAN, NAN),
        ("+.5", 0.5, MEASURED, NAN, NAN),
        ("-0.5", -0.5, MEASURED, NAN, NAN),
        ("\N{MINUS SIGN}0.5", -0.5, MEASURED, NAN, NAN),
        ("<3.2", NAN, BELOW, 3.2, NAN),
        ("< 0.10528564453125", NAN, BELOW, 0.10528564453125, NAN),
        ("<= 3", NAN, BELOW, 3.0, NAN),
        ("≤3", NAN, BELOW, 3.0, NAN),
        ("<< 3", NAN, BELOW, 3.0, NAN),
        ("<LOD", NAN, BELOW, NAN, NAN),
        ("< lloq", NAN, BELOW, NAN, NAN),
        ("<", NAN, BELOW, NAN, NAN),
        ("OOR <", NAN, BELOW, NAN, NAN),
        ("OOR<", NAN, BELOW, NAN, NAN),
        ("oor  <", NAN, BELOW, NAN, NAN),
        ("BLQ", NAN, BELOW, NAN, NAN),
        (">10000", NAN, ABOVE, NAN, 10000.0),
        (">> 1e4", NAN, ABOVE, NAN, 10000.0),
        ("> ULOQ", NAN, ABOVE, NAN, NAN),
        ("OOR >", NAN, ABOVE, NAN, NAN),
        ("OOR>", NAN, ABOVE, NAN, NAN),
        ("*1.04", 1.04, EXTRAPOLATED, NAN, NAN),
        ("* 1.04", 1.04, EXTRAPOLATED, NAN, NAN),
        ("0.00015*", 0.00015, EXTRAPOLATED, NAN, NAN),
        ("***", NAN, MISSING, NAN, NAN),
        ("---", NAN, MISSING, NAN, NAN),
        ("", NAN, MISSING, NAN, NAN),
        ("   ", NAN, MISSING, NAN, NAN),
        ("NaN", NAN, MISSING, NAN, NAN),
        ("nan", NAN, MISSING, NAN, NAN),
        ("NA", NAN, MISSING, NAN, NAN),
        ("N/A", NAN, MISSING, NAN, NAN),
        ("#N/A", NAN, MISSING, NAN, NAN),
        (".", NAN, MISSING, NAN, NAN),
        (None, NAN, MISSING, NAN, NAN),
        (NAN, NAN, MISSING, NAN, NAN),
    ],
)
def test_what_a_cell_says(text, value, state, lower, upper):
    np.testing.assert_equal(cell(text), (value, state, lower, upper))


@pytest.mark.parametrize("text", ["ND", "nd", "n.d."])
def test_nd_is_below_and_warns_unless_a_code_says_so(text):
    with pytest.warns(cc.AnalysisWarning, match=r"cells that say 'ND' \(1 of them\) are read as below the limit"):
        assert cell(text)[1] == BELOW
    assert cell(text, codes={text: "below"})[1] == BELOW
    assert cell(text, codes={text: "missing"})[1] == MISSING


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("low", "is no number"),
        ("5-Feb", "is no number"),
        ("1 234", "is no number"),
        ("1.2.3", "is no number"),
        ("1_000", "is no number"),
        ("0x10", "is no number"),
        ("1.5 pg/mL", "is no number"),
        ("<3.2 pg/mL", "is no number"),
        ("*", "is no number"),
        ("--", "is no number"),
        ("#VALUE!", "is no number"),
        ("'3.2", "is no number"),
        (True, "is no number"),
        (pd.Timestamp("2024-02-05"), "is no number"),
        ("1,234.5", "has a comma, but decimal='.'"),
        ("3,2", "has a comma, but decimal='.'"),
        ("<3,2", "has a comma, but decimal='.'"),
        ("inf", "is infinite"),
        ("-Inf", "is infinite"),
        ("1e999", "is infinite"),
        (np.inf, "is infinite"),
        (np.float64("-inf"), "is infinite"),
        ("<0", "states a limit of 0 or less"),
        ("> -1", "states a limit of 0 or less"),
    ],
)
def test_what_a_cell_must_not_say(text, problem):
    with pytest.raises(cc.PanelError) as caught:
        cell(text)
    row = caught.value.failures.iloc[0]
    assert row["problem"] == f"a value {problem}"
    assert (row["file"], row["row"], row["column"], row["subject"], row["visit"]) == ("DataFrame", 0, "A", "1", "1")
    assert row["remedy"].endswith(".")


def test_a_limit_may_be_negative_where_the_file_holds_logs():
    np.testing.assert_equal(cell("<-1.5", logged="log2"), (NAN, BELOW, -1.5, NAN))


@pytest.mark.parametrize(
    ("text", "value", "state", "lower"),
    [
        ("3,2", 3.2, MEASURED, NAN),
        ("<3,2", NAN, BELOW, 3.2),
        ("*1,04", 1.04, EXTRAPOLATED, NAN),
        (np.float64(1.5), 1.5, MEASURED, NAN),
    ],
)
def test_decimal_comma(text, value, state, lower):
    np.testing.assert_equal(cell(text, decimal=",")[:3], (value, state, lower))
    with pytest.raises(cc.PanelError, match="has a point, but decimal=','"):
        cell("1.234,5", decimal=",")


# --- codes


@pytest.mark.parametrize(
    ("codes", "text", "state"),
    [
        ({"NaN": "below"}, "NaN", BELOW),
        ({"nan": "below"}, "NaN", BELOW),
        ({"NaN": "below"}, NAN, BELOW),
        ({NAN: "below"}, NAN, BELOW),
        ({"NaN": "below"}, "", MISSING),
        ({"NaN": "below"}, None, MISSING),
        ({"NaN": "below"}, pd.NA, MISSING),
        ({"": "below"}, "", BELOW),
        ({"": "below"}, None, BELOW),
        ({"": "below"}, NAN, MISSING),
        ({"0": "below"}, "0.00", BELOW),
        ({"0": "below"}, "-0", BELOW),
        ({0: "below"}, "0", BELOW),
        ({"0": "below"}, 0.0, BELOW),
        ({"0": "below"}, "*0", BELOW),
        ({"0": "below"}, "0.001", MEASURED),
        ({"-99": "missing"}, -99.0, MISSING),
        ({"-99": "missing", "-88": "above"}, "-88", ABOVE),
        ({"5-Feb": "missing"}, "5-feb", MISSING),
        ({"<LOW>": "below"}, "<LOW>", BELOW),
        ({"<0": "below"}, "<0", BELOW),
        ({"OOR <": "missing"}, "OOR <", MISSING),
    ],
)
def test_codes(codes, text, state):
    number, found, lower, _ = cell(text, codes=codes)
    assert found == state
    assert np.isnan(lower)
    assert np.isnan(number) == (state != MEASURED)


def test_codes_in_columns_of_numbers():
    panel = wide([0.0, 2.5, NAN, -99.0], codes={"0": "below", "NaN": "below", "-99": "missing"})
    assert states(panel) == [BELOW, MEASURED, BELOW, MISSING]
    np.testing.assert_equal(panel.values["A"].to_numpy(), [NAN, 2.5, NAN, NAN])
    assert states(wide([0, 3], codes={"0.0": "below"})) == [BELOW, MEASURED]


def test_nullable_numbers_tell_na_from_nan():
    values = pd.Series([1.5, None, 0.0], dtype="Float64")
    assert states(wide(values, codes={"NaN": "below"})) == [MEASURED, MISSING, MEASURED]
    assert states(wide(values, codes={"": "below"})) == [MEASURED, BELOW, MEASURED]


@pytest.mark.parametrize(
    ("codes", "words"),
    [
        ("ND", "`codes` must be a mapping"),
        ({"ND": "belw"}, "'ND' must mean one of 'below', 'above', 'missing'; got 'belw'. Did you mean 'below'?"),
        ({"ND": 5}, "got 5"),
        ({"ND": ["below"]}, "got ['below']"),
        ({"0": "below", "0.0": "missing"}, "'0.0' is given two meanings"),
    ],
)
def test_codes_that_are_refused(codes, words):
    with pytest.raises(cc.OptionError) as caught:
        cell("1", codes=codes)
    assert words in str(caught.value)


# --- data frames


@pytest.mark.parametrize(
    ("values", "want"),
    [
        (np.array([1.5, NAN]), [MEASURED, MISSING]),
        (np.array([1, 2]), [MEASURED, MEASURED]),
        (np.array([1, 2], dtype=np.uint8), [MEASURED, MEASURED]),
        (pd.Series([1, 2.5], dtype=object), [MEASURED, MEASURED]),
        (pd.Series([np.int64(1), np.float32(2.5)], dtype=object), [MEASURED, MEASURED]),
        (pd.Series(["<3", "2"], dtype="string"), [BELOW, MEASURED]),
        (pd.Series(["<3", None], dtype="string"), [BELOW, MISSING]),
        (pd.Series(["<3", None], dtype="str"), [BELOW, MISSING]),
        (pd.Categorical(["<3", "*2"]), [BELOW, EXTRAPOLATED]),
        (pd.Categorical([1.5, None]), [MEASURED, MISSING]),
        (pd.Series([1, None], dtype="Int64"), [MEASURED, MISSING]),
        (pd.Series([1.5, None], dtype="Float64"), [MEASURED, MISSING]),
    ],
)
def test_dtypes_of_values(values, want):
    panel = wide(values)
    assert states(panel) == want
    assert panel.values.dtypes.tolist() == [np.float64]
    assert panel.state.dtypes.tolist() == [np.int8]


def test_ids_of_any_type_are_one():
    long = pd.DataFrame(
        {"subject": [1, "1", 1.0, "007"], "visit": [0, 0.0, 6, 6], "analyte": ["A", "B", "A", "A"], "value": [1, 2, 3, 4]},
    ).astype({"subject": object, "visit": object})
    panel = cc.read_panel(long, layout="long")
    assert panel.samples["subject"].tolist() == ["1", "1", "007"]
    assert panel.samples["visit"].tolist() == ["0", "6", "6"]
    assert panel.samples.index.tolist() == ["1@0", "1@6", "007@6"]


def test_sample_ids_stay_apart():
    frame = pd.DataFrame({"subject": ["a", "a@b"], "visit": ["b@c", "c"], "A": [1.0, 2.0]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"])
    assert panel.samples.index.is_unique


def test_the_frame_that_was_read_stays_as_it_was():
    frame = pd.DataFrame({" subject ": [1, 2], "A": ["<3", "4"]})
    copy = frame.copy()
    cc.read_panel(frame, layout="wide", analytes=["A"])
    pd.testing.assert_frame_equal(frame, copy)


# --- files

ROWS = [["Patient", "Visit", "IL-6", "TNF-α"], ["1", "pre", "1.5", "<2.5"], ["1", "post", "*3", ""], ["2", "pre", "7", ">9"]]


def text(rows, sep=","):
    return "".join(sep.join(row) + "\n" for row in rows)


def check(panel):
    assert list(panel.analytes.index) == ["IL-6", "TNF-α"]
    assert list(panel.samples.index) == ["1@pre", "1@post", "2@pre"]
    np.testing.assert_equal(panel.values.to_numpy(), [[1.5, NAN], [3.0, NAN], [7.0, NAN]])
    assert panel.state.to_numpy().tolist() == [[MEASURED, BELOW], [EXTRAPOLATED, MISSING], [MEASURED, ABOVE]]
    assert panel.lower_limit.iloc[0, 1] == 2.5
    assert panel.upper_limit.iloc[2, 1] == 9


OPTIONS = {"layout": "wide", "subject": "Patient", "visit": "Visit", "analytes": ["IL-6", "TNF-α"]}


@pytest.mark.parametrize("sep", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_separators_encodings_line_ends(tmp_path, sep, encoding, end):
    mark = {"utf-16-le": "\ufeff", "utf-16-be": "\ufeff"}.get(encoding, "")
    path = tmp_path / "panel.txt"
    path.write_bytes((mark + text(ROWS, sep).replace("\n", end)).encode(encoding))
    check(cc.read_panel(path, **OPTIONS))
    check(cc.read_panel(str(path), sep=sep, **OPTIONS))


@pytest.mark.parametrize("encoding", ["latin-1", "cp1252", "utf-8"])
def test_latin_letters_in_headers_and_values(tmp_path, encoding):
    path = tmp_path / "panel.csv"
    path.write_bytes("subject,Ménopause,IL-6 (µg/L)\n1,à traiter,2.5\n2,non,3\n".encode(encoding))
    panel = cc.read_panel(path, layout="wide", analytes={"IL-6 (µg/L)": "IL-6"}, unit="µg/L")
    assert panel.samples["Ménopause"].tolist() == ["à traiter", "non"]
    assert panel.analytes.loc["IL-6", "unit"] == "µg/L"


def test_windows_letters(tmp_path):
    path = tmp_path / "panel.csv"
    path.write_bytes("subject,IL-6\nM–1,2.5\n“2”,3\n".encode("cp1252"))
    assert cc.read_panel(path, layout="wide", analytes=["IL-6"]).samples["subject"].tolist() == ["M–1", "“2”"]


def test_decimal_comma_with_semicolons(tmp_path):
    path = tmp_path / "panel.csv"
    path.write_text(text(ROWS, ";").replace(".", ","), encoding="utf-8")
    check(cc.read_panel(path, decimal=",", **OPTIONS))


@pytest.mark.parametrize(
    "change",
    [
        lambda lines: ["", "  ", *lines],
        lambda lines: [lines[0], "", *lines[1:], "", ""],
        lambda lines: [lines[0], ",,,", *lines[1:], " , ,, "],
        lambda lines: [line + "," for line in lines],
        lambda lines: [lines[0], *(line + ",, " for line in lines[1:])],
        lambda lines: [lines[0].replace("Patient", " Patient  ").replace("IL-6", "\u00a0IL-6"), *lines[1:]],
        lambda lines: [",".join(f'"{cell}"' for cell in line.split(",")) for line in lines],
        lambda lines: [line.replace(",", " , ") for line in lines],
    ],
    ids=[
        "blank lines above",
        "blank lines",
        "empty rows",
        "trailing separators",
        "... in the body",
        "header",
        "quotes",
        "blanks",
    ],
)
def test_harmless_dirt(tmp_path, change):
    path = tmp_path / "panel.csv"
    path.write_text("\n".join(change(text(ROWS).splitlines())) + "\n", encoding="utf-8")
    check(cc.read_panel(path, **OPTIONS))


def test_header_with_a_hash_and_cells_over_several_lines(tmp_path):
    path = tmp_path / "panel.csv"
    path.write_text('#Sample,Note,"IL-6\n(pg/mL)"\n1,"two\nlines, and ""quotes""",2.5\n2,none,3\n', encoding="utf-8")
    panel = cc.read_panel(path, layout="wide", subject="#Sample", sample_columns=["Note"])
    assert panel.analytes.index.tolist() == ["IL-6\n(pg/mL)"]
    assert panel.samples["Note"].tolist() == ['two\nlines, and "quotes"', "none"]


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_rows_are_named_by_the_line_of_the_file(tmp_path, end):
    path = tmp_path / "panel.csv"
    lines = ["", "subject,note,A", '1,"three', "lines", 'long",2', "", "2,x,bad", "3,y,worse"]
    path.write_bytes(end.join(lines).encode())
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(path, layout="wide", analytes=["A"])
    assert caught.value.failures["row"].tolist() == [7, 8]


def test_source_names_the_file_and_its_sha256(tmp_path):
    path = tmp_path / "panel.csv"
    path.write_bytes(b"subject,A\n1,2\n")
    digest = hashlib.sha256(b"subject,A\n1,2\n").hexdigest()
    assert cc.read_panel(path, layout="wide", analytes=["A"]).source == f"panel.csv (sha256 {digest})"


@pytest.fixture
def workbook(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    page = book.active
    page.title = "Results"
    page.append([])
    for row in ROWS:
        page.append([float(cell) if cell in {"1.5", "7"} else int(cell) if cell in {"1", "2"} else cell or None for cell in row])
    other = book.create_sheet("Clinical data")
    other.append(["Patient", "Age"])
    other.append([1, 50])
    book.save(tmp_path / "two.xlsx")
    del book["Clinical data"]
    book.save(tmp_path / "one.xlsx")
    return tmp_path


def test_workbook_of_one_sheet(workbook):
    check(cc.read_panel(workbook / "one.xlsx", **OPTIONS))


@pytest.mark.parametrize("sheet", ["Results", 0])
def test_workbook_of_several_sheets(workbook, sheet):
    check(cc.read_panel(workbook / "two.xlsx", sheet=sheet, **OPTIONS))


@pytest.mark.parametrize(
    ("sheet", "words"),
    [
        (None, "two.xlsx: the workbook has 2 sheets: 'Results', 'Clinical data'. Name one with `sheet`."),
        ("Result", "two.xlsx: no sheet 'Result'; there are 'Results', 'Clinical data'. Did you mean 'Results'?"),
        (2, "two.xlsx: no sheet 2; there are 'Results', 'Clinical data'."),
        (True, "no sheet True"),
        (1, "no column 'Visit'"),
    ],
)
def test_workbook_sheet_that_does_not_serve(workbook, sheet, words):
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(workbook / "two.xlsx", sheet=sheet, **OPTIONS)
    assert words in str(caught.value)


def test_workbook_cells_are_dates_errors_and_booleans(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in (["subject", "A"], [1, 2.5], [2, pd.Timestamp("2024-02-05")], [3, "#DIV/0!"], [4, True], [None, None], [5, "low"]):
        book.active.append(row)
    book.save(tmp_path / "a.xlsx")
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(tmp_path / "a.xlsx", layout="wide", analytes=["A"], codes={"NaN": "below"})
    assert caught.value.failures["row"].tolist() == [3, 4, 5, 7]
    assert caught.value.failures["found"].tolist() == ["2024-02-05 00:00:00", "#DIV/0!", True, "low"]


# --- layouts


def test_long_and_wide_are_one_panel():
    flat = pd.DataFrame(
        {"subject": [1, 2], "visit": ["a", "a"], "group": ["x", "y"], "A": ["<1", "2"], "B": ["3", "*4"]},
    )
    long = flat.melt(id_vars=["subject", "visit", "group"], var_name="analyte", value_name="value")
    same(cc.read_panel(flat, layout="wide", sample_columns=["group"]), cc.read_panel(long, layout="long"))
    same(cc.read_panel(flat, layout="wide", analytes=["A", "B"]), cc.read_panel(long, layout="long"))


def test_analytes_are_renamed_and_ordered_as_given():
    frame = pd.DataFrame({"subject": [1], "B_conc": [2.0], "A_conc": [1.0]})
    panel = cc.read_panel(frame, layout="wide", analytes={"A_conc": "A", "B_conc": "B"})
    assert panel.values.to_dict("list") == {"A": [1.0], "B": [2.0]}


def test_long_cells_that_have_no_row_are_missing():
    frame = pd.DataFrame({"subject": [1, 1, 2], "analyte": ["A", "B", "B"], "value": [1.0, 2.0, 3.0]})
    panel = cc.read_panel(frame, layout="long")
    assert panel.state.to_numpy().tolist() == [[MEASURED, MEASURED], [MISSING, MEASURED]]


def test_without_a_visit_column_there_is_one_visit():
    assert wide([1.0, 2.0]).samples["visit"].tolist() == ["1", "1"]


def test_sample_columns_are_typed():
    csv = "subject,age,bmi,code,chemo,lost,note,A\n1,50,22.5,007,yes,,1,5\n2,61,,012,no,,x,6\n3,47,NA,3,NA,,,7\n"
    samples = cc.read_panel(pd.read_csv(io.StringIO(csv), dtype=str, na_filter=False), layout="wide", analytes=["A"]).samples
    assert samples["age"].tolist() == [50, 61, 47]
    assert samples["age"].dtype == np.int64
    np.testing.assert_equal(samples["bmi"].to_numpy(), [22.5, NAN, NAN])
    assert samples["code"].tolist() == ["007", "012", "3"]
    assert samples["chemo"].tolist() == ["yes", "no", "NA"]
    assert samples["lost"].isna().all()
    assert samples["note"].tolist()[:2] == ["1", "x"]
    assert samples["note"].isna().tolist() == [False, False, True]
    assert list(samples.columns) == ["subject", "visit", "plate", "age", "bmi", "code", "chemo", "lost", "note"]


@pytest.mark.parametrize("dtype", ["string", "str", "category", "object"])
def test_text_sample_columns_with_gaps(dtype):
    frame = pd.DataFrame({"subject": [1, 2, 3], "g": pd.Series(["x", None, "y"]).astype(dtype), "A": [1.0, 2.0, 3.0]})
    found = cc.read_panel(frame, layout="wide", analytes=["A"]).samples["g"]
    assert found.isna().tolist() == [False, True, False]
    assert found.iloc[[0, 2]].tolist() == ["x", "y"]


def test_number_sample_columns_with_gaps():
    frame = pd.DataFrame({"subject": [1, 2], "n": pd.Series([1, None], dtype="Int64"), "b": [True, False], "A": [1.0, 2.0]})
    samples = cc.read_panel(frame, layout="wide", analytes=["A"]).samples
    np.testing.assert_equal(samples["n"].to_numpy(), [1.0, NAN])
    assert samples["b"].tolist() == [True, False]


def test_columns_that_vary_within_a_sample_are_ignored_and_remembered():
    frame = pd.DataFrame(
        {
            "subject": [1, 1, 2, 2],
            "analyte": ["A", "B"] * 2,
            "value": [1.0, 2, 3, 4],
            "bead": [50, 61, 50, 50],
            "sex": list("ffmm"),
        }
    )
    panel = cc.read_panel(frame, layout="long")
    assert panel.ignored == ("bead",)
    assert list(panel.samples.columns) == ["subject", "visit", "plate", "sex"]
    where = {"row": 1, "column": "bead", "subject": "1", "visit": "1", "found": "61 after 50 in row 0"}
    assert panel.varies["bead"] == (where,)


def test_a_column_named_like_a_role_is_an_ordinary_column():
    frame = pd.DataFrame({"subject": [1, 2], "plate": [3, 4], "value": ["u", "v"], "A": [1.0, 2.0]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"])
    assert not panel.has_plates
    assert panel.samples["plate"].tolist() == [3, 4]
    assert panel.samples["value"].tolist() == ["u", "v"]


def test_units_and_categories():
    frame = pd.DataFrame(
        {"subject": [1, 1, 2, 2], "analyte": ["A", "B"] * 2, "value": 1.0, "u": ["pg/mL", "", None, "ng/mL"], "c": list("xyxy")}
    )
    panel = cc.read_panel(frame, layout="long", unit="u", category="c")
    assert panel.analytes["unit"].to_dict() == {"A": "pg/mL", "B": "ng/mL"}
    assert panel.analytes["category"].to_dict() == {"A": "x", "B": "y"}
    assert {"u", "c"}.isdisjoint(panel.samples.columns)
    assert cc.read_panel(frame, layout="long", unit="pg/mL").analytes["unit"].tolist() == ["pg/mL", "pg/mL"]
    assert cc.read_panel(frame, layout="long", unit={"B": "U/L"}).analytes["unit"].tolist() == ["", "U/L"]


def test_two_units_of_one_analyte_are_refused():
    frame = pd.DataFrame({"subject": [1, 2, 3], "analyte": "A", "value": 1.0, "u": ["pg/mL", "ng/mL", "ng/mL"]})
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(frame, layout="long", unit="u")
    assert str(caught.value) == (
        "DataFrame: an analyte must have one unit: row 1, column 'u', analyte 'A', found 'ng/mL after pg/mL in row 0'. "
        "Bring its values to one unit."
    )


@pytest.mark.parametrize(
    ("roles", "words"),
    [
        ({"subject": "subject", "value": "subject"}, "`subject` and `value` name the same column, 'subject'."),
        ({"visit": "g", "analyte": "g"}, "`visit` and `analyte` name the same column, 'g'."),
        ({"analyte": "g", "replicate": "g"}, "`analyte` and `replicate` name the same column, 'g'."),
        ({"plate": 5}, "`plate` must be the name of a column, as text; got 5."),
    ],
)
def test_a_column_has_one_role(roles, words):
    with pytest.raises(cc.OptionError) as caught:
        cc.read_panel(pd.DataFrame({"subject": [1], "g": ["A"], "value": [2.0]}), layout="long", **{"analyte": "g", **roles})
    assert str(caught.value) == words


def test_each_visit_may_have_its_plate():
    frame = pd.DataFrame({"subject": [1, 1], "visit": [0, 6], "A": [1.0, 2.0]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"], plate="visit")
    assert panel.samples["plate"].tolist() == panel.samples["visit"].tolist() == ["0", "6"]


@pytest.mark.parametrize(("own", "owner"), [("subject", "ID"), ("visit", "T")])
def test_a_column_that_clashes_with_a_role(own, owner):
    frame = pd.DataFrame({"ID": [1, 2], "T": [0, 0], own: [7, 8], "A": [1.0, 2.0]})
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(frame, layout="wide", subject="ID", visit="T", analytes=["A"])
    assert str(caught.value) == (
        f"DataFrame: column {own!r} clashes with the {own}s taken from {owner!r}. Rename it, or pass {own}={own!r}."
    )


def test_a_table_with_the_wrong_column_of_analytes():
    frame = pd.DataFrame({"subject": np.arange(60_000) % 600, "m": np.arange(60_000), "value": 1.5})
    with pytest.raises(cc.PanelError, match="the column has 60,000 different analytes, but most samples have only a few of them"):
        cc.read_panel(frame, layout="long", analyte="m")


# --- limits


def test_a_number_outside_its_limits_is_extrapolated():
    panel = wide([1.0, 2.0, 5.0, 9.0, 9.5], lower_limit=2, upper_limit=9.0)
    assert states(panel) == [EXTRAPOLATED, MEASURED, MEASURED, MEASURED, EXTRAPOLATED]
    assert panel.values["A"].tolist() == [1, 2, 5, 9, 9.5]
    assert (panel.lower_limit["A"] == 2).all()
    assert (panel.upper_limit["A"] == 9).all()


def limits_frame():
    return pd.DataFrame(
        {
            "subject": [1, 1, 2, 2],
            "run": ["P1", "P1", 2, 2],
            "analyte": ["A", "B"] * 2,
            "value": 5.0,
            "lloq": ["1", "", "3", "4.5"],
        }
    )


@pytest.mark.parametrize(
    ("given", "want"),
    [
        (2, [[2, 2], [2, 2]]),
        ({"B": 2}, [[NAN, 2], [NAN, 2]]),
        ({"A": {"P1": 1, 2: 3}, "B": 4}, [[1, 4], [3, 4]]),
        ({"A": {"2": 3}}, [[NAN, NAN], [3, NAN]]),
        ("lloq", [[1, NAN], [3, 4.5]]),
    ],
)
@pytest.mark.parametrize("side", ["lower_limit", "upper_limit"])
def test_ways_to_state_a_limit(given, want, side):
    panel = cc.read_panel(limits_frame(), layout="long", plate="run", **{side: given})
    np.testing.assert_equal(getattr(panel, side).to_numpy(), want)
    other = "upper_limit" if side == "lower_limit" else "lower_limit"
    assert getattr(panel, other).isna().all(axis=None)
    assert panel.samples["plate"].tolist() == ["P1", "2"]


def test_a_limit_by_the_row_of_a_wide_table():
    frame = pd.DataFrame({"subject": [1, 2], "lod": [1.5, 2.5], "A": [1.0, 3.0], "B": ["<2.5", 9]})
    with pytest.warns(cc.AnalysisWarning, match=r"cells such as '<3.2' \(1 of them\) state another limit than `lower_limit`"):
        panel = cc.read_panel(frame, layout="wide", analytes=["A", "B"], lower_limit="lod")
    assert panel.lower_limit.to_numpy().tolist() == [[1.5, 2.5], [2.5, 2.5]]
    assert states(panel) == [EXTRAPOLATED, MEASURED]
    assert "lod" not in panel.samples


def test_the_cell_s_own_limit_wins_and_the_conflict_is_told():
    with pytest.warns(cc.AnalysisWarning, match=r"DataFrame: cells such as '<3.2' \(2 of them\) state another limit"):
        panel = wide(["<3", ">50", "<2", "7"], lower_limit=2, upper_limit=40)
    assert panel.lower_limit["A"].tolist() == [3, 2, 2, 2]
    assert panel.upper_limit["A"].tolist() == [40, 50, 40, 40]
    wide(["<2", ">40"], lower_limit=2, upper_limit=40)  # no conflict, no warning


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lower_limit": {"C": 1}}, "`lower_limit` names 'C', which the table does not hold; its analytes are 'A', 'B'."),
        ({"lower_limit": {"A": {"P9": 1}}}, "`lower_limit` names plate 'P9'; the plates are 'P1', '2'."),
        ({"plate": None, "upper_limit": {"A": {"P1": 1}}}, "gives limits by plate; name the plate column with `plate`."),
        ({"lower_limit": True}, "must be a column name, a number or {analyte: number}; got True"),
        ({"lower_limit": {"A": "3"}}, "got '3'"),
        ({"lower_limit": NAN}, "got nan"),
        ({"upper_limit": [1]}, "got [1]"),
        ({"lower_limit": 0}, "`lower_limit` must be above 0: found 0. Leave it out where no limit is known."),
        ({"lower_limit": "lod"}, "no column 'lod' (named as lower_limit)"),
        ({"lower_limit": 6, "upper_limit": 4}, "the lower limit lies above the upper limit (4 times): row 0, subject '1'"),
    ],
)
def test_limits_that_are_refused(options, words):
    with pytest.raises((cc.OptionError, cc.PanelError)) as caught:
        cc.read_panel(limits_frame(), layout="long", **{"plate": "run", **options})
    assert words in str(caught.value)


def test_a_column_of_limits_names_its_faults():
    frame = limits_frame().assign(lloq=["0", "x", "<3", "1,5"])
    with pytest.raises(cc.PanelError) as caught:
        cc.read_panel(frame, layout="long", lower_limit="lloq")
    failures = caught.value.failures.sort_values("row")
    assert failures["found"].tolist() == ["0", "x", "<3", "1,5"]
    assert failures["subject"].tolist() == ["1", "1", "2", "2"]
    assert (failures["column"] == "lloq").all()
    assert failures["problem"].tolist() == [
        "a limit must be above 0",
        "a limit is no number",
        "a limit must be a plain number or blank",
        "a limit has a comma, but decimal='.'",
    ]


def test_logs_may_have_any_limits():
    panel = wide([-3.0, 1.0], logged="log2", lower_limit=-2, upper_limit=0)
    assert panel.logged == "log2"
    assert states(panel) == [EXTRAPOLATED, EXTRAPOLATED]


# --- fallback limits


def test_fallback_is_the_lowest_measured_value_on_each_plate():
    frame = pd.DataFrame(
        {
            "subject": range(1, 7),
            "plate": ["P1", "P1", "P1", "P2", "P2", "P3"],
            "A": ["3", "2", "*1", "0.5", "<0.1", "OOR <"],
            "B": ["", "9", "8", "*1", "OOR >", "4"],
        }
    )
    panel = cc.read_panel(frame, layout="wide", analytes=["A", "B"], plate="plate")
    np.testing.assert_equal(panel.fallback_limit.to_numpy(), [[2, 8], [0.5, NAN], [NAN, 4]])
    np.testing.assert_equal(panel.fallback_upper_limit.to_numpy(), [[3, 9], [0.5, NAN], [NAN, 4]])
    assert panel.fallback_limit.index.tolist() == ["P1", "P2", "P3"]
    kept = panel.select(analytes=["B", "A"], subjects=[1])
    np.testing.assert_equal(kept.fallback_limit.to_numpy(), [[8, 2], [NAN, 0.5], [4, NAN]])
    whole = cc.read_panel(frame.drop(columns="plate"), layout="wide", analytes=["A", "B"])
    assert whole.fallback_limit.to_numpy().tolist() == [[0.5, 4.0]]
    assert whole.fallback_limit.index.tolist() == [""]


# --- technical replicates


def wells(cells, layout, **options):
    """Average the wells of one sample, beside another sample."""
    n = len(cells)
    frame = pd.DataFrame({"subject": [1] * n + [2], "well": [*range(n), 0], "A": [*cells, "5"]}, dtype=object)
    if layout == "long":
        frame = frame.rename(columns={"A": "value"}).assign(analyte="A")
    else:
        options["analytes"] = ["A"]
    panel = cc.read_panel(frame, layout=layout, replicate="well", **options)
    assert panel.values.iloc[1, 0] == 5
    return tuple(frame.iloc[0, 0] for frame in (panel.values, panel.state, panel.lower_limit, panel.upper_limit))


@pytest.mark.parametrize("layout", ["long", "wide"])
@pytest.mark.parametrize(
    ("cells", "options", "value", "state", "lower", "upper"),
    [
        (["4", "9"], {}, 6, MEASURED, NAN, NAN),
        (["2", "4", "8"], {}, 4, MEASURED, NAN, NAN),
        (["0.1", ""], {}, 0.1, MEASURED, NAN, NAN),
        (["0.1", "---", "NA"], {}, 0.1, MEASURED, NAN, NAN),
        (["4", "0"], {}, 0, MEASURED, NAN, NAN),
        (["0", "0"], {}, 0, MEASURED, NAN, NAN),
        (["4", "9"], {"logged": "log2"}, 6.5, MEASURED, NAN, NAN),
        (["-1", "3"], {"logged": "ln"}, 1, MEASURED, NAN, NAN),
        (["0", "3"], {"logged": "log10"}, 1.5, MEASURED, NAN, NAN),
        (["*4", "9"], {}, 6, EXTRAPOLATED, NAN, NAN),
        (["", ""], {}, NAN, MISSING, NAN, NAN),
        (["OOR <", "OOR <"], {}, NAN, BELOW, NAN, NAN),
        (["OOR <", ""], {}, NAN, BELOW, NAN, NAN),
        (["<2", "<8"], {}, NAN, BELOW, 4, NAN),
        (["<2", "OOR <"], {}, NAN, BELOW, NAN, NAN),
        (["<2", "8"], {}, NAN, BELOW, 4, NAN),
        (["<2", "*8"], {}, NAN, BELOW, 4, NAN),
        (["<-2", "4"], {"logged": "log2"}, NAN, BELOW, 1, NAN),
        (["OOR <", "8"], {}, 8, EXTRAPOLATED, NAN, NAN),
        (["OOR <", "4", "9"], {}, 6, EXTRAPOLATED, NAN, NAN),
        (["OOR <", "<3", "8"], {}, 8, EXTRAPOLATED, NAN, NAN),
        (["OOR <", "12"], {"lower_limit": 3}, NAN, BELOW, 6, NAN),
        (["OOR <", "12"], {"lower_limit": 3, "upper_limit": 50}, NAN, BELOW, 6, 50),
        (["<4", "0"], {}, 0, EXTRAPOLATED, NAN, NAN),
        ([">20", "500"], {}, NAN, ABOVE, NAN, 100),
        ([">20", ">500"], {}, NAN, ABOVE, NAN, 100),
        (["OOR >", "OOR >"], {}, NAN, ABOVE, NAN, NAN),
        (["OOR >", "500"], {}, 500, EXTRAPOLATED, NAN, NAN),
        (["OOR >", "500"], {"upper_limit": 20}, NAN, ABOVE, NAN, 100),
        (["2", "8"], {"lower_limit": 3}, 4, EXTRAPOLATED, 3, NAN),
        (["4", "9"], {"lower_limit": 3, "upper_limit": 10}, 6, MEASURED, 3, 10),
        (["NaN", "8"], {"codes": {"NaN": "below"}}, 8, EXTRAPOLATED, NAN, NAN),
        (["NaN", "NaN"], {"codes": {"NaN": "below"}}, NAN, BELOW, NAN, NAN),
        (["0", "8"], {"codes": {"0": "below"}, "lower_limit": 2}, NAN, BELOW, 4, NAN),
    ],
)
def test_technical_replicates(layout, cells, options, value, state, lower, upper):
    found = wells(cells, layout, **options)
    assert found[1] == state
    np.testing.assert_allclose([found[0], *found[2:]], [value, lower, upper], rtol=1e-14)


def test_limits_of_replicates_may_differ_by_the_well():
    frame = pd.DataFrame({"subject": [1, 1], "well": [1, 2], "lod": [2.0, 8.0], "A": ["5", "7"], "B": ["OOR <", "OOR <"]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A", "B"], replicate="well", lower_limit="lod")
    np.testing.assert_allclose(panel.lower_limit.to_numpy(), [[4, 4]])
    assert panel.state.to_numpy().tolist() == [[EXTRAPOLATED, BELOW]]  # 7 lies below its own limit of 8


def test_limits_of_replicates_by_plate():
    frame = pd.DataFrame({"subject": [1, 1, 2, 2], "well": [1, 2] * 2, "p": [1, 1, 2, 2], "A": ["OOR <", "16"] * 2})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"], replicate="well", plate="p", lower_limit={"A": {1: 1, 2: 4}})
    np.testing.assert_allclose(panel.lower_limit["A"], [4, 8])


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (
            ["-1", "3"],
            "averaged geometrically, which a negative value does not allow: row 0, subject '1', visit '1', analyte 'A', found -1",
        ),
        (
            ["<1", ">9"],
            "one well of the sample is below the range and another above it: row 0, subject '1', visit '1', analyte 'A'",
        ),
    ],
)
def test_replicates_that_have_no_mean(cells, words):
    with pytest.raises(cc.PanelError) as caught:
        wells(cells, "wide")
    assert words in str(caught.value)


def test_a_well_named_twice_is_a_duplicate():
    frame = pd.DataFrame({"subject": [1, 1], "visit": [1, 1], "well": ["a", "a"], "A": [1.0, 2.0]})
    with pytest.raises(cc.PanelError, match=r"Column 'well' \(named as replicate\) must tell the replicates of a sample apart"):
        cc.read_panel(frame, layout="wide", analytes=["A"], replicate="well")


def test_sample_columns_follow_the_decimal_mark(tmp_path):
    (tmp_path / "a.csv").write_text("subject;bmi;score;A\n1;22,5;1.5;2\n2;30;2;2,5\n")
    samples = cc.read_panel(tmp_path / "a.csv", layout="wide", analytes=["A"], decimal=",").samples
    assert samples["bmi"].tolist() == [22.5, 30.0]
    assert samples["score"].tolist() == ["1.5", "2"]
