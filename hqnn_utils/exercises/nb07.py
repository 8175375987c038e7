"""Checks of the exercises in notebook 07."""

from __future__ import annotations

import math

import numpy as np

from hqnn_utils.exercises.exercise import Exercise, Verdict
from hqnn_utils.exercises.grading import OPEN, function, number, paragraph

# ---------------------------------------------------------------- quanvolution


def _images() -> list[tuple]:
    """Small batches of images, no two numbers alike, some of them not square."""
    shapes = [(2, 4, 4), (1, 6, 6), (3, 2, 4), (2, 6, 2)]
    return [(np.arange(math.prod(shape)).reshape(shape) + 0.5,) for shape in shapes]


def _patches_right(images):
    corners = [images[:, row::2, column::2] for row in (0, 1) for column in (0, 1)]
    return np.stack(corners, axis=-1)


def _by_columns(images):
    corners = [images[:, row::2, column::2] for column in (0, 1) for row in (0, 1)]
    return np.stack(corners, axis=-1)


def _corners_first(images):
    return np.moveaxis(_patches_right(images), -1, 1)


def _rows_of_four(images):
    n, height, width = images.shape
    return images.reshape(n, height // 2, width // 2, 4)


def _stride_one(images):
    height, width = images.shape[1] - 1, images.shape[2] - 1
    corners = [images[:, r : r + height, c : c + width] for r in (0, 1) for c in (0, 1)]
    return np.stack(corners, axis=-1)


def _as_squares(images):
    found = _patches_right(images)
    return found.reshape(*found.shape[:3], 2, 2)


def _patches(answer) -> Verdict:
    wrong = [
        (_by_columns, "upper right comes before lower left: go along the rows"),
        (_corners_first, "the four numbers of a patch are the last axis"),
        (_rows_of_four, "reshape alone cuts a row into fours: a patch has two rows"),
        (_stride_one, "the window moves by two pixels, not by one"),
        (_as_squares, "a patch is four numbers in a row, not a 2 x 2 square"),
    ]
    right = "every pixel stands in exactly one patch"
    return function(answer, _patches_right, _images(), right, wrong, names=["images"])


def _runs(answer, *, images, size, window, stride) -> Verdict:
    places = (size - window) // stride + 1
    per_image = places**2
    truth = images * per_image
    wrong = [
        (per_image, "that is one image: there are more"),
        (images * size**2, "at the right and lower edge the window would leave the image"),
        (images * (size // window) ** 2, "that is for a window that moves by two pixels"),
        (images * (places - 1) ** 2, "one place too few: it starts at pixel 0 as well"),
        (4 * truth, "one run gives all four outputs: do not count it four times"),
        (images * places, "the window moves in both directions"),
    ]
    right = f"{places} places in each direction, {per_image} runs an image"
    return number(answer, truth, right, wrong, whole=True)


# ---------------------------------------------------------------- kernels


def _states() -> list[tuple]:
    """Pairs of tables of complex states."""
    random = np.random.default_rng(7)
    pairs = []
    for n, m, size in ((2, 3, 4), (3, 2, 8), (1, 4, 2)):
        tables = [
            random.normal(size=(k, size)) + 1j * random.normal(size=(k, size)) for k in (n, m)
        ]
        pairs.append(tuple(t / np.linalg.norm(t, axis=1, keepdims=True) for t in tables))
    return pairs


def _fidelity_right(a, b):
    return np.abs(a.conj() @ b.T) ** 2


def _not_conjugated(a, b):
    return np.abs(a @ b.T) ** 2


def _not_squared(a, b):
    return np.abs(a.conj() @ b.T)


def _real_part(a, b):
    return (a.conj() @ b.T).real ** 2


def _turned(a, b):
    return _fidelity_right(b, a)


def _complex_square(a, b):
    return (a.conj() @ b.T) ** 2


def _fidelity(answer) -> Verdict:
    wrong = [
        (_not_conjugated, "the bra is conjugated: without it a state is not even equal to itself"),
        (_not_squared, "that is the size of the overlap: a fidelity is its square"),
        (_real_part, "the overlap is complex: take its size, not its real part"),
        (_turned, "rows belong to a, columns to b: shape (N, M)"),
        (_complex_square, "squaring keeps the phase: take the size first"),
    ]
    right = "1 for equal states, 0 for orthogonal ones"
    return function(answer, _fidelity_right, _states(), right, wrong, names=["a", "b"])


def _shots(answer, *, value, relative) -> Verdict:
    truth = (1 - value) / (value * relative**2)
    wrong = [
        (value * (1 - value) / relative**2, "10 % of the value, not 0.1: divide by the value"),
        (1 / relative**2, "that would do if the value were 1/2: a small value needs more"),
        ((1 - value) / (value * relative), "the error falls with the square root: square the 10 %"),
        (1 / (value * relative) ** 2, "the variance of one shot is k (1 - k), not 1"),
        (math.sqrt(truth), "that is the square root: square it"),
        (1 / value, "so many give a single hit on average, and an error of 100 %"),
    ]
    right = f"{truth:,.0f} for one of the many entries; it grows like 1 / k"
    return number(answer, truth, right, wrong)


def _tables() -> list[tuple]:
    """Pairs of positive tables with ones on the diagonal, and a ridge."""
    random = np.random.default_rng(8)
    cases = []
    for n, ridge in ((3, 0.1), (4, 0.01), (5, 0.5)):
        points = random.normal(size=(n, 2))
        squared = ((points[:, None] - points[None]) ** 2).sum(-1)
        cosines = np.prod(np.cos(0.8 * (points[:, None] - points[None])) ** 2, axis=-1)
        cases.append((np.exp(-squared / 2), cosines, ridge))
    return cases


def _root(matrix):
    values, vectors = np.linalg.eigh(matrix)
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T


def _inner(classical, quantum, ridge):
    inverse = np.linalg.inv(classical + ridge * np.eye(len(classical)))
    return _root(quantum) @ inverse @ _root(quantum)


def _geometric_right(classical, quantum, ridge):
    return np.sqrt(np.linalg.norm(_inner(classical, quantum, ridge), ord=2))


def _entries_rooted(classical, quantum, ridge):
    inverse = np.linalg.inv(classical + ridge * np.eye(len(classical)))
    return np.sqrt(np.linalg.norm(np.sqrt(quantum) @ inverse @ np.sqrt(quantum), ord=2))


def _no_outer_root(classical, quantum, ridge):
    return _geometric_right(classical, quantum, ridge) ** 2


def _row_sums(classical, quantum, ridge):
    return np.sqrt(np.linalg.norm(_inner(classical, quantum, ridge), ord=np.inf))


def _all_entries(classical, quantum, ridge):
    return np.sqrt(np.linalg.norm(_inner(classical, quantum, ridge)))


def _exchanged(classical, quantum, ridge):
    return _geometric_right(quantum, classical, ridge)


def _no_ridge(classical, quantum, ridge):
    return _geometric_right(classical, quantum, 0.0)


def _ridge_everywhere(classical, quantum, ridge):
    inverse = np.linalg.inv(classical + ridge)
    return np.sqrt(np.linalg.norm(_root(quantum) @ inverse @ _root(quantum), ord=2))


def _geometric(answer) -> Verdict:
    wrong = [
        (_entries_rooted, "np.sqrt takes the root of each entry: a matrix root is needed"),
        (_no_outer_root, "that is g squared: the root of the eigenvalue is missing"),
        (_row_sums, "ord=np.inf is the largest row sum: the norm is the largest eigenvalue, ord=2"),
        (_all_entries, "without ord=2 the norm adds up all entries"),
        (_exchanged, "the classical table is inverted, not the quantum one"),
        (_no_ridge, "the ridge is missing on the diagonal of the classical table"),
        (_ridge_everywhere, "the ridge belongs on the diagonal: ridge * np.eye(N)"),
    ]
    right = "1 for a kernel and itself, without a ridge"
    names = ["classical", "quantum", "ridge"]
    inputs = _tables()
    return function(answer, _geometric_right, inputs, right, wrong, names=names, tolerance=1e-5)


# ---------------------------------------------------------------- analyses

LINES = {
    1: "line 1 is a list of bandwidths: both sides may have one",
    2: "line 2 uses no labels: a kernel of all images may be computed at once",
    3: "line 3 trains on the training images, as it should",
    5: "line 5 takes the best; the fault is made where the scores come from",
    7: "line 7 scores the classical machine once, as it should",
}


def _wins(answer) -> Verdict:
    """Two line numbers in any order."""
    if answer is ...:
        return OPEN
    try:
        lines = {int(line) for line in answer}
    except (TypeError, ValueError):
        return Verdict(False, "expected a tuple of two line numbers")
    unknown = lines - {1, 2, 3, 4, 5, 6, 7}
    if unknown or len(lines) != 2:
        return Verdict(False, "give two different lines of the seven")
    for line, word in LINES.items():
        if line in lines:
            other = " (the other one is right)" if lines & {4, 6} else ""
            return Verdict(False, word + other)
    return Verdict(True, "five tries on the test images against one untuned RBF kernel")


def _abstract(answer) -> Verdict:
    points = [
        (
            r"(random|classical|other|any)\W+(\w+\W+){0,3}(filter|twin|control|convolution|feature)",
            "say which comparison is missing: another filter, not no filter",
        ),
        (r"interval|156|uncertain|standard error|too few", "say what 156 test images allow"),
        (
            r"seed|lucky|repeat|several (random )?circuits|"
            r"(single|one) (random )?(circuit|draw|run)",
            "say what one random circuit allows",
        ),
        (
            r"81|table|surrogate|product|simulat|exactly",
            "say what you know about the filter: can a classical one compute it?",
        ),
    ]
    return paragraph(answer, points, "every point of the rubric is touched", words=40)


EXERCISES = {
    "07.patches": Exercise(
        _patches,
        "write",
        hints=(
            "All upper left pixels of all patches: images[:, 0::2, 0::2].",
            "Four such slices, one for each corner; the starts are 0 and 1 for rows and columns.",
            "np.stack the four slices along a new last axis, in the order that the task gives.",
        ),
        model=_patches_right,
    ),
    "07.runs": Exercise(
        _runs,
        "read",
        hints=(
            "At how many places can the left edge of the window be?",
            "A window of 2 in 28 pixels starts at pixel 0 at first; where does it start at last?",
            "The number of places in one direction, squared, times the images.",
        ),
    ),
    "07.fidelity": Exercise(
        _fidelity,
        "write",
        hints=(
            "All overlaps at once are one matrix product.",
            "Rows of a against rows of b: b has to be transposed, and a conjugated.",
            "np.abs of that product, squared.",
        ),
        model=_fidelity_right,
    ),
    "07.shots": Exercise(
        _shots,
        "read",
        hints=(
            "Set the standard error equal to 0.1 times k.",
            "Square both sides: k (1 - k) / N = (0.1 k)^2.",
            "Solve for N; one factor k cancels.",
        ),
    ),
    "07.geometric": Exercise(
        _geometric,
        "write",
        hints=(
            "Three pieces: a matrix root of the quantum table, an inverse, a norm.",
            "For the root: np.linalg.eigh, then the roots of the eigenvalues (negative rounding "
            "errors set to 0), put together again. scipy.linalg.sqrtm works too.",
            "np.linalg.norm(..., ord=2) is the largest eigenvalue here; do not forget the last "
            "square root.",
        ),
        model=_geometric_right,
    ),
    "07.wins": Exercise(
        _wins,
        "fault",
        hints=(
            "Ask for each line which images and which labels it uses.",
            "One side is tried with five bandwidths. On which images are the five compared?",
            "The other side is tried once, as it comes out of the box.",
        ),
    ),
    "07.abstract": Exercise(
        _abstract,
        "judge",
        hints=(
            "Which row of the table in section 2 does the abstract report, and which not?",
            "Think of two kinds of luck: that of the test images and that of the random circuit.",
            "Then use what 81 patches told you about the filter.",
        ),
        rubric="Missing: a random classical filter with a nonlinearity and as many numbers (any "
        "filter against none proves nothing about circuits). Two points on 156 images lie inside "
        "the interval; one random circuit is one seed. The filter is exactly a table of 81 "
        "products an output, so 'out of reach' is false. Full marks for all of it, and for "
        "separating 'helps' from 'helps because it is quantum'.",
    ),
}
