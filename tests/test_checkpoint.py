"""Checkpoints: a run that was killed goes on to the same bits; what is damaged or foreign is never counted; a full disk."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
import pytest

import cytokine_cc as cc
from cytokine_cc.kernels import TESTS
from cytokine_cc.simulation import packing, replicates
from cytokine_cc.simulation.checkpoint import MANIFEST, Checkpoint
from cytokine_cc.simulation.measures import Tally

NULL = cc.load_scenario("null").vary({"study.cases": 9, "study.controls": 7})
PLAN = cc.Plan(cc.Baseline("welch", adjust="holm"), cc.ChangeWithin("paired_t", family="all"), None)
N, STEP = 300, 64  # five blocks, the last of 44


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch):
    monkeypatch.setattr(replicates, "BLOCK_VALUES", 1)


def rates(folder=None, n_sim=N, plan=PLAN, scenario=NULL, **more) -> cc.ErrorRates:
    return cc.certify(plan, scenario, **{"n_sim": n_sim, "seed": 5, "checkpoint": folder, **more})


def same(a: cc.ErrorRates, b: cc.ErrorRates) -> bool:
    return a.to_csv() == b.to_csv() and a.meta == b.meta


def blocks(folder) -> list[Path]:
    return sorted(folder.glob("*.block"))


@pytest.fixture
def computed(monkeypatch):
    """The blocks that are computed from now on."""
    found, call = [], replicates.Work.__call__
    monkeypatch.setattr(replicates.Work, "__call__", lambda self, block: found.append(block) or call(self, block))
    return found


@pytest.fixture(scope="module")
def whole():
    """Without a checkpoint."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicates, "BLOCK_VALUES", 1)
        return rates()


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """A finished run's folder, to be copied."""
    folder = tmp_path_factory.mktemp("kept")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(replicates, "BLOCK_VALUES", 1)
        rates(folder)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture
def folder(kept, tmp_path):
    for name, data in kept.items():
        (tmp_path / name).write_bytes(data)
    return tmp_path


# ---------------------------------------------------------------- the same bits


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_checkpoint_changes_no_bit(tmp_path, whole, computed, n_jobs):
    assert same(rates(tmp_path / "new" / "folder", n_jobs=n_jobs), whole)
    assert len(computed) == 5
    assert same(rates(tmp_path / "new" / "folder", n_jobs=n_jobs), whole)
    assert len(computed) == 5
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == [*(f"{k:09d}-{min(N, k + STEP):09d}.block" for k in range(0, N, STEP)), MANIFEST]


def test_more_studies_reuse_full_blocks(folder, computed):
    more = rates(folder, n_sim=400)
    assert [block.start for block in sorted(computed, key=lambda block: block.start)] == [256, 320, 384]
    assert same(more, rates(n_sim=400))
    computed.clear()
    fewer = rates(folder, n_sim=128)
    assert not computed
    assert same(fewer, rates(n_sim=128))


def test_a_plan_without_arrays_of_some_kind(tmp_path):
    """The raw scale has no bins, a scenario without patterns no flags, one study no full chunk."""
    plan = cc.Plan(cc.Baseline("mann_whitney", scale="raw"), None, None)
    for _ in range(2):
        assert same(rates(tmp_path, n_sim=1, plan=plan), rates(n_sim=1, plan=plan))


def test_what_is_packed_comes_back_bit_for_bit():
    strange = np.array([np.nan, -0.0, np.inf, 5e-324, 0.1 + 0.2])
    strange.view(np.uint64)[0] += 1  # another NaN
    parts = {
        "floats": strange,
        "none": np.zeros((0, 3)),
        "one": np.int64(7),
        "signed": np.array([-1, 300]),
        "flag": np.array([True]),
    }
    whole = {f"u{power}": np.array([[0, 2**power - 1]]) for power in (8, 16, 32, 62)}
    found = packing.unpack(packing.pack([Tally(whole, parts)], "key", range(3, 9)), Tally)
    assert (found["key"], found["replicates"]) == ("key", [3, 9])
    (tally,) = found["results"]
    assert isinstance(tally, Tally)
    for there, here in zip(tally, (whole, parts), strict=True):
        assert list(there) == list(here)
        for name, array in here.items():
            array = np.asarray(array)
            assert (there[name].dtype, there[name].shape) == (array.dtype, array.shape)
            assert there[name].tobytes() == array.tobytes()


