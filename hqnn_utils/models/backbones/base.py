"""What every backbone has in common: its number of features, and what training may change."""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.runtime import choose

FINE_TUNE = ("full", "last_block", "frozen")


class Backbone(nn.Module):
    """Images (N, channels, H, W) scaled to -1..1 -> features (N, ``n_features``).

    A new backbone sets ``n_features`` and writes ``forward`` and ``last_block``. Frozen parts stay
    in evaluation mode, so that their batch norm neither sees the batch nor moves.
    """

    n_features: int
    fine_tune = "full"

    def last_block(self) -> list[nn.Module]:
        """The modules that "last_block" fine-tuning trains.

        The output of the last of them is the last feature map: Grad-CAM reads it.
        """
        raise NotImplementedError

    def set_fine_tune(self, how: str) -> Backbone:
        """Choose what training may change.

        ``"full"``: everything. ``"last_block"``: the end of the network. ``"frozen"``: nothing, so
        that only the head learns. Returns the backbone itself.
        """
        self.fine_tune = choose("fine_tune", how, FINE_TUNE)
        self.requires_grad_(how == "full")
        if how == "last_block":
            for module in self.last_block():
                module.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Training mode for the parts that learn; what is frozen stays in evaluation mode."""
        super().train(mode and self.fine_tune == "full")
        self.training = mode
        if self.fine_tune == "last_block":
            for module in self.last_block():
                module.train(mode)
        return self


class PassThrough(Backbone):
    """No backbone: a table of features (N, ``n_features``) goes to the head as it is."""

    def __init__(self, n_features: int):
        super().__init__()
        self.n_features = n_features

    def last_block(self) -> list[nn.Module]:
        """Nothing to train."""
        return []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, n_features) -> (N, n_features). ValueError for anything else, images above all."""
        if x.ndim != 2 or x.shape[1] != self.n_features:
            raise ValueError(
                f"backbone 'none' takes a table (N, {self.n_features}), got {tuple(x.shape)}: "
                "choose a backbone for images, or build it with the table's number of columns"
            )
        return x

    def extra_repr(self) -> str:
        """Number of features."""
        return f"n_features={self.n_features}"
