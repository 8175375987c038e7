"""A circuit that is traced, compiled, or put in half precision: right, or refused in our words."""

import pennylane as qp
import pytest
import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.fx.experimental.proxy_tensor import make_fx

from hqnn_utils.quantum import CircuitSpec, QuantumLayer, estimate_expectations, expectations
from hqnn_utils.quantum.engine import compiled

STUDY = CircuitSpec(n_qubits=3)
# One that is no mean of cosines, wide enough to be computed in float32.
GENERAL = CircuitSpec(n_qubits=9, n_layers=1, rotation="Rot", axis="Y")
WIDE = CircuitSpec(n_qubits=9, n_layers=1)
ENGINES = {
    "lightning": lambda: dict(engine="pennylane", device="lightning.qubit"),
    # a device of its own for each layer, so that two layers draw the same shots
    "shots": lambda: dict(engine="pennylane", device=qp.device("default.qubit", seed=5), shots=40),
    "backprop": lambda: dict(engine="pennylane"),
    "sampled": lambda: dict(engine="sampled", samples=40, seed=3),
    "fused": dict,
    "torch path": dict,
}


@pytest.fixture(params=ENGINES)
def engine(request, monkeypatch):
    if request.param == "torch path":
        monkeypatch.setattr(compiled, "is_installed", lambda: False)
    return request.param


def example(engine, spec=STUDY):
    torch.manual_seed(0)
    layer = QuantumLayer(spec, **ENGINES[engine]())
    return layer, torch.rand(3, spec.n_inputs) + 0.1


def all_of(layer, x, values=None):
    """Values and both gradients."""
    x = x.clone().requires_grad_()
    y = layer(x) if values is None else values(layer, x)
    y.float().square().sum().backward()
    return y.detach(), x.grad, layer.weights.grad


def same(found, wanted, **close):
    for one, other in zip(found, wanted, strict=True):
        torch.testing.assert_close(one, other, **close)


def export(layer, x):
    return torch.export.export(layer, (x,)).module()


def fake(layer, x):
    with FakeTensorMode(allow_non_fake_inputs=True):
        return layer(torch.rand(x.shape))


TRACES = {
    "torch.export": export,
    "torch.jit.trace": lambda layer, x: torch.jit.trace(layer, x, check_trace=False),
    "make_fx": lambda layer, x: make_fx(layer)(x),
}
REFUSED = ("lightning", "shots")  # what leaves PyTorch in between
IN_OUR_WORDS = r"needs numbers: it cannot be traced \(torch.export, .*\); engine='fused' can"
quiet = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning",
    "ignore::torch.jit.TracerWarning",
    "ignore:.*torch.jit.trace:FutureWarning",
)


@quiet
@pytest.mark.parametrize("grad", [True, False], ids=["gradients", "no_grad"])
@pytest.mark.parametrize("how", TRACES)
def test_traced(engine, how, grad):
    """Right for other features than those it was traced with, and in each call, or refused."""
    layer, x = example(engine)
    other, wanted = x.flip(0) + 1, all_of(*example(engine))
    with torch.set_grad_enabled(grad):
        if engine in REFUSED:
            with pytest.raises(ValueError, match=IN_OUR_WORDS):
                TRACES[how](layer, x)
        else:
            traced = TRACES[how](layer, x)
            for _ in range(2):
                torch.testing.assert_close(traced(other), layer(other))
    same(all_of(*example(engine)), wanted)


@quiet
def test_what_was_drawn_without_a_seed_is_drawn_again_in_a_graph():
    layer = QuantumLayer(STUDY, "sampled", samples=40)
    x = torch.rand(3, 3)
    exported = export(layer, x)
    assert not torch.equal(exported(x), exported(x))


def test_fake_tensors(engine):
    layer, x = example(engine)
    wanted = all_of(*example(engine))
    if engine in REFUSED:
        with pytest.raises(ValueError, match=IN_OUR_WORDS):
            fake(layer, x)
    else:
        assert fake(layer, x).shape == (3, 3)
    same(all_of(*example(engine)), wanted)


def test_on_the_device_meta(engine):
    """A result without numbers, of the right shape; the same layer then computes on the CPU."""
    with torch.device("meta"):
        made = QuantumLayer(STUDY, **ENGINES[engine]())
    assert made.weights.is_meta
    x = torch.zeros(2, 5, 3, device="meta", requires_grad=True)
    y = made(x)
    assert (y.shape, y.device.type, y.dtype) == ((2, 5, 3), "meta", torch.float32)
    y.sum().backward()
    assert x.grad.shape == x.shape
    assert made.weights.grad.shape == made.weights.shape
    layer, x = example(engine)
    made = made.to_empty(device="cpu")
    made.load_state_dict(layer.state_dict())
    torch.testing.assert_close(made(x), layer(x))


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
def test_compiled(engine, backend):
    """The circuit runs between two graphs, on every engine."""
    wanted = all_of(*example(engine))
    torch._dynamo.reset()
    layer, x = example(engine)
    before, behind = torch.nn.Identity(), torch.nn.Identity()
    whole = torch.compile(torch.nn.Sequential(before, layer, behind), backend=backend)
    same(all_of(layer, x, lambda _, x: whole(x)), wanted)
    same(all_of(*example(engine)), wanted)


