"""The anatomy of a notebook, checked on each one: the same things stand in the same places."""

import ast
import json
import re

import nbformat
import pytest
from coursekit.comments import alt_texts, code_only, is_titled
from coursekit.figures import figures
from coursekit.files import HERE, code_digest, read, tags
from coursekit.generated import bootstrap_source
from coursekit.glossary import prose
from coursekit.quizzes import quiz_path
from coursekit.student import checked, names_used, needed_later, parsed

from hqnn_utils.exercises import RUNGS, exercise

ENTRIES = HERE.course()["notebooks"]


def for_each(entries):
    return pytest.mark.parametrize("entry", entries, ids=lambda e: e["name"])


each = for_each(ENTRIES)
each_rebuilt = for_each([e for e in ENTRIES if e.get("rebuilt")])
VERBS = """
apply ask build calculate check choose compare compute count decide derive describe design
detect draw estimate evaluate explain find fit judge measure name open plan predict read
recognise reproduce run say show split spot state test tell train trace use verify write
"""


@pytest.fixture
def notebook(entry):
    return read(HERE.path_of(entry))


def tagged(notebook, tag):
    return [(i, c) for i, c in enumerate(notebook.cells) if tag in tags(c)]


def markdown(notebook):
    return "\n".join(c.source for c in notebook.cells if c.cell_type == "markdown")


def test_course_lists_exactly_the_notebooks_that_exist():
    assert [f"{e['name']}.ipynb" for e in ENTRIES] == sorted(
        p.name for p in HERE.notebooks.glob("*.ipynb")
    )


@each
def test_opening(entry, notebook):
    """Title with the question, badges, card, install cell, parameters: in this order."""
    nbformat.validate(notebook)
    first = notebook.cells[0].source
    assert first.startswith(f"# {entry['name'][:2]} · {entry['title']}")
    assert entry["question"] in first
    assert [i for i, _ in tagged(notebook, "badges")] == [1]
    ((bootstrap, cell),) = tagged(notebook, "bootstrap")
    ((parameters, settings),) = tagged(notebook, "parameters")
    assert bootstrap < parameters, "papermill writes its values behind the parameters cell"
    assert cell.source == bootstrap_source(HERE.course())
    assert len([line for line in cell.source.splitlines() if line.strip()]) <= 3
    assert re.search(r'^PROFILE = "auto"', settings.source, re.M)
    card = "\n".join(c.source for c in notebook.cells[:bootstrap])
    objectives = re.findall(r"^- \*\*(\w+)\*\*", card, re.M)
    assert 3 <= len(objectives) <= 5, objectives
    assert set(objectives) <= set(VERBS.split()), objectives
    for needed in ("not for clinical use", "**Time**", "**Before this**", "**Data**"):
        assert needed in card, needed
    assert "CC BY 4.0" in card or "BreastMNIST" not in entry["data"], "data named with its licence"


@each
def test_code_is_narrow_and_the_file_small(entry, notebook):
    wide = [
        line
        for cell in notebook.cells
        if cell.cell_type == "code"
        for line in cell.source.splitlines()
        if len(line) > 100
    ]
    assert wide == [], "a reader would have to scroll"
    assert HERE.path_of(entry).stat().st_size <= 1_000_000


@each
def test_ids_are_unique(entry, notebook):
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each
def test_rhythm_and_ending(entry, notebook):
    text = markdown(notebook)
    assert text.count("**Predict.**") >= 2, "a question to commit to before the run"
    for heading in ("## What this does not show", "## Summary", "## References"):
        assert heading in text, heading
    assert re.search(r"doi\.org/|arxiv\.org/abs/", text), "references carry a DOI or an arXiv id"
    following = ENTRIES[ENTRIES.index(entry) + 1 :]
    assert "**Next:**" in text
    if following:
        assert f"({following[0]['name']}.ipynb)" in text
    assert "runtime.provenance(" in notebook.cells[-1].source
    assert any("NBVAL_CHECK_OUTPUT" in c.source for c in notebook.cells), (
        "something exact is compared on each run"
    )


