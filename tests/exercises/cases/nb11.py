"""Answers to the exercises of notebook 11: right ones, usual wrong ones, what is said to them."""

import math

import numpy as np
import torch
from scipy.ndimage import center_of_mass, distance_transform_edt, uniform_filter
from scipy.spatial import KDTree

MASKS = np.zeros((3, 10, 10), bool)
MASKS[0, :2, :5] = True  # 10 of 100
MASKS[1, :4, :5] = True  # 20 of 100
MASKS[2, 8:, 5:8] = True  # 6 of 100
CHANCE = dict(masks=MASKS)


# ---------------------------------------------------------------- an occlusion map


def places(image, window):
    rows, columns = image.shape
    return [(r, c) for r in range(rows - window + 1) for c in range(columns - window + 1)]


def covered(image, place, window, fill):
    inside = np.zeros(image.shape, bool)
    inside[place[0] : place[0] + window, place[1] : place[1] + window] = True
    return inside, np.where(inside, fill, image)


def falls(score, image, window, fill):
    """Each square as a mask, and the fall of the score: another way to write it."""
    pairs = [covered(image, place, window, fill) for place in places(image, window)]
    return np.array([m for m, _ in pairs]), np.array([score(image) - score(x) for _, x in pairs])


def by_masks(score, image, window, fill):
    squares, fall = falls(score, image, window, fill)
    return np.tensordot(fall, squares, 1) / squares.sum(axis=0)


def by_loops(score, image, window, fill):
    found = np.zeros(image.shape)
    for r in range(image.shape[0]):
        for c in range(image.shape[1]):
            mine = []
            for top, left in places(image, window):
                if top <= r < top + window and left <= c < left + window:
                    changed = image.copy()
                    changed[top : top + window, left : left + window] = fill
                    mine.append(score(image) - score(changed))
            found[r, c] = np.mean(mine)
    return found


def not_divided(score, image, window, fill):
    squares, fall = falls(score, image, window, fill)
    return np.tensordot(fall, squares, 1)


def stays_covered(score, image, window, fill):
    total, count, changed = np.zeros(image.shape), np.zeros(image.shape), image.copy()
    for r, c in places(image, window):
        square = (slice(r, r + window), slice(c, c + window))
        changed[square] = fill
        total[square] += score(image) - score(changed)
        count[square] += 1
    return total / count


def last_one_missing(score, image, window, fill):
    total, count = np.zeros(image.shape), np.zeros(image.shape)
    for r in range(image.shape[0] - window):
        for c in range(image.shape[1] - window):
            inside, x = covered(image, (r, c), window, fill)
            total[inside] += score(image) - score(x)
            count[inside] += 1
    return total / np.maximum(count, 1)


def in_place(score, image, window, fill):
    image[:window, :window] = fill
    return image


# ---------------------------------------------------------------- a near miss


def peak_of(found):
    return np.unravel_index(found.argmax(), found.shape)


def by_transform(found, mask, tolerance):
    return distance_transform_edt(~mask)[peak_of(found)] <= tolerance


def by_tree(found, mask, tolerance):
    distance, _ = KDTree(np.argwhere(mask)).query(peak_of(found))
    return bool(distance <= tolerance)


def steps(found, mask):
    row, column = peak_of(found)
    rows, columns = np.nonzero(mask)
    return abs(rows - row), abs(columns - column)


def to_the_centre(found, mask, tolerance):
    return np.hypot(*np.subtract(center_of_mass(mask), peak_of(found))) <= tolerance


# ---------------------------------------------------------------- a Bloch vector

PAULI = (
    np.array([[0, 1], [1, 0]]),
    np.array([[0, -1j], [1j, 0]]),
    np.array([[1, 0], [0, -1]]),
)


def by_kronecker(state, qubit):
    n = int(np.log2(len(state)))
    found = []
    for pauli in PAULI:
        whole = np.kron(np.kron(np.eye(2**qubit), pauli), np.eye(2 ** (n - 1 - qubit)))
        found.append((state.conj() @ whole @ state).real)
    return found


def by_density(state, qubit):
    n = int(np.log2(len(state)))
    both = np.moveaxis(state.reshape([2] * n), qubit, 0).reshape(2, -1)
    rho = both @ both.conj().T
    return np.array([2 * rho[1, 0].real, 2 * rho[1, 0].imag, (rho[0, 0] - rho[1, 1]).real])


def other_end(state, qubit):
    return by_density(state, int(np.log2(len(state))) - 1 - qubit)


def without_conjugate(state, qubit):
    n = int(np.log2(len(state)))
    a, b = np.moveaxis(state.reshape([2] * n), qubit, 0).reshape(2, -1)
    z = (abs(a) ** 2).sum() - (abs(b) ** 2).sum()
    return np.array([2 * (a * b).sum().real, 2 * (a * b).sum().imag, z])


