"""Statistics for matched case-control cytokine studies."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # for editors and type checkers; tests/test_docs.py holds it equal to _PUBLIC
    from . import plots
    from .analysis import Analysis, analyze, change_between, change_within, compare_baseline
    from .balance import balance_table
    from .checks.check_report import CheckReport
    from .checks.library import run_checks
    from .checks.study_checks import check_study
    from .config import load_study
    from .correlations import correlation_table
    from .design import Design
    from .errors import AnalysisWarning, CytokineError, OptionError, PanelError, StudyError
    from .matching import match_controls
    from .multiplicity import adjust_pvalues
    from .panel import Panel, State
    from .plan import Plan
    from .plate_effects import PlateCheck, plate_check
    from .questions import Baseline, ChangeBetween, ChangeWithin
    from .readers import read_panel
    from .report.checks import write_checks
    from .report.writing import write_report
    from .results import Results
    from .shared_result import CommonShift
    from .shared_signal import common_shift
    from .side_by_side import SideBySide, change_side_by_side
    from .simulation.comparison import PlanComparison, compare_plans
    from .simulation.error_rates import ErrorRates, certify
    from .simulation.patterns import Pattern
    from .simulation.scenario import Scenario, load_scenario
    from .study import Study
    from .summaries import descriptives

__version__ = "0.1.0"

# Public name -> module that holds it ("": it is one itself); loaded on first use, so that the import costs nothing.
_PUBLIC = {
    # data in
    "Panel": "panel",
    "State": "panel",
    "read_panel": "readers",
    "load_study": "config",
    # design
    "Design": "design",
    "Study": "study",
    "balance_table": "balance",
    "match_controls": "matching",
    # plan
    "Plan": "plan",
    "Baseline": "questions",
    "ChangeWithin": "questions",
    "ChangeBetween": "questions",
    # analysis
    "compare_baseline": "analysis",
    "change_within": "analysis",
    "change_between": "analysis",
    "change_side_by_side": "side_by_side",
    "SideBySide": "side_by_side",
    "analyze": "analysis",
    "Analysis": "analysis",
    "descriptives": "summaries",
    "correlation_table": "correlations",
    "plate_check": "plate_effects",
    "PlateCheck": "plate_effects",
    "common_shift": "shared_signal",
    "CommonShift": "shared_result",
    "Results": "results",
    "adjust_pvalues": "multiplicity",
    # simulation
    "Scenario": "simulation.scenario",
    "load_scenario": "simulation.scenario",
    "Pattern": "simulation.patterns",
    "certify": "simulation.error_rates",
    "ErrorRates": "simulation.error_rates",
    "compare_plans": "simulation.comparison",
    "PlanComparison": "simulation.comparison",
    # review
    "check_study": "checks.study_checks",
    "run_checks": "checks.library",
    "CheckReport": "checks.check_report",
    # show
    "plots": "",
    "write_report": "report.writing",
    "write_checks": "report.checks",
    # errors
    "CytokineError": "errors",
    "PanelError": "errors",
    "StudyError": "errors",
    "OptionError": "errors",
    "AnalysisWarning": "errors",
}

__all__ = ["__version__", *_PUBLIC]


def __getattr__(name: str) -> Any:
    if name in _PUBLIC:
        module = importlib.import_module(f".{_PUBLIC[name] or name}", __name__)
        value = getattr(module, name) if _PUBLIC[name] else module
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
