"""Forming matched sets: the controls that are most like the cases."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from .errors import Faults, OptionError, StudyError, did_you_mean, one_of, quoted, texts, true_or_false, whole_number
from .labels import NOT_GIVEN, as_label, as_labels
from .readers.samples import typed

DISTANCES = ("mahalanobis", "scaled_euclidean")
MATCH_COLUMNS = ("matched_set", "match_distance", "match_note")
_SINGULAR = 1e-10  # share of the largest eigenvalue of a correlation matrix below which a direction counts as empty
_FEW = 10  # levels that a text may have however few the subjects
_ROUNDING = 1e-12  # by which a difference may exceed its caliper, relative to the largest value


def match_controls(
    subjects: pd.DataFrame,
    *,
    group: str,
    case: Any,
    control: Any,
    on: Iterable[str],
    subject: str | None = None,
    exact: Iterable[str] = (),
    ratio: int = 1,
    caliper: float | Mapping[str, float] | None = None,
    distance: str = "mahalanobis",
    partial: bool = False,
) -> pd.DataFrame:
    """Which controls are most like the cases?

    Optimal matching without replacement: of all ways to give each case `ratio` controls of its own, one that has the least
    total distance between cases and their controls.

    Parameters
    ----------
    subjects : DataFrame
        One row a subject.
    group : str
        Column that holds the groups.
    case, control : label
        Its two labels.
    on : list of str
        Columns whose distance is minimised. A text becomes one indicator a level.
    subject : str, optional
        Column that holds the subjects' ids. None: the index.
    exact : list of str
        Columns on which a case and its controls must agree.
    ratio : int
        Controls for each case.
    caliper : float or mapping, optional
        How far a control may be from its case. A mapping gives it by column, in the column's own unit: ``{"Age": 5}``. A number
        holds for each column of `on` that has numbers other than 0 and 1, in SDs over all subjects. The bound itself is allowed.
    distance : {"mahalanobis", "scaled_euclidean"}
        The second divides each column by its SD and ignores correlations.
    partial : bool
        Where not every case can have `ratio` controls: False raises. True matches as many cases as possible, then as many
        controls as possible, then the nearest; what is left says why.

    Returns
    -------
    DataFrame
        `subjects` with three more columns: matched_set (the id of the set's case; empty where not matched), match_distance (of
        a matched control to its case), match_note (why a subject is not, or not fully, matched). As a table joined to a
        panel (``panel.join``), it serves ``Design(matched_set="matched_set")``.

    Raises
    ------
    OptionError
        An option or column name that is not allowed.
    StudyError
        Lists every fault: an id that is blank or repeated, a group that is neither, a missing covariate, a text among numbers,
        a text in `on` with more than ten levels and fewer than two subjects a level; cases for which there are not enough
        controls. A column of dtype category is labels, whatever they look like.

    Notes
    -----
    Both distances take variances within groups, pooled: they are ``MatchIt::mahalanobis_dist(group ~ ...)`` and
    ``MatchIt::scaled_euclidean_dist(group ~ ...)`` of numbers, but that 0/1 columns have the same divisor (n - 2) as others in
    the second. A text counts as its indicators do, and one of two levels as a 0/1 column does. (MatchIt counts it twice in
    the second; in the first, version 4.5.1 loses digits that matter: it factors a singular matrix.) The assignment is what
    ``MatchIt::matchit(method = "optimal")`` asks of optmatch. Calipers are those of MatchIt, ``std.caliper = TRUE`` for a
    number and FALSE for a mapping. Columns that do not vary within groups do not bear on the choice. Where several
    assignments have the least total, the order of rows decides.

    References
    ----------
    Rosenbaum, J Am Stat Assoc 1989;84:1024, doi 10.1080/01621459.1989.10478868.

    Examples
    --------
    >>> import pandas as pd
    >>> import cytokine_cc as cc
    >>> clinic = pd.DataFrame(
    ...     {"Group": ["AIMSS", "AIMSS", "none", "none", "none"], "Age": [61, 48, 50, 70, 60]}, index=list("ABCDE")
    ... )
    >>> matched = cc.match_controls(clinic, group="Group", case="AIMSS", control="none", on=["Age"], caliper={"Age": 5})
    >>> matched["matched_set"].tolist(), matched["match_note"].tolist()
    (['A', 'B', 'B', '', 'A'], ['', '', '', 'fits no case', ''])
    """
    one_of("distance", distance, DISTANCES)
    ratio, partial = whole_number("ratio", ratio, least=1), true_or_false("partial", partial)
    on, exact = _columns_of(subjects, group, subject, on, exact)
    ids, is_case, codes = _check_subjects(subjects, group, case, control, subject, on, exact, caliper)
    rows = np.flatnonzero(is_case), np.flatnonzero(~is_case)
    x, weight = _design_matrix(codes[name] for name in on)
    cost = distance_matrix(x[rows[0]], x[rows[1]], distance, weight=weight)
    bars = _bars(rows, exact, _calipers(caliper, on, codes), codes)
    for _, allowed in bars:
        cost[~allowed] = np.inf
    chosen = assign_controls(cost, ratio, partial=True)
    reasons = {i: _reason(i, chosen, cost, bars, ratio) for i in np.flatnonzero((chosen < 0).any(axis=1)).tolist()}
    if reasons and not partial:
        _refuse(reasons, ids[rows[0]])
    return _with_sets(subjects, ids, rows, cost, chosen, reasons)


def distance_matrix(
    x_case: np.ndarray, x_control: np.ndarray, distance: str = "mahalanobis", *, weight: np.ndarray | None = None
) -> np.ndarray:
    """How far is each case from each control, in units of the spread within groups?

    Parameters
    ----------
    x_case, x_control : ndarray, shapes (n_case, q), (n_control, q)
        Covariates, without missing values.
    distance : {"mahalanobis", "scaled_euclidean"}
    weight : ndarray, shape (q,), optional
        What each column's squared difference counts under "scaled_euclidean". None: 1.

    Returns
    -------
    ndarray, shape (n_case, n_control)

    Notes
    -----
    Columns that do not vary within groups count nothing; columns that depend on each other linearly count once under
    "mahalanobis" (a generalised inverse).
    """
    one_of("distance", distance, DISTANCES)
    x_case, x_control = (np.asarray(x, dtype=np.float64) for x in (x_case, x_control))
    if x_case.ndim != 2 or x_control.ndim != 2 or x_case.shape[1] != x_control.shape[1]:
        raise OptionError(f"covariates must be (subjects, columns), columns alike; got {x_case.shape} and {x_control.shape}.")
    if not (np.isfinite(x_case).all() and np.isfinite(x_control).all()):
        raise OptionError("covariates must be finite numbers; there are missing or infinite ones.")
    # A column that is constant in a group is subtracted exactly, so that rounding cannot pass for spread.
    centres = [np.where((x == x[:1]).all(axis=0), x[:1], x.mean(axis=0)) if len(x) else x for x in (x_case, x_control)]
    residual = np.concatenate([x_case - centres[0], x_control - centres[1]])
    sd = np.sqrt(np.square(residual).sum(axis=0) / max(len(residual) - 2, 1))
    varies = sd > 0
    scaled = [x[:, varies] / sd[varies] for x in (x_case, x_control)]
    apart = scaled[0][:, None, :] - scaled[1][None, :, :]
    if distance == "scaled_euclidean":
        return np.sqrt((np.square(apart) * (1.0 if weight is None else np.asarray(weight)[varies])).sum(axis=-1))
    scores = residual[:, varies] / sd[varies]
    inverse = np.linalg.pinv(scores.T @ scores / max(len(residual) - 2, 1), rcond=_SINGULAR, hermitian=True)
    return np.sqrt(np.maximum(((apart @ inverse) * apart).sum(axis=-1), 0.0))


def assign_controls(cost: np.ndarray, ratio: int = 1, *, partial: bool = False) -> np.ndarray:
    """Which controls shall each case have, so that the total cost is least and no control serves twice?

    Parameters
    ----------
    cost : ndarray, shape (n_case, n_control)
        inf where a control may not serve a case.
    ratio : int
        Controls for each case.
    partial : bool
        Where not every case can have `ratio` controls: False raises; True assigns to as many cases, then as many controls, as
        possible, at the least cost.

    Returns
    -------
    ndarray of intp, shape (n_case, ratio)
        Columns of `cost`, the nearest first; -1 where there is none.

    Raises
    ------
    OptionError
        Not every case can have `ratio` controls, or `cost` has no such form.
    """
    from scipy.optimize import linear_sum_assignment

    cost, ratio = np.asarray(cost, dtype=np.float64), whole_number("ratio", ratio, least=1)
    if cost.ndim != 2 or np.isnan(cost).any() or (cost == -np.inf).any():
        raise OptionError("`cost` must be (cases, controls), of numbers, or inf where a control may not serve a case.")
    (n_case, n_control), wanted = cost.shape, cost.shape[0] * ratio
    finite = np.abs(cost[np.isfinite(cost)])
    unit = finite.max(initial=0.0) or 1.0
    places = np.repeat(cost / unit, ratio, axis=0)  # each case stands `ratio` times among the rows
    try:
        columns = linear_sum_assignment(places)[1] if wanted <= n_control else None
    except ValueError:  # infeasible
        columns = None
    if columns is None:
        # An empty place costs more than all distances together, a case's first empty place twice that: so cases count before
        # controls, and controls before distances.
        empty = np.where(np.arange(wanted) % ratio == 0, 2.0, 1.0)[:, None] * (2.0 * wanted + 1.0)
        columns = linear_sum_assignment(np.concatenate([places, np.broadcast_to(empty, (wanted, wanted))], axis=1))[1]
    chosen = np.minimum(columns, n_control).reshape(n_case, ratio)
    if not partial and (short := int((chosen == n_control).any(axis=1).sum())):
        raise OptionError(f"{short} of {n_case} cases cannot have {ratio} control{'s' * (ratio > 1)} each.")
    away = np.take_along_axis(np.pad(cost, ((0, 0), (0, 1)), constant_values=np.inf), chosen, axis=1)
    chosen = np.take_along_axis(chosen, np.lexsort((chosen, away)), axis=1)
    return np.where(chosen == n_control, -1, chosen)


def covariate_values(column: pd.Series) -> np.ndarray:
    """Return a column as numbers (NaN: missing) or, as object, as labels (empty: missing)."""
    if not isinstance(column.dtype, pd.CategoricalDtype):
        cells = typed(column, ".")
        if cells.dtype.kind in "fiu":
            return np.asarray(cells, dtype=np.float64)
    labels = as_labels(column.astype(object))
    return np.where(np.isin(labels, NOT_GIVEN), "", labels).astype(object)


def many_levels(n_levels: int, n: int) -> bool:
    """Whether a text has so many levels among n subjects that it names subjects rather than classes of them."""
    return n_levels > max(_FEW, n / 2)


def _not_meant(column: pd.Series, values: np.ndarray, *, matched_on: bool) -> Iterator[tuple[str, int | None, str, str]]:
    """Yield what would turn a column of numbers into labels: the problem, its position, what was found, the remedy."""
    if values.dtype.kind == "f" or isinstance(column.dtype, pd.CategoricalDtype):
        return
    filled = np.flatnonzero(values != "").tolist()
    plain = [i for i in filled if _is_number(values[i])]
    comma = [i for i in filled if "," in values[i] and _is_number(values[i].replace(",", "."))]
    n_levels = len({values[i] for i in filled})
    if len(plain) < len(filled) < 2 * (len(plain) + len(comma)):
        for i in sorted(set(filled) - set(plain)):
            if i in comma:
                yield "a number is written with a comma", i, values[i], "Numbers take a point: 61.5."
            else:
                yield "a text stands among numbers", i, values[i], "Correct it, or leave the subject out."
    elif matched_on and many_levels(n_levels, len(filled)):
        found = f"{n_levels} texts among {len(filled)} subjects"
        yield "the texts of a column name subjects rather than classes of them", None, found, "Match on wider classes."


def _is_number(text: str) -> bool:
    try:
        return bool(np.isfinite(float(text)))
    except ValueError:
        return False


class _Bar(NamedTuple):
    """What keeps controls from cases: its name for messages, and (n_case, n_control) who is allowed."""

    name: str
    allowed: np.ndarray


def _columns_of(subjects: Any, group: Any, subject: Any, on: Any, exact: Any) -> tuple[tuple[str, ...], tuple[str, ...]]:
    if not isinstance(subjects, pd.DataFrame):
        raise OptionError(f"`subjects` must be a DataFrame, one row a subject; got {type(subjects).__name__}.")
    on, exact = texts("on", on), texts("exact", exact)
    named = [("group", group), *([("subject", subject)] if subject is not None else [])]
    for role, name in [*named, *(("on", name) for name in on), *(("exact", name) for name in exact)]:
        if (subjects.columns == name).sum() != 1:
            count = "two columns are" if name in subjects.columns else "no column is"
            hint = did_you_mean(name, map(str, subjects.columns))
            raise OptionError(f"`{role}`: {count} named {name!r}; there are {quoted(subjects.columns, limit=30)}.{hint}")
    if not on:
        raise OptionError("`on` must name at least one column.")
    roles = [name for _, name in named]
    for role, names in (("on", on), ("exact", exact)):
        if len(set(names)) < len(names) or set(names) & set(roles):
            raise OptionError(f"`{role}` names a column twice, or the group or subject: {quoted(names)}.")
    for name in MATCH_COLUMNS:
        if name in subjects.columns:
            raise OptionError(f"`subjects` has a column {name!r} already, which match_controls() would add. Drop or rename it.")
    return on, exact


def _check_subjects(
    subjects: pd.DataFrame,
    group: str,
    case: Any,
    control: Any,
    subject: str | None,
    on: tuple[str, ...],
    exact: tuple[str, ...],
    caliper: Any,
) -> tuple[np.ndarray, np.ndarray, dict[str, np.ndarray]]:
    """Ids, who is a case, and each column that is used as numbers or labels; every fault in one error."""
    faults = Faults(StudyError)
    ids = as_labels(subjects.index if subject is None else subjects[subject])
    labels, roles = as_labels(subjects[group]), (as_label(case), as_label(control))
    if roles[0] == roles[1] or "" in roles:
        raise OptionError(f"`case` and `control` must be two labels of the column {group!r}; got {case!r} and {control!r}.")

    def row(position: int) -> dict[str, Any]:
        return {} if subject is None else {"row": subjects.index[position]}  # else the index is the subject

    seen: set[str] = set()
    for position, (own, label) in enumerate(zip(ids, labels, strict=True)):
        where = {**row(position), "subject": own}
        if own in NOT_GIVEN:
            faults.add("the subject is blank", **where, remedy="Fill in the cell or leave the row out.")
        elif own in seen:
            faults.add("a subject has more than one row", **where, remedy="Keep one row for each subject.")
        seen.add(own)
        if label not in roles:
            problem = f"the group of a subject is neither {roles[0]!r} (case) nor {roles[1]!r} (control)"
            faults.add(
                problem, **where, column=group, found=label or "a blank", remedy="Correct it, or leave these subjects out."
            )
    for role, label in zip(("case", "control"), roles, strict=True):
        if label not in set(labels):
            remedy = f"Correct `{role}` or `group`.{did_you_mean(label, set(labels))}"
            faults.add(f"nobody is in group {label!r} (named as {role})", column=group, remedy=remedy)
    bounded = [name for name in caliper if name in subjects.columns] if isinstance(caliper, Mapping) else []
    codes = {name: covariate_values(subjects[name]) for name in dict.fromkeys((*on, *exact, *bounded))}
    for name, values in codes.items():
        unknown = ~np.isfinite(values) if values.dtype.kind == "f" else values == ""
        for position in np.flatnonzero(unknown).tolist():
            where = {**row(position), "subject": ids[position], "column": name}
            faults.add("a covariate is missing or infinite", **where, remedy="Fill it in, or leave the subject out.")
        for problem, at, found, remedy in _not_meant(subjects[name], values, matched_on=name in on):
            where = {} if at is None else {**row(at), "subject": ids[at]}
            remedy = f"{remedy} Where such texts are meant as labels: subjects[{name!r}].astype('category')."
            faults.add(problem, **where, column=name, found=found, remedy=remedy)
    faults.raise_if_any()
    return ids, labels == roles[0], codes


def _design_matrix(columns: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Covariates as numbers (subjects, q), and what each counts: a pair of indicators differs twice where levels differ once."""
    parts: list[np.ndarray] = []
    weight: list[float] = []
    for values in columns:
        number = values.dtype.kind == "f"
        own = [values] if number else [(values == level).astype(np.float64) for level in sorted(set(values.tolist()))]
        parts += own
        weight += [1.0 if number else 0.5] * len(own)
    return np.stack(parts, axis=1), np.array(weight)


