"""What must not matter, and what must turn round: swapped groups, units, logarithms, order, company, sides."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from ..kernels import TESTS
from ..multiplicity import METHODS, adjust_pvalues
from ..results import is_ratio, no_effect
from ..study import Study
from .agreement import EXACT, ITERATE, ITERATED, VERBS, stored_study, study_of
from .check_report import Check, Finding
from .comparing import Comparison, read_cells

ABOUT = "invariance"
STUDIES = ("groups", "pairs", "sets")
SLOW = ("tobit_paired",)  # two integrals at each step of each end of an interval
_NUMBERS = "estimate std_error df statistic p_value conf_low conf_high p_adjusted"
_ALL = (
    "Every test by its plain options (tobit_paired: a check of its own, at length), at baseline, within groups and between "
    "them, on three small studies: "
)


@dataclass(frozen=True)
class Asked:
    """A test that a study allows, as a question and the keywords of its verb."""

    question: str
    test: str
    more: tuple[tuple[str, Any], ...] = ()

    @property
    def tolerance(self) -> float:
        """How far equal numbers may lie apart."""
        return ITERATED if self.test in ITERATE else EXACT

    def of(self, study: Study, **options: Any) -> pd.DataFrame:
        """Answer it; one row an analyte (and group)."""
        return VERBS[self.question](study, test=self.test, **dict(self.more), **options).table


def asked_of(name: str, slow: bool = False) -> Iterator[Asked]:
    """Go through the tests that a study is made for, or through those which take a hundred times as long."""
    for test, entry in TESTS.items():
        if (test in SLOW) is not slow:
            continue
        more = (("n_resamples", 9999), ("seed", 1)) if "resamples" in entry.takes else ()
        for question in entry.questions:
            matched = entry.matched and question != "change_within"
            if name == "groups" and not matched:
                yield Asked(question, test, more)
            if (name == "pairs" and matched and entry.paired) or (name == "sets" and entry.sets):
                yield Asked(question, test, more)


def _places(table: pd.DataFrame, asked: Asked) -> list[dict[str, str]]:
    return [{"analyte": analyte, "visit": f"{asked.question} by {asked.test}"} for analyte in table["analyte"]]


def _same(numbers: Comparison, got: pd.DataFrame, want: pd.DataFrame, asked: Asked, columns: str, tolerance: float) -> None:
    """Compare columns of two tables that must be equal."""
    if list(got["analyte"]) != list(want["analyte"]):  # in another order
        got, want = (table.sort_values(["contrast", "analyte"], kind="stable") for table in (got, want))
    if list(got["analyte"]) != list(want["analyte"]):
        raise ValueError(f"{asked.test}: analytes {list(got['analyte'])}, expected {list(want['analyte'])}")
    places = _places(want, asked)
    for column in columns.split():
        numbers.add(got[column].to_numpy(np.float64), want[column].to_numpy(np.float64), tolerance, places, column)


Compare = Callable[[Comparison, Study, Study, Asked], None]


def _each(changed: Callable[[str], Study], compare: Compare) -> Callable[[int], Finding]:
    """Compare answers on each study with those on a changed one."""

    def run(n_jobs: int) -> Finding:
        numbers = Comparison()
        for name in STUDIES:
            plain, other = stored_study(name), changed(name)
            for asked in asked_of(name):
                compare(numbers, plain, other, asked)
        return numbers.finding()

    return run


def _swapped(name: str) -> Study:
    return stored_study(name, case="no AIMSS", control="AIMSS")


def _turned_round(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    if asked.question == "change_within":  # the same persons under another name
        want, got = asked.of(plain), asked.of(other)
        names = {"case": "control", "control": "case"}
        got["contrast"] = [
            f"{head} in {names[group]}" for head, _, group in got["contrast"].str.rpartition(" in ").itertuples(False)
        ]
        got = got.sort_values("contrast", kind="stable")
        _same(numbers, got, want, asked, "estimate conf_low conf_high p_value p_adjusted", asked.tolerance)
        return
    want, got = asked.of(plain, alternative="greater"), asked.of(other, alternative="less")
    turned = got.assign(**{new: _inverse(got[old], got["estimand"]) for new, old in _ENDS.items()})
    _same(numbers, turned, want, asked, "estimate conf_low conf_high p_value p_adjusted", asked.tolerance)


_ENDS = {"estimate": "estimate", "conf_low": "conf_high", "conf_high": "conf_low"}


def _inverse(values: pd.Series, estimand: pd.Series) -> np.ndarray:
    """Return estimates as seen from the other group."""
    value = values.to_numpy()
    with np.errstate(divide="ignore"):
        ratio = 1 / value
    share = estimand.str.startswith("P(").to_numpy()
    return np.where(share, 1 - value, np.where([is_ratio(text) for text in estimand], ratio, -value))


def _table(name: str) -> pd.DataFrame:
    """Return the file of a study as text."""
    return read_cells(f"{name}.csv")


def _times(text: str, factor: int) -> str:
    """Multiply the number in a cell."""
    head = text.rstrip("0123456789.")
    digits = text[len(head) :]
    return f"{head}{float(digits) * factor:.12g}" if digits else text


def _in_other_units(name: str) -> Study:
    """Change the unit of two analytes: ng/mL for pg/mL, and the other way round."""
    table = _table(name)
    for analyte, factor in (("TNF-a", 1000), ("IL-8", 8)):
        own = table["Analyte"] == analyte
        for column in ("Result", "LLOQ"):
            table.loc[own, column] = [_times(text, factor) for text in table.loc[own, column]]
    return study_of(table)


def _unit_free(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    _same(numbers, asked.of(other), asked.of(plain), asked, _NUMBERS, max(asked.tolerance, 1e-9))


def _other_logarithms(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    want = asked.of(plain)
    for scale in ("ln", "log10"):
        got = asked.of(plain, scale=scale)
        _same(
            numbers, got, want, asked, "estimate statistic df p_value conf_low conf_high p_adjusted", max(asked.tolerance, 1e-9)
        )


def _in_other_order(name: str) -> Study:
    table = _table(name)
    return study_of(table.sort_values(["Visit", "Analyte", "Patient"], ascending=[False, True, False], kind="stable"))


def _order_free(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    got, want = (table.fillna({"n_case": 0, "n_control": 0}) for table in (asked.of(other), asked.of(plain)))
    _same(numbers, got, want, asked, "n_case n_control", 0.0)
    _same(numbers, got, want, asked, _NUMBERS, asked.tolerance)


def _alone(name: str) -> Study:
    """Leave an analyte without ties alone: all others have some."""
    return stored_study(name).select(analytes=["IL-6"])


def _company_free(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    if TESTS[asked.test].borrows:  # moderated tests inform each other, on purpose
        return
    got, want = asked.of(other, adjust="none"), asked.of(plain, adjust="none")
    want = want[want["analyte"].isin(got["analyte"])]
    _same(numbers, got, want, asked, _NUMBERS, 1e-2 * asked.tolerance)


def _two_sides(numbers: Comparison, plain: Study, other: Study, asked: Asked) -> None:
    if asked.test == "stratified_permutation":  # its two sides need not be alike
        return
    tables = [asked.of(plain, alternative=side) for side in ("two-sided", "greater", "less")]
    both, greater, less = (table["p_value"].to_numpy() for table in tables)
    places = _places(tables[0], asked)
    numbers.add(both, np.minimum(1.0, 2 * np.minimum(greater, less)), max(asked.tolerance, 1e-9), places, "p_value two-sided")
    if TESTS[asked.test].conf_type != "order statistics":  # ranks: the value seen counts on both sides
        numbers.add(greater + less, np.where(np.isnan(both), np.nan, 1.0), 1e-9, places, "p_value of both sides")


def _interval_and_p(n_jobs: int) -> Finding:
    """Compare 50% intervals with p-values, where both come from one statistic."""
    n, rows = 0, []
    for name in STUDIES:
        study = stored_study(name)
        for asked in asked_of(name):
            if TESTS[asked.test].conf_type not in ("t", "profile likelihood"):
                continue
            table = asked.of(study, conf_level=0.5)
            table = table[table["p_value"].notna()]
            null = np.array([no_effect(text) for text in table["estimand"]])
            outside = (table["conf_low"] > null) | (table["conf_high"] < null)
            n += len(table)
            for row in table[outside.to_numpy() != (table["p_value"] < 0.5).to_numpy()].itertuples(index=False):
                found = f"{asked.test}: p {row.p_value:.4g}, interval {row.conf_low:.4g} to {row.conf_high:.4g}"
                rows.append({"analyte": row.analyte, "visit": asked.question, "found": found})
    return Finding.of(n > 0 and not rows, f"{n} intervals, of which {len(rows)} contradict their p-value", rows)


def _orders_of_corrections(n_jobs: int) -> Finding:
    """Compare corrections with one another on fixed families of p-values."""
    rng = np.random.default_rng(36)
    p = np.where(rng.random((200, 36)) < 0.2, rng.random((200, 36)) ** 6, rng.random((200, 36)))
    p[rng.random(p.shape) < 0.05] = np.nan
    q = {method: adjust_pvalues(p, method) for method in METHODS}
    slack = 1 + 1e-12
    order = rng.permutation(36)
    facts = {
        "none below the raw p": all((v >= p / slack)[~np.isnan(p)].all() for v in q.values()),
        "none above 1": all(np.nanmax(v) <= 1 for v in q.values()),
        "missing stays missing, and nothing else does": all((np.isnan(v) == np.isnan(p)).all() for v in q.values()),
        "Bonferroni >= Holm >= Hochberg >= Hommel >= BH": all(
            np.nanmin(q[a] * slack - q[b]) >= 0
            for a, b in (("bonferroni", "holm"), ("holm", "hochberg"), ("hochberg", "hommel"), ("hommel", "BH"))
        ),
        "BY >= BH": bool(np.nanmin(q["BY"] * slack - q["BH"]) >= 0),
        "the order of the p-values is kept": all(_keeps_order(p, v) for v in q.values()),
        "the order of the analytes does not matter": all(
            np.array_equal(adjust_pvalues(p[:, order], method), q[method][:, order], equal_nan=True) for method in METHODS
        ),
    }
    broken = [fact for fact, holds in facts.items() if not holds]
    said = f"not so: {'; '.join(broken)}" if broken else f"{len(facts)} facts hold in 200 families of 36 p-values"
    return Finding.of(not broken, said, [{"found": fact} for fact in broken])


def _keeps_order(p: np.ndarray, q: np.ndarray) -> bool:
    at = np.argsort(p, axis=-1)
    sorted_q = np.take_along_axis(q, at, axis=-1)
    steps = np.diff(sorted_q, axis=-1)
    return bool((steps[~np.isnan(steps)] >= -1e-12).all())


def _slow_ones(n_jobs: int) -> Finding:
    """Compare likewise the answers of tests that take long."""
    numbers = Comparison()
    plain = stored_study("groups").select(analytes=["IL-6", "TNF-a", "MCP-1"])
    changed = ((_swapped, _turned_round), (_in_other_units, _unit_free), (_in_other_order, _order_free), (_alone, _company_free))
    for change, compare in (*changed, (stored_study, _other_logarithms), (stored_study, _two_sides)):
        other = change("groups")
        kept = other if compare is _company_free else other.select(analytes=["IL-6", "TNF-a", "MCP-1"])
        for asked in asked_of("groups", slow=True):
            compare(numbers, plain, kept, asked)
    return numbers.finding()


def _check(name: str, expected: str, why: str, run: Callable[[int], Finding], reference: str = "") -> Check:
    return Check(name, ABOUT, expected, why, run, reference or "by definition")


INVARIANCE: tuple[Check, ...] = (
    _check(
        "cases and controls swapped",
        _ALL + "where the names of the groups are swapped, ratios, odds ratios and their intervals invert, probabilities turn to "
        "their complement, and p is that of the other side.",
        "Who is called a case is a convention; a result that depends on it beyond its sign tells of an error.",
        _each(_swapped, _turned_round),
    ),
    _check(
        "units",
        _ALL + "values and limits of one analyte times 1,000, of another times 8: the same ratios, standard errors and p.",
        "On a logarithmic scale a unit adds the same constant to all values, which no comparison may see.",
        _each(_in_other_units, _unit_free),
    ),
    _check(
        "base of the logarithm",
        _ALL + "log2, ln and log10 give the same ratios (odds ratios per doubling), intervals and p.",
        "The base is a unit of the logarithm. A base mixed up on the way back would turn a ratio of 2 into 1.6 or 3.3.",
        _each(stored_study, _other_logarithms),
    ),
    _check(
        "order of rows",
        _ALL + "the rows of the file sorted by visit, analyte and patient instead of random: the same answers.",
        "Visits are paired by patient, sets by their label, values by analyte; never by where they stand in the file.",
        _each(_in_other_order, _order_free),
    ),
    _check(
        "company of other analytes",
        _ALL
        + "an analyte without ties has the same estimate and p alone as among others that are tied (moderated tests apart, which "
        "inform each other on purpose).",
        "What another marker measured says nothing of this one. Shared code that works on many rows at once can leak, such as "
        "ties in one row that turn the p of another.",
        _each(_alone, _company_free),
    ),
    _check(
        "one side and two",
        _ALL + "the two-sided p is twice the smaller one-sided p (at most 1), and where nothing is discrete both sides add to 1. "
        "Arrangements within sets are left out: their two tails need not be alike.",
        "A two-sided p that was halved by mistake doubles the false positives.",
        _each(stored_study, _two_sides),
    ),
    _check(
        "interval and p",
        "A 50% interval leaves out 'no effect' exactly where p < .5, in every test whose interval and p come from one statistic.",
        "An interval at odds with its p has another level, another standard error or other degrees of freedom.",
        _interval_and_p,
    ),
    Check(
        "the same of tobit_paired",
        ABOUT,
        "The model of pairs with values beyond limits: swapped groups, units, logarithms, order, company and sides as above.",
        "As above; apart, since it takes longer than all other tests together.",
        _slow_ones,
        "by definition",
        level="full",
    ),
    _check(
        "corrections among themselves",
        "Adjusted p are never below raw p nor above 1, keep the order, do not depend on the order of analytes; Bonferroni >= "
        "Holm >= Hochberg >= Hommel >= BH, and BY >= BH; a missing p stays missing and harms no other.",
        "These follow from the definitions, whatever the p-values are.",
        _orders_of_corrections,
        "Hommel G. Biometrika 1988;75:383-386. doi:10.1093/biomet/75.2.383; Benjamini Y, Yekutieli D. Ann Stat "
        "2001;29:1165-1188. doi:10.1214/aos/1013699998",
    ),
)
