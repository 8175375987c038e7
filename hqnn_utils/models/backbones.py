"""Networks that turn an image into a feature vector. A new one is one function and one line in the table."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pickle
import re
import sys
import tempfile
import warnings
import zipfile
from pathlib import Path

import numpy as np
import torch
from torch import nn

from hqnn_utils.data.images import ImageData
from hqnn_utils.runtime import cache_dir, choose, default_device

FINE_TUNE = ("full", "last_block", "frozen")
# Mean and standard deviation of ImageNet's pixels (0..1) per channel, as torchvision's weights were trained.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
# What is resized or mirrored before features are extracted; the name enters the cache key.
TRANSFORMS = {"none": lambda x: x, "mirror": lambda x: x.flip(-1)}


class WeightsError(RuntimeError):
    """Pretrained weights that cannot be had or do not fit; the message names the source and the remedy."""


class Backbone(nn.Module):
    """Images (N, channels, H, W) scaled to -1..1 -> features (N, ``n_features``).
    ``last_block()`` names the modules that "last_block" fine-tuning trains. Frozen parts stay in evaluation mode, so
    that their batch norm neither sees the batch nor moves.
    """

    n_features: int
    fine_tune = "full"

    def last_block(self) -> list[nn.Module]:
        raise NotImplementedError

    def set_fine_tune(self, how: str) -> Backbone:
        """Choose what training may change: ``"full"``, ``"last_block"`` or ``"frozen"`` (then only the head learns)."""
        self.fine_tune = choose("fine_tune", how, FINE_TUNE)
        self.requires_grad_(how == "full")
        for module in self.last_block() if how == "last_block" else []:
            module.requires_grad_(True)
        return self.train(self.training)

    def train(self, mode: bool = True) -> Backbone:
        super().train(mode and self.fine_tune == "full")
        self.training = mode
        for module in self.last_block() if self.fine_tune == "last_block" else []:
            module.train(mode)
        return self


class SmallCNN(Backbone):
    """Three blocks of ``depth`` convolutions, each with batch norm and ReLU, and 2x2 pooling; then the mean over the image.

    (N, channels, H, W) -> (N, 4 * width), any H and W from 8 pixels. With width 16: 16, 32 and 64 channels.
    """

    def __init__(self, in_channels: int = 1, width: int = 16, depth: int = 1):
        super().__init__()
        channels, blocks = [in_channels, width, 2 * width, 4 * width], []
        for a, b in zip(channels, channels[1:]):
            steps = [
                (
                    nn.Conv2d(c, b, 3, padding=1, bias=False),
                    nn.BatchNorm2d(b),
                    nn.ReLU(inplace=True),
                )
                for c in [a] + [b] * (depth - 1)
            ]
            blocks.append(
                nn.Sequential(*[layer for step in steps for layer in step], nn.MaxPool2d(2))
            )
        self.blocks = nn.Sequential(*blocks)
        self.n_features = channels[-1]
        self.to(
            memory_format=torch.channels_last
        )  # a third less time a step on a CPU; the numbers of a run change in the last digits

    def last_block(self) -> list[nn.Module]:
        return [self.blocks[-1]]

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.blocks(x).mean(dim=(2, 3))


class TorchvisionBackbone(Backbone):
    """A torchvision classifier without its last linear layer.

    Parameters
    ----------
    name : of ``torchvision.models``, a ResNet or an EfficientNet.
    in_channels : 1 or 3. For one channel the first convolution's kernel is the **sum** of the three colour kernels: the
        answer is exactly that of the colour network on the grey image copied into three channels.
    state : state dict in torchvision's format, or None for random weights. With a state, inputs are brought from -1..1 to
        ImageNet's mean and standard deviation (for one channel, the averages over the three); without, they stay -1..1.
    """

    def __init__(self, name: str, in_channels: int = 1, state: dict | None = None):
        super().__init__()
        from torchvision.models import get_model

        body = get_model(name, weights=None)
        self.is_resnet = name.startswith("resnet")
        last = body.fc if self.is_resnet else body.classifier[-1]
        self.n_features = last.in_features
        if state is not None:
            _load(body, state, name)
        if self.is_resnet:
            body.fc = nn.Identity()
        else:
            body.classifier = nn.Identity()  # with its dropout: the head decides on regularisation
        if in_channels == 1:
            self._make_grey(body, keep=state is not None)
        mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
        if in_channels == 1:
            mean, std = mean.mean()[None], std.mean()[None]
        used = state is not None  # ((x + 1) / 2 - mean) / std, written as x * scale + shift
        if not used:
            # EfficientNet-B5's momentum of 0.01 suits long ImageNet training; in a few hundred steps the running statistics would lag.
            for module in body.modules():
                if isinstance(module, nn.BatchNorm2d):
                    module.momentum = 0.1
        self.register_buffer(
            "scale", (0.5 / std if used else torch.ones_like(std)).view(1, -1, 1, 1)
        )
        self.register_buffer(
            "shift", ((0.5 - mean) / std if used else torch.zeros_like(mean)).view(1, -1, 1, 1)
        )
        self.body = body

    def _make_grey(self, body: nn.Module, keep: bool) -> None:
        old = body.conv1 if self.is_resnet else body.features[0][0]
        new = nn.Conv2d(1, old.out_channels, old.kernel_size, old.stride, old.padding, bias=False)
        if keep:
            with torch.no_grad():
                new.weight.copy_(old.weight.sum(dim=1, keepdim=True))
        else:
            nn.init.kaiming_normal_(
                new.weight, mode="fan_out", nonlinearity="relu"
            )  # as torchvision starts both families
        if self.is_resnet:
            body.conv1 = new
        else:
            body.features[0][0] = new

    def last_block(self) -> list[nn.Module]:
        return (
            [self.body.layer4] if self.is_resnet else list(self.body.features[-2:])
        )  # last stage and the 1x1 convolution behind it

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.body(x * self.scale + self.shift)


# Name -> name in torchvision and of its weights, or the arguments of our own small network, which has no published weights.
BACKBONES = {
    "small_cnn": dict(depth=1),
    "small_cnn_6": dict(depth=2),
    "resnet18": ("resnet18", "IMAGENET1K_V1"),
    "resnet50": ("resnet50", "IMAGENET1K_V1"),
    "efficientnet_v2_s": ("efficientnet_v2_s", "IMAGENET1K_V1"),
    "efficientnet_b5": ("efficientnet_b5", "IMAGENET1K_V1"),
}


def build_backbone(
    name: str = "small_cnn",
    in_channels: int = 1,
    weights: str | os.PathLike | None = None,
    fine_tune: str = "full",
) -> Backbone:
    """A backbone by name, with an attribute ``n_features`` that is known without a forward pass.

    Parameters
    ----------
    in_channels : 1 (grey) or 3 (colour).
    weights : ``None`` for random weights, ``"imagenet"`` for torchvision's (downloaded once, checksum verified), or the path of a
        state dict in torchvision's format (for the small CNNs: their own).
    fine_tune : what training may change: ``"full"``, ``"last_block"`` or ``"frozen"``.

    Raises
    ------
    ValueError : unknown name or setting; the message names the known ones.
    WeightsError : weights that cannot be reached, are damaged, or belong to another network.
    """
    if in_channels not in (1, 3):
        raise ValueError(f"in_channels must be 1 (grey) or 3 (colour), got {in_channels}")
    known = BACKBONES[choose("backbone", name, BACKBONES)]
    choose("fine_tune", fine_tune, FINE_TUNE)
    if weights == "imagenet":
        if isinstance(known, dict):
            raise WeightsError(
                f"{name} has no ImageNet weights: use weights=None, or another backbone"
            )
        state = imagenet_state(name)
    else:
        state = None if weights is None else read_state(weights)
    if not isinstance(known, dict):
        return TorchvisionBackbone(known[0], in_channels, state).set_fine_tune(fine_tune)
    backbone = SmallCNN(in_channels, **known)
    if state is not None:
        _load(backbone, state, name)
    return backbone.set_fine_tune(fine_tune)


def imagenet_state(name: str) -> dict:
    """State dict of torchvision's ImageNet weights, from its cache or its server, its checksum verified in both cases."""
    from torchvision.models import get_model_weights

    weights = get_model_weights(BACKBONES[name][0])[BACKBONES[name][1]]
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    wanted = re.search(r"-([0-9a-f]{8,})\.", file.name)
    if file.exists() and wanted and not _sha256(file).startswith(wanted[1]):
        raise WeightsError(
            f"{file} is damaged (its SHA-256 does not begin with {wanted[1]}): delete it and run again"
        )
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
        ):  # torch.hub names this machine's folder
            return weights.get_state_dict(
                progress=False, check_hash=True, map_location="cpu", weights_only=True
            )
    except OSError as error:  # URLError is one: no network, no such host, refused, not found
        raise WeightsError(
            f"ImageNet weights of {name} are not reachable ({error}). Use weights=None to start from random weights, "
            f"or fetch {weights.url} elsewhere and give its path as weights=."
        ) from None
    except RuntimeError as error:  # torch.hub: invalid hash value
        raise WeightsError(
            f"ImageNet weights of {name} arrived damaged ({error}): run again, or use weights=None"
        ) from None


