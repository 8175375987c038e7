"""The PennyLane QNode made from a :class:`CircuitSpec`: its gates and its measurement."""

from __future__ import annotations

from hqnn_utils.quantum.encodings import ENCODINGS
from hqnn_utils.quantum.spec import CircuitSpec
from hqnn_utils.runtime.arguments import checked


def _queue_rotations(spec: CircuitSpec, weights) -> None:
    import pennylane as qp

    for wire in range(spec.n_qubits):
        if spec.rotation == "Rot":
            qp.Rot(weights[..., wire, 0], weights[..., wire, 1], weights[..., wire, 2], wires=wire)
        else:
            getattr(qp, spec.rotation)(weights[..., wire], wires=wire)


def apply_circuit(spec: CircuitSpec, inputs, weights) -> None:
    """Queue the gates of ``spec`` inside a QNode.

    Parameters
    ----------
    inputs : (n_inputs,) or (batch, n_inputs), radian (amplitudes for amplitude encoding).
    weights : of ``spec.weight_shape``, radian.
    """
    import pennylane as qp

    two_qubit_gate = getattr(qp, spec.gate)
    for layer in range(spec.n_layers):
        if spec.uploads_before(layer):
            ENCODINGS[spec.encoding].queue(spec, inputs)
        if not spec.is_mirrored(layer):
            _queue_rotations(spec, weights[layer])
        for pair in spec.pairs(layer):
            two_qubit_gate(wires=pair)
        if spec.is_mirrored(layer):
            _queue_rotations(spec, weights[layer])


def observables(spec: CircuitSpec) -> list:
    """The PennyLane observables, in the order of the outputs."""
    import pennylane as qp

    found = []
    for qubits in spec.measured:
        factors = [qp.Z(qubit) for qubit in qubits]
        found.append(qp.prod(*factors) if len(factors) > 1 else factors[0])
    return found


def build_qnode(
    spec: CircuitSpec,
    device="default.qubit",
    shots: int | None = None,
    noise=None,
    diff_method: str = "best",
):
    """A PennyLane QNode ``circuit(inputs, weights) -> list of expectation values`` with the torch
    interface.

    Parameters
    ----------
    device : any PennyLane device name, or a device made with ``qp.device(...)``; ``noise`` needs
        ``"default.mixed"``.
    shots : ``None`` for exact expectation values.
    noise : a ``qp.noise.NoiseModel`` or ``None``.
    diff_method : PennyLane's name of the gradient method.

    Raises
    ------
    ValueError : noise on another device than ``"default.mixed"``.
    """
    import pennylane as qp

    if noise is not None and device != "default.mixed":
        raise ValueError(f"noise needs device='default.mixed', got {device!r}")

    backend = qp.device(device, wires=spec.n_qubits) if isinstance(device, str) else device

    @qp.qnode(backend, interface="torch", diff_method=diff_method)
    def circuit(inputs, weights):
        apply_circuit(spec, inputs, weights)
        return [qp.expval(observable) for observable in observables(spec)]

    if noise is not None:
        circuit = qp.noise.add_noise(circuit, noise)
    return circuit if shots is None else qp.set_shots(circuit, shots=shots)


checked(__name__)
