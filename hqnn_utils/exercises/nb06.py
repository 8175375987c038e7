"""Checks of the exercises in notebook 06."""

from __future__ import annotations

import math

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import OPEN, choice, function, number, paragraph, together
from hqnn_utils.exercises.values import holds_open

# torch is imported where it is needed: the notebooks that do without it load their checks fast.


# ------------------------------------------------------------------ a layer around a QNode


def as_layer(qnode, x, weights):
    """Right: one call for the whole batch, the outputs side by side, in the dtype of x."""
    import torch

    return torch.stack(list(qnode(x, weights)), dim=-1).to(x.dtype)


# batch, features, outputs, name of the dtype
LAYER_CASES = [
    (5, 3, 2, "float32"),
    (3, 2, 3, "float32"),
    (1, 4, 4, "float64"),
    (4, 4, 4, "float32"),
]


def _layer(answer) -> Verdict:
    """Tried with stand-ins for QNodes: shape, dtype, values, both gradients, number of calls."""
    if answer is ...:
        return OPEN
    if not callable(answer):
        return Verdict(False, f"expected a function, got {type(answer).__name__}")
    verdicts = (_layer_with(answer, *case) for case in LAYER_CASES)
    return together(verdicts, "shape, dtype, both gradients, and one call for the whole batch")


def _layer_with(answer, batch: int, features: int, outputs: int, dtype: str) -> Verdict:
    import torch

    from hqnn_utils.exercises import faults_06 as faults

    node = faults.FakeQNode(outputs)
    draw = torch.Generator().manual_seed(batch)
    x = torch.randn(batch, features, generator=draw).to(getattr(torch, dtype)).requires_grad_()
    weights = torch.randn(2, outputs, generator=draw).requires_grad_()
    try:
        found = answer(node, x, weights)
    except Exception as error:
        return Verdict(False, f"with {batch} rows it stops: {type(error).__name__}: {error}")
    if holds_open(found):
        return OPEN
    if not isinstance(found, torch.Tensor):
        kind = type(found).__name__
        return Verdict(False, f"it returns a {kind}: make one tensor of the list of outputs")
    if node.calls != 1:
        return Verdict(
            False,
            f"{node.calls} calls of the QNode for {batch} rows: one call takes the whole batch",
        )
    wanted = as_layer(faults.FakeQNode(outputs), x, weights)
    return _compared(found, wanted, x, weights)


def _compared(found, wanted, x, weights) -> Verdict:
    """What a layer gave beside what it should give."""
    import torch

    transposed = found.shape == wanted.T.shape and torch.allclose(found.double(), wanted.T.double())
    if transposed and wanted.shape[0] > 1:
        return Verdict(
            False,
            f"the shape is {tuple(found.shape)}, outputs first: rows come first, outputs last",
        )
    if found.shape != wanted.shape:
        shapes = f"{tuple(found.shape)}, expected {tuple(wanted.shape)}"
        return Verdict(False, f"the shape is {shapes} for {len(x)} rows")
    if not torch.allclose(found.double(), wanted.double(), atol=1e-6):
        return Verdict(
            False,
            "the shape is right and the values are not: does each row hold the outputs of one "
            "example, or were batch and outputs mixed up?",
        )
    if found.dtype != wanted.dtype:
        dtypes = f"{found.dtype} for inputs of {x.dtype}".replace("torch.", "")
        return Verdict(False, f"it gives {dtypes}: cast the result to the dtype of x")
    if not found.requires_grad:
        return Verdict(False, "no gradient can come back through it: detach nothing, copy nothing")
    weighing = torch.arange(found.numel(), dtype=found.dtype).reshape(found.shape)
    for name, leaf in (("the inputs", x), ("the weights", weights)):
        slopes = [
            torch.autograd.grad((v * weighing).sum(), leaf, retain_graph=True, allow_unused=True)[0]
            for v in (found, wanted)
        ]
        if slopes[0] is None or not torch.allclose(*slopes, atol=1e-5):
            return Verdict(False, f"the gradient of {name} is lost on the way")
    return Verdict(True, "")


