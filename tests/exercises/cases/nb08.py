"""Answers to the exercises of notebook 08: right ones, usual wrong ones, what is said to them."""

import copy
import math

import numpy as np
import torch
from sklearn.metrics import roc_auc_score
from torch import nn
from torch.nn import functional

from hqnn_utils.exercises.nb08 import _train
from hqnn_utils.models import build_head, count_parameters
from hqnn_utils.quantum import QuantumLayer
from hqnn_utils.training import predict_proba
from hqnn_utils.training.augment import flip_horizontally

# ---------------------------------------------------------------- the study's head


class Head(nn.Module):
    """The study's head; the options are faults."""

    def __init__(self, n_features, circuit, bypass_from=None, dropout=0.3, n_hidden=128):
        super().__init__()
        self.one = nn.Sequential(
            nn.Linear(n_features, n_hidden), nn.ReLU(), nn.Linear(n_hidden, 4), nn.Tanh()
        )
        self.circuit = circuit
        self.two = nn.Sequential(nn.Linear(bypass_from or n_features, 32), nn.ReLU())
        self.end = nn.Sequential(
            nn.Linear(36, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 2)
        )

    def forward(self, features):
        angles = math.pi * self.one(features)
        return self.end(torch.cat([self.circuit(angles), self.two(features)], dim=1))


class Flat(nn.Module):
    """The same without nn.Sequential, in another order of definition."""

    def __init__(self, n_features, circuit):
        super().__init__()
        self.last, self.joined = nn.Linear(64, 2), nn.Linear(36, 64)
        self.side, self.down = nn.Linear(n_features, 32), nn.Linear(128, 4)
        self.up, self.circuit = nn.Linear(n_features, 128), circuit

    def forward(self, features):
        angles = torch.tanh(self.down(functional.relu(self.up(features)))) * torch.pi
        both = torch.cat((self.circuit(angles), functional.relu(self.side(features))), -1)
        hidden = functional.relu(self.joined(both))
        return self.last(functional.dropout(hidden, 0.3, self.training))


def faulty_head(forward):
    """``Flat`` with another ``forward``."""
    return type("Faulty", (Flat,), {"forward": forward})


def no_pi(self, x):
    angles = torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.3, self.training))


def no_first_relu(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x)))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.3, self.training))


def no_bypass_relu(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x)), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.3, self.training))


def no_last_relu(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(functional.dropout(self.joined(both), 0.3, self.training))


def bypass_first(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.side(x).relu(), self.circuit(angles)), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.3, self.training))


def with_softmax(self, x):
    return Flat.forward(self, x).softmax(dim=1)


def without_dropout(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(self.joined(both).relu())


def always_dropping(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.3))


