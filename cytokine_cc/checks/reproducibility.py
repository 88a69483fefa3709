"""The same seed, the same study; the same study, the same answer: here, and elsewhere."""

from __future__ import annotations

import io
import math
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..analysis import analyze, compare_baseline
from ..config import bundled_folder, load_study
from ..plan import Plan
from ..questions import Baseline, ChangeBetween, ChangeWithin
from ..readers import read_panel
from ..results import Results
from ..simulation.choice import published_draw
from ..simulation.error_rates import certify
from ..simulation.scenario import load_scenario, scenario_names
from ..simulation.writing import study_files
from ..study import Study
from .agreement import stored_study
from .check_report import Check, Finding
from .comparing import Comparison, Fact, facts_hold
from .rates import shifted

ABOUT = "reproducibility"
_FILES = ("panel.csv", "clinical.csv", "study.toml", "datapackage.json")
_MOST_LINES = 20  # that a check spells out
# Another platform's exp and log may differ in the last of 16 digits, and so round one of four digits otherwise, once in 10**11.
_NUDGES = (1 - 1e-9, 1 + 1e-9)


def _bundled(names: Iterable[str]) -> Callable[[int], Finding]:
    def run(n_jobs: int) -> Finding:
        folder, n_lines, n_bad = bundled_folder(), 0, 0
        said: list[str] = []
        rows: list[dict[str, str]] = []
        for name in names:
            scenario, read = load_scenario(name), load_study(name)
            draw = published_draw(scenario)
            study = scenario.draw(*draw)
            drawn = study_files(study, scenario, *draw)
            for file in _FILES:
                path = Path(str(folder)) / name / file
                mine, theirs = (_lines(text, file) for text in (path.read_text(encoding="utf-8"), drawn[file]))
                n_lines += len(mine)
                bad = [i for i in range(max(len(mine), len(theirs))) if mine[i : i + 1] != theirs[i : i + 1]]
                if bad:
                    others = [_lines(study_files(_nudged(study, by), scenario, *draw)[file], file) for by in _NUDGES]
                    bad = [
                        i for i in bad if mine[i : i + 1] not in [other[i : i + 1] for other in others if len(other) == len(mine)]
                    ]
                n_bad += len(bad)
                for i in bad[: _MOST_LINES - len(rows)]:
                    there, here = (f"{lines[i]!r}" if i < len(lines) else "no such line" for lines in (mine, theirs))
                    rows.append({"file": path.name, "row": str(i + 1), "found": f"{name}: {there}, drawn {here}"})
            said.append(f"{name} ({read.n_case} and {read.n_control})")
        return Finding.of(n_lines > 0 and not n_bad, f"{n_lines:,} lines of {', '.join(said)}: {n_bad:,} differ", rows)

    return run


def _lines(text: str, file: str) -> list[str]:
    """Return the lines of a file; of a description without the size and the digest of the files beside it."""
    lines = text.splitlines()
    return [line for line in lines if not line.strip().startswith(('"bytes"', '"hash"'))] if file.endswith(".json") else lines


def _nudged(study: Study, by: float) -> Study:
    """Return a study whose numbers are all a little higher, or lower."""
    panel = study.panel
    numbers = {name: getattr(panel, name) * by for name in ("values", "lower_limit", "upper_limit")}
    samples = panel.samples.assign(**{name: panel.samples[name] * by for name in panel.samples.select_dtypes("float")})
    return Study(replace(panel, samples=samples, **numbers), study.design)


def _draws() -> Iterable[Fact]:
    scenario = load_scenario("henry2010")
    one, again, other, next_one = (scenario.draw(*key).panel.values.to_numpy() for key in ((1,), (1, 0), (2,), (1, 1)))
    batch = scenario.draw_arrays(1, range(3))
    alone = scenario.draw_arrays(1, [2])
    yield "the same seed draws the same study", bool(np.array_equal(one, again, equal_nan=True)), True
    yield "numbers shared with another seed", _shared(one, other), 0
    yield "with another replicate", _shared(one, next_one), 0
    yield (
        "replicate 2 is the same alone and among others",
        bool(np.array_equal(batch.value[2], alone.value[0], equal_nan=True)),
        True,
    )


def _shared(one: np.ndarray, other: np.ndarray) -> int:
    """Count numbers that two studies have in common, place by place."""
    n = min(len(one), len(other))
    return int((one[:n] == other[:n]).sum())


