"""Assignments for Otter-Grader: what is written for it. Otter itself: tests/assignment."""

import re

import nbformat
import pytest
from coursekit.assignment import changed, given, master, question_name
from coursekit.files import HERE, read, tags

from hqnn_utils.exercises import check

COURSE = HERE.course()
ENTRY = next(e for e in COURSE["notebooks"] if e["name"].startswith("04"))


@pytest.fixture
def made():
    return master(read(HERE.path_of(ENTRY)), COURSE)


def raw(notebook, start):
    return [c for c in notebook.cells if c.cell_type == "raw" and c.source.startswith(start)]


def test_every_exercise_is_a_question_in_the_language_of_otter(made):
    nbformat.validate(nbformat.from_dict(made))
    exercises = [c for c in read(HERE.path_of(ENTRY)).cells if "exercise" in tags(c)]
    names = [re.search(r'check\(\s*"([\w.]+)"', c.source)[1] for c in exercises]
    questions = [re.search(r"name: (\w+)", c.source)[1] for c in raw(made, "# BEGIN QUESTION")]
    assert questions == [question_name(name) for name in names]
    for mark in ("QUESTION", "SOLUTION", "TESTS"):
        assert len(raw(made, f"# BEGIN {mark}")) == len(raw(made, f"# END {mark}")) == len(names)
    assert not any(c.get("outputs") for c in made.cells)
    assert made.cells[0].source.startswith("# ASSIGNMENT CONFIG")


def test_solutions_stand_only_where_otter_takes_them_away(made):
    open_cells = [
        c.source
        for c in made.cells
        if c.cell_type == "code"
        and "BEGIN SOLUTION" not in c.source
        and "TEST CONFIG" not in c.source
    ]
    assert not any("np.moveaxis(moved, 0, qubit)" in source for source in open_cells)
    assert any(source.count("carry_on(") == 1 for source in open_cells), "the page can be read on"


def test_a_solution_keeps_what_its_stub_gives():
    stub = nbformat.v4.new_code_cell('a = np.array([1, 2])\n\nx = ...\ncheck("04.born", x, a=a)')
    assert given(stub) == ["a = np.array([1, 2])"]
    function = nbformat.v4.new_code_cell('def f(x):\n    return ...\n\n\ncheck("04.ry", f)')
    assert given(function) == []


def both_tests(made, name):
    """The public and the hidden test of a question."""
    index = next(i for i, c in enumerate(made.cells) if f"name: {name}" in c.source)
    cells = [c.source for c in made.cells[index:] if "TEST CONFIG" in c.source][:2]
    found = []
    for source in cells:
        names = {}
        exec(source, names)
        found.append(next(v for k, v in names.items() if k.startswith("test_")))
    assert "hidden: true" not in cells[0]
    assert "hidden: true" in cells[1]
    return found


def test_the_hidden_test_tells_right_from_wrong_and_the_public_one_from_empty(made):
    import numpy as np

    public, hidden = both_tests(made, "q04_born")
    amplitudes = np.array([0.6, 0.8j])
    right = {"amplitudes": amplitudes, "chance_of_one": 0.64}
    public(right), hidden(right)
    wrong = right | {"chance_of_one": 0.8}
    public(wrong)
    with pytest.raises(AssertionError, match="that is the size of the amplitude"):
        hidden(wrong)
    with pytest.raises(AssertionError, match="OPEN"):
        public(right | {"chance_of_one": ...})


def test_a_student_cannot_put_a_check_of_their_own_in_its_place(made):
    _, hidden = both_tests(made, "q04_born")
    answers = {"amplitudes": [0.6, 0.8j], "chance_of_one": 0.1, "check": lambda *a, **k: check}
    with pytest.raises(AssertionError):
        hidden(answers)


# --------------------------------------------------------------- what else a submission changed

STUB = 'spec = circuit(4)\n\nruns = ...\ncheck("42.runs", runs, spec=spec)'


def handed(*sources):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(s) for s in sources])


def test_answers_and_texts_are_no_changes():
    solved = STUB.replace("runs = ...", "half = 8\nruns = 2 * half")
    submission = handed("import math", solved)
    submission.cells.append(nbformat.v4.new_markdown_cell("My notes."))
    assert changed(handed("import math", STUB), submission) == []


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("circuit(4)", "circuit(1)", "42.runs: no longer there: spec = circuit(4)"),
        ("spec=spec)", "spec=None)", "42.runs: no longer there: check('42.runs', runs, spec=spec)"),
        ("runs = ...", "runs = (", "42.runs: no longer there: spec = circuit(4)"),
    ],
)
def test_a_given_line_that_was_changed_is_named(old, new, said):
    assert said in changed(handed(STUB), handed(STUB.replace(old, new)))


def test_changed_removed_and_added_cells_are_named():
    found = changed(handed("x = 1", "y = 2", STUB), handed("x = 3", STUB, "check = print"))
    assert found == [
        "changed or removed: x = 1",
        "changed or removed: y = 2",
        "added: x = 3",
        "added: check = print",
    ]
