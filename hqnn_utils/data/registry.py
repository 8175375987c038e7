"""Datasets by name. A new dataset is one loader and one line in ``DATASETS``."""

from __future__ import annotations

import inspect
import os

from hqnn_utils.data.breakhis import load_breakhis
from hqnn_utils.data.datasets import Dataset
from hqnn_utils.data.feature_tables import load_wisconsin
from hqnn_utils.data.medmnist_sets import load_breastmnist, load_medmnist, load_pneumoniamnist
from hqnn_utils.data.options import check_options
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked

# What is said where nothing was chosen, by a setting too: no error where it means nothing.
USUAL = {"source": (None, "auto", "medmnist"), "size": (None, 28)}


# Name -> loader. One that takes neither size nor source (a table) needs neither.
DATASETS = {
    "breastmnist": load_breastmnist,
    "pneumoniamnist": load_pneumoniamnist,
    "medmnist": load_medmnist,  # any other set, by its options flag and positive
    "breakhis": load_breakhis,
    "wisconsin": load_wisconsin,
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
    takes = inspect.signature(DATASETS[name]).parameters
    for key, value in {"source": source, "size": size}.items():
        if key in takes and value is not None:
            options[key] = value
        elif key not in takes and value not in USUAL[key]:
            raise ValueError(f"dataset {name!r} has no {key}, got {key}={value!r}: leave it out")
    return DATASETS[name](**options)


def check_dataset(name: str, **options) -> None:
    """ValueError for an unknown dataset or option, or one that is missing; the message names it."""
    loader = DATASETS[choose("dataset", name, DATASETS)]
    takes = inspect.signature(loader).parameters
    known = [key for key in takes if key not in ("source", "size")]
    for option in options:
        choose(f"option of dataset {name!r}", option, known)
    needed = [key for key in known if takes[key].default is inspect.Parameter.empty]
    missing = [key for key in needed if key not in options]
    if missing:
        raise ValueError(f"dataset {name!r} needs {' and '.join(missing)}: give them as options")
    check_options(options)


checked(__name__)
