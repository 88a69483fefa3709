"""Results: one table with fixed columns for every question, what was left out, and how it was made."""

from __future__ import annotations

import csv
import html
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd

from .errors import OptionError, fraction, known_keys, one_of, quoted
from .multiplicity import ALIASES, METHODS, adjust_pvalues
from .text_files import read_text, save_text

EXCLUDED_COLUMNS = ("subject", "visit", "analyte", "reason")
TEXT, COUNT, NUMBER = "str", "Int64", "float64"
COLUMNS: dict[str, str] = {
    "analyte": TEXT, "contrast": TEXT, "visit": TEXT, "test": TEXT, "method": TEXT, "scale": TEXT, "below_limit": TEXT,
    "alternative": TEXT, "covariates": TEXT,
    "n_case": COUNT, "n_control": COUNT,
    "n_below_case": COUNT, "n_below_control": COUNT, "n_above_case": COUNT, "n_above_control": COUNT,
    "mean_case": NUMBER, "mean_control": NUMBER, "sd_case": NUMBER, "sd_control": NUMBER,
    "estimand": TEXT, "estimate": NUMBER, "std_error": NUMBER, "conf_low": NUMBER, "conf_high": NUMBER, "conf_level": NUMBER,
    "conf_type": TEXT, "hedges_g": NUMBER, "statistic": NUMBER, "df": NUMBER, "p_value": NUMBER,
    "adjust": TEXT, "family": TEXT, "n_tests": COUNT, "p_adjusted": NUMBER, "note": TEXT,
}  # fmt: skip
_MOST_HTML = 500  # rows that a notebook shows
_TEXT_TYPE = pd.Series([""], dtype=str).dtype  # object before pandas 3, str since
_SHOWN = (
    "analyte",
    "contrast",
    "visit",
    "n_case",
    "n_control",
    "estimate",
    "conf_low",
    "conf_high",
    "p_value",
    "p_adjusted",
    "note",
)


