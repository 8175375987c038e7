"""Expectation values and states of a circuit for a whole batch, as one function that PyTorch
differentiates.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from hqnn_utils.quantum.engine.compiled import (
    compiled_expectations,
    is_usable,
)
from hqnn_utils.quantum.engine.cosines import is_mean_of_cosines, mean_of_cosines
from hqnn_utils.quantum.engine.gates import ROTATIONS, rotations
from hqnn_utils.quantum.engine.kept import in_a_transform, in_full_precision, refuse_batched
from hqnn_utils.quantum.engine.measurement import Observables, observables_of
from hqnn_utils.quantum.engine.memory import refuse_too_large
from hqnn_utils.quantum.engine.plan import Local, Phases, Step, plan, split_last_entanglers
from hqnn_utils.quantum.engine.register import (
    LocalStep,
    Operators,
    PhaseStep,
    RunnableStep,
    entangler,
    operators,
    transfers,
)
from hqnn_utils.quantum.engine.uploads import UPLOADS, Entry, multiply, refuse_width
from hqnn_utils.quantum.spec import CircuitSpec
from hqnn_utils.runtime.words import a

# Up to this many qubits the work is done in float64, whatever the inputs are: there are too few
# terms for rounding errors to average out, and double precision costs next to nothing.
DOUBLE_UP_TO = 8
A_SPEC, A_TENSOR = a(CircuitSpec), a(torch.Tensor, why="torch.from_numpy(...) makes one")


def expectations(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Expectation values of ``spec`` for a batch.

    Parameters
    ----------
    inputs : (batch, n_inputs), float32 or float64, on any torch device.
    weights : ``spec.weight_shape``, or (batch, *weight_shape) for weights of their own in each row;
        same dtype as inputs.

    Returns
    -------
    (batch, n_outputs) of the inputs' dtype, differentiable any number of times in inputs and
    weights.

    Raises
    ------
    ValueError : shapes that do not fit, an amplitude-encoded row of zeros, or a circuit that this
        engine does not know.
    MemoryError : more than is free, before anything is computed.
    """
    _check(spec, inputs, weights)
    refuse_too_large(spec, inputs, weights)
    if is_usable(spec, inputs, weights):
        double = spec.n_qubits <= DOUBLE_UP_TO or inputs.dtype == torch.float64
        return compiled_expectations(spec, inputs, weights, double, torch_expectations)
    return torch_expectations(spec, inputs, weights)


@in_full_precision
def torch_expectations(
    spec: CircuitSpec,
    inputs: torch.Tensor,
    weights: torch.Tensor,
    given: torch.Tensor | None = None,
) -> torch.Tensor:
    """The same with torch's own operations: on any device, for any derivative. ``given``: a start
    state instead of the one that the inputs make.
    """
    dtype = inputs.dtype if spec.n_qubits > DOUBLE_UP_TO else torch.float64
    x, w = inputs.to(dtype), weights.to(dtype)
    if is_mean_of_cosines(spec):
        return mean_of_cosines(spec, x, w).to(inputs.dtype)
    steps, last_entanglers = split_last_entanglers(_plan(spec))
    ready = _prepare(spec, x, w, steps)
    start = ready.start if given is None else given.to(ready.start.dtype)
    measured = observables_of(spec, last_entanglers, x.device)
    # vmap, torch.func.grad and the like look into plain operations, not into a Function.
    fused = _values if in_a_transform(inputs) else _Fused.apply
    return fused(start, ready.gates, ready.phases, ready.steps, measured).to(inputs.dtype)


