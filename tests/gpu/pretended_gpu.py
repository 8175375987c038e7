"""A GPU that is not there: finds code that mixes devices, on a machine without one.

Inside ``pretended_gpu()`` a tensor that is moved to ``"cuda"`` stays on the CPU and is marked, by
its storage. It says that it lies on ``cuda:0``, what is computed from it is marked as well, and
what fails on a real GPU fails here: an operation on tensors of both devices, ``numpy()`` without
``cpu()``. It says nothing about speed, memory or half precision; ``test_gpu.py`` does, on a real
one.
"""

from __future__ import annotations

import contextlib
import importlib
import pkgutil
from collections.abc import Iterator
from unittest import mock

import torch
from torch.multiprocessing.reductions import StorageWeakRef
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import hqnn_utils
from hqnn_utils.quantum.engine import kept, memory

GPU = torch.device("cuda:0")
real_device = torch.Tensor.device
real_load = torch.load
real_backward = torch.autograd._engine_run_backward
# Copies between devices, and reading or writing at places that an index on the CPU names.
MAY_MIX = ("_to_copy", "copy_", "index", "_foreach")

# Marked storages by their address. A weak reference holds the address, so none is used twice.
_marked: dict[int, StorageWeakRef] = {}


def is_there(tensor: torch.Tensor) -> bool:
    """Whether the tensor lies on the pretended GPU."""
    found = _marked.get(_storage(tensor))
    return found is not None and not found.expired()


def mark(found):
    """Say of every tensor in ``found`` that it lies on the pretended GPU; returns ``found``."""
    for tensor in tensors(found):
        place = _storage(tensor)
        if place is not None:
            _marked[place] = StorageWeakRef(tensor.untyped_storage())
    if len(_marked) > 20_000:
        for place in [place for place, ref in _marked.items() if ref.expired()]:
            del _marked[place]
    return found


def tensors(found) -> list[torch.Tensor]:
    """The tensors in lists, tuples and dicts."""
    return [leaf for leaf in tree_leaves(found) if isinstance(leaf, torch.Tensor)]


def _storage(tensor: torch.Tensor) -> int | None:
    try:
        return tensor.untyped_storage()._cdata
    except (NotImplementedError, RuntimeError):  # sparse, batched by vmap
        return None


class _Operations(TorchDispatchMode):
    """Every operation, those of the backward pass too: results lie where the operands lie."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        given = tensors((args, kwargs))
        if not any(map(is_there, given)):
            return func(*args, **kwargs)
        name = func.name().split("::")[-1]
        here = [t for t in given if t.dim() and not is_there(t)]
        if here and not name.startswith(MAY_MIX):
            places = [f"{tuple(t.shape)} on {t.device}" for t in given]
            raise RuntimeError(f"Expected all tensors to be on the same device: {name}, {places}")
        if name.startswith(("copy_", "index")) and not is_there(given[0]):
            if name.startswith("index"):
                raise RuntimeError(f"indices should be on the CPU, as what they index is: {name}")
            return func(*args, **kwargs)
        return mark(func(*args, **kwargs))


class _Functions(TorchFunctionMode):
    """Whatever names a device, and ``numpy``."""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        name = getattr(func, "__name__", "")
        if func in (torch.Tensor.to, torch.Tensor.cuda, torch.Tensor.cpu):
            return _moved(func, args, kwargs)
        if name in ("numpy", "__array__") and is_there(args[0]):
            raise TypeError("can't convert cuda:0 device type tensor to numpy: .cpu() first")
        if func is torch.Tensor.__deepcopy__:
            found = func(*args, **kwargs)
            return mark(found) if is_there(args[0]) else found
        if _names_the_gpu(kwargs.get("device")):
            return mark(func(*args, **{**kwargs, "device": "cpu"}))
        return func(*args, **kwargs)


def _copied(tensor: torch.Tensor, to_gpu: bool) -> torch.Tensor:
    went = tensor.clone()
    if to_gpu:
        return mark(went)
    _marked.pop(_storage(went), None)
    return went


class _Move(torch.autograd.Function):
    """A copy on the other device; its gradient comes back the same way."""

    @staticmethod
    def forward(ctx, tensor, to_gpu):
        ctx.to_gpu = to_gpu
        return _copied(tensor, to_gpu)

    @staticmethod
    def backward(ctx, gradient):
        return _copied(gradient, not ctx.to_gpu), None


def _names_the_gpu(device) -> bool:
    return device is not None and torch.device(device).type == "cuda"


def _moved(func, args: tuple, kwargs: dict) -> torch.Tensor:
    """What ``to``, ``cuda`` and ``cpu`` return; a copy where the device changes."""
    tensor, *rest = args
    if func is torch.Tensor.cuda:
        rest = [GPU]
    elif func is torch.Tensor.cpu:
        rest = [torch.device("cpu")]
    device, dtype = kwargs.get("device"), kwargs.get("dtype")
    for given in rest:
        if isinstance(given, (str, torch.device)):
            device = given
        elif isinstance(given, torch.Tensor):
            device, dtype = given.device, given.dtype
        elif isinstance(given, torch.dtype):
            dtype = given
    if device is not None and _names_the_gpu(device) != is_there(tensor):
        to_gpu = _names_the_gpu(device)
        follows = tensor.requires_grad and torch.is_grad_enabled()
        tensor = _Move.apply(tensor, to_gpu) if follows else _copied(tensor, to_gpu)
    return tensor if dtype is None else torch.Tensor.type(tensor, dtype)


def _load(*args, map_location=None, **options):
    found = real_load(*args, map_location="cpu", **options)
    return mark(found) if _names_the_gpu(map_location) else found


def _backward(*args, **options):
    """A mode stands aside while it calls a function; the way back needs it, too."""
    with _Functions():
        return real_backward(*args, **options)


@contextlib.contextmanager
def pretended_gpu() -> Iterator[None]:
    """Everything inside runs as if there were a GPU, and the package takes it by default."""
    names = [m.name for m in pkgutil.walk_packages(hqnn_utils.__path__, "hqnn_utils.")]
    modules = [importlib.import_module(n) for n in names if not n.endswith("__main__")]
    with contextlib.ExitStack() as stack:
        for module in modules:
            if hasattr(module, "default_device"):
                stack.enter_context(mock.patch.object(module, "default_device", _default_device))
            if hasattr(module, "is_usable"):
                stack.enter_context(mock.patch.object(module, "is_usable", _not_there(module)))
        for owner, attribute, value in (
            (torch.Tensor, "device", property(lambda t: GPU if is_there(t) else _device(t))),
            (torch.Tensor, "is_cuda", property(is_there)),
            (torch, "load", _load),
            (torch.autograd, "_engine_run_backward", _backward),
            (memory, "free_bytes", lambda device: 2**34),
            # Tables that are kept are made outside of every mode: not outside of these.
            (kept, "_disable_current_modes", contextlib.nullcontext),
        ):
            stack.enter_context(mock.patch.object(owner, attribute, value))
        stack.enter_context(_Functions())
        stack.enter_context(_Operations())
        yield


def _default_device() -> str:
    return "cuda"


def _device(tensor: torch.Tensor) -> torch.device:
    return real_device.__get__(tensor)


def _not_there(module):
    """The compiled kernel runs on the CPU only."""
    real = module.is_usable

    def is_usable(spec, *given, **options):
        return not any(map(is_there, tensors(given))) and real(spec, *given, **options)

    return is_usable
