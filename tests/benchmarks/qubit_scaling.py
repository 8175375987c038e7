"""Time and memory of one forward pass against the number of qubits: the fused engine, default.qubit
and lightning.qubit side by side.

    python tests/benchmarks/qubit_scaling.py --out notebooks/results/benchmarks

Times: all engines in one process, in turn, medians; an engine stops after a pass longer than
``--limit`` seconds. Values are compared first. Memory: by how much the
resident size of a fresh process grows at its highest in one pass (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import time
from datetime import date
from pathlib import Path

import torch

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, init_weights
from hqnn_utils.records import write_json_atomically

ENGINES = {
    "fused": dict(engine="fused"),
    "default.qubit": dict(engine="pennylane"),
    "lightning.qubit": dict(engine="pennylane", device="lightning.qubit"),
}


def layer(engine: str, qubits: int) -> QuantumLayer:
    """Rot gates and a strongly entangling ring, two layers: no shortcut of the study's family
    applies.
    """
    spec = CircuitSpec(n_qubits=qubits, n_layers=2, rotation="Rot", entangler="strong")
    made = QuantumLayer(spec, **ENGINES[engine])
    with torch.no_grad():
        made.weights.copy_(init_weights(spec, generator=torch.Generator().manual_seed(0)))
    return made.requires_grad_(
        False
    )  # else PennyLane lets lightning compute all gradients along with the values


def one_pass(engine: str, qubits: int) -> torch.Tensor:
    x = torch.linspace(-1, 1, qubits)[None]
    with torch.no_grad():
        return layer(engine, qubits)(x)


def memory(engine: str, qubits: int) -> float:
    """MiB that one pass needs in a process that has made smaller ones."""
    run = subprocess.run(
        [sys.executable, __file__, "--child", engine, str(qubits)],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(run.stdout.split()[-1])


def growth(engine: str, qubits: int) -> float:
    """The same, measured in this process: growth of the resident memory at its highest.

    Both of our kernels are loaded before: one row of 14 qubits is computed with torch's operations.
    """
    for small in (2, 14):
        one_pass(engine, small)
    Path("/proc/self/clear_refs").write_text("5")  # the highest value starts again from here
    before = highest_kib()
    one_pass(engine, qubits)
    return (highest_kib() - before) / 1024


def highest_kib() -> int:
    """Not ru_maxrss: a child keeps the largest value of the process that started it, which holds
    torch and every engine.
    """
    return int(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=False)
    parser.add_argument("--qubits", type=int, nargs="+", default=[4, 8, 12, 16, 18, 20, 22, 24])
    parser.add_argument(
        "--limit",
        type=float,
        default=10.0,
        help="seconds after which an engine is not asked for more qubits",
    )
    parser.add_argument("--child", nargs=2)
    given = parser.parse_args()
    if given.child:
        engine, qubits = given.child
        print(growth(engine, int(qubits)))
        return
    found, alive = {e: {} for e in ENGINES}, set(ENGINES)
    for qubits in given.qubits:
        values = {e: one_pass(e, qubits) for e in sorted(alive)}
        reference = next(iter(values.values()))
        for engine, value in values.items():
            assert torch.allclose(value, reference, atol=1e-5), (engine, qubits)
        times = {e: [] for e in alive}
        for _ in range(5 if qubits <= 16 else 2):
            for engine in sorted(alive):
                began = time.perf_counter()
                one_pass(engine, qubits)
                times[engine].append(time.perf_counter() - began)
        for engine in sorted(alive):
            seconds = statistics.median(times[engine])
            found[engine][str(qubits)] = {"seconds": seconds, "MiB": memory(engine, qubits)}
            mebibytes = found[engine][str(qubits)]["MiB"]
            print(
                f"{engine:16s} {qubits:2d} qubits {seconds:9.4f} s {mebibytes:8.0f} MiB",
                flush=True,
            )
            if seconds > given.limit:
                alive.discard(engine)
    record = dict(
        circuit="Rot, strong entangler, 2 layers, one image, forward, float32",
        results=found,
        date=date.today().isoformat(),
        load_average=os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        threads=torch.get_num_threads(),
        cores=os.cpu_count(),
        python=platform.python_version(),
        torch=torch.__version__,
    )
    if given.out:
        print(write_json_atomically(given.out / "qubit_scaling.json", record).name)
    else:
        print(json.dumps(record, indent=1))


if __name__ == "__main__":
    main()
