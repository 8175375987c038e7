"""Answers to the exercises of notebook 10: right ones, usual wrong ones, what is said to them."""

import numpy as np

from hqnn_utils.evaluation.comparison import verdict


def by_hand(difference, low90, high90, p):
    if p <= 0.05:
        return "supported" if difference > 0 else "refuted"
    return "refuted" if max(-low90, high90) < 0.02 else "undecided"


def loudly(*case):
    return f" {by_hand(*case).upper()}."


def without_p(difference, low, high, p):
    return "refuted" if low > -0.02 and high < 0.02 else "undecided"


A, B = np.array([0.9, 0.91, 0.88, 0.9]), np.array([0.88, 0.9, 0.87, 0.85])
LEVELS = dict(a=A, b=B, both_levels=0.03)
SPREAD = (A - B).std(ddof=1)
TRUE_RATIO = 0.03 / (SPREAD / 2)
IMAGES = dict(detectable=0.05, margin=0.02)

RIGHT = {
    "10.rules": [(verdict, {}), (by_hand, {}), (loudly, {})],
    "10.levels": [
        (TRUE_RATIO, LEVELS),
        (round(TRUE_RATIO, 1), LEVELS),
        (np.float32(TRUE_RATIO), LEVELS),
    ],
    "10.images": [(975, IMAGES), (980, IMAGES), ("975", IMAGES)],
}
WRONG = [
    ("10.rules", ["refuted", "undecided", "refuted"], {}, "expected a function"),
    ("10.rules", lambda d, low, high, p: "supported" if d > 0 else "refuted", {}, "sign alone"),
    ("10.rules", lambda d, *r: by_hand(d, 0, 0, r[2]), {}, "not significant is not refuted"),
    ("10.rules", lambda d, low, high, p: by_hand(d, -1, 1, p), {}, "is a finding, not undecided"),
    ("10.rules", lambda d, low, high, p: by_hand(d, d, d, p), {}, "not the difference alone"),
    (
        "10.rules",
        lambda d, low, high, p: by_hand(d, 0, 0 if low <= 0 <= high else 1, p),
        {},
        "holds zero is not enough",
    ),
    ("10.rules", lambda d, low, high, p: by_hand(d, 0, high, p), {}, "the lower end"),
    (
        "10.rules",
        lambda d, low, high, p: "undecided" if d < 0 and p <= 0.05 else by_hand(d, low, high, p),
        {},
        "significant and behind",
    ),
    ("10.rules", without_p, {}, "judged by its sign first"),
    ("10.rules", lambda d, low, high, p: by_hand(d, low / 10, high / 10, p), {}, "are 0.02"),
    ("10.rules", lambda *case: "yes", {}, "it gives 'yes', expected 'refuted'"),
    ("10.rules", lambda *case: None, {}, "returns nothing"),
    ("10.levels", 1 / TRUE_RATIO, LEVELS, "turned round"),
    ("10.levels", 0.03 / SPREAD, LEVELS, "spread of single runs"),
    (
        "10.levels",
        0.03 / np.sqrt((A.var(ddof=1) + B.var(ddof=1)) / 4),
        LEVELS,
        "the seeds are paired",
    ),
    ("10.levels", 0.03 / ((A - B).std() / 2), LEVELS, "ddof=1"),
    ("10.levels", TRUE_RATIO**2, LEVELS, "ratio of the variances"),
    ("10.levels", SPREAD / 2, LEVELS, "error over seeds"),
    ("10.levels", 0.03, LEVELS, "divide it by"),
    ("10.images", 390, IMAGES, "square the ratio"),
    ("10.images", 6.25, IMAGES, "times 156"),
    ("10.images", 2.5, IMAGES, "how many images does that take"),
    ("10.images", 25, IMAGES, "need more images"),
    ("10.images", 819, IMAGES, "number in all"),
    ("10.images", 4875, IMAGES, "not from all 780"),
    ("10.images", 1100, IMAGES, "1100 is not it"),
]
