"""check_study: every fault planted in a study is caught by the check named for it, and sound studies fail none."""

from __future__ import annotations

import pytest

import cytokine_cc as cc
from cytokine_cc.checks.study_checks import STUDY_CHECKS, check_study

SOUND = [
    "quickstart",
    "henry2010",
    "henry2008",
    "sparano2022",
    "inflammatory_cascade",
    "heavy_censoring",
    "common_shift",
    "bauml2015",
]


@pytest.mark.parametrize("name", SOUND)
def test_sound_studies_fail_no_check(name):
    report = check_study(cc.load_study(name))
    assert report.table["name"].tolist() == [check.name for check in STUDY_CHECKS]
    report.assert_passing()