def unit(state, qubit):
    found = by_density(state, qubit)
    return found / np.linalg.norm(found)


# ---------------------------------------------------------------- one qubit alone


def by_where(outputs, mean, qubit):
    return torch.where(torch.arange(outputs.shape[1]) == qubit, outputs, mean)


def by_numpy(outputs, mean, qubit):
    found = np.tile(np.asarray(mean), (len(outputs), 1))
    found[:, qubit] = np.asarray(outputs)[:, qubit]
    return found


def taken_away(outputs, mean, qubit):
    found = outputs.clone()
    found[:, qubit] = mean[qubit]
    return found


# ---------------------------------------------------------------- a conformal threshold


def scores_of(y, p):
    return np.where(np.asarray(y) == 1, 1 - p, p)


def at_place(scores, k):
    return np.sort(scores)[k - 1] if k <= len(scores) else 1.0


def by_sorting(y, p, alpha):
    true = np.array([p_i if y_i else 1 - p_i for y_i, p_i in zip(y, p, strict=True)])
    k = math.ceil((len(y) + 1) * (1 - alpha))
    return at_place(1 - true, k)


def by_inverted_cdf(y, p, alpha):
    n = len(y)
    share = np.ceil((n + 1) * (1 - alpha)) / n
    if share > 1:
        return 1.0
    return np.quantile(scores_of(y, p), share, method="inverted_cdf")


def numpys_higher(y, p, alpha):
    n = len(y)
    share = np.ceil((n + 1) * (1 - alpha)) / n
    return 1.0 if share > 1 else np.quantile(scores_of(y, p), share, method="higher")


GOOD_REPORT = (
    "The map was tested on phantoms with known lesions and beat neither the darkest place nor the "
    "centre; on real images there is no mask, so it cannot show that the model looked at the "
    "lesion. The 95 per cent were checked by coverage on held-out validation images of the same "
    "kind, separately for malignant ones, with an interval. For another device or hospital this "
    "promise does not hold, and images with both answers go to a radiologist."
)
OTHER_REPORT = (
    "I would not print the map: with randomised weights it kept part of its shape, and nobody has "
    "measured it on patients. The probability is calibrated on 78 validation images, which says "
    "nothing about a clinic where the prevalence differs. What the numbers do not tell is why the "
    "model decided so. I would print the set of answers instead, and refer every image with both "
    "classes to a human reader before anything else is done with it."
)

