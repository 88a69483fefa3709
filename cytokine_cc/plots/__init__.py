"""Pictures of studies, results and error rates: each takes what it shows, returns matplotlib Axes, and tests nothing.

Results -> `volcano`, `forest`, `change`, `p_values`. SideBySide -> `side_by_side`. ErrorRates -> `error_rates`.
Study -> `distributions`, `paired_lines`, `detection`, `correlation`, `balance`, `samples`, `plates`.

Without ``ax`` a figure is made that fits, larger where letters are; with it, the picture is drawn there and the figure left as it
is. Letters, ground and what is black on white follow the reader's rcParams, which are never changed; the colours of groups do
not. Several pictures are put together by the one who composes the figure, in inches enough: about 6 x 4.5 for each, and a quarter
of an inch a row::

    figure, axes = plt.subplots(1, 2, figsize=(12, 5), layout="constrained")
    plots.volcano(results, ax=axes[0])
    plots.paired_lines(study, "IL-6", ax=axes[1])

``ax.figure.savefig("volcano.svg")`` writes letters as outlines. To keep them letters, set matplotlib's
``rcParams["svg.fonttype"] = "none"`` before, and for PDF ``rcParams["pdf.fonttype"] = 42``. Names in a script that its
font lacks, such as Chinese, need a font that has it, ``rcParams["font.family"] = ["DejaVu Sans", "Noto Sans CJK SC"]``;
matplotlib warns of each letter that it cannot draw.
"""

from __future__ import annotations

from .effects import change, forest
from .evidence import error_rates, p_values
from .heatmap import correlation
from .levels import distributions, paired_lines
from .models_of_change import side_by_side
from .overview import balance, plates
from .sample_map import samples
from .shares import detection
from .significance import volcano

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
    "side_by_side",
    "volcano",
]
