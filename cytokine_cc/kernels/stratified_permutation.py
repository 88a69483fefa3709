"""Matched sets by permutation: who of each set is a case, all arrangements of it or many at random."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import lru_cache, partial
from itertools import combinations
from math import comb, prod
from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .common import BASELINE, BETWEEN, NUMBER_RULES, Statistics, Test
from .sets import Grid, Pair, paired_sets
from .stratified import grids, halved, set_sum

CHUNK = 8192  # arrangements of one random stream: another number gives other arrangements
_HELD = 1_000_000  # sums held at a time: 8 MB
_LABELS = 2**26  # bytes of labels kept
_TOGETHER = 64  # rows whose tables are made at a time
_BLOCK_VALUES = 32_768  # sums worked on at a time: what fits a cache
_MEMBER_BITS = 16  # of a random key, which tell the members of a set apart, so that no two keys tie

METHODS = ("all arrangements within sets", "{n} permutations within sets")


_Sets = tuple[tuple[int, tuple[int, ...], int], ...]  # of those that count: place, members with a value, number of cases


class _Rows(NamedTuple):
    """Rows with all that permuting needs; sets that do not count are 0 throughout.

    Attributes
    ----------
    away : ndarray, shape (rows, sets, members)
        Distance of each value from the mean of its set; 0 where there is none.
    there, case : ndarray of bool, shape (rows, sets, members)
        Values of sets that count; those of cases.
    """

    away: np.ndarray
    there: np.ndarray
    case: np.ndarray

    def at(self, rows: np.ndarray | slice) -> _Rows:
        return _Rows(*(part[rows] for part in self))


def stratified_permutation(
    x: np.ndarray,
    y: np.ndarray,
    *,
    sets: Pair,
    alternative: str = "two-sided",
    conf_level: float | None = 0.95,
    n_resamples: int = 9999,
    seed: int = 0,
) -> Statistics:
    """Does it matter who of each matched set is the case?

    Null hypothesis: within each set the values of cases and controls are exchangeable. Estimand: the difference of means of
    cases and controls of one set (on a log scale the ratio of geometric means), the same in all sets. Nothing is assumed of the
    shape of the values or of what differs between sets; the interval assumes that cases differ by a shift only.

    Parameters
    ----------
    x, y : ndarray, shape (..., analytes, n1), (..., analytes, n2)
        Values of cases and controls on the analysis scale, or changes; NaN is missing. Also a single row, shapes (n1,) and
        (n2,).
    sets : tuple of ndarray of int
        Matched set of each member of `x` and of `y`, shapes (..., n1) and (..., n2), the same for all analytes; below 0: none.
    alternative : {"two-sided", "greater", "less"}
        Of `x` relative to `y`.
    conf_level : float or None
        None leaves the interval out.
    n_resamples : int
        Arrangements to draw. Rows that have no more than these in all get every one of them instead.
    seed : int
        Of the random arrangements, which are the same for all rows and replicates of one seed, as far as their members are.

    Returns
    -------
    Statistics
        Of shape (..., analytes). ``statistic`` is T over its standard deviation under all permutations; ``std_error`` that of
        the set-effects estimate over the sets that count (`stratified`), NaN where no degree of freedom is left. All NaN with a
        note where no set has values of both kinds (NO_SET), or these are the same within each set (NO_VARIATION).

    Notes
    -----
    T is the sum over the cases of value less mean of its set; sets of one kind do not count. The estimate is T over the sum of
    mk/(m + k) of the sets of m cases and k controls: that of `stratified`, of whose t statistic T is a monotone function, since
    the sum of squares within sets does not change. Two-sided, size is that of T without its sign. Equals
    ``coin::oneway_test(value ~ group | set)`` in R.

    p is (b + 1)/(n + 1), where b of the n other arrangements have a T at least as extreme, so it is never 0 and the test keeps
    its level with any number of arrangements (Phipson and Smyth 2010). With all arrangements, n + 1 is their number.
    T is at least as extreme where it falls short by no more than 1e-12 of the sum of all distances from set means plus 4 units
    in the last place of all values: more than the rounding of T can be, and far less than steps between values.

    The interval holds the shifts that neither one-sided test rejects at half of 1 - `conf_level`. A shift d of the cases takes
    dC from T and dC* from the T* of another arrangement, and C - C* is K, the number of cases who are none there. T* is then
    at least as high as T where d is at least (T - T*)/K: the ends are order statistics of these ratios, each of them the
    difference of means between the cases that give way and the controls that take their place. An arrangement with K = 0
    counts at every shift. Where there are too few arrangements for the level, the interval is infinite, with a note
    (INTERVAL_OPEN). Where T has a skewed distribution (sets that are not 1:1), a two-sided p, which is by the size of T as in
    coin, and the interval, which is by both one-sided tests, can disagree: 5 sets of 1:2 can have a p of .156 beside a 95%
    interval from .05 to 1.5. Ties and zeros need no care; values beyond a limit must have been replaced.

    Random arrangements: member j of set s, counted from 0, has a random key in each; of the members with a value, as many as
    there are cases, by the smallest keys, are the cases. Keys come from ``SeedSequence(seed, spawn_key=(block, s))``, 8192
    arrangements a block, and so do not depend on what else is in the call. Members are counted in the order in which they come,
    cases first, and sets in the order of their numbers: a p of random arrangements is another, within its error of simulation,
    where the subjects of a file come in another order. Names of subjects and of sets do not matter.

    References
    ----------
    Hothorn T, Hornik K, van de Wiel MA, Zeileis A. Am Stat 2006;60:257-263. doi:10.1198/000313006X118430.
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585.
    Garthwaite PH. Biometrics 1996;52:1387-1393. doi:10.2307/2532852 (intervals from permutation tests).

    Examples
    --------
    >>> cases, controls = np.array([5.1, 4.9, 6.2]), np.array([4.0, 4.4, 3.9, 4.7, 5.6, 5.0])
    >>> s = stratified_permutation(cases, controls, sets=(np.arange(3), np.array([0, 0, 1, 1, 2, 2])), conf_level=0.9)
    >>> round(float(s.estimate), 4), round(float(s.p_value), 4), METHODS[s.method]  # 2 of 27
    (0.8, 0.0741, 'all arrangements within sets')
    >>> round(float(s.conf_low), 4), round(float(s.conf_high), 4)
    (0.2, 1.2)
    """
    shape = x.shape[:-1]
    found = np.full((6, prod(shape[:-1]), prod(shape[-1:])), np.nan)
    method, note = np.full(found.shape[1:], -1, dtype=np.int8), np.zeros(found.shape[1:], dtype=np.int64)
    tail = None if conf_level is None else (1 - conf_level) / 2 if alternative == "two-sided" else 1 - conf_level
    for rows, grid in grids(x, y, sets):
        found[:, rows], method[rows], note[rows] = _tested(grid, alternative, tail, n_resamples, seed)
    estimate, std_error, low, high, z, p = (part.reshape(shape) for part in found)
    return Statistics(estimate, std_error, low, high, z, np.full(shape, np.nan), p, method.reshape(shape), note.reshape(shape))


def _tested(
    grid: Grid, alternative: str, tail: float | None, n_resamples: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the numbers (estimate, standard error, low, high, z, p), method and note of one block."""
    n_case, n_control, both = paired_sets(grid.values, grid.case)
    n = np.where(both, n_case + n_control, 0)
    there = ~np.isnan(grid.values) & both[..., None]
    rows = _Rows(_away(grid.values, there, n), there, grid.case & there)
    t, scale = set_sum(rows.away * rows.case), halved(np.where(both, n_case * n_control / np.maximum(n, 1), 0.0))
    of_set = halved(rows.away**2)
    variance = halved(np.where(both, n_case * n_control * of_set / np.maximum(n * (n - 1), 1), 0.0))
    distance, size = set_sum(np.abs(rows.away)), set_sum(np.abs(np.where(there, grid.values, 0.0)))
    flat = distance <= 10 * np.finfo(float).eps * size
    note = np.where(both.any(axis=-1), np.where(flat, int(Note.NO_VARIATION), 0), int(Note.NO_SET))
    with np.errstate(invalid="ignore", divide="ignore"):
        df = np.where(note, np.nan, (n - both).sum(axis=-1) - 1.0)
        left = np.maximum(halved(of_set) - t * t / scale, 0.0)
        std_error = np.where(df > 0, np.sqrt(left / (df * scale)), np.nan)
        found = np.stack([t / scale, std_error, *np.full((2, *t.shape), np.nan), t / np.sqrt(variance), np.full(t.shape, np.nan)])
    found[:, note != 0] = np.nan
    many = _many(n, n_case)
    method = np.where(note, -1, np.where(many <= n_resamples, 0, 1)).astype(np.int8)
    fuzz = 1e-12 * distance + 4 * np.finfo(float).eps * size
    flat_rows = _Rows(*(part.reshape(note.size, *part.shape[-2:]) for part in rows))
    for at, others, lost in _arrangements(flat_rows, method.reshape(-1), n_resamples, seed, tail is not None):
        here = np.unravel_index(at, note.shape)
        answer = _judged(t[here], fuzz[here], others, lost, alternative, tail)
        found[5][here], found[2][here], found[3][here], note[here] = answer
    return found, method, note


