"""Versions for students: without solutions and without outputs."""

from __future__ import annotations

from pathlib import Path

from coursekit.files import Tree, clear, read, tags, write


def student_version(notebook):
    """Without solutions and without outputs; the exercises stay."""
    notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            clear(cell)
    notebook.metadata.pop("hqnn", None)
    return notebook


def student(tree: Tree, out: Path) -> None:
    """Write the student version of every notebook into a folder."""
    for entry in tree.course()["notebooks"]:
        path = tree.path_of(entry)
        write(student_version(read(path)), out / path.name)
        print(out / path.name)
