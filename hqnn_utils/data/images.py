"""BreastMNIST, any MedMNIST-format file or the phantom, as one ``ImageData`` with malignant = 1."""

from __future__ import annotations

import hashlib
import os
import tempfile
import warnings
import zipfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from hqnn_utils.data.phantoms.breast import breast_phantom
from hqnn_utils.data.splits.duplicates import (
    check_threshold,
    connected_groups,
    correlations,
    pairs_above,
    split_by_group,
)
from hqnn_utils.runtime import DataError, choose, data_dir

SPLITS = ("train", "val", "test")
SIZES = (28, 64, 128, 224)
CLASS_NAMES = ("benign or normal", "malignant")


@dataclass(frozen=True)
class ImageData:
    """Images with labels and a split. Positive class: malignant = 1.

    Attributes
    ----------
    images : (N, H, W) or (N, H, W, 3) uint8. labels : (N,) int64, 0 or 1. split : (N,) of "train", "val", "test".
    ids : (N,) text such as "test/17", the index within the file's split.
    name, source, digest : what it is, where it came from ("medmnist", "phantom" or "file"), SHA-256.
    masks : (N, H, W) bool lesion masks, phantom only.
    """

    images: np.ndarray
    labels: np.ndarray
    split: np.ndarray
    ids: np.ndarray
    name: str
    source: str
    digest: str
    masks: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def size(self) -> int:
        """Height in pixels."""
        return self.images.shape[1]

    @property
    def is_phantom(self) -> bool:
        """True for synthetic images: their figures and records must say PHANTOM."""
        return self.source == "phantom"

    @property
    def banner(self) -> str:
        """``"PHANTOM (synthetic images): "`` or nothing; the start of every figure title."""
        return "PHANTOM (synthetic images): " if self.is_phantom else ""

    def take(self, index) -> ImageData:
        """The images that a boolean mask or an index array selects."""
        index = np.asarray(index)
        masks = None if self.masks is None else self.masks[index]
        return replace(
            self,
            images=self.images[index],
            labels=self.labels[index],
            split=self.split[index],
            ids=self.ids[index],
            masks=masks,
        )

    def part(self, name: str) -> ImageData:
        """One split: ``"train"``, ``"val"`` or ``"test"``."""
        return self.take(self.split == choose("split", name, SPLITS))

    def limit_train(self, n: int | None, seed: int = 0) -> ImageData:
        """At most ``n`` training images, drawn stratified by class; validation and test stay whole. ``None`` keeps all."""
        train = np.flatnonzero(self.split == "train")
        if n is None or n >= len(train):
            return self
        from sklearn.model_selection import train_test_split

        kept, _ = train_test_split(
            train, train_size=n, stratify=self.labels[train], random_state=seed
        )
        return self.take(np.sort(np.concatenate([kept, np.flatnonzero(self.split != "train")])))

    def near_duplicates(self, threshold: float = 0.95, method: str = "pixels"):
        """pandas table of pairs with a normalised cross-correlation of at least ``threshold``, the most similar first.

        Columns: ``a`` and ``b`` (ids), ``correlation``, ``across`` (different splits), ``opposite`` (different labels).
        ``method`` as in ``audit.correlations``.
        """
        import pandas as pd

        correlation = correlations(self.images, method)
        i, j = pairs_above(correlation, threshold).T
        return pd.DataFrame(
            {
                "a": self.ids[i],
                "b": self.ids[j],
                "correlation": correlation[i, j],
                "across": self.split[i] != self.split[j],
                "opposite": self.labels[i] != self.labels[j],
            }
        )

    def groups(self, threshold: float = 0.95) -> np.ndarray:
        """Group number of each image (N,): near-duplicates, and near-duplicates of those, share one."""
        return connected_groups(len(self), pairs_above(correlations(self.images), threshold))

    def grouped_split(self, threshold: float = 0.95, seed: int = 0) -> ImageData:
        """The same images in a new split of about 70/10/20 that keeps each group on one side. The ids keep the official place."""
        split = split_by_group(self.labels, self.groups(threshold), seed)
        return replace(self, split=split, name=f"{self.name}-grouped{threshold:g}-s{seed}")

    def clean_test(self, threshold: float = 0.95) -> ImageData:
        """Without the test images that have a near-duplicate in train or validation; train and validation stay whole."""
        test, near = (
            self.split == "test",
            correlations(self.images) >= check_threshold(threshold) - 1e-12,
        )
        return self.take(~(test & near[:, ~test].any(axis=1)))

    def tensors(self, name: str | None = None):
        """``(x, y)``: x float32 (N, channels, H, W) scaled from 0..255 to -1..1, y int64 (N,); of one split or of all."""
        import torch

        data = self if name is None else self.part(name)
        x = torch.from_numpy(np.array(data.images)).float().div_(127.5).sub_(1.0)
        x = x.unsqueeze(1) if x.ndim == 3 else x.permute(0, 3, 1, 2).contiguous()
        return x, torch.from_numpy(np.array(data.labels))

    def counts(self):
        """pandas table: images per split and class, with totals and the share that is malignant."""
        import pandas as pd

        rows = [(self.part(s).labels == 0, self.part(s).labels == 1) for s in SPLITS]
        table = pd.DataFrame(
            [(a.sum(), b.sum()) for a, b in rows], index=list(SPLITS), columns=list(CLASS_NAMES)
        )
        table.loc["all"] = table.sum()
        table["total"] = table.sum(axis=1)
        table["malignant share"] = (table["malignant"] / table["total"]).round(3)
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


