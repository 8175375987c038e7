"""Answers to the exercises of notebook 03: right ones, usual wrong ones, what the hint says."""

import numpy as np
from scipy import stats

FIVE = dict(values=[0.902, 0.911, 0.897, 0.915, 0.906])
CLEAN = dict(
    labels=[0, 1, 0, 1, 1],
    probabilities=[0.2, 0.9, 0.6, 0.5, 0.1],
    keep=[True, True, True, True, False],
)

RIGHT = {
    "03.trainable": [(4098, dict(n_features=2048))],
    "03.seeds": [(stats.sem(FIVE["values"]) * stats.t.ppf(0.975, 4), FIVE)],
    "03.clean": [(0.75, CLEAN)],
}
WRONG = [
    ("03.trainable", 4096, dict(n_features=2048), "biases"),
    ("03.trainable", 2049, dict(n_features=2048), "two classes"),
    ("03.seeds", float(np.std(FIVE["values"], ddof=1)), FIVE, "spread of single runs"),
    ("03.seeds", 1.96 * stats.sem(FIVE["values"]), FIVE, "Student"),
    ("03.clean", 0.5, CLEAN, "on all test images"),
]
