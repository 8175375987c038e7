"""A circuit as fused steps, by hand."""

import numpy as np
import torch

from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.quantum.engine.measurement import eigenvalues, observable_table, z_of_each_qubit
from hqnn_utils.quantum.engine.plan import Entangle, Local, Phases, plan, split_last_entanglers
from hqnn_utils.quantum.engine.uploads import UPLOADS

ENCODE, PAIRS = Local(("encode",)), ((0, 1), (1, 2), (2, 0))


def steps(**options):
    spec = CircuitSpec(n_qubits=3, **options)
    return plan(spec, UPLOADS[spec.encoding].steps)


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


def test_the_table_of_observables_contains_the_last_entanglers():
    """|100> under CNOT(0, 1), CNOT(1, 2), CNOT(2, 0) is |011>: its row is the eigenvalues of
    |011>.
    """
    cpu = torch.device("cpu")
    spec = CircuitSpec(n_qubits=3)
    table = observable_table(spec, (Entangle(PAIRS),), cpu)
    assert table.dtype == torch.float64
    assert table[0b100].tolist() == [1, -1, -1]
    flipped = CircuitSpec(n_qubits=3, gate="CZ")
    plain = torch.from_numpy(eigenvalues(flipped)).double()
    assert torch.equal(observable_table(flipped, (Entangle(PAIRS),), cpu), plain)
    np.testing.assert_array_equal(z_of_each_qubit(3).T, eigenvalues(spec))
