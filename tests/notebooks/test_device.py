"""The stored run on a device's snapshot, and functions of notebook 12 that rest on its model."""

import itertools
import json
import math
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

from hqnn_utils.quantum import CircuitSpec, build_qnode, expectations, init_weights

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
    costs = dict(SECONDS_A_SHOT=250e-6, CIRCUITS_A_JOB=100, SECONDS_A_JOB=2.0)
    return written_in("12", spec=SPEC, SIGNS=signs, PAULIS=paulis, EYE=eye, **costs)


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


# ------------------------------------------------------------------- shots, channels, costs


def example(batch=5, seed=0):
    rng = torch.Generator().manual_seed(seed)
    x = 3 * torch.randn(batch, SPEC.n_inputs, generator=rng).double()
    return x, init_weights(SPEC, generator=rng).double()


def drawn(page, x, w, shots, repeats=1, seed=0):
    """Outputs from shots, (repeats, N, 4)."""
    return page["sampled"](page["perfect"](x, w), shots, np.random.default_rng(seed), repeats)


def test_many_shots_come_close_to_the_exact_values(page):
    """A million shots: five standard errors are below 0.005."""
    x, w = example()
    found = drawn(page, x, w, 1_000_000)
    assert found.shape == (1, 5, 4)
    np.testing.assert_allclose(found[0], expectations(SPEC, x, w), atol=0.005)
    endless = drawn(page, x, w, None, repeats=2)
    np.testing.assert_allclose(endless[1], expectations(SPEC, x, w), atol=1e-6)


def test_shots_have_the_spread_that_they_must_have(page):
    """Mean and variance over many repeats, and the joint distribution of two qubits."""
    x, w = example()
    exact, found = expectations(SPEC, x, w).numpy(), drawn(page, x, w, 100, repeats=4000)
    error = np.sqrt((1 - exact**2) / 100)
    assert (np.abs(found.mean(0) - exact) < 5 * error / math.sqrt(4000) + 1e-6).all()
    np.testing.assert_allclose(found.var(0), error**2, rtol=0.12, atol=1e-6)
    one = drawn(page, x, w, 1, repeats=20_000)
    pairs = expectations(CircuitSpec(observable="ZZ"), x, w)[:, 0]
    np.testing.assert_allclose((one[..., 0] * one[..., 1]).mean(0), pairs, atol=0.04)


def test_the_same_spread_as_pennylanes_shots(page):
    x, w = example(batch=2)
    seeded = qp.device("default.qubit", wires=4, seed=3)
    qnode = build_qnode(SPEC, device=seeded, shots=200, diff_method="parameter-shift")
    theirs = torch.stack(
        [torch.stack([torch.as_tensor(v) for v in qnode(x, w)], dim=-1) for _ in range(150)]
    ).numpy()
    ours = drawn(page, x, w, 200, repeats=150)
    spread = np.sqrt((1 - expectations(SPEC, x, w).numpy() ** 2) / 200)
    assert (np.abs(theirs.mean(0) - ours.mean(0)) < 5 * spread * math.sqrt(2 / 150) + 1e-6).all()
    np.testing.assert_allclose(theirs.std(0), ours.std(0), rtol=0.35, atol=0.003)


def test_generators_repeat_and_one_shot_is_a_sign(page):
    x, w = example()
    one = drawn(page, x, w, 1, seed=4)
    assert set(np.unique(one)) <= {-1.0, 1.0}
    assert np.array_equal(one, drawn(page, x, w, 1, seed=4))
    assert not np.array_equal(one, drawn(page, x, w, 1, seed=5))


def value(page, circuit, x, weights, **rates):
    model = page["noise_model"](**rates)
    node = build_qnode(circuit, device="default.mixed", noise=model)
    x, weights = (torch.as_tensor(v, dtype=torch.float64) for v in (x, weights))
    return [float(v) for v in node(x, weights)]


def test_readout_errors_shrink_by_the_textbook_factor(page):
    x, w = example(batch=1)
    exact = expectations(SPEC, x, w)[0]
    assert value(page, SPEC, x, w) == pytest.approx(exact.tolist(), abs=1e-7)
    noisy = value(page, SPEC, x, w, readout=0.04)
    assert noisy == pytest.approx((0.92 * exact).tolist(), abs=1e-7)


def test_every_rotation_is_followed_by_its_channel(page):
    """Two RX: the feature's and the weight's."""
    one = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    found = value(page, one, [[0.0]], [[0.0]], one=0.03, two=0.9)
    assert found == pytest.approx([(1 - 0.04) ** 2], abs=1e-7)
    assert value(page, one, [[0.7]], [[0.0]], damping=1.0) == pytest.approx([1], abs=1e-7)


def test_dephasing_leaves_no_coherence(page):
    one = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    found = value(page, one, [[0.7]], [[0.4]], dephasing=1.0)
    assert found == pytest.approx([math.cos(0.7) * math.cos(0.4)], abs=1e-7)


def test_the_rate_of_a_two_qubit_gate_is_that_of_the_pair(page):
    """Features 0, weights 0: |00> stays. 8 of the 15 errors turn the sign of a wire's Z."""
    two = CircuitSpec(n_qubits=2, n_layers=1)
    zero = np.zeros((1, 2))
    found = value(page, two, zero, zero, two=0.06, one=0.0)
    assert found == pytest.approx([1 - 2 * 0.06 * 8 / 15] * 2, abs=1e-7)


def test_damping_and_dephasing_act_behind_two_qubit_gates_too(page):
    two = CircuitSpec(n_qubits=2, n_layers=1)
    x, zero = torch.tensor([[math.pi / 2, 0.0]]).double(), torch.zeros(1, 2).double()
    for strength in ("damping", "dephasing"):
        model = page["noise_model"](**{strength: 1.0})
        node = build_qnode(two, device="default.mixed", noise=model)
        tape = qp.workflow.construct_tape(node, level="device")(x, zero)
        channels = [op for op in tape.operations if op.name in ("AmplitudeDamping", "PhaseDamping")]
        gates = [op for op in tape.operations if op.name in ("RX", "CNOT")]
        assert len(channels) == sum(len(op.wires) for op in gates) == 6


def test_costs_by_hand(page):
    circuits_for, seconds_for = page["circuits_for"], page["seconds_for"]
    assert circuits_for(SPEC, 156) == 156
    assert circuits_for(SPEC, 10, gradient=True) == 10 * (1 + 2 * (4 + 8))
    wide = CircuitSpec(n_qubits=8, n_layers=3, rotation="Rot")
    assert circuits_for(wide, 2, gradient=True) == 2 * (1 + 2 * (8 + 72))
    assert seconds_for(156, 1000) == pytest.approx(156_000 * 250e-6 + 2 * 2)
    assert seconds_for(100, 1) == pytest.approx(100 * 250e-6 + 2)  # one full job
    assert seconds_for(101, 1) == pytest.approx(101 * 250e-6 + 4)


def test_a_gradient_by_shifts_is_pytorchs(page):
    x, w = example()
    w.requires_grad_()
    (wanted,) = torch.autograd.grad(expectations(SPEC, x, w).sum(), w)
    found = page["shift_gradient"](lambda moved: expectations(SPEC, x, moved).sum(), w.detach())
    torch.testing.assert_close(found, wanted, atol=1e-10, rtol=0)


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
