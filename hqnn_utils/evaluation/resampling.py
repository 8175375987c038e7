"""What all bootstraps have in common: how images are drawn, and how an interval is read off."""

from __future__ import annotations

import numpy as np

from hqnn_utils.evaluation.arguments import RULES
from hqnn_utils.runtime.arguments import checked, numbers
from hqnn_utils.runtime.files import need_memory


def stratified_resamples(y: np.ndarray, n_resamples: int, seed: int) -> np.ndarray:
    """Positions of resampled images, (n_resamples, N).

    Each class is drawn with replacement, so that every resample holds both classes, and as many
    images of each as ``y`` (N,).
    """
    y = np.asarray(y)
    if y.ndim != 1 or len(y) == 0:
        raise ValueError(f"labels must be a vector of one or more, got shape {y.shape}")
    need_room(n_resamples, len(y))
    rng = np.random.default_rng(seed)
    drawn = []
    for value in np.unique(y):
        members = np.flatnonzero(y == value)
        drawn.append(rng.choice(members, (n_resamples, len(members))))
    return np.concatenate(drawn, axis=1)


def need_room(n_resamples: int, images: int) -> None:
    """MemoryError, with the bytes, for more resamples than the memory holds."""
    what = f"{n_resamples:,} resamples of {images:,} images"
    need_memory(24 * n_resamples * images, what, "take fewer resamples")


def percentile_interval(values: np.ndarray, level: float) -> tuple[float, float]:
    """``(low, high)``: the middle part of the resampled ``values`` (n_resamples,).

    ``level`` is the share between the two ends, 0.95 for a 95 % interval. Resamples in which the
    score is not defined (NaN) are left out; without any other both ends are NaN.
    """
    values = numbers("values", values)
    values = values[np.isfinite(values)]
    if len(values) == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


checked(__name__, RULES)
