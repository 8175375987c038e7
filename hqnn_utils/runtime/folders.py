"""Where datasets, what can be computed again, and results lie."""

from __future__ import annotations

import os
from pathlib import Path

from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import is_address


def _folder(variable: str, *usual: str) -> Path:
    """The folder that an environment variable names, or the usual one below the home folder.

    ValueError where there is no such home, or what cannot be meant as a folder.
    """
    given = _given(variable)
    try:
        return Path(given).expanduser() if given else Path.home().joinpath(*usual)
    except RuntimeError:
        what = f"{variable}={given!r} names the home of nobody" if given else "no home folder"
        raise ValueError(f"{what}: set {variable} to the whole path of a folder") from None


def _given(variable: str) -> str | None:
    """What an environment variable holds.

    ValueError for what was not meant so: such a folder is not there, and other data or none at all
    would be found in its place.
    """
    text = os.environ.get(variable)
    if text and (text != text.strip() or text[0] in "\"'$%" or is_address(text)):
        raise ValueError(
            f"{variable}={text!r} is no path of a folder: set {variable} to the path alone, "
            "without quotes, blanks around it, names of variables, or an address"
        )
    return text


def data_dir() -> Path:
    """The one folder for datasets: ``HQNN_DATA``, by default ``~/.medmnist`` (as medmnist)."""
    return _folder("HQNN_DATA", ".medmnist")


def cache_dir() -> Path:
    """Folder for what can be computed again (features, resized images).

    ``HQNN_CACHE``, by default ``~/.cache/hqnn``.
    """
    return _folder("HQNN_CACHE", ".cache", "hqnn")


def results_dir(notebook: str) -> Path:
    """Folder for a notebook's records.

    ``HQNN_RESULTS/<notebook>``, by default ``my_results/<notebook>`` beside it. The committed
    records in ``notebooks/results`` are written by ``make notebooks`` only, so that trying
    something out never changes them.
    """
    return Path(_given("HQNN_RESULTS") or "my_results").expanduser() / notebook


checked(__name__)
