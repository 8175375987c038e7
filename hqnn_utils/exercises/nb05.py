"""Checks of the exercises in notebook 05."""

from __future__ import annotations

import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number, paragraph

# ---------------------------------------------------------------- Fourier coefficients


def _coefficients(f, highest):
    points = 2 * highest + 1
    x = 2 * np.pi * np.arange(points) / points
    values = np.asarray(f(x))
    return np.array([np.mean(values * np.exp(-1j * k * x)) for k in range(highest + 1)])


def _with_few_points(f, highest):
    points = highest + 1
    x = 2 * np.pi * np.arange(points) / points
    return np.array([np.mean(f(x) * np.exp(-1j * k * x)) for k in range(highest + 1)])


def _with_both_ends(f, highest):
    x = np.linspace(0, 2 * np.pi, 2 * highest + 1)
    return np.array([np.mean(f(x) * np.exp(-1j * k * x)) for k in range(highest + 1)])


FOURIER_FAULTS = [
    (lambda f, k: _coefficients(f, k).conj(), "the sign in the exponent: exp(-ikx) picks c_k"),
    (lambda f, k: (2 * k + 1) * _coefficients(f, k), "a mean, not a sum: divide by the points"),
    (lambda f, k: 2 * _coefficients(f, k), "twice too large: c_k is the mean itself"),
    (lambda f, k: np.abs(_coefficients(f, k)), "c_k is complex: do not take its size"),
    (lambda f, k: _coefficients(f, k).real, "c_k is complex: its real part is the cosine only"),
    (_with_few_points, "too few points: with `highest` + 1 of them two waves look the same"),
    (_with_both_ends, "0 and 2 pi are the same point: do not count it twice"),
    (lambda f, k: _coefficients(f, k)[1:], "begin with c_0, the mean of the function"),
]


def _waves(*terms):
    """A sum of waves: (frequency, factor of the cosine, factor of the sine)."""
    return lambda x: sum(a * np.cos(k * x) + b * np.sin(k * x) for k, a, b in terms)


def _fourier(answer) -> Verdict:
    inputs = [
        (_waves((0, 0.3, 0), (1, 0.5, 0)), 1),
        (_waves((0, -0.2, 0), (1, 0.1, 0.4), (2, 0.0, -0.3)), 2),
        (_waves((1, 0.2, -0.1), (3, 0.25, 0.6)), 3),
        (_waves((0, 0.7, 0)), 4),
    ]
    right = "2 * highest + 1 points are enough: as many as there are numbers to find"
    return function(answer, _coefficients, inputs, right, FOURIER_FAULTS, names=("f", "highest"))


# ---------------------------------------------------------------- the wrap


def _wrap(answer) -> Verdict:
    wrong = [
        (math.pi, "that is the study's: pi and -pi are one state, with fidelity 1"),
        (math.pi / 4, "the fidelity is cos^2 of the angle a itself: at pi/4 it is one half"),
        (2 * math.pi, "a whole turn brings every state back"),
        (0.0, "then all images get the same state"),
        (90.0, "give the angle in radian"),
    ]
    right = "the two extremes are orthogonal, and in between the fidelity only falls"
    return number(answer, math.pi / 2, right, wrong)


# ---------------------------------------------------------------- the light cone


def _light_cone(gates, qubit):
    reached, cone = {qubit}, set()
    for _, qubits, slot in reversed(gates):
        if reached & set(qubits):
            reached |= set(qubits)
            cone |= {slot} - {""}
    return cone


def _forwards(gates, qubit):
    return _light_cone(list(reversed(gates)), qubit)


def _this_qubit_only(gates, qubit):
    return {slot for _, qubits, slot in gates if qubit in qubits and slot}


def _never_joins(gates, qubit):
    joined = {qubit}
    for _, qubits, _slot in gates:
        if qubit in qubits:
            joined |= set(qubits)
    return {slot for _, qubits, slot in gates if joined & set(qubits) and slot}


def _targets_only(gates, qubit):
    reached, cone = {qubit}, set()
    for _, qubits, slot in reversed(gates):
        if qubits[-1] in reached:
            reached |= set(qubits)
            cone |= {slot} - {""}
    return cone