RIGHT = {
    "11.occlusion": [(by_masks, {}), (by_loops, {})],
    "11.chance": [(0.12, CHANCE), (MASKS.mean(), CHANCE), (12, CHANCE), ("12 %", CHANCE)],
    "11.tolerance": [(by_transform, {}), (by_tree, {})],
    "11.bloch": [(by_kronecker, {}), (by_density, {})],
    "11.alone": [(by_where, {}), (by_numpy, {})],
    "11.conformal": [(by_sorting, {}), (by_inverted_cdf, {})],
    "11.published": [((11, 13, "B"), {}), ([11.0, "13", "b"], {})],
    "11.report": [(GOOD_REPORT, {}), (OTHER_REPORT, {})],
}
WRONG = [
    ("11.occlusion", lambda *a: -by_masks(*a), {}, "turned round"),
    ("11.occlusion", not_divided, {}, "number of squares"),
    ("11.occlusion", stays_covered, {}, "fresh copy"),
    ("11.occlusion", last_one_missing, {}, "last position"),
    ("11.occlusion", lambda s, x, w, f: s(x) - by_masks(s, x, w, f), {}, "how far did it fall"),
    ("11.occlusion", in_place, {}, "work on a copy"),
    ("11.occlusion", lambda s, x, w, f: uniform_filter(x, w), {}, "expected"),
    ("11.chance", 0.5, CHANCE, "share of the area"),
    ("11.chance", 0.01, CHANCE, "one pixel"),
    ("11.chance", 0.88, CHANCE, "chance of a miss"),
    ("11.chance", 12 / 88, CHANCE, "lesion included"),
    ("11.chance", 0.26, CHANCE, "any lesion covers"),
    ("11.chance", 0.346, CHANCE, "that is a length"),
    ("11.chance", 0.2, CHANCE, "look at the definition"),
    ("11.tolerance", lambda found, mask, t: mask[peak_of(found)], {}, "no effect yet"),
    ("11.tolerance", lambda f, m, t: sum(steps(f, m)).min() <= t, {}, "along rows and columns"),
    ("11.tolerance", lambda f, m, t: np.maximum(*steps(f, m)).min() <= t, {}, "larger of rows"),
    ("11.tolerance", lambda *a: not by_transform(*a), {}, "turned round"),
    ("11.tolerance", lambda f, m, t: np.hypot(*steps(f, m)).min() < t, {}, "equal to it counts"),
    ("11.tolerance", to_the_centre, {}, "not to its centre"),
    ("11.tolerance", lambda f, m, t: by_transform(f, ~m, t), {}, "invert the mask"),
    ("11.tolerance", lambda f, m, t: np.hypot(*steps(f, m)).min(), {}, "compare it with"),
    ("11.tolerance", lambda *a: True, {}, "far from the lesion"),
    ("11.tolerance", lambda found: True, {}, "it stops: TypeError"),
    ("11.tolerance", 2, {}, "expected a function"),
    ("11.bloch", other_end, {}, "first axis"),
    ("11.bloch", without_conjugate, {}, "must be conjugated"),
    ("11.bloch", lambda s, q: by_density(s, q) * [0.5, 0.5, 1], {}, "factor of two"),
    ("11.bloch", unit, {}, "do not normalise"),
    ("11.bloch", lambda s, q: by_density(s, q) * [1, -1, 1], {}, "Y has the wrong sign"),
    ("11.bloch", lambda s, q: by_density(s, q) * [1, 1, -1], {}, "Z has the wrong sign"),
    ("11.alone", taken_away, {}, "takes the qubit away"),
    ("11.alone", lambda o, m, q: by_where(o, 0 * m, q), {}, "no neutral value"),
    ("11.alone", lambda o, m, q: by_where(o, o.mean(dim=0), q), {}, "not of the images you test"),
    ("11.alone", lambda o, m, q: o[:, q], {}, "same shape"),
    ("11.alone", lambda o, m, q: o * 1, {}, "nothing is replaced"),
    (
        "11.conformal",
        lambda y, p, a: at_place(scores_of(y, p), math.ceil(len(y) * (1 - a))),
        {},
        "one of n + 1",
    ),
    ("11.conformal", lambda y, p, a: np.quantile(scores_of(y, p), 1 - a), {}, "between two scores"),
    ("11.conformal", numpys_higher, {}, "one place too high"),
    (
        "11.conformal",
        lambda y, p, a: at_place(1 - p, math.ceil((len(y) + 1) * (1 - a))),
        {},
        "*true* class",
    ),
    (
        "11.conformal",
        lambda y, p, a: at_place(1 - scores_of(y, p), math.ceil((len(y) + 1) * (1 - a))),
        {},
        "probability of the true class",
    ),
    (
        "11.conformal",
        lambda y, p, a: at_place(scores_of(y, p), math.ceil((len(y) + 1) * a)),
        {},
        "turned round",
    ),
    ("11.published", (43, 41, "B"), {}, "did it miss"),
    ("11.published", (12, 13, "B"), {}, "false alarms"),
    ("11.published", (23, 19, "B"), {}, "all errors"),
    ("11.published", (11, 6, "B"), {}, "false alarms"),
    ("11.published", (11, 13, "A"), {}, "one size"),
    ("11.published", (11, 13, "C"), {}, "compute it"),
    ("11.published", (11, 13, "D"), {}, "precision rose"),
    ("11.published", "B", {}, "three things"),
    ("11.report", "calibrated mask patient does not show " * 3, {}, "argue in"),
    (
        "11.report",
        "The map is red on the lesion and the model is 95 per cent sure, so the doctor can see at "
        "once what it saw. Coverage was measured on validation images. It does not hold for other "
        "hospitals, and a radiologist should look at everything again before a report leaves the "
        "house, as is the custom in every clinic of this country anyway.",
        {},
        "could have failed",
    ),
    (
        "11.report",
        "The map was tested with random weights and lost its shape, which is good, and on phantoms "
        "it found the lesion. It cannot show the cause of a decision. The model is 95 per cent "
        "sure of this patient, and a network that is so sure has seen many such images before, so "
        "that the radiologist may well rely on it in this hospital and in others.",
        {},
        "honest",
    ),
    (
        "11.report",
        "The map was tested on phantoms with a mask, and the confidence is calibrated on "
        "validation images, so both can be printed beside the picture. The radiologist then sees "
        "where the tumour lies and how sure the machine is. Both pictures help every patient in "
        "each hospital, and they make the report easier to read and quicker to write for all of "
        "us.",
        {},
        "do not show",
    ),
    (
        "11.report",
        "The map passed a sanity check with random weights and a pointing game with known lesions, "
        "yet it does not show why the model decided. The 95 per cent come from a calibration on "
        "validation images that the network had not learned from, with an interval of some "
        "points, and that is all that has been measured about it so far in this small study of "
        "ours.",
        {},
        "real patients",
    ),
]
