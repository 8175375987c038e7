"""Files in MedMNIST's format: fetched through medmnist itself, checked, and read.

Yang et al., MedMNIST v2, Scientific Data 10 (2023), 41; https://medmnist.com.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
import tokenize
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hqnn_utils.data.datasets import CLASS_NAMES, SPLITS, ImageData
from hqnn_utils.runtime import DataError, data_dir
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.fetching import FetchError, UnreachableError, fetch
from hqnn_utils.runtime.files import (
    StorageError,
    cause,
    in_bytes,
    need_folder,
    need_memory,
    read_bytes,
)

SIZES = (28, 64, 128, 224)
HEADERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
KEYS = tuple(f"{part}_{kind}" for part in SPLITS for kind in ("images", "labels"))


@dataclass(frozen=True)
class Meaning:
    """What the raw labels of a file mean.

    Attributes
    ----------
    known : the raw labels that may occur.
    positive : those of them that count as 1; all others count as 0.
    class_names : what 0 and 1 mean afterwards.
    """

    known: tuple[int, ...] = (0, 1)
    positive: tuple[int, ...] = (0,)
    class_names: tuple[str, str] = CLASS_NAMES

    def __post_init__(self):
        positive = set(self.positive)
        if not positive or not positive < set(self.known):
            raise ValueError(
                f"positive must name some of the raw labels {list(self.known)} and not all, "
                f"got {list(self.positive)}"
            )

    def labels(self, raw: np.ndarray) -> np.ndarray:
        """(N,) int64 of 0 and 1 from raw labels (N,)."""
        return np.isin(raw, self.positive).astype(np.int64)

    def __str__(self) -> str:
        negative = [label for label in self.known if label not in self.positive]
        zero, one = self.class_names
        meanings = {_listed(self.positive): one, _listed(negative): zero}
        return " and ".join(f"{raw} ({name})" for raw, name in sorted(meanings.items()))


def _listed(labels) -> str:
    return ", ".join(str(label) for label in labels)


# What zipfile, zlib and NumPy raise for a file with flipped bits.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    tokenize.TokenError,
    SyntaxError,
    EOFError,
    OSError,
    KeyError,
    AttributeError,
    TypeError,
    OverflowError,
    RuntimeError,  # "encrypted"
)


# BreastMNIST's raw label 0 is malignant; it is turned round once, here.
BREAST = Meaning()


def official_file(flag: str, size: int, root: str | os.PathLike | None = None) -> Path:
    """Where the official file lies: ``breastmnist.npz``, ``breastmnist_64.npz``, ...

    ``root`` is the folder, by default the data folder.
    """
    folder = Path(root) if root is not None else data_dir()
    return folder / f"{flag}{_size_suffix(size)}.npz"


def official_source(flag: str, size: int) -> dict:
    """Address and MD5 of the official file, from medmnist itself."""
    from medmnist import INFO

    suffix = _size_suffix(size)
    return {"url": INFO[flag][f"url{suffix}"], "md5": INFO[flag][f"MD5{suffix}"]}


def _size_suffix(size: int) -> str:
    return "" if size == 28 else f"_{size}"


def download(path: Path, flag: str, size: int) -> None:
    """Fetch the official file from the address that medmnist names; its MD5 is compared.

    (medmnist's own download waits for ever, and takes Ctrl-C and a full disk for no network.)

    Raises
    ------
    ConnectionError : no network. The message says how to get the file by hand.
    DataError : the server answered with something else, or the folder cannot be written.
    """
    source = official_source(flag, size)
    by_hand = (
        f"Fetch {source['url']} by hand (MD5 {source['md5']}), put it into {path.parent}, "
        "or point HQNN_DATA at a folder that holds it"
    )
    try:
        need_folder(path.parent, "set HQNN_DATA to a folder of yours")
        fetch(source["url"], path, "md5", source["md5"])
    except UnreachableError as error:
        raise ConnectionError(
            f"{path.name} could not be downloaded (no network, or the server is down). {by_hand}"
        ) from error
    except FetchError as error:
        raise DataError(f"{path.name} could not be downloaded: {error}. {by_hand}") from None
    except StorageError as error:
        raise DataError(
            f"data folder: {error}. Make room, or set HQNN_DATA to a folder of yours"
        ) from None


def read_medmnist_file(
    path: str | os.PathLike,
    md5: str | None = None,
    source: str = "file",
    meaning: Meaning = BREAST,
) -> ImageData:
    """Read and check an ``.npz`` in MedMNIST's format.

    Parameters
    ----------
    path : the file.
    md5 : what it must be, ``None`` to take any.
    source : what the dataset names as its source.
    meaning : which raw labels count as 1. By default raw 0 = malignant = 1: the label is turned
        round here, once.

    Raises
    ------
    DataError : a file that cannot be read, is damaged, or has other content; the message names the
        file and the remedy.
    """
    path = Path(path)
    content = _content(path, md5)
    arrays = _arrays(path)
    _check_images(path, arrays)
    _check_labels(path, arrays, meaning)
    sizes = [len(arrays[f"{part}_images"]) for part in SPLITS]
    raw = np.concatenate([arrays[f"{part}_labels"].reshape(-1) for part in SPLITS])
    return ImageData(
        images=np.concatenate([arrays[f"{part}_images"] for part in SPLITS]),
        labels=meaning.labels(raw),
        split=np.repeat(SPLITS, sizes),
        ids=numbered_ids(sizes),
        name=path.stem,
        source=source,
        digest=hashlib.sha256(content).hexdigest(),
        class_names=meaning.class_names,
    )


def numbered_ids(sizes) -> np.ndarray:
    """Ids such as "test/17", the place within the file's split, from the sizes of its parts."""
    return np.concatenate(
        [[f"{part}/{i}" for i in range(n)] for part, n in zip(SPLITS, sizes, strict=True)]
    )


def _content(path: Path, md5: str | None) -> bytes:
    try:
        content = read_bytes(path)
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({cause(error, path)}): check the path, "
            "or set HQNN_DATA to the folder that holds it"
        ) from None
    found = hashlib.md5(content).hexdigest()
    if md5 is not None and found != md5:
        raise DataError(
            f"{path} is not the official file: MD5 {found}, expected {md5}. "
            "Delete it and run again to download it anew."
        )
    return content


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The six arrays of a MedMNIST file."""
    try:
        with np.load(path, allow_pickle=False) as archive:  # a pickle could run code
            missing = [key for key in KEYS if key not in archive.files]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}: a MedMNIST file holds {', '.join(KEYS)}"
                )
            _check_room(path, archive.zip)
            return {key: archive[key] for key in KEYS}
    except DataError:
        raise
    except DAMAGED as error:
        raise DataError(
            f"{path} is damaged or cut short ({error}): delete it and get it again"
        ) from None
    except ValueError as error:
        reason = f"is damaged ({error})"
        if "pickle" in str(error).lower():
            reason = "holds pickled arrays, which are refused because they can run code"
        raise DataError(
            f"{path} {reason}: get the official file, or save plain arrays with numpy.savez"
        ) from None


def _check_room(path: Path, archive: zipfile.ZipFile) -> None:
    """DataError for arrays that are longer than what the file holds, or than the free memory.

    A small file can unpack to more than any disk: what it says of itself is read first.
    """
    total = 0
    for key in KEYS:
        with archive.open(f"{key}.npy") as stream:
            read_header = HEADERS.get(np.lib.format.read_magic(stream))
            if read_header is None:
                raise ValueError(f"{key} has an unknown version of numpy's format")
            shape, _, dtype = read_header(stream)
        said, there = math.prod(shape) * dtype.itemsize, archive.getinfo(f"{key}.npy").file_size
        if not dtype.hasobject and said > there:
            raise DataError(
                f"{path} is damaged: {key} would be {in_bytes(said)}, the file holds "
                f"{in_bytes(there)} of it. Delete it and get it again"
            )
        total += there
    try:
        need_memory(2 * total, f"{path}", "take a smaller size")
    except MemoryError as error:
        raise DataError(str(error)) from None


def _check_images(path: Path, arrays: dict[str, np.ndarray]) -> None:
    shape = arrays["train_images"].shape[1:]
    is_square = len(shape) >= 2 and shape[0] == shape[1]
    is_grey_or_colour = len(shape) == 2 or (len(shape) == 3 and shape[2] == 3)
    for part in SPLITS:
        images = arrays[f"{part}_images"]
        if images.dtype != np.uint8:
            raise DataError(
                f"{path}: {part}_images has dtype {images.dtype}, expected uint8 (0 to 255)"
            )
        if not is_square or not is_grey_or_colour or images.shape[1:] != shape:
            raise DataError(
                f"{path}: {part}_images has shape {images.shape}, expected (N, size, size) or "
                "(N, size, size, 3), one size for all splits"
            )
        if len(images) == 0:
            raise DataError(f"{path}: {part} holds no images")
    if max(arrays[f"{part}_images"].max() for part in SPLITS) == 1:
        raise DataError(
            f"{path}: no value of its images is above 1 of 255, all would be black. Were they "
            "divided by 255 before they became whole numbers? Save them from 0 to 255"
        )


def _check_labels(path: Path, arrays: dict[str, np.ndarray], meaning: Meaning) -> None:
    for part in SPLITS:
        labels, n = arrays[f"{part}_labels"], len(arrays[f"{part}_images"])
        if labels.shape not in ((n,), (n, 1)):
            raise DataError(
                f"{path}: {part}_labels has shape {labels.shape} for {n} images, "
                "expected one label an image"
            )
        wrong = sorted(set(np.unique(labels).tolist()) - set(meaning.known))
        if wrong:
            raise DataError(f"{path}: {part}_labels holds {wrong[:5]}, expected {meaning} only")


checked(__name__)
