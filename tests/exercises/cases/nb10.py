"""Answers to the exercises of notebook 10: right ones, usual wrong ones, what the hint says."""

import numpy as np

CASES = dict(
    cases=[
        (0.004, -0.011, 0.018, 0.80),
        (0.031, -0.004, 0.066, 0.21),
        (-0.045, -0.060, -0.030, 0.01),
    ]
)
A, B = np.array([0.9, 0.91, 0.88]), np.array([0.88, 0.9, 0.87])
LEVELS = dict(a=A, b=B, both_levels=0.02)
SEEDS = (A - B).std(ddof=1) / np.sqrt(3)
IMAGES = dict(detectable=0.05, margin=0.02)

RIGHT = {
    "10.rules": [
        (["refuted", "undecided", "refuted"], CASES),
        (["Refuted ", "undecided", "refuted"], CASES),
    ],
    "10.levels": [(0.02 / SEEDS, LEVELS)],
    "10.images": [(975, IMAGES)],
}
WRONG = [
    (
        "10.rules",
        ["undecided", "undecided", "refuted"],
        CASES,
        "case 1: not significant; its 90 % interval",
    ),
    ("10.rules", ["refuted", "supported", "refuted"], CASES, "is not inside two points"),
    ("10.rules", ["refuted", "undecided", "supported"], CASES, "sign of the difference"),
    ("10.rules", ["refuted"], CASES, "3 words"),
    ("10.rules", 3, CASES, "expected a list"),
    ("10.levels", SEEDS / 0.02, LEVELS, "turned round"),
    ("10.levels", 0.02 / (A - B).std(ddof=1), LEVELS, "spread of single runs"),
    ("10.images", 390, IMAGES, "square the ratio"),
    ("10.images", 6.25, IMAGES, "times 156"),
]