def test_only_numbers_are_packed_or_read():
    with pytest.raises(TypeError, match="'code' holds object, not numbers"):
        packing.pack([({"code": np.array([print])},)], "key", range(1))
    data = packing.pack([({"x": np.array([1.5])},)], "key", range(1))
    forged = data[data.index(b"\n") + 1 :].replace(b'["x", "<f8", "<f8", [1]]', b'["x", "|O8", "|O8", [1]]')
    assert b"|O8" in forged
    forged = b"cytokine_cc block 1 " + packing.hashlib.sha256(forged).hexdigest().encode() + b"\n" + forged
    with pytest.raises(packing.Unreadable):
        packing.unpack(forged, tuple)


def test_any_work_and_any_record_can_be_kept(tmp_path):
    """What is counted need not come from a plan."""

    class Other(Tally):
        pass

    class Squares:
        step = 10

        def __init__(self):
            self.calls = 0

        def __call__(self, block):
            self.calls += 1
            return [Other({"n": np.array([len(block)])}, {"squares": np.array([float(k) ** 2 for k in block])[:, None]})]

    work, found = Squares(), []
    for _ in range(2):
        checkpoint = Checkpoint(tmp_path, {"what": "squares"})
        found.append(list(replicates.blocks_of(work, 25, 1, False, checkpoint, Other)))
    assert work.calls == 3
    assert all(isinstance(block[0], Other) for block in found[1])
    assert replicates.total_of(found[1])[0].sums["squares"].item() == sum(k**2 for k in range(25))
    assert replicates.total_of(found[1])[0].counts["n"].item() == 25


# ---------------------------------------------------------------- killed

CHILD = """
import sys, time
sys.path.insert(0, {tests!r})
import cytokine_cc as cc
from cytokine_cc.simulation import replicates
import test_checkpoint as t
replicates.BLOCK_VALUES = 1
call, done = replicates.Work.__call__, []
def slowly(self, block):
    if len(done) == {slow_after}:
        print("slow", flush=True)
        time.sleep(60)
    done.append(block)
    return call(self, block)
replicates.Work.__call__ = slowly
{before}
t.rates({folder!r}, {more})
"""


def child(folder, slow_after=99, before="", more="") -> subprocess.Popen:
    code = CHILD.format(tests=str(Path(__file__).parent), folder=str(folder), slow_after=slow_after, before=before, more=more)
    return subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def test_a_run_that_was_killed_goes_on(tmp_path, whole, computed):
    run = child(tmp_path, slow_after=3)
    try:
        assert run.stdout.readline() == "slow\n"
        deadline = time.monotonic() + 30
        while len(blocks(tmp_path)) < 2 and time.monotonic() < deadline:  # the last may still be on its way to the disk
            time.sleep(0.01)
    finally:
        os.kill(run.pid, signal.SIGKILL)
        run.communicate()
    assert run.returncode == -signal.SIGKILL
    safe = len(blocks(tmp_path))
    assert safe >= 2
    assert same(rates(tmp_path), whole)
    assert len(computed) == 5 - safe


def test_what_a_killed_process_was_writing_is_not_counted_and_goes_in_time(folder, whole):
    new, old = folder / ".partial-new", folder / ".partial-old"
    for path in (new, old):
        path.write_bytes(b"half")
    os.utime(old, (1, 1))
    assert same(rates(folder), whole)
    assert new.exists()
    assert not old.exists()


@pytest.mark.slow
def test_two_processes_in_one_folder_do_no_harm(tmp_path, whole, computed):
    runs = [child(tmp_path), child(tmp_path)]
    assert [run.communicate()[1] for run in runs] == ["", ""]
    assert same(rates(tmp_path), whole)
    assert not computed
    assert not list(tmp_path.glob(".partial*"))


