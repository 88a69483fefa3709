"""Questions of a plan: each a frozen value whose fields are checked when it is made."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

import numpy as np

from .errors import OptionError, did_you_mean, fraction, known_keys, one_of, quoted, texts, true_or_false, whole_number
from .kernels import TESTS, Test, user_test
from .kernels.common import ALTERNATIVES, BASELINE, BETWEEN, WITHIN
from .labels import as_tuple
from .limits import RULES, SCALES
from .multiplicity import ALIASES, METHODS

FAMILIES = ("visit", "all")
OPTIONS = {name for entry in TESTS.values() for name in entry.options}  # of one test or another
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
        What to do with values below the limit of detection: "half", "sqrt2", "limit", "lowest_rank", "drop", "as_reported" or
        "censored". None takes the test's own.
    adjust : str
        Correction for multiple testing: "none", "bonferroni", "holm", "hochberg", "hommel", "BH", "BY".
    family : {"visit", "all"}
        Which tests are corrected together: those of one visit (and group), or all of the question.
    covariates : tuple of str
        Sample columns to adjust for, where the test can; "plate" is the plate. A number is a slope, a text a level each, as at
        baseline. Subjects who lack one are left out.
    alternative : {"two-sided", "greater", "less"}
        Cases relative to controls; later relative to baseline.
    conf_level : float
    ignore_matching : bool
        Allow an unmatched test in spite of matched sets.
    n_resamples : int
        For tests and corrections that resample. As many arrangements or fewer are gone through one by one.
    seed : int, optional
        For the same. None: a new one at each run, which ``Results.meta["seed"]`` tells.
    options : mapping
        The test's own options, such as ``{"trend": True}`` of "moderated_t".

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
    options: Any = ()

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
        if covariates and "covariates" not in self.entry.takes:
            able = [name for name, test in TESTS.items() if self.kind in test.questions and "covariates" in test.takes]
            remedy = f"Use {quoted(able)}, or leave them out." if able else "Leave them out."
            raise OptionError(f"test {self.entry.name!r} takes no covariates; got {quoted(covariates)}. {remedy}")
        if len(set(covariates)) < len(covariates):
            raise OptionError(f"`covariates` names a column twice: {quoted(covariates)}.")
        object.__setattr__(self, "options", _own_options(self.entry, self.options))
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

    def plain(self) -> dict[str, Any]:
        """Return the fields as plain values, a function by its name."""
        values = {item.name: getattr(self, item.name) for item in fields(self)}
        return values | {"test": self.entry.name, "options": dict(self.options)}


def _own_options(test: Test, given: Any) -> tuple[tuple[str, Any], ...]:
    """Return a test's own options that are not at their default, in order of name."""
    if not isinstance(given, Mapping):
        try:
            given = dict(given)
        except (TypeError, ValueError):
            raise OptionError(f'`options` must be a mapping such as {{"trend": True}}; got {given!r}.') from None
    for name, value in given.items():
        if name not in test.options:
            takes = f"it takes {quoted(test.options)}" if test.options else "it takes none"
            raise OptionError(f"test {test.name!r} has no option {name!r}; {takes}.{did_you_mean(str(name), test.options)}")
        allowed = test.options[name]
        if not any(value is choice or (isinstance(value, str) and value == choice) for choice in allowed):
            hint = did_you_mean(str(value), [choice for choice in allowed if isinstance(choice, str)])
            raise OptionError(
                f"test {test.name!r}: option {name!r} must be one of {', '.join(map(repr, allowed))}; got {value!r}.{hint}"
            )
    return tuple(sorted((name, value) for name, value in given.items() if value != test.options[name][0]))


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


def seeded(question: Question, entropy: int | None = None) -> Question:
    """Give a question that resamples a seed where it has none, so that what was done can be done again.

    Parameters
    ----------
    question : Question
    entropy : int, optional
        What the seed is made of; None: the operating system's.
    """
    if question.seed is not None or "resamples" not in question.entry.takes:
        return question
    return replace(question, seed=int(np.random.SeedSequence(entropy).generate_state(1)[0]))


def question_of(cls: type[Question], given: Mapping[str, Any]) -> Question:
    """Make a question of keywords: its fields, and options of its test by their own names.

    Examples
    --------
    >>> question_of(Baseline, {"test": "moderated_t", "trend": True}).options
    (('trend', True),)
    """
    names = [item.name for item in fields(cls)]
    plain = {"test": next(item.default for item in fields(cls) if item.name == "test"), **given}
    test = plain["test"]
    takes = TESTS[test].options if isinstance(test, str) and test in TESTS else {}
    own = {name: plain.pop(name) for name in list(plain) if name in takes}
    for name in set(plain) - set(names):
        having = [other for other, entry in TESTS.items() if name in entry.options]
        if having:
            has = "has" if len(having) == 1 else "have"
            raise OptionError(f"{cls.kind}: test {test!r} has no option {name!r}; {quoted(having)} {has} it.")
    known_keys(cls.kind, plain, [*names, *takes])
    if own:
        plain["options"] = {**dict(plain.get("options", ())), **own}
    return cls(**plain)


KINDS: dict[str, type[Question]] = {BASELINE: Baseline, WITHIN: ChangeWithin, BETWEEN: ChangeBetween}
