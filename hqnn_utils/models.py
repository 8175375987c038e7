"""Floor 2: backbone + head = classifier. The heads are the experiment: one with a circuit, the others without."""

from __future__ import annotations

import math

import torch
from torch import nn

from .backbones import build_backbone
from .circuits import CircuitSpec
from .layers import QuantumLayer
from .runtime import choose

N_CLASSES = 2


class BoundedAngles(nn.Module):
    """tanh, then times pi: features become rotation angles between -pi and pi."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return math.pi * torch.tanh(x)


class MatchedLayer(nn.Module):
    """The classical control of a circuit: same inputs, same outputs, same number of trainable parameters.

    A circuit of n qubits has k = c * n angles. This map spends the same k numbers in vectors of length n: on a state h of
    length n, h <- tanh(scale * h + bias + m_1 * roll(h, 1) + m_2 * roll(h, 2) + ...), where a new tanh layer begins
    once all n rolls are used. Inputs are divided by pi (angles become -1..1); 2**n amplitudes are averaged to n values.
    The outputs are formed from h as the observables are from Z: one per qubit, pairs, or the product;
    for the first qubit alone the mean, so that every parameter has an effect as in an entangled circuit.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        self.weights = nn.Parameter(torch.empty(spec.n_weights // spec.n_qubits, spec.n_qubits))
        with torch.no_grad():  # starts close to the identity: scale 1, everything else small
            self.weights.normal_(0.0, 0.1)
            self.weights[:: spec.n_qubits + 1] += 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = self.spec.n_qubits
        if self.spec.encoding == "amplitude":
            h = nn.functional.adaptive_avg_pool1d(x.reshape(-1, 1, x.shape[-1]), n).reshape(*x.shape[:-1], n)
        else:
            h = x / math.pi
        for group in self.weights.split(n + 1):
            total = group[0] * h + (group[1] if len(group) > 1 else 0.0)
            for shift, row in enumerate(group[2:], start=1):
                total = total + row * h.roll(shift, dims=-1)
            h = torch.tanh(total)
        if self.spec.observable == "Z":
            return h
        if self.spec.observable == "Z0":
            return h.mean(dim=-1, keepdim=True)  # entanglers carry every qubit to the first, so every h must count
        if self.spec.observable == "parity":
            return h.prod(dim=-1, keepdim=True)
        i, j = torch.triu_indices(n, n, offset=1, device=h.device)
        return h[..., i] * h[..., j]


def linear_head(n_features: int, spec: CircuitSpec, engine: str) -> nn.Module:
    """Features -> classes: the plain classifier. Ignores the circuit."""
    return nn.Linear(n_features, N_CLASSES)


def dressed_head(n_features: int, spec: CircuitSpec, engine: str) -> nn.Module:
    """Features -> angles -> circuit -> classes, with no way round the circuit (Mari et al., arXiv 1912.08278)."""
    return nn.Sequential(nn.Linear(n_features, spec.n_inputs), BoundedAngles(), QuantumLayer(spec, engine), nn.Linear(spec.n_outputs, N_CLASSES))


def matched_head(n_features: int, spec: CircuitSpec, engine: str) -> nn.Module:
    """The dressed head with the circuit replaced by :class:`MatchedLayer`: the control of every claim."""
    return nn.Sequential(nn.Linear(n_features, spec.n_inputs), BoundedAngles(), MatchedLayer(spec), nn.Linear(spec.n_outputs, N_CLASSES))


HEADS = {"linear": linear_head, "dressed": dressed_head, "matched": matched_head}


class Classifier(nn.Module):
    """Backbone and head: images (N, channels, H, W) -> logits (N, 2), class 1 = malignant."""

    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        expected = next((m.in_features for m in head.modules() if isinstance(m, nn.Linear)), None)
        if expected is not None and expected != backbone.n_features:
            raise ValueError(f"the head takes {expected} features, the backbone gives {backbone.n_features}: "
                             f"build the head with n_features={backbone.n_features}")  # fmt: skip
        self.backbone, self.head = backbone, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.backbone(x))


def build_head(name: str, n_features: int, spec: CircuitSpec | None = None, engine: str = "fused") -> nn.Module:
    """A head by name for a backbone with ``n_features``. ValueError names the known ones."""
    return HEADS[choose("head", name, HEADS)](n_features, spec or CircuitSpec(), engine)


def build_model(backbone: str = "small_cnn", head: str = "linear", *, in_channels: int = 1, spec: CircuitSpec | None = None,
                engine: str = "fused", weights=None, fine_tune: str = "full", seed: int | None = None) -> Classifier:  # fmt: skip
    """A classifier by names; ``weights`` and ``fine_tune`` as in ``build_backbone``.

    With a ``seed`` the weights do not depend on what ran before, and the backbone starts from the same weights for
    every head: a comparison of heads is then a comparison of heads.
    """
    with torch.random.fork_rng(enabled=seed is not None):
        if seed is not None:
            torch.manual_seed(seed)
        body = build_backbone(backbone, in_channels, weights, fine_tune)
        return Classifier(body, build_head(head, body.n_features, spec, engine))


def count_parameters(module: nn.Module) -> int:
    """Number of trainable parameters."""
    return sum(p.numel() for p in module.parameters() if p.requires_grad)
