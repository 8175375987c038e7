"""Self-checks for the exercises: ``check("00.wilson", answer)`` says whether an answer is right, and hints if not.

An exercise that nobody has touched holds ``...`` and is reported as open, so that an unsolved notebook still runs.
Each check recomputes the truth from the given context; none compares with a stored number that somebody typed in.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Verdict:
    """Outcome of a check: ``ok`` is True, False, or ``None`` for an exercise still open. Falsy unless it is right."""

    ok: bool | None
    message: str

    def __bool__(self) -> bool:
        return self.ok is True

    def __repr__(self) -> str:
        return {True: "RIGHT: ", False: "NOT YET: ", None: "OPEN: "}[self.ok] + self.message


def _number(answer, truth: float, tolerance: float, right: str, hints: dict[float, str] | None = None) -> Verdict:
    """Accept ``truth`` within ``tolerance``; recognise usual wrong values and say what they are."""
    try:
        value = float(answer)
    except (TypeError, ValueError):
        return Verdict(False, f"expected one number, got {type(answer).__name__}")
    if abs(value - truth) <= tolerance:
        return Verdict(True, right)
    for wrong, hint in (hints or {}).items():
        if abs(value - wrong) <= tolerance:
            return Verdict(False, hint)
    return Verdict(False, f"{value:.4g} is not it; look at the definition once more")


def _majority(answer, *, labels) -> Verdict:
    labels = np.asarray(labels)
    share = float(np.mean(labels == 0))
    return _number(answer, share, 5e-4, f"always answering 'not malignant' already scores {share:.3f}",
                   {1 - share: "that is the share of the smaller class: which answer would you always give?",
                    0.5: "the classes are not equally frequent", 100 * share: "give a fraction between 0 and 1, not per cent"})  # fmt: skip


def _sensitivity(answer, *, confusion) -> Verdict:
    c = confusion
    truth = c["tp"] / (c["tp"] + c["fn"])
    return _number(answer, truth, 5e-4, f"{c['tp']} of {c['tp'] + c['fn']} malignant images were found",
                   {c["tn"] / max(c["tn"] + c["fp"], 1): "that is the specificity: divide by the malignant images",
                    c["tp"] / max(c["tp"] + c["fp"], 1): "that is the precision: divide by the truly malignant, not by those called so",
                    (c["tp"] + c["tn"]) / sum(c.values()): "that is the accuracy"})  # fmt: skip


def _circuit(answer, *, n_weights: int) -> Verdict:
    from .circuits import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4:
        return Verdict(False, f"keep 4 qubits, got {answer.n_qubits}")
    if answer.n_weights != n_weights:
        return Verdict(False, f"your circuit has {answer.n_weights} trainable angles, wanted {n_weights}: angles = layers x qubits (x 3 for Rot)")
    if answer.entangler == "none":
        return Verdict(False, "without an entangler the qubits never meet: keep one")
    return Verdict(True, f"{answer.label()} has {answer.n_weights} trainable angles")


def _seeing(answer) -> Verdict:
    """Exercise 04.blind: outputs must really move with the input, tried on two inputs and five random weights."""
    import torch

    from .analysis import random_weights
    from .circuits import CircuitSpec
    from .statevector import expectations

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 2 or answer.encoding != "angle" or answer.axis != "Z":
        return Verdict(False, 'keep 2 qubits, encoding="angle" and axis="Z"')
    first, second = torch.tensor([[0.1, 0.2]]).double(), torch.tensor([[1.3, -0.9]]).double()
    moved = max((expectations(answer, first, w) - expectations(answer, second, w)).abs().max().item() for w in random_weights(answer, 5))
    if moved > 1e-6:
        return Verdict(True, "the rotation before the second upload makes the phase visible")
    if answer.reupload and answer.n_layers > 1:
        return Verdict(False, "still blind: rotations about Z alone never leave the vertical axis; choose another trainable rotation")
    return Verdict(False, "still blind: |0> has no phase that a Z rotation could change; repeat the encoding behind a rotation")


def _entangled(answer, *, state) -> Verdict:
    from .analysis import meyer_wallach

    if not isinstance(answer, (bool, np.bool_)):
        return Verdict(False, f"expected True or False, got {answer!r}")
    if bool(answer) == bool(meyer_wallach(state).item() > 1e-9):
        return Verdict(True, f"Q = {meyer_wallach(state).item():.3f}")
    return Verdict(False, "compute Q: can the state be written as a product of single-qubit states?")


def _identity(answer) -> Verdict:
    """Exercise 04.identity: the trainable part must start as the identity, tried on the state itself."""
    import torch

    from .circuits import CircuitSpec, init_weights
    from .statevector import state

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4 or answer.n_layers < 4:
        return Verdict(False, f"wanted 4 qubits and at least 4 layers, got {answer.n_qubits} and {answer.n_layers}")
    try:
        weights = init_weights(answer, "identity_block", torch.Generator().manual_seed(0)).double()
    except ValueError as error:
        return Verdict(False, str(error))
    x = torch.linspace(-1, 1, answer.n_inputs).double()[None]
    encoded = CircuitSpec(n_qubits=4, n_layers=1, encoding=answer.encoding, axis=answer.axis, entangler="none", scaling=answer.scaling)
    overlap = (state(answer, x, weights).conj() * state(encoded, x, torch.zeros(1, 4).double())).sum().abs().item()
    if abs(overlap - 1) < 1e-5:
        return Verdict(True, "the circuit starts as the identity: each pair of layers undoes itself")
    return Verdict(False, "the layers do not cancel")


def _shifts(answer, *, spec) -> Verdict:
    one = spec.n_inputs + spec.n_weights
    return _number(answer, 2 * one, 0, f"two runs for each of {one} angles",
                   {one: "each angle needs two runs, one shifted up and one down", 2 * spec.n_weights: "the inputs are angles too: the backbone needs their gradient",
                    2 * one * spec.n_outputs: "one run gives all outputs at once"})  # fmt: skip


def _cosine(answer) -> Verdict:
    """Exercise 05.cosine: values and gradients of a function of two tensors."""
    import torch

    x = torch.linspace(-3, 3, 7, dtype=torch.float64, requires_grad=True)
    theta = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    try:
        out = answer(x, theta)
        gradients = torch.autograd.grad(out.sum(), [x, theta])
    except Exception as error:
        return Verdict(False, f"calling it with two tensors failed: {type(error).__name__}: {error}")
    truth = torch.cos(x + theta)
    if out.shape == x.shape and torch.allclose(out, truth) and torch.allclose(gradients[0], -torch.sin(x + theta)):
        return Verdict(True, "two rotations about the same axis add up: cos(x + theta)")
    if out.shape == x.shape and torch.allclose(out, torch.cos((x + theta) / 2)):
        return Verdict(False, "the half angle belongs to the amplitudes; an expectation value has the full angle")
    if out.shape == x.shape and torch.allclose(out, torch.cos(x) * torch.cos(theta)):
        return Verdict(False, "both rotations are about X, so their angles add up")
    return Verdict(False, "start with theta = 0: what does the Z expectation value of RX(x)|0> look like?")


def _bytes(answer, *, qubits: int, batch: int) -> Verdict:
    truth = batch * 2**qubits * 8
    return _number(answer, truth, 0, f"{truth / 2**20:.0f} MiB for one copy",
                   {truth / 8: "that is the number of amplitudes: each has 8 bytes", truth / batch: "that is one state: there are as many as images",
                    batch * qubits * 8: "a state of n qubits has 2**n amplitudes, not n"})  # fmt: skip


CHECKS = {"00.majority": _majority, "00.sensitivity": _sensitivity, "00.circuit": _circuit,
          "04.blind": _seeing, "04.entangled": _entangled, "04.identity": _identity,
          "05.shifts": _shifts, "05.cosine": _cosine, "05.bytes": _bytes}  # fmt: skip


def check(exercise: str, answer, **context) -> Verdict:
    """Grade an answer. ``...`` means not tried yet. Raises ValueError for an unknown exercise and names the known ones."""
    from .runtime import choose

    choose("exercise", exercise, CHECKS)
    if answer is ...:
        return Verdict(None, "replace the ... by your answer and run the cell again")
    return CHECKS[exercise](answer, **context)
