"""Answers to the exercises of notebook 11: right ones, usual wrong ones, what the hint says."""

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt
from torch import nn

MASKS = np.zeros((2, 10, 10), bool)
MASKS[0, :2, :5] = True  # 10 of 100
MASKS[1, :4, :5] = True  # 20 of 100
OUTPUTS = torch.tensor([[0.9, 0.1], [0.8, -0.2], [-0.7, 0.3], [-0.9, 0.2]])
HEAD = nn.Linear(2, 2)
with torch.no_grad():
    HEAD.weight.copy_(torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    HEAD.bias.zero_()
ALONE = dict(outputs=OUTPUTS, labels=[1, 1, 0, 0], train_outputs=OUTPUTS, head=HEAD)


def by_transform(found, mask, tolerance):
    return distance_transform_edt(~mask)[np.unravel_index(found.argmax(), found.shape)] <= tolerance


def along_rows_and_columns(found, mask, tolerance):
    row, column = np.unravel_index(found.argmax(), found.shape)
    rows, columns = np.nonzero(mask)
    return (abs(rows - row) + abs(columns - column)).min() <= tolerance


def without(found, mask, tolerance):
    return mask[np.unravel_index(found.argmax(), found.shape)]


RIGHT = {
    "11.chance": [(0.15, dict(masks=MASKS))],
    "11.tolerance": [(by_transform, {})],
    "11.alone": [(0, ALONE), (np.int64(0), ALONE)],
}
WRONG = [
    ("11.chance", 0.5, dict(masks=MASKS), "share of the area"),
    ("11.chance", 0.01, dict(masks=MASKS), "one pixel"),
    ("11.chance", 15, dict(masks=MASKS), "number of pixels"),
    ("11.chance", 0.3, dict(masks=MASKS), "look at the definition"),
    ("11.tolerance", without, {}, "no effect yet"),
    ("11.tolerance", along_rows_and_columns, {}, "straight distance"),
    ("11.tolerance", lambda *a: not by_transform(*a), {}, "turned round"),
    ("11.tolerance", lambda *a: True, {}, "two pixels beside"),
    ("11.tolerance", lambda found: True, {}, "failed: TypeError"),
    ("11.tolerance", 2, {}, "expected a function"),
    ("11.alone", 1, ALONE, "worst one alone"),
    ("11.alone", 2, ALONE, "0 to 1"),
    ("11.alone", 0.5, ALONE, "number of a qubit"),
]
