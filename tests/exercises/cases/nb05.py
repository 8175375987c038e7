"""Answers to the exercises of notebook 05: right ones, usual wrong ones, what is said to them."""

import numpy as np
import pennylane as qp
import torch

from hqnn_utils.quantum import CircuitSpec


def by_rank(state):
    """The four amplitudes as a matrix: a product has one singular value."""
    return np.linalg.matrix_rank(np.reshape(state, (2, 2)), tol=1e-6) == 1


def by_purity(state):
    density = qp.math.dm_from_state_vector(np.asarray(state)[None])
    return bool(qp.math.purity(density, [0])[0] > 1 - 1e-9)


def by_torch(state):
    a, b, c, d = torch.as_tensor(state)
    return torch.isclose(a * d, b * c)


def spec(**options):
    return CircuitSpec(n_qubits=2, axis="Z", **options)


RIGHT = {
    "05.blind": [
        (spec(n_layers=3, rotation="RX", reupload=True), {}),
        (spec(n_layers=2, rotation="RY", reupload=True, entangler="none"), {}),
        (spec(n_layers=2, rotation="Rot", reupload=True, observable="Z0"), {}),
    ],
    "05.entangled": [(by_rank, {}), (by_purity, {}), (by_torch, {})],
    "05.identity": [
        (CircuitSpec(n_layers=4, mirror=True), {}),
        (CircuitSpec(n_layers=6, rotation="Rot", entangler="strong", mirror=True), {}),
        (CircuitSpec(n_layers=4, gate="CZ", entangler="chain", mirror=True), {}),
    ],
}
WRONG = [
    ("05.blind", spec(), {}, "the only upload meets |0>"),
    ("05.blind", spec(n_layers=9), {}, "repeat the encoding"),
    ("05.blind", spec(n_layers=1, reupload=True), {}, "with one layer nothing is repeated"),
    ("05.blind", spec(n_layers=3, rotation="RZ", reupload=True), {}, "never leave the vertical"),
    ("05.blind", CircuitSpec(n_qubits=2), {}, 'keep encoding="angle" and axis="Z"'),
    ("05.blind", CircuitSpec(axis="Z"), {}, "keep 2 qubits, got 4"),
    ("05.blind", 3, {}, "expected a CircuitSpec"),
    ("05.entangled", lambda s: bool((abs(s) > 0).sum() < 4), {}, "counting the amplitudes"),
    ("05.entangled", lambda s: bool((abs(s) > 0).sum() == 1), {}, "need not be a basis state"),
    ("05.entangled", lambda s: bool(np.allclose(abs(s), abs(s[0]))), {}, "equal sizes"),
    ("05.entangled", lambda s: bool(abs(s[0] * s[1] - s[2] * s[3]) < 1e-9), {}, "belong together"),
    ("05.entangled", lambda s: np.isclose(abs(s[0] * s[3]), abs(s[1] * s[2])), {}, "sizes alone"),
    ("05.entangled", lambda s: abs((s[0] * s[3] - s[1] * s[2]).real) < 1e-9, {}, "complex"),
    ("05.entangled", lambda s: not by_rank(s), {}, "turned round"),
    ("05.entangled", lambda s: True, {}, "try a Bell state"),
    ("05.entangled", lambda s: s[0] * s[3] == s[1] * s[2], {}, "seldom equal"),
    ("05.entangled", lambda s: None, {}, "returns nothing"),
    ("05.entangled", True, {}, "expected a function"),
    ("05.identity", CircuitSpec(n_layers=4), {}, "builds every second layer backwards"),
    ("05.identity", CircuitSpec(n_layers=2, mirror=True), {}, "at least 4 layers, got 4 and 2"),
    ("05.identity", CircuitSpec(n_layers=5, mirror=True), {}, "even n_layers"),
    ("05.identity", CircuitSpec(n_layers=4, mirror=True, reupload=True), {}, "an upload between"),
    ("05.identity", CircuitSpec(n_layers=4, mirror=True, entangler="none"), {}, "no feat"),
    ("05.identity", "mirror", {}, "expected a CircuitSpec"),
]
