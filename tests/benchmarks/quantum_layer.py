"""Time one forward and backward pass of a circuit layer, ours and its peers, side by side.

``make bench`` builds an environment with all peers (peers.txt) and runs this file there. Contenders
that do not import are listed as missing, so the file also runs in the course's own environment.

How it measures: each contender's values and gradients are compared with PennyLane's before anything
is timed. Then rounds: in each round every contender runs once (fast ones several times in a row),
so that a slow moment of the machine hits all of them; the medians over the rounds are compared.
float32, gradients for inputs and weights, once with two threads and once with one (and one core).
Every peer is used in the fastest way found: batched where it can be, one simulation per batch, the
state read out with one matrix product.

Peers that compile (JAX) have a process each, so that they can be stopped: one whose first call
takes longer than ``--limit`` seconds is listed as not ready, and is not asked for a larger circuit.
They are timed inside JAX, from JAX arrays to JAX arrays, and once more as what this course needs, a
layer of PyTorch. So there are two classes, like with like: a torch layer, where autograd is part of
the price, and arrays in, gradients out. We take part in both. A ratio is that to ours of the same
class; ``across`` is that to our torch layer, whatever the class. The first call (building,
compiling, one pass) is a number of its own.

Memory is the growth of the process's peak memory over two passes, in a fresh process per contender,
after a warm-up with two qubits.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))
warnings.filterwarnings("ignore")

import numpy as np  # noqa: E402  (the path to the package comes first)
import torch  # noqa: E402  (same)

from hqnn_utils.quantum import (  # noqa: E402  (same)
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    expectations,
    init_weights,
    value_and_gradients,
)
from hqnn_utils.quantum.engine.compiled import kernel_for  # noqa: E402  (same)
from hqnn_utils.quantum.engine.measurement import z_of_each_qubit  # noqa: E402  (same)

# Milliseconds after which a contender that has run three rounds sits out: it has been seen as slow.
BUDGET = 1_500
OURS = "hqnn_utils fused"
ARRAYS = "hqnn_utils, arrays in, gradients out (no autograd)"
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


def without_autograd(spec, x, weights):
    """Our kernel from arrays to arrays; the forward pass alone is that without gradients."""
    x, w = x.detach(), weights.detach()
    arrays = x.numpy(), w.numpy()

    def both():
        return value_and_gradients(spec, *arrays)

    return both, lambda: expectations(spec, x, w).numpy()


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


def tensorcircuit_state(spec, x, w):
    """The state for one row, in the backend that is set."""
    import tensorcircuit as tc

    circuit = tc.Circuit(spec.n_qubits)
    for name, q, what in gates(spec):
        if name == "CNOT":
            circuit.cnot(q, what)
        else:
            getattr(circuit, name.lower())(q, theta=(x if what[0] == "x" else w)[what[1]])
    return circuit.state()


def tensorcircuit_ng(spec, weights, device):
    import tensorcircuit as tc

    backend = tc.set_backend("pytorch")
    tc.set_dtype("complex64")
    signs = torch.from_numpy(z_of_each_qubit(spec.n_qubits).T.copy()).to(
        device=device, dtype=torch.float32
    )

    def one(x, w):
        return tensorcircuit_state(spec, x, w).abs().square() @ signs

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


def fastqml_layers(spec, weights, device):
    from fastqml import gate_fusion as gf

    n, real = spec.n_qubits, torch.float32
    plans = [
        [gf.compute_two_qubit_plans([pair], n, device, real)[0] for pair in spec.pairs(layer)]
        for layer in range(spec.n_layers)
    ]
    cnot = gf.build_cnot_4x4(1, device, real)
    signs = torch.from_numpy(z_of_each_qubit(n).T.copy()).to(device=device, dtype=real)

    def run(x):
        re = torch.zeros(len(x), 2**n, device=device)
        re[:, 0] = 1
        re = re.reshape(len(x), *[2] * n)
        re, im = gf.apply_per_batch_su2_chain(re, torch.zeros_like(re), *gf.build_rx_per_batch(x))
        for layer in range(spec.n_layers):
            angles = weights[layer]
            if spec.rotation == "RX":
                gates = gf.build_rx_gates(angles)
            else:
                gates = gf.build_rot_gates(*angles.unbind(-1))
            re, im = gf.apply_su2_layer(re, im, *gates)
            for made in plans[layer]:
                re, im = gf.apply_disjoint_two_qubit_layer(re, im, made, *cnot)
        return (re.square() + im.square()).reshape(len(x), -1) @ signs

    return run, [weights]


def torq_circuit(spec, weights, device):
    from torq.simple import Circuit, CircuitConfig

    names = {"RX": "single_rot_basic_ent", "Rot": "strongly_entangling"}
    circuit = Circuit(spec.n_qubits, spec.n_layers, names[spec.rotation], CircuitConfig())
    with torch.no_grad():
        circuit.params.copy_(weights.reshape(circuit.params.shape))
    return circuit, [circuit.params]


def qandle_circuit(spec, weights, device):
    import qandle

    layers, number = [qandle.AngleEmbedding(num_qubits=spec.n_qubits)], 0
    flat = weights.detach().flatten()
    for name, q, what in gates(spec):
        if name == "CNOT":
            layers.append(qandle.CNOT(control=q, target=what))
        elif what[0] == "w":
            gate = getattr(qandle, name)
            layers.append(gate(qubit=q, theta=flat[number : number + 1].clone(), remapping=None))
            number += 1
    circuit = qandle.Circuit(layers=layers, num_qubits=spec.n_qubits)
    signs = torch.from_numpy(z_of_each_qubit(spec.n_qubits).T.copy()).float()
    return lambda x: circuit(x).abs().square() @ signs, list(circuit.parameters())


# Those that compile: make(spec, weights) -> values(x, weights) in JAX.


def pennylane_in_jax(spec):
    import jax.numpy as jnp
    import pennylane as qp

    from hqnn_utils.quantum.qnode import apply_circuit, observables

    device = qp.device("default.qubit", wires=spec.n_qubits)

    @qp.qnode(device, interface="jax", diff_method="backprop")
    def circuit(x, w):
        apply_circuit(spec, x, w)
        return [qp.expval(o) for o in observables(spec)]

    return lambda x, w: jnp.stack(circuit(x, w), axis=-1)


def tensorcircuit_in_jax(spec):
    import jax
    import jax.numpy as jnp
    import tensorcircuit as tc

    tc.set_backend("jax")
    tc.set_dtype("complex64")
    signs = jnp.asarray(z_of_each_qubit(spec.n_qubits).T, dtype=jnp.float32)

    def one(x, w):
        return jnp.abs(tensorcircuit_state(spec, x, w)) ** 2 @ signs

    return jax.vmap(one, in_axes=(0, None))


def inside_jax(values, x, weights):
    """(both passes, forward pass) as functions without arguments that return NumPy-like arrays."""
    import jax
    import jax.numpy as jnp

    def summed(x, w):
        out = values(x, w)
        return out.sum(), out

    x, w = jnp.asarray(x.detach().numpy()), jnp.asarray(weights.detach().numpy())
    differentiated = jax.jit(jax.value_and_grad(summed, argnums=(0, 1), has_aux=True))
    plain = jax.jit(values)

    def both():
        (_, out), (to_x, to_w) = jax.block_until_ready(differentiated(x, w))
        return out, to_x, to_w

    return both, lambda: jax.block_until_ready(plain(x, w))


def as_a_torch_layer(values, x, weights):
    """The same behind an autograd function: tensors cross to JAX and back without a copy."""
    import jax

    plain = jax.jit(values)
    back = jax.jit(lambda x, w, g: jax.vjp(values, x, w)[1](g))

    class Layer(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, w):
            ctx.save_for_backward(x, w)
            out = plain(jax.dlpack.from_dlpack(x.detach()), jax.dlpack.from_dlpack(w.detach()))
            return torch.from_dlpack(out)

        @staticmethod
        def backward(ctx, gradient):
            moved = [t.detach().contiguous() for t in (*ctx.saved_tensors, gradient)]
            found = back(*[jax.dlpack.from_dlpack(t) for t in moved])
            return tuple(torch.from_dlpack(g) for g in found)

    x, w = x.detach().requires_grad_(), weights.detach().requires_grad_()

    def forward():
        with torch.no_grad():
            return Layer.apply(x, w)

    return lambda: passes(lambda x: Layer.apply(x, w), [w], x), forward


@dataclass(frozen=True)
class Contender:
    """Who takes part, and how often. Where a pass takes seconds, more rounds would only cost time.

    Attributes
    ----------
    make : (spec, weights, device) -> (run, leaves); for one that compiles spec -> values(x, w).
    distribution : what must be installed, or None.
    largest : most qubits that it is asked for.
    rounds : how many it takes part in.
    compiles : how it is called, for one that compiles; it has a process of its own.
    one_thread : whether it is also measured with one thread.
    without_autograd : (spec, x, weights) -> (both passes, forward pass), for one of this process
        that goes from arrays to arrays; it needs no ``make``.
    """

    make: Callable | None
    distribution: str | None
    largest: int
    rounds: int
    compiles: Callable | None = None
    one_thread: bool = False
    without_autograd: Callable | None = None

    @property
    def kind(self) -> str:
        """``"arrays"`` or ``"layer"``: what it is measured against."""
        is_layer = self.without_autograd is None and self.compiles is not inside_jax
        return "layer" if is_layer else "arrays"


CONTENDERS = {
    OURS: Contender(fused, None, 99, 60, one_thread=True),
    ARRAYS: Contender(None, None, 99, 60, one_thread=True, without_autograd=without_autograd),
    "PennyLane default.qubit, jax.jit, inside JAX": Contender(
        pennylane_in_jax, "jax", 12, 30, inside_jax, one_thread=True
    ),
    "PennyLane default.qubit, jax.jit, as a torch layer": Contender(
        pennylane_in_jax, "jax", 8, 30, as_a_torch_layer, one_thread=True
    ),
    "tensorcircuit-ng, jax.jit, inside JAX": Contender(
        tensorcircuit_in_jax, "tensorcircuit-ng", 12, 30, inside_jax, one_thread=True
    ),
    "PennyLane TorchLayer, default.qubit, backprop, batched": Contender(
        pennylane_torchlayer, "pennylane", 12, 30, one_thread=True
    ),
    "PennyLane lightning.qubit, adjoint": Contender(
        pennylane_lightning, "pennylane-lightning", 8, 3
    ),
    "circuit called once per image (the study's way)": Contender(once_per_image, "pennylane", 8, 3),
    "deepquantum": Contender(deepquantum, "deepquantum", 12, 30, one_thread=True),
    "tensorcircuit-ng, torch backend, vmap": Contender(
        tensorcircuit_ng, "tensorcircuit-ng", 10, 20
    ),
    "pyqtorch": Contender(pyqtorch, "pyqtorch", 12, 20, one_thread=True),
    "fastqml": Contender(fastqml_layers, "fastqml", 10, 20, one_thread=True),
    "torq-quantum": Contender(torq_circuit, "torq-quantum", 10, 20, one_thread=True),
    "qandle": Contender(qandle_circuit, "qandle", 4, 20, one_thread=True),
    "qiskit-machine-learning TorchConnector": Contender(
        qiskit_torchconnector, "qiskit-machine-learning", 4, 3
    ),
}
OURS_OF = {"layer": OURS, "arrays": ARRAYS}
CPU_ONLY = (
    {ARRAYS}
    | {name for name, asked in CONTENDERS.items() if asked.compiles}
    | {
        "PennyLane lightning.qubit, adjoint",
        "qiskit-machine-learning TorchConnector",
        "torq-quantum",
        "qandle",
    }
)


def problem(family: str, n: int, layers: int, batch: int, device: str):
    generator = torch.Generator().manual_seed(0)
    spec = CircuitSpec(n_qubits=n, n_layers=layers, **FAMILIES[family])
    weights = init_weights(spec, generator=generator).to(device).requires_grad_()
    return spec, torch.randn(batch, n, generator=generator).to(device).requires_grad_(), weights


def passes(run, leaves, x):
    """Forward and backward once; returns values and gradients."""
    out = run(x)
    return (out, *torch.autograd.grad(out.sum(), [x, *leaves]))


def why_not(name: str, spec, device: str) -> str:
    """Why a contender is not asked, or nothing."""
    asked = CONTENDERS[name]
    if spec.n_qubits > asked.largest:
        return f"too slow beyond {asked.largest} qubits"
    if name.startswith("qiskit") and spec.rotation == "Rot":
        return "minutes a pass with 24 trainable angles"
    if device == "cuda" and name in CPU_ONLY:
        return "CPU only"
    try:
        if asked.distribution:
            metadata.version(asked.distribution)
    except metadata.PackageNotFoundError:
        return "not installed"
    return ""


def compare(name: str, spec, found, wanted) -> None:
    """Values and gradients beside PennyLane's."""
    out, to_x, *to_weights = [torch.as_tensor(f).detach().double().cpu() for f in found]
    found = (out, to_x, torch.cat([g.flatten() for g in to_weights]))
    for a, b, what in zip(
        found, wanted, ("values", "input gradients", "weight gradients"), strict=True
    ):
        error = (a - b).abs().max().item()
        assert error < 2e-4, (
            f"{name}: {what} differ from PennyLane's by {error:.1e} at {spec.label()}"
        )


