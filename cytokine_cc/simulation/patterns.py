"""Pattern: what a published study showed, as a condition that a simulated one meets or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np

from ..engine import Contrast
from ..errors import OptionError, did_you_mean, fraction, known_keys, one_of, quoted, texts, true_or_false, whole_number
from ..kernels.common import BASELINE, QUESTIONS, WITHIN
from ..labels import as_tuple

DIRECTIONS = ("lower", "higher", "any")
COUNTS = ("exactly", "at_least", "at_most")
_ALIASES = {"less": "lower", "down": "lower", "greater": "higher", "up": "higher", "both": "any", "two-sided": "any"}
_NEEDED = ("says", "question", "p_below")


@dataclass(frozen=True, kw_only=True)
class Pattern:
    """How many analytes a study shows at a level and in a direction: a sentence of a paper, made countable.

    An analyte is a hit if, at any of the visits (and in any of the groups) that count, its p-value lies below `p_below` and
    its estimate has the direction. A study shows the pattern if the number of hits is what the pattern says.

    Parameters
    ----------
    says : str
        The sentence, as printed; it names the pattern in tables.
    question : {"baseline", "change_within", "change_between"}
        The question of the plan whose tests count.
    p_below : float
        A hit has p < `p_below`, strictly: papers print "P<0.003".
    exactly, at_least, at_most : int
        Number of analytes; one of the three.
    direction : {"lower", "higher", "any"}
        Cases relative to controls, later relative to baseline.
    adjusted : bool
        Whether p is the adjusted one; printed p-values mostly are not.
    analytes : tuple of str, optional
        Count among these only; None: all. "These six and no others" is two patterns, ``exactly=6`` among the six and
        ``exactly=6`` among all.
    visits : tuple of labels, optional
        Later visits that count; None: all that the plan asks for.
    group : {"", "case", "control"}
        With change_within, the group that counts; "": each that the plan asks for.

    Raises
    ------
    OptionError
        A value that is not allowed, or not one of the three counts.

    Notes
    -----
    A row that could not be tested is no hit. The direction of a rank test is that of its rank sum: the Hodges-Lehmann shift can
    be 0 while many values are tied. Where the test has no estimate (a user's own function), only "any" direction can be asked.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> found = cc.Pattern(
    ...     says="the mean concentration of 6 of 36 was lower in cases, all P<0.003",
    ...     question="baseline", exactly=6, direction="lower", p_below=0.003,
    ... )
    >>> found.number
    ('exactly', 6)
    """

    says: str
    question: str
    p_below: float
    exactly: int | None = None
    at_least: int | None = None
    at_most: int | None = None
    direction: str = "any"
    adjusted: bool = False
    analytes: Any = None
    visits: Any = None
    group: str = ""

    def __post_init__(self) -> None:
        if not isinstance(self.says, str) or not self.says.strip():
            raise OptionError(f"`says` must be a text, the sentence that the pattern stands for; got {self.says!r}.")
        one_of("question", self.question, QUESTIONS)
        one_of("direction", self.direction, DIRECTIONS, _ALIASES)
        one_of("group", self.group, ("", "case", "control"))
        analytes = None if self.analytes is None else texts("analytes", self.analytes)
        visits = None if self.visits is None else as_tuple(self.visits)
        for name, labels in (("analytes", analytes), ("visits", visits)):
            if labels is not None and (not labels or "" in labels or len(set(labels)) < len(labels)):
                raise OptionError(f"`{name}` must name one or more {name}, once each; got {getattr(self, name)!r}.")
        if visits is not None and self.question == BASELINE:
            raise OptionError("a pattern about baseline takes no `visits`: they are later visits. Leave them out.")
        if self.group and self.question != WITHIN:
            raise OptionError(f"`group` is for change_within; {self.question} compares the groups. Leave it out.")
        clean = {"says": " ".join(self.says.split()), "p_below": fraction("p_below", self.p_below)}
        true_or_false("adjusted", self.adjusted)
        for name, value in {**clean, **self._counts(analytes), "analytes": analytes, "visits": visits}.items():
            object.__setattr__(self, name, value)

    def _counts(self, analytes: tuple[str, ...] | None) -> dict[str, int]:
        given = {name: whole_number(name, value, least=0) for name in COUNTS if (value := getattr(self, name)) is not None}
        if len(given) != 1:
            raise OptionError(f"a pattern takes one of {quoted(COUNTS)}; got {quoted(given)}.")
        for name, count in given.items():
            if analytes is not None and name != "at_most" and count > len(analytes):
                raise OptionError(f"`{name}` is {count}, but `analytes` names only {len(analytes)}: no study can show that.")
        return given

    @property
    def number(self) -> tuple[str, int]:
        """The count and which kind it is."""
        return next((name, value) for name in COUNTS if (value := getattr(self, name)) is not None)

    def check_against(self, analytes: Sequence[str], later: Sequence[str]) -> None:
        """Refuse a pattern that no study of these analytes and later visits can show.

        Parameters
        ----------
        analytes, later : sequence of str

        Raises
        ------
        OptionError
            An analyte or a visit that is not there, or a count above the number of analytes.
        """
        self._counted(analytes)
        for label in self.visits or ():
            if label not in later:
                raise OptionError(
                    f"pattern {self.says!r}: no later visit {label!r}; there are {quoted(later)}.{did_you_mean(label, later)}"
                )
        name, count = self.number
        if name != "at_most" and count > len(analytes):
            raise OptionError(
                f"pattern {self.says!r}: `{name}` is {count}, but there are {len(analytes)} analytes: no study can show that."
            )

    def hits(self, contrasts: Sequence[Contrast], analytes: Sequence[str], later: Sequence[str] = ()) -> np.ndarray:
        """Say which analytes are hits.

        Parameters
        ----------
        contrasts : sequence of Contrast
            The engine's, for the question that the pattern is about.
        analytes : sequence of str
            Names along the last axis.
        later : sequence of str
            Labels of the later visits; needed where the pattern names visits.

        Returns
        -------
        ndarray of bool, shape (..., analytes)

        Raises
        ------
        OptionError
            Analytes, visits or a group that the contrasts do not have; a direction where the test has no estimate.
        """
        return self.lowest_p(contrasts, analytes, later) < np.inf

    def lowest_p(self, contrasts: Sequence[Contrast], analytes: Sequence[str], later: Sequence[str] = ()) -> np.ndarray:
        """Return the lowest p of each analyte over the comparisons that make it a hit; infinite where none does.

        Parameters
        ----------
        contrasts, analytes, later
            As `hits`.

        Returns
        -------
        ndarray, shape (..., analytes)
        """
        counted = self._counted(analytes)
        lowest = np.full(counted.shape, np.inf)
        for contrast in self._chosen(contrasts, later):
            p = contrast.p_adjusted if self.adjusted else contrast.statistics.p_value
            hit = counted & (p < self.p_below)
            if self.direction != "any":
                side = contrast.statistics.side
                if (np.isnan(side) & ~np.isnan(p)).any():
                    raise OptionError(
                        f"pattern {self.says!r}: the direction {self.direction!r} cannot be told from this test of "
                        f"{self.question}, which gives no estimate. Use a test that does, or direction='any'."
                    )
                hit = hit & (side < 0 if self.direction == "lower" else side > 0)
            lowest = np.where(hit, np.fmin(lowest, p), lowest)
        return lowest

    def shown_by(self, contrasts: Sequence[Contrast], analytes: Sequence[str], later: Sequence[str] = ()) -> np.ndarray:
        """Say which replicates show the pattern.

        Parameters
        ----------
        contrasts, analytes, later
            As `hits`.

        Returns
        -------
        ndarray of bool, shape (...)
            The leading axes of the contrasts; for one study a single truth value.
        """
        found = self.hits(contrasts, analytes, later).sum(axis=-1)
        name, count = self.number
        return {"exactly": found == count, "at_least": found >= count, "at_most": found <= count}[name]

    def untested(self, contrasts: Sequence[Contrast], analytes: Sequence[str], later: Sequence[str] = ()) -> np.ndarray:
        """Say in which replicates a row that counts could not be tested.

        Parameters
        ----------
        contrasts, analytes, later
            As `hits`.

        Returns
        -------
        ndarray of bool, shape (...)
        """
        counted = self._counted(analytes)
        missing = [np.isnan(contrast.statistics.p_value) & counted for contrast in self._chosen(contrasts, later)]
        return np.any(np.stack(missing), axis=(0, -1))

    def _counted(self, analytes: Sequence[str]) -> np.ndarray:
        names = np.asarray(analytes, dtype=object)
        if self.analytes is None:
            return np.ones(len(names), dtype=bool)
        for name in self.analytes:
            if name not in names:
                hint = did_you_mean(name, names)
                raise OptionError(f"pattern {self.says!r}: no analyte {name!r}; there are {quoted(names)}.{hint}")
        return np.isin(names, np.array(self.analytes, dtype=object))

    def _chosen(self, contrasts: Sequence[Contrast], later: Sequence[str]) -> list[Contrast]:
        labels = ["" if contrast.visit is None or not later else later[contrast.visit] for contrast in contrasts]
        for label in self.visits or ():
            if label not in labels:
                hint = did_you_mean(label, labels)
                raise OptionError(
                    f"pattern {self.says!r}: no test of {self.question} at visit {label!r}; there are tests at "
                    f"{quoted(dict.fromkeys(labels))}.{hint}"
                )
        chosen = [
            contrast
            for contrast, label in zip(contrasts, labels, strict=True)
            if (self.visits is None or label in self.visits) and self.group in ("", contrast.group)
        ]
        if not chosen:
            raise OptionError(f"pattern {self.says!r}: the plan does not test {self.question} in group {self.group!r}.")
        return chosen

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str) -> Pattern:
        """Build a pattern from a table of a scenario file.

        Parameters
        ----------
        table : mapping
            The fields of a pattern.
        where : str
            Name of the file and table, for messages.

        Returns
        -------
        Pattern

        Raises
        ------
        OptionError

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> table = {"says": "no factor changed", "question": "change_between", "exactly": 0, "p_below": 0.05}
        >>> cc.Pattern.from_table(table, "study.toml: [[pattern]] 1").to_table() == table
        True
        """
        if not isinstance(table, Mapping):
            raise OptionError(f"{where} must be a table; got {table!r}.")
        known_keys(where, table, [item.name for item in fields(cls)])
        missing = [name for name in _NEEDED if name not in table]
        if missing:
            raise OptionError(f"{where} lacks {quoted(missing)}; a pattern needs {quoted(_NEEDED)} and one of {quoted(COUNTS)}.")
        try:
            return cls(**table)
        except OptionError as error:
            raise OptionError(f"{where}: {error}") from None

    def to_table(self) -> dict[str, Any]:
        """Return the fields that are set, as a table for TOML.

        Returns
        -------
        dict
        """
        values = {item.name: (getattr(self, item.name), item.default) for item in fields(self)}
        return {
            name: list(value) if isinstance(value, tuple) else value for name, (value, usual) in values.items() if value != usual
        }
