"""Panel: selections, joins, shares below the limit, and the long table it is written as."""

from __future__ import annotations

import pickle
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import cytokine_cc as cc
from cytokine_cc import State
from cytokine_cc.labels import NOT_GIVEN, as_label

FRAMES = ("values", "state", "lower_limit", "upper_limit")
LIMITS = {"lower_limit": "lower_limit", "upper_limit": "upper_limit", "unit": "unit", "category": "category"}


@pytest.fixture
def panel():
    frame = pd.DataFrame(
        {
            "subject": [1, 1, 2, 2, 3],
            "visit": ["pre", "post", "pre", "post", "pre"],
            "sex": list("ffmmf"),
            "IL-1β": ["<2", "3", "*1", "4", ""],
            "IL-6": ["5", ">90", "6", "OOR >", "7"],
            "TNF": ["OOR <", "1", "<3", "2", "BLQ"],
        }
    )
    return cc.read_panel(frame, layout="wide", sample_columns=["sex"], unit="pg/mL")


def same(panel, other):
    for name in (*FRAMES, "samples", "analytes", "fallback_limit", "fallback_upper_limit"):
        pd.testing.assert_frame_equal(getattr(panel, name), getattr(other, name), check_exact=True)
    assert (panel.logged, panel.has_plates) == (other.logged, other.has_plates)


# --- what a panel is


def test_states_and_their_numbers(panel):
    assert State(panel.state.loc["1@pre", "IL-1β"]) is State.BELOW
    assert [kind.name for kind in State] == ["MEASURED", "EXTRAPOLATED", "BELOW", "ABOVE", "MISSING"]
    number = panel.state.isin([State.MEASURED, State.EXTRAPOLATED])
    pd.testing.assert_frame_equal(panel.values.notna(), number)


@pytest.mark.parametrize("name", FRAMES)
@pytest.mark.parametrize("selected", [False, True])
def test_cells_are_read_only(panel, name, selected):
    frame = getattr(panel.select(analytes=["IL-6"]) if selected else panel, name)
    with pytest.raises(ValueError, match="read-only"):
        frame.iloc[0, 0] = 1
    with pytest.raises(ValueError, match="read-only"):
        frame.to_numpy()[0, 0] = 1


def test_a_panel_is_frozen_and_can_be_pickled(panel):
    with pytest.raises(AttributeError):
        panel.logged = "ln"
    same(pickle.loads(pickle.dumps(panel)), panel)


def test_repr(panel):
    assert repr(panel) == (
        "<Panel: 5 samples of 3 subjects at visits 'pre', 'post', 3 analytes; 26.7% below a limit, 13.3% above, 6.7% missing>"
    )


def test_detection(panel):
    table = panel.detection()
    assert list(table.columns) == [
        "n", "below", "above", "missing", "n_measured", "n_extrapolated", "n_below", "n_above", "n_missing",
    ]  # fmt: skip
    assert table.loc["IL-1β"].tolist() == [5, 0.2, 0, 0.2, 2, 1, 1, 0, 1]
    assert table.loc["IL-6"].tolist() == [5, 0, 0.4, 0, 3, 0, 0, 2, 0]
    assert table.loc["TNF"].tolist() == [5, 0.6, 0, 0, 2, 0, 3, 0, 0]


# --- selections


def test_select_takes_analytes_in_the_order_given(panel):
    kept = panel.select(analytes=["TNF", "IL-1β"], visits=["pre"])
    assert kept.analytes.index.tolist() == ["TNF", "IL-1β"]
    assert kept.samples.index.tolist() == ["1@pre", "2@pre", "3@pre"]
    for name in FRAMES:
        want = getattr(panel, name).loc[kept.samples.index, kept.analytes.index]
        pd.testing.assert_frame_equal(getattr(kept, name), want, check_exact=True)
    assert kept.fallback_limit.to_numpy().tolist() == [[1, 3]]  # of the whole panel: TNF was measured at the other visit only


def test_select_keeps_the_order_of_samples(panel):
    assert panel.select(subjects=[3, 1.0]).samples.index.tolist() == ["1@pre", "1@post", "3@pre"]
    assert panel.select(analytes="IL-6", subjects="2", visits="post").values.shape == (1, 1)
    same(panel.select(), panel)


