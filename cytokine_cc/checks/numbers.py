"""Numbers that cannot be, digits that a hand prefers, and numbers that too many samples hold."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..labels import coded
from ..panel import State
from ..plan import Plan
from ..study import Study
from ..words import counted, percent
from .check_report import FAIL, NOT_APPLICABLE, PASS, WARN, Check, Finding
from .facts import Facts, some

FAR_BEYOND = 10  # times the upper limit, or under the lower one
MANY, LEAST_FAR = 0.5, 12  # share of the numbers of a sample, or of an analyte on a plate, far under their limits; of how many
MOST_LOG = {"log2": 50.0, "ln": 35.0, "log10": 15.0}  # logs that no concentration has
LEAST_HEAP, TIMES_NEXT = 5, 3  # values at one number; times those at any other number of that analyte (on that plate)
LEAST_DIGITS, DIGIT_LEVEL, PREFERRED = 100, 1e-4, 2.0  # last digits to judge by; level; times the tenth that a digit should have
LEAST_OF_SIZE, LEAST_OF_PLATE = 20, 8  # numbers of a power of ten, in all and on a plate, to tell to what they are rounded
MODAL, NEARLY = 0.75, 0.95  # share of them that is rounded so; share that is a multiple of 5
MIXED = 0.2  # share that ends in 0 beyond which some plates may have fewer decimals; a tenth if they are alike
_DECIMALS = 7
_LOW = 0.4  # share of the other numbers below, up to which a heap is at the lower end
_CONSTANTS = {1.0: "its lower limit", 0.5: "half its lower limit", 2**-0.5: "its lower limit / sqrt 2"}


def _impossible(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    logs = plan is None or any(question.scale != "raw" for question in plan.questions)
    raw = study.panel.logged is None
    value, lower, upper = facts.value, facts.lower, facts.upper
    stated = lower > 0  # what is below it is put at the limit by most rules, so that no plan need be refused
    with np.errstate(invalid="ignore"):
        found: list[tuple[str, np.ndarray, bool]] = [
            ("infinite numbers", np.isinf(value), True),
            ("numbers below 0", (value < 0) & ~np.isinf(value) & raw, logs),
            ("numbers that are 0", (value == 0) & raw & ~stated, logs),
            ("numbers that are 0 under a limit that is stated: not detected?", (value == 0) & raw & stated, False),
            ("lower limits that are not under the upper limit", lower >= upper, True),
            ("lower limits of 0 or less", (lower <= 0) & raw, logs),
            ("numbers called measured outside their limits", _outside(facts), True),
            (f"numbers more than {FAR_BEYOND} times their upper limit", (value > FAR_BEYOND * upper) & raw, False),
            (
                f"numbers under 1/{FAR_BEYOND} of their lower limit, as half of their sample or plate",
                _far_below(facts) & raw,
                False,
            ),
        ]
        if study.panel.logged is not None:
            most = MOST_LOG[study.panel.logged]
            found.append((f"{study.panel.logged} values beyond {most:g}", np.abs(value) > most, False))
    rows, said, worst = [], [], PASS
    for words, flags, surely in found:
        cells = np.argwhere(flags)
        if len(cells):
            said.append(f"{counted(len(cells), 'cell')}: {words} ({some(facts.analytes[np.unique(cells[:, 0])])})")
            worst = FAIL if surely else WARN if worst == PASS else worst
            of_wells = "; the row is the first of the sample's" if facts.several_rows else ""
            rows += [facts.place(s, a, found=f"{words}: {_cell(facts, a, s)}{of_wells}") for a, s in cells]
    if not said:
        n = counted(int((~np.isnan(value)).sum()), "number")
        signs = "all of them above 0 and finite" if raw else f"all of them finite {study.panel.logged} values"
        return Finding(PASS, f"{n}, {signs}, none beyond its limits without saying so")
    return Finding(worst, "; ".join(said), rows)


def _outside(facts: Facts) -> np.ndarray:
    return (facts.state == State.MEASURED) & ((facts.value < facts.lower) | (facts.value > facts.upper))


def _far_below(facts: Facts) -> np.ndarray:
    """Flag numbers far under their limits where half of the sample, or of the analyte on its plate, lies there.

    A number here and there is read so far down a curve in sound data: up to a third of an analyte on a plate, where most of it is
    below the limit.
    """
    with np.errstate(invalid="ignore"):
        low = (facts.value > 0) & (facts.value < facts.lower / FAR_BEYOND)
    number = ~np.isnan(facts.value)
    common = (low.sum(axis=0) >= MANY * number.sum(axis=0)) & (number.sum(axis=0) >= LEAST_FAR)
    many = np.broadcast_to(common, low.shape).copy()
    for plate in set(facts.plate):
        on = facts.plate == plate
        n = number[:, on].sum(axis=1)
        many[:, on] |= ((n >= LEAST_FAR) & (low[:, on].sum(axis=1) >= MANY * n))[:, None]
    return low & many


def _cell(facts: Facts, a: int, s: int) -> str:
    limits = [
        f"{name} limit {limit[a, s]:g}"
        for name, limit in (("lower", facts.lower), ("upper", facts.upper))
        if limit[a, s] == limit[a, s]
    ]
    return ", ".join([f"{facts.value[a, s]:g}", *limits])


def _heaped(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    rows: list[dict[str, Any]] = []
    heaps: list[tuple[int, float, int, int, str]] = []
    for a in np.flatnonzero(_most_equal(facts.value) >= LEAST_HEAP).tolist():
        for plate in (None, *_plates(facts)):
            found = _heap(facts.value[a] if plate is None else np.where(facts.plate == plate, facts.value[a], np.nan))
            if found is None or any(own[0] == a and own[1] == found[0] for own in heaps):
                continue
            number, count, rank, n = found
            on = "" if plate is None else f" on plate {plate}"
            heaps.append((a, number, count, n, on))
            first = int(np.flatnonzero(facts.value[a] == number)[0])
            rows.append(
                facts.place(first, a, found=f"{number:.6g} in {count} of {n} numbers{on}, {rank}{_constant(facts, a, number)}")
                | {"subject": "", "visit": "", "plate": plate or "", "matched_set": "", "row": ""}
            )
    if not heaps:
        return Finding(PASS, f"no number stands out by how often it occurs in any of {counted(len(facts.analytes), 'analyte')}")
    big = max(heaps, key=lambda own: own[2] / own[3])
    names = dict.fromkeys(facts.analytes[own[0]] for own in sorted(heaps, key=lambda own: -own[2] / own[3]))
    said = (
        f"{counted(len(names), 'analyte')} with numbers that occur far more often than any other ({some(names)}); most often "
        f"{big[1]:.6g} in {big[2]} of {big[3]} numbers of {facts.analytes[big[0]]}{big[4]}"
    )
    return Finding(WARN, said, rows)


def _most_equal(value: np.ndarray) -> np.ndarray:
    """Count how often the most frequent number of each analyte occurs, as far as `LEAST_HEAP`."""
    ordered = np.sort(value, axis=-1)
    if value.shape[-1] < LEAST_HEAP:
        return np.zeros(len(value), dtype=np.int64)
    return (ordered[:, LEAST_HEAP - 1 :] == ordered[:, : 1 - LEAST_HEAP]).any(axis=-1) * LEAST_HEAP


def _plates(facts: Facts) -> list[str]:
    names = [name for name in dict.fromkeys(facts.plate) if name]
    return names if len(names) > 1 else []


def _heap(value: np.ndarray) -> tuple[float, int, str, int] | None:
    """Return the number that stands out by how often it occurs: number, count, where it lies, and of how many."""
    numbers, count = np.unique(value[~np.isnan(value)], return_counts=True)
    if len(numbers) < 2:
        many = len(numbers) and count[0] >= LEAST_HEAP
        return (float(numbers[0]), int(count[0]), "the only number there", int(count[0])) if many else None
    top = int(np.argmax(count))
    next_most = int(np.delete(count, top).max())
    if count[top] < max(LEAST_HEAP, TIMES_NEXT * next_most):
        return None
    n, under, over = int(count.sum()), int(count[:top].sum()), int(count[top + 1 :].sum())
    if under <= _LOW * (under + over):
        where = "the lowest" if not under else f"{counted(under, 'number')} below it and {over} above"
        rank = f"{where}: a limit that is not stated, or a constant put in place of values below one"
    elif over <= _LOW * (under + over):
        where = "the highest" if not over else f"{counted(over, 'number')} above it and {under} below"
        rank = f"{where}: an upper limit that is not stated"
    else:
        rank = f"in the midst of the others, {under} below it and {over} above: filled in"
    return float(numbers[top]), int(count[top]), rank, n


def _constant(facts: Facts, a: int, number: float) -> str:
    """Say that a number is the declared limit, or what is commonly put in its place."""
    limits = np.unique(facts.lower[a][~np.isnan(facts.lower[a])])
    for factor, words in _CONSTANTS.items():
        if facts.study.panel.logged is None and np.isclose(limits * factor, number, rtol=1e-3).any():
            return f"; it is {words}"
    return ""


def _digits(study: Study, plan: Plan | None) -> Finding:
    facts = Facts(study)
    plate = coded(facts.plate)[0]
    rows: list[dict[str, Any]] = []
    judged, n_digits = 0, 0
    found: list[tuple[int, int, int, int, float]] = []
    grids: list[int] = []
    for a in range(len(facts.analytes)):
        value = np.abs(facts.value[a])
        kept = np.isfinite(value) & (value > 0)
        kept[kept] = _no_heaps(value[kept])
        digits, by_five = _last_digits(value[kept], plate[kept])
        if by_five:
            grids.append(a)
            rows.append({"analyte": facts.analytes[a], "found": "nearly all numbers are multiples of 5"})
        if len(digits) < LEAST_DIGITS:
            continue
        judged, n_digits = judged + 1, n_digits + len(digits)
        counts = np.bincount(digits, minlength=10)
        found.append((a, int(np.argmax(counts)), int(counts.max()), len(digits), _uneven(counts)))
    said = [f"nearly all numbers of {some(facts.analytes[grids])} are multiples of 5"] if grids else []
    if not judged and not grids:
        why = f"no analyte has {LEAST_DIGITS} numbers that are rounded to a digit one could prefer"
        return Finding(NOT_APPLICABLE, f"{why} (three digits or more, to the same decimal among numbers of its size)")
    preferred = [own for own in found if own[4] * judged < DIGIT_LEVEL and own[2] > PREFERRED * own[3] / 10]
    if not preferred and not grids:
        a, digit, count, n, _ = max(found, key=lambda own: own[2] / own[3])
        even = f"last digits of {n_digits:,} numbers of {counted(judged, 'analyte')} are about even"
        return Finding(PASS, f"{even}; most uneven {facts.analytes[a]}: {percent(count / n)} end in {digit}")
    for a, digit, count, n, _ in preferred:
        rows.append({"analyte": facts.analytes[a], "found": f"{count} of {n} numbers ({percent(count / n)}) end in {digit}"})
    if preferred:
        a, digit, count, n, _ = max(preferred, key=lambda own: own[2] / own[3])
        named = some(facts.analytes[own[0]] for own in preferred)
        said.append(f"{counted(len(preferred), 'analyte')} of {judged} prefer a last digit ({named})")
        said.append(f"most in {facts.analytes[a]}: {percent(count / n)} of {n} numbers end in {digit}")
    return Finding(WARN, "; ".join(said), rows)


def _no_heaps(value: np.ndarray) -> np.ndarray:
    """Flag what is not heaped: heaped numbers are another check's, and have one last digit."""
    if not len(value):
        return np.zeros(0, dtype=bool)
    _, inverse, count = np.unique(value, return_inverse=True, return_counts=True)
    return np.asarray(count[inverse] <= max(LEAST_HEAP, 0.05 * len(value)))


