"""Numbers, lists and visits in a sentence."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# p-values are not rounded across these.
_LEVELS = (0.001, 0.003, 0.005, 0.01, 0.05, 0.1)


def p_text(p: float) -> str:
    """Round a p-value for reading: three significant digits, and more where these would carry it across a common level.

    Examples
    --------
    >>> p_text(0.294), p_text(0.0503), p_text(0.0018206), p_text(0.050004), p_text(2e-5)
    ('0.294', '0.0503', '0.00182', '0.050004', '<0.0001')
    """
    if p < 1e-4:
        return "<0.0001"
    for digits in range(3, 17):
        text = f"{p:#.{digits}g}"
        if all((p <= level) == (float(text) <= level) for level in _LEVELS):
            break
    return text


def visit_name(label: str) -> str:
    """Name a visit in a sentence; a label that is a number only does not say what it is.

    Examples
    --------
    >>> visit_name("month6"), visit_name("2"), visit_name("1+2")
    ('month6', 'visit 2', 'visits 1+2')
    """
    return f"visit{'s' if '+' in label else ''} {label}" if re.fullmatch(r"[\d.+-]+", label) else label


def visit_names(labels: Iterable[str], more: Mapping[str, str] | None = None) -> str:
    """Name visits in a sentence, with what there is to say of some of them.

    Examples
    --------
    >>> visit_names(["baseline", "month6"]), visit_names(["1", "2", "3"])
    ('baseline and month6', 'visits 1, 2 and 3')
    """
    labels = list(labels)
    named = [visit_name(label) for label in labels]
    if len(labels) > 1 and all(own != label for own, label in zip(named, labels, strict=True)):
        return f"visits {joined(label + (more or {}).get(label, '') for label in labels)}"
    return joined(name + (more or {}).get(label, "") for name, label in zip(named, labels, strict=True))


def percent(share: float) -> str:
    """Write a share in whole percent; what is little, and what is nearly all, as "<1%" and ">99%".

    Examples
    --------
    >>> percent(0.126), percent(0.004), percent(0.0), percent(0.998)
    ('13%', '<1%', '0%', '>99%')
    """
    return "<1%" if 0 < share < 0.005 else ">99%" if 0.995 <= share < 1 else f"{share:.0%}"


def joined(items: Iterable[str]) -> str:
    """Write items as a list in a sentence; "" of none."""
    items = list(items)
    return " and ".join(filter(None, [", ".join(items[:-1]), items[-1]])) if items else ""


def counted(count: int, one: str, several: str = "") -> str:
    """Write a number with what it counts.

    Examples
    --------
    >>> counted(1, "analyte"), counted(36, "analyte"), counted(2, "family", "families")
    ('1 analyte', '36 analytes', '2 families')
    """
    return f"{count:,} {one if count == 1 else several or one + 's'}"
