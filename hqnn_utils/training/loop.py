"""The training loop. Sees training and validation data only; the test set never comes in here."""

from __future__ import annotations

import copy
import math
import os
import sys
import time
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from hqnn_utils.evaluation.metrics import rank_auc
from hqnn_utils.models import parameter_groups
from hqnn_utils.runtime import choose, default_device
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.training.augment import AUGMENTATIONS
from hqnn_utils.training.checkpoint import check_place, identity, load_checkpoint, save_checkpoint
from hqnn_utils.training.config import TrainConfig, TrainingError
from hqnn_utils.training.predict import predict_logits


@dataclass
class FitResult:
    """What ``fit`` returns.

    Attributes
    ----------
    history : one dict per epoch: losses, validation AUC, mean gradient norm of each part.
    best_epoch : the chosen epoch, counted from 1; 0 where none was finished.
    best_val_auc : its validation AUC.
    seconds : spent on training, those before an interrupt included.
    stopped_early : whether patience ended the run.
    moved : how far each part of the model ended from its start, see :func:`distances`.
    """

    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    best_val_auc: float = float("nan")
    seconds: float = 0.0
    stopped_early: bool = False
    moved: dict[str, dict[str, float]] = field(default_factory=dict)

    def out_of_patience(self, patience: int | None) -> bool:
        """Whether the last ``patience`` epochs brought no better validation AUC."""
        if patience is None or self.best_epoch == 0:
            return False
        return len(self.history) - self.best_epoch >= patience


def fit(
    model: nn.Module,
    train: tuple[torch.Tensor, torch.Tensor],
    val: tuple[torch.Tensor, torch.Tensor],
    config: TrainConfig | None = None,
    *,
    device: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | str = True,
) -> FitResult:
    """Train ``model`` in place and leave it with the weights of its best epoch by validation AUC.

    AdamW with a cosine schedule and cross-entropy on logits. On the CPU the result depends on the
    arguments and the initial weights only, also when the run was interrupted and resumed. On CUDA
    the backbone runs in float16, the head in float32.

    Parameters
    ----------
    train, val : ``(x, y)``; x float (N, ...) as the model takes it, y int64 (N,) of 0 and 1.
        See ``tensors`` of a dataset.
    config : learning rate, epochs and so on; by default ``TrainConfig()``.
    device : where to train; by default CUDA if there is one.
    checkpoint : file kept after each epoch. If it exists, training goes on from it, or returns at
        once if it was done.
    progress : ``False`` for silence, or a text that labels the bar.

    Raises
    ------
    TrainingError : data that do not fit or hold NaN, a loss that is not finite (the best weights so
        far are put back and the checkpoint stays), or a checkpoint of other settings.
    """
    config = config or TrainConfig()
    device = check_device(device or default_device())
    if torch.is_inference_mode_enabled() or not torch.is_grad_enabled():
        raise TrainingError("training needs gradients: call it outside of torch.no_grad() and such")
    check_examples("training", *train)
    check_examples("validation", *val)
    path = None if checkpoint is None else Path(checkpoint)
    if path is not None:
        check_place(path, model)
    # Only a checkpoint needs to know what it belongs to: hashing all images costs time.
    belongs_to = None if path is None else identity(config, model, [*train, *val])
    run = _Run(model, train, val, config, device)
    if path is not None and path.exists():
        run.restore(load_checkpoint(path, belongs_to, run.device))
    bar = _progress_bar(config.epochs, len(run.result.history), progress)
    with bar, run.guard(path, bar):
        while not run.is_done():
            run.epoch()
            if path is not None:
                save_checkpoint(path, {"settings": belongs_to, **run.content()})
            _show(bar, run.result)
    run.result.stopped_early = len(run.result.history) < config.epochs
    model.load_state_dict(run.best_weights)
    run.result.moved = distances(run.start, run.parts)
    return run.result