def _last_digits(value: np.ndarray, plate: np.ndarray) -> tuple[np.ndarray, bool]:
    """Return the last digits of numbers of three digits or more, and whether nearly all numbers are multiples of 5.

    Last is the decimal to which three of four numbers of a power of ten are rounded, those of a plate where it has enough of
    them: files may mix decimals. Numbers that are not rounded give none. Where all last digits are 0 or 5 the digit before it is
    taken: that is a mean of two, unless the step is 5 whatever the size of the number.
    """
    if not _whole(value, _DECIMALS - 1).any():
        return np.zeros(0, dtype=np.int64), False
    decade = np.floor(np.log10(value) + 1e-12).astype(int)
    parts, fives = [], []
    for power in np.unique(decade):
        of_size = decade == power
        if of_size.sum() < LEAST_OF_SIZE:
            continue
        common = _decimals(value[of_size])
        for part in _by_decimals(value[of_size], plate[of_size], common):
            own = value[of_size][part]
            decimals = _decimals(own) if len(own) >= LEAST_OF_PLATE else common
            if decimals is None:
                continue
            steps = np.rint(own[_whole(own, decimals)] * 10.0**decimals)
            by_five = len(steps) >= LEAST_OF_PLATE and (steps % 5 == 0).mean() >= NEARLY
            fives.append((by_five, decimals, int(power), len(steps)))
            if by_five:
                steps, decimals = np.floor(steps / 10), decimals - 1
            if power + decimals >= 2:  # three digits
                parts.append((steps % 10).astype(np.int64))
    whole = [own for own in fives if own[3] >= LEAST_OF_PLATE]
    sizes = {power for _, _, power, _ in whole}
    grid = (
        bool(whole) and all(by_five and decimals == 0 for by_five, decimals, *_ in whole) and (len(sizes) > 1 or max(sizes) <= 2)
    )
    return np.concatenate([*parts, np.zeros(0, dtype=np.int64)]), grid


