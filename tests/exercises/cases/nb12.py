"""Answers to the exercises of notebook 12: right ones, usual wrong ones, what the hint says."""

from hqnn_utils.quantum import CircuitSpec

BIG = dict(spec=CircuitSpec(n_qubits=8, n_layers=3), images=546)

RIGHT = {
    "12.shots": [(10_000, dict(error=0.01))],
    "12.circuits": [(546 * 65, BIG)],
    "12.memory": [(29, dict(gib=12, copies=3))],
}
WRONG = [
    ("12.shots", 100, dict(error=0.01), "square it"),
    ("12.circuits", 546 * 64, BIG, "the value itself"),
    ("12.circuits", 546 * 33, BIG, "two shifted circuits"),
    ("12.circuits", 546 * 49, BIG, "inputs are angles too"),
    ("12.circuits", 65, BIG, "one image"),
    ("12.memory", 30, dict(gib=12, copies=3), "one copy"),
    ("12.memory", 28, dict(gib=12, copies=3), "8 bytes"),
    ("12.memory", 40, dict(gib=12, copies=3), "look at the definition"),
]
