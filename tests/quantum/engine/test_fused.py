"""The fused engine against PennyLane's default.qubit, against hand-made cases, and against its own
derivatives.
"""

import math

import numpy as np
import pennylane as qp
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.quantum import (
    CircuitSpec,
    QuantumLayer,
    build_qnode,
    expectations,
    init_weights,
    state,
    value_and_gradients,
)
from hqnn_utils.quantum.engine.cosines import is_mean_of_cosines
from hqnn_utils.quantum.engine.fused import DOUBLE_UP_TO, torch_expectations
from hqnn_utils.quantum.engine.uploads import UPLOADS
from hqnn_utils.quantum.spec import ENTANGLERS, ROTATIONS


@st.composite
def specs(draw, max_qubits=8):
    """Any valid CircuitSpec; half of them from the family that is computed as a mean of cosines."""
    n = draw(st.integers(1, max_qubits))
    encoding = draw(st.sampled_from(("angle", *UPLOADS)))
    study = draw(st.booleans())
    return CircuitSpec(
        n_qubits=n,
        n_layers=draw(st.integers(1, 4)),
        encoding="angle" if study else encoding,
        axis="X" if study else draw(st.sampled_from("XYZ")),
        rotation="RX" if study else draw(st.sampled_from(list(ROTATIONS))),
        entangler="none" if n == 1 else draw(st.sampled_from(list(ENTANGLERS))),
        gate="CNOT" if study else draw(st.sampled_from(["CNOT", "CZ"])),
        observable=draw(
            st.sampled_from(["Z", "Z0", "parity", "ZZ"] if n > 1 else ["Z", "Z0", "parity"])
        ),
        reupload=(study or encoding != "amplitude") and draw(st.booleans()),
        mirror=draw(st.booleans()),
        scaling=1.0
        if encoding == "amplitude" and not study
        else draw(st.sampled_from([1.0, 0.5, 2.0])),
    )


def case(spec, batch, seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, spec.n_inputs, generator=generator, dtype=torch.float64)
    w = init_weights(spec, generator=generator).double()
    cotangent = torch.randn(batch, spec.n_outputs, generator=generator, dtype=torch.float64)
    return [t.to(dtype) for t in (x, w)] + [cotangent]


def judge(spec, x, w, cotangent):
    """PennyLane's values and gradients in double precision."""
    x, w = x.double().requires_grad_(), w.double().requires_grad_()
    out = torch.stack(build_qnode(spec, diff_method="backprop")(x, w), dim=-1)
    out = (
        out.expand(len(x), -1) if out.ndim == 1 else out
    )  # PennyLane drops the batch where the state does not depend on it
    gradients = torch.autograd.grad(
        (out * cotangent).sum(), [x, w], allow_unused=True, materialize_grads=True
    )
    return out.detach(), *gradients


# The engine as it is called (the compiled kernel, where numba is), and torch's operations alone.
ROUTES = (expectations, torch_expectations)


def ours(spec, x, w, cotangent, route=expectations):
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    out = route(spec, x, w)
    gradients = torch.autograd.grad(
        (out * cotangent.to(out.dtype)).sum(), [x, w], allow_unused=True, materialize_grads=True
    )
    return out.detach(), *gradients


def from_arrays(spec, *tensors):
    """The same in one call, without autograd."""
    found = value_and_gradients(spec, *(tensor.detach().numpy() for tensor in tensors))
    return [torch.from_numpy(array) for array in found]


@settings(max_examples=120, deadline=None, derandomize=True)
@given(specs(), st.integers(1, 5), st.integers(0, 10**6))
def test_values_and_gradients_equal_pennylane_float64(spec, batch, seed):
    x, w, cotangent = case(spec, batch, seed)
    judged = judge(spec, x, w, cotangent)
    for route in ROUTES:
        for found, wanted in zip(ours(spec, x, w, cotangent, route), judged, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)
    for found, wanted in zip(from_arrays(spec, x, w, cotangent), judged, strict=True):
        torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


EPS = 2**-24  # half a unit in the last place of a float32 number between 1 and 2
ONE_LAYER_BOUND = (2 * (2 + 2 * math.sqrt(2)) + 3) * EPS  # see hqnn_utils/quantum/engine


