"""QuantumLayer as an nn.Module, for every engine."""

import copy
import io
import pickle

import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum.circuits import CircuitSpec, build_qnode
from hqnn_utils.quantum.layers import ENGINES, QuantumLayer

SPEC = CircuitSpec(n_qubits=3, n_layers=2)
engines = pytest.mark.parametrize("engine", list(ENGINES))


def layer(engine, spec=SPEC, **options):
    return QuantumLayer(spec, engine, generator=torch.Generator().manual_seed(0), **options)


@engines
def test_values_equal_pennylane_image_by_image(engine):
    made, x = layer(engine), torch.randn(5, 3, dtype=torch.float64)
    qnode = build_qnode(SPEC)
    wanted = torch.stack([torch.stack(qnode(row, made.weights.double())) for row in x])
    torch.testing.assert_close(made(x), wanted, atol=1e-12, rtol=0)


@engines
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(3,), (1, 3), (4, 3), (2, 4, 3), (0, 3), (2, 0, 3)])
def test_shapes_and_dtypes(engine, dtype, shape):
    out = layer(engine)(torch.zeros(shape, dtype=dtype))
    assert out.shape == (*shape[:-1], 3)
    assert out.dtype == dtype


@engines
@pytest.mark.parametrize("observable, n", [("Z", 3), ("Z0", 1), ("parity", 1), ("ZZ", 3)])
def test_observables(engine, observable, n):
    assert layer(engine, CircuitSpec(n_qubits=3, observable=observable))(
        torch.randn(2, 3)
    ).shape == (2, n)


@engines
def test_empty_batch_goes_backward(engine):
    made, x = layer(engine), torch.zeros(0, 3, requires_grad=True)
    made(x).sum().backward()
    assert x.grad.shape == (0, 3)
    assert torch.equal(made.weights.grad, torch.zeros_like(made.weights))


@engines
def test_gradcheck(engine):
    made = layer(engine).double()
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(made, {"weights": w}, (x,)), (x, made.weights)
    )


@engines
def test_state_dict_copy_and_pickle(engine):
    made, x = layer(engine), torch.randn(4, 3)
    wanted = made(x)
    other = QuantumLayer(SPEC, engine)
    other.load_state_dict(made.state_dict())
    stream = io.BytesIO()
    torch.save(made, stream)
    stream.seek(0)
    for twin in (
        other,
        copy.deepcopy(made),
        pickle.loads(pickle.dumps(made)),
        torch.load(stream, weights_only=False),
    ):
        assert torch.equal(twin(x), wanted)
        assert twin.weights is not made.weights
    assert list(made.state_dict()) == ["weights"]


@engines
def test_no_grad_and_training_step(engine):
    made, x = layer(engine), torch.randn(4, 3)
    with torch.no_grad():
        assert not made(x).requires_grad
    before = made.weights.detach().clone()
    made(x).pow(2).sum().backward()
    torch.optim.SGD(made.parameters(), lr=0.1).step()
    assert not torch.equal(before, made.weights)


@engines
def test_wrong_inputs_are_clear(engine):
    with pytest.raises(
        ValueError, match=r"takes 3 features per example, got a tensor of shape \(2, 4\)"
    ):
        layer(engine)(torch.zeros(2, 4))
    with pytest.raises(ValueError, match="floating-point"):
        layer(engine)(torch.zeros(2, 3, dtype=torch.long))


def test_unknown_engine_names_the_known_ones():
    with pytest.raises(ValueError, match="unknown engine 'qiskit'; known: fused, pennylane"):
        QuantumLayer(SPEC, "qiskit")


@pytest.mark.parametrize(
    "option", [dict(shots=10), dict(device="lightning.qubit"), dict(noise=object())]
)
def test_fused_refuses_what_only_pennylane_can_do(option):
    with pytest.raises(ValueError, match="engine='pennylane'"):
        QuantumLayer(SPEC, "fused", **option)


def test_shots_scatter_around_the_exact_value_and_train():
    x = torch.randn(3, 3)
    exact, sampled = layer("pennylane"), layer("pennylane", shots=4000)
    with torch.no_grad():
        assert (exact(x) - sampled(x)).abs().max() < 0.12  # 4000 shots: standard error below 0.016
    x.requires_grad_()
    sampled(x).sum().backward()
    exact_gradient = torch.autograd.grad(exact(x).sum(), exact.weights)[0]
    assert (sampled.weights.grad - exact_gradient).abs().max() < 0.3
    assert x.grad.shape == (3, 3)


def test_no_gradient_is_computed_where_none_is_wanted(monkeypatch):
    """lightning's adjoint method computes gradients during the forward pass, of all that says it is trainable."""
    lightning = pytest.importorskip("pennylane_lightning.lightning_qubit").LightningQubit
    asked, both = [], lightning.execute_and_compute_derivatives

    def spy(self, circuits, *arguments, **options):
        asked.append(sum(len(circuit.trainable_params) for circuit in circuits))
        return both(self, circuits, *arguments, **options)

    monkeypatch.setattr(lightning, "execute_and_compute_derivatives", spy)
    made, x = layer("pennylane", device="lightning.qubit"), torch.randn(4, 3, requires_grad=True)
    with torch.no_grad():
        quiet = made(x)
    assert not any(asked)
    torch.testing.assert_close(quiet, made(x))
    assert any(asked)


def test_lightning_gives_the_same_values_and_gradients():
    x = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    results = []
    for options in ({}, {"device": "lightning.qubit"}):
        made = layer("pennylane", **options).double()
        out = made(x)
        results.append((out, *torch.autograd.grad(out.sum(), [x, made.weights])))
    for a, b in zip(*results):
        torch.testing.assert_close(
            a, b, atol=1e-7, rtol=0
        )  # lightning 0.45 is off by up to 1e-8 from cos(x) even in float64


def test_noise_shrinks_expectation_values():
    model = qp.noise.NoiseModel(
        {qp.noise.op_eq(qp.RX): qp.noise.partial_wires(qp.DepolarizingChannel, 0.1)}
    )
    clean, noisy = layer("pennylane"), layer("pennylane", noise=model)
    x = torch.randn(4, 3)
    with torch.no_grad():
        assert noisy(x).abs().mean() < clean(x).abs().mean()
    copied = pickle.loads(pickle.dumps(clean))
    assert torch.equal(copied(x), clean(x))
