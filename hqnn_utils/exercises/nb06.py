"""Checks of the exercises in notebook 06."""

from __future__ import annotations

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _shifts(answer, *, spec) -> Verdict:
    angles = spec.n_inputs + spec.n_weights
    hints = {
        angles: "each angle needs two runs, one shifted up and one down",
        2 * spec.n_weights: "the inputs are angles too: the backbone needs their gradient",
        2 * angles * spec.n_outputs: "one run gives all outputs at once",
    }
    return number(
        answer, 2 * angles, f"two runs for each of {angles} angles", hints.items(), whole=True
    )


def _cosine(answer) -> Verdict:
    """Tried for its values and for its gradient by the input."""
    import torch

    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    try:
        out = answer(x, theta)
        by_x, _ = torch.autograd.grad(out.sum(), [x, theta])
    except Exception as error:
        reason = f"{type(error).__name__}: {error}"
        return Verdict(False, f"calling it with two tensors failed: {reason}")

    def gives(values: torch.Tensor) -> bool:
        return out.shape == x.shape and torch.allclose(out, values)

    if gives(torch.cos(x + theta)) and torch.allclose(by_x, -torch.sin(x + theta)):
        return Verdict(True, "two rotations about the same axis add up: cos(x + theta)")
    if gives(torch.cos((x + theta) / 2)):
        return Verdict(
            False,
            "the half angle belongs to the amplitudes; an expectation value has the full angle",
        )
    if gives(torch.cos(x) * torch.cos(theta)):
        return Verdict(False, "both rotations are about X, so their angles add up")
    return Verdict(
        False, "start with theta = 0: what does the Z expectation value of RX(x)|0> look like?"
    )


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    hints = {
        truth / 8: "that is the number of amplitudes: each has 8 bytes",
        truth / batch: "that is one state: there are as many as images",
        batch * qubits * 8: "a state of n qubits has 2**n amplitudes, not n",
    }
    return number(answer, truth, f"{truth / 2**20:.0f} MiB for one copy", hints.items(), whole=True)


EXERCISES = {
    "06.shifts": Exercise(_shifts, "read"),
    "06.cosine": Exercise(_cosine, "read"),
    "06.bytes": Exercise(_bytes, "read"),
}
