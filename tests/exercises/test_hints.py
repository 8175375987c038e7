"""Hints come one by one; an exercise says what it is; open answers stay open."""

import pytest

from hqnn_utils import exercises
from hqnn_utils.exercises import Exercise, Verdict, check, exercise, hint
from hqnn_utils.exercises.grading import number

HINTS = ("a nudge", "the way", "nearly the answer")


@pytest.fixture(autouse=True)
def _toy(monkeypatch):
    """One exercise of a notebook 98."""

    def grade(answer, *, truth):
        return number(answer, truth, "right")

    toys = {"98.a": Exercise(grade, "read", HINTS)}
    monkeypatch.setattr(exercises, "_modules", lambda: ["nb98"])
    monkeypatch.setattr(exercises, "_exercises_of", {"nb98": toys}.__getitem__)
    monkeypatch.setattr(exercises, "_given", {})


def test_each_call_goes_one_further():
    assert repr(hint("98.a")) == str(hint("98.a", 1)) == "Hint 1 of 3: a nudge"
    assert hint("98.a") == "Hint 2 of 3: the way"
    assert hint("98.a", 1) == "Hint 1 of 3: a nudge"
    assert hint("98.a") == "Hint 3 of 3 (the last one): nearly the answer"
    assert hint("98.a") == "Hint 3 of 3 (the last one): nearly the answer"


@pytest.mark.parametrize("step", [0, 4, -1, "2", 1.5])
def test_steps_that_are_not_there(step):
    said = rf"98\.a has hints 1 to 3, not {step}"
    if not isinstance(step, int):
        said = f"step must be a whole number or None, got {step!r}"
    with pytest.raises(ValueError, match=f"^{said}$"):
        hint("98.a", step)


def test_unknown_exercises():
    with pytest.raises(ValueError, match=r"^unknown exercise '98\.b'; known: 98\.a$"):
        hint("98.b")
    with pytest.raises(ValueError, match=r"^unknown exercise '97\.a'; known: 98\.a$"):
        exercise("97.a")


@pytest.mark.parametrize("answer", [..., (1, ...), [...], {"low": 1, "high": ...}, [(1, ...)]])
def test_an_answer_with_an_open_part_is_open(answer):
    verdict = check("98.a", answer, truth=1)
    assert verdict.ok is None
    assert not verdict
    assert repr(verdict) == "OPEN: replace the ... by your answer and run the cell again"


def test_context_reaches_the_check():
    assert check("98.a", 0.73, truth=0.7308) == Verdict(True, "right")
    assert check("98.a", 0.73, truth=0.8).ok is False
    with pytest.raises(TypeError):
        check("98.a", 0.73)


def test_a_verdict_counts_only_if_it_is_right():
    assert [bool(Verdict(ok, "")) for ok in (True, False, None)] == [True, False, False]
    shown = [repr(Verdict(ok, "why")) for ok in (True, False, None)]
    assert shown == ["RIGHT: why", "NOT YET: why", "OPEN: why"]


@pytest.mark.parametrize("hints", ["abc", (), HINTS[:2], (*HINTS, "more")])
def test_there_are_three_hints(hints):
    with pytest.raises(ValueError, match=r"^give 3 hints, from a nudge to nearly the answer$"):
        Exercise(number, "read", hints)


def test_rungs():
    for rung in ("read", "write", "fault", "judge"):
        assert Exercise(number, rung, HINTS).rung == rung
    with pytest.raises(ValueError, match=r"^unknown rung 'guess'; known: read, write, "):
        Exercise(number, "guess", HINTS)
