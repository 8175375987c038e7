"""Checks of the exercises in notebook 00."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import number


def _majority(answer, *, labels) -> Verdict:
    share = float(np.mean(np.asarray(labels) == 0))
    hints = {
        1 - share: "that is the share of the smaller class: which answer would you always give?",
        0.5: "the classes are not equally frequent",
        100 * share: "give a fraction between 0 and 1, not per cent",
    }
    right = f"always answering 'not malignant' already scores {share:.3f}"
    return number(answer, share, right, hints.items(), tolerance=5e-4)


def _sensitivity(answer, *, confusion) -> Verdict:
    tn, fp, fn, tp = (confusion[key] for key in ("tn", "fp", "fn", "tp"))
    specificity = tn / max(tn + fp, 1)
    precision = tp / max(tp + fp, 1)
    accuracy = (tp + tn) / (tn + fp + fn + tp)
    hints = {
        specificity: "that is the specificity: divide by the malignant images",
        precision: "that is the precision: divide by the truly malignant, not by those called so",
        accuracy: "that is the accuracy",
    }
    right = f"{tp} of {tp + fn} malignant images were found"
    return number(answer, tp / (tp + fn), right, hints.items(), tolerance=5e-4)


def _circuit(answer, *, n_weights: int) -> Verdict:
    from hqnn_utils.quantum import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4:
        return Verdict(False, f"keep 4 qubits, got {answer.n_qubits}")
    if answer.n_weights != n_weights:
        return Verdict(
            False,
            f"your circuit has {answer.n_weights} trainable angles, wanted {n_weights}: "
            "angles = layers x qubits (x 3 for Rot)",
        )
    if answer.entangler == "none":
        return Verdict(False, "without an entangler the qubits never meet: keep one")
    return Verdict(True, f"{answer.label()} has {answer.n_weights} trainable angles")


EXERCISES = {
    "00.majority": Exercise(_majority, "read"),
    "00.sensitivity": Exercise(_sensitivity, "read"),
    "00.circuit": Exercise(_circuit, "read"),
}
