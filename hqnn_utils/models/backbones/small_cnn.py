"""Our own small network. It has no published weights: it learns from a few hundred images."""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.models.backbones.base import Backbone


def conv_block(in_channels: int, out_channels: int, depth: int) -> nn.Sequential:
    """``depth`` times convolution, batch norm and ReLU; then 2x2 pooling halves the image.

    (N, in_channels, H, W) -> (N, out_channels, H // 2, W // 2)
    """
    layers = []
    for step in range(depth):
        before = in_channels if step == 0 else out_channels
        layers.append(nn.Conv2d(before, out_channels, kernel_size=3, padding=1, bias=False))
        layers.append(nn.BatchNorm2d(out_channels))
        layers.append(nn.ReLU(inplace=True))
    layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers)


class SmallCNN(Backbone):
    """Three blocks of convolutions, each with twice the channels; then the mean over the image.

    (N, in_channels, H, W) -> (N, 4 * width), for any H and W from 8 pixels.

    Parameters
    ----------
    in_channels : 1 (grey) or 3 (colour).
    width : channels after the first block. With 16 there are 16, 32 and 64.
    depth : convolutions in each block.
    """

    def __init__(self, in_channels: int = 1, width: int = 16, depth: int = 1):
        super().__init__()
        self.blocks = nn.Sequential(
            conv_block(in_channels, width, depth),  # (N, 16, 14, 14) for width 16 and 28 pixels
            conv_block(width, 2 * width, depth),  # (N, 32, 7, 7)
            conv_block(2 * width, 4 * width, depth),  # (N, 64, 3, 3)
        )
        self.n_features = 4 * width
        # A step takes a third less time on a CPU; the last digits of a run's numbers change.
        self.to(memory_format=torch.channels_last)

    def last_block(self) -> list[nn.Module]:
        """The last of the three blocks."""
        return [self.blocks[-1]]

    def last_blocks(self) -> list[nn.Module]:
        """The last two of the three."""
        return list(self.blocks[-2:])

    def stages(self) -> list[nn.Module]:
        """The three blocks and the mean over the image."""
        return [*self.blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten()]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, in_channels, H, W) -> (N, 4 * width)."""
        maps = self.blocks(x)
        return maps.mean(dim=(2, 3))
