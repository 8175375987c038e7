"""The six questions of a notebook: a cell that asks them, and their piece of a page.

``sync`` puts the cell behind the list of predictions. It is stored without output, because a page
that strips style sheets, as GitHub does, would show what is said to every answer at once; it does
not count in the digest of the code. The book shows the questions in its place.
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path

import nbformat

from coursekit.files import Tree, tags

TAG = "quiz"
TITLE = "Six questions"
TEXT = f"""\
## {TITLE}

A quiz for the end of the lesson, or for the beginning of the next one. Choose an answer, and you \
read what is to be said about it. Nothing is recorded."""
CODE = """\
from hqnn_utils.exercises import quiz

quiz("{number}")"""


def quiz_path(tree: Tree, number: str) -> Path:
    """The file with the questions of a notebook's quiz."""
    return tree.root / "hqnn_utils" / "exercises" / "quizzes" / f"{number}.json"


def asks(cell) -> bool:
    """True for the code cell of a quiz."""
    return cell.cell_type == "code" and TAG in tags(cell)


def place(notebook, number: str) -> bool:
    """Put text and cell of the quiz where they belong; True if that changed anything.

    A notebook that has them keeps their place; it is the text that is renewed.
    """
    wanted = {"markdown": TEXT, "code": CODE.format(number=number)}
    found = [cell for cell in notebook.cells if TAG in tags(cell)]
    if [cell.cell_type for cell in found] == list(wanted):
        stale = [c for c in found if c.source != wanted[c.cell_type] or c.get("outputs")]
        for cell in stale:
            cell.source = wanted[cell.cell_type]
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
        return bool(stale)
    notebook.cells = [cell for cell in notebook.cells if TAG not in tags(cell)]
    at = _place(notebook)
    text = nbformat.v4.new_markdown_cell(wanted["markdown"], id=f"{number}-quiz-text")
    code = nbformat.v4.new_code_cell(wanted["code"], id=f"{number}-quiz")
    for cell in (text, code):
        cell.metadata["tags"] = [TAG]
    notebook.cells[at:at] = [text, code]
    return True


def _place(notebook) -> int:
    """Behind the list of predictions; without one, before what the page does not show."""
    listed = r"^predictions\("
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and re.search(listed, cell.source, re.M):
            return index + 1
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown" and "## What this does not show" in cell.source:
            return index
    return len(notebook.cells) - 1  # the last cell says where and when the page was run


def page_cell(tree: Tree, cell):
    """The cell as the book shows it: the questions themselves."""
    number = re.search(r'quiz\("(\d\d)"\)', cell.source)[1]
    raw = f"```{{raw}} html\n{to_html(tree, number)}\n```"
    return nbformat.v4.new_markdown_cell(raw, id=cell.id)


def to_html(tree: Tree, number: str) -> str:
    """The questions of a notebook as a piece of a page."""
    questions = json.loads(quiz_path(tree, number).read_text(encoding="utf-8"))
    return _quiz_module(tree).to_html(questions, f"quiz{number}")


def _quiz_module(tree: Tree):
    """``hqnn_utils.exercises.quiz`` without the package and all that it needs.

    What the module itself imports, it finds in this tree: the book is made in an environment in
    which the package is not installed.
    """
    source = tree.root / "hqnn_utils" / "exercises" / "quiz.py"
    spec = importlib.util.spec_from_file_location("hqnn_quiz", source)
    module = importlib.util.module_from_spec(spec)
    sys.modules.setdefault(spec.name, module)  # dataclasses look a class's module up
    sys.path.insert(0, str(tree.root))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(tree.root))
    return module