CONE_FAULTS = [
    (_forwards, "the cone opens backwards: begin with the last gate"),
    (_this_qubit_only, "a two-qubit gate brings the other qubit in, with its earlier gates"),
    (_never_joins, "only gates before the joining count, and qubits that join bring others"),
    (_targets_only, "both sides of a two-qubit gate join, the control as well as the target"),
    (
        lambda gates, qubit: {slot for *_, slot in gates if slot},
        "these are all slots: some gates never meet the measured qubit",
    ),
    (
        lambda gates, qubit: {s for s in _light_cone(gates, qubit) if s.startswith("w")},
        "features lie in the cone too",
    ),
    (lambda gates, qubit: _light_cone(gates, qubit) | {""}, "gates without an angle have no slot"),
]


def _circuits() -> list[tuple]:
    """Small circuits in which the usual mistakes give another set."""

    def turn(qubit, slot):
        return ("RY", (qubit,), slot)

    chain = [turn(0, "x0"), turn(1, "x1"), turn(2, "x2"), turn(0, "w0")]
    chain += [("CNOT", (0, 1), ""), turn(1, "w1"), ("CNOT", (1, 2), ""), turn(2, "w2")]
    late = [turn(0, "w0"), ("CZ", (0, 1), ""), turn(1, "w1"), turn(0, "w2"), turn(2, "w3")]
    middle = [turn(3, "w0"), ("RZZ", (2, 3), "w1"), turn(3, "w2"), ("CNOT", (2, 1), "")]
    middle += [turn(2, "w3"), ("CNOT", (0, 1), ""), turn(1, "x0"), turn(0, "w4")]
    return [(chain, 0), (chain, 1), (chain, 2), (late, 1), (late, 0), (middle, 0), (middle, 3)]


def _cone(answer) -> Verdict:
    right = "an upper bound: who is outside can never change this output"
    if callable(answer):  # a list or a tuple of slots is as good as a set
        original = answer

        def answer(gates, qubit):
            found = original(gates, qubit)
            return set(found) if isinstance(found, (list, tuple, set, frozenset)) else found

    return function(answer, _light_cone, _circuits(), right, CONE_FAULTS, names=("gates", "qubit"))


# ---------------------------------------------------------------- blind to a sign


def _blind(answer) -> Verdict:
    """The outputs must differ between x and -x: tried on two inputs and five random weights."""
    fault = _not_asked_for(answer) or _fault_of_blind(answer)
    if fault:
        return Verdict(False, fault)
    return Verdict(True, "the state of -x is no longer the conjugate of the state of x")


def _not_asked_for(answer) -> str | None:
    from hqnn_utils.quantum import CircuitSpec

    if not isinstance(answer, CircuitSpec):
        return f"expected a CircuitSpec, got {type(answer).__name__}"
    if answer.rotation != "RY" or answer.gate != "CZ":
        return 'that goes round the question: keep rotation="RY" and gate="CZ"'
    if answer.n_qubits != 4:
        return f"keep 4 qubits, got {answer.n_qubits}"
    return None


def _fault_of_blind(spec) -> str | None:
    if _sees_signs(spec):
        return None
    if spec.encoding == "amplitude":
        return "still blind: x and -x are the same state up to a sign"
    if spec.axis == "Z":
        return "RZ is conjugated by a change of sign as well, and at the start it is lost entirely"
    if spec.reupload:
        return "a second upload about X is conjugated like the first: the outputs stay the same"
    return "still blind: which axis of the encoding has real matrices?"


def _sees_signs(spec) -> bool:
    """Whether the outputs differ between x and -x, for one of five random weights."""
    import torch

    from hqnn_utils.quantum import expectations
    from hqnn_utils.quantum.analysis import random_weights

    x = torch.linspace(0.2, 1.1, spec.n_inputs, dtype=torch.float64)[None]
    changes = [
        expectations(spec, x, weights) - expectations(spec, -x, weights)
        for weights in random_weights(spec, 5)
    ]
    return max(change.abs().max().item() for change in changes) > 1e-6


# ---------------------------------------------------------------- the tangent rank


def _fisher(state, derivatives):
    along = derivatives.conj() @ state
    return 4 * (derivatives.conj() @ derivatives.T - np.outer(along, along.conj())).real


