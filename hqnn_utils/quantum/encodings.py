"""How features enter a circuit. A new encoding is one class here and one entry in ``ENCODINGS``.

That is all that ``engine="pennylane"`` needs. The fused engine knows an encoding if it has an entry
in ``hqnn_utils/quantum/engine/uploads.py`` too; otherwise it says so. It then runs with torch's
operations; the compiled kernel knows those that ``engine/compiled.py`` names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hqnn_utils.quantum.spec import CircuitSpec


class Encoding:
    """What the rest of the room asks of an encoding; the answers here fit one rotation angle per
    qubit.

    Attributes
    ----------
    periodic : whether an output has the period 2 pi in each feature (at ``scaling=1``).
    """

    periodic = False

    def n_inputs(self, n_qubits: int) -> int:
        """Features per example."""
        return n_qubits

    def check(self, spec: CircuitSpec) -> None:
        """Raise a ValueError where an option of the circuit does not go with this encoding."""

    def label(self, spec: CircuitSpec) -> str:
        """The encoding's part of a circuit's label."""
        return spec.encoding

    def queue(self, spec: CircuitSpec, inputs) -> None:
        """Queue the gates inside a QNode; inputs are (n_inputs,) or (batch, n_inputs)."""
        raise NotImplementedError


class AngleEncoding(Encoding):
    """Each feature is the angle of one rotation about ``spec.axis``."""

    periodic = True

    def label(self, spec: CircuitSpec) -> str:
        """With the axis."""
        return spec.encoding + spec.axis

    def queue(self, spec: CircuitSpec, inputs) -> None:
        """``qp.AngleEmbedding``."""
        import pennylane as qp

        qp.AngleEmbedding(spec.scaling * inputs, wires=range(spec.n_qubits), rotation=spec.axis)


class AmplitudeEncoding(Encoding):
    """2**n features, normalised, are the amplitudes of the state."""

    def n_inputs(self, n_qubits: int) -> int:
        """One for each basis state."""
        return 2**n_qubits

    def check(self, spec: CircuitSpec) -> None:
        """No re-uploading and no scaling."""
        if spec.reupload or spec.scaling != 1.0:
            raise ValueError(
                "amplitude encoding prepares the whole state once and normalises it: "
                "no reupload, scaling=1.0"
            )

    def queue(self, spec: CircuitSpec, inputs) -> None:
        """``qp.AmplitudeEmbedding`` of the normalised features.

        Normalised here, although PennyLane would do it: it leaves rows alone whose length is 1
        already, and backpropagation then gives the gradient of features that are not normalised
        (PennyLane 0.45; notebook 06, trap 6).
        """
        import pennylane as qp

        length = qp.math.sqrt(qp.math.sum(qp.math.abs(inputs) ** 2, axis=-1, keepdims=True))
        qp.AmplitudeEmbedding(inputs / length, wires=range(spec.n_qubits), normalize=True)


class IQPEncoding(Encoding):
    """Hadamards, RZ(x_i) and ZZ(x_i x_j) for all pairs (Havlicek et al., arXiv 1804.11326).

    Not periodic: as a function of x_i the gate ZZ(x_i x_j) has the frequency x_j, whatever that is.
    """

    def queue(self, spec: CircuitSpec, inputs) -> None:
        """``qp.IQPEmbedding``."""
        import pennylane as qp

        qp.IQPEmbedding(spec.scaling * inputs, wires=range(spec.n_qubits))


ENCODINGS: dict[str, Encoding] = {
    "angle": AngleEncoding(),
    "amplitude": AmplitudeEncoding(),
    "iqp": IQPEncoding(),
}
