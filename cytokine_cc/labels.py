"""Subject, visit, set, plate and group labels as text: 1, 1.0 and "1" are one label, "007" stays."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import numpy as np

# What spreadsheets and R write for an id or a group that is not known.
NOT_GIVEN = ("", "NA", "N/A", "#N/A", "NaN", "nan", "<NA>")
_WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0+")


def as_label(value: Any) -> str:
    """Return one label as text; None and NaN are the empty label.

    Examples
    --------
    >>> [as_label(x) for x in (1, 1.0, "1", " 1.0 ", "007", 2.5, None)]
    ['1', '1', '1', '1', '007', '2.5', '']
    """
    if isinstance(value, str):
        text = value.strip()
        return text.partition(".")[0] if _WHOLE.fullmatch(text) else text
    if isinstance(value, float | np.floating):
        number = float(value)
        if number != number:
            return ""
        return str(int(number)) if number.is_integer() else repr(number)
    if value is None or type(value).__name__ in {"NAType", "NaTType"}:
        return ""
    return str(value)


def as_tuple(value: Any) -> tuple[str, ...]:
    """Return one label, or several, as a tuple of labels."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes):
        return tuple(as_label(item) for item in value)
    return (as_label(value),)


def coded(values: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return integer codes and the labels they stand for, in order of first appearance.

    Parameters
    ----------
    values : Series or array, shape (n,)
        Ids of any type; missing ones become the empty label.

    Returns
    -------
    codes : ndarray of intp, shape (n,)
    labels : ndarray of object, shape (k,)
    """
    import pandas as pd

    raw, uniques = pd.factorize(values, use_na_sentinel=False)
    names = [as_label(item) for item in uniques]
    if len(set(names)) == len(names):
        return raw, np.array(names, dtype=object)
    index: dict[str, int] = {}
    merged = np.array([index.setdefault(name, len(index)) for name in names], dtype=np.intp)
    return merged[raw], np.array(list(index), dtype=object)


def as_labels(values: Any) -> np.ndarray:
    """Return ids as an object array of text."""
    codes, labels = coded(values)
    return labels[codes]
