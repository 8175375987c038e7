"""Shots and costs against PennyLane's own shots, exact variances and counts by hand."""

import math

import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, build_qnode, expectations, init_weights, shots

SPEC = CircuitSpec(n_qubits=3, rotation="Rot", entangler="strong")


def example(spec, batch=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return 3 * torch.randn(batch, spec.n_inputs, generator=rng).double(), init_weights(
        spec, generator=rng
    ).double()


@pytest.mark.parametrize("observable", ["Z", "Z0", "parity", "ZZ"])
@pytest.mark.parametrize("encoding", ["angle", "amplitude"])
def test_many_shots_come_close_to_the_exact_values(observable, encoding):
    """A million shots: five standard errors are below 0.005."""
    spec = CircuitSpec(n_qubits=3, observable=observable, encoding=encoding, rotation="Rot")
    x, w = example(spec)
    found = shots.sampled_expectations(spec, x, w, 1_000_000)
    assert found.shape == (1, 5, spec.n_outputs)
    torch.testing.assert_close(found[0], expectations(spec, x, w), atol=0.005, rtol=0)


def test_shots_have_the_spread_that_they_must_have():
    """Mean and variance over many repeats: (1 - z^2) / shots; and the joint distribution, not only
    the margins.
    """
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
    assert not torch.equal(one, shots.sampled_expectations(SPEC, x, w, 1, seed=5))
    spelt = shots.sampled_expectations(SPEC, x, w, 1, repeats=1, seed=0)
    assert torch.equal(shots.sampled_expectations(SPEC, x, w, 1), spelt)
    for bad, message in (
        (dict(shots=0), "shots=0, repeats=1"),
        (dict(shots=5, repeats=0), "shots=5, repeats=0"),
    ):
        with pytest.raises(
            ValueError, match=f"need at least one shot and one repeat, got {message}"
        ):
            shots.sampled_expectations(SPEC, x, w, **bad)


def test_costs_by_hand():
    plain = shots.device_cost(CircuitSpec(), 156, 1000)
    assert (plain.circuits, plain.runs) == (156, 156_000)
    assert plain.minutes == pytest.approx((156_000 * 250e-6 + 2 * 2) / 60)
    assert shots.device_cost(CircuitSpec(), 10, 1, gradient=True).circuits == 10 * (1 + 2 * (4 + 8))
    assert shots.device_cost(
        CircuitSpec(reupload=True), 10, 1, gradient=True, epochs=2
    ).circuits == 20 * (1 + 2 * (8 + 8))
    slow = shots.device_cost(
        CircuitSpec(), 10, 7, epochs=3, microseconds=1000.0, job_seconds=5.0, circuits_per_job=8
    )
    assert (slow.circuits, slow.shots, slow.runs) == (30, 7, 210)
    assert slow.minutes == pytest.approx((210 * 1e-3 + 4 * 5) / 60)  # 30 circuits are four jobs
    full = shots.device_cost(CircuitSpec(), 200, 1)  # two full jobs, not three
    assert full.minutes == pytest.approx((200 * 250e-6 + 2 * 2) / 60)
    assert shots.device_cost(CircuitSpec(), 101, 1).minutes == pytest.approx(
        (101 * 250e-6 + 4) / 60
    )
    one_job = shots.device_cost(CircuitSpec(), 100, 1)
    assert one_job.minutes == pytest.approx((100 * 250e-6 + 2) / 60)


@pytest.mark.parametrize("name", ["images", "shots", "epochs", "circuits_per_job"])
def test_costs_of_nothing_are_refused(name):
    given = dict(images=1, shots=1) | {name: 0}
    message = "images, shots, epochs and circuits_per_job must be at least 1"
    with pytest.raises(ValueError, match=f"^{message}$"):
        shots.device_cost(CircuitSpec(), **given)
