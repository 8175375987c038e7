"""Attribution on models whose evidence is known, by hand, and against PennyLane's gradients."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from torch import nn

from hqnn_utils.evaluation import attribution
from hqnn_utils.models import BoundedAngles, build_model
from hqnn_utils.quantum import CircuitSpec, QuantumLayer


class Stripes(nn.Module):
    """A backbone of two fixed filters, one for upright and one for lying stripes; it gives the mean of each over the image."""

    n_features = 2

    def __init__(self):
        super().__init__()
        self.filters, self.act = nn.Conv2d(1, 2, 3, padding=1, bias=False), nn.ReLU()
        upright = torch.tensor([-1.0, 2.0, -1.0]).expand(3, 3)
        with torch.no_grad():
            self.filters.weight.copy_(torch.stack([upright, upright.T])[:, None])

    def last_block(self):
        return [self.act]

    def forward(self, x):
        return self.act(self.filters(x)).mean(dim=(-1, -2))


class Watcher(nn.Module):
    """Stripes, then one angle, a one-qubit circuit (or none) and two classes. Only upright stripes count: they mean malignant."""

    def __init__(self, circuit: bool):
        super().__init__()
        self.backbone = Stripes()
        spec = CircuitSpec(n_qubits=1, n_layers=1, entangler="none")
        self.head = nn.Sequential(
            nn.Linear(2, 1),
            *([BoundedAngles(), QuantumLayer(spec)] if circuit else []),
            nn.Linear(1, 2),
        )
        with torch.no_grad():
            self.head[0].weight.copy_(torch.tensor([[0.3, 0.0]]))
            self.head[0].bias.zero_()
            sign = -1.0 if circuit else 1.0  # <Z> = cos(angle) falls as the angle grows
            self.head[-1].weight.copy_(sign * torch.tensor([[-1.0], [1.0]]))
            self.head[-1].bias.zero_()
            if circuit:
                self.head[2].weights.zero_()

    def forward(self, x):
        return self.head(self.backbone(x))


def scene(n=6, size=24):
    """Images with a patch of upright and one of lying stripes, equally bright, and the mask of the upright one."""
    noise = 0.1 * torch.rand(n, 1, size, size, generator=torch.Generator().manual_seed(1))
    window = torch.hann_window(10, periodic=False)
    patch = torch.outer(window, window) * (torch.arange(10) % 2)
    x, mask = noise.clone(), np.zeros((n, size, size), bool)
    x[:, :, 1:11, 2:12] += patch
    x[:, :, 13:23, 12:22] += patch.T
    mask[:, 1:11, 2:12] = True
    return x, mask


@pytest.mark.parametrize("circuit", [False, True])
@pytest.mark.parametrize("method", attribution.METHODS)
def test_methods_find_the_evidence_and_not_what_only_looks_like_it(method, circuit):
    x, mask = scene()
    found = attribution.attribute(Watcher(circuit), x, method)
    assert found.shape == (6, 24, 24)
    assert found.dtype == np.float32
    assert attribution.pointing_game(found, mask).mean() == 1
    assert attribution.mass_inside(found, mask).mean() > 3 * mask.mean()
    assert (
        attribution.mass_inside(found, mask).mean()
        > 2 * attribution.mass_inside(found, mask[:, ::-1, ::-1]).mean()
    )


@pytest.mark.parametrize("method", attribution.METHODS)
def test_a_randomised_model_finds_it_by_luck_only(method):
    x, mask = scene()
    hits = [
        attribution.pointing_game(
            attribution.attribute(attribution.randomise(Watcher(True), seed=s), x, method), mask
        ).mean()
        for s in range(12)
    ]
    assert np.mean(hits) < 0.7


@pytest.mark.parametrize("method", ["integrated_gradients", "occlusion"])
def test_randomised_weights_destroy_the_map(method):
    model = build_model("small_cnn", "dressed", seed=0)
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before = attribution.attribute(model, x, method)
    again = attribution.attribute(attribution.randomise(model, []), x, method)
    after = attribution.attribute(attribution.randomise(model), x, method)
    assert attribution.rank_correlation(before, again).min() == pytest.approx(1)
    assert abs(attribution.rank_correlation(before, after).mean()) < 0.5


@pytest.mark.parametrize("head", ["linear", "dressed", "study_hybrid"])
def test_integrated_gradients_are_complete(head):
    """They sum to the log odds of the image minus those of the reference, also through the circuit; black is another reference."""
    model = build_model("small_cnn", head, seed=1).double().eval()
    x = torch.rand(3, 1, 28, 28, generator=torch.Generator().manual_seed(2)).double() * 2 - 1
    for reference in (None, -1.0):
        found = attribution.attribute(
            model, x, "integrated_gradients", steps=60, reference=reference
        ).sum(axis=(1, 2))
        other = attribution.grey(x) if reference is None else torch.full_like(x, reference)
        with torch.no_grad():
            change = (attribution.log_odds(model, x) - attribution.log_odds(model, other)).numpy()
        np.testing.assert_allclose(found, change, atol=0.02 * np.abs(change).max() + 1e-4)


def test_maps_do_not_depend_on_the_engine_batch_or_mode_and_leave_the_model_alone():
    fused, judge = (
        build_model("small_cnn", "dressed", engine=e, seed=3) for e in ("fused", "pennylane")
    )
    judge.load_state_dict(fused.state_dict())
    x = torch.rand(4, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    kept = {k: v.clone() for k, v in fused.state_dict().items()}
    fused.train()
    for method in attribution.METHODS:
        a = attribution.attribute(fused, x, method, batch_size=3)
        b = attribution.attribute(judge, x, method)
        np.testing.assert_allclose(a, b, atol=1e-4 * np.abs(b).max() + 1e-7)
    assert fused.training
    assert all(torch.equal(kept[k], v) for k, v in fused.state_dict().items())
    assert all(p.grad is None for p in fused.parameters())


def test_unknown_method_and_other_backbones():
    model = build_model("small_cnn", "linear", seed=0)
    with pytest.raises(ValueError, match="unknown attribution method 'lime'; known: grad_cam"):
        attribution.attribute(model, torch.zeros(1, 1, 28, 28), "lime")
    assert isinstance(attribution.feature_layer(model), nn.ReLU)
    large = build_model("resnet18", "dressed", in_channels=3, seed=0)
    assert attribution.attribute(large, torch.rand(2, 3, 64, 64), "grad_cam").shape == (2, 64, 64)


def test_pointing_game_and_mass_by_hand():
    maps, masks = np.zeros((4, 2, 2)), np.zeros((4, 2, 2), bool)
    masks[:, 0, 0] = True
    maps[0, 0, 0] = 3  # hit, all of the mass
    maps[1] = [[1, 0], [0, 3]]  # miss, a quarter of the mass
    maps[2] = [[2, 2], [-5, 0]]  # tie of two: half a hit; negative values carry no mass
    np.testing.assert_allclose(
        attribution.pointing_game(maps, masks), [1, 0, 0.5, 0.25]
    )  # a constant map scores the area's share
    np.testing.assert_allclose(attribution.mass_inside(maps, masks), [1, 0.25, 0.5, 0.25])


@given(
    hnp.arrays(float, (2, 4, 5), elements=st.floats(-5, 5, width=16)),
    hnp.arrays(bool, (2, 4, 5)),
    st.floats(0.5, 4, width=16),
)
def test_scores_are_shares_and_ignore_scale(maps, masks, factor):
    masks[:, 1, 2] = True
    for score in (attribution.pointing_game, attribution.mass_inside):
        value = score(maps, masks)
        assert ((value >= 0) & (value <= 1 + 1e-12)).all()
        np.testing.assert_allclose(score(maps * factor, masks), value)
    masks[:, 0, 0] = False
    inside, outside = attribution.mass_inside(maps, masks), attribution.mass_inside(maps, ~masks)
    np.testing.assert_allclose(inside + outside, 1)


@pytest.mark.parametrize(
    "maps, masks, message",
    [
        (np.zeros((2, 3, 3)), np.ones((2, 3, 4)), "must both be"),
        (np.full((1, 3, 3), np.nan), np.ones((1, 3, 3)), "NaN"),
        (np.zeros((2, 3, 3)), np.zeros((2, 3, 3)), "no right answer"),
    ],
)
def test_scores_refuse_what_has_no_answer(maps, masks, message):
    with pytest.raises(ValueError, match=message):
        attribution.pointing_game(maps, masks)


def test_rank_correlation_is_scipys_and_zero_for_constants():
    from scipy.stats import spearmanr

    a, b = np.random.default_rng(0).integers(0, 5, (2, 3, 4, 4)).astype(float)
    b[2] = 1
    judge = [spearmanr(a[i].ravel(), b[i].ravel()).statistic for i in range(2)]
    np.testing.assert_allclose(attribution.rank_correlation(a, b), [*judge, 0])


def test_randomise_changes_what_is_named_and_nothing_else():
    model = build_model("small_cnn", "study_hybrid", seed=0)
    names = attribution.layers_from_output(model)
    assert names[0] == "head.classifier.3"
    assert names[-1] == "backbone.blocks.0.0"
    assert "head.core" in names
    old, new = (
        model.state_dict(),
        attribution.randomise(model, ["head.core", "backbone.blocks.1.0"], seed=1).state_dict(),
    )
    changed = {k for k in old if not torch.equal(old[k], new[k])}
    assert changed == {"head.core.weights", "backbone.blocks.1.0.weight"}
    same = attribution.randomise(model, ["head.core", "backbone.blocks.1.0"], seed=1).state_dict()
    assert all(torch.equal(new[k], same[k]) for k in new)
    everything = attribution.randomise(model).state_dict()
    assert not any(
        torch.equal(old[k], everything[k])
        for k in old
        if k.endswith("weight") and "blocks" in k and ".0.weight" in k
    )
