"""Answers to the exercises of notebook 03: right ones, usual wrong ones, what the hint says."""

import numpy as np
import statsmodels.stats.api as sms
import torch
from scipy import stats
from torch import nn

from hqnn_utils.exercises import nb03

BLOCK = dict(
    block=nn.Sequential(
        nn.Conv2d(16, 32, 3, padding=1, bias=False), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2)
    )
)
HISTORY = dict(
    history=[
        {"epoch": 1, "loss": 0.61, "val_auc": 0.71},
        {"epoch": 2, "loss": 0.52, "val_auc": 0.66},
        {"epoch": 3, "loss": 0.44, "val_auc": 0.81},
        {"epoch": 4, "loss": 0.35, "val_auc": 0.78},
        {"epoch": 5, "loss": 0.30, "val_auc": 0.81},
        {"epoch": 6, "loss": 0.32, "val_auc": 0.79},
    ]
)
TIED = dict(history=[*HISTORY["history"][:5], {"epoch": 6, "loss": 0.2, "val_auc": 0.7}])
LITE = dict(n_features=1280)


def size_by_counting(size, kernel, padding, stride):
    """Another right one: count the positions of the window's left edge."""
    return len(range(-padding, size + padding - kernel + 1, stride))


def size_by_pytorch(size, kernel, padding, stride):
    """PyTorch itself."""
    layer = nn.Conv2d(1, 1, kernel, stride=stride, padding=padding)
    return layer(torch.zeros(1, 1, size, size)).shape[-1]


def step_as_taught(network, optimiser, x, y):
    optimiser.zero_grad()
    loss = nn.functional.cross_entropy(network(x), y)
    loss.backward()
    optimiser.step()
    return loss.item()


def step_otherwise(network, optimiser, x, y):
    """Cleared at the end, the loss written out, a tensor returned."""
    loss = -network(x).log_softmax(dim=1)[torch.arange(len(y)), y].mean()
    loss.backward()
    optimiser.step()
    optimiser.zero_grad()
    return loss.detach()


def step_with_closed_eyes(network, optimiser, x, y):
    """The right step, but the loss of afterwards is returned."""
    step_as_taught(network, optimiser, x, y)
    return nn.functional.cross_entropy(network(x), y).item()


def step_without_return(network, optimiser, x, y):
    step_as_taught(network, optimiser, x, y)


def step_cleared_late(network, optimiser, x, y):
    loss = nn.functional.cross_entropy(network(x), y)
    loss.backward()
    optimiser.zero_grad()
    optimiser.step()
    return loss.item()


def step_early(network, optimiser, x, y):
    loss = nn.functional.cross_entropy(network(x), y)
    optimiser.step()
    optimiser.zero_grad()
    loss.backward()
    return loss.item()


def step_without_step(network, optimiser, x, y):
    loss = nn.functional.cross_entropy(network(x), y)
    optimiser.zero_grad()
    loss.backward()
    return loss.item()


def step_open(network, optimiser, x, y):
    return ...


def step_of_other_arguments(network, x, y):
    return 0.0


def step_with_vector(network, optimiser, x, y):
    step_as_taught(network, optimiser, x, y)
    return [1.0, 2.0]


def interval_by_statsmodels(values):
    return np.mean(values), *sms.DescrStatsW(values).tconfint_mean(0.05)


def interval_by_scipy(values):
    low, high = stats.t.interval(0.95, len(values) - 1, np.mean(values), stats.sem(values))
    return [np.mean(values), low, high]


def around(half_of):
    def interval(values):
        half = half_of(np.asarray(values))
        return np.mean(values), np.mean(values) - half, np.mean(values) + half

    return interval


GOOD = (
    "I would ask for a majority answer and a logistic regression on the same frozen features as "
    "the simple bars, and for a matched classical layer with as many weights in the circuit's "
    "place. Every model gets the same budget: ten settings, chosen on validation images, each "
    "with a learning rate of its own. Ten seeds of each, and a paired interval of the difference."
)
GOOD_TOO = (
    "First a linear classifier. Then the backbone again with a small layer of the same size "
    "instead of the circuit. Both are tuned equally, with the same number of tries, and epochs "
    "are picked by inner splits only. I want to see at least five runs of everything, repeated "
    "with new seeds, with the spread and a bootstrap over the test images shown beside the means."
)


def without(word, instead=""):
    assert word in GOOD
    return GOOD.replace(word, instead)


