"""CircuitSpec: what it counts, how it is named, what it refuses; and the start angles."""

import dataclasses
import math
import re

import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, init_weights
from hqnn_utils.quantum.encodings import ENCODINGS


def test_defaults_are_the_studys_circuit():
    """Stored records name a circuit by its label and leave defaults out."""
    assert dataclasses.asdict(CircuitSpec()) == {
        "n_qubits": 4,
        "n_layers": 2,
        "encoding": "angle",
        "axis": "X",
        "rotation": "RX",
        "entangler": "ring",
        "gate": "CNOT",
        "observable": "Z",
        "reupload": False,
        "scaling": 1.0,
        "mirror": False,
    }


@pytest.mark.parametrize(
    ("options", "label"),
    [
        (dict(), "4q2l-angleX-RX-ringCNOT-Z"),
        (dict(n_qubits=3, n_layers=1, axis="Y", rotation="RY"), "3q1l-angleY-RY-ringCNOT-Z"),
        (dict(encoding="amplitude", gate="CZ", observable="ZZ"), "4q2l-amplitude-RX-ringCZ-ZZ"),
        (dict(encoding="iqp", entangler="none", gate="CZ"), "4q2l-iqp-RX-none-Z"),
        (
            dict(reupload=True, mirror=True, scaling=0.5, entangler="strong"),
            "4q2l-angleX-RX-strongCNOT-Z-reup-mirror-x0.5",
        ),
    ],
)
def test_labels_of_stored_records_stay(options, label):
    assert CircuitSpec(**options).label() == label


@pytest.mark.parametrize(
    ("entangler", "layer", "pairs"),
    [
        ("ring", 0, [(0, 1), (1, 2), (2, 3), (3, 0)]),
        ("ring", 3, [(0, 1), (1, 2), (2, 3), (3, 0)]),
        ("strong", 0, [(0, 1), (1, 2), (2, 3), (3, 0)]),
        ("strong", 1, [(0, 2), (1, 3), (2, 0), (3, 1)]),
        ("strong", 3, [(0, 1), (1, 2), (2, 3), (3, 0)]),
        ("chain", 0, [(0, 1), (1, 2), (2, 3)]),
        ("bricks", 0, [(0, 1), (2, 3)]),
        ("bricks", 1, [(1, 2)]),
        ("bricks", 3, [(1, 2)]),
        ("tree", 0, [(1, 0), (3, 2)]),
        ("tree", 1, [(2, 0)]),
        ("tree", 2, [(1, 0), (3, 2)]),
        ("all", 0, [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3)]),
        ("none", 0, []),
    ],
)
def test_pairs_of_the_entanglers(entangler, layer, pairs):
    assert CircuitSpec(n_layers=4, entangler=entangler).pairs(layer) == tuple(pairs)


def test_two_qubits_and_mirrored_layers():
    assert CircuitSpec(n_qubits=2).pairs(0) == ((0, 1),)
    assert CircuitSpec(n_qubits=2, entangler="strong").pairs(1) == ((0, 1), (1, 0))
    mirrored = CircuitSpec(n_layers=4, entangler="strong", mirror=True)
    assert mirrored.pairs(2) == mirrored.pairs(1)[::-1]
    assert mirrored.pairs(3) == mirrored.pairs(0)[::-1]
    assert [mirrored.is_mirrored(k) for k in range(4)] == [False, False, True, True]
    odd = CircuitSpec(n_layers=3, mirror=True)
    assert [odd.is_mirrored(k) for k in range(3)] == [False, False, True]
    assert not CircuitSpec().is_mirrored(1)
    assert [CircuitSpec().uploads_before(k) for k in range(2)] == [True, False]
    assert CircuitSpec(reupload=True).uploads_before(1)


@pytest.mark.parametrize("n", [2, 3, 5, 6, 8])
def test_a_tree_joins_every_qubit_to_the_first(n):
    levels = (n - 1).bit_length()
    spec = CircuitSpec(n_qubits=n, n_layers=levels, entangler="tree")
    handed_on = [control for layer in range(levels) for control, _ in spec.pairs(layer)]
    assert sorted(handed_on) == list(range(1, n)), "each but the first hands on once"


def test_sizes():
    spec = CircuitSpec(n_qubits=3, n_layers=5)
    assert (spec.n_inputs, spec.n_outputs, spec.weight_shape, spec.n_weights) == (3, 3, (5, 3), 15)
    rot = CircuitSpec(n_qubits=3, n_layers=5, rotation="Rot")
    assert (rot.weight_shape, rot.n_weights) == ((5, 3, 3), 45)
    assert CircuitSpec(n_qubits=3, encoding="amplitude").n_inputs == 8
    measured = {
        o: CircuitSpec(n_qubits=3, observable=o).measured for o in ("Z", "Z0", "parity", "ZZ")
    }
    assert measured == {
        "Z": [(0,), (1,), (2,)],
        "Z0": [(0,)],
        "parity": [(0, 1, 2)],
        "ZZ": [(0, 1), (0, 2), (1, 2)],
    }