def _away(values: np.ndarray, there: np.ndarray, n: np.ndarray) -> np.ndarray:
    values = np.where(there, values, 0.0)
    return np.where(there, values - (halved(values) / np.maximum(n, 1))[..., None], 0.0)


def _many(n: np.ndarray, m: np.ndarray) -> np.ndarray:
    """Return the number of arrangements of each row; sets that do not count, with n = 0, have one."""
    keys, at = np.unique(np.stack([n.reshape(-1), m.reshape(-1)]), axis=1, return_inverse=True)
    of_keys = np.array([min(comb(a, b), 2**53) if a else 1 for a, b in keys.T.tolist()], dtype=np.float64)
    with np.errstate(over="ignore"):
        return of_keys[at.reshape(-1)].reshape(n.shape).prod(axis=-1)


def _judged(
    t: np.ndarray, fuzz: np.ndarray, others: np.ndarray, lost: np.ndarray | None, alternative: str, tail: float | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return p, both ends and the note from the sums of the other arrangements, (rows, n), and their numbers of cases lost."""
    n, nan = others.shape[1], np.full(t.shape, np.nan)
    gap = t[:, None] - others
    gap[np.abs(gap) <= fuzz[:, None]] = 0.0
    if alternative == "two-sided":
        extreme = np.abs(others, out=others) >= (np.abs(t) - fuzz)[:, None]
    else:
        extreme = gap <= 0 if alternative == "greater" else gap >= 0
    p = (np.count_nonzero(extreme, axis=1) + 1) / (n + 1)
    if tail is None or lost is None:
        return p, nan, nan, np.zeros(t.shape, dtype=np.int64)
    k = min(n, int(tail * (n + 1) * (1 + 1e-12)))  # a tail of .04999... and 20 arrangements make 1
    same = lost == 0
    with np.errstate(invalid="ignore", divide="ignore"):
        gap /= lost
    low, high = np.full(t.shape, -np.inf), np.full(t.shape, np.inf)
    if k and alternative != "less":
        low = np.partition(np.where(same, -np.inf, gap), k - 1, axis=1)[:, k - 1]
    if k and alternative != "greater":
        high = np.partition(np.where(same, np.inf, gap), n - k, axis=1)[:, n - k]
    open_end = (np.isinf(low) & (alternative != "less")) | (np.isinf(high) & (alternative != "greater"))
    return p, low, high, np.where(open_end, int(Note.INTERVAL_OPEN), 0)


def _arrangements(
    rows: _Rows, method: np.ndarray, n_resamples: int, seed: int, with_lost: bool
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray | None]]:
    """Yield rows, the sums of their other arrangements, and how many cases are none there; in blocks that bound the memory.

    The number of cases that stay is a sum like the others, of a row whose values are 1 for cases and 0 for controls.
    """
    codes_of = _coder(n_resamples, seed, rows.there.shape[-1])
    for exact in (True, False):
        asked = np.flatnonzero(method == (0 if exact else 1))
        for at in _grouped(rows, asked) if exact else ([asked] if len(asked) else []):
            n = n_resamples if not exact else int(_many(rows.there[at[:1]].sum(axis=-1), rows.case[at[:1]].sum(axis=-1))[0])
            step = max(1, _HELD // n)
            for some in (at[i : i + step] for i in range(0, len(at), step)):
                part = rows.at(some)
                alike, which = _patterns(part) if with_lost else (part.at(slice(0)), np.zeros(0, dtype=np.intp))
                whole = _Rows(*(np.concatenate(pair) for pair in zip(part, alike, strict=True)))
                sums = _every(whole) if exact else _drawn(whole, codes_of)
                lost = alike.case.sum(axis=(1, 2))[:, None] - sums[len(some) :]
                yield some, sums[: len(some)], (lost if len(lost) == 1 else lost[which]) if with_lost else None


def _grouped(rows: _Rows, asked: np.ndarray) -> Iterator[np.ndarray]:
    """Yield rows with as many cases and controls in each of their sets, which have the same arrangements."""
    if not len(asked):
        return
    counts = np.stack([part[asked].sum(axis=-1) for part in (rows.there, rows.case)], axis=-1)
    of_rows = np.unique(counts.reshape(len(asked), -1), axis=0, return_inverse=True)[1].reshape(-1)
    for group in range(of_rows.max() + 1):
        yield asked[of_rows == group]


def _patterns(rows: _Rows) -> tuple[_Rows, np.ndarray]:
    """Return one row for each pattern of values and cases, with 1 for cases and 0 for controls, and the pattern of each row."""
    codes = (rows.there.astype(np.int8) + rows.case).reshape(len(rows.there), -1)
    if (codes == codes[:1]).all():
        first, which = np.zeros(1, dtype=np.intp), np.zeros(len(codes), dtype=np.intp)
    else:
        _, first, which = np.unique(codes, axis=0, return_index=True, return_inverse=True)
    part = rows.at(first)
    return part._replace(away=part.case * 1.0), which.reshape(-1)


def _every(rows: _Rows) -> np.ndarray:
    """Return the sums of all arrangements but the one observed, shape (rows, n); all rows have as many of each kind."""
    front = np.argsort(~rows.there, axis=-1, kind="stable")  # values before gaps, and so cases before controls
    away = np.take_along_axis(rows.away, front, axis=-1)
    sums = np.zeros((len(away), 1))
    for s, (n, m) in enumerate(zip(rows.there[0].sum(axis=-1).tolist(), rows.case[0].sum(axis=-1).tolist(), strict=True)):
        if n:
            chosen = np.array(list(combinations(range(n), m)))
            of_set = away[:, s, chosen[:, 0]]
            for i in range(1, m):
                of_set = of_set + away[:, s, chosen[:, i]]
            sums = (sums[:, :, None] + of_set[:, None, :]).reshape(len(away), -1)
    return sums[:, 1:]  # the first arrangement has the first m of each set, who are the cases


def _drawn(rows: _Rows, codes_of: Callable[[_Sets], np.ndarray]) -> np.ndarray:
    """Return the sums of random arrangements, shape (rows, n).

    A sum starts from all cases at the last value of their set, and goes up by the step to each other value that is drawn.
    """
    last = rows.there.shape[-1] - 1 - np.argmax(rows.there[..., ::-1], axis=-1)
    base = np.take_along_axis(rows.away, last[..., None], axis=-1)
    steps, start = np.where(rows.there, rows.away - base, 0.0), halved(rows.case.sum(axis=-1) * base[..., 0])
    _, which = _patterns(rows)
    drawn = []
    for group in (np.flatnonzero(which == i) for i in range(which.max() + 1)):
        counting = _counting(rows.there[group[0]], rows.case[group[0]])
        of_set, member = np.array([(s, j) for s, members, _ in counting for j in members[:-1]]).T
        for some in (group[i : i + _TOGETHER] for i in range(0, len(group), _TOGETHER)):
            drawn.append(_chosen(start[some], steps[some][:, of_set, member], codes_of(counting)))
    return drawn[0] if len(drawn) == 1 else np.concatenate(drawn)[np.argsort(np.argsort(which, kind="stable"))]


def _coder(n_resamples: int, seed: int, members: int) -> Callable[[_Sets], np.ndarray]:
    """Return a function from the sets that count to all labels of their members, as `_chosen` takes them.

    Rows share what they have in common, whole patterns or single sets, as far as it can be kept.
    """
    labels = lru_cache(max(1, _LABELS // max(1, min(n_resamples, CHUNK) * members)))(partial(_labels, seed))
    blocks = [(first // CHUNK, min(CHUNK, n_resamples - first)) for first in range(0, n_resamples, CHUNK)]

    def codes(counting: _Sets) -> np.ndarray:
        parts = [_bytes(np.concatenate([labels(*block, *a_set) for a_set in counting])) for block in blocks]
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    return lru_cache(1)(codes)


def _bytes(labels: np.ndarray) -> np.ndarray:
    """Return eight labels to a byte, the first the lowest: what ``np.packbits(labels, axis=0)`` does, several times as fast."""
    codes = np.zeros((-(-len(labels) // 8), labels.shape[1]), dtype=np.uint8)
    for bit in range(8):
        own = labels[bit::8]
        codes[: len(own)] |= own.view(np.uint8) << bit
    return codes


def _chosen(start: np.ndarray, steps: np.ndarray, codes: np.ndarray) -> np.ndarray:
    """Return `start` and the steps that are chosen, added up, shape (rows, arrangements).

    Parameters
    ----------
    start : ndarray, shape (rows,)
    steps : ndarray, shape (rows, members)
    codes : ndarray of uint8, shape (members / 8, arrangements)
        A bit for each member, eight to a byte: the sums of all choices among eight are looked up (the method of the four
        Russians), and added in order, so that no row depends on another.
    """
    tables = []
    for i in range(0, steps.shape[1], 8):
        table = start[:, None] if i == 0 else np.zeros((len(steps), 1))
        for step in steps[:, i : i + 8].T:
            table = np.concatenate([table, table + step[:, None]], axis=1)
        tables.append(table)
    out = np.empty((len(steps), codes.shape[1]))
    width = max(1, _BLOCK_VALUES // len(steps))
    for a in range(0, codes.shape[1], width):
        code = codes[:, a : a + width]
        total = tables[0].take(code[0], axis=1)
        more = np.empty_like(total)
        for table, byte in zip(tables[1:], code[1:], strict=True):
            total += table.take(byte, axis=1, out=more, mode="clip")  # no byte is too large; other modes make a copy
        out[:, a : a + width] = total
    return out


def _counting(there: np.ndarray, case: np.ndarray) -> _Sets:
    """Return the sets that count in a row."""
    sizes = case.sum(axis=-1).tolist()
    return tuple((s, tuple(np.flatnonzero(there[s]).tolist()), m) for s, m in enumerate(sizes) if m)


def _labels(seed: int, block: int, size: int, s: int, members: tuple[int, ...], m: int) -> np.ndarray:
    """Return whether each member of a set but the last is a case in each of `size` arrangements, shape (members - 1, size)."""
    keys = _keys(seed, block, s, members[-1] + 1, size)[list(members)]
    least = keys.min(axis=0) if m == 1 else np.partition(keys, m - 1, axis=0)[m - 1]
    return keys[:-1] <= least


def _keys(seed: int, block: int, s: int, members: int, size: int) -> np.ndarray:
    """Return random keys, shape (members, size), no two of an arrangement alike; more members leave those before as they are."""
    stream = np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(block, s)))
    keys = stream.random_raw(members * size).reshape(members, size) >> np.uint64(_MEMBER_BITS) << np.uint64(_MEMBER_BITS)
    return keys | np.arange(members, dtype=np.uint64)[:, None]


STRATIFIED_PERMUTATION = {
    "stratified_permutation": Test(
        name="stratified_permutation",
        function=stratified_permutation,
        label="a permutation test within matched sets",
        questions=(BASELINE, BETWEEN),
        paired=False,
        rules=NUMBER_RULES,
        estimand="mean",
        conf_type="order statistics",
        methods=METHODS,
        r_call='coin::oneway_test(value ~ group | set, distribution = "approximate")',
        reference="Hothorn T, Hornik K, van de Wiel MA, Zeileis A. Am Stat 2006;60:257-263. doi:10.1198/000313006X118430",
        takes=("sets", "resamples"),
        sets="both",
    ),
}