@settings(max_examples=60, deadline=None, derandomize=True)
@given(specs(), st.integers(1, 5), st.integers(0, 10**6))
def test_values_and_gradients_equal_pennylane_float32(spec, batch, seed):
    x, w, cotangent = case(spec, batch, seed, torch.float32)
    cotangent = (
        cotangent / cotangent.norm()
    )  # gradients of a unit step, so that 1e-6 means the same for all sizes
    judged = judge(spec, x, w, cotangent)
    for route in ROUTES:
        for found, wanted in zip(ours(spec, x, w, cotangent, route), judged, strict=True):
            assert found.dtype == torch.float32
            torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=1e-6)
    for found, wanted in zip(from_arrays(spec, x, w, cotangent.float()), judged, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found.double(), wanted, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(rotation="Rot", entangler="strong"),
        dict(rotation="RY", axis="Y"),
        dict(encoding="iqp", gate="CZ", rotation="RX"),
    ],
)
def test_more_qubits_than_are_done_in_double(options):
    """Beyond DOUBLE_UP_TO qubits the register is float32. The tolerances are what no order of
    summation can exceed.

    Values: for three layers on two groups of five qubits the engine's bound is at most 6,300 eps,
    the angles of IQP and of the cosines add less than 4,100 eps: together below 1e-3. Gradients: a
    sum over 2**10 amplitudes of 3 rows, both complex, of products of a state with a vector of
    length at most 2 sqrt 10: sqrt 2 * 6144 eps * 2 sqrt 30 = 6e-3, and twice the error of the
    states. That the formulas are right is seen in float64, to 1e-12.
    """
    spec = CircuitSpec(n_qubits=DOUBLE_UP_TO + 2, n_layers=3, **options)
    x, w, cotangent = case(spec, 3, 0, torch.float32)
    wanted = judge(spec, x, w, cotangent / cotangent.norm())
    for route in ROUTES:
        found = ours(spec, x, w, cotangent / cotangent.norm(), route)
        for a, b, tolerance in zip(found, wanted, (1e-3, 1e-2, 1e-2), strict=True):
            assert a.dtype == torch.float32
            torch.testing.assert_close(a.double(), b, atol=tolerance, rtol=0)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(specs(6), st.integers(1, 4), st.integers(0, 10**6))
def test_state_gives_the_expectations_and_is_normalised(spec, batch, seed):
    """The state comes from the fused layers; where the values come from the cosines, two
    independent routes are compared.
    """
    x, w, _ = case(spec, batch, seed)
    psi = state(spec, x, w)
    assert psi.dtype == torch.complex128
    torch.testing.assert_close(
        psi.abs().square().sum(1), torch.ones(batch, dtype=torch.float64), atol=1e-12, rtol=0
    )
    index = np.arange(2**spec.n_qubits)
    z = np.array([1.0 - 2 * ((index >> (spec.n_qubits - 1 - q)) & 1) for q in range(spec.n_qubits)])
    n = spec.n_qubits
    table = {
        "Z": z,
        "Z0": z[:1],
        "parity": z.prod(0, keepdims=True),
        "ZZ": np.array([z[i] * z[j] for i in range(n) for j in range(i + 1, n)]),
    }
    wanted = psi.abs().square() @ torch.from_numpy(np.ascontiguousarray(table[spec.observable].T))
    torch.testing.assert_close(expectations(spec, x, w), wanted, atol=1e-12, rtol=0)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(specs(6), st.integers(1, 4), st.integers(0, 10**6))
def test_weights_of_their_own_for_each_row(spec, batch, seed):
    x, _, _ = case(spec, batch, seed)
    many = torch.stack(
        [
            init_weights(spec, generator=torch.Generator().manual_seed(seed + i)).double()
            for i in range(batch)
        ]
    )
    together = expectations(spec, x, many)
    for row in range(batch):
        torch.testing.assert_close(
            together[row], expectations(spec, x[row : row + 1], many[row])[0], atol=1e-12, rtol=0
        )
    cotangent = torch.randn(
        batch, spec.n_outputs, dtype=torch.float64, generator=torch.Generator().manual_seed(seed)
    )
    _, to_x, to_many = ours(spec, x, many, cotangent)
    for row in range(batch):
        _, gx, gw = ours(spec, x[row : row + 1], many[row], cotangent[row : row + 1])
        torch.testing.assert_close(to_x[row], gx[0], atol=1e-12, rtol=1e-12)
        torch.testing.assert_close(to_many[row], gw, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize(
    "options",
    [
        dict(rotation="Rot", reupload=True),
        dict(encoding="iqp", rotation="RY", gate="CZ", reupload=True),
        dict(rotation="RY", axis="Y", entangler="all", observable="ZZ"),
        dict(observable="parity"),
    ],
)
def test_three_groups_of_qubits(options):
    """11 qubits: the register is cut into three, and the middle group has neighbours on both
    sides.
    """
    spec = CircuitSpec(n_qubits=11, n_layers=2, **options)
    x, w, cotangent = case(spec, 2, 0)
    judged = judge(spec, x, w, cotangent)
    for route in ROUTES:
        for found, wanted in zip(ours(spec, x, w, cotangent, route), judged, strict=True):
            torch.testing.assert_close(found, wanted, atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(rotation="Rot", reupload=True),
        dict(encoding="iqp", reupload=True),
        dict(encoding="amplitude"),
        dict(n_qubits=9, rotation="RY", axis="Y"),
        dict(entangler="none", rotation="Rot"),
    ],
)
def test_empty_batch_and_dtype(options, dtype):
    spec = CircuitSpec(**options)
    x, w, cotangent = case(spec, 0, 0, dtype)
    out, gx, gw = ours(spec, x, w, cotangent)
    assert out.shape == (0, spec.n_outputs)
    assert out.dtype == gx.dtype == gw.dtype == dtype
    assert not gw.any()
    assert state(spec, x, w).shape == (0, 2**spec.n_qubits)
    assert state(spec, *case(spec, 1, 0, dtype)[:2]).dtype == (
        torch.complex64 if dtype == torch.float32 else torch.complex128
    )


