"""certify on a Dask cluster of two processes over TCP: the bits that threads give, also when a worker is killed."""

from __future__ import annotations

import os
import signal
import sys

import joblib
import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.simulation import replicates
from cytokine_cc.simulation.measures import Tally

distributed = pytest.importorskip("distributed")
cloudpickle = pytest.importorskip("cloudpickle")

HENRY = cc.load_scenario("henry2010")
PLAN = HENRY.plan
N = 448  # seven blocks of 64


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)


@pytest.fixture(scope="module")
def client():
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "protocol": "tcp://", "dashboard_address": ":0"}
    with (
        distributed.LocalCluster(**options, silence_logs="CRITICAL") as cluster,
        distributed.Client(cluster) as client,
        joblib.parallel_config(backend="dask"),
    ):
        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import this file
        client.run(lambda: __import__("cytokine_cc.simulation.error_rates") and None)
        yield client
        cloudpickle.unregister_pickle_by_value(sys.modules[__name__])


def certified(**more) -> cc.ErrorRates:
    return cc.certify(PLAN, HENRY, **{"n_sim": N, "seed": 3, **more})


@pytest.fixture(scope="module")
def threads():
    with pytest.MonkeyPatch.context() as patch, joblib.parallel_config(backend="threading"):
        patch.setattr(replicates, "BLOCK_VALUES", 1)
        return certified(n_jobs=2)


def same(a: cc.ErrorRates, b: cc.ErrorRates) -> bool:
    return a.to_csv() == b.to_csv() and a.meta == b.meta


@pytest.fixture
def kill_when_busy(client, monkeypatch):
    """Kills workers, first those that have work, when the first block has come back; tells which, and the work they had."""
    opened = replicates._opened
    client.wait_for_workers(2)
    pids = client.run(os.getpid)

    def kill(how_many):
        killed = {}

        def then_kill(data, record):
            if not killed:
                killed.update(sorted(client.processing().items(), key=lambda item: -len(item[1]))[:how_many])
                for address in killed:
                    os.kill(pids[address], signal.SIGKILL)
            return opened(data, record)

        monkeypatch.setattr(replicates, "_opened", then_kill)
        return killed

    return kill


class Where:
    """Work that tells who does it."""

    step = 10

    def __call__(self, block: range) -> list[Tally]:
        return [Tally({"pid": np.array([os.getpid()])}, {})]


class Fails(Where):
    def __call__(self, block: range) -> list[Tally]:
        raise cc.OptionError(f"no luck with {block}")


def test_both_workers_work_and_over_tcp(client):
    pids = {int(block[0].counts["pid"][0]) for block in replicates.blocks_of(Where(), 400, 1, False)}
    assert pids == set(client.run(os.getpid).values())
    assert len(pids) == 2
    assert os.getpid() not in pids
    assert all(address.startswith("tcp://") for address in client.scheduler_info()["workers"])


@pytest.mark.slow
@pytest.mark.parametrize("n_jobs", [1, -1])
def test_a_cluster_gives_the_bits_of_threads(client, threads, n_jobs):
    assert same(certified(n_jobs=n_jobs), threads)


def test_an_error_on_a_worker_is_the_error_of_the_call(client):
    with pytest.raises(cc.OptionError, match=r"^no luck with range\(\d+, \d+\)$"):
        list(replicates.blocks_of(Fails(), 40, 1, False))


@pytest.mark.slow
def test_a_users_function_as_test_travels(client):
    def own(x, y):
        return cc.kernels.TESTS["welch"].function(x, y, alternative="two-sided", conf_level=None)

    plan = cc.Plan(cc.Baseline(test=own, below_limit="half"), None, None)
    here = cc.certify(plan, HENRY, n_sim=128, seed=3)
    with joblib.parallel_config(backend="threading"):
        assert same(here, cc.certify(plan, HENRY, n_sim=128, seed=3))


@pytest.mark.slow
def test_blocks_are_kept_by_the_process_that_called(client, threads, tmp_path):
    assert same(certified(checkpoint=tmp_path), threads)
    assert len(list(tmp_path.glob("*.block"))) == 7
    (tmp_path / "000000064-000000128.block").unlink()
    assert same(certified(checkpoint=tmp_path), threads)


@pytest.mark.parametrize("how_many", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_workers_that_are_killed_change_no_bit(client, threads, kill_when_busy, how_many):
    killed = kill_when_busy(how_many)
    assert same(certified(), threads)
    assert len(killed) == how_many
    assert any(killed.values())
    assert not set(killed) & set(client.run(os.getpid))
