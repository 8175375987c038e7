"""What stands in the circuit's place, against formulas written down here and against circuits."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from torch import nn

from hqnn_utils.models import CORES, MatchedLayer, count_parameters
from hqnn_utils.models.cores import IdentityCore, ShuffledCore, average_to, read_out
from hqnn_utils.quantum import CircuitSpec, QuantumLayer

SPECS = [
    CircuitSpec(),
    CircuitSpec(n_layers=1),
    CircuitSpec(n_layers=7),
    CircuitSpec(rotation="Rot", entangler="strong", n_layers=3),
    CircuitSpec(n_qubits=3, observable="ZZ"),
    CircuitSpec(observable="parity"),
    CircuitSpec(observable="Z0"),
    CircuitSpec(n_qubits=3, encoding="amplitude"),
    CircuitSpec(n_qubits=1, entangler="none", n_layers=4),
]
BY_LABEL = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.label())


def close(found, wanted):
    np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-6)


# ---------------------------------------------------------------- the matched layer


def formula(spec, weights, x):
    """The matched layer in loops over single numbers, as its docstring says it."""
    n = spec.n_qubits
    if spec.encoding == "amplitude":
        share = 2**n / n  # 8 amplitudes to 3: PyTorch's windows overlap
        ends = [(math.floor(i * share), math.ceil((i + 1) * share)) for i in range(n)]
        h = [np.mean(x[a:b]) for a, b in ends]
    else:
        h = [value / math.pi for value in x]
    rows = [list(row) for row in weights]
    while rows:
        group, rows = rows[: n + 1], rows[n + 1 :]
        new = []
        for i in range(n):
            total = group[0][i] * h[i]
            if len(group) > 1:
                total += group[1][i]
            for shift in range(1, len(group) - 1):
                total += group[shift + 1][i] * h[(i - shift) % n]
            new.append(math.tanh(total))
        h = new
    if spec.observable == "Z":
        return h
    if spec.observable == "Z0":
        return [sum(h) / n]
    if spec.observable == "parity":
        return [math.prod(h)]
    return [h[i] * h[j] for i, j in itertools.combinations(range(n), 2)]


@BY_LABEL
def test_the_matched_layer_is_its_formula(spec):
    torch.manual_seed(0)
    layer = MatchedLayer(spec)
    nn.init.normal_(layer.weights)
    x = 3 * torch.randn(5, spec.n_inputs)
    found = layer(x).detach().numpy()
    close(found, [formula(spec, layer.weights.tolist(), row) for row in x.tolist()])
    stacked = torch.stack([x, -x])
    assert layer(stacked).shape == (2, 5, spec.n_outputs)
    close(layer(stacked)[0].detach(), found)
    close(layer(x[0]).detach(), found[0])


@BY_LABEL
def test_the_matched_layer_matches(spec):
    """Same inputs, same outputs, same number of trainable parameters, and each does something."""
    circuit, control = QuantumLayer(spec), MatchedLayer(spec)
    assert count_parameters(circuit) == count_parameters(control) == spec.n_weights
    x = torch.randn(5, spec.n_inputs)
    assert control(x).shape == circuit(x).shape == (5, spec.n_outputs)
    assert control(x).abs().max() <= 1, "bounded as an expectation value is"
    control(x).sum().backward()
    assert (control.weights.grad.abs() > 0).all()


@BY_LABEL
def test_the_matched_layer_starts_close_to_the_identity(spec):
    torch.manual_seed(4)
    layer, drawn = MatchedLayer(spec), torch.get_rng_state()
    n = spec.n_qubits
    torch.manual_seed(4)
    rows = torch.empty(spec.n_weights // n, n).normal_(0.0, 0.1)
    assert torch.equal(drawn, torch.get_rng_state())
    for number, row in enumerate(rows):
        wanted = row + 1 if number % (n + 1) == 0 else row
        assert torch.equal(layer.weights[number], wanted)
    assert layer.spec is spec
    assert layer.weights.requires_grad


def test_means_of_neighbours():
    x = torch.arange(8.0)
    assert average_to(4, x).tolist() == [0.5, 2.5, 4.5, 6.5]
    assert average_to(2, x.view(2, 1, 4)).tolist() == [[[0.5, 2.5]], [[4.5, 6.5]]]
    assert average_to(3, x).tolist() == [1, 3.5, 6]


# ---------------------------------------------------------------- reading out


@pytest.mark.parametrize("observable", ["Z", "ZZ", "parity"])
@pytest.mark.parametrize("n", [2, 3, 4])
def test_read_out_forms_what_a_circuit_measures(observable, n):
    """Without entanglers a qubit turned by x has <Z> = cos x, and products are products."""
    spec = CircuitSpec(n_qubits=n, n_layers=1, entangler="none", observable=observable)
    circuit = QuantumLayer(spec)
    with torch.no_grad():
        circuit.weights.zero_()
        x = torch.linspace(0.1, 2.0, 3 * n).view(3, n)
        torch.testing.assert_close(read_out(spec, torch.cos(x)), circuit(x), rtol=1e-5, atol=1e-5)


def test_the_first_qubit_stands_for_all():
    h = torch.tensor([[1.0, 2.0, 6.0]])
    assert read_out(CircuitSpec(n_qubits=3, observable="Z0"), h).tolist() == [[3.0]]
    assert read_out(CircuitSpec(n_qubits=3, observable="ZZ"), h).tolist() == [[2.0, 6.0, 12.0]]
    assert read_out(CircuitSpec(n_qubits=3, observable="parity"), h).tolist() == [[12.0]]
    assert read_out(CircuitSpec(n_qubits=3), h) is h


# ---------------------------------------------------------------- the others


def test_the_names():
    assert list(CORES) == ["circuit", "frozen", "matched", "mlp", "identity", "shuffled"]


@BY_LABEL
@pytest.mark.parametrize("name", CORES)
def test_every_core_maps_inputs_to_outputs(name, spec):
    if name == "identity" and spec.encoding == "amplitude":
        return
    core = CORES[name](spec, "fused")
    assert core(torch.randn(5, spec.n_inputs)).shape == (5, spec.n_outputs)


@pytest.mark.parametrize("name", ["circuit", "frozen", "shuffled"])
def test_circuits_take_the_spec_and_the_engine(name):
    spec = CircuitSpec(n_qubits=3)
    torch.manual_seed(7)
    wanted = QuantumLayer(spec)
    for engine in ("fused", "pennylane"):
        torch.manual_seed(7)
        core = CORES[name](spec, engine)
        (circuit,) = [m for m in core.modules() if isinstance(m, QuantumLayer)]
        assert (circuit.spec, circuit.engine) == (spec, engine)
        assert torch.equal(circuit.weights, wanted.weights)
        assert circuit.weights.requires_grad is (name != "frozen")
    with pytest.raises(ValueError, match=r"^unknown engine 'qiskit'; known: fused, pennylane$"):
        CORES[name](spec, "qiskit")


def test_the_plain_layer():
    spec = CircuitSpec(n_qubits=3, observable="ZZ", encoding="amplitude")
    torch.manual_seed(0)
    core = CORES["mlp"](spec, "fused")
    torch.manual_seed(0)
    first, second = nn.Linear(8, 16), nn.Linear(16, 3)
    x = torch.randn(5, 8)
    assert torch.equal(core(x), second(torch.relu(first(x))))
    assert count_parameters(core) == 8 * 16 + 16 + 16 * 3 + 3


@pytest.mark.parametrize("observable", ["Z", "Z0", "ZZ", "parity"])
def test_identity_passes_the_angles_on(observable):
    spec = CircuitSpec(observable=observable)
    core, x = CORES["identity"](spec, "fused"), torch.randn(3, 4)
    assert isinstance(core, IdentityCore)
    assert core.spec is spec
    assert count_parameters(core) == 0
    torch.testing.assert_close(core(math.pi * x), read_out(spec, x))


def test_identity_has_one_input_per_qubit():
    message = (
        "core 'identity' needs one input per qubit: "
        "amplitude encoding has 2**n; use encoding='angle'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        IdentityCore(CircuitSpec(encoding="amplitude"))


def test_a_shuffled_core_in_evaluation_mode_has_one_permutation():
    """Same outputs as the circuit's, in another order: nothing about the image gets through."""
    core, x = ShuffledCore(CircuitSpec(), "fused").eval(), torch.randn(40, 4)
    before = torch.get_rng_state()
    with torch.no_grad():
        found = core(x)
        order = torch.randperm(40, generator=torch.Generator().manual_seed(0))
        close(found, core.circuit(x[order]))
        assert torch.equal(found, core(x))
        assert not torch.allclose(found, core.circuit(x))
    assert torch.equal(before, torch.get_rng_state()), "the random state is left alone"


def test_a_shuffled_core_in_training_has_a_new_permutation_each_batch():
    core, x = ShuffledCore(CircuitSpec(), "fused").train(), torch.randn(40, 4)
    with torch.no_grad():
        torch.manual_seed(5)
        first, second = core(x), core(x)
        torch.manual_seed(5)
        for found in (first, second):
            close(found, core.circuit(x[torch.randperm(40)]))
    assert not torch.allclose(first, second)
