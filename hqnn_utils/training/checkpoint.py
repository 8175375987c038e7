"""Checkpoints: what a run needs to go on.

Written whole or not at all, checked when they are read, refused where they do not belong.
"""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import zipfile
from dataclasses import asdict
from pathlib import Path

import torch
from torch import nn

from hqnn_utils.runtime.files import (
    NoSealError,
    SealError,
    StorageError,
    cause,
    need_folder,
    read_seal,
    read_sealed,
    write_sealed,
)
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


ELSEWHERE = "give checkpoint= a place in another folder"


def check_place(path: Path, model: nn.Module) -> None:
    """TrainingError where a checkpoint of this model could not be written: before the training."""
    room = 5 * sum(value.nbytes for value in model.state_dict().values())  # with the optimiser
    try:
        need_folder(path.parent, ELSEWHERE, room)
    except StorageError as error:
        raise TrainingError(f"checkpoint: {error}") from None


def save_checkpoint(path: Path, content: dict) -> None:
    """Atomic: a reader or an interrupt finds the last checkpoint or this one, never half of one.

    Two processes that carry out the very same run may share a checkpoint.

    Raises
    ------
    TrainingError : it cannot be written, or another run has written here in the meantime.
    """
    owner = _digest_of_settings(content["settings"])
    if _owner(path) not in (None, owner):
        raise TrainingError(
            f"checkpoint {path} now belongs to another run that writes to the same file: "
            "give each run its own."
        )
    stream = io.BytesIO()
    torch.save(content, stream)
    try:
        path.with_name(path.name + ".tmp").unlink(missing_ok=True)  # of an earlier version
        write_sealed(path, stream.getvalue(), owner=owner)
    except OSError as error:
        raise TrainingError(
            f"checkpoint {path} cannot be written ({cause(error, path)}): {ELSEWHERE}."
        ) from None


def _digest_of_settings(settings: dict) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode()).hexdigest()


def _owner(path: Path) -> str | None:
    """Which run a checkpoint belongs to, from its last line; ``None`` where that is not known."""
    try:
        return read_seal(path).get("owner")
    except (OSError, SealError):
        return None


# What torch and this module raise for a file that is damaged or something else.
DAMAGED = (
    SealError,
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    RuntimeError,
    EOFError,
    KeyError,
    TypeError,
    AttributeError,
)


def load_checkpoint(path: Path, belongs_to: dict, device: str) -> dict:
    """The content of a checkpoint. Nothing in the file is executed.

    Raises
    ------
    TrainingError : a damaged file, or one that belongs to other settings, data or another model.
    """
    try:
        content = torch.load(io.BytesIO(_content(path)), map_location=device, weights_only=True)
        kept = {**asdict(TrainConfig()), **content["settings"]}  # options may be younger
        differing = {k: (kept.get(k), v) for k, v in belongs_to.items() if kept.get(k) != v}
    except DAMAGED as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise TrainingError(
            f"checkpoint {path} cannot be read ({first}): delete it to start anew"
        ) from None
    except OSError as error:
        raise TrainingError(f"checkpoint {path} cannot be read ({cause(error, path)})") from None
    if differing:
        raise TrainingError(
            f"checkpoint {path} belongs to other settings ({_changes(differing)}): "
            "use another file, or delete it to start anew"
        )
    return content


def _content(path: Path) -> bytes:
    """What torch wrote, compared with its digest; SealError for a damaged file."""
    try:
        return read_sealed(path)[1]
    except NoSealError:
        if not zipfile.is_zipfile(path):
            raise
    with zipfile.ZipFile(path) as plain:  # of an earlier version: torch's own file with its sums
        if damaged := plain.testzip():
            raise SealError(f"its part {damaged} is damaged")
    return path.read_bytes()


def _changes(differing: dict[str, tuple]) -> str:
    """Which settings differ; digests of data and model are named, not shown."""
    return "; ".join(
        name if name in ("data", "model") else f"{name}: {there} there, {now} now"
        for name, (there, now) in differing.items()
    )
