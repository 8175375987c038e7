"""Answers to the exercises of notebook 05: right ones, usual wrong ones, what is said to them."""

import math

import numpy as np
import pennylane as qp
from scipy import stats

from hqnn_utils.quantum import CircuitSpec

# ---------------------------------------------------------------- Fourier coefficients


def by_fft(f, highest):
    points = 4 * highest + 4
    return np.fft.rfft(f(2 * np.pi * np.arange(points) / points))[: highest + 1] / points


def by_least_squares(f, highest):
    x = np.linspace(0, 5, 6 * highest + 7)
    orders = np.arange(-highest, highest + 1)
    found = np.linalg.lstsq(np.exp(1j * np.outer(x, orders)), f(x), rcond=None)[0]
    return found[highest:]


# ---------------------------------------------------------------- light cones


def by_recursion(gates, qubit):
    def walk(position, reached):
        if position < 0:
            return set()
        _, qubits, slot = gates[position]
        if not reached.intersection(qubits):
            return walk(position - 1, reached)
        return ({slot} if slot else set()) | walk(position - 1, reached.union(qubits))

    return walk(len(gates) - 1, {qubit})


def as_a_list(gates, qubit):
    return sorted(by_recursion(gates, qubit))


def towards_the_target(gates, qubit):
    reached, cone = {qubit}, set()
    for _, qubits, slot in gates[::-1]:
        if qubits[-1] in reached:
            reached.update(qubits)
            if slot:
                cone.add(slot)
    return cone


# ---------------------------------------------------------------- tangent rank


def by_real_vectors(state, derivatives):
    """Rank of the derivatives without their part along the state, as real vectors."""
    across = derivatives - np.outer(derivatives @ state.conj(), state)
    return np.linalg.matrix_rank(np.hstack([across.real, across.imag]), tol=1e-6)


def by_loops(state, derivatives):
    size = len(derivatives)
    fisher = np.zeros((size, size))
    for k in range(size):
        for m in range(size):
            inner = np.vdot(derivatives[k], derivatives[m])
            along = np.vdot(derivatives[k], state) * np.vdot(state, derivatives[m])
            fisher[k, m] = 4 * (inner - along).real
    return int((np.linalg.svd(fisher, compute_uv=False) > 1e-8).sum())


# ---------------------------------------------------------------- Lie algebra


def by_pennylane(generators):
    wires = range(round(math.log2(len(generators[0]))))
    words = [qp.pauli_decompose(g, wire_order=wires, pauli=True) for g in generators]
    return len(qp.lie_closure(words, pauli=True))


def by_rounds(generators):
    """Round after round over all pairs, an orthonormal basis of real vectors."""

    def basis_of(matrices):
        rows = np.array([np.r_[m.real.ravel(), m.imag.ravel()] for m in matrices])
        _, sizes, directions = np.linalg.svd(rows, full_matrices=False)
        kept = directions[sizes > 1e-8]
        half = kept.shape[1] // 2
        return [(row[:half] + 1j * row[half:]).reshape(matrices[0].shape) for row in kept]

    known = basis_of(generators)
    while True:
        grown = basis_of(known + [1j * (a @ b - b @ a) for a in known for b in known])
        if len(grown) == len(known):
            return len(known)
        known = grown


# ---------------------------------------------------------------- budget

REASONS = (
    "The frequency two of x0 needs two uploads, and x1 needs one. A CNOT behind the upload of x1 "
    "carries it to qubit 0, and rotations in between let the coefficients be chosen freely."
)
UPLOADS = [("RX", (0,), "x0"), ("RX", (1,), "x1")]


def budget(gates, weights, reasons=REASONS):
    return {"gates": gates, "weights": np.asarray(weights, float), "reasons": reasons}


def trained(gates, seed):
    """Weights of a small circuit by least squares over its own slopes."""
    from scipy.optimize import least_squares

    from hqnn_utils.exercises.nb05 import _g, _simulated

    number = len({s for *_, s in gates if s.startswith("w")})
    points = np.random.default_rng(3).uniform(-np.pi, np.pi, (80, 2))
    start = np.random.default_rng(seed).uniform(0, 2 * np.pi, number)
    return least_squares(lambda w: _simulated(gates, w, points) - _g(points), start, max_nfev=60).x


