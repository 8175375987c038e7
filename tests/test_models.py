import math

import pytest
import torch

from hqnn_utils import models
from hqnn_utils.backbones import build_backbone
from hqnn_utils.circuits import CircuitSpec
from hqnn_utils.layers import QuantumLayer

SPECS = [CircuitSpec(), CircuitSpec(n_layers=1), CircuitSpec(n_layers=7), CircuitSpec(rotation="Rot", entangler="strong", n_layers=3),
         CircuitSpec(n_qubits=3, observable="ZZ"), CircuitSpec(observable="parity"), CircuitSpec(observable="Z0"),
         CircuitSpec(n_qubits=3, encoding="amplitude"), CircuitSpec(n_qubits=1, entangler="none", n_layers=4)]  # fmt: skip


@pytest.mark.parametrize("head", list(models.HEADS))
@pytest.mark.parametrize("channels", [1, 3])
def test_images_to_logits_with_gradients_everywhere(head, channels):
    model = models.build_model("small_cnn", head, in_channels=channels, seed=0)
    logits = model(torch.randn(4, channels, 28, 28))
    assert logits.shape == (4, 2)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0 for p in model.parameters())


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.label())
def test_the_matched_layer_matches(spec):
    """Same inputs, same outputs, same number of trainable parameters, alone and as a whole head."""
    circuit, control = QuantumLayer(spec), models.MatchedLayer(spec)
    assert models.count_parameters(circuit) == models.count_parameters(control) == spec.n_weights
    x = torch.randn(5, spec.n_inputs, requires_grad=True)
    assert control(x).shape == circuit(x).shape == (5, spec.n_outputs)
    assert control(x).abs().max() <= 1, "bounded as an expectation value is"
    control(x).sum().backward()
    assert (control.weights.grad.abs() > 0).all(), "every one of the counted parameters does something"
    dressed, matched = (models.build_head(h, 64, spec) for h in ("dressed", "matched"))
    assert models.count_parameters(dressed) == models.count_parameters(matched)


def test_same_seed_same_backbone_for_every_head():
    made = {h: models.build_model(head=h, seed=3) for h in models.HEADS}
    for model in made.values():
        for a, b in zip(model.backbone.state_dict().values(), made["linear"].backbone.state_dict().values()):
            assert torch.equal(a, b)
    again = models.build_model(head="dressed", seed=3)
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), made["dressed"].state_dict().values()))
    other = models.build_model(head="dressed", seed=4)
    assert not torch.equal(next(other.parameters()), next(again.parameters()))


def test_a_seed_leaves_the_random_state_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    models.build_model(seed=9)
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize("size", [8, 28, 33, 64])
def test_small_cnn_takes_any_size(size):
    backbone = build_backbone("small_cnn", 1)
    assert backbone(torch.randn(2, 1, size, size)).shape == (2, backbone.n_features) == (2, 64)


def test_angles_are_bounded():
    angles = models.BoundedAngles()(torch.tensor([-100.0, 0.0, 100.0]))
    assert angles.tolist() == pytest.approx([-math.pi, 0.0, math.pi], rel=1e-6)


def test_unknown_names_and_misfits_are_clear():
    with pytest.raises(ValueError, match="unknown head 'qnn'; known: linear, dressed, matched"):
        models.build_model(head="qnn")
    with pytest.raises(ValueError, match="unknown backbone 'resnet'; known: small_cnn"):
        models.build_model("resnet")
    with pytest.raises(ValueError, match="in_channels must be 1 .* or 3"):
        build_backbone(in_channels=2)
    with pytest.raises(ValueError, match="the head takes 32 features, the backbone gives 64"):
        models.Classifier(build_backbone(), models.build_head("linear", 32))
