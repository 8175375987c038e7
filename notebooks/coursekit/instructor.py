"""Pages for those who teach the course, made from what the notebooks and their checks hold."""

from __future__ import annotations

from pathlib import Path

from coursekit.files import Tree


def page_names(tree: Tree, course: dict) -> list[str]:
    """Names of the pages in their order."""
    return []


def write_pages(tree: Tree, course: dict, out: Path) -> None:
    """Write the pages into the sources of the book."""
