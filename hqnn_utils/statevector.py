"""Floor 1: the fused engine, a batched torch simulation of a :class:`CircuitSpec` that PyTorch differentiates itself.

At these sizes a simulation costs what its number of torch calls costs, and each gate of its own would be several calls.
So there are no gates here. Two ideas, each a few large operations:

1. **Mean of cosines** (angle encoding about X, RX, CNOT: the circuit of the study): see ``cosines.py``. No state at all.
2. **Fused layers** (everything else). The first layer acts on |0...0>, so the state after it is a product state and needs no
   matrix. In a later layer all one-qubit gates together are a Kronecker product: two matrix products on the two halves of the
   register. CNOTs are one permutation, CZs one vector of signs, and those before the measurement cost nothing, because they
   only permute the table of the observables. Circuits without complex numbers (RY) are computed without them.

Qubit 0 is the most significant bit, as in PennyLane.
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch

from .circuits import CircuitSpec
from .cosines import is_mean_of_cosines, mean_of_cosines, observable_masks, parity

DOUBLE_UP_TO = 8  # up to this many qubits the work is done in float64, whatever the inputs are
FULL_REGISTER = 5  # up to this many qubits a layer is one matrix, above it two


def expectations(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Expectation values of ``spec`` for a batch.

    Parameters
    ----------
    inputs : (batch, n_inputs), float32 or float64, on any torch device.
    weights : ``spec.weight_shape``, or (batch, *weight_shape) for weights of their own in each row; same dtype as inputs.

    Returns
    -------
    (batch, n_outputs) of the inputs' dtype, differentiable any number of times in inputs and weights.

    Raises
    ------
    ValueError : shapes that do not fit, or an amplitude-encoded row of zeros.
    """
    _check(spec, inputs, weights)
    # Few qubits: too few terms for rounding errors to average out, and double precision costs next to nothing there.
    dtype = inputs.dtype if spec.n_qubits > DOUBLE_UP_TO else torch.float64
    x, w = inputs.to(dtype), weights.to(dtype)
    return (mean_of_cosines if is_mean_of_cosines(spec) else _fused_layers)(spec, x, w).to(inputs.dtype)


