"""Tables that are made once and kept: plain tensors, whatever surrounds the call that makes them.

A table made inside ``torch.inference_mode()`` could never be used in training, one made inside
``torch.export`` would be a mock without numbers, and one made inside ``torch.func.grad`` would
belong to a transform that is over. The next call, which knows nothing of that, would be wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, wraps

import torch
from torch._C import _get_dispatch_mode, _TorchDispatchModeKey
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch._subclasses.fake_tensor import FakeTensor
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _disable_current_modes

_PROXY = _TorchDispatchModeKey.PROXY


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Outside of inference mode, of mock tensors, of every transform and of every trace."""
    trace = torch._C._get_tracing_state()
    torch._C._set_tracing_state(None)
    try:
        with (
            torch.inference_mode(False),
            torch.no_grad(),
            _disable_current_modes(),
            temporarily_clear_interpreter_stack(),
        ):
            yield
    finally:
        torch._C._set_tracing_state(trace)


def kept(maxsize: int) -> Callable:
    """As ``functools.lru_cache``, for functions that make tensors."""

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def outside(*arguments):
            with plain_tensors():
                return function(*arguments)

        return lru_cache(maxsize=maxsize)(outside)

    return decorate


def _is_traced() -> bool:
    return (
        torch.compiler.is_compiling()
        or torch._C._is_tracing()
        or _get_dispatch_mode(_PROXY) is not None
    )


def in_a_transform(tensor: torch.Tensor | None = None) -> bool:
    """Whether PyTorch runs this inside ``vmap``, ``torch.func.grad``, forward-mode derivatives and
    the like, or traces it: then only its plain operations are seen, and no number can be looked at.
    """
    return (
        _is_traced()
        or torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or (tensor is not None and type(tensor) not in (torch.Tensor, torch.nn.Parameter))
    )


def refuse_transforms(what: str) -> None:
    """Raise a ValueError inside ``vmap``, ``torch.func`` and forward-mode derivatives."""
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        raise ValueError(
            f"{what} goes neither through vmap and torch.func nor through forward-mode "
            "derivatives; engine='fused' does"
        )


def refuse_tracing(what: str, tensor: torch.Tensor) -> None:
    """Raise a ValueError where PyTorch writes down the operations on a tensor instead of its
    numbers: what leaves PyTorch in between would be lost.
    """
    if _is_traced() or isinstance(tensor, FakeTensor):
        raise ValueError(
            f"{what} needs numbers: it cannot be traced (torch.export, torch.jit.trace, make_fx, "
            "fake tensors); engine='fused' can"
        )


def in_full_precision(function: Callable) -> Callable:
    """For functions of a circuit whose second argument is a tensor: ``torch.autocast``, which would
    multiply matrices in half precision, ends here. The phases of a circuit need float32.
    """

    @wraps(function)
    def call(first, tensor, *others, **named):
        device = tensor.device.type
        if device == "meta" or not torch.is_autocast_enabled(device):
            return function(first, tensor, *others, **named)
        with torch.autocast(device, enabled=False):
            return function(first, tensor, *others, **named)

    return call


def refuse_batched(gradient: torch.Tensor) -> None:
    """Raise a ValueError for several gradients in one backward pass."""
    if torch._C._functorch.is_legacy_batchedtensor(gradient):
        raise ValueError(
            "several gradients in one backward pass (is_grads_batched=True, vectorize=True) do "
            "not go through this engine; torch.func.jacrev with engine='fused' makes them, and so "
            "does engine='pennylane' on default.qubit without shots"
        )
