"""Expectation values from sampled cosines: against the exact engines, against PennyLane, and where
no exact engine reaches, against cases with a closed form.
"""

import math

import numpy as np
import pennylane as qp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from hqnn_utils.quantum import (
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    estimate_expectations,
    expectations,
    init_weights,
)
from hqnn_utils.quantum.engine import sampled
from hqnn_utils.quantum.engine.cosines import x_strings
from hqnn_utils.quantum.spec import ENTANGLERS


@st.composite
def family(draw):
    """Any circuit of the study's family with up to six qubits."""
    n = draw(st.integers(1, 6))
    observables = ["Z", "Z0", "parity", "ZZ"] if n > 1 else ["Z", "Z0", "parity"]
    return CircuitSpec(
        n_qubits=n,
        n_layers=draw(st.integers(1, 3)),
        entangler="none" if n == 1 else draw(st.sampled_from(list(ENTANGLERS))),
        observable=draw(st.sampled_from(observables)),
        reupload=draw(st.booleans()),
        mirror=draw(st.booleans()),
        scaling=draw(st.sampled_from([1.0, 0.5, -2.0])),
    )


def case(spec, batch=3, seed=0, dtype=torch.float64, spread=1.0):
    generator = torch.Generator().manual_seed(seed)
    x = spread * torch.randn(batch, spec.n_inputs, generator=generator, dtype=torch.float64)
    w = spread * torch.randn(spec.weight_shape, generator=generator, dtype=torch.float64)
    return x.to(dtype), w.to(dtype)


def every_pattern(monkeypatch, spec):
    """Let the draw be each pattern of coins once; returns how many there are."""
    n = spec.n_qubits
    patterns = torch.cartesian_prod(*[torch.tensor([0, 1], dtype=torch.int8)] * n).reshape(-1, n)
    monkeypatch.setattr(sampled.torch, "randint", lambda *args, **options: patterns)
    return len(patterns)


@settings(max_examples=40, deadline=None)
@given(spec=family(), seed=st.integers(0, 10**6))
def test_with_every_pattern_once_it_is_exact(spec, seed):
    """Values and both gradients, to rounding."""
    x, w = (t.requires_grad_() for t in case(spec, seed=seed))
    with pytest.MonkeyPatch.context() as patch:
        count = every_pattern(patch, spec)
        values = estimate_expectations(spec, x, w, samples=max(2, count)).values
    exact = expectations(spec, x, w)
    torch.testing.assert_close(values, exact, atol=1e-12, rtol=0)
    cotangent = torch.linspace(-1, 1, values.numel(), dtype=torch.float64).reshape(values.shape)
    ours, theirs = (torch.autograd.grad(v, (x, w), cotangent) for v in (values, exact))
    torch.testing.assert_close(ours, theirs, atol=1e-12, rtol=0)


@settings(max_examples=40, deadline=None)
@given(spec=family(), seed=st.integers(0, 10**6))
def test_the_error_bar_holds_the_truth(spec, seed):
    """Six standard errors; where all cosines are equal there is no error, up to rounding."""
    x, w = case(spec, seed=seed)
    found = estimate_expectations(spec, x, w, samples=2000, seed=seed)
    distance = (found.values - expectations(spec, x, w)).abs()
    # The bar of a rare large term is itself uncertain: 1/sqrt(2000) of slack, as for one outlier.
    assert (distance <= 6 * found.errors + 1e-3).all()


def test_error_bars_have_the_right_size():
    """Over 400 seeds the values scatter as the mean error bar says, and not with a bias."""
    spec = CircuitSpec(n_qubits=5)
    x, w = case(spec, batch=2)
    found = [estimate_expectations(spec, x, w, samples=100, seed=s) for s in range(400)]
    values = torch.stack([f.values for f in found])
    errors = torch.stack([f.errors for f in found]).mean(0)
    exact = expectations(spec, x, w)
    assert ((values.mean(0) - exact).abs() < 4.5 * errors / math.sqrt(400)).all()
    torch.testing.assert_close(values.std(0), errors, rtol=0.15, atol=1e-6)


