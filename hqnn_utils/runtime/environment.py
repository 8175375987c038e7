"""Is everything installed that is needed, and what is needed to repeat a result?"""

from __future__ import annotations

import platform
import subprocess
import sys
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from hqnn_utils import __version__
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.devices import default_device
from hqnn_utils.runtime.profiles import Profile

# What a number may depend on.
STAMPED = ("torch", "torchvision", "timm", "pennylane", "medmnist", "numpy", "scikit-learn")


def version_of(package: str) -> str | None:
    """Installed version of a distribution, ``None`` if missing. Does not import the package."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def own_requirements() -> list[str]:
    """What the package itself asks for, without its optional extras, as pip writes it."""
    wanted = [Requirement(line) for line in _own_metadata()]
    return [str(r) for r in wanted if r.marker is None or r.marker.evaluate({"extra": ""})]


def _own_metadata() -> list[str]:
    try:
        return metadata.requires("hqnn_utils") or []
    except metadata.PackageNotFoundError:  # a checkout on Python's path that was never installed
        import tomllib  # an older Python lacks it, and shall be told so in words

        project = Path(__file__).resolve().parents[2] / "pyproject.toml"
        return tomllib.loads(project.read_text(encoding="utf-8"))["project"]["dependencies"]


def check_environment(required: list[str] | None = None) -> list[dict[str, str]]:
    """One row per package, ``{package, version, status}``: status is ``"OK"`` or the remedy.

    ``required`` are requirements such as ``"numpy>=2.0"``, by default those of the package. The
    first row is Python itself; the last tells whether torch sees a GPU. Nothing is raised: a
    notebook prints the table so that a student can read it aloud to an instructor.
    """
    python_ok = sys.version_info >= (3, 11)
    python = {
        "package": "python",
        "version": platform.python_version(),
        "status": "OK" if python_ok else "needs Python 3.11 or newer: create a new environment",
    }
    wanted = own_requirements() if required is None else required
    return [python, *[_package_row(Requirement(line)) for line in wanted], _gpu_row()]


def _package_row(wanted: Requirement) -> dict[str, str]:
    found = version_of(wanted.name)
    if found is None:
        status = f"missing: pip install '{wanted}'"
    elif not wanted.specifier.contains(found, prereleases=True):
        status = f"{found} is not {wanted.specifier}: pip install -U '{wanted}'"
    else:
        status = "OK"
    return {"package": wanted.name, "version": found or "-", "status": status}


def _gpu_row() -> dict[str, str]:
    try:
        import torch
        import torchvision  # noqa: F401  (its compiled part fails beside a torch of another build)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:  # that is the finding
        first = str(error).splitlines()[0]
        remedy = "reinstall both with pip install -U torch torchvision"
        return {
            "package": "torch + torchvision",
            "version": "-",
            "status": f"does not import ({first}): {remedy}",
        }
    if torch.cuda.is_available():
        return {"package": "GPU", "version": torch.cuda.get_device_name(0), "status": "OK"}
    return {"package": "GPU", "version": "none", "status": "OK (a CPU will do)"}


def git_commit() -> str | None:
    """Short commit of the course's checkout, with ``+`` when files differ; ``None`` outside git."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():  # installed from a wheel: a repository around it is not ours
        return None
    try:
        commit = _git(root, "rev-parse", "--short", "HEAD")
        changed = _git(root, "status", "--porcelain", "-uno")
    except (OSError, subprocess.SubprocessError):
        return None
    return f"{commit}+" if changed else commit


def _git(root: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["git", *arguments], cwd=root, capture_output=True, encoding="utf-8", timeout=10, check=True
    )
    return done.stdout.strip()


def provenance(profile: Profile | None = None, seed: int | None = None, data=None) -> dict:
    """What is needed to repeat a result: versions, commit, profile, seed, device, data. No paths.

    ``data`` is a dataset of ``hqnn_utils.data`` or ``None``.
    """
    stamp = {
        "python": platform.python_version(),
        "hqnn_utils": __version__,
        **{name: version_of(name) for name in STAMPED},
        "commit": git_commit(),
        "device": default_device(),
    }
    if profile is not None:
        stamp["profile"] = profile.name
    if seed is not None:
        stamp["seed"] = seed
    if data is not None:
        stamp["data"] = f"{data.banner}{data.name}, {data.size_text}"
        stamp["data digest"] = f"sha256 {data.digest[:16]}..."
    return stamp


checked(__name__)
