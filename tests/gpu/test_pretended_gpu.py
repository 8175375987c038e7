"""No page and no part of the package mixes devices: tried with a GPU that is not there.

The notebooks take minutes and are marked ``long``: ``make pretend-gpu``.
"""

import os
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from nbclient import NotebookClient
from pretended_gpu import pretended_gpu

from hqnn_utils.data import load_breastmnist
from hqnn_utils.models import build_backbone, build_model, extract_features
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.training import TrainConfig, fit, predict_proba

sys.path.append(str(Path(__file__).parents[1] / "training"))
from training_toys import images

CONFIG = TrainConfig(epochs=2, augment="flip", patience=None)
NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("[0-9]*.ipynb"))


def test_mixing_devices_is_an_error_as_on_a_gpu():
    with pretended_gpu():
        there, here = torch.ones(3, device="cuda"), torch.ones(3)
        assert str(there.device) == str((2 * there).device) == "cuda:0"
        assert there.is_cuda
        assert not there.cpu().is_cuda
        for mixed in (
            lambda: there + here,
            lambda: torch.stack([here, there]),
            lambda: torch.nn.Linear(3, 2)(there),
            lambda: here[torch.zeros(1, dtype=torch.long).cuda()],
        ):
            with pytest.raises(RuntimeError, match=r"on the same device|on the CPU"):
                mixed()
        with pytest.raises(TypeError, match="to numpy"):
            there.numpy()
        assert (there + here.to(there)).sum() == 6
        assert (there + torch.tensor(2.0)).is_cuda  # a single number may lie anywhere
    assert there.device == torch.device("cpu")


@pytest.mark.parametrize("head", ["linear", "dressed", "study_hybrid", "fourier"])
def test_training_there(head, tmp_path):
    with pretended_gpu():
        model, path = build_model(head=head, seed=1), tmp_path / "run.pt"
        fit(model, images(), images(30, 1), CONFIG, checkpoint=path, progress=False)
        again = build_model(head=head, seed=1)
        fit(again, images(), images(30, 1), CONFIG, checkpoint=path, progress=False)
        assert next(again.parameters()).is_cuda
        found = predict_proba(again, images(30, 1)[0])
        with pytest.raises(RuntimeError, match="on the same device"):
            again(images(30, 1)[0])
    np.testing.assert_allclose(found, predict_proba(model, images(30, 1)[0]), atol=1e-6)


@pytest.mark.parametrize("engine", ["fused", "sampled", "pennylane"])
def test_gradients_there(engine):
    spec = CircuitSpec(n_qubits=3, n_layers=2)
    with pretended_gpu():
        layer = QuantumLayer(spec, engine=engine).cuda()
        x = torch.randn(4, 3, device="cuda", requires_grad=True)
        values = layer(x)
        values.sum().backward()
        assert values.is_cuda
        assert x.grad.is_cuda
        assert layer.weights.grad.is_cuda


def test_features_there_and_the_network_back_here(tmp_path):
    data = load_breastmnist(16, "phantom").take(range(40))
    with pretended_gpu():
        backbone = build_backbone("small_cnn", 1, None, "frozen")
        there = extract_features(backbone, data, cache=tmp_path)
        with torch.no_grad():
            here = backbone.eval()(data.tensors()[0])
    np.testing.assert_allclose(there, here.numpy(), atol=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_there(path, monkeypatch, tmp_path):
    monkeypatch.setenv("HQNN_STATIC", "1")
    monkeypatch.setenv("HQNN_FRAMES", "3")
    monkeypatch.setenv("HQNN_RESULTS", str(tmp_path))
    notebook = nbformat.read(path, 4)
    where = next(
        i for i, c in enumerate(notebook.cells) if "parameters" in c.metadata.get("tags", [])
    )
    pretend = (
        "PROFILE = 'smoke'\n"
        f"import sys; sys.path.insert(0, {os.path.dirname(__file__)!r})\n"
        "from pretended_gpu import pretended_gpu; pretended_gpu().__enter__()"
    )
    notebook.cells.insert(where + 1, nbformat.v4.new_code_cell(pretend))
    resources = {"metadata": {"path": str(path.parent)}}
    NotebookClient(notebook, timeout=600, resources=resources).execute()
