"""What stands in the circuit's place, against formulas written down here and against circuits."""

import itertools
import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from hqnn_utils.models import (
    CORES,
    CosineLayer,
    FourierLayer,
    MatchedLayer,
    MixingLayer,
    count_parameters,
)
from hqnn_utils.models import cores as cores_module
from hqnn_utils.models.cores import (
    IdentityCore,
    ShuffledCore,
    average_to,
    frequencies,
    gates_as_turns,
    read_out,
)
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


# ---------------------------------------------------------------- the mixing layer


def mixing_formula(spec, weights, x):
    """The mixing layer in loops over single numbers, as its docstring says it."""
    n = spec.n_qubits
    start = [v / math.pi for v in x]
    if spec.encoding == "amplitude":
        start = average_to(n, torch.tensor(x)).tolist()
    h = list(start)
    for layer in range(spec.n_layers):
        if layer > 0 and spec.reupload:
            h = [a + b for a, b in zip(h, start, strict=True)]
        for pair in spec.pairs(layer):
            i, j = min(pair), max(pair)
            h[i], h[j] = (
                math.cos(0.5) * h[i] - math.sin(0.5) * h[j],
                math.sin(0.5) * h[i] + math.cos(0.5) * h[j],
            )
        for q in range(n):
            row = weights[layer][q]
            bias, slope, gain = (row, 1, 1) if isinstance(row, float) else row
            h[q] = gain * math.tanh(slope * h[q] + bias)
    return read_out(spec, torch.tensor(h)).tolist()


MIXED = [
    *SPECS,
    CircuitSpec(reupload=True, n_layers=3),
    CircuitSpec(entangler="all", gate="CZ", rotation="RY", mirror=True),
    CircuitSpec(n_qubits=5, entangler="chain", rotation="RZ", axis="Y"),
    CircuitSpec(encoding="iqp"),
]
BY_MIXED = pytest.mark.parametrize("spec", MIXED, ids=lambda spec: spec.label())


@BY_MIXED
def test_the_mixing_layer_is_its_formula(spec):
    torch.manual_seed(0)
    layer = MixingLayer(spec)
    nn.init.normal_(layer.weights)
    x = 3 * torch.randn(5, spec.n_inputs)
    found = layer(x).detach()
    close(found, [mixing_formula(spec, layer.weights.tolist(), row) for row in x.tolist()])
    close(layer(torch.stack([x, -x]))[0].detach(), found)
    close(layer(x[0]).detach(), found[0])


@BY_MIXED
def test_the_mixing_layer_has_the_circuits_size(spec):
    torch.manual_seed(0)
    layer = MixingLayer(spec)
    assert layer.weights.shape == QuantumLayer(spec).weights.shape == spec.weight_shape
    assert count_parameters(layer) == spec.n_weights
    assert list(layer.state_dict()) == ["weights"], "what does not learn is made from the spec"
    flat = layer.weights.detach().reshape(spec.n_layers, spec.n_qubits, -1)
    assert flat[..., 0].abs().max() < 0.5, "biases start small"
    assert (flat[..., 1:] - 1).abs().sum() < 0.5 * max(flat[..., 1:].numel(), 1)
    if spec.rotation != "Rot":
        assert layer(20 * torch.randn(50, spec.n_inputs)).abs().max() <= 1
    layer(torch.randn(5, spec.n_inputs)).sum().backward()
    assert (layer.weights.grad.abs() > 0).all(), "each parameter does something"


def test_slopes_and_gains_start_at_random_as_biases_do():
    spec = CircuitSpec(rotation="Rot")
    torch.manual_seed(4)
    layer = MixingLayer(spec)
    torch.manual_seed(4)
    wanted = torch.empty(spec.weight_shape).normal_(0.0, 0.1)
    wanted[..., 1:] += 1
    assert torch.equal(layer.weights, wanted)


@pytest.mark.parametrize("entangler", ["ring", "strong", "chain", "all", "none"])
def test_mixing_is_orthogonal(entangler):
    spec = CircuitSpec(n_qubits=5, entangler=entangler)
    matrix = gates_as_turns(spec, 1)
    close(matrix @ matrix.T, torch.eye(5))
    assert torch.equal(matrix, torch.eye(5)) is (entangler == "none")


