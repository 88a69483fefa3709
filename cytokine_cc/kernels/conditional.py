"""Matched sets: the odds of being a case by a value, by exact conditional likelihood."""

from __future__ import annotations

from math import prod

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test
from .conditional_rows import Answer, Asked, answers
from .conditional_sets import members_of
from .likelihood_ratio import ratio_statistics
from .linear import _blocks
from .sets import Pair

METHODS = ("likelihood ratio", "likelihood ratio, estimate at the edge", "penalised likelihood ratio")


def conditional_logistic(
    x: np.ndarray,
    y: np.ndarray,
    *,
    sets: Pair,
    covariates: Pair | None = None,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    penalty: str | None = None,
) -> Statistics:
    """Are, within matched sets, the odds of being a case higher where the value is higher?

    Null hypothesis: the odds ratio is 1. Estimand: the log odds ratio per unit of the analysis scale, between members of a set
    (who agree in the covariates). Assumes that the value, and each covariate, acts in a straight line on the log odds,
    with one slope in all sets. What a set's members share, named or not, needs no model: it drops out.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values of cases and of controls on the analysis scale; NaN is missing.
    sets : tuple of ndarray of int
        Matched set of each member of `x` and of `y`, shapes (..., n1) and (..., n2); below 0: in none. Sets of any size, with any
        number of cases.
    covariates : tuple of ndarray, optional
        Of `x` and of `y`, shapes (..., q, n1) and (..., q, n2), the same for all analytes, without an intercept.
    alternative : {"two-sided", "greater", "less"}
        Of the odds ratio; one-sided by the signed root of the likelihood ratio.
    conf_level : float or None
        None leaves the interval out.
    penalty : {None, "firth"}
        Firth's penalty, which takes away the first-order bias; see Notes.

    Returns
    -------
    Statistics
        Of shape (..., analytes): the likelihood ratio with 1 degree of freedom (to the model with the covariates only), the
        profile-likelihood interval, the standard error from the observed information. NaN with a note where no set has values
        of both a case and a control (NO_SET); where cases and controls of each set have the same values (NO_VARIATION);
        where the covariates tell cases from controls in all of them (CONFOUNDED), or within sets the value (VALUE_TOLD), if only
        in what they do not separate. A covariate that does not vary within sets is left out, one that others tell likewise, with
        a note (ALIASED).

    Notes
    -----
    Equals ``clogit(case ~ value + covariates + strata(set), method = "exact")`` in R, its likelihood ratio, and its profile. A
    set enters with those of its members that have a value. Equal values need no care: the likelihood is that of being a case.

    **Separation.** Where no case lies below a control of its set (or none above), the likelihood rises without end: the estimate
    is inf or -inf, and so is one end of the interval, with a note (INFINITE). The likelihood ratio and the other end come from
    its supremum, which is less than 0 where cases tie with controls. With covariates a row whose sets come to be told for
    certain is decided by linear programming. Where covariates alone separate, with a note (COVARIATE_SEPARATES), the members
    that they tell say nothing at the supremum, and the estimate is that of all others.

    **Bias.** The estimate lies too far from 0. To first order, with pairs of differences d and the slope b, the bias is
    -S3 / (2 I^2), where I sums d^2 v, S3 sums d^3 v (1 - 2 p), v = p (1 - p) and p = 1 / (1 + exp(-b d)): for small slopes
    and normal differences a share of 3 / sets of the slope; less with more controls. `penalty="firth"` maximises the
    log-likelihood plus half the log determinant of its information instead, which takes this away, and has a finite estimate
    where the plain likelihood separates. Prefer it with few sets, or strong effects. The information is that of value and
    covariates together, also where the slope is held at 0 or at an end of the interval; the standard error is from the
    information of the likelihood alone, at the penalised estimate. Where the penalised likelihood does not fall so far, the
    interval is open.

    References
    ----------
    Breslow NE, Day NE. Statistical Methods in Cancer Research, vol 1. IARC 1980, chapter 7.
    Gail MH, Lubin JH, Rubinstein LV. Biometrika 1981;68:703-707. doi:10.1093/biomet/68.3.703.
    Firth D. Biometrika 1993;80:27-38. doi:10.1093/biomet/80.1.27.
    Heinze G, Puhr R. Stat Med 2010;29:770-777. doi:10.1002/sim.3794 (the penalty, here).
    Sun JX, Sinha S, Wang S, Maiti T. Stat Med 2011;30:348-355. doi:10.1002/sim.4105.

    Examples
    --------
    >>> cases, controls = np.array([5.1, 4.9, 6.2, 3.9]), np.array([4.0, 4.4, 5.3, 3.7, 6.4, 4.3, 4.6, 3.2])
    >>> sets = np.arange(4), np.repeat(np.arange(4), 2)
    >>> s = conditional_logistic(cases, controls, sets=sets)
    >>> round(float(s.estimate), 4), round(float(s.statistic), 4), round(float(s.p_value), 5)
    (1.0216, 1.289, 0.25623)
    """
    shape = x.shape[:-1]
    replicates, analytes = prod(shape[:-1]), prod(shape[-1:])
    values = [part.reshape(replicates, analytes, part.shape[-1]) for part in (x, y)]
    lead = shape[:-1]
    own = [np.broadcast_to(part, (*lead, part.shape[-1])).reshape(replicates, part.shape[-1]) for part in sets]
    columns = [np.broadcast_to(z, (*lead, *z.shape[-2:])).reshape(replicates, *z.shape[-2:]) for z in covariates or ()]
    asked = Asked(alternative, conf_level, penalty is not None)
    found = Answer.blank(np.zeros((replicates, analytes)))
    for rows in _blocks(replicates, analytes, x.shape[-1] + y.shape[-1]):
        a, b = (part[rows] for part in values)
        z = (columns[0][rows[0]], columns[1][rows[0]]) if columns else None
        piece = answers(members_of(a, b, (own[0][rows[0]], own[1][rows[0]]), z), asked)
        found.put(rows, Answer(*(part.reshape(a.shape[:2]) for part in piece)))
    estimate, std_error, low, high, ratio, note = (part.reshape(shape) for part in found)
    note = note.astype(np.int64)
    ends = low, high
    answer = ratio_statistics(estimate, std_error, ends, ratio, ratio, ratio, note, alternative=alternative, calibrated=False)
    kind = np.where((note & int(Note.INFINITE)) != 0, 1, 2 if asked.penalised else 0)
    return answer._replace(method=np.where(answer.method < 0, -1, kind).astype(np.int8))


CONDITIONAL = {
    "conditional_logistic": Test(
        name="conditional_logistic",
        function=conditional_logistic,
        label="conditional logistic regression",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=NUMBER_RULES,
        estimand="odds",
        conf_type="profile likelihood",
        methods=METHODS,
        r_call='clogit(case ~ value + covariates + strata(set), method = "exact")',
        reference="Gail MH, Lubin JH, Rubinstein LV. Biometrika 1981;68:703-707. doi:10.1093/biomet/68.3.703",
        takes=("sets", "covariates"),
        options={"penalty": (None, "firth")},
        option_words={("penalty", "firth"): "with Firth's penalty"},
        sets="both",
    ),
}
