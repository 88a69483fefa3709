"""Conditional likelihood of matched sets: which members are the cases, given how many are, and its derivatives.

A set adds theta'z summed over its cases, less the logarithm of the sum of exp(theta'z) over all subsets of as many members. With
few subsets these are written out, as differences from the cases: 1:m is the plain case. With many, subsets are summed by the
recursion of Gail, Lubin and Rubinstein over members, and so are the derivatives. In the arrays here rows come last.

Gail MH, Lubin JH, Rubinstein LV. Biometrika 1981;68:703-707. doi:10.1093/biomet/68.3.703.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from itertools import combinations, combinations_with_replacement
from math import comb, factorial, prod
from typing import NamedTuple

import numpy as np

from .censored_normal import dot, total
from .conditional_sets import Design, Shape

MOST_SUBSETS = 70  # written out; the recursion takes over beyond
LARGEST = 600.0  # exp of more nears the largest number there is

Key = tuple[int, ...]


class Moments(NamedTuple):
    """Of the sum of z over a subset, subsets weighted by exp, relative to some subset.

    Attributes
    ----------
    log_sum : ndarray, shape (sets, rows)
        Logarithm of the sum of all weights over that of the cases.
    raw : dict of ndarray, shape (sets, rows)
        Raw moments by column.
    observed : ndarray, shape (p, sets, rows), or None
        Sum of z over the cases, relative to that subset; None: it is the cases.
    """

    log_sum: np.ndarray
    raw: dict[Key, np.ndarray]
    observed: np.ndarray | None


class Swaps(NamedTuple):
    """Few subsets, each as cases out and controls in: what it would add to the sum of z.

    Attributes
    ----------
    d : ndarray, shape (p, subsets, sets, rows)
    there : ndarray, shape (subsets, sets, rows), or None
        0 where one of its members has no value; None where all have.
    reach : ndarray, shape (p, rows)
        Largest absolute difference.
    """

    d: np.ndarray
    there: np.ndarray | None
    reach: np.ndarray

    def of(self, rows: np.ndarray) -> Swaps:
        """Return those of some rows."""
        return Swaps(*(None if part is None else np.take(part, rows, axis=-1) for part in self))  # type: ignore[arg-type]

    def moments(self, theta: np.ndarray, order: int) -> Moments:
        """Return moments up to an order."""
        d, there, reach = self
        p = len(d)
        weight = np.ascontiguousarray(dot(d, theta[:, None, None]))
        shift = None
        far = dot(np.abs(theta), reach) > LARGEST
        if far.any():
            shift = np.where(
                far, np.maximum(weight.max(axis=0, where=True if there is None else there > 0, initial=0.0), 0.0), 0.0
            )
            weight -= shift
        with np.errstate(under="ignore", over="ignore"):
            np.exp(weight, out=weight)
            if there is not None:
                weight = np.where(there > 0, weight, 0.0)
            one = np.exp(-shift) if shift is not None else 1.0
        sums = one + _over_first(weight)
        raw: dict[Key, np.ndarray] = {}
        products: dict[Key, np.ndarray] = {(): weight}
        for size in range(1, order + 1):
            for key in combinations_with_replacement(range(p), size):
                products[key] = products[key[1:]] * d[key[0]]
                raw[key] = _over_first(products[key]) / sums
        log_sum = np.log(sums)
        return Moments(log_sum if shift is None else log_sum + shift, raw, None)

    def spread(self, theta: np.ndarray) -> np.ndarray:
        """Return by how much theta'z of the cases exceeds the least of all subsets, at most."""
        return np.max(-dot(self.d, theta[:, None, None]), axis=(0, 1), initial=0.0)


