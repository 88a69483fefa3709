"""check_study: facts of a study's data, before any test."""

from __future__ import annotations

import time

from ..errors import OptionError
from ..plan import Plan
from ..study import Study
from ..versions import versions
from ..wording import simulated_text
from . import copies, detectable, limits_known, matched, mixups, numbers, outliers, plans, plates, units, visits
from .check_report import CheckReport, carry_out

STUDY_CHECKS = tuple(
    check
    for module in (copies, mixups, numbers, limits_known, plates, units, outliers, matched, visits, plans, detectable)
    for check in module.CHECKS
)


def check_study(study: Study, plan: Plan | None = None) -> CheckReport:
    """Do the data of this study look as they should, before anything is tested?

    Parameters
    ----------
    study : Study
    plan : Plan, optional
        What is to be asked. None: the default plan for the design.

    Returns
    -------
    CheckReport
        One row a check, "pass", "warn" (look at it), "fail" (surely wrong, or no analysis has a meaning) or "not applicable" (and
        why); ``rows`` name subject, visit, plate, set, analyte and, where they are known, file and row.

    Raises
    ------
    OptionError
        `study` is no Study, or `plan` no Plan.

    Notes
    -----
    Facts only: no check chooses an analysis, and nothing is left out or changed. In 100 studies of each of seven sound
    scenarios none failed; a fault that was not there was warned of in at most 6% of them by any one check ("outlying
    samples"; limits that differ by plate, shares below limits and power at hand are facts of a scenario and apart from this).
    How often each check speaks, and how often it sees a planted fault, is measured in ``benchmarks/study_checks.py``.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> report = cc.check_study(cc.load_study("quickstart"))
    >>> report.passed
    True
    """
    if not isinstance(study, Study):
        raise OptionError(
            f"check_study() takes a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study()."
        )
    if plan is not None and not isinstance(plan, Plan):
        raise OptionError(
            f"`plan` must be a Plan; got {type(plan).__name__}. Put questions into one: Plan(baseline=Baseline(...))."
        )
    if plan is None or (plan == Plan() and not study.visits):
        plan = plans.default_plan(study)
    start = time.perf_counter()
    report = carry_out(STUDY_CHECKS, (study, plan))
    source = study.panel.source
    name = "" if source in ("", "DataFrame") else f" ({source.partition(' (')[0]})"
    meta = {
        "what": f"Checks of the study{name}",
        "source": source,
        "simulated": simulated_text(study),
        "seconds": time.perf_counter() - start,
        "versions": dict(versions()),
    }
    return CheckReport(report.table, report.rows, meta)
