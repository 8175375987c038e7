"""The compiled kernel: a circuit as data, run by machine code that is made once for all circuits.

numba turns the functions below into machine code and keeps it on disk. What a circuit is stands in
the arrays of a :class:`hqnn_utils.quantum.engine.program.Program`, so nothing is compiled again for
another circuit, another number of qubits or another batch.

A block of rows is computed at a time. Its states lie in an array (2**n, lanes): the rows of the
block are next to each other, first all real parts, then all imaginary parts (a circuit without
imaginary part has no second half). The inner loops run over the lanes, and there the processor
works on 4, 8 or 16 numbers with one instruction.

Every one-qubit gate is a product of RZ and RY. RY is real, so it treats real and imaginary parts as
if they were rows of their own: 4 multiplications for a pair of numbers where a general gate needs
16. All RZ between two layers of RY are one factor for each basis state. CNOTs are not carried out:
the program says which amplitudes are partners after them (``program.py``).

The backward pass is the adjoint method (Jones and Gacon, arXiv 2009.02823): the state and the
gradient by it go back through the circuit side by side.
"""

from __future__ import annotations

import pickle
from functools import lru_cache
from typing import NamedTuple

import numba as nb
import numpy as np
from numba import njit

from hqnn_utils.quantum.engine.program import DIAGONAL, FROM_INPUTS, FROM_WEIGHTS, SHARED, Program


class Batch(NamedTuple):
    """The numbers that go with a program.

    Attributes
    ----------
    x : (rows, features, 2), cosine and sine of half of each scaled feature.
    weights : flat.
    given : (rows, 2**n, 1 or 2): start states, real and imaginary parts apart; no rows where the
        circuit starts with a product state.
    tables : (diagonal steps, 2**n, 2), the factors; empty where they are made on the way.
    states : flat; all end states, or room for those of one block.
    """

    x: np.ndarray
    weights: np.ndarray
    given: np.ndarray
    tables: np.ndarray
    states: np.ndarray


# Sums may be reordered and multiplications joined with additions, so that lanes can be used. NaN
# and infinity keep their meaning. boundscheck: indices come from the program alone.
OPTIONS = {
    "fastmath": {"reassoc", "contract", "nsz"},
    "nogil": True,
    "error_model": "numpy",
    "boundscheck": False,
}
# Basis states are taken 2**CHUNK_BITS at a time where a number for each of them is needed, so that
# these numbers stay in the cache and never fill the memory.
CHUNK_BITS = 10
# Additions in a row before a sum in the register's precision is added to one in float64.
FLUSH = 256


@njit(**OPTIONS)
def _odd(bits):
    """1 where an odd number of bits is set, otherwise 0."""
    bits ^= bits >> 32
    bits ^= bits >> 16
    bits ^= bits >> 8
    bits ^= bits >> 4
    bits ^= bits >> 2
    bits ^= bits >> 1
    return bits & 1


@njit(**OPTIONS)
def _spread(number, bit):
    """``number`` with a zero put in at the place of ``bit``."""
    below = number & (bit - 1)
    return ((number ^ below) << 1) | below


@njit(**OPTIONS)
def _two(t, mask, role):
    """The ``t``-th pair of basis states that a rotation connects: its qubit 0, then 1."""
    k = _spread(t, mask & -mask)
    k ^= mask * _odd(k & role)
    return k, k ^ mask


@njit(**OPTIONS)
def _four(t, low, high, m1, r1, m2, r2):
    """The ``t``-th four basis states that two rotations connect: both qubits 0, the first one
    turned, the second one, both. ``low`` and ``high`` are the masks' :func:`_lowest_bits`.
    """
    k = _spread(_spread(t, low), high)
    k ^= (m1 * _odd(k & r1)) ^ (m2 * _odd(k & r2))
    return k, k ^ m1, k ^ m2, k ^ m1 ^ m2


