"""Labels that a circuit made: on real features, learnable by that circuit, and nothing else."""

import math

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA

from hqnn_utils.data import FeatureTable, check_dataset, load_breastmnist
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.studies import as_setting, load_planted, planted, run_setting

TRAIN = np.arange(60) < 40


def test_components_are_standardised_on_the_training_part():
    rng = np.random.default_rng(0)
    features = rng.normal(size=(60, 12)) * np.arange(1, 13) + 5
    found = planted.principal_components(features, TRAIN, 3)
    assert found.shape == (60, 3)
    np.testing.assert_allclose(found[TRAIN].mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(found[TRAIN].std(axis=0), 1)
    wanted = PCA(3, svd_solver="full").fit(features[TRAIN]).transform(features)
    for ours, theirs in zip(found.T, wanted.T, strict=True):
        assert abs(np.corrcoef(ours, theirs)[0, 1]) == pytest.approx(1)
    changed = features.copy()
    changed[~TRAIN] += 100
    again = planted.principal_components(changed, TRAIN, 3)
    np.testing.assert_allclose(again[TRAIN], found[TRAIN])


@pytest.mark.parametrize("spec", [CircuitSpec(), CircuitSpec(n_qubits=3, observable="ZZ")])
def test_the_labels_are_a_circuits(spec):
    """By PennyLane: angles pi tanh(x), a combination of the outputs, cut at its median."""
    measured = np.random.default_rng(1).normal(size=(60, spec.n_inputs))
    found = planted.labels_of_a_circuit(measured, TRAIN, spec, teacher=5)
    random = torch.Generator().manual_seed(5)
    circuit = QuantumLayer(spec, "pennylane", generator=random)
    combination = torch.randn(spec.n_outputs, generator=random, dtype=torch.float64)
    with torch.no_grad():
        value = circuit(torch.from_numpy(math.pi * np.tanh(measured))) @ combination
    assert found.tolist() == (value.numpy() > np.median(value.numpy()[TRAIN])).astype(int).tolist()
    assert found[TRAIN].sum() == 20
    others = [planted.labels_of_a_circuit(measured, TRAIN, spec, teacher=t) for t in (5, 6)]
    assert (others[0] == found).all()
    assert (others[1] != found).any()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    patch = pytest.MonkeyPatch()
    patch.setenv("HQNN_CACHE", str(tmp_path_factory.mktemp("cache")))
    yield load_planted("phantom", size=32, teacher=1)
    patch.undo()


def test_the_data_set(table):
    images = load_breastmnist(32, "phantom")
    assert isinstance(table, FeatureTable)
    assert table.measured.shape == (len(images), 4)
    assert list(table.ids) == list(images.ids)
    assert list(table.split) == list(images.split)
    assert table.name == f"planted-{CircuitSpec().label()}-teacher1"
    assert table.source == "phantom"
    assert table.labels[table.split == "train"].mean() == pytest.approx(0.5, abs=0.01)
    wanted = planted.labels_of_a_circuit(
        table.measured, table.split == "train", CircuitSpec(), teacher=1
    )
    assert (wanted == table.labels).all()
    assert table.class_names == ("circuit says 0", "circuit says 1")


def test_a_head_with_the_circuit_learns_them_and_a_plain_one_does_not(table):
    options = dict(
        backbone="none",
        augment=None,
        patience=None,
        epochs=40,
        batch_size=64,
        lr={"circuit": 5e-2, "head": 2e-2},
    )
    auc = {
        head: run_setting({**options, "head": head}, table).scores["test"]["auc"]
        for head in ("linear", "dressed")
    }
    assert auc["dressed"] > auc["linear"] + 0.1


def test_it_is_a_dataset_by_name():
    check_dataset("planted", teacher=3, backbone="efficientnet_lite0")
    with pytest.raises(ValueError, match="unknown option of dataset 'planted' 'seed'; known: "):
        check_dataset("planted", seed=3)
    name = as_setting(dict(dataset="planted", data_options={"teacher": 1}, backbone="none")).name
    assert "planted" in name
