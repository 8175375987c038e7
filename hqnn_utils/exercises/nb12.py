"""Checks of the exercises in notebook 12."""

from __future__ import annotations

import math

from . import Verdict, number


def _shots(answer, *, error) -> Verdict:
    truth = 1 / error**2
    return number(
        answer,
        truth,
        0.01 * truth,
        f"{truth:,.0f} shots: ten times more exact is a hundred times more shots",
        {1 / error: "the error falls with the square root of the shots: square it"},
    )


def _circuits(answer, *, spec, images) -> Verdict:
    from hqnn_utils.quantum.shots import device_cost

    truth = device_cost(spec, images, shots=1, gradient=True).circuits
    angles = (truth // images - 1) // 2
    return number(
        answer,
        truth,
        0.1,
        f"{truth:,} circuits: 1 + 2 x {angles} for each image",
        {
            images * 2 * angles: "and one more for the value itself",
            images * (1 + angles): "two shifted circuits for each angle",
            images
            * (
                1 + 2 * spec.n_weights
            ): "the inputs are angles too: the backbone wants their gradient",
            1 + 2 * angles: "that is for one image",
        },
    )


def _memory(answer, *, gib, copies) -> Verdict:
    truth = int(math.log2(gib * 2**30 / (copies * 8)))
    return number(
        answer,
        truth,
        0.01,
        f"{truth} qubits: {copies} x {8 * 2**truth / 2**30:g} GiB",
        {
            truth + 1: "does that still fit? round down",
            int(math.log2(gib * 2**30 / 8)): "that is one copy only",
            int(math.log2(gib * 2**30 / (copies * 16))): "complex64 takes 8 bytes, not 16",
        },
    )


CHECKS = {"12.shots": _shots, "12.circuits": _circuits, "12.memory": _memory}
