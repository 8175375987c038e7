"""Checks of the exercises in notebook 08."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass
from functools import partial

import numpy as np

from hqnn_utils.exercises.exercise import OPEN_MESSAGE, Exercise, Verdict
from hqnn_utils.exercises.grading import faulty_lines, function, number, paragraph, together

# ---------------------------------------------------------------- the study's head

N_FEATURES = 10
# What learns in the study's head: shape -> its name, and a word where it is missing.
HEAD_SHAPES = {
    (128, N_FEATURES): ("w128", "the layer from the features to 128 is missing"),
    (128,): ("b128", "the layer to 128 has a bias"),
    (4, 128): ("w4", "the layer from 128 to the four angles is missing"),
    (4,): ("b4", "the layer to the four angles has a bias"),
    (2, 4): ("angles", "the circuit is missing: keep it, self.circuit = circuit"),
    (32, N_FEATURES): (
        "w32",
        "the bypass is missing: it leads from the *features* to 32, beside the way through the "
        "circuit",
    ),
    (32,): ("b32", "the layer of the bypass has a bias"),
    (64, 36): ("w64", "36 numbers are joined, 4 of the circuit and 32 of the bypass"),
    (64,): ("b64", "the layer to 64 has a bias"),
    (2, 64): ("w2", "the last layer leads from 64 to the two classes"),
    (2,): ("b2", "the last layer has a bias"),
}


def study_head(n_features: int, circuit):
    """The study's head: features (N, n_features) -> logits (N, 2)."""
    from hqnn_utils.models.heads import StudyHead

    return StudyHead(n_features, 4, circuit, 4)


def _by_hand(
    p: dict,
    x,
    circuit,
    *,
    pi: float = math.pi,
    first_relu: bool = True,
    bypass_relu: bool = True,
    last_relu: bool = True,
    bypass_first: bool = False,
    softmax: bool = False,
):
    """The study's head on parameters ``p``; each option is a usual fault."""
    import torch
    from torch.nn.functional import linear

    hidden = linear(x, p["w128"], p["b128"])
    hidden = hidden.relu() if first_relu else hidden
    angles = pi * torch.tanh(linear(hidden, p["w4"], p["b4"]))
    bypass = linear(x, p["w32"], p["b32"])
    bypass = bypass.relu() if bypass_relu else bypass
    parts = [circuit(angles), bypass]
    joined = torch.cat(parts[::-1] if bypass_first else parts, dim=-1)
    joined = linear(joined, p["w64"], p["b64"])
    logits = linear(joined.relu() if last_relu else joined, p["w2"], p["b2"])
    return logits.softmax(dim=-1) if softmax else logits


HEAD_FAULTS = (
    ({"pi": 1.0}, "the angles end at -1 and 1: multiply the tanh by pi"),
    ({"first_relu": False}, "a ReLU stands behind the layer of 128"),
    ({"bypass_relu": False}, "a ReLU stands behind the 32 of the bypass"),
    ({"last_relu": False}, "a ReLU stands behind the layer of 64, before the dropout"),
    ({"bypass_first": True}, "join the circuit's four numbers first, then the bypass"),
    ({"softmax": True}, "return logits: the loss contains the softmax"),
)


def _head(answer) -> Verdict:
    """The answer is a class, or a function, that makes a module from (n_features, circuit)."""
    import torch
    from torch import nn

    from hqnn_utils.quantum import CircuitSpec, QuantumLayer

    if not callable(answer):
        return Verdict(False, f"expected a class, got {type(answer).__name__}: give its name")
    with torch.random.fork_rng():
        torch.manual_seed(8)
        circuit = QuantumLayer(CircuitSpec())
        x = torch.randn(7, N_FEATURES)
        try:
            module = answer(N_FEATURES, circuit)
            if not isinstance(module, nn.Module):
                return Verdict(
                    False, "expected a class that inherits from nn.Module: give its name, unmade"
                )
            found = module.eval()(x)
        except Exception as error:
            word = f"with {N_FEATURES} features it stops: {type(error).__name__}: {error}"
            return Verdict(False, word)
        if found is ...:
            return Verdict(None, OPEN_MESSAGE)
        if found is None:
            return Verdict(False, "forward returns nothing: is there a `return` at its end?")
        return _verdict_on_head(module, circuit, x)


