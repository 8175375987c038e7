"""Any classifier of torchvision as a backbone: its last linear layer is taken away."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import nn

from hqnn_utils.models.backbones.base import Backbone
from hqnn_utils.models.backbones.weights import load_state

# ImageNet's pixels (0..1) per colour, as torchvision's weights were trained.
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
N_IMAGENET_CLASSES = 1000
# "last_block" trains stages from the end until they hold this share of the parameters.
LAST_BLOCK_SHARE = 0.2
# The same for "last_blocks".
LAST_BLOCKS_SHARE = 0.75
# A module with more than this share is no stage but the wrapper around the stages.
WRAPPER_SHARE = 0.9
# Networks of torchvision whose ``forward`` applies their parts in order, flattened at the end.
CHAINS = ("ResNet", "EfficientNet", "MobileNetV3", "RegNet")
# What torch says when nothing of a small image is left after so many halvings.
TOO_SMALL = ("Output size is too small", "Kernel size can't be greater")


class TorchvisionBackbone(Backbone):
    """A torchvision classifier without its last linear layer.

    Parameters
    ----------
    name : of ``torchvision.models``: any classifier that ends in a linear layer.
    in_channels : 1 (grey) or 3 (colour). With weights, the grey network answers exactly as the
        colour network on the grey image copied into three channels.
    state : state dict in torchvision's format, or ``None`` for random weights. With a state, inputs
        are brought from -1..1 to ImageNet's mean and standard deviation (for one channel, the
        averages over the three); without, they stay -1..1.

    Raises
    ------
    ValueError : a network that does not end in a linear layer, or has side exits.
    WeightsError : the state belongs to another network.
    """

    def __init__(self, name: str, in_channels: int = 1, state: dict | None = None):
        super().__init__()
        from torchvision.models import get_model

        body = get_model(name, weights=None)
        self.name = name
        last = last_linear(body, name)
        self.n_features = body.get_submodule(last).in_features
        if state is not None:
            load_state(body, state, name, last)
        cut_off(body, last)
        if in_channels == 1:
            make_grey(body, has_weights=state is not None)
        if state is None:
            quicken_batch_norm(body)
        scale, shift = input_scaling(in_channels, for_imagenet=state is not None)
        self.register_buffer("scale", scale)
        self.register_buffer("shift", shift)
        self.classifier_part = last.split(".")[0]
        self.body = body

    def last_block(self) -> list[nn.Module]:
        """The last stages, behind what is left of the classifier where that can learn."""
        return self._last(LAST_BLOCK_SHARE)

    def last_blocks(self) -> list[nn.Module]:
        """The same, with three quarters of the parameters or more."""
        return self._last(LAST_BLOCKS_SHARE)

    def _last(self, share: float) -> list[nn.Module]:
        children = dict(self.body.named_children())
        rest = children.pop(self.classifier_part)
        stages = last_stages(children.values(), share)
        return [rest, *stages] if n_numbers(rest) else stages

    def stages(self) -> list[nn.Module] | None:
        """Convolutions, mean over the image, what is left of the classifier; see ``CHAINS``."""
        if type(self.body).__name__ not in CHAINS:
            return None
        *convolutions, mean, rest = self.body.children()
        total = sum(n_numbers(module) for module in convolutions)
        return [*open_wrappers(convolutions, total), mean, nn.Flatten(), rest]

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """From -1..1 to ImageNet's mean and standard deviation, if the weights are ImageNet's."""
        return x * self.scale + self.shift

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, n_features)."""
        self._check_size(x)
        try:
            return self.body(self.enter(x))
        except RuntimeError as error:
            if not any(text in str(error) for text in TOO_SMALL):
                raise
            height, width = x.shape[-2:]
            raise ValueError(
                f"images of {height} x {width} pixels are too small for {self.name}: "
                "use at least 32 x 32, or choose another backbone"
            ) from None

    def _check_size(self, x: torch.Tensor) -> None:
        """A vision transformer knows the positions of one image size only."""
        wanted = getattr(self.body, "image_size", None)
        height, width = x.shape[-2:]
        if wanted is not None and (height, width) != (wanted, wanted):
            raise ValueError(
                f"{self.name} takes images of {wanted} x {wanted} pixels, got {height} x {width}: "
                f"load or resize them with size={wanted}, or choose another backbone"
            )