def load_breastmnist(
    size: int = 28,
    source: str | os.PathLike = "auto",
    root: str | os.PathLike | None = None,
    seed: int = 0,
) -> ImageData:
    """BreastMNIST (780 ultrasound images, official split 546/78/156) with malignant = 1.

    Parameters
    ----------
    size : 28, 64, 128 or 224 pixels (the phantom takes any size). Ignored for a path.
    source : ``"auto"`` takes the official file from ``root``, else downloads it, else warns and gives the phantom;
        ``"medmnist"`` never falls back; ``"phantom"`` is explicit; anything else is the path of a MedMNIST-format ``.npz``
        with 0 = malignant.
    root : data folder, by default ``HQNN_DATA`` or ``~/.medmnist``.
    seed : of the phantom.

    Raises
    ------
    DataError : no network, wrong MD5, damaged or malformed file, folder that cannot be written. A damaged file is
        always an error, never a reason to fall back.
    """
    if source == "phantom":
        return _phantom(size, seed)
    if source not in ("auto", "medmnist"):
        path = Path(source)
        if path.suffix != ".npz":
            raise DataError(
                f"source {str(source)!r} is neither 'auto', 'medmnist', 'phantom' nor the path of an .npz file"
            )
        return read_medmnist_file(path)
    choose("BreastMNIST size", size, SIZES)
    path = Path(root) if root is not None else data_dir()
    path = path / ("breastmnist.npz" if size == 28 else f"breastmnist_{size}.npz")
    if not path.exists():
        try:
            _download(path, size)
        except ConnectionError as error:
            if source == "medmnist":
                raise DataError(str(error)) from None
            warnings.warn(
                f"{error}\nUSING THE PHANTOM: what follows is computed on synthetic images, not on patients.",
                stacklevel=2,
            )
            return _phantom(size, seed)
    return read_medmnist_file(path, md5=_official(size)["md5"], name=path.stem, source="medmnist")


def _phantom(size: int, seed: int) -> ImageData:
    made = breast_phantom(size, seed)
    digest = hashlib.sha256(made["images"].tobytes() + made["labels"].tobytes()).hexdigest()
    ids = np.concatenate([[f"{s}/{i}" for i in range((made["split"] == s).sum())] for s in SPLITS])
    return ImageData(**made, ids=ids, name=f"phantom-seed{seed}", source="phantom", digest=digest)


def _official(size: int) -> dict:
    """Address and MD5 of the official file, from medmnist itself."""
    from medmnist import INFO

    info, flag = INFO["breastmnist"], "" if size == 28 else f"_{size}"
    return {"url": info[f"url{flag}"], "md5": info[f"MD5{flag}"], "home": "https://medmnist.com"}


