"""Quantities of notebook 04 against closed forms and PennyLane."""

import math

import numpy as np
import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum import analysis
from hqnn_utils.quantum.circuits import CircuitSpec, build_qnode


def basis(*bits):
    psi = torch.zeros(1, 2 ** len(bits), dtype=torch.complex128)
    psi[0, int("".join(map(str, bits)), 2)] = 1
    return psi


def test_bloch_vectors_equal_pennylanes_expectation_values():
    spec = CircuitSpec(n_qubits=3, n_layers=2, rotation="Rot", entangler="strong")
    x, w = torch.tensor([[0.3, -1.0, 2.0]]).double(), analysis.random_weights(spec, 1)[0]
    psi = analysis.state(spec, x, w)

    @qp.qnode(qp.device("default.qubit", wires=3))
    def judge():
        qp.StatePrep(psi[0].numpy(), wires=range(3))
        return [qp.expval(p(q)) for q in range(3) for p in (qp.X, qp.Y, qp.Z)]

    np.testing.assert_allclose(analysis.bloch_vectors(psi)[0].flatten(), judge(), atol=1e-12)
    np.testing.assert_allclose(
        analysis.bloch_vectors(psi)[0, :, 2],
        [v.item() for v in build_qnode(spec)(x[0], w)],
        atol=1e-12,
    )


@pytest.mark.parametrize("n", [2, 3, 5])
def test_meyer_wallach_by_hand(n):
    ghz = (basis(*[0] * n) + basis(*[1] * n)) / math.sqrt(2)
    w_state = sum(basis(*[int(i == q) for i in range(n)]) for q in range(n)) / math.sqrt(n)
    assert analysis.meyer_wallach(basis(*[1] * n)).item() == pytest.approx(0, abs=1e-12)
    assert analysis.meyer_wallach(ghz).item() == pytest.approx(1)
    purity = ((n - 1) / n) ** 2 + (
        1 / n
    ) ** 2  # each qubit of a W state is diagonal with these two eigenvalues
    assert analysis.meyer_wallach(w_state).item() == pytest.approx(2 * (1 - purity))


def test_meyer_wallach_of_haar_states_has_its_known_mean():
    q = analysis.meyer_wallach(analysis.haar_states(4, 4000))
    assert q.mean().item() == pytest.approx(14 / 17, abs=4 * q.std().item() / math.sqrt(4000))


def test_no_entangler_no_entanglement_and_identity_without_weights():
    spec = CircuitSpec(n_qubits=4, rotation="Rot", entangler="none")
    assert analysis.meyer_wallach(analysis.random_states(spec, 20)).max() < 1e-12


def test_fidelities_of_haar_states_follow_their_law():
    """P(F > f) = (1 - f)^(N - 1): a Kolmogorov-Smirnov test by SciPy."""
    from scipy.stats import kstest

    a, b = analysis.haar_states(3, 3000, seed=1), analysis.haar_states(3, 3000, seed=2)
    assert kstest(analysis.fidelities(a, b), lambda f: 1 - (1 - f) ** 7).pvalue > 0.01
    matrix = analysis.fidelity_matrix(a[:5])
    np.testing.assert_allclose(np.diag(matrix), 1)
    np.testing.assert_allclose(matrix[0, 1], analysis.fidelities(a[:1], a[1:2])[0])


@pytest.mark.parametrize("pairs, measured", [(200, 0.071), (1000, 0.017), (5000, 0.004)])
def test_expressibility_floor_is_the_measured_one(pairs, measured):
    mean, low, high = analysis.expressibility_floor(4, pairs, bins=75, repeats=20)
    assert low < mean < high
    assert mean == pytest.approx(measured, rel=0.25)


def test_divergence_by_hand():
    """All fidelities in the first bin: KL = -log of its Haar mass."""
    mass = 1 - (1 - 1 / 75) ** 15
    assert analysis.haar_divergence(np.zeros(10), 4, 75) == pytest.approx(-math.log(mass))


def test_expressibility_orders_the_extremes():
    frozen = CircuitSpec(
        n_qubits=4, n_layers=1, rotation="RZ", entangler="none"
    )  # |0000> up to a phase, whatever the weights
    rich = CircuitSpec(n_qubits=4, n_layers=4, rotation="Rot", entangler="strong")
    floor = analysis.expressibility_floor(4, 1000)
    assert (
        analysis.expressibility(rich, 1000) < 2 * floor[2] < analysis.expressibility(frozen, 1000)
    )


