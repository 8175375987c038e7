"""Exercises as an assignment that grades itself, as Otter-Grader takes it. ``make assignment``.

``master`` writes a notebook in the language of ``otter assign``: each exercise is a question, the
stub its prompt, the course's solution its solution. The public test asks whether there is an
answer; the hidden test asks the course's own check, in the grader's copy of the course. Otter makes
of it a notebook for students and an autograder.

Students need no Otter: the cells with ``check`` tell them what they would learn from it.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import yaml

from coursekit.addresses import clone_address
from coursekit.comments import code_only
from coursekit.files import Tree, clear, read, renewed, tags
from coursekit.student import CARRY_ON, checked, needed_later

CONFIG = {
    "init_cell": False,
    "check_all_cell": False,
    "export_cell": False,
    "generate": {"pdf": False, "show_stdout": True},
    "tests": {"ok_format": False},
}
PUBLIC = '''\
""" # BEGIN TEST CONFIG
points: 0
""" # END TEST CONFIG
def test_there_is_an_answer(env):
    from hqnn_utils.exercises import check

    verdict = eval({call!r}, dict(env, check=check))
    assert verdict.ok is not None, str(verdict)'''
HIDDEN = '''\
""" # BEGIN TEST CONFIG
points: 1
hidden: true
""" # END TEST CONFIG
def test_the_course_says_right(env):
    from hqnn_utils.exercises import check

    verdict = eval({call!r}, dict(env, check=check))
    assert verdict.ok, str(verdict)'''


def question_name(name: str) -> str:
    """The name of an exercise as Otter takes it: ``04.born`` is ``q04_born``."""
    return "q" + name.replace(".", "_")


def master(notebook, course: dict):
    """Return the notebook in the language of ``otter assign``."""
    later = needed_later(notebook)
    address = clone_address(course)
    requirements = [f"hqnn_utils @ {address}"] if address else []
    made = [_raw("# ASSIGNMENT CONFIG\n" + yaml.safe_dump(CONFIG | {"requirements": requirements}))]
    waiting = list(enumerate(notebook.cells))
    while waiting:
        _, cell = waiting.pop(0)
        if "exercise" in tags(cell):
            task = made.pop()
            solution_index, solution = waiting.pop(0)
            made += _question(task, cell, solution)
            if solution_index in later:
                made.append(_carry_on(solution, later[solution_index]))
        else:
            if cell.cell_type == "code":
                clear(cell)
            made.append(cell)
    for cell in made:
        cell.pop("id", None)
    result = nbformat.v4.new_notebook(cells=made, metadata=notebook.metadata)
    result.metadata.pop("hqnn", None)
    return result


def _raw(source: str):
    return nbformat.v4.new_raw_cell(source)


def _code(source: str):
    return nbformat.v4.new_code_cell(source)


def _carry_on(solution, name: str):
    call = checked(solution)
    call.func.id = "carry_on"
    return _code(CARRY_ON.format(name=name, call=ast.unparse(call).replace("'", '"')))


def given(stub) -> list[str]:
    """Return what a stub gives: its statements but the one to be completed and the check."""
    source = code_only(stub.source)
    segments = [ast.get_source_segment(source, statement) for statement in _kept(stub.source)]
    return [segment for segment in segments if "check(" not in segment]


def _question(task, stub, solution) -> list:
    call = checked(stub)
    name = question_name(call.args[0].value)
    prompt = f'""" # BEGIN PROMPT\n{stub.source}\n""" # END PROMPT'
    answer = "\n".join([*given(stub), code_only(solution.source)])
    solved = f"# BEGIN SOLUTION NO PROMPT\n{answer}\n# END SOLUTION"
    said = ast.unparse(call)
    return [
        _raw(f"# BEGIN QUESTION\nname: {name}\npoints: 1\ncheck_cell: false"),
        task,
        _raw("# BEGIN SOLUTION"),
        _code(f"{solved}\n{prompt}"),
        _raw("# END SOLUTION"),
        _raw("# BEGIN TESTS"),
        _code(PUBLIC.format(call=said)),
        _code(HIDDEN.format(call=said)),
        _raw("# END TESTS"),
        _raw("# END QUESTION"),
    ]


def changed(handout, submission) -> list[str]:
    """What a submission changed besides the answers, one sentence each.

    The autograder runs the submitted notebook, so it takes the course's own cells, and the lines of
    an exercise that are given, as they were handed in.
    """
    cells = [c.source.strip() for c in submission.cells if c.cell_type == "code"]
    left = [c.source.strip() for c in handout.cells if c.cell_type == "code"]
    found = []
    for source in list(left):
        name = re.search(r'check\(\s*"([\w.]+)"', source)
        if "..." in source and name:  # an exercise: its answer is the student's
            now = next((c for c in cells if name[0] in c), "")
            lost = [s for s in _kept(source) if ast.unparse(s) not in _statements(now)]
            found += [f"{name[1]}: no longer there: {ast.unparse(s)}" for s in lost]
            if now in cells:
                cells.remove(now)
        elif source in cells:
            cells.remove(source)
        else:
            found.append(f"changed or removed: {_first_line(source)}")
    return found + [f"added: {_first_line(cell)}" for cell in cells if cell]


def _kept(stub: str) -> list:
    """The statements of a stub that a student has no reason to change: what is given, the check."""
    return [
        statement
        for statement in ast.parse(code_only(stub)).body
        if not any(isinstance(n, ast.Constant) and n.value is ... for n in ast.walk(statement))
    ]


def _statements(source: str) -> set[str]:
    try:
        return {ast.unparse(statement) for statement in ast.parse(code_only(source)).body}
    except SyntaxError:
        return set()


def _first_line(source: str) -> str:
    return next((line for line in source.splitlines() if not line.startswith("#")), source)


def assign(tree: Tree, numbers: list[str], out: Path) -> list[Path]:
    """Make the assignments of notebooks, by their numbers; returns their folders.

    In each lie ``student``, the notebook to hand out, and ``autograder``, with the archive that
    Gradescope and ``otter run`` take.
    """
    entries = [e for e in tree.course()["notebooks"] if e["name"][:2] in numbers]
    if len(entries) != len(set(numbers)):
        known = ", ".join(e["name"][:2] for e in tree.course()["notebooks"])
        raise SystemExit(f"no notebook among {numbers}; known: {known}")
    made = []
    for entry in entries:
        folder = renewed(tree, out / entry["name"][:2])
        path = folder / f"{entry['name']}.ipynb"
        text = nbformat.writes(master(read(tree.path_of(entry)), tree.course()), version=4)
        path.write_text(text, encoding="utf-8")
        command = [sys.executable, "-m", "otter", "assign", path.name, "."]
        done = subprocess.run([*command, "--no-pdfs", "--no-run-tests"], cwd=folder)
        if done.returncode:
            raise SystemExit(f"otter assign could not make the assignment {entry['name']}")
        made.append(folder)
    return made
