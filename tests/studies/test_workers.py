"""The same records from one process, from two, and from a cluster; a worker that dies."""

import os
import signal
from concurrent.futures import BrokenExecutor, CancelledError
from concurrent.futures.process import BrokenProcessPool
from types import SimpleNamespace

import pytest
from study_toys import QUICK, TABLE, prints

from hqnn_utils.records import Record
from hqnn_utils.studies import StudyError, as_setting, run_study, workers
from hqnn_utils.studies.workers import Failure, Job, carry_out

NEEDS_DASK = 'needs pip install "hqnn_utils[cluster]"'


@pytest.fixture(scope="module")
def local(tmp_path_factory):
    return run_study(TABLE, tmp_path_factory.mktemp("local"), threads=1, progress=False)


@pytest.mark.slow
def test_two_processes_give_the_same_records(local, tmp_path):
    done = run_study(TABLE, tmp_path, workers=2, threads=1, progress=False)
    assert not done.failures
    assert prints(done) == prints(local)


@pytest.mark.slow
def test_a_cluster_gives_the_same_records(local, tmp_path):
    """A real scheduler and two real worker processes, through joblib's Dask backend."""
    distributed = pytest.importorskip("dask.distributed", reason=NEEDS_DASK)
    cluster = distributed.LocalCluster(
        n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
    )
    with cluster, distributed.Client(cluster) as client:
        pids = set(client.run(os.getpid).values())
        done = run_study(TABLE, tmp_path, backend="dask", threads=1, progress=False)
    assert not done.failures
    assert prints(done) == prints(local)
    assert len(pids) == 2
    assert os.getpid() not in pids


def test_no_cluster_is_clear(tmp_path):
    pytest.importorskip("dask.distributed", reason=NEEDS_DASK)
    with pytest.raises(
        StudyError,
        match=r'^backend="dask" finds no cluster: make a dask\.distributed\.Client first, '
        r'e\.g\. Client\("scheduler-address:8786"\)$',
    ):
        run_study(TABLE, tmp_path, backend="dask", progress=False)


