"""The heads that stand on a backbone: features (N, n_features) -> logits (N, 2).

They are the experiment. A head has a *shape*, the layers around the place of the circuit, and a
*core*, what stands in that place: the circuit or a control (see ``cores``). ``HEADS`` names the
pairs. A new head is a line in that table; a new shape is one function, a new core one in ``cores``.
"""

from __future__ import annotations

import math

import torch
from torch import nn

from hqnn_utils.models.cores import CORES, WITH_CIRCUIT
from hqnn_utils.quantum import CircuitSpec
from hqnn_utils.runtime import choose
from hqnn_utils.runtime.arguments import checked

N_CLASSES = 2


class BoundedAngles(nn.Module):
    """tanh, then times pi: features become rotation angles between -pi and pi."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Any shape."""
        return math.pi * torch.tanh(x)


class StudyHead(nn.Module):
    """The head of the study.

    ::

        features -> 128 -> ReLU -> angles -> core ---+
                                                     +--> 64 -> ReLU -> dropout -> classes
        features -> 32 -> ReLU  (the bypass) --------+

    Parameters
    ----------
    n_features : numbers that the backbone gives.
    n_angles : numbers that the core takes.
    core : what stands in the circuit's place; ``None`` leaves only the bypass.
    n_outputs : numbers that the core gives.
    bypass : ``False`` cuts the branch of 32: whatever reaches the classes has gone through the
        core.
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
        joined = 0  # numbers that reach the classifier, from both ways
        self.projector = self.core = self.branch = None
        if core is not None:
            self.projector = nn.Sequential(
                nn.Linear(n_features, 128), nn.ReLU(), nn.Linear(128, n_angles), BoundedAngles()
            )
            self.core = core
            joined += n_outputs
        if bypass:
            self.branch = nn.Sequential(nn.Linear(n_features, 32), nn.ReLU())
            joined += 32
        self.classifier = nn.Sequential(
            nn.Linear(joined, 64), nn.ReLU(), nn.Dropout(0.3), nn.Linear(64, N_CLASSES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, n_features) -> (N, 2)."""
        parts = []
        if self.core is not None:
            angles = self.projector(x)  # (N, n_angles)
            parts.append(self.core(angles))  # (N, n_outputs)
        if self.branch is not None:
            parts.append(self.branch(x))  # (N, 32)
        return self.classifier(torch.cat(parts, dim=-1))


# A shape is a function (n_features, spec, engine, core) -> module. ``spec`` describes the circuit,
# ``engine`` computes it, and ``core`` is the name in CORES of what stands in its place, or None.
# The order in which layers are made decides their random start: keep it.


def linear_shape(n_features: int, spec: CircuitSpec, engine: str, core: None) -> nn.Module:
    """One linear layer: logistic regression on the features."""
    return nn.Linear(n_features, N_CLASSES)


def dressed_shape(n_features: int, spec: CircuitSpec, engine: str, core: str) -> nn.Module:
    """Features -> angles -> core -> classes: no way round the core (Mari et al., arXiv 1912.08278).

    (N, n_features) -> (N, n_inputs) -> (N, n_outputs) -> (N, 2)
    """
    return nn.Sequential(
        nn.Linear(n_features, spec.n_inputs),
        BoundedAngles(),
        CORES[core](spec, engine),
        nn.Linear(spec.n_outputs, N_CLASSES),
    )


def study_shape(n_features: int, spec: CircuitSpec, engine: str, core: str | None) -> nn.Module:
    """The study's head; without a core its bypass alone."""
    in_the_middle = None if core is None else CORES[core](spec, engine)
    return StudyHead(n_features, spec.n_inputs, in_the_middle, spec.n_outputs)


def study_cut_shape(n_features: int, spec: CircuitSpec, engine: str, core: str) -> nn.Module:
    """The study's head without its bypass."""
    in_the_middle = CORES[core](spec, engine)
    return StudyHead(n_features, spec.n_inputs, in_the_middle, spec.n_outputs, bypass=False)


# Name -> (shape, core). Within a shape, heads differ in nothing but what stands in the circuit's
# place: "matched", "mixing", "mlp", "cosines" and "fourier" are the controls of "dressed", and so
# are those with "study_" in front of "study_hybrid", with "study_cut_" of "study_cut".
HEADS = {
    "linear": (linear_shape, None),
    # features -> angles -> core -> classes
    "dressed": (dressed_shape, "circuit"),
    "frozen": (dressed_shape, "frozen"),
    "shuffled": (dressed_shape, "shuffled"),
    "identity": (dressed_shape, "identity"),
    "matched": (dressed_shape, "matched"),
    "mixing": (dressed_shape, "mixing"),
    "mlp": (dressed_shape, "mlp"),
    "cosines": (dressed_shape, "cosines"),
    "fourier": (dressed_shape, "fourier"),
    # the study's head, with its bypass
    "study_hybrid": (study_shape, "circuit"),
    "study_frozen": (study_shape, "frozen"),
    "study_shuffled": (study_shape, "shuffled"),
    "study_identity": (study_shape, "identity"),
    "study_matched": (study_shape, "matched"),
    "study_mixing": (study_shape, "mixing"),
    "study_mlp": (study_shape, "mlp"),
    "study_cosines": (study_shape, "cosines"),
    "study_fourier": (study_shape, "fourier"),
    # the study's head with one of its two ways alone: the bypass, or the core
    "study_branch": (study_shape, None),
    "study_cut": (study_cut_shape, "circuit"),
    "study_cut_matched": (study_cut_shape, "matched"),
    "study_cut_mixing": (study_cut_shape, "mixing"),
}


def holds_circuit(head: str) -> bool:
    """Whether a head runs a circuit, with whatever inputs. ValueError for an unknown head."""
    _, core = HEADS[choose("head", head, HEADS)]
    return core in WITH_CIRCUIT


def control_of(head: str, core: str = "matched") -> str:
    """The control of a head with a circuit: the same shape with another core in its place.

    Parameters
    ----------
    core : ``"matched"``, or ``"mixing"``, which mixes its inputs as the circuit does.

    Raises
    ------
    ValueError : a head without a circuit, or no head of this shape with such a core.
    """
    shape, own = HEADS[choose("head", head, HEADS)]
    if own not in ("circuit", "frozen"):
        raise ValueError(f"head {head!r} holds no circuit, so it has no {core} control")
    of_core = {other: name for name, (outer, other) in HEADS.items() if outer is shape}
    return of_core[choose(f"core in the shape of {head!r}", core, of_core)]


def build_head(
    name: str,
    n_features: int,
    spec: CircuitSpec | None = None,
    engine: str = "fused",
    n_angles: int | None = None,
) -> nn.Module:
    """A head by name: features (N, n_features) -> logits (N, 2).

    Parameters
    ----------
    name : a name in ``HEADS``.
    n_features : numbers that the backbone gives.
    spec : the circuit, also for its controls; by default ``CircuitSpec()``.
    engine : of the circuit, see ``QuantumLayer``.
    n_angles : angles that the projector gives, by default as many as the circuit takes.

    Raises
    ------
    ValueError : an unknown head; a circuit that wants more (or fewer) inputs than the projector
        gives.
    """
    shape, core = HEADS[choose("head", name, HEADS)]
    spec = spec or CircuitSpec()
    if core is not None and n_angles not in (None, spec.n_inputs):
        raise ValueError(
            f"circuit {spec.label()} wants {spec.n_inputs} inputs, the projector gives {n_angles}: "
            f"set n_angles={spec.n_inputs}, or choose a circuit with {n_angles} inputs"
        )
    return shape(n_features, spec, engine, core)


checked(__name__)
