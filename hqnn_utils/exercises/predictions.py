"""Predictions: what a student commits to before a run, confronted with what was seen.

They live in memory, as long as the kernel does; the answers themselves stand in the cells.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from hqnn_utils.exercises.values import listed, plain, read_number, show
from hqnn_utils.runtime.words import a_text


@dataclass
class Prediction:
    """What was said before the run, and what was seen after it (``...`` while it is open)."""

    name: str
    said: Any = ...
    seen: Any = ...
    unit: str = ""
    choices: tuple[str, ...] = ()
    message: str = ""

    @property
    def outcome(self) -> str:
        """``as predicted``, ``not as predicted``, the distance of two numbers, or nothing."""
        if self.said is ... or self.seen is ...:
            return ""
        if is_number(self.said) and is_number(self.seen):
            distance = abs(read_number(self.said).value - read_number(self.seen).value)
            return f"{distance:.3g}{self.unit} away"
        if self.choices:
            agree = plain(str(self.said)) == plain(str(self.seen))
            return "as predicted" if agree else "not as predicted"
        return ""

    def __repr__(self) -> str:
        return self.message


_made: dict[str, Prediction] = {}


def is_number(value) -> bool:
    """True for whole and decimal numbers, also for a number inside an array or tensor."""
    return not isinstance(value, str) and not isinstance(read_number(value), str)


def predict(name: str, answer=..., *, choices: Sequence[str] = (), unit: str = "") -> Prediction:
    """Commit to an answer before the run. It never fails, and nothing is graded.

    Parameters
    ----------
    name : the number of the notebook and a word: ``"02.winner"``.
    answer : a text, one of the choices or a number; ``...`` leaves it open.
    choices : the words to choose from, if it is a choice.
    unit : of a number, with the space that belongs before it: ``" images"``.

    Returns
    -------
    Prediction
        Shows OPEN or NOTED in a notebook.
    """
    choices = tuple(map(str, choices))
    made = Prediction(name, unit=unit, choices=choices)
    offered = f" Choose one of {listed(choices)}." if choices else ""
    allowed = [plain(option) for option in choices]
    if answer is ...:
        made.message = f"OPEN: replace the ... by your prediction before you go on.{offered}"
    elif choices and plain(str(answer)) not in allowed:
        made.message = f"OPEN: {answer!r} is none of the choices.{offered}"
    else:
        made.said = choices[allowed.index(plain(str(answer)))] if choices else answer
        made.message = f"NOTED: {said_as_text(made)}. You will be shown what happened."
    _made[name] = made
    return made


def reveal(name: str, seen, because: str = "") -> Prediction:
    """Confront a prediction with what was seen, in a sentence.

    Parameters
    ----------
    name : as in ``predict``. A prediction that was never made counts as open.
    seen : the result, of the kind that was asked for.
    because : a sentence or two on it, made from the values.
    """
    made = replace(_made.get(name, Prediction(name)), seen=seen)
    _made[name] = made
    shown = as_text(seen, made.unit)
    if made.said is ...:
        made.message = f"You made no prediction. Seen: {shown}."
    elif made.outcome:
        made.message = f"You predicted {said_as_text(made)}. Seen: {shown} ({made.outcome})."
    else:
        made.message = f"You predicted {said_as_text(made)}. Seen: {shown}."
    if because:
        made.message += f" {because}"
    return made


def said_as_text(made: Prediction) -> str:
    """What the student said, with its unit."""
    return as_text(made.said, made.unit)


def as_text(value, unit: str = "") -> str:
    """A number in four digits with its unit, a text as it is."""
    return f"{show(value)}{unit}" if is_number(value) else str(value)


def predictions(notebook: str):
    """The list of a notebook's predictions: predicted, seen, and how far apart.

    Parameters
    ----------
    notebook : its two digits, ``"02"``.

    Returns
    -------
    pandas.DataFrame
        One row for each ``predict`` or ``reveal`` that was run, in their order.
    """
    import pandas as pd

    a_text("notebook", notebook)
    rows = [made for name, made in _made.items() if name.startswith(f"{notebook}.")]
    return pd.DataFrame(
        {
            "predicted": ["open" if m.said is ... else said_as_text(m) for m in rows],
            "seen": ["" if m.seen is ... else as_text(m.seen, m.unit) for m in rows],
            "outcome": [m.outcome for m in rows],
        },
        index=pd.Index([m.name.split(".", 1)[1] for m in rows], name="prediction"),
    )
