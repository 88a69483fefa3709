"""Design: who is a case, how cases and controls were matched, which visits count as what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from .errors import OptionError
from .labels import as_label, as_tuple


@dataclass(frozen=True)
class Design:
    """How a case-control study was laid out; all labels are the user's own, none is taken from sort order.

    Parameters
    ----------
    group : str
        Sample column that holds the groups.
    case, control : label
        Its two labels.
    baseline : label or tuple of labels, optional
        The visit before treatment. Several are averaged on the analysis scale. None where there is one visit only.
    visits : tuple of labels, optional
        The later visits, in order. None: all others, in order of first appearance.
    matched_set : str, optional
        Sample column that holds the matched sets.
    matched_on : tuple of str
        Sample columns that groups were matched on.

    Raises
    ------
    OptionError
        Labels that are empty, equal or used twice.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.Design(group="arm", case=1, control=2, baseline=(1, 2)).baseline
    ('1', '2')
    """

    group: str
    case: Any
    control: Any
    baseline: Any = None
    visits: Any = None
    matched_set: str | None = None
    matched_on: Any = ()

    def __init__(
        self,
        group: str,
        case: Any,
        control: Any,
        *,
        baseline: Any = None,
        visits: Any = None,
        matched_set: str | None = None,
        matched_on: Any = (),
    ):
        texts = {"group": group, "matched_set": matched_set}
        for name, text in texts.items():
            if not (isinstance(text, str) and text.strip()) and not (name == "matched_set" and text is None):
                raise OptionError(f"`{name}` must be the name of a sample column; got {text!r}.")
            object.__setattr__(self, name, text)
        for name, label in (("case", case), ("control", control)):
            if not as_label(label) or (isinstance(label, Iterable) and not isinstance(label, str)):
                raise OptionError(f"`{name}` must be a label of the column {group!r}; got {label!r}.")
            object.__setattr__(self, name, as_label(label))
        if self.case == self.control:
            raise OptionError(f"`case` and `control` must differ; both are {self.case!r}.")
        before = None if baseline is None else as_tuple(baseline)
        object.__setattr__(self, "baseline", before[0] if before and len(before) == 1 else before)
        object.__setattr__(self, "visits", None if visits is None else as_tuple(visits))
        columns = (
            (matched_on,) if isinstance(matched_on, str) else tuple(matched_on) if isinstance(matched_on, Iterable) else None
        )
        if columns is None or not all(isinstance(name, str) and name.strip() for name in columns):
            raise OptionError(f"`matched_on` must be a list of sample columns; got {matched_on!r}.")
        object.__setattr__(self, "matched_on", columns)
        named = (before or ()) + (self.visits or ())
        if "" in named or before == () or isinstance(baseline, Mapping) or isinstance(visits, Mapping):
            raise OptionError(f"`baseline` and `visits` must be labels of visits; got {baseline!r} and {visits!r}.")
        doubled = sorted({label for label in named if named.count(label) > 1})
        if doubled:
            raise OptionError(f"visit {doubled[0]!r} is named twice in `baseline` and `visits`.")

    @property
    def matching(self) -> str:
        """How controls were chosen: "sets", "frequency" or "none"."""
        return "sets" if self.matched_set is not None else "frequency" if self.matched_on else "none"

    @property
    def baseline_visits(self) -> tuple[str, ...] | None:
        """The baseline as a tuple."""
        return (self.baseline,) if isinstance(self.baseline, str) else self.baseline