def _download(path: Path, size: int) -> None:
    """Fetch the official file through medmnist. ConnectionError: not reachable. DataError: nowhere to put it."""
    from medmnist import BreastMNIST

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # A folder of its own: an interrupted download never leaves half a file under the official name.
        with tempfile.TemporaryDirectory(dir=path.parent) as temporary:
            try:
                BreastMNIST(split="train", download=True, root=temporary, size=size)
            except (RuntimeError, OSError):
                official = _official(size)
                raise ConnectionError(
                    f"{path.name} could not be downloaded (no network, or the server is down). Fetch {official['url']} "
                    f"by hand (MD5 {official['md5']}), put it into {path.parent}, or point HQNN_DATA at a folder that holds it; "
                    "source='phantom' works without a network."
                ) from None
            os.replace(Path(temporary) / path.name, path)
    except ConnectionError:
        raise
    except OSError as error:
        raise DataError(
            f"data folder {path.parent} cannot be written ({error.strerror}): set HQNN_DATA to a folder of yours"
        ) from None


def read_medmnist_file(
    path: str | os.PathLike, md5: str | None = None, name: str | None = None, source: str = "file"
) -> ImageData:
    """Read and check a MedMNIST-format ``.npz`` of a two-class problem whose raw label 0 is malignant.

    The label is turned round here, once: afterwards malignant = 1. Raises DataError with the file and the remedy.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(
            f"{path} cannot be read ({error.strerror}): check the path, or set HQNN_DATA to the folder that holds it"
        ) from None
    if md5 is not None and (found := hashlib.md5(content).hexdigest()) != md5:
        raise DataError(
            f"{path} is not the official file: MD5 {found}, expected {md5}. Delete it and run again to download it anew."
        )
    arrays = _arrays(path)
    images = np.concatenate([arrays[f"{s}_images"] for s in SPLITS])
    raw = np.concatenate([arrays[f"{s}_labels"].reshape(-1) for s in SPLITS])
    split = np.repeat(SPLITS, [len(arrays[f"{s}_images"]) for s in SPLITS])
    ids = np.concatenate([[f"{s}/{i}" for i in range(len(arrays[f"{s}_images"]))] for s in SPLITS])
    return ImageData(
        images,
        1 - raw.astype(np.int64),
        split,
        ids,
        name or path.stem,
        source,
        hashlib.sha256(content).hexdigest(),
    )


def _arrays(path: Path) -> dict[str, np.ndarray]:
    """The six arrays of a MedMNIST file, checked for presence, dtype, shape and label values."""
    keys = [f"{s}_{kind}" for s in SPLITS for kind in ("images", "labels")]
    try:
        with np.load(path, allow_pickle=False) as archive:  # a pickle could run code
            missing = [key for key in keys if key not in archive.files]
            if missing:
                raise DataError(
                    f"{path} lacks {', '.join(missing)}: a MedMNIST file holds {', '.join(keys)}"
                )
            arrays = {key: archive[key] for key in keys}
    except (zipfile.BadZipFile, EOFError, OSError, KeyError, AttributeError) as error:
        raise DataError(
            f"{path} is damaged or cut short ({error}): delete it and get it again"
        ) from None
    except ValueError as error:
        reason = (
            "holds pickled arrays, which are refused because they can run code"
            if "pickle" in str(error).lower()
            else f"is damaged ({error})"
        )
        raise DataError(
            f"{path} {reason}: get the official file, or save plain arrays with numpy.savez"
        ) from None
    shape = arrays["train_images"].shape[1:]
    for s in SPLITS:
        images, labels = arrays[f"{s}_images"], arrays[f"{s}_labels"]
        if images.dtype != np.uint8:
            raise DataError(
                f"{path}: {s}_images has dtype {images.dtype}, expected uint8 (0 to 255)"
            )
        if (
            images.ndim not in (3, 4)
            or images.shape[1:] != shape
            or shape[0] != shape[1]
            or (images.ndim == 4 and shape[2] != 3)
        ):
            raise DataError(
                f"{path}: {s}_images has shape {images.shape}, expected (N, size, size) or (N, size, size, 3), one size for all splits"
            )
        if labels.size != len(images) or labels.shape[0] != len(images):
            raise DataError(
                f"{path}: {s}_labels has shape {labels.shape} for {len(images)} images, expected one label an image"
            )
        if len(images) == 0:
            raise DataError(f"{path}: {s} holds no images")
        wrong = sorted(set(np.unique(labels).tolist()) - {0, 1})
        if wrong:
            raise DataError(
                f"{path}: {s}_labels holds {wrong[:5]}, expected 0 (malignant) and 1 (benign or normal) only"
            )
    return arrays
