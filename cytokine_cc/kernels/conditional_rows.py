"""What does each row's conditional likelihood say: its maximum or supremum, the ratio to none, the ends of the profile."""

from __future__ import annotations

from math import comb
from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .censored_normal import solve
from .conditional_fit import Fit, Model, maximise
from .conditional_likelihood import MOST_SUBSETS, derivatives, groups_of
from .conditional_separation import separation_of, supremum
from .conditional_sets import Design, Extent, Members, Shape, design_of, extent_of
from .likelihood_ratio import fall_of, tail_of
from .profiles import profile_interval

PIECE_VALUES = 131_072  # worked on at a time: what fits a cache
FAR = 20.0  # so certain of its cases is a set where the likelihood rises without end, before steps gain nothing more


class Asked(NamedTuple):
    """What is asked of all rows."""

    alternative: str
    conf_level: float | None
    penalised: bool


class Answer(NamedTuple):
    """What is found of each row: `ratio` NaN where there is no answer, `note` why."""

    estimate: np.ndarray
    std_error: np.ndarray
    low: np.ndarray
    high: np.ndarray
    ratio: np.ndarray
    note: np.ndarray

    @classmethod
    def blank(cls, note: np.ndarray) -> Answer:
        """Return notes without an answer."""
        return cls._make([*np.full((5, *note.shape), np.nan), note.astype(np.float64)])

    def put(self, rows, piece: Answer) -> None:
        """Write the answers of some rows."""
        for whole, part in zip(self, piece, strict=True):
            whole[rows] = part


