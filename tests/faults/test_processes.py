"""Several processes at once, and processes that are killed: nothing is lost."""

import json
import os
import random
import subprocess
import sys
import tarfile
import time
from io import BytesIO

import numpy as np
import pytest
import torch
from fault_toys import ROOT, left_in, until

from hqnn_utils.data import archive, load_breastmnist
from hqnn_utils.models.backbones import build_backbone
from hqnn_utils.models.features import extract_features
from hqnn_utils.records import Record, RecordError, append_record, fold, load_all, load_family
from hqnn_utils.records import families as families_module
from hqnn_utils.records.families import appended
from hqnn_utils.runtime import DataError, files
from hqnn_utils.runtime.files import (
    StorageError,
    locked,
    need_folder,
    read_sealed,
    sweep,
    whole_file,
)
from hqnn_utils.studies import run_study, workers

LONG = pytest.mark.long


def record(name, p=0.25, seed=0):
    part = {"ids": ["a", "b"], "labels": [0, 1], "probabilities": [p, 0.5]}
    return Record(
        name, settings={"seed": seed}, data={"name": "toy"}, scores={}, predictions={"test": part}
    )


APPENDING = """
import sys
from pathlib import Path
from hqnn_utils.records import append_record, fold
sys.path.insert(0, {here!r})
from test_processes import record
path, name = Path(sys.argv[1]), sys.argv[2]
for i in range(int(sys.argv[3])):
    append_record(record(f"{{name}}{{i}}"), path)
    print(i, flush=True)
fold(path)
""".format(here=str(ROOT / "tests" / "faults"))


def test_two_studies_into_one_family_keep_all_records(script, tmp_path):
    path = tmp_path / "f.json"
    both = [script(APPENDING, path, name, 20) for name in "ab"]
    assert [p.wait(240) for p in both] == [0, 0]
    names = {r.name for r in load_family(path)}
    assert names == {f"{name}{i}" for name in "ab" for i in range(20)}
    assert left_in(tmp_path) == ["f.json"]


@pytest.mark.parametrize("moment", [3, pytest.param(9, marks=LONG), pytest.param(17, marks=LONG)])
def test_a_study_killed_while_it_writes_loses_no_record(script, tmp_path, moment):
    path = tmp_path / "f.json"
    process = script(APPENDING, path, "a", 500)
    for _ in range(moment):
        process.stdout.readline()
    time.sleep(random.Random(moment).random() / 100)
    process.kill()
    said = moment + len(process.communicate()[0].splitlines())
    names = [r.name for r in load_family(path)]
    assert names[:said] == [f"a{i}" for i in range(said)]
    append_record(record("next"), path)  # and the lock is free
    fold(path)
    assert [r.name for r in load_all(tmp_path)] == [*names, "next"]


def test_half_a_line_is_no_record_and_in_nobodys_way(tmp_path):
    path = tmp_path / "f.json"
    append_record(record("a"), path)
    whole = appended(path).read_bytes()
    appended(path).write_bytes(whole + whole[:30])
    assert [r.name for r in load_family(path)] == ["a"]
    append_record(record("b"), path)
    assert [r.name for r in load_family(path)] == ["a", "b"]


def test_killed_between_family_and_journal(tmp_path):
    """The family is written, the journal not removed yet: no record is there twice."""
    path = tmp_path / "f.json"
    append_record(record("a"), path)
    journal = appended(path).read_bytes()
    fold(path)
    appended(path).write_bytes(journal)
    assert [r.name for r in load_family(path)] == ["a"]
    fold(path)
    assert left_in(tmp_path) == ["f.json"]


def test_a_record_made_anew_replaces_the_old_one(tmp_path, monkeypatch):
    """renew=True within a family: it was there twice, and nobody could read the family any more."""
    about = {"name": "toy", "digest": "d"}
    data = type("Toy", (), {**about, "source": "phantom", "size": 16})

    def run(setting, data, checkpoint=None):
        made = record(setting.name)
        made.settings, made.data = setting.stored(), about
        made.scores = {"test": {"auc": 0.5}}
        return made

    monkeypatch.setattr(workers, "run_setting", run)
    for epochs in (1, 2):
        table = [dict(name="a", epochs=epochs), dict(name="b")]
        done = run_study(table, tmp_path, family="f", data=data, progress=False, renew=True)
        assert [r.settings["epochs"] for r in done.records] == [epochs, 40]
        there = {r.name: r.settings["epochs"] for r in load_family(tmp_path / "f.json")}
        assert there == {"a": epochs, "b": 40}


