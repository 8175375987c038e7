"""Time one forward and backward pass of a circuit layer, ours and its peers, side by side in one
process.

``make bench`` builds an environment with all peers (peers.txt) and runs this file there. Contenders
that do not import are listed as missing, so the file also runs in the course's own environment.

How it measures: each contender's values and gradients are compared with PennyLane's before anything
is timed. Then rounds: in each round every contender runs once (fast ones several times in a row),
so that a slow moment of the machine hits all of them; the medians over the rounds are compared.
float32, two threads, gradients for inputs and weights. Every peer is used in the fastest way found:
batched where it can be, one simulation per batch, the state read out with one matrix product.
Memory is the growth of the process's peak memory over two passes, in a fresh process per contender,
after a warm-up with two qubits.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
warnings.filterwarnings("ignore")

import torch  # noqa: E402  (the path to the package comes first)

from hqnn_utils.quantum import (  # noqa: E402  (same)
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    expectations,
    init_weights,
)
from hqnn_utils.quantum.engine.cosines import is_mean_of_cosines  # noqa: E402  (same)
from hqnn_utils.quantum.engine.measurement import z_of_each_qubit  # noqa: E402  (same)

# Milliseconds after which a contender that has run three rounds sits out: it has been seen as slow.
BUDGET = 10_000
SIZES = [(4, 2, 32), (8, 3, 32), (10, 4, 64), (12, 4, 64)]  # qubits, layers, batch
FAMILIES = {
    "basic": dict(rotation="RX", entangler="ring"),  # the study's circuit
    "strong": dict(rotation="Rot", entangler="strong"),  # no shortcut: general rotations
}


def gates(spec: CircuitSpec):
    """The circuit as plain gates for the peers.

    They are ("RX", qubit, ("x", qubit)), ("RZ", qubit, ("w", index)) and ("CNOT", control, target).
    """
    for q in range(spec.n_qubits):
        yield "RX", q, ("x", q)
    for layer in range(spec.n_layers):
        for q in range(spec.n_qubits):
            names = ["RX"] if spec.rotation == "RX" else ["RZ", "RY", "RZ"]
            for k, name in enumerate(names):
                yield name, q, ("w", (layer, q) if spec.rotation == "RX" else (layer, q, k))
        for a, b in spec.pairs(layer):
            yield "CNOT", a, b


# The contenders: make(spec, weights, device) -> (run, leaves). run(x) gives (batch, n_qubits);
# leaves are the trainable tensors, in the order of the weights.


def fused(spec, weights, device):
    return lambda x: expectations(spec, x, weights), [weights]


def pennylane_torchlayer(spec, weights, device):
    import pennylane as qp

    from hqnn_utils.quantum.qnode import apply_circuit, observables

    @qp.qnode(
        qp.device("default.qubit", wires=spec.n_qubits), interface="torch", diff_method="backprop"
    )
    def circuit(inputs, weights):
        apply_circuit(spec, inputs, weights)
        return [qp.expval(o) for o in observables(spec)]

    layer = qp.qnn.TorchLayer(circuit, {"weights": spec.weight_shape}).to(device)
    with torch.no_grad():
        layer.weights.copy_(weights)
    return layer, [layer.weights]


def pennylane_lightning(spec, weights, device):
    layer = QuantumLayer(spec, "pennylane", device="lightning.qubit")
    with torch.no_grad():
        layer.weights.copy_(weights)
    return layer, [layer.weights]


def once_per_image(spec, weights, device):
    qnode = build_qnode(spec, diff_method="backprop")
    return lambda x: torch.stack([torch.stack(qnode(row, weights)) for row in x]).to(x.dtype), [
        weights
    ]


def deepquantum(spec, weights, device):
    import deepquantum as dq

    circuit = dq.QubitCircuit(spec.n_qubits)
    for name, q, what in gates(spec):
        if name == "CNOT":
            circuit.cnot(q, what)
        else:
            getattr(circuit, name.lower())(q, encode=what[0] == "x")
    circuit.to(device)
    leaves = list(circuit.parameters())
    with torch.no_grad():
        for leaf, value in zip(leaves, weights.flatten(), strict=True):
            leaf.copy_(value.reshape(leaf.shape))
    signs = torch.from_numpy(z_of_each_qubit(spec.n_qubits).T.copy()).to(
        device=device, dtype=torch.float32
    )
    return lambda x: circuit(x).reshape(len(x), -1).abs().square() @ signs, leaves


def tensorcircuit_ng(spec, weights, device):
    import tensorcircuit as tc

    backend = tc.set_backend("pytorch")
    tc.set_dtype("complex64")
    signs = torch.from_numpy(z_of_each_qubit(spec.n_qubits).T.copy()).to(
        device=device, dtype=torch.float32
    )

    def one(x, w):
        circuit = tc.Circuit(spec.n_qubits)
        for name, q, what in gates(spec):
            if name == "CNOT":
                circuit.cnot(q, what)
            else:
                getattr(circuit, name.lower())(q, theta=(x if what[0] == "x" else w)[what[1]])
        return circuit.state().abs().square() @ signs

    batched = backend.vmap(one, vectorized_argnums=0)
    return lambda x: batched(x, weights), [weights]


def pyqtorch(spec, weights, device):
    import pyqtorch as pyq

    operations, keys = [], []
    for number, (name, q, what) in enumerate(gates(spec)):
        if name == "CNOT":
            operations.append(pyq.CNOT(q, what))
        else:
            operations.append(getattr(pyq, name)(q, f"p{number}"))
            keys.append((f"p{number}", what))
    circuit = pyq.QuantumCircuit(spec.n_qubits, operations).to(device=device, dtype=torch.complex64)
    start = pyq.zero_state(spec.n_qubits, dtype=torch.complex64, device=torch.device(device))
    signs = torch.from_numpy(z_of_each_qubit(spec.n_qubits).copy()).to(
        device=device, dtype=torch.float32
    )

    def run(x):
        values = {
            key: x[:, index] if source == "x" else weights[index] for key, (source, index) in keys
        }
        psi = circuit.run(start, values)  # (2, ..., 2, batch)
        return (signs @ psi.reshape(2**spec.n_qubits, -1).abs().square()).T

    return run, [weights]


def qiskit_torchconnector(spec, weights, device):
    from qiskit import QuantumCircuit
    from qiskit.circuit import ParameterVector
    from qiskit.quantum_info import SparsePauliOp
    from qiskit_machine_learning.connectors import TorchConnector
    from qiskit_machine_learning.neural_networks import EstimatorQNN

    n = spec.n_qubits
    features, angles = ParameterVector("x", n), ParameterVector("w", spec.n_weights)
    circuit, used = QuantumCircuit(n), iter(angles)
    for name, q, what in gates(spec):
        if name == "CNOT":
            circuit.cx(q, what)
        else:
            getattr(circuit, name.lower())(features[what[1]] if what[0] == "x" else next(used), q)
    z = [SparsePauliOp.from_sparse_list([("Z", [q], 1.0)], num_qubits=n) for q in range(n)]
    network = EstimatorQNN(
        circuit=circuit,
        observables=z,
        input_params=list(features),
        weight_params=list(angles),
        input_gradients=True,
    )
    layer = TorchConnector(network, initial_weights=weights.detach().flatten().numpy())
    return layer, list(layer.parameters())


@dataclass(frozen=True)
class Contender:
    """Who takes part, and how often. Where a pass takes seconds, more rounds would only cost time.

    Attributes
    ----------
    make : (spec, weights, device) -> (run, leaves).
    distribution : what must be installed, or None.
    largest : most qubits that it is asked for.
    rounds : how many it takes part in.
    """

    make: Callable
    distribution: str | None
    largest: int
    rounds: int


CONTENDERS = {
    "hqnn_utils fused": Contender(fused, None, 99, 60),
    "PennyLane TorchLayer, default.qubit, backprop, batched": Contender(
        pennylane_torchlayer, "pennylane", 12, 30
    ),
    "PennyLane lightning.qubit, adjoint": Contender(
        pennylane_lightning, "pennylane-lightning", 8, 3
    ),
    "circuit called once per image (the study's way)": Contender(once_per_image, "pennylane", 8, 3),
    "deepquantum": Contender(deepquantum, "deepquantum", 12, 30),
    "tensorcircuit-ng, torch backend, vmap": Contender(
        tensorcircuit_ng, "tensorcircuit-ng", 12, 20
    ),
    "pyqtorch": Contender(pyqtorch, "pyqtorch", 12, 20),
    "qiskit-machine-learning TorchConnector": Contender(
        qiskit_torchconnector, "qiskit-machine-learning", 4, 3
    ),
}
NOT_ON_GPU = {"PennyLane lightning.qubit, adjoint", "qiskit-machine-learning TorchConnector"}


def problem(family: str, n: int, layers: int, batch: int, device: str):
    generator = torch.Generator().manual_seed(0)
    spec = CircuitSpec(n_qubits=n, n_layers=layers, **FAMILIES[family])
    weights = init_weights(spec, generator=generator).to(device).requires_grad_()
    return spec, torch.randn(batch, n, generator=generator).to(device).requires_grad_(), weights


def passes(run, leaves, x):
    """Forward and backward once; returns values and gradients."""
    out = run(x)
    return (out, *torch.autograd.grad(out.sum(), [x, *leaves]))


def contender(name: str, spec, x, weights, device: str, wanted=None):
    """A ready contender whose values and gradients have been compared, or None with the reason."""
    asked = CONTENDERS[name]
    if spec.n_qubits > asked.largest:
        return None, f"too slow beyond {asked.largest} qubits"
    if name.startswith("qiskit") and spec.rotation == "Rot":
        return None, "minutes a pass with 24 trainable angles"
    if device == "cuda" and name in NOT_ON_GPU:
        return None, "CPU only"
    try:
        if asked.distribution:
            metadata.version(asked.distribution)
        own = weights.detach().clone().requires_grad_()
        run, leaves = asked.make(spec, own, device)
    except (metadata.PackageNotFoundError, ImportError):
        return None, "not installed"
    if wanted is not None:
        out, gx, *gw = passes(run, leaves, x)
        found = (out, gx, torch.cat([g.flatten() for g in gw]))
        names = ("values", "input gradients", "weight gradients")
        for a, b, what in zip(found, wanted, names, strict=True):
            error = (a.detach().double().cpu() - b).abs().max().item()
            assert error < 2e-4, (
                f"{name}: {what} differ from PennyLane's by {error:.1e} at {spec.label()}"
            )
    return (run, leaves), ""


def reference(spec, x, weights):
    """PennyLane's values and gradients in double precision on the CPU."""
    x, w = (
        x.detach().double().cpu().requires_grad_(),
        weights.detach().double().cpu().requires_grad_(),
    )
    qnode = build_qnode(spec, diff_method="backprop")
    out, gx, gw = passes(lambda x: torch.stack(qnode(x, w), dim=-1), [w], x)
    return out.detach(), gx, gw.flatten()


