"""What holds for all pictures: the reader's style, long labels, narrow axes, and letters that can be read."""

from __future__ import annotations

import io
import itertools
import warnings
from functools import cache

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

import cytokine_cc as cc
from cytokine_cc import plots
from cytokine_cc.plots.drawing import COLOURS, GREY, group_ink, ink, off_screen, paper, plain, ratio_axis
from cytokine_cc.plots.models_of_change import MODELS

from .figures import fits

LONG = "a label that goes on and on, for a purpose that nobody remembers"
GROUPS = ("musculoskeletal syndrome", "no musculoskeletal syndrome")


@cache
def wordy() -> cc.Study:
    """Long labels of everything: analytes, unit, subjects, groups, visits, plates, covariates."""
    rng, n = np.random.default_rng(3), 20
    keys = [(i, visit) for i in range(n) for visit in ("a", "b")]
    frame = pd.DataFrame({"subject": [f"subject {i}, {LONG}" for i, _ in keys], "visit": [f"{LONG} {v}" for _, v in keys]})
    frame["group"], frame["plate"] = [GROUPS[i % 2] for i, _ in keys], [f"plate {i % 3}, {LONG}" for i, _ in keys]
    names = [f"soluble interleukin-{i} receptor subunit alpha, {LONG}" for i in range(6)]
    for i, name in enumerate(names):
        frame[name] = "<3" if i == 0 else "" if i == 1 else np.exp(rng.normal(2, 0.8, 2 * n)).round(2)
    clinical = pd.DataFrame({"subject": frame["subject"].unique(), LONG: rng.normal(size=n)})
    panel = cc.read_panel(frame, layout="wide", plate="plate", analytes=names, unit="picograms per millilitre of serum")
    return cc.Study(panel.join(clinical, on="subject"), cc.Design("group", *GROUPS, baseline=f"{LONG} a"))


@cache
def found(verb: str, study: str = "wordy") -> cc.Results:
    return getattr(cc, verb)(wordy() if study == "wordy" else cc.load_study(study))


@cache
def models(study: str) -> cc.SideBySide:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", cc.AnalysisWarning)  # of baselines that differ
        return cc.change_side_by_side(wordy() if study == "wordy" else cc.load_study(study))


def drawn(study: str) -> dict:
    """Every picture of a study, as a function of the axes."""
    own = wordy() if study == "wordy" else cc.load_study(study)
    name = own.analytes[3]
    return {
        "volcano": lambda ax=None: plots.volcano(found("compare_baseline", study), label=list(own.analytes), ax=ax),
        "forest": lambda ax=None: plots.forest(found("compare_baseline", study), ax=ax),
        "change": lambda ax=None: plots.change(found("change_within", study), ax=ax),
        "models": lambda ax=None: plots.side_by_side(models(study), ax=ax),
        "one": lambda ax=None: plots.change(found("change_within", study).select(analyte=name), ax=ax),
        "histogram": lambda ax=None: plots.p_values(found("compare_baseline", study), ax=ax),
        "qq": lambda ax=None: plots.p_values(found("compare_baseline", study), kind="qq", ax=ax),
        "distributions": lambda ax=None: plots.distributions(own, ax=ax),
        "lines": lambda ax=None: plots.paired_lines(own, name, ax=ax),
        "detection": lambda ax=None: plots.detection(own, ax=ax),
        "correlation": lambda ax=None: plots.correlation(own, ax=ax),
        "balance": lambda ax=None: plots.balance(own, ax=ax),
        "samples": lambda ax=None: plots.samples(own, ax=ax),
        "plates": lambda ax=None: plots.plates(own, ax=ax),
    }


KINDS = list(drawn("wordy"))


@pytest.fixture(autouse=True)
def _close():
    yield
    plt.close("all")


@pytest.mark.parametrize("kind", KINDS)
def test_long_labels_are_not_cut_off_nor_lie_on_each_other(kind):
    with off_screen():
        ax = drawn("wordy")[kind]()
    fits(ax.figure)
    if kind in ("forest", "change", "models", "distributions", "balance", "plates", "detection"):
        boxes = [label.get_window_extent() for label in ax.get_yticklabels()]
        assert all(upper.y0 >= lower.y1 - 1.5 for upper, lower in itertools.pairwise(boxes))


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("volcano", marks=pytest.mark.slow),
        "forest",
        "change",
        "models",
        "distributions",
        "lines",
        "samples",
        "plates",
    ],
)
def test_large_letters_make_a_larger_figure(kind):
    with off_screen():
        usual = drawn("quickstart")[kind]()
        with mpl.rc_context({"font.size": 16}):
            large = drawn("quickstart")[kind]()
            fits(large.figure)
    usual.figure.draw_without_rendering()
    assert large.figure.get_size_inches() == pytest.approx(1.6 * usual.figure.get_size_inches(), rel=0.05)
    assert large.bbox.size == pytest.approx(1.6 * usual.bbox.size, rel=0.15)


def test_titles_of_halves_do_not_meet():
    with off_screen():
        ax = plots.paired_lines(wordy(), wordy().analytes[3])
    ax.figure.draw_without_rendering()
    left, right = (t.get_window_extent() for t in ax.texts if "musculoskeletal" in t.get_text())
    assert left.x1 < right.x0