class _Run:
    """One training run: the model, what trains it, and what has been reached so far."""

    def __init__(self, model: nn.Module, train, val, config: TrainConfig, device: str):
        self.model, self.config, self.device = model.to(device), config, device
        self.x, self.y = (tensor.to(device) for tensor in train)
        self.x_val, self.y_val = (tensor.to(device) for tensor in val)
        self.parts = parameter_groups(model)  # {"backbone": [...], "circuit": [...], "head": [...]}
        # A resumed run gets the model as it was in the beginning, so this is the start there too.
        self.start = {name: [p.detach().clone() for p in part] for name, part in self.parts.items()}
        if not self.parts:
            raise TrainingError("the model has no parameter that learns: requires_grad_(True)")
        self._check_warmup()
        self.optimiser = torch.optim.AdamW(
            with_rates(self.parts, config.lr), weight_decay=config.weight_decay
        )
        self.schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
            self.optimiser, T_max=config.epochs
        )
        # In float16, on a GPU, small gradients would vanish: the loss is scaled up for the way back
        # and its gradients are scaled down again. On a CPU the scaler leaves all as it is.
        self.scaler = torch.amp.GradScaler("cuda", enabled=device.startswith("cuda"))
        self.class_weights = class_weights(self.y)
        weighted = self.class_weights if config.balance == "loss" else None
        self.criterion = nn.CrossEntropyLoss(weight=weighted)
        self.result = FitResult()
        self.best_weights = copy.deepcopy(model.state_dict())

    def _check_warmup(self) -> None:
        if self.config.warmup and not self.parts.keys() > {"backbone"}:
            raise TrainingError(
                f"warmup={self.config.warmup} needs a backbone that can be fine-tuned and a head: "
                f"this model has {', '.join(self.parts) or 'nothing'} to train"
            )

    def is_done(self) -> bool:
        """All epochs were trained, or the validation AUC has not risen for too long."""
        trained = len(self.result.history)
        return trained >= self.config.epochs or self.result.out_of_patience(self.config.patience)

    def epoch(self) -> None:
        """Train for one epoch, validate, keep the weights if they are the best so far."""
        began, number = time.perf_counter(), len(self.result.history)
        # A seed of its own for each epoch: a resumed run needs no random state from the one before.
        with torch.random.fork_rng(devices=[self.device] if self.scaler.is_enabled() else []):
            torch.manual_seed(1_000_003 * self.config.seed + number)
            loss, norms = self._train_epoch(number)
        self.schedule.step()
        val_auc, val_loss = validate(self.model, self.x_val, self.y_val)
        entry = {
            "epoch": number + 1,
            "loss": loss,
            "val_loss": val_loss,
            "val_auc": val_auc,
            "gradient_norm": norms,
        }
        self.result.history.append(entry)
        if self.result.best_epoch == 0 or val_auc > self.result.best_val_auc:
            self.result.best_epoch, self.result.best_val_auc = number + 1, val_auc
            self.best_weights = copy.deepcopy(self.model.state_dict())
        self.result.seconds += time.perf_counter() - began

    def _train_epoch(self, number: int) -> tuple[float, dict[str, float]]:
        """One pass over the training images: mean loss, and mean gradient norm of each part."""
        order = draw_order(self.y, self.config.balance, self.class_weights)
        self._set_mode(backbone_stands_still=number < self.config.warmup)
        total, seen, norms = 0.0, 0, []
        for step, index in enumerate(order.to(self.device).split(self.config.batch_size)):
            if len(index) == 1:
                continue  # batch norm cannot use a batch of one image
            loss = self._loss(index)
            value = loss.item()
            if not np.isfinite(value):
                raise TrainingError(
                    f"loss became {value} in epoch {number + 1}, step {step + 1}: "
                    "lower lr, or look for extreme inputs."
                )
            self.optimiser.zero_grad()
            self.scaler.scale(loss).backward()
            self.scaler.unscale_(self.optimiser)
            norms.append(torch.stack([gradient_norm(part) for part in self.parts.values()]))
            self.scaler.step(self.optimiser)
            self.scaler.update()
            total, seen = total + value * len(index), seen + len(index)
        mean_norms = torch.stack(norms).nanmean(dim=0).tolist()
        return total / seen, dict(zip(self.parts, mean_norms, strict=True))

    def _set_mode(self, backbone_stands_still: bool) -> None:
        """Training mode; in the warm-up the backbone neither learns nor moves its statistics."""
        self.model.train()
        for parameter in self.parts.get("backbone", ()):
            parameter.requires_grad_(not backbone_stands_still)
        if backbone_stands_still:
            self.model.backbone.eval()

    def _loss(self, index: torch.Tensor) -> torch.Tensor:
        """Loss of the images with these numbers, one batch, after their random changes."""
        batch, labels = self.x[index], self.y[index]
        if self.config.augment is not None:
            batch = AUGMENTATIONS[self.config.augment](batch)
        with torch.autocast("cuda", dtype=torch.float16, enabled=self.scaler.is_enabled()):
            logits = self.model(batch)
        if logits.shape != (len(index), 2):
            raise TrainingError(
                f"the model must give two logits an image, {(len(index), 2)}, got "
                f"{tuple(logits.shape)}: let it end in nn.Linear(..., 2)."
            )
        return self.criterion(logits.float(), labels)

    @contextmanager
    def guard(self, path: Path | None, bar: tqdm):
        """Whatever ends the loop early leaves a usable model and says what is kept."""
        try:
            yield
        except TrainingError as error:
            self.model.load_state_dict(self.best_weights)
            kept = path is not None and path.exists()
            where = f"; checkpoint kept in {path}" if kept else ""
            raise TrainingError(
                f"{error} The model holds the weights of epoch {self.result.best_epoch} "
                f"(0 = as given){where}."
            ) from None
        except KeyboardInterrupt:
            where = "nothing is kept: give checkpoint= a file name to be able to resume"
            if path is not None and path.exists():
                where = (
                    f"the epochs done are kept in {_short(path)}: run the same call again to go on"
                )
            bar.write(f"Interrupted in epoch {len(self.result.history) + 1}; {where}.")
            raise
        finally:
            # An interrupt during the warm-up must not leave the backbone frozen.
            for parameter in self.parts.get("backbone", ()):
                parameter.requires_grad_(True)

    def content(self) -> dict:
        """What a checkpoint holds, besides what it belongs to."""
        return {
            "model": self.model.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "result": asdict(self.result),
            "best": self.best_weights,
        }

    def restore(self, content: dict) -> None:
        """Go on where a checkpoint stopped."""
        self.model.load_state_dict(content["model"])
        self.optimiser.load_state_dict(content["optimiser"])
        self.schedule.load_state_dict(content["schedule"])
        self.scaler.load_state_dict(content["scaler"])
        self.result = FitResult(**content["result"])
        self.best_weights = content["best"]