def _verdict_on_head(module, circuit, x) -> Verdict:
    import torch

    shapes = [tuple(p.shape) for p in module.parameters()]
    for shape, (_, word) in HEAD_SHAPES.items():
        if shape not in shapes:
            return Verdict(False, word)
    if len(shapes) != len(HEAD_SHAPES):
        return Verdict(False, "there are more layers than the study's head has")
    parameters = {HEAD_SHAPES[tuple(p.shape)][0]: p for p in module.parameters()}
    with torch.no_grad():
        for name, p in parameters.items():
            if name != "angles":
                p.copy_(torch.randn(p.shape) * (0.5 if p.ndim == 1 else 1.5 / p.shape[1] ** 0.5))
        given, again = module(x), module(x)
        if not torch.equal(given, again):
            return Verdict(
                False,
                "in evaluation mode two calls differ: nn.Dropout knows the mode, F.dropout needs "
                "training=self.training",
            )
        if not torch.allclose(given, _by_hand(parameters, x, circuit), atol=1e-5):
            return _fault_of_head(parameters, x, circuit, given)
    return _verdict_on_dropout(module, x)


def _fault_of_head(parameters: dict, x, circuit, given) -> Verdict:
    import torch

    for options, word in HEAD_FAULTS:
        wrong = _by_hand(parameters, x, circuit, **options)
        if given.shape == wrong.shape and torch.allclose(given, wrong, atol=1e-5):
            return Verdict(False, word)
    return Verdict(
        False,
        "all layers are there, but with our weights in them the logits differ: compare "
        "the order of the steps with the drawing",
    )


def _verdict_on_dropout(module, x) -> Verdict:
    import torch
    from torch import nn

    module.train()
    same = torch.equal(module(x), module(x))
    module.eval()
    if same:
        return Verdict(False, "all but the dropout is there: 0.3, before the last layer")
    rates = [m.p for m in module.modules() if isinstance(m, nn.Dropout)]
    if rates and rates != [0.3]:
        return Verdict(False, f"one dropout with rate 0.3 is wanted, yours: {rates}")
    if not _drops_before_the_end(module, x):
        return Verdict(False, "the dropout acts on the 64 numbers, before the last layer, with 0.3")
    return Verdict(True, "with the same weights it gives the package's logits")


def _drops_before_the_end(module, x) -> bool:
    """With 64 ones before the last layer, which passes on the first and adds one."""
    import torch

    shaped = {tuple(p.shape): p for p in module.parameters()}
    with torch.no_grad():
        for shape in ((64, 36), (2, 64)):
            shaped[shape].zero_()
        for shape in ((64,), (2,)):
            shaped[shape].fill_(1.0)
        shaped[2, 64][:, 0] = 1.0
        module.train()
        seen = module(x.repeat(60, 1))[:, 0]
        module.eval()
    kept = torch.isclose(seen, torch.tensor(1 + 1 / 0.7))
    dropped = torch.isclose(seen, torch.tensor(1.0))
    return bool((kept | dropped).all() and kept.any() and dropped.any())


# ---------------------------------------------------------------- where the parameters are


def _fraction(answer, *, head) -> Verdict:
    from hqnn_utils.models import count_parameters, parameter_groups

    in_circuit = sum(p.numel() for p in parameter_groups(head).get("circuit", []))
    in_all = count_parameters(head)
    truth = in_circuit / in_all
    wrong = [
        (in_circuit, "that is how many they are: divide by all trainable numbers"),
        (
            in_all,
            "that is how many trainable numbers there are: how many of them are the circuit's?",
        ),
        (in_all / in_circuit, "turn the fraction round: a part divided by the whole"),
        (truth / 2, "each of the two layers has an angle on every qubit"),
        (1 - truth, "that is the share of everything else"),
        (in_circuit / (in_all / 2048), "divide by all trainable numbers of the head"),
        (1 / in_all, "the circuit has one angle for each qubit in each layer"),
    ]
    right = f"{in_circuit} of {in_all:,}: one in {in_all // in_circuit:,}"
    return number(answer, truth, right, wrong, share=True, tolerance=0.01 * truth)


