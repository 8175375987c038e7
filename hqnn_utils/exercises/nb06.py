"""Checks of the exercises in notebook 06."""

from __future__ import annotations

import math

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number


def _shifts(answer, *, spec) -> Verdict:
    angles = spec.n_inputs + spec.n_weights
    with_forward = number(answer, 2 * angles + 1, "", whole=True)
    if with_forward:
        return Verdict(
            True,
            f"{2 * angles} for the gradients, and one for the value itself: PennyLane's own "
            "counter shows it too",
        )
    wrong = [
        (angles, "each angle needs two runs, one shifted up and one down"),
        (2 * spec.n_weights, "the inputs are angles too: the backbone needs their gradient"),
        (2 * spec.n_inputs, "the circuit's own weights want a gradient too"),
        (2 * angles * spec.n_outputs, "one run gives all outputs at once"),
        (2 * spec.n_inputs * spec.n_weights, "inputs and weights are shifted one after the other"),
        (2**angles, "one angle is shifted at a time, not all combinations"),
        (2 * spec.n_layers, "the rule is for each angle, not for each layer"),
    ]
    right = f"two runs for each of {angles} angles"
    return number(answer, 2 * angles, right, wrong, whole=True)


def _values_and_slope(layer):
    """The values of a layer and their derivative by x, of two tensors that want gradients."""

    def run(x, theta):
        import torch

        x, theta = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (x, theta))
        out = layer(x, theta)
        if out is ... or out is None:
            return out
        if not isinstance(out, torch.Tensor) or not out.requires_grad:
            raise TypeError("the result knows no gradient: use torch's functions on the tensors")
        (slope,) = torch.autograd.grad(out.sum(), x)
        return out.detach(), slope

    return run


COSINE_INPUTS = [([0.0, 0.5, -2.0], 0.0), ([0.3], 0.7), ([-3.0, 1.0, 2.5], -1.2), ([1.1, 0.2], 3.0)]


def _cosine_faults() -> list[tuple]:
    import torch

    layers = [
        (
            lambda x, theta: torch.cos((x + theta) / 2),
            "the half angle belongs to the amplitudes; an expectation value has the full angle",
        ),
        (
            lambda x, theta: torch.cos((x + theta) / 2) ** 2,
            "that is the probability of 0: <Z> is its excess over the probability of 1",
        ),
        (
            lambda x, theta: torch.cos(x) * torch.cos(theta),
            "both rotations are about X, so their angles add up",
        ),
        (lambda x, theta: torch.cos(x) + torch.cos(theta), "two rotations, one measurement"),
        (
            lambda x, theta: torch.sin(x + theta),
            "start with theta = 0: what is the Z expectation value of RX(0)|0>?",
        ),
        (lambda x, theta: -torch.cos(x + theta), "the sign: |0> has <Z> = +1"),
        (lambda x, theta: torch.cos(x - theta), "both rotations turn the same way"),
        (lambda x, theta: torch.cos(x * theta), "rotations one after the other add their angles"),
        (lambda x, theta: torch.cos(x) + 0 * theta, "the trainable rotation has no effect yet"),
    ]
    return [(_values_and_slope(layer), word) for layer, word in layers]


def _cosine(answer) -> Verdict:
    """Tried for its values and for its gradient by the input."""
    import torch

    if callable(answer):
        answer = _values_and_slope(answer)
    truth = _values_and_slope(lambda x, theta: torch.cos(x + theta))
    right = "two rotations about the same axis add up: cos(x + theta), with the right gradient"
    names = ("x", "theta")
    return function(answer, truth, COSINE_INPUTS, right, _cosine_faults(), names=names)


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    wrong = [
        (truth / 8, "that is the number of amplitudes: each has 8 bytes"),
        (truth / batch, "that is one state: there are as many as images"),
        (batch * qubits * 8, "a state of n qubits has 2**n amplitudes, not n"),
        (batch * qubits**2 * 8, "it is 2**n, not n**2"),
        (2 * truth, "that is complex128: complex64 has 8 bytes a number"),
        (truth / 2, "a complex number has two parts of 4 bytes"),
        (8 * truth, "bytes, not bits"),
        (truth / 2**20, "that is MiB: give bytes"),
        (truth / 1e6, "that is MB: give bytes"),
        (math.log2(truth), "that is the exponent: 2 to this power"),
    ]
    return number(answer, truth, f"{truth / 2**20:.0f} MiB for one copy", wrong, whole=True)


EXERCISES = {
    "06.shifts": Exercise(
        _shifts,
        "read",
        (
            "First count the angles that want a gradient. What does the backbone need?",
            "Features enter the circuit as angles, one for each qubit; the weights are angles too. "
            "Each of them is shifted up once and down once.",
            "`spec.n_inputs` and `spec.n_weights` hold the two counts. One run gives all four "
            "outputs, so these do not multiply.",
        ),
    ),
    "06.cosine": Exercise(
        _cosine,
        "write",
        (
            "What are two rotations about the same axis, one after the other?",
            "For theta = 0 the trap of section 2 showed the answer already: how does <Z> of "
            "RX(x)|0> depend on x?",
            "One call of one of torch's functions, on the sum of the two angles. Use torch, so "
            "that gradients flow.",
        ),
    ),
    "06.bytes": Exercise(
        _bytes,
        "read",
        (
            "How many amplitudes has a state of two qubits, of three, of sixteen?",
            "Multiply: images, amplitudes of one state, bytes of one complex number.",
            "32 states, each with 2 to the power 16 amplitudes, each of 8 bytes.",
        ),
    ),
}