def _calipers(caliper: Any, on: tuple[str, ...], codes: dict[str, np.ndarray]) -> dict[str, float]:
    """The widest difference allowed, by column, in its own unit."""
    if caliper is None:
        return {}
    measured = [name for name, x in codes.items() if x.dtype.kind == "f" and not set(x.tolist()) <= {0.0, 1.0}]
    given = dict(caliper) if isinstance(caliper, Mapping) else {name: caliper for name in on if name in measured}
    for name, width in given.items():
        if name not in measured:
            problem = "has no numbers other than 0 and 1; use `exact`" if name in codes else "is no column of `subjects`"
            raise OptionError(f"`caliper`: {name!r} {problem}.{'' if name in codes else did_you_mean(name, codes)}")
        if isinstance(width, bool) or not isinstance(width, Real) or not 0 <= float(width) < np.inf:
            raise OptionError(f"`caliper` must be a number of 0 or more, or one for each column; got {caliper!r}.")
    if not given and not isinstance(caliper, Mapping):
        raise OptionError("`caliper`: no column of `on` has numbers other than 0 and 1; use `exact`.")
    sd = {name: 1.0 if isinstance(caliper, Mapping) else float(np.std(codes[name], ddof=1)) for name in given}
    return {name: float(width) * sd[name] for name, width in given.items()}