def test_initialisers():
    spec = CircuitSpec(n_qubits=6, n_layers=50)

    def make(kind):
        return init_weights(spec, kind, torch.Generator().manual_seed(0))

    uniform, small = make("uniform"), make("small")
    assert uniform.shape == spec.weight_shape
    assert uniform.min() >= 0
    assert 6 < uniform.max() <= 2 * math.pi
    assert small.std() == pytest.approx(0.1, rel=0.15)
    assert torch.equal(make("uniform"), uniform)
    with pytest.raises(
        ValueError, match="unknown initialiser 'zeros'; known: uniform, small, identity_block"
    ):
        make("zeros")


@pytest.mark.parametrize(
    ("options", "got"),
    [
        (dict(), "mirror=False, n_layers=2, reupload=False"),
        (dict(mirror=True, n_layers=3), "mirror=True, n_layers=3, reupload=False"),
        (dict(mirror=True, reupload=True), "mirror=True, n_layers=2, reupload=True"),
    ],
)
def test_identity_block_names_what_it_needs(options, got):
    message = "^identity_block needs mirror=True, an even n_layers and reupload=False: got "
    with pytest.raises(ValueError, match=message + got):
        init_weights(CircuitSpec(**options), "identity_block")


def test_the_global_random_numbers_are_used_without_a_generator():
    torch.manual_seed(5)
    first = init_weights(CircuitSpec(), "small")
    torch.manual_seed(5)
    assert torch.equal(first, init_weights(CircuitSpec(), "small"))
    assert torch.equal(
        first, init_weights(CircuitSpec(), "small", torch.Generator().manual_seed(5))
    )


def test_start_angles_of_stored_records_stay():
    """The first angles that seed 0 gives in PyTorch, times 2 pi; and its first normal numbers,
    times 0.1.
    """
    uniform = init_weights(CircuitSpec(), generator=torch.Generator().manual_seed(0))
    wanted = 2 * math.pi * torch.rand(2, 4, generator=torch.Generator().manual_seed(0))
    assert torch.equal(uniform, wanted)
    small = init_weights(CircuitSpec(), "small", torch.Generator().manual_seed(0))
    assert torch.equal(small, 0.1 * torch.randn(2, 4, generator=torch.Generator().manual_seed(0)))


def test_spec_is_hashable_and_labels_tell_circuits_apart():
    base = CircuitSpec()
    others = [
        dict(n_qubits=3),
        dict(n_layers=3),
        dict(encoding="iqp"),
        dict(axis="Y"),
        dict(rotation="RY"),
        dict(entangler="chain"),
        dict(gate="CZ"),
        dict(observable="ZZ"),
        dict(reupload=True),
        dict(scaling=0.5),
        dict(scaling=1.0000001),
        dict(mirror=True),
    ]
    assert len({f.name for f in dataclasses.fields(base)} - {k for o in others for k in o}) == 0, (
        "every field is tried"
    )
    specs = [base] + [dataclasses.replace(base, **o) for o in others]
    assert len(set(specs)) == len({s.label() for s in specs}) == len(specs)
    assert hash(CircuitSpec()) == hash(base)
    assert CircuitSpec() == base


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(encoding="basis"), f"unknown encoding 'basis'; known: {', '.join(ENCODINGS)}"),
        (
            dict(entangler="star"),
            "unknown entangler 'star'; known: ring, strong, chain, bricks, tree, all, none",
        ),
        (dict(rotation="RXX"), "unknown rotation 'RXX'; known: RX, RY, RZ, Rot"),
        (dict(gate="SWAP"), "unknown two-qubit gate 'SWAP'; known: CNOT, CZ"),
        (dict(observable="X"), "unknown observable 'X'; known: Z, Z0, parity, ZZ"),
        (dict(axis="x"), "unknown encoding axis 'x'; known: X, Y, Z"),
        (dict(n_qubits=0), "n_qubits must be a whole number from 1 to 500, got 0"),
        (dict(n_qubits=1), "entangler 'ring' needs at least 2 qubits, got 1: use entangler='none'"),
        (
            dict(n_qubits=1, entangler="none", observable="ZZ"),
            "observable 'ZZ' needs at least 2 qubits: use observable='Z'",
        ),
        (dict(n_layers=0), "n_layers must be a whole number from 1 to 10000, got 0"),
        (dict(n_layers=True), "n_layers must be a whole number from 1 to 10000, got True"),
        (dict(n_layers=2.0), "n_layers must be a whole number from 1 to 10000, got 2.0"),
        (dict(scaling=0.0), "scaling must be finite and not zero, got 0.0"),
        (dict(scaling=math.inf), "scaling must be finite and not zero, got inf"),
        (
            dict(encoding="amplitude", reupload=True),
            "amplitude encoding prepares the whole state once and normalises it: "
            "no reupload, scaling=1.0",
        ),
        (
            dict(encoding="amplitude", scaling=2.0),
            "amplitude encoding prepares the whole state once and normalises it: "
            "no reupload, scaling=1.0",
        ),
    ],
)
def test_bad_specs_are_clear(change, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        CircuitSpec(**change)


def test_the_smallest_pair():
    assert CircuitSpec(n_qubits=2, observable="ZZ").n_outputs == 1