def test_equal_to_pennylanes_iqp_circuit():
    """The circuit's state is that of PennyLane's template IQP; its QNode judges values and the
    strings.
    """
    spec = CircuitSpec(n_qubits=4)
    x, w = case(spec, batch=1)
    of_inputs, of_weights = x_strings(spec)
    masks = [strings[0] for strings in of_inputs] + of_weights
    pattern = [[[q for q in range(4) if mask >> (3 - q) & 1]] for mask in masks]
    angles = torch.cat([x[0], w.flatten()])

    @qp.qnode(qp.device("default.qubit", wires=4))
    def iqp():
        qp.IQP((angles / 2).tolist(), num_wires=4, pattern=pattern)
        return [qp.expval(qp.Z(q)) for q in range(4)]

    judged = torch.tensor([float(v) for v in iqp()], dtype=torch.float64)
    by_qnode = torch.stack(build_qnode(spec)(x[0], w))
    torch.testing.assert_close(judged, by_qnode, atol=1e-9, rtol=0)
    found = estimate_expectations(spec, x, w, samples=20_000, seed=1)
    assert ((found.values[0] - judged).abs() < 5 * found.errors[0]).all()


@pytest.mark.parametrize("n", [4, 50])
def test_equal_to_pennylanes_own_estimate(n):
    """Two estimates with independent samples differ as their two error bars say."""
    jax = pytest.importorskip("jax", reason="qp.qnn.iqp_expval needs JAX")
    spec = CircuitSpec(n_qubits=n)
    x, w = case(spec, batch=1, spread=0.2)
    of_inputs, of_weights = x_strings(spec)
    masks = [strings[0] for strings in of_inputs] + of_weights
    pattern = [[[q for q in range(n) if mask >> (n - 1 - q) & 1]] for mask in masks]
    angles = torch.cat([x[0], w.flatten()]).numpy() / 2
    theirs, bars = qp.qnn.iqp_expval(
        np.eye(n, dtype=int), angles, pattern, n, 10_000, jax.random.PRNGKey(1)
    )
    ours = estimate_expectations(spec, x, w, samples=10_000, seed=0)
    away = (np.asarray(theirs) - ours.values[0].numpy()) / np.hypot(bars, ours.errors[0].numpy())
    assert np.abs(away).max() < 5
    np.testing.assert_allclose(ours.errors[0], bars, rtol=0.1)


@pytest.mark.parametrize("n", [2, 3, 50, 80])
def test_at_any_width_with_a_closed_form(n):
    """With the second layer at 0, the angles that an output sees have independent strings, and the
    mean of cosines is a product of cosines: exact at 80 qubits, where no number has enough bits.
    """
    spec = CircuitSpec(n_qubits=n)
    x, w = case(spec, batch=2, spread=0.3)
    w[1] = 0
    x.requires_grad_()
    found = estimate_expectations(spec, x, w, samples=20_000, seed=0)
    sees = sampled._table(spec).counts[:, :n].bool()
    cosines = (x + w[0]).cos()
    exact = torch.where(sees, cosines[:, None], 1.0).prod(-1)
    assert ((found.values - exact).abs() < 5 * found.errors + 1e-9).all()
    assert found.errors.max() < 1 / math.sqrt(20_000)
    ours, theirs = (torch.autograd.grad(v.sum(), x)[0] for v in (found.values, exact))
    # One gradient is a mean of n outputs' sines, each with an error of at most 1/sqrt(samples).
    assert (ours - theirs).abs().max() < 5 * n / math.sqrt(20_000)


def test_never_less_exact_than_as_many_shots():
    spec = CircuitSpec(n_qubits=6)
    x, w = case(spec, batch=8)
    found = estimate_expectations(spec, x, w, samples=4000, seed=3)
    of_shots = ((1 - expectations(spec, x, w) ** 2) / 4000).sqrt()
    assert (found.errors < 1.02 * of_shots).all()


def test_gradcheck_and_float32():
    spec = CircuitSpec(n_qubits=3)
    x, w = (t.requires_grad_() for t in case(spec, batch=2))

    def values(x, w):
        return estimate_expectations(spec, x, w, samples=20, seed=0).values

    assert torch.autograd.gradcheck(values, (x, w))
    assert torch.autograd.gradgradcheck(values, (x, w))
    single = values(x.float(), w.float())
    assert single.dtype == torch.float32
    torch.testing.assert_close(single.double(), values(x, w), atol=1e-6, rtol=0)
    assert not estimate_expectations(spec, x, w, samples=20).errors.requires_grad


