"""Where the files of the course lie, and notebooks as files."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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
        return json.loads(self.timings.read_text(encoding="utf-8")) if self.timings.exists() else {}


HERE = Tree(Path(__file__).resolve().parents[2])


MADE = ".hqnn-made"  # lies in a folder that this tool made and may remove


def read(path: Path):
    """Read a notebook."""
    return nbformat.read(path, as_version=4)


def read_sealed_json(path: Path) -> dict:
    """What ``hqnn_utils.records.write_json_atomically`` wrote; SystemExit where it was changed.

    (``hqnn_utils`` is not there in the book's environment.)
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        digest = content.pop("digest")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise SystemExit(f"{path} is damaged ({error}): restore it from git") from None
    if digest != hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest():
        raise SystemExit(f"{path} was changed after it was written: restore it from git")
    return content


def write(notebook, path: Path) -> None:
    """Write a notebook as the course stores it; an invalid one is an error and not written."""
    nbformat.validate(notebook)
    write_text(nbformat.writes(notebook, indent=1, ensure_ascii=False) + "\n", path)


def write_text(text: str, path: Path) -> None:
    """Write a file so that an interrupt leaves the old one or the new one."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        # lines end alike on all systems: git shows what changed, not every line
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def renewed(tree: Tree, out: Path) -> Path:
    """An empty folder for what is made anew as a whole; SystemExit where it would cost something.

    What is in it goes only if this tool made it: within ``build``, or where its mark lies.
    """
    _need_ours(tree, out)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    (out / MADE).touch()
    return out


def _need_ours(tree: Tree, out: Path) -> None:
    check_out(tree, out)
    ours = out.is_relative_to(tree.root / "build") or (out / MADE).exists()
    if out.exists() and not ours and (not out.is_dir() or any(out.iterdir())):
        raise SystemExit(f"--out {out} holds something already: name a new or an empty folder")


@contextmanager
def made_anew(tree: Tree, out: Path) -> Iterator[Path]:
    """An empty folder whose content takes the place of ``out`` when all of it is made.

    Until then, and where an error or a full disk comes between, ``out`` stays as it is. SystemExit
    as in ``renewed``.
    """
    _need_ours(tree, out)
    new = out.with_name(f".{out.name}.{os.getpid()}.new")
    try:
        shutil.rmtree(new, ignore_errors=True)
        new.mkdir(parents=True)
        (new / MADE).touch()
        yield new
        replace_folder(new, out)
    finally:
        shutil.rmtree(new, ignore_errors=True)


def replace_folder(new: Path, old: Path) -> None:
    """Put a complete folder in the place of another one; an error leaves the old one there."""
    aside = new.with_name(f"{new.name}.before")
    shutil.rmtree(aside, ignore_errors=True)
    old.parent.mkdir(parents=True, exist_ok=True)
    if old.exists():
        os.replace(old, aside)
    try:
        os.replace(new, old)
    except BaseException:
        if aside.exists():
            os.replace(aside, old)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def check_out(tree: Tree, out: Path, targets: Iterable[Path] = ()) -> None:
    """SystemExit where ``--out`` would overwrite what is a source and not a product.

    Within the course only ``build`` takes products; elsewhere no notebook that holds solutions is
    replaced, nor anything in another checkout of the course.
    """
    out, build = out.resolve(), tree.root / "build"
    in_a_course = any(
        (folder / "notebooks" / "course.yml").exists() for folder in (out, *out.parents)
    )
    if out == build or (in_a_course and not out.is_relative_to(build)):
        raise SystemExit(
            f"--out {out} lies among the sources of the course: name a folder in {build}, "
            "or one elsewhere"
        )
    for target in targets:
        if target.exists() and _is_source(target):
            raise SystemExit(f"{target} is a notebook of somebody's: name another folder as --out")
    need_room(out)


ROOM = 50 * 10**6  # bytes: the largest product, the book, has about 30 MB


def need_writable(paths: Iterable[Path]) -> None:
    """SystemExit where one of these files could not be written: before the first one is."""
    paths = list(paths)
    for folder in {path.parent: None for path in paths}:
        need_room(folder, 10**6)
    for path in paths:
        if path.exists() and not (path.is_file() and os.access(path, os.W_OK)):
            raise SystemExit(f"{path} cannot be written: nothing was done")


def need_room(folder: Path, room: int = ROOM) -> None:
    """SystemExit where a folder cannot be written or has too little room: before the work.

    (``hqnn_utils`` can do that too, and is not there in the book's environment.)
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as stream:
            stream.write(b"x")
        free = shutil.disk_usage(folder).free
    except OSError as error:
        raise SystemExit(
            f"{folder} cannot be written ({error.strerror}): nothing was done"
        ) from None
    if free < room:
        raise SystemExit(
            f"{folder} has too little room: about {room / 1e6:.0f} MB are needed, "
            f"{free / 1e6:.1f} MB are free. Nothing was done"
        )


def _is_source(path: Path) -> bool:
    """Whether a notebook was written by somebody: neither executed by us nor a student version."""
    try:
        notebook = read(path)
    except (ValueError, OSError):  # no notebook at all: not ours either
        return True
    return "papermill" not in notebook.metadata and any(
        "solution" in tags(cell) for cell in notebook.cells
    )


def tags(cell) -> list[str]:
    """Return the tags of a cell."""
    return cell.metadata.get("tags", [])


def clear(cell) -> None:
    """Remove the outputs of a code cell."""
    cell.outputs, cell.execution_count = [], None


def code_digest(notebook) -> str:
    """Digest of the code cells: stored when they are executed, compared by a test.

    The install cell does not count: an instructor's retarget changes it, and no output depends on
    it. Nor do the cell of the quiz and comments for pages (``comments``).
    """
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    code = [code_only(cell.source) for cell in cells if not {"bootstrap", "quiz"} & set(tags(cell))]
    return hashlib.sha256(json.dumps(code).encode()).hexdigest()
