"""The quick-start study is what its seeded function makes, to the byte."""

from __future__ import annotations

from pathlib import Path

import pytest

import cytokine_cc as cc
from cytokine_cc.quickstart import PANEL, quickstart_files, write_quickstart

FOLDER = Path(__file__).parent.parent / "data" / "synthetic" / "quickstart"


def test_files_are_rebuilt_as_identical_text():
    files = quickstart_files()
    assert sorted(files) == sorted(path.name for path in FOLDER.iterdir())
    for name, text in files.items():
        assert (FOLDER / name).read_bytes().decode("utf-8") == text


def test_written_study_equals_the_bundled_one(tmp_path):
    write_quickstart(tmp_path / "new")
    mine, theirs = cc.load_study(tmp_path / "new" / "study.toml"), cc.load_study("quickstart")
    assert mine.panel.values.equals(theirs.panel.values)
    assert mine.panel.source == theirs.panel.source


def test_it_shows_what_real_panels_hold():
    study = cc.load_study("quickstart")
    counts = study.panel.detection()
    assert list(study.analytes) == list(PANEL)
    assert (counts["n_below"] > 0).sum() > 5
    assert counts["n_extrapolated"].sum() > 0
    assert counts["n_missing"].sum() > 0
    assert study.panel.lower_limit.notna().to_numpy().all()
    assert study.panel.samples["plate"].nunique() == 3


def test_it_says_that_it_is_invented():
    assert "invented" in (FOLDER / "study.toml").read_text(encoding="utf-8")
    assert "assumed" in (FOLDER / "study.toml").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["quickstrat", "nothing"])
def test_unknown_study(name):
    with pytest.raises(cc.OptionError, match=f"no study named '{name}' comes with the library; there are .*'quickstart'"):
        cc.load_study(name)
