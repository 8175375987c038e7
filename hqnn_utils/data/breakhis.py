"""BreakHis: histology images with patients. Splits keep each patient on one side.

The other kind of split is for the leakage laboratory.
"""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from hqnn_utils.data.archive import expected_digests, images_folder
from hqnn_utils.data.breakhis_names import (
    HOME,
    MAGNIFICATIONS,
    SlideName,
    list_images,
    parse_name,
)
from hqnn_utils.data.breakhis_pixels import CROPS, Resizing, resized_images
from hqnn_utils.data.datasets import SPLITS, ImageData
from hqnn_utils.data.options import check_options
from hqnn_utils.data.phantoms.histology import histology_phantom
from hqnn_utils.data.splits.patients import LEVELS, assign_folds, resplit
from hqnn_utils.runtime import DataError, choose, data_dir
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import StorageError, is_there

HEIGHT = 460  # pixels of the original images


@dataclass(frozen=True, kw_only=True)
class HistologyData(ImageData):
    """Images with their patients. All that ``ImageData`` has, and:

    Attributes
    ----------
    images : (N, size, size, 3) uint8. ``ids`` are the file names.
    patients, slides, subtypes : (N,) text, see ``breakhis_names.SlideName``.
    magnifications : (N,) int64.
    level : how the split was made: by "patient" or, in the leakage laboratory only, by "image".
    """

    patients: np.ndarray
    slides: np.ndarray
    subtypes: np.ndarray
    magnifications: np.ndarray
    level: str = "patient"

    @property
    def shared_patients(self) -> list[str]:
        """Patients with images in more than one part of the split.

        None, unless the split was made by image.
        """
        sides = [set(self.patients[self.split == part]) for part in SPLITS]
        return sorted(set().union(*(a & b for a, b in combinations(sides, 2))))

    @property
    def banner(self) -> str:
        """The start of every figure title: PHANTOM, or a split that leaks, or nothing."""
        if self.level == "image" or self.shared_patients:
            return f"{super().banner}IMAGE-LEVEL SPLIT (one patient on both sides): "
        return super().banner

    def table(self):
        """One row an image, as a pandas table.

        Columns: id, label, split, patient, slide, subtype, magnification.
        """
        import pandas as pd

        return pd.DataFrame(
            {
                "id": self.ids,
                "label": self.labels,
                "split": self.split,
                "patient": self.patients,
                "slide": self.slides,
                "subtype": self.subtypes,
                "magnification": self.magnifications,
            }
        )

    def counts(self):
        """Images and patients per part of the split and class, as a pandas table."""
        rows = self.table().assign(**{"class": np.where(self.labels == 1, "malignant", "benign")})
        found = (
            rows.groupby(["split", "class"])
            .agg(images=("id", "size"), patients=("patient", "nunique"))
            .unstack(fill_value=0)
        )
        found = found.reindex([part for part in SPLITS if part in found.index])
        found.columns = [f"{kind}, {what}" for what, kind in found.columns]
        return found

    def describe(self) -> dict:
        """What a record stores: also how the split was made, and how many patients it shares."""
        return {
            **super().describe(),
            "split_by": self.level,
            "patients": len(set(self.patients)),
            "patients_on_two_sides": len(self.shared_patients),
            "magnifications": sorted({int(m) for m in self.magnifications}),
        }


