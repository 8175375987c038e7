"""Answers to the exercises of notebook 10: right ones, usual wrong ones, what is said to them."""

import numpy as np
from sklearn.metrics import roc_auc_score

from hqnn_utils.exercises.nb10 import corrected_error, resampled_gap

# ---------------------------------------------------------------- one resample


def with_sklearn(y, p_a, p_b, seeds, images):
    def auc(p, s):
        return roc_auc_score(y[images], p[s][images])

    return np.mean([auc(p_a, s) - auc(p_b, s) for s in seeds])


def two_means(y, p_a, p_b, seeds, images):
    mean = {}
    for name, p in (("a", p_a), ("b", p_b)):
        mean[name] = sum(roc_auc_score(y[images], p[s, images]) for s in seeds) / len(seeds)
    return mean["a"] - mean["b"]


def averaged(y, p_a, p_b, seeds, images):
    a, b = p_a[seeds].mean(0)[images], p_b[seeds].mean(0)[images]
    return roc_auc_score(y[images], a) - roc_auc_score(y[images], b)


def accuracy(y, p_a, p_b, seeds, images):
    a, b = (p[seeds][:, images] >= 0.5 for p in (p_a, p_b))
    return (a == y[images]).mean() - (b == y[images]).mean()


# ---------------------------------------------------------------- the corrected error


def step_by_step(gaps, test_to_train):
    n, mean = len(gaps), sum(gaps) / len(gaps)
    variance = sum((g - mean) ** 2 for g in gaps) / (n - 1)
    return (variance / n + variance * test_to_train) ** 0.5


# ---------------------------------------------------------------- the rules

WORDS = ("supported", "equivalent within two points", "at least two points excluded", "undecided")


def by_hand(lower, upper, p_holm):
    if lower > -0.02 and upper < 0.02:
        return WORDS[1]
    if upper < 0.02:
        return WORDS[2]
    return WORDS[0] if p_holm <= 0.05 else WORDS[3]


def in_short(lower, upper, p_holm):
    if max(-lower, upper) < 0.02:
        return " Equivalent."
    if upper < 0.02:
        return "excluded"
    return "SUPPORTED" if p_holm <= 0.05 else "undecided"


# ---------------------------------------------------------------- numbers

A, B = np.array([0.9, 0.91, 0.88, 0.9]), np.array([0.88, 0.9, 0.87, 0.85])
LEVELS = dict(a=A, b=B, both_levels=0.03)
SPREAD = (A - B).std(ddof=1)
TRUE_RATIO = 0.03 / (SPREAD / 2)

# Originals a to f. Tested: a (known), b twice (known), c (its copy is in validation), d (unknown).
IDS = [
    "orig_a",
    "aug0_a",
    "orig_b",
    "aug1_b",
    "aug2_b",
    "orig_c",
    "aug3_c",
    "orig_d",
    "orig_e",
    "aug4_e",
    "orig_f",
]
PARTS = ["test", "train", "train", "test", "test", "test", "val", "test", "train", "train", "train"]
FOLDER = dict(ids=np.array(IDS), split=np.array(PARTS))

# ---------------------------------------------------------------- the paragraph

GOOD = (
    "The controls did not learn in some runs, so their interval is enormous. I would give every "
    "head the same larger search over learning rates, choose restarts on validation images, write "
    "that down before the runs, and then ask whether the upper bound lies below two points."
)
GOOD_TOO = (
    "Because mixing and mlp collapsed in a few seeds, the error is dominated by failed training. "
    "Plan first: a smaller rate at which no head fails on inner splits, used for all heads alike. "
    "If the bounds then lie inside the margin, the row is equivalent, and the old verdict stays."
)