def _sha256(path: Path) -> str:
    with open(path, "rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def read_state(path: str | os.PathLike) -> dict:
    """A state dict from a file, read with ``weights_only=True``: a pickle that could run code is refused."""
    path = Path(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(
            f"no weights at {path}: check the path, or use weights=None or weights='imagenet'"
        ) from None
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError, zipfile.BadZipFile) as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"weights {path} cannot be read as a plain state dict ({first}): save one with torch.save(model.state_dict(), path)"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(
            f"weights {path} hold no state dict (names and tensors): save one with torch.save(model.state_dict(), path)"
        )
    return state


def _load(body: nn.Module, state: dict, name: str) -> None:
    """Load all but the classifier's last layer, which belongs to ImageNet's classes. WeightsError where names or shapes differ."""
    own, last = body.state_dict(), ("fc.", "classifier.")
    wanted = {k: v for k, v in own.items() if not k.startswith(last)}
    wrong = [k for k, v in wanted.items() if k not in state or state[k].shape != v.shape] + [
        k for k in state if k not in own and not k.startswith(last)
    ]
    if wrong:
        raise WeightsError(
            f"the weights do not belong to {name}: {len(wrong)} entries are missing or differ, the first is {wrong[0]!r}"
        )
    body.load_state_dict({k: state[k] for k in wanted}, strict=False)


def feature_key(backbone: Backbone, data: ImageData, size: int, transform: str) -> str:
    """SHA-256 over everything that decides the features: network and weights, images and their digest, size, transform."""
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
    """Features (N, n_features) float32 of all images, computed once and kept on disk.

    The backbone runs in evaluation mode and without gradients; every head after it trains in seconds.

    Parameters
    ----------
    size : pixels to which the images are resized first (bilinear, antialiased); ``None`` keeps them.
    transform : a name in ``TRANSFORMS``.
    cache : folder, by default ``cache_dir()``. A damaged entry is computed anew; a folder that cannot be written is a warning.
    progress : ``False`` for silence, or a text that labels the bar.
    """
    from tqdm import tqdm

    change = TRANSFORMS[choose("transform", transform, TRANSFORMS)]
    size = size or data.size
    path = (
        Path(cache if cache is not None else cache_dir())
        / f"{feature_key(backbone, data, size, transform)}.npy"
    )
    if path.exists():
        try:
            kept = np.load(path, allow_pickle=False)
            if kept.shape == (len(data), backbone.n_features):
                return kept
        except (ValueError, EOFError, OSError):
            pass  # damaged: computed again below
    x, device, was_training = data.tensors()[0], default_device(), backbone.training
    backbone.to(device).eval()
    found = []
    with torch.no_grad():
        for batch in tqdm(
            x.split(batch_size),
            desc=progress or "",
            disable=progress is False,
            file=sys.stdout,
            ncols=110,
            mininterval=0.5,
        ):
            if size != data.size:
                batch = nn.functional.interpolate(
                    batch, size=(size, size), mode="bilinear", antialias=True
                )
            found.append(backbone(change(batch).to(device)).cpu().numpy())
    backbone.train(was_training)
    features = np.concatenate(found)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".tmp", delete=False) as stream:
            np.save(stream, features)
        os.replace(stream.name, path)
    except OSError as error:
        warnings.warn(
            f"features are not kept: {path.parent} cannot be written ({error.strerror}); set HQNN_CACHE to a folder of yours",
            stacklevel=2,
        )
    return features
