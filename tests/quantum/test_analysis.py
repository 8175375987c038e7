"""States and frequencies of random circuits against closed forms and PennyLane."""

import math

import numpy as np
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, analysis, expectations, init_weights
from hqnn_utils.quantum.encodings import ENCODINGS


@pytest.mark.parametrize("uploads", [1, 2, 3])
def test_spectrum_ends_at_the_number_of_uploads(uploads):
    spec = CircuitSpec(
        n_qubits=1, n_layers=uploads, rotation="Rot", entangler="none", reupload=True
    )
    found = np.max([analysis.spectrum(spec, w) for w in analysis.random_weights(spec, 30)], axis=0)
    assert found[uploads] > 1e-3
    assert found[uploads + 1 :].max() < 1e-12


def test_spectrum_refuses_what_has_no_period():
    message = "an angle encoding with whole-number scaling, got 4q2l-"
    with pytest.raises(ValueError, match=message):
        analysis.spectrum(CircuitSpec(scaling=0.5), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=message):
        analysis.spectrum(CircuitSpec(encoding="amplitude"), torch.zeros(2, 4))
    with pytest.raises(ValueError, match=message):
        analysis.spectrum(CircuitSpec(encoding="iqp"), torch.zeros(2, 4))


def test_what_is_called_periodic_is():
    """A feature moved by a whole turn: the same outputs, or another function of it."""
    for encoding, entry in ENCODINGS.items():
        spec = CircuitSpec(n_qubits=2, encoding=encoding, rotation="Rot")
        weights = analysis.random_weights(spec, 1)[0]
        x = torch.full((2, spec.n_inputs), 0.5, dtype=torch.float64)
        x[1, 0] += 2 * math.pi
        here, there = expectations(spec, x, weights)
        assert torch.allclose(here, there, atol=1e-12) == entry.periodic, encoding


def test_random_weights_follow_initialiser_seed_and_count():
    spec = CircuitSpec(n_qubits=3, rotation="Rot")
    drawn = analysis.random_weights(spec, 3, seed=4)
    generator = torch.Generator().manual_seed(4)
    wanted = torch.stack([init_weights(spec, "uniform", generator) for _ in range(3)])
    assert drawn.dtype == torch.float64
    assert torch.equal(drawn.float(), wanted)
    assert not torch.equal(drawn, analysis.random_weights(spec, 3, seed=5))
    assert torch.equal(
        analysis.random_weights(spec, 3), analysis.random_weights(spec, 3, "uniform", 0)
    )
    assert analysis.random_weights(spec, 3, init="small").abs().max() < 1


def test_spectrum_by_hand():
    """One rotation by x + w gives cos(x + w): |c_1| = 1/2. Twice the scaling, twice the frequency;
    and the arguments.
    """
    one = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
    np.testing.assert_allclose(
        analysis.spectrum(one, torch.tensor([[0.7]]), points=8), [0, 0.5, 0, 0, 0], atol=1e-12
    )
    twice = CircuitSpec(n_qubits=1, n_layers=1, entangler="none", scaling=2.0)
    assert analysis.spectrum(twice, torch.zeros(1, 1))[:4] == pytest.approx(
        [0, 0, 0.5, 0], abs=1e-12
    )
    assert analysis.spectrum(twice, torch.zeros(1, 1)).shape == (33,)
    two = CircuitSpec(n_qubits=2, n_layers=1, entangler="none")
    moved, still = (analysis.spectrum(two, torch.zeros(1, 2), feature=1, output=q) for q in (1, 0))
    assert moved[1] == pytest.approx(0.5)
    assert still[:2] == pytest.approx(
        [math.cos(0.5), 0], abs=1e-12
    )  # the other feature stays at 0.5
    first = analysis.spectrum(two, torch.zeros(1, 2))
    assert first[1] == pytest.approx(0.5)
