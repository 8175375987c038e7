"""The circuit of the study as a mean of cosines, exactly.

With angle encoding about X, trainable RX and CNOTs, no gate ever leaves the family of X rotations: a CNOT turns an X into a
product of X's. The whole circuit is a product of commuting rotations exp(-i t_j P_j / 2) with X-strings P_j, and |0...0> is
left alone by the CNOTs. For an observable O, a product of Z's, the rotations whose P_j commutes with O cancel, the others
double, and what is left is diagonal in the X basis:

    <O> = mean over sign patterns k of cos(sum_j s_kj t_j),   s_kj = +1 or -1, over the j whose P_j anticommutes with O.

One matrix product, one cosine, one mean. This is an identity, not an approximation; no other rotation has it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from hqnn_utils.quantum.circuits import CircuitSpec

MAX_TABLE = (
    2**26
)  # entries of the sign table (256 MiB in float32); a larger circuit goes through the fused layers


def parity(masks: np.ndarray) -> np.ndarray:
    """0 or 1: whether the number of set bits is odd."""
    return (np.bitwise_count(masks) & 1).astype(np.int8)


def observable_masks(spec: CircuitSpec) -> list[int]:
    """Which qubits carry a Z, as bit masks, in the order of the outputs."""
    n = spec.n_qubits
    bit = [1 << (n - 1 - q) for q in range(n)]
    if spec.observable == "ZZ":
        return [bit[i] | bit[j] for i in range(n) for j in range(i + 1, n)]
    return {"Z": bit, "Z0": bit[:1], "parity": [2**n - 1]}[spec.observable]


def eigenvalues(spec: CircuitSpec) -> np.ndarray:
    """Value of each observable for each basis state, (2**n, n_outputs) of +1 and -1 as int8; qubit 0 is the most significant bit."""
    return np.array(
        [1 - 2 * parity(np.arange(2**spec.n_qubits) & mask) for mask in observable_masks(spec)]
    ).T


def is_mean_of_cosines(spec: CircuitSpec) -> bool:
    """Whether the identity holds for this circuit and its table is small enough."""
    commuting = (
        spec.encoding == "angle"
        and spec.axis == "X"
        and spec.rotation == "RX"
        and (spec.gate == "CNOT" or spec.entangler == "none")
    )
    return (
        commuting
        and spec.n_outputs * 2 ** (spec.n_qubits - 1) * (spec.n_inputs + spec.n_weights)
        <= MAX_TABLE
    )


def mean_of_cosines(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Expectation values (batch, n_outputs); arguments as in :func:`hqnn_utils.statevector.expectations`."""
    from_inputs, from_weights = sign_tables(spec, inputs.dtype, inputs.device)
    bias = weights.flatten(1 if weights.ndim > len(spec.weight_shape) else 0) @ from_weights
    angles = torch.addmm(bias, inputs, from_inputs)
    return _MeanOfCosines.apply(angles.unflatten(1, (spec.n_outputs, -1)))


class _MeanOfCosines(torch.autograd.Function):
    """cos(angles).mean(dim=2) for (batch, n_outputs, K). Its own backward makes two passes where autograd makes four."""

    @staticmethod
    def forward(ctx, angles):
        ctx.save_for_backward(angles)
        return angles.cos().mean(dim=2)

    @staticmethod
    def backward(ctx, gradient):
        (angles,) = ctx.saved_tensors
        return angles.sin().mul_((gradient / -angles.shape[2]).unsqueeze(2))


def x_strings(spec: CircuitSpec) -> tuple[list[list[int]], list[int]]:
    """Bit masks of the X-strings P_j as seen at the end of the circuit: of each feature (one per upload) and of each weight.

    Going backwards through the circuit, an X on the control of a CNOT spreads to the target.
    """
    n = spec.n_qubits
    bit = [1 << (n - 1 - q) for q in range(n)]
    inputs: list[list[int]] = [[] for _ in range(n)]
    weights: list[int] = []
    spread = list(bit)  # spread[q]: what an X on qubit q at the present place becomes at the end
    for layer in reversed(range(spec.n_layers)):
        here: list[int] = []
        if spec.is_mirrored(layer):
            here = list(spread)
        for control, target in reversed(spec.pairs(layer)):
            spread[control] ^= spread[target]
        if not spec.is_mirrored(layer):
            here = list(spread)
        weights = here + weights
        if layer == 0 or spec.reupload:
            for q in range(n):
                inputs[q].append(spread[q])
    return inputs, weights


def sign_tables(
    spec: CircuitSpec, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables kept for the next call: many small ones, or two that may have 256 MiB each."""
    return (_small_tables if spec.n_qubits <= 10 else _large_tables)(spec, dtype, device)


def _make_tables(
    spec: CircuitSpec, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Signs s_kj for features and weights, (n_inputs, n_outputs * K) and (n_weights, n_outputs * K)."""
    per_input, per_weight = x_strings(spec)
    strings = np.array([m for group in per_input for m in group] + per_weight, dtype=np.int64)
    patterns = []
    for z in observable_masks(spec):
        counts = parity(strings & z) == 1  # P_j anticommutes with O
        k = _patterns_once(strings[counts])
        patterns.append((1 - 2 * parity(k[:, None] & strings)) * counts)
    size = max(
        len(p) for p in patterns
    )  # all patterns are equally frequent: repeat the shorter lists
    table = np.concatenate([np.tile(p, (size // len(p), 1)) for p in patterns]).T
    uploads = len(strings) - len(per_weight)
    from_inputs = spec.scaling * table[:uploads].reshape(spec.n_inputs, -1, table.shape[1]).sum(
        axis=1
    )
    return tuple(
        torch.from_numpy(np.ascontiguousarray(t)).to(device=device, dtype=dtype)
        for t in (from_inputs, table[uploads:])
    )


def _patterns_once(strings: np.ndarray) -> np.ndarray:
    """Basis states k that give each sign pattern s_kj once, by Gaussian elimination over the bits; of s and -s only one."""
    pivots: list[int] = []
    basis: list[int] = []
    for mask in strings.tolist():
        for pivot, row in zip(pivots, basis):
            mask ^= row if mask & pivot else 0
        if mask:
            pivots.append(mask & -mask)
            basis.append(mask)
    k = np.zeros(1, dtype=np.int64)
    for pivot in pivots:
        k = np.concatenate([k, k | pivot])
    return k[parity(k & strings[0]) == 0]


_small_tables = lru_cache(maxsize=64)(_make_tables)
_large_tables = lru_cache(maxsize=2)(_make_tables)