def state(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """The state before the measurement, (batch, 2**n), complex64 or complex128. Arguments as in
    :func:`expectations`.
    """
    _check(spec, inputs, weights)
    ready = _prepare(spec, inputs, weights, _plan(spec))
    psi = _run(ready.start, ready.gates, ready.phases, ready.steps)
    return psi if psi.is_complex() else psi.to(psi.dtype.to_complex())


def refuse_unknown(spec: CircuitSpec) -> None:
    """Raise a ValueError where a circuit has a part that only PennyLane knows."""
    parts = (("encoding", spec.encoding, UPLOADS), ("rotation", spec.rotation, ROTATIONS))
    for kind, name, known in parts:
        if name not in known:
            raise ValueError(
                f"engine 'fused' does not know the {kind} {name!r}, only {', '.join(known)}; "
                "engine='pennylane' runs it"
            )


def refuse_other_kinds(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    """Raise a ValueError for arguments of another type, such as arrays of NumPy."""
    A_SPEC("spec", spec)
    A_TENSOR("inputs", inputs)
    A_TENSOR("weights", weights)


def _check(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    refuse_other_kinds(spec, inputs, weights)
    refuse_unknown(spec)
    refuse_width(spec, inputs)
    if tuple(weights.shape) not in (spec.weight_shape, (len(inputs), *spec.weight_shape)):
        raise ValueError(
            f"weights must have shape {spec.weight_shape}, "
            f"alone or behind a batch of {len(inputs)}, got {tuple(weights.shape)}"
        )
    UPLOADS[spec.encoding].check(inputs)


@lru_cache(maxsize=64)
def _plan(spec: CircuitSpec) -> tuple[Step, ...]:
    return plan(spec, UPLOADS[spec.encoding].steps)


@dataclass(frozen=True)
class _Prepared:
    """A circuit with its numbers.

    Attributes
    ----------
    start : (batch, 2**n).
    gates : those of the local steps, (steps, n, 2, 2) or, where rows differ, (steps, batch, n, 2,
        2).
    phases : (batch, 2**n) or None.
    steps : what is still to be run.
    """

    start: torch.Tensor
    gates: torch.Tensor
    phases: torch.Tensor | None
    steps: list[RunnableStep]


def _prepare(
    spec: CircuitSpec, x: torch.Tensor, weights: torch.Tensor, steps: tuple[Step, ...]
) -> _Prepared:
    upload = UPLOADS[spec.encoding]
    # Only RY, CNOT and CZ have no imaginary part; real arithmetic is three to four times cheaper.
    real = spec.rotation == "RY" and upload.is_real(spec)
    dtype = x.dtype if real else x.dtype.to_complex()
    # Gates are few and small: they are made in float64, and what is built of them is rounded once.
    trainable = rotations(spec.rotation, weights.double(), 1.0, real).unbind(-4)
    gates = dict(enumerate(trainable)) | upload.gates(spec, x, trainable[0])
    phases = upload.phases(spec, x)
    start = upload.start(Entry(spec, x, gates, phases, steps[0], dtype))
    local, runnable = [], []
    for step in steps[upload.in_start :]:
        if isinstance(step, Local):
            first, *others = step.names
            runnable.append(LocalStep(len(local)))
            local.append(multiply(gates, others, gates[first]))
        elif isinstance(step, Phases):
            runnable.append(PhaseStep())
        else:
            runnable.append(entangler(spec.n_qubits, spec.gate, step.pairs, x.device))
    if local:
        stacked = torch.stack(torch.broadcast_tensors(*local))
    else:
        stacked = trainable[0].new_zeros(0, spec.n_qubits, 2, 2)
    return _Prepared(start, stacked, phases, runnable)


def _run(psi: torch.Tensor, gates: torch.Tensor, phases, steps: list[RunnableStep]) -> torch.Tensor:
    with_ = operators(gates, phases, psi.dtype)
    for step in steps:
        psi = step.run(psi, with_)
    return psi


def _values(psi, gates, phases, steps: list[RunnableStep], measured: Observables) -> torch.Tensor:
    return measured.measure(_run(psi, gates, phases, steps))


class _Fused(torch.autograd.Function):
    """``_run`` and the measurement, with the adjoint method (Jones and Gacon, arXiv 2009.02823) as
    backward pass.
    """

    @staticmethod
    def forward(ctx, psi, gates, phases, steps, measured):
        end = _run(psi, gates, phases, steps)
        ctx.steps, ctx.measured = steps, measured
        ctx.save_for_backward(psi, gates, phases, end)
        return measured.measure(end)

    @staticmethod
    @in_full_precision
    def backward(ctx, gradient):
        start, gates, phases, end = ctx.saved_tensors
        refuse_batched(gradient)
        if torch.is_grad_enabled():
            found = _remembered_gradients(ctx, (start, gates, phases), gradient)
        else:
            found = _adjoint_gradients(ctx, gates, phases, end, gradient)
        return *found, None, None


def _remembered_gradients(ctx, tensors: tuple, gradient: torch.Tensor) -> list:
    """Where a second derivative is wanted: PyTorch's own way, which remembers each step."""
    values = _values(*tensors, ctx.steps, ctx.measured)
    needed = ctx.needs_input_grad[:3]
    wanted = [tensor for tensor, need in zip(tensors, needed, strict=True) if need]
    found = iter(
        torch.autograd.grad(values, wanted, gradient, create_graph=True, materialize_grads=True)
    )
    return [next(found) if need else None for need in needed]


def _adjoint_gradients(ctx, gates, phases, end: torch.Tensor, gradient: torch.Tensor) -> tuple:
    """Gradients by start state, gates and phases: the state and its gradient go back through the
    circuit side by side.
    """
    inverse: Operators = operators(gates, phases, end.dtype).inverse()
    pair = torch.stack([end, ctx.measured.gradient(end, gradient)])
    found, by_phases = [None] * len(gates), None
    for step in reversed(ctx.steps):
        if isinstance(step, LocalStep):
            found[step.index] = transfers(*pair, per_row=gates.ndim == 5)
        pair = step.undo(pair, inverse)
        if isinstance(step, PhaseStep):
            here = phases * pair[1] * pair[0].conj()
            by_phases = here if by_phases is None else by_phases + here
    # Changing a gate G by dG changes the loss by Re tr(dG G^-1 T*), T* the conjugate of the
    # transfer T.
    by_gates = torch.stack(found).mT.to(gates.dtype) @ gates if found else None
    return pair[1], by_gates, by_phases
