"""BreakHis as ``ImageData`` with patients. Splits keep each patient on one side; the other kind is for the leakage laboratory."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hqnn_utils.data.breakhis_files import (
    HOME,
    MAGNIFICATIONS,
    SlideName,
    images_folder,
    list_images,
    parse_name,
)
from hqnn_utils.data.images import SPLITS, ImageData
from hqnn_utils.data.phantoms.histology import histology_phantom
from hqnn_utils.runtime import DataError, cache_dir, choose, data_dir

LEVELS = ("patient", "image")
CROPS = ("centre", "squash")
BLOCK = (
    256  # images decoded before they are written: bounds the memory, whatever the number of files
)


@dataclass(frozen=True)
class HistologyData(ImageData):
    """Images (N, size, size, 3) with, for each, its patient, slide, subtype and magnification.

    ``ids`` are the file names. ``level`` says how the split was made: by "patient" or, in the leakage laboratory only, by "image".
    """

    patients: np.ndarray | None = None
    slides: np.ndarray | None = None
    subtypes: np.ndarray | None = None
    magnifications: np.ndarray | None = None
    level: str = "patient"

    @property
    def shared_patients(self) -> list[str]:
        """Patients with images in more than one part of the split: none, unless the split was made by image."""
        sides = [set(self.patients[self.split == s]) for s in SPLITS]
        return sorted((sides[0] & sides[1]) | (sides[0] & sides[2]) | (sides[1] & sides[2]))

    @property
    def banner(self) -> str:
        leak = self.level == "image" or self.shared_patients
        return super().banner + ("IMAGE-LEVEL SPLIT (one patient on both sides): " if leak else "")

    def take(self, index) -> HistologyData:
        index = np.asarray(index)
        extra = {
            k: getattr(self, k)[index] for k in ("patients", "slides", "subtypes", "magnifications")
        }
        return replace(super().take(index), **extra)

    def groups(self, threshold: float = 0.95) -> np.ndarray:
        """Group number of each image (N,): its patient. All images of a patient belong together, near-duplicates or not."""
        return np.unique(self.patients, return_inverse=True)[1]

    def table(self):
        """pandas table, one row an image: id, label, split, patient, slide, subtype, magnification."""
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
        """pandas table: images and patients per split and class."""
        rows = self.table().assign(**{"class": np.where(self.labels == 1, "malignant", "benign")})
        found = (
            rows.groupby(["split", "class"])
            .agg(images=("id", "size"), patients=("patient", "nunique"))
            .unstack(fill_value=0)
        )
        found = found.reindex([s for s in SPLITS if s in found.index])
        found.columns = [f"{kind}, {what}" for what, kind in found.columns]
        return found

    def describe(self) -> dict:
        """What a record stores: also how the split was made, the number of patients, and how many of them the split shares."""
        return {
            **super().describe(),
            "split_by": self.level,
            "patients": len(set(self.patients)),
            "patients_on_two_sides": len(self.shared_patients),
            "magnifications": sorted({int(m) for m in self.magnifications}),
        }


def load_breakhis(
    root: str | os.PathLike = "auto",
    magnification: int | str = "all",
    size: int = 64,
    split: str = "patient",
    seed: int = 0,
    fold: int | None = None,
    folds: int = 5,
    *,
    crop: str = "centre",
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> HistologyData:
    """BreakHis, or whatever part of it is there, resized and split with malignant = 1.

    Parameters
    ----------
    root : the folder with the official layout (any folder above the images), the archive itself, ``"auto"`` for ``HQNN_DATA/breakhis`` and, if
        that is not there, the phantom with a warning, or ``"phantom"``.
    magnification : 40, 100, 200, 400 or ``"all"``. Phantoms know one magnification only and take any.
    size : pixels; images become squares. crop : ``"centre"`` takes the largest square in the middle, ``"squash"`` keeps all and distorts.
    split : ``"patient"``; ``"image"`` puts one patient on both sides, for the leakage laboratory, and marks name, banner and record.
    seed, fold, folds : the split, see ``resplit``.
    cache : folder for the resized arrays, by default ``cache_dir()``; they are read again as long as names and file sizes stay the same.
    workers : threads that decode, by default one a core and at most 8.

    Raises
    ------
    DataError : no images, a name that is not BreakHis's, an unreadable image, an empty magnification, too few patients in a class, a damaged or
        unsafe archive.
    """
    if magnification != "all":
        choose("magnification", magnification, MAGNIFICATIONS)
    choose("crop", crop, CROPS)
    choose("split", split, LEVELS)
    if not 8 <= size <= 460:
        raise ValueError(f"size must lie between 8 and 460 pixels (the images' height), got {size}")
    if root == "auto":
        root = data_dir() / "breakhis"
        if not root.exists():
            warnings.warn(
                f"no {root}: get the archive from {HOME} and put it there, or set HQNN_DATA.\n"
                "USING THE PHANTOM: what follows is computed on synthetic images, not on patients.",
                stacklevel=2,
            )
            root = "phantom"
    if root == "phantom":
        return resplit(phantom_patients(size, seed), split, seed, fold, folds)
    found = list_images(images_folder(root, progress))
    there = {m: sum(name.magnification == m for _, name in found) for m in MAGNIFICATIONS}
    chosen = [(path, name) for path, name in found if magnification in ("all", name.magnification)]
    if not chosen:
        raise DataError(
            f"{root} holds no images at {magnification}X; it holds "
            + ", ".join(f"{n} at {m}X" for m, n in there.items() if n)
        )
    names = [name for _, name in chosen]
    assign_folds(
        np.array([n.label for n in names]), np.array([n.patient for n in names]), folds, seed
    )  # too few patients: say so before decoding
    images, digest = _resized(chosen, size, crop, cache, workers, progress)
    data = _with_names(
        names,
        [path.name for path, _ in chosen],
        images,
        f"breakhis-{magnification}",
        "breakhis",
        digest,
    )
    return resplit(data, split, seed, fold, folds)


def phantom_patients(size: int = 64, seed: int = 0, **options) -> HistologyData:
    """The histology phantom as ``HistologyData``, not split yet (all "train"). ``options`` as in ``histology_phantom``."""
    made = histology_phantom(size, seed, **options)
    digest = hashlib.sha256(made["images"].tobytes() + "".join(made["ids"]).encode()).hexdigest()
    names = [parse_name(i) for i in made["ids"]]
    return _with_names(
        names, list(made["ids"]), made["images"], f"histology-phantom-seed{seed}", "phantom", digest
    )


def _with_names(
    names: list[SlideName], ids: list[str], images: np.ndarray, name: str, source: str, digest: str
) -> HistologyData:
    def each(attribute: str, dtype=str) -> np.ndarray:
        return np.array([getattr(n, attribute) for n in names], dtype)

    return HistologyData(
        images,
        each("label", np.int64),
        np.full(len(names), "train", "<U5"),
        np.array(ids),
        name,
        source,
        digest,
        None,
        each("patient"),
        each("slide"),
        each("subtype"),
        each("magnification", np.int64),
    )


def resplit(
    data: HistologyData, by: str = "patient", seed: int = 0, fold: int | None = None, folds: int = 5
) -> HistologyData:
    """The same images in a new split: of ``folds`` equal parts one is the test, the next validation, the rest training (60/20/20 for five).

    ``fold`` chooses the test part, ``None`` the first; over all folds each image is tested exactly once. ``by="patient"`` keeps each patient's images
    together; ``by="image"`` does not, and says so in name, banner and record. Both are stratified by class.
    """
    choose("split", by, LEVELS)
    if not (isinstance(folds, int) and folds >= 3 and (fold is None or fold in range(folds))):
        raise ValueError(
            f"need at least 3 folds and a fold from 0 to folds - 1, got folds={folds}, fold={fold}"
        )
    number = assign_folds(
        data.labels, data.patients if by == "patient" else data.ids, folds, seed, by
    )
    test = fold or 0
    split = np.full(len(data), "train", dtype="<U5")
    split[number == (test + 1) % folds] = "val"
    split[number == test] = "test"
    original = data.name.split("-by-")[0]
    how = "by-patient" if by == "patient" else "by-IMAGE-LEAKS"
    return replace(
        data,
        split=split,
        level=by,
        name=f"{original}-{how}-s{seed}" + ("" if fold is None else f"-fold{fold}of{folds}"),
    )


def assign_folds(
    labels: np.ndarray, groups: np.ndarray, folds: int, seed: int = 0, unit: str = "patient"
) -> np.ndarray:
    """Fold number (N,) of each image: no group in two folds, each class in every fold.

    Class by class, groups are dealt in random order, each to the fold that has the fewest images of this class so far. So the folds' numbers of
    images of a class differ by no more than its largest group has. A group with both classes counts as malignant.

    scikit-learn's ``StratifiedGroupKFold`` promises neither both classes in every fold nor a bound. DataError: fewer groups in a class than folds.
    """
    rng = np.random.default_rng(seed)
    members, group = np.unique(groups, return_inverse=True)
    sizes = np.bincount(group, minlength=len(members))
    malignant = np.bincount(group, weights=labels, minlength=len(members)) > 0
    assigned, total = np.empty(len(members), int), np.zeros(folds, int)
    for value, name in ((True, "malignant"), (False, "benign")):
        mine = rng.permutation(np.flatnonzero(malignant == value))
        if len(mine) < folds:
            raise DataError(
                f"too few {unit}s: class {name} has {len(mine)}, and {folds} folds need {folds} or more. "
                "Use fewer folds=, magnification='all', or more of the archive"
            )
        load = np.zeros(folds, int)
        for one in mine:
            fewest = np.lexsort((total, load))[0]
            assigned[one] = fewest
            load[fewest] += sizes[one]
            total[fewest] += sizes[one]
    return assigned[group]


# ---------------------------------------------------------------- pixels


def _resized(
    chosen: list[tuple[Path, SlideName]],
    size: int,
    crop: str,
    cache,
    workers: int | None,
    progress: bool,
) -> tuple[np.ndarray, str]:
    """``(images, digest)``; the images are mapped from the cache, so that only what is used is in memory."""
    key = hashlib.sha256(f"1|{size}|{crop}".encode())
    for path, _ in chosen:
        key.update(f"|{path.name}:{path.stat().st_size}".encode())
    folder = Path(cache if cache is not None else cache_dir()) / "breakhis" / key.hexdigest()[:32]
    shape = (len(chosen), size, size, 3)
    if (kept := _from_cache(folder, shape)) is not None:
        return kept
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=folder.parent, prefix="unfinished-"))
    except OSError as error:
        raise DataError(
            f"{folder.parent} cannot be written ({error.strerror}): set HQNN_CACHE to a folder of yours"
        ) from None
    try:
        digest = _decode(
            [path for path, _ in chosen], shape, crop, temporary / "images.npy", workers, progress
        )
        (temporary / "about.json").write_text(
            json.dumps(dict(digest=digest, shape=shape)), encoding="utf-8"
        )
        shutil.rmtree(folder, ignore_errors=True)  # a damaged entry
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _from_cache(folder, shape)


def _from_cache(folder: Path, shape: tuple) -> tuple[np.ndarray, str] | None:
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if images.shape == shape and images.dtype == np.uint8 and about["shape"] == list(shape):
            return images, about["digest"]
    except (OSError, ValueError, EOFError, KeyError, TypeError):
        pass  # not there, or damaged: decoded again
    return None


def _decode(
    paths: list[Path], shape: tuple, crop: str, target: Path, workers: int | None, progress: bool
) -> str:
    """Decode, resize and write, a block at a time. Returns the SHA-256 of file names and resized pixels."""
    from tqdm import tqdm

    digest = hashlib.sha256("|".join(path.name for path in paths).encode())
    header = {"descr": "|u1", "fortran_order": False, "shape": shape}
    workers = workers or min(8, os.cpu_count() or 1)
    with (
        open(target, "wb") as stream,
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            total=len(paths),
            desc="reading BreakHis",
            unit="image",
            disable=not progress,
            file=sys.stdout,
            ncols=110,
            mininterval=0.5,
        ) as bar,
    ):
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(paths), BLOCK):
            for pixels in pool.map(
                lambda path: _read(path, shape[1], crop), paths[start : start + BLOCK]
            ):
                content = pixels.tobytes()
                stream.write(content)
                digest.update(content)
                bar.update()
    return digest.hexdigest()


def _read(path: Path, size: int, crop: str) -> np.ndarray:
    """One image (size, size, 3) uint8, from whatever size and mode the file has."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            image = image.convert("RGB")
    except (
        OSError,
        SyntaxError,
        ValueError,
        Image.DecompressionBombError,
    ) as error:  # Pillow reports damage in all these ways
        raise DataError(
            f"{path} cannot be read as an image ({error}): delete it and get it again from the archive"
        ) from None
    box = None
    if crop == "centre":
        side = min(image.size)
        left, top = (image.width - side) // 2, (image.height - side) // 2
        box = (left, top, left + side, top + side)
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR, box=box))
