"""Which runs a study is carrying out now, so that another study beside it makes others."""

from __future__ import annotations

import json
import os
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from hqnn_utils.records.record import cannot_write
from hqnn_utils.runtime.files import locked, whole_file

PATIENCE = 60  # seconds to wait while another study takes a run: that takes milliseconds
SUFFIX = ".claims"


class Claims:
    """The runs that this study has taken, in a hidden file beside its records.

    As long as the study lives it holds the lock of that file. The lock is free when its process
    ends, however it ends, and what it had taken is free again with it.

    Parameters
    ----------
    folder : of the records.
    family : name of the family, ``None`` for one file a run.
    is_done : whether a run has its record by now, asked while no other study can take it.
    """

    def __init__(
        self, folder: str | os.PathLike, family: str | None, is_done: Callable[[str], bool]
    ):
        self.folder, self.is_done = Path(folder), is_done
        self._group = f".{family or 'records'}"
        self._taken: list[str] = []
        self._path: Path | None = None
        # Runs are taken in joblib's threads and given back in the main one.
        self._mutex = threading.Lock()

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *error) -> None:
        if self._path is not None:
            _forget(self._path, self._lock)

    def take(self, name: str) -> bool:
        """Take a run; False where it has its record by now, or where another study is at it."""
        remedy = "end the process that holds it"
        group = self.folder / f"{self._group}{SUFFIX}"
        with self._mutex, locked(group, PATIENCE, remedy):
            if name in self._taken:
                return True
            if name in self._of_others() or self.is_done(name):
                return False
            if self._path is None:
                self._begin()
            self._taken.append(name)
            self._write()
            return True

    def drop(self, name: str) -> None:
        """Give a run back: its record is kept, or it failed."""
        with self._mutex:
            if name not in self._taken:
                return
            self._taken.remove(name)
            self._write()

    def _begin(self) -> None:
        prefix, suffix = f"{self._group}.", f".{os.getpid()}{SUFFIX}"
        try:
            handle, path = tempfile.mkstemp(dir=self.folder, prefix=prefix, suffix=suffix)
        except OSError as error:
            raise cannot_write(self.folder, error) from None
        os.close(handle)
        self._path = Path(path)
        self._lock = _lock_of(self._path)
        self._lock.acquire()

    def _write(self) -> None:
        try:
            with whole_file(self._path) as stream:
                stream.write(json.dumps(self._taken).encode())
        except OSError as error:
            raise cannot_write(self._path, error) from None

    def _of_others(self) -> set[str]:
        """What other studies have taken; what one that was killed had taken is swept."""
        found: set[str] = set()
        for path in self.folder.glob(f"{self._group}.*{SUFFIX}"):
            if path == self._path:
                continue
            lock = _lock_of(path)
            try:
                lock.acquire()
            except Timeout:
                found.update(_names_in(path))
            else:
                _forget(path, lock)
        return found


def _lock_of(path: Path) -> FileLock:
    return FileLock(path.with_name(path.name + ".lock"), timeout=0, thread_local=False)


def _forget(path: Path, lock: FileLock) -> None:
    """Remove a file and its lock, which is held."""
    path.unlink(missing_ok=True)
    with suppress(OSError):  # Windows keeps files that are open; the next study finds it free
        os.unlink(lock.lock_file)
    lock.release()


def _names_in(path: Path) -> list[str]:
    """What a study has taken; it may have ended since."""
    try:
        return json.loads(path.read_bytes() or b"[]")
    except FileNotFoundError:
        return []
