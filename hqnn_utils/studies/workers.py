"""Runs in this process, in several, or on a cluster: results as they arrive, in any order."""

from __future__ import annotations

import os
import queue
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError
from dataclasses import dataclass
from pathlib import Path

import joblib
import psutil
import torch
from joblib.externals.loky import get_reusable_executor

from hqnn_utils.records import Record
from hqnn_utils.studies.run import run_setting
from hqnn_utils.studies.settings import Setting, StudyError


@dataclass(frozen=True)
class Job:
    """One run that has to be carried out; it travels to a worker process.

    ``threads`` are torch's within the run (``None`` leaves them), ``checkpoint`` is the file from
    which the run can go on, removed when it is done. ``parent`` is the process whose end ends its
    workers too (``None`` on a cluster).
    """

    setting: Setting
    data: object
    threads: int | None
    checkpoint: Path | None
    parent: int | None = None


@dataclass(frozen=True)
class Failure:
    """A run that gave no record: its name, the error in words, and the place where it arose."""

    name: str
    error: str
    where: str


def run_job(job: Job) -> Record | Failure:
    """``run_setting`` in whatever process: an error becomes an entry in the list of failures."""
    before = torch.get_num_threads()
    if job.parent is not None and job.parent != os.getpid():
        end_with(job.parent)
    try:
        if job.threads is not None:
            torch.set_num_threads(job.threads)
        record = run_setting(job.setting, job.data, job.checkpoint)
        if job.checkpoint is not None:
            job.checkpoint.unlink(missing_ok=True)
        return record
    except Exception as error:  # whatever a run fails of, it is listed and stops no other
        last = traceback.extract_tb(error.__traceback__)[-1]
        return Failure(
            job.setting.name,
            f"{type(error).__name__}: {error}",
            f"{Path(last.filename).name}:{last.lineno}",
        )
    finally:
        torch.set_num_threads(before)


_watched: set[int] = set()


def end_with(parent: int) -> None:
    """Let this process end within a second of its parent, also of one that was killed.

    Otherwise a worker would train on for a study that is gone, beside the one that is started anew.
    """
    if parent in _watched:
        return
    _watched.add(parent)
    own = os.getppid()

    def watch() -> None:
        while os.getppid() == own and psutil.pid_exists(parent):
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, daemon=True, name="ends with its parent").start()


def need_cluster() -> None:
    """StudyError where no ``dask.distributed`` cluster with workers answers; it says what to do."""
    try:
        from dask.distributed import get_client

        client = get_client()
    except ImportError:
        raise StudyError(
            'backend="dask" needs dask.distributed: pip install "hqnn_utils[cluster]"'
        ) from None
    except ValueError:
        raise StudyError(
            'backend="dask" finds no cluster: make a dask.distributed.Client first, '
            'e.g. Client("scheduler-address:8786")'
        ) from None
    try:
        if client.status != "running":
            raise OSError(f"the client is {client.status}")
        workers = client.sync(client.scheduler.ncores, callback_timeout=CLUSTER_ANSWERS)
    except (OSError, CancelledError) as error:
        raise _scheduler_gone(error) from None
    if not workers:
        raise StudyError(
            f'backend="dask": the cluster at {client.scheduler.address} has no workers: '
            "start some, e.g. dask worker <address>"
        )


CLUSTER_ANSWERS = 10  # seconds


def _scheduler_gone(error: BaseException) -> StudyError:
    return StudyError(
        f'backend="dask": the scheduler does not answer ({type(error).__name__}: {error}). '
        "Records made so far are kept: start it again, make a new Client, run the same call again"
    )


def _died() -> tuple[type[Exception], ...]:
    """What is raised when a worker process died; loky and dask have no common class."""
    scheduler = sys.modules.get("distributed.scheduler")
    return (BrokenExecutor, *([scheduler.KilledWorker] if scheduler else []))


def anything(name: str) -> bool:
    """Every run is to be made."""
    return True


