"""Features of a frozen backbone: computed once, kept on disk. Every head then trains in seconds."""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqnn_utils.data import FeatureTable, ImageData
from hqnn_utils.models.backbones import Backbone
from hqnn_utils.runtime import cache_dir, choose, default_device


def keep(x: torch.Tensor) -> torch.Tensor:
    """The images as they are."""
    return x


def mirror(x: torch.Tensor) -> torch.Tensor:
    """Left and right exchanged, (N, channels, H, W)."""
    return x.flip(-1)


# What happens to the images before features are extracted; the name enters the cache's key.
TRANSFORMS = {"none": keep, "mirror": mirror}


def feature_key(backbone: Backbone, data: ImageData, size: int, transform: str) -> str:
    """SHA-256 over everything that decides the features.

    That is the network and its weights, the images and their digest, size and transform.
    """
    found = hashlib.sha256(
        f"{backbone!r}|{data.digest}|{data.images.shape}|{size}|{transform}".encode()
    )
    found.update(np.ascontiguousarray(data.images).tobytes())
    for name, value in backbone.state_dict().items():
        found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def extract_features(
    backbone: Backbone,
    data: ImageData,
    *,
    size: int | None = None,
    transform: str = "none",
    cache: str | os.PathLike | None = None,
    batch_size: int = 32,
    progress: bool | str = False,
) -> np.ndarray:
    """Features (N, n_features) float32 of all images, from the cache if they are there.

    The backbone runs in evaluation mode and without gradients.

    Parameters
    ----------
    size : pixels to which the images are resized first (bilinear, antialiased); ``None`` keeps
        them.
    transform : ``"none"``, or ``"mirror"`` for the features of the mirrored images.
    cache : folder, by default ``cache_dir()``. A damaged entry is computed anew; a folder that
        cannot be written is a warning.
    batch_size : images that go through the backbone at once.
    progress : ``False`` for silence, or a text that labels the bar.

    Raises
    ------
    ValueError : an unknown transform, or a table instead of images.
    """
    choose("transform", transform, TRANSFORMS)
    if isinstance(data, FeatureTable):
        raise ValueError(
            "a table holds its features already: take data.tensors(), and fine_tune='full'"
        )
    size = size or data.size
    folder = Path(cache if cache is not None else cache_dir())
    path = folder / f"{feature_key(backbone, data, size, transform)}.npy"
    kept = _read(path, shape=(len(data), backbone.n_features))
    if kept is not None:
        return kept
    features = _compute(backbone, data, size, transform, batch_size, progress)
    _write(path, features)
    return features


def _compute(
    backbone: Backbone,
    data: ImageData,
    size: int,
    transform: str,
    batch_size: int,
    progress: bool | str,
) -> np.ndarray:
    from tqdm import tqdm

    x, device, was_training = data.tensors()[0], default_device(), backbone.training
    batches = tqdm(
        x.split(batch_size),
        desc=progress or "",
        disable=progress is False,
        file=sys.stdout,
        ncols=110,
        mininterval=0.5,
    )
    backbone.to(device).eval()
    found = []
    with torch.no_grad():
        for batch in batches:
            if size != data.size:
                batch = nn.functional.interpolate(
                    batch, size=(size, size), mode="bilinear", antialias=True
                )
            changed = TRANSFORMS[transform](batch)
            found.append(backbone(changed.to(device)).cpu().numpy())
    backbone.train(was_training)
    return np.concatenate(found)


def _read(path: Path, shape: tuple[int, int]) -> np.ndarray | None:
    """What the cache holds; ``None`` where it holds nothing, or something damaged."""
    try:
        kept = np.load(path, allow_pickle=False)
    except (ValueError, EOFError, OSError):
        return None
    return kept if kept.shape == shape else None


def _write(path: Path, features: np.ndarray) -> None:
    """Write under another name, then rename: a reader never finds half a file."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as stream:
            np.save(stream, features)
        os.replace(stream.name, path)
    except OSError as error:
        warnings.warn(
            f"features are not kept: {path.parent} cannot be written ({error.strerror}); "
            "set HQNN_CACHE to a folder of yours",
            stacklevel=3,
        )
