"""Checks for the terminal, and as one page with their tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

import pandas as pd

from .. import __version__
from ..checks.check_report import FAIL, NOT_APPLICABLE, PASS, PLACE_COLUMNS, WARN, CheckReport
from ..errors import OptionError
from ..text_files import write_files
from ..words import counted, joined
from .document import Block, Bullets, Column, Facts, Page, Section, Table, Text
from .phrases import begin
from .summary import wrapped

PAGE = "checks.html"
_MARKS = {PASS: "pass", WARN: "WARN", FAIL: "FAIL", NOT_APPLICABLE: "n/a"}
_MEANING = (
    "fail: what was expected does not hold; warn: look at it before you rely on the numbers; n/a: cannot be told here, and why. "
    "No check changes or chooses an analysis."
)
_MARGIN, _MOST = 6, 8  # letters of a verdict with its space; rows of a check that a terminal shows
_HEADERS = {
    "verdict": "verdict",
    "name": "check",
    "observed": "observed",
    "expected": "expected, and why",
    "reference": "reference",
}
_MARKED, _CHECKED = "not passed", "checked"
_SHARED = 3  # rows of a table that say the same, from which on it is said once
_PLACES = {name: name.replace("_", " ") for name in PLACE_COLUMNS} | {"name": "check"}


def checks_text(report: CheckReport) -> str:
    """Write a report for the terminal: one line a check, more of what did not pass.

    Parameters
    ----------
    report : CheckReport

    Returns
    -------
    str
    """
    lines = [*wrapped(report.describe())]
    told = report.meta.get("simulated")
    lines += list(wrapped(str(told))) if told else []
    for about, checks in report.table.groupby("about", sort=False):
        lines += ["", begin(str(about))]
        for check in checks.to_dict("records"):
            lines += _check_lines(check, report.rows[report.rows["name"] == check["name"]])
    if not (report.table["verdict"] == PASS).all():
        lines += ["", *wrapped(_MEANING)]
    return "\n".join(lines) + "\n"


def _check_lines(check: dict[Any, Any], rows: pd.DataFrame) -> Iterator[str]:
    margin = " " * (2 + _MARGIN)
    yield from wrapped(f"{_MARKS[check['verdict']]:<{_MARGIN}}{check['name']}: {check['observed']}", indent="  ", hang=_MARGIN)
    if check["verdict"] not in (WARN, FAIL):
        return
    for key in ("expected", "why", "reference"):
        if check[key]:
            yield from wrapped(f"{key}: {check[key]}", indent=margin, hang=2)
    for row in rows.head(_MOST).to_dict("records"):
        yield from wrapped(f"- {_place(row)}", indent=margin, hang=2)
    if len(rows) > _MOST:
        yield f"{margin}- and {len(rows) - _MOST:,} more"


def _place(row: dict[Any, Any]) -> str:
    """Name the place of one finding: file and row, then what the user calls things."""
    names = [f"{_PLACES[key]} {row[key]}" for key in PLACE_COLUMNS[2:-1] if row[key]]
    return f"{', '.join([*([row['file']] if row['file'] else []), *names])}: {row['found']}".lstrip(": ")


def write_checks(report: CheckReport | Sequence[CheckReport], folder: Any) -> Path:
    """Write what was checked as one page that needs no network, and as CSV.

    Parameters
    ----------
    report : CheckReport or sequence of CheckReport
        From `run_checks` and `check_study`; several stand on one page.
    folder : path
        Made if need be; other files in it stay.

    Returns
    -------
    Path
        Of ``checks.html``; beside it ``checks.csv`` and ``check_rows.csv``: ``table`` and ``rows``, each row headed by what was
        checked.

    Raises
    ------
    OptionError
        No CheckReport; the folder cannot be written to, and nothing is left behind then.

    Examples
    --------
    >>> import tempfile
    >>> import cytokine_cc as cc
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cc.write_checks(cc.check_study(cc.load_study("quickstart")), folder).name
    'checks.html'
    """
    reports = [report] if isinstance(report, CheckReport) else list(report) if isinstance(report, Sequence) else [report]
    if not reports or not all(isinstance(item, CheckReport) for item in reports):
        raise OptionError(f"`report` must be a CheckReport, or a list of them; got {report!r}. Make one with check_study(study).")
    if not isinstance(folder, str | PathLike) or not str(folder).strip():
        raise OptionError(f"`folder` must be the path of a folder; got {folder!r}.")
    from .page import page_html

    texts = {PAGE: page_html(checks_page(reports))}
    for name, key in (("checks.csv", "table"), ("check_rows.csv", "rows")):
        frames = [getattr(item, key).assign(**{_CHECKED: _what(item)})[[_CHECKED, *getattr(item, key)]] for item in reports]
        texts[name] = pd.concat(frames).to_csv(index=False, lineterminator="\n")
    return write_files(texts, folder)[0]


def checks_page(reports: Sequence[CheckReport], date: datetime | None = None) -> Page:
    """Return the contents of the page.

    Parameters
    ----------
    reports : sequence of CheckReport
    date : datetime, optional
        To stand on the page; None is now.

    Returns
    -------
    Page
    """
    whats = [_what(item) for item in reports]
    said = dict.fromkeys(str(item.meta.get("simulated") or "") for item in reports)
    sections = [_verdicts(reports)]
    for i, item in enumerate(reports):
        own = f"{i + 1}-" if len(reports) > 1 else ""
        sections += list(_sections(item, own, whats[i] if len(reports) > 1 else ""))
    when = (date or datetime.now(UTC)).isoformat(timespec="seconds")
    return Page(
        title="Does it hold? Checks for a reviewer",
        subtitle=joined(whats),
        banner=" ".join(filter(None, said)),
        sections=[*sections, _made(reports)],
        foot=f"Made by cytokine_cc {__version__}, {when}.",
    )


def _what(report: CheckReport) -> str:
    return str(report.meta.get("what", "Checks"))


def _verdicts(reports: Sequence[CheckReport]) -> Section:
    blocks: list[Block] = [Bullets([item.describe() for item in reports]), Text(_MEANING)]
    bad = [(item, check) for item in reports for check in item.table.to_dict("records") if check["verdict"] in (FAIL, WARN)]
    if bad:
        worst = sorted(bad, key=lambda pair: pair[1]["verdict"] != FAIL)
        frame = pd.DataFrame([{**check, _CHECKED: _what(item)} for item, check in worst])
        headers = {name: _HEADERS[name] for name in ("verdict", "name", "observed")}
        headers |= {_CHECKED: _CHECKED} if len(reports) > 1 else {}
        blocks.append(Table("not-passed", "What did not pass.", frame[list(headers)], _columns(headers)))
    else:
        blocks.append(Text("No check failed, and none warns."))
    return Section("verdicts", "Verdicts", blocks)


def _sections(report: CheckReport, own: str, what: str) -> Iterator[Section]:
    for i, (about, checks) in enumerate(report.table.groupby("about", sort=False), 1):
        key = f"{own}checks-{i}"
        count = (checks["verdict"] == PASS).sum()
        caption = f"{begin(str(about))}: {count} of {counted(len(checks), 'check')} passed."
        frame, shared = _frame(checks)
        blocks: list[Block] = [Bullets(shared)] if shared else []
        blocks.append(Table(key, caption, frame, _columns(_HEADERS), mark=_MARKED))
        rows = report.rows[report.rows["name"].isin(checks["name"])]
        if len(rows):
            filled = {name: header for name, header in _PLACES.items() if (rows[name] != "").any()}
            table = Table(f"{key}-rows", "The rows that show it.", rows, _columns(filled), folded=len(rows) > _MOST)
            blocks.append(table)
        yield Section(f"{key}-section", begin(str(about)) + (f" ({what})" if what else ""), blocks)


def _frame(checks: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Return what a table shows, and the sentences that many of its rows share, which stand above it once.

    What is expected and why stand in one cell: five columns are read, six are not.
    """
    said = checks[["expected", "why"]].copy()
    shared: list[str] = []
    for key in said.columns:
        counts = said[key].value_counts(sort=False)
        for text in counts[counts >= _SHARED].index:
            mark = f"({chr(ord('a') + len(shared))})"
            shared.append(f"{mark} {text}")
            said[key] = said[key].where(said[key] != text, mark)
    told = (said["expected"] + " " + said["why"]).str.strip()
    marked = checks["verdict"].isin([WARN, FAIL])
    return checks.assign(expected=told, **{_MARKED: marked})[[*_HEADERS, _MARKED]], shared


def _columns(headers: dict[str, str]) -> list[Column]:
    return [Column(name, header) for name, header in headers.items()]


def _made(reports: Sequence[CheckReport]) -> Section:
    facts = []
    for item in reports:
        own = {key: value for key, value in item.meta.items() if key not in ("what", "simulated", "versions")}
        facts += [(key, f"{value:.1f}" if isinstance(value, float) else str(value)) for key, value in own.items()]
    versions = reports[0].meta.get("versions") or {}
    facts.append(("software", ", ".join(f"{name} {version}" for name, version in versions.items())))
    return Section("made", "How this page was made", [Facts(facts)])
