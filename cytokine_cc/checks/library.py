"""run_checks: does this library do what it says? For reviewers."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence

from ..errors import one_of, true_or_false, workers
from ..versions import versions
from .agreement import AGREEMENT
from .check_report import Check, CheckReport, Finding, found, report_of
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

    What is compared with R goes through the public verbs, from the text of a file to the adjusted p-value: reading, pairing,
    limits, logarithms, tests and corrections are all inside what is checked. No check needs R, a network or a file of yours.

    Parameters
    ----------
    level : {"quick", "full"}
        "quick" takes some seconds; "full" some minutes, and adds long simulations.
    n_jobs : int
        Workers, as joblib counts them: 1, 2, ...; -1 for all cores. They are processes that share the checks out, since most
        checks are many small steps of Python. No verdict depends on them.
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
    must be those printed. Shares found by simulation must lie within four Monte Carlo errors of what is expected, these errors
    worked out from what is expected; seeds are fixed.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> report = cc.run_checks("quick", n_jobs=1)  # doctest: +SKIP
    >>> report.passed  # doctest: +SKIP
    True
    """
    one_of("level", level, LEVELS)
    jobs = workers("n_jobs", n_jobs)
    if progress is not None:
        true_or_false("progress", progress)
    asked = [check for check in CHECKS if check.level == "quick" or level == "full"]
    start = time.perf_counter()
    report = report_of(asked, _findings(asked, jobs, progress))
    seconds = round(time.perf_counter() - start, 1)
    meta = {"what": f"Checks of the library ({level})", "level": level, "seconds": seconds, "versions": dict(versions())}
    return CheckReport(report.table, report.rows, meta)


def _findings(checks: Sequence[Check], jobs: int, progress: bool | None) -> list[Finding]:
    """Carry the checks out, those at length first, so that no worker is left with one at the end."""
    from joblib import Parallel, delayed, effective_n_jobs
    from tqdm import tqdm

    order = sorted(range(len(checks)), key=lambda i: checks[i].level == "quick")
    if effective_n_jobs(jobs) == 1:
        done: Iterable[Finding] = (found(checks[i], (1,)) for i in order)
    else:
        done = Parallel(n_jobs=jobs, return_as="generator")(delayed(_found_by_name)(checks[i].name) for i in order)
    hidden = None if progress is None else not progress
    bar = tqdm(done, total=len(checks), desc="checks", unit="check", disable=hidden, leave=False)
    by_place = dict(zip(order, bar, strict=True))
    return [by_place[i] for i in range(len(checks))]


def _found_by_name(name: str) -> Finding:
    """What a worker is sent: checks hold functions that do not travel."""
    return found(next(check for check in CHECKS if check.name == name), (1,))
