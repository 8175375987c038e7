"""Checks of the exercises in notebook 12."""

from __future__ import annotations

import math

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _shots(answer, *, error) -> Verdict:
    truth = 1 / error**2
    hints = {1 / error: "the error falls with the square root of the shots: square it"}
    right = f"{truth:,.0f} shots: ten times more exact is a hundred times more shots"
    return number(answer, truth, right, hints.items(), tolerance=0.01 * truth)


def _circuits(answer, *, spec, images) -> Verdict:
    from hqnn_utils.quantum.shots import device_cost

    truth = device_cost(spec, images, shots=1, gradient=True).circuits
    angles = (truth // images - 1) // 2
    weights_only = images * (1 + 2 * spec.n_weights)
    hints = {
        images * 2 * angles: "and one more for the value itself",
        images * (1 + angles): "two shifted circuits for each angle",
        weights_only: "the inputs are angles too: the backbone wants their gradient",
        1 + 2 * angles: "that is for one image",
    }
    right = f"{truth:,} circuits: 1 + 2 x {angles} for each image"
    return number(answer, truth, right, hints.items(), whole=True)


def _memory(answer, *, gib, copies) -> Verdict:
    def qubits_of(copies: int, bytes_each: int) -> int:
        """The largest number of qubits whose amplitudes fit."""
        return int(math.log2(gib * 2**30 / (copies * bytes_each)))

    truth = qubits_of(copies, 8)
    hints = {
        truth + 1: "does that still fit? round down",
        qubits_of(1, 8): "that is one copy only",
        qubits_of(copies, 16): "complex64 takes 8 bytes, not 16",
    }
    right = f"{truth} qubits: {copies} x {8 * 2**truth / 2**30:g} GiB"
    return number(answer, truth, right, hints.items(), whole=True)


EXERCISES = {
    "12.shots": Exercise(_shots, "read"),
    "12.circuits": Exercise(_circuits, "read"),
    "12.memory": Exercise(_memory, "read"),
}
