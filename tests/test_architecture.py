"""The rooms' arrows point downwards, and importing the package costs next to nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def test_arrows_between_rooms_point_down():
    """import-linter reads the contract in pyproject.toml."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("module", "heavy"),
    [
        ("hqnn_utils", ("torch", "pennylane", "medmnist", "numpy", "matplotlib")),
        ("hqnn_utils.records", ("torch", "pennylane", "medmnist", "matplotlib")),
    ],
)
def test_import_is_light(module, heavy):
    code = f"import sys, {module}; print(sorted(set({heavy!r}) & sys.modules.keys()))"
    command = [sys.executable, "-c", code]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
