"""BreakHis's pixels: decoded, cut, resized, and kept on disk for the next time."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from hqnn_utils.runtime import DataError, cache_dir

CROPS = ("centre", "squash")
BLOCK = 256  # images decoded before they are written: bounds the memory for any number of files


@dataclass(frozen=True)
class Resizing:
    """How an image of any size becomes a square.

    Attributes
    ----------
    size : height and width in pixels.
    crop : ``"centre"`` takes the largest square in the middle, ``"squash"`` keeps all and distorts.
    """

    size: int
    crop: str = "centre"


def resized_images(
    paths: list[Path],
    how: Resizing,
    cache: str | os.PathLike | None = None,
    workers: int | None = None,
    progress: bool = True,
) -> tuple[np.ndarray, str]:
    """``(images, digest)``: (N, size, size, 3) uint8, and the SHA-256 of file names and pixels.

    The images are mapped from the cache, so that only what is used is in memory. The cache is read
    again as long as names and lengths of the files stay the same.

    Parameters
    ----------
    paths, how : the files and what becomes of them.
    cache : folder, by default ``cache_dir()``.
    workers : threads that decode, by default one a core and at most 8.
    progress : show a bar.

    Raises
    ------
    DataError : an image that cannot be read, a cache that cannot be written.
    """
    folder = Path(cache if cache is not None else cache_dir()) / "breakhis" / _key(paths, how)
    shape = (len(paths), how.size, how.size, 3)
    if (kept := _from_cache(folder, shape)) is not None:
        return kept
    temporary = _folder_beside(folder)
    try:
        digest = _decode(paths, how, temporary / "images.npy", workers, progress)
        about = json.dumps({"digest": digest, "shape": shape})
        (temporary / "about.json").write_text(about, encoding="utf-8")
        shutil.rmtree(folder, ignore_errors=True)  # a damaged entry
        os.replace(temporary, folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return _from_cache(folder, shape)


def _key(paths: list[Path], how: Resizing) -> str:
    """Name of a cache entry. The 1 counts the ways in which this module has resized so far."""
    key = hashlib.sha256(f"1|{how.size}|{how.crop}".encode())
    for path in paths:
        key.update(f"|{path.name}:{path.stat().st_size}".encode())
    return key.hexdigest()[:32]


def _folder_beside(folder: Path) -> Path:
    """A new folder to work in: what is half made never stands under the final name."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(dir=folder.parent, prefix="unfinished-"))
    except OSError as error:
        raise DataError(
            f"{folder.parent} cannot be written ({error.strerror}): "
            "set HQNN_CACHE to a folder of yours"
        ) from None


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
    paths: list[Path], how: Resizing, target: Path, workers: int | None, progress: bool
) -> str:
    """Decode, resize and write an ``.npy`` file, block by block. Returns the digest."""
    from tqdm import tqdm

    digest = hashlib.sha256("|".join(path.name for path in paths).encode())
    shape = (len(paths), how.size, how.size, 3)
    bar = tqdm(
        total=len(paths),
        desc="reading BreakHis",
        unit="image",
        disable=not progress,
        file=sys.stdout,
        ncols=110,
        mininterval=0.5,
    )
    with (
        open(target, "wb") as stream,
        ThreadPoolExecutor(workers or min(8, os.cpu_count() or 1)) as pool,
        bar,
    ):
        header = {"descr": "|u1", "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(stream, header)
        for start in range(0, len(paths), BLOCK):
            block = paths[start : start + BLOCK]
            for pixels in pool.map(partial(read_image, how=how), block):
                content = pixels.tobytes()
                stream.write(content)
                digest.update(content)
                bar.update()
    return digest.hexdigest()


def read_image(path: Path, how: Resizing) -> np.ndarray:
    """One image (size, size, 3) uint8, from whatever size and mode the file has."""
    from PIL import Image

    damaged = (OSError, SyntaxError, ValueError, Image.DecompressionBombError)  # Pillow raises all
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except damaged as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): "
            "delete it and get it again from the archive"
        ) from None
    box = _central_square(image) if how.crop == "centre" else None
    size = (how.size, how.size)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))


def _central_square(image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the largest square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side
