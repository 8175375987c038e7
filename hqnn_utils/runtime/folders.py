"""Where datasets, what can be computed again, and results lie."""

from __future__ import annotations

import os
from pathlib import Path


def data_dir() -> Path:
    """The one folder for datasets: ``HQNN_DATA``, by default ``~/.medmnist`` (as medmnist)."""
    return Path(os.environ.get("HQNN_DATA") or Path.home() / ".medmnist").expanduser()


def cache_dir() -> Path:
    """Folder for what can be computed again (features, resized images).

    ``HQNN_CACHE``, by default ``~/.cache/hqnn``.
    """
    return Path(os.environ.get("HQNN_CACHE") or Path.home() / ".cache" / "hqnn").expanduser()


def results_dir(notebook: str) -> Path:
    """Folder for a notebook's records.

    ``HQNN_RESULTS/<notebook>``, by default ``my_results/<notebook>`` beside it. The committed
    records in ``notebooks/results`` are written by ``make notebooks`` only, so that trying
    something out never changes them.
    """
    return Path(os.environ.get("HQNN_RESULTS") or "my_results") / notebook
