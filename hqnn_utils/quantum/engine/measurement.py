"""Eigenvalues of the observables, and the expectation values of a batch of states."""

from __future__ import annotations

import numpy as np
import torch

from hqnn_utils.quantum.engine.kept import kept
from hqnn_utils.quantum.engine.plan import Entangle
from hqnn_utils.quantum.spec import CircuitSpec

# Qubits whose signs stand in one table, and numbers that are made at a time.
LOW_BITS = 12
CHUNK = 2**20


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


def masks_before(
    spec: CircuitSpec, masks: list[int], last_entanglers: tuple[Entangle, ...]
) -> list[int]:
    """The products of Z that, measured in front of the last entanglers, give what ``masks`` give
    behind them: a Z on the target of a CNOT becomes one on both qubits; CZs change nothing.
    """
    if spec.gate == "CZ":
        return masks
    bits = qubit_bits(spec.n_qubits)
    for step in reversed(last_entanglers):
        for control, target in reversed(step.pairs):
            masks = [mask ^ bits[control] if mask & bits[target] else mask for mask in masks]
    return masks


class Observables:
    """Products of Z on a register, without a table of 2**n rows beyond 12 qubits.

    The sign of a basis state is a sign by its last 12 bits times a sign by the others: one table of
    2**12 rows, and one of 2**(n - 12).

    Attributes
    ----------
    low : (2**12 or less, outputs) in float64.
    high : (2**(n - 12) or 1, outputs) in float64.
    """

    def __init__(self, n: int, masks: list[int], device: torch.device):
        m = min(n, LOW_BITS)

        def signs(size: int, masks: list[int]) -> torch.Tensor:
            table = [1.0 - 2 * parity(np.arange(size) & mask) for mask in masks]
            return torch.from_numpy(np.array(table).T.copy()).to(device)

        self.low = signs(2**m, [mask & (2**m - 1) for mask in masks])
        self.high = signs(2 ** (n - m), [mask >> m for mask in masks])

    def _chunks(self, rows: int) -> list[slice]:
        """Parts of the register whose numbers fit the cache, as slices of the first bits."""
        size, each = len(self.high), max(1, CHUNK // (max(rows, 1) * len(self.low)))
        return [slice(begin, min(begin + each, size)) for begin in range(0, size, each)]

    def measure(self, psi: torch.Tensor) -> torch.Tensor:
        """Expectation values in float64, (batch, n_outputs): millions of probabilities are added
        up, float32 would lose digits.
        """
        psi = psi.unflatten(-1, (len(self.high), len(self.low)))
        values = []
        for part in self._chunks(len(psi)):
            by_part = _probabilities(psi[:, part]).double() @ self.low
            values.append((by_part * self.high[part]).sum(dim=1))
        return values[0] if len(values) == 1 else torch.stack(values).sum(dim=0)

    def gradient(self, psi: torch.Tensor, by_values: torch.Tensor) -> torch.Tensor:
        """The gradient by the state, from that by the values, (batch, n_outputs)."""
        parts = psi.unflatten(-1, (len(self.high), len(self.low)))
        by_values = 2 * by_values.double().unsqueeze(1)
        found = []
        for part in self._chunks(len(psi)):
            by_probability = (by_values * self.high[part]) @ self.low.T
            found.append(parts[:, part] * by_probability.to(psi.real.dtype))
        return (found[0] if len(found) == 1 else torch.cat(found, dim=1)).flatten(-2)


def _probabilities(psi: torch.Tensor) -> torch.Tensor:
    if not psi.is_complex():
        return psi.square()
    squares = torch.view_as_real(psi).square()
    return squares[..., 0] + squares[..., 1]


@kept(64)
def observables_of(
    spec: CircuitSpec, last_entanglers: tuple[Entangle, ...], device: torch.device
) -> Observables:
    """What a circuit measures, for states on which the last entanglers have not acted yet."""
    masks = masks_before(spec, observable_masks(spec), last_entanglers)
    return Observables(spec.n_qubits, masks, device)
