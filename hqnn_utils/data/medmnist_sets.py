"""Datasets of MedMNIST: BreastMNIST, and any other set of two-dimensional images."""

from __future__ import annotations

import hashlib
import os
import warnings
from dataclasses import replace
from pathlib import Path

from hqnn_utils.data.datasets import SPLITS, ImageData
from hqnn_utils.data.medmnist_files import (
    BREAST,
    SIZES,
    Meaning,
    download,
    numbered_ids,
    official_file,
    official_source,
    read_medmnist_file,
)
from hqnn_utils.data.options import check_options
from hqnn_utils.data.phantoms.breast import breast_phantom
from hqnn_utils.runtime import DataError, choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import StorageError, is_there


def load_breastmnist(
    size: int = 28,
    source: str | os.PathLike = "auto",
    root: str | os.PathLike | None = None,
    seed: int = 0,
) -> ImageData:
    """BreastMNIST (780 ultrasound images, official split 546/78/156) with malignant = 1.

    Parameters
    ----------
    size : 28, 64, 128 or 224 pixels (the phantom takes any size). Ignored for a path.
    source : ``"auto"`` takes the official file from ``root``, else downloads it, else warns and
        gives the phantom; ``"medmnist"`` never falls back; ``"phantom"`` is explicit; anything
        else is the path of a MedMNIST-format ``.npz`` with 0 = malignant.
    root : data folder, by default ``HQNN_DATA`` or ``~/.medmnist``.
    seed : of the phantom.

    Raises
    ------
    DataError : no network, wrong MD5, damaged or malformed file, folder that cannot be written. A
        damaged file is always an error, never a reason to fall back.
    """
    check_options({"size": size, "seed": seed})
    if source == "phantom":
        return _breast_phantom(size, seed)
    if source not in ("auto", "medmnist"):
        return _from_path(source, BREAST, known="'auto', 'medmnist', 'phantom'")
    choose("BreastMNIST size", size, SIZES)
    try:
        return _official("breastmnist", size, root, BREAST)
    except ConnectionError as error:
        reason = f"{error}; source='phantom' works without a network."
    if source == "medmnist":
        raise DataError(reason)
    warnings.warn(
        f"{reason}\nUSING THE PHANTOM: what follows is computed on synthetic images, "
        "not on patients.",
        stacklevel=3,
    )
    return _breast_phantom(size, seed)


def load_medmnist(
    flag: str,
    size: int = 28,
    source: str | os.PathLike = "auto",
    root: str | os.PathLike | None = None,
    *,
    positive: int | tuple[int, ...],
    class_names: tuple[str, str] | None = None,
) -> ImageData:
    """Any MedMNIST set of two-dimensional images as a problem of two classes, in its own split.

    Parameters
    ----------
    flag : name of the set, e.g. ``"pneumoniamnist"`` or ``"bloodmnist"``.
    size : 28, 64, 128 or 224 pixels. Ignored for a path.
    source : ``"auto"`` and ``"medmnist"`` take the official file from ``root``, or download it.
        There is no phantom to fall back to. Anything else is the path of an ``.npz`` that holds
        the set's labels.
    root : data folder, by default ``HQNN_DATA`` or ``~/.medmnist``.
    positive : the raw label, or labels, that count as 1; all others count as 0. What they mean
        stands in ``medmnist.INFO[flag]["label"]``.
    class_names : what 0 and 1 mean, by default made from MedMNIST's own names.

    Raises
    ------
    DataError : as in ``load_breastmnist``.
    ValueError : unknown set or size, or ``positive`` that names no raw label or all of them.
    """
    choose("MedMNIST set", flag, two_dimensional_sets())
    meaning = _meaning(flag, positive, class_names)
    if source in ("auto", "medmnist"):
        choose(f"{flag} size", size, SIZES)
        try:
            data = _official(flag, size, root, meaning)
        except ConnectionError as error:
            raise DataError(f"{error}.") from None
    else:
        data = _from_path(source, meaning, known="'auto', 'medmnist'")
    if len(meaning.known) > 2:  # several classes: the name says which of them count as 1
        chosen = "+".join(str(label) for label in meaning.positive)
        data = replace(data, name=f"{data.name}-positive{chosen}")
    return data


def load_pneumoniamnist(
    size: int = 28, source: str | os.PathLike = "auto", root: str | os.PathLike | None = None
) -> ImageData:
    """Chest X-rays of children, 5,856 images, split 4708/524/624; pneumonia = 1."""
    return load_medmnist("pneumoniamnist", size, source, root, positive=1)


def two_dimensional_sets() -> list[str]:
    """Names of MedMNIST's sets with flat images and one label an image."""
    from medmnist import INFO

    return [
        flag
        for flag, about in INFO.items()
        if not flag.endswith("3d") and not about["task"].startswith("multi-label")
    ]


def _meaning(flag: str, positive, class_names: tuple[str, str] | None) -> Meaning:
    from medmnist import INFO

    meant = {int(raw): name for raw, name in INFO[flag]["label"].items()}
    chosen = (positive,) if isinstance(positive, int) else tuple(positive)
    if class_names is None:
        ones = [name for raw, name in meant.items() if raw in chosen]
        zeros = [name for raw, name in meant.items() if raw not in chosen]
        class_names = (" or ".join(zeros), " or ".join(ones))
    return Meaning(tuple(meant), chosen, class_names)


def _official(flag: str, size: int, root, meaning: Meaning) -> ImageData:
    """The official file, downloaded where it is not there. ConnectionError: not reachable."""
    path = official_file(flag, size, root)
    try:
        missing = not is_there(path)
    except StorageError as error:
        raise DataError(f"{error}, or set HQNN_DATA to a folder of yours") from None
    if missing:
        download(path, flag, size)
    md5 = official_source(flag, size)["md5"]
    return read_medmnist_file(path, md5, "medmnist", meaning)


def _from_path(source, meaning: Meaning, known: str) -> ImageData:
    path = Path(source)
    if path.suffix != ".npz":
        raise DataError(f"source {str(source)!r} is neither {known} nor the path of an .npz file")
    return read_medmnist_file(path, meaning=meaning)


def _breast_phantom(size: int, seed: int) -> ImageData:
    made = breast_phantom(size, seed)
    content = made["images"].tobytes() + made["labels"].tobytes()
    return ImageData(
        **made,
        ids=numbered_ids([(made["split"] == part).sum() for part in SPLITS]),
        name=f"phantom-seed{seed}",
        source="phantom",
        digest=hashlib.sha256(content).hexdigest(),
    )


checked(__name__)