class Subsets(NamedTuple):
    """Members of sets with many subsets; z turned round where controls are the fewer and are chosen in their place.

    Attributes
    ----------
    z : ndarray, shape (p, members, sets, rows)
    there : ndarray of bool, shape (members, sets, rows)
    observed : ndarray, shape (p, sets, rows)
        Sum of z over those chosen.
    level : ndarray of int, shape (sets, rows)
        How many are chosen.
    """

    z: np.ndarray
    there: np.ndarray
    observed: np.ndarray
    level: np.ndarray

    def of(self, rows: np.ndarray) -> Subsets:
        """Return those of some rows."""
        return Subsets(*(np.take(part, rows, axis=-1) for part in self))

    def moments(self, theta: np.ndarray, order: int) -> Moments:
        """Return moments up to an order, by adding members one by one, the likeliest first.

        The sum over subsets of size k is kept as a multiple of its largest term, so that no theta lets it overflow, and the
        moments as differences from the largest, so that no value far off costs digits.
        """
        p, n = self.z.shape[:2]
        keys, moves = _plan(p, order)
        eta = np.where(self.there, dot(self.z, theta[:, None, None]), -np.inf)
        by_size = np.argsort(-eta, axis=0, kind="stable")
        eta = np.take_along_axis(eta, by_size, axis=0)
        z = np.take_along_axis(self.z, by_size[None], axis=1)
        most = int(self.level.max(initial=0))
        least = int(self.level.min(where=self.level > 0, initial=most))
        sums = np.zeros((len(keys), most + 1, *self.level.shape))
        sums[0, 0] = 1.0
        room, products = np.empty_like(sums[:, :most]), np.empty_like(sums[:, :most])
        with np.errstate(under="ignore", invalid="ignore"):
            for j in range(n):
                low, top = max(0, least - n + j), min(j + 1, most)  # sizes below cannot grow to any that is asked for
                ratio = np.exp(eta[j] - eta[low:top])
                more = np.multiply(sums[:, low:top], np.where(ratio > 0, ratio, 0.0), out=room[:, : top - low])
                power = _powers(z[:, j, None] - z[:, low:top], order)
                for to, column, degree, source in moves:
                    more[to] += np.multiply(more[source], power[degree][column], out=products[to, : top - low])
                sums[:, low + 1 : top + 1] += more
        of_level = np.take_along_axis(sums, self.level[None, None], axis=1)[:, 0]
        own = {key: part * prod(map(factorial, Counter(key).values())) for key, part in zip(keys, of_level, strict=True)}
        chosen = np.arange(n)[:, None, None] < self.level
        short = self.observed - np.stack([_over_first(np.where(chosen, column, 0.0)) for column in z])
        log_sum = np.log(own[()]) - dot(short, theta[:, None])
        return Moments(np.where(self.level > 0, log_sum, 0.0), {key: own[key] / own[()] for key in keys[1:]}, short)

    def spread(self, theta: np.ndarray) -> np.ndarray:
        """Return the widest range of theta'z in a set."""
        eta = dot(self.z, theta[:, None, None])
        high, low = (np.where(self.there, sign * eta, -np.inf).max(axis=0) for sign in (1, -1))
        return np.max(np.where(self.level > 0, high + low, 0.0), axis=0, initial=0.0)


Groups = list[Swaps | Subsets]


@lru_cache
def _plan(p: int, order: int) -> tuple[list[Key], list[tuple[slice, int, int, slice]]]:
    """Return the derivatives kept, and how those of exp(theta'z) times a sum come of those of the sum, in place.

    Kept over the factorials, as Taylor's coefficients are, they shift by one column after the other: each gains a power of z
    over its factorial times one of lower degree, the highest degree first. What is done alike to neighbours is one move.

    Returns
    -------
    keys : list of tuple
        Columns derived by, with repetition.
    moves : list of tuple
        Places that gain, the column, its power, the places that they gain from.
    """
    keys = [key for size in range(order + 1) for key in combinations_with_replacement(range(p), size)]
    place = {key: i for i, key in enumerate(keys)}
    moves: list[tuple[slice, int, int, slice]] = []
    for column in range(p):
        for size, degree in ((high, low) for high in range(order, 0, -1) for low in range(1, high + 1)):
            for key in combinations_with_replacement(range(p), size):
                if key.count(column) < degree:
                    continue
                first = key.index(column)
                to, source = place[key], place[key[:first] + key[first + degree :]]
                last = moves[-1] if moves else None
                if last and last[1:3] == (column, degree) and (last[0].stop, last[3].stop) == (to, source):
                    moves[-1] = slice(last[0].start, to + 1), column, degree, slice(last[3].start, source + 1)
                else:
                    moves.append((slice(to, to + 1), column, degree, slice(source, source + 1)))
    return keys, moves


