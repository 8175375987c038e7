"""What one training run is told: a small dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from hqnn_utils.runtime import choose, real_number, whole_number
from hqnn_utils.training.augment import AUGMENTATIONS

BALANCE = ("loss", "sampler")


class TrainingError(RuntimeError):
    """Training that cannot start or go on; the message says at which step, and what is kept."""


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a model is trained.

    An option added here needs a default that means "as before", so that stored records and
    checkpoints stay valid; what can be wrong with its value is checked in ``__post_init__``.

    Attributes
    ----------
    epochs : upper bound; early stopping may end sooner.
    lr : one learning rate, or one for each part of the model:
        ``{"backbone": 1e-4, "circuit": 1e-2, "head": 1e-3}``, see ``models.parameter_groups``.
        A part that the model lacks may be named; a part that it has may not be missing.
    batch_size : images a step, at least 2 (batch norm).
    weight_decay : of AdamW.
    patience : stop after this many epochs without a better validation AUC; ``None`` never does.
    balance : ``"loss"`` weights the classes in the loss, ``"sampler"`` draws them equally often,
        ``None`` neither.
    augment : a name in ``AUGMENTATIONS`` (training batches only) or ``None``.
    warmup : for this many epochs the backbone stands still (weights and batch-norm statistics)
        and only the head learns.
    seed : of the order of the images, the augmentation and dropout.

    Raises
    ------
    ValueError : an unknown ``balance`` or ``augment``, or a number out of its range; the message
        names the field, the value and what is possible.
    """

    epochs: int = 40
    lr: float | dict[str, float] = 2e-3
    batch_size: int = 32
    weight_decay: float = 1e-4
    patience: int | None = 15
    balance: str | None = None
    augment: str | None = "flip"
    warmup: int = 0
    seed: int = 0

    def __post_init__(self):
        if self.balance is not None:
            choose("balance", self.balance, BALANCE)
        if self.augment is not None:
            choose("augmentation", self.augment, AUGMENTATIONS)
        self._check_numbers()

    def _check_numbers(self) -> None:
        whole_number("epochs", self.epochs, 1)
        whole_number("batch_size", self.batch_size, 2, "batch norm cannot use a batch of one image")
        whole_number("warmup", self.warmup, 0, "0 trains the backbone from the start")
        whole_number("seed", self.seed, 0)
        if self.patience is not None:
            whole_number("patience", self.patience, 1, "None never stops early")
        real_number("weight_decay", self.weight_decay, 0)
        rates = self.lr if isinstance(self.lr, dict) else {"": self.lr}
        for part, rate in rates.items():
            name = f"lr of {part!r}" if part else "lr"
            real_number(name, rate, 0, "2e-3 suits a small network, 1e-4 a pretrained one")
