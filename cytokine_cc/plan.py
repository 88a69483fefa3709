"""Plan: a statistical analysis plan as a value that can be run, varied, described and written down."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any, ClassVar

from .errors import OptionError, did_you_mean, fraction, known_keys, one_of, quoted, texts, true_or_false, whole_number
from .kernels import TESTS, Test, user_test
from .kernels.common import ALTERNATIVES, BASELINE, BETWEEN, QUESTIONS, WITHIN
from .labels import as_tuple
from .limits import RULES, SCALES
from .multiplicity import ALIASES, METHODS
from .toml_files import parse_toml, read_toml
from .wording import plan_text

FAMILIES = ("visit", "all")
_TTEST, _RANKSUM = ("t", "t_test", "ttest"), ("wilcoxon", "ranksum", "rank_sum", "mann-whitney", "mannwhitneyu", "wilcox")
_GROUP_ALIASES = (
    dict.fromkeys(_TTEST, "welch") | dict.fromkeys(_RANKSUM, "mann_whitney") | {"paired": "paired_t", "ttest_rel": "paired_t"}
)
_PAIRED_ALIASES = dict.fromkeys((*_TTEST, "paired", "ttest_rel"), "paired_t") | dict.fromkeys(_RANKSUM, "signed_rank")
_RULE_ALIASES = {
    "lod/2": "half",
    "l/2": "half",
    "lod/sqrt2": "sqrt2",
    "l/sqrt2": "sqrt2",
    "lod": "limit",
    "remove": "drop",
    "delete": "drop",
}
_SIDE_ALIASES = {"two.sided": "two-sided", "two_sided": "two-sided", "larger": "greater", "smaller": "less"}
_SCALE_ALIASES = {"log": "ln", "none": "raw", "linear": "raw", "loge": "ln"}
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
class Question:
    """One question of a plan; use `Baseline`, `ChangeWithin` or `ChangeBetween`.

    Parameters
    ----------
    test : str or callable
        Name of a test, or a function of two arrays (see ``cytokine_cc.kernels.user_test``).
    scale : {"log2", "ln", "log10", "raw"}
        Analysis scale. On a log scale results are ratios of geometric means.
    below_limit : str, optional
        What to do with values below the limit of detection: "half", "sqrt2", "limit", "lowest_rank", "drop" or "as_reported".
        None takes the test's own.
    adjust : str
        Correction for multiple testing: "none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY".
    family : {"visit", "all"}
        Which tests are corrected together: those of one visit (and group), or all of the question.
    covariates : tuple of str
        Sample columns to adjust for, where the test can.
    alternative : {"two-sided", "greater", "less"}
        Cases relative to controls; later relative to baseline.
    conf_level : float
    ignore_matching : bool
        Allow an unmatched test in spite of matched sets.
    n_resamples : int
        For tests and corrections that resample.
    seed : int, optional
        For the same.

    Raises
    ------
    OptionError
        A value that is not allowed, or a rule below the limit that the test cannot honour.
    """

    test: str | Callable[..., Any] = ""
    scale: str = "log2"
    below_limit: str | None = None
    adjust: str = "BH"
    family: str = "visit"
    covariates: Any = ()
    alternative: str = "two-sided"
    conf_level: float = 0.95
    ignore_matching: bool = False
    n_resamples: int = 9999
    seed: int | None = None

    kind: ClassVar[str] = ""

    def __post_init__(self) -> None:
        if not self.kind:
            raise OptionError("use Baseline, ChangeWithin or ChangeBetween.")
        if not callable(self.test):
            allowed = [name for name, entry in TESTS.items() if self.kind in entry.questions]
            one_of(f"{self.kind}: test", self.test, allowed, _PAIRED_ALIASES if self.kind == WITHIN else _GROUP_ALIASES)
        one_of("scale", self.scale, SCALES, _SCALE_ALIASES)
        one_of("adjust", self.adjust, METHODS, ALIASES)
        one_of("family", self.family, FAMILIES)
        one_of("alternative", self.alternative, ALTERNATIVES, _SIDE_ALIASES)
        true_or_false("ignore_matching", self.ignore_matching)
        numbers: dict[str, Any] = {"conf_level": fraction("conf_level", self.conf_level)}
        numbers["n_resamples"] = whole_number("n_resamples", self.n_resamples, least=1)
        numbers["seed"] = None if self.seed is None else whole_number("seed", self.seed, least=0)
        for name, number in numbers.items():
            object.__setattr__(self, name, number)
        covariates = texts("covariates", self.covariates)
        object.__setattr__(self, "covariates", covariates)
        if covariates:
            raise OptionError(f"test {self.entry.name!r} takes no covariates; got {quoted(covariates)}. Leave them out.")
        self._check_rule()

    def _check_rule(self) -> None:
        if self.below_limit is None:
            return
        offered = [rule for rule in RULES if any(rule in test.rules for test in TESTS.values())]
        one_of("below_limit", self.below_limit, RULES if self.below_limit in RULES else offered, _RULE_ALIASES)
        allowed = self.entry.rules_for(self.kind)
        if self.below_limit not in allowed:
            asked = f"below_limit={self.below_limit!r}"
            raise OptionError(f"{self.kind}: test {self.entry.name!r} cannot honour {asked}; it takes {quoted(allowed)}.")

    @property
    def entry(self) -> Test:
        """All that is known of the test."""
        return user_test(self.test, self.kind) if callable(self.test) else TESTS[self.test]

    @property
    def rule(self) -> str:
        """The rule below the limit, the test's own where none is given."""
        return self.entry.rule(self.kind, self.below_limit)


