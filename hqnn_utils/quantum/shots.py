"""What a device does to a circuit: finite shots, noise channels, readout errors, and how many runs something costs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.quantum.engine.cosines import eigenvalues
from hqnn_utils.quantum.engine.statevector import state


def outcome_probabilities(
    spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor
) -> np.ndarray:
    """Exact probability of each bit string, (batch, 2**n) float64, for a batch of inputs (batch, n_inputs)."""
    with torch.no_grad():
        p = state(spec, inputs.double(), weights.double()).abs().square().numpy()
    return p / p.sum(axis=1, keepdims=True)


def sampled_expectations(
    spec: CircuitSpec,
    inputs: torch.Tensor,
    weights: torch.Tensor,
    shots: int,
    repeats: int = 1,
    seed: int = 0,
) -> torch.Tensor:
    """Expectation values as estimated from ``shots`` measurements, (repeats, batch, n_outputs) float64.

    All observables are diagonal, so one shot gives one bit string and a value of each of them. The state is computed once for the whole
    batch; sampling it is a draw from a multinomial distribution, which is the same as measuring ``shots`` times.
    """
    if shots < 1 or repeats < 1:
        raise ValueError(
            f"need at least one shot and one repeat, got shots={shots}, repeats={repeats}"
        )
    p, rng = outcome_probabilities(spec, inputs, weights), np.random.default_rng(seed)
    counts = rng.multinomial(shots, np.broadcast_to(p, (repeats, *p.shape)))
    return torch.from_numpy(counts / shots @ eigenvalues(spec))


def shift_gradient(
    spec: CircuitSpec,
    inputs: torch.Tensor,
    weights: torch.Tensor,
    upstream: torch.Tensor,
    shots: int | None,
    seed: int = 0,
) -> torch.Tensor:
    """Gradient of sum(upstream * outputs) by the weights as a device gets it: two circuits a weight, shifted by +-pi/2, each measured.

    The whole batch is evaluated at once. ``upstream`` is (batch, n_outputs); ``shots=None`` takes exact values.
    """
    from hqnn_utils.quantum.engine.statevector import expectations

    flat, found = (
        weights.detach().double().flatten(),
        torch.zeros(weights.numel(), dtype=torch.float64),
    )
    for k in range(len(flat)):
        values = []
        for sign in (1, -1):
            moved = flat.clone()
            moved[k] += sign * np.pi / 2
            moved = moved.reshape(weights.shape)
            if shots is None:
                values.append(expectations(spec, inputs.double(), moved))
            else:
                values.append(
                    sampled_expectations(
                        spec, inputs, moved, shots, seed=hash((seed, k, sign)) % 2**32
                    )[0]
                )
        found[k] = (upstream * (values[0] - values[1])).sum() / 2
    return found.reshape(weights.shape)


def noise_model(
    one_qubit: float = 0.0,
    two_qubit: float = 0.0,
    readout: float = 0.0,
    damping: float = 0.0,
    dephasing: float = 0.0,
):
    """A ``qp.noise.NoiseModel``: channels behind each gate and before the measurement, all strengths between 0 and 1.

    Parameters
    ----------
    one_qubit, two_qubit : depolarizing probability behind each one-qubit rotation, and on both wires behind each two-qubit gate.
    readout : probability that a measured bit is reported wrong (a bit flip before the measurement).
    damping, dephasing : amplitude damping (|1> decays to |0>) and phase damping behind every gate, on the wires it acts on.
    """
    import pennylane as qp

    given = dict(
        one_qubit=one_qubit,
        two_qubit=two_qubit,
        readout=readout,
        damping=damping,
        dephasing=dephasing,
    )
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is a probability between 0 and 1, got {value}")
    channels = [(qp.AmplitudeDamping, damping), (qp.PhaseDamping, dephasing)]

    def behind(depolarizing):
        used = [(c, p) for c, p in [(qp.DepolarizingChannel, depolarizing), *channels] if p > 0]

        def add(op, **_):
            for wire in op.wires:
                for channel, p in used:
                    channel(p, wires=wire)

        return add

    rotations, pairs = (
        qp.noise.op_in([qp.RX, qp.RY, qp.RZ, qp.Rot]),
        qp.noise.op_in([qp.CNOT, qp.CZ]),
    )
    before = (
        {qp.noise.meas_eq(qp.expval): qp.noise.partial_wires(qp.BitFlip, readout)}
        if readout > 0
        else {}
    )
    return qp.noise.NoiseModel(
        {rotations: behind(one_qubit), pairs: behind(two_qubit)}, meas_map=before
    )


@dataclass(frozen=True)
class DeviceCost:
    """What a task asks of a device. ``circuits`` differ in at least one angle; each is run ``shots`` times.

    ``minutes`` counts the repetitions and an overhead per job; it leaves out the queue.
    """

    circuits: int
    shots: int
    minutes: float

    @property
    def runs(self) -> int:
        return self.circuits * self.shots


def device_cost(
    spec: CircuitSpec,
    images: int,
    shots: int,
    *,
    gradient: bool = False,
    epochs: int = 1,
    microseconds: float = 250.0,
    job_seconds: float = 2.0,
    circuits_per_job: int = 100,
) -> DeviceCost:
    """Circuits, runs and minutes for evaluating, or training on, a number of images.

    Parameters
    ----------
    gradient : with parameter-shift gradients for weights and inputs: two more circuits for each angle.
    microseconds : time of one run, reset included. job_seconds, circuits_per_job : fixed time of a job and how many circuits fit in one.
    """
    if min(images, shots, epochs, circuits_per_job) < 1:
        raise ValueError("images, shots, epochs and circuits_per_job must be at least 1")
    each = 1 + (
        2 * (spec.n_inputs * (spec.n_layers if spec.reupload else 1) + spec.n_weights)
        if gradient
        else 0
    )
    circuits = images * epochs * each
    seconds = (
        circuits * shots * microseconds * 1e-6 + -(-circuits // circuits_per_job) * job_seconds
    )
    return DeviceCost(circuits, shots, seconds / 60)


def bond_dimension(states: torch.Tensor, tolerance: float = 1e-6) -> int:
    """Largest Schmidt rank over all cuts of a chain of qubits, for states (batch, 2**n): what a tensor network (MPS) has to carry.

    Counted are Schmidt coefficients above ``tolerance`` times the largest. 1 for products, at most 2**(n // 2).
    """
    n = int(np.log2(states.shape[-1]))
    ranks = [1]
    for cut in range(1, n):
        s = torch.linalg.svdvals(states.reshape(-1, 2**cut, 2 ** (n - cut)))
        ranks.append(int((s > tolerance * s[:, :1]).sum(dim=1).max()))
    return max(ranks)