@dataclass(frozen=True, eq=False)
class Results:
    """What came of one question, or of several.

    Attributes
    ----------
    table : DataFrame
        One row an analyte and contrast, in panel order, even where it could not be tested. Columns, always these:

        - analyte, contrast (states the sign: "case / control"), visit, test, method (what was really done), scale, below_limit
          (the rule), alternative, covariates
        - n_case, n_control: values that entered; n_below_*, n_above_*: of these, beyond a limit (of changes: at either visit)
        - mean_*, sd_*: of the values (or changes) as they entered, geometric on log scales
        - estimand, estimate, std_error (analysis scale), conf_low, conf_high, conf_level, conf_type. On log scales ratios
        - hedges_g: standardised difference with Hedges' correction. Of two groups (also in matched sets, whose pairing it
          ignores) the difference of means by the pooled SD; of changes in two groups likewise, by the SD of the changes; within a
          group the mean change by the average SD of the two visits
        - statistic, df, p_value
        - adjust, family, n_tests (tests with a p-value in the family), p_adjusted
        - note: what the reader must know of this row; says why where p_value is NaN

        Text columns hold "" rather than NaN, counts are Int64.
    excluded : DataFrame
        subject, visit, analyte, reason: every cell that did not enter. An empty analyte: there is no sample.
    meta : dict
        The question's plan, design, source, versions, seed.
    """

    table: pd.DataFrame
    excluded: pd.DataFrame = field(default_factory=lambda: excluded_table([]))
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if list(self.table.columns) != list(COLUMNS):
            raise OptionError(
                f"a results table has the columns {quoted(COLUMNS, limit=40)}; got {quoted(self.table.columns, limit=40)}."
            )

    def __len__(self) -> int:
        return len(self.table)

    def __repr__(self) -> str:
        shown = self.table[list(_SHOWN[:-1])]
        head = (
            f"<Results: {len(self)} rows, {int(self.table['p_value'].notna().sum())} tested; {len(self.excluded)} cells left out>"
        )
        return f"{head}\n{shown.to_string(max_rows=12, index=False, float_format=_brief)}"

    def _repr_html_(self) -> str:
        """Show the table in a notebook, rounded; full precision stays in ``table``."""
        rows = self.table[list(_SHOWN)].head(_MOST_HTML)
        head = "".join(f"<th>{name}</th>" for name in _SHOWN)
        body = "\n".join(
            "<tr>" + "".join(f"<td>{html.escape(_shown(value))}</td>" for value in row) + "</tr>"
            for row in rows.itertuples(index=False)
        )
        ways = self.table[["test", "scale", "adjust"]].drop_duplicates()
        how = "{} on {}, adjusted by {}; ".format(*ways.iloc[0]) if len(ways) == 1 else ""
        cut = f" (the first {_MOST_HTML} shown)" if len(self) > _MOST_HTML else ""
        left_out = f"{len(self)} rows{cut}, {len(self.excluded)} cells left out"
        caption = html.escape(f"{how}{left_out}. Rounded here; .table has full precision.")
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>\n{body}\n</tbody></table>"

    def significant(self, alpha: float = 0.05) -> Results:
        """Keep the rows with an adjusted p-value of at most `alpha`.

        Parameters
        ----------
        alpha : float

        Returns
        -------
        Results
        """
        fraction("alpha", alpha)
        return replace(self, table=self.table[self.table["p_adjusted"] <= alpha])

    def select(self, **where: Any) -> Results:
        """Keep the rows that match; adjusted p-values stay as they are (use `adjust` for a new family).

        Parameters
        ----------
        **where
            Column -> value, or list of values.

        Returns
        -------
        Results

        Raises
        ------
        OptionError
            An unknown column, or a value that the column does not hold.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> results = cc.compare_baseline(cc.load_study("quickstart"))
        >>> len(results.select(analyte=["IL-6", "TNF-a"]))
        2
        """
        return replace(self, table=self.table[rows_where(self.table, where)])

    def adjust(self, method: str, family: str | None = None) -> Results:
        """Adjust the raw p-values anew, for the rows at hand.

        Parameters
        ----------
        method : str
            As in `adjust_pvalues`.
        family : {"visit", "all"}, optional
            "visit": each contrast, visit and way of testing its own family; "all": all rows. None keeps what the table says.

        Returns
        -------
        Results
        """
        one_of("method", method, METHODS, ALIASES)
        if family is not None:
            one_of("family", family, ("visit", "all"))
        table = self.table.copy()
        if family is not None:
            table["family"] = family
        table["adjust"] = method
        own = table["contrast"].copy()
        for column in ("visit", "test", "scale", "below_limit", "alternative"):  # combined results are families of their own
            own = own + "\0" + table[column]
        keys = own.where(table["family"] == "visit", "\0all")
        adjusted = np.full(len(table), np.nan)
        tests = np.zeros(len(table), dtype=np.int64)
        p = table["p_value"].to_numpy()
        for key in keys.unique():
            rows = (keys == key).to_numpy()
            adjusted[rows] = adjust_pvalues(p[rows], method)
            tests[rows] = int((~np.isnan(p[rows])).sum())
        table["p_adjusted"] = adjusted
        table["n_tests"] = count_column(tests)
        return replace(self, table=table)

    @staticmethod
    def combine(parts: Sequence[Results]) -> Results:
        """Put several results into one table, such as those of all questions; adjusted p-values stay as they are.

        Parameters
        ----------
        parts : sequence of Results

        Returns
        -------
        Results
        """
        if not parts:
            raise OptionError("combine() needs at least one Results.")
        table = pd.concat([part.table for part in parts], ignore_index=True)
        excluded = pd.concat([part.excluded for part in parts], ignore_index=True)
        return Results(table.astype(COLUMNS), excluded, {"parts": [dict(part.meta) for part in parts]})

    def to_csv(self, path: Any = None) -> str | None:
        """Write the table at full precision.

        Parameters
        ----------
        path : path, optional
            None returns the text.

        Returns
        -------
        str or None
        """
        return save_text(table_text(self.table), path)

    @classmethod
    def from_csv(cls, source: Any) -> Results:
        """Read back what `to_csv` wrote; ``excluded`` and ``meta`` are not in that file.

        Parameters
        ----------
        source : path or text stream

        Returns
        -------
        Results

        Raises
        ------
        OptionError
            A file that is not there, or is no such table.
        """
        return cls(table_of(read_columns(source, COLUMNS, "results table")))


def rows_where(table: pd.DataFrame, where: Mapping[str, Any]) -> np.ndarray:
    """Flag the rows whose columns hold one of the values asked for."""
    known_keys("select()", where, table.columns)
    keep = np.ones(len(table), dtype=bool)
    for column, value in where.items():
        values = list(value) if isinstance(value, Iterable) and not isinstance(value, str) else [value]
        for item in values:
            if not table[column].eq(item).any():
                raise OptionError(f"no row has {column} = {item!r}; there are {quoted(table[column].unique())}.")
        keep &= table[column].isin(values).to_numpy()
    return keep


def is_ratio(estimand: str) -> bool:
    """Tell whether an estimand is a ratio, with an axis of its own kind and 1 for no effect."""
    return estimand.startswith(("ratio", "odds ratio")) or estimand.endswith("(ratio)")


