"""Fit, predict, checkpoint, resume. Sees training and validation data only; the test set never comes in here."""

from __future__ import annotations

import copy
import hashlib
import os
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from hqnn_utils.data.images import ImageData
from hqnn_utils.evaluation.metrics import rank_auc, scores
from hqnn_utils.models import parameter_groups
from hqnn_utils.runtime import choose, default_device
from hqnn_utils.training.augment import AUGMENTATIONS


class TrainingError(RuntimeError):
    """Training that cannot start or go on; the message says at which step, and what is kept."""


@dataclass
class FitResult:
    """What ``fit`` returns: one dict per epoch, the chosen epoch (from 1), its validation AUC, and seconds spent."""

    history: list[dict] = field(default_factory=list)
    best_epoch: int = 0
    best_val_auc: float = float("nan")
    seconds: float = 0.0
    stopped_early: bool = False


BALANCE = ("loss", "sampler")


def fit(
    model: nn.Module,
    train: tuple,
    val: tuple,
    *,
    epochs: int = 40,
    lr: float | dict[str, float] = 2e-3,
    batch_size: int = 32,
    weight_decay: float = 1e-4,
    patience: int | None = 15,
    balance: str | None = None,
    augment: str | None = "flip",
    warmup: int = 0,
    seed: int = 0,
    device: str | None = None,
    checkpoint: str | os.PathLike | None = None,
    progress: bool | str = True,
) -> FitResult:
    """Train ``model`` in place and leave it with the weights of the epoch that had the best validation AUC.

    AdamW with a cosine schedule and cross-entropy on logits. On the CPU the result depends on the arguments and the
    initial weights only, also when the run was interrupted and resumed. On CUDA the backbone runs in float16, the head in float32.
    ``history`` holds one dict per epoch: losses, validation AUC, and the mean norm of the gradient of each part of the model.

    Parameters
    ----------
    train, val : ``(x, y)``; x float (N, ...) as the model takes it, y int64 (N,) of 0 and 1. See ``ImageData.tensors``.
    lr : one learning rate, or one for each part of the model: ``{"backbone": 1e-4, "circuit": 1e-2, "head": 1e-3}``, see
        ``models.parameter_groups``. A part that the model lacks may be named; a part that it has may not be missing.
    warmup : for this many epochs the backbone stands still (weights and batch-norm statistics) and only the head learns.
    patience : stop after this many epochs without a better validation AUC; ``None`` never stops early.
    balance : ``"loss"`` weights the classes in the loss, ``"sampler"`` draws them equally often, ``None`` neither.
    augment : a name in ``AUGMENTATIONS`` (training batches only) or ``None``.
    checkpoint : file kept after each epoch. If it exists, training goes on from it, or returns at once if it was done.
    progress : ``False`` for silence, or a text that labels the bar.

    Raises
    ------
    TrainingError : data that do not fit or hold NaN, a loss that is not finite (the best weights so far are put
        back and the checkpoint stays), or a checkpoint of other settings.
    """
    device = device or default_device()
    path = Path(checkpoint) if checkpoint is not None else None
    # Only a checkpoint needs to know what it belongs to: hashing all images costs time.
    settings = (
        None
        if path is None
        else dict(
            epochs=epochs,
            lr=lr,
            batch_size=batch_size,
            weight_decay=weight_decay,
            patience=patience,
            balance=balance,
            augment=augment,
            warmup=warmup,
            seed=seed,
            data=_digest(*train, *val),
            model=_architecture(model),
        )
    )
    _check_arguments(train, val, epochs, batch_size, balance, augment)
    (x, y), (x_val, y_val) = [(a.to(device), b.to(device)) for a, b in (train, val)]
    model.to(device)
    groups = parameter_groups(model)
    optimiser = torch.optim.AdamW(_with_rates(groups, lr), weight_decay=weight_decay)
    scaler = torch.amp.GradScaler("cuda", enabled=device.startswith("cuda"))
    if warmup and not groups.keys() > {"backbone"}:
        raise TrainingError(
            f"warmup={warmup} needs a backbone that can be fine-tuned and a head: this model has {', '.join(groups) or 'nothing'} to train"
        )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    class_weights = len(y) / (2 * torch.bincount(y, minlength=2)).float()
    criterion = nn.CrossEntropyLoss(weight=class_weights if balance == "loss" else None)
    result, best, start = FitResult(), copy.deepcopy(model.state_dict()), 0
    if path is not None and path.exists():
        result, best, start = _restore(path, settings, model, optimiser, schedule, scaler, device)
    label = progress if isinstance(progress, str) else "training"
    bar = tqdm(
        total=epochs,
        initial=start,
        desc=label,
        disable=progress is False,
        unit="epoch",
        mininterval=0.5,
        file=sys.stdout,
        ncols=110,
    )
    began, spent_before = time.perf_counter(), result.seconds
    try:
        for epoch in range(start, epochs):
            if _out_of_patience(result, epoch, patience):
                break
            # A seed of its own for each epoch: a resumed run needs no random state from the one before.
            with torch.random.fork_rng(devices=[device] if device.startswith("cuda") else []):
                torch.manual_seed(1_000_003 * seed + epoch)
                order = _order(y, balance, class_weights)
                still = epoch < warmup
                for parameter in groups.get("backbone", ()):
                    parameter.requires_grad_(not still)
                loss, norms = _train_epoch(
                    model,
                    x,
                    y,
                    order,
                    batch_size,
                    criterion,
                    optimiser,
                    scaler,
                    augment,
                    epoch,
                    still,
                    groups,
                )
            schedule.step()
            val_auc, val_loss = _validate(model, x_val, y_val)
            result.history.append(
                dict(
                    epoch=epoch + 1,
                    loss=loss,
                    val_loss=val_loss,
                    val_auc=val_auc,
                    gradient_norm=norms,
                )
            )
            if result.best_epoch == 0 or val_auc > result.best_val_auc:
                result.best_epoch, result.best_val_auc, best = (
                    epoch + 1,
                    val_auc,
                    copy.deepcopy(model.state_dict()),
                )
            result.seconds = spent_before + time.perf_counter() - began
            if path is not None:
                _save(path, settings, epoch + 1, model, optimiser, schedule, scaler, result, best)
            bar.set_postfix(
                loss=f"{loss:.3f}", val_auc=f"{val_auc:.3f}", best=f"{result.best_val_auc:.3f}"
            )
            bar.update()
    except TrainingError as error:
        model.load_state_dict(best)
        kept = f"; checkpoint kept in {path}" if path is not None and path.exists() else ""
        raise TrainingError(
            f"{error} The model holds the weights of epoch {result.best_epoch} (0 = as given){kept}."
        ) from None
    except KeyboardInterrupt:
        kept = (
            f"the epochs done are kept in {_short(path)}: run the same call again to go on"
            if path is not None and path.exists()
            else ("nothing is kept: give checkpoint= a file name to be able to resume")
        )
        bar.write(f"Interrupted in epoch {len(result.history) + 1}; {kept}.")
        raise
    finally:
        bar.close()
        for parameter in groups.get(
            "backbone", ()
        ):  # an interrupt during the warm-up must not leave it frozen
            parameter.requires_grad_(True)
    result.stopped_early = len(result.history) < epochs
    model.load_state_dict(best)
    return result