@njit(**OPTIONS)
def _lowest_bits(one, two):
    """Two bits, the smaller first: the numbers with both of them zero are one of each four that the
    masks ``one`` and ``two`` connect.
    """
    a = one & -one
    rest = two ^ one if two & a else two
    b = rest & -rest
    return min(a, b), max(a, b)


@njit(**OPTIONS)
def _hadamard_rows(table):
    """Walsh-Hadamard transform along the first axis, in place: row r becomes the sum of all rows k,
    with a minus where k and r have an odd number of bits in common.
    """
    size, lanes = table.shape
    half = 1
    while half < size:
        for start in range(0, size, 2 * half):
            for i in range(start, start + half):
                for lane in range(lanes):
                    a = table[i, lane]
                    b = table[i + half, lane]
                    table[i, lane] = a + b
                    table[i + half, lane] = a - b
        half *= 2


@njit(**OPTIONS)
def _hadamard(numbers):
    """The same for numbers in one line."""
    size = len(numbers)
    half = 1
    while half < size:
        for start in range(0, size, 2 * half):
            for i in range(start, start + half):
                a = numbers[i]
                b = numbers[i + half]
                numbers[i] = a + b
                numbers[i + half] = a - b
        half *= 2


# ------------------------------------------------------------------------------ layers of RY


@njit(**OPTIONS)
def _angle(index, constant, angles):
    return constant if index < 0 else angles[index]


@njit(**OPTIONS)
def _waves(program, step, sign, weights, x, cos, sin):
    """Cosine and sine of half of each angle of a layer, (qubits, lanes)."""
    first, count = program.steps[step, 1], program.steps[step, 2]
    shared = program.steps[step, 0] == SHARED
    rows, lanes = x.shape[0], cos.shape[1]
    for q in range(count):
        index = program.rotations[first + q, 2]
        if shared:
            half = 0.5 * sign * _angle(index, program.rotation_constants[first + q], weights)
            cos[q] = np.cos(half)
            sin[q] = np.sin(half)
        else:
            for row in range(rows):
                c, s = x[row, index, 0], sign * x[row, index, 1]
                for lane in range(row, lanes, rows):
                    cos[q, lane] = c
                    sin[q, lane] = s


@njit(**OPTIONS)
def _rotate(psi, program, first, count, shared, cos, sin):
    """RY on each qubit: two qubits at a time where all rows share the angles."""
    size, lanes = psi.shape
    paired = count - count % 2 if shared else 0
    for q in range(0, paired, 2):
        m1, r1 = program.rotations[first + q, 0], program.rotations[first + q, 1]
        m2, r2 = program.rotations[first + q + 1, 0], program.rotations[first + q + 1, 1]
        low, high = _lowest_bits(m1, m2)
        c1, s1, c2, s2 = cos[q, 0], sin[q, 0], cos[q + 1, 0], sin[q + 1, 0]
        for t in range(size >> 2):
            k, i, j, k_ij = _four(t, low, high, m1, r1, m2, r2)
            for lane in range(lanes):
                a, b, c, d = psi[k, lane], psi[i, lane], psi[j, lane], psi[k_ij, lane]
                a, b = c1 * a - s1 * b, s1 * a + c1 * b
                c, d = c1 * c - s1 * d, s1 * c + c1 * d
                psi[k, lane] = c2 * a - s2 * c
                psi[j, lane] = s2 * a + c2 * c
                psi[i, lane] = c2 * b - s2 * d
                psi[k_ij, lane] = s2 * b + c2 * d
    for q in range(paired, count):
        mask, role = program.rotations[first + q, 0], program.rotations[first + q, 1]
        for t in range(size >> 1):
            k, i = _two(t, mask, role)
            for lane in range(lanes):
                a, b, c, s = psi[k, lane], psi[i, lane], cos[q, lane], sin[q, lane]
                psi[k, lane] = c * a - s * b
                psi[i, lane] = s * a + c * b


@njit(**OPTIONS)
def _flush(partial, sums):
    for lane in range(len(sums)):
        sums[lane] += partial[lane]
        partial[lane] = 0


