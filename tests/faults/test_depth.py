"""Values of 10, 12 or 14 bits in files of 16: scaled right, or refused with the remedy."""

import io
import struct
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image

from hqnn_utils.data import load_breakhis
from hqnn_utils.data.breakhis_names import parse_name
from hqnn_utils.data.breakhis_pixels import Resizing, _key, read_image
from hqnn_utils.runtime import DataError

# 0 to 4095 in steps, the largest value among them
RAMP = np.linspace(0, 4095, 400).round().astype(np.uint16).reshape(20, 20)


def png16(values):
    """A PNG of 16 bits a channel, which Pillow cannot write in colour."""

    def chunk(kind, content):
        crc = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + crc

    height, width, channels = values.shape
    head = struct.pack(">IIBBBBB", width, height, 16, {2: 4, 3: 2, 4: 6}[channels], 0, 0, 0)
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    parts = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + parts


def grey_png(values):
    stream = io.BytesIO()
    Image.fromarray(values).save(stream, "PNG")
    return stream.getvalue()


def tiff(values, **options):
    stream = io.BytesIO()
    tifffile.imwrite(stream, values, **options)
    return stream.getvalue()


def in_colour(values, channels=3):
    return np.stack([values] * channels, axis=-1)


GREY = {
    "png": grey_png,
    "tiff": lambda v: tiff(v, photometric="minisblack"),
    "tiff of a large-endian machine": lambda v: tiff(v, photometric="minisblack", byteorder=">"),
    "tiff with large values dark": lambda v: tiff(v.max() - v, photometric="miniswhite"),
}
COLOUR = {
    "png": lambda v: png16(in_colour(v)),
    "png, see-through": lambda v: png16(in_colour(v, 4)),
    "png, grey and see-through": lambda v: png16(in_colour(v, 2)),
    "tiff": lambda v: tiff(in_colour(v), photometric="rgb"),
    "tiff, compressed": lambda v: tiff(in_colour(v), photometric="rgb", compression="zlib"),
    "tiff, see-through": lambda v: tiff(in_colour(v, 4), photometric="rgb", extrasamples=[2]),
}


def kept(tmp_path, content):
    path = tmp_path / "a.png"  # Pillow looks at the content
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("make", GREY.values(), ids=GREY)
@pytest.mark.parametrize("bits", [9, 10, 12, 14, 15, 16])
def test_grey_whose_bits_are_said_fills_the_range(tmp_path, make, bits):
    values = np.rint(RAMP.astype(float) / 4095 * (2**bits - 1)).astype(np.uint16)
    found = read_image(kept(tmp_path, make(values)), Resizing(20, bits=bits))
    wanted = in_colour(values.astype(float) * 255 / (2**bits - 1))
    np.testing.assert_allclose(found, wanted, atol=0.5)
    assert (found.min(), found.max()) == (0, 255)


@pytest.mark.parametrize("make", [*GREY.values(), *COLOUR.values()], ids=[*GREY, *COLOUR])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_bits_that_nobody_said(tmp_path, make, bits):
    """They came out at 0 to 15 of 255: nearly black, without a word."""
    values = np.rint(RAMP.astype(float) / 4095 * (2**bits - 1)).astype(np.uint16)
    with pytest.raises(DataError, match=r"a\.png has 16 bits a value and none above .*bits=16 if"):
        read_image(kept(tmp_path, make(values)), Resizing(20))


def test_dark_in_truth(tmp_path):
    for make in (grey_png, COLOUR["png"]):
        found = read_image(kept(tmp_path, make(RAMP)), Resizing(20, bits=16))
        np.testing.assert_allclose(found, in_colour(RAMP / 257), atol=1)
        assert found.max() in (15, 16)


def test_black_is_black_and_half_of_the_range_is_16_bits(tmp_path):
    assert read_image(kept(tmp_path, grey_png(0 * RAMP)), Resizing(20)).max() == 0
    found = read_image(kept(tmp_path, grey_png(4 * RAMP + 5)), Resizing(20))
    np.testing.assert_allclose(found, in_colour((4.0 * RAMP + 5) / 257), atol=0.5)


