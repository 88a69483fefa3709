"""The prior of row variances, estimated from the rows together, and variances drawn toward it (empirical Bayes)."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import psi, zeta

from .robust_prior import robust_prior

_LEAST = 1e-5  # of the median variance: lower ones enter as this, since the log of 0 is no number
_STEPS = 3  # of Newton's method, after which the inverse of the trigamma function is off by 1e-13 at most, wherever it is asked


class Prior(NamedTuple):
    """What variances are expected to be before they are seen: `s2` times `df` over a chi-square of `df`.

    Attributes
    ----------
    df : ndarray, shape (..., 1) or (..., analytes)
        Degrees of freedom that the prior is worth; infinite where the rows' variances differ no more than chance makes them;
        0 where there is no prior. Rows differ under a robust prior only.
    s2 : ndarray, shape (..., 1) or (..., analytes)
        Prior variance; NaN where there is none. Rows differ under a trend only.
    feeds : ndarray of bool, shape (..., analytes)
        Rows that informed it.
    """

    df: np.ndarray
    s2: np.ndarray
    feeds: np.ndarray


def fit_prior(
    s2: np.ndarray, df: np.ndarray, feed: np.ndarray | None = None, *, mean: np.ndarray | None = None, robust: bool = False
) -> Prior:
    """Estimate what distribution the rows' variances come from, for each replicate by itself.

    Parameters
    ----------
    s2 : ndarray, shape (..., analytes)
        Residual variances; NaN where there is none.
    df : ndarray, broadcastable to the same shape
        Their degrees of freedom.
    feed : ndarray of bool, broadcastable to the same shape, optional
        Rows that may inform the prior; all if None.
    mean : ndarray, shape (..., analytes), optional
        Mean level of each row: the prior variance then follows it along a natural spline.
    robust : bool
        Whether tails of the variances are drawn in, and rows of outlying variance get a prior of fewer degrees of freedom.

    Returns
    -------
    Prior
        With `s2` NaN and `df` 0 where fewer than two rows can feed it, or more than half of them do not vary.

    Notes
    -----
    The log of a variance is that of its prior, plus log F noise: mean and variance of the logs give `s2` and `df`. Equals
    ``fitFDist(s2, df, covariate = mean)`` and ``fitFDistRobustly`` of limma 3.54, where rows without degrees of freedom stand
    for those that do not feed. Replicates are done at once, but one by one with `mean` or `robust`. Where limma stops
    (robust with two rows; most variances zero), the plain prior or none is taken. Of ten rows and more `robust` has an effect.

    References
    ----------
    Smyth GK. Stat Appl Genet Mol Biol 2004;3:3. doi:10.2202/1544-6115.1027.
    Phipson B, Lee S, Majewski IJ, Alexander WS, Smyth GK. Ann Appl Stat 2016;10:946-963. doi:10.1214/16-AOAS920.

    Examples
    --------
    >>> prior = fit_prior(np.array([0.2, 0.5, 0.9, 2.0, 3.1]), np.array(8.0))
    >>> round(float(prior.df[0]), 4), round(float(prior.s2[0]), 4)
    (3.062, 0.7066)
    """
    s2 = np.asarray(s2, dtype=np.float64)
    df = np.asarray(df, dtype=np.float64)
    if df.shape != s2.shape:
        df = np.broadcast_to(df, s2.shape)
    with np.errstate(invalid="ignore"):
        feeds = np.isfinite(s2) & (df > 0)
    if feed is not None:
        feeds &= feed
    if mean is None and not robust:
        return _plain(s2, df, feeds)
    means = None if mean is None else np.broadcast_to(mean, s2.shape)
    out = Prior(np.zeros(s2.shape), np.full(s2.shape, np.nan), feeds)
    for k in np.ndindex(s2.shape[:-1]):
        out.df[k], out.s2[k] = _one(s2[k], df[k], feeds[k], None if means is None else means[k], robust)
    return out


def squeeze(s2: np.ndarray, df: np.ndarray, prior: Prior) -> tuple[np.ndarray, np.ndarray]:
    """Draw variances toward their prior: the mean of both, weighted by degrees of freedom.

    Parameters
    ----------
    s2, df : ndarray, shape (..., analytes)
        Residual variances and their degrees of freedom.
    prior : Prior

    Returns
    -------
    s2 : ndarray, shape (..., analytes)
        Equal to ``squeezeVar(s2, df)$var.post`` of limma; as they were where there is no prior.
    df : ndarray, shape (..., analytes)
        Of both together, but at most those of all rows that fed the prior, and its own.

    Examples
    --------
    >>> s2, df = np.array([0.2, 0.5, 0.9, 2.0, 3.1]), np.full(5, 8.0)
    >>> post, total = squeeze(s2, df, fit_prior(s2, df))
    >>> post.round(4).tolist(), round(float(total[0]), 4)
    ([0.3402, 0.5572, 0.8465, 1.642, 2.4375], 11.062)
    """
    total = df + prior.df
    with np.errstate(invalid="ignore"):
        post = (df * s2 + prior.df * prior.s2) / total
    if not np.isfinite(post).all():
        post = np.where((prior.df == np.inf) & np.isfinite(s2), prior.s2, np.where(np.isnan(prior.s2), s2, post))
    if prior.feeds.all():
        return post, np.minimum(total, df.sum(axis=-1, keepdims=True))
    pooled = np.where(prior.feeds, df, 0.0).sum(axis=-1, keepdims=True)
    return post, np.minimum(total, np.where(prior.feeds, pooled, pooled + df))


class _Logs(NamedTuple):
    """Variances and log variances, the latter without bias, both 0 where a row does not feed; then by replicate."""

    s2: np.ndarray
    logs: np.ndarray
    n: Any  # number of rows that feed
    noise: np.ndarray  # mean variance that chance alone gives the logs
    found: np.ndarray  # whether a prior can be had


def _plain(s2: np.ndarray, df: np.ndarray, feeds: np.ndarray) -> Prior:
    """Return one prior a replicate, by moments of the log variances."""
    s2, logs, n, noise, found = _logs(s2, df, feeds)
    with np.errstate(invalid="ignore", divide="ignore"):
        centre = logs.sum(axis=-1, keepdims=True) / n
        apart = logs - centre
        if not feeds.all():
            apart = np.where(feeds, apart, 0.0)
        apart *= apart
        prior_df = _df_of_spread(apart.sum(axis=-1, keepdims=True) / (n - 1) - noise)
        prior_s2 = np.exp(centre - _log_bias(prior_df))
        endless = prior_df == np.inf
        if endless.any():
            prior_s2 = np.where(endless, s2.sum(axis=-1, keepdims=True) / n, prior_s2)
    if not found.all():
        prior_df, prior_s2 = np.where(found, prior_df, 0.0), np.where(found, prior_s2, np.nan)
    return Prior(prior_df, prior_s2, feeds)


def _logs(s2: np.ndarray, df: np.ndarray, feeds: np.ndarray) -> _Logs:
    whole, first = feeds.all(), df.reshape(-1)[:1]
    n = float(s2.shape[-1]) if whole else feeds.sum(axis=-1, keepdims=True).astype(np.float64)
    middle = _median(s2, feeds, n)
    same = whole and (df == first).all()  # then special functions are called once
    d = first if same else np.where(feeds, df, 1.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        noise = zeta(2.0, d / 2)
        floored = np.maximum(s2, _LEAST * middle)
        logs = np.log(floored) + _log_bias(d)
        if not whole:
            noise, floored, logs = (np.where(feeds, part, 0.0) for part in (noise, floored, logs))
        if not same:  # equal terms have this mean to the last bit
            most = noise.max(axis=-1, keepdims=True, initial=0.0)
            noise = most - np.where(feeds, most - noise, 0.0).sum(axis=-1, keepdims=True) / n
    return _Logs(floored, logs, n, noise, (n > 1) & (middle > 0))


def _median(s2: np.ndarray, feeds: np.ndarray, n: Any) -> np.ndarray:
    """Return the median of the rows that feed; 0 where there are none."""
    m = s2.shape[-1]
    if isinstance(n, float):
        ordered = np.sort(s2, axis=-1)
        return (ordered[..., (m - 1) // 2, None] + ordered[..., m // 2, None]) / 2 if m else np.zeros((*s2.shape[:-1], 1))
    ordered = np.sort(np.where(feeds, s2, np.inf), axis=-1)
    k = n.astype(np.intp)
    low, high = (np.take_along_axis(ordered, np.maximum(at, 0), axis=-1) for at in ((k - 1) // 2, k // 2))
    return np.where(k > 0, (low + high) / 2, 0.0)


def _log_bias(df: np.ndarray) -> np.ndarray:
    """Return by how much the log of a variance falls short of the log of its expectation, on average; NaN of infinite df."""
    half = df / 2
    return np.log(half) - psi(half)


def _df_of_spread(spread: np.ndarray) -> np.ndarray:
    """Return the degrees of freedom of a prior whose log varies by `spread`; infinite if that is not positive.

    Twice the inverse of the trigamma function, by Newton's method on its reciprocal (Smyth 2004, appendix). The start is
    the root of 1/y + c/y^2, with c between 1/2, which is right where y is large, and 1, where it is small.
    """
    positive = spread > 0
    x: Any = np.where(positive, spread, 1.0)
    if x.size == 1:  # numbers are faster than an array of one, and the same to the last bit
        x = x.item()
    y = (1 + np.sqrt(1 + (2 + 2 * x / (x + 3)) * x)) / (2 * x)
    for _ in range(_STEPS):
        value = zeta(2.0, y)
        y = y + (value / x - 1) * value / (2 * zeta(3.0, y))
    return np.where(positive, 2 * y, np.inf)


def _one(s2: np.ndarray, df: np.ndarray, feeds: np.ndarray, mean: np.ndarray | None, robust: bool) -> tuple[Any, Any]:
    """Return degrees of freedom and variance of each row's prior, for one replicate."""
    prior = _plain(s2, df, feeds)
    if not np.isfinite(prior.s2).any():
        return prior.df, prior.s2
    if mean is not None:
        prior = _trend(s2, df, feeds, mean, prior)
    if not robust:
        return prior.df, prior.s2
    fed = np.flatnonzero(feeds)
    plain_df, plain_s2 = (np.broadcast_to(part, s2.shape)[fed] for part in prior[:2])
    own, own_s2, common = robust_prior(s2[fed], df[fed], None if mean is None else mean[fed], plain_df, plain_s2)
    prior_df = np.full(s2.shape, common)
    prior_s2 = np.full(s2.shape, own_s2[0]) if mean is None else _between(mean, mean[fed], own_s2)
    prior_df[fed], prior_s2[fed] = own, own_s2
    return prior_df, prior_s2


