"""Answers to the exercises of notebook 09: right ones, usual wrong ones, and what the hint must say."""

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
    "09.chance": [(0.15, dict(masks=MASKS))],
    "09.tolerance": [(by_transform, {})],
    "09.alone": [(0, ALONE), (np.int64(0), ALONE)],
}
WRONG = [
    ("09.chance", 0.5, dict(masks=MASKS), "share of the area"),
    ("09.chance", 0.01, dict(masks=MASKS), "one pixel"),
    ("09.chance", 15, dict(masks=MASKS), "number of pixels"),
    ("09.chance", 0.3, dict(masks=MASKS), "look at the definition"),
    ("09.tolerance", without, {}, "no effect yet"),
    ("09.tolerance", along_rows_and_columns, {}, "straight distance"),
    ("09.tolerance", lambda *a: not by_transform(*a), {}, "turned round"),
    ("09.tolerance", lambda *a: True, {}, "two pixels beside"),
    ("09.tolerance", lambda found: True, {}, "failed: TypeError"),
    ("09.tolerance", 2, {}, "expected a function"),
    ("09.alone", 1, ALONE, "worst one alone"),
    ("09.alone", 2, ALONE, "0 to 1"),
    ("09.alone", 0.5, ALONE, "number of a qubit"),
]
