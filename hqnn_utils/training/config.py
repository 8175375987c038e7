"""What one training run is told: a small dataclass, checked when it is made."""

from __future__ import annotations

from dataclasses import dataclass

from hqnn_utils.runtime.words import check, one_of, or_none, real, real_number, whole
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
        check(RULES, {name: getattr(self, name) for name in RULES})
        if self.warmup >= self.epochs:
            raise ValueError(
                f"warmup={self.warmup} leaves none of {self.epochs} epochs for the backbone: "
                "set it below epochs, or fine_tune='frozen' to train the head alone"
            )


def _rates(name: str, value) -> None:
    why = "2e-3 suits a small network, 1e-4 a pretrained one"
    if not isinstance(value, dict):
        real_number(name, value, 0, why, above=True)
        return
    for part, rate in value.items():
        real_number(f"{name} of {part!r}", rate, 0, why)
    if not any(value.values()):
        raise ValueError(f"{name} must be above 0 for a part of the model, got {value}: {why}")


RULES = {
    "balance": or_none(one_of("balance", BALANCE)),
    "augment": or_none(one_of("augmentation", AUGMENTATIONS)),
    "epochs": whole(1),
    "batch_size": whole(2, "batch norm cannot use a batch of one image"),
    "warmup": whole(0, "0 trains the backbone from the start"),
    "seed": whole(0, most=2**32 - 1),
    "patience": or_none(whole(1, "None never stops early")),
    "weight_decay": real(0),
    "lr": _rates,
}
