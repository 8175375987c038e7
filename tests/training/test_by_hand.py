"""``fit`` against a loop written out by hand: optimiser, schedule, loss, order, augmentation."""

import copy
import math

import pytest
import torch
from torch import nn
from training_toys import OPTIONS, fit, hybrid, images, toy, weights

from hqnn_utils.training.augment import flip_horizontally


def net():
    """Without a bias before the batch norm: its gradient is rounding only, and Adam enlarges it."""
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(5, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2)
    )


class AdamWByHand:
    """Loshchilov and Hutter, arXiv 1711.05101: the decay acts on the weights, not the gradient."""

    def __init__(self, parameters, weight_decay, betas=(0.9, 0.999), eps=1e-8):
        self.parameters, self.weight_decay = list(parameters), weight_decay
        self.betas, self.eps, self.steps = betas, eps, 0
        self.first = [torch.zeros_like(p) for p in self.parameters]
        self.second = [torch.zeros_like(p) for p in self.parameters]

    @torch.no_grad()
    def step(self, lr):
        self.steps += 1
        b1, b2 = self.betas
        for p, m, v in zip(self.parameters, self.first, self.second, strict=True):
            p.mul_(1 - lr * self.weight_decay)
            m.mul_(b1).add_((1 - b1) * p.grad)
            v.mul_(b2).add_((1 - b2) * p.grad**2)
            m_hat, v_hat = m / (1 - b1**self.steps), v / (1 - b2**self.steps)
            p.sub_(lr * m_hat / (v_hat.sqrt() + self.eps))


def cross_entropy_by_hand(logits, y, class_weight):
    """Mean of -log p of the true class, weighted by class."""
    log_p = logits - logits.logsumexp(dim=1, keepdim=True)
    weight = class_weight[y]
    return -(weight * log_p[torch.arange(len(y)), y]).sum() / weight.sum()


def train_by_hand(model, train, options):
    """The same training, step by step: the mean loss of each epoch, and the weights behind it."""
    x, y = train
    n, epochs = len(y), options["epochs"]
    balance, augment = options.get("balance"), options["augment"]
    rarity = torch.tensor([n / (2 * int((y == c).sum())) for c in (0, 1)])
    class_weight = rarity if balance == "loss" else torch.ones(2)
    optimiser = AdamWByHand(model.parameters(), options.get("weight_decay", 1e-4))
    losses, states = [], []
    for epoch in range(epochs):
        torch.manual_seed(1_000_003 * options.get("seed", 0) + epoch)
        if balance == "sampler":
            order = torch.multinomial(rarity[y], n, replacement=True)
        else:
            order = torch.randperm(n)
        model.train()
        rate = options["lr"] * (1 + math.cos(math.pi * epoch / epochs)) / 2
        total, seen = 0.0, 0
        for index in order.split(options["batch_size"]):
            if len(index) == 1:
                continue
            batch = flip_horizontally(x[index]) if augment == "flip" else x[index]
            loss = cross_entropy_by_hand(model(batch), y[index], class_weight)
            model.zero_grad()
            loss.backward()
            optimiser.step(rate)
            total, seen = total + loss.item() * len(index), seen + len(index)
        losses.append(total / seen)
        states.append(copy.deepcopy(model.state_dict()))
    return losses, states


CASES = [
    dict(),
    dict(balance="loss"),
    dict(balance="sampler"),
    dict(weight_decay=0.5),
    dict(seed=3),
    dict(batch_size=59, epochs=2),  # the last batch has one image and is left out
    dict(lr=0.05, epochs=3),
]


@pytest.mark.parametrize("changes", CASES, ids=str)
def test_fit_is_what_one_would_write_by_hand(changes):
    options = {**OPTIONS, "epochs": 4, **changes}
    ours = net()
    result = fit(ours, toy(), toy(30, 1), **options)
    losses, states = train_by_hand(net(), toy(), options)
    assert [h["loss"] for h in result.history] == pytest.approx(losses, rel=1e-4)
    best = states[result.best_epoch - 1].values()
    for a, b in zip(weights(ours), best, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("augment", ["flip", None])
def test_images_are_mirrored_or_not(augment):
    options = {**OPTIONS, "epochs": 2, "augment": augment, "lr": 2e-3}
    result = fit(hybrid(), images(), images(20, 1), **options)
    losses, _ = train_by_hand(hybrid(), images(), options)
    assert [h["loss"] for h in result.history] == pytest.approx(losses, rel=1e-3)


def test_every_case_is_another_training():
    """No option is ignored: each changes the losses."""
    losses = set()
    for changes in [*CASES[:5], dict(lr=0.02), dict(batch_size=32)]:
        result = fit(net(), toy(), toy(30, 1), **{**OPTIONS, "epochs": 2, **changes})
        losses.add(tuple(round(h["loss"], 5) for h in result.history))
    assert len(losses) == 7
