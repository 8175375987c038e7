"""A parameterised quantum circuit as one small description, and its start angles."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from numbers import Real

from hqnn_utils.quantum.encodings import ENCODINGS
from hqnn_utils.runtime.arguments import checked
from hqnn_utils.runtime.words import check, choose, one_of, truth, whole

Pairs = list[tuple[int, int]]

AXES = ("X", "Y", "Z")
ROTATIONS = {"RX": 1, "RY": 1, "RZ": 1, "Rot": 3}  # trainable angles per qubit and layer
GATES = ("CNOT", "CZ")
INITIALISERS = ("uniform", "small", "identity_block")


def _ring(n: int, layer: int) -> Pairs:
    """Neighbours in a circle. A ring of two qubits is one gate, as in BasicEntanglerLayers."""
    if n == 2:
        return [(0, 1)]
    return [(i, (i + 1) % n) for i in range(n)]


def _strong(n: int, layer: int) -> Pairs:
    """A circle in which each qubit meets the one ``reach`` places on.

    The reach is that of StronglyEntanglingLayers: 1, 2, ... n - 1, and again.
    """
    reach = layer % (n - 1) + 1
    return [(i, (i + reach) % n) for i in range(n)]


def _chain(n: int, layer: int) -> Pairs:
    return [(i, i + 1) for i in range(n - 1)]


def _bricks(n: int, layer: int) -> Pairs:
    """Neighbours in pairs, (0, 1), (2, 3), ...; in every second layer (1, 2), (3, 4), ..."""
    return [(i, i + 1) for i in range(layer % 2, n - 1, 2)]


def _tree(n: int, layer: int) -> Pairs:
    """Each pair hands on to its lower qubit, over twice the distance in each layer: to qubit 0."""
    levels = (n - 1).bit_length()
    step = 2 ** (layer % levels)
    return [(i + step, i) for i in range(0, n - step, 2 * step)]


def _all_pairs(n: int, layer: int) -> Pairs:
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


def _no_pairs(n: int, layer: int) -> Pairs:
    return []


# (number of qubits, number of the layer) -> (control, target) of each gate, in order.
ENTANGLERS: dict[str, Callable[[int, int], Pairs]] = {
    "ring": _ring,
    "strong": _strong,
    "chain": _chain,
    "bricks": _bricks,
    "tree": _tree,
    "all": _all_pairs,
    "none": _no_pairs,
}


def _each_qubit(n: int) -> list[tuple[int, ...]]:
    return [(qubit,) for qubit in range(n)]


def _first_qubit(n: int) -> list[tuple[int, ...]]:
    return [(0,)]


def _parity(n: int) -> list[tuple[int, ...]]:
    return [tuple(range(n))]


def _each_pair(n: int) -> list[tuple[int, ...]]:
    return [(i, j) for i in range(n) for j in range(i + 1, n)]


# Number of qubits -> for each output the qubits whose Z are multiplied.
OBSERVABLES: dict[str, Callable[[int], list[tuple[int, ...]]]] = {
    "Z": _each_qubit,
    "Z0": _first_qubit,
    "parity": _parity,
    "ZZ": _each_pair,
}


RULES = {
    # far beyond what any machine can hold or wait for: a slip of the pen
    "n_qubits": whole(1, most=500),
    "n_layers": whole(1, most=10_000),
    "encoding": one_of("encoding", ENCODINGS),
    "axis": one_of("encoding axis", AXES),
    "rotation": one_of("rotation", ROTATIONS),
    "entangler": one_of("entangler", ENTANGLERS),
    "gate": one_of("two-qubit gate", GATES),
    "observable": one_of("observable", OBSERVABLES),
    "reupload": truth,
    "mirror": truth,
}


@dataclass(frozen=True)
class CircuitSpec:
    """Everything that defines a circuit. Hashable, so it can key a cache or name a record.

    The circuit is: encoding, then per layer the trainable rotations followed by the entangler; with
    ``reupload=True`` the encoding comes again before each layer.

    Attributes
    ----------
    n_qubits, n_layers : sizes, at least 1.
    encoding : ``"angle"`` one feature is one rotation angle (radian) per qubit; ``"amplitude"``
        2**n features become the normalised state; ``"iqp"`` Hadamards, RZ(x_i) and ZZ(x_i x_j)
        (Havlicek et al., arXiv 1804.11326).
    axis : rotation axis of the angle encoding, ``"X"``, ``"Y"`` or ``"Z"``. Z alone leaves |0...0>
        unchanged up to a phase: it needs ``reupload=True`` behind a first layer of trainable RX, RY
        or Rot to carry any information.
    rotation : trainable gate on each qubit, ``"RX"``, ``"RY"``, ``"RZ"`` or ``"Rot"`` (three
        angles).
    entangler : ``"ring"`` neighbours in a circle (with RX: PennyLane's BasicEntanglerLayers);
        ``"strong"`` a ring whose reach grows with the layer (with Rot: StronglyEntanglingLayers);
        ``"chain"``; ``"bricks"`` pairs of neighbours, shifted by one in every second layer;
        ``"tree"`` towards qubit 0, in ceil(log2 n) layers (rotations of qubits that have handed on
        do nothing to it); ``"all"`` pairs; ``"none"``.
    gate : two-qubit gate, ``"CNOT"`` or ``"CZ"``.
    observable : what is measured. ``"Z"`` on each qubit (n outputs), ``"Z0"`` on the first (1),
        ``"parity"`` the product of all Z (1), ``"ZZ"`` all pairs Z_i Z_j (n(n-1)/2).
    reupload : repeat the encoding before each layer (Perez-Salinas et al., arXiv 1907.02085).
    scaling : factor on the features before the encoding.
    mirror : build the second half of the layers as the first half backwards, so that the circuit
        can start as the identity (Grant et al., arXiv 1903.05076). The two entanglers in the middle
        meet and cancel: with two layers nothing entangles, it takes four.

    Raises
    ------
    ValueError : an unknown name, a size below 1, or options that do not go together.
    """

    n_qubits: int = 4
    n_layers: int = 2
    encoding: str = "angle"
    axis: str = "X"
    rotation: str = "RX"
    entangler: str = "ring"
    gate: str = "CNOT"
    observable: str = "Z"
    reupload: bool = False
    scaling: float = 1.0
    mirror: bool = False

    def __post_init__(self):
        check(RULES, {name: getattr(self, name) for name in RULES})
        if (
            not isinstance(self.scaling, Real)
            or isinstance(self.scaling, bool)
            or not math.isfinite(self.scaling)
            or not self.scaling
        ):
            raise ValueError(f"scaling must be finite and not zero, got {self.scaling!r}")
        if self.n_qubits < 2 and self.entangler != "none":
            raise ValueError(
                f"entangler {self.entangler!r} needs at least 2 qubits, got {self.n_qubits}: "
                "use entangler='none'"
            )
        if self.n_qubits < 2 and self.observable == "ZZ":
            raise ValueError("observable 'ZZ' needs at least 2 qubits: use observable='Z'")
        ENCODINGS[self.encoding].check(self)

    @property
    def n_inputs(self) -> int:
        """Features per example: n, or 2**n for amplitude encoding."""
        return ENCODINGS[self.encoding].n_inputs(self.n_qubits)

    @property
    def measured(self) -> list[tuple[int, ...]]:
        """For each output the qubits whose Z are multiplied."""
        return OBSERVABLES[self.observable](self.n_qubits)

    @property
    def n_outputs(self) -> int:
        """Expectation values per example."""
        return len(self.measured)

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """``(n_layers, n_qubits)``, with a last axis of 3 for Rot."""
        angles = ROTATIONS[self.rotation]
        if angles == 1:
            return (self.n_layers, self.n_qubits)
        return (self.n_layers, self.n_qubits, angles)

    @property
    def n_weights(self) -> int:
        """Number of trainable angles."""
        return math.prod(self.weight_shape)

    def is_mirrored(self, layer: int) -> bool:
        """True where the layer runs backwards: entangler reversed, then rotations."""
        return self.mirror and 2 * layer >= self.n_layers

    def uploads_before(self, layer: int) -> bool:
        """True where the features enter (again) in front of this layer."""
        return layer == 0 or self.reupload

    def pairs(self, layer: int) -> tuple[tuple[int, int], ...]:
        """(control, target) of the two-qubit gates of a layer, in the order they are applied."""
        mirrored = self.is_mirrored(layer)
        # A mirrored layer undoes its partner: the last one the first.
        original = self.n_layers - 1 - layer if mirrored else layer
        pairs = ENTANGLERS[self.entangler](self.n_qubits, original)
        return tuple(reversed(pairs)) if mirrored else tuple(pairs)

    def label(self) -> str:
        """Short text for record names and legends; equal labels mean equal circuits."""
        entangler = self.entangler if self.entangler == "none" else self.entangler + self.gate
        parts = [
            f"{self.n_qubits}q{self.n_layers}l",
            ENCODINGS[self.encoding].label(self),
            self.rotation,
            entangler,
            self.observable,
        ]
        if self.reupload:
            parts.append("reup")
        if self.mirror:
            parts.append("mirror")
        if self.scaling != 1.0:
            parts.append(f"x{self.scaling!r}")
        return "-".join(parts)


def init_weights(spec: CircuitSpec, kind: str = "uniform", generator=None):
    """Start angles as a float32 tensor of ``spec.weight_shape``, in radian.

    Parameters
    ----------
    kind : ``"uniform"`` on [0, 2 pi); ``"small"`` normal with standard deviation 0.1;
        ``"identity_block"`` uniform, with the second half of the layers the inverse of the first
        (needs ``mirror=True``, an even number of layers, no re-uploading), so that the trainable
        part starts as the identity (Grant et al., arXiv 1903.05076).
    generator : a ``torch.Generator``; without one, torch's global random numbers.
    """
    import torch

    choose("initialiser", kind, INITIALISERS)
    if kind == "small":
        return 0.1 * torch.randn(spec.weight_shape, generator=generator)
    weights = 2 * math.pi * torch.rand(spec.weight_shape, generator=generator)
    if kind == "identity_block":
        half = spec.n_layers // 2
        weights[half:] = _inverse_angles(spec, weights[:half].flip(0))
    return weights


def _inverse_angles(spec: CircuitSpec, angles):
    """Angles of the layers that undo these ones."""
    if not spec.mirror or spec.n_layers % 2 or spec.reupload:
        raise ValueError(
            "identity_block needs mirror=True, an even n_layers and reupload=False: "
            f"got mirror={spec.mirror}, n_layers={spec.n_layers}, reupload={spec.reupload}"
        )
    if spec.rotation == "Rot":  # the inverse of Rot(a, b, c) is Rot(-c, -b, -a)
        return -angles.flip(-1)
    return -angles


checked(__name__)