def _rank_of(matrix) -> int:
    return int(np.linalg.matrix_rank(matrix, tol=1e-8))


def _tangent_rank(state, derivatives):
    return _rank_of(_fisher(np.asarray(state), np.asarray(derivatives)))


def _along_kept(state, derivatives):
    return _rank_of((derivatives.conj() @ derivatives.T).real)


def _complex_rank(state, derivatives):
    along = derivatives.conj() @ state
    return _rank_of(derivatives.conj() @ derivatives.T - np.outer(along, along.conj()))


def _real_parts(state, derivatives):
    return _rank_of(_fisher(state.real, derivatives.real))


RANK_FAULTS = [
    (_along_kept, "a change along the state itself is only a phase: subtract the second term"),
    (_complex_rank, "weights are real: take the real part of the matrix before its rank"),
    (
        lambda state, derivatives: _rank_of(derivatives),
        "that is the complex rank of the derivatives: build the real matrix F",
    ),
    (_real_parts, "amplitudes are complex: take the real part at the end, not at the start"),
    (
        lambda state, derivatives: len(derivatives),
        "that is the number of weights: some directions may depend on others",
    ),
    (
        lambda state, derivatives: float(np.trace(_fisher(state, derivatives))),
        "the rank, not the trace",
    ),
    (_fisher, "return the rank of the matrix, one number"),
]


def _tangents() -> list[tuple[np.ndarray, np.ndarray]]:
    """States with derivatives along a phase, dependent ones, and ones that differ by a factor i."""
    rng = np.random.default_rng(5)

    def draw(*shape):
        return rng.normal(size=shape) + 1j * rng.normal(size=shape)

    state = draw(4)
    state /= np.linalg.norm(state)
    across = draw(3, 4)
    across -= np.outer(across @ state.conj(), state)
    phase = 1j * state[None]
    return [
        (state, across),
        (state, np.concatenate([across[:1], phase])),
        (state, np.concatenate([across[:1], 1j * across[:1]])),
        (state, np.concatenate([across[:2], across[:1] + 0.5 * across[1:2]])),
        (state, np.concatenate([1j * across, across, phase])),
        (np.array([1.0, 0.0], complex), np.array([[0.0, 0.5j], [0.0, 0.5]])),
    ]


def _rank(answer) -> Verdict:
    return function(
        answer,
        _tangent_rank,
        _tangents(),
        "a phase does not count, and directions add with real factors",
        RANK_FAULTS,
        names=("state", "derivatives"),
    )


# ---------------------------------------------------------------- an average over dead weights


def _factor(variances, summary=np.mean, least=1e-12) -> float:
    """What ``summary`` of the variances above ``least`` is multiplied by with each qubit."""
    found = [summary(v[v > least]) for v in variances.values()]
    return float(2 ** np.polyfit(list(variances), np.log2(found), 1)[0])


def _by_both_ends(variances) -> float:
    """The ratio of the last mean to the first, as if all in between lay on one line."""
    sizes = sorted(variances)
    first, last = (variances[n][variances[n] > 1e-12].mean() for n in (sizes[0], sizes[-1]))
    return float((last / first) ** (1 / (sizes[-1] - sizes[0])))


AVERAGE_FAULTS = [
    (lambda v: _factor(v, least=-1), "that is hers, with the dead weights"),
    (lambda v: math.log2(_factor(v)), "that is the slope: give 2 ** slope, the factor per qubit"),
    (lambda v: math.exp(math.log2(_factor(v))), "the logarithm is that to base 2: 2 ** slope"),
    (lambda v: _factor(v, least=0), "1e-33 is no slope but rounding errors: leave out below 1e-12"),
    (lambda v: _factor(v, np.sum), "the mean over the weights, not their sum"),
    (lambda v: _factor(v, np.median), "the mean, as she took it, not the median"),
    (lambda v: _factor(v, len), "that is how the number of living weights grows"),
    (_by_both_ends, "fit the line to all numbers of qubits, not to the first and the last"),
    (lambda v: 1.0, "that holds for the bricks: compute it from `variances`"),
]


