"""Files: written whole or not at all, one writer at a time, checked when they are read.

A reader never finds half a file, two processes never take each other's work, and a flipped bit is
noticed. Errors say what is the matter: a full disk is not "no network".
"""

from __future__ import annotations

import codecs
import errno
import glob
import hashlib
import json
import os
import re
import shutil
import socket
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

MAGIC = b"\nhqnn-sealed 1 "
LONGEST_SEAL = 4096  # bytes
# Seconds between the tries to give a file its name; elsewhere one try tells.
PAUSES = (0.05, 0.2, 0.5, 1.0) if os.name == "nt" else ()
LONGEST_NAME = 200  # characters: file systems take 255 bytes, and a temporary name is longer


# Names of devices on Windows, which takes the raised digits for the others.
RESERVED = {
    "con",
    "prn",
    "aux",
    "nul",
    *(f"{d}{n}" for d in ("com", "lpt") for n in "123456789¹²³"),
}


class StorageError(OSError):
    """A folder or file that cannot be written or locked; the message names it and the remedy."""


class SealError(ValueError):
    """A sealed file that was changed after it was written."""


class NoSealError(SealError):
    """A file without a digest: of an earlier version, cut short, or something else."""


# --------------------------------------------------------------------- names on other systems


def is_reserved(name: str) -> bool:
    """Whether a file's name is that of a device on Windows, whatever its ending."""
    return name.split(".")[0].rstrip().lower() in RESERVED


def fits_windows(name: str) -> bool:
    """Whether one part of a path can be the name of a file on Windows as well."""
    odd = re.search(r'[<>:"/\\|?*\x00-\x1f]', name) or name.endswith((" ", "."))
    return not odd and not is_reserved(name)


# ------------------------------------------------------------------------------ what went wrong


def cause(error: OSError, place: str | os.PathLike) -> str:
    """The reason of an error of the file system in words; for a full disk also what is left."""
    if isinstance(error, StorageError):
        return str(error)
    if error.errno == errno.ENOSPC:
        return f"the disk is full, {in_bytes(free_space(place))} are free"
    known = {
        errno.EDQUOT: "your quota there is used up",
        errno.EROFS: "it is read-only",
    }
    return known.get(error.errno) or error.strerror or str(error)


def sha256_of(file: str | os.PathLike) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    with open(file, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def in_bytes(n: float) -> str:
    """A number of bytes in words, e.g. ``"3.2 GB"``."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if n < 1000:
            return f"{n:.0f} {unit}" if unit == "bytes" else f"{n:.1f} {unit}"
        n /= 1000
    return f"{n:.1f} TB"


def free_space(place: str | os.PathLike) -> int:
    """Bytes free where a file or folder lies, or would lie once it is made."""
    place = Path(place).absolute()
    while not place.exists():
        place = place.parent
    return shutil.disk_usage(place).free


def need_folder(folder: str | os.PathLike, remedy: str, room: int = 0) -> Path:
    """Make a folder and see that files can be written into it: before the work, not after it.

    Parameters
    ----------
    remedy : said behind the cause, e.g. ``"set HQNN_CACHE to a folder of yours"``.
    room : bytes that will be written.

    Raises
    ------
    StorageError : it cannot be made or written, or has too little room.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"x")
    except OSError as error:
        raise StorageError(
            f"{folder} cannot be written ({cause(error, folder)}): {remedy}"
        ) from None
    free = free_space(folder)
    if free < room:
        raise StorageError(
            f"{folder} has too little room: {in_bytes(room)} are needed, {in_bytes(free)} are "
            f"free: make room, or {remedy}"
        )
    return folder


def free_memory() -> int:
    """Bytes of memory that can still be taken; in a container no more than its limit leaves."""
    import psutil

    free = psutil.virtual_memory().available
    left = _left_in_the_container()
    return free if left is None else min(free, left)


CONTAINER = Path("/sys/fs/cgroup")  # where Linux tells its limits (cgroup v2)


def _left_in_the_container() -> int | None:
    """What its limit leaves, which psutil does not ask for; ``None`` without one."""
    try:
        limit = (CONTAINER / "memory.max").read_text(encoding="ascii").strip()
        used = int((CONTAINER / "memory.current").read_text(encoding="ascii"))
        return None if limit == "max" else max(0, int(limit) - used)
    except (OSError, ValueError):
        return None


def need_memory(needed: int, what: str, remedy: str) -> None:
    """MemoryError where ``what`` needs more bytes than this machine has free; it says how many."""
    free = free_memory()
    if needed > free:
        raise MemoryError(
            f"{what} needs {in_bytes(needed)} of memory, {in_bytes(free)} are free: {remedy}"
        )


def is_there(path: str | os.PathLike) -> bool:
    """Whether a file or folder is there; StorageError where that cannot be known.

    ``Path.exists`` says no to a folder that may not be read, and to a link whose target is gone:
    what is taken for missing is then replaced by something else.
    """
    path = Path(path)
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise StorageError(f"{path} is a link to something that is gone: mend it") from None
        return False
    except OSError as error:
        raise StorageError(f"{path} cannot be read ({cause(error, path)})") from None
    return True


def read_bytes(path: str | os.PathLike) -> bytes:
    """The content of a file. OSError as the file system raises it, and for what is no file.

    A pipe or a device would be read for ever.
    """
    path = Path(path)
    kind = path.stat().st_mode
    if not (stat.S_ISREG(kind) or stat.S_ISDIR(kind)):
        raise StorageError(f"{path} is no file but a pipe or a device")
    return path.read_bytes()