def _certified_is_analysed(n_jobs: int) -> Finding:
    """Go through five studies one by one, by analyze, and compare with certify."""
    scenario, n_sim, numbers = load_scenario("henry2010"), 5, Comparison()
    plan = Plan(Baseline("welch", adjust="BH"), None, ChangeBetween("mann_whitney", adjust="holm"))
    rates = certify(plan, scenario, n_sim=n_sim, seed=5, n_jobs=n_jobs, progress=False, patterns=()).table
    results = [analyze(scenario.draw(5, k), plan).results for k in range(n_sim)]
    for kind in ("baseline", "change_between"):
        tables = [found[kind].table for found in results]
        keys = list(zip(tables[0]["visit"], tables[0]["analyte"], strict=True))
        for measure, column in (("size", "p_value"), ("power", "p_adjusted")):
            counted = np.mean([(table[column] <= plan.alpha).to_numpy() for table in tables], axis=0)
            share = dict(zip(keys, counted, strict=True))
            rows = rates[(rates["question"] == kind) & (rates["measure"] == measure) & (rates["analyte"] != "")]
            places = [{"analyte": row.analyte, "visit": row.visit} for row in rows.itertuples(index=False)]
            want = [share[place["visit"], place["analyte"]] for place in places]
            numbers.add(rows["estimate"], want, 1e-12, places, f"{measure} of {kind}")
    return numbers.finding(f"; {n_sim} studies")


def _measures_by_hand(n_jobs: int) -> Finding:
    """Go through studies one by one, and count and average with Python's own statistics module."""
    scenario, n_sim, numbers = shifted(), 12, Comparison()
    plan = Plan(Baseline("student", adjust="BH", scale="ln"), None, None, alpha=0.2)
    rates = certify(plan, scenario, n_sim=n_sim, seed=6, n_jobs=n_jobs, progress=False, patterns=()).table
    tables = [analyze(scenario.draw(6, k), plan).results["baseline"].table.set_index("analyte") for k in range(n_sim)]
    truth = dict(zip(scenario.analytes, scenario.effect(), strict=True))
    want: dict[tuple[str, str], tuple[float, float]] = {}
    false, true, size = [], [], []
    for table in tables:
        hits = [name for name in truth if table.loc[name, "p_adjusted"] <= plan.alpha]
        wrong = [name for name in hits if truth[name] == 0]
        false.append((len(wrong) > 0, len(wrong) / max(1, len(hits))))
        true.append(len(hits) - len(wrong))
        size.append(statistics.fmean(bool(table.loc[name, "p_value"] <= plan.alpha) for name in truth if truth[name] == 0))
    n_effect = sum(value != 0 for value in truth.values())
    want["size", ""] = _average(size)
    want["power_average", ""] = _average([found / n_effect for found in true])
    want["power_any", ""] = _share([found > 0 for found in true])
    want["power_all", ""] = _share([found == n_effect for found in true])
    want["FWER", ""] = _share([any_false for any_false, _ in false])
    want["FDR", ""] = _average([share for _, share in false])
    for name, effect in truth.items():
        rows = [table.loc[name] for table in tables]
        logs, errors = [math.log(row["estimate"]) for row in rows], [row["std_error"] for row in rows]
        spread, squares = statistics.stdev(logs), _average([error**2 for error in errors])
        model = math.sqrt(squares[0])
        want["bias", name] = _average([x - effect for x in logs])
        want["emp_se", name] = spread, spread / math.sqrt(2 * (n_sim - 1))
        want["model_se", name] = model, squares[1] / (2 * model)
        want["coverage", name] = _share([math.log(row["conf_low"]) <= effect <= math.log(row["conf_high"]) for row in rows])
        want["interval_width", name] = _average([math.log(row["conf_high"] / row["conf_low"]) for row in rows])
        hit = [row["p_adjusted"] <= plan.alpha for row in rows]
        found = [x for x, yes in zip(logs, hit, strict=True) if yes]
        if effect == 0:
            want["size", name] = _share([row["p_value"] <= plan.alpha for row in rows])
            continue
        want["power", name] = _share(hit)
        if len(found) > 1:
            want["type_m", name] = _average([abs(x / effect) for x in found])
            want["type_s", name] = _share([x * effect < 0 for x in found])
    got = {(row.measure, row.analyte): (row.estimate, row.mcse) for row in rates.itertuples(index=False)}
    for measure in dict.fromkeys(measure for measure, _ in want):
        keys = [key for key in want if key[0] == measure]
        for i, what in enumerate(("estimate", "Monte Carlo error")):
            mine, theirs = (np.array([table[key][i] for key in keys]) for table in (got, want))
            numbers.add(mine, theirs, 1e-7, [{"analyte": key[1]} for key in keys], f"{what} of {measure}")
    return numbers.finding(f"; {n_sim} studies")


