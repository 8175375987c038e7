"""Self-checks for the exercises: ``check("00.wilson", answer)`` says whether an answer is right, and hints if not.

An exercise that nobody has touched holds ``...`` and is reported as open, so that an unsolved notebook still runs.
Each check recomputes the truth from the given context; none compares with a stored number that somebody typed in.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: ``ok`` is True, False, or ``None`` for an exercise still open. Falsy unless it is right."""

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        return {True: "RIGHT: ", False: "NOT YET: ", None: "OPEN: "}[self.ok] + self.message


def number(
    answer, truth: float, tolerance: float, right: str, hints: dict[float, str] | None = None
) -> Verdict:
    """Accept ``truth`` within ``tolerance``; recognise usual wrong values and say what they are."""
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
    """Names of all exercises, notebook by notebook. One module ``nbNN`` holds the checks of notebook NN."""
    modules = sorted(m.name for m in iter_modules(__path__) if m.name.startswith("nb"))
    return [name for module in modules for name in import_module(f"{__name__}.{module}").CHECKS]


def check(exercise: str, answer, **context) -> Verdict:
    """Grade an answer. ``...`` means not tried yet. Raises ValueError for an unknown exercise and names the known ones."""
    try:
        grade = import_module(f"{__name__}.nb{exercise[:2]}").CHECKS[exercise]
    except (ImportError, KeyError):
        raise ValueError(
            f"unknown exercise {exercise!r}; known: {', '.join(known_exercises())}"
        ) from None
    if answer is ...:
        return Verdict(None, "replace the ... by your answer and run the cell again")
    return grade(answer, **context)
