"""A circuit as fused steps, still without numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

from hqnn_utils.quantum.spec import CircuitSpec

# The number of a layer of trainable rotations, or the name of an upload's gate.
GateName = int | str


@dataclass(frozen=True)
class Local:
    """On each qubit a product of one-qubit gates; the first name is applied first."""

    names: tuple[GateName, ...]


@dataclass(frozen=True)
class Phases:
    """A phase for each basis state, from the features."""


@dataclass(frozen=True)
class Entangle:
    """The two-qubit gates of a layer, (control, target) in order."""

    pairs: tuple[tuple[int, int], ...]


Step = Local | Phases | Entangle


def plan(spec: CircuitSpec, upload: tuple[Step, ...]) -> tuple[Step, ...]:
    """The steps of a circuit; ``upload`` are the steps by which features enter once."""
    steps: list[Step] = []
    for layer in range(spec.n_layers):
        if spec.uploads_before(layer):
            steps += upload
        rotations, pairs = Local((layer,)), spec.pairs(layer)
        if not spec.is_mirrored(layer):
            steps.append(rotations)
        if pairs:
            steps.append(Entangle(pairs))
        if spec.is_mirrored(layer):
            steps.append(rotations)
    return tuple(_joined(steps))


def _joined(steps: Iterable[Step]) -> list[Step]:
    """Neighbouring products of one-qubit gates become one."""
    done: list[Step] = []
    for step in steps:
        if done and isinstance(step, Local) and isinstance(done[-1], Local):
            done[-1] = Local(done[-1].names + step.names)
        else:
            done.append(step)
    return done


@lru_cache(maxsize=64)
def split_last_entanglers(steps: tuple[Step, ...]) -> tuple[tuple[Step, ...], tuple[Entangle, ...]]:
    """The steps, and apart from them the entanglers that nothing follows: they only relabel what is
    measured.
    """
    end = len(steps)
    while isinstance(steps[end - 1], Entangle):
        end -= 1
    return steps[:end], steps[end:]
