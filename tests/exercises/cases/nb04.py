"""Answers to the exercises of notebook 04: right ones, usual wrong ones, what is said to them."""

import math

import numpy as np

from hqnn_utils.exercises import nb04

BORN = dict(amplitudes=np.array([0.6, 0.8j]))
SHOTS = dict(theta=math.radians(60), error=0.01)
GOOD = (
    "The state has 1024 amplitudes and gates act on them all. One shot gives one outcome of ten "
    "bits, so an expectation value takes many shots. The layer passes on ten numbers, like a "
    "classical layer with ten outputs, and has to be compared with one before anything is replaced."
)


def ry_by_exponential(theta):
    from scipy.linalg import expm

    return expm(-0.5j * theta * np.array([[0, -1j], [1j, 0]]))


def apply_by_einsum(gate, qubit, state):
    flat = state.reshape(2**qubit, 2, -1)
    return np.einsum("ab,xby->xay", gate, flat).reshape(state.shape)


def entanglement_by_arrows(state):
    lengths = []
    for qubit in range(state.ndim):
        rows = np.moveaxis(state, qubit, 0).reshape(2, -1)
        rho = rows @ rows.conj().T
        arrow = [2 * rho[0, 1].real, -2 * rho[0, 1].imag, (rho[0, 0] - rho[1, 1]).real]
        lengths.append(np.linalg.norm(arrow))
    return 1 - np.mean(np.square(lengths))


def shift_as_list(f, theta):
    quarter = math.pi / 2
    return np.array(
        [0.5 * (f(theta + quarter * row) - f(theta - quarter * row)) for row in np.eye(len(theta))]
    )


PRINTED = np.array([1, 1, 0, 0]) / math.sqrt(2)
MENDED = np.array([1, 0, 0, 1]) / math.sqrt(2)

RIGHT = {
    "04.born": [(0.64, BORN), (64, BORN), (np.abs(0.8j) ** 2, BORN), (0.64 + 0j, BORN)],
    "04.ry": [(ry_by_exponential, {}), (nb04._ry_matrix, {})],
    "04.shots": [(7500, SHOTS), (7500.0000001, SHOTS)],
    "04.apply": [(apply_by_einsum, {}), (nb04._apply_right, {})],
    "04.order": [((2, PRINTED), {}), ((2, [0.71, 0.71, 0, 0]), {}), ((2.0, PRINTED + 0j), {})],
    "04.entanglement": [(entanglement_by_arrows, {}), (nb04._meyer_wallach, {})],
    "04.shift": [(shift_as_list, {}), (nb04._parameter_shift, {})],
    "04.parallel": [(GOOD, {}), (GOOD.upper(), {})],
}
WRONG = [
    ("04.born", 0.8, BORN, "size of the amplitude"),
    ("04.born", 0.36, BORN, "measuring 0"),
    ("04.born", -0.64, BORN, "square the size"),
    ("04.born", 0.5, BORN, "fair coin"),
    ("04.born", 0.8j, BORN, "real number"),
    ("04.ry", nb04._whole_angle, {}, "half angles"),
    ("04.ry", nb04._transposed, {}, "wrong way"),
    ("04.ry", nb04._rx_matrix, {}, "that is RX"),
    ("04.ry", nb04._symmetric, {}, "not unitary"),
    ("04.ry", nb04._degrees, {}, "radian"),
    ("04.shots", 10000, SHOTS, "worst case"),
    ("04.shots", 75, SHOTS, "square it"),
    ("04.shots", 5000, SHOTS, "not 1 - <Z>"),
    ("04.shots", 1875, SHOTS, "share of ones"),
    ("04.shots", 8660, SHOTS, "square root as well"),
    ("04.apply", nb04._axis_in_front, {}, "at the front"),
    ("04.apply", nb04._wrong_sum, {}, "columns"),
    ("04.apply", nb04._counted_from_the_end, {}, "from the right"),
    ("04.apply", nb04._always_the_first, {}, "always acts on qubit 0"),
    ("04.order", (1, PRINTED), {}, "line 1 is CNOT"),
    ("04.order", (3, PRINTED), {}, "line 3 is |00>"),
    ("04.order", (4, PRINTED), {}, "rightmost acts first"),
    ("04.order", (2, MENDED), {}, "mended code"),
    ("04.order", (2, PRINTED**2), {}, "probabilities"),
    ("04.order", 2, {}, "tuple"),
    ("04.entanglement", nb04._mean_purity, {}, "mean purity"),
    ("04.entanglement", nb04._not_stretched, {}, "stretch"),
    ("04.entanglement", nb04._first_qubit_only, {}, "all qubits"),
    ("04.entanglement", nb04._summed, {}, "not the sum"),
    ("04.entanglement", nb04._entries_squared, {}, "matrix product"),
    ("04.entanglement", nb04._trace_only, {}, "always 1"),
    ("04.shift", nb04._not_halved, {}, "divide by 2"),
    ("04.shift", nb04._divided_by_the_step, {}, "no difference quotient"),
    ("04.shift", nb04._half_turn, {}, "quarter turn"),
    ("04.shift", nb04._other_sign, {}, "turned round"),
    ("04.shift", nb04._all_at_once, {}, "one angle at a time"),
    ("04.parallel", "It is true.", {}, "40 words"),
    ("04.parallel", GOOD.replace("amplitudes", "things").replace("state", "chip"), {}, "1024 of"),
    ("04.parallel", GOOD.replace("one outcome of ten bits", "much"), {}, "one shot gives"),
    ("04.parallel", GOOD.replace("many shots", "some care"), {}, "many shots"),
    (
        "04.parallel",
        GOOD.replace("ten numbers", "numbers").replace("ten outputs", "outputs"),
        {},
        "how many numbers",
    ),
]
