"""The compiled kernel: when it is used, its blocks and threads, and that it is compiled once. That
it is right is seen beside PennyLane in ``test_fused.py``.
"""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, expectations, init_weights
from hqnn_utils.quantum.engine import compiled
from hqnn_utils.quantum.engine.fused import _plan, torch_expectations
from hqnn_utils.quantum.engine.program import DIAGONAL, SHARED, make_program

pytest.importorskip("numba", reason="the kernel is an extra: pip install 'hqnn_utils[fast]'")
GENERAL = dict(rotation="Rot", entangler="strong")
CIRCUITS = [
    dict(),
    dict(GENERAL, reupload=True),
    dict(axis="Z", rotation="RX", reupload=True),
    dict(rotation="RY", axis="Y", gate="CZ", observable="ZZ"),
    dict(encoding="iqp", rotation="RY"),
    dict(encoding="amplitude", rotation="RY"),
    dict(encoding="amplitude", rotation="Rot"),
]


def case(spec, batch, dtype=torch.float64, seed=0):
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(batch, spec.n_inputs, generator=generator, dtype=torch.float64)
    return x.to(dtype), init_weights(spec, generator=generator).to(dtype)


def values_and_gradients(spec, x, w, run=expectations):
    x, w = x.clone().requires_grad_(), w.clone().requires_grad_()
    out = run(spec, x, w)
    shape = (torch.arange(out.numel()) + 1.0).reshape(out.shape).to(out.dtype)
    return out.detach(), *torch.autograd.grad(
        (out * shape.cos()).sum(), [x, w], allow_unused=True, materialize_grads=True
    )


@pytest.fixture
def set_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


# --------------------------------------------------------------------------------- when it is used


def calls(monkeypatch):
    """How often each way was gone."""
    found = []
    original = compiled._Run.forward

    def counted(self, *arguments, **options):
        found.append(self)
        return original(self, *arguments, **options)

    monkeypatch.setattr(compiled._Run, "forward", counted)
    return found


def test_which_kernel_ran_is_visible(monkeypatch):
    spec = CircuitSpec(n_qubits=3)
    ran = calls(monkeypatch)
    layer = QuantumLayer(spec)
    layer(torch.zeros(2, 3))
    assert len(ran) == 1
    assert layer.kernel == "numba"
    assert "engine='fused', kernel='numba'" in repr(layer)
    assert layer.to(torch.float16).kernel == "numba"
    assert QuantumLayer(CircuitSpec(3, encoding="iqp", reupload=True)).kernel == "torch"
    assert QuantumLayer(spec, "pennylane").kernel == "default.qubit"
    assert QuantumLayer(spec, "pennylane", device="lightning.qubit").kernel == "lightning.qubit"
    assert QuantumLayer(spec, "sampled").kernel == "torch"
    assert len(ran) == 1


def test_without_numba_torch_computes_the_same(monkeypatch):
    spec = CircuitSpec(**GENERAL)
    x, w = case(spec, 5)
    with_numba = expectations(spec, x, w)
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    ran = calls(monkeypatch)
    torch.testing.assert_close(expectations(spec, x, w), with_numba, atol=1e-14, rtol=0)
    assert QuantumLayer(spec).kernel == "torch"
    assert not ran


def test_one_row_of_many_qubits_is_left_to_torch(monkeypatch):
    spec = CircuitSpec(n_qubits=14, n_layers=1)
    ran = calls(monkeypatch)
    expectations(spec, *case(spec, 2))
    assert not ran
    expectations(spec, *case(spec, 3))
    assert len(ran) == 1


def test_a_user_may_forbid_compiling(monkeypatch):
    compiled.is_installed.cache_clear()
    monkeypatch.setenv("NUMBA_DISABLE_JIT", "1")
    assert not compiled.is_installed()
    compiled.is_installed.cache_clear()


def test_transforms_go_through_torch(monkeypatch):
    spec = CircuitSpec(n_qubits=2, n_layers=1, **GENERAL)
    x, w = case(spec, 3)
    wanted = torch.autograd.functional.jacobian(lambda w: expectations(spec, x, w), w)
    ran = calls(monkeypatch)
    by_rows = torch.vmap(lambda row: expectations(spec, row[None], w)[0])(x)
    torch.testing.assert_close(by_rows, torch_expectations(spec, x, w), atol=1e-14, rtol=0)
    found = torch.func.jacrev(lambda w: expectations(spec, x, w))(w)
    torch.testing.assert_close(found, wanted, atol=1e-14, rtol=0)
    assert not ran
    # The forward pass is the kernel's, the backward pass a batch of them.
    out = expectations(spec, x, w.requires_grad_())
    directions = torch.eye(out.numel(), dtype=out.dtype).reshape(-1, *out.shape)
    found = torch.vmap(lambda g: torch.autograd.grad(out, w, g, retain_graph=True)[0])(directions)
    torch.testing.assert_close(found.reshape(wanted.shape), wanted, atol=1e-14, rtol=0)
    assert len(ran) == 1


