"""Answers to the exercises of notebook 06: right ones, usual wrong ones, what is said to them."""

import math

import numpy as np
import torch
from judges import pennylanes_count

from hqnn_utils.exercises import faults_06 as faults
from hqnn_utils.exercises import nb06
from hqnn_utils.quantum import CircuitSpec

SPEC = dict(spec=CircuitSpec())
ROT = dict(spec=CircuitSpec(rotation="Rot", entangler="strong", n_layers=3))
STATE = dict(qubits=50, batch=1)
FAULTS = {letter: truth for letter, (truth, _) in nb06.DIAGNOSES.items()}
GOOD = (
    "The state does have that many amplitudes, and nobody can store them. But nobody needs them: "
    "the circuit is an IQP circuit, and each output is a mean of cosines. We estimated it from "
    "random sign patterns in seconds, with an error of about one over the square root of their "
    "number, as a device does with its shots. This holds for this family of circuits; for general "
    "circuits, or for drawing bit strings, it says nothing."
)


def layer_by_cat(qnode, x, weights):
    columns = [output[:, None] for output in qnode(x, weights)]
    return torch.cat(columns, dim=1).type(x.dtype)


def layer_by_transpose(qnode, x, weights):
    return torch.stack(qnode(x, weights)).T.to(x)


def layer_row_by_row(qnode, x, weights):
    return torch.stack([torch.stack(qnode(row, weights)) for row in x]).to(x.dtype)


def layer_scrambled(qnode, x, weights):
    return torch.stack(qnode(x, weights)).reshape(len(x), -1).to(x.dtype)


def layer_detached(qnode, x, weights):
    return nb06.as_layer(qnode, x, weights).detach()


def layer_without_inputs(qnode, x, weights):
    return nb06.as_layer(qnode, x.detach(), weights)


def layer_without_weights(qnode, x, weights):
    return nb06.as_layer(qnode, x, weights.data)


def gradient_by_slots(layer, x, weights, upstream):
    """All shifted weights first, in a flat loop."""
    slopes = []
    for k in range(weights.numel()):
        move = math.pi / 2 * torch.eye(weights.numel(), dtype=weights.dtype)[k].reshape(2, 2)
        plus, minus = layer(x, weights + move), layer(x, weights - move)
        slopes.append(torch.einsum("bo,bo->", upstream, plus - minus) / 2)
    return torch.stack(slopes).reshape(weights.shape)


def gradient_by_autograd(layer, x, weights, upstream):
    leaf = weights.clone().requires_grad_()
    return torch.autograd.grad((upstream * layer(x, leaf)).sum(), leaf)[0]


def gradient_in_place(layer, x, weights, upstream):
    weights[0, 0] += math.pi / 2
    return faults.weight_gradient(layer, x, weights, upstream)


def spsa_by_division(f, theta, signs, h):
    """Spall's form: divided by the signs, which are their own inverse."""
    return (f(theta + h * signs) - f(theta - h * signs)) / (2 * h * signs)


def cosines_by_parts(x, weights, of_inputs, of_weights):
    """cos(a + b) written out."""
    a = (x[:, None, None, :] * of_inputs).sum(-1)
    b = (of_weights * weights).sum(-1)
    return (a.cos() * b.cos() - a.sin() * b.sin()).mean(dim=2)


