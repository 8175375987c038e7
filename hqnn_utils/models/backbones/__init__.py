"""Networks that turn an image into a feature vector, by name. A new one is a line in the table.

``base``               what all backbones have in common; no backbone for tables of features
``small_cnn``          our own small network
``efficientnet_lite``  networks whose ImageNet weights are installed with the course
``torchvision_nets``   any classifier of torchvision
``weights``            pretrained weights: from a package, from torchvision's server or from a file
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from hqnn_utils.models.backbones.base import ENDS, FINE_TUNE, Backbone, PassThrough, Tail
from hqnn_utils.models.backbones.efficientnet_lite import IMAGENET_FILES, EfficientNetLite
from hqnn_utils.models.backbones.small_cnn import SmallCNN
from hqnn_utils.models.backbones.torchvision_nets import TorchvisionBackbone
from hqnn_utils.models.backbones.weights import (
    WeightsError,
    imagenet_state,
    load_state,
    packaged_state,
    read_state,
)
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked

__all__ = [
    "BACKBONES",
    "ENDS",
    "FINE_TUNE",
    "Backbone",
    "EfficientNetLite",
    "PassThrough",
    "SmallCNN",
    "Tail",
    "TorchvisionBackbone",
    "WeightsError",
    "build_backbone",
    "imagenet_state",
    "read_state",
]


@dataclass(frozen=True)
class Recipe:
    """How a backbone is made.

    Attributes
    ----------
    make : ``(in_channels, state or None) -> Backbone``.
    imagenet : ``() -> state dict`` of published ImageNet weights; ``None`` where there are none.
    """

    make: Callable[[int, dict | None], Backbone]
    imagenet: Callable[[], dict] | None = None


def torchvision_net(name: str, version: str = "IMAGENET1K_V1") -> Recipe:
    """A classifier of ``torchvision.models`` by name, and the version of its ImageNet weights."""
    return Recipe(partial(TorchvisionBackbone, name), partial(imagenet_state, name, version))


def packaged_net(name: str) -> Recipe:
    """An EfficientNet-Lite by name; its ImageNet weights are installed with the course."""
    file = IMAGENET_FILES[name]
    return Recipe(partial(EfficientNetLite, name), partial(packaged_state, file))


def own_network(name: str, network: Callable[[int], Backbone]) -> Recipe:
    """A network of this package, called with ``in_channels``; nobody has published weights for it.

    ``name`` is the one in the table, for the message about a file that does not fit.
    """

    def make(in_channels: int, state: dict | None) -> Backbone:
        backbone = network(in_channels)
        if state is not None:
            load_state(backbone, state, name)
        return backbone

    return Recipe(make)


BACKBONES = {
    "small_cnn": own_network("small_cnn", SmallCNN),
    "small_cnn_6": own_network("small_cnn_6", partial(SmallCNN, depth=2)),
    "efficientnet_lite0": packaged_net("efficientnet_lite0"),
    "efficientnet_lite1": packaged_net("efficientnet_lite1"),
    "efficientnet_lite2": packaged_net("efficientnet_lite2"),
    "resnet18": torchvision_net("resnet18"),
    "resnet50": torchvision_net("resnet50"),
    "efficientnet_v2_s": torchvision_net("efficientnet_v2_s"),
    "efficientnet_b5": torchvision_net("efficientnet_b5"),
    "mobilenet_v3_small": torchvision_net("mobilenet_v3_small"),
    "convnext_tiny": torchvision_net("convnext_tiny"),
    "densenet121": torchvision_net("densenet121"),
    "regnet_y_400mf": torchvision_net("regnet_y_400mf"),
    "vit_b_16": torchvision_net("vit_b_16"),
    "none": own_network("none", PassThrough),
}


def build_backbone(
    name: str = "small_cnn",
    in_channels: int = 1,
    weights: str | os.PathLike | None = None,
    fine_tune: str = "full",
) -> Backbone:
    """A backbone by name, with an attribute ``n_features`` that is known without a forward pass.

    Parameters
    ----------
    name : a name in ``BACKBONES``.
    in_channels : 1 (grey) or 3 (colour). For ``"none"`` the number of columns of the table.
    weights : ``None`` for random weights; ``"imagenet"`` for published ones, checksum verified: of
        EfficientNet-Lite from an installed package, of the others from torchvision's server,
        downloaded once; or the path of a state dict in the network's own format.
    fine_tune : what training may change: ``"full"``, ``"last_blocks"`` (three quarters of the
        parameters, from the end), ``"last_block"`` (a fifth or more) or ``"frozen"``.

    Raises
    ------
    ValueError : unknown name or setting; the message names the known ones.
    WeightsError : weights that cannot be reached, are damaged, or belong to another network.
    """
    _check_channels(name, in_channels)
    recipe = BACKBONES[choose("backbone", name, BACKBONES)]
    choose("fine_tune", fine_tune, FINE_TUNE)
    state = _state(name, recipe, weights)
    return recipe.make(in_channels, state).set_fine_tune(fine_tune)


def _check_channels(name: str, in_channels: int) -> None:
    if name == "none":
        if in_channels < 1:
            raise ValueError(
                f"backbone 'none' takes in_channels = number of columns, got {in_channels}"
            )
    elif in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 (grey) or 3 (colour), got {in_channels}")


def _state(name: str, recipe: Recipe, weights: str | os.PathLike | None) -> dict | None:
    if weights is None:
        return None
    if weights != "imagenet":
        return read_state(weights)
    if recipe.imagenet is None:
        raise WeightsError(f"{name} has no ImageNet weights: use weights=None, or another backbone")
    return recipe.imagenet()


checked(__name__)
