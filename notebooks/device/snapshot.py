"""The trained circuit of notebook 12 on Qiskit Aer, with the noise of a published device snapshot.

    make device-snapshot

``--circuit`` holds a circuit of the study's kind with its angles for each image, as notebook 12
stores it. Four runs come of it, all stored as <Z> of each qubit for each image:

- ``ideal`` and ``model`` without shot noise: no noise, and the depolarizing model of the notebook,
  built once more with Aer's own channels;
- ``device`` with shots: the gates and errors of the snapshot;
- ``folded`` with shots: the same at 3 and 5 times the noise, for zero-noise extrapolation.

Mitiq extrapolates some images under ``model``. A fake backend is a file with the calibration of a
real device on a certain day; its noise model knows no crosstalk and no drift.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
from datetime import date
from importlib import metadata
from pathlib import Path

import numpy as np
from qiskit import QuantumCircuit, transpile
from qiskit.circuit import ParameterVector
from qiskit_aer import AerSimulator
from qiskit_aer.noise import NoiseModel, depolarizing_error
from qiskit_ibm_runtime import fake_provider

QUBITS = 4
SCALES = (1, 3, 5)
# The chip of the notebook: chance of a Pauli error behind a one- and a two-qubit gate.
RATES = {1: 2e-3, 2: 6e-3}
PACKAGES = ("qiskit", "qiskit-aer", "qiskit-ibm-runtime", "mitiq")


def study_circuit(weights: np.ndarray) -> tuple[QuantumCircuit, ParameterVector]:
    """RX with four features, then layers of RX and a ring of CNOTs; no measurement yet."""
    x = ParameterVector("x", QUBITS)
    circuit = QuantumCircuit(QUBITS)
    for qubit in range(QUBITS):
        circuit.rx(x[qubit], qubit)
    for layer in weights:
        for qubit in range(QUBITS):
            circuit.rx(float(layer[qubit]), qubit)
        for qubit in range(QUBITS):
            circuit.cx(qubit, (qubit + 1) % QUBITS)
    return circuit, x


def aer_rate(pauli: float, qubits: int) -> float:
    """Aer's parameter for a chance ``pauli`` that one of the errors X, Y, Z, XX, ... strikes.

    Aer counts the identity among the 4**k errors, so its number is larger.
    """
    return pauli * 4**qubits / (4**qubits - 1)


def depolarizing_model() -> NoiseModel:
    """The notebook's model: one channel behind each gate, one for the pair behind a CNOT."""
    model = NoiseModel()
    for qubits, gate in ((1, "rx"), (2, "cx")):
        error = depolarizing_error(aer_rate(RATES[qubits], qubits), qubits)
        model.add_all_qubit_quantum_error(error, [gate])
    return model


def z_values(probabilities: dict[str, float]) -> list[float]:
    """<Z> of each qubit from bit strings (qubit 0 is Qiskit's last bit) and their weights."""
    total = sum(probabilities.values())
    return [
        sum(p * (1 - 2 * int(bits[-1 - q])) for bits, p in probabilities.items()) / total
        for q in range(QUBITS)
    ]


def exact(circuits: list[QuantumCircuit], noise: NoiseModel | None) -> list[list[float]]:
    """<Z> of each qubit without shot noise, by density matrices, (circuits, 4)."""
    simulator = AerSimulator(method="density_matrix", noise_model=noise)
    saved = []
    for circuit in circuits:
        saved.append(circuit.copy())
        saved[-1].save_probabilities_dict(list(range(QUBITS)))
    # No transpiler: it would merge gates, and their errors with them.
    result = simulator.run(saved).result()
    return [
        z_values({f"{k:04b}": p for k, p in result.data(i)["probabilities"].items()})
        for i in range(len(saved))
    ]