# ------------------------------------------------------------------ runs of a device


def _shifts(answer, *, spec) -> Verdict:
    angles = spec.n_inputs + spec.n_weights
    with_forward = number(answer, 2 * angles + 1, "", whole=True)
    if with_forward:
        return Verdict(
            True,
            f"{2 * angles} for the gradients, and one for the value itself: PennyLane's own "
            "counter shows it too",
        )
    wrong = [
        (angles, "each angle needs two runs, one shifted up and one down"),
        (angles + 1, "each angle needs two runs, one shifted up and one down"),
        (2 * spec.n_weights, "the inputs are angles too: the backbone needs their gradient"),
        (2 * spec.n_weights + 1, "the inputs are angles too: the backbone needs their gradient"),
        (2 * spec.n_inputs, "the circuit's own weights want a gradient too"),
        (2 * angles * spec.n_outputs, "one run gives all outputs at once"),
        (2 * spec.n_inputs * spec.n_weights, "inputs and weights are shifted one after the other"),
        (2**angles, "one angle is shifted at a time, not all combinations"),
        (2 * spec.n_layers, "the rule is for each angle, not for each layer"),
    ]
    right = f"two runs for each of {angles} angles"
    return number(answer, 2 * angles, right, wrong, whole=True)


def weight_gradient(layer, x, weights, upstream):
    """Right: see ``faults_06``."""
    from hqnn_utils.exercises import faults_06 as faults

    return faults.weight_gradient(layer, x, weights, upstream)


def _backward(answer) -> Verdict:
    from hqnn_utils.exercises import faults_06 as faults

    return function(
        answer,
        weight_gradient,
        faults.backward_inputs(),
        "the gradient of any loss, from values of the layer alone",
        faults.BACKWARD_FAULTS,
        names=("layer", "x", "weights", "upstream"),
    )


def spsa(f, theta, signs, h):
    """Right: see ``faults_06``."""
    from hqnn_utils.exercises import faults_06 as faults

    return faults.spsa(f, theta, signs, h)


def _spsa(answer) -> Verdict:
    from hqnn_utils.exercises import faults_06 as faults

    right = "two values, however many angles there are"
    names = ("f", "theta", "signs", "h")
    return function(answer, spsa, faults.SPSA_INPUTS, right, faults.SPSA_FAULTS, names=names)


# ------------------------------------------------------------------ five layers

DIAGNOSES = {
    "A": (
        "mixes batch and outputs",
        {
            "fine": "A: shape and dtype pass; compare its values with QuantumLayer's, row by row",
            "detaches its input": "A: both gradients exist; look at its values",
            "loops over rows": "A: it is as fast as others; look at its values",
            "returns float64": "A: its dtype is float32; look at its values",
        },
    ),
    "B": (
        "fine",
        {
            "mixes batch and outputs": "B: compare its values once more, row by row",
            "detaches its input": "B: look at the gradient of its inputs once more",
            "loops over rows": "B: compare its time with that of the others",
            "returns float64": "B: look at its dtype once more",
        },
    ),
    "C": (
        "detaches its input",
        {
            "fine": "C: its values pass; ask for the gradient of its inputs",
            "mixes batch and outputs": "C: its values are right; ask for the gradients",
            "loops over rows": "C: it is as fast as others; ask for the gradients",
            "returns float64": "C: its dtype is float32; ask for the gradients",
        },
    ),
    "D": (
        "loops over rows",
        {
            "fine": "D: all it gives is right; how long does it take for a larger batch?",
            "mixes batch and outputs": "D: its values are right; how long does it take?",
            "detaches its input": "D: both gradients are there; how long does it take?",
            "returns float64": "D: its dtype is float32; how long does it take?",
        },
    ),
    "E": (
        "returns float64",
        {
            "fine": "E: what does a float32 layer behind it say? Print the dtype",
            "mixes batch and outputs": "E: its values are right; print the dtype",
            "detaches its input": "E: both gradients are there; print the dtype",
            "loops over rows": "E: it is as fast as others; print the dtype",
        },
    ),
}