def test_by_hand():
    zero = torch.zeros(1, 3, dtype=torch.float64)
    for theta in (0.0, 0.4, math.pi / 2, 3.0, -1.0):
        spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
        value = expectations(
            spec,
            torch.tensor([[theta]], dtype=torch.float64),
            torch.zeros(1, 1, dtype=torch.float64),
        )
        assert value.item() == pytest.approx(math.cos(theta), abs=1e-15)
    bell = CircuitSpec(n_qubits=2, n_layers=1, rotation="RY", entangler="chain")
    psi = state(bell, zero[:, :2], torch.tensor([[math.pi / 2, 0.0]], dtype=torch.float64))
    np.testing.assert_allclose(psi[0].numpy(), [2**-0.5, 0, 0, 2**-0.5], atol=1e-15)
    ghz = CircuitSpec(n_qubits=3, n_layers=1, rotation="RY", entangler="chain")
    psi = state(ghz, zero, torch.tensor([[math.pi / 2, 0.0, 0.0]], dtype=torch.float64))
    np.testing.assert_allclose(psi[0].numpy(), [2**-0.5, 0, 0, 0, 0, 0, 0, 2**-0.5], atol=1e-15)
    ring = CircuitSpec(
        n_qubits=3, n_layers=1
    )  # |100> -> CNOT(0,1) |110> -> CNOT(1,2) |111> -> CNOT(2,0) |011>
    out = expectations(ring, torch.tensor([[math.pi, 0.0, 0.0]], dtype=torch.float64), zero[:, :3])
    np.testing.assert_allclose(out[0].numpy(), [1, -1, -1], atol=1e-15)
    uniform = CircuitSpec(n_qubits=2, n_layers=1, encoding="iqp", entangler="none")
    np.testing.assert_allclose(
        state(uniform, zero[:, :2], zero[:, :2]).numpy(), np.full((1, 4), 0.5), atol=1e-15
    )


@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(reupload=True),
        dict(rotation="Rot", entangler="strong", mirror=True),
        dict(rotation="RY", axis="Y"),
        dict(encoding="iqp", rotation="Rot"),
        dict(encoding="amplitude"),
        dict(n_qubits=6, rotation="Rot", gate="CZ"),
    ],
)
def test_gradcheck_and_second_derivatives(options):
    spec = CircuitSpec(**{**dict(n_qubits=3, n_layers=2), **options})
    x, w, _ = case(spec, 2, 0)
    x, w = x.requires_grad_(), w.requires_grad_()
    for route in ROUTES:
        assert torch.autograd.gradcheck(lambda x, w, route=route: route(spec, x, w), (x, w))
    if spec.n_qubits < 4:
        assert torch.autograd.gradgradcheck(lambda x, w: expectations(spec, x, w), (x, w))


@pytest.mark.parametrize("rotation", list(ROTATIONS))
def test_parameter_shift_agrees(rotation):
    """d<O>/dw = (f(w + pi/2) - f(w - pi/2)) / 2 for each rotation angle, no automatic
    differentiation involved.
    """
    spec = CircuitSpec(n_qubits=3, n_layers=2, rotation=rotation, encoding="iqp")
    x, w, cotangent = case(spec, 2, 1)
    _, _, gradient = ours(spec, x, w, cotangent)
    for index in np.ndindex(*spec.weight_shape):
        shift = torch.zeros_like(w)
        shift[index] = math.pi / 2
        difference = (
            (expectations(spec, x, w + shift) - expectations(spec, x, w - shift)) * cotangent
        ).sum() / 2
        assert gradient[index].item() == pytest.approx(difference.item(), abs=1e-12)


