"""The QNode against PennyLane's own templates and by hand; its drawing and its costs."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.quantum import (
    CircuitSpec,
    analysis,
    build_qnode,
    init_weights,
    state,
)


def values(spec, inputs, weights):
    return torch.stack(
        [torch.as_tensor(v) for v in build_qnode(spec)(inputs, weights)], dim=-1
    ).numpy()


def template(spec, inputs, weights):
    """The same circuit written with PennyLane's BasicEntanglerLayers or
    StronglyEntanglingLayers.
    """

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
    """RX(pi/2) on the first of three qubits, then a CNOT chain: a GHZ state up to phases. All ZZ
    are 1, all Z are 0.
    """
    weights = torch.tensor([[math.pi / 2, 0.0, 0.0]], dtype=torch.float64)
    zero = torch.zeros(3, dtype=torch.float64)
    for observable, wanted in (("Z", [0, 0, 0]), ("Z0", [0]), ("ZZ", [1, 1, 1]), ("parity", [0])):
        spec = CircuitSpec(n_qubits=3, n_layers=1, entangler="chain", observable=observable)
        np.testing.assert_allclose(values(spec, zero, weights), wanted, atol=1e-12)
        assert spec.n_outputs == len(wanted)


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


@pytest.mark.parametrize("layers", [2, 4, 6])
def test_a_mirrored_circuit_entangles_from_four_layers_on(layers):
    """The entanglers in the middle cancel. Only the outer ones stay apart from their mirrors."""
    spec = CircuitSpec(n_qubits=3, n_layers=layers, rotation="Rot", mirror=True)
    drawn = state(spec, torch.zeros(5, 3).double(), analysis.random_weights(spec, 5))
    purities = torch.stack(
        [qp.math.purity(qp.math.dm_from_state_vector(drawn), [q]) for q in range(3)]
    )
    assert (purities > 1 - 1e-9).all() == (layers == 2)


@pytest.mark.parametrize(
    ("spec", "gates", "depth"),
    [
        # two RX and the ring, 2 + 4; then qubit 0 goes on: one RX and the ring, 1 + 4
        (CircuitSpec(), {"RX": 12, "CNOT": 8}, 11),
        (CircuitSpec(n_qubits=3, n_layers=1, entangler="none", observable="Z0"), {"RX": 6}, 2),
    ],
)
def test_the_gates_that_a_device_gets(spec, gates, depth):
    count = qp.specs(build_qnode(spec), level="device")
    found = count(torch.ones(spec.n_inputs), torch.ones(spec.weight_shape))["resources"]
    assert (dict(found.gate_counts), found.depth) == (gates, depth)


def test_noise_needs_a_mixed_device():
    with pytest.raises(
        ValueError, match=r"noise needs device='default\.mixed', got 'default\.qubit'"
    ):
        build_qnode(CircuitSpec(), noise=object())


def test_options_reach_pennylane():
    spec = CircuitSpec(n_qubits=2)
    sampled = build_qnode(spec, shots=100)
    values = torch.stack(sampled(torch.ones(2), torch.ones(2, 2)))
    np.testing.assert_allclose(50 * values, (50 * values).round(), atol=1e-9)  # k of 100 shots
    own = qp.device("default.qubit", wires=2)
    assert build_qnode(spec, device=own).device is own
    assert build_qnode(spec, device="default.mixed").device.name == "default.mixed"
    assert build_qnode(spec, diff_method="parameter-shift").diff_method == "parameter-shift"
    assert build_qnode(spec).diff_method == "best"
    assert build_qnode(spec).interface == "torch"
    assert len(build_qnode(spec).device.wires) == 2
