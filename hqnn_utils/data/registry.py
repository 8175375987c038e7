"""Datasets by name. A new dataset is one loader and one line in ``DATASETS``."""

from __future__ import annotations

import inspect
import os

from hqnn_utils.data.breakhis import load_breakhis
from hqnn_utils.data.datasets import Dataset, FeatureTable
from hqnn_utils.data.feature_tables import load_wisconsin
from hqnn_utils.data.medmnist_sets import load_breastmnist, load_medmnist, load_pneumoniamnist
from hqnn_utils.runtime import choose

USUAL_SIZE = 28  # pixels, what a setting says where nothing was chosen


def wisconsin(size: int = USUAL_SIZE, source: str = "auto", seed: int = 0) -> FeatureTable:
    """The Wisconsin table. It comes with scikit-learn and has neither a source nor a size."""
    if source not in ("auto", "medmnist"):
        raise ValueError(
            f"wisconsin is part of scikit-learn and has no other source, got source={source!r}: "
            "leave it out"
        )
    if size != USUAL_SIZE:
        raise ValueError(
            f"wisconsin is a table of features and has no size in pixels, got size={size}: "
            "leave it out"
        )
    return load_wisconsin(seed)


# Name -> loader(size=, source=, **options).
DATASETS = {
    "breastmnist": load_breastmnist,
    "pneumoniamnist": load_pneumoniamnist,
    "medmnist": load_medmnist,  # any other set, by its options flag and positive
    "breakhis": load_breakhis,
    "wisconsin": wisconsin,
}


def load_dataset(
    name: str,
    *,
    source: str | os.PathLike | None = None,
    size: int | None = None,
    **options,
) -> Dataset:
    """A dataset by name.

    Parameters
    ----------
    name : a key of ``DATASETS``.
    source : ``"auto"``, ``"phantom"``, a path: as the loader takes it. ``"medmnist"`` stands for
        the official data of every dataset and never falls back to a phantom. ``None`` is the
        loader's default.
    size : pixels, ``None`` for the loader's default.
    options : further arguments of the loader, e.g. ``magnification=200`` for BreakHis.

    Raises
    ------
    ValueError : an unknown dataset or option, or a source or size where none is meant.
    DataError : as the loader raises it.
    """
    check_dataset(name, **options)
    given = {"source": source, "size": size}
    chosen = {key: value for key, value in given.items() if value is not None}
    return DATASETS[name](**chosen, **options)


def check_dataset(name: str, **options) -> None:
    """ValueError for an unknown dataset or option; the message names the known ones."""
    loader = DATASETS[choose("dataset", name, DATASETS)]
    known = [key for key in inspect.signature(loader).parameters if key not in ("source", "size")]
    for option in options:
        choose(f"option of dataset {name!r}", option, known)
