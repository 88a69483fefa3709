"""How often does each check of a study warn or fail on sound studies, and how often does it see a planted fault?

    python benchmarks/study_checks.py [studies of each scenario] [processes]

Prints, for each scenario, the checks that did not pass in some of its studies, in percent; then for each planted fault how often
the check named for it warned or failed, and how often another check failed; then seconds.
"""

from __future__ import annotations

import sys
import time
from collections import Counter

import numpy as np
import pandas as pd
from joblib import Parallel, delayed

import cytokine_cc as cc
from cytokine_cc.checks.facts import spread
from cytokine_cc.checks.outliers import CHANCE, robust_distances, widened
from cytokine_cc.panel import Panel, State

SOUND = [
    "henry2010",
    "null",
    "sparano2022",
    "inflammatory_cascade",
    "heavy_censoring",
    "common_shift",
    "bauml2015",
    "plate_confounded",
]
STRONG = {"study.cases": 30, "change.case": {"IL-1b": 8.0, "IL-6": 6.0, "TNF-a": 3.0, "IL-8": 3.0, "MCP-1": 2.0}}


def changed(study: cc.Study, value=None, samples: pd.DataFrame | None = None, state=None, lower=None, upper=None) -> cc.Study:
    """Make the study anew with other arrays (analytes, samples), or other columns of its samples."""
    panel = study.panel
    given = [value, state, lower, upper]
    kept = (panel.values, panel.state, panel.lower_limit, panel.upper_limit)
    arrays = [frame.to_numpy().T if own is None else own for own, frame in zip(given, kept, strict=True)]
    facts = {name: getattr(panel, name) for name in ("logged", "has_plates", "source", "rows", "joined")}
    samples = panel.samples if samples is None else samples
    return cc.Study(Panel.from_arrays(*arrays, samples=samples, analytes=panel.analytes, **facts), study.design)


def copied(study: cc.Study, to: np.ndarray, of: np.ndarray) -> cc.Study:
    """Put the cells of some samples in the place of others'."""
    panel = study.panel
    arrays = [np.array(frame.to_numpy().T) for frame in (panel.values, panel.state, panel.lower_limit, panel.upper_limit)]
    for array in arrays:
        array[:, to] = array[:, of]
    value, state, lower, upper = arrays
    return changed(study, value, state=state, lower=lower, upper=upper)


def values_of(study: cc.Study) -> np.ndarray:
    return np.array(study.panel.values.to_numpy().T)


def samples_of(study: cc.Study, subject: str) -> np.ndarray:
    return np.flatnonzero((study.panel.samples["subject"] == subject).to_numpy())


def duplicated(study: cc.Study) -> cc.Study:
    """Give one subject the samples of another of its group."""
    panel, group = study.panel, study.design.group
    visits = panel.samples.groupby("subject", sort=False)["visit"].nunique()
    whole = visits.index[visits == visits.max()]
    one = whole[0]
    own = panel.samples.drop_duplicates("subject").set_index("subject")[group]
    other = next(name for name in whole[1:] if own[name] == own[one])
    return copied(study, samples_of(study, other), samples_of(study, one))


def plate_is_group(study: cc.Study) -> cc.Study:
    """Put cases on one plate and controls on another."""
    case = study.panel.samples[study.design.group].astype(str) == study.design.case
    return changed(study, samples=study.panel.samples.assign(plate=np.where(case, "A", "B")))


def swapped(study: cc.Study) -> cc.Study:
    """Exchange the first and the last visit of the first case that has both."""
    samples = study.panel.samples
    label = np.array(samples["visit"].to_numpy(dtype=object))
    last = study.visits[-1]
    for subject in study.subjects.index:
        at = samples_of(study, subject)
        if {study.baseline, last} <= set(label[at]):
            turn = {study.baseline: last, last: study.baseline}
            label[at] = [turn.get(own, own) for own in label[at]]
            return changed(study, samples=samples.assign(visit=label))
    raise ValueError("no case has both visits")


