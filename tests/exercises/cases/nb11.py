"""Answers to the exercises of notebook 11: right ones, usual wrong ones, what is said to them."""

import numpy as np
import torch
from scipy.ndimage import center_of_mass, distance_transform_edt
from scipy.spatial import KDTree
from sklearn.metrics import roc_auc_score
from torch import nn

MASKS = np.zeros((3, 10, 10), bool)
MASKS[0, :2, :5] = True  # 10 of 100
MASKS[1, :4, :5] = True  # 20 of 100
MASKS[2, 8:, 5:8] = True  # 6 of 100
CHANCE = dict(masks=MASKS)

RNG = np.random.default_rng(5)
LABELS = np.repeat([0, 1], 20)
# Four outputs that say more and more about the class; the third the other way round.
OUTPUTS = torch.tensor(
    RNG.normal(size=(40, 4)) + (2 * LABELS[:, None] - 1) * np.array([0.1, 0.5, -1.2, 0.3]),
    dtype=torch.float32,
)
HEAD = nn.Linear(4, 2)
with torch.no_grad():
    HEAD.weight.copy_(torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.5, 1.0, -0.4, 0.8]]))
    HEAD.bias.zero_()
ALONE = dict(outputs=OUTPUTS, labels=LABELS, train_outputs=OUTPUTS, head=HEAD)
EACH = [roc_auc_score(LABELS, sign * OUTPUTS[:, q]) for q, sign in enumerate((1, 1, -1, 1))]
WHOLE = roc_auc_score(LABELS, (OUTPUTS @ HEAD.weight[1]).detach())
WORST, BEST = int(np.argmin(EACH)), int(np.argmax(EACH))
OTHER = next(q for q in range(4) if q not in (WORST, BEST, BEST + 1))


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


RIGHT = {
    "11.chance": [(0.12, CHANCE), (MASKS.mean(), CHANCE), (12, CHANCE), ("12 %", CHANCE)],
    "11.tolerance": [(by_transform, {}), (by_tree, {})],
    "11.alone": [
        ((BEST, EACH[BEST]), ALONE),
        ([np.int64(BEST), round(EACH[BEST], 3)], ALONE),
        ((float(BEST), torch.tensor(EACH[BEST])), ALONE),
    ],
}
WRONG = [
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
    ("11.alone", BEST, ALONE, "expected two numbers"),
    ("11.alone", (WORST, EACH[WORST]), ALONE, "worst one alone"),
    ("11.alone", (BEST + 1, EACH[BEST]), ALONE, "counted from 0"),
    ("11.alone", (OTHER, EACH[OTHER]), ALONE, "has a higher AUC alone"),
    ("11.alone", (9, EACH[BEST]), ALONE, "0 to 3"),
    ("11.alone", (0.5, EACH[BEST]), ALONE, "number of a qubit"),
    ("11.alone", (BEST, 1 - EACH[BEST]), ALONE, "turned round"),
    ("11.alone", (BEST, WHOLE), ALONE, "AUC of all four"),
    ("11.alone", (BEST, EACH[WORST]), ALONE, "another qubit's AUC"),
    ("11.alone", (BEST, 0.123), ALONE, "0.123 is not it"),
]
