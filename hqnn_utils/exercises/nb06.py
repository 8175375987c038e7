"""Checks of the exercises in notebook 06."""

from __future__ import annotations

from . import Verdict, number


def _shifts(answer, *, spec) -> Verdict:
    one = spec.n_inputs + spec.n_weights
    return number(
        answer,
        2 * one,
        0,
        f"two runs for each of {one} angles",
        {
            one: "each angle needs two runs, one shifted up and one down",
            2 * spec.n_weights: "the inputs are angles too: the backbone needs their gradient",
            2 * one * spec.n_outputs: "one run gives all outputs at once",
        },
    )


def _cosine(answer) -> Verdict:
    """Exercise 06.cosine: values and gradients of a function of two tensors."""
    import torch

    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    try:
        out = answer(x, theta)
        gradients = torch.autograd.grad(out.sum(), [x, theta])
    except Exception as error:
        return Verdict(
            False, f"calling it with two tensors failed: {type(error).__name__}: {error}"
        )
    truth = torch.cos(x + theta)
    if (
        out.shape == x.shape
        and torch.allclose(out, truth)
        and torch.allclose(gradients[0], -torch.sin(x + theta))
    ):
        return Verdict(True, "two rotations about the same axis add up: cos(x + theta)")
    if out.shape == x.shape and torch.allclose(out, torch.cos((x + theta) / 2)):
        return Verdict(
            False,
            "the half angle belongs to the amplitudes; an expectation value has the full angle",
        )
    if out.shape == x.shape and torch.allclose(out, torch.cos(x) * torch.cos(theta)):
        return Verdict(False, "both rotations are about X, so their angles add up")
    return Verdict(
        False, "start with theta = 0: what does the Z expectation value of RX(x)|0> look like?"
    )


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    return number(
        answer,
        truth,
        0,
        f"{truth / 2**20:.0f} MiB for one copy",
        {
            truth / 8: "that is the number of amplitudes: each has 8 bytes",
            truth / batch: "that is one state: there are as many as images",
            batch * qubits * 8: "a state of n qubits has 2**n amplitudes, not n",
        },
    )


CHECKS = {"06.shifts": _shifts, "06.cosine": _cosine, "06.bytes": _bytes}
