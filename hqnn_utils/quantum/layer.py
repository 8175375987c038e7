"""A circuit as an ``nn.Module``, and the engines that compute it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn

from hqnn_utils.quantum.engine.compiled import kernel_for
from hqnn_utils.quantum.engine.fused import expectations, refuse_unknown
from hqnn_utils.quantum.engine.kept import (
    refuse_batched,
    refuse_tracing,
    refuse_transforms,
)
from hqnn_utils.quantum.engine.sampled import (
    DEFAULT_SAMPLES,
    estimate_expectations,
    refuse_others,
)
from hqnn_utils.quantum.qnode import build_qnode
from hqnn_utils.quantum.spec import CircuitSpec, init_weights
from hqnn_utils.runtime import choose, whole_number
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import or_none, whole


@dataclass(frozen=True)
class Options:
    """What some engines can do and others cannot; see :class:`QuantumLayer`."""

    device: Any = None
    shots: int | None = None
    noise: Any = None
    samples: int | None = None
    seed: int | None = None

    def for_pennylane(self) -> bool:
        """True if one of them asks for PennyLane."""
        return not (self.device is None and self.shots is None and self.noise is None)

    def for_sampling(self) -> bool:
        """True if one of them asks for the sampled engine."""
        return not (self.samples is None and self.seed is None)


_EXACT = frozenset({torch.float32, torch.float64})


def _exact(dtype: torch.dtype) -> torch.dtype:
    """What a circuit is computed in for features of this dtype."""
    return dtype if dtype in _EXACT else torch.float32


def _refuse_sampling(engine: str, options: Options) -> None:
    if options.for_sampling():
        raise ValueError(
            f"samples= and seed= need engine='sampled', got engine {engine!r}; "
            "a device's samples are shots=, with engine='pennylane'"
        )


def _fused_engine(spec: CircuitSpec, options: Options):
    """Our batched torch simulation: exact expectation values only."""
    if options.for_pennylane():
        raise ValueError(
            "engine 'fused' computes exact expectation values on torch's own device; "
            "device=, shots= and noise= need engine='pennylane'"
        )
    _refuse_sampling("fused", options)
    refuse_unknown(spec)
    return partial(expectations, spec)


def _sampled_engine(spec: CircuitSpec, options: Options):
    """Means of cosines from randomly drawn terms: the study's family, at any width."""
    if options.for_pennylane():
        raise ValueError(
            "engine 'sampled' draws cosines, not shots: give samples=; "
            "device=, shots= and noise= need engine='pennylane'"
        )
    refuse_others(spec)
    samples = DEFAULT_SAMPLES if options.samples is None else options.samples
    whole_number("samples", samples, 2, "an error bar needs two")

    def run(inputs, weights):
        return estimate_expectations(spec, inputs, weights, samples, options.seed).values

    return run


def _gradient_method(device_name: str, shots: int | None) -> str:
    """The fastest method that PennyLane has for a device."""
    if shots is None and device_name in ("default.qubit", "default.mixed"):
        return "backprop"
    if shots is None and device_name.startswith("lightning"):
        return "adjoint"
    return "parameter-shift"


class _FirstOnly(torch.autograd.Function):
    """The values as they are, which can be differentiated once."""

    @staticmethod
    def forward(ctx, values, what):
        ctx.what = what
        return values.view_as(values)

    @staticmethod
    def backward(ctx, gradient):
        refuse_batched(gradient)
        if torch.is_grad_enabled():
            raise ValueError(
                f"{ctx.what} gives no second derivatives (create_graph=True); engine='fused' does"
            )
        return gradient, None


def _pennylane_engine(spec: CircuitSpec, options: Options):
    """A QNode on any PennyLane device, batched where the device and the gradient method allow
    it.
    """
    _refuse_sampling("pennylane", options)
    device, shots, noise = options.device, options.shots, options.noise
    if device is None:
        device = "default.qubit" if noise is None else "default.mixed"
    name = device if isinstance(device, str) else device.name
    method = _gradient_method(name, shots)
    what = f"engine 'pennylane' on {name}, which computes gradients by {method},"
    qnode = build_qnode(spec, device=device, shots=shots, noise=noise, diff_method=method)

    def batched(inputs, weights):
        # PennyLane's simulators make states and gates on the CPU, wherever the angles lie.
        values = qnode(inputs.cpu(), weights.cpu())
        return torch.stack([torch.as_tensor(v) for v in values], dim=-1)

    def one_by_one(inputs, weights):
        return torch.stack([batched(row, weights) for row in inputs])

    def run(inputs, weights):
        if method == "backprop":  # plain operations, which every transform knows
            return batched(inputs, weights)
        refuse_transforms(what)
        refuse_tracing(what, inputs)
        wants_gradient = inputs.requires_grad or weights.requires_grad
        # Parameter-shift cannot differentiate a batched input.
        if method == "parameter-shift" and torch.is_grad_enabled() and wants_gradient:
            return _FirstOnly.apply(one_by_one(inputs, weights), what)
        return _FirstOnly.apply(batched(inputs, weights), what)

    return run


ENGINES = {"fused": _fused_engine, "pennylane": _pennylane_engine, "sampled": _sampled_engine}
_REFUSALS = {"fused": refuse_unknown, "sampled": refuse_others}  # PennyLane runs every circuit


