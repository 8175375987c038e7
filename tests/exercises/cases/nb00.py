"""Answers to the exercises of notebook 00: right ones, usual wrong ones, what the hint says."""

import numpy as np

from hqnn_utils.quantum import CircuitSpec

LABELS = np.array([1] * 42 + [0] * 114)
COUNTS = dict(tn=105, fp=9, fn=13, tp=29)

RIGHT = {
    "00.majority": [(114 / 156, dict(labels=LABELS))],
    "00.sensitivity": [(29 / 42, dict(confusion=COUNTS))],
    "00.circuit": [
        (CircuitSpec(n_layers=2, rotation="Rot"), dict(n_weights=24)),
        (CircuitSpec(n_layers=6), dict(n_weights=24)),
    ],
}
WRONG = [
    ("00.majority", 42 / 156, dict(labels=LABELS), "smaller class"),
    ("00.majority", 0.5, dict(labels=LABELS), "not equally frequent"),
    ("00.majority", 73.0769, dict(labels=LABELS), "not per cent"),
    ("00.majority", 0.74, dict(labels=LABELS), "not it"),
    ("00.majority", "many", dict(labels=LABELS), "expected one number"),
    ("00.sensitivity", 105 / 114, dict(confusion=COUNTS), "specificity"),
    ("00.sensitivity", 29 / 38, dict(confusion=COUNTS), "precision"),
    ("00.sensitivity", 134 / 156, dict(confusion=COUNTS), "accuracy"),
    ("00.sensitivity", None, dict(confusion=COUNTS), "expected one number"),
    ("00.circuit", CircuitSpec(), dict(n_weights=24), "8 trainable angles, wanted 24"),
    ("00.circuit", CircuitSpec(n_qubits=6, n_layers=4), dict(n_weights=24), "keep 4 qubits"),
    ("00.circuit", CircuitSpec(n_layers=6, entangler="none"), dict(n_weights=24), "never meet"),
    ("00.circuit", 24, dict(n_weights=24), "expected a CircuitSpec"),
]
