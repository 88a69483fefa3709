"""Maximum likelihood of a bivariate normal law of pairs whose values may be known by a bound only, for all rows at once.

A pair measured at both visits adds the log of the density, one measured once the density of that value times the probability
of the other side, one measured at neither the probability of a quadrant. Pairs measured at both enter by their sums, once;
pairs that are alike in being beyond the same limits are counted. Parameters theta are the two means, the logs of the two SDs
and atanh of the correlation. In the arrays here rows come last; nothing is summed over them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from .binormal import Local, edge, quadrant
from .censored_normal import dot, factor

MEAN_X, MEAN_Y, LOG_SD_X, LOG_SD_Y, FISHER_Z = range(5)
MOST_STEPS, FEWER_STEPS = 100, 30
TINY, STALLED = 1e-20, 1e-10  # of twice the log-likelihood that a step can still gain
LEVEL = 1e-6  # the same, where the correlation has gone as far as it may: nothing is left to gain there
FARTHEST_Z, FARTHEST_LOG_SD = 16.0, 25.0
LONGEST = 1.0  # change of a log SD, or of z, in one step
FEW, NOT_FAR, FAR = 12, 2.0, 10.0  # pairs; likelihood ratios from which on one start is not enough, in few pairs and in many
LEAST_DAMPING, MOST_DAMPING = 1e-2, 1e12
SLACK = 1e-11
NO_INFORMATION = 1e-14  # so small a share of its diagonal element means that the matrix is not positive definite

Free = tuple[tuple[int, ...], ...]
ALL: Free = ((0,), (1,), (2,), (3,), (4,))
HELD: Free = ((0, 1), (2,), (3,), (4,))  # the difference of the means stays
APART: Free = ((0, 1), (2, 3))  # and so does the correlation; one SD for both visits


class Cells(NamedTuple):
    """Pairs with a value beyond a limit, in order of their rows.

    Attributes
    ----------
    row : ndarray of int
    x, y : ndarray
        Number or limit.
    side_x, side_y : ndarray
        1 below the limit, -1 above; 1 where the value is a number.
    weight : ndarray
        How many pairs are alike.
    """

    row: np.ndarray
    x: np.ndarray
    y: np.ndarray
    side_x: np.ndarray
    side_y: np.ndarray
    weight: np.ndarray

    def of(self, at: np.ndarray) -> Cells:
        """Return those of rows that stay, which are at `at`; -1: the row goes."""
        new = at[self.row]
        keep = np.flatnonzero(new >= 0)
        return Cells(new[keep], *(column[keep] for column in self[1:]))


class Pairs(NamedTuple):
    """What the log-likelihood of each row depends on.

    Attributes
    ----------
    n, n_x, n_y, n_both : ndarray, shape (rows,)
        Pairs; those with a number at the first visit, at the second, at both.
    mean, ss : ndarray, shape (2, rows), (3, rows)
        Of pairs with both numbers: means; sums of squares of x, of y, and of products, about them.
    x_only, y_only, neither : Cells
    """

    n: np.ndarray
    n_x: np.ndarray
    n_y: np.ndarray
    n_both: np.ndarray
    mean: np.ndarray
    ss: np.ndarray
    x_only: Cells
    y_only: Cells
    neither: Cells

    def of(self, rows: np.ndarray) -> Pairs:
        """Return those of some rows, in rising order."""
        at = np.full(len(self.n_both), -1)
        at[rows] = np.arange(len(rows))
        n, n_x, n_y, n_both, mean, ss = (part[..., rows] for part in self[:6])
        return Pairs(n, n_x, n_y, n_both, mean, ss, *(part.of(at) for part in self[6:]))


class Fit(NamedTuple):
    """Maxima: theta (5, rows), log-likelihood (rows,), gradient (5, rows), Hessian (5, 5, rows), and whether found."""

    theta: np.ndarray
    loglik: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    found: np.ndarray


def pairs_of(x: np.ndarray, y: np.ndarray, side_x: np.ndarray, side_y: np.ndarray) -> Pairs:
    """Gather pairs.

    Parameters
    ----------
    x, y : ndarray, shape (rows, n)
        Numbers or limits, NaN where the pair does not enter.
    side_x, side_y : ndarray, shape (rows, n)
        1 below the limit, -1 above, 0 for a number.

    Returns
    -------
    Pairs
        Of each row, to the last bit, what it is without the others.
    """
    there = ~np.isnan(x)
    has_x, has_y = there & (side_x == 0), there & (side_y == 0)
    both = has_x & has_y
    n = both.sum(axis=-1)
    mean, away = [], []
    for part in (x, y):
        with np.errstate(invalid="ignore", divide="ignore"):
            m = np.where(n > 0, np.where(both, part, 0.0).sum(axis=-1) / n, 0.0)
        mean.append(m)
        away.append(np.where(both, part - m[:, None], 0.0))
    ss = [(a * b).sum(axis=-1) for a, b in ((away[0], away[0]), (away[1], away[1]), (away[0], away[1]))]
    size = [flags.sum(axis=-1).astype(np.float64) for flags in (there, has_x, has_y, both)]
    cells = [_cells(flags, x, y, side_x, side_y) for flags in (has_x & ~has_y, has_y & ~has_x, there & ~has_x & ~has_y)]
    return Pairs(size[0], size[1], size[2], size[3], np.stack(mean), np.stack(ss), cells[0], cells[1], cells[2])


def _cells(flags, x, y, side_x, side_y) -> Cells:
    row, at = np.nonzero(flags)
    parts = [part[row, at] for part in (x, y, side_x, side_y)]
    order = np.lexsort((*parts, row))
    row, parts = row[order], [part[order] for part in parts]
    new = np.ones(len(row), dtype=bool)
    new[1:] = np.any([part[1:] != part[:-1] for part in (row, *parts)], axis=0)
    first = np.flatnonzero(new)
    weight = np.diff(first, append=len(row)).astype(np.float64)
    x, y, side_x, side_y = (part[first] for part in parts)
    return Cells(row[first], x, y, np.where(side_x == 0, 1.0, side_x), np.where(side_y == 0, 1.0, side_y), weight)


def derivatives(pairs: Pairs, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log-likelihood, gradient and Hessian in theta.

    Parameters
    ----------
    pairs : Pairs
    theta : ndarray, shape (5, rows)

    Returns
    -------
    loglik, gradient, hessian : ndarray, shape (rows,), (5, rows), (5, 5, rows)
    """
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        sums = _sums_of_both(pairs, theta)
        for cells, local in ((pairs.x_only, edge), (pairs.y_only, _other_edge), (pairs.neither, quadrant)):
            if len(cells.row):
                _add_cells(sums, cells, theta, local)
        return _in_theta(sums, pairs, theta)


