"""Predictions, self-checks and hints for the exercises.

- ``predict("02.winner", answer)`` keeps what a student commits to before a run, ``reveal`` shows
  it beside the result, ``predictions("02")`` lists them all.
- ``check("02.ppv", answer)`` says RIGHT, NOT YET or OPEN. An exercise that nobody has touched holds
  ``...`` and is open, so that an unsolved notebook still runs. Each check computes the truth from
  the given context; none compares with a stored number that somebody typed in.
- ``hint("02.ppv")`` gives the next of three hints.
- ``quiz("04")`` shows six questions with feedback.
- ``carry_on("04.apply", apply)`` gives the student's function, or the course's while it is open.

A new exercise is an ``Exercise`` in the ``EXERCISES`` of ``nbNN.py`` (NN is the notebook), with its
right and wrong answers in ``tests/exercises/cases/nbNN.py``.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, RUNGS, Exercise, Verdict
from hqnn_utils.exercises.predictions import Prediction, predict, predictions, reveal
from hqnn_utils.exercises.quiz import quiz
from hqnn_utils.exercises.values import holds_open
from hqnn_utils.runtime.arguments import checked

__all__ = [
    "RUNGS",
    "Exercise",
    "Hint",
    "Prediction",
    "Verdict",
    "carry_on",
    "check",
    "exercise",
    "hint",
    "known_exercises",
    "predict",
    "predictions",
    "quiz",
    "reveal",
]


class Hint(str):
    """A text that a notebook shows without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


_given: dict[str, int] = {}


def known_exercises() -> list[str]:
    """Names of all exercises, notebook by notebook."""
    return [name for module in _modules() for name in _exercises_of(module)]


def _modules() -> list[str]:
    return sorted(m.name for m in iter_modules(__path__) if m.name.startswith("nb"))


def _exercises_of(module: str) -> dict[str, Exercise]:
    return import_module(f"{__name__}.{module}").EXERCISES


def exercise(name: str) -> Exercise:
    """Return an exercise by its name, the number of the notebook and a word: ``"00.majority"``.

    Raises
    ------
    ValueError : an unknown exercise; the message names the known ones.
    """
    module = f"nb{name[:2]}"
    if module in _modules() and name in _exercises_of(module):
        return _exercises_of(module)[name]
    raise ValueError(f"unknown exercise {name!r}; known: {', '.join(known_exercises())}")


def check(name: str, answer, **context) -> Verdict:
    """Grade an answer. ``...``, also as a part of it, means not tried yet.

    Parameters
    ----------
    name : as in ``exercise``.
    answer : a number, a text, a function: what the exercise asks for.
    context : what the check needs to compute the truth, as the notebook's cell gives it.
    """
    found = exercise(name)
    if holds_open(answer):
        return Verdict(None, OPEN_MESSAGE)
    return found.grade(answer, **context)


def carry_on(name: str, answer, **context):
    """Return the student's function if it is right, else the course's own.

    A notebook that builds on what a student writes can so be read on, whatever was solved. Student
    versions have a cell with this call where the solution was.

    Parameters
    ----------
    name, answer, context : as in ``check``.

    Raises
    ------
    ValueError : an unknown exercise, or one without a function to go on with.
    """
    if check(name, answer, **context):
        return answer
    model = exercise(name).model
    if model is None:
        raise ValueError(f"{name} has no function to go on with: give its Exercise a model")
    print(f"{name} is not solved yet: the page goes on with the course's own function.")
    return model


def hint(name: str, step: int | None = None) -> Hint:
    """Give the next hint of an exercise: the first is a nudge, the third nearly the answer.

    Parameters
    ----------
    name : as in ``exercise``.
    step : 1, 2 or 3 for a certain one; without it, each call goes one further.

    Raises
    ------
    ValueError : an unknown exercise, or a step that it does not have.
    """
    texts = exercise(name).hints
    if step is None:
        step = min(_given.get(name, 0) + 1, len(texts))
        _given[name] = step
    if step not in range(1, len(texts) + 1):
        raise ValueError(f"{name} has hints 1 to {len(texts)}, not {step!r}")
    last = " (the last one)" if step == len(texts) else ""
    return Hint(f"Hint {step} of {len(texts)}{last}: {texts[step - 1]}")


checked(__name__)
