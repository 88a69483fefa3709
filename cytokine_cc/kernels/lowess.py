"""A smooth curve through a cloud of points, robust against outlying ones (Cleveland's lowess)."""

from __future__ import annotations

import numpy as np

_NEAR = 0.01  # share of the range within which points are joined to the last fitted one by a straight line


def lowess(x: np.ndarray, y: np.ndarray, *, span: float, iterations: int = 3) -> np.ndarray:
    """Return the value of the curve at each `x`.

    Parameters
    ----------
    x, y : ndarray, shape (n,)
        At least two points, none missing.
    span : float
        Share of the points that each local line is fitted to.
    iterations : int
        Fits after the first one, with points far from the curve weighted down.

    Returns
    -------
    ndarray, shape (n,)

    Notes
    -----
    Equals ``lowess(x, y, f = span, iter = iterations)`` in R: local lines with tricube weights, biweights of residuals over
    six times their median, straight lines between points nearer than 1% of the range.

    References
    ----------
    Cleveland WS. J Am Stat Assoc 1979;74:829-836. doi:10.1080/01621459.1979.10481038.

    Examples
    --------
    >>> lowess(np.arange(6.0), np.array([0.0, 2, 3, 20, 9, 10]), span=0.7).round(3).tolist()
    [0.106, 1.735, 3.0, 6.0, 9.0, 10.0]
    """
    order = np.argsort(x, kind="stable")
    level, value = x[order], y[order]
    at = _fitted_points(level)
    weights, distance = _tricube(level, at, max(2, min(len(x), int(span * len(x) + 1e-7))))
    trust = np.ones(len(x))
    for left in range(iterations, -1, -1):
        curve = np.interp(level, level[at], _local_lines(level, value, at, weights * trust, distance))
        size = np.abs(value - curve)
        far = 6 * np.median(size)
        if not left or far < 1e-7 * size.mean():
            break
        r = size / far if far > 0 else size
        trust = np.where(r <= 0.001, 1.0, np.where(r <= 0.999, (1 - r * r) ** 2, 0.0))
    out = np.empty(len(x))
    out[order] = curve
    return out


def _fitted_points(level: np.ndarray) -> np.ndarray:
    """Return positions of the sorted points that get a line of their own: the first, and the last in reach of each."""
    reach = _NEAR * (level[-1] - level[0])
    at, last = [0], int(np.searchsorted(level, level[0], "right")) - 1
    while last < len(level) - 1:
        at.append(max(last + 1, int(np.searchsorted(level, level[last] + reach, "right")) - 1))
        last = int(np.searchsorted(level, level[at[-1]], "right")) - 1
    return np.array(at)


def _tricube(level: np.ndarray, at: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return weights by distance from each fitted point, 0 beyond its `k` nearest neighbours; and the reach of these."""
    centre = level[at]
    start = np.searchsorted(level[: len(level) - k] + level[k:], 2 * centre)
    reach = np.maximum(centre - level[start], level[start + k - 1] - centre)
    r = np.abs(level - centre[:, None])
    with np.errstate(invalid="ignore", divide="ignore"):
        cubes = (1 - (r / reach[:, None]) ** 3) ** 3
    return np.where(r <= 0.001 * reach[:, None], 1.0, np.where(r <= 0.999 * reach[:, None], cubes, 0.0)), reach


def _local_lines(level: np.ndarray, value: np.ndarray, at: np.ndarray, weights: np.ndarray, reach: np.ndarray) -> np.ndarray:
    """Return the fitted value at each point; the mean where its neighbours lie at nearly one level."""
    total = weights.sum(axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        w = weights / total[:, None]
        middle = (w * level).sum(axis=1)
        apart = level - middle[:, None]
        spread = (w * apart * apart).sum(axis=1)
        sloped = (reach > 0) & (np.sqrt(spread) > 0.001 * (level[-1] - level[0]))
        slope = np.where(sloped, (level[at] - middle) / spread, 0.0)
        fitted = (w * (slope[:, None] * apart + 1) * value).sum(axis=1)
    return np.where(total > 0, fitted, value[at])
