"""CommonShift: what analytes share and what differs beyond it, as tables and in words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from .results import no_effect
from .shown import as_html, as_text, listed
from .wording import CORRECTION_NAMES
from .words import counted, joined, p_text, percent, visit_name

VERDICTS = ("left", "removed", "not compared", "only after")  # the first three: a hit before


@dataclass(frozen=True, eq=False)
class CommonShift:
    """Whether analytes that differ between groups do so beyond a shift of what they share.

    Attributes
    ----------
    table : DataFrame
        One row an analyte, in panel order: loading (its correlation with the first component, within groups); estimate_before,
        p_value_before, p_adjusted_before (by the test asked for); estimate_after, conf_low_after, conf_high_after,
        p_value_after, p_adjusted_after (by the linear model that removes the components; on log scales ratios); verdict: "left"
        (a hit before and after), "removed" (before only), "not compared" (before; not tested after), "only after", ""; note: why
        there is no answer after.
    components : DataFrame
        One row a component within groups, those removed and at least two: component; share of variance; share_overall (of the
        component of that number over all subjects, the difference of the groups included); estimate, conf_low, conf_high,
        statistic, p_value (cases less controls on its score, in SDs within groups; Student's t, 95%); hits_left (of the hits
        before, if the components up to this one are removed).
    thresholds : DataFrame
        method, n_tests (effective number), threshold (alpha / n_tests), hits (analytes with p_value_before at most that).
    scores : DataFrame
        Index subject; role, and the score on each of the components, in SDs within groups, 0 the mean of all.
    within, overall : DataFrame
        Correlations of the analytes used, within groups and over all subjects.
    excluded : DataFrame
        subject, visit, analyte, reason: analytes not used (subject empty) and subjects left out (analyte empty).
    meta : dict
        test, scale, below_limit, numbers (the rule of correlations and of the model after), adjust, alpha, removed (number of
        components), edge (see Notes of `common_shift`), estimand, baseline, matching, simulated.
    """

    table: pd.DataFrame
    components: pd.DataFrame
    thresholds: pd.DataFrame
    scores: pd.DataFrame
    within: pd.DataFrame
    overall: pd.DataFrame
    excluded: pd.DataFrame
    meta: Mapping[str, Any] = field(default_factory=dict)

    @property
    def share_first(self) -> float:
        """Share of variance of the first component within groups."""
        return float(self.components["share"].iloc[0])

    @property
    def share_second(self) -> float:
        """Share of variance of the second component within groups."""
        return float(self.components["share"].iloc[1])

    @property
    def hits(self) -> pd.Series:
        """Number of hits: before, and of these lower and higher in cases (where the test's estimate tells), left, removed, ...

        The others are the verdicts of ``table``.
        """
        verdict = self.table["verdict"]
        before = verdict.isin(VERDICTS[:3])
        side = self.table["estimate_before"][before] - no_effect(self.meta["estimand"])
        counts = {"before": int(before.sum()), "lower": int((side < 0).sum()), "higher": int((side > 0).sum())}
        return pd.Series({**counts, **{name: int((verdict == name).sum()) for name in VERDICTS}}, name="hits")

    def __repr__(self) -> str:
        hits = self.hits
        left = f", {hits['left']} of them beyond what the others share" if hits["before"] else ""
        head = f"CommonShift: {hits['before']} of {counted(len(self.table), 'analyte')} differ{left}"
        return as_text(head, self._tables())

    def _repr_html_(self) -> str:
        """Show the paragraph and the tables in a notebook, rounded; full precision stays in the attributes."""
        return as_html(self.describe(), self._tables())

    def _tables(self) -> dict[str, pd.DataFrame]:
        hidden = ["conf_low_after", "conf_high_after", *(["note"] if (self.table["note"] == "").all() else [])]
        table = self.table.drop(columns=hidden).sort_values("p_value_before", kind="stable")
        return {"Components within groups": self.components, "Thresholds": self.thresholds, "Analytes, by p before": table}

    def describe(self) -> str:
        """Say in plain words what was found, and what it does not show.

        Returns
        -------
        str

        Examples
        --------
        >>> import cytokine_cc as cc
        >>> text = cc.common_shift(cc.load_study("quickstart")).describe()
        >>> text[text.index("At baseline") :].partition(" (")[0]
        'At baseline, 3 of 18 analytes differ between cases and controls'
        """
        parts = (self._differ(), self._shared(), self._left(), self._worth(), self._not_used())
        return " ".join(part for part in (self.meta["simulated"], *parts) if part)

    def _differ(self) -> str:
        hits, meta = self.hits, self.meta
        p = "p" if meta["adjust"] == "none" else f"{CORRECTION_NAMES[meta['adjust']]}-adjusted p"
        at = visit_name(meta["baseline"])
        sides = [f"{hits[side]} {side}" for side in ("lower", "higher") if hits[side]]
        sets = " Matched sets are ignored." if meta["matching"] == "sets" else ""
        return (
            f"At {at}, {hits['before']} of {counted(len(self.table), 'analyte')} differ between cases and controls "
            f"({meta['test']}, {p} <= {meta['alpha']:g}){f': {joined(sides)} in cases' if sides else ''}.{sets}"
        )

    def _shared(self) -> str:
        first, m = self.components.iloc[0], len(self.within)
        return (
            f"Within groups the first component of {m} analytes carries {percent(first['share'])} of their variance, the second "
            f"{percent(self.share_second)} (uncorrelated analytes: hardly more than {percent(self.meta['edge'] / m)}). On the "
            f"first, cases lie {abs(first['estimate']):.2f} SD {'lower' if first['estimate'] < 0 else 'higher'} than controls "
            f"(p = {p_text(first['p_value'])})."
        )

    def _left(self) -> str:
        hits, k = self.hits, self.meta["removed"]
        names = {name: listed(self.table.loc[self.table["verdict"] == name, "analyte"]) for name in VERDICTS}
        alike = f"among subjects alike in the first {'component' if k == 1 else f'{k} components'} of the other analytes"
        more = f" Only there: {names['only after']}, which the removal itself can bring about." if hits["only after"] else ""
        more += f" Not compared there: {names['not compared']}." if hits["not compared"] else ""
        compared = hits["before"] - hits["not compared"]
        if not compared:
            return f"There is no difference to explain.{more.replace('there', alike, 1)}"
        if hits["left"]:
            no_longer = f", {names['removed']} {'does' if hits['removed'] == 1 else 'do'} not" if hits["removed"] else ""
            still = f"{names['left']} still {'differs' if hits['left'] == 1 else 'differ'} {alike}{no_longer}"
            few = "one shift of what analytes share can leave as many by itself"
            found = few if 2 * hits["left"] < compared else "more than one shift of what analytes share"
            return f"Of these, {still}: {found}.{more}"
        return (
            f"{'It does not differ' if compared == 1 else 'None of these differs'} {alike}: one shift of what analytes share "
            "would do the same. That does not say what moved it (disease, storage, a plate), nor that no analyte differs for its "
            f"own sake: true differences of analytes that go together look alike.{more}"
        )

    def _worth(self) -> str:
        n = self.thresholds.set_index("method")["n_tests"]
        return (
            f"The {n['Bonferroni']:.0f} tests are worth {n['Li and Ji']:.3g} independent ones by Li and Ji, {n['Galwey']:.3g} by "
            "Galwey."
        )

    def _not_used(self) -> str:
        gone = {name: int((self.excluded[name] != "").sum()) for name in ("analyte", "subject")}
        texts = [counted(n, name) for name, n in gone.items() if n]
        return f"Not used: {joined(texts)} (see excluded)." if texts else ""
