"""How much memory a request needs, and a refusal before it starts where that much is not there."""

from __future__ import annotations

import numpy as np
import torch

from hqnn_utils.quantum.engine.compiled import is_usable, kernel_bytes
from hqnn_utils.quantum.spec import CircuitSpec
from hqnn_utils.runtime.files import free_memory

# Below this nobody counts: it costs more than it tells.
SMALL = 2**28
# States that torch's operations hold at a time: without and with a way back.
TORCH_STATES = (4, 8)


def refuse_too_large(spec: CircuitSpec, inputs: torch.Tensor, weights: torch.Tensor) -> None:
    """Raise a MemoryError that says how much is needed, how much is free, and what helps."""
    rows = max(1, len(inputs))
    if rows * 2**spec.n_qubits * 16 * TORCH_STATES[1] < SMALL:
        return
    way_back = torch.is_grad_enabled() and (inputs.requires_grad or weights.requires_grad)
    double = inputs.dtype == torch.float64
    if is_usable(spec, inputs, weights):
        needed = kernel_bytes(spec, rows, double, way_back)
    else:
        needed = rows * 2**spec.n_qubits * (16 if double else 8) * TORCH_STATES[way_back]
    cure = "torch.no_grad() where no gradient is wanted" if way_back else ""
    _refuse(spec, rows, needed, inputs.device, cure, double)


def refuse_arrays_too_large(spec: CircuitSpec, inputs: np.ndarray) -> None:
    """The same for values and gradients that the compiled kernel makes from arrays."""
    rows = len(inputs)
    if rows * 2**spec.n_qubits * 16 * TORCH_STATES[1] < SMALL:
        return
    double = inputs.dtype == np.float64
    needed = kernel_bytes(spec, rows, double, way_back=True)
    cure = "expectations(...) where no gradient is wanted"
    _refuse(spec, rows, needed, torch.device("cpu"), cure, double)


def _refuse(
    spec: CircuitSpec, rows: int, needed: int, device: torch.device, cure: str, double: bool
) -> None:
    """``cure``: how to do without a way back; empty where there is none."""
    free = free_bytes(device)
    if needed < SMALL or free is None or needed <= free:
        return
    passes = "forward and backward" if cure else "forward"
    cures = ["fewer qubits"]
    if rows > 1:
        cures.append("fewer rows at a time")
    if cure:
        cures.append(cure)
    if double:
        cures.append("float32 inputs")
    raise MemoryError(
        f"{spec.n_qubits} qubits, {rows} {'row' if rows == 1 else 'rows'}, {passes}: "
        f"{needed:,} bytes ({needed / 2**30:.1f} GiB) are needed and {free:,} are free. "
        f"What helps: {', '.join(cures)}; engine='sampled' runs the study's circuits at any width"
    )


def free_bytes(device: torch.device) -> int | None:
    """Memory that can still be taken there, or None where nobody can say."""
    if device.type == "cuda":
        held = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return torch.cuda.mem_get_info(device)[0] + held
    return free_memory() if device.type == "cpu" else None
