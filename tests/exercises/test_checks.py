"""Each check accepts right answers, meets wrong ones with a fitting word, leaves open what is open.

The answers stand in ``cases/nbNN.py``, one file a notebook. ``RIGHT`` maps an exercise to pairs
(answer, context); ``WRONG`` lists (exercise, answer, context, what the word must say).
"""

import runpy
from collections import defaultdict
from pathlib import Path

import pytest

from hqnn_utils.exercises import carry_on, check, exercise, hint, known_exercises
from hqnn_utils.exercises.grading import PLAIN_HINT

RIGHT, WRONG = {}, defaultdict(list)
for file in sorted((Path(__file__).parent / "cases").glob("nb*.py")):
    cases = runpy.run_path(str(file))
    RIGHT |= cases["RIGHT"]
    for exercise_name, *case in cases["WRONG"]:
        WRONG[exercise_name].append(case)


def test_every_check_is_tried():
    assert set(RIGHT) == set(known_exercises())
    assert set(WRONG) == set(known_exercises())


@pytest.mark.parametrize("name", known_exercises())
def test_right_and_open(name):
    for answer, context in RIGHT[name]:
        verdict = check(name, answer, **context)
        assert verdict.ok is True, (answer, verdict)
        assert repr(verdict) == f"RIGHT: {verdict.message}"
        still_open = check(name, ..., **context)
        assert still_open.ok is None
        assert repr(still_open) == "OPEN: replace the ... by your answer and run the cell again"


@pytest.mark.parametrize("name", known_exercises())
def test_wrong_answers_get_a_word(name):
    """Each its own; at least four usual faults are met with more than the plain hint."""
    words = set()
    for answer, context, word in WRONG[name]:
        verdict = check(name, answer, **context)
        assert verdict.ok is False, (answer, context)
        assert word in verdict.message, (answer, context)
        assert repr(verdict).startswith("NOT YET: ")
        if PLAIN_HINT not in verdict.message:
            words.add(word)
    assert len(words) >= 4, words


@pytest.mark.parametrize("name", known_exercises())
def test_every_exercise_has_hints_and_equivalent_answers(name):
    """Three hints; two right answers."""
    found = exercise(name)
    assert [bool(hint(name, step)) for step in (1, 2, 3)] == [True] * 3
    assert len(set(found.hints)) == 3
    assert found.rubric if found.rung == "judge" else not found.rubric
    assert len(RIGHT[name]) >= 2


WITH_A_MODEL = [name for name in known_exercises() if exercise(name).model]


@pytest.mark.parametrize("name", WITH_A_MODEL)
def test_a_page_goes_on_with_the_students_function_or_with_the_courses_own(name, capsys):
    (right, context), *_ = RIGHT[name]
    model = exercise(name).model
    assert check(name, model, **context), "the course's own function is right"
    assert carry_on(name, right, **context) is right
    assert capsys.readouterr().out == ""
    for unsolved in (..., lambda *arguments: ..., lambda *arguments: "wrong"):
        assert carry_on(name, unsolved, **context) is model
        assert "not solved yet" in capsys.readouterr().out


def test_there_is_nothing_to_go_on_with_where_no_function_was_asked_for():
    with pytest.raises(ValueError, match=r"04\.born has no function to go on with"):
        carry_on("04.born", ..., amplitudes=(0.6, 0.8j))


def test_known_exercises_stand_in_the_order_of_the_notebooks():
    numbers = [name[:2] for name in known_exercises()]
    assert numbers == sorted(numbers)
    assert len(set(known_exercises())) == len(known_exercises())


def test_unknown_exercise():
    known = ", ".join(known_exercises())
    for name in ("99.x", "00.x", "", "0.x", "nonsense"):
        with pytest.raises(ValueError, match=r"^unknown exercise") as caught:
            check(name, 1)
        assert str(caught.value) == f"unknown exercise {name!r}; known: {known}"
