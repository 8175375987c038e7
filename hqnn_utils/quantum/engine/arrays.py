"""Values and both gradients in one call, from arrays to arrays, without autograd.

For a small circuit PyTorch's autograd costs more than the circuit: an empty function that it
differentiates takes longer than the compiled kernel needs for 32 images and four qubits. Where one
call can have it all, nothing of that is needed.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch

from hqnn_utils.quantum.engine.compiled import gradients_without_autograd, is_usable_alone
from hqnn_utils.quantum.engine.fused import A_SPEC, DOUBLE_UP_TO, expectations, refuse_unknown
from hqnn_utils.quantum.engine.kept import plain_tensors
from hqnn_utils.quantum.engine.memory import refuse_arrays_too_large
from hqnn_utils.quantum.engine.uploads import refuse_width
from hqnn_utils.quantum.spec import CircuitSpec
from hqnn_utils.runtime.words import a, shown

Cotangent = np.ndarray | Callable[[np.ndarray], np.ndarray]
AN_ARRAY = a(np.ndarray, why="tensor.detach().numpy() or np.asarray(...) makes one")
KNOWN = (np.dtype(np.float32), np.dtype(np.float64))


class ValueAndGradients(NamedTuple):
    """What :func:`value_and_gradients` found; arrays of the inputs' dtype.

    Attributes
    ----------
    values : (batch, n_outputs).
    by_inputs : gradient by the inputs, of their shape.
    by_weights : gradient by the weights, of their shape.
    """

    values: np.ndarray
    by_inputs: np.ndarray
    by_weights: np.ndarray


def value_and_gradients(
    spec: CircuitSpec,
    inputs: np.ndarray,
    weights: np.ndarray,
    cotangent: Cotangent | None = None,
) -> ValueAndGradients:
    """Expectation values and the gradients of a cost by inputs and weights, in one call.

    The same numbers as :func:`hqnn_utils.quantum.expectations` followed by ``torch.autograd.grad``,
    from NumPy arrays to NumPy arrays. It uses the compiled kernel where that can be used directly
    (angle encoding, numba installed), and otherwise PyTorch's autograd behind the scenes.

    Parameters
    ----------
    inputs : (batch, n_inputs), float32 or float64.
    weights : ``spec.weight_shape``, same dtype as inputs.
    cotangent : gradient of the cost by the values, (batch, n_outputs); or a function that makes it
        from the values: ``lambda values: 2 * (values - wanted)`` is that of a sum of squares. By
        default ones: the gradient of the sum of all values.

    Raises
    ------
    ValueError : arguments that are no arrays, shapes or dtypes that do not fit, an
        amplitude-encoded row of zeros, or a circuit that the engine does not know.
    MemoryError : more than is free, before anything is computed.
    """
    _refuse_other_kinds(spec, inputs, weights, cotangent)
    _check(spec, inputs, weights)

    def seed(values: np.ndarray) -> np.ndarray:
        return _cotangent(cotangent, values)

    if not is_usable_alone(spec, len(inputs)):
        return ValueAndGradients(*_through_autograd(spec, inputs, weights, seed))
    refuse_arrays_too_large(spec, inputs)
    double = spec.n_qubits <= DOUBLE_UP_TO or inputs.dtype == np.float64
    return ValueAndGradients(*gradients_without_autograd(spec, inputs, weights, double, seed))


def _refuse_other_kinds(spec: CircuitSpec, inputs, weights, cotangent) -> None:
    """Raise a ValueError for arguments of another type, such as tensors."""
    A_SPEC("spec", spec)
    AN_ARRAY("inputs", inputs)
    AN_ARRAY("weights", weights)
    if not (cotangent is None or callable(cotangent) or isinstance(cotangent, np.ndarray)):
        raise ValueError(
            f"cotangent must be a NumPy array, a function, or None, got {shown(cotangent)}"
        )


def _check(spec: CircuitSpec, inputs: np.ndarray, weights: np.ndarray) -> None:
    for name, array in (("inputs", inputs), ("weights", weights)):
        if array.dtype not in KNOWN:
            raise ValueError(
                f"{name} must be float32 or float64, got {array.dtype}: {name}.astype(np.float32)"
            )
    refuse_unknown(spec)
    refuse_width(spec, inputs)
    if weights.shape != spec.weight_shape:
        raise ValueError(
            f"weights must have shape {spec.weight_shape}, shared by all rows, got {weights.shape}"
        )
    if inputs.dtype != weights.dtype:
        raise ValueError(
            f"inputs and weights must have one dtype, got {inputs.dtype} and {weights.dtype}: "
            "weights.astype(inputs.dtype)"
        )


def _cotangent(given: Cotangent | None, values: np.ndarray) -> np.ndarray:
    if given is None:
        return np.ones(values.shape)
    made = given(values) if callable(given) else given
    if not isinstance(made, np.ndarray) or made.shape != values.shape or made.dtype.kind != "f":
        shape = f"shape {made.shape}, {made.dtype}" if isinstance(made, np.ndarray) else shown(made)
        raise ValueError(
            "cotangent must be, or must return, an array of floats of the values' shape "
            f"{values.shape}, got {shape}"
        )
    return made


def _through_autograd(spec: CircuitSpec, inputs, weights, seed: Callable) -> tuple:
    """The same for circuits and machines where the kernel needs PyTorch's help."""
    with plain_tensors(), torch.enable_grad():
        # Copies: PyTorch wants arrays that can be written and have no negative strides.
        x, w = (torch.from_numpy(np.array(g)).requires_grad_() for g in (inputs, weights))
        out = expectations(spec, x, w)
        values = out.detach().numpy()
        back = torch.from_numpy(seed(values).astype(values.dtype))
        found = torch.autograd.grad(out, (x, w), back, allow_unused=True, materialize_grads=True)
    return values, *(gradient.numpy() for gradient in found)
