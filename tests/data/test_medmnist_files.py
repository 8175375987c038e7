"""MedMNIST files: where they lie, what they hold, and every way in which they can be wrong."""

import hashlib
import re

import numpy as np
import pytest

from hqnn_utils.data.medmnist_files import (
    BREAST,
    KEYS,
    Meaning,
    official_file,
    official_source,
    read_medmnist_file,
)
from hqnn_utils.runtime import DataError


def test_names_of_the_official_files(monkeypatch, tmp_path):
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    assert official_file("breastmnist", 28) == tmp_path / "breastmnist.npz"
    assert official_file("breastmnist", 64, tmp_path / "x") == tmp_path / "x" / "breastmnist_64.npz"
    import medmnist

    info = medmnist.INFO["pneumoniamnist"]
    assert official_source("pneumoniamnist", 28) == {"url": info["url"], "md5": info["MD5"]}
    assert official_source("pneumoniamnist", 128)["md5"] == info["MD5_128"]


def test_raw_labels_become_zero_and_one():
    raw = np.array([0, 1, 2, 1])
    assert Meaning((0, 1, 2), (1, 2)).labels(raw).tolist() == [0, 1, 1, 1]
    assert BREAST.labels(np.array([0, 1])).tolist() == [1, 0]
    assert BREAST.labels(raw).dtype == np.int64
    assert str(BREAST) == "0 (malignant) and 1 (benign or normal)"
    assert str(Meaning((0, 1, 2), (1,), ("a", "b"))) == "0, 2 (a) and 1 (b)"


def test_what_is_read(medmnist_file, medmnist_arrays):
    data = read_medmnist_file(medmnist_file)
    assert (data.name, data.source) == ("mine", "file")
    assert data.digest == hashlib.sha256(medmnist_file.read_bytes()).hexdigest()
    assert data.split.tolist() == ["train"] * 12 + ["val"] * 6 + ["test"] * 8
    assert data.ids[[0, 11, 12, 25]].tolist() == ["train/0", "train/11", "val/0", "test/7"]
    np.testing.assert_array_equal(data.images[12:18], medmnist_arrays["val_images"])
    np.testing.assert_array_equal(data.labels[:12], 1 - medmnist_arrays["train_labels"].ravel())
    other = read_medmnist_file(medmnist_file, source="medmnist", meaning=Meaning((0, 1), (1,)))
    assert other.source == "medmnist"
    np.testing.assert_array_equal(other.labels, 1 - data.labels)


def test_md5_is_compared(medmnist_file):
    found = hashlib.md5(medmnist_file.read_bytes()).hexdigest()
    assert len(read_medmnist_file(medmnist_file, found)) == 26
    message = (
        f"{medmnist_file} is not the official file: MD5 {found}, expected 0123. "
        "Delete it and run again to download it anew."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_medmnist_file(medmnist_file, "0123")


def test_absent_file(tmp_path):
    path = tmp_path / "absent.npz"
    message = (
        f"{path} cannot be read (No such file or directory): check the path, "
        "or set HQNN_DATA to the folder that holds it"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_medmnist_file(path)


# What is changed in one of the six arrays, and what is then said behind the file's name.
WRONG = {
    "pixels are no bytes": (
        {"train_images": lambda x: x.astype(np.float32)},
        ": train_images has dtype float32, expected uint8 (0 to 255)",
    ),
    "not square": (
        {key: lambda x: x[:, :20] for key in KEYS if "images" in key},
        ": train_images has shape (12, 20, 28), expected (N, size, size) or (N, size, size, 3), "
        "one size for all splits",
    ),
    "two sizes": (
        {"test_images": lambda x: x[:, :20, :20]},
        ": test_images has shape (8, 20, 20), expected (N, size, size) or (N, size, size, 3), "
        "one size for all splits",
    ),
    "two channels": (
        {key: lambda x: np.stack([x, x], axis=-1) for key in KEYS if "images" in key},
        ": train_images has shape (12, 28, 28, 2), expected (N, size, size) or (N, size, size, 3), "
        "one size for all splits",
    ),
    "one row": (
        {key: lambda x: x[:, 0, 0] for key in KEYS if "images" in key},
        ": train_images has shape (12,), expected (N, size, size) or (N, size, size, 3), "
        "one size for all splits",
    ),
    "a volume": (
        {key: lambda x: np.stack([x] * 28, axis=-1)[..., None] for key in KEYS if "images" in key},
        ": train_images has shape (12, 28, 28, 28, 1), expected (N, size, size) or "
        "(N, size, size, 3), one size for all splits",
    ),
    "no images": (
        {"val_images": lambda x: x[:0], "val_labels": lambda x: x[:0]},
        ": val holds no images",
    ),
    "a label too few": (
        {"train_labels": lambda x: x[:-1]},
        ": train_labels has shape (11, 1) for 12 images, expected one label an image",
    ),
    "two labels an image": (
        {"test_labels": lambda x: np.concatenate([x, x], axis=1)},
        ": test_labels has shape (8, 2) for 8 images, expected one label an image",
    ),
    "labels on their side": (
        {"test_labels": lambda x: x.T},
        ": test_labels has shape (1, 8) for 8 images, expected one label an image",
    ),
    "another label": (
        {"val_labels": lambda x: x + 1},
        ": val_labels holds [2], expected 0 (malignant) and 1 (benign or normal) only",
    ),
    "pickles": (
        {"train_labels": lambda x: np.array([{"a": 1}] * 12, dtype=object)},
        " holds pickled arrays, which are refused because they can run code: "
        "get the official file, or save plain arrays with numpy.savez",
    ),
}


@pytest.mark.parametrize(("changes", "message"), WRONG.values(), ids=WRONG)
def test_wrong_content_is_named(tmp_path, medmnist_arrays, changes, message):
    for key, change in changes.items():
        medmnist_arrays[key] = change(medmnist_arrays[key])
    path = tmp_path / "bad.npz"
    np.savez(path, **medmnist_arrays)
    with pytest.raises(DataError, match=f"^{re.escape(str(path) + message)}$"):
        read_medmnist_file(path)


def test_flat_labels_will_do(tmp_path, medmnist_arrays, medmnist_file):
    flat = {key: x.ravel() if "labels" in key else x for key, x in medmnist_arrays.items()}
    np.savez(tmp_path / "flat.npz", **flat)
    np.testing.assert_array_equal(
        read_medmnist_file(tmp_path / "flat.npz").labels, read_medmnist_file(medmnist_file).labels
    )


def test_missing_arrays_are_listed(tmp_path, medmnist_arrays):
    del medmnist_arrays["val_labels"], medmnist_arrays["test_images"]
    path = tmp_path / "bad.npz"
    np.savez(path, **medmnist_arrays)
    message = (
        f"{path} lacks val_labels, test_images: a MedMNIST file holds train_images, train_labels, "
        "val_images, val_labels, test_images, test_labels"
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        read_medmnist_file(path)


@pytest.mark.parametrize("keep", [10, 400, 3000])
def test_truncated_file_is_clear(tmp_path, medmnist_file, keep):
    path = tmp_path / "short.npz"
    path.write_bytes(medmnist_file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"short\.npz is damaged"):
        read_medmnist_file(path)


def test_flipped_bytes_inside_are_clear(tmp_path, medmnist_file):
    content = bytearray(medmnist_file.read_bytes())
    content[200:260] = bytes(60)
    path = tmp_path / "flipped.npz"
    path.write_bytes(content)
    with pytest.raises(
        DataError, match=r"flipped\.npz is damaged or cut short \(.*\): delete it and get it again$"
    ):
        read_medmnist_file(path)