@njit(**OPTIONS)
def _unrotate(psi, lam, program, first, count, shared, cos, sin, sums):
    """Take RY back on each qubit, on the state and on the gradient by it; ``sums`` (count, lanes)
    takes the gradients by the angles, times two. ``sin`` holds the sines of the angles turned back.
    """
    size, lanes = psi.shape
    g1, g2 = np.zeros(lanes, psi.dtype), np.zeros(lanes, psi.dtype)
    paired = count - count % 2 if shared else 0
    for q in range(0, paired, 2):
        m1, r1 = program.rotations[first + q, 0], program.rotations[first + q, 1]
        m2, r2 = program.rotations[first + q + 1, 0], program.rotations[first + q + 1, 1]
        low, high = _lowest_bits(m1, m2)
        c1, s1, c2, s2 = cos[q, 0], sin[q, 0], cos[q + 1, 0], sin[q + 1, 0]
        for t in range(size >> 2):
            k, i, j, k_ij = _four(t, low, high, m1, r1, m2, r2)
            for lane in range(lanes):
                a, b, c, d = psi[k, lane], psi[i, lane], psi[j, lane], psi[k_ij, lane]
                e, f, g, h = lam[k, lane], lam[i, lane], lam[j, lane], lam[k_ij, lane]
                g1[lane] += f * a - e * b + h * c - g * d
                g2[lane] += g * a - e * c + h * b - f * d
                a, b = c1 * a - s1 * b, s1 * a + c1 * b
                c, d = c1 * c - s1 * d, s1 * c + c1 * d
                e, f = c1 * e - s1 * f, s1 * e + c1 * f
                g, h = c1 * g - s1 * h, s1 * g + c1 * h
                psi[k, lane] = c2 * a - s2 * c
                psi[j, lane] = s2 * a + c2 * c
                psi[i, lane] = c2 * b - s2 * d
                psi[k_ij, lane] = s2 * b + c2 * d
                lam[k, lane] = c2 * e - s2 * g
                lam[j, lane] = s2 * e + c2 * g
                lam[i, lane] = c2 * f - s2 * h
                lam[k_ij, lane] = s2 * f + c2 * h
            if t % FLUSH == 0:
                _flush(g1, sums[q])
                _flush(g2, sums[q + 1])
        _flush(g1, sums[q])
        _flush(g2, sums[q + 1])
    for q in range(paired, count):
        mask, role = program.rotations[first + q, 0], program.rotations[first + q, 1]
        for t in range(size >> 1):
            k, i = _two(t, mask, role)
            for lane in range(lanes):
                a, b, e, f = psi[k, lane], psi[i, lane], lam[k, lane], lam[i, lane]
                c, s = cos[q, lane], sin[q, lane]
                g1[lane] += f * a - e * b
                psi[k, lane] = c * a - s * b
                psi[i, lane] = s * a + c * b
                lam[k, lane] = c * e - s * f
                lam[i, lane] = s * e + c * f
            if t % FLUSH == 0:
                _flush(g1, sums[q])
        _flush(g1, sums[q])


# ---------------------------------------------------------------------- a factor for each state


@njit(**OPTIONS)
def _factors(program, step, weights, begin, angles, factors):
    """The factors (cosine, sine) of a diagonal step for the basis states from ``begin`` on."""
    first, count, signs = program.steps[step, 1], program.steps[step, 2], program.steps[step, 3]
    size = len(angles)
    angles[:] = 0
    for number in range(first, first + count):
        role = program.terms[number, 0]
        value = _angle(program.terms[number, 1], program.term_constants[number], weights)
        odd = _odd(begin & role)
        angles[role & (size - 1)] += (odd - 0.5) * value
    _hadamard(angles)
    for i in range(size):
        sign = 1 if signs < 0 else program.signs[signs, begin + i]
        factors[i, 0] = sign * np.cos(angles[i])
        factors[i, 1] = sign * np.sin(angles[i])


