"""Profile, seed, device, data folder, environment check and provenance stamp."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

# Distribution -> lowest version that the notebooks were written for (the same numbers as requirements.txt).
REQUIRED = {
    "torch": "2.9",
    "torchvision": "0.24",
    "pennylane": "0.45",
    "medmnist": "3.0",
    "numpy": "2.0",
    "pandas": "2.2",
    "matplotlib": "3.8",
    "seaborn": "0.13",
    "scikit-learn": "1.5",
    "scipy": "1.13",
    "statsmodels": "0.14.4",
    "joblib": "1.4",
    "captum": "0.9",
    "tqdm": "4.66",
    "ipywidgets": "7.7",
}


class DataError(RuntimeError):
    """Data that cannot be had or trusted; the message names the file and the remedy."""


@dataclass(frozen=True)
class Profile:
    """How much work a notebook does. One object per profile; notebooks never ask which one it is.

    Attributes
    ----------
    name : "smoke" checks that everything runs, "laptop" gives results that mean something on two cores,
        "full" is the whole study on a GPU.
    epochs : upper bound on training epochs (early stopping may end sooner).
    n_seeds : repetitions of a trained model.
    n_resamples : bootstrap resamples.
    max_train : number of training images used, ``None`` for all.
    """

    name: str
    epochs: int
    n_seeds: int
    n_resamples: int
    max_train: int | None

    def pick(self, *, smoke, laptop, full):
        """The one of three values that belongs to this profile, for quantities only one notebook has."""
        return {"smoke": smoke, "laptop": laptop, "full": full}[self.name]


PROFILES = {
    "smoke": Profile("smoke", epochs=2, n_seeds=1, n_resamples=200, max_train=96),
    "laptop": Profile("laptop", epochs=40, n_seeds=5, n_resamples=2000, max_train=None),
    "full": Profile("full", epochs=100, n_seeds=10, n_resamples=5000, max_train=None),
}


def choose(kind: str, value, known):
    """Return ``value`` if it is one of ``known``; otherwise raise a ValueError that names the known ones."""
    known = list(known)
    if value not in known:
        raise ValueError(f"unknown {kind} {value!r}; known: {', '.join(map(str, known))}")
    return value


def resolve_profile(name: str = "auto") -> Profile:
    """Turn ``"auto"``, ``"smoke"``, ``"laptop"`` or ``"full"`` into a :class:`Profile`.

    ``"auto"`` means the environment variable ``HQNN_PROFILE``, else ``full`` with a GPU and ``laptop`` without.
    Raises ValueError for an unknown name and says where it came from.
    """
    origin = "profile"
    if name == "auto":
        name, origin = os.environ.get("HQNN_PROFILE") or "auto", "profile in HQNN_PROFILE"
    if name == "auto":
        import torch

        name = "full" if torch.cuda.is_available() else "laptop"
    return PROFILES[choose(origin, name, PROFILES)]


def seed_everything(seed: int) -> None:
    """Seed Python, NumPy and torch (all devices) and ask torch for deterministic kernels where they exist."""
    import random

    import numpy as np
    import torch

    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)
    torch.backends.cudnn.benchmark = False
    torch.use_deterministic_algorithms(True, warn_only=True)


def default_device() -> str:
    """``"cuda"`` where torch sees a GPU, otherwise ``"cpu"``."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def data_dir() -> Path:
    """The one folder for datasets: ``HQNN_DATA``, by default ``~/.medmnist`` (the folder medmnist uses)."""
    return Path(os.environ.get("HQNN_DATA") or Path.home() / ".medmnist").expanduser()


def cache_dir() -> Path:
    """Folder for what can be computed again (features, resized images): ``HQNN_CACHE``, by default ``~/.cache/hqnn``."""
    return Path(os.environ.get("HQNN_CACHE") or Path.home() / ".cache" / "hqnn").expanduser()


def results_dir(notebook: str) -> Path:
    """Folder for a notebook's records: ``HQNN_RESULTS/<notebook>``, by default ``my_results/<notebook>`` beside it.

    The committed records in ``notebooks/results`` are written by ``make notebooks`` only, so that trying something
    out never changes them.
    """
    return Path(os.environ.get("HQNN_RESULTS") or "my_results") / notebook


def version_of(package: str) -> str | None:
    """Installed version of a distribution, ``None`` if it is missing. Does not import the package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _too_old(found: str, lowest: str) -> bool:
    def key(v: str) -> list[int]:
        return [int(p) for p in v.split("+")[0].split(".") if p.isdigit()]

    return key(found) < key(lowest)


def check_environment(required: dict[str, str] | None = None) -> list[dict[str, str]]:
    """One row per package, ``{package, version, status}``: status is ``"OK"`` or the remedy in words.

    The first row is Python itself; the last tells whether torch sees a GPU. Nothing is raised: a notebook
    prints the table so that a student can read it aloud to an instructor.
    """
    python_ok = sys.version_info >= (3, 11)
    rows = [
        dict(
            package="python",
            version=platform.python_version(),
            status="OK" if python_ok else "needs Python 3.11 or newer: create a new environment",
        )
    ]
    for name, lowest in (REQUIRED if required is None else required).items():
        found = version_of(name)
        if found is None:
            status = f"missing: pip install '{name}>={lowest}'"
        elif _too_old(found, lowest):
            status = f"older than {lowest}: pip install -U '{name}>={lowest}'"
        else:
            status = "OK"
        rows.append(dict(package=name, version=found or "-", status=status))
    rows.append(_gpu_row())
    return rows


def _gpu_row() -> dict[str, str]:
    try:
        import torch
        import torchvision
    except Exception as error:  # any import failure is the finding here
        first = str(error).splitlines()[0]
        return dict(
            package="torch + torchvision",
            version="-",
            status=f"does not import ({first}): reinstall both with pip install -U torch torchvision",
        )
    if torch.cuda.is_available():
        return dict(package="GPU", version=torch.cuda.get_device_name(0), status="OK")
    return dict(package="GPU", version="none", status="OK (a CPU will do)")


def git_commit() -> str | None:
    """Short commit of the course's checkout, with ``+`` when files differ from it; ``None`` outside git."""
    root = Path(__file__).resolve().parent.parent
    if not (
        root / ".git"
    ).exists():  # installed from a wheel: a repository around it would not be ours
        return None
    try:
        run = dict(cwd=root, capture_output=True, text=True, timeout=10, check=True)
        commit = subprocess.run(["git", "rev-parse", "--short", "HEAD"], **run).stdout.strip()
        dirty = subprocess.run(["git", "status", "--porcelain", "-uno"], **run).stdout.strip()
        return commit + ("+" if dirty else "")
    except (OSError, subprocess.SubprocessError):
        return None


def provenance(profile: Profile | None = None, seed: int | None = None, data=None) -> dict:
    """What is needed to repeat a result: versions, commit, profile, seed, device, data digest. No paths.

    ``data`` is an :class:`hqnn_utils.data.ImageData` or ``None``.
    """
    from hqnn_utils import __version__

    versions = {
        name: version_of(name)
        for name in ("torch", "torchvision", "pennylane", "medmnist", "numpy", "scikit-learn")
    }
    stamp = {
        "python": platform.python_version(),
        "hqnn_utils": __version__,
        **versions,
        "commit": git_commit(),
        "device": default_device(),
    }
    if profile is not None:
        stamp["profile"] = profile.name
    if seed is not None:
        stamp["seed"] = seed
    if data is not None:
        stamp["data"] = f"{data.banner}{data.name}, {data.size} px"
        stamp["data digest"] = f"sha256 {data.digest[:16]}..."
    return stamp
