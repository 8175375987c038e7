"""The stored run on a device's snapshot, and functions of notebook 12 that rest on its model."""

import itertools
import json
import subprocess

import numpy as np
import pennylane as qp
import pytest
import torch
from coursekit.files import HERE
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import unitary_group
from torch import nn
from written_in import written_in

from hqnn_utils.quantum import CircuitSpec, build_qnode, expectations

FOLDER = HERE.notebooks / "results" / "12_shots_noise_hardware" / "device"
SCRIPT = HERE.notebooks / "device" / "snapshot.py"
PYTHON = HERE.root / "build" / "device-env" / "bin" / "python"
SPEC = CircuitSpec()
PARTS = {"val": 78, "test": 156}


@pytest.fixture(scope="module")
def record():
    return json.loads((FOLDER / "snapshot.json").read_text())


@pytest.fixture(scope="module")
def page():
    paulis = [
        np.eye(2),
        np.array([[0, 1], [1, 0]]),
        np.array([[0, -1j], [1j, 0]]),
        np.diag([1, -1]),
    ]
    signs = 1 - 2 * ((np.arange(16)[:, None] >> np.arange(3, -1, -1)) & 1)
    eye = torch.eye(2, dtype=torch.cdouble)
    return written_in("12", spec=SPEC, SIGNS=signs, PAULIS=paulis, EYE=eye)


def angles_of(record, part):
    stored = record["circuit"]
    return torch.tensor(stored["angles"][part]).double(), torch.tensor(stored["weights"]).double()


@pytest.mark.parametrize("part", PARTS)
def test_the_record_holds_the_circuit_that_aer_ran(record, part):
    """Without noise Aer and our engine give the same outputs."""
    x, w = angles_of(record, part)
    assert len(x) == PARTS[part]
    ours = expectations(SPEC, x, w)
    np.testing.assert_allclose(ours, record["runs"]["ideal"][part], atol=1e-5)


def test_one_noise_model_in_aer_pennylane_and_by_hand(record, page):
    x, w = (t[:6] for t in angles_of(record, "test"))
    rates = {"one": record["rates"]["1"], "two": record["rates"]["2"]}
    aer = np.array(record["runs"]["model"]["test"][:6])
    by_hand = page["noisy"](x, w, **rates).numpy() @ page["SIGNS"]
    noise = page["noise_model"](**rates)
    node = build_qnode(SPEC, device="default.mixed", noise=noise)
    pennylane = torch.stack([torch.as_tensor(v) for v in node(x, w)], -1)
    np.testing.assert_allclose(by_hand, aer, atol=1e-5)
    np.testing.assert_allclose(by_hand, pennylane, atol=1e-6)


def test_shots_of_the_snapshot_scatter_as_shots_do(record):
    """Scale 1 was run twice, with other seeds and other numbers of shots."""
    runs, shots = record["runs"], record["shots"]
    a = np.array(runs["device"]["test"])
    b = np.array(runs["folded"]["test"]["1"])
    expected = np.sqrt((1 - a**2) * (1 / shots + 3 / shots)).mean()
    assert np.abs(a - b).mean() == pytest.approx(np.sqrt(2 / np.pi) * expected, rel=0.15)


def test_folding_shrinks_more(record):
    ideal = np.array(record["runs"]["ideal"]["test"])
    kept = [
        (np.array(record["runs"]["folded"]["test"][scale]) * ideal).sum() / (ideal**2).sum()
        for scale in "135"
    ]
    assert 1 > kept[0] > kept[1] > kept[2] > 0


def test_mitiq_sums_as_the_page_does(record, page):
    weights = page["richardson"](record["mitiq"]["scales"])
    ours = np.array(record["mitiq"]["noisy"]) @ weights
    np.testing.assert_allclose(ours, record["mitiq"]["extrapolated"], atol=1e-5)


def test_the_page_reads_the_whole_record(record, page):
    """Its table: the ideal row has no error, mitigation of the readout lowers that of the raw."""
    needs = dict(
        nn=nn,
        SCALES=(1, 3, 5),
        methods={"straight line": np.array([13, 4, -5]) / 12},
        truth={part: np.array(v) for part, v in record["circuit"]["labels"].items()},
    )
    page.update(needs)
    table = page["on_device"](record)
    error = table["typical error of an output"]
    assert error["no noise, endless shots"] == 0
    assert error["snapshot, readout inverted"] < error["snapshot"]


