"""A batch of states, and the steps that run on it, forwards and backwards."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from hqnn_utils.quantum.engine.gates import group_matrices, groups_of
from hqnn_utils.quantum.engine.kept import kept
from hqnn_utils.quantum.engine.program import cz_signs


@dataclass(frozen=True)
class Operators:
    """What the steps multiply a state with.

    Attributes
    ----------
    groups : for each group of m qubits the matrices of all local steps, (steps, [batch,] 2**m,
        2**m).
    phases : (batch, 2**n), or None for a circuit without phases.
    """

    groups: list[torch.Tensor]
    phases: torch.Tensor | None

    def inverse(self) -> Operators:
        """The operators that undo these: all of them are unitary."""
        phases = None if self.phases is None else self.phases.conj()
        return Operators([m.mH.resolve_conj() for m in self.groups], phases)


def operators(gates: torch.Tensor, phases: torch.Tensor | None, dtype: torch.dtype) -> Operators:
    """From the one-qubit gates of all local steps, (steps, [batch,] n, 2, 2)."""
    return Operators(group_matrices(gates, dtype), phases)


@dataclass(frozen=True)
class LocalStep:
    """Product of one-qubit gates number ``index``."""

    index: int

    def run(self, psi: torch.Tensor, with_: Operators) -> torch.Tensor:
        """On states (..., batch, 2**n)."""
        *batch, right = shape = psi.shape
        left = right
        for matrices in with_.groups:
            matrix = matrices[self.index]
            size = matrix.shape[-1]
            right //= size
            if right == 1:  # the last group
                psi = psi.reshape(*batch, left // size, size) @ matrix.mT
            else:
                psi = matrix.unsqueeze(-3) @ psi.reshape(*batch, left // size // right, size, right)
        return psi.reshape(shape)

    undo = run  # with the inverse operators


@dataclass(frozen=True)
class PhaseStep:
    """A phase for each basis state."""

    def run(self, psi: torch.Tensor, with_: Operators) -> torch.Tensor:
        """On states (..., batch, 2**n)."""
        return psi * with_.phases

    undo = run  # with the inverse operators


@dataclass(frozen=True)
class Reorder:
    """CNOTs: they only move amplitudes. The amplitude at k comes from ``source[k]`` and goes to
    ``target[k]``.
    """

    source: torch.Tensor
    target: torch.Tensor

    def run(self, psi: torch.Tensor, with_: Operators) -> torch.Tensor:
        """On states (..., batch, 2**n)."""
        return psi.gather(-1, self.source.expand(psi.shape))

    def undo(self, psi: torch.Tensor, with_: Operators) -> torch.Tensor:
        """The other way round."""
        return psi.gather(-1, self.target.expand(psi.shape))


@dataclass(frozen=True)
class Signs:
    """CZs: they only change signs."""

    values: torch.Tensor

    def run(self, psi: torch.Tensor, with_: Operators) -> torch.Tensor:
        """On states (..., batch, 2**n)."""
        return psi * self.values.to(psi.real.dtype)

    undo = run


RunnableStep = LocalStep | PhaseStep | Reorder | Signs


@kept(256)
def entangler(n: int, gate: str, pairs: tuple, device: torch.device) -> Reorder | Signs:
    """The two-qubit gates of a layer as one permutation (CNOT) or one vector of signs (CZ)."""
    if gate == "CZ":
        return Signs(torch.from_numpy(cz_signs(n, pairs)).to(device))
    source = np.arange(2**n)  # where an amplitude came from: undo the last gate first
    for control, target in reversed(pairs):
        bit = (source >> (n - 1 - control)) & 1
        source = source ^ (bit << (n - 1 - target))
    target = np.argsort(source)
    return Reorder(torch.from_numpy(source).to(device), torch.from_numpy(target).to(device))


def transfers(psi: torch.Tensor, gradient: torch.Tensor, per_row: bool) -> torch.Tensor:
    """For each qubit sum psi_i* gradient_j over all other qubits, (n, 2, 2).

    Added up over the batch, unless each row has its own gates: then (batch, n, 2, 2).
    """
    psi = psi.conj().resolve_conj()
    batch, right = psi.shape
    left, found = 1, []
    for m in groups_of(int(math.log2(right))):
        size = 2**m
        right //= size
        rows = (batch, left) if per_row else (batch * left,)
        if right > 1:
            a, b = psi.reshape(*rows, size, right), gradient.reshape(*rows, size, right)
            group = (a @ b.mT).sum(-3)
        else:  # the last group: one product does the sum too
            group = psi.reshape(*rows, size).mT @ gradient.reshape(*rows, size)
        found.append(group.flatten(-2)[..., _trace_index(m, psi.device)].sum(-1))
        left *= size
    return found[0] if len(found) == 1 else torch.cat(found, dim=-3)


@kept(64)
def _trace_index(m: int, device: torch.device) -> torch.Tensor:
    """Where in a flat 2**m by 2**m matrix the entries stand that a partial trace adds up, (m, 2, 2,
    2**(m-1)).
    """
    qubit, row_bit, column_bit, rest = np.ogrid[:m, :2, :2, : 2 ** (m - 1)]
    low = m - 1 - qubit  # number of bits behind this qubit's

    def insert(bit: np.ndarray) -> np.ndarray:
        """The number ``rest`` with one more bit put in at this qubit's place."""
        return ((rest >> low) << (low + 1)) | (bit << low) | (rest & ((1 << low) - 1))

    return torch.from_numpy(insert(row_bit) * 2**m + insert(column_bit)).to(device)
