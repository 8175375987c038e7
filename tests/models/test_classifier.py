"""Backbone and head together: logits, seeds, precision, counts and groups of parameters."""

import re

import pytest
import torch
from torch import nn

from hqnn_utils.data import load_wisconsin
from hqnn_utils.models import (
    HEADS,
    Classifier,
    CosineLayer,
    FourierLayer,
    MatchedLayer,
    MixingLayer,
    build_backbone,
    build_head,
    build_model,
    count_parameters,
    parameter_groups,
)
from hqnn_utils.models.backbones import SmallCNN
from hqnn_utils.quantum import CircuitSpec, QuantumLayer

CLASSICAL = (MatchedLayer, MixingLayer, CosineLayer, FourierLayer)  # in the circuit's place


def same(a, b):
    a, b = a.state_dict(), b.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("channels", [1, 3])
def test_images_to_logits_with_gradients_everywhere(head, channels):
    model = build_model("small_cnn", head, in_channels=channels, seed=0)
    logits = model(torch.randn(4, channels, 28, 28))
    assert logits.shape == (4, 2)
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    frozen = []
    for name, p in model.named_parameters():
        if p.requires_grad:
            assert torch.isfinite(p.grad).all(), name
            assert p.grad.abs().sum() > 0, name
        else:
            frozen.append(name)
    circuit = {"frozen": ["head.2.weights"], "study_frozen": ["head.core.weights"]}
    assert frozen == circuit.get(head, [])


def test_logits_are_the_head_s_answer_to_the_features():
    model, x = build_model("small_cnn", "dressed", seed=0).eval(), torch.randn(4, 1, 28, 28)
    assert torch.equal(model(x), model.head(model.backbone(x)))


def test_a_table_of_features():
    x, _ = load_wisconsin().tensors("test")
    for head in ("linear", "dressed", "study_hybrid"):
        model = build_model("none", head, in_channels=x.shape[1], seed=0)
        assert model(x).shape == (len(x), 2)
        assert set(parameter_groups(model)) <= {"circuit", "head"}


# ---------------------------------------------------------------- arguments of build_model


def test_defaults():
    model = build_model()
    assert isinstance(model.backbone, SmallCNN)
    assert type(model.head) is nn.Linear
    assert model.backbone.fine_tune == "full"
    assert model(torch.zeros(1, 1, 28, 28)).shape == (1, 2)
    circuit = build_model(head="dressed").head[2]
    assert (circuit.spec, circuit.engine) == (CircuitSpec(), "fused")


def test_arguments_arrive(tmp_path):
    spec = CircuitSpec(n_qubits=3, n_layers=1)
    kept = SmallCNN(3, depth=2)
    torch.save(kept.state_dict(), tmp_path / "six.pt")
    model = build_model(
        "small_cnn_6",
        "dressed",
        in_channels=3,
        spec=spec,
        engine="pennylane",
        weights=tmp_path / "six.pt",
        fine_tune="last_block",
    )
    assert same(model.backbone, kept)
    assert model.backbone.fine_tune == "last_block"
    assert (model.head[2].spec, model.head[2].engine) == (spec, "pennylane")


def test_unknown_names():
    with pytest.raises(ValueError, match=r"^unknown head 'qnn'; known: linear, dressed, frozen"):
        build_model(head="qnn")
    with pytest.raises(ValueError, match=r"^unknown backbone 'resnet'; known: small_cnn"):
        build_model("resnet")


# ---------------------------------------------------------------- seeds


def test_same_seed_same_backbone_for_every_head():
    linear = build_model(head="linear", seed=3)
    for head in HEADS:
        torch.rand(1)  # what ran before does not matter
        assert same(build_model(head=head, seed=3).backbone, linear.backbone)
    assert same(build_model(head="dressed", seed=3), build_model(head="dressed", seed=3))
    assert not same(build_model(head="dressed", seed=3), build_model(head="dressed", seed=4))
    assert same(build_model(seed=0), build_model(seed=0)), "0 is a seed too"


def test_a_seed_is_torch_s_seed_and_leaves_the_random_state_alone():
    torch.manual_seed(9)
    wanted = Classifier(build_backbone(), build_head("dressed", 64))
    torch.manual_seed(1)
    before = torch.get_rng_state()
    for seed in (9, 0):
        found = build_model(head="dressed", seed=seed)
        assert same(found, wanted) is (seed == 9)
        assert torch.equal(before, torch.get_rng_state())


def test_without_a_seed_it_draws_on():
    torch.manual_seed(9)
    first, second = build_model(), build_model()
    assert not same(first, second)
    torch.manual_seed(9)
    assert same(build_model(), first)
    assert same(build_model(), second)


