"""Checks of the exercises in notebook 12."""

from __future__ import annotations

import itertools
import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import OPEN, choice, function, number, paragraph, together

# ------------------------------------------------------------------ the depolarizing channel

PAULIS = [
    np.eye(2),
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.array([[1, 0], [0, -1]]),
]


def _errors(rho) -> list:
    if len(rho) == 2:
        return PAULIS
    return [np.kron(a, b) for a, b in itertools.product(PAULIS, PAULIS)]


def _struck(rho, errors) -> np.ndarray:
    return sum(error @ rho @ error.conj().T for error in errors)


def depolarize(rho, p):
    """Right: each of the 3 or 15 errors with the same share of p."""
    errors = _errors(rho)[1:]
    return (1 - p) * rho + p / len(errors) * _struck(rho, errors)


def _with_identity(rho, p):
    errors = _errors(rho)
    return (1 - p) * rho + p / len(errors) * _struck(rho, errors)


def _each_whole(rho, p):
    return (1 - p) * rho + p * _struck(rho, _errors(rho)[1:])


def _nothing_kept(rho, p):
    errors = _errors(rho)[1:]
    return rho + p / len(errors) * _struck(rho, errors)


def _on_both_wires(rho, p):
    if len(rho) == 2:
        return depolarize(rho, p)
    for place in (0, 1):
        wide = [np.kron(e, np.eye(2)) if place == 0 else np.kron(np.eye(2), e) for e in PAULIS[1:]]
        rho = (1 - p) * rho + p / 3 * _struck(rho, wide)
    return rho


def _always_three(rho, p):
    errors = _errors(rho)[1:]
    return (1 - p) * rho + p / 3 * _struck(rho, errors)


def _state(amplitudes) -> np.ndarray:
    amplitudes = np.asarray(amplitudes, dtype=complex)
    amplitudes = amplitudes / np.linalg.norm(amplitudes)
    return np.outer(amplitudes, amplitudes.conj())


def _depolarize(answer) -> Verdict:
    return function(
        answer,
        depolarize,
        [
            (_state([1, 0]), 0.3),
            (_state([1, 0.5j]), 0.12),
            (_state([1, 0, 0, 1]), 0.15),
            (_state([1, 0.3, 0.2j, 0.7]), 0.06),
            (_state([0.2, 1, 0.5, 0.1j]), 0.0),
        ],
        "one channel for the pair, as PennyLane and Aer have it: 3 errors or 15, equal shares of p",
        [
            (
                _with_identity,
                "the identity is no error: that is Aer's parameter, 4/3 or 16/15 of p. Share p "
                "among the others",
            ),
            (_each_whole, "p is the chance of any error: each of them gets its share of p"),
            (_nothing_kept, "the trace exceeds 1: with probability 1 - p nothing happens"),
            (
                _on_both_wires,
                "that is one channel on each wire, nearly twice the errors: p belongs to the pair",
            ),
            (_always_three, "two qubits have 15 errors, so each gets p / 15"),
        ],
        names=("rho", "p"),
    )


# ------------------------------------------------------------------ readout


def _matrix(n: int, r: float) -> np.ndarray:
    one_bit = np.array([[1 - r, r], [r, 1 - r]])
    matrix = np.eye(1)
    for _ in range(n):
        matrix = np.kron(matrix, one_bit)
    return matrix


def _bits(measured) -> int:
    return round(math.log2(len(measured)))


def undo_readout(measured, r):
    """Right: the flips of all bits, inverted."""
    return np.linalg.solve(_matrix(_bits(measured), r), np.asarray(measured, dtype=float))


def _flip_again(measured, r):
    return _matrix(_bits(measured), r) @ np.asarray(measured, dtype=float)


def _clipped(measured, r):
    found = np.clip(undo_readout(measured, r), 0, None)
    return found / found.sum()


def _only_clipped(measured, r):
    return np.clip(undo_readout(measured, r), 0, None)


def _divided(measured, r):
    return np.asarray(measured, dtype=float) / (1 - 2 * r)


def _divided_once(measured, r):
    return np.asarray(measured, dtype=float) / (1 - r) ** _bits(measured)


def _one_bit(measured, r):
    """Only the last bit is corrected."""
    n = _bits(measured)
    matrix = np.kron(np.eye(2 ** (n - 1)), _matrix(1, r))
    return np.linalg.solve(matrix, np.asarray(measured, dtype=float))


