"""Checks of the exercises in notebook 04."""

from __future__ import annotations

import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import function, number, paragraph


def _born(answer, *, amplitudes) -> Verdict:
    a, b = np.asarray(amplitudes)
    if np.iscomplexobj(answer) and abs(np.imag(answer)) > 1e-12:
        return Verdict(False, "a probability is a real number: take the size of the amplitude")
    if np.iscomplexobj(answer):
        answer = float(np.real(answer))
    wrong = [
        (abs(b), "that is the size of the amplitude: a probability is its square"),
        (abs(a) ** 2, "that is the chance of measuring 0"),
        ((b**2).real, "b * b keeps the phase and can be negative: square the size |b|"),
        (0.5, "it is no fair coin: the two amplitudes differ"),
    ]
    return number(answer, abs(b) ** 2, "the factor i does not matter here", wrong, share=True)


ANGLES = [(0.0,), (0.3,), (math.pi / 2,), (-1.1,), (math.pi,), (2.7,), (2 * math.pi,)]


def _ry_matrix(theta):
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cosine, -sine], [sine, cosine]])


def _whole_angle(theta):
    return _ry_matrix(2 * theta)


def _transposed(theta):
    return _ry_matrix(theta).T


def _rx_matrix(theta):
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cosine, -1j * sine], [-1j * sine, cosine]])


def _symmetric(theta):
    cosine, sine = math.cos(theta / 2), math.sin(theta / 2)
    return np.array([[cosine, sine], [sine, cosine]])


def _degrees(theta):
    return _ry_matrix(math.radians(theta))


def _ry(answer) -> Verdict:
    wrong = [
        (_whole_angle, "half angles stand in the matrix: theta / 2"),
        (_transposed, "it turns the wrong way: the minus sign stands in the upper right"),
        (_rx_matrix, "that is RX: RY has real entries"),
        (_symmetric, "one sign is missing: as it stands, the matrix is not unitary"),
        (_degrees, "theta is given in radian already"),
    ]
    right = "a real matrix, and unitary at every angle"
    return function(answer, _ry_matrix, ANGLES, right, wrong, names=["theta"])


def _shots(answer, *, theta, error) -> Verdict:
    variance = 1 - math.cos(theta) ** 2
    wrong = [
        (1 / error**2, "that is the number for <Z> = 0, the worst case: this <Z> is not 0"),
        (variance / error, "the error falls with the square root of the shots: square it"),
        (math.sqrt(variance) / error, "that is the ratio of the two errors: square it"),
        (
            math.sqrt(variance) / error**2,
            "the variance is 1 - <Z>^2; you took its square root as well",
        ),
        (
            (1 - math.cos(theta)) / error**2,
            "the variance of a single shot is 1 - <Z>^2, not 1 - <Z>",
        ),
        (
            math.sin(theta / 2) ** 2 * math.cos(theta / 2) ** 2 / error**2,
            "that is for the share of ones: <Z> counts +1 and -1, twice as far apart",
        ),
    ]
    truth = variance / error**2
    return number(answer, truth, f"about {truth:,.0f}; fewer than the worst case", wrong)


def _states() -> list[np.ndarray]:
    """States of one to four qubits, some of them complex and entangled."""
    generator = np.random.default_rng(4)
    states = []
    for n in (1, 2, 3, 3, 4):
        state = generator.normal(size=(2,) * n) + 1j * generator.normal(size=(2,) * n)
        states.append(state / np.linalg.norm(state))
    return states


def _apply_right(gate, qubit, state):
    return np.moveaxis(np.tensordot(gate, state, axes=([1], [qubit])), 0, qubit)


def _axis_in_front(gate, qubit, state):
    return np.tensordot(gate, state, axes=([1], [qubit]))


def _wrong_sum(gate, qubit, state):
    return np.moveaxis(np.tensordot(gate, state, axes=([0], [qubit])), 0, qubit)


def _counted_from_the_end(gate, qubit, state):
    return _apply_right(gate, state.ndim - 1 - qubit, state)


def _always_the_first(gate, qubit, state):
    return _apply_right(gate, 0, state)


def _apply(answer) -> Verdict:
    gates = [_ry_matrix(0.7) @ _rx_matrix(0.4), _rx_matrix(-1.2), _ry_matrix(2.0)]
    inputs = [
        (gates[(number_of_state + qubit) % 3], qubit, state)
        for number_of_state, state in enumerate(_states())
        for qubit in range(state.ndim)
    ]
    wrong = [
        (_axis_in_front, "the new axis is at the front: np.moveaxis(..., 0, qubit)"),
        (_wrong_sum, "it sums over the rows of the gate: sum over its columns, axis 1"),
        (_counted_from_the_end, "it counts qubits from the right: qubit 0 is the first axis"),
        (_always_the_first, "it always acts on qubit 0: where does `qubit` come in?"),
    ]
    right = "one axis is mixed, the others stay where they are"
    return function(answer, _apply_right, inputs, right, wrong, names=["gate", "qubit", "state"])


