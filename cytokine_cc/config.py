"""study.toml: everything that `analyze` needs, in one text file; and studies that come with the library."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from pathlib import Path
from typing import Any

from .design import Design
from .errors import AnalysisWarning, OptionError, did_you_mean, known_keys, quoted
from .kernels.common import BASELINE, QUESTIONS
from .panel import Panel
from .plan import Plan
from .readers import read_panel
from .readers.files import open_table
from .readers.samples import typed
from .study import Study
from .toml_files import read_toml
from .wording import SIMULATED

_TABLES = ("data", "subjects", "design", "plan")
_SUBJECT_KEYS = ("file", "on", "sep", "decimal", "sheet")


@dataclass(frozen=True, eq=False)
class StudyFile:
    """A study file, read: the study, its plan, the files that it came from with their sha256, and its content."""

    study: Study
    plan: Plan
    inputs: tuple[tuple[str, str], ...]
    content: Mapping[str, Any]


def load_study(name_or_path: Any) -> Study:
    """Load a study that comes with the library, or any study file.

    Parameters
    ----------
    name_or_path : str or path
        A name such as "quickstart", or the path of a study.toml (paths in it are relative to it).

    Returns
    -------
    Study

    Raises
    ------
    OptionError
        No such study or file, broken TOML, an unknown key.
    PanelError, StudyError
        As `read_panel` and `Study`.

    Notes
    -----
    ``[data]`` holds ``file``, the keywords of `read_panel` and, of data that nobody measured, ``simulated``: what they were drawn
    from. `panel.source` carries it on, so that a summary or a methods paragraph never reads as fact about patients.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.load_study("quickstart").n_case
    30
    """
    return read_study_file(find_study(name_or_path)).study


def find_study(name_or_path: Any) -> Path:
    """Return the study file of a bundled study, or the path as it is."""
    text = str(name_or_path)
    if isinstance(name_or_path, Path) or text.endswith(".toml") or "/" in text or "\\" in text:
        return Path(name_or_path)
    folder = bundled_folder()
    names = sorted(path.parent.name for path in folder.glob("*/study.toml")) if folder else []
    if folder is None or text not in names:
        known = f"no study named {text!r} comes with the library; there are {quoted(names)}"
        raise OptionError(f"{known}. For a file give its path.{did_you_mean(text, names)}")
    return folder / text / "study.toml"


def bundled_folder() -> Path | None:
    """Where the synthetic studies are: beside the package in a checkout, inside it when installed."""
    package = Path(__file__).parent
    for folder in (package / "data" / "synthetic", package.parent / "data" / "synthetic"):
        if folder.is_dir():
            return folder
    return None


def read_study_file(path: Any) -> StudyFile:
    """Read a study file.

    Parameters
    ----------
    path : path

    Returns
    -------
    StudyFile
    """
    path = Path(path)
    name, content = read_toml(path)
    known_keys(name, content, _TABLES)
    for table in ("data", "design"):
        if table not in content:
            raise OptionError(f"{name}: there is no [{table}] table; a study file needs [data] and [design].")
    for table in _TABLES:
        if not isinstance(content.get(table, {}), Mapping):
            raise OptionError(f"{name}: [{table}] must be a table.")
    files = [path]
    panel = _read_data(name, path.parent, content["data"], files)
    if "subjects" in content:
        panel = _join_subjects(name, path.parent, content["subjects"], panel, files)
    study = Study(panel, _design(name, content["design"]))
    asked = QUESTIONS if study.visits else (BASELINE,)
    plan = Plan.from_table(content.get("plan", {}), name, asked)
    inputs = tuple((_relative(item, path.parent), hashlib.sha256(item.read_bytes()).hexdigest()) for item in files)
    return StudyFile(study, plan, inputs, content)


def _relative(path: Path, folder: Path) -> str:
    try:
        return path.relative_to(folder).as_posix()
    except ValueError:
        return path.as_posix()


def _read_data(name: str, folder: Path, table: Mapping[str, Any], files: list[Path]) -> Panel:
    options = dict(table)
    keys = ["file", *(key for key in signature(read_panel).parameters if key != "source"), "simulated"]
    known_keys(f"{name}: [data]", options, keys)
    for key in ("file", "layout"):
        if key not in options:
            raise OptionError(f"{name}: [data] needs the key {key!r}.")
    file = folder / _text(options.pop("file"), f"{name}: [data] file")
    simulated = _drawn_from(options.pop("simulated", None), name)
    files.append(file)
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", AnalysisWarning)
            panel = read_panel(file, **options)
    except OptionError as error:
        raise OptionError(f"{name}: [data]: {error}") from None
    for warning in caught:
        warnings.warn(str(warning.message), warning.category, stacklevel=4)
    return replace(panel, source=f"{panel.source}{SIMULATED}{simulated}") if simulated else panel


def _join_subjects(name: str, folder: Path, table: Mapping[str, Any], panel: Panel, files: list[Path]) -> Panel:
    known_keys(f"{name}: [subjects]", table, _SUBJECT_KEYS)
    for key in ("file", "on"):
        if key not in table:
            raise OptionError(f"{name}: [subjects] needs the key {key!r}.")
    file = folder / _text(table["file"], f"{name}: [subjects] file")
    files.append(file)
    options = {key: table[key] for key in ("sep", "decimal", "sheet") if key in table}
    try:
        opened = open_table(file, **options)
    except OptionError as error:
        raise OptionError(f"{name}: [subjects]: {error}") from None
    frame = opened.frame.set_axis(opened.rows, axis=0)
    frame = frame.assign(**{column: typed(frame[column], opened.decimal) for column in frame.columns})
    try:
        return panel.join(frame, on=table["on"], name=opened.name)
    except OptionError as error:
        raise OptionError(f"{name}: [subjects]: {error}") from None


def _design(name: str, table: Mapping[str, Any]) -> Design:
    known_keys(f"{name}: [design]", table, list(signature(Design).parameters))
    for key in ("group", "case", "control"):
        if key not in table:
            raise OptionError(f"{name}: [design] needs the key {key!r}.")
    try:
        return Design(**table)
    except OptionError as error:
        raise OptionError(f"{name}: [design]: {error}") from None


def _drawn_from(value: Any, name: str) -> str:
    if value is None:
        return ""
    if not isinstance(value, str) or not value.strip():
        example = '"scenario null, seed 1, replicate 0"'
        raise OptionError(f"{name}: [data] simulated must say what the data were drawn from, such as {example}; got {value!r}.")
    return " ".join(value.split())


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str) or not value:
        raise OptionError(f"{where} must be the name of a file in quotes; got {value!r}.")
    return value
