"""A fork after its first push: the workflow's own script, run against a bare repository here."""

import os
import shutil
import subprocess
import sys

import pytest
import yaml
from coursekit.files import HERE, Tree, read, tags

WORKFLOW = yaml.safe_load((HERE.root / ".github/workflows/address.yml").read_text("utf-8"))
SCRIPT = next(s["run"] for s in WORKFLOW["jobs"]["address"]["steps"] if s.get("name"))
FEW = ("00_start_here", "04_qubits_from_scratch")  # two notebooks are enough to see it


def git(folder, *arguments):
    identity = ["-c", "user.name=Student", "-c", "user.email=student@university.example"]
    command = ["git", "-C", str(folder), *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


@pytest.fixture
def fork(tmp_path):
    """A bare repository, as the host keeps it, with the course as it is before its first push."""
    course = tmp_path / "course"
    names = ["README.md", "notebooks/course.py", "notebooks/results/timings.json"]
    names += [f"notebooks/{name}.ipynb" for name in FEW]
    for name in names:
        (course / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(HERE.root / name, course / name)
    ignore = shutil.ignore_patterns("__pycache__")
    shutil.copytree(HERE.notebooks / "coursekit", course / "notebooks/coursekit", ignore=ignore)
    listed = HERE.course() | {"repository": None, "own_address": True}
    listed["notebooks"] = [e for e in listed["notebooks"] if e["name"] in FEW]
    Tree(course).course_file.write_text(yaml.safe_dump(listed, allow_unicode=True), "utf-8")
    git(tmp_path, "init", "-q", "-b", "main", "course")
    git(course, "add", "-A")
    git(course, "commit", "-qm", "The course")
    git(tmp_path, "clone", "-q", "--bare", "course", "fork.git")
    return tmp_path / "fork.git"


def push(fork, name="teacher/fork", **changes):
    """What the host does on a push: check out, run the workflow's script. Returns its output."""
    work = fork.parent / "work"
    shutil.rmtree(work, ignore_errors=True)
    git(fork.parent, "clone", "-q", str(fork), "work")
    if changes:
        course = Tree(work).course() | changes
        Tree(work).course_file.write_text(yaml.safe_dump(course, allow_unicode=True), "utf-8")
        git(work, "commit", "-qam", "Settings")
        git(work, "push", "-q", "origin", "HEAD:main")
    python = f"{os.path.dirname(sys.executable)}:{os.environ['PATH']}"
    env = dict(os.environ, PATH=python, PYTHONPATH=str(HERE.root))
    env |= {"GITHUB_REPOSITORY": name, "GITHUB_REF_NAME": "main"}
    run = ["bash", "-e", "-c", SCRIPT]
    done = subprocess.run(run, cwd=work, env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def published(fork):
    """The notebooks as the fork now has them."""
    seen = fork.parent / "seen"
    shutil.rmtree(seen, ignore_errors=True)
    git(fork.parent, "clone", "-q", str(fork), "seen")
    return [read(seen / "notebooks" / f"{name}.ipynb") for name in FEW]


def text(notebook, tag):
    return next(c.source for c in notebook.cells if tag in tags(c))


def test_the_first_push_sets_badges_and_install_cells_and_the_next_changes_nothing(fork):
    assert "the course now points at teacher/fork" in push(fork)
    for name, notebook in zip(FEW, published(fork), strict=True):
        page = f"github/teacher/fork/blob/main/notebooks/{name}.ipynb"
        assert f"(https://colab.research.google.com/{page})" in text(notebook, "badges")
        install = '"hqnn_utils @ git+https://github.com/teacher/fork@main"'
        assert install in text(notebook, "bootstrap")
    log = git(fork, "log", "--format=%an: %s").splitlines()
    assert log[0] == "github-actions[bot]: Badges and install cells point at teacher/fork"
    assert len(log) == 2
    assert "nothing to retarget" in push(fork)
    assert len(git(fork, "log", "--format=%s").splitlines()) == 2


def test_the_workflow_needs_no_more_than_it_installs():
    """Nothing of what the course's environment has besides is imported."""
    step = next(s["run"] for s in WORKFLOW["jobs"]["address"]["steps"] if "pip install" in str(s))
    assert "nbformat PyYAML pillow" in step
    missing = ("psutil", "papermill", "nbconvert", "numpy", "pandas", "torch", "hqnn_utils")
    program = (
        f"import sys; sys.modules.update(dict.fromkeys({missing}))\n"
        f"sys.path.insert(0, {str(HERE.notebooks)!r})\n"
        "import coursekit.generated, coursekit.student, course; course.command_line()"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_fork_of_a_fork_gets_its_own_address(fork):
    push(fork)
    push(fork, "student/copy")
    for notebook in published(fork):
        assert "git+https://github.com/student/copy@main" in text(notebook, "bootstrap")


def test_an_address_that_was_chosen_stays(fork):
    """A private fork whose notebooks are to open in a public one."""
    output = push(fork, repository="teacher/public", own_address=False)
    assert "nothing to retarget" in output
    assert "public" not in text(published(fork)[0], "badges"), "not synced, and nobody touched it"


def test_outputs_stay_as_they_are(fork):
    before = [c.get("outputs") for n in published(fork) for c in n.cells]
    push(fork)
    assert [c.get("outputs") for n in published(fork) for c in n.cells] == before


def test_the_workflow_may_write_and_runs_on_pushes_to_main():
    assert WORKFLOW["permissions"] == {"contents": "write"}
    assert WORKFLOW[True]["push"] == {"branches": ["main"]}  # YAML reads "on" as true
    book = (HERE.root / ".github/workflows/book.yml").read_text("utf-8")
    assert "course.py own-address" in book, "the published book opens this copy's notebooks"
