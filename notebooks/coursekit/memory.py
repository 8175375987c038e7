"""The memory that a notebook takes while it runs."""

from __future__ import annotations

import threading
from types import TracebackType

EVERY = 0.25  # seconds between two looks


class PeakMemory:
    """The largest resident memory of this process's children while a block runs.

    A kernel, its workers and their children are added up. On Linux a page that several processes
    share, such as a library's code, is divided among them; elsewhere it counts for each of them.

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
        while True:
            self.mebibytes = max(self.mebibytes, children_mebibytes())
            if self._ended.wait(EVERY):
                return


def children_mebibytes() -> float:
    """Resident memory of all processes that this one has started, now, in MiB."""
    import psutil  # not there where a fork sets its address, nor where the book is made

    total = 0
    for process in psutil.Process().children(recursive=True):
        try:
            found = process.memory_full_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):  # it has ended since
            continue
        total += getattr(found, "pss", found.rss)
    return total / 2**20
