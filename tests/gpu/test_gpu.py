"""What only a GPU can tell: skipped where there is none, and CI has none.

The judge is the same computation on the CPU. Training there runs in float16 and is not equal bit
for bit, so it is compared by what it reaches.
"""

import copy
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from hqnn_utils.models import build_backbone, build_model, extract_features
from hqnn_utils.quantum import CircuitSpec, QuantumLayer, init_weights
from hqnn_utils.studies import run_study
from hqnn_utils.training import TrainConfig, fit, predict_logits, predict_proba

sys.path += [
    str(Path(__file__).parents[1] / "training"),
    str(Path(__file__).parents[1] / "studies"),
]
from study_toys import TABLE, phantom
from training_toys import images

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
CONFIG = TrainConfig(epochs=12, lr=1e-2, batch_size=16, augment=None, patience=None)


def trained(head, device, checkpoint=None, config=CONFIG):
    model = build_model(head=head, seed=1)
    result = fit(
        model, images(), images(30, 1), config, device=device, checkpoint=checkpoint, progress=False
    )
    return model, result


@pytest.mark.parametrize("head", ["linear", "dressed", "study_hybrid"])
def test_training_reaches_the_same_there(head):
    model, result = trained(head, "cuda")
    _, wanted = trained(head, "cpu")
    assert next(model.parameters()).is_cuda
    assert result.history[-1]["loss"] == pytest.approx(wanted.history[-1]["loss"], abs=0.1)
    assert result.best_val_auc == pytest.approx(wanted.best_val_auc, abs=0.1)
    json.dumps(result.history, allow_nan=False)  # what a record must be able to hold


def test_predictions_there_and_here_agree():
    model, _ = trained("dressed", "cuda")
    x = images(30, 1)[0]
    there = predict_proba(model, x)
    assert predict_logits(model, x).is_cuda
    np.testing.assert_allclose(predict_proba(copy.deepcopy(model).cpu(), x), there, atol=1e-3)


def test_a_run_goes_on_from_its_checkpoint(tmp_path):
    half = TrainConfig(epochs=12, lr=1e-2, batch_size=16, augment=None, patience=3)
    path = tmp_path / "run.pt"
    first, result = trained("dressed", "cuda", path, half)
    second, again = trained("dressed", "cuda", path, half)
    assert again.history == result.history
    for one, other in zip(first.parameters(), second.parameters(), strict=True):
        assert torch.equal(one, other)


def test_features_are_the_same_and_the_network_comes_back(tmp_path):
    backbone = build_backbone("small_cnn", 1, None, "frozen")
    data = phantom()
    there = extract_features(backbone, data, cache=tmp_path)
    with torch.no_grad():
        here = backbone.eval()(data.tensors()[0])  # as a notebook goes on after it
    np.testing.assert_allclose(there, here.numpy(), atol=1e-2)


@pytest.mark.parametrize("engine", ["fused", "sampled"])
def test_a_layer_inside_autocast(engine):
    layer = QuantumLayer(CircuitSpec(n_qubits=3, n_layers=2, rotation="RX"), engine=engine).cuda()
    x = torch.randn(5, 3, device="cuda", requires_grad=True)
    with torch.autocast("cuda", dtype=torch.float16):
        out = layer(x)
    assert out.is_cuda
    out.float().sum().backward()
    assert torch.isfinite(x.grad).all()


def test_second_derivatives_and_transforms_there():
    spec = CircuitSpec(n_qubits=3, n_layers=2)
    layer = QuantumLayer(spec).double().cuda()
    x = torch.randn(4, 3, dtype=torch.float64, device="cuda", requires_grad=True)
    assert torch.autograd.gradgradcheck(layer, (x,))
    mapped = torch.func.vmap(torch.func.jacrev(lambda row: layer(row[None])[0]))(x.detach())
    assert mapped.shape == (4, 3, 3)


def test_a_circuit_that_does_not_fit_is_refused_by_its_bytes():
    spec = CircuitSpec(n_qubits=40, n_layers=1, rotation="Rot")
    with pytest.raises(MemoryError, match=r"40 qubits.*bytes.*are needed"):
        QuantumLayer(spec, engine="fused").cuda()(torch.zeros(1, 40, device="cuda"))


def test_weights_stay_where_the_layer_is():
    spec = CircuitSpec(n_qubits=2)
    weights = init_weights(spec)
    layer = QuantumLayer(spec).cuda()
    assert layer.weights.is_cuda
    assert not weights.is_cuda


def test_a_study_runs_there(tmp_path):
    done = run_study(TABLE, tmp_path, family="there", data=phantom(), progress=False)
    assert not done.failures
    assert len(done.records) == len(TABLE)
