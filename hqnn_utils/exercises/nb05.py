"""Checks of the exercises in notebook 05."""

from __future__ import annotations

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function

# ---------------------------------------------------------------- a circuit that sees its input


def _blind(answer) -> Verdict:
    """The outputs must move with the input: tried on two inputs and five random weights."""
    fault = _not_asked_for(answer) or _fault_of_blind(answer)
    if fault:
        return Verdict(False, fault)
    return Verdict(True, "the rotation before the second upload makes the phase visible")


def _not_asked_for(answer) -> str | None:
    from hqnn_utils.quantum import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return f"expected a CircuitSpec, got {type(answer).__name__}"
    if answer.encoding != "angle" or answer.axis != "Z":
        return 'that goes round the question: keep encoding="angle" and axis="Z"'
    if answer.n_qubits != 2:
        return f"keep 2 qubits, got {answer.n_qubits}"
    return None


def _fault_of_blind(spec) -> str | None:
    if _moves(spec):
        return None
    if not spec.reupload:
        return (
            "still blind: the only upload meets |0>, which has no phase that a Z rotation could "
            "change; repeat the encoding behind a rotation"
        )
    if spec.n_layers == 1:
        return "with one layer nothing is repeated: the second upload comes before a second layer"
    if spec.rotation == "RZ":
        return (
            "still blind: rotations about Z alone never leave the vertical axis; "
            "choose another trainable rotation"
        )
    return "the outputs still do not move with the input: look at what stands between two uploads"


def _moves(spec) -> bool:
    """Whether the outputs differ between two inputs for one of five random weights."""
    import torch

    from hqnn_utils.quantum import expectations
    from hqnn_utils.quantum.analysis import random_weights

    first = torch.tensor([[0.1, 0.2]], dtype=torch.float64)
    second = torch.tensor([[1.3, -0.9]], dtype=torch.float64)
    changes = [
        expectations(spec, first, weights) - expectations(spec, second, weights)
        for weights in random_weights(spec, 5)
    ]
    return max(change.abs().max().item() for change in changes) > 1e-6


# ---------------------------------------------------------------- product or entangled


def _product(state) -> bool:
    a, b, c, d = np.asarray(state).ravel()
    return bool(abs(a * d - b * c) < 1e-9)


def _states() -> list[tuple[np.ndarray]]:
    """Products and entangled states of two qubits, real and complex, some entangled a little."""
    half = np.full(4, 0.5, complex)
    turned = np.array([0.5, 0.5j, 0.5j, -0.5])  # (|0> + i|1>)(|0> + i|1>) / 2
    signs = np.array([0.5, 0.5, 0.5, -0.5], complex)  # the same sizes, and entangled
    bell = np.array([1, 0, 0, 1], complex) / np.sqrt(2)
    other_bell = np.array([0, 1, 1j, 0], complex) / np.sqrt(2)
    basis = np.array([0, 0, 1, 0], complex)
    edge = np.array([0.6, 0.8, 0, 0], complex)
    slightly = np.array([np.cos(0.1), 0, 0, np.sin(0.1)], complex)
    uneven = np.kron([0.6, 0.8], [0.28, 0.96j])
    three = np.array([0.6, 0.0, 0.48, 0.64], complex)
    rng = np.random.default_rng(3)
    first, second = rng.normal(size=(2, 2)) + 1j * rng.normal(size=(2, 2))
    any_product = np.kron(first, second)
    any_product /= np.linalg.norm(any_product)
    states = (half, bell, turned, signs, other_bell, basis, edge, slightly, uneven, three)
    states += (any_product,)
    return [(state,) for state in states]


def _amplitudes(formula):
    """A faulty test: what it calls a product makes this formula of the amplitudes vanish."""
    return lambda state: bool(abs(formula(*np.asarray(state).ravel())) < 1e-9)