def test_chunks_change_nothing_but_memory(monkeypatch):
    spec = CircuitSpec(n_qubits=4)
    x, w = case(spec)
    w.requires_grad_()
    results = []
    for chunk in (sampled.CHUNK, 50, 1):  # all at once, four at a time, one at a time
        monkeypatch.setattr(sampled, "CHUNK", chunk)
        found = estimate_expectations(spec, x, w, samples=101, seed=0)
        results.append((*torch.autograd.grad(found.values.sum(), w), found.values, found.errors))
    torch.testing.assert_close(results[1], results[0], atol=1e-12, rtol=0)
    torch.testing.assert_close(results[2], results[0], atol=1e-12, rtol=0)


class Largest(TorchDispatchMode):
    """Remembers the size of the largest tensor that any operation makes."""

    size = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        made = function(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.size = max(self.size, made.numel())
        return made


def test_memory_is_bounded(monkeypatch):
    """2.4 million cosines, forward and backward, and no tensor holds more than a chunk of them; a
    state of 30 qubits would be 8 GB.
    """
    monkeypatch.setattr(sampled, "CHUNK", 2**16)
    layer = QuantumLayer(CircuitSpec(n_qubits=30), "sampled", samples=2000, seed=0)
    with Largest() as seen:
        layer(torch.zeros(40, 30)).sum().backward()
    assert 2000 * 30 <= seen.size <= 2**16  # the patterns are kept, one byte each


def test_seeds():
    spec = CircuitSpec(n_qubits=4)
    x, w = case(spec)
    fixed = [estimate_expectations(spec, x, w, samples=50, seed=7).values for _ in range(2)]
    assert torch.equal(*fixed)
    torch.manual_seed(0)
    fresh = [estimate_expectations(spec, x, w, samples=50).values for _ in range(2)]
    assert not torch.equal(*fresh)
    torch.manual_seed(0)
    assert torch.equal(fresh[0], estimate_expectations(spec, x, w, samples=50).values)
    state = torch.get_rng_state()
    estimate_expectations(spec, x, w, samples=50, seed=7)
    assert torch.equal(state, torch.get_rng_state()), "a seed leaves the global numbers alone"


@pytest.mark.parametrize(
    "options",
    [
        dict(rotation="RY"),
        dict(rotation="Rot"),
        dict(axis="Y"),
        dict(gate="CZ"),
        dict(encoding="iqp"),
        dict(encoding="amplitude"),
    ],
)
def test_circuits_outside_the_family_are_refused(options):
    spec = CircuitSpec(**options)
    with pytest.raises(ValueError, match=f"circuit {spec.label()} is none. engine='fused'"):
        estimate_expectations(spec, torch.zeros(1, spec.n_inputs), init_weights(spec))
    with pytest.raises(ValueError, match="needs a mean of cosines: encoding='angle'"):
        QuantumLayer(spec, "sampled")


def test_wrong_shapes_and_numbers_are_clear():
    spec = CircuitSpec(n_qubits=3)
    x, w = torch.zeros(2, 3), torch.zeros(2, 3)
    for samples in (1, 0, 2.5, True):
        with pytest.raises(ValueError, match="samples must be a whole number of at least 2"):
            estimate_expectations(spec, x, w, samples=samples)
        with pytest.raises(ValueError, match="samples must be a whole number of at least 2"):
            QuantumLayer(spec, "sampled", samples=samples)
    with pytest.raises(ValueError, match=r"inputs must have shape \(batch, 3\), got \(2, 4\)"):
        estimate_expectations(spec, torch.zeros(2, 4), w)
    with pytest.raises(ValueError, match=r"weights must have shape \(2, 3\), got \(3,\)"):
        estimate_expectations(spec, x, torch.zeros(3))


def test_the_layer_trains_at_fifty_qubits():
    """Fresh cosines in each step bring an output down."""
    torch.manual_seed(0)
    spec = CircuitSpec(n_qubits=50, observable="Z0")
    layer = QuantumLayer(spec, "sampled", samples=500, init="small")
    x = 0.05 * torch.randn(4, 50)
    optimiser = torch.optim.SGD(layer.parameters(), lr=0.3)
    seen = []
    for _ in range(25):
        loss = layer(x).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        seen.append(loss.item())
    assert seen[0] > 0.5
    assert seen[-1] < seen[0] - 0.5


def test_an_empty_batch():
    spec = CircuitSpec(n_qubits=3)
    found = estimate_expectations(spec, torch.zeros(0, 3), init_weights(spec))
    assert found.values.shape == found.errors.shape == (0, 3)