@pytest.mark.parametrize("make", COLOUR.values(), ids=COLOUR)
def test_colour_of_16_whole_bits(tmp_path, make):
    found = read_image(kept(tmp_path, make(16 * RAMP)), Resizing(20))
    np.testing.assert_allclose(found, in_colour(16 * RAMP / 257), atol=1)
    with pytest.raises(DataError, match=r"of which bits=12 cannot be taken: save it as 8-bit RGB"):
        read_image(tmp_path / "a.png", Resizing(20, bits=12))


@pytest.mark.parametrize("bits", [None, 12, 16])
def test_colours_one_behind_the_other(tmp_path, bits):
    """Half values were taken for values: noise, without a word."""
    content = tiff(np.stack([16 * RAMP] * 3), photometric="rgb", planarconfig="separate")
    with pytest.raises(DataError, match="one plane a colour: save it as 8-bit RGB"):
        read_image(kept(tmp_path, content), Resizing(20, bits=bits))


def test_more_than_was_said(tmp_path):
    with pytest.raises(DataError, match=r"holds 4,095, more than 10 bits can: say bits=12"):
        read_image(kept(tmp_path, grey_png(RAMP)), Resizing(20, bits=10))


def test_files_of_8_bits_do_not_care(tmp_path):
    path = kept(tmp_path, grey_png((RAMP // 16).astype(np.uint8)))
    wanted = read_image(path, Resizing(20))
    np.testing.assert_array_equal(read_image(path, Resizing(20, bits=12)), wanted)
    assert wanted.max() == 255


def test_tiff_that_says_12_bits(tmp_path):
    """Two values in three bytes, as cameras write it."""
    pairs = RAMP.reshape(-1, 2).astype(int)
    first, second, third = pairs[:, 0] >> 4, (pairs[:, 0] & 15) << 4 | pairs[:, 1] >> 8, pairs[:, 1]
    packed = np.stack([first, second, third & 255], axis=1).astype(np.uint8).tobytes()
    entries = [(256, 20), (257, 20), (258, 12), (259, 1), (262, 1), (273, 8), (277, 1), (278, 20)]
    entries.append((279, len(packed)))
    table = struct.pack("<H", len(entries))
    for number, value in entries:
        table += struct.pack("<HHII", number, 4 if number in (273, 279) else 3, 1, value)
    content = b"II*\0" + struct.pack("<I", 8 + len(packed)) + packed + table + bytes(4)
    found = read_image(kept(tmp_path, content), Resizing(20))
    np.testing.assert_allclose(found, in_colour(RAMP * 255.0 / 4095), atol=0.5)


@pytest.mark.parametrize("bits", [8, 17, 12.0, "12", True])
def test_bits_that_none_can_be(bits):
    with pytest.raises(ValueError, match="bits must be"):
        load_breakhis("phantom", bits=bits)


def test_a_folder_of_12_bits(tmp_path):
    """As everybody calls it; and the cache knows how the pixels were read."""
    for i, kind in enumerate(["B_A", "M_DC"] * 4):
        name = f"SOB_{kind}-14-{1000 + i}-40-001.png"
        path = tmp_path / "images" / parse_name(name).folder / name
        path.parent.mkdir(parents=True)
        path.write_bytes(grey_png(RAMP))
    options = dict(size=20, folds=3, cache=tmp_path / "c", progress=False)
    with pytest.raises(DataError, match=r"would come out dark\. Say bits=12"):
        load_breakhis(tmp_path / "images", **options)
    assert load_breakhis(tmp_path / "images", bits=12, **options).images.max() == 255
    assert load_breakhis(tmp_path / "images", bits=16, **options).images.max() == 16
    assert _key([path], Resizing(8)) != _key([path], Resizing(8, bits=12))