def test_two_studies_with_one_name_for_different_runs(tmp_path):
    path = tmp_path / "f.json"
    append_record(record("a"), path)
    append_record(record("a", seed=1), path)
    with pytest.raises(RecordError, match="'a' .* is there twice, with other settings or data"):
        load_family(path)
    with pytest.raises(RecordError):
        fold(path)
    assert len(appended(path).read_bytes().splitlines()) == 2, "nothing is lost"


BESIDE = """
import os, signal, sys, time
from pathlib import Path
from hqnn_utils.records import Record
from hqnn_utils.studies import StudyError, grid, run_study, study, workers

part = {"ids": ["a", "b"], "labels": [0, 1], "probabilities": [0.25, 0.5]}
about = {"name": "toy", "digest": "d"}
data = type("Toy", (), {**about, "source": "phantom", "size": 16})
folder = Path(sys.argv[1])


def run(setting, data, checkpoint=None):
    print(os.getpid(), setting.seed, flush=True)
    (folder / f"at-{setting.seed}").touch()
    time.sleep(60 if (folder / "hang").exists() and setting.seed == 1 else 0.03)
    return Record(setting.name, setting.stored(), about, {"test": {"auc": 0.5}}, {"test": part})


def start(family, seeds):
    pid = os.fork()
    if not pid:
        done = run_study(grid(seed=seeds), folder, family=family, data=data, progress=False)
        print(os.getpid(), "done", len(done.records), len(done.failures), flush=True)
        os._exit(0)
    return pid


def until(name):
    while not (folder / name).exists():
        time.sleep(0.01)


workers.run_setting = run
if sys.argv[2] == "together":
    for pid in [start(sys.argv[3], range(12)) for _ in range(2)]:
        os.waitpid(pid, 0)
else:
    (folder / "hang").touch()
    first = start("f", range(3))
    until("at-1")
    second = start("f", range(3))
    until("at-2")
    study.PATIENCE = 0.1
    try:
        run_study(grid(seed=[1]), folder, family="f", data=data, progress=False)
    except StudyError as error:
        print(error, flush=True)
    (folder / "hang").unlink()
    os.kill(first, signal.SIGKILL)
    os.waitpid(first, 0)
    os.waitpid(second, 0)
"""


@pytest.mark.unix
@pytest.mark.parametrize("family", ["f", pytest.param("", marks=LONG)])
def test_two_studies_of_one_table_make_each_run_once(script, tmp_path, family):
    text = BESIDE.replace("sys.argv[3]", repr(family or None))
    out = script(text, tmp_path, "together").communicate(timeout=240)[0].split("\n")
    made = [int(line.split()[1]) for line in out if line and "done" not in line]
    assert sorted(made) == list(range(12)), "none twice, none left out"
    assert len({line.split()[0] for line in out if "done" not in line and line}) == 2
    assert [line.partition(" ")[2] for line in out if "done" in line] == ["done 12 0"] * 2
    assert len(load_all(tmp_path)) == 12
    assert not [p.name for p in tmp_path.iterdir() if p.name[0] == "."], "swept"


@pytest.mark.unix
def test_a_run_of_a_study_that_hangs_or_is_killed(script, tmp_path):
    """It is waited for, an hour at most; when its process ends, the other study makes the run."""
    out = script(BESIDE, tmp_path, "killed").communicate(timeout=240)[0].splitlines()
    first, second = out[0].split()[0], out[2].split()[0]
    assert out[:3] == [f"{first} 0", f"{first} 1", f"{second} 2"]
    assert "1 runs (" in out[3]
    assert "are being made by another process, which has finished none for an hour" in out[3]
    assert out[4:] == [f"{second} 1", f"{second} done 3 0"]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["at-0", "at-1", "at-2", "f.json"]


def test_the_thousandth_record_costs_as_much_as_the_first(tmp_path, monkeypatch):
    path = tmp_path / "f.json"
    append_record(record("first"), path)
    line = appended(path).stat().st_size
    with open(appended(path), "ab") as stream:
        stream.write(b"x" * 10**7 + b"\n")
    monkeypatch.setattr(families_module, "load_family", lambda _: pytest.fail("all was read"))
    began = time.process_time()
    append_record(record("other"), path)
    assert time.process_time() - began < 0.2
    assert appended(path).stat().st_size == line + 10**7 + 1 + line