def _powers(z: np.ndarray, order: int) -> list[np.ndarray]:
    """Return powers over their factorials."""
    powers = [np.ones(1), z]
    for degree in range(2, order + 1):
        powers.append(powers[-1] * z / degree)
    return powers


def groups_of(design: Design, shapes: tuple[Shape, ...]) -> Groups:
    """Return the sets of each shape in the form that suits them."""
    groups: Groups = []
    for shape in shapes:
        members, sets = slice(0, shape.cases + shape.controls), slice(shape.start, shape.stop)
        z, there = design.columns[:, members, sets], design.there[members, sets]
        form = _swaps if comb(shape.cases + shape.controls, shape.cases) <= MOST_SUBSETS else _subsets
        groups.append(form(z, there, shape))
    return groups


def _swaps(z: np.ndarray, there: np.ndarray, shape: Shape) -> Swaps:
    cases, controls = range(shape.cases), range(shape.cases, shape.cases + shape.controls)
    pairs = [
        (gone, come)
        for size in range(1, min(shape.cases, shape.controls) + 1)
        for gone in combinations(cases, size)
        for come in combinations(controls, size)
    ]
    d = np.empty((len(z), len(pairs), *there.shape[1:]))
    for k, (gone, come) in enumerate(pairs):
        np.subtract(z[:, come[0]], z[:, gone[0]], out=d[:, k])
        for i, j in zip(gone[1:], come[1:], strict=True):
            d[:, k] += z[:, j] - z[:, i]
    enter = None
    if not there.all():
        enter = np.stack([there[[*gone, *come]].all(axis=0) for gone, come in pairs])
        d = np.where(enter, d, 0.0)
        enter = enter.astype(np.float64)
    return Swaps(d, enter, np.maximum(d.max(axis=(1, 2), initial=0.0), -d.min(axis=(1, 2), initial=0.0)))


def _subsets(z: np.ndarray, there: np.ndarray, shape: Shape) -> Subsets:
    fewer = slice(0, shape.cases) if shape.cases <= shape.controls else slice(shape.cases, None)
    sign = 1.0 if shape.cases <= shape.controls else -1.0
    z = np.where(there, sign * z, 0.0)
    observed = np.stack([_over_first(column[fewer]) for column in z])
    return Subsets(z, there, observed, there[fewer].sum(axis=0))


def _over_first(a: np.ndarray) -> np.ndarray:
    """Sum over the first axis, term by term."""
    return a[0] if len(a) == 1 else total(a.reshape(len(a), -1)).reshape(a.shape[1:])


class Derivatives(NamedTuple):
    """Log-likelihood (rows,), gradient (p, rows), information (p, p, rows), and its derivatives (p, p, p, rows) if asked for."""

    loglik: np.ndarray
    gradient: np.ndarray
    information: np.ndarray
    third: np.ndarray | None


def derivatives(groups: Groups, theta: np.ndarray, order: int = 2) -> Derivatives:
    """Return the log-likelihood and its derivatives up to an order of 1, 2 or 3.

    Derivatives are cumulants of the sum of z over subsets, so that that of the information is the third.
    """
    p, rows = theta.shape
    found = Derivatives(
        np.zeros(rows), np.zeros((p, rows)), np.zeros((p, p, rows)), np.zeros((p, p, p, rows)) if order > 2 else None
    )
    for group in groups:
        log_sum, m, observed = group.moments(theta, order)
        found.loglik[:] -= total(log_sum)
        for a in range(p):
            found.gradient[a] += total(-m[a,] if observed is None else observed[a] - m[a,])
        if order < 2:
            continue
        for a, b in combinations_with_replacement(range(p), 2):
            found.information[a, b] += total(m[a, b] - m[a,] * m[b,])
        if found.third is not None:
            for a, b, c in combinations_with_replacement(range(p), 3):
                third = m[a, b, c] - m[a,] * m[b, c] - m[b,] * m[a, c] - m[c,] * m[a, b] + 2 * m[a,] * m[b,] * m[c,]
                found.third[a, b, c] += total(third)
    for a, b in combinations_with_replacement(range(p), 2):
        found.information[b, a] = found.information[a, b]
    if found.third is not None:
        for a, b, c in combinations_with_replacement(range(p), 3):
            for key in ((a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)):
                found.third[key] = found.third[a, b, c]
    return found