# ---------------------------------------------------------------- a control that mixes

PAIRS = ((0, 1), (1, 2), (2, 3), (0, 3))
TURN = 0.5  # radian


def mixing(x, biases):
    """The mixing control of the study's circuit, one image: angles (4,), biases (2, 4) -> (4,)."""
    return _mixing(x, biases)


def _mixing(
    x,
    biases,
    *,
    scale: float = math.pi,
    pairs=PAIRS,
    turn: float = TURN,
    tanh: bool = True,
    bias: bool = True,
    tanh_first: bool = False,
    at_once: bool = False,
):
    """``mixing``; each option is a usual fault."""
    h = np.array(x, float) / scale
    cosine, sine = math.cos(turn), math.sin(turn)

    def squash(h, row):
        h = h + row if bias else h
        return np.tanh(h) if tanh else h

    def turned(h):
        new = h.copy()
        for i, j in pairs:
            a, b = (h[i], h[j]) if at_once else (new[i], new[j])
            new[i], new[j] = cosine * a - sine * b, sine * a + cosine * b
        return new

    for row in np.asarray(biases, float):
        h = turned(squash(h, row)) if tanh_first else squash(turned(h), row)
    return h


def _one_after_the_other(x, biases):
    """The usual slip in Python: the second line already sees the new first value."""
    h = np.array(x, float) / math.pi
    for row in np.asarray(biases, float):
        for i, j in PAIRS:
            h[i] = math.cos(TURN) * h[i] - math.sin(TURN) * h[j]
            h[j] = math.sin(TURN) * h[i] + math.cos(TURN) * h[j]
        h = np.tanh(h + row)
    return h


def _mixing_inputs() -> list[tuple]:
    random = np.random.default_rng(8)
    return [(random.uniform(-3, 3, 4), random.normal(0, 0.5, (2, 4))) for _ in range(3)]


def _grade_mixing(answer) -> Verdict:
    ring = ((0, 1), (1, 2), (2, 3), (3, 0))
    wrong = [
        (partial(_mixing, scale=1.0), "the angles are divided by pi first"),
        (partial(_mixing, pairs=ring), "the last pair is (0, 3), the smaller number first"),
        (partial(_mixing, pairs=PAIRS[:3]), "the ring is closed by a fourth pair, (0, 3)"),
        (partial(_mixing, pairs=()), "nothing mixes yet: each pair of the ring is turned"),
        (partial(_mixing, turn=math.radians(0.5)), "half a radian, not half a degree"),
        (partial(_mixing, turn=-0.5), "turn the other way: the minus stands in the first row"),
        (partial(_mixing, tanh=False), "the tanh is missing: without it all is one matrix"),
        (partial(_mixing, bias=False), "the biases have no effect yet"),
        (partial(_mixing, tanh_first=True), "in each layer the turns come first, then the tanh"),
        (
            partial(_mixing, at_once=True),
            "the pairs are turned one after the other: the second sees what the first has done",
        ),
        (
            _one_after_the_other,
            "h[i] is overwritten before h[j] is computed: set both in one assignment",
        ),
        (lambda x, b: _mixing(x, b[:1]), "only the first layer has an effect: there are two"),
        (lambda x, b: _mixing(x, b[::-1]), "the first row of biases belongs to the first layer"),
    ]
    return function(
        answer,
        mixing,
        _mixing_inputs(),
        "the same as MixingLayer: it mixes where the circuit entangles, with 8 numbers",
        wrong,
        names=("x", "biases"),
    )


# ---------------------------------------------------------------- a control, and why it is one

WHY = [
    (
        r"param|weight|number|size|angles",
        "the setting is right; say in your reason what the two must have equally many of",
    ),
    (
        r"layer|shape|architect|head|around|surround|same place|instead|replac",
        "the setting is right; say in your reason what stays the same around the circuit",
    ),
    (
        r"seed|epoch|budget|train|start|data|split",
        "the setting is right; say in your reason what must be the same about the training",
    ),
    (
        r"mix|combin|sees?\b|depend|product|interact|entangl|jacobian|(several|all|more than one)"
        r"( \w+)? inputs?",
        "the setting is right; say in your reason what this control can do with its inputs that "
        "'matched' cannot",
    ),
]


