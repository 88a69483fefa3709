"""CheckReport: what was checked, what was expected and why, what was found; Check and Finding, which it is made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from ..errors import CytokineError, OptionError, one_of, quoted
from ..results import count_column, rows_where, text_column
from ..shown import as_html, as_text
from ..text_files import save_text
from ..words import counted, joined

PASS, WARN, FAIL, NOT_APPLICABLE = VERDICTS = ("pass", "warn", "fail", "not applicable")
CHECK_COLUMNS = ("name", "about", "expected", "why", "observed", "verdict", "n_rows", "reference")
PLACE_COLUMNS = ("name", "file", "row", "subject", "visit", "plate", "matched_set", "analyte", "found")
_SAID = {FAIL: "failed", WARN: "with a warning", NOT_APPLICABLE: "not applicable", PASS: "passed"}
_SHOWN = ["name", "observed", "verdict"]
_SPELLED = 5  # failed checks that an error spells out


class CheckError(CytokineError, AssertionError):
    """A check failed; ``report`` is the whole `CheckReport`."""

    def __init__(self, message: str, report: CheckReport):
        super().__init__(message)
        self.report = report


@dataclass(frozen=True)
class Finding:
    """What one check found.

    Attributes
    ----------
    verdict : {"pass", "warn", "fail", "not applicable"}
    observed : str
        In words, with the numbers.
    rows : sequence of mapping
        What shows it: any of `PLACE_COLUMNS` but name.
    """

    verdict: str
    observed: str
    rows: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        one_of("verdict", self.verdict, VERDICTS)

    @classmethod
    def of(cls, good: bool, observed: str, rows: Sequence[Mapping[str, Any]] = (), otherwise: str = FAIL) -> Finding:
        """Return a pass if `good`, else the verdict `otherwise`."""
        return cls(PASS if good else otherwise, observed, rows)


@dataclass(frozen=True)
class Check:
    """One thing to look at.

    Attributes
    ----------
    name : str
        Unique among the checks of a report.
    about : str
        Kind of check, such as "agreement with R".
    expected, why : str
        What is expected, and why it must be so.
    run : callable
        Looks, and returns a Finding.
    reference : str
        Where the expectation comes from, with DOI or the R call.
    level : {"quick", "full"}
        "full": too long for the quick run.
    """

    name: str
    about: str
    expected: str
    why: str
    run: Callable[..., Finding]
    reference: str = ""
    level: str = "quick"


@dataclass(frozen=True, eq=False)
class CheckReport:
    """What was checked, what was expected and why, what was found.

    Attributes
    ----------
    table : DataFrame
        One row a check: name, about, expected, why, observed, verdict ("pass", "warn", "fail", "not applicable"), n_rows (of
        ``rows``), reference.
    rows : DataFrame
        What shows it: name of the check, file, row, subject, visit, plate, matched_set, analyte, found; empty where a place
        does not apply.
    meta : dict
        what was checked, level, seconds, versions.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> report = cc.check_study(cc.load_study("quickstart"))
    >>> report.passed
    True
    >>> report.select(name="plate and group").table["verdict"].tolist()
    ['pass']
    """

    table: pd.DataFrame
    rows: pd.DataFrame
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, frame, columns in (("table", self.table, CHECK_COLUMNS), ("rows", self.rows, PLACE_COLUMNS)):
            if list(frame.columns) != list(columns):
                raise OptionError(f"`{name}` of a check report has the columns {quoted(columns)}; got {quoted(frame.columns)}.")

    def __len__(self) -> int:
        return len(self.table)

    @property
    def passed(self) -> bool:
        """Whether no check failed; warnings do not count."""
        return not (self.table["verdict"] == FAIL).any()

    def assert_passing(self) -> None:
        """Raise if a check failed; for tests and scripts.

        Raises
        ------
        CheckError
            A `CytokineError` that is an AssertionError as well; its message names the checks that failed and what they found.
        """
        if not self.passed:
            bad = self.table[self.table["verdict"] == FAIL]
            lines = [f"  - {name}: {observed}" for name, observed in zip(bad["name"], bad["observed"], strict=True)]
            more = [f"  and {len(lines) - _SPELLED} more (all in .report)"] if len(lines) > _SPELLED else []
            raise CheckError("\n".join([f"{self.describe()}", *lines[:_SPELLED], *more]), self)

    def select(self, **where: Any) -> CheckReport:
        """Keep the checks that match.

        Parameters
        ----------
        **where
            Column of ``table`` -> value, or list of values.

        Returns
        -------
        CheckReport
            With the rows of these checks.

        Raises
        ------
        OptionError
            An unknown column, or a value that the column does not hold.
        """
        table = self.table[rows_where(self.table, where)]
        return replace(self, table=table, rows=self.rows[self.rows["name"].isin(table["name"])])

    def describe(self) -> str:
        """Say how many checks came to which verdict.

        Returns
        -------
        str
        """
        counts = self.table["verdict"].value_counts()
        said = [f"{counts[verdict]} {word}" for verdict, word in _SAID.items() if verdict in counts]
        return f"{self.meta.get('what', 'Checks')}: {counted(len(self), 'check')}, {joined(said) or 'none'}."

    def to_csv(self, path: Any = None) -> str | None:
        """Write ``table`` as CSV.

        Parameters
        ----------
        path : path, optional
            None returns the text.

        Returns
        -------
        str or None
        """
        return save_text(self.table.to_csv(index=False, lineterminator="\n"), path)

    def __repr__(self) -> str:
        order = {verdict: i for i, verdict in enumerate((FAIL, WARN, NOT_APPLICABLE, PASS))}
        worst = self.table.sort_values("verdict", key=lambda column: column.map(order), kind="stable")
        return as_text(f"CheckReport: {self.describe()}", {"Checks, the worst first": worst[_SHOWN]})

    def _repr_html_(self) -> str:
        """Show the checks, and the rows that show what they found, in a notebook."""
        tables = {"Checks": self.table[["about", "name", "verdict", "observed", "expected", "why", "reference"]]}
        if len(self.rows):
            tables["Rows"] = self.rows.loc[:, (self.rows != "").any()]
        return as_html(self.describe(), tables)


def carry_out(checks: Iterable[Check], arguments: Sequence[Any] = (), meta: Mapping[str, Any] | None = None) -> CheckReport:
    """Run checks, and report.

    Parameters
    ----------
    checks : iterable of Check
    arguments : sequence
        What each `run` is called with.
    meta : mapping, optional

    Returns
    -------
    CheckReport
        A check that is stopped by an error fails, and says by which.
    """
    checks = list(checks)
    return report_of(checks, [found(check, arguments) for check in checks], meta)


def report_of(checks: Sequence[Check], findings: Iterable[Finding], meta: Mapping[str, Any] | None = None) -> CheckReport:
    """Put checks and what each found into a report.

    Parameters
    ----------
    checks : sequence of Check
    findings : iterable of Finding
    meta : mapping, optional

    Returns
    -------
    CheckReport
    """
    done = list(zip(checks, findings, strict=True))
    columns: dict[str, list[Any]] = {name: [getattr(check, name, None) for check, _ in done] for name in CHECK_COLUMNS}
    columns["observed"] = [own.observed for _, own in done]
    columns["verdict"] = [own.verdict for _, own in done]
    table = pd.DataFrame({name: text_column(values) for name, values in columns.items() if name != "n_rows"})
    n_rows = count_column(np.array([len(own.rows) for _, own in done], dtype=np.int64))
    table.insert(CHECK_COLUMNS.index("n_rows"), "n_rows", n_rows)
    places = [{**row, "name": check.name} for check, own in done for row in own.rows]
    rows = {name: text_column([_text(place.get(name)) for place in places]) for name in PLACE_COLUMNS}
    return CheckReport(table, pd.DataFrame(rows), dict(meta or {}))


def found(check: Check, arguments: Sequence[Any]) -> Finding:
    """Carry out one check; an error that stops it is what it found."""
    try:
        return check.run(*arguments)
    except Exception as error:
        return Finding(FAIL, f"stopped by {type(error).__name__}: {error}")


def _text(value: Any) -> str:
    return "" if value is None else str(value)
