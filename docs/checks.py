"""Write docs/checks.md, all checks with what they expect and why, from the checks themselves: `python docs/checks.py`."""

from __future__ import annotations

from pathlib import Path

from cytokine_cc.checks.check_report import Check
from cytokine_cc.checks.library import CHECKS
from cytokine_cc.checks.study_checks import STUDY_CHECKS

FOLDER = Path(__file__).parent
INTRODUCTION = """\
# Checks

Written by `python docs/checks.py` from the checks themselves.

```sh
cytokine-cc check                      # does this library, on this machine, do what it says?
cytokine-cc check study.toml           # the data of a study, before any test, with the plan of its file
cytokine-cc check study.toml --full --out checks/   # both, the library at length, and a page
```

In Python: `cc.run_checks("quick")`, `cc.check_study(study, plan)`, `cc.write_checks(report, folder)`;
`report.assert_passing()` stops a script. The command's exit code is 1 when a check fails, 2 when the input cannot be read.

- **pass**; **warn**: look at it before you rely on the numbers; **fail**: what was expected does not hold; **n/a**: cannot
  be told here, and why. Each row says what was expected, why, what was observed, and where the expectation comes from;
  `rows` name file, row, subject, visit, plate, set and analyte of what shows it.
- No check changes data or chooses an analysis. To pass them all proves nothing: they know the faults that someone thought of.
"""
STUDY = """\
## The data of a study

"fail" is for what is surely wrong, or leaves no analysis a meaning; all else that one should look at is "warn". How often
each speaks on sound simulated studies, and how often it sees a planted fault, is measured by
`python benchmarks/study_checks.py` ([figures](../benchmarks/README.md)).
"""
LIBRARY = """\
## The library

What is compared with R goes through the public verbs, from the text of a laboratory's file to the corrected p-value. A check
at length is the check of the same name on more studies. Tests plant faults in the library, one at a time, and hold that
the quick run turns red for each (`tests/test_planted_faults.py`). Not touched by these checks, but by the tests of the
project: `common_shift`, `plots`, `write_report`, `write_checks`, `check_study`.
"""
_AGREES = "as R: "
_AS_R = (
    "**as R: every test, all corrections, descriptives** (agreement with R)",
    "On small stored studies: numbers of subjects, estimate, standard error, degrees of freedom, statistic, p, interval and "
    "corrected p, as far as the test has them, equal R's: to a relative 1e-10 where a formula gives them, to 1e-6 where both "
    "sides iterate.",
    "Each row says whether an R function was run, or the formulas of the source written out in R, which share no code with this "
    "library either.",
    "[agreement.md](agreement.md) has the calls",
)


def page() -> str:
    """Return the page."""
    parts = [INTRODUCTION, STUDY, table(STUDY_CHECKS), LIBRARY, table(shown())]
    return "\n".join(part.rstrip("\n") + "\n" for part in parts)


def shown() -> list[Check]:
    """Leave out the longer runs of the same checks, and all but the first of those of agreement with R."""
    quick = {check.name for check in CHECKS if check.level == "quick"}
    new = [check for check in CHECKS if check.level == "quick" or check.name.rpartition(", at length")[0] not in quick]
    agree = [check for check in new if check.name.startswith(_AGREES)]
    return [check for check in new if check not in agree[1:]]


def table(checks: list[Check] | tuple[Check, ...]) -> str:
    """A row a check."""
    rows = ["| check | what is expected | why | source |", "|---|---|---|---|"]
    for check in checks:
        own = (f"**{check.name}** ({check.about})", check.expected, check.why, check.reference)
        cells = _AS_R if check.name.startswith(_AGREES) else own
        rows.append(f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |")
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    (FOLDER / "checks.md").write_text(page(), encoding="utf-8")