def _other_edge(h: np.ndarray, k: np.ndarray, z: np.ndarray) -> Local:
    at = edge(k, h, z)
    return Local(at.value, at.k, at.h, at.z, at.kk, at.hk, at.hh, at.kz, at.hz, at.zz)


def _add_cells(sums: np.ndarray, cells: Cells, theta: np.ndarray, local: Callable[..., Local]) -> None:
    """Add what each cell contributes to the 21 sums of its row, one after the other."""
    row, x, y, s, t, weight = cells
    mean_x, mean_y, log_x, log_y, z = theta[:, row]
    h, k = (x - mean_x) * np.exp(-log_x), (y - mean_y) * np.exp(-log_y)
    at = local(s * h, t * k, s * t * z)
    value, by_z, hh, kk, zz = (weight * part for part in (at.value, s * t * at.z, at.hh, at.kk, at.zz))
    by_h, by_k, hk = weight * s * at.h, weight * t * at.k, weight * s * t * at.hk
    hz, kz = weight * t * at.hz, weight * s * at.kz
    terms = (value, by_h, by_h * h, by_k, by_k * k, by_z, hh, hh * h, hh * h * h, hk, hk * h, hk * k, hk * h * k,
             kk, kk * k, kk * k * k, hz, hz * h, kz, kz * k, zz)  # fmt: skip
    for total, term in zip(sums, terms, strict=True):
        total += np.bincount(row, term, minlength=len(total))


