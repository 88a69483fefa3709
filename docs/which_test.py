"""Write docs/which_test.md, the tests and what each can take, from their entries: `python docs/which_test.py`."""

from __future__ import annotations

from pathlib import Path

from cytokine_cc.kernels import TESTS, Test
from cytokine_cc.kernels.common import BASELINE, BETWEEN, WITHIN

FOLDER = Path(__file__).parent
SECTIONS = {
    BASELINE: "Do cases and controls differ before treatment? (`compare_baseline`)",
    WITHIN: "Do levels change within a group? (`change_within`)",
    BETWEEN: "Does the change differ between cases and controls? (`change_between`)",
}
ESTIMATES = {
    "mean": "ratio of geometric means (raw scale: difference of means)",
    "shift": "Hodges-Lehmann shift, as a ratio (raw scale: as a difference)",
    "probability": "P(case > control) + P(=)/2",
    "odds": "odds ratio per doubling (raw scale: per unit)",
    "none": "none, a p-value only",
}
HEAD = "| name | test | estimate | interval | covariates | rules below the limit | options | source |"
INTRODUCTION = """\
# Which test?

Written by `python docs/which_test.py` from the entries of the tests, which messages, validation and methods texts use as
well. The first rule below the limit is the test's own; any other that stands there can be asked for with `below_limit`. A
test with covariates takes `covariates=(...)`, "plate" among them. What each equals in R is checked in `tests/`;
[agreement.md](agreement.md) has the calls, the differences, and the sizes.

- **Values below limits.** `tobit` and `tobit_paired` model them, `peto_peto` and `gehan` rank what can be ranked under
  several limits; `mann_whitney` and `brunner_munzel` tie them lowest, which one limit for all samples suits. t tests need
  numbers in their place.
- **Covariates, plates.** `linear_model`, `ancova`, `tobit`, `moderated_t`; within sets `stratified`, `conditional_logistic`;
  over all visits `lda`, `clda`.
- **Few subjects, many analytes.** `moderated_t` and `moderated_paired_t` borrow strength across analytes: a row's answer
  then depends on the panel it is in.
- **Matched sets** (1:1, 1:m, m:n). `stratified` gives a ratio of means, `conditional_logistic` an odds ratio (with fewer
  than about 50 subjects beyond the first of each set `penalty="firth"`), `van_elteren` ranks (with few small sets it does
  not keep its level, and of pairs it is the sign test), `stratified_permutation` assumes exchangeable values within a set
  and no more. `paired_t` and `signed_rank` take sets of one case and one control. Without matched sets they are refused;
  with sets, the others ask for `ignore_matching=True`.
- **Frequency matching.** What groups were matched on as covariates, or as strata: the tests of sets then compare within
  combinations of the columns of `Design(matched_on=...)`. A test that does neither says so in the note of each row.
- **Change from baseline.** `change_score` and `lda` ask whether both groups changed alike, `ancova` and `clda` whether those
  who began alike ended alike; these differ where baselines do. `change_side_by_side` gives all four. `lda` and
  `clda` also use subjects who lack a visit.
"""


def rows_of(question: str) -> list[str]:
    """One line of the table a test."""
    return [_row(entry, question) for entry in TESTS.values() if question in entry.questions]


def _row(entry: Test, question: str) -> str:
    rules = " ".join(f"`{rule}`" for rule in entry.rules_for(question))
    options = "; ".join(f"`{name}`: {', '.join(str(value) for value in values)}" for name, values in entry.options.items())
    cells = (
        f"`{entry.name}`",
        entry.label,
        ESTIMATES[entry.estimand],
        entry.conf_type,
        "yes" if "covariates" in entry.takes else "",
        rules,
        options,
        entry.reference.replace("|", "\\|"),
    )
    return f"| {' | '.join(cells)} |"


def page() -> str:
    """Return the text of docs/which_test.md."""
    parts = [INTRODUCTION]
    for question, title in SECTIONS.items():
        head = f"{HEAD}\n{'|---' * 8}|"
        parts.append("\n".join([f"## {title}\n", head, *rows_of(question)]) + "\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (FOLDER / "which_test.md").write_text(page(), encoding="utf-8")
