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
from torch._functorch.pyfunctorch import temporarily_clear_interpreter_stack
from torch.autograd import forward_ad
from torch.utils._python_dispatch import _disable_current_modes


@contextmanager
def plain_tensors() -> Iterator[None]:
    """Outside of inference mode, of mock tensors and of every transform."""
    with (
        torch.inference_mode(False),
        torch.no_grad(),
        _disable_current_modes(),
        temporarily_clear_interpreter_stack(),
    ):
        yield


def kept(maxsize: int) -> Callable:
    """As ``functools.lru_cache``, for functions that make tensors."""

    def decorate(function: Callable) -> Callable:
        @wraps(function)
        def outside(*arguments):
            with plain_tensors():
                return function(*arguments)

        return lru_cache(maxsize=maxsize)(outside)

    return decorate


def in_a_transform(tensor: torch.Tensor | None = None) -> bool:
    """Whether PyTorch runs this inside ``vmap``, ``torch.func.grad``, forward-mode derivatives and
    the like, or traces it: then only its plain operations are seen, and no number can be looked at.
    """
    return (
        torch._C._are_functorch_transforms_active()
        or forward_ad._current_level >= 0
        or torch.compiler.is_compiling()
        or (tensor is not None and type(tensor) not in (torch.Tensor, torch.nn.Parameter))
    )


def refuse_transforms(what: str) -> None:
    """Raise a ValueError inside ``vmap``, ``torch.func`` and forward-mode derivatives."""
    if torch._C._are_functorch_transforms_active() or forward_ad._current_level >= 0:
        raise ValueError(
            f"{what} goes neither through vmap and torch.func nor through forward-mode "
            "derivatives; engine='fused' does"
        )


def refuse_batched(gradient: torch.Tensor) -> None:
    """Raise a ValueError for several gradients in one backward pass."""
    if torch._C._functorch.is_legacy_batchedtensor(gradient):
        raise ValueError(
            "several gradients in one backward pass (is_grads_batched=True, vectorize=True) do "
            "not go through this engine; torch.func.jacrev with engine='fused' makes them, and so "
            "does engine='pennylane' on default.qubit without shots"
        )
