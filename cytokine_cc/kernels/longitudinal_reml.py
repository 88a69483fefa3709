"""The restricted likelihood of an unstructured covariance matrix: its derivatives and its maximum, all rows at once."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .longitudinal_design import Model

MOST_STEPS, MOST_HALVINGS, BY_EXPECTATION = 100, 25, 2
NEAR = 1e-6  # standard errors: Newton's method is quadratic, so that the step leaves an error of about 1e-12
CLOSE = 1e-3  # so near the top a step is not tested by the likelihood, whose last digits are noise
EDGE = 1e-7  # eigenvalue of the correlations: two visits correlated by 1 - 1e-7
TOWARD = 1e-2  # below which a row that found no maximum was on its way to the edge
STEEP, JITTER = 1e-4, 2e-15  # least curvature over the expected one along any direction


class State(NamedTuple):
    """The restricted likelihood at a covariance matrix, by row.

    Attributes
    ----------
    deviance : ndarray, shape (rows,)
        -2 times its logarithm, up to a constant.
    gradient, curvature : ndarray, shape (rows, k), (rows, k, k)
        Derivatives of the deviance in the entries of the matrix.
    expected : ndarray, shape (rows, k, k)
        Expected curvature of the full likelihood.
    coefficient, variance : ndarray, shape (rows,)
        Of the last column.
    slope : ndarray, shape (rows, k)
        Derivatives of that variance.
    """

    deviance: np.ndarray
    gradient: np.ndarray
    curvature: np.ndarray
    expected: np.ndarray
    coefficient: np.ndarray
    variance: np.ndarray
    slope: np.ndarray

    def put(self, rows: np.ndarray, piece: State) -> None:
        """Write some of the rows."""
        for whole, part in zip(self, piece, strict=True):
            whole[rows] = part


def entries(visits: int) -> tuple[np.ndarray, np.ndarray]:
    """Return rows and columns of the entries on and above the diagonal."""
    return np.triu_indices(visits)


def evaluate(model: Model, sigma: np.ndarray) -> State:
    """Return the restricted likelihood and its derivatives.

    With V the covariance of all values, P = V^-1 - V^-1 X (X'V^-1 X)^-1 X'V^-1 and E_k the derivative of V in entry k,
    d/dk = tr(P E_k) - y'P E_k P y and d2/dkdl = -tr(P E_k P E_l) + 2 y'P E_k P E_l P y. Written by pattern: W the inverse of
    its part of the matrix, T[t, u] = sum r_it r_iu + x_it'(X'V^-1 X)^-1 x_iu, r the residuals; d/dk = <n W - W T W, E_k> summed
    over patterns, and so on.
    """
    rows, visits = sigma.shape[:2]
    wide = model.live.shape[1] + 1
    a, b = entries(visits)
    once = np.where(a == b, 0.5, 1.0)
    deviance, total = np.zeros(rows), np.zeros((rows, 1, wide**2))
    inverses = []
    for visit, n, products in model.patterns:
        part = sigma[:, visit[:, None], visit]
        w = _symmetric(np.linalg.inv(part))
        inverses.append(w)
        deviance += n * np.linalg.slogdet(part)[1]
        total += w.reshape(rows, 1, -1) @ products
    total = _symmetric(total.reshape(rows, wide, wide))
    information = total[:, :-1, :-1] + np.where(model.live, 0.0, 1.0)[:, :, None] * np.eye(wide - 1)
    inverse = _symmetric(np.linalg.inv(information))
    beta = (inverse @ total[:, :-1, -1:])[:, :, 0]
    deviance += np.linalg.slogdet(information)[1] + total[:, -1, -1] - (beta * total[:, :-1, -1]).sum(axis=-1)

    to_residual = np.concatenate([-beta, np.ones((rows, 1))], axis=1)[:, :, None]
    form = to_residual @ to_residual.transpose(0, 2, 1)
    form[:, :-1, :-1] += inverse
    gradient, local, expected = np.zeros((rows, len(a))), *np.zeros((2, rows, len(a), len(a)))
    each = np.zeros((rows, len(a), wide**2))
    for (visit, n, products), w in zip(model.patterns, inverses, strict=True):
        spread = np.zeros((rows, len(visit), visits))
        spread[:, :, visit] = w
        t = (products @ form.reshape(rows, -1, 1)).reshape(w.shape)
        whole = np.zeros((2, rows, visits, visits))
        whole[0][:, visit[:, None], visit] = w
        whole[1][:, visit[:, None], visit] = _symmetric(w @ t @ w)
        gradient += 2 * once * (n[:, None, None] * whole[0] - whole[1])[:, a, b]
        by_w, by_y = (_corners(part, a, b) for part in whole)
        expected += n[:, None, None] * (by_w[0] * by_w[3] + by_w[1] * by_w[2]) * 2
        local += 2 * (by_w[0] * by_y[3] + by_w[1] * by_y[2] + by_w[2] * by_y[1] + by_w[3] * by_y[0])
        first, second = spread[:, :, a].transpose(0, 2, 1), spread[:, :, b].transpose(0, 2, 1)
        moved = first[:, :, :, None] * second[:, :, None, :]
        moved = (moved + moved.transpose(0, 1, 3, 2)) * once[:, None, None]
        each += moved.reshape(rows, len(a), -1) @ products
    scaled = once[:, None] * once
    expected *= scaled
    each = each.reshape(rows, len(a), wide, wide)
    by_column = inverse[:, None] @ each[:, :, :-1, :-1]
    across = by_column.reshape(rows, len(a), -1) @ by_column.transpose(0, 1, 3, 2).reshape(rows, len(a), -1).transpose(0, 2, 1)
    pull = (each[:, :, :-1] @ to_residual[:, None])[..., 0]
    curvature = local * scaled - expected - across - 2 * pull @ inverse @ pull.transpose(0, 2, 1)
    last = inverse[:, :, -1]
    slope = (last[:, None, None, :] @ each[:, :, :-1, :-1] @ last[:, None, :, None])[..., 0, 0]
    return State(deviance, gradient, _symmetric(curvature), expected, beta[:, -1], inverse[:, -1, -1], slope)


def _symmetric(m: np.ndarray) -> np.ndarray:
    return (m + np.swapaxes(m, -1, -2)) / 2


def _corners(m: np.ndarray, a: np.ndarray, b: np.ndarray) -> list[np.ndarray]:
    """Return m at (b, a'), (b, b'), (a, a'), (a, b') for all two entries (a, b), (a', b')."""
    return [m[:, i[:, None], j] for i, j in ((b, a), (b, b), (a, a), (a, b))]


class Maximum(NamedTuple):
    """What was found of each row: the matrix, the likelihood there; whether it is `found`, or lies at the `edge` of matrices."""

    sigma: np.ndarray
    state: State
    found: np.ndarray
    edge: np.ndarray


def maximise(model: Model) -> Maximum:
    """Find the maximum of each row's restricted likelihood, by Newton's method with halved steps.

    The first steps, and those from where the likelihood is not concave, go by the expected curvature. Each row stops by its own
    criterion, a step of less than 1e-6 standard errors, and is left alone then.
    """
    rows, free = len(model.start), model.free
    sigma = model.start.copy()
    state = evaluate(model, sigma)
    found, edge = np.zeros((2, rows), dtype=bool)
    going = np.arange(rows)
    for k in range(MOST_STEPS):
        here = State._make(part[going] for part in state)
        step, length, exact = _step(here, free[going], by_expectation=k < BY_EXPECTATION)
        near, close = exact & (length <= NEAR), exact & (length <= CLOSE)
        stuck = _move(model, sigma, state, going, step, close)
        edge[going] = lowest(sigma[going]) < EDGE
        found[going] = near & ~edge[going]
        going = going[~(near | stuck | edge[going])]
        if not going.size:
            break
    flat = ~_concave(state, free)
    edge |= np.where(found, flat, lowest(sigma) < TOWARD)
    return Maximum(sigma, state, found & ~flat, edge)


def _concave(state: State, free: np.ndarray) -> np.ndarray:
    """Flag rows whose curvature is a fair share of the expected one in every direction."""
    each = np.arange(free.shape[1])
    fine = np.isfinite(state.curvature).all(axis=(1, 2)) & np.isfinite(state.expected).all(axis=(1, 2))
    expected, curvature = (_filled(part, free & fine[:, None]) for part in (state.expected, state.curvature))
    unit = 1 / np.sqrt(expected[:, each, each])
    scale = unit[:, :, None] * unit[:, None, :]
    expected = expected * scale
    expected[:, each, each] += JITTER
    root = np.linalg.inv(np.linalg.cholesky(expected))
    share = root @ (curvature * scale) @ root.transpose(0, 2, 1)
    return fine & (np.linalg.eigvalsh(share)[:, 0] > STEEP)


def _filled(matrix: np.ndarray, free: np.ndarray) -> np.ndarray:
    """Return a matrix with those of the identity in the place of rows and columns that are not free."""
    both = free[:, :, None] & free[:, None, :]
    return np.where(both, matrix, np.eye(free.shape[1]))


def _step(state: State, free: np.ndarray, *, by_expectation: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return a step, its length in standard errors, and whether it is Newton's."""
    exact = np.zeros(len(free), dtype=bool) if by_expectation else _concave(state, free)
    matrix = _filled(np.where(exact[:, None, None], state.curvature, state.expected), free)
    step = -np.linalg.solve(matrix, state.gradient[:, :, None])[:, :, 0]
    return step, np.sqrt(np.abs((step * state.gradient).sum(axis=-1)) / 2), exact


