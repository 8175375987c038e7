"""Answers to the exercises of notebook 01: right ones, usual wrong ones, what the hint says."""

import numpy as np
import pandas as pd
from scipy.stats import pearsonr

RAW = dict(confusion=dict(tn=9, fp=12, fn=3, tp=54))
PAIRS = dict(
    pairs=pd.DataFrame(
        {
            "across": [True, True, True, False, False, True, False],
            "opposite": [True, True, False, True, False, False, True],
        }
    )
)
# 10 images with a near-duplicate (2 malignant), 10 clean ones (4 malignant); what memory answers
LABELS = np.array([1, 1, *[0] * 8, *[1] * 4, *[0] * 6])
ANSWERS = np.array([1, *[0] * 9, 1, *[0] * 8, 1])
MEMORY = dict(labels=LABELS, answers=ANSWERS, clean=np.arange(20) >= 10)
GAIN = (1 / 2 + 1) / 2 - (1 / 4 + 5 / 6) / 2  # balanced accuracies
ACCURACY_GAIN = 9 / 10 - 6 / 10


def majority(train, test):
    common = np.bincount(train).argmax()
    return (test == common).sum() / len(test)


def majority_by_hand(train, test):
    ones = sum(1 for label in train if label == 1)
    answer = 1 if ones > len(train) - ones else 0
    return sum(1 for label in test if label == answer) / len(test)


def ncc(a, b):
    x, y = (a - a.mean()) / a.std(), (b - b.mean()) / b.std()
    return (x * y).mean()


def leak(origin, part):
    elsewhere = {o for o, p in zip(origin, part, strict=True) if p != "test"}
    tested = [o for o, p in zip(origin, part, strict=True) if p == "test"]
    return sum(o in elsewhere for o in tested) / len(tested)


def frame(size, width):
    inside = np.zeros((size - 2 * width, size - 2 * width), bool)
    return np.pad(inside, width, constant_values=True)


def frame_by_sides(size, width):
    found = np.zeros((size, size), bool)
    found[:width] = found[-width:] = True
    found[:, :width] = found[:, -width:] = True
    return found


STATEMENT = """
Official split of BreastMNIST, 224 pixels. Positive means malignant, 27 % of the test images, so the
majority baseline reaches 73 % and we report balanced accuracy and AUC. Scores are given on all
test images and on those without a near-duplicate elsewhere. Calipers and words are burned into
many images; we masked them and scored again. Patients are not known.
"""
GROUPED = """
We made a new split that keeps copies of one view together, since twins on both sides reward memory.
Malignant is label 1. A classifier that ignores the image has a balanced accuracy of one half.
The images carry annotations such as rulers, which we painted over in a second test. Whether one
woman gave several images is unknown, so our groups are made by looks alone.
"""


def without(text, *words):
    """The text without its sentences that hold one of the words."""
    sentences = text.replace("\n", " ").split(". ")
    kept = [s for s in sentences if not any(word in s for word in words)]
    padding = "Nothing else is said here about how the work was done, and that is a pity"
    return ". ".join([*kept, padding, padding, padding])


RIGHT = {
    "01.polarity": [(9 / 21, RAW), (0.43, RAW), (42.9, RAW), (43, RAW), ("0.429", RAW)],
    "01.majority": [(majority, {}), (majority_by_hand, {})],
    "01.ncc": [
        (ncc, {}),
        (lambda a, b: np.corrcoef(a.ravel(), b.ravel())[0, 1], {}),
        (lambda a, b: pearsonr(a.ravel(), b.ravel()).statistic, {}),
    ],
    "01.opposite": [(2, PAIRS), (2.0, PAIRS), (np.int64(2), PAIRS)],
    "01.memory": [
        (("class mix", GAIN), MEMORY),
        (["Class mix.", 0.21], MEMORY),
        (("class mix", 20.8), MEMORY),
        (("class mix", 21), MEMORY),
    ],
    "01.leak": [(leak, {}), (lambda o, p: np.isin(o[p == "test"], o[p != "test"]).mean(), {})],
    "01.frame": [(frame, {}), (frame_by_sides, {})],
    "01.statement": [(STATEMENT, {}), (GROUPED, {})],
}

