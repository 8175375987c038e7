"""BreakHis's file names, its folder layout and its archive. Nothing here looks at pixels.

Names follow the archive's own grammar: procedure, class, subtype, year, slide, magnification, number, as in
``SOB_B_A-14-22549AB-40-001.png``. Letters behind a slide number mark several slides of one patient.
"""

from __future__ import annotations

import gzip
import json
import os
import re
import shutil
import tarfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hqnn_utils.runtime import DataError

SUBTYPES = {
    "B": {"A": "adenosis", "F": "fibroadenoma", "PT": "phyllodes_tumor", "TA": "tubular_adenoma"},
    "M": {
        "DC": "ductal_carcinoma",
        "LC": "lobular_carcinoma",
        "MC": "mucinous_carcinoma",
        "PC": "papillary_carcinoma",
    },
}
MAGNIFICATIONS = (40, 100, 200, 400)
HOME = "https://web.inf.ufpr.br/vri/databases/breast-cancer-histopathological-database-breakhis/"
ARCHIVE = "BreaKHis_v1.tar.gz"
IMAGES = (
    ".png",
    ".jpg",
    ".jpeg",
    ".tif",
    ".tiff",
    ".bmp",
)  # what counts as an image when a folder is listed
MARKER = ".hqnn-extracted.json"
LARGEST = 64 * 2**20  # bytes of one archive member; BreakHis's are about half a megabyte
_NAME = re.compile(
    r"(SOB|CNB)_([BM])_([A-Z]{1,2})-(\d{2})-(\d+)([A-Z]*)-(40|100|200|400)-(\d+)\.png", re.ASCII
)


@dataclass(frozen=True, order=True)
class SlideName:
    """One image's name, taken apart. ``format_name`` puts it together again."""

    procedure: str  # "SOB" (excisional biopsy) or "CNB" (core needle biopsy)
    tumour: str  # "B" or "M"
    subtype: str  # a key of SUBTYPES[tumour]
    year: str
    number: str  # slide number without letters
    section: str  # letters that tell slides of one patient apart, often none
    magnification: int
    sequence: str

    @property
    def label(self) -> int:
        """1 = malignant."""
        return int(self.tumour == "M")

    @property
    def patient(self) -> str:
        """Year and slide number **without** letters: what may never be on two sides of a split."""
        return f"{self.year}-{self.number}"

    @property
    def slide(self) -> str:
        return f"{self.patient}{self.section}"

    @property
    def folder(self) -> PurePosixPath:
        """Where the official archive keeps this image."""
        kind = {"B": "benign", "M": "malignant"}[self.tumour]
        slide = f"{self.procedure}_{self.tumour}_{self.subtype}_{self.slide}"
        return PurePosixPath(
            "BreaKHis_v1/histology_slides/breast",
            kind,
            self.procedure,
            SUBTYPES[self.tumour][self.subtype],
            slide,
            f"{self.magnification}X",
        )


def parse_name(name: str) -> SlideName:
    """Take a file name apart. DataError for anything that is not of the official form, with the form in the message."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise DataError(
            f"{name!r} is not a BreakHis file name: expected something like SOB_B_A-14-22549AB-40-001.png "
            "(procedure_class_subtype-year-slide-magnification-number); rename it or move it elsewhere"
        )
    procedure, tumour, subtype, year, number, section, magnification, sequence = found.groups()
    if subtype not in SUBTYPES[tumour]:
        raise DataError(
            f"{name!r}: subtype {subtype} does not belong to class {tumour}; known: {', '.join(SUBTYPES[tumour])}"
        )
    return SlideName(
        procedure, tumour, subtype, year, number, section, int(magnification), sequence
    )


def format_name(name: SlideName) -> str:
    """The file name of the official archive."""
    return f"{name.procedure}_{name.tumour}_{name.subtype}-{name.slide}-{name.magnification}-{name.sequence}.png"


def list_images(root: str | os.PathLike) -> list[tuple[Path, SlideName]]:
    """All images below a folder with their parsed names, ordered by file name. Hidden files and other kinds of file are passed over.

    Links to folders are not followed. DataError: no such folder, no image, a name that cannot be parsed, one name in two places.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(
            f"no folder {root}: give the folder that holds BreaKHis_v1, or the archive {ARCHIVE} ({HOME})"
        )
    found: dict[str, tuple[Path, SlideName]] = {}
    for folder, _, names in os.walk(root):
        for name in names:
            if name.startswith(".") or not name.lower().endswith(IMAGES):
                continue
            path = Path(folder, name)
            try:
                parsed = parse_name(name)
            except DataError as error:
                raise DataError(f"{path}: {error}") from None
            if name in found:
                raise DataError(
                    f"{name} is there twice: {found[name][0]} and {path}. Give a folder that holds each image once"
                )
            found[name] = (path, parsed)
    if not found:
        raise DataError(
            f"no images in {root}: expected BreaKHis_v1/histology_slides/breast/... with .png files, or the archive {ARCHIVE} ({HOME})"
        )
    return [found[name] for name in sorted(found)]


