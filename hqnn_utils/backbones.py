"""Floor 2: networks that turn an image into a feature vector. A new one is one function and one line in the table."""

from __future__ import annotations

import torch
from torch import nn

from .runtime import choose


class SmallCNN(nn.Module):
    """Three blocks of convolution, batch norm, ReLU and 2x2 pooling, then the mean over the image.

    (N, channels, H, W) -> (N, 4 * width), any H and W from 8 pixels. With width 16: 16, 32 and 64 channels.
    """

    def __init__(self, in_channels: int = 1, width: int = 16):
        super().__init__()
        channels = [in_channels, width, 2 * width, 4 * width]
        blocks = [
            nn.Sequential(nn.Conv2d(a, b, 3, padding=1, bias=False), nn.BatchNorm2d(b), nn.ReLU(inplace=True), nn.MaxPool2d(2))
            for a, b in zip(channels, channels[1:])
        ]
        self.blocks = nn.Sequential(*blocks)
        self.n_features = channels[-1]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x).mean(dim=(2, 3))


BACKBONES = {"small_cnn": SmallCNN}


def build_backbone(name: str = "small_cnn", in_channels: int = 1) -> nn.Module:
    """A backbone by name, with an attribute ``n_features``. ValueError names the known ones."""
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 (grey) or 3 (colour), got {in_channels}")
    return BACKBONES[choose("backbone", name, BACKBONES)](in_channels=in_channels)
