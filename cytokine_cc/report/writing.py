"""write_report: all of an analysis on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path
from typing import Any

from .. import __version__
from ..analysis import Analysis
from ..errors import OptionError
from ..kernels.common import QUESTIONS
from ..text_files import write_files
from ..wording import simulated_text
from .checklist import checklist_section
from .document import Page, Section, Text
from .limitations import limitations_section
from .measured_sections import descriptives_section, detection_section, plates_section
from .page import page_html
from .phrases import analytes_of, group_title
from .published import published_sections, scenario_of
from .record import record_of, record_section
from .reproduction import Reproduction
from .result_sections import correction_section, correlation_section, found_section, question_section
from .study_sections import balance_section, design_section, flow_section

REPORT = "report.html"


def write_report(
    analysis: Analysis,
    folder: Any,
    *,
    reproduction: Reproduction | None = None,
    inputs: Sequence[tuple[str, str]] = (),
    settings: Mapping[str, Any] | None = None,
) -> Path:
    """Write all of an analysis as one page that needs no network: tables, pictures, methods, limits, checklist.

    Parameters
    ----------
    analysis : Analysis
    folder : path
        Made if need be; other files in it stay.
    reproduction : Reproduction, optional
        Of a study drawn from a scenario: how often such studies show what was published stands on the page too.
    inputs : sequence of (name, sha256), optional
        The files that were read.
    settings : mapping, optional
        The study file's content.

    Returns
    -------
    Path
        Of ``report.html``.

    Raises
    ------
    OptionError
        `analysis` is no Analysis, another argument not what it should be; the folder cannot be written to, and nothing is left
        behind then.

    Notes
    -----
    Numbers on the page are rounded; its copies and downloads hold all digits. Nothing is tested here: the page shows the
    tables of the analysis. Names from files are shown as text, whatever they hold.

    Examples
    --------
    >>> import tempfile
    >>> import cytokine_cc as cc
    >>> study = cc.load_study("quickstart").select(analytes=["IL-6", "TNF-a"])
    >>> analysis = cc.analyze(study, cc.Plan(change_within=None, change_between=None))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     cc.write_report(analysis, folder).name
    'report.html'
    """
    if not isinstance(folder, str | PathLike) or not str(folder).strip():
        raise OptionError(f"`folder` must be the path of a folder; got {folder!r}.")
    html = report_html(analysis, reproduction=reproduction, inputs=inputs, settings=settings)
    return write_files({REPORT: html}, folder)[0]


def report_html(
    analysis: Analysis,
    *,
    reproduction: Reproduction | None = None,
    inputs: Sequence[tuple[str, str]] = (),
    settings: Mapping[str, Any] | None = None,
    date: datetime | None = None,
) -> str:
    """Return the page of `write_report` as text.

    Parameters
    ----------
    analysis, reproduction, inputs, settings
        As `write_report`.
    date : datetime, optional
        To stand on the page; None is now.

    Returns
    -------
    str
    """
    _check(analysis, reproduction, inputs, settings)
    record = record_of(analysis, inputs, settings, date or datetime.now(UTC))
    return page_html(page_of(analysis, record, reproduction))


def _check(analysis: Any, reproduction: Any, inputs: Any, settings: Any) -> None:
    """Refuse what is no analysis, or cannot stand beside one."""
    if not isinstance(analysis, Analysis):
        raise OptionError(f"`analysis` must be an Analysis; got {type(analysis).__name__}. Make one with analyze(study, plan).")
    if reproduction is not None and not isinstance(reproduction, Reproduction):
        raise OptionError(f"`reproduction` must be a Reproduction or None; got {reproduction!r}.")
    if settings is not None and not isinstance(settings, Mapping):
        raise OptionError(f"`settings` must be a mapping, such as a study file's content, or None; got {settings!r}.")
    pairs = inputs if isinstance(inputs, Sequence) and not isinstance(inputs, str) else [inputs]
    for pair in pairs:
        if isinstance(pair, str) or not isinstance(pair, Sequence) or [type(text) for text in pair] != [str, str]:
            raise OptionError(f"`inputs` must be pairs of a file's name and its sha256, both text; got {pair!r}.")


def page_of(analysis: Analysis, record: Mapping[str, Any], reproduction: Reproduction | None = None) -> Page:
    """Return the contents of the page, before anything is HTML or rounded.

    Parameters
    ----------
    analysis : Analysis
    record : mapping
        `record_of` the analysis.
    reproduction : Reproduction, optional

    Returns
    -------
    Page
    """
    study = analysis.study
    sections = [
        design_section(analysis),
        found_section(analysis),
        flow_section(analysis),
        balance_section(analysis),
        detection_section(analysis),
        plates_section(study),
        descriptives_section(analysis),
        *(question_section(analysis, kind) for kind in QUESTIONS),
        correlation_section(analysis),
        correction_section(analysis),
        Section("methods", "Methods, in words", [Text(analysis.describe())]),
        limitations_section(analysis),
        *published_sections(analysis, reproduction),
        record_section(record),
    ]
    sections.append(checklist_section(analysis, {section.key: section.title for section in sections}))
    return Page(
        title=_title(analysis, reproduction),
        subtitle=f"{group_title(study, 'case')} and {group_title(study, 'control')}; {analytes_of(study)}",
        banner=_banner(analysis, reproduction),
        sections=sections,
        foot=f"Made by cytokine_cc {__version__}, {record['date']}.",
    )


def _title(analysis: Analysis, reproduction: Reproduction | None) -> str:
    scenario, study = scenario_of(analysis, reproduction), analysis.study
    if scenario is not None:
        return f"Simulated study: {scenario.title or scenario.name}"
    return (
        f"Case-control study: {study.n_case} {group_title(study, 'case')} and {study.n_control} {group_title(study, 'control')}"
    )


def _banner(analysis: Analysis, reproduction: Reproduction | None) -> str:
    text = simulated_text(analysis.study)
    scenario = scenario_of(analysis, reproduction)
    if not text or scenario is None:
        return text
    counts = scenario.parameters()["origin"].value_counts()
    return (
        f"{text} They were drawn from a scenario, {counts.get('assumed', 0)} of whose {counts.sum()} values are assumed; which "
        "ones is told under Published beside reproduced."
    )