class Here:
    """A contender in this process."""

    def __init__(self, name: str, spec, x, weights, device: str, wanted):
        began = time.perf_counter()
        own = weights.detach().clone().requires_grad_()
        self.device = device
        if CONTENDERS[name].without_autograd:
            self.both, self.forward = CONTENDERS[name].without_autograd(spec, x, own)
        else:
            run, leaves = CONTENDERS[name].make(spec, own, device)
            self.both, self.forward = lambda: passes(run, leaves, x), lambda: run(x)
        found = self.both()
        self.first_s = time.perf_counter() - began
        compare(name, spec, found, wanted)

    def both_ms(self) -> float:
        return clock(self.both, device=self.device)

    def forward_ms(self) -> float:
        with torch.no_grad():
            return clock(self.forward, device=self.device)

    def close(self) -> None:
        pass


class Elsewhere:
    """A contender in a process of its own, which can be stopped."""

    def __init__(self, name: str, family: str, size: tuple, wanted, limit: float):
        context = multiprocessing.get_context("spawn")
        self.pipe, theirs = context.Pipe()
        made = (theirs, name, family, size, wanted, torch.get_num_threads())
        self.process = context.Process(target=_serve, args=made, daemon=True)
        self.process.start()
        theirs.close()
        self._ask(None, 120)  # imports
        try:
            self.first_s = self._ask("first", limit)
        except TimeoutError:
            self.close()
            raise TimeoutError(f"not ready after {limit:.0f} s") from None

    def _ask(self, what, limit: float):
        if what:
            self.pipe.send(what)
        if not self.pipe.poll(limit):
            raise TimeoutError(f"no answer in {limit:.0f} s")
        try:
            answer = self.pipe.recv()
        except EOFError:
            raise RuntimeError("its process ended") from None
        if isinstance(answer, str):
            self.close()
            raise RuntimeError(answer)
        return answer

    def both_ms(self) -> float:
        return self._ask("both", 120)

    def forward_ms(self) -> float:
        return self._ask("forward", 120)

    def close(self) -> None:
        self.process.kill()
        self.process.join()


