"""An assignment from end to end: a right, a wrong and an empty submission, graded by Otter.

``make assignment-test`` runs this in an environment that holds Otter-Grader; elsewhere it is
skipped. Three runs of two notebooks: a few minutes.
"""

import json
import os
import subprocess
import sys

import nbformat
import pytest
from coursekit.assignment import assign, changed, given, question_name
from coursekit.comments import code_only
from coursekit.files import HERE, read, tags

pytest.importorskip("otter", reason="make assignment-test installs Otter-Grader")
WRONG = {
    "04": {  # it needs no data, as 06
        "04.born": "chance_of_one = 0.8",
        "04.ry": "def RY(theta):\n    return np.eye(2)",
        "04.shots": "shots_needed = 10_000",
        "04.apply": "def apply(gate, qubit, state):\n    return state",
        "04.order": "found = 1, np.array([1, 0, 0, 1])",
        "04.entanglement": "def entanglement(state):\n    return 0.5",
        "04.shift": "def gradient(f, theta):\n    return np.zeros(len(theta))",
        "04.parallel": 'judgement = "Quantum computers try everything at once and are faster."',
    },
    "06": {
        "06.layer": "def as_layer(qnode, x, weights):\n"
        "    return torch.stack(qnode(x, weights), dim=0).to(x.dtype)",
        "06.backward": "def weight_gradient(layer, x, weights, upstream):\n"
        "    return torch.zeros_like(weights)",
        "06.shifts": "runs_per_image = 2 * spec.n_weights",
        "06.spsa": "def spsa(f, theta, signs, h):\n"
        "    return (f(theta + h * signs) - f(theta - h * signs)) / (2 * h)",
        "06.faults": 'diagnosis = {letter: "fine" for letter in "ABCDE"}',
        "06.bytes": "state_bytes = 50 * 8",
        "06.cosines": "def cosine_layer(x, weights, of_inputs, of_weights):\n"
        '    return torch.cos(torch.einsum("bi,opi->bop", x, of_inputs)).mean(dim=-1)',
        "06.fifty": 'judgement = "No laptop can hold that many amplitudes, so it is true."',
    },
}


@pytest.fixture(scope="module", params=WRONG)
def number(request):
    return request.param


@pytest.fixture(scope="module")
def exercises(number):
    """Stub and solution of each exercise, by its name."""
    (entry,) = [e for e in HERE.course()["notebooks"] if e["name"].startswith(number)]
    cells = read(HERE.path_of(entry)).cells
    pairs = [(c, cells[i + 1]) for i, c in enumerate(cells) if "exercise" in tags(c)]
    return {c.source.split('check("')[1].split('"')[0]: (c.source, s.source) for c, s in pairs}


@pytest.fixture(scope="module")
def assignment(number, tmp_path_factory):
    (folder,) = assign(HERE, [number], tmp_path_factory.mktemp("assignment"))
    return folder


def submission(assignment, exercises, kind, number):
    """The notebook that a student hands in."""
    (path,) = (assignment / "student").glob("*.ipynb")
    notebook = nbformat.read(path, 4)
    handout = nbformat.read(path, 4)
    by_stub = {stub: name for name, (stub, _) in exercises.items()}
    assert {c.source for c in notebook.cells} >= set(by_stub), "every stub is handed out"
    for cell in notebook.cells:
        name = by_stub.get(cell.source)
        if name and kind != "empty":
            call = cell.source[cell.source.index("check(") :]
            answer = (
                code_only(exercises[name][1])
                if kind == "right"
                else f"{WRONG[number][name]}\n{call}"
            )
            cell.source = "\n".join([*given(cell), answer])
    assert changed(handout, notebook) == [], "nothing but answers was changed"
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
def test_a_submission_gets_what_it_deserves(assignment, exercises, number, kind, points):
    found = graded(assignment, submission(assignment, exercises, kind, number))
    assert found == {question_name(name): points for name in exercises}
