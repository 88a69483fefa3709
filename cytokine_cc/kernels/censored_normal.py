"""Maximum likelihood of a normal law some of whose values are known by a bound only, for all rows at once.

Olsen's parameters make the log-likelihood concave. With gamma the coefficients over sigma, and h = 1 / sigma, a measured value
adds log h - (h y - q'gamma)^2 / 2, one below L adds log Phi(h L - q'gamma), one above U adds log Phi(q'gamma - h U). Measured
values enter by their cross-products, once; values beyond a limit at each step of Newton's method, those that are alike together.
In the arrays here rows come last.

Olsen RJ. Econometrica 1978;46:1211-1215. doi:10.2307/1911445.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import erfcx

from ..arrays import Note
from .common import by_rows

MOST_STEPS = 100
TINY, STALLED = 1e-20, 1e-10  # of twice the log-likelihood that a step can still gain
STEEPEST = 1e8  # residual SDs: a maximum beyond is a fit without error
SLACK, EXACT = 1e-9, 1e-12
NO_INFORMATION = 1e-13  # so small a share of its diagonal element means that other columns tell this one
BLOCK_VALUES = 1 << 16  # worked on at a time; bounds the memory and changes nothing


class Likelihood(NamedTuple):
    """What the log-likelihood of each row depends on; parameters are theta = (gamma, h).

    Attributes
    ----------
    n : ndarray, shape (rows,)
        Measured values.
    gram : ndarray, shape (p + 1, p + 1, rows)
        Cross-products of (-q, y) over them.
    terms : ndarray, shape (p + 1, k, rows)
        (-q, limit) of values below their limits, (q, -limit) of those above: Phi's argument is its product with theta.
    weight : ndarray, shape (k, rows)
        How many values are alike; 0 fills up.
    """

    n: np.ndarray
    gram: np.ndarray
    terms: np.ndarray
    weight: np.ndarray

    def of(self, rows: np.ndarray) -> Likelihood:
        """Return that of some rows."""
        return Likelihood(*(np.take(part, rows, axis=-1) for part in self))

    def held(self, c: np.ndarray) -> Likelihood:
        """Return that of y - c q, without the last column q: the coefficient of q is held at c."""
        terms, gram = self.terms, self.gram
        moved = gram[-1] + c * gram[-2]
        corner = moved[-1] + c * moved[-2]
        gram = np.concatenate([gram[:-2], moved[None]])
        gram = np.concatenate([gram[:, :-2], np.concatenate([moved[:-2], corner[None]])[:, None]], axis=1)
        return Likelihood(self.n, gram, np.concatenate([terms[:-2], (terms[-1] + c * terms[-2])[None]]), self.weight)


class Fit(NamedTuple):
    """Maxima: theta (p + 1, rows), log-likelihood (rows,), observed information (p + 1, p + 1, rows), and whether found."""

    theta: np.ndarray
    loglik: np.ndarray
    information: np.ndarray
    found: np.ndarray


def likelihood(q: np.ndarray, y: np.ndarray, measured: np.ndarray, sign: np.ndarray) -> Likelihood:
    """Gather measured values into cross-products, and values beyond limits into terms.

    Parameters
    ----------
    q : ndarray, shape (p, rows, n)
        Design columns.
    y : ndarray, shape (rows, n)
        Values, or limits.
    measured : ndarray of bool, shape (rows, n)
    sign : ndarray, shape (rows, n)
        1 below the limit, -1 above, 0 for all others.

    Returns
    -------
    Likelihood
        Of each row, to the last bit, what it is without the others.
    """
    parts = [*(-column for column in q), y]
    terms, weight = _alike([part * sign for part in parts], sign != 0)
    return Likelihood(measured.sum(axis=-1).astype(np.float64), cross_products(parts, measured), terms, weight)


def cross_products(parts: Sequence[np.ndarray], measured: np.ndarray) -> np.ndarray:
    """Return the sums of products of columns over measured values, (p, p, rows)."""
    inside = [np.where(measured, part, 0.0) for part in parts]
    gram = np.empty((len(parts), len(parts), len(measured)))
    for i, a in enumerate(inside):
        for j in range(i + 1):
            gram[i, j] = gram[j, i] = row_sums(a * inside[j])
    return gram


def _alike(parts: list[np.ndarray], there: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Put terms that are alike together, by sorting a number made of all their parts; columns first, then terms, then rows."""
    rows, most = len(there), int(there.sum(axis=-1).max(initial=0))
    key = sum(part * np.sqrt(2.0 + 3.0 * i) for i, part in enumerate(parts))
    order = np.argsort(np.where(there, key, np.inf), axis=-1)[:, :most]
    parts = [np.take_along_axis(part, order, axis=-1) for part in parts]
    new = np.take_along_axis(there, order, axis=-1)
    real = new.copy()
    if most > 1:
        new[:, 1:] &= np.any([part[:, 1:] != part[:, :-1] for part in parts], axis=0)
    slot = np.cumsum(new, axis=-1) - 1
    k = int(slot.max(initial=-1)) + 1
    row, at = np.nonzero(real)
    weight = np.bincount(slot[row, at] * rows + row, minlength=k * rows).reshape(k, rows).astype(np.float64)
    terms = np.zeros((len(parts), k, rows))
    row, at = np.nonzero(new)
    for i, part in enumerate(parts):
        terms[i, slot[row, at], row] = part[row, at]
    return terms, weight