HADAMARD = np.array([[1, 1], [1, -1]]) / math.sqrt(2)
CNOT = np.array([[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 0]])


def _order(answer) -> Verdict:
    """A tuple: the faulty line, and the four amplitudes that the code gave."""
    try:
        line, amplitudes = answer
        line = int(line)
        amplitudes = np.asarray(amplitudes, dtype=complex).ravel()
    except (TypeError, ValueError):
        return Verdict(False, "expected a tuple: a line number and four amplitudes")
    lines = {
        1: "line 1 is CNOT with control 0 and target 1, as it should be",
        3: "line 3 is |00>, as it should be",
        4: "line 4 applies the Hadamard gate first, as it should: the rightmost acts first",
    }
    if line in lines:
        return Verdict(False, lines[line])
    if line != 2:
        return Verdict(False, "there are four lines: give 1, 2, 3 or 4")
    if amplitudes.shape != (4,):
        return Verdict(False, f"two qubits have four amplitudes, got {amplitudes.size}")
    start = np.array([1, 0, 0, 0])
    printed = CNOT @ np.kron(np.eye(2), HADAMARD) @ start
    mended = CNOT @ np.kron(HADAMARD, np.eye(2)) @ start
    if np.allclose(amplitudes, printed, atol=5e-3):
        return Verdict(True, "the Hadamard gate sat on qubit 1, and the control stayed 0")
    if np.allclose(amplitudes, mended, atol=5e-3):
        return Verdict(False, "the line is right; these are the amplitudes of the mended code")
    if np.allclose(amplitudes, np.abs(printed) ** 2, atol=5e-3):
        return Verdict(False, "the line is right; these are probabilities, not amplitudes")
    return Verdict(False, "the line is right; run the code as it stands for the amplitudes")


def _reduced(state, qubit):
    rows = np.moveaxis(state, qubit, 0).reshape(2, -1)
    return rows @ rows.conj().T


def _purities(state) -> list[float]:
    reduced = [_reduced(state, qubit) for qubit in range(state.ndim)]
    return [float(np.trace(rho @ rho).real) for rho in reduced]


def _meyer_wallach(state):
    return 2 * (1 - np.mean(_purities(state)))


def _mean_purity(state):
    return np.mean(_purities(state))


def _not_stretched(state):
    return 1 - np.mean(_purities(state))


def _first_qubit_only(state):
    return 2 * (1 - _purities(state)[0])


def _summed(state):
    return 2 * (1 - np.sum(_purities(state)))


def _trace_only(state):
    return 2 * (1 - np.mean([np.trace(_reduced(state, q)).real for q in range(state.ndim)]))


def _entries_squared(state):
    reduced = [_reduced(state, qubit) for qubit in range(state.ndim)]
    return 2 * (1 - np.mean([np.trace(rho**2).real for rho in reduced]))


def _entanglement(answer) -> Verdict:
    product = np.zeros((2, 2, 2), dtype=complex)
    product[0, 1, 0] = 1
    ghz = np.zeros((2, 2, 2), dtype=complex)
    ghz[0, 0, 0] = ghz[1, 1, 1] = math.sqrt(0.5)
    inputs = [(state,) for state in (*_states()[1:], product, ghz)]
    wrong = [
        (_mean_purity, "that is the mean purity: it is 1 where nothing is entangled"),
        (_not_stretched, "stretch the scale: it should reach 1, not 1/2"),
        (_first_qubit_only, "average over all qubits, not only the first"),
        (_summed, "take the mean over the qubits, not the sum"),
        (_trace_only, "the trace of a reduced state is always 1: the purity is Tr(rho rho)"),
        (_entries_squared, "rho**2 squares the entries: the matrix product is rho @ rho"),
    ]
    right = "0 for a product state, 1 for the most entangled ones"
    return function(answer, _meyer_wallach, inputs, right, wrong, names=["state"])


def _wave(coefficients):
    """A function of three angles of the kind that circuits compute."""
    a, b, c, d = coefficients

    def f(theta):
        x, y, z = theta
        return a * math.cos(x) * math.sin(y) + b * math.sin(z) + c * math.cos(x - 0.3) + d

    return f


WAVES = [
    (_wave((0.5, 0.2, -0.4, 0.1)), np.array([0.3, -0.8, 1.9])),
    (_wave((-0.3, 0.6, 0.2, 0.0)), np.array([-2.1, 0.4, 0.0])),
    (_wave((0.1, -0.9, 0.5, -0.2)), np.array([1.0, 3.0, -0.6])),
]


def _shifted(f, theta, step, factor):
    moves = step * np.eye(len(theta))
    return np.array([(f(theta + move) - f(theta - move)) / factor for move in moves])


