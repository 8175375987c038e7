"""Backbone + head = classifier."""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.models.backbones import build_backbone
from hqnn_utils.models.heads import (
    CORES,
    HEADS,
    BoundedAngles,
    MatchedLayer,
    build_head,
    control_of,
)
from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.quantum.layers import QuantumLayer

__all__ = [
    "CORES",
    "HEADS",
    "BoundedAngles",
    "Classifier",
    "MatchedLayer",
    "build_head",
    "build_model",
    "control_of",
    "count_parameters",
    "parameter_groups",
]


class Classifier(nn.Module):
    """Backbone and head: images (N, channels, H, W) -> logits (N, 2), class 1 = malignant.

    Under ``torch.autocast`` only the backbone runs in half precision: a circuit's phases need float32.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        expected = next((m.in_features for m in head.modules() if isinstance(m, nn.Linear)), None)
        if expected is not None and expected != backbone.n_features:
            raise ValueError(
                f"the head takes {expected} features, the backbone gives {backbone.n_features}: "
                f"build the head with n_features={backbone.n_features}"
            )
        self.backbone, self.head = backbone, head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        features = self.backbone(x)
        if not torch.is_autocast_enabled(x.device.type):
            return self.head(features)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features.float())


def build_model(
    backbone: str = "small_cnn",
    head: str = "linear",
    *,
    in_channels: int = 1,
    spec: CircuitSpec | None = None,
    engine: str = "fused",
    weights=None,
    fine_tune: str = "full",
    seed: int | None = None,
) -> Classifier:
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


def parameter_groups(model: nn.Module) -> dict[str, list[nn.Parameter]]:
    """Parameters as ``{"backbone": ..., "circuit": ..., "head": ...}``; what is frozen for good is left out, and so are empty groups.

    ``circuit`` holds circuits and their matched controls, so that both learn at the same rate. A model without a backbone is all head.
    """
    circuit = {
        id(p)
        for m in model.modules()
        if isinstance(m, (QuantumLayer, MatchedLayer))
        for p in m.parameters()
    }
    body = {id(p) for p in model.backbone.parameters()} if isinstance(model, Classifier) else set()
    found = {"backbone": [], "circuit": [], "head": []}
    for p in model.parameters():
        if p.requires_grad:
            found[
                "circuit" if id(p) in circuit else "backbone" if id(p) in body else "head"
            ].append(p)
    return {name: group for name, group in found.items() if group}
