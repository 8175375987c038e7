"""A circuit as arrays of numbers, for the compiled kernel (``kernel.py``).

Everything becomes RY and RZ. Layers of RY are carried out. What is diagonal (RZ, CZ) is collected
until the next layer of RY into one factor for each basis state. CNOTs are only remembered: after
some of them, the bit of qubit q in the number of a basis state is the parity of several bits of the
place k in memory,

    bit of q = parity(k & role[q]),    and the partner of k under a gate on q is k ^ mask[q].

A CNOT changes role[target] by role[control], and mask[control] by mask[target]. Products of Z keep
their form: a mask of bits for each output.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from hqnn_utils.quantum.engine.measurement import qubit_bits
from hqnn_utils.quantum.engine.plan import Entangle, GateName, Local, Step
from hqnn_utils.quantum.spec import CircuitSpec

# Kinds of steps: a factor for each basis state; RY by angles that all rows share; RY by features.
DIAGONAL, SHARED, PER_ROW = 0, 1, 2
# Where an angle comes from.
CONSTANT, FROM_WEIGHTS, FROM_INPUTS = 0, 1, 2
QUARTER = np.pi / 2


class Program(NamedTuple):
    """A circuit as arrays; all whole numbers are int64, all others float64, the signs int8.

    Attributes
    ----------
    steps : (steps, 5): kind; first and number of its rotations or terms; its row in ``signs`` or
        -1; the number of the diagonal step.
    rotations : (rotations, 3): mask and role of the qubit, index of the angle or -1.
    rotation_constants : the angles of those with index -1.
    terms : (terms, 2): role of the qubit, index of the weight or -1.
    term_constants : the angles of those with index -1.
    start : (gates, 2): axis (1 for Y, 0 for Z) and source of the angle.
    start_angles : (gates, n): index of each qubit's angle.
    start_constants : the angles where the source is CONSTANT.
    outputs : a mask of bits for each output.
    signs : (different layers of CZ, 2**n).
    """

    steps: np.ndarray
    rotations: np.ndarray
    rotation_constants: np.ndarray
    terms: np.ndarray
    term_constants: np.ndarray
    start: np.ndarray
    start_angles: np.ndarray
    start_constants: np.ndarray
    outputs: np.ndarray
    signs: np.ndarray

    @classmethod
    def empty(cls) -> Program:
        """A program without content: it shows the types."""
        return cls(*_arrays(_Draft(CircuitSpec(n_qubits=1, entangler="none")), [], np.zeros(0)))

    @property
    def n_diagonals(self) -> int:
        """Number of diagonal steps."""
        return int((self.steps[:, 0] == DIAGONAL).sum())


@dataclass(frozen=True)
class _Gate:
    """RY or RZ on each qubit.

    Attributes
    ----------
    axis : ``"Y"`` or ``"Z"``.
    source : of the angles.
    indices : of each qubit's angle in the weights or the features.
    constant : the angle where the source is CONSTANT.
    """

    axis: str
    source: int
    indices: tuple[int, ...]
    constant: float = 0.0


def _fixed(axis: str, angle: float, n: int) -> _Gate:
    return _Gate(axis, CONSTANT, (-1,) * n, angle)


def _about(axis: str, source: int, indices: tuple[int, ...]) -> list[_Gate]:
    """A rotation about an axis as RY and RZ, in the order in which they act."""
    n = len(indices)
    if axis == "X":  # the Y axis, turned by -90 degrees about Z
        turn, back = _fixed("Z", QUARTER, n), _fixed("Z", -QUARTER, n)
        return [turn, _Gate("Y", source, indices), back]
    if axis == "Z" and source == FROM_INPUTS:  # the Y axis, turned by 90 degrees about X
        about_x = [
            [_fixed("Z", QUARTER, n), _fixed("Y", angle, n), _fixed("Z", -QUARTER, n)]
            for angle in (-QUARTER, QUARTER)
        ]
        return [*about_x[0], _Gate("Y", source, indices), *about_x[1]]
    return [_Gate(axis, source, indices)]


def _gates(spec: CircuitSpec, name: GateName) -> list[_Gate]:
    """A named layer of the plan as layers of RY and RZ."""
    n = spec.n_qubits
    if name == "encode":
        return _about(spec.axis, FROM_INPUTS, tuple(range(n)))
    if spec.rotation != "Rot":
        return _about(spec.rotation[1], FROM_WEIGHTS, tuple(range(name * n, (name + 1) * n)))
    first = 3 * n * name
    indices = [tuple(range(first + k, first + 3 * n, 3)) for k in range(3)]
    return [_Gate(axis, FROM_WEIGHTS, where) for axis, where in zip("ZYZ", indices, strict=True)]


class _Step(NamedTuple):
    """A row of ``Program.steps``: where its rotations or terms begin, and how many there are."""

    kind: int
    first: int
    count: int
    signs: int = -1
    diagonal: int = -1


@dataclass
class _Draft:
    """A program while it grows."""

    spec: CircuitSpec
    steps: list[_Step] = field(default_factory=list)
    rotations: list = field(default_factory=list)
    terms: list = field(default_factory=list)
    signs: list = field(default_factory=list)  # pairs of CZ, each list of pairs once

    def __post_init__(self):
        self.mask, self.role = qubit_bits(self.spec.n_qubits), qubit_bits(self.spec.n_qubits)
        self._waiting()

    def _waiting(self) -> None:
        """Nothing diagonal waits."""
        self.fixed: dict[int, float] = {}
        self.trained: list[tuple[int, int]] = []
        self.flips: tuple[tuple[int, int], ...] = ()

    def add(self, gate: _Gate) -> None:
        """One more layer of RY or RZ."""
        if gate.axis == "Z":
            self._add_diagonal(gate)
            return
        self._close_diagonal()
        kind = PER_ROW if gate.source == FROM_INPUTS else SHARED
        self.steps.append(_Step(kind, len(self.rotations), len(gate.indices)))
        places = zip(self.mask, self.role, gate.indices, strict=True)
        self.rotations += [(*place, gate.constant) for place in places]

    def _add_diagonal(self, gate: _Gate) -> None:
        for role, index in zip(self.role, gate.indices, strict=True):
            if gate.source == CONSTANT:
                self.fixed[role] = self.fixed.get(role, 0.0) + gate.constant
            else:
                self.trained.append((role, index))

    def entangle(self, pairs: tuple[tuple[int, int], ...]) -> None:
        """The two-qubit gates of a layer."""
        if self.spec.gate == "CZ":
            self.flips += pairs
            return
        for control, target in pairs:
            self.role[target] ^= self.role[control]
            self.mask[control] ^= self.mask[target]

    def _close_diagonal(self) -> None:
        """What waited becomes a step."""
        terms = [(role, index, 0.0) for role, index in self.trained]
        terms += [(role, -1, angle) for role, angle in self.fixed.items() if angle]
        if terms or self.flips:
            if self.flips and self.flips not in self.signs:
                self.signs.append(self.flips)
            signs = self.signs.index(self.flips) if self.flips else -1
            number = sum(step.kind == DIAGONAL for step in self.steps)
            self.steps.append(_Step(DIAGONAL, len(self.terms), len(terms), signs, number))
            self.terms += terms
        self._waiting()


def cz_signs(n: int, pairs) -> np.ndarray:
    """CZs as (2**n) of +1 and -1: a minus where an odd number of the pairs have both bits set."""
    signs = np.empty(2**n, dtype=np.int8)
    for begin in range(0, 2**n, 2**16):  # whole numbers for all states at once would be 8 times it
        states = np.arange(begin, min(begin + 2**16, 2**n))
        odd = np.zeros(len(states), dtype=np.int8)
        for a, b in pairs:
            odd ^= ((states >> (n - 1 - a)) & (states >> (n - 1 - b)) & 1).astype(np.int8)
        signs[begin : begin + len(states)] = 1 - 2 * odd
    return signs


def _table(rows: list, columns: int) -> np.ndarray:
    return np.array(rows, dtype=np.int64).reshape(len(rows), columns)


def _arrays(draft: _Draft, start: list[_Gate], outputs: np.ndarray) -> list[np.ndarray]:
    n = draft.spec.n_qubits
    signs = [cz_signs(n, pairs) for pairs in draft.signs]
    return [
        _table(draft.steps, 5),
        _table([rotation[:3] for rotation in draft.rotations], 3),
        np.array([rotation[3] for rotation in draft.rotations], dtype=np.float64),
        _table([term[:2] for term in draft.terms], 2),
        np.array([term[2] for term in draft.terms], dtype=np.float64),
        _table([(gate.axis == "Y", gate.source) for gate in start], 2),
        _table([gate.indices for gate in start], n),
        np.array([gate.constant for gate in start], dtype=np.float64),
        np.asarray(outputs, dtype=np.int64),
        np.array(signs, dtype=np.int8).reshape(len(signs), 2**n),
    ]


@lru_cache(maxsize=64)
def make_program(spec: CircuitSpec, steps: tuple[Step, ...], from_product: bool) -> Program:
    """The program of a circuit.

    Parameters
    ----------
    steps : of the plan; those that a given start state contains are left out by the caller.
    from_product : whether the first of them, one-qubit gates, make the start state.
    """
    draft, start = _Draft(spec), []
    for number, step in enumerate(steps):
        if isinstance(step, Entangle):
            draft.entangle(step.pairs)
            continue
        assert isinstance(step, Local), step
        gates = [gate for name in step.names for gate in _gates(spec, name)]
        if number == 0 and from_product:
            # RZ on |0> is a phase of the whole state.
            first = next((k for k, gate in enumerate(gates) if gate.axis == "Y"), len(gates))
            start = gates[first:]
        else:
            for gate in gates:
                draft.add(gate)
    # What is diagonal and comes last changes no probability: it is left out.
    outputs = []
    for qubits in spec.measured:
        mask = 0
        for qubit in qubits:
            mask ^= draft.role[qubit]
        outputs.append(mask)
    return Program(*_arrays(draft, start, np.array(outputs)))
