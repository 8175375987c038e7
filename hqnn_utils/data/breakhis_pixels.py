"""BreakHis's pixels: decoded, cut, resized, and kept on disk for the next time."""

from __future__ import annotations

import hashlib
import io
import json
import math
import os
import shutil
import struct
import sys
import zlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path

import numpy as np

from hqnn_utils.runtime import DataError, cache_dir
from hqnn_utils.runtime.files import (
    StorageError,
    cause,
    locked,
    need_folder,
    read_bytes,
    temporary_folder,
)

CROPS = ("centre", "squash")
PATIENCE = 3600  # seconds to wait for another process that decodes the same images
# Formats that hold pixels. Pillow would hand others, PostScript for instance, to another program.
FORMATS = ("PNG", "JPEG", "TIFF", "BMP", "GIF", "PPM", "WEBP")
ORIENTATION = 0x0112  # the number of this entry in a camera's notes (Exif)
MOST_PIXELS = 2**26  # of one image; BreakHis's have 322,000
# What Pillow raises for a file with flipped bits.
DAMAGED = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    OverflowError,
    struct.error,
    zlib.error,
)
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
    digests: dict[Path, str] | None = None,
) -> tuple[np.ndarray, str]:
    """``(images, digest)``: (N, size, size, 3) uint8, and the SHA-256 of file names and pixels.

    The images are mapped from the cache, so that only what is used is in memory. The cache is read
    again as long as names, lengths and times of the files stay the same; its digest is compared,
    and a damaged entry is made anew. Two processes wait for each other.

    Parameters
    ----------
    paths, how : the files and what becomes of them.
    cache : folder, by default ``cache_dir()``.
    workers : threads that decode, by default one a core and at most 8.
    progress : show a bar.
    digests : SHA-256 that files must have, for those where it is known.

    Raises
    ------
    DataError : an image that cannot be read or was changed, a cache that cannot be written.
    """
    folder = Path(cache if cache is not None else cache_dir()) / "breakhis" / _key(paths, how)
    shape = (len(paths), how.size, how.size, 3)
    if (kept := _from_cache(folder, paths, shape)) is not None:
        return kept
    remedy = "set HQNN_CACHE to a folder of yours"
    try:
        need_folder(folder.parent, remedy, room=math.prod(shape))
        with locked(folder, PATIENCE, "wait until it is done, or end that process"):
            if (kept := _from_cache(folder, paths, shape)) is not None:  # made while we waited
                return kept
            with temporary_folder(folder) as temporary:
                target = temporary / "images.npy"
                digest = _decode(paths, how, target, workers, progress, digests or {})
                about = json.dumps({"digest": digest, "shape": shape})
                (temporary / "about.json").write_text(about, encoding="utf-8")
                shutil.rmtree(folder, ignore_errors=True)  # a damaged entry
                os.replace(temporary, folder)
    except StorageError as error:
        raise DataError(str(error)) from None
    except OSError as error:
        reason = cause(error, folder)
        raise DataError(f"{folder.parent} cannot be written ({reason}): {remedy}") from None
    return _from_cache(folder, paths, shape)


def _key(paths: list[Path], how: Resizing) -> str:
    """Name of a cache entry. The 3 counts the ways in which this module has resized so far."""
    key = hashlib.sha256(f"3|{how.size}|{how.crop}".encode())
    for path in paths:
        about = path.stat()
        key.update(f"|{path.name}:{about.st_size}:{about.st_mtime_ns}".encode())
    return key.hexdigest()[:32]


def _from_cache(folder: Path, paths: list[Path], shape: tuple) -> tuple[np.ndarray, str] | None:
    """What is kept; ``None`` where there is nothing, or something else than was written."""
    try:
        images = np.load(folder / "images.npy", mmap_mode="r", allow_pickle=False)
        about = json.loads((folder / "about.json").read_text(encoding="utf-8"))
        if images.shape == shape and images.dtype == np.uint8 and about["shape"] == list(shape):
            digest = _digest_of_names(paths)
            for start in range(0, len(images), BLOCK):
                digest.update(np.ascontiguousarray(images[start : start + BLOCK]))
            if digest.hexdigest() == about["digest"]:
                return images, about["digest"]
    except (FileNotFoundError, NotADirectoryError, ValueError, EOFError, KeyError, TypeError):
        return None  # not there, or damaged: decoded again
    except OSError as error:
        raise DataError(
            f"{folder} cannot be read ({cause(error, folder)}): set HQNN_CACHE to a folder of yours"
        ) from None
    return None


