"""QuantumLayer as an nn.Module, for every engine."""

import copy
import io
import pickle

import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum import (
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    check_engine,
    init_weights,
)
from hqnn_utils.quantum.layer import ENGINES, _gradient_method

SPEC = CircuitSpec(n_qubits=3, n_layers=2)
engines = pytest.mark.parametrize("engine", list(ENGINES))
exact_engines = pytest.mark.parametrize("engine", ["fused", "pennylane"])


def layer(engine, spec=SPEC, **options):
    if engine == "sampled":
        options = {"samples": 40, "seed": 0} | options
    return QuantumLayer(spec, engine, generator=torch.Generator().manual_seed(0), **options)


def numbers(*shape, dtype=torch.float32):
    """Normal numbers, the same in each run."""
    drawn = torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return drawn.to(dtype)


@exact_engines
def test_values_equal_pennylane_image_by_image(engine):
    made, x = layer(engine), numbers(5, 3, dtype=torch.float64)
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
@pytest.mark.parametrize(("observable", "n"), [("Z", 3), ("Z0", 1), ("parity", 1), ("ZZ", 3)])
def test_observables(engine, observable, n):
    assert layer(engine, CircuitSpec(n_qubits=3, observable=observable))(numbers(2, 3)).shape == (
        2,
        n,
    )


@engines
def test_empty_batch_goes_backward(engine):
    made, x = layer(engine), torch.zeros(0, 3, requires_grad=True)
    made(x).sum().backward()
    assert x.grad.shape == (0, 3)
    assert torch.equal(made.weights.grad, torch.zeros_like(made.weights))


@engines
def test_gradcheck(engine):
    made = layer(engine).double()
    x = numbers(2, 3, dtype=torch.float64).requires_grad_()
    assert torch.autograd.gradcheck(
        lambda x, w: torch.func.functional_call(made, {"weights": w}, (x,)), (x, made.weights)
    )


@engines
def test_state_dict_copy_and_pickle(engine):
    made, x = layer(engine), numbers(4, 3)
    wanted = made(x)
    other = layer(engine, init="small")
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
        torch.testing.assert_close(twin(x), wanted, atol=1e-6, rtol=0)
        assert twin.weights is not made.weights
    assert list(made.state_dict()) == ["weights"]


@engines
def test_no_grad_and_training_step(engine):
    made, x = layer(engine), numbers(4, 3)
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
    with pytest.raises(ValueError, match="engine 'qiskit'; known: fused, pennylane, sampled"):
        QuantumLayer(SPEC, "qiskit")


@pytest.mark.parametrize(
    "option", [dict(shots=10), dict(device="lightning.qubit"), dict(noise=object())]
)
@pytest.mark.parametrize(
    ("engine", "does"),
    [
        ("fused", "computes exact expectation values on torch's own device"),
        ("sampled", "draws cosines, not shots: give samples="),
    ],
)
def test_what_only_pennylane_can_do_is_refused(engine, does, option):
    message = f"^engine '{engine}' {does}; device=, shots= and noise= need engine='pennylane'$"
    with pytest.raises(ValueError, match=message):
        QuantumLayer(SPEC, engine, **option)


@exact_engines
@pytest.mark.parametrize("option", [dict(samples=10), dict(seed=0)])
def test_exact_engines_draw_no_cosines(engine, option):
    with pytest.raises(ValueError, match=f"need engine='sampled', got engine '{engine}'; a device"):
        QuantumLayer(SPEC, engine, **option)


def test_what_computes_it_is_visible():
    """In the repr as well, for every engine."""
    noise = qp.noise.NoiseModel({})
    assert layer("pennylane").kernel == "default.qubit"
    assert layer("pennylane", noise=noise).kernel == "default.mixed"
    assert layer("pennylane", device="lightning.qubit").kernel == "lightning.qubit"
    assert layer("pennylane", device=qp.device("default.qubit")).kernel == "default.qubit"
    assert layer("sampled").kernel == "torch"
    for engine in ENGINES:
        made = layer(engine)
        assert f"engine={engine!r}, kernel={made.kernel!r}" in repr(made)