def _control(answer, *, hybrid) -> Verdict:
    """The answer is a pair: a setting, and the reason in a sentence or two."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return Verdict(False, "expected two things: (setting, reason)")
    setting, reason = answer
    right = "the same head, the same training, and in it a classical map that mixes, of its size"
    parts = (_fault_of_control(setting, hybrid), paragraph(reason, WHY, right, words=18))
    return together(parts, right)


def _fault_of_control(setting, hybrid: dict) -> Verdict:
    from hqnn_utils.models import HEADS, control_of
    from hqnn_utils.studies.settings import StudyError, as_setting

    if not isinstance(setting, dict):
        return Verdict(False, f"expected a setting, that is a dict, got {type(setting).__name__}")
    try:
        found = as_setting(setting).stored()
        wanted = as_setting({**hybrid, "head": control_of(hybrid["head"], "mixing")}).stored()
    except StudyError as error:
        return Verdict(False, str(error))
    changed = [key for key in wanted if key != "head" and found[key] != wanted[key]]
    if changed:
        return Verdict(
            False, f"a control differs in its head only; yours also differs in {', '.join(changed)}"
        )
    if found["head"] == wanted["head"]:
        return Verdict(True, "")
    around, _ = HEADS[found["head"]]
    if around is not HEADS[wanted["head"]][0]:
        return Verdict(
            False,
            f"{found['head']!r} has other layers around the circuit's place: "
            "look for a head of the same shape",
        )
    return Verdict(False, OTHER_CONTROLS.get(found["head"], "the hybrid itself is no control"))


OTHER_CONTROLS = {
    "dressed": "that is the hybrid itself: put another map in the circuit's place",
    "matched": "'matched' has the right size, but with so few rows each of its outputs sees one "
    "input only, and the circuit's outputs see several",
    "mlp": "'mlp' has more parameters than the circuit that it replaces",
    "cosines": "'cosines' has more parameters: what the circuit's frequencies could say if free",
    "fourier": "'fourier' has more parameters, and directions that are drawn by chance",
    "frozen": "'frozen' is still a circuit: it asks whether training helps, not whether the "
    "circuit does",
    "shuffled": "'shuffled' is a circuit that gets another image's angles: it tells whether "
    "the head uses its circuit, not whether a classical map does as well",
    "identity": "'identity' has no parameters in the circuit's place: it is a weaker opponent",
}


# ---------------------------------------------------------------- groups of parameters


def groups(model, rates: dict) -> list[dict]:
    """Backbone, circuit and head of a model, each with its learning rate, as AdamW takes them."""
    from hqnn_utils.models import parameter_groups

    parts = parameter_groups(model)
    return [{"params": part, "lr": rates[name]} for name, part in parts.items()]


def _small_models() -> list:
    """Two hybrids on a tiny backbone; their circuits stand in different places."""
    import torch
    from torch import nn

    from hqnn_utils.models import Classifier, build_head

    found = []
    with torch.random.fork_rng():
        torch.manual_seed(8)
        for name in ("study_hybrid", "dressed"):
            backbone = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU())
            backbone.n_features = 5
            found.append(Classifier(backbone, build_head(name, 5)))
    return found


RATES = {"backbone": 0.0001, "circuit": 0.03, "head": 0.002}


def _groups(answer) -> Verdict:
    """The answer is a function (model, rates) -> list of dicts with params and lr."""
    if not callable(answer):
        return Verdict(False, f"expected a function, got {type(answer).__name__}: give its name")
    for model in _small_models():
        try:
            found = answer(model, dict(RATES))
            if found is ...:
                return Verdict(None, OPEN_MESSAGE)
            rates_of = _rates_of(found)
        except (KeyError, TypeError) as error:
            return Verdict(
                False,
                "expected a list of dicts, each with 'params' and 'lr' "
                f"({type(error).__name__}: {error})",
            )
        except Exception as error:
            kind = type(model.head).__name__
            return Verdict(False, f"with a head {kind} it stops: {type(error).__name__}: {error}")
        verdict = _verdict_on_groups(model, rates_of)
        if not verdict:
            return verdict
    return Verdict(True, "every parameter in one group, each group at its own rate")


def _rates_of(found) -> dict[int, list[float]]:
    """A parameter's id -> the rates that it got."""
    rates: dict[int, list[float]] = {}
    for group in found:
        for p in group["params"]:
            rates.setdefault(id(p), []).append(float(group["lr"]))
    return rates