@njit(**OPTIONS)
def _multiply(psi, factors, rows):
    """Each amplitude times its factor."""
    size, lanes = psi.shape
    for k in range(size):
        c, s = factors[k, 0], factors[k, 1]
        if lanes == rows:
            for lane in range(rows):
                psi[k, lane] *= c
        else:
            for lane in range(rows):
                a, b = psi[k, lane], psi[k, rows + lane]
                psi[k, lane] = c * a - s * b
                psi[k, rows + lane] = s * a + c * b


@njit(**OPTIONS)
def _divide(psi, lam, factors, rows, moved):
    """Take the factors back; ``moved[k]`` is the gradient by the angle of factor k."""
    size, lanes = psi.shape
    for k in range(size):
        c, s = factors[k, 0], factors[k, 1]
        if lanes == rows:
            for lane in range(rows):
                psi[k, lane] *= c
                lam[k, lane] *= c
        else:
            total = psi.dtype.type(0)
            for lane in range(rows):
                a, b = psi[k, lane], psi[k, rows + lane]
                e, f = lam[k, lane], lam[k, rows + lane]
                total += f * a - e * b
                psi[k, lane] = c * a + s * b
                psi[k, rows + lane] = c * b - s * a
                lam[k, lane] = c * e + s * f
                lam[k, rows + lane] = c * f - s * e
            moved[k] = total


@njit(**OPTIONS)
def _diagonal(psi, program, step, weights, tables, rows):
    size = psi.shape[0]
    chunk = min(size, 1 << CHUNK_BITS)
    table = program.steps[step, 4]
    own = np.empty((chunk if len(tables) == 0 else 0, 2), psi.dtype)
    angles = np.empty(len(own))
    for begin in range(0, size, chunk):
        if len(tables):
            factors = tables[table, begin : begin + chunk]
        else:
            _factors(program, step, weights, begin, angles, own)
            factors = own
        _multiply(psi[begin : begin + chunk], factors, rows)


@njit(**OPTIONS)
def _undo_diagonal(psi, lam, program, step, weights, tables, rows, to_weights):
    size = psi.shape[0]
    chunk = min(size, 1 << CHUNK_BITS)
    first, count, table = program.steps[step, 1], program.steps[step, 2], program.steps[step, 4]
    own = np.empty((chunk if len(tables) == 0 else 0, 2), psi.dtype)
    angles, moved = np.empty(len(own)), np.zeros(chunk)
    trained = False
    for number in range(first, first + count):
        trained |= program.terms[number, 1] >= 0
    for begin in range(0, size, chunk):
        if len(tables):
            factors = tables[table, begin : begin + chunk]
        else:
            _factors(program, step, weights, begin, angles, own)
            factors = own
        _divide(psi[begin : begin + chunk], lam[begin : begin + chunk], factors, rows, moved)
        if trained:
            _hadamard(moved)
            for number in range(first, first + count):
                role, index = program.terms[number, 0], program.terms[number, 1]
                if index >= 0:
                    odd = _odd(begin & role)
                    to_weights[index] += (odd - 0.5) * moved[role & (chunk - 1)]


# ------------------------------------------------------------------------------ the product state


@njit(**OPTIONS)
def _start_waves(program, op, q, sign, weights, x, cos, sin):
    """Cosine and sine of half the angle of one gate for each row."""
    source, index = program.start[op, 1], program.start_angles[op, q]
    if source == FROM_INPUTS:
        for row in range(len(cos)):
            cos[row] = x[row, index, 0]
            sin[row] = sign * x[row, index, 1]
    else:
        half = 0.5 * _angle(index, program.start_constants[op], weights)
        cos[:] = np.cos(half)
        sin[:] = sign * np.sin(half)