def _serve(pipe, name: str, family: str, size: tuple, wanted, threads: int) -> None:
    """What the other process does."""
    try:
        torch.set_num_threads(threads)
        import jax

        if cache := os.environ.get("BENCH_JAX_CACHE"):
            jax.config.update("jax_compilation_cache_dir", cache)
            jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.5)
        spec, x, weights = problem(family, *size, "cpu")
        asked = CONTENDERS[name]
        pipe.send(0.0)
        pipe.recv()
        began = time.perf_counter()
        both, forward = asked.compiles(asked.make(spec), x, weights)
        found = both()
        first = time.perf_counter() - began
        compare(name, spec, [torch.as_tensor(np.array(f.tolist())) for f in found], wanted)
        forward()
        pipe.send(first)
        while True:
            pipe.send(clock({"both": both, "forward": forward}[pipe.recv()], device="cpu"))
    except EOFError:
        pass
    except Exception:
        pipe.send(traceback.format_exc())


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
    """Milliseconds a call; calls shorter than ``at_least`` seconds are repeated in a row.

    Whoever ran before has emptied the caches: a call that is short enough for that to matter is
    made once more before, untimed.
    """
    repeats, spent = 0, 0.0
    began = time.perf_counter()
    function(*arguments)
    if device == "cuda":
        torch.cuda.synchronize()
    if time.perf_counter() - began > 0.1:
        return 1000 * (time.perf_counter() - began)
    began = time.perf_counter()
    while spent < at_least:
        function(*arguments)
        if device == "cuda":
            torch.cuda.synchronize()
        repeats, spent = repeats + 1, time.perf_counter() - began
    return 1000 * spent / repeats


