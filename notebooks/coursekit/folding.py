"""Solutions stand folded behind their exercise, so that nobody reads one by accident.

Each reader of notebooks has its own way to fold a cell, and ``sync`` writes them all:

==========================  ================================================================
JupyterLab, Notebook 7      metadata ``jupyter``: ``source_hidden`` and ``outputs_hidden``
Colab                       metadata ``cellView: form`` and a first line ``# @title Solution``
a book (Jupyter Book, MyST) tag ``hide-cell``
the course's own page       the tag ``solution``, see ``pages``
==========================  ================================================================

A cell tagged ``hide-input`` holds a function that only draws: there the code is folded.
"""

from __future__ import annotations

from coursekit.comments import SOLUTION_TITLE, is_titled
from coursekit.files import tags


def fold(notebook) -> bool:
    """Fold solutions and drawing functions; True if that changed anything."""
    return any([fold_cell(cell) for cell in notebook.cells if cell.cell_type == "code"])


def fold_cell(cell) -> bool:
    """Fold one code cell if it is one to be folded; True if that changed anything."""
    before = (cell.source, dict(cell.metadata), dict(cell.metadata.get("jupyter", {})))
    if "solution" in tags(cell):
        hide(cell, source_hidden=True, outputs_hidden=True)
        cell.metadata["cellView"] = "form"
        if "hide-cell" not in tags(cell):
            cell.metadata["tags"] = [*tags(cell), "hide-cell"]
        if not is_titled(cell.source):
            cell.source = f"{SOLUTION_TITLE}\n{cell.source}"
    elif "hide-input" in tags(cell):
        hide(cell, source_hidden=True)
    return before != (cell.source, dict(cell.metadata), dict(cell.metadata.get("jupyter", {})))


def hide(cell, **what: bool) -> None:
    """Tell JupyterLab what of a cell to hide."""
    cell.metadata.setdefault("jupyter", {}).update(what)