def _short(path: Path) -> str:
    """A path as seen from here, where that is shorter."""
    return min(str(path), os.path.relpath(path), key=len)


def _with_rates(groups: dict[str, list], lr) -> list[dict]:
    """The optimiser's groups, each with its learning rate."""
    if not isinstance(lr, dict):
        return [dict(params=group, lr=lr) for group in groups.values()]
    for name in lr:
        choose("part of the model with a learning rate", name, ("backbone", "circuit", "head"))
    missing = groups.keys() - lr.keys()
    if missing:
        raise TrainingError(
            f"lr names no learning rate for {', '.join(sorted(missing))}: give one for each of {', '.join(groups)}, or one number"
        )
    return [dict(params=group, lr=lr[name]) for name, group in groups.items()]


def _check_arguments(train, val, epochs, batch_size, balance, augment) -> None:
    if balance is not None:
        choose("balance", balance, BALANCE)
    if augment is not None:
        choose("augmentation", augment, AUGMENTATIONS)
    if epochs < 1 or batch_size < 2:
        raise TrainingError(
            f"need epochs >= 1 and batch_size >= 2 (batch norm), got {epochs} and {batch_size}"
        )
    for name, (x, y) in (("training", train), ("validation", val)):
        if len(x) != len(y):
            raise TrainingError(f"{name}: {len(x)} images but {len(y)} labels")
        if set(y.unique().tolist()) != {0, 1}:
            raise TrainingError(
                f"{name}: labels must be 0 and 1, both present, got {sorted(y.unique().tolist())}"
            )
        bad = ~torch.isfinite(x).reshape(len(x), -1).all(dim=1)
        if bad.any():
            raise TrainingError(
                f"{name}: {int(bad.sum())} of {len(x)} images hold NaN or infinity, the first at index {int(bad.nonzero()[0])}"
            )


def _digest(*tensors) -> str:
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(
            str(tuple(tensor.shape)).encode() + tensor.detach().cpu().contiguous().numpy().tobytes()
        )
    return found.hexdigest()


def _architecture(model: nn.Module) -> str:
    """Digest of class names, parameter names, shapes and start values: a checkpoint belongs to one model."""
    found = hashlib.sha256(repr(model).encode())
    for name, value in model.state_dict().items():
        found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def _order(y, balance, class_weights) -> torch.Tensor:
    if balance == "sampler":
        return torch.multinomial(class_weights[y].cpu(), len(y), replacement=True)
    return torch.randperm(len(y))


