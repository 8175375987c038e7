"""Checks of the exercises in notebook 00."""

from __future__ import annotations

import numpy as np

from . import Verdict, number


def _majority(answer, *, labels) -> Verdict:
    labels = np.asarray(labels)
    share = float(np.mean(labels == 0))
    return number(
        answer,
        share,
        5e-4,
        f"always answering 'not malignant' already scores {share:.3f}",
        {
            1
            - share: "that is the share of the smaller class: which answer would you always give?",
            0.5: "the classes are not equally frequent",
            100 * share: "give a fraction between 0 and 1, not per cent",
        },
    )


def _sensitivity(answer, *, confusion) -> Verdict:
    c = confusion
    truth = c["tp"] / (c["tp"] + c["fn"])
    return number(
        answer,
        truth,
        5e-4,
        f"{c['tp']} of {c['tp'] + c['fn']} malignant images were found",
        {
            c["tn"]
            / max(c["tn"] + c["fp"], 1): "that is the specificity: divide by the malignant images",
            c["tp"]
            / max(
                c["tp"] + c["fp"], 1
            ): "that is the precision: divide by the truly malignant, not by those called so",
            (c["tp"] + c["tn"]) / sum(c.values()): "that is the accuracy",
        },
    )


def _circuit(answer, *, n_weights: int) -> Verdict:
    from hqnn_utils.quantum import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4:
        return Verdict(False, f"keep 4 qubits, got {answer.n_qubits}")
    if answer.n_weights != n_weights:
        return Verdict(
            False,
            f"your circuit has {answer.n_weights} trainable angles, wanted {n_weights}: angles = layers x qubits (x 3 for Rot)",
        )
    if answer.entangler == "none":
        return Verdict(False, "without an entangler the qubits never meet: keep one")
    return Verdict(True, f"{answer.label()} has {answer.n_weights} trainable angles")


CHECKS = {"00.majority": _majority, "00.sensitivity": _sensitivity, "00.circuit": _circuit}
