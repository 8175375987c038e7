"""Shots, noise and costs against PennyLane's own devices, exact variances and counts by hand."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.quantum import analysis, shots
from hqnn_utils.quantum.circuits import CircuitSpec, build_qnode, init_weights
from hqnn_utils.quantum.engine.cosines import eigenvalues
from hqnn_utils.quantum.engine.statevector import expectations, state
from hqnn_utils.quantum.layers import QuantumLayer

SPEC = CircuitSpec(n_qubits=3, rotation="Rot", entangler="strong")


def example(spec, batch=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(batch, spec.n_inputs, generator=rng).double(), init_weights(
        spec, generator=rng
    ).double()


@settings(max_examples=12, deadline=None)
@given(
    n=st.integers(2, 5),
    observable=st.sampled_from(["Z", "Z0", "parity", "ZZ"]),
    seed=st.integers(0, 99),
)
def test_probabilities_and_signs_give_the_exact_values(n, observable, seed):
    spec = CircuitSpec(n_qubits=n, observable=observable, rotation="Rot")
    x, w = example(spec, seed=seed)
    exact = torch.from_numpy(shots.outcome_probabilities(spec, x, w) @ eigenvalues(spec))
    torch.testing.assert_close(exact, expectations(spec, x, w), atol=1e-10, rtol=0)
    theirs = torch.stack(list(build_qnode(spec)(x, w)), dim=-1)
    torch.testing.assert_close(exact, theirs, atol=1e-10, rtol=0)


def test_shots_have_the_spread_that_they_must_have():
    """Mean and variance over many repeats: (1 - z^2) / shots; and the joint distribution, not only the margins."""
    x, w = example(SPEC)
    exact, found = (
        expectations(SPEC, x, w),
        shots.sampled_expectations(SPEC, x, w, 100, repeats=4000),
    )
    error = ((1 - exact**2) / 100).sqrt()
    assert ((found.mean(0) - exact).abs() < 5 * error / math.sqrt(4000) + 1e-12).all()
    assert torch.allclose(found.var(0), error**2, rtol=0.12, atol=1e-6)
    pairs = CircuitSpec(n_qubits=3, rotation="Rot", entangler="strong", observable="ZZ")
    together = shots.sampled_expectations(pairs, x, w, 100, repeats=4000).mean(0)
    assert torch.allclose(together, expectations(pairs, x, w), atol=0.01)


def test_the_same_spread_as_pennylanes_shots():
    x, w = example(SPEC, batch=2)
    device = qp.device("default.qubit", wires=3, seed=3)
    qnode = build_qnode(SPEC, device=device, shots=200, diff_method="parameter-shift")
    theirs = torch.stack(
        [torch.stack([torch.as_tensor(v) for v in qnode(x, w)], dim=-1) for _ in range(150)]
    ).double()
    ours = shots.sampled_expectations(SPEC, x, w, 200, repeats=150)
    spread = ((1 - expectations(SPEC, x, w) ** 2) / 200).sqrt()
    assert ((theirs.mean(0) - ours.mean(0)).abs() < 5 * spread * math.sqrt(2 / 150) + 1e-9).all()
    assert torch.allclose(theirs.std(0), ours.std(0), rtol=0.35, atol=0.003)


def test_seeds_repeat_and_one_shot_is_a_sign():
    x, w = example(SPEC)
    one = shots.sampled_expectations(SPEC, x, w, 1, seed=4)
    assert set(one.unique().tolist()) <= {-1.0, 1.0}
    assert torch.equal(one, shots.sampled_expectations(SPEC, x, w, 1, seed=4))
    for bad in (dict(shots=0), dict(shots=5, repeats=0)):
        with pytest.raises(ValueError, match="at least one shot"):
            shots.sampled_expectations(SPEC, x, w, **bad)


def test_shift_gradient_is_autograds():
    x, w = example(SPEC)
    upstream = torch.randn(5, 3, dtype=torch.float64)
    w.requires_grad_()
    (upstream * expectations(SPEC, x, w)).sum().backward()
    torch.testing.assert_close(
        shots.shift_gradient(SPEC, x, w, upstream, None), w.grad, atol=1e-10, rtol=0
    )
    sampled = torch.stack(
        [shots.shift_gradient(SPEC, x, w, upstream, 2000, seed=s) for s in range(20)]
    )
    assert (sampled.mean(0) - w.grad).abs().max() < 0.1
    assert sampled.std(0).max() > 0


def run(model):
    x, w = example(CircuitSpec())
    qnode = build_qnode(CircuitSpec(), device="default.mixed", noise=model)
    return torch.stack([torch.as_tensor(v) for v in qnode(x, w)], dim=-1).detach(), expectations(
        CircuitSpec(), x, w
    )


def test_readout_errors_shrink_by_the_textbook_factor():
    noisy, exact = run(shots.noise_model(readout=0.04))
    torch.testing.assert_close(noisy, (1 - 2 * 0.04) * exact, atol=1e-10, rtol=0)


def test_one_gate_depolarized_and_damped_by_hand():
    """One qubit, RX twice: each depolarizing channel multiplies <Z> by 1 - 4p/3; damping pulls towards |0>."""
    spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    x, w = torch.tensor([[0.7]]).double(), torch.tensor([[0.4]]).double()
    z = math.cos(1.1)
    (value,) = build_qnode(spec, device="default.mixed", noise=shots.noise_model(one_qubit=0.06))(
        x, w
    )
    assert float(value) == pytest.approx(
        (1 - 4 * 0.06 / 3) ** 2 * z, abs=1e-7
    )  # channels of default.mixed 0.45 are good to 1e-8
    (value,) = build_qnode(spec, device="default.mixed", noise=shots.noise_model(damping=1.0))(x, w)
    assert float(value) == pytest.approx(1.0, abs=1e-7), "everything has decayed"
    (value,) = build_qnode(spec, device="default.mixed", noise=shots.noise_model(dephasing=1.0))(
        x, w
    )
    assert float(value) == pytest.approx(math.cos(0.7) * math.cos(0.4), abs=1e-7), (
        "no coherence survives the first rotation"
    )


def test_noise_free_model_changes_nothing_and_bad_strengths_are_named():
    noisy, exact = run(shots.noise_model())
    torch.testing.assert_close(noisy, exact, atol=1e-10, rtol=0)
    for name in ("one_qubit", "two_qubit", "readout", "damping", "dephasing"):
        with pytest.raises(ValueError, match=f"{name} is a probability"):
            shots.noise_model(**{name: 1.5})


def test_costs_by_hand():
    plain = shots.device_cost(CircuitSpec(), 156, 1000)
    assert (plain.circuits, plain.runs) == (156, 156_000)
    assert plain.minutes == pytest.approx((156_000 * 250e-6 + 2 * 2) / 60)
    assert shots.device_cost(CircuitSpec(), 10, 1, gradient=True).circuits == 10 * (1 + 2 * (4 + 8))
    assert shots.device_cost(
        CircuitSpec(reupload=True), 10, 1, gradient=True, epochs=2
    ).circuits == 20 * (1 + 2 * (8 + 8))
    with pytest.raises(ValueError, match="at least 1"):
        shots.device_cost(CircuitSpec(), 0, 1)


def test_bond_dimensions():
    product = state(
        CircuitSpec(n_qubits=6, entangler="none"),
        *example(CircuitSpec(n_qubits=6, entangler="none")),
    )
    assert shots.bond_dimension(product) == 1
    ghz = torch.zeros(1, 64, dtype=torch.complex128)
    ghz[0, [0, -1]] = 2**-0.5
    assert shots.bond_dimension(ghz) == 2
    assert shots.bond_dimension(analysis.haar_states(6, 2)) == 8


def test_another_backend_is_the_same_line():
    """A device name or a device object; Qiskit Aer with noise where the optional extra is installed."""
    x = torch.randn(4, 4)
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