def _share(yes: Sequence[bool]) -> tuple[float, float]:
    p = statistics.fmean(map(bool, yes))
    return p, math.sqrt(p * (1 - p) / len(yes))


def _average(values: Sequence[float]) -> tuple[float, float]:
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def _spread_of_runs(n_jobs: int) -> Finding:
    """Compare the errors that runs report with how far the estimates of many runs lie apart."""
    scenario, runs = shifted(), 25
    plan = Plan(Baseline("student", adjust="none", scale="ln"), None, None)
    options: dict[str, Any] = {"n_sim": 40, "n_jobs": 1, "progress": False, "patterns": ()}
    tables = [certify(plan, scenario, seed=100 + k, **options).table for k in range(runs)]
    said, rows = [], []
    for measure in ("size", "power", "bias", "coverage", "interval_width"):
        own = (tables[0]["measure"] == measure) & (tables[0]["analyte"] != "")
        estimate, error = (np.array([table.loc[own, name] for table in tables]) for name in ("estimate", "mcse"))
        ratio = float(np.sqrt(np.mean(error**2) / np.mean(estimate.var(axis=0, ddof=1))))
        said.append(f"{measure} {ratio:.3f}")
        if not 0.8 < ratio < 1.25:
            rows.append({"found": f"{measure}: the errors reported are {ratio:.3f} of the spread"})
    return Finding.of(not rows, f"errors reported, as a share of the spread of {runs} runs: {', '.join(said)}", rows)


def _workers(n_jobs: int) -> Finding:
    scenario, plan = load_scenario("henry2010"), Plan(change_within=None)
    options: dict[str, Any] = {"seed": 3, "progress": False}
    one, two = (certify(plan, scenario, n_sim=140, n_jobs=n, **options).table for n in (1, 2))
    other = certify(plan, scenario, n_sim=140, n_jobs=1, seed=4, progress=False).table
    differs = [name for name in one.columns if not one[name].equals(two[name])]
    same = int((one["estimate"] == other["estimate"]).sum())
    said = f"{len(one):,} rows of 140 studies: columns that differ between one worker and two: {', '.join(differs) or 'none'}; "
    said += f"between two seeds {len(one) - same:,} estimates differ"
    return Finding.of(not differs and same < len(one) / 2, said)


# By analyte, from the study that henry2010 shows: Welch's p and ratio at baseline, geometric SD of the cases.
STORED: dict[str, tuple[float, float, float]] = {
    "EGF": (0.5735149374700504, 0.8947733743014689, 2.266766907275963),
    "IL-6": (0.23354337518432458, 1.452129380996694, 3.206698182408871),
    "IL-12p40": (1.315222986663812e-06, 0.361937692757854, 2.190476753053866),
    "IL-17": (4.21566642230227e-05, 0.34295258825681274, 2.355173445546772),
    "TNF-a": (0.276124056511382, 1.1972674943412642, 1.7603008892437286),
    "ceramide": (0.5088911911138917, 1.108923052869272, 1.8050236139887503),
    "lipoxin A4": (0.43378493448129574, 1.1170596867402889, 1.84341815418401),
}


def _stored_figures(n_jobs: int) -> Finding:
    study, numbers = load_scenario("henry2010").draw(2010, 2), Comparison()
    baseline = compare_baseline(study, test="welch").table.set_index("analyte")
    for analyte, (p, estimate, spread) in STORED.items():
        row, place = baseline.loc[analyte], [{"analyte": analyte}]
        for what, want in (("p_value", p), ("estimate", estimate), ("sd_case", spread)):
            numbers.add([row[what]], [want], 1e-9, place, what)
    hint = "; where all differ, this version of numpy draws other numbers from a seed" if numbers.n_bad else ""
    return numbers.finding(hint)