def _sums_of_both(pairs: Pairs, theta: np.ndarray) -> np.ndarray:
    """Return the 21 sums over pairs with both numbers, in closed form."""
    n, mean, ss = pairs.n_both, pairs.mean, pairs.ss
    mean_x, mean_y, log_x, log_y, z = theta
    u, v = np.exp(-log_x), np.exp(-log_y)
    h, k = (mean[0] - mean_x) * u, (mean[1] - mean_y) * v
    h2, k2, hk = ss[0] * u * u + n * h * h, ss[1] * v * v + n * k * k, ss[2] * u * v + n * h * k
    h, k = n * h, n * k
    grown, shrunk = np.exp(z) / 2, np.exp(-z) / 2
    c, s = grown + shrunk, grown - shrunk
    cc, cs, twice = c * c, c * s, c * c + s * s
    by_z = twice * hk - cs * (h2 + k2) + n * s / c
    hz, kz = twice * k - 2 * cs * h, twice * h - 2 * cs * k
    return np.stack([
        n * np.log(c) - cc * (h2 + k2) / 2 + cs * hk, cs * k - cc * h, cs * hk - cc * h2, cs * h - cc * k, cs * hk - cc * k2,
        by_z, -cc * n, -cc * h, -cc * h2, cs * n, cs * h, cs * k, cs * hk, -cc * n, -cc * k, -cc * k2,
        hz, twice * hk - 2 * cs * h2, kz, twice * hk - 2 * cs * k2, 4 * cs * hk - twice * (h2 + k2) + n / cc,
    ])  # fmt: skip


