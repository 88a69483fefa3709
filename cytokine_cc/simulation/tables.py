"""Tables of a scenario file, read by their keys, with one message for all that is wrong."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import OptionError, did_you_mean, quoted
from .parameters import NEEDED, Key

_LONG = 200  # letters of a value that a message shows


class Reader:
    """Reads tables of a scenario file by their keys and collects what is wrong with them.

    Parameters
    ----------
    file : str
    analytes : iterable of str
    """

    def __init__(self, file: str, analytes: Iterable[str] = ()):
        self.file, self.analytes = file, list(analytes)
        self.problems: list[str] = []
        self.faulty: set[str] = set()

    def add(self, problem: str) -> None:
        """Note one fault."""
        self.problems.append(problem)

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Remember as `faulty` a part of the file in which faults are found, so that none is found that follows from them."""
        before = len(self.problems)
        yield
        if len(self.problems) > before:
            self.faulty.add(name)

    def attempt(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Return what a function returns, or note the `OptionError` that it raises."""
        try:
            return function(*arguments)
        except OptionError as error:
            self.add(str(error).removeprefix(f"{self.file}: "))

    def raise_if_any(self) -> None:
        """Raise one error that lists them all."""
        if not self.problems:
            return
        if len(self.problems) == 1:
            raise OptionError(f"{self.file}: {self.problems[0]}")
        raise OptionError(f"{self.file}: {len(self.problems)} faults\n" + "\n".join(f"  - {text}" for text in self.problems))

    def known(self, where: str, names: Iterable[str], allowed: Iterable[str], what: str = "key") -> None:
        """Note names that are not among those allowed."""
        allowed = list(allowed)
        for name in names:
            if name not in allowed:
                self.add(
                    f"{where} has unknown {what} {name!r}; allowed: {quoted(allowed, limit=40)}.{did_you_mean(name, allowed)}"
                )

    def table(self, where: str, content: Any, keys: Mapping[str, Key]) -> dict[str, Any]:
        """Read one table: each key present in the answer, with its default where the file does not give it."""
        is_table = isinstance(content, Mapping)
        if not is_table:
            self.add(f"{where} must be a table of keys and values; got {in_toml(content)}.")
            content = {}
        self.known(where, content, keys)
        out = {}
        for name, key in keys.items():
            if name in content:
                out[name] = self.value(f"{where} {name}", content[name], key)
                continue
            if key.default is NEEDED and is_table:
                self.add(f"{where} needs the key {name!r}: {key.says}.")
            out[name] = None if key.default is NEEDED else self.value(f"{where} {name}", key.default, key, given=False)
        return out

    def value(self, where: str, value: Any, key: Key, *, given: bool = True) -> Any:
        """Read one value as its kind."""
        if value is None and not given:
            return None
        return getattr(self, f"_{key.kind}")(where, value, key)

    def refuse(self, where: str, value: Any, key: Key, wanted: str, hint: str = "") -> None:
        """Note a value that is not allowed."""
        self.add(f"{where} = {in_toml(value)} is not allowed: {key.says}; allowed: {wanted}.{hint}")

    def _number(self, where: str, value: Any, key: Key) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not key.holds(float(value)):
            endless = isinstance(value, float) and not math.isfinite(value)
            self.refuse(
                where, value, key, key.wanted("a finite number" if endless else "a number") + _unquoted(value), _as_number(value)
            )
            return None
        return float(value)

    def _whole(self, where: str, value: Any, key: Key) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not key.holds(value):
            point = f" Write {value:.0f}." if isinstance(value, float) and value.is_integer() else ""
            self.refuse(where, value, key, key.wanted("a whole number") + _unquoted(value), point)
            return None
        return value

    def _text(self, where: str, value: Any, key: Key) -> str | None:
        if not isinstance(value, str) or not value.strip():
            self.refuse(where, value, key, "a text in quotes")
            return None
        return value

    def _texts(self, where: str, value: Any, key: Key) -> tuple[str, ...]:
        whole = isinstance(value, list | tuple) and all(isinstance(item, str) and item.strip() for item in value)
        if not whole or len(set(value)) < len(value):
            self.refuse(where, value, key, "a list of texts, each once")
            return ()
        return tuple(value)

    def _numbers(self, where: str, value: Any, key: Key) -> np.ndarray | None:
        if not isinstance(value, list | tuple) or not value:
            self.refuse(where, value, key, key.wanted("a list of numbers"))
            return None
        found = [self._number(where, item, key) for item in value]
        return None if None in found else np.array(found)

    def _named(self, where: str, value: Any, key: Key) -> dict[str, float]:
        if not isinstance(value, Mapping):
            self.refuse(where, value, key, "{ name = number }")
            return {}
        found = {name: self._number(f"{where} {name!r}", item, key) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not None}

    def _pairs(self, where: str, value: Any, key: Key) -> dict[tuple[int, int], float]:
        """Return the correlation of two analytes by their positions."""
        out: dict[tuple[int, int], float] = {}
        for text in value if isinstance(value, Mapping) else ():
            names = [name.strip() for name in text.split(",")]
            if len(names) != 2 or names[0] == names[1]:
                self.add(f"{where} {text!r} must name two analytes, such as 'IL-6, TNF-a'.")
                continue
            self.known(f"{where} {text!r}", names, self.analytes, "analyte")
        for text, r in self._named(where, value, key).items():
            names = [name.strip() for name in text.split(",")]
            if len(names) == 2 and set(names) <= set(self.analytes):
                first, second = sorted(self.analytes.index(name) for name in names)
                if (first, second) in out:
                    self.add(f"{where} {text!r} stands there twice, in either order.")
                out[first, second] = r
        return out

    def _amounts(self, where: str, value: Any, key: Key) -> np.ndarray:
        """Return one number an analyte, shape (analytes, 1); NaN where none is given."""
        out = np.full((len(self.analytes), 1), np.nan)
        if not isinstance(value, Mapping):
            number = self._number(where, value, key)
            out[:] = np.nan if number is None else number
            return out
        self.known(where, value, self.analytes, "analyte")
        for name, number in self._named(where, value, key).items():
            if name in self.analytes:
                out[self.analytes.index(name)] = number
        return out

    def _loadings(self, where: str, value: Any, key: Key) -> np.ndarray | None:
        """Return loadings (analytes, factors)."""
        if not isinstance(value, Mapping) or not value:
            self.refuse(where, value, key, "{ analyte = [numbers] }")
            return None
        self.known(where, value, self.analytes, "analyte")
        number = Key("number", "a loading", low=-1, high=1)
        rows = {name: self._numbers(f"{where} {name!r}", own, number) for name, own in value.items()}
        lengths = {len(row) for row in rows.values() if row is not None}
        if len(lengths) > 1:
            self.add(f"{where}: all analytes need as many loadings as there are factors; got {quoted(sorted(lengths))}.")
        if len(lengths) != 1:
            return None
        out = np.zeros((len(self.analytes), lengths.pop()))
        for name, row in rows.items():
            if row is not None and name in self.analytes:
                out[self.analytes.index(name)] = row
        return out

    def _blocks(self, where: str, value: Any, key: Key) -> np.ndarray | None:
        """Return the loadings (analytes, blocks) that give the correlations."""
        keys = {
            "analytes": Key("texts", "analytes of the block", NEEDED),
            "r": Key("number", "correlation within the block", NEEDED, low=0, high=1, open_high=True),
        }
        if not isinstance(value, list | tuple) or not value:
            self.refuse(where, value, key, "a list of tables")
            return None
        out = np.zeros((len(self.analytes), len(value)))
        for i, block in enumerate(value):
            own = self.table(f"{where}, block {i + 1},", block, keys)
            self.known(f"{where}, block {i + 1},", own["analytes"] or (), self.analytes, "analyte")
            members = [self.analytes.index(name) for name in own["analytes"] or () if name in self.analytes]
            taken = [self.analytes[j] for j in members if out[j].any()]
            if taken:
                self.add(f"{where}: {quoted(taken)} stand in more than one block.")
            out[members, i] = np.sqrt(own["r"] or 0.0)
        return out


def in_toml(value: Any) -> str:
    """Return a value as a scenario file would hold it, for messages."""
    if isinstance(value, bool):
        text = str(value).lower()
    elif isinstance(value, Mapping):
        text = f"{{ {', '.join(f'{name} = {in_toml(item)}' for name, item in value.items())} }}" if value else "{}"
    elif isinstance(value, list | tuple):
        text = f"[{', '.join(map(in_toml, value))}]"
    else:
        text = value.isoformat() if hasattr(value, "isoformat") else repr(value)
    return text if len(text) <= _LONG else f"{text[: _LONG - 3]}..."


def _unquoted(value: Any) -> str:
    return ", without quotes" if isinstance(value, str) else ""


def _as_number(value: Any) -> str:
    """Say how the number that a text means is written."""
    found = re.fullmatch(r"\s*([-+]?\d+(?:[.,]\d+)?)\s*(%?)\s*", value) if isinstance(value, str) else None
    if found is None:
        return ""
    number = float(found[1].replace(",", "."))
    return f" Write {number / 100:g} for {value.strip()}." if found[2] else f" Write {number:g}."
