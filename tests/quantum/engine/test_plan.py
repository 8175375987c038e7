"""A circuit as fused steps, by hand."""

from functools import reduce

import numpy as np
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.quantum.engine import measurement
from hqnn_utils.quantum.engine.measurement import (
    Observables,
    observable_masks,
    observables_of,
    z_of_each_qubit,
)
from hqnn_utils.quantum.engine.plan import Entangle, Local, Phases, plan, split_last_entanglers
from hqnn_utils.quantum.engine.uploads import UPLOADS

ENCODE, PAIRS = Local(("encode",)), ((0, 1), (1, 2), (2, 0))


def steps(**options):
    spec = CircuitSpec(n_qubits=3, **options)
    return plan(spec, UPLOADS[spec.encoding].steps)


def eigenvalues(spec):
    """Value of each observable for each basis state, (2**n, n_outputs): products of Z by hand."""
    qubits = range(spec.n_qubits)
    factors = [[(1, -1) if q in product else (1, 1) for q in qubits] for product in spec.measured]
    return np.array([reduce(np.kron, each) for each in factors]).T


def test_the_upload_and_the_first_layer_are_one_step():
    assert steps() == (
        Local(("encode", 0)),
        Entangle(PAIRS),
        Local((1,)),
        Entangle(PAIRS),
    )


def test_uploads_again_before_each_layer():
    assert steps(reupload=True)[2] == Local(("encode", 1))
    iqp = steps(encoding="iqp", reupload=True, entangler="none")
    assert iqp == (
        Local(("hadamard",)),
        Phases(),
        Local((0, "hadamard")),
        Phases(),
        Local((1,)),
    )


def test_amplitudes_are_no_step_and_no_entangler_joins_all_layers():
    assert steps(encoding="amplitude", entangler="none", n_layers=3) == (Local((0, 1, 2)),)


def test_a_mirrored_layer_runs_backwards():
    assert steps(mirror=True) == (
        Local(("encode", 0)),
        Entangle(PAIRS),
        Entangle(PAIRS[::-1]),
        Local((1,)),
    )


def test_entanglers_at_the_end_are_split_off():
    kept, last = split_last_entanglers(steps())
    assert kept == steps()[:3]
    assert last == (Entangle(PAIRS),)
    assert split_last_entanglers(steps(mirror=True)) == (steps(mirror=True), ())
    bare = steps(encoding="amplitude", n_layers=1, entangler="none")
    assert split_last_entanglers(bare) == (bare, ())


def test_what_is_measured_contains_the_last_entanglers():
    """|100> under CNOT(0, 1), CNOT(1, 2), CNOT(2, 0) is |011>: its eigenvalues are those of
    |011>.
    """
    cpu = torch.device("cpu")
    state = torch.zeros(1, 8, dtype=torch.complex64)
    state[0, 0b100] = 1
    measured = observables_of(CircuitSpec(n_qubits=3), (Entangle(PAIRS),), cpu)
    assert measured.measure(state).tolist() == [[1, -1, -1]]
    assert measured.measure(state).dtype == torch.float64
    flipped = observables_of(CircuitSpec(n_qubits=3, gate="CZ"), (Entangle(PAIRS),), cpu)
    assert flipped.measure(state).tolist() == [[-1, 1, 1]]
    np.testing.assert_array_equal(z_of_each_qubit(3).T, eigenvalues(CircuitSpec(n_qubits=3)))


@pytest.mark.parametrize("observable", ["Z", "Z0", "parity", "ZZ"])
@pytest.mark.parametrize("rows", [1, 3])
def test_signs_in_two_tables(observable, rows, monkeypatch):
    """Beside the table of all basis states, and autograd; few rows of each table at a time."""
    spec = CircuitSpec(n_qubits=6, observable=observable)
    monkeypatch.setattr(measurement, "LOW_BITS", 3)
    monkeypatch.setattr(measurement, "CHUNK", 24)
    measured = Observables(6, observable_masks(spec), torch.device("cpu"))
    assert measured.low.shape == measured.high.shape == (8, spec.n_outputs)
    psi = torch.randn(rows, 64, dtype=torch.complex128, requires_grad=True)
    table = torch.from_numpy(eigenvalues(spec)).double()
    wanted = psi.abs().square() @ table
    torch.testing.assert_close(measured.measure(psi), wanted, atol=1e-13, rtol=0)
    direction = torch.randn_like(wanted)
    (by_state,) = torch.autograd.grad(wanted, psi, direction)
    found = measured.gradient(psi, direction)
    torch.testing.assert_close(found, by_state, atol=1e-13, rtol=0)
