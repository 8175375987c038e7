"""Checks of the exercises in notebook 12."""

from __future__ import annotations

import math

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _shots(answer, *, error) -> Verdict:
    truth = 1 / error**2
    wrong = [
        (1 / error, "the error falls with the square root of the shots: square it"),
        (math.sqrt(1 / error), "the other way: square 1 over the error"),
        (1 / (4 * error**2), "that is for a probability; <Z> runs from -1 to 1, twice as wide"),
        (
            (1.96 / error) ** 2,
            "that makes half of a 95 % interval so wide: the standard error alone was asked for",
        ),
        (error**2, "turned round: a small error needs many shots"),
        (2 / error**2, "one circuit is measured, not a difference of two"),
        (4 / error**2, "one circuit, and one output: its variance near 0 is 1"),
    ]
    right = f"{truth:,.0f} shots: ten times more exact is a hundred times more shots"
    return number(answer, truth, right, wrong, tolerance=0.01 * truth)


def _circuits(answer, *, spec, images) -> Verdict:
    uploads = spec.n_layers if spec.reupload else 1
    angles = spec.n_inputs * uploads + spec.n_weights
    truth = images * (1 + 2 * angles)
    once = spec.n_inputs + spec.n_weights
    wrong = [
        (images * 2 * angles, "and one more for the value itself"),
        (images * (1 + angles), "two shifted circuits for each angle"),
        (images * (1 + 2 * spec.n_weights), "the inputs are angles too: the backbone wants them"),
        (
            images * (1 + 2 * once),
            "a feature that is uploaded in each layer is an angle in each layer: the rule holds "
            "for one gate",
        ),
        (images * (1 + 2 * spec.n_inputs * uploads), "the weights want a gradient too"),
        (1 + 2 * angles, "that is for one image"),
        (images * angles, "two for each angle, and one for the value itself"),
        (truth * spec.n_outputs, "one circuit gives all outputs at once"),
        (images, "that is for the values alone: how many for the gradients?"),
    ]
    right = f"{truth:,} circuits: 1 + 2 x {angles} for each image"
    return number(answer, truth, right, wrong, whole=True)


def _memory(answer, *, gib, copies) -> Verdict:
    def exact(copies: float, bytes_each: float, total: float = gib * 2**30) -> float:
        """The number of qubits whose amplitudes fill the memory, not rounded."""
        return math.log2(total / (copies * bytes_each))

    truth = int(exact(copies, 8))
    wrong = [
        (int(exact(1, 8)), "that is one copy only"),
        (truth + 1, "does that still fit? round down"),
        (exact(copies, 8), "half a qubit does not exist: round down"),
        (int(exact(1 / copies, 8)), "three copies need more room, not less"),
        (int(exact(copies, 16)), "complex64 takes 8 bytes, not 16; and a GiB has 2**30 bytes"),
        (int(exact(copies, 8, gib)), "GiB are given, and bytes are needed: times 2**30"),
        (2.0 ** exact(copies, 8), "that is the number of amplitudes: 2 to which power is it?"),
        (int(exact(copies, 8) * math.log(2)), "take the logarithm to base 2"),
        (int(exact(copies, 8) * math.log10(2)), "take the logarithm to base 2"),
    ]
    right = f"{truth} qubits: {copies} x {8 * 2**truth / 2**30:g} GiB"
    return number(answer, truth, right, wrong, whole=True)


EXERCISES = {
    "12.shots": Exercise(
        _shots,
        "read",
        (
            "The standard error is in the text at the head of this section.",
            "Near 0 the square root holds 1 over the number of shots. Solve for the number.",
            "The error is one over the square root of N. So N is one over the error, squared.",
        ),
    ),
    "12.circuits": Exercise(
        _circuits,
        "read",
        (
            "Count for one image first. How many gates have an angle that wants a gradient?",
            "With re-uploading a feature sits in several gates, and the parameter-shift rule "
            "shifts one gate at a time. Each wants two circuits.",
            "Eight features in each of three layers, and as many weights. Two circuits for each "
            "of these angles, one for the value itself, all times the number of images.",
        ),
    ),
    "12.memory": Exercise(
        _memory,
        "read",
        (
            "How many bytes are there, and how many does one amplitude of all three copies take?",
            "The number of amplitudes that fit is a power of two, or lies between two of them.",
            "Divide 12 times 2 to the power 30 by 3 times 8, take the logarithm to base 2, and "
            "round down.",
        ),
    ),
}
