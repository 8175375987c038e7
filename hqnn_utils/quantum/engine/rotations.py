"""Matrices of one-qubit rotations, many at once. Every entry is a sum of cosines, so one ``cos`` and one product make them all."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import torch


def rotations(name: str, angles: torch.Tensor, scale: float, real: bool) -> torch.Tensor:
    """Matrices (..., 2, 2) of RX, RY or RZ for scale * angles (...), or of Rot = RZ(c) RY(b) RZ(a) for angles (..., 3).

    ``real`` leaves the imaginary part out, for those that have none (RY). The angles are in radians.
    """
    combine, shift, table = _trigonometry(name, scale, real, angles.dtype, angles.device)
    entries = (
        torch.cos((angles if name == "Rot" else angles.unsqueeze(-1)) @ combine + shift) @ table
    )
    return (
        entries.unflatten(-1, (2, 2))
        if real
        else torch.view_as_complex(entries.unflatten(-1, (2, 2, 2)))
    )


@lru_cache(maxsize=64)
def _trigonometry(
    name: str, scale: float, real: bool, dtype: torch.dtype, device: torch.device
) -> tuple:
    """Which waves cos(angles @ combine + shift), and which sums of them are the entries 00, 01, 10, 11 (real, imaginary)."""
    if (
        name == "Rot"
    ):  # 00 is cos(b/2) e^(-i(c+a)/2), 10 is sin(b/2) e^(i(c-a)/2): each a sum of two waves, by Euler's formula
        combine = np.array([[1, 1, -1, -1], [-1, 1, 1, -1], [1, 1, 1, 1]]) / 2
        cos, sin = np.split(np.eye(8) / 2, 2)
        re00, im00, re10, im10 = cos[0] + cos[1], -sin[0] - sin[1], sin[2] - sin[3], cos[3] - cos[2]
    else:
        combine = np.array([[0.5]])
        (cos, sin), no = np.eye(2), np.zeros(2)
        re00, im00, re10, im10 = {
            "RX": (cos, no, no, -sin),
            "RY": (cos, no, sin, no),
            "RZ": (cos, -sin, no, no),
        }[name]
    table = [
        re00,
        im00,
        -re10,
        im10,
        re10,
        im10,
        re00,
        -im00,
    ]  # a rotation has 11 = conj(00) and 01 = -conj(10)
    shift = np.repeat([0, -math.pi / 2], combine.shape[1])
    parts = scale * np.hstack([combine, combine]), shift, np.array(table[:: 2 if real else 1]).T
    return tuple(
        torch.tensor(np.ascontiguousarray(part), dtype=dtype, device=device) for part in parts
    )