RIGHT = {
    "06.layer": [(nb06.as_layer, {}), (layer_by_cat, {}), (layer_by_transpose, {})],
    "06.backward": [(faults.weight_gradient, {}), (gradient_by_slots, {})],
    "06.shifts": [
        (24, SPEC),
        (24.0, SPEC),
        (pennylanes_count(SPEC["spec"]), SPEC),
        (pennylanes_count(ROT["spec"]), ROT),
        (2 * (4 + 36), ROT),
    ],
    "06.spsa": [(faults.spsa, {}), (spsa_by_division, {})],
    "06.faults": [(FAULTS, {}), ({k: v.upper() + "." for k, v in FAULTS.items()}, {})],
    "06.cosines": [(faults.cosine_layer, {}), (cosines_by_parts, {})],
    "06.bytes": [
        (2**53, STATE),
        (8 * 2**50, STATE),
        ("9007199254740992", STATE),
        (9.007e15, STATE),
    ],
    "06.fifty": [(GOOD, {}), (GOOD.upper(), {})],
}
WRONG = [
    ("06.layer", lambda q, x, w: q(x, w), {}, "returns a list"),
    ("06.layer", lambda q, x, w: torch.stack(q(x, w)).to(x.dtype), {}, "rows come first"),
    ("06.layer", lambda q, x, w: torch.stack(q(x, w), dim=-1), {}, "cast the result"),
    ("06.layer", layer_row_by_row, {}, "one call takes the whole batch"),
    ("06.layer", layer_scrambled, {}, "mixed up"),
    ("06.layer", layer_detached, {}, "no gradient can come back"),
    ("06.layer", layer_without_inputs, {}, "gradient of the inputs is lost"),
    ("06.layer", layer_without_weights, {}, "gradient of the weights is lost"),
    ("06.layer", lambda q, x, w: torch.stack(q(x, w), dim=2), {}, "it stops"),
    ("06.layer", lambda q, x, w: torch.cat(q(x, w)).to(x.dtype), {}, "the shape is (10,)"),
    ("06.layer", 3, {}, "expected a function"),
    ("06.backward", faults._without_upstream, {}, "by `upstream`"),
    ("06.backward", faults._mean_over_the_batch, {}, "sum over the batch"),
    ("06.backward", faults._not_halved, {}, "divide by 2"),
    ("06.backward", faults._small_step, {}, "difference quotient"),
    ("06.backward", faults._tiny_step, {}, "last digits of a device"),
    ("06.backward", gradient_by_autograd, {}, "it stops"),
    ("06.backward", faults._divided_by_the_step, {}, "not by the step"),
    ("06.backward", faults._flat, {}, "the shape of the weights"),
    ("06.backward", faults._all_at_once, {}, "one weight at a time"),
    ("06.backward", faults._first_output_only, {}, "not only the first"),
    ("06.backward", gradient_in_place, {}, "it changes what it is given"),
    ("06.shifts", 12, SPEC, "two runs"),
    ("06.shifts", 13, SPEC, "two runs"),
    ("06.shifts", 16, SPEC, "inputs are angles too"),
    ("06.shifts", 8, SPEC, "own weights want a gradient"),
    ("06.shifts", 96, SPEC, "all outputs at once"),
    ("06.shifts", 64, SPEC, "one after the other"),
    ("06.shifts", 4096, SPEC, "not all combinations"),
    ("06.shifts", 4, SPEC, "not for each layer"),
    ("06.shifts", 23, SPEC, "23 is not it"),
    ("06.spsa", faults._no_direction, {}, "multiply it by `signs`"),
    ("06.spsa", faults._one_sided, {}, "use both sides"),
    ("06.spsa", faults._half_the_distance, {}, "2 h apart"),
    ("06.spsa", faults._no_step, {}, "by h times"),
    ("06.spsa", faults._halved_only, {}, "distance of the two points"),
    ("06.spsa", faults._one_angle_at_a_time, {}, "all angles at once"),
    ("06.spsa", faults._downhill, {}, "turned round"),
    ("06.faults", FAULTS | {"A": "fine"}, {}, "compare its values with QuantumLayer's"),
    ("06.faults", FAULTS | {"B": "loops over rows"}, {}, "B: compare its time"),
    ("06.faults", FAULTS | {"C": "fine"}, {}, "ask for the gradient of its inputs"),
    ("06.faults", FAULTS | {"D": "fine"}, {}, "how long does it take"),
    ("06.faults", FAULTS | {"E": "loops over rows"}, {}, "print the dtype"),
    ("06.faults", FAULTS | {"E": "broken"}, {}, "none of the words"),
    ("06.faults", {"A": "fine"}, {}, "missing for B, C, D, E"),
    ("06.faults", "fine", {}, "expected a dictionary"),
    ("06.cosines", faults._summed, {}, "not the sum"),
    ("06.cosines", faults._cosine_of_the_mean, {}, "then the mean"),
    ("06.cosines", faults._mean_over_outputs, {}, "over the patterns, the last axis"),
    ("06.cosines", faults._without_weights, {}, "belong into the sum"),
    ("06.cosines", faults._sines, {}, "at angles of 0"),
    ("06.cosines", faults._two_cosines, {}, "one cosine of the whole sum"),
    ("06.cosines", faults._linear, {}, "still linear"),
    ("06.cosines", lambda *a: faults.cosine_layer(*a).detach(), {}, "knows no gradient"),
    ("06.cosines", lambda x, w, a, b: faults.cosine_layer(x, w.detach(), a, b), {}, "in the graph"),
    ("06.cosines", lambda x, w, a, b: faults._summed(x, w, a, b) / 2 ** len(w), {}, "it gives"),
    ("06.cosines", lambda x, w, a, b: np.cos(x.detach().numpy()), {}, "knows no gradient"),
    ("06.bytes", 2**50, STATE, "8 bytes"),
    ("06.bytes", 400, STATE, "not n"),
    ("06.bytes", 20_000, STATE, "not n**2"),
    ("06.bytes", 2**54, STATE, "complex128"),
    ("06.bytes", 2**52, STATE, "two parts"),
    ("06.bytes", 2**56, STATE, "not bits"),
    ("06.bytes", 8, STATE, "PiB"),
    ("06.bytes", 9.01, STATE, "petabytes"),
    ("06.bytes", 53, STATE, "to this power"),
    ("06.bytes", 12, STATE, "12 is not it"),
    ("06.bytes", 2**10 * 8, dict(qubits=10, batch=4), "as many as images"),
    ("06.fifty", "The release is wrong.", {}, "40 words"),
    (
        "06.fifty",
        GOOD.replace("an IQP circuit", "known").replace("cosines", "terms"),
        {},
        "outputs",
    ),
    ("06.fifty", GOOD.replace("estimated it from random", "computed it from"), {}, "without stor"),
    (
        "06.fifty",
        GOOD.replace("an error of about one over the square root of", "something for").replace(
            "its shots", "its time"
        ),
        {},
        "an estimate has an error",
    ),
    ("06.fifty", GOOD[: GOOD.index("This holds")] + "So it is wrong.", {}, "what does not follow"),
]
