"""The compiled kernel as a function that PyTorch differentiates: when it can be used, and how its
work is cut into blocks of rows.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from importlib.util import find_spec

import numpy as np
import torch

from hqnn_utils.quantum.engine.kept import in_a_transform, refuse_batched
from hqnn_utils.quantum.engine.plan import plan
from hqnn_utils.quantum.engine.program import make_program
from hqnn_utils.quantum.engine.uploads import UPLOADS, Entry
from hqnn_utils.quantum.spec import CircuitSpec

# A block's rows: as many as fill a few of the processor's widest registers, and no more than its
# cache holds. The number of threads does not enter, so neither does it change a result.
BLOCK_LANE_BYTES = 256
BLOCK_BYTES = 2**22
# One or two rows fill no register of the processor: there torch's large matrix products win while
# their memory does not matter (measured, forward and backward, one thread).
NARROW_ROWS, NARROW_QUBITS = range(3), range(14, 22)
# Up to this many qubits the factors of the diagonal steps are kept in a table.
TABLE_QUBITS = 14
NUMPY = {torch.float32: np.dtype(np.float32), torch.float64: np.dtype(np.float64)}
# Amplitudes times steps below which a second thread costs more than it saves.
WORTH_A_THREAD = 2**17


@lru_cache(maxsize=1)
def is_installed() -> bool:
    """Whether numba is there and allowed to compile."""
    return find_spec("numba") is not None and os.environ.get("NUMBA_DISABLE_JIT", "0") == "0"


def knows(spec: CircuitSpec) -> bool:
    """Whether the kernel knows every step of the circuit: phases of its own for each row, in front
    of a later layer, it does not, nor an encoding that is not named here.
    """
    known = ("angle", "amplitude") if spec.reupload else ("angle", "amplitude", "iqp")
    return spec.encoding in known


def kernel_for(spec: CircuitSpec, device: torch.device, dtype: torch.dtype) -> str:
    """``"numba"`` or ``"torch"``: what computes this circuit there, outside of transforms such as
    ``vmap``, for a first derivative, and for more than two rows where it has 14 to 21 qubits.
    """
    fits = device.type == "cpu" and dtype in (torch.float32, torch.float64)
    return "numba" if fits and is_installed() and knows(spec) else "torch"


def is_usable(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> bool:
    """Whether the kernel can take this call."""
    return (
        kernel_for(spec, inputs.device, inputs.dtype) == "numba"
        and len(inputs) > 0
        and weights.ndim == len(spec.weight_shape)
        and not (len(inputs) in NARROW_ROWS and spec.n_qubits in NARROW_QUBITS)
        and not in_a_transform(inputs)
    )


def compiled_expectations(
    spec: CircuitSpec, x: torch.Tensor, weights: torch.Tensor, double: bool, again: Callable
) -> torch.Tensor:
    """Expectation values (batch, n_outputs) of the dtype of ``x``.

    Parameters
    ----------
    double : whether the register is float64.
    again : ``again(spec, x, weights, given)``: the same with torch's own operations, for second
        derivatives; ``given`` is the start state or None.
    """
    run = _run(spec, double)
    given = None if run.from_product else run.start(x)
    if torch.is_grad_enabled() and (x.requires_grad or weights.requires_grad):
        return _Compiled.apply(x, weights, given, run, again)
    start = None if given is None else _parts(given, run.dtype)
    values, _ = run.forward(_array(x), _array(weights), start, keep_all=False)
    return _tensor(values, x.dtype)


def gradients_without_autograd(
    spec: CircuitSpec, x: np.ndarray, weights: np.ndarray, double: bool, seed: Callable
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Values and the gradients by features and weights, of the dtype of ``x``, for a circuit whose
    start state the kernel makes (:func:`is_usable_alone`).

    Parameters
    ----------
    double : whether the register is float64.
    seed : makes the gradient by the values from the values.
    """
    run, kind = _run(spec, double), x.dtype
    values, batch = run.forward(_ready(x), _ready(weights), None, keep_all=True)
    values = values.astype(kind, copy=False)
    by_x, by_weights, _ = run.backward(batch, _ready(seed(values)))
    by_weights = by_weights.reshape(weights.shape)
    return values, by_x.astype(kind, copy=False), by_weights.astype(kind, copy=False)


def is_usable_alone(spec: CircuitSpec, rows: int) -> bool:
    """Whether the kernel makes values and gradients of so many rows without any help of torch's
    operations: it does not make the start states of other encodings than angles.
    """
    return (
        spec.encoding == "angle"
        and is_installed()
        and rows > 0
        and not (rows in NARROW_ROWS and spec.n_qubits in NARROW_QUBITS)
    )