def test_a_held_lock_is_an_error_and_no_hang(tmp_path, monkeypatch, hold):
    monkeypatch.setattr(families_module, "PATIENCE", 0.2)
    path = tmp_path / "f.json"
    holder = hold(appended(path))
    with pytest.raises(StorageError, match=r"has been in use by another process for 0 seconds"):
        append_record(record("a"), path)
    holder.kill()
    holder.wait()
    append_record(record("a"), path)
    assert [r.name for r in load_all(tmp_path)] == ["a"]


def test_lock_hands_over_among_many(tmp_path, script):
    """A lock file that is removed while others wait for it lets in one at a time."""
    count = tmp_path / "count"
    count.write_text("0")
    text = (
        "import sys\n"
        "from pathlib import Path\n"
        "from hqnn_utils.runtime.files import locked\n"
        "count = Path(sys.argv[1])\n"
        "for _ in range(30):\n"
        "    with locked(count, 120, ''):\n"
        "        count.write_text(str(int(count.read_text()) + 1))\n"
    )
    both = [script(text, count) for _ in range(3)]
    assert [p.wait(240) for p in both] == [0, 0, 0]
    assert count.read_text() == "90"
    assert left_in(tmp_path) == ["count"]


def dead_pid():
    return subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True
    ).stdout.strip()


def test_leftovers_of_a_killed_process_are_swept(tmp_path):
    path = tmp_path / "a.json"
    stem = files._stem(path)
    left, folder, living, foreign = (
        tmp_path / f"{stem}{dead_pid()}-x.tmp",
        tmp_path / f"{stem}{dead_pid()}-y.tmp",
        tmp_path / f"{stem}{os.getpid()}-z.tmp",
        tmp_path / f".a.json.other0-{dead_pid()}-z.tmp",
    )
    for file in (left, living, foreign):
        file.touch()
    folder.mkdir()
    (folder / "x").touch()
    sweep(path)
    assert sorted(tmp_path.iterdir()) == sorted([living, foreign])
    with whole_file(path) as stream:
        stream.write(b"{}")
    assert path.read_bytes() == b"{}"


def test_full_disk_leaves_the_old_record_and_no_half_file(small_disk):
    path = small_disk / "f.json"
    append_record(record("a"), path)
    before = appended(path).read_bytes()
    big = record("b")
    big.history = [{"x": "y" * 90_000}]
    with pytest.raises(StorageError, match="the disk is full, .* are free"):
        append_record(big, path)
    assert [r.name for r in load_family(path)] == ["a"]
    append_record(record("c"), path)
    assert [r.name for r in load_family(path)] == ["a", "c"]
    assert appended(path).read_bytes().startswith(before)
    with pytest.raises(StorageError, match="too little room: 1.0 MB are needed"):
        need_folder(small_disk, "take another", room=10**6)


READ_ONLY = """
from pathlib import Path
import sys
from hqnn_utils.records import save_record
sys.path.insert(0, {here!r})
from test_processes import record
save_record(record("a"), Path(sys.argv[1]))
""".format(here=str(ROOT / "tests" / "faults"))


@pytest.mark.unix
def test_read_only_checkout_says_what_to_set(script):
    process = script(READ_ONLY, "/proc/my_results/00")
    _, err = process.communicate(timeout=240)
    assert process.returncode
    assert "cannot be written" in err
    assert "set HQNN_RESULTS to one of yours" in err


# ---------------------------------------------------------------------------------- archives

NAMES = [f"BreaKHis_v1/{i}.txt" for i in range(40)]


def tar_of(path, names=NAMES):
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name)
            content = name.encode() * 200
            info.size = len(content)
            tar.addfile(info, BytesIO(content))
    return path


UNPACK = """
import sys
from hqnn_utils.data.archive import extract_archive
print(extract_archive(sys.argv[1], progress=False))
"""


def test_two_loaders_unpack_one_archive(script, tmp_path):
    path = tar_of(tmp_path / "a.tar.gz")
    both = [script(UNPACK, path) for _ in range(2)]
    outs = {p.communicate(timeout=240)[0] for p in both}
    assert outs == {f"{tmp_path / 'a-extracted'}\n"}
    assert [p.returncode for p in both] == [0, 0]
    assert left_in(tmp_path) == ["a-extracted", "a.tar.gz"]
    assert len(list((tmp_path / "a-extracted" / "BreaKHis_v1").iterdir())) == 40


