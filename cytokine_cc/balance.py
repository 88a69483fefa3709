"""How well cases and controls agree before treatment."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from .errors import OptionError, did_you_mean, quoted, texts
from .matching import covariate_values, many_levels
from .study import Study

BALANCE_COLUMNS = {
    "covariate": object,
    "level": object,
    **dict.fromkeys(("n_case", "n_control"), np.int64),
    **dict.fromkeys(("mean_case", "mean_control", "sd_case", "sd_control", "std_difference", "variance_ratio"), np.float64),
    **dict.fromkeys(("n_missing_case", "n_missing_control"), np.int64),
    "matched_on": np.bool_,
}
TOO_MANY = "{} different texts: not compared"


def balance_table(study: Study, columns: Iterable[str] | None = None) -> pd.DataFrame:
    """How well do cases and controls agree on covariates before treatment?

    Parameters
    ----------
    study : Study
    columns : list of str, optional
        Sample columns, in the order wanted. None: the columns matched on, then all others but subject, visit, plate, group
        and matched set.

    Returns
    -------
    DataFrame
        One row a number, or a level of a text, over the usable subjects at baseline: covariate, level (empty for numbers; "1"
        for numbers that are all 0 or 1, which are shares); n_case, n_control (subjects with a value); mean_case, mean_control
        (shares, for levels); sd_case, sd_control (NaN for shares); std_difference; variance_ratio (case / control; NaN for
        shares and where both are 0); n_missing_case, n_missing_control; matched_on.

    Raises
    ------
    OptionError
        A column that does not exist, is named twice, or is no covariate (subject, visit, group, matched set).

    Notes
    -----
    std_difference is (mean_case - mean_control) / sqrt((var_case + var_control) / 2), with p (1 - p) for a share p. Groups
    that are constant and equal have 0; constant and different, an infinite one; a number with fewer than two values in a
    group, NaN. It equals MatchIt's ``summary(matchit(group ~ x, method = NULL, estimand = "ATE"))``, cobalt's
    ``bal.tab(group ~ x, s.d.denom = "pooled", binary = "std")`` and, but for the sign, tableone's `ExtractSmd`, where 0/1
    numbers are named in `factorVars`; a text of three or more levels has one figure over all of them there. Of matched
    controls both MatchIt and cobalt divide by the SD of the cases unless told otherwise.

    There are no p-values. Balance is a property of these subjects, not of a population, and a test of it grows quiet
    as subjects are discarded [3]_. Absolute differences above .1 [1]_ or .25, or variance ratios beyond 1/2 and 2 [2]_, are
    commonly looked at twice; between 30 and 22 subjects chance alone gives more than .25 in a third of all cases.

    A covariate is taken as it was at baseline, also where it varies between visits; over a baseline of several visits,
    a number is averaged and a text is the first known. Numbers that are codes of classes should be made text. A text with more
    than ten levels and fewer than two subjects a level on average (ids, dates) is one row that says so, unless it is named in
    `columns`. With matched sets, this table compares the groups as wholes: what the sets achieve is within them, and
    groups of unequal sets are not weighted.

    References
    ----------
    .. [1] Austin, Stat Med 2009;28:3083, doi 10.1002/sim.3697.
    .. [2] Rubin, Health Serv Outcomes Res Methodol 2001;2:169, doi 10.1023/A:1020363010465.
    .. [3] Imai, King and Stuart, J R Stat Soc A 2008;171:481, doi 10.1111/j.1467-985X.2007.00527.x.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> table = cc.balance_table(cc.load_study("quickstart"))
    >>> table[["covariate", "level", "n_case", "matched_on"]].values.tolist()
    [['Prior chemotherapy', 'no', 30, True], ['Prior chemotherapy', 'yes', 30, True], ['Age', '', 30, False]]
    """
    if not isinstance(study, Study):
        raise OptionError(f"`study` must be a Study; got {type(study).__name__}.")
    case = (study.subjects["role"] == "case").to_numpy(dtype=bool)
    names = _default_columns(study) if columns is None else _named_columns(study, columns)
    rows = []
    for name in names:
        for level, x, share in _parts(_at_baseline(study, name), spell_out=columns is not None):
            matched_on = name in study.design.matched_on
            rows.append({"covariate": name, "level": level, **_compare(x, case, share), "matched_on": matched_on})
    return pd.DataFrame(rows, columns=list(BALANCE_COLUMNS)).astype(BALANCE_COLUMNS)


def _default_columns(study: Study) -> list[str]:
    own = {"subject", "visit", "plate", study.design.group, study.design.matched_set}
    first = list(dict.fromkeys(study.design.matched_on))
    return first + [name for name in study.panel.samples.columns if name not in own and name not in first]


def _named_columns(study: Study, columns: Any) -> list[str]:
    names, known = texts("columns", columns), study.panel.samples.columns
    for name in names:
        if name not in known:
            more = " It varies within a sample, so it was not taken." if name in study.panel.varies else ""
            hint = did_you_mean(name, map(str, known))
            raise OptionError(f"`columns`: no sample column {name!r}; there are {quoted(known, limit=30)}.{more}{hint}")
        if name in ("subject", "visit", study.design.group, study.design.matched_set):
            raise OptionError(f"`columns`: {name!r} has a role in the design and is no covariate.")
    if len(set(names)) < len(names):
        raise OptionError(f"`columns` names a column twice: {quoted(names)}.")
    return list(names)


def _at_baseline(study: Study, name: str) -> np.ndarray:
    column = study.panel.samples[name]
    values = covariate_values(column.astype("category") if name == "plate" else column)  # plates are labels, also "1" and "2"
    number = values.dtype.kind == "f"
    at = study.sample_at[: len(study.baseline_visits)]
    cells = np.where(at >= 0, values[at], np.nan if number else "")
    if len(cells) == 1:
        return cells[0]
    known = ~np.isnan(cells) if number else cells != ""
    if number:
        with np.errstate(invalid="ignore"):
            return np.where(known, cells, 0.0).sum(axis=0) / known.sum(axis=0)
    return cells[known.argmax(axis=0), np.arange(cells.shape[1])]


def _parts(values: np.ndarray, *, spell_out: bool) -> list[tuple[str, np.ndarray, bool]]:
    """The rows that a covariate makes: its level, numbers with NaN where missing, and whether their mean is a share."""
    if values.dtype.kind == "f":
        share = set(values[~np.isnan(values)].tolist()) == {0.0, 1.0}
        return [("1" if share else "", values, share)]
    known = values != ""
    levels = sorted(set(values[known].tolist()))
    if not levels:
        return [("", np.full(len(values), np.nan), False)]
    if not spell_out and many_levels(len(levels), int(known.sum())):
        return [(TOO_MANY.format(len(levels)), np.where(known, np.inf, np.nan), False)]
    return [(level, np.where(known, values == level, np.nan).astype(np.float64), True) for level in levels]


def _compare(x: np.ndarray, case: np.ndarray, share: bool) -> dict[str, Any]:
    missing = np.isnan(x)
    groups = [x[own & ~missing] for own in (case, ~case)]
    (mean_case, var_case), (mean_control, var_control) = (_moments(own, share) for own in groups)
    with np.errstate(invalid="ignore", divide="ignore"):
        difference, spread = mean_case - mean_control, np.sqrt((var_case + var_control) / 2)
        std = spread * 0.0 if difference == 0 else difference / spread
        sd_case, sd_control, ratio = np.sqrt(var_case), np.sqrt(var_control), var_case / var_control
    return {
        "n_case": len(groups[0]),
        "n_control": len(groups[1]),
        "mean_case": mean_case,
        "mean_control": mean_control,
        "sd_case": np.nan if share else sd_case,
        "sd_control": np.nan if share else sd_control,
        "std_difference": std,
        "variance_ratio": np.nan if share else ratio,
        "n_missing_case": int((missing & case).sum()),
        "n_missing_control": int((missing & ~case).sum()),
    }


def _moments(x: np.ndarray, share: bool) -> tuple[np.float64, np.float64]:
    """Mean and variance; exact where all values are one, so that rounding cannot pass for spread."""
    nan = np.float64(np.nan)
    if not len(x) or not np.isfinite(x).all():
        return nan, nan
    mean = x[0] if (x == x[0]).all() else x.mean()
    if share:
        return mean, mean * (1 - mean)
    return mean, np.square(x - mean).sum() / (len(x) - 1) if len(x) > 1 else nan
