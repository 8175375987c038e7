"""Tables of features: scikit-learn's breast cancer data, or your own arrays."""

from __future__ import annotations

import hashlib

import numpy as np

from hqnn_utils.data.datasets import CLASS_NAMES, FeatureTable
from hqnn_utils.data.options import check_options
from hqnn_utils.data.splits.parts import stratified_parts
from hqnn_utils.runtime.arguments import checked, numbers


def load_wisconsin(seed: int = 0) -> FeatureTable:
    """Breast Cancer Wisconsin (Diagnostic): 569 masses, 30 features of cell nuclei, malignant = 1.

    Part of scikit-learn, no download. **It has no official split**: this one is made here, at
    random, 70/10/20, stratified by class, with a fixed seed. scikit-learn's label 0 is malignant;
    it is turned round here, once. Which rows belong to one patient is not known.

    Street, Wolberg and Mangasarian, Nuclear feature extraction for breast tumor diagnosis (1993);
    CC BY 4.0.

    Parameters
    ----------
    seed : another seed is another split.
    """
    from sklearn.datasets import load_breast_cancer

    found = load_breast_cancer()
    return make_table(
        found.data,
        1 - found.target,
        name="wisconsin",
        feature_names=found.feature_names,
        source="scikit-learn",
        class_names=("benign", "malignant"),
        seed=seed,
    )


def make_table(
    measured: np.ndarray,
    labels: np.ndarray,
    *,
    name: str = "table",
    feature_names=None,
    source: str = "arrays",
    class_names: tuple[str, str] = CLASS_NAMES,
    seed: int = 0,
) -> FeatureTable:
    """A ``FeatureTable`` from arrays, split 70/10/20 at random and stratified by class.

    Parameters
    ----------
    measured : (N, d) finite numbers, one row an example.
    labels : (N,) of 0 and 1, malignant = 1.
    name, source, class_names : as in ``Dataset``; the seed is added to the name.
    feature_names : d names, by default "feature 0" and so on.
    seed : of the split.

    Raises
    ------
    ValueError : shapes that do not fit, labels other than 0 and 1, a value that is not finite.
    """
    check_options({"seed": seed})
    measured = numbers("measured", measured)
    labels = np.asarray(labels)
    _check_table(measured, labels)
    labels = labels.astype(np.int64)
    if feature_names is None:
        feature_names = [f"feature {i}" for i in range(measured.shape[1])]
    if len(feature_names) != measured.shape[1]:
        raise ValueError(
            f"{len(feature_names)} feature_names for {measured.shape[1]} features: give one each"
        )
    content = measured.tobytes() + labels.tobytes()
    split = _split(labels, seed)
    return FeatureTable(
        measured=measured,
        feature_names=tuple(str(one) for one in feature_names),
        labels=labels,
        split=split,
        ids=np.array([f"row/{i}" for i in range(len(labels))]),
        name=f"{name}-s{seed}",
        source=source,
        digest=hashlib.sha256(content).hexdigest(),
        class_names=class_names,
    )


def _split(labels: np.ndarray, seed: int) -> np.ndarray:
    try:
        return stratified_parts(labels, seed, val=0.1, test=0.2)
    except ValueError as error:
        counts = np.bincount(labels, minlength=2).tolist()
        raise ValueError(
            f"labels: {counts[0]} of 0 and {counts[1]} of 1 are too few for parts of 70, 10 and "
            f"20 % with both in each ({error}): give about 20 rows or more"
        ) from None


def _check_table(measured: np.ndarray, labels: np.ndarray) -> None:
    if measured.ndim != 2 or labels.shape != (len(measured),):
        raise ValueError(
            "a table needs measured (N, d) and labels (N,), "
            f"got {measured.shape} and {labels.shape}"
        )
    if not np.isfinite(measured).all():
        raise ValueError("measured holds values that are not finite: fill or drop them first")
    wrong = sorted(set(np.unique(labels).tolist()) - {0, 1})
    if wrong:
        raise ValueError(f"labels hold {wrong[:5]}, expected 0 and 1 (malignant) only")


checked(__name__)
