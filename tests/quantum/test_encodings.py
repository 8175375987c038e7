"""How features enter: by hand, and a new encoding as one class and one entry."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, build_qnode, expectations, init_weights
from hqnn_utils.quantum.encodings import ENCODINGS, Encoding
from hqnn_utils.quantum.engine.gates import rotations
from hqnn_utils.quantum.engine.uploads import UPLOADS, AngleUpload


def values(spec, inputs, weights):
    return torch.stack([torch.as_tensor(v) for v in build_qnode(spec)(inputs, weights)], dim=-1)


def test_encodings_by_hand():
    spec = CircuitSpec(n_qubits=2, n_layers=1, encoding="amplitude", entangler="none")
    amplitudes, zero = (
        torch.tensor([1.0, 0.0, 2.0, 0.0], dtype=torch.float64),
        torch.zeros(1, 2, dtype=torch.float64),
    )
    np.testing.assert_allclose(
        values(spec, amplitudes, zero), [(1 - 4) / 5, 1.0], atol=1e-12
    )  # normalised, wire 0 first
    blind = CircuitSpec(n_qubits=2, n_layers=1, axis="Z")
    x = torch.tensor([[0.1, 0.2], [1.0, -2.0]], dtype=torch.float64)
    out = values(blind, x, torch.full((1, 2), 0.7, dtype=torch.float64))
    np.testing.assert_allclose(
        out[0],
        out[1],
        atol=1e-12,
        err_msg="a Z rotation of |0> cannot be seen, as the docstring says",
    )
    scaled, plain = CircuitSpec(n_qubits=2, scaling=2.0), CircuitSpec(n_qubits=2)
    w = init_weights(plain).double()
    np.testing.assert_allclose(values(scaled, x, w), values(plain, 2 * x, w), atol=1e-12)


def test_amplitudes_of_length_one_have_the_gradient_of_normalised_features():
    """PennyLane 0.45 leaves out the division where the length is 1 already, and its chain rule does
    not know of it: [1.2, 1.6, 0, 0] for <Z0> at its maximum, where the slope is 0.
    """
    spec = CircuitSpec(n_qubits=2, n_layers=1, encoding="amplitude")
    weights = torch.zeros(spec.weight_shape, dtype=torch.float64)
    rows = torch.tensor([[0.6, 0.8, 0, 0], [1.2, 1.6, 0, 0], [0.5, 0.5, 0.5, -0.5]]).double()
    rows[2] *= 1 + 1e-7  # near enough to 1 for PennyLane
    found = []
    for engine in ("pennylane", "fused"):
        leaf = rows.clone().requires_grad_()
        layer = QuantumLayer(spec, engine).double()
        layer.weights.data = weights
        found.append(torch.autograd.grad(layer(leaf)[:, 0].sum(), leaf)[0])
    torch.testing.assert_close(found[0], found[1], atol=1e-6, rtol=0)
    torch.testing.assert_close(found[0][:2], torch.zeros(2, 4).double(), atol=1e-12, rtol=0)


class SquareEncoding(Encoding):
    """RY by the square of a feature."""

    def queue(self, spec, inputs):
        for wire in range(spec.n_qubits):
            qp.RY(spec.scaling * inputs[..., wire] ** 2, wires=wire)


def test_a_new_encoding_is_one_entry(monkeypatch):
    monkeypatch.setitem(ENCODINGS, "square", SquareEncoding())
    spec = CircuitSpec(n_qubits=2, n_layers=1, encoding="square", entangler="none")
    assert spec.label() == "2q1l-square-RX-none-Z"
    layer = QuantumLayer(spec, engine="pennylane")
    layer.weights.data.zero_()
    x = torch.tensor([[0.3, -1.1], [0.0, 2.0]])
    torch.testing.assert_close(layer(x), (x**2).cos())
    message = (
        f"engine 'fused' does not know the encoding 'square', only {', '.join(UPLOADS)}; "
        "engine='pennylane' runs it"
    )
    with pytest.raises(ValueError, match=message):
        QuantumLayer(spec)
    with pytest.raises(ValueError, match=message):
        expectations(spec, x, init_weights(spec))


class SquareUpload(AngleUpload):
    def gates(self, spec, x, like):
        return {"encode": rotations("RY", x.double() ** 2, spec.scaling, not like.is_complex())}


@pytest.mark.parametrize("reupload", [False, True])
@pytest.mark.parametrize("rotation", ["RX", "Rot"])
def test_with_a_second_entry_the_fused_engine_runs_it_too(monkeypatch, reupload, rotation):
    """With torch's operations: the compiled kernel would take it for the encoding that it knows."""
    monkeypatch.setitem(ENCODINGS, "square", SquareEncoding())
    monkeypatch.setitem(UPLOADS, "square", SquareUpload())
    options = dict(encoding="square", rotation=rotation, reupload=reupload, scaling=0.7)
    spec = CircuitSpec(n_qubits=3, **options)
    torch.manual_seed(0)
    fused, judge = QuantumLayer(spec), QuantumLayer(spec, engine="pennylane")
    judge.load_state_dict(fused.state_dict())
    assert fused.kernel == "torch"
    found = []
    for layer in (fused.double(), judge.double()):
        x = torch.linspace(-2, 2, 120).double().reshape(40, 3).requires_grad_()
        values = layer(x)
        found.append([values, *torch.autograd.grad((values**2).sum(), [x, layer.weights])])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-9, rtol=0)


def test_a_new_rotation_runs_with_pennylane_only(monkeypatch):
    from hqnn_utils.quantum.spec import ROTATIONS

    monkeypatch.setitem(ROTATIONS, "PhaseShift", 1)
    spec = CircuitSpec(n_qubits=2, rotation="PhaseShift")
    x = torch.tensor([[0.3, -1.1]])
    out = QuantumLayer(spec, engine="pennylane")(x)  # phases do not move Z: RX, then two rings
    one, two = math.cos(0.3), math.cos(1.1)
    assert out.tolist()[0] == pytest.approx([one, two], abs=1e-6)
    with pytest.raises(ValueError, match="does not know the rotation 'PhaseShift', only RX, RY"):
        QuantumLayer(spec)
