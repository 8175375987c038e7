"""The faulty script of notebook 03: the lines its check knows are those that a student sees."""

import nbformat
from coursekit.files import HERE

from hqnn_utils.exercises.nb03 import SCRIPT, SCRIPT_FAULTS, SCRIPT_IN_ORDER


def test_the_notebook_shows_the_script_that_the_check_knows():
    notebook = nbformat.read(HERE.notebooks / "03_classical_baselines.ipynb", as_version=4)
    shown = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    assert any(SCRIPT in text for text in shown)


def test_every_line_is_numbered_and_has_a_word():
    lines = SCRIPT.splitlines()
    assert [int(line[:2]) for line in lines] == list(range(1, len(lines) + 1))
    faulty = [line for where, _ in SCRIPT_FAULTS.values() for line in where]
    assert sorted([*faulty, *SCRIPT_IN_ORDER]) == list(range(1, len(lines) + 1))
