"""The guide for contributors: what it shows runs, and what it names exists."""

import re

import pytest
import torch
from coursekit.files import HERE

from hqnn_utils.data import registry
from hqnn_utils.models import backbones
from hqnn_utils.quantum import CircuitSpec, QuantumLayer, encodings

FILE = HERE.root / ".github" / "CONTRIBUTING.md"
GUIDE = FILE.read_text(encoding="utf-8")


@pytest.fixture
def shown(monkeypatch):
    """The names that the guide's Python blocks make; the package's tables are put back."""
    for module, table in (
        (backbones, "BACKBONES"),
        (encodings, "ENCODINGS"),
        (registry, "DATASETS"),
    ):
        for name, entry in getattr(module, table).items():
            monkeypatch.setitem(getattr(module, table), name, entry)
    names = {}
    before = [dict(t) for t in (backbones.BACKBONES, encodings.ENCODINGS, registry.DATASETS)]
    for block in re.findall(r"^```python\n(.*?)^```", GUIDE, re.S | re.M):
        exec(block, names)
    yield names
    for table, old in zip(
        (backbones.BACKBONES, encodings.ENCODINGS, registry.DATASETS), before, strict=True
    ):
        for name in set(table) - set(old):
            del table[name]


def test_what_the_guide_adds_works(shown):
    backbone = shown["backbone"]
    assert backbone(torch.zeros(2, 1, 28, 28)).shape == (2, backbone.n_features)
    spec = CircuitSpec(n_qubits=2, n_layers=1, encoding="square", entangler="none")
    layer = QuantumLayer(spec, engine="pennylane")
    layer.weights.data.zero_()
    x = torch.tensor([[0.3, -1.1]])
    torch.testing.assert_close(layer(x), (x**2).cos())
    assert shown["table"].name.startswith("two clouds")
    assert {"train", "val", "test"} == set(shown["table"].split)


def test_every_file_that_the_guide_names_exists():
    for target in re.findall(r"\]\(([\w./-]+)\)", GUIDE):
        assert (FILE.parent / target).resolve().exists(), target
    for name in re.findall(r"`((?:hqnn_utils|tests|notebooks)/[\w/]+\.\w+)`", GUIDE):
        made_up = {"nbNN.py", "NN_words.ipynb"}
        assert name.split("/")[-1] in made_up or (HERE.root / name).exists(), name


def test_the_guide_tells_of_a_medmnist_set_without_code():
    assert 'load_dataset("medmnist", flag="dermamnist", positive=4)' in GUIDE
    registry.check_dataset("medmnist", flag="dermamnist", positive=4)
