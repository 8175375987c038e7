import math

import pytest
import torch

from hqnn_utils import models
from hqnn_utils.models import build_backbone


@pytest.mark.parametrize("head", list(models.HEADS))
@pytest.mark.parametrize("channels", [1, 3])
def test_images_to_logits_with_gradients_everywhere(head, channels):
    model = models.build_model("small_cnn", head, in_channels=channels, seed=0)
    logits = model(torch.randn(4, channels, 28, 28))
    assert logits.shape == (4, 2)
    torch.nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    for name, p in model.named_parameters():
        assert not p.requires_grad or (torch.isfinite(p.grad).all() and p.grad.abs().sum() > 0), (
            name
        )
    frozen = [name for name, p in model.named_parameters() if not p.requires_grad]
    assert frozen == (
        [
            name
            for name, _ in model.named_parameters()
            if name.endswith((".2.weights", "core.weights"))
        ]
        if "frozen" in head
        else []
    )


def test_same_seed_same_backbone_for_every_head():
    made = {h: models.build_model(head=h, seed=3) for h in models.HEADS}
    for model in made.values():
        for a, b in zip(
            model.backbone.state_dict().values(), made["linear"].backbone.state_dict().values()
        ):
            assert torch.equal(a, b)
    again = models.build_model(head="dressed", seed=3)
    assert all(
        torch.equal(a, b)
        for a, b in zip(again.state_dict().values(), made["dressed"].state_dict().values())
    )
    other = models.build_model(head="dressed", seed=4)
    assert not torch.equal(next(other.parameters()), next(again.parameters()))


def test_a_seed_leaves_the_random_state_alone():
    torch.manual_seed(1)
    wanted = torch.rand(2)
    torch.manual_seed(1)
    models.build_model(seed=9)
    assert torch.equal(torch.rand(2), wanted)


@pytest.mark.parametrize("size", [8, 28, 33, 64])
def test_small_cnn_takes_any_size(size):
    backbone = build_backbone("small_cnn", 1)
    assert backbone(torch.randn(2, 1, size, size)).shape == (2, backbone.n_features) == (2, 64)


def test_angles_are_bounded():
    angles = models.BoundedAngles()(torch.tensor([-100.0, 0.0, 100.0]))
    assert angles.tolist() == pytest.approx([-math.pi, 0.0, math.pi], rel=1e-6)


def test_unknown_names_and_misfits_are_clear():
    with pytest.raises(ValueError, match="unknown head 'qnn'; known: linear, dressed, matched"):
        models.build_model(head="qnn")
    with pytest.raises(ValueError, match="unknown backbone 'resnet'; known: small_cnn"):
        models.build_model("resnet")
    with pytest.raises(ValueError, match="in_channels must be 1 .* or 3"):
        build_backbone(in_channels=2)
    with pytest.raises(ValueError, match="the head takes 32 features, the backbone gives 64"):
        models.Classifier(build_backbone(), models.build_head("linear", 32))


@pytest.mark.parametrize("head", ["linear", "dressed", "matched", "study_hybrid", "study_frozen"])
def test_parameter_groups_hold_each_trainable_parameter_once(head):
    model = models.build_model(head=head, seed=0)
    groups = models.parameter_groups(model)
    ids = [id(p) for group in groups.values() for p in group]
    assert len(ids) == len(set(ids))
    assert sum(p.numel() for g in groups.values() for p in g) == models.count_parameters(model)
    assert {id(p) for p in groups["backbone"]} == {id(p) for p in model.backbone.parameters()}
    circuit = sum(p.numel() for p in groups.get("circuit", []))
    assert circuit == {"linear": 0, "study_frozen": 0}.get(head, 8), (
        "2 layers of 4 angles; nothing where the circuit does not learn"
    )


def test_a_frozen_backbone_is_no_group():
    model = models.build_model("small_cnn", "dressed", fine_tune="frozen", seed=0)
    assert set(models.parameter_groups(model)) == {"circuit", "head"}


def test_half_precision_stops_before_the_circuit():
    """The backbone runs in bfloat16, the circuit sees float32 and so do the logits."""
    model, seen = models.build_model(head="dressed", seed=0).eval(), []
    model.head[2].register_forward_hook(
        lambda module, inputs, output: seen.append((inputs[0].dtype, output.dtype))
    )
    model.backbone.register_forward_hook(lambda module, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(torch.randn(4, 1, 28, 28))
    assert seen == [torch.bfloat16, (torch.float32, torch.float32)]
    assert logits.dtype == torch.float32
