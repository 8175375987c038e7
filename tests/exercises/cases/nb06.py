"""Answers to the exercises of notebook 06: right ones, usual wrong ones, what the hint says."""

import torch

from hqnn_utils.quantum import CircuitSpec

RIGHT = {
    "06.shifts": [(24, dict(spec=CircuitSpec()))],
    "06.cosine": [
        (lambda x, theta: torch.cos(x + theta), {}),
        (lambda x, t: torch.cos(x) * torch.cos(t) - torch.sin(x) * torch.sin(t), {}),
    ],
    "06.bytes": [(16777216, dict(qubits=16, batch=32))],
}
WRONG = [
    ("06.shifts", 12, dict(spec=CircuitSpec()), "two runs"),
    ("06.shifts", 16, dict(spec=CircuitSpec()), "inputs are angles too"),
    ("06.shifts", 96, dict(spec=CircuitSpec()), "all outputs at once"),
    ("06.cosine", lambda x, t: torch.cos((x + t) / 2), {}, "half angle"),
    ("06.cosine", lambda x, t: torch.cos(x) * torch.cos(t), {}, "add up"),
    ("06.cosine", lambda x, t: torch.sin(x + t), {}, "start with theta = 0"),
    ("06.cosine", 7, {}, "failed"),
    ("06.bytes", 2**21, dict(qubits=16, batch=32), "8 bytes"),
    ("06.bytes", 2**19, dict(qubits=16, batch=32), "one state"),
    ("06.bytes", 4096, dict(qubits=16, batch=32), "not n"),
]