SLOW = """
import sys, time
from hqnn_utils.data import archive
write = archive._write
def slow(*arguments):
    print("one", flush=True)
    time.sleep(0.05)
    return write(*arguments)
archive._write = slow
archive.extract_archive(sys.argv[1], progress=False)
"""


def test_killed_while_unpacking(script, tmp_path):
    path = tar_of(tmp_path / "a.tar.gz")
    process = script(SLOW, path)
    process.stdout.readline()
    process.kill()
    process.wait()
    assert not (tmp_path / "a-extracted").exists()
    folder = archive.extract_archive(path, progress=False)
    assert len(list((folder / "BreaKHis_v1").iterdir())) == 40
    assert left_in(tmp_path) == ["a-extracted", "a.tar.gz"], "swept"


@pytest.mark.parametrize("damage", ["file gone", "file short", "marker torn", "marker of before"])
def test_repair_restores_and_deletes_nothing_of_yours(tmp_path, damage):
    path = tar_of(tmp_path / "a.tar.gz")
    folder = archive.extract_archive(path, progress=False)
    notes = folder / "BreaKHis_v1" / "my_notes.txt"
    notes.write_text("years of work")
    victim, marker = folder / NAMES[3], folder / archive.MARKER
    whole = victim.read_bytes()
    if damage == "file gone":
        victim.unlink()
    elif damage == "file short":
        victim.write_bytes(b"x")
    elif damage == "marker torn":
        marker.write_text(marker.read_text()[:20])
    else:
        about = json.loads(marker.read_text())
        about["files"] = {name: size for name, (size, _) in about["files"].items()}
        marker.write_text(json.dumps(about))
    assert archive.extract_archive(path, progress=False) == folder
    assert victim.read_bytes() == whole
    assert notes.read_text() == "years of work"


def test_another_archive_under_the_same_name(tmp_path):
    path = tar_of(tmp_path / "a.tar.gz")
    folder = archive.extract_archive(path, progress=False)
    (folder / NAMES[1]).write_text("changed by hand")
    (folder / "mine.txt").write_text("mine")
    tar_of(path, [*NAMES[5:], "BreaKHis_v1/new.txt"])
    archive.extract_archive(path, progress=False)
    there = {p.name for p in folder.rglob("*.txt")}
    assert there == {"mine.txt", "1.txt", "new.txt", *(f"{i}.txt" for i in range(5, 40))}


def test_full_disk_while_unpacking(small_disk):
    path = tar_of(small_disk / "a.tar.gz", [f"BreaKHis_v1/{'n' * 50}{i}.txt" for i in range(20)])
    with pytest.raises(DataError, match="the disk is full|too little room"):
        archive.extract_archive(path, progress=False)
    assert [p.name for p in small_disk.iterdir()] == ["a.tar.gz"]


# ---------------------------------------------------------------------------------- training

STUDY = """
import sys
from hqnn_utils.studies import grid, run_study
if __name__ == "__main__":
    table = grid(head=["linear"], seed=range(4), epochs=int(sys.argv[2]), max_train=64,
                 source="phantom", size=16, patience=None)
    print(run_study(table, sys.argv[1], family="f", workers=2, threads=1, progress=False,
                    checkpoints=True))
"""


@LONG
def test_workers_end_with_their_parent_and_the_rerun_goes_on(tmp_path):
    import psutil

    program = tmp_path / "study.py"
    program.write_text(STUDY)
    folder = tmp_path / "records"
    env = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen([sys.executable, program, folder, "3000"], env=env)
    until(lambda: list((folder / "checkpoints").glob("*.pt")), 120)
    workers = psutil.Process(process.pid).children(recursive=True)
    assert len(workers) >= 2
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(workers, timeout=10)
    assert not [p for p in alive if "resource_tracker" not in " ".join(p.cmdline())]
    kept = list((folder / "checkpoints").glob("*.pt"))
    assert kept
    for checkpoint in kept:
        read_sealed(checkpoint)  # whole: a rerun goes on from it
    rerun = subprocess.run([sys.executable, program, folder, "2"], env=env, capture_output=True)
    assert b"4 records (0 were there already), 0 failures" in rerun.stdout


