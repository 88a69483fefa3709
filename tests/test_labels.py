"""Labels: 1, 1.0 and "1" are one id; "007" stays."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cytokine_cc.labels import as_label, as_labels, as_tuple, coded


@pytest.mark.parametrize(
    ("value", "label"),
    [
        (1, "1"),
        (1.0, "1"),
        ("1", "1"),
        ("1.0", "1"),
        (" 1.00 ", "1"),
        (np.int64(1), "1"),
        (np.float32(1), "1"),
        (-3.0, "-3"),
        ("007", "007"),
        ("01.0", "01.0"),
        ("1.5", "1.5"),
        (2.5, "2.5"),
        ("1.0.0", "1.0.0"),
        ("1e3", "1e3"),
        (" A 1 ", "A 1"),
        ("\u00a0x\u00a0", "x"),
        ("NA", "NA"),
        (2**60, str(2**60)),
        ("123456789012345678901234567890", "123456789012345678901234567890"),
        (None, ""),
        (float("nan"), ""),
        (pd.NA, ""),
        (pd.NaT, ""),
        ("  ", ""),
    ],
)
def test_one_label(value, label):
    assert as_label(value) == label


@given(st.one_of(st.text(), st.integers(), st.floats()))
def test_a_label_is_its_own_label(value):
    once = as_label(value)
    assert as_label(once) == once


@given(st.integers(min_value=-(2**53), max_value=2**53))
def test_an_integer_and_its_float_are_one_label(number):
    assert as_label(number) == as_label(float(number)) == as_label(f"{number}.0") == str(number)


def test_several_labels():
    assert as_tuple([1, 2.0, "x"]) == ("1", "2", "x")
    assert as_tuple("12") == ("12",)
    assert as_tuple(12) == ("12",)


def test_codes_are_in_order_of_first_appearance_and_merge_what_is_one_label():
    codes, labels = coded(pd.Series([2, "1", 1.0, "2", None, float("nan"), "01"], dtype=object))
    assert labels.tolist() == ["2", "1", "", "01"]
    assert codes.tolist() == [0, 1, 1, 0, 2, 2, 3]


@pytest.mark.parametrize("dtype", ["int64", "float64", "object", "category", "Int64", "string", "str"])
def test_ids_of_any_type(dtype):
    values = pd.Series(["3", "1", "3"]) if dtype in {"string", "str"} else pd.Series([3, 1, 3])
    assert as_labels(values.astype(dtype)).tolist() == ["3", "1", "3"]