def exchanged(study: cc.Study) -> cc.Study:
    """Exchange the samples of the first two cases at the last visit."""
    samples = study.panel.samples
    subject = np.array(samples["subject"].to_numpy(dtype=object))
    late = (samples["visit"] == study.visits[-1]).to_numpy()
    one, other = [name for name in study.subjects.index if name in set(subject[late])][:2]
    subject[late] = [{one: other, other: one}.get(name, name) for name in subject[late]]
    return changed(study, samples=samples.assign(subject=subject))


def plate_in_other_unit(study: cc.Study, factor: float = 1000.0) -> cc.Study:
    """Multiply all numbers of the first plate."""
    value, plate = values_of(study), study.panel.samples["plate"].to_numpy(dtype=object)
    value[:, plate == plate[0]] *= factor
    return _within(study, value)


def analyte_in_other_unit(study: cc.Study, factor: float = 1000.0) -> cc.Study:
    """Multiply the numbers of one analyte on the first plate."""
    value, plate = values_of(study), study.panel.samples["plate"].to_numpy(dtype=object)
    value[list(study.analytes).index("TNF-a"), plate == plate[0]] *= factor
    return _within(study, value)


def subject_in_other_unit(study: cc.Study, factor: float = 1000.0) -> cc.Study:
    """Multiply all numbers of one subject."""
    value = values_of(study)
    value[:, samples_of(study, study.subjects.index[3])] *= factor
    return _within(study, value)


def diluted(study: cc.Study) -> cc.Study:
    """Multiply all numbers of one subject by 10."""
    return subject_in_other_unit(study, 10.0)


def carried_forward(study: cc.Study) -> cc.Study:
    """Give one subject the numbers of its first visit at its second."""
    at = next(own for name in study.subjects.index if len(own := samples_of(study, name)) > 1)
    return copied(study, at[1:2], at[:1])


def _within(study: cc.Study, value: np.ndarray) -> cc.Study:
    """Make the study anew with the limits of its file, numbers beyond which are marked as a reader marks them."""
    state, lower, upper = (frame.to_numpy().T for frame in (study.panel.state, study.panel.lower_limit, study.panel.upper_limit))
    with np.errstate(invalid="ignore"):
        outside = (value < lower) | (value > upper)
    number = (state == State.MEASURED) | (state == State.EXTRAPOLATED)
    return changed(study, value, state=np.where(number & outside, State.EXTRAPOLATED, state).astype(np.int8))


FAULTS = {
    "duplicated subject": (duplicated, "henry2010", "duplicated subjects"),
    "carried forward": (carried_forward, "henry2010", "repeated samples"),
    "plate = group": (plate_is_group, "henry2010", "plate and group"),
    "plate x1000": (plate_in_other_unit, "henry2010", "units of plates"),
    "plate /1000": (lambda study: plate_in_other_unit(study, 0.001), "henry2010", "units of plates"),
    "plate x10": (lambda study: plate_in_other_unit(study, 10.0), "henry2010", "units of plates"),
    "analyte on a plate x1000": (analyte_in_other_unit, "henry2010", "units of plates"),
    "subject x1000": (subject_in_other_unit, "henry2010", "units of samples"),
    "analyte on a plate /1000": (lambda study: analyte_in_other_unit(study, 0.001), "henry2010", "units of plates"),
    "subject /1000": (lambda study: subject_in_other_unit(study, 0.001), "henry2010", "units of samples"),
    "subject x10": (diluted, "henry2010", "units of samples"),
    "samples exchanged": (exchanged, "henry2010", "mixed-up samples"),
    "samples exchanged, independent analytes": (exchanged, "null", "mixed-up samples"),
    "swapped visits": (swapped, "inflammatory_cascade", "swapped visits"),
    "swapped visits, strong effect": (swapped, "strong", "swapped visits"),
}


