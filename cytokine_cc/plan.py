"""Plan: a statistical analysis plan as a value that can be run, varied, described and written down."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from .errors import OptionError, did_you_mean, fraction, known_keys, one_of
from .kernels import TESTS
from .kernels.common import QUESTIONS
from .questions import KINDS, OPTIONS, Baseline, ChangeBetween, ChangeWithin, Question, question_of
from .toml_files import parse_toml, read_toml
from .wording import plan_text

_PLAN_DEFAULTS = (
    "scale",
    "below_limit",
    "adjust",
    "family",
    "covariates",
    "alternative",
    "conf_level",
    "ignore_matching",
    "n_resamples",
    "seed",
)


@dataclass(frozen=True)
class Plan:
    """A statistical analysis plan: up to three questions and the level at which they are read.

    Parameters
    ----------
    baseline : Baseline or None
    change_within : ChangeWithin or None
    change_between : ChangeBetween or None
        None: not asked.
    alpha : float
        Level at which adjusted p-values are called significant, in summaries and in certification.

    Raises
    ------
    OptionError

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> plan = cc.Plan(baseline=cc.Baseline(test="mann_whitney"), change_within=None)
    >>> [question.kind for question in plan.questions]
    ['baseline', 'change_between']
    """

    baseline: Baseline | None = field(default_factory=Baseline)
    change_within: ChangeWithin | None = field(default_factory=ChangeWithin)
    change_between: ChangeBetween | None = field(default_factory=ChangeBetween)
    alpha: float = 0.05

    def __post_init__(self) -> None:
        for kind, cls in KINDS.items():
            question = getattr(self, kind)
            if question is not None and not isinstance(question, cls):
                raise OptionError(f"`{kind}` must be a {cls.__name__} or None; got {question!r}.")
        if not self.questions:
            raise OptionError("a plan needs at least one question: baseline, change_within or change_between.")
        object.__setattr__(self, "alpha", fraction("alpha", self.alpha))

    @property
    def questions(self) -> tuple[Question, ...]:
        """The questions that are asked."""
        return tuple(question for kind in QUESTIONS if (question := getattr(self, kind)) is not None)

    def vary(self, **choices: Iterable[Any]) -> tuple[Plan, ...]:
        """Return one plan for each combination of choices.

        Parameters
        ----------
        **choices
            Field of a question -> values. A field applies to every question; write ``baseline__test=[...]`` for one only.

        Returns
        -------
        tuple of Plan
            In the order of itertools.product.

        Raises
        ------
        OptionError
            A field that no question has, or a combination that is not allowed.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> plan = cc.Plan(change_within=None, change_between=None)
        >>> [p.baseline.test for p in plan.vary(baseline__test=["welch", "mann_whitney"])]
        ['welch', 'mann_whitney']
        """
        plans = []
        for values in itertools.product(*choices.values()):
            plan = self
            for name, value in zip(choices, values, strict=True):
                plan = plan._with(name, value)
            plans.append(plan)
        return tuple(plans)

    def _with(self, name: str, value: Any) -> Plan:
        kind, _, own = name.rpartition("__")
        if name == "alpha":
            return replace(self, alpha=value)
        if kind:
            one_of("question", kind, [question.kind for question in self.questions])
        having = [
            question
            for question in self.questions
            if kind in ("", question.kind) and own in {item.name for item in fields(question)}
        ]
        if not having:
            names = {item.name for question in self.questions for item in fields(question)}
            raise OptionError(f"no question has a field {own!r}.{did_you_mean(own, names)}")
        changed: dict[str, Any] = {question.kind: replace(question, **{own: value}) for question in having}
        return replace(self, **changed)

    def describe(self) -> str:
        """Say in words what will be done.

        Returns
        -------
        str
            A paragraph for a protocol; `Analysis.describe` says what was done.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> print(cc.Plan(change_within=None, change_between=None).describe())  # doctest: +ELLIPSIS
        Baseline levels will be compared between cases and controls by Welch's t test (two-sided). ...
        """
        return plan_text(self)

    def to_toml(self) -> str:
        """Write the plan as the [plan] part of a study file.

        Returns
        -------
        str

        Raises
        ------
        OptionError
            A test that is a function cannot be written down.
        """
        import tomli_w

        table: dict[str, Any] = {"alpha": self.alpha}
        for question in self.questions:
            if callable(question.test):
                raise OptionError(
                    f"{question.kind}: a test that is a function ({question.entry.name}) cannot be written as TOML."
                )
            values = {name: list(value) if isinstance(value, tuple) else value for name, value in question.plain().items()}
            values["options"] = values["options"] or None
            table[question.kind] = {name: value for name, value in values.items() if value is not None}
        return tomli_w.dumps({"plan": table})

    @classmethod
    def from_toml(cls, source: str | Path) -> Plan:
        """Read a plan from a study file, or from TOML text.

        Parameters
        ----------
        source : path or str
            A file that ends in .toml, or text.

        Returns
        -------
        Plan
            A question whose table is absent is not asked; with no table at all, every question is.

        Raises
        ------
        OptionError
            Broken TOML, an unknown key, a value that is not allowed.
        """
        text = str(source)
        is_file = isinstance(source, Path) or ("\n" not in text and text.endswith(".toml"))
        name, content = read_toml(source) if is_file else ("the plan", parse_toml(text, "the plan"))
        if "plan" not in content and set(content) <= {"alpha", *KINDS, *_PLAN_DEFAULTS}:
            content = {"plan": content}
        return cls.from_table(content.get("plan", {}), name)

    @classmethod
    def from_table(cls, table: Mapping[str, Any], where: str, asked: Iterable[str] = QUESTIONS) -> Plan:
        """Build a plan from the [plan] table of a study file.

        Parameters
        ----------
        table : mapping
        where : str
            Name of the file, for messages.
        asked : iterable of str
            The questions asked where the table names none.

        Returns
        -------
        Plan
        """
        if not isinstance(table, Mapping):
            raise OptionError(f"{where}: [plan] must be a table; got {table!r}.")
        known_keys(f"{where}: [plan]", table, ["alpha", *KINDS, *_PLAN_DEFAULTS])
        shared = {name: table[name] for name in _PLAN_DEFAULTS if name in table}
        named = [kind for kind in KINDS if kind in table] or list(asked)
        questions: dict[str, Any] = dict.fromkeys(KINDS)
        for kind in named:
            own = table.get(kind, {})
            allowed = [item.name for item in fields(KINDS[kind])]
            if not isinstance(own, Mapping):
                raise OptionError(f"{where}: [plan.{kind}] must be a table; got {own!r}. Leave out a question that is not asked.")
            test = TESTS.get(str(own.get("test", "")))
            more = [] if test is None else test.options
            known_keys(f"{where}: [plan.{kind}]", own, [*allowed, *sorted({*more, *OPTIONS.intersection(own)})])
            try:
                questions[kind] = question_of(KINDS[kind], {**shared, **own})
            except OptionError as error:
                raise OptionError(f"{where}: [plan.{kind}]: {error}") from None
        try:
            return cls(**questions, alpha=table.get("alpha", 0.05))
        except OptionError as error:
            raise OptionError(f"{where}: [plan]: {error}") from None
