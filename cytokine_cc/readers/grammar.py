"""What a cell may say: numbers, ``<3.2``, ``OOR >``, ``*1.04``, ``***``, ``ND`` and the user's own codes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from ..errors import OptionError, did_you_mean, quoted
from ..panel import State

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?")
_BEYOND = re.compile(r"(?:OOR\s*)?(<=|>=|<+|>+|≤|≥)\s*(.*)", re.IGNORECASE)
_UNSTATED = {"", "lod", "llod", "lloq", "loq", "uloq", "ulod", "lql", "uql"}
_MISSING = {"", "na", "n/a", "#n/a", "nan", "***", "---", "."}
_BELOW = {"nd", "n.d.", "bdl", "blq", "bloq", "blod"}
_NOT_DETECTED = {"nd", "n.d."}
NO_LIMIT = "states a limit of 0 or less"
CODE_MEANINGS = {"below": State.BELOW, "above": State.ABOVE, "missing": State.MISSING}


class Cell(NamedTuple):
    """One cell, read."""

    number: float = math.nan
    state: int = State.MISSING
    lower: float = math.nan
    upper: float = math.nan
    problem: str = ""


class Cells(NamedTuple):
    """Many cells, read: arrays of one length; `problems` maps position to what is wrong there."""

    number: np.ndarray
    state: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    problems: dict[int, str]
    not_detected: int


@dataclass(frozen=True)
class Codes:
    """The user's own codes: exact texts, and numbers that stand for a state."""

    texts: Mapping[str, int] = field(default_factory=dict)
    numbers: Mapping[float, int] = field(default_factory=dict)

    @classmethod
    def build(cls, codes: Mapping[Any, str] | None) -> Codes:
        """Check and sort the argument `codes` of `read_panel`."""
        if codes is None:
            return cls()
        if not isinstance(codes, Mapping):
            raise OptionError(f"`codes` must be a mapping such as {{'NaN': 'below', '0': 'below'}}; got {codes!r}.")
        texts: dict[Any, int] = {}
        numbers: dict[Any, int] = {}
        for key, meaning in codes.items():
            if not isinstance(meaning, str) or meaning not in CODE_MEANINGS:
                hint = did_you_mean(meaning, CODE_MEANINGS)
                raise OptionError(f"`codes`: {key!r} must mean one of {quoted(CODE_MEANINGS)}; got {meaning!r}.{hint}")
            text = _plain_text(key)
            state = CODE_MEANINGS[meaning]
            known, name = (numbers, float(text)) if _NUMBER.fullmatch(text) else (texts, text.casefold())
            if known.setdefault(name, state) != state:
                raise OptionError(f"`codes`: {key!r} is given two meanings.")
        return cls(texts, numbers)


def parse(values: Any, codes: Codes, decimal: str) -> Cells:
    """Read a column of cells, numbers or text.

    Parameters
    ----------
    values : Series or array, shape (n,)
        A float NaN is the text "NaN"; None and pandas.NA are blank cells.
    codes : Codes
    decimal : str
        "." or ",".

    Returns
    -------
    Cells
    """
    if values.dtype.kind in "fiu":
        if isinstance(values.dtype, np.dtype):
            return _parse_numbers(np.asarray(values, dtype=np.float64), codes)
        values = values.astype(object)  # nullable numbers
    raw, uniques = pd.factorize(values, use_na_sentinel=False)
    numbers, odd = _plain_numbers(uniques, decimal)
    read = _parse_numbers(numbers, Codes(numbers=codes.numbers))
    lower, upper = np.full((2, len(uniques)), np.nan)
    bad: dict[int, str] = {}
    not_detected = np.zeros(len(uniques), dtype=bool)
    for i in odd:
        cell = _parse_cell(uniques[i], codes, decimal)
        read.number[i], read.state[i], lower[i], upper[i] = cell[:4]
        if cell.problem:
            bad[i] = cell.problem
        not_detected[i] = _plain_text(uniques[i]).casefold() in _NOT_DETECTED - codes.texts.keys()
    bad |= read.problems
    problems = {int(i): bad[raw[i]] for i in np.flatnonzero(np.isin(raw, list(bad)))} if bad else {}
    n_not_detected = int(not_detected[raw].sum()) if odd else 0
    state = read.state[raw]
    if codes.texts.keys() & {"", "nan"}:
        state[_is_blank(values)] = codes.texts.get("", State.MISSING)
    return Cells(read.number[raw], state, lower[raw], upper[raw], problems, n_not_detected)


def _is_blank(values: Any) -> np.ndarray:
    """Find None and pandas.NA, which `factorize` does not tell from a float NaN."""
    if values.dtype == object:
        return np.array([cell is None or cell is pd.NA for cell in values], dtype=bool)
    no_nan = getattr(values.dtype, "na_value", np.nan) is pd.NA
    return np.asarray(values.isna()) if no_nan else np.zeros(len(values), dtype=bool)


