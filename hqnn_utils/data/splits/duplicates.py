"""Near-duplicates across a split, and the test part without them.

The measure is the normalised cross-correlation of two whole images at the same position (Pearson's
correlation of their pixels): 1 for copies, also after a change of brightness or contrast.
"""

from __future__ import annotations

import numpy as np

from hqnn_utils.data.datasets import Dataset, ImageData
from hqnn_utils.data.options import RULES
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.recent import Recent
from hqnn_utils.runtime.words import a

METHODS = ("pixels", "detail", "mirror")
COARSE = 1 / 14  # of the width: "detail" takes away what is coarser
ROUNDING = 1e-12  # so that a correlation exactly at the threshold counts, whatever the rounding


def near_duplicates(data: ImageData, threshold: float = 0.95, method: str = "pixels"):
    """Pairs with a correlation of at least ``threshold``, the most similar first.

    Parameters
    ----------
    data : images with a split.
    threshold : above 0 and at most 1.
    method : as in ``correlations``.

    Returns
    -------
    pandas table with the columns ``a`` and ``b`` (ids), ``correlation``, ``across`` (different
    parts of the split) and ``opposite`` (different labels).
    """
    import pandas as pd

    need_images(data, "looking for near-duplicates")
    correlation = correlations(data.images, method)
    i, j = pairs_above(correlation, threshold).T
    return pd.DataFrame(
        {
            "a": data.ids[i],
            "b": data.ids[j],
            "correlation": correlation[i, j],
            "across": data.split[i] != data.split[j],
            "opposite": data.labels[i] != data.labels[j],
        }
    )


def clean_test(data: ImageData, threshold: float = 0.95) -> ImageData:
    """Without the test images that have a near-duplicate in train or validation.

    Train and validation stay whole.
    """
    need_images(data, "looking for near-duplicates")
    is_test = data.split == "test"
    near = correlations(data.images) >= threshold - ROUNDING
    return data.take(~(is_test & near[:, ~is_test].any(axis=1)))


def duplicate_groups(
    data: ImageData, threshold: float = 0.95, pixels: int | None = None
) -> np.ndarray:
    """Group number (N,): near-duplicates, and near-duplicates of those, share one.

    ``pixels`` is the size at which larger images are compared, ``None`` for their own. The answer
    is kept: a cross-validation asks for it once a fold.
    """
    need_images(data, "looking for near-duplicates")
    question = (data.images,), (threshold, pixels)
    found = _RECENT.find(*question)
    if found is None:
        found = _grouped(data.images, threshold, pixels)
        _RECENT.keep(*question, found)
    return found.copy()


def _grouped(images: np.ndarray, threshold: float, pixels: int | None) -> np.ndarray:
    if pixels is not None and pixels < images.shape[1]:
        images = shrunk(images, pixels)
    return connected_groups(len(images), pairs_above(correlations(images), threshold))


_RECENT = Recent(4)  # groups; a new split has the very same images


def shrunk(images: np.ndarray, pixels: int) -> np.ndarray:
    """(N, H, W) or (N, H, W, 3) -> (N, pixels, pixels) or (..., 3) float32: means over areas."""
    import torch

    x = torch.from_numpy(images.astype(np.float32))
    x = x[:, None] if x.ndim == 3 else x.permute(0, 3, 1, 2)
    x = torch.nn.functional.interpolate(x, size=(pixels, pixels), mode="area")
    return (x[:, 0] if images.ndim == 3 else x.permute(0, 2, 3, 1)).numpy()


def need_images(data, purpose: str) -> None:
    """ValueError for a table of features: it has no pictures to compare or to change."""
    if not isinstance(data, ImageData):
        raise ValueError(
            f"{purpose} needs images, and {data.name} is a table of features: "
            "use the protocol official, random or cross_validation"
        )


def correlations(images: np.ndarray, method: str = "pixels") -> np.ndarray:
    """Normalised cross-correlation of every image with every other.

    Parameters
    ----------
    images : (N, H, W) or (N, H, W, 3).
    method : ``"pixels"`` compares the images as they are; ``"detail"`` first takes away what is
        coarser than about 1/14 of the width (a Gaussian blur), so that a shared layout of dark and
        bright counts less; ``"mirror"`` compares each image with the others' mirror images.
        Speckle is not mirrored between two recordings, so ``"mirror"`` shows how often unrelated
        images reach a correlation: a control for the threshold.

    Returns
    -------
    (N, N) float64 between -1 and 1.
    """
    choose("method", method, METHODS)
    images = np.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(f"images must have shape (N, H, W) or (N, H, W, 3), got {images.shape}")
    if method == "detail":
        images = images - _blurred(images)
    ours = unit_rows(images)
    theirs = unit_rows(images[:, :, ::-1]) if method == "mirror" else ours
    return np.clip(ours @ theirs.T, -1.0, 1.0)


def _blurred(images: np.ndarray) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(images.astype(np.float64), images.shape[2] * COARSE, axes=(1, 2))


def unit_rows(images: np.ndarray, kind: type = np.float64) -> np.ndarray:
    """(N, pixels) with mean 0 and length 1: products of rows are correlations.

    An image of one colour becomes zeros and correlates with nothing. ``kind`` is the type of the
    numbers: float32 takes half the memory.
    """
    flat = images.reshape(len(images), -1).astype(kind)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-6)


def pairs_above(correlation: np.ndarray, threshold: float) -> np.ndarray:
    """Index pairs (K, 2), i < j, that reach ``threshold``, the most similar first."""
    i, j = np.nonzero(np.triu(correlation >= threshold - ROUNDING, k=1))
    order = np.argsort(-correlation[i, j], kind="stable")
    return np.stack([i, j], axis=1)[order]


def connected_groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """Group number (n,) of each of ``n`` images: those joined by a chain of pairs share one.

    SciPy's ``connected_components``.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.asarray(pairs).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


# A table of features is refused in words of its own.
checked(__name__, {"data": a(Dataset), "threshold": RULES["threshold"]})
