"""One image at a time: the square that is cut out, and the name under which it is kept."""

import re

import numpy as np
import pytest
from PIL import Image

from hqnn_utils.data.breakhis_pixels import Resizing, _key, read_image, resized_images
from hqnn_utils.runtime import DataError


@pytest.fixture
def path(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (20, 31, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "one.png")
    return tmp_path / "one.png"


def test_the_square_in_the_middle(path):
    with Image.open(path) as image:
        pixels = np.asarray(image)
    np.testing.assert_array_equal(read_image(path, Resizing(20)), pixels[:, 5:25])
    assert read_image(path, Resizing(8)).shape == (8, 8, 3)


def test_squash_keeps_all(path):
    with Image.open(path) as image:
        expected = np.asarray(image.resize((20, 20), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(read_image(path, Resizing(20, "squash")), expected)


def test_an_upright_image_is_cut_above_and_below(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (31, 20, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "up.png")
    found = read_image(tmp_path / "up.png", Resizing(20))
    np.testing.assert_array_equal(found, pixels[5:25])


def test_the_cache_knows_names_lengths_size_and_crop(path, tmp_path):
    other = tmp_path / "two.png"
    other.write_bytes(path.read_bytes())
    longer = tmp_path / "folder" / "one.png"
    longer.parent.mkdir()
    longer.write_bytes(path.read_bytes() + b"x")
    keys = [
        _key([path], Resizing(8)),
        _key([path], Resizing(9)),
        _key([path], Resizing(8, "squash")),
        _key([other], Resizing(8)),
        _key([longer], Resizing(8)),
        _key([path, other], Resizing(8)),
    ]
    assert len(set(keys)) == 6
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


def test_the_cache_lies_in_hqnn_cache(path, tmp_path, monkeypatch):
    monkeypatch.setenv("HQNN_CACHE", str(tmp_path / "kept"))
    images, digest = resized_images([path], Resizing(8), progress=False)
    assert images.shape == (1, 8, 8, 3)
    assert len(digest) == 64
    assert (tmp_path / "kept" / "breakhis" / _key([path], Resizing(8)) / "images.npy").is_file()


def test_a_cache_entry_of_another_kind_is_made_anew(path, tmp_path):
    how = Resizing(8)
    images, digest = resized_images([path], how, tmp_path / "kept", progress=False)
    entry = tmp_path / "kept" / "breakhis" / _key([path], how) / "images.npy"
    whole = entry.read_bytes()
    for other in (images.astype(np.int64), np.asarray(images)[:, :4]):
        np.save(entry, other)
        again, same = resized_images([path], how, tmp_path / "kept", progress=False)
        assert again.dtype == np.uint8
        assert same == digest
        assert entry.read_bytes() == whole


def test_the_digest_is_of_names_and_pixels(path, tmp_path):
    renamed, changed = tmp_path / "two.png", tmp_path / "other" / "one.png"
    renamed.write_bytes(path.read_bytes())
    changed.parent.mkdir()
    Image.fromarray(np.zeros((20, 31, 3), np.uint8)).save(changed)
    digests = {
        resized_images([one], Resizing(8), tmp_path / "kept", progress=False)[1]
        for one in (path, renamed, changed)
    }
    assert len(digests) == 3


def test_a_cache_that_cannot_be_written_is_named(path, tmp_path):
    blocked = tmp_path / "a_file"
    blocked.write_text("not a folder")
    message = (
        f"{blocked / 'breakhis'} cannot be written (Not a directory): "
        "set HQNN_CACHE to a folder of yours"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        resized_images([path], Resizing(8), blocked, progress=False)
