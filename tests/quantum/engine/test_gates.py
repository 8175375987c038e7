"""Matrices of one-qubit rotations against PennyLane's own."""

import numpy as np
import pennylane as qp
import pytest
import torch

from hqnn_utils.quantum.engine.gates import rotations

ANGLES = torch.linspace(-7, 7, 15, dtype=torch.float64)


@pytest.mark.parametrize("name", ["RX", "RY", "RZ"])
@pytest.mark.parametrize("scale", [1.0, 0.5, -2.0])
def test_equal_to_pennylane(name, scale):
    wanted = np.array([qp.matrix(getattr(qp, name)(scale * float(a), wires=0)) for a in ANGLES])
    np.testing.assert_allclose(
        rotations(name, ANGLES, scale, real=False).numpy(), wanted, atol=1e-14
    )


def test_rot_takes_three_angles():
    angles = torch.stack([ANGLES, ANGLES.roll(4), ANGLES.roll(9)], -1).reshape(5, 3, 3)
    wanted = np.array(
        [[qp.matrix(qp.Rot(*map(float, row), wires=0)) for row in block] for block in angles]
    )
    np.testing.assert_allclose(
        rotations("Rot", angles, 1.0, real=False).numpy(), wanted, atol=1e-14
    )


def test_ry_is_real():
    made = rotations("RY", ANGLES.float(), 1.0, real=True)
    assert made.dtype == torch.float32
    assert made.shape == (15, 2, 2)
    torch.testing.assert_close(made, rotations("RY", ANGLES.float(), 1.0, real=False).real)
