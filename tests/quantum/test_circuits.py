"""CircuitSpec against PennyLane's own templates, and its refusals."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.quantum import circuits
from hqnn_utils.quantum.circuits import (
    CircuitSpec,
    build_qnode,
    draw_circuit,
    init_weights,
    resources,
)


def values(spec, inputs, weights):
    return torch.stack(
        [torch.as_tensor(v) for v in build_qnode(spec)(inputs, weights)], dim=-1
    ).numpy()


def template(spec, inputs, weights):
    """The same circuit written with PennyLane's BasicEntanglerLayers or StronglyEntanglingLayers."""

    @qp.qnode(qp.device("default.qubit", wires=spec.n_qubits))
    def circuit():
        qp.AngleEmbedding(inputs, wires=range(spec.n_qubits), rotation=spec.axis)
        if spec.rotation == "Rot":
            qp.StronglyEntanglingLayers(weights, wires=range(spec.n_qubits))
        else:
            qp.BasicEntanglerLayers(
                weights, wires=range(spec.n_qubits), rotation=getattr(qp, spec.rotation)
            )
        return [qp.expval(qp.Z(i)) for i in range(spec.n_qubits)]

    return np.array(circuit())


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.integers(2, 5),
    st.integers(1, 4),
    st.sampled_from("XYZ"),
    st.sampled_from(["RX", "RY", "RZ", "Rot"]),
    st.integers(0, 99),
)
def test_equals_pennylanes_templates(n, layers, axis, rotation, seed):
    spec = CircuitSpec(
        n_qubits=n,
        n_layers=layers,
        axis=axis,
        rotation=rotation,
        entangler="strong" if rotation == "Rot" else "ring",
    )
    rng = np.random.default_rng(seed)
    x, w = rng.uniform(-3, 3, n), rng.uniform(0, 6, spec.weight_shape)
    np.testing.assert_allclose(
        values(spec, torch.tensor(x), torch.tensor(w)), template(spec, x, w), atol=1e-12
    )


def test_one_qubit_by_hand():
    spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    for x, w in ((0.3, 0.0), (0.3, 1.1), (-2.0, 0.4)):
        assert values(spec, torch.tensor([x]), torch.tensor([[w]])) == pytest.approx(
            [math.cos(x + w)], abs=1e-6
        )


def test_ghz_parity_and_pairs_by_hand():
    """RX(pi/2) on the first of three qubits, then a CNOT chain: a GHZ state up to phases. All ZZ are 1, all Z are 0."""
    weights = torch.tensor([[math.pi / 2, 0.0, 0.0]], dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)
    for observable, wanted in (("Z", [0, 0, 0]), ("Z0", [0]), ("ZZ", [1, 1, 1]), ("parity", [0])):
        spec = CircuitSpec(n_qubits=3, n_layers=1, entangler="chain", observable=observable)
        np.testing.assert_allclose(values(spec, zero, weights), wanted, atol=1e-12)
        assert spec.n_outputs == len(wanted)


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


def test_reuploading_encodes_before_each_layer():
    spec = CircuitSpec(n_qubits=1, n_layers=3, entangler="none", reupload=True)
    assert values(spec, torch.tensor([0.2]), torch.zeros(3, 1)) == pytest.approx(
        [math.cos(0.6)], abs=1e-6
    )


@pytest.mark.parametrize("rotation", ["RX", "RY", "RZ", "Rot"])
@pytest.mark.parametrize("entangler", ["ring", "strong", "chain", "all", "none"])
@pytest.mark.parametrize("gate", ["CNOT", "CZ"])
def test_identity_block_starts_as_the_identity(rotation, entangler, gate):
    spec = CircuitSpec(
        n_qubits=4, n_layers=4, rotation=rotation, entangler=entangler, gate=gate, mirror=True
    )
    weights = init_weights(spec, "identity_block", torch.Generator().manual_seed(1)).double()
    x = torch.tensor([0.3, -1.2, 2.0, 0.7], dtype=torch.float64)
    np.testing.assert_allclose(values(spec, x, weights), torch.cos(x), atol=1e-6)