def outlying_by_chance(n_samples: int, n_analytes: int, n: int = 400, share: float = 0.0) -> tuple[float, float]:
    """Return in what share of studies of normal levels some sample lies beyond a bar: as it is widened, and by the limits alone.

    `share` of the variance is of the sample and common to all analytes.
    """
    rng = np.random.default_rng([20261122, n_samples, n_analytes, int(100 * share)])
    farthest = np.empty(n)
    case = np.arange(n_samples) < n_samples // 2
    for k in range(n):
        x = np.sqrt(1 - share) * rng.normal(size=(n_samples, n_analytes)) + np.sqrt(share) * rng.normal(size=(n_samples, 1))
        for own in (case, ~case):
            x[own] -= np.median(x[own], axis=0)
        found = robust_distances(x / spread(x.T), chance=CHANCE / n_samples)
        farthest[k] = max((found.score / found.score_bar).max(), (found.orthogonal / found.orthogonal_bar).max())
    return float((farthest > widened(n_samples, n_analytes)).mean()), float((farthest > 1).mean())


def scenario_named(name: str) -> cc.Scenario:
    if name == "strong":
        return cc.load_scenario("inflammatory_cascade").vary({"change.case": STRONG["change.case"]})
    return cc.load_scenario(name)


def verdicts(name: str, replicates: range, fault: str = "") -> list[dict[str, str]]:
    scenario, found = scenario_named(name), []
    for k in replicates:
        study = scenario.draw(20261122, k)
        study = FAULTS[fault][0](study) if fault else study
        found.append(cc.check_study(study, scenario.plan).table.set_index("name")["verdict"].to_dict())
    return found


def in_parts(name: str, n: int, jobs: int, fault: str = "") -> list[dict[str, str]]:
    parts = [range(start, min(n, start + 25)) for start in range(0, n, 25)]
    return [row for part in Parallel(n_jobs=jobs)(delayed(verdicts)(name, part, fault) for part in parts) for row in part]


def main(n: int = 200, jobs: int = 2) -> None:
    print("Outlying samples: percent of studies of normal levels with one, by the bars (without their widening for few samples)")
    for share in (0.0, 0.3):
        shapes = [(samples, analytes) for samples in (20, 24, 32, 48, 104, 300) for analytes in (3, 12, 30, 100)]
        rates = Parallel(n_jobs=jobs)(delayed(outlying_by_chance)(*shape, 2 * n, share) for shape in shapes)
        said = ", ".join(f"{a} x {b} {100 * x:.3g} ({100 * y:.3g})" for (a, b), (x, y) in zip(shapes, rates, strict=True))
        print(f"  {share:.0%} of the variance common: {said}", flush=True)
    print(f"Sound studies ({n} of each scenario): percent of studies in which a check warned or failed")
    for name in [*SOUND, "strong"]:
        start = time.perf_counter()
        rows = in_parts(name, n, jobs)
        counts = Counter((check, verdict) for row in rows for check, verdict in row.items() if verdict in ("warn", "fail"))
        said = ", ".join(f"{check} {verdict} {100 * count / n:g}" for (check, verdict), count in sorted(counts.items()))
        print(f"  {name} ({time.perf_counter() - start:.0f} s): {said or 'none'}", flush=True)
    print("Planted faults: percent of studies in which the check named for it warned, failed; in which other checks failed")
    for fault, (_, name, check) in FAULTS.items():
        rows = in_parts(name, n, jobs, fault)
        own = Counter(row[check] for row in rows)
        others = Counter(other for row in rows for other, verdict in row.items() if other != check and verdict == "fail")
        more = ", ".join(f"{other} {100 * count / n:g}" for other, count in others.items())
        rates = f"warn {100 * own['warn'] / n:g}, fail {100 * own['fail'] / n:g}"
        print(f"  {fault} in {name}: {check} {rates}; others: {more or 'none'}", flush=True)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:3]))
