"""The page as text: valid, self-contained, escaped; numbers rounded for the eye and whole for what is copied."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from cytokine_cc.errors import OptionError
from cytokine_cc.report.document import Bullets, Column, Facts, Page, Picture, Section, Table, Text
from cytokine_cc.report.page import csv_text, page_html, reader_fonts, svg_of

from .pages import HOSTILE, csv_of, effects, everything, picture, read_exactly

VOID = {"meta", "link", "img", "input", "br", "hr"}


class Reader(HTMLParser):
    """All elements with their attributes and texts; unclosed or crossed ones are errors."""

    def __init__(self, html: str):
        super().__init__(convert_charrefs=True)
        self.elements: list[tuple[str, dict]] = []
        self.open: list[tuple[str, int]] = []
        self.texts: dict[int, str] = {}
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        assert len({name for name, _ in attributes}) == len(attributes)
        self.elements.append((tag, dict(attributes)))
        if tag not in VOID:
            self.open.append((tag, len(self.elements) - 1))

    def handle_endtag(self, tag):
        assert self.open.pop()[0] == tag

    def handle_data(self, data):
        for _, place in self.open:
            self.texts[place] = self.texts.get(place, "") + data

    def all(self, tag, **wanted):
        return [
            (attributes, self.texts.get(place, ""))
            for place, (name, attributes) in enumerate(self.elements)
            if name == tag and all(attributes.get(key) == value for key, value in wanted.items())
        ]


def page_of(*blocks) -> str:
    return page_html(Page("Title", "Subtitle", sections=[Section("one", "One", blocks)]))


def cells(values, kind) -> list[tuple[str, str]]:
    """What the cells of a column show, with what its file holds."""
    table = Table("t", "T", pd.DataFrame({"x": values}), [Column("x", "X", kind)])
    read = Reader(page_of(table))
    file = csv_of(read.all("a", download="t.csv")[0][0]["href"])
    shown = [text for _, text in read.all("td") + read.all("th", scope="row")]
    return list(zip(shown, pd.read_csv(io.StringIO(file), dtype=str, keep_default_na=False)["x"], strict=True))


@pytest.fixture(scope="module")
def html():
    return page_html(everything())


def test_elements_are_closed_and_ids_unique(html):
    read = Reader(html)
    ids = [attributes["id"] for _, attributes in read.elements if "id" in attributes]
    assert len(set(ids)) == len(ids)
    assert not [name for name in ids if re.search(r"\s", name)]
    assert html.startswith("<!DOCTYPE html>\n")
    assert read.all("html")[0][0] == {"lang": "en"}
    assert read.all("meta", name="viewport")
    assert [len(read.all(tag)) for tag in ("header", "nav", "main", "footer", "h1")] == [1, 1, 1, 1, 1]


def test_same_page_same_text(html):
    assert page_html(everything()) == html


def test_nothing_is_loaded_and_only_own_script_and_style_run(html):
    read = Reader(html)
    policy = read.all("meta", **{"http-equiv": "Content-Security-Policy"})[0][0]["content"]
    parts = dict(part.strip().split(" ", 1) for part in policy.split(";"))
    assert parts["default-src"] == "'none'"
    for tag, name in [("style", "style-src"), ("script", "script-src")]:
        ((_, text),) = read.all(tag)
        assert parts[name] == f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
    for _, attributes in read.elements:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        for name in ("src", "href"):
            assert attributes.get(name, "#")[:5] in {"data:", "#"} or attributes[name].startswith("#")
    assert not re.search(r"@import|url\(", read.all("style")[0][1])


def test_hostile_names_are_text_wherever_they_stand(html):
    read = Reader(html)
    assert len(read.all("script")) == 1
    assert not read.all("b")
    assert {attributes["src"][:18] for attributes, _ in read.all("img")} == {"data:image/svg+xml"}
    names = [text for _, text in read.all("th", scope="row")]
    assert set(HOSTILE) <= set(names)
    assert read.all("title")[0][1] == f"Report {HOSTILE[0]}"
    assert HOSTILE[0] in read.all("img")[0][0]["alt"]
    assert read.all("p", **{"class": "banner"})[0][1] == "These data are simulated: <b>invented</b>."


def test_letters_that_html_cannot_hold_are_replaced():
    read = Reader(page_of(Text("a\x00b\ud800c\x1bd\te")))
    assert "a\ufffdb\ufffdc\ufffdd\te" in [text for _, text in read.all("p")]
    page_of(Text("a\ud800")).encode()


def test_letters_that_turn_the_order_of_others_are_replaced():
    name = "IL-6 \u202e12\u202c \u206634\u2069"
    frame = pd.DataFrame({"name": [name], "p": [0.5]})
    table = Table("t", name, frame, [Column("name", name, more=name)], note=name)
    html = page_html(
        Page(name, name, name, [Section("one", name, [Text(name), Facts([(name, name)]), Bullets([name]), table])], name)
    )
    assert not re.search("[\u202a-\u202e\u2066-\u2069]", html)
    assert html.count("IL-6 \ufffd12\ufffd \ufffd34\ufffd") > 15
    assert csv_of(Reader(html).all("a", download="t.csv")[0][0]["href"]) == f"name,p\n{name},0.5\n"


def test_words_from_right_to_left_stand_apart_from_the_numbers_beside_them():
    name = "\u05d0\u05d1 \u05d2<\u0627 \u0628"
    frame = pd.DataFrame({"name": [f"{name} 12"]})
    html = page_html(
        Page(
            name,
            "",
            "",
            [
                Section(
                    "one",
                    "One",
                    [Text(f"{name} 12 of 30, p 0.1 for \u00b5"), Table("t", "T", frame, [Column("name", "Name", more=name)])],
                )
            ],
        )
    )
    apart = "<bdi>\u05d0\u05d1 \u05d2</bdi>&lt;<bdi>\u0627 \u0628</bdi>"
    assert f"<p>{apart} 12 of 30, p 0.1 for \u00b5</p>" in html
    assert f'class="t pin">{apart} 12</th>' in html.replace('<th scope="row" class="t">', '<th class="t pin">')
    read = Reader(html)
    assert read.all("title")[0][1] == name
    assert read.all("th", scope="col")[0][0]["title"] == name
    assert read.all("th", scope="row")[0][1] == f"{name} 12"


def test_a_number_stands_on_the_page_once_rounded_and_once_whole():
    frame = effects(["a", "b", "c", "d"])
    html = page_of(Table("t", "T", frame, [Column("analyte", "Analyte"), Column("estimate", "Ratio", "number")]))
    assert html.count(repr(float(frame["estimate"][0]))) == 1
    assert "<td>" in html


@pytest.mark.parametrize(
    ("kind", "value", "shown", "full"),
    [
        ("number", 1.4, "1.40", "1.4"),
        ("number", 1 / 3, "0.333", repr(1 / 3)),
        ("number", 123.456, "123", "123.456"),
        ("number", 1234.5678, "1,235", "1234.5678"),
        ("number", -0.00012345, "-0.000123", "-0.00012345"),
        ("number", 1.5e-9, "1.5e-09", "1.5e-09"),
        ("number", 0.0, "0", "0.0"),
        ("number", np.inf, "inf", "inf"),
        ("number", -np.inf, "-inf", "-inf"),
        ("number", np.float64(0.5), "0.500", "0.5"),
        ("number", np.nan, "", ""),
        ("number", None, "", ""),
        ("p", 3.2e-12, "<0.0001", "3.2e-12"),
        ("p", 0.0123456, "0.0123", "0.0123456"),
        ("p", 1.0, "1.00", "1.0"),
        ("p", pd.NA, "", ""),
        ("count", 12, "12", "12"),
        ("count", 12.0, "12", "12.0"),
        ("count", 12345, "12,345", "12345"),
        ("count", 12.5, "12.5", "12.5"),
        ("count", np.nan, "", ""),
        ("share", 0.126, "13%", "0.126"),
        ("share", 0.0, "0%", "0.0"),
        ("share", 1.0, "100%", "1.0"),
        ("share", 0.004, "<1%", "0.004"),
        ("share", 0.999, ">99%", "0.999"),
        ("text", "1.0", "1.0", "1.0"),
        ("text", 7, "7", "7"),
        ("text", None, "", ""),
        ("text", pd.NA, "", ""),
    ],
)
def test_numbers_are_rounded_for_the_eye_and_whole_behind(kind, value, shown, full):
    assert cells([value], kind) == [(shown, full)]


def test_numbers_copy_as_ascii(html):
    texts = [text for _, text in Reader(html).all("td") if re.search(r"\d", text)]
    assert len(texts) > 500
    assert all(text.isascii() for text in texts)


def test_csv_holds_all_digits_and_columns():
    frame = effects(["a", "b", "c", "d"])
    read = read_exactly(csv_text(frame))
    pd.testing.assert_frame_equal(read.fillna({"note": ""}), frame, check_dtype=False, rtol=0, atol=0)


@pytest.mark.parametrize("text", ["=1+1", "+A1", "-2+3", "@SUM(1)", "\t=1", "\r=1", "-", "--1", "=", "+-1"])
def test_no_spreadsheet_computes_a_text(text):
    frame = pd.DataFrame({text: [text], "number": [-1.5], "word": ["a=b"]})
    read = pd.read_csv(io.StringIO(csv_text(frame)), dtype=str, keep_default_na=False)
    safe = "'" + text.replace("\r", "\n")
    assert list(read.columns) == [safe, "number", "word"]
    assert read.iloc[0].tolist() == [safe, "-1.5", "a=b"]


@pytest.mark.parametrize("text", ["-1.5", "+2", "-.5e-3", "-3.", "IL-6", "'quoted", "", "<3.2"])
@pytest.mark.parametrize("dtype", ["object", "category", "string"])
def test_what_is_no_formula_stays(text, dtype):
    read = pd.read_csv(io.StringIO(csv_text(pd.DataFrame({"x": [text, "y"]}, dtype=dtype))), dtype=str, keep_default_na=False)
    assert read["x"].tolist() == [text, "y"]


def test_a_table_says_how_its_columns_stand():
    frame = pd.DataFrame({"name": ["a", "b"], "p": [0.5, np.nan], "found": [True, None], "left": [1, 2]})
    columns = [Column("name", "Name"), Column("p", "p", "p", 'of "all"')]
    read = Reader(page_of(Table("one", "Caption", frame, columns, mark="found", note="The note", folded=True)))
    heads = read.all("th", scope="col")
    assert [(text, attributes["class"].split()[0], attributes.get("title")) for attributes, text in heads] == [
        ("Name", "t", None),
        ("p", "n", 'of "all"'),
    ]
    assert [attributes.get("class") for attributes, _ in read.all("tr")] == [None, "mark", None]
    assert read.all("dd")[0][1] == 'of "all"'
    details = read.all("details", **{"class": "table"})[0]
    assert details[0]["id"] == "one-2"  # the section has the name already
    assert "Caption (2 rows)" in details[1]
    assert "open" not in details[0]
    assert read.all("p", **{"class": "note"})[0][1] == "The note"


def test_an_empty_table_says_so_and_keeps_its_download():
    frame = pd.DataFrame({"name": pd.Series(dtype=object), "p": pd.Series(dtype=float)})
    read = Reader(page_of(Table("none", "None", frame, [Column("name", "Name"), Column("p", "p", "p")], mark="")))
    assert not read.all("table")
    assert read.all("p", **{"class": "note"})[0][1] == "No rows."
    link = read.all("a", download="none.csv")[0][0]["href"]
    assert csv_of(link) == "name,p\n"


def test_only_long_tables_have_a_filter_and_only_wide_ones_lie_across():
    def table(rows, columns):
        frame = pd.DataFrame({f"c{k}": np.arange(rows) + 0.123 for k in range(columns)})
        return Reader(page_of(Table("t", "T", frame, [Column(name, name, "number") for name in frame])))

    assert ["data-filter" in table(rows, 2).all("table")[0][0] for rows in (7, 8)] == [False, True]
    assert ["data-wide" in table(3, columns).all("figure")[0][0] for columns in (8, 30)] == [False, True]


def test_a_picture_has_its_size_words_and_data():
    ax = Figure(figsize=(6, 3)).add_subplot()
    data = pd.DataFrame({"x": [1 / 3], "name": ["=1"]})
    read = Reader(page_of(Picture("a picture", "Caption", 'What "it" shows', svg_of(ax), data)))
    ((image, _),) = read.all("img")
    assert (image["alt"], image["width"], image["height"]) == ('What "it" shows', "576", "288")
    assert base64.b64decode(image["src"].partition("base64,")[2]).decode() == svg_of(ax)
    link = read.all("a", download="a-picture.csv")[0][0]["href"]
    assert csv_of(link) == f"x,name\n{1 / 3!r},'=1\n"
    ((box, _),) = read.all("div", **{"class": "box"})
    assert (box["role"], box["aria-labelledby"]) == ("group", "a-picture.caption")
    assert read.all("a", download="a-picture.svg")


@pytest.mark.parametrize(("rows", "css"), [(10, "picture low"), (25, "picture"), (60, "picture tall")])
def test_pictures_have_three_heights_on_paper(rows, css):
    ((_, figure),) = [(text, own) for own, text in Reader(page_of(picture("p", ["x"] * rows))).all("figure")]
    assert figure["class"] == css


def test_one_line_before_the_first_table_says_what_can_be_done():
    frame = pd.DataFrame({"x": [1, 2]})
    tables = [Table(key, key, frame.head(rows), [Column("x", "X", "count")]) for key, rows in [("none", 0), ("a", 2), ("b", 2)]]
    html = page_of(*tables)
    read = Reader(html)
    assert len(read.all("p", **{"class": "note help"})) == 1
    assert html.index('id="none"') < html.index('class="note help"') < html.index('id="a"')
    links = [own["aria-describedby"] for own, _ in read.all("a") if "download" in own]
    assert links == ["none.caption", "a.caption help.csv", "b.caption help.csv"]
    assert [own["id"] for own, _ in read.all("span") if own.get("id", "").startswith("help")] == ["help.copy", "help.csv"]
    assert [text for _, text in read.all("span", role="status")] == ["2 rows"] * 2
    assert not Reader(page_of(Text("x"))).all("p", **{"class": "note help"})


def test_a_section_of_one_text_is_printed_on_the_page_of_the_wide_table_after_it():
    wide = pd.DataFrame({f"column_{k}": [0.123] for k in range(30)})
    table = Table("t", "T", wide, [Column(name, name, "number") for name in wide])
    parts = [("a", [Text("far")]), ("b", [Text("x"), picture("p", ["x"])]), ("c", [Text("near")]), ("d", [Text("lead"), table])]
    read = Reader(page_html(Page("T", "S", sections=[Section(key, key, blocks) for key, blocks in parts])))
    across = [text for tag in ("h2", "p") for own, text in read.all(tag) if "data-wide" in own]
    assert across[:4] == ["c", "d", "near", "lead"]
    assert not {"a", "b", "far", "x"} & set(across)


def test_styles_have_fallbacks():
    css = Reader(page_of(Text("x"))).all("style")[0][1]
    rules = re.findall(r"([^{}]+){([^{}]*)}", re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL))
    new = [names for names, _ in rules if re.search(":has|::details-content", names)]
    assert len(new) == 2
    assert not [names for names in new if "," in re.sub(r"\([^)]*\)", "", names)]  # a browser drops the list that it cannot read
    contents = [re.findall(r"content:\s*([^;]+);", rule) for _, rule in rules if ' / "' in rule]
    assert len(contents) == 3
    assert all(len(both) == 2 and both[1] == f'{both[0]} / ""' for both in contents)


def test_a_picture_of_unknown_size_is_shown_as_it_is():
    read = Reader(page_of(Picture("p", "C", "A", "<svg xmlns='http://www.w3.org/2000/svg'/>", pd.DataFrame({"x": [1]}))))
    assert not {"width", "height"} & set(read.all("img")[0][0])


def test_plain_blocks():
    read = Reader(page_of(Text("a < b"), Text("beware", warning=True), Bullets(["x", "y"]), Facts([("Cases", "30")])))
    assert [text for _, text in read.all("p", **{"class": "warning"})] == ["Note. beware"]
    assert [text for _, text in read.all("ul")[0:1]] == ["\nx\ny\n"]
    assert (read.all("dt")[0][1], read.all("dd")[0][1]) == ("Cases", "30")
    assert not read.all("p", **{"class": "banner"})


def test_what_is_no_block_is_refused():
    with pytest.raises(TypeError, match="no int"):
        page_of(3)


def drawn(size=(4, 3)):
    figure = Figure(figsize=size)
    ax = figure.add_subplot()
    ax.plot([0, 1], [0, 1], clip_on=True, label="IL-6 <pg/mL>")
    ax.imshow(np.eye(3))
    ax.set_xlabel("level & limit <script>alert(1)</script>")
    return ax


def test_svg_keeps_text_and_is_the_same_each_time():
    text = svg_of(drawn())
    assert text == svg_of(drawn())
    assert "level &amp; limit &lt;script&gt;alert(1)&lt;/script&gt;</text>" in text
    assert "<dc:date>" not in text


def test_svg_is_compact_and_the_same_picture():
    ax = Figure(figsize=(6, 4)).add_subplot()
    ax.scatter(np.arange(300) / 7, np.sin(np.arange(300)), s=9, label=' d="1.23456 M" style="x"')
    ax.pcolormesh(np.linspace(30, 40, 12), np.linspace(-1, 1, 9), np.arange(88).reshape(8, 11) / 7, edgecolors="white")
    ax.imshow(np.eye(3), extent=(0, 9.87654321, 0, 0.123456))
    ax.set(aspect="auto", ylabel="1.2345678")
    ax.legend()
    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "cytokine_cc"}):
        ax.figure.savefig(file, format="svg", metadata={"Date": None})
    whole, compact = file.getvalue().decode(), svg_of(ax)
    assert len(compact) < 0.75 * len(whole)
    before, after = ElementTree.fromstring(whole), ElementTree.fromstring(compact)
    named = ("path", "use", "text", "image", "rect", "g", "clipPath")
    before, after = ([one for one in tree.iter() if one.tag.rpartition("}")[2] in named] for tree in (before, after))
    assert [one.tag for one in before] == [one.tag for one in after]
    assert [one.text for one in before if one.tag.endswith("text")] == [one.text for one in after if one.tag.endswith("text")]
    styles = dict(re.findall(r"\.(s\d+)\{([^}]*)\}", compact))
    for old, new in zip(before, after, strict=True):
        assert old.get("style") == styles.get(new.get("class"))
        for name in set(old.attrib) - {"style"}:
            if (name == "transform" and "scale" in old.get(name)) or name.endswith("href"):
                assert re.sub(r"\s", "", old.get(name)) == re.sub(r"\s", "", new.get(name))
            else:
                numbers = [[float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", one.get(name))] for one in (old, new)]
                assert numbers[1] == pytest.approx(numbers[0], abs=0.00501)


def test_letters_that_no_font_of_matplotlib_has_are_no_warning():
    ax = Figure().add_subplot()
    ax.set_title("IL-6 \U0001f9ea")
    with reader_fonts():
        ax.figure.canvas.draw()  # as what measures its texts does
    assert "IL-6 \U0001f9ea</text>" in svg_of(ax)


def test_svg_of_axes_of_a_part_or_of_the_figure_is_the_whole_figure():
    ax = drawn()
    assert svg_of(ax) == svg_of(ax.figure)
    figure = Figure(figsize=(4, 3))
    parts = figure.subfigures(1, 2)
    inner = parts[1].add_subplot()
    assert svg_of(inner) == svg_of(parts[0]) == svg_of(figure)


def test_svg_leaves_settings_and_figure_alone():
    ax = drawn()
    before, canvas = dict(mpl.rcParams), ax.figure.canvas
    with mpl.rc_context({"svg.fonttype": "path", "svg.image_inline": False}):
        inside = svg_of(ax)
    assert inside == svg_of(ax)
    assert dict(mpl.rcParams) == before
    assert ax.figure.canvas is canvas
    assert tuple(ax.figure.get_size_inches()) == (4, 3)


def test_svg_of_something_else_is_refused():
    with pytest.raises(OptionError, match=r"svg_of\(\) takes matplotlib Axes or a Figure; got str"):
        svg_of("picture")