def test_sixteen_qubits_agree_between_both_routes():
    """The largest size of the benchmark, forward: the cosines against the state of the fused
    layers.
    """
    spec = CircuitSpec(n_qubits=16, n_layers=2)
    x, w, _ = case(spec, 2, 0)
    assert is_mean_of_cosines(spec)
    p = state(spec, x, w).abs().square().reshape(2, *[2] * 16)
    for qubit in range(16):
        sums = p.movedim(qubit + 1, -1).reshape(2, -1, 2).sum(1)
        torch.testing.assert_close(
            expectations(spec, x, w)[:, qubit], sums[:, 0] - sums[:, 1], atol=1e-11, rtol=0
        )


@pytest.fixture(params=[1, 2], ids=["1 thread", "2 threads"])
def threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield request.param
    torch.set_num_threads(before)


def one_qubit_values(spec, x, weights):
    """<Z> of each qubit of a product of one-qubit circuits RX(x), then Rot: from PennyLane's 2 by 2
    matrices.
    """
    values = []
    for angle, rot in zip(x.double().tolist(), weights[0].double().tolist(), strict=True):
        psi = qp.matrix(qp.Rot(*rot, wires=0)) @ qp.matrix(qp.RX(angle, wires=0))[:, 0]
        values.append(abs(psi[0]) ** 2 - abs(psi[1]) ** 2)
    return torch.tensor(values)


@pytest.mark.parametrize(("n", "seed"), [(20, 0), (20, 1), (13, 2), (12, 3), (9, 4)])
def test_float32_keeps_its_digits_in_long_sums(threads, n, seed):
    """A million probabilities, within the bound that the engine's module derives for one layer; a
    sum in float32 breaks it.
    """
    spec = CircuitSpec(n_qubits=n, n_layers=1, rotation="Rot", entangler="none")
    x, weights, _ = case(spec, 1, seed, torch.float32)
    found = expectations(spec, x, weights)
    assert found.dtype == torch.float32
    wanted = one_qubit_values(spec, x[0], weights)
    assert (found[0].double() - wanted).abs().max().item() < ONE_LAYER_BOUND
    by_torch = torch_expectations(spec, x, weights)
    assert (by_torch[0].double() - wanted).abs().max().item() < ONE_LAYER_BOUND


@pytest.mark.parametrize(
    "options", [dict(), dict(gate="CZ"), dict(observable="parity"), dict(axis="Y")]
)
@pytest.mark.parametrize("entangler", ["ring", "strong", "all"])
def test_entanglers_add_no_rounding_error(threads, entangler, options):
    """CNOTs reorder amplitudes and CZs change signs: the bound for one layer stays."""
    spec = CircuitSpec(n_qubits=14, n_layers=1, rotation="Rot", entangler=entangler, **options)
    x, weights, _ = case(spec, 3, 0, torch.float32)
    exact = expectations(spec, x.double(), weights.double())
    for route in ROUTES:
        assert (route(spec, x, weights).double() - exact).abs().max().item() < ONE_LAYER_BOUND


def test_bad_shapes_are_clear():
    spec = CircuitSpec(n_qubits=2)
    with pytest.raises(ValueError, match=r"inputs must have shape \(batch, 2\), got \(3,\)"):
        expectations(spec, torch.zeros(3), torch.zeros(2, 2))
    with pytest.raises(
        ValueError,
        match=r"weights must have shape \(2, 2\), alone or behind a batch of 5, got \(4, 2, 2\)",
    ):
        expectations(spec, torch.zeros(5, 2), torch.zeros(4, 2, 2))
    with pytest.raises(ValueError, match="cannot normalise a row of zeros"):
        expectations(
            CircuitSpec(n_qubits=2, encoding="amplitude"), torch.zeros(1, 4), torch.zeros(2, 2)
        )


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(rotation="Rot", entangler="strong"),
        dict(encoding="iqp", reupload=True),
        dict(encoding="amplitude", rotation="RY"),
    ],
)
def test_cuda_gives_the_same(options):
    spec = CircuitSpec(**options)
    x, w, cotangent = case(spec, 4, 0)
    for found, wanted in zip(
        ours(spec, x.cuda(), w.cuda(), cotangent.cuda()), ours(spec, x, w, cotangent), strict=True
    ):
        assert found.is_cuda
        torch.testing.assert_close(found.cpu(), wanted, atol=1e-10, rtol=0)
    layer = QuantumLayer(spec).cuda()
    assert layer(x.cuda().float()).is_cuda
