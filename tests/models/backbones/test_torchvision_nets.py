"""Backbones against torchvision itself. Weights are random ones in torchvision's format."""

import copy
import functools
import re

import pytest
import torch
import torchvision
from torch import nn

from hqnn_utils.models import build_backbone, count_parameters
from hqnn_utils.models.backbones.torchvision_nets import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    TorchvisionBackbone,
    input_scaling,
    last_stages,
    n_numbers,
    open_wrappers,
)

# name -> (features, last layer in torchvision, its last block: what "last_block" trains)
NETS = {
    "resnet18": (512, "fc", ["layer4"]),
    "resnet50": (2048, "fc", ["layer4"]),
    "efficientnet_v2_s": (1280, "classifier.1", ["features.6", "features.7"]),
    "efficientnet_b5": (2048, "classifier.1", ["features.7", "features.8"]),
    "mobilenet_v3_small": (1024, "classifier.3", ["classifier", "features.11", "features.12"]),
    "convnext_tiny": (768, "classifier.2", ["classifier", "features.7"]),
    "densenet121": (1024, "classifier", ["features.denseblock4", "features.norm5"]),
    "regnet_y_400mf": (440, "fc", ["trunk_output.block4"]),
    "vit_b_16": (
        768,
        "heads.head",
        [*(f"encoder.layers.encoder_layer_{i}" for i in (9, 10, 11)), "encoder.ln"],
    ),
}
FIRST_FOUR = list(NETS)[:4]  # the ones that stored records were made with
SIZE = {"vit_b_16": 224, "resnet50": 32, "efficientnet_b5": 32}


@functools.cache
def own(name):
    """torchvision's network with random weights, and with the statistics of a random batch."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name)
    for key, value in network.state_dict().items():
        if key.endswith("layer_scale"):  # ConvNeXt starts with 1e-6: its blocks would not count
            value.uniform_(0.1, 0.3)
    norms = [m for m in network.eval().modules() if isinstance(m, nn.BatchNorm2d)]
    for norm in norms:
        norm.train().momentum = 1.0
    if norms:
        with torch.no_grad():
            network(torch.randn(8, 3, 64, 64))
    for norm in norms:  # damped, or a deep random network would enlarge the last digits
        norm.running_var.mul_(1.5)
    return network.eval()


def penultimate(network, last, x):
    """What torchvision's own network gives to its last layer."""
    seen = []
    hook = network.get_submodule(last).register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0])
    )
    with torch.no_grad():
        network(x)
    hook.remove()
    return seen[0]


def close(found, wanted):
    """The error is small against what differs between the two images."""
    assert (found - wanted).norm() < 0.01 * (wanted[0] - wanted[1]).norm()
    torch.testing.assert_close(found, wanted, rtol=1e-2, atol=1e-3 * float(wanted.abs().max()))


@pytest.mark.parametrize("name", NETS)
def test_weights_give_torchvisions_own_features(name):
    """Colour: inputs normalised as torchvision says. Grey: the grey image in all three channels."""
    n_features, last, _ = NETS[name]
    judge, size = own(name), SIZE.get(name, 64)
    pixels = torch.rand(2, 3, size, size, generator=torch.Generator().manual_seed(1))
    colour = TorchvisionBackbone(name, 3, judge.state_dict()).eval()
    grey = TorchvisionBackbone(name, 1, judge.state_dict()).eval()
    assert colour.n_features == grey.n_features == n_features
    if name == "vit_b_16":  # all twelve blocks would take as long as all other networks together
        judge = copy.deepcopy(judge)
        for network in (judge, colour.body, grey.body):
            del network.encoder.layers[2:]
    normalise = torchvision.transforms.Normalize(IMAGENET_MEAN, IMAGENET_STD)
    with torch.no_grad():
        features = colour(pixels * 2 - 1)
    assert features.shape == (2, n_features)
    close(features, penultimate(judge, last, normalise(pixels)))

    one = pixels[:, :1]
    mean, std = sum(IMAGENET_MEAN) / 3, sum(IMAGENET_STD) / 3
    copied = ((one - mean) / std).expand(-1, 3, -1, -1)
    with torch.no_grad():
        close(grey(one * 2 - 1), penultimate(judge, last, copied))


