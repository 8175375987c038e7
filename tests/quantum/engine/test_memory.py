"""How much memory a call takes, and that one that cannot fit is refused before it starts."""

import json
import subprocess
import sys
import types
from pathlib import Path

import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, init_weights
from hqnn_utils.quantum.engine import compiled, memory
from hqnn_utils.runtime import files

GIB = 2**30
GENERAL = dict(rotation="Rot", entangler="strong")


def refusal(spec, rows, way_back, dtype=torch.float32):
    x = torch.zeros(rows, spec.n_inputs, dtype=dtype)
    weights = init_weights(spec).to(dtype).requires_grad_(way_back)
    # Not through the engine: a refusal that fails would start to compute 30 qubits.
    with pytest.raises(MemoryError) as caught:
        memory.refuse_too_large(spec, x, weights)
    return str(caught.value)


def test_thirty_qubits_on_a_laptop(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 8 * GIB - 1)
    word = refusal(CircuitSpec(n_qubits=30, **GENERAL), 1, way_back=False)
    for part in ("30 qubits, 1 row, forward", "8.0 GiB", "are free", "fewer qubits", "sampled"):
        assert part in word
    assert "no_grad" not in word
    if compiled.is_installed():
        assert f"{2**30 * 8:,} bytes" in word
    word = refusal(CircuitSpec(n_qubits=30, **GENERAL), 2, way_back=True, dtype=torch.float64)
    for part in ("2 rows, forward and backward", "fewer rows", "torch.no_grad()", "float32 inputs"):
        assert part in word


def test_the_layer_refuses_too_and_what_fits_is_computed(monkeypatch):
    monkeypatch.setattr(memory, "SMALL", 1)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 10**6)
    layer = QuantumLayer(CircuitSpec(n_qubits=14, **GENERAL))
    with pytest.raises(MemoryError, match="14 qubits, 8 rows"):
        layer(torch.zeros(8, 14))
    small = QuantumLayer(CircuitSpec(n_qubits=4, **GENERAL))
    assert small(torch.zeros(8, 4)).shape == (8, 4)
    monkeypatch.setattr(memory, "free_bytes", lambda device: None)  # nobody can say
    assert layer(torch.zeros(8, 14)).shape == (8, 14)


def test_torch_needs_more(monkeypatch):
    monkeypatch.setattr(memory, "free_bytes", lambda device: 8 * GIB)
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    word = refusal(CircuitSpec(n_qubits=30, **GENERAL), 1, way_back=True)
    assert f"{8 * 8 * 2**30:,} bytes" in word


@pytest.mark.parametrize("rows", [1, 40])
@pytest.mark.parametrize("options", [GENERAL, dict(encoding="amplitude", rotation="RY")])
def test_bytes_of_the_kernel(rows, options):
    """States that exist at a time: without a way back one of each block, with it all end states and
    two of each block.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    spec = CircuitSpec(n_qubits=10, **options)
    real, given = options is not GENERAL, options is not GENERAL
    state = 2**10 * 4 * (1 if real else 2)
    block = min(rows, 256 // (4 if real else 8))
    starts = rows if given else 0
    found = compiled.kernel_bytes(spec, rows, double=False, way_back=False)
    assert found == state * (block + starts)
    found = compiled.kernel_bytes(spec, rows, double=False, way_back=True)
    assert found == state * (rows + 2 * block + 2 * starts)
    torch.set_num_threads(before)


def test_free_memory_of_this_machine():
    assert 2**20 < memory.free_bytes(torch.device("cpu")) < 2**50
    assert memory.free_bytes(torch.device("meta")) is None


@pytest.mark.parametrize(
    ("limit", "used", "free"),
    [
        (4 * GIB, GIB, 3 * GIB),
        (4 * GIB, 5 * GIB, 0),
        (40 * GIB, GIB, 10 * GIB),
        ("max", GIB, 10 * GIB),
        ("a lot", GIB, 10 * GIB),
        (None, None, 10 * GIB),
    ],
)
def test_a_container_has_no_more_than_its_limit_leaves(monkeypatch, tmp_path, limit, used, free):
    machine = types.SimpleNamespace(available=10 * GIB)
    monkeypatch.setattr("psutil.virtual_memory", lambda: machine)
    monkeypatch.setattr(files, "CONTAINER", tmp_path)
    if limit is not None:
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        (tmp_path / "memory.current").write_text(f"{used}\n")
    assert memory.free_bytes(torch.device("cpu")) == free
    with pytest.raises(MemoryError, match=r"3 rows needs .* of memory, .* are free: fewer"):
        files.need_memory(free + 1, "3 rows", "fewer")
    files.need_memory(free, "3 rows", "fewer")


PEAK = """
import json, sys, torch
from pathlib import Path
from hqnn_utils.quantum import CircuitSpec, expectations, init_weights

def status(key):
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(key)))

def one(n, way_back, gate):
    spec = CircuitSpec(n_qubits=n, n_layers=2, rotation="Rot", entangler="strong", gate=gate)
    weights = init_weights(spec).requires_grad_(way_back)
    out = expectations(spec, torch.zeros(1, n), weights)
    if way_back:
        out.sum().backward()

torch.set_num_threads(1)
found = {}
for way_back in (False, True):
    one(9, way_back, "CNOT")
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")
    one(22, way_back, sys.argv[1])
    found[str(way_back)] = status("VmHWM") - before
print(json.dumps(found))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="measured by Linux")
@pytest.mark.parametrize("gate", ["CNOT", "CZ"])
def test_a_large_state_is_nearly_all_there_is(gate):
    """22 qubits in float32: twice the state forward, four times with a way back."""
    pytest.importorskip("numba")
    done = subprocess.run(
        [sys.executable, "-c", PEAK, gate], capture_output=True, text=True, check=True
    )
    found, state = json.loads(done.stdout), 2**22 * 8
    assert found["False"] < 2 * state
    assert found["True"] < 4 * state