def sees(layer, spec):
    """Which outputs depend on which inputs, (n_outputs, n_inputs), at random weights and inputs."""
    found = torch.zeros(spec.n_outputs, spec.n_inputs)
    for seed in range(8):
        torch.manual_seed(seed)
        with torch.no_grad():
            for p in layer.parameters():
                p.normal_()
        found += torch.autograd.functional.jacobian(layer, torch.randn(spec.n_inputs)).abs()
    return found > 1e-5


def test_the_study_circuit_mixes_and_so_does_its_control():
    """The study's circuit sees 3, 3, 2 and 2 inputs. The matched map sees one, the mixing all."""
    spec = CircuitSpec()
    circuit = sees(QuantumLayer(spec), spec)
    assert circuit.sum(dim=1).tolist() == [3, 3, 2, 2]
    assert torch.equal(sees(MatchedLayer(spec), spec), torch.eye(4) > 0)
    assert sees(MixingLayer(spec), spec).all()


@settings(max_examples=60, deadline=None, derandomize=True)
@given(
    spec=st.builds(
        CircuitSpec,
        n_qubits=st.integers(2, 5),
        n_layers=st.integers(1, 3),
        entangler=st.sampled_from(["ring", "strong", "chain", "all", "none"]),
        gate=st.sampled_from(["CNOT", "CZ"]),
        rotation=st.sampled_from(["RX", "RY", "Rot"]),
        observable=st.sampled_from(["Z", "ZZ"]),
        mirror=st.booleans(),
    )
)
def test_the_control_mixes_wherever_the_circuit_does(spec):
    circuit, control = sees(QuantumLayer(spec), spec), sees(MixingLayer(spec), spec)
    assert (control | ~circuit).all(), spec.label()
    if spec.entangler == "none":
        assert control.sum() == circuit.sum(), "nothing mixes where nothing entangles"


# ---------------------------------------------------------------- cosines


COSINES = [
    (CircuitSpec(), 12),
    (CircuitSpec(n_layers=1), 4 + 2 + 4 + 8),
    (CircuitSpec(n_layers=6), None),
    (CircuitSpec(reupload=True), None),
    (CircuitSpec(entangler="none"), 4),
    (CircuitSpec(observable="ZZ"), None),
    (CircuitSpec(scaling=0.5), 12),
    (CircuitSpec(n_qubits=3, rotation="RY"), 3 * 14),
    (CircuitSpec(n_qubits=2, rotation="Rot", entangler="strong", reupload=True), 2 * 13),
    (CircuitSpec(n_qubits=2, axis="Y", gate="CZ", observable="parity"), 5),
]


@pytest.mark.parametrize(("spec", "number"), COSINES, ids=lambda v: getattr(v, "label", str)())
def test_cosines_contain_the_circuit_as_pennylane_computes_it(spec, number):
    """Each output is a sum of the layer's cosines: least squares leave nothing."""
    torch.manual_seed(1)
    circuit = QuantumLayer(spec, "pennylane")
    layer = CosineLayer(spec)
    x = 2 * torch.randn(4 * len(layer.w) + 40, spec.n_inputs, dtype=torch.float64)
    with torch.no_grad():
        wanted = circuit(x).numpy()
        assert np.abs(layer(x.float()).numpy() - wanted).max() > 0.05, "another function at first"
        assert layer(x[0].float()).shape == (spec.n_outputs,)
    angles = (x @ layer.w.double().T).numpy()
    for output, mine in enumerate(layer.sums.numpy().T > 0):
        waves = np.hstack([np.cos(angles[:, mine]), np.sin(angles[:, mine])])
        found = waves @ np.linalg.lstsq(waves, wanted[:, output])[0]
        np.testing.assert_allclose(found, wanted[:, output], atol=1e-6)
    if number is not None:
        assert len(layer.w) == number
    assert count_parameters(layer) == 2 * len(layer.w)
    assert count_parameters(layer) >= spec.n_outputs * 2