def test_check_engine_knows_what_each_engine_cannot_run():
    general = CircuitSpec(rotation="Rot")
    check_engine("fused", general)
    check_engine("pennylane", general)
    check_engine("sampled", CircuitSpec(n_qubits=300))
    with pytest.raises(ValueError, match="engine 'sampled' needs a mean of cosines"):
        check_engine("sampled", general)


def test_shots_scatter_around_the_exact_value_and_train():
    x = numbers(3, 3)
    exact, sampled = layer("pennylane"), layer("pennylane", shots=4000)
    with torch.no_grad():
        assert (exact(x) - sampled(x)).abs().max() < 0.12  # 4000 shots: standard error below 0.016
    x.requires_grad_()
    sampled(x).sum().backward()
    exact_gradient = torch.autograd.grad(exact(x).sum(), exact.weights)[0]
    assert (sampled.weights.grad - exact_gradient).abs().max() < 0.3
    assert x.grad.shape == (3, 3)


def test_no_gradient_is_computed_where_none_is_wanted(monkeypatch):
    """lightning's adjoint method computes gradients during the forward pass, of all that says it is
    trainable.
    """
    lightning = pytest.importorskip("pennylane_lightning.lightning_qubit").LightningQubit
    asked, both = [], lightning.execute_and_compute_derivatives

    def spy(self, circuits, *arguments, **options):
        asked.append(sum(len(circuit.trainable_params) for circuit in circuits))
        return both(self, circuits, *arguments, **options)

    monkeypatch.setattr(lightning, "execute_and_compute_derivatives", spy)
    made, x = layer("pennylane", device="lightning.qubit"), numbers(4, 3).requires_grad_()
    with torch.no_grad():
        quiet = made(x)
    assert not any(asked)
    torch.testing.assert_close(quiet, made(x))
    assert any(asked)


def test_lightning_gives_the_same_values_and_gradients():
    x = numbers(2, 3, dtype=torch.float64).requires_grad_()
    results = []
    for options in ({}, {"device": "lightning.qubit"}):
        made = layer("pennylane", **options).double()
        out = made(x)
        results.append((out, *torch.autograd.grad(out.sum(), [x, made.weights])))
    for a, b in zip(*results, strict=True):
        torch.testing.assert_close(
            a, b, atol=1e-7, rtol=0
        )  # lightning 0.45 is off by up to 1e-8 from cos(x) even in float64


def test_noise_shrinks_expectation_values():
    model = qp.noise.NoiseModel(
        {qp.noise.op_eq(qp.RX): qp.noise.partial_wires(qp.DepolarizingChannel, 0.1)}
    )
    clean, noisy = layer("pennylane"), layer("pennylane", noise=model)
    x = numbers(4, 3)
    with torch.no_grad():
        assert noisy(x).abs().mean() < clean(x).abs().mean()


def test_what_the_layer_was_made_with_is_kept():
    twin = pickle.loads(pickle.dumps(layer("pennylane", shots=100)))
    values = twin(numbers(2, 3)).detach()
    torch.testing.assert_close(50 * values, (50 * values).round(), atol=1e-3, rtol=0)  # 100 shots


def test_initialiser_and_generator():
    for init in ("uniform", "small"):
        made = QuantumLayer(SPEC, init=init, generator=torch.Generator().manual_seed(3))
        wanted = init_weights(SPEC, init, torch.Generator().manual_seed(3))
        assert torch.equal(made.weights, wanted)
    default = QuantumLayer(SPEC, generator=torch.Generator().manual_seed(3))
    assert torch.equal(
        default.weights, init_weights(SPEC, "uniform", torch.Generator().manual_seed(3))
    )
    assert default.engine == "fused"
    assert repr(default) == (
        "QuantumLayer(3q2l-angleX-RX-ringCNOT-Z, engine='fused', "
        f"kernel={default.kernel!r}, 3 -> 3, weights=6)"
    )