# ------------------------------------------------------------------- functions of the page


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.9), st.sampled_from([2, 4]))
def test_the_channel_of_the_solution_is_pennylanes(page, seed, p, size):
    draw = unitary_group.rvs(size, random_state=seed)[:, 0]
    rho = np.outer(draw, draw.conj())
    if size == 2:
        kraus = qp.DepolarizingChannel(p, wires=0).kraus_matrices()
    else:
        pairs = [np.kron(a, b) for a, b in itertools.product(page["PAULIS"], page["PAULIS"])]
        kraus = [np.sqrt(1 - p) * pairs[0], *[np.sqrt(p / 15) * e for e in pairs[1:]]]
        kraus = qp.QubitChannel(kraus, wires=[0, 1]).kraus_matrices()
    wanted = sum(k @ rho @ k.conj().T for k in kraus)
    np.testing.assert_allclose(page["depolarize"](rho, p), wanted, atol=1e-12)


def test_a_folded_circuit_without_noise_is_the_circuit(page):
    x, w = torch.linspace(-2, 2, 12).double().reshape(3, 4), torch.rand(2, 4).double()
    once, thrice = page["noisy"](x, w), page["noisy"](x, w, scale=3)
    torch.testing.assert_close(once, thrice, atol=1e-10, rtol=0)
    assert len(page["steps_of"](x, w, 3)) == 3 * len(page["steps_of"](x, w))


def test_gradients_pass_through_the_noisy_circuit(page):
    x = torch.linspace(-1, 1, 8).double().reshape(2, 4).requires_grad_()
    w = torch.linspace(0, 1, 8).double().reshape(2, 4).requires_grad_()
    signs = torch.from_numpy(page["SIGNS"]).double()
    outputs = page["noisy"](x, w, one=0.02, two=0.05) @ signs
    (slope,) = torch.autograd.grad(outputs[:, 0].sum(), w)
    noise = page["noise_model"](one=0.02, two=0.05)
    node = build_qnode(SPEC, device="default.mixed", noise=noise, diff_method="parameter-shift")
    (wanted,) = torch.autograd.grad(sum(node(row, w)[0] for row in x.detach()), w)
    torch.testing.assert_close(slope, wanted, atol=1e-7, rtol=0)


def test_recalibrated_threshold_has_most_right_answers(page):
    draw = np.random.default_rng(0)
    labels = draw.integers(0, 2, 30)
    p = np.clip(0.3 * labels + draw.random((4, 30)), 0, 1)
    chosen = page["best_threshold"](p, labels)
    for row, threshold in zip(p, chosen, strict=True):
        right = ((row >= threshold) == labels).mean()
        best = max(((row >= t) == labels).mean() for t in np.linspace(0.01, 1.29, 400))
        assert right >= best - 2 / 30  # the mean of equally good ones may lie between them


def test_break_even_is_where_both_errors_meet(page):
    raw, other = (0.0025, 0.8), (0.0001, 12.8)
    shots = page["break_even"](raw, other)
    assert shots == pytest.approx(5000)
    assert raw[0] + raw[1] / shots == pytest.approx(other[0] + other[1] / shots)
    assert page["break_even"](raw, (0.003, 1.0)) == np.inf


# ----------------------------------------------------- the script, where its environment stands


@pytest.mark.slow
@pytest.mark.skipif(not PYTHON.exists(), reason="make device-snapshot builds the environment")
def test_the_script_makes_the_record_again(record, tmp_path):
    out = tmp_path / "snapshot.json"
    options = ["--circuit", FOLDER / "circuit.json", "--out", out, "--images", "2"]
    subprocess.run([PYTHON, SCRIPT, *options], check=True, capture_output=True, timeout=600)
    made = json.loads(out.read_text())
    assert made.keys() == record.keys()
    x, w = angles_of(made, "test")
    np.testing.assert_allclose(expectations(SPEC, x, w), made["runs"]["ideal"]["test"], atol=1e-5)


@pytest.mark.skipif(not PYTHON.exists(), reason="make device-snapshot builds the environment")
@pytest.mark.parametrize(
    ("options", "word"),
    [
        (["--circuit", "nowhere.json"], "notebook 12 stores it"),
        (["--circuit", str(FOLDER / "circuit.json"), "--backend", "FakeNothing"], "FakeNothing"),
    ],
)
def test_the_script_says_what_is_missing(options, word, tmp_path):
    run = subprocess.run(
        [PYTHON, SCRIPT, *options, "--out", tmp_path / "x.json"], capture_output=True, text=True
    )
    assert run.returncode != 0
    assert word in run.stderr
    assert "Traceback" not in run.stderr
