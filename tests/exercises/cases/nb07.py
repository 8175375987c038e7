"""Answers to the exercises of notebook 07: right ones, usual wrong ones, what is said to them."""

import numpy as np

from hqnn_utils.exercises import nb07

RUNS = dict(images=156, size=28, window=2, stride=1)
SHOTS = dict(value=0.02, relative=0.1)
GOOD = (
    "It compares with no filter at all; a random classical filter with a nonlinearity and the same "
    "size is missing. The difference lies inside the interval that 156 images allow, and a single "
    "random circuit may be a lucky seed. Besides, the filter is a table of 81 products, so that a "
    "classical convolution computes it exactly."
)
NO_CONTROL = (
    "Two points on 156 test images lie inside the interval, and one random circuit may be a lucky "
    "seed, so nothing is shown. The filter itself is a table of 81 numbers an output, "
    "and everybody can compute this table on a laptop within a second or less."
)
NO_INTERVAL = (
    "A random classical filter with as many numbers is missing beside it, and several seeds too. "
    "The filter is a table of 81 products for each output, so nothing about it is out of reach "
    "of a classical machine, whatever the abstract says about quantum circuits and their power."
)
NO_SEED = (
    "A random classical filter with as many numbers is missing beside it. Two points lie inside "
    "the interval that so few test images allow. The filter is a table of 81 products, "
    "so that nothing about it is out of reach of a classical machine, whatever is said."
)
NO_TABLE = (
    "A random classical filter with as many numbers is missing beside it. Two points lie inside "
    "the interval that so few test images allow, and one random circuit may be a lucky seed, "
    "which is why several of them should be tried before anything at all is said."
)


def patches_by_reshape(images):
    n, height, width = images.shape
    cut = images.reshape(n, height // 2, 2, width // 2, 2)
    return cut.transpose(0, 1, 3, 2, 4).reshape(n, height // 2, width // 2, 4)


def patches_by_loops(images):
    n, height, width = images.shape
    found = np.zeros((n, height // 2, width // 2, 4))
    for i in range(height // 2):
        for j in range(width // 2):
            found[:, i, j] = images[:, 2 * i : 2 * i + 2, 2 * j : 2 * j + 2].reshape(n, 4)
    return found


def fidelity_by_einsum(a, b):
    overlap = np.einsum("id,jd->ij", np.conj(a), b)
    return overlap.real**2 + overlap.imag**2


def geometric_by_sqrtm(classical, quantum, ridge):
    from scipy.linalg import sqrtm

    root = np.real(sqrtm(quantum))
    inverse = np.linalg.inv(classical + ridge * np.eye(len(quantum)))
    return np.sqrt(np.linalg.eigvalsh(root @ inverse @ root).max())


def geometric_by_eigenvalues(classical, quantum, ridge):
    solved = np.linalg.solve(classical + ridge * np.eye(len(quantum)), quantum)
    return np.sqrt(np.linalg.eigvals(solved).real.max())


RIGHT = {
    "07.patches": [(patches_by_reshape, {}), (patches_by_loops, {}), (nb07._patches_right, {})],
    "07.runs": [(113724, RUNS), (156 * 27**2, RUNS), ("113724", RUNS)],
    "07.fidelity": [(fidelity_by_einsum, {}), (nb07._fidelity_right, {})],
    "07.shots": [(4900, SHOTS), (4900.0001, SHOTS)],
    "07.geometric": [(geometric_by_sqrtm, {}), (geometric_by_eigenvalues, {})],
    "07.wins": [((4, 6), {}), ([6, 4], {}), ({4, 6}, {})],
    "07.abstract": [(GOOD, {}), (GOOD.upper(), {})],
}
WRONG = [
    ("07.patches", nb07._by_columns, {}, "along the rows"),
    ("07.patches", nb07._corners_first, {}, "last axis"),
    ("07.patches", nb07._rows_of_four, {}, "reshape alone"),
    ("07.patches", nb07._stride_one, {}, "two pixels"),
    ("07.patches", nb07._as_squares, {}, "four numbers in a row"),
    ("07.runs", 729, RUNS, "one image"),
    ("07.runs", 122304, RUNS, "leave the image"),
    ("07.runs", 30576, RUNS, "moves by two"),
    ("07.runs", 105456, RUNS, "too few"),
    ("07.runs", 454896, RUNS, "all four outputs"),
    ("07.fidelity", nb07._not_conjugated, {}, "conjugated"),
    ("07.fidelity", nb07._not_squared, {}, "its square"),
    ("07.fidelity", nb07._real_part, {}, "real part"),
    ("07.fidelity", nb07._turned, {}, "columns to b"),
    ("07.fidelity", nb07._complex_square, {}, "keeps the phase"),
    ("07.shots", 1.96, SHOTS, "divide by the value"),
    ("07.shots", 100, SHOTS, "needs more"),
    ("07.shots", 490, SHOTS, "square the 10 %"),
    ("07.shots", 250000, SHOTS, "not 1"),
    ("07.shots", 70, SHOTS, "square it"),
    ("07.geometric", nb07._entries_rooted, {}, "each entry"),
    ("07.geometric", nb07._no_outer_root, {}, "g squared"),
    ("07.geometric", nb07._row_sums, {}, "row sum"),
    ("07.geometric", nb07._all_entries, {}, "all entries"),
    ("07.geometric", nb07._exchanged, {}, "not the quantum one"),
    ("07.geometric", nb07._no_ridge, {}, "ridge is missing"),
    ("07.geometric", nb07._ridge_everywhere, {}, "on the diagonal"),
    ("07.wins", (4, 5), {}, "takes the best"),
    ("07.wins", (2, 4), {}, "no labels"),
    ("07.wins", (3, 6), {}, "trains on the training images"),
    ("07.wins", (4, 7), {}, "once"),
    ("07.wins", 4, {}, "two line numbers"),
    ("07.wins", (4, 4), {}, "two different"),
    ("07.abstract", NO_CONTROL, {}, "which comparison"),
    ("07.abstract", NO_INTERVAL, {}, "156"),
    ("07.abstract", NO_SEED, {}, "one random circuit"),
    ("07.abstract", NO_TABLE, {}, "about the filter"),
    ("07.abstract", "A random classical filter is missing.", {}, "words"),
]
