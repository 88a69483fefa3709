"""run_checks: does this library do what it says? For reviewers."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from numbers import Integral
from typing import Any

from ..errors import OptionError, one_of, true_or_false
from ..versions import versions
from .agreement import AGREEMENT
from .check_report import Check, CheckReport, carry_out
from .described import DESCRIBED
from .invariance import INVARIANCE
from .promises import PROMISES
from .rates import RATES
from .reproducibility import REPRODUCIBILITY
from .textbook import TEXTBOOK
from .traps import TRAPS

LEVELS = ("quick", "full")
CHECKS: tuple[Check, ...] = (*AGREEMENT, *TEXTBOOK, *DESCRIBED, *INVARIANCE, *TRAPS, *PROMISES, *RATES, *REPRODUCIBILITY)


def run_checks(level: str = "quick", *, n_jobs: int = -1, progress: bool | None = None) -> CheckReport:
    """Does this library, as it is installed here, do what it says?

    Everything goes through the public verbs, from the text of a file to the adjusted p-value: reading, pairing, limits,
    logarithms, tests and corrections are all inside what is checked. No check needs R, a network or a file of yours.

    Parameters
    ----------
    level : {"quick", "full"}
        "quick" takes some seconds; "full" some minutes, and adds long simulations.
    n_jobs : int
        Workers of the simulations, as joblib counts them: 1, 2, ...; -1 for all cores. No verdict depends on them.
    progress : bool, optional
        A progress bar on standard error. None: if that is a terminal.

    Returns
    -------
    CheckReport
        One row a check: what is expected and why, what was observed, the verdict ("pass" or "fail") and where the
        expectation comes from. ``rows`` names the first numbers that differ. ``passed``, ``assert_passing()``.

    Raises
    ------
    OptionError
        An unknown level, or `n_jobs` that is no number of workers.

    Notes
    -----
    Numbers agree with R to a relative 1e-10 where a formula gives them, and to 1e-6 where both sides iterate. Printed numbers
    must be those printed. Shares found by simulation must lie within four of their Monte Carlo errors; seeds are fixed.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> report = cc.run_checks("quick", n_jobs=1)  # doctest: +SKIP
    >>> report.passed  # doctest: +SKIP
    True
    """
    one_of("level", level, LEVELS)
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, Integral) or n_jobs == 0:
        raise OptionError(f"`n_jobs` must be a number of workers, such as 1 or 2, or -1 for all cores; got {n_jobs!r}.")
    if progress is not None:
        true_or_false("progress", progress)
    asked = [check for check in CHECKS if check.level == "quick" or level == "full"]
    start = time.perf_counter()
    report = carry_out(_shown(asked, progress), (int(n_jobs),))
    seconds = round(time.perf_counter() - start, 1)
    meta = {"what": f"Checks of the library ({level})", "level": level, "seconds": seconds, "versions": dict(versions())}
    return CheckReport(report.table, report.rows, meta)


def _shown(checks: Sequence[Check], progress: bool | None) -> Iterator[Check]:
    """Go through the checks behind a progress bar."""
    from tqdm import tqdm

    bar: Any = tqdm(checks, desc="checks", unit="check", disable=None if progress is None else not progress, leave=False)
    for check in bar:
        bar.set_postfix_str(check.name)
        yield check