def ready_contenders(family: str, size: tuple, given) -> tuple[dict, dict]:
    """Those that take part, and the cells of those that do not."""
    spec, x, weights = problem(family, *size, given.device)
    wanted, ready, result = reference(spec, x, weights), {}, {}
    for name, asked in CONTENDERS.items():
        if given.only and name not in OURS_OF.values() and given.only not in name:
            result[name] = {"skipped": "not asked this time"}
            continue
        print(f"{spec.label()}: {name}", file=sys.stderr, flush=True)
        reason = why_not(name, spec, given.device)
        if given.threads == 1 and not asked.one_thread:
            reason = "measured with two threads only"
        if f"{family}|{name}" in given.not_ready:
            reason = "not ready in time at a smaller size"
        try:
            if reason:
                result[name] = {"skipped": reason}
            elif asked.compiles:
                ready[name] = Elsewhere(name, family, size, wanted, given.limit)
            else:
                ready[name] = Here(name, spec, x, weights, given.device, wanted)
        except (TimeoutError, ImportError, RuntimeError) as problem_:
            last = str(problem_).strip().splitlines()[-1]
            print(f"  {last}", file=sys.stderr)
            result[name] = {"skipped": last[:200]}
            if asked.compiles:
                given.not_ready.append(f"{family}|{name}")
    return ready, result


