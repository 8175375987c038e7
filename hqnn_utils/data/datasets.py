"""What a dataset is in this course: examples with labels, a split and ids. Malignant = 1.

``ImageData`` holds pictures, ``FeatureTable`` a table of measured numbers. Models, studies and
figures ask both for the same things: ``part``, ``take``, ``tensors``, ``counts``, ``describe``.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import ClassVar, Self

import numpy as np

from hqnn_utils.runtime import choose

SPLITS = ("train", "val", "test")
CLASS_NAMES = ("benign or normal", "malignant")


@dataclass(frozen=True, kw_only=True)
class Dataset:
    """Labelled examples with a split. Every array has one row an example.

    Attributes
    ----------
    labels : (N,) int64, 0 or 1; the positive class is 1 (malignant, where it is about cancer).
    split : (N,) of "train", "val", "test".
    ids : (N,) text, one of its own for each example; a new split does not change it.
    name : what it is, and how it was split where that is not the split it came with.
    source : where it came from, e.g. "medmnist", "phantom" or "file".
    digest : SHA-256 of the content.
    class_names : what the labels 0 and 1 mean.
    """

    labels: np.ndarray
    split: np.ndarray
    ids: np.ndarray
    name: str
    source: str
    digest: str
    class_names: tuple[str, str] = CLASS_NAMES

    UNIT: ClassVar[str]  # in which the size is counted

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size_text(self) -> str:
        """The size in words: ``"28 px"``, ``"30 features"``."""
        return f"{self.size} {self.UNIT}"

    @property
    def is_phantom(self) -> bool:
        """True for synthetic images: their figures and records must say PHANTOM."""
        return self.source == "phantom"

    @property
    def banner(self) -> str:
        """``"PHANTOM (synthetic images): "`` or nothing; the start of every figure title."""
        return "PHANTOM (synthetic images): " if self.is_phantom else ""

    def take(self, index) -> Self:
        """The examples that a boolean mask (N,) or an array of positions selects."""
        index = np.asarray(index)
        values = {field.name: getattr(self, field.name) for field in fields(self)}
        arrays = {key: value for key, value in values.items() if isinstance(value, np.ndarray)}
        return replace(self, **{key: array[index] for key, array in arrays.items()})

    def part(self, name: str) -> Self:
        """One part of the split: ``"train"``, ``"val"`` or ``"test"``."""
        return self.take(self.split == choose("split", name, SPLITS))

    def with_split(self, split: np.ndarray, name: str) -> Self:
        """The same examples in another split (N,), under a name that says so."""
        return replace(self, split=split, name=name)

    def counts(self):
        """Examples per part of the split and class, with totals, as a pandas table."""
        import pandas as pd

        rows = [np.bincount(self.part(part).labels, minlength=2) for part in SPLITS]
        table = pd.DataFrame(rows, index=list(SPLITS), columns=list(self.class_names))
        table.loc["all"] = table.sum()
        positive = self.class_names[1]
        table["total"] = table.sum(axis=1)
        table[f"{positive} share"] = (table[positive] / table["total"]).round(3)
        return table

    def describe(self) -> dict:
        """What a record stores about the data. No path."""
        return {
            "name": self.name,
            "source": self.source,
            "digest": self.digest,
            "size": self.size,
            "n": len(self),
            "phantom": self.is_phantom,
        }


@dataclass(frozen=True, kw_only=True)
class ImageData(Dataset):
    """Images with labels and a split. All that ``Dataset`` has, and:

    Attributes
    ----------
    images : (N, H, W) or (N, H, W, 3) uint8.
    masks : (N, H, W) bool lesion masks, breast phantom only.
    """

    images: np.ndarray
    masks: np.ndarray | None = None

    UNIT = "px"

    @property
    def size(self) -> int:
        """Height in pixels."""
        return self.images.shape[1]

    def tensors(self, name: str | None = None):
        """``(x, y)`` of one part of the split, or of all.

        Returns
        -------
        x : float32 tensor (N, channels, H, W), scaled from 0..255 to -1..1.
        y : int64 tensor (N,).
        """
        import torch

        data = self if name is None else self.part(name)
        x = torch.from_numpy(np.array(data.images)).float().div_(127.5).sub_(1.0)
        x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()
        return x, torch.from_numpy(np.array(data.labels))


@dataclass(frozen=True, kw_only=True)
class FeatureTable(Dataset):
    """A table of features with labels and a split. All that ``Dataset`` has, and:

    A model sees ``features``: what was measured, standardised with mean and standard deviation of
    the training part alone. A new split standardises anew. Fewer training examples
    (``limit_train``) keep the statistics of the whole training part.

    Attributes
    ----------
    measured : (N, d) float64, as they stand in the source.
    feature_names : d names.
    features : (N, d) float32, standardised.
    """

    measured: np.ndarray
    feature_names: tuple[str, ...]
    features: np.ndarray | None = None

    UNIT = "features"

    def __post_init__(self):
        if self.features is None:  # frozen: set once, here
            object.__setattr__(self, "features", _standardised(self.measured, self.split))

    @property
    def size(self) -> int:
        """Number of features."""
        return self.features.shape[1]

    def with_split(self, split: np.ndarray, name: str) -> Self:
        """The same rows in another split (N,), standardised with its training part."""
        return replace(self, split=split, name=name, features=None)

    def tensors(self, name: str | None = None):
        """``(x, y)`` of one part of the split, or of all: float32 (N, d) and int64 (N,)."""
        import torch

        data = self if name is None else self.part(name)
        return torch.from_numpy(data.features.copy()), torch.from_numpy(data.labels.copy())


def _standardised(measured: np.ndarray, split: np.ndarray) -> np.ndarray:
    """(N, d) float32: mean 0 and standard deviation 1 in the training part.

    scikit-learn's ``StandardScaler``; a feature that never changes there becomes 0.
    """
    from sklearn.preprocessing import StandardScaler

    scaler = StandardScaler().fit(measured[split == "train"])
    return scaler.transform(measured).astype(np.float32)