@pytest.mark.parametrize("name", NETS)
def test_the_last_block(name):
    if name == "regnet_y_400mf":  # torchvision cannot make it without numbers
        backbone = build_backbone(name)
    else:
        with torch.device("meta"):
            backbone = build_backbone(name)
    names = {module: where for where, module in backbone.body.named_modules()}
    assert [names[module] for module in backbone.last_block()] == NETS[name][2]
    backbone.set_fine_tune("last_block")
    learns = {where for where, p in backbone.body.named_parameters() if p.requires_grad}
    prefixes = tuple(f"{where}." for where in NETS[name][2])
    assert learns == {
        where for where, _ in backbone.body.named_parameters() if where.startswith(prefixes)
    }


@pytest.mark.parametrize(
    ("name", "everything", "last_block"),
    [
        ("resnet18", 11_170_240, 8_393_728),
        ("resnet50", 23_501_760, 14_964_736),
        ("efficientnet_v2_s", 20_177_056, 14_892_072),
        ("efficientnet_b5", 28_339_920, 10_797_580),
    ],
)
def test_numbers_that_learn(name, everything, last_block):
    """The table of notebook 03."""
    with torch.device("meta"):
        backbone = build_backbone(name)
    assert count_parameters(backbone) == everything
    assert count_parameters(backbone.set_fine_tune("last_block")) == last_block
    assert count_parameters(backbone.set_fine_tune("frozen")) == 0


@pytest.mark.parametrize("name", FIRST_FOUR)
@pytest.mark.parametrize("channels", [1, 3])
def test_random_weights_start_as_torchvision_draws_them(name, channels):
    """Records were made from these start weights: the order of the random draws is part of them."""
    torch.manual_seed(3)
    ours, drawn = TorchvisionBackbone(name, channels), torch.get_rng_state()
    torch.manual_seed(3)
    judge = torchvision.models.get_model(name)
    first = "conv1" if name.startswith("resnet") else "features.0.0"
    if channels == 1:
        colour = judge.get_submodule(first)
        grey = nn.Conv2d(
            1, colour.out_channels, colour.kernel_size, colour.stride, colour.padding, bias=False
        )
        nn.init.kaiming_normal_(grey.weight, mode="fan_out", nonlinearity="relu")
        judge.set_submodule(first, grey)
    assert torch.equal(drawn, torch.get_rng_state())
    wanted = {k: v for k, v in judge.state_dict().items() if not k.startswith(("fc.", "class"))}
    found = ours.body.state_dict()
    assert list(found) == list(wanted)
    assert all(torch.equal(found[key], wanted[key]) for key in wanted)


def test_random_weights_see_the_image_as_it_is():
    for channels in (1, 3):
        backbone = TorchvisionBackbone("mobilenet_v3_small", channels).eval()
        x = torch.randn(2, channels, 40, 40)
        with torch.no_grad():
            assert torch.equal(backbone(x), backbone.body(x))


def test_batch_norm_follows_a_short_training_where_it_starts_anew():
    """torchvision's momentum for this network is 0.01."""
    fresh = TorchvisionBackbone("mobilenet_v3_small")
    loaded = TorchvisionBackbone("mobilenet_v3_small", 1, own("mobilenet_v3_small").state_dict())
    for backbone, momentum in ((fresh, 0.1), (loaded, 0.01)):
        norms = [m for m in backbone.modules() if isinstance(m, nn.BatchNorm2d)]
        assert {m.momentum for m in norms} == {momentum}
        assert len(norms) > 10


