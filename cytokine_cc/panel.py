"""Panel: measurements as reported, the state of each, and what is known of the limits of detection."""

from __future__ import annotations

import enum
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd

from .errors import AnalysisWarning, Faults, OptionError, PanelError, did_you_mean, quoted
from .labels import NOT_GIVEN, as_labels, as_tuple


class State(enum.IntEnum):
    """What is known of one cell of a panel.

    Attributes
    ----------
    MEASURED
        A number within the limits.
    EXTRAPOLATED
        A number outside the limits, or flagged so by the instrument.
    BELOW
        No number: below the limit of detection.
    ABOVE
        No number: above the upper limit.
    MISSING
        Nothing is known.
    """

    MEASURED = 0
    EXTRAPOLATED = 1
    BELOW = 2
    ABOVE = 3
    MISSING = 4


ROLES = ("subject", "visit", "plate")
_LONG_COLUMNS = ["analyte", "value", "unit", "category", "lower_limit", "upper_limit"]


@dataclass(frozen=True, eq=False)
class Panel:
    """A panel of markers measured in samples, as the laboratory reported it; nothing is substituted.

    Made by `read_panel`. Frames are read-only; methods return new panels.

    Attributes
    ----------
    values : DataFrame, samples x analytes
        float64, in the analyte's unit (or its logarithm, see `logged`); NaN where there is no number.
    state : DataFrame, samples x analytes
        int8 of `State`.
    lower_limit, upper_limit : DataFrame, samples x analytes
        Limits of detection for that cell; NaN where unknown.
    samples : DataFrame
        Index sample id; columns ``subject``, ``visit``, ``plate`` (text; NaN where the file has no plates), then the
        file's other sample columns.
    analytes : DataFrame
        Index analyte; columns ``unit`` and ``category`` (empty where not known).
    fallback_limit, fallback_upper_limit : DataFrame, plates x analytes
        Lowest and highest MEASURED value on each plate of the whole panel as read; what a plan falls back on where a value
        lies beyond a limit that the file does not state. One row named "" where plates are not known. Selections keep it.
    logged : str or None
        "log2", "ln" or "log10" where the values are logarithms already.
    has_plates : bool
        Whether ``samples["plate"]`` was named as the plate of each sample.
    source : str
        File name and sha256, or how the panel was made.
    varies : mapping
        Columns of the file that were not taken because they vary within a sample -> the first places where they do.
    rows : tuple or None
        What each row of the source is called, and the position of each cell's row (analytes or 1, samples); for messages.
    joined : mapping
        Columns that came from a second table -> its name and the row of each sample.
    """

    values: pd.DataFrame
    state: pd.DataFrame
    lower_limit: pd.DataFrame
    upper_limit: pd.DataFrame
    samples: pd.DataFrame
    analytes: pd.DataFrame
    fallback_limit: pd.DataFrame
    fallback_upper_limit: pd.DataFrame
    logged: str | None = None
    has_plates: bool = False
    source: str = ""
    varies: Mapping[str, tuple[dict[str, Any], ...]] = field(default_factory=dict)
    rows: tuple[Any, np.ndarray] | None = None
    joined: Mapping[str, tuple[str, np.ndarray]] = field(default_factory=dict)

    @classmethod
    def from_arrays(
        cls,
        value: np.ndarray,
        state: np.ndarray,
        lower: np.ndarray,
        upper: np.ndarray,
        *,
        samples: pd.DataFrame,
        analytes: pd.DataFrame,
        **facts: Any,
    ) -> Panel:
        """Build a panel from arrays of shape (analytes, samples); limits may be broadcast.

        Parameters
        ----------
        value, state, lower, upper : ndarray, shape (analytes, samples)
            As the attributes of the same names, transposed.
        samples, analytes : DataFrame
            As the attributes.
        **facts
            logged, has_plates, source, varies, rows, joined.

        Returns
        -------
        Panel
        """
        columns = analytes.index
        arrays = {"values": value, "state": state, "lower_limit": lower, "upper_limit": upper}
        frames: dict[str, Any] = {name: _frame(array, samples.index, columns) for name, array in arrays.items()}
        plate = as_labels(samples["plate"]) if facts.get("has_plates") else np.full(len(samples), "", dtype=object)
        lowest, highest = _fallback(value, state, plate, columns)
        return cls(**frames, samples=samples, analytes=analytes, fallback_limit=lowest, fallback_upper_limit=highest, **facts)

    def __repr__(self) -> str:
        shares = self.detection()[["below", "above", "missing"]].mean()
        visits = self.samples["visit"].unique()
        return (
            f"<Panel: {len(self.samples)} samples of {self.samples['subject'].nunique()} subjects at visits {quoted(visits)}, "
            f"{len(self.analytes)} analytes; {shares['below']:.1%} below a limit, {shares['above']:.1%} above, "
            f"{shares['missing']:.1%} missing>"
        )

    @property
    def ignored(self) -> tuple[str, ...]:
        """Columns of the file that were not taken because they vary within a sample."""
        return tuple(self.varies)

    def detection(self) -> pd.DataFrame:
        """Count, for each analyte, the samples below and above the limits and those with no value.

        Returns
        -------
        DataFrame
            Index analyte; ``n`` samples; shares ``below``, ``above``, ``missing`` of them (states BELOW, ABOVE, MISSING);
            counts ``n_measured``, ``n_extrapolated``, ``n_below``, ``n_above``, ``n_missing``.
        """
        state = self.state.to_numpy()
        counts = {f"n_{kind.name.lower()}": (state == kind).sum(axis=0) for kind in State}
        n = len(state)
        shares = {name: counts[f"n_{name}"] / n if n else np.nan for name in ("below", "above", "missing")}
        return pd.DataFrame({"n": n, **shares, **counts}, index=self.analytes.index)

    def select(
        self, *, analytes: Iterable[str] | None = None, subjects: Iterable[Any] | None = None, visits: Iterable[Any] | None = None
    ) -> Panel:
        """Keep some analytes (in the order given), subjects or visits.

        Parameters
        ----------
        analytes, subjects, visits : iterable, optional
            Names to keep; None keeps all.

        Returns
        -------
        Panel
            Fallback limits stay those of the whole panel.

        Raises
        ------
        PanelError
            A name that the panel does not hold.
        OptionError
            An empty list, or an analyte named twice.

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> panel = cc.load_study("quickstart").panel
        >>> panel.select(analytes=["IL-6", "TNF-a"], visits=["baseline"]).values.shape
        (52, 2)
        """
        faults = Faults(PanelError, self.source.partition(" (")[0])
        columns = np.arange(len(self.analytes))
        if analytes is not None:
            wanted = [analytes] if isinstance(analytes, str) else list(analytes)
            known = self.analytes.index
            if len(set(wanted)) < len(wanted):
                raise OptionError(f"`analytes` names an analyte twice: {quoted(wanted)}.")
            columns = known.get_indexer(pd.Index(wanted, dtype=object))
            self._must_hold(faults, "analyte", wanted, known)
        keep = np.ones(len(self.samples), dtype=bool)
        for role, names in (("subject", subjects), ("visit", visits)):
            if names is not None:
                labels = as_tuple(names)
                self._must_hold(faults, role, labels, self.samples[role].unique())
                keep &= self.samples[role].isin(labels).to_numpy()
        faults.raise_if_any()
        rows = np.flatnonzero(keep)
        index = self.samples.index[rows], self.analytes.index[columns]
        frames = [_frame(_take(frame, columns, rows), *index) for frame in self._cells]
        return replace(
            self,
            **dict(zip(("values", "state", "lower_limit", "upper_limit"), frames, strict=True)),
            samples=self.samples.iloc[rows],
            analytes=self.analytes.iloc[columns],
            fallback_limit=self.fallback_limit.iloc[:, columns],
            fallback_upper_limit=self.fallback_upper_limit.iloc[:, columns],
            rows=None if self.rows is None else (self.rows[0], _take_rows(self.rows[1], columns, rows)),
            joined={name: (file, of[rows]) for name, (file, of) in self.joined.items()},
        )

    def origin(self, sample: int, *, column: str | None = None, analyte: int | None = None) -> dict[str, Any]:
        """Say where something stands in the user's files, for a message.

        Parameters
        ----------
        sample : int
            Position in ``samples``.
        column : str, optional
            A sample column.
        analyte : int, optional
            Position in ``analytes``: the cell.

        Returns
        -------
        dict
            ``row`` and, where it is a second table, ``file``; empty where not known.
        """
        if column is not None and column in self.joined:
            file, of = self.joined[column]
            return {"file": file, "row": of[sample]}
        if self.rows is None:
            return {}
        names, positions = self.rows
        own = positions[:, sample] if analyte is None else positions[[analyte if len(positions) > 1 else 0], sample]
        own = own[own >= 0]
        return {"row": names[own.min()]} if len(own) else {}

    def join(self, frame: pd.DataFrame, on: str | Sequence[str], *, name: str = "the second table") -> Panel:
        """Add the columns of a second table, such as clinical data, to the samples.

        Parameters
        ----------
        frame : DataFrame
            One row a subject, or one a subject and visit.
        on : str or pair of str
            Its key column, matched to ``subject``; or two, matched to ``subject`` and ``visit``.
        name : str
            What to call it in messages.

        Returns
        -------
        Panel

        Raises
        ------
        PanelError
            A key column that is absent, a repeated or blank key, a subject of the panel without a row, a column that the
            samples hold already: all in one error.

        Warns
        -----
        AnalysisWarning
            Rows of `frame` that belong to no sample.
        """
        keys = [on] if isinstance(on, str) else list(on) if isinstance(on, Iterable) else []
        if not 1 <= len(keys) <= 2 or not all(isinstance(key, str) for key in keys):
            raise OptionError(f"`on` must be one column (the subject) or a pair (subject, visit); got {on!r}.")
        if not isinstance(frame, pd.DataFrame):
            raise OptionError(f"join() takes a DataFrame; got {type(frame).__name__}.")
        faults = Faults(PanelError, name)
        for key in keys:
            if key not in frame.columns:
                problem = f"no column {key!r} (named as `on`); the columns are {quoted(frame.columns, limit=30)}"
                remedy = f"Name the key column with `on`.{did_you_mean(key, map(str, frame.columns))}"
                faults.add(problem, column=key, remedy=remedy)
        for column in frame.columns[frame.columns.duplicated()].unique():
            faults.add("two columns have this name", column=column, remedy="Rename one of them.")
        faults.raise_if_any()
        names = [column for column in frame.columns if column not in keys]
        for column in names:
            if column in self.samples.columns:
                remedy = "Rename or leave out one of the two."
                faults.add("the samples have a column of this name already", column=column, remedy=remedy)
        key_index = pd.MultiIndex.from_arrays([as_labels(frame[key]) for key in keys])
        roles = ROLES[: len(keys)]
        wanted = pd.MultiIndex.from_arrays([as_labels(self.samples[role]) for role in roles])
        blank = np.array([not set(key_value).isdisjoint(NOT_GIVEN) for key_value in key_index], dtype=bool)
        for position in np.flatnonzero(blank):
            faults.add("the key is blank", row=frame.index[position], column=on, remedy="Fill in the cell or delete the row.")
        for position in np.flatnonzero(key_index.duplicated() & ~blank):
            where = dict(zip(roles, key_index[position], strict=True))
            faults.add("the key occurs more than once", row=frame.index[position], **where, remedy="Keep one row for each.")
        at = key_index.drop_duplicates().get_indexer(wanted) if faults.rows else key_index.get_indexer(wanted)
        for key_value in wanted[at < 0].unique():
            where = dict(zip(roles, key_value, strict=True))
            remedy = "Add the row, or leave the subject out with panel.select(subjects=...)."
            faults.add(f"no row for this {' and '.join(roles)}", **where, remedy=remedy)
        faults.raise_if_any()
        extra = key_index.difference(wanted, sort=False)
        if len(extra):
            shown = quoted([" at visit ".join(key_value) for key_value in extra], limit=6)
            warnings.warn(f"{len(extra)} rows of {name} belong to no sample: {shown}.", AnalysisWarning, stacklevel=2)
        added = frame[names].iloc[at].set_axis(self.samples.index, axis=0)
        rows = frame.index.to_numpy()[at]
        joined = {**self.joined, **dict.fromkeys(names, (name, rows))}
        return replace(self, samples=pd.concat([self.samples, added], axis=1), joined=joined)

    def to_long(self) -> pd.DataFrame:
        """Write the panel as a long table, one row a sample and analyte, from which it can be read again.

        Returns
        -------
        DataFrame
            Columns subject, visit, plate, the other sample columns, analyte, value (text: ``1.04``, ``*1.04``, ``<3.2``,
            ``OOR <``, ``>10000``, ``OOR >`` or empty), unit, category, lower_limit, upper_limit.

        Raises
        ------
        PanelError
            A sample column has the name of one of these columns.

        Notes
        -----
        ``read_panel(panel.to_long(), layout="long", plate="plate", unit="unit", category="category",
        lower_limit="lower_limit", upper_limit="upper_limit", logged=panel.logged)`` gives the same panel; leave out
        ``plate`` where the panel has none. Of a selection, fallback limits are found anew.
        """
        n, m = self.values.shape
        faults = Faults(PanelError, self.source.partition(" (")[0])
        for name in self.samples.columns.intersection(_LONG_COLUMNS):
            remedy = "Rename it before the panel is read."
            faults.add("a sample column has the name of a column of the long table", column=name, remedy=remedy)
        faults.raise_if_any()
        samples = self.samples.iloc[np.repeat(np.arange(n), m)].reset_index(drop=True)
        if not self.has_plates and samples["plate"].isna().all():
            samples["plate"] = ""
        cells = [np.ascontiguousarray(frame.to_numpy()).reshape(-1) for frame in self._cells]
        columns = {
            "analyte": np.tile(self.analytes.index.to_numpy(dtype=object), n),
            "value": _cell_texts(*cells),
            "unit": np.tile(self.analytes["unit"].to_numpy(dtype=object), n),
            "category": np.tile(self.analytes["category"].to_numpy(dtype=object), n),
            "lower_limit": cells[2],
            "upper_limit": cells[3],
        }
        return pd.concat([samples, pd.DataFrame(columns)], axis=1)

    @property
    def _cells(self) -> tuple[pd.DataFrame, ...]:
        return self.values, self.state, self.lower_limit, self.upper_limit

    @staticmethod
    def _must_hold(faults: Faults, role: str, wanted: Sequence[str], known: Iterable[str]) -> None:
        if not len(wanted):
            raise OptionError(f"`{role}s` names nothing; leave it out to keep all.")
        there = set(known)
        for name in wanted:
            if name not in there:
                remedy = did_you_mean(name, known).strip() or f"There are {quoted(known)}."
                faults.add(f"no {role} {name!r} in the panel", found=name, remedy=remedy)


