"""Names for plans that stand side by side: what tells them apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import OptionError, quoted, texts
from ..plan import Plan
from ..questions import KINDS

_UNSAID = "default"
_Key = tuple[str, str]  # question ("" for the plan, or for all that have the field), field


def named_plans(plans: Any, names: Any = None) -> dict[str, Plan]:
    """Return the plans to compare by name, the first the reference.

    Parameters
    ----------
    plans : sequence of Plan, or mapping of str to Plan
    names : sequence of str, optional

    Returns
    -------
    dict of str to Plan

    Raises
    ------
    OptionError
        Fewer than two plans, what is no plan, names that do not fit.
    """
    if isinstance(plans, Mapping):
        if names is not None:
            raise OptionError("`plans` is a mapping, whose keys name the plans; leave `names` out.")
        if not all(isinstance(name, str) for name in plans):
            raise OptionError(f"the keys of `plans` name the plans and must be texts; got {', '.join(map(repr, plans))}.")
        names, plans = list(plans), list(plans.values())
    given = [plans] if isinstance(plans, Plan) or not hasattr(plans, "__iter__") else list(plans)
    for i, plan in enumerate(given):
        if not isinstance(plan, Plan):
            raise OptionError(f"`plans` must hold Plan objects; item {i + 1} is {type(plan).__name__}: {str(plan)[:60]!r}.")
    if len(given) < 2:
        raise OptionError(f"compare_plans() needs two or more plans; got {len(given)}. For one plan, use certify().")
    if isinstance(names, str):
        raise OptionError(f"`names` must be a list of {len(given)} texts, one for each plan; got the one text {names!r}.")
    chosen = plan_names(given) if names is None else texts("names", names)
    if len(chosen) != len(given) or len(set(chosen)) < len(chosen) or not all(name.strip() for name in chosen):
        raise OptionError(f"`names` must be {len(given)} different texts, one for each plan; got {quoted(chosen)}.")
    return dict(zip(chosen, given, strict=True))


def plan_names(plans: Sequence[Plan]) -> tuple[str, ...]:
    """Name each plan by what tells it apart from the others.

    Parameters
    ----------
    plans : sequence of Plan

    Returns
    -------
    tuple of str
        A field without its question is that of every question which has it. Plans that are equal are numbered.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> plan_names(cc.Plan().vary(adjust=["BH", "holm"]))
    ('adjust=BH', 'adjust=holm')
    >>> plan_names(cc.Plan().vary(baseline__test=["welch", "mann_whitney"], alpha=[0.05]))
    ('baseline.test=welch', 'baseline.test=mann_whitney')
    >>> plan_names([cc.Plan(), cc.Plan(change_within=None), cc.Plan()])
    ('with change_within', 'without change_within', 'with change_within (2)')
    """
    said = [_fields(plan) for plan in plans]
    asked = [kind for kind in KINDS if any((kind, "") in own for own in said)]
    keys = [key for key in dict.fromkeys(key for own in said for key in own) if _differs(key, said)]
    names = [", ".join(_words(key, own, len(asked) == 1) for key in _shortened(keys, said) if _has(key, own)) for own in said]
    if not any(names):
        return tuple(f"plan {i + 1}" for i in range(len(plans)))
    seen: Counter[str] = Counter()
    numbered = []
    for name in names:
        seen[name] += 1
        numbered.append(f"{name} ({seen[name]})" if seen[name] > 1 else name)
    return tuple(numbered)


def _fields(plan: Plan) -> dict[_Key, str]:
    """Say each field of a plan; the field "" of a question is that it is asked."""
    out: dict[_Key, str] = {("", "alpha"): f"{plan.alpha:g}"}
    for question in plan.questions:
        out[question.kind, ""] = "with"
        plain = question.plain()
        options = plain.pop("options")
        out |= {(question.kind, name): _text(value) for name, value in (plain | options).items()}
    return out


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return "+".join(map(str, value)) or "none"
    if value is None:
        return _UNSAID
    return f"{value:g}" if isinstance(value, float) else str(value)


def _has(key: _Key, own: Mapping[_Key, str]) -> bool:
    """Whether a plan has something to say of a field: it asks the question, or the question itself is the matter."""
    kind, name = key
    return not kind or not name or (kind, "") in own


def _differs(key: _Key, said: Sequence[Mapping[_Key, str]]) -> bool:
    return len({own.get(key, "") for own in said if _has(key, own)}) > 1


def _shortened(keys: list[_Key], said: Sequence[Mapping[_Key, str]]) -> list[_Key]:
    """Say a field once that is the same for all questions of each plan that have it."""
    out: list[_Key] = []
    for kind, name in keys:
        having = {key for own in said for key in own if key[1] == name and key[0]}
        alike = all(len({own[key] for key in having if key in own}) <= 1 for own in said)
        short = len(having) > 1 and having <= set(keys) and bool(name) and alike
        key = ("", name) if short else (kind, name)
        if key not in out:
            out.append(key)
    return out


def _words(key: _Key, own: Mapping[_Key, str], alone: bool) -> str:
    kind, name = key
    if not name:
        return f"{own.get(key, 'without')} {kind}"
    value = own.get(key) or next((own[other] for other in own if other[1] == name and kind in ("", other[0])), _UNSAID)
    return f"{name}={value}" if alone or not kind else f"{kind}.{name}={value}"