def maximise(model: Likelihood, start: np.ndarray) -> Fit:
    """Find each row's maximum by Newton's method with halved steps; a row that is done stands still.

    Parameters
    ----------
    model : Likelihood
    start : ndarray, shape (p + 1, rows)
        Its last line above 0.

    Returns
    -------
    Fit
        Without a maximum: not found. A column that no value can tell keeps its start.
    """
    fit = Fit(start.copy(), np.full(start.shape[1], np.nan), np.zeros_like(model.gram), np.zeros(start.shape[1], dtype=bool))
    going = np.arange(start.shape[1])
    best = here = start
    reached, gain, step = np.full(len(going), -np.inf), np.full(len(going), np.inf), np.zeros_like(start)
    for _ in range(MOST_STEPS):
        if not going.size:
            break
        loglik, gradient, information = derivatives(model, here)
        uphill = loglik >= reached - SLACK
        move = solve(information, gradient)
        before, gain = gain, dot(gradient, move)
        done = uphill & ((gain < TINY) | ((gain < STALLED) & (gain > before / 2)))
        lost = ~done & ((here[-1] > STEEPEST) | np.isnan(loglik))
        where = going[done]
        fit.theta[:, where], fit.loglik[where] = (here + move)[:, done], (loglik + gain / 2)[done]
        fit.information[..., where], fit.found[where] = information[..., done], True
        keep = np.flatnonzero(~(done | lost))
        with np.errstate(divide="ignore", invalid="ignore"):
            size = np.where(move[-1] < 0, np.minimum(1.0, -0.8 * here[-1] / move[-1]), 1.0)
        step = np.where(uphill, size * move, step / 2)[:, keep]
        best = np.where(uphill, here, best)[:, keep]
        here = best + step
        reached, gain = np.where(uphill, loglik, reached)[keep], np.where(uphill, gain, before)[keep]
        going, model = going[keep], model if len(keep) == len(going) else model.of(keep)
    return fit