def _parameter_shift(f, theta):
    return _shifted(f, theta, math.pi / 2, 2)


def _not_halved(f, theta):
    return _shifted(f, theta, math.pi / 2, 1)


def _divided_by_the_step(f, theta):
    return _shifted(f, theta, math.pi / 2, math.pi)


def _half_turn(f, theta):
    return _shifted(f, theta, math.pi, 2)


def _other_sign(f, theta):
    return -_parameter_shift(f, theta)


def _all_at_once(f, theta):
    move = np.full(len(theta), math.pi / 2)
    return np.full(len(theta), (f(theta + move) - f(theta - move)) / 2)


def _shift(answer) -> Verdict:
    wrong = [
        (_not_halved, "the difference is twice the slope: divide by 2"),
        (_divided_by_the_step, "it is no difference quotient: divide by 2, not by the step"),
        (_half_turn, "a half turn is too far: a quarter turn, pi / 2"),
        (_other_sign, "the sign is turned round: forward minus backward"),
        (_all_at_once, "move one angle at a time, and hold the others"),
    ]
    right = "exact, from two values for each angle"
    return function(
        answer, _parameter_shift, WAVES, right, wrong, names=["f", "theta"], tolerance=1e-5
    )


def _parallel(answer) -> Verdict:
    points = [
        (r"amplitude|state", "say what there are 1024 of: amplitudes of the state"),
        (
            r"one outcome|one result|single (outcome|result)|ten bits|10 bits|bit string|bitstring",
            "say what one shot gives",
        ),
        (
            r"repeat|many (shots|times|runs|measurements)|square root|more shots|average|mean over",
            "an expectation value needs many shots: say so",
        ),
        (
            r"(ten|10) (numbers|outputs|values|expectation)",
            "say how many numbers the layer passes on",
        ),
    ]
    return paragraph(answer, points, "every point of the rubric is touched", words=40)


EXERCISES = {
    "04.born": Exercise(
        _born,
        "read",
        hints=(
            "Born's rule turns an amplitude into a probability.",
            "Take the size of the second amplitude; for a complex number that is np.abs.",
            "Square that size. The i does not change it.",
        ),
    ),
    "04.ry": Exercise(
        _ry,
        "write",
        hints=(
            "Look at RX above: the same pattern, with real entries.",
            "Compute cos(theta / 2) and sin(theta / 2) first; four entries use them.",
            "Rows of the array: cosine and minus sine, then sine and cosine.",
        ),
        model=_ry_matrix,
    ),
    "04.shots": Exercise(
        _shots,
        "read",
        hints=(
            "Solve the formula of the standard error for N.",
            "N is the variance of one shot divided by the square of the error you want.",
            "The variance is 1 - <Z>^2, and <Z> is the cosine of 60 degrees.",
        ),
    ),
    "04.apply": Exercise(
        _apply,
        "write",
        hints=(
            "Two steps: a sum over one axis, then the axes back in order.",
            "np.tensordot sums over the gate's columns and the qubit's axis; its result has the "
            "new axis first.",
            "np.moveaxis(result, source, destination): from 0 to the qubit's place.",
        ),
        model=_apply_right,
    ),
    "04.order": Exercise(
        _order,
        "fault",
        hints=(
            "Run the four lines, one after another, and look at the state after the Hadamard.",
            "np.kron(first, second): which factor belongs to qubit 0?",
            "The identity stands where the Hadamard gate should stand. For the amplitudes, run "
            "her code unchanged: the control is 0 in all of them.",
        ),
    ),
    "04.entanglement": Exercise(
        _entanglement,
        "write",
        hints=(
            "One reduced state for each qubit; state.ndim is the number of qubits.",
            "The purity of rho is the trace of the matrix product rho @ rho.",
            "Average the purities, subtract the mean from 1 and double it.",
        ),
        model=_meyer_wallach,
    ),
    "04.shift": Exercise(
        _shift,
        "write",
        hints=(
            "A loop over the angles; in each turn only one of them moves.",
            "Make a step array of zeros with pi / 2 at one place; evaluate f at theta plus and "
            "minus it.",
            "Half of the difference, forward minus backward, is the slope in that angle.",
        ),
        model=_parameter_shift,
    ),
    "04.parallel": Exercise(
        _parallel,
        "judge",
        hints=(
            "Three numbers play a part: 1024, the outcome of one shot, the outputs of the layer.",
            "Amplitudes exist in the state; ask which of them a measurement hands out.",
            "One shot: ten bits. Ten expectation values: many shots. Then compare with a "
            "classical layer of ten outputs.",
        ),
        rubric="True: 1024 amplitudes, and a gate acts on all. Missing: one shot gives ten bits; "
        "expectation values need repetition (1/sqrt N); the layer passes on ten numbers; a claim "
        "of replacement needs a comparison. Full marks for a reader who separates state and "
        "measurement.",
    ),
}