def test_select_keeps_unknown_limits_unknown():
    frame = pd.DataFrame({"subject": range(3), "A": [1.0, 2, 3], "B": [4.0, 5, 6]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A", "B"])
    kept = panel.select(analytes=["B"], subjects=[2])
    assert kept.lower_limit.isna().all(axis=None)
    assert kept.lower_limit.shape == (1, 1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"analytes": ["IL6"]}, "DataFrame: no analyte 'IL6' in the panel. Did you mean 'IL-6'?"),
        ({"subjects": [9]}, "DataFrame: no subject '9' in the panel. There are '1', '2', '3'."),
        ({"visits": ["Pre"]}, "DataFrame: no visit 'Pre' in the panel. Did you mean 'pre'?"),
        ({"analytes": ["x"], "visits": ["y"]}, "DataFrame: 2 faults\n  - no analyte 'x'"),
        ({"analytes": []}, "`analytes` names nothing; leave it out to keep all."),
        ({"subjects": ()}, "`subjects` names nothing; leave it out to keep all."),
        ({"analytes": ["TNF", "TNF"]}, "`analytes` names an analyte twice: 'TNF', 'TNF'."),
    ],
)
def test_select_refuses(panel, options, words):
    with pytest.raises((cc.PanelError, cc.OptionError)) as caught:
        panel.select(**options)
    assert words in str(caught.value)


# --- a second table


def clinical(**columns):
    return pd.DataFrame({"Patient": ["3", "2", "1"], "age": [63, 62, 61], "set": ["b", "a", "a"], **columns})


def test_join_by_subject(panel):
    joined = panel.join(clinical(), on="Patient")
    assert joined.samples["age"].tolist() == [61, 61, 62, 62, 63]
    assert joined.samples["set"].tolist() == ["a", "a", "a", "a", "b"]
    assert list(joined.samples.columns) == ["subject", "visit", "plate", "sex", "age", "set"]
    assert joined.samples.index.equals(panel.samples.index)
    assert list(panel.samples.columns) == ["subject", "visit", "plate", "sex"]


@pytest.mark.parametrize("ids", [[3, 2, 1], [3.0, 2.0, 1.0], ["3.0", " 2", "1"]])
def test_join_matches_ids_as_labels(panel, ids):
    assert panel.join(clinical(Patient=ids), on=["Patient"]).samples["age"].tolist() == [61, 61, 62, 62, 63]


def test_join_by_subject_and_visit(panel):
    frame = pd.DataFrame({"id": [1, 1, 2, 2, 3], "t": ["post", "pre", "pre", "post", "pre"], "dose": [1, 2, 3, 4, 5]})
    assert panel.join(frame, on=("id", "t")).samples["dose"].tolist() == [2, 1, 3, 4, 5]


def test_join_warns_of_rows_that_belong_to_no_sample(panel):
    frame = pd.concat([clinical(), pd.DataFrame({"Patient": ["8", "9"], "age": 0, "set": "c"})])
    with pytest.warns(cc.AnalysisWarning, match="2 rows of the second table belong to no sample: '8', '9'"):
        assert panel.join(frame, on="Patient").samples["age"].tolist() == [61, 61, 62, 62, 63]


def test_join_lists_every_mismatch_at_once(panel):
    frame = pd.DataFrame({"Patient": [1, 1, None, 4], "sex": "f", "age": 1})
    with pytest.raises(cc.PanelError) as caught:
        panel.join(frame, on="Patient")
    assert str(caught.value) == (
        "the second table: 5 faults\n"
        "  - the samples have a column of this name already: column 'sex'. Rename or leave out one of the two.\n"
        "  - the key is blank: row 2, column 'Patient'. Fill in the cell or delete the row.\n"
        "  - the key occurs more than once: row 1, subject '1'. Keep one row for each.\n"
        "  - no row for this subject (2 times): subject '2'; subject '3'. "
        "Add the row, or leave the subject out with panel.select(subjects=...)."
    )
    assert len(caught.value.failures) == 5


def test_join_names_the_visit_that_has_no_row(panel):
    frame = pd.DataFrame({"id": [1, 1, 2, 2], "t": ["pre", "post"] * 2, "dose": 1})
    with pytest.raises(cc.PanelError, match="no row for this subject and visit: subject '3', visit 'pre'"):
        panel.join(frame, on=("id", "t"))


@pytest.mark.parametrize(
    ("frame", "on", "words"),
    [
        (
            clinical(),
            "patient",
            "no column 'patient' (named as `on`); the columns are 'Patient', 'age', 'set'. Name the key column",
        ),
        (clinical(), 5, "`on` must be one column (the subject) or a pair (subject, visit); got 5."),
        (clinical(), [], "got []"),
        (clinical(), ["Patient", "age", "set"], "must be one column"),
        (clinical(), ["Patient", 5], "must be one column"),
        (clinical().set_axis(["Patient", "a", "a"], axis=1), "Patient", "two columns have this name: column 'a'"),
        ({"Patient": [1]}, "Patient", "join() takes a DataFrame; got dict."),
    ],
)
def test_join_refuses(panel, frame, on, words):
    with pytest.raises((cc.PanelError, cc.OptionError)) as caught:
        panel.join(frame, on=on)
    assert words in str(caught.value)


