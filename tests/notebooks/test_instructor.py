"""The pages for instructors: what is made from notebooks and checks."""

import re

import nbformat
import pytest
import yaml
from coursekit.files import HERE, read
from coursekit.instructor import (
    MINUTES,
    checks,
    page,
    predictions,
    quizzes,
    sections,
)

from hqnn_utils.exercises import RUNGS, exercise, known_exercises

NOTES = yaml.safe_load((HERE.notebooks / "book" / "teaching.yml").read_text("utf-8"))
REBUILT = [e for e in HERE.course()["notebooks"] if e.get("rebuilt")]
each_rebuilt = pytest.mark.parametrize("entry", REBUILT, ids=lambda e: e["name"])

SOURCE = """
def _ppv(answer, *, prevalence):
    wrong = [
        (1, "that is the share of the ill: divide by the alarms"),
        (2, f"that is {prevalence}, not " "the answer to the question"),
        (3, "too short"),
    ]
    return number(answer, 3, "right", wrong)


def _choice(answer):
    return choice(answer, "a", "right", {"b": "b is what the others would have said"})


EXERCISES = {
    "42.ppv": Exercise(_ppv, "read", hints=("a", "b", "c")),
    "42.choice": Exercise(_choice, "judge", hints=("a", "b", "c"), rubric="names " "both sides"),
}
"""


def test_usual_mistakes_and_rubrics_are_read_from_the_source_of_checks():
    found = checks(SOURCE)
    assert found["42.ppv"].mistakes == (
        "that is the share of the ill: divide by the alarms",
        "that is …, not the answer to the question",
    )
    assert found["42.choice"].mistakes == ("b is what the others would have said",)
    assert found["42.choice"].rubric == "names both sides"


def test_rubrics_are_those_of_the_package():
    for number in {name[:2] for name in known_exercises()}:
        file = HERE.root / "hqnn_utils" / "exercises" / f"nb{number}.py"
        found = checks(file.read_text("utf-8"))
        names = [name for name in known_exercises() if name.startswith(number)]
        assert sorted(found) == sorted(names)
        for name in names:
            assert found[name].rubric == exercise(name).rubric.strip(), name


def test_most_checks_have_mistakes_that_a_teacher_can_read():
    numbers = {name[:2] for name in known_exercises()}
    files = [HERE.root / "hqnn_utils" / "exercises" / f"nb{n}.py" for n in sorted(numbers)]
    found = [c for file in files for c in checks(file.read_text("utf-8")).values()]
    assert sum(bool(c.mistakes) for c in found) >= 0.7 * len(found)


def cell(source, shown=""):
    if not shown:
        return nbformat.v4.new_markdown_cell(source)
    data = {"text/plain": shown}
    outputs = [nbformat.v4.new_output("execute_result", data, execution_count=1)]
    return nbformat.v4.new_code_cell(source, outputs=outputs)


def test_predictions_get_the_answers_of_the_stored_run():
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell("Words. **Predict.** How many\nof them?\n\nMore words."),
            cell('predict("42.many", ...)', "OPEN: replace the ..."),
            cell('reveal("42.many", 3, "Few.")', "You made no prediction. Seen: 3. Few."),
        ]
    )
    assert predictions(notebook) == [("How many of them?", "3. Few.")]


def test_time_counts_words_code_predictions_and_exercises():
    words = " ".join(["word"] * 256)
    notebook = nbformat.v4.new_notebook(
        cells=[
            cell(f"## 1 · Alarms\n\n{words}\n\n### Exercise 1 (write): the share\n\nWrite it."),
            cell("\n".join(["x = 1"] * 30), "1"),
            cell("## References\n\n- a"),
        ]
    )
    _opening, section = sections(notebook)
    assert section.title == "1 · Alarms"
    assert section.reading == pytest.approx((256 + 4 + 9) / 130 + 2, abs=0.1)
    assert section.practice == MINUTES["write"]
    assert set(RUNGS) < set(MINUTES)


@each_rebuilt
def test_the_page_of_a_rebuilt_notebook_is_complete(entry):
    notebook = read(HERE.path_of(entry))
    made = page(HERE, entry, NOTES.get(entry["name"][:2], {}))
    for heading in (
        "## Goals",
        "## Timing",
        "## Predictions and what was seen",
        "## What students get wrong",
        "## Questions for a discussion",
        "## Rubric for the written exercises",
        "## If time is short",
    ):
        assert heading in made, heading
    answered = predictions(notebook)
    assert answered
    seen = sum(bool(text) for _, text in answered)
    assert seen >= 0.7 * len(answered), "reveal(...) shows what was seen"
    total = sum(s.reading + s.practice for s in sections(notebook))
    assert 20 <= total <= 200


def test_every_notebook_has_notes_and_a_quiz():
    numbers = {e["name"][:2] for e in HERE.course()["notebooks"]}
    assert numbers <= set(NOTES)
    page_of_quizzes = quizzes(HERE, HERE.course())
    assert set(re.findall(r"^\(quiz-(\d\d)\)=$", page_of_quizzes, re.M)) == numbers
    for number, notes in NOTES.items():
        assert len(notes["discuss"]) >= 3, number
        assert notes["skip"], number
