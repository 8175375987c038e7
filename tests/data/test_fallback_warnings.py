"""A warning that a phantom stands in points at the line that asked for data.

In a file of its own: mutation testing puts a frame between the two.
"""

import functools

import medmnist
import pytest

from hqnn_utils.data import breakhis, load_breakhis, load_breastmnist


def test_breastmnist(monkeypatch, tmp_path):
    nowhere = {**medmnist.INFO["breastmnist"], "url": "http://127.0.0.1:9/breastmnist.npz"}
    monkeypatch.setitem(medmnist.INFO, "breastmnist", nowhere)
    with pytest.warns(UserWarning, match="USING THE PHANTOM") as caught:
        load_breastmnist(root=tmp_path)
    assert caught[0].filename == __file__


def test_breakhis(monkeypatch, tmp_path):
    few = functools.partial(breakhis.histology_phantom, patients=(5, 5), per_patient=2)
    monkeypatch.setattr(breakhis, "histology_phantom", few)
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    with pytest.warns(UserWarning, match="USING THE PHANTOM") as caught:
        load_breakhis(size=16)
    assert caught[0].filename == __file__
