"""BreakHis's file names and the listing of its folders. Nothing here looks at pixels.

Names follow the archive's own grammar: procedure, class, subtype, year, slide, magnification,
number, as in ``SOB_B_A-14-22549AB-40-001.png``. Letters behind a slide number mark several slides
of one patient.

Spanhol et al., A dataset for breast cancer histopathological image classification, IEEE TBME 63
(2016), 1455-1462.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from hqnn_utils.runtime import DataError
from hqnn_utils.runtime.arguments import checked

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
# What counts as an image when a folder is listed.
IMAGES = (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
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
        """Year and slide number with letters."""
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
    """Take a file name apart.

    DataError for anything that is not of the official form, with the form in the message.
    """
    found = _NAME.fullmatch(name)
    if found is None:
        raise DataError(
            f"{name!r} is not a BreakHis file name: expected something like "
            "SOB_B_A-14-22549AB-40-001.png (procedure_class_subtype-year-slide-magnification-"
            "number); rename it or move it elsewhere"
        )
    procedure, tumour, subtype, year, number, section, magnification, sequence = found.groups()
    if subtype not in SUBTYPES[tumour]:
        raise DataError(
            f"{name!r}: subtype {subtype} does not belong to class {tumour}; "
            f"known: {', '.join(SUBTYPES[tumour])}"
        )
    return SlideName(
        procedure, tumour, subtype, year, number, section, int(magnification), sequence
    )


def format_name(name: SlideName) -> str:
    """The file name of the official archive."""
    kind = f"{name.procedure}_{name.tumour}_{name.subtype}"
    return f"{kind}-{name.slide}-{name.magnification}-{name.sequence}.png"


def list_images(root: str | os.PathLike) -> list[tuple[Path, SlideName]]:
    """All images below a folder with their parsed names, ordered by file name.

    Hidden files and other kinds of file are passed over; links to folders are not followed.

    Raises
    ------
    DataError : no such folder or one that cannot be read, also further down, no image, a name that
        cannot be parsed, one name in two places.
    """
    root = Path(root)
    if not root.is_dir():
        raise DataError(
            f"no folder {root}: give the folder that holds BreaKHis_v1, "
            f"or the archive {ARCHIVE} ({HOME})"
        )
    found: dict[str, tuple[Path, SlideName]] = {}
    for path in _image_paths(root):
        if path.name in found:
            raise DataError(
                f"{path.name} is there twice: {found[path.name][0]} and {path}. "
                "Give a folder that holds each image once"
            )
        found[path.name] = (path, _parsed(path))
    if not found:
        raise DataError(
            f"no images in {root}: expected BreaKHis_v1/histology_slides/breast/... with .png "
            f"files, or the archive {ARCHIVE} ({HOME})"
        )
    return [found[name] for name in sorted(found)]


def _image_paths(root: Path):
    for folder, _, names in os.walk(root, onerror=_unreadable):
        for name in names:
            if not name.startswith(".") and name.lower().endswith(IMAGES):
                yield Path(folder, name)


def _unreadable(error: OSError) -> None:
    """A folder that cannot be read is an error: fewer images would be another data set."""
    raise DataError(
        f"{error.filename} cannot be read ({error.strerror}): "
        "make it readable, or move it elsewhere"
    ) from None


def _parsed(path: Path) -> SlideName:
    try:
        return parse_name(path.name)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


checked(__name__)
