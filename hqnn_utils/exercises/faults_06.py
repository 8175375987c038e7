"""What notebook 06 looks for faults in, and what students usually get wrong in its functions.

``suspects``      five layers for the exercise in which the faulty ones are to be found
``FakeQNode``     a stand-in for a QNode, on which a student's layer is tried
``..._FAULTS``    pairs of a function with a usual fault and what is said to whoever wrote it
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import nn

from hqnn_utils.quantum import CircuitSpec, build_qnode, init_weights

# ------------------------------------------------------------------ five layers, some faulty


class _Suspect(nn.Module):
    """A layer around the same QNode and the same weights as the others."""

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self._qnode = build_qnode(spec)
        self.weights = nn.Parameter(init_weights(spec, generator=torch.Generator().manual_seed(6)))


class _Scrambled(_Suspect):
    def forward(self, x):
        outputs = torch.stack(list(self._qnode(x, self.weights)))  # (outputs, batch)
        return outputs.reshape(len(x), -1).to(x.dtype)


class _Fine(_Suspect):
    def forward(self, x):
        return torch.stack(list(self._qnode(x, self.weights)), dim=-1).to(x.dtype)


class _Cut(_Suspect):
    def forward(self, x):
        outputs = self._qnode(torch.tensor(x.tolist(), dtype=x.dtype), self.weights)
        return torch.stack(list(outputs), dim=-1).to(x.dtype)


class _Looping(_Suspect):
    def forward(self, x):
        rows = [torch.stack(list(self._qnode(row, self.weights))) for row in x]
        return torch.stack(rows).to(x.dtype)


class _Double(_Suspect):
    def forward(self, x):
        return torch.stack(list(self._qnode(x, self.weights)), dim=-1)


def suspects(spec: CircuitSpec) -> dict[str, nn.Module]:
    """Five layers ``x (batch, n_inputs) -> (batch, n_outputs)`` with equal weights, A to E."""
    kinds = (_Scrambled, _Fine, _Cut, _Looping, _Double)
    return {letter: kind(spec) for letter, kind in zip("ABCDE", kinds, strict=True)}


# ------------------------------------------------------------------ a layer around a QNode


class FakeQNode:
    """Behaves as a QNode with the torch interface, without PennyLane: a list of float64 tensors,
    one for each output, for one row or for a batch. It counts its calls.
    """

    def __init__(self, n_outputs: int):
        self.n_outputs = n_outputs
        self.calls = 0

    def __call__(self, inputs, weights):
        """(n_inputs,) or (batch, n_inputs) -> list of n_outputs tensors, () or (batch,)."""
        self.calls += 1
        x, w = inputs.double(), weights.double().flatten()
        waves = [torch.cos(x[..., q % x.shape[-1]] + w[q]) for q in range(self.n_outputs)]
        return [wave * torch.cos(x[..., 0] - w[-1]) for wave in waves]


# ------------------------------------------------------------------ parameter shift of a layer
# All take (layer, x, weights, upstream), as the student's function does.


def _shifted(layer, x, weights, upstream, step=math.pi / 2, divisor=2.0):
    slopes = torch.zeros_like(weights)
    for index in np.ndindex(*weights.shape):
        move = torch.zeros_like(weights)
        move[index] = step
        difference = layer(x, weights + move) - layer(x, weights - move)
        slopes[index] = (upstream * difference).sum() / divisor
    return slopes


def weight_gradient(layer, x, weights, upstream):
    """Right."""
    return _shifted(layer, x, weights, upstream)


def _without_upstream(layer, x, weights, upstream):
    return _shifted(layer, x, weights, torch.ones_like(upstream))


def _mean_over_the_batch(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream) / len(x)


def _not_halved(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream, divisor=1.0)


def _small_step(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream, step=0.1, divisor=0.2)


def _tiny_step(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream, step=1e-3, divisor=2e-3)


def _divided_by_the_step(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream, divisor=math.pi)


def _flat(layer, x, weights, upstream):
    return _shifted(layer, x, weights, upstream).flatten()


def _all_at_once(layer, x, weights, upstream):
    difference = layer(x, weights + math.pi / 2) - layer(x, weights - math.pi / 2)
    return torch.full_like(weights, (upstream * difference).sum() / 2)


def _first_output_only(layer, x, weights, upstream):
    only = torch.zeros_like(upstream)
    only[:, 0] = upstream[:, 0]
    return _shifted(layer, x, weights, only)


BACKWARD_FAULTS = [
    (_without_upstream, "multiply the difference by `upstream` before you sum"),
    (_mean_over_the_batch, "sum over the batch: a mean, if there is one, is in `upstream` already"),
    (_not_halved, "the difference is twice the slope: divide by 2"),
    (_small_step, "that is a difference quotient: shift by pi / 2 and divide by 2"),
    (_tiny_step, "a small step drowns in the last digits of a device: shift by pi / 2"),
    (_divided_by_the_step, "it is no difference quotient: divide by 2, not by the step"),
    (_flat, "the numbers are right: give them the shape of the weights"),
    (_all_at_once, "shift one weight at a time"),
    (_first_output_only, "sum over all outputs, not only the first"),
]


def _layer(shift):
    """A layer of two features and 2 x 2 weights, (batch, 2) -> (batch, 3), forward only.

    Like a device it gives values of a few digits, and no gradient: neither backpropagation nor a
    tiny step passes for the rule.
    """

    def run(x, weights):
        (a, b), (c, d) = weights
        first = torch.cos(x[:, 0] + a) * torch.cos(b)
        second = torch.sin(x[:, 1] - c + shift) * torch.cos(a)
        third = 0.5 * torch.cos(x[:, 0]) + 0.5 * torch.sin(d) * torch.cos(b)
        return torch.stack([first, second, third], dim=1).detach().round(decimals=6)

    return run


def backward_inputs() -> list[tuple]:
    """(layer, x, weights, upstream): things that the notebook does not show."""
    generator = torch.Generator().manual_seed(3)
    return [
        (
            _layer(shift),
            torch.randn(batch, 2, generator=generator, dtype=torch.float64),
            3 * torch.randn(2, 2, generator=generator, dtype=torch.float64),
            torch.randn(batch, 3, generator=generator, dtype=torch.float64),
        )
        for shift, batch in ((0.0, 1), (0.4, 3), (-1.0, 2))
    ]


# ------------------------------------------------------------------ SPSA
# All take (f, theta, signs, h).


def spsa(f, theta, signs, h):
    """Right."""
    return (f(theta + h * signs) - f(theta - h * signs)) / (2 * h) * signs


def _no_direction(f, theta, signs, h):
    return (f(theta + h * signs) - f(theta - h * signs)) / (2 * h)


def _one_sided(f, theta, signs, h):
    return (f(theta + h * signs) - f(theta)) / h * signs


def _half_the_distance(f, theta, signs, h):
    return (f(theta + h * signs) - f(theta - h * signs)) / h * signs


def _no_step(f, theta, signs, h):
    return (f(theta + signs) - f(theta - signs)) / 2 * signs


def _halved_only(f, theta, signs, h):
    return (f(theta + h * signs) - f(theta - h * signs)) / 2 * signs


def _one_angle_at_a_time(f, theta, signs, h):
    return np.array([(f(theta + h * e) - f(theta - h * e)) / (2 * h) for e in np.eye(len(theta))])


def _downhill(f, theta, signs, h):
    return -spsa(f, theta, signs, h)


SPSA_FAULTS = [
    (_no_direction, "that is one number, the slope along `signs`: multiply it by `signs`"),
    (_one_sided, "use both sides: f at theta plus and minus h times `signs`"),
    (_half_the_distance, "the two points lie 2 h apart: divide by 2 h"),
    (_no_step, "move by h times `signs`, not by `signs`"),
    (_halved_only, "divide by the distance of the two points, 2 h"),
    (_one_angle_at_a_time, "that needs two values for each angle: move all angles at once"),
    (_downhill, "the sign is turned round: forward minus backward"),
]


def _waves(a, b, c):
    def f(theta):
        return a * np.cos(theta[0]) * np.sin(theta[1]) + b * np.sin(theta[2] + c)

    return f


SPSA_INPUTS = [
    (_waves(0.5, 0.2, 0.0), np.array([0.3, -0.8, 1.9]), np.array([1, -1, 1]), 0.1),
    (_waves(-0.3, 0.6, 0.4), np.array([-2.1, 0.4, 0.0]), np.array([-1, -1, 1]), 0.3),
    (_waves(0.9, -0.1, -1.0), np.array([1.0, 3.0, -0.6]), np.array([1, 1, 1]), 0.05),
]


# ------------------------------------------------------------------ the layer of cosines
# All take (x, weights, of_inputs, of_weights) and give (batch, outputs).


def _sums(x, weights, of_inputs, of_weights):
    """Signed sums of angles, (batch, outputs, patterns)."""
    return torch.einsum("bi,opi->bop", x, of_inputs) + of_weights @ weights


def cosine_layer(x, weights, of_inputs, of_weights):
    """Right."""
    return torch.cos(_sums(x, weights, of_inputs, of_weights)).mean(dim=-1)


def _summed(x, weights, of_inputs, of_weights):
    return torch.cos(_sums(x, weights, of_inputs, of_weights)).sum(dim=-1)


def _cosine_of_the_mean(x, weights, of_inputs, of_weights):
    return torch.cos(_sums(x, weights, of_inputs, of_weights).mean(dim=-1))


def _mean_over_outputs(x, weights, of_inputs, of_weights):
    return torch.cos(_sums(x, weights, of_inputs, of_weights)).mean(dim=1)


def _without_weights(x, weights, of_inputs, of_weights):
    return torch.cos(torch.einsum("bi,opi->bop", x, of_inputs)).mean(dim=-1) + 0 * weights.sum()


def _sines(x, weights, of_inputs, of_weights):
    return torch.sin(_sums(x, weights, of_inputs, of_weights)).mean(dim=-1)


def _two_cosines(x, weights, of_inputs, of_weights):
    features = torch.cos(torch.einsum("bi,opi->bop", x, of_inputs)).mean(dim=-1)
    return features + torch.cos(of_weights @ weights).mean(dim=-1)


def _linear(x, weights, of_inputs, of_weights):
    return _sums(x, weights, of_inputs, of_weights).mean(dim=-1)


COSINE_FAULTS = [
    (_summed, "take the mean over the patterns, not the sum: an output lies between -1 and 1"),
    (_cosine_of_the_mean, "first the cosine of each pattern's sum, then the mean"),
    (_mean_over_outputs, "the mean goes over the patterns, the last axis, not over the outputs"),
    (_without_weights, "the weights belong into the sum, beside the features"),
    (_sines, "cosines: at angles of 0 every output is 1"),
    (_two_cosines, "one cosine of the whole sum: features and weights together"),
    (_linear, "that is still linear: the cosine is missing"),
]


def cosine_inputs() -> list[tuple]:
    """(x, weights, of_inputs, of_weights) as nested lists, with tables of -1, 0 and 1."""
    random = np.random.default_rng(5)
    found = []
    for batch, outputs, patterns, n, m in ((2, 3, 4, 2, 3), (1, 2, 3, 3, 2), (3, 1, 2, 1, 4)):
        tables = [random.integers(-1, 2, (outputs, patterns, k)).astype(float) for k in (n, m)]
        angles = random.normal(size=(batch, n)), random.normal(size=m)
        found.append(tuple(part.tolist() for part in (*angles, *tables)))
    return found