# ---------------------------------------------------------------- damaged, foreign


def truncated(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(place: float):
    def flip(data: bytes) -> bytes:
        at = int(place * (len(data) - 1))
        return data[:at] + bytes([data[at] ^ 4]) + data[at + 1 :]

    return flip


@pytest.mark.parametrize(
    "harm", [truncated, flipped(0), flipped(0.02), flipped(0.5), flipped(1), lambda data: b"", lambda data: data + b"\0"],
    ids=["truncated", "first byte", "digest", "middle", "last byte", "empty", "longer"],
)  # fmt: skip
def test_a_damaged_block_is_said_and_computed_again(folder, whole, computed, kept, harm):
    path = blocks(folder)[1]
    path.write_bytes(harm(path.read_bytes()))
    with pytest.warns(cc.AnalysisWarning, match="not used and are computed again. damaged: studies 64 to 127.$"):
        assert same(rates(folder), whole)
    assert computed == [range(64, 128)]
    assert path.read_bytes() == kept[path.name]


def forged(head: object) -> bytes:
    """A block whose sum is right, and whose head is another."""
    body = json.dumps(head).encode() if not isinstance(head, bytes) else head
    body += b"\n" + packing.zlib.compress(b"")
    return b"cytokine_cc block 1 " + packing.hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def test_a_block_with_another_head_is_computed_again(folder, whole, computed):
    head = packing.head_of(blocks(folder)[0].read_bytes())[0]
    heads = [b"{no json", [], {**head, "layout": []}, {"layout": head["layout"]}]
    for path, other in zip(blocks(folder), heads, strict=False):
        path.write_bytes(forged(other))
    blocks(folder)[4].write_bytes(forged({**head, "replicates": [256, 300]}))  # arrays without their numbers
    with pytest.warns(cc.AnalysisWarning, match="damaged: studies 0 to 63, .*, studies 192 to 255.$"):
        assert same(rates(folder), whole)
    assert sorted(block.start for block in computed) == [0, 64, 128, 192, 256]


def test_a_warning_points_to_the_line_that_called(folder):
    (folder / MANIFEST).write_bytes(b"{")
    blocks(folder)[1].write_bytes(b"")
    with pytest.warns(cc.AnalysisWarning) as found:
        cc.certify(PLAN, NULL, n_sim=N, seed=5, checkpoint=folder)
    assert [warning.filename for warning in found] == [__file__] * 2


def test_a_block_of_another_simulation_is_not_counted(folder, tmp_path_factory, whole, computed):
    other = tmp_path_factory.mktemp("other")
    rates(other, seed=6)
    computed.clear()
    blocks(folder)[2].write_bytes(blocks(other)[2].read_bytes())
    blocks(folder)[0].write_bytes(blocks(folder)[1].read_bytes())  # its own, in the wrong place
    with pytest.warns(cc.AnalysisWarning, match="from another simulation: studies 0 to 63, studies 128 to 191"):
        assert same(rates(folder), whole)
    assert sorted(block.start for block in computed) == [0, 128]


def test_a_block_that_goes_while_the_run_is_on_is_computed(folder, whole, monkeypatch, computed):
    stored = Checkpoint.stored

    def then_remove(self, wanted):
        found = stored(self, wanted)
        blocks(folder)[3].unlink()
        return found

    monkeypatch.setattr(Checkpoint, "stored", then_remove)
    assert same(rates(folder), whole)
    assert computed == [range(192, 256)]
    assert len(blocks(folder)) == 5


def test_a_block_that_cannot_be_read(folder, whole):
    path = blocks(folder)[1]
    path.unlink()
    path.mkdir()
    with (
        pytest.warns(cc.AnalysisWarning, match=r"cannot be read \(Is a directory\): studies 64 to 127"),
        pytest.raises(cc.OptionError, match="could not be written .Is a directory") as error,
    ):
        rates(folder)
    assert "Make room" not in str(error.value)
    assert f"See to it that {path.name} can be written there and call again" in str(error.value)


VARIED = {
    "plan.baseline.adjust is \"holm\" there, \"BH\" here": {"plan": PLAN.vary(baseline__adjust=["BH"])[0]},
    "alpha is 0.05 there, 0.1 here": {"plan": PLAN.vary(alpha=[0.1])[0]},
    "plan.change_within.groups is .*there, \\[\"case\"\\] here": {
        "plan": PLAN.vary(change_within__groups=[("case",)])[0]
    },
    "seed is 5 there, 6 here": {"seed": 6},
    "intervals is true there, false here": {"intervals": False},
    "scenario.study.cases is 9 there, 10 here": {"scenario": NULL.vary({"study.cases": 10})},
    "patterns is \\[\\] there, .*here": {"patterns": cc.Pattern(says="none", question="baseline", at_most=0, p_below=0.05)},
}  # fmt: skip


@pytest.mark.parametrize("said", VARIED)
def test_another_simulation_is_refused_and_told_apart(folder, kept, said):
    with pytest.raises(cc.OptionError, match=f"belongs to another simulation: (.*; )?{said}.*Name another folder, or remove"):
        rates(folder, **VARIED[said])
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == kept


@pytest.mark.parametrize("name", ["cytokine_cc", "numpy", "scipy", "source"])
def test_another_version_is_refused(folder, monkeypatch, name):
    ours = {**packing.made_by(), name: "0"}
    monkeypatch.setattr("cytokine_cc.simulation.checkpoint.made_by", lambda: ours)
    with pytest.raises(cc.OptionError, match=f'made_by.{name} is ".*" there, "0" here'):
        rates(folder)


def test_the_order_of_analytes_is_part_of_it(tmp_path):
    """Arrays have it, and a hash of sorted keys would not."""
    table = NULL.content["analytes"]
    turned = NULL.vary({"analytes": dict(reversed(table.items()))})
    assert turned.analytes == NULL.analytes[::-1]
    rates(tmp_path, n_sim=64)
    with pytest.raises(cc.OptionError, match="order of scenario.analytes is"):
        rates(tmp_path, n_sim=64, scenario=turned)


def test_words_of_a_scenario_file_are_no_part_of_it(folder, computed):
    rates(folder, scenario=NULL.vary({"title": "Another", "published": {"doi": "10.1000/1"}}, name="renamed"))
    assert not computed


def test_a_damaged_manifest_is_written_anew(folder, whole, computed, kept):
    (folder / MANIFEST).write_bytes(kept[MANIFEST][:100])
    with pytest.warns(cc.AnalysisWarning, match=r"manifest.json: was damaged and is written anew; each block tells"):
        assert same(rates(folder), whole)
    assert not computed
    assert (folder / MANIFEST).read_bytes() == kept[MANIFEST]
    (folder / MANIFEST).unlink()
    assert same(rates(folder), whole)
    assert not computed


def test_the_manifest_can_be_read_by_a_person(kept):
    found = json.loads(kept[MANIFEST])
    assert (found["what"], found["seed"], found["alpha"], found["step"]) == ("certify", 5, 0.05, STEP)
    assert found["plan"]["baseline"]["test"] == "welch"
    assert found["made_by"]["numpy"] == np.__version__


# ---------------------------------------------------------------- what cannot be kept


def test_a_test_that_is_a_function_is_refused(tmp_path):
    def own(x, y):
        return TESTS["welch"].function(x, y, alternative="two-sided", conf_level=None)

    with pytest.raises(cc.OptionError, match="baseline: a test that is a function .own. .* leave `checkpoint` out"):
        rates(tmp_path / "x", plan=cc.Plan(cc.Baseline(test=own, below_limit="half"), None, None))
    assert not (tmp_path / "x").exists()


def test_a_scenario_without_content_is_refused(tmp_path):
    class Bare:
        """All that `certify` asks of a scenario, and no more."""

        def __getattr__(self, name):
            if name == "content":
                raise AttributeError
            return getattr(NULL, name)

    assert rates(n_sim=2, scenario=Bare()).to_csv() == rates(n_sim=2).to_csv()
    with pytest.raises(cc.OptionError, match="scenario 'null, varied' has no content .* leave `checkpoint` out"):
        rates(tmp_path / "x", scenario=Bare())


@pytest.mark.parametrize("wrong", ["", "   ", 3, True, b"x"])
def test_what_is_no_path_is_refused(wrong):
    with pytest.raises(cc.OptionError, match="`checkpoint` must be the path of a folder; got"):
        rates(wrong)


def test_a_tilde_is_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Checkpoint("~/x", {}).folder == tmp_path / "x"
    with pytest.raises(cc.OptionError, match="the home folder of a user who has none: '~no-such-user/x'"):
        Checkpoint("~no-such-user/x", {})


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(cc.OptionError, match="this is a file; `checkpoint` names a folder"):
        rates(tmp_path / "file")
    with pytest.raises(cc.OptionError, match="no checkpoint can be kept there .Not a directory"):
        rates(tmp_path / "file" / "below")


# ---------------------------------------------------------------- a full disk


def test_a_full_disk_loses_no_finished_block(folder, computed, kept):
    """The system refuses any byte of a file beyond some hundred, as a disk does that is full (another errno)."""
    for path in blocks(folder)[3:]:
        path.unlink()
    before = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (500, resource.RLIM_INFINITY))"
    _, error = child(folder, before=before).communicate()
    last = error.strip().splitlines()[-1]
    size = len(kept["000000192-000000256.block"])
    assert last == (
        f"cytokine_cc.errors.OptionError: {folder}: a finished block could not be written (File too large). It needs {size:,} "
        f"bytes, all those missing about {2 * size:,}. 3 of 5 blocks are safe there, and none is half-written. Make room and "
        "call again with the same checkpoint: it goes on from them."
    )
    assert {path.name for path in folder.iterdir()} == set(kept) - {f"{a:09d}-{b:09d}.block" for a, b in ((192, 256), (256, 300))}
    rates(folder)
    assert sorted(block.start for block in computed) == [192, 256]