def state(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The state before the measurement, (batch, 2**n), complex64 or complex128. Arguments as in :func:`expectations`."""
    _check(spec, inputs, weights)
    psi, pending = _evolve(spec, inputs, weights)
    for kind, value in pending:
        psi = _entangle(psi, kind, value)
    return torch.complex(psi, torch.zeros_like(psi)) if not psi.is_complex() else psi


def _check(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    if inputs.ndim != 2 or inputs.shape[1] != spec.n_inputs:
        raise ValueError(f"inputs must have shape (batch, {spec.n_inputs}), got {tuple(inputs.shape)}")
    if tuple(weights.shape) not in (spec.weight_shape, (len(inputs), *spec.weight_shape)):
        raise ValueError(f"weights must have shape {spec.weight_shape}, alone or behind a batch of {len(inputs)}, got {tuple(weights.shape)}")
    if spec.encoding == "amplitude" and bool((inputs.detach() == 0).all(dim=1).any()):
        raise ValueError("amplitude encoding cannot normalise a row of zeros: drop it or add a constant feature")


def _fused_layers(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    psi, pending = _evolve(spec, inputs, weights)
    table = _observable_table(spec, bool(pending), inputs.dtype, inputs.device)  # only the last entangler can be pending
    if psi.is_complex():
        return torch.view_as_real(psi).flatten(1).square() @ table
    return psi.square() @ table[::2]


def _evolve(spec: CircuitSpec, x: torch.Tensor, weights: torch.Tensor):
    """State (batch, 2**n), real where the circuit is real, and the entanglers still to be applied."""
    n = spec.n_qubits
    real = spec.rotation == "RY" and (spec.encoding == "amplitude" or (spec.encoding == "angle" and spec.axis == "Y"))
    gates = _rotations(spec.rotation, weights, real)  # (..., layers, n, 2, 2)
    encode = _rotations("R" + spec.axis, spec.scaling * x, real) if spec.encoding == "angle" else None  # (batch, n, 2, 2)
    psi, local, pending = None, None, []
    for layer in range(spec.n_layers):
        rotation = gates[..., layer, :, :, :]
        if layer == 0 or spec.reupload:
            if spec.encoding == "angle":
                local = encode
            elif spec.encoding == "amplitude":
                psi = x / x.norm(dim=1, keepdim=True)
                psi = psi if real else torch.complex(psi, torch.zeros_like(psi))
            else:  # iqp: Hadamards, which on |0...0> give equal amplitudes, then phases
                if psi is not None:
                    psi = _apply_local(_flush(psi, pending), _hadamard(n, psi.dtype, psi.device))
                psi = _iqp_phases(spec.scaling * x, psi)
        if not spec.is_mirrored(layer):
            local = rotation if local is None else rotation @ local
        if local is not None:
            psi = _product_state(local[..., 0].expand(len(x), -1, -1)) if psi is None else _apply_local(_flush(psi, pending), local)
            local = None
        pending += _entangler(spec, layer, x.device)
        if spec.is_mirrored(layer):
            psi = _apply_local(_flush(psi, pending), rotation)
    return psi, pending


def _rotations(name: str, angles: torch.Tensor, real: bool = False) -> torch.Tensor:
    """One-qubit matrices (..., 2, 2) for angles (...), or (..., 3) for Rot = RZ(c) RY(b) RZ(a)."""
    if name == "Rot":
        a, b, c = (angles / 2).unbind(-1)
        cos, sin, plus, minus = b.cos(), b.sin(), a + c, a - c
        # e^{-i(a+c)/2} cos and e^{i(a-c)/2} sin. Not torch.polar: its gradient is wrong where cos or sin is negative.
        outer = torch.complex(cos * plus.cos(), -cos * plus.sin())
        inner = torch.complex(sin * minus.cos(), sin * minus.sin())
        return torch.stack([outer, -inner, inner.conj(), outer.conj()], dim=-1).unflatten(-1, (2, 2))
    cos, sin = (angles / 2).cos(), (angles / 2).sin()
    if name == "RY":
        matrix = torch.stack([cos, -sin, sin, cos], dim=-1).unflatten(-1, (2, 2))
        return matrix if real else torch.complex(matrix, torch.zeros_like(matrix))
    zero = torch.zeros_like(cos)
    if name == "RX":
        parts = [cos, zero, zero, cos], [zero, -sin, -sin, zero]
    else:
        parts = [cos, zero, zero, cos], [-sin, zero, zero, sin]
    return torch.complex(*(torch.stack(p, dim=-1) for p in parts)).unflatten(-1, (2, 2))


def _product_state(vectors: torch.Tensor) -> torch.Tensor:
    """Kronecker product of one-qubit states, (batch, n, 2) -> (batch, 2**n)."""
    psi = vectors[:, 0]
    for q in range(1, vectors.shape[1]):
        psi = (psi.unsqueeze(2) * vectors[:, q].unsqueeze(1)).flatten(1)
    return psi


def _kron(matrices: torch.Tensor) -> torch.Tensor:
    """Kronecker product along the third last axis, (..., m, 2, 2) -> (..., 2**m, 2**m)."""
    out = matrices[..., 0, :, :]
    for q in range(1, matrices.shape[-3]):
        product = out[..., :, None, :, None] * matrices[..., q, None, :, None, :]
        out = product.flatten(-4, -3).flatten(-2, -1)
    return out


def _apply_local(psi: torch.Tensor, matrices: torch.Tensor) -> torch.Tensor:
    """All one-qubit gates of a layer at once; matrices (n, 2, 2), or (batch, n, 2, 2) for one set per row."""
    n = matrices.shape[-3]
    if n <= FULL_REGISTER:
        whole = _kron(matrices)
        return psi @ whole.mT if whole.ndim == 2 else (psi.unsqueeze(1) @ whole.mT).squeeze(1)
    half = n // 2
    left, right = _kron(matrices[..., :half, :, :]), _kron(matrices[..., half:, :, :])
    return (left @ (psi.unflatten(1, (2**half, -1)) @ right.mT)).flatten(1)


class _Permute(torch.autograd.Function):
    """psi[:, source]. PyTorch's own backward of an index adds up in single steps; for a permutation it is an index again."""

    @staticmethod
    def forward(ctx, psi, source, inverse):
        ctx.save_for_backward(source, inverse)
        return psi.index_select(1, source)

    @staticmethod
    def backward(ctx, gradient):
        source, inverse = ctx.saved_tensors
        return _Permute.apply(gradient, inverse, source), None, None


def _entangle(psi: torch.Tensor, kind: str, value) -> torch.Tensor:
    return _Permute.apply(psi, *value) if kind == "permute" else psi * value.to(psi.real.dtype)


def _flush(psi: torch.Tensor, pending: list) -> torch.Tensor:
    """Apply the entanglers that have been put off, and empty the list."""
    for kind, value in pending:
        psi = _entangle(psi, kind, value)
    pending.clear()
    return psi


def _entangler(spec: CircuitSpec, layer: int, device: torch.device) -> list:
    return _entangler_of(spec.n_qubits, spec.gate, spec.pairs(layer), device) if spec.pairs(layer) else []


@lru_cache(maxsize=256)
def _entangler_of(n: int, gate: str, pairs: tuple, device: torch.device) -> list:
    """The two-qubit gates of a layer as one permutation (CNOT) or one vector of signs (CZ)."""
    index = np.arange(2**n)
    bit = lambda k, q: (k >> (n - 1 - q)) & 1  # noqa: E731
    if gate == "CZ":
        signs = np.prod([1 - 2 * bit(index, a) * bit(index, b) for a, b in pairs], axis=0)
        return [("sign", torch.from_numpy(signs).to(device))]
    source = index
    for control, target in reversed(pairs):  # where the amplitude at k came from: undo the last gate first
        source = source ^ (bit(source, control) << (n - 1 - target))
    inverse = np.argsort(source)
    return [("permute", (torch.from_numpy(source).to(device), torch.from_numpy(inverse).to(device)))]


@lru_cache(maxsize=16)
def _hadamard(n: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    return (torch.tensor([[1, 1], [1, -1]], dtype=dtype, device=device) / math.sqrt(2)).expand(n, 2, 2)


def _iqp_phases(x: torch.Tensor, psi: torch.Tensor | None) -> torch.Tensor:
    """exp(-i/2 (sum x_i Z_i + sum x_i x_j Z_i Z_j)) on psi, or on equal amplitudes."""
    n = x.shape[1]
    i, j = np.triu_indices(n, 1)
    phase = torch.cat([x, x[:, i] * x[:, j]], dim=1) @ _iqp_table(n, x.dtype, x.device)
    amplitude = torch.full_like(phase, 2 ** (-n / 2)) if psi is None else torch.ones_like(phase)
    phases = torch.polar(amplitude, phase)
    return phases if psi is None else psi * phases


@lru_cache(maxsize=16)
def _iqp_table(n: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    z = _signs(n)
    pairs = [z[i] * z[j] for i in range(n) for j in range(i + 1, n)]
    return torch.from_numpy(-0.5 * np.array([*z, *pairs])).to(device=device, dtype=dtype)


def _signs(n: int) -> np.ndarray:
    """Eigenvalue of Z on each qubit for each basis state, (n, 2**n)."""
    return np.array([1.0 - 2 * ((np.arange(2**n) >> (n - 1 - q)) & 1) for q in range(n)])


@lru_cache(maxsize=64)
def _observable_table(spec: CircuitSpec, folded: bool, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """Eigenvalues, (2 * 2**n, n_outputs): each row twice, for real and imaginary part.

    With ``folded`` for the amplitudes before the last layer's entangler: CNOTs only reorder the rows, CZs change nothing.
    """
    index = np.arange(2**spec.n_qubits)
    table = np.array([1.0 - 2 * parity(index & z) for z in observable_masks(spec)]).T
    if folded:
        for kind, value in _entangler(spec, spec.n_layers - 1, torch.device("cpu")):
            if kind == "permute":  # after it the amplitude at k is psi[source[k]]: that one gets the eigenvalue of k
                table = table[value[1].numpy()]
    return torch.from_numpy(np.repeat(table, 2, axis=0)).to(device=device, dtype=dtype)
