"""State stays clean: caches, and what is replaced only when the new is complete."""

import os
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from coursekit import generated, running
from coursekit.files import HERE, Tree
from torch.autograd import forward_ad

from hqnn_utils.models import build_model
from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.quantum.engine import compiled, cosines, gates, measurement, register, uploads

CIRCUITS = {
    "cosines": CircuitSpec(n_qubits=3),
    "iqp": CircuitSpec(n_qubits=3, encoding="iqp", rotation="Rot"),
    "amplitude": CircuitSpec(n_qubits=3, encoding="amplitude", rotation="RY", gate="CZ"),
    "reupload": CircuitSpec(n_qubits=3, rotation="Rot", axis="Y", reupload=True),
}


def example(spec):
    torch.manual_seed(0)
    layer = QuantumLayer(spec).double()
    return layer, torch.rand(3, spec.n_inputs, dtype=torch.double) + 0.1


def eager(spec):
    layer, x = example(spec)
    x.requires_grad_()
    y = layer(x)
    y.sum().backward()
    return y.detach(), x.grad, layer.weights.grad


def forget():
    for module in (cosines, gates, measurement, register, uploads):
        for thing in vars(module).values():
            if hasattr(thing, "cache_clear"):
                thing.cache_clear()


def inference(layer, x):
    with torch.inference_mode():
        return layer(x)


def forward_mode(layer, x):
    with forward_ad.dual_level():
        return forward_ad.unpack_dual(layer(forward_ad.make_dual(x, x))).primal


def export(layer, x):
    return torch.export.export(layer, (x,)).module()(x)


def mock(layer, x):
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True):
        return layer(torch.rand(x.shape, dtype=x.dtype))


SURROUNDINGS = {
    "inference mode": inference,
    "vmap": lambda layer, x: torch.func.vmap(layer)(x.unsqueeze(1)).squeeze(1),
    "torch.func.grad": lambda layer, x: torch.func.grad(lambda v: layer(v).sum())(x),
    "vmap of grad": lambda layer, x: torch.func.vmap(
        torch.func.grad(lambda v: layer(v[None]).sum())
    )(x),
    "jvp": lambda layer, x: torch.func.jvp(layer, (x,), (x,))[0],
    "forward mode": forward_mode,
    "export": export,
    "mock tensors": mock,
}
GIVES_VALUES = ("inference mode", "vmap", "jvp", "forward mode", "export")


@pytest.mark.parametrize("around", SURROUNDINGS)
@pytest.mark.parametrize("circuit", CIRCUITS)
def test_next_call_is_right_after(circuit, around):
    """The tables of the engine are made within the transform, and used again outside of it."""
    spec = CIRCUITS[circuit]
    wanted = eager(spec)
    forget()
    found = SURROUNDINGS[around](*example(spec))
    if around in GIVES_VALUES:
        torch.testing.assert_close(found, wanted[0])
    for now, before in zip(eager(spec), wanted, strict=True):
        torch.testing.assert_close(now, before)


ENGINES = {
    "lightning": dict(engine="pennylane", device="lightning.qubit"),
    "shots": dict(engine="pennylane", shots=10),
    "sampled": dict(engine="sampled", samples=10, seed=0),
    "fused": {},
    "torch path": {},
    "backprop": dict(engine="pennylane"),
}


def second_derivatives(layer, x):
    x = x.clone().requires_grad_()
    (first,) = torch.autograd.grad(layer(x).sum(), x, create_graph=True)
    return torch.autograd.grad(first.sum(), x)[0]


def batched_gradients(layer, x):
    return torch.autograd.functional.jacobian(layer, x, vectorize=True)


TRANSFORMS = {
    "vmap": SURROUNDINGS["vmap"],
    "torch.func.grad": SURROUNDINGS["torch.func.grad"],
    "jvp": SURROUNDINGS["jvp"],
    "forward mode": forward_mode,
    "jacrev": lambda layer, x: torch.func.jacrev(layer)(x),
    "jacfwd": lambda layer, x: torch.func.jacfwd(layer)(x),
    "hessian": lambda layer, x: torch.func.hessian(lambda v: layer(v).sum())(x),
    "second derivatives": second_derivatives,
    "batched gradients": batched_gradients,
}
REFUSED = [
    *((engine, around) for engine in ("lightning", "shots", "sampled") for around in TRANSFORMS),
    ("fused", "batched gradients"),
    ("torch path", "batched gradients"),
]
REFUSED.remove(("sampled", "second derivatives"))


