"""The circuit of the study as a mean of cosines, exactly.

With angle encoding about X, trainable RX and CNOTs, no gate ever leaves the family of X rotations:
a CNOT turns an X into a product of X's. The whole circuit is a product of commuting rotations
exp(-i t_j P_j / 2) with X-strings P_j, and |0...0> is left alone by the CNOTs. For an observable O,
a product of Z's, the rotations whose P_j commutes with O cancel, the others double, and what is
left is diagonal in the X basis:

    <O> = mean over sign patterns k of cos(sum_j s_kj t_j),   s_kj = +1 or -1, over the j whose P_j
    anticommutes with O.

One matrix product, one cosine, one mean. This is an identity, not an approximation; no other
rotation has it.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

from hqnn_utils.quantum.engine.kept import in_a_transform, kept, refuse_batched
from hqnn_utils.quantum.engine.measurement import observable_masks, parity, qubit_bits
from hqnn_utils.quantum.spec import CircuitSpec

# Entries of the sign table (256 MiB in float32); a larger circuit goes through the fused layers.
MAX_TABLE = 2**26


def only_cosines(spec: CircuitSpec) -> bool:
    """Whether the identity holds for this circuit, however wide it is."""
    encodes_about_x = spec.encoding == "angle" and spec.axis == "X"
    keeps_x = spec.gate == "CNOT" or spec.entangler == "none"
    return encodes_about_x and spec.rotation == "RX" and keeps_x


@lru_cache(maxsize=256)
def is_mean_of_cosines(spec: CircuitSpec) -> bool:
    """Whether the identity holds for this circuit and its table is small enough."""
    if not only_cosines(spec):
        return False
    columns = spec.n_outputs * 2 ** (spec.n_qubits - 1)
    return columns * (spec.n_inputs + spec.n_weights) <= MAX_TABLE


def mean_of_cosines(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Expectation values (batch, n_outputs); arguments as in
    :func:`hqnn_utils.quantum.engine.fused.expectations`.
    """
    from_inputs, from_weights = sign_tables(spec, inputs.dtype, inputs.device)
    bias = weights.flatten(1 if weights.ndim > len(spec.weight_shape) else 0) @ from_weights
    angles = torch.addmm(bias, inputs, from_inputs)
    angles = angles.unflatten(1, (spec.n_outputs, -1))
    if in_a_transform(inputs):  # they look into plain operations
        return angles.cos().mean(dim=2)
    return _MeanOfCosines.apply(angles)


class _MeanOfCosines(torch.autograd.Function):
    """cos(angles).mean(dim=2) for (batch, n_outputs, K). Its own backward makes two passes where
    autograd makes four.
    """

    @staticmethod
    def forward(ctx, angles):
        ctx.save_for_backward(angles)
        return angles.cos().mean(dim=2)

    @staticmethod
    def backward(ctx, gradient):
        (angles,) = ctx.saved_tensors
        refuse_batched(gradient)
        return angles.sin().mul_((gradient / -angles.shape[2]).unsqueeze(2))


def x_strings(spec: CircuitSpec) -> tuple[list[list[int]], list[int]]:
    """Bit masks of the X-strings P_j as seen at the end of the circuit: of each feature (one per
    upload) and of each weight.

    Going backwards through the circuit, an X on the control of a CNOT spreads to the target.
    """
    inputs: list[list[int]] = [[] for _ in range(spec.n_qubits)]
    weights: list[int] = []
    # spread[q]: what an X on qubit q at the present place becomes at the end
    spread = qubit_bits(spec.n_qubits)
    for layer in reversed(range(spec.n_layers)):
        behind_entangler = list(spread)
        for control, target in reversed(spec.pairs(layer)):
            spread[control] ^= spread[target]
        weights = (behind_entangler if spec.is_mirrored(layer) else list(spread)) + weights
        if spec.uploads_before(layer):
            for strings, string in zip(inputs, spread, strict=True):
                strings.append(string)
    return inputs, weights


def sign_tables(
    spec: CircuitSpec, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Tables kept for the next call: many small ones, or two that may have 256 MiB each."""
    return (_small_tables if spec.n_qubits <= 10 else _large_tables)(spec, dtype, device)


def _make_tables(
    spec: CircuitSpec, dtype: torch.dtype, device: torch.device
) -> tuple[torch.Tensor, torch.Tensor]:
    """Signs s_kj for features and weights, (n_inputs, n_outputs * K) and (n_weights, n_outputs *
    K).
    """
    of_inputs, of_weights = x_strings(spec)
    uploads = [string for strings in of_inputs for string in strings]
    strings = np.array(uploads + of_weights, dtype=np.int64)
    patterns = [_sign_patterns(strings, mask) for mask in observable_masks(spec)]
    # All patterns of an output are equally frequent: the shorter lists are repeated.
    longest = max(len(pattern) for pattern in patterns)
    repeated = [np.tile(pattern, (longest // len(pattern), 1)) for pattern in patterns]
    table = np.concatenate(repeated).T
    by_upload = table[: len(uploads)].reshape(spec.n_inputs, -1, table.shape[1])
    from_inputs, from_weights = spec.scaling * by_upload.sum(axis=1), table[len(uploads) :]
    return tuple(
        torch.from_numpy(np.ascontiguousarray(t)).to(device=device, dtype=dtype)
        for t in (from_inputs, from_weights)
    )


def _sign_patterns(strings: np.ndarray, observable: int) -> np.ndarray:
    """s_kj of one output, (K, number of strings): 0 where P_j commutes with the observable."""
    anticommutes = parity(strings & observable) == 1
    k = _patterns_once(strings[anticommutes])
    return (1 - 2 * parity(k[:, None] & strings)) * anticommutes


def _patterns_once(strings: np.ndarray) -> np.ndarray:
    """Basis states k that give each sign pattern s_kj once, by Gaussian elimination over the bits;
    of s and -s only one.
    """
    pivots: list[int] = []
    basis: list[int] = []
    for string in strings.tolist():
        rest = string
        for pivot, row in zip(pivots, basis, strict=True):
            if rest & pivot:
                rest ^= row
        if rest:
            pivots.append(rest & -rest)  # its lowest bit
            basis.append(rest)
    k = np.zeros(1, dtype=np.int64)
    for pivot in pivots:
        k = np.concatenate([k, k | pivot])
    return k[parity(k & strings[0]) == 0]


_small_tables = kept(64)(_make_tables)
_large_tables = kept(2)(_make_tables)