def _faults(answer) -> Verdict:
    """A dictionary: letter -> one of the five words."""
    if answer is ...:
        return OPEN
    if not isinstance(answer, dict):
        kind = type(answer).__name__
        return Verdict(False, f"expected a dictionary from letters to words, got {kind}")
    if missing := sorted(DIAGNOSES.keys() - answer.keys()):
        return Verdict(False, f"a word is missing for {', '.join(missing)}")
    if holds_open(answer):
        return OPEN
    verdicts = (choice(answer[k], truth, "", wrong) for k, (truth, wrong) in DIAGNOSES.items())
    return together(verdicts, "four faults, of which one raises an error by itself sooner or later")


# ------------------------------------------------------------------ cosines


def cosine_layer(x, weights, of_inputs, of_weights):
    """Right: see ``faults_06``."""
    from hqnn_utils.exercises import faults_06 as faults

    return faults.cosine_layer(x, weights, of_inputs, of_weights)


def _tried(layer, slopes: bool):
    """A layer of nested lists: its values, or its derivatives by x and by the weights."""

    def run(x, weights, of_inputs, of_weights):
        import torch

        given = (torch.tensor(v, dtype=torch.float64) for v in (x, weights, of_inputs, of_weights))
        x, weights, of_inputs, of_weights = given
        leaves = x.requires_grad_(), weights.requires_grad_()
        out = layer(x, weights, of_inputs, of_weights)
        if out is ... or out is None:
            return out
        if not isinstance(out, torch.Tensor) or not out.requires_grad:
            raise TypeError("the result knows no gradient: use torch's functions on the tensors")
        if not slopes:
            return out.detach()
        found = torch.autograd.grad(out.square().sum(), leaves, allow_unused=True)
        return [part if part is None else part.tolist() for part in found]

    return run


def _cosines(answer) -> Verdict:
    """Tried for its values and for both gradients."""
    from hqnn_utils.exercises import faults_06 as faults

    right = "a linear layer of signs, a cosine, a mean: values and both gradients"
    values = function(
        _tried(answer, slopes=False) if callable(answer) else answer,
        _tried(cosine_layer, slopes=False),
        faults.cosine_inputs(),
        right,
        [(_tried(fault, slopes=False), word) for fault, word in faults.COSINE_FAULTS],
        names=("x", "weights", "of_inputs", "of_weights"),
    )
    if not values:
        return values
    gradients = function(
        _tried(answer, slopes=True), _tried(cosine_layer, slopes=True), faults.cosine_inputs(), ""
    )
    lost = "the values are right, a gradient is not: leave both x and the weights in the graph"
    return Verdict(True, right) if gradients else Verdict(False, lost)


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    wrong = [
        (truth / 8, "that is the number of amplitudes: each has 8 bytes"),
        (truth / batch, "that is one state: there are as many as images"),
        (batch * qubits * 8, "a state of n qubits has 2**n amplitudes, not n"),
        (batch * qubits**2 * 8, "it is 2**n, not n**2"),
        (2 * truth, "that is complex128: complex64 has 8 bytes a number"),
        (truth / 2, "a complex number has two parts of 4 bytes"),
        (8 * truth, "bytes, not bits"),
        (truth / 2**50, "that is PiB: give bytes"),
        (truth / 1e15, "that is petabytes: give bytes"),
        (truth / 2**30, "that is GiB: give bytes"),
        (truth / 1e9, "that is GB: give bytes"),
        (math.log2(truth), "that is the exponent: 2 to this power"),
    ]
    right = f"{truth / 2**30:,.0f} GiB, for a single copy"
    return number(answer, truth, right, wrong)


