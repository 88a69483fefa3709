"""Who is chosen from a cohort: sets that agree where they should, strata as near as can be, samples apart from all studies."""

from __future__ import annotations

import numpy as np
import pytest

from cytokine_cc.simulation import model
from cytokine_cc.simulation.cohort import Cohort, choose_frequency, choose_sets
from cytokine_cc.simulation.scenario import Scenario
from cytokine_cc.simulation.streams import Streams
from cytokine_cc.toml_files import parse_toml

from .scenario_texts import EVERYTHING


def everything(**changes) -> Scenario:
    return Scenario("everything", parse_toml(EVERYTHING, "everything.toml")).vary(changes)


def test_agreement_goes_before_any_distance():
    matching = {"kind": "sets", "on": ["Age", "Chemo"], "exact": ["Chemo"]}
    cohort = Cohort(5, {"Age": {"sd": 1.0}, "Chemo": {"levels": ["yes", "no"]}}, {}, {}, matching)
    covariates = {"Age": np.array([[50.0, 60, 60, 50, 99]]), "Chemo": np.array([[0, 1, 0, 1, 1]])}
    status = np.array([[True, True, False, False, False]])
    cases = np.array([[0, 1]])
    assert choose_sets(covariates, status, cases, 1, cohort).tolist() == [[2, 3]]  # ten SDs away, but alike
    for far in (1e3, 1e6):  # only one control agrees with both of the cases
        both = {"Age": np.array([[50.0, 50, 50, 51, 50 + far]]), "Chemo": np.array([[0, 0, 1, 1, 0]])}
        assert 4 in choose_sets(both, status, cases, 1, cohort)[0]


def test_places_go_to_strata_by_their_cases():
    rng = np.random.default_rng(3)
    status = np.arange(60) < 20
    stratum = rng.integers(0, 5, (4, 60))
    cases, key = np.broadcast_to(np.arange(20), (4, 20)), rng.random((4, 60))
    chosen = choose_frequency(stratum, np.broadcast_to(status, (4, 60)), cases, key, 10)
    for r in range(4):
        like = (stratum[r, :20] == stratum[r][:, None]).sum(axis=1)
        places = []
        for own in range(5):
            there = [i for i in np.argsort(key[r]) if i >= 20 and stratum[r, i] == own]
            places += [((place + 0.5) / max(like[i], 1e-9), key[r, i], i) for place, i in enumerate(there)]
        assert chosen[r].tolist() == [i for *_, i in sorted(places)[:10]]


def test_branches_share_nothing_with_studies():
    numbers = [Streams(0, range(40), branch).normal(3) for branch in (None, 0, 1)]
    assert len(np.unique(numbers)) == 3 * 40 * 3
    assert (Streams(0, [7], branch=1).normal(3)[0] == numbers[2][7]).all()


def test_what_a_scenario_learns_does_not_depend_on_memory(monkeypatch):
    whole = everything()._model
    monkeypatch.setattr(model, "SLICE_VALUES", 1)
    slices = everything()._model
    assert whole.parts["covariate_effect"]["terms"][0][2] == slices.parts["covariate_effect"]["terms"][0][2]
    np.testing.assert_array_equal(whole.group, slices.group)


@pytest.mark.parametrize(("size", "values"), [(120, 3 * 5 * 36), (1200, 1200 * (3 + 2 * 3 + 3 * 3 + 10))])
def test_values_of_a_study(size, values):
    assert everything(**{"cohort.size": size})._model.values_per_study == max(values, 120 * 28)
