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
_BLOCK_VALUES = 200_000


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
    ((36, 36), 0.0)
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
    table = _spearman(values) if method == "spearman" else _pearson(values)
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
        faults.add(
            "zero and negative values have no logarithm",
            subject=study.subjects.index[s],
            visit=labels[v],
            analyte=study.analytes[a],
            **study.panel.origin(int(study.sample_at[v, s]), analyte=a),
            found=f"{study.arrays.value[v, a, s]:g}",
            remedy=f"If they mean 'not detected', say so when reading: codes={{'0': 'below'}}; or use {other}.",
        )
    faults.raise_if_any()
    raise error


def _spearman(values: Response) -> np.ndarray:
    complete = ~np.isnan(values.y).any(axis=-1)
    tied = tie_beyond(values, ~np.isnan(values.y))[0].y
    ranks = midranks(tied)[0]
    n = tied.shape[-1]
    table = np.full((len(tied),) * 2, np.nan)
    # Doubled, the ranks less their mean are whole numbers: their products are exact.
    table[np.ix_(complete, complete)] = _of_products(2 * ranks[complete] - (n + 1), n)
    return table


def _of_products(x: np.ndarray, n: int) -> np.ndarray:
    products = x @ x.T
    size = np.diag(products)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.clip(products / np.sqrt(size[:, None] * size), -1, 1) if n >= LEAST_PAIRS else np.full(products.shape, np.nan)


def _pearson(values: Response) -> np.ndarray:
    return pd.DataFrame(values.y.T).corr(min_periods=LEAST_PAIRS).to_numpy(copy=True)
