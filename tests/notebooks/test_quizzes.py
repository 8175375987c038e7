"""The quiz of a notebook: ``sync`` puts it there, once, and it costs no execution."""

import subprocess
import sys

import nbformat
import pytest
from coursekit.files import HERE, code_digest, read, tags
from coursekit.quizzes import asks, page_cell, place
from coursekit.running import store_outputs
from coursekit.student import student_version

ENTRY = HERE.course()["notebooks"][4]
OUTPUT = nbformat.v4.new_output("display_data", {"text/html": "answers"})


def notebook(*sources):
    cells = [
        nbformat.v4.new_markdown_cell(source)
        if source.startswith("#")
        else nbformat.v4.new_code_cell(source)
        for source in sources
    ]
    return nbformat.v4.new_notebook(cells=cells)


def kinds(made):
    return ["quiz" if "quiz" in tags(cell) else cell.source for cell in made.cells]


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (["1", 'predictions("04")', "# end", "2"], ["1", 'predictions("04")', "quiz", "quiz"]),
        (["1", "## What this does not show", "2"], ["1", "quiz", "quiz"]),
        (["1", "2"], ["1", "quiz", "quiz", "2"]),
    ],
)
def test_it_stands_behind_the_predictions_else_near_the_end(before, after):
    made = notebook(*before)
    assert place(made, "04")
    assert kinds(made)[: len(after)] == after
    nbformat.validate(made)


def test_a_second_time_changes_nothing_and_the_digest_never_changes():
    made = notebook("1", 'predictions("04")', "2")
    digest = code_digest(made)
    assert place(made, "04")
    assert code_digest(made) == digest
    assert not place(made, "04")


def test_a_stale_text_an_output_and_half_a_quiz_are_mended():
    made = notebook("1", 'predictions("04")', "2")
    place(made, "04")
    text, code = (cell for cell in made.cells if "quiz" in tags(cell))
    text.source = "## Old"
    code.outputs = [OUTPUT]
    assert place(made, "04")
    assert text.source.startswith("## Six questions")
    assert code.outputs == []
    made.cells.remove(text)
    assert place(made, "04")
    assert kinds(made) == ["1", 'predictions("04")', "quiz", "quiz", "2"]


def test_a_run_stores_no_answers(tmp_path):
    """Where a page strips style sheets, what is said to each answer would be in sight."""
    made = notebook("1", 'predictions("04")', "2")
    place(made, "04")
    (cell,) = filter(asks, made.cells)
    cell.outputs = [OUTPUT]
    store_outputs(made, tmp_path / "stored.ipynb")
    assert "answers" not in (tmp_path / "stored.ipynb").read_text("utf-8")


def test_students_get_it_and_the_book_shows_the_questions():
    version = student_version(read(HERE.path_of(ENTRY)), HERE.course(), ENTRY, {})
    (cell,) = filter(asks, version.cells)
    assert cell.source.endswith('quiz("04")')
    shown = page_cell(HERE, cell)
    assert shown.cell_type == "markdown"
    assert shown.source.startswith("```{raw} html\n<style>")
    assert shown.source.count("<fieldset>") == 6


WITHOUT_THE_PACKAGE = """
import sys
sys.meta_path = [finder for finder in sys.meta_path if "editable" not in str(finder)]
sys.path = [place for place in sys.path if place != {root!r}] + [{notebooks!r}]
for absent in ("torch", "numpy", "pandas", "pennylane", "filelock", "matplotlib"):
    sys.modules[absent] = None
from coursekit.files import HERE
from coursekit.quizzes import to_html
try:
    import hqnn_utils
except ImportError:
    print(to_html(HERE, "04").count("<fieldset>"))
assert {root!r} not in sys.path
"""


def test_the_book_has_them_where_the_package_is_not_installed():
    """Its environment has little more than Sphinx."""
    code = WITHOUT_THE_PACKAGE.format(root=str(HERE.root), notebooks=str(HERE.notebooks))
    done = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True)
    assert done.stdout == "6\n", done.stderr[-2000:]
