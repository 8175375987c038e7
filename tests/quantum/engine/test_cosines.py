"""The mean of cosines: which angles each output sees, each sign pattern once, and the limit of its
table.
"""

import itertools

import numpy as np
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, build_qnode
from hqnn_utils.quantum.engine import cosines
from hqnn_utils.quantum.engine.cosines import (
    _patterns_once,
    is_mean_of_cosines,
    sign_tables,
    x_strings,
)
from hqnn_utils.quantum.engine.measurement import parity


def test_the_studys_circuit_in_words():
    """4 qubits, 2 layers: which angles each output sees, derived on paper by pushing Z back through
    the CNOT ring.
    """
    per_input, per_weight = x_strings(CircuitSpec(n_qubits=4, n_layers=2))
    assert [len(m) for m in per_input] == [1, 1, 1, 1]
    assert len(per_weight) == 8
    assert [m[0] for m in per_input] == per_weight[:4], (
        "a weight of the first layer only shifts its feature: x_q + w_0q"
    )
    assert is_mean_of_cosines(CircuitSpec())
    assert not is_mean_of_cosines(CircuitSpec(rotation="RY"))


def test_the_cosines_use_each_sign_pattern_once():
    strings = np.array(
        [0b1100, 0b0110, 0b1010, 0b0001]
    )  # the third is the product of the first two: rank 3, 8 patterns, 4 pairs
    k = _patterns_once(strings)
    signs = {tuple(row) for row in (1 - 2 * parity(k[:, None] & strings)).tolist()}
    assert len(k) == len(signs) == 4
    assert not signs & {tuple(-v for v in s) for s in signs}


@pytest.mark.parametrize(
    ("options", "holds"),
    [
        (dict(), True),
        (dict(gate="CZ"), False),
        (dict(gate="CZ", entangler="none"), True),
        (dict(axis="Y"), False),
        (dict(encoding="iqp"), False),
        (dict(encoding="amplitude"), False),
        (dict(rotation="RZ"), False),
        (dict(reupload=True, mirror=True, scaling=0.5, observable="ZZ"), True),
    ],
)
def test_which_circuits_are_a_mean_of_cosines(options, holds):
    assert is_mean_of_cosines(CircuitSpec(**options)) is holds


def test_a_table_that_would_be_too_large_is_not_made():
    """One output, 2**(n - 1) patterns, n features and n weights of each of 2 layers."""
    largest = max(n for n in range(2, 40) if 2 ** (n - 1) * 3 * n <= cosines.MAX_TABLE)
    assert is_mean_of_cosines(CircuitSpec(n_qubits=largest, observable="Z0"))
    assert not is_mean_of_cosines(CircuitSpec(n_qubits=largest + 1, observable="Z0"))


def test_scaling_multiplies_the_features_and_not_the_weights():
    plain = sign_tables(CircuitSpec(), torch.float64, torch.device("cpu"))
    scaled = sign_tables(CircuitSpec(scaling=0.5), torch.float64, torch.device("cpu"))
    assert torch.equal(scaled[0], 0.5 * plain[0])
    assert torch.equal(scaled[1], plain[1])
    assert set(plain[0].unique().tolist()) == {-1.0, 0.0, 1.0}


def signs_by_hand(n, layers):
    """The tables of notebook 06, as a student derives them: (outputs, 2**n patterns, angles) for
    the features and the weights, by pushing an X through rings of CNOTs.
    """
    spread = [{qubit} for qubit in range(n)]  # what an X on each qubit becomes at the end
    strings = []
    for _ in range(layers):
        for control in reversed(range(n)):
            spread[control] = spread[control] ^ spread[(control + 1) % n]
        strings = [set(s) for s in spread] + strings
    strings = strings[:n] + strings  # features stand where the first layer's weights stand
    patterns = np.array(list(itertools.product([1, -1], repeat=n)))
    signs = np.array([[np.prod(p[list(s)]) for s in strings] for p in patterns])
    sees = np.array([[output in s for s in strings] for output in range(n)])
    table = torch.tensor(sees[:, None] * signs[None], dtype=torch.float64)
    return table[..., :n], table[..., n:]


@pytest.mark.parametrize(("n", "layers"), [(3, 1), (4, 2), (5, 3)])
def test_the_circuit_is_a_classical_layer_of_cosines_with_signs_for_weights(n, layers):
    """cos of a linear layer whose matrix holds -1, 0, +1, averaged: the QuantumLayer to rounding,
    and PennyLane's QNode, in values and gradients.
    """
    spec = CircuitSpec(n_qubits=n, n_layers=layers)
    layer = QuantumLayer(spec, generator=torch.Generator().manual_seed(1)).double()
    of_inputs, of_weights = signs_by_hand(n, layers)
    x = torch.linspace(-3, 3, 5 * n, dtype=torch.float64).reshape(5, n).requires_grad_()

    def classical(x, w):
        angles = torch.einsum("bi,oki->bok", x, of_inputs) + of_weights @ w.flatten()
        return angles.cos().mean(-1)

    by_pennylane = torch.stack(build_qnode(spec)(x, layer.weights), dim=-1)
    wanted = classical(x, layer.weights)
    for values in (layer(x), by_pennylane):
        torch.testing.assert_close(values, wanted, atol=5e-15, rtol=0)
        found, expected = (
            torch.autograd.grad(v.square().sum(), (x, layer.weights), retain_graph=True)
            for v in (values, wanted)
        )
        torch.testing.assert_close(found, expected, atol=5e-14, rtol=0)
