"""Versions for students: without solutions and outputs, with badges that open such versions."""

from __future__ import annotations

import ast
import shlex
import shutil
from pathlib import Path

from coursekit.addresses import clean_branch
from coursekit.comments import code_only
from coursekit.files import Tree, check_out, clear, read, tags, write, write_text
from coursekit.generated import badges_source

README = """\
# {title}: student versions

The notebooks of the course without solutions and without outputs, made by `make student`. They are
published on this branch, so that their badges open them and not the notebooks with solutions.
Start with [00](notebooks/00_start_here.ipynb). New words are explained in the
[glossary](notebooks/glossary.md).
"""
CARRY_ON = """\
# The page goes on with your function, or with the course's own while yours is not right.
from hqnn_utils.exercises import carry_on

{name} = {call}"""
PUBLISH = """\
git -C {folder} init -q -b {branch}
git -C {folder} add -A
git -C {folder} commit -q --allow-empty -m "Student versions"
git -C {folder} push --force "$(git remote get-url origin)" HEAD:refs/heads/{branch}
"""


def student_version(notebook, course: dict, entry: dict, times: dict):
    """Without solutions and without outputs; the exercises stay, the badges lead to this version.

    Where the page goes on with a function that the student is to write, the cell of the solution
    offers the course's own instead. The install cell stays as it is: the course's helpers are those
    of the course's own branch.
    """
    for index, name in needed_later(notebook).items():
        open_solution(notebook.cells[index], name)
    notebook.cells = [cell for cell in notebook.cells if "solution" not in tags(cell)]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            clear(cell)
        if "badges" in tags(cell):
            cell.source = badges_source(course, entry, times, branch=course["student_branch"])
    notebook.metadata.pop("hqnn", None)
    return notebook


def needed_later(notebook) -> dict[int, str]:
    """Which solutions define a name that later cells use: index of the cell, the name."""
    found = {}
    for index, cell in enumerate(notebook.cells):
        if "solution" in tags(cell):
            answer = checked(cell).args[1]
            name = answer.id if isinstance(answer, ast.Name) else ""
            rest = notebook.cells[index + 1 :]
            if any(name in names_used(c) for c in rest if "solution" not in tags(c)):
                found[index] = name
    return found


def checked(cell) -> ast.Call:
    """Return the call of ``check`` in a cell."""
    calls = [node for node in ast.walk(parsed(cell)) if isinstance(node, ast.Call)]
    return next(call for call in calls if ast.unparse(call.func) == "check")


def names_used(cell) -> set[str]:
    """Return the names that a cell reads and does not make itself before."""
    if cell.cell_type != "code" or "bootstrap" in tags(cell):
        return set()
    names = [node for node in ast.walk(parsed(cell)) if isinstance(node, ast.Name)]
    made = {node.name for node in parsed(cell).body if isinstance(node, ast.FunctionDef)}
    made |= {node.id for node in names if isinstance(node.ctx, ast.Store)}
    return {node.id for node in names if isinstance(node.ctx, ast.Load)} - made


def parsed(cell) -> ast.Module:
    """Return the syntax tree of a cell."""
    return ast.parse(code_only(cell.source))


def open_solution(cell, name: str) -> None:
    """Turn a solution into a cell that goes on with whatever is right."""
    call = checked(cell)
    call.func.id = "carry_on"
    cell.source = CARRY_ON.format(name=name, call=ast.unparse(call).replace("'", '"'))
    cell.metadata = {"tags": ["carry-on"]}


def student(tree: Tree, out: Path) -> None:
    """Write the student versions into a folder that can be published as a branch as it is."""
    course, times = tree.course(), tree.times()
    made_of = {
        tree.path_of(e): out / "notebooks" / tree.path_of(e).name for e in course["notebooks"]
    }
    check_out(tree, out, made_of.values())
    for entry in course["notebooks"]:
        path = tree.path_of(entry)
        made = made_of[path]
        write(student_version(read(path), course, entry, times), made)
        print(made)
    shutil.copy(tree.glossary, out / "notebooks")
    write_text(README.format(title=course["title"]), out / "README.md")
    print(f"\nTo publish them as the branch {course['student_branch']} that their badges open:\n")
    inside = out.is_relative_to(tree.root)
    print(publish_commands(course, out.relative_to(tree.root) if inside else out))


def publish_commands(course: dict, folder: Path) -> str:
    """The commands that make a branch of the folder and push it; run them in the course's folder.

    The folder becomes a repository of its own: the course's checkout is left alone. The branch
    holds nothing but what is generated, which is why it is overwritten.
    """
    branch = clean_branch(course["student_branch"])
    return PUBLISH.format(folder=shlex.quote(str(folder)), branch=branch)