def _by_decimals(value: np.ndarray, plate: np.ndarray, common: int | None) -> list[np.ndarray]:
    """Return the numbers that are rounded alike, as far as plates tell: all, or those of each plate."""
    if common is None or (_whole(value, common).all() and _whole(value, common - 1).mean() <= MIXED):
        return [np.ones(len(value), dtype=bool)]
    return [plate == at for at in np.unique(plate)]


def _decimals(value: np.ndarray) -> int | None:
    """Return the decimals to which most numbers are rounded; None of numbers that are not."""
    return next((d for d in range(-3, _DECIMALS) if _whole(value, d).mean() >= MODAL), None)


def _whole(value: np.ndarray, decimals: int) -> np.ndarray:
    steps = value * 10.0**decimals
    return np.abs(steps - np.rint(steps)) <= 8 * np.finfo(float).eps * np.maximum(steps, 1.0)


def _uneven(count: np.ndarray) -> float:
    from scipy.special import chdtrc

    expected = count.sum() / 10
    return float(chdtrc(9, ((count - expected) ** 2 / expected).sum()))


CHECKS = (
    Check(
        "impossible values",
        "numbers",
        "Numbers are above 0 and finite, and within their limits unless they say otherwise; limits are above 0 and the lower one "
        "lies under the upper one.",
        "A concentration is not negative, and a value below detection is not 0: neither has a logarithm, so that a plan on a log "
        "scale is refused. A number that its own limits forbid has the wrong unit, limit or flag.",
        _impossible,
    ),
    Check(
        "digit preference",
        "numbers",
        "Last digits of rounded numbers occur about equally often.",
        "An instrument has no favourite digit; a person who reads or types numbers often has (0 and 5). Judged where numbers "
        "have three digits or more, by a chi-square test of ten digits, adjusted for the number of analytes; so are numbers that "
        "are all multiples of 5. The last digit is that of most numbers of a size, on a plate: decimals may be mixed.",
        _digits,
        "Mosimann JE, Wiseman CV, Edelman RE. Accountability in Research 1995;4:31-55. doi:10.1080/08989629508573866",
    ),
    Check(
        "heaped values",
        "numbers",
        f"No number occurs {TIMES_NEXT} times as often as any other of its analyte, or of its analyte on a plate.",
        "Many equal numbers at the lower end are values below a limit that the file does not state, or a constant put in their "
        "place: as measured numbers they make groups look alike or different by what was put in. At the upper end they are a "
        "detector that is saturated.",
        _heaped,
        "Helsel DR. Statistics for Censored Environmental Data Using Minitab and R, 2nd ed. Wiley 2012. "
        "doi:10.1002/9781118162729",
    ),
)