def _readout(answer) -> Verdict:
    return function(
        answer,
        undo_readout,
        [
            (np.array([0.9, 0.1]), 0.04),
            (np.array([0.4, 0.3, 0.2, 0.1]), 0.1),
            (np.array([0.02, 0.5, 0.03, 0.1, 0.05, 0.2, 0.06, 0.04]), 0.07),
            (np.array([1.0, 0.0, 0.0, 0.0]), 0.03),
        ],
        "the inverse of all flips; a measured 1.0 becomes more than 1, which is shot noise",
        [
            (_flip_again, "that adds the error a second time: solve for what was there before"),
            (_clipped, "do not clip: the negative entries keep the estimate unbiased"),
            (_only_clipped, "do not clip: the negative entries keep the estimate unbiased"),
            (_divided, "1 / (1 - 2 r) corrects an expectation value, not a list of probabilities"),
            (_divided_once, "bits that were flipped into an entry have to be taken out, too"),
            (_one_bit, "every bit is flipped, not only one of them: Kronecker product"),
        ],
        names=("measured", "r"),
    )


# ------------------------------------------------------------------ extrapolation


def richardson(scales):
    """Right: the Lagrange weights at 0."""
    scales = np.asarray(scales, dtype=float)
    found = []
    for i, scale in enumerate(scales):
        others = np.delete(scales, i)
        found.append(np.prod(others / (others - scale)))
    return np.array(found)


def _turned(scales):
    scales = np.asarray(scales, dtype=float)
    return np.array(
        [np.prod(np.delete(scales, i) / (s - np.delete(scales, i))) for i, s in enumerate(scales)]
    )


def _own_scale(scales):
    scales = np.asarray(scales, dtype=float)
    return np.array([np.prod(s / (np.delete(scales, i) - s)) for i, s in enumerate(scales)])


def _summed(scales):
    scales = np.asarray(scales, dtype=float)
    return np.array(
        [np.sum(np.delete(scales, i) / (np.delete(scales, i) - s)) for i, s in enumerate(scales)]
    )


def _line(scales):
    scales = np.asarray(scales, dtype=float)
    slope = scales - scales.mean()
    return 1 / len(scales) - scales.mean() * slope / (slope**2).sum()


def _mean(scales):
    return np.full(len(scales), 1 / len(scales))


def _richardson(answer) -> Verdict:
    return function(
        answer,
        richardson,
        [([1, 3, 5],), ([1, 2],), ([1.0, 1.5, 2.0],), ([1, 3, 5, 7],)],
        "they sum to 1, and their squares say what the shot noise is multiplied by",
        [
            (_turned, "the sign: it is s_j - s_i below, not s_i - s_j"),
            (_own_scale, "above the line stand the other scales, not the own one"),
            (_summed, "a product over the other scales, not a sum"),
            (_line, "that is the straight line by least squares: the polynomial meets all points"),
            (_mean, "the plain mean does not extrapolate: it stays between the points"),
        ],
        names=("scales",),
    )


# ------------------------------------------------------------------ break-even


def _breakeven(answer) -> Verdict:
    removed = 0.05**2 - 0.01**2
    truth = 15 * 0.8 / removed
    wrong = [
        (16 * 0.8 / removed, "the raw value scatters as well: what is *added* is 16 - 1 times"),
        (15 * 0.8 / 0.05**2, "a bias of 0.01 is left: subtract its square"),
        (15 * 0.8 / (0.05 - 0.01) ** 2, "the difference of the squares, not its square"),
        (15 * 0.8 / (0.05 - 0.01), "errors add as squares: bias squared plus variance"),
        (15 / removed, "one shot has a variance of 0.8"),
        (0.8 / removed, "16 times the variance at equal total shots"),
        (17 * 0.8 / removed, "what is added is the difference of both variances"),
        (255 * 0.8 / removed, "the variance is 16 times as large, not the standard error"),
        (3 * 0.8 / removed, "16 belongs to the variance already: take no root"),
    ]
    right = f"{truth:,.0f} shots: below, the raw value is closer to the truth"
    return number(answer, truth, right, wrong, tolerance=0.01 * truth)


# ------------------------------------------------------------------ a published claim