def test_input_scaling_by_hand():
    x = torch.tensor([-1.0, 0.0, 0.5]).view(3, 1, 1).expand(2, 3, 4, 4)
    scale, shift = input_scaling(3, for_imagenet=True)
    judge = torchvision.transforms.Normalize([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    torch.testing.assert_close(x * scale + shift, judge((x + 1) / 2))
    scale, shift = input_scaling(1, for_imagenet=True)
    assert scale.shape == shift.shape == (1, 1, 1, 1)
    assert scale.item() == pytest.approx(0.5 / 0.226)
    assert shift.item() == pytest.approx((0.5 - 0.449) / 0.226)
    for channels in (1, 3):
        scale, shift = input_scaling(channels, for_imagenet=False)
        assert scale.flatten().tolist() == [1.0] * channels
        assert shift.flatten().tolist() == [0.0] * channels


def test_dropouts_before_the_last_layer_go_and_others_stay():
    def dropouts(name):
        body = TorchvisionBackbone(name).body
        return [type(layer).__name__ for layer in body.classifier]

    assert dropouts("mobilenet_v3_small") == ["Linear", "Hardswish", "Identity", "Identity"]
    with torch.device("meta"):
        assert dropouts("efficientnet_v2_s") == ["Identity", "Identity"]
        assert dropouts("alexnet") == [
            *("Dropout", "Linear", "ReLU", "Dropout", "Linear", "ReLU", "Identity")
        ]


def test_a_grey_vision_transformer_keeps_the_size_of_its_patches():
    """Its first convolution has a bias, no normalisation follows: random weights are summed."""
    torch.manual_seed(0)
    grey = TorchvisionBackbone("vit_b_16", 1).body.conv_proj
    torch.manual_seed(0)
    colour = torchvision.models.get_model("vit_b_16").conv_proj
    assert grey.kernel_size == grey.stride == (16, 16)
    torch.testing.assert_close(grey.weight, colour.weight.sum(dim=1, keepdim=True))
    assert torch.equal(grey.bias, colour.bias)
    assert grey.weight.std().item() == pytest.approx(1 / 16, rel=0.05), "torchvision's rule"


@pytest.mark.parametrize("name", ["resnet18", "mobilenet_v3_small", "regnet_y_400mf"])
@pytest.mark.parametrize("how", ["full", "last_block", "frozen"])
def test_one_step_moves_what_it_should(name, how):
    """Bit for bit, batch-norm statistics included."""
    torch.manual_seed(0)
    backbone = build_backbone(name, fine_tune=how).train()
    before = {key: value.clone() for key, value in backbone.body.state_dict().items()}
    head = nn.Linear(backbone.n_features, 2)
    optimiser = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=0.1)
    logits = head(backbone(torch.randn(4, 1, 48, 48)))
    nn.functional.cross_entropy(logits, torch.tensor([0, 1, 0, 1])).backward()
    optimiser.step()
    after = backbone.body.state_dict()
    moved = {key for key, value in before.items() if not torch.equal(value, after[key])}
    prefixes = {"full": "", "last_block": tuple(f"{p}." for p in NETS[name][2]), "frozen": ()}
    assert moved == {key for key in before if key.startswith(prefixes[how])}


# ---------------------------------------------------------------- stages


def test_stages_by_hand():
    a, b, c, nothing = nn.Linear(9, 9), nn.Linear(4, 4), nn.Linear(1, 1), nn.ReLU()
    assert [n_numbers(m) for m in (a, b, c, nothing)] == [90, 20, 2, 0]
    wrapper = nn.Sequential(a, b, nothing)
    assert open_wrappers([wrapper, c], 112) == [a, b, nothing, c], "110 of 112 are nearly all"
    assert open_wrappers([wrapper, c], 123) == [wrapper, c], "110 of 123 are not"
    assert open_wrappers([a], 90) == [a], "a layer has no parts"
    assert last_stages([a, b, c]) == [a, b, c], "22 of 112 are less than a fifth: on to the next"
    assert last_stages([b, a, c]) == [a, c]
    assert last_stages([wrapper, nothing]) == [a, b], "what has nothing to learn is left out"


def test_a_fifth_is_enough():
    four, one = nn.Linear(7, 10), nn.Linear(9, 2)
    assert (n_numbers(four), n_numbers(one)) == (80, 20)
    assert last_stages([four, one]) == [one]


# ---------------------------------------------------------------- clear errors


def test_a_vision_transformer_wants_its_size():
    with torch.device("meta"):
        backbone = build_backbone("vit_b_16")
    for height, width in ((28, 28), (224, 128), (128, 224)):
        message = (
            f"vit_b_16 takes images of 224 x 224 pixels, got {height} x {width}: "
            "load or resize them with size=224, or choose another backbone"
        )
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            backbone(torch.zeros(1, 1, height, width, device="meta"))


@pytest.mark.parametrize("name", ["densenet121", "convnext_tiny"])
def test_images_too_small_for_a_network(name):
    with torch.device("meta"):
        backbone = build_backbone(name).eval()
    message = (
        f"images of 28 x 24 pixels are too small for {name}: "
        "use at least 32 x 32, or choose another backbone"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        backbone(torch.zeros(1, 1, 28, 24, device="meta"))
    assert backbone(torch.zeros(1, 1, 32, 32, device="meta")).shape == (1, NETS[name][0])


def test_other_errors_pass_through():
    with pytest.raises(RuntimeError, match="channels"):
        TorchvisionBackbone("mobilenet_v3_small", 1)(torch.zeros(1, 3, 32, 32))


@pytest.mark.filterwarnings("ignore:The default weight initialization")
@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("squeezenet1_1", "does not end in a linear layer with 1000 classes"),
        ("googlenet", "has side exits in training"),
    ],
)
def test_networks_that_cannot_be_cut(name, why):
    with (
        torch.device("meta"),
        pytest.raises(ValueError, match=f"^{name} {why}: choose another backbone$"),
    ):
        TorchvisionBackbone(name)