def _fifty(answer) -> Verdict:
    points = [
        (r"cosine|iqp", "say what the outputs of this circuit are: look at section 6"),
        (
            r"sampl|estimat|random(ly)? (draw|chosen|pattern)|monte carlo",
            "say how they are computed without storing a state",
        ),
        (
            r"error|accura|uncertain|\bshots?\b|square root|precis|deviation|hundredth|per ?cent|"
            r"0\.01",
            "an estimate has an error: how large is it, and what does a device give instead?",
        ),
        (
            r"other circuit|different circuit|other gate|general|in principle|not every|only (this|"
            r"for)|this (circuit|family)|bit ?strings?|says nothing|does not (mean|show|prove)",
            "say what does not follow: the argument holds for some circuits only",
        ),
    ]
    return paragraph(answer, points, "every point of the rubric is touched", words=40)


EXERCISES = {
    "06.layer": Exercise(
        _layer,
        "write",
        hints=(
            "Call the QNode once, with the whole batch. What does it return?",
            "torch.stack makes one tensor of a list; its `dim` says where the new axis goes.",
            "The new axis, the outputs, goes last: dim=-1. Then .to(...) the dtype of x.",
        ),
        model=as_layer,
    ),
    "06.backward": Exercise(
        _backward,
        "write",
        hints=(
            "Notebook 04 had one output. Now there are (batch, outputs) of them, each with its own "
            "factor in `upstream`.",
            "A loop over the weights: `for index in np.ndindex(*weights.shape)`, and in it a "
            "tensor `move` of zeros with pi / 2 at that index.",
            "The slope for that index is half of the sum of upstream times the difference of the "
            "two layer outputs.",
        ),
        model=weight_gradient,
    ),
    "06.shifts": Exercise(
        _shifts,
        "read",
        hints=(
            "First count the angles that want a gradient. What does the backbone need?",
            "Features enter the circuit as angles, one for each qubit; the weights are angles too. "
            "Each of them is shifted up once and down once.",
            "`spec.n_inputs` and `spec.n_weights` hold the two counts. One run gives all four "
            "outputs, so these do not multiply.",
        ),
    ),
    "06.spsa": Exercise(
        _spsa,
        "write",
        hints=(
            "How far apart are the two points, measured along `signs`?",
            "The difference of the two values, divided by 2 h, is the slope along `signs`: one "
            "number.",
            "Multiply that number by `signs`: an array with one entry for each angle.",
        ),
        model=spsa,
    ),
    "06.faults": Exercise(
        _faults,
        "fault",
        hints=(
            "Four measurements find everything: values, dtype, gradient of the inputs, time.",
            "Give all five the same batch. Compare with a QuantumLayer that has the same weights "
            "(load_state_dict), and use a batch of another size than the number of outputs.",
            "x.requires_grad_(), then layer(x).sum().backward(), and look at x.grad. For the time, "
            "compare a batch of 8 with a batch of 64.",
        ),
    ),
    "06.cosines": Exercise(
        _cosines,
        "write",
        hints=(
            "Three steps: signed sums of angles, a cosine, a mean.",
            "For the features use torch.einsum('bi,opi->bop', x, of_inputs); for the weights a "
            "matrix product is enough, of_weights @ weights.",
            "Add the two, take torch.cos, and average over the last axis.",
        ),
        model=cosine_layer,
    ),
    "06.bytes": Exercise(
        _bytes,
        "read",
        hints=(
            "How many amplitudes has a state of two qubits, of three, of fifty?",
            "Multiply: amplitudes of one state, bytes of one complex number.",
            "2 to the power 50 amplitudes, each of 8 bytes.",
        ),
    ),
    "06.fifty": Exercise(
        _fifty,
        "judge",
        hints=(
            "Which sentence of the release is true, and which does not follow from it?",
            "Say what the outputs of this circuit are, and what section 6 did at 50 qubits.",
            "Outputs: means of cosines, estimated from samples with an error bar; a device also "
            "only estimates. Then say for which circuits this argument does not hold.",
        ),
        rubric="True: the state has 2^50 amplitudes and cannot be stored. Does not follow: the "
        "outputs are means of cosines (an IQP circuit) and are estimated by sampling in seconds, "
        "with an error 1/sqrt(S) that is never larger than a device's with as many shots. Limits: "
        "it holds for expectation values of this family; sampling bit strings, or other gates, is "
        "another matter, and hardness alone is not usefulness.",
    ),
}