def turn(qubit, first):
    return [("R" + a, (qubit,), f"w{first + i}") for i, a in enumerate("ZYZ")]


TWO_QUBITS = [*turn(0, 0), *turn(1, 3), *UPLOADS, *turn(0, 6), *turn(1, 9), ("CNOT", (1, 0), "")]
TWO_QUBITS += [*turn(0, 12), ("RX", (0,), "x0"), *turn(0, 15)]
TRAINED = trained(TWO_QUBITS, 2)
WITH_ZZ = [g if g[0] != "CNOT" else ("RZZ", (0, 1), "w18") for g in TWO_QUBITS]


def fit_factor(variances, summary=np.mean, least=1e-12):
    sizes = np.array(list(variances))
    values = np.log([summary(v[v > least]) for v in variances.values()])
    return np.exp(np.polyfit(sizes, values, 1)[0])  # natural logarithm and exp: the same


def factor_by_linregress(variances):
    means = [np.mean([x for x in v if x > 1e-10]) for v in variances.values()]
    return 2.0 ** stats.linregress(list(variances), np.log2(means)).slope


def factor_of_nonzero(variances):
    """Only exact zeros are left out; rounding errors stay."""
    return fit_factor(variances, least=0)


RIGHT = {
    "05.fourier": [(by_fft, {}), (by_least_squares, {})],
    "05.wrap": [(math.pi / 2, {}), (1.57, {}), ("1.571", {})],
    "05.cone": [(by_recursion, {}), (as_a_list, {})],
    "05.blind": [
        (CircuitSpec(rotation="RY", gate="CZ", entangler="chain", axis="Y"), {}),
        (CircuitSpec(rotation="RY", gate="CZ", axis="Y", n_layers=3, reupload=True), {}),
        (CircuitSpec(rotation="RY", gate="CZ", axis="Y", entangler="none"), {}),
        (CircuitSpec(rotation="RY", gate="CZ", encoding="iqp"), {}),
    ],
    "05.rank": [(by_real_vectors, {}), (by_loops, {})],
    "05.average": [(fit_factor, {}), (factor_by_linregress, {})],
    "05.algebra": [(by_pennylane, {}), (by_rounds, {})],
    "05.budget": [
        (budget(TWO_QUBITS, TRAINED), {}),
        (budget(WITH_ZZ, trained(WITH_ZZ, 1)), {}),
    ],
}
WRONG = [
    ("05.fourier", lambda f, k: by_fft(f, k).conj(), {}, "sign in the exponent"),
    ("05.fourier", lambda f, k: (2 * k + 1) * by_fft(f, k), {}, "a mean, not a sum"),
    ("05.fourier", lambda f, k: 2 * by_fft(f, k), {}, "twice too large"),
    ("05.fourier", lambda f, k: np.abs(by_fft(f, k)), {}, "do not take its size"),
    ("05.fourier", lambda f, k: by_fft(f, k).real, {}, "its real part"),
    ("05.fourier", lambda f, k: by_fft(f, k)[1:], {}, "begin with c_0"),
    ("05.fourier", lambda f, k: None, {}, "returns nothing"),
    ("05.wrap", 3.14, {}, "that is the study's"),
    ("05.wrap", math.pi / 4, {}, "it is one half"),
    ("05.wrap", 90, {}, "in radian"),
    ("05.wrap", 2 * math.pi, {}, "a whole turn"),
    ("05.wrap", 0, {}, "the same state"),
    ("05.cone", lambda g, q: by_recursion(g[::-1], q), {}, "opens backwards"),
    ("05.cone", lambda g, q: {s for _, qs, s in g if q in qs and s}, {}, "brings the other"),
    ("05.cone", towards_the_target, {}, "both sides"),
    ("05.cone", lambda g, q: {s for *_, s in g if s}, {}, "these are all slots"),
    ("05.cone", lambda g, q: {s for s in by_recursion(g, q) if s[0] == "w"}, {}, "features lie"),
    ("05.cone", lambda g, q: by_recursion(g, q) | {""}, {}, "have no slot"),
    ("05.blind", CircuitSpec(rotation="RY", gate="CZ"), {}, "which axis"),
    ("05.blind", CircuitSpec(rotation="RY", gate="CZ", reupload=True), {}, "a second upload"),
    ("05.blind", CircuitSpec(rotation="RY", gate="CZ", axis="Z"), {}, "RZ is conjugated"),
    ("05.blind", CircuitSpec(rotation="RY", gate="CZ", encoding="amplitude"), {}, "up to a sign"),
    ("05.blind", CircuitSpec(), {}, "goes round the question"),
    ("05.blind", CircuitSpec(n_qubits=3, rotation="RY", gate="CZ"), {}, "keep 4 qubits, got 3"),
    ("05.blind", "axis", {}, "expected a CircuitSpec"),
    (
        "05.rank",
        lambda s, d: np.linalg.matrix_rank((d.conj() @ d.T).real, tol=1e-8),
        {},
        "only a phase",
    ),
    (
        "05.rank",
        lambda s, d: np.linalg.matrix_rank(d - np.outer(d @ s.conj(), s), tol=1e-8),
        {},
        "take the real part",
    ),
    ("05.rank", lambda s, d: np.linalg.matrix_rank(d, tol=1e-8), {}, "complex rank"),
    ("05.rank", lambda s, d: by_loops(s.real, d.real), {}, "at the end, not at the start"),
    ("05.rank", lambda s, d: len(d), {}, "number of weights"),
    ("05.average", lambda v: fit_factor(v, least=-1), {}, "that is hers"),
    ("05.average", lambda v: np.log2(fit_factor(v)), {}, "that is the slope"),
    ("05.average", lambda v: np.exp(np.log2(fit_factor(v))), {}, "base 2"),
    ("05.average", lambda v: fit_factor(v, np.sum), {}, "not their sum"),
    ("05.average", lambda v: fit_factor(v, np.median), {}, "not the median"),
    ("05.average", lambda v: fit_factor(v, len), {}, "how the number"),
    ("05.average", lambda v: 1, {}, "holds for the bricks"),
    ("05.average", factor_of_nonzero, {}, "rounding errors"),
    ("05.average", 1.0, {}, "expected a function"),
    (
        "05.algebra",
        lambda g: np.linalg.matrix_rank(
            [
                np.r_[m.real.ravel(), m.imag.ravel()]
                for m in [*g, *(1j * (a @ b - b @ a) for a in g for b in g)]
            ]
        ),
        {},
        "one round",
    ),
    ("05.algebra", lambda g: len(g), {}, "these are the generators"),
    (
        "05.algebra",
        lambda g: np.linalg.matrix_rank([np.r_[m.real.ravel(), m.imag.ravel()] for m in g]),
        {},
        "independent generators",
    ),
    ("05.algebra", lambda g: len(g[0]) ** 2 - 1, {}, "largest possible"),
    ("05.budget", "a strong circuit", {}, "give a dict"),
    ("05.budget", budget([("RX", 0, "x0")], []), {}, "is a list of"),
    ("05.budget", budget([("H", (0,), "")], []), {}, "no gate of the workbench"),
    ("05.budget", budget(TWO_QUBITS + 2 * [("CZ", (0, 1), "")], np.zeros(18)), {}, "the budget is"),
    ("05.budget", budget(TWO_QUBITS, np.zeros(3)), {}, "has 18 weights"),
    ("05.budget", budget(UPLOADS, []), {}, "x1 cannot reach qubit 0"),
    ("05.budget", budget([*UPLOADS, ("CNOT", (1, 0), "")], []), {}, "one upload of x0"),
    ("05.budget", budget(TWO_QUBITS, np.zeros(18)), {}, "a constant has"),
    ("05.budget", budget(TWO_QUBITS, TRAINED, "it fits"), {}, "25 words or more"),
]
