"""Pictures of a study as a whole: correlation, balance, who has which sample, plates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from ..balance import balance_table
from ..correlations import correlation_table
from ..errors import OptionError
from ..study import Study
from .drawing import COLOURS, axes_for, height_of, name_rows, plain, strip


def correlation(
    study: Study | pd.DataFrame, *, visit: Any = None, group: str | None = None, method: str = "spearman", ax: Axes | None = None
) -> Axes:
    """Show which analytes go together."""
    table = study if isinstance(study, pd.DataFrame) else correlation_table(study, visit=visit, group=group, method=method)
    ax = axes_for(ax, 6.5, 6.5)
    ax.pcolormesh(table.to_numpy(), vmin=-1, vmax=1, cmap="PuOr_r")
    return ax


def balance(study: Study | pd.DataFrame, *, threshold: float = 0.1, ax: Axes | None = None) -> Axes:
    """Show how well the groups agree on covariates."""
    table = study if isinstance(study, pd.DataFrame) else balance_table(study)
    ax = axes_for(ax, 5.2, height_of(len(table)))
    rows = name_rows(ax, [" ".join(pair) for pair in table[["covariate", "level"]].to_numpy()])
    ax.plot(table["std_difference"], rows, "o")
    ax.axvline(threshold)
    strip(ax)
    return ax


def samples(study: Study, *, ax: Axes | None = None) -> Axes:
    """Show which subject has a sample at which visit."""
    ax = axes_for(ax, 4, 6)
    ax.pcolormesh(np.asarray(study.sample_at >= 0).T.astype(float))
    return ax


def plates(study: Study, *, visit: Any = None, ax: Axes | None = None) -> Axes:
    """Show how many cases and controls are on each plate."""
    if not study.panel.has_plates:
        raise OptionError("plates(): the study names no plates.")
    ax = axes_for(ax, 5, 3)
    counts = study.panel.samples["plate"].value_counts()
    ax.barh([plain(name) for name in counts.index], counts, color=COLOURS["case"])
    return ax