@pytest.mark.parametrize("options", CIRCUITS)
def test_second_derivatives(options):
    spec = CircuitSpec(n_qubits=2, n_layers=2, **options)
    x, w = case(spec, 2)
    assert torch.autograd.gradgradcheck(
        lambda x, w: expectations(spec, x, w), (x.requires_grad_(), w.requires_grad_())
    )


# ------------------------------------------------------------------------------ blocks and threads


@pytest.mark.parametrize("options", CIRCUITS)
@pytest.mark.parametrize("batch", [1, 16, 17, 33])
def test_rows_do_not_know_their_block(options, batch):
    """Whole blocks, and a last one that is not full."""
    spec = CircuitSpec(n_qubits=3, n_layers=3, **options)
    x, w = case(spec, batch)
    found = values_and_gradients(spec, x, w)
    for a, b in zip(found, values_and_gradients(spec, x, w, torch_expectations), strict=True):
        torch.testing.assert_close(a, b, atol=1e-12, rtol=1e-12)
    assert torch.equal(expectations(spec, x, w)[-1:], expectations(spec, x[-1:], w))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_threads_change_no_bit(set_threads, dtype):
    spec = CircuitSpec(n_qubits=10, n_layers=2, **GENERAL)
    x, w = case(spec, 70, dtype)
    found = []
    for threads in (1, 2, 2, 3):
        set_threads(threads)
        found.append(values_and_gradients(spec, x, w))
    for others in found[1:]:
        assert all(torch.equal(a, b) for a, b in zip(found[0], others, strict=True))


def test_threads_share_the_rows(set_threads, monkeypatch):
    """As many parts as torch has threads, and never a cut inside a block."""
    spec = CircuitSpec(n_qubits=10, n_layers=2, **GENERAL)
    run = compiled._run(spec, True)
    parts = []
    set_threads(2)
    run._share(lambda first, last: parts.append((first, last)), 70, 16)
    assert sorted(parts) == [(0, 32), (32, 70)]
    parts.clear()
    run._share(lambda first, last: parts.append((first, last)), 1, 1)
    set_threads(1)
    run._share(lambda first, last: parts.append((first, last)), 70, 16)
    assert parts == [(0, 1), (0, 70)]


def test_an_error_in_a_thread_is_an_error(set_threads):
    spec = CircuitSpec(n_qubits=10, n_layers=2, **GENERAL)
    set_threads(2)

    def work(first, last):
        if first:
            raise RuntimeError("in the second thread")

    with pytest.raises(RuntimeError, match="second thread"):
        compiled._run(spec, True)._share(work, 70, 16)


def test_blocks_fit_the_cache():
    assert compiled.block_rows(4, 16, 1000) == 16
    assert compiled.block_rows(4, 8, 1000) == 32
    assert compiled.block_rows(4, 16, 5) == 5
    assert compiled.block_rows(24, 16, 1000) == 1


@pytest.mark.parametrize("options", CIRCUITS[:4])
def test_factors_on_the_way(options, monkeypatch):
    """A large circuit has no table of factors; 11 qubits are more than a chunk."""
    spec = CircuitSpec(n_qubits=11, n_layers=2, **options)
    x, w = case(spec, 2)
    wanted = values_and_gradients(spec, x, w)
    monkeypatch.setattr(compiled, "TABLE_QUBITS", 4)
    compiled._run.cache_clear()
    for a, b in zip(values_and_gradients(spec, x, w), wanted, strict=True):
        torch.testing.assert_close(a, b, atol=1e-14, rtol=1e-14)
    compiled._run.cache_clear()


def test_it_is_compiled_once():
    """Other circuits, sizes and batches: the same machine code."""
    from hqnn_utils.quantum.engine.kernel import compiled as machine_code

    for n, options in enumerate(CIRCUITS, start=2):
        spec = CircuitSpec(n_qubits=n, **options)
        for dtype in (torch.float32, torch.float64):
            values_and_gradients(spec, *case(spec, n, dtype))
    for double in (True, False):
        for function in machine_code(double):
            assert len(function.signatures) == 1
            assert not function._can_compile


# ------------------------------------------------------------------------------ what goes in, out


