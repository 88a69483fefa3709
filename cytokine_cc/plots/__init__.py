"""Pictures of studies, results and error rates: each takes what it shows, returns matplotlib Axes, and tests nothing.

Results -> `volcano`, `forest`, `change`, `p_values`. ErrorRates -> `error_rates`. Study -> `distributions`, `paired_lines`,
`detection`, `correlation`, `balance`, `samples`, `plates`.

Without ``ax`` a figure is made that fits; with it, the picture is drawn there and the figure left as it is. Texts and sizes
follow the reader's rcParams, which are never changed.
"""

from __future__ import annotations

from .effects import change, forest, volcano
from .evidence import error_rates, p_values
from .levels import distributions, paired_lines
from .overview import balance, correlation, plates, samples
from .shares import detection

__all__ = [
    "balance",
    "change",
    "correlation",
    "detection",
    "distributions",
    "error_rates",
    "forest",
    "p_values",
    "paired_lines",
    "plates",
    "samples",
    "volcano",
]
