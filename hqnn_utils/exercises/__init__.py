"""Self-checks for the exercises: ``check("00.majority", answer)`` says whether an answer is right.

If not, it hints. An exercise that nobody has touched holds ``...`` and is reported as open, so
that an unsolved notebook still runs. Each check computes the truth from the given context; none
compares with a stored number that somebody typed in.

A new exercise is a function in ``nbNN.py`` (NN is the notebook) with an entry in its ``CHECKS``,
and its right and wrong answers in ``tests/exercises/cases/nbNN.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules

__all__ = ["Verdict", "check", "known_exercises", "number"]


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check. It counts as true only if the answer is right.

    Attributes
    ----------
    ok : True, False, or ``None`` for an exercise still open.
    message : what is right about it, or a hint.
    """

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        words = {True: "RIGHT", False: "NOT YET", None: "OPEN"}
        return f"{words[self.ok]}: {self.message}"


def number(
    answer, truth: float, tolerance: float, right: str, hints: dict[float, str] | None = None
) -> Verdict:
    """Grade one number.

    Parameters
    ----------
    answer : what the student wrote.
    truth, tolerance : right is what differs from ``truth`` by at most ``tolerance``.
    right : the message for a right answer.
    hints : usual wrong values, and what to say to them. The first that fits is said.
    """
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return Verdict(False, f"expected one number, got {type(answer).__name__}")
    if abs(value - truth) <= tolerance:
        return Verdict(True, right)
    for wrong, hint in (hints or {}).items():
        if abs(value - wrong) <= tolerance:
            return Verdict(False, hint)
    return Verdict(False, f"{value:.4g} is not it; look at the definition once more")


def known_exercises() -> list[str]:
    """Names of all exercises, notebook by notebook."""
    modules = sorted(m.name for m in iter_modules(__path__) if m.name.startswith("nb"))
    return [name for module in modules for name in import_module(f"{__name__}.{module}").CHECKS]


def check(exercise: str, answer, **context) -> Verdict:
    """Grade an answer. ``...`` means not tried yet.

    Parameters
    ----------
    exercise : its name, the number of the notebook and a word: ``"00.majority"``.
    context : what the check needs to compute the truth, as the notebook's cell gives it.

    Raises
    ------
    ValueError : an unknown exercise; the message names the known ones.
    """
    try:
        grade = import_module(f"{__name__}.nb{exercise[:2]}").CHECKS[exercise]
    except (ImportError, KeyError):
        raise ValueError(
            f"unknown exercise {exercise!r}; known: {', '.join(known_exercises())}"
        ) from None
    if answer is ...:
        return Verdict(None, "replace the ... by your answer and run the cell again")
    return grade(answer, **context)
