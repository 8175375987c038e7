"""State stays clean: caches, and what is replaced only when the new is complete."""

import os
import shutil

import pytest
import torch
from coursekit import running
from coursekit.files import HERE, Tree
from torch.autograd import forward_ad

from hqnn_utils.quantum import CircuitSpec, QuantumLayer
from hqnn_utils.quantum.engine import cosines, gates, measurement, register, uploads

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
            if str(source).endswith("laptop/00_start_here"):
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


def test_two_make_notebooks_at_once(stored, hold):
    tree, _ = stored
    hold(tree.root / "build" / "execute")
    with pytest.raises(SystemExit, match="wait until the other run of make notebooks has ended"):
        running.execute(tree, ["00"])
