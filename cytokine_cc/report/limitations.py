"""What the data themselves show of their limits: rules, each with its figures; what the data do not show is not said."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..analysis import Analysis
from ..wording import simulated_text
from .document import Block, Bullets, Section, Text
from .limits_of_data import DATA_RULES
from .limits_of_tests import TEST_RULES


def limitations_section(analysis: Analysis) -> Section:
    """Write down what the rules find."""
    items = limitations(analysis)
    intro = (
        "What this study's own figures show. Limits that no data show, such as how cases were found, who took part, how serum "
        "was handled, or what nobody measured, are for the authors to add."
    )
    blocks: list[Block] = [
        Text(intro),
        Bullets(items) if items else Text("None of the rules of this page found anything to say."),
    ]
    return Section("limitations", "Limitations that the data show", blocks)


def limitations(analysis: Analysis) -> list[str]:
    """Return the sentences of all rules.

    Parameters
    ----------
    analysis : Analysis

    Returns
    -------
    list of str
        In the order of `RULES`; empty where the data give no reason.
    """
    return [text for rule in RULES for text in rule(analysis)]


def _simulated(analysis: Analysis) -> Iterator[str]:
    if text := simulated_text(analysis.study):
        yield f"{text} Nothing here is evidence about patients."


RULES: tuple[Callable[[Analysis], Iterator[str]], ...] = (_simulated, *DATA_RULES, *TEST_RULES)