@pytest.mark.parametrize("width", [2.0, 4.0])
@pytest.mark.parametrize(
    "kind",
    [
        pytest.param("volcano", marks=pytest.mark.slow),
        "forest",
        "distributions",
        "change",
        "models",
        "balance",
        "plates",
        "qq",
        "detection",
    ],
)
def test_labels_and_legends_are_no_wider_than_the_axes_given(kind, width):
    figure = Figure(figsize=(12, 8))
    ax = figure.add_axes((0.4, 0.4, width / 12, 0.4))
    figure.add_axes((0.9, 0.9, 0.05, 0.05))
    drawn("wordy")[kind](ax)
    assert ax.xaxis.label.get_window_extent().width <= max(ax.bbox.width, 180) * 1.05
    legend = ax.get_legend()
    if legend is not None:
        assert legend.get_window_extent().width <= max(ax.bbox.width, 180) * 1.1


def saved(ax) -> str:
    text = io.StringIO()
    ax.figure.savefig(text, format="svg", metadata={"Date": None})
    return text.getvalue()


def test_pictures_of_a_page_do_not_depend_on_the_style_of_the_session():
    def page() -> str:
        with off_screen(), mpl.rc_context({"svg.hashsalt": "x"}):
            return saved(plots.volcano(found("compare_baseline", "quickstart")))

    usual = page()
    with plt.style.context(["dark_background", {"font.size": 16, "axes.grid": True}]):
        before = dict(mpl.rcParams)
        assert page() == usual
        assert dict(mpl.rcParams) == before


def contrast(a, b) -> float:
    """WCAG 2.1 contrast of two colours."""

    def light(colour):
        part = np.array(to_rgb(colour))
        return np.where(part <= 0.03928, part / 12.92, ((part + 0.055) / 1.055) ** 2.4) @ (0.2126, 0.7152, 0.0722)

    low, high = sorted((light(a), light(b)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("style", ["default", pytest.param("dark_background", marks=pytest.mark.slow)])
def test_all_that_is_written_and_found_can_be_read(style):
    with plt.style.context(style):
        for kind in ("volcano", "forest", "change", "models", "distributions", "lines", "plates", "balance", "histogram"):
            ax = drawn("quickstart")[kind]()
            ground = paper(ax)
            texts = [t for t in ax.findobj(Text) if t.get_text()]
            assert min(contrast(t.get_color(), ground) for t in texts) >= 4.5, kind
            assert all(t.get_fontsize() >= 6.9 for t in texts)
        filled = [line for line in plots.volcano(found("compare_baseline", "quickstart")).lines if line.get_marker() == "o"]
        assert max(contrast(line.get_markerfacecolor(), ground) for line in filled) > 10
        assert contrast(ink(ax, GREY), ground) > 5
        assert all(contrast(group_ink(ax, group), ground) > 5 for group in COLOURS)
        assert all(contrast(colour, ground) > 3.4 for _, colour, _ in MODELS.values())


def test_what_could_turn_text_around_is_taken_out():
    for letter in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c":
        assert plain(f"IL{letter}6") == "IL 6"


@pytest.mark.parametrize("ends", [(0.95, 1.05), (0.9, 1.3), (1.01, 1.02), (3.2, 3.9), (1e-5, 1e5), (0.5, 2)])
def test_an_axis_of_ratios_has_two_ticks_at_least(ends):
    ax = Figure().add_subplot()
    ax.set_xlim(ends)
    ratio_axis(ax.xaxis)
    assert sum(ends[0] <= tick <= ends[1] for tick in ax.get_xticks()) > 1


def test_more_than_a_hundred_rows_are_half_as_high():
    source = found("compare_baseline", "quickstart")
    table = pd.concat([source.table] * 28, ignore_index=True).assign(analyte=[f"A{i}" for i in range(504)])
    with off_screen():
        ax = plots.forest(cc.Results(table, source.excluded, source.meta))
    assert ax.figure.get_size_inches()[1] < 63
    assert all(label.get_fontsize() <= 72 * 0.12 for label in ax.get_yticklabels())
    tiny = Figure(figsize=(6, 8)).add_subplot()
    assert plots.forest(cc.Results(table, source.excluded, source.meta), ax=tiny).get_ylabel() == "504 rows"


def test_visits_are_named_in_words():
    frame = pd.DataFrame({"subject": [f"s{i}" for i in range(12) for _ in "123"], "visit": list("123") * 12})
    frame["g"], frame["A"] = np.where(np.arange(36) < 18, "x", "y"), np.random.default_rng(1).lognormal(size=36)
    study = cc.Study(cc.read_panel(frame, layout="wide", analytes=["A"]), cc.Design("g", "x", "y", baseline="1"))
    at = {plots.forest(cc.compare_baseline(study)).get_xlabel().splitlines()[-1]}
    assert at == {"x / y, baseline (visit 1)"}
    within, between = cc.change_within(study), cc.change_between(study)
    assert plots.forest(within.select(contrast="3 / 1 in case")).get_xlabel().endswith("visit 3 / baseline (visit 1) in x")
    assert plots.forest(between.select(visit="2")).get_xlabel().endswith("change: x / y, visit 2")
    two = cc.Study(study.panel, cc.Design("g", "x", "y", baseline=("1", "2")))
    assert plots.forest(cc.compare_baseline(two)).get_xlabel().endswith("x / y, baseline (visits 1, 2)")
    for ax, text in (
        (plots.correlation(study.select(analytes=["A"])), "baseline (visit 1), all"),
        (plots.detection(study, visit="3"), "(visit 3)"),
    ):
        assert text in ax.get_xlabel().replace("\n", " ")
