"""Near-duplicates across a split. numpy in, numpy out; ``ImageData`` offers the same as methods.

The measure is the normalised cross-correlation of two whole images at the same position (Pearson's correlation of their
pixels): 1 for copies, also after a change of brightness or contrast.
"""

from __future__ import annotations

import numpy as np

from hqnn_utils.runtime import choose

METHODS = ("pixels", "detail", "mirror")


def check_threshold(threshold: float) -> float:
    """Return the threshold, or raise ValueError: a correlation above 0 and at most 1."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold is a correlation above 0 and at most 1, got {threshold}")
    return float(threshold)


def _unit(images: np.ndarray) -> np.ndarray:
    """(N, pixels) with mean 0 and length 1; an image of one colour becomes zeros and correlates with nothing."""
    flat = images.reshape(len(images), -1).astype(np.float64)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    return np.divide(flat, length, out=np.zeros_like(flat), where=length > 1e-9)


def correlations(images: np.ndarray, method: str = "pixels") -> np.ndarray:
    """Normalised cross-correlation of every image with every other, (N, N) float64 between -1 and 1.

    Parameters
    ----------
    images : (N, H, W) or (N, H, W, 3).
    method : ``"pixels"`` compares the images as they are; ``"detail"`` first takes away what is coarser than about 1/14 of the width
        (a Gaussian blur), so that a shared layout of dark and bright counts less; ``"mirror"`` compares each image with the
        others' mirror images. Speckle is not mirrored between two recordings, so ``"mirror"`` shows how often unrelated
        images reach a correlation: a control for the threshold.
    """
    choose("method", method, METHODS)
    images = np.asarray(images)
    if images.ndim not in (3, 4):
        raise ValueError(f"images must have shape (N, H, W) or (N, H, W, 3), got {images.shape}")
    if method == "detail":
        from scipy.ndimage import gaussian_filter1d

        blurred = images.astype(np.float64)
        for axis in (1, 2):
            blurred = gaussian_filter1d(blurred, images.shape[2] / 14, axis=axis)
        images = images - blurred
    a = _unit(images)
    b = _unit(images[:, :, ::-1]) if method == "mirror" else a
    return np.clip(a @ b.T, -1.0, 1.0)


def pairs_above(correlation: np.ndarray, threshold: float) -> np.ndarray:
    """Index pairs (K, 2), i < j, with a correlation of at least ``threshold``, the most similar first."""
    i, j = np.nonzero(np.triu(correlation >= check_threshold(threshold) - 1e-12, k=1))
    order = np.argsort(-correlation[i, j], kind="stable")
    return np.stack([i, j], axis=1)[order]


def connected_groups(n: int, pairs: np.ndarray) -> np.ndarray:
    """Group number of each of ``n`` images, (n,): images joined by a chain of pairs share one (SciPy ``connected_components``)."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = np.asarray(pairs).reshape(-1, 2)
    graph = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    return connected_components(graph, directed=False)[1]


def split_by_group(labels: np.ndarray, groups: np.ndarray, seed: int = 0) -> np.ndarray:
    """A split (N,) of "train", "val", "test", about 70/10/20 and stratified by class, with no group on two sides.

    scikit-learn's ``StratifiedGroupKFold`` with ten folds: two for the test, one for validation.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    split = np.full(len(labels), "train", dtype="<U5")
    folds = StratifiedGroupKFold(n_splits=10, shuffle=True, random_state=seed).split(
        labels, labels, groups
    )
    for name, (_, members) in zip(("test", "test", "val"), folds):
        split[members] = name
    return split
