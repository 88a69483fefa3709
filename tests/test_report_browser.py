"""The page in a real browser: quiet, inside its window, sortable, searchable, printable, and safe from names that are scripts."""

from __future__ import annotations

import re
import shutil
import subprocess

import pandas as pd
import pytest

import cytokine_cc as cc
from cytokine_cc.config import find_study, read_study_file
from cytokine_cc.report.page import page_html

from .browser import browser, check_page, check_quiet, column, printed, resize, show, states
from .pages import HOSTILE, MIXED, RANGES, csv_of, effects, everything, read_exactly

NAMES = [*HOSTILE, *(f"IL-{k}" for k in range(1, 26)), "x" * 90]
NOTE, P, HIGH = 7, 5, 4


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    path = tmp_path_factory.mktemp("page") / "report.html"
    path.write_text(page_html(everything()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def window(tmp_path_factory):
    with browser(tmp_path_factory.mktemp("browser")) as opened:
        yield opened


@pytest.fixture
def page(window, file):
    """The page just opened, at 1400 px; quiet to the end."""
    show(window, file)
    yield window
    check_quiet(window)


def press(window, key, place):
    window.execute_script(
        "document.getElementById(arguments[0]).querySelectorAll('thead button')[arguments[1]].click()", key, place
    )


def search(window, key, text):
    field = window.find_element("css selector", f"#{key} input[type=search]")
    field.clear()
    field.send_keys(text)
    window.execute_async_script("setTimeout(arguments[0], 150)")  # the page waits until nothing more is typed


def said(window, key):
    return window.find_element("css selector", f"#{key} [role=status]").text


def test_all_that_must_hold_of_a_page(window, file):
    check_page(window, file)


@pytest.mark.parametrize(("name", "analytes"), [("quickstart", 4), ("henry2010", 36)])
@pytest.mark.slow
def test_it_holds_of_written_reports(window, tmp_path, name, analytes):
    read = read_study_file(find_study(name))
    study = read.study.select(analytes=read.study.analytes[:analytes])
    path = cc.write_report(cc.analyze(study, read.plan), tmp_path)
    assert path.stat().st_size < 1_600_000
    check_page(window, path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<h1>", '<p style="color: red">refused by the policy, so the console says so</p><h1>'),
        ("<h1>", '<img alt="" src="data:,"><h1>'),
        ("</h1>", f"</h1><pre>{'x' * 400}</pre>"),
        ('scope="col"', ""),
        ("</table>", "<tr><td>1</td></tr></table>"),
        ('href="#baseline"', 'href="#elsewhere"'),
        ("overflow: visible !important", "overflow: auto"),
        ("content-visibility: visible !important", "content-visibility: hidden"),
        (
            "position: absolute; right: 0; bottom: .3rem; width: .6rem;",
            "display: inline-block; width: .8rem; margin-right: -.8rem;",
        ),
        ('"help.', '"help.not.'),
    ],
    ids=["policy", "alt", "wide", "scope", "cells", "contents", "box", "folded", "sideways", "described"],
)
def test_the_checks_see_what_they_look_for(window, tmp_path, file, old, new):
    text = file.read_text(encoding="utf-8")
    assert old in text
    broken = text.replace(old, new, 1)
    if old in text.partition("</style>")[0].partition("<style>")[2]:
        broken = re.sub(r"style-src '[^']*'", "style-src 'unsafe-inline'", broken)
    (tmp_path / "broken.html").write_text(broken, encoding="utf-8")
    with pytest.raises(AssertionError):
        check_page(window, tmp_path / "broken.html")


def test_a_table_sorts_up_down_and_back(page):
    before = column(page, "effects", P)
    full = effects(NAMES).set_index("analyte")["p"]
    press(page, "effects", P)
    assert states(page, "effects")[P] == "ascending"
    assert column(page, "effects", 0) == [*full.dropna().sort_values(kind="stable").index, NAMES[-1]]
    press(page, "effects", P)
    assert states(page, "effects") == ["none"] * P + ["descending"] + ["none"] * (7 - P)
    assert column(page, "effects", 0) == [*full.dropna().sort_values(ascending=False, kind="stable").index, NAMES[-1]]
    press(page, "effects", P)
    assert set(states(page, "effects")) == {"none"}
    assert column(page, "effects", P) == before


def test_texts_that_begin_with_numbers_sort_by_them(page):
    before = RANGES[::-1]
    press(page, "texts", 0)
    assert column(page, "texts", 0) == RANGES
    press(page, "texts", 0)
    assert column(page, "texts", 0) == [*before[1:], ""]
    press(page, "texts", 0)
    assert column(page, "texts", 0) == MIXED


def test_infinite_ends_are_greatest_and_empty_ones_last(page):
    press(page, "effects", HIGH)
    assert column(page, "effects", HIGH)[-2:] == ["inf", ""]
    press(page, "effects", HIGH)
    assert (column(page, "effects", HIGH)[0], column(page, "effects", HIGH)[-1]) == ("inf", "")


def test_names_sort_by_their_numbers_and_ties_keep_their_order(page):
    press(page, "effects", 0)
    names = [name for name in column(page, "effects", 0) if name.startswith("IL-")]
    assert names == [f"IL-{k}" for k in range(1, 26)]
    press(page, "long", 0)
    press(page, "long", 0)
    assert column(page, "long", 0)[:38] == ["month 4"] * 37 + ["month 3"]
    assert column(page, "long", 1)[:37] == NAMES


def test_a_table_sorts_by_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    button = page.find_element("css selector", f"#effects thead th:nth-child({P + 1}) button")
    page.execute_script("arguments[0].focus()", button)
    for key, state in [(Keys.ENTER, "ascending"), (Keys.SPACE, "descending"), (Keys.ENTER, "none")]:
        page.switch_to.active_element.send_keys(key)
        assert states(page, "effects")[P] == state


def test_all_of_a_header_sorts(page):
    missed = page.execute_script("""
        const box = document.querySelector("#effects .box"), missed = [];
        box.scrollIntoView();
        for (const head of document.querySelectorAll("#effects thead th")) {
            const { left, right, top, bottom } = head.getBoundingClientRect();
            for (const x of [left + 2, right - 2]) for (const y of [top + 2, bottom - 2])
                if (document.elementFromPoint(x, y) !== head.querySelector("button")) missed.push(head.textContent);
        }
        return missed""")
    assert not missed


def test_controls_are_outlined(page):
    colours = page.execute_script("""
        const controls = [...document.querySelectorAll(".tools button, .tools a, .tools input")];
        return controls.map(one => getComputedStyle(one).borderTopColor)""")
    for colour in set(colours):
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
        assert 1.05 / (0.2126 * red + 0.7152 * green + 0.0722 * blue + 0.05) >= 3


def test_a_long_name_has_room(page):
    heights = page.execute_script("return [...document.querySelectorAll('#wide tbody tr')].map(row => row.offsetHeight)")
    assert heights[-1] < 6 * heights[0]


def test_an_address_that_is_none_is_no_error(window, file):
    for address in ("#%E0%A4", "#nowhere", "#long"):
        show(window, file)
        window.execute_script("location.hash = arguments[0]", address)
        window.execute_async_script("setTimeout(arguments[0], 50)")
        check_quiet(window)
    assert window.execute_script("return document.getElementById('long').open")


def test_a_table_filters_by_words_and_says_how_many_are_left(page):
    assert said(page, "effects") == "37 rows"
    search(page, "effects", "il-1")
    assert said(page, "effects") == "11 of 37 rows"
    assert column(page, "effects", 0) == ["IL-1", *(f"IL-{k}" for k in range(10, 20))]
    search(page, "effects", "PLATES limits")
    assert column(page, "effects", 0) == [NAMES[-1]]
    search(page, "effects", "nothing like it")
    assert (said(page, "effects"), column(page, "effects", 0)) == ("0 of 37 rows", [])


@pytest.mark.parametrize("refused", [False, True], ids=["clipboard", "refused"])
def test_rows_copy_as_they_are_shown_with_all_digits(page, refused):
    page.execute_script(
        """
        window.taken = null;
        const write = arguments[0] ? () => Promise.reject(new Error("refused")) : async text => { window.taken = text; };
        Object.defineProperty(navigator, "clipboard", {value: {writeText: write}, configurable: true});
        document.addEventListener("copy", () => { window.taken = document.activeElement.value; });""",
        refused,
    )
    search(page, "effects", "(1")
    press(page, "effects", P)
    button = page.find_element("css selector", "#effects .tools button")
    button.click()
    assert said(page, "effects").endswith("rows copied")
    assert page.switch_to.active_element == button
    assert button.rect["y"] > page.execute_script("return scrollY")  # still in sight
    copied = read_exactly(page.execute_script("return window.taken"), sep="\t", quoting=3)
    frame = effects(NAMES)
    expected = frame[frame["analyte"].str.contains("(1", regex=False)].sort_values("p", kind="stable")
    assert list(copied["Analyte"]) == [f"'{name}" if name[0] in "=@-" else name for name in expected["analyte"]]
    assert list(copied["p"]) == list(expected["p"])
    assert list(copied["Below the limit"]) == list(expected["below"])


def test_what_a_second_copy_says_stays_as_long_as_the_first(page):
    said = page.execute_async_script("""
        const done = arguments[0], waiting = new Map(), status = document.querySelector("#effects [role=status]");
        let last = 0;
        window.setTimeout = after => { waiting.set(++last, after); return last; };
        window.clearTimeout = place => { waiting.delete(place); };
        Object.defineProperty(navigator, "clipboard", {value: {writeText: async () => {}}, configurable: true});
        const button = document.querySelector("#effects .tools button"), pause = () => new Promise(requestAnimationFrame);
        (async () => {
            button.click(); await pause();
            const first = [...waiting.keys()];
            button.click(); await pause();
            first.forEach(place => waiting.get(place)?.());
            done(status.textContent);
        })()""")
    assert said == "37 rows copied"


def test_numbers_are_found_in_the_file_whatever_the_names(page):
    page.execute_script("""
        const clipboard = {writeText: async text => { window.taken = text; }};
        Object.defineProperty(navigator, "clipboard", {value: clipboard, configurable: true});""")
    page.find_element("css selector", "#effects .tools button").click()
    copied = read_exactly(page.execute_script("return window.taken"), sep="\t", quoting=3)
    assert list(copied["Ratio"].dropna()) == list(effects(NAMES)["estimate"].dropna())
    assert copied["Analyte"][NAMES.index(HOSTILE[-1])] == HOSTILE[-1].replace("\n", " ")


def test_links_download_files_with_all_columns_and_digits(page):
    link = page.find_element("css selector", "#effects a[download]")
    assert link.get_attribute("download") == "effects.csv"
    text = csv_of(link.get_attribute("href"))
    frame = read_exactly(text)
    expected = effects(NAMES)
    expected["analyte"] = [f"'{name}" if name[0] in "=@-" else name for name in NAMES]
    pd.testing.assert_frame_equal(frame, expected, check_dtype=False, rtol=0, atol=0)


def test_names_that_are_scripts_show_as_text(page):
    assert column(page, "effects", 0) == NAMES
    assert page.find_element("css selector", "h1").text == f"Report {HOSTILE[0]}"
    assert page.execute_script("return document.scripts.length") == 1
    assert page.execute_script("return document.querySelectorAll('img:not(figure img), b, [onerror]').length") == 0
    assert page.title == f"Report {HOSTILE[0]}"


def test_tables_and_pictures_scroll_in_their_boxes_and_are_reached_by_keyboard(page):
    for width, some in [(400, [True, True]), (1400, [False, False])]:
        resize(page, width)
        boxes = page.execute_async_script("""
            const done = arguments[arguments.length - 1], boxes = [...document.querySelectorAll(".box")];
            document.querySelectorAll("details").forEach(details => { details.open = true; });
            const scrolls = box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
            requestAnimationFrame(() => setTimeout(() => done(boxes.map(box => [scrolls(box), box.tabIndex === 0])), 50));""")
        assert [scrolls for scrolls, _ in boxes] == [by_keyboard for _, by_keyboard in boxes]
        assert some in boxes


def test_header_and_names_stay_in_sight(page):
    resize(page, 400)
    head, first, box = page.execute_script("""
        const box = document.querySelector("#effects .box");
        box.scrollTo(300, 300);
        const place = element => { const r = element.getBoundingClientRect(); return [r.left, r.top]; };
        return [place(box.querySelector("thead th")), place(box.querySelector("tbody th")), place(box)];""")
    assert head == pytest.approx([box[0], box[1] + 1], abs=1.5)
    assert first[0] == pytest.approx(box[0], abs=1.5)


def test_pictures_share_pages(page):
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    heights = page.execute_script("return [...document.images].map(image => image.offsetHeight * 25.4 / 96)")
    page.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert heights[0] == pytest.approx(145, abs=1)
    assert all(height <= 80.5 for height in heights[1:])


def test_paper_has_all_rows_and_headers_on_each_page(page, tmp_path):
    path = tmp_path / "report.pdf"
    path.write_bytes(printed(page))
    assert path.read_bytes().startswith(b"%PDF")
    assert page.execute_script("return document.querySelectorAll('details[open]').length") == 0
    if shutil.which("pdftotext"):
        text = subprocess.run(["pdftotext", "-layout", path, "-"], capture_output=True, check=True).stdout.decode()
        sheets = text.split("\f")
        assert "Filter" not in text
        assert sum(text.count(f"month {k}  ") for k in range(1, 5)) == 148
        for sheet in sheets:
            assert ("month" not in sheet) or ("Visit" in sheet and "Samples" in sheet)


def test_without_script_everything_can_be_read(window, file):
    show(window, file, script=False)
    try:
        assert len(window.find_elements("css selector", "#effects tbody tr")) == 37
        assert window.find_element("css selector", "#effects tbody th").text == NAMES[0]
        assert not window.find_elements("css selector", "button, input")
        assert window.find_element("css selector", "#effects a[download]").is_displayed()
        assert not [link for link in window.find_elements("css selector", "a.svg, .scripted") if link.is_displayed()]
    finally:
        show(window, file)