def _claim(answer) -> Verdict:
    if answer is ...:
        return OPEN
    if not isinstance(answer, (tuple, list)) or len(answer) != 3:
        return Verdict(False, 'expected three things: (per cent, per cent, "letter")')
    if any(part is ... for part in answer):
        return OPEN
    simulator, device, letter = answer
    fall = 1 - 0.2115 / 0.2445  # shares; per cent are taken as well
    elsewhere = [1 - 0.018 / 0.2115, 1 - 0.018 / 0.2445]
    wrong_simulator = [
        (0.2445 / 0.2115 - 1, "divide by the loss at the first step"),
        (0.2445 - 0.2115, "relative to the loss at the first step"),
        (0.2115 / 0.2445, "that is what is left of the loss: how much has gone?"),
        *[(v, "that compares device and simulator; stay in the simulator") for v in elsewhere],
    ]
    wrong_device = [
        (0.8, "that is the best of three steps: the last one counts, as in the simulator"),
        *[(v, "that compares device and simulator; stay on the device") for v in elsewhere],
    ]
    letters = {
        "A": "the device ended where it began: from step 1 to step 3 nothing was learned",
        "C": "Aer's loss began at 0.2445, before any training: shots do not make such a gap",
        "D": "after three steps its loss is that of the first: nothing suggests a longer trend",
    }
    verdicts = (
        grade()
        for grade in (
            lambda: number(simulator, fall, "", wrong_simulator, share=True),
            lambda: number(device, 0.0, "", wrong_device, share=True, tolerance=5e-4),
            lambda: choice(letter, "B", "", letters),
        )
    )
    return together(
        verdicts,
        "13.5 % and 0 %: the simulator learned, the device did not. The two losses were apart from "
        "the first step on. (And 0.018 against 0.211 is 91.5 % less, not 93.)",
    )


# ------------------------------------------------------------------ circuits


def _circuits(answer, *, spec, images) -> Verdict:
    uploads = spec.n_layers if spec.reupload else 1
    angles = spec.n_inputs * uploads + spec.n_weights
    truth = images * (1 + 2 * angles)
    once = spec.n_inputs + spec.n_weights
    wrong = [
        (images * 2 * angles, "and one more for the value itself"),
        (images * (1 + angles), "two shifted circuits for each angle"),
        (images * (1 + 2 * spec.n_weights), "the inputs are angles too: the backbone wants them"),
        (
            images * (1 + 2 * once),
            "a feature that is uploaded in each layer is an angle in each layer: the rule holds "
            "for one gate",
        ),
        (images * (1 + 2 * spec.n_inputs * uploads), "the weights want a gradient too"),
        (1 + 2 * angles, "that is for one image"),
        (images * angles, "two for each angle, and one for the value itself"),
        (truth * spec.n_outputs, "one circuit gives all outputs at once"),
        (images, "that is for the values alone: how many for the gradients?"),
    ]
    right = f"{truth:,} circuits: 1 + 2 x {angles} for each image"
    return number(answer, truth, right, wrong, whole=True)


# ------------------------------------------------------------------ bond dimension


def _values(amplitudes, cut: int) -> np.ndarray:
    return np.linalg.svd(np.reshape(amplitudes, (2**cut, -1)), compute_uv=False)


def bond_dimension(amplitudes, tolerance=1e-6):
    """Right: the largest rank over the cuts of the chain."""
    ranks = [1]
    for cut in range(1, _bits(amplitudes)):
        values = _values(amplitudes, cut)
        ranks.append(int((values > tolerance * values[0]).sum()))
    return max(ranks)