def measure(family: str, size: tuple, given) -> dict:
    ready, result = ready_contenders(family, size, given)
    both, forward = {n: [] for n in ready}, {n: [] for n in ready}
    for number in range(5 if given.quick else 60):
        for name, it in ready.items():
            if number < CONTENDERS[name].rounds and (number < 3 or sum(both[name]) < BUDGET):
                both[name].append(it.both_ms())
                if number % 3 == 0:
                    forward[name].append(it.forward_ms())
    ours = {kind: statistics.median(both[name]) for kind, name in OURS_OF.items() if name in ready}
    for name, it in ready.items():
        it.close()
        quartiles = statistics.quantiles(both[name], n=4)
        middle = statistics.median(both[name])
        result[name] = {
            "ms": middle,
            "quartiles": [quartiles[0], quartiles[2]],
            "inference_ms": statistics.median(forward[name]),
            "ratio": middle / ours[CONTENDERS[name].kind],
            "across": middle / ours["layer"],
            "rounds": len(both[name]),
            "first_s": it.first_s,
        }
    return {name: {"class": CONTENDERS[name].kind, **result[name]} for name in CONTENDERS}


def warm_up() -> dict:
    """Seconds that our first pass takes in a fresh process: imports, and the kernel compiled or
    found on disk.
    """
    code = (
        "import time, torch\n"
        "from hqnn_utils.quantum import CircuitSpec, expectations, init_weights\n"
        "spec = CircuitSpec(rotation='Rot'); w = init_weights(spec).requires_grad_()\n"
        "began = time.perf_counter()\n"
        "expectations(spec, torch.zeros(32, 4), w).sum().backward()\n"
        "print(time.perf_counter() - began)"
    )
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(ROOT)}
        seconds = []
        for _ in range(4):
            done = subprocess.run(
                [sys.executable, "-c", code], env=environment, capture_output=True, text=True
            )
            seconds.append(float(done.stdout) if done.returncode == 0 else None)
    again = None if None in seconds else statistics.median(seconds[1:])
    return {"never ran here": seconds[0], "ran here before": again}


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
    run, leaves = CONTENDERS[name].make(spec, weights.detach().clone().requires_grad_(), "cpu")
    for _ in range(2):
        passes(run, leaves, x)


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
    for threads, timings in record["by_threads"].items():
        for family, columns in timings.items():
            lines.append(
                f"\n{family}, {threads} thread(s): ms forward + backward (times ours of its class) "
                "[first call, s]; columns are qubits, layers, batch"
            )
            lines.append(f"{'':56s}" + "".join(f"{c:>26s}" for c in columns))
            for name in CONTENDERS:
                cells = [_cell(column[name]) for column in columns.values()]
                lines.append(f"{name:56s}" + "".join(f"{c:>26s}" for c in cells))
            reasons = {
                f"  - {name}, {size}: {cell['skipped']}"
                for size, column in columns.items()
                for name, cell in column.items()
                if "skipped" in cell
            }
            lines += sorted(reasons)
    for family, found in record["memory_mib"].items():
        lines += [f"peak MiB at 12, 4, 64, {family}: {n}: {m:.0f}" for n, m in found.items() if m]
    for text, value in record["large"].items():
        time_text = f"{value['ms']:.0f} ms, " if "ms" in value else ""
        lines.append(f"{text}: {time_text}peak memory {value['peak_mib']:.0f} MiB")
    lines.append(f"our first call, s: {record['warm_up']}; load {record['load_average']}")
    return "\n".join(lines)