@njit(**OPTIONS)
def _turn(vectors, about_y, cos, sin):
    """RY or RZ by twice the angle of (cos, sin) on vectors (4, rows): real and imaginary part of
    the first entry, then of the second.
    """
    for row in range(len(cos)):
        a, b, d, e = vectors[0, row], vectors[1, row], vectors[2, row], vectors[3, row]
        c, s = cos[row], sin[row]
        if about_y:
            vectors[0, row], vectors[1, row] = c * a - s * d, c * b - s * e
            vectors[2, row], vectors[3, row] = s * a + c * d, s * b + c * e
        else:  # exp(-i angle) on the first entry, exp(i angle) on the second
            vectors[0, row], vectors[1, row] = c * a + s * b, c * b - s * a
            vectors[2, row], vectors[3, row] = c * d - s * e, c * e + s * d


@njit(**OPTIONS)
def _vectors(program, weights, x):
    """The state of each qubit before it meets another, (n, 4, rows)."""
    n, rows = program.start_angles.shape[1], x.shape[0]
    vectors = np.zeros((n, 4, rows))
    vectors[:, 0] = 1
    cos, sin = np.empty(rows), np.empty(rows)
    for op in range(len(program.start)):
        for q in range(n):
            _start_waves(program, op, q, 1.0, weights, x, cos, sin)
            _turn(vectors[q], program.start[op, 0] == 1, cos, sin)
    return vectors


@njit(**OPTIONS)
def _undo_vectors(program, weights, x, vectors, lam, to_weights, to_x):
    """From the gradients by the vectors to those by weights and features."""
    n, rows = program.start_angles.shape[1], x.shape[0]
    cos, sin = np.empty(rows), np.empty(rows)
    for op in range(len(program.start) - 1, -1, -1):
        about_y, source = program.start[op, 0] == 1, program.start[op, 1]
        for q in range(n):
            v, g, index = vectors[q], lam[q], program.start_angles[op, q]
            total = 0.0
            for row in range(rows):
                if about_y:
                    by_angle = g[2, row] * v[0, row] - g[0, row] * v[2, row]
                    by_angle += g[3, row] * v[1, row] - g[1, row] * v[3, row]
                else:
                    by_angle = g[3, row] * v[2, row] - g[2, row] * v[3, row]
                    by_angle -= g[1, row] * v[0, row] - g[0, row] * v[1, row]
                total += by_angle
                if source == FROM_INPUTS:
                    to_x[row, index] += 0.5 * by_angle
            if source == FROM_WEIGHTS:
                to_weights[index] += 0.5 * total
            _start_waves(program, op, q, -1.0, weights, x, cos, sin)
            _turn(v, about_y, cos, sin)
            _turn(g, about_y, cos, sin)


@njit(**OPTIONS)
def _tree(vectors, tree):
    """Kronecker products of the last vectors, of the last two, and so on: those of m vectors stand
    in tree[2**m : 2**(m + 1)]; tree is (2 * 2**len(vectors), 2, rows).
    """
    rows = tree.shape[2]
    tree[1, 0] = 1
    tree[1, 1] = 0
    size = 1
    for q in range(len(vectors) - 1, -1, -1):
        v = vectors[q]
        for bit in range(2):
            for i in range(size):
                old, new = tree[size + i], tree[(2 + bit) * size + i]
                for row in range(rows):
                    a, b = v[2 * bit, row], v[2 * bit + 1, row]
                    new[0, row] = a * old[0, row] - b * old[1, row]
                    new[1, row] = a * old[1, row] + b * old[0, row]
        size *= 2


@njit(**OPTIONS)
def _untree(vectors, tree, grown, lam):
    """Gradients by the vectors, from those by their product in grown[2**m:]; the rest is zero."""
    rows = tree.shape[2]
    size = 1 << len(vectors)
    for q in range(len(vectors)):
        v, g = vectors[q], lam[q]
        size //= 2
        for bit in range(2):
            for i in range(size):
                old, new, down = tree[size + i], grown[(2 + bit) * size + i], grown[size + i]
                for row in range(rows):
                    a, b = v[2 * bit, row], v[2 * bit + 1, row]
                    e, f = new[0, row], new[1, row]
                    g[2 * bit, row] += old[0, row] * e + old[1, row] * f
                    g[2 * bit + 1, row] += old[0, row] * f - old[1, row] * e
                    down[0, row] += a * e + b * f
                    down[1, row] += a * f - b * e


