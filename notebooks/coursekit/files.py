"""Where the files of the course lie, and notebooks as files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

import nbformat
import yaml

from coursekit.comments import code_only


@dataclass(frozen=True)
class Tree:
    """A checkout of the course; the tests make copies that they may change."""

    root: Path

    @property
    def notebooks(self) -> Path:
        """The notebooks, this tool and ``course.yml``."""
        return self.root / "notebooks"

    @property
    def course_file(self) -> Path:
        """Order, questions and needs of the notebooks, and the course's address."""
        return self.notebooks / "course.yml"

    @property
    def readme(self) -> Path:
        """The README, which holds generated tables."""
        return self.root / "README.md"

    @property
    def glossary(self) -> Path:
        """The technical words of the course."""
        return self.notebooks / "glossary.md"

    @property
    def results(self) -> Path:
        """The records that are stored with the course."""
        return self.notebooks / "results"

    @property
    def timings(self) -> Path:
        """How long each notebook took."""
        return self.results / "timings.json"

    def course(self) -> dict:
        """Return what ``course.yml`` says."""
        return yaml.safe_load(self.course_file.read_text(encoding="utf-8"))

    def path_of(self, entry: dict) -> Path:
        """Return the notebook of an entry of ``course.yml``."""
        return self.notebooks / f"{entry['name']}.ipynb"

    def times(self) -> dict:
        """Return the measured times: notebook, profile, then ``seconds`` and the circumstances."""
        return json.loads(self.timings.read_text()) if self.timings.exists() else {}


HERE = Tree(Path(__file__).resolve().parents[2])


def read(path: Path):
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def write(notebook, path: Path) -> None:
    """Write a notebook as the course stores it; an invalid one is an error and not written."""
    nbformat.validate(notebook)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = nbformat.writes(notebook, indent=1, ensure_ascii=False)
    path.write_text(text + "\n", encoding="utf-8")


def tags(cell) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def clear(cell) -> None:
    """Remove the outputs of a code cell."""
    cell.outputs, cell.execution_count = [], None


def code_digest(notebook) -> str:
    """Digest of the code cells: stored when they are executed, compared by a test.

    The install cell does not count: an instructor's retarget changes it, and no output depends on
    it. Nor do comments for pages (``comments``).
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = [code_only(cell.source) for cell in cells if "bootstrap" not in tags(cell)]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()
