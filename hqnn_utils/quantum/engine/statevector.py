"""The fused engine, a batched torch simulation of a :class:`CircuitSpec` that PyTorch differentiates.

At these sizes a simulation costs what its number of torch calls costs, and each gate of its own would be several calls.
So there are no gates here. Three ideas, each a few large operations:

1. **Mean of cosines** (angle encoding about X, RX, CNOT: the circuit of the study): see ``cosines.py``. No state at all.
2. **Fused layers** (everything else). The first layer turns |0...0> into a product state, without a matrix. In a later layer
   all one-qubit gates are a Kronecker product: one matrix product for each group of up to five qubits. CNOTs are one
   permutation, CZs one vector of signs, and before the measurement they cost nothing: they go into the table of observables.
3. **Undo instead of remember** (the adjoint method): the backward pass runs the circuit backwards from its last state.

Qubit 0 is the most significant bit, as in PennyLane.

How exact it is
---------------
Up to 8 qubits everything is done in float64. Above, float32 inputs give a float32 register, but whatever is small or
is a long sum is still done in float64: the gates, the parts of the product state, and the sum of the probabilities.
So the error of an expectation value has a bound that no order of summation (processor, threads, BLAS) can break.
With eps = 2**-24, to first order:

- An amplitude of the product state is one float32 product of two numbers that were rounded once: its relative error
  is at most (1 + 1 + 2 sqrt 2) eps. Behind the first layer that is also the error of the whole state in the 2-norm.
- A later layer multiplies each group of m qubits by a matrix that was rounded once; the dot products have 2**m complex
  terms. With ||abs(M)|| <= 2**(m/2) for a product of one-qubit unitaries, it adds at most
  (1 + 2 sqrt 2 * 2**m) 2**(m/2) eps. CNOTs and CZs add nothing.
- An observable with eigenvalues +1 and -1 doubles the error of the state. A probability is the float32 sum of two float32
  squares: 2 eps more. The result is rounded once: 1 eps.

For one layer on any number of qubits that is (2 (2 + 2 sqrt 2) + 3) eps = 12.7 eps = 7.5e-7; for two layers on 20 qubits
(four groups of five) 4,154 eps = 2.5e-4. The second is a worst case: rounding errors have signs, and what is seen is
about 3e-7. (Higham, Accuracy and Stability of Numerical Algorithms, chapter 3; Higham and Mary, SIAM J. Sci. Comput. 41,
2019, for why sums come out so much better than their bounds.)

Two float32 routes are worse off, because angles are added up before a cosine is taken: IQP phases (n (n + 1) / 2 terms)
and the mean of cosines (a term for each angle). With t terms theta_k the error of such a sum is at most
t eps sum |theta_k|; the mean of K cosines adds at most K eps, in practice log2(K) eps, since PyTorch adds in pairs.
"""

from __future__ import annotations

import math
from functools import lru_cache, reduce

import numpy as np
import torch

from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.quantum.engine.cosines import eigenvalues, is_mean_of_cosines, mean_of_cosines
from hqnn_utils.quantum.engine.rotations import rotations

DOUBLE_UP_TO = 8  # up to this many qubits the work is done in float64, whatever the inputs are
LARGEST_GROUP = (
    5  # qubits whose gates become one matrix: larger means more arithmetic, smaller more calls
)


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
    if is_mean_of_cosines(spec):
        return mean_of_cosines(spec, x, w).to(inputs.dtype)
    psi, gates, phases, steps = _prepare(spec, x, w, to_the_end=False)
    return _Fused.apply(psi, gates, phases, steps, _observable_table(spec, x.device)).to(
        inputs.dtype
    )


