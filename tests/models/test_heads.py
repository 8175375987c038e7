"""Each head is what it says: the study's to the letter, the controls matched to the last parameter."""

import math

import pytest
import torch

from hqnn_utils.models import cores, count_parameters, heads
from hqnn_utils.quantum import CircuitSpec, QuantumLayer

SPECS = [
    CircuitSpec(),
    CircuitSpec(n_layers=1),
    CircuitSpec(n_layers=7),
    CircuitSpec(rotation="Rot", entangler="strong", n_layers=3),
    CircuitSpec(n_qubits=3, observable="ZZ"),
    CircuitSpec(observable="parity"),
    CircuitSpec(observable="Z0"),
    CircuitSpec(n_qubits=3, encoding="amplitude"),
    CircuitSpec(n_qubits=1, entangler="none", n_layers=4),
]


@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.label())
def test_the_matched_layer_matches(spec):
    """Same inputs, same outputs, same number of trainable parameters, alone and as a whole head."""
    circuit, control = QuantumLayer(spec), cores.MatchedLayer(spec)
    assert count_parameters(circuit) == count_parameters(control) == spec.n_weights
    x = torch.randn(5, spec.n_inputs, requires_grad=True)
    assert control(x).shape == circuit(x).shape == (5, spec.n_outputs)
    assert control(x).abs().max() <= 1, "bounded as an expectation value is"
    control(x).sum().backward()
    assert (control.weights.grad.abs() > 0).all(), (
        "every one of the counted parameters does something"
    )
    dressed, matched = (heads.build_head(h, 64, spec) for h in ("dressed", "matched"))
    assert count_parameters(dressed) == count_parameters(matched)


@pytest.mark.parametrize("head", ["dressed", "study_hybrid", "study_cut"])
@pytest.mark.parametrize("spec", SPECS, ids=lambda s: s.label())
def test_every_hybrid_head_has_a_control_of_the_same_size(head, spec):
    hybrid, control = (heads.build_head(h, 48, spec) for h in (head, heads.control_of(head)))
    assert count_parameters(hybrid) == count_parameters(control)
    assert any(isinstance(m, QuantumLayer) for m in hybrid.modules())
    assert not any(isinstance(m, QuantumLayer) for m in control.modules())
    x = torch.randn(3, 48)
    assert hybrid(x).shape == control(x).shape == (3, 2)


def test_the_study_s_head_to_the_letter():
    """Linear(n, 128)-ReLU-Linear(128, 4)-tanh*pi-circuit beside Linear(n, 32)-ReLU, then Linear(36, 64)-ReLU-Dropout(0.3)-Linear(64, 2)."""
    head = heads.build_head("study_hybrid", 2048)
    shapes = {
        name: tuple(p.shape)
        for name, p in head.named_parameters()
        if name.endswith("weight") or name.endswith("weights")
    }
    assert shapes == {
        "projector.0.weight": (128, 2048),
        "projector.2.weight": (4, 128),
        "core.weights": (2, 4),
        "branch.0.weight": (32, 2048),
        "classifier.0.weight": (64, 36),
        "classifier.3.weight": (2, 64),
    }
    assert head.classifier[2].p == 0.3
    assert count_parameters(head.core) == 8
    x = torch.randn(5, 2048)
    head.eval()
    by_hand = torch.cat(
        [
            head.core(math.pi * torch.tanh(head.projector[2](torch.relu(head.projector[0](x))))),
            torch.relu(head.branch[0](x)),
        ],
        dim=1,
    )
    assert torch.allclose(
        head(x), head.classifier[3](torch.relu(head.classifier[0](by_hand))), atol=1e-6
    )


def test_cut_branch_and_cut_circuit():
    """Without the bypass, features reach the classes through the core only; without the core, through the branch only."""
    x = torch.randn(6, 20)
    cut = heads.build_head("study_cut", 20).eval()
    with torch.no_grad():
        cut.projector[2].weight.zero_()
        assert torch.allclose(cut(x), cut(x)[:1].expand(6, 2)), (
            "a dead projector leaves nothing to see"
        )
        whole = heads.build_head("study_hybrid", 20).eval()
        whole.projector[2].weight.zero_()
        assert whole(x).std(dim=0).max() > 1e-3, (
            "the study's head sees the features past the circuit"
        )
    branch = heads.build_head("study_branch", 20)
    assert branch.core is None
    assert branch(x).shape == (6, 2)


def test_identity_is_tanh_and_nothing_else():
    core = cores.IdentityCore(CircuitSpec())
    x = torch.randn(3, 4)
    assert count_parameters(core) == 0
    assert torch.allclose(core(heads.BoundedAngles()(x)), torch.tanh(x))
    with pytest.raises(ValueError, match="amplitude encoding has 2"):
        cores.IdentityCore(CircuitSpec(encoding="amplitude"))


def test_a_shuffled_core_sees_other_images():
    """Same outputs as the circuit's, in another order: nothing about the image itself gets through."""
    core, x = cores.ShuffledCore(CircuitSpec(), "fused").eval(), torch.randn(40, 4)
    with torch.no_grad():
        wanted, found = core.circuit(x), core(x)
        assert torch.equal(found, core(x))
        assert not torch.allclose(found, wanted)
        assert torch.allclose(found.sort(dim=0).values, wanted.sort(dim=0).values)
        core.train()
        assert not torch.equal(core(x), core(x)), "a new permutation each batch"


def test_a_circuit_that_wants_more_than_the_projector_gives():
    with pytest.raises(ValueError, match="wants 8 inputs, the projector gives 4: set n_angles=8"):
        heads.build_head("study_hybrid", 64, CircuitSpec(n_qubits=8), n_angles=4)
    with pytest.raises(ValueError, match="wants 16 inputs, the projector gives 4"):
        heads.build_head("dressed", 64, CircuitSpec(encoding="amplitude"), n_angles=4)


def test_controls_have_no_control():
    with pytest.raises(ValueError, match="head 'mlp' holds no circuit"):
        heads.control_of("mlp")
