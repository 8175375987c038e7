"""What training may change, on a toy network whose every part is known; and no backbone at all."""

import re

import pytest
import torch
from torch import nn

from hqnn_utils.models import count_parameters
from hqnn_utils.models.backbones import Backbone, PassThrough, SmallCNN, Tail, build_backbone


class Toy(Backbone):
    n_features = 3

    def __init__(self):
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))
        self.second = nn.Sequential(nn.Conv2d(2, 3, 3), nn.BatchNorm2d(3))

    def last_block(self):
        return [self.second]

    def forward(self, x):
        return self.second(self.first(x)).mean(dim=(2, 3))


def one_step(backbone):
    """Names of everything that one optimiser step in training mode changes, buffers included."""
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    head = nn.Linear(backbone.n_features, 2)
    backbone.train()
    optimiser = torch.optim.AdamW([*backbone.parameters(), *head.parameters()], lr=0.1)
    x = torch.randn(4, 1, 9, 9, generator=torch.Generator().manual_seed(0))
    nn.functional.cross_entropy(head(backbone(x)), torch.tensor([0, 1, 0, 1])).backward()
    optimiser.step()
    after = backbone.state_dict()
    return {key for key, value in before.items() if not torch.equal(value, after[key])}


@pytest.mark.parametrize(
    ("how", "moves"), [("full", ("first", "second")), ("last_block", ("second",)), ("frozen", ())]
)
def test_one_step_moves_what_it_should(how, moves):
    torch.manual_seed(0)
    toy = Toy()
    assert toy.set_fine_tune(how) is toy
    assert toy.fine_tune == how
    assert one_step(toy) == {key for key in toy.state_dict() if key.split(".")[0] in moves}
    learns = {name for name, p in toy.named_parameters() if p.requires_grad}
    assert learns == {name for name, _ in toy.named_parameters() if name.split(".")[0] in moves}


@pytest.mark.parametrize("how", ["full", "last_block", "frozen"])
def test_frozen_parts_stay_in_evaluation_mode(how):
    toy = Toy().set_fine_tune(how)
    for mode in (True, False):
        assert toy.train(mode) is toy
        assert toy.training is mode
        assert toy.first[1].training is (mode and how == "full")
        assert toy.second[1].training is (mode and how != "frozen")
    toy.eval()
    assert toy.train().second.training is (how != "frozen"), "training mode is the default"


def test_the_choice_can_be_taken_back():
    toy = Toy().set_fine_tune("frozen").set_fine_tune("last_block").set_fine_tune("full")
    assert all(p.requires_grad for p in toy.parameters())
    assert toy.training
    assert all(m.training for m in toy.modules())
    assert not toy.eval().set_fine_tune("last_block").second.training, "the mode is kept"


def test_everything_learns_by_default():
    assert Toy().fine_tune == "full"


def test_unknown_choice():
    with pytest.raises(
        ValueError,
        match=r"^unknown fine_tune 'half'; known: full, last_blocks, last_block, frozen$",
    ):
        Toy().set_fine_tune("half")


def test_a_backbone_names_its_last_block():
    with pytest.raises(NotImplementedError):
        Backbone().last_block()
    toy = Toy()
    assert toy.last_blocks() == toy.end("last_blocks") == toy.end("last_block") == [toy.second]
    message = r"^unknown end of a network 'full'; known: last_blocks, last_block$"
    with pytest.raises(ValueError, match=message):
        toy.end("full")


# ---------------------------------------------------------------- what is left to train

# name -> what its last blocks and its last block take, (C, h, w), for images of 64 pixels
CHAINS = {
    "small_cnn": ((16, 32, 32), (32, 16, 16)),
    "efficientnet_lite0": ((112, 4, 4), (192, 2, 2)),
    "efficientnet_lite2": ((120, 4, 4), (208, 2, 2)),
    "resnet18": ((256, 4, 4), (256, 4, 4)),
    "resnet50": ((512, 8, 8), (1024, 4, 4)),
    "efficientnet_v2_s": ((128, 4, 4), (160, 4, 4)),
    "efficientnet_b5": ((176, 4, 4), (304, 2, 2)),
    "mobilenet_v3_small": ((48, 4, 4), (96, 2, 2)),
    "regnet_y_400mf": ((208, 4, 4), (208, 4, 4)),
}
NO_CHAINS = ("convnext_tiny", "densenet121", "vit_b_16", "none")


