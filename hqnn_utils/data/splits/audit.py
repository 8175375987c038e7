"""What a split lets through: copies, near-duplicates and patients that stand on two sides of it."""

from __future__ import annotations

import numpy as np

from hqnn_utils.data.datasets import Dataset, FeatureTable
from hqnn_utils.data.options import RULES
from hqnn_utils.data.splits.duplicates import ROUNDING, shrunk, unit_rows
from hqnn_utils.runtime.arguments import checked

PIXELS = 28  # images are compared at this size, so that large ones are grouped as small ones are
AT_ONCE = 512  # rows of a table of correlations that is never held whole
CLOSE = 0.1  # standard deviations a feature: rows of a table that are this close are near-copies


def audit_split(data: Dataset, threshold: float = 0.95):
    """pandas table of what is known of the test examples elsewhere; one row a question.

    Columns: ``test examples`` that are concerned, their ``share``, and ``about``, what was counted.
    Where a question has no answer (a table that does not name patients), ``test examples`` is NaN
    and ``about`` says so. No finding is a proof: an image of the same patient from another angle
    looks like no copy.

    Parameters
    ----------
    data : images or a table of features, with a split.
    threshold : correlation from which two images count as near-duplicates. Images are compared at
        28 pixels; of tables, rows whose features differ by a tenth of a standard deviation or less
        (root mean square).

    Raises
    ------
    ValueError : a threshold that is no correlation, or a split without a test part.
    """
    import pandas as pd

    test, others = (np.flatnonzero(found) for found in (data.split == "test", _known(data)))
    if not len(test) or not len(others):
        raise ValueError(
            f"{data.name} has no test part, or nothing beside it: choose another split"
        )
    near, opposite, about = _near(data, test, others, threshold)
    rows = {
        "copies": (_copies(data, test, others), "equal in every value to a training example"),
        "near-duplicates": (near, about),
        "of these with the opposite label": (opposite, "a model that knows one misses the other"),
        "patients": _patients(data, test, others),
    }
    found = {
        name: {"test examples": n, "share": n / len(test), "about": text}
        for name, (n, text) in rows.items()
    }
    table = pd.DataFrame(found).T
    table.attrs = {"test": len(test), "others": len(others)}
    return table


def _known(data: Dataset) -> np.ndarray:
    """Training and validation part, (N,) bool; what no part names is left out."""
    return np.isin(data.split, ("train", "val"))


def _values(data: Dataset) -> np.ndarray:
    """What an example consists of: measured numbers, or pixels. One row an example."""
    return data.measured if isinstance(data, FeatureTable) else data.images


def _copies(data: Dataset, test: np.ndarray, others: np.ndarray) -> int:
    values = _values(data)
    there = {values[i].tobytes() for i in others}
    return sum(values[i].tobytes() in there for i in test)


def _near(data: Dataset, test, others, threshold: float) -> tuple[int, int, str]:
    if isinstance(data, FeatureTable):
        return *_close_rows(data, test, others), f"within {CLOSE} standard deviations a feature"
    images = data.images if data.images.shape[1] <= PIXELS else shrunk(data.images, PIXELS)
    flat = unit_rows(images, np.float32)
    near, opposite = 0, 0
    for some in np.array_split(test, max(1, len(test) // AT_ONCE)):
        alike = flat[some] @ flat[others].T >= threshold - max(ROUNDING, 1e-6)
        near += int(alike.any(axis=1).sum())
        other_label = data.labels[some][:, None] != data.labels[others]
        opposite += int((alike & other_label).any(axis=1).sum())
    return near, opposite, f"correlation of {threshold:g} or more at {PIXELS} pixels at most"


def _close_rows(data: FeatureTable, test, others) -> tuple[int, int]:
    from sklearn.neighbors import NearestNeighbors

    radius = CLOSE * np.sqrt(data.features.shape[1])
    index = NearestNeighbors(radius=radius).fit(data.features[others])
    found = index.radius_neighbors(data.features[test], return_distance=False)
    opposite = [
        (data.labels[others[rows]] != data.labels[i]).any()
        for i, rows in zip(test, found, strict=True)
    ]
    return sum(len(rows) > 0 for rows in found), int(sum(opposite))


def _patients(data: Dataset, test, others) -> tuple[float, str]:
    if not hasattr(data, "patients"):
        return float("nan"), "not known: the data do not name patients, and nothing here can tell"
    shared = int(np.isin(data.patients[test], data.patients[others]).sum())
    return shared, "of a patient with examples in training or validation"


# A table of features is audited too.
checked(__name__, {"threshold": RULES["threshold"]})
