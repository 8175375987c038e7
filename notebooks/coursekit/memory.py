"""The memory that a notebook takes while it runs."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from types import TracebackType

EVERY = 0.25  # seconds between two looks


class PeakMemory:
    """The largest resident memory of this process's children while a block runs.

    A kernel, its workers and their children are added up. On Linux a page that several processes
    share, such as a library's code, is divided among them; elsewhere it counts for each of them.
    A process counts from the second look on: one that has only been started still shows the whole
    memory of the one that started it.

    Attributes
    ----------
    mebibytes : the largest sum that was seen, in MiB.
    """

    def __init__(self) -> None:
        self.mebibytes = 0.0
        self._ended = threading.Event()
        self._watcher = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> PeakMemory:
        self._watcher.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        self._watcher.join()

    def _watch(self) -> None:
        before: set = set()
        while True:
            now = set(children())
            self.mebibytes = max(self.mebibytes, mebibytes(now & before))
            before = now
            if self._ended.wait(EVERY):
                return


def children() -> list:
    """All processes that this one has started, and those that they have started."""
    import psutil  # not there where a fork sets its address, nor where the book is made

    return psutil.Process().children(recursive=True)


def mebibytes(processes: Iterable) -> float:
    """Resident memory of some processes together, now, in MiB."""
    import psutil

    total = 0
    for process in processes:
        try:
            found = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended since
            continue
        total += getattr(found, "pss", found.rss)
    return total / 2**20
