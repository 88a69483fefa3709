"""Which members of which matched set does each row compare? Sets of one shape side by side, rows last."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..arrays import Note
from .censored_normal import total
from .linear import TOLERANCE
from .sets import Pair, grid_of

ROUNDING = 10 * np.finfo(float).eps  # of the largest value of a row: so small a difference is none
CONSTANT = 1e-12  # of its norm: a column that varies no more within sets is constant there
USUAL = 40  # powers of 2: values that spread more or less than 2**40 are scaled, so that no product overflows


class Shape(NamedTuple):
    """Sets of one shape: so many cases, so many controls; the first set, and that after the last."""

    cases: int
    controls: int
    start: int
    stop: int


class Members(NamedTuple):
    """Members of sets, row by row.

    Attributes
    ----------
    value : ndarray, shape (members, sets, rows)
        Of sets sorted by their shape; each begins with its cases. NaN where a value is missing, where a set has no such member,
        and in all of a set that lacks a case or a control in that row.
    columns : ndarray, shape (q, members, sets, rows)
        Covariates.
    shapes : tuple of Shape
    """

    value: np.ndarray
    columns: np.ndarray
    shapes: tuple[Shape, ...]

    def of(self, rows: np.ndarray | slice) -> Members:
        """Return some of the rows, which do not repeat and are in order."""
        if not isinstance(rows, slice) and len(rows) == self.value.shape[-1]:
            return self
        return Members(self.value[..., rows], self.columns[..., rows], self.shapes)

    def without(self, gone: np.ndarray) -> Members:
        """Return them without some members, and without the sets that then lack a case or a control."""
        value = np.where(gone, np.nan, self.value)
        return Members(_informative(value, self.shapes), self.columns, self.shapes)


def members_of(x: np.ndarray, y: np.ndarray, sets: Pair, covariates: Pair | None) -> Members:
    """Sort values and covariates into sets, and sets by their shape.

    Parameters
    ----------
    x, y : ndarray, shape (replicates, analytes, n1), (replicates, analytes, n2)
    sets : tuple of ndarray of int, shapes (replicates, n1), (replicates, n2)
    covariates : tuple of ndarray, optional
        Shapes (replicates, q, n1), (replicates, q, n2).

    Returns
    -------
    Members
        Rows are replicates x analytes. A row has the same sums, value by value, whatever stands beside it: what fills up comes
        last in its shape and adds nothing.
    """
    grid = grid_of(x, y, sets, covariates)
    blank_x, blank_y = (np.zeros((len(part), 1, part.shape[-1])) for part in (x, y))
    there = ~np.isnan(grid_of(blank_x, blank_y, sets).values)
    place, shapes = _sorted_by_shape(grid.case[:, 0], there[:, 0])
    lead, width = x.shape[:2], there.shape[-1]

    def rows_last(part: np.ndarray, blank: float) -> np.ndarray:
        """Take (replicates, analytes, sets, members) to (members, sets, rows)."""
        if place.shape[-1] == part.shape[2] and (place == np.arange(place.shape[-1])).all():
            taken = part
        else:
            part = np.concatenate([part, np.full((*part.shape[:2], 1, width), blank)], axis=2)
            taken = np.take_along_axis(part, np.broadcast_to(place, (len(part), place.shape[-1]))[:, None, :, None], axis=2)
        wide = np.broadcast_to(taken, (*lead, *taken.shape[2:]))
        return np.ascontiguousarray(wide.transpose(3, 2, 0, 1)).reshape(width, place.shape[-1], -1)

    value = rows_last(grid.values, np.nan)
    columns = np.zeros((0, *value.shape))
    if grid.columns is not None and grid.columns.shape[2]:
        columns = np.stack([rows_last(column[:, None], 0.0) for column in np.moveaxis(grid.columns[:, 0], 1, 0)])
    return Members(_informative(value, shapes), columns, shapes)


def _sorted_by_shape(case: np.ndarray, there: np.ndarray) -> tuple[np.ndarray, tuple[Shape, ...]]:
    """Return which set comes at each place (replicates or 1, places), one past the last for none, and the shapes."""
    cases = case.sum(axis=-1)
    controls = there.sum(axis=-1) - cases
    if (cases == cases[:1]).all() and (controls == controls[:1]).all():
        cases, controls = cases[:1], controls[:1]
    code = np.where((cases > 0) & (controls > 0), cases * (case.shape[-1] + 1) + controls, 0)
    order = np.argsort(code, axis=-1, kind="stable")
    ordered = np.take_along_axis(code, order, axis=-1)
    place, shapes, stop = [], [], 0
    for kind in np.unique(code[code > 0]):
        own = ordered == kind
        most = int(own.sum(axis=-1).max())
        first = np.argmax(own, axis=-1)[:, None] + np.arange(most)
        inside = np.minimum(first, code.shape[-1] - 1)
        taken = np.take_along_axis(own, inside, axis=-1) & (first == inside)
        place.append(np.where(taken, np.take_along_axis(order, inside, axis=-1), code.shape[-1]))
        n_case, n_control = divmod(int(kind), case.shape[-1] + 1)
        shapes.append(Shape(n_case, n_control, stop, stop + most))
        stop += most
    return np.concatenate(place, axis=-1) if place else np.zeros((1, 0), dtype=np.intp), tuple(shapes)


def _informative(value: np.ndarray, shapes: tuple[Shape, ...]) -> np.ndarray:
    """Blank the sets that lack a case or a control."""
    for shape in shapes:
        part = value[:, shape.start : shape.stop]
        there = ~np.isnan(part)
        both = there[: shape.cases].any(axis=0) & there[shape.cases :].any(axis=0)
        if not both.all():
            part[:, ~both] = np.nan
    return value


class Extent(NamedTuple):
    """Lowest and highest value of cases and of controls in each set, (sets, rows); NaN where a set does not count.

    `noise` (rows,) is what a difference of equal values can be by rounding.
    """

    low_case: np.ndarray
    high_case: np.ndarray
    low_control: np.ndarray
    high_control: np.ndarray
    noise: np.ndarray

    def of(self, rows: np.ndarray) -> Extent:
        """Return that of some rows."""
        return Extent(*(part[..., rows] for part in self))

    @property
    def spread(self) -> np.ndarray:
        """Return the widest set of each row; -inf where no set counts."""
        wide = np.maximum(self.high_case, self.high_control) - np.minimum(self.low_case, self.low_control)
        return np.fmax.reduce(wide, axis=0, initial=-np.inf)

    @property
    def separated(self) -> np.ndarray:
        """Return 1 where no case lies under a control of its set, -1 where none lies above, 0 else; some must differ."""
        up, down = self.low_case - self.high_control, self.high_case - self.low_control  # NaN: neither below nor above
        rise = ~(up < -self.noise).any(axis=0) & (down > self.noise).any(axis=0)
        fall = ~(down > self.noise).any(axis=0) & (up < -self.noise).any(axis=0)
        return rise.astype(np.int64) - fall


def extent_of(members: Members) -> Extent:
    """Return the extent of values in each set."""
    value, shapes = members.value, members.shapes
    ends = np.full((4, *value.shape[1:]), np.nan)
    for n_case, n_control, start, stop in shapes:
        cases, controls = value[:n_case, start:stop], value[n_case : n_case + n_control, start:stop]
        for k, (part, end) in enumerate(((cases, np.fmin), (cases, np.fmax), (controls, np.fmin), (controls, np.fmax))):
            end.reduce(part, axis=0, out=ends[k, start:stop])
    size = np.fmax(np.fmax.reduce(ends[1::2], axis=(0, 1), initial=0.0), -np.fmin.reduce(ends[::2], axis=(0, 1), initial=0.0))
    return Extent._make([*ends, ROUNDING * size])


class Design(NamedTuple):
    """Columns of each row's model, (p, members, sets, rows), the value last; 0 where there is no member.

    A coefficient of the value is that of its column over `unit` (rows,). `note` tells why there is no model, or ALIASED.
    """

    columns: np.ndarray
    there: np.ndarray
    unit: np.ndarray
    note: np.ndarray

    def of(self, rows: np.ndarray) -> Design:
        """Return that of some rows."""
        if len(rows) == len(self.note):  # rows do not repeat, and are in order
            return self
        return Design(*(part[..., rows] for part in self))

    @property
    def blocked(self) -> np.ndarray:
        """Rows without a model."""
        return (self.note & ~int(Note.ALIASED)) != 0


def design_of(members: Members, extent: Extent) -> Design:
    """Make covariates orthogonal within sets, each to those before it, and the value to all.

    Coefficient, information and profile of the value are the same for any columns that span the same covariates. A column that
    others tell is 0.
    """
    there = ~np.isnan(members.value)
    spread = extent.spread
    none, flat = ~there.any(axis=(0, 1)), ~(spread > extent.noise)
    note = np.where(none, int(Note.NO_SET), np.where(flat, int(Note.NO_VARIATION), 0))
    _, power = np.frexp(np.where(flat, 1.0, spread))
    power = np.where(np.abs(power) > USUAL, power, 0)
    value = np.where(there, members.value, 0.0)
    if power.any():
        value = np.ldexp(value, -power)
    unit = np.ldexp(1.0, power)
    if not len(members.columns):
        return Design(value[None], there, unit, note)
    n = np.maximum(there.sum(axis=0), 1)
    basis: list[np.ndarray] = []
    aliased = np.zeros(len(note), dtype=bool)
    for column in members.columns:
        entered = np.where(there, column, 0.0)
        left, varies = _centred(entered, there, n, CONSTANT)
        left, norm = _orthogonal(left, basis)
        aliased |= varies & (norm == 0)
        basis.append(left)
    left, norm = _orthogonal(_centred(value, there, n, 0.0)[0], basis)
    note = np.where((note == 0) & (norm == 0), int(Note.VALUE_TOLD), note)
    note = np.where((note == 0) & aliased, int(Note.ALIASED), note)
    return Design(np.stack([*basis, left]), there, unit * np.where(norm > 0, norm, 1.0), note)


def _sum(a: np.ndarray) -> np.ndarray:
    """Sum over members, then sets, one by one whatever the layout."""
    return total(total(a.reshape(len(a), -1)).reshape(a.shape[1:])) if a.size else np.zeros(a.shape[-1])


def _centred(column: np.ndarray, there: np.ndarray, n: np.ndarray, least: float) -> tuple[np.ndarray, np.ndarray]:
    """Return a column less its means of sets, 0 where that is rounding error, and whether it is not."""
    left = np.where(there, column - total(column.reshape(len(column), -1)).reshape(n.shape) / n, 0.0)
    varies = np.sqrt(_sum(left * left)) > least * np.sqrt(_sum(column * column))
    return np.where(varies, left, 0.0), varies


def _orthogonal(left: np.ndarray, basis: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return what the basis leaves of a column, of length 1, and its length before; 0 where the basis leaves nothing."""
    own = np.sqrt(_sum(left * left))
    for _ in range(2):  # the second time for what rounding left
        for other in basis:
            left = left - other * _sum(other * left)
    norm = np.sqrt(_sum(left * left))
    norm = np.where(norm > TOLERANCE * own, norm, 0.0)
    with np.errstate(divide="ignore"):
        return left * np.where(norm > 0, 1 / norm, 0.0), norm
