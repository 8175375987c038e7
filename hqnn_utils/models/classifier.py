"""Backbone + head = classifier."""

from __future__ import annotations

import os

import torch
from torch import nn

from hqnn_utils.models.backbones import build_backbone
from hqnn_utils.models.cores import IN_PLACE_OF_THE_CIRCUIT
from hqnn_utils.models.heads import build_head
from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.runtime.arguments import checked


class Classifier(nn.Module):
    """Backbone and head: images (N, channels, H, W) -> logits (N, 2), class 1 = malignant.

    Under ``torch.autocast`` only the backbone runs in half precision: a circuit's phases need
    float32.

    Raises
    ------
    ValueError : the head was built for another number of features.
    """

    def __init__(self, backbone: nn.Module, head: nn.Module):
        super().__init__()
        expected = _features_expected(head)
        if expected is not None and expected != backbone.n_features:
            raise ValueError(
                f"the head takes {expected} features, the backbone gives {backbone.n_features}: "
                f"build the head with n_features={backbone.n_features}"
            )
        self.backbone = backbone
        self.head = head

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, channels, H, W) -> (N, 2)."""
        self._check(x)
        features = self.backbone(x)  # (N, n_features)
        if not torch.is_autocast_enabled(x.device.type):
            return self.head(features)
        with torch.autocast(x.device.type, enabled=False):
            return self.head(features.float())

    def _check(self, x: torch.Tensor) -> None:
        if not x.is_floating_point():
            raise ValueError(f"the images are {x.dtype}: give it images.float() / 255")
        weights = next(self.backbone.parameters(), None)
        if weights is None or torch.is_autocast_enabled(x.device.type):
            return
        if x.is_floating_point() and x.dtype != weights.dtype:
            raise ValueError(
                f"the images are {x.dtype}, the model is {weights.dtype}: "
                f"give it images.to({weights.dtype})"
            )


def _features_expected(head: nn.Module) -> int | None:
    """Inputs of a head's first linear layer; ``None`` for a head without one."""
    for module in head.modules():
        if isinstance(module, nn.Linear):
            return module.in_features
    return None


def build_model(
    backbone: str = "small_cnn",
    head: str = "linear",
    *,
    in_channels: int = 1,
    spec: CircuitSpec | None = None,
    engine: str = "fused",
    weights: str | os.PathLike | None = None,
    fine_tune: str = "full",
    seed: int | None = None,
) -> Classifier:
    """A classifier by names.

    Parameters
    ----------
    backbone, in_channels, weights, fine_tune : see ``build_backbone``.
    head, spec, engine : see ``build_head``.
    seed : of the random start weights; ``None`` draws on from torch's own state. With a seed the
        weights do not depend on what ran before, and the backbone starts from the same weights for
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
    """Trainable parameters as ``{"backbone": [...], "circuit": [...], "head": [...]}``.

    ``circuit`` holds circuits and the controls that take their place (matched, mixing, cosines,
    fourier), so that all learn at the same rate; the ordinary layers of ``mlp`` belong to the head.
    A model without a backbone is all head. Groups without a trainable parameter are left out.
    """
    part_of = {}  # a parameter's id -> its part; what is not named here belongs to the head
    if isinstance(model, Classifier):
        part_of.update(dict.fromkeys(map(id, model.backbone.parameters()), "backbone"))
    for module in model.modules():
        if isinstance(module, IN_PLACE_OF_THE_CIRCUIT):
            part_of.update(dict.fromkeys(map(id, module.parameters()), "circuit"))

    groups = {"backbone": [], "circuit": [], "head": []}
    for p in model.parameters():
        if p.requires_grad:
            groups[part_of.get(id(p), "head")].append(p)
    return {name: group for name, group in groups.items() if group}


checked(__name__)