@njit(**OPTIONS)
def _product(psi, left, right):
    """The register as a Kronecker product of its two halves."""
    rows = left.shape[2]
    lanes, m, size = psi.shape[1], left.shape[0], right.shape[0]
    for i in range(m):
        for j in range(size):
            k = i * size + j
            for row in range(rows):
                a, b, c, d = left[i, 0, row], left[i, 1, row], right[j, 0, row], right[j, 1, row]
                psi[k, row] = a * c - b * d
                if lanes > rows:
                    psi[k, rows + row] = a * d + b * c


@njit(**OPTIONS)
def _unproduct(lam, left, right, to_left, to_right):
    rows = left.shape[2]
    lanes, m, size = lam.shape[1], left.shape[0], right.shape[0]
    imaginary = rows if lanes > rows else 0
    on = 1.0 if lanes > rows else 0.0
    for i in range(m):
        for j in range(size):
            k = i * size + j
            for row in range(rows):
                e, f = lam[k, row], on * lam[k, imaginary + row]
                a, b, c, d = left[i, 0, row], left[i, 1, row], right[j, 0, row], right[j, 1, row]
                to_left[i, 0, row] += c * e + d * f
                to_left[i, 1, row] += c * f - d * e
                to_right[j, 0, row] += a * e + b * f
                to_right[j, 1, row] += a * f - b * e


# ------------------------------------------------------------------------------ measurement


@njit(**OPTIONS)
def _measure(psi, program, rows, values):
    """Expectation values (rows, outputs) in float64."""
    size, lanes = psi.shape
    chunk = min(size, 1 << CHUNK_BITS)
    table = np.empty((chunk, rows))
    values[:] = 0
    for begin in range(0, size, chunk):
        for k in range(chunk):
            for row in range(rows):
                a = np.float64(psi[begin + k, row])
                table[k, row] = a * a
            if lanes > rows:
                for row in range(rows):
                    b = np.float64(psi[begin + k, rows + row])
                    table[k, row] += b * b
        _hadamard_rows(table)
        for output in range(len(program.outputs)):
            mask = program.outputs[output]
            sign = 1 - 2 * _odd(begin & mask)
            for row in range(rows):
                values[row, output] += sign * table[mask & (chunk - 1), row]


@njit(**OPTIONS)
def _unmeasure(psi, program, rows, gradient, lam):
    """The gradient by the state."""
    size, lanes = psi.shape
    chunk = min(size, 1 << CHUNK_BITS)
    table = np.empty((chunk, rows))
    for begin in range(0, size, chunk):
        table[:] = 0
        for output in range(len(program.outputs)):
            mask = program.outputs[output]
            sign = 2 - 4 * _odd(begin & mask)
            for row in range(rows):
                table[mask & (chunk - 1), row] += sign * gradient[row, output]
        _hadamard_rows(table)
        for k in range(chunk):
            for row in range(rows):
                lam[begin + k, row] = table[k, row] * psi[begin + k, row]
            if lanes > rows:
                for row in range(rows):
                    lam[begin + k, rows + row] = table[k, row] * psi[begin + k, rows + row]


# ------------------------------------------------------------------------------ whole passes


@njit(**OPTIONS)
def _copy(numbers, psi):
    """As ``psi[:] = numbers``, for which numba would compile its error message too."""
    size, lanes = psi.shape
    for k in range(size):
        for lane in range(lanes):
            psi[k, lane] = numbers[k * lanes + lane]


@njit(**OPTIONS)
def _load(psi, given, rows):
    """A given start state (rows, 2**n, parts) into the register."""
    size, lanes = psi.shape
    parts = given.shape[2]
    for row in range(rows):
        for k in range(size):
            psi[k, row] = given[row, k, 0]
            if lanes > rows:
                psi[k, rows + row] = given[row, k, 1] if parts == 2 else 0


