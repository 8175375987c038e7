"""Each exercise check accepts the solution, rejects the usual wrong answers with a hint, and leaves open what is open."""

import importlib.util
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from scipy import stats

from hqnn_utils.evaluation import power
from hqnn_utils.exercises import check, known_exercises
from hqnn_utils.quantum import CircuitSpec

LABELS = np.array([1] * 42 + [0] * 114)
PRODUCT = torch.full((1, 4), 0.5, dtype=torch.complex128)
BELL = torch.tensor([[1, 0, 0, 1]], dtype=torch.complex128) / math.sqrt(2)
COUNTS = dict(tn=105, fp=9, fn=13, tp=29)
RAW = dict(tn=9, fp=12, fn=3, tp=54)  # counted with raw labels: 1 = benign or normal
PAIRS = pd.DataFrame({"across": [True, True, True, False], "opposite": [True, True, False, True]})
LEAK = dict(origin=[0, 0, 1, 2, 3, 3], part=["train", "test", "test", "train", "val", "test"])
PPV = dict(sensitivity=0.8, specificity=0.95, prevalence=0.005)
RUNS = dict(accuracies=(0.872, 0.872, 0.846), n=156)
STUDY = dict(right_a=181, right_b=177)
POWER = dict(gain=0.03, discordant=0.1, power=0.9)
FIVE = dict(values=[0.902, 0.911, 0.897, 0.915, 0.906])
CLEAN = dict(
    labels=[0, 1, 0, 1, 1],
    probabilities=[0.2, 0.9, 0.6, 0.5, 0.1],
    keep=[True, True, True, True, False],
)

RIGHT = {
    "00.majority": [(114 / 156, dict(labels=LABELS))],
    "00.sensitivity": [(29 / 42, dict(confusion=COUNTS))],
    "04.blind": [(CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RX", reupload=True), {})],
    "04.entangled": [(False, dict(state=PRODUCT)), (np.bool_(True), dict(state=BELL))],
    "04.identity": [
        (CircuitSpec(n_layers=4, mirror=True), {}),
        (CircuitSpec(n_layers=6, rotation="Rot", entangler="strong", mirror=True), {}),
    ],
    "06.shifts": [(24, dict(spec=CircuitSpec()))],
    "06.cosine": [
        (lambda x, theta: torch.cos(x + theta), {}),
        (lambda x, t: torch.cos(x) * torch.cos(t) - torch.sin(x) * torch.sin(t), {}),
    ],
    "06.bytes": [(16777216, dict(qubits=16, batch=32))],
    "00.circuit": [
        (CircuitSpec(n_layers=2, rotation="Rot"), dict(n_weights=24)),
        (CircuitSpec(n_layers=6), dict(n_weights=24)),
    ],
    "01.polarity": [(9 / 21, dict(confusion=RAW))],
    "01.opposite": [(2, dict(pairs=PAIRS))],
    "01.leak": [(2 / 3, LEAK)],
    "02.ppv": [(0.004 / (0.004 + 0.04975), PPV)],
    "02.runs": [(4, RUNS)],
    "02.study": [(0.125, STUDY)],
    "02.power": [(power.images_needed(0.03, 0.1, 0.9), POWER)],
    "03.trainable": [(4098, dict(n_features=2048))],
    "03.seeds": [(stats.sem(FIVE["values"]) * stats.t.ppf(0.975, 4), FIVE)],
    "03.clean": [(0.75, CLEAN)],
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
    (
        "04.blind",
        CircuitSpec(n_qubits=2, n_layers=3, axis="Z", rotation="RZ", reupload=True),
        {},
        "choose another trainable rotation",
    ),
    ("04.blind", CircuitSpec(n_qubits=2), {}, 'axis="Z"'),
    ("04.blind", 3, {}, "expected a CircuitSpec"),
    ("04.entangled", True, dict(state=PRODUCT), "compute Q"),
    ("04.entangled", False, dict(state=BELL), "compute Q"),
    ("04.entangled", 0.0, dict(state=PRODUCT), "expected True or False"),
    ("04.identity", CircuitSpec(n_layers=4), {}, "mirror=True"),
    ("04.identity", CircuitSpec(n_layers=2, mirror=True), {}, "at least 4 layers"),
    ("04.identity", CircuitSpec(n_layers=5, mirror=True), {}, "even n_layers"),
    ("04.identity", "mirror", {}, "expected a CircuitSpec"),
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
    ("01.polarity", 54 / 57, dict(confusion=RAW), "malignant is 0"),
    ("01.polarity", 63 / 78, dict(confusion=RAW), "accuracy"),
    ("01.opposite", 3, dict(pairs=PAIRS), "column"),
    ("01.leak", 1 / 3, LEAK, "without a sibling"),
    ("02.ppv", 0.8, PPV, "that is the sensitivity"),
    ("02.ppv", 0.99894, PPV, "NPV"),
    ("02.runs", 0.026, RUNS, "how many images"),
    ("02.study", 0.0625, STUDY, "one-sided"),
    ("02.power", power.images_needed(0.03, 0.1), POWER, "80 %"),
    ("03.trainable", 4096, dict(n_features=2048), "biases"),
    ("03.trainable", 2049, dict(n_features=2048), "two classes"),
    ("03.seeds", float(np.std(FIVE["values"], ddof=1)), FIVE, "spread of single runs"),
    ("03.seeds", 1.96 * stats.sem(FIVE["values"]), FIVE, "Student"),
    ("03.clean", 0.5, CLEAN, "on all test images"),
]


# Notebooks 08 and later keep theirs in tests/checks/nbNN.py, as RIGHT and WRONG of the same form.
for file in sorted((Path(__file__).parent / "cases").glob("nb*.py")):
    cases = importlib.util.module_from_spec(
        found := importlib.util.spec_from_file_location(f"cases_{file.stem}", file)
    )
    found.loader.exec_module(cases)
    RIGHT |= cases.RIGHT
    WRONG += cases.WRONG


def test_every_check_is_tried():
    assert set(RIGHT) == set(known_exercises())
    assert {w[0] for w in WRONG} == set(known_exercises())


@pytest.mark.parametrize("name", known_exercises())
def test_right_and_open(name):
    for answer, context in RIGHT[name]:
        verdict = check(name, answer, **context)
        assert verdict
        assert verdict.ok is True
        assert repr(verdict).startswith("RIGHT")
        still_open = check(name, ..., **context)
        assert not still_open
        assert still_open.ok is None
        assert repr(still_open).startswith("OPEN")


@pytest.mark.parametrize("name, answer, context, hint", WRONG)
def test_wrong_answers_get_a_hint(name, answer, context, hint):
    verdict = check(name, answer, **context)
    assert verdict.ok is False
    assert not verdict
    assert hint in verdict.message


def test_unknown_exercise():
    with pytest.raises(ValueError, match="unknown exercise '99.x'; known: 00.majority"):
        check("99.x", 1)