def clock(function, *arguments, device: str, at_least: float = 0.002) -> float:
    """Milliseconds a call; calls shorter than ``at_least`` seconds are repeated in a row."""
    repeats, spent = 0, 0.0
    began = time.perf_counter()
    while spent < at_least:
        function(*arguments)
        if device == "cuda":
            torch.cuda.synchronize()
        repeats, spent = repeats + 1, time.perf_counter() - began
    return 1000 * spent / repeats


def measure(family: str, size: tuple, device: str, quick: bool) -> dict:
    spec, x, weights = problem(family, *size, device)
    wanted, ready, result = reference(spec, x, weights), {}, {}
    for name in CONTENDERS:
        print(f"{spec.label()}: {name}", file=sys.stderr, flush=True)
        made, reason = contender(name, spec, x, weights, device, wanted)
        if made is None:
            result[name] = {"skipped": reason}
        else:
            ready[name] = made
    both, forward = {n: [] for n in ready}, {n: [] for n in ready}
    for run, leaves in ready.values():
        passes(run, leaves, x)  # warm: caches and lazy imports are not what we time
    for number in range(5 if quick else 60):
        for name, (run, leaves) in ready.items():
            if number < CONTENDERS[name].rounds and (number < 3 or sum(both[name]) < BUDGET):
                both[name].append(clock(passes, run, leaves, x, device=device))
                with torch.no_grad():
                    forward[name].append(clock(run, x, device=device))
    ours = statistics.median(both["hqnn_utils fused"])
    for name in ready:
        quartiles = statistics.quantiles(both[name], n=4)
        middle = statistics.median(both[name])
        result[name] = {
            "ms": middle,
            "quartiles": [quartiles[0], quartiles[2]],
            "inference_ms": statistics.median(forward[name]),
            "ratio": middle / ours,
            "rounds": len(both[name]),
        }
    return result