def _bars(
    rows: tuple[np.ndarray, np.ndarray],
    exact: tuple[str, ...],
    widths: dict[str, float],
    codes: dict[str, np.ndarray],
) -> list[_Bar]:
    bars = [_Bar(f"agrees on {name!r}", codes[name][rows[0]][:, None] == codes[name][rows[1]]) for name in exact]
    for name, width in widths.items():
        x = codes[name]
        apart = np.abs(x[rows[0]][:, None] - x[rows[1]])
        bars.append(_Bar(f"is within {width:.3g} of its {name!r}", apart <= width + _ROUNDING * np.abs(x).max()))
    return bars


def _reason(i: int, chosen: np.ndarray, cost: np.ndarray, bars: list[_Bar], ratio: int) -> str:
    """Why a case has fewer controls than wanted."""
    got, fit = int((chosen[i] >= 0).sum()), int(np.isfinite(cost[i]).sum())
    count = f"{got} of {ratio} controls: " if ratio > 1 else ""
    if fit >= ratio:
        return f"{count}those that would fit serve other cases"
    if not bars:
        return f"{count}there are no more"
    enough = [bar.name for bar in bars if int(bar.allowed[i].sum()) == fit]  # each of these alone leaves no more
    what = " and ".join(enough or [bar.name for bar in bars])
    return f"{count}{'no control' if fit == 0 else f'only {fit}'} {what}"