def test_going_back_twice_gives_the_same():
    spec = CircuitSpec(**GENERAL)
    x, w = case(spec, 4)
    out = expectations(spec, x, w.requires_grad_()).sum()
    (first,) = torch.autograd.grad(out, [w], retain_graph=True)
    (second,) = torch.autograd.grad(out, [w])
    assert torch.equal(first, second)


def test_any_memory_layout():
    spec = CircuitSpec(**GENERAL)
    x, w = case(spec, 6)
    wanted = expectations(spec, x, w)
    assert torch.equal(expectations(spec, x.T.contiguous().T, w), wanted)
    assert torch.equal(expectations(spec, torch.cat([x, x], dim=1)[:, :4], w), wanted)
    negative = torch.complex(torch.zeros_like(x), -x).conj().imag
    assert negative.is_neg()
    assert torch.equal(expectations(spec, negative, w), wanted)
    one = x[:1].expand(6, 4)
    assert torch.equal(expectations(spec, one, w), wanted[:1].expand(6, 4))
    before = x.clone()
    values_and_gradients(spec, x, w)
    assert torch.equal(x, before)


def test_nothing_is_hidden_in_a_row_of_nan():
    spec = CircuitSpec(**GENERAL)
    x, w = case(spec, 3)
    x[1] = math.nan
    out = expectations(spec, x, w)
    assert out[1].isnan().all()
    assert not out[[0, 2]].isnan().any()


@pytest.mark.parametrize("options", CIRCUITS)
def test_float32_register(options):
    """Above eight qubits; gradients relative to their own size."""
    spec = CircuitSpec(n_qubits=9, n_layers=3, **options)
    x, w = case(spec, 35, torch.float32)
    found = values_and_gradients(spec, x, w)
    wanted = values_and_gradients(spec, x.double(), w.double())
    for a, b in zip(found, wanted, strict=True):
        assert a.dtype == torch.float32
        assert (a.double() - b).norm() <= 1e-5 * b.norm()


# ------------------------------------------------------------------------------------- the program


@settings(max_examples=50, deadline=None, derandomize=True)
@given(
    st.integers(2, 7),
    st.sampled_from(["ring", "strong", "chain", "all"]),
    st.sampled_from(["Z", "ZZ", "parity"]),
)
def test_roles_and_masks_follow_the_cnots(n, entangler, observable):
    """Beside a permutation that is really carried out."""
    spec = CircuitSpec(n, 3, rotation="RY", entangler=entangler, observable=observable)
    program = make_program(spec, _plan(spec), True)
    places = np.arange(2**n)  # of each basis state in memory
    odd = np.vectorize(lambda k: int(k).bit_count() % 2)
    layers = [step for step in program.steps if step[0] == SHARED]
    assert len(layers) == 2
    for layer in range(3):
        if layer:
            first = layers[layer - 1][1]
            for q, (mask, role, _) in enumerate(program.rotations[first : first + n]):
                bit = 1 << (n - 1 - q)
                np.testing.assert_array_equal(odd(places & role), (np.arange(2**n) & bit) > 0)
                np.testing.assert_array_equal(places ^ mask, places[np.arange(2**n) ^ bit])
        for control, target in spec.pairs(layer):
            control, target = 1 << (n - 1 - control), 1 << (n - 1 - target)
            state = np.arange(2**n)
            places = places[np.where(state & control, state ^ target, state)]
    for mask, qubits in zip(program.outputs, spec.measured, strict=True):
        wanted = sum((np.arange(2**n) >> (n - 1 - q)) & 1 for q in qubits) % 2
        np.testing.assert_array_equal(odd(places & mask), wanted)


def test_what_cancels_or_comes_last_is_left_out():
    """RX is RY between two quarter turns about Z: without entanglers they meet and cancel."""
    spec = CircuitSpec(n_qubits=3, n_layers=1, rotation="RX", axis="Y", reupload=True)
    program = make_program(spec, _plan(spec), True)
    assert len(program.steps) == 0  # all of it is the product state
    deep = CircuitSpec(n_qubits=3, n_layers=3, rotation="RZ", axis="Y", entangler="ring")
    assert len(make_program(deep, _plan(deep), True).steps) == 0  # RZ and CNOTs change no bit
    mirrored = CircuitSpec(n_qubits=3, n_layers=3, mirror=True)
    program = make_program(mirrored, _plan(mirrored), True)
    kinds = program.steps[:, 0].tolist()
    assert kinds == [DIAGONAL, SHARED, SHARED]  # layers 1 and 2 meet without an entangler
