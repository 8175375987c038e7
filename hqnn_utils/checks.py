"""Self-checks for the exercises: ``check("00.wilson", answer)`` says whether an answer is right, and hints if not.

An exercise that nobody has touched holds ``...`` and is reported as open, so that an unsolved notebook still runs.
Each check recomputes the truth from the given context; none compares with a stored number that somebody typed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: ``ok`` is True, False, or ``None`` for an exercise still open. Falsy unless it is right."""

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        return {True: "RIGHT: ", False: "NOT YET: ", None: "OPEN: "}[self.ok] + self.message


def _number(answer, truth: float, tolerance: float, right: str, hints: dict[float, str] | None = None) -> Verdict:
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


def _majority(answer, *, labels) -> Verdict:
    labels = np.asarray(labels)
    share = float(np.mean(labels == 0))
    return _number(answer, share, 5e-4, f"always answering 'not malignant' already scores {share:.3f}",
                   {1 - share: "that is the share of the smaller class: which answer would you always give?",
                    0.5: "the classes are not equally frequent", 100 * share: "give a fraction between 0 and 1, not per cent"})  # fmt: skip


def _sensitivity(answer, *, confusion) -> Verdict:
    c = confusion
    truth = c["tp"] / (c["tp"] + c["fn"])
    return _number(answer, truth, 5e-4, f"{c['tp']} of {c['tp'] + c['fn']} malignant images were found",
                   {c["tn"] / max(c["tn"] + c["fp"], 1): "that is the specificity: divide by the malignant images",
                    c["tp"] / max(c["tp"] + c["fp"], 1): "that is the precision: divide by the truly malignant, not by those called so",
                    (c["tp"] + c["tn"]) / sum(c.values()): "that is the accuracy"})  # fmt: skip


def _circuit(answer, *, n_weights: int) -> Verdict:
    from .circuits import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4:
        return Verdict(False, f"keep 4 qubits, got {answer.n_qubits}")
    if answer.n_weights != n_weights:
        return Verdict(False, f"your circuit has {answer.n_weights} trainable angles, wanted {n_weights}: angles = layers x qubits (x 3 for Rot)")
    if answer.entangler == "none":
        return Verdict(False, "without an entangler the qubits never meet: keep one")
    return Verdict(True, f"{answer.label()} has {answer.n_weights} trainable angles")


CHECKS = {"00.majority": _majority, "00.sensitivity": _sensitivity, "00.circuit": _circuit}


def check(exercise: str, answer, **context) -> Verdict:
    """Grade an answer. ``...`` means not tried yet. Raises ValueError for an unknown exercise and names the known ones."""
    from .runtime import choose

    choose("exercise", exercise, CHECKS)
    if answer is ...:
        return Verdict(None, "replace the ... by your answer and run the cell again")
    return CHECKS[exercise](answer, **context)