@each
def test_exercises(entry, notebook):
    """Two or more; each stub is open, its solution follows at once, both call the same check."""
    stubs = tagged(notebook, "exercise")
    assert len(stubs) >= 2
    assert len(stubs) == len(tagged(notebook, "solution"))
    for index, stub in stubs:
        solution = notebook.cells[index + 1]
        assert "solution" in tags(solution), "the solution stands right after its exercise"
        assert notebook.cells[index - 1].cell_type == "markdown"
        assert "### Exercise" in notebook.cells[index - 1].source
        assert "..." in stub.source
        calls = [re.findall(r'check\(\s*"([\w.]+)"', c.source) for c in (stub, solution)]
        assert calls[0] == calls[1]
        assert len(calls[0]) == 1
        assert calls[0][0].startswith(entry["name"][:2])


@each
def test_no_hidden_branches(entry, notebook):
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert not re.search(r"\bif\b.*(smoke|laptop|profile\.name)", cell.source), cell.source


@each
def test_links_inside_the_course_lead_somewhere(entry, notebook):
    for target in re.findall(r"\]\(([\w./-]+\.ipynb)\)", markdown(notebook)):
        assert (HERE.notebooks / target).exists(), target


@each
def test_stored_outputs_are_those_of_this_code(entry, notebook):
    stored = notebook.metadata.get("hqnn", {})
    assert stored.get("profile") == "laptop", "make notebooks stores outputs of the laptop profile"
    assert stored["code_digest"] == code_digest(notebook), (
        "code changed after the outputs were stored: run make notebooks"
    )


@each
def test_stored_outputs_are_clean(entry, notebook):
    """No errors, warnings, machine's paths, dataset images or leftovers of papermill; real data."""
    for cell in notebook.cells:
        assert "injected-parameters" not in tags(cell)
        assert "papermill" not in cell.metadata
        if cell.cell_type != "code":
            continue
        for output in cell.outputs:
            assert output.output_type != "error"
            assert output.get("name") != "stderr", output.text
            shown = json.dumps(
                {k: v for k, v in output.get("data", {}).items() if not k.startswith("image/")}
            ) + output.get("text", "")
            assert not re.search(r"/(home|root|tmp|work|Users|usr|content)/", shown), shown[:300]
            if "<Figure size" in shown:
                assert "image/png" in output.data, (
                    "a figure without its picture: the inline backend was not active"
                )
            assert "PHANTOM" not in shown or "phantom" in cell.source.lower(), (
                "stored outputs come from the real BreastMNIST"
            )
        if "draws-images" in tags(cell):
            assert cell.outputs == []
    assert "papermill" not in notebook.metadata
    assert "widgets" not in notebook.metadata


@each
def test_solutions_were_accepted(entry, notebook):
    for index, stub in tagged(notebook, "exercise"):
        shown = [
            json.dumps(o.get("data", {}).get("text/plain", ""))
            for o in notebook.cells[index + 1].outputs
        ]
        assert any("RIGHT: " in s for s in shown), notebook.cells[index + 1].source
        assert any("OPEN: " in json.dumps(o.get("data", {})) for o in stub.outputs)


def only_defines(source):
    """True for a cell of imports, functions and names: it draws nothing by itself."""
    quiet = (ast.Import, ast.ImportFrom, ast.FunctionDef, ast.Assign)
    return all(isinstance(statement, quiet) for statement in ast.parse(source).body)


def images_stored(cell):
    """N of a tag ``stores-images:N``, the number of images of the data in a cell's figures."""
    found = [tag.partition(":")[2] for tag in tags(cell) if tag.startswith("stores-images")]
    return sum(int(number) for number in found)


@each
def test_stored_images_are_credited_and_few(entry, notebook):
    """BreastMNIST is CC BY 4.0: some images may be stored, with the credit beside them."""
    for index, cell in enumerate(notebook.cells):
        if not any(tag.startswith("stores-images") for tag in tags(cell)):
            continue
        assert images_stored(cell) >= 1, "stores-images:N says how many"
        assert "draws-images" not in tags(cell), "stored or not stored"
        following = [c for c in notebook.cells[index + 1 :] if c.cell_type == "markdown"][:1]
        assert "CC BY 4.0" in "".join(c.source for c in [cell, *following]), cell.source


