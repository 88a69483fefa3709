"""plate_check: is group tangled with plate, and does it matter?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from .analysis import compare_baseline
from .errors import OptionError, fraction, quoted
from .kernels import TESTS
from .kernels.common import BASELINE, NUMBER_RULES
from .kernels.linear import least_squares
from .labels import coded
from .limits import back_transform, beyond_limits, respond
from .matching import covariate_values
from .panel import State
from .questions import Baseline
from .results import Results
from .shown import as_html, as_text, listed
from .study import Study
from .wording import CORRECTION_NAMES, simulated_text
from .words import counted, joined, p_text, percent, visit_name

UNEVEN = 0.05  # plate by group at a p below this is called uneven
SMALL_EXPECTED = 5
CHANGED = ("lost", "gained")
_TAKEN = ("estimate", "conf_low", "conf_high", "p_value", "p_adjusted")
_SHOWN = ["analyte", "estimate_without", "p_adjusted_without", "estimate_with", "p_adjusted_with", "change", "verdict",
          "plate_p_value", "limit_ratio", "below_low", "below_high"]  # fmt: skip


@dataclass(frozen=True, eq=False)
class PlateCheck:
    """How cases and controls lie over the plates, and the comparison at baseline without and with plate.

    Attributes
    ----------
    counts : DataFrame
        One row a plate, in the order of the panel: plate; case, control (subjects at baseline); share_case.
    association : dict
        chi_square, df, p_value (Pearson's, without continuity correction; NaN of one plate); cramers_v (0: every plate has the
        same share of cases, 1: no plate has both); n_cells of `counts`, and n_small, those that would hold fewer than 5 if
        shares were even; n_alone, subjects on plates without the other group; n_sets and n_sets_on_one_plate (matched sets).
    table : DataFrame
        One row an analyte, in panel order: estimate, conf_low, conf_high, p_value, p_adjusted, each with the suffix _without
        and then _with; change of the estimate (with / without on log scales, with - without else); verdict: "same", "lost"
        (significant without plate only), "gained" (with plate only), "not tested"; plate_p_value (F test of plate, given
        group); limit_ratio (the highest of the plates' lower limits over the lowest); below_low, below_high (least and
        greatest share of a plate's samples below the limit); note of the test with plate.
    meta : dict
        test, scale, below_limit, numbers (the rule of the F test), adjust, alpha, baseline, confounded (plate tells group
        wholly), n_without_plate (subjects left out), simulated.
    """

    counts: pd.DataFrame
    association: Mapping[str, Any]
    table: pd.DataFrame
    meta: Mapping[str, Any] = field(default_factory=dict)

    def __repr__(self) -> str:
        changed = int(self.table["verdict"].isin(CHANGED).sum())
        matters = f"{changed} of {counted(len(self.table), 'verdict')} changed by plate"
        head = f"PlateCheck: {counted(len(self.counts), 'plate')}; {'plate tells group' if self.meta['confounded'] else matters}"
        return as_text(head, self._tables())

    def _repr_html_(self) -> str:
        """Show the paragraph and the tables in a notebook, rounded; full precision stays in the attributes."""
        return as_html(self.describe(), self._tables())

    def _tables(self) -> dict[str, pd.DataFrame]:
        changed = self.table["verdict"].isin(CHANGED)
        rows = np.lexsort((self.table["p_value_without"], ~changed))
        return {"Samples at baseline": self.counts, "Analytes, changed verdicts first, by p": self.table[_SHOWN].iloc[rows]}

    def describe(self) -> str:
        """Say in plain words whether group is tangled with plate, and whether it matters.

        Returns
        -------
        str

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> text = cc.plate_check(cc.load_study("quickstart")).describe()
        >>> text[text.index("With plate") :]
        'With plate in the test (linear_model, BH-adjusted p <= 0.05): no verdict changes, 3 of 18 significant.'
        """
        parts = [self.meta["simulated"], self._spread(), self._sets(), *self._levels(), self._verdicts()]
        n = self.meta["n_without_plate"]
        parts.append(f"Left out: {counted(n, 'subject')} without a plate." if n else "")
        return " ".join(part for part in parts if part)

    def _spread(self) -> str:
        counts, found = self.counts, self.association
        people = f"{counted(counts['case'].sum(), 'case')} and {counted(counts['control'].sum(), 'control')}"
        at = visit_name(self.meta["baseline"])
        if len(counts) == 1:
            return f"At {at}, {people} were all measured on one plate."
        shares = " to ".join(dict.fromkeys(percent(end) for end in (counts["share_case"].min(), counts["share_case"].max())))
        rough = f", rough: {found['n_small']} of {found['n_cells']} expected counts are below 5" if found["n_small"] else ""
        text = (
            f"At {at}, {people} lie on {len(counts)} plates, and cases are {shares} of a plate "
            f"(Cramer's V {found['cramers_v']:.2f}; chi-square p = {p_text(found['p_value'])}{rough}): "
        )
        if self.meta["confounded"]:
            return f"{text}no plate holds both."
        text += "more uneven than chance usually makes it." if found["p_value"] < UNEVEN else "no sign of more than chance."
        n = found["n_alone"]
        alone = f" {counted(n, 'subject')} on plates without the other group say nothing of it once plate is in the test."
        return text + (alone if n else "")

    def _sets(self) -> str:
        found = self.association
        if not found["n_sets"]:
            return ""
        return (
            f"Of {found['n_sets']} matched sets {found['n_sets_on_one_plate']} lie on one plate each, where a test within sets "
            "is free of plate; the comparison here ignores sets."
        )

    def _levels(self) -> list[str]:
        """Say how plates differ."""
        table, alpha = self.table, self.meta["alpha"]
        texts = []
        p = table["plate_p_value"].dropna()
        if len(p):
            texts.append(
                f"Given group, {int((p <= alpha).sum())} of {counted(len(p), 'analyte')} differ between plates at p <= {alpha:g} "
                f"(by chance alone about {alpha * len(p):.1g})."
            )
        apart = table["limit_ratio"][table["limit_ratio"] > 1 + 1e-9]
        if len(apart):
            texts.append(
                f"Limits of detection differ between plates in {counted(len(apart), 'analyte')}, up to {apart.max():.2g}-fold."
            )
        return texts

    def _verdicts(self) -> str:
        table, meta = self.table, self.meta
        if meta["confounded"]:
            return "No analysis of these data can tell a difference between the groups from one between the plates."
        if len(self.counts) == 1:
            return ""
        p = "p" if meta["adjust"] == "none" else f"{CORRECTION_NAMES[meta['adjust']]}-adjusted p"
        how = f"With plate in the test ({meta['test']}, {p} <= {meta['alpha']:g})"
        names = {name: table.loc[table["verdict"] == name, "analyte"] for name in (*CHANGED, "not tested")}
        whats = {"lost": "no longer significant", "gained": "only now significant"}
        texts = [f"{len(names[key])} {what} ({listed(names[key])})" for key, what in whats.items() if len(names[key])]
        kept = int((table[["p_adjusted_without", "p_adjusted_with"]] <= meta["alpha"]).all(axis=1).sum())
        found = joined([*texts, f"{kept} either way"]) if texts else f"no verdict changes, {kept} of {len(table)} significant"
        gone = f" Not tested: {listed(names['not tested'])}." if len(names["not tested"]) else ""
        trust = " Where plate and group are tangled, that is the test to trust." if self.association["p_value"] < UNEVEN else ""
        return f"{how}: {found}.{gone}{trust}"


def plate_check(
    study: Study,
    *,
    test: Any = "linear_model",
    scale: str = "log2",
    below_limit: str | None = None,
    adjust: str = "BH",
    alpha: float = 0.05,
) -> PlateCheck:
    """Is group tangled with plate, and does it matter?

    Plates differ a little in level and in their limits of detection. Where cases lie on other plates than controls, such a
    difference looks like one between the groups, in many analytes at once. This counts who was measured on which
    plate, and compares the groups at baseline without and with plate in the test.

    Parameters
    ----------
    study : Study
        With plates: ``read_panel(..., plate=...)``. Matched sets are ignored: groups are compared as wholes.
    test : str
        One that takes covariates: "linear_model", "tobit", "moderated_t".
    scale, below_limit, adjust
        As in `compare_baseline`.
    alpha : float
        An adjusted p-value of at most this is significant; also the level at which differences between plates are counted.

    Returns
    -------
    PlateCheck
        In a notebook its paragraph and tables; ``describe()`` is the paragraph.

    Raises
    ------
    OptionError
        A study without plates, a test that takes no covariates; as `compare_baseline`.
    StudyError
        Zero or negative values on a log scale.

    Notes
    -----
    "With plate" is ``compare_baseline(study, test=test, covariates=("plate",))``: each plate has a level of its own, and groups
    are compared within plates. Subjects on a plate without the other group then say nothing of the difference, and the interval
    grows with the tangle. Where plate tells group wholly, that test has no answer, and no other has one.

    Subjects without a plate are left out of both tests. Over a baseline of several visits a subject counts on the plate of its
    last sample there.

    Unevenness is described by Cramer's V, the square root of chi-square over the number of subjects. Its p-value is Pearson's,
    without continuity correction: R's ``chisq.test(table, correct = FALSE)``. It is rough where expected counts are below 5,
    and their number is told. An exact p-value is not needed: what counts is how uneven these plates are, not whether chance
    made them so, since plates that were drawn by lot can bias one study too.

    On the scenario plate_confounded (cases and controls 75/25 over two plates, limits threefold apart, nothing differs;
    200 studies, the limit in place of values below it) the linear model rejects at 5% without plate 9% (no values below a
    limit), 10% (a quarter) and 22% (half), with plate 4 to 6%.

    The F test of plate, given group, takes numbers: the rule of the test, or half the limit where that gives none
    ("censored"). Where limits differ, plates differ in substituted values by as much.

    Only the baseline is compared. In a change, a shift of a plate cancels where both samples of a subject lie on it.

    Examples
    --------
    >>> import cytokine_cc as cc
    >>> check = cc.plate_check(cc.load_scenario("plate_confounded").draw(1))
    >>> check.counts[["plate", "case", "control"]].values.tolist(), round(check.association["cramers_v"], 2)
    ([['P1', 23, 6], ['P2', 7, 16]], 0.49)
    """
    question = _question(study, test, scale, below_limit, adjust)
    fraction("alpha", alpha)
    n_all = len(study.subjects)
    study = _on_plates(study)
    options = {name: getattr(question, name) for name in ("test", "scale", "below_limit", "adjust", "ignore_matching")}
    without, with_plate = (compare_baseline(study, covariates=names, **options) for names in ((), ("plate",)))
    numbers = question.rule if question.rule in NUMBER_RULES else "half"
    counts, association = _counts(study)
    columns = {
        f"{name}_{key}": results.table[name] for key, results in (("without", without), ("with", with_plate)) for name in _TAKEN
    }
    table = pd.DataFrame({"analyte": without.table["analyte"], **columns, **_changes(without, with_plate, scale, alpha)})
    table = table.assign(plate_p_value=_between_plates(study, numbers, scale), **_limits(study), note=with_plate.table["note"])
    confounded = len(counts) > 1 and bool(
        (counts[["case", "control"]] == 0).any(axis=1).all() & table["p_value_with"].isna().all()
    )
    meta = {
        "test": question.entry.name,
        "scale": scale,
        "below_limit": question.rule,
        "numbers": numbers,
        "adjust": adjust,
        "alpha": alpha,
        "baseline": study.baseline,
        "confounded": confounded,
        "n_without_plate": n_all - len(study.subjects),
        "simulated": simulated_text(study),
    }
    return PlateCheck(counts, association, table, meta)


def _question(study: Any, test: Any, scale: str, below_limit: str | None, adjust: str) -> Baseline:
    """Check what is asked; a design with matched sets is taken as two groups."""
    if not isinstance(study, Study):
        raise OptionError(
            f"`study` must be a Study; got {type(study).__name__}. Make one with Study(panel, design) or load_study()."
        )
    able = [name for name, entry in TESTS.items() if BASELINE in entry.questions and "covariates" in entry.takes]
    if test not in able:
        raise OptionError(f"plate_check() puts plate into the test: `test` must be one of {quoted(able)}; got {test!r}.")
    sets = study.design.matching == "sets"
    return Baseline(test=test, scale=scale, below_limit=below_limit, adjust=adjust, ignore_matching=sets)


def _plates(study: Study) -> np.ndarray:
    """Return the plate of each (visit of the baseline, usable subject); empty where there is none."""
    labels = covariate_values(study.panel.samples["plate"].astype("category"))
    at = study.sample_at[: len(study.baseline_visits)]
    return np.where(at >= 0, labels[at], "")


def _on_plates(study: Study) -> Study:
    """Keep the subjects with a plate at baseline."""
    if not study.panel.has_plates:
        raise OptionError(
            "plate_check(): the study has no plates. Name their column with read_panel(plate=...) (in a study file: plate in "
            "[data])."
        )
    known = (_plates(study) != "").any(axis=0)
    for role in ("case", "control"):
        if not known[(study.subjects["role"] == role).to_numpy()].any():
            raise OptionError(
                f"plate_check(): no {role} has a plate at {visit_name(study.baseline)}. Fill in the column of plates."
            )
    return study if known.all() else study.select(subjects=study.subjects.index[known])


def _counts(study: Study) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Count subjects by plate and group, and say how uneven that is."""
    from scipy.special import chdtrc

    plates = _plates(study)
    own = plates[len(plates) - 1 - (plates != "")[::-1].argmax(axis=0), np.arange(plates.shape[1])]
    order = pd.Index(dict.fromkeys(covariate_values(study.panel.samples["plate"].astype("category"))))
    names = [name for name in order if (own == name).any()]
    case = study.arrays.case
    n = np.array([[(own[role] == name).sum() for role in (case, ~case)] for name in names], dtype=np.int64)
    expected = n.sum(axis=0) * n.sum(axis=1, keepdims=True) / n.sum()
    chi_square, df = float(((n - expected) ** 2 / expected).sum()), len(names) - 1
    sets = pd.Series(own).groupby(study.subjects["matched_set"].to_numpy()).nunique()
    in_sets = study.design.matching == "sets"
    counts = pd.DataFrame({"plate": names, "case": n[:, 0], "control": n[:, 1], "share_case": n[:, 0] / n.sum(axis=1)})
    return counts, {
        "chi_square": chi_square if df else np.nan,
        "df": df,
        "p_value": float(chdtrc(df, chi_square)) if df else np.nan,
        "cramers_v": float(np.sqrt(chi_square / n.sum())) if df else np.nan,
        "n_cells": n.size,
        "n_small": int((expected < SMALL_EXPECTED).sum()),
        "n_alone": int(n[(n == 0).any(axis=1)].sum()),
        "n_sets": len(sets) if in_sets else 0,
        "n_sets_on_one_plate": int((sets == 1).sum()) if in_sets else 0,
    }


def _changes(without: Results, with_plate: Results, scale: str, alpha: float) -> dict[str, np.ndarray]:
    """Compare the two answers."""
    before, after = (results.table["estimate"].to_numpy() for results in (without, with_plate))
    with np.errstate(invalid="ignore", divide="ignore"):
        change = after - before if scale == "raw" else after / before
    p = np.stack([results.table["p_adjusted"].to_numpy() for results in (without, with_plate)])
    hit = p <= alpha
    verdict = np.select([np.isnan(p).any(axis=0), hit[0] & ~hit[1], hit[1] & ~hit[0]], ["not tested", *CHANGED], "same")
    return {"change": change, "verdict": verdict.astype(object)}


def _between_plates(study: Study, rule: str, scale: str) -> np.ndarray:
    """Test, by F, whether plates differ in level, given group."""
    from scipy.special import fdtrc

    arrays, plates = study.arrays, _plates(study)
    y = respond(arrays, slice(0, arrays.n_baseline), slice(0, arrays.n_analytes), rule, scale).y
    names = [name for name in dict.fromkeys(plates.ravel()) if name]
    columns = np.stack([(plates == name).sum(axis=0) / (plates != "").sum(axis=0) for name in names])
    case = arrays.case
    cases, controls, of_plate = y[:, case], y[:, ~case], (columns[:, case], columns[:, ~case])
    plain, full = least_squares(cases, controls), least_squares(cases, controls, of_plate)
    extra, blocked = plain.df - full.df, plain.blocked | full.blocked
    with np.errstate(invalid="ignore", divide="ignore"):
        f = np.maximum((plain.s2 * plain.df - full.s2 * full.df) / extra / full.s2, 0.0)
        return np.where(blocked | ~(extra > 0), np.nan, fdtrc(extra, full.df, f))


def _limits(study: Study) -> dict[str, np.ndarray]:
    """Compare the plates' limits of detection, and the shares below them, over their samples at baseline."""
    arrays, plates = study.arrays, _plates(study)
    cells = (array[: len(plates)] for array in (arrays.value, arrays.state, arrays.lower, arrays.upper))
    value, state, lower, upper = (np.moveaxis(np.asarray(array), 1, -1)[plates != ""] for array in cells)  # (samples, analytes)
    below, there = beyond_limits(value, state, lower, upper)[0], state != State.MISSING
    codes, names = coded(plates[plates != ""])
    limit, share = np.full((2, len(names), arrays.n_analytes), np.nan)
    for i in range(len(names)):
        own = codes == i
        known = ~np.isnan(lower[own])
        limit[i] = np.ma.median(np.ma.array(lower[own], mask=~known), axis=0).filled(np.nan)
        n = there[own].sum(axis=0)
        share[i] = np.where(n > 0, (below & there)[own].sum(axis=0) / np.maximum(n, 1), np.nan)
    high, low = _ends(limit)
    with np.errstate(invalid="ignore", divide="ignore"):
        ratio = high / low if arrays.logged is None else back_transform(high - low, arrays.logged)
    most, least = _ends(share)
    return {"limit_ratio": ratio, "below_low": least, "below_high": most}


def _ends(of_plates: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest and the lowest of what is known; NaN where nothing is."""
    gone = np.isnan(of_plates)
    high, low = np.where(gone, -np.inf, of_plates).max(axis=0), np.where(gone, np.inf, of_plates).min(axis=0)
    return np.where(gone.all(axis=0), np.nan, high), np.where(gone.all(axis=0), np.nan, low)
