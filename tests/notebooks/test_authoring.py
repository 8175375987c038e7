"""The authors' guide: its worked example runs, and its commands are those of the tool."""

import re
import sys
import textwrap
import types

import nbformat
import pytest
from coursekit.alt import write_alts
from coursekit.comments import alt_texts
from coursekit.files import HERE
from coursekit.folding import fold
from coursekit.student import publish_commands

from hqnn_utils import exercises
from hqnn_utils.exercises import check, exercise, hint

GUIDE = (HERE.notebooks / "AUTHORING.md").read_text(encoding="utf-8")


def blocks(language):
    """The code blocks of a language, also those inside a list."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```", GUIDE, re.S | re.M)
    return [textwrap.dedent(body) for _, body in found]


@pytest.fixture(scope="module")
def example():
    """All Python blocks, run one after the other: what the last line of each gives, by its text."""
    plot_backend = pytest.importorskip("matplotlib")
    plot_backend.use("agg")
    names, shown = {}, {}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HQNN_STATIC", "1")
        patch.delenv("HQNN_FRAMES", raising=False)  # the tests of all notebooks draw few frames
        for source in blocks("python"):
            *_, last = [line for line in source.splitlines() if line.strip()]
            if re.match(r"[a-z_.]+\(", last):
                body, _, call = source.rstrip().rpartition(last)
                exec(body, names)
                shown[last] = eval(call or last, names)
            else:
                exec(source, names)
            if "EXERCISES" in names and "module" not in names:
                module = types.ModuleType("hqnn_utils.exercises.nb42")
                module.EXERCISES = names["EXERCISES"]
                patch.setitem(sys.modules, module.__name__, module)
                known = [*exercises._modules(), "nb42"]
                patch.setattr(exercises, "_modules", lambda known=known: known)
                names["module"] = module
        yield names, shown


def test_the_prediction_is_open_and_confronted(example):
    _, shown = example
    predicted, revealed, listed = (
        next(value for call, value in shown.items() if call.startswith(f"{name}("))
        for name in ("predict", "reveal", "predictions")
    )
    assert "OPEN" in repr(predicted)
    assert "29 of 38 alarms were right." in repr(revealed)
    assert list(listed["seen"]) == ["more than half"]


def test_the_exercise_keeps_the_rule_for_exercises(example):
    names, _ = example
    found = exercise("42.npv")
    assert found.rung == "write"
    assert [bool(hint("42.npv", step)) for step in (1, 2, 3)] == [True] * 3
    assert len(names["RIGHT"]["42.npv"]) >= 2
    assert all(
        check(name, answer, **c) for name in names["RIGHT"] for answer, c in names["RIGHT"][name]
    )
    assert len(names["WRONG"]) >= 4
    for name, answer, context, word in names["WRONG"]:
        verdict = check(name, answer, **context)
        assert verdict.ok is False
        assert word in verdict.message


@pytest.mark.usefixtures("example")
def test_the_stub_is_open_and_the_solution_right():
    stub, solution = (b for b in blocks("python") if b.rstrip().endswith('check("42.npv", npv)'))
    assert "return ..." in stub
    for source, ok in ((stub, None), (solution, True)):
        names = {}
        exec(
            f"from hqnn_utils.exercises import check\n{source}\nverdict = check('42.npv', npv)",
            names,
        )
        assert names["verdict"].ok is ok


def test_the_figures_are_drawn_and_have_alt_texts(example):
    _, shown = example
    drawing = [source for source in blocks("python") if "plots." in source]
    assert len(drawing) == 3
    for source in drawing:
        (text,) = alt_texts(source)
        assert len(text) >= 30
    player = next(value for call, value in shown.items() if "explore" in call)
    assert len(player.frames) == 6


def test_the_cells_are_folded_and_described_as_the_guide_says():
    solution = nbformat.v4.new_code_cell(blocks("python")[-4])
    solution.metadata["tags"] = ["solution"]
    notebook = nbformat.v4.new_notebook(cells=[solution])
    assert fold(notebook)
    assert not write_alts(notebook)
    assert solution.source.startswith("# @title Solution\n")


def test_the_commands_that_publish_are_those_of_the_tool():
    printed = publish_commands(HERE.course(), "build/student").splitlines()
    (block,) = blocks("bash")
    assert [line for line in block.splitlines() if line.startswith("git ")] == printed


def test_every_file_that_the_guide_names_exists():
    for target in re.findall(r"\]\(([\w./-]+)\)", GUIDE):
        assert (HERE.notebooks / target).exists(), target
    for name in ("course.yml", "glossary.md", "course.py"):
        assert name in GUIDE
        assert (HERE.notebooks / name).exists()
    assert (HERE.root / "hqnn_utils" / "exercises" / "grading.py").exists()
