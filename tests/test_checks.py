"""Each exercise check accepts the solution, rejects the usual wrong answers with a hint, and leaves open what is open."""

import math

import numpy as np
import pytest
import torch

from hqnn_utils.checks import CHECKS, check
from hqnn_utils.circuits import CircuitSpec

LABELS = np.array([1] * 42 + [0] * 114)
PRODUCT = torch.full((1, 4), 0.5, dtype=torch.complex128)
BELL = torch.tensor([[1, 0, 0, 1]], dtype=torch.complex128) / math.sqrt(2)
COUNTS = dict(tn=105, fp=9, fn=13, tp=29)

RIGHT = {
    "00.majority": [(114 / 156, dict(labels=LABELS))],
    "00.sensitivity": [(29 / 42, dict(confusion=COUNTS))],
    "04.blind": [(CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RX", reupload=True), {})],
    "04.entangled": [(False, dict(state=PRODUCT)), (np.bool_(True), dict(state=BELL))],
    "04.identity": [(CircuitSpec(n_layers=4, mirror=True), {}), (CircuitSpec(n_layers=6, rotation="Rot", entangler="strong", mirror=True), {})],
    "05.shifts": [(24, dict(spec=CircuitSpec()))],
    "05.cosine": [(lambda x, theta: torch.cos(x + theta), {}), (lambda x, t: torch.cos(x) * torch.cos(t) - torch.sin(x) * torch.sin(t), {})],
    "05.bytes": [(16777216, dict(qubits=16, batch=32))],
    "00.circuit": [(CircuitSpec(n_layers=2, rotation="Rot"), dict(n_weights=24)), (CircuitSpec(n_layers=6), dict(n_weights=24))],
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
    ("04.blind", CircuitSpec(n_qubits=2, axis="Z"), {}, "repeat the encoding"),
    ("04.blind", CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RZ", reupload=True), {}, "choose another trainable rotation"),
    ("04.blind", CircuitSpec(n_qubits=2), {}, 'axis="Z"'),
    ("04.blind", 3, {}, "expected a CircuitSpec"),
    ("04.entangled", True, dict(state=PRODUCT), "compute Q"),
    ("04.entangled", False, dict(state=BELL), "compute Q"),
    ("04.entangled", 0.0, dict(state=PRODUCT), "expected True or False"),
    ("04.identity", CircuitSpec(n_layers=4), {}, "mirror=True"),
    ("04.identity", CircuitSpec(n_layers=2, mirror=True), {}, "at least 4 layers"),
    ("04.identity", CircuitSpec(n_layers=5, mirror=True), {}, "even n_layers"),
    ("04.identity", "mirror", {}, "expected a CircuitSpec"),
    ("05.shifts", 12, dict(spec=CircuitSpec()), "two runs"),
    ("05.shifts", 16, dict(spec=CircuitSpec()), "inputs are angles too"),
    ("05.shifts", 96, dict(spec=CircuitSpec()), "all outputs at once"),
    ("05.cosine", lambda x, t: torch.cos((x + t) / 2), {}, "half angle"),
    ("05.cosine", lambda x, t: torch.cos(x) * torch.cos(t), {}, "add up"),
    ("05.cosine", lambda x, t: torch.sin(x + t), {}, "start with theta = 0"),
    ("05.cosine", 7, {}, "failed"),
    ("05.bytes", 2**21, dict(qubits=16, batch=32), "8 bytes"),
    ("05.bytes", 2**19, dict(qubits=16, batch=32), "one state"),
    ("05.bytes", 4096, dict(qubits=16, batch=32), "not n"),
]


def test_every_check_is_tried():
    assert set(RIGHT) == set(CHECKS) and {w[0] for w in WRONG} == set(CHECKS)


@pytest.mark.parametrize("name", list(CHECKS))
def test_right_and_open(name):
    for answer, context in RIGHT[name]:
        verdict = check(name, answer, **context)
        assert verdict and verdict.ok is True and repr(verdict).startswith("RIGHT")
        still_open = check(name, ..., **context)
        assert not still_open and still_open.ok is None and repr(still_open).startswith("OPEN")


@pytest.mark.parametrize("name, answer, context, hint", WRONG)
def test_wrong_answers_get_a_hint(name, answer, context, hint):
    verdict = check(name, answer, **context)
    assert verdict.ok is False and not verdict and hint in verdict.message


def test_unknown_exercise():
    with pytest.raises(ValueError, match="unknown exercise '99.x'; known: 00.majority"):
        check("99.x", 1)