def test_a_disk_that_fills_up_midway(tmp_path, whole):
    """A real file system of some hundred kB, where this system lets a process mount one."""
    disk = tmp_path / "disk"
    disk.mkdir()
    code = CHILD.format(tests=str(Path(__file__).parent), folder=str(disk / "kept"), slow_after=99, before="", more="")
    (tmp_path / "child.py").write_text(code)
    mount = f'mount -t tmpfs -o size=64k none "{disk}" || exit 77'
    keep = f'cp -r "{disk}/kept" "{tmp_path}/kept"'
    script = f'{mount}; "{sys.executable}" "{tmp_path}/child.py"; {keep}'
    try:
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("no unshare here")
    if not (tmp_path / "kept").exists():
        pytest.skip(f"no file system can be mounted here: {done.stderr.strip()[-200:]}")
    safe = blocks(tmp_path / "kept")
    assert 0 < len(safe) < 5
    assert "(No space left on device)" in done.stderr
    assert f"{len(safe)} of 5 blocks are safe there" in done.stderr
    assert not list((tmp_path / "kept").glob(".partial*"))
    assert same(rates(tmp_path / "kept"), whole)


# ---------------------------------------------------------------- other processes


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
def test_processes_give_the_same_bits(tmp_path, whole, backend, monkeypatch):
    """The second hands results back only all at once; blocks go to it in waves."""
    monkeypatch.setattr(replicates, "_WAVE", 1)
    with warnings.catch_warnings(), joblib.parallel_config(backend=backend, n_jobs=2):
        warnings.simplefilter("ignore", DeprecationWarning)  # of forks of processes with threads
        assert same(rates(), whole)
        assert same(rates(tmp_path), whole)
    assert len(blocks(tmp_path)) == 5


def test_a_worker_of_another_version_is_refused(monkeypatch):
    theirs = {**packing.made_by(), "numpy": "1.0"}
    monkeypatch.setattr(packing, "made_by", lambda: theirs)
    data = packing.pack([({"x": np.zeros(1)},)], "", range(1))
    with pytest.raises(cc.OptionError, match=f"a worker computes with numpy 1.0, not {np.__version__}. Install the same"):
        replicates._opened(data, tuple)