PRODUCT_FAULTS = [
    (
        lambda state: bool(np.count_nonzero(np.abs(state) > 1e-9) < 4),
        "counting the amplitudes does not tell: four can be a product, and two can be entangled",
    ),
    (
        lambda state: bool(np.count_nonzero(np.abs(state) > 1e-9) == 1),
        "a product need not be a basis state: (|0> + |1>)|0> has two amplitudes",
    ),
    (
        lambda state: bool(np.ptp(np.abs(state)) < 1e-9),
        "equal sizes do not tell: one sign turned round entangles the state",
    ),
    (_amplitudes(lambda a, b, c, d: a * b - c * d), "which amplitudes belong together? 00 and 11"),
    (_amplitudes(lambda a, b, c, d: a * c - b * d), "which amplitudes belong together? 00 and 11"),
    (
        _amplitudes(lambda a, b, c, d: abs(a * d) - abs(b * c)),
        "the sizes alone agree also for entangled states: keep signs and phases",
    ),
    (
        _amplitudes(lambda a, b, c, d: (a * d - b * c).real),
        "amplitudes are complex: the difference must vanish as a whole, not its real part",
    ),
    (
        _amplitudes(lambda a, b, c, d: a * np.conj(d) - b * np.conj(c)),
        "multiply out (a|0> + b|1>)(c|0> + d|1>): no amplitude is conjugated",
    ),
    (_amplitudes(lambda a, b, c, d: a * d + b * c), "one sign: the two products must be equal"),
    (
        lambda state: bool(state[0] * state[3] == state[1] * state[2]),
        "numbers that were computed are seldom equal to the last digit: allow a small difference",
    ),
    (lambda state: not _product(state), "turned round: True is for a product"),
    (lambda state: True, "try a Bell state: it is no product"),
    (lambda state: False, "try |00>: it is a product"),
]


def _entangled(answer) -> Verdict:
    right = "two qubits, one equation: amplitude 00 times 11 equals 01 times 10"
    return function(answer, _product, _states(), right, PRODUCT_FAULTS, names=["state"])


# ---------------------------------------------------------------- a start as the identity


def _identity(answer) -> Verdict:
    """The trainable part must start as the identity: tried on the state itself."""
    from hqnn_utils.quantum import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return Verdict(False, f"expected a CircuitSpec, got {type(answer).__name__}")
    if answer.n_qubits != 4 or answer.n_layers < 4:
        return Verdict(
            False,
            f"wanted 4 qubits and at least 4 layers, got {answer.n_qubits} and {answer.n_layers}",
        )
    if answer.entangler == "none":
        return Verdict(
            False,
            "without an entangler each rotation is undone by its opposite, which is no feat: "
            "keep an entangler",
        )
    if answer.reupload:
        return Verdict(False, "an upload between two layers keeps them from cancelling")
    if answer.n_layers % 2:
        return Verdict(False, "an odd layer has no partner that undoes it: even n_layers")
    if not answer.mirror:
        return Verdict(
            False,
            "the entanglers come in the same order each time, so they do not cancel: which option "
            "builds every second layer backwards?",
        )
    if _starts_as_identity(answer):
        return Verdict(
            True, "the circuit starts as the identity: each pair of layers undoes itself"
        )
    return Verdict(False, "the layers do not cancel")


def _starts_as_identity(spec) -> bool:
    import torch

    from hqnn_utils.quantum import CircuitSpec, init_weights, state

    weights = init_weights(spec, "identity_block", torch.Generator().manual_seed(0)).double()
    encoding_alone = CircuitSpec(
        n_qubits=4,
        n_layers=1,
        encoding=spec.encoding,
        axis=spec.axis,
        entangler="none",
        scaling=spec.scaling,
    )
    x = torch.linspace(-1, 1, spec.n_inputs, dtype=torch.float64)[None]
    at_start = state(spec, x, weights)
    encoded = state(encoding_alone, x, torch.zeros(1, 4, dtype=torch.float64))
    overlap = (at_start.conj() * encoded).sum().abs().item()
    return abs(overlap - 1) < 1e-5


EXERCISES = {
    "05.blind": Exercise(
        _blind,
        "fault",
        (
            "Where on the Bloch sphere is |0>, and what does a turn about the vertical axis do "
            "there?",
            "A Z rotation shows once the state has left the vertical axis. So the feature must "
            "come in once more, behind a rotation that leaves it.",
            'Three options: `axis` stays "Z", one option repeats the encoding before each layer, '
            "and the trainable rotation must not be about Z. How many layers does a repetition "
            "need?",
        ),
    ),
    "05.entangled": Exercise(
        _entangled,
        "write",
        (
            "Write two qubits with amplitudes p, q and r, s side by side and multiply out: which "
            "four products do you get?",
            "The four products are pr, ps, qr, qs. Multiply the first with the last, and the two "
            "in the middle: what do you see?",
            "Amplitude 00 times amplitude 11, and 01 times 10. Compare them as complex numbers, "
            "with a small tolerance, and return True or False.",
        ),
    ),
    "05.identity": Exercise(
        _identity,
        "fault",
        (
            "To undo a layer, its gates must be undone in the opposite order.",
            "Opposite angles undo the rotations. The entanglers of the second layer must run "
            "backwards: look through the options of `CircuitSpec` for that.",
            "The option is `mirror`. It works in pairs of layers, and only if nothing comes "
            "between the two of a pair.",
        ),
    ),
}
