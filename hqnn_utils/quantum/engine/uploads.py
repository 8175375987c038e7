"""How the features of each encoding enter the fused engine. An encoding without an entry here runs
with PennyLane only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch

from hqnn_utils.quantum.engine.gates import hadamards, product_state, rotations
from hqnn_utils.quantum.engine.kept import in_a_transform, kept
from hqnn_utils.quantum.engine.measurement import z_of_each_qubit
from hqnn_utils.quantum.engine.plan import GateName, Local, Phases, Step
from hqnn_utils.quantum.spec import CircuitSpec

Gates = dict[GateName, torch.Tensor]  # name -> (n, 2, 2), or (batch, n, 2, 2) where rows differ


def multiply(gates: Gates, names: Iterable[GateName], start: torch.Tensor) -> torch.Tensor:
    """The named gates one after another on ``start``, (..., n, 2, columns)."""
    for name in names:
        start = gates[name] @ start
    return start


def refuse_width(spec: CircuitSpec, inputs: torch.Tensor | np.ndarray) -> None:
    """Raise a ValueError for inputs that are no table with ``spec.n_inputs`` columns."""
    if inputs.ndim != 2 or inputs.shape[1] != spec.n_inputs:
        raise ValueError(
            f"inputs must have shape (batch, {spec.n_inputs}), got {tuple(inputs.shape)}"
        )


@dataclass(frozen=True)
class Entry:
    """What the start state of a circuit is made of.

    Attributes
    ----------
    spec, x : the circuit, and its features (batch, n_inputs).
    gates, phases : what the upload made of them.
    first : the plan's first step.
    dtype : of the state.
    """

    spec: CircuitSpec
    x: torch.Tensor
    gates: Gates
    phases: torch.Tensor | None
    first: Step
    dtype: torch.dtype


class Upload:
    """One encoding, as the engine sees it.

    Attributes
    ----------
    steps : the steps of one upload.
    in_start : how many steps of the plan the start state already contains.
    """

    steps: tuple[Step, ...] = ()
    in_start = 0

    def check(self, x: torch.Tensor) -> None:
        """Raise a ValueError for features that make no state."""

    def is_real(self, spec: CircuitSpec) -> bool:
        """Whether the encoding has no imaginary part."""
        return False

    def gates(self, spec: CircuitSpec, x: torch.Tensor, like: torch.Tensor) -> Gates:
        """The one-qubit gates that ``steps`` name, of the dtype of ``like``."""
        return {}

    def phases(self, spec: CircuitSpec, x: torch.Tensor) -> torch.Tensor | None:
        """The numbers of the step ``Phases``, (batch, 2**n)."""
        return None

    def start(self, given: Entry) -> torch.Tensor:
        """The state behind the first ``in_start`` steps, (batch, 2**n) of ``given.dtype``."""
        raise NotImplementedError


class AngleUpload(Upload):
    """A rotation by each feature. The first layer makes a product state."""

    steps = (Local(("encode",)),)
    in_start = 1

    def is_real(self, spec: CircuitSpec) -> bool:
        """RY has no imaginary part."""
        return spec.axis == "Y"

    def gates(self, spec: CircuitSpec, x: torch.Tensor, like: torch.Tensor) -> Gates:
        """A rotation for each row and qubit."""
        real = not like.is_complex()
        return {"encode": rotations("R" + spec.axis, x.double(), spec.scaling, real)}

    def start(self, given: Entry) -> torch.Tensor:
        """The gates' first columns are the states of the single qubits."""
        encoded, *trainable = given.first.names
        columns = multiply(given.gates, trainable, given.gates[encoded][..., :1])
        return product_state(columns, given.dtype)


class AmplitudeUpload(Upload):
    """The features are the state."""

    def check(self, x: torch.Tensor) -> None:
        """A row of zeros has no direction. Within a transform and on the device ``meta``
        nobody can see one; a transform gives NaN."""
        if not (in_a_transform(x) or x.is_meta) and bool((x.detach() == 0).all(dim=1).any()):
            raise ValueError(
                "amplitude encoding cannot normalise a row of zeros: "
                "drop it or add a constant feature"
            )

    def is_real(self, spec: CircuitSpec) -> bool:
        """Features are real."""
        return True

    def start(self, given: Entry) -> torch.Tensor:
        """Each row, normalised."""
        rows = given.x.double()
        return (rows / rows.norm(dim=1, keepdim=True)).to(given.dtype)


class IQPUpload(Upload):
    """Hadamards, then a phase for each basis state."""

    steps = (Local(("hadamard",)), Phases())
    in_start = 2

    def gates(self, spec: CircuitSpec, x: torch.Tensor, like: torch.Tensor) -> Gates:
        """A Hadamard on each qubit."""
        return {"hadamard": hadamards(spec.n_qubits, like)}

    def phases(self, spec: CircuitSpec, x: torch.Tensor) -> torch.Tensor:
        """exp(-i/2 (sum x_i Z_i + sum x_i x_j Z_i Z_j)) for each basis state, (batch, 2**n)."""
        scaled = spec.scaling * x
        i, j = np.triu_indices(spec.n_qubits, 1)
        terms = torch.cat([scaled, scaled[:, i] * scaled[:, j]], dim=1)
        phase = terms @ _iqp_table(spec.n_qubits, x.dtype, x.device)
        return torch.polar(torch.ones_like(phase), phase)

    def start(self, given: Entry) -> torch.Tensor:
        """Hadamards on |0...0> give equal amplitudes."""
        return (given.phases * 2 ** (-given.spec.n_qubits / 2)).to(given.dtype)


@kept(16)
def _iqp_table(n: int, dtype: torch.dtype, device: torch.device) -> torch.Tensor:
    """What each term of the phase is multiplied with in each basis state, (n + n (n - 1) / 2,
    2**n).
    """
    z = z_of_each_qubit(n)
    i, j = np.triu_indices(n, 1)
    return torch.from_numpy(-0.5 * np.concatenate([z, z[i] * z[j]])).to(device=device, dtype=dtype)


UPLOADS: dict[str, Upload] = {
    "angle": AngleUpload(),
    "amplitude": AmplitudeUpload(),
    "iqp": IQPUpload(),
}
