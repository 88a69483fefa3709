"""Where is each row's conditional likelihood largest, plain or with Firth's penalty? All rows together, each by its own steps.

Firth's penalty is half the logarithm of the determinant of the information of all columns, also where the last one is held.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .censored_normal import NO_INFORMATION, dot, factor, solve
from .conditional_likelihood import Groups, derivatives

MOST_STEPS = 100
TINY, TINY_HELD, STALLED = (
    1e-19,
    1e-12,
    1e-10,
)  # of twice the log-likelihood that a step can still gain; held: no error is asked for
SLACK = 1e-9
DAMPED = 1e-4  # of a sound information, added where the gradient is far from 0
COMPRESS = 0.75  # rows that are done are left behind when no more than this share is going


class Fit(NamedTuple):
    """Maxima.

    Attributes
    ----------
    theta : ndarray, shape (p, rows)
    loglik : ndarray, shape (rows,)
        With the penalty, if there is one.
    slope : ndarray, shape (rows,)
        Its derivative in the last coefficient.
    information : ndarray, shape (p, p, rows)
        Of the likelihood alone.
    found : ndarray of bool, shape (rows,)
    first : ndarray, shape (rows,)
        Log-likelihood at the start.
    """

    theta: np.ndarray
    loglik: np.ndarray
    slope: np.ndarray
    information: np.ndarray
    found: np.ndarray
    first: np.ndarray

    def of(self, rows: np.ndarray) -> Fit:
        """Return those of some rows."""
        return Fit(*(part[..., rows] for part in self))

    @property
    def std_error(self) -> np.ndarray:
        """Return the standard error of the last coefficient from the information; inf where there is none."""
        last = np.zeros_like(self.theta)
        last[-1] = 1.0
        some = factor(self.information, NO_INFORMATION)[0][-1] > 0
        with np.errstate(invalid="ignore"):
            return np.where(some, np.sqrt(solve(self.information, last)[-1]), np.inf)


class Model(NamedTuple):
    """Likelihoods of rows: sets, whether a column enters (p, rows), and whether there is a penalty."""

    groups: Groups
    active: np.ndarray
    penalised: bool

    def of(self, rows: np.ndarray) -> Model:
        """Return that of some rows."""
        if len(rows) == self.active.shape[1]:  # rows do not repeat, and are in order
            return self
        return Model([group.of(rows) for group in self.groups], self.active[:, rows], self.penalised)

    def at(self, theta: np.ndarray, order: int = 2) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return log-likelihood and gradient, with the penalty if there is one, and the information of the likelihood."""
        loglik, gradient, information, third = derivatives(self.groups, theta, 3 if self.penalised else order)
        if third is None:
            return loglik, gradient, information
        p = len(theta)
        inverse, lower = factor(information, NO_INFORMATION)
        with np.errstate(divide="ignore"):
            logs = np.where(self.active, -np.log(inverse), 0.0)
        logs = np.where(np.isinf(logs), -np.inf, logs)  # a column without information
        covariance = _inverse(inverse, lower)
        for c in range(p):
            for a in range(p):
                gradient[c] += dot(covariance[a], third[c, a]) / 2
        return loglik + dot(logs, np.ones((p, 1))), gradient, information


def _inverse(inverse: np.ndarray, lower: np.ndarray) -> np.ndarray:
    """Return the inverse of matrices by their Cholesky factors; 0 where a column is told."""
    p = len(inverse)
    out = np.zeros_like(lower)
    for k in range(p):
        x = np.zeros_like(inverse)
        x[k] = 1.0
        for i in range(p):
            x[i] *= inverse[i]
            x[i + 1 :] -= lower[i + 1 :, i] * x[i]
        for i in reversed(range(p)):
            x[i] *= inverse[i]
            x[:i] -= lower[i, :i] * x[i]
        out[:, k] = x
    return out


def maximise(model: Model, start: np.ndarray, *, held: bool = False, sound: np.ndarray | None = None) -> Fit:
    """Find each row's maximum by Newton's method with halved steps; a row that is done stands still.

    With a penalty the information is the first guess of the curvature, which the gradients then correct (Broyden, Fletcher,
    Goldfarb, Shanno).

    Parameters
    ----------
    model : Model
    start : ndarray, shape (p, rows)
    held : bool
        The last coefficient stays at its start.
    sound : ndarray, shape (p, p, rows), optional
        Information at a place where it is that of the data; of the start, unless given. Where subsets are told for certain the
        information is 0, even if they are the wrong ones: a share of this is added there, so that no start leads astray.
    """
    p, rows = start.shape
    free = p - 1 if held else p
    if not free:
        loglik, gradient, information = model.at(start, 1)
        return Fit(start, loglik, gradient[-1], information, ~np.isnan(loglik), loglik)
    loglik, slope, first = np.full((3, rows), np.nan)
    fit = Fit(start.copy(), loglik, slope, np.zeros((p, p, rows)), np.zeros(rows, dtype=bool), first)
    tiny = TINY_HELD if held else TINY
    going, here, done = np.arange(rows), start, np.zeros(rows, dtype=bool)
    best, step, bend, steep = start, np.zeros((free, rows)), np.zeros((free, free, rows)), np.zeros((free, rows))
    reached, gain = np.full(rows, -np.inf), np.full(rows, np.inf)
    metric = None if sound is None else sound[:free, :free]
    for count in range(MOST_STEPS):
        loglik, gradient, information = model.at(here)
        if count == 0:
            fit.first[:] = loglik
        uphill = loglik >= reached - SLACK
        now = information[:free, :free]
        metric = now if metric is None else metric
        if model.penalised and count:
            bend = np.where(uphill, _corrected(bend, step, steep - gradient[:free]), bend)
        else:
            far = dot(gradient[:free], solve(metric, gradient[:free]))
            bend = now + DAMPED * far / (1 + far) * metric
        steep = np.where(uphill, gradient[:free], steep)
        move = solve(bend, gradient[:free])
        before, gain = gain, np.where(uphill, dot(gradient[:free], move), gain)
        last = ~done & uphill & ((gain < tiny) | ((gain < STALLED) & (gain > before / 2)))
        if last.any():
            at = going[last]
            fit.theta[:, at] = here[:, last]
            fit.theta[:free, at] += move[:, last]
            fit.loglik[at] = (loglik + gain / 2)[last]
            fit.information[..., at] = information[..., last]
            fit.slope[at] = (gradient[-1] - dot(information[-1, :free], move))[last]
            fit.found[at] = True
            done = done | last
        if done.all():
            break
        best = np.where(uphill, here, best)
        step = np.where(uphill, move, step / 2)
        reached = np.where(uphill, loglik, reached)
        if (~done).sum() <= COMPRESS * len(done):
            keep = np.flatnonzero(~done)
            model, going, done, reached, gain = model.of(keep), going[keep], done[keep], reached[keep], gain[keep]
            best, step, bend, steep = best[:, keep], step[:, keep], bend[..., keep], steep[:, keep]
            metric = metric[..., keep]
        here = best.copy()
        here[:free] += step
    return fit


def _corrected(bend: np.ndarray, step: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the curvature that a step's change of the gradient tells; as it was where that bends the wrong way."""
    along = np.stack([dot(line, step) for line in bend])
    old, new = dot(step, along), dot(step, change)
    good = new > 1e-8 * old
    with np.errstate(divide="ignore", invalid="ignore"):
        better = bend - along[:, None] * (along / old) + change[:, None] * (change / new)
    return np.where(good, better, bend)