def _cell(found: dict) -> str:
    if "ms" not in found:
        return "-"
    return f"{found['ms']:.3g} ({found['ratio']:.1f}x) [{found['first_s']:.2g}]"


def figure(record: dict, path: Path) -> None:
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    columns = record["by_threads"]["2"]["strong"]
    shown, axes = plt.subplots(1, len(columns), figsize=(4 * len(columns) + 3, 4), sharey=True)
    for axis, (column, cells) in zip(axes, columns.items(), strict=True):
        for row, name in enumerate(CONTENDERS):
            if "ms" in cells[name]:
                bar = axis.barh(
                    row,
                    cells[name]["ms"],
                    color="#D55E00" if name in OURS_OF.values() else "#0072B2",
                )
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
        f"Forward and backward pass of a general circuit, float32, 2 threads, {record['device']}"
    )
    shown.tight_layout()
    shown.savefig(path, dpi=100)


def large(device: str, repeats: int = 3) -> dict:
    """16 qubits, batch 32: time here, peak memory in a fresh process, for both families; memory of
    one image at 20 to 24 qubits.
    """
    found = {}
    for family in FAMILIES:
        spec, x, weights = problem(family, 16, 2, 32, device)
        run, leaves = fused(spec, weights, device)
        passes(run, leaves, x)
        ms = statistics.median(clock(passes, run, leaves, x, device=device) for _ in range(repeats))
        kernel = kernel_for(spec, x.device, x.dtype)
        found[f"16 qubits, 2 layers, batch 32, {family} ({kernel})"] = {
            "ms": ms,
            "peak_mib": memory_in_fresh_process(OURS, family, (16, 2, 32)),
        }
    for n in (20, 22, 24):
        state = 2**n * 8 / 2**20
        found[f"{n} qubits, 2 layers, one image, strong (a state has {state:.0f} MiB)"] = {
            "peak_mib": memory_in_fresh_process(OURS, "strong", (n, 2, 1))
        }
    return found


