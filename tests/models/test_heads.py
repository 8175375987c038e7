"""Each head is what it says: the study's to the letter, controls matched to the last parameter."""

import math
import re

import pytest
import torch
from torch import nn

from hqnn_utils.models import (
    HEADS,
    BoundedAngles,
    MatchedLayer,
    build_head,
    control_of,
    count_parameters,
    holds_circuit,
)
from hqnn_utils.models.cores import (
    CosineLayer,
    FourierLayer,
    IdentityCore,
    MixingLayer,
    ShuffledCore,
)
from hqnn_utils.models.heads import StudyHead
from hqnn_utils.quantum import CircuitSpec, QuantumLayer

SPECS = [
    CircuitSpec(),
    CircuitSpec(n_layers=7),
    CircuitSpec(rotation="Rot", entangler="strong", n_layers=3),
    CircuitSpec(n_qubits=3, observable="ZZ"),
    CircuitSpec(observable="Z0"),
    CircuitSpec(n_qubits=3, encoding="amplitude"),
]
# What stands in the circuit's place, and its trainable numbers for the usual circuit.
CIRCUIT, MATCHED, MLP = (QuantumLayer, 8), (MatchedLayer, 8), (nn.Sequential, 4 * 16 + 16 + 68)
FROZEN, IDENTITY, SHUFFLED = (QuantumLayer, 0), (IdentityCore, 0), (ShuffledCore, 8)
MIXING, COSINES, FOURIER = (MixingLayer, 8), (CosineLayer, 24), (FourierLayer, 64)
DRESSED = {
    "dressed": CIRCUIT,
    "matched": MATCHED,
    "mlp": MLP,
    "frozen": FROZEN,
    "identity": IDENTITY,
    "shuffled": SHUFFLED,
    "mixing": MIXING,
    "cosines": COSINES,
    "fourier": FOURIER,
}
STUDY = {
    "study_hybrid": CIRCUIT,
    "study_matched": MATCHED,
    "study_mlp": MLP,
    "study_frozen": FROZEN,
    "study_identity": IDENTITY,
    "study_shuffled": SHUFFLED,
    "study_mixing": MIXING,
    "study_cosines": COSINES,
    "study_fourier": FOURIER,
}
CUT = {"study_cut": CIRCUIT, "study_cut_matched": MATCHED, "study_cut_mixing": MIXING}


def exactly(text):
    return f"^{re.escape(text)}$"


def layers(*sizes):
    """Parameters of linear layers (inputs, outputs)."""
    return sum(before * after + after for before, after in sizes)


def test_the_names():
    assert sorted(HEADS) == sorted(["linear", *DRESSED, *STUDY, "study_branch", *CUT])


def test_linear_is_one_layer():
    torch.manual_seed(0)
    head = build_head("linear", 20)
    torch.manual_seed(0)
    wanted = nn.Linear(20, 2)
    assert type(head) is nn.Linear
    assert torch.equal(head.weight, wanted.weight)
    assert count_parameters(head) == layers((20, 2))


@pytest.mark.parametrize("name", DRESSED)
def test_dressed_heads(name):
    kind, n_core = DRESSED[name]
    head = build_head(name, 20)
    assert [type(layer) for layer in head] == [nn.Linear, BoundedAngles, kind, nn.Linear]
    assert count_parameters(head[2]) == n_core
    assert count_parameters(head) == layers((20, 4), (4, 2)) + n_core
    x = torch.randn(5, 20)
    head.eval()
    with torch.no_grad():
        by_hand = head[3](head[2](math.pi * torch.tanh(head[0](x))))
        assert torch.equal(head(x), by_hand)


@pytest.mark.parametrize("name", STUDY)
def test_study_heads(name):
    kind, n_core = STUDY[name]
    head = build_head(name, 20)
    assert type(head.core) is kind
    assert count_parameters(head.core) == n_core
    rest = layers((20, 128), (128, 4), (20, 32), (36, 64), (64, 2))
    assert count_parameters(head) == rest + n_core


@pytest.mark.parametrize("name", CUT)
def test_cut_heads_have_no_bypass(name):
    kind, n_core = CUT[name]
    head = build_head(name, 20)
    assert type(head.core) is kind
    assert head.branch is None
    assert count_parameters(head) == layers((20, 128), (128, 4), (4, 64), (64, 2)) + n_core