def state(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The state before the measurement, (batch, 2**n), complex64 or complex128. Arguments as in :func:`expectations`."""
    _check(spec, inputs, weights)
    psi = _run(*_prepare(spec, inputs, weights, to_the_end=True))
    return psi if psi.is_complex() else psi.to(psi.dtype.to_complex())


def _check(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    if inputs.ndim != 2 or inputs.shape[1] != spec.n_inputs:
        raise ValueError(
            f"inputs must have shape (batch, {spec.n_inputs}), got {tuple(inputs.shape)}"
        )
    if tuple(weights.shape) not in (spec.weight_shape, (len(inputs), *spec.weight_shape)):
        raise ValueError(
            f"weights must have shape {spec.weight_shape}, alone or behind a batch of {len(inputs)}, got {tuple(weights.shape)}"
        )
    if spec.encoding == "amplitude" and bool((inputs.detach() == 0).all(dim=1).any()):
        raise ValueError(
            "amplitude encoding cannot normalise a row of zeros: drop it or add a constant feature"
        )


@lru_cache(maxsize=64)
def _plan(spec: CircuitSpec, to_the_end: bool) -> tuple:
    """The circuit as fused steps: ("local", (what, ...)), ("phases", None), ("entangle", pairs).

    A local step is a product of one-qubit gates on each qubit: "encode", "hadamard" or the number of a layer of rotations.
    Entanglers that nothing follows are left to ``_observable_table``, unless the state itself is wanted.
    """
    steps, local = [], []
    for layer in range(spec.n_layers):
        upload = spec.encoding if layer == 0 or spec.reupload else None
        if upload == "iqp":
            steps, local = [*steps, ("local", (*local, "hadamard")), ("phases", None)], []
        local += ["encode"] * (upload == "angle") + [layer] * (not spec.is_mirrored(layer))
        if spec.pairs(layer):
            steps, local = (
                [*steps, *[("local", tuple(local))] * bool(local), ("entangle", spec.pairs(layer))],
                [],
            )
        local += [layer] * spec.is_mirrored(layer)
    steps += [("local", tuple(local))] * bool(local)
    while not to_the_end and steps[-1][0] == "entangle":
        steps.pop()
    return tuple(steps)


def _prepare(spec: CircuitSpec, x: torch.Tensor, weights: torch.Tensor, to_the_end: bool) -> tuple:
    """Start state (batch, 2**n), gates of the local steps (steps, [batch,] n, 2, 2), iqp phases (batch, 2**n), and the steps."""
    n, plan = spec.n_qubits, _plan(spec, to_the_end)
    # Only RY, CNOT and CZ have no imaginary part; real arithmetic is three to four times cheaper.
    real = spec.rotation == "RY" and (
        spec.encoding == "amplitude" or (spec.encoding == "angle" and spec.axis == "Y")
    )
    # Gates are few and small: they are made in float64, and what is built of them is rounded once.
    gates = dict(enumerate(rotations(spec.rotation, weights.double(), 1.0, real).unbind(-4)))
    product, phases = (
        lambda names, start: reduce(lambda done, name: gates[name] @ done, names, start),
        None,
    )
    if spec.encoding == "amplitude":
        rows = x.double()
        psi = rows / rows.norm(dim=1, keepdim=True)
    elif spec.encoding == "angle":
        gates["encode"] = rotations("R" + spec.axis, x.double(), spec.scaling, real)
        (_, first), *plan = plan
        psi = _product_state(product(first[1:], gates["encode"][..., :1]), x.dtype)
    else:
        phases, plan = _iqp_phases(spec.scaling * x), plan[2:]
        psi = phases * 2 ** (-n / 2)  # Hadamards on |0...0> give equal amplitudes
        gates["hadamard"] = torch.tensor(
            [[1, 1], [1, -1]], dtype=gates[0].dtype, device=x.device
        ).expand(n, 2, 2) / math.sqrt(2)
    local, steps = [], []
    for kind, value in plan:
        if kind == "local":
            local.append(product(value[1:], gates[value[0]]))
        steps.append(
            _entangler(n, spec.gate, value, x.device)
            if kind == "entangle"
            else (kind, len(local) - 1)
        )
    stacked = (
        torch.stack(torch.broadcast_tensors(*local)) if local else gates[0].new_zeros(0, n, 2, 2)
    )
    return psi.to(_register_dtype(x.dtype, real)), stacked, phases, steps


def _register_dtype(dtype: torch.dtype, real: bool) -> torch.dtype:
    return dtype if real else dtype.to_complex()


def _run(
    psi: torch.Tensor, gates: torch.Tensor, phases: torch.Tensor | None, steps: list
) -> torch.Tensor:
    matrices = _matrices(gates, psi.dtype)
    for kind, value in steps:
        psi = _step(psi, kind, value, matrices, phases)
    return psi


def _step(
    psi: torch.Tensor, kind: str, value, matrices: list, phases: torch.Tensor | None
) -> torch.Tensor:
    """One step on states (..., batch, 2**n)."""
    if kind == "permute":
        return psi.gather(-1, value[0].expand(psi.shape))
    if kind == "sign":
        return psi * value.to(psi.real.dtype)
    if kind == "phases":
        return psi * phases
    shape, right = psi.shape, psi.shape[-1]
    for matrix in (m[value] for m in matrices):
        size = matrix.shape[-1]
        right //= size
        if right == 1:  # the last group
            psi = psi.reshape(*shape[:-1], shape[-1] // size, size) @ matrix.mT
        else:
            psi = matrix.unsqueeze(-3) @ psi.reshape(
                *shape[:-1], shape[-1] // size // right, size, right
            )
    return psi.reshape(shape)


class _Fused(torch.autograd.Function):
    """``_run`` and the measurement, with the adjoint method (Jones and Gacon, arXiv 2009.02823) as backward pass."""

    @staticmethod
    def forward(ctx, psi, gates, phases, steps, table):
        end = _run(psi, gates, phases, steps)
        ctx.steps, ctx.table = steps, table
        ctx.save_for_backward(psi, gates, phases, end)
        return _measure(end, table)

    @staticmethod
    def backward(ctx, gradient):
        start, gates, phases, end = ctx.saved_tensors
        if (
            torch.is_grad_enabled()
        ):  # a second derivative is wanted: PyTorch's own way, which remembers each step
            values, needed = (
                _measure(_run(start, gates, phases, ctx.steps), ctx.table),
                ctx.needs_input_grad[:3],
            )
            wanted = [t for t, need in zip((start, gates, phases), needed) if need]
            found = iter(
                torch.autograd.grad(
                    values, wanted, gradient, create_graph=True, materialize_grads=True
                )
            )
            return *(next(found) if need else None for need in needed), None, None
        inverse = [m.mH.resolve_conj() for m in _matrices(gates, end.dtype)]
        pair = torch.stack(
            [end, end * ((2 * gradient) @ ctx.table.T).to(end.real.dtype)]
        )  # state and gradient go back side by side
        transfers, to_phases = [None] * len(gates), []
        for kind, value in reversed(ctx.steps):
            if kind == "local":
                transfers[value] = _transfers(*pair, gates.ndim == 5)
            back = value[::-1] if kind == "permute" else value
            pair = _step(pair, kind, back, inverse, phases if phases is None else phases.conj())
            if kind == "phases":
                to_phases.append(phases * pair[1] * pair[0].conj())
        # Changing a gate G by dG changes the loss by Re tr(dG G^-1 T*), T* the conjugate of the transfer: the gradient is T^T G.
        to_gates = torch.stack(transfers).mT.to(gates.dtype) @ gates if transfers else None
        return pair[1], to_gates, sum(to_phases) if to_phases else None, None, None


def _measure(psi: torch.Tensor, table: torch.Tensor) -> torch.Tensor:
    """Expectation values in float64: millions of probabilities are added up here, and float32 would lose digits."""
    if psi.is_complex():
        squares = torch.view_as_real(psi).square()
        probabilities = squares[..., 0] + squares[..., 1]
    else:
        probabilities = psi.square()
    return probabilities.double() @ table


def _groups(n: int) -> list[int]:
    """Sizes of the groups of qubits whose gates are one matrix: nearly equal."""
    parts = math.ceil(n / LARGEST_GROUP)
    return [n // parts + (k < n % parts) for k in range(parts)]


def _matrices(gates: torch.Tensor, dtype: torch.dtype) -> list:
    """For each group of qubits one matrix for each local step, (steps, 2**m, 2**m) or (steps, batch, 2**m, 2**m)."""
    return [_kron(group).to(dtype) for group in gates.split(_groups(gates.shape[-3]), dim=-3)]


def _transfers(psi: torch.Tensor, gradient: torch.Tensor, per_row: bool) -> torch.Tensor:
    """sum psi_i* gradient_j of each qubit, the others traced out; over the batch unless each row has its own gates."""
    psi, (batch, size), found, left = psi.conj().resolve_conj(), psi.shape, [], 1
    for m in _groups(int(math.log2(size))):
        right = size // left >> m
        shape = ((batch, left) if per_row else (batch * left,)) + (
            (2**m, right) if right > 1 else (2**m,)
        )
        a, b = psi.reshape(shape), gradient.reshape(shape)
        whole = (
            (a @ b.mT).sum(-3) if right > 1 else a.mT @ b
        )  # the last group: one product does the sum too
        found.append(whole.flatten(-2)[..., _trace_index(m, psi.device)].sum(-1))
        left <<= m
    return found[0] if len(found) == 1 else torch.cat(found, dim=-3)


@lru_cache(maxsize=64)
def _trace_index(m: int, device: torch.device) -> torch.Tensor:
    """Where in a flat 2**m by 2**m matrix the entries stand that a partial trace adds up, (m, 2, 2, 2**(m-1))."""
    q, i, j, rest = np.ogrid[:m, :2, :2, : 2 ** (m - 1)]
    low = m - 1 - q
    insert = lambda bit: ((rest >> low) << (low + 1)) | (bit << low) | (rest & ((1 << low) - 1))
    return torch.from_numpy(insert(i) * 2**m + insert(j)).to(device)


def _product_state(vectors: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    """Kronecker product of one-qubit states, (batch, n, 2, 1) -> (batch, 2**n): within the groups, then of the groups.

    Only the last product, the one that makes the whole register, is done in ``dtype``.
    """
    *first, last = [_kron(group) for group in vectors.split(_groups(vectors.shape[1]), dim=1)]
    if not first:
        return last.squeeze(-1)
    dtype = _register_dtype(dtype, not vectors.is_complex())
    return _outer(reduce(_outer, first).to(dtype), last.to(dtype)).squeeze(-1)


def _outer(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Kronecker product of columns, (batch, r, 1) and (batch, s, 1) -> (batch, r * s, 1)."""
    return (a @ b.mT).reshape(len(a), a.shape[1] * b.shape[1], 1)


def _kron(matrices: torch.Tensor) -> torch.Tensor:
    """Kronecker product along the third last axis, (..., m, r, c) -> (..., r**m, c**m): neighbours in pairs, and again."""
    product = lambda a, b: (
        (a[..., :, None, :, None] * b[..., None, :, None, :]).flatten(-4, -3).flatten(-2, -1)
    )
    if (m := matrices.shape[-3]) == 1:
        return matrices.squeeze(-3)
    if m % 2:
        return product(matrices[..., 0, :, :], _kron(matrices[..., 1:, :, :]))
    return _kron(product(matrices[..., 0::2, :, :], matrices[..., 1::2, :, :]))


@lru_cache(maxsize=256)
def _entangler(n: int, gate: str, pairs: tuple, device: torch.device) -> tuple:
    """The two-qubit gates of a layer as one permutation (CNOT) or one vector of signs (CZ)."""
    index = np.arange(2**n)
    bit = lambda k, q: (k >> (n - 1 - q)) & 1
    if gate == "CZ":
        signs = np.prod([1 - 2 * bit(index, a) * bit(index, b) for a, b in pairs], axis=0)
        return "sign", torch.from_numpy(signs).to(device)
    source = index
    for control, target in reversed(
        pairs
    ):  # where the amplitude at k came from: undo the last gate first
        source = source ^ (bit(source, control) << (n - 1 - target))
    return "permute", (
        torch.from_numpy(source).to(device),
        torch.from_numpy(np.argsort(source)).to(device),
    )


def _iqp_phases(x: torch.Tensor) -> torch.Tensor:
    """exp(-i/2 (sum x_i Z_i + sum x_i x_j Z_i Z_j)) for each basis state, (batch, 2**n)."""
    i, j = np.triu_indices(x.shape[1], 1)
    phase = torch.cat([x, x[:, i] * x[:, j]], dim=1) @ _iqp_table(x.shape[1], x.dtype, x.device)
    return torch.polar(torch.ones_like(phase), phase)


@lru_cache(maxsize=16)
def _iqp_table(n: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    z, (i, j) = _signs(n), np.triu_indices(n, 1)
    return torch.from_numpy(-0.5 * np.concatenate([z, z[i] * z[j]])).to(device=device, dtype=dtype)


def _signs(n: int) -> np.ndarray:
    """Eigenvalue of Z on each qubit for each basis state, (n, 2**n)."""
    return np.array([1.0 - 2 * ((np.arange(2**n) >> (n - 1 - q)) & 1) for q in range(n)])


@lru_cache(maxsize=64)
def _observable_table(spec: CircuitSpec, device: torch.device) -> torch.Tensor:
    """Eigenvalues in float64, (2**n, n_outputs).

    The entanglers that ``_plan`` left out are in here: CNOTs only reorder the rows, CZs change nothing.
    """
    table = eigenvalues(spec)
    for _, pairs in reversed(_plan(spec, True)[len(_plan(spec, False)) :]):
        kind, value = _entangler(spec.n_qubits, spec.gate, pairs, torch.device("cpu"))
        if (
            kind == "permute"
        ):  # after it the amplitude at k is psi[source[k]]: that one gets the eigenvalue of k
            table = table[value[1].numpy()]
    return torch.from_numpy(table).to(device=device, dtype=torch.float64)
