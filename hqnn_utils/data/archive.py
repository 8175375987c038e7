"""BreakHis's archive, unpacked once and safely."""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tarfile
import zlib
from pathlib import Path, PurePosixPath

from hqnn_utils.data.breakhis_names import ARCHIVE, HOME
from hqnn_utils.runtime import DataError

MARKER = ".hqnn-extracted.json"  # says what was unpacked, and that all of it was
LARGEST = 64 * 2**20  # bytes of one archive member; BreakHis's are about half a megabyte
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
    ``..`` make the whole archive be refused, and nothing is written outside the target. The work
    goes on in ``<target>.partial``, which takes its final name only when all is done; a marker
    lists what was written. A partial folder, a changed archive, and a target whose files are not
    all there any more are noticed, and the archive is unpacked anew.

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
        if _is_complete(target, source):
            return target
        shutil.rmtree(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)  # of a process that was killed
    try:
        partial.mkdir(parents=True)
        written = _unpack(archive, partial, progress)
        (partial / MARKER).write_text(json.dumps({**source, "files": written}), encoding="utf-8")
        os.replace(partial, target)
    except DAMAGED as error:
        raise DataError(
            f"{archive} is damaged or cut short ({error}): delete it and get it again from {HOME}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{archive} cannot be unpacked beside itself ({error}): free some space, "
            "or unpack it elsewhere and give that folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


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
    """True if the marker belongs to this archive and every file it lists is there in full."""
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        sizes = {name: (target / name).stat().st_size for name in marker["files"]}
        return marker == {**source, "files": sizes}
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _unpack(archive: Path, folder: Path, progress: bool) -> dict[str, int]:
    """Write every file of the archive below ``folder``; returns their names and sizes in bytes.

    One pass: the archive is 4 GB, and reading its table of contents first would unpack it twice.
    tarfile's own gzip reader ("r|gz") neither compares the checksum nor minds a missing end, so
    the gzip module reads, to its very end.
    """
    from tqdm import tqdm

    written: dict[str, int] = {}
    with (
        gzip.open(archive) as stream,
        tarfile.open(fileobj=stream, mode="r|") as tar,
        tqdm(desc=f"unpacking {archive.name}", unit="file", disable=not progress, ncols=110) as bar,
    ):
        for member in tar:
            _check_member(archive, member)
            if member.isreg():
                _write(tar, member, folder / member.name)
                written[str(PurePosixPath(member.name))] = member.size
                bar.update()
        while stream.read(2**20):
            pass
    if not written:
        raise DataError(f"{archive} holds no files: get {ARCHIVE} from {HOME}")
    return written


def _write(tar: tarfile.TarFile, member: tarfile.TarInfo, path: Path) -> None:
    """One file. Its name was checked, and no link can be in the way.

    (tarfile's own filters need Python 3.11.4.)
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with tar.extractfile(member) as inside, open(path, "wb") as out:
        shutil.copyfileobj(inside, out)


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
    starts_with_drive = re.match(r"[A-Za-z]:", name) is not None
    reasons = {
        "a link": member.issym() or member.islnk(),
        "neither a file nor a folder": not (member.isreg() or member.isdir()),
        "an absolute name": name.startswith(("/", "\\")) or starts_with_drive,
        "a name that leaves the folder": ".." in parts,
        "a reserved name": MARKER in parts,
        f"larger than {LARGEST // 2**20} MB": member.size > LARGEST,
    }
    return next((reason for reason, applies in reasons.items() if applies), None)
