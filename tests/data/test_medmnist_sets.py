"""BreastMNIST and other sets, and their failures.

Downloads are tried against a server on this machine, never the real one.
"""

import hashlib
import os
import re
import shutil
from pathlib import Path

import medmnist
import numpy as np
import pytest

from hqnn_utils import data as hd
from hqnn_utils.data import medmnist_sets
from hqnn_utils.runtime import DataError, data_dir

OFFICIAL = "750601b1f35ba3300ea97c75c52ff8f6"


def point_medmnist_at(monkeypatch, url, md5, flag="breastmnist", size=""):
    about = {**medmnist.INFO[flag], f"url{size}": url, f"MD5{size}": md5}
    monkeypatch.setitem(medmnist.INFO, flag, about)


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
    message = (
        "breastmnist.npz could not be downloaded (no network, or the server is down). Fetch "
        f"http://127.0.0.1:9/breastmnist.npz by hand (MD5 {OFFICIAL}), put it into {tmp_path}, "
        "or point HQNN_DATA at a folder that holds it; source='phantom' works without a network."
    )
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
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


def test_unknown_source_and_size(tmp_path):
    with pytest.raises(DataError, match="neither 'auto', 'medmnist', 'phantom' nor"):
        hd.load_breastmnist(source="internet")
    with pytest.raises(DataError, match="cannot be read"):
        hd.load_breastmnist(source=Path(tmp_path / "absent.npz"))
    with pytest.raises(ValueError, match="unknown BreastMNIST size 32; known: 28, 64, 128, 224"):
        hd.load_breastmnist(size=32)


def test_phantom_takes_size_and_seed(monkeypatch):
    def small(size, seed):
        return {
            "images": np.full((3, size, size), seed, np.uint8),
            "labels": np.array([0, 1, 0]),
            "split": np.array(["train", "val", "test"]),
            "masks": np.zeros((3, size, size), bool),
        }

    monkeypatch.setattr(medmnist_sets, "breast_phantom", small)
    data = hd.load_breastmnist(16, "phantom", seed=7)
    assert (data.size, data.images[0, 0, 0], data.name) == (16, 7, "phantom-seed7")
    assert list(data.ids) == ["train/0", "val/0", "test/0"]
    content = data.images.tobytes() + data.labels.tobytes()
    assert data.digest == hashlib.sha256(content).hexdigest()
    assert data.masks.shape == data.images.shape
    default = hd.load_breastmnist(source="phantom")
    assert (default.size, default.name) == (28, "phantom-seed0")


# ---------------------------------------------------------------- other sets


def blood_file(path):
    """Eight classes, in colour."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 16), ("val", 8), ("test", 8)):
        arrays[f"{part}_images"] = rng.integers(0, 256, (n, 28, 28, 3), dtype=np.uint8)
        arrays[f"{part}_labels"] = (np.arange(n) % 8)[:, None]
    np.savez(path, **arrays)
    return path


def test_several_classes_become_two(tmp_path):
    path = blood_file(tmp_path / "bloodmnist.npz")
    data = hd.load_medmnist("bloodmnist", source=path, positive=(3, 1))
    assert data.labels.tolist() == [int(raw in (1, 3)) for raw in [*range(8)] * 4]
    assert data.name == "bloodmnist-positive3+1"
    assert data.source == "file"
    assert data.class_names[1].startswith("eosinophil or immature granulocytes")
    assert data.class_names[0].startswith("basophil or erythroblast or lymphocyte")
    one = hd.load_medmnist("bloodmnist", source=path, positive=6, class_names=("other", "six"))
    assert one.labels.sum() == 4
    assert one.class_names == ("other", "six")
    assert one.counts().loc["all", "six"] == 4
    assert one.name == "bloodmnist-positive6"


def test_pneumonia_is_one(server, monkeypatch, tmp_path, medmnist_file, medmnist_arrays):
    folder, url = server
    shutil.copy(medmnist_file, folder / "f.npz")
    md5 = hashlib.md5(medmnist_file.read_bytes()).hexdigest()
    point_medmnist_at(monkeypatch, f"{url}/f.npz", md5, "pneumoniamnist", "_64")
    root = tmp_path / "data"
    data = medmnist_sets.load_pneumoniamnist(64, "medmnist", root)
    raw = np.concatenate([medmnist_arrays[f"{part}_labels"].ravel() for part in hd.SPLITS])
    np.testing.assert_array_equal(data.labels, raw)
    assert (data.name, data.source) == ("pneumoniamnist_64", "medmnist")
    assert data.class_names == ("normal", "pneumonia")
    assert [p.name for p in root.iterdir()] == ["pneumoniamnist_64.npz"]
    (root / "pneumoniamnist_64.npz").write_bytes(b"half a fi")
    with pytest.raises(DataError, match=f"is not the official file: MD5 .*, expected {md5}"):
        medmnist_sets.load_pneumoniamnist(64, root=root)


def test_other_sets_have_no_phantom_to_fall_back_to(monkeypatch, tmp_path):
    md5 = medmnist.INFO["pneumoniamnist"]["MD5"]
    point_medmnist_at(monkeypatch, "http://127.0.0.1:9/p.npz", md5, "pneumoniamnist")
    message = (
        "pneumoniamnist.npz could not be downloaded (no network, or the server is down). Fetch "
        f"http://127.0.0.1:9/p.npz by hand (MD5 {md5}), put it into {tmp_path}, "
        "or point HQNN_DATA at a folder that holds it."
    )
    for source in ("auto", "medmnist"):
        with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
            medmnist_sets.load_pneumoniamnist(28, source, tmp_path)
    message = "source 'phantom' is neither 'auto', 'medmnist' nor the path of an .npz file"
    with pytest.raises(DataError, match=f"^{re.escape(message)}$"):
        medmnist_sets.load_pneumoniamnist(28, "phantom")


def test_unknown_sets_sizes_and_labels(tmp_path, medmnist_file):
    for flag in ("chestmnist", "organmnist3d", "cifar10"):
        with pytest.raises(ValueError, match=f"^unknown MedMNIST set '{flag}'; known: pathmnist, "):
            hd.load_medmnist(flag, positive=1)
    with pytest.raises(
        ValueError, match=r"^unknown pneumoniamnist size 32; known: 28, 64, 128, 224$"
    ):
        hd.load_medmnist("pneumoniamnist", 32, positive=1)
    for positive, said in ((2, "[2]"), ((), "[]"), ((0, 1), "[0, 1]"), ((1, 9), "[1, 9]")):
        message = f"positive must name some of the raw labels [0, 1] and not all, got {said}"
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            hd.load_medmnist("pneumoniamnist", positive=positive)
    path = blood_file(tmp_path / "blood.npz")
    message = "train_labels holds [2, 3, 4, 5, 6], expected 0 (normal) and 1 (pneumonia) only"
    with pytest.raises(DataError, match=re.escape(message)):
        hd.load_medmnist("pneumoniamnist", source=path, positive=1)


def test_two_dimensional_sets_with_one_label():
    assert sorted(medmnist_sets.two_dimensional_sets()) == [
        "bloodmnist",
        "breastmnist",
        "dermamnist",
        "octmnist",
        "organamnist",
        "organcmnist",
        "organsmnist",
        "pathmnist",
        "pneumoniamnist",
        "retinamnist",
        "tissuemnist",
    ]
