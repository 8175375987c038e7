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
BITS, PHOTOMETRIC = 258, 262  # numbers of entries of a TIFF: bits of a value; 0: large is dark
# A picture of 16 bits whose values all lie below may as well be one of 10, 12 or 14.
DARK = 2**14
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
    bits : of grey images in files of 16 bits, how many are used; ``None`` if nobody said.
    """

    size: int
    crop: str = "centre"
    bits: int | None = None


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
    """Name of a cache entry. The 4 counts the ways in which this module has resized so far."""
    key = hashlib.sha256(f"4|{how.size}|{how.crop}|{how.bits}".encode())
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

    Transparency is left out, a turned image is set upright. A mode whose colours or brightness
    would be guessed is refused: 32 bits a channel, inks instead of light.

    **16 bits.** Ultrasound and microscopes often measure 10, 12 or 14 bits, and their values stand
    in files of 16, which do not say so. Read as 16 bits, a picture of 12 bits (0..4,095) is
    all but black. So ``how.bits`` says how many are used: 12 makes 4,095 white. Without it a value
    of 65,535 is white, and a picture whose values all lie below 16,384 is refused, for it may be
    either; black alone is black. A TIFF of 12 bits does say so. Of colour in 16 bits Pillow keeps
    the upper 8: right where all 16 are used, refused otherwise.

    Parameters
    ----------
    path, how : the file and what becomes of it.
    sha256 : what the file must be, ``None`` to take any.

    Raises
    ------
    DataError : no image, a damaged or changed one, or one of a mode that is refused.
    """
    from PIL import Image, UnidentifiedImageError

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
            image = _upright(opened, _in_colour(path, opened, how.bits))
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise DataError(
            f"{path} cannot be read as an image (it is none of {known}): "
            "delete it and get it again from the archive"
        ) from None
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


def _in_colour(path: Path, opened, bits: int | None):
    """The image as RGB; DataError for a mode that Pillow would turn into something else."""
    from PIL import Image

    if opened.mode.startswith("I;16") or (opened.mode == "I" and opened.format == "PNG"):
        return Image.fromarray(_of_16_bits(path, opened, bits)).convert("RGB")
    if opened.mode not in ("1", "L", "P", "RGB", "RGBA", "LA", "PA"):
        raise DataError(f"{path} has pixels of mode {opened.mode}: save it as 8-bit RGB or grey")
    half = any(";16" in str(tile[3]) for tile in opened.tile)  # Pillow keeps the upper 8 bits
    if not half and 16 in getattr(opened, "tag_v2", {}).get(BITS, ()):
        raise DataError(  # Pillow takes each half of a value for one
            f"{path} has 16 bits a value and one plane a colour: save it as 8-bit RGB"
        )
    image = opened.convert("RGB")
    if half:
        _check_depth(path, 256 * int(np.asarray(image).max()) + 255, bits, "Save it as 8-bit RGB")
        if bits not in (None, 16):
            raise DataError(
                f"{path} is in colour with 16 bits a channel, of which bits={bits} cannot be "
                "taken: save it as 8-bit RGB"
            )
    return image


def _of_16_bits(path: Path, opened, bits: int | None) -> np.ndarray:
    """Grey values as uint8."""
    about = getattr(opened, "tag_v2", {})  # of a TIFF
    said = about.get(BITS, (16,))[0]
    values = np.asarray(opened).astype(np.int64)
    most = int(values.max())
    used = said if said != 16 else bits or 16
    if used == 16:
        _check_depth(path, most, bits, "Say bits=12, or how many are used")
    if most >= 2**used:
        raise DataError(
            f"{path} holds {most:,}, more than {used} bits can: say bits={most.bit_length()}"
        )
    grey = np.rint(values * 255 / (2**used - 1)).astype(np.uint8)
    return 255 - grey if about.get(PHOTOMETRIC) == 0 else grey


def _check_depth(path: Path, most: int, bits: int | None, remedy: str) -> None:
    """DataError where it cannot be known how many of 16 bits a picture uses."""
    if bits is None and 0 < most < DARK:
        raise DataError(
            f"{path} has 16 bits a value and none above {most:,} of 65,535: a picture of "
            f"{max(9, most.bit_length())} bits would come out dark. {remedy}, or bits=16 if it is "
            "as dark as that"
        )


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
