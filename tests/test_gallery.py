"""The gallery shows every picture, by lines that run, and its page is what its script writes."""

from __future__ import annotations

import re
import runpy
from pathlib import Path
from xml.etree import ElementTree

import pytest
from matplotlib.axes import Axes

from cytokine_cc import plots

DOCS = Path(__file__).parent.parent / "docs"


@pytest.fixture(scope="module")
def gallery():
    return runpy.run_path(str(DOCS / "gallery.py"), run_name="gallery")


def test_every_picture_is_shown(gallery):
    shown = {re.match(r"cc\.plots\.(\w+)\(", entry.code)[1] for entry in gallery["ENTRIES"]}
    assert shown == set(plots.__all__)


def test_the_page_is_what_the_script_writes(gallery):
    assert (DOCS / "gallery.md").read_text(encoding="utf-8") == gallery["page"]()
    files = {path.stem for path in (DOCS / "gallery").iterdir()}
    assert files == {entry.name for entry in gallery["ENTRIES"]}


def test_its_lines_draw(gallery):
    drawn = list(gallery["drawn"]())
    assert [entry.name for entry, _ in drawn] == [entry.name for entry in gallery["ENTRIES"]]
    assert all(isinstance(ax, Axes) for _, ax in drawn)


def test_its_pictures_are_vector_drawings_with_letters():
    for path in sorted((DOCS / "gallery").glob("*.svg")):
        root = ElementTree.parse(path).getroot()
        assert root.tag.endswith("svg")
        assert root.findall(".//{*}text"), path.name
