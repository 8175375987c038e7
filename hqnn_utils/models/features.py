"""What a frozen network gives: computed once, kept on disk. What is left then trains in seconds.

That is the features, where the whole backbone is frozen and a head is trained; or what goes into
the last block or blocks, where these are trained too.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqnn_utils.data import Dataset, FeatureTable, ImageData
from hqnn_utils.models.backbones import ENDS, Backbone
from hqnn_utils.runtime import cache_dir, choose, default_device
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.files import (
    NoSealError,
    SealError,
    StorageError,
    cause,
    need_folder,
    read_sealed,
    write_sealed,
)
from hqnn_utils.runtime.words import a


def keep(x: torch.Tensor) -> torch.Tensor:
    """The images as they are."""
    return x


def mirror(x: torch.Tensor) -> torch.Tensor:
    """Left and right exchanged, (N, channels, H, W)."""
    return x.flip(-1)


# What happens to the images before features are extracted; the name enters the cache's key.
TRANSFORMS = {"none": keep, "mirror": mirror}


# Where the network is read: behind everything, or before what "last_block" or "last_blocks" trains.
PLACES = ("end", *ENDS)


def feature_key(
    backbone: Backbone, data: ImageData, size: int, transform: str, at: str = "end"
) -> str:
    """SHA-256 over everything that decides the features.

    That is the network and its weights, the images and their digest, size, transform and place.
    """
    if at in ENDS:
        at = f"stage {backbone.place_of(at)}"  # should it begin elsewhere one day
    found = hashlib.sha256(
        f"{backbone!r}|{data.digest}|{data.images.shape}|{size}|{transform}|{at}".encode()
    )
    found.update(np.ascontiguousarray(data.images).tobytes())
    for name, value in backbone.state_dict().items():
        found.update(name.encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return found.hexdigest()


def resized(x: torch.Tensor, size: int | None) -> torch.Tensor:
    """Images (N, channels, H, W) at ``size`` pixels, bilinear, antialiased; ``None`` keeps them."""
    if size is None or x.shape[-2:] == (size, size):
        return x
    return nn.functional.interpolate(x, size=(size, size), mode="bilinear", antialias=True)


def extract_features(
    backbone: Backbone,
    data: ImageData,
    *,
    size: int | None = None,
    transform: str = "none",
    at: str = "end",
    cache: str | os.PathLike | None = None,
    batch_size: int = 32,
    progress: bool | str = False,
) -> np.ndarray:
    """Features of all images as float32, from the cache if they are there.

    The backbone runs in evaluation mode and without gradients, on a GPU if there is one; its mode
    and its device stay.

    Parameters
    ----------
    size : pixels to which the images are resized first; ``None`` keeps them. ImageNet's networks
        need 128 or more, so small images are enlarged.
    transform : ``"none"``, or ``"mirror"`` for the features of the mirrored images.
    at : ``"end"``, or ``"last_block"`` or ``"last_blocks"`` for what goes into these.
    cache : folder, by default ``cache_dir()``. A damaged entry is a warning and computed
        anew; a folder that cannot be written is a warning.
    batch_size : images that go through the backbone at once.
    progress : ``False`` for silence, or a text that labels the bar.

    Returns
    -------
    (N, n_features); before a last block (N, C, h, w).

    Raises
    ------
    ValueError : an unknown transform or place, a table instead of images, or a network that cannot
        be cut.
    """
    choose("transform", transform, TRANSFORMS)
    choose("place", at, PLACES)
    if isinstance(data, FeatureTable):
        raise ValueError(
            "a table holds its features already: take data.tensors(), and fine_tune='full'"
        )
    size = size or data.size
    folder = Path(cache if cache is not None else cache_dir())
    path = folder / f"{feature_key(backbone, data, size, transform, at)}.npy"
    kept = _read(path)
    if kept is not None and _fits(kept, backbone, len(data), at):
        return kept
    can_be_kept = _has_room(folder, 4 * len(data) * backbone.n_features if at == "end" else 0)
    features = _compute(backbone, data, size, transform, at, batch_size, progress)
    if can_be_kept:
        _write(path, features)
    return features


def _has_room(folder: Path, room: int) -> bool:
    """Whether the cache can take so many bytes: a warning before the work, not after it."""
    try:
        need_folder(folder, "set HQNN_CACHE to a folder of yours", room)
    except StorageError as error:
        warnings.warn(f"features are not kept: {error}", stacklevel=4)
        return False
    return True


def extract_pairs(backbone: Backbone, data: ImageData, **options) -> torch.Tensor:
    """Features of each image and of its mirror image, (N, 2, ...), for training with flips.

    What a ``Tail`` of the backbone takes: behind a frozen backbone the features (N, 2, n_features),
    before last blocks that learn the activations (N, 2, C, h, w). ``options`` are ``size``,
    ``cache``, ``batch_size`` and ``progress`` of ``extract_features``.
    """
    at = "end" if backbone.fine_tune == "frozen" else backbone.fine_tune
    views = [
        torch.from_numpy(extract_features(backbone, data, transform=name, at=at, **options))
        for name in ("none", "mirror")
    ]
    return torch.stack(views, dim=1)


def _fits(kept: np.ndarray, backbone: Backbone, n: int, at: str) -> bool:
    """Whether an entry of the cache has the shape that is wanted."""
    if at == "end":
        return kept.shape == (n, backbone.n_features)
    return kept.ndim == 4 and len(kept) == n


def _compute(
    backbone: Backbone,
    data: ImageData,
    size: int,
    transform: str,
    at: str,
    batch_size: int,
    progress: bool | str,
) -> np.ndarray:
    from tqdm import tqdm

    x, device, was_training = data.tensors()[0], default_device(), backbone.training
    network = backbone if at == "end" else partial(backbone.before, at)
    batches = tqdm(
        x.split(batch_size),
        desc=progress or "",
        disable=progress is False,
        file=sys.stdout,
        ncols=110,
        mininterval=0.5,
    )
    weights = next(backbone.parameters(), None)
    before = device if weights is None else weights.device
    backbone.to(device).eval()
    found = []
    with torch.no_grad():
        for batch in batches:
            changed = TRANSFORMS[transform](resized(batch, size))
            found.append(network(changed.to(device)).cpu().numpy())
    # Whoever asked goes on with images where they are: it must not find the network on the GPU.
    backbone.to(before).train(was_training)
    return np.concatenate(found)


def _read(path: Path) -> np.ndarray | None:
    """What the cache holds; ``None`` where it holds nothing, or something else than was written."""
    try:
        about, content = read_sealed(path)
        # Without a key nobody can tell whose features these are: two files may have been exchanged.
        if "key" not in about:
            raise NoSealError("it does not say whose features it holds")
        if about["key"] != path.stem:
            raise SealError(f"it holds the features of {about['key'][:12]}...")
        stream = io.BytesIO(content)
        found = np.load(stream, allow_pickle=False)
        if stream.tell() != len(content):
            raise ValueError(f"{len(content) - stream.tell()} bytes too many")
        return found
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (SealError, ValueError, EOFError) as error:
        what = "damaged, or of an earlier version" if isinstance(error, NoSealError) else "damaged"
        warnings.warn(f"features are computed anew: {path} is {what} ({error})", stacklevel=4)
        return None
    except OSError as error:
        warnings.warn(
            f"features are computed anew: {path} cannot be read ({cause(error, path)}); "
            "set HQNN_CACHE to a folder of yours",
            stacklevel=4,
        )
        return None


def _write(path: Path, features: np.ndarray) -> None:
    """Write whole or not at all, with a digest: a reader never finds half a file."""
    stream = io.BytesIO()
    np.save(stream, features, allow_pickle=False)
    try:
        write_sealed(path, stream.getvalue(), key=path.stem)
    except OSError as error:
        warnings.warn(
            f"features are not kept: {path.parent} cannot be written ({cause(error, path)}); "
            "set HQNN_CACHE to a folder of yours",
            stacklevel=4,
        )


# A table of features is refused in words of its own.
checked(__name__, {"data": a(Dataset)})
