"""The literal install cell, in an empty folder, in a clean environment that holds Colab's versions.

Needs several GB and a few minutes, so it runs in CI (``CI=true``) or with ``HQNN_COLAB_TEST=1``.
Python 3.13 (Colab's) is taken from pyenv or the PATH where it is there, else the Python that runs
the tests.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from coursekit.files import HERE
from coursekit.generated import bootstrap_source

COLAB = HERE.root / "tests" / "colab-2026-08-19.txt"
KAGGLE = HERE.root / "tests" / "kaggle-2026-08-12.txt"
# What Colab brings along and our package builds on, directly or through its own requirements. The
# rest of the list acts as constraints, so that what these pull in has Colab's version too.
PREINSTALLED = [
    "torch",
    "torchvision",
    "timm",
    "numpy",
    "pandas",
    "matplotlib",
    "seaborn",
    "scikit-learn",
    "scikit-image",
    "scipy",
    "statsmodels",
    "tqdm",
    "pillow",
    "requests",
    "networkx",
    "autograd",
    "gast",
    "cachetools",
    "packaging",
    "typing_extensions",
    "tomlkit",
    "termcolor",
    "joblib",
    "PyYAML",
    "ipython",
    "ipywidgets",
    "ipykernel",
    "setuptools",
    "pip",
]
# PennyLane 0.45 refuses Colab's newer autograd, which nothing else in the course uses: pip has to
# take an older one.
MOVED_BY_PENNYLANE = {"autograd"}
KEPT = ("torch", "torchvision", "numpy", "pandas", "matplotlib", "scikit-learn")

# What a student does next in the fresh environment.
USE_THE_COURSE = """
import json
import hqnn_utils
import torch
from hqnn_utils import runtime
from hqnn_utils.models import build_model
model = build_model(head="dressed", seed=0)
print("COURSE", model(torch.zeros(2, 1, 28, 28)).shape, hqnn_utils.__file__)
print("CHECK", json.dumps(runtime.check_environment()))
"""


def run_cells(*cells: str) -> str:
    """A program that runs cells one after the other as a notebook would."""
    return f"""
from IPython.core.interactiveshell import InteractiveShell
shell = InteractiveShell.instance()
for cell in {list(cells)!r}:
    shell.run_cell(cell).raise_error()
