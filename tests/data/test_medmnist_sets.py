"""BreastMNIST and other sets, and their failures.

Downloads are tried against a server on this machine, never the real one.
"""

import functools
import hashlib
import http.server
import os
import shutil
import threading
from pathlib import Path

import medmnist
import numpy as np
import pytest

from hqnn_utils import data as hd
from hqnn_utils.data.splits import limit_train
from hqnn_utils.runtime import DataError, data_dir

OFFICIAL = "750601b1f35ba3300ea97c75c52ff8f6"


@pytest.fixture
def server(tmp_path):
    """Serves ``tmp_path/served`` on the loopback address."""
    folder = tmp_path / "served"
    folder.mkdir()

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *args):
            pass

    httpd = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder))
    )
    threading.Thread(target=httpd.serve_forever, daemon=True).start()
    yield folder, f"http://127.0.0.1:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()


def point_medmnist_at(monkeypatch, url, md5):
    monkeypatch.setitem(
        medmnist.INFO, "breastmnist", {**medmnist.INFO["breastmnist"], "url": url, "MD5": md5}
    )


def test_path_of_a_medmnist_file_turns_labels_round(medmnist_file, medmnist_arrays):
    data = hd.load_breastmnist(source=medmnist_file)
    assert data.source == "file"
    assert data.name == "mine"
    assert not data.is_phantom
    assert data.banner == ""
    raw = np.concatenate([medmnist_arrays[f"{s}_labels"].ravel() for s in hd.SPLITS])
    np.testing.assert_array_equal(data.labels, 1 - raw)
    assert data.digest == hashlib.sha256(medmnist_file.read_bytes()).hexdigest()
    assert data.describe() == dict(
        name="mine", source="file", digest=data.digest, size=28, n=26, phantom=False
    )


def test_parts_ids_and_tensors(medmnist_file, medmnist_arrays):
    data = hd.load_breastmnist(source=medmnist_file)
    test = data.part("test")
    assert len(test) == 8
    assert test.ids[3] == "test/3"
    x, y = data.tensors("test")
    assert x.shape == (8, 1, 28, 28)
    assert x.min() >= -1
    assert x.max() <= 1
    np.testing.assert_allclose(
        (x[:, 0].numpy() + 1) * 127.5, medmnist_arrays["test_images"], atol=1e-4
    )
    assert y.tolist() == test.labels.tolist()
    with pytest.raises(ValueError, match="unknown split 'dev'; known: train, val, test"):
        data.part("dev")


def test_counts_and_limit(medmnist_file):
    data = hd.load_breastmnist(source=medmnist_file)
    table = data.counts()
    assert table.loc["all", "total"] == 26
    assert table.loc["test", "malignant"] == 3
    small = limit_train(data, 6, seed=1)
    assert (small.split == "train").sum() == 6
    assert (small.split == "test").sum() == 8
    assert small.part("train").labels.sum() == 2, "stratified"
    assert limit_train(data, None) is data
    assert limit_train(data, 999) is data


def test_colour_images(tmp_path, medmnist_arrays):
    for s in hd.SPLITS:
        medmnist_arrays[f"{s}_images"] = np.repeat(
            medmnist_arrays[f"{s}_images"][..., None], 3, axis=3
        )
    np.savez(tmp_path / "rgb.npz", **medmnist_arrays)
    assert hd.load_breastmnist(source=tmp_path / "rgb.npz").tensors("val")[0].shape == (
        6,
        3,
        28,
        28,
    )


@pytest.mark.skipif(
    not (data_dir() / "breastmnist.npz").exists(),
    reason="the official BreastMNIST file is not in HQNN_DATA",
)
def test_official_file():
    data = hd.load_breastmnist(source="medmnist")
    assert data.source == "medmnist"
    assert data.counts().to_numpy()[:3, :2].tolist() == [[399, 147], [57, 21], [114, 42]]
    assert (
        hashlib.md5((data_dir() / "breastmnist.npz").read_bytes()).hexdigest()
        == OFFICIAL
        == medmnist.INFO["breastmnist"]["MD5"]
    )


def test_download_through_medmnist(server, monkeypatch, tmp_path, medmnist_file):
    folder, url = server
    shutil.copy(medmnist_file, folder / "f.npz")
    point_medmnist_at(
        monkeypatch, f"{url}/f.npz", hashlib.md5(medmnist_file.read_bytes()).hexdigest()
    )
    root = tmp_path / "new" / "data"
    data = hd.load_breastmnist(source="medmnist", root=root)
    assert data.source == "medmnist"
    assert len(data) == 26
    assert [p.name for p in root.iterdir()] == ["breastmnist.npz"], "nothing else is left behind"
    folder.joinpath("f.npz").unlink()
    assert hd.load_breastmnist(root=root).digest == data.digest, "the second load needs no server"


