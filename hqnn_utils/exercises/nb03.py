"""Checks of the exercises in notebook 03."""

from __future__ import annotations

import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import faulty_lines, function, number, paragraph

# ---------------------------------------------------------------- the network


def _block(answer, *, block) -> Verdict:
    """The answer is the number of learned numbers of one block: convolution and batch norm."""
    from torch import nn

    convolution = next(m for m in block if isinstance(m, nn.Conv2d))
    kernel = math.prod(convolution.kernel_size)
    before, after = convolution.in_channels, convolution.out_channels
    weights, scales = kernel * before * after, 2 * after
    wrong = {
        weights: "the convolution is right; batch norm learns two numbers for each channel",
        weights + after: "batch norm learns a scale *and* a shift for each channel",
        weights + after + scales: "these convolutions are built with bias=False",
        weights + 2 * scales: "the running mean and variance are kept, not learned",
        kernel * after + scales: "each filter reaches through all channels that come in",
        before * after + scales: "a filter has nine numbers for each channel that comes in",
        scales: "these are the numbers of batch norm alone; the convolution learns too",
    }
    right = f"{weights} in the convolution and {scales} in the batch norm"
    return number(answer, weights + scales, right, wrong.items(), whole=True)


def output_size(size: int, kernel: int, padding: int, stride: int) -> int:
    """Height of the map behind a convolution or a pooling, in pixels."""
    return (size + 2 * padding - kernel) // stride + 1


SIZES = [
    (28, 3, 1, 1),
    (28, 3, 0, 1),
    (7, 2, 0, 2),
    (224, 7, 3, 2),
    (31, 5, 2, 3),
    (10, 4, 0, 3),
]