def _between(at: np.ndarray, x: np.ndarray, s2: np.ndarray) -> np.ndarray:
    """Return variances at other levels, by straight lines between their logs; of tied levels their mean."""
    levels, where, count = np.unique(x, return_inverse=True, return_counts=True)
    return np.exp(np.interp(at, levels, np.bincount(where, np.log(s2)) / count))


def _trend(s2: np.ndarray, df: np.ndarray, feeds: np.ndarray, mean: np.ndarray, plain: Prior) -> Prior:
    """Return a prior whose log variance is a natural spline of the mean level: of one replicate, beside the plain one."""
    _, logs, _, noise, _ = _logs(s2, df, feeds)
    levels = mean[feeds]
    n = len(levels)
    columns = min(1 + sum(n >= least for least in (3, 6, 30)), len(np.unique(levels)))
    if columns < 2:
        return plain
    basis = _natural_spline(mean, levels, columns)
    weights, _, rank, _ = np.linalg.lstsq(basis[feeds], logs[feeds], rcond=None)
    curve = basis @ weights
    left = logs[feeds] - curve[feeds]
    prior_df = _df_of_spread((left * left).sum(keepdims=True) / (n - rank) - noise)
    bias = 0.0 if np.isinf(prior_df).any() else _log_bias(prior_df)
    return Prior(prior_df, np.exp(curve - bias), feeds)


def _natural_spline(at: np.ndarray, x: np.ndarray, columns: int) -> np.ndarray:
    """Return cubics in `at` that join at quantiles of `x`, straight lines beyond its range (Hastie et al. 2009, eq. 5.4)."""
    knots = np.unique(np.quantile(x, np.linspace(0, 1, columns)))
    low, span = knots[0], knots[-1] - knots[0]
    u, k = (at[:, None] - low) / span, (knots - low) / span
    above = np.maximum(u - k, 0.0) ** 3
    d = (above[:, :-1] - above[:, -1:]) / (1 - k[:-1])
    return np.concatenate([np.ones_like(u), u, d[:, :-1] - d[:, -1:]], axis=1)
