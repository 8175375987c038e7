"""Backbones by name."""

import re

import pytest
import torch
import torchvision

from hqnn_utils.models import BACKBONES, WeightsError, build_backbone
from hqnn_utils.models.backbones import (
    EfficientNetLite,
    SmallCNN,
    TorchvisionBackbone,
    torchvision_net,
)
from hqnn_utils.models.backbones.efficientnet_lite import IMAGENET_FILES
from hqnn_utils.models.backbones.weights import packaged_state

LITE = ["efficientnet_lite0", "efficientnet_lite1", "efficientnet_lite2"]
WITH_WEIGHTS = [name for name, recipe in BACKBONES.items() if recipe.imagenet is not None]
FROM_TORCHVISION = [name for name in WITH_WEIGHTS if name not in LITE]


def exactly(text):
    return f"^{re.escape(text)}$"


def test_the_names():
    """Those of stored records and pages; a new backbone joins them by its line in the table."""
    assert BACKBONES.keys() >= {
        *("small_cnn", "small_cnn_6", *LITE, "resnet18", "resnet50", "efficientnet_v2_s"),
        *("efficientnet_b5", "mobilenet_v3_small", "convnext_tiny", "densenet121"),
        *("regnet_y_400mf", "vit_b_16", "none"),
    }


@pytest.mark.parametrize("name", FROM_TORCHVISION)
def test_a_name_means_the_network_and_its_published_weights(name):
    make, imagenet = BACKBONES[name].make, BACKBONES[name].imagenet
    assert (make.func, make.args) == (TorchvisionBackbone, (name,))
    assert imagenet.args == (name, "IMAGENET1K_V1")
    weights = torchvision.models.get_model_weights(name)["IMAGENET1K_V1"]
    assert re.search(r"-[0-9a-f]{8,}\.pth$", weights.url), "the checksum that is verified"


@pytest.mark.parametrize("name", LITE)
def test_a_lite_name_means_the_network_and_its_packaged_weights(name):
    make, imagenet = BACKBONES[name].make, BACKBONES[name].imagenet
    assert (make.func, make.args) == (EfficientNetLite, (name,))
    assert (imagenet.func, imagenet.args) == (packaged_state, (IMAGENET_FILES[name],))


def test_another_version_of_the_weights():
    recipe = torchvision_net("resnet50", "IMAGENET1K_V2")
    assert recipe.imagenet.args == ("resnet50", "IMAGENET1K_V2")


def test_defaults_are_the_small_cnn_for_grey_images():
    backbone = build_backbone()
    assert isinstance(backbone, SmallCNN)
    assert backbone.fine_tune == "full"
    assert len(backbone.blocks[0]) == 4
    assert backbone(torch.zeros(1, 1, 8, 8)).shape == (1, 64)
    assert len(build_backbone("small_cnn_6").blocks[0]) == 7


@pytest.mark.parametrize("name", ["small_cnn", "mobilenet_v3_small"])
@pytest.mark.parametrize("channels", [1, 3])
def test_channels_and_fine_tuning_arrive(name, channels):
    for how in ("full", "last_block", "frozen"):
        backbone = build_backbone(name, channels, fine_tune=how)
        assert backbone.fine_tune == how
    assert backbone(torch.zeros(2, channels, 32, 32)).shape == (2, backbone.n_features)


def test_weights_of_the_small_cnn(tmp_path):
    wanted = SmallCNN(3).state_dict()
    torch.save(wanted, tmp_path / "small.pt")
    found = build_backbone("small_cnn", 3, tmp_path / "small.pt").state_dict()
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)
    with pytest.raises(WeightsError, match=r"^the weights do not belong to small_cnn_6: "):
        build_backbone("small_cnn_6", 3, tmp_path / "small.pt")
    with pytest.raises(WeightsError, match=r"^the weights do not belong to none: "):
        build_backbone("none", 3, tmp_path / "small.pt")


@pytest.mark.parametrize("name", ["small_cnn", "small_cnn_6", "none"])
def test_no_published_weights(name):
    message = f"{name} has no ImageNet weights: use weights=None, or another backbone"
    with pytest.raises(WeightsError, match=exactly(message)):
        build_backbone(name, weights="imagenet")


def test_unknown_settings():
    known = ", ".join(BACKBONES)
    with pytest.raises(ValueError, match=exactly(f"unknown backbone 'vgg'; known: {known}")):
        build_backbone("vgg")
    message = "unknown fine_tune 'half'; known: full, last_blocks, last_block, frozen"
    with pytest.raises(ValueError, match=exactly(message)):
        build_backbone(fine_tune="half")
    for channels in (0, 2, 4):
        message = f"in_channels must be 1 (grey) or 3 (colour), got {channels}"
        with pytest.raises(ValueError, match=exactly(message)):
            build_backbone(in_channels=channels)
    message = "backbone 'none' takes in_channels = number of columns, got 0"
    with pytest.raises(ValueError, match=exactly(message)):
        build_backbone("none", 0)
    assert build_backbone("none").n_features == 1
