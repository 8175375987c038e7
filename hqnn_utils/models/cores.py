"""What stands in the circuit's place: the circuit itself, or one of its controls.

Every core maps (..., ``spec.n_inputs``) angles to (..., ``spec.n_outputs``) numbers.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hqnn_utils.quantum import CircuitSpec, QuantumLayer

MLP_WIDTH = 16


class MatchedLayer(nn.Module):
    """The classical control of a circuit: same inputs, outputs and number of parameters.

    A circuit of n qubits has c * n angles. This map spends the same number in c rows of length n.
    It carries a state h of n values, one for each qubit, through layers of up to n + 1 rows:

        h  <-  tanh(scale * h  +  bias  +  m_1 * roll(h, 1)  +  ...  +  m_(n-1) * roll(h, n-1))

    All products are element by element. ``roll(h, s)`` moves every value s places on, round the
    circle, so that h_i sees h_(i-s): this is how values mix, as entanglers mix qubits. The rows are
    used in the order of the formula. When all rolls have a row, a new layer begins; the last layer
    ends wherever the rows end (with one row it has a scale only).

    Inputs are divided by pi, so that angles become -1..1; the 2**n numbers of amplitude encoding
    are averaged to n. The outputs are formed from h as the observables are formed from Z: see
    :func:`read_out`.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        n = spec.n_qubits
        self.weights = nn.Parameter(torch.empty(spec.n_weights // n, n))
        with torch.no_grad():  # starts close to the identity: scale 1, everything else small
            self.weights.normal_(0.0, 0.1)
            self.weights[:: n + 1] += 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        n = self.spec.n_qubits
        h = average_to(n, x) if self.spec.encoding == "amplitude" else x / math.pi
        for rows in self.weights.split(n + 1):
            h = torch.tanh(mix(h, rows))
        return read_out(self.spec, h)


def average_to(n: int, x: torch.Tensor) -> torch.Tensor:
    """(..., m) -> (..., n): means of neighbours."""
    flat = x.reshape(-1, 1, x.shape[-1])
    return nn.functional.adaptive_avg_pool1d(flat, n).reshape(*x.shape[:-1], n)


def mix(h: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
    """``scale * h + bias + m_1 * roll(h, 1) + ...`` with as many terms as there are rows."""
    scale = rows[0]
    total = scale * h
    if len(rows) > 1:
        bias = rows[1]
        total = total + bias
    for shift, m in enumerate(rows[2:], start=1):
        total = total + m * h.roll(shift, dims=-1)
    return total


def read_out(spec: CircuitSpec, h: torch.Tensor) -> torch.Tensor:
    """From one number per qubit (..., n) to ``spec.n_outputs``, as the observables from Z.

    ``"Z"``: the numbers themselves. ``"Z0"``: their mean and not the first alone, because
    entanglers carry every qubit to the first, so every number must count. ``"parity"``: their
    product. ``"ZZ"``: the products of all pairs, in the order of the circuit's outputs.
    """
    if spec.observable == "Z":
        return h
    if spec.observable == "Z0":
        return h.mean(dim=-1, keepdim=True)
    if spec.observable == "parity":
        return h.prod(dim=-1, keepdim=True)
    i, j = torch.triu_indices(spec.n_qubits, spec.n_qubits, offset=1, device=h.device)
    return h[..., i] * h[..., j]


class IdentityCore(nn.Module):
    """No map at all: the angles, divided by pi, go straight on. What is left is the head's tanh.

    It has no parameters. ValueError for amplitude encoding, which has more inputs than qubits.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        if spec.encoding == "amplitude":
            raise ValueError(
                "core 'identity' needs one input per qubit: "
                "amplitude encoding has 2**n; use encoding='angle'"
            )
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(..., n_inputs) -> (..., n_outputs)."""
        return read_out(self.spec, x / math.pi)


class ShuffledCore(nn.Module):
    """A circuit that gets the angles of another image.

    Its outputs have the right distribution and no information about their image. A head that does
    as well with it does not use its circuit. In training every batch has a new permutation,
    afterwards it is always the same one.
    """

    def __init__(self, spec: CircuitSpec, engine: str):
        super().__init__()
        self.circuit = QuantumLayer(spec, engine)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, n_inputs) -> (N, n_outputs)."""
        fixed = None if self.training else torch.Generator().manual_seed(0)
        order = torch.randperm(len(x), generator=fixed)
        return self.circuit(x[order.to(x.device)])


def circuit_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit."""
    return QuantumLayer(spec, engine)


def frozen_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit at its random start weights, which do not learn."""
    return QuantumLayer(spec, engine).requires_grad_(False)


def matched_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The classical map of the circuit's size."""
    return MatchedLayer(spec)


def mlp_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """A plain layer of ordinary size, with more parameters than the circuit has."""
    return nn.Sequential(
        nn.Linear(spec.n_inputs, MLP_WIDTH),
        nn.ReLU(),
        nn.Linear(MLP_WIDTH, spec.n_outputs),
    )


def identity_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The angles themselves."""
    return IdentityCore(spec)


def shuffled_core(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit with the angles of another image."""
    return ShuffledCore(spec, engine)


# Name -> function (spec, engine) that makes the core.
CORES = {
    "circuit": circuit_core,
    "frozen": frozen_core,
    "matched": matched_core,
    "mlp": mlp_core,
    "identity": identity_core,
    "shuffled": shuffled_core,
}
# Those of them that run a circuit; the others are controls without one.
WITH_CIRCUIT = ("circuit", "frozen", "shuffled")