@pytest.mark.parametrize(("engine", "around"), REFUSED)
def test_a_transform_that_an_engine_does_not_know(engine, around, monkeypatch):
    """Our error names an engine that knows it, and that one does."""
    spec = CIRCUITS["cosines"]
    if engine == "torch path":
        monkeypatch.setattr(compiled, "is_installed", lambda: False)
    x = torch.linspace(0.1, 0.6, 6, dtype=torch.double).reshape(2, 3)
    layer = QuantumLayer(spec, **ENGINES[engine]).double()
    with pytest.raises(ValueError, match="engine='fused' does|does engine='pennylane'") as said:
        TRANSFORMS[around](layer, x)
    named = "backprop" if "does engine='pennylane'" in str(said.value) else "fused"
    does = QuantumLayer(spec, **ENGINES[named]).double()
    judge = QuantumLayer(spec, engine="pennylane").double()
    for other in (does, judge):
        other.load_state_dict(layer.state_dict())
    found, wanted = (TRANSFORMS[around](one, x) for one in (does, judge))
    torch.testing.assert_close(found, wanted)


@pytest.mark.parametrize("circuit", CIRCUITS)
def test_on_the_device_meta(circuit):
    spec = CIRCUITS[circuit]
    x = torch.zeros(3, spec.n_inputs, device="meta")
    assert QuantumLayer(spec).to("meta")(x).shape == (3, spec.n_outputs)


def test_images_in_double_precision_on_a_model_that_is_not():
    with pytest.raises(ValueError, match="images are torch.float64, the model is torch.float32"):
        build_model()(torch.zeros(2, 1, 28, 28, dtype=torch.double))


@pytest.fixture
def stored(tmp_path):
    """A course with one notebook, its record, and what else lies beside it."""
    tree = Tree(tmp_path / "course")
    tree.notebooks.mkdir(parents=True)
    entry = {"name": "00_start_here"}
    shutil.copy(HERE.path_of(entry), tree.path_of(entry))
    shutil.copy(HERE.course_file, tree.course_file)
    for name in ("old.json", "curves/c.json"):
        path = tree.results / entry["name"] / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    return tree, entry


def everything(tree):
    return {p: p.read_bytes() for p in tree.notebooks.rglob("*") if p.is_file()}


@pytest.mark.parametrize("moment", ["smoke", "laptop", "with records", "storing"])
@pytest.mark.parametrize("how", [KeyboardInterrupt, RuntimeError])
def test_make_notebooks_that_stops_leaves_what_was_there(stored, monkeypatch, moment, how):
    tree, entry = stored
    before = everything(tree)

    def run(source, target, profile, results, progress=False):
        if profile == moment:
            raise how
        made = results / entry["name"] / "new.json"
        if profile == "laptop":
            made.parent.mkdir(parents=True, exist_ok=True)
            made.write_text("{}")
            if moment == "with records":
                raise how
        return running.read(source), 1.0

    monkeypatch.setattr(running, "run_notebook", run)
    if moment == "storing":
        replace = os.replace

        def stop(source, target):
            if Path(source).parts[-2:] == ("laptop", "00_start_here"):
                raise how
            replace(source, target)

        monkeypatch.setattr(running.os, "replace", stop)
    with pytest.raises(how):
        running._execute(tree, entry, tree.root / "build" / "execute")
    assert everything(tree) == before


def test_new_records_replace_the_old_ones_when_they_are_complete(stored, monkeypatch):
    tree, entry = stored

    def run(source, target, profile, results, progress=False):
        made = results / entry["name"] / "new.json"
        made.parent.mkdir(parents=True, exist_ok=True)
        made.write_text("{}")
        return running.read(source), 1.0

    monkeypatch.setattr(running, "run_notebook", run)
    running._execute(tree, entry, tree.root / "build" / "execute")
    folder = tree.results / entry["name"]
    there = sorted(str(p.relative_to(folder)) for p in folder.rglob("*.json"))
    assert there == ["curves/c.json", "new.json"]


@pytest.mark.parametrize(
    "command",
    [generated.sync_notebooks, lambda tree: generated.retarget(tree, "someone/course")],
    ids=["sync", "retarget"],
)
def test_what_cannot_be_written_is_known_before_the_first_write(tree_of_two, monkeypatch, command):
    before = everything(tree_of_two)
    (_, last) = tree_of_two.course()["notebooks"]
    known = os.access
    locked = str(tree_of_two.path_of(last))
    monkeypatch.setattr(os, "access", lambda p, mode: str(p) != locked and known(p, mode))
    with pytest.raises(SystemExit, match="ipynb cannot be written: nothing was done"):
        command(tree_of_two)
    assert everything(tree_of_two) == before


@pytest.fixture
def tree_of_two(tmp_path):
    """A course of two notebooks whose generated parts are stale."""
    tree = Tree(tmp_path / "course")
    tree.notebooks.mkdir(parents=True)
    course = HERE.course() | {"notebooks": HERE.course()["notebooks"][:2]}
    tree.course_file.write_text(yaml.safe_dump(course | {"repository": "an/other"}))
    for entry in course["notebooks"]:
        shutil.copy(HERE.path_of(entry), tree.path_of(entry))
    return tree


def test_two_make_notebooks_at_once(stored, hold):
    tree, _ = stored
    hold(tree.root / "build" / "execute")
    with pytest.raises(SystemExit, match="wait until the other run of make notebooks has ended"):
        running.execute(tree, ["00"])