def dropping_before_the_join(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    both = functional.dropout(both, 0.3, self.training)
    return self.last(self.joined(both).relu())


def dropping_half(self, x):
    angles = torch.pi * torch.tanh(self.down(self.up(x).relu()))
    both = torch.cat((self.circuit(angles), self.side(x).relu()), -1)
    return self.last(functional.dropout(self.joined(both).relu(), 0.5, self.training))


class NoBypass(nn.Module):
    def __init__(self, n_features, circuit):
        super().__init__()
        self.one = nn.Sequential(nn.Linear(n_features, 128), nn.ReLU(), nn.Linear(128, 4))
        self.circuit = circuit
        self.end = nn.Sequential(nn.Linear(4, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, 2))

    def forward(self, x):
        return self.end(self.circuit(torch.pi * torch.tanh(self.one(x))))


class NoCircuit(NoBypass):
    def __init__(self, n_features, circuit):
        super().__init__(n_features, nn.Identity())


class BypassFromAngles(Head):
    def __init__(self, n_features, circuit):
        super().__init__(n_features, circuit, bypass_from=4)

    def forward(self, features):
        angles = math.pi * self.one(features)
        return self.end(torch.cat([self.circuit(angles), self.two(angles)], dim=1))


class OpenHead(Flat):
    def forward(self, features):
        return ...


# ---------------------------------------------------------------- numbers and settings

STUDY = build_head("study_hybrid", 2048)
ALL = count_parameters(STUDY)
HEAD = dict(head=STUDY)

HYBRID = dict(head="dressed", spec=dict(n_qubits=6, reupload=True), seed=3, epochs=20)
CONTEXT = dict(hybrid=HYBRID)
MIXING = {**HYBRID, "head": "mixing"}
REASON = (
    "It has as many trainable parameters as the circuit and the same layers around it, and it "
    "mixes its inputs as the circuit does; seed, data and epochs are the same, so only the map "
    "in the circuit's place differs."
)
SHORT = "Because it is the classical twin of the circuit."

PAIR = dict(a=[0.9, 0.8, 0.85, 0.92], b=[0.85, 0.82, 0.85, 0.91])  # +.05, -.02, 0, +.01


# ---------------------------------------------------------------- the map that mixes

PAIRS = ((0, 1), (1, 2), (2, 3), (0, 3))
C, S = math.cos(0.5), math.sin(0.5)


def mixing_with_matrices(x, biases):
    h = np.asarray(x) / np.pi
    for row in biases:
        for i, j in PAIRS:
            turn = np.eye(4)
            turn[i, i] = turn[j, j] = C
            turn[i, j], turn[j, i] = -S, S
            h = turn @ h
        h = np.tanh(h + row)
    return h


def mixing_in_place(x, biases, scale=np.pi, pairs=PAIRS, tanh=np.tanh, bias=1.0, sign=1.0):
    h = [value / scale for value in x]
    for row in biases:
        for i, j in pairs:
            h[i], h[j] = C * h[i] - sign * S * h[j], sign * S * h[i] + C * h[j]
        h = [tanh(value + bias * b) for value, b in zip(h, row, strict=True)]
    return h


def mixing_overwritten(x, biases):
    h = np.array(x) / np.pi
    for row in biases:
        for i, j in PAIRS:
            h[i] = C * h[i] - S * h[j]
            h[j] = S * h[i] + C * h[j]
        h = np.tanh(h + row)
    return h


def mixing_tanh_first(x, biases):
    h = np.array(x) / np.pi
    for row in biases:
        h = np.tanh(h + row)
        for i, j in PAIRS:
            h[i], h[j] = C * h[i] - S * h[j], S * h[i] + C * h[j]
    return h


def mixing_at_once(x, biases):
    h = np.array(x) / np.pi
    for row in biases:
        old = h.copy()
        for i, j in PAIRS:
            h[i], h[j] = C * old[i] - S * old[j], S * old[i] + C * old[j]
        h = np.tanh(h + row)
    return h


# ---------------------------------------------------------------- groups


def parts_of(model):
    circuit = [p for m in model.modules() if isinstance(m, QuantumLayer) for p in m.parameters()]
    inside = {id(p) for p in circuit}
    head = [p for p in model.head.parameters() if id(p) not in inside]
    return list(model.backbone.parameters()), circuit, head


def groups_by_id(model, rates):
    backbone, circuit, head = parts_of(model)
    return [
        {"params": backbone, "lr": rates["backbone"]},
        {"params": circuit, "lr": rates["circuit"]},
        {"params": head, "lr": rates["head"]},
    ]


def groups_by_name(model, rates):
    found = {"backbone": [], "circuit": [], "head": []}
    for name, p in model.named_parameters():
        part = "backbone" if name.startswith("backbone") else "head"
        if name.endswith(".weights"):  # only circuits call theirs so
            part = "circuit"
        found[part].append(p)
    return [{"lr": rates[part], "params": iter(ps)} for part, ps in found.items()]


def groups_twice(model, rates):
    backbone, circuit, _ = parts_of(model)
    return [
        {"params": backbone, "lr": rates["backbone"]},
        {"params": circuit, "lr": rates["circuit"]},
        {"params": model.head.parameters(), "lr": rates["head"]},
    ]


def groups_without_circuit(model, rates):
    return [group for k, group in enumerate(groups_by_id(model, rates)) if k != 1]


def groups_circuit_as_head(model, rates):
    return [
        {"params": model.backbone.parameters(), "lr": rates["backbone"]},
        {"params": model.head.parameters(), "lr": rates["head"]},
    ]


def groups_swapped(model, rates):
    return groups_by_id(model, {**rates, "circuit": rates["head"], "head": rates["circuit"]})


def groups_by_place(model, rates):
    inside = {id(p) for p in model.head.core.parameters()}
    head = [p for p in model.head.parameters() if id(p) not in inside]
    return [
        {"params": model.backbone.parameters(), "lr": rates["backbone"]},
        {"params": model.head.core.parameters(), "lr": rates["circuit"]},
        {"params": head, "lr": rates["head"]},
    ]


def groups_without_backbone(model, rates):
    return groups_by_id(model, rates)[1:]


def groups_as_pairs(model, rates):
    return [(rates["head"], model.head.parameters())]


# ---------------------------------------------------------------- the loop


def as_on_the_page(model, train, val, rates, epochs, seed):
    """The page's solution."""
    x, y = train
    optimiser = torch.optim.AdamW(groups_by_id(model, rates), weight_decay=1e-4)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
    criterion = nn.CrossEntropyLoss(weight=len(y) / (2 * torch.bincount(y).float()))
    history, best_auc = [], -1.0
    for epoch in range(1, epochs + 1):
        torch.manual_seed(1_000_003 * seed + epoch - 1)
        model.train()
        total = 0.0
        for index in torch.randperm(len(y)).split(32):
            loss = criterion(model(flip_horizontally(x[index])), y[index])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            total += loss.item() * len(index)
        schedule.step()
        auc = roc_auc_score(val[1], predict_proba(model, val[0]))
        history.append({"epoch": epoch, "loss": total / len(y), "val_auc": auc})
        if auc > best_auc:
            best_auc, best_weights = auc, copy.deepcopy(model.state_dict())
    model.load_state_dict(best_weights)
    return history


def in_other_words(model, train, val, rates, epochs, seed):
    """The cosine by hand, the weighted mean by hand, numpy's copies of the weights."""
    (x, y), found, best = train, [], None
    parts = groups_by_name(model, rates)
    starts = [part["lr"] for part in parts]
    adam = torch.optim.AdamW(parts, weight_decay=1e-4)
    weight = torch.tensor([len(y) / (2 * (y == c).sum().item()) for c in (0, 1)])
    for e in range(epochs):
        torch.manual_seed(1_000_003 * seed + e)
        for part, start in zip(adam.param_groups, starts, strict=True):
            part["lr"] = start * (1 + math.cos(math.pi * e / epochs)) / 2
        model.train()
        sums = []
        for index in torch.split(torch.randperm(len(y)), 32):
            adam.zero_grad()
            logits = model(flip_horizontally(x[index]))
            each = functional.cross_entropy(logits, y[index], reduction="none")
            w = weight[y[index]]
            loss = (w * each).sum() / w.sum()
            loss.backward()
            adam.step()
            sums.append(float(loss.detach()) * len(index))
        with torch.no_grad():
            scores = model.eval()(val[0])
        auc = roc_auc_score(val[1], (scores[:, 1] - scores[:, 0]).numpy())
        found.append({"val_auc": auc, "loss": sum(sums) / len(y)})
        if best is None or auc > best[0]:
            best = auc, {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(best[1])
    return found


def looped(**options):
    return lambda *task: _train(*task, **options)


def kept_by_reference(model, train, val, rates, epochs, seed):
    """``state_dict`` without a copy goes on changing."""
    return _train(model, train, val, rates, epochs, seed, keeps="last")


RIGHT = {
    "08.head": [(Head, {}), (Flat, {})],
    "08.fraction": [
        (8 / ALL, HEAD),
        (2.4e-5, HEAD),
        (0.0024, HEAD),  # per cent
        ("0.0024 %", HEAD),
    ],
    "08.mixing": [(mixing_with_matrices, {}), (mixing_in_place, {})],
    "08.control": [
        ((MIXING, REASON), CONTEXT),
        ([{**MIXING, "lr": 2e-3}, REASON], CONTEXT),  # what is the default anyway
        (({**MIXING, "size": 28, "name": "mine"}, REASON), CONTEXT),
    ],
    "08.groups": [(groups_by_id, {}), (groups_by_name, {})],
    "08.loop": [(as_on_the_page, {}), (in_other_words, {})],
    "08.comparison": [([5, 8, 10], {}), ((4, 8, 10), {}), ({10, 6, 8}, {})],
    "08.paired": [((0.01, 2), PAIR), ([np.float64(0.01), np.int64(2)], PAIR), (("0.010", 2), PAIR)],
}
WRONG = [
    ("08.head", faulty_head(no_pi), {}, "multiply the tanh by pi"),
    ("08.head", faulty_head(no_first_relu), {}, "behind the layer of 128"),
    ("08.head", faulty_head(no_bypass_relu), {}, "32 of the bypass"),
    ("08.head", faulty_head(no_last_relu), {}, "behind the layer of 64"),
    ("08.head", faulty_head(bypass_first), {}, "circuit's four numbers first"),
    ("08.head", faulty_head(with_softmax), {}, "return logits"),
    ("08.head", faulty_head(without_dropout), {}, "all but the dropout"),
    ("08.head", faulty_head(always_dropping), {}, "training=self.training"),
    ("08.head", lambda n, c: Head(n, c, dropout=0.5), {}, "rate 0.3 is wanted"),
    ("08.head", faulty_head(dropping_before_the_join), {}, "acts on the 64 numbers"),
    ("08.head", faulty_head(dropping_half), {}, "with 0.3"),
    ("08.head", lambda n, c: Head(n, c, n_hidden=64), {}, "from the features to 128"),
    ("08.head", NoBypass, {}, "the bypass is missing"),
    ("08.head", NoCircuit, {}, "the circuit is missing"),
    ("08.head", BypassFromAngles, {}, "from the *features* to 32"),
    ("08.head", lambda n, c: Head(n + 1, c), {}, "it stops"),
    ("08.head", faulty_head(lambda self, x: None), {}, "returns nothing"),
    ("08.head", lambda n, c: "head", {}, "inherits from nn.Module"),
    ("08.head", 3, {}, "expected a class"),
    ("08.fraction", 8, HEAD, "divide by all"),
    ("08.fraction", ALL, HEAD, "how many of them"),
    ("08.fraction", ALL / 8, HEAD, "turn the fraction round"),
    ("08.fraction", 4 / ALL, HEAD, "an angle on every qubit"),
    ("08.fraction", 1 - 8 / ALL, HEAD, "everything else"),
    ("08.fraction", 1 / ALL, HEAD, "one angle for each qubit in each layer"),
    ("08.fraction", None, HEAD, "expected one number"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, scale=1), {}, "divided by pi"),
    (
        "08.mixing",
        lambda x, b: mixing_in_place(x, b, pairs=((0, 1), (1, 2), (2, 3), (3, 0))),
        {},
        "smaller number first",
    ),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, pairs=PAIRS[:3]), {}, "the ring is closed"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, pairs=()), {}, "nothing mixes"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, sign=-1), {}, "turn the other way"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, tanh=float), {}, "the tanh is missing"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b, bias=0), {}, "biases have no effect"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b[:1]), {}, "only the first layer"),
    ("08.mixing", lambda x, b: mixing_in_place(x, b[::-1]), {}, "belongs to the first layer"),
    ("08.mixing", mixing_overwritten, {}, "set both in one assignment"),
    ("08.mixing", mixing_tanh_first, {}, "the turns come first"),
    ("08.mixing", mixing_at_once, {}, "one after the other"),
    ("08.control", MIXING, CONTEXT, "(setting, reason)"),
    ("08.control", ("mixing", REASON), CONTEXT, "expected a setting"),
    ("08.control", (HYBRID, REASON), CONTEXT, "the hybrid itself"),
    ("08.control", ({**HYBRID, "head": "linear"}, REASON), CONTEXT, "head of the same shape"),
    ("08.control", ({**HYBRID, "head": "study_mixing"}, REASON), CONTEXT, "of the same shape"),
    ("08.control", ({**HYBRID, "head": "matched"}, REASON), CONTEXT, "sees one input only"),
    ("08.control", ({**HYBRID, "head": "mlp"}, REASON), CONTEXT, "more parameters"),
    ("08.control", ({**HYBRID, "head": "cosines"}, REASON), CONTEXT, "more parameters"),
    ("08.control", ({**HYBRID, "head": "fourier"}, REASON), CONTEXT, "drawn by chance"),
    ("08.control", ({**HYBRID, "head": "frozen"}, REASON), CONTEXT, "still a circuit"),
    ("08.control", ({**HYBRID, "head": "shuffled"}, REASON), CONTEXT, "another image's angles"),
    ("08.control", ({**HYBRID, "head": "identity"}, REASON), CONTEXT, "weaker opponent"),
    ("08.control", ({**HYBRID, "head": "mix"}, REASON), CONTEXT, "unknown head"),
    (
        "08.control",
        (dict(head="mixing", seed=3, epochs=20), REASON),
        CONTEXT,
        "also differs in spec",
    ),
    ("08.control", ({**MIXING, "seed": 4}, REASON), CONTEXT, "also differs in seed"),
    ("08.control", (MIXING, SHORT), CONTEXT, "words: argue in"),
    (
        "08.control",
        (
            MIXING,
            "The same layers stand around it, it mixes what comes in, and the same seed and data "
            "are used for the two of them.",
        ),
        CONTEXT,
        "equally many of",
    ),
    (
        "08.control",
        (
            MIXING,
            "Both have the same number of parameters and layers of the same shape too, and both "
            "can combine what comes in.",
        ),
        CONTEXT,
        "about the training",
    ),
    (
        "08.control",
        (
            MIXING,
            "Both have the same number of parameters and layers of the same shape, and both are "
            "trained with the same seed on the same data.",
        ),
        CONTEXT,
        "that 'matched' cannot",
    ),
    ("08.groups", groups_twice, {}, "in two groups"),
    ("08.groups", groups_without_circuit, {}, "the circuit is in no group"),
    ("08.groups", groups_circuit_as_head, {}, "the circuit gets the rate of the head"),
    ("08.groups", groups_swapped, {}, "gets the rate of the"),
    ("08.groups", groups_by_place, {}, "it stops: AttributeError"),
    ("08.groups", groups_without_backbone, {}, "the backbone is in no group"),
    ("08.groups", groups_as_pairs, {}, "expected a list of dicts"),
    ("08.groups", [], {}, "expected a function"),
    ("08.loop", looped(weights="none"), {}, "does not weigh the classes"),
    ("08.loop", looped(weights="turned round"), {}, "the rarer class must count more"),
    ("08.loop", looped(forgets_zero=True), {}, "add up"),
    ("08.loop", looped(rate_of_all=True), {}, "at the head's rate"),
    ("08.loop", looped(schedule="none"), {}, "the rates never fall"),
    ("08.loop", looped(schedule="step"), {}, "once an epoch, not once a batch"),
    ("08.loop", looped(mirrors=False), {}, "not mirrored"),
    ("08.loop", looped(trains=False), {}, "the dropout sleeps"),
    ("08.loop", looped(first_seed=1), {}, "subtract 1"),
    ("08.loop", looped(batch=16), {}, "32 images"),
    ("08.loop", looped(mean_of_batches=True), {}, "weigh each loss"),
    ("08.loop", looped(first_seed=7), {}, "epoch 1 differs"),
    ("08.loop", kept_by_reference, {}, "those of the best epoch"),
    ("08.loop", lambda *task: _train(*task)[:2], {}, "the history has 2"),
    ("08.loop", lambda *task: [[row["loss"]] for row in _train(*task)], {}, "a list with a dict"),
    ("08.loop", lambda *task: None, {}, "returns nothing"),
    ("08.loop", lambda *task: 1 / 0, {}, "it stops: ZeroDivisionError"),
    ("08.loop", {"loss": 1}, {}, "expected a function"),
    ("08.comparison", [1, 8, 10], {}, "line 1 is in order"),
    ("08.comparison", [2], {}, "line 2 is in order"),
    ("08.comparison", 3, {}, "who gets to use them"),
    ("08.comparison", [5, 7], {}, "line 7 is in order"),
    ("08.comparison", [8, 9], {}, "Where do they come from"),
    ("08.comparison", [8, 10], {}, "2 of 3 found; one is still hidden in how many tries"),
    ("08.comparison", [5, 10], {}, "which run is reported"),
    ("08.comparison", [4, 5, 8], {}, "in the conclusion"),
    ("08.comparison", [11], {}, "from 1 to 10"),
    ("08.comparison", [4, 5, 6, 8, 10], {}, "three, not 5"),
    ("08.comparison", "lines", {}, "expected a list"),
    ("08.paired", (-0.01, 2), PAIR, "a minus b"),
    ("08.paired", (0.02, 2), PAIR, "keep the signs"),
    ("08.paired", (0.04, 2), PAIR, "sum over seeds"),
    ("08.paired", (0.005, 2), PAIR, "the median"),
    ("08.paired", (1.0, 2), PAIR, "not in points"),
    ("08.paired", (0.01, 1), PAIR, "count is that of b"),
    ("08.paired", (0.01, 3), PAIR, "a tie is no lead"),
    ("08.paired", (0.01, 4), PAIR, "number of seeds: in how many"),
    ("08.paired", (0.01, 0.5), PAIR, "not their share"),
    ("08.paired", 0.01, PAIR, "tuple of two"),
]
