"""How checks show themselves: a paragraph, and tables rounded for reading."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import pandas as pd

from .words import joined

MOST_NAMES = 8
MOST_ROWS, WIDTH = 12, 160  # that a terminal shows
_MOST_HTML = 500  # rows that a notebook shows


def listed(names: Iterable[str], most: int = MOST_NAMES) -> str:
    """Write names as a list, those beyond the first few counted.

    Examples
    --------
    >>> listed(["IL-6", "IL-8", "TNF-a"]), listed(["IL-6", "IL-8", "TNF-a"], most=2)
    ('IL-6, IL-8 and TNF-a', 'IL-6, IL-8 and 1 more')
    """
    texts = [str(name) for name in names]
    return joined(texts if len(texts) <= most else [*texts[:most], f"{len(texts) - most} more"])


def number(value: float) -> str:
    """Round a number for reading; NaN is empty."""
    return "" if value != value else f"{value:.3g}"


def as_text(head: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Lay out tables below a line, for a terminal."""
    parts = [f"<{head}>"]
    for name, frame in tables.items():
        more = [f"... {len(frame) - MOST_ROWS} more"] if len(frame) > MOST_ROWS else []
        parts += [f"{name}:", frame.head(MOST_ROWS).to_string(index=False, float_format=number, line_width=WIDTH), *more]
    return "\n".join(parts)


def as_html(text: str, tables: Mapping[str, pd.DataFrame]) -> str:
    """Lay out tables below a paragraph, for a notebook."""
    import html

    paragraphs = [html.escape(line) for line in text.splitlines()]
    parts = [f"<p>{'<br>'.join(paragraphs)}</p>"]
    for name, frame in tables.items():
        cut = f" (the first {_MOST_HTML} shown)" if len(frame) > _MOST_HTML else ""
        with pd.option_context("display.max_colwidth", None):  # a sentence cut off is worse than a broad table
            body = frame.head(_MOST_HTML).to_html(index=False, float_format=number, na_rep="", border=0)
        parts.append(f"<p><b>{html.escape(name)}</b>{cut}</p>\n{body}")
    parts.append("<p>Rounded here; the tables have full precision.</p>")
    return "\n".join(parts)
