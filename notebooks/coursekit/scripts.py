"""Scripts of others that pages are served with, so that no page asks another server.

MathJax 3 (Apache License 2.0) comes from the Python package ``django-static-mathjax``, which holds
it as files and needs no Django; reveal.js (MIT licence) from ``sphinx-revealjs``. Both are copied
when pages are built and never committed.
"""

from __future__ import annotations

import importlib.util
import shutil
from pathlib import Path

MATHJAX = "static/mathjax/es5/tex-svg-full.js"  # one file: all of TeX's extensions, glyphs drawn
MATHJAX_LICENCE = "static/mathjax/LICENSE"
REVEAL = "_static/revealjs"
REVEAL_FILES = ("dist/reveal.js", "dist/reveal.css", "dist/theme/white.css", "LICENSE")
REVEAL_FOLDERS = ("plugin/notes", "dist/theme/fonts/source-sans-pro")


def copy_mathjax(folder: Path) -> None:
    """Lay MathJax into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    package = _package("mathjax", "django-static-mathjax")
    for name in (MATHJAX, MATHJAX_LICENCE):
        shutil.copy(package / name, folder)


def copy_reveal(folder: Path) -> None:
    """Lay reveal.js into a folder."""
    source = _package("sphinx_revealjs", "sphinx-revealjs") / REVEAL
    for name in REVEAL_FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source / name, folder / name)
    for name in REVEAL_FOLDERS:
        shutil.copytree(source / name, folder / name, dirs_exist_ok=True)


def _package(module: str, name: str) -> Path:
    """The folder of an installed package, which is not imported."""
    found = importlib.util.find_spec(module)
    if found is None:
        raise SystemExit(f"{name} is missing: run make book or make slides, which install it")
    return Path(next(iter(found.submodule_search_locations)))
