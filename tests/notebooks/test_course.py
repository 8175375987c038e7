"""The course tool: addresses, generated text, tidy outputs, student versions. Works on copies."""

import shutil
import subprocess
import sys

import course
import nbformat
import pytest


@pytest.fixture
def copy(tmp_path, monkeypatch):
    """A copy of the tree's course files that may be rewritten."""
    root = tmp_path / "fork"
    ignore = shutil.ignore_patterns("my_results", "__pycache__", ".ipynb_checkpoints")
    shutil.copytree(course.HERE, root / "notebooks", ignore=ignore)
    shutil.copy(course.ROOT / "README.md", root / "README.md")
    for name, value in dict(
        ROOT=root,
        HERE=root / "notebooks",
        STORED=root / "notebooks/results",
        TIMINGS=root / "notebooks/results/timings.json",
    ).items():
        monkeypatch.setattr(course, name, value)
    return root


def cells(root, tag):
    return [
        c
        for p in sorted((root / "notebooks").glob("*.ipynb"))
        for c in nbformat.read(p, 4).cells
        if tag in course.tags(c)
    ]


def test_no_address_no_badge(copy):
    """The published tree names nobody's account; the install cell says what to do."""
    assert course.load_course()["repository"] is None
    assert all(
        "colab.research" not in c.source and "github.com" not in c.source
        for c in cells(copy, "badges")
    )
    assert all("make retarget REPO=owner/name" in c.source for c in cells(copy, "bootstrap"))


@pytest.mark.parametrize(
    "given",
    [
        "someone/course",
        "https://github.com/someone/course.git",
        "git@github.com:someone/course.git",
    ],
)
def test_retarget_rewrites_badges_and_install_cells(copy, given):
    before = [len(p.read_text()) for p in (copy / "notebooks").glob("*.ipynb")]
    assert course.retarget(given) == "someone/course"
    for cell in cells(copy, "bootstrap"):
        assert (
            '%pip install --quiet "hqnn_utils @ git+https://github.com/someone/course@main"'
            in cell.source
        )
    badges = cells(copy, "badges")
    assert len(badges) == len(before)
    assert all(
        "colab.research.google.com/github/someone/course/blob/main/notebooks/" in c.source
        for c in badges
    )
    assert course.sync(check=True) == [], "nothing is stale after it"
    assert course.retarget("another/fork") == "another/fork"
    assert all("someone" not in c.source for c in cells(copy, "badges") + cells(copy, "bootstrap"))


def test_retarget_reads_the_git_remote(copy):
    with pytest.raises(SystemExit, match="no git remote called origin"):
        course.retarget(None)
    run = dict(cwd=copy, check=True, capture_output=True)
    subprocess.run(["git", "init", "-q"], **run)
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:teacher/fork.git"], **run)
    assert course.retarget(None) == "teacher/fork"


def test_retarget_takes_other_hosts_and_refuses_nonsense(copy):
    assert (
        course.retarget("https://git.university.example/a/b.git")
        == "https://git.university.example/a/b"
    )
    assert "git+https://git.university.example/a/b@main" in cells(copy, "bootstrap")[0].source
    assert "colab.research" not in cells(copy, "badges")[0].source, "Colab opens GitHub only"
    with pytest.raises(SystemExit, match="is no address"):
        course.retarget("just a name")


def test_retarget_keeps_stored_outputs_valid(copy):
    """The install cell is not part of the code digest, so a fork's outputs stay as good as they were."""
    paths = sorted((copy / "notebooks").glob("*.ipynb"))
    before = [course.code_digest(course.read(p)) for p in paths]
    course.retarget("someone/course")
    assert [course.code_digest(course.read(p)) for p in paths] == before


def test_nothing_generated_is_stale():
    assert course.sync(check=True) == [], "run python notebooks/course.py sync"


def test_sync_finds_a_hand_edited_table(copy):
    readme = copy / "README.md"
    readme.write_text(readme.read_text().replace("| question |", "| riddle |"))
    assert course.sync(check=True) == ["README.md"]
    course.sync()
    assert course.sync(check=True) == []


def test_tidy_keeps_the_last_state_of_a_progress_bar():
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("x")])
    pieces = [
        "before\n",
        "\rbar 0%",
        "\rbar 50%",
        "\rbar 100%",
        "\n",
        "after\n",
    ]  # a kernel sends them one by one
    notebook.cells[0].outputs = [
        nbformat.v4.new_output("stream", name="stdout", text=t) for t in pieces
    ]
    notebook.cells[0].outputs.append(nbformat.v4.new_output("stream", name="stderr", text="else"))
    tidied = course.tidy(notebook).cells[0].outputs
    assert [(o.name, o.text) for o in tidied] == [
        ("stdout", "before\nbar 100%\nafter\n"),
        ("stderr", "else"),
    ]


def test_code_digest_sees_code_and_nothing_else():
    make = lambda code, text: nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_markdown_cell(text), nbformat.v4.new_code_cell(code)]
    )
    assert (
        course.code_digest(make("a", "x"))
        == course.code_digest(make("a", "y"))
        != course.code_digest(make("b", "x"))
    )


def test_student_version_has_no_solution_and_no_output(copy, tmp_path):
    course.student(tmp_path / "students")
    made = sorted((tmp_path / "students").glob("*.ipynb"))
    assert len(made) == len(course.load_course()["notebooks"])
    for path in made:
        notebook = nbformat.read(path, 4)
        assert not any("solution" in course.tags(c) for c in notebook.cells)
        assert any("exercise" in course.tags(c) for c in notebook.cells)
        assert all(not c.get("outputs") for c in notebook.cells)
        nbformat.validate(notebook)


def test_unknown_notebook_is_clear():
    with pytest.raises(SystemExit, match="no notebook '77_x'; known: 00_start_here"):
        course.run("77_x", "smoke", course.ROOT / "build")


def test_command_line_lists_its_commands():
    out = subprocess.run(
        [sys.executable, str(course.HERE / "course.py"), "-h"],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert all(word in out for word in ("run", "execute", "retarget", "sync", "student"))