class _Run:
    """A circuit, ready for any batch.

    Attributes
    ----------
    from_product : whether it starts with a product state.
    parts : 1 where no amplitude ever has an imaginary part (only RY, CNOT and CZ), otherwise 2.
    dtype : of the register.
    """

    def __init__(self, spec: CircuitSpec, double: bool):
        from hqnn_utils.quantum.engine.kernel import Batch, compiled

        self.batch = Batch
        upload = UPLOADS[spec.encoding]
        steps = plan(spec, upload.steps)
        self.spec, self.first_step = spec, steps[0]
        self.n_qubits, self.n_outputs, self.scaling = spec.n_qubits, spec.n_outputs, spec.scaling
        self.from_product = spec.encoding == "angle"
        skipped = 0 if self.from_product else upload.in_start
        self.program = make_program(spec, steps[skipped:], self.from_product)
        self.parts = 1 if spec.rotation == "RY" and upload.is_real(spec) else 2
        self.dtype = np.dtype(np.float64 if double else np.float32)
        self.prepare, self.run_forward, self.run_backward = compiled(double)
        n_tables = self.program.n_diagonals if self.n_qubits <= TABLE_QUBITS else 0
        self.nothing = _parts(None, self.dtype)
        self.table_shape = (n_tables, 2**self.n_qubits, 2)
        self.amplitudes = self.parts * 2**self.n_qubits  # real numbers in a state
        self.work = 2**self.n_qubits * max(1, len(self.program.steps))  # of one row

    def width(self, rows: int) -> int:
        """Rows of a block. What is too small for a second thread is one block."""
        if rows * self.work < WORTH_A_THREAD:
            return rows
        return block_rows(self.n_qubits, self.parts * self.dtype.itemsize, rows)

    def start(self, x: torch.Tensor) -> torch.Tensor:
        """The start state that the features make, with torch's operations."""
        upload = UPLOADS[self.spec.encoding]
        dtype = torch.float64 if self.dtype.itemsize == 8 else torch.float32
        features = x.to(dtype)
        phases = upload.phases(self.spec, features)
        if not upload.is_real(self.spec):
            dtype = dtype.to_complex()
        return upload.start(Entry(self.spec, features, {}, phases, self.first_step, dtype))

    def forward(self, x: np.ndarray, weights: np.ndarray, given, keep_all: bool):
        """Values (rows, outputs) in float64, and what the way back needs.

        ``x`` and ``weights`` are float64 and in one piece; ``given`` is :func:`_parts` of a start
        state, or None.
        """
        rows = len(x)
        width = self.width(rows)
        flat = weights.reshape(-1)
        tables = np.empty(self.table_shape, self.dtype)
        waves = np.empty((rows, x.shape[1] if self.from_product else 0, 2))
        self.prepare(self.program, flat, tables, x, 0.5 * self.scaling, waves)
        states = np.empty(self.amplitudes * rows if keep_all else 0, self.dtype)
        batch = self.batch(waves, flat, self.nothing if given is None else given, tables, states)
        values = np.empty((rows, self.n_outputs))

        def work(first: int, last: int) -> None:
            own = batch
            if not keep_all:  # without a way back there is room for one block only
                block = np.empty(self.amplitudes * min(width, last - first), self.dtype)
                own = batch._replace(states=block)
            self.run_forward(self.program, own, self.parts, width, first, last, values)

        self._share(work, rows, width)
        return values, batch

    def backward(self, batch, gradient: np.ndarray):
        """Gradients by features, weights (flat) and start state, as arrays; ``gradient`` is
        float64 and in one piece.
        """
        rows, features, _ = batch.x.shape
        width = self.width(rows)
        to_x, to_given = np.zeros((rows, features)), np.empty_like(batch.given)
        to_weights = np.zeros((-(-rows // width), len(batch.weights)))
        rest = (gradient, to_x, to_weights, to_given)

        def work(first: int, last: int) -> None:
            self.run_backward(self.program, batch, self.parts, width, first, last, *rest)

        self._share(work, rows, width)
        if self.scaling != 1.0:
            to_x *= self.scaling
        by_weights = to_weights[0] if len(to_weights) == 1 else to_weights.sum(axis=0)
        return to_x, by_weights, to_given

    def _share(self, work: Callable[[int, int], None], rows: int, width: int) -> None:
        """Blocks of rows among the threads that PyTorch is allowed."""
        blocks = -(-rows // width)
        threads = min(torch.get_num_threads(), blocks)
        if threads == 1:
            work(0, rows)
            return
        edges = [min(rows, width * (blocks * t // threads)) for t in range(threads + 1)]
        others = [_pool(threads - 1).submit(work, *edges[t : t + 2]) for t in range(1, threads)]
        work(*edges[:2])
        for other in others:
            other.result()


_run = lru_cache(maxsize=64)(_Run)


def block_rows(n_qubits: int, amplitude_bytes: int, rows: int) -> int:
    """Rows that are computed side by side."""
    by_lanes = BLOCK_LANE_BYTES // amplitude_bytes
    by_cache = BLOCK_BYTES // (amplitude_bytes * 2**n_qubits)
    return max(1, min(rows, by_lanes, by_cache))


def kernel_bytes(spec: CircuitSpec, rows: int, double: bool, way_back: bool) -> int:
    """Memory for the states of a call: all end states and two of each block that is being worked
    on, or without a way back one of each block.
    """
    run_parts = 1 if spec.rotation == "RY" and UPLOADS[spec.encoding].is_real(spec) else 2
    amplitude_bytes = run_parts * (8 if double else 4)
    block = block_rows(spec.n_qubits, amplitude_bytes, rows)
    at_work = block * min(torch.get_num_threads(), -(-rows // block))
    states = rows + 2 * at_work if way_back else at_work
    if spec.encoding != "angle":  # the start states, and with a way back the gradient by them
        states += rows * (2 if way_back else 1)
    return states * amplitude_bytes * 2**spec.n_qubits


class _Compiled(torch.autograd.Function):
    """The kernel's two passes."""

    @staticmethod
    def forward(ctx, x, weights, given, run, again):
        start = None if given is None else _parts(given, run.dtype)
        values, ctx.batch = run.forward(_array(x), _array(weights), start, keep_all=True)
        ctx.run, ctx.again = run, again
        ctx.save_for_backward(x, weights, given)
        return _tensor(values, x.dtype)

    @staticmethod
    def backward(ctx, gradient):
        x, weights, given = ctx.saved_tensors
        refuse_batched(gradient)
        if torch.is_grad_enabled() or in_a_transform():
            found = _torch_gradients(ctx, (x, weights, given), gradient)
            return *found, None, None
        to_x, to_weights, to_given = ctx.run.backward(ctx.batch, _array(gradient))
        if given is None:
            by_x, by_given = _tensor(to_x, x.dtype), None
        else:
            by_x, by_given = None, torch.from_numpy(to_given)
            by_given = torch.view_as_complex(by_given) if given.is_complex() else by_given[..., 0]
        by_weights = _tensor(to_weights.reshape(weights.shape), weights.dtype)
        return by_x, by_weights, by_given, None, None


def _torch_gradients(ctx, tensors: tuple, gradient: torch.Tensor) -> list:
    """Where a second derivative is wanted: torch's own operations, which can be differentiated."""
    needed = ctx.needs_input_grad[:3]
    with torch.enable_grad():
        values = ctx.again(ctx.run.spec, *tensors)
        wanted = [tensor for tensor, need in zip(tensors, needed, strict=True) if need]
        found = iter(
            torch.autograd.grad(
                values,
                wanted,
                gradient,
                create_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
        )
    return [next(found) if need else None for need in needed]


def _array(tensor: torch.Tensor) -> np.ndarray:
    """In float64 and in one piece; the tensor's own memory where it is both already."""
    if tensor.requires_grad:
        tensor = tensor.detach()
    if tensor.is_neg():
        tensor = tensor.resolve_neg()
    return np.ascontiguousarray(tensor.numpy(), dtype=np.float64)


def _ready(array: np.ndarray) -> np.ndarray:
    """In float64, in one piece, and not locked, as the kernel's signature has it."""
    array = np.ascontiguousarray(array, dtype=np.float64)
    return array if array.flags.writeable else array.copy()


def _tensor(array: np.ndarray, dtype: torch.dtype) -> torch.Tensor:
    """A tensor of an array in float64. NumPy converts few numbers faster than PyTorch."""
    return torch.from_numpy(array.astype(NUMPY[dtype], copy=False))


def _parts(given: torch.Tensor | None, dtype: np.dtype) -> np.ndarray:
    """A start state as (rows, 2**n, 1 or 2): real and imaginary parts apart."""
    if given is None:
        return np.empty((0, 1, 1), dtype)
    given = given.detach().resolve_conj().resolve_neg()
    parts = torch.view_as_real(given) if given.is_complex() else given.unsqueeze(-1)
    return np.ascontiguousarray(parts.numpy(), dtype=dtype)


@lru_cache(maxsize=1)
def _pool(threads: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(threads, thread_name_prefix="hqnn-kernel")


# A forked process has none of its parent's threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pool.cache_clear)