def _train_epoch(
    model, x, y, order, batch_size, criterion, optimiser, scaler, augment, epoch, still, groups
) -> tuple[float, dict]:
    """One pass; returns the mean loss and the mean gradient norms. A last batch of one image is left out: batch norm cannot use it."""
    model.train()
    if still:
        model.backbone.eval()
    total, seen, norms = 0.0, 0, []
    for step, index in enumerate(order.to(x.device).split(batch_size)):
        if len(index) == 1:
            continue
        batch = AUGMENTATIONS[augment](x[index]) if augment else x[index]
        with torch.autocast("cuda", dtype=torch.float16, enabled=scaler.is_enabled()):
            logits = model(batch)
        loss = criterion(logits.float(), y[index])
        value = loss.item()
        if not np.isfinite(value):
            raise TrainingError(
                f"loss became {value} in epoch {epoch + 1}, step {step + 1}: lower lr, or look for extreme inputs."
            )
        optimiser.zero_grad()
        scaler.scale(loss).backward()
        scaler.unscale_(optimiser)
        norms.append(torch.stack([_norm(group) for group in groups.values()]))
        scaler.step(optimiser)
        scaler.update()
        total, seen = total + value * len(index), seen + len(index)
    return total / seen, dict(zip(groups, torch.stack(norms).nanmean(dim=0).tolist()))


def _norm(parameters: list[nn.Parameter]) -> torch.Tensor:
    """Euclidean norm of the gradient of one part of the model; NaN while it stands still."""
    gradients = [p.grad for p in parameters if p.grad is not None]
    return (
        torch.nn.utils.get_total_norm(gradients)
        if gradients
        else torch.tensor(float("nan"), device=parameters[0].device)
    )


def _validate(model, x, y) -> tuple[float, float]:
    logits = predict_logits(model, x)
    if not torch.isfinite(logits).all():
        raise TrainingError("the model's validation output is not finite: lower lr.")
    probability = logits.softmax(dim=1)[:, 1].cpu().numpy()
    return float(rank_auc(y.cpu().numpy(), probability)), float(
        nn.functional.cross_entropy(logits, y)
    )


def _out_of_patience(result: FitResult, epoch: int, patience: int | None) -> bool:
    return patience is not None and result.best_epoch > 0 and epoch - result.best_epoch >= patience


def _save(
    path: Path, settings, epoch, model, optimiser, schedule, scaler, result: FitResult, best
) -> None:
    """Atomic: a reader or an interrupt finds the last checkpoint or this one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    torch.save(
        dict(
            settings=settings,
            epoch=epoch,
            model=model.state_dict(),
            optimiser=optimiser.state_dict(),
            schedule=schedule.state_dict(),
            scaler=scaler.state_dict(),
            result=vars(result),
            best=best,
        ),
        temporary,
    )
    os.replace(temporary, path)


def _restore(path: Path, settings, model, optimiser, schedule, scaler, device):
    try:
        kept = torch.load(path, map_location=device, weights_only=True)
        differing = {
            k: (kept["settings"].get(k), v)
            for k, v in settings.items()
            if kept["settings"].get(k) != v
        }
    except Exception as error:  # a damaged file fails in many ways; all have one remedy
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"checkpoint {path} cannot be read ({first}): delete it to start anew"
        ) from None
    if differing:
        changes = "; ".join(
            f"{k}" if k in ("data", "model") else f"{k}: {a} there, {b} now"
            for k, (a, b) in differing.items()
        )
        raise TrainingError(
            f"checkpoint {path} belongs to other settings ({changes}): use another file, or delete it to start anew"
        )
    model.load_state_dict(kept["model"])
    optimiser.load_state_dict(kept["optimiser"])
    schedule.load_state_dict(kept["schedule"])
    scaler.load_state_dict(kept["scaler"])
    return FitResult(**kept["result"]), kept["best"], kept["epoch"]


def predict_logits(model: nn.Module, x: torch.Tensor, batch_size: int = 256) -> torch.Tensor:
    """Logits (N, 2) in evaluation mode without gradients; the model's mode and device stay as they were."""
    was_training, device = model.training, next(model.parameters()).device
    model.eval()
    try:
        with torch.no_grad():
            return torch.cat([model(batch.to(device)) for batch in x.split(batch_size)])
    finally:
        model.train(was_training)


def predict_proba(model: nn.Module, x: torch.Tensor, batch_size: int = 256) -> np.ndarray:
    """Probability of malignant, (N,) float64, between 0 and 1."""
    return predict_logits(model, x, batch_size).double().softmax(dim=1)[:, 1].cpu().numpy()


def evaluate(
    model: nn.Module, data: ImageData, splits=("val", "test"), threshold: float = 0.5
) -> tuple[dict, dict]:
    """``(scores, predictions)`` per split, as ``records.make_record`` takes them. Call it once, with the chosen model."""
    return score_predictions(
        data, {name: predict_proba(model, data.tensors(name)[0]) for name in splits}, threshold
    )


def score_predictions(
    data: ImageData, probabilities: dict[str, np.ndarray], threshold: float = 0.5
) -> tuple[dict, dict]:
    """``(scores, predictions)`` per split from probabilities of malignant, from whatever classifier they come."""
    found, predictions = {}, {}
    for name, p in probabilities.items():
        part = data.part(name)
        found[name] = scores(part.labels, p, threshold)
        predictions[name] = dict(
            ids=part.ids.tolist(),
            labels=part.labels.tolist(),
            probabilities=np.asarray(p, float).tolist(),
        )
    return found, predictions
