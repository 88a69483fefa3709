"""correlation_table: which analytes go together."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import pandas as pd

from .arrays import Response, StudyArrays
from .engine import Sides
from .errors import Faults, NonPositiveError, OptionError, StudyError, did_you_mean, one_of, quoted
from .kernels.ranks import midranks
from .labels import as_label
from .limits import respond, tie_beyond
from .study import Study

METHODS = ("spearman", "pearson")
GROUPS = ("case", "control")
LEAST_PAIRS = 3  # two points always lie on a line


def correlation_table(study: Study, *, visit: Any = None, group: str | None = None, method: str = "spearman") -> pd.DataFrame:
    """Which analytes go together, over the subjects at one visit?

    Parameters
    ----------
    study : Study
    visit : str, optional
        A visit of the design; None is the baseline. A baseline of several visits is averaged on the log scale.
    group : {"case", "control"}, optional
        None takes all usable subjects; a difference between the groups then adds to the correlations.
    method : {"spearman", "pearson"}
        "spearman": of ranks; values below a limit are tied lowest, with all numbers under the highest such limit, and values
        above a limit likewise. "pearson": of logs; L/2 stands in for a value below its limit L, the upper limit for one above.

    Returns
    -------
    DataFrame
        Analytes x analytes, in panel order. Each pair rests on the subjects that have both, ranked and tied among
        themselves. NaN where they are fewer than 3, where either analyte does not vary among them, and for an
        analyte with values beyond a limit that nothing tells.

    Raises
    ------
    OptionError
        An unknown visit, group or method.
    StudyError
        A number of 0 or less where logs are taken: "pearson", and the average of several baseline visits.

    Notes
    -----
    Without values beyond a limit it equals R's ``cor(x, use = "pairwise.complete.obs", method = "spearman")``, and
    ``cor(log(x), use = "pairwise.complete.obs")``, but for pairs of two subjects, which are 1 or -1 there. Numbers that
    agree to 12 significant digits are tied, as in the rank tests. Where values are missing, the table need not be positive
    semidefinite. Substituted logs pull a Pearson correlation towards that of the shares below the limit.

    References
    ----------
    Spearman C. Am J Psychol 1904;15:72-101. doi:10.2307/1412159.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> table = cc.correlation_table(cc.load_study("quickstart"))
    >>> table.shape, round(float(table.loc["IL-6", "TNF-a"]), 3)
    ((18, 18), -0.091)
    """
    one_of("method", method, METHODS)
    if group is not None:
        one_of("group", group, GROUPS)
    if not isinstance(study, Study):
        raise OptionError(f"`study` must be a Study; got {type(study).__name__}.")
    visits = visit_slice(study, visit)
    try:
        values = _values(study.arrays, visits, method)
    except NonPositiveError as error:
        _explain(study, visits, method, error)
    if group is not None:
        values = Sides(study.arrays).part(values, group)
    table = _all_pairs(values, _Ranks if method == "spearman" else _Numbers)
    lost = values.unknown.any(axis=-1)
    table[lost] = table[:, lost] = np.nan
    return pd.DataFrame(table, index=study.analytes, columns=study.analytes)


def visit_slice(study: Study, visit: Any) -> slice:
    """Return where a visit stands in the arrays of a study; None is the baseline, all of it."""
    n = len(study.baseline_visits)
    places = {study.baseline: slice(0, n)}
    places |= {label: slice(i, i + 1) for i, label in enumerate((*study.baseline_visits, *study.visits))}
    label = study.baseline if visit is None else as_label(visit)
    if label not in places:
        raise OptionError(f"`visit`: no visit {label!r}; there are {quoted(places)}.{did_you_mean(label, places)}")
    return places[label]


def _values(arrays: StudyArrays, visits: slice, method: str) -> Response:
    rows = slice(0, arrays.n_analytes)
    if method == "pearson":
        return respond(arrays, visits, rows, "half", "ln")
    averaged = visits.stop - visits.start > 1
    return respond(arrays, visits, rows, "lowest_rank", "ln" if averaged else arrays.logged or "raw")


def _explain(study: Study, visits: slice, method: str, error: NonPositiveError) -> NoReturn:
    """Name all cells that have no logarithm, and raise."""
    faults = Faults(StudyError, study.panel.source.partition(" (")[0])
    labels = (*study.baseline_visits, *study.visits)
    other = "method='spearman'" if method == "pearson" else "one visit of the baseline at a time (visit=...)"
    for v, a, s in error.cells.tolist():
        v += visits.start
        value, limit = (float(array[v, a, s]) for array in (study.arrays.value, study.arrays.lower))
        faults.add(
            "zero and negative values have no logarithm",
            subject=study.subjects.index[s],
            visit=labels[v],
            analyte=study.analytes[a],
            **study.panel.origin(int(study.sample_at[v, s]), analyte=a),
            found=f"{value:g}" if value == value else f"a limit of {limit:g}",
            remedy=f"If they mean 'not detected', say so when reading: codes={{'0': 'below'}}; or use {other}.",
        )
    faults.raise_if_any()
    raise error


class _Ranks:
    """Ranks among any part of the subjects, without sorting anew: sorted once, counted in that order."""

    def __init__(self, values: Response):
        self.values = values
        tied, cost_low, cost_high = tie_beyond(values, ~np.isnan(values.y))
        down, up = np.isneginf(values.y), np.isposinf(values.y)
        floor = np.where(down, values.high, -np.inf).max(axis=-1, keepdims=True, initial=-np.inf)
        ceiling = np.where(up, values.low, np.inf).min(axis=-1, keepdims=True, initial=np.inf)
        # Numbers are tied as in the whole row as long as one of these takes part.
        self.lowest = (down & (values.high == floor)) | (cost_low == 0)[:, None]
        self.highest = (up & (values.low == ceiling)) | (cost_high == 0)[:, None]
        self.costly = (cost_low + cost_high) > 0
        ranks = midranks(tied.y)[0]
        self.order = np.argsort(ranks, axis=-1, kind="stable")
        ordered = np.take_along_axis(ranks, self.order, axis=-1)
        n = ordered.shape[-1]
        new, at = ordered[:, 1:] != ordered[:, :-1], np.arange(n)
        edge = np.ones((len(ranks), 1), dtype=bool)
        first, last = np.concatenate([edge, new], axis=-1), np.concatenate([new, edge], axis=-1)
        # How many values lie below each one, and how many do not lie above it.
        self.under, self.upto = np.empty((2, *ranks.shape), dtype=np.intp)
        np.put_along_axis(self.under, self.order, np.maximum.accumulate(at * first, axis=-1), axis=-1)
        upto = n - np.maximum.accumulate(((n - 1 - at) * last)[:, ::-1], axis=-1)[:, ::-1]
        np.put_along_axis(self.upto, self.order, upto, axis=-1)

    def among(self, rows: slice, pair: np.ndarray) -> np.ndarray:
        """Return doubled ranks less their mean, whole numbers (so that their products are exact); 0 outside the pair."""
        count = np.zeros((len(pair), pair.shape[-1] + 1), dtype=np.int32)
        np.cumsum(_pick(pair, self.order[rows]), axis=-1, out=count[:, 1:])
        ranks = _pick(count, self.under[rows]) + _pick(count, self.upto[rows]) - count[:, -1:]
        x = ranks * pair.astype(np.float64)
        if self.costly[rows].any():
            as_whole = (self.lowest[rows] & pair).any(axis=-1) & (self.highest[rows] & pair).any(axis=-1)
            anew = np.flatnonzero(~as_whole)
            x[anew] = self._tied_anew(np.broadcast_to(np.arange(rows.start, rows.stop), len(x))[anew], pair[anew])
        return x

    def _tied_anew(self, rows: np.ndarray, pair: np.ndarray) -> np.ndarray:
        parts = {name: getattr(self.values, name)[rows] for name in ("y", "low", "high")}
        y = np.where(pair, tie_beyond(self.values._replace(**parts), pair)[0].y, np.nan)
        return np.where(pair, 2 * midranks(y)[0] - (pair.sum(axis=-1, keepdims=True) + 1), 0.0)


def _pick(array: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Take along the last axis, by an index for each row or one for all."""
    if len(index) == 1:
        return array.take(index[0], axis=-1)
    return array.take(index + array.shape[-1] * np.arange(len(array))[:, None])


