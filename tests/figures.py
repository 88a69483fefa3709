"""What must hold of a drawn figure."""

from __future__ import annotations

from matplotlib.figure import Figure


def fits(figure: Figure) -> None:
    figure.draw_without_rendering()
    box, page = figure.get_tightbbox(), figure.get_size_inches()
    assert box.x0 > -0.01
    assert box.y0 > -0.01
    assert box.x1 < page[0] + 0.01
    assert box.y1 < page[1] + 0.01
