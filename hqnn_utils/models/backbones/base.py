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

    def stages(self) -> list[nn.Module] | None:
        """The network as a chain of modules; ``None`` where it is none, or was not written as one.

        With a chain, what goes into the last block can be computed once and kept: see ``Tail``.
        """
        return None

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """What happens to the images before the first stage: the scale that the weights know."""
        return x

    def place_of_last_block(self) -> int:
        """How many stages stand before the last block. ValueError for a network without stages."""
        stages = self.stages()
        if stages is None:
            raise ValueError(
                f"{type(self).__name__} is not written as a chain of stages: "
                "train it without stored activations"
            )
        last = {id(module) for module in self.last_block()}
        return next(place for place, stage in enumerate(stages) if id(stage) in last)

    def before_last_block(self, x: torch.Tensor) -> torch.Tensor:
        """Images (N, channels, H, W) -> the activations (N, C, h, w) that the last block takes."""
        x = self.enter(x)
        for stage in self.stages()[: self.place_of_last_block()]:
            x = stage(x)
        return x

    def stages_from_last_block(self) -> list[nn.Module]:
        """The last block and what follows it."""
        return self.stages()[self.place_of_last_block() :]

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


class Tail(Backbone):
    """What of a backbone is left to train, fed with stored activations.

    Everything before the last block stands still while ``"last_block"`` is fine-tuned, so it gives
    the same activations in every epoch. They are computed once (``extract_pairs``), and an epoch
    costs the last block alone. Of a frozen backbone nothing is left: features go straight on. The
    modules are the backbone's own, which afterwards holds what was learnt.

    (N, 2, C, h, w), or (N, 2, n_features) -> (N, ``n_features``). The two are an image and its
    mirror image, of which the first is used; ``augment="flip"`` exchanges them in half of a batch.

    Raises
    ------
    ValueError : a backbone of which everything learns, or that cannot be split.
    """

    def __init__(self, backbone: Backbone):
        super().__init__()
        if backbone.fine_tune == "full":
            raise ValueError(
                "everything in this backbone learns, so nothing can be stored: "
                "build it with fine_tune='last_block' or 'frozen'"
            )
        frozen = backbone.fine_tune == "frozen"
        self.n_features = backbone.n_features
        self.chain = nn.Sequential(*([] if frozen else backbone.stages_from_last_block()))

    def last_block(self) -> list[nn.Module]:
        """All of it."""
        return list(self.chain)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, 2, ...) -> (N, n_features), of the first of each two."""
        return self.chain(x[:, 0])


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
