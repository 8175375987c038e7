"""What a device does to a circuit's numbers, and what it costs: finite shots, runs and minutes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from hqnn_utils.quantum.engine.fused import state
from hqnn_utils.quantum.engine.measurement import eigenvalues
from hqnn_utils.quantum.spec import CircuitSpec


def sampled_expectations(
    spec: CircuitSpec,
    inputs: torch.Tensor,
    weights: torch.Tensor,
    shots: int,
    repeats: int = 1,
    seed: int = 0,
) -> torch.Tensor:
    """Expectation values as estimated from ``shots`` measurements, (repeats, batch, n_outputs)
    float64.

    All observables are diagonal, so one shot gives one bit string and a value of each of them. The
    state is computed once for the whole batch; sampling it is a draw from a multinomial
    distribution, which is the same as measuring ``shots`` times.

    Parameters
    ----------
    inputs, weights : (batch, n_inputs) and ``spec.weight_shape``.
    shots, repeats : measurements per estimate, and how many estimates; at least 1.
    """
    if shots < 1 or repeats < 1:
        raise ValueError(
            f"need at least one shot and one repeat, got shots={shots}, repeats={repeats}"
        )
    with torch.no_grad():
        amplitudes = state(spec, inputs.double(), weights.double())
    p = amplitudes.abs().square().numpy()
    p = p / p.sum(axis=1, keepdims=True)
    counts = np.random.default_rng(seed).multinomial(shots, np.broadcast_to(p, (repeats, *p.shape)))
    return torch.from_numpy(counts / shots @ eigenvalues(spec))


@dataclass(frozen=True)
class DeviceCost:
    """What a task asks of a device. ``circuits`` differ in at least one angle; each is run
    ``shots`` times.

    ``minutes`` counts the repetitions and an overhead per job; it leaves out the queue.
    """

    circuits: int
    shots: int
    minutes: float

    @property
    def runs(self) -> int:
        """Executions on the device."""
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
    gradient : with parameter-shift gradients for weights and inputs: two more circuits for each
        angle.
    epochs : how often all images are seen.
    microseconds : time of one run, reset included.
    job_seconds, circuits_per_job : fixed time of a job and how many circuits fit in one.
    """
    if min(images, shots, epochs, circuits_per_job) < 1:
        raise ValueError("images, shots, epochs and circuits_per_job must be at least 1")
    circuits = images * epochs
    if gradient:
        uploads = spec.n_layers if spec.reupload else 1
        angles = spec.n_inputs * uploads + spec.n_weights
        circuits *= 1 + 2 * angles
    jobs = math.ceil(circuits / circuits_per_job)
    seconds = circuits * shots * microseconds * 1e-6 + jobs * job_seconds
    return DeviceCost(circuits, shots, seconds / 60)