@pytest.mark.parametrize(
    ("device", "shots", "method"),
    [
        ("default.qubit", None, "backprop"),
        ("default.mixed", None, "backprop"),
        ("lightning.qubit", None, "adjoint"),
        ("lightning.qubit", 10, "parameter-shift"),
        ("default.qubit", 10, "parameter-shift"),
        ("qiskit.aer", None, "parameter-shift"),
    ],
)
def test_the_fastest_gradient_method_of_a_device(device, shots, method):
    assert _gradient_method(device, shots) == method


@pytest.fixture
def asked(monkeypatch):
    """What the layer asks of PennyLane: the options of its QNode, then the shape of each batch."""
    found = []

    def fake_qnode(spec, **options):
        found.append(options)

        def circuit(inputs, weights):
            found.append(tuple(inputs.shape))
            return [inputs[..., q] * weights.sum() for q in range(spec.n_outputs)]

        return circuit

    monkeypatch.setattr("hqnn_utils.quantum.layer.build_qnode", fake_qnode)
    return found


def test_the_device_and_the_gradient_method_follow_from_the_options(asked):
    noise = object()
    layer("pennylane")
    layer("pennylane", noise=noise)
    layer("pennylane", device="lightning.qubit", shots=7)
    plain = dict(shots=None, noise=None)
    assert asked == [
        dict(device="default.qubit", diff_method="backprop", **plain),
        dict(device="default.mixed", diff_method="backprop", shots=None, noise=noise),
        dict(device="lightning.qubit", diff_method="parameter-shift", shots=7, noise=None),
    ]


@pytest.mark.parametrize(
    ("shots", "trains", "inputs_want", "grad", "batches"),
    [
        (None, True, True, True, [(4, 3)]),
        (7, True, False, True, [(3,)] * 4),
        (7, False, True, True, [(3,)] * 4),
        (7, False, False, True, [(4, 3)]),
        (7, True, True, False, [(4, 3)]),
    ],
)
def test_one_image_at_a_time_only_where_it_must_be(
    asked, shots, trains, inputs_want, grad, batches
):
    made, x = layer("pennylane", shots=shots), numbers(4, 3).requires_grad_(inputs_want)
    made.weights.requires_grad_(trains)
    with torch.set_grad_enabled(grad):
        values = made(x)
    assert asked[1:] == batches
    torch.testing.assert_close(values, x * made.weights.sum())


def test_another_backend_is_the_same_line():
    """A device name or a device object."""
    x = torch.linspace(-2, 2, 16).reshape(4, 4)
    exact = QuantumLayer(CircuitSpec())
    lightning = QuantumLayer(
        CircuitSpec(), engine="pennylane", device=qp.device("lightning.qubit", wires=4)
    )
    lightning.load_state_dict(exact.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(lightning(x), exact(x), atol=1e-6, rtol=0)


def test_qiskit_aer_shrinks_as_its_readout_error_says():
    noise = pytest.importorskip(
        "qiskit_aer.noise", reason='needs pip install "hqnn_utils[hardware]"'
    )
    pytest.importorskip("pennylane_qiskit", reason='needs pip install "hqnn_utils[hardware]"')
    model = noise.NoiseModel()
    model.add_all_qubit_readout_error(noise.ReadoutError([[0.9, 0.1], [0.1, 0.9]]))
    x = torch.randn(3, 4, generator=torch.Generator().manual_seed(1))
    exact = QuantumLayer(CircuitSpec())
    aer = qp.device("qiskit.aer", wires=4, noise_model=model, seed_simulator=1)
    layer = QuantumLayer(CircuitSpec(), engine="pennylane", device=aer, shots=20_000)
    layer.load_state_dict(exact.state_dict())
    with torch.no_grad():
        torch.testing.assert_close(layer(x), 0.8 * exact(x), atol=0.04, rtol=0)