def test_gradient_variance_by_hand():
    """One qubit, RX(w): d cos(w) / dw = -sin(w), variance 1/2 for uniform w."""
    spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none", observable="Z0")
    assert analysis.gradient_variance(spec, draws=4000) == pytest.approx(0.5, abs=0.03)


def test_plateau_global_against_local():
    def variance(n, observable):
        spec = CircuitSpec(
            n_qubits=n,
            n_layers=2,
            rotation="Rot",
            entangler="chain",
            gate="CZ",
            observable=observable,
        )
        return analysis.gradient_variance(spec, 150)

    assert variance(6, "parity") < 0.2 * variance(2, "parity")
    assert variance(6, "Z0") > 3 * variance(6, "parity")


@pytest.mark.parametrize("uploads", [1, 2, 3])
def test_spectrum_ends_at_the_number_of_uploads(uploads):
    spec = CircuitSpec(
        n_qubits=1, n_layers=uploads, rotation="Rot", entangler="none", reupload=True
    )
    found = np.max([analysis.spectrum(spec, w) for w in analysis.random_weights(spec, 30)], axis=0)
    assert found[uploads] > 1e-3
    assert found[uploads + 1 :].max() < 1e-12


def test_fourier_coefficients_of_a_known_function():
    t = np.arange(64) * 2 * np.pi / 64
    found = analysis.fourier_coefficients(0.5 + np.cos(t) - 0.4 * np.sin(3 * t))
    np.testing.assert_allclose(found[:4], [0.5, 0.5, 0, 0.2], atol=1e-12)


def test_spectrum_refuses_what_has_no_period():
    with pytest.raises(ValueError, match="whole-number scaling"):
        analysis.spectrum(CircuitSpec(scaling=0.5), torch.zeros(2, 4))


def test_mutual_information_by_hand_and_by_pennylane():
    bell = (basis(0, 0) + basis(1, 1)) / math.sqrt(2)
    ghz = (basis(0, 0, 0) + basis(1, 1, 1)) / math.sqrt(2)
    assert analysis.mutual_information(bell)[0].numpy() == pytest.approx(
        np.array([[0, 2], [2, 0]]), abs=1e-9
    )
    assert analysis.mutual_information(ghz)[0].numpy() == pytest.approx(1 - np.eye(3), abs=1e-9)
    assert analysis.mutual_information(basis(0, 1, 1)).abs().max() < 1e-9
    psi = analysis.haar_states(4, 3, seed=5)
    found = analysis.mutual_information(psi)
    for i, j in ((0, 1), (0, 3), (2, 1)):
        judge = qp.math.mutual_info(qp.math.dm_from_state_vector(psi.numpy()), [i], [j], base=2)
        np.testing.assert_allclose(found[:, i, j], judge, atol=1e-9)


def test_layer_states_end_in_the_circuits_state():
    spec = CircuitSpec(n_qubits=3, n_layers=2, rotation="Rot", entangler="strong", reupload=True)
    x, w = torch.tensor([[0.3, -1.0, 2.0], [0.1, 0.2, 0.3]]), analysis.random_weights(spec, 1)[0]
    first, middle, last = analysis.layer_states(spec, x, w)
    np.testing.assert_allclose(last, analysis.state(spec, x.double(), w), atol=1e-12)
    np.testing.assert_allclose(
        analysis.bloch_vectors(first)[..., 2], x.double().cos(), atol=1e-12
    )  # RX(x)|0> has <Z> = cos x
    assert analysis.meyer_wallach(first).max() < 1e-12 < analysis.meyer_wallach(middle).min()
    with pytest.raises(ValueError, match="mirrored"):
        analysis.layer_states(CircuitSpec(mirror=True), torch.zeros(1, 4), torch.zeros(2, 4))


def test_linear_cka_ignores_rotation_shift_and_scale():
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 3))
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    assert analysis.linear_cka(a, 5 * a @ q + 7) == pytest.approx(1)
    assert analysis.linear_cka(a, rng.normal(size=(500, 4))) < 0.02
    one, two = rng.normal(size=(2, 50))  # single columns: the squared correlation
    assert analysis.linear_cka(one, two) == pytest.approx(np.corrcoef(one, two)[0, 1] ** 2)
    assert analysis.linear_cka(a, np.ones(500)) == 0
    with pytest.raises(ValueError, match="same examples"):
        analysis.linear_cka(a, a[:9])