# --- written as a long table, and read again


def again(panel, source=None):
    source = panel.to_long() if source is None else source
    plate = "plate" if panel.has_plates else None
    return cc.read_panel(source, layout="long", plate=plate, logged=panel.logged, **LIMITS)


def test_to_long(panel):
    table = panel.to_long()
    assert list(table.columns) == [
        "subject",
        "visit",
        "plate",
        "sex",
        "analyte",
        "value",
        *("unit", "category"),
        *list(LIMITS)[:2],
    ]
    assert table["value"].tolist() == [
        "<2.0", "5.0", "OOR <", "3.0", ">90.0", "1.0", "*1.0", "6.0", "<3.0", "4.0", "OOR >", "2.0", "", "7.0", "OOR <",
    ]  # fmt: skip
    same(again(panel), panel)


def test_to_long_refuses_names_that_clash():
    frame = pd.DataFrame({"subject": [1, 2], "value": ["u", "v"], "A": [1.0, 2.0]})
    panel = cc.read_panel(frame, layout="wide", analytes=["A"])
    with pytest.raises(cc.PanelError, match="a sample column has the name of a column of the long table: column 'value'"):
        panel.to_long()


NAMES = st.one_of(
    st.sampled_from(
        ["IL-1β", "a,b", 'say "x"', "two\nlines", "semi;colon", "tab\there", "5", "007", "1.50", "#1", "x'y", "CCL3/MIP-1α"]
    ),
    st.text(st.characters(exclude_categories=("Cs", "Cc")), min_size=1, max_size=6),
).filter(lambda name: as_label(name) not in NOT_GIVEN)
POSITIVE = st.floats(1e-300, 1e300)


def distinct(most, least=1):
    return st.lists(NAMES, min_size=least, max_size=most, unique_by=as_label)


@st.composite
def cell_texts(draw, lower, upper):
    """A cell that does not contradict the limits stated for it."""
    number = draw(st.one_of(st.floats(allow_nan=False, allow_infinity=False), POSITIVE))
    kinds = [repr(number), f"*{number!r}", f"{number!r}*", "OOR <", "OOR >", ""]
    if lower is None:
        kinds.append(f"<{draw(st.floats(1e-9, 1))!r}")
    if upper is None:
        kinds.append(f"> {draw(st.floats(2e3, 1e9))!r}")
    return draw(st.sampled_from(kinds))


@st.composite
def panels(draw):
    """A panel with cells of every state, plates, limits and odd names, as a long table gives it."""
    analytes, subjects, visits = draw(distinct(3)), draw(distinct(4)), draw(distinct(2))
    plates = draw(st.one_of(st.none(), distinct(2)))
    extra = draw(
        st.lists(st.one_of(st.just(""), NAMES, st.integers(-5, 99).map(str)), min_size=len(subjects), max_size=len(subjects))
    )
    score = draw(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=len(subjects), max_size=len(subjects)))
    units = draw(st.lists(st.sampled_from(["pg/mL", "", "µg, per L"]), min_size=len(analytes), max_size=len(analytes)))
    rows = []
    for i, subject in enumerate(subjects):
        for visit in visits if i else visits[:1]:
            plate = draw(st.sampled_from(plates)) if plates else ""
            for j, analyte in enumerate(analytes):
                lower, upper = draw(st.none() | st.floats(1e-9, 1)), draw(st.none() | st.floats(2e3, 1e9))
                value = draw(cell_texts(lower, upper))
                row = (subject, visit, plate, analyte, value, lower, upper, extra[i], score[i], units[j], "x")
                if i == 0 or draw(st.integers(0, 5)):
                    rows.append(row)
    columns = ["subject", "visit", "plate", "analyte", "value", *list(LIMITS)[:2], "note", "score", "unit", "category"]
    frame = pd.DataFrame(rows, columns=columns).astype({"lower_limit": float, "upper_limit": float})
    logged = draw(st.sampled_from([None, "log2"]))
    return cc.read_panel(frame, layout="long", plate="plate" if plates else None, logged=logged, **LIMITS)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(panels())
def test_a_panel_is_what_its_long_table_says(panel):
    same(again(panel), panel)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(panels(), st.sampled_from([",", ";", "\t"]), st.sampled_from(["utf-8", "utf-16"]))
def test_a_panel_is_what_its_file_says(panel, sep, encoding):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "panel.csv"
        panel.to_long().to_csv(path, index=False, sep=sep, encoding=encoding)
        same(again(panel, path), panel)


def test_all_states_survive_a_file(panel, tmp_path):
    panel.to_long().to_csv(tmp_path / "panel.csv", index=False)
    same(again(panel, tmp_path / "panel.csv"), panel)
    np.testing.assert_equal(np.unique(panel.state), [int(kind) for kind in State])