def test_wrong_download_leaves_nothing_behind(server, monkeypatch, tmp_path, medmnist_file):
    folder, url = server
    (folder / "f.npz").write_bytes(b"an error page")
    point_medmnist_at(monkeypatch, f"{url}/f.npz", OFFICIAL)
    with pytest.raises(DataError, match="could not be downloaded"):
        hd.load_breastmnist(source="medmnist", root=tmp_path / "data")
    assert list((tmp_path / "data").iterdir()) == []


def no_server(monkeypatch):
    point_medmnist_at(
        monkeypatch, "http://127.0.0.1:9/breastmnist.npz", OFFICIAL
    )  # port 9: nothing listens


def test_no_network_is_clear(monkeypatch, tmp_path):
    no_server(monkeypatch)
    with pytest.raises(DataError, match=r"no network.*by hand.*HQNN_DATA.*source='phantom'"):
        hd.load_breastmnist(source="medmnist", root=tmp_path)


def test_auto_falls_back_to_the_phantom_and_says_so(monkeypatch, tmp_path):
    no_server(monkeypatch)
    with pytest.warns(UserWarning, match="USING THE PHANTOM"):
        data = hd.load_breastmnist(source="auto", root=tmp_path)
    assert data.is_phantom
    assert data.banner.startswith("PHANTOM")
    assert data.describe()["phantom"] is True


def test_auto_never_falls_back_from_a_damaged_file(tmp_path):
    (tmp_path / "breastmnist.npz").write_bytes(b"half a fi")
    with pytest.raises(
        DataError, match=r"not the official file: MD5 .* expected 750601.*Delete it"
    ):
        hd.load_breastmnist(source="auto", root=tmp_path)


def test_unwritable_folder_is_clear(monkeypatch, tmp_path):
    no_server(monkeypatch)
    blocked = tmp_path / "a_file"
    blocked.write_text(
        "not a folder"
    )  # root may write anywhere, so a file stands where the folder should be
    with pytest.raises(DataError, match=r"cannot be written.*HQNN_DATA"):
        hd.load_breastmnist(source="auto", root=blocked / "data")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write to a read-only folder")
def test_read_only_folder_is_clear(monkeypatch, tmp_path):
    no_server(monkeypatch)
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(DataError, match="cannot be written"):
            hd.load_breastmnist(source="auto", root=tmp_path)
    finally:
        tmp_path.chmod(0o700)


def bad(tmp_path, arrays):
    np.savez(tmp_path / "bad.npz", **arrays)
    return tmp_path / "bad.npz"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda a: a.pop("val_labels"), "lacks val_labels"),
        (
            lambda a: a.update(train_images=a["train_images"].astype(np.float32)),
            "train_images has dtype float32, expected uint8",
        ),
        (lambda a: a.update(test_images=a["test_images"][:, :20]), "test_images has shape"),
        (lambda a: a.update(test_images=a["test_images"][..., 0]), "test_images has shape"),
        (lambda a: a.update(train_labels=a["train_labels"][:-1]), "one label an image"),
        (lambda a: a.update(val_labels=a["val_labels"] + 1), r"val_labels holds \[2\]"),
        (
            lambda a: a.update(train_labels=np.array([{"a": 1}] * 12, dtype=object)),
            "pickled arrays, which are refused",
        ),
    ],
)
def test_malformed_files_are_clear(tmp_path, medmnist_arrays, change, message):
    change(medmnist_arrays)
    path = bad(tmp_path, medmnist_arrays)
    with pytest.raises(DataError, match=message) as caught:
        hd.load_breastmnist(source=path)
    assert "bad.npz" in str(caught.value)


@pytest.mark.parametrize("keep", [10, 400, 3000])
def test_truncated_file_is_clear(tmp_path, medmnist_file, keep):
    path = tmp_path / "short.npz"
    path.write_bytes(medmnist_file.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"short.npz is damaged"):
        hd.load_breastmnist(source=path)


def test_flipped_bytes_inside_are_clear(tmp_path, medmnist_file):
    content = bytearray(medmnist_file.read_bytes())
    content[200:260] = bytes(60)
    (tmp_path / "flipped.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"flipped.npz is damaged"):
        hd.load_breastmnist(source=tmp_path / "flipped.npz")


def test_unknown_source_and_size(tmp_path):
    with pytest.raises(DataError, match="neither 'auto', 'medmnist', 'phantom' nor"):
        hd.load_breastmnist(source="internet")
    with pytest.raises(DataError, match="cannot be read"):
        hd.load_breastmnist(source=Path(tmp_path / "absent.npz"))
    with pytest.raises(ValueError, match="unknown BreastMNIST size 32; known: 28, 64, 128, 224"):
        hd.load_breastmnist(size=32)
