"""Counts of a block as bytes, for a file or another machine: what they belong to, who made them, and a sum that shows damage."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from ..versions import versions

_START = b"cytokine_cc block 1 "
_DIGEST = 64  # letters of a SHA-256
_APART = ("__init__.py", "checks", "cli.py", "plots", "readers", "report")  # sources that no simulation runs
_KINDS = "biuf"  # truth values and numbers; nothing that could be code


class Unreadable(Exception):
    """Bytes that are not what `pack` made."""


@cache
def made_by() -> Mapping[str, str]:
    """Return what decides the digits of a simulation: versions, and the sources that compute, which change between versions."""
    known = dict(versions())
    digest = hashlib.sha256()
    folder = Path(__file__).parent.parent
    paths = [path for path in folder.rglob("*.py") if path.relative_to(folder).parts[0] not in _APART]
    for path in sorted(paths):
        digest.update(path.relative_to(folder).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return {name: known[name] for name in ("cytokine_cc", "numpy", "scipy")} | {"source": digest.hexdigest()[:16]}


def pack(results: Sequence[Sequence[Mapping[str, Any]]], key: str, replicates: range) -> bytes:
    """Write results as bytes.

    Parameters
    ----------
    results : sequence of tuples of mappings
        Each mapping: name -> array or number. A `Tally` is such a tuple.
    key : str
        What the results belong to.
    replicates : range

    Returns
    -------
    bytes
        A line with a SHA-256 of the rest; a line of JSON; the arrays, integers as short as they go, compressed.

    Examples
    --------
    >>> import numpy as np
    >>> data = pack([({"hits": np.array([3, 0])},)], "a key", range(64))
    >>> unpack(data, tuple)["results"]
    [({'hits': array([3, 0])},)]
    """
    raw: list[bytes] = []

    def put(name: str, value: Any) -> list[Any]:
        array = np.asarray(value)
        if array.dtype.kind not in _KINDS:
            raise TypeError(f"{name!r} holds {array.dtype}, not numbers")
        short = _short(array)
        raw.append(short.tobytes())
        return [name, array.dtype.str, short.dtype.str, list(array.shape)]

    layout = [[[put(name, value) for name, value in part.items()] for part in result] for result in results]
    head = {"key": key, "replicates": [replicates.start, replicates.stop], "made_by": dict(made_by()), "layout": layout}
    body = json.dumps(head).encode() + b"\n" + zlib.compress(b"".join(raw), 1)
    return _START + hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def head_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """Return the line of JSON and the compressed rest; `Unreadable` where a bit has changed, or it is not what `pack` writes."""
    end = len(_START) + _DIGEST
    if not data.startswith(_START) or data[end : end + 1] != b"\n":
        raise Unreadable("not a block")
    body = data[end + 1 :]
    if hashlib.sha256(body).hexdigest().encode() != data[len(_START) : end]:
        raise Unreadable("damaged")
    line, _, rest = body.partition(b"\n")
    try:
        head = json.loads(line)
    except ValueError as error:
        raise Unreadable(str(error)) from None
    kinds = {"key": str, "replicates": list, "made_by": dict, "layout": list}
    if not isinstance(head, dict) or any(not isinstance(head.get(name), kind) for name, kind in kinds.items()):
        raise Unreadable("another head")
    if not head["layout"]:
        raise Unreadable("no results")
    return head, rest


def unpack(data: bytes, record: Callable[..., Any]) -> dict[str, Any]:
    """Read what `pack` wrote.

    Parameters
    ----------
    data : bytes
    record : callable
        Makes a result of its mappings: `Tally`, or another NamedTuple; tuple for a plain one.

    Returns
    -------
    dict
        key, replicates, made_by, results.

    Raises
    ------
    Unreadable
        Cut short, changed in any bit, or not what `pack` writes.
    """
    head, rest = head_of(data)
    try:
        arrays = _arrays(zlib.decompress(rest), head.pop("layout"))
        results = [record(result) if record is tuple else record(*result) for result in arrays]
    except (KeyError, TypeError, ValueError, AttributeError, zlib.error) as error:
        raise Unreadable(str(error)) from None
    return {**head, "results": results}


def _short(array: np.ndarray) -> np.ndarray:
    """Return whole numbers of 0 or more in the shortest type that holds them."""
    if array.dtype.kind not in "iu" or not array.size or array.min() < 0:
        return array
    return array.astype(np.min_scalar_type(int(array.max())))


def _arrays(raw: bytes, layout: Sequence[Any]) -> list[list[dict[str, np.ndarray]]]:
    at = 0

    def take(wanted: str, stored: str, shape: Sequence[int]) -> np.ndarray:
        nonlocal at
        if np.dtype(stored).kind not in _KINDS:
            raise ValueError("not numbers")
        found = np.ndarray(shape, np.dtype(stored), raw, at)
        at += found.nbytes
        return found.astype(np.dtype(wanted))

    arrays = [[{name: take(*kind) for name, *kind in part} for part in result] for result in layout]
    if at != len(raw):
        raise ValueError("more numbers than arrays")
    return arrays


def differences(there: Any, here: Any, path: str = "") -> Iterator[tuple[str, Any, Any]]:
    """Yield the places in which two plain values differ: dotted name, what stands there, and here (None: nothing).

    Examples
    --------
    >>> list(differences({"a": {"b": 1, "c": 2}}, {"a": {"c": 2, "b": 3}}))
    [('order of a', ['b', 'c'], ['c', 'b']), ('a.b', 1, 3)]
    """
    if isinstance(there, Mapping) and isinstance(here, Mapping):
        if list(there) != list(here) and set(there) == set(here):
            yield f"order of {path}", list(there), list(here)
        for name in {**there, **here}:
            yield from differences(there.get(name), here.get(name), f"{path}.{name}" if path else str(name))
    elif there != here:
        yield path, there, here