def _verdict_on_groups(model, rates_of: dict[int, list[float]]) -> Verdict:
    from hqnn_utils.models import parameter_groups

    parts = parameter_groups(model)
    got = {name: [rates_of.get(id(p), []) for p in part] for name, part in parts.items()}
    for name, rates in got.items():
        if all(not r for r in rates):
            return Verdict(False, f"the {name} is in no group, so it never learns")
        if any(not r for r in rates):
            return Verdict(False, f"a part of the {name} is in no group, so it never learns")
    for name, rates in got.items():
        if any(len(r) > 1 for r in rates):
            return Verdict(
                False,
                f"the {name} is in two groups, which AdamW refuses: leave the circuit's "
                "parameters out of the head's",
            )
    for name, rates in got.items():
        if any(r[0] != RATES[name] for r in rates):
            others = [n for n, rate in RATES.items() if rate == rates[0][0]]
            whose = f"the rate of the {others[0]}" if others else f"{rates[0][0]:g}"
            return Verdict(False, f"the {name} gets {whose}")
    return Verdict(True, "")


# ---------------------------------------------------------------- the loop


def train_by_hand(model, train, val, rates: dict, epochs: int, seed: int) -> list[dict]:
    """Train in place with a rate for each part, keep the weights of the best epoch; the history."""
    return _train(model, train, val, rates, epochs, seed)


def _train(model, train, val, rates, epochs, seed, **faults) -> list[dict]:
    """``train_by_hand`` with usual faults, see ``_Loop``."""
    return _Loop(**faults).train(model, train, val, rates, epochs, seed)


@dataclass(frozen=True)
class _Loop:
    """A training loop and its usual faults; with the defaults it has none."""

    rate_of_all: bool = False
    schedule: str = "epoch"
    weights: str = "n / 2n_c"
    forgets_zero: bool = False
    keeps: str = "best"
    mirrors: bool = True
    trains: bool = True
    first_seed: int = 0
    batch: int = 32
    mean_of_batches: bool = False

    def train(self, model, train, val, rates: dict, epochs: int, seed: int) -> list[dict]:
        """As ``train_by_hand``."""
        import torch

        from hqnn_utils.evaluation.metrics import rank_auc
        from hqnn_utils.training import predict_proba

        given = dict.fromkeys(rates, rates["head"]) if self.rate_of_all else rates
        optimiser = torch.optim.AdamW(groups(model, given), weight_decay=1e-4)
        cosine = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, T_max=epochs)
        history, best_auc, best = [], -1.0, None
        for epoch in range(1, epochs + 1):
            torch.manual_seed(1_000_003 * seed + epoch - 1 + self.first_seed)
            loss = self._epoch(model, train, optimiser, cosine)
            if self.schedule == "epoch":
                cosine.step()
            auc = rank_auc(val[1].numpy(), predict_proba(model, val[0]))
            history.append({"epoch": epoch, "loss": loss, "val_auc": auc})
            if auc > best_auc:
                best_auc, best = auc, copy.deepcopy(model.state_dict())
        if self.keeps == "best":
            model.load_state_dict(best)
        return history

    def _epoch(self, model, train, optimiser, cosine) -> float:
        """One pass over the training images; the mean loss."""
        import torch

        from hqnn_utils.training.augment import flip_horizontally

        x, y = train
        criterion = torch.nn.CrossEntropyLoss(weight=self._of_class(y))
        model.train(self.trains)
        losses, sizes = [], []
        for index in torch.randperm(len(y)).split(self.batch):
            images = flip_horizontally(x[index]) if self.mirrors else x[index]
            loss = criterion(model(images), y[index])
            if not self.forgets_zero:
                optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses.append(loss.item())
            sizes.append(1 if self.mean_of_batches else len(index))
            if self.schedule == "step":
                cosine.step()
        return np.average(losses, weights=sizes)

    def _of_class(self, y):
        """The weight of each class in the loss."""
        import torch

        share = torch.bincount(y).float() / len(y)
        return {"n / 2n_c": 1 / (2 * share), "none": None, "turned round": 2 * share}[self.weights]


