"""A study on any set of MedMNIST: named in a setting, fetched from a server on this machine."""

import hashlib

import medmnist
import numpy as np

from hqnn_utils.studies import grid, run_study


def skin_file(path):
    """Seven classes, in colour; the bright images belong to classes 0, 1 and 4."""
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 42), ("val", 14), ("test", 14)):
        labels = np.arange(n) % 7
        bright = 120 * np.isin(labels, (0, 1, 4))[:, None, None, None]
        images = rng.integers(0, 100, (n, 28, 28, 3)) + bright
        arrays |= {f"{part}_images": images.astype(np.uint8), f"{part}_labels": labels[:, None]}
    np.savez(path, **arrays)
    return hashlib.md5(path.read_bytes()).hexdigest()


def test_another_set_by_its_name(server, monkeypatch, tmp_path):
    folder, url = server
    about = {"url": f"{url}/skin.npz", "MD5": skin_file(folder / "skin.npz")}
    monkeypatch.setitem(medmnist.INFO, "dermamnist", {**medmnist.INFO["dermamnist"], **about})
    monkeypatch.setenv("HQNN_DATA", str(tmp_path / "data"))
    other = dict(flag="dermamnist", positive=[0, 1, 4])
    heads = ["linear", "study_mixing"]
    table = grid(dataset="medmnist", data_options=other, head=heads, epochs=6)
    done = run_study(table, tmp_path / "records", progress=False)
    assert not done.failures, done
    assert [r.settings["head"] for r in done.records] == heads
    for record in done.records:
        assert record.data["name"] == "dermamnist-positive0+1+4"
        assert record.data["source"] == "medmnist"
        labels = record.predictions["test"]["labels"]
        assert labels == [int(raw in (0, 1, 4)) for raw in [*range(7)] * 2]
        assert record.scores["test"]["auc"] > 0.9, "bright against dark is easy to learn"
    assert [p.name for p in (tmp_path / "data").iterdir()] == ["dermamnist.npz"]