def load_breakhis(
    source: str | os.PathLike = "auto",
    magnification: int | str = "all",
    size: int = 64,
    split: str = "patient",
    seed: int = 0,
    fold: int | None = None,
    folds: int = 5,
    *,
    crop: str = "centre",
    bits: int | None = None,
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> HistologyData:
    """BreakHis, or whatever part of it is there, resized and split with malignant = 1.

    Parameters
    ----------
    source : the folder with the official layout (any folder above the images), or the archive
        itself; ``"auto"`` for ``HQNN_DATA/breakhis`` and, if that is not there, the phantom with a
        warning; ``"medmnist"`` (the official data of every dataset, in a setting) for the same
        without the phantom; or ``"phantom"``.
    magnification : 40, 100, 200, 400 or ``"all"``. Phantoms know one only and take any.
    size : pixels, 8 to 460; images become squares.
    split : ``"patient"``; ``"image"`` puts one patient on both sides, for the leakage laboratory,
        and marks name, banner and record.
    seed, fold, folds : the split, see ``splits.resplit``. The seed is also the phantom's.
    crop : ``"centre"`` takes the largest square in the middle, ``"squash"`` keeps all and distorts.
    bits : of grey images in files of 16 bits, how many are used: 12 for values up to 4,095. Such a
        file does not say it itself, see ``breakhis_pixels.read_image``.
    cache, workers, progress : see ``breakhis_pixels.resized_images``.

    Raises
    ------
    DataError : no images, a name that is not BreakHis's, an unreadable image, an empty
        magnification, too few patients in a class, a damaged or unsafe archive.
    """
    check_options({"size": size, "seed": seed, "fold": fold, "folds": folds, "workers": workers})
    check_options({"bits": bits})
    _check_options(magnification, size, split, crop)
    root = _find_root(source)
    if root == "phantom":
        return resplit(phantom_patients(size, seed), split, seed, fold, folds)
    folder = images_folder(root, progress)
    chosen = _choose_images(folder, magnification)
    _check_patients([name for _, name in chosen], folds, seed)  # before anything is decoded
    paths = [path for path, _ in chosen]
    known = expected_digests(folder)
    images, digest = resized_images(
        paths, Resizing(size, crop, bits), cache, workers, progress, known
    )
    data = from_names(
        [path.name for path in paths],
        images,
        name=f"breakhis-{magnification}",
        source="breakhis",
        digest=digest,
    )
    return resplit(data, split, seed, fold, folds)


def _check_options(magnification: int | str, size: int, split: str, crop: str) -> None:
    if magnification != "all":
        choose("magnification", magnification, MAGNIFICATIONS)
    choose("crop", crop, CROPS)
    choose("split", split, LEVELS)
    if not 8 <= size <= HEIGHT:
        raise ValueError(
            f"size must lie between 8 and {HEIGHT} pixels (the images' height), got {size}"
        )


def _check_patients(names: list[SlideName], folds: int, seed: int) -> None:
    """DataError where a class has fewer patients than there are folds."""
    labels = np.array([name.label for name in names])
    patients = np.array([name.patient for name in names])
    assign_folds(labels, patients, folds, seed)


def phantom_patients(size: int = 64, seed: int = 0, **options) -> HistologyData:
    """The histology phantom as ``HistologyData``, not split yet (all "train").

    ``options`` as in ``histology_phantom``.
    """
    made = histology_phantom(size, seed, **options)
    content = made["images"].tobytes() + "".join(made["ids"]).encode()
    return from_names(
        list(made["ids"]),
        made["images"],
        name=f"histology-phantom-seed{seed}",
        source="phantom",
        digest=hashlib.sha256(content).hexdigest(),
    )


def from_names(ids: list[str], images: np.ndarray, **what) -> HistologyData:
    """``HistologyData`` from file names, which tell label, patient, slide, subtype, magnification.

    All of it is "train"; ``what`` holds name, source and digest.
    """
    names = [parse_name(one) for one in ids]
    return HistologyData(
        images=images,
        labels=np.array([name.label for name in names], np.int64),
        split=np.full(len(names), "train", "<U5"),
        ids=np.array(ids),
        patients=np.array([name.patient for name in names]),
        slides=np.array([name.slide for name in names]),
        subtypes=np.array([name.subtype for name in names]),
        magnifications=np.array([name.magnification for name in names], np.int64),
        **what,
    )


def _find_root(source: str | os.PathLike) -> str | os.PathLike:
    """``"auto"`` and ``"medmnist"`` become a folder, ``"auto"`` perhaps ``"phantom"``."""
    if source not in ("auto", "medmnist"):
        return source
    folder = data_dir() / "breakhis"
    try:
        if source == "medmnist" or is_there(folder):
            return folder
    except StorageError as error:
        raise DataError(f"{error}, or set HQNN_DATA to a folder of yours") from None
    warnings.warn(
        f"no {folder}: get the archive from {HOME} and put it there, or set HQNN_DATA.\n"
        "USING THE PHANTOM: what follows is computed on synthetic images, not on patients.",
        stacklevel=4,
    )
    return "phantom"


def _choose_images(root: Path, magnification: int | str) -> list[tuple[Path, SlideName]]:
    """The images of a magnification, with their names."""
    found = list_images(root)
    if magnification == "all":
        return found
    chosen = [(path, name) for path, name in found if name.magnification == magnification]
    if not chosen:
        there = [name.magnification for _, name in found]
        numbers = [f"{there.count(m)} at {m}X" for m in MAGNIFICATIONS if m in there]
        raise DataError(
            f"{root} holds no images at {magnification}X; it holds {', '.join(numbers)}"
        )
    return chosen


checked(__name__)
