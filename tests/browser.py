"""A real browser without a screen, and what must hold of every page of the report in it."""

from __future__ import annotations

import base64
import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

BROWSERS, DRIVERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable"), ("chromedriver",)
FLAGS = (
    "headless=new no-sandbox disable-gpu disable-quic no-first-run disable-background-networking disable-component-update "
    "disable-sync"
).split()
WIDTHS = (400, 1400)


def _found(names: tuple[str, ...]) -> str | None:
    return next(filter(None, map(shutil.which, names)), None)


@contextmanager
def browser(folder: Path) -> Iterator[Any]:
    """Start a browser with a profile of its own in a folder; the test is skipped where there is none."""
    program, driver = _found(BROWSERS), _found(DRIVERS)
    if program is None or driver is None:
        pytest.skip("no chromium with chromedriver found; to run this test: apt-get install chromium chromium-driver")
    webdriver = pytest.importorskip("selenium.webdriver", reason="to run this test: pip install -e '.[test]'")
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program
    for flag in [*FLAGS, f"user-data-dir={folder / 'profile'}"]:
        options.add_argument(f"--{flag}")
    options.add_experimental_option("prefs", {"download.default_directory": str(folder)})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    window = webdriver.Chrome(options=options, service=Service(executable_path=driver))
    try:
        yield window
    finally:
        window.quit()


def show(window: Any, path: Path, *, width: int = 1400, script: bool = True) -> None:
    """Open a file at a width, with or without JavaScript."""
    window.get_log("browser"), window.get_log("performance")
    window.execute_cdp_cmd("Emulation.setScriptExecutionDisabled", {"value": not script})
    resize(window, width)
    window.get(path.as_uri())


def resize(window: Any, width: int) -> None:
    size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
    window.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)


def check_page(window: Any, path: Path) -> None:
    """Everything that must hold of a page of the report, whatever is on it."""
    show(window, path)
    check_headings(window)
    check_pictures(window)
    check_tables(window)
    check_boxes(window)
    for width in WIDTHS:
        check_width(window, width)
    check_paper(window)
    check_quiet(window)


