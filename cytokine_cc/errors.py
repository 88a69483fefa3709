"""Exceptions, the one warning class, and the validators that raise them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    import pandas as pd

FAILURE_COLUMNS = ("file", "row", "column", "subject", "visit", "analyte", "found", "problem", "remedy")
_PLACES = FAILURE_COLUMNS[1:6]
SEE_ALL = " (all in .failures)"
_SHOWN, _KINDS, _LONG = 5, 8, 60  # places of one kind of fault, kinds, and letters of a cell that a message spells out


class CytokineError(Exception):
    """Base of every error that this library raises on purpose."""


class OptionError(CytokineError, ValueError):
    """An argument, plan field or configuration key has a value that is not allowed."""


class _TableError(CytokineError, ValueError):
    def __init__(self, message: str, failures: list[dict[str, Any]] | None = None):
        super().__init__(message)
        self._rows = [{name: row.get(name, "") for name in FAILURE_COLUMNS} for row in failures or []]

    @property
    def failures(self) -> pd.DataFrame:
        """Every fault, one a row: file, row, column, subject, visit, analyte, found, problem, remedy."""
        import pandas as pd

        return pd.DataFrame(self._rows, columns=list(FAILURE_COLUMNS))


class PanelError(_TableError):
    """A table of measurements cannot be read as it stands; ``failures`` lists every fault."""


class StudyError(_TableError):
    """A panel and a design do not fit, or cannot answer the question asked; ``failures`` lists every fault."""


class AnalysisWarning(UserWarning):
    """Something about a whole call that the user should know; what concerns one row stands in its ``note``."""


class NonPositiveError(CytokineError):
    """Numbers of 0 or less met a log scale; `cells` are their (visit, analyte, subject) positions, last axes last."""

    def __init__(self, cells: Any):
        super().__init__("values of 0 or less have no logarithm")
        self.cells = cells


class Faults:
    """Collects all that is wrong with one input, to be raised once.

    Parameters
    ----------
    error : type
        `PanelError` or `StudyError`.
    file : str
        What the faults are about, as the user named it.
    """

    def __init__(self, error: type[_TableError], file: str = ""):
        self.error, self.file = error, file
        self.rows: list[dict[str, Any]] = []

    def add(self, problem: str, *, remedy: str = "", **where: Any) -> None:
        """Note one fault; `where` takes any of row, column, subject, visit, analyte, found."""
        plain = {name: value.item() if hasattr(value, "item") else value for name, value in where.items()}  # no numpy scalars
        texts = {name: value if isinstance(value, str | int | float) else str(value) for name, value in plain.items()}
        self.rows.append({"file": self.file, **texts, "problem": problem, "remedy": remedy})

    def stop(self, problem: str, *, remedy: str = "", **where: Any) -> NoReturn:
        """Note a fault after which nothing further can be checked, and raise."""
        self.add(problem, remedy=remedy, **where)
        raise self.error(self.message(), self.rows)

    def raise_if_any(self) -> None:
        """Raise one error that lists all faults, if there are any."""
        if self.rows:
            raise self.error(self.message(), self.rows)

    def message(self) -> str:
        """All faults in words: alike ones together, the first few of each spelled out."""
        kinds: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for row in self.rows:
            kinds.setdefault((row["problem"], row["remedy"]), []).append(row)
        files = {row["file"] for row in self.rows}
        file = files.pop() if len(files) == 1 else self.file
        parts = [_kind_text(problem, remedy, rows, file) for (problem, remedy), rows in list(kinds.items())[:_KINDS]]
        heading = f"{file}: " if file else ""
        if len(parts) == 1:
            return heading + parts[0]
        if len(kinds) > _KINDS:
            parts.append(f"and faults of {len(kinds) - _KINDS:,} more kinds{SEE_ALL}")
        return f"{heading}{len(self.rows):,} faults\n" + "\n".join(f"  - {part}" for part in parts)


def _kind_text(problem: str, remedy: str, rows: list[dict[str, Any]], file: str) -> str:
    if len(rows) > 1:
        problem = f"{problem} ({len(rows):,} times)"
        columns = {row.get("column", "") for row in rows}
        if len(columns) == 1 and not _stands(column := columns.pop(), problem):
            problem = f"{problem} in column {column!r}"
    places = [text for row in rows[:_SHOWN] if (text := _place_text({**row, "problem": problem}, file))]
    more = f"; and {len(rows) - _SHOWN:,} more{SEE_ALL}" if places and len(rows) > _SHOWN else ""
    text = f"{problem}: {'; '.join(places)}{more}" if places else problem
    return f"{text}. {remedy}".rstrip()


def _place_text(row: Mapping[str, Any], file: str) -> str:
    """Name the place of a fault, but nothing that the problem names already."""
    names = [(name, row.get(name, "")) for name in (*_PLACES, "found")]
    texts = [f"{name} {value if name == 'row' else _shown(value)}" for name, value in names if not _stands(value, row["problem"])]
    return ", ".join([*([row["file"]] if row["file"] != file else []), *texts])


def _stands(value: Any, problem: str) -> bool:
    return value == "" or (isinstance(value, str) and repr(value) in problem)


def _shown(value: Any) -> str:
    """Return a cell as a message shows it: text in quotes, shortened when long."""
    if not isinstance(value, str):
        return f"{value:g}" if isinstance(value, float) else str(value)
    return repr(value if len(value) <= _LONG else f"{value[: _LONG - 3]}...")


def did_you_mean(value: Any, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return `` Did you mean 'x'?`` for the nearest allowed name, or nothing."""
    names = {str(name).casefold(): str(name) for name in allowed}
    key = str(value).casefold()
    known = {str(alias).casefold(): name for alias, name in (aliases or {}).items()}
    near = known.get(key) or names.get(key)
    if near is None:
        close = difflib.get_close_matches(key, [*names, *known], n=1, cutoff=0.6)
        near = (names.get(close[0]) or known[close[0]]) if close else None
    return f" Did you mean {near!r}?" if near is not None else ""