def timings(given) -> dict:
    """All families and sizes with one number of threads."""
    sizes = SIZES[:2] if given.quick else SIZES
    return {f: {", ".join(map(str, s)): measure(f, s, given) for s in sizes} for f in FAMILIES}


def one_thread(given) -> dict:
    """The same with one thread on one core, in a process of its own."""
    command = [sys.executable, __file__, "--threads", "1", "--limit", str(given.limit)]
    command += ["--quick"] if given.quick else []
    command += ["--only", given.only]
    command += ["--not-ready", *given.not_ready] if given.not_ready else []
    cores = sorted(os.sched_getaffinity(0))[:1] if hasattr(os, "sched_getaffinity") else None

    def pin() -> None:
        if cores:
            os.sched_setaffinity(0, cores)

    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, preexec_fn=pin)
    return json.loads(done.stdout.splitlines()[-1])


def versions() -> dict:
    names = {"torch", "numpy", "numba", "jax"}
    names |= {c.distribution for c in CONTENDERS.values() if c.distribution}
    found = {}
    for name in sorted(names):
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--quick", action="store_true", help="few rounds and only the two small sizes"
    )
    parser.add_argument("--device", default="cpu", choices=["cpu", "cuda"])
    parser.add_argument(
        "--out", type=Path, default=ROOT / "build" / "bench", help="folder for record and figure"
    )
    parser.add_argument(
        "--limit", type=float, default=60, help="seconds for a first call that compiles"
    )
    parser.add_argument("--only", default="", help="ours, and peers whose name contains this")
    parser.add_argument("--threads", type=int, default=2, help=argparse.SUPPRESS)
    parser.add_argument("--not-ready", nargs="*", default=[], help=argparse.SUPPRESS)
    parser.add_argument("--memory", help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    given = arguments()
    torch.set_num_threads(given.threads)
    if given.memory:
        name, family, size = json.loads(given.memory)
        print(peak_memory(name, family, tuple(size)))
        return
    if given.threads == 1:
        print(json.dumps(timings(given)))
        return
    load = os.getloadavg() if hasattr(os, "getloadavg") else None
    with tempfile.TemporaryDirectory() as folder:
        os.environ["BENCH_JAX_CACHE"] = folder  # the second number of threads compiles nothing
        by_threads = {"2": timings(given)}
        if given.device == "cpu":
            by_threads["1"] = one_thread(given)
    memory, complete = {}, not (given.quick or given.only) and given.device == "cpu"
    if complete:
        able = [n for n, c in by_threads["2"]["strong"]["12, 4, 64"].items() if "ms" in c]
        able = [n for n in able if CONTENDERS[n].make and not CONTENDERS[n].compiles]
        memory["strong"] = {n: memory_in_fresh_process(n, "strong", (12, 4, 64)) for n in able}
    record = {
        "date": date.today().isoformat(),
        "device": given.device if given.device == "cpu" else torch.cuda.get_device_name(0),
        "cores": os.cpu_count(),
        "dtype": "float32",
        "limit_s": given.limit,
        "load_average": load,
        "versions": versions(),
        "by_threads": by_threads,
        "memory_mib": memory,
        "warm_up": warm_up(),
        "large": large(given.device) if complete else {},
    }
    print(table(record))
    from hqnn_utils.records import write_json_atomically

    write_json_atomically(given.out / f"quantum_layer_{given.device}.json", record)
    figure(record, given.out / f"quantum_layer_{given.device}.png")


if __name__ == "__main__":
    main()
