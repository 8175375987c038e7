"""Answers to the exercises of notebook 06: right ones, usual wrong ones, what is said to them."""

import math

import numpy as np
import pennylane as qp
import torch

from hqnn_utils.quantum import CircuitSpec, build_qnode

SPEC = dict(spec=CircuitSpec())
ROT = dict(spec=CircuitSpec(rotation="Rot", entangler="strong", n_layers=3))
STATES = dict(qubits=16, batch=32)


def pennylanes_count(spec):
    """What PennyLane's tracker counts for one image: the forward run and the shifted ones."""
    device = qp.device("default.qubit", wires=spec.n_qubits)
    node = build_qnode(spec, device=device, diff_method="parameter-shift")
    x = torch.zeros(spec.n_inputs, dtype=torch.float64, requires_grad=True)
    weights = torch.zeros(spec.weight_shape, dtype=torch.float64, requires_grad=True)
    with qp.Tracker(device) as tracker:
        torch.stack(list(node(x, weights))).sum().backward()
    return tracker.totals["executions"]


def by_matrices(x, theta):
    """RX(theta) RX(x) on |0>, as two amplitudes."""
    half = (x + theta) / 2
    return torch.cos(half) ** 2 - torch.sin(half) ** 2


RIGHT = {
    "06.shifts": [
        (24, SPEC),
        (24.0, SPEC),
        (pennylanes_count(SPEC["spec"]), SPEC),
        (pennylanes_count(ROT["spec"]), ROT),
        (2 * (4 + 36), ROT),
    ],
    "06.cosine": [
        (lambda x, theta: torch.cos(x + theta), {}),
        (lambda x, t: torch.cos(x) * torch.cos(t) - torch.sin(x) * torch.sin(t), {}),
        (by_matrices, {}),
    ],
    "06.bytes": [(16777216, STATES), (2**24, STATES), ("16_777_216", STATES)],
}
WRONG = [
    ("06.shifts", 12, SPEC, "two runs"),
    ("06.shifts", 16, SPEC, "inputs are angles too"),
    ("06.shifts", 8, SPEC, "own weights want a gradient"),
    ("06.shifts", 96, SPEC, "all outputs at once"),
    ("06.shifts", 64, SPEC, "one after the other"),
    ("06.shifts", 4096, SPEC, "not all combinations"),
    ("06.shifts", 4, SPEC, "not for each layer"),
    ("06.shifts", 23, SPEC, "23 is not it"),
    ("06.cosine", lambda x, t: torch.cos((x + t) / 2), {}, "half angle"),
    ("06.cosine", lambda x, t: torch.cos((x + t) / 2) ** 2, {}, "probability of 0"),
    ("06.cosine", lambda x, t: torch.cos(x) * torch.cos(t), {}, "add up"),
    ("06.cosine", lambda x, t: torch.sin(x + t), {}, "start with theta = 0"),
    ("06.cosine", lambda x, t: -torch.cos(x + t), {}, "the sign"),
    ("06.cosine", lambda x, t: torch.cos(x - t), {}, "turn the same way"),
    ("06.cosine", lambda x, t: torch.cos(x) + 0 * t, {}, "no effect yet"),
    ("06.cosine", lambda x, t: torch.cos(x + t).detach(), {}, "knows no gradient"),
    ("06.cosine", lambda x, t: np.cos(x.detach().numpy() + t.item()), {}, "knows no gradient"),
    (
        "06.cosine",
        lambda x, t: math.cos(x.detach() + t.detach()),
        {},
        "with x = [0, 0.5, -2], theta = 0 it stops",
    ),
    ("06.cosine", lambda x: torch.cos(x), {}, "it stops: TypeError"),
    ("06.cosine", 7, {}, "expected a function"),
    ("06.bytes", 2**21, STATES, "8 bytes"),
    ("06.bytes", 2**19, STATES, "one state"),
    ("06.bytes", 4096, STATES, "not n"),
    ("06.bytes", 2**25, STATES, "complex128"),
    ("06.bytes", 2**23, STATES, "two parts"),
    ("06.bytes", 2**27, STATES, "not bits"),
    ("06.bytes", 16, STATES, "MiB"),
    ("06.bytes", 16.8, STATES, "that is MB"),
    ("06.bytes", 24, STATES, "to this power"),
]