PLAIN = (
    "In twenty runs the mixing head has not learned at all. These runs make the spread between "
    "folds enormous. Each head should be allowed to begin again when its training loss is no "
    "better than that of a constant, dressed as well. I would commit this rule before any test "
    "score exists. Once the upper bound is under two points, the gain is excluded; no failed run "
    "may be dropped."
)
# All the words of a good answer, and none of its argument.
KEY_WORDS = (
    "Controls not learn. Interval wide, error, spread. Same learning rate, every head, settings, "
    "search, restart. Write plan before runs, commit first, preregister. Upper bound below two "
    "points, if inside margin, equivalence, excluded, supported, fair, equal budget, "
    "decided, verdict, old, stays, Holm."
)
# Sentences, but the words stand apart: nothing is said of the interval, nor when the plan comes.
APART = (
    "The interval is what we look at in the table of the page and it is long. The heads of this "
    "course are all made of linear layers and of a core. Some of the controls have failed to learn "
    "in the past and it was sad. All heads get the same rates in our search, as we have seen."
)
DROPPING = GOOD + " I would also drop the runs that failed, because they spoil the mean."
SEEDS_ONLY = (
    "The five runs differ in their seeds only, while the 156 test images are the same each time, "
    "so the luck of the images is not in this p at all."
)
SHORTLY = (
    "Because it is computed over five trainings on one fixed test set, it cannot tell what happens "
    "on other patients."
)