def derivatives(model: Likelihood, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log-likelihood (without its constant), gradient and observed information."""
    n, gram, terms, weight = model
    h, p = theta[-1], len(theta)
    u = dot(terms, theta[:, None])
    log_cdf, mills = log_cdf_and_mills(u)
    pull = weight * mills
    bend = pull * (u + mills)
    product = np.stack([dot(line, theta) for line in gram])
    loglik = n * np.log(h) - dot(theta, product) / 2 + total(weight * log_cdf)
    gradient = np.stack([total(pull * term) for term in terms]) - product
    gradient[-1] += n / h
    information = np.empty_like(gram)
    for i in range(p):
        bent = bend * terms[i]
        for j in range(i + 1):
            information[i, j] = information[j, i] = gram[i, j] + total(bent * terms[j])
    information[-1, -1] += n / (h * h)
    return loglik, gradient, information


def slope(model: Likelihood, theta: np.ndarray, k: int) -> np.ndarray:
    """Return the log-likelihood's derivative in one coefficient."""
    mills = log_cdf_and_mills(dot(model.terms, theta[:, None]))[1]
    return total(model.weight * mills * model.terms[k]) - dot(model.gram[k], theta)


def log_cdf_and_mills(u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return log Phi(u), to 1e-13, and phi(u) / Phi(u), to the last digits however far below."""
    with np.errstate(over="ignore", invalid="ignore"):
        scaled = erfcx(u * -np.sqrt(0.5))
        return np.where(u < 30, np.log(scaled / 2) - u * u / 2, 0.0), np.sqrt(2 / np.pi) / scaled


def total(a: np.ndarray) -> np.ndarray:
    """Sum over the first of two axes, term by term whatever the layout; numpy would sum a single row in another order."""
    a = np.ascontiguousarray(a)
    return a.sum(axis=0) if a.shape[1] > 1 or len(a) == 0 else np.cumsum(a, axis=0)[-1]


def row_sums(a: np.ndarray) -> np.ndarray:
    """Sum over the last axis in the same order whatever the layout, which is any after taking some of the rows."""
    return by_rows(a).sum(axis=-1)


def dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Sum products over the first axis, term by term."""
    out = a[0] * b[0]
    for i in range(1, len(a)):
        out = out + a[i] * b[i]
    return out


def solve(matrix: np.ndarray, right: np.ndarray, tolerance: float = NO_INFORMATION) -> np.ndarray:
    """Solve positive definite systems, one a row, by Cholesky's method; a column that the earlier ones tell gets 0.

    Parameters
    ----------
    matrix : ndarray, shape (p, p, rows)
    right : ndarray, shape (p, rows)
    tolerance : float
        A column is told if less than this share is left of its diagonal element.

    Returns
    -------
    ndarray, shape (p, rows)
    """
    p, x = len(right), right.copy()
    inverse, lower = factor(matrix, tolerance)
    for k in range(p):
        x[k] *= inverse[k]
        x[k + 1 :] -= lower[k + 1 :, k] * x[k]
    for k in reversed(range(p)):
        x[k] *= inverse[k]
        x[:k] -= lower[k, :k] * x[k]
    return x


def factor(matrix: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Return the inverse diagonal of Cholesky's factor (0 where a column is told by the earlier ones) and the factor."""
    p = len(matrix)
    left, inverse = matrix.copy(), np.zeros(matrix.shape[1:])
    for k in range(p):
        with np.errstate(divide="ignore", invalid="ignore"):
            inverse[k] = np.where(left[k, k] > tolerance * matrix[k, k], 1 / np.sqrt(left[k, k]), 0.0)
        left[k:, k] *= inverse[k]
        for j in range(k + 1, p):
            left[j:, j] -= left[j:, k] * left[j, k]
    return inverse, left


class Standard(NamedTuple):
    """Values as residuals of least squares among the measured: y = coefficients * q + scale * residual; scale 1 where flat."""

    residual: np.ndarray
    coefficients: np.ndarray
    scale: np.ndarray
    gram: np.ndarray
    flat: np.ndarray

    def of(self, rows: np.ndarray) -> Standard:
        """Return some of the rows."""
        residual, b, scale, gram, flat = self
        return Standard(residual[rows], b[:, rows], scale[rows], gram[..., rows], flat[rows])


def standardise(q: np.ndarray, y: np.ndarray, measured: np.ndarray, there: np.ndarray) -> Standard:
    """Put each row on a scale on which its maximum is near 0 and 1, whatever its unit.

    The scale is the SD (by n) of measured values about their fit. Where that is rounding error it is the spread of numbers and
    limits about the fit; without any spread the row is flat.
    """
    gram = cross_products(list(q), measured)
    residual, coefficients = np.where(there, y, 0.0), np.zeros((len(q), len(y)))
    size = np.abs(residual).max(axis=-1, initial=0.0)
    for _ in range(2):  # the second time for what rounding left
        inside = np.where(measured, residual, 0.0)
        more = solve(gram, np.stack([row_sums(column * inside) for column in q]))
        coefficients = coefficients + more
        for column, b in zip(q, more, strict=True):
            residual = residual - b[:, None] * column
    square = residual * residual
    with np.errstate(invalid="ignore", divide="ignore"):
        inner = np.sqrt(row_sums(np.where(measured, square, 0.0)) / measured.sum(axis=-1))
        outer = np.sqrt(row_sums(np.where(there, square, 0.0)) / there.sum(axis=-1))
        rounding = 10 * np.finfo(float).eps * size
        scale = np.where(inner > rounding, inner, outer)
        flat = ~(scale > rounding)
    scale = np.where(flat, 1.0, scale)
    return Standard(np.where(there, residual, 0.0) / scale[:, None], coefficients, scale, gram, flat)


def least_squares_start(model: Likelihood) -> np.ndarray:
    """Return the parameters that the measured values alone would have; h = 1, that of the scale, where they fit exactly."""
    n, gram = model.n, model.gram
    b = solve(gram[:-1, :-1], -gram[:-1, -1])
    square = (gram[-1, -1] + dot(b, gram[:-1, -1])) / np.maximum(n, 1.0)
    h = 1 / np.sqrt(np.where(square > EXACT * np.maximum(gram[-1, -1], 1.0), square, 1.0))
    return np.concatenate([b * h, h[None]])


class NormalFit(NamedTuple):
    """A normal law of each row: mean, sd (maximum likelihood: by n), log-likelihood, measured values, why there is none.

    Attributes
    ----------
    mean, sd, loglik : ndarray
        NaN where there is no fit.
    n_measured : ndarray
    note : ndarray of int
        `Note` flags where there is no fit, else 0.
    """

    mean: np.ndarray
    sd: np.ndarray
    loglik: np.ndarray
    n_measured: np.ndarray
    note: np.ndarray


def fit_normal(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> NormalFit:
    """Which normal law makes the values most likely, where some are known by a bound only?

    Parameters
    ----------
    point, low, high : ndarray, shape (..., n)
        Measured: all the same. Below a limit: low -inf, high the limit. Above: low the limit, high inf. `point` is the number or
        the limit; NaN is missing.

    Returns
    -------
    NormalFit
        Of shape (...). NaN with a note: fewer than 2 measured values (TOO_FEW_MEASURED), all numbers and limits equal
        (CONSTANT), no maximum, such as equal values above all limits (NOT_CONVERGED).

    Notes
    -----
    Equals ``survreg(Surv(low, high, type = "interval2") ~ 1, dist = "gaussian")`` in R. Nothing censored: mean, and SD by n.

    References
    ----------
    Olsen RJ. Econometrica 1978;46:1211-1215. doi:10.2307/1911445.

    Examples
    --------
    >>> point = np.array([1.0, 1.0, 1.4, 2.0, 2.2, 3.1])
    >>> low = np.array([-np.inf, -np.inf, 1.4, 2.0, 2.2, 3.1])
    >>> fit = fit_normal(point, low, point)
    >>> round(float(fit.mean), 4), round(float(fit.sd), 4), float(fit.n_measured)
    (1.564, 1.044, 4.0)
    """
    point, low, high = np.broadcast_arrays(point, low, high)
    shape = point.shape[:-1]
    flat = [np.asarray(part, dtype=np.float64).reshape(-1, point.shape[-1]) for part in (point, low, high)]
    size = max(1, BLOCK_VALUES // max(1, point.shape[-1]))
    blocks = [_fit_normal(*(part[at : at + size] for part in flat)) for at in range(0, len(flat[0]) or 1, size)]
    return NormalFit(*(np.concatenate(parts).reshape(shape) for parts in zip(*blocks, strict=True)))


def censored_moments(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean and SD of `fit_normal` (SD by n), and how many values were measured, over the last axis.

    Examples
    --------
    >>> mean, sd, n = censored_moments(*[np.array([1.0, 2.0, 3.0])] * 3)
    >>> float(mean), round(float(sd), 4), float(n)
    (2.0, 0.8165, 3.0)
    """
    fit = fit_normal(point, low, high)
    return fit.mean, fit.sd, fit.n_measured


def signs(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Return 1 where a value is known to lie below `point`, -1 above, 0 where it is that number or missing."""
    there = ~np.isnan(point)
    return (np.isneginf(low) & there).astype(np.float64) - (np.isposinf(high) & there)


def _fit_normal(point: np.ndarray, low: np.ndarray, high: np.ndarray) -> NormalFit:
    there, sign = ~np.isnan(point), signs(point, low, high)
    measured = there & (sign == 0)
    n = measured.sum(axis=-1).astype(np.float64)
    q = np.ones((1, *point.shape))
    standard = standardise(q, by_rows(point), measured, there)
    note = np.where(n < 2, int(Note.TOO_FEW_MEASURED), np.where(standard.flat, int(Note.CONSTANT), 0))
    rows = np.flatnonzero(note == 0)
    model = likelihood(q[:, rows], standard.residual[rows], measured[rows], sign[rows])
    fit = maximise(model, least_squares_start(model))
    note[rows] = np.where(fit.found, 0, int(Note.NOT_CONVERGED))
    mean, sd, loglik = np.full((3, len(n)), np.nan)
    gamma, h = np.where(fit.found, fit.theta, np.nan)
    scale = standard.scale[rows]
    mean[rows], sd[rows] = standard.coefficients[0, rows] + scale * gamma / h, scale / h
    loglik[rows] = np.where(fit.found, fit.loglik, np.nan) - n[rows] * (np.log(scale) + np.log(2 * np.pi) / 2)
    return NormalFit(mean, sd, loglik, n, note)
