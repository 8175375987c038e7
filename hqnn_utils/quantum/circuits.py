"""A parameterised quantum circuit as one small description, and the PennyLane QNode made from it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from hqnn_utils.runtime import choose

ENCODINGS = ("angle", "amplitude", "iqp")
ROTATIONS = {"RX": 1, "RY": 1, "RZ": 1, "Rot": 3}  # trainable angles per qubit and layer
ENTANGLERS = ("ring", "strong", "chain", "all", "none")
OBSERVABLES = ("Z", "Z0", "parity", "ZZ")
INITIALISERS = ("uniform", "small", "identity_block")


@dataclass(frozen=True)
class CircuitSpec:
    """Everything that defines a circuit. Hashable, so it can key a cache or name a record.

    The circuit is: encoding, then per layer the trainable rotations followed by the entangler; with
    ``reupload=True`` the encoding comes again before each layer.

    Attributes
    ----------
    n_qubits, n_layers : sizes, at least 1.
    encoding : ``"angle"`` one feature is one rotation angle (radian) per qubit; ``"amplitude"`` 2**n features
        become the normalised state; ``"iqp"`` Hadamards, RZ(x_i) and ZZ(x_i x_j) (Havlicek et al., arXiv 1804.11326).
    axis : rotation axis of the angle encoding, ``"X"``, ``"Y"`` or ``"Z"``. Z alone leaves |0...0> unchanged up to a
        phase: it needs ``reupload=True`` behind a first layer of trainable RX, RY or Rot to carry any information.
    rotation : trainable gate on each qubit, ``"RX"``, ``"RY"``, ``"RZ"`` or ``"Rot"`` (three angles).
    entangler : ``"ring"`` neighbours in a circle (with RX: PennyLane's BasicEntanglerLayers); ``"strong"`` a ring whose
        reach grows with the layer (with Rot: StronglyEntanglingLayers); ``"chain"``; ``"all"`` pairs; ``"none"``.
    gate : two-qubit gate, ``"CNOT"`` or ``"CZ"``.
    observable : what is measured. ``"Z"`` on each qubit (n outputs), ``"Z0"`` on the first (1),
        ``"parity"`` the product of all Z (1), ``"ZZ"`` all pairs Z_i Z_j (n(n-1)/2).
    reupload : repeat the encoding before each layer (Perez-Salinas et al., arXiv 1907.02085).
    scaling : factor on the features before the encoding.
    mirror : build every second layer as the reverse of a layer, so that pairs of layers can start as the identity
        (Grant et al., arXiv 1903.05076).
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
        for field in ("n_qubits", "n_layers"):
            value = getattr(self, field)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(f"{field} must be a whole number of at least 1, got {value!r}")
        choose("encoding", self.encoding, ENCODINGS)
        choose("encoding axis", self.axis, ("X", "Y", "Z"))
        choose("rotation", self.rotation, ROTATIONS)
        choose("entangler", self.entangler, ENTANGLERS)
        choose("two-qubit gate", self.gate, ("CNOT", "CZ"))
        choose("observable", self.observable, OBSERVABLES)
        if not math.isfinite(self.scaling) or self.scaling == 0:
            raise ValueError(f"scaling must be finite and not zero, got {self.scaling!r}")
        if self.n_qubits < 2 and self.entangler != "none":
            raise ValueError(
                f"entangler {self.entangler!r} needs at least 2 qubits, got {self.n_qubits}: use entangler='none'"
            )
        if self.n_qubits < 2 and self.observable == "ZZ":
            raise ValueError("observable 'ZZ' needs at least 2 qubits: use observable='Z'")
        if self.encoding == "amplitude" and (self.reupload or self.scaling != 1.0):
            raise ValueError(
                "amplitude encoding prepares the whole state once and normalises it: no reupload, scaling=1.0"
            )

    @property
    def n_inputs(self) -> int:
        """Features per example: n, or 2**n for amplitude encoding."""
        return 2**self.n_qubits if self.encoding == "amplitude" else self.n_qubits

    @property
    def n_outputs(self) -> int:
        """Expectation values per example."""
        n = self.n_qubits
        return {"Z": n, "Z0": 1, "parity": 1, "ZZ": n * (n - 1) // 2}[self.observable]

    @property
    def weight_shape(self) -> tuple[int, ...]:
        """``(n_layers, n_qubits)``, with a last axis of 3 for Rot."""
        angles = ROTATIONS[self.rotation]
        return (self.n_layers, self.n_qubits) + ((angles,) if angles > 1 else ())

    @property
    def n_weights(self) -> int:
        """Number of trainable angles."""
        return math.prod(self.weight_shape)

    def is_mirrored(self, layer: int) -> bool:
        """True where the layer runs backwards: entangler reversed, then rotations."""
        return self.mirror and layer % 2 == 1

    def pairs(self, layer: int) -> tuple[tuple[int, int], ...]:
        """(control, target) of the two-qubit gates of a layer, in the order they are applied."""
        n = self.n_qubits
        if self.entangler == "none":
            return ()
        if self.entangler == "chain":
            pairs = [(i, i + 1) for i in range(n - 1)]
        elif self.entangler == "all":
            pairs = [(i, j) for i in range(n) for j in range(i + 1, n)]
        elif (
            self.entangler == "strong"
        ):  # reach as in StronglyEntanglingLayers; a mirrored layer undoes its partner
            reach = (layer - self.is_mirrored(layer)) % (n - 1) + 1
            pairs = [(i, (i + reach) % n) for i in range(n)]
        else:  # a ring of two qubits is one gate, as in BasicEntanglerLayers
            pairs = [(0, 1)] if n == 2 else [(i, (i + 1) % n) for i in range(n)]
        return tuple(reversed(pairs)) if self.is_mirrored(layer) else tuple(pairs)

    def label(self) -> str:
        """Short text for record names and legends; equal labels mean equal circuits."""
        parts = [
            f"{self.n_qubits}q{self.n_layers}l",
            self.encoding + (self.axis if self.encoding == "angle" else ""),
            self.rotation,
            self.entangler + ("" if self.entangler == "none" else self.gate),
            self.observable,
        ]
        parts += ["reup"] * self.reupload + ["mirror"] * self.mirror
        return "-".join(parts + ([f"x{self.scaling!r}"] if self.scaling != 1.0 else []))


def _rotate(qp, spec: CircuitSpec, weights) -> None:
    for wire in range(spec.n_qubits):
        if spec.rotation == "Rot":
            qp.Rot(weights[..., wire, 0], weights[..., wire, 1], weights[..., wire, 2], wires=wire)
        else:
            getattr(qp, spec.rotation)(weights[..., wire], wires=wire)


def _encode(qp, spec: CircuitSpec, inputs) -> None:
    wires = range(spec.n_qubits)
    if spec.encoding == "amplitude":
        qp.AmplitudeEmbedding(inputs, wires=wires, normalize=True)
    elif spec.encoding == "angle":
        qp.AngleEmbedding(spec.scaling * inputs, wires=wires, rotation=spec.axis)
    else:
        qp.IQPEmbedding(spec.scaling * inputs, wires=wires)


def apply_circuit(spec: CircuitSpec, inputs, weights) -> None:
    """Queue the gates of ``spec`` inside a QNode. inputs: (n_inputs,) or (batch, n_inputs); weights: weight_shape."""
    import pennylane as qp

    entangle = getattr(qp, spec.gate)
    for layer in range(spec.n_layers):
        if layer == 0 or spec.reupload:
            _encode(qp, spec, inputs)
        if not spec.is_mirrored(layer):
            _rotate(qp, spec, weights[layer])
        for pair in spec.pairs(layer):
            entangle(wires=pair)
        if spec.is_mirrored(layer):
            _rotate(qp, spec, weights[layer])


def observables(spec: CircuitSpec) -> list:
    """The PennyLane observables, in the order of the outputs."""
    import pennylane as qp

    n = spec.n_qubits
    if spec.observable == "Z":
        return [qp.Z(i) for i in range(n)]
    if spec.observable == "Z0":
        return [qp.Z(0)]
    if spec.observable == "parity":
        return [qp.prod(*[qp.Z(i) for i in range(n)]) if n > 1 else qp.Z(0)]
    return [qp.Z(i) @ qp.Z(j) for i in range(n) for j in range(i + 1, n)]


def build_qnode(
    spec: CircuitSpec,
    device="default.qubit",
    shots: int | None = None,
    noise=None,
    diff_method: str = "best",
):
    """A PennyLane QNode ``circuit(inputs, weights) -> list of expectation values`` with the torch interface.

    Parameters
    ----------
    device : any PennyLane device name, or a device made with ``qp.device(...)``; ``noise`` needs ``"default.mixed"``.
    shots : ``None`` for exact expectation values.
    noise : a ``qp.noise.NoiseModel`` or ``None``.
    diff_method : PennyLane's name of the gradient method.
    """
    import pennylane as qp

    if noise is not None and device != "default.mixed":
        raise ValueError(f"noise needs device='default.mixed', got {device!r}")

    backend = qp.device(device, wires=spec.n_qubits) if isinstance(device, str) else device

    @qp.qnode(backend, interface="torch", diff_method=diff_method)
    def circuit(inputs, weights):
        apply_circuit(spec, inputs, weights)
        return [qp.expval(o) for o in observables(spec)]

    if noise is not None:
        circuit = qp.noise.add_noise(circuit, noise)
    return qp.set_shots(circuit, shots=shots) if shots is not None else circuit


def init_weights(spec: CircuitSpec, kind: str = "uniform", generator=None):
    """Start angles as a float32 tensor of ``spec.weight_shape``, in radian.

    ``"uniform"`` on [0, 2 pi); ``"small"`` normal with standard deviation 0.1; ``"identity_block"`` uniform, with every
    second layer the inverse of the one before (needs ``mirror=True``, an even number of layers, no re-uploading),
    so that the trainable part starts as the identity (Grant et al., arXiv 1903.05076).
    """
    import torch

    choose("initialiser", kind, INITIALISERS)
    if kind == "small":
        return 0.1 * torch.randn(spec.weight_shape, generator=generator)
    weights = 2 * math.pi * torch.rand(spec.weight_shape, generator=generator)
    if kind == "identity_block":
        if not spec.mirror or spec.n_layers % 2 or spec.reupload:
            raise ValueError(
                "identity_block needs mirror=True, an even n_layers and reupload=False: "
                f"got mirror={spec.mirror}, n_layers={spec.n_layers}, reupload={spec.reupload}"
            )
        # The inverse of Rot(a, b, c) is Rot(-c, -b, -a); the inverse of a single rotation is its negative angle.
        weights[1::2] = -weights[0::2].flip(-1) if spec.rotation == "Rot" else -weights[0::2]
    return weights


def _example(spec: CircuitSpec):
    import torch

    return torch.linspace(0.1, 1.0, spec.n_inputs), init_weights(
        spec, generator=torch.Generator().manual_seed(0)
    )


def draw_circuit(spec: CircuitSpec, **options):
    """Matplotlib ``(figure, axes)`` of the circuit, gate by gate (``qp.draw_mpl``)."""
    import pennylane as qp

    return qp.draw_mpl(build_qnode(spec), level="device", **options)(*_example(spec))


def resources(spec: CircuitSpec) -> dict:
    """True counts at device level (``qp.specs``): gates by type, total, two-qubit gates, depth, weights, outputs."""
    import pennylane as qp

    found = qp.specs(build_qnode(spec), level="device")(*_example(spec))["resources"]
    return {
        "gates": dict(found.gate_counts),
        "n_gates": found.num_gates,
        "n_two_qubit": sum(v for k, v in found.gate_sizes.items() if k == 2),
        "depth": found.depth,
        "n_weights": spec.n_weights,
        "n_inputs": spec.n_inputs,
        "n_outputs": spec.n_outputs,
    }