def _plain_numbers(uniques: Any, decimal: str) -> tuple[np.ndarray, list[int]]:
    """Read the texts that are plain numbers; return them (NaN elsewhere) and the positions of the others."""
    found, odd = [], []
    match = _NUMBER.fullmatch
    for i, value in enumerate(uniques.tolist() if hasattr(uniques, "tolist") else uniques):
        if type(value) is str:
            if decimal == "." and match(value):
                found.append(float(value))
                continue
        elif isinstance(value, float | int | np.number) and not isinstance(value, bool) and value == value:
            found.append(float(value))
            continue
        found.append(math.nan)
        odd.append(i)
    return np.array(found, dtype=np.float64), odd


def parse_limits(values: Any, decimal: str) -> tuple[np.ndarray, dict[int, str]]:
    """Read a column of limits: positive or negative numbers, blank where not known."""
    cells = parse(values, Codes(), decimal)
    problems = {i: f"a limit {text}" for i, text in cells.problems.items()}
    for i in np.flatnonzero((cells.state != State.MEASURED) & (cells.state != State.MISSING)):
        problems[int(i)] = "a limit must be a plain number or blank"
    return cells.number, problems


def _plain_text(value: Any) -> str:
    if isinstance(value, str):
        return value.strip()
    if value is None or type(value).__name__ == "NAType":
        return ""
    if isinstance(value, float | np.floating) and math.isnan(value):
        return "NaN"
    return str(value)


def _parse_numbers(number: np.ndarray, codes: Codes) -> Cells:
    unknown = np.full(len(number), np.nan)
    state = np.where(np.isnan(number), np.int8(codes.texts.get("nan", State.MISSING)), np.int8(State.MEASURED)).astype(np.int8)
    for code, meaning in codes.numbers.items():
        state[number == code] = meaning
    number = np.where(state == State.MEASURED, number, np.nan)
    problems = {int(i): "is infinite" for i in np.flatnonzero(np.isinf(number))}
    return Cells(number, state, unknown, unknown, problems, 0)


def _parse_cell(value: Any, codes: Codes, decimal: str) -> Cell:
    if isinstance(value, bool | np.bool_):
        return Cell(problem="is no number")
    text = _plain_text(value)
    folded = text.casefold()
    if folded in codes.texts:
        return Cell(state=codes.texts[folded])
    if folded in _MISSING:
        return Cell()
    if folded in _BELOW:
        return Cell(state=State.BELOW)
    beyond = _BEYOND.fullmatch(text)
    if beyond:
        return _beyond(beyond[1], beyond[2], decimal)
    starred = text.startswith("*") or text.endswith("*")
    number, problem = to_number(text.strip("*").strip() if starred else text, decimal)
    if problem:
        return Cell(problem=problem)
    if number in codes.numbers:
        return Cell(state=codes.numbers[number])
    return Cell(number=number, state=State.EXTRAPOLATED if starred else State.MEASURED)


def _beyond(sign: str, tail: str, decimal: str) -> Cell:
    below = sign[0] in "<≤"
    state = State.BELOW if below else State.ABOVE
    if tail.strip().casefold() in _UNSTATED:
        return Cell(state=state)
    limit, problem = to_number(tail.strip(), decimal)
    if problem:
        return Cell(problem=problem)
    return Cell(state=state, lower=limit) if below else Cell(state=state, upper=limit)


def to_number(text: str, decimal: str) -> tuple[float, str]:
    """Read a number; return it and, where it is none, why."""
    text = text.replace("\N{MINUS SIGN}", "-")
    if decimal != ".":
        if "." in text:
            return math.nan, f"has a point, but decimal={decimal!r}"
        text = text.replace(decimal, ".")
    if not _NUMBER.fullmatch(text):
        if text.casefold().lstrip("+-") in {"inf", "infinity", "∞"}:
            return math.nan, "is infinite"
        if decimal == "." and "," in text:
            return math.nan, "has a comma, but decimal='.'"
        return math.nan, "is no number"
    number = float(text)
    return (number, "") if math.isfinite(number) else (math.nan, "is infinite")


REMEDIES = {
    "is no number": "Correct the cell, or say what it means with `codes`, such as codes={'low': 'below'}.",
    "is infinite": "Correct the cell, or say what it means with `codes`: 'below', 'above' or 'missing'.",
    "has a comma, but decimal='.'": "If it is a decimal comma, pass decimal=','; if it separates thousands, remove it.",
    "has a point, but decimal=','": "If it is a decimal point, pass decimal='.'; if it separates thousands, remove it.",
    NO_LIMIT: "Correct the cell; if the limit is not known, say codes={'<0': 'below'}.",
}
