"""Checkpoints: what a run needs to go on, written atomically, refused where they do not belong."""

from __future__ import annotations

import hashlib
import os
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from hqnn_utils.training.config import TrainConfig, TrainingError


def identity(config: TrainConfig, model: nn.Module, tensors: list[torch.Tensor]) -> dict:
    """What a checkpoint belongs to: the settings, the data, and the model as it started."""
    return {**asdict(config), "data": _digest_of_data(tensors), "model": _digest_of_model(model)}


def _digest_of_data(tensors: list[torch.Tensor]) -> str:
    found = hashlib.sha256()
    for tensor in tensors:
        found.update(str(tuple(tensor.shape)).encode() + _bytes(tensor))
    return found.hexdigest()


def _digest_of_model(model: nn.Module) -> str:
    """Class names, parameter names, shapes and start values."""
    found = hashlib.sha256(repr(model).encode())
    for name, value in model.state_dict().items():
        found.update(name.encode() + _bytes(value))
    return found.hexdigest()


def _bytes(tensor: torch.Tensor) -> bytes:
    return tensor.detach().cpu().contiguous().numpy().tobytes()


def save_checkpoint(path: Path, content: dict) -> None:
    """Atomic: a reader or an interrupt finds the last checkpoint or this one, never half of one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(path.name + ".tmp")
    torch.save(content, temporary)
    os.replace(temporary, path)


def load_checkpoint(path: Path, belongs_to: dict, device: str) -> dict:
    """The content of a checkpoint. Nothing in the file is executed.

    Raises
    ------
    TrainingError : a damaged file, or one that belongs to other settings, data or another model.
    """
    try:
        content = torch.load(path, map_location=device, weights_only=True)
        kept = {**asdict(TrainConfig()), **content["settings"]}  # options may be younger
        differing = {k: (kept.get(k), v) for k, v in belongs_to.items() if kept.get(k) != v}
    except Exception as error:  # a damaged file fails in many ways; all have one remedy
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"checkpoint {path} cannot be read ({first}): delete it to start anew"
        ) from None
    if differing:
        raise TrainingError(
            f"checkpoint {path} belongs to other settings ({_changes(differing)}): "
            "use another file, or delete it to start anew"
        )
    return content


def _changes(differing: dict[str, tuple]) -> str:
    """Which settings differ; digests of data and model are named, not shown."""
    return "; ".join(
        name if name in ("data", "model") else f"{name}: {there} there, {now} now"
        for name, (there, now) in differing.items()
    )