def _middle_cut(amplitudes, tolerance=1e-6):
    values = _values(amplitudes, _bits(amplitudes) // 2)
    return int((values > tolerance * values[0]).sum())


def _all_values(amplitudes, tolerance=1e-6):
    return max(len(_values(amplitudes, cut)) for cut in range(1, _bits(amplitudes)))


def _absolute(amplitudes, tolerance=1e-6):
    cuts = range(1, _bits(amplitudes))
    return max(int((_values(amplitudes, cut) > tolerance).sum()) for cut in cuts)


def _all_cuts_together(amplitudes, tolerance=1e-6):
    cuts = range(1, _bits(amplitudes))
    found = [_values(amplitudes, cut) for cut in cuts]
    return sum(int((values > tolerance * values[0]).sum()) for values in found)


def _not_zero(amplitudes, tolerance=1e-6):
    size = np.abs(amplitudes)
    return int((size > tolerance * size.max()).sum())


def _pure(seed: int, n: int) -> np.ndarray:
    draw = np.random.default_rng(seed)
    amplitudes = draw.normal(size=2**n) + 1j * draw.normal(size=2**n)
    return amplitudes / np.linalg.norm(amplitudes)


def _bond_cases() -> list[tuple]:
    product = np.kron(np.kron(_pure(1, 1), _pure(2, 1)), _pure(3, 1))
    bell = np.array([1, 0, 0, 1]) / np.sqrt(2)
    weak = np.array([1, 0, 0, 0.05]) / np.sqrt(1 + 0.05**2)
    unequal = np.kron(_pure(4, 3), _pure(5, 1))  # the middle cut is not the largest
    off_centre = np.kron(np.kron(bell, _pure(6, 1)), _pure(7, 1))
    return [
        (product, 1e-6),
        (bell, 1e-6),
        (weak, 0.1),
        (10 * weak, 0.1),  # relative to the largest value
        (_pure(8, 4), 1e-6),
        (unequal, 1e-6),
        (off_centre, 1e-6),
    ]


def _bond(answer) -> Verdict:
    return function(
        answer,
        bond_dimension,
        _bond_cases(),
        "the largest rank over all cuts: 1 for a product, 2 for a Bell pair, up to 2**(n / 2)",
        [
            (_middle_cut, "the middle cut need not be the largest: look at all n - 1 of them"),
            (_all_values, "count only the values that are greater than tolerance x the largest"),
            (_absolute, "the tolerance is relative to the largest singular value of the cut"),
            (_all_cuts_together, "the largest over the cuts, not their sum"),
            (_not_zero, "that counts amplitudes: cut the chain, and take singular values"),
        ],
        names=("amplitudes", "tolerance"),
    )


# ------------------------------------------------------------------ a judgement


def _judge(answer) -> Verdict:
    return paragraph(
        answer,
        [
            (
                r"\bbias|systematic|shrink",
                "which error does extrapolation remove? (the one that does not average out)",
            ),
            (r"varian|spread|scatter|shot noise|standard error", "which error does it enlarge?"),
            (
                r"300|break[- ]?even|too few|thousand",
                "does it pay at 300 shots? say on which side of the break-even that is",
            ),
            (
                r"threshold|recalibrat",
                "the AUC hardly fell and the accuracy did: what repairs that most cheaply?",
            ),
            (r"validation", "on which images would you choose it?"),
        ],
        "bias against spread, the break-even, the cheap remedy, and the images it is chosen on",
        words=45,
    )


EXERCISES = {
    "12.depolarize": Exercise(
        _depolarize,
        "write",
        (
            "How many errors are there for one qubit, and how many for two?",
            "All products of two Paulis, except the identity with itself, as Kronecker products. "
            "An error E acts as E rho E-dagger.",
            "(1 - p) times rho, plus p over the number of errors, times the sum over all of them.",
        ),
        model=depolarize,
    ),
    "12.readout": Exercise(
        _readout,
        "write",
        (
            "For one bit two equations with two unknowns: which matrix stands there?",
            "For several bits the matrix is the Kronecker product of as many small ones.",
            "Build that matrix in a loop, and let np.linalg.solve find the list before the flips.",
        ),
    ),
    "12.richardson": Exercise(
        _richardson,
        "write",
        (
            "One weight for each scale. Which scales does its product run over?",
            "For each scale take the others away with np.delete, and make one fraction of each.",
            "np.prod of others divided by (others minus the scale); collect them in an array.",
        ),
        model=richardson,
    ),
    "12.breakeven": Exercise(
        _breakeven,
        "read",
        (
            "Write down bias squared plus variance for both, with N shots.",
            "The raw one is 0.05 squared plus 0.8 / N. Set both equal.",
            "Added variance, 15 times 0.8, divided by the difference of the squared biases.",
        ),
    ),
    "12.claim": Exercise(
        _claim,
        "fault",
        (
            "Look at the first and the last number of each row, and at nothing else.",
            "How far apart are simulator and device at the first step, before anybody learned?",
            "The relative fall from first to last step, in per cent; then ask which explanation "
            "needs no learning at all.",
        ),
    ),
    "12.circuits": Exercise(
        _circuits,
        "read",
        (
            "Count for one image first. How many gates have an angle that wants a gradient?",
            "With re-uploading a feature sits in several gates, and the parameter-shift rule "
            "shifts one gate at a time. Each wants two circuits.",
            "Eight features in each of three layers, and as many weights. Two circuits for each "
            "of these angles, one for the value itself, all times the number of images.",
        ),
    ),
    "12.bond": Exercise(
        _bond,
        "write",
        (
            "For each cut the amplitudes become a matrix: how many rows does it have?",
            "np.reshape to (2**cut, the rest), then np.linalg.svd with compute_uv=False.",
            "In a loop over the cuts 1 to n - 1 count the values above tolerance times the first, "
            "and keep the largest count.",
        ),
        model=bond_dimension,
    ),
    "12.judge": Exercise(
        _judge,
        "judge",
        (
            "An AUC that stays while the accuracy falls: what has happened to the order?",
            "Compare 300 shots with the break-even figure for Richardson at 3 %.",
            "Say what is removed, what is added, on which side of the break-even you are, what "
            "you would choose anew, and on which images.",
        ),
        rubric="Names bias as what extrapolation removes and variance as what it adds, at equal "
        "total shots. Says that 300 shots lie below the break-even read from the figure. Reads the "
        "stable AUC as an order that survived, so that a threshold chosen on validation images run "
        "on the same device (and readout inversion) come first. Keeps the test images for the end.",
    ),
}
