"""Who has a sample at which visit, and what was measured in it."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.patches import Patch

from ..errors import OptionError
from ..panel import State
from ..study import Study
from .drawing import FAINT, axes_for, ink, one_line, plain, short

CELLS = ("no sample", "no value", "some", "all")
_COLOURS = ("white", "#e3e3e3", "#9ecae1", "#2b6cb0")  # of CELLS; lighter is less, also in grey
_TALLEST, _ROW, _NAMED_ROW, _HEADER = 7.5, 0.15, 0.1, 0.26  # inches
_VISIT_WIDTH, _REASON_WIDTH, _NAME_WIDTH = 12, 26, 18  # characters


def samples_data(study: Study) -> pd.DataFrame:
    """Return what `samples` draws: one row a subject and visit of the panel, in the order drawn.

    Columns subject; block ("case", "control", "left out"); reason (why left out); visit; analysed (whether the design names
    the visit); n_values, n_missing (analytes); cell, one of "all" (a value, beyond a limit or not, of every analyte that has a
    value in some sample), "some", "no value", "no sample".
    """
    if not isinstance(study, Study):
        raise OptionError(f"samples() takes a Study; got {type(study).__name__}.")
    panel = study.panel
    there = panel.state.to_numpy() != State.MISSING
    values, known = there.sum(axis=1), int(there.any(axis=0).sum())
    own = (*study.baseline_visits, *study.visits)
    visits = [*own, *(label for label in dict.fromkeys(panel.samples["visit"]) if label not in own)]
    reasons = dict(study.excluded[["subject", "reason"]].itertuples(index=False))
    roles = study.subjects["role"].to_dict()
    keys = zip(panel.samples["subject"], panel.samples["visit"], strict=True)
    found = {key: int(count) for key, count in zip(keys, values, strict=True)}
    m = len(study.analytes)
    rows = []
    for subject in [*roles, *reasons]:
        for visit in visits:
            n = found.get((subject, visit))
            cell = "no sample" if n is None else "all" if n == known > 0 else "some" if n else "no value"
            count = (0, 0) if n is None else (n, m - n)
            rows.append((subject, roles.get(subject, "left out"), reasons.get(subject, ""), visit, visit in own, *count, cell))
    names = ["subject", "block", "reason", "visit", "analysed", "n_values", "n_missing", "cell"]
    data = pd.DataFrame(rows, columns=names)
    return _ordered(data, len(visits))


def _ordered(data: pd.DataFrame, visits: int) -> pd.DataFrame:
    """Put those with most samples first within each block, so that gaps stand together; else as in the panel."""
    codes = pd.Categorical(data["cell"], CELLS).codes.astype(np.int64).reshape(-1, visits)
    block = pd.Categorical(data["block"], ("case", "control", "left out")).codes.reshape(-1, visits)[:, 0]
    keys = [*(-codes[:, v] for v in reversed(range(visits))), -(codes > 0).sum(axis=1), block]
    order = np.lexsort(keys)
    return data.iloc[(order[:, None] * visits + np.arange(visits)).reshape(-1)].reset_index(drop=True)


def samples(study: Study, *, ax: Axes | None = None) -> Axes:
    """Who has a sample at which visit?

    Parameters
    ----------
    study : Study
    ax : Axes, optional

    Returns
    -------
    Axes
        Subjects x visits: cases, controls, and those that were left out, with the reason. Dark where every analyte has a value
        (beyond a limit or not; those without a value in any sample are not asked for, and counted below), light where some
        are missing, grey where all are, white where there is no sample. Above each block its number of samples by visit. Within
        a block subjects with the same samples stand together; their names are written where they can be read.

    Raises
    ------
    OptionError
        No Study.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> from cytokine_cc import plots
    >>> ax = plots.samples(cc.load_study("quickstart"))
    >>> [label.get_text() for label in ax.get_xticklabels()]
    ['baseline', 'month6']
    """
    data = samples_data(study)
    visits = list(dict.fromkeys(data["visit"]))
    blocks = [part for _, part in data.groupby(pd.Categorical(data["block"], ("case", "control", "left out")), observed=True)]
    n = len(data) // len(visits)
    header = _HEADER * len(blocks)
    inside = ax is not None
    height = n * _ROW if n * _ROW + header <= _TALLEST else _TALLEST - header
    ax = axes_for(ax, 3.2 + max(1.0 * len(visits), 1.4), height + header + 1.4)
    if inside:
        box = ax.get_window_extent().transformed(ax.figure.dpi_scale_trans.inverted())
        height = max(box.height - header, box.height / 2)
    row = height / n
    top, names, places = 0.0, [], []
    for part in blocks:
        top += _HEADER / row
        codes = pd.Categorical(part["cell"], CELLS).codes.reshape(-1, len(visits))
        _block(ax, codes, top, row)
        _header(ax, part, visits, top - 0.06 / row)
        ax.text(1.02, top + len(codes) / 2, _block_text(study, part), transform=ax.get_yaxis_transform(), va="center")
        names += list(dict.fromkeys(part["subject"]))
        places += [top + i + 0.5 for i in range(len(codes))]
        top += len(codes)
    _axis(ax, data, visits, top)
    if row >= _NAMED_ROW:
        ax.set_yticks(places, [one_line(name, _NAME_WIDTH) for name in names], fontsize=min(7.5, 72 * row * 0.8))
    else:
        ax.set(yticks=[], ylabel=f"{n:,} subjects")
    _legend(ax, data, study)
    return ax


def _block(ax: Axes, codes: np.ndarray, top: float, row: float) -> None:
    rows, visits = codes.shape
    x, y = np.arange(visits + 1) - 0.5, top + np.arange(rows + 1)
    lines = {"edgecolors": FAINT, "linewidth": 0.4} if row >= 0.04 else {"linewidth": 0}
    ax.pcolormesh(x, y, codes, cmap=ListedColormap(_COLOURS), vmin=-0.5, vmax=3.5, rasterized=codes.size > 3000, **lines)
    ax.plot(x[[0, -1, -1, 0, 0]], y[[0, 0, -1, -1, 0]], color=ink(ax), lw=0.6, clip_on=False)


def _header(ax: Axes, part: pd.DataFrame, visits: Sequence[str], y: float) -> None:
    there = part[part["cell"] != "no sample"]["visit"].value_counts()
    for v, visit in enumerate(visits):
        ax.text(v, y, f"{there.get(visit, 0):,}", ha="center", va="bottom", fontsize="small")


def _block_text(study: Study, part: pd.DataFrame) -> str:
    subjects = part.drop_duplicates("subject")
    n, block = len(subjects), part["block"].iloc[0]
    if block != "left out":
        name = "\n".join(textwrap.wrap(plain(getattr(study.design, block)), _REASON_WIDTH)[:3])
        return f"{name}\n{n:,} {block}{'' if n == 1 else 's'}"
    kinds = subjects["reason"].str.replace(r"^matched set .* has no (\w+) .*", r"no \1 left in the matched set", regex=True)
    lines = [line for kind, k in kinds.value_counts().items() for line in textwrap.wrap(f"{k:,} {plain(kind)}", _REASON_WIDTH)]
    return "\n".join([f"{n:,} left out:", *lines[:8]])


def _axis(ax: Axes, data: pd.DataFrame, visits: Sequence[str], bottom: float) -> None:
    analysed = dict(zip(data["visit"], data["analysed"], strict=True))
    texts = [short(visit, _VISIT_WIDTH) + ("" if analysed[visit] else "\n(not analysed)") for visit in visits]
    ax.set_xticks(range(len(visits)), texts, fontsize="small")
    ax.xaxis.tick_top()
    ax.set(xlim=(-0.5, len(visits) - 0.5), ylim=(bottom, 0))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


def _legend(ax: Axes, data: pd.DataFrame, study: Study) -> None:
    counts, state = data["cell"].value_counts(), study.panel.state.to_numpy()
    never = int((state == State.MISSING).all(axis=0).sum())
    m = state.shape[1] - never
    texts = {"all": f"all {m} analytes" if m > 1 else "with a value", "some": "some analytes missing", "no value": "no value"}
    handles = [
        Patch(
            facecolor=colour,
            edgecolor=ink(ax),
            lw=0.6,
            label=f"{texts.get(cell, cell)} ({counts[cell]:,}{' samples' if cell == 'all' else ''})",
        )
        for cell, colour in reversed(list(zip(CELLS, _COLOURS, strict=True)))
        if counts.get(cell, 0)
    ]
    if never:
        text = f"{never:,} analyte{'' if never == 1 else 's'} without any value not counted"
        handles.append(Patch(facecolor="none", edgecolor="none", label=text))
    ax.legend(handles=handles, loc="upper left", bbox_to_anchor=(-0.02, 0), frameon=False, fontsize="small", handlelength=1.2)