@njit(**OPTIONS)
def _unload(lam, to_given, rows):
    parts = to_given.shape[2]
    for row in range(rows):
        for k in range(lam.shape[0]):
            for part in range(parts):
                to_given[row, k, part] = lam[k, part * rows + row]


@njit(**OPTIONS)
def _halves(program, weights, x):
    """Vectors of the single qubits, and the trees of both halves of the register."""
    vectors = _vectors(program, weights, x)
    n, _, rows = vectors.shape
    m = n // 2
    left, right = np.empty((2 << m, 2, rows)), np.empty((2 << (n - m), 2, rows))
    _tree(vectors[:m], left)
    _tree(vectors[m:], right)
    return vectors, left, right


@njit(**OPTIONS)
def _undo_start(program, weights, x, lam, to_weights, to_x):
    """From the gradient by the product state to those by weights and features."""
    vectors, left, right = _halves(program, weights, x)
    to_left, to_right = np.zeros(left.shape), np.zeros(right.shape)
    a, b, m = len(left) // 2, len(right) // 2, len(vectors) // 2
    _unproduct(lam, left[a:], right[b:], to_left[a:], to_right[b:])
    by_vectors = np.zeros(vectors.shape)
    _untree(vectors[:m], left, to_left, by_vectors[:m])
    _untree(vectors[m:], right, to_right, by_vectors[m:])
    _undo_vectors(program, weights, x, vectors, by_vectors, to_weights, to_x)


@njit(**OPTIONS)
def _collect(program, first, shared, rows, sums, to_weights, to_x):
    """Twice the gradients of a layer of RY, (count, lanes), to weights or features."""
    for q in range(sums.shape[0]):
        index = program.rotations[first + q, 2]
        if index >= 0:
            for lane in range(sums.shape[1]):
                if shared:
                    to_weights[index] += 0.5 * sums[q, lane]
                else:
                    to_x[lane % rows, index] += 0.5 * sums[q, lane]


def _prepare(program, weights, tables, features, scaling, waves):
    """The factors of all diagonal steps, unless they are made on the way, and cosine and sine of
    each feature times ``scaling``, unless the start state is given.
    """
    for row in range(len(waves)):
        for feature in range(waves.shape[1]):
            angle = scaling * features[row, feature]
            waves[row, feature, 0] = np.cos(angle)
            waves[row, feature, 1] = np.sin(angle)
    if len(tables) == 0:
        return
    chunk = min(tables.shape[1], 1 << CHUNK_BITS)
    angles = np.empty(chunk)
    for step in range(len(program.steps)):
        if program.steps[step, 0] == DIAGONAL:
            table = tables[program.steps[step, 4]]
            for begin in range(0, len(table), chunk):
                _factors(program, step, weights, begin, angles, table[begin : begin + chunk])


