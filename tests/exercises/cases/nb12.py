"""Answers to the exercises of notebook 12: right ones, usual wrong ones, what is said to them."""

import itertools

import numpy as np
from judges import pennylanes_count

from hqnn_utils.quantum import CircuitSpec

BIG = dict(spec=CircuitSpec(n_qubits=8, n_layers=3, reupload=True), images=546)
ONCE = dict(spec=CircuitSpec(n_qubits=8, n_layers=3), images=546)
SMALL = dict(spec=CircuitSpec(n_qubits=3, n_layers=2, reupload=True), images=5)

X, Y, Z = (np.array(m) for m in ([[0, 1], [1, 0]], [[0, -1j], [1j, 0]], [[1, 0], [0, -1]]))


def pauli_sum(rho, p):
    paulis = [np.eye(2), X, Y, Z]
    errors = paulis if len(rho) == 2 else [np.kron(*ab) for ab in itertools.product(paulis, paulis)]
    return (1 - p) * rho + p / (len(errors) - 1) * sum(e @ rho @ e.conj().T for e in errors[1:])


def forgetting(rho, p):
    """The short form: forget everything with the probability lambda."""
    share = p * len(rho) ** 2 / (len(rho) ** 2 - 1)
    return (1 - share) * rho + share * np.eye(len(rho)) / len(rho)


def by_pennylane(rho, p):
    """PennyLane's own channel: of one qubit, and of a pair by its Kraus matrices."""
    import pennylane as qp

    if len(rho) == 2:
        channel = qp.DepolarizingChannel(p, wires=0).kraus_matrices()
    else:
        paulis = [np.eye(2), X, Y, Z]
        pairs = [np.kron(a, b) for a, b in itertools.product(paulis, paulis)]
        kraus = [np.sqrt(1 - p) * pairs[0], *[np.sqrt(p / 15) * e for e in pairs[1:]]]
        channel = qp.QubitChannel(kraus, wires=[0, 1]).kraus_matrices()
    return sum(k @ rho @ k.conj().T for k in channel)


def aers_parameter(rho, p):
    return (1 - p) * rho + p * np.eye(len(rho)) / len(rho)


def whole_p_each(rho, p):
    paulis = [np.eye(2), X, Y, Z]
    errors = paulis if len(rho) == 2 else [np.kron(*ab) for ab in itertools.product(paulis, paulis)]
    return (1 - p) * rho + p * sum(e @ rho @ e.conj().T for e in errors[1:])


def per_wire(rho, p):
    if len(rho) == 2:
        return pauli_sum(rho, p)
    for place in (0, 1):
        wide = [np.kron(e, np.eye(2)) if place == 0 else np.kron(np.eye(2), e) for e in (X, Y, Z)]
        rho = (1 - p) * rho + p / 3 * sum(e @ rho @ e.conj().T for e in wide)
    return rho


def trace_grows(rho, p):
    return rho + pauli_sum(rho, p) - (1 - p) * rho


def only_flips(rho, p):
    """Works for one qubit alone, and knows one error only."""
    return (1 - p) * rho + p * X @ rho @ X


def undo(measured, r):
    matrix = np.eye(1)
    for _ in range(int(np.log2(len(measured)))):
        matrix = np.kron(matrix, [[1 - r, r], [r, 1 - r]])
    return np.linalg.inv(matrix) @ measured


def undo_by_axes(measured, r):
    """One axis after the other, with the inverse written out."""
    n = int(np.log2(len(measured)))
    inverse = np.array([[1 - r, -r], [-r, 1 - r]]) / (1 - 2 * r)
    p = np.reshape(measured, (2,) * n)
    for axis in range(n):
        p = np.moveaxis(np.tensordot(inverse, p, axes=(1, axis)), 0, axis)
    return p.reshape(-1)


def again(measured, r):
    matrix = np.eye(1)
    for _ in range(int(np.log2(len(measured)))):
        matrix = np.kron(matrix, [[1 - r, r], [r, 1 - r]])
    return matrix @ measured


def clipped(measured, r):
    return np.maximum(undo(measured, r), 0)


def clipped_to_sum_one(measured, r):
    p = clipped(measured, r)
    return p / p.sum()


def last_bit_only(measured, r):
    pairs = np.reshape(measured, (-1, 2))
    return (pairs @ np.linalg.inv([[1 - r, r], [r, 1 - r]])).reshape(-1)