def answers(members: Members, asked: Asked) -> Answer:
    """Answer for all rows, piece by piece, since subsets take more room than members."""
    rows = members.value.shape[-1]
    size = max(1, PIECE_VALUES // max(1, sum(map(_room, members.shapes)) * (1 + len(members.columns))))
    found = Answer.blank(np.zeros(rows))
    for at in range(0, rows, size):
        piece = slice(at, at + size)
        found.put(piece, _piece(members.of(piece), asked))
    return found


def _room(shape: Shape) -> int:
    """Return how many numbers the sets of a shape take."""
    subsets = comb(shape.cases + shape.controls, shape.cases)
    each = subsets if subsets <= MOST_SUBSETS else 3 * (shape.cases + shape.controls)  # sums by size, not subsets
    return (shape.stop - shape.start) * each


def _piece(members: Members, asked: Asked) -> Answer:
    """Answer for rows that fit the cache."""
    extent = extent_of(members)
    design = design_of(members, extent)
    found = Answer.blank(design.note)
    alone = not len(members.columns) and not asked.penalised
    separated = extent.separated if alone else np.zeros(len(design.note), dtype=np.int64)
    inner, outer = (np.flatnonzero(~design.blocked & part) for part in (separated == 0, separated != 0))
    if inner.size:
        found.put(inner, _inside(members.of(inner), extent.of(inner), design.of(inner), asked))
    if outer.size:
        own = design.of(outer)
        model = _model(own, members.shapes, asked)
        top = _at_infinity(separated[outer], supremum(members.of(outer), extent.of(outer)))
        fits = top, maximise(model, np.zeros((1, outer.size)), held=True)
        found.put(outer, _answer(model, fits, own, own.note | int(Note.INFINITE), asked))
    return found


def _model(design: Design, shapes: tuple[Shape, ...], asked: Asked) -> Model:
    return Model(groups_of(design, shapes), np.asarray(design.columns.any(axis=(1, 2))), asked.penalised)


def _at_infinity(sign: np.ndarray, loglik: np.ndarray) -> Fit:
    """Return what is like a fit: the value's coefficient at infinity, the likelihood at its supremum."""
    nan = np.full(len(sign), np.nan)
    theta = np.copysign(np.inf, sign)[None]
    return Fit(theta, loglik, nan, nan[None, None], np.ones(len(sign), dtype=bool), nan)


def _fits(model: Model, design: Design, shapes: tuple[Shape, ...]) -> tuple[Fit, Fit]:
    """Maximise with the value's coefficient free, and held at 0."""
    p, rows = model.active.shape
    start = np.zeros((p, rows))
    if p == 1:
        top = maximise(model, start)
        return top, top._replace(theta=start, loglik=top.first)
    null = maximise(model, start, held=True) if model.penalised else _by_covariates(design, shapes)
    return maximise(model, null.theta), null


def _by_covariates(design: Design, shapes: tuple[Shape, ...]) -> Fit:
    """Maximise without the value, once for neighbours with the same members; Firth's penalty would know the value."""
    own = np.concatenate([design.columns[:-1], design.there[None]])
    new = np.concatenate([[True], (own[..., 1:] != own[..., :-1]).any(axis=(0, 1, 2))])
    first, which = np.flatnonzero(new), np.cumsum(new) - 1
    columns = design.columns[:-1, ..., first]
    model = Model(
        groups_of(Design(columns, design.there[..., first], design.unit[first], design.note[first]), shapes),
        np.asarray(columns.any(axis=(1, 2))),
        penalised=False,
    )
    fit = maximise(model, np.zeros(model.active.shape)).of(which)
    p, rows = len(design.columns), len(which)
    theta, nowhere = np.concatenate([fit.theta, np.zeros((1, rows))]), np.full((p, p, rows), np.nan)
    return fit._replace(theta=theta, information=nowhere, slope=nowhere[0, 0])


def _inside(members: Members, extent: Extent, design: Design, asked: Asked) -> Answer:
    """Answer for rows the maximum of which only covariates can push to infinity."""
    model = _model(design, members.shapes, asked)
    top, null = _fits(model, design, members.shapes)
    unsure = ~(top.found & null.found)
    if not len(members.columns) or asked.penalised:
        found = _answer(model, (top, null), design, design.note, asked)
        found.put(unsure, Answer.blank(design.note[unsure] | int(Note.NOT_CONVERGED)))
        return found
    for group in model.groups:
        unsure |= group.spread(top.theta) > FAR
    found, sure, rest = Answer.blank(design.note), np.flatnonzero(~unsure), np.flatnonzero(unsure)
    found.put(sure, _answer(model.of(sure), (top.of(sure), null.of(sure)), design.of(sure), design.note[sure], asked))
    if rest.size:
        found.put(rest, _unsure(members.of(rest), extent.noise[rest], design.note[rest], asked))
    return found


def _unsure(members: Members, noise: np.ndarray, note: np.ndarray, asked: Asked) -> Answer:
    """Answer for rows that may separate, from what is left of their likelihoods at the supremum."""
    parts = [separation_of(members.of(slice(row, row + 1)), noise[row]) for row in range(len(noise))]
    by_covariates, by_value = (np.stack([part[k] for part in parts], axis=-1) for k in (0, 1))
    sign = np.array([part.sign for part in parts])
    note = note | np.where(by_covariates.any(axis=(0, 1)), int(Note.COVARIATE_SEPARATES), 0)
    own = members.without(by_covariates)
    design = design_of(own, extent_of(own))
    found = Answer.blank(note | np.where(design.note == int(Note.NO_SET), int(Note.CONFOUNDED), int(Note.VALUE_TOLD)))
    inner, outer = (np.flatnonzero(~design.blocked & kind) for kind in (sign == 0, sign != 0))
    if inner.size:
        some = design.of(inner)
        model = _model(some, own.shapes, asked)
        top, null = _fits(model, some, own.shapes)
        answer = _answer(model, (top, null), some, note[inner], asked)
        lost = ~(top.found & null.found)
        answer.put(lost, Answer.blank(note[inner][lost] | int(Note.NOT_CONVERGED)))
        found.put(inner, answer)
    if outer.size:
        model = _model(design.of(outer), own.shapes, asked)
        start = np.zeros(model.active.shape)
        null = maximise(model, start, held=True)
        rest = members.without(by_value).of(outer)
        limit = maximise(_model(design_of(rest, extent_of(rest)), rest.shapes, asked), start, held=True)
        fits = _at_infinity(sign[outer], limit.loglik), null
        answer = _answer(model, fits, design.of(outer), note[outer] | int(Note.INFINITE), asked)
        lost = ~(limit.found & null.found)
        answer.put(lost, Answer.blank(note[outer][lost] | int(Note.NOT_CONVERGED)))
        found.put(outer, answer)
    return found


def _answer(model: Model, fits: tuple[Fit, Fit], design: Design, note: np.ndarray, asked: Asked) -> Answer:
    """Put together the answers of rows with a maximum or supremum."""
    top, null = fits
    b, edge = top.theta[-1], np.isinf(top.theta[-1])
    std_error = np.full(len(b), np.nan) if edge.all() else np.where(edge, np.nan, top.std_error)
    low = high = np.full(len(b), np.nan)
    if asked.conf_level is not None:
        low, high = _interval(model, fits, asked)
    ratio = np.maximum(2 * (top.loglik - null.loglik), 0.0)
    return Answer(b / design.unit, std_error / design.unit, low / design.unit, high / design.unit, ratio, note.astype(np.float64))


def _interval(model: Model, fits: tuple[Fit, Fit], asked: Asked) -> tuple[np.ndarray, np.ndarray]:
    """Return the ends of the profile-likelihood interval; each fit starts where a straight line from the last one leads."""
    top, null = fits
    edge = np.isinf(top.theta[-1])
    scale = null if edge.all() else top
    where = (null.theta if edge.all() else top.theta).copy()
    sound = scale.information
    if edge.all():
        sound = derivatives(model.groups, where).information
    way, n = _way(sound), np.zeros(len(edge))

    def profile(b: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        start = np.concatenate([where[:-1, rows] + way[:, rows] * (b - where[-1, rows]), b[None]])
        fit = maximise(model.of(rows), start, held=True, sound=sound if len(rows) == len(n) else sound[..., rows])
        if len(way):
            at = rows[fit.found]
            where[:, at], way[:, at] = fit.theta[:, fit.found], _way(fit.information[..., fit.found])
        return np.where(fit.found, fit.loglik, np.nan), fit.slope

    return profile_interval(
        profile,
        top.theta[-1],
        scale._replace(information=sound).std_error,
        top.loglik,
        fall_of(tail_of(asked.alternative, asked.conf_level or 0.0), n, n, calibrated=False),
        start=np.zeros(len(edge)),
        open_low=asked.alternative == "less",
        open_high=asked.alternative == "greater",
    )


def _way(information: np.ndarray) -> np.ndarray:
    """Return how the other coefficients move with the last, to first order."""
    return -solve(information[:-1, :-1], information[:-1, -1])