@dataclass(frozen=True)
class Baseline(Question):
    """Do cases and controls differ before treatment? Fields as in `Question`.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.Baseline(test="mann_whitney", adjust="holm").rule
    'lowest_rank'
    """

    test: str | Callable[..., Any] = "welch"
    kind: ClassVar[str] = BASELINE


@dataclass(frozen=True)
class ChangeWithin(Question):
    """Do levels change from baseline within a group? Fields as in `Question`, and:

    Parameters
    ----------
    groups : tuple of {"case", "control"}
    visits : tuple of labels, optional
        Later visits to compare with the baseline; None: all.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.ChangeWithin(groups=("case",), visits=(6,)).visits
    ('6',)
    """

    test: str | Callable[..., Any] = "paired_t"
    groups: Any = ("case", "control")
    visits: Any = None
    kind: ClassVar[str] = WITHIN

    def __post_init__(self) -> None:
        super().__post_init__()
        groups = texts("groups", self.groups)
        for group in groups:
            one_of("groups", group, ("case", "control"))
        if not groups or len(set(groups)) < len(groups):
            raise OptionError(f"`groups` must name 'case', 'control' or both, once each; got {groups!r}.")
        object.__setattr__(self, "groups", groups)
        object.__setattr__(self, "visits", _visit_labels(self.visits))


@dataclass(frozen=True)
class ChangeBetween(Question):
    """Does the change from baseline differ between cases and controls? Fields as in `Question`, and:

    Parameters
    ----------
    visits : tuple of labels, optional
        Later visits; None: all.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> cc.ChangeBetween(test="change_rank").rule
    'half'
    """

    test: str | Callable[..., Any] = "change_score"
    visits: Any = None
    kind: ClassVar[str] = BETWEEN

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "visits", _visit_labels(self.visits))


def _visit_labels(visits: Any) -> tuple[str, ...] | None:
    labels = None if visits is None else as_tuple(visits)
    if labels is not None and (not labels or "" in labels or len(set(labels)) < len(labels)):
        raise OptionError(f"`visits` must name one or more visits, once each; got {visits!r}.")
    return labels


KINDS: dict[str, type[Question]] = {BASELINE: Baseline, WITHIN: ChangeWithin, BETWEEN: ChangeBetween}


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
            values = {name: list(value) if isinstance(value, tuple) else value for name, value in asdict(question).items()}
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
                raise OptionError(f"{where}: [plan.{kind}] must be a table; got {own!r}.")
            known_keys(f"{where}: [plan.{kind}]", own, allowed)
            try:
                questions[kind] = KINDS[kind](**{**shared, **own})
            except OptionError as error:
                raise OptionError(f"{where}: [plan.{kind}]: {error}") from None
        try:
            return cls(**questions, alpha=table.get("alpha", 0.05))
        except OptionError as error:
            raise OptionError(f"{where}: [plan]: {error}") from None