def variance_df(state: State, free: np.ndarray, found: np.ndarray) -> np.ndarray:
    """Return Satterthwaite's degrees of freedom of the last coefficient's variance, NaN where nothing was found.

    2 v^2 / Var(v), Var(v) = g' A g, g the derivatives of v, A the inverse of the observed information, half the curvature.
    """
    curvature = _filled(state.curvature, free & found[:, None])
    turned = np.linalg.solve(curvature, state.slope[:, :, None])[:, :, 0]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(found, state.variance**2 / (state.slope * turned).sum(axis=-1), np.nan)


def _move(model: Model, sigma: np.ndarray, state: State, going: np.ndarray, step: np.ndarray, close: np.ndarray) -> np.ndarray:
    """Take each row's step, halved until it leads upward within the range of matrices; tell which rows cannot move."""
    a, b = entries(sigma.shape[1])
    share, left = np.ones(len(going)), np.arange(len(going))
    for _ in range(MOST_HALVINGS):
        rows = going[left]
        to = sigma[rows]
        to[:, a, b] += share[left, None] * step[left]
        to[:, b, a] = to[:, a, b]
        inside = lowest(to) > EDGE / 2
        if inside.any():
            tried, tested = left[inside], rows[inside]
            new = evaluate(model.of(tested), to[inside])
            better = (new.deviance <= state.deviance[tested]) | (close[tried] & (share[tried] == 1))
            state.put(tested[better], State._make(part[better] for part in new))
            sigma[tested[better]] = to[inside][better]
            taken = np.zeros(len(going), dtype=bool)
            taken[tried[better]] = True
            left = left[~taken[left]]
        if not left.size:
            break
        share[left] /= 2
    stuck = np.zeros(len(going), dtype=bool)
    stuck[left] = True
    return stuck


def lowest(sigma: np.ndarray) -> np.ndarray:
    """Return the lowest eigenvalue of the correlations; negative where a variance is."""
    variance = np.diagonal(sigma, axis1=1, axis2=2)
    good = (variance > 0).all(axis=-1) & np.isfinite(sigma).all(axis=(1, 2))
    sd = np.sqrt(np.where(good[:, None], variance, 1.0))
    scaled = np.where(good[:, None, None], sigma, 0.0) / (sd[:, :, None] * sd[:, None, :])
    return np.where(good, np.linalg.eigvalsh(scaled)[:, 0], -1.0)
