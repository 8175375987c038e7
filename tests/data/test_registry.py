"""Datasets by name: what arrives at the loader, and what is refused."""

import functools
import re
import warnings

import numpy as np
import pytest

from hqnn_utils.data import DATASETS, FeatureTable, ImageData, breakhis, load_dataset, registry
from hqnn_utils.runtime import DataError


def test_the_names():
    ours = ["breastmnist", "pneumoniamnist", "medmnist", "breakhis", "wisconsin"]
    assert DATASETS.keys() >= set(ours), "a new dataset joins them by its line in the table"


def test_source_size_and_options_arrive(monkeypatch):
    def loader(size=1, source="a", colour="red"):
        return size, source, colour

    monkeypatch.setitem(registry.DATASETS, "toy", loader)
    assert load_dataset("toy") == (1, "a", "red")
    assert load_dataset("toy", size=2) == (2, "a", "red")
    assert load_dataset("toy", source="b", colour="blue") == (1, "b", "blue")


def test_breastmnist(medmnist_file):
    data = load_dataset("breastmnist", source=medmnist_file, size=28)
    assert isinstance(data, ImageData)
    assert data.name == "mine"


def test_pneumoniamnist_and_any_other_set(medmnist_file):
    pneumonia = load_dataset("pneumoniamnist", source=medmnist_file)
    generic = load_dataset("medmnist", flag="pneumoniamnist", positive=1, source=medmnist_file)
    breast = load_dataset("breastmnist", source=medmnist_file)
    np.testing.assert_array_equal(pneumonia.labels, generic.labels)
    np.testing.assert_array_equal(pneumonia.labels, 1 - breast.labels)


def test_breakhis_takes_its_options(monkeypatch):
    few = functools.partial(breakhis.histology_phantom, patients=(5, 5), per_patient=2)
    monkeypatch.setattr(breakhis, "histology_phantom", few)
    data = load_dataset("breakhis", source="phantom", size=8, seed=1, split="image", fold=2)
    assert data.size == 8
    assert data.name == "histology-phantom-seed1-by-IMAGE-LEAKS-s1-fold2of5"
    with pytest.raises(ValueError, match="unknown magnification 30; known: 40, 100, 200, 400"):
        load_dataset("breakhis", source="phantom", magnification=30)


def test_a_setting_never_falls_back_to_phantom_patients(monkeypatch, tmp_path):
    """``"medmnist"`` is what a setting says for the official data of any dataset."""
    monkeypatch.setenv("HQNN_DATA", str(tmp_path))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(DataError, match=r"no folder .*breakhis"):
            load_dataset("breakhis", source="medmnist", size=28)


@pytest.mark.parametrize(
    "given", [{}, {"source": "auto"}, {"source": "medmnist", "size": 28}, {"size": 28}]
)
def test_wisconsin_takes_a_setting_s_defaults(given):
    data = load_dataset("wisconsin", **given)
    assert isinstance(data, FeatureTable)
    assert data.name == "wisconsin-s0"


def test_wisconsin_takes_a_seed():
    assert load_dataset("wisconsin", seed=3).name == "wisconsin-s3"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"source": "phantom"},
            "dataset 'wisconsin' has no source, got source='phantom': leave it out",
        ),
        (
            {"size": 64},
            "dataset 'wisconsin' has no size, got size=64: leave it out",
        ),
        ({"fold": 1}, "unknown option of dataset 'wisconsin' 'fold'; known: seed"),
    ],
)
def test_what_means_nothing_to_a_table_is_refused(given, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_dataset("wisconsin", **given)


def test_unknown_names_and_options():
    message = f"unknown dataset 'cifar'; known: {', '.join(DATASETS)}"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_dataset("cifar")
    message = "unknown option of dataset 'breastmnist' 'magnification'; known: root, seed"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load_dataset("breastmnist", magnification=40)


def test_options_without_which_there_is_no_dataset():
    message = "^dataset 'medmnist' needs flag and positive: give them as options$"
    with pytest.raises(ValueError, match=message):
        load_dataset("medmnist")
    with pytest.raises(ValueError, match="dataset 'medmnist' needs positive"):
        load_dataset("medmnist", flag="dermamnist")