RIGHT = {
    "03.block": [(4672, BLOCK), (4672.0, BLOCK), (3 * 3 * 16 * 32 + 2 * 32, BLOCK)],
    "03.size": [(size_by_counting, {}), (size_by_pytorch, {})],
    "03.step": [(step_as_taught, {}), (step_otherwise, {})],
    "03.epoch": [(3, HISTORY), (np.int64(3), HISTORY), (3.0, HISTORY)],
    "03.script": [
        ([2, 15, 16], {}),
        ((1, 14, 17), {}),
        ([2, 14, 15, 16, 17, 18], {}),
        (np.array([15, 2, 19]), {}),
    ],
    "03.interval": [(interval_by_statsmodels, {}), (interval_by_scipy, {})],
    "03.trainable": [(2562, LITE), (1280 * 2 + 2, LITE), (4098, dict(n_features=2048))],
    "03.baseline": [(GOOD, {}), (GOOD_TOO, {})],
}
WRONG = [
    ("03.block", 4608, BLOCK, "batch norm learns two numbers"),
    ("03.block", 4640, BLOCK, "a scale *and* a shift"),
    ("03.block", 4704, BLOCK, "bias=False"),
    ("03.block", 4736, BLOCK, "kept, not learned"),
    ("03.block", 352, BLOCK, "through all channels"),
    ("03.block", 576, BLOCK, "nine numbers"),
    ("03.block", 64, BLOCK, "batch norm alone"),
    ("03.block", 23000, BLOCK, "not it"),
    ("03.size", lambda n, k, p, s: (n + 2 * p - k) // s, {}, "one is missing"),
    ("03.size", lambda n, k, p, s: (n + p - k) // s + 1, {}, "on both sides"),
    ("03.size", lambda n, k, p, s: (n - k) // s + 1, {}, "padding has no effect"),
    ("03.size", lambda n, k, p, s: n + 2 * p - k + 1, {}, "stride has no effect"),
    ("03.size", lambda n, k, p, s: -((k - n - 2 * p) // s) + 1, {}, "round down"),
    ("03.size", lambda n, k, p, s: (n + 2 * p - k) / s + 1, {}, "whole pixels"),
    ("03.size", lambda n, k, p, s: (n + 2 * p - k + 1) // s, {}, "after the division"),
    ("03.size", lambda n, k, p, s: n // s, {}, "with size = 28, kernel = 3, padding = 0"),
    ("03.size", 28, {}, "expected a function"),
    ("03.step", nb03._without_clearing, {}, "backward() adds to them"),
    ("03.step", step_cleared_late, {}, "before they are used"),
    (
        "03.step",
        step_early,
        {},
        "move before they are differentiated: optimiser.step() comes after",
    ),
    ("03.step", nb03._on_probabilities, {}, "takes logits"),
    ("03.step", nb03._in_evaluation_mode, {}, "evaluation mode"),
    ("03.step", step_without_step, {}, "optimiser.step()"),
    ("03.step", step_without_return, {}, "returns nothing"),
    ("03.step", step_with_closed_eyes, {}, "after batch 1 it has loss"),
    ("03.step", step_with_vector, {}, "one number"),
    ("03.step", step_of_other_arguments, {}, "it stops: TypeError"),
    ("03.step", 0.5, {}, "expected a function"),
    ("03.epoch", 2, HISTORY, "counted from 1"),
    ("03.epoch", 5, HISTORY, "training images do not vote"),
    ("03.epoch", 5, TIED, "the first of them stays"),
    ("03.epoch", 6, HISTORY, "last epoch"),
    ("03.epoch", 0.81, HISTORY, "the number of its epoch"),
    ("03.epoch", 4, HISTORY, "not it"),
    ("03.epoch", [3, 5], HISTORY, "expected one number"),
    ("03.script", [2, 16], {}, "2 of 3 found; one is still hidden in how the network is asked"),
    ("03.script", [15, 16], {}, "2 of 3 found; one is still hidden in the preparation"),
    ("03.script", [2, 15], {}, "2 of 3 found; one is still hidden in what decides"),
    ("03.script", 2, {}, "1 of 3 found"),
    ("03.script", [2, 8, 15, 16], {}, "training mode belongs right there"),
    ("03.script", [2, 11, 16], {}, "early enough"),
    ("03.script", [2, 3, 16], {}, "the same two numbers"),
    ("03.script", [2, 5, 16], {}, "usual learning rate"),
    ("03.script", [0, 2], {}, "from 1 to 19"),
    ("03.script", "the scaling", {}, "list of line numbers"),
    ("03.interval", around(lambda v: 1.96 * stats.sem(v)), {}, "1.96 is for many values"),
    ("03.interval", around(lambda v: 1.96 * v.std() / np.sqrt(len(v))), {}, "not 1.96"),
    (
        "03.interval",
        around(lambda v: v.std(ddof=1) * stats.t.ppf(0.975, len(v) - 1)),
        {},
        "about single runs",
    ),
    (
        "03.interval",
        around(lambda v: stats.sem(v, ddof=0) * stats.t.ppf(0.975, len(v) - 1)),
        {},
        "ddof=1",
    ),
    (
        "03.interval",
        around(lambda v: stats.sem(v) * stats.t.ppf(0.975, len(v))),
        {},
        "degrees of freedom",
    ),
    (
        "03.interval",
        around(lambda v: stats.sem(v) * stats.t.ppf(0.95, len(v) - 1)),
        {},
        "2.5 % on each side",
    ),
    ("03.interval", around(stats.sem), {}, "one standard error"),
    ("03.interval", around(lambda v: v.std(ddof=1)), {}, "one standard deviation"),
    ("03.interval", lambda v: (np.mean(v), min(v), max(v)), {}, "range of what was seen"),
    ("03.interval", lambda v: np.mean(v), {}, "with values = [0.902"),
    ("03.trainable", 2560, LITE, "biases"),
    ("03.trainable", 1281, LITE, "two classes"),
    ("03.trainable", 1280, LITE, "two classes"),
    ("03.trainable", 1282, LITE, "a weight for every feature"),
    ("03.trainable", 1280**2, LITE, "to two classes"),
    ("03.trainable", 1000, LITE, "not it"),
    ("03.baseline", "A stronger network, of course.", {}, "argue in 40 words"),
    (
        "03.baseline",
        without("a majority answer and a logistic regression on").replace("simple bars", "bars"),
        {},
        "simplest thing",
    ),
    (
        "03.baseline",
        without("the same frozen features as", "features as")
        .replace("a matched", "a")
        .replace("with as many weights ", ""),
        {},
        "stands in its place",
    ),
    (
        "03.baseline",
        without("the same budget: ten settings", "ten tries").replace("learning rate", "schedule"),
        {},
        "how much effort",
    ),
    ("03.baseline", without("Ten seeds of each", "One of each"), {}, "one run of each"),
    ("03.baseline", without("a paired interval of", "of course"), {}, "more than luck"),
    ("03.baseline", without("validation", "test"), {}, "may settings and epochs be chosen"),
    ("03.baseline", ["majority", "logistic"], {}, "expected a text"),
]