"""


def colab_python() -> str:
    """A Python 3.13 that starts, else the one that runs this test."""
    candidates = [
        *sorted((Path.home() / ".pyenv/versions").glob("3.13*/bin/python"), reverse=True),
        shutil.which("python3.13"),
    ]
    for candidate in candidates:
        if (
            candidate
            and subprocess.run(
                [str(candidate), "-c", "import venv, sys; assert sys.version_info[:2] == (3, 13)"],
                capture_output=True,
            ).returncode
            == 0
        ):
            return str(candidate)
    return sys.executable


def pip(python, *arguments):
    done = subprocess.run([str(python), "-m", "pip", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return done.stdout


def installed(python) -> dict[str, str]:
    return {
        p["name"].lower().replace("_", "-"): p["version"]
        for p in json.loads(pip(python, "list", "--format", "json"))
    }


@pytest.fixture(scope="module")
def colab(tmp_path_factory):
    """A virtual environment with Colab's versions; its pip is the one Colab would run."""
    folder = tmp_path_factory.mktemp("colab")
    subprocess.run([colab_python(), "-m", "venv", str(folder / "env")], check=True)
    python = folder / "env" / "bin" / "python"
    pip(python, "install", "--quiet", "--upgrade", "pip")
    # Colab's torch is a build of its own for CUDA 12; the registry's build of that version wants
    # CUDA 13 libraries.
    lines = [
        line
        for line in COLAB.read_text().splitlines()
        if not line.startswith(("nvidia", "cuda", "triton", "cupy"))
    ]
    (folder / "constraints.txt").write_text("\n".join(lines))
    pip(
        python,
        "install",
        "--quiet",
        "-c",
        str(folder / "constraints.txt"),
        *[p for p in PREINSTALLED if p != "pip"],
    )
    yield folder, python
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.colab
@pytest.mark.skipif(
    os.environ.get("CI") != "true" and not os.environ.get("HQNN_COLAB_TEST"),
    reason="builds an environment of several GB: set HQNN_COLAB_TEST=1 to run it",
)
def test_the_literal_bootstrap_cell_installs_the_course_and_moves_nothing(colab, monkeypatch):
    folder, python = colab
    before = installed(python)
    # An instructor's fork at a git address: this checkout, as committed.
    commit = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=HERE.root, capture_output=True, text=True, check=True
    ).stdout.strip()
    address = {**HERE.course(), "repository": f"file://{HERE.root}", "branch": commit}
    cell = bootstrap_source(address)
    empty = folder / "empty"
    empty.mkdir()
    runner = run_cells(cell, USE_THE_COURSE)
    environment = {
        k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    }
    done = subprocess.run(
        [str(python), "-c", runner],
        cwd=empty,
        env={**environment, "COLAB_RELEASE_TAG": "release-colab"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "COURSE torch.Size([2, 2])" in done.stdout, done.stdout[-2000:]
    assert "site-packages/hqnn_utils" in done.stdout, done.stdout[-2000:]
    rows = json.loads(done.stdout.split("CHECK ", 1)[1].splitlines()[0])
    assert all(r["status"].startswith("OK") for r in rows), rows
    after = installed(python)
    moved = {
        name: (version, after.get(name))
        for name, version in before.items()
        if after.get(name) != version
    }
    assert set(moved) <= MOVED_BY_PENNYLANE, f"the install cell changed what was there: {moved}"
    wanted = dict(line.split("==") for line in COLAB.read_text().splitlines() if "==" in line)
    for name in KEPT:
        assert after[name].split("+")[0] == wanted[name].split("+")[0], (
            f"{name} is not at Colab's version"
        )
    brought = set(after) - set(before)
    assert {"pennylane", "medmnist", "hqnn-utils"} <= brought
    known = {name.lower().replace("_", "-") for name in wanted}
    assert brought & known == set(), (
        f"Colab has these already: add them to PREINSTALLED: {sorted(brought & known)}"
    )


@pytest.mark.colab
@pytest.mark.skipif(
    os.environ.get("CI") != "true" and not os.environ.get("HQNN_COLAB_TEST"),
    reason="asks the package index: set HQNN_COLAB_TEST=1 to run it",
)
def test_in_a_kaggle_notebook_pip_would_move_nothing(tmp_path):
    """A dry run: pip believes that Kaggle's packages are there, by their names and versions."""
    subprocess.run([sys.executable, "-m", "venv", str(tmp_path / "env")], check=True)
    python = tmp_path / "env" / "bin" / "python"
    where = [str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]
    found = subprocess.run(where, capture_output=True, text=True, check=True).stdout
    there = dict(line.split("==") for line in KAGGLE.read_text().splitlines() if "==" in line)
    for name, version in there.items():
        if name not in ("pip", "setuptools"):
            made = Path(found.strip()) / f"{name.replace('-', '_')}-{version}.dist-info"
            made.mkdir()
            (made / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
            )
    report = tmp_path / "report.json"
    pip(python, "install", "--quiet", "--dry-run", "--report", str(report), str(HERE.root))
    wanted = json.loads(report.read_text())["install"]
    brought = {p["metadata"]["name"].lower().replace("_", "-") for p in wanted}
    assert {"pennylane", "medmnist", "captum", "hqnn-utils"} <= brought
    known = {name.lower().replace("_", "-") for name in there}
    assert brought & known == set(), "the install cell would change what is there"


def test_elsewhere_the_cell_does_nothing(tmp_path):
    cell = bootstrap_source({**HERE.course(), "repository": "nobody/nothing"})
    runner = run_cells(cell, "print('quiet')")
    environment = {
        k: v
        for k, v in os.environ.items()
        if k not in ("COLAB_RELEASE_TAG", "KAGGLE_KERNEL_RUN_TYPE")
    }
    done = subprocess.run(
        [sys.executable, "-c", runner],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "quiet", done.stdout + done.stderr


def test_without_an_address_and_without_a_reader_the_cell_still_says_what_to_do(tmp_path):
    cell = bootstrap_source({**HERE.course(), "repository": None})
    runner = run_cells(cell)
    done = subprocess.run(
        [sys.executable, "-c", runner],
        cwd=tmp_path,
        env={**os.environ, "COLAB_RELEASE_TAG": "x"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )  # pip refuses the line and shows it, with the sentence in it
    assert "This copy has no address. Paste its GitHub page" in done.stdout + done.stderr