LOOP_FAULTS = (
    ({"weights": "none"}, "the loss does not weigh the classes: nn.CrossEntropyLoss(weight=...)"),
    (
        {"weights": "turned round"},
        "the weights are turned round: the rarer class must count more, n / (2 n_c)",
    ),
    (
        {"forgets_zero": True},
        "the gradients of all batches add up: optimiser.zero_grad() before each backward()",
    ),
    ({"rate_of_all": True}, "all parts learn at the head's rate: give AdamW groups(model, rates)"),
    ({"schedule": "none"}, "the rates never fall: schedule.step() at the end of each epoch"),
    ({"schedule": "step"}, "the schedule steps once an epoch, not once a batch"),
    ({"mirrors": False}, "the training images are not mirrored: flip_horizontally(x[index])"),
    ({"trains": False}, "the dropout sleeps: model.train() at the start of each epoch"),
    ({"first_seed": 1}, "the first epoch's seed is 1_000_003 * seed: subtract 1 from the epoch"),
    ({"batch": 16}, "the batches have 32 images: .split(32)"),
    (
        {"mean_of_batches": True},
        "the last batch is smaller: weigh each loss with the number of its images",
    ),
)
LOOP_RATES = {"backbone": 0.02, "circuit": 0.2, "head": 0.02}
LOOP_EPOCHS, LOOP_SEED = 4, 3


def _loop_task() -> tuple:
    """A small hybrid with dropout, and toy images whose labels can partly be seen."""
    import torch
    from torch import nn

    from hqnn_utils.models import Classifier, build_head

    with torch.random.fork_rng():
        torch.manual_seed(18)
        backbone = nn.Sequential(nn.Flatten(), nn.Linear(6, 5), nn.ReLU())
        backbone.n_features = 5
        model = Classifier(backbone, build_head("study_hybrid", 5))
        y, y_val = (torch.arange(n) % 4 == 0 for n in (76, 40))
        x, x_val = (torch.randn(len(c), 1, 2, 3) + 0.5 * c[:, None, None, None] for c in (y, y_val))
    return model, (x, y.long()), (x_val, y_val.long())


def _outcome(function_, options=None) -> tuple:
    """Losses and AUCs of the history, and the parameters in the end, of a fresh toy task."""
    import torch

    model, train, val = _loop_task()
    with torch.random.fork_rng():
        more = options or {}
        history = function_(model, train, val, dict(LOOP_RATES), LOOP_EPOCHS, LOOP_SEED, **more)
    if history is ... or history is None:
        return history, None
    rows = np.array([[float(row["loss"]), float(row["val_auc"])] for row in history])
    return rows, torch.cat([p.detach().flatten() for p in model.parameters()]).numpy()


def _loop(answer) -> Verdict:
    """The answer is a function as ``train_by_hand``; it is tried on a toy task."""
    if not callable(answer):
        return Verdict(False, f"expected a function, got {type(answer).__name__}: give its name")
    try:
        rows, end = _outcome(answer)
    except (KeyError, TypeError) as error:
        kind = type(error).__name__
        word = "return a list with a dict for each epoch, with the keys loss and val_auc"
        return Verdict(False, f"{word} ({kind}: {error})")
    except Exception as error:
        return Verdict(False, f"on a toy task it stops: {type(error).__name__}: {error}")
    if rows is ...:
        return Verdict(None, OPEN_MESSAGE)
    if rows is None:
        return Verdict(False, "it returns nothing: is there a `return` at its end?")
    if rows.shape != (LOOP_EPOCHS, 2):
        return Verdict(False, f"{LOOP_EPOCHS} epochs were asked for, the history has {len(rows)}")
    right, wanted = _outcome(_train)
    if not np.allclose(rows, right, atol=1e-5):
        return _fault_of_loop(rows)
    if not np.allclose(end, wanted, atol=1e-5):
        return Verdict(
            False,
            "the history is right, the weights in the end are not those of the best epoch: keep "
            "copy.deepcopy(model.state_dict()) when the AUC rises, and load it at the end",
        )
    return Verdict(True, "the same losses, the same AUCs and the weights of the best epoch")


