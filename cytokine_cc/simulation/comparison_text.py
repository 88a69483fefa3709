"""What a comparison of plans says in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from ..shown import listed, number
from ..words import counted

ERRORS = 2.0  # paired Monte Carlo errors beyond which a difference is spelled out
_BY_CHANCE = 0.0455  # share of differences beyond two errors where there are none
_MANY = 10  # differences, of which a share by chance is a number to give
_MOST_NAMES = 4
_ROUNDING = 1e-9


def head_text(frame: pd.DataFrame, n_plans: int, meta: Mapping[str, Any]) -> str:
    """Say what was compared, and how many differences are more than chance.

    Parameters
    ----------
    frame : DataFrame
        Differences.
    n_plans : int
    meta : mapping
        Of the comparison; may be empty.

    Returns
    -------
    str
    """
    n_sim = meta.get("n_sim")
    number_of = "study" if n_sim == 1 else f"{n_sim:,} studies" if n_sim is not None else ""
    studies = f"{number_of} of {meta.get('scenario')!r}" if number_of else "simulated studies"
    start = f"{counted(n_plans, 'plan')} on the same {studies}; the reference is {meta.get('reference', 'the first')}."
    same = (frame["estimate"] == 0) & (frame["mcse"] == 0)
    judged = frame[frame["mcse"].notna() & ~same]
    if frame.empty:
        return f"{start} Nothing is compared here."
    untold = int(_untold(frame).sum())
    rest = [f"{counted(untold, 'difference')} cannot be judged, having no Monte Carlo error."] if untold else []
    if not len(judged):
        seen = [] if _only_untold(frame) else ["No difference was seen."]
        return " ".join([start, *seen, *rest])
    chance = f"by chance alone about {_BY_CHANCE * len(judged):.0f} would" if len(judged) > _MANY else "1 in 22 would by chance"
    count = f"{_is_beyond(judged).sum()} of {counted(len(judged), 'difference')}"
    gone = f"; {counted(int(same.sum()), 'other')} never showed any" if same.any() else ""
    return " ".join([start, f"Beyond {ERRORS:g} paired Monte Carlo errors: {count} ({chance}){gone}.", *rest, *_gain(judged)])


def plan_sentences(frame: pd.DataFrame) -> Iterator[str]:
    """Say of each plan, in a line for each comparison, where it differs from the reference."""
    beyond = frame[_is_beyond(frame)]
    for name in frame["plan"].unique():
        own = beyond[beyond["plan"] == name]
        if own.empty:
            yield f"{name}: {'nothing can be judged' if _only_untold(frame[frame['plan'] == name]) else 'no such difference'}."
        for where, rows in own.groupby(["question", "contrast", "visit"], sort=False):
            yield f"{name}: {', '.join(dict.fromkeys(filter(None, where)))}: {'; '.join(_differences(rows))}."


def _differences(beyond: pd.DataFrame) -> Iterator[str]:
    for row in beyond[beyond["analyte"] == ""].to_dict("records"):
        yield _row_text(row)
    for measure, rows in beyond[beyond["analyte"] != ""].groupby("measure", sort=False):
        sides = (("higher", rows["estimate"] > 0), ("lower", rows["estimate"] < 0))
        ways = [f"{way} for {listed(rows.loc[side, 'analyte'], _MOST_NAMES)}" for way, side in sides if side.any()]
        yield f"{measure} by analyte {' and '.join(ways)}"


def _is_beyond(frame: pd.DataFrame) -> np.ndarray:
    """Flag what two equal plans would hardly show.

    The error is taken about 0, as in McNemar's test: four studies that tell plans apart, all the same way, are no evidence yet.
    """
    size, n = frame["estimate"].abs(), frame["n_sim"].astype("float64")
    return (size > ERRORS * np.sqrt(frame["mcse"] ** 2 + size**2 / n) * (1 + _ROUNDING)).to_numpy()


def _untold(frame: pd.DataFrame) -> pd.Series:
    """Flag differences that may be chance or not: without an error, as from one study, or not to be had at all."""
    return frame["mcse"].isna() & (frame["estimate"] != 0)


def _only_untold(frame: pd.DataFrame) -> bool:
    """Whether there are differences, and not one of them has an error."""
    return bool(frame["mcse"].isna().all() and (frame["estimate"].abs() > 0).any())


def _row_text(row: Mapping[Any, Any]) -> str:
    way = "higher" if row["estimate"] > 0 else "lower"
    return f"{row['measure']} {way} by {number(abs(row['estimate']))} (+-{number(row['mcse'])})"


def _gain(judged: pd.DataFrame) -> Iterator[str]:
    """Say how much smaller the paired errors are."""
    some = judged[(judged["mcse"] > 0) & (judged["mcse_independent"] > 0)]
    if len(some):
        gain = float((some["mcse_independent"] / some["mcse"]).median())
        yield f"Paired errors are {number(gain)} times smaller than those of separate runs (median)."