def last_linear(body: nn.Module, name: str) -> str:
    """Name of the layer that gives the classes, such as ``"fc"`` or ``"classifier.1"``."""
    if getattr(body, "aux_logits", False):
        raise ValueError(f"{name} has side exits in training: choose another backbone")
    linear = [where for where, m in body.named_modules() if isinstance(m, nn.Linear)]
    if not linear or body.get_submodule(linear[-1]).out_features != N_IMAGENET_CLASSES:
        raise ValueError(
            f"{name} does not end in a linear layer with {N_IMAGENET_CLASSES} classes: "
            "choose another backbone"
        )
    return linear[-1]


def cut_off(body: nn.Module, last: str) -> None:
    """Replace the classifier's last layer, and dropouts right before it, by nothing.

    Dropouts go because the head decides on regularisation.
    """
    body.set_submodule(last, nn.Identity())
    around, _, _ = last.rpartition(".")
    layers = body.get_submodule(around)
    if isinstance(layers, nn.Sequential):
        for place in reversed(range(len(layers) - 1)):
            if not isinstance(layers[place], nn.Dropout):
                break
            layers[place] = nn.Identity()


def make_grey(body: nn.Module, has_weights: bool) -> None:
    """Let the first convolution take one channel instead of three.

    With weights its kernel is the **sum** of the three colour kernels: the answer is that of the
    colour network on the grey image copied into three channels. Random weights are drawn anew, as
    torchvision starts a ResNet (He et al., arXiv 1502.01852). Only a convolution with a bias, which
    no normalisation follows at once (ViT), takes the sum here too: it keeps the size of its output.
    """
    where = next(where for where, m in body.named_modules() if isinstance(m, nn.Conv2d))
    colour = body.get_submodule(where)
    grey = nn.Conv2d(
        1,
        colour.out_channels,
        colour.kernel_size,
        colour.stride,
        colour.padding,
        bias=colour.bias is not None,
    )
    with torch.no_grad():
        if has_weights or colour.bias is not None:
            grey.weight.copy_(colour.weight.sum(dim=1, keepdim=True))
        else:
            nn.init.kaiming_normal_(grey.weight, mode="fan_out", nonlinearity="relu")
        if colour.bias is not None:
            grey.bias.copy_(colour.bias)
    body.set_submodule(where, grey)


def quicken_batch_norm(body: nn.Module) -> None:
    """Batch norm's running statistics follow a short training.

    EfficientNet-B5's momentum of 0.01 suits long ImageNet training; in a few hundred steps the
    statistics would lag behind.
    """
    for module in body.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.momentum = 0.1


def input_scaling(in_channels: int, for_imagenet: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """``(scale, shift)``, each (1, channels, 1, 1): the network sees ``x * scale + shift``.

    For ImageNet that is ((x + 1) / 2 - mean) / std, else x itself.
    """
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if in_channels == 1:
        mean, std = mean.mean()[None], std.mean()[None]
    if for_imagenet:
        scale, shift = 0.5 / std, (0.5 - mean) / std
    else:
        scale, shift = torch.ones_like(std), torch.zeros_like(mean)
    return scale.view(1, -1, 1, 1), shift.view(1, -1, 1, 1)


def n_numbers(module: nn.Module) -> int:
    """Number of a module's parameters, whether they learn or not."""
    return sum(p.numel() for p in module.parameters())


def last_stages(modules: Iterable[nn.Module], share: float = LAST_BLOCK_SHARE) -> list[nn.Module]:
    """The stages at the end that together hold at least this share of the parameters, in order."""
    modules = list(modules)
    total = sum(n_numbers(module) for module in modules)
    taken, held = [], 0
    for stage in reversed(open_wrappers(modules, total)):
        if held >= share * total:
            break
        if n_numbers(stage) > 0:
            taken.insert(0, stage)
            held += n_numbers(stage)
    return taken


def open_wrappers(modules: Iterable[nn.Module], total: int) -> list[nn.Module]:
    """The stages: a module with nearly all parameters (``features``) is replaced by its parts."""
    stages = []
    for module in modules:
        parts = list(module.children())
        if parts and n_numbers(module) > WRAPPER_SHARE * total:
            stages.extend(open_wrappers(parts, total))
        else:
            stages.append(module)
    return stages