def _fault_of_loop(rows) -> Verdict:
    for options, word in LOOP_FAULTS:
        if np.allclose(rows, _outcome(_train, options)[0], atol=1e-5):
            return Verdict(False, word)
    right = _outcome(_train)[0]
    first = int(np.flatnonzero(~np.isclose(rows, right, atol=1e-5).all(axis=1))[0])
    return Verdict(
        False,
        f"on a toy task epoch {first + 1} differs: loss {rows[first, 0]:.4f}, expected "
        f"{right[first, 0]:.4f}. In each epoch: the seed, then model.train(), then randperm, and "
        "for each batch flip, loss, zero_grad, backward, step",
    )


# ---------------------------------------------------------------- a faulty comparison

COMPARISON_FAULTS = {
    "budget": ((4, 5, 6), "one is still hidden in how many tries each head has had"),
    "seed": ((8,), "one is still hidden in what decides which run is reported"),
    "claim": ((10,), "one is still hidden in the conclusion: in what do the two heads differ?"),
}
COMPARISON_IN_ORDER = {
    1: "line 1 is in order: a frozen network may see test images, it learns nothing from them",
    2: "line 2 is in order: the official split",
    3: "line 3 is in order: four rates are a choice; who gets to use them?",
    7: "line 7 is in order: several seeds with the chosen rate",
    9: "line 9 is in order as far as it goes: it prints two numbers. Where do they come from, and "
    "what is concluded from them?",
}


def _comparison(answer) -> Verdict:
    """The answer is a list of the numbers of lines, one for each fault."""
    if isinstance(answer, (tuple, list, set)) and len(answer) > len(COMPARISON_FAULTS):
        return Verdict(False, f"give one line for each fault: three, not {len(answer)}")
    return faulty_lines(
        answer,
        n_lines=10,
        faults=COMPARISON_FAULTS,
        in_order=COMPARISON_IN_ORDER,
        right="the hybrid had four settings and ten seeds, the linear head one of each; the best "
        "seed was chosen by the test images; and the two heads differ in thousands of classical "
        "weights, not in the circuit alone",
    )


# ---------------------------------------------------------------- paired by seed


def _paired(answer, *, a, b) -> Verdict:
    from hqnn_utils.evaluation.comparison import paired_seeds

    a, b = np.asarray(a, float), np.asarray(b, float)
    if not isinstance(answer, (tuple, list)) or len(answer) != 2:
        return Verdict(False, "expected a tuple of two numbers: mean difference, seeds ahead")
    gap, found = a - b, paired_seeds(a, b)
    truth, wins, n = found["difference"], found["ahead"], found["n"]
    differences = [
        (-truth, "the mean difference is turned round: a minus b"),
        (np.abs(gap).mean(), "keep the signs: a seed in which b is ahead counts against a"),
        (gap.sum(), "that is the sum over seeds: divide by their number"),
        (np.median(gap), "that is the median: take the mean of a - b over seeds"),
        (a.max() - b.max(), "that compares the best seeds: compare seed by seed"),
        (100 * truth, "give the difference of the AUC as it is, not in points"),
    ]
    counts = [
        (int((gap < 0).sum()), "the mean is right; the count is that of b: where is a larger?"),
        (int((gap >= 0).sum()), "the mean is right; a tie is no lead: count a > b"),
        (n, "the mean is right; that is the number of seeds: in how many is a larger than b?"),
        (wins / n, "the mean is right; give the number of seeds, not their share"),
    ]
    parts = (
        number(answer[0], truth, "", differences),
        number(answer[1], wins, "", counts, whole=True),
    )
    return together(parts, f"{truth:+.4f} on average, ahead in {wins} of {n} seeds")