WRONG = [
    ("01.polarity", 54 / 57, RAW, "malignant is 0"),
    ("01.polarity", 12 / 21, RAW, "missed"),
    ("01.polarity", 75, RAW, "called malignant"),
    ("01.polarity", 63 / 78, RAW, "accuracy"),
    ("01.polarity", 9, RAW, "divide"),
    ("01.majority", lambda train, test: max(np.mean(test), 1 - np.mean(test)), {}, "test labels"),
    ("01.majority", lambda train, test: max(np.mean(train), 1 - np.mean(train)), {}, "scored on"),
    ("01.majority", lambda train, test: np.mean(test == 0), {}, "always answers 0"),
    ("01.majority", lambda train, test: test.mean(), {}, "share of ones"),
    ("01.majority", lambda train, test: int(train.mean() > 0.5), {}, "the class"),
    ("01.majority", lambda train, test: 100 * majority(train, test), {}, "per cent"),
    ("01.majority", lambda train, test: np.sum(test == round(train.mean())), {}, "divide"),
    ("01.majority", 0.73, {}, "expected a function"),
    (
        "01.ncc",
        lambda a, b: (a * 1.0 * b).sum() / np.sqrt((a * 1.0 * a).sum() * (b * 1.0 * b).sum()),
        {},
        "brighter copy",
    ),
    ("01.ncc", lambda a, b: np.cov(a.ravel(), b.ravel(), bias=True)[0, 1], {}, "covariance"),
    ("01.ncc", lambda a, b: ((a - a.mean()) * (b - b.mean())).sum(), {}, "not divided"),
    ("01.ncc", lambda a, b: abs(ncc(a, b)), {}, "sign"),
    ("01.ncc", lambda a, b: ncc(a, b) ** 2, {}, "square"),
    ("01.ncc", lambda a, b: ncc(a, b) * a.size, {}, "number of pixels"),
    (
        "01.ncc",
        lambda a, b: ncc(a, b) / (a.size * a.std() * b.std()),
        {},
        "square root",
    ),
    ("01.ncc", lambda a, b: np.corrcoef(a.ravel(), b.ravel()), {}, "expected"),
    ("01.opposite", 4, PAIRS, "'across'"),
    (
        "01.opposite",
        4 + 0,
        dict(pairs=PAIRS["pairs"].assign(opposite=[True] * 2 + [False] * 5)),
        "'opposite'",
    ),
    ("01.opposite", 7, PAIRS, "all pairs"),
    ("01.opposite", 6, PAIRS, "OR"),
    ("01.memory", ("class mix", ACCURACY_GAIN), MEMORY, "cannot be compared"),
    ("01.memory", ("class mix", 30), MEMORY, "cannot be compared"),
    ("01.memory", ("class mix", -GAIN), MEMORY, "other way round"),
    ("01.memory", ("class mix", 0.1), MEMORY, "above the majority"),
    ("01.memory", ("class mix", 0.75), MEMORY, "itself"),
    ("01.memory", ("overfitting", GAIN), MEMORY, "training images only"),
    ("01.memory", ("threshold", GAIN), MEMORY, "no threshold"),
    ("01.memory", ("luck", GAIN), MEMORY, "none of the words"),
    ("01.memory", "class mix", MEMORY, "two things"),
    ("01.memory", GAIN, MEMORY, "two things"),
    ("01.leak", lambda o, p: 1 - leak(o, p), {}, "without a sibling"),
    ("01.leak", lambda o, p: np.isin(o[p == "test"], o[p == "train"]).mean(), {}, "validation"),
    ("01.leak", lambda o, p: np.isin(o[p == "test"], o[p != "test"]).sum(), {}, "divide"),
    ("01.leak", lambda o, p: leak(o, p) * np.mean(p == "test"), {}, "all files"),
    ("01.leak", lambda o, p: np.isin(o[p != "test"], o[p == "test"]).mean(), {}, "other way round"),
    ("01.leak", lambda o, p: np.mean([list(o).count(i) > 1 for i in o[p == "test"]]), {}, "inside"),
    ("01.leak", lambda o, p: 100 * leak(o, p), {}, "per cent"),
    ("01.frame", lambda size, width: ~frame(size, width), {}, "inside"),
    (
        "01.frame",
        lambda size, width: np.array(
            [
                [min(i, j, size - 1 - i, size - 1 - j) <= width for i in range(size)]
                for j in range(size)
            ]
        ),
        {},
        "too wide",
    ),
    ("01.frame", lambda size, width: frame(size, 1), {}, "always one pixel"),
    (
        "01.frame",
        lambda size, width: (
            np.isin(np.arange(size), [*range(width), *range(size - width, size)])[:, None]
            & np.ones((1, size), bool)
        ),
        {},
        "top and bottom",
    ),
    (
        "01.frame",
        lambda size, width: np.add.outer(np.arange(size) < width, np.arange(size) < width),
        {},
        "top and left",
    ),
    ("01.frame", lambda size, width: np.argwhere(frame(size, width)), {}, "places"),
    ("01.statement", "BreastMNIST at 224 pixels.", {}, "words"),
    ("01.statement", without(STATEMENT, "malignant", "majority"), {}, "class is positive"),
    ("01.statement", without(STATEMENT, "near-duplicate"), {}, "near-duplicates"),
    ("01.statement", without(STATEMENT, "Calipers"), {}, "marks"),
    ("01.statement", without(STATEMENT, "Patients"), {}, "patients"),
    ("01.statement", 0.73, {}, "expected a text"),
]