def folded(circuit: QuantumCircuit, scale: int, backend) -> QuantumCircuit:
    """U (U^-1 U)^m with scale = 2 m + 1, in gates of the device, and nothing cancelled."""
    longer = circuit.copy()
    for _ in range((scale - 1) // 2):
        longer.barrier()
        longer = longer.compose(circuit.inverse())
        longer.barrier()
        longer = longer.compose(circuit)
    return transpile(longer, backend, optimization_level=0)


def sampled(circuit, x, angles, positions, simulator, shots, seed) -> list[list[float]]:
    """<Z> of each qubit from shots on the snapshot, (images, 4); one circuit for each image."""
    measured = circuit.copy()
    measured.barrier()
    measured.add_register(*QuantumCircuit(0, QUBITS).cregs)
    for qubit, position in enumerate(positions):
        measured.measure(position, qubit)
    bound = [measured.assign_parameters({x: row}) for row in angles]
    result = simulator.run(bound, shots=shots, seed_simulator=seed).result()
    return [z_values(result.get_counts(i)) for i in range(len(bound))]


def calibration(backend, circuit, positions) -> dict:
    """What the snapshot says about the qubits and pairs that the circuit uses."""
    target = backend.target
    pairs = {
        tuple(circuit.find_bit(q).index for q in step.qubits)
        for step in circuit.data
        if step.operation.num_qubits == 2 and step.operation.name != "barrier"
    }
    (two_qubit,) = {n for n in ("cz", "ecr", "cx") if n in target.operation_names}
    return dict(
        backend=backend.name,
        version=backend.backend_version,
        calibrated=str(backend.properties().last_update_date)[:10],
        qubits=positions,
        readout_error=[target["measure"][(q,)].error for q in positions],
        one_qubit_error=[target["sx"][(q,)].error for q in positions],
        two_qubit_error={f"{a}-{b}": target[two_qubit][(a, b)].error for a, b in sorted(pairs)},
        gates=dict(circuit.count_ops()),
        two_qubit_gates=circuit.num_nonlocal_gates(),
        depth=circuit.depth(),
    )


def with_mitiq(circuits: list[QuantumCircuit]) -> dict:
    """Mitiq's extrapolation of the first output under ``model``, beside its noisy values."""
    from mitiq import zne

    model = depolarizing_model()
    factory = zne.RichardsonFactory(list(map(float, SCALES)))

    def first_output(circuit: QuantumCircuit) -> float:
        return exact([circuit], model)[0][0]

    found = [
        zne.execute_with_zne(
            circuit, first_output, factory=factory, scale_noise=zne.scaling.fold_global
        )
        for circuit in circuits
    ]
    noisy = [
        [first_output(zne.scaling.fold_global(circuit, float(scale))) for scale in SCALES]
        for circuit in circuits
    ]
    return dict(scales=list(SCALES), noisy=noisy, extrapolated=found)


def rounded(value):
    """Floats with six significant digits, in whatever they stand."""
    if isinstance(value, dict):
        return {str(k): rounded(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [rounded(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(f"{value:.6g}") if math.isfinite(value) else None
    return value


def run(stored: dict, name: str, shots: int, seed: int, images: int | None = None) -> dict:
    """All runs for the first images of each part; see the head of this file."""
    circuit, x = study_circuit(np.array(stored["weights"]))
    angles = {part: rows[:images] for part, rows in stored["angles"].items()}
    backend = getattr(fake_provider, name)()
    placed = transpile(circuit, backend, optimization_level=3, seed_transpiler=seed)
    layout = placed.layout.final_index_layout()
    noisy = AerSimulator.from_backend(backend)
    longer = {scale: folded(placed, scale, backend) for scale in SCALES}
    runs = {"ideal": {}, "model": {}, "device": {}, "folded": {}}
    for part, rows in angles.items():
        bound = [circuit.assign_parameters({x: row}) for row in rows]
        runs["ideal"][part] = exact(bound, None)
        runs["model"][part] = exact(bound, depolarizing_model())
        runs["device"][part] = sampled(placed, x, rows, layout, noisy, shots, seed)
        runs["folded"][part] = {
            scale: sampled(longer[scale], x, rows, layout, noisy, shots // 3, seed + scale)
            for scale in SCALES
        }
        print(f"{part}: {len(rows)} images", flush=True)
    some = [circuit.assign_parameters({x: row}) for row in angles["test"][:8]]
    return dict(
        snapshot=calibration(backend, placed, layout),
        circuit={**stored, "angles": angles},
        rates={str(k): v for k, v in RATES.items()},
        shots=shots,
        runs=runs,
        mitiq=with_mitiq(some),
        seed=seed,
        date=date.today().isoformat(),
        versions={package: metadata.version(package) for package in PACKAGES},
    )


def digest_of(content: dict) -> str:
    """SHA-256 of JSON content, as ``hqnn_utils.records`` makes it."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def circuit_of(path: Path) -> dict:
    """The stored circuit; SystemExit where it is missing or was changed after it was written."""
    if not path.exists():
        raise SystemExit(f"{path} is missing: notebook 12 stores it, run that first")
    stored = json.loads(path.read_text(encoding="utf-8"))
    if stored.pop("digest", None) != digest_of(stored):
        raise SystemExit(f"{path} was changed after it was written: run notebook 12 again")
    return stored


def main() -> None:
    """Read the circuit, run it, write the record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--circuit", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--backend", default="FakeTorino", help="a class of the fake provider")
    parser.add_argument("--shots", type=int, default=3000, help="for each image, all scales")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--images", type=int, help="only so many of each part, for a test")
    given = parser.parse_args()
    stored = circuit_of(given.circuit)
    if not hasattr(fake_provider, given.backend):
        raise SystemExit(f"no snapshot {given.backend!r} in qiskit_ibm_runtime.fake_provider")
    record = rounded(run(stored, given.backend, given.shots, given.seed, given.images))
    given.out.parent.mkdir(parents=True, exist_ok=True)
    record = json.loads(json.dumps(record))
    sealed = {"digest": digest_of(record), **record}
    given.out.write_text(json.dumps(sealed) + "\n", encoding="utf-8")
    print(given.out.name)


if __name__ == "__main__":
    main()
