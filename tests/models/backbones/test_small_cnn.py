"""Our own small network against one that is written down here layer by layer."""

import pytest
import torch
from torch import nn

from hqnn_utils.models import build_backbone, count_parameters
from hqnn_utils.models.backbones.small_cnn import SmallCNN, conv_block


def convolution(before, after):
    return [nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]


def by_hand(channels, depth):
    layers = []
    for before, after in ((channels, 16), (16, 32), (32, 64)):
        layers += convolution(before, after)
        if depth == 2:
            layers += convolution(after, after)
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten())


@pytest.mark.parametrize(("name", "depth"), [("small_cnn", 1), ("small_cnn_6", 2)])
@pytest.mark.parametrize("channels", [1, 3])
def test_same_start_and_same_answer_as_the_layers_by_hand(name, depth, channels):
    """Records were made from these start weights: the order of the random draws is part of them."""
    torch.manual_seed(0)
    ours, drawn = build_backbone(name, channels), torch.get_rng_state()
    torch.manual_seed(0)
    judge = by_hand(channels, depth)
    assert torch.equal(drawn, torch.get_rng_state())
    values, wanted = list(ours.state_dict().values()), list(judge.state_dict().values())
    assert len(values) == len(wanted)
    assert all(torch.equal(a, b) for a, b in zip(values, wanted, strict=True))
    x = torch.randn(3, channels, 28, 28)
    torch.testing.assert_close(ours(x), judge(x))
    assert [tuple(m.shape) for m in stages(ours, x)] == [
        (3, 16, 14, 14),
        (3, 32, 7, 7),
        (3, 64, 3, 3),
    ]


def stages(network, x):
    found = []
    for block in network.blocks:
        x = block(x)
        found.append(x)
    return found


def test_defaults_width_and_depth():
    plain = SmallCNN()
    assert (plain.n_features, count_parameters(plain)) == (64, count_parameters(by_hand(1, 1)))
    assert SmallCNN(width=5).n_features == 20
    assert SmallCNN(3, 5, 2)(torch.zeros(1, 3, 9, 11)).shape == (1, 20)
    assert plain.blocks[0][0].weight.is_contiguous(memory_format=torch.channels_last)
    assert plain.last_block() == [plain.blocks[2]]


@pytest.mark.parametrize("size", [8, 28, 33, 64])
def test_any_size_from_8_pixels(size):
    assert build_backbone()(torch.randn(2, 1, size, size)).shape == (2, 64)


def test_a_block():
    block = conv_block(3, 4, depth=2)
    names = [type(layer).__name__ for layer in block]
    assert names == ["Conv2d", "BatchNorm2d", "ReLU"] * 2 + ["MaxPool2d"]
    assert (block[0].in_channels, block[3].in_channels, block[3].out_channels) == (3, 4, 4)
    assert block(torch.zeros(2, 3, 9, 6)).shape == (2, 4, 4, 3)