def _size(answer) -> Verdict:
    wrong = [
        (
            lambda n, k, p, s: (n + 2 * p - k) // s,
            "one is missing: the first position counts before any step is taken",
        ),
        (lambda n, k, p, s: (n + p - k) // s + 1, "padding is added on both sides"),
        (lambda n, k, p, s: (n - k) // s + 1, "the padding has no effect yet"),
        (lambda n, k, p, s: n + 2 * p - k + 1, "the stride has no effect yet"),
        (
            lambda n, k, p, s: math.ceil((n + 2 * p - k) / s) + 1,
            "a step that would leave the image is not taken: round down",
        ),
        (
            lambda n, k, p, s: (n + 2 * p - k) / s + 1,
            "an image has whole pixels: round down with //",
        ),
        (
            lambda n, k, p, s: (n + 2 * p - k + 1) // s,
            "add the one after the division: it counts the first position, which needs no step",
        ),
    ]
    return function(
        answer,
        output_size,
        SIZES,
        "as PyTorch does it: count the steps that fit, and the first position",
        wrong,
        names=("size", "kernel", "padding", "stride"),
    )


# ---------------------------------------------------------------- the training step


def training_step(network, optimiser, x, y) -> float:
    """One step on one batch; the loss before it."""
    from torch import nn

    loss = nn.functional.cross_entropy(network(x), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def _without_clearing(network, optimiser, x, y):
    from torch import nn

    loss = nn.functional.cross_entropy(network(x), y)
    loss.backward()
    optimiser.step()
    return loss.item()


def _on_probabilities(network, optimiser, x, y):
    from torch import nn

    loss = nn.functional.cross_entropy(network(x).softmax(dim=1), y)
    optimiser.zero_grad()
    loss.backward()
    optimiser.step()
    return loss.item()


def _in_evaluation_mode(network, optimiser, x, y):
    network.eval()
    return training_step(network, optimiser, x, y)


STEP_FAULTS = (
    (
        _without_clearing,
        "the gradients of the first batch are still there in the second: backward() adds to them",
    ),
    (
        _on_probabilities,
        "cross_entropy takes logits: it contains the softmax, so yours is applied twice",
    ),
    (
        _in_evaluation_mode,
        "the network was switched to evaluation mode: its batch norm no longer uses the batch",
    ),
)
N_STEPS = 3
ORDER = "optimiser.step() comes after backward()"


def _after_steps(step) -> tuple[list, list[np.ndarray], bool]:
    """What ``step`` returns on three batches, the weights behind each, and are gradients left?"""
    import torch
    from torch import nn

    with torch.random.fork_rng():
        torch.manual_seed(7)
        layers = (nn.Linear(3, 5), nn.BatchNorm1d(5), nn.ReLU(), nn.Linear(5, 2))
        network = nn.Sequential(*layers).train()
        batches = [(torch.randn(8, 3), torch.arange(8) % 2) for _ in range(N_STEPS)]
    optimiser = torch.optim.SGD(network.parameters(), lr=0.5)
    losses, weights = [], []
    for x, y in batches:
        losses.append(step(network, optimiser, x, y))
        weights.append(np.concatenate([p.detach().numpy().ravel() for p in network.parameters()]))
    return losses, weights, any(p.grad is not None and p.grad.any() for p in network.parameters())


def _agree(found, expected) -> bool:
    losses = np.allclose(np.array(found[0], float), expected[0], atol=1e-6)
    return losses and all(
        np.allclose(a, b, atol=1e-6) for a, b in zip(found[1], expected[1], strict=True)
    )


def _step(answer) -> Verdict:
    """The answer is a function (network, optimiser, x, y) -> loss, tried on three batches."""
    if not callable(answer):
        return Verdict(
            False,
            f"expected a function, got {type(answer).__name__}: "
            "give its name, without brackets behind it",
        )
    try:
        losses, weights, gradients_left = _after_steps(answer)
    except Exception as error:
        if "modified by an inplace operation" in str(error):
            return Verdict(False, "the weights move before they are differentiated: " + ORDER)
        return Verdict(False, f"with a small network it stops: {type(error).__name__}: {error}")
    return _verdict_on_steps(losses, weights, gradients_left)


def _verdict_on_steps(losses: list, weights: list[np.ndarray], gradients_left: bool) -> Verdict:
    if any(loss is ... for loss in losses):
        return Verdict(None, "replace the ... in the function and run the cell again")
    if any(loss is None for loss in losses):
        return Verdict(False, "it returns nothing: the loss is wanted, `return loss.item()`")
    try:
        losses = [float(loss) for loss in losses]
    except (TypeError, ValueError):
        return Verdict(False, "return the loss of the batch: one number")
    expected = _after_steps(training_step)
    if _agree((losses, weights), expected):
        return Verdict(True, "the same losses and the same weights as ours, three steps long")
    for faulty, word in STEP_FAULTS:
        if _agree((losses, weights), _after_steps(faulty)):
            return Verdict(False, word)
    if np.allclose(weights[0], weights[-1]):
        cleared = "the gradients are cleared after backward(), before they are used"
        return Verdict(False, f"the weights never move: {ORDER if gradients_left else cleared}")
    which = next(
        i for i in range(N_STEPS) if not _agree(([losses[i]], [weights[i]]), _at(expected, i))
    )
    return Verdict(
        False,
        f"after batch {which + 1} it has loss {losses[which]:.4f} and other weights than ours "
        f"(our loss {expected[0][which]:.4f})",
    )


def _at(outcome, i: int):
    return [outcome[0][i]], [outcome[1][i]]


# ---------------------------------------------------------------- the chosen epoch


TIE = "as good as the best so far is not better: the first of them stays"


def _epoch(answer, *, history) -> Verdict:
    """The epoch whose weights are kept: the first with the highest validation AUC."""
    auc = [row["val_auc"] for row in history]
    truth = int(np.argmax(auc)) + 1
    last = len(auc)
    smallest_loss = int(np.argmin([row["loss"] for row in history])) + 1
    worst = int(np.argmin(auc)) + 1
    ties = [i + 1 for i, value in enumerate(auc) if value == max(auc) and i + 1 != truth]
    wrong = [
        (truth - 1, "epochs are counted from 1, positions in a list from 0"),
        (smallest_loss, "that is where the training loss is smallest: training images do not vote"),
        (last, "that is the last epoch of the run"),
        (worst, "that is where validation AUC is lowest"),
        (max(auc), "that is the validation AUC itself: the number of its epoch is asked for"),
        *((tie, TIE) for tie in ties),
    ]
    right = f"epoch {truth} of {last}; the weights of later epochs are thrown away"
    return number(answer, truth, right, wrong, whole=True)


# ---------------------------------------------------------------- the faulty script

SCRIPT = """\
 1  pixels = np.concatenate([train_images, val_images, test_images])
 2  mean, std = pixels.mean(), pixels.std()
 3  train_x, val_x, test_x = ((x - mean) / std for x in (train_images, val_images, test_images))
 4  network = SmallNet()
 5  optimiser = torch.optim.AdamW(network.parameters(), lr=2e-3)
 6  best = 0
 7  for epoch in range(40):
 8      network.train()
 9      for x, y in shuffled_batches(train_x, train_y, 32):
10          loss = nn.functional.cross_entropy(network(x), y)
11          optimiser.zero_grad()
12          loss.backward()
13          optimiser.step()
14      with torch.no_grad():
15          probability = network(test_x).softmax(dim=1)[:, 1]
16      auc = roc_auc_score(test_y, probability)
17      if auc > best:
18          best = auc
19  print("test AUC:", best)"""

# A fault: the lines at which it may be named, and what is said while nobody has named it.
SCRIPT_FAULTS = {
    "scaling": ((1, 2), "one is still hidden in the preparation, before any training"),
    "mode": ((14, 15), "one is still hidden in how the network is asked: what do its layers do?"),
    "choice": ((16, 17, 18, 19), "one is still hidden in what decides which epoch counts"),
}
SCRIPT_IN_ORDER = {
    3: "line 3 is in order: all three parts must be scaled by the same two numbers",
    4: "line 4 is in order, though a seed before it would make the run repeatable",
    5: "line 5 is in order: AdamW with a usual learning rate",
    6: "line 6 is in order: every AUC is larger than 0",
    7: "line 7 is in order: a fixed number of epochs is a choice, not a fault",
    8: "line 8 is in order: training mode belongs right there",
    9: "line 9 is in order: training images only, in a new order",
    10: "line 10 is in order: cross_entropy takes logits",
    11: "line 11 is in order: before backward() is early enough",
    12: "line 12 is in order",
    13: "line 13 is in order",
}


def _script(answer) -> Verdict:
    """The answer is a list of the numbers of lines, one for each fault."""
    return faulty_lines(
        answer,
        n_lines=SCRIPT.count("\n") + 1,
        faults=SCRIPT_FAULTS,
        in_order=SCRIPT_IN_ORDER,
        right="the test images take part in the scaling; the network is asked in training mode, so "
        "that its batch norm uses the test images' own statistics; and the best epoch on the test "
        "images is reported",
    )


# ---------------------------------------------------------------- over seeds


def interval_over_seeds(values) -> tuple[float, float, float]:
    """Mean and 95 % interval of the mean over seeds, by Student's t."""
    from scipy.stats import sem, t

    mean, half = np.mean(values), sem(values) * t.ppf(0.975, len(values) - 1)
    return mean, mean - half, mean + half


SEED_VALUES = [
    ([0.902, 0.911, 0.897, 0.915, 0.906],),
    ([0.80, 0.85, 0.83],),
    ([0.871, 0.874, 0.902, 0.888, 0.866, 0.879, 0.893, 0.901, 0.885, 0.870],),
]


def _with_half(half_of):
    """The interval mean plus or minus ``half_of(values)``."""

    def interval(values):
        mean, half = np.mean(values), half_of(np.asarray(values, float))
        return mean, mean - half, mean + half

    return interval


def _interval(answer) -> Verdict:
    from scipy.stats import sem, t

    wrong = [
        (
            _with_half(lambda v: 1.96 * sem(v)),
            "1.96 is for many values: with few seeds take Student's t, n - 1 degrees of freedom",
        ),
        (
            _with_half(lambda v: 1.96 * sem(v, ddof=0)),
            "with few seeds take Student's t, not 1.96, and divide by n - 1 in the variance",
        ),
        (
            _with_half(lambda v: v.std(ddof=1) * t.ppf(0.975, len(v) - 1)),
            "that is about single runs: the mean of n runs varies less, by the square root of n",
        ),
        (
            _with_half(lambda v: sem(v, ddof=0) * t.ppf(0.975, len(v) - 1)),
            "np.std divides by n; for an estimate from a sample say ddof=1",
        ),
        (
            _with_half(lambda v: sem(v) * t.ppf(0.975, len(v))),
            "n values that share one mean leave n - 1 degrees of freedom",
        ),
        (
            _with_half(lambda v: sem(v) * t.ppf(0.95, len(v) - 1)),
            "95 % in the middle leave 2.5 % on each side: ask t.ppf for 0.975",
        ),
        (_with_half(sem), "that is plus or minus one standard error: multiply it by Student's t"),
        (
            _with_half(lambda v: v.std(ddof=1)),
            "that is plus or minus one standard deviation of single runs",
        ),
        (
            lambda values: (np.mean(values), np.min(values), np.max(values)),
            "that is the range of what was seen, not an interval for the mean",
        ),
    ]
    return function(
        answer,
        interval_over_seeds,
        SEED_VALUES,
        "the same as comparison.mean_interval",
        wrong,
        names=("values",),
    )


# ---------------------------------------------------------------- transfer


def _trainable(answer, *, n_features) -> Verdict:
    truth = 2 * n_features + 2
    wrong = {
        2 * n_features: "the two biases learn too",
        n_features: "there are two classes, and each has weights of its own",
        n_features + 1: "there are two classes, and each has weights of its own",
        n_features + 2: "each of the two classes has a weight for every feature",
        n_features * n_features: "the head goes from the features to two classes",
    }
    right = f"{truth}: two weights a feature and two biases"
    return number(answer, truth, right, wrong.items(), whole=True)


# ---------------------------------------------------------------- a baseline for a paper

BASELINE_POINTS = (
    (
        r"majorit|logistic|linear (model|regression|classifier|head|layer)|\bsimple",
        "what is the simplest thing that it must beat? Name one",
    ),
    (
        r"same (backbone|features?|network|body|size|shape|number|images|split|parameter)|matched"
        r"|parameter[- ]?(count|match|number)|(as|equally) many (weights|param)",
        "the new part also brings weights: what stands in its place, and how big is that?",
    ),
    (
        r"budget|tun(e|ed|ing)|learning rate|hyper-?param|same (settings|recipe|epochs|training)"
        r"|equal(ly)? (long|effort|many (tries|settings))",
        "say how much effort each model gets: who was tuned, and on how many settings?",
    ),
    (r"seeds?\b|repeat|several runs|\d+ runs|restarts?", "one run of each is one draw: how many?"),
    (
        r"interval|uncertain|standard (error|deviation)|spread|paired|bootstrap|significan",
        "how will a reader see whether the difference is more than luck?",
    ),
    (
        r"validation|inner|cross-valid|held[- ]out|nested",
        "on which images may settings and epochs be chosen?",
    ),
)


def _baseline(answer) -> Verdict:
    return paragraph(
        answer,
        BASELINE_POINTS,
        "all six points are touched; whether the argument holds is for a reader to say",
        words=40,
    )


EXERCISES = {
    "03.block": Exercise(
        _block,
        "read",
        hints=(
            "Go through the block in order and ask of each part: does it hold numbers that learn?",
            "One filter has 3 × 3 numbers for each channel that comes in; there is one filter for "
            "each channel that goes out. Batch norm learns two numbers a channel.",
            "3 · 3 · (channels in) · (channels out), and 2 · (channels out) on top. ReLU and "
            "pooling learn nothing.",
        ),
    ),
    "03.size": Exercise(
        _size,
        "write",
        hints=(
            "Draw a row of 7 pixels and a window of 3. How many positions are there?",
            "Padding makes the row longer at both ends. Then count the steps that fit between the "
            "first position and the last.",
            "The window's left edge can move by (padded size - kernel) pixels. How many whole "
            "strides is that? Do not forget where it stood at the start.",
        ),
    ),
    "03.step": Exercise(
        _step,
        "write",
        hints=(
            "What does the network say, how wrong is it? And then three calls that change it.",
            "logits = network(x); the loss compares logits and labels. Then clear the old "
            "gradients, compute new ones, move the weights.",
            "nn.functional.cross_entropy, optimiser.zero_grad, loss.backward, optimiser.step, in "
            "that order; give back loss.item().",
        ),
    ),
    "03.epoch": Exercise(
        _epoch,
        "read",
        hints=(
            "Which column decides: the loss or the validation AUC?",
            "Look for the highest value in the column val_auc; of two equal ones the first counts.",
            "pd.DataFrame(history) shows the column; idxmax finds the row. Mind whether rows are "
            "counted from 0.",
        ),
    ),
    "03.script": Exercise(
        _script,
        "fault",
        hints=(
            "Follow the test images through the script: where they appear, ask what they decide.",
            "Two faults let the test images decide something. The third is a call that is missing "
            "before the network is asked.",
            "Look at the two numbers that scale the pixels, at the mode in which probabilities are "
            "computed, and at the AUC that picks the epoch.",
        ),
    ),
    "03.interval": Exercise(
        _interval,
        "write",
        hints=(
            "An interval for a mean is: mean plus or minus (a factor) times (its standard error).",
            "The standard error is the standard deviation (ddof=1) over the square root of n; the "
            "factor comes from Student's t with n - 1 degrees of freedom.",
            "scipy.stats.sem gives the standard error, scipy.stats.t.ppf(0.975, ...) the factor.",
        ),
    ),
    "03.trainable": Exercise(
        _trainable,
        "read",
        hints=(
            "Frozen means: the network gives numbers, and none of its own changes.",
            "The head is one linear layer from the features to two classes.",
            "A linear layer has (inputs × outputs) weights and one bias for each output.",
        ),
    ),
    "03.baseline": Exercise(
        _baseline,
        "judge",
        hints=(
            "Imagine that the circuit did nothing at all. Which comparison would show it?",
            "Think of six things: a simple bar, a stand-in of the same size, equal effort, "
            "repetition, uncertainty, and where choices are made.",
            "For each of the six write one sentence that begins with 'I would ask for'.",
        ),
        rubric=(
            "Looks for: (1) a simple bar (majority, logistic regression on the same features); "
            "(2) a control in the circuit's place with as many parameters, on the same frozen or "
            "fine-tuned backbone and the same split; (3) the same number of settings tried for "
            "each, each with its own learning rate; (4) five seeds or more; (5) an interval or a "
            "paired test, over seeds and images; (6) choices on validation or inner splits, the "
            "test images once. A good answer also asks whether 177 against 181 of 200 can be told "
            "apart, and notices that the split was made after augmentation."
        ),
    ),
}