def read_json(path: str | os.PathLike):
    """The content of a JSON file.

    Raises
    ------
    ValueError : no JSON, no UTF-8, or nested so deeply that no record of ours can be.
    OSError : as ``read_bytes``.
    """
    content = read_bytes(path)
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise ValueError("it is in UTF-16: save it as UTF-8")
    try:
        return json.loads(content.decode("utf-8-sig"))  # editors on Windows mark UTF-8
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


# ------------------------------------------------------------------------- whole or not at all

# The machine stands in temporary names: on a shared disk only the machine that made one can tell
# whether its process still lives.
_MACHINE = hashlib.sha256(socket.gethostname().encode()).hexdigest()[:6]


def _stem(path: Path) -> str:
    return f".{path.name[:LONGEST_NAME]}.{_MACHINE}-"


@contextmanager
def whole_file(path: str | os.PathLike) -> Iterator[BinaryIO]:
    """A stream whose content takes the name ``path`` when all of it is written, and not before.

    The temporary name is this process's own; what a killed process left is swept. OSError as the
    file system raises it; nothing is left behind then.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    prefix = f"{_stem(path)}{os.getpid()}-"
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=prefix, suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        _rename(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _rename(temporary: str, path: Path) -> None:
    """Give a file its name. On Windows others hold a file for a moment: scanners, indexers."""
    for pause in PAUSES:
        try:
            os.replace(temporary, path)
            return
        except PermissionError:
            time.sleep(pause)
    os.replace(temporary, path)


@contextmanager
def temporary_folder(path: str | os.PathLike) -> Iterator[Path]:
    """A folder beside ``path`` to work in: this process's own, and gone afterwards.

    Whoever is done renames it, or what is in it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    sweep(path)
    prefix = f"{_stem(path)}{os.getpid()}-"
    made = Path(tempfile.mkdtemp(dir=path.parent, prefix=prefix, suffix=".tmp"))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def sweep(path: str | os.PathLike) -> None:
    """Remove what processes that were killed left beside ``path``; what is in use stays."""
    import psutil

    path = Path(path)
    stem = _stem(path)
    for left in path.parent.glob(f"{glob.escape(stem)}*.tmp"):
        pid = left.name.removeprefix(stem).partition("-")[0]
        if pid.isdecimal() and not psutil.pid_exists(int(pid)):
            if left.is_dir():
                shutil.rmtree(left, ignore_errors=True)
            else:
                left.unlink(missing_ok=True)


# ---------------------------------------------------------------------------- one at a time


@contextmanager
def locked(path: str | os.PathLike, seconds: float, remedy: str) -> Iterator[None]:
    """Hold the lock of a file or folder; another process waits, for ``seconds`` at most.

    The lock is the hidden file ``.<name>.lock`` beside it, which goes when it is released. It is
    free again when its holder ends, however it ends.

    Raises
    ------
    StorageError : somebody else held it all the time, or no lock can be made there.
    """
    from filelock import FileLock, Timeout

    path = Path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path.with_name(f".{path.name[:LONGEST_NAME]}.lock"), timeout=seconds)
        lock.acquire()
    except Timeout:
        raise StorageError(
            f"{path} has been in use by another process for {seconds:.0f} seconds: {remedy}"
        ) from None
    except OSError as error:
        raise StorageError(
            f"{path.parent} cannot be written ({cause(error, path)}): {remedy}"
        ) from None
    try:
        yield
    finally:
        # Removed while it is held: filelock sees that a file it locked has no name any more, and
        # tries again. Windows keeps files that are open; there it stays.
        with suppress(OSError):
            os.unlink(lock.lock_file)
        lock.release()


# ------------------------------------------------------------------------- checked when read


def write_sealed(path: str | os.PathLike, content: bytes, **about) -> None:
    """Write bytes whole or not at all, and behind them a line with ``about`` and their SHA-256.

    What reads the content alone (torch, NumPy) does not mind the line.
    """
    line = json.dumps({**about, "sha256": _digest(content, about)}, sort_keys=True)
    with whole_file(path) as stream:
        stream.write(content)
        stream.write(MAGIC + line.encode())


def read_seal(path: str | os.PathLike) -> dict:
    """What stands in the last line, ``about`` and ``sha256``; the content is not looked at."""
    with open(path, "rb") as stream:
        stream.seek(max(0, os.path.getsize(path) - LONGEST_SEAL))
        return _split(stream.read())[1]


def read_sealed(path: str | os.PathLike) -> tuple[dict, bytes]:
    """``(about, content)`` of a file that ``write_sealed`` wrote.

    Raises
    ------
    NoSealError : a file without such a line.
    SealError : changed since it was written. OSError where it cannot be read.
    """
    content, seal = _split(read_bytes(path))
    wanted = seal.pop("sha256", None)
    if _digest(content, seal) != wanted:
        raise SealError("its digest does not fit: it was changed after it was written")
    return seal, content


def _split(content: bytes) -> tuple[bytes, dict]:
    """Content and seal."""
    end = content.rfind(MAGIC, max(0, len(content) - LONGEST_SEAL))
    if end < 0:
        raise NoSealError("it carries no digest")
    try:
        seal = json.loads(content[end + len(MAGIC) :])
    except ValueError:
        seal = None
    if not isinstance(seal, dict):
        raise SealError("the line of its digest is damaged")
    return content[:end], seal


def _digest(content: bytes, about: dict) -> str:
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    found.update(content)
    return found.hexdigest()
