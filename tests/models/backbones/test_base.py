"""What training may change, on a toy network whose every part is known; and no backbone at all."""

import re

import pytest
import torch
from torch import nn

from hqnn_utils.models.backbones import Backbone, PassThrough, build_backbone


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
        ValueError, match=r"^unknown fine_tune 'half'; known: full, last_block, frozen$"
    ):
        Toy().set_fine_tune("half")


def test_a_backbone_names_its_last_block():
    with pytest.raises(NotImplementedError):
        Backbone().last_block()


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
