"""Each check accepts right answers, meets wrong ones with a hint, and leaves open what is open.

The answers stand in ``cases/nbNN.py``, one file a notebook. ``RIGHT`` maps an exercise to pairs
(answer, context); ``WRONG`` lists (exercise, answer, context, what the hint must say).
"""

import runpy
from pathlib import Path

import pytest

from hqnn_utils.exercises import Verdict, check, known_exercises
from hqnn_utils.exercises.grading import function, number

RIGHT, WRONG = {}, []
for file in sorted((Path(__file__).parent / "cases").glob("nb*.py")):
    cases = runpy.run_path(str(file))
    RIGHT |= cases["RIGHT"]
    WRONG += cases["WRONG"]


def test_every_check_is_tried():
    assert set(RIGHT) == set(known_exercises())
    assert {exercise for exercise, *_ in WRONG} == set(known_exercises())


@pytest.mark.parametrize("name", known_exercises())
def test_right_and_open(name):
    for answer, context in RIGHT[name]:
        verdict = check(name, answer, **context)
        assert verdict
        assert verdict.ok is True
        assert repr(verdict) == f"RIGHT: {verdict.message}"
        still_open = check(name, ..., **context)
        assert not still_open
        assert still_open.ok is None
        assert repr(still_open) == "OPEN: replace the ... by your answer and run the cell again"


@pytest.mark.parametrize(("name", "answer", "context", "hint"), WRONG)
def test_wrong_answers_get_a_hint(name, answer, context, hint):
    verdict = check(name, answer, **context)
    assert verdict.ok is False
    assert not verdict
    assert hint in verdict.message
    assert repr(verdict).startswith("NOT YET: ")


def test_unknown_exercise():
    with pytest.raises(ValueError, match=r"^unknown exercise '99\.x'; known: 00\.majority, 00\.s"):
        check("99.x", 1)
    with pytest.raises(ValueError, match=r"^unknown exercise '00\.x'; known: .*, 12\.memory$"):
        check("00.x", 1)


def test_a_number_is_right_up_to_honest_rounding():
    wrong = [(0.2692, "the share of the others"), (0.5, "a coin")]
    for value in (0.7308, 0.731, 0.73, "0.73", 0.7307692, 73.1, 73, 73.08):
        verdict = number(value, 0.73077, "right", wrong, share=True)
        assert verdict.ok is True, value
        assert ("per cent" in verdict.message) == (float(value) > 1), value
    for value in (0.7, 0.7346, 0.74, 7.3, 72.4, 730.8):
        assert number(value, 0.73077, "right", wrong, share=True).ok is False, value
    assert number(0.7, 0.73077, "right").message == (
        "0.7 is rounded too far: give at least two digits"
    )
    assert number(73.1, 0.73077, "right").message.startswith("73.1 is not it; look at the")
    for value in (0.269, 0.27, 26.9):
        assert number(value, 0.73077, "right", wrong, share=True).message == (
            "the share of the others"
        )
    assert number(4.056, 4.0561, "right").ok is True
    assert number(13, 13, "right", whole=True).ok is True
    assert number(13.01, 13, "right", whole=True).ok is False


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (None, "expected one number, got NoneType"),
        ("many", "expected one number, got str"),
        ([1, 2], "expected one number, got list"),
        (True, "expected one number, got True or False"),
        (float("nan"), "expected one finite number, got nan"),
    ],
)
def test_what_is_no_number(value, found):
    assert number(value, 1.0, "right") == Verdict(False, found)


def test_known_exercises_stand_in_the_order_of_the_notebooks():
    numbers = [name[:2] for name in known_exercises()]
    assert numbers == sorted(numbers)
    assert known_exercises()[:3] == ["00.majority", "00.sensitivity", "00.circuit"]


def test_a_function_of_a_function():
    def slope(f, x):
        return f(x + 1) - f(x)

    def square(x):
        return x * x

    verdict = function(slope, lambda f, x: 2 * x + 1, [(square, 3)], "right", names=["f", "x"])
    assert verdict.ok is True
    verdict = function(slope, lambda f, x: 2 * x, [(square, 3)], "right", names=["f", "x"])
    assert verdict.message == "with f = a function, x = 3 it gives 7, expected 6"
