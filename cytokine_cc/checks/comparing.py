"""Numbers against numbers: what checks of the library share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import resources
from typing import Any

import numpy as np
import pandas as pd

from ..errors import CytokineError
from ..words import counted
from .check_report import Finding

Fact = tuple[str, Any, Any]  # what, found, expected; expected numbers are float
_MOST_ROWS = 20  # differences that a check spells out


def stored(name: str) -> Any:
    """Return the path of a file that ships with the checks."""
    return resources.files("cytokine_cc") / "data" / "checks" / name


def read_cells(name: str) -> pd.DataFrame:
    """Read a shipped table as text, every digit as it stands."""
    with stored(name).open(encoding="utf-8") as stream:
        return pd.read_csv(stream, dtype=str, keep_default_na=False)


def relative_error(got: Any, want: Any) -> np.ndarray:
    """Return how far numbers are from those expected, relative to these; infinite where one is NaN and the other is not."""
    got, want = np.asarray(got, dtype=np.float64), np.asarray(want, dtype=np.float64)
    same = (got == want) | (np.isnan(got) & np.isnan(want))
    with np.errstate(invalid="ignore", divide="ignore"):
        error = np.abs(got - want) / np.abs(want)
    return np.where(same, 0.0, np.where(np.isnan(error), np.inf, error))


@dataclass
class Comparison:
    """Numbers compared so far: how many, the worst, and those that differ by more than is allowed."""

    n: int = 0
    worst: float = 0.0
    where: str = ""
    rows: list[dict[str, str]] = field(default_factory=list)
    n_bad: int = 0

    def add(self, got: Any, want: Any, tolerance: float, places: Sequence[Mapping[str, Any]], what: str = "") -> None:
        """Compare arrays of one shape, flat; `places` tells where each number stands, `what` what it is."""
        errors = np.ravel(relative_error(got, want))
        if len(errors) != len(places):
            raise ValueError(f"{what}: {len(errors)} numbers at {len(places)} places")
        if not len(errors):
            return
        self.n += len(errors)
        worst = int(errors.argmax())
        if errors[worst] > self.worst:
            self.worst, self.where = float(errors[worst]), ", ".join([*map(str, places[worst].values()), what])
        bad = np.flatnonzero(~(errors <= tolerance))
        self.n_bad += len(bad)
        for i in bad[: _MOST_ROWS - len(self.rows)].tolist():
            found = f"{what} {np.ravel(got)[i]:.15g}, expected {np.ravel(want)[i]:.15g}"
            self.rows.append({**{key: str(value) for key, value in places[i].items()}, "found": found})

    def finding(self, more: str = "") -> Finding:
        """Say how it came out."""
        if not self.n:
            return Finding("fail", "nothing was compared")
        worst = (
            f"the largest relative error is {self.worst:.1e} ({self.where})" if self.worst else "all are equal to the last bit"
        )
        bad = f"; {self.n_bad:,} differ by more than is allowed" if self.n_bad else ""
        return Finding.of(not self.n_bad, f"{counted(self.n, 'number')} compared: {worst}{bad}{more}", self.rows)


def as_printed(got: Mapping[str, float], printed: Mapping[str, str]) -> Finding:
    """Compare numbers with printed ones: they must round to them."""
    rows, said = [], []
    for name, text in printed.items():
        digits = len(text.partition(".")[2].partition("e")[0])
        power = int(text.partition("e")[2] or 0)
        value = float(got[name])
        said.append(f"{name} {value:.{digits}{'e' if power else 'f'}}")
        if not abs(value - float(text)) <= 0.5001 * 10.0 ** (power - digits):
            rows.append({"found": f"{name} {value:.10g}, printed {text}"})
    wrong = f"; printed otherwise: {', '.join(row['found'] for row in rows)}" if rows else ", as printed"
    return Finding.of(not rows, ", ".join(said) + wrong, rows)


def facts_hold(facts: Iterable[Fact]) -> Finding:
    """Compare what was found with what was expected, fact by fact."""
    said, rows = [], []
    for what, got, want in facts:
        numbers = isinstance(want, float)
        good = bool(relative_error(float(got), want) <= 1e-12) if numbers else got == want
        shown = f"{float(got):.6g}" if numbers else str(got)
        said.append(f"{what}: {shown}" if good else f"{what}: {shown}, expected {want}")
        if not good:
            rows.append({"found": said[-1]})
    return Finding.of(bool(said) and not rows, "; ".join(said), rows)


def refused(kind: type[CytokineError], call: Callable[[], Any], words: str) -> str:
    """Return "refused" if a call stops with an error of a kind that says the words; else what happened."""
    try:
        call()
    except kind as error:
        return "refused" if words in str(error) else f"refused, without saying {words!r}"
    except Exception as error:  # that is a finding, too
        return f"stopped by {type(error).__name__}"
    return "accepted"
