"""Each check accepts right answers, meets wrong ones with a hint, and leaves open what is open.

The answers stand in ``cases/nbNN.py``, one file a notebook. ``RIGHT`` maps an exercise to pairs
(answer, context); ``WRONG`` lists (exercise, answer, context, what the hint must say).
"""

import runpy
from pathlib import Path

import pytest

from hqnn_utils.exercises import Verdict, check, known_exercises, number

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


def test_a_number_is_right_up_to_the_tolerance():
    hints = {3.0: "three", 3.5: "three and a half"}
    assert number(1.25, 1.0, 0.25, "right", hints) == Verdict(True, "right")
    assert number("0.75", 1.0, 0.25, "right", hints) == Verdict(True, "right")
    assert number(3.25, 1.0, 0.25, "right", hints) == Verdict(False, "three")
    assert number(3.75, 1.0, 0.25, "right", hints) == Verdict(False, "three and a half")
    for value, shown in ((0.74, "0.74"), (4.0, "4"), (123456, "1.235e+05")):
        message = f"{shown} is not it; look at the definition once more"
        assert number(value, 1.0, 0.25, "right", hints) == Verdict(False, message)
    for value, kind in ((None, "NoneType"), ("many", "str"), ([1, 2], "list")):
        assert number(value, 1.0, 0.25, "right") == Verdict(
            False, f"expected one number, got {kind}"
        )


def test_known_exercises_stand_in_the_order_of_the_notebooks():
    numbers = [name[:2] for name in known_exercises()]
    assert numbers == sorted(numbers)
    assert known_exercises()[:3] == ["00.majority", "00.sensitivity", "00.circuit"]
