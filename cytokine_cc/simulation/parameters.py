"""What a scenario file may say: its tables, their keys, the range of each."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

KINDS_OF_SOURCE = ("sourced", "computed", "assumed")


@dataclass(frozen=True)
class Key:
    """One key of a scenario file.

    Attributes
    ----------
    kind : str
        "number", "whole", "text", "texts", "numbers", "amounts" (one number for all analytes, or analyte = number),
        "named" (name = number); "loadings", "blocks", "pairs" of [factors].
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

    def wanted(self, what: str) -> str:
        """What may stand there, in words, such as "a number above 0"."""
        if self.allowed == "any number":
            return what
        return f"{what} {'of ' if self.allowed.startswith('at') else ''}{self.allowed}"

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
    "mean": _positive("number", "geometric mean of controls at baseline, before contamination, in the unit", NEEDED),
    "log_sd": _positive("number", "natural-log SD between persons of one group at one visit [subject]"),
    "icc": _share("number", "share of that variance that a person keeps between visits; not needed with one visit [subject]"),
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
        "risk": Key(
            "named", "covariate (per SD) or covariate=level: shift of what the rises of scores share, in its SDs; needs rise", {}
        ),
    },
    "matching": {
        "kind": Key("text", "'sets' (each case its controls, optimal) or 'frequency' (alike in distribution)", NEEDED),
        "on": Key("texts", "covariates matched on", NEEDED),
        "exact": Key(
            "texts", "with 'sets': those that should agree within a set; a mismatch only where it cannot be avoided", []
        ),
        "bands": Key(
            "named", "with 'frequency': covariate = width of the bands that a number is cut into", {}, low=0, open_low=True
        ),
    },
    "subject": {
        "log_sd": _positive("number", "natural-log SD between persons, of analytes that do not say theirs"),
        "icc": _share("number", "share of that variance kept between visits, of analytes that do not say theirs"),
    },
    "group": {
        "ratio": _positive("amounts", "ratio of geometric means, case / control, at equal covariates"),
        "sd_units": Key("amounts", "difference case - control of log levels, in log-SDs between persons"),
        "odds_ratio": _positive("amounts", "odds ratio per doubling, within sets where there are any; not with [tail]"),
    },
    "set_effect": {"log_sd": _spread("amounts", "natural-log SD between matched sets", NEEDED)},
    "factors": {
        "loadings": Key("loadings", "analyte = loadings on the shared factors; correlation is their product"),
        "blocks": Key("blocks", "list of {analytes, r}: equal correlation within a block"),
        "pairs": Key("pairs", "'A, B' = correlation; all others 0", low=-1, high=1, open_low=True, open_high=True),
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
        "correlation": Key(
            "number",
            "of that level with a latent normal score, of which low values are missing; negative: high levels are missing",
            0.0,
            low=-1,
            high=1,
        ),
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
    "shared": _share(
        "number", "share of the rise's variance that the scores have in common: correlation of two rises that share alike", 0.7
    ),
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
