"""A circuit as an ``nn.Module``."""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.quantum.circuits import CircuitSpec, build_qnode, init_weights
from hqnn_utils.runtime import choose


def _fused_engine(spec: CircuitSpec, device: str | None, shots: int | None, noise):
    """Our batched torch simulation: exact expectation values only."""
    if device is not None or shots is not None or noise is not None:
        raise ValueError(
            "engine 'fused' computes exact expectation values on torch's own device; "
            "device=, shots= and noise= need engine='pennylane'"
        )
    from hqnn_utils.quantum.engine.statevector import expectations

    return lambda inputs, weights: expectations(spec, inputs, weights)


def _pennylane_engine(spec: CircuitSpec, device, shots: int | None, noise):
    """A QNode on any PennyLane device, batched where the device and the gradient method allow it."""
    device = device or ("default.mixed" if noise is not None else "default.qubit")
    name = device if isinstance(device, str) else device.name
    exact = shots is None and name in ("default.qubit", "default.mixed")
    method = (
        "backprop"
        if exact
        else "adjoint"
        if shots is None and name.startswith("lightning")
        else "parameter-shift"
    )
    qnode = build_qnode(spec, device=device, shots=shots, noise=noise, diff_method=method)

    def run(inputs, weights):
        # Parameter-shift cannot differentiate a batched input, so such a batch goes through one image at a time.
        if (
            method == "parameter-shift"
            and torch.is_grad_enabled()
            and (inputs.requires_grad or weights.requires_grad)
        ):
            rows = [
                torch.stack([torch.as_tensor(v) for v in qnode(row, weights)]) for row in inputs
            ]
            return torch.stack(rows)
        return torch.stack([torch.as_tensor(v) for v in qnode(inputs, weights)], dim=-1)

    return run


ENGINES = {"fused": _fused_engine, "pennylane": _pennylane_engine}


class QuantumLayer(nn.Module):
    """A parameterised circuit as a layer: (..., n_inputs) -> (..., n_outputs).

    Parameters
    ----------
    spec : the circuit.
    engine : ``"fused"``, this project's batched simulation, or ``"pennylane"``, which also does shots, noise and other devices.
    device : PennyLane device name, or a device made with ``qp.device(...)``, ``"pennylane"`` only. Default ``default.qubit``, or ``default.mixed`` with noise.
    shots : samples per expectation value, ``None`` for exact values; ``"pennylane"`` only.
    noise : ``qp.noise.NoiseModel`` or ``None``; ``"pennylane"`` only.
    init, generator : see :func:`hqnn_utils.circuits.init_weights`.

    The weights are an ``nn.Parameter`` named ``weights`` of ``spec.weight_shape``, in radian. Inputs and result share
    one dtype, float32 or float64, and one torch device.
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
    ):
        super().__init__()
        self.spec, self.engine = spec, choose("engine", engine, ENGINES)
        self._options = dict(device=device, shots=shots, noise=noise)
        self._run = ENGINES[engine](spec, **self._options)
        self.weights = nn.Parameter(init_weights(spec, init, generator))

    def __getstate__(self):
        # QNodes and closures do not pickle; the engine is rebuilt from the spec.
        return {k: v for k, v in self.__dict__.items() if k != "_run"}

    def __setstate__(self, state):
        super().__setstate__(state)
        self._run = ENGINES[self.engine](self.spec, **self._options)

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        if inputs.ndim == 0 or inputs.shape[-1] != self.spec.n_inputs:
            raise ValueError(
                f"this circuit ({self.spec.label()}) takes {self.spec.n_inputs} features per example, "
                f"got a tensor of shape {tuple(inputs.shape)}"
            )
        if not inputs.is_floating_point():
            raise ValueError(f"a circuit takes floating-point features, got {inputs.dtype}")
        flat, weights = inputs.reshape(-1, self.spec.n_inputs), self.weights.to(inputs.dtype)
        if not torch.is_grad_enabled():  # what says that it wants a gradient makes PennyLane's adjoint devices compute one, even here
            flat, weights = flat.detach(), weights.detach()
        if len(flat) == 0:  # keeps the graph, so that an empty batch can go backward too
            values = flat.sum() * weights.sum() + flat.new_zeros(0, self.spec.n_outputs)
        else:
            values = self._run(flat, weights).to(device=inputs.device, dtype=inputs.dtype)
        return values.reshape(*inputs.shape[:-1], self.spec.n_outputs)

    def extra_repr(self) -> str:
        return f"{self.spec.label()}, engine={self.engine!r}, {self.spec.n_inputs} -> {self.spec.n_outputs}, weights={self.spec.n_weights}"
