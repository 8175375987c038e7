"""What random weights make of a circuit: its states and its frequencies.

All of it is batched over weights. States are complex tensors (batch, 2**n), qubit 0 the most
significant bit, as in PennyLane: ``qp.math`` (purity, vn_entropy, mutual_info, fidelity_statevector
...) takes them as they are.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from hqnn_utils.quantum.encodings import ENCODINGS
from hqnn_utils.quantum.engine.fused import expectations, state
from hqnn_utils.quantum.spec import CircuitSpec, init_weights
from hqnn_utils.runtime.arguments import checked


def random_weights(
    spec: CircuitSpec, count: int, init: str = "uniform", seed: int = 0
) -> torch.Tensor:
    """``count`` independent draws of the start angles, (count, *spec.weight_shape) float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([init_weights(spec, init, generator) for _ in range(count)]).double()


def random_states(
    spec: CircuitSpec,
    count: int,
    inputs: torch.Tensor | None = None,
    init: str = "uniform",
    seed: int = 0,
) -> torch.Tensor:
    """States of the circuit for random weights at one input, (count, 2**n) complex128.

    ``inputs`` are (n_inputs,); by default all angles are 0 (amplitude encoding: the state is
    |0...0>).
    """
    x = _blank(spec) if inputs is None else inputs.double()
    with torch.no_grad():
        return state(spec, x.expand(count, -1), random_weights(spec, count, init, seed))


def _blank(spec: CircuitSpec) -> torch.Tensor:
    return ENCODINGS[spec.encoding].blank(spec).double()


def spectrum(
    spec: CircuitSpec, weights: torch.Tensor, feature: int = 0, points: int = 64, output: int = 0
) -> np.ndarray:
    """Sizes |c_k| of the Fourier coefficients, k = 0, 1, ..., of an output as a function of one
    feature.

    The other features are 0.5. (Schuld, Sweke, Meyer, arXiv 2008.08605.)

    Parameters
    ----------
    weights : of ``spec.weight_shape``.
    points : equal steps over one period of 2 pi; frequencies above ``points // 2`` cannot be seen.

    Returns
    -------
    (points // 2 + 1,)

    Raises
    ------
    ValueError : the function has no period of 2 pi, because of the encoding or because ``scaling``
        is no whole number.
    """
    if not ENCODINGS[spec.encoding].periodic or spec.scaling != int(spec.scaling):
        raise ValueError(
            f"the spectrum needs an angle encoding with whole-number scaling, got {spec.label()}"
        )
    x = torch.full((points, spec.n_inputs), 0.5, dtype=torch.float64)
    x[:, feature] = torch.arange(points, dtype=torch.float64) * 2 * math.pi / points
    with torch.no_grad():
        values = expectations(spec, x, weights.double())[:, output].numpy()
    return np.abs(np.fft.rfft(values)) / points


checked(__name__)
