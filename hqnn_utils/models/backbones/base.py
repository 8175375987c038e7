"""What every backbone has in common: its number of features, and what training may change."""

from __future__ import annotations

import torch
from torch import nn

from hqnn_utils.runtime import choose

FINE_TUNE = ("full", "last_blocks", "last_block", "frozen")
# Where a chain can be cut: before the part that learns, while the rest stands still.
ENDS = ("last_blocks", "last_block")


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

    def last_blocks(self) -> list[nn.Module]:
        """The modules that "last_blocks" fine-tuning trains: more of the end of the network.

        By default no more than the last block.
        """
        return self.last_block()

    def end(self, part: str) -> list[nn.Module]:
        """The last blocks, or the last block."""
        choose("end of a network", part, ENDS)
        return self.last_block() if part == "last_block" else self.last_blocks()

    def stages(self) -> list[nn.Module] | None:
        """The network as a chain of modules; ``None`` where it is none, or was not written as one.

        With a chain, what goes into the part that learns can be computed once and kept: see
        ``Tail``.
        """
        return None

    def enter(self, x: torch.Tensor) -> torch.Tensor:
        """What happens to the images before the first stage: the scale that the weights know."""
        return x

    def place_of(self, part: str) -> int:
        """How many stages stand before the last block, or before the last blocks.

        ValueError for a network without stages.
        """
        stages = self.stages()
        if stages is None:
            raise ValueError(
                f"{type(self).__name__} is not written as a chain of stages: "
                "train it without stored activations"
            )
        end = {id(module) for module in self.end(part)}
        return next(place for place, stage in enumerate(stages) if id(stage) in end)

    def before(self, part: str, x: torch.Tensor) -> torch.Tensor:
        """Images (N, channels, H, W) -> the activations (N, C, h, w) that this part takes."""
        x = self.enter(x)
        for stage in self.stages()[: self.place_of(part)]:
            x = stage(x)
        return x

    def set_fine_tune(self, how: str) -> Backbone:
        """Choose what training may change.

        ``"full"``: everything. ``"last_blocks"``: the second half of the network and most of its
        parameters. ``"last_block"``: its end. ``"frozen"``: nothing, so that only the head learns.
        Returns the backbone itself.
        """
        self.fine_tune = choose("fine_tune", how, FINE_TUNE)
        self.requires_grad_(how == "full")
        if how in ENDS:
            for module in self.end(how):
                module.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        """Training mode for the parts that learn; what is frozen stays in evaluation mode."""
        super().train(mode and self.fine_tune == "full")
        self.training = mode
        if self.fine_tune in ENDS:
            for module in self.end(self.fine_tune):
                module.train(mode)
        return self


class Tail(Backbone):
    """What of a backbone is left to train, fed with stored activations.

    What stands before the part that learns gives the same activations in every epoch. They are
    computed once (``extract_pairs``), and an epoch costs the rest alone. Of a frozen backbone
    nothing is left: features go straight on. The modules are the backbone's own, which afterwards
    holds what was learnt.

    (N, 2, C, h, w), or (N, 2, n_features) -> (N, ``n_features``). The two are an image and its
    mirror image, of which the first is used; ``augment="flip"`` exchanges them in half of a batch.

    Raises
    ------
    ValueError : a backbone of which everything learns, or that cannot be cut.
    """

    def __init__(self, backbone: Backbone):
        super().__init__()
        how = backbone.fine_tune
        if how == "full":
            raise ValueError(
                "everything in this backbone learns, so nothing can be stored: "
                "build it with fine_tune='last_blocks', 'last_block' or 'frozen'"
            )
        self.n_features = backbone.n_features
        first = None if how == "frozen" else backbone.place_of(how)
        self.chain = nn.Sequential(*([] if first is None else backbone.stages()[first:]))

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
