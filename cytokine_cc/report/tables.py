"""CSV tables, the report and a manifest in a folder, all or nothing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..analysis import Analysis
from ..kernels.common import QUESTIONS
from ..text_files import write_files
from .record import left_out, record_of


def write_tables(
    analysis: Analysis, folder: Any, inputs: Sequence[tuple[str, str]] = (), settings: Mapping[str, Any] | None = None
) -> list[Path]:
    """Write the report, the results as CSV, and a manifest that says how they were made.

    Parameters
    ----------
    analysis : Analysis
    folder : path
        Made if need be. Tables of an earlier run are replaced; other files in it stay.
    inputs : sequence of (name, sha256)
    settings : mapping, optional
        The study file's content, kept in the manifest.

    Returns
    -------
    list of Path
        report.html, baseline.csv, change_within.csv, change_between.csv (of the questions asked), descriptives.csv,
        excluded.csv, methods.txt, manifest.json.

    Raises
    ------
    OptionError
        The folder cannot be written to; nothing is left behind then.
    """
    texts = _texts(analysis, inputs, settings)
    # A question that is no longer asked must not leave its old table beside the new manifest.
    old = [f"{kind}.csv" for kind in QUESTIONS if f"{kind}.csv" not in texts]
    return write_files(texts, folder, remove=old)


def _texts(analysis: Analysis, inputs: Sequence[tuple[str, str]], settings: Mapping[str, Any] | None) -> dict[str, str]:
    """All files as text; the manifest last, with the sha256 of the others."""
    from .writing import REPORT, report_html

    date = datetime.now(UTC)
    texts = {REPORT: report_html(analysis, inputs=inputs, settings=settings, date=date)}
    texts |= {f"{kind}.csv": results.to_csv() or "" for kind, results in analysis.results.items()}
    texts["descriptives.csv"] = analysis.descriptives.to_csv(index=False, lineterminator="\n")
    texts["excluded.csv"] = left_out(analysis).to_csv(index=False, lineterminator="\n")
    texts["methods.txt"] = analysis.describe() + "\n"
    outputs = [{"file": name, "sha256": hashlib.sha256(text.encode()).hexdigest()} for name, text in texts.items()]
    manifest = record_of(analysis, inputs, settings, date) | {"outputs": outputs}
    texts["manifest.json"] = json.dumps(manifest, indent=2, ensure_ascii=False, default=str) + "\n"
    return texts