def _refuse(reasons: dict[int, str], ids: np.ndarray) -> None:
    faults = Faults(StudyError)
    remedy = "Widen `caliper`, name less in `exact`, lower `ratio`; or pass partial=True, which lists them in match_note."
    for i, reason in reasons.items():
        faults.add("a case cannot have the controls asked for", subject=ids[i], found=reason, remedy=remedy)
    faults.raise_if_any()


def _with_sets(
    subjects: pd.DataFrame,
    ids: np.ndarray,
    rows: tuple[np.ndarray, np.ndarray],
    cost: np.ndarray,
    chosen: np.ndarray,
    reasons: dict[int, str],
) -> pd.DataFrame:
    sets, notes = np.full((2, len(subjects)), "", dtype=object)
    away = np.full(len(subjects), np.nan)
    i, place = np.nonzero(chosen >= 0)
    j = chosen[i, place]
    sets[rows[0][i]] = ids[rows[0][i]]
    sets[rows[1][j]] = ids[rows[0][i]]
    away[rows[1][j]] = cost[i, j]
    for short, reason in reasons.items():
        notes[rows[0][short]] = reason
    left = np.setdiff1d(np.arange(cost.shape[1]), j)
    fits = np.isfinite(cost[:, left]).any(axis=0)
    notes[rows[1][left]] = np.where(fits, "not chosen", "fits no case")
    return subjects.assign(**dict(zip(MATCH_COLUMNS, (sets, away, notes), strict=True)))
