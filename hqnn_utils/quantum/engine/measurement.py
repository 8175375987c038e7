"""Eigenvalues of the observables, and the expectation values of a batch of states."""

from __future__ import annotations

import numpy as np
import torch

from hqnn_utils.quantum.engine.kept import kept
from hqnn_utils.quantum.engine.plan import Entangle
from hqnn_utils.quantum.engine.register import Reorder, entangler
from hqnn_utils.quantum.spec import CircuitSpec


def parity(masks: np.ndarray) -> np.ndarray:
    """0 or 1: whether the number of set bits is odd."""
    return (np.bitwise_count(masks) & 1).astype(np.int8)


def qubit_bits(n: int) -> list[int]:
    """The bit of each qubit in the number of a basis state; qubit 0 is the most significant."""
    return [1 << (n - 1 - qubit) for qubit in range(n)]


def z_of_each_qubit(n: int) -> np.ndarray:
    """Eigenvalue of Z on each qubit for each basis state, (n, 2**n) of +1.0 and -1.0."""
    basis_states = np.arange(2**n)
    return np.array([1.0 - 2 * parity(basis_states & bit) for bit in qubit_bits(n)])


def observable_masks(spec: CircuitSpec) -> list[int]:
    """Which qubits carry a Z, as bit masks, in the order of the outputs."""
    bits = qubit_bits(spec.n_qubits)
    return [sum(bits[qubit] for qubit in qubits) for qubits in spec.measured]


def eigenvalues(spec: CircuitSpec) -> np.ndarray:
    """Value of each observable for each basis state, (2**n, n_outputs) of +1 and -1 as int8."""
    basis_states = np.arange(2**spec.n_qubits)
    return np.array([1 - 2 * parity(basis_states & mask) for mask in observable_masks(spec)]).T


@kept(64)
def observable_table(
    spec: CircuitSpec, last_entanglers: tuple[Entangle, ...], device: torch.device
) -> torch.Tensor:
    """Eigenvalues in float64, (2**n, n_outputs), for states on which the last entanglers have not
    acted yet.

    CNOTs only reorder the rows, CZs change nothing.
    """
    table = eigenvalues(spec)
    for step in reversed(last_entanglers):
        gates = entangler(spec.n_qubits, spec.gate, step.pairs, torch.device("cpu"))
        if isinstance(gates, Reorder):
            table = table[gates.target.numpy()]
    return torch.from_numpy(table).to(device=device, dtype=torch.float64)


def measure(psi: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Expectation values in float64, (batch, n_outputs): millions of probabilities are added up,
    float32 would lose digits.
    """
    if psi.is_complex():
        squares = torch.view_as_real(psi).square()
        probabilities = squares[..., 0] + squares[..., 1]
    else:
        probabilities = psi.square()
    return probabilities.double() @ table