RIGHT = {
    "10.resampled": [(with_sklearn, {}), (two_means, {}), (resampled_gap, {})],
    "10.levels": [
        (TRUE_RATIO, LEVELS),
        (round(TRUE_RATIO, 1), LEVELS),
        (np.float32(TRUE_RATIO), LEVELS),
    ],
    "10.corrected": [
        (corrected_error, {}),
        (step_by_step, {}),
        (lambda g, r: np.std(g, ddof=1) * np.sqrt(1 / len(g) + r), {}),
    ],
    "10.rules": [(by_hand, {}), (in_short, {})],
    "10.published": [
        ((1 / 32, 1 / 16, "A", SEEDS_ONLY), {}),
        (["0.03125", 0.0625, "a", SHORTLY], {}),
    ],
    "10.siblings": [(0.6, FOLDER), ("60 %", FOLDER), (60, FOLDER)],
    "10.open": [(GOOD, {}), (GOOD_TOO, {}), (PLAIN, {})],
}
WRONG = [
    ("10.resampled", 0.02, {}, "expected a function"),
    ("10.resampled", lambda *c: -with_sklearn(*c), {}, "a minus b"),
    ("10.resampled", lambda y, a, b, s, i: with_sklearn(y, a, b, [0, 1, 2], i), {}, "every seed"),
    (
        "10.resampled",
        lambda y, a, b, s, i: with_sklearn(y, a, b, s, np.arange(12)),
        {},
        "every image once",
    ),
    ("10.resampled", lambda y, a, b, s, i: with_sklearn(y, a, b, s[:1], i), {}, "first drawn seed"),
    ("10.resampled", lambda *c: 3 * with_sklearn(*c), {}, "take their mean"),
    ("10.resampled", averaged, {}, "average the AUCs"),
    ("10.resampled", accuracy, {}, "the endpoint is the AUC"),
    (
        "10.resampled",
        lambda y, a, b, s, i: np.mean(
            [roc_auc_score(y, a[k, i]) - roc_auc_score(y, b[k, i]) for k in s]
        ),
        {},
        "labels must be drawn",
    ),
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
    ("10.corrected", lambda g, r: np.std(g, ddof=1) / np.sqrt(len(g)), {}, "ordinary error"),
    ("10.corrected", lambda g, r: np.std(g) * np.sqrt(1 / len(g) + r), {}, "ddof=1"),
    ("10.corrected", lambda g, r: np.var(g, ddof=1) * (1 / len(g) + r), {}, "square root"),
    ("10.corrected", lambda g, r: step_by_step(g, 1 / r), {}, "turned round"),
    (
        "10.corrected",
        lambda g, r: np.std(g, ddof=1) * (len(g) ** -0.5 + r**0.5),
        {},
        "one root of the sum",
    ),
    ("10.rules", ["supported", "undecided"], {}, "expected a function"),
    (
        "10.rules",
        lambda low, up, p: WORDS[0] if p <= 0.05 else by_hand(low, up, p),
        {},
        "equivalence is asked first",
    ),
    (
        "10.rules",
        lambda low, up, p: WORDS[2] if up < 0.02 else by_hand(low, up, p),
        {},
        "excluded is asked before",
    ),
    (
        "10.rules",
        lambda low, up, p: by_hand(low, up, p).replace(WORDS[2], WORDS[3]),
        {},
        "at least two points are excluded",
    ),
    ("10.rules", lambda low, up, p: by_hand(0, up, p), {}, "the lower bound"),
    (
        "10.rules",
        lambda low, up, p: (
            WORDS[1] if low <= 0 <= up else WORDS[2] if up < 0.02 else by_hand(-1, 1, p)
        ),
        {},
        "both sides of zero is not enough",
    ),
    (
        "10.rules",
        lambda low, up, p: by_hand(low, up, 0 if low > 0 else 1),
        {},
        "nine questions were asked",
    ),
    (
        "10.rules",
        lambda low, up, p: by_hand(low, up, 0 if low > 0.02 else 1),
        {},
        "better at all",
    ),
    ("10.rules", lambda low, up, p: by_hand(low / 10, up / 10, p), {}, "are 0.02"),
    ("10.rules", lambda *case: "yes", {}, "it gives 'yes'"),
    ("10.rules", lambda *case: None, {}, "returns nothing"),
    ("10.published", 0.03125, {}, "expected four things"),
    ("10.published", (1 / 32, 1 / 16, "A"), {}, "a sentence"),
    ("10.published", (1 / 16, 1 / 16, "A", SHORTLY), {}, "that is two-sided"),
    ("10.published", (0.05, 1 / 16, "A", SHORTLY), {}, "that is the level"),
    ("10.published", (1 / 25, 1 / 16, "A", SHORTLY), {}, "not 5**2"),
    ("10.published", (1 / 32, 1 / 32, "A", SHORTLY), {}, "both extremes"),
    ("10.published", (1 / 32, 1 / 64, "A", SHORTLY), {}, "not smaller"),
    ("10.published", (1 / 32, 1 / 16, "B", SHORTLY), {}, "may be used for accuracies"),
    ("10.published", (1 / 32, 1 / 16, "C", SHORTLY), {}, "direction was written down"),
    ("10.published", (1 / 32, 1 / 16, "D", SHORTLY), {}, "nothing to correct"),
    ("10.published", (1 / 32, 1 / 16, "A", "Seeds only."), {}, "argue in 12 words"),
    (
        "10.published",
        (
            1 / 32,
            1 / 16,
            "A",
            "Seeds, images, same test, five pairs, p, luck, draw, trainings, many patients.",
        ),
        {},
        "key words",
    ),
    (
        "10.published",
        (1 / 32, 1 / 16, "A", "Five is a small number of pairs and a larger one would be better."),
        {},
        "what is the same",
    ),
    (
        "10.published",
        (1 / 32, 1 / 16, "A", "There are not many images in the test and it is a pity for us all."),
        {},
        "connect the two lucks",
    ),
    ("10.siblings", 3, FOLDER, "divide by the number"),
    ("10.siblings", 0.4, FOLDER, "without one"),
    ("10.siblings", 0.8, FOLDER, "not in validation too"),
    ("10.siblings", 0.2, FOLDER, "not only the copies"),
    ("10.siblings", 5 / 11, FOLDER, "for training"),
    ("10.siblings", 3 / 11, FOLDER, "not by all of them"),
    ("10.open", "Run more seeds until it is significant.", {}, "argue in 40 words"),
    ("10.open", KEY_WORDS, {}, "key words"),
    ("10.open", APART, {}, "what makes the interval so wide"),
    ("10.open", DROPPING, {}, "cannot be dropped"),
    (
        "10.open",
        GOOD.replace("did not learn in some runs", "were weak in our table"),
        {},
        "what some runs of the controls did",
    ),
    (
        "10.open",
        GOOD.replace("write that down before the runs", "run all of it").replace("first", ""),
        {},
        "say when",
    ),
    (
        "10.open",
        GOOD.replace("every head the same larger", "the control a larger"),
        {},
        "circuit's head gets it too",
    ),
    (
        "10.open",
        GOOD.replace("whether the upper bound lies below two points", "who has won"),
        {},
        "which number",
    ),
]