def _frame(array: np.ndarray, index: pd.Index, columns: pd.Index) -> pd.DataFrame:
    """Wrap an (analytes, samples) array as a read-only samples x analytes frame, without a copy."""
    array = array.view()
    array.flags.writeable = False
    return pd.DataFrame(array.T, index=index, columns=columns, copy=False)


def analyte_major(frame: pd.DataFrame) -> np.ndarray:
    """Return a samples x analytes frame as an (analytes, samples) array, without a copy where possible."""
    return frame.to_numpy().T


def is_blank(array: np.ndarray) -> bool:
    """Whether an array of limits is one unknown limit, broadcast."""
    return array.size > 0 and not any(array.strides) and bool(np.isnan(array.flat[0]))


def _take(frame: pd.DataFrame, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    array = analyte_major(frame)
    if is_blank(array):
        return np.broadcast_to(array[:1, :1], (len(columns), len(rows)))
    return array[np.ix_(columns, rows)]


def _take_rows(positions: np.ndarray, columns: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return positions[:, rows] if len(positions) == 1 else positions[np.ix_(columns, rows)]


def _fallback(value: np.ndarray, state: np.ndarray, plate: np.ndarray, columns: pd.Index) -> tuple[pd.DataFrame, pd.DataFrame]:
    names = list(dict.fromkeys(plate)) or [""]
    measured = state == State.MEASURED
    lowest, highest = np.full((2, len(names), len(value)), np.nan)
    for i, name in enumerate(names):
        on = plate == name
        inside, cells = (measured, value) if on.all() else (measured[:, on], value[:, on])
        some = inside.any(axis=1)
        lowest[i] = np.where(some, np.min(cells, axis=1, initial=np.inf, where=inside), np.nan)
        highest[i] = np.where(some, np.max(cells, axis=1, initial=-np.inf, where=inside), np.nan)
    index = pd.Index(names, name="plate")
    return pd.DataFrame(lowest, index=index, columns=columns), pd.DataFrame(highest, index=index, columns=columns)


def _cell_texts(value: np.ndarray, state: np.ndarray, lower: np.ndarray, upper: np.ndarray) -> np.ndarray:
    texts = np.array([repr(number) for number in value.tolist()], dtype=object)
    for i in np.flatnonzero(state != State.MEASURED):
        kind = state[i]
        if kind == State.EXTRAPOLATED:
            texts[i] = f"*{texts[i]}"
        elif kind == State.MISSING:
            texts[i] = ""
        else:
            sign, limit = ("<", lower[i]) if kind == State.BELOW else (">", upper[i])
            texts[i] = f"OOR {sign}" if np.isnan(limit) else f"{sign}{limit.item()!r}"
    return texts
