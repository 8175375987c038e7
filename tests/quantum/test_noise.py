"""Noise channels against textbook factors and by hand; other backends of the layer."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum import (
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    expectations,
    init_weights,
    noise_model,
)


def example(spec, batch=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(batch, spec.n_inputs, generator=rng).double(), init_weights(
        spec, generator=rng
    ).double()


def run(model):
    x, w = example(CircuitSpec())
    qnode = build_qnode(CircuitSpec(), device="default.mixed", noise=model)
    return torch.stack([torch.as_tensor(v) for v in qnode(x, w)], dim=-1).detach(), expectations(
        CircuitSpec(), x, w
    )


def test_readout_errors_shrink_by_the_textbook_factor():
    noisy, exact = run(noise_model(readout=0.04))
    torch.testing.assert_close(noisy, (1 - 2 * 0.04) * exact, atol=1e-10, rtol=0)


def test_one_gate_depolarized_and_damped_by_hand():
    """One qubit, RX twice: each depolarizing channel multiplies <Z> by 1 - 4p/3; damping pulls
    towards |0>.
    """
    spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    x, w = torch.tensor([[0.7]]).double(), torch.tensor([[0.4]]).double()
    z = math.cos(1.1)
    (value,) = build_qnode(spec, device="default.mixed", noise=noise_model(one_qubit=0.06))(x, w)
    assert float(value) == pytest.approx(
        (1 - 4 * 0.06 / 3) ** 2 * z, abs=1e-7
    )  # channels of default.mixed 0.45 are good to 1e-8
    (value,) = build_qnode(spec, device="default.mixed", noise=noise_model(damping=1.0))(x, w)
    assert float(value) == pytest.approx(1.0, abs=1e-7), "everything has decayed"
    (value,) = build_qnode(spec, device="default.mixed", noise=noise_model(dephasing=1.0))(x, w)
    assert float(value) == pytest.approx(math.cos(0.7) * math.cos(0.4), abs=1e-7), (
        "no coherence survives the first rotation"
    )


def test_noise_free_model_changes_nothing_and_bad_strengths_are_named():
    noisy, exact = run(noise_model())
    torch.testing.assert_close(noisy, exact, atol=1e-10, rtol=0)
    for name in ("one_qubit", "two_qubit", "readout", "damping", "dephasing"):
        with pytest.raises(ValueError, match=f"{name} is a probability"):
            noise_model(**{name: 1.5})


@pytest.mark.parametrize("gate", ["CNOT", "CZ"])
def test_two_qubit_gates_have_a_strength_of_their_own(gate):
    """Features 0, weights 0: |00> stays, each of the two depolarized wires keeps 1 - 4p/3 of
    <Z>.
    """
    spec = CircuitSpec(n_qubits=2, n_layers=1, gate=gate)
    zero = torch.zeros(1, 2).double()
    qnode = build_qnode(spec, device="default.mixed", noise=noise_model(two_qubit=0.06))
    values = [float(v) for v in qnode(zero, zero)]
    assert values == pytest.approx([1 - 0.08, 1 - 0.08], abs=1e-7)


@pytest.mark.parametrize("rotation", ["RX", "RY", "RZ", "Rot"])
def test_every_rotation_is_followed_by_its_channel(rotation):
    spec = CircuitSpec(n_qubits=1, n_layers=1, rotation=rotation, entangler="none")
    zero = torch.zeros(spec.weight_shape).double()
    qnode = build_qnode(spec, device="default.mixed", noise=noise_model(one_qubit=0.03))
    (value,) = qnode(torch.zeros(1).double(), zero)
    assert float(value) == pytest.approx((1 - 0.04) ** 2, abs=1e-7)


def test_damping_and_dephasing_act_behind_two_qubit_gates_too():
    """A state with features pi/2, 0 before CNOT(0, 1): full damping behind it leaves |00>."""
    spec = CircuitSpec(n_qubits=2, n_layers=1)
    x, zero = torch.tensor([[math.pi / 2, 0.0]]).double(), torch.zeros(1, 2).double()
    for strength in ("damping", "dephasing"):
        qnode = build_qnode(spec, device="default.mixed", noise=noise_model(**{strength: 1.0}))
        tape = qp.workflow.construct_tape(qnode, level="device")(x, zero)
        channels = [op for op in tape.operations if op.name in ("AmplitudeDamping", "PhaseDamping")]
        gates = [op for op in tape.operations if op.name in ("RX", "CNOT")]
        assert len(channels) == sum(len(op.wires) for op in gates) == 6


def test_another_backend_is_the_same_line():
    """A device name or a device object; Qiskit Aer with noise where the optional extra is
    installed.
    """
    x = torch.linspace(-2, 2, 16).reshape(4, 4)
    exact = QuantumLayer(CircuitSpec())
    lightning = QuantumLayer(
        CircuitSpec(), engine="pennylane", device=qp.device("lightning.qubit", wires=4)
    )
    lightning.load_state_dict(exact.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(lightning(x), exact(x), atol=1e-6, rtol=0)


def test_qiskit_aer_agrees_with_default_mixed():
    noise = pytest.importorskip(
        "qiskit_aer.noise", reason='needs pip install "hqnn_utils[hardware]"'
    )
    pytest.importorskip("pennylane_qiskit", reason='needs pip install "hqnn_utils[hardware]"')
    model = noise.NoiseModel()
    model.add_all_qubit_readout_error(noise.ReadoutError([[0.9, 0.1], [0.1, 0.9]]))
    x, exact = (
        torch.randn(3, 4, generator=torch.Generator().manual_seed(1)),
        QuantumLayer(CircuitSpec()),
    )
    layer = QuantumLayer(
        CircuitSpec(),
        engine="pennylane",
        device=qp.device("qiskit.aer", wires=4, noise_model=model, seed_simulator=1),
        shots=20_000,
    )
    layer.load_state_dict(exact.state_dict())
    with torch.no_grad():
        np.testing.assert_allclose(layer(x), 0.8 * exact(x), atol=0.04)
