"""What a scenario file may say: its tables, their keys, the range of each; read with one message for all that is wrong."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OptionError, did_you_mean, quoted

KINDS_OF_SOURCE = ("sourced", "computed", "assumed")


@dataclass(frozen=True)
class Key:
    """One key of a scenario file.

    Attributes
    ----------
    kind : str
        "number", "whole", "text", "texts", "numbers", "amounts" (one number for all analytes, or analyte = number) or
        "named" (name = number).
    says : str
        What it means, with its unit.
    default : Any
        None: what it stands for is left out; `NEEDED`: it must be given.
    low, high : float
        Range of its numbers; `open_low`, `open_high`: without the end itself.
    """

    kind: str
    says: str
    default: Any = None
    low: float = -math.inf
    high: float = math.inf
    open_low: bool = False
    open_high: bool = False

    @property
    def allowed(self) -> str:
        """The range in words."""
        low, high = (
            (f"{'above' if self.open_low else 'at least'} {self.low:g}" if self.low > -math.inf else ""),
            (f"{'below' if self.open_high else 'at most'} {self.high:g}" if self.high < math.inf else ""),
        )
        return " and ".join(part for part in (low, high) if part) or "any number"

    def holds(self, value: float) -> bool:
        """Whether a number lies in the range."""
        over = value > self.low if self.open_low else value >= self.low
        under = value < self.high if self.open_high else value <= self.high
        return over and under and math.isfinite(value)


NEEDED = object()


def _positive(kind: str, says: str, default: Any = None) -> Key:
    return Key(kind, says, default, low=0, open_low=True)


def _spread(kind: str, says: str, default: Any = None) -> Key:
    return Key(kind, says, default, low=0)


def _share(kind: str, says: str, default: Any = None) -> Key:
    return Key(kind, says, default, low=0, high=1)


# One row of [analytes]; what it does not say comes from the table in brackets.
ANALYTE_KEYS = {
    "mean": _positive("number", "geometric mean of controls at baseline, in the unit", NEEDED),
    "log_sd": _positive("number", "natural-log SD between persons of one group at one visit [subject]"),
    "icc": _share("number", "share of that variance that a person keeps between visits [subject]"),
    "below": Key("number", "share of controls below the limit at baseline [limits]", low=0, high=1, open_high=True),
    "above": Key("number", "share of controls above the upper limit at baseline [limits]", low=0, high=1, open_high=True),
    "lower_limit": _positive("number", "limit of detection, in the unit"),
    "upper_limit": _positive("number", "upper limit, in the unit [limits]"),
    "unit": Key("text", "unit of measurement"),
    "category": Key("text", "class of the analyte"),
}
TABLES: dict[str, dict[str, Key]] = {
    "study": {
        "cases": Key("whole", "number of cases", NEEDED, low=2),
        "controls": Key("whole", "number of controls", NEEDED, low=2),
        "visits": Key("texts", "labels of the visits, baseline first", ["baseline"]),
        "group": Key("text", "name of the column that holds the groups", "Group"),
        "case": Key("text", "label of the cases", "case"),
        "control": Key("text", "label of the controls", "control"),
    },
    "cohort": {"size": Key("whole", "number of persons that cases and controls are taken from", NEEDED, low=4)},
    "cases": {
        "rise": Key("named", "score = rise above baseline, at any later visit, that makes a case; any of them does"),
        "at_least": Key("named", "score = level at baseline that makes a case; any of them does"),
        "share": Key(
            "number", "share of persons who are cases, whatever their scores", low=0, high=1, open_low=True, open_high=True
        ),
        "risk": Key("named", "covariate (per SD) or covariate=level: shift of the rise in scores, in its SDs", {}),
    },
    "matching": {
        "kind": Key("text", "'sets' (each case its controls, optimal) or 'frequency' (alike in distribution)", NEEDED),
        "on": Key("texts", "covariates matched on", NEEDED),
        "exact": Key("texts", "those that must agree within a set", []),
        "bands": Key(
            "named", "covariate = width of the bands that frequency matching cuts a number into", {}, low=0, open_low=True
        ),
    },
    "subject": {
        "log_sd": _positive("number", "natural-log SD between persons, of analytes that do not say theirs"),
        "icc": _share("number", "share of it kept between visits, of analytes that do not say theirs"),
    },
    "group": {
        "ratio": _positive("amounts", "ratio of geometric means, case / control"),
        "sd_units": Key("amounts", "difference case - control of log levels, in log-SDs between persons"),
        "odds_ratio": _positive("amounts", "odds ratio per doubling, within sets where there are any"),
    },
    "set_effect": {"log_sd": _spread("amounts", "natural-log SD between matched sets", NEEDED)},
    "factors": {
        "loadings": Key("loadings", "analyte = loadings on the shared factors; correlation is their product"),
        "blocks": Key("blocks", "list of {analytes, r}: equal correlation within a block"),
        "pairs": Key("named", "'A, B' = correlation; all others 0", low=-1, high=1, open_low=True, open_high=True),
        "case_shift": Key("numbers", "shift of each factor in cases, in its SDs: handling, not an effect on any analyte"),
    },
    "change": {
        "case": _positive("amounts", "ratio to baseline on treatment, in cases"),
        "control": _positive("amounts", "ratio to baseline on treatment, in controls"),
        "both": _positive("amounts", "ratio to baseline on treatment, in everyone"),
        "reached": Key("named", "later visit = share of the change (of logs) reached by then; 1 where not given", {}),
        "log_sd": _spread("amounts", "natural-log SD of the change between persons"),
    },
    "plates": {
        "n": Key("whole", "number of plates", NEEDED, low=1),
        "samples": Key("text", "'together' (all samples of a person on one plate) or 'apart'", "together"),
        "case_shares": Key("numbers", "share of cases on each plate; none: equal numbers", low=0, high=1),
        "control_shares": Key("numbers", "share of controls on each plate; none: equal numbers", low=0, high=1),
        "log_sd": _spread("amounts", "natural-log SD of plate shifts", 0.0),
    },
    "well": {"cv": _spread("amounts", "coefficient of variation of a well", NEEDED)},
    "tail": {
        "share": _share("number", "share of values that are contaminated", NEEDED),
        "factor": _positive("number", "what contamination multiplies them by", NEEDED),
    },
    "limits": {
        "below": Key("number", "share of controls below the limit at baseline", low=0, high=1, open_high=True),
        "above": Key("number", "share of controls above the upper limit at baseline", low=0, high=1, open_high=True),
        "upper_limit": _positive("number", "upper limit of all analytes, in their unit"),
        "plate_log_sd": _spread("number", "natural-log SD of limits between plates", 0.0),
        "plate_factors": Key("numbers", "what the limits of each plate are multiplied by", low=0, open_low=True),
        "extrapolated": _share("number", "share of values below a limit that carry a flagged number", 0.0),
    },
    "missing": {
        "samples": Key("number", "share of later samples that are missing", 0.0, low=0, high=1, open_high=True),
        "values": Key("number", "share of single values that are missing", 0.0, low=0, high=1, open_high=True),
        "driver": Key("text", "analyte whose level decides which samples are missing"),
        "correlation": Key("number", "of that level with being there; negative: high levels are missing", 0.0, low=-1, high=1),
    },
}
COVARIATE_KEYS = {
    "mean": Key("number", "mean", NEEDED),
    "sd": _positive("number", "SD", NEEDED),
    "min": Key("number", "values below are set to it"),
    "max": Key("number", "values above are set to it"),
    "step": _positive("number", "rounded to a multiple of this"),
    "unit": Key("text", "unit"),
}
LEVEL_KEYS = {
    "levels": Key("texts", "labels", NEEDED),
    "shares": Key("numbers", "their shares; they add to 1", NEEDED, low=0, high=1),
}
SCORE_KEYS = {
    "mean": Key("number", "mean at baseline", NEEDED),
    "sd": _positive("number", "SD between persons at one visit", NEEDED),
    "icc": _share("number", "share of that variance kept between visits", 0.7),
    "rise": Key("number", "mean rise on treatment", 0.0),
    "rise_sd": _spread("number", "SD of the rise between persons", 0.0),
    "shared": _share("number", "correlation of the rises of the scores with what they share", 0.7),
    "min": COVARIATE_KEYS["min"],
    "max": COVARIATE_KEYS["max"],
    "step": COVARIATE_KEYS["step"],
    "unit": COVARIATE_KEYS["unit"],
}
EFFECT_KEYS = {
    "ratio": _positive("amounts", "ratio of geometric means", NEEDED),
    "per": _positive("number", "for this much more of a covariate that is a number", 1.0),
    "level": Key("text", "for this level against the others, of one that is not"),
}
TOP = ("title", "about", "from", "plan", "pattern", "published", "analytes", "covariate_effect", *TABLES)


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

    def add(self, problem: str) -> None:
        """Note one fault."""
        self.problems.append(problem)

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
        if not isinstance(content, Mapping):
            self.add(f"{where} must be a table of keys and values; got {content!r}.")
            content = {}
        self.known(where, content, keys)
        out = {}
        for name, key in keys.items():
            if name in content:
                out[name] = self.value(f"{where} {name}", content[name], key)
                continue
            if key.default is NEEDED:
                self.add(f"{where} needs the key {name!r}: {key.says}.")
            out[name] = None if key.default is NEEDED else self.value(f"{where} {name}", key.default, key, given=False)
        return out

    def value(self, where: str, value: Any, key: Key, *, given: bool = True) -> Any:
        """Read one value as its kind."""
        if value is None and not given:
            return None
        return getattr(self, f"_{key.kind}")(where, value, key)

    def _number(self, where: str, value: Any, key: Key) -> float | None:
        if isinstance(value, bool) or not isinstance(value, int | float) or not key.holds(float(value)):
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: {key.allowed}.")
            return None
        return float(value)

    def _whole(self, where: str, value: Any, key: Key) -> int | None:
        if isinstance(value, bool) or not isinstance(value, int) or not key.holds(value):
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: whole numbers, {key.allowed}.")
            return None
        return value

    def _text(self, where: str, value: Any, key: Key) -> str | None:
        if not isinstance(value, str) or not value.strip():
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: a text in quotes.")
            return None
        return value

    def _texts(self, where: str, value: Any, key: Key) -> tuple[str, ...]:
        whole = isinstance(value, list | tuple) and all(isinstance(item, str) and item.strip() for item in value)
        if not whole or len(set(value)) < len(value):
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: a list of texts, each once.")
            return ()
        return tuple(value)

    def _numbers(self, where: str, value: Any, key: Key) -> np.ndarray | None:
        if not isinstance(value, list | tuple) or not value:
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: a list of numbers, {key.allowed}.")
            return None
        found = [self._number(where, item, key) for item in value]
        return None if None in found else np.array(found)

    def _named(self, where: str, value: Any, key: Key) -> dict[str, float]:
        if not isinstance(value, Mapping):
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: {{ name = number }}.")
            return {}
        found = {name: self._number(f"{where} {name!r}", item, key) for name, item in value.items()}
        return {name: item for name, item in found.items() if item is not None}

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
            self.add(f"{where} = {value!r} is not allowed: {key.says}; allowed: {{ analyte = [numbers] }}.")
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
            self.add(f"{where} = {value!r} is not allowed: {key.says}.")
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
