"""The package stays thin, imports lazily, and its arrows point downwards."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hqnn_utils

PACKAGE = Path(hqnn_utils.__file__).parent
MODULES = sorted(p for p in PACKAGE.glob("*.py") if p.stem != "__init__")
CHECKS = sorted((PACKAGE / "checks").glob("*.py"))


def imported_siblings(path):
    """Names of hqnn_utils modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.level == 1 + (path.parent != PACKAGE) or (node.module or "").startswith("hqnn_utils")):
            module = (node.module or "").removeprefix("hqnn_utils").strip(".")
            yield from [module] if module else [a.name for a in node.names if a.name in hqnn_utils.FLOORS]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_arrows_point_down(path):
    assert path.stem in hqnn_utils.FLOORS, f"{path.stem} has no floor in hqnn_utils.FLOORS"
    for target in imported_siblings(path):
        assert hqnn_utils.FLOORS[target] < hqnn_utils.FLOORS[path.stem], f"{path.stem} imports {target}, which is not below it"


@pytest.mark.parametrize("path", CHECKS, ids=lambda p: p.stem)
def test_arrows_of_the_exercise_checks_point_down(path):
    for target in imported_siblings(path):
        assert hqnn_utils.FLOORS[target] < hqnn_utils.FLOORS["checks"]


def test_every_floor_is_reachable_by_attribute():
    for path in MODULES:
        assert getattr(hqnn_utils, path.stem).__name__ == f"hqnn_utils.{path.stem}"
    with pytest.raises(AttributeError, match="known: runtime"):
        hqnn_utils.nothing


@pytest.mark.parametrize("path", MODULES + CHECKS, ids=lambda p: p.stem)
def test_no_module_over_300_lines(path):
    assert len(path.read_text().splitlines()) <= 300


def test_import_is_lazy():
    code = "import sys, hqnn_utils; print(sorted({'torch', 'pennylane', 'medmnist', 'sklearn', 'matplotlib'} & sys.modules.keys()))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.strip() == "[]"