def test_the_bypass_alone():
    head = build_head("study_branch", 20).eval()
    assert head.core is None
    assert head.projector is None
    assert count_parameters(head) == layers((20, 32), (32, 64), (64, 2))
    x = torch.randn(6, 20)
    hidden = torch.relu(head.classifier[0](torch.relu(head.branch[0](x))))
    assert torch.equal(head(x), head.classifier[3](hidden))


def test_the_study_s_head_to_the_letter():
    """Linear(n, 128)-ReLU-Linear(128, 4)-tanh*pi-circuit beside Linear(n, 32)-ReLU.

    Then Linear(36, 64)-ReLU-Dropout(0.3)-Linear(64, 2).
    """
    head = build_head("study_hybrid", 2048)
    shapes = {
        name: tuple(p.shape)
        for name, p in head.named_parameters()
        if name.endswith(("weight", "weights"))
    }
    assert shapes == {
        "projector.0.weight": (128, 2048),
        "projector.2.weight": (4, 128),
        "core.weights": (2, 4),
        "branch.0.weight": (32, 2048),
        "classifier.0.weight": (64, 36),
        "classifier.3.weight": (2, 64),
    }
    assert [type(layer).__name__ for layer in head.projector] == [
        *("Linear", "ReLU", "Linear", "BoundedAngles")
    ]
    assert [type(layer).__name__ for layer in head.classifier] == [
        *("Linear", "ReLU", "Dropout", "Linear")
    ]
    assert head.classifier[2].p == 0.3
    x = torch.randn(5, 2048)
    head.eval()
    angles = math.pi * torch.tanh(head.projector[2](torch.relu(head.projector[0](x))))
    joined = torch.cat([head.core(angles), torch.relu(head.branch[0](x))], dim=1)
    by_hand = head.classifier[3](torch.relu(head.classifier[0](joined)))
    assert torch.allclose(head(x), by_hand, atol=1e-6)


def test_the_order_of_random_draws():
    """Records were made from these start weights."""
    spec = CircuitSpec(n_qubits=3)

    def drawn(make):
        torch.manual_seed(2)
        module = make()
        return [p.detach() for p in module.parameters()]

    def dressed():
        return nn.Sequential(nn.Linear(9, 3), QuantumLayer(spec), nn.Linear(3, 2))

    def study():  # the core comes first, though it stands in the middle
        core = QuantumLayer(spec)
        projector = nn.Sequential(nn.Linear(9, 128), nn.Linear(128, 3))
        rest = [nn.Linear(9, 32), nn.Linear(35, 64), nn.Linear(64, 2)]
        return nn.Sequential(projector, core, *rest)

    def cut():
        core = QuantumLayer(spec)
        projector = nn.Sequential(nn.Linear(9, 128), nn.Linear(128, 3))
        return nn.Sequential(projector, core, nn.Linear(3, 64), nn.Linear(64, 2))

    for name, by_hand in (("dressed", dressed), ("study_hybrid", study), ("study_cut", cut)):
        found, wanted = drawn(lambda name=name: build_head(name, 9, spec)), drawn(by_hand)
        assert len(found) == len(wanted)
        assert all(torch.equal(a, b) for a, b in zip(found, wanted, strict=True)), name


def test_cut_branch_and_cut_circuit():
    """Without the bypass features reach the classes through the core only."""
    x = torch.randn(6, 20)
    cut, whole = (build_head(name, 20).eval() for name in ("study_cut", "study_hybrid"))
    with torch.no_grad():
        cut.projector[2].weight.zero_()
        assert torch.allclose(cut(x), cut(x)[:1].expand(6, 2)), "a dead projector shows nothing"
        whole.projector[2].weight.zero_()
        assert whole(x).std(dim=0).max() > 1e-3, "the features go past the circuit"


def test_a_study_head_s_parts_are_optional():
    core = nn.Linear(3, 5)
    head = StudyHead(7, 3, core, 5)
    assert head.core is core
    assert head.classifier[0].in_features == 5 + 32, "with a bypass unless it is cut"
    assert StudyHead(7, 3, core, 5, bypass=False).classifier[0].in_features == 5
    assert StudyHead(7, 3, None, 5).classifier[0].in_features == 32
    assert head(torch.randn(4, 7)).shape == (4, 2)


@pytest.mark.parametrize("name", HEADS)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label())
def test_features_to_logits_for_every_circuit(name, spec):
    if "identity" in name and spec.encoding == "amplitude":
        with pytest.raises(ValueError, match=r"^core 'identity' needs one input per qubit"):
            build_head(name, 48, spec)
        return
    if "cosines" in name and (spec.encoding == "amplitude" or spec.rotation == "Rot"):
        spec = CircuitSpec(n_qubits=2, rotation="Rot")  # what it refuses is tested with the cores
    assert build_head(name, 48, spec)(torch.randn(3, 48)).shape == (3, 2)