def test_all_notebooks_together_store_two_dozen_images_at_most():
    stored = [images_stored(c) for e in ENTRIES for c in read(HERE.path_of(e)).cells]
    assert sum(stored) <= 24


@each
def test_image_cells_are_tagged(entry, notebook):
    """What is called phantom... must be one: image_grid(phantom, ...)."""
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        drawn = re.findall(r"\b(?:image_grid|patient_grid|imshow)\(\s*(\w*)", cell.source)
        real = [name for name in drawn if not name.startswith("phantom")]
        if real and not only_defines(cell.source):
            assert "draws-images" in tags(cell) or images_stored(cell), cell.source


@each
def test_drawing_functions_stand_right_before_their_use(entry, notebook):
    """A cell tagged hide-input defines how something is drawn; it must not hide a result."""
    for index, cell in tagged(notebook, "hide-input"):
        assert only_defines(cell.source), cell.source
        functions = re.findall(r"^def (\w+)", cell.source, re.M)
        following = notebook.cells[index + 1].source
        assert any(re.search(rf"\b{name}\b", following) for name in functions), cell.source


# ------------------------------------------------------------------------- figures, folding


@each
def test_every_figure_has_an_alt_text(entry, notebook):
    """One comment a figure, copied to the stored output; no numbers in it that grow stale."""
    for cell in notebook.cells:
        if cell.cell_type != "code" or "draws-images" in tags(cell):
            continue
        shown = [figure.metadata.get("image/png", {}).get("alt") for figure in figures(cell)]
        assert shown == alt_texts(cell.source), cell.source
        for text in shown:
            assert 30 <= len(text) <= 600, text
            assert not re.search(r"\d[.]\d", text), f"a number that may change: {text}"


@each
def test_solutions_and_drawing_functions_are_folded(entry, notebook):
    """For JupyterLab, Colab and a book; ``course.py sync`` writes it."""
    for _, cell in tagged(notebook, "solution"):
        assert is_titled(cell.source), cell.source
        assert cell.metadata["jupyter"] == {"source_hidden": True, "outputs_hidden": True}
        assert cell.metadata["cellView"] == "form"
        assert {"hide-cell", "solution"} <= set(tags(cell))
        assert "hide-input" not in tags(cell)
    for _, cell in tagged(notebook, "hide-input"):
        assert cell.metadata["jupyter"] == {"source_hidden": True}
    for _, cell in tagged(notebook, "exercise"):
        assert "jupyter" not in cell.metadata, "an exercise is never folded"


# ------------------------------------------------------------------------------- players


