"""Noise of a device as PennyLane's noise model: which channel stands behind which gate."""

from __future__ import annotations

from collections.abc import Callable


def noise_model(
    one_qubit: float = 0.0,
    two_qubit: float = 0.0,
    readout: float = 0.0,
    damping: float = 0.0,
    dephasing: float = 0.0,
):
    """A ``qp.noise.NoiseModel``: channels behind each gate and before the measurement, all
    strengths between 0 and 1.

    Parameters
    ----------
    one_qubit, two_qubit : depolarizing probability behind each one-qubit rotation, and on both
        wires behind each two-qubit gate.
    readout : probability that a measured bit is reported wrong (a bit flip before the measurement).
    damping, dephasing : amplitude damping (|1> decays to |0>) and phase damping behind every gate,
        on the wires it acts on.

    Raises
    ------
    ValueError : a strength below 0 or above 1.
    """
    import pennylane as qp

    strengths = {
        "one_qubit": one_qubit,
        "two_qubit": two_qubit,
        "readout": readout,
        "damping": damping,
        "dephasing": dephasing,
    }
    for name, value in strengths.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name} is a probability between 0 and 1, got {value}")

    always = [(qp.AmplitudeDamping, damping), (qp.PhaseDamping, dephasing)]
    behind_gates = {
        qp.noise.op_in([qp.RX, qp.RY, qp.RZ, qp.Rot]): _channels(
            [(qp.DepolarizingChannel, one_qubit), *always]
        ),
        qp.noise.op_in([qp.CNOT, qp.CZ]): _channels([(qp.DepolarizingChannel, two_qubit), *always]),
    }
    before_measurement = {}
    if readout > 0:
        flip = qp.noise.partial_wires(qp.BitFlip, readout)
        before_measurement[qp.noise.meas_eq(qp.expval)] = flip
    return qp.noise.NoiseModel(behind_gates, meas_map=before_measurement)


def _channels(strengths: list[tuple]) -> Callable:
    """What PennyLane calls behind a gate: each channel of strength above 0, on each wire of the
    gate.
    """
    used = [(channel, strength) for channel, strength in strengths if strength > 0]

    def add(gate, **_):
        for wire in gate.wires:
            for channel, strength in used:
                channel(strength, wires=wire)

    return add
