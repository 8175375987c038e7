"""Values and gradients from arrays to arrays: which way is gone, what is refused. That the numbers
are right is seen beside PennyLane in ``test_fused.py``.
"""

import numpy as np
import pytest
import torch

from hqnn_utils.quantum import CircuitSpec, expectations, init_weights, value_and_gradients
from hqnn_utils.quantum.engine import arrays, compiled, memory

GENERAL = dict(rotation="Rot", entangler="strong")


def case(spec, rows=3, kind=np.float64):
    rng = np.random.default_rng(0)
    weights = init_weights(spec, generator=torch.Generator().manual_seed(0)).numpy()
    return rng.normal(size=(rows, spec.n_inputs)).astype(kind), weights.astype(kind)


def through_torch(spec, x, w, cost):
    x, w = torch.from_numpy(x.copy()).requires_grad_(), torch.from_numpy(w.copy()).requires_grad_()
    out = expectations(spec, x, w)
    found = torch.autograd.grad(cost(out), (x, w), allow_unused=True, materialize_grads=True)
    return out.detach().numpy(), *(gradient.numpy() for gradient in found)


def assert_same(found, wanted, atol=1e-14):
    for one, other in zip(found, wanted, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_allclose(one, other, atol=atol, rtol=0)


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        dict(),
        dict(GENERAL, reupload=True),
        dict(GENERAL, scaling=0.5),
        dict(encoding="iqp", reupload=True),
        dict(encoding="amplitude", rotation="RY"),
        dict(GENERAL, n_qubits=9),
    ],
)
def test_the_same_numbers_as_through_autograd(options, kind):
    spec = CircuitSpec(**options)
    x, w = case(spec, kind=kind)
    found = value_and_gradients(spec, x, w)
    assert_same(found, through_torch(spec, x, w, torch.sum))
    assert found.by_inputs.shape == x.shape
    assert found.by_weights.shape == w.shape


def test_the_gradient_of_a_cost_of_the_values():
    spec = CircuitSpec(**GENERAL)
    x, w = case(spec)
    wanted = through_torch(spec, x, w, lambda out: (out - 0.3).square().sum())
    found = value_and_gradients(spec, x, w, lambda values: 2 * (values - 0.3))
    assert_same(found, wanted)
    assert_same(value_and_gradients(spec, x, w, 2 * (wanted[0] - 0.3)), wanted)


def test_autograd_is_not_asked_where_the_kernel_is_enough(monkeypatch):
    pytest.importorskip("numba", reason="the kernel is an extra: pip install 'hqnn_utils[fast]'")
    asked = []
    original = arrays._through_autograd
    monkeypatch.setattr(
        arrays, "_through_autograd", lambda *given: asked.append(given) or original(*given)
    )
    spec = CircuitSpec(**GENERAL)
    found = value_and_gradients(spec, *case(spec))
    assert not asked
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    assert_same(value_and_gradients(spec, *case(spec)), found)
    assert len(asked) == 1
    amplitudes = CircuitSpec(encoding="amplitude")
    value_and_gradients(amplitudes, *case(amplitudes))
    assert len(asked) == 2


@pytest.mark.parametrize("options", [dict(), dict(encoding="iqp")])
@pytest.mark.parametrize("around", [torch.no_grad, torch.inference_mode])
def test_what_surrounds_the_call_changes_nothing(options, around):
    spec = CircuitSpec(**options)
    x, w = case(spec)
    cotangent = np.full((3, spec.n_outputs), 0.5)
    wanted = value_and_gradients(spec, x, w, cotangent)
    cotangent = np.broadcast_to(np.array(0.5), cotangent.shape)
    x.flags.writeable = w.flags.writeable = False
    with around():
        assert_same(value_and_gradients(spec, x, w, cotangent), wanted)
    backwards = np.ascontiguousarray(x[::-1])[::-1]
    assert_same(value_and_gradients(spec, backwards, w, cotangent), wanted)


@pytest.mark.parametrize("options", [dict(), dict(encoding="iqp")])
def test_no_rows(options):
    spec = CircuitSpec(**options)
    found = value_and_gradients(spec, *case(spec, 0))
    assert found.values.shape == (0, spec.n_outputs)
    assert not found.by_weights.any()


def test_bad_input_is_named():
    spec = CircuitSpec()
    x, w = case(spec)
    refused = [
        (("4 qubits", x, w), "spec must be"),
        ((spec, torch.from_numpy(x), w), r"inputs must be .*tensor\.detach\(\)\.numpy\(\)"),
        ((spec, x, w.tolist()), r"weights must be .*np\.asarray"),
        ((spec, x.astype(int), w), "inputs must be float32 or float64, got int64"),
        ((spec, x[:, :3], w), r"inputs must have shape \(batch, 4\), got \(3, 3\)"),
        ((spec, x[0], w), r"inputs must have shape \(batch, 4\), got \(4,\)"),
        ((spec, x, w[:1]), r"weights must have shape \(2, 4\), shared by all rows, got \(1, 4\)"),
        ((spec, x.astype(np.float32), w), "one dtype, got float32 and float64"),
        ((spec, x, w, np.ones((3, 3))), r"cotangent must be.*\(3, 4\), got shape \(3, 3\)"),
        ((spec, x, w, [[1.0] * 4] * 3), "cotangent must be a NumPy array, a function, or None"),
        ((spec, x, w, lambda values: None), "cotangent must be, or must return.*got None"),
        ((spec, x, w, np.ones((3, 4), int)), "cotangent must be.* array of floats .*int64"),
        ((CircuitSpec(encoding="amplitude"), np.zeros((1, 16)), w), "zero"),
    ]
    for arguments, message in refused:
        with pytest.raises(ValueError, match=message):
            value_and_gradients(*arguments)


def test_more_than_fits_is_refused_before_it_starts(monkeypatch):
    spec = CircuitSpec(n_qubits=24)
    monkeypatch.setattr(memory, "free_bytes", lambda device: 2**28)
    x, w = case(spec, 4, np.float32)
    with pytest.raises(MemoryError, match=r"24 qubits, 4 rows, forward and backward.*fewer rows"):
        value_and_gradients(spec, x, w)