def _written_and_read() -> Iterable[Fact]:
    study = stored_study("groups")
    results = compare_baseline(study, test="mann_whitney")
    text = results.to_csv() or ""
    yield "results read back from CSV", bool(Results.from_csv(io.StringIO(text)).table.equals(results.table)), True
    plan = Plan(Baseline("tobit", adjust="holm", options={"calibrated": True}), ChangeWithin(groups=("case",)), None, alpha=0.01)
    yield "a plan read back from TOML", Plan.from_toml(plan.to_toml()) == plan, True
    panel = study.panel
    again = read_panel(panel.to_long(), layout="long", plate="plate", lower_limit="lower_limit", upper_limit="upper_limit")
    for name in ("values", "state", "lower_limit", "upper_limit"):
        one, two = (getattr(own, name).to_numpy(float) for own in (panel, again))
        same = one.shape == two.shape and np.array_equal(one, two, equal_nan=True)
        yield f"{name} of a panel read back", "equal" if same else "differ", "equal"
    seconds = Study(again, study.design)
    p, other = (compare_baseline(own).table["p_value"].to_numpy() for own in (study, seconds))
    yield f"{len(p)} p-values from what was read back", "equal" if np.array_equal(p, other, equal_nan=True) else "differ", "equal"


def _check(name: str, expected: str, why: str, run: Callable[[int], Finding], reference: str, level: str = "quick") -> Check:
    return Check(name, ABOUT, expected, why, run, reference, level)


_DATA = (
    "The files in data/synthetic are, line by line, those that scenario, seed and replicate make here: every cell of values, "
    "limits, plates, visits, groups, sets and covariates, the study file with its plan, and the description."
)
_SHARED = "Who reads a file of a simulated study must be able to make it anew, on another machine, and find the same."
_SOURCE = "docs/scenarios.md"
REPRODUCIBILITY: tuple[Check, ...] = (
    _check("bundled studies", _DATA, _SHARED, _bundled(("null", "henry2010")), _SOURCE),
    _check("all bundled studies", _DATA, _SHARED, lambda n_jobs: _bundled(scenario_names())(n_jobs), _SOURCE, "full"),
    _check(
        "seeds",
        "The same seed draws the same study, another seed or replicate one that shares no number with it; a replicate is the "
        "same alone and among others.",
        "A seed that is ignored makes a simulation that nobody can repeat; one that is reused makes one study out of many.",
        lambda n_jobs: facts_hold(_draws()),
        "L'Ecuyer P et al. Math Comput Simul 2017;135:3-17. doi:10.1016/j.matcom.2016.05.005",
    ),
    _check(
        "what is certified is what is analysed",
        "Shares of rejections by certify equal those counted over analyze(scenario.draw(seed, k), plan), analyte by analyte.",
        "Error rates of another code path would say nothing of the analysis that is run.",
        _certified_is_analysed,
        "docs/design.md",
    ),
    _check(
        "measures by hand",
        "Size, power, family-wise error and false discovery rate, bias, standard errors, coverage, width, type M and type S, and "
        "their Monte Carlo errors, equal those that Python's own statistics module makes of twelve analyses.",
        "A rate is believed as far as its Monte Carlo error says; one ten times too large excuses any fault.",
        _measures_by_hand,
        "Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086 (Table 6)",
    ),
    _check(
        "Monte Carlo errors",
        "25 runs of 40 studies lie as far apart as the errors that they report, within a quarter, over 12 to 36 markers.",
        "An error is right if it tells how far another run would lie; a formula alone does not show it.",
        _spread_of_runs,
        "Morris TP, White IR, Crowther MJ. Stat Med 2019;38:2074-2102. doi:10.1002/sim.8086 (Table 6)",
    ),
    _check(
        "workers",
        "One worker and two give the same table, to the last bit; another seed gives another.",
        "A result that depends on the number of cores cannot be repeated elsewhere.",
        _workers,
        "docs/design.md",
    ),
    _check(
        "files written and read back",
        "Results as CSV, a plan as TOML and a panel as a long table come back as they were, to the last bit.",
        "What is archived must be what was analysed.",
        lambda n_jobs: facts_hold(_written_and_read()),
        "docs/design.md",
    ),
    _check(
        "stored figures of a draw",
        "p-values, ratios and SDs of the study drawn from henry2010 with seed 2010, replicate 2, to a relative 1e-9.",
        "They were stored when this version was made; a change in drawing, limits or tests moves them.",
        _stored_figures,
        "seed 2010, replicate 2; numpy.random.SFC64",
    ),
)
