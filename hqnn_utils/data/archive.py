"""BreakHis's archive, unpacked once and safely."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from hqnn_utils.data.breakhis_names import ARCHIVE, HOME
from hqnn_utils.runtime import DataError
from hqnn_utils.runtime.files import (
    StorageError,
    cause,
    fits_windows,
    in_bytes,
    locked,
    need_folder,
    sha256_of,
    temporary_folder,
)

MARKER = ".hqnn-extracted.json"  # says what was unpacked, and that all of it was
LARGEST = 64 * 2**20  # bytes of one archive member; BreakHis's are about half a megabyte
MOST_MEMBERS = 100_000
MOST_BYTES = 20 * 10**9  # of all files together
PATIENCE = 3600  # seconds to wait for another process that unpacks the same archive
DAMAGED = (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error)


def images_folder(root: str | os.PathLike, progress: bool = True) -> Path:
    """The folder with the images.

    ``root`` is that folder, the archive, or a folder that holds nothing but the archive.
    """
    root = Path(root)
    if root.is_file():
        return extract_archive(root, progress=progress)
    inside = root / ARCHIVE
    if inside.is_file() and not (root / "BreaKHis_v1").is_dir():
        return extract_archive(inside, progress=progress)
    return root


def extract_archive(
    archive: str | os.PathLike, target: str | os.PathLike | None = None, progress: bool = True
) -> Path:
    """Unpack the archive once; returns the folder.

    Every member is checked before it is written: links, devices, absolute names and names with
    ``..``, too many members or bytes make the whole archive be refused, and nothing is written
    outside the target. The work goes on in a hidden folder beside the target; a marker lists what
    was written, with digests. What is missing or was changed in the target is restored from the
    archive. Files that somebody else put there stay. Two processes wait for each other.

    Parameters
    ----------
    archive : a ``.tar.gz`` file.
    target : the folder, by default ``<archive>-extracted`` beside the archive.
    progress : show a bar.

    Raises
    ------
    DataError : an archive that cannot be read, is damaged, unsafe or empty; a target that is
        somebody else's; no space.
    """
    archive = Path(archive)
    target = _default_target(archive) if target is None else Path(target)
    source = _identity(archive)
    if target.exists():
        _check_ours(target)
        if _is_complete(target, source):  # unpacked before: the usual case, without waiting
            return target
    elsewhere = "unpack it elsewhere and give that folder"
    try:
        with locked(target, PATIENCE, "wait until it is done, or end that process"):
            if target.exists() and _is_complete(target, source):  # by the process before us
                return target
            need_folder(target.parent, elsewhere, room=source["bytes"])
            _unpack_into(archive, target, source, progress)
    except StorageError as error:
        raise DataError(f"{archive} cannot be unpacked beside itself: {error}") from None
    return target


def _unpack_into(archive: Path, target: Path, source: dict, progress: bool) -> None:
    _sweep_older(target)
    try:
        with temporary_folder(target) as partial:
            written = _unpack(archive, partial, progress)
            marker = json.dumps({**source, "files": written})
            (partial / MARKER).write_text(marker, encoding="utf-8")
            if target.exists():
                _restore(partial, target, written)
            else:
                os.replace(partial, target)
    except DAMAGED as error:
        raise DataError(
            f"{archive} is damaged or cut short ({error}): delete it and get it again from {HOME}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{archive} cannot be unpacked beside itself ({cause(error, target)}): "
            "free some space, or unpack it elsewhere and give that folder"
        ) from None


def _sweep_older(target: Path) -> None:
    """What an earlier version of the course left when it was killed."""
    shutil.rmtree(target.with_name(target.name + ".partial"), ignore_errors=True)


def _restore(partial: Path, target: Path, written: dict[str, list]) -> None:
    """Put what is missing or changed into the target, the marker last.

    Of an archive that was here before, files that are still as it wrote them go; everything else
    is left alone.
    """
    for name, (size, digest) in _listed(target).items():
        if name not in written and _file_is(target / name, size, digest):
            (target / name).unlink()
    for name, (size, digest) in written.items():
        if not _file_is(target / name, size, digest):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            os.replace(partial / name, target / name)
    os.replace(partial / MARKER, target / MARKER)


def _listed(target: Path) -> dict[str, list]:
    """Files that the marker lists, name to size and digest; none where it is torn or older."""
    try:
        files = json.loads((target / MARKER).read_text(encoding="utf-8"))["files"]
        listed = {name: [size, digest] for name, (size, digest) in files.items()}
        inside = [all(map(fits_windows, name.split("/"))) for name in listed]
        return listed if all(inside) else {}  # "..": somebody else wrote it
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _file_is(path: Path, size: int, digest: str) -> bool:
    return path.is_file() and path.stat().st_size == size and sha256_of(path) == digest


def expected_digests(folder: Path) -> dict[Path, str]:
    """SHA-256 of each file that was unpacked into a folder; empty for a folder of your own."""
    return {folder / name: digest for name, (_, digest) in _listed(folder).items()}


def _default_target(archive: Path) -> Path:
    stem = archive.name.removesuffix(".tar.gz").removesuffix(".tgz")
    return archive.with_name(f"{stem}-extracted")


def _identity(archive: Path) -> dict:
    """Name and length: another archive under the same name is noticed."""
    try:
        return {"archive": archive.name, "bytes": archive.stat().st_size}
    except OSError as error:
        raise DataError(
            f"{archive} cannot be read ({error.strerror}): get {ARCHIVE} from {HOME}"
        ) from None


def _check_ours(target: Path) -> None:
    if not (target / MARKER).is_file():
        raise DataError(
            f"{target} is there, but this course did not make it: move it away, "
            "or give it as the folder to read"
        )


def _is_complete(target: Path, source: dict) -> bool:
    """True if the marker belongs to this archive and every file it lists is there in full.

    Sizes are compared here, digests where the images are read: that costs nothing then.
    """
    files = _listed(target)
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        if not files or marker != {**source, "files": files}:
            return False
        return all((target / name).stat().st_size == size for name, (size, _) in files.items())
    except (OSError, ValueError):
        return False


def _unpack(archive: Path, folder: Path, progress: bool) -> dict[str, list]:
    """Write every file of the archive below ``folder``; returns names with size and SHA-256.

    One pass: the archive is 4 GB, and reading its table of contents first would unpack it twice.
    tarfile's own gzip reader ("r|gz") neither compares the checksum nor minds a missing end, so
    the gzip module reads, to its very end.
    """
    from tqdm import tqdm

    written: dict[str, list] = {}
    known, total = set(), 0
    with (
        gzip.open(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
        tqdm(desc=f"unpacking {archive.name}", unit="file", disable=not progress, ncols=110) as bar,
    ):
        for count, member in enumerate(tar, 1):
            _check_member(archive, member)
            total += member.size
            _check_limits(archive, count, total)
            if member.isreg():
                _check_twice(archive, member, known)
                digest = _write(tar, member, folder / member.name)
                written[str(PurePosixPath(member.name))] = [member.size, digest]
                bar.update()
        while stream.read(2**20):  # what is behind the files; at its very end stands the checksum
            pass
    if not written:
        raise DataError(f"{archive} holds no files: get {ARCHIVE} from {HOME}")
    return written


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> str:
    """One file; returns its SHA-256. Its name was checked, and no link can be in the way.

    (tarfile's own filters need Python 3.11.4.)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    found = hashlib.sha256()
    with tar.extractfile(member) as inside, open(path, "wb") as out:
        while block := inside.read(2**20):
            out.write(block)
            found.update(block)
    return found.hexdigest()


def _check_limits(archive: Path, members: int, total: int) -> None:
    """DataError for an archive that would fill the disk; BreakHis has 7,909 images, 4 GB."""
    if members > MOST_MEMBERS or total > MOST_BYTES:
        raise DataError(
            f"{archive} is refused: it holds more than {MOST_MEMBERS} members or "
            f"{in_bytes(MOST_BYTES)}. The official archive holds less: get it from {HOME}"
        )


def _check_twice(archive: Path, member: tarfile.TarInfo, known: set[str]) -> None:
    """DataError for a second file of one name: on some systems capitals make no difference."""
    name = str(PurePosixPath(member.name)).casefold()
    folders = {str(folder) for folder in PurePosixPath(name).parents}
    if name in known or folders & known or f"{name}/" in known:
        raise DataError(
            f"{archive} is refused: it holds {member.name!r} twice, as two files or as a file and "
            f"a folder. The official archive does not: get it from {HOME}"
        )
    known |= {name, *(f"{folder}/" for folder in folders)}


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    reason = _reason_to_refuse(member)
    if reason:
        raise DataError(
            f"{archive} is refused: its member {member.name!r} is {reason}. "
            f"The official archive has none: get it from {HOME}"
        )


def _reason_to_refuse(member: tarfile.TarInfo) -> str | None:
    name = member.name
    parts = PurePosixPath(name.replace("\\", "/")).parts
    inside = [part for part in PurePosixPath(name).parts if part != ".."]
    starts_with_drive = re.match(r"[A-Za-z]:", name) is not None
    reasons = {
        "a link": member.issym() or member.islnk(),
        "neither a file nor a folder": not (member.isreg() or member.isdir()),
        "an absolute name": name.startswith(("/", "\\")) or starts_with_drive,
        "a name that leaves the folder": ".." in parts,
        "a reserved name": MARKER in (part.lower() for part in parts),
        "a name that Windows cannot have": not all(map(fits_windows, inside)),
        f"larger than {LARGEST // 2**20} MB": member.size > LARGEST,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)