def peak_memory(name: str, family: str, size: tuple) -> float:
    """MiB by which two passes raise the memory of this (fresh) process above what it held before,
    at the highest point.

    Linux only: the kernel's high-water mark is set back first, because importing the libraries once
    took more than it kept.
    """
    passes_at((name, family, (2, 2, 2)))
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    passes_at((name, family, size))
    return (_status("VmHWM") - before) / 1024


def passes_at(what: tuple) -> None:
    name, family, size = what
    spec, x, weights = problem(family, *size, "cpu")
    made, reason = contender(name, spec, x, weights, "cpu")
    assert made is not None, reason
    for _ in range(2):
        passes(*made, x)


def _status(key: str) -> int:
    """KiB, from the kernel's own account of this process."""
    return int(
        next(
            line.split()[1]
            for line in Path("/proc/self/status").read_text().splitlines()
            if line.startswith(key)
        )
    )


def memory_in_fresh_process(name: str, family: str, size: tuple) -> float | None:
    command = [sys.executable, __file__, "--memory", json.dumps([name, family, list(size)])]
    done = subprocess.run(command, capture_output=True, text=True)
    return float(done.stdout.split()[-1]) if done.returncode == 0 else None


def table(record: dict) -> str:
    lines = []
    for family in record["timings"]:
        columns = list(record["timings"][family])
        lines.append(
            f"\n{family}: ms forward + backward (ratio to fused) [inference ms]; "
            "sizes are qubits, layers, batch"
        )
        lines.append(
            f"{'':56s}" + "".join(f"{c:>26s}" for c in columns) + f"{'peak MiB at 12, 4, 64':>24s}"
        )
        for name in CONTENDERS:
            cells = []
            for column in columns:
                cell = record["timings"][family][column][name]
                cells.append(
                    f"{cell['ms']:.3g} ({cell['ratio']:.1f}x) [{cell['inference_ms']:.3g}]"
                    if "ms" in cell
                    else "-"
                )
            memory = record["memory_mib"].get(family, {}).get(name)
            lines.append(
                f"{name:56s}"
                + "".join(f"{c:>26s}" for c in cells)
                + f"{'-' if memory is None else f'{memory:.0f}':>24s}"
            )
        lines += [
            f"  - {n}: {cell['skipped']}"
            for n, cell in record["timings"][family][columns[-1]].items()
            if "skipped" in cell
        ]
    for text, value in record["large"].items():
        lines.append(f"{text}: {value['ms']:.0f} ms, peak memory {value['peak_mib']:.0f} MiB")
    return "\n".join(lines)