class _Numbers:
    """Numbers among any part of the subjects."""

    def __init__(self, values: Response):
        self.y = values.y

    def among(self, rows: slice, pair: np.ndarray) -> np.ndarray:
        """Return numbers less their mean; 0 outside the pair, and exactly 0 where they do not vary."""
        y = np.broadcast_to(self.y[rows], pair.shape)
        first = np.take_along_axis(y, pair.argmax(axis=-1)[:, None], axis=-1)
        y = np.where(pair, y - first, 0.0)
        n = np.maximum(pair.sum(axis=-1, keepdims=True), 1)
        return np.where(pair, y - y.sum(axis=-1, keepdims=True) / n, 0.0)


def _all_pairs(values: Response, kind: type[_Ranks] | type[_Numbers]) -> np.ndarray:
    """Correlate rows: those without a missing value by one product, each other one with all before it."""
    here = ~np.isnan(values.y)
    some = here.any(axis=0)  # a subject without any value is in no pair
    order = np.argsort(~here[:, some].all(axis=-1), kind="stable")
    values = Response(*(array[:, some][order] for array in values))
    here = ~np.isnan(values.y)
    m, n = here.shape
    whole, among = int(here.all(axis=-1).sum()), kind(values).among
    table = np.full((m, m), np.nan)
    x = among(slice(0, whole), here[:whole])
    products = x @ x.T
    size = np.diag(products)
    table[:whole, :whole] = _ratio(products, size[:, None], size, np.array(n))
    for i in range(whole, m):
        pair = here[: i + 1] & here[i]
        x, z = among(slice(i, i + 1), pair), among(slice(0, i + 1), pair)
        xz, xx, zz = (np.einsum("ij,ij->i", a, b) for a, b in ((x, z), (x, x), (z, z)))
        table[i, : i + 1] = table[: i + 1, i] = _ratio(xz, xx, zz, pair.sum(axis=-1))
    back = np.argsort(order)
    return table[np.ix_(back, back)]


def _ratio(xz: np.ndarray, xx: np.ndarray, zz: np.ndarray, n: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(n >= LEAST_PAIRS, np.clip(xz / np.sqrt(xx * zz), -1.0, 1.0), np.nan)