def images_folder(root: str | os.PathLike, progress: bool = True) -> Path:
    """The folder with the images, from a folder, from the archive, or from a folder that holds nothing but the archive."""
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
    """Unpack the archive once; returns the folder, by default ``<archive>-extracted`` beside it.

    Every member is checked before it is written: links, devices, absolute names and names with ``..`` make the whole archive be refused,
    and nothing is written outside the target. The work goes on in ``<target>.partial``, which takes its final name only when
    all is done; a marker lists what was written. A partial folder, a changed archive, and a target whose files are not all there
    any more are noticed, and the archive is unpacked anew.
    """
    from tqdm import tqdm

    archive = Path(archive)
    target = (
        Path(target)
        if target is not None
        else archive.with_name(
            archive.name.removesuffix(".tar.gz").removesuffix(".tgz") + "-extracted"
        )
    )
    try:
        source = dict(archive=archive.name, bytes=archive.stat().st_size)
    except OSError as error:
        raise DataError(
            f"{archive} cannot be read ({error.strerror}): get {ARCHIVE} from {HOME}"
        ) from None
    if target.exists():
        if not (target / MARKER).is_file():
            raise DataError(
                f"{target} is there, but this course did not make it: move it away, or give it as the folder to read"
            )
        if _complete(target, source):
            return target
        shutil.rmtree(target)
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    written: dict[str, int] = {}
    try:
        partial.mkdir(parents=True)
        # One pass: the archive is 4 GB, and reading its table of contents first would unpack it twice. tarfile's own gzip reader ("r|gz") neither
        # compares the checksum nor minds a missing end, so the gzip module reads, to its very end.
        with (
            gzip.open(archive) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
            tqdm(
                desc=f"unpacking {archive.name}", unit="file", disable=not progress, ncols=110
            ) as bar,
        ):
            for member in tar:
                _check_member(archive, member)
                if member.isreg():
                    path = (
                        partial / member.name
                    )  # checked above, and no link can be in the way; tarfile's filters need Python 3.11.4
                    path.parent.mkdir(parents=True, exist_ok=True)
                    with tar.extractfile(member) as inside, open(path, "wb") as out:
                        shutil.copyfileobj(inside, out)
                    written[str(PurePosixPath(member.name))] = member.size
                    bar.update()
            while stream.read(2**20):
                pass
        if not written:
            raise DataError(f"{archive} holds no files: get {ARCHIVE} from {HOME}")
        (partial / MARKER).write_text(json.dumps({**source, "files": written}), encoding="utf-8")
        os.replace(partial, target)
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise DataError(
            f"{archive} is damaged or cut short ({error}): delete it and get it again from {HOME}"
        ) from None
    except OSError as error:
        raise DataError(
            f"{archive} cannot be unpacked beside itself ({error}): free some space, or unpack it elsewhere and give that folder"
        ) from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return target


def _check_member(archive: Path, member: tarfile.TarInfo) -> None:
    name = member.name
    parts = PurePosixPath(name.replace("\\", "/")).parts
    reason = (
        "a link"
        if member.issym() or member.islnk()
        else "neither a file nor a folder"
        if not (member.isreg() or member.isdir())
        else "an absolute name"
        if name.startswith(("/", "\\")) or re.match(r"[A-Za-z]:", name)
        else "a name that leaves the folder"
        if ".." in parts
        else "a reserved name"
        if MARKER in parts
        else f"larger than {LARGEST // 2**20} MB"
        if member.size > LARGEST
        else None
    )
    if reason:
        raise DataError(
            f"{archive} is refused: its member {name!r} is {reason}. The official archive has none: get it from {HOME}"
        )


def _complete(target: Path, source: dict) -> bool:
    """True if the marker belongs to this archive and every file it lists is there in full."""
    try:
        marker = json.loads((target / MARKER).read_text(encoding="utf-8"))
        return {k: marker[k] for k in source} == source and all(
            (target / name).stat().st_size == size for name, size in marker["files"].items()
        )
    except (OSError, ValueError, KeyError, AttributeError):
        return False