# ---------------------------------------------------------------- misfits


def test_a_head_for_other_features():
    message = "the head takes 32 features, the backbone gives 64: build the head with n_features=64"
    for name in ("linear", "study_hybrid"):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            Classifier(build_backbone(), build_head(name, 32))


def test_any_module_may_be_a_head():
    """A head's first linear layer counts; a head without one is not asked."""
    Classifier(build_backbone(), nn.Sequential(nn.ReLU(), nn.Linear(64, 5), nn.Linear(5, 2)))
    model = Classifier(build_backbone(), nn.Identity())
    assert model(torch.zeros(3, 1, 8, 8)).shape == (3, 64)


# ---------------------------------------------------------------- precision


def test_half_precision_stops_before_the_circuit():
    """The backbone runs in bfloat16, the circuit sees float32 and so do the logits."""
    model, seen = build_model(head="dressed", seed=0).eval(), []
    model.head[2].register_forward_hook(
        lambda module, inputs, output: seen.append((inputs[0].dtype, output.dtype))
    )
    model.backbone.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    x = torch.randn(4, 1, 28, 28)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(x)
    assert seen == [torch.bfloat16, (torch.float32, torch.float32)]
    assert logits.dtype == torch.float32
    seen.clear()
    model(x)
    assert seen == [torch.float32, (torch.float32, torch.float32)]


def test_without_autocast_the_precision_is_the_model_s():
    model = build_model(head="dressed", seed=0).double().eval()
    assert model(torch.randn(4, 1, 28, 28, dtype=torch.float64)).dtype == torch.float64


# ---------------------------------------------------------------- counts and groups


def test_counting_leaves_out_what_does_not_learn():
    model = nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2).requires_grad_(False))
    assert count_parameters(model) == 16
    assert count_parameters(model[1]) == 0


def ids(parameters):
    return [id(p) for p in parameters]


@pytest.mark.parametrize("head", HEADS)
def test_each_trainable_parameter_is_in_one_group(head):
    model = build_model(head=head, seed=0)
    groups = parameter_groups(model)
    learning = [p for p in model.parameters() if p.requires_grad]
    together = [p for group in groups.values() for p in group]
    assert sorted(ids(together)) == sorted(ids(learning))
    assert ids(groups["backbone"]) == ids(model.backbone.parameters())
    inside = [
        p
        for module in model.head.modules()
        if isinstance(module, (QuantumLayer, *CLASSICAL))
        for p in module.parameters()
        if p.requires_grad
    ]
    assert ids(groups.get("circuit", [])) == ids(inside)
    n_circuit = sum(p.numel() for p in inside)
    without = ("linear", "mlp", "frozen", "identity", "branch")
    size = {"cosines": 24, "fourier": 64}.get(head.removeprefix("study_"), 8)
    assert n_circuit == (0 if head.endswith(without) else size), "2 layers of 4 angles"
    assert list(groups) == [name for name in ("backbone", "circuit", "head") if name in groups]
    assert all(groups.values()), "no empty group"


def test_a_frozen_backbone_is_no_group():
    model = build_model("small_cnn", "dressed", fine_tune="frozen", seed=0)
    assert list(parameter_groups(model)) == ["circuit", "head"]


def test_the_last_block_alone_is_a_group():
    model = build_model(fine_tune="last_block", seed=0)
    wanted = model.backbone.blocks[2].parameters()
    assert ids(parameter_groups(model)["backbone"]) == ids(wanted)


def test_a_model_without_a_backbone_is_all_head():
    head = build_head("dressed", 20)
    groups = parameter_groups(head)
    assert list(groups) == ["circuit", "head"]
    assert ids(groups["circuit"]) == [id(head[2].weights)]
    assert ids(groups["head"]) == ids([*head[0].parameters(), *head[3].parameters()])
    assert list(parameter_groups(QuantumLayer(CircuitSpec()))) == ["circuit"]


def test_images_of_another_precision_are_refused_with_the_remedy():
    """Of a table no backbone minds."""
    model, images = build_model("small_cnn").double(), torch.randn(2, 1, 28, 28)
    with pytest.raises(
        ValueError,
        match=r"^the images are torch\.float32, the model is torch\.float64: "
        r"give it images\.to\(torch\.float64\)$",
    ):
        model(images)
    assert model(images.to(torch.float64)).dtype == torch.float64
    with pytest.raises(ValueError, match=r"images are torch.int64: give it images.float"):
        model(images.long())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.float()(images.half()).shape == (2, 2)
    table = build_model("none", "linear", in_channels=3)
    with pytest.raises(RuntimeError):
        table(torch.randn(2, 3, dtype=torch.float64))