TRAIN = """
import sys, torch
from hqnn_utils.training import TrainConfig, fit
torch.manual_seed(0)
x = torch.randn(64, 4); y = (x[:, 0] > 0).long()
model = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 2))
config = TrainConfig(epochs=int(sys.argv[2]), augment=None, patience=None)
done = fit(model, (x, y), (x, y), config, checkpoint=sys.argv[1], progress=False)
print(len(done.history), f"{done.history[-1]['loss']:.9f}")
"""


@LONG
def test_two_runs_on_one_checkpoint_are_both_right(script, tmp_path):
    both = [script(TRAIN, tmp_path / "run.pt", 60) for _ in range(2)]
    outs = [p.communicate(timeout=240)[0] for p in both]
    alone = script(TRAIN, tmp_path / "other.pt", 60).communicate(timeout=240)[0]
    assert outs == [alone, alone]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".pt") == ["other.pt", "run.pt"]


@LONG
@pytest.mark.parametrize("seed", range(3))
def test_killed_at_a_random_moment_and_resumed_bit_for_bit(script, tmp_path, seed):
    whole = script(TRAIN, tmp_path / "whole.pt", 400).communicate(timeout=240)[0]
    process = script(TRAIN, tmp_path / "run.pt", 400)
    until((tmp_path / "run.pt").exists, 60)
    time.sleep(random.Random(seed).random())
    process.kill()
    process.wait()
    assert script(TRAIN, tmp_path / "run.pt", 400).communicate(timeout=240)[0] == whole
    assert not list(tmp_path.glob(".*.tmp")), "swept"


@pytest.mark.unix
def test_lock_of_a_folder_that_cannot_be_made():
    with pytest.raises(StorageError, match="cannot be written"), locked("/proc/x/y", 1, "go on"):
        pass


CLUSTER = """
import time
from dask.distributed import LocalCluster
if __name__ == "__main__":
    made = LocalCluster(n_workers=1, threads_per_worker=1, processes=False,
                        dashboard_address=None, protocol="tcp", host="127.0.0.1")
    print(made.scheduler_address, flush=True)
    time.sleep(600)
"""


DASK_STUDY = """
import os, sys
from dask.distributed import Client
from hqnn_utils.studies import grid, run_study
client = Client(sys.argv[1], timeout=20)
table = grid(seed=range(2), epochs=4000, patience=None, max_train=64, size=16, source="phantom")
print("ready", flush=True)
try:
    run_study(table, sys.argv[2], backend="dask", threads=1, progress=False)
except Exception as error:
    print(type(error).__name__, error, flush=True)
os._exit(0)
"""


@LONG
def test_a_scheduler_that_dies_midway_is_named(script, tmp_path):
    pytest.importorskip("dask.distributed")
    server = script(CLUSTER)
    study = script(DASK_STUDY, server.stdout.readline().strip(), tmp_path / "records")
    assert study.stdout.readline() == "ready\n"
    time.sleep(5)
    server.kill()
    said = study.communicate(timeout=240)[0]
    assert said.startswith("StudyError")
    assert "the scheduler does not answer" in said


CACHING = """
import sys
import numpy as np, torch
from hqnn_utils.data import load_breastmnist
from hqnn_utils.models.backbones import build_backbone
from hqnn_utils.models.features import extract_features
torch.manual_seed(int(sys.argv[2]))
backbone = build_backbone("small_cnn")
data = load_breastmnist(source="phantom", size=28)
print("ready", flush=True)
sys.stdin.readline()
np.save(sys.argv[3], extract_features(backbone, data, cache=sys.argv[1]))
"""


def test_three_processes_and_one_feature_cache(script, tmp_path):
    """Two of the same network and one of another begin at once: none takes another's features."""
    cache, weights = tmp_path / "cache", (0, 0, 1)
    made = [tmp_path / f"{i}.npy" for i in range(3)]
    several = [script(CACHING, cache, seed, path) for seed, path in zip(weights, made, strict=True)]
    for process in several:
        assert process.stdout.readline().startswith("ready"), process.stderr.read()
    for process in several:
        process.stdin.write("go\n")
        process.stdin.flush()
    assert [process.wait(240) for process in several] == [0, 0, 0]
    assert sorted(path.suffix for path in cache.iterdir()) == [".npy", ".npy"]
    data = load_breastmnist(source="phantom", size=28)
    for seed, path in zip(weights, made, strict=True):
        torch.manual_seed(seed)
        alone = extract_features(build_backbone("small_cnn"), data, cache=tmp_path / "alone")
        np.testing.assert_array_equal(np.load(path), alone)
