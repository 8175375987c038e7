"""Random weights of a circuit, and the frequencies of its outputs.

What else one asks of random circuits starts from their states, ``state(spec, inputs, weights)``:
complex tensors (batch, 2**n), qubit 0 the most significant bit, as in PennyLane, so that
``qp.math`` (purity, vn_entropy, mutual_info, fidelity_statevector ...) takes them as they are.
"""

from __future__ import annotations

import math

import numpy as np
import torch

from hqnn_utils.quantum.encodings import ENCODINGS
from hqnn_utils.quantum.engine.fused import expectations
from hqnn_utils.quantum.spec import CircuitSpec, init_weights
from hqnn_utils.runtime.arguments import checked


def random_weights(
    spec: CircuitSpec, count: int, init: str = "uniform", seed: int = 0
) -> torch.Tensor:
    """``count`` independent draws of the start angles, (count, *spec.weight_shape) float64."""
    generator = torch.Generator().manual_seed(seed)
    return torch.stack([init_weights(spec, init, generator) for _ in range(count)]).double()


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