def pairs_of(backbone, x):
    """Stored activations (N, 2, C, h, w) of images and their mirror images."""
    with torch.no_grad():
        views = [backbone.before(backbone.fine_tune, v) for v in (x, x.flip(-1))]
        return torch.stack(views, dim=1)


@pytest.mark.parametrize("how", ["last_blocks", "last_block"])
@pytest.mark.parametrize("name", CHAINS)
def test_the_tail_goes_on_where_the_stored_activations_end(name, how):
    torch.manual_seed(0)
    backbone = build_backbone(name, fine_tune=how).eval()
    x = torch.randn(2, 1, 64, 64)
    stored, tail = pairs_of(backbone, x), Tail(backbone).eval()
    assert stored.shape == (2, 2, *CHAINS[name][how == "last_block"])
    assert tail.n_features == backbone.n_features
    with torch.no_grad():
        for pairs, images in ((stored, x), (stored.flip(1), x.flip(-1))):
            found, wanted = tail(pairs), backbone(images)
            assert wanted.std() > 0
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4 * float(wanted.std()))
    learns = {id(p) for p in backbone.parameters() if p.requires_grad}
    assert {id(p) for p in tail.parameters() if p.requires_grad} == learns
    share = count_parameters(backbone) / sum(p.numel() for p in backbone.parameters())
    assert share >= (0.2 if how == "last_block" else 0.75)


@pytest.mark.parametrize("name", NO_CHAINS)
def test_networks_that_cannot_be_split(name):
    backbone = build_backbone(name, fine_tune="last_block")
    assert backbone.stages() is None
    message = (
        f"{type(backbone).__name__} is not written as a chain of stages: "
        "train it without stored activations"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Tail(backbone)


def test_a_step_of_the_tail_is_a_step_of_the_backbone():
    """The same weights move by the same amount, and they are the backbone's own."""

    def step(network, given, images):
        head = nn.Linear(64, 2)
        with torch.no_grad():
            head.weight.fill_(0.1)
            head.weight[0] = -0.1
        optimiser = torch.optim.SGD(network.parameters(), lr=0.1)
        nn.functional.cross_entropy(head(network.train()(given)), torch.tensor([0, 1])).backward()
        optimiser.step()
        return images.state_dict()

    x = torch.randn(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    slow, fast, start = SmallCNN(), SmallCNN(), SmallCNN().state_dict()
    for network in (slow, fast):
        network.load_state_dict(start)
        network.set_fine_tune("last_block")
    slowly = step(slow, x, slow)
    quickly = step(Tail(fast), pairs_of(fast.eval(), x), fast)
    for key, value in slowly.items():
        torch.testing.assert_close(quickly[key], value)
    assert not torch.equal(slowly["blocks.2.0.weight"], start["blocks.2.0.weight"])
    assert torch.equal(slowly["blocks.1.1.running_mean"], start["blocks.1.1.running_mean"])


def test_the_tail_of_a_frozen_backbone_is_nothing():
    features = torch.randn(3, 2, 64)
    tail = Tail(SmallCNN().set_fine_tune("frozen"))
    assert torch.equal(tail(features), features[:, 0])
    assert not list(tail.parameters())
    assert tail.last_block() == []
    assert len(Tail(SmallCNN().set_fine_tune("last_block")).last_block()) == 3


def test_a_whole_network_that_learns_has_no_tail():
    message = (
        "everything in this backbone learns, so nothing can be stored: "
        "build it with fine_tune='last_blocks', 'last_block' or 'frozen'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        Tail(SmallCNN())


def test_no_backbone_passes_a_table_through():
    table = torch.randn(5, 30)
    backbone = build_backbone("none", in_channels=30)
    assert backbone.n_features == 30
    assert backbone(table) is table
    assert not list(backbone.parameters())
    for how in ("full", "last_block", "frozen"):
        assert build_backbone("none", 30, fine_tune=how)(table) is table
    assert repr(PassThrough(30)) == "PassThrough(n_features=30)"


@pytest.mark.parametrize("shape", [(5, 29), (5, 1, 28, 28), (30,)])
def test_no_backbone_takes_tables_only(shape):
    message = (
        f"backbone 'none' takes a table (N, 30), got {shape}: "
        "choose a backbone for images, or build it with the table's number of columns"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        build_backbone("none", in_channels=30)(torch.zeros(shape))
