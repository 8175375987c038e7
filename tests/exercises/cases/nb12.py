"""Answers to the exercises of notebook 12: right ones, usual wrong ones, what is said to them."""

import math

from judges import pennylanes_count

from hqnn_utils.quantum import CircuitSpec

ERROR = dict(error=0.01)
BIG = dict(spec=CircuitSpec(n_qubits=8, n_layers=3, reupload=True), images=546)
ONCE = dict(spec=CircuitSpec(n_qubits=8, n_layers=3), images=546)
SMALL = dict(spec=CircuitSpec(n_qubits=3, n_layers=2, reupload=True), images=5)
ROOM = dict(gib=12, copies=3)
UNEVEN = dict(gib=10, copies=3)  # 28.7


RIGHT = {
    "12.shots": [(10_000, ERROR), (1e4, ERROR), ("10_000", ERROR), (1 / 0.01**2, ERROR)],
    "12.circuits": [
        (546 * 97, BIG),
        (546 * 65, ONCE),
        (SMALL["images"] * pennylanes_count(SMALL["spec"]), SMALL),
        (52962.0, BIG),
    ],
    "12.memory": [(29, ROOM), (29.0, ROOM), (28, UNEVEN)],
}
WRONG = [
    ("12.shots", 100, ERROR, "square root of the shots"),
    ("12.shots", 10, ERROR, "the other way"),
    ("12.shots", 2500, ERROR, "twice as wide"),
    ("12.shots", 38416, ERROR, "95 % interval"),
    ("12.shots", 0.0001, ERROR, "many shots"),
    ("12.shots", 20_000, ERROR, "not a difference of two"),
    ("12.shots", 12_000, ERROR, "12000 is not it"),
    ("12.circuits", 546 * 96, BIG, "the value itself"),
    ("12.circuits", 546 * 49, BIG, "two shifted circuits"),
    ("12.circuits", 546 * 49, ONCE, "inputs are angles too"),
    ("12.circuits", 546 * 65, BIG, "an angle in each layer"),
    ("12.circuits", 97, BIG, "one image"),
    ("12.circuits", 546 * 97 * 8, BIG, "all outputs at once"),
    ("12.circuits", 546, BIG, "how many for the gradients"),
    ("12.memory", 29, UNEVEN, "round down"),
    ("12.memory", math.log2(10 * 2**30 / 24), UNEVEN, "half a qubit"),
    ("12.memory", 28, ROOM, "8 bytes, not 16"),
    ("12.memory", 32, ROOM, "more room, not less"),
    ("12.memory", 30, UNEVEN, "one copy only"),
    ("12.memory", 30, ROOM, "one copy only"),
    ("12.memory", 12 * 2**30 / 24, ROOM, "number of amplitudes"),
    ("12.memory", 20, ROOM, "logarithm to base 2"),
    ("12.memory", 40, ROOM, "look at the definition"),
]
