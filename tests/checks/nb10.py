"""Answers to the exercises of notebook 10: right ones, usual wrong ones, and what the hint must say."""

from hqnn_utils.circuits import CircuitSpec

BIG = dict(spec=CircuitSpec(n_qubits=8, n_layers=3), images=546)

RIGHT = {
    "10.shots": [(10_000, dict(error=0.01))],
    "10.circuits": [(546 * 65, BIG)],
    "10.memory": [(29, dict(gib=12, copies=3))],
}
WRONG = [
    ("10.shots", 100, dict(error=0.01), "square it"),
    ("10.circuits", 546 * 64, BIG, "the value itself"),
    ("10.circuits", 546 * 33, BIG, "two shifted circuits"),
    ("10.circuits", 546 * 49, BIG, "inputs are angles too"),
    ("10.circuits", 65, BIG, "one image"),
    ("10.memory", 30, dict(gib=12, copies=3), "one copy"),
    ("10.memory", 28, dict(gib=12, copies=3), "8 bytes"),
    ("10.memory", 40, dict(gib=12, copies=3), "look at the definition"),
]
