"""An assignment from end to end: a right, a wrong and an empty submission, graded by Otter.

``make assignment-test`` runs this in an environment that holds Otter-Grader; elsewhere it is
skipped. Three runs of a notebook: a few minutes.
"""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from coursekit.assignment import assign, given, question_name
from coursekit.comments import code_only
from coursekit.files import HERE, read, tags

pytest.importorskip("otter", reason="make assignment-test installs Otter-Grader")
NUMBER = "04"  # it needs no data
WRONG = {
    "04.born": "chance_of_one = 0.8",
    "04.ry": "def RY(theta):\n    return np.eye(2)",
    "04.shots": "shots_needed = 10_000",
    "04.apply": "def apply(gate, qubit, state):\n    return state",
    "04.order": "found = 1, np.array([1, 0, 0, 1])",
    "04.entanglement": "def entanglement(state):\n    return 0.5",
    "04.shift": "def gradient(f, theta):\n    return np.zeros(len(theta))",
    "04.parallel": 'judgement = "Quantum computers try everything at once and are faster."',
}


@pytest.fixture(scope="module")
def exercises():
    """Stub and solution of each exercise, by its name."""
    (entry,) = [e for e in HERE.course()["notebooks"] if e["name"].startswith(NUMBER)]
    cells = read(HERE.path_of(entry)).cells
    pairs = [(c, cells[i + 1]) for i, c in enumerate(cells) if "exercise" in tags(c)]
    return {c.source.split('check("')[1].split('"')[0]: (c.source, s.source) for c, s in pairs}


@pytest.fixture(scope="module")
def assignment(tmp_path_factory):
    (folder,) = assign(HERE, [NUMBER], tmp_path_factory.mktemp("assignment"))
    return folder


def submission(assignment, exercises, kind):
    """The notebook that a student hands in."""
    (path,) = (assignment / "student").glob("*.ipynb")
    notebook = nbformat.read(path, 4)
    by_stub = {stub: name for name, (stub, _) in exercises.items()}
    assert {c.source for c in notebook.cells} >= set(by_stub), "every stub is handed out"
    for cell in notebook.cells:
        name = by_stub.get(cell.source)
        if name and kind != "empty":
            call = cell.source[cell.source.index("check(") :]
            answer = code_only(exercises[name][1]) if kind == "right" else f"{WRONG[name]}\n{call}"
            cell.source = "\n".join([*given(cell), answer])
    handed_in = assignment / f"{kind}.ipynb"
    nbformat.write(notebook, handed_in)
    return handed_in


def graded(assignment, path):
    """Points by question."""
    (archive,) = (assignment / "autograder").glob("*.zip")
    out = assignment / path.stem
    out.mkdir()
    command = [sys.executable, "-m", "otter", "run", "-a", str(archive), "-o", str(out)]
    env = dict(os.environ, PATH=f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}")
    done = subprocess.run(
        [*command, "--no-logo", str(path)], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr[-2000:]
    tests = json.loads((out / "results.json").read_text())["tests"]
    return {t["name"]: t["score"] for t in tests if t["name"].startswith("q")}


@pytest.mark.parametrize(("kind", "points"), [("right", 1), ("wrong", 0), ("empty", 0)])
def test_a_submission_gets_what_it_deserves(assignment, exercises, kind, points):
    found = graded(assignment, submission(assignment, exercises, kind))
    assert found == {question_name(name): points for name in exercises}