def _average(answer) -> Verdict:
    """Variances that neither stay nor fall exactly, with rounding errors for dead weights."""
    rng = np.random.default_rng(6)

    def drawn(factor, sizes):
        alive = {n: factor**n * rng.uniform(0.5, 1.5, n) for n in sizes}
        return {n: np.append(v, [0.0, 1e-33] * (n // 2)) for n, v in alive.items()}

    return function(
        answer,
        _factor,
        [(drawn(0.5, (2, 3, 5)),), (drawn(0.9, (4, 6, 8)),), (drawn(1.0, (2, 4, 6, 8)),)],
        "more qubits bring more dead weights: the mean fell because of them",
        AVERAGE_FAULTS,
        names=("variances",),
    )


# ---------------------------------------------------------------- the Lie algebra


def _real_rank(matrices) -> int:
    rows = [np.concatenate([np.real(m).ravel(), np.imag(m).ravel()]) for m in matrices]
    return _rank_of(np.array(rows))


def _algebra_dimension(generators):
    basis, waiting = [], list(generators)
    while waiting:
        new = waiting.pop()
        if _real_rank([*basis, new]) > len(basis):
            waiting += [1j * (new @ old - old @ new) for old in basis]
            basis.append(new)
    return len(basis)


def _one_round(generators):
    pairs = [1j * (a @ b - b @ a) for a in generators for b in generators]
    return _real_rank([*generators, *pairs])


def _products_instead(generators):
    """The algebra of all products, Hermitian parts: larger than that of commutators."""
    basis, waiting = [], list(generators)
    while waiting:
        new = waiting.pop()
        if _real_rank([*basis, new]) > len(basis):
            waiting += [new @ old + old @ new for old in basis]
            waiting += [1j * (new @ old - old @ new) for old in basis]
            basis.append(new)
    return len(basis)


ALGEBRA_FAULTS = [
    (_one_round, "one round is not enough: commutators of commutators count too"),
    (len, "these are the generators: their commutators belong to it as well"),
    (_real_rank, "these are the independent generators: add their commutators"),
    (
        lambda generators: generators[0].shape[0] ** 2 - 1,
        "that is the largest possible dimension: not every set of generators reaches it",
    ),
    (_products_instead, "commutators only: products and anticommutators are no new directions"),
]


def _generators() -> list[tuple[list[np.ndarray]]]:
    x = np.array([[0, 1], [1, 0]], complex)
    z = np.array([[1, 0], [0, -1]], complex)
    one = np.eye(2, dtype=complex)
    x0, x1, z0, z1 = np.kron(x, one), np.kron(one, x), np.kron(z, one), np.kron(one, z)
    zz, xx = z0 @ z1, x0 @ x1
    return [
        ([x, z],),
        ([x0, x1, xx],),
        ([z, z.copy(), 2 * z],),
        ([z0, z1, xx],),
        ([x0 + x1, zz],),
        ([x0 + x1, z0 + z1],),
        ([x0, x1, z0, zz],),
    ]


def _algebra(answer) -> Verdict:
    return function(
        answer,
        _algebra_dimension,
        _generators(),
        "commuting generators stay as many as they are; others grow until nothing new comes",
        ALGEBRA_FAULTS,
        names=["generators"],
    )


# ---------------------------------------------------------------- a design on a budget

BUDGET = 2
LARGEST_ERROR = 0.01


def _g(x) -> np.ndarray:
    return 0.5 * np.sin(x[:, 0]) * np.sin(x[:, 1]) + 0.4 * np.cos(2 * x[:, 0])


def _two_qubit_gates(gates) -> int:
    return sum(2 if slot else 1 for _, qubits, slot in gates if len(qubits) == 2)


def _budget(answer) -> Verdict:
    """The circuit is run on points that the student has not seen."""
    try:
        gates, weights, reasons = answer["gates"], answer["weights"], answer["reasons"]
    except (TypeError, KeyError):
        return Verdict(False, "give a dict with gates, weights and reasons")
    fault = _no_circuit(gates) or _against_the_rules(gates, weights) or _misses(gates, weights)
    if fault:
        return Verdict(False, fault)
    points = [
        (r"frequen|upload|twice|cos\(?2", "reasons: say which frequencies are needed, and why"),
        (r"cnot|cz\b|two-qubit|entangl|qubit 0|one qubit", "reasons: say how x1 reaches qubit 0"),
    ]
    return paragraph(reasons, points, "it fits points that it has not seen, within the budget")


def _no_circuit(gates) -> str | None:
    names = {"CNOT": 2, "CZ": 2} | {f"R{a}": 1 for a in "XYZ"}
    names |= {f"R{a}{b}": 2 for a in "XYZ" for b in "XYZ"}
    try:
        for name, qubits, slot in gates:
            if name not in names or len(qubits) != names[name] or len(set(qubits)) != len(qubits):
                return f"{(name, tuple(qubits), slot)} is no gate of the workbench"
            if bool(slot) == (name in ("CNOT", "CZ")):
                return f"{name} with the slot {slot!r}: rotations have one, CNOT and CZ have none"
    except (TypeError, ValueError):
        return 'gates is a list of (name, qubits, slot), such as ("RX", (0,), "x0")'
    return None


def _against_the_rules(gates, weights) -> str | None:
    qubits = {qubit for _, at, _ in gates for qubit in at}
    if not qubits <= {0, 1, 2}:
        return f"three qubits at most, 0 to 2; yours are {sorted(qubits)}"
    if (spent := _two_qubit_gates(gates)) > BUDGET:
        return f"{spent} two-qubit gates: the budget is {BUDGET} (a rotation about two counts two)"
    slots = [slot for *_, slot in gates if slot]
    unknown = {s for s in slots if s not in ("x0", "x1") and not s.startswith("w")}
    if unknown:
        return f"unknown slots {sorted(unknown)}: features are x0 and x1, weights w0, w1, ..."
    number_of = 1 + max((int(s[1:]) for s in slots if s.startswith("w")), default=-1)
    if np.shape(weights) != (number_of,):
        return f"the circuit has {number_of} weights, and weights has the shape {np.shape(weights)}"
    cone = _light_cone(gates, 0)
    if not {"x0", "x1"} <= cone:
        missing = sorted({"x0", "x1"} - cone)
        return f"{', '.join(missing)} cannot reach qubit 0: look at its light cone"
    if slots.count("x0") < 2:
        return "cos(2 x0) has frequency two, and one upload of x0 has frequency one at most"
    return None


def _misses(gates, weights) -> str | None:
    points = np.random.default_rng(11).uniform(-np.pi, np.pi, size=(200, 2))
    found = _simulated(gates, np.asarray(weights, float), points)
    error = float(np.mean((found - _g(points)) ** 2))
    if error < LARGEST_ERROR:
        return None
    flat = float(np.var(_g(points)))
    if error > 0.7 * flat:
        return (
            f"error {error:.3f}, and a constant has {flat:.3f}: does x1 come in before the gate "
            "that carries it to qubit 0, and are there rotations between the uploads?"
        )
    return f"error {error:.3f}, wanted below {LARGEST_ERROR}: more rotations, or another start"


def _simulated(gates, weights, points) -> np.ndarray:
    """<Z> of qubit 0 for each point, three qubits."""
    states = np.zeros((len(points), 2, 2, 2), complex)
    states[:, 0, 0, 0] = 1
    for name, qubits, slot in gates:
        if not slot:
            control, target = qubits
            on = np.arange(2).reshape([2 if a == control + 1 else 1 for a in range(4)])
            turned = _pauli("X" if name == "CNOT" else "Z", target, states)
            states = np.where(on == 1, turned, states)
            continue
        index = int(slot[1:])
        angle = points[:, index] if slot[0] == "x" else np.full(len(points), weights[index])
        half = angle.reshape(-1, 1, 1, 1) / 2
        turned = states
        for letter, qubit in zip(name[1:], qubits, strict=True):
            turned = _pauli(letter, qubit, turned)
        states = np.cos(half) * states - 1j * np.sin(half) * turned
    chances = (np.abs(states) ** 2).sum(axis=(2, 3))
    return chances[:, 0] - chances[:, 1]


def _pauli(letter, qubit, states):
    flipped = states if letter == "Z" else np.flip(states, qubit + 1)
    factors = {"X": [1, 1], "Y": [-1j, 1j], "Z": [1, -1]}[letter]
    return flipped * np.reshape(factors, [2 if a == qubit + 1 else 1 for a in range(4)])


EXERCISES = {
    "05.fourier": Exercise(
        _fourier,
        "write",
        hints=(
            "How many real numbers does a series with frequencies up to `highest` hold? You need "
            "at least as many values.",
            "Take equally spaced points from 0 on, without 2 pi itself, which is 0 again. For each "
            "k, average f(x) times a wave that undoes the wave of c_k.",
            "2 * highest + 1 points are enough. For each k the mean of f(x) * exp(-1j * k * x), "
            "collected in one array from k = 0 to `highest`.",
        ),
        model=_coefficients,
    ),
    "05.wrap": Exercise(
        _wrap,
        "read",
        hints=(
            "For large z the angle is a, and for large -z it is -a. The text gives their fidelity.",
            "Perfectly distinguishable means fidelity 0. Where is cos^2 a zero?",
            "The first positive zero of the cosine, a quarter of a whole turn, in radian.",
        ),
    ),
    "05.cone": Exercise(
        _cone,
        "write",
        hints=(
            "Keep a set of qubits that you have reached. At the end of the circuit it holds one.",
            "Go through `reversed(gates)`. What happens to your set at a two-qubit gate that "
            "touches it, and what if it does not?",
            "If a gate shares a qubit with your set, add all its qubits to the set, and its slot "
            "to the cone unless the slot is empty.",
        ),
        model=_light_cone,
    ),
    "05.blind": Exercise(
        _blind,
        "fault",
        hints=(
            "If all gates but the encoding are real, what does conjugating the whole state do to "
            "the encoding gates?",
            "The state of -x is the conjugate of the state of x, as long as the encoding gate of "
            "-x is the conjugate of that of x. Which rotation is real, so that this fails?",
            "One option of CircuitSpec says about which axis the features turn. Repeating the "
            "upload about the old axis does not help.",
        ),
    ),
    "05.rank": Exercise(
        _rank,
        "write",
        hints=(
            "Translate the formula: each bracket is a matrix product with one factor conjugated.",
            "All products of derivatives with each other are one K x K matrix. Those with the "
            "state are K numbers; their outer product is subtracted.",
            "Take the real part of the difference, and then np.linalg.matrix_rank with "
            "tol=1e-8. The factor 4 does not change the rank.",
        ),
        model=_tangent_rank,
    ),
    "05.average": Exercise(
        _average,
        "fault",
        hints=(
            "How many of the numbers in `slopes['bricks'][8]` are zero, and how many in [4]?",
            "Leave out the zeros before the mean, for each n. The rest of her calculation stays.",
            "v[v > 1e-12].mean() for each n, log2 of that, np.polyfit of degree 1 against n, and 2 "
            "to the power of the slope.",
        ),
    ),
    "05.algebra": Exercise(
        _algebra,
        "write",
        hints=(
            "Keep two lists: matrices that are known to be independent, and matrices that still "
            "have to be looked at.",
            "Take one of the second list. If it raises the rank of the first, keep it, and put its "
            "commutators with all kept ones into the second list.",
            "Each commutator gets a factor 1j, so that it is Hermitian. Independent over the real "
            "numbers: flatten real and imaginary parts into one row before matrix_rank.",
        ),
        model=_algebra_dimension,
    ),
    "05.budget": Exercise(
        _budget,
        "judge",
        hints=(
            "cos(2 x0) has frequency two in x0, and the other term frequency one in both.",
            "Qubit 0 needs two uploads of x0 with trainable rotations in between. x1 can have a "
            "qubit of its own, and then a CNOT has to carry it over.",
            "Rotations, uploads of x0 on qubit 0 and of x1 on qubit 1, rotations, CNOT with "
            "control 1 and target 0, rotations, x0 once more, rotations. Several starts.",
        ),
        rubric="Frequencies: two uploads of x0, one of x1. Path: x1 must be carried to qubit 0 by "
        "a gate behind its upload, or be uploaded on qubit 0 itself. Rotations before and between "
        "uploads, so that coefficients can be chosen. Why a larger standard circuit fails: more "
        "CNOTs, but too few uploads.",
    ),
}