def test_initialisers():
    spec = CircuitSpec(n_qubits=6, n_layers=50)
    make = lambda kind: init_weights(spec, kind, torch.Generator().manual_seed(0))
    uniform, small = make("uniform"), make("small")
    assert uniform.shape == spec.weight_shape
    assert uniform.min() >= 0
    assert 6 < uniform.max() <= 2 * math.pi
    assert small.std() == pytest.approx(0.1, rel=0.15)
    assert torch.equal(make("uniform"), uniform)
    with pytest.raises(
        ValueError, match="unknown initialiser 'zeros'; known: uniform, small, identity_block"
    ):
        make("zeros")
    with pytest.raises(ValueError, match="identity_block needs mirror=True"):
        make("identity_block")


def test_resources_and_drawing():
    found = resources(CircuitSpec())
    assert found["gates"] == {"RX": 12, "CNOT": 8}
    assert found["n_gates"] == 20
    assert found["n_two_qubit"] == 8
    assert found["n_weights"] == 8 == CircuitSpec().n_weights
    figure, axes = draw_circuit(CircuitSpec(n_qubits=2, n_layers=1))
    assert len(axes.texts) > 0


def test_spec_is_hashable_and_labels_tell_circuits_apart():
    import dataclasses

    base = CircuitSpec()
    others = [
        dict(n_qubits=3),
        dict(n_layers=3),
        dict(encoding="iqp"),
        dict(axis="Y"),
        dict(rotation="RY"),
        dict(entangler="chain"),
        dict(gate="CZ"),
        dict(observable="ZZ"),
        dict(reupload=True),
        dict(scaling=0.5),
        dict(scaling=1.0000001),
        dict(mirror=True),
    ]
    assert len({f.name for f in dataclasses.fields(base)} - {k for o in others for k in o}) == 0, (
        "every field is tried"
    )
    specs = [base] + [dataclasses.replace(base, **o) for o in others]
    assert len(set(specs)) == len({s.label() for s in specs}) == len(specs)
    assert hash(CircuitSpec()) == hash(base)
    assert CircuitSpec() == base


@pytest.mark.parametrize(
    "change, message",
    [
        (dict(encoding="basis"), "unknown encoding 'basis'; known: angle, amplitude, iqp"),
        (dict(entangler="star"), "unknown entangler 'star'; known: ring, strong, chain, all, none"),
        (dict(rotation="RXX"), "unknown rotation 'RXX'; known: RX, RY, RZ, Rot"),
        (dict(gate="SWAP"), "unknown two-qubit gate 'SWAP'; known: CNOT, CZ"),
        (dict(observable="X"), "unknown observable 'X'; known: Z, Z0, parity, ZZ"),
        (dict(axis="x"), "unknown encoding axis 'x'; known: X, Y, Z"),
        (dict(n_qubits=0), "n_qubits must be a whole number of at least 1, got 0"),
        (dict(n_qubits=1), "entangler 'ring' needs at least 2 qubits, got 1: use entangler='none'"),
        (dict(n_qubits=1, entangler="none", observable="ZZ"), "'ZZ' needs at least 2 qubits"),
        (dict(n_layers=0), "n_layers must be"),
        (dict(n_layers=2.0), "n_layers must be"),
        (dict(scaling=0.0), "scaling must be finite"),
        (
            dict(encoding="amplitude", reupload=True),
            "amplitude encoding prepares the whole state once",
        ),
    ],
)
def test_bad_specs_are_clear(change, message):
    with pytest.raises(ValueError, match=message):
        CircuitSpec(**change)


def test_noise_needs_a_mixed_device():
    with pytest.raises(ValueError, match="noise needs device='default.mixed'"):
        build_qnode(CircuitSpec(), noise=object())
    assert set(circuits.ROTATIONS) == {"RX", "RY", "RZ", "Rot"}