def test_cosines_of_the_study():
    """What each output sees, and its formula by hand; frequencies never come twice."""
    spec = CircuitSpec()
    tables = frequencies(spec)
    assert [len(t) for t in tables] == [4, 4, 2, 2]
    seen = [(t != 0).any(dim=0).tolist() for t in tables]
    assert seen == sees(QuantumLayer(spec), spec).tolist()
    for table in tables:
        rows = {tuple(row) for row in table.tolist()}
        assert len(rows) == len(table)
        assert not rows & {tuple(-v for v in row) for row in rows}
    torch.manual_seed(0)
    layer, x = CosineLayer(spec), torch.randn(3, 4)
    assert layer.coefficients.tolist() == pytest.approx([1 / 4] * 8 + [1 / 2] * 4)
    assert 0 <= layer.phases.min() < layer.phases.max() <= 2 * math.pi
    first = sum(
        a * torch.cos(x @ w + phi)
        for a, w, phi in zip(layer.coefficients[:4], layer.w[:4], layer.phases[:4], strict=True)
    )
    torch.testing.assert_close(layer(x)[:, 0], first)


def test_phases_start_anywhere_on_the_circle_and_frequencies_are_made_from_the_spec():
    layers = [CosineLayer(CircuitSpec()), FourierLayer(CircuitSpec())]
    torch.manual_seed(0)
    many = torch.cat([CosineLayer(CircuitSpec()).phases.detach() for _ in range(50)])
    random = torch.cat([FourierLayer(CircuitSpec()).b for _ in range(50)])
    for phases in (many, random):
        assert 0 <= phases.min() < 0.1
        assert 2 * math.pi - 0.1 < phases.max() <= 2 * math.pi
        assert phases.mean() == pytest.approx(math.pi, abs=0.3)
    assert set(layers[0].state_dict()) == {"phases", "coefficients"}, "what learns is kept"


def test_cosines_need_angles_and_few_frequencies(monkeypatch):
    with pytest.raises(ValueError, match=r"^core 'cosines' needs encoding='angle': with 'iqp' "):
        CosineLayer(CircuitSpec(encoding="iqp"))
    wide = CircuitSpec(n_qubits=8, rotation="RY")
    message = f"would have 26240 frequencies for circuit {wide.label()}, at most 4096: take fewer"
    with pytest.raises(ValueError, match=re.escape(message)):
        CosineLayer(wide)
    monkeypatch.setattr(cores_module, "MAX_COSINES", 11)
    with pytest.raises(ValueError, match=r"would have 12 frequencies .* at most 11"):
        CosineLayer(CircuitSpec())
    monkeypatch.setattr(cores_module, "MAX_COSINES", 12)
    assert len(CosineLayer(CircuitSpec()).w) == 12, "just enough room"


# ---------------------------------------------------------------- random Fourier features


def test_random_fourier_features():
    spec = CircuitSpec(n_qubits=3, observable="ZZ")
    torch.manual_seed(3)
    layer = FourierLayer(spec)
    x = torch.randn(6, 3)
    wanted = torch.zeros(6, 3)
    for w, b, c in zip(layer.w, layer.b, layer.mixture.weight.T, strict=True):
        wanted += math.sqrt(2 / 16) * torch.cos(x @ w + b)[:, None] * c
    torch.testing.assert_close(layer(x), wanted)
    assert count_parameters(layer) == 16 * 3
    assert {"w", "b"} < set(layer.state_dict()), "drawn at random, so they must be kept"


def test_many_random_features_are_the_gaussian_kernel(monkeypatch):
    monkeypatch.setattr(cores_module, "FOURIER_WIDTH", 20_000)
    torch.manual_seed(0)
    layer, x = FourierLayer(CircuitSpec()), 0.7 * torch.randn(6, 4)
    waves = math.sqrt(2 / 20_000) * torch.cos(x @ layer.w.T + layer.b)
    kernel = torch.exp(-(torch.cdist(x, x) ** 2) / 2)
    np.testing.assert_allclose(waves @ waves.T, kernel, atol=0.04)


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
    old = ["circuit", "frozen", "matched", "mlp", "identity", "shuffled"]
    assert list(CORES) == [*old, "mixing", "cosines", "fourier"]


@BY_LABEL
@pytest.mark.parametrize("name", CORES)
def test_every_core_maps_inputs_to_outputs(name, spec):
    if name in ("identity", "cosines") and spec.encoding == "amplitude":
        return
    if name == "cosines" and spec.rotation == "Rot":
        spec = CircuitSpec(n_qubits=2, rotation="Rot")
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
    with pytest.raises(
        ValueError, match=r"^unknown engine 'qiskit'; known: fused, pennylane, sampled$"
    ):
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