def figure(record: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = record["timings"]["basic"]
    shown, axes = plt.subplots(1, len(columns), figsize=(4 * len(columns) + 3, 4), sharey=True)
    for axis, (column, cells) in zip(axes, columns.items(), strict=True):
        for row, name in enumerate(CONTENDERS):
            if "ms" in cells[name]:
                bar = axis.barh(row, cells[name]["ms"], color="#D55E00" if row == 0 else "#0072B2")
                axis.bar_label(bar, fmt="%.3g", padding=3)
        axis.set(
            xscale="log",
            title=f"{column} (qubits, layers, batch)",
            xlabel="ms, logarithmic",
            yticks=range(len(CONTENDERS)),
        )
        axis.set_yticklabels(CONTENDERS)
        axis.margins(x=0.3)
    axes[0].invert_yaxis()
    shown.suptitle(
        f"One forward and backward pass of the study's circuit, float32, {record['device']}"
    )
    shown.tight_layout()
    shown.savefig(path, dpi=100)


def large(device: str, repeats: int = 3) -> dict:
    """16 qubits, batch 32: time here, peak memory in a fresh process, for both families."""
    found = {}
    for family in FAMILIES:
        spec, x, weights = problem(family, 16, 2, 32, device)
        run, leaves = fused(spec, weights, device)
        passes(run, leaves, x)
        ms = statistics.median(clock(passes, run, leaves, x, device=device) for _ in range(repeats))
        route = "mean of cosines" if is_mean_of_cosines(spec) else "fused layers"
        found[f"16 qubits, 2 layers, batch 32, {family} ({route})"] = {
            "ms": ms,
            "peak_mib": memory_in_fresh_process("hqnn_utils fused", family, (16, 2, 32)),
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="few rounds and only the two small sizes"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "bench", help="folder for record and figure"
    )
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    a = parser.parse_args()
    torch.set_num_threads(2)
    if a.memory:
        name, family, size = json.loads(a.memory)
        print(peak_memory(name, family, tuple(size)))
        return
    sizes = SIZES[:2] if a.quick else SIZES
    timings = {
        f: {", ".join(map(str, s)): measure(f, s, a.device, a.quick) for s in sizes}
        for f in FAMILIES
    }
    memory = {}
    if not a.quick and a.device == "cpu":
        for family in FAMILIES:
            able = [n for n in CONTENDERS if "ms" in timings[family]["12, 4, 64"][n]]
            memory[family] = {n: memory_in_fresh_process(n, family, (12, 4, 64)) for n in able}
    distributions = sorted(
        {"torch", "numpy", *(c.distribution for c in CONTENDERS.values() if c.distribution)}
    )
    versions = {}
    for name in distributions:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    record = {
        "date": date.today().isoformat(),
        "device": a.device if a.device == "cpu" else torch.cuda.get_device_name(0),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "dtype": "float32",
        "versions": versions,
        "timings": timings,
        "memory_mib": memory,
        "large": {} if a.quick or a.device != "cpu" else large(a.device),
    }
    print(table(record))
    from hqnn_utils.records import write_json_atomically

    write_json_atomically(a.out / f"quantum_layer_{a.device}.json", record)
    figure(record, a.out / f"quantum_layer_{a.device}.png")


if __name__ == "__main__":
    main()