def richardson(scales):
    s = np.array(scales, dtype=float)
    return np.array([np.prod([b / (b - a) for b in s if b != a]) for a in s])


def by_vandermonde(scales):
    """The weights that return 1 for a constant and 0 for all powers."""
    powers = np.vander(np.array(scales, dtype=float), increasing=True).T
    return np.linalg.solve(powers, np.eye(len(scales))[0])


def straight(scales):
    return np.array([np.polyfit(scales, row, 1)[1] for row in np.eye(len(scales))])


def bond(amplitudes, tolerance=1e-6):
    n = int(np.log2(len(amplitudes)))
    best = 1
    for cut in range(1, n):
        s = np.linalg.svd(np.array(amplitudes).reshape(2**cut, 2 ** (n - cut)))[1]
        best = max(best, np.sum(s / s.max() > tolerance))
    return best


def bond_by_eigenvalues(amplitudes, tolerance=1e-6):
    """From the reduced density matrices: their eigenvalues are the squares."""
    amplitudes = np.asarray(amplitudes)
    found = []
    for cut in range(1, int(np.log2(len(amplitudes)))):
        m = amplitudes.reshape(2**cut, -1)
        small = m @ m.conj().T if len(m) <= m.shape[1] else m.T @ m.conj()
        values = np.linalg.eigvalsh(small)
        found.append(int((values > max(tolerance**2, 1e-14) * values.max()).sum()))
    return max(found)