# ---------------------------------------------------------------- controls


@pytest.mark.parametrize(
    ("head", "control"),
    [
        ("dressed", "matched"),
        ("frozen", "matched"),
        ("study_hybrid", "study_matched"),
        ("study_frozen", "study_matched"),
        ("study_cut", "study_cut_matched"),
    ],
)
@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label())
def test_every_hybrid_head_has_a_control_of_the_same_size(head, control, spec):
    assert control_of(head) == control
    mixing = control_of(head, "mixing")
    assert mixing == control.replace("matched", "mixing")
    assert count_parameters(build_head(mixing, 48, spec)) == count_parameters(
        build_head(control, 48, spec)
    )
    with_circuit, without = build_head(head, 48, spec), build_head(control, 48, spec)
    frozen = spec.n_weights if "frozen" in head else 0
    assert count_parameters(with_circuit) + frozen == count_parameters(without)
    assert any(isinstance(m, QuantumLayer) for m in with_circuit.modules())
    assert not any(isinstance(m, QuantumLayer) for m in without.modules())


@pytest.mark.parametrize(
    "head",
    [
        *("linear", "matched", "mlp", "identity", "shuffled", "study_matched", "study_mlp"),
        *("study_identity", "study_shuffled", "study_branch", "study_cut_matched"),
    ],
)
def test_controls_have_no_control(head):
    message = f"head {head!r} holds no circuit, so it has no matched control"
    with pytest.raises(ValueError, match=exactly(message)):
        control_of(head)


# ---------------------------------------------------------------- arguments


def test_circuit_and_engine_arrive():
    assert build_head("dressed", 20)[2].spec == CircuitSpec()
    assert build_head("dressed", 20)[2].engine == "fused"
    spec = CircuitSpec(n_qubits=3, n_layers=1)
    for name in ("dressed", "study_hybrid", "study_cut"):
        head = build_head(name, 20, spec, "pennylane")
        (circuit,) = [m for m in head.modules() if isinstance(m, QuantumLayer)]
        assert (circuit.spec, circuit.engine) == (spec, "pennylane")


def test_number_of_angles():
    spec = CircuitSpec(n_qubits=3)
    assert build_head("dressed", 20, spec, n_angles=3)[0].out_features == 3
    assert count_parameters(build_head("linear", 20, spec, n_angles=5)) == layers((20, 2))
    build_head("study_branch", 20, spec, n_angles=5)
    for n_angles in (0, 2, 4):
        message = (
            f"circuit {spec.label()} wants 3 inputs, the projector gives {n_angles}: "
            f"set n_angles=3, or choose a circuit with {n_angles} inputs"
        )
        for name in ("study_hybrid", "matched", "study_cut"):
            with pytest.raises(ValueError, match=exactly(message)):
                build_head(name, 20, spec, n_angles=n_angles)
    with pytest.raises(
        ValueError, match=r"wants 16 inputs, the projector gives 4: set n_angles=16"
    ):
        build_head("dressed", 64, CircuitSpec(encoding="amplitude"), n_angles=4)


def test_a_control_that_does_not_exist():
    assert control_of("study_hybrid", "fourier") == "study_fourier"
    with pytest.raises(ValueError, match=r"^unknown core in the shape of 'study_cut' 'fourier'; "):
        control_of("study_cut", "fourier")
    with pytest.raises(ValueError, match=r"^head 'linear' holds no circuit, .* no mixing control$"):
        control_of("linear", "mixing")


def test_unknown_heads():
    message = f"unknown head 'qnn'; known: {', '.join(HEADS)}"
    for function in (control_of, lambda name: build_head(name, 20)):
        with pytest.raises(ValueError, match=exactly(message)):
            function("qnn")


def test_angles_are_bounded():
    angles = BoundedAngles()(torch.tensor([-100.0, 0.0, 0.5, 100.0]))
    wanted = [-math.pi, 0.0, math.pi * math.tanh(0.5), math.pi]
    assert angles.tolist() == pytest.approx(wanted, rel=1e-6)


def test_which_heads_hold_a_circuit():
    for name in HEADS:
        modules = build_head(name, 8).modules()
        assert holds_circuit(name) == any(isinstance(m, QuantumLayer) for m in modules), name
    with pytest.raises(ValueError, match="unknown head 'qnn'"):
        holds_circuit("qnn")
