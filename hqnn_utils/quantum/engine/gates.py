"""Matrices of one-qubit gates, many at once, and their Kronecker products over groups of qubits.

Every entry of a rotation is a sum of cosines, so one ``cos`` and one product make them all.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch

from hqnn_utils.quantum.engine.kept import kept

ROTATIONS = ("RX", "RY", "RZ", "Rot")  # those that are known here

# Qubits whose gates become one matrix: larger means more arithmetic, smaller more calls.
LARGEST_GROUP = 5


def rotations(name: str, angles: torch.Tensor, scale: float, real: bool) -> torch.Tensor:
    """Matrices of one-qubit rotations.

    Parameters
    ----------
    name : ``"RX"``, ``"RY"``, ``"RZ"`` for angles (...), or ``"Rot"`` = RZ(c) RY(b) RZ(a) for
        angles (..., 3), in radian.
    scale : factor on the angles.
    real : leave the imaginary part out, for those that have none (RY).

    Returns
    -------
    (..., 2, 2), complex, or real with ``real=True``.
    """
    waves = _waves(name, scale, real, angles.dtype, angles.device)
    columns = angles if name == "Rot" else angles.unsqueeze(-1)
    entries = torch.cos(columns @ waves.combine + waves.shift) @ waves.table
    if real:
        return entries.unflatten(-1, (2, 2))
    return torch.view_as_complex(entries.unflatten(-1, (2, 2, 2)))


@dataclass(frozen=True)
class _Waves:
    """Which waves cos(angles @ combine + shift), and in ``table`` which sums of them are the
    entries of the matrix.
    """

    combine: torch.Tensor
    shift: torch.Tensor
    table: torch.Tensor


@kept(64)
def _waves(name: str, scale: float, real: bool, dtype: torch.dtype, device: torch.device) -> _Waves:
    combine, first_column = _rot_waves() if name == "Rot" else _axis_waves(name)
    re00, im00, re10, im10 = first_column
    # A rotation has 11 = conj(00) and 01 = -conj(10).
    table = [re00, im00, -re10, im10, re10, im10, re00, -im00]
    if real:
        table = table[::2]
    shift = np.repeat([0, -math.pi / 2], combine.shape[1])  # cosines first, then sines
    parts = (scale * np.hstack([combine, combine]), shift, np.array(table).T)
    return _Waves(
        *(torch.tensor(np.ascontiguousarray(p), dtype=dtype, device=device) for p in parts)
    )


def _axis_waves(name: str) -> tuple[np.ndarray, tuple]:
    """RX, RY, RZ: cosine and sine of half the angle."""
    cos, sin = np.eye(2)
    nothing = np.zeros(2)
    first_columns = {
        "RX": (cos, nothing, nothing, -sin),
        "RY": (cos, nothing, sin, nothing),
        "RZ": (cos, -sin, nothing, nothing),
    }
    return np.array([[0.5]]), first_columns[name]


def _rot_waves() -> tuple[np.ndarray, tuple]:
    """Rot(a, b, c): 00 is cos(b/2) e^(-i(c+a)/2), 10 is sin(b/2) e^(i(c-a)/2), each a sum of two
    waves by Euler's formula.
    """
    combine = np.array([[1, 1, -1, -1], [-1, 1, 1, -1], [1, 1, 1, 1]]) / 2
    cos, sin = np.split(np.eye(8) / 2, 2)
    first_column = (cos[0] + cos[1], -sin[0] - sin[1], sin[2] - sin[3], cos[3] - cos[2])
    return combine, first_column


def hadamards(n: int, like: torch.Tensor) -> torch.Tensor:
    """A Hadamard for each of n qubits, (n, 2, 2), with dtype and device of ``like``."""
    one = torch.tensor([[1, 1], [1, -1]], dtype=like.dtype, device=like.device)
    return one.expand(n, 2, 2) / math.sqrt(2)


def groups_of(n: int) -> list[int]:
    """Sizes of the groups of qubits whose gates are one matrix: nearly equal."""
    parts = math.ceil(n / LARGEST_GROUP)
    return [n // parts + (k < n % parts) for k in range(parts)]


def group_matrices(gates: torch.Tensor, dtype: torch.dtype) -> list[torch.Tensor]:
    """One matrix for each group of qubits: (..., n, 2, 2) -> a list of (..., 2**m, 2**m), rounded
    to ``dtype`` once.
    """
    groups = gates.split(groups_of(gates.shape[-3]), dim=-3)
    return [kronecker(group).to(dtype) for group in groups]


def kronecker(matrices: torch.Tensor) -> torch.Tensor:
    """Kronecker product along the third last axis, (..., m, r, c) -> (..., r**m, c**m): neighbours
    in pairs, and again.
    """
    m = matrices.shape[-3]
    if m == 1:
        return matrices.squeeze(-3)
    if m % 2:
        return _pair_product(matrices[..., 0, :, :], kronecker(matrices[..., 1:, :, :]))
    return kronecker(_pair_product(matrices[..., 0::2, :, :], matrices[..., 1::2, :, :]))


def _pair_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Kronecker product of matrices, (..., r, c) and (..., s, d) -> (..., r s, c d)."""
    product = a[..., :, None, :, None] * b[..., None, :, None, :]
    return product.flatten(-4, -3).flatten(-2, -1)


def product_state(vectors: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Kronecker product of one-qubit states, (batch, n, 2, 1) -> (batch, 2**n) of ``dtype``.

    First within the groups, then of the groups. Only the last product, which makes the whole
    register, is done in ``dtype``.
    """
    *first, last = [kronecker(group) for group in vectors.split(groups_of(vectors.shape[1]), dim=1)]
    if not first:
        return last.squeeze(-1).to(dtype)
    left = first[0]
    for group in first[1:]:
        left = _column_product(left, group)
    return _column_product(left.to(dtype), last.to(dtype)).squeeze(-1)


def _column_product(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Kronecker product of columns, (batch, r, 1) and (batch, s, 1) -> (batch, r s, 1)."""
    return (a @ b.mT).reshape(len(a), a.shape[1] * b.shape[1], 1)