def test_no_dask_is_clear(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dask.distributed", None)
    with pytest.raises(
        StudyError,
        match=r'^backend="dask" needs dask\.distributed: pip install "hqnn_utils\[cluster\]"$',
    ):
        workers.need_cluster()


def _deadly(job):
    if job.setting.name == "deadly":
        os.kill(os.getpid(), signal.SIGKILL)
    return _original(job)


_original = workers.run_job


@pytest.mark.slow
def test_a_worker_that_dies_takes_one_run_with_it(tmp_path, monkeypatch, local):
    monkeypatch.setattr(workers, "run_job", _deadly)
    table = [*TABLE[:2], dict(QUICK, name="deadly"), *TABLE[2:]]
    done = run_study(table, tmp_path, workers=2, threads=1, progress=False)
    print(done)
    (failure,) = done.failures
    assert failure.name == "deadly"
    assert failure.where == "worker"
    assert failure.error.startswith(
        "its worker process died, out of memory or killed from outside ("
    )
    assert prints(done) == prints(local)


# ---------------------------------------------------------------- without processes


def job(name, **more):
    return Job(as_setting({**QUICK, "name": name}), None, 1, None, **more)


def record(name):
    return Record(name, settings={}, data={}, scores={}, predictions={})


def test_a_job_gives_a_record_or_a_failure(monkeypatch, tmp_path):
    given = []

    def run_setting(setting, data, checkpoint):
        given.append((setting.name, data, checkpoint))
        if setting.name == "bad":
            raise ValueError("no")
        return record(setting.name)

    monkeypatch.setattr(workers, "run_setting", run_setting)
    kept = tmp_path / "good.pt"
    kept.touch()
    assert workers.run_job(Job(job("good").setting, "data", None, kept)).name == "good"
    assert not kept.exists(), "done: the checkpoint is not needed any more"
    assert given == [("good", "data", kept)]
    failure = workers.run_job(job("bad"))
    assert failure.name == "bad"
    assert failure.error == "ValueError: no"
    assert failure.where.startswith("test_workers.py:")
    workers.run_job(Job(job("good").setting, None, None, tmp_path / "none.pt"))


@pytest.mark.parametrize("parent", ["here", "none", "elsewhere"])
def test_a_worker_ends_with_its_parent_and_with_nobody_else(monkeypatch, parent):
    """A run in the process of the study itself, or on a cluster, watches nobody."""
    pids = {"here": os.getpid(), "none": None, "elsewhere": os.getppid()}
    watched = []
    monkeypatch.setattr(workers, "end_with", watched.append)
    monkeypatch.setattr(workers, "run_setting", lambda setting, data, kept: record(setting.name))
    workers.run_job(job("a", parent=pids[parent]))
    assert watched == ([pids[parent]] if parent == "elsewhere" else [])


@pytest.mark.parametrize(
    ("parents", "there"),
    [([7, 7, 7, 1], [True] * 9), ([7] * 9, [True, True, False])],
    ids=["another parent now", "the parent is gone"],
)
def test_how_a_worker_sees_that_its_parent_is_gone(monkeypatch, parents, there):
    """Looked for every half second, in a thread that keeps nothing alive, once a parent."""
    events, threads, asked = [], [], []

    class Thread:
        def __init__(self, target, daemon, name):
            assert (daemon, name) == (True, "ends with its parent")
            self.start = lambda: threads.append(target)

    monkeypatch.setattr(workers, "_watched", set())
    monkeypatch.setattr(workers.threading, "Thread", Thread)
    monkeypatch.setattr(workers.os, "getppid", lambda: parents.pop(0))
    monkeypatch.setattr(workers.psutil, "pid_exists", lambda p: (asked.append(p), there.pop(0))[1])
    monkeypatch.setattr(workers.time, "sleep", events.append)
    monkeypatch.setattr(workers.os, "_exit", lambda status: events.append(("ended", status)))
    for _ in range(2):
        workers.end_with(42)
    (watch,) = threads
    watch()
    assert events == [0.5, 0.5, ("ended", 1)]
    assert set(asked) == {42}


def test_a_cluster_and_a_pool_of_processes_say_differently_that_a_worker_died(monkeypatch):
    class KilledWorker(Exception):  # noqa: N818  as dask calls it
        pass

    modules = workers.sys.modules
    monkeypatch.delitem(modules, "distributed.scheduler", raising=False)
    assert workers._died() == (BrokenExecutor,)
    monkeypatch.setitem(
        modules, "distributed.scheduler", SimpleNamespace(KilledWorker=KilledWorker)
    )
    assert workers._died() == (BrokenExecutor, KilledWorker)


def test_processes_that_outlived_another_are_ended(monkeypatch):
    """Those of this machine; a cluster has its own."""
    ended = []
    executor = SimpleNamespace(shutdown=lambda **options: ended.append(options))
    monkeypatch.setattr(workers, "get_reusable_executor", lambda: executor)
    workers._forget_processes("dask")
    assert ended == []
    workers._forget_processes(None)
    assert ended == [dict(wait=True, kill_workers=True)]


def test_only_what_is_taken_is_made_and_an_error_of_taking_is_raised_at_the_end(monkeypatch):
    made = []
    monkeypatch.setattr(
        workers, "run_job", lambda j: (made.append(j.setting.name), record(j.setting.name))[1]
    )
    jobs = [job(n) for n in "abc"]
    assert [r.name for r in carry_out(jobs, 1, None, lambda name: name != "b")] == ["a", "c"]
    assert made == ["a", "c"]

    def takes(name):
        if name == "b":
            raise OSError("the disk is full")
        return True

    results = carry_out(jobs, 1, None, takes)
    assert next(results).name == "a"
    with pytest.raises(OSError, match=r"^the disk is full$"):
        next(results)
    assert made == ["a", "c", "a"]


@pytest.mark.parametrize(
    ("status", "cores", "words"),
    [
        ("running", {"tcp://1": 4}, None),
        (
            "running",
            {},
            "the cluster at tcp://s has no workers: start some, e.g. dask worker <addr",
        ),
        ("closed", {}, r"does not answer .OSError: the client is closed.. Records made so far are"),
        ("running", CancelledError("gone"), r"does not answer .CancelledError: gone.\. Records"),
    ],
)
def test_a_cluster_is_asked_before_anything_is_sent(monkeypatch, status, cores, words):
    def sync(function, callback_timeout):
        assert (function, callback_timeout) == ("ncores", 10)
        if isinstance(cores, Exception):
            raise cores
        return cores

    scheduler = SimpleNamespace(ncores="ncores", address="tcp://s")
    client = SimpleNamespace(status=status, sync=sync, scheduler=scheduler)
    fake = SimpleNamespace(get_client=lambda: client)
    monkeypatch.setitem(workers.sys.modules, "dask.distributed", fake)
    if words is None:
        workers.need_cluster()
        return
    with pytest.raises(StudyError, match='^backend="dask": (the scheduler )?' + words):
        workers.need_cluster()


def test_what_was_under_way_is_tried_alone_when_a_batch_is_given_up(monkeypatch):
    """Two workers: at most four runs were under way; the rest is tried as a batch again."""
    batches, alone = [], []

    def batch(jobs, count, backend):
        jobs = list(jobs)
        batches.append([j.setting.name for j in jobs])
        yield record(jobs[0].setting.name)
        if len(batches) == 1:
            raise BrokenProcessPool("a worker died")
        yield from (record(j.setting.name) for j in jobs[1:])

    def by_itself(one, backend):
        alone.append((one.setting.name, backend))
        return Failure(one.setting.name, "died", "worker")

    monkeypatch.setattr(workers, "_batch", batch)
    monkeypatch.setattr(workers, "_alone", by_itself)
    names = list("abcdefgh")
    results = list(carry_out([job(n) for n in names], 2, "dask"))
    assert sorted(r.name for r in results) == names
    assert batches == [names, ["f", "g", "h"]]
    assert alone == [(n, "dask") for n in "bcde"]


def test_at_least_two_are_tried_alone(monkeypatch):
    alone = []

    def batch(jobs, count, backend):
        raise BrokenProcessPool("died at once")
        yield

    monkeypatch.setattr(workers, "_batch", batch)
    monkeypatch.setattr(
        workers, "_alone", lambda one, backend: (alone.append(one), record(one.setting.name))[1]
    )
    assert len(list(carry_out([job(n) for n in "abc"], 0, None))) == 3
    assert len(alone) == 3


def test_a_run_alone_says_how_its_process_died(monkeypatch):
    class Dies:
        def __init__(self, **options):
            assert options == {"batch_size": 1}

        def __call__(self, jobs):
            raise BrokenProcessPool("x" * 300 + "\nsecond line")

    monkeypatch.setattr(workers.joblib, "Parallel", Dies)
    failure = workers._alone(job("a"), None)
    assert failure.name == "a"
    assert failure.where == "worker"
    assert failure.error == (
        "its worker process died, out of memory or killed from outside "
        f"(BrokenProcessPool: {'x' * 200})"
    )


def test_one_worker_runs_here(monkeypatch):
    monkeypatch.setattr(workers, "run_job", lambda j: record(f"{j.setting.name}-{os.getpid()}"))
    found = list(workers._batch([job("a"), job("b")], 1, None))
    assert [r.name for r in found] == [f"a-{os.getpid()}", f"b-{os.getpid()}"]


@pytest.mark.parametrize(
    ("backend", "config", "options"),
    [
        (
            None,
            dict(backend="loky", n_jobs=3),
            dict(return_as="generator_unordered", pre_dispatch="2*n_jobs", batch_size=1),
        ),
        (
            "dask",
            dict(backend="dask"),
            dict(return_as="generator_unordered", pre_dispatch="all", batch_size=1),
        ),
    ],
)
def test_how_a_batch_is_handed_to_joblib(monkeypatch, backend, config, options):
    """One run a task, results as they come; on a cluster all runs are handed over at once."""
    seen = {}

    class Parallel:
        def __init__(self, **given):
            seen["options"] = given

        def __call__(self, tasks):
            return [function(*arguments) for function, arguments, _ in tasks]

    monkeypatch.setattr(workers.joblib, "Parallel", Parallel)
    real = workers.joblib.parallel_config

    def parallel_config(**given):
        seen["config"] = given
        return real(backend="sequential")

    monkeypatch.setattr(workers.joblib, "parallel_config", parallel_config)
    monkeypatch.setattr(workers, "run_job", lambda j: record(j.setting.name))
    found = list(workers._batch([job("a"), job("b")], 3, backend))
    assert [r.name for r in found] == ["a", "b"]
    assert seen == dict(config=config, options=options)
    assert workers._alone(job("c"), backend).name == "c"
    assert seen["config"] == (config if backend else dict(backend="loky", n_jobs=2))
    assert seen["options"] == dict(batch_size=1)