def check_device(device: str) -> str:
    """Return the name of a device that is there; TrainingError where torch cannot use it."""
    try:
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, TypeError) as error:
        first = (str(error).splitlines() or [""])[0]
        raise TrainingError(
            f"device {device!r} cannot be used ({first}): leave device out, or say device='cpu'"
        ) from None
    return device


def check_examples(name: str, x: torch.Tensor, y: torch.Tensor) -> None:
    """TrainingError for what no model can learn from; it says where, with ``name``.

    Lengths that differ, labels that are no whole numbers, a class that is missing, NaN.
    """
    if not x.is_floating_point():
        raise TrainingError(f"{name}: images must be floating point, got {x.dtype}: x.float()")
    if y.ndim != 1 or y.dtype != torch.int64:
        raise TrainingError(
            f"{name}: labels must be int64 of shape (N,), got {y.dtype} {tuple(y.shape)}: y.long()"
        )
    if len(x) != len(y):
        raise TrainingError(f"{name}: {len(x)} images but {len(y)} labels")
    if set(y.unique().tolist()) != {0, 1}:
        raise TrainingError(
            f"{name}: labels must be 0 and 1, both present, got {sorted(y.unique().tolist())}"
        )
    bad = ~torch.isfinite(x).reshape(len(x), -1).all(dim=1)
    if bad.any():
        raise TrainingError(
            f"{name}: {int(bad.sum())} of {len(x)} images hold NaN or infinity, "
            f"the first at index {int(bad.nonzero()[0])}"
        )


def with_rates(parts: dict[str, list], lr: float | dict[str, float]) -> list[dict]:
    """The optimiser's parameter groups, each with its learning rate."""
    if not isinstance(lr, dict):
        return [{"params": part, "lr": lr} for part in parts.values()]
    for name in lr:
        choose("part of the model with a learning rate", name, ("backbone", "circuit", "head"))
    missing = parts.keys() - lr.keys()
    if missing:
        raise TrainingError(
            f"lr names no learning rate for {', '.join(sorted(missing))}: "
            f"give one for each of {', '.join(parts)}, or one number"
        )
    return [{"params": part, "lr": lr[name]} for name, part in parts.items()]


