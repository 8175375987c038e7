"""Answers to the exercises of notebook 04: right ones, usual wrong ones, what the hint says."""

import math

import numpy as np
import torch

from hqnn_utils.quantum import CircuitSpec

PRODUCT = torch.full((1, 4), 0.5, dtype=torch.complex128)
BELL = torch.tensor([[1, 0, 0, 1]], dtype=torch.complex128) / math.sqrt(2)

RIGHT = {
    "05.blind": [(CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RX", reupload=True), {})],
    "05.entangled": [(False, dict(state=PRODUCT)), (np.bool_(True), dict(state=BELL))],
    "05.identity": [
        (CircuitSpec(n_layers=4, mirror=True), {}),
        (CircuitSpec(n_layers=6, rotation="Rot", entangler="strong", mirror=True), {}),
    ],
}
WRONG = [
    ("05.blind", CircuitSpec(n_qubits=2, axis="Z"), {}, "repeat the encoding"),
    (
        "05.blind",
        CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RZ", reupload=True),
        {},
        "choose another trainable rotation",
    ),
    ("05.blind", CircuitSpec(n_qubits=2), {}, 'axis="Z"'),
    ("05.blind", 3, {}, "expected a CircuitSpec"),
    ("05.entangled", True, dict(state=PRODUCT), "compute Q"),
    ("05.entangled", False, dict(state=BELL), "compute Q"),
    ("05.entangled", 0.0, dict(state=PRODUCT), "expected True or False"),
    ("05.identity", CircuitSpec(n_layers=4), {}, "mirror=True"),
    ("05.identity", CircuitSpec(n_layers=2, mirror=True), {}, "at least 4 layers"),
    ("05.identity", CircuitSpec(n_layers=5, mirror=True), {}, "even n_layers"),
    ("05.identity", "mirror", {}, "expected a CircuitSpec"),
]