EXERCISES = {
    "08.head": Exercise(
        _head,
        "write",
        (
            "Make all layers in `__init__`, and connect them in `forward`. Which two ways do the "
            "features take?",
            "One way: 128, ReLU, 4, tanh, times pi, circuit. The other: 32, ReLU. `torch.cat` "
            "joins them along the last dimension; then 64, ReLU, dropout, 2.",
            "`torch.cat([self.circuit(angles), self.bypass(features)], dim=-1)` has 36 columns. "
            "The angles are `math.pi * torch.tanh(self.projector(features))`, where the projector "
            "is an `nn.Sequential` of two linear layers with a ReLU between them.",
        ),
        model=study_head,
    ),
    "08.fraction": Exercise(
        _fraction,
        "read",
        (
            "Two counts are needed: of the circuit, and of the whole head.",
            "`spec.n_weights` and `count_parameters(head)`.",
            "The circuit has two layers with one angle on each of four qubits. Divide this number "
            "by all trainable numbers of the head.",
        ),
    ),
    "08.mixing": Exercise(
        _grade_mixing,
        "write",
        (
            "Begin with `h = x / np.pi`, a new array. Then loop over the two rows of biases.",
            "In each layer loop over the four pairs and turn the two values; behind the loop over "
            "pairs comes the tanh of h plus the row.",
            "Both values of a pair are set in one assignment, `h[i], h[j] = ..., ...`, so that "
            "both right-hand sides see the old values. They are the two rows of the rotation.",
        ),
        model=mixing,
    ),
    "08.control": Exercise(
        _control,
        "judge",
        (
            "Write down everything that decides this run. Which of these things may the control "
            "change?",
            "Only the head changes. Look in the table of section 2 for a map with as many "
            "parameters whose outputs see as many inputs as the circuit's.",
            "Copy `hybrid` and give it another `head`; `control_of(head, core)` names it. In your "
            "reason say what the two have in common (parameters, layers around, training) and "
            "what this control can do that 'matched' cannot.",
        ),
        rubric="One change only: the map in the circuit's place. A good reason names equal "
        "numbers of parameters, equal layers around that place, equal seeds, data and budget, and "
        "that the map mixes its inputs; a very good one adds what no single control settles "
        "(another map of this size might do better or worse, so losing to one shows little).",
    ),
    "08.groups": Exercise(
        _groups,
        "write",
        (
            "The circuit is a part of the head. Find it first, so that it can be left out there.",
            "`model.head.modules()` walks through all parts of the head; `isinstance(part, "
            "QuantumLayer)` finds the circuit. Two tensors are the same parameter if they are the "
            "same object: compare `id(p)`.",
            "Three lists: `list(model.backbone.parameters())`, the parameters of the circuit, and "
            "those of `model.head` whose id is not among the circuit's. Put each into a dict with "
            "`params` and `lr`.",
        ),
        model=groups,
    ),
    "08.loop": Exercise(
        _loop,
        "write",
        (
            "Begin with the loop of notebook 03 and change two things: what AdamW gets, and what "
            "the loss is told.",
            "`torch.optim.AdamW(groups(model, rates), weight_decay=1e-4)`; `nn.CrossEntropyLoss` "
            "takes `weight=`, a tensor with two numbers, n / (2 n_c). The schedule is "
            "`CosineAnnealingLR(optimiser, T_max=epochs)` and steps once an epoch.",
            "In an epoch: seed, `model.train()`, then for each `index` of "
            "`torch.randperm(len(y)).split(32)` the loss of the flipped batch, `zero_grad`, "
            "`backward`, `step`. Then the schedule, the validation AUC, and, if it is the best so "
            "far, a deep copy of `model.state_dict()`, which is loaded at the end.",
        ),
        model=train_by_hand,
    ),
    "08.comparison": Exercise(
        _comparison,
        "fault",
        (
            "For each head count: how many trainings, chosen by what?",
            "One fault is about tuning, one about choosing among seeds, one about the sentence at "
            "the end.",
            "Compare lines 4 and 5; ask whose data `auc` sees in line 8; and ask which head would "
            "have to be subtracted for line 10 to be true.",
        ),
    ),
    "08.paired": Exercise(
        _paired,
        "read",
        (
            "Each seed is a pair: subtract within it first.",
            "`a - b` holds ten differences. Their mean is the first number, and the second counts "
            "how many are above zero.",
            "A tuple of two numbers: the mean of `a - b`, and the sum of `a > b`.",
        ),
    ),
}