def no_effect(estimand: str) -> float:
    """Return the value of an estimand that means no effect; NaN where it has none.

    Examples
    --------
    >>> no_effect("odds ratio per doubling"), no_effect("P(case > control) + P(=)/2"), no_effect("difference of means")
    (1.0, 0.5, 0.0)
    """
    if is_ratio(estimand):
        return 1.0
    return 0.5 if estimand.startswith("P(") else 0.0 if "difference" in estimand else np.nan


def table_text(table: pd.DataFrame) -> str:
    """Write a table as CSV at full precision, so that `read_columns` gives back the same."""
    texts = table.select_dtypes(exclude="number")
    odd = texts.apply(lambda column: column.astype(str).str.contains("\r", regex=False)).to_numpy().any()
    quoting = csv.QUOTE_NONNUMERIC if odd else csv.QUOTE_MINIMAL  # a lone carriage return ends a row for some readers
    return table.to_csv(index=False, lineterminator="\n", quoting=quoting)


def read_columns(source: Any, kinds: Mapping[str, str], what: str) -> dict[str, Any]:
    """Read back the columns of a CSV file, each as its kind."""
    stream = hasattr(source, "read")
    text, start = source.read() if stream else read_text(source), "" if stream else f"{source}: "
    try:
        cells = pd.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pd.errors.EmptyDataError, pd.errors.ParserError) as error:
        raise OptionError(f"{start}this is no {what}: {error}.") from None
    missing = [name for name in kinds if name not in cells.columns]
    if missing or len(cells.columns) != len(kinds):
        raise OptionError(f"{start}this is no {what}: columns {quoted(missing)} are missing or others are in excess.")
    found = {}
    for name, kind in kinds.items():
        try:
            found[name] = _read_back(cells[name], kind)
        except (ValueError, OverflowError) as error:
            raise OptionError(f"{start}this is no {what}: column {name!r} must hold numbers ({error}).") from None
    return found


def excluded_table(rows: Any) -> pd.DataFrame:
    """Build the table of what was left out, from rows of (subject, visit, analyte, reason)."""
    cells = np.array(rows, dtype=object).reshape(-1, len(EXCLUDED_COLUMNS))
    return pd.DataFrame({name: text_column(cells[:, i]) for i, name in enumerate(EXCLUDED_COLUMNS)}, copy=False)


def _read_back(cells: pd.Series, kind: str) -> Any:
    if kind == TEXT:
        return text_column(cells.to_numpy(dtype=object))
    if kind == COUNT:
        blank = (cells == "").to_numpy(dtype=bool)
        return count_column(np.where(blank, "0", cells.to_numpy(dtype=object)).astype(np.int64), blank)
    return np.array([float(cell) if cell else np.nan for cell in cells])


def text_column(values: Any, length: int | None = None) -> Any:
    """Text in the type that pandas gives it; with `length`, one text repeated."""
    if length is not None:
        return _one_text(values).repeat(length)
    if isinstance(_TEXT_TYPE, pd.StringDtype):
        return _TEXT_TYPE.construct_array_type()._from_sequence(values, dtype=_TEXT_TYPE)
    return np.asarray(values, dtype=object)


@lru_cache(maxsize=256)
def _one_text(value: str) -> Any:
    return text_column(np.array([value], dtype=object))


def count_column(values: np.ndarray, blank: np.ndarray | None = None) -> Any:
    """Whole numbers as Int64; <NA> where blank."""
    mask = np.zeros(len(values), dtype=bool) if blank is None else blank
    return pd.arrays.IntegerArray(np.asarray(values, dtype=np.int64), mask)


def typed_table(columns: Mapping[str, Any], kinds: Mapping[str, str]) -> pd.DataFrame:
    """Build a table from plain arrays, each column in its order and of its kind."""
    make: dict[str, Any] = {TEXT: text_column, COUNT: count_column, NUMBER: lambda x: np.asarray(x, dtype=np.float64)}
    return pd.DataFrame({name: make[kind](columns[name]) for name, kind in kinds.items()}, copy=False)


def table_of(columns: Mapping[str, Any]) -> pd.DataFrame:
    """Build the table from columns that have their type already, in the contract's order."""
    return pd.DataFrame({name: columns[name] for name in COLUMNS}, copy=False)


def _brief(number: float) -> str:
    return f"{number:.3g}"


def _shown(value: Any) -> str:
    if value is pd.NA or (isinstance(value, float) and np.isnan(value)):
        return ""
    return _brief(value) if isinstance(value, float) else str(value)