def carry_out(
    jobs: list[Job], workers: int, backend: str | None, take: Callable[[str], bool] = anything
) -> Iterator[Record | Failure]:
    """Results as they arrive, of the runs that ``take`` lets through when their turn comes.

    When a worker process dies, joblib gives the whole batch up. The runs that were under way are
    then tried one by one, each in a process of its own, so that only the one that kills its
    process is listed as failed.

    Raises
    ------
    StudyError : the scheduler of the cluster is gone.
    """
    queue = _Queue(jobs, take)
    while queue.left:
        try:
            results = _batch(iter(queue), workers, backend)
            for result in _while_it_answers(results) if backend == "dask" else results:
                del queue.left[result.name]
                yield result
        except _died():
            _forget_processes(backend)
            for job in list(queue.left.values())[: max(2, 2 * workers)]:
                if queue.takes(job):
                    yield _alone(job, backend)
                    del queue.left[job.setting.name]
        except (CancelledError, OSError) as error:
            if backend != "dask":
                raise
            raise _scheduler_gone(error) from None
        if queue.error is not None:
            raise queue.error


class _Queue:
    """The runs that are left. Which of them is really to be made is asked when its turn comes."""

    def __init__(self, jobs: list[Job], take: Callable[[str], bool]):
        self.left = {job.setting.name: job for job in jobs}
        self.take = take
        self.error: Exception | None = None

    def __iter__(self) -> Iterator[Job]:
        for job in list(self.left.values()):
            try:
                taken = self.takes(job)
            except (OSError, ValueError) as error:  # raised later: joblib's thread would hang
                self.error = error
                return
            if taken:
                yield job

    def takes(self, job: Job) -> bool:
        """Whether a run is to be made here; otherwise it is not left any more."""
        if self.take(job.setting.name):
            return True
        del self.left[job.setting.name]
        return False


def _while_it_answers(results: Iterator) -> Iterator:
    """What a cluster gives, for as long as its scheduler is there: joblib would wait for ever."""
    from dask.distributed import get_client

    try:
        client = get_client()
    except ValueError:  # nobody to watch
        yield from results
        return
    arrived: queue.Queue = queue.Queue()

    def pull() -> None:
        try:
            for result in results:
                arrived.put((result, None))
            arrived.put((None, StopIteration()))
        except BaseException as error:  # handed to the thread that waits
            arrived.put((None, error))

    threading.Thread(target=pull, daemon=True, name="results of the cluster").start()
    while True:
        try:
            result, error = arrived.get(timeout=1)
        except queue.Empty:
            if client.status not in ("running", "connecting"):
                raise ConnectionError(f"the client is {client.status}") from None
            continue
        if isinstance(error, StopIteration):
            return
        if error is not None:
            raise error
        yield result


def _batch(jobs: Iterator[Job], workers: int, backend: str | None) -> Iterator[Record | Failure]:
    if backend is None and workers <= 1:
        yield from map(run_job, jobs)
        return
    with _parallel(backend, workers):
        run = joblib.Parallel(
            return_as="generator_unordered",
            pre_dispatch="all" if backend == "dask" else "2*n_jobs",
            batch_size=1,
        )
        yield from run(joblib.delayed(run_job)(job) for job in jobs)


def _forget_processes(backend: str | None) -> None:
    """End the processes that outlived another one, so that the next run gets new ones."""
    if backend is None:
        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _alone(job: Job, backend: str | None) -> Record | Failure:
    """One job in a process that may die."""
    try:
        with _parallel(backend, workers=2):
            (result,) = joblib.Parallel(batch_size=1)([joblib.delayed(run_job)(job)])
            return result
    except _died() as error:
        _forget_processes(backend)
        first = (str(error).splitlines() or [""])[0][:200]
        reason = (
            "its worker process died, out of memory or killed from outside "
            f"({type(error).__name__}: {first})"
        )
        return Failure(job.setting.name, reason, "worker")


def _parallel(backend: str | None, workers: int) -> joblib.parallel_config:
    if backend == "dask":
        return joblib.parallel_config(backend="dask")
    return joblib.parallel_config(backend="loky", n_jobs=workers)