def test_compiled_without_a_break_says_why():
    torch._dynamo.reset()
    layer, x = example("fused")
    with pytest.raises(Exception, match=r"torch\.compiler\.disable|function `disable`"):
        torch.compile(layer, backend="eager", fullgraph=True)(x)
    torch._dynamo.reset()


def under_autocast(layer, x):
    with torch.autocast("cpu", torch.bfloat16):
        return layer(x)


@pytest.mark.parametrize("spec", [WIDE, GENERAL], ids=["study's, 9 qubits", "general, 9 qubits"])
def test_autocast_reaches_no_circuit(engine, spec):
    """Its matrices would be multiplied in half precision: 2 to 3 digits."""
    if (engine, spec) == ("sampled", GENERAL):
        pytest.skip("another family")
    if engine == "shots":
        spec = STUDY  # nine qubits take seconds
    wanted = all_of(*example(engine, spec))
    same(all_of(*example(engine, spec), under_autocast), wanted, atol=0, rtol=0)
    same(all_of(*example(engine, spec)), wanted, atol=0, rtol=0)


def test_autocast_around_a_backward_pass_too():
    for name in ("sampled", "fused", "torch path"):
        layer, x = example(name, WIDE if name == "sampled" else GENERAL)
        wanted = all_of(layer, x)[1]
        x.requires_grad_()
        with torch.autocast("cpu", torch.bfloat16):
            layer(x).square().sum().backward()
        torch.testing.assert_close(x.grad, wanted)


@pytest.mark.parametrize("function", [expectations, estimate_expectations])
def test_autocast_reaches_no_function_either(function, monkeypatch):
    monkeypatch.setattr(compiled, "is_installed", lambda: False)
    x, w = torch.rand(3, 9), torch.rand(WIDE.weight_shape)
    options = {"seed": 1} if function is estimate_expectations else {}
    wanted = function(WIDE, x, w, **options)
    with torch.autocast("cpu", torch.bfloat16):
        found = function(WIDE, x, w, **options)
    if function is estimate_expectations:
        found, wanted = found.values, wanted.values
    torch.testing.assert_close(found, wanted, atol=0, rtol=0)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16])
def test_features_in_half_precision(engine, half):
    """As they come out of a linear layer under autocast: computed in float32, with all digits of
    the weights, rounded once at the end.
    """
    layer, x = example(engine)
    x = x.to(half)
    wanted = all_of(*example(engine), lambda layer, _: layer(x.float()))[0]
    y = layer(x)
    assert y.dtype == half
    torch.testing.assert_close(y, wanted.to(half), atol=0, rtol=0)
    inside = all_of(example(engine)[0], x, under_autocast)
    torch.testing.assert_close(inside[0], wanted.to(half), atol=0, rtol=0)
    assert inside[1].dtype == half
    assert inside[2].dtype == torch.float32


SEVERAL = {
    "the compiled kernel": ("fused", GENERAL),
    "fused layers in torch": ("torch path", GENERAL),
    "the mean of cosines": ("torch path", STUDY),
    "the estimated mean": ("sampled", STUDY),
    "lightning": ("lightning", STUDY),
    "shots": ("shots", STUDY),
}


@pytest.mark.parametrize("which", SEVERAL)
@pytest.mark.parametrize("call", ["is_grads_batched", "vectorize"])
def test_several_gradients_in_one_backward_pass(which, call, monkeypatch):
    """None of our backward passes knows them; the next one with a single gradient is right."""
    name, spec = SEVERAL[which]
    if name == "torch path":
        monkeypatch.setattr(compiled, "is_installed", lambda: False)
    wanted = all_of(*example(name, spec))
    layer, x = example(name, spec)
    x.requires_grad_()
    y = layer(x)
    each = torch.eye(y.numel()).reshape(-1, *y.shape)
    calls = {
        "is_grads_batched": lambda: torch.autograd.grad(y, x, each, is_grads_batched=True),
        "vectorize": lambda: torch.autograd.functional.jacobian(layer, x, vectorize=True),
    }
    with pytest.raises(ValueError, match=r"several gradients in one backward pass .*jacrev with"):
        calls[call]()
    same(all_of(*example(name, spec)), wanted)
    if name == "sampled":
        return
    judge = QuantumLayer(spec, "pennylane").double()
    fused = QuantumLayer(spec).double()
    for one in (judge, fused):
        one.load_state_dict(layer.state_dict())
    x = x.detach().double()[:2]
    promised = torch.func.jacrev(fused)(x)
    torch.testing.assert_close(promised, torch.autograd.functional.jacobian(judge, x))