def quoted(names: Iterable[Any], limit: int = 12) -> str:
    """Return names as a readable list in quotes, shortened when long."""
    names = [repr(str(name)) for name in names]
    shown = names if len(names) <= limit else [*names[: limit - 2], f"... {len(names) - limit + 1} more ...", names[-1]]
    return ", ".join(shown) or "nothing"


def one_of(name: str, value: Any, allowed: Iterable[str], aliases: Mapping[str, str] | None = None) -> str:
    """Return `value` if it is allowed, else raise an `OptionError` that lists what is."""
    allowed = list(allowed)
    if not isinstance(value, str) or value not in allowed:
        raise OptionError(
            f"`{name}` must be one of {quoted(allowed, limit=40)}; got {value!r}.{did_you_mean(value, allowed, aliases)}"
        )
    return value


def known_keys(where: str, keys: Iterable[str], allowed: Iterable[str]) -> None:
    """Raise an `OptionError` for the keys that `where` does not take."""
    allowed = list(allowed)
    unknown = [key for key in keys if key not in allowed]
    if unknown:
        hints = "".join(did_you_mean(key, allowed) for key in unknown)
        plural = "s" if len(unknown) > 1 else ""
        raise OptionError(f"{where} has unknown key{plural} {quoted(unknown)}.{hints} Allowed: {quoted(allowed, limit=40)}.")


def fraction(name: str, value: Any) -> float:
    """Return `value` if it lies strictly between 0 and 1."""
    is_number = isinstance(value, Real) and not isinstance(value, bool)
    if not is_number or not 0 < float(value) < 1:
        hint = f" Did you mean {float(value) / 100:g}?" if is_number and 1 < float(value) < 100 else ""
        raise OptionError(f"`{name}` must be a number between 0 and 1, such as 0.05 or 0.95; got {value!r}.{hint}")
    return float(value)


def whole_number(name: str, value: Any, *, least: int) -> int:
    """Return `value` if it is a whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, Integral) or int(value) < least:
        raise OptionError(f"`{name}` must be a whole number of at least {least}; got {value!r}.")
    return int(value)


def workers(name: str, value: Any) -> int:
    """Return `value` if it is a number of workers as joblib counts them."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value == 0:
        raise OptionError(f"`{name}` must be a number of workers, such as 1 or 2, or -1 for all cores; got {value!r}.")
    return int(value)


def texts(name: str, value: Any) -> tuple[str, ...]:
    """Return one text, or several, as a tuple."""
    items = (value,) if isinstance(value, str) or not isinstance(value, Iterable) else tuple(value)
    if not all(isinstance(item, str) for item in items):
        raise OptionError(f"`{name}` must be a text or a list of texts; got {value!r}.")
    return items


def true_or_false(name: str, value: Any) -> bool:
    """Return `value` if it is a bool."""
    if not isinstance(value, bool):
        raise OptionError(f"`{name}` must be True or False; got {value!r}.")
    return value
