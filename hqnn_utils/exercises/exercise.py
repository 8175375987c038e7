"""What an exercise is, and what a check says about an answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

OPEN_MESSAGE = "replace the ... by your answer and run the cell again"
N_HINTS = 3
RUNGS = {
    "read": "read a number off a table, a figure or a file, or compute one",
    "write": "write a function; it is tried on inputs that the student has not seen",
    "fault": "find the fault in a given analysis",
    "judge": "design or judge something in a paragraph",
}


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check. It counts as true only if the answer is right.

    Attributes
    ----------
    ok : True, False, or ``None`` for an exercise still open.
    message : what is right about it, or what to look at.
    """

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        words = {True: "RIGHT", False: "NOT YET", None: "OPEN"}
        return f"{words[self.ok]}: {self.message}"


@dataclass(frozen=True)
class Exercise:
    """One exercise.

    Attributes
    ----------
    grade : callable
        Takes the answer, and by name what the notebook's cell gives; returns a ``Verdict``.
    rung : str
        Its place on the ladder: ``read``, ``write``, ``fault`` or ``judge``.
    hints : three texts
        From a nudge to nearly the answer; never the solution itself.
    rubric : str
        For ``judge``: what an instructor looks for in the paragraph.
    model : callable or None
        For a function that the rest of the notebook uses: a right one, with which the page goes on
        (``carry_on``) as long as the student's own is not right.
    """

    grade: Callable[..., Verdict]
    rung: str
    hints: tuple[str, ...]
    rubric: str = ""
    model: Callable | None = None

    def __post_init__(self) -> None:
        if self.rung not in RUNGS:
            raise ValueError(f"unknown rung {self.rung!r}; known: {', '.join(RUNGS)}")
        if isinstance(self.hints, str) or len(self.hints) != N_HINTS:
            raise ValueError(f"give {N_HINTS} hints, from a nudge to nearly the answer")