@each
def test_sliders_have_a_stored_player(entry, notebook):
    """A page without a kernel shows the same lesson, in five frames or more."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and "explore(" in cell.source:
            pages = [o.data.get("text/html", "") for o in figures(cell)]
            (player,) = [page for page in pages if "data-hqnn-player" in page]
            assert player.count("<figure") >= 5, cell.source


@each
def test_nobody_is_told_to_move_what_is_not_there(entry, notebook):
    knobs = r"\b(move|drag|turn)\w* the (\w+ )?(slider|knob|control)s?\b"
    told = re.search(knobs, prose(notebook), re.I)
    assert not told, f"{told[0]!r}: say what each frame of the player shows"


# ----------------------------------------------------- the whole anatomy, where it is asked for


def calls(notebook, function):
    """Where a function of the exercises is called: (index of the cell, first argument)."""
    found = []
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code" and f"{function}(" in cell.source:
            for node in ast.walk(ast.parse(code_only(cell.source))):
                if isinstance(node, ast.Call) and ast.unparse(node.func) == function:
                    found.append((index, ast.literal_eval(node.args[0])))
    return found


@each_rebuilt
def test_predictions_are_committed_to_and_confronted(entry, notebook):
    """Three or more; each is revealed later, and near the end stands the list of all."""
    number = entry["name"][:2]
    made, revealed = calls(notebook, "predict"), calls(notebook, "reveal")
    names = [name for _, name in made]
    assert len(names) >= 3
    assert len(set(names)) == len(names)
    assert all(name.startswith(f"{number}.") for name in names)
    for index, name in made:
        later = [i for i, other in revealed if other == name]
        assert later, f"{name} is never revealed"
        assert min(later) > index, f"{name} is revealed before it is asked"
    assert {name for _, name in revealed} <= set(names)
    ((shown, listed),) = calls(notebook, "predictions")
    assert listed == number
    assert shown > max(index for index, _ in revealed)
    assert shown >= len(notebook.cells) - 8, "near the end"


@each_rebuilt
def test_the_quiz_of_the_notebook_stands_near_its_end(entry, notebook):
    """``course.py sync`` puts it there; it is stored without an output, see ``quizzes``."""
    number = entry["name"][:2]
    assert quiz_path(HERE, number).exists(), f"six questions: {quiz_path(HERE, number)}"
    (_, text), (index, cell) = tagged(notebook, "quiz")
    assert text.source.startswith("## Six questions")
    assert calls(notebook, "quiz") == [(index, number)]
    assert cell.outputs == []
    assert index >= len(notebook.cells) - 7, "near the end"


@each_rebuilt
def test_a_question_to_predict_is_followed_by_a_place_to_answer(entry, notebook):
    asked = [i for i, c in enumerate(notebook.cells) if "**Predict.**" in c.source]
    for index in asked:
        assert notebook.cells[index].cell_type == "markdown"
        assert notebook.cells[index].source.count("**Predict.**") == 1
        assert index + 1 in [i for i, _ in calls(notebook, "predict")], notebook.cells[index].source
    assert len(asked) == len(calls(notebook, "predict"))


@each_rebuilt
def test_exercises_climb_the_ladder(entry, notebook):
    """Five to eight, numbered, some on each rung, with three hints each."""
    rungs = []
    for position, (index, _) in enumerate(tagged(notebook, "exercise"), start=1):
        task = notebook.cells[index - 1].source
        heading = re.search(r"^### Exercise (\d) \((\w+)\): \S.*$", task, re.M)
        assert heading, task
        assert int(heading[1]) == position
        ((_, name),) = [call for call in calls(notebook, "check") if call[0] == index]
        assert exercise(name).rung == heading[2], name
        assert len(exercise(name).hints) == 3, name
        assert exercise(name).rubric or heading[2] != "judge", f"{name}: what is looked for?"
        rungs.append(heading[2])
    assert 5 <= len(rungs) <= 8
    assert set(rungs) == set(RUNGS)


@each_rebuilt
def test_the_page_can_go_on_without_the_students_functions(entry, notebook):
    """What later cells use of an exercise has a model, with which a student version goes on."""
    for index in needed_later(notebook):
        name = ast.literal_eval(checked(notebook.cells[index]).args[0])
        assert exercise(name).model is not None, name
    for index, stub in tagged(notebook, "exercise"):
        later = [c for c in notebook.cells[index + 2 :] if "solution" not in tags(c)]
        asked = {n.name for n in parsed(stub).body if isinstance(n, ast.FunctionDef)}
        used = {name for name in asked for c in later if name in names_used(c)}
        assert used <= {needed_later(notebook).get(index + 1)}, stub.source


@each_rebuilt
def test_the_prose_is_neither_too_short_nor_too_long(entry, notebook):
    """1,800 words at least, everything counted; at most 3,000 of running text, or 4,500 in two.

    Two lessons (``lessons: 2`` in ``course.yml``) have a heading each, with goals and an end.
    """
    lessons = entry.get("lessons", 1)
    assert lessons in (1, 2)
    assert len(markdown(notebook).split()) >= 1800
    most = {1: 3000, 2: 4500}[lessons]
    assert len(re.findall(r"[^\W\d][\w'’-]*", prose(notebook))) <= most
    if lessons == 2:
        text = markdown(notebook)
        for letter in "AB":
            assert re.search(rf"^# Lesson {letter} · \S", text, re.M), letter
            assert f"**What was seen in lesson {letter}.**" in text, letter
        assert text.count("**Goals.**") == lessons
