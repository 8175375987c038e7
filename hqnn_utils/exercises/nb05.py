"""Checks of the exercises in notebook 05."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict


def _blind(answer) -> Verdict:
    """The outputs must move with the input: tried on two inputs and five random weights."""
    import torch

    from hqnn_utils.quantum import CircuitSpec, expectations
    from hqnn_utils.quantum.analysis import random_weights

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 2 or answer.encoding != "angle" or answer.axis != "Z":
        return Verdict(False, 'keep 2 qubits, encoding="angle" and axis="Z"')
    first = torch.tensor([[0.1, 0.2]], dtype=torch.float64)
    second = torch.tensor([[1.3, -0.9]], dtype=torch.float64)
    moved = 0.0
    for weights in random_weights(answer, 5):
        change = expectations(answer, first, weights) - expectations(answer, second, weights)
        moved = max(moved, change.abs().max().item())
    if moved > 1e-6:
        return Verdict(True, "the rotation before the second upload makes the phase visible")
    if answer.reupload and answer.n_layers > 1:
        return Verdict(
            False,
            "still blind: rotations about Z alone never leave the vertical axis; "
            "choose another trainable rotation",
        )
    return Verdict(
        False,
        "still blind: |0> has no phase that a Z rotation could change; "
        "repeat the encoding behind a rotation",
    )


def _entangled(answer, *, state) -> Verdict:
    import pennylane as qp

    if not isinstance(answer, (bool, np.bool_)):
        return Verdict(False, f"expected True or False, got {answer!r}")
    density = qp.math.dm_from_state_vector(state)
    n_qubits = int(np.log2(state.shape[-1]))
    purities = [float(qp.math.purity(density, [qubit])) for qubit in range(n_qubits)]
    q = 2 * (1 - float(np.mean(purities)))  # Meyer and Wallach, quant-ph/0108104
    if bool(answer) == (q > 1e-9):
        return Verdict(True, f"Q = {q:.3f}")
    return Verdict(
        False, "compute Q: can the state be written as a product of single-qubit states?"
    )


def _identity(answer) -> Verdict:
    """The trainable part must start as the identity: tried on the state itself."""
    import torch

    from hqnn_utils.quantum import CircuitSpec, init_weights, state

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4 or answer.n_layers < 4:
        return Verdict(
            False,
            f"wanted 4 qubits and at least 4 layers, got {answer.n_qubits} and {answer.n_layers}",
        )
    try:
        weights = init_weights(answer, "identity_block", torch.Generator().manual_seed(0)).double()
    except ValueError as error:
        return Verdict(False, str(error))
    encoding_alone = CircuitSpec(
        n_qubits=4,
        n_layers=1,
        encoding=answer.encoding,
        axis=answer.axis,
        entangler="none",
        scaling=answer.scaling,
    )
    x = torch.linspace(-1, 1, answer.n_inputs, dtype=torch.float64)[None]
    at_start = state(answer, x, weights)
    encoded = state(encoding_alone, x, torch.zeros(1, 4, dtype=torch.float64))
    overlap = (at_start.conj() * encoded).sum().abs().item()
    if abs(overlap - 1) < 1e-5:
        return Verdict(
            True, "the circuit starts as the identity: each pair of layers undoes itself"
        )
    return Verdict(False, "the layers do not cancel")


EXERCISES = {
    "05.blind": Exercise(_blind, "read"),
    "05.entangled": Exercise(_entangled, "read"),
    "05.identity": Exercise(_identity, "read"),
}