def distances(
    start: dict[str, list[torch.Tensor]], now: dict[str, list[torch.Tensor]]
) -> dict[str, dict[str, float]]:
    """How far each part moved, from the values at its start and now.

    ``rms``: root mean square of the changes of its parameters; for a circuit in radian an angle.
    ``share``: length of the whole change, as a share of the start's own length (NaN if that is 0).
    """
    found = {}
    for name, part in now.items():
        # One tensor at a time: a whole network in float64 would be the peak of a training run.
        count = sum(p.numel() for p in part)
        pairs = zip(start[name], part, strict=True)
        change = _length(after.detach().double() - before.double() for before, after in pairs)
        own = _length(before.double() for before in start[name])
        found[name] = {
            "rms": change / count**0.5,
            "share": change / own if own else float("nan"),
        }
    return found


def _length(tensors: Iterable[torch.Tensor]) -> float:
    """Length of all tensors as one vector."""
    return math.sqrt(sum(tensor.square().sum().item() for tensor in tensors))


# A run has learned if its last epoch's training loss is below this share of the best constant's.
LEARNED = 0.9


def has_learned(history: list[dict], y: torch.Tensor, balance: str | None) -> bool:
    """Whether a finished run fits its own training images better than a constant answer does.

    The last epoch's training loss is compared with ``LEARNED`` times the loss of the best constant
    probability: the entropy of the labels, or log 2 where both classes weigh the same. No
    validation or test image is asked.

    Parameters
    ----------
    history : of ``FitResult``. y : training labels (N,). balance : as in ``TrainConfig``.
    """
    share = 0.5 if balance is not None else y.double().mean().item()
    constant = -(share * np.log(share) + (1 - share) * np.log(1 - share))
    return bool(history[-1]["loss"] < LEARNED * constant)


def class_weights(y: torch.Tensor) -> torch.Tensor:
    """Weight of each class (2,), N / (2 N_c): the rarer counts more; the mean over images is 1."""
    return len(y) / (2 * torch.bincount(y, minlength=2)).float()


def draw_order(y: torch.Tensor, balance: str | None, weights: torch.Tensor) -> torch.Tensor:
    """Indices of one epoch (N,): each image once; with ``"sampler"`` both classes equally often."""
    if balance == "sampler":
        return torch.multinomial(weights[y].cpu(), len(y), replacement=True)
    return torch.randperm(len(y))


def gradient_norm(parameters: list[nn.Parameter]) -> torch.Tensor:
    """Euclidean norm of the gradient of one part of the model; NaN while it stands still."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    if not gradients:
        return torch.tensor(float("nan"), device=parameters[0].device)
    return torch.nn.utils.get_total_norm(gradients)


def validate(model: nn.Module, x: torch.Tensor, y: torch.Tensor) -> tuple[float, float]:
    """``(AUC, mean cross-entropy)`` on the validation images."""
    logits = predict_logits(model, x)
    if not torch.isfinite(logits).all():
        raise TrainingError("the model's validation output is not finite: lower lr.")
    probability = logits.softmax(dim=1)[:, 1].cpu().numpy()
    auc = rank_auc(y.cpu().numpy(), probability)
    return float(auc), float(nn.functional.cross_entropy(logits, y))


def _progress_bar(epochs: int, done: int, progress: bool | str) -> tqdm:
    return tqdm(
        total=epochs,
        initial=done,
        desc=progress if isinstance(progress, str) else "training",
        disable=progress is False,
        unit="epoch",
        mininterval=0.5,
        file=sys.stdout,
        ncols=110,
    )


def _show(bar: tqdm, result: FitResult) -> None:
    """One epoch further."""
    last = result.history[-1]
    bar.set_postfix(
        loss=f"{last['loss']:.3f}",
        val_auc=f"{last['val_auc']:.3f}",
        best=f"{result.best_val_auc:.3f}",
    )
    bar.update()


def _short(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


checked(__name__)
