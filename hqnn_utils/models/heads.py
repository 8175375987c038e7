"""The heads that stand on a backbone. They are the experiment: some hold a circuit, the others what takes its place.

A head has a *shape* (the layers around the place of the circuit) and a *core* (what stands in that place). ``HEADS`` names the pairs.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hqnn_utils.quantum.circuits import CircuitSpec
from hqnn_utils.quantum.layers import QuantumLayer
from hqnn_utils.runtime import choose

N_CLASSES = 2
MLP_WIDTH = 16


class BoundedAngles(nn.Module):
    """tanh, then times pi: features become rotation angles between -pi and pi."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return math.pi * torch.tanh(x)


class MatchedLayer(nn.Module):
    """The classical control of a circuit: same inputs, same outputs, same number of trainable parameters.

    A circuit of n qubits has k = c * n angles. This map spends the same k numbers in vectors of length n: on a state h of
    length n, h <- tanh(scale * h + bias + m_1 * roll(h, 1) + m_2 * roll(h, 2) + ...), where a new tanh layer begins
    once all n rolls are used. Inputs are divided by pi (angles become -1..1); 2**n amplitudes are averaged to n values.
    The outputs are formed from h as the observables are from Z: one per qubit, pairs, or the product;
    for the first qubit alone the mean, so that every parameter has an effect as in an entangled circuit.
    """

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        self.spec = spec
        self.weights = nn.Parameter(torch.empty(spec.n_weights // spec.n_qubits, spec.n_qubits))
        with torch.no_grad():  # starts close to the identity: scale 1, everything else small
            self.weights.normal_(0.0, 0.1)
            self.weights[:: spec.n_qubits + 1] += 1.0

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        n = self.spec.n_qubits
        if self.spec.encoding == "amplitude":
            h = nn.functional.adaptive_avg_pool1d(x.reshape(-1, 1, x.shape[-1]), n).reshape(
                *x.shape[:-1], n
            )
        else:
            h = x / math.pi
        for group in self.weights.split(n + 1):
            total = group[0] * h + (group[1] if len(group) > 1 else 0.0)
            for shift, row in enumerate(group[2:], start=1):
                total = total + row * h.roll(shift, dims=-1)
            h = torch.tanh(total)
        return read_out(self.spec, h)


def read_out(spec: CircuitSpec, h: torch.Tensor) -> torch.Tensor:
    """From one number per qubit (..., n) to ``spec.n_outputs`` numbers, formed as the observable is formed from Z."""
    if spec.observable == "Z":
        return h
    if spec.observable == "Z0":
        return h.mean(
            dim=-1, keepdim=True
        )  # entanglers carry every qubit to the first, so every h must count
    if spec.observable == "parity":
        return h.prod(dim=-1, keepdim=True)
    i, j = torch.triu_indices(spec.n_qubits, spec.n_qubits, offset=1, device=h.device)
    return h[..., i] * h[..., j]


class IdentityCore(nn.Module):
    """No map at all in the circuit's place: the angles, divided by pi, go straight on. What is left is the tanh. No parameters."""

    def __init__(self, spec: CircuitSpec):
        super().__init__()
        if spec.encoding == "amplitude":
            raise ValueError(
                "core 'identity' needs one input per qubit: amplitude encoding has 2**n; use encoding='angle'"
            )
        self.spec = spec

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return read_out(self.spec, x / math.pi)


class ShuffledCore(nn.Module):
    """A circuit that gets the angles of another image: in training a new permutation each batch, afterwards always the same one.

    Its outputs have the right distribution and no information about their image. A head that does as well with it does not use its circuit.
    """

    def __init__(self, spec: CircuitSpec, engine: str):
        super().__init__()
        self.circuit = QuantumLayer(spec, engine)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        fixed = None if self.training else torch.Generator().manual_seed(0)
        return self.circuit(x[torch.randperm(len(x), generator=fixed).to(x.device)])


def _circuit(spec: CircuitSpec, engine: str) -> nn.Module:
    return QuantumLayer(spec, engine)


def _frozen(spec: CircuitSpec, engine: str) -> nn.Module:
    """The circuit at its random start weights, which do not learn."""
    return QuantumLayer(spec, engine).requires_grad_(False)


def _matched(spec: CircuitSpec, engine: str) -> nn.Module:
    return MatchedLayer(spec)


def _mlp(spec: CircuitSpec, engine: str) -> nn.Module:
    """A plain layer of ordinary size, with more parameters than the circuit has."""
    return nn.Sequential(
        nn.Linear(spec.n_inputs, MLP_WIDTH), nn.ReLU(), nn.Linear(MLP_WIDTH, spec.n_outputs)
    )


def _identity(spec: CircuitSpec, engine: str) -> nn.Module:
    return IdentityCore(spec)


def _shuffled(spec: CircuitSpec, engine: str) -> nn.Module:
    return ShuffledCore(spec, engine)


# What may stand in the circuit's place: (spec, engine) -> module from spec.n_inputs to spec.n_outputs.
CORES = {
    "circuit": _circuit,
    "frozen": _frozen,
    "matched": _matched,
    "mlp": _mlp,
    "identity": _identity,
    "shuffled": _shuffled,
}


class StudyHead(nn.Module):
    """The study's head: features -> 128 -> ReLU -> angles -> core, beside features -> 32 -> ReLU; both -> 64 -> ReLU -> dropout -> classes.

    ``bypass=False`` cuts the branch of 32: whatever reaches the classes has gone through the core.
    ``core=None`` leaves only that branch.
    """

    def __init__(
        self,
        n_features: int,
        n_angles: int,
        core: nn.Module | None,
        n_outputs: int,
        bypass: bool = True,
    ):
        super().__init__()
        self.projector = (
            None
            if core is None
            else nn.Sequential(
                nn.Linear(n_features, 128), nn.ReLU(), nn.Linear(128, n_angles), BoundedAngles()
            )
        )
        self.core = core
        self.branch = nn.Sequential(nn.Linear(n_features, 32), nn.ReLU()) if bypass else None
        joined = (0 if core is None else n_outputs) + (32 if bypass else 0)
        self.classifier = nn.Sequential(
            nn.Linear(joined, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, N_CLASSES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = [] if self.core is None else [self.core(self.projector(x))]
        if self.branch is not None:
            parts.append(self.branch(x))
        return self.classifier(torch.cat(parts, dim=-1))


def _linear_shape(
    n_features: int, n_angles: int, spec: CircuitSpec, engine: str, core: str | None
) -> nn.Module:
    return nn.Linear(n_features, N_CLASSES)


def _dressed_shape(
    n_features: int, n_angles: int, spec: CircuitSpec, engine: str, core: str
) -> nn.Module:
    """Features -> angles -> core -> classes, with no way round the core (Mari et al., arXiv 1912.08278)."""
    return nn.Sequential(
        nn.Linear(n_features, n_angles),
        BoundedAngles(),
        CORES[core](spec, engine),
        nn.Linear(spec.n_outputs, N_CLASSES),
    )


def _study_shape(
    n_features: int, n_angles: int, spec: CircuitSpec, engine: str, core: str | None
) -> nn.Module:
    return StudyHead(
        n_features, n_angles, None if core is None else CORES[core](spec, engine), spec.n_outputs
    )


def _study_cut_shape(
    n_features: int, n_angles: int, spec: CircuitSpec, engine: str, core: str
) -> nn.Module:
    return StudyHead(n_features, n_angles, CORES[core](spec, engine), spec.n_outputs, bypass=False)


# name -> (shape, core). "matched" and "mlp" are controls of "dressed"; "study_matched" and "study_mlp" of "study_hybrid".
HEADS = {
    "linear": (_linear_shape, None),
    "dressed": (_dressed_shape, "circuit"),
    "matched": (_dressed_shape, "matched"),
    "mlp": (_dressed_shape, "mlp"),
    "frozen": (_dressed_shape, "frozen"),
    "identity": (_dressed_shape, "identity"),
    "shuffled": (_dressed_shape, "shuffled"),
    "study_hybrid": (_study_shape, "circuit"),
    "study_matched": (_study_shape, "matched"),
    "study_mlp": (_study_shape, "mlp"),
    "study_frozen": (_study_shape, "frozen"),
    "study_identity": (_study_shape, "identity"),
    "study_shuffled": (_study_shape, "shuffled"),
    "study_branch": (_study_shape, None),
    "study_cut": (_study_cut_shape, "circuit"),
    "study_cut_matched": (_study_cut_shape, "matched"),
}


def control_of(head: str) -> str:
    """The matched classical control of a head with a circuit. ValueError for a head without one."""
    shape, core = HEADS[choose("head", head, HEADS)]
    if core not in ("circuit", "frozen"):
        raise ValueError(f"head {head!r} holds no circuit, so it has no matched control")
    return next(name for name, pair in HEADS.items() if pair == (shape, "matched"))


def build_head(
    name: str,
    n_features: int,
    spec: CircuitSpec | None = None,
    engine: str = "fused",
    n_angles: int | None = None,
) -> nn.Module:
    """A head by name: features (N, n_features) -> logits (N, 2).

    ``n_angles`` is the number of angles that the projector gives, by default as many as the circuit takes.

    Raises
    ------
    ValueError : an unknown head; a circuit that wants more (or fewer) inputs than the projector gives.
    """
    shape, core = HEADS[choose("head", name, HEADS)]
    spec = spec or CircuitSpec()
    n_angles = spec.n_inputs if n_angles is None else n_angles
    if core is not None and n_angles != spec.n_inputs:
        raise ValueError(
            f"circuit {spec.label()} wants {spec.n_inputs} inputs, the projector gives {n_angles}: "
            f"set n_angles={spec.n_inputs}, or choose a circuit with {n_angles} inputs"
        )
    return shape(n_features, n_angles, spec, engine, core)