def _forward(program, batch, parts, width, first, last, values):
    """Rows ``first`` to ``last`` of a batch, in blocks of ``width``; ``values`` (rows of the batch,
    outputs) is written.
    """
    n, n_rows = program.start_angles.shape[1], batch.x.shape[0]
    size = 1 << n
    dtype = batch.states.dtype
    cos, sin = np.empty((n, parts * width), dtype), np.empty((n, parts * width), dtype)
    keeps = len(batch.states) == parts * size * n_rows
    for begin in range(first, last, width):
        end = min(begin + width, last)
        rows, x = end - begin, batch.x[begin:end]
        lanes = parts * rows
        place = begin * parts * size if keeps else 0
        psi = batch.states[place : place + size * lanes].reshape((size, lanes))
        if len(batch.given):
            _load(psi, batch.given[begin:end], rows)
        else:
            _, left, right = _halves(program, batch.weights, x)
            _product(psi, left[len(left) // 2 :], right[len(right) // 2 :])
        for step in range(len(program.steps)):
            at, count = program.steps[step, 1], program.steps[step, 2]
            if program.steps[step, 0] == DIAGONAL:
                _diagonal(psi, program, step, batch.weights, batch.tables, rows)
            else:
                _waves(program, step, 1.0, batch.weights, x, cos[:, :lanes], sin[:, :lanes])
                _rotate(psi, program, at, count, program.steps[step, 0] == SHARED, cos, sin)
        _measure(psi, program, rows, values[begin:end])


def _backward(program, batch, parts, width, first, last, gradient, to_x, to_weights, to_given):
    """Gradients of rows ``first`` to ``last``; ``gradient`` is that of the values.

    Written: ``to_x`` (rows of the batch, features), ``to_given`` like the start states, and
    ``to_weights`` (blocks, weights), a line for each block.
    """
    n = program.start_angles.shape[1]
    size = 1 << n
    dtype = batch.states.dtype
    cos, sin = np.empty((n, parts * width), dtype), np.empty((n, parts * width), dtype)
    scratch = np.empty((2, parts * size * min(width, last - first)), dtype)
    for begin in range(first, last, width):
        end = min(begin + width, last)
        rows, x = end - begin, batch.x[begin:end]
        lanes = parts * rows
        place = begin * parts * size
        of_weights, of_x = to_weights[begin // width], to_x[begin:end]
        psi = scratch[0, : size * lanes].reshape((size, lanes))
        lam = scratch[1, : size * lanes].reshape((size, lanes))
        _copy(batch.states[place : place + size * lanes], psi)
        _unmeasure(psi, program, rows, gradient[begin:end], lam)
        for step in range(len(program.steps) - 1, -1, -1):
            at, count = program.steps[step, 1], program.steps[step, 2]
            if program.steps[step, 0] == DIAGONAL:
                _undo_diagonal(
                    psi, lam, program, step, batch.weights, batch.tables, rows, of_weights
                )
                continue
            shared = program.steps[step, 0] == SHARED
            _waves(program, step, -1.0, batch.weights, x, cos[:, :lanes], sin[:, :lanes])
            sums = np.zeros((count, lanes))
            _unrotate(psi, lam, program, at, count, shared, cos, sin, sums)
            _collect(program, at, shared, rows, sums, of_weights, of_x)
        if len(batch.given):
            _unload(lam, to_given[begin:end], rows)
        else:
            _undo_start(program, batch.weights, x, lam, of_weights, of_x)


@lru_cache(maxsize=2)
def compiled(double: bool):
    """(prepare, forward, backward) as machine code for a register in float64 or float32.

    With a signature given, a call can never start the compiler; what is compiled once is kept in
    ``__pycache__`` (or where ``NUMBA_CACHE_DIR`` says).
    """
    real = nb.float64 if double else nb.float32
    whole, f64 = nb.int64, nb.float64
    program = nb.types.NamedTuple([nb.typeof(a) for a in Program.empty()], Program)
    fields = [f64[:, :, ::1], f64[::1], real[:, :, ::1], real[:, :, ::1], real[::1]]
    head = (program, nb.types.NamedTuple(fields, Batch), whole, whole, whole, whole, f64[:, ::1])
    signatures = {
        _prepare: (program, f64[::1], real[:, :, ::1], f64[:, ::1], f64, f64[:, :, ::1]),
        _forward: head,
        _backward: (*head, f64[:, ::1], f64[:, ::1], real[:, :, ::1]),
    }
    return [_compiled(function, nb.void(*types)) for function, types in signatures.items()]


def _compiled(function, signature):
    """Machine code, from the cache on disk where there is one.

    Where nothing can be written, neither here nor in the home folder, or where the cache is
    damaged, it is made anew in each process: that takes seconds.
    """
    try:
        return njit(signature, cache=True, **OPTIONS)(function)
    except (RuntimeError, OSError, EOFError, ValueError, pickle.UnpicklingError):
        return njit(signature, **OPTIONS)(function)