def check_quiet(window: Any) -> None:
    """Nothing in the console, no question opened, and nothing asked of the network since the page was shown."""
    from selenium.common.exceptions import NoAlertPresentException

    with pytest.raises(NoAlertPresentException):
        window.switch_to.alert.accept()
    said = [entry["message"] for entry in window.get_log("browser") if entry["level"] in {"WARNING", "SEVERE"}]
    assert not said
    events = [json.loads(entry["message"])["message"] for entry in window.get_log("performance")]
    requests = [event["params"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # The browser's own first page asks for parts of the browser.
    asked = [one["request"]["url"] for one in requests if not one.get("documentURL", "").startswith("chrome:")]
    asked += window.execute_script("return performance.getEntriesByType('resource').map(entry => entry.name)")
    outside = [url[:100] for url in asked if not url.startswith(("file:", "data:", "blob:"))]
    assert not outside


def check_headings(window: Any) -> None:
    """A language, a title, one h1, landmarks, unique ids, and contents that lead to their sections."""
    found = window.execute_script("""
        const all = selector => [...document.querySelectorAll(selector)];
        return {
            lang: document.documentElement.lang, title: document.title, mode: document.compatMode,
            marks: ["header", "nav", "main", "footer", "h1"].map(name => all("body " + name).length),
            ids: all("[id]").map(element => element.id),
            lost: all("nav a").filter(link => !document.getElementById(decodeURIComponent(link.hash.slice(1)))).length,
            links: all("nav a").length, sections: all("main > section").length,
            unnamed: ["aria-labelledby", "aria-describedby"].flatMap(name => all(`[${name}]`).flatMap(
                one => one.getAttribute(name).split(" ").filter(id => !document.getElementById(id)))).length,
        }""")
    assert found["lang"] == "en"
    assert found["title"]
    assert found["mode"] == "CSS1Compat"
    assert found["marks"] == [1, 1, 1, 1, 1]
    assert len(set(found["ids"])) == len(found["ids"])
    assert (found["lost"], found["unnamed"]) == (0, 0)
    assert found["links"] == found["sections"] > 0


def check_pictures(window: Any) -> None:
    """Every picture is drawn, tells in words what it shows, and can be downloaded with its data."""
    pictures = window.execute_script("""
        return [...document.images].map(image => {
            const figure = image.closest("figure"), links = [...(figure?.querySelectorAll("a[download]") ?? [])];
            return {alt: image.alt, wide: image.naturalWidth, caption: figure?.querySelector("figcaption").textContent ?? "",
                    files: links.map(link => link.download), kinds: links.map(link => link.href.slice(0, 14)),
                    shown: links.every(link => link.checkVisibility()), role: image.closest(".box")?.getAttribute("role")};
        })""")
    for picture in pictures:
        assert picture["alt"].strip()
        assert picture["caption"].strip()
        assert picture["wide"] > 0, f"not drawn: {picture['alt']}"
        assert [name.rpartition(".")[2] for name in picture["files"]] == ["svg", "csv"]
        assert picture["kinds"] == ["data:image/svg", "data:text/csv;"]
        assert picture["shown"]
        assert picture["role"] == "group"


def check_tables(window: Any) -> None:
    """Every table has a name, headers with their scope, ways to sort and copy, and as many cells in each row as headers."""
    tables = window.execute_script("""
        return [...document.querySelectorAll("table")].map(table => {
            const [head, ...rows] = table.rows, heads = [...head.cells], tools = table.closest(".table");
            return {
                name: document.getElementById(table.getAttribute("aria-labelledby"))?.textContent ?? "",
                scopes: heads.every(head => head.scope === "col"), heads: heads.length,
                cells: rows.map(row => row.cells.length), states: heads.map(head => head.ariaSort),
                buttons: heads.filter(head => head.querySelector("button")).length,
                copies: tools.querySelectorAll(".tools button").length,
                files: tools.querySelectorAll(".tools a[download]").length,
                filter: "filter" in table.dataset, boxes: tools.querySelectorAll("input[type=search]").length,
                status: tools.querySelector("[role=status]").textContent,
            };
        })""")
    for table in tables:
        name, rows = table["name"], len(table["cells"])
        assert name.strip()
        assert table["scopes"], name
        assert set(table["cells"]) == {table["heads"]}, name
        assert table["states"] == (["none"] if rows > 1 else [None]) * table["heads"], name
        assert table["buttons"] == (table["heads"] if rows > 1 else 0), name
        assert (table["copies"], table["files"], table["boxes"]) == (1, 1, table["filter"]), name
        assert table["status"] == f"{rows} row{'' if rows == 1 else 's'}", name


def check_boxes(window: Any) -> None:
    """No table scrolls sideways that can be as narrow as its box, none by more than it is too wide; the bars take room."""
    found = window.execute_script("""
        const folded = [...document.querySelectorAll("details:not([open])")];
        folded.forEach(details => { details.open = true; });
        const result = [...document.querySelectorAll("table")].map(table => {
            const box = table.closest(".box"), bar = box.offsetWidth - box.clientWidth;
            const found = {name: table.getAttribute("aria-labelledby"), beyond: box.scrollWidth - box.clientWidth,
                           bar, down: box.scrollHeight > box.clientHeight, room: box.parentElement.clientWidth - bar};
            table.style.width = "min-content";
            found.least = table.offsetWidth;
            table.style.width = "";
            return found;
        });
        folded.forEach(details => { details.open = false; });
        return result;""")
    for table in found:
        assert table["beyond"] <= max(0, table["least"] - table["room"]), table
        assert not table["down"] or table["bar"] > 0, table


def check_width(window: Any, width: int) -> None:
    """The page is no wider than the window, folded parts opened, and no text runs out of its own box."""
    resize(window, width)
    found = window.execute_script("""
        const folded = [...document.querySelectorAll("details:not([open])")];
        folded.forEach(details => { details.open = true; });
        const inside = window.innerWidth + .5, out = [];
        for (const element of document.querySelectorAll("body *")) {
            const box = element.getBoundingClientRect();
            if (box.width && box.right > inside && !element.closest(".box")) out.push(element.outerHTML.slice(0, 80));
        }
        const result = [document.documentElement.scrollWidth, innerWidth, out];
        folded.forEach(details => { details.open = false; });
        return result;""")
    wide, window_width, out = found
    assert window_width == width
    assert wide <= width
    assert not out


def check_paper(window: Any) -> None:
    """In print nothing is folded, no control shows, no box scrolls, pictures fit a page; headers repeat."""
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    found = window.execute_script("""
        const all = selector => [...document.querySelectorAll(selector)], seen = element => element.checkVisibility();
        const content = all("details").map(details => details.querySelector("table tr:last-child, dd"));
        return {
            folded: content.filter(element => element && !seen(element)).length,
            controls: all("nav, button, input, a[download]").filter(one => one.offsetWidth).map(one => one.outerHTML),
            boxes: all(".box").filter(box => getComputedStyle(box).overflow !== "visible").length,
            high: all("img").filter(image => image.offsetHeight > 250 * 96 / 25.4).length,
            heads: all("thead").filter(head => getComputedStyle(head).display !== "table-header-group").length,
        }""")
    window.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert found == {"folded": 0, "controls": [], "boxes": 0, "high": 0, "heads": 0}


def printed(window: Any) -> bytes:
    """Print on A4 as the page asks."""
    answer = window.execute_cdp_cmd("Page.printToPDF", {"preferCSSPageSize": True})
    return base64.b64decode(answer["data"])


def column(window: Any, key: str, place: int) -> list[str]:
    """What a column of a table shows in the rows that are shown, from top to bottom."""
    script = """
        const rows = [...document.getElementById(arguments[0]).querySelectorAll("tbody tr")];
        return rows.filter(row => !row.hidden).map(row => row.cells[arguments[1]].textContent)"""
    return window.execute_script(script, key, place)


def states(window: Any, key: str) -> list[str]:
    """How a table is sorted, header by header."""
    script = "return [...document.getElementById(arguments[0]).querySelectorAll('thead th')].map(head => head.ariaSort)"
    return window.execute_script(script, key)