def _digest_of_names(paths: list[Path]):
    return hashlib.sha256("|".join(path.name for path in paths).encode())


def _decode(
    paths: list[Path],
    how: Resizing,
    target: Path,
    workers: int | None,
    progress: bool,
    digests: dict[Path, str],
) -> str:
    """Decode, resize and write an ``.npy`` file, block by block. Returns the digest."""
    from tqdm import tqdm

    digest = _digest_of_names(paths)
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
            wanted = [digests.get(path) for path in block]
            for pixels in pool.map(read_image, block, repeat(how), wanted):
                content = pixels.tobytes()
                stream.write(content)
                digest.update(content)
                bar.update()
    return digest.hexdigest()


def read_image(path: Path, how: Resizing, sha256: str | None = None) -> np.ndarray:
    """One image (size, size, 3) uint8, from whatever size the file has.

    Grey images of 16 bits are scaled to 0..255, transparency is left out, a turned one is set
    upright. A mode whose colours or
    brightness would be guessed is refused: 32 bits a channel, inks instead of light.

    Parameters
    ----------
    path, how : the file and what becomes of it.
    sha256 : what the file must be, ``None`` to take any.

    Raises
    ------
    DataError : no image, a damaged or changed one, or one of a mode that is refused.
    """
    from PIL import Image

    damaged = (*DAMAGED, Image.DecompressionBombError)
    try:
        content = read_bytes(path)
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise DataError(
                f"{path} was changed after it was unpacked: delete it, and it is restored from the "
                "archive the next time"
            )
        with Image.open(io.BytesIO(content), formats=FORMATS) as opened:
            _check_pixels(path, opened)
            image = _upright(opened, _in_colour(path, opened))
    except damaged as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): "
            "delete it and get it again from the archive"
        ) from None
    box = _central_square(image) if how.crop == "centre" else None
    size = (how.size, how.size)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=box))


def _check_pixels(path: Path, opened) -> None:
    if opened.width * opened.height > MOST_PIXELS:
        raise DataError(
            f"{path} has {opened.width} x {opened.height} pixels, more than {MOST_PIXELS}: cut it"
        )
    if getattr(opened, "n_frames", 1) != 1:
        raise DataError(f"{path} holds {opened.n_frames} pictures: save the one that is meant")


def _in_colour(path: Path, opened):
    """The image as RGB; DataError for a mode that Pillow would turn into something else."""
    from PIL import Image

    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
        grey = np.asarray(opened).astype(np.float64) / 257  # 65535 becomes 255
        return Image.fromarray(np.clip(np.rint(grey), 0, 255).astype(np.uint8)).convert("RGB")
    if opened.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA"):
        raise DataError(f"{path} has pixels of mode {opened.mode}: save it as 8-bit RGB or grey")
    return opened.convert("RGB")


def _upright(opened, image):
    """The image turned as a camera's notes say and as every viewer shows it.

    ``opened`` was decoded before: where Pillow has turned it itself, the note is gone. (Pillow's
    ``exif_transpose`` also writes the notes anew, and fails where one of the others is damaged.)
    """
    from PIL import Image

    turn = Image.Transpose
    ways = {
        2: turn.FLIP_LEFT_RIGHT,
        3: turn.ROTATE_180,
        4: turn.FLIP_TOP_BOTTOM,
        5: turn.TRANSPOSE,
        6: turn.ROTATE_270,
        7: turn.TRANSVERSE,
        8: turn.ROTATE_90,
    }
    way = ways.get(opened.getexif().get(ORIENTATION))
    return image if way is None else image.transpose(way)


def _central_square(image) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of the largest square in the middle."""
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side