def middle(amplitudes, tolerance=1e-6):
    n = int(np.log2(len(amplitudes)))
    s = np.linalg.svd(np.reshape(amplitudes, (2 ** (n // 2), -1)), compute_uv=False)
    return int((s > tolerance * s[0]).sum())


def counted_all(amplitudes, tolerance=1e-6):
    return 2 ** (int(np.log2(len(amplitudes))) // 2)


def absolute(amplitudes, tolerance=1e-6):
    n = int(np.log2(len(amplitudes)))
    cuts = [np.reshape(amplitudes, (2**cut, -1)) for cut in range(1, n)]
    return max(int((np.linalg.svd(m, compute_uv=False) > tolerance).sum()) for m in cuts)


def amplitudes_counted(amplitudes, tolerance=1e-6):
    size = np.abs(amplitudes)
    return int((size > tolerance * size.max()).sum())


def summed(amplitudes, tolerance=1e-6):
    n = int(np.log2(len(amplitudes)))
    total = 0
    for cut in range(1, n):
        s = np.linalg.svd(np.reshape(amplitudes, (2**cut, -1)), compute_uv=False)
        total += int((s > tolerance * s[0]).sum())
    return total


GOOD = (
    "Extrapolation removes the bias of the gates and enlarges the variance, more than tenfold at "
    "equal total shots. 300 shots are below the break-even, so outputs get worse. The order of the "
    "images survived, since the AUC hardly fell. I would choose a new threshold on validation "
    "images that were run on the same device, and look at the test images once."
)
OTHER = (
    "The proposal trades a systematic error against a larger scatter. With so few shots (300, and "
    "it needs thousands) the trade is a bad one. Accuracy fell because shrunken outputs slipped to "
    "one side of 0.5. Recalibrating on the validation part, measured with the same noise and the "
    "same shots, costs nothing and is what I would try first of all."
)

RIGHT = {
    "12.depolarize": [(pauli_sum, {}), (forgetting, {}), (by_pennylane, {})],
    "12.readout": [(undo, {}), (undo_by_axes, {})],
    "12.richardson": [(richardson, {}), (by_vandermonde, {}), (lambda s: list(richardson(s)), {})],
    "12.breakeven": [(5000, {}), ("5_000", {}), (12 / 0.0024, {}), (5.0e3, {})],
    "12.claim": [
        ((13.497, 0, "B"), {}),
        ((13.5, 0.0, "b"), {}),
        (["13.5 %", 0, "B."], {}),
        ((0.135, "0 %", "B"), {}),
    ],
    "12.circuits": [
        (546 * 97, BIG),
        (546 * 65, ONCE),
        (SMALL["images"] * pennylanes_count(SMALL["spec"]), SMALL),
        (52962.0, BIG),
    ],
    "12.bond": [(bond, {}), (bond_by_eigenvalues, {})],
    "12.judge": [(GOOD, {}), (OTHER, {})],
}
WRONG = [
    ("12.depolarize", aers_parameter, {}, "Aer's parameter"),
    ("12.depolarize", whole_p_each, {}, "each of them gets its share"),
    ("12.depolarize", per_wire, {}, "p belongs to the pair"),
    ("12.depolarize", trace_grows, {}, "the trace exceeds 1"),
    ("12.depolarize", only_flips, {}, "it stops"),
    ("12.readout", again, {}, "a second time"),
    ("12.readout", clipped, {}, "do not clip"),
    ("12.readout", clipped_to_sum_one, {}, "do not clip"),
    ("12.readout", lambda m, r: np.array(m) / (1 - 2 * r), {}, "an expectation value"),
    ("12.readout", last_bit_only, {}, "every bit is flipped"),
    (
        "12.readout",
        lambda m, r: np.array(m) / (1 - r) ** np.log2(len(m)),
        {},
        "have to be taken out",
    ),
    ("12.richardson", straight, {}, "least squares"),
    (
        "12.richardson",
        lambda s: np.array([np.prod([b / (a - b) for b in s if b != a]) for a in s]),
        {},
        "the sign",
    ),
    (
        "12.richardson",
        lambda s: np.array([np.prod([a / (b - a) for b in s if b != a]) for a in s]),
        {},
        "not the own one",
    ),
    (
        "12.richardson",
        lambda s: np.array([sum(b / (b - a) for b in s if b != a) for a in s]),
        {},
        "not a sum",
    ),
    ("12.richardson", lambda s: np.ones(len(s)) / len(s), {}, "does not extrapolate"),
    ("12.breakeven", 16 * 0.8 / 0.0024, {}, "added"),
    ("12.breakeven", 4800, {}, "a bias of 0.01 is left"),
    ("12.breakeven", 7500, {}, "difference of the squares"),
    ("12.breakeven", 300, {}, "errors add as squares"),
    ("12.breakeven", 6250, {}, "variance of 0.8"),
    ("12.breakeven", 85_000, {}, "not the standard error"),
    ("12.claim", (93, 0, "B"), {}, "stay in the simulator"),
    ("12.claim", (13.5, 80, "B"), {}, "best of three steps"),
    ("12.claim", (13.5, 91.5, "B"), {}, "stay on the device"),
    ("12.claim", (86.5, 0, "B"), {}, "what is left"),
    ("12.claim", (15.6, 0, "B"), {}, "at the first step"),
    ("12.claim", (13.5, 0, "A"), {}, "ended where it began"),
    ("12.claim", (13.5, 0, "C"), {}, "before any training"),
    ("12.claim", (13.5, 0, "D"), {}, "longer trend"),
    ("12.claim", "B", {}, "three things"),
    ("12.circuits", 546 * 96, BIG, "the value itself"),
    ("12.circuits", 546 * 49, BIG, "two shifted circuits"),
    ("12.circuits", 546 * 49, ONCE, "inputs are angles too"),
    ("12.circuits", 546 * 65, BIG, "an angle in each layer"),
    ("12.circuits", 97, BIG, "one image"),
    ("12.circuits", 546 * 97 * 8, BIG, "all outputs at once"),
    ("12.circuits", 546, BIG, "how many for the gradients"),
    ("12.bond", middle, {}, "the middle cut"),
    ("12.bond", counted_all, {}, "count only the values"),
    ("12.bond", absolute, {}, "relative to the largest"),
    ("12.bond", amplitudes_counted, {}, "counts amplitudes"),
    ("12.bond", summed, {}, "not their sum"),
    ("12.judge", "It removes bias and adds variance.", {}, "argue in"),
    (
        "12.judge",
        GOOD.replace("bias of the gates", "errors of the gates"),
        {},
        "which error does extrapolation remove",
    ),
    (
        "12.judge",
        GOOD.replace("variance", "cost"),
        {},
        "which error does it enlarge",
    ),
    (
        "12.judge",
        GOOD.replace("300 shots are below the break-even, so outputs", "Outputs"),
        {},
        "does it pay at 300",
    ),
    ("12.judge", GOOD.replace("threshold", "network"), {}, "most cheaply"),
    ("12.judge", GOOD.replace("validation", "the test"), {}, "on which images"),
]