def check_engine(engine: str, spec: CircuitSpec) -> None:
    """ValueError for an unknown engine, or for a circuit that it cannot run."""
    refuse = _REFUSALS.get(choose("engine", engine, ENGINES))
    if refuse is not None:
        refuse(spec)


class QuantumLayer(nn.Module):
    """A parameterised circuit as a layer: (..., n_inputs) -> (..., n_outputs).

    The weights are an ``nn.Parameter`` named ``weights`` of ``spec.weight_shape``, in radian.
    Inputs and result share one dtype and one torch device. float64 is computed as such, all else in
    float32 at least: a circuit's phases need it, so features in half precision (``torch.autocast``,
    ``model.half()``) become float32 inside. ``torch.compile`` ends its graph in front of a circuit
    and begins another one behind.

    Parameters
    ----------
    spec : the circuit.
    engine : ``"fused"``, this project's batched simulation; ``"pennylane"``, which also does shots,
        noise and other devices, and knows every circuit; or ``"sampled"``, which estimates the
        study's family of circuits (angle encoding about X, RX, CNOT) at any width, 50 qubits
        included: see :func:`hqnn_utils.quantum.estimate_expectations`, which also gives the error
        bars.
    device : PennyLane device name, or a device made with ``qp.device(...)``, ``"pennylane"`` only.
        Default ``default.qubit``, or ``default.mixed`` with noise.
    shots : samples per expectation value, ``None`` for exact values; ``"pennylane"`` only.
    noise : ``qp.noise.NoiseModel`` or ``None``; ``"pennylane"`` only.
    samples : cosines that are averaged, default 10,000; ``"sampled"`` only.
    seed : of the samples: with a number they are the same in each call; ``None`` for fresh ones;
        ``"sampled"`` only.
    init, generator : see :func:`hqnn_utils.quantum.spec.init_weights`.

    Raises
    ------
    ValueError : an unknown engine; an option or a circuit that the engine cannot do; inputs of
        another width or dtype.
    """

    def __init__(
        self,
        spec: CircuitSpec,
        engine: str = "fused",
        device=None,
        shots: int | None = None,
        noise=None,
        init: str = "uniform",
        generator: torch.Generator | None = None,
        samples: int | None = None,
        seed: int | None = None,
    ):
        super().__init__()
        self.spec = spec
        self.engine = choose("engine", engine, ENGINES)
        self._options = Options(device, shots, noise, samples, seed)
        self._run = ENGINES[engine](spec, self._options)
        self.weights = nn.Parameter(init_weights(spec, init, generator))

    def __getstate__(self):
        # QNodes and closures do not pickle; the engine is rebuilt from the spec.
        return {k: v for k, v in self.__dict__.items() if k != "_run"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._run = ENGINES[self.engine](self.spec, self._options)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Expectation values (..., n_outputs) for inputs (..., n_inputs)."""
        if torch.compiler.is_dynamo_compiling():  # its answer is known when a graph is made
            return torch.compiler.disable(self._values, reason="a circuit is no part of a graph")(
                inputs
            )
        return self._values(inputs)

    def _values(self, inputs: torch.Tensor) -> torch.Tensor:
        self._check(inputs)
        exact = _exact(inputs.dtype)
        rows = inputs.reshape(-1, self.spec.n_inputs)
        if inputs.dtype != exact:
            rows = rows.to(exact)
        weights = self.weights.to(exact)
        if not torch.is_grad_enabled():
            # PennyLane's adjoint devices compute a gradient for whatever says that it wants one.
            rows, weights = rows.detach(), weights.detach()
        if len(rows) == 0 or rows.is_meta:  # keeps the graph, so that it can go backward too
            values = rows.sum() * weights.sum() + rows.new_zeros(len(rows), self.spec.n_outputs)
        else:
            values = self._run(rows, weights)
        values = values.to(device=inputs.device, dtype=inputs.dtype)
        return values.reshape(*inputs.shape[:-1], self.spec.n_outputs)

    def _check(self, inputs: torch.Tensor) -> None:
        if inputs.ndim == 0 or inputs.shape[-1] != self.spec.n_inputs:
            raise ValueError(
                f"this circuit ({self.spec.label()}) takes {self.spec.n_inputs} features "
                f"per example, got a tensor of shape {tuple(inputs.shape)}"
            )
        if inputs.layout != torch.strided:
            raise ValueError(f"a circuit takes dense features, got {inputs.layout}: to_dense()")
        if not inputs.is_floating_point():
            raise ValueError(f"a circuit takes floating-point features, got {inputs.dtype}")

    @property
    def kernel(self) -> str:
        """What computes the circuit where the layer is now.

        ``"numba"`` machine code on the CPU, ``"torch"`` torch's operations (a GPU, no numba; always
        inside ``vmap`` and for second derivatives), otherwise the name of PennyLane's device.
        """
        if self.engine == "fused":
            return kernel_for(self.spec, self.weights.device, _exact(self.weights.dtype))
        if self.engine == "sampled":
            return "torch"
        device = self._options.device
        if device is None:
            return "default.qubit" if self._options.noise is None else "default.mixed"
        return device if isinstance(device, str) else device.name

    def extra_repr(self) -> str:
        """What ``print(layer)`` shows between the brackets."""
        spec = self.spec
        sizes = f"{spec.n_inputs} -> {spec.n_outputs}, weights={spec.n_weights}"
        return f"{spec.label()}, engine={self.engine!r}, kernel={self.kernel!r}, {sizes}"


checked(__name__, {"samples": or_none(whole(2, "an error bar needs two"))})