def _in_theta(sums: np.ndarray, pairs: Pairs, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    value, h, h_h, k, k_k, z, hh, hh_h, hh_hh, hk, hk_h, hk_k, hk_hk, kk, kk_k, kk_kk, hz, hz_h, kz, kz_k, zz = sums
    u, v = np.exp(-theta[LOG_SD_X]), np.exp(-theta[LOG_SD_Y])
    loglik = value - pairs.n_x * theta[LOG_SD_X] - pairs.n_y * theta[LOG_SD_Y] - pairs.n_both * np.log(2 * np.pi)
    gradient = np.stack([-h * u, -k * v, -h_h - pairs.n_x, -k_k - pairs.n_y, z])
    hessian = np.empty((5, *gradient.shape))
    upper = (
        (hh * u * u, hk * u * v, (hh_h + h) * u, hk_k * u, -hz * u),
        (kk * v * v, hk_h * v, (kk_k + k) * v, -kz * v),
        (hh_hh + h_h, hk_hk, -hz_h),
        (kk_kk + k_k, -kz_k),
        (zz,),
    )
    for i, line in enumerate(upper):
        for j, part in enumerate(line, start=i):
            hessian[i, j] = hessian[j, i] = part
    return loglik, gradient, hessian


def maximise(pairs: Pairs, start: np.ndarray, free: Free, steps: int = MOST_STEPS) -> Fit:
    """Find each row's maximum by Newton's method, damped where it does not rise; a row that is done stands still.

    Parameters
    ----------
    pairs : Pairs
    start : ndarray, shape (5, rows)
    free : tuple of tuple of int
        Parameters that move, those of one tuple by the same step; others stand still.

    Returns
    -------
    Fit
        Not found: the likelihood rises without end, or no start. Where it levels off as the correlation goes to 1 or -1,
        the level is its maximum.
    """
    rows = start.shape[1]
    fit = Fit(start.copy(), np.full(rows, np.nan), np.zeros_like(start), np.zeros((5, *start.shape)), np.zeros(rows, dtype=bool))
    going, here, damping, before = np.arange(rows), start, np.zeros(rows), np.full(rows, np.inf)
    at: tuple[np.ndarray, ...] = derivatives(pairs, here)
    for _ in range(steps):
        if not going.size:
            break
        move, gain, damping = _move(at, free, damping)
        done = (damping <= LEAST_DAMPING) & ((gain < TINY) | ((gain < STALLED) & (gain > before / 2)))
        far = (np.abs(here[FISHER_Z]) > FARTHEST_Z) | (np.abs(here[2:4]) > FARTHEST_LOG_SD).any(axis=0)
        level = far & (gain < LEVEL)
        lost = ~(gain < np.inf) | (damping > MOST_DAMPING)
        found = (done | level) & ~lost
        _store(fit, going[found], [here + np.where(done, move, 0.0), *at], found)
        keep = np.flatnonzero(~(done | far | lost))
        if len(keep) < len(going):
            going, pairs, here, move = going[keep], pairs.of(keep), here[:, keep], move[:, keep]
            at, damping, gain = tuple(part[..., keep] for part in at), damping[keep], gain[keep]
        there = here + move
        new = derivatives(pairs, there)
        with np.errstate(invalid="ignore"):
            rises = (new[0] >= at[0] - SLACK * (1 + np.abs(at[0]))) & np.isfinite(new[2]).all(axis=(0, 1))
        here, before = np.where(rises, there, here), np.where(rises, gain, np.inf)
        at = tuple(np.where(rises, fresh, old) for fresh, old in zip(new, at, strict=True))
        less = np.where(damping > LEAST_DAMPING, damping / 8, 0.0)
        damping = np.where(rises, less, np.maximum(4 * damping, LEAST_DAMPING))
    return fit


def maximise_held(pairs: Pairs, best: Fit, change: np.ndarray, near: np.ndarray | None = None) -> Fit:
    """Find each row's maximum with the difference of the means held at `change`.

    Parameters
    ----------
    pairs : Pairs
    best : Fit
        The maxima without that condition.
    change : ndarray, shape (rows,)
    near : ndarray, shape (5, rows), optional
        A maximum with a difference not far from `change`.

    Returns
    -------
    Fit
        The likelihood may have several maxima far from `best`, and in few pairs not so far: then the highest from more starts.
    """
    both = [_shifted(best.theta, change)]
    if near is not None:
        both.append(near.copy())
        both[-1][MEAN_X] = near[MEAN_Y] + change
        both += [start for mean in (MEAN_X, MEAN_Y) for start in _moved(near, change, mean)]
    of_x, of_y = (_likeliest(pairs, _moved(best.theta, change, mean)) for mean in (MEAN_X, MEAN_Y))
    fit = maximise(pairs, _likeliest(pairs, [*both, of_x, of_y]), HELD)
    unsure = 2 * (best.loglik - fit.loglik) > np.where(pairs.n <= FEW, NOT_FAR, FAR)
    rows = np.flatnonzero(unsure | ~fit.found)
    if rows.size:
        some = pairs.of(rows)
        for start in (of_x, of_y):
            again = maximise(some, start[:, rows], HELD, steps=FEWER_STEPS)
            higher = again.found & ~(again.loglik <= fit.loglik[rows])
            _store(fit, rows[higher], again[:4], higher)
    return fit


def _likeliest(pairs: Pairs, starts: list[np.ndarray]) -> np.ndarray:
    """Return of each row the start with the highest likelihood."""
    loglik = np.stack([derivatives(pairs, start)[0] for start in starts])
    which = np.argmax(np.where(np.isnan(loglik), -np.inf, loglik), axis=0)
    return np.stack(starts)[which, :, np.arange(len(which))].T.copy()


def _moved(theta: np.ndarray, change: np.ndarray, mean: int) -> list[np.ndarray]:
    """Return starts with one mean moved: its SD makes up for it, or grows with its distance from the middle of the data."""
    starts, log_sd = [], mean + LOG_SD_X
    to = theta[MEAN_Y] + change if mean == MEAN_X else theta[MEAN_X] - change
    with np.errstate(divide="ignore", invalid="ignore"):
        grown = np.log(to / theta[mean])
    for log in (np.log(np.exp(2 * theta[log_sd]) + (to - theta[mean]) ** 2) / 2, theta[log_sd] + grown):
        start = theta.copy()
        start[mean], start[log_sd] = to, log
        starts.append(start)
    return starts


def _shifted(theta: np.ndarray, change: np.ndarray) -> np.ndarray:
    """Return the maximum with the difference of the means held at `change`, as it is where all values are numbers.

    Then differences have a law of their own, and y has one given the difference; the condition bears on the former only.
    """
    mean_x, mean_y, log_x, log_y, z = theta
    away = mean_x - mean_y - change
    var_x, var_y, product = np.exp(2 * log_x), np.exp(2 * log_y), np.tanh(z) * np.exp(log_x + log_y)
    var = np.maximum(var_x + var_y - 2 * product, 1e-12 * (var_x + var_y))
    slope = (product - var_y) / var
    rest = np.maximum(var_y - slope * slope * var, 0.0)
    var = var + away * away
    var_y, product = rest + slope * slope * var, rest + slope * (1 + slope) * var
    var_x = rest + (1 + slope) ** 2 * var
    mean_y = mean_y - slope * away
    rho = np.clip(product / np.sqrt(var_x * var_y), -0.999999, 0.999999)
    return np.stack([mean_y + change, mean_y, np.log(var_x) / 2, np.log(var_y) / 2, np.arctanh(rho)])


def _store(fit: Fit, rows: np.ndarray, parts: Sequence[np.ndarray], which: np.ndarray) -> None:
    for whole, part in zip(fit[:4], parts, strict=True):
        whole[..., rows] = part[..., which]
    fit.found[rows] = True


def _move(at, free: Free, damping: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return Newton's step, damped until the information is positive definite, twice its gain, and the damping."""
    gradient = np.stack([sum(at[1][i] for i in group) for group in free])
    information = np.stack([[-sum(at[2][i, j] for i in a for j in b) for b in free] for a in free])
    size = np.abs(np.stack([information[i, i] for i in range(len(free))]))
    size = np.maximum(size, 1e-8 * size.max(axis=0))
    step, good = solve(information, gradient, damping * size)
    bad = np.flatnonzero(~good)
    damping = damping.copy()
    while bad.size:
        damping[bad] = np.maximum(4 * damping[bad], LEAST_DAMPING)
        again, good = solve(information[..., bad], gradient[:, bad], damping[bad] * size[:, bad])
        step[:, bad] = again
        bad = bad[~good & (damping[bad] < MOST_DAMPING)]
    gain = dot(gradient, step)
    move = np.zeros_like(at[1])
    for group, part in zip(free, step, strict=True):
        move[list(group)] = part
    with np.errstate(divide="ignore", invalid="ignore"):
        shorter = np.minimum(1.0, LONGEST / np.abs(move[2:]).max(axis=0))
    return move * shorter, gain, damping


def solve(matrix: np.ndarray, right: np.ndarray, more: np.ndarray | float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Solve systems of (matrix + diagonal of `more`), one a row; also return whether they are positive definite."""
    left, x = matrix.copy(), right.copy()
    for k in range(len(x)):
        left[k, k] += more[k] if isinstance(more, np.ndarray) else more
    good = np.isfinite(left).all(axis=(0, 1)) & np.isfinite(right).all(axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        inverse, lower = factor(left, NO_INFORMATION)
        for k in range(len(x)):
            x[k] *= inverse[k]
            x[k + 1 :] -= lower[k + 1 :, k] * x[k]
        for k in reversed(range(len(x))):
            x[k] *= inverse[k]
            x[:k] -= lower[k, :k] * x[k]
    return x, good & (inverse > 0).all(axis=0)
